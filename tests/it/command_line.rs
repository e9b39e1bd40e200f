//! What people meet at a terminal: names, documents, ids, words, the manual, the doctor.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::{Server, bindery, files, run, told};
use crate::support::soon;

fn put(place: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    std::fs::write(place, bytes).unwrap();
}

async fn inside(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let mut command = bindery(&folder.join("data"));
    told(soon("the command to end", command.args(arguments).current_dir(folder).output()).await.unwrap())
}

#[tokio::test]
async fn files_of_one_name_are_told_apart_and_hidden_ones_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    for (name, title) in [("a/x.pdf", "First"), ("b/x.pdf", "Second"), ("b/.hidden.pdf", "H"), ("b/.trash/y.pdf", "Y")]
    {
        put(&dir.path().join(name), &book(title, 1));
    }
    let (code, _, err) = inside(dir.path(), &["convert", "a/x.pdf", "b", "--out-dir", "out"]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(files(&dir.path().join("out")), [".bindery-done", "a/x.md", "b/x.md"]);
    let text = |name: &str| std::fs::read_to_string(dir.path().join("out").join(name)).unwrap();
    assert!(text("a/x.md").contains("First page 1") && text("b/x.md").contains("Second page 1"));
    let notes = text(".bindery-done");
    inside(dir.path(), &["convert", "a/x.pdf", "b", "--out-dir", "out", "--again"]).await;
    assert_eq!(text(".bindery-done"), notes, "a note is written once");
}

#[tokio::test]
async fn json_of_several_files_is_one_document() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("a.pdf"), &book("A", 2));
    put(&dir.path().join("bad.pdf"), b"no pdf");
    let server = Server::start(&[]).await;
    for arguments in [
        &["convert", "a.pdf", "bad.pdf", "a.pdf", "--json"][..],
        &["submit", "a.pdf", "bad.pdf", "a.pdf", "--json", "--wait", "--server", &server.url],
    ] {
        let (code, out, err) = inside(dir.path(), arguments).await;
        let all: Value = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out}\n{err}"));
        assert_eq!((code, all.as_array().unwrap().len()), (1, 3), "{out}");
        assert_eq!((&all[0]["file"], &all[0]["pages"][1]["page"]), (&"a.pdf".into(), &2.into()), "{out}");
        assert_eq!((&all[1]["file"], &all[1]["error"]["code"]), (&"bad.pdf".into(), &"not_a_pdf".into()), "{out}");
        assert_eq!(all[2]["pages"][0]["page"], 1, "{out}");
    }
    let (_, out, _) = inside(dir.path(), &["convert", "a.pdf", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()[0]["page"], 1, "one file has no frame");
}

#[tokio::test]
async fn a_result_goes_into_no_folder_that_is_misspelt() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("a.pdf"), &book("A", 1));
    let (code, _, err) = inside(dir.path(), &["convert", "a.pdf", "-o", "otu/a.md"]).await;
    assert_eq!((code, err.as_str()), (2, "bindery: -o otu/a.md: there is no such folder\n"));
    assert!(!dir.path().join("otu").exists());
}

#[tokio::test]
async fn who_has_no_home_converts_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("a.pdf"), &book("A", 1));
    put(&dir.path().join("home"), b"a file, below which nothing can be");
    let mut command = bindery(dir.path());
    command.env_remove("BINDERY_DATA_DIR").env("XDG_DATA_HOME", dir.path().join("home")).current_dir(dir.path());
    let (code, out, err) = told(soon("the end", command.args(["convert", "a.pdf"]).output()).await.unwrap());
    assert!(code == 0 && out.contains("A page 1") && err.contains("kept for this run only"), "{code} {out} {err}");
}

#[tokio::test]
async fn an_id_may_be_cut_off_where_that_is_clear() {
    let server = Server::start(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let [one, two] = [server.accepted(book("One", 1), "").await, server.accepted(book("Two", 1), "").await];
    for id in [&one, &two] {
        server.finished(id).await;
    }
    let same = one.chars().zip(two.chars()).take_while(|(a, b)| a == b).count().max(8);
    let (shared, short) = (&one[..same], &one[..=same]);
    let ask = async |arguments: &[&str]| told(run(dir.path(), [arguments, &["--server", &server.url]].concat()).await);
    let (code, status, err) = ask(&["status", short]).await;
    assert!(code == 0 && status.contains(&one), "{status} {err}");
    assert!(ask(&["result", &one[one.len() - 6..]]).await.1.contains("One page 1"), "as the web page shows it");
    let (code, _, err) = ask(&["delete", shared]).await;
    assert!(code == 1 && err.contains(&one) && err.contains(&two), "{err}");
    let (code, _, err) = ask(&["status", "ffffffff"]).await;
    assert!(code == 1 && err.contains("bindery list"), "{err}");
    let (_, gone, _) = ask(&["delete", short, &two]).await;
    assert_eq!(gone.lines().count(), 2, "{gone}");
}

#[tokio::test]
async fn people_read_words_and_programs_codes() {
    let dir = tempfile::tempdir().unwrap();
    put(&dir.path().join("a.pdf"), &book("A", 1));
    let (_, _, words) = inside(dir.path(), &["convert", "a.pdf", "--pages", "9"]).await;
    assert!(words.starts_with("bindery: a.pdf: ") && words.trim_end().ends_with("(bad_page_range)"), "{words}");
    let (_, _, line) = inside(dir.path(), &["convert", "a.pdf", "--pages", "9", "--log-format", "json"]).await;
    let line: Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&line["code"], &line["level"]), (&"bad_page_range".into(), &"ERROR".into()), "{line}");
}

