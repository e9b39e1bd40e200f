//! The Redis store on a real server: its contract, its keys, and its absence.

use std::time::Duration;

use bindery::store::{RedisOptions, RedisStore, contract};
use redis::AsyncCommands;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::{RedisServer, free_port};
use crate::support::server::{Server, answer, run};
use crate::support::until;

#[tokio::test]
async fn keeps_the_contract() {
    let server = RedisServer::start().await;
    // A disk that is busy may hold a server up: that is not what is looked at here.
    let mut patient = RedisOptions::default();
    patient.response_timeout = Duration::from_mins(1);
    let store = RedisStore::connect(&server.url(), patient).await.unwrap();
    contract::check_all(&store).await;
    let mut connection = server.connection().await;
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    for key in keys {
        // What was learnt of endpoints, what callers asked, and which servers there are, ends by itself.
        let ends: i64 = connection.ttl(&key).await.unwrap();
        let may_stay = ["{limits:", "tasks:rate:", "tasks:arrivals"].iter().any(|begin| key.starts_with(begin));
        let may_stay = may_stay || key.starts_with("feed:") && key.ends_with(":servers");
        assert!(may_stay && ends > 0 && ends <= 3_600, "left behind: {key:?}, for {ends} s");
    }
}

#[tokio::test]
async fn a_record_is_a_hash_at_its_key_and_expires_only_when_final() {
    let redis = RedisServer::start().await;
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let url = redis.url();
    let server =
        Server::start(&["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m", "--task-ttl", "1h"]).await;
    let id = server.accepted(book("Hash", 2), "processor=llm&file_name=h.pdf").await;
    llm.until(|books| books.held == 2).await;
    let mut connection = redis.connection().await;
    let key = format!("task:{id}");
    let (status, path): (String, String) = connection.hmget(&key, &["status", "pdf_path"][..]).await.unwrap();
    assert!(["pending", "processing"].contains(&status.as_str()));
    assert_eq!(path, format!("tasks/{id}/source.pdf"));
    assert_eq!(connection.ttl::<_, i64>(&key).await.unwrap(), -1, "an unfinished record does not expire");

    llm.open();
    server.finished(&id).await;
    let ttl: i64 = connection.ttl(&key).await.unwrap();
    assert!((3_500..=3_600).contains(&ttl), "{ttl}");
    let places: Vec<String> = connection.zrange("tasks:by-status:completed", 0, -1).await.unwrap();
    assert_eq!(places, [id.as_str()]);
    assert_eq!(connection.zcard::<_, u32>("tasks:by-status:processing").await.unwrap(), 0);

    server.ask("DELETE", &format!("/v1/tasks/{id}")).await;
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    // What was learnt of the endpoint ends by itself.
    keys.retain(|key| !key.starts_with("{limits:"));
    keys.sort();
    assert_eq!(keys, ["tasks:nodes", "tasks:owners", "tasks:store"], "left behind");
}

#[tokio::test]
async fn not_reachable_at_the_start_is_one_line_that_names_the_address() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let store = format!("redis://user:geheim@127.0.0.1:{port}/3");
    let failed = run(dir.path(), ["serve", "--listen", "127.0.0.1:0", "--store", &store]).await;
    assert_eq!(failed.status.code(), Some(1));
    let error = String::from_utf8(failed.stderr).unwrap();
    assert!(error.contains(&format!("127.0.0.1:{port}/3")) && !error.contains("geheim"), "{error}");
    assert_eq!(error.trim().lines().count(), 1, "{error}");
}

#[tokio::test]
async fn lost_while_running_the_api_says_so_the_job_goes_on_and_all_heals() {
    let mut redis = RedisServer::start().await;
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let url = redis.url();
    let server = Server::start(&[
        "--store",
        &url,
        "--llm-base-url",
        &llm.url,
        "--llm-model",
        "m",
        "--llm-concurrency",
        "2",
        "--janitor-tick",
        "1s",
    ])
    .await;
    let id = server.accepted(book("Outage", 8), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    redis.kill().await;

    for request in [server.request("GET", &format!("/v1/tasks/{id}")), server.request("GET", "/readyz")] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
        assert!(response.text().await.unwrap().contains("store_unavailable"));
    }
    let (status, problem) = server.submit(book("Refused", 1), "").await;
    assert_eq!((status, &problem["code"]), (503, &"store_unavailable".into()));

    // The job needs no store to go on.
    llm.open();
    llm.until(|books| books.paid.len() == 8).await;
    redis.restart().await;
    let task = loop {
        let (status, task) = answer(server.request("GET", &format!("/v1/tasks/{id}?wait=50"))).await;
        if status == 200 && task["finished_at"].is_string() {
            break task;
        }
        assert!(status == 503 || status == 200, "{status} {task}");
    };
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &8.into()));
    assert_eq!(llm.books().calls.len(), 8);
    assert_eq!(server.ask("GET", "/readyz").await.0, 200);
    until("the source of the refused submit to go", async || {
        std::fs::read_dir(server.data().join("tasks")).unwrap().count() <= 1
    })
    .await;
}

