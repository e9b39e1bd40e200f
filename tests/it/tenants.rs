//! Keys and tenants: who is let in, who sees what, and who may have how much.

use futures::FutureExt;
use futures::future::select_all;
use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, answer, fresh_data, run};
use crate::support::{soon, until};

const ANN: &str = "ann-has-this-key";
const BOB: &str = "bob-has-this-key";
const KEYS: [&str; 6] = ["--api-key", "ann=ann-has-this-key", "--api-key", "bob=bob-has-this-key", "--operator", "bob"];

async fn ask(server: &Server, key: &str, method: &str, path: &str) -> (u16, Value) {
    answer(server.request(method, path).bearer_auth(key)).await
}

async fn submit(server: &Server, key: &str, pdf: Vec<u8>, query: &str) -> (u16, Value) {
    let request = server.request("POST", &format!("/v1/tasks?{query}")).bearer_auth(key);
    answer(request.header("content-type", "application/pdf").body(pdf)).await
}

fn id(task: &Value) -> String {
    task["id"].as_str().unwrap_or_else(|| panic!("{task}")).to_owned()
}

#[tokio::test]
async fn without_a_good_key_nothing_is_told_and_nothing_taken_in() {
    let server = Server::start(&KEYS).await;
    for path in ["/v1/tasks", "/v1/tasks/0", "/v1/tasks/0/result", "/readyz?verbose", "/metrics"] {
        for key in [None, Some("ann"), Some("ann-has-this-ke"), Some("")] {
            let request = server.request("GET", path);
            let request = if let Some(key) = key { request.bearer_auth(key) } else { request };
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 401, "{path} {key:?}");
            assert_eq!(response.headers()["www-authenticate"], "Bearer");
            let problem: Value = response.json().await.unwrap();
            assert_eq!(problem["code"], "unauthorized");
        }
    }
    let (status, _) = server.submit(book("Nobody", 1), "").await;
    assert_eq!(status, 401);
    for path in ["/healthz", "/readyz"] {
        server.get(path).await;
    }
    for path in ["/metrics", "/readyz?verbose"] {
        let (status, problem) = ask(&server, ANN, "GET", path).await;
        assert_eq!((status, problem["code"].as_str()), (403, Some("operators_only")), "it tells of others: {path}");
        assert_eq!(ask(&server, BOB, "GET", path).await.0, 200);
    }
    let by_header = server.request("GET", "/v1/tasks").header("x-api-key", BOB);
    assert_eq!(answer(by_header).await.0, 200);
}

