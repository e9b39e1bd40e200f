//! Two servers, one Redis, one data directory, and everything that can go wrong with them, by a seed.
//!
//! `BINDERY_CHAOS_SECONDS` and `BINDERY_CHAOS_SEED` choose how long and what; `tests/run --soak MINUTES [--seed N]` sets
//! them. The seed chooses the same schedule again; what the machine makes of it can differ.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::disk::SmallDisk;
use crate::support::fake_llm::{FakeLlm, Script, markdown};
use crate::support::mix;
use crate::support::pdf::book;
use crate::support::redis_proxy::{RedisProxy, Weather};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, data_on, files, fresh_data};

const PAGES: u32 = 12;
/// Calls in flight of both servers together.
const IN_FLIGHT: usize = 8;
/// Unfinished tasks that are kept going.
const TASKS: usize = 4;

#[derive(Clone, Copy, Debug)]
enum Fault {
    Kill(usize),
    Pause(usize),
    Terminate(usize),
    RedisKill,
    RedisPause,
    RedisForgets,
    Weather(Weather),
    DiskFull,
}

/// Draws from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % end
    }

    fn fault(&mut self) -> Fault {
        let server = usize::try_from(self.below(2)).unwrap();
        match self.below(13) {
            0..=2 => Fault::Kill(server),
            3 => Fault::Pause(server),
            4 => Fault::Terminate(server),
            5 => Fault::RedisKill,
            6 => Fault::RedisPause,
            7 => Fault::RedisForgets,
            8 => Fault::Weather(Weather::Cut),
            9 => Fault::Weather(Weather::HalfOpen),
            10 => Fault::Weather(Weather::Slow(Duration::from_millis(200))),
            11 => Fault::Weather(Weather::LoseReply),
            _ => Fault::DiskFull,
        }
    }
}

struct World {
    servers: [Server; 2],
    /// What the servers' data are on, when this process may mount it.
    disk: Option<SmallDisk>,
    redis: RedisServer,
    proxy: RedisProxy,
    llm: FakeLlm,
    chance: Chance,
    /// Accepted tasks, with what they came to.
    tasks: BTreeMap<String, Option<Value>>,
    /// Distinct PDFs that were submitted, and submits that had to be sent again.
    submitted: usize,
    repeated: usize,
    faults: BTreeMap<&'static str, usize>,
    /// Calls that may have been lost, by what was in flight at each fault.
    lost: usize,
}

