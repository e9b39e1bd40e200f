//! Something goes wrong at each place along the write order, in each way: the process is killed there, a thread panics,
//! an error comes back, or it takes a while. Afterwards the same must hold: the task completes as if nothing had
//! happened, nothing is paid but what was in flight, and nothing is left behind.
//!
//! The places are those of `src/failpoint.rs`; run it with `cargo test --features failpoints --test failpoints`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

use std::time::Duration;

use bindery::PoolOptions;
use bindery::blob::LocalBlob;
use bindery::processor::TextProcessor;
use bindery::store::EmbeddedStore;
use bindery::{Bindery, NewTask};
use futures::StreamExt;
use serde_json::Value;

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "the integration tests use all of it")]
mod support;

mod purge;

use support::fake_llm::{Answer, FakeLlm, Script, markdown};
use support::pdf::book;
use support::server::{Server, answer, files, fresh_data};
use support::soon;

const PAGES: u32 = 5;
const IN_FLIGHT: usize = 2;

/// What a caller does while something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// Submits and waits.
    Submit,
    /// The server was killed in mid-run before; the place is passed when it takes the task up again.
    Resume,
    /// Deletes a finished task.
    Delete,
    /// Deletes a finished task with all that was read of it.
    Purge,
}

/// Every place, and a flow that passes it.
const PLACES: [(&str, Flow); 27] = [
    ("submit.source", Flow::Submit),
    ("submit.source-kept", Flow::Submit),
    ("submit.record-written", Flow::Submit),
    ("submit.copy-kept", Flow::Submit),
    ("store.commit", Flow::Submit),
    ("store.committed", Flow::Submit),
    ("claim.begin", Flow::Resume),
    ("change.written", Flow::Resume),
    ("claim.written", Flow::Resume),
    ("copy.write", Flow::Submit),
    ("plan.begin", Flow::Submit),
    ("attempt.begin", Flow::Submit),
    ("attempt.answered", Flow::Submit),
    ("ledger.write", Flow::Submit),
    ("attempt.kept", Flow::Submit),
    ("bind.staged", Flow::Submit),
    ("blob.one-of-several", Flow::Submit),
    ("bind.done", Flow::Submit),
    ("end.begin", Flow::Submit),
    ("end.copy-kept", Flow::Submit),
    ("end.written", Flow::Submit),
    ("delete.copy-gone", Flow::Delete),
    ("delete.record-gone", Flow::Delete),
    ("delete.folder-gone", Flow::Delete),
    ("purge.listed", Flow::Purge),
    ("purge.pages-gone", Flow::Purge),
    ("purge.done", Flow::Purge),
];

/// Places that no write passes, each with a test of its own: a round of renewing leases and asking the store for the time.
const ASIDE: [&str; 1] = ["store.renew"];

const ACTIONS: [&str; 4] = ["return(kill)", "panic", "return(error)", "delay(150)"];

/// What the same pages read one after the other would give.
fn reference() -> String {
    let pages: Vec<String> = (1..=PAGES).map(|page| format!("<!-- page {page} -->\n\n{}\n", markdown(page))).collect();
    pages.join("\n")
}

struct Case {
    name: String,
    llm: FakeLlm,
    server: Server,
    key: String,
    /// What the process may have had in flight when it died.
    lost_calls: usize,
    /// How often the server ended by the fault.
    deaths: usize,
}

impl Case {
    /// The task of this case: submitted as a careful client does, again and again under one key until it is answered.
    async fn submitted(&mut self) -> String {
        loop {
            let request = self.server.request("POST", "/v1/tasks?processor=llm").header("idempotency-key", &self.key);
            let request = request.header("content-type", "application/pdf").body(book(&self.key, PAGES));
            match soon("an answer to the submit", request.send()).await {
                Ok(response) if response.status().is_success() => {
                    let task: Value = response.json().await.unwrap();
                    return task["id"].as_str().unwrap().to_owned();
                }
                Ok(response) if response.status() == 503 => self.revive_if_dead().await,
                Ok(response) => panic!("{}: {}", self.name, response.text().await.unwrap()),
                Err(_) => self.revive().await,
            }
        }
    }

