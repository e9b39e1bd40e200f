//! Page-range PDFs: the parts hold the same pages as the whole.

use std::path::Path;

use bindery::document::{Document, DocumentLimits, Splitter, plan};
use proptest::prelude::*;

use crate::support::corpus::{corpus, manifest};
use crate::support::pdf::locked;
use crate::support::server::{files, run};

fn texts(path: &Path, password: Option<&str>) -> Vec<String> {
    let document = Document::open(path, password, &DocumentLimits::default()).unwrap();
    let mut reader = document.reader();
    (1..=document.page_count()).map(|page| reader.text(page).unwrap().markdown).collect()
}

#[tokio::test]
async fn parts_hold_the_pages_of_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf");
    let parts = dir.path().join("parts");
    let out = parts.to_str().unwrap();
    let done = run(dir.path(), ["split", sample.to_str().unwrap(), "--shard-pages", "5", "-o", out]).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(files(&parts), ["sample-1-5.pdf", "sample-11-12.pdf", "sample-6-10.pdf"]);
    let joined: Vec<String> = ["sample-1-5.pdf", "sample-6-10.pdf", "sample-11-12.pdf"]
        .iter()
        .flat_map(|part| texts(&parts.join(part), None))
        .collect();
    assert_eq!(joined, texts(&sample, None));
}

#[test]
fn locked_sources_come_out_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("locked.pdf");
    std::fs::write(&path, locked("Locked", 3, "geheim")).unwrap();
    let document = Document::open(&path, Some("geheim"), &DocumentLimits::default()).unwrap();
    let splitter = Splitter::open(&path, Some("geheim"), &document).unwrap();
    for shard in plan(1..=3, 2) {
        let part = dir.path().join("part.pdf");
        std::fs::write(&part, splitter.part(shard.pages()).unwrap()).unwrap();
        let expected: Vec<String> = shard.pages().map(|page| format!("Locked page {page}")).collect();
        assert_eq!(texts(&part, None), expected);
    }
    assert!(splitter.part([4]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_part_says_what_its_pages_say(pages in proptest::collection::vec(1_u32..=12, 1..12)) {
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf");
        let document = Document::open(&sample, None, &DocumentLimits::default()).unwrap();
        let splitter = Splitter::open(&sample, None, &document).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("part.pdf");
        std::fs::write(&part, splitter.part(pages.iter().copied()).unwrap()).unwrap();
        let whole = texts(&sample, None);
        let expected: Vec<String> = pages.iter().map(|page| whole[*page as usize - 1].clone()).collect();
        prop_assert_eq!(texts(&part, None), expected);
    }
}

/// The same of every file of the corpus that can be split, layouts, forms, layers and locks among them.
#[test]
fn parts_of_the_corpus_say_what_their_pages_say() {
    let Some(corpus) = corpus() else { return };
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("part.pdf");
    let (mut parts, mut refused) = (0, Vec::new());
    for (name, listed) in manifest(&corpus) {
        let path = corpus.join(&name);
        let limits = DocumentLimits::default();
        let password = Some(listed.password.as_str()).filter(|password| !password.is_empty());
        let Ok(document) = Document::open(&path, password, &limits) else { continue };
        if name.starts_with("evil_") || document.page_count() > 40 {
            continue;
        }
        let Ok(splitter) = Splitter::open(&path, password, &document) else {
            refused.push(name);
            continue;
        };
        let mut reader = document.reader();
        for shard in plan(1..=document.page_count(), 3) {
            std::fs::write(&part, splitter.part(shard.pages()).unwrap()).unwrap();
            let expected: Vec<String> = shard.pages().map(|page| reader.text(page).unwrap().markdown).collect();
            assert_eq!(texts(&part, None), expected, "{name} {shard:?}");
            parts += 1;
        }
    }
    assert!(parts > 100, "only {parts} parts");
    assert!(refused.len() <= 6, "{refused:?}");
}
