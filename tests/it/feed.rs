//! Servers that read each other's shards: a Redis, a directory for blobs that all see, and a data directory for each.

use redis::AsyncCommands;
use serde_json::Value;

use crate::support::pdf::{book, scans};
use crate::support::redis_proxy::{RedisProxy, Weather};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, fresh_data};
use crate::support::slow_tesseract::SlowTesseract;
use crate::support::{eventually, until};

const OCR: &str = "processor=ocr&ocr=tesseract&shard_pages=1";

struct Cluster {
    redis: RedisServer,
    blobs: tempfile::TempDir,
}

impl Cluster {
    async fn start() -> Self {
        Self { redis: RedisServer::start().await, blobs: tempfile::tempdir().unwrap() }
    }

    /// A server with one worker.
    async fn server(&self) -> Server {
        self.server_at(&self.redis.url(), &[]).await
    }

    async fn server_at(&self, store: &str, variables: &[(&str, &str)]) -> Server {
        let blob = format!("file://{}", self.blobs.path().display());
        let arguments = ["--store", store, "--blob", &blob, "--lease", "2s", "--janitor-tick", "1s", "--workers", "1"];
        Server::start_on(fresh_data(), &arguments, variables).await
    }

    /// One whose pages take until they are let go.
    async fn slow(&self, ocr: &SlowTesseract) -> Server {
        self.server_at(&self.redis.url(), &[("PATH", ocr.path().to_str().unwrap())]).await
    }

    /// The keys of the feed but those that say which servers there are.
    async fn keys(&self) -> Vec<String> {
        let mut connection = self.redis.connection().await;
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("feed:*").query_async(&mut connection).await.unwrap();
        keys.retain(|key| !key.ends_with(":servers"));
        keys
    }

    async fn nothing_is_left(&self) {
        until("the feed to be empty", async || self.keys().await.is_empty()).await;
    }

    /// The stream, once there is one.
    async fn stream(&self) -> String {
        eventually("a stream", async || self.keys().await.into_iter().find(|key| !key.starts_with("feed:replies:")))
            .await
    }
}

/// How many shards went that way at a server.
async fn shards(server: &Server, event: &str) -> u64 {
    let text = server.request("GET", "/metrics").send().await.unwrap().text().await.unwrap();
    let name = format!("bindery_feed_shards_total{{event=\"{event}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

/// Two servers that know of each other.
async fn acquainted(servers: [&Server; 2]) {
    for server in servers {
        until("the servers to know of each other", async || server.get("/readyz?verbose").await["other_nodes"] == 1)
            .await;
    }
}

/// Two servers, the first of which runs a task of so many slow pages, and each reads one of them.
async fn both_read(cluster: &Cluster, ocr: [&SlowTesseract; 2], pages: u8) -> ([Server; 2], String) {
    let servers = [cluster.slow(ocr[0]).await, cluster.slow(ocr[1]).await];
    acquainted([&servers[0], &servers[1]]).await;
    let id = servers[0].accepted(scans(pages), OCR).await;
    until("both to read", async || ocr.iter().all(|ocr| ocr.living().len() == 1)).await;
    (servers, id)
}

/// What the pages of a task are, without how long they took.
async fn pages(server: &Server, id: &str) -> Value {
    let mut pages = server.get(&format!("/v1/tasks/{id}/pages")).await["pages"].clone();
    for page in pages.as_array_mut().unwrap() {
        page["ms"] = Value::Null;
    }
    pages
}

fn assert_done(task: &Value, pages: u32) {
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &pages.into()), "{task}");
}

#[tokio::test]
async fn i3_a_long_task_is_read_by_all_servers_and_comes_out_as_from_one() {
    const PAGES: u32 = 2_400;
    let alone = Server::start(&["--workers", "1"]).await;
    let id = alone.accepted(book("Long", PAGES), "processor=text").await;
    assert_done(&alone.finished(&id).await, PAGES);
    let expected = (alone.markdown(&id).await, pages(&alone, &id).await);

    let cluster = Cluster::start().await;
    let servers = [cluster.server().await, cluster.server().await];
    acquainted([&servers[0], &servers[1]]).await;
    let id = servers[0].accepted(book("Long", PAGES), "processor=text").await;
    assert_done(&servers[0].finished(&id).await, PAGES);
    assert!((servers[0].markdown(&id).await, pages(&servers[0], &id).await) == expected, "it comes out otherwise");
    let [exported, answered] = [shards(&servers[0], "exported").await, shards(&servers[0], "answered").await];
    let imported = shards(&servers[1], "imported").await;
    println!("{exported} shards of {} exported, {answered} answered, {imported} imported", PAGES.div_ceil(16));
    assert!(imported > 0, "the second server has read nothing");
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn pages_that_the_owner_has_are_not_read_elsewhere() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let _open = [ocr[0].open(), ocr[1].open()];
    let servers = [cluster.slow(&ocr[0]).await, cluster.slow(&ocr[1]).await];
    acquainted([&servers[0], &servers[1]]).await;
    let id = servers[0].accepted(scans(4), OCR).await;
    assert_done(&servers[0].finished(&id).await, 4);
    let read = shards(&servers[1], "imported").await;
    let again = servers[0].accepted(scans(4), &format!("{OCR}&reuse=false")).await;
    let task = servers[0].finished(&again).await;
    assert_done(&task, 4);
    let most = read + 1;
    assert!(shards(&servers[1], "imported").await <= most, "only one may have gone out before it was known");
    assert_eq!(servers[0].markdown(&again).await, servers[0].markdown(&id).await);
}

