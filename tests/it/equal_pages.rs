//! Pages that show the same are paid once, also those that are asked for at the same moment.

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, equal_pages};
use crate::support::server::Server;
use crate::support::until;

async fn server(llm: &FakeLlm) -> Server {
    Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-max-attempts", "1"]).await
}

/// Waits until `pages` pieces of work wait for something and so many are with workers.
async fn until_waiting(server: &Server, pages: u64, busy: u64) {
    let are_waiting = async || {
        let ready = server.get("/readyz?verbose").await;
        ready["queued"] == pages && ready["in_flight"] == busy
    };
    until("the others to wait", are_waiting).await;
}

#[tokio::test]
async fn of_equal_pages_in_one_document_one_is_paid() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let server = server(&llm).await;
    for (query, title, waiting, calls) in
        [("processor=llm", "One by one", 39, 1), ("processor=llm&shard_pages=4", "By fours", 9, 2)]
    {
        let id = server.accepted(equal_pages(title, 40), query).await;
        llm.until(|books| books.held == 1).await;
        until_waiting(&server, waiting, 1).await;
        llm.open();
        let task = server.finished(&id).await;
        assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &40.into()), "{task}");
        assert_eq!((&task["usage"]["calls"], &task["usage"]["reused"]), (&1.into(), &39.into()), "{task}");
        assert_eq!(llm.books().calls.len(), calls);
        llm.close();
    }
}

#[tokio::test]
async fn equal_files_at_once_pay_once_and_a_cancelled_one_leaves_the_other_its_turn() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let server = server(&llm).await;
    let pdf = book("Twice", 3);
    let first = server.accepted(pdf.clone(), "processor=llm").await;
    llm.until(|books| books.held == 3).await;
    let second = server.accepted(pdf.clone(), "processor=llm&reuse=false").await;
    let third = server.accepted(pdf, "processor=llm&reuse=false&metadata=3").await;
    until_waiting(&server, 6, 3).await;
    assert_eq!(llm.books().calls.len(), 3, "nothing is asked for twice");

    // One that waits can be cancelled, at once; and one that is waited for.
    for id in [&third, &first] {
        let (status, task) = server.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
        assert_eq!((status, &task["status"]), (200, &"cancelled".into()), "{task}");
    }
    llm.until(|books| books.held == 3 && books.calls.len() == 6).await;
    llm.open();
    let task = server.finished(&second).await;
    assert_eq!((&task["status"], &task["usage"]["calls"]), (&"completed".into(), &3.into()), "{task}");
    assert_eq!(llm.books().calls.len(), 6);
    until_waiting(&server, 0, 0).await;
}

#[tokio::test]
async fn who_waits_for_a_page_that_fails_asks_for_it_itself() {
    let refused_once = [Answer::Status(400, None), Answer::Ok];
    let script = Script { delay: std::time::Duration::from_millis(300), ..Script::default() };
    let llm = FakeLlm::start(script.page(1, refused_once));
    let server = server(&llm).await;
    let pdf = book("Fails", 1);
    let first = server.accepted(pdf.clone(), "processor=llm").await;
    llm.until(|books| books.in_flight == 1).await;
    let second = server.accepted(pdf, "processor=llm&reuse=false").await;
    assert_eq!(server.finished(&first).await["status"], "failed");
    let task = server.finished(&second).await;
    assert_eq!((&task["status"], &task["usage"]["reused"]), (&"completed".into(), &0.into()), "{task}");
    assert_eq!(llm.books().calls.len(), 2);
}

#[tokio::test]
async fn pages_that_wait_for_another_files_call_keep_no_worker_and_come_from_the_ledger() {
    let llm = FakeLlm::start(Script::default().page(1, [Answer::Hold]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2"]).await;
    let first = server.accepted(equal_pages("Shared", 1), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    let second = server.accepted(equal_pages("Shared", 9), "processor=llm").await;
    until_waiting(&server, 9, 1).await;
    let other = server.accepted(book("Other", 2), "processor=llm&pages=2").await;
    assert_eq!(server.finished(&other).await["status"], "completed", "a worker is left for it");
    llm.open();
    for (id, calls, reused) in [(first, 1, 0), (second, 0, 9)] {
        let usage = server.finished(&id).await["usage"].clone();
        assert_eq!((&usage["calls"], &usage["reused"]), (&calls.into(), &reused.into()), "{usage}");
    }
    assert_eq!(llm.books().calls.len(), 2);
}
