//! PDFs on their way in: what counts for whom, how slow they may be, and what their files are called.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::{Server, answer, files};
use crate::support::{eventually, soon, until};

const ANN: &str = "ann-has-this-key";
const BOB: &str = "bob-has-this-key";
const KEYS: [&str; 4] = ["--api-key", "ann=ann-has-this-key", "--api-key", "bob=bob-has-this-key"];

async fn post(server: &Server, key: &str, path: &str, pdf: Vec<u8>) -> (u16, Value) {
    let request = server.request("POST", path).bearer_auth(key).header("content-type", "application/pdf");
    answer(request.body(pdf)).await
}

/// The beginning of an upload that says to have so many bytes.
async fn begun(server: &Server, path: &str, bytes: u32) -> TcpStream {
    let address = server.url.trim_start_matches("http://");
    let mut stream = soon("a connection", TcpStream::connect(address)).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {ANN}\r\ncontent-type: application/pdf\r\n\
         content-length: {bytes}\r\n\r\n%PDF-1.4\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The same once it counts, so that there is no room for an estimate of `pdf`.
async fn counted(server: &Server, path: &str, bytes: u32, pdf: &[u8]) -> TcpStream {
    let mut upload = begun(server, path, bytes).await;
    let counts = async || {
        let (status, problem) = post(server, ANN, "/v1/estimate", pdf.to_vec()).await;
        // It may have found an estimate before it, for which there was room.
        if upload.try_read(&mut [0; 1]).is_ok() {
            upload = begun(server, path, bytes).await;
            return false;
        }
        assert!(status != 429 || problem["code"] == "quota_exceeded", "{problem}");
        status == 429
    };
    until("the upload to count", counts).await;
    upload
}

/// Asks for estimates until one is answered so.
async fn estimates_are(server: &Server, status: u16) -> Value {
    let asked = async || {
        let (got, body) = post(server, ANN, "/v1/estimate", book("Estimate", 1)).await;
        (got == status).then_some(body)
    };
    eventually("another answer to an estimate", asked).await
}

#[tokio::test]
async fn uploads_under_way_count_until_they_end() {
    let server = Server::start(&[&KEYS[..], &["--tenant-tasks", "1", "--tenant-bytes", "1M"]].concat()).await;
    for path in ["/v1/tasks", "/v1/estimate"] {
        let upload = counted(&server, path, 900_000, &book("Estimate", 1)).await;
        assert_eq!(post(&server, ANN, "/v1/tasks", book("Beside", 1)).await.0, 429, "{path}");
        assert_eq!(post(&server, BOB, "/v1/estimate", book("Beside", 1)).await.0, 200, "another's quota is its own");
        drop(upload);
        estimates_are(&server, 200).await;
    }
    let (status, task) = post(&server, ANN, "/v1/tasks", book("After", 1)).await;
    assert_eq!(status, 202, "{task}");
}

#[tokio::test]
async fn bytes_under_way_count_whether_they_are_said_or_come() {
    let server = Server::start(&[&KEYS[..], &["--tenant-bytes", "1M"]].concat()).await;
    let padded = |bytes: usize| [book("Padded", 1), vec![b' '; bytes]].concat();
    let upload = counted(&server, "/v1/tasks", 900_000, &padded(300_000)).await;
    assert_eq!(post(&server, ANN, "/v1/estimate", book("Small", 1)).await.0, 200, "there is room for it");
    drop(upload);
    until("the upload to end", async || post(&server, ANN, "/v1/estimate", padded(300_000)).await.0 == 200).await;
    // Without a length, it is refused where it goes beyond.
    let chunks = (0..80).map(|_| Ok::<_, std::io::Error>([&b"%PDF-1.4\n"[..], &[b' '; 16_000]].concat()));
    let request = server.request("POST", "/v1/tasks").bearer_auth(ANN).header("content-type", "application/pdf");
    // The server answers in the middle of the upload; some clients see only that it hung up.
    if let Ok(response) = request.body(reqwest::Body::wrap_stream(futures::stream::iter(chunks))).send().await {
        assert_eq!(response.status(), 429);
    }
    let (status, problem) = post(&server, ANN, "/v1/tasks", padded(1_100_000)).await;
    assert_eq!((status, &problem["code"]), (429, &"quota_exceeded".into()), "{problem}");
    until("nothing to be left", async || files(server.data()).is_empty()).await;
}

#[tokio::test]
async fn an_equal_submit_gives_back_what_was_counted_for_it() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--tenant-tasks", "2", "--tenant-pages", "6"];
    let server = Server::start(&[&KEYS[..], &endpoint].concat()).await;
    let (status, first) = post(&server, ANN, "/v1/tasks?processor=llm", book("Equal", 3)).await;
    assert_eq!(status, 202, "{first}");
    for _ in 0..5 {
        let (status, again) = post(&server, ANN, "/v1/tasks?processor=llm", book("Equal", 3)).await;
        assert_eq!((status, &again["id"]), (200, &first["id"]), "{again}");
    }
    // Neither what is refused keeps anything.
    for _ in 0..5 {
        assert_eq!(post(&server, ANN, "/v1/tasks?pages=9", book("Equal", 3)).await.0, 422);
    }
    let (status, other) = post(&server, ANN, "/v1/tasks?processor=llm", book("Other", 3)).await;
    assert_eq!(status, 202, "{other}");
}