#[tokio::test]
async fn many_short_tasks_come_out_right_whoever_reads_them() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let _open = [ocr[0].open(), ocr[1].open()];
    let servers = [cluster.slow(&ocr[0]).await, cluster.slow(&ocr[1]).await];
    acquainted([&servers[0], &servers[1]]).await;
    let mut tasks = Vec::new();
    for pages in 1..=6 {
        tasks.push((servers[0].accepted(scans(pages), OCR).await, pages));
    }
    // Whether the other one gets some of so few pages is chance; that they come out right is none.
    for (id, pages) in tasks {
        assert_done(&servers[0].finished(&id).await, pages.into());
    }
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn i10_shards_of_a_server_that_is_killed_are_read_by_another_one() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, mut second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 4).await;
    second.kill().await;
    let _open = ocr[0].open();
    assert_done(&first.finished(&id).await, 4);
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn i12_the_late_answer_of_a_server_that_slept_changes_nothing() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 2).await;
    second.signal("STOP");
    let third = cluster.slow(&ocr[2]).await;
    until("the third one to read what the sleeper has", async || ocr[2].living().len() == 1).await;
    // The sleeper hears that the entry is not its own any more, or has read it by then: both are the same to all others.
    let _open = ocr[1].open();
    second.signal("CONT");
    until("the sleeper to end its work", async || second.get("/readyz?verbose").await["in_flight"] == 0).await;
    assert_eq!((shards(&second, "imported").await, shards(&first, "answered").await), (0, 0), "its answer counts");
    assert_eq!(ocr[2].living().len(), 1, "the third one is cut off");
    let _open = ocr[2].open();
    until("the third one to answer", async || shards(&first, "answered").await == 1).await;
    until("the third one to know", async || shards(&third, "imported").await == 1).await;
    let _open = ocr[0].open();
    let task = first.finished(&id).await;
    assert_done(&task, 2);
    assert_eq!(second.get(&format!("/v1/tasks/{id}")).await, task);
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn i2_when_the_owner_is_killed_another_server_goes_on() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([mut first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 4).await;
    first.kill().await;
    // What it read for the first one is of an epoch that has passed: it is given up, and the page is read again.
    let begun = ocr[1].waiting().len();
    until("it to read for itself", async || ocr[1].waiting().len() > begun && ocr[1].living().len() == 1).await;
    let _open = ocr[1].open();
    assert_done(&second.finished(&id).await, 4);
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn i6_an_owner_that_slept_past_its_lease_changes_nothing() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 4).await;
    first.signal("STOP");
    let begun = ocr[1].waiting().len();
    until("the other one to go on", async || ocr[1].waiting().len() > begun).await;
    let _open = ocr[1].open();
    let task = second.finished(&id).await;
    assert_done(&task, 4);
    let before = second.markdown(&id).await;
    let _open = ocr[0].open();
    first.signal("CONT");
    until("the sleeper to end its work", async || first.get("/readyz?verbose").await["in_flight"] == 0).await;
    assert_eq!((second.get(&format!("/v1/tasks/{id}")).await, second.markdown(&id).await), (task, before));
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn i10_a_feed_that_is_lost_has_its_shards_read_again() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 6).await;
    let mut connection = cluster.redis.connection().await;
    let () = connection.del(cluster.keys().await).await.unwrap();
    // The entry is gone, so it is not wanted any more, and the owner has it read once more.
    until("what is lost to be given up", async || shards(&first, "taken_back").await > 0).await;
    let _open = [ocr[0].open(), ocr[1].open()];
    assert_done(&first.finished(&id).await, 6);
    drop(second);
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn i8_a_cancel_ends_what_other_servers_read() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 9).await;
    let begun = ocr[1].waiting().len();
    let (status, task) = first.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
    assert_eq!((status, &task["status"]), (200, &"cancelled".into()), "{task}");
    until("both to stop", async || ocr.iter().all(|ocr| ocr.living().is_empty())).await;
    until("its work to end", async || second.get("/readyz?verbose").await["in_flight"] == 0).await;
    assert_eq!(ocr[1].waiting().len(), begun, "a page was begun after the cancel");
    cluster.nothing_is_left().await;
    assert_eq!(first.ask("DELETE", &format!("/v1/tasks/{id}")).await.0, 204);
}