#[tokio::test]
async fn full_and_read_only_servers_are_waited_for() {
    let redis = RedisServer::start().await;
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let url = redis.url();
    let server = Server::start(&["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let mut connection = redis.connection().await;
    let running = server.accepted(book("Full", 2), "processor=llm").await;
    llm.until(|books| books.held == 2).await;

    let () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "1"]).query_async(&mut connection).await.unwrap();
    let (status, problem) = server.submit(book("Refused", 1), "").await;
    assert_eq!((status, &problem["code"]), (503, &"store_unavailable".into()));
    llm.open();
    assert_eq!(server.finished(&running).await["status"], "completed", "a task can end when memory is full");
    let () = redis::cmd("CONFIG").arg(&["SET", "maxmemory", "0"]).query_async(&mut connection).await.unwrap();

    let nobody = free_port().to_string();
    let () = redis::cmd("REPLICAOF").arg(&["127.0.0.1", &nobody]).query_async(&mut connection).await.unwrap();
    assert_eq!(server.submit(book("Refused", 1), "").await.0, 503);
    let () = redis::cmd("REPLICAOF").arg(&["NO", "ONE"]).query_async(&mut connection).await.unwrap();
    let id = server.accepted(book("Again", 1), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
}

#[tokio::test]
async fn the_janitor_mends_what_does_not_fit_together() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let server = Server::start(&["--store", &redis.url(), "--janitor-tick", "1s"]).await;
    let id = server.accepted(book("Mended", 1), "").await;
    server.finished(&id).await;

    let ghost = bindery::task::TaskId::generate().to_string();
    for index in ["tasks:all", "tasks:by-status:pending"] {
        let () = connection.zadd(index, &ghost, 1).await.unwrap();
    }
    let () = connection.zrem("tasks:all", &id).await.unwrap();
    let () = connection.zrem("tasks:by-status:completed", &id).await.unwrap();
    let () = connection.zadd("tasks:by-status:failed", &id, 1).await.unwrap();
    let orphan = server.data().join("tasks").join(bindery::task::TaskId::generate().to_string());
    std::fs::create_dir(&orphan).unwrap();
    std::fs::write(orphan.join("source.pdf"), b"%PDF").unwrap();

    until("everything to fit together", async || {
        let all: Vec<String> = connection.zrange("tasks:all", 0, -1).await.unwrap();
        let completed: Vec<String> = connection.zrange("tasks:by-status:completed", 0, -1).await.unwrap();
        let others: u32 = connection.zcard("tasks:by-status:failed").await.unwrap();
        let pending: u32 = connection.zcard("tasks:by-status:pending").await.unwrap();
        let listed = [id.as_str()];
        all == listed && completed == listed && others + pending == 0 && !orphan.exists()
    })
    .await;
    assert_eq!(server.get("/v1/tasks").await["tasks"][0]["id"], id.as_str());
}

#[tokio::test]
async fn while_redis_loads_its_data_callers_are_told_to_come_back() {
    let (llm, mut redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let url = redis.url();
    let server = Server::start(&["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Loading", 2), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    redis.kill().await;
    redis.restart_loading().await;
    llm.open();
    let path = format!("/v1/tasks/{id}");
    let mut refused = 0;
    let is_loaded = async || match server.ask("GET", &path).await {
        (200, _) => true,
        (503, problem) => {
            assert_eq!(problem["code"], "store_unavailable", "{problem}");
            refused += 1;
            false
        }
        other => panic!("{other:?}"),
    };
    until("the data to be loaded", is_loaded).await;
    assert!(refused > 0, "it was loading");
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert_eq!(llm.books().calls.len(), 2);
}
