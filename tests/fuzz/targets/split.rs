//! Cuts any bytes that open as a PDF into parts, and opens these.

#![no_main]

mod own;

use bindery::internal::{Splitter, plan};
use bindery::document::{Document, DocumentLimits};
use libfuzzer_sys::fuzz_target;

use own::own_panics_only;

fuzz_target!(|bytes: &[u8]| own_panics_only(|| split(bytes)));

fn split(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let limits = DocumentLimits::default();
    let Ok(document) = Document::open(file.path(), None, &limits) else { return };
    let Ok(splitter) = Splitter::open(file.path(), None, &document) else { return };
    for shard in plan(1..=document.page_count().min(4), 2) {
        let part = splitter.part(shard.pages()).unwrap();
        std::fs::write(file.path(), part).unwrap();
        // Whatever the pages are, the part has as many.
        let part = Document::open(file.path(), None, &limits).unwrap();
        assert_eq!(part.page_count(), shard.len());
    }
}
