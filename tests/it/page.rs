//! The web page in a real browser: from files to tasks, and the list of these. What a task shows is in `page_task`.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::axe::finds_nothing_serious;
use crate::support::browser::Browser;
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::file;
use crate::support::pdf::{book, locked};
use crate::support::server::Server;

const KEY: &str = "ann-has-this-key";

/// Refusals that were provoked are no complaint.
pub async fn complains_of_nothing(browser: &Browser, but: &[&str]) {
    let mut complaints = browser.complaints().await;
    complaints.retain(|complaint| !but.iter().any(|known| complaint.contains(known)));
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// Chooses a value as a person would.
async fn choose(browser: &Browser, selector: &str, value: &str) {
    let events = "for (const name of ['input', 'change']) field.dispatchEvent(new Event(name, { bubbles: true }))";
    browser
        .run(&format!("const field = document.querySelector('{selector}'); field.value = '{value}'; {events}"))
        .await;
}

const READY: &str = "!document.getElementById('review-start').disabled";

#[tokio::test]
async fn from_the_empty_page_over_a_review_and_a_restart_to_a_result() {
    let script = Script::default()
        .otherwise(Answer::Hold)
        .page(2, [Answer::Ok])
        .page(3, [Answer::Status(400, None), Answer::Ok]);
    let llm = FakeLlm::start(script);
    // Below a path, where everything has to be asked for by addresses relative to the page.
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1/1", "--llm-currency", "EUR"];
    let mut server = Server::start(&[&arguments[..], &["--public-url", "http://127.0.0.1/below"]].concat()).await;
    let folder = tempfile::tempdir().unwrap();
    let browser = Browser::open(1_440, 900, false).await;
    browser.go(&format!("{}/below/", server.url)).await;
    browser.until("document.querySelector('#readers .scans dd')?.textContent.startsWith('Read by m')").await;
    let readers =
        browser.run("return [...document.querySelectorAll('#readers code')].map((one) => one.textContent)").await;
    assert!(readers.as_array().unwrap().contains(&json!("auto")), "{readers}");
    finds_nothing_serious(&browser, "empty").await;
    browser.picture("empty").await;

    let paths = [
        file(folder.path(), "A <b>bold<b> plan.pdf", book("Web", 5)),
        file(folder.path(), "no.pdf", b"no".repeat(999)),
        file(folder.path(), "locked.pdf", locked("Locked", 2, "sesame")),
    ];
    browser.write("#files", &paths.join("\n")).await;
    browser.until("document.querySelector('#review-files .failed .route')?.textContent.includes('not a PDF')").await;
    browser.until(READY).await;
    let total = "document.getElementById('review-total').textContent";
    browser.until(&format!("{total} === '5 pages · free'")).await;
    choose(&browser, "[name=processor]", "llm").await;
    browser.until(&format!("{total}.startsWith('5 pages · 5 calls · about €')")).await;
    browser.write("#review-files [type=password]", "sesame\u{e007}").await;
    browser.until(&format!("{total}.startsWith('7 pages · 7 calls')")).await;
    let name = browser.run("return document.querySelector('#review-files .file-name').textContent").await;
    assert_eq!(name, "A <b>bold<b> plan.pdf", "a name is text");
    finds_nothing_serious(&browser, "review").await;
    browser.picture("review").await;
    assert_eq!(server.get("/v1/tasks").await["tasks"], json!([]), "nothing begins before it is said");
    assert_eq!(llm.books().calls.len(), 0);

    browser.click("#review-files tbody tr:last-child .act button").await;
    browser.click("#review-start").await;
    browser.until("document.querySelector('.task .badge')?.textContent === 'Running'").await;
    browser.until("document.querySelectorAll('#review-files tbody tr').length === 1").await;
    browser.click("#review-cancel").await;
    browser.until("document.querySelector('.task .bar')?.getAttribute('aria-label').includes('1 done, 0 of them doubtful, 1 failed')").await;
    browser.settle().await;
    browser.picture("list-running").await;

    it_survives_restarts(&browser, &mut server, &llm).await;
    complains_of_nothing(
        &browser,
        &["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE", "ERR_CONNECTION_RESET", "ERR_EMPTY", "422"],
    )
    .await;
    browser.close().await;
}

async fn it_survives_restarts(browser: &Browser, server: &mut Server, llm: &FakeLlm) {
    // In mid-run: the page is loaded again, and the server is killed and comes back.
    browser.click(".task a").await;
    browser.until("document.getElementById('content').textContent === 'This page is not read yet.'").await;
    browser.run("location.reload()").await;
    browser
        .until("document.getElementById('task-state')?.textContent.startsWith('1 of 5 pages read · 1 failed')")
        .await;
    browser.until("document.querySelector('#picture img')").await;
    let address: String = server.url.rsplit(':').next().unwrap().to_owned();
    server.kill().await;
    browser.until("document.getElementById('connection').textContent.startsWith('The server cannot be reached')").await;
    finds_nothing_serious(browser, "server gone").await;
    browser.picture("gone").await;
    server.restart_at(&address).await;
    browser.until("document.getElementById('connection').textContent === ''").await;
    llm.open();
    browser.until("document.getElementById('task-badge').textContent === 'Completed'").await;
    browser.until("document.querySelector('#content h1')?.textContent === 'Page 1'").await;
    browser.press("\u{e014}").await;
    browser.until("document.querySelector('#content h1')?.textContent === 'Page 2'").await;
    browser.press("\u{e012}").await;
    browser.until("document.getElementById('page-number').value === '1'").await;

    // Of a task that has ended nothing is followed, and it heals all the same.
    server.kill().await;
    browser.click("#next").await;
    browser.until("document.getElementById('connection').textContent !== ''").await;
    server.restart_at(&address).await;
    browser.until("document.getElementById('connection').textContent === ''").await;
    browser.until("document.querySelector('#content h1')?.textContent === 'Page 2'").await;
}

#[tokio::test]
async fn the_list_is_searched_ordered_and_changed_in_bulk() {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Status(400, None)]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1/1"]).await;
    for (name, pages, options) in [
        ("beta.pdf", 3, "processor=text"),
        ("alpha.pdf", 1, "processor=text"),
        ("gamma.pdf", 4, "processor=llm"),
        ("alpha.pdf", 2, "processor=text&pages=1"),
    ] {
        let id = server.accepted(book(&format!("{name} {pages}"), pages), &format!("file_name={name}&{options}")).await;
        server.finished(&id).await;
    }
    let browser = Browser::open(1_440, 900, false).await;
    browser.go(&server.url).await;
    let shown = async |wanted: &str| {
        browser
            .until(&format!(
                "[...document.querySelectorAll('.task a')].map((name) => name.textContent[0]).join('') === '{wanted}'"
            ))
            .await;
    };
    shown("agab").await;
    assert_eq!(browser.run("return document.querySelectorAll('.task .bar:not([hidden])').length").await, 1);
    // The page asks for the currency and for the tasks at once.
    browser.until("document.querySelectorAll('.task .cost')[1].textContent.startsWith('$')").await;
    browser.click("[data-sort=name]").await;
    shown("aabg").await;
    browser.click("[data-sort=pages]").await;
    shown("aabg").await;
    browser.click("[data-sort=pages]").await;
    shown("gbaa").await;
    let way = browser.run("return document.querySelector('th.pages').getAttribute('aria-sort')").await;
    assert_eq!(way, "descending");
    browser.write("#search", "alp").await;
    shown("aa").await;
    browser.run("location.reload()").await;
    shown("aa").await;
    let asked = browser.run("return location.hash").await;
    assert_eq!(asked, "#/?sort=-pages&q=alp", "the address says what is shown");
    browser.click("#clear-filter").await;
    shown("gbaa").await;
    choose(&browser, "#filter", "failed_pages").await;
    shown("g").await;
    assert_eq!(browser.run("return document.querySelector('.task .badge').textContent").await, "1 failed");
    choose(&browser, "#filter", "cancelled").await;
    browser.until("!document.getElementById('none').hidden").await;
    browser.click("#clear-filter").await;
    shown("gbaa").await;

    an_archive_has_a_file_for_each(&browser).await;

    browser.click("[data-bulk=none]").await;
    browser.click(".task:nth-child(1) .pick input").await;
    browser.click(".task:nth-child(2) .pick input").await;
    browser.click("[data-bulk=delete]").await;
    browser.until("document.getElementById('confirm').open").await;
    finds_nothing_serious(&browser, "confirm").await;
    browser.click("#confirm [value=yes]").await;
    shown("aa").await;
    assert_eq!(server.get("/v1/tasks").await["tasks"].as_array().unwrap().len(), 2);

    an_equal_file_opens_its_task(&browser, &server).await;
    browser.click(".back").await;
    shown("aa").await;
    complains_of_nothing(&browser, &[]).await;
    browser.close().await;
}