#[tokio::test]
async fn the_manual_and_completions_have_what_a_command_takes() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(inside(dir.path(), &["man", "man"]).await.0, 0);
    let page = |name: &str| std::fs::read_to_string(dir.path().join("man").join(name)).unwrap();
    let (convert, serve) = (page("bindery-convert.1"), page("bindery-serve.1"));
    for section in ["EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES"] {
        assert!(convert.contains(&format!(".SH \"{section}\"")), "{section}");
    }
    assert!(!convert.contains("listen") && serve.contains("listen"), "{convert}");
    assert!(!dir.path().join("man/bindery-reader.1").exists() && convert.contains("BINDERY_PAGES"));
    let (_, bash, _) = inside(dir.path(), &["completions", "bash"]).await;
    let of_convert = bash.split("bindery__subcmd__convert)").nth(1).or_else(|| bash.split("bindery__convert)").nth(1));
    let of_convert = of_convert.unwrap().split("return 0").next().unwrap();
    assert!(of_convert.contains("--watch") && !of_convert.contains("--listen"), "{of_convert}");
    assert!(!bash.contains("reader)") && bash.contains("text llm ocr auto"), "{bash}");
    let (_, help, _) = inside(dir.path(), &["convert", "--help"]).await;
    assert!(help.contains("Examples:") && help.contains("bindery convert paper.pdf -o paper.md"), "{help}");
}

#[tokio::test]
async fn the_doctor_knows_whether_a_model_sees() {
    let dir = tempfile::tempdir().unwrap();
    let seeing = FakeLlm::start(Script::default().otherwise(Answer::Text("# Platypus 4711", "stop")));
    let blind = FakeLlm::start(Script::default().otherwise(Answer::Text("A lovely sunset over the sea.", "stop")));
    let refuses = FakeLlm::start(Script::default().otherwise(Answer::Refuse(401, "no such key")));
    for (llm, code, state, words) in [
        (&seeing, 0, "ok", "read the test image"),
        (&blind, 1, "failed", "does not see images"),
        (&refuses, 1, "failed", "no such key"),
    ] {
        let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "*=1000/1000"];
        let (ended, out, err) = inside(dir.path(), &[&["doctor", "--json"][..], &endpoint].concat()).await;
        let all: Value = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{why}: {out} {err}"));
        let endpoint = all["checks"].as_array().unwrap().iter().find(|check| check["name"] == "endpoint").unwrap();
        assert_eq!((ended, &endpoint["state"], &all["ok"]), (code, &state.into(), &(code == 0).into()), "{all}");
        assert!(endpoint["detail"].as_str().unwrap().contains(words), "{endpoint}");
        assert_eq!(llm.books().calls.len(), 1, "one call, whatever comes of it");
    }
    let endpoint = ["doctor", "--llm-base-url", &seeing.url, "--llm-model", "m", "--no-call"];
    let (code, out, _) = inside(dir.path(), &endpoint).await;
    assert!(code == 0 && out.contains("--no-call") && seeing.books().calls.len() == 1, "{out}");
    assert!(out.contains("ok      sandbox") || out.contains("note    sandbox"), "{out}");
    assert!(!dir.path().join("data").exists(), "it leaves nothing");
    let (code, out, _) = inside(dir.path(), &["doctor", "--store", "redis://127.0.0.1:1/0"]).await;
    assert!(code == 1 && out.contains("FAILED  store"), "{out}");
}

#[tokio::test]
async fn a_watched_folder_is_converted_as_it_fills() {
    let dir = tempfile::tempdir().unwrap();
    let (inbox, out) = (dir.path().join("inbox"), dir.path().join("out"));
    std::fs::create_dir_all(&inbox).unwrap();
    let (code, _, err) = inside(dir.path(), &["convert", "inbox", "--watch"]).await;
    assert!(code == 2 && err.contains("--out-dir"), "{err}");
    let mut command = bindery(&dir.path().join("data"));
    command.args(["convert", "inbox", "--out-dir", "out", "--watch"]).current_dir(dir.path()).stderr(Stdio::piped());
    let mut watching = command.spawn().unwrap();
    let mut lines = BufReader::new(watching.stderr.take().unwrap()).lines();
    let mut line = async || soon("a line", lines.next_line()).await.unwrap().unwrap();
    assert!(line().await.contains("until ^C"));
    put(&inbox.join("a.pdf"), &book("First", 1));
    assert_eq!(line().await, "bindery: 1 file: 1 done");
    put(&inbox.join("b.pdf"), b"no pdf yet");
    assert!(line().await.contains("b.pdf: "));
    assert_eq!(line().await, "bindery: 1 file: 1 failed");
    put(&inbox.join("b.pdf"), &book("Second", 1));
    assert_eq!(line().await, "bindery: 1 file: 1 done");
    assert_eq!(files(&out), [".bindery-done", "a.md", "b.md"]);
    crate::support::server::signal(watching.id().unwrap(), "INT");
    let ended = soon("the end", watching.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(1), "one file had failed");
}

#[tokio::test]
async fn health_follows_the_address_that_the_server_listens_on() {
    let server = Server::start(&[]).await;
    let dir = tempfile::tempdir().unwrap();
    let port = server.url.rsplit(':').next().unwrap();
    let free = crate::support::redis_server::free_port().to_string();
    for (listen, url, code) in [
        (format!("0.0.0.0:{port}"), None, 0),
        (format!("127.0.0.1:{free}"), None, 1),
        (format!("127.0.0.1:{free}"), Some(&server.url), 0),
    ] {
        let mut command = bindery(dir.path());
        command.arg("health").env("BINDERY_LISTEN", &listen).envs(url.map(|url| ("BINDERY_SERVER", url)));
        let (seen, _, err) = told(soon("an answer", command.output()).await.unwrap());
        assert_eq!(seen, code, "{listen} {url:?}: {err}");
    }
}
