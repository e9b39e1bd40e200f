//! The whole service under load: the real binary, a fake LLM in another process, both stores.
//!
//! `cargo bench --bench load` runs all of it in about three minutes; `cargo bench --bench load -- fairness` one part.
//! The parts are `overhead`, `submit`, `calls`, `fairness`, `status` and `recovery`. Redis parts need redis-server.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "shared with other benchmarks")]
mod stage;

use stage::support::fake_llm::{FakeLlm, Script};
use stage::support::pdf::book;
use stage::support::redis_server::RedisServer;
use stage::{Process, Room, median, percentile};

/// Every figure is the median of so many runs.
const RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    match arguments.first().map(String::as_str) {
        Some("serve-fake-llm") => return serve_fake_llm(&arguments[1]),
        Some("serve-bare") => return serve_bare(&arguments[1]),
        _ => {}
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let room = Room::new();
    let wanted = |part: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == part);
    println!("{} cores, median of {RUNS} runs", std::thread::available_parallelism().unwrap());
    let redis = runtime.block_on(RedisServer::start());
    let stores = [("embedded", "embedded".to_owned()), ("redis", redis.url())];
    for (name, store) in &stores {
        if wanted("overhead") {
            overhead(&room, name, store);
        }
        if wanted("submit") {
            submit(&room, name, store);
        }
    }
    if wanted("calls") {
        calls(&room);
    }
    if wanted("fairness") {
        fairness(&room);
    }
    if wanted("recovery") {
        recovery(&room, &redis.url());
    }
    if wanted("status") {
        status(&room, &redis.url());
    }
}

/// An empty directory, and an empty store beside it: another directory's server, killed a moment ago, would count in Redis.
fn empty(room: &Room, store: &str) -> std::path::PathBuf {
    if let Some(place) = store.strip_prefix("redis://") {
        let mut stream = TcpStream::connect(place.split('/').next().unwrap()).unwrap();
        stream.write_all(b"FLUSHALL\r\n").unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"+OK\r\n");
    }
    room.next()
}

/// From kill -9 of the server that runs a task to the first call that is made for it again: by the same server started
/// anew, and by another one on the same Redis, which has to wait for the lease to end.
fn recovery(room: &Room, redis: &str) {
    const LEASE: &str = "5s";
    let llm = Process::role(&["serve-fake-llm", "200"]);
    let mut books = llm.client();
    let mut calls = || books.json("GET", "/books", b"")["calls"].as_u64().unwrap();
    for (name, store, rounds) in
        [("embedded, restarted", "embedded", 15), ("redis, restarted", redis, 15), ("redis, taken over", redis, 8)]
    {
        let data = empty(room, store);
        let arguments = ["--store", store, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "4"];
        let arguments = [&arguments[..], &["--lease", LEASE]].concat();
        let mut runner = Process::server(&data, &arguments);
        runner.client().submit(&book(&format!("Recovery {name}"), 20_000), "processor=llm");
        let mut times = Vec::new();
        for _ in 0..rounds {
            let begun = calls();
            while calls() < begun + 8 {
                std::thread::yield_now();
            }
            let second = name.ends_with("over").then(|| Process::server(&data, &arguments));
            if let Some(second) = &second {
                let mut client = second.client();
                while client.json("GET", "/readyz?verbose", b"")["other_nodes"] == 0 {
                    std::thread::yield_now();
                }
            }
            let killed = Instant::now();
            drop(runner);
            let before = calls();
            runner = second.unwrap_or_else(|| Process::server(&data, &arguments));
            while calls() == before {
                std::thread::yield_now();
            }
            times.push(killed.elapsed());
        }
        let (p50, p95) = (percentile(&mut times, 50), percentile(&mut times, 95));
        println!("recovery, {name}: p50 {p50:.2?}, p95 {p95:.2?} of {rounds} kills, lease {LEASE}");
    }
}

