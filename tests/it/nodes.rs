//! Several servers on one Redis and one data directory.

use std::time::Duration;

use bindery::blob::LocalBlob;
use bindery::processor::{Gate, LlmOptions, LlmProcessor, Scripted, ScriptedProcessor, WorkKind};
use bindery::store::{RedisOptions, RedisStore};
use bindery::supervisor::{RequestError, SupervisorOptions};
use bindery::task::TaskStatus;
use bindery::{Bindery, NewTask};
use futures::StreamExt;
use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_proxy::{RedisProxy, Weather};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Data, Server, answer, fresh_data, run, told};
use crate::support::{soon, until, with};

const LEASE: Duration = Duration::from_secs(2);

async fn pair(llm: &FakeLlm, redis: &RedisServer) -> [Server; 2] {
    pair_with(llm, redis, "2s").await
}

async fn pair_with(llm: &FakeLlm, redis: &RedisServer, lease: &str) -> [Server; 2] {
    let data = fresh_data();
    [one(llm, redis, data.clone(), lease).await, one(llm, redis, data, lease).await]
}

async fn one(llm: &FakeLlm, redis: &RedisServer, data: Data, lease: &str) -> Server {
    let url = redis.url();
    let arguments = ["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2"];
    Server::start_on(data, &[&arguments[..], &["--lease", lease, "--janitor-tick", "1s"]].concat(), &[]).await
}

/// Waits until the server knows of the other one.
async fn acquainted(server: &Server) {
    until("the servers to know of each other", async || server.get("/readyz?verbose").await["other_nodes"] == 1).await;
}

#[tokio::test]
async fn a_dead_servers_task_goes_on_elsewhere() {
    let (llm, redis) = (FakeLlm::start(Script::default().page(4, [Answer::Hold])), RedisServer::start().await);
    let [mut first, second] = pair(&llm, &redis).await;
    let id = first.accepted(book("Takeover", 6), "processor=llm").await;
    llm.until(|books| books.held == 1 && books.paid.len() == 5).await;
    first.kill().await;
    llm.until(|books| books.in_flight == 0).await;
    llm.open();
    let killed = std::time::Instant::now();
    let task = second.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &6.into()), "{task}");
    assert!(killed.elapsed() < LEASE * 4, "it was not found when its lease had ended: {:?}", killed.elapsed());
    // An answer that was under way at the kill was in flight, too.
    assert!(llm.books().calls.len() <= 6 + 2, "only calls in flight are made again: {:?}", llm.books());
}

#[tokio::test]
async fn an_owner_that_slept_past_its_lease_does_no_harm() {
    let (llm, redis) = (FakeLlm::start(Script::default().page(3, [Answer::Hold])), RedisServer::start().await);
    let [first, second] = pair(&llm, &redis).await;
    acquainted(&first).await;
    let id = first.accepted(book("Sleeper", 8), "processor=llm").await;
    llm.until(|books| books.held == 1 && books.paid.len() == 7).await;
    first.signal("STOP");
    // The other one takes the task over and asks for the page that is missing.
    llm.until(|books| books.calls_by_page[&3] == 2).await;
    llm.open();
    let task = second.finished(&id).await;
    assert_eq!(task["status"], "completed");
    first.signal("CONT");
    let seen: Value = soon("the sleeper to answer", first.get(&format!("/v1/tasks/{id}"))).await;
    assert_eq!(seen, task, "a final status stays");
    assert_eq!(first.markdown(&id).await, second.markdown(&id).await);
    assert!(llm.books().calls.len() <= 8 + 2, "only calls in flight are made again: {:?}", llm.books());
}

#[tokio::test]
async fn an_owner_that_is_cut_off_begins_nothing_once_another_server_is_there() {
    const PAGES: u32 = 60;
    let script = Script { delay: Duration::from_millis(150), ..Script::default() };
    let (llm, redis) = (FakeLlm::start(script), RedisServer::start().await);
    let proxy = RedisProxy::start(redis.port).await;
    let data = fresh_data();
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "1", "--lease", "2s"];
    let with =
        |store: &str| -> Vec<String> { ["--store", store].iter().chain(&arguments).map(ToString::to_string).collect() };
    let start = async |arguments: Vec<String>| {
        Server::start_on(data.clone(), &arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[]).await
    };
    let first = start(with(&proxy.url)).await;
    let id = first.accepted(book("Cut", PAGES), "processor=llm").await;
    llm.until(|books| books.paid.len() >= 3).await;
    proxy.set(Weather::Cut);
    let second = start(with(&redis.url())).await;
    let task = second.finished(&id).await;
    assert_eq!(task["status"], "completed", "{task}");
    // Each had a call in flight when the task changed hands; both at once would pay for most pages twice.
    assert!(llm.books().calls.len() <= PAGES as usize + 3, "{} calls", llm.books().calls.len());
}

