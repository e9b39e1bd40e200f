//! `bindery convert`, as a person would use it.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::{book, headed};
use crate::support::server::{bindery, files, run, signal};
use crate::support::{soon, until};

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf")
}

#[tokio::test]
async fn the_readme_command() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.md");
    let done = run(dir.path(), ["convert".as_ref(), sample().as_os_str(), "-o".as_ref(), out.as_os_str()]).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.stdout.is_empty() && done.stderr.is_empty());
    let text = std::fs::read_to_string(out).unwrap();
    assert!(text.starts_with("<!-- page 1 -->\n\n# The Small Book of Binding\n\n"));
    let markers = text.lines().filter(|line| line.starts_with("<!-- page ")).count();
    assert_eq!(markers, 12);
    assert!(text.contains("# 3 Sewing\n\nThe sections are sewn one to the next, through the fold,"));
    // Two columns, in reading order.
    let (left, right) = (text.find("A book begins as sheets").unwrap(), text.rfind("After sewing the back").unwrap());
    assert!(left < right);
}

#[tokio::test]
async fn stdout_has_the_markdown_alone_and_json_on_request() {
    let dir = tempfile::tempdir().unwrap();
    let file = sample();
    let file = file.to_str().unwrap();
    let done = run(dir.path(), ["convert", file, "--pages", "r1", "--page-separator", ""]).await;
    let expected = "# Colophon\n\nMade by make\\_sample.py.";
    let text = String::from_utf8(done.stdout).unwrap().replace("make_sample", "make\\_sample");
    assert!(text.starts_with(expected), "{text}");
    let done = run(dir.path(), ["convert", file, "--json", "--pages", "1-2"]).await;
    let pages: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(pages.as_array().unwrap().len(), 2);
    assert_eq!(pages[1]["page"], 2);
}

#[tokio::test]
async fn exit_codes_and_errors() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.pdf");
    std::fs::write(&bad, b"no pdf").unwrap();
    let (bad, good) = (bad.to_str().unwrap(), sample());
    let good = good.to_str().unwrap();
    let out = dir.path().join("x");
    let out = out.to_str().unwrap();
    for (arguments, code, error) in [
        (&["convert", bad][..], 1, "is not a PDF"),
        (&["convert", "https://example.invalid/a.pdf"], 2, "download it first"),
        (&["convert", "/no/such.pdf"], 1, "/no/such.pdf: there is no such file"),
        (&["convert", good, "--pages", "13"], 1, "12 pages"),
        (&["convert", good, "--processor", "llm"], 2, "BINDERY_LLM_BASE_URL"),
        (&["convert", good, "--priority", "99"], 2, "-10 to 10"),
        (&["convert", good, good, "-o", out], 2, "--out-dir"),
        (&["convert", good, "--listen", "127.0.0.1:1"], 2, "--listen is an option of serve"),
        (&["convert"], 2, "required"),
        (&["bind"], 2, "unrecognized"),
        (&["serve", "--store", "mysql://"], 2, "redis://"),
    ] {
        let done = run(dir.path(), arguments).await;
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(error), "{arguments:?}: {said}");
        assert!(done.stdout.is_empty());
        if code == 1 {
            assert_eq!(said.trim().lines().count(), 1, "{said}");
        }
    }
    assert!(!Path::new(out).exists(), "what is refused writes nothing");
}

#[tokio::test]
async fn one_bad_file_does_not_stop_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let bad = dir.path().join("bad.pdf");
    std::fs::write(&bad, b"no pdf").unwrap();
    let done = run(
        dir.path(),
        ["convert", bad.to_str().unwrap(), sample().to_str().unwrap(), "--out-dir", out.to_str().unwrap()],
    )
    .await;
    assert_eq!(done.status.code(), Some(1));
    assert_eq!(files(&out), ["sample.md"]);
}

#[tokio::test]
async fn a_folder_keeps_its_names_and_is_not_done_twice() {
    let dir = tempfile::tempdir().unwrap();
    let (library, out) = (dir.path().join("library"), dir.path().join("out"));
    std::fs::create_dir_all(library.join("deep/er")).unwrap();
    for (name, title) in [("a.pdf", "A"), ("deep/a.b.PDF", "B"), ("deep/er/c.pdf", "C")] {
        std::fs::write(library.join(name), book(title, 2)).unwrap();
    }
    std::fs::write(library.join("broken.pdf"), b"no pdf").unwrap();
    std::fs::write(library.join("notes.txt"), b"no pdf either").unwrap();
    std::os::unix::fs::symlink(&library, library.join("deep/round")).unwrap();
    let arguments = ["convert", library.to_str().unwrap(), "--out-dir", out.to_str().unwrap()];
    let done = run(dir.path(), arguments).await;
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert_eq!(files(&out), [".bindery-done", "a.md", "deep/a.b.md", "deep/er/c.md"]);
    assert!(said.contains("broken.pdf: ") && said.ends_with("bindery: 4 files: 3 done, 1 failed\n"), "{said}");
    std::fs::write(out.join("a.md"), b"mine").unwrap();
    let again = run(dir.path(), arguments).await;
    assert!(String::from_utf8(again.stderr).unwrap().ends_with("bindery: 4 files: 3 done before, 1 failed\n"));
    assert_eq!(std::fs::read(out.join("a.md")).unwrap(), b"mine", "what is there is not touched");
    let all = run(dir.path(), [&arguments[..], &["--again"]].concat()).await;
    assert!(String::from_utf8(all.stderr).unwrap().ends_with("bindery: 4 files: 3 done, 1 failed\n"));
    assert!(std::fs::read_to_string(out.join("a.md")).unwrap().contains("A page 1"));
    // Of other options nothing is there yet; what has failed pages is done again.
    let first = run(dir.path(), [&arguments[..], &["--pages", "1"]].concat()).await;
    assert!(String::from_utf8(first.stderr).unwrap().ends_with("bindery: 4 files: 3 done, 1 failed\n"));
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Status(400, None)]));
    let endpoint = ["--processor", "llm", "--llm-base-url", &llm.url, "--llm-model", "m"];
    for _ in 0..2 {
        let failing = run(dir.path(), [&arguments[..], &endpoint].concat()).await;
        let said = String::from_utf8(failing.stderr).unwrap();
        assert!(said.ends_with("bindery: 4 files: 3 with failed pages, 1 failed\n"), "{said}");
    }
    let nowhere = run(dir.path(), ["convert", library.to_str().unwrap()]).await;
    assert_eq!(nowhere.status.code(), Some(2));
}

