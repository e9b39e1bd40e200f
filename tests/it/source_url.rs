//! Documents that are fetched from addresses: what may be fetched, what comes of it, on every interface.

use serde_json::{Value, json};

use crate::support::files::{File, Files};
use crate::support::pdf::book;
use crate::support::server::{Server, answer};

/// Allows the tests' own server of files.
const ALLOWED: [&str; 2] = ["--source-hosts", "127.0.0.1"];

fn pdf(title: &str) -> File {
    File::new(book(title, 2))
}

fn encoded(url: &str) -> String {
    url.replace(':', "%3A").replace('/', "%2F").replace('?', "%3F")
}

#[tokio::test]
async fn a_document_at_an_address_is_a_task_like_any_other() {
    let files = Files::start([
        ("/a%20paper.pdf", pdf("Fetched")),
        ("/named", pdf("Named").header("content-disposition", "attachment; filename=\"report.pdf\"")),
        ("/moved", File::redirect("/again")),
        ("/again", File::redirect("/a%20paper.pdf")),
    ])
    .await;
    let server = Server::start(&ALLOWED).await;
    let submit = async |url: &str, more: &str| {
        let path = format!("/v1/tasks?wait=60&source_url={}{more}", encoded(url));
        answer(server.request("POST", &path)).await
    };
    let (status, task) = submit(&files.url("/a%2520paper.pdf"), "").await;
    assert_eq!(
        (status, &task["status"], &task["file_name"]),
        (200, &"completed".into(), &"a paper.pdf".into()),
        "{task}"
    );
    let id = task["id"].as_str().unwrap().to_owned();
    // The same document by another way is the same task.
    for (path, more) in [("/moved", ""), ("/a%2520paper.pdf", "&file_name=x.pdf")] {
        let (status, again) = submit(&files.url(path), more).await;
        assert_eq!((status, &again["id"]), (200, &id.as_str().into()), "{again}");
    }
    let (_, named) = submit(&files.url("/named"), "").await;
    assert_eq!(named["file_name"], "report.pdf", "{named}");
    let field =
        |name: &str, value: &str| format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    let form = [field("source_url", &files.url("/named")), field("pages", "2"), "--b--\r\n".into()].concat();
    let asked =
        server.request("POST", "/v1/convert?format=json").header("content-type", "multipart/form-data; boundary=b");
    let (status, second) = answer(asked.body(form)).await;
    assert_eq!((status, &second["pages"][0]["page"]), (200, &2.into()), "{second}");
    let (status, estimate) =
        answer(server.request("POST", &format!("/v1/estimate?source_url={}", encoded(&files.url("/named"))))).await;
    assert_eq!((status, &estimate["pages"]), (200, &2.into()), "{estimate}");
}

#[tokio::test]
async fn every_interface_takes_addresses() {
    let files = Files::start([("/a.pdf", pdf("Wired").wants("x-token", "secret"))]).await;
    let plain = Files::start([("/a.pdf", pdf("Wired"))]).await;
    let server = Server::start(&ALLOWED).await;
    let docling = json!({ "sources": [{ "kind": "http", "url": files.url("/a.pdf"), "headers": { "X-Token": "secret" } }],
        "options": { "to_formats": ["md"] }, "target": { "kind": "inbody" } });
    let (status, said) = answer(server.request("POST", "/v1/convert/source").json(&docling)).await;
    assert!(status == 200 && said["document"]["md_content"].as_str().unwrap().contains("Wired page 2"), "{said}");
    assert_eq!(said["document"]["filename"], "a.pdf");
    let mistral = json!({ "model": "m", "document": { "type": "document_url", "document_url": plain.url("/a.pdf") }, "pages": [1] });
    let (status, said) = answer(server.request("POST", "/v1/ocr").json(&mistral)).await;
    assert_eq!((status, &said["pages"][0]["index"]), (200, &1.into()), "{said}");
    let llama = json!({ "source_url": plain.url("/a.pdf"), "tier": "fast", "version": "latest", "user_metadata": { "a": "b" } });
    let (status, said) = answer(server.request("POST", "/api/v2/parse").json(&llama)).await;
    assert_eq!((status, &said["name"], &said["user_metadata"]["a"]), (200, &"a.pdf".into(), &"b".into()), "{said}");
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "submit", "arguments": { "url": plain.url("/a.pdf") } } });
    let (_, said) = answer(server.request("POST", "/mcp").json(&call)).await;
    assert!(said["result"]["content"][0]["text"].as_str().unwrap().contains("2 pages"), "{said}");
    let tools = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let properties = |said: &Value| said["result"]["tools"][0]["inputSchema"]["properties"].clone();
    assert!(properties(&answer(server.request("POST", "/mcp").json(&tools)).await.1)["url"].is_object());
    let closed = Server::start(&[]).await;
    assert!(properties(&answer(closed.request("POST", "/mcp").json(&tools)).await.1)["url"].is_null());
}

