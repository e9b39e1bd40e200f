//! PDFs that hang their reader, eat memory or are broken: the server lives, and only the page in question is lost.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::corpus::{corpus, manifest};
use crate::support::pdf::{Trap, book, locked, trapped};
use crate::support::server::{Server, files, fresh_data};
use crate::support::until;

#[tokio::test]
async fn a_page_that_traps_its_reader_is_one_failed_page() {
    let server = Server::start(&["--reader-timeout", "1s", "--reader-memory", "64M"]).await;
    for (trap, code) in [(Trap::Hang, "page_timeout"), (Trap::Memory, "page_memory")] {
        let id = server.accepted(trapped("Trap", 20, 7, trap), "").await;
        let task = server.finished(&id).await;
        assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &19.into()), "{task}");
        let pages = server.get(&format!("/v1/tasks/{id}/pages?status=failed")).await;
        assert_eq!(pages["pages"].as_array().unwrap().len(), 1);
        assert_eq!((&pages["pages"][0]["page"], &pages["pages"][0]["error"]["code"]), (&7.into(), &code.into()));
        let markdown = server.markdown(&id).await;
        assert!(markdown.contains(&format!("<!-- page 7: failed: {code} -->")), "{markdown}");
        assert!(markdown.contains("Trap page 6") && markdown.contains("Trap page 8"));
    }
}

/// Waits until a reader keeps a core busy: it has the page that hangs.
async fn reader_at_work(server: &Server) -> u32 {
    // The fields after the name are counted from the third (proc_pid_stat(5)): 14 and 15 are its ticks.
    let ticks = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // One that was killed and is still to be waited for works no more.
        (fields[0] != "Z").then_some(())?;
        Some(fields[11].parse::<u32>().ok()? + fields[12].parse::<u32>().ok()?)
    };
    let mut at_work = None;
    until("a reader to work", async || {
        at_work = server.children().into_iter().find(|pid| ticks(*pid).is_some_and(|ticks| ticks > 40));
        at_work.is_some()
    })
    .await;
    at_work.unwrap()
}

#[tokio::test]
async fn kills_of_the_server_are_not_put_down_to_the_pages_that_it_was_reading() {
    let data = fresh_data();
    let mut server = Server::start_on(data.clone(), &["--reader-timeout", "1h"], &[]).await;
    let id = server.accepted(trapped("Killed", 2, 2, Trap::Hang), "").await;
    for _ in 0..4 {
        reader_at_work(&server).await;
        server.kill().await;
        server.restart().await;
    }
    reader_at_work(&server).await;
    server.kill().await;
    let server = Server::start_on(data, &["--reader-timeout", "1s"], &[]).await;
    server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    assert_eq!(
        (&pages["pages"][0]["status"], &pages["pages"][1]["error"]["code"]),
        (&"done".into(), &"page_timeout".into()),
        "{pages}"
    );
}

#[tokio::test]
async fn kills_of_a_reader_are_tried_again_and_then_said_as_what_they_are() {
    let server = Server::start(&["--reader-timeout", "1h", "--workers", "1", "--llm-max-attempts", "2"]).await;
    let id = server.accepted(trapped("Reader", 2, 2, Trap::Hang), "").await;
    let mut killed = std::collections::BTreeSet::new();
    let task = loop {
        let (pid, task) = tokio::select! {
            pid = reader_at_work(&server) => (Some(pid), None),
            task = server.finished(&id) => (None, Some(task)),
        };
        if let Some(task) = task {
            break task;
        }
        // It may have ended in this very moment.
        let _ = std::process::Command::new("kill").args(["-KILL", &pid.unwrap().to_string()]).output();
        killed.insert(pid.unwrap());
    };
    assert!(killed.len() >= 6, "{killed:?}");
    assert_eq!(task["pages"]["done"], 1, "{task}");
    let pages = server.get(&format!("/v1/tasks/{id}/pages?status=failed")).await;
    let error = &pages["pages"][0]["error"];
    assert_eq!((&error["code"], &error["retryable"]), (&"reader_killed".into(), &true.into()), "{pages}");
    assert!(error["message"].as_str().unwrap().contains("SIGKILL"), "{error}");
}

