//! Three servers on one Redis and one bucket, without a common directory, that read each other's shards, and everything
//! that can go wrong with them, by a seed.
//!
//! `BINDERY_CHAOS_SECONDS` and `BINDERY_CHAOS_SEED` choose how long and what, as for the other chaos.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bindery::blob::{BlobStore, ObjectStorage};
use futures::TryStreamExt;
use futures::future::join_all;
use serde_json::Value;

use crate::support::chance::Chance;
use crate::support::fake_llm::{FakeLlm, Script, markdown};
use crate::support::pdf::book;
use crate::support::redis_proxy::{RedisProxy, Weather};
use crate::support::redis_server::RedisServer;
use crate::support::s3_proxy::{S3Proxy, Service};
use crate::support::s3_server::{BUCKET, CREDENTIALS, S3Server};
use crate::support::server::{Server, files, fresh_data};

const SERVERS: usize = 3;
/// Pages of a book that is paid for.
const PAID: u32 = 8;
/// Pages of a book that keeps cores busy, so that servers have others read of it.
const FREE: u32 = 320;
/// Calls in flight of one server.
const CALLS: usize = 4;
/// Unfinished tasks that are kept going.
const TASKS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill(usize),
    Pause(usize),
    Terminate(usize),
    Redis(Weather),
    RedisPause,
    Storage(Service),
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill -9",
            Self::Pause(_) => "paused past its lease",
            Self::Terminate(_) => "SIGTERM",
            Self::Redis(Weather::LoseReply) => "reply of redis lost",
            Self::Redis(_) => "network to redis",
            Self::RedisPause => "redis paused",
            Self::Storage(Service::Refusing(500)) => "storage answers 500",
            Self::Storage(Service::Refusing(_)) => "storage answers 503",
            Self::Storage(Service::Gone) => "storage gone",
            Self::Storage(Service::Silent) => "storage silent",
            Self::Storage(Service::Truncating(_)) => "answers of storage truncated",
            Self::Storage(_) => "storage slow",
        }
    }

    /// Servers whose calls in flight it can lose.
    const fn servers(self) -> usize {
        match self {
            Self::Kill(_) | Self::Terminate(_) => 1,
            // What it had in flight goes on, and what it begins before it knows.
            Self::Pause(_) => 2,
            _ => SERVERS,
        }
    }
}

/// Which server something is about.
fn server(chance: &mut Chance) -> usize {
    chance.index(SERVERS)
}

/// Each comes once, killing and pausing servers and lost replies several times, before one comes again.
fn fault(chance: &mut Chance, left: &mut Vec<u8>) -> Fault {
    match chance.take(left) {
        0..=2 => Fault::Kill(server(chance)),
        3 | 4 => Fault::Pause(server(chance)),
        5 => Fault::Terminate(server(chance)),
        6 => Fault::Redis(Weather::Cut),
        7 => Fault::RedisPause,
        8..=10 => Fault::Redis(Weather::LoseReply),
        11 => Fault::Storage(Service::Refusing(500)),
        12 => Fault::Storage(Service::Refusing(503)),
        13 => Fault::Storage([Service::Gone, Service::Silent][server(chance) % 2]),
        14 => Fault::Storage(Service::Truncating(200)),
        _ => Fault::Storage(Service::Slow(Duration::from_millis(200))),
    }
}

struct World {
    servers: Vec<Server>,
    redis: RedisServer,
    proxy: RedisProxy,
    s3: S3Proxy,
    llm: FakeLlm,
    /// Draws the faults and how long they last, and nothing else: so a seed gives the same schedule again.
    chance: Chance,
    /// Draws what the clients do.
    clients: Chance,
    faults_left: Vec<u8>,
    /// Accepted tasks with whether they are paid for, and what they came to.
    tasks: BTreeMap<String, (bool, Option<Value>)>,
    /// PDFs that were submitted, those of them that are paid for, and submits that may have left a task behind.
    made: usize,
    paid: usize,
    repeated: usize,
    faults: BTreeMap<&'static str, usize>,
    /// Calls that may have been lost, by what was in flight at each fault.
    lost: usize,
    /// Shards that servers read for others, of those processes that have ended.
    imported: u64,
}

