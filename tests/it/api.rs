//! The HTTP API, row by row.

use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::book;
use crate::support::server::{Server, answer, files};

fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, file_name, value) in parts {
        let file = file_name.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body.extend(format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n").bytes());
        body.extend_from_slice(value);
        body.extend(b"\r\n");
    }
    body.extend(b"--xyz--\r\n");
    ("multipart/form-data; boundary=xyz".into(), body)
}

async fn submit_form(server: &Server, parts: &[(&str, Option<&str>, &[u8])]) -> (u16, Value) {
    let (content_type, body) = form(parts);
    answer(server.request("POST", "/v1/tasks").header("content-type", content_type).body(body)).await
}

#[tokio::test]
async fn a_form_and_a_raw_body_are_the_same_task() {
    let server = Server::start(&[]).await;
    let pdf = book("Form", 3);
    let metadata = br#"{"order":7}"#;
    let (status, by_form) = submit_form(
        &server,
        &[("pages", None, b"1-2"), ("file", Some("dir/a.pdf"), &pdf), ("metadata", None, metadata)],
    )
    .await;
    assert_eq!(status, 202);
    assert_eq!((&by_form["file_name"], &by_form["metadata"]["order"]), (&"a.pdf".into(), &7.into()));

    let response = server
        .request("POST", "/v1/tasks?pages=1-2&file_name=b.pdf")
        .header("content-type", "application/pdf")
        .body(pdf)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 202);
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let by_body: Value = response.json().await.unwrap();
    assert_eq!(location, format!("/v1/tasks/{}", by_body["id"].as_str().unwrap()));

    let mut results = Vec::new();
    for task in [by_form, by_body] {
        let id = task["id"].as_str().unwrap();
        let done = server.finished(id).await;
        assert_eq!(done["status"], "completed");
        assert_eq!((&done["total_pages"], &done["pages"]["done"]), (&2.into(), &2.into()));
        assert_eq!(done["total_shards"], done["completed_shards"]);
        assert!(done["expires_at"].is_string() && done["started_at"].is_string());
        results.push(server.markdown(id).await);
    }
    assert_eq!(results[0], "<!-- page 1 -->\n\nForm page 1\n\n<!-- page 2 -->\n\nForm page 2\n");
    assert_eq!(results[0], results[1]);
}

#[tokio::test]
async fn a_result_has_an_etag_ranges_and_json() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Range", 2), "file_name=x.pdf").await;
    server.finished(&id).await;
    let path = format!("/v1/tasks/{id}/result");
    let whole = server.request("GET", &path).send().await.unwrap();
    assert_eq!(whole.headers()["content-type"], "text/markdown; charset=utf-8");
    assert_eq!(whole.headers()["bindery-pages"], "2/2");
    let etag = whole.headers()["etag"].clone();
    let text = whole.text().await.unwrap();

    let range = server.request("GET", &path).header("range", "bytes=5-10").send().await.unwrap();
    assert_eq!(range.status(), 206);
    assert_eq!(range.text().await.unwrap(), text[5..=10]);
    let same = server.request("GET", &path).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(same.status(), 304);
    let head = server.request("HEAD", &path).send().await.unwrap();
    assert_eq!(head.headers()["content-length"], text.len().to_string().as_str());

    let (_, json) = answer(server.request("GET", &path).header("accept", "application/json")).await;
    assert_eq!(json["task"]["id"], id.as_str());
    let pages: Vec<_> = json["pages"].as_array().unwrap().iter().map(|page| page["markdown"].clone()).collect();
    assert_eq!(pages, ["Range page 1", "Range page 2"]);
}

#[tokio::test]
async fn a_running_task_shows_what_there_is() {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Hold]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Partial", 3), "processor=llm").await;
    llm.until(|books| books.paid.len() == 2 && books.held == 1).await;

    let (status, problem) = server.ask("GET", &format!("/v1/tasks/{id}/result")).await;
    assert_eq!((status, &problem["code"]), (409, &"result_not_ready".into()));
    assert_eq!(problem["task_id"], id.as_str());

    // The page is in the ledger before anybody is told, so it shows at once.
    let partial = format!("/v1/tasks/{id}/result?partial=true");
    let text = loop {
        let text = server.request("GET", &partial).send().await.unwrap().text().await.unwrap();
        if text.matches("pending").count() == 1 {
            break text;
        }
    };
    let page = |page| format!("<!-- page {page} -->\n\n{}\n\n", markdown(page));
    let expected = format!("{}<!-- page 2 -->\n\n<!-- page 2: pending -->\n\n{}", page(1), page(3));
    assert_eq!(text, expected.trim_end().to_owned() + "\n");

    let running = server.get(&format!("/v1/tasks/{id}/pages?status=processing")).await;
    assert_eq!(running["pages"].as_array().unwrap().len(), 1);
    assert_eq!(running["pages"][0]["page"], 2);
    let task = server.get(&format!("/v1/tasks/{id}?wait=0.01")).await;
    assert_eq!(task["status"], "processing");

    llm.open();
    let done = server.finished(&id).await;
    assert_eq!((&done["usage"]["calls"], &done["usage"]["prompt_tokens"]), (&3.into(), &300.into()));
    let page = server.get(&format!("/v1/tasks/{id}/pages?from=3&limit=1")).await;
    assert_eq!((&page["pages"][0]["model"], &page["pages"][0]["attempts"]), (&"fake-model".into(), &1.into()));
}

