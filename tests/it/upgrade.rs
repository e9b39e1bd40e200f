//! What earlier versions have left: their tasks, results, paid pages and promises hold.
//!
//! `tests/data/upgrade/make.py` has a build write the files, which are named by its commit.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::fake_llm::{FakeLlm, Script};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Data, Server, answer, bindery, files, fresh_data};
use crate::support::{soon, until};

const KEY: &str = "ann-has-this-key";

fn written_by(commit: &str, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/upgrade").join(commit).join(name)
}

/// A data directory as an earlier version left it.
fn unpacked(commit: &str, store: &str) -> Data {
    let data = fresh_data();
    let bytes = fs::read(written_by(commit, &format!("{store}.zip"))).unwrap();
    zip::ZipArchive::new(Cursor::new(bytes)).unwrap().extract(data.path()).unwrap();
    data
}

/// A Redis with what an earlier version left in one.
async fn filled(commit: &str) -> RedisServer {
    let redis = RedisServer::start().await;
    let mut stream = TcpStream::connect(("127.0.0.1", redis.port)).await.unwrap();
    let commands = fs::read(written_by(commit, "redis.resp")).unwrap();
    stream.write_all(&commands).await.unwrap();
    stream.write_all(b"QUIT\r\n").await.unwrap();
    let mut said = String::new();
    soon("Redis to take the commands", stream.read_to_string(&mut said)).await.unwrap();
    assert!(!said.contains("-ERR") && said.ends_with("+OK\r\n"), "{said}");
    redis
}

/// What an earlier version said of each task, by its title.
struct Left {
    tasks: Map<String, Value>,
}

impl Left {
    fn of(commit: &str, store: &str) -> Self {
        let json = fs::read(written_by(commit, &format!("{store}.json"))).unwrap();
        Self { tasks: serde_json::from_slice(&json).unwrap() }
    }

    fn id(&self, title: &str) -> &str {
        self.tasks[title]["task"]["id"].as_str().unwrap()
    }

    fn source(&self, data: &Data, title: &str) -> Vec<u8> {
        fs::read(data.path().join("tasks").join(self.id(title)).join("source.pdf")).unwrap()
    }
}

/// Whether everything that was said is still said. More may be.
fn still_holds(before: &Value, now: &Value) -> bool {
    match (before, now) {
        (Value::Object(before), Value::Object(now)) => {
            before.iter().all(|(name, value)| now.get(name).is_some_and(|now| still_holds(value, now)))
        }
        _ => before == now,
    }
}

async fn ask(server: &Server, method: &str, path: &str) -> (u16, Value) {
    answer(server.request(method, path).bearer_auth(KEY)).await
}

async fn finished(server: &Server, id: &str) -> Value {
    ask(server, "GET", &format!("/v1/tasks/{id}?wait=50")).await.1
}

async fn markdown(server: &Server, id: &str) -> String {
    let path = format!("/v1/tasks/{id}/result");
    server.request("GET", &path).bearer_auth(KEY).send().await.unwrap().text().await.unwrap()
}

async fn submit(server: &Server, pdf: Vec<u8>, query: &str, key: Option<&str>) -> (u16, Value) {
    let request = server.request("POST", &format!("/v1/tasks?{query}")).bearer_auth(KEY);
    let request = key.into_iter().fold(request, |request, key| request.header("idempotency-key", key));
    answer(request.header("content-type", "application/pdf").body(pdf)).await
}

