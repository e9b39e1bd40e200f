//! What systemd is told: that the server accepts requests, reads its keys again, lives, and ends.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::SocketAddr;

use tokio::net::UnixDatagram;

use crate::support::server::{Server, fresh_data};
use crate::support::{file, soon};

async fn heard(socket: &UnixDatagram) -> String {
    let mut message = [0; 4_096];
    let length = soon("a message to the service manager", socket.recv(&mut message)).await.unwrap();
    String::from_utf8(message[..length].to_vec()).unwrap()
}

/// The next message that is no sign of life.
async fn told(socket: &UnixDatagram) -> String {
    loop {
        let message = heard(socket).await;
        if message != "WATCHDOG=1" {
            return message;
        }
    }
}

#[tokio::test]
async fn the_service_manager_is_told_of_start_reload_life_and_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let keys = file(dir.path(), "keys", "ann=ann-secret-1\n");
    let variables = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "100000")];
    let mut server = Server::start_on(fresh_data(), &["--api-key-file", &keys], &variables).await;
    assert_eq!(told(&socket).await, format!("READY=1\nSTATUS=listens on {}", server.url));
    assert_eq!(server.request("GET", "/healthz").send().await.unwrap().status(), 200);
    for _ in 0..3 {
        assert_eq!(heard(&socket).await, "WATCHDOG=1");
    }
    file(dir.path(), "keys", "bob=bob-secret-1\n");
    server.signal("HUP");
    let reloading = told(&socket).await;
    let at = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}"));
    assert!(at.parse::<u64>().unwrap() > 0);
    assert_eq!(told(&socket).await, "READY=1");
    let bob = server.request("GET", "/v1/tasks").bearer_auth("bob-secret-1").send().await.unwrap();
    assert_eq!(bob.status(), 200, "it was ready when they were read");
    server.terminate();
    assert_eq!(told(&socket).await, "STOPPING=1\nSTATUS=draining\nEXTEND_TIMEOUT_USEC=40000000");
    assert!(server.exit_status().await.success());
}

#[tokio::test]
async fn a_socket_without_a_file_is_reached_and_one_that_is_not_there_stops_nothing() {
    let name = format!("bindery-notify-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = std::os::unix::net::UnixDatagram::bind_addr(&address).unwrap();
    socket.set_nonblocking(true).unwrap();
    let socket = UnixDatagram::from_std(socket).unwrap();
    // The sign of life is another process's to give.
    let variables = [("NOTIFY_SOCKET", &*format!("@{name}")), ("WATCHDOG_USEC", "20000"), ("WATCHDOG_PID", "1")];
    let mut server = Server::start_on(fresh_data(), &[], &variables).await;
    assert!(heard(&socket).await.starts_with("READY=1\n"));
    server.terminate();
    assert!(heard(&socket).await.starts_with("STOPPING=1\n"));
    assert!(server.exit_status().await.success());

    let log = tempfile::NamedTempFile::new().unwrap();
    let nowhere = [("NOTIFY_SOCKET", "/nowhere/notify"), ("RUST_LOG", "warn")];
    let mut server = Server::start_logging(fresh_data(), &[], &nowhere, log.path()).await;
    server.get("/v1/tasks").await;
    server.terminate();
    assert!(server.exit_status().await.success());
    let said = std::fs::read_to_string(log.path()).unwrap();
    assert!(said.contains("the service manager is not told READY=1"), "{said}");
}

/// Where systemd is installed, running or not.
#[test]
fn the_unit_is_one_that_systemd_reads_and_finds_hardened() {
    let unit = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.docker/bindery.service")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let unit = unit.replace("/usr/local/bin/bindery", env!("CARGO_BIN_EXE_bindery"));
    let path = file(dir.path(), "bindery.service", unit);
    // Of 100: 30 is what stays open to a server that anyone on the network may reach.
    for arguments in [&["verify", "--man=no"][..], &["security", "--no-pager", "--offline=true", "--threshold=30"]] {
        match std::process::Command::new("systemd-analyze").args(arguments).arg(&path).output() {
            Ok(checked) => {
                let said = String::from_utf8_lossy(&checked.stderr);
                assert!(checked.status.success() && said.is_empty(), "{arguments:?}: {said}");
            }
            Err(why) => println!("skipped, for want of systemd-analyze: {why}"),
        }
    }
}
