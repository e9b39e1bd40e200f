//! The web page in a real browser.

use std::path::Path;

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::Server;

const KEY: &str = "ann-has-this-key";

fn file(folder: &Path, name: &str, pdf: Vec<u8>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, pdf).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Refusals that were provoked are no complaint.
async fn complains_of_nothing(browser: &Browser, but: &[&str]) {
    let mut complaints = browser.complaints().await;
    complaints.retain(|complaint| !but.iter().any(|known| complaint.contains(known)));
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[tokio::test]
async fn from_an_upload_over_its_progress_to_its_result() {
    let script = Script::default()
        .otherwise(Answer::Hold)
        .page(2, [Answer::Ok])
        .page(3, [Answer::Status(400, None), Answer::Ok]);
    let llm = FakeLlm::start(script);
    let mut server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1/1"]).await;
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::open(1_280, 900, false).await;
    browser.go(&server.url).await;
    browser.until("document.getElementById('empty').hidden === false").await;
    browser.picture("empty").await;

    browser.click("details summary").await;
    browser.run("document.querySelector('[name=processor]').value = 'llm'").await;
    let paths = [
        file(folder.path(), "A <b>bold<b> plan.pdf", book("Web", 5)),
        file(folder.path(), "no.pdf", b"no".repeat(999)),
    ];
    browser.write("#files", &paths.join("\n")).await;
    browser.until("document.querySelector('.task .facts')?.textContent.startsWith('1 of 5 pages · 1 failed')").await;
    browser.until("document.querySelector('#uploads .error')?.textContent.includes('not a PDF')").await;
    let name = browser.run("return document.querySelector('.task a').textContent").await;
    assert_eq!(name, "A <b>bold<b> plan.pdf", "a name is text");
    browser.settle().await;
    browser.picture("list").await;

    // In mid-run: the page is loaded anew, and the server is killed and comes back.
    browser.click(".task a").await;
    browser.until("document.getElementById('markdown').textContent.includes('not read yet')").await;
    browser.run("location.reload()").await;
    browser.until("document.getElementById('task-state')?.textContent.startsWith('processing · 1 of 5')").await;
    browser.until("document.querySelector('#picture img')").await;
    let address: String = server.url.rsplit(':').next().unwrap().to_owned();
    server.kill().await;
    browser.until("document.getElementById('connection').classList.contains('bad')").await;
    server.restart_at(&address).await;
    browser.until("document.getElementById('connection').textContent === ''").await;
    llm.open();
    browser.until("document.getElementById('task-state').textContent.startsWith('completed')").await;
    browser.until("document.querySelector('#markdown h1')?.textContent === 'Page 1'").await;
    browser.press("\u{e014}").await;
    browser.until("document.querySelector('#markdown h1')?.textContent === 'Page 2'").await;
    browser.press("\u{e012}").await;
    browser.until("document.getElementById('page-number').value === '1'").await;
    complains_of_nothing(
        &browser,
        &["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_CONNECTION_RESET", "ERR_EMPTY", "422"],
    )
    .await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_that_failed_is_seen_and_tried_again() {
    let llm = FakeLlm::start(Script::default().page(4, [Answer::Status(400, None), Answer::Ok]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Mend", 6), "processor=llm&file_name=mend.pdf").await;
    server.finished(&id).await;
    let browser = Browser::open(390, 844, false).await;
    browser.go(&format!("{}/#/tasks/{id}", server.url)).await;
    browser.until("!document.getElementById('next-failed').hidden").await;
    browser.click("#next-failed").await;
    browser.until("document.querySelector('#markdown .error')?.textContent.includes('scripted refusal')").await;
    browser.settle().await;
    browser.picture("failed-phone").await;
    let wide = browser.run("return document.documentElement.scrollWidth > innerWidth").await;
    assert_eq!(wide, Value::Bool(false), "nothing runs out of a phone");
    browser.click("[data-act=retry]").await;
    browser.until("document.getElementById('task-state').textContent.startsWith('completed · 6 of 6')").await;
    browser.until("document.querySelector('#markdown h1')?.textContent === 'Page 4'").await;
    assert_eq!(browser.run("return document.querySelector('[data-act=retry]').hidden").await, true);
    browser.click("[data-act=delete]").await;
    browser.click("#confirm [value=yes]").await;
    browser.until("!document.getElementById('empty').hidden").await;
    assert_eq!(server.ask("GET", &format!("/v1/tasks/{id}")).await.0, 404);
    complains_of_nothing(&browser, &[]).await;
    browser.close().await;
}

#[tokio::test]
async fn a_server_with_keys_asks_for_one_and_a_page_cannot_act() {
    let attack =
        "# Page\n\n<script>window.acted = 1</script><img src=x onerror='window.acted = 2'>\n\n[x](javascript:alert(1))";
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Text(attack, "stop")));
    let arguments = ["--api-key", "ann=ann-has-this-key", "--llm-base-url", &llm.url, "--llm-model", "m"];
    let server = Server::start(&arguments).await;
    let browser = Browser::open(1_280, 900, true).await;
    browser.go(&server.url).await;
    browser.until("document.getElementById('key-dialog').open").await;
    browser.write("#key", "a-wrong-key").await;
    browser.click("#key-dialog button").await;
    browser.until("document.getElementById('key-dialog').open && !document.getElementById('key-error').hidden").await;
    browser.picture("key-dark").await;
    browser.write("#key", KEY).await;
    browser.click("#key-dialog button").await;
    browser.until("!document.getElementById('empty').hidden").await;
    browser.run("document.querySelector('[name=processor]').value = 'llm'").await;
    let folder = tempfile::tempdir().unwrap();
    browser.write("#files", &file(folder.path(), "keyed.pdf", book("Keyed", 1))).await;
    browser.until("document.querySelector('.task .badge')?.textContent === 'completed'").await;
    browser.click(".task a").await;
    browser.until("document.querySelector('#markdown h1')").await;
    browser.until("document.querySelector('#picture img')").await;
    browser.settle().await;
    browser.picture("task-dark").await;
    let shown = browser.run("return document.getElementById('markdown').textContent").await;
    assert!(shown.as_str().unwrap().contains("<script>window.acted = 1</script>"), "{shown}");
    assert_eq!(browser.run("return window.acted ?? null").await, Value::Null);
    assert_eq!(browser.run("return document.querySelector('#markdown a').getAttribute('href')").await, "#");
    complains_of_nothing(&browser, &["401"]).await;
    browser.close().await;
}

#[tokio::test]
async fn the_page_is_small_cached_and_held_to_its_policy() {
    let server = Server::start(&["--api-key", "ann=ann-has-this-key"]).await;
    let mut bytes = 0;
    for path in [
        "/",
        "/ui/style.css",
        "/ui/main.js",
        "/ui/api.js",
        "/ui/bar.js",
        "/ui/list.js",
        "/ui/task.js",
        "/ui/words.js",
        "/ui/icon.svg",
    ] {
        let response = server.request("GET", path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let tag = response.headers()["etag"].clone();
        let text = response.text().await.unwrap();
        assert!(!text.contains("https://") && !text.contains("onclick="), "{path} needs nobody else");
        bytes += text.len();
        let again = server.request("GET", path).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
    assert!(bytes < 60_000, "{bytes}");
}

/// A real run to look at; the README's picture is of it.
#[tokio::test]
async fn the_sample_is_read_and_shown() {
    let server = Server::start(&[]).await;
    let browser = Browser::open(1_280, 800, false).await;
    browser.go(&server.url).await;
    browser.write("#files", &std::fs::canonicalize("tests/data/sample.pdf").unwrap().to_string_lossy()).await;
    browser.until("document.querySelector('.task .badge')?.textContent === 'completed'").await;
    browser.click(".task a").await;
    browser.until("document.querySelector('#markdown h1, #markdown h2')").await;
    browser.until("document.querySelector('#picture img')?.complete").await;
    browser.run("location.hash = location.hash.replace(/\\d+$/, '10')").await;
    browser.until("document.querySelector('#markdown table td')").await;
    browser.until("document.querySelector('#picture img')?.alt.startsWith('Page 10')").await;
    browser.settle().await;
    browser.picture("web-page").await;
    complains_of_nothing(&browser, &[]).await;
    browser.close().await;
}

#[tokio::test]
async fn many_running_tasks_leave_the_page_its_connections() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let browser = Browser::open(1_280, 900, false).await;
    browser.go(&server.url).await;
    for number in 1..=9 {
        server.accepted(book(&format!("Running {number}"), 2), "processor=llm").await;
        browser.until(&format!("document.querySelectorAll('.task').length === {number}")).await;
    }
    browser.click(".task button").await;
    browser.until("document.querySelector('.badge.cancelled')").await;
    llm.open();
    browser.until("document.querySelectorAll('.badge.completed').length === 8").await;
    browser.close().await;
}
