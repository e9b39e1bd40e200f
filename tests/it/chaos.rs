//! Three servers, one Redis, one data directory, and everything that can go wrong with them, by a seed.
//!
//! `BINDERY_CHAOS_SECONDS` and `BINDERY_CHAOS_SEED` choose how long and what; `tests/run --soak MINUTES [--seed N]` sets
//! them. The seed chooses the same schedule again; what the machine makes of it can differ.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::Value;

use crate::support::chance::Chance;
use crate::support::disk::SmallDisk;
use crate::support::fake_clock::FakeClock;
use crate::support::fake_llm::{FakeLlm, Script, markdown};
use crate::support::pdf::book;
use crate::support::redis_proxy::{RedisProxy, Weather};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, data_on, files, fresh_data};

const SERVERS: usize = 3;
const PAGES: u32 = 12;
/// Calls in flight of one server.
const CALLS: usize = 4;
/// Submits of the same PDF at the same moment.
const EQUAL: usize = 4;
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
    /// Little room is left, and submits go on.
    DiskNearlyFull,
    /// It starts while the clock of its machine is ten days behind, which is put right later.
    ClockBehind(usize),
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Kill(_) => "kill -9",
            Self::Pause(_) => "paused past its lease",
            Self::Terminate(_) => "SIGTERM",
            Self::RedisKill => "redis killed",
            Self::RedisPause => "redis paused",
            Self::RedisForgets => "redis emptied",
            Self::Weather(Weather::LoseReply) => "reply lost",
            Self::Weather(_) => "network",
            Self::DiskFull => "disk full",
            Self::DiskNearlyFull => "disk nearly full",
            Self::ClockBehind(_) => "clock behind at the start",
        }
    }

    /// Servers whose calls in flight it can lose.
    const fn servers(self) -> usize {
        match self {
            Self::Kill(_) | Self::Terminate(_) | Self::ClockBehind(_) => 1,
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

/// Each comes once, and killing servers thrice, before one comes again, in another order each time.
fn fault(chance: &mut Chance, left: &mut Vec<u8>) -> Fault {
    match chance.take(left) {
        0..=2 => Fault::Kill(server(chance)),
        3 => Fault::Pause(server(chance)),
        4 => Fault::Terminate(server(chance)),
        5 => Fault::RedisKill,
        6 => Fault::RedisPause,
        7 => Fault::RedisForgets,
        8 => Fault::Weather(Weather::Cut),
        9 => Fault::Weather(Weather::HalfOpen),
        10 => Fault::Weather(Weather::Slow(Duration::from_millis(200))),
        11 => Fault::Weather(Weather::LoseReply),
        12 => Fault::DiskFull,
        13 => Fault::DiskNearlyFull,
        _ => Fault::ClockBehind(server(chance)),
    }
}

struct World {
    servers: Vec<Server>,
    /// The clock of each server when it was started with one that was behind, where libfaketime is installed.
    clocks: Option<Vec<FakeClock>>,
    /// What the servers' data are on, when this process may mount it.
    disk: Option<SmallDisk>,
    redis: RedisServer,
    proxy: RedisProxy,
    llm: FakeLlm,
    /// Draws the faults and how long they last, and nothing else: so a seed gives the same schedule again.
    chance: Chance,
    /// Draws what the clients do.
    clients: Chance,
    faults_left: Vec<u8>,
    /// Accepted tasks, with what they came to.
    tasks: BTreeMap<String, Option<Value>>,
    /// Distinct PDFs that were made, those of them that were accepted, and submits that may have left a task behind.
    made: usize,
    submitted: usize,
    repeated: usize,
    /// Submits that were answered with the task of an equal one, and those that were not while an equal one was accepted.
    reused: usize,
    unlucky: usize,
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
        let lacking = match fault {
            Fault::DiskFull | Fault::DiskNearlyFull if self.disk.is_none() => Some("skipped: mounting needs root"),
            Fault::ClockBehind(_) if self.clocks.is_none() => Some("skipped: faketime is not installed"),
            _ => None,
        };
        *self.faults.entry(lacking.unwrap_or(fault.name())).or_default() += 1;
        self.lost += CALLS * fault.servers();
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
            Fault::DiskNearlyFull => self.nearly_full().await,
            Fault::ClockBehind(server) => self.clock_behind(server).await,
        }
    }

    /// Again and again servers see room enough to take a submit, and most of it goes while they do.
    async fn nearly_full(&mut self) {
        let length = Duration::from_millis(3_000 + self.chance.below(4_000));
        let Some(filler) = self.disk.as_ref().map(SmallDisk::fill) else { return };
        let begun = Instant::now();
        while begun.elapsed() < length {
            filler.leave(1_200 << 10);
            let most = if self.clients.below(3) == 0 { 800 } else { 80 };
            let room = self.clients.below(most) << 10;
            let moment = Duration::from_millis(self.clients.below(15));
            let shrink = async {
                tokio::time::sleep(moment).await;
                filler.leave(room);
            };
            let first = server(&mut self.clients);
            let servers = std::array::from_fn(|nth| (first + nth) % SERVERS);
            tokio::join!(self.submit_equal(servers), shrink);
            self.look().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Its end is sudden or not; then it starts by a clock that is put right while it works.
    async fn clock_behind(&mut self, server: usize) {
        if self.chance.below(2) == 0 {
            self.servers[server].terminate();
            self.servers[server].exit_status().await;
        } else {
            self.servers[server].kill().await;
        }
        let Some(clocks) = &self.clocks else { return self.servers[server].restart().await };
        clocks[server].set("-10d");
        self.servers[server].restart_with(&clocks[server].variables()).await;
        // It takes a task, and has it when the clock is put right.
        self.submit_equal([server; EQUAL]).await;
        self.pause(2_500, 3_500).await;
        self.submit_equal([server; EQUAL]).await;
        self.clocks.iter().for_each(|clocks| clocks[server].set("+0"));
    }

    /// A new PDF, and its title.
    fn book(&mut self) -> (String, Vec<u8>) {
        self.made += 1;
        let title = format!("chaos {}", self.made);
        let pdf = book(&title, PAGES);
        (title, pdf)
    }

    /// Submits the same PDF to each of these servers at the same moment, without a key and only once.
    async fn submit_equal(&mut self, servers: [usize; EQUAL]) {
        let (_, pdf) = self.book();
        let sent = servers.map(|server| {
            let request = self.servers[server].request("POST", "/v1/tasks?processor=llm&timeout=2");
            let request = request.header("content-type", "application/pdf").body(pdf.clone());
            async {
                let response = request.timeout(Duration::from_secs(10)).send().await.ok()?;
                let accepted = response.status().is_success();
                accepted.then_some(response.json::<Value>().await.ok()?["id"].as_str()?.to_owned())
            }
        });
        let answers = join_all(sent).await;
        let ids: BTreeSet<String> = answers.iter().flatten().cloned().collect();
        assert!(ids.len() <= 1, "equal submits are one task: {ids:?}");
        self.submitted += ids.len();
        // What had no answer can be a task all the same.
        self.repeated += usize::from(ids.is_empty());
        let accepted = answers.iter().flatten().count();
        self.reused += accepted.saturating_sub(1);
        self.unlucky += if accepted > 0 { EQUAL - accepted } else { 0 };
        for id in ids {
            self.tasks.entry(id).or_insert(None);
        }
    }

    /// Submits as a careful client does: again under the same key until there is an answer.
    async fn submit(&mut self) {
        let (key, pdf) = self.book();
        self.submitted += 1;
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let server = &self.servers[server(&mut self.clients)];
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
            if known.is_some() && self.clients.below(10) > 0 {
                continue;
            }
            let server = &self.servers[server(&mut self.clients)];
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

    fn unfinished(&self) -> Vec<&String> {
        self.tasks.iter().filter(|(_, end)| end.is_none()).map(|(id, _)| id).collect()
    }

    /// When faults stop, everything finishes without help.
    async fn calm_down(&mut self) -> Duration {
        let calm = Instant::now();
        while !self.unfinished().is_empty() {
            self.look().await;
            assert!(calm.elapsed() < Duration::from_secs(90), "unfinished: {:?}", self.unfinished());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        calm.elapsed()
    }

    /// No byte is wrong, and a result is kept for a week from its end, whatever the clock of its server said.
    async fn check_results(&self, since: jiff::Timestamp) {
        let pages: Vec<String> =
            (1..=PAGES).map(|page| format!("<!-- page {page} -->\n\n{}\n", markdown(page))).collect();
        let (reference, week) = (pages.join("\n"), jiff::SignedDuration::from_hours(7 * 24));
        for id in self.tasks.keys() {
            assert_eq!(self.servers[0].markdown(id).await, reference, "{id}");
            let task = self.servers[0].get(&format!("/v1/tasks/{id}")).await;
            let time = |name: &str| -> jiff::Timestamp { task[name].as_str().unwrap().parse().unwrap() };
            let grain = jiff::SignedDuration::from_mins(2);
            for stamped in [time("created_at"), time("finished_at"), time("expires_at") - week] {
                let soaked = since - grain..jiff::Timestamp::now() + grain;
                assert!(soaked.contains(&stamped), "by another clock: {task}");
            }
        }
    }

    /// No page is paid without cause.
    fn check_books(&self, healed: Duration) {
        let books = self.llm.books();
        let pages = self.submitted * PAGES as usize;
        // A submit that was sent again after its key was forgotten with the records can be two tasks over the same pages.
        let most = pages + self.lost + books.troubled + self.repeated * PAGES as usize;
        let calls = books.calls.len();
        #[allow(clippy::cast_precision_loss, reason = "a figure")]
        let waste = (calls - books.troubled) as f64 / pages as f64 - 1.0;
        let (tasks, reused, unlucky) = (self.tasks.len(), self.reused, self.unlucky);
        println!("{tasks} tasks, {reused} more submits of the same, {unlucky} refused while an equal one was accepted");
        let (faults, troubled) = (&self.faults, books.troubled);
        println!(
            "{pages} pages, {calls} calls, at most {most}, {troubled} of them troubled by the endpoint, waste {waste:.4}"
        );
        println!("{faults:?}; the last tasks ended {healed:?} after the last fault");
        assert!(calls <= most, "{calls} calls, at most {most}");
    }

    /// Also those that a submit without an answer left behind.
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

    async fn check_nothing_is_left(&self) {
        let cleared = Instant::now();
        loop {
            let mut left = files(self.servers[0].data());
            left.retain(|file| !file.starts_with("ledger/"));
            let mut connection = self.redis.connection().await;
            let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
            // What is known of the servers that live, and for an hour of endpoints.
            let stays = ["tasks:owners", "tasks:store", "tasks:nodes", "tasks:arrivals"];
            keys.retain(|key| !stays.contains(&key.as_str()) && !key.starts_with("{limits:"));
            if left.is_empty() && keys.is_empty() {
                return;
            }
            assert!(cleared.elapsed() < Duration::from_secs(30), "left behind: {left:?} {keys:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_i3_i7_i10_i11_whatever_dies_nothing_is_lost_and_nothing_is_paid_twice() {
    let seed = setting("BINDERY_CHAOS_SEED").unwrap_or(20_261_124);
    let length = Duration::from_secs(setting("BINDERY_CHAOS_SECONDS").unwrap_or(60));
    println!("chaos for {length:?} with seed {seed}");
    let script = Script { delay: Duration::from_millis(100), trouble: Some(seed), ..Script::default() };
    let (llm, redis) = (FakeLlm::start(script), RedisServer::start().await);
    let proxy = RedisProxy::start(redis.port).await;
    let calls = CALLS.to_string();
    let arguments =
        ["--store", &proxy.url, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", &calls];
    let arguments = [&arguments[..], &["--lease", "3s", "--janitor-tick", "5s", "--drain", "1s"]].concat();
    // Room for what an hour leaves in the ledger; a disk that stays full is waited for without end.
    let disk = SmallDisk::mount("1g");
    let data = disk.as_ref().map_or_else(fresh_data, |disk| data_on(disk.path()));
    let start = || Server::start_on(data.clone(), &arguments, &[("RUST_LOG", "off")]);
    let mut world = World {
        servers: join_all((0..SERVERS).map(|_| start())).await,
        clocks: (0..SERVERS).map(|_| FakeClock::new()).collect(),
        disk,
        redis,
        proxy,
        llm,
        chance: Chance(seed),
        clients: Chance(!seed),
        faults_left: Vec::new(),
        tasks: BTreeMap::new(),
        made: 0,
        submitted: 0,
        repeated: 0,
        reused: 0,
        unlucky: 0,
        faults: BTreeMap::new(),
        lost: 0,
    };
    let (since, begun) = (jiff::Timestamp::now(), Instant::now());
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
    world.check_results(since).await;
    world.check_books(healed);
    world.delete_all().await;
    world.check_nothing_is_left().await;
}