/// Holds back what the page asks about the server's processors until `letGo()`.
const PROCESSORS_COME_LATE: &str = "
    const atOnce = window.fetch, late = new Promise((go) => { window.letGo = go; });
    window.fetch = async (address, ...more) => {
        if (String(address).includes('v1/processors')) await late;
        return atOnce.call(window, address, ...more);
    };";

#[tokio::test]
async fn costs_have_their_currency_also_where_it_is_known_after_them() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1/1"]).await;
    let id = server.accepted(book("late", 2), "processor=llm").await;
    server.finished(&id).await;
    let browser = Browser::open(1_440, 900, false).await;
    browser.before_pages(PROCESSORS_COME_LATE).await;
    let task = format!("{}/#/tasks/{id}", server.url);
    for (address, shown) in [(&server.url, "querySelector('.task .cost')"), (&task, "getElementById('task-state')")] {
        browser.go("about:blank").await;
        browser.go(address).await;
        let cost = format!("document.{shown}?.textContent");
        browser.until(&format!("{cost}?.includes('0.000')")).await;
        assert_eq!(browser.run(&format!("return {cost}.includes('$')")).await, false, "no currency is made up");
        browser.run("window.letGo()").await;
        browser.until(&format!("{cost}.includes('$0.000')")).await;
    }
    browser.close().await;
}

