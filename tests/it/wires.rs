//! Interfaces of other services: what their own clients make of Bindery's answers, and what those promise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::file;
use crate::support::files::{File, Files};
use crate::support::pdf::{book, locked, mixed};
use crate::support::server::{Server, answer, fresh_data};
use crate::support::tied::Tied;
use crate::support::venv::Venv;

/// The versions that these checks were written for: clients, loaders of frameworks, and what those of Open WebUI import.
const PACKAGES: [&str; 11] = [
    "docling-slim[service-client]==2.143.0",
    "mistralai==3.7.0",
    "tika==3.3.2",
    "mcp==2.3.0",
    "llama_cloud==2.19.0",
    "langchain-docling==3.0.0",
    "docling-serve-haystack==2.0.0",
    "fastapi==0.136.3",
    "ftfy==6.3.1",
    "requests",
    "aiohttp",
];
/// Open WebUI itself is a hundred packages; its loaders are read from its own alone.
const OPEN_WEBUI: &str = "open-webui==0.12.4";

static CLIENTS: Venv = Venv::new("clients", &PACKAGES);

/// A Python that has the clients; `None` where they cannot be installed.
async fn python() -> Option<PathBuf> {
    CLIENTS.program("python").await
}

/// A server whose model is shown pictures of pages, and that gives up what it cannot read.
async fn seeing(llm: &FakeLlm) -> Server {
    let arguments = ["--llm-base-url", &*llm.url, "--llm-model", "m", "--llm-fallback", "none", "--llm-input", "image"];
    Server::start_on(fresh_data(), &arguments, &[]).await
}

async fn send(server: &Server, method: &str, path: &str, body: Vec<u8>) -> (u16, Value) {
    answer(server.request(method, path).header("content-type", "application/pdf").body(body)).await
}

/// What docling's clients send for a document.
fn source(pdf: &[u8]) -> Value {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(pdf);
    json!({ "sources": [{ "kind": "file", "base64_string": text, "filename": "a.pdf" }],
            "options": { "to_formats": ["md", "html", "doctags"], "md_page_break_placeholder": "<break>" },
            "target": { "kind": "inbody" } })
}

