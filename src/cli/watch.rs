//! `convert --watch`: which files of a folder are due.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the folders are looked at. By looking, files on network file systems are seen, too.
pub const EVERY: Duration = Duration::from_secs(1);

/// By what a change of a file is seen: its size and when it was written last.
pub type Stamp = (u64, Option<SystemTime>);

/// The stamp of the file at `path`; `None` when it is gone.
pub fn stamp(path: &Path) -> Option<Stamp> {
    let file = path.metadata().ok()?;
    Some((file.len(), file.modified().ok()))
}

/// Remembers what was seen and what was taken.
#[derive(Default)]
pub struct Watched {
    seen: BTreeMap<PathBuf, Stamp>,
    taken: BTreeMap<PathBuf, Stamp>,
}

impl Watched {
    /// Takes a look: returns the files that are due. One that is still being written, and so is not as it was at the last
    /// look, is not; nor is one that was taken and has not changed since.
    pub fn due(&mut self, found: BTreeMap<PathBuf, Stamp>) -> Vec<PathBuf> {
        self.taken.retain(|path, _| found.contains_key(path));
        let is_due = |(path, stamp): &(&PathBuf, &Stamp)| {
            stamp.0 > 0 && self.seen.get(*path) == Some(*stamp) && self.taken.get(*path) != Some(*stamp)
        };
        let due: Vec<PathBuf> = found.iter().filter(is_due).map(|(path, _)| path.clone()).collect();
        self.taken.extend(due.iter().map(|path| (path.clone(), found[path])));
        self.seen = found;
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files with their sizes, and those that are due.
    type Look<'a> = (&'a [(&'a str, u64)], &'a [&'a str]);

    #[test]
    fn a_file_is_due_once_when_it_is_written() {
        let mut watched = Watched::default();
        let looks: [Look; 9] = [
            (&[("a", 5)], &[]),
            (&[("a", 5), ("b", 1)], &["a"]),
            (&[("a", 5), ("b", 2)], &[]),
            (&[("a", 5), ("b", 2)], &["b"]),
            (&[("a", 6), ("b", 2)], &[]),
            (&[("a", 6), ("b", 2), ("empty", 0)], &["a"]),
            (&[("b", 2), ("empty", 0)], &[]),
            (&[("a", 6), ("b", 2)], &[]),
            (&[("a", 6), ("b", 2)], &["a"]),
        ];
        for (number, (found, due)) in looks.into_iter().enumerate() {
            let found = found.iter().map(|(name, size)| (PathBuf::from(name), (*size, None))).collect();
            assert_eq!(watched.due(found), due.iter().map(PathBuf::from).collect::<Vec<_>>(), "look {number}");
        }
    }
}
