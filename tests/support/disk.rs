//! A disk that can be full.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system, if this process may mount one.
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// For example of `8m`.
    pub fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(dir.path())
            .output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all its room, until the answer is dropped.
    pub fn fill(&self) -> Filler {
        let path = self.path().join("filler");
        let file = File::options().create_new(true).append(true).open(&path).unwrap();
        let filler = Filler { path, file };
        filler.leave(0);
        filler
    }
}

/// A file that is in the way.
pub struct Filler {
    path: PathBuf,
    file: File,
}

impl Filler {
    /// Takes all the room that there is by now but for so many bytes.
    pub fn leave(&self, free: u64) {
        for size in [1 << 20, 4 << 10] {
            let zeros = vec![0; size];
            while (&self.file).write_all(&zeros).is_ok() {}
        }
        let taken = self.file.metadata().unwrap().len();
        self.file.set_len(taken.saturating_sub(free)).unwrap();
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        std::fs::remove_file(&self.path).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}
