//! Servers that share a Redis and storage, and no directory.

use std::sync::Arc;
use std::time::Duration;

use bindery::blob::{BlobStore, ObjectOptions, ObjectStorage, contract};
use futures::{StreamExt, TryStreamExt};

use crate::support::canary::files_with;
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::fake_s3::{FakeS3, Mood};
use crate::support::pdf::book;
use crate::support::redis_server::{RedisServer, free_port};
use crate::support::s3_server::{BUCKET, CREDENTIALS, S3Server};
use crate::support::server::{Data, Server, answer, bindery, fresh_data};
use crate::support::{soon, until};

/// The storage of a test's own, with the keys of [`CREDENTIALS`] in the environment of this process.
pub fn storage(options: ObjectOptions) -> ObjectStorage {
    static KEYS: std::sync::Once = std::sync::Once::new();
    #[allow(unsafe_code, reason = "the library reads its keys from the environment")]
    // SAFETY: once, and nothing else in this program changes its environment.
    KEYS.call_once(|| CREDENTIALS.iter().for_each(|(name, value)| unsafe { std::env::set_var(name, value) }));
    ObjectStorage::new(options).unwrap()
}

#[tokio::test]
async fn object_storage_keeps_the_contract() {
    let Some(s3) = S3Server::start().await else { return };
    contract::check_all(Arc::new(storage(s3.options("some/prefix")))).await;
    contract::check_all(Arc::new(storage(s3.options("")))).await;
}

/// Every blob of a store whose bytes hold `word`.
async fn blobs_with(store: &ObjectStorage, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for meta in store.list("").try_collect::<Vec<_>>().await.unwrap() {
        let Some(blob) = store.get(&meta.key, None).await.unwrap() else { continue };
        let bytes = blob.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
        if memchr::memmem::find(&bytes, word.as_bytes()).is_some() {
            found.push(meta.key);
        }
    }
    found.sort();
    found
}

/// A cluster: how its servers are started.
struct Cluster {
    redis: RedisServer,
    llm: FakeLlm,
    /// What tells them where the blobs are.
    blob: Vec<String>,
}

impl Cluster {
    async fn server(&self, data: Data) -> Server {
        let redis = self.redis.url();
        let arguments = ["--store", &redis, "--llm-base-url", &self.llm.url, "--llm-model", "m", "--lease", "2s"];
        let blob = self.blob.iter().map(String::as_str);
        let arguments: Vec<&str> =
            arguments.into_iter().chain(["--llm-concurrency", "2", "--janitor-tick", "1s"]).chain(blob).collect();
        Server::start_on(data, &arguments, &CREDENTIALS).await
    }
}

const CANARY: &str = "Xylophagous";

/// A dies while it reads; B, with a directory of its own, goes on, and answers for the result; A answers for it, too; what
/// is purged on B is nowhere any more, not even on A.
async fn finish_each_others_tasks(cluster: &Cluster) -> [Data; 2] {
    let llm = &cluster.llm;
    let data = [fresh_data(), fresh_data()];
    let mut first = cluster.server(data[0].clone()).await;
    let second = cluster.server(data[1].clone()).await;
    let id = first.accepted(book(CANARY, 6), "processor=llm").await;
    llm.until(|books| books.held == 1 && books.paid.len() == 5).await;
    first.kill().await;
    llm.until(|books| books.in_flight == 0).await;
    llm.open();
    let task = second.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &6.into()), "{task}");
    // An answer that was under way at the kill was in flight, too.
    assert!(llm.books().calls.len() <= 6 + 2, "only calls in flight are made again: {:?}", llm.books());
    let calls = llm.books().calls.len();

    first.restart_with(&CREDENTIALS).await;
    assert_eq!(first.markdown(&id).await, second.markdown(&id).await);
    let json = |server: &Server| answer(server.request("GET", &format!("/v1/tasks/{id}/pages")));
    assert_eq!(json(&first).await, json(&second).await);
    let part =
        first.request("GET", &format!("/v1/tasks/{id}/result")).header("range", "bytes=0-3").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.bytes().await.unwrap().len()), (206, 4));
    let picture = first.request("GET", &format!("/v1/tasks/{id}/pages/1/image")).send().await.unwrap();
    assert_eq!(picture.status(), 200, "of a source that it had, or fetches");
    // The other server's pages are paid for, too.
    let again = first.accepted(book(CANARY, 6), "processor=llm&reuse=false").await;
    assert_eq!(first.finished(&again).await["status"], "completed");
    assert_eq!(llm.books().calls.len(), calls, "what is in the ledger is paid for once");

    for id in [&id, &again] {
        assert_eq!(second.ask("DELETE", &format!("/v1/tasks/{id}?purge=true")).await.0, 204);
        assert_eq!(first.ask("GET", &format!("/v1/tasks/{id}")).await.0, 404);
    }
    data
}

