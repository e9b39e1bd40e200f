//! Who may import whom: imports point down, so that a room can be understood without the rooms above it. And how long
//! files and functions may be.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms that each room may import. `task`, `content` and `clock` are the words that everyone speaks; places to fail
/// and metrics are everywhere.
const TABLE: [(&str, &[&str]); 24] = [
    ("clock", &[]),
    ("failpoint", &[]),
    ("task", &[]),
    ("content", &[]),
    ("keys", &[]),
    ("metrics", &[]),
    ("outbound", &[]),
    ("notify", &["outbound"]),
    ("document", &[]),
    ("private_fs", &[]),
    ("blob", &["private_fs"]),
    ("ledger", &["blob"]),
    ("store", &["private_fs"]),
    ("output", &[]),
    ("processor", &["document", "output"]),
    ("aggregate", &["document", "output"]),
    ("pool", &["document", "processor", "aggregate", "ledger", "blob", "store"]),
    ("job", &["document", "pool", "processor"]),
    (
        "supervisor",
        &["notify", "outbound", "job", "pool", "store", "blob", "ledger", "processor", "document", "aggregate"],
    ),
    ("mcp", &["supervisor", "output"]),
    ("http", &["mcp", "keys", "supervisor", "pool", "store", "blob", "document", "aggregate", "output"]),
    (
        "config",
        &["keys", "http", "blob", "notify", "outbound", "supervisor", "job", "pool", "ledger", "processor", "document"],
    ),
    ("app", &["config", "supervisor", "pool", "ledger", "blob", "store", "processor", "document"]),
    (
        "lib",
        &["app", "supervisor", "job", "pool", "ledger", "aggregate", "blob", "document", "mcp", "processor", "store"],
    ),
];

/// Libraries that only one room touches.
const ALONE: [(&str, &[&str]); 9] = [
    ("object_store::", &["blob"]),
    ("hayro", &["document"]),
    ("lopdf::", &["document"]),
    ("rten::", &["document"]),
    ("redb::", &["store"]),
    ("redis::", &["store"]),
    ("reqwest::", &["processor", "notify", "outbound"]),
    ("actix_web::", &["http"]),
    ("actix_multipart::", &["http"]),
];

/// The part of the default build's packages that a program compiles at most which embeds nothing but the actors.
#[test]
fn an_embedder_compiles_at_most_half_of_the_packages() {
    let packages = |arguments: &[&str]| {
        let tree = ["tree", "--locked", "--edges", "normal", "--prefix", "none", "--format", "{p}"];
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let listed = std::process::Command::new(env!("CARGO"))
            .args(tree)
            .args(["--manifest-path", manifest])
            .args(arguments)
            .output()
            .unwrap();
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        let listed = String::from_utf8(listed.stdout).unwrap();
        listed.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect::<std::collections::BTreeSet<_>>()
    };
    let (all, none) = (packages(&[]), packages(&["--no-default-features"]));
    assert!(none.len() * 2 <= all.len(), "{} of {}", none.len(), all.len());
}

/// The most lines of a file and of a function.
const MOST_FILE_LINES: usize = 500;
const MOST_FUNCTION_LINES: usize = 70;

/// Functions that may be longer, and why.
const LONG_FUNCTIONS: [(&str, &str, &str); 2] = [
    ("src/document/text/interpret.rs", "content", "a table: one arm for each operator of a content stream"),
    ("src/cli.rs", "run", "a table: one arm for each command"),
];

/// Words that say what a person does where a part of the program is meant, with the term for it.
const BANNED: [(&str, &str); 7] = [
    ("nobody", "no process, no caller, or what is missing"),
    ("somebody", "the process or caller that is meant"),
    ("whoever", "the process or caller that is meant"),
    ("anew", "again"),
    ("bears", "allows"),
    ("borne", "accepted"),
    ("strained", "overloaded"),
];
/// Of an endpoint or a store; files are moved away, and lines are some distance away.
const AWAY: (&str, &str) = ("away", "unavailable");
const HAVE_AWAY: [&str; 3] = ["src/blob/", "src/document/", "src/output/"];

