//! How calls to an endpoint go: the real server, a fake endpoint in another process.
//!
//! `cargo bench --bench llm` runs all of it in about four minutes; `cargo bench --bench llm -- bears` one part. The parts
//! are `many`, `bears`, `mishaps`, `tail` and `auto`; `auto` takes the corpus of `BINDERY_CORPUS` or `../shared/corpus`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures")]

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

#[allow(dead_code, reason = "shared with other benchmarks")]
mod stage;

use stage::support::fake_llm::{FakeLlm, Script};
use stage::support::pdf::book;
use stage::{Client, Process, Room, median};

const RUNS: usize = 3;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let Some(("fake", rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return fake(rest);
    }
    let room = Room::new();
    println!("{} cores, median of {RUNS} runs", std::thread::available_parallelism().unwrap());
    for (name, part) in
        [("many", many as fn(&Room)), ("bears", bears), ("mishaps", mishaps), ("tail", tail), ("auto", auto)]
    {
        if arguments.is_empty() || arguments.iter().any(|argument| argument == name) {
            part(&room);
        }
    }
}

/// The endpoint: `delay in ms`, then `spread SEED` or `mishaps SEED`.
fn fake(arguments: &[String]) {
    let delay = Duration::from_millis(arguments[0].parse().unwrap());
    let seed = || arguments[2].parse().unwrap();
    let script = match arguments.get(1).map(String::as_str) {
        Some("spread") => Script { delay, spread: Some((seed(), 1.0)), ..Script::default() },
        Some("mishaps") => Script { delay, mishaps: Some(seed()), ..Script::default() },
        _ => Script { delay, ..Script::default() },
    };
    let llm = FakeLlm::start(script);
    println!("{}", llm.url);
    // Until whoever started it goes.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn server(room: &Room, llm: &Process, arguments: &[&str]) -> Process {
    let with = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    Process::server(&room.next(), &[&with[..], arguments].concat())
}

/// Processor time of a process and its children so far, seconds.
fn cpu(process: &Process) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.child.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    fields[11..15].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

/// A thousand calls in flight of a second each, with 150 kB of request; and how fast pictures are made for them.
fn many(room: &Room) {
    const PAGES: u32 = 20_000;
    let prompt = "Transcribe the page. ".repeat(7_500);
    let mut rows = Vec::new();
    for run in 0..RUNS {
        let llm = Process::role(&["fake", "1000"]);
        let file = room.next().join("bindery.toml");
        std::fs::write(&file, format!("llm_prompt = {prompt:?}\n")).unwrap();
        let server = server(room, &llm, &["--llm-concurrency", "1000", "--config", file.to_str().unwrap()]);
        let mut client = server.client();
        let pdf = book(&format!("Many {run}"), PAGES);
        let begun = Instant::now();
        let id = client.submit(&pdf, "processor=llm");
        let task = client.finished(&id);
        let makespan = begun.elapsed().as_secs_f64();
        assert_eq!((&task["pages"]["done"], &books(&llm)["calls"]), (&PAGES.into(), &PAGES.into()));
        rows.push([makespan / f64::from(PAGES / 1_000), cpu(&server) * 1e6 / f64::from(PAGES), server.peak_mb()]);
    }
    let [ratio, cpu_us, rss] = medians(&rows);
    println!(
        "many      {PAGES} calls of 1 s, 1,000 in flight, 150 kB each: makespan {ratio:.3} of ideal, \
         {cpu_us:.0} µs of processor a call, peak {rss:.0} MB"
    );
}

/// An endpoint that bears 64 calls at once, then 16, then 128.
#[allow(clippy::disallowed_methods, reason = "a rate is measured over a time")]
fn bears(room: &Room) {
    let llm = Process::role(&["fake", "500"]);
    let server = server(room, &llm, &["--llm-concurrency", "256"]);
    let (mut control, mut client) = (llm.client(), server.client());
    cap(&mut control, 64);
    client.submit(&book("Bears", 20_000), "processor=llm");
    for most in [64, 16, 128] {
        cap(&mut control, most);
        // The time to find out.
        std::thread::sleep(Duration::from_secs(25));
        let (before, begun) = (books(&llm), Instant::now());
        std::thread::sleep(Duration::from_secs(15));
        let (after, took) = (books(&llm), begun.elapsed().as_secs_f64());
        let grown = |name: &str| after[name].as_f64().unwrap() - before[name].as_f64().unwrap();
        let ideal = f64::from(most) * took / 0.5;
        println!(
            "bears     {most:>3} calls at once: {:.3} of its ideal throughput, {:.2} % of calls refused",
            grown("paid") / ideal,
            100.0 * grown("refused") / grown("calls")
        );
    }
}

