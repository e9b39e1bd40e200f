//! The web page in a real browser: one task, page by page.

use serde_json::{Value, json};

use crate::page::complains_of_nothing;
use crate::support::axe::finds_nothing_serious;
use crate::support::browser::Browser;
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, book_with_text, unread};
use crate::support::server::Server;
use crate::support::soon;

/// What models write that is more than words.
const RICH: &str = "# Report\n\nIt grew by $x^2$ and $\\nosuch{x}$.\n\n| Region | Q1 |\n|---|---|\n| North | 12.4 |\n| South | 8 |\n\n\
    <table><tr><th rowspan=\"2\">Region</th><th colspan=\"2\">2026</th></tr><tr><td>H1</td><td>H2</td></tr>\
    <tr><td>North</td><td>1</td><td>2</td></tr></table>\n\n$$\\frac{1}{2}$$";

const CONTENT: &str = "document.getElementById('content').textContent";

async fn page_is(browser: &Browser, page: u32) {
    browser.until(&format!("document.getElementById('page-number').value === '{page}'")).await;
}

#[tokio::test]
async fn a_page_is_shown_in_four_views_and_read_again() {
    let stray = || Answer::Text("# Something else\n\nNothing that stands on this page.", "stop");
    let script = Script::default()
        .page(1, [Answer::Text(RICH, "stop")])
        .page(2, [stray(), stray()])
        .page(5, [Answer::Refuse(400, "the GPU fell over"), Answer::Ok])
        .page(7, [Answer::Refuse(400, "the GPU fell over again"), Answer::Ok]);
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1/1"]).await;
    let id = server.accepted(book_with_text("Views", 9, 2), "processor=llm&file_name=views.pdf").await;
    server.finished(&id).await;
    let browser = Browser::open(1_440, 900, false).await;
    browser.go(&format!("{}/#/tasks/{id}", server.url)).await;
    browser.until("document.getElementById('task-badge').textContent === '2 failed'").await;

    // Rendered: formulas, cells that span, numbers in columns.
    browser.until("document.querySelector('#content math[display=block] mfrac')").await;
    let shown = "const content = document.getElementById('content');
        return [content.querySelector('math msup') !== null, content.querySelector('code.math').textContent,
            content.querySelector('thead th[rowspan=\"2\"]').textContent, content.querySelectorAll('thead tr').length,
            content.querySelectorAll('td.number').length, content.querySelector('[style]')]";
    assert_eq!(browser.run(shown).await, json!([true, "$\\nosuch{x}$", "Region", 3, 2, null]));
    let by = browser.run("return document.querySelector('#provenance .by')?.textContent").await;
    assert_eq!(by, "llm · fake-model", "as the endpoint names it");
    finds_nothing_serious(&browser, "rendered").await;

    // Pages that failed and that are doubtful have ways of their own.
    browser.until("document.getElementById('next-failed').textContent === 'Next failed (2)'").await;
    browser.click("#next-failed").await;
    page_is(&browser, 5).await;
    browser.until(&format!("{CONTENT}.includes('the GPU fell over')")).await;
    browser.click("#next-failed").await;
    page_is(&browser, 7).await;
    browser.click("#next-doubtful").await;
    page_is(&browser, 2).await;
    browser.until("document.getElementById('doubts').textContent.startsWith('unfaithful')").await;

    other_views_the_bar_and_zoom(&browser, &id).await;

    // What failed is read again; one page also by another processor, as a task of its own.
    browser.click("[data-act=retry]").await;
    browser.until("document.getElementById('task-badge').textContent === '1 doubtful'").await;
    browser.run(&format!("location.hash = '#/tasks/{id}/2'")).await;
    browser.until("document.getElementById('doubts').textContent.startsWith('unfaithful')").await;
    browser.click("#again summary").await;
    browser
        .until("[...document.querySelectorAll('#again-processor option')].some(({ value }) => value === 'text')")
        .await;
    browser.run("const way = document.getElementById('again-processor'); way.value = 'text'; way.dispatchEvent(new Event('change'))").await;
    finds_nothing_serious(&browser, "read again").await;
    browser.picture("task-again").await;
    browser.click("#again form button").await;
    browser.until("document.querySelector('.toast')?.textContent.includes('Page 2 of views.pdf, read by text')").await;
    browser.until("document.getElementById('page-count').textContent === 'of 2'").await;
    browser.until(&format!("{CONTENT}.includes('line 7 of words about nothing')")).await;
    browser.click("#tab-diff").await;
    browser.until(&format!("{CONTENT} === 'Word by word the same as the text layer.'")).await;
    browser.click(".toast .small").await;
    browser.until(&format!("location.hash === '#/tasks/{id}/2'")).await;

    browser.click("[data-act=delete]").await;
    browser.click("#confirm [value=yes]").await;
    browser.until("document.querySelectorAll('.task').length === 1").await;
    assert_eq!(server.ask("GET", &format!("/v1/tasks/{id}")).await.0, 404);
    complains_of_nothing(&browser, &[]).await;
    browser.close().await;
}