/// Names that were once in the code, with the field's own, which took their places.
const RETIRED: [(&str, &str); 35] = [
    ("ENDPOINT_AWAY", "ENDPOINT_UNAVAILABLE"),
    ("away_since", "open_since"),
    ("CallVerdict", "CallOutcome"),
    ("Abandoned", "Cancelled"),
    ("ceiling", "ssthresh"),
    ("CallPlace", "HedgePermit"),
    ("TakePlace", "AcquireHedge"),
    ("shared_patience", "shared_unavailable_timeout"),
    ("Flights", "CrashJournal"),
    ("keep_house", "renew_leases"),
    ("look_for_tasks", "scan_unclaimed"),
    ("take_note", "enqueue_found"),
    ("fill_places", "start_waiting_jobs"),
    ("homeless", "missing_processor"),
    ("store_was_away", "store_unavailable"),
    ("unsettled", "pending_writes"),
    ("settle_up", "reconcile_budget"),
    ("Receipts", "ShardResult"),
    ("PageReceipt", "PageResult"),
    ("NotNow", "Deferred"),
    ("GaveUp", "WaitExpired"),
    ("Workshop", "Executor"),
    ("PerformQuestion", "Query"),
    ("is_lack", "is_resource_exhausted"),
    ("Quirks", "ModelCapabilities"),
    ("FREER", "RETRY_TEMPERATURE"),
    ("LAST_BILLS", "FINAL_USAGE_GRACE"),
    ("CALM", "MIN_EVENT_INTERVAL"),
    ("is_singled_out", "is_isolated_failure"),
    ("salt", "jitter_seed"),
    ("Whereabouts", "TaskLocation"),
    ("unwanted", "cancel"),
    ("Unborn", "SpawnFailed"),
    ("turn_of", "queue_key"),
    ("OwnTask", "AuthorizedTask"),
];

fn sources() -> Vec<PathBuf> {
    files_below("src")
}

/// Every file below a folder of the repository.
fn files_below(folder: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files
}

/// The room of a file: the first part of its path below `src`.
fn room(path: &Path) -> String {
    let below = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    below.iter().next().unwrap().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Code lines of the library, without comments and tests: a room's tests may use what stands above it.
fn code() -> impl Iterator<Item = (PathBuf, String, String)> {
    let files = sources().into_iter().filter(|path| !["main", "cli"].contains(&room(path).as_str()));
    files.flat_map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text
            .lines()
            .take_while(|line| *line != "mod tests {")
            .map(|line| line.trim().to_owned())
            .filter(|line| !line.starts_with("//"))
            .map(|line| (path.clone(), room(&path), line))
            .collect();
        lines
    })
}

