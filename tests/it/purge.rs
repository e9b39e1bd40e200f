//! What is purged is nowhere any more, and nothing else goes with it.

use serde_json::Value;

use crate::support::canary::{files_with, keys_with};
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, answer, files, run};

const CANARY: &str = "Xylophagous";
const ANN: &str = "ann-has-this-key";
const BOB: &str = "bob-has-this-key";
const KEYS: [&str; 4] = ["--api-key", "ann=ann-has-this-key", "--api-key", "bob=bob-has-this-key"];

async fn ask(server: &Server, key: &str, method: &str, path: &str) -> (u16, Value) {
    answer(server.request(method, path).bearer_auth(key)).await
}

/// Submits with a key and waits for the end; the finished task.
async fn finished(server: &Server, key: &str, pdf: Vec<u8>, query: &str) -> Value {
    let request = server.request("POST", &format!("/v1/tasks?{query}")).bearer_auth(key);
    let (status, task) = answer(request.header("content-type", "application/pdf").body(pdf)).await;
    assert_eq!(status, 202, "{task}");
    let (_, done) = ask(server, key, "GET", &format!("/v1/tasks/{}?wait=55", task["id"].as_str().unwrap())).await;
    assert_eq!(done["status"], "completed", "{done}");
    done
}

async fn purge(server: &Server, key: &str, task: &Value) -> u16 {
    ask(server, key, "DELETE", &format!("/v1/tasks/{}?purge=true", task["id"].as_str().unwrap())).await.0
}

fn ledger(server: &Server) -> usize {
    files(server.data()).iter().filter(|file| file.starts_with("ledger/")).count()
}

async fn nothing_is_left(redis: Option<&RedisServer>) {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Hold]).otherwise(Answer::Text(CANARY, "stop")));
    let store = redis.map_or_else(|| "embedded".to_owned(), RedisServer::url);
    let arguments = ["--store", &store, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "1"];
    let mut server = Server::start(&arguments).await;
    let done = server.accepted(book(CANARY, 3), "processor=text").await;
    server.finished(&done).await;
    // What was read by another recipe, of a task that is gone, goes as well.
    let other = server.accepted(book(CANARY, 1), "processor=llm").await;
    server.finished(&other).await;
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{other}")).await.0, 204);
    let running = server.accepted(book(&format!("{CANARY} too"), 3), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    let found = files_with(server.data(), CANARY);
    for place in ["ledger/", "source.pdf", "result-1.md", "result-1.json"] {
        assert!(found.iter().any(|file| file.contains(place)), "{place}: {found:?}");
    }
    server.kill().await;
    server.restart().await;
    llm.until(|books| books.held == 1).await;

    let id = running.as_str();
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}?purge=true")).await.0, 204);
    let purged = run(server.data(), ["delete", "--purge", "--server", &server.url, &done]).await;
    assert!(purged.status.success(), "{}", String::from_utf8_lossy(&purged.stderr));
    assert_eq!(files_with(server.data(), CANARY), Vec::<String>::new());
    for id in [id, &done] {
        assert_eq!(server.ask("GET", &format!("/v1/tasks/{id}")).await.0, 404);
        assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}?purge=true")).await.0, 404);
        if let Some(redis) = redis {
            assert_eq!(keys_with(redis, id).await, Vec::<String>::new());
        }
    }
    if let Some(redis) = redis {
        assert_eq!(keys_with(redis, CANARY).await, Vec::<String>::new());
    }
    llm.open();
    server.terminate();
    server.exit_status().await;
    assert_eq!(files_with(server.data(), CANARY), Vec::<String>::new(), "an answer that came late");
    server.restart().await;
    assert!(server.get("/v1/tasks").await["tasks"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn nothing_is_left_of_what_is_purged_from_the_embedded_store() {
    nothing_is_left(None).await;
}

#[tokio::test]
async fn nothing_is_left_of_what_is_purged_from_redis() {
    let redis = RedisServer::start().await;
    nothing_is_left(Some(&redis)).await;
}

#[tokio::test]
async fn without_a_purge_what_was_paid_stays() {
    let server = Server::start(&[]).await;
    for query in ["", "?purge=false"] {
        let id = server.accepted(book("Paid", 2), "").await;
        server.finished(&id).await;
        assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}{query}")).await.0, 204);
        assert_eq!(ledger(&server), 2);
    }
    let id = server.accepted(book("Paid", 2), "").await;
    let (status, problem) = server.ask("DELETE", &format!("/v1/tasks/{id}?purge=perhaps")).await;
    assert!((400..500).contains(&status), "{status} {problem}");
    assert_eq!(server.ask("GET", &format!("/v1/tasks/{id}")).await.0, 200, "and nothing was deleted");
}

#[tokio::test]
async fn a_purge_leaves_alone_what_others_have() {
    let server = Server::start(&KEYS).await;
    let anns = finished(&server, ANN, book("Same", 3), "").await;
    let bobs = finished(&server, BOB, book("Same", 3), "").await;
    assert_eq!(ledger(&server), 6);
    assert_eq!(purge(&server, BOB, &anns).await, 404, "it is not his");
    assert_eq!(purge(&server, ANN, &anns).await, 204);
    assert_eq!(ledger(&server), 3, "his pages are his");
    assert_eq!(purge(&server, BOB, &bobs).await, 204);
    assert_eq!(ledger(&server), 0);
}

#[tokio::test]
async fn a_purge_leaves_pages_that_are_shared_to_those_who_count_on_them() {
    let server = Server::start(&[&KEYS[..], &["--ledger-scope", "shared"]].concat()).await;
    let first = finished(&server, ANN, book("Same", 3), "").await;
    let bobs = finished(&server, BOB, book("Same", 2), "").await;
    assert_eq!((ledger(&server), &bobs["usage"]["reused"]), (3, &2.into()));
    assert_eq!(purge(&server, ANN, &first).await, 204);
    assert_eq!(ledger(&server), 2, "another's task counts on two pages, though its file is another one");
    let again = finished(&server, ANN, book("Same", 2), "").await;
    assert_eq!(again["usage"]["reused"], 2);
    assert_eq!(purge(&server, BOB, &bobs).await, 204);
    assert_eq!(ledger(&server), 2, "now they are counted on by the other one");
    assert_eq!(purge(&server, ANN, &again).await, 204);
    assert_eq!(ledger(&server), 0, "nobody counts on them any more");
}