async fn other_views_the_bar_and_zoom(browser: &Browser, id: &str) {
    // The other views, which stand in the address.
    browser.click("#tab-source").await;
    browser.until(&format!("{CONTENT}.startsWith('# Something else')")).await;
    finds_nothing_serious(browser, "source").await;
    browser.press("\u{e014}").await;
    browser.until(&format!("{CONTENT}.startsWith('line 0 of words about nothing')")).await;
    assert_eq!(browser.run("return location.hash").await, format!("#/tasks/{id}/2?view=layer"));
    finds_nothing_serious(browser, "text layer").await;
    browser.click("#tab-diff").await;
    browser.until("document.querySelector('#content ins')?.textContent.endsWith('only in what was read')").await;
    assert!(browser.run(&format!("return {CONTENT}")).await.as_str().unwrap().contains("Something else"));
    finds_nothing_serious(browser, "diff").await;
    browser.run("location.reload()").await;
    browser.until("document.querySelector('#tab-diff')?.getAttribute('aria-selected') === 'true' && document.querySelector('#content del')").await;

    // The bar is a control with words of its own.
    browser.run("document.getElementById('task-bar').focus()").await;
    let words = "document.getElementById('task-bar').getAttribute('aria-valuetext')";
    browser.until(&format!("{words} === 'Page 2 of 9, doubtful'")).await;
    browser.press("\u{e010}").await;
    browser.until(&format!("{words} === 'Page 9 of 9, done'")).await;
    browser.press("\u{e012}").await;
    browser.press("\u{e012}").await;
    browser.until(&format!("{words} === 'Page 7 of 9, failed'")).await;

    // Zoomed in, both panels scroll together.
    browser.click("#tab-layer").await;
    browser.run("location.hash = location.hash.replace('/7', '/2')").await;
    browser.until("document.querySelector('#picture img')?.alt.startsWith('Page 2')").await;
    browser.until("document.querySelector('#content pre')?.textContent.startsWith('line 0 of words')").await;
    browser.click("[data-zoom=in]").await;
    browser.click("[data-zoom=in]").await;
    browser.until("document.getElementById('zoom-now').textContent === '200 %'").await;
    browser
        .run(
            "document.querySelector('#content pre').style.fontSize = '60px'; const picture = document.getElementById('picture');
            picture.scrollTop = picture.scrollHeight",
        )
        .await;
    browser.until("document.getElementById('content').scrollTop > 100").await;
}