#[test]
fn imports_point_down() {
    let table: BTreeMap<&str, &[&str]> = TABLE.into_iter().collect();
    let mut wrong = Vec::new();
    for (path, room, line) in code() {
        let allowed = table.get(room.as_str()).unwrap_or_else(|| panic!("src/{room} is not in the table"));
        for (at, _) in line.match_indices("crate::") {
            let target: String = line[at + 7..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let own = target == room
                || target.is_empty()
                || ["task", "content", "clock", "failpoint", "metrics"].contains(&target.as_str());
            if !own && !allowed.contains(&target.as_str()) {
                wrong.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "imports against the table:\n{}", wrong.join("\n"));
}

#[test]
fn libraries_stay_in_their_rooms() {
    let mut wrong = Vec::new();
    for (path, room, line) in code() {
        for (library, rooms) in ALONE {
            let uses = line.starts_with(&format!("use {library}")) || line.contains(&format!(" {library}"));
            if uses && !rooms.contains(&room.as_str()) {
                wrong.push(format!("{}: {line}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "libraries outside their rooms:\n{}", wrong.join("\n"));
}

/// Rust files of the repository with their paths below its root.
fn rust_files() -> impl Iterator<Item = (String, String)> {
    let files = ["src", "tests", "benches"].into_iter().flat_map(files_below);
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).map(|path| {
        let below = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy().into_owned();
        (below, fs::read_to_string(path).unwrap())
    })
}

/// The functions of a file, with their lines from the signature to the closing brace. As rustfmt writes them: the brace
/// stands alone, as far in as the signature.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &str| {
        let words = ["pub", "const", "async", "unsafe", "extern"];
        let mut rest = line.trim_start();
        while let Some((word, more)) =
            rest.split_once(' ').filter(|(word, _)| words.iter().any(|w| word.starts_with(w)))
        {
            rest = more.trim_start_matches(['"', 'C']).trim_start();
            // `pub(in a::b)`
            if word.contains('(') && !word.contains(')') {
                rest = rest.split_once(") ").map_or(rest, |(_, after)| after);
            }
        }
        let name = rest.strip_prefix("fn ")?;
        let name: String = name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        Some((name, line.len() - line.trim_start().len()))
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((name, indent)) = begins(line) else { continue };
        let end = format!("{}}}", " ".repeat(indent));
        let body = lines[at..].iter().position(|line| **line == end || **line == format!("{end};"));
        // One that is written on one line, or has no body, ends before anything else that far in does.
        let next = lines[at + 1..].iter().position(|line| begins(line).is_some_and(|(_, other)| other <= indent));
        if let Some(body) = body.filter(|body| next.is_none_or(|next| *body <= next)) {
            found.push((name, body + 1));
        }
    }
    found
}

#[test]
fn files_and_functions_stay_short() {
    let mut long = Vec::new();
    let mut parts = Vec::new();
    for (path, text) in rust_files() {
        let lines = text.lines().count();
        if lines > MOST_FILE_LINES {
            long.push(format!("{path}: {lines} lines"));
        }
        for (name, lines) in functions(&text).into_iter().filter(|(_, lines)| *lines > MOST_FUNCTION_LINES) {
            if !LONG_FUNCTIONS.iter().any(|(file, function, _)| *file == path && *function == name) {
                long.push(format!("{path}: fn {name} has {lines} lines"));
            }
            parts.push((path.clone(), name));
        }
    }
    assert!(
        long.is_empty(),
        "more than {MOST_FILE_LINES} lines a file or {MOST_FUNCTION_LINES} a function:\n{}",
        long.join("\n")
    );
    let stale: Vec<&str> = LONG_FUNCTIONS
        .iter()
        .filter(|(file, name, _)| !parts.iter().any(|(path, function)| path == file && function == name))
        .map(|(_, name, _)| *name)
        .collect();
    assert!(stale.is_empty(), "short enough by now, so no exceptions any more: {stale:?}");
}

#[test]
fn the_lines_of_functions_are_counted() {
    let text = "impl A {\n    pub(in super::super) fn one(\n        a: u8,\n    ) {\n        b();\n    }\n\n    fn two() {}\n\n    \
                const fn three() {\n    }\n}\n\ntrait B {\n    fn four();\n    async fn five() {\n        c();\n    }\n}\n";
    let expected = [("one", 5), ("three", 2), ("five", 3)].map(|(name, lines)| (name.to_owned(), lines));
    assert_eq!(functions(text), expected);
}

#[test]
fn banned_words_are_kept_out() {
    let mut found = Vec::new();
    for (path, text) in rust_files().filter(|(path, _)| path.starts_with("src/")) {
        let more = (!HAVE_AWAY.iter().any(|room| path.starts_with(room))).then_some(&AWAY);
        for (number, line) in text.lines().enumerate() {
            for word in line.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase) {
                if let Some((_, term)) = BANNED.iter().chain(more).find(|(banned, _)| *banned == word) {
                    found.push(format!("{path}:{}: {word:?}, say {term}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "banned words:\n{}", found.join("\n"));
}

#[test]
fn retired_names_do_not_come_back() {
    let mut found = Vec::new();
    for (path, text) in rust_files().filter(|(path, _)| path.starts_with("src/")) {
        // What is said of a name in a comment is prose, and what is written in quotes is a wire's.
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//")) {
            for name in
                line.split('"').step_by(2).flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'))
            {
                if let Some((_, term)) = RETIRED.iter().find(|(retired, _)| *retired == name) {
                    found.push(format!("{path}:{}: {name}, now {term}", number + 1));
                }
            }
        }
    }
    assert!(found.is_empty(), "retired names:\n{}", found.join("\n"));
}

/// The invariants in the map of the code: their numbers, and the files that are named behind them.
fn invariants(map: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let lines = map.lines().skip_while(|line| *line != "//! # What always holds").skip(1);
    for line in lines.take_while(|line| !line.starts_with("//! # ")) {
        if let Some(rest) = line.strip_prefix("//! - I") {
            let number = rest.chars().take_while(char::is_ascii_digit).collect();
            found.push((number, Vec::new()));
        }
        let Some((_, files)) = found.last_mut() else { continue };
        let is_file = |part: &&str| std::path::Path::new(part).extension().is_some_and(|end| end == "rs");
        files.extend(line.split('`').filter(is_file).map(str::to_owned));
    }
    found
}

#[test]
fn every_invariant_has_tests_that_are_named_after_it() {
    let map = std::fs::read_to_string("src/lib.rs").unwrap();
    let invariants = invariants(&map);
    let numbers: Vec<u32> = invariants.iter().map(|(number, _)| number.parse().unwrap()).collect();
    assert_eq!(numbers, (1..=14).collect::<Vec<_>>());
    for (number, files) in invariants {
        assert!(!files.is_empty(), "I{number} has no test");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("I{number}: {file}: {error}"));
            let tag = format!("i{number}_");
            let is_named = |line: &str| {
                let name = line.trim_start().trim_start_matches("async ").strip_prefix("fn ");
                name.is_some_and(|name| name.starts_with(&tag) || name.contains(&format!("_{tag}")))
            };
            assert!(text.lines().any(is_named), "{file} has no test that is named after I{number}");
        }
    }
}