async fn nothing_is_left_in(data: &[Data; 2]) {
    let is_gone = async || data.iter().all(|data| files_with(data.path(), CANARY).is_empty());
    until("both servers to forget what was purged", is_gone).await;
}

async fn cluster(blob: Vec<String>) -> Cluster {
    let llm = FakeLlm::start(Script::default().page(4, [Answer::Hold]));
    Cluster { redis: RedisServer::start().await, llm, blob }
}

#[tokio::test]
async fn servers_without_a_common_directory_finish_each_others_tasks() {
    let Some(s3) = S3Server::start().await else { return };
    let blob = ["--blob".to_owned(), format!("s3://{BUCKET}/a/b"), "--s3-endpoint".to_owned(), s3.url.clone()];
    let cluster = cluster(blob.to_vec()).await;
    let data = finish_each_others_tasks(&cluster).await;
    assert!(data.iter().all(|data| !data.path().join("tasks").exists()), "nothing where a directory's own tasks are");
    let store = storage(s3.options("a/b"));
    assert_eq!(blobs_with(&store, CANARY).await, Vec::<String>::new());
    let left: Vec<String> = store.list("").map(|meta| meta.unwrap().key).collect().await;
    let stays =
        |key: &String| ["bindery-data.json", "ledger/measured"].contains(&key.as_str()) || key.starts_with("purges/");
    assert!(left.iter().all(stays), "{left:?}");
}

#[tokio::test]
async fn servers_with_a_shared_directory_keep_their_own_locks() {
    let shared = fresh_data();
    let cluster = cluster(vec!["--blob".to_owned(), format!("file://{}", shared.path().display())]).await;
    let data = finish_each_others_tasks(&cluster).await;
    assert_eq!(files_with(shared.path(), CANARY), Vec::<String>::new());
    // Both live, and each forgets what the other one purged.
    let servers = [cluster.server(data[0].clone()).await, cluster.server(data[1].clone()).await];
    nothing_is_left_in(&data).await;
    drop(servers);
    assert!(std::fs::read_dir(shared.path()).unwrap().all(|entry| entry.unwrap().file_name() != "nodes"));
}

/// What a server says that cannot use its storage.
async fn refused(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let data = fresh_data();
    let mut command = bindery(data.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).envs(variables.iter().copied());
    let ended = soon("the server to refuse", command.output()).await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    said
}

