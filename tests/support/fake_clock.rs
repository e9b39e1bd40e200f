//! A wall clock that a test sets, for processes that it starts.

use std::path::Path;

use tempfile::TempDir;

/// Stands in a file that libfaketime follows.
pub struct FakeClock {
    library: String,
    dir: TempDir,
    file: String,
}

impl FakeClock {
    /// A clock that is right, where libfaketime is installed.
    pub fn new() -> Option<Self> {
        let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
        let mut places = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
        let library = places.find(|place| place.is_file())?.to_string_lossy().into_owned();
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("clock").to_string_lossy().into_owned();
        let clock = Self { library, dir, file };
        clock.set("+0");
        Some(clock)
    }

    /// Sets it, for example to `-10d`, in one step: an empty file would be another time.
    pub fn set(&self, offset: &str) {
        let next = self.dir.path().join("next");
        std::fs::write(&next, offset).unwrap();
        std::fs::rename(next, &self.file).unwrap();
    }

    /// What gives a process this clock.
    pub fn variables(&self) -> [(&str, &str); 4] {
        [
            ("LD_PRELOAD", &self.library),
            ("FAKETIME_TIMESTAMP_FILE", &self.file),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ]
    }

    /// What a redis-server must load instead: its own allocator asks for the time before there is memory to fake it with.
    pub fn preload_of_redis(&self) -> String {
        let libc = Path::new(&self.library).parent().unwrap().with_file_name("libc.so.6");
        format!("{}:{}", self.library, libc.display())
    }
}
