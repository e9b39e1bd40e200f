//! Who may import whom: imports point down, so that a room can be understood without the rooms above it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms that each room may import. `task`, `content` and `clock` are the words that everyone speaks; places to fail
/// and metrics are everywhere.
const TABLE: [(&str, &[&str]); 23] = [
    ("clock", &[]),
    ("failpoint", &[]),
    ("task", &[]),
    ("content", &[]),
    ("keys", &[]),
    ("metrics", &[]),
    ("notify", &[]),
    ("document", &[]),
    ("private_fs", &[]),
    ("blob", &["private_fs"]),
    ("ledger", &["blob"]),
    ("store", &["private_fs"]),
    ("output", &[]),
    ("processor", &["document", "output"]),
    ("aggregate", &["document", "output"]),
    ("pool", &["document", "processor", "aggregate", "ledger", "blob"]),
    ("job", &["document", "pool", "processor"]),
    ("supervisor", &["notify", "job", "pool", "store", "blob", "ledger", "processor", "document", "aggregate"]),
    ("mcp", &["supervisor", "output"]),
    ("http", &["mcp", "keys", "supervisor", "pool", "store", "blob", "document", "aggregate", "output"]),
    ("config", &["keys", "http", "notify", "supervisor", "job", "pool", "ledger", "processor", "document"]),
    ("app", &["config", "supervisor", "pool", "ledger", "blob", "store", "processor", "document"]),
    ("lib", &["app", "supervisor"]),
];

/// Libraries that only one room touches.
const ALONE: [(&str, &[&str]); 8] = [
    ("hayro", &["document"]),
    ("lopdf::", &["document"]),
    ("rten::", &["document"]),
    ("redb::", &["store"]),
    ("redis::", &["store"]),
    ("reqwest::", &["processor", "notify"]),
    ("actix_web::", &["http"]),
    ("actix_multipart::", &["http"]),
];

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
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