#[tokio::test]
async fn what_is_not_allowed_or_not_there_is_said_and_leaves_nothing() {
    let files = Files::start([
        ("/gone.pdf", File::status("404 Not Found")),
        ("/busy.pdf", File::status("503 Service Unavailable")),
        ("/text.pdf", File::new(b"this is no PDF\n".repeat(200))),
        ("/inside", File::redirect("http://localhost:1/secret")),
        ("/around", File::redirect("/around")),
        ("/cut.pdf", pdf("Cut").cut(700)),
        ("/large.pdf", pdf("Large").claims(600 << 20)),
    ])
    .await;
    let server = Server::start(&ALLOWED).await;
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nothing_there = format!("http://127.0.0.1:{unused}/a.pdf");
    for (url, status, code, says) in [
        (files.url("/gone.pdf"), 422, "source_unavailable", "404"),
        (files.url("/busy.pdf"), 503, "source_unavailable", "503"),
        (files.url("/text.pdf"), 422, "not_a_pdf", ""),
        (files.url("/inside"), 422, "source_url_refused", "source-hosts"),
        (files.url("/around"), 422, "source_unavailable", "redirections"),
        (files.url("/cut.pdf"), 503, "source_unavailable", "broke off"),
        (files.url("/large.pdf"), 413, "pdf_too_large", ""),
        (nothing_there, 503, "source_unavailable", "cannot be fetched"),
        ("https://example.org/a.pdf".into(), 422, "source_url_refused", "source-hosts"),
        ("file:///etc/passwd".into(), 422, "source_url_refused", "https://"),
        ("http://user:word@127.0.0.1/".into(), 422, "source_url_refused", "user name"),
        ("nonsense".into(), 422, "source_url_refused", "not a URL"),
    ] {
        let asked = server.request("POST", &format!("/v1/tasks?source_url={}", encoded(&url)));
        let (was, problem) = answer(asked).await;
        assert_eq!((was, &problem["code"]), (status, &code.into()), "{url}: {problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{url}: {problem}");
        assert!(!problem.to_string().contains(&unused.to_string()), "names no port: {problem}");
    }
    for (body, query) in [(book("Both", 1), "source_url=https%3A%2F%2Fexample.org"), (Vec::new(), "source_url=")] {
        let asked =
            server.request("POST", &format!("/v1/tasks?{query}")).header("content-type", "application/pdf").body(body);
        let (status, problem) = answer(asked).await;
        assert_eq!(status, 422, "{problem}");
    }
    let closed = Server::start(&[]).await;
    let (status, problem) =
        answer(closed.request("POST", &format!("/v1/tasks?source_url={}", encoded(&files.url("/cut.pdf"))))).await;
    assert_eq!((status, &problem["code"]), (422, &"source_url_refused".into()), "{problem}");
    for server in [&server, &closed] {
        assert_eq!(server.get("/v1/tasks").await["tasks"], json!([]));
        assert_eq!(std::fs::read_dir(server.data().join("tasks")).map_or(0, Iterator::count), 0, "nothing is left");
    }
    let task = server.accepted(book("Own", 1), "").await;
    let (status, _) =
        answer(server.request("POST", &format!("/v1/tasks/{task}/resubmit?source_url=https%3A%2F%2Fa"))).await;
    assert_eq!(status, 422);
}
