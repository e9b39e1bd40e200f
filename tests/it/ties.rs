//! Nothing that a test starts outlives it, however it ends.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::browser::Browser;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, signal};
use crate::support::{soon, tied::Tied, until};

const VARIABLE: &str = "BINDERY_TEST_STARTS_AND_WAITS";

/// Processes of the group, but those that are dead and only wait to be noticed.
fn alive(is_it: impl Fn(u32, u32) -> bool) -> usize {
    let stat = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("stat")).ok();
    let living = |stat: &String| {
        let pid = stat.split(' ').next().unwrap().parse().unwrap_or(0);
        // The name between the parentheses may hold anything.
        let rest: Vec<&str> = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').collect();
        rest[0] != "Z" && is_it(pid, rest[2].parse().unwrap_or(0))
    };
    std::fs::read_dir("/proc").unwrap().filter_map(|entry| stat(entry.unwrap())).filter(living).count()
}

#[tokio::test]
#[ignore = "started by the test below, which kills it"]
async fn starts_processes_and_waits() {
    if std::env::var_os(VARIABLE).is_none() {
        return;
    }
    let (server, redis) = (Server::start(&[]).await, RedisServer::start().await);
    let browser = Browser::open(400, 400, false).await;
    browser.go(&server.url).await;
    println!("\nstarted {} {} {}", server.pid(), redis.pid(), browser.group());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_test_leaves_nothing_running() {
    let mut test = Command::new(std::env::current_exe().unwrap());
    test.args(["--exact", "ties::starts_processes_and_waits", "--ignored", "--nocapture"]);
    let mut test = test.env(VARIABLE, "1").stdout(Stdio::piped()).kill_on_drop(true).tied().spawn().unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let pids: Vec<u32> = loop {
        let line = soon("its processes", lines.next_line()).await.unwrap().expect("it ended");
        if let Some(pids) = line.strip_prefix("started ") {
            break pids.split(' ').map(|pid| pid.parse().unwrap()).collect();
        }
    };
    let left = || alive(|pid, group| pids[..2].contains(&pid) || group == pids[2]);
    assert!(left() > 4, "a server, a redis-server, and a browser with several processes");
    signal(test.id().unwrap(), "KILL");
    until("all of them to be gone", async || left() == 0).await;
}
