//! Messages about ended tasks: none is lost, each is signed, none goes where it must not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

use crate::support::eventually;
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::hook::{Hook, Told};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, fresh_data};

const ALLOWED: [&str; 2] = ["--webhook-allow", "127.0.0.1"];

fn signed(told: &Told, key: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{}.{}.{}", told.id, told.timestamp, told.raw).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// Waits until the task says that its message stands so.
async fn stands(server: &Server, id: &str, state: &str) -> Value {
    let asked = async || {
        let webhook = server.get(&format!("/v1/tasks/{id}")).await["webhook"].take();
        (webhook["state"] == state).then_some(webhook)
    };
    eventually("the message's state", asked).await
}

#[tokio::test]
async fn every_end_is_told_once_and_signed() {
    let hook = Hook::start(&["204 No Content"]).await;
    let llm = FakeLlm::start(Script::default().page(1, [Answer::Status(401, None), Answer::Hold]));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--webhook-signing-secret", "of the server"];
    let server = Server::start(&[&ALLOWED[..], &endpoint].concat()).await;
    let url = hook.url();
    let secret = STANDARD.encode([7; 24]).replace('+', "%2B").replace('/', "%2F");
    let query = format!("webhook_url={url}&webhook_secret=whsec_{secret}&metadata=%7B%22a%22%3A1%7D&file_name=a.pdf");
    let completed = server.accepted(book("Told", 2), &query).await;
    let told = hook.messages(1).await.remove(0);
    assert_eq!((&told.body["type"], &told.body["data"]["id"]), (&"task.completed".into(), &completed.as_str().into()));
    assert_eq!((&told.body["data"]["pages"]["done"], &told.body["data"]["metadata"]["a"]), (&2.into(), &1.into()));
    assert_eq!(told.signature.as_deref(), Some(signed(&told, &[7; 24]).as_str()));
    let state = stands(&server, &completed, "delivered").await;
    assert_eq!((&state["attempts"], &state["id"]), (&1.into(), &told.id.as_str().into()));
    assert!(
        !server.get(&format!("/v1/tasks/{completed}")).await.to_string().contains(&secret),
        "a secret is not shown"
    );

    let failed = server.accepted(book("Fails", 1), &format!("processor=llm&webhook_url={url}")).await;
    let told = hook.messages(2).await.remove(1);
    assert_eq!(
        (&told.body["type"], &told.body["data"]["error"]["code"]),
        (&"task.failed".into(), &"endpoint_unauthorized".into())
    );
    assert_eq!(told.signature.as_deref(), Some(signed(&told, b"of the server").as_str()));
    stands(&server, &failed, "delivered").await;
    // Another end of the same task is another message; the same one sent anew is the same.
    server.ask("POST", &format!("/v1/tasks/{failed}/retry")).await;
    assert_eq!(server.get(&format!("/v1/tasks/{failed}")).await["webhook"], Value::Null);
    llm.until(|books| books.held == 1).await;
    server.ask("POST", &format!("/v1/tasks/{failed}/cancel")).await;
    let cancelled = hook.messages(3).await.remove(2);
    assert_eq!(cancelled.body["type"], "task.cancelled");
    assert_ne!(cancelled.id, told.id);
    stands(&server, &failed, "delivered").await;
    let (status, _) = server.ask("POST", &format!("/v1/tasks/{failed}/webhook")).await;
    assert_eq!(status, 202);
    assert_eq!(hook.messages(4).await.remove(3).id, cancelled.id);

    let silent = server.accepted(book("Silent", 1), "").await;
    server.finished(&silent).await;
    let (status, problem) = server.ask("POST", &format!("/v1/tasks/{silent}/webhook")).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("no_webhook")));
    assert_eq!(hook.count(), 4);
}

