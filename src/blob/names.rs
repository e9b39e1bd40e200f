//! The names that Bindery's own files have in a data directory. What is called otherwise belongs to others, and is
//! neither removed nor changed. Pure.
//!
//! | place | names |
//! |---|---|
//! | `tasks/` | a folder a task, called by its id: a UUID of version 7 |
//! | `tasks/<id>/` | `source.pdf`, `pages.hashes`, `image-<name of an image>`, `record-<epoch>.json`, `record-<epoch>.prepared`, `result-<epoch>.md` and `.json` |
//! | `ledger/<aa>/` | `<page>-<recipe>.json`, each 64 hex digits, the first of which are aa, and `<page>-<recipe>-<name of an image>`; of earlier versions `<64 hex digits>.json` |
//! | `purges/` | `<task>.json`, in shared storage also `<task>.done` |
//! | `nodes/` | `<node>.lock`, `machine.lock` and `in-step.lock` of a cache, `<node>#<32 hex digits>.flights` |
//! | `cache-<16 hex digits>/` | a directory of the same form, the cache of shared storage |
//! | `tmp/`, `convert/` | `lock`, and a folder `run-<six signs>` for each process |

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::task::ImageName;

/// Whether a task's folder has this name.
pub(crate) fn is_task_folder(name: &str) -> bool {
    Uuid::try_parse(name).is_ok_and(|id| id.get_version_num() == 7 && id.hyphenated().to_string() == name)
}

/// Whether a file in a task's folder has this name.
pub(crate) fn is_task_file(name: &str) -> bool {
    let numbered = |before: &str, after: &str| {
        let number = name.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
        number.is_some_and(|number| number.parse::<u64>().is_ok())
    };
    ["source.pdf", "pages.hashes"].contains(&name)
        || name.strip_prefix(IMAGE).is_some_and(is_image)
        || [("record-", ".json"), ("record-", ".prepared"), ("result-", ".json"), ("result-", ".md")]
            .iter()
            .any(|(b, a)| numbered(b, a))
}

/// What names of figures' files begin with in the folder of a task.
const IMAGE: &str = "image-";

/// The name that the file of a figure has in the folder of its task.
pub(crate) fn task_image(name: &ImageName) -> String {
    format!("{IMAGE}{name}")
}

/// The figure of which a file in a task's folder is.
pub(crate) fn image_of(name: &str) -> Option<ImageName> {
    name.strip_prefix(IMAGE)?.parse().ok()
}

fn is_image(name: &str) -> bool {
    name.parse::<ImageName>().is_ok()
}

/// Whether a folder of the ledger has this name.
pub(crate) fn is_ledger_folder(name: &str) -> bool {
    is_hex(name, 2)
}

/// Whether an entry of the ledger has this name in that folder.
pub(crate) fn is_ledger_file(folder: &str, name: &str) -> bool {
    let is_key = |key: &str| match key.split_once('-') {
        Some((page, recipe)) => is_hex(page, 64) && is_hex(recipe, 64),
        None => is_hex(key, 64),
    };
    let is_image_of = |name: &str| {
        name.rsplit_once('-').is_some_and(|(key, image)| key.contains('-') && is_key(key) && is_image(image))
    };
    name.starts_with(folder) && (name.strip_suffix(".json").is_some_and(is_key) || is_image_of(name))
}

/// Whether a file of the ledger is the entry of a page, and not the file of one of its figures.
pub(crate) fn is_page_entry(name: &str) -> bool {
    name.strip_suffix(".json").is_some()
}

/// Whether the list of a purge has this name.
pub(crate) fn is_purge_file(name: &str) -> bool {
    name.strip_suffix(".json").is_some_and(is_task_folder)
}

/// Whether a file about a process has this name.
pub(crate) fn is_node_file(name: &str) -> bool {
    let flights = name.strip_suffix(".flights").and_then(|owner| owner.rsplit_once('#'));
    let lock = name.strip_suffix(".lock");
    lock.is_some_and(|node| !node.is_empty()) || flights.is_some_and(|(node, own)| !node.is_empty() && is_hex(own, 32))
}

/// The folder of the cache of shared storage that is at `place`.
pub(super) fn cache_folder(place: &str) -> String {
    let hash = super::hex(&Sha256::digest(place));
    format!("cache-{}", &hash[..16])
}

/// Whether the scratch folder of a process has this name.
pub(crate) fn is_scratch_folder(name: &str) -> bool {
    is_random(name, "run-")
}

/// Whether an unfinished file has this name.
pub(crate) fn is_unfinished_file(name: &str) -> bool {
    is_random(name, "blob-")
}

fn is_random(name: &str, before: &str) -> bool {
    name.strip_prefix(before).is_some_and(|rest| rest.len() == 6 && rest.chars().all(|c| c.is_ascii_alphanumeric()))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_ours() {
        let id = "0190f3a2-7b1c-7def-8abc-0123456789ab";
        let hash = "ab".repeat(32);
        for (ours, name) in [
            (is_task_folder(id), "id"),
            (is_task_file("source.pdf"), "source"),
            (is_task_file("record-12.json") && is_task_file("record-1.prepared"), "record"),
            (is_task_file("result-1.md") && is_task_file("result-1.json"), "result"),
            (is_ledger_folder("0f"), "ledger"),
            (is_ledger_file("ab", &format!("{hash}.json")), "entry of an earlier version"),
            (is_ledger_file("ab", &format!("{hash}-{}.json", "0".repeat(64))), "entry"),
            (is_ledger_file("ab", &format!("{hash}-{hash}-{}.png", "0".repeat(32))), "image of an entry"),
            (is_task_file(&format!("image-{}.jpg", "0".repeat(32))), "image"),
            (is_purge_file(&format!("{id}.json")), "purge"),
            (is_node_file("bindery-2.lock"), "lock"),
            (is_node_file(&format!("a#{}.flights", "0".repeat(32))), "flights"),
            (is_scratch_folder("run-a1B2c3"), "scratch"),
        ] {
            assert!(ours, "{name}");
        }
        for (ours, name) in [
            (is_task_folder(&id.to_uppercase()), "upper case"),
            (is_task_folder(&id.replace('-', "")), "without hyphens"),
            (is_task_folder("0190f3a2-7b1c-4def-8abc-0123456789ab"), "another version"),
            (is_task_file("notes.txt") || is_task_file("record-x.json") || is_task_file("result-1.pdf"), "files"),
            (is_ledger_folder("AB") || is_ledger_folder("abc"), "ledger"),
            (is_ledger_file("aa", &format!("{hash}.json")), "another folder's"),
            (is_ledger_file("ab", &format!("{hash}-{}.png", "0".repeat(32))), "an image of no recipe"),
            (is_task_file("image-1.png") || is_task_file(&format!("image-{}.svg", "0".repeat(32))), "images"),
            (is_ledger_file("ab", "ab.json") || is_ledger_file("ab", &format!("{hash}-1.json")), "short"),
            (is_purge_file("notes.json"), "purges"),
            (is_node_file("a.flights") || is_node_file(".lock") || is_node_file("a#1.flights"), "nodes"),
            (is_scratch_folder("run-dead") || is_scratch_folder("running"), "scratch"),
        ] {
            assert!(!ours, "{name}");
        }
    }
}
