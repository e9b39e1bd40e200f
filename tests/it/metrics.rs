//! What `/metrics` says after known work.

use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::{Server, fresh_data};

/// The sum of all rows of a metric whose labels hold all of these.
fn value(text: &str, name: &str, labels: &[&str]) -> f64 {
    let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let rows = text.lines().filter(of_name).filter(|line| labels.iter().all(|label| line.contains(label)));
    rows.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

async fn metrics(server: &Server) -> String {
    let response = server.request("GET", "/metrics").bearer_auth("ann-has-this-key").send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    response.text().await.unwrap()
}

#[tokio::test]
async fn what_was_done_is_counted() {
    let mishap = Script::default().page(2, &[Answer::Status(500, None), Answer::Ok]);
    let llm = FakeLlm::start(mishap.page(3, &[Answer::Status(400, None), Answer::Status(400, None), Answer::Ok]));
    let arguments = [
        "--api-key",
        "ann=ann-has-this-key",
        "--operator",
        "ann",
        "--llm-base-url",
        &llm.url,
        "--llm-model",
        "m",
        "--llm-prices",
        "m=1000/1000",
    ];
    let server = Server::start(&arguments).await;
    let submit = async |query: &str| {
        let request =
            server.request("POST", &format!("/v1/tasks?processor=llm&{query}")).bearer_auth("ann-has-this-key");
        let response = request.header("content-type", "application/pdf").body(book("Counted", 4)).send().await.unwrap();
        let task: Value = response.json().await.unwrap();
        let path = format!("/v1/tasks/{}?wait=55", task["id"].as_str().unwrap());
        server.request("GET", &path).bearer_auth("ann-has-this-key").send().await.unwrap()
    };
    submit("model=made-up-by-a-caller").await;
    submit("").await;
    submit("metadata=1").await;
    let text = metrics(&server).await;
    let ann = "tenant=\"ann\"";
    for (name, labels, expected) in [
        ("bindery_tasks_accepted_total", &["reused=\"false\""][..], 3.0),
        ("bindery_tasks_ended_total", &["status=\"completed\""], 3.0),
        ("bindery_pages_read_total", &["processor=\"llm\"", ann], 7.0),
        ("bindery_pages_reused_total", &[ann], 3.0),
        ("bindery_pages_failed_total", &["code=\"endpoint_refused\""], 2.0),
        ("bindery_calls_total", &["model=\"other\""], 5.0),
        ("bindery_calls_total", &["outcome=\"overloaded\""], 1.0),
        ("bindery_attempts_failed_total", &["code=\"endpoint_unavailable\""], 1.0),
        ("bindery_tasks", &[], 0.0),
        ("bindery_in_flight", &[], 0.0),
        ("bindery_store_errors_total", &[], 0.0),
    ] {
        let seen = value(&text, name, labels);
        assert!((seen - expected).abs() < 1e-9, "{name} {labels:?}: {seen}\n{text}");
    }
    assert!(value(&text, "bindery_tokens_total", &[ann, "direction=\"sent\""]) > 100.0, "{text}");
    assert!(value(&text, "bindery_cost_millionths_total", &[ann]) > 100_000.0, "{text}");
    assert!(value(&text, "bindery_store_seconds_count", &["operation=\"create\""]) >= 3.0, "{text}");
    assert!(value(&text, "bindery_http_seconds_count", &["route=\"/v1/tasks\"", "status=\"202\""]) >= 3.0, "{text}");
    for name in bindery::metrics::OF_PROCESS {
        assert!(text.contains(&format!("\n{name} ")), "{name}: {text}");
    }
    assert!(value(&text, "process_resident_memory_bytes", &[]) > 1e6, "{text}");
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!((value(&text, "bindery_build_info", &[&version]) - 1.0).abs() < 1e-9, "{text}");
    assert!(
        !text.contains("made-up-by-a-caller") || value(&text, "bindery_endpoint_concurrency_limit", &["made-up"]) > 0.0
    );
}

#[tokio::test]
async fn a_method_that_somebody_makes_up_is_no_row() {
    let server = Server::start(&[]).await;
    for number in 0..20 {
        server.request(&format!("MADEUP{number}"), "/healthz").send().await.unwrap();
    }
    let text = metrics(&server).await;
    assert!(
        !text.contains("MADEUP") && value(&text, "bindery_http_seconds_count", &["method=\"other\""]) > 19.5,
        "{text}"
    );
}

#[tokio::test]
async fn rows_do_not_grow_with_what_callers_make_up() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    for number in 0..30 {
        let id = server.accepted(book("Names", 1), &format!("processor=llm&model=made-up-{number}")).await;
        server.finished(&id).await;
        metrics(&server).await;
    }
    let text = metrics(&server).await;
    let rows = text.lines().filter(|line| line.starts_with("bindery_endpoint_concurrency_limit")).count();
    assert!((2..=17).contains(&rows), "{text}");
    assert!((value(&text, "bindery_calls_total", &["model=\"other\""]) - 30.0).abs() < 1e-9);
}

