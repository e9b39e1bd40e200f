//! Pages of many kinds and the Markdown that is right for each, judged beside their pictures: `tests/golden/`.
//!
//! `right/` holds what is read so, `known/` what is not yet; that list only shrinks. A page that comes right moves from
//! the one folder to the other: `git mv tests/golden/known/X.md tests/golden/right/`, and `KNOWN` goes down.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bindery::processor::{Processor, TextProcessor};
use bindery::task::TaskOptions;
use sha2::{Digest, Sha256};

use crate::support::server::run;

/// Pages that are known to be read wrongly. Never more.
const KNOWN: usize = 7;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// What the Markdown files in a folder hold, by their names without the ending.
fn texts(folder: &Path) -> BTreeMap<String, String> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let markdown = files.filter(|file| file.extension().is_some_and(|ending| ending == "md"));
    markdown.map(|file| (stem(&file), fs::read_to_string(&file).unwrap())).collect()
}

fn stem(file: &Path) -> String {
    file.file_stem().unwrap().to_string_lossy().into_owned()
}

/// Reads all pages in one run.
async fn read() -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let (pages, out) = (folder("pages"), dir.path().join("out"));
    let arguments = ["convert", "--processor", "text", "--out-dir", out.to_str().unwrap(), pages.to_str().unwrap()];
    let done = run(&dir.path().join("data"), arguments).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    texts(&out)
}

/// Where two texts part.
fn difference(right: &str, read: &str) -> String {
    let at = right.lines().zip(read.lines()).take_while(|(a, b)| a == b).count();
    let line = |text: &str| text.lines().nth(at).unwrap_or("(the end)").to_owned();
    format!("line {}:\n  right: {}\n  read:  {}", at + 1, line(right), line(read))
}

/// To agree on a change: `bindery convert tests/golden/pages/X.pdf -o tests/golden/right/X.md`, look at both, and say in
/// the commit why it is better.
#[tokio::test]
async fn golden_pages_are_read_right_and_known_failures_only_shrink() {
    let (read, right, known) = (read().await, texts(&folder("right")), texts(&folder("known")));
    let pages: Vec<String> = read.keys().cloned().collect();
    let mut judged: Vec<String> = right.keys().chain(known.keys()).cloned().collect();
    judged.sort();
    assert_eq!(pages, judged, "each of the pages is either in right/ or in known/");

    let wrong = right.iter().filter(|(name, text)| read[*name] != **text);
    let wrong: Vec<String> = wrong.map(|(name, text)| format!("{name}, {}", difference(text, &read[name]))).collect();
    assert!(wrong.is_empty(), "{} pages are no longer read right:\n{}", wrong.len(), wrong.join("\n"));

    let mended: Vec<&String> =
        known.iter().filter(|(name, text)| read[*name] == **text).map(|(name, _)| name).collect();
    assert!(mended.is_empty(), "read right now, so move them from known/ to right/ and lower KNOWN: {mended:?}");
    assert_eq!(known.len(), KNOWN, "known/ only shrinks, and KNOWN with it");
    keeps_its_version(&read);
}

/// Pages stay in ledgers under the version of their reading. One that reads otherwise under the same version would leave
/// the old pages there for good, so `version.txt` has the version and the hash of what these pages say under it.
fn keeps_its_version(read: &BTreeMap<String, String>) {
    let version = TextProcessor.steps(&TaskOptions::default(), None)[0].recipe["version"].as_u64().unwrap();
    let mut hash = Sha256::new();
    read.iter().for_each(|(name, text)| hash.update(format!("{name}\n{text}\n")));
    let hash = hash.finalize().iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    let (now, file) = (format!("{version} {hash}\n"), folder("version.txt"));
    let before = fs::read_to_string(&file).unwrap_or_default();
    if now == before {
        return;
    }
    let held: u64 = before.split(' ').next().and_then(|held| held.parse().ok()).unwrap_or(0);
    assert!(
        version > held,
        "pages are read otherwise than before: raise VERSION of src/processor/text.rs above {held}"
    );
    assert!(std::env::var_os("BINDERY_RENEW_VERSION").is_some(), "run this test with BINDERY_RENEW_VERSION=1");
    fs::write(file, now).unwrap();
}
