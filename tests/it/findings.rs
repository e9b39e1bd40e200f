//! What is known against a page stands on it, is counted, and is said wherever the task is shown.

use serde_json::{Value, json};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{self, book, book_with_text};
use crate::support::server::{Server, bindery, run, told};
use crate::support::{file, soon};

/// Page numbers and the codes of their findings.
fn codes(pages: &Value) -> Vec<(u64, Vec<&str>)> {
    let mut found = Vec::new();
    for page in pages.as_array().unwrap() {
        let findings = page["findings"].as_array().unwrap();
        assert!(findings.iter().all(|finding| !finding["detail"].as_str().unwrap().is_empty()), "{page}");
        let codes = findings.iter().map(|finding| finding["code"].as_str().unwrap()).collect();
        found.push((page["page"].as_u64().unwrap(), codes));
    }
    found
}

#[tokio::test]
async fn i13_a_page_that_nothing_could_read_is_said_to_be_unread() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = file(dir.path(), "mixed.pdf", pdf::unread("Unread"));
    let (code, text, err) = told(run(dir.path(), ["convert", &pdf]).await);
    assert_eq!(code, 3, "{err}");
    let marker = |page: u32| format!("<!-- page {page}: not read: no text layer; needs OCR or a model -->");
    let unread: Vec<u32> = (1..=8).filter(|page| text.contains(&marker(*page))).collect();
    assert_eq!(unread, [2, 3, 8], "{text}");
    assert_eq!(text.matches("not read").count(), 3, "{text}");
    assert!(text.contains("Unread page 1") && text.contains("Annex 3"), "{text}");
    let expected = format!(
        "bindery: {pdf}: 5 pages doubtful (3 no_text_layer, 1 unreadable_text, 1 unread_picture); the result marks them\n"
    );
    let helps = "bindery models install --from";
    assert!(err.starts_with(&expected) && err[expected.len()..].contains(helps) && err.lines().count() == 2, "{err}");

    // The same from the ledger, as JSON; and what is sound makes no noise, however strictly it is asked for.
    let (code, json, err) = told(run(dir.path(), ["convert", &pdf, "--json"]).await);
    let pages: Value = serde_json::from_str(&json).unwrap();
    let found = [
        (1, vec![]),
        (2, vec!["no_text_layer"]),
        (3, vec!["no_text_layer"]),
        (4, vec![]),
        (5, vec![]),
        (6, vec!["unreadable_text"]),
        (7, vec!["unread_picture"]),
        (8, vec!["no_text_layer"]),
    ];
    assert_eq!((code, codes(&pages)), (3, found.to_vec()), "{err}");
    assert!(pages.as_array().unwrap().iter().all(|page| page["status"] == "done"), "{json}");
    for (chosen, strict, expected) in
        [("1,4,5", true, 0), ("6", false, 0), ("7", true, 3), ("6-7", true, 3), ("8", false, 3)]
    {
        let arguments = ["convert", &pdf, "--pages", chosen].into_iter().chain(strict.then_some("--strict"));
        let (code, _, err) = told(run(dir.path(), arguments).await);
        assert_eq!((code, err.is_empty()), (expected, chosen == "1,4,5"), "{chosen} {strict}: {err}");
    }
    let all = file(dir.path(), "sound.pdf", book("Sound", 2));
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let (code, _, err) = told(run(dir.path(), ["convert", &pdf, &all, "--out-dir", out]).await);
    assert!(code == 3 && err.contains("bindery: 2 files: 1 done, 1 with unread pages\n"), "{err}");
}

#[tokio::test]
async fn what_was_not_read_for_want_of_a_model_is_read_with_one() {
    let llm = FakeLlm::start(Script::default());
    let dir = tempfile::tempdir().unwrap();
    let pdf = file(dir.path(), "mixed.pdf", pdf::unread("Wanted"));
    assert_eq!(told(run(dir.path(), ["convert", &pdf]).await).0, 3);
    let models = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let arguments = [&["convert", &pdf, "--json", "--strict", "--input", "image"][..], &models].concat();
    let (code, json, err) = told(run(dir.path(), &arguments).await);
    // Of a receipt full of print the model says five words.
    assert!(code == 3 && err.contains("1 page doubtful (1 unsure)"), "{code} {err}");
    let mut asked = llm.books().calls;
    asked.sort_unstable();
    // Blanks alone are no text either.
    assert_eq!(asked, [2, 3, 6, 7, 8]);
    let pages: Value = serde_json::from_str(&json).unwrap();
    let found = codes(&pages);
    let expected = |page: u64| if page == 7 { vec!["unsure"] } else { vec![] };
    assert!(found.iter().all(|(page, codes)| *codes == expected(*page)), "{json}");
    assert_eq!(pages[7]["checks"]["route"], "no text layer");
}