async fn tenants_do_not_see_each_other(arguments: &[&str]) {
    let mut server = Server::start(&[&KEYS[..], arguments].concat()).await;
    let pdf = book("Shared", 2);
    let (status, anns) = submit(&server, ANN, pdf.clone(), "").await;
    assert_eq!(status, 202, "{anns}");
    let (status, bobs) = submit(&server, BOB, pdf.clone(), "").await;
    assert_eq!(status, 202, "the same PDF of another is another task: {bobs}");
    let (status, again) = submit(&server, ANN, pdf, "").await;
    assert_eq!((status, id(&again)), (200, id(&anns)));
    for (verb, end) in [
        ("GET", ""),
        ("GET", "/result"),
        ("GET", "/result?partial=true"),
        ("GET", "/pages"),
        ("GET", "/events"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("DELETE", ""),
    ] {
        let (status, problem) = ask(&server, BOB, verb, &format!("/v1/tasks/{}{end}", id(&anns))).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("task_not_found")), "{verb} {end}");
    }
    for again in [false, true] {
        if again {
            server.kill().await;
            server.restart().await;
        }
        for (key, task) in [(ANN, &anns), (BOB, &bobs)] {
            let (_, list) = ask(&server, key, "GET", "/v1/tasks").await;
            let ids: Vec<&str> = list["tasks"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap()).collect();
            assert_eq!(ids, [id(task)]);
            let (status, done) = ask(&server, key, "GET", &format!("/v1/tasks/{}?wait=55", id(task))).await;
            assert_eq!((status, done["status"].as_str()), (200, Some("completed")));
        }
        let (_, list) = ask(&server, ANN, "GET", "/v1/tasks?status=completed").await;
        assert_eq!(list["tasks"].as_array().unwrap().len(), 1);
        let (_, list) = ask(&server, ANN, "GET", "/v1/tasks?status=failed").await;
        assert_eq!(list["tasks"].as_array().unwrap().len(), 0);
    }
    let (status, _) = ask(&server, ANN, "DELETE", &format!("/v1/tasks/{}", id(&anns))).await;
    assert_eq!(status, 204);
    let (_, list) = ask(&server, ANN, "GET", "/v1/tasks").await;
    assert_eq!(list["tasks"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn tenants_do_not_see_each_other_on_the_embedded_store() {
    tenants_do_not_see_each_other(&[]).await;
}

#[tokio::test]
async fn tenants_do_not_see_each_other_on_redis() {
    let redis = RedisServer::start().await;
    tenants_do_not_see_each_other(&["--store", &redis.url()]).await;
}

#[tokio::test]
async fn a_quota_is_refused_before_the_upload_and_is_its_tenants_alone() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--tenant-tasks", "2", "--tenant-pages", "5"];
    let server = Server::start(&[&KEYS[..], &endpoint].concat()).await;
    let (status, first) = submit(&server, ANN, book("One", 3), "processor=llm").await;
    assert_eq!(status, 202, "{first}");
    let (status, problem) = submit(&server, ANN, book("Two", 3), "processor=llm").await;
    assert_eq!((status, problem["code"].as_str()), (429, Some("quota_exceeded")), "3 + 3 pages: {problem}");
    let (status, _) = submit(&server, ANN, book("Three", 2), "processor=llm").await;
    assert_eq!(status, 202);
    // Bodies that never come. A few are waited for, as they may be equal to a task that is there; the next one is not.
    let never = |path: &str| {
        let body = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
        let request = server.request("POST", path).bearer_auth(ANN).header("content-type", "application/pdf");
        request.body(reqwest::Body::wrap_stream(body)).send()
    };
    let submits = select_all((0..5).map(|_| Box::pin(never("/v1/tasks"))));
    let (first_answer, _, waiting) = soon("an answer", submits).await;
    let response = first_answer.unwrap();
    assert_eq!(response.status(), 429);
    assert!(response.headers().contains_key("retry-after"));
    assert!(waiting.into_iter().all(|request| request.now_or_never().is_none()), "the others may be equal");
    // Nor is that of an estimate, which is equal to nothing.
    let estimate = soon("an answer", never("/v1/estimate")).await.unwrap();
    assert_eq!(estimate.status(), 429);
    let (status, _) = submit(&server, BOB, book("Four", 4), "processor=llm").await;
    assert_eq!(status, 202, "another's quota is its own");
    ask(&server, ANN, "POST", &format!("/v1/tasks/{}/cancel", id(&first))).await;
    let (status, _) = submit(&server, ANN, book("Five", 3), "processor=llm").await;
    assert_eq!(status, 202, "what has ended does not count");
}

/// It costs nothing more, so it is no matter how much there is: of tasks, pages or bytes, counted by this server or by all.
async fn equal_submits_are_one_task_at_the_quota(servers: &[&Server], quota: &str) {
    let pdf = || book("The same again", 3);
    let (status, task) = submit(servers[0], ANN, pdf(), "processor=llm").await;
    assert_eq!(status, 202, "{quota}: {task}");
    for server in servers {
        let (status, again) = submit(server, ANN, pdf(), "processor=llm").await;
        assert_eq!((status, &again["id"], &again["reused"]), (200, &task["id"], &true.into()), "{quota}: {again}");
        // One that is not equal is refused as ever, also where the difference is what it is to be.
        for (pdf, query) in [
            (book("Another one", 3), "processor=llm"),
            (pdf(), "processor=llm&seams=true"),
            (pdf(), "processor=llm&reuse=false"),
        ] {
            let (status, problem) = submit(server, ANN, pdf, query).await;
            assert_eq!((status, problem["code"].as_str()), (429, Some("quota_exceeded")), "{quota} {query}: {problem}");
        }
    }
    let estimate = servers[0].request("POST", "/v1/estimate?processor=llm").bearer_auth(ANN);
    let (status, _) = answer(estimate.header("content-type", "application/pdf").body(pdf())).await;
    assert_eq!(status, if quota == "--tenant-pages" { 200 } else { 429 }, "{quota}: an estimate is no submit");
    let (_, list) = ask(servers[0], ANN, "GET", "/v1/tasks").await;
    assert_eq!(list["tasks"].as_array().unwrap().len(), 1, "{quota}: nothing is left of what was refused");
    ask(servers[0], ANN, "POST", &format!("/v1/tasks/{}/cancel", id(&task))).await;
}

/// Each quota, with one book in it and no room for a second one.
fn quotas() -> [(&'static str, String); 3] {
    let bytes = book("The same again", 3).len() * 3 / 2;
    [("--tenant-tasks", "1".to_owned()), ("--tenant-pages", "4".to_owned()), ("--tenant-bytes", bytes.to_string())]
}

#[tokio::test]
async fn an_equal_submit_at_the_quota_is_answered_with_the_task_that_is_there() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    for (quota, most) in quotas() {
        let server = Server::start(&[&KEYS[..], &endpoint, &[quota, &most]].concat()).await;
        equal_submits_are_one_task_at_the_quota(&[&server], quota).await;
    }
}

#[tokio::test]
async fn an_equal_submit_at_the_quota_of_all_servers_is_answered_by_each() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    for (quota, most) in quotas() {
        let (redis, data) = (RedisServer::start().await, fresh_data());
        let store = redis.url();
        let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--store", &store, quota, &most];
        let arguments = [&KEYS[..], &endpoint].concat();
        let start = || Server::start_on(data.clone(), &arguments, &[]);
        let servers = [start().await, start().await];
        equal_submits_are_one_task_at_the_quota(&[&servers[0], &servers[1]], quota).await;
    }
}