/// Starts the present version on what `commit` left.
async fn goes_on(commit: &str, store: &str, redis: Option<RedisServer>) {
    let llm = FakeLlm::start(Script::default());
    let (data, left) = (unpacked(commit, store), Left::of(commit, store));
    let address = redis.as_ref().map_or_else(|| "embedded".to_owned(), RedisServer::url);
    let keys: &[&str] = if redis.is_some() { &["--api-key", "ann=ann-has-this-key"] } else { &[] };
    let arguments = ["--store", &address, "--llm-base-url", &llm.url, "--llm-model", "m", "--llm-input", "image"];
    let server = Server::start_on(data.clone(), &[&arguments[..], keys].concat(), &[]).await;

    let (_, list) = ask(&server, "GET", "/v1/tasks").await;
    let listed: Vec<&Value> = list["tasks"].as_array().unwrap().iter().map(|task| &task["id"]).collect();
    let mut ids: Vec<&Value> = left.tasks.values().map(|said| &said["task"]["id"]).collect();
    ids.sort_by(|a, b| b.as_str().cmp(&a.as_str()));
    assert_eq!(listed, ids, "newest first");
    for (title, said) in left.tasks.iter().filter(|(_, said)| said["task"]["finished_at"].is_string()) {
        let (status, task) = ask(&server, "GET", &format!("/v1/tasks/{}", left.id(title))).await;
        let mut before = said["task"].clone();
        before.as_object_mut().unwrap().remove("webhook");
        assert!(status == 200 && still_holds(&before, &task), "{title}: {before}\n{task}");
        if let Some(before) = said["markdown"].as_str() {
            assert_eq!(markdown(&server, left.id(title)).await, before, "{title}");
        }
    }
    // The message that could not be delivered is tried again; this time its target is not one that the operator allows.
    let before = &left.tasks["Paid"]["task"]["webhook"];
    assert_eq!((&before["state"], &before["attempts"]), (&"pending".into(), &1.into()));
    until("another attempt at the message", async || {
        let message = &ask(&server, "GET", &format!("/v1/tasks/{}", left.id("Paid"))).await.1["webhook"];
        assert_eq!(message["id"], before["id"]);
        message["attempts"] == 2
    })
    .await;

    // What was running goes on: of four pages two are paid, and nothing of the two pages that waited.
    for title in ["Cut", "Waiting"] {
        let task = finished(&server, left.id(title)).await;
        assert_eq!(task["status"], "completed", "{title}: {task}");
    }
    let calls = || {
        let mut calls = llm.books().calls;
        calls.sort_unstable();
        calls
    };
    assert_eq!(calls(), [1, 2, 3, 4], "pages that the earlier version paid are not paid again");
    let agreed: Vec<String> =
        (1..=4).map(|page| format!("<!-- page {page} -->\n\n{}\n", crate::support::fake_llm::markdown(page))).collect();
    assert_eq!(markdown(&server, left.id("Cut")).await, agreed.join("\n"));

    // A retry of what was left undone pays for that alone.
    for (title, page) in [("Gap", 2), ("Stopped", 3)] {
        let before = calls().len();
        assert_eq!(ask(&server, "POST", &format!("/v1/tasks/{}/retry", left.id(title))).await.0, 202);
        let task = finished(&server, left.id(title)).await;
        assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &3.into()), "{title}: {task}");
        assert_eq!(llm.books().calls[before..], [page], "{title}");
    }

    // The same again is the same task, by its key and by what it is.
    let (status, again) = submit(&server, left.source(&data, "Reading"), "processor=text", Some("order 7")).await;
    assert_eq!((status, again["code"].as_str()), (409, Some("idempotency_conflict")), "{again}");
    let query = "file_name=Reading.pdf&processor=text&metadata=%7B%22order%22%3A7%7D";
    for key in [Some("order 7"), None] {
        let (status, again) = submit(&server, left.source(&data, "Reading"), query, key).await;
        assert_eq!((status, again["id"].as_str()), (200, Some(left.id("Reading"))), "{again}");
    }

    nothing_is_left_after_a_purge(&server, &left).await;
}

/// A purge removes what the earlier version had read, too.
async fn nothing_is_left_after_a_purge(server: &Server, left: &Left) {
    for title in left.tasks.keys() {
        assert_eq!(ask(server, "DELETE", &format!("/v1/tasks/{}?purge=true", left.id(title))).await.0, 204, "{title}");
    }
    let kept: Vec<String> = files(server.data()).into_iter().filter(|file| !file.starts_with("tmp/")).collect();
    assert_eq!(kept, Vec::<String>::new());
}

#[tokio::test]
async fn an_embedded_store_of_an_earlier_version_goes_on() {
    goes_on("71c2ca3", "embedded", None).await;
}

#[tokio::test]
async fn a_redis_of_an_earlier_version_goes_on() {
    goes_on("71c2ca3", "redis", Some(filled("71c2ca3").await)).await;
}

#[tokio::test]
async fn a_directory_of_a_later_version_is_refused_in_one_line() {
    let data = unpacked("71c2ca3", "embedded");
    let mut server = Server::start_on(data.clone(), &[], &[]).await;
    server.kill().await;
    let marker = data.path().join(bindery::internal::MARKER);
    let mut said: Value = serde_json::from_slice(&fs::read(&marker).unwrap()).unwrap();
    let format = said["format"].as_u64().unwrap();
    said["format"] = (format + 1).into();
    fs::write(&marker, said.to_string()).unwrap();
    let ended = soon("the refusal", bindery(data.path()).args(["serve", "--listen", "127.0.0.1:0"]).output()).await;
    let ended = ended.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("was made by a later version of Bindery"), "{said}");
    assert!(said.contains(&format!("its format is {}, this version knows {format}", format + 1)), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
}
