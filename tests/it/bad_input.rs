//! Bad input: each with its code, and nothing left behind.

use crate::support::disk::SmallDisk;
use crate::support::pdf::{Trap, book, locked, trapped};
use crate::support::server::{Server, answer, bindery, files, run};
use crate::support::{soon, until, with};

#[tokio::test]
async fn what_is_not_a_readable_pdf_is_refused_with_its_code() {
    let server = Server::start(&["--max-upload", "100K", "--max-pages", "20"]).await;
    let mut truncated = book("Truncated", 3);
    truncated.truncate(30);
    let no_pages = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF".to_vec();
    let deep = format!("metadata={}{}", "[".repeat(60), "]".repeat(60));
    for (pdf, query, status, code) in [
        (b"hello".to_vec(), "", 422, "not_a_pdf"),
        (b"hello ".repeat(10_000), "", 422, "not_a_pdf"),
        (Vec::new(), "", 422, "not_a_pdf"),
        (truncated, "", 422, "pdf_damaged"),
        (no_pages, "", 422, "pdf_damaged"),
        (locked("Locked", 2, "geheim"), "", 422, "pdf_encrypted"),
        (locked("Locked", 2, "geheim"), "password=falsch", 422, "pdf_encrypted"),
        (book("Range", 3), "pages=2-4", 422, "bad_page_range"),
        (book("Many", 21), "", 422, "too_many_pages"),
        (book("Option", 1), "colour=red", 422, "bad_option"),
        (book("Option", 1), "pages=x", 422, "bad_option"),
        (book("Option", 1), "processor=llm", 422, "bad_option"),
        (book("Option", 1), &deep, 422, "bad_option"),
        (book("Option", 1), "model=gpt", 422, "bad_option"),
        ([book("Large", 1), vec![b' '; 101 << 10]].concat(), "", 413, "pdf_too_large"),
    ] {
        let (got, problem) = server.submit(pdf, query).await;
        assert_eq!((got, &problem["code"]), (status, &code.into()), "{problem}");
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().unwrap().len() > 10 && problem["type"].is_string());
    }
    let chunked = reqwest::Body::wrap_stream(futures::stream::iter(
        (0..40).map(|_| Ok::<_, std::io::Error>([&b"%PDF-1.4\n"[..], &[b' '; 8_000]].concat())),
    ));
    let request = server.request("POST", "/v1/tasks").header("content-type", "application/pdf").body(chunked);
    // The server answers in the middle of the upload; some clients see only that it hung up.
    if let Ok(response) = request.send().await {
        assert_eq!(response.status(), 413);
    }
    assert!(files(server.data()).is_empty(), "{:?}", files(server.data()));
    assert_eq!(server.get("/v1/tasks").await["tasks"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn the_right_password_opens() {
    let server = Server::start(&[]).await;
    let id = server.accepted(locked("Locked", 2, "geheim"), "password=geheim").await;
    let task = server.finished(&id).await;
    assert_eq!(task["status"], "completed");
    assert!(server.markdown(&id).await.contains("Locked page 2"));
    assert!(!task.to_string().contains("geheim"), "a password is not shown");
}

#[tokio::test]
async fn forms_that_are_none() {
    let server = Server::start(&[]).await;
    let post = || server.request("POST", "/v1/tasks");
    let (status, problem) = answer(post().header("content-type", "text/plain").body("x")).await;
    assert_eq!((status, &problem["code"]), (415, &"unsupported_media_type".into()));
    for (body, status, code) in [
        ("--b\r\nContent-Disposition: form-data; name=\"pages\"\r\n\r\n1\r\n--b--\r\n", 422, "bad_form"),
        ("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n%PDF-", 400, "bad_upload"),
        ("nonsense", 400, "bad_upload"),
    ] {
        let request = post().header("content-type", "multipart/form-data; boundary=b").body(body);
        let (got, problem) = answer(request).await;
        assert_eq!((got, &problem["code"]), (status, &code.into()), "{problem}");
    }
    assert!(files(server.data()).is_empty());
}

#[tokio::test]
async fn unknown_tasks_are_not_found_everywhere() {
    let server = Server::start(&[]).await;
    let (ours, others) = ("0193b3c0-0000-7000-8000-000000000000", "0afd9ab8-7fb7-4aec-8f5b-1264c2039953");
    for id in [ours, others, "no-id", "..%2f..%2fetc"] {
        for (method, path) in [
            ("GET", ""),
            ("GET", "/result"),
            ("GET", "/pages"),
            ("POST", "/cancel"),
            ("POST", "/retry"),
            ("DELETE", ""),
            ("DELETE", "?purge=true"),
        ] {
            let (status, problem) = server.ask(method, &format!("/v1/tasks/{id}{path}")).await;
            assert_eq!((status, &problem["code"]), (404, &"task_not_found".into()), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_full_queue_says_when_to_come_back() {
    use crate::support::fake_llm::{Answer, FakeLlm, Script};
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--max-queued", "2"]).await;
    for number in 0..2 {
        server.accepted(book(&format!("Queue {number}"), 1), "processor=llm").await;
    }
    let response = server
        .request("POST", "/v1/tasks?processor=llm")
        .header("content-type", "application/pdf")
        .body(book("Queue 3", 1))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers()["retry-after"].to_str().unwrap().parse::<u32>().unwrap() >= 1);
    assert!(response.text().await.unwrap().contains("queue_full"));
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_told_so() {
    let server = Server::start(&[]).await;
    let second = bindery(server.data()).args(["serve", "--listen", "127.0.0.1:0"]).output();
    let second = soon("the second server to end", second).await.unwrap();
    assert_eq!(second.status.code(), Some(1));
    let error = String::from_utf8(second.stderr).unwrap();
    assert!(error.contains("another bindery server uses the data directory"), "{error}");
    assert_eq!(error.trim().lines().count(), 1);
}

#[tokio::test]
async fn listening_beyond_loopback_needs_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let refused = run(dir.path(), ["serve", "--listen", "0.0.0.0:0"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--insecure"));
}

#[tokio::test]
async fn a_full_disk_refuses_the_submit_and_keeps_nothing() {
    let Some(disk) = SmallDisk::mount("4m") else {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let blob = disk.path().to_str().unwrap();
    let server = Server::start(&["--blob", blob]).await;
    let large = [book("Large", 1), vec![b' '; 6 << 20]].concat();
    let (status, problem) = server.submit(large, "").await;
    assert_eq!((status, &problem["code"]), (503, &"disk_full".into()), "{problem}");
    assert!(files(disk.path()).is_empty());
    // With room again, it goes on.
    let id = server.accepted(book("Small", 2), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
}

#[tokio::test]
async fn a_disk_that_fills_up_while_running_heals_with_room() {
    use crate::support::fake_llm::{Answer, FakeLlm, Script};
    let Some(disk) = SmallDisk::mount("8m") else {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let data = disk.path().to_str().unwrap();
    let server = Server::start(&["--data-dir", data, "--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Full", 2), "processor=llm").await;
    llm.until(|books| books.held == 2).await;
    let filler = disk.fill();
    for _ in 0..20 {
        // Reopening the store gives some room back.
        filler.leave(0);
        let (status, problem) = server.submit(book("Refused", 1), "").await;
        assert_eq!(status, 503, "{problem}");
        // What is known needs no room to be told.
        for path in [format!("/v1/tasks/{id}"), format!("/v1/tasks/{id}/pages"), "/v1/tasks".to_owned()] {
            assert_eq!(server.ask("GET", &path).await.0, 200, "{path}");
        }
    }
    drop(filler);
    llm.open();
    // A write of the task's progress may have failed, too; then its record can be read when the store is open again.
    until("the server to be ready", async || server.ask("GET", "/readyz").await.0 == 200).await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    let id = server.accepted(book("Again", 2), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert_eq!(server.ask("GET", "/readyz").await.0, 200);
}

#[tokio::test]
async fn text_that_finds_no_room_waits_for_it() {
    let Some(disk) = SmallDisk::mount("8m") else {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let data = disk.path().to_str().unwrap();
    let server =
        Server::start(&["--data-dir", data, "--store", "memory", "--workers", "1", "--reader-timeout", "1s"]).await;
    let id = server.accepted(trapped("Waits", 3, 1, Trap::Hang), "shard_pages=1").await;
    let path = format!("/v1/tasks/{id}");
    until("the page's turn", async || server.get(&path).await["status"] == "processing").await;
    let filler = disk.fill();
    // Whatever is read from now on finds no room, and is not lost for that.
    let task = server.get(&format!("/v1/tasks/{id}?wait=3")).await;
    assert!(task["finished_at"].is_null(), "{task}");
    drop(filler);
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &2.into()), "{task}");
}

#[tokio::test]
async fn the_embedded_store_opens_anew_after_a_write_that_failed() {
    use bindery::store::{Create, EmbeddedStore, ListQuery, StoreError, TaskStore};
    use bindery::task::{TaskId, TaskRecord};
    let Some(disk) = SmallDisk::mount("8m") else {
        eprintln!("skipped: mounting a small tmpfs needs root");
        return;
    };
    let copy = |number: usize| -> Create {
        let text = include_str!("../data/record.json").replace("ID", &TaskId::generate().to_string());
        let mut record: TaskRecord = serde_json::from_str(&text).unwrap();
        record.options.prompt = Some(format!("{number} ").repeat(8_000));
        Create::new(record)
    };
    let store = EmbeddedStore::open(disk.path()).unwrap();
    let (mut kept, mut failed, first) = (0, 0, copy(0));
    store.create(&first).await.unwrap();
    // A group of them is more than the room that a write is begun with, so that one fails in its midst.
    while failed < 100 {
        let group: Vec<Create> = (0..16).map(copy).collect();
        let written = futures::future::join_all(group.iter().map(|create| store.create(create)));
        let (written, read) = futures::join!(written, store.get(first.record.id));
        for result in written {
            match result {
                Ok(_) => kept += 1,
                Err(StoreError::Unavailable(_)) => failed += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(read.is_ok(), "after {kept} and {failed}: {read:?}");
        let read = store.get(first.record.id).await;
        assert!(read.is_ok(), "after {kept} and {failed}: {read:?}");
    }
    let more = std::process::Command::new("mount").args(["-o", "remount,size=64m"]).arg(disk.path()).status();
    assert!(more.unwrap().success());
    until("the store to open", async || store.ping().await.is_ok()).await;
    store.create(&copy(0)).await.unwrap();
    let listed = store.list(&with(ListQuery::default(), |query| query.limit = 5_000)).await.unwrap();
    assert_eq!(listed.tasks.len(), kept + 2, "what was acknowledged is there");
}

#[tokio::test]
async fn pages_of_a_file_that_was_cut_off_are_missed() {
    let dir = tempfile::tempdir().unwrap();
    let whole = book("Cut", 9);
    // What is left ends in the midst of page 4.
    let end = whole.windows(10).position(|bytes| bytes == b"Cut page 4").unwrap();
    let path = dir.path().join("cut.pdf");
    std::fs::write(&path, [&whole[..end], b"\ntrailer\n<< /Root 1 0 R >>\n"].concat()).unwrap();
    let done = run(dir.path(), ["convert", path.to_str().unwrap()]).await;
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("Cut page 3") && text.contains("<!-- page 9: failed: page_damaged -->"), "{text}");
    assert_eq!(text.matches(": failed: ").count(), 6);
}

#[tokio::test]
async fn a_stream_without_an_end_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let text = String::from_utf8(book("Endless", 2)).unwrap().replacen("\nendstream", "", 1);
    let path = dir.path().join("endless.pdf");
    std::fs::write(&path, text.replace("/Length ", "/Length 9")).unwrap();
    let done = run(dir.path(), ["convert", path.to_str().unwrap()]).await;
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(text.contains("Endless page 1") && text.contains("Endless page 2"), "{text}");
}