#[tokio::test]
async fn whoever_comes_with_many_tasks_leaves_places_to_others() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--tenant-running", "2"];
    let mut server = Server::start(&[&KEYS[..], &endpoint].concat()).await;
    for number in 0..5 {
        let (status, _) = submit(&server, ANN, book(&format!("Many {number}"), 1), "processor=llm").await;
        assert_eq!(status, 202);
    }
    let (_, bobs) = submit(&server, BOB, book("Single", 1), "processor=llm").await;
    llm.until(|books| books.held == 3).await;
    let (_, ready) = ask(&server, BOB, "GET", "/readyz?verbose").await;
    assert_eq!(ready["tasks"], serde_json::json!({ "running": 3, "waiting": 3 }));
    // The same from what the store has, after a crash.
    server.kill().await;
    server.restart().await;
    llm.until(|books| books.calls.len() == 6 && books.held == 3).await;
    let (_, ready) = ask(&server, BOB, "GET", "/readyz?verbose").await;
    assert_eq!(ready["tasks"], serde_json::json!({ "running": 3, "waiting": 3 }));
    llm.open();
    let (_, done) = ask(&server, BOB, "GET", &format!("/v1/tasks/{}?wait=55", id(&bobs))).await;
    assert_eq!(done["status"], "completed");
    let (_, list) = ask(&server, ANN, "GET", "/v1/tasks").await;
    for task in list["tasks"].as_array().unwrap() {
        let (_, done) = ask(&server, ANN, "GET", &format!("/v1/tasks/{}?wait=55", id(task))).await;
        assert_eq!(done["status"], "completed");
    }
}

