//! Secrets in files: read at the start, read again on SIGHUP, and told to no other user of the machine.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, locked};
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, answer, bindery, fresh_data, run};
use crate::support::until;

/// A file for its owner alone.
fn secret_file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

async fn status(server: &Server, key: &str) -> u16 {
    answer(server.request("GET", "/v1/tasks").bearer_auth(key)).await.0
}

async fn until_key_is(server: &Server, key: &str, expected: u16) {
    until("the keys to be read", async || status(server, key).await == expected).await;
}

#[tokio::test]
async fn keys_are_read_again_and_work_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let keys = secret_file(dir.path(), "keys", "ann=ann-secret-1\n");
    let endpoint = secret_file(dir.path(), "endpoint", "\n  sk-first \n");
    let llm = FakeLlm::start(Script::default().page(1, [Answer::Hold]));
    let log = dir.path().join("log");
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--api-key", "cid=cid-secret-1"];
    let files = ["--api-key-file", keys.to_str().unwrap(), "--llm-api-key-file", endpoint.to_str().unwrap()];
    let server =
        Server::start_logging(fresh_data(), &[&arguments[..], &files].concat(), &[("RUST_LOG", "info")], &log).await;
    let submit = |key: &'static str, pages: &str| {
        let request = server.request("POST", &format!("/v1/tasks?processor=llm&pages={pages}")).bearer_auth(key);
        answer(request.header("content-type", "application/pdf").body(book("Hup", 2)))
    };
    let (code, running) = submit("ann-secret-1", "1").await;
    assert_eq!(code, 202, "{running}");
    llm.until(|books| books.held == 1).await;

    secret_file(dir.path(), "keys", "# ann is gone\nbob=bob-secret-1\n");
    secret_file(dir.path(), "endpoint", "sk-second");
    server.signal("HUP");
    until_key_is(&server, "bob-secret-1", 200).await;
    assert_eq!([status(&server, "ann-secret-1").await, status(&server, "cid-secret-1").await], [401, 200]);
    let said = |words: &str| std::fs::read_to_string(&log).unwrap().contains(words);
    until("the endpoint's key", async || said("the key of the endpoint is read again")).await;
    let (code, other) = submit("bob-secret-1", "2").await;
    assert_eq!(code, 202, "{other}");
    llm.until(|books| books.calls.len() == 2).await;
    assert_eq!(llm.books().keys, ["Bearer sk-first", "Bearer sk-second"]);

    for (bad, words) in [("", "there is no key in it"), ("bob", "write NAME=KEY")] {
        secret_file(dir.path(), "keys", bad);
        secret_file(dir.path(), "endpoint", "");
        server.signal("HUP");
        until("an error", async || said(words)).await;
        assert_eq!(status(&server, "bob-secret-1").await, 200, "the old keys hold");
    }
    assert!(said("the key of the endpoint stays as it was"));
    llm.open();
    secret_file(dir.path(), "keys", "ann=ann-secret-1\n");
    server.signal("HUP");
    until_key_is(&server, "ann-secret-1", 200).await;
    let path = format!("/v1/tasks/{}?wait=55", running["id"].as_str().unwrap());
    let (_, task) = answer(server.request("GET", &path).bearer_auth("ann-secret-1")).await;
    assert_eq!(task["status"], "completed", "what was running has gone on: {task}");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(!text.contains("secret-1") && !text.contains("sk-"), "{text}");
}

#[tokio::test]
async fn a_redis_password_may_stand_in_a_file() {
    let redis = RedisServer::start().await;
    let mut connection = redis.connection().await;
    let mut command = redis::cmd("CONFIG");
    command.arg("SET").arg("requirepass").arg("p@ss/word");
    command.exec_async(&mut connection).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let password = secret_file(dir.path(), "password", "p@ss/word\n");
    let server = Server::start(&["--store", &redis.url(), "--store-password-file", password.to_str().unwrap()]).await;
    let id = server.accepted(book("Redis", 1), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
}

#[tokio::test]
async fn files_with_secrets_are_used_everywhere_and_bad_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("locked.pdf");
    std::fs::write(&pdf, locked("Locked", 2, "secret")).unwrap();
    let pdf = pdf.to_str().unwrap();
    let file = secret_file(dir.path(), "password", "secret\n");
    let empty = secret_file(dir.path(), "empty", " \n");
    let (file, empty) = (file.to_str().unwrap(), empty.to_str().unwrap());
    for command in ["convert", "inspect", "estimate"] {
        let done = run(dir.path(), [command, pdf, "--password-file", file]).await;
        assert!(done.status.success() && done.stderr.is_empty(), "{command}: {done:?}");
    }
    for (arguments, said) in [
        (&["convert", pdf, "--password-file", "/no/such"][..], "/no/such"),
        (&["convert", pdf, "--password-file", empty], "the file is empty"),
        (&["convert", pdf, "--password-file", file, "--password", "x"], "cannot be used with"),
        (&["list", "--key-file", "/no/such"], "/no/such"),
        (&["submit", pdf, "--webhook-secret-file", empty], "the file is empty"),
        (&["serve", "--llm-api-key-file", "/no/such"], "llm-api-key-file: /no/such"),
        (&["serve", "--llm-api-key-file", file, "--llm-api-key", "x"], "leave one of them out"),
        (&["serve", "--store-password-file", file], "only a Redis store"),
        (&["serve", "--webhook-signing-secret-file", empty], "the file is empty"),
        (&["serve", "--api-key-file", "/no/such"], "api-key-file: /no/such"),
    ] {
        let done = run(dir.path(), arguments).await;
        let text = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(2) && text.contains(said), "{arguments:?}: {text}");
    }
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
    let done = run(dir.path(), ["convert", pdf, "--password-file", file]).await;
    let text = String::from_utf8(done.stderr).unwrap();
    assert!(done.status.success() && text.contains("every user can read it: chmod o-r"), "{text}");
}

#[tokio::test]
async fn every_help_says_which_flags_others_see() {
    for (command, flags) in [
        ("serve", &["--api-key", "--llm-api-key", "--store", "--store-password", "--webhook-signing-secret"][..]),
        ("convert", &["--llm-api-key", "--password"]),
        ("submit", &["--key", "--password", "--webhook-secret"]),
        ("list", &["--key"]),
        ("estimate", &["--key", "--password"]),
        ("inspect", &["--password"]),
        ("split", &["--password"]),
    ] {
        let done = bindery(Path::new("/nowhere")).args([command, "--help"]).output().await.unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        for flag in flags {
            let at = text.find(&format!("{flag} <")).unwrap_or_else(|| panic!("{command} {flag}: {text}"));
            let about = text[at..].split("\n      --").next().unwrap();
            assert!(about.contains("`ps` shows"), "{command} {flag}: {about}");
            assert!(text.contains(&format!("{flag}-file <")) || flag == &"--store", "{command} {flag}-file");
        }
    }
}
