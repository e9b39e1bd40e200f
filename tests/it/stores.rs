//! Which store goes with which files, and what becomes of a store or a record that cannot be read.

use std::fs;
use std::path::Path;

use redis::AsyncCommands;
use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, answer, bindery, files, fresh_data};
use crate::support::{soon, until};

/// Starts a server that is to end by itself; what it says.
async fn refused(data: &Path, arguments: &[&str]) -> String {
    let mut command = bindery(data);
    command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments);
    let ended = soon("the server to refuse", command.output()).await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(ended.stdout.is_empty());
    said
}

#[tokio::test]
async fn files_belong_to_one_embedded_store() {
    let [data, other, blob] = [fresh_data(), fresh_data(), fresh_data()];
    let files = ["--blob", blob.path().to_str().unwrap()];
    let mut server = Server::start_on(data.clone(), &files, &[]).await;
    let id = server.accepted(book("Mine", 1), "").await;
    server.finished(&id).await;
    for _ in 0..2 {
        let said = refused(other.path(), &files).await;
        assert!(said.contains("another task store (embedded") && said.trim().lines().count() == 1, "{said}");
        server.kill().await;
        server.restart().await;
    }
    assert_eq!(server.get(&format!("/v1/tasks/{id}")).await["status"], "completed");
    // A command has no store of its own.
    let pdf = blob.path().parent().unwrap().join(format!("{id}.pdf"));
    fs::write(&pdf, book("Mine", 1)).unwrap();
    let command = bindery(other.path()).arg("convert").arg(&pdf).args(files).output().await.unwrap();
    fs::remove_file(pdf).unwrap();
    assert_eq!(command.status.code(), Some(0), "{}", String::from_utf8_lossy(&command.stderr));
    // The store is given up: another one takes its place, with the tasks.
    server.kill().await;
    let successor = Server::start_on(other.clone(), &[&files[..], &["--rebuild"]].concat(), &[]).await;
    assert_eq!(successor.get(&format!("/v1/tasks/{id}")).await["status"], "completed");
    let said = refused(data.path(), &files).await;
    assert!(said.contains("another task store (embedded"), "{said}");
}

#[tokio::test]
async fn files_belong_to_one_redis_which_may_be_emptied() {
    let (first, second) = (RedisServer::start().await, RedisServer::start().await);
    let data = fresh_data();
    let (own, other) = (first.url(), second.url());
    let arguments = ["--store", &own, "--lease", "2s", "--janitor-tick", "1s"];
    let mut server = Server::start_on(data.clone(), &arguments, &[]).await;
    let done = server.accepted(book("Mine", 1), "").await;
    let done = server.finished(&done).await;
    let said = refused(data.path(), &["--store", &other]).await;
    assert!(said.contains("another task store (redis at redis://127.0.0.1:") && said.contains(&other), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    let embedded = fresh_data();
    let said = refused(embedded.path(), &["--blob", data.path().to_str().unwrap()]).await;
    assert!(said.contains("another task store (redis"), "{said}");
    let beside = Server::start_on(data.clone(), &arguments, &[]).await;
    drop(beside);

    server.kill().await;
    let mut connection = first.connection().await;
    let () = redis::cmd("FLUSHALL").query_async(&mut connection).await.unwrap();
    let said = refused(data.path(), &["--store", &other]).await;
    assert!(said.contains("--rebuild"), "{said}");
    server.restart().await;
    let path = format!("/v1/tasks/{}", done["id"].as_str().unwrap());
    assert_eq!(server.get(&path).await, done, "its records come back from the folders");
    server.kill().await;
    // One that has tasks of other files takes no other's place.
    let theirs = Server::start(&["--store", &other]).await;
    theirs.accepted(book("Theirs", 1), "").await;
    let said = refused(data.path(), &["--store", &other, "--rebuild"]).await;
    assert!(said.contains("another task store"), "{said}");
}

#[tokio::test]
async fn a_damaged_store_says_how_the_records_come_back_and_brings_them_back() {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Hold]));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "1"];
    let mut server = Server::start(&arguments).await;
    let done = server.accepted(book("Done", 1), "processor=llm").await;
    let done = server.finished(&done).await;
    let keyed = async |server: &Server| {
        let request = server.request("POST", "/v1/tasks?processor=llm").header("idempotency-key", "order 7");
        answer(request.header("content-type", "application/pdf").body(book("Running", 3))).await
    };
    let (status, running) = keyed(&server).await;
    assert_eq!(status, 202);
    let id = running["id"].as_str().unwrap();
    llm.until(|books| books.held == 1).await;
    server.kill().await;
    llm.until(|books| books.in_flight == 0).await;
    llm.open();
    let file = server.data().join("tasks.redb");
    let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    fs::write(&file, vec![7; length]).unwrap();

    let said = refused(server.data(), &arguments).await;
    assert!(said.contains("tasks.redb cannot be read") && said.contains("--rebuild"), "{said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert_eq!(fs::read(&file).unwrap(), vec![7; length], "it is looked at and left alone");

    let data = server.data().to_owned();
    let (kept, arguments) = (server, [&arguments[..], &["--rebuild"]].concat());
    let names = || fs::read_dir(&data).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    let aside = || names().iter().filter(|name| name.to_string_lossy().starts_with("tasks.redb.damaged-")).count();
    let mut server = kept.again_with(&arguments).await;
    assert_eq!(aside(), 1);
    assert_eq!(server.get(&format!("/v1/tasks/{}", done["id"].as_str().unwrap())).await, done);
    let (status, again) = keyed(&server).await;
    assert_eq!((status, &again["id"]), (200, &running["id"]), "the key leads to the task: {again}");
    assert_eq!(server.finished(id).await["status"], "completed");
    assert_eq!(llm.books().calls.len(), 1 + 3 + 1, "only the call in flight is made again: {:?}", llm.books());
    server.kill().await;
    server.restart().await;
    assert_eq!(aside(), 1, "a sound store stays");
    assert_eq!(server.finished(id).await["status"], "completed");
}