#[tokio::test]
async fn what_is_wrong_with_storage_is_said_at_the_start() {
    let Some(s3) = S3Server::start().await else { return };
    let (own, endpoint) = (format!("s3://{BUCKET}/x"), ["--s3-endpoint", &s3.url]);
    let [(id, _), (secret, _)] = CREDENTIALS;
    let wrong = [("AWS_ACCESS_KEY_ID", CREDENTIALS[0].1), ("AWS_SECRET_ACCESS_KEY", "falsch")];
    let unknown = [(id, "fremd"), (secret, "falsch")];
    for (blob, variables, word) in [
        ("s3://no-such-bucket", &CREDENTIALS, "bucket does not exist"),
        (own.as_str(), &wrong, "AWS_SECRET_ACCESS_KEY"),
        (own.as_str(), &unknown, "AWS_ACCESS_KEY_ID"),
    ] {
        let said = refused(&[&["--blob", blob], &endpoint[..]].concat(), variables).await;
        assert!(said.contains(word) && said.contains(blob), "{word}: {said}");
    }
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let said = refused(&["--blob", &own, "--s3-endpoint", &nowhere], &CREDENTIALS).await;
    assert!(said.contains("cannot be reached"), "{said}");
    // Another store's bucket is not taken.
    let redis = [RedisServer::start().await, RedisServer::start().await];
    let stores = redis.each_ref().map(RedisServer::url);
    let arguments = ["--blob", &own, "--s3-endpoint", &s3.url, "--store"];
    let server = Server::start_on(fresh_data(), &[&arguments[..], &[stores[0].as_str()]].concat(), &CREDENTIALS).await;
    let said = refused(&[&arguments[..], &[stores[1].as_str()]].concat(), &CREDENTIALS).await;
    assert!(said.contains("another task store (redis"), "{said}");
    drop(server);
}

#[tokio::test]
async fn storage_that_stumbles_is_asked_again_and_one_that_ignores_conditions_is_known() {
    let s3 = FakeS3::start();
    let blob = format!("s3://{BUCKET}/p");
    let arguments = ["--blob", &blob, "--s3-endpoint", &s3.url, "--janitor-tick", "1s"];
    let server = Server::start_on(fresh_data(), &arguments, &CREDENTIALS).await;
    let health = server.get("/readyz?verbose").await;
    let warned = |health: &serde_json::Value| health["warnings"].to_string().contains("If-None-Match");
    assert!(!warned(&health), "{health}");
    // Of any three requests one is refused for the moment; each body comes cut off once.
    s3.set(Mood { refuse_every: 3, cut_every: 4, ..Mood::default() });
    let id = server.accepted(book("Stumbles", 5), "processor=text").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert!(server.markdown(&id).await.contains("Stumbles"));
    s3.set(Mood { ignore_conditions: true, ..Mood::default() });
    let arguments = ["--blob", "s3://bindery-test/q", "--s3-endpoint", &s3.url];
    let other = Server::start_on(fresh_data(), &arguments, &CREDENTIALS).await;
    let health = other.get("/readyz?verbose").await;
    assert!(warned(&health), "{health}");
    let id = other.accepted(book("Unconditional", 2), "processor=text").await;
    assert_eq!(other.finished(&id).await["status"], "completed");
    // Away: it is not ready, and accepts nothing that it could not keep.
    s3.set(Mood { refuse_every: 1, ..Mood::default() });
    let (status, said) = soon("an answer", server.ask("GET", "/readyz")).await;
    assert_eq!(status, 503, "{said}");
    s3.set(Mood::default());
    until("the server to be ready again", async || server.ask("GET", "/readyz").await.0 == 200).await;
}

/// The memory of a server does not grow with what goes through it.
#[tokio::test]
async fn a_large_source_takes_little_memory() {
    let Some(s3) = S3Server::start().await else { return };
    let blob = format!("s3://{BUCKET}/large");
    let server = Server::start_on(fresh_data(), &["--blob", &blob, "--s3-endpoint", &s3.url], &CREDENTIALS).await;
    let before = server.peak_memory();
    let mut pdf = book("Large", 1);
    pdf.extend(b"\n%".iter().chain(std::iter::repeat_n(&b'x', 200 << 20)));
    let id = server.accepted(pdf, "processor=text").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    let grown = server.peak_memory() - before;
    assert!(grown < 120 << 20, "{} MiB", grown >> 20);
    let source = format!("tasks/{id}/source.pdf");
    let kept = storage(s3.options("large")).head(&source).await.unwrap().unwrap();
    assert!(kept.bytes > 200 << 20);
    assert!(
        tokio::time::timeout(Duration::from_secs(30), server.ask("DELETE", &format!("/v1/tasks/{id}"))).await.is_ok()
    );
    assert!(storage(s3.options("large")).head(&source).await.unwrap().is_none());
}
