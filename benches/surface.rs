//! What callers feel: how soon the first page is there, answers beside many who follow, and large uploads.
//!
//! `cargo bench --bench surface` runs all of it in about a minute; `cargo bench --bench surface -- first` one part. The
//! parts are `first`, `followers` and `upload`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "shared with other benchmarks")]
mod stage;

use stage::support::fake_llm::{FakeLlm, Script};
use stage::support::pdf::book;
use stage::{Process, Room, percentile};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if arguments.first().is_some_and(|first| first == "fake") {
        let llm = FakeLlm::start(Script { delay: Duration::from_millis(200), ..Script::default() });
        println!("{}", llm.url);
        // Until whoever started it goes.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        return;
    }
    let room = Room::new();
    println!("{} cores", std::thread::available_parallelism().unwrap());
    for (name, part) in [("first", first as fn(&Room)), ("followers", followers), ("upload", upload)] {
        if arguments.is_empty() || arguments.iter().any(|argument| argument == name) {
            part(&room);
        }
    }
}

/// From the first byte of a submit to the Markdown of a page, of a book of 500 pages of text.
fn first(room: &Room) {
    let server = Process::server(&room.next(), &[]);
    let mut client = server.client();
    let mut waits = Vec::new();
    for number in 0..100 {
        let pdf = book(&format!("First {number}"), 500);
        let begun = Instant::now();
        let id = client.submit(&pdf, "");
        while client.json("GET", &format!("/v1/tasks/{id}/pages?status=done&limit=1"), b"")["pages"][0]["markdown"]
            .is_null()
        {}
        waits.push(begun.elapsed());
        client.finished(&id);
    }
    let (p50, p95) = (percentile(&mut waits, 50), percentile(&mut waits, 95));
    println!("first     500 pages of text: first page readable after {p50:.0?} (p95 {p95:.0?}) of 100 submits");
}

/// GETs of a task's status while many others follow it.
fn followers(room: &Room) {
    const FOLLOWERS: usize = 2_000;
    let llm = Process::role(&["fake"]);
    let with = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "16"];
    let server = Process::server(&room.next(), &with);
    let mut client = server.client();
    let id = client.submit(&book("Followed", 5_000), "processor=llm");
    let path = format!("/v1/tasks/{id}");
    let alone = gets(&server, &path);
    let address = server.url.trim_start_matches("http://").to_owned();
    let request = format!("GET {path}/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let streams: Vec<TcpStream> = (0..FOLLOWERS)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream
        })
        .collect();
    let reading: Vec<_> = streams.iter().map(|stream| stream.try_clone().unwrap()).collect();
    // One thread reads for all: a client's work counts as much as the server's.
    std::thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        for stream in &reading {
            stream.set_read_timeout(Some(Duration::from_micros(1))).unwrap();
        }
        loop {
            for mut stream in &reading {
                let _ = stream.read(&mut buffer);
            }
        }
    });
    let beside = gets(&server, &path);
    // The first connection has been idle for so long that it is closed.
    let task = server.client().json("GET", &path, b"");
    assert_eq!(task["status"], "processing", "{task}");
    for (name, (rate, p50, p99)) in [("alone", alone), ("beside 2,000 followers", beside)] {
        println!("followers {rate:.0} status GETs/s {name}, p50 {p50:.1?}, p99 {p99:.1?}");
    }
    println!("followers server's peak {:.0} MB", server.peak_mb());
    drop(streams);
}

/// Four connections that ask for three seconds.
fn gets(server: &Process, path: &str) -> (f64, Duration, Duration) {
    let begun = Instant::now();
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, path) = (server.client(), path.to_owned());
            std::thread::spawn(move || {
                let mut took = Vec::new();
                while begun.elapsed() < Duration::from_secs(3) {
                    let asked = Instant::now();
                    assert_eq!(client.ask("GET", &path, b"").0, 200);
                    took.push(asked.elapsed());
                }
                took
            })
        })
        .collect();
    let mut took: Vec<Duration> = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    (rate, percentile(&mut took, 50), percentile(&mut took, 99))
}

/// A PDF of 1 GB.
fn upload(room: &Room) {
    const MEGABYTES: usize = 1_024;
    let server = Process::server(&room.next(), &["--max-upload", "2G"]);
    let before = server.memory("VmRSS");
    // A sound PDF, behind whose end stands an update with a gigabyte that no page needs.
    let head = book("Upload", 10);
    let filler = vec![b'%'; 1 << 20];
    let address = server.url.trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = head.len() + MEGABYTES * filler.len() + TAIL.len();
    let begun = Instant::now();
    let request = format!(
        "POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/pdf\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(&head).unwrap();
    (0..MEGABYTES).for_each(|_| stream.write_all(&filler).unwrap());
    stream.write_all(TAIL).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    let seconds = begun.elapsed().as_secs_f64();
    let (peak, rate) = (server.peak_mb(), MEGABYTES as f64 / seconds);
    println!(
        "upload    1 GB accepted after {seconds:.1} s, {rate:.0} MB/s; memory {before:.0} MB before, peak {peak:.0} MB"
    );
}

const TAIL: &[u8] = b"\n%%EOF\n";
