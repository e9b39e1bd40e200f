//! Under what pages are kept, and when they are read again.

use std::collections::HashSet;

use bindery::internal::{LedgerScope, PageKey, RecipeHash, Steps};
use bindery::processor::{LlmOptions, LlmProcessor, Processor, TextProcessor};
use bindery::task::TaskOptions;
use serde_json::Value;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, book_with_text};
use crate::support::server::Server;

fn options(chosen: &[(&str, &str)]) -> TaskOptions {
    let mut options = TaskOptions::default();
    chosen.iter().for_each(|(name, value)| options.set(name, value).unwrap());
    options
}

#[test]
fn what_decides_an_answer_is_part_of_its_key() {
    let base_url = "http://127.0.0.1:9/v1".to_owned();
    let llm = LlmProcessor::new(LlmOptions::new(base_url, "m")).unwrap();
    let key = |recipe: &&Value| PageKey::of_content(&LedgerScope::SHARED, &[7; 32], RecipeHash::of(recipe));
    let all = |chosen: &[(&str, &str)]| {
        let steps = Steps::new(llm.steps(&options(chosen), None)).unwrap();
        steps.recipes().iter().map(key).collect::<Vec<_>>()
    };
    let usual = all(&[]);
    assert_ne!(usual[0], usual[1]);
    assert!(!usual.contains(&key(&&TextProcessor.steps(&TaskOptions::default(), None)[0].recipe)));
    for chosen in [
        ("model", "other"),
        ("prompt", "Read."),
        ("prompt", "Read page {page}."),
        ("input", "text"),
        ("input", "image+text"),
        ("image_side", "640"),
    ] {
        let differing: HashSet<PageKey> = all(&[chosen]).into_iter().chain(usual.clone()).collect();
        assert_eq!(differing.len(), 4, "{chosen:?}");
    }
    let other_fallback = all(&[("fallback", "text")]);
    assert!(other_fallback[0] == usual[0] && other_fallback[1] != usual[1]);
    // What only says how pages are fetched, paid or joined does not.
    for chosen in [
        ("page_separator", "--"),
        ("timeout", "9"),
        ("priority", "3"),
        ("pages", "2-3"),
        ("keep_headers", "true"),
        ("tables", "html"),
        ("seams", "true"),
        ("front_matter", "true"),
    ] {
        assert_eq!(all(&[chosen]), usual, "{chosen:?}");
    }
}

/// The same words on the pages `numbers` of a book.
fn same_words(pages: u32, numbers: &[u32]) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book("Numbered", pages)).unwrap();
    let found = document.get_pages();
    for number in numbers {
        let content = b"BT /F1 12 Tf 72 720 Td (the same words) Tj ET".to_vec();
        document.change_page_content(found[number], content).unwrap();
    }
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_page_whose_prompt_names_its_number_is_reused_at_that_number_only() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    for (prompt, pdf, calls, reused) in [
        ("Read", same_words(1, &[1]), 1, 0),
        ("Read", same_words(2, &[2]), 1, 1),
        ("Read {page}", same_words(1, &[1]), 1, 0),
        ("Read {page}", same_words(2, &[2]), 2, 0),
        ("Read {page}", same_words(3, &[1, 2]), 1, 2),
    ] {
        let id = server.accepted(pdf, &format!("processor=llm&reuse=false&prompt={}", prompt.replace(' ', "+"))).await;
        let task = server.finished(&id).await;
        let usage = (&task["usage"]["calls"], &task["usage"]["reused"]);
        assert_eq!(usage, (&calls.into(), &reused.into()), "{prompt}: {task}");
    }
    assert!(llm.books().asked.iter().any(|asked| asked.system == "Read 2"));
}

const STRAYING: Answer = Answer::Text("# Something else\n\nNothing that stands on this page.", "stop");

async fn strays(server: &Server, id: &str, page: usize) -> bool {
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    pages["pages"][page - 1]["checks"]["unfaithful"] == true
}

#[tokio::test]
async fn a_retry_that_is_resumed_does_not_pay_again_for_a_page_that_strays() {
    let script = Script::default().page(2, [STRAYING]).page(3, [Answer::Refuse(400, "content policy"), Answer::Hold]);
    let llm = FakeLlm::start(script);
    let mut server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book_with_text("Resumed", 3, 2), "processor=llm").await;
    assert_eq!(server.finished(&id).await["pages"]["failed"], 1);
    assert_eq!(llm.calls_for(2), 2);

    assert_eq!(server.ask("POST", &format!("/v1/tasks/{id}/retry")).await.0, 202);
    llm.until(|books| books.calls_by_page.get(&2) == Some(&4) && books.held == 1).await;
    while !strays(&server, &id, 2).await {
        server.get(&format!("/v1/tasks/{id}?wait=1")).await;
    }
    server.kill().await;
    server.restart().await;
    llm.open();
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &3.into()), "{task}");
    assert!(strays(&server, &id, 2).await);
    assert_eq!((llm.calls_for(1), llm.calls_for(2)), (1, 4), "{:?}", llm.books().calls);
}

#[tokio::test]
async fn a_retry_reads_a_page_again_that_strays_and_no_other() {
    const TRUE: &str = "line of words about nothing in particular";
    // Twice for the first time, twice after the first retry; then the page is read as it is.
    let lines: Vec<String> = (0..20).map(|line| format!("line {line}{}", &TRUE[4..])).collect();
    let good = Answer::Text(Box::leak(lines.join("\n").into_boxed_str()), "stop");
    let answers = [STRAYING, STRAYING, STRAYING, STRAYING, good];
    let llm = FakeLlm::start(Script::default().page(2, answers));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let pdf = book_with_text("Straying", 3, 2);
    let id = server.accepted(pdf.clone(), "processor=llm").await;
    server.finished(&id).await;
    let unfaithful = async |id: &str| strays(&server, id, 2).await;
    assert!(unfaithful(&id).await);
    assert_eq!(llm.books().calls.len(), 4, "{:?}", llm.books().calls);

    // Another task has it with what was found against it.
    let other = server.accepted(pdf.clone(), "processor=llm&reuse=false").await;
    assert_eq!(server.finished(&other).await["usage"]["reused"], 3);
    assert!(unfaithful(&other).await);

    for (retry, expected, strays) in [(1, 6, true), (2, 7, false), (3, 7, false)] {
        assert_eq!(server.ask("POST", &format!("/v1/tasks/{id}/retry")).await.0, 202);
        let task = server.finished(&id).await;
        assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &3.into()), "{task}");
        assert_eq!(llm.books().calls.len(), expected, "retry {retry}: {:?}", llm.books().calls);
        assert_eq!(unfaithful(&id).await, strays, "retry {retry}");
    }
    let later = server.accepted(pdf, "processor=llm&reuse=false").await;
    server.finished(&later).await;
    assert!(!unfaithful(&later).await, "the good page takes the place of the other one");
}
