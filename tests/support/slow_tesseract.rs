//! A program of the name `tesseract` that reads nothing for as long as it is not let go, and then a few words.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Its folder, and what passes there.
pub struct SlowTesseract {
    dir: TempDir,
}

impl SlowTesseract {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Each run is a file with its process, which is gone when it ends by itself. It waits at the pipe for someone to
        // write to it. Its environment is empty.
        let program = r#"#!/bin/sh
here=${0%/*}
case $1 in
--version) echo tesseract 5.3.0; exit ;;
--list-langs) printf 'List of available languages (1):\neng\n'; exit ;;
esac
echo $$ > "$here/run-$$"
read -r line < "$here/gate"
/bin/rm "$here/run-$$"
printf '5\t1\t1\t1\t1\t1\t100\t200\t100\t70\t96.5\tWords\n'
"#;
        std::fs::write(dir.path().join("written"), program).unwrap();
        // Given its name by another process: a file that this one had open for writing could not be started.
        let command = "cat written > tesseract && chmod +x tesseract && mkfifo gate";
        let made = Command::new("sh").current_dir(dir.path()).args(["-c", command]).status().unwrap();
        assert!(made.success());
        Self { dir }
    }

    /// The folder, for `PATH`.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The processes that wait.
    pub fn waiting(&self) -> Vec<u32> {
        let runs = std::fs::read_dir(self.dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let is_run = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("run-"));
        // A file that is only half written has no process yet.
        runs.filter(is_run).filter_map(|run| std::fs::read_to_string(run).ok()?.trim().parse().ok()).collect()
    }

    /// Those of them that have not been ended.
    pub fn living(&self) -> Vec<u32> {
        self.waiting().into_iter().filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect()
    }

    /// Lets all go that wait and will come, for as long as the answer lives.
    pub fn open(&self) -> std::fs::File {
        let gate = self.dir.path().join("gate");
        // Opened for both, so that nothing waits for the other end; a line is there for whoever reads.
        let file = std::fs::OpenOptions::new().read(true).write(true).open(gate).unwrap();
        std::io::Write::write_all(&mut &file, &b"go\n".repeat(64)).unwrap();
        file
    }
}