#[tokio::test]
async fn unmodified_clients_read_the_right_text_and_raise_what_they_should() {
    let Some(python) = python().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let two = file(folder.path(), "two pages.pdf", book("Clients", 2));
    let bad = file(folder.path(), "bad.pdf", b"this is no PDF at all\n".repeat(100));
    let locked = file(folder.path(), "locked.pdf", locked("Locked", 1, "secret"));
    let server = Server::start(&["--api-key", "ann=key-of-ann"]).await;
    let mut command = Command::new(python);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/wires/clients.py");
    command.arg(script).args([&server.url, "key-of-ann"]).args([two, bad, locked]).tied();
    let done = tokio::time::timeout(Duration::from_secs(180), command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(said.lines().collect::<Vec<_>>(), ["docling", "mistral", "tika", "llama_cloud"]);
}

#[tokio::test]
async fn loaders_of_frameworks_read_the_right_text_and_raise_what_they_should() {
    let Some((python, wheel)) = loaders().await else {
        eprintln!("skipped: PyPI cannot be reached, so there are no loaders");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let two = file(folder.path(), "two.pdf", book("Loaders", 2));
    let bad = file(folder.path(), "bad.pdf", b"this is no PDF at all\n".repeat(100));
    let (server, open) = (Server::start(&["--api-key", "ann=key-of-ann"]).await, Server::start(&[]).await);
    let mut command = Command::new(python);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/wires/loaders.py");
    command.arg(script).args([&server.url, "key-of-ann", &open.url]).args([two, bad]).arg(wheel).tied();
    let done = tokio::time::timeout(Duration::from_secs(180), command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(said.lines().collect::<Vec<_>>(), ["langchain", "haystack", "open_webui"]);
}

/// A Python that has the loaders, and the package of Open WebUI.
async fn loaders() -> Option<(PathBuf, PathBuf)> {
    let python = python().await?;
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("open-webui");
    let wheel = || {
        std::fs::read_dir(&place)
            .ok()?
            .filter_map(Result::ok)
            .map(|file| file.path())
            .find(|path| path.extension().is_some_and(|ending| ending == "whl"))
    };
    if wheel().is_none() {
        let mut pip = Command::new(python.with_file_name("pip"));
        pip.args(["download", "-q", "--retries", "1", "--no-deps", "-d"]).arg(&place).arg(OPEN_WEBUI);
        if !pip.status().await.unwrap().success() {
            return None;
        }
    }
    Some((python, wheel()?))
}

#[tokio::test]
async fn a_client_of_the_model_context_protocol_reads_piece_by_piece() {
    let Some(python) = python().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let pdf = folder.path().join("manual.pdf");
    std::fs::write(&pdf, book("Manual", 40)).unwrap();
    let server = Server::start(&["--api-key", "ann=key-of-ann"]).await;
    let mut command = Command::new(python);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/wires/mcp_client.py");
    command.arg(script).args([&server.url, "key-of-ann"]).arg(&pdf);
    command.arg(env!("CARGO_BIN_EXE_bindery")).arg(folder.path().join("data")).tied();
    let done = tokio::time::timeout(Duration::from_secs(180), command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(said.lines().collect::<Vec<_>>(), ["http auto", "http legacy", "stdio auto", "stdio legacy"]);
}

/// Asks a tool over HTTP; the text that it answers.
async fn tool(server: &Server, name: &str, arguments: Value) -> String {
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": name, "arguments": arguments } });
    let (status, said) = answer(server.request("POST", "/mcp").json(&call)).await;
    assert_eq!(status, 200, "{said}");
    said["result"]["content"][0]["text"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_model_hears_of_progress_and_of_pages_that_were_not_read() {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Hold]));
    let server = seeing(&llm).await;
    let call = json!({ "jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": { "name": "submit",
        "arguments": { "base64": source(&mixed())["sources"][0]["base64_string"], "wait": 60 },
        "_meta": { "progressToken": "news" } } });
    let request = server.request("POST", "/mcp").header("accept", "application/json, text/event-stream").json(&call);
    let open = async {
        llm.until(|books| books.held == 1).await;
        llm.open();
    };
    let (streamed, ()) = tokio::join!(async { request.send().await.unwrap().text().await.unwrap() }, open);
    let messages: Vec<Value> = streamed
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (last, news) = messages.split_last().unwrap();
    assert!(news.iter().any(|message| message["params"]["progressToken"] == "news"), "{streamed}");
    assert_eq!(last["id"], 7, "{streamed}");
    let map = last["result"]["content"][0]["text"].as_str().unwrap();
    assert!(map.contains("- 2: llm") && map.contains("- 3"), "{map}");

    let failing = FakeLlm::start(Script::default().otherwise(Answer::Status(400, None)));
    let server = seeing(&failing).await;
    let document = source(&mixed())["sources"][0]["base64_string"].clone();
    let map = tool(&server, "submit", json!({ "base64": document })).await;
    assert!(map.contains("1 failed") && map.contains("- 2: failed: "), "{map}");
    let task = &map["task ".len()..][..36];
    let nowhere = tool(&server, "search", json!({ "task": task, "query": "unicorn" })).await;
    assert!(nowhere.contains("1 of its pages have not been read"), "{nowhere}");
    assert!(tool(&server, "read", json!({ "task": task, "pages": "2" })).await.contains("<!-- page 2: failed: "));
}

#[tokio::test]
async fn a_message_that_is_none_is_said_to_be_none() {
    let server = Server::start(&[]).await;
    let ask = |body: Value| answer(server.request("POST", "/mcp").json(&body));
    for (body, code) in [
        (json!([]), -32600),
        (json!({ "id": 1 }), -32600),
        (json!({ "id": 1, "method": "nonsense" }), -32601),
        (json!({ "id": 1, "method": "tools/call", "params": { "name": "nonsense" } }), -32602),
        (
            json!({ "id": 1, "method": "ping", "params": { "_meta": { "io.modelcontextprotocol/protocolVersion": "1999-01-01" } } }),
            -32022,
        ),
    ] {
        let (status, said) = ask(body.clone()).await;
        assert_eq!((status, &said["error"]["code"]), (200, &code.into()), "{body}");
    }
    let news = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    assert_eq!(ask(news).await.0, 202);
    let (status, _) = answer(server.request("POST", "/mcp").body("{")).await;
    assert_eq!(status, 400);
    assert_eq!(server.ask("GET", "/mcp").await.0, 405);
}

#[tokio::test]
async fn a_page_that_was_not_read_is_declared_on_every_wire() {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Status(400, None)]));
    let server = seeing(&llm).await;
    let pdf = mixed();

    let (status, said) = answer(server.request("POST", "/v1/convert/source").json(&source(&pdf))).await;
    assert_eq!((status, &said["status"]), (200, &"partial_success".into()), "{said}");
    let errors = said["errors"].as_array().unwrap();
    assert_eq!(
        (errors.len(), &errors[0]["page_no"], &errors[1]["page_no"]),
        (2, &Value::Null, &2.into()),
        "{errors:?}"
    );
    let markdown = said["document"]["md_content"].as_str().unwrap();
    let pages: Vec<&str> = markdown.split("<break>").collect();
    assert_eq!(pages.len(), 4, "{markdown}");
    assert!(pages[0].contains("page 1") && pages[1].contains("<!-- page 2: failed:") && pages[2].contains("page 3"));
    assert!(said["document"]["html_content"].as_str().unwrap().contains("Page 2: failed"));
    assert!(said["document"]["text_content"].is_null() && said["document"]["doctags_content"].is_null());
    assert_eq!(said["document"]["json_content"]["pages"].as_object().unwrap().len(), 4);

    let (_, said) = send(&server, "PUT", "/process", pdf.clone()).await;
    assert!(said[1]["page_content"].as_str().unwrap().starts_with("<!-- page 2: failed:"), "{said}");
    assert!(said[1]["metadata"]["remarks"][0].as_str().unwrap().starts_with("page 2: "), "{said}");
    assert_eq!((&said[2]["metadata"]["page"], said[2]["metadata"]["remarks"].is_null()), (&3.into(), true));

    let (_, said) = send(&server, "PUT", "/tika/json/md", pdf.clone()).await;
    assert!(said["tk:content"].as_str().unwrap().contains("<!-- page 2: failed:"), "{said}");
    assert_eq!(said["X-TIKA:EXCEPTION:warn"].as_array().unwrap().len(), 1);

    let (_, file) = answer(server.request("POST", "/v1/ocr").json(&json!({ "document": { "type": "document_url",
        "document_url": format!("data:application/pdf;base64,{}", source(&pdf)["sources"][0]["base64_string"].as_str().unwrap()) } }))).await;
    assert!(file["pages"][1]["markdown"].as_str().unwrap().starts_with("<!-- page 2: failed:"), "{file}");
}