#[tokio::test]
async fn an_owner_believes_in_its_lease_no_longer_than_the_store_does() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let proxy = RedisProxy::start(redis.port).await;
    let (data, url) = (fresh_data(), redis.url());
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "1", "--lease", "2s"];
    let owner = Server::start_on(data.clone(), &[&arguments[..], &["--store", &proxy.url]].concat(), &[]).await;
    // It could run nothing that needs a model, but is there.
    let other = Server::start_on(data, &["--store", &url, "--lease", "2s"], &[]).await;
    acquainted(&owner).await;
    let id = owner.accepted(book("Believer", 3), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    proxy.set(Weather::Cut);
    let (mut connection, lease) = (redis.connection().await, format!("{{task:{id}}}:lease"));
    until("the lease to end in the store", async || {
        !redis::cmd("EXISTS").arg(&lease).query_async::<bool>(&mut connection).await.unwrap()
    })
    .await;
    llm.open();
    llm.until(|books| books.paid.len() == 1 && books.in_flight == 0).await;
    // The answer is in the ledger, and the worker is free: in these many round trips it would have begun.
    for _ in 0..200 {
        owner.get("/healthz").await;
    }
    assert_eq!(llm.books().calls.len(), 1, "a call without a lease");
    proxy.set(Weather::Fair);
    let path = format!("/v1/tasks/{id}");
    until("the store to answer the owner", async || owner.ask("GET", &path).await.0 == 200).await;
    assert_eq!(owner.finished(&id).await["status"], "completed");
    assert_eq!(llm.books().calls.len(), 3);
    drop(other);
}

#[tokio::test]
async fn a_redis_restored_to_older_data_does_not_undo_an_accepted_retry() {
    let refused_once = [Answer::Status(400, None), Answer::Hold];
    let script = Script::default().page(1, refused_once.clone()).page(2, refused_once);
    let (llm, redis) = (FakeLlm::start(script), RedisServer::start().await);
    let url = redis.url();
    let arguments = ["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m", "--janitor-tick", "1s"];
    let mut server = Server::start(&arguments).await;
    let id = server.accepted(book("Older", 2), "processor=llm").await;
    assert_eq!(server.finished(&id).await["status"], "failed");
    let mut connection = redis.connection().await;
    let older: Vec<u8> = redis::cmd("DUMP").arg(format!("task:{id}")).query_async(&mut connection).await.unwrap();
    assert_eq!(server.ask("POST", &format!("/v1/tasks/{id}/retry")).await.0, 202);
    llm.until(|books| books.held == 2).await;
    server.kill().await;
    let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    let restore = redis::cmd("RESTORE").arg(format!("task:{id}")).arg(0).arg(older).clone();
    let () = restore.query_async(&mut connection).await.unwrap();
    llm.open();
    server.restart().await;
    let path = format!("/v1/tasks/{id}");
    until("the retry to go on", async || server.get(&path).await["status"] == "completed").await;
}

#[tokio::test]
async fn a_cancel_through_the_other_server_is_answered_when_no_call_begins_any_more() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let [first, second] = pair(&llm, &redis).await;
    let id = first.accepted(book("Cancel", 6), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    let (status, task) = second.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
    assert_eq!((status, &task["status"]), (200, &"cancelled".into()), "{task}");
    let calls = llm.until(|books| books.in_flight == 0).await.calls.len();
    llm.open();
    let other = first.accepted(book("Other", 1), "processor=llm").await;
    first.finished(&other).await;
    assert_eq!(llm.books().calls.len(), calls + 1, "no call of the cancelled task");
    assert_eq!(first.get(&format!("/v1/tasks/{id}")).await["status"], "cancelled");
}

