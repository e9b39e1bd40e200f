//! Several servers on one endpoint: what it allows, it allows to all of them together.
//!
//! `BINDERY_LIMITS_SECONDS=90` runs the long form, in which a minute's limit can be looked at as such.

#![allow(clippy::cast_precision_loss, reason = "counts of calls and seconds")]

use std::time::{Duration, Instant};

use crate::support::fake_llm::{Answer, Books, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_proxy::{RedisProxy, Weather};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, answer, fresh_data};
use crate::support::until;

fn seconds() -> u64 {
    std::env::var("BINDERY_LIMITS_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

/// Servers on one Redis and one data directory, each with a book of so many pages to read.
async fn servers(count: usize, llm: &FakeLlm, redis: &str, pages: u32, limits: &[&str]) -> Vec<Server> {
    let data = fresh_data();
    // Long leases: what a task's lease does is not the question here.
    let arguments = ["--store", redis, "--llm-base-url", &llm.url, "--llm-model", "m", "--lease", "60s"];
    let arguments = [&arguments[..], limits].concat();
    let start = || Server::start_on(data.clone(), &arguments, &[]);
    let servers = futures::future::join_all((0..count).map(|_| start())).await;
    for (number, server) in servers.iter().enumerate() {
        server.accepted(book(&format!("Book {number}"), pages), "processor=llm").await;
    }
    servers
}

/// The most calls that came within any stretch of so long.
fn most_within(books: &Books, stretch: Duration) -> usize {
    let times = &books.times;
    let within = |at: usize| times[at..].partition_point(|time| time.duration_since(times[at]) < stretch);
    (0..times.len()).map(within).max().unwrap_or(0)
}

/// Waits until so many calls have been made and returns the moment.
async fn calls(llm: &FakeLlm, count: usize) -> Instant {
    let books = llm.until(|books| books.times.len() >= count).await;
    books.times[count - 1]
}

#[tokio::test]
async fn i14_four_servers_use_what_an_endpoint_allows_a_minute_and_no_more() {
    const A_SECOND: f64 = 10.0;
    // Sixty calls of six seconds are ten a second; of those of two seconds twenty are.
    let is_long = seconds() > 60;
    let delay = Duration::from_secs(if is_long { 6 } else { 1 });
    let llm = FakeLlm::start(Script { delay, cap: Some(64), ..Script::default() });
    let redis = RedisServer::start().await;
    let limits = ["--llm-concurrency", "64", "--llm-rpm", "600"];
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of calls")]
    let wanted = (A_SECOND * seconds() as f64) as usize;
    let servers = servers(4, &llm, &redis.url(), u32::try_from(wanted).unwrap(), &limits).await;
    // The first ones are there before all servers are.
    let from = calls(&llm, 20).await;
    let mut until = from;
    for count in (20..=20 + wanted).step_by(10) {
        until = calls(&llm, count).await;
    }
    let (books, took) = (llm.books(), until.duration_since(from).as_secs_f64());
    let rate = wanted as f64 / took;
    println!("{rate:.2} calls a second of {A_SECOND}, {} refused, {} at once", books.refused, books.most_in_flight);
    assert!(rate >= A_SECOND * 0.95, "{rate:.2} calls a second");
    assert!(books.refused * 50 < books.calls.len(), "{} of {} refused", books.refused, books.calls.len());
    assert!(books.most_in_flight <= 64, "{} at once", books.most_in_flight);
    let stretch = if is_long { 60 } else { 5 };
    let most = most_within(&books, Duration::from_secs(stretch));
    // Half a second's worth may come at once after a pause, as much may be late: of a minute that is less than two percent.
    let allowed = if is_long { 612 } else { 5 * 10 + 10 };
    println!("{most} within {stretch} s");
    assert!(most <= allowed, "{most} calls within {stretch} s");
    drop(servers);
}

#[tokio::test]
async fn the_share_of_a_server_that_is_killed_is_back_within_three_seconds() {
    let llm = FakeLlm::start(Script { delay: Duration::from_secs(1), ..Script::default() });
    let redis = RedisServer::start().await;
    let mut servers = servers(4, &llm, &redis.url(), 400, &["--llm-concurrency", "32"]).await;
    llm.until(|books| books.in_flight == 32 && books.calls.len() > 96).await;
    let shares = futures::future::join_all(servers.iter().map(|server| server.get("/readyz?verbose"))).await;
    for health in &shares {
        let share = &health["endpoints"][0]["share"];
        assert_eq!((&share["limit"], &share["servers"]), (&32.into(), &4.into()), "{health}");
        assert_eq!(share["in_flight"], 8, "{health}");
    }
    let mut dead = servers.pop().unwrap();
    dead.kill().await;
    let killed = Instant::now();
    llm.until(|books| books.in_flight <= 25).await;
    llm.until(|books| books.in_flight == 32).await;
    assert!(killed.elapsed() < Duration::from_secs(3), "after {:?}", killed.elapsed());
    assert_eq!(llm.books().most_in_flight, 32);
    println!("back after {:?}", killed.elapsed());
}

#[tokio::test]
async fn servers_find_together_what_an_endpoint_allows() {
    const CAP: usize = 24;
    const SECONDS: f64 = 0.25;
    let llm = FakeLlm::start(Script { delay: Duration::from_secs_f64(SECONDS), cap: Some(CAP), ..Script::default() });
    let redis = RedisServer::start().await;
    let servers = servers(4, &llm, &redis.url(), 600, &["--llm-concurrency", "96"]).await;
    // All of them want more than that, and are refused; the longer nothing changes the more seldom they try for more.
    llm.until(|books| books.refused > 0 && books.calls.len() > 700).await;
    let before = llm.books();
    let from = Instant::now();
    let after = llm.until(|books| books.paid.len() > before.paid.len() + 600).await;
    let rate = (after.paid.len() - before.paid.len()) as f64 / from.elapsed().as_secs_f64();
    let (refused, made) = (after.refused - before.refused, after.calls.len() - before.calls.len());
    println!("{rate:.1} pages a second of {}, {refused} of {made} refused", CAP as f64 / SECONDS);
    // One in sixty on an idle machine, one in eight on one with ten times the work that it has cores for, where answers come late
    // and out of step; each for itself they have one in four refused.
    assert!(refused * 6 <= made, "{refused} of {made} refused");
    let limits = futures::future::join_all(servers.iter().map(|server| server.get("/readyz?verbose"))).await;
    let limits: Vec<u64> =
        limits.iter().filter_map(|health| health["endpoints"][0]["share"]["limit"].as_u64()).collect();
    assert!(limits.iter().all(|limit| (CAP as u64 * 3 / 4..=CAP as u64 + 2).contains(limit)), "{limits:?}");
}

#[tokio::test]
async fn while_redis_is_unavailable_the_last_share_is_kept() {
    let llm = FakeLlm::start(Script { delay: Duration::from_millis(300), ..Script::default() });
    let redis = RedisServer::start().await;
    let proxy = RedisProxy::start(redis.port).await;
    let servers = servers(2, &llm, &proxy.url, 400, &["--llm-concurrency", "8"]).await;
    llm.until(|books| books.in_flight == 8 && books.calls.len() > 24).await;
    proxy.set(Weather::Cut);
    let cut = llm.books().calls.len();
    let began = Instant::now();
    let books = llm.until(|books| books.calls.len() > cut + 100).await;
    let rate = 100.0 / began.elapsed().as_secs_f64();
    println!("{rate:.1} calls a second of {:.1}", 8.0 / 0.3);
    assert_eq!(books.most_in_flight, 8);
    assert!(began.elapsed() > Duration::from_secs(3), "long after the shares have ended");
    proxy.set(Weather::Fair);
    llm.until(|books| books.calls.len() > cut + 200 && books.in_flight == 8).await;
    assert_eq!(llm.books().most_in_flight, 8);
    drop(servers);
}

#[tokio::test]
async fn a_tenants_quota_is_for_all_servers() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let (data, url) = (fresh_data(), redis.url());
    let arguments = ["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m", "--lease", "2s"];
    let arguments =
        [&arguments[..], &["--api-key", "ann=sehr-geheim", "--tenant-tasks", "3", "--tenant-pages", "9"]].concat();
    let servers =
        [Server::start_on(data.clone(), &arguments, &[]).await, Server::start_on(data.clone(), &arguments, &[]).await];
    let ask = async |server: &Server, method: &str, path: &str, pdf: Vec<u8>| {
        let request = server.request(method, path).header("x-api-key", "sehr-geheim");
        answer(request.header("content-type", "application/pdf").body(pdf)).await
    };
    let submit = async |server: &Server, title: &str, pages| {
        ask(server, "POST", "/v1/tasks?processor=llm", book(title, pages)).await
    };
    let (status, first) = submit(&servers[0], "One", 4).await;
    assert_eq!(status, 202, "{first}");
    // What is answered with a task that is there holds no place.
    for server in servers.iter().chain(&servers) {
        let (status, again) = submit(server, "One", 4).await;
        assert_eq!((status, &again["id"]), (200, &first["id"]), "{again}");
    }
    assert_eq!(submit(&servers[1], "Two", 4).await.0, 202);
    // Neither server knows more than its own task.
    for server in &servers {
        let (status, refused) = submit(server, "Three", 2).await;
        assert_eq!((status, &refused["code"]), (429, &"quota_exceeded".into()), "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains("8 pages in unfinished tasks, of 9"), "{refused}");
    }
    assert_eq!(submit(&servers[1], "Three", 1).await.0, 202);
    let path = format!("/v1/tasks/{}", first["id"].as_str().unwrap());
    let (status, cancelled) = ask(&servers[0], "POST", &format!("{path}/cancel"), Vec::new()).await;
    assert_eq!(status, 200, "{cancelled}");
    assert_eq!(submit(&servers[0], "Five", 4).await.0, 202, "what has ended counts no more");
    let (status, refused) = ask(&servers[0], "POST", &format!("{path}/retry"), Vec::new()).await;
    assert_eq!((status, &refused["code"]), (429, &"quota_exceeded".into()), "{refused}");
    llm.open();
    let retry = format!("{path}/retry");
    until("the others to end and the retry to be accepted", async || {
        ask(&servers[0], "POST", &retry, Vec::new()).await.0 == 202
    })
    .await;
}
