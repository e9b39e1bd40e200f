//! Web pages of other origins: which may use the API, and what they see of it.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::browser::Browser;
use crate::support::pdf::book;
use crate::support::server::{Server, bindery, fresh_data, told};
use crate::support::soon;

const KEY: &str = "ann=a-key-of-ann";

/// What a browser asks before it sends a page's request.
async fn preflight(server: &Server, path: &str, origin: &str, method: &str) -> reqwest::Response {
    let asked = server.request("OPTIONS", path).header("origin", origin);
    let asked = asked.header("access-control-request-method", method);
    let headers = "authorization,content-type,idempotency-key,range,x-api-key,mcp-protocol-version";
    asked.header("access-control-request-headers", headers).send().await.unwrap()
}

fn header<'a>(response: &'a reqwest::Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn pages_of_named_origins_may_use_every_interface_and_no_others() {
    let named = ["--cors-origin", "https://app.example.org", "--cors-origin", "http://localhost:3000"];
    let server = Server::start(&[&["--api-key", KEY][..], &named].concat()).await;
    for (path, method) in [
        ("/v1/tasks", "POST"),
        ("/v1/tasks/x/result", "GET"),
        ("/v1/tasks/x", "DELETE"),
        ("/mcp", "POST"),
        ("/v1/convert/file", "POST"),
        ("/v1/ocr", "POST"),
        ("/tika", "PUT"),
        ("/process", "PUT"),
        ("/api/v2/parse", "POST"),
    ] {
        let agreed = preflight(&server, path, "http://localhost:3000", method).await;
        assert_eq!(agreed.status(), 200, "{path}");
        assert_eq!(header(&agreed, "access-control-allow-origin"), "http://localhost:3000", "{path}");
        assert!(header(&agreed, "access-control-allow-methods").contains(method), "{path}");
        for name in ["authorization", "content-type", "idempotency-key", "range"] {
            assert!(header(&agreed, "access-control-allow-headers").contains(name), "{path}: {name}");
        }
        assert_eq!(header(&agreed, "access-control-max-age"), "3600");
        assert!(header(&agreed, "vary").contains("Origin"));
        assert!(!agreed.headers().contains_key("access-control-allow-credentials"), "the browser's own are never sent");
        let refused = preflight(&server, path, "https://evil.example", method).await;
        assert_eq!(refused.status(), 400, "{path}");
        assert!(!refused.headers().contains_key("access-control-allow-origin"), "{path}");
    }
    // A refusal can be read, too: a page could not say otherwise that its key is wrong.
    let refused = server.request("GET", "/v1/tasks").header("origin", "https://app.example.org").send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), header(&refused, "access-control-allow-origin")),
        (401, "https://app.example.org")
    );
    let exposed = header(&refused, "access-control-expose-headers");
    assert!(exposed.contains("www-authenticate") && exposed.contains("x-request-id"), "{exposed}");
    let other = server.request("GET", "/healthz").header("origin", "https://evil.example").send().await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    assert!(header(&other, "vary").contains("Origin"), "what one page may read is not kept for another");
}

#[tokio::test]
async fn without_the_option_no_other_page_may_use_it() {
    let server = Server::start(&["--api-key", KEY]).await;
    let asked = preflight(&server, "/v1/tasks", "http://localhost:3000", "POST").await;
    assert_eq!(asked.status(), 405);
    let answer = server.request("GET", "/healthz").header("origin", "http://localhost:3000").send().await.unwrap();
    let named = answer.headers().keys().find(|name| name.as_str().starts_with("access-control-"));
    assert!(named.is_none() && !header(&answer, "vary").contains("Origin"), "{named:?}");
}

#[tokio::test]
async fn every_origin_is_let_in_by_a_star_where_there_are_keys() {
    let variables = [("BINDERY_API_KEYS", KEY), ("BINDERY_CORS_ORIGINS", "*")];
    let server = Server::start_on(fresh_data(), &[], &variables).await;
    let agreed = preflight(&server, "/v1/tasks", "https://any.example", "POST").await;
    assert_eq!(header(&agreed, "access-control-allow-origin"), "*");
    assert!(!agreed.headers().contains_key("access-control-allow-credentials"));
    for (arguments, said) in [
        (&["--cors-origin", "*"][..], "cors-origin: * lets every web page use a server that has no keys"),
        (
            &["--cors-origin", "https://h/app"],
            "cors-origin: \"https://h/app\" is not an origin: write SCHEME://HOST[:PORT], without a path",
        ),
        (&["--cors-origin", "null"], "any page can have the origin null"),
    ] {
        let data = fresh_data();
        let mut command = bindery(data.path());
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
        let (code, _, err) = told(soon("the refusal", command.output()).await.unwrap());
        assert!(code != 0 && err.contains(said), "{arguments:?}: {code} {err}");
    }
}

