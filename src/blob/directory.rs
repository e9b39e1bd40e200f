//! Whose a directory is: a marker file, and what to do with a directory that has none.
//!
//! | the directory | what happens |
//! |---|---|
//! | is not there, or empty | it is made and marked |
//! | has a marker of a format that is known | it is opened |
//! | has a marker of a later format | it is refused |
//! | has none, and nothing but what an earlier version leaves | it is marked |
//! | has none, has tasks or pages of an earlier version, and other things beside them | it is marked; those stay as they are |
//! | has none, and other things | it is refused: nothing of others is touched |
//!
//! Whatever holds a password or a secret is for its owner alone. A directory that others may read, of an earlier version
//! or copied by hand, is closed when it is opened.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::scratch::{self, LOCK};
use super::{absent, names};
use crate::private_fs;

/// The file that says that a directory is Bindery's.
pub const MARKER: &str = "bindery-data.json";
/// The layout that this version writes.
const FORMAT: u32 = 1;
/// The lock of the server that uses the directory.
const SERVER_LOCK: &str = "server.lock";
/// The database of the embedded store, and how its file begins.
const DATABASE: (&str, &[u8]) = ("tasks.redb", b"redb\x1A\x0A\xA9\x0D\x0A");
/// Folders in it.
const FOLDERS: [&str; 7] = ["tmp", "tasks", "ledger", "nodes", "convert", "purges", "models"];
/// What systems put into directories by themselves, also into the home of a user who is made for a service.
const OF_SYSTEMS: [&str; 6] = ["lost+found", ".DS_Store", ".snapshot", ".bashrc", ".bash_logout", ".profile"];
/// How the name of a marker begins that is being written.
const UNFINISHED: &str = ".bindery-";
/// The most names under which a store is remembered.
const MOST_PLACES: usize = 16;

/// The task store that a directory belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreMark {
    /// What it is: `embedded`, `redis`.
    pub kind: String,
    /// The name that no other store has.
    pub id: Uuid,
    /// Where it was seen, the last place last.
    #[serde(default)]
    pub places: Vec<String>,
}

impl StoreMark {
    /// The same store, now seen at `place`.
    #[must_use]
    pub fn seen_at(mut self, place: &str) -> Self {
        self.places.retain(|known| known != place);
        self.places.push(place.to_owned());
        let too_many = self.places.len().saturating_sub(MOST_PLACES);
        self.places.drain(..too_many);
        self
    }
}

#[derive(Serialize, Deserialize)]
struct Marker {
    /// What the directory is, for who finds the file.
    bindery: String,
    format: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    store: Option<StoreMark>,
}

impl Default for Marker {
    fn default() -> Self {
        Self { bindery: "data directory".into(), format: FORMAT, store: None }
    }
}