async fn an_archive_has_a_file_for_each(browser: &Browser) {
    // All as an archive, whose files have names of their own.
    browser.click("#pick-all").await;
    browser.until("document.getElementById('bulk-count').textContent === '4 selected'").await;
    finds_nothing_serious(browser, "selected").await;
    browser.picture("list-selected").await;
    browser
        .run("const make = URL.createObjectURL; URL.createObjectURL = (blob) => { window.kept = blob; return make(blob); }")
        .await;
    browser.click("[data-bulk=zip]").await;
    browser.until("window.kept").await;
    let archive = browser
        .run(
            "return new Promise((done) => { const reader = new FileReader(); reader.onload = () => done(reader.result);
            reader.readAsDataURL(window.kept); })",
        )
        .await;
    let bytes = STANDARD.decode(archive.as_str().unwrap().split_once(',').unwrap().1).unwrap();
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    files.sort();
    assert_eq!(files, ["alpha-2.md", "alpha.md", "beta.md", "gamma.md"]);
    let mut text = String::new();
    archive.by_name("beta.md").unwrap().read_to_string(&mut text).unwrap();
    assert!(text.contains("<!-- page 3 -->") && text.contains("beta.pdf 3 page 3"), "{text}");
}

async fn an_equal_file_opens_its_task(browser: &Browser, server: &Server) {
    // An equal file opens the task that is there.
    let folder = tempfile::tempdir().unwrap();
    browser.write("#files", &file(folder.path(), "other name.pdf", book("alpha.pdf 1", 1))).await;
    browser.until(READY).await;
    choose(browser, "[name=processor]", "text").await;
    browser.until(&format!("{READY} && document.querySelector('#review-files .num:nth-of-type(3)')")).await;
    browser.click("#review-start").await;
    browser.until("document.querySelector('.toast')?.textContent.includes('alpha.pdf was here already')").await;
    browser.until("document.getElementById('task-name').textContent === 'alpha.pdf'").await;
    assert_eq!(server.get("/v1/tasks").await["tasks"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_with_keys_asks_for_one_and_a_page_cannot_act() {
    let attack = "# Page\n\n<script>window.acted = 1</script><img src=x onerror='window.acted = 2'>\n\n\
                  [x](javascript:alert(1)) $\\href{javascript:window.acted = 3}{x}$";
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Text(attack, "stop")));
    let arguments = ["--api-key", "ann=ann-has-this-key", "--llm-base-url", &llm.url, "--llm-model", "m"];
    let server = Server::start(&arguments).await;
    let browser = Browser::open(1_280, 900, true).await;
    browser.go(&server.url).await;
    browser.until("document.getElementById('key-dialog').open").await;
    browser.write("#key", "a-wrong-key").await;
    browser.click("#key-dialog button").await;
    browser.until("document.getElementById('key-dialog').open && !document.getElementById('key-error').hidden").await;
    finds_nothing_serious(&browser, "key").await;
    browser.picture("key-dark").await;
    browser.write("#key", KEY).await;
    browser.click("#key-dialog button").await;
    browser.until("document.querySelector('#readers .scans')").await;
    let folder = tempfile::tempdir().unwrap();
    browser.write("#files", &file(folder.path(), "keyed.pdf", book("Keyed", 1))).await;
    browser.until(READY).await;
    choose(&browser, "[name=processor]", "llm").await;
    browser.until("document.getElementById('review-total').textContent.includes('1 call')").await;
    browser.click("#review-start").await;
    browser.until("document.querySelector('#content h1')").await;
    browser.until("document.querySelector('#picture img')").await;
    let shown = browser.run("return document.getElementById('content').textContent").await;
    assert!(shown.as_str().unwrap().contains("<script>window.acted = 1</script>"), "{shown}");
    assert_eq!(browser.run("return window.acted ?? null").await, Value::Null);
    assert_eq!(browser.run("return document.querySelector('#content a')").await, Value::Null);
    browser.click("#downloads summary").await;
    browser.click("[data-act=markdown]").await;
    complains_of_nothing(&browser, &["401"]).await;
    browser.close().await;
}

#[tokio::test]
async fn the_page_is_small_cached_and_held_to_its_policy() {
    let server = Server::start(&["--api-key", "ann=ann-has-this-key"]).await;
    let (mut due, mut seen, mut bytes) = (vec!["/".to_owned()], BTreeSet::new(), 0);
    while let Some(path) = due.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let response = server.request("GET", &path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(response.headers()["x-content-type-options"], "nosniff");
        let tag = response.headers()["etag"].clone();
        let text = response.text().await.unwrap();
        assert!(!text.contains("https://") && !text.contains("onclick=\""), "{path} needs no other server");
        for quoted in text.split('"').filter(|quoted| path != "/ui/icon.svg" && quoted.len() < 40) {
            assert!(!quoted.starts_with("/v1") && !quoted.starts_with("/ui"), "{path} asks for {quoted} at the root");
            let linked = quoted.strip_prefix("./").or(quoted.strip_prefix("ui/"));
            let linked =
                linked.filter(|name| name.contains('.') && *name != "sample.pdf").map(|name| format!("/ui/{name}"));
            due.extend(linked);
        }
        bytes += text.len();
        let again = server.request("GET", &path).header("if-none-match", tag).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
    assert!(seen.len() > 15 && seen.contains("/ui/diff.js") && seen.contains("/ui/content.css"), "{seen:?}");
    assert!(bytes < 130_000, "{bytes}");
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
    browser.click(".task .act button").await;
    browser.until("document.querySelector('.badge').textContent === 'Cancelled'").await;
    llm.open();
    browser.until("document.querySelectorAll('.badge.done').length === 8").await;
    browser.close().await;
}
