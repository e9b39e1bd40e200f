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
        if let Ok(content) = reader.text(page) {
            let json = serde_json::to_vec(&content).unwrap();
            assert_eq!(serde_json::from_slice::<bindery::content::PageContent>(&json).unwrap().blocks.len(), content.blocks.len());
            let _ = bindery::output::markdown::page(&content);
        }
    }
}