/// Makes the stored record one of a later version.
async fn of_a_later_version(redis: Option<&RedisServer>, data: &Path, id: &str) {
    use redb::ReadableTable;
    if let Some(redis) = redis {
        let (key, mut connection) = (format!("task:{id}"), redis.connection().await);
        let () = connection.hset(&key, "format", 99).await.unwrap();
        let status: String = connection.hget(&key, "status").await.unwrap();
        if status == "completed" {
            // One that no index of this version is for.
            let () = connection.hset(&key, "status", "archived").await.unwrap();
        }
        return;
    }
    let id: bindery::task::TaskId = id.parse().unwrap();
    let records: redb::TableDefinition<&[u8], &[u8]> = redb::TableDefinition::new("records");
    let database = redb::Database::create(data.join("tasks.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(records).unwrap();
        let mut bytes = table.get(&id.as_bytes()[..]).unwrap().unwrap().value().to_vec();
        bytes[0] = 99;
        table.insert(&id.as_bytes()[..], &bytes[..]).unwrap();
    }
    transaction.commit().unwrap();
}

const KEYS: [&str; 6] = ["--api-key", "ann=ann-has-this-key", "--api-key", "bob=bob-has-this-key", "--operator", "bob"];

async fn a_record_that_cannot_be_read(redis: Option<RedisServer>) {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let store = redis.as_ref().map_or_else(|| "embedded".to_owned(), RedisServer::url);
    let arguments = ["--store", &store, "--llm-base-url", &llm.url, "--llm-model", "m", "--lease", "2s"];
    let arguments = [&arguments[..], &["--janitor-tick", "1s"], &KEYS].concat();
    let mut server = Server::start(&arguments).await;
    let ask = async |server: &Server, key: &str, method: &str, path: &str| {
        answer(server.request(method, path).bearer_auth(format!("{key}-has-this-key"))).await
    };
    let submit = async |server: &Server, title: &str, query: &str| -> (u16, Value) {
        let request = server.request("POST", &format!("/v1/tasks?{query}")).bearer_auth("ann-has-this-key");
        answer(request.header("content-type", "application/pdf").body(book(title, 1))).await
    };
    let (_, ended) = submit(&server, "Ended", "").await;
    let (_, running) = submit(&server, "Running", "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    let path = |task: &Value| format!("/v1/tasks/{}", task["id"].as_str().unwrap());
    ask(&server, "ann", "GET", &format!("{}?wait=50", path(&ended))).await;
    server.kill().await;
    for task in [&ended, &running] {
        of_a_later_version(redis.as_ref(), server.data(), task["id"].as_str().unwrap()).await;
    }
    llm.open();
    server.restart().await;

    for task in [&ended, &running] {
        for (method, more) in [("GET", ""), ("GET", "/result"), ("POST", "/cancel"), ("POST", "/retry")] {
            let (status, problem) = ask(&server, "ann", method, &format!("{}{more}", path(task))).await;
            assert_eq!((status, problem["code"].as_str()), (409, Some("record_unreadable")), "{more}: {problem}");
            assert!(problem["detail"].as_str().unwrap().contains("delete the task"), "{problem}");
        }
        assert_eq!(ask(&server, "bob", "GET", &path(task)).await.0, 404, "another's is not there");
        assert_eq!(ask(&server, "bob", "DELETE", &path(task)).await.0, 404);
    }
    let (status, list) = ask(&server, "ann", "GET", "/v1/tasks").await;
    assert_eq!((status, list["tasks"].as_array().map(Vec::len)), (200, Some(0)), "{list}");
    // The same PDFs again; and the janitor, which has rounds and removes what is left over.
    for (title, query) in [("Ended", ""), ("Running", "processor=llm")] {
        let (status, again) = submit(&server, title, query).await;
        assert_eq!(status, 202, "{title}: {again}");
        let (_, done) = ask(&server, "ann", "GET", &format!("{}?wait=50", path(&again))).await;
        assert_eq!(done["status"], "completed", "{title}: {done}");
    }
    let warnings = async || ask(&server, "bob", "GET", "/readyz?verbose").await.1["warnings"].to_string();
    until("the server to say what it cannot read", async || warnings().await.contains("cannot read")).await;
    let orphan = server.data().join("tasks").join(bindery::task::TaskId::generate().to_string());
    fs::create_dir(&orphan).unwrap();
    fs::write(orphan.join("source.pdf"), b"%PDF").unwrap();
    until("the janitor's round", async || !orphan.exists()).await;
    let ledger = || files(server.data()).iter().filter(|file| file.starts_with("ledger/")).count();
    assert_eq!(ledger(), 2, "a page each");
    // What was read of a task can be told by a copy of its record, and without one by its files.
    for (task, has_copy) in [(&ended, false), (&running, true)] {
        let folder = server.data().join("tasks").join(task["id"].as_str().unwrap());
        assert!(folder.join("source.pdf").exists(), "its files stay");
        for name in files(&folder).iter().filter(|name| name.starts_with("record-") && !has_copy) {
            fs::write(folder.join(name), b"{torn").unwrap();
        }
        assert_eq!(ask(&server, "ann", "DELETE", &format!("{}?purge=true", path(task))).await.0, 204);
        assert_eq!(ask(&server, "ann", "GET", &path(task)).await.0, 404);
        assert!(!folder.exists());
        assert_eq!(ledger(), usize::from(!has_copy), "what was read of it");
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_hinders_nobody_on_the_embedded_store() {
    a_record_that_cannot_be_read(None).await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_hinders_nobody_on_redis() {
    a_record_that_cannot_be_read(Some(RedisServer::start().await)).await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_hinders_neither_its_task_nor_the_janitor() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--janitor-tick", "1s"];
    let mut server = Server::start(&arguments).await;
    let id = server.accepted(book("Copy", 1), "processor=llm").await;
    llm.until(|books| books.held == 1).await;
    server.kill().await;
    let [torn, alone] = [id.clone(), bindery::task::TaskId::generate().to_string()];
    for id in [&torn, &alone] {
        let folder = server.data().join("tasks").join(id);
        let _ = fs::create_dir(&folder);
        fs::write(folder.join("record-1.json"), b"{\"format\":99}").unwrap();
    }
    llm.open();
    server.restart().await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    let (status, problem) = server.ask("GET", &format!("/v1/tasks/{alone}")).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("record_unreadable")), "{problem}");
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{alone}")).await.0, 204);
    assert!(!server.data().join("tasks").join(&alone).exists());
}