    /// Waits for the end of the server and starts it again, without the fault.
    async fn revive(&mut self) {
        self.server.exit_status().await;
        self.deaths += 1;
        self.lost_calls += IN_FLIGHT;
        self.llm.until(|books| books.in_flight == 0).await;
        self.server.restart().await;
    }

    async fn revive_if_dead(&mut self) {
        if self.server.has_ended() {
            self.revive().await;
        }
    }

    /// Asks until there is an answer that is not "come back later"; starts the server again when it is gone.
    async fn ask(&mut self, method: &str, path: &str) -> (u16, Value) {
        let asking = Duration::from_secs(60);
        let asked = tokio::time::timeout(asking, async {
            loop {
                match self.server.request(method, path).send().await {
                    Ok(response) if response.status() == 503 => self.revive_if_dead().await,
                    Ok(response) => {
                        let status = response.status().as_u16();
                        let body = response.bytes().await.unwrap_or_default();
                        return (status, serde_json::from_slice(&body).unwrap_or_default());
                    }
                    Err(_) => self.revive().await,
                }
            }
        });
        asked.await.unwrap_or_else(|_| panic!("{}: waited too long for {method} {path}", self.name))
    }

    async fn finished(&mut self, id: &str) -> Value {
        loop {
            let (status, task) = self.ask("GET", &format!("/v1/tasks/{id}?wait=20")).await;
            assert_eq!(status, 200, "{}: {task}", self.name);
            if task["finished_at"].is_string() {
                return task;
            }
        }
    }

    /// The oracle: what must hold however it went.
    async fn check(&mut self, id: &str) {
        let mut task = self.finished(id).await;
        let mut forced = 0;
        if task["pages"]["failed"] != 0 || task["status"] != "completed" {
            // A page that could not be kept is declared failed; a retry pays for it again, and for no other.
            forced = usize::try_from(task["pages"]["failed"].as_u64().unwrap_or_default()).unwrap();
            assert!(forced <= 1, "{}: {task}", self.name);
            let (status, retried) = self.ask("POST", &format!("/v1/tasks/{id}/retry")).await;
            assert!(status == 202 || status == 409, "{}: {status} {retried}", self.name);
            task = self.finished(id).await;
        }
        assert_eq!(task["status"], "completed", "{}: {task}", self.name);
        assert_eq!(task["pages"]["done"], PAGES, "{}: {task}", self.name);
        let result = self.server.request("GET", &format!("/v1/tasks/{id}/result")).send().await.unwrap();
        assert_eq!(result.text().await.unwrap(), reference(), "{}", self.name);
        let books = self.llm.books();
        // An attempt whose outcome is turned into an error is one more call.
        let most = PAGES as usize + self.lost_calls + forced + 1;
        assert!(books.calls.len() <= most, "{}: {} calls, at most {most}: {books:?}", self.name, books.calls.len());
        let (_, list) = self.ask("GET", "/v1/tasks").await;
        assert_eq!(list["tasks"].as_array().unwrap().len(), 1, "{}: one submit, one task: {list}", self.name);

        assert!([204, 404].contains(&self.ask("DELETE", &format!("/v1/tasks/{id}")).await.0), "{}", self.name);
        self.nothing_is_left(Flow::Delete).await;
    }

    /// A fault that was not met proves nothing.
    fn must_have_died(&self, action: &str) {
        assert!(action != "return(kill)" || self.deaths == 1, "{}: {} deaths", self.name, self.deaths);
    }

    async fn nothing_is_left(&self, flow: Flow) {
        let left = || {
            let mut left = files(self.server.data());
            left.retain(|file| flow == Flow::Purge || !file.starts_with("ledger/"));
            left
        };
        let gone = async {
            while !left().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(30), gone).await;
        assert!(gone.is_ok(), "{}: left behind: {:?}", self.name, left());
        let (status, list) = answer(self.server.request("GET", "/v1/tasks")).await;
        assert_eq!((status, list["tasks"].as_array().map(Vec::len)), (200, Some(0)), "{}", self.name);
    }
}