#[tokio::test]
async fn a_retry_keeps_within_the_quota_and_the_places() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--tenant-running", "1", "--tenant-tasks", "2"];
    let server = Server::start(&[&KEYS[..], &endpoint].concat()).await;
    let mut ids = Vec::new();
    for number in 0..3 {
        let (_, task) = submit(&server, ANN, book(&format!("Again {number}"), 1), "processor=llm").await;
        let (status, _) = ask(&server, ANN, "POST", &format!("/v1/tasks/{}/cancel", id(&task))).await;
        assert_eq!(status, 200);
        ids.push(id(&task));
    }
    let mut statuses = Vec::new();
    for id in &ids {
        statuses.push(ask(&server, ANN, "POST", &format!("/v1/tasks/{id}/retry")).await.0);
    }
    assert_eq!(statuses, [202, 202, 429]);
    let (_, ready) = ask(&server, BOB, "GET", "/readyz?verbose").await;
    assert_eq!(ready["tasks"], serde_json::json!({ "running": 1, "waiting": 1 }));
    llm.open();
    for id in &ids[..2] {
        let (_, done) = ask(&server, ANN, "GET", &format!("/v1/tasks/{id}?wait=55")).await;
        assert_eq!(done["status"], "completed");
    }
    assert_eq!(ask(&server, ANN, "POST", &format!("/v1/tasks/{}/retry", ids[2])).await.0, 202);
}

#[tokio::test]
async fn keys_open_the_door_and_an_empty_file_of_keys_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys");
    for (text, expected) in [("# nobody\n", "there is no key in it"), ("ann=short\n", "line 1: the key of ann")] {
        std::fs::write(&file, text).unwrap();
        let arguments = ["serve", "--listen", "0.0.0.0:0", "--api-key-file", file.to_str().unwrap()];
        let refused = run(dir.path(), arguments).await;
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{error}");
        assert!(error.contains(expected) && !error.contains("short\n"), "{error}");
    }
    let config = run(dir.path(), ["config", "--api-key", "ann=ann-has-this-key"]).await;
    let config = String::from_utf8(config.stdout).unwrap();
    assert!(config.contains("ann=(redacted-ann)") && !config.contains(ANN), "{config}");
}

/// What both pay for the same PDF, one after the other, and what the second one's estimate knows before.
async fn the_same_pdf_of_two(arguments: &[&str], query: &str) -> (usize, Value, Value, Server) {
    let llm = FakeLlm::start(Script::default());
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let server = Server::start(&[&KEYS[..], &endpoint, arguments].concat()).await;
    let mut known = Value::Null;
    let mut last = Value::Null;
    for key in [ANN, BOB] {
        let estimate = server.request("POST", &format!("/v1/estimate?{query}")).bearer_auth(key);
        let (status, estimate) = answer(estimate.header("content-type", "application/pdf").body(book("Same", 3))).await;
        assert_eq!(status, 200, "{estimate}");
        known = estimate["reused"].clone();
        let (_, task) = submit(&server, key, book("Same", 3), query).await;
        (_, last) = ask(&server, key, "GET", &format!("/v1/tasks/{}?wait=55", id(&task))).await;
        assert_eq!(last["status"], "completed", "{last}");
    }
    (llm.books().calls.len(), known, last["usage"]["reused"].clone(), server)
}

#[tokio::test]
async fn what_one_tenant_had_read_another_neither_reuses_nor_learns() {
    for arguments in [&[][..], &["--ledger-scope", "tenant"]] {
        let (calls, known, reused, server) = the_same_pdf_of_two(arguments, "processor=llm").await;
        assert_eq!((calls, known.as_u64(), reused.as_u64()), (6, Some(0), Some(0)), "{arguments:?}");
        // One's own is found again, whatever has happened since.
        let (_, again) = submit(&server, BOB, book("Same", 3), "processor=llm&reuse=false").await;
        let (_, again) = ask(&server, BOB, "GET", &format!("/v1/tasks/{}?wait=55", id(&again))).await;
        assert_eq!(again["usage"]["reused"], 3, "{again}");
    }
}

