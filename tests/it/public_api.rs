//! What the crate offers to programs that embed it, held to a list that is read when it changes.
//!
//! The list is taken from the source files rather than from rustdoc, whose form for programs needs a nightly toolchain
//! and differs from release to release.

mod listing;
mod modules;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use self::listing::{Lister, Listing};
use self::modules::Modules;

/// What to set to have the list written again.
const RENEW: &str = "BINDERY_RENEW_API";

/// What the crate offers, read once for all tests.
fn listing() -> &'static Listing {
    static LISTING: LazyLock<Listing> = LazyLock::new(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
        Lister::list(&Modules::read(&root), "bindery")
    });
    &LISTING
}

#[test]
fn a_change_of_the_public_items_is_meant() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/public-api.txt");
    let now = listing().text();
    if std::env::var_os(RENEW).is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    let lines = |text| str::lines(text).collect::<BTreeSet<_>>();
    let (now, kept) = (lines(&now), lines(&kept));
    let changes = kept.difference(&now).map(|line| format!("- {line}\n"));
    let changes: String = changes.chain(now.difference(&kept).map(|line| format!("+ {line}\n"))).collect();
    assert!(
        changes.is_empty(),
        "public items differ from tests/data/public-api.txt:\n{changes}\
         If that is meant: {RENEW}=1 cargo test --test it public_api, and say in the change what it is for."
    );
}

/// Types that get no further field or case, or whose users must know of each. All others with public fields or cases are
/// `non_exhaustive`, so that those may be added without breaking programs that embed Bindery.
const CLOSED: [(&str, &[&str]); 4] = [
    (
        "whole by their meaning",
        &[
            "content::BoundingBox",
            "content::Edge",
            "content::Inline",
            "content::Script",
            "document::PagePart",
            "document::Shard",
            "store::Cursor",
            "task::Revision",
            "task::Tokens",
        ],
    ),
    (
        "what a store has to do in each case",
        &["blob::Body", "blob::Durability", "blob::PutMode", "store::Created", "store::LeaseChange", "store::Renewal"],
    ),
    ("the state machine, which is part of the contract", &["task::PageStatus", "task::TaskStatus", "task::TaskStep"]),
    (
        "what a program that starts Bindery by a configuration has to open",
        &["config::BlobChoice", "config::StoreChoice"],
    ),
];

#[test]
fn types_that_may_grow_say_so() {
    let text = listing().text();
    let lines = || text.lines();
    // A line `path::Type::name` is a field or a case; those of tuples have numbers for names.
    let has_parts = |path: &str| {
        lines().filter_map(|line| line.strip_prefix(path)?.strip_prefix("::")).any(|rest| {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            !name.is_empty() && !name.chars().all(|c| c.is_ascii_digit()) && !rest[name.len()..].starts_with("::")
        })
    };
    let closed: BTreeSet<&str> = CLOSED.iter().flat_map(|(_, names)| names.iter().copied()).collect();
    let named = |line: &str| {
        let (_, rest) = line.split_once("pub struct bindery::").or_else(|| line.split_once("pub enum bindery::"))?;
        Some(rest.split(['<', '(', ' ']).next()?.to_owned())
    };
    let open = lines().filter(|line| !line.contains("#[non_exhaustive]")).filter_map(named);
    let open: BTreeSet<String> = open.filter(|name| has_parts(&format!("bindery::{name}"))).collect();
    let open: BTreeSet<&str> = open.iter().map(String::as_str).collect();
    assert!(open.is_subset(&closed), "may grow, and do not say so: {:?}", open.difference(&closed).collect::<Vec<_>>());
    assert!(closed.is_subset(&open), "no longer closed: {:?}", closed.difference(&open).collect::<Vec<_>>());
}

/// Crates whose names every program knows.
const STANDARD: [&str; 3] = ["std", "core", "alloc"];

#[test]
fn what_signatures_name_can_be_named() {
    let listed = listing();
    assert!(listed.unreachable.is_empty(), "without a public path: {:#?}", listed.unreachable);
    let passed_on = |name: &&String| STANDARD.contains(&name.as_str()) || listed.passed_on.contains(*name);
    let missing: Vec<_> = listed.foreign.iter().filter(|(name, _)| !passed_on(name)).collect();
    assert!(missing.is_empty(), "crates that `pub use` in src/lib.rs does not pass on: {missing:#?}");
    let unused: Vec<_> = listed.passed_on.iter().filter(|name| !listed.foreign.contains_key(*name)).collect();
    assert!(unused.is_empty(), "passed on without need: {unused:?}");
}

#[test]
fn failures_are_types() {
    let untyped = &listing().untyped;
    assert!(untyped.is_empty(), "a program cannot tell these failures apart: {untyped:#?}");
}

/// What becomes of a crate of these files.
fn list_of(files: &[(&str, &str)]) -> Listing {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Lister::list(&Modules::read(&folder.path().join("lib.rs")), "a")
}

#[test]
fn the_list_has_what_a_program_can_name() {
    let listed = list_of(&[
        ("lib.rs", "mod inner;\npub mod room;\npub use room::Thing;\n#[cfg(test)]\npub mod tests {}\n"),
        (
            "inner.rs",
            "use std::fmt;\npub fn hidden() {}\npub struct Given { pub a: u8, b: u8 }\n\
             impl fmt::Debug for Given {}\npub trait Sealed {}\nimpl Sealed for Given {}\n",
        ),
        (
            "room.rs",
            "mod deep;\npub use crate::inner::Given;\n#[derive(Clone)]\n#[non_exhaustive]\npub enum Thing { One, Two(u8) }\n\
             impl Thing {\n    pub async fn go(self, mut a: &str) -> Result<(), String> { Ok(()) }\n    fn own(&self) {}\n}\n\
             #[cfg(not(feature = \"x\"))]\npub fn other() {}\npub(crate) const SIZE: usize = 1;\n",
        ),
        ("room/deep.rs", "use super::*;\nimpl Thing {\n    pub const ALL: [Self; 1] = [];\n}\n"),
    ]);
    let expected = "pub mod a::room\npub struct a::room::Given\nimpl fmt::Debug for Given\na::room::Given::a: u8\n\
                    #[derive(Clone)] #[non_exhaustive] pub enum a::room::Thing\npub const a::room::Thing::ALL: [Self; 1]\n\
                    a::room::Thing::One\na::room::Thing::Two\na::room::Thing::Two::0: u8\n\
                    pub async fn a::room::Thing::go(self, a: &str) -> Result<(), String>\n";
    let text = listed.text();
    let mut kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("pub use ")).collect();
    let mut expected: Vec<&str> = expected.lines().collect();
    kept.sort_unstable();
    expected.sort_unstable();
    assert_eq!(kept, expected);
    assert!(text.contains("pub use a::room::Thing as a::Thing\n"), "{text}");
}
