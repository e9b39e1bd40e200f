//! `bindery inspect`: what is known of pages, for people and for programs.

use serde_json::Value;

use crate::support::pdf::{Trap, book, locked, trapped};
use crate::support::server::run;

#[tokio::test]
async fn tells_what_is_known_of_each_page() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("book.pdf");
    std::fs::write(&file, book("Inspect", 3)).unwrap();
    let file = file.to_str().unwrap();
    let done = run(dir.path(), ["inspect", file, "--pages", "2-3", "--json"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    let pages: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(pages.len(), 2);
    // "Inspect page 2"
    assert_eq!((&pages[0]["page"], &pages[0]["glyphs"]), (&2.into(), &14.into()), "{}", pages[0]);
    assert_eq!((&pages[0]["width"], &pages[0]["height"]), (&595.0.into(), &842.0.into()));
    assert_ne!(pages[0]["content_hash"], pages[1]["content_hash"]);

    let done = run(dir.path(), ["inspect", file]).await;
    let table = String::from_utf8(done.stdout).unwrap();
    assert_eq!(table.lines().count(), 2 + 3, "{table}");
    assert!(table.lines().nth(2).unwrap().contains("595 x 842"), "{table}");
}

#[tokio::test]
async fn a_page_that_cannot_be_read_is_a_row_that_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trap.pdf");
    std::fs::write(&file, trapped("Trap", 3, 2, Trap::Memory)).unwrap();
    let done = run(dir.path(), ["inspect", file.to_str().unwrap(), "--reader-memory", "64M"]).await;
    let table = String::from_utf8(done.stdout).unwrap();
    assert_eq!(done.status.code(), Some(3), "{table}");
    assert!(table.lines().nth(3).unwrap().contains("(page_memory)"), "{table}");
    assert!(table.lines().nth(4).unwrap().contains("text"), "{table}");

    std::fs::write(&file, locked("Locked", 1, "geheim")).unwrap();
    let refused = run(dir.path(), ["inspect", file.to_str().unwrap()]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("password"));
    let opened = run(dir.path(), ["inspect", file.to_str().unwrap(), "--password", "geheim"]).await;
    assert_eq!(opened.status.code(), Some(0));
}