#[tokio::test]
async fn a_log_in_json_has_the_name_of_the_request_that_the_problem_has() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let variables = [("RUST_LOG", "info"), ("BINDERY_LOG_FORMAT", "json")];
    let server = Server::start_logging(fresh_data(), &[], &variables, log.path()).await;
    let id = server.accepted(book("Logged", 1), "").await;
    server.finished(&id).await;
    let bad = server.request("POST", "/v1/tasks?pages=x").header("x-request-id", "mine-1").send().await.unwrap();
    assert_eq!(bad.headers()["x-request-id"], "mine-1");
    assert_eq!(bad.json::<Value>().await.unwrap()["request_id"], "mine-1");
    let forged = server.request("POST", "/v1/tasks?pages=x").header("x-request-id", "a b{\"").send().await.unwrap();
    let name = forged.headers()["x-request-id"].to_str().unwrap().to_owned();
    assert_eq!(forged.json::<Value>().await.unwrap()["request_id"], name.as_str());
    let text = std::fs::read_to_string(log.path()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let find =
        |key: &str, value: &str| lines.iter().find(|line| line[key] == value).unwrap_or_else(|| panic!("{text}"));
    assert_eq!(find("request", "mine-1")["status"], 422);
    find("request", &name);
    let ended = lines.iter().find(|line| line["task"] == *id && line["message"] == "task is completed").unwrap();
    assert_eq!((&ended["level"], &ended["done"]), (&"INFO".into(), &1.into()));
    assert!(ended["time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn the_access_log_says_who_asked_and_who_was_refused() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let variables = [("RUST_LOG", "info"), ("BINDERY_LOG_FORMAT", "json")];
    let server =
        Server::start_logging(fresh_data(), &["--api-key", "ann=ann-has-this-key"], &variables, log.path()).await;
    let ask = |method: &str, id: &str, key: &str| {
        let request = server.request(method, "/v1/estimate").header("x-request-id", id).bearer_auth(key);
        request.header("x-forwarded-for", "203.0.113.7, \"10.0.0.1").body(book("A", 1)).send()
    };
    ask("POST", "good", "ann-has-this-key").await.unwrap();
    ask("POST", "guessed", "a-guess").await.unwrap();
    ask("GET", "odd", "ann-has-this-key").await.unwrap();
    let text = std::fs::read_to_string(log.path()).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (id, status, tenant, level) in
        [("good", 200, "ann", "INFO"), ("guessed", 401, "", "WARN"), ("odd", 405, "", "INFO")]
    {
        let line = lines.iter().find(|line| line["request"] == id).unwrap_or_else(|| panic!("{id}: {text}"));
        assert_eq!((&line["status"], &line["tenant"], &line["level"]), (&status.into(), &tenant.into(), &level.into()));
        assert_eq!((&line["remote"], line["ms"].is_u64()), (&"127.0.0.1".into(), true), "{line}");
        assert_eq!(line["forwarded"], "203.0.113.7, 10.0.0.1");
    }
}

#[tokio::test]
async fn usage_is_summed_by_day_tenant_and_model() {
    let llm = FakeLlm::start(Script::default());
    let keys = ["--api-key", "ann=ann-has-this-key", "--api-key", "bob=bob-has-this-key", "--operator", "bob"];
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "*=1000/1000"];
    let server = Server::start(&[&keys[..], &endpoint].concat()).await;
    for (key, title, query) in [
        ("ann-has-this-key", "A", "processor=llm"),
        ("ann-has-this-key", "A", "processor=llm&model=other"),
        ("bob-has-this-key", "B", "processor=text"),
    ] {
        let request = server.request("POST", &format!("/v1/tasks?wait=55&{query}")).bearer_auth(key);
        let task = request.header("content-type", "application/pdf").body(book(title, 3)).send().await.unwrap();
        assert_eq!(task.json::<Value>().await.unwrap()["status"], "completed");
    }
    let usage = async |key: &str, query: &str| {
        let answer = server.request("GET", &format!("/v1/usage?{query}")).bearer_auth(key).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (_, own) = usage("ann-has-this-key", "by=tenant,model").await;
    let rows = own["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["model"], &rows[1]["model"]), (2, &"m".into(), &"other".into()), "{own}");
    assert_eq!((&rows[0]["tenant"], &rows[0]["pages"], &rows[0]["calls"]), (&"ann".into(), &3.into(), &3.into()));
    assert!(own["total"]["tasks"] == 2 && own["total"]["cost"].as_f64().unwrap() > 0.1, "{own}");
    let (_, all) = usage("bob-has-this-key", "by=tenant").await;
    assert_eq!((all["rows"].as_array().unwrap().len(), &all["total"]["pages"]), (2, &9.into()), "{all}");
    let (_, days) = usage("bob-has-this-key", "").await;
    let today = days["rows"][0]["day"].as_str().unwrap().to_owned();
    assert_eq!(usage("bob-has-this-key", &format!("from={today}&to={today}")).await.1["total"]["tasks"], 3);
    assert_eq!(usage("bob-has-this-key", "to=2020-01-01").await.1["total"]["tasks"], 0);
    for bad in ["by=hour", "from=today", "until=2026-01-01"] {
        assert_eq!(usage("bob-has-this-key", bad).await.0, 422, "{bad}");
    }
}

#[tokio::test]
async fn a_page_that_is_paid_for_is_on_the_device_before_it_counts() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let syncs = async || value(&metrics(&server).await, "bindery_blob_seconds_count", &["operation=\"sync\""]);
    // The source and the results; pages that cost nothing are read again when the power fails.
    let free = server.accepted(book("Free", 6), "").await;
    server.finished(&free).await;
    let before = syncs().await;
    assert!(before < 3.5, "{before} for a task that costs nothing");
    let paid = server.accepted(book("Paid", 6), "processor=llm").await;
    assert_eq!(server.finished(&paid).await["pages"]["done"], 6);
    let spent = syncs().await - before;
    assert!(spent > 6.0 + before - 0.5, "{spent} for six pages that are paid for");
}
