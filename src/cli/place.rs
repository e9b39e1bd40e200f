//! Writes into one place that a user named: a file that is there whole or not at all, or what takes bytes as they come.

use std::collections::BTreeSet;
use std::fs::{File, Metadata, Permissions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Links that lead to one place; more are a circle (as for the kernel, `path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// The files that a command reads, by device and inode: no name and no link makes one of them a place for a result.
#[derive(Clone, Debug, Default)]
pub struct Inputs(BTreeSet<(u64, u64)>);

impl Inputs {
    /// Those that are there. Pipes and devices may be read and written at once.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let found = paths.into_iter().filter_map(|path| path.metadata().ok());
        Self(found.filter(Metadata::is_file).map(|file| (file.dev(), file.ino())).collect())
    }

    fn refuse(&self, place: &Metadata) -> io::Result<()> {
        if self.0.contains(&(place.dev(), place.ino())) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is a file that is read: name another place"));
        }
        Ok(())
    }

    /// Checks whether a result can go to `place`, before it is made. Returns the identity of a regular file there.
    ///
    /// # Errors
    /// When the place is an input or a folder.
    pub fn check(&self, place: &Path) -> io::Result<Option<(u64, u64)>> {
        let is_folder = || io::Error::new(io::ErrorKind::IsADirectory, "this is a folder");
        match place.metadata() {
            Ok(there) if there.is_dir() => Err(is_folder()),
            Ok(there) if there.is_file() => self.refuse(&there).map(|()| Some((there.dev(), there.ino()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && ends_with_slash(place) => Err(is_folder()),
            // What else keeps it from being written is known best when it is.
            _ => Ok(None),
        }
    }
}

fn ends_with_slash(place: &Path) -> bool {
    place.as_os_str().as_encoded_bytes().ends_with(b"/")
}

/// What stands at a place.
enum Place {
    /// A device, a pipe, an open descriptor of this process: takes bytes as they come.
    Stream(File),
    /// A regular file behind all links, or none yet.
    File(PathBuf, Option<Metadata>),
}

/// Writes to `place`. A regular file is replaced when all is written, behind the links that lead to it, and keeps its
/// mode and owner; a new one gets the mode that the umask leaves. What is no regular file is written into.
///
/// # Errors
/// When the place is one of `inputs`, or cannot be written; a regular file is as it was then.
pub fn write(place: &Path, inputs: &Inputs, content: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    match find(place)? {
        Place::Stream(mut stream) => match content(&mut stream) {
            // A reader that has seen enough, such as head, is not an error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        },
        Place::File(path, old) => replace(&path, old.as_ref(), inputs, content),
    }
}

/// Follows the links from `place` to what they lead to.
fn find(place: &Path) -> io::Result<Place> {
    let mut path = place.to_owned();
    for _ in 0..MAX_LINKS {
        let there = match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::File(path, None)),
            there => there?,
        };
        let kind = there.file_type();
        if kind.is_symlink() {
            if let Some(number) = descriptor(&path) {
                return open_descriptor(&path, number).map(Place::Stream);
            }
            let target = path.read_link()?;
            path = path.parent().unwrap_or(Path::new("")).join(target);
        } else if kind.is_char_device() || kind.is_block_device() || kind.is_fifo() || kind.is_socket() {
            return File::options().write(true).open(path).map(Place::Stream);
        } else if kind.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        } else {
            // A user who may not write a file may not replace it either.
            File::options().write(true).open(&path)?;
            return Ok(Place::File(path, Some(there)));
        }
    }
    Err(io::Error::other("too many links lead from one to the next"))
}

/// The number of the open file of this process that `path` stands for, such as `/dev/stdout` and `/dev/fd/63`.
fn descriptor(path: &Path) -> Option<u32> {
    let number = path.file_name()?.to_str()?.parse().ok()?;
    let folder = path.parent()?.canonicalize().ok()?;
    (folder == Path::new(&format!("/proc/{}/fd", std::process::id()))).then_some(number)
}

/// Its own place in the file, and whether it appends, are those of the program that opened it: only a copy of it has them.
fn open_descriptor(path: &Path, number: u32) -> io::Result<File> {
    let own = match number {
        1 => io::stdout().as_fd().try_clone_to_owned(),
        2 => io::stderr().as_fd().try_clone_to_owned(),
        _ => return File::options().append(true).open(path),
    };
    own.map(File::from)
}

/// Writes a file beside its place and renames it there, so that it is never seen half-written.
fn replace(
    path: &Path,
    old: Option<&Metadata>,
    inputs: &Inputs,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    old.map_or(Ok(()), |old| inputs.refuse(old))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Before the umask is taken off. What replaces a file is its owner's alone until it has that file's mode.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let mut builder = tempfile::Builder::new();
    let mut file = builder.prefix(".bindery-").permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    content(file.as_file_mut())?;
    old.map_or(Ok(()), |old| keep_owner_and_mode(file.as_file(), old))?;
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

fn keep_owner_and_mode(file: &File, old: &Metadata) -> io::Result<()> {
    let new = file.metadata()?;
    let mut mode = old.mode() & 0o777;
    let same = (new.uid(), new.gid()) == (old.uid(), old.gid());
    let group = Some(old.gid());
    if !same && fchown(file, Some(old.uid()), group).is_err() && fchown(file, None, group).is_err() {
        // The rights of its group are not for another one.
        mode &= 0o707 | (mode & 0o007) << 3;
    }
    file.set_permissions(Permissions::from_mode(mode))
}
