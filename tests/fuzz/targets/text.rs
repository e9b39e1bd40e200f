//! Opens any bytes as a PDF, and reads what is known of its first pages, their text, outline and content hashes.

#![no_main]

mod own;

use bindery::document::{Document, DocumentLimits};
use libfuzzer_sys::fuzz_target;

use own::own_panics_only;

fuzz_target!(|bytes: &[u8]| own_panics_only(|| read(bytes)));

fn read(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let Ok(document) = Document::open(file.path(), None, &DocumentLimits::default()) else { return };
    let mut reader = document.reader();
    let _ = reader.outline();
    for page in 1..=document.page_count().min(3) {
        let _ = reader.facts(page);
        let _ = reader.content_hash(page);
        if let Ok(text) = reader.text(page) {
            let blocks = text.markdown.split("\n\n").count();
            assert!((text.margins.top + text.margins.bottom) as usize <= blocks);
        }
    }
}