/// What the task layer costs a shard: a processor that does nothing, one page a shard, against the time that the same
/// pages take in 256-page shards, which pays for the ledger and the rest but hardly for the layer. In memory-backed files,
/// because the disk's moods are larger than what is measured.
fn overhead(room: &Room, name: &str, store: &str) {
    use bindery::blob::LocalBlob;
    use bindery::processor::{ScriptedProcessor, WorkKind};
    use bindery::store::{EmbeddedStore, RedisOptions, RedisStore};
    use bindery::{Bindery, NewTask};

    const PAGES: u32 = 10_000;
    let shm = std::path::Path::new("/dev/shm");
    let run = |shard_pages: &str, title: String| {
        actix_web::rt::System::new().block_on(async {
            let dir = tempfile::tempdir_in(if shm.is_dir() { shm } else { room.folder.path() }).unwrap();
            let dir = dir.path();
            let builder =
                Bindery::builder().blob(LocalBlob::open(dir).unwrap()).processor(ScriptedProcessor::new(WorkKind::Cpu));
            let bindery = match store {
                "embedded" => builder.store(EmbeddedStore::open(dir).unwrap()).start(),
                url => builder.store(RedisStore::connect(url, RedisOptions::default()).await.unwrap()).start(),
            };
            let task = NewTask::from_bytes(book(&title, PAGES)).option("shard_pages", shard_pages).unwrap();
            let task = bindery.submit(task).await.unwrap();
            let begun = Instant::now();
            let done = bindery.wait(task.id).await.unwrap();
            assert_eq!(done.counts.done, PAGES);
            let took = begun.elapsed();
            bindery.stop(Duration::ZERO).await;
            took.as_secs_f64() * 1e6 / f64::from(PAGES)
        })
    };
    let pairs: Vec<(f64, f64)> =
        (0..RUNS).map(|n| (run("1", format!("One {name} {n}")), run("256", format!("Many {name} {n}")))).collect();
    let layer = median(pairs.iter().map(|(single, joined)| single - joined).collect());
    let single = median(pairs.iter().map(|(single, _)| *single).collect());
    println!("overhead  {name:<9} {layer:.1} µs a shard ({single:.1} µs a page, reading nothing, ledger included)");
}

/// Many small tasks over HTTP: eight clients submit one-page PDFs and ask for their status.
fn submit(room: &Room, name: &str, store: &str) {
    const CLIENTS: usize = 8;
    const TASKS: usize = 250;
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); 6];
    for run in 0..RUNS {
        let dir = empty(room, store);
        let server = Process::server(&dir, &["--store", store]);
        let begun = Instant::now();
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let mut client = server.client();
                std::thread::spawn(move || {
                    let (mut submits, mut gets, mut ids) = (Vec::new(), Vec::new(), Vec::new());
                    for task in 0..TASKS {
                        let pdf = book(&format!("{run} {number} {task}"), 1);
                        let asked = Instant::now();
                        ids.push(client.submit(&pdf, ""));
                        submits.push(asked.elapsed());
                        let asked = Instant::now();
                        client.json("GET", &format!("/v1/tasks/{}", ids[task]), b"");
                        gets.push(asked.elapsed());
                    }
                    ids.iter().for_each(|id| drop(client.finished(id)));
                    (submits, gets)
                })
            })
            .collect();
        let (mut submits, mut gets) = (Vec::new(), Vec::new());
        for client in clients {
            let (submitted, got) = client.join().unwrap();
            submits.extend(submitted);
            gets.extend(got);
        }
        let took = begun.elapsed().as_secs_f64();
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let row = [
            (CLIENTS * TASKS) as f64 / took,
            ms(percentile(&mut submits, 50)),
            ms(percentile(&mut submits, 99)),
            ms(percentile(&mut gets, 50)),
            ms(percentile(&mut gets, 99)),
            server.peak_mb(),
        ];
        figures.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let [rate, submit50, submit99, get50, get99, rss] = figures.map_to_medians();
    println!(
        "submit    {name:<9} {rate:.0} one-page tasks/s; submit p50 {submit50:.1} ms p99 {submit99:.1} ms; \
         status p50 {get50:.1} ms p99 {get99:.1} ms; peak {rss:.0} MB"
    );
}

trait Medians {
    fn map_to_medians<const N: usize>(self) -> [f64; N];
}

impl Medians for Vec<Vec<f64>> {
    fn map_to_medians<const N: usize>(self) -> [f64; N] {
        let medians: Vec<f64> = self.into_iter().map(median).collect();
        medians.try_into().unwrap()
    }
}

/// A thousand calls of one second in flight: 5,000 pages in how much more than five seconds?
fn calls(room: &Room) {
    const PAGES: u32 = 5_000;
    let mut figures: Vec<Vec<f64>> = vec![Vec::new(); 4];
    for run in 0..RUNS {
        let llm = Process::role(&["serve-fake-llm", "1000"]);
        let dir = room.next();
        let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "1000"];
        let server = Process::server(&dir, &arguments);
        let idle = server.memory("VmRSS");
        let mut client = server.client();
        let pdf = book(&format!("Calls {run}"), PAGES);
        let begun = Instant::now();
        let id = client.submit(&pdf, "processor=llm");
        let task = client.finished(&id);
        let makespan = begun.elapsed().as_secs_f64();
        let books = llm.client().json("GET", "/books", b"");
        assert_eq!(task["pages"]["done"], PAGES);
        assert_eq!(books["calls"], PAGES, "paid once");
        let row = [makespan / 5.0, server.peak_mb(), books["most_in_flight"].as_f64().unwrap(), idle];
        figures.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    let [ratio, rss, most, idle] = figures.map_to_medians();
    println!(
        "calls     embedded  5,000 pages at 1,000 calls in flight x 1 s: makespan {ratio:.3} of ideal, \
         peak {rss:.0} MB (idle {idle:.0} MB), at most {most:.0} in flight, 5,000 calls paid"
    );
}