#[tokio::test]
async fn a_cancel_does_not_wait_for_a_page_that_hangs() {
    let server = Server::start(&["--reader-timeout", "1h", "--workers", "1"]).await;
    let id = server.accepted(trapped("Hang", 1, 1, Trap::Hang), "").await;
    let path = format!("/v1/tasks/{id}");
    until("the page's turn", async || server.get(&path).await["status"] == "processing").await;
    let (status, _) = server.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
    assert_eq!(status, 200);
    // The only worker is free again, long before the page's time is over.
    let next = server.accepted(book("Next", 2), "").await;
    assert_eq!(server.finished(&next).await["status"], "completed");
}

#[tokio::test]
async fn readers_end_with_their_server_and_keep_no_deleted_file() {
    let mut server = Server::start(&["--reader-timeout", "1h"]).await;
    let id = server.accepted(book("Gone", 3), "").await;
    server.finished(&id).await;
    let readers = server.children();
    assert!(!readers.is_empty());
    for pid in &readers {
        let see = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
        assert_eq!(see("environ"), "", "a reader knows no secrets");
        assert!(see("status").contains("Seccomp:\t2"), "a reader can make few system calls");
        let limit = see("limits").lines().find(|line| line.starts_with("Max data size")).unwrap().to_owned();
        assert!(limit.contains(&(1_u64 << 30).to_string()), "{limit}");
    }
    let (status, _) = server.ask("DELETE", &format!("/v1/tasks/{id}")).await;
    assert_eq!(status, 204);
    let maps = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    while readers.iter().any(|pid| maps(pid).contains("source.pdf")) {}
    // Nor one that was refused.
    assert_eq!(server.submit(locked("Refused", 1, "geheim"), "").await.0, 422);
    let opened = |pid: &u32| {
        let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        files.filter_map(|file| file.path().read_link().ok()).any(|file| file.to_string_lossy().contains("(deleted)"))
    };
    while server.children().iter().any(opened) {}
    server.accepted(trapped("Hang", 1, 1, Trap::Hang), "").await;
    server.kill().await;
    while readers.iter().any(|pid| Path::new(&format!("/proc/{pid}/exe")).read_link().is_ok()) {}
}

#[tokio::test]
async fn every_file_of_the_corpus_ends_in_a_result_or_a_code_and_the_server_lives() {
    let Some(corpus) = corpus() else {
        println!("skipped: no corpus; BINDERY_CORPUS names its folder");
        return;
    };
    let manifest = manifest(&corpus);
    let server = Server::start(&["--reader-timeout", "2s", "--reader-memory", "256M"]).await;
    let mut ends: BTreeMap<String, u32> = BTreeMap::new();
    let mut accepted = Vec::new();
    for entry in std::fs::read_dir(&corpus).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "pdf") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let listed = manifest.get(&name);
        let (pages, password) = listed.map_or((None, ""), |listed| (listed.pages, &listed.password));
        let query = if password.is_empty() { String::new() } else { format!("password={password}") };
        let (status, answer) = server.submit(std::fs::read(&path).unwrap(), &query).await;
        match status {
            202 | 200 => accepted.push((name, pages, answer["id"].as_str().unwrap().to_owned())),
            422 => *ends.entry(answer["code"].as_str().unwrap().to_owned()).or_default() += 1,
            _ => panic!("{name}: {status} {answer}"),
        }
    }
    for (name, pages, id) in &accepted {
        let task = server.finished(id).await;
        let count = task["total_pages"].as_u64().unwrap();
        assert!(pages.is_none_or(|pages| pages == count), "{name}: {pages:?} pages by the manifest, not {count}");
        let code = task["error"]["code"].as_str().unwrap_or("completed");
        *ends.entry(code.to_owned()).or_default() += 1;
        let all = server.get(&format!("/v1/tasks/{id}/pages?limit=500")).await;
        let settled = |page: &serde_json::Value| page["status"] == "done" || page["error"]["code"].is_string();
        assert!(all["pages"].as_array().unwrap().iter().all(settled), "{name}: {task}");
    }
    println!("corpus: {ends:?}, server's peak {} MB", server.peak_memory() >> 20);
    assert!(ends["completed"] >= 130, "{ends:?}");
    assert!(server.peak_memory() < 100 << 20, "{} bytes", server.peak_memory());
    let (status, ready) = server.ask("GET", "/readyz").await;
    assert_eq!(status, 200, "{ready}");
    assert!(files(server.data()).iter().all(|file| !file.starts_with("scratch/")));
}
