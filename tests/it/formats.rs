//! A result in every format, from the server and from the command.

use lopdf::dictionary;
use serde_json::{Value, json};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{self, book};
use crate::support::server::{Server, bindery, fresh_data, run};

/// What a model writes of a page.
const ANSWER: &str = "# Loads\n\nThe sum is \\(a_1 + a_2\\).\n\n<table><tr><th colspan=\"2\">Beam</th></tr>\
    <tr><td>north</td><td>12</td></tr></table>\n\n- [x] checked";

async fn result(server: &Server, id: &str, query: &str, accept: &str) -> (u16, String, String) {
    let asked = server.request("GET", &format!("/v1/tasks/{id}/result{query}")).header("accept", accept);
    let answer = asked.send().await.unwrap();
    let media_type = answer.headers()["content-type"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), media_type, answer.text().await.unwrap())
}

#[tokio::test]
async fn what_a_model_wrote_is_there_as_blocks_and_in_every_format() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Text(ANSWER, "stop")));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Formats", 1), "processor=llm&prompt=read&page_separator=").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert_eq!(server.markdown(&id).await, format!("{ANSWER}\n"), "the Markdown is what the model wrote");

    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    let blocks = pages["pages"][0]["blocks"].as_array().unwrap();
    let kinds: Vec<&Value> = blocks.iter().map(|block| &block["kind"]).collect();
    assert_eq!(kinds, ["heading", "paragraph", "table", "list"]);
    assert_eq!(blocks[1]["text"][1], json!({"text": "a_1 + a_2", "math": true}));
    assert_eq!((&blocks[2]["rows"][0][0]["colspan"], &blocks[2]["rows"][1][1]["text"]), (&2.into(), &"12".into()));

    let (_, media_type, html) = result(&server, &id, "", "text/html,*/*").await;
    assert_eq!(media_type, "text/html; charset=utf-8");
    for part in ["<h1>Loads</h1>", "<th colspan=\"2\">Beam</th>", "<math><semantics>", "x-tex\">a_1 + a_2</annotation>"]
    {
        assert!(html.contains(part), "{part} in {html}");
    }
    let (_, media_type, text) = result(&server, &id, "?format=text", "application/json").await;
    assert_eq!(media_type, "text/plain; charset=utf-8");
    assert_eq!(text, "Loads\n\nThe sum is a_1 + a_2.\n\nBeam\nnorth\t12\n\n- ☑ checked\n");
    let (_, media_type, lines) = result(&server, &id, "?format=chunks&chunk_tokens=64", "").await;
    assert_eq!(media_type, "application/jsonl");
    let chunks: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(chunks.len(), 3, "{lines}");
    assert_eq!((&chunks[1]["headings"], &chunks[1]["header_rows"]), (&json!(["Loads"]), &1.into()));
    assert_eq!(chunks[1]["model"], "fake-model");
    assert!(chunks[0]["embed"].as_str().unwrap().starts_with("Loads\nThe sum"), "{lines}");
    let (_, media_type, whole) = result(&server, &id, "?format=json", "").await;
    assert_eq!(media_type, "application/json");
    assert_eq!(serde_json::from_str::<Value>(&whole).unwrap()["pages"][0]["blocks"], json!(blocks));

    for query in ["?format=docx", "?format=chunks&chunk_tokens=1"] {
        let (status, _, problem) = result(&server, &id, query, "").await;
        assert_eq!(status, 422, "{problem}");
        assert_eq!(serde_json::from_str::<Value>(&problem).unwrap()["code"], "bad_option");
    }
}

#[tokio::test]
async fn blocks_of_a_text_layer_say_where_they_stand_and_what_is_repeated() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Places", 4), "processor=text").await;
    server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    for page in pages["pages"].as_array().unwrap() {
        assert!(page["size"].as_array().unwrap().iter().all(|side| side.as_f64().unwrap() > 100.0), "{page}");
        for block in page["blocks"].as_array().unwrap() {
            let sides: Vec<f64> = block["bbox"].as_array().unwrap().iter().map(|side| side.as_f64().unwrap()).collect();
            assert!(sides.iter().all(|side| (0.0..=1.0).contains(side)), "{block}");
            assert!(sides[0] < sides[2] && sides[1] < sides[3], "{block}");
        }
    }
    let partial =
        server.request("GET", &format!("/v1/tasks/{id}/result?format=html&partial=true")).send().await.unwrap();
    assert_eq!(partial.headers()["bindery-pages"], "4/4");
    assert_eq!(partial.text().await.unwrap().matches("<section").count(), 4);
}

#[tokio::test]
async fn what_a_document_says_of_itself_stands_before_its_pages_and_with_its_task() {
    let mut pdf = lopdf::Document::load_mem(&book("Described", 1)).unwrap();
    let info = dictionary! {
        "Title" => lopdf::Object::string_literal("A \\\"quoted\\\" title"),
        "Author" => lopdf::text_string("Jürgen Müller"),
        "CreationDate" => lopdf::Object::string_literal("D:20240503101112+02'00'"),
    };
    let info = pdf.add_object(info);
    pdf.trailer.set("Info", info);
    let mut bytes = Vec::new();
    pdf.save_to(&mut bytes).unwrap();
    let server = Server::start(&[]).await;
    let query = "processor=text&front_matter=true&file_name=described.pdf";
    let id = server.accepted(bytes, query).await;
    let task = server.finished(&id).await;
    assert_eq!(task["document"]["author"], "Jürgen Müller", "{task}");
    let markdown = server.markdown(&id).await;
    let expected = "---\ntitle: \"A \\\\\\\"quoted\\\\\\\" title\"\nauthor: \"Jürgen Müller\"\n\
        created: \"2024-05-03T10:11:12+02:00\"\nfile_name: \"described.pdf\"\npages: 1\n---\n\n<!-- page 1 -->";
    assert!(markdown.starts_with(expected), "{markdown}");
    let plain = server.accepted(book("Described", 1), "processor=text").await;
    assert_eq!(server.finished(&plain).await.get("document"), None);
    assert!(server.markdown(&plain).await.starts_with("<!-- page 1 -->"));
}

