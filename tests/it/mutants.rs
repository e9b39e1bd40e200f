//! PDFs that chance has broken, through reader processes: each ends in text or in a code, and in time.
//!
//! `BINDERY_FUZZ_SECONDS` and `BINDERY_FUZZ_SEED` choose how long and what; `tests/run --fuzz MINUTES [--seed N]` sets
//! them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bindery::document::{DocumentLimits, ReaderLimits, Readers};
use bindery::task::Failure;

use crate::support::corpus::corpus;
use crate::support::mix;
use crate::support::pdf::{book, locked};

/// How many are made when no time is set.
const MUTANTS: u64 = 1_000;
/// What a failure may be called: everything else would be a surprise.
const CODES: [&str; 8] = [
    "not_a_pdf",
    "pdf_damaged",
    "pdf_encrypted",
    "page_damaged",
    "page_timeout",
    "page_memory",
    "page_crash",
    "too_many_pages",
];

struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 = mix(self.0);
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// One to eight changes: another byte, a part gone, doubled or moved, a number that is another one.
fn mutate(bytes: &mut Vec<u8>, chance: &mut Chance) {
    for _ in 0..=chance.below(8) {
        if bytes.is_empty() {
            return;
        }
        let at = chance.below(bytes.len());
        let length = (1 + chance.below(64)).min(bytes.len() - at);
        match chance.below(6) {
            0 => bytes[at] = u8::try_from(chance.below(256)).unwrap(),
            1 => drop(bytes.drain(at..at + length)),
            2 => {
                let part = bytes[at..at + length].to_vec();
                let to = chance.below(bytes.len());
                bytes.splice(to..to, part);
            }
            3 => bytes.truncate(at.max(bytes.len() / 2)),
            4 => {
                let number = [&b"0"[..], b"-1", b"2147483648", b"99999999999", b"1e9"][chance.below(5)];
                let digit = (at..bytes.len()).find(|at| bytes[*at].is_ascii_digit());
                if let Some(from) = digit {
                    let to = (from..bytes.len()).find(|at| !bytes[*at].is_ascii_digit()).unwrap_or(bytes.len());
                    bytes.splice(from..to, number.iter().copied());
                }
            }
            _ => bytes[at..at + length].reverse(),
        }
    }
}

fn parents() -> Vec<Vec<u8>> {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf");
    let mut parents = vec![std::fs::read(sample).unwrap(), book("Mutant", 3), locked("Mutant", 2, "")];
    if let Some(corpus) = corpus() {
        let mut files: Vec<PathBuf> = std::fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let small = files.into_iter().filter(|file| file.metadata().is_ok_and(|file| file.len() < 60_000));
        let pdfs = small.filter(|file| !file.to_string_lossy().contains("evil_"));
        parents.extend(pdfs.map(|file| std::fs::read(file).unwrap()));
    }
    parents
}

fn read(readers: &Readers, path: &Path) -> Result<(), Failure> {
    let document = readers.open(path, None, &DocumentLimits::default())?;
    let mut reader = document.reader();
    for page in 1..=document.page_count().min(3) {
        reader.facts(page)?;
        reader.text(page)?;
    }
    Ok(())
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn every_mutant_ends_in_text_or_a_code() {
    let seed = setting("BINDERY_FUZZ_SEED").unwrap_or(20_261_124);
    let length = setting("BINDERY_FUZZ_SECONDS").map(Duration::from_secs);
    let parents = parents();
    let limits = ReaderLimits::new(Duration::from_secs(1), 128 << 20);
    let readers = Readers::processes(env!("CARGO_BIN_EXE_bindery").into(), 2, limits);
    let begun = Instant::now();
    let work = |thread: u64| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mutant.pdf");
        let mut ends: BTreeMap<String, u32> = BTreeMap::new();
        for number in 0.. {
            if length.map_or(number >= MUTANTS / 2, |length| begun.elapsed() >= length) {
                break;
            }
            let mut chance = Chance(seed ^ mix(number * 2 + thread));
            let mut bytes = parents[chance.below(parents.len())].clone();
            mutate(&mut bytes, &mut chance);
            std::fs::write(&path, bytes).unwrap();
            let since = Instant::now();
            let end = read(&readers, &path).err().map_or_else(|| "read".into(), |failure| failure.code.into_owned());
            assert!(end == "read" || CODES.contains(&end.as_str()), "mutant {number} of thread {thread}: {end}");
            // Opening, facts and text of three pages, each tried twice.
            assert!(since.elapsed() < Duration::from_secs(20), "mutant {number} of thread {thread} took too long");
            *ends.entry(end).or_default() += 1;
        }
        ends
    };
    let ends = std::thread::scope(|scope| {
        let threads = [0, 1].map(|thread| scope.spawn(move || work(thread)));
        threads.map(|thread| thread.join().unwrap())
    });
    println!("mutants with seed {seed}: {ends:?} in {:?}", begun.elapsed());
    let read: u32 = ends.iter().filter_map(|ends| ends.get("read")).sum();
    assert!(read > 100, "most mutants of sound files can still be read");
}
