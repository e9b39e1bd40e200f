//! Files and folders that only their owner may read, whatever the umask: passwords of PDFs and secrets of webhooks stand
//! in them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The permissions of a folder.
pub(crate) const FOLDER: u32 = 0o700;
/// The permissions of a file.
pub(crate) const FILE: u32 = 0o600;
/// What others may do.
const OTHERS: u32 = 0o077;

/// Makes a folder and those above it that are missing. One that is there stays as it is.
///
/// # Errors
/// When it cannot be made, or something else has its name.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER).create(path) {
        Ok(()) => fs::set_permissions(path, Permissions::from_mode(FOLDER)),
        Err(_) if path.is_dir() => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or(error)?;
            make_folder(parent)?;
            match DirBuilder::new().mode(FOLDER).create(path) {
                Ok(()) => fs::set_permissions(path, Permissions::from_mode(FOLDER)),
                Err(_) if path.is_dir() => Ok(()),
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    }
}

/// Opens a file by `options`; one that is there and that others may read is theirs no longer.
///
/// # Errors
/// When it cannot be opened.
pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.mode(FILE).open(path)?;
    if file.metadata()?.permissions().mode() & 0o777 != FILE {
        // Another user's file, which this one may use, is that user's to close.
        let _ = file.set_permissions(Permissions::from_mode(FILE));
    }
    Ok(file)
}

/// Whether others may do something with the file or folder. Nothing there, or a link, is no matter of theirs.
pub(crate) fn is_loose(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_symlink() && found.permissions().mode() & OTHERS != 0)
}

/// Takes from others what they may do with a file or folder. Links are not followed.
pub(crate) fn tighten(path: &Path) {
    let Ok(found) = fs::symlink_metadata(path) else { return };
    let mode = found.permissions().mode() & 0o777;
    if found.is_symlink() || mode & OTHERS == 0 {
        return;
    }
    if let Err(why) = fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)) {
        log::warn!("{} stays open to other users: {why}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_for_its_owner_alone_and_what_was_open_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let deep = dir.path().join("a/b");
        make_folder(&deep).unwrap();
        make_folder(&deep).unwrap();
        assert_eq!((mode(&deep), mode(&dir.path().join("a"))), (FOLDER, FOLDER));
        let file = deep.join("file");
        fs::write(&file, b"old").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        assert!(is_loose(&file));
        open(&file, File::options().read(true)).unwrap();
        assert_eq!((mode(&file), fs::read(&file).unwrap()), (FILE, b"old".to_vec()));
        let link = deep.join("link");
        std::os::unix::fs::symlink(dir.path().join("a"), &link).unwrap();
        fs::set_permissions(dir.path().join("a"), Permissions::from_mode(0o755)).unwrap();
        tighten(&link);
        assert_eq!((mode(&dir.path().join("a")), is_loose(&link)), (0o755, false), "links are not followed");
        tighten(&dir.path().join("a"));
        assert_eq!(mode(&dir.path().join("a")), FOLDER);
        assert!(make_folder(&file).is_err());
    }
}