#[tokio::test]
async fn a_server_that_stops_in_order_hands_its_tasks_over_and_a_wait_elsewhere_sees_the_end() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let lease = Duration::from_secs(15);
    let [mut first, second] = pair_with(&llm, &redis, "15s").await;
    let id = first.accepted(book("Handover", 3), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    let waiting = answer(second.request("GET", &format!("/v1/tasks/{id}?wait=50")));
    let asked = std::time::Instant::now();
    first.terminate();
    llm.open();
    let ((status, task), exit) = futures::join!(waiting, first.exit_status());
    assert_eq!((status, &task["status"], exit.code()), (200, &"completed".into(), Some(0)), "{task}");
    assert!(asked.elapsed() < lease / 3 * 2, "it waited for the lease to end: {:?}", asked.elapsed());
    assert_eq!(llm.books().calls.len(), 3);
}

#[tokio::test]
async fn each_server_shows_all_of_them_with_their_load() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let [mut first, second] = pair_with(&llm, &redis, "3s").await;
    first.accepted(book("Held", 5), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    let mut nodes = Value::Null;
    until("the second server to know what the first one holds", async || {
        nodes = second.get("/readyz?verbose").await["nodes"].clone();
        nodes.as_array().is_some_and(|nodes| nodes.len() == 2 && nodes.iter().any(|node| node["in_flight"] == 2))
    })
    .await;
    for node in nodes.as_array().unwrap() {
        assert_eq!(node["version"], env!("CARGO_PKG_VERSION"), "{node}");
        let holds = usize::from(node["in_flight"] == 2);
        assert_eq!((&node["running"], &node["queued"]), (&holds.into(), &(holds * 3).into()), "{node}");
        assert_eq!(node["draining"], false);
    }
    first.kill().await;
    until("the dead one to be gone", async || {
        second.get("/readyz?verbose").await["nodes"].as_array().is_some_and(|nodes| nodes.len() == 1)
    })
    .await;
    let alone = Server::start(&[]).await;
    let nodes = alone.get("/readyz?verbose").await["nodes"].clone();
    assert_eq!((nodes.as_array().unwrap().len(), &nodes[0]["running"]), (1, &0.into()), "{nodes}");
}

/// A node in this process, beside `server` on the same store and data, that runs one task at a time. It alone has the
/// processor `scripted`, whose pages wait for the gate: the server cannot take such tasks over when a lease here was late.
async fn single_minded(server: &Server, llm: &FakeLlm, redis: &RedisServer) -> (Bindery, Gate) {
    let options = LlmOptions::new(llm.url.clone(), "m");
    let lease = with(RedisOptions::default(), |options| options.lease = LEASE);
    let gate = Gate::default();
    let scripted = ScriptedProcessor::new(WorkKind::Call).page(1, [Scripted::Slow(gate.clone())]);
    let node = Bindery::builder()
        .store(RedisStore::connect(&redis.url(), lease).await.unwrap())
        .blob(LocalBlob::open(server.data()).unwrap())
        .processor(LlmProcessor::new(options).unwrap())
        .processor(scripted)
        .options(with(SupervisorOptions::default(), |options| options.max_active = 1))
        .start();
    until("the node to be the second one", async || node.condition().await.unwrap().others == 1).await;
    (node, gate)
}

fn paper(title: &str) -> NewTask {
    NewTask::from_bytes(book(title, 1))
}

#[actix::test]
async fn a_dead_servers_task_is_taken_up_before_the_backlog_of_a_busy_one() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let mut first = one(&llm, &redis, fresh_data(), "2s").await;
    let (busy, gate) = single_minded(&first, &llm, &redis).await;
    let submit = async |title| {
        let task = paper(title).option("processor", "scripted").unwrap();
        busy.submit(task).await.unwrap().id
    };
    let mut tasks = vec![submit("Running").await];
    let orphan = first.accepted(book("Orphan", 1), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    // Each server reckons the store's time by itself, and the oldest task is first.
    let made = busy.get(orphan.parse().unwrap()).await.unwrap().created_at;
    until("the clock to be past the orphan", async || {
        busy.condition().await.unwrap().nodes.iter().all(|n| n.at > made)
    })
    .await;
    for title in ["Waiting 1", "Waiting 2", "Waiting 3"] {
        tasks.push(submit(title).await);
    }
    first.kill().await;
    until("the orphan to be noticed", async || busy.condition().await.unwrap().waiting == 4).await;
    llm.open();
    gate.open();
    let orphan = soon("the orphan", busy.wait(orphan.parse().unwrap())).await.unwrap();
    assert_eq!(orphan.status, TaskStatus::Completed);
    for (number, id) in tasks.into_iter().enumerate() {
        let task = soon("a task", busy.wait(id)).await.unwrap();
        assert_eq!(task.finished_at < orphan.finished_at, number == 0, "task {number}");
    }
    busy.stop(Duration::ZERO).await;
}