async fn a_message_outlives_a_retry_of_its_task(arguments: &[&str]) {
    let hook = Hook::start(&["500 Trouble", "200 OK"]).await;
    let llm = FakeLlm::start(Script::default().page(1, [Answer::Status(401, None), Answer::Hold]));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let mut server = Server::start(&[&ALLOWED[..], &endpoint, arguments].concat()).await;
    let id = server.accepted(book("Again", 2), &format!("processor=llm&webhook_url={}", hook.url())).await;
    hook.messages(1).await;
    stands_failed(&server, &id).await;
    assert_eq!(server.ask("POST", &format!("/v1/tasks/{id}/retry")).await.0, 202);
    llm.until(|books| books.held >= 1).await;
    assert_eq!(server.get(&format!("/v1/tasks/{id}")).await["webhook"], Value::Null, "it has no end yet");
    server.kill().await;
    server.restart().await;
    // It comes while the task runs, and says what it said before.
    let told = hook.messages(2).await;
    assert_eq!((&told[1].id, &told[1].body), (&told[0].id, &told[0].body));
    assert_eq!(told[1].body["type"], "task.failed");
    llm.open();
    assert_eq!(server.finished(&id).await["status"], "completed");
    stands(&server, &id, "delivered").await;
    let told = hook.messages(3).await;
    assert_eq!((told.len(), &told[2].body["type"]), (3, &"task.completed".into()));
    assert_ne!(told[2].id, told[0].id);
}

#[tokio::test]
async fn a_message_outlives_a_retry_of_its_task_on_the_embedded_store() {
    a_message_outlives_a_retry_of_its_task(&[]).await;
}

#[tokio::test]
async fn a_message_outlives_a_retry_of_its_task_on_redis() {
    let redis = RedisServer::start().await;
    a_message_outlives_a_retry_of_its_task(&["--store", &redis.url()]).await;
}

async fn a_message_outlives_failures_and_the_server(arguments: &[&str]) {
    let hook = Hook::start(&["500 Trouble", "200 OK"]).await;
    let mut server = Server::start(&[&ALLOWED[..], arguments].concat()).await;
    let id = server.accepted(book("Outbox", 2), &format!("webhook_url={}", hook.url())).await;
    hook.messages(1).await;
    let state = stands(&server, &id, "pending").await;
    let state = if state["last_error"].is_null() { stands_failed(&server, &id).await } else { state };
    assert_eq!(state["last_error"], "the target answered 500");
    server.kill().await;
    server.restart().await;
    let told = hook.messages(2).await;
    assert_eq!(told[0].id, told[1].id);
    stands(&server, &id, "delivered").await;
    let task = server.get(&format!("/v1/tasks/{id}")).await;
    assert_eq!((&task["status"], &task["webhook"]["attempts"]), (&"completed".into(), &2.into()));
}

async fn stands_failed(server: &Server, id: &str) -> Value {
    let asked = async || {
        let webhook = server.get(&format!("/v1/tasks/{id}")).await["webhook"].take();
        webhook["last_error"].is_string().then_some(webhook)
    };
    eventually("the failure", asked).await
}

#[tokio::test]
async fn a_message_outlives_failures_and_the_server_on_the_embedded_store() {
    a_message_outlives_failures_and_the_server(&[]).await;
}

#[tokio::test]
async fn a_message_outlives_failures_and_the_server_on_redis() {
    let redis = RedisServer::start().await;
    a_message_outlives_failures_and_the_server(&["--store", &redis.url()]).await;
}

#[tokio::test]
async fn two_servers_tell_once() {
    let redis = RedisServer::start().await;
    let (url, data) = (redis.url(), fresh_data());
    let arguments = [&ALLOWED[..], &["--store", &url]].concat();
    let one = Server::start_on(data.clone(), &arguments, &[]).await;
    let two = Server::start_on(data, &arguments, &[]).await;
    let hook = Hook::start(&["hold 200 OK", "200 OK"]).await;
    let first = one.accepted(book("First", 1), &format!("webhook_url={}", hook.url())).await;
    hook.messages(1).await;
    // While that is not answered, the other server looks for messages, because it has one of its own.
    let second = two.accepted(book("Second", 1), &format!("webhook_url={}", hook.url())).await;
    stands(&two, &second, "delivered").await;
    hook.open();
    stands(&two, &first, "delivered").await;
    let told: std::collections::BTreeSet<String> = hook.messages(2).await.into_iter().map(|told| told.id).collect();
    assert_eq!((told.len(), hook.count()), (2, 2));
}