#[tokio::test]
async fn a_task_that_has_spent_its_budget_continues_with_another() {
    let llm = FakeLlm::start(Script::default());
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1000/1000"];
    let server = Server::start(&arguments).await;
    let id = server.accepted(book("Dear", 12), "processor=llm&max_cost=1").await;
    assert_eq!(server.finished(&id).await["error"]["code"], "budget_exhausted");
    let browser = Browser::open(390, 844, false).await;
    browser.go(&format!("{}/#/tasks/{id}", server.url)).await;
    browser
        .until("!document.getElementById('raise').hidden && Number(document.getElementById('limit').value) > 1")
        .await;
    browser.until("document.getElementById('limit-unit').textContent === 'USD'").await;
    assert_eq!(browser.run("return document.querySelector('[data-act=retry]').hidden").await, true, "one way to do it");
    finds_nothing_serious(&browser, "over budget").await;
    browser.settle().await;
    browser.picture("budget-phone").await;
    browser.click("#raise button").await;
    browser.until("document.getElementById('task-badge').textContent === 'Completed'").await;
    browser.until("document.getElementById('task-error').hidden").await;
    complains_of_nothing(&browser, &[]).await;
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

/// Waits until the bar has, or has not, that colour: it is drawn with the next frame.
async fn coloured(browser: &Browser, bar: &str, colour: &str, is: bool) {
    soon("the bar to be drawn", async { while (pixels(browser, bar, colour).await > 20) != is {} }).await;
}

#[tokio::test]
async fn pages_that_were_not_read_or_are_not_to_be_trusted_are_seen_at_any_size() {
    let stray = || Answer::Text("# Something else\n\nNothing that stands on this page.", "stop");
    let script = Script::default().page(2, [stray(), stray()]).page(3, [Answer::Status(400, None)]);
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let sound = server.accepted(book("Sound", 9), "processor=text&file_name=sound.pdf").await;
    let stray =
        server.accepted(book_with_text("Stray", 9, 2), "processor=llm&file_name=a letter that strays.pdf").await;
    let long = format!("{}.pdf", "scanned-annexes-without-any-space-".repeat(6));
    let scans = server.accepted(unread("Scans"), &format!("processor=text&file_name={long}")).await;
    for id in [&sound, &stray, &scans] {
        server.finished(id).await;
    }
    let browser = Browser::open(1_440, 900, false).await;
    for (width, dark) in [(1_440, false), (1_440, true), (820, false), (820, true), (390, false), (390, true)] {
        browser.shape(width, 900, dark).await;
        let scheme = if dark { "dark" } else { "light" };
        let look = async |of: &str| {
            browser.settle().await;
            browser.picture(&format!("{of}-{width}-{scheme}")).await;
            finds_nothing_serious(&browser, &format!("{of} {width} {scheme}")).await;
            let wide = browser.run("return document.documentElement.scrollWidth > innerWidth").await;
            assert_eq!(wide, Value::Bool(false), "{of}: nothing runs out of a window of {width}");
        };
        browser.go(&format!("{}/#/", server.url)).await;
        browser.until("document.querySelectorAll('.task').length === 3").await;
        let badges = "return [...document.querySelectorAll('.badge')].slice(0, 3).map((badge) => badge.textContent)";
        assert_eq!(browser.run(badges).await, json!(["5 doubtful", "1 failed", "Completed"]));
        coloured(&browser, ".task:first-child .bar", "--doubt", true).await;
        assert_eq!(browser.run("return document.querySelector('.task:last-child .bar').hidden").await, true);
        look("list").await;

        browser.click(".task a").await;
        browser.until("!document.getElementById('next-doubtful').hidden").await;
        browser.click("#next-doubtful").await;
        browser.until("document.querySelector('#content .doubt')?.textContent === 'This page was not read.'").await;
        browser
            .until(
                "document.getElementById('doubts').textContent === 'no_text_layer no text layer; needs OCR or a model'",
            )
            .await;
        browser.until("document.querySelector('#picture img')").await;
        coloured(&browser, "#task-bar", "--doubt", true).await;
        coloured(&browser, "#task-bar", "--failed", false).await;
        look("unread").await;

        browser.run(&format!("location.hash = '#/tasks/{stray}/2'")).await;
        browser.until("document.getElementById('doubts').textContent.startsWith('unfaithful')").await;
        browser.until("document.querySelector('#picture img')").await;
        coloured(&browser, "#task-bar", "--failed", true).await;
        look("unfaithful").await;
        browser.click("#next-failed").await;
        browser.until("document.querySelector('#content .error')").await;
        look("failed").await;
    }
    // The test reads the bar back.
    complains_of_nothing(&browser, &["willReadFrequently"]).await;
    browser.close().await;
}

/// A real run to look at; the README's picture is of it.
#[tokio::test]
async fn the_sample_is_offered_read_and_shown() {
    let server = Server::start(&[]).await;
    let browser = Browser::open(1_280, 800, false).await;
    browser.go(&server.url).await;
    browser.click("#sample").await;
    browser.until("document.getElementById('review-total').textContent === '12 pages · free'").await;
    browser.click("#review-start").await;
    browser.until("document.getElementById('task-badge').textContent === 'Completed'").await;
    browser.until("document.querySelector('#content h1, #content h2')").await;
    browser.run("location.hash = location.hash.replace(/\\d+$/, '10')").await;
    browser.until("document.querySelector('#content table td.number')").await;
    browser.until("document.querySelector('#picture img')?.alt.startsWith('Page 10')").await;
    browser.settle().await;
    browser.picture("web-page").await;
    complains_of_nothing(&browser, &[]).await;
    browser.close().await;
}
