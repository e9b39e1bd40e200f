//! What callers feel: how soon the first page is there, answers beside many who follow, large uploads, and what the
//! interfaces of other services cost over our own.
//!
//! `cargo bench --bench surface` runs all of it in about a minute; `cargo bench --bench surface -- first` one part. The
//! parts are `first`, `followers`, `upload` and `wires`. `BINDERY_CORPUS` has a long document for the last one;
//! `BINDERY_LONG` names another.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "figures")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

#[allow(dead_code, reason = "shared with other benchmarks")]
mod stage;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stage::support::fake_llm::{FakeLlm, Script};
use stage::support::pdf::book;
use stage::{Process, Room, median, percentile};

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
    for (name, part) in [("first", first as fn(&Room)), ("followers", followers), ("upload", upload), ("wires", wires)]
    {
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

/// Each document is read for the first time so often, by a new server.
const FIRST_READINGS: usize = 7;
/// So often it is asked for again.
const AGAIN: usize = 15;

/// A request over an interface, and the one of our own that it is compared with.
struct Wire {
    name: &'static str,
    own: Option<usize>,
    head: String,
    body: Vec<u8>,
}

/// What a document costs in one request over each interface: read for the first time, and when it is there already. The
/// interfaces take turns, so that the machine's moods meet all of them.
fn wires(room: &Room) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = std::env::var_os("BINDERY_CORPUS").map_or_else(|| here.join("../shared/corpus"), PathBuf::from);
    let long = corpus.join("2489__sbcl-doc__sbcl.pdf.gz.pdf");
    let long = std::env::var_os("BINDERY_LONG").map_or(long, PathBuf::from);
    for file in [here.join("tests/data/sample.pdf"), long].iter().filter(|file| file.is_file()) {
        let pdf = std::fs::read(file).unwrap();
        let wires = requests(&pdf);
        let (mut first, mut again) = (vec![Vec::new(); wires.len()], vec![Vec::new(); wires.len()]);
        for _ in 0..FIRST_READINGS {
            for (wire, first) in wires.iter().zip(&mut first) {
                let server = Process::server(&room.next(), &[]);
                first.push(answered(&server, wire).0);
            }
        }
        let server = Process::server(&room.next(), &[]);
        let sizes: Vec<usize> = wires.iter().map(|wire| answered(&server, wire).1).collect();
        for _ in 0..AGAIN {
            for (wire, again) in wires.iter().zip(&mut again) {
                again.push(answered(&server, wire).0);
            }
        }
        let medians = |times: Vec<Vec<f64>>| times.into_iter().map(median).collect::<Vec<_>>();
        let (first, again) = (medians(first), medians(again));
        println!("wires     {}, {} kB", file.file_name().unwrap().to_string_lossy(), pdf.len() / 1_000);
        for (at, wire) in wires.iter().enumerate() {
            let beside = |times: &[f64]| wire.own.map_or(1.0, |own| times[at] / times[own]);
            println!(
                "wires     {:<26} first {:7.1} ms ({:.2}), again {:6.2} ms ({:.2}), {:5} kB",
                wire.name,
                first[at] * 1e3,
                beside(&first),
                again[at] * 1e3,
                beside(&again),
                sizes[at] / 1_000,
            );
        }
    }
}

fn requests(pdf: &[u8]) -> Vec<Wire> {
    let wire = |name, own, head: &str, body: Vec<u8>| Wire { name, own, head: head.to_owned(), body };
    let plain =
        |name, own, head: &str| wire(name, own, &format!("{head}content-type: application/pdf\r\n"), pdf.to_vec());
    let field =
        |name: &str, value: &str| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let formats = field("to_formats", "md") + &field("to_formats", "json");
    let file = "--b\r\ncontent-disposition: form-data; name=\"files\"; filename=\"a.pdf\"\r\ncontent-type: application/pdf\r\n\r\n";
    let form = [formats.as_bytes(), file.as_bytes(), pdf, b"\r\n--b--\r\n"].concat();
    let url = format!("data:application/pdf;base64,{}", STANDARD.encode(pdf));
    let ocr = serde_json::json!({ "model": "m", "document": { "type": "document_url", "document_url": url } });
    vec![
        plain("own, Markdown", None, "POST /v1/convert?format=markdown HTTP/1.1\r\n"),
        plain("own, JSON", None, "POST /v1/convert?format=json HTTP/1.1\r\n"),
        plain("own, text", None, "POST /v1/convert?format=text HTTP/1.1\r\n"),
        plain("own, figures extracted", None, "POST /v1/convert?format=markdown&images=extract HTTP/1.1\r\n"),
        wire(
            "docling, Markdown and JSON",
            Some(1),
            "POST /v1/convert/file HTTP/1.1\r\ncontent-type: multipart/form-data; boundary=b\r\n",
            form,
        ),
        plain("Tika, Markdown", Some(0), "PUT /tika HTTP/1.1\r\n"),
        plain("Tika, text", Some(2), "PUT /tika HTTP/1.1\r\naccept: text/plain\r\n"),
        plain("Open WebUI", Some(0), "PUT /process HTTP/1.1\r\n"),
        wire(
            "Mistral OCR",
            Some(3),
            "POST /v1/ocr HTTP/1.1\r\ncontent-type: application/json\r\n",
            ocr.to_string().into(),
        ),
    ]
}

/// Seconds until all of an answer is there, and its bytes.
fn answered(server: &Process, wire: &Wire) -> (f64, usize) {
    let mut stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.set_nodelay(true).unwrap();
    let length = wire.body.len();
    let head = format!("{}host: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n", wire.head);
    let mut answer = Vec::with_capacity(16 << 20);
    let begun = Instant::now();
    stream.write_all(&[head.as_bytes(), &wire.body].concat()).unwrap();
    stream.read_to_end(&mut answer).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let status = String::from_utf8_lossy(&answer[..answer.len().min(400)]).into_owned();
    assert!(status.starts_with("HTTP/1.1 200"), "{}: {status}", wire.name);
    (seconds, answer.len())
}