#[actix::test]
async fn a_dead_servers_task_can_be_cancelled_through_a_busy_one() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let mut first = one(&llm, &redis, fresh_data(), "2s").await;
    let (busy, _) = single_minded(&first, &llm, &redis).await;
    let orphan = first.accepted(book("Orphan", 1), "processor=llm").await.parse().unwrap();
    busy.submit(paper("Running")).await.unwrap();
    llm.until(|books| books.held == 2).await;
    first.kill().await;
    let cancelled = soon("the cancel", busy.cancel(orphan)).await.unwrap();
    assert_eq!(cancelled.status, TaskStatus::Cancelled);
    assert!(matches!(busy.cancel(orphan).await, Err(RequestError::AlreadyFinal(_))));
    llm.open();
    busy.stop(Duration::ZERO).await;
}

#[actix::test]
async fn who_waits_for_a_task_hears_that_it_was_deleted_elsewhere() {
    let (llm, redis) = (FakeLlm::start(Script::default().otherwise(Answer::Hold)), RedisServer::start().await);
    let first = one(&llm, &redis, fresh_data(), "2s").await;
    let (node, _) = single_minded(&first, &llm, &redis).await;
    let id = first.accepted(book("Deleted", 1), "processor=llm").await;
    let mut watch = node.watch(id.parse().unwrap()).await.unwrap();
    llm.until(|books| books.held == 1).await;
    // From here on the node reads the record every now and then.
    soon("the news of the start", async { while watch.next().await.unwrap().status != TaskStatus::Processing {} })
        .await;
    let path = format!("/v1/tasks/{id}");
    let both = async { futures::join!(node.wait(id.parse().unwrap()), first.ask("DELETE", &path)) };
    let (waited, (status, _)) = soon("the end of the wait", both).await;
    assert_eq!(status, 204);
    let cancelled_first = |task: &bindery::task::TaskRecord| task.status == TaskStatus::Cancelled;
    assert!(matches!(&waited, Err(RequestError::NotFound)) || waited.as_ref().is_ok_and(cancelled_first), "{waited:?}");
    llm.open();
    node.stop(Duration::ZERO).await;
}

