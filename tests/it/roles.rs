//! Servers that share the work by their roles: one accepts tasks and runs none, others run them and accept none.

use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, fresh_data, run, told};
use crate::support::until;

struct Cluster {
    redis: RedisServer,
    llm: FakeLlm,
    blobs: tempfile::TempDir,
    lease: &'static str,
}

impl Cluster {
    async fn start(script: Script, lease: &'static str) -> Self {
        let blobs = tempfile::tempdir().unwrap();
        Self { redis: RedisServer::start().await, llm: FakeLlm::start(script), blobs, lease }
    }

    /// A server with a directory of its own beside the blobs that all share.
    async fn server(&self, role: &str, more: &[&str]) -> Server {
        let (redis, blob) = (self.redis.url(), format!("file://{}", self.blobs.path().display()));
        let arguments = ["--store", &redis, "--blob", &blob, "--lease", self.lease, "--role", role];
        let endpoint = ["--llm-base-url", &self.llm.url, "--llm-model", "m", "--llm-concurrency", "2"];
        Server::start_on(fresh_data(), &[&arguments[..], &endpoint, more].concat(), &[]).await
    }
}

/// Waits until a server knows so many of them, by their roles.
async fn knows(server: &Server, expected: &[&str]) {
    until("the servers to know of each other", async || {
        let nodes = server.get("/readyz?verbose").await["nodes"].clone();
        let mut roles: Vec<&str> = nodes.as_array().unwrap().iter().filter_map(|node| node["role"].as_str()).collect();
        roles.sort_unstable();
        roles == expected
    })
    .await;
}

fn assert_done(task: &Value, pages: u32) {
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &pages.into()), "{task}");
}

#[tokio::test]
async fn i2_a_task_that_one_server_accepts_is_run_by_another_and_when_that_one_dies_by_a_third() {
    let cluster = Cluster::start(Script::default().otherwise(Answer::Hold), "2s").await;
    let [api, mut worker] = [cluster.server("api", &[]).await, cluster.server("worker", &[]).await];
    knows(&api, &["api", "worker"]).await;
    let id = api.accepted(book("Shared out", 4), "processor=llm").await;
    cluster.llm.until(|books| books.held == 2).await;
    let health = api.get("/readyz?verbose").await;
    assert_eq!((&health["role"], &health["in_flight"]), (&"api".into(), &0.into()), "{health}");
    worker.kill().await;
    cluster.llm.until(|books| books.in_flight == 0).await;
    let third = cluster.server("worker", &[]).await;
    cluster.llm.until(|books| books.held == 2).await;
    cluster.llm.open();
    let task = api.finished(&id).await;
    assert_done(&task, 4);
    assert!(cluster.llm.books().calls.len() <= 4 + 2, "only calls in flight are made again");
    assert_eq!(api.markdown(&id).await, third.markdown(&id).await, "each answers for it");
    let text = api.request("GET", "/metrics").send().await.unwrap().text().await.unwrap();
    let build = text.lines().find(|line| line.starts_with("bindery_build_info{")).unwrap();
    assert!(build.contains("role=\"api\""), "{build}");
}

/// The leases are so long that nothing but the arrival of a task has a server look for it.
#[tokio::test]
async fn a_task_that_is_accepted_elsewhere_or_retried_there_is_begun_at_once() {
    let cluster = Cluster::start(Script::default(), "1h").await;
    let api = cluster.server("api", &[]).await;
    let waits = api.accepted(book("Nobody is there", 2), "processor=llm").await;
    assert_eq!(api.get("/readyz?verbose").await["tasks"], serde_json::json!({ "running": 0, "waiting": 1 }));
    assert_eq!(api.ask("POST", &format!("/v1/tasks/{waits}/cancel")).await.0, 200);
    let worker = cluster.server("worker", &[]).await;
    // It has looked for tasks once when it runs one that was there before it.
    let id = api.accepted(book("Taken up", 2), "processor=llm").await;
    assert_done(&worker.finished(&id).await, 2);
    assert_eq!(cluster.llm.books().calls.len(), 2);
    assert_eq!(api.ask("POST", &format!("/v1/tasks/{waits}/retry")).await.0, 202);
    assert_done(&api.finished(&waits).await, 2);
}

#[tokio::test]
async fn a_worker_accepts_nothing_and_says_who_does() {
    let cluster = Cluster::start(Script::default(), "2s").await;
    let [api, worker] = [cluster.server("api", &[]).await, cluster.server("worker", &[]).await];
    let id = api.accepted(book("Elsewhere", 1), "processor=llm").await;
    assert_done(&api.finished(&id).await, 1);
    let (status, problem) = worker.submit(book("Here", 1), "processor=llm").await;
    assert_eq!((status, problem["code"].as_str()), (421, Some("wrong_role")), "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("the role worker"), "{problem}");
    let (status, problem) = worker.ask("POST", &format!("/v1/tasks/{id}/retry")).await;
    assert_eq!((status, problem["code"].as_str()), (421, Some("wrong_role")), "{problem}");
    // It is as alive and ready as any other.
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(worker.request("GET", path).send().await.unwrap().status(), 200, "{path}");
    }
    assert_done(&worker.get(&format!("/v1/tasks/{id}")).await, 1);
}

#[tokio::test]
async fn a_server_without_tasks_of_its_own_reads_no_shards_of_others() {
    let cluster = Cluster::start(Script::default(), "2s").await;
    let [api, worker] = [cluster.server("api", &[]).await, cluster.server("worker", &[]).await];
    let name = worker.get("/readyz?verbose").await["node"].as_str().unwrap().to_owned();
    let mut connection = cluster.redis.connection().await;
    let mut readers = Vec::<String>::new();
    until("the worker to ask for shards", async || {
        let keys: Vec<String> = redis::cmd("KEYS").arg("feed:*:servers").query_async(&mut connection).await.unwrap();
        let Some(key) = keys.first() else { return false };
        readers = redis::cmd("HKEYS").arg(key).query_async(&mut connection).await.unwrap();
        readers.contains(&name)
    })
    .await;
    // The other one has run for longer, and would have asked before.
    assert_eq!(readers, [name]);
    drop(api);
}

#[tokio::test]
async fn a_server_that_runs_nothing_accepts_no_more_than_may_wait() {
    let cluster = Cluster::start(Script::default(), "2s").await;
    let mut api = cluster.server("api", &["--max-queued", "2"]).await;
    for number in 0..2 {
        api.accepted(book(&format!("Waits {number}"), 1), "processor=llm").await;
    }
    let refused = async |api: &Server| {
        let (status, problem) = api.submit(book("One too many", 1), "processor=llm").await;
        (status, problem["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused(&api).await, (503, "queue_full".to_owned()));
    api.kill().await;
    api.restart().await;
    until("it to find what waits", async || api.get("/readyz?verbose").await["tasks"]["waiting"] == 2).await;
    assert_eq!(refused(&api).await, (503, "queue_full".to_owned()));
    let _worker = cluster.server("worker", &[]).await;
    until("the worker to have made room", async || refused(&api).await.0 == 202).await;
}

#[tokio::test]
async fn a_role_that_leaves_work_to_others_is_refused_where_there_can_be_none() {
    let dir = tempfile::tempdir().unwrap();
    for (role, what) in [("api", "runs no tasks"), ("worker", "accepts none")] {
        let (code, out, err) = told(run(dir.path(), ["serve", "--listen", "127.0.0.1:0", "--role", role]).await);
        assert!(code != 0 && out.is_empty(), "{out}");
        assert!(err.contains(what) && err.contains("--store redis://") && err.lines().count() == 1, "{err}");
    }
}
