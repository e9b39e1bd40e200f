//! Kill it in mid-run, start it again: the task completes, and what was paid is not paid again.

use std::collections::BTreeSet;

use crate::support::fake_clock::FakeClock;
use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::{book, scans};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, files, fresh_data};
use crate::support::slow_tesseract::SlowTesseract;
use crate::support::until;

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
async fn i5_kills_pay_for_nothing_twice_on_the_embedded_store() {
    survives_kills(&[]).await;
}

#[tokio::test]
async fn i5_kills_pay_for_nothing_twice_on_redis() {
    let redis = RedisServer::start().await;
    survives_kills(&["--store", &redis.url()]).await;
}

/// What OCR says of a scan takes seconds after its answer was paid.
#[tokio::test]
async fn i5_a_kill_between_an_answer_and_its_verdict_pays_for_nothing_twice() {
    const REFUSAL: Answer = Answer::Text("I'm sorry, but I can't read this image.", "stop");
    let llm = FakeLlm::start(Script::default().page(1, [REFUSAL, Answer::Ok]));
    let ocr = SlowTesseract::new();
    let variables = [("PATH", ocr.path().to_str().unwrap())];
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2"];
    let mut server = Server::start_on(fresh_data(), &arguments, &variables).await;
    let id = server.accepted(scans(2), "processor=llm&input=image&ocr=tesseract").await;
    until("OCR to look at both", async || ocr.waiting().len() == 2).await;
    let paid = || llm.books().calls.len();
    assert_eq!(paid(), 3, "what is no page is asked for again");
    server.kill().await;
    server.restart_with(&variables).await;
    until("OCR to look at both again", async || ocr.waiting().len() == 4).await;
    assert_eq!(paid(), 3, "paid again: {:?}", llm.books());
    let _open = ocr.open();
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &2.into()), "{task}");
    assert_eq!(task["usage"]["calls"], 2, "what the dead process paid for these pages is counted: {task}");
    let pages = [1, 2].map(|page| format!("<!-- page {page} -->\n\n{}\n", markdown(page)));
    assert_eq!(server.markdown(&id).await, pages.join("\n"));
    assert_eq!(paid(), 3);
    let kept = files(server.data()).into_iter().filter(|file| file.starts_with("ledger/")).count();
    assert_eq!(kept, 2, "answers stay when their pages are there");
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

#[tokio::test]
async fn a_task_means_the_same_after_a_restart_with_another_model() {
    let llm = FakeLlm::start(Script::default().page(3, [Answer::Hold]));
    let arguments = ["--llm-base-url", &llm.url, "--llm-concurrency", "1"];
    let mut server = Server::start(&[&arguments[..], &["--llm-model", "first"]].concat()).await;
    let id = server.accepted(book("Pinned", 4), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    server.kill().await;
    llm.until(|books| books.in_flight == 0).await;
    llm.open();
    server.restart_with(&[("BINDERY_LLM_PROMPT", "Another prompt")]).await;
    server.finished(&id).await;
    assert_eq!(llm.books().calls.len(), 4 + 1, "only the call in flight is made again: {:?}", llm.books());
}

#[tokio::test]
async fn a_task_that_may_not_cost_more_does_not_go_on_without_prices() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let (data, arguments) = (fresh_data(), ["--llm-base-url", &llm.url, "--llm-model", "m"]);
    let mut server = Server::start_on(data.clone(), &[&arguments[..], &["--llm-prices", "*=1/1"]].concat(), &[]).await;
    let id = server.accepted(book("Priceless", 3), "processor=llm&max_cost=1").await;
    let calls = llm.until(|books| books.held == 1).await.calls.len();
    server.kill().await;
    let server = Server::start_on(data, &arguments, &[]).await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &"bad_option".into()), "{task}");
    assert_eq!(llm.books().calls.len(), calls, "nothing more was spent");
}

#[tokio::test]
async fn a_task_whose_processor_is_not_configured_waits_for_it() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let data = fresh_data();
    let with = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let mut server = Server::start_on(data.clone(), &with, &[]).await;
    let id = server.accepted(book("Homeless", 2), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    server.kill().await;
    let mut without = Server::start_on(data.clone(), &[], &[]).await;
    until("the server to say what it lacks", async || {
        without.get("/readyz?verbose").await["warnings"].to_string().contains("llm")
    })
    .await;
    assert!(without.get(&format!("/v1/tasks/{id}")).await["finished_at"].is_null());
    without.kill().await;
    llm.open();
    let with = Server::start_on(data, &with, &[]).await;
    assert_eq!(with.finished(&id).await["status"], "completed");
}