#[tokio::test]
async fn what_a_server_cannot_read_is_left_alone() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 6).await;
    let (mut connection, stream) = (cluster.redis.connection().await, cluster.stream().await);
    let epoch: String = connection.hget(format!("task:{id}"), "epoch").await.unwrap();
    let fields = [("owner", "later#1"), ("task", &id), ("epoch", &epoch), ("body", r#"{"format":99}"#)];
    let foreign: String =
        redis::cmd("XADD").arg(&stream).arg("*").arg(&fields).query_async(&mut connection).await.unwrap();
    let _open = ocr[1].open();
    // It has read what waited before that entry, takes it, and goes on with what comes later.
    until("the second server to read on", async || shards(&second, "imported").await >= 3).await;
    let found: redis::Value =
        redis::cmd("XRANGE").arg(&stream).arg(&foreign).arg(&foreign).query_async(&mut connection).await.unwrap();
    assert!(matches!(&found, redis::Value::Array(entries) if entries.len() == 1), "it is gone");
    let _open = ocr[0].open();
    assert_done(&first.finished(&id).await, 6);
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn an_entry_that_was_given_out_three_times_is_read_by_its_owner_page_by_page() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 2).await;
    second.signal("STOP");
    let (mut connection, stream) = (cluster.redis.connection().await, cluster.stream().await);
    let pending: Vec<(String, String, u64, u64)> = redis::cmd("XPENDING")
        .arg(&stream)
        .arg(&["readers", "-", "+", "9"])
        .query_async(&mut connection)
        .await
        .unwrap();
    let [(entry, reader, _, 1)] = &pending[..] else { panic!("{pending:?}") };
    // As if two servers had died of it before this one.
    let () = redis::cmd("XCLAIM")
        .arg(&[&stream, "readers", reader, "0", entry, "IDLE", "60000", "RETRYCOUNT", "3", "JUSTID"])
        .query_async(&mut connection)
        .await
        .unwrap();
    let _open = ocr[0].open();
    assert_done(&first.finished(&id).await, 2);
    let [taken_back, answered] = [shards(&first, "taken_back").await, shards(&first, "answered").await];
    assert_eq!((taken_back, answered), (1, 0));
    cluster.nothing_is_left().await;
    second.signal("CONT");
}

#[tokio::test]
async fn i10_lost_replies_and_outages_cost_no_page() {
    const PAGES: u32 = 1_600;
    let cluster = Cluster::start().await;
    let proxy = RedisProxy::start(cluster.redis.port).await;
    let servers = [cluster.server_at(&proxy.url, &[]).await, cluster.server_at(&proxy.url, &[]).await];
    acquainted([&servers[0], &servers[1]]).await;
    let id = servers[0].accepted(book("Stormy", PAGES), "processor=text").await;
    let path = format!("/v1/tasks/{id}");
    let is_over = async || {
        let (status, task) = servers[0].ask("GET", &path).await;
        status == 200 && task["finished_at"].is_string()
    };
    for round in 0..6 {
        let before = shards(&servers[1], "imported").await;
        let reads = async || shards(&servers[1], "imported").await > before || is_over().await;
        until("the second server to read", reads).await;
        proxy.set(if round % 3 == 2 { Weather::Cut } else { Weather::LoseReply });
        if round % 3 == 2 {
            until("the cut to be noticed", async || servers[0].ask("GET", "/readyz").await.0 == 503).await;
            proxy.set(Weather::Fair);
            until("the store to be back", async || servers[0].ask("GET", "/readyz").await.0 == 200).await;
        }
    }
    proxy.set(Weather::Fair);
    until("the task to end", is_over).await;
    assert_done(&servers[0].get(&path).await, PAGES);
    let alone = Server::start(&["--workers", "1"]).await;
    let other = alone.accepted(book("Stormy", PAGES), "processor=text").await;
    alone.finished(&other).await;
    assert!(servers[0].markdown(&id).await == alone.markdown(&other).await, "it comes out otherwise");
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn a_server_that_stops_in_order_gives_back_what_it_has_not_begun() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, mut second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 3).await;
    second.terminate();
    let _open = ocr[1].open();
    assert_eq!(second.exit_status().await.code(), Some(0));
    until("the first one to have the answer", async || shards(&first, "answered").await == 1).await;
    let _open = ocr[0].open();
    assert_done(&first.finished(&id).await, 3);
    cluster.nothing_is_left().await;
}

#[tokio::test]
async fn each_server_says_what_it_has_of_others() {
    let (cluster, ocr) = (Cluster::start().await, [SlowTesseract::new(), SlowTesseract::new()]);
    let ([first, second], id) = both_read(&cluster, [&ocr[0], &ocr[1]], 9).await;
    until("both to say so", async || {
        let nodes = first.get("/readyz?verbose").await["nodes"].clone();
        let has = |name: &str| nodes.as_array().unwrap().iter().any(|node| node[name].as_u64() > Some(0));
        has("exported") && has("imported")
    })
    .await;
    for node in second.get("/readyz?verbose").await["nodes"].as_array().unwrap() {
        assert_eq!((&node["free_workers"], &node["version"]), (&0.into(), &env!("CARGO_PKG_VERSION").into()), "{node}");
    }
    let _open = [ocr[0].open(), ocr[1].open()];
    assert_done(&first.finished(&id).await, 9);
}