impl World {
    async fn pause(&mut self, least: u64, most: u64) {
        let wait = least + self.chance.below(most - least);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    async fn go_wrong(&mut self, fault: Fault) {
        let name = match fault {
            Fault::Kill(_) => "kill -9",
            Fault::Pause(_) => "paused past its lease",
            Fault::Terminate(_) => "SIGTERM",
            Fault::RedisKill => "redis killed",
            Fault::RedisPause => "redis paused",
            Fault::RedisForgets => "redis emptied",
            Fault::Weather(Weather::LoseReply) => "reply lost",
            Fault::Weather(_) => "network",
            Fault::DiskFull if self.disk.is_none() => "disk left alone: mounting needs root",
            Fault::DiskFull => "disk full",
        };
        *self.faults.entry(name).or_default() += 1;
        self.lost += IN_FLIGHT;
        match fault {
            Fault::Kill(server) => {
                self.servers[server].kill().await;
                self.pause(0, 4_000).await;
                self.servers[server].restart().await;
            }
            Fault::Pause(server) => {
                self.servers[server].signal("STOP");
                self.pause(3_000, 5_000).await;
                self.servers[server].signal("CONT");
                // What it had in flight goes on, and what it begins before it knows.
                self.lost += IN_FLIGHT;
            }
            Fault::Terminate(server) => {
                self.servers[server].terminate();
                self.servers[server].exit_status().await;
                self.servers[server].restart().await;
            }
            Fault::RedisKill => {
                self.redis.kill().await;
                self.pause(0, 4_000).await;
                self.redis.restart().await;
            }
            Fault::RedisPause => {
                self.redis.signal("STOP");
                self.pause(500, 4_000).await;
                self.redis.signal("CONT");
            }
            Fault::RedisForgets => {
                let mut connection = self.redis.connection().await;
                let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
            }
            Fault::Weather(weather) => {
                self.proxy.set(weather);
                self.pause(500, 3_000).await;
                self.proxy.set(Weather::Fair);
            }
            Fault::DiskFull => {
                let filler = self.disk.as_ref().map(SmallDisk::fill);
                self.pause(500, 3_000).await;
                drop(filler);
            }
        }
    }

    /// Submits as a careful client does: again under the same key until there is an answer.
    async fn submit(&mut self) {
        self.submitted += 1;
        let key = format!("chaos {}", self.submitted);
        let pdf = book(&key, PAGES);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let server = &self.servers[usize::try_from(self.chance.below(2)).unwrap()];
            let request = server.request("POST", "/v1/tasks?processor=llm&timeout=2").header("idempotency-key", &key);
            let request = request.header("content-type", "application/pdf").body(pdf.clone());
            if let Ok(response) = request.timeout(Duration::from_secs(10)).send().await
                && response.status().is_success()
            {
                let task: Value = response.json().await.unwrap();
                self.tasks.insert(task["id"].as_str().unwrap().to_owned(), None);
                return;
            }
            assert!(Instant::now() < deadline, "no submit is accepted any more");
            self.repeated += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Looks at every task that is not known to be final, and now and then at one that is.
    async fn look(&mut self) {
        let ids: Vec<String> = self.tasks.keys().cloned().collect();
        for id in ids {
            let known = self.tasks[&id].clone();
            if known.is_some() && self.chance.below(10) > 0 {
                continue;
            }
            let server = &self.servers[usize::try_from(self.chance.below(2)).unwrap()];
            let asked = server.request("GET", &format!("/v1/tasks/{id}")).timeout(Duration::from_secs(10)).send().await;
            let Ok(response) = asked else { continue };
            if response.status() == 503 {
                continue;
            }
            assert_eq!(response.status(), 200, "an accepted task is never unknown: {id}");
            let task: Value = response.json().await.unwrap();
            if let Some(known) = known {
                assert_eq!(task["status"], known["status"], "a final status never changes");
                assert_eq!(task["finished_at"], known["finished_at"], "a task ends once");
            } else if task["finished_at"].is_string() {
                assert_eq!(task["status"], "completed", "{task}");
                self.tasks.insert(id, Some(task));
            }
        }
    }

    fn unfinished(&self) -> usize {
        self.tasks.values().filter(|end| end.is_none()).count()
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_dies_nothing_is_lost_and_nothing_is_paid_twice() {
    let seed = setting("BINDERY_CHAOS_SEED").unwrap_or(20_261_124);
    let length = Duration::from_secs(setting("BINDERY_CHAOS_SECONDS").unwrap_or(60));
    println!("chaos for {length:?} with seed {seed}");
    let script = Script { delay: Duration::from_millis(100), trouble: Some(seed), ..Script::default() };
    let (llm, redis) = (FakeLlm::start(script), RedisServer::start().await);
    let proxy = RedisProxy::start(redis.port).await;
    let arguments = ["--store", &proxy.url, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "4"];
    let arguments = [&arguments[..], &["--lease", "3s", "--janitor-tick", "5s", "--drain", "1s"]].concat();
    // Room for what an hour leaves in the ledger; a disk that stays full is waited for without end.
    let disk = SmallDisk::mount("1g");
    let data = disk.as_ref().map_or_else(fresh_data, |disk| data_on(disk.path()));
    let quiet = [("RUST_LOG", "off")];
    let servers = [
        Server::start_on(data.clone(), &arguments, &quiet).await,
        Server::start_on(data.clone(), &arguments, &quiet).await,
    ];
    let mut world = World {
        servers,
        disk,
        redis,
        proxy,
        llm,
        chance: Chance(seed),
        tasks: BTreeMap::new(),
        submitted: 0,
        repeated: 0,
        faults: BTreeMap::new(),
        lost: 0,
    };
    let begun = Instant::now();
    while begun.elapsed() < length {
        while world.unfinished() < TASKS {
            world.submit().await;
        }
        world.pause(200, 1_500).await;
        let fault = world.chance.fault();
        world.go_wrong(fault).await;
        world.look().await;
    }

    // When faults stop, everything finishes without anybody's help.
    let calm = Instant::now();
    while world.unfinished() > 0 {
        world.look().await;
        let unfinished = || world.tasks.iter().filter(|(_, end)| end.is_none()).map(|(id, _)| id).collect::<Vec<_>>();
        assert!(calm.elapsed() < Duration::from_secs(90), "unfinished: {:?}", unfinished());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let healed = calm.elapsed();
    let reference: Vec<String> =
        (1..=PAGES).map(|page| format!("<!-- page {page} -->\n\n{}\n", markdown(page))).collect();
    for id in world.tasks.keys() {
        assert_eq!(world.servers[0].markdown(id).await, reference.join("\n"), "{id}");
    }
    let books = world.llm.books();
    let pages = world.submitted * PAGES as usize;
    // A submit that was sent again after its key was forgotten with the records can be two tasks over the same pages.
    let most = pages + world.lost + books.troubled + world.repeated * PAGES as usize;
    let calls = books.calls.len();
    #[allow(clippy::cast_precision_loss, reason = "a figure")]
    let waste = (calls - books.troubled) as f64 / pages as f64 - 1.0;
    let (tasks, faults, troubled) = (world.tasks.len(), &world.faults, books.troubled);
    println!(
        "{tasks} tasks, {pages} pages, {calls} calls, {troubled} of them troubled by the endpoint, waste {waste:.4}"
    );
    println!("{faults:?}; the last tasks ended {healed:?} after the last fault");
    assert!(calls <= most, "{calls} calls, at most {most}");

    // Also those that a submit without an answer left behind.
    loop {
        let list = world.servers[0].get("/v1/tasks?limit=500").await;
        let tasks = list["tasks"].as_array().unwrap().clone();
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            let (status, answer) =
                world.servers[1].ask("DELETE", &format!("/v1/tasks/{}", task["id"].as_str().unwrap())).await;
            assert!([204, 404, 503].contains(&status), "{answer}");
        }
    }
    let cleared = Instant::now();
    loop {
        let mut left = files(data.path());
        left.retain(|file| !file.starts_with("ledger/"));
        let mut connection = world.redis.connection().await;
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
        keys.retain(|key| key != "tasks:owners" && key != "tasks:store");
        if left.is_empty() && keys.is_empty() {
            break;
        }
        assert!(cleared.elapsed() < Duration::from_secs(30), "left behind: {left:?} {keys:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