#[tokio::test]
async fn a_clock_that_was_behind_at_the_start_takes_no_result_before_its_time() {
    let Some(clock) = FakeClock::new() else {
        println!("skipped: faketime is not installed");
        return;
    };
    clock.set("-10d");
    let (fake, preload) = (clock.variables(), clock.preload_of_redis());
    let redis = RedisServer::start_with(&[&fake[1..], &[("LD_PRELOAD", preload.as_str())]].concat()).await;
    for store in ["embedded".to_owned(), redis.url()] {
        clock.set("-10d");
        let arguments = ["--store", &store, "--janitor-tick", "1s", "--lease", "2s"];
        let mut server = Server::start_on(fresh_data(), &arguments, &fake).await;
        let mut ids = vec![server.accepted(book("Behind", 2), "").await];
        server.finished(&ids[0]).await;
        clock.set("+0");
        ids.push(server.accepted(book("Right", 2), "").await);
        server.finished(&ids[1]).await;
        let now = jiff::Timestamp::now();
        let expiry = async |server: &Server, id: &str| -> jiff::Timestamp {
            let task = server.get(&format!("/v1/tasks/{id}")).await;
            assert_eq!(task["status"], "completed", "{store}: {task}");
            task["expires_at"].as_str().unwrap().parse().unwrap()
        };
        // A day and a week have passed for neither: each is kept for a week from its end, not ten days less, nor for ever.
        let day = jiff::SignedDuration::from_hours(24);
        for id in &ids {
            let left = async || expiry(&server, id).await.duration_since(now);
            until("the expiry to be put right", async || left().await > day * 6).await;
            assert!(left().await < day * 8, "{store}: it is kept for {}", left().await);
        }
        server.kill().await;
        let server = Server::start_on(server.shared_data(), &arguments, &fake).await;
        for id in &ids {
            let left = expiry(&server, id).await.duration_since(now);
            assert!(left > day * 6 && left < day * 8, "{store}: after a restart it is kept for {left}");
            assert!(server.markdown(id).await.contains("page 2"));
        }
        let (_, list) = server.ask("GET", "/v1/tasks").await;
        assert_eq!(list["tasks"].as_array().unwrap().len(), 2, "{store}: {list}");
    }
}

/// As after a battery that is empty, or an answer of a time server that is wrong (eclipse-kura/kura#2563).
#[tokio::test]
async fn a_clock_that_is_years_ahead_at_the_start_takes_no_result_and_no_page() {
    let Some(clock) = FakeClock::new() else {
        println!("skipped: faketime is not installed");
        return;
    };
    let llm = FakeLlm::start(Script::default());
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--janitor-tick", "1s"];
    let fake = clock.variables();
    let mut server = Server::start_on(fresh_data(), &arguments, &fake).await;
    let ask = "processor=llm&input=image";
    let done = server.accepted(book("Before", 2), ask).await;
    server.finished(&done).await;
    for offset in ["+10y", "+10y", "+0"] {
        server.kill().await;
        clock.set(offset);
        server = Server::start_on(server.shared_data(), &arguments, &fake).await;
        // What ended is looked through, and the page cache, in the same rounds as what is left of submits.
        let left = server.data().join("tasks").join(uuid::Uuid::now_v7().to_string());
        std::fs::create_dir(&left).unwrap();
        until("two rounds of the janitor", async || !left.exists()).await;
        let task = server.get(&format!("/v1/tasks/{done}")).await;
        assert_eq!(task["status"], "completed", "{offset}: {task}");
        assert!(server.markdown(&done).await.contains("# Page 2"), "{offset}");
    }
    let again = server.accepted(book("Before", 2), &format!("{ask}&reuse=false")).await;
    server.finished(&again).await;
    assert_eq!(llm.books().calls.len(), 2, "no page is paid for again");
}

#[tokio::test]
async fn a_wall_clock_that_jumps_loses_no_task_and_no_lease() {
    let Some(clock) = FakeClock::new() else {
        println!("skipped: faketime is not installed");
        return;
    };
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let fake = clock.variables();
    for store in ["embedded".to_owned(), redis.url()] {
        let arguments = ["--store", &store, "--llm-base-url", &llm.url, "--llm-model", "m", "--janitor-tick", "1s"];
        let server = Server::start_on(fresh_data(), &[&arguments[..], &["--lease", "2s"]].concat(), &fake).await;
        let done = server.accepted(book("Done", 1), "").await;
        let done = server.finished(&done).await;
        let created = done["created_at"].as_str().unwrap().to_owned();
        let done = format!("/v1/tasks/{}", done["id"].as_str().unwrap());
        let id = server.accepted(book(&format!("Jump {store}"), 2), "processor=llm").await;
        let calls = llm.until(|books| books.held == 2).await.calls.len();
        clock.set("+400d");
        let ahead = server.accepted(book("Ahead", 1), "").await;
        let ahead = server.finished(&ahead).await;
        let date = async || server.request("GET", "/healthz").send().await.unwrap().headers()["date"].clone();
        until("the fake clock to show", async || !date().await.to_str().unwrap().contains(&created[..4])).await;
        assert_eq!(ahead["created_at"].as_str().unwrap()[..4], created[..4], "the clock of the store counts");
        assert_eq!(server.get(&done).await["status"], "completed", "what ended in time is still there");
        clock.set("-400d");
        let back = server.accepted(book("Back", 1), "").await;
        let back = server.finished(&back).await;
        assert_eq!(back["status"], "completed", "{back}");
        llm.open();
        assert_eq!(server.finished(&id).await["status"], "completed");
        clock.set("+0");
        assert_eq!(server.get(&format!("/v1/tasks/{id}")).await["status"], "completed", "it did not expire at once");
        assert_eq!(server.get(&done).await["status"], "completed", "what had ended before is still there");
        let back = format!("/v1/tasks/{}", back["id"].as_str().unwrap());
        assert_eq!(server.get(&back).await["status"], "completed", "also what ended by a clock far behind");
        assert_eq!(llm.books().calls.len(), calls, "nothing was paid twice");
        llm.close();
    }
}
