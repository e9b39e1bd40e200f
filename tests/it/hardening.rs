//! Callers that are slow, many, or malicious.

use std::time::Duration;

use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::pdf::{Trap, book, trapped};
use crate::support::server::{Server, files};
use crate::support::soon;

async fn connect(server: &Server) -> TcpStream {
    let address = server.url.trim_start_matches("http://");
    soon("a connection", TcpStream::connect(address)).await.unwrap()
}

/// Whatever comes until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut said = Vec::new();
    let _ = soon("the end of the connection", stream.read_to_end(&mut said)).await;
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn ten_thousand_idle_connections_are_borne() {
    let server = Server::start(&[]).await;
    let connections = futures::stream::iter(0..10_000).map(|_| connect(&server)).buffer_unordered(100);
    let idle: Vec<_> = connections.collect().await;
    server.get("/healthz").await;
    let id = server.accepted(book("Idle", 2), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert!(server.peak_memory() < 400 << 20, "{}", server.peak_memory());
    drop(idle);
    server.get("/healthz").await;
}

#[tokio::test]
async fn who_sends_a_request_by_and_by_is_not_waited_for() {
    let server = Server::start(&[]).await;
    let mut slow = connect(&server).await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await.unwrap();
    let said = rest(&mut slow).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let mut huge = connect(&server).await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-large: {}\r\n\r\n", "x".repeat(1 << 20));
    let _ = huge.write_all(head.as_bytes()).await;
    let said = rest(&mut huge).await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    server.get("/healthz").await;
}

#[tokio::test]
async fn an_upload_that_stands_still_or_breaks_off_leaves_nothing() {
    let server = Server::start(&["--upload-timeout", "1s"]).await;
    let pdf = book("Half", 50);
    let begin = async |content_type: &str, before: &str| {
        let mut stream = connect(&server).await;
        let head = format!(
            "POST /v1/tasks HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: 900000\r\n\r\n{before}"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&pdf[..pdf.len() / 2]).await.unwrap();
        stream
    };
    let part = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"\r\n\r\n";
    for (content_type, before) in [("application/pdf", ""), ("multipart/form-data; boundary=b", part)] {
        let mut stalled = begin(content_type, before).await;
        let said = rest(&mut stalled).await;
        assert!(said.starts_with("HTTP/1.1 408") && said.contains("\"upload_stalled\""), "{said}");
        drop(begin(content_type, before).await);
    }
    let gone = async { while !files(server.data()).is_empty() {} };
    soon("nothing to be left", gone).await;
    assert!(server.get("/v1/tasks").await["tasks"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_file_name_stays_a_name() {
    let server = Server::start(&[]).await;
    let name = "..%2F..%2Fetc%2Fa%0D%0AX-Evil:%201%0D%0A%22;%20b=.pdf";
    let id = server.accepted(book("Name", 1), &format!("file_name={name}")).await;
    server.finished(&id).await;
    let result = server.request("GET", &format!("/v1/tasks/{id}/result")).send().await.unwrap();
    assert!(!result.headers().contains_key("x-evil"));
    let disposition = result.headers()["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("inline; filename=\"aX-Evil: 1\\\"; b=.md\""), "{disposition}");
}

#[tokio::test]
async fn a_web_page_of_somebody_else_cannot_use_a_server_of_this_machine() {
    let server = Server::start(&["--public-url", "https://pdf.example.org/"]).await;
    let port = server.url.rsplit(':').next().unwrap();
    let own = format!("127.0.0.1:{port}");
    for (method, host, origin, status) in [
        ("GET", own.as_str(), None, 200),
        ("GET", "localhost:8080", None, 200),
        ("GET", "[::1]:8080", None, 200),
        ("GET", "pdf.example.org", None, 200),
        ("GET", "evil.example", None, 403),
        ("POST", own.as_str(), Some(format!("http://{own}")), 422),
        ("POST", own.as_str(), Some("http://evil.example".to_owned()), 403),
        ("POST", own.as_str(), Some("null".to_owned()), 403),
        ("POST", "evil.example", Some("http://evil.example".to_owned()), 403),
    ] {
        let mut request = server.request(method, "/v1/tasks").header("host", host);
        if let Some(origin) = &origin {
            request = request.header("origin", origin);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{method} {host} {origin:?}");
    }
    let crossing = server.request("POST", "/v1/tasks").header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(crossing.status(), 403);
}

#[tokio::test]
async fn a_picture_that_nobody_waits_for_any_more_is_not_drawn() {
    let server = Server::start(&["--reader-timeout", "1h", "--workers", "1"]).await;
    // Its first page is read at once; what is drawn of its second never ends.
    let id = server.accepted(trapped("Drawn", 2, 2, Trap::Hang), "pages=1").await;
    server.finished(&id).await;
    let ask = || server.request("GET", &format!("/v1/tasks/{id}/pages/2/image")).timeout(Duration::from_secs(1)).send();
    let asked = futures::future::join_all((0..5).map(|_| ask())).await;
    assert!(asked.iter().all(Result::is_err), "nobody has waited for it");
    let next = server.accepted(book("Next", 2), "").await;
    assert_eq!(server.finished(&next).await["status"], "completed");
}

#[tokio::test]
async fn following_what_is_not_there_leaves_nothing() {
    let server = Server::start(&["--janitor-tick", "1h"]).await;
    let follow = async |many: u32| {
        for _ in 0..many {
            let path = format!("/v1/tasks/{}/events", uuid::Uuid::now_v7());
            assert_eq!(server.ask("GET", &path).await.0, 404);
        }
    };
    follow(100).await;
    let before = server.peak_memory();
    follow(800).await;
    let grown = server.peak_memory() - before;
    assert!(grown < 2 << 20, "{grown}");
}

/// Whoever started the server may have had anything open; what reads PDFs has what it was given for that, and no more.
#[tokio::test]
async fn a_reader_inherits_no_descriptor() {
    use rustix::io::{FdFlags, fcntl_setfd};
    let secret = tempfile::NamedTempFile::new().unwrap();
    fcntl_setfd(secret.as_file(), FdFlags::empty()).unwrap();
    let server = Server::start(&["--workers", "2"]).await;
    fcntl_setfd(secret.as_file(), FdFlags::CLOEXEC).unwrap();
    let id = server.accepted(book("Open", 40), "").await;
    server.finished(&id).await;
    let open = |pid: u32| -> Vec<String> {
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let links = descriptors.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        links.map(|link| link.to_string_lossy().into_owned()).collect()
    };
    let secret = secret.path().to_string_lossy().into_owned();
    assert!(open(server.id()).contains(&secret), "the server has it");
    let readers = server.children();
    assert!(!readers.is_empty());
    for pid in readers {
        let open = open(pid);
        let sockets: std::collections::BTreeSet<_> = open.iter().filter(|link| link.starts_with("socket:")).collect();
        assert_eq!(sockets.len(), 1, "the one to its owner: {open:?}");
        let given = |link: &String| {
            let own = ["socket:", "pipe:", "/dev/null"].iter().any(|own| link.starts_with(own));
            own || link.contains("source.pdf") || link.contains("blob-")
        };
        assert!(open.iter().all(given), "{open:?}");
    }
}