#[tokio::test]
async fn nothing_goes_where_it_must_not() {
    let hook = Hook::start(&["302 Found\r\nlocation: http://127.0.0.1:1/", "410 Gone"]).await;
    let server = Server::start(&[]).await;
    for target in [
        hook.url().as_str(),
        "http%3A%2F%2F[::1]%2F",
        "ftp%3A%2F%2Fexample.org",
        "x",
        "http%3A%2F%2Fa%3Ab%40example.org",
    ] {
        let (status, problem) = server.submit(book("Refused", 1), &format!("webhook_url={target}")).await;
        assert_eq!((status, problem["code"].as_str()), (422, Some("bad_option")), "{target}");
        assert!(problem["detail"].as_str().unwrap().starts_with("option webhook_url: "), "{problem}");
    }
    // A name is looked at when it is resolved.
    let named = hook.url().replace("127.0.0.1", "localhost");
    let id = server.accepted(book("Named", 1), &format!("webhook_url={named}")).await;
    let state = stands_failed(&server, &id).await;
    let private = state["last_error"].as_str().unwrap().to_owned();
    assert!(private.contains("public addresses only"), "{private}");
    assert_eq!(hook.count(), 0);

    let open = Server::start(&ALLOWED).await;
    let id = open.accepted(book("Redirected", 1), &format!("webhook_url={}", hook.url())).await;
    let state = stands_failed(&open, &id).await;
    assert!(state["last_error"].as_str().unwrap().contains("redirections are not followed"), "{state}");
    open.ask("POST", &format!("/v1/tasks/{id}/webhook")).await;
    assert_eq!(stands(&open, &id, "given_up").await["last_error"], "the target answered 410");
}

#[tokio::test]
async fn a_target_that_does_not_answer_and_tasks_that_have_expired_hold_up_nobody() {
    let (silent, hook) = (Hook::start(&["hold 200 OK"]).await, Hook::start(&["200 OK"]).await);
    let server = Server::start(&[&ALLOWED[..], &["--janitor-tick", "1h"]].concat()).await;
    for number in 0..40 {
        let query = format!("webhook_url={}&ttl=1&metadata={number}", silent.url());
        let id = server.accepted(book("Silent", 1), &query).await;
        server.finished(&id).await;
    }
    let id = server.accepted(book("Heard", 1), &format!("webhook_url={}", hook.url())).await;
    hook.messages(1).await;
    stands(&server, &id, "delivered").await;
    assert!(silent.count() <= 8, "{}", silent.count());
}

/// A caller does not find out from its task which names lead to something inside, nor what listens there; the operator
/// does from the log.
#[tokio::test]
async fn what_is_inside_is_not_told_by_errors() {
    let dir = tempfile::tempdir().unwrap();
    let (log, warnings) = (dir.path().join("log"), [("RUST_LOG", "warn")]);
    let allowed = ["--webhook-allow", "127.0.0.1"];
    let server = Server::start_logging(fresh_data(), &allowed, &warnings, &log).await;
    let closed = crate::support::redis_server::free_port();
    let not_http = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = not_http.local_addr().unwrap().port();
    let _hanging_up = tokio::spawn(async move { while not_http.accept().await.is_ok() {} });
    let mut errors = std::collections::BTreeSet::new();
    for target in [
        // Leads to an address inside.
        format!("http://localhost:{port}/"),
        // Leads nowhere (RFC 6761).
        "http://no-such-host.invalid/".to_owned(),
        // May be reached, and refuses; may be reached, and hangs up.
        format!("http://127.0.0.1:{closed}/"),
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
    ] {
        let id = server.accepted(book(&target, 1), &format!("webhook_url={target}")).await;
        errors.insert(stands_failed(&server, &id).await["last_error"].as_str().unwrap().to_owned());
    }
    assert_eq!(errors.len(), 1, "{errors:?}");
    let said = std::fs::read_to_string(log).unwrap();
    assert!(said.contains("an address that is not public") && said.contains("refused"), "{said}");
}
