//! A redis-server of the test's own, on a free loopback port.

use std::net::TcpListener;
use std::process::Stdio;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::soon;
use super::tied::Tied;

pub struct RedisServer {
    pub port: u16,
    process: Child,
    dir: TempDir,
}

impl RedisServer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// The same with variables in its environment.
    pub async fn start_with(variables: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..20 {
            let port = free_port();
            if let Some(process) = launch(port, &dir, true, variables).await {
                return Self { port, process, dir };
            }
        }
        panic!("redis-server does not start: install it (tests/run does where apt is)");
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Kills it as a crash would. What was acknowledged is in its append-only file.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Starts it again on the same port and data.
    pub async fn restart(&mut self) {
        self.process = launch(self.port, &self.dir, true, &[]).await.expect("the port is still free");
    }

    /// The same, but while it still reads its data, and says LOADING, for a while for each key.
    pub async fn restart_loading(&mut self) {
        self.process = launch(self.port, &self.dir, false, &[]).await.expect("the port is still free");
    }

    pub fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        super::server::signal(self.process.id().unwrap(), name);
    }

    pub async fn connection(&self) -> redis::aio::MultiplexedConnection {
        redis::Client::open(self.url()).unwrap().get_multiplexed_async_connection().await.unwrap()
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn launch(port: u16, dir: &TempDir, wait: bool, variables: &[(&str, &str)]) -> Option<Child> {
    let key_delay = if wait { "0" } else { "300000" };
    let mut process = Command::new("redis-server")
        .args(["--key-load-delay", key_delay, "--loading-process-events-interval-bytes", "1024"])
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
        .args(["--appendfsync", "everysec", "--dir", dir.path().to_str().unwrap()])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .tied()
        .spawn()
        .expect("redis-server is installed (tests/run installs it where apt is)");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let ready = async {
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains(if wait { "Ready to accept connections" } else { "Server initialized" }) {
                return true;
            }
        }
        false
    };
    if !soon("redis-server to be ready", ready).await {
        return None;
    }
    // A full pipe would stop it.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some(process)
}
