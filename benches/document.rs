//! How fast pages are read, cut and looked at, beside what one would use instead.
//!
//! `cargo bench --bench document -- FILE.pdf…` measures these files, without arguments the sample and what the corpus has
//! of long ones. pdftotext and qpdf are run where they are installed (Debian: poppler-utils, qpdf). Every figure is the
//! median of interleaved runs; `tests/compare.py` measures the quality of the text.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark")]
#![allow(clippy::cast_precision_loss, reason = "figures")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use bindery::document::{Document, DocumentLimits, ImageOptions, ReaderLimits, Readers};
use bindery::internal::{Splitter, plan};

const RUNS: usize = 3;

fn main() {
    let files: Vec<PathBuf> =
        std::env::args().skip(1).filter(|name| !name.starts_with("--")).map(PathBuf::from).collect();
    let files = if files.is_empty() { defaults() } else { files };
    println!("pages a second; ratio to pdftotext in brackets; median of {RUNS} runs");
    for file in files {
        measure(&file);
    }
}

fn defaults() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = std::env::var_os("BINDERY_CORPUS").map_or_else(|| root.join("../shared/corpus"), PathBuf::from);
    let long = corpus.join("2489__sbcl-doc__sbcl.pdf.gz.pdf");
    [root.join("tests/data/sample.pdf"), long].into_iter().filter(|file| file.is_file()).collect()
}

const LIMITS: DocumentLimits = DocumentLimits::unlimited();

fn measure(file: &Path) {
    let readers = Readers::processes(env!("CARGO_BIN_EXE_bindery").into(), 1, ReaderLimits::default());
    let pages = f64::from(Document::open(file, None, &LIMITS).unwrap().page_count());
    let mut times: [Vec<f64>; 7] = Default::default();
    for _ in 0..RUNS {
        let figures = [
            timed(|| drop(Document::open(file, None, &LIMITS).unwrap())),
            timed(|| read(&Document::open(file, None, &LIMITS).unwrap(), 1)),
            timed(|| read(&Document::open(file, None, &LIMITS).unwrap(), 2)),
            timed(|| read(&readers.open(file, None, &LIMITS).unwrap(), 1)),
            timed(|| hash(&Document::open(file, None, &LIMITS).unwrap())),
            timed(|| split(file)),
            timed(|| peer("pdftotext", &[file.to_str().unwrap(), "-"])),
        ];
        times.iter_mut().zip(figures).for_each(|(times, figure)| times.push(figure));
    }
    let [open, one, two, process, hash, split, pdftotext] = times.map(median);
    let rate = |seconds: f64| format!("{:7.0} ({:.2})", pages / seconds, pdftotext / seconds);
    println!("{}, {pages} pages, opened in {:.1} ms", file.file_name().unwrap().to_string_lossy(), open * 1e3);
    println!("  text, one thread     {}", rate(one));
    println!("  text, two threads    {}", rate(two));
    println!("  text, reader process {}  {:.0} µs a page on top", rate(process), (process - one) / pages * 1e6);
    println!("  content hash         {}", rate(hash));
    println!("  pdftotext            {}", rate(pdftotext));
    println!("  parts of ten pages   {:7.0}", pages / split);
    images(file);
}

/// Pictures of the pages of about this many shards of 16, evenly spread.
const PICTURES: usize = 4;

fn images(file: &Path) {
    let document = Document::open(file, None, &LIMITS).unwrap();
    let shards = plan(1..=document.page_count(), 16);
    let step = shards.len().div_ceil(PICTURES);
    let mut sizes = Vec::new();
    let mut run = || {
        sizes.clear();
        for shard in shards.iter().step_by(step) {
            let mut reader = document.reader();
            for page in shard.pages() {
                sizes.push(reader.image(page, &ImageOptions::default()).map_or(0, |image| image.bytes.len()));
            }
        }
    };
    let seconds = median((0..RUNS).map(|_| timed(&mut run)).collect());
    sizes.sort_unstable();
    let (rate, size) = (sizes.len() as f64 / seconds, sizes[sizes.len() / 2] / 1_000);
    println!("  pictures, 150 dpi    {rate:7.0}  median {size} kB");
}

/// Reads every page, as shards of 16 pages in so many threads.
fn read(document: &Document, threads: usize) {
    let shards = plan(1..=document.page_count(), 16);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let mine = shards.iter().skip(thread).step_by(threads);
            scope.spawn(move || {
                for shard in mine {
                    let mut reader = document.reader();
                    shard.pages().for_each(|page| drop(reader.text(page)));
                }
            });
        }
    });
}

fn hash(document: &Document) {
    for shard in plan(1..=document.page_count(), 16) {
        let mut reader = document.reader();
        shard.pages().for_each(|page| drop(reader.content_hash(page)));
    }
}

fn split(file: &Path) {
    let document = Document::open(file, None, &LIMITS).unwrap();
    let splitter = Splitter::open(file, None, &document).unwrap();
    for shard in plan(1..=document.page_count(), 10) {
        splitter.part(shard.pages()).unwrap();
    }
}

fn peer(name: &str, arguments: &[&str]) {
    // Not installed: the ratios come out as nonsense, the rest does not.
    let _ = Command::new(name).args(arguments).output();
}

fn timed(what: impl FnOnce()) -> f64 {
    let begun = Instant::now();
    what();
    begun.elapsed().as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
