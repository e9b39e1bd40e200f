//! What goes over the wire to an endpoint, and what must not.

use std::time::Duration;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::{Server, bindery, fresh_data};
use crate::support::soon;

#[tokio::test]
async fn an_endpoint_with_a_certificate_of_its_own_is_believed_when_that_is_given() {
    let (llm, certificate) = FakeLlm::start_tls(Script::default());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-unavailable-timeout", "1s"];
    let server = Server::start(&[&arguments[..], &["--ca-file", file.to_str().unwrap()]].concat()).await;
    let id = server.accepted(book("Tls", 1), "processor=llm").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    let stranger = Server::start(&arguments).await;
    let id = stranger.accepted(book("Tls", 1), "processor=llm").await;
    assert_eq!(stranger.finished(&id).await["status"], "failed", "nobody vouches for it");
    let books = llm.books();
    assert_eq!((books.calls.len(), books.by_two), (1, 1), "by HTTP/2, which the endpoint offers");
}

#[tokio::test]
async fn many_calls_share_a_connection_of_http_2() {
    let (llm, certificate) =
        FakeLlm::start_tls(Script::default().otherwise(Answer::Hold).page(3, [Answer::Status(500, None), Answer::Ok]));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, certificate).unwrap();
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "64"];
    let server = Server::start(&[&arguments[..], &["--ca-file", file.to_str().unwrap()]].concat()).await;
    let id = server.accepted(book("Two", 60), "processor=llm").await;
    llm.until(|books| books.held == 59).await;
    llm.open();
    assert_eq!(server.finished(&id).await["status"], "completed");
    let books = llm.books();
    assert_eq!((books.by_two, books.calls.len(), books.paid.len()), (61, 61, 60));
}

#[tokio::test]
async fn an_answer_may_come_slowly_but_not_without_end() {
    let slow = Answer::Dribble(Duration::from_millis(150));
    let llm = FakeLlm::start(Script::default().page(1, [slow]).page(2, [Answer::Dribble(Duration::from_secs(60))]));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-timeout", "5s", "--llm-max-attempts", "1"];
    let server = Server::start(&arguments).await;
    let id = server.accepted(book("Slow", 2), "processor=llm").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["pages"]["done"], &task["pages"]["failed"]), (&1.into(), &1.into()), "{task}");
    let pages = server.get(&format!("/v1/tasks/{id}/pages?status=failed")).await;
    assert_eq!(pages["pages"][0]["error"]["code"], "timeout");
}

#[tokio::test]
async fn a_proxy_that_the_environment_names_is_used() {
    let llm = FakeLlm::start(Script::default());
    let proxy = llm.url.trim_end_matches("/v1");
    let arguments = ["--llm-base-url", "http://endpoint.invalid/v1", "--llm-model", "m"];
    let server = Server::start_on(fresh_data(), &arguments, &[("http_proxy", proxy)]).await;
    let id = server.accepted(book("Proxy", 1), "processor=llm").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert_eq!(llm.books().calls.len(), 1);
}

#[tokio::test]
async fn a_stream_of_events_is_an_answer_when_it_has_an_end() {
    const WHOLE: &str = "data: {\"model\":\"s\",\"choices\":[{\"delta\":{\"content\":\"# Str\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"eamed\"},\"finish_reason\":\"stop\"}]}\n\n\
        data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n";
    const HALF: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"# Str\"}}]}\n\n";
    let llm = FakeLlm::start(Script::default().page(1, [Answer::Stream(HALF), Answer::Stream(WHOLE)]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Stream", 1), "processor=llm&page_separator=").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["usage"]["prompt_tokens"], &task["usage"]["calls"]), (&9.into(), &2.into()), "{task}");
    assert_eq!(server.markdown(&id).await, "# Streamed\n");
}

#[tokio::test]
async fn a_key_is_told_to_nobody() {
    const KEY: &str = "sk-very-secret-0123456789";
    let refusal = Answer::Refuse(401, "Incorrect API key provided: sk-very-secret-0123456789.");
    let llm = FakeLlm::start(Script::default().page(2, [refusal]));
    let (data, logs) = (fresh_data(), tempfile::tempdir().unwrap());
    let log = logs.path().join("log");
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let variables = [("BINDERY_LLM_API_KEY", KEY), ("RUST_LOG", "trace")];
    let server = Server::start_logging(data.clone(), &arguments, &variables, &log).await;
    let id = server.accepted(book("Secret", 2), "processor=llm").await;
    let task = server.finished(&id).await;
    assert_eq!(task["error"]["code"], "endpoint_unauthorized");
    assert!(task["error"]["message"].as_str().unwrap().contains("(the key)"), "{task}");
    let mut said = vec![task.to_string()];
    for path in ["/readyz?verbose", "/v1/tasks", &format!("/v1/tasks/{id}/pages")] {
        said.push(server.get(path).await.to_string());
    }
    let config = bindery(data.path()).arg("config").env("BINDERY_LLM_API_KEY", KEY).args(arguments).output();
    said.push(String::from_utf8(config.await.unwrap().stdout).unwrap());
    assert!(said.last().unwrap().contains("llm_api_key = \"(redacted)\""), "{said:?}");
    drop(server);
    let mut folders = vec![data.path().to_owned(), logs.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                said.push(String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned());
            }
        }
    }
    assert!(said.iter().any(|text| text.contains("task accepted")), "the log was looked at");
    assert!(said.iter().all(|text| !text.contains("very-secret")));
}

#[tokio::test]
async fn a_straggler_gets_a_second_call_when_that_is_wanted() {
    let script = Script { delay: Duration::from_millis(5), ..Script::default() };
    let llm = FakeLlm::start(script.page(31, [Answer::Hold, Answer::Ok]));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2", "--llm-hedge"];
    let server = Server::start(&arguments).await;
    let id = server.accepted(book("Hedge", 31), "processor=llm&input=text").await;
    let task = soon("the second call", server.finished(&id)).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &31.into()), "{task}");
    let books = llm.until(|books| books.in_flight == 0).await;
    assert!(books.most_in_flight <= 2, "a second call takes its place among the others: {books:?}");
    assert_eq!(books.calls_by_page[&31], 2, "the first was cut off, the second answered");
    assert!(task["usage"]["calls"].as_u64().unwrap() >= books.calls.len() as u64, "both are paid: {task}");
    llm.open();
}
