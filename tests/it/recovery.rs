//! Kill it in mid-run, start it again: the task completes, and what was paid is not paid again.

use std::collections::BTreeSet;

use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, files};

const PAGES: u32 = 30;
const IN_FLIGHT: usize = 4;

/// What a run that nothing happens to would give.
fn reference() -> String {
    let pages: Vec<String> = (1..=PAGES).map(|page| format!("<!-- page {page} -->\n\n{}\n", markdown(page))).collect();
    pages.join("\n")
}

async fn survives_kills(store: &[&str]) {
    // Every third page is held until the last round, so each kill falls into running calls.
    let held = (1..=PAGES).filter(|page| page % 3 == 0);
    let script = held.fold(Script::default(), |script, page| script.page(page, [Answer::Hold]));
    let llm = FakeLlm::start(script);
    let concurrency = IN_FLIGHT.to_string();
    let arguments =
        [&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", &concurrency][..], store].concat();
    let mut server = Server::start(&arguments).await;
    let id = server.accepted(book("Kill", PAGES), "processor=llm").await;

    let mut in_flight_at_kills = 0;
    for round in 1..=3 {
        // All places are taken by held calls: what could be paid is paid.
        llm.until(|books| books.held == IN_FLIGHT).await;
        server.kill().await;
        in_flight_at_kills += IN_FLIGHT;
        llm.until(|books| books.in_flight == 0).await;
        if round == 3 {
            llm.open();
        }
        server.restart().await;
    }
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &PAGES.into()), "{task}");
    assert_eq!(server.markdown(&id).await, reference());

    let books = llm.books();
    assert!(books.calls.len() <= PAGES as usize + in_flight_at_kills, "I5: {books:?}");
    let free: Vec<u32> = books.paid.iter().copied().filter(|page| page % 3 != 0).collect();
    assert_eq!(free.len(), free.iter().collect::<BTreeSet<_>>().len(), "paid twice: {free:?}");
    let left = files(server.data()).into_iter().filter(|file| file.starts_with("tmp/")).count();
    assert_eq!(left, 0, "half-written files stay");
}

#[tokio::test]
async fn on_the_embedded_store() {
    survives_kills(&[]).await;
}

#[tokio::test]
async fn on_redis() {
    let redis = RedisServer::start().await;
    survives_kills(&["--store", &redis.url()]).await;
}

#[tokio::test]
async fn many_tasks_in_all_states_survive() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2"];
    let mut server = Server::start(&arguments).await;
    let done = server.accepted(book("Done", 2), "").await;
    server.finished(&done).await;
    let before = server.get(&format!("/v1/tasks/{done}")).await;
    let mut waiting = Vec::new();
    for number in 0..10 {
        waiting.push(server.accepted(book(&format!("Waiting {number}"), 2), "processor=llm").await);
    }
    let cancelled = waiting.pop().unwrap();
    assert_eq!(server.ask("POST", &format!("/v1/tasks/{cancelled}/cancel")).await.0, 200);
    llm.until(|books| books.held == 2).await;
    server.kill().await;
    llm.open();
    server.restart().await;
    for id in &waiting {
        assert_eq!(server.finished(id).await["status"], "completed");
    }
    assert_eq!(server.get(&format!("/v1/tasks/{done}")).await, before, "a final task stays as it was");
    assert_eq!(server.get(&format!("/v1/tasks/{cancelled}")).await["status"], "cancelled");
}
