//! What the web page asks of the API that others seldom do.

use serde_json::{Value, json};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, book_with_text, unread};
use crate::support::server::Server;

#[tokio::test]
async fn processors_and_models_are_named() {
    let server = Server::start(&[]).await;
    let plain = server.get("/v1/processors").await;
    assert!(plain["processors"].as_array().unwrap().contains(&json!("text")), "{plain}");
    assert_eq!((&plain["model"], &plain["currency"], &plain["fallback"]), (&Value::Null, &Value::Null, &json!([])));
    let url = "http://127.0.0.1:9/v1";
    let arguments = ["--llm-base-url", url, "--llm-model", "m", "--llm-fallback", "n,text", "--llm-currency", "eur"];
    let server = Server::start(&arguments).await;
    let all = server.get("/v1/processors").await;
    assert_eq!((&all["default"], &all["model"], &all["currency"]), (&json!("auto"), &json!("m"), &json!("EUR")));
    assert_eq!((&all["fallback"], &all["version"]), (&json!(["n", "text"]), &json!(env!("CARGO_PKG_VERSION"))));
    let server = Server::start(&["--api-key", "ann=ann-has-this-key"]).await;
    assert_eq!(server.ask("GET", "/v1/processors").await.0, 401);
}

#[tokio::test]
async fn a_text_layer_is_there_whoever_read_the_page() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Status(400, None)));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book_with_text("Layer", 3, 2), "processor=llm&max_failed_pages=3").await;
    let text = async |page: u32| {
        let path = format!("/v1/tasks/{id}/pages/{page}/text-layer");
        let response = server.request("GET", &path).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    let (status, words) = text(2).await;
    assert!(status == 200 && words.contains("line 7 of words about nothing in particular"), "{status} {words}");
    let (status, problem) = text(4).await;
    assert!(status == 422 && problem.contains("bad_page_range"), "{status} {problem}");
    let scans = server.accepted(unread("Scans"), "processor=text").await;
    let path = format!("/v1/tasks/{scans}/pages/2/text-layer");
    assert_eq!(server.request("GET", &path).send().await.unwrap().text().await.unwrap(), "");
    let (status, problem) = server.ask("GET", &format!("{path}?ocr=true")).await;
    assert!(status == 422 && problem["detail"].as_str().unwrap().contains("models install"), "{problem}");
    let unknown = "/v1/tasks/00000000-0000-7000-8000-000000000000/pages/1/text-layer";
    assert_eq!(server.ask("GET", unknown).await.0, 404);
}

#[tokio::test]
async fn a_document_is_submitted_again_with_other_options() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let options = "processor=llm&prompt=slowly&password=x&file_name=twice.pdf&metadata=7";
    let id = server.accepted(book("Twice", 5), options).await;
    server.finished(&id).await;
    let again = format!("/v1/tasks/{id}/resubmit?pages=3&processor=text");
    let (status, task) = server.ask("POST", &again).await;
    assert_eq!((status, &task["file_name"], &task["processor"]), (202, &json!("twice.pdf"), &json!("text")), "{task}");
    assert_eq!((&task["total_pages"], &task["metadata"]), (&json!(1), &json!(7)));
    let done = server.finished(task["id"].as_str().unwrap()).await;
    assert_eq!((&done["status"], &done["pages"]["done"]), (&json!("completed"), &json!(1)));
    assert!(server.markdown(task["id"].as_str().unwrap()).await.contains("Twice page 3"));
    let (status, same) = server.ask("POST", &again).await;
    assert_eq!((status, &same["id"], &same["reused"]), (200, &task["id"], &json!(true)));
    let calls = llm.books().calls.len();
    let (_, all) = server.ask("POST", &format!("/v1/tasks/{id}/resubmit?pages=2-3&max_failed_pages=1")).await;
    assert_eq!((&all["processor"], &all["total_pages"]), (&json!("llm"), &json!(2)));
    server.finished(all["id"].as_str().unwrap()).await;
    assert_eq!(llm.books().calls.len(), calls, "pages that were paid are not paid again");
    for (query, code) in [("pages=9", "bad_page_range"), ("processor=x", "bad_option"), ("nothing=x", "bad_option")] {
        let (status, problem) = server.ask("POST", &format!("/v1/tasks/{id}/resubmit?{query}")).await;
        assert_eq!((status, &problem["code"]), (422, &json!(code)), "{query} {problem}");
    }
}

#[tokio::test]
async fn addresses_begin_with_the_path_of_the_public_url() {
    let server = Server::start(&["--public-url", "http://127.0.0.1/docs/pages/"]).await;
    let id = server.accepted(book("Prefixed", 1), "").await;
    let done = server.finished(&id).await;
    assert_eq!(done["links"]["result"], json!(format!("/docs/pages/v1/tasks/{id}/result")));
    // A proxy may leave the path, or take it off.
    for prefix in ["/docs/pages", ""] {
        let submit = server.request("POST", &format!("{prefix}/v1/tasks")).header("content-type", "application/pdf");
        let response = submit.body(book("Prefixed", 1)).send().await.unwrap();
        assert_eq!(response.headers()["location"], format!("/docs/pages/v1/tasks/{id}").as_str());
        let (status, listed) = server.ask("GET", &format!("{prefix}/v1/tasks")).await;
        assert_eq!((status, &listed["tasks"][0]["links"]["self"]), (200, &json!(format!("/docs/pages/v1/tasks/{id}"))));
    }
    let response = server.request("GET", "/docs/pages/ui/main.js").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.ask("GET", "/docs/v1/tasks").await.0, 404);
    let description = server.get("/docs/pages/openapi.json").await;
    assert_eq!(description["servers"], json!([{ "url": "/docs/pages" }]), "for clients that are made of it");
}