async fn goes_wrong(place: &str, flow: Flow, action: &str) {
    let name = format!("{place} {action}");
    // The first submit's page is held until the flow lets it go, so that a task can be caught in mid-run.
    let script = if flow == Flow::Resume { Script::default().page(3, [Answer::Hold]) } else { Script::default() };
    let llm = FakeLlm::start(script);
    let concurrency = IN_FLIGHT.to_string();
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", &concurrency];
    let arguments = [&arguments[..], &["--janitor-tick", "1s"]].concat();
    // Every place is passed by the first task that comes there; the store commits once at its opening.
    // The first write gives a new store its name; without it there is no server.
    let naming = if place.starts_with("store.") { "1*off->" } else { "" };
    let fault = format!("{place}={naming}1*{action}");
    let variables = [("FAILPOINTS", fault.as_str()), ("RUST_LOG", "off")];
    let first = if flow == Flow::Resume { &[][..] } else { &variables[..] };
    let server = Server::start_on(fresh_data(), &arguments, first).await;
    let mut case = Case { key: name.clone(), name, llm, server, lost_calls: 0, deaths: 0 };
    let id = case.submitted().await;
    match flow {
        Flow::Submit => {}
        Flow::Resume => {
            case.llm.until(|books| books.held == 1).await;
            case.server.kill().await;
            case.lost_calls += IN_FLIGHT;
            case.llm.until(|books| books.in_flight == 0).await;
            case.llm.open();
            case.server.restart_with(&variables).await;
        }
        Flow::Delete | Flow::Purge => {
            case.finished(&id).await;
            let delete = format!("/v1/tasks/{id}?purge={}", flow == Flow::Purge);
            let (status, _) = case.ask("DELETE", &delete).await;
            assert!([204, 404].contains(&status), "{}: {status}", case.name);
            let (status, _) = case.ask("DELETE", &delete).await;
            assert!([204, 404].contains(&status), "{}: {status}", case.name);
            case.nothing_is_left(flow).await;
            return case.must_have_died(action);
        }
    }
    case.check(&id).await;
    case.must_have_died(action);
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_at_every_place_in_every_way() {
    let cases = PLACES.into_iter().flat_map(|(place, flow)| ACTIONS.map(|action| (place, flow, action)));
    let run = futures::stream::iter(cases).map(|(place, flow, action)| async move {
        let done = tokio::spawn(goes_wrong(place, flow, action)).await;
        done.err().map(|_| format!("{place} {action}"))
    });
    let wrong: Vec<String> = run.buffer_unordered(8).filter_map(|wrong| async { wrong }).collect().await;
    assert!(wrong.is_empty(), "went wrong: {wrong:#?}");
}

/// Equal submits at the same moment while a backup cannot be kept, at each place where a submit can fail or take its time.
/// What one of them was answered is never taken back by another.
async fn ids_stay(on_redis: bool) {
    for faults in [
        "copy.write=1*return(error);submit.record-written=1*delay(300)",
        "copy.write=50%return(error);submit.record-written=delay(30)",
        "submit.source-kept=50%return(error);submit.record-written=delay(30)",
        "store.committed=1*off->50%return(error);submit.record-written=delay(30)",
        "store.commit=1*off->50%return(error)",
    ] {
        if faults.contains("store.") && on_redis {
            // Those places are in the embedded store.
            continue;
        }
        let variables = [("FAILPOINTS", faults), ("RUST_LOG", "off")];
        let redis = if on_redis { Some(support::redis_server::RedisServer::start().await) } else { None };
        let store = redis.as_ref().map_or_else(|| "embedded".to_owned(), support::redis_server::RedisServer::url);
        let arguments = ["--store", &store, "--janitor-tick", "1h"];
        let mut server = Server::start_on(fresh_data(), &arguments, &variables).await;
        let mut told = std::collections::BTreeSet::new();
        for round in 0..10 {
            let pdf = book(&format!("Equal {round}"), 1);
            let submits = (0..8).map(|_| server.submit(pdf.clone(), ""));
            for (status, task) in futures::future::join_all(submits).await {
                assert!([200, 202, 503].contains(&status), "{faults}: {status} {task}");
                if status != 503 {
                    told.insert(task["id"].as_str().unwrap().to_owned());
                }
            }
        }
        assert!(!told.is_empty(), "{faults}: nothing was accepted");
        for id in &told {
            let (status, problem) = server.ask("GET", &format!("/v1/tasks/{id}")).await;
            assert!([200, 503].contains(&status), "{faults}: {status} {problem}");
        }
        server.kill().await;
        server.restart().await;
        for id in &told {
            let (status, task) = server.ask("GET", &format!("/v1/tasks/{id}?wait=50")).await;
            assert_eq!((status, &task["status"]), (200, &"completed".into()), "{faults}: {task}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_answered_is_never_taken_back() {
    ids_stay(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_was_answered_is_never_taken_back_on_redis() {
    ids_stay(true).await;
}

/// The record of a task from a store that may have lost it a moment ago.
async fn ended(server: &Server, id: &str) -> Value {
    let ended = async {
        loop {
            let (status, task) = server.ask("GET", &format!("/v1/tasks/{id}?wait=20")).await;
            assert!([200, 503].contains(&status), "{status} {task}");
            if task["finished_at"].is_string() {
                return task;
            }
        }
    };
    soon("the task to be final", ended).await
}

async fn lose_everything(redis: &support::redis_server::RedisServer) {
    let () = redis::cmd("FLUSHALL").query_async(&mut redis.connection().await).await.unwrap();
}

/// The end of a task waits for its copy, so that a store that loses its record does not have it end a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_task_ends_once_though_its_copy_finds_no_room_and_redis_is_emptied() {
    let redis = support::redis_server::RedisServer::start().await;
    // The first copy is that of the submit.
    let variables = [("FAILPOINTS", "copy.write=1*off->3*return(error)"), ("RUST_LOG", "off")];
    let arguments = ["--store", &redis.url(), "--janitor-tick", "1s", "--lease", "2s"];
    let server = Server::start_on(fresh_data(), &arguments, &variables).await;
    let id = server.accepted(book("Once", 2), "processor=text").await;
    let first = server.finished(&id).await["finished_at"].clone();
    lose_everything(&redis).await;
    assert_eq!(ended(&server, &id).await["finished_at"], first, "it ended a second time");
}

/// A task is cancelled that waits for a processor, and the copy of that finds no room. When the store then loses the record,
/// nothing must say that the task goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_task_does_not_run_again_though_its_copy_finds_no_room_and_redis_is_emptied() {
    let redis = support::redis_server::RedisServer::start().await;
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let store = ["--store", &redis.url(), "--janitor-tick", "1s", "--lease", "1s"];
    let with_llm = [&store[..], &["--llm-base-url", &llm.url, "--llm-model", "m"]].concat();
    let data = fresh_data();
    let mut server = Server::start_on(data.clone(), &with_llm, &[]).await;
    let id = server.accepted(book("Cancelled", 1), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    server.kill().await;
    llm.until(|books| books.in_flight == 0).await;

    let variables = [("FAILPOINTS", "copy.write=return(error)"), ("RUST_LOG", "off")];
    let mut server = Server::start_on(data.clone(), &store, &variables).await;
    let (status, task) = server.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
    assert_eq!((status, &task["status"]), (200, &"cancelled".into()), "{task}");
    server.kill().await;
    lose_everything(&redis).await;

    let server = Server::start_on(data, &with_llm, &[]).await;
    soon("its folder to go", async {
        while files(server.data()).iter().any(|file| file.starts_with("tasks/")) {
            assert_eq!(llm.books().calls.len(), 1, "it runs again");
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(server.ask("GET", &format!("/v1/tasks/{id}")).await.0, 404);
    assert_eq!(llm.books().calls.len(), 1);
}

/// A server whose clock is behind takes a task before the store has told it the time.
#[tokio::test(flavor = "multi_thread")]
async fn no_task_is_stamped_by_a_clock_that_the_store_has_not_put_right() {
    let Some(clock) = support::fake_clock::FakeClock::new() else {
        println!("skipped: faketime is not installed");
        return;
    };
    let redis = support::redis_server::RedisServer::start().await;
    clock.set("-10d");
    let points = [("FAILPOINTS", "store.renew=3*return(error)->off"), ("RUST_LOG", "off")];
    let variables = [&clock.variables()[..], &points].concat();
    let begun = jiff::Timestamp::now();
    let server = Server::start_on(fresh_data(), &["--store", &redis.url()], &variables).await;
    let waits = server.accepted(book("Early", 1), "processor=text").await;
    let task = server.finished(&waits).await;
    for name in ["created_at", "finished_at"] {
        let stamped: jiff::Timestamp = task[name].as_str().unwrap().parse().unwrap();
        assert!(stamped.duration_since(begun) > -jiff::SignedDuration::from_mins(1), "{name} of {task}");
    }
}

/// A task without its backup would be lost with its record.
#[tokio::test(flavor = "multi_thread")]
async fn without_its_backup_no_task_is_accepted() {
    let variables = [("FAILPOINTS", "copy.write=return(error)"), ("RUST_LOG", "off")];
    let server = Server::start_on(fresh_data(), &[], &variables).await;
    for _ in 0..3 {
        let (status, problem) = server.submit(book("No backup", 1), "").await;
        assert_eq!((status, &problem["code"]), (503, &"storage_failed".into()), "{problem}");
    }
    assert_eq!(server.get("/v1/tasks").await["tasks"], Value::Array(Vec::new()));
    assert!(files(server.data()).is_empty(), "{:?}", files(server.data()));
}

/// Where the embedder below keeps its data, and what it is told by.
const EMBEDDER: &str = "TEST_EMBEDDER_DATA";

/// A program that embeds Bindery and reads PDFs in its own process, which they can end: this binary, started by the next
/// test. It has two documents read, and leaves their Markdown beside its data.
#[test]
fn embedder() {
    let Some(data) = std::env::var_os(EMBEDDER) else { return };
    bindery::failpoint::set_up();
    actix::System::new().block_on(async {
        let (store, blob) = (EmbeddedStore::open(&data).unwrap(), LocalBlob::open(&data).unwrap());
        let pool = PoolOptions::workers(2, 16);
        let bindery = Bindery::builder().store(store).blob(blob).processor(TextProcessor).pool(pool).start();
        // The same submit again finds the same task.
        let mut tasks = Vec::new();
        for (title, pages) in [("Poison", 40), ("Innocent", 4)] {
            tasks.push((title, bindery.submit(NewTask::from_bytes(book(title, pages))).await.unwrap().id));
        }
        for (title, id) in tasks {
            bindery.wait(id).await.unwrap();
            let markdown = bindery.result(id).await.unwrap();
            std::fs::write(std::path::Path::new(&data).join(title), markdown).unwrap();
        }
        bindery.stop(Duration::ZERO).await;
    });
}

/// Page 5 kills the process that it is read in. Three deaths later it is declared failed, it alone, and the process lives.
#[test]
fn a_page_that_kills_the_process_is_found_and_given_up() {
    let data = tempfile::tempdir().unwrap();
    let run = || {
        let mut program = std::process::Command::new(std::env::current_exe().unwrap());
        program.args(["--exact", "embedder"]).env(EMBEDDER, data.path());
        program.env("FAILPOINTS", "page-5=return(kill)").env("RUST_LOG", "off").status().unwrap()
    };
    let deaths = std::iter::repeat_with(run).take(10).take_while(|end| !end.success()).count();
    assert_eq!(deaths, 3, "as many as a page is allowed");
    let read = |title: &str| std::fs::read_to_string(data.path().join(title)).unwrap();
    let poison = read("Poison");
    assert_eq!(poison.matches("failed: ").count(), 1, "{poison}");
    assert!(poison.contains("<!-- page 5: failed: page_crash -->"), "{poison}");
    assert_eq!((poison.matches("Poison page").count(), read("Innocent").matches("Innocent page").count()), (39, 4));
}

/// The table above and the places in the code are the same, so that no place is forgotten.
#[test]
fn the_table_has_every_place() {
    let mut found = std::collections::BTreeSet::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let is_source = path.extension().is_some_and(|ending| ending == "rs");
            let text = if is_source { std::fs::read_to_string(&path).unwrap() } else { String::new() };
            found.extend(
                text.split("failpoint::pass(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()),
            );
        }
    }
    let table = PLACES.iter().map(|(place, _)| *place).chain(ASIDE).map(str::to_owned).collect();
    assert_eq!(found, table);
}
