//! Programs from PyPI.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::soon;

/// An environment of Python with some packages, which are installed when they are missing, once for all tests.
pub struct Venv {
    name: &'static str,
    packages: &'static [&'static str],
    bin: OnceCell<Option<PathBuf>>,
}

impl Venv {
    pub const fn new(name: &'static str, packages: &'static [&'static str]) -> Self {
        Self { name, packages, bin: OnceCell::const_new() }
    }

    /// One of its programs; `None`, with a line that says so, where the packages cannot be installed.
    pub async fn program(&self, name: &str) -> Option<PathBuf> {
        let bin = self.bin.get_or_init(|| installed(self.name, self.packages)).await;
        if bin.is_none() {
            eprintln!("skipped: {} cannot be installed from PyPI", self.packages.join(", "));
        }
        Some(bin.as_ref()?.join(name))
    }
}

/// The folder of its programs. An installation that was cut off starts again.
async fn installed(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (bin, complete, wanted) = (place.join("bin"), place.join("complete"), packages.join("\n"));
    if std::fs::read_to_string(&complete).ok().as_deref() != Some(&wanted) {
        let made = Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place).status();
        assert!(soon("a venv", made).await.unwrap().success(), "python3 -m venv (Debian: python3-venv)");
        let mut pip = Command::new(bin.join("pip"));
        pip.args(["install", "-q", "--no-compile", "--retries", "1"]).args(packages);
        if !pip.status().await.unwrap().success() {
            return None;
        }
        std::fs::write(complete, wanted).unwrap();
    }
    Some(bin)
}
