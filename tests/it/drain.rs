//! SIGTERM: no new call, calls in flight may finish, the rest resumes at the next start.

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::Server;
use crate::support::until;

#[tokio::test]
async fn calls_in_flight_finish_and_the_rest_resumes() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2", "--drain", "50"];
    let mut server = Server::start(&arguments).await;
    let id = server.accepted(book("Drain", 10), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    server.terminate();
    // Draining has begun when new connections are not taken any more.
    let is_ready =
        async || server.request("GET", "/readyz").send().await.is_ok_and(|response| response.status() == 200);
    until("the drain to begin", async || !is_ready().await).await;
    llm.open();
    assert_eq!(server.exit_status().await.code(), Some(0));
    assert_eq!(llm.books().calls.len(), 2, "no new call began");
    assert_eq!(llm.books().paid.len(), 2, "those in flight were heard out");

    server.restart().await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["usage"]["reused"]), (&"completed".into(), &2.into()));
    assert_eq!(task["total_shards"], 8, "what is in the ledger needs no attempt");
    assert_eq!(llm.books().calls.len(), 10, "nothing was paid twice");
}

#[tokio::test]
async fn what_outlasts_the_drain_is_cut_off() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--drain", "0"];
    let mut server = Server::start(&arguments).await;
    let id = server.accepted(book("Cut", 3), "processor=llm").await;
    llm.until(|books| books.held == 3).await;
    server.terminate();
    assert_eq!(server.exit_status().await.code(), Some(0));
    llm.until(|books| books.in_flight == 0).await;
    llm.open();
    server.restart().await;
    assert_eq!(server.finished(&id).await["status"], "completed");
}