#[tokio::test]
async fn a_model_that_is_given_text_alone_does_not_read_a_scan() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    for processor in ["llm", "auto"] {
        let id = server.accepted(pdf::unread("Blind"), &format!("processor={processor}&input=text")).await;
        let task = server.finished(&id).await;
        assert_eq!((&task["status"], &task["findings"]["no_text_layer"]), (&"completed".into(), &3.into()), "{task}");
        let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
        assert_eq!(codes(&pages["pages"])[1], (2, vec!["no_text_layer"]), "{pages}");
    }
    assert!(llm.books().calls.iter().all(|page| ![2, 3, 4, 5, 8].contains(page)), "{:?}", llm.books().calls);
}

#[tokio::test]
async fn a_server_counts_doubtful_pages_and_finds_their_tasks() {
    let stray = || Answer::Text("# Something else\n\nNothing that stands on this page.", "stop");
    let script = Script::default().page(2, [stray(), stray()]).page(3, [Answer::Status(400, None)]);
    let llm = FakeLlm::start(script);
    let mut server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let sound = server.accepted(book("Sound", 2), "processor=text&file_name=sound.pdf").await;
    let scans = server.accepted(pdf::unread("Scans"), "processor=text&file_name=scans.pdf").await;
    let stray = server.accepted(book_with_text("Stray", 3, 2), "processor=llm&file_name=stray.pdf").await;
    let mut tasks = Vec::new();
    for id in [&sound, &scans, &stray] {
        tasks.push(server.finished(id).await);
    }
    for (task, doubtful, failed, findings) in [
        (&tasks[0], 0, 0, json!({})),
        (&tasks[1], 5, 0, json!({ "no_text_layer": 3, "unreadable_text": 1, "unread_picture": 1 })),
        (&tasks[2], 1, 1, json!({ "unfaithful": 1 })),
    ] {
        assert_eq!(task["pages"]["doubtful"], doubtful, "{task}");
        assert_eq!((&task["pages"]["failed"], &task["findings"]), (&failed.into(), &findings), "{task}");
    }
    let pages = server.get(&format!("/v1/tasks/{stray}/pages")).await;
    assert_eq!(codes(&pages["pages"])[1], (2, vec!["unfaithful"]), "{pages}");
    assert_eq!(pages["pages"][1]["checks"]["unfaithful"], true);

    for restarted in [false, true] {
        for (query, expected) in [
            ("doubtful=true", vec![&stray, &scans]),
            ("failed_pages=true", vec![&stray]),
            ("doubtful=true&failed_pages=true&status=completed", vec![&stray]),
            ("doubtful=false", vec![&stray, &scans, &sound]),
        ] {
            let list = server.get(&format!("/v1/tasks?{query}")).await;
            let ids: Vec<_> =
                list["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap()).collect();
            assert_eq!(ids, expected, "{query} {restarted}");
        }
        server.kill().await;
        server.restart().await;
    }
    assert_eq!(server.ask("GET", "/v1/tasks?doubtful=perhaps").await.0, 422);

    let dir = tempfile::tempdir().unwrap();
    let ask = async |arguments: &[&str]| {
        let mut command = bindery(dir.path());
        command.env("BINDERY_SERVER", &server.url).args(arguments);
        told(soon("the command to end", command.output()).await.unwrap())
    };
    let (_, list, _) = ask(&["list", "--doubtful"]).await;
    let rows: Vec<&str> = list.lines().skip(1).collect();
    assert!(rows[0].ends_with("stray.pdf (1 page failed, 1 doubtful (1 unfaithful))"), "{list}");
    let found = "3 no_text_layer, 1 unreadable_text, 1 unread_picture";
    assert!(rows[1].ends_with(&format!("scans.pdf (5 pages doubtful ({found}))")) && rows.len() == 2, "{list}");
    let (code, shown, _) = ask(&["status", &scans]).await;
    assert!(code == 3 && shown.contains(&format!("5 pages doubtful ({found})")), "{shown}");
    let pdf = file(dir.path(), "scans.pdf", pdf::unread("Scans"));
    let (code, _, err) = ask(&["submit", &pdf, "--processor", "text", "--pages", "7", "--wait", "--strict"]).await;
    assert!(code == 3 && err.contains("1 page doubtful (1 unread_picture); --json says which and why"), "{err}");
}

#[tokio::test]
async fn a_page_with_something_on_it_that_a_model_calls_empty_is_not_a_blank_one() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Text("[empty page]", "stop")));
    let dir = tempfile::tempdir().unwrap();
    let pdf = file(dir.path(), "mixed.pdf", pdf::unread("Denied"));
    let models = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-input", "image"];
    // Page 5 is white, page 7 has print on it.
    let arguments = [&["convert", &pdf, "--processor", "llm", "--pages", "5,7"][..], &models].concat();
    let (code, text, err) = told(run(dir.path(), &arguments).await);
    let expected = "<!-- page 5 -->\n\n<!-- page 7 -->\n\n<!-- page 7: not read: the model says that it is empty, but it shows something -->\n";
    assert_eq!((code, text.as_str()), (3, expected), "{err}");
    assert!(err.contains("1 no_text_layer"), "{err}");
}