/// Twenty one-page tasks behind a book of 3,000 pages, against the same twenty alone.
fn fairness(room: &Room) {
    const SMALL: usize = 20;
    let mut ratios = Vec::new();
    for run in 0..RUNS {
        let llm = Process::role(&["serve-fake-llm", "100"]);
        let dir = room.next();
        let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "8"];
        let server = Process::server(&dir, &arguments);
        let small = |kind: &str| {
            let mut times = Vec::new();
            for number in 0..SMALL {
                let mut client = server.client();
                let pdf = book(&format!("{kind} {run} {number}"), 1);
                let begun = Instant::now();
                let id = client.submit(&pdf, "processor=llm");
                client.finished(&id);
                times.push(begun.elapsed());
            }
            percentile(&mut times, 95).as_secs_f64()
        };
        let alone = small("Alone");
        let mut client = server.client();
        let long = client.submit(&book(&format!("Long {run}"), 3_000), "processor=llm");
        let behind = small("Behind");
        assert_eq!(client.json("GET", &format!("/v1/tasks/{long}"), b"")["status"], "processing");
        ratios.push(behind / alone);
    }
    println!(
        "fairness  embedded  p95 of twenty one-page tasks behind 3,000 pages: {:.2} of their time alone",
        median(ratios)
    );
}

/// Status questions a second, against a bare actix-web handler that reads the same Redis hash.
fn status(room: &Room, redis: &str) {
    let dir = empty(room, redis);
    let server = Process::server(&dir, &["--store", redis]);
    let mut client = server.client();
    let id = client.submit(&book("Status", 1), "");
    client.finished(&id);
    let bare = Process::role(&["serve-bare", redis]);
    let path = format!("/v1/tasks/{id}");
    let rate = |process: &Process| {
        let begun = Instant::now();
        let clients: Vec<_> = (0..16)
            .map(|_| {
                let (mut client, path) = (process.client(), path.clone());
                std::thread::spawn(move || {
                    let mut count = 0u32;
                    while begun.elapsed() < Duration::from_secs(3) {
                        assert_eq!(client.ask("GET", &path, b"").0, 200);
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let count: u32 = clients.into_iter().map(|client| client.join().unwrap()).sum();
        f64::from(count) / begun.elapsed().as_secs_f64()
    };
    let pairs: Vec<(f64, f64)> = (0..RUNS).map(|_| (rate(&server), rate(&bare))).collect();
    let ratio = median(pairs.iter().map(|(own, bare)| own / bare).collect());
    let own = median(pairs.iter().map(|(own, _)| *own).collect());
    println!("status    redis     {own:.0} GETs/s, {ratio:.2} of a bare handler on the same hash");
}

fn serve_fake_llm(delay_ms: &str) {
    let delay = Duration::from_millis(delay_ms.parse().unwrap());
    let llm = FakeLlm::start(Script { delay, ..Script::default() });
    println!("{}", llm.url);
    // Until whoever started it goes.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn serve_bare(redis: &str) {
    use actix_web::{App, HttpResponse, HttpServer, web};
    async fn get(connection: web::Data<redis::aio::MultiplexedConnection>, id: web::Path<String>) -> HttpResponse {
        let mut connection = connection.get_ref().clone();
        let hash: std::collections::HashMap<String, String> =
            redis::cmd("HGETALL").arg(format!("task:{id}")).query_async(&mut connection).await.unwrap();
        HttpResponse::Ok().json(hash)
    }
    actix_web::rt::System::new().block_on(async {
        let connection = redis::Client::open(redis).unwrap().get_multiplexed_async_connection().await.unwrap();
        let data = web::Data::new(connection);
        let server =
            HttpServer::new(move || App::new().app_data(data.clone()).route("/v1/tasks/{id}", web::get().to(get)))
                .bind("127.0.0.1:0")
                .unwrap();
        println!("http://{}", server.addrs()[0]);
        server.run().await.unwrap();
    });
}