/// Of a hundred calls 5 are refused with 429, 3 with 500, 2 hang, 1 is cut off.
fn mishaps(room: &Room) {
    const PAGES: u32 = 2_000;
    let mut rows = Vec::new();
    for run in 0..RUNS {
        let llm = Process::role(&["fake", "200", "mishaps", &run.to_string()]);
        let server = server(room, &llm, &["--llm-concurrency", "64", "--llm-timeout", "2s"]);
        let mut client = server.client();
        let begun = Instant::now();
        let id = client.submit(&book(&format!("Mishaps {run}"), PAGES), "processor=llm");
        let task = client.finished(&id);
        let makespan = begun.elapsed().as_secs_f64();
        assert_eq!(task["pages"]["done"], PAGES, "{task}");
        let (_, text) = client.ask("GET", &format!("/v1/tasks/{id}/result"), b"");
        assert_eq!(String::from_utf8(text).unwrap().matches("Read by the fake.").count(), PAGES as usize);
        let paid = task["usage"]["calls"].as_f64().unwrap();
        let calls = books(&llm)["calls"].as_f64().unwrap();
        let ideal = f64::from(PAGES) * 0.2 / 64.0;
        rows.push([paid / f64::from(PAGES), calls / f64::from(PAGES), makespan / ideal]);
    }
    let [paid, calls, ratio] = medians(&rows);
    println!(
        "mishaps   2,000 pages, 5 % 429, 3 % 500, 2 % hang 2 s, 1 % cut off: all right; {paid:.3} paid calls and \
         {calls:.3} calls a page, makespan {ratio:.2} of ideal"
    );
}

/// Latencies spread lognormally (sigma 1) around 200 ms: the makespan against that of greedy list scheduling, which gives
/// each free place the next call, knowing nothing.
fn tail(room: &Room) {
    const PAGES: u32 = 1_000;
    const PLACES: usize = 32;
    for hedge in ["false", "true"] {
        let mut rows = Vec::new();
        for run in 0..RUNS {
            let llm = Process::role(&["fake", "200", "spread", &run.to_string()]);
            let places = PLACES.to_string();
            let server = server(room, &llm, &["--llm-concurrency", &places, &format!("--llm-hedge={hedge}")]);
            let mut client = server.client();
            let begun = Instant::now();
            let id = client.submit(&book(&format!("Tail {run} {hedge}"), PAGES), "processor=llm");
            let task = client.finished(&id);
            let makespan = begun.elapsed().as_secs_f64();
            let script =
                Script { delay: Duration::from_millis(200), spread: Some((run as u64, 1.0)), ..Script::default() };
            let mut ends = vec![0.0_f64; PLACES];
            for nth in 0..PAGES as usize {
                let first = ends.iter_mut().min_by(|a, b| a.total_cmp(b)).unwrap();
                *first += stage::support::fake_llm::duration(&script, nth).as_secs_f64();
            }
            let bound = ends.into_iter().fold(0.0, f64::max);
            rows.push([makespan / bound, task["usage"]["calls"].as_f64().unwrap() / f64::from(PAGES), 0.0]);
        }
        let [ratio, calls, _] = medians(&rows);
        println!(
            "tail      hedging {hedge}: makespan {ratio:.3} of greedy list scheduling, {calls:.3} paid calls a page"
        );
    }
}

/// Which pages of a mixed set need no call.
fn auto(_: &Room) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = std::env::var_os("BINDERY_CORPUS").map_or_else(|| root.join("../shared/corpus"), Into::into);
    let Ok(folder) = std::fs::read_dir(&corpus) else {
        println!("auto      skipped: there is no corpus at {}", corpus.display());
        return;
    };
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).filter(|path| is_pdf(path)).collect();
    files.sort();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bindery"));
    command.args(["estimate", "--json", "--processor", "auto"]).args(&files);
    command.env("BINDERY_LLM_BASE_URL", "http://127.0.0.1:9/v1").env("BINDERY_LLM_MODEL", "m");
    let dir = tempfile::tempdir().unwrap();
    let out = command.env("BINDERY_DATA_DIR", dir.path()).output().unwrap();
    let mut routes = std::collections::BTreeMap::<String, u64>::new();
    let mut pages = 0;
    for line in String::from_utf8(out.stdout).unwrap().lines() {
        let estimate: Value = serde_json::from_str(line).unwrap();
        pages += estimate["pages"].as_u64().unwrap();
        for (route, amount) in estimate["routes"].as_object().unwrap() {
            *routes.entry(route.clone()).or_default() += amount["pages"].as_u64().unwrap();
        }
    }
    println!("auto      {pages} pages of {} files:", files.len());
    for (route, count) in routes {
        println!("            {route:<40} {count:>5}  {:.1} %", 100.0 * count as f64 / pages as f64);
    }
}

fn is_pdf(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("pdf"))
}

fn cap(control: &mut Client, most: u32) {
    control.json("POST", &format!("/cap/{most}"), b"");
}

fn books(llm: &Process) -> Value {
    llm.client().json("GET", "/books", b"")
}

fn medians(rows: &[[f64; 3]]) -> [f64; 3] {
    [0, 1, 2].map(|column| median(rows.iter().map(|row| row[column]).collect()))
}