#[tokio::test]
async fn pages_are_counted_before_a_task_is_accepted() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--tenant-pages", "5"];
    let server = Server::start(&[&KEYS[..], &endpoint].concat()).await;
    let (status, problem) = post(&server, ANN, "/v1/tasks?processor=llm", book("Long", 6)).await;
    assert_eq!((status, &problem["code"]), (429, &"quota_exceeded".into()), "also when there is no other: {problem}");
    assert!(problem["detail"].as_str().unwrap().contains("choose fewer pages"), "waiting does not help: {problem}");
    assert_eq!(post(&server, ANN, "/v1/tasks?processor=llm&pages=1", book("Long", 6)).await.0, 202);
    // Those that come together are not looked at before any of them counts.
    let submits =
        (0..8).map(|number| post(&server, ANN, "/v1/tasks?processor=llm", book(&format!("At once {number}"), 2)));
    let answers = futures::future::join_all(submits).await;
    let accepted = answers.iter().filter(|(status, _)| *status == 202).count();
    assert_eq!(accepted, 2, "1 + 2 + 2 pages: {answers:?}");
    assert!(answers.iter().all(|(status, _)| [202, 429].contains(status)), "{answers:?}");
}

#[tokio::test]
async fn an_upload_that_trickles_ends() {
    let server = Server::start(&[&KEYS[..], &["--upload-timeout", "1s"]].concat()).await;
    let mut slow = begun(&server, "/v1/tasks", 900_000).await;
    let (mut from, mut to) = slow.split();
    let mut said = Vec::new();
    let mut pause = tokio::time::interval(Duration::from_millis(100));
    let trickle = async {
        loop {
            pause.tick().await;
            if to.write_all(b" ").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    let answered = futures::future::select(Box::pin(trickle), Box::pin(from.read_to_end(&mut said)));
    drop(soon("an answer to a trickle", answered).await);
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("\"upload_stalled\""), "{said}");
    until("nothing to be left", async || files(server.data()).is_empty()).await;
}

#[tokio::test]
async fn names_outside_ascii_come_in_and_go_out_whole() {
    let server = Server::start(&[]).await;
    for (disposition, name, fallback, extended) in [
        (r#"filename="a.pdf""#, "a.pdf", "a.md", None),
        (
            r#"filename="Übersicht „1“.pdf""#,
            "Übersicht „1“.pdf",
            "_bersicht _1_.md",
            Some("%C3%9Cbersicht%20%E2%80%9E1%E2%80%9C.md"),
        ),
        (
            r#"filename="x.pdf"; filename*=UTF-8''%E5%A0%B1%E5%91%8A.pdf"#,
            "報告.pdf",
            "__.md",
            Some("%E5%A0%B1%E5%91%8A.md"),
        ),
        (r"filename*=ISO-8859-1'de'%FCber.pdf", "über.pdf", "_ber.md", Some("%C3%BCber.md")),
    ] {
        let mut body =
            format!("--b\r\nContent-Disposition: form-data; name=\"file\"; {disposition}\r\n\r\n").into_bytes();
        body.extend(book(name, 1));
        body.extend(b"\r\n--b--\r\n");
        let request = server.request("POST", "/v1/tasks").header("content-type", "multipart/form-data; boundary=b");
        let (status, task) = answer(request.body(body)).await;
        assert_eq!((status, &task["file_name"]), (202, &name.into()), "{disposition}");
        let id = task["id"].as_str().unwrap();
        server.finished(id).await;
        let result = server.request("GET", &format!("/v1/tasks/{id}/result")).send().await.unwrap();
        let sent = result.headers()["content-disposition"].to_str().expect("ASCII alone").to_owned();
        let wanted = extended.map_or_else(String::new, |name| format!("; filename*=UTF-8''{name}"));
        assert_eq!(sent, format!("inline; filename=\"{fallback}\"{wanted}"));
    }
}

fn form(head: &[u8], document: &[u8]) -> Vec<u8> {
    [b"--b\r\nContent-Disposition: form-data; ", head, b"\r\n\r\n", document, b"\r\n--b--\r\n"].concat()
}

#[tokio::test]
async fn names_in_other_encodings_are_taken() {
    let server = Server::start(&[]).await;
    let send = async |body: Vec<u8>| {
        let request = server.request("POST", "/v1/tasks").header("content-type", "multipart/form-data; boundary=b");
        answer(request.body(body)).await
    };
    for (name, taken) in [(&b"Gr\xf6\xdfe.pdf"[..], "Größe.pdf"), (b"\xce\xf2\xf7\xb8\xf2.pdf", "Îò÷¸ò.pdf")] {
        let head = [b"name=\"file\"; filename=\"", name, b"\""].concat();
        let (status, task) = send(form(&head, &book(taken, 1))).await;
        assert_eq!((status, &task["file_name"]), (202, &taken.into()), "{task}");
        // The document is the same bytes all the same.
        let id = task["id"].as_str().unwrap();
        assert_eq!(server.finished(id).await["status"], "completed");
    }
    let (status, problem) = send(form(b"name=\"files\"; filename=\"a.pdf\"", &book("Astray", 1))).await;
    let detail = problem["detail"].as_str().unwrap();
    assert!(status == 422 && detail.contains("\"files\"") && detail.contains("the field `file`"), "{problem}");
}

#[tokio::test]
async fn what_leads_nowhere_has_a_name_too() {
    let server = Server::start(&[]).await;
    for path in ["/nothing/here", "/v1/tasks/", "/v2/tasks"] {
        let response = server.request("GET", path).header("x-request-id", "mine-7").send().await.unwrap();
        let (status, id) = (response.status().as_u16(), response.headers()["x-request-id"].clone());
        let problem: Value = response.json().await.unwrap();
        assert_eq!((status, id.to_str().unwrap()), (404, "mine-7"), "{path}");
        assert_eq!((&problem["code"], &problem["request_id"]), (&"no_such_route".into(), &"mine-7".into()), "{path}");
    }
}