#[tokio::test]
async fn a_server_without_keys_lets_named_pages_write_and_no_page_listen_in() {
    let server = Server::start(&["--cors-origin", "http://localhost:3000"]).await;
    for (origin, status) in [("http://localhost:3000", 422), ("http://localhost:3001", 403)] {
        let asked = server.request("POST", "/v1/tasks").header("origin", origin).header("sec-fetch-site", "cross-site");
        assert_eq!(asked.send().await.unwrap().status(), status, "{origin}");
    }
    // A WebSocket's messages are any page's to read that may open it.
    let id = server.accepted(book("Socket", 1), "").await;
    server.finished(&id).await;
    for (origin, status) in [("http://localhost:3000", 101), ("http://localhost:3001", 403)] {
        let asked = server.request("GET", &format!("/v1/status/ws/{id}")).header("origin", origin);
        let asked = asked.header("upgrade", "websocket").header("connection", "upgrade");
        let asked = asked.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(asked.send().await.unwrap().status(), status, "{origin}");
    }
}

/// Serves an empty page to everyone.
async fn empty_page() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4_096]).await;
            let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\nconnection: close\r\n\r\n<!doctype html>";
            let _ = stream.write_all(page.as_bytes()).await;
        }
    });
    port
}

/// What a page of another service would do: submit a document, follow it, and read a part of its result.
const USES_IT: &str = "
    const [server, pdf] = arguments_of_test, said = {};
    const headers = { authorization: 'Bearer a-key-of-ann' };
    (async () => {
        const body = Uint8Array.from(atob(pdf), c => c.charCodeAt(0));
        const sent = await fetch(`${server}/v1/tasks?file_name=a.pdf`, { method: 'POST', body,
            headers: { ...headers, 'content-type': 'application/pdf', 'idempotency-key': 'one' } });
        said.status = sent.status;
        const task = server + sent.headers.get('location');
        const events = await (await fetch(`${task}/events`, { headers })).text();
        said.ended = events.includes('event: end');
        const part = await fetch(`${task}/result`, { headers: { ...headers, range: 'bytes=0-4' } });
        said.part = [part.status, await part.text(), part.headers.get('content-range') !== null,
            part.headers.get('etag') !== null, part.headers.get('content-disposition') !== null];
        const wrong = await fetch(`${server}/v1/tasks`, { headers: { authorization: 'Bearer wrong' } });
        said.wrong = [wrong.status, (await wrong.json()).code];
    })().catch(why => { said.refused = String(why); }).finally(() => { window.said = said; });
";

#[tokio::test]
async fn a_browser_lets_a_page_of_a_named_origin_read_everything_and_another_nothing() {
    let port = empty_page().await;
    let named = format!("http://127.0.0.1:{port}");
    let server = Server::start(&["--api-key", KEY, "--cors-origin", &named]).await;
    let browser = Browser::open(800, 600, false).await;
    let pdf = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, book("Other", 2));
    let script = format!("const arguments_of_test = {};{USES_IT}", json!([server.url, pdf]));
    browser.go(&named).await;
    browser.run(&script).await;
    browser.until("window.said").await;
    let range = [json!(206), json!("<!-- "), json!(true), json!(true), json!(true)];
    let expected = json!({ "status": 202, "ended": true, "part": range, "wrong": [401, "unauthorized"] });
    assert_eq!(browser.run("return window.said").await, expected);
    // The same page under another name is of another origin.
    browser.go(&format!("http://localhost:{port}")).await;
    browser.run(&script).await;
    browser.until("window.said").await;
    let refused = browser.run("return window.said").await;
    assert_eq!(refused, json!({ "refused": "TypeError: Failed to fetch" }));
    assert_eq!(
        server
            .request("GET", "/v1/tasks")
            .bearer_auth("a-key-of-ann")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
            .matches("\"id\"")
            .count(),
        1
    );
    browser.close().await;
}