#[tokio::test]
async fn a_page_is_paid_once_whatever_wires_ask_for_it() {
    let llm = FakeLlm::start(Script::default());
    let server = seeing(&llm).await;
    let pdf = mixed();
    let json = source(&pdf);
    let docling = answer(server.request("POST", "/v1/convert/source").json(&json));
    let data = format!("data:application/pdf;base64,{}", json["sources"][0]["base64_string"].as_str().unwrap());
    let document = json!({ "document": { "type": "document_url", "document_url": data } });
    let mistral = answer(server.request("POST", "/v1/ocr").json(&document));
    let (tika, open_webui) =
        (send(&server, "PUT", "/rmeta/text", pdf.clone()), send(&server, "PUT", "/process", pdf.clone()));
    let (docling, mistral, tika, open_webui) = tokio::join!(docling, mistral, tika, open_webui);
    for (status, said) in [docling, mistral, tika, open_webui] {
        assert!(status == 200 && said.to_string().contains("Read by the fake"), "{said}");
    }
    assert_eq!(llm.calls_for(2), 1);
}

#[tokio::test]
async fn an_archive_has_the_formats_as_files() {
    let server = Server::start(&[]).await;
    let mut asked = source(&book("Archived", 2));
    asked["target"] = json!({ "kind": "zip" });
    let sent = server.request("POST", "/v1/convert/source").json(&asked).send().await.unwrap();
    assert_eq!(sent.headers()["content-type"], "application/zip");
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(sent.bytes().await.unwrap())).unwrap();
    let names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    assert_eq!(names, ["a.md", "a.json", "a.html"]);
    let mut markdown = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("a.md").unwrap(), &mut markdown).unwrap();
    assert_eq!(markdown, "Archived page 1\n\n<break>\n\nArchived page 2\n");
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_wait_loses_nothing() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let mut server = seeing(&llm).await;
    let (_, begun) = answer(server.request("POST", "/v1/convert/source/async").json(&source(&mixed()))).await;
    let id = begun["task_id"].as_str().unwrap().to_owned();
    llm.until(|books| books.held == 1).await;
    let (status, early) = server.ask("GET", &format!("/v1/result/{id}")).await;
    assert_eq!(
        (status, &early["detail"]),
        (404, &"Task result not found. Please wait for a completion status.".into())
    );
    server.kill().await;
    server.restart().await;
    llm.open();
    let polled = server.get(&format!("/v1/status/poll/{id}?wait=30")).await;
    assert_eq!(
        (&polled["task_status"], &polled["task_meta"]["num_succeeded"]),
        (&"success".into(), &1.into()),
        "{polled}"
    );
    let said = server.get(&format!("/v1/result/{id}")).await;
    assert!(said["document"]["md_content"].as_str().unwrap().contains("# Page 2"), "{said}");
    assert!(said["document"]["html_content"].is_string(), "what was asked for is kept with the task");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_the_words_of_the_wire() {
    let server = Server::start(&["--api-key", "ann=key-of-ann", "--api-key", "bob=key-of-bob"]).await;
    let keyed = |method: &str, path: &str, key: &str| server.request(method, path).header("x-api-key", key);
    let (status, said) = answer(keyed("GET", "/v1/status/poll/nonsense", "key-of-ann")).await;
    assert_eq!((status, said), (404, json!({ "detail": "Task not found." })));
    let (status, said) = answer(keyed("POST", "/v1/convert/source/async", "wrong").json(&source(b"x"))).await;
    assert_eq!((status, said["detail"].is_string()), (401, true), "{said}");

    let pdf = book("Whose", 1);
    let (_, begun) = answer(keyed("POST", "/v1/convert/source/async", "key-of-ann").json(&source(&pdf))).await;
    let id = begun["task_id"].as_str().unwrap();
    let (status, _) = answer(keyed("GET", &format!("/v1/status/poll/{id}?wait=20"), "key-of-bob")).await;
    assert_eq!(status, 404, "another's task");
    for path in [format!("/v1/files/{id}"), format!("/v1/files/{id}/url")] {
        assert_eq!(answer(keyed("GET", &path, "key-of-bob")).await.0, 404, "{path}");
    }
    let named = json!({ "document": { "type": "file", "file_id": id } });
    assert_eq!(answer(keyed("POST", "/v1/ocr", "key-of-bob").json(&named)).await.0, 404);

    let mut other = source(&pdf);
    other["target"] = json!({ "kind": "presigned_url" });
    let (status, said) = answer(keyed("POST", "/v1/convert/source", "key-of-ann").json(&other)).await;
    assert!(status == 422 && said["detail"].as_str().unwrap().contains("artifact storage to be configured"), "{said}");
    for (name, value) in [("sources", json!([])), ("sources", json!([{ "kind": "http", "url": "http://localhost/" }]))]
    {
        let mut bad = source(&pdf);
        bad[name] = value;
        let (status, said) = answer(keyed("POST", "/v1/convert/source", "key-of-ann").json(&bad)).await;
        assert_eq!((status, said["detail"].is_string()), (422, true), "{said}");
    }
    for path in [format!("/v1/status/poll/{id}?wait=nan"), format!("/v1/status/poll/{id}?wait=-inf")] {
        assert_eq!(answer(keyed("GET", &path, "key-of-ann")).await.0, 200, "{path}");
    }
    assert_eq!(answer(keyed("GET", &format!("/v1/status/ws/{id}"), "key-of-ann")).await.0, 426);
    let mut wide = source(&pdf);
    wide["options"]["md_page_break_placeholder"] = "-".repeat(2_000).into();
    assert_eq!(answer(keyed("POST", "/v1/convert/source", "key-of-ann").json(&wide)).await.0, 422);
    let (status, said) = answer(keyed("PUT", "/tika", "key-of-ann").body("nothing")).await;
    assert_eq!((status, &said["status"]), (422, &"PARSE_ERROR".into()), "{said}");
    let (status, said) = answer(keyed("PUT", "/process", "key-of-ann").body("nothing")).await;
    assert_eq!((status, &said["code"]), (422, &"not_a_pdf".into()), "{said}");
    assert_eq!(answer(keyed("GET", "/version", "key-of-ann")).await.1["bindery"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_result_goes_where_its_caller_wants_it() {
    let places =
        Files::start([("/there.zip", File::status("201 Created")), ("/refused.zip", File::status("403 Forbidden"))])
            .await;
    let server = Server::start(&["--webhook-allow", "127.0.0.1"]).await;
    let asked = |path: &str, url: String| {
        let mut asked = source(&book("Sent", 2));
        asked["target"] = json!({ "kind": "put", "url": url });
        answer(server.request("POST", path).json(&asked))
    };
    let (status, said) = asked("/v1/convert/source", places.url("/there.zip")).await;
    assert_eq!((status, &said["num_converted"], &said["num_succeeded"]), (200, &1.into(), &1.into()), "{said}");
    let sent = places.received("/there.zip").await;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(sent)).unwrap();
    let mut markdown = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("a.md").unwrap(), &mut markdown).unwrap();
    assert!(markdown.contains("Sent page 2"), "{markdown}");
    // As a task it goes when its result is asked for.
    let (_, begun) = asked("/v1/convert/source/async", places.url("/there.zip")).await;
    let id = begun["task_id"].as_str().unwrap();
    assert_eq!(server.get(&format!("/v1/status/poll/{id}?wait=30")).await["task_status"], "success");
    assert_eq!(server.get(&format!("/v1/result/{id}")).await["num_succeeded"], 1);
    for (url, status, says) in [
        (places.url("/refused.zip"), 422, "403"),
        ("http://10.0.0.1/a.zip".into(), 422, "not public"),
        ("https://127.0.0.1:1/a.zip".into(), 503, "cannot be reached"),
    ] {
        let (was, said) = asked("/v1/convert/source", url).await;
        assert_eq!(was, status, "{said}");
        assert!(said["detail"].as_str().unwrap().contains(says), "{said}");
    }
}
