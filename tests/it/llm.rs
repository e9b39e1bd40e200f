//! The LLM processor against an endpoint that misbehaves.

use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::book;
use crate::support::server::Server;

async fn read(script: Script, pages: u32, query: &str) -> (FakeLlm, Server, Value, String) {
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-max-attempts", "3"]).await;
    let id = server.accepted(book("Llm", pages), &format!("processor=llm&{query}")).await;
    let task = server.finished(&id).await;
    let partial = format!("/v1/tasks/{id}/result?partial=true");
    let text = server.request("GET", &partial).send().await.unwrap().text().await.unwrap();
    (llm, server, task, text)
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_paid_once() {
    let script = Script::default()
        .page(1, [Answer::Status(429, Some("0")), Answer::Ok])
        .page(2, [Answer::Status(500, None), Answer::Status(503, Some("0")), Answer::Ok])
        .page(3, [Answer::Body("<html>gateway</html>"), Answer::Ok])
        .page(4, [Answer::Text("", "stop"), Answer::Text("# Half a pa", "length"), Answer::Ok]);
    let (llm, _server, task, text) = read(script, 5, "page_separator=").await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &5.into()));
    assert_eq!(task["usage"]["calls"], 8, "answers that came to nothing are paid, refusals are not");
    assert_eq!([1, 2, 3, 4, 5].map(|page| llm.calls_for(page)), [2, 3, 2, 3, 1]);
    let pages: Vec<String> = (1..=5).map(markdown).collect();
    assert_eq!(text, pages.join("\n\n") + "\n");
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again_and_the_last_attempt_is_the_last() {
    let script = Script::default()
        .page(1, [Answer::Status(400, None)])
        .page(2, [Answer::Status(500, None)])
        .page(3, [Answer::Text("", "stop")]);
    let (llm, server, task, text) = read(script, 4, "").await;
    assert_eq!((&task["status"], &task["pages"]["failed"]), (&"completed".into(), &3.into()));
    assert_eq!([1, 2, 3, 4].map(|page| llm.calls_for(page)), [1, 3, 3, 1]);
    for (page, code) in [(1, "endpoint_refused"), (2, "endpoint_unavailable"), (3, "bad_answer")] {
        assert!(text.contains(&format!("<!-- page {page}: failed: {code} -->")), "{text}");
    }
    let id = task["id"].as_str().unwrap();
    let failed = server.get(&format!("/v1/tasks/{id}/pages?status=failed&limit=1")).await;
    let message = failed["pages"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("400") && message.contains("scripted refusal"), "{message}");
}

#[tokio::test]
async fn several_pages_go_in_one_call_and_one_by_one_when_that_fails() {
    let half = "<<<page 5>>>\nonly one of four";
    let script = Script::default().page(5, [Answer::Text(half, "stop"), Answer::Ok]);
    let (llm, _server, task, text) = read(script, 8, "shard_pages=4&page_separator=").await;
    assert_eq!(task["pages"]["done"], 8);
    // One call for pages 1 to 4; one for 5 to 8 that is no answer, then four of one page.
    let mut calls = llm.books().calls;
    calls.sort_unstable();
    assert_eq!(calls, [1, 5, 5, 6, 7, 8]);
    assert_eq!(task["usage"]["calls"], 6);
    assert_eq!(text.matches("Read by the fake.").count(), 8);
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_and_one_that_is_too_slow() {
    let dead = format!("http://127.0.0.1:{}/v1", crate::support::redis_server::free_port());
    let server = Server::start(&["--llm-base-url", &dead, "--llm-model", "m", "--llm-patience", "1s"]).await;
    let id = server.accepted(book("Dead", 1), "processor=llm").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &"too_many_failed_pages".into()));
    assert_eq!(task["error"]["retryable"], true);

    let script = Script::default().page(2, [Answer::Hold]);
    let (llm, _server, task, text) = read(script, 2, "timeout=1").await;
    assert_eq!((&task["pages"]["failed"], llm.calls_for(2)), (&1.into(), 3));
    assert!(text.contains("<!-- page 2: failed: timeout -->"));
}
