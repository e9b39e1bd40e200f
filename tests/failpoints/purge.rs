//! A purge that was begun is finished, and what comes late does not stay.

use crate::support::canary::{files_with, keys_with};
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, fresh_data};
use crate::support::soon;

const CANARY: &str = "Xylophagous";

/// Where it can be cut off, in their order.
const STEPS: [&str; 6] =
    ["purge.listed", "purge.pages-gone", "delete.copy-gone", "delete.record-gone", "delete.folder-gone", "purge.done"];

/// The server is killed at this place, and its caller does not ask again.
async fn is_finished_after_a_kill(place: &str, redis: Option<&RedisServer>) {
    let store = redis.map_or_else(|| "embedded".to_owned(), RedisServer::url);
    let fault = format!("{place}=1*return(kill)");
    let variables = [("FAILPOINTS", fault.as_str()), ("RUST_LOG", "off")];
    // Nothing but the start can be what finishes it.
    let arguments = ["--store", &store, "--lease", "1s", "--janitor-tick", "1h"];
    let mut server = Server::start_on(fresh_data(), &arguments, &variables).await;
    let id = server.accepted(book(CANARY, 3), "").await;
    server.finished(&id).await;
    assert!(files_with(server.data(), CANARY).len() >= 6, "three pages, the source, two results");
    let cut_off = server.request("DELETE", &format!("/v1/tasks/{id}?purge=true")).send().await;
    assert!(cut_off.is_err(), "{place}: it was not killed");
    server.exit_status().await;
    server.restart().await;
    let gone = async {
        while !files_with(server.data(), CANARY).is_empty()
            || server.ask("GET", &format!("/v1/tasks/{id}")).await.0 != 404
        {
            tokio::task::yield_now().await;
        }
    };
    soon(&format!("what was cut off at {place} to be finished"), gone).await;
    if let Some(redis) = redis {
        for word in [CANARY, &id] {
            assert_eq!(keys_with(redis, word).await, Vec::<String>::new(), "{place}");
        }
    }
    // The same PDF again is read again, and stays.
    let id = server.accepted(book(CANARY, 3), "").await;
    let task = server.finished(&id).await;
    assert_eq!(task["usage"]["reused"], 0, "{place}: {task}");
    server.kill().await;
    server.restart().await;
    assert_eq!(server.finished(&id).await["status"], "completed", "{place}");
    let pages = files_with(server.data(), CANARY).into_iter().filter(|file| file.starts_with("ledger/"));
    assert_eq!(pages.count(), 3, "{place}: a purge that is over takes no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_was_begun_is_finished_at_the_next_start_on_the_embedded_store() {
    for place in STEPS {
        is_finished_after_a_kill(place, None).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_that_was_begun_is_finished_at_the_next_start_on_redis() {
    for place in STEPS {
        let redis = RedisServer::start().await;
        is_finished_after_a_kill(place, Some(&redis)).await;
    }
}

/// A page whose answer has come is on its way into the ledger while its task is purged.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_late_does_not_stay() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Text(CANARY, "stop")));
    let variables = [("FAILPOINTS", "attempt.answered=1*delay(3000)"), ("RUST_LOG", "off")];
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let mut server = Server::start_on(fresh_data(), &arguments, &variables).await;
    let id = server.accepted(book(CANARY, 1), "processor=llm").await;
    llm.until(|books| books.calls.len() == 1 && books.in_flight == 0).await;
    // The answer is read meanwhile.
    for _ in 0..200 {
        server.get(&format!("/v1/tasks/{id}")).await;
    }
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}?purge=true")).await.0, 204);
    // Goes when its attempts are over.
    server.terminate();
    assert!(server.exit_status().await.success());
    assert_eq!(files_with(server.data(), CANARY), Vec::<String>::new());
}