#[tokio::test]
async fn failed_pages_are_marked_and_told_by_the_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("b.pdf");
    std::fs::write(&pdf, book("Fail", 3)).unwrap();
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Status(400, None)]));
    let arguments =
        ["convert", pdf.to_str().unwrap(), "--processor", "llm", "--llm-base-url", &llm.url, "--llm-model", "m"];
    let done = run(dir.path(), arguments).await;
    assert_eq!(done.status.code(), Some(3));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("<!-- page 2: failed: endpoint_refused -->") && text.contains(&markdown(3)));
}

/// Starts a conversion, ends it with `signal_name` when page 1 to 3 are paid, and runs the same command again.
async fn resumes_after(signal_name: &str, code: Option<i32>) {
    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("b.pdf");
    std::fs::write(&pdf, book("Resume", 6)).unwrap();
    let script = (4..=6).fold(Script::default(), |script, page| script.page(page, [Answer::Hold]));
    let llm = FakeLlm::start(script);
    let data = dir.path().join("data");
    let arguments =
        ["convert", pdf.to_str().unwrap(), "--processor", "llm", "--llm-base-url", &llm.url, "--llm-model", "m"];
    let mut process = bindery(&data).args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    llm.until(|books| books.paid.len() == 3 && books.held == 3).await;
    // Paid is not yet kept: wait until the three pages are in the ledger.
    until("the ledger", async || files(&data.join("ledger")).len() >= 3).await;
    signal(process.id().unwrap(), signal_name);
    let status = soon("the command to end", process.wait()).await.unwrap();
    assert_eq!(status.code(), code);

    llm.until(|books| books.in_flight == 0).await;
    llm.open();
    let done = run(dir.path(), arguments).await;
    assert_eq!(done.status.code(), Some(0));
    let text = String::from_utf8(done.stdout).unwrap();
    assert_eq!(text.matches("Read by the fake.").count(), 6);
    assert_eq!([1, 2, 3].map(|page| llm.calls_for(page)), [1, 1, 1], "paid once");
    let left: Vec<_> = files(&data).into_iter().filter(|file| !file.starts_with("ledger/")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn resumes_after_a_kill() {
    resumes_after("KILL", None).await;
}

#[tokio::test]
async fn resumes_after_an_interrupt() {
    resumes_after("INT", Some(130)).await;
}

#[tokio::test]
async fn config_shows_what_holds() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bindery.toml");
    std::fs::write(&file, "max_pages = 7\nworkers = 3\nnode = 'file'\n").unwrap();
    let done = bindery(dir.path())
        .args(["config", "--config", file.to_str().unwrap(), "--workers", "5", "--llm-base-url", "http://h/v1"])
        .env("BINDERY_NODE", "env")
        .env("OPENAI_API_KEY", "sk-geheim")
        .output()
        .await
        .unwrap();
    let text = String::from_utf8(done.stdout).unwrap();
    for line in ["max_pages = 7", "workers = 5", "node = \"env\"", "llm_api_key = \"(redacted)\""] {
        assert!(text.contains(line), "{line} in {text}");
    }
    assert!(!text.contains("geheim"));
}

#[tokio::test]
async fn headers_and_page_numbers_are_left_out_unless_they_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("headed.pdf");
    std::fs::write(&pdf, headed("Headed", 6)).unwrap();
    let pdf = pdf.to_str().unwrap();
    let text = |done: std::process::Output| {
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    let plain = text(run(dir.path(), ["convert", pdf]).await);
    // The first one stays: nothing that a page says is lost.
    assert_eq!(plain.matches("The running title").count(), 1, "{plain}");
    assert!(plain.contains("Headed page 5") && !plain.contains("105"), "{plain}");
    assert!(plain.contains("<!-- page 3 -->\n\n### Part 3\n\nHeaded page 3 goes on, with words.\n\n<"), "{plain}");
    let json = text(run(dir.path(), ["convert", pdf, "--json"]).await);
    let pages: serde_json::Value = serde_json::from_str(&json).unwrap();
    let pages = pages.as_array().unwrap();
    let has = |page: &&serde_json::Value| page["markdown"].as_str().unwrap().contains("The running title");
    assert_eq!(pages.iter().filter(has).count(), 1, "{json}");
    let removed = &pages[4]["findings"][0];
    assert_eq!((&removed["code"], &removed["detail"]), (&"margin_removed".into(), &"The running title\n105".into()));
    let kept = text(run(dir.path(), ["convert", pdf, "--keep-headers"]).await);
    assert_eq!(kept.matches("The running title").count(), 6);
    assert!(kept.contains("Headed page 6 goes on, with words.\n\n106\n"), "{kept}");
}