#[tokio::test]
async fn a_redis_that_lost_everything_gets_its_records_back() {
    let (llm, redis) = (FakeLlm::start(Script::default().page(2, [Answer::Hold])), RedisServer::start().await);
    let url = redis.url();
    let arguments = ["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "1"];
    let server = Server::start(&[&arguments[..], &["--lease", "2s", "--janitor-tick", "1s"]].concat()).await;
    let done = server.accepted(book("Done", 1), "processor=llm").await;
    let done = server.finished(&done).await;
    let running = server.accepted(book("Running", 3), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    let waiting = server.accepted(book("Waiting", 1), "processor=llm").await;
    let mut connection = redis.connection().await;
    let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();

    let path = format!("/v1/tasks/{}", done["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await, done, "an end is brought back when somebody asks for it");
    llm.open();
    for id in [running, waiting] {
        let task = loop {
            let (status, task) = server.ask("GET", &format!("/v1/tasks/{id}?wait=50")).await;
            assert!(status == 200 || status == 503, "never silence: {status} {task}");
            if status == 200 && task["finished_at"].is_string() {
                break task;
            }
        };
        assert_eq!(task["status"], "completed", "{task}");
    }
    assert_eq!(llm.books().calls.len(), 5, "nothing was paid twice");
}

#[tokio::test]
async fn settings_of_redis_that_lose_tasks_are_said() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    for (name, value) in [("maxmemory-policy", "volatile-lru"), ("appendonly", "no")] {
        let () = redis::cmd("CONFIG").arg(&["SET", name, value]).query_async(&mut connection).await.unwrap();
    }
    let server = Server::start(&["--store", &redis.url()]).await;
    let warnings = server.get("/readyz?verbose").await["warnings"].clone();
    let said: Vec<&str> = warnings.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("set noeviction") && said[1].contains("appendonly"), "{said:?}");
}

#[tokio::test]
async fn fifty_equal_submits_are_one_task_that_is_paid_once() {
    for redis in [None, Some(RedisServer::start().await)] {
        let llm = FakeLlm::start(Script::default());
        let store = redis.as_ref().map_or_else(|| "embedded".to_owned(), RedisServer::url);
        let server = Server::start(&["--store", &store, "--llm-base-url", &llm.url, "--llm-model", "m"]).await;
        let pdf = book("Fifty", 4);
        let many = (0..50).map(|_| server.submit(pdf.clone(), "processor=llm"));
        let answers = futures::future::join_all(many).await;
        let id = answers[0].1["id"].clone();
        assert!(answers.iter().all(|(status, task)| [200, 202].contains(status) && task["id"] == id), "{answers:?}");
        assert_eq!(answers.iter().filter(|(status, _)| *status == 202).count(), 1);
        assert!(answers.iter().all(|(status, task)| (*status == 200) == (task["reused"] == true)));
        server.finished(id.as_str().unwrap()).await;
        assert_eq!(server.submit(pdf.clone(), "processor=llm").await.0, 200, "also when it is done");
        assert_eq!(server.submit(pdf.clone(), "processor=llm&reuse=false").await.0, 202);
        assert_eq!(llm.books().calls.len(), 4);
        let folders = std::fs::read_dir(server.data().join("tasks")).unwrap().count();
        assert_eq!(folders, 2, "what came to nothing leaves nothing");

        let keyed = |pdf: &[u8]| {
            let request = server.request("POST", "/v1/tasks?reuse=false").header("idempotency-key", "order 7");
            answer(request.header("content-type", "application/pdf").body(pdf.to_vec()))
        };
        let (first, again) = (keyed(&book("Key", 1)).await, keyed(&book("Key", 1)).await);
        assert_eq!((first.0, again.0, &first.1["id"]), (202, 200, &again.1["id"]));
        let (status, problem) = keyed(&book("Other", 1)).await;
        assert_eq!((status, &problem["code"]), (409, &"idempotency_conflict".into()));
    }
}

/// Each would take the others' tasks and not find their files.
#[tokio::test]
async fn servers_whose_files_are_apart_do_not_use_one_store_at_a_time() {
    let (redis, llm) = (RedisServer::start().await, FakeLlm::start(Script::default()));
    let mut first = one(&llm, &redis, fresh_data(), "2s").await;
    let mut connection = redis.connection().await;
    until("the server to tell of itself", async || {
        let known: usize = redis::cmd("HLEN").arg("tasks:nodes").query_async(&mut connection).await.unwrap();
        known == 1
    })
    .await;
    let (elsewhere, url) = (tempfile::tempdir().unwrap(), redis.url());
    let (code, _, said) = told(run(elsewhere.path(), ["serve", "--listen", "127.0.0.1:0", "--store", &url]).await);
    assert!(code == 1 && said.contains("has its files elsewhere") && said.contains("--blob"), "{code}: {said}");
    let marker = std::fs::read_to_string(elsewhere.path().join("data/bindery-data.json")).unwrap();
    assert!(!marker.contains("redis"), "the directory is free for another store: {marker}");
    // Nor does one beside shared storage.
    let blobs = tempfile::tempdir().unwrap();
    let blob = format!("file://{}", blobs.path().display());
    let shared = ["serve", "--listen", "127.0.0.1:0", "--store", &url, "--blob", &blob];
    let (code, _, said) = told(run(elsewhere.path(), shared).await);
    assert!(code == 1 && said.contains("has its files elsewhere"), "{code}: {said}");
    let id = first.accepted(book("Own", 2), "processor=llm").await;
    assert_eq!(first.finished(&id).await["status"], "completed");
    // One that stops leaves the store to another.
    first.terminate();
    assert!(first.exit_status().await.success());
    let second = one(&llm, &redis, fresh_data(), "2s").await;
    assert_eq!(second.get("/readyz?verbose").await["warnings"], serde_json::json!([]));
}