#[tokio::test]
async fn what_goes_on_over_a_page_break_is_joined_where_that_is_wanted() {
    let script = Script::default()
        .page(1, [Answer::Text("# One\n\nIt goes on", "stop")])
        .page(2, [Answer::Text("over the page.\n\nNext.", "stop")])
        .page(3, [Answer::Text("", "stop"), Answer::Text("", "stop")]);
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-max-attempts", "1"]).await;
    for (seams, expected) in [
        ("false", "# One\n\nIt goes on\n\nover the page.\n\nNext.\n\n<!-- page 3: failed: bad_answer -->\n"),
        ("true", "# One\n\nIt goes on over the page.\n\nNext.\n\n<!-- page 3: failed: bad_answer -->\n"),
    ] {
        let query = format!("processor=llm&prompt=read&page_separator=&seams={seams}");
        let id = server.accepted(book("Seams", 3), &query).await;
        server.finished(&id).await;
        assert_eq!(server.markdown(&id).await, expected, "{seams}");
    }
}

#[tokio::test]
async fn the_command_writes_what_the_ending_or_the_option_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("in.pdf"), pdf::unread("Mixed")).unwrap();
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    for (name, begins) in [
        ("a.html", "<!DOCTYPE html>"),
        ("a.txt", "Mixed page 1"),
        ("a.jsonl", "{\"id\":"),
        ("a.json", "[\n{\"page\":1"),
    ] {
        let done = run(dir.path(), ["convert", &at("in.pdf"), "-o", &at(name)]).await;
        assert_eq!(done.status.code(), Some(3), "{name}: {done:?}");
        assert!(read(name).starts_with(begins), "{name}: {}", read(name));
        assert!(name == "a.json" || read(name).contains("Page 2: not read: no text layer"), "{name}: {}", read(name));
    }
    let out = at("out");
    let done = run(dir.path(), ["convert", &at("in.pdf"), "--format", "text", "--out-dir", &out]).await;
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    assert_eq!(read("out/in.txt"), read("a.txt"));
    for arguments in [&["--format", "docx"][..], &["--json", "--format", "text"], &["--chunk-tokens", "1"]] {
        let done = run(dir.path(), [&["convert", &at("in.pdf")], arguments].concat()).await;
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {done:?}");
    }

    // What is said in the command goes before the variable.
    let by_variable = async |arguments: &[&str]| {
        let mut command = bindery(&dir.path().join("data"));
        command.args(["convert", &at("in.pdf")]).args(arguments).env("BINDERY_FORMAT", "text");
        String::from_utf8(command.output().await.unwrap().stdout).unwrap()
    };
    assert_eq!(by_variable(&[]).await, read("a.txt"));
    assert_eq!(by_variable(&["--json"]).await, read("a.json"));

    // The same from a server.
    let server = Server::start_on(fresh_data(), &[], &[]).await;
    let url = server.request("GET", "").build().unwrap().url().to_string();
    let done = run(dir.path(), ["submit", &at("in.pdf"), "--server", &url, "-o", &at("b.html")]).await;
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    assert_eq!(read("b.html"), read("a.html"));
    let list = server.get("/v1/tasks").await;
    let id = list["tasks"][0]["id"].as_str().unwrap().to_owned();
    let done = run(dir.path(), ["result", &id, "--server", &url, "--format", "chunks", "-o", &at("b.out")]).await;
    assert!(done.status.success(), "{done:?}");
    assert_eq!(read("b.out"), read("a.jsonl"));
}

#[tokio::test]
async fn the_format_of_a_submit_is_that_of_its_result_where_none_is_asked_for() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Chosen", 1), "processor=text&format=html").await;
    server.finished(&id).await;
    for (query, accept, expected) in [
        ("", "*/*", "text/html; charset=utf-8"),
        ("", "application/json", "application/json"),
        ("?format=markdown", "*/*", "text/markdown; charset=utf-8"),
        ("?format=", "*/*", "text/html; charset=utf-8"),
    ] {
        assert_eq!(result(&server, &id, query, accept).await.1, expected, "{query} {accept}");
    }
    let refused = server.submit(book("Chosen", 1), "format=docx").await;
    assert_eq!((refused.0, &refused.1["code"]), (422, &"bad_option".into()), "{}", refused.1);

    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("in.pdf");
    std::fs::write(&pdf, book("Chosen by the command", 1)).unwrap();
    let url = server.request("GET", "").build().unwrap().url().to_string();
    let arguments = ["submit", pdf.to_str().unwrap(), "--server", &url, "--format", "text"];
    let done = run(dir.path(), arguments).await;
    let id = String::from_utf8(done.stdout).unwrap().trim().to_owned();
    server.finished(&id).await;
    let shown = run(dir.path(), ["result", &id, "--server", &url]).await;
    assert_eq!(String::from_utf8_lossy(&shown.stdout), "Chosen by the command page 1\n", "{shown:?}");
}
