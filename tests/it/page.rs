//! The web page in a real browser.

use std::path::Path;

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, book_with_text, unread};
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
    browser.until("!document.getElementById('next-bad').hidden").await;
    browser.click("#next-bad").await;
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
    assert_eq!(browser.run("return document.querySelector('#markdown a')").await, Value::Null);
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

/// How many pixels of the bar of a task's pages have this colour, as CSS names it.
async fn pixels(browser: &Browser, bar: &str, colour: &str) -> u64 {
    let script = format!(
        "const bar = document.querySelector('{bar}'), of = document.createElement('canvas').getContext('2d');
        of.fillStyle = getComputedStyle(bar).getPropertyValue('{colour}');
        of.fillRect(0, 0, 1, 1);
        const [r, g, b] = of.getImageData(0, 0, 1, 1).data;
        const seen = bar.getContext('2d').getImageData(0, 0, bar.width, bar.height).data;
        let count = 0;
        for (let at = 0; at < seen.length; at += 4) if (seen[at] === r && seen[at + 1] === g && seen[at + 2] === b) count += 1;
        return count;"
    );
    browser.run(&script).await.as_u64().unwrap()
}

#[tokio::test]
async fn pages_that_were_not_read_or_are_not_to_be_trusted_are_amber() {
    let stray = || Answer::Text("# Something else\n\nNothing that stands on this page.", "stop");
    let script = Script::default().page(2, [stray(), stray()]).page(3, [Answer::Status(400, None)]);
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let sound = server.accepted(book("Sound", 9), "processor=text&file_name=sound.pdf").await;
    let stray =
        server.accepted(book_with_text("Stray", 9, 2), "processor=llm&file_name=a letter that strays.pdf").await;
    let scans = server.accepted(unread("Scans"), "processor=text&file_name=scanned annexes.pdf").await;
    for id in [&sound, &stray, &scans] {
        server.finished(id).await;
    }
    for (width, dark) in [(1_280, false), (1_280, true), (390, false), (390, true)] {
        let browser = Browser::open(width, 860, dark).await;
        let name = |of: &str| format!("doubt-{of}-{width}{}", if dark { "-dark" } else { "" });
        browser.go(&server.url).await;
        browser.until("document.querySelectorAll('.badge.completed').length === 3").await;
        let badges =
            "return [...document.querySelectorAll('.badge')].map((badge) => badge.classList.contains('doubt'))";
        assert_eq!(browser.run(badges).await, serde_json::json!([true, true, false]));
        browser.until("document.querySelector('.facts').textContent.includes('5 doubtful (3 not read,')").await;
        assert!(pixels(&browser, ".task:first-child .bar", "--doubt").await > 100);
        assert_eq!(pixels(&browser, ".task:last-child .bar", "--doubt").await, 0);
        browser.settle().await;
        browser.picture(&name("list")).await;

        browser.click(".task a").await;
        browser.until("!document.getElementById('next-bad').hidden").await;
        browser.click("#next-bad").await;
        browser.until("document.querySelector('#markdown .doubt')?.textContent === 'This page was not read.'").await;
        browser
            .until(
                "document.getElementById('doubts').textContent === 'no_text_layer no text layer; needs OCR or a model'",
            )
            .await;
        browser.until("document.querySelector('#picture img')").await;
        assert!(pixels(&browser, "#task-bar", "--doubt").await > 100);
        browser.settle().await;
        browser.picture(&name("unread")).await;

        browser.run(&format!("location.hash = '#/tasks/{stray}/2'")).await;
        browser.until("document.getElementById('doubts').textContent.startsWith('unfaithful')").await;
        browser.until("document.querySelector('#picture img')").await;
        assert!(
            pixels(&browser, "#task-bar", "--doubt").await > 20 && pixels(&browser, "#task-bar", "--failed").await > 20
        );
        browser.settle().await;
        browser.picture(&name("unfaithful")).await;
        browser.click("#next-bad").await;
        browser.until("document.querySelector('#markdown .error')").await;
        browser.settle().await;
        browser.picture(&name("failed")).await;
        let wide = browser.run("return document.documentElement.scrollWidth > innerWidth").await;
        assert_eq!(wide, Value::Bool(false), "nothing runs out of the window");

        browser.go(&format!("{}/#/", server.url)).await;
        browser.run("const f = document.getElementById('filter'); f.value = 'failed_pages=true'; f.dispatchEvent(new Event('change'))").await;
        browser.until("document.querySelectorAll('.task').length === 1").await;
        // The test reads the bar back.
        complains_of_nothing(&browser, &["willReadFrequently"]).await;
        browser.close().await;
    }
}