impl World {
    async fn pause(&mut self, least: u64, most: u64) {
        let wait = least + self.chance.below(most - least);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    async fn go_wrong(&mut self, fault: Fault) {
        *self.faults.entry(fault.name()).or_default() += 1;
        self.lost += CALLS * fault.servers();
        match fault {
            Fault::Kill(server) => {
                self.imported += imported(&self.servers[server]).await;
                self.servers[server].kill().await;
                self.pause(0, 4_000).await;
                self.servers[server].restart_with(&CREDENTIALS).await;
            }
            Fault::Pause(server) => {
                self.servers[server].signal("STOP");
                self.pause(3_000, 5_000).await;
                self.servers[server].signal("CONT");
            }
            Fault::Terminate(server) => {
                self.imported += imported(&self.servers[server]).await;
                self.servers[server].terminate();
                self.servers[server].exit_status().await;
                self.servers[server].restart_with(&CREDENTIALS).await;
            }
            Fault::Redis(weather) => {
                self.proxy.set(weather);
                self.pause(500, 3_000).await;
                self.proxy.set(Weather::Fair);
            }
            Fault::RedisPause => {
                self.redis.signal("STOP");
                self.pause(500, 4_000).await;
                self.redis.signal("CONT");
            }
            Fault::Storage(service) => {
                self.s3.set(service);
                self.pause(500, 4_000).await;
                self.s3.set(Service::Good);
            }
        }
    }

    /// Submits as a careful client does: again under the same key until there is an answer.
    async fn submit(&mut self) {
        self.made += 1;
        let (key, is_paid) = (format!("apart {}", self.made), self.made.is_multiple_of(2));
        self.paid += usize::from(is_paid);
        let (pdf, query) =
            if is_paid { (book(&key, PAID), "processor=llm&timeout=2") } else { (free(), "processor=text") };
        let deadline = Instant::now() + Duration::from_secs(90);
        loop {
            let server = &self.servers[server(&mut self.clients)];
            // The same book each time, so that what comes of it can be compared; and a task of its own.
            let path = format!("/v1/tasks?{query}&reuse=false");
            let request = server.request("POST", &path).header("idempotency-key", &key);
            let request = request.header("content-type", "application/pdf").body(pdf.clone());
            if let Ok(response) = request.timeout(Duration::from_secs(10)).send().await
                && response.status().is_success()
            {
                let task: Value = response.json().await.unwrap();
                self.tasks.insert(task["id"].as_str().unwrap().to_owned(), (is_paid, None));
                return;
            }
            assert!(Instant::now() < deadline, "no submit is accepted any more");
            self.repeated += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Looks at every task that is not known to be final.
    async fn look(&mut self) {
        for id in self.unfinished() {
            let server = &self.servers[server(&mut self.clients)];
            let asked = server.request("GET", &format!("/v1/tasks/{id}")).timeout(Duration::from_secs(10)).send().await;
            let Ok(response) = asked else { continue };
            if response.status() == 503 {
                continue;
            }
            assert_eq!(response.status(), 200, "an accepted task is never unknown: {id}");
            let task: Value = response.json().await.unwrap();
            if task["finished_at"].is_string() {
                assert_eq!(task["status"], "completed", "{task}");
                self.tasks.get_mut(&id).unwrap().1 = Some(task);
            }
        }
    }

    fn unfinished(&self) -> Vec<String> {
        self.tasks.iter().filter(|(_, (_, end))| end.is_none()).map(|(id, _)| id.clone()).collect()
    }

    /// When faults stop, everything finishes without help.
    async fn calm_down(&mut self) -> Duration {
        let calm = Instant::now();
        while !self.unfinished().is_empty() {
            self.look().await;
            assert!(calm.elapsed() < Duration::from_secs(120), "unfinished: {:?}", self.unfinished());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        calm.elapsed()
    }

    /// Each server answers for each result, which is what one server alone makes of the book, and ended once.
    async fn check_results(&self, free: &str) {
        let pages: Vec<String> =
            (1..=PAID).map(|page| format!("<!-- page {page} -->\n\n{}\n", markdown(page))).collect();
        let paid = pages.join("\n");
        for (number, (id, (is_paid, end))) in self.tasks.iter().enumerate() {
            let server = &self.servers[number % SERVERS];
            assert!(server.markdown(id).await == if *is_paid { &*paid } else { free }, "{id} comes out otherwise");
            let (task, end) = (server.get(&format!("/v1/tasks/{id}")).await, end.as_ref().unwrap());
            assert_eq!((&task["status"], &task["finished_at"]), (&end["status"], &end["finished_at"]), "it ended once");
        }
    }

    /// No page is paid without cause.
    async fn check_books(&self, healed: Duration) {
        let books = self.llm.books();
        let pages = self.paid * PAID as usize;
        let most = pages + self.lost + books.troubled + self.repeated * PAID as usize;
        let (calls, tasks, faults) = (books.calls.len(), self.tasks.len(), &self.faults);
        let living = join_all(self.servers.iter().map(imported)).await;
        let shards = self.imported + living.into_iter().sum::<u64>();
        println!("{tasks} tasks, {shards} shards read for others; {pages} paid pages, {calls} calls, at most {most}");
        println!("{faults:?}; the last tasks ended {healed:?} after the last fault");
        assert!(calls <= most, "{calls} calls, at most {most}");
        assert!(shards > 0, "no server read anything for another one");
    }

    async fn delete_all(&self) {
        loop {
            let list = self.servers[0].get("/v1/tasks?limit=500").await;
            let tasks = list["tasks"].as_array().unwrap().clone();
            if tasks.is_empty() {
                return;
            }
            for task in tasks {
                let path = format!("/v1/tasks/{}", task["id"].as_str().unwrap());
                let (status, answer) = self.servers[1].ask("DELETE", &path).await;
                assert!([204, 404, 503].contains(&status), "{answer}");
            }
        }
    }

    /// What is left in Redis, in the bucket, and on the servers' disks. A submit that had no answer may have left its
    /// folder: for a quarter of an hour it could still be under way.
    async fn left(&self, storage: &ObjectStorage) -> Vec<String> {
        let mut connection = self.redis.connection().await;
        let mut left: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        let stays = ["tasks:owners", "tasks:store", "tasks:nodes", "tasks:arrivals"];
        let is_known = |key: &str| key.starts_with("feed:") && key.ends_with(":servers") || key.starts_with("{limits:");
        left.retain(|key| !stays.contains(&key.as_str()) && !is_known(key));
        let blobs: Vec<String> = storage.list("").map_ok(|meta| meta.key).try_collect().await.unwrap();
        let mut unanswered = std::collections::BTreeSet::new();
        for key in blobs.into_iter().filter(|key| !key.starts_with("ledger/") && key != "bindery-data.json") {
            match key.strip_prefix("tasks/").and_then(|rest| rest.split('/').next()) {
                Some(id) if !self.tasks.contains_key(id) => drop(unanswered.insert(id.to_owned())),
                _ => left.push(key),
            }
        }
        if unanswered.len() > self.repeated {
            left.extend(unanswered);
        }
        for (number, server) in self.servers.iter().enumerate() {
            let of_task = |file: &String| self.tasks.keys().any(|id| file.contains(id.as_str()));
            let copies = files(server.data()).into_iter().filter(of_task);
            left.extend(copies.map(|file| format!("{number}: {file}")));
        }
        left
    }

    async fn check_nothing_is_left(&self, storage: &ObjectStorage) {
        let cleared = Instant::now();
        loop {
            let left = self.left(storage).await;
            if left.is_empty() {
                return;
            }
            assert!(cleared.elapsed() < Duration::from_secs(60), "left behind: {left:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

fn free() -> Vec<u8> {
    book("Read by all", FREE)
}

/// How many shards a server has read for others since its start.
async fn imported(server: &Server) -> u64 {
    let asked = server.request("GET", "/metrics").timeout(Duration::from_secs(5)).send().await;
    let Ok(response) = asked else { return 0 };
    let text = response.text().await.unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("bindery_feed_shards_total{event=\"imported\"} "));
    line.and_then(|count| count.parse().ok()).unwrap_or(0)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_i3_i5_i10_whatever_dies_servers_that_share_no_directory_lose_nothing_and_leave_nothing() {
    let Some(server) = S3Server::start().await else { return };
    let seed = setting("BINDERY_CHAOS_SEED").unwrap_or(20_261_128);
    let length = Duration::from_secs(setting("BINDERY_CHAOS_SECONDS").unwrap_or(60));
    println!("chaos apart for {length:?} with seed {seed}");
    let alone = Server::start(&[]).await;
    let id = alone.accepted(free(), "processor=text").await;
    alone.finished(&id).await;
    let reference = alone.markdown(&id).await;
    drop(alone);

    let script = Script { delay: Duration::from_millis(100), trouble: Some(seed), ..Script::default() };
    let (llm, redis, s3) = (FakeLlm::start(script), RedisServer::start().await, S3Proxy::start(&server.url).await);
    let (proxy, calls) = (RedisProxy::start(redis.port).await, CALLS.to_string());
    let blob = format!("s3://{BUCKET}/apart");
    let arguments =
        ["--store", &proxy.url, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", &calls];
    let shared = ["--blob", &blob, "--s3-endpoint", &s3.url, "--workers", "1"];
    let arguments = [&arguments[..], &shared, &["--lease", "3s", "--janitor-tick", "5s", "--drain", "1s"]].concat();
    let start = || Server::start_on(fresh_data(), &arguments, &CREDENTIALS);
    let mut world = World {
        servers: join_all((0..SERVERS).map(|_| start())).await,
        redis,
        proxy,
        s3,
        llm,
        chance: Chance(seed),
        clients: Chance(!seed),
        faults_left: Vec::new(),
        tasks: BTreeMap::new(),
        made: 0,
        paid: 0,
        repeated: 0,
        faults: BTreeMap::new(),
        lost: 0,
        imported: 0,
    };
    let begun = Instant::now();
    while begun.elapsed() < length {
        while world.unfinished().len() < TASKS {
            world.submit().await;
        }
        world.pause(200, 1_500).await;
        let fault = fault(&mut world.chance, &mut world.faults_left);
        world.go_wrong(fault).await;
        world.look().await;
    }
    let healed = world.calm_down().await;
    world.check_results(&reference).await;
    world.check_books(healed).await;
    world.delete_all().await;
    let storage = Arc::new(crate::object_storage::storage(server.options("apart")));
    world.check_nothing_is_left(&storage).await;
}