/// A directory that is Bindery's.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// Opens `root`, making and marking it where that is needed; closes it to other users.
    ///
    /// # Errors
    /// When the directory holds what is not Bindery's, was made by a later version, or cannot be written to; the message
    /// names it and says what to do.
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        let root = root.into();
        private_fs::make_folder(&root).map_err(|error| said(&error, &format!("cannot make {}", root.display())))?;
        match read(&root)? {
            Some(marker) if marker.format > FORMAT => {
                let (dir, format) = (root.display(), marker.format);
                return Err(refused(format!(
                    "{dir} was made by a later version of Bindery (its format is {format}, this version knows {FORMAT}): \
                     use that version, or name another directory"
                )));
            }
            Some(_) => {}
            None => {
                check_unmarked(&root)?;
                mark(&root)?;
            }
        }
        close_to_others(&root);
        Ok(Self(root))
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Locks it for this server, until the file is dropped: alone, or beside others that share it.
    ///
    /// # Errors
    /// `WouldBlock` when another server uses it.
    pub fn lock(&self, shared: bool) -> io::Result<File> {
        let options = &mut File::options();
        let file = private_fs::open(&self.0.join(SERVER_LOCK), options.write(true).create(true).truncate(false))?;
        match if shared { file.try_lock_shared() } else { file.try_lock() } {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// The store that `root` belongs to, if it belongs to one yet.
pub(super) fn store_of(root: &Path) -> io::Result<Option<StoreMark>> {
    Ok(read(root)?.and_then(|marker| marker.store))
}

/// Notes that `root` belongs to `next`, if it still belongs to `expected`; answers whom it belongs to then.
pub(super) fn give_to_store(
    root: &Path,
    expected: Option<&StoreMark>,
    next: StoreMark,
) -> io::Result<Option<StoreMark>> {
    let _turn = scratch::lock_parent(&root.join("tmp"))?;
    let mut marker = read(root)?.unwrap_or_default();
    if marker.store.as_ref() == expected && marker.store.as_ref() != Some(&next) {
        marker.store = Some(next);
        let written = write(root, &marker)?.persist(root.join(MARKER));
        written.map_err(|error| error.error)?;
    }
    Ok(marker.store)
}

/// The marker of blobs that belong to `store`, as bytes.
pub(super) fn marker_of(store: &StoreMark) -> io::Result<Vec<u8>> {
    let marker = Marker { store: Some(store.clone()), ..Marker::default() };
    serde_json::to_vec(&marker).map_err(io::Error::other)
}

/// The store that the blobs at `place` belong to, by their marker.
pub(super) fn store_in(marker: &[u8], place: &str) -> io::Result<Option<StoreMark>> {
    let marker: Marker = serde_json::from_slice(marker).map_err(|_| {
        refused(format!("{MARKER} in {place} is not what Bindery writes: name another bucket or prefix"))
    })?;
    if marker.format > FORMAT {
        let format = marker.format;
        return Err(refused(format!(
            "{place} was made by a later version of Bindery (its format is {format}, this version knows {FORMAT}): use that \
             version, or name another bucket or prefix"
        )));
    }
    Ok(marker.store)
}

fn read(root: &Path) -> io::Result<Option<Marker>> {
    let Some(bytes) = absent(fs::read(root.join(MARKER)))? else { return Ok(None) };
    let marker = serde_json::from_slice(&bytes);
    marker.map(Some).map_err(|_| {
        let file = root.join(MARKER);
        let file = file.display();
        refused(format!("{file} is not what Bindery writes: remove it if the directory is Bindery's"))
    })
}

fn mark(root: &Path) -> io::Result<()> {
    match write(root, &Marker::default())?.persist_noclobber(root.join(MARKER)) {
        Ok(_) => Ok(()),
        // Another process came first.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

fn write(root: &Path, marker: &Marker) -> io::Result<tempfile::NamedTempFile> {
    let private = std::os::unix::fs::PermissionsExt::from_mode(private_fs::FILE);
    let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(root);
    let mut file = file.map_err(|error| said(&error, &format!("cannot write to {}", root.display())))?;
    file.as_file().set_permissions(private)?;
    serde_json::to_writer(&mut file, marker).map_err(io::Error::other)?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Whether a directory without a marker may be taken.
fn check_unmarked(root: &Path) -> io::Result<()> {
    let mut others = None;
    for name in entries(root)? {
        if name.starts_with(UNFINISHED) || name == MARKER || OF_SYSTEMS.contains(&name.as_str()) {
            continue;
        }
        if !is_ours(root, &name) {
            others = others.or(Some(name));
        }
    }
    match others {
        Some(other) if !holds_work(root) => {
            let dir = root.display();
            Err(refused(format!(
                "{dir} holds what is not Bindery's, such as {other:?}: name an empty directory, or one that is not there \
                 yet"
            )))
        }
        _ => Ok(()),
    }
}

/// Whether an earlier version leaves something of this name, with such things in it.
fn is_ours(root: &Path, name: &str) -> bool {
    let path = root.join(name);
    let Ok(found) = fs::symlink_metadata(&path) else { return true };
    if found.is_dir() {
        let all = |ours: fn(&str) -> bool| entries(&path).is_ok_and(|names| names.iter().all(|name| ours(name)));
        return match name {
            "tmp" | "convert" => all(|name| name == LOCK || names::is_scratch_folder(name)),
            "tasks" => all(names::is_task_folder),
            "ledger" => all(names::is_ledger_folder),
            "nodes" => all(names::is_node_file),
            "purges" => all(names::is_purge_file),
            _ => false,
        };
    }
    match name {
        // The directory of a single command is a scratch folder.
        LOCK => scratch::is_ours(root),
        SERVER_LOCK => found.len() == 0,
        _ => name == DATABASE.0 && (found.len() == 0 || is_database(&path)),
    }
}

fn is_database(path: &Path) -> bool {
    let mut beginning = [0; DATABASE.1.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning == DATABASE.1
}

/// Whether there is a database, a task or a page.
fn holds_work(root: &Path) -> bool {
    let any = |folder: &str, ours: fn(&str) -> bool, within: fn(&str, &str) -> bool| {
        let folders = entries(&root.join(folder)).unwrap_or_default();
        folders.iter().filter(|name| ours(name)).any(|name| {
            let files = entries(&root.join(folder).join(name)).unwrap_or_default();
            files.iter().any(|file| within(name, file))
        })
    };
    is_database(&root.join(DATABASE.0))
        || any("tasks", names::is_task_folder, |_, file| names::is_task_file(file))
        || any("ledger", names::is_ledger_folder, names::is_ledger_file)
}

/// The names in a folder.
fn entries(folder: &Path) -> io::Result<Vec<String>> {
    let read = fs::read_dir(folder)?;
    Ok(read.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// What is ours is for its owner alone. Where the outermost folders are closed, no other user reaches what is in them; where
/// one is open, all that is in them is closed, too, from the inside out, so that a start that is cut short is made good
/// by the next one. The directory itself stays as it is when others have something in it.
fn close_to_others(root: &Path) {
    let folders = FOLDERS.map(|name| root.join(name));
    let alone = entries(root).is_ok_and(|names| {
        let known = |name: &String| {
            let name = name.as_str();
            name.starts_with(UNFINISHED)
                || FOLDERS.contains(&name)
                || OF_SYSTEMS.contains(&name)
                || [MARKER, SERVER_LOCK, LOCK].contains(&name)
                || name.starts_with(DATABASE.0)
        };
        names.iter().all(known)
    });
    if folders.iter().chain(alone.then(|| root.to_owned()).iter()).any(|path| private_fs::is_loose(path)) {
        for folder in &folders {
            close_folder(folder);
        }
    }
    for name in [MARKER, SERVER_LOCK, DATABASE.0] {
        private_fs::tighten(&root.join(name));
    }
    if alone {
        private_fs::tighten(root);
    }
}

/// Closes one of our folders with what of it is ours.
fn close_folder(folder: &Path) {
    if !fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir()) {
        return;
    }
    let kind = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    for name in entries(folder).unwrap_or_default() {
        let path = folder.join(&name);
        let close = |ours: &dyn Fn(&str) -> bool| {
            let files = entries(&path).unwrap_or_default();
            files.iter().filter(|file| ours(file)).for_each(|file| private_fs::tighten(&path.join(file)));
            private_fs::tighten(&path);
        };
        match kind {
            "tasks" if names::is_task_folder(&name) => close(&names::is_task_file),
            "ledger" if names::is_ledger_folder(&name) => close(&|file| names::is_ledger_file(&name, file)),
            "nodes" if names::is_node_file(&name) => private_fs::tighten(&path),
            "purges" if names::is_purge_file(&name) => private_fs::tighten(&path),
            "tmp" | "convert" if names::is_scratch_folder(&name) && scratch::is_ours(&path) => close(&|_| true),
            "tmp" | "convert" if name == LOCK => private_fs::tighten(&path),
            _ => {}
        }
    }
    private_fs::tighten(folder);
}

fn refused(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

fn said(error: &io::Error, what: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const ID: &str = "0190f3a2-7b1c-7def-8abc-0123456789ab";

    fn with(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        dir
    }

    fn entry() -> String {
        format!("ledger/ab/{}.json", "ab".repeat(32))
    }

    #[test]
    fn which_directories_are_taken() {
        let (source, entry, database) = (format!("tasks/{ID}/source.pdf"), entry(), [DATABASE.1, b"rest"].concat());
        for (files, taken) in [
            (&[][..], true),
            (&[("lost+found/x", &b""[..])], true),
            (&[(".bashrc", b""), (".profile", b""), (".bash_logout", b"")], true),
            (&[("server.lock", b""), ("tasks.redb", &database), ("nodes/bindery.lock", b"bindery#1")], true),
            (&[("tmp/lock", b""), ("tmp/run-a1b2c3/lock", b""), ("convert/lock", b""), (&entry, b"{}")], true),
            (&[(&source, b"pdf"), ("bindery.toml", b"")], true),
            (&[(&entry, b"{}"), ("tmp/cache/x", b"")], true),
            (&[("tasks.redb", &database), ("notes.txt", b"")], true),
            (&[("notes.txt", b"")], false),
            (&[("tmp/cache/x", b"")], false),
            (&[("tmp/lock", b""), ("Cargo.toml", b"")], false),
            (&[("tasks/today.md", b"")], false),
            (&[("tasks.redb", b"my own"), ("x", b"")], false),
            (&[("ledger/2024/book.json", b"")], false),
            (&[(".git/HEAD", b"")], false),
            (&[(MARKER, b"{\"bindery\":\"data directory\",\"format\":1}"), ("notes.txt", b"")], true),
            (&[(MARKER, b"{\"bindery\":\"data directory\",\"format\":2}")], false),
            (&[(MARKER, b"my own")], false),
        ] {
            let dir = with(files);
            let before = crate::blob::tests::all_files(dir.path());
            let names: Vec<_> = files.iter().map(|(name, _)| name).collect();
            let opened = DataDir::open(dir.path());
            assert_eq!(opened.is_ok(), taken, "{names:?}: {opened:?}");
            let mut after = crate::blob::tests::all_files(dir.path());
            if taken {
                assert!(after.remove(MARKER).is_some(), "{names:?}");
                assert!(DataDir::open(dir.path()).is_ok(), "{names:?}");
            } else {
                let said = opened.unwrap_err().to_string();
                assert!(said.contains(&dir.path().display().to_string()) && !said.contains('\n'), "{said}");
            }
            let before: std::collections::BTreeMap<_, _> =
                before.into_iter().filter(|(name, _)| !taken || name != MARKER).collect();
            after.retain(|name, _| before.contains_key(name) || !taken);
            assert_eq!(after, before, "what is there stays");
        }
    }

    #[test]
    fn many_may_mark_it_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("new");
        std::thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| drop(super::super::LocalBlob::open(&root).unwrap()));
            }
        });
        assert!(store_of(&root).unwrap().is_none());
        let mark = StoreMark { kind: "redis".into(), id: Uuid::nil(), places: Vec::new() };
        assert_eq!(give_to_store(&root, None, mark.clone()).unwrap(), Some(mark.clone()));
        let other = StoreMark { id: Uuid::max(), ..mark.clone() };
        assert_eq!(give_to_store(&root, None, other).unwrap(), Some(mark.clone()), "the first one stays");
        let moved = mark.clone().seen_at("a").seen_at("b").seen_at("a");
        assert_eq!(moved.places, ["b", "a"]);
        assert_eq!(give_to_store(&root, Some(&mark), moved.clone()).unwrap(), Some(moved));
        assert_eq!(entries(&root).unwrap().len(), 2, "the marker and tmp");
    }

    #[test]
    fn what_others_could_read_is_closed_and_what_is_theirs_is_not() {
        let (source, entry) = (format!("tasks/{ID}/source.pdf"), entry());
        let theirs = format!("tasks/{ID}/notes.txt");
        let files: [(&str, &[u8]); 8] = [
            (&source, b"pdf"),
            (&theirs, b"theirs"),
            (&entry, b"{}"),
            ("nodes/bindery.lock", b""),
            ("tmp/cache/x", b"theirs"),
            ("tmp/run-a1b2c3/lock", b""),
            ("tasks.redb", DATABASE.1),
            ("bindery.toml", b"theirs"),
        ];
        let dir = with(&files);
        let mode = |name: &str| fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777;
        let open = |name: &str, mode: u32| {
            fs::set_permissions(dir.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
        };
        for (name, _) in files {
            open(name, 0o664);
        }
        for folder in ["", "tasks", "ledger", "ledger/ab", "tmp", "tmp/cache", "tmp/run-a1b2c3", "nodes"] {
            open(folder, 0o775);
        }
        DataDir::open(dir.path()).unwrap();
        for name in [&source, &entry, "nodes/bindery.lock", "tasks.redb", "tmp/run-a1b2c3/lock", MARKER] {
            assert_eq!(mode(name), 0o600, "{name}");
        }
        for folder in ["tasks", "ledger", "ledger/ab", "tmp", "tmp/run-a1b2c3", "nodes"] {
            assert_eq!(mode(folder), 0o700, "{folder}");
        }
        assert_eq!([mode(&theirs), mode("tmp/cache/x"), mode("bindery.toml")], [0o664; 3]);
        assert_eq!([mode("tmp/cache"), mode("")], [0o775; 2]);
        fs::remove_file(dir.path().join("bindery.toml")).unwrap();
        open(&source, 0o644);
        DataDir::open(dir.path()).unwrap();
        assert_eq!((mode(""), mode(&source)), (0o700, 0o600), "open again, closed again");
    }
}