#[tokio::test]
async fn a_list_is_newest_first_in_windows() {
    let server = Server::start(&[]).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let id = server.accepted(book(&format!("List {number}"), 1), "").await;
        server.finished(&id).await;
        ids.push(id);
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(&format!("/v1/tasks?limit=2&status=completed&cursor={cursor}")).await;
        let tasks = page["tasks"].as_array().unwrap();
        seen.extend(tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    assert_eq!(seen, ids);
    assert_eq!(server.get("/v1/tasks?status=failed").await["tasks"].as_array().unwrap().len(), 0);
    for bad in ["limit=0", "limit=many", "status=done", "cursor=x", "colour=red"] {
        let (status, problem) = server.ask("GET", &format!("/v1/tasks?{bad}")).await;
        assert_eq!((status, &problem["code"]), (422, &"bad_option".into()), "{bad}: {problem}");
    }
}

#[tokio::test]
async fn after_a_cancel_no_call_begins_and_finished_pages_stay_readable() {
    let llm = FakeLlm::start(Script::default().page(1, [Answer::Ok]).otherwise(Answer::Hold));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2"]).await;
    let id = server.accepted(book("Cancel", 50), "processor=llm").await;
    llm.until(|books| books.paid.len() == 1 && books.held == 2).await;
    let (status, task) = server.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
    assert_eq!((status, &task["status"]), (200, &"cancelled".into()));
    let begun = llm.books().calls.len();
    assert_eq!(server.get("/readyz").await["queued"], 0, "47 pages waited");
    // The calls in flight are cut off; their places would now be free for others.
    llm.until(|books| books.in_flight == 0).await;
    assert_eq!(llm.books().calls.len(), begun);

    let text = server.request("GET", &format!("/v1/tasks/{id}/result?partial=true")).send().await.unwrap();
    assert!(text.text().await.unwrap().starts_with(&format!("<!-- page 1 -->\n\n{}", markdown(1))));
    for (method, path, expected) in [("POST", "cancel", "task_final"), ("GET", "result", "result_not_ready")] {
        let (status, problem) = server.ask(method, &format!("/v1/tasks/{id}/{path}")).await;
        assert_eq!((status, &problem["code"]), (409, &expected.into()));
    }

    // What was paid before the cancel is not paid again by the retry.
    llm.open();
    let (status, _) = server.ask("POST", &format!("/v1/tasks/{id}/retry")).await;
    assert_eq!(status, 202);
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert_eq!(llm.calls_for(1), 1);
}

#[tokio::test]
async fn a_retry_runs_the_failed_pages_only() {
    let broken = Answer::Status(400, None);
    let llm = FakeLlm::start(Script::default().page(2, [broken, Answer::Ok]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Retry", 3), "processor=llm&page_separator=").await;
    let (status, problem) = server.ask("POST", &format!("/v1/tasks/{id}/retry")).await;
    assert!(status == 409 && problem["code"] == "task_not_final" || status == 202, "{problem}");

    let done = server.finished(&id).await;
    assert_eq!((&done["status"], &done["pages"]["failed"]), (&"completed".into(), &1.into()));
    let text = server.markdown(&id).await;
    assert_eq!(text, format!("{}\n\n<!-- page 2: failed: endpoint_refused -->\n\n{}\n", markdown(1), markdown(3)));
    let failed = server.get(&format!("/v1/tasks/{id}/pages?status=failed")).await;
    assert_eq!(failed["pages"][0]["error"]["code"], "endpoint_refused");

    let (status, task) = server.ask("POST", &format!("/v1/tasks/{id}/retry")).await;
    assert_eq!((status, &task["status"]), (202, &"pending".into()));
    let done = server.finished(&id).await;
    assert_eq!((&done["pages"]["done"], &done["pages"]["failed"]), (&3.into(), &0.into()));
    assert_eq!([1, 2, 3].map(|page| llm.calls_for(page)), [1, 2, 1]);
    assert!(!server.markdown(&id).await.contains("failed"));
}

#[tokio::test]
async fn too_many_failed_pages_fail_the_task_and_leave_a_partial_result() {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Status(400, None)]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Strict", 3), "processor=llm&max_failed_pages=0").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &"too_many_failed_pages".into()));
    let (status, _) = server.ask("GET", &format!("/v1/tasks/{id}/result")).await;
    assert_eq!(status, 409);
    let partial = server.request("GET", &format!("/v1/tasks/{id}/result?partial=true")).send().await.unwrap();
    assert!(partial.text().await.unwrap().contains("<!-- page 2: failed: endpoint_refused -->"));
}

#[tokio::test]
async fn a_delete_leaves_nothing_but_the_ledger() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let done = server.accepted(book("Done", 2), "").await;
    server.finished(&done).await;
    let running = server.accepted(book("Running", 2), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    for id in [done, running] {
        assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}")).await.0, 204);
        assert_eq!(server.ask("GET", &format!("/v1/tasks/{id}")).await.0, 404);
        assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}")).await.0, 404);
    }
    assert_eq!(server.get("/v1/tasks").await["tasks"].as_array().unwrap().len(), 0);
    let left = files(server.data());
    assert!(left.iter().all(|file| file.starts_with("ledger/")), "{left:?}");
    assert_eq!(left.len(), 2);
}

#[tokio::test]
async fn health_and_unknown_paths() {
    let server = Server::start(&[]).await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(server.ask("GET", path).await.0, 200);
        assert_eq!(server.ask("HEAD", path).await.0, 200);
    }
    let (status, problem) = server.ask("GET", "/v2/tasks").await;
    assert_eq!((status, &problem["code"]), (404, &"no_such_route".into()));
    let (status, problem) = server.ask("PUT", "/v1/tasks").await;
    assert_eq!((status, &problem["code"]), (405, &"method_not_allowed".into()), "{problem}");
}
