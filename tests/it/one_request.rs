//! From a document to its result in one request, and what becomes of it when the caller does not stay.

use std::time::Duration;

use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::book;
use crate::support::server::Server;

struct Got {
    status: u16,
    media_type: String,
    location: Option<String>,
    pages: Option<String>,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

async fn convert(server: &Server, query: &str, accept: &str, pdf: Vec<u8>) -> Got {
    let request = server.request("POST", &format!("/v1/convert?{query}")).header("content-type", "application/pdf");
    let answer = request.header("accept", accept).body(pdf).send().await.unwrap();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (location, pages) = (header("location"), header("bindery-pages"));
    let (status, media_type) = (answer.status().as_u16(), header("content-type").unwrap());
    Got { status, media_type, location, pages, body: answer.text().await.unwrap() }
}

#[tokio::test]
async fn the_result_comes_in_the_format_that_is_asked_for() {
    let server = Server::start(&[]).await;
    let pdf = book("One request", 3);
    let got = convert(&server, "page_separator=", "*/*", pdf.clone()).await;
    assert_eq!((got.status, &*got.media_type), (200, "text/markdown; charset=utf-8"), "{}", got.body);
    assert_eq!(got.pages.as_deref(), Some("3/3"));
    let id = got.location.unwrap().trim_start_matches("/v1/tasks/").to_owned();
    assert_eq!(got.body, server.markdown(&id).await);

    let json = convert(&server, "page_separator=&format=json", "*/*", pdf.clone()).await;
    assert_eq!(json.json()["task"]["id"], id, "an equal task answers for all formats");
    for (query, accept, media_type) in [
        ("", "application/json", "application/json"),
        ("&format=html", "application/json", "text/html; charset=utf-8"),
        ("&format=text", "", "text/plain; charset=utf-8"),
        ("&format=chunks&chunk_tokens=32", "", "application/jsonl"),
    ] {
        let got = convert(&server, &format!("page_separator={query}"), accept, pdf.clone()).await;
        assert_eq!((got.status, &*got.media_type), (200, media_type), "{query} {accept}");
        assert!(got.body.contains("One request"), "{query}: {}", got.body);
    }
    assert_eq!(server.get("/v1/tasks").await["tasks"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_converted_says_why() {
    let server = Server::start(&[]).await;
    for (query, pdf, status, code) in [
        ("", b"no document".to_vec(), 422, "not_a_pdf"),
        ("wait=soon", book("A", 1), 422, "bad_option"),
        ("wait=-1", book("A", 1), 422, "bad_option"),
        ("chunk_tokens=1", book("A", 1), 422, "bad_option"),
        ("nonsense=1", book("A", 1), 422, "bad_option"),
    ] {
        let got = convert(&server, query, "*/*", pdf).await;
        assert_eq!((got.status, &*got.media_type), (status, "application/problem+json"), "{query}: {}", got.body);
        assert_eq!(got.json()["code"], code, "{query}");
    }
    let (status, problem) = server.submit(book("A", 1), "chunk_tokens=64").await;
    assert_eq!((status, &problem["code"]), (422, &"bad_option".into()), "a submit has no chunks");
    let (status, _) = server.ask("GET", "/v1/convert").await;
    assert_eq!(status, 405);
}

#[tokio::test]
async fn a_task_that_fails_is_no_result() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Refuse(400, "no")));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let got = convert(&server, "processor=llm", "*/*", book("Fails", 1)).await;
    assert_eq!((got.status, &*got.media_type), (422, "application/problem+json"), "{}", got.body);
    assert!(got.json()["task_id"].is_string(), "{}", got.body);
}

#[tokio::test]
async fn whoever_does_not_stay_finds_the_task_again_and_pays_once() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let pdf = book("Held", 1);
    let url = "processor=llm&page_separator=";
    let got = convert(&server, &format!("{url}&wait=0.2"), "*/*", pdf.clone()).await;
    assert_eq!(got.status, 202, "{}", got.body);
    let id = got.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(got.location.as_deref(), Some(&*format!("/v1/tasks/{id}")));

    // One hangs up in the middle of its wait, another one waits, a third asks for the task itself.
    let request = server.request("POST", &format!("/v1/convert?{url}")).header("content-type", "application/pdf");
    let hung_up = request.body(pdf.clone()).timeout(Duration::from_millis(300)).send().await;
    assert!(hung_up.unwrap_err().is_timeout());
    let joined = convert(&server, url, "*/*", pdf.clone());
    let waiting = format!("{url}&wait=60");
    let submitted = server.submit(pdf.clone(), &waiting);
    let open = async {
        llm.until(|books| books.calls.len() == 1).await;
        llm.open();
    };
    let (joined, (status, submitted), ()) = tokio::join!(joined, submitted, open);
    assert_eq!((joined.status, joined.body), (200, format!("{}\n", markdown(1))));
    assert_eq!((status, &submitted["id"], &submitted["status"]), (200, &id.into(), &"completed".into()));
    assert_eq!(llm.calls_for(1), 1);
}