#[tokio::test]
async fn tenants_share_what_they_had_read_where_the_operator_says_so() {
    let shared = ["--ledger-scope", "shared"];
    let (calls, known, reused, _) = the_same_pdf_of_two(&shared, "processor=llm").await;
    assert_eq!((calls, known.as_u64(), reused.as_u64()), (3, Some(3), Some(3)));
    // What one puts beside a page in a call must not decide what another gets for that page.
    let (calls, known, reused, _) = the_same_pdf_of_two(&shared, "processor=llm&shard_pages=2").await;
    assert_eq!((calls, known.as_u64(), reused.as_u64()), (4, Some(0), Some(0)));
}

#[tokio::test]
async fn a_key_makes_no_more_requests_a_minute_than_it_may() {
    // Five at once, then one every two seconds.
    let server = Server::start(&[&KEYS[..], &["--tenant-rate", "30"]].concat()).await;
    for _ in 0..5 {
        assert_eq!(ask(&server, ANN, "GET", "/v1/tasks").await.0, 200);
    }
    for (method, path) in [("GET", "/v1/tasks"), ("GET", "/mcp"), ("PUT", "/tika"), ("POST", "/v1/convert/file")] {
        let refused = server.request(method, path).header("x-api-key", ANN).send().await.unwrap();
        assert_eq!(refused.status(), 429, "{path}");
        let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait), "{wait}");
        let problem: Value = refused.json().await.unwrap();
        assert_eq!((problem["code"].as_str(), problem["request_id"].is_string()), (Some("rate_limited"), true));
    }
    // Its key in the address is its key.
    let socket = format!("/v1/status/ws/01a21038-160b-7397-8202-643de52b8631?api_key={ANN}");
    assert_eq!(answer(server.request("GET", &socket)).await.0, 429);
    assert_eq!(ask(&server, BOB, "GET", "/v1/tasks").await.0, 200, "each has its own");
    assert_eq!(ask(&server, "guessed-key", "GET", "/v1/tasks").await.0, 401);
    assert_eq!(ask(&server, ANN, "GET", "/no-such-path").await.0, 404);
    until("room for one more", async || ask(&server, ANN, "GET", "/v1/tasks").await.0 == 200).await;
}

#[tokio::test]
async fn a_key_makes_no_more_requests_of_all_servers_together() {
    let mut redis = RedisServer::start().await;
    // Ten at once, then one a second.
    let store = redis.url();
    let arguments = [&KEYS[..], &["--store", &store, "--tenant-rate", "60"]].concat();
    let one = Server::start(&arguments).await;
    let other = Server::start_on(one.shared_data(), &arguments, &[]).await;
    let begun = std::time::Instant::now();
    let asked = (0..40).map(|n| ask(if n % 2 == 0 { &one } else { &other }, ANN, "GET", "/v1/processors"));
    let answers = futures::future::join_all(asked).await;
    let made = answers.iter().filter(|(status, _)| *status == 200).count();
    let refused = answers.iter().filter(|(status, _)| *status == 429).count();
    let more = usize::try_from(begun.elapsed().as_secs()).unwrap() + 1;
    assert!((10..=10 + more).contains(&made) && made + refused == 40, "{made} made, {refused} refused");
    // While Redis is unavailable each counts by itself.
    redis.kill().await;
    let asked = (0..20).map(|_| ask(&one, ANN, "GET", "/v1/processors"));
    let answers = futures::future::join_all(asked).await;
    let made = answers.iter().filter(|(status, _)| *status == 200).count();
    assert!((10..20).contains(&made), "{answers:?}");
}
