//! Files that are damaged, gone, or not to be had for a moment: said so, never served as whole, never a 500.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::disk::SmallDisk;
use crate::support::pdf::{Trap, book, trapped};
use crate::support::server::Server;
use crate::support::{soon, until};

fn result(server: &Server, id: &str, epoch: u32, extension: &str) -> PathBuf {
    server.data().join(format!("tasks/{id}/result-{epoch}.{extension}"))
}

/// Status, problem code and whether it says when to come back.
async fn asked(server: &Server, method: &str, path: &str, accept: &str) -> (u16, Value, bool) {
    let response = soon("an answer", server.request(method, path).header("accept", accept).send()).await.unwrap();
    let (status, comes_back) = (response.status().as_u16(), response.headers().contains_key("retry-after"));
    let body: Value = response.json().await.unwrap_or_default();
    (status, body["code"].clone(), comes_back)
}

/// Every way to read a result, and the file behind each.
const READS: [(&str, &str, &str); 5] = [
    ("/result", "text/markdown", "md"),
    ("/result?partial=true", "text/markdown", "md"),
    ("/result", "application/json", "json"),
    ("/pages", "application/json", "json"),
    ("/pages/1/html", "text/html", "json"),
];

/// What can become of a file; `None` when it is gone.
fn damages(sound: &[u8]) -> [Option<Vec<u8>>; 5] {
    let altered = sound.iter().map(|byte| if *byte == b'3' { b'8' } else { *byte }).collect();
    [Some(sound[..sound.len() / 2].to_vec()), Some(altered), Some([sound, b"more\n"].concat()), Some(Vec::new()), None]
}

#[tokio::test]
async fn a_damaged_result_is_never_served_and_a_retry_mends_it() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Damaged", 3), "").await;
    server.finished(&id).await;
    let whole = server.markdown(&id).await;
    for extension in ["md", "json"] {
        let path = result(&server, &id, 1, extension);
        let sound = fs::read(&path).unwrap();
        for damaged in damages(&sound) {
            match damaged {
                Some(bytes) => fs::write(&path, bytes).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            for (end, accept, file) in READS {
                let (status, code, _) = asked(&server, "GET", &format!("/v1/tasks/{id}{end}"), accept).await;
                let wanted = if file == extension { (409, Value::from("result_damaged")) } else { (200, Value::Null) };
                assert_eq!((status, code), wanted, "{extension} {end} {accept}");
            }
        }
        fs::write(&path, &sound).unwrap();
        assert_eq!(server.markdown(&id).await, whole);
    }
    fs::write(result(&server, &id, 1, "md"), "half").unwrap();
    assert_eq!(server.ask("POST", &format!("/v1/tasks/{id}/retry")).await.0, 202);
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["usage"]["reused"]), (&"completed".into(), &3.into()), "{task}");
    assert_eq!(server.markdown(&id).await, whole);
}

#[tokio::test]
async fn a_partial_result_is_no_more_served_when_it_is_damaged() {
    let server = Server::start(&["--reader-timeout", "1s"]).await;
    // Its third page cannot be read, and none may fail.
    let pdf = trapped("Partial", 3, 3, Trap::Hang);
    let id = server.accepted(pdf, "max_failed_pages=0").await;
    assert_eq!(server.finished(&id).await["status"], "failed");
    let path = format!("/v1/tasks/{id}/result?partial=true");
    for (extension, accept) in [("md", "text/markdown"), ("json", "application/json")] {
        let file = result(&server, &id, 1, extension);
        let response = server.request("GET", &path).header("accept", accept).send().await.unwrap();
        assert_eq!((response.status().as_u16(), &response.headers()["bindery-pages"]), (200, &"2/3".parse().unwrap()));
        let sound = response.text().await.unwrap();
        assert!(sound.contains("Partial page 1"), "{sound}");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 3]).unwrap();
        let (status, code, _) = asked(&server, "GET", &path, accept).await;
        assert_eq!((status, code), (409, "result_damaged".into()), "{extension}");
        fs::write(&file, &bytes).unwrap();
    }
}

/// Puts something in the place of a file that cannot be opened, not even by root.
fn lock(path: &Path) -> impl FnOnce() + use<> {
    let (path, aside) = (path.to_owned(), path.with_extension("aside"));
    fs::rename(&path, &aside).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
    move || fs::rename(aside, path).unwrap()
}

#[tokio::test]
async fn what_cannot_be_read_for_a_moment_is_no_500_and_no_404() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Locked", 2), "").await;
    server.finished(&id).await;
    for (end, accept, extension) in READS {
        let unlock = lock(&result(&server, &id, 1, extension));
        let (status, code, comes_back) = asked(&server, "GET", &format!("/v1/tasks/{id}{end}"), accept).await;
        assert_eq!((status, code, comes_back), (503, "storage_failed".into(), true), "{end} {accept}");
        unlock();
        assert_eq!(asked(&server, "GET", &format!("/v1/tasks/{id}{end}"), accept).await.0, 200);
    }
    let unlock = lock(&server.data().join(format!("tasks/{id}/source.pdf")));
    let image = format!("/v1/tasks/{id}/pages/1/image");
    let (status, code, comes_back) = asked(&server, "GET", &image, "*/*").await;
    assert_eq!((status, comes_back), (503, true), "{code}");
    unlock();
    assert_eq!(asked(&server, "GET", &image, "*/*").await.0, 200);
}

#[tokio::test]
async fn a_delete_that_is_hindered_for_a_moment_can_be_repeated() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Hindered", 2), "").await;
    server.finished(&id).await;
    // A folder with something in it cannot be removed as a file.
    let copy = server.data().join(format!("tasks/{id}/record-1.json"));
    fs::remove_file(&copy).unwrap();
    fs::create_dir_all(copy.join("x")).unwrap();
    let (status, code, comes_back) = asked(&server, "DELETE", &format!("/v1/tasks/{id}"), "*/*").await;
    assert_eq!((status, code, comes_back), (503, "storage_failed".into(), true));
    assert_eq!(server.get(&format!("/v1/tasks/{id}")).await["status"], "completed", "nothing is gone yet");
    fs::remove_dir_all(&copy).unwrap();
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}")).await.0, 204);
}

#[tokio::test]
async fn readiness_costs_no_commit() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Commit", 1), "").await;
    server.finished(&id).await;
    let written = || fs::metadata(server.data().join("tasks.redb")).unwrap().modified().unwrap();
    let before = written();
    for _ in 0..50 {
        server.get("/readyz").await;
    }
    assert_eq!(written(), before);
}

/// Asks until the server is ready and takes a task.
async fn heals(server: &Server, name: &str) {
    until("the server to be ready", async || server.ask("GET", "/readyz").await.0 == 200).await;
    let id = server.accepted(book(name, 1), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
}

#[tokio::test]
async fn folders_that_are_removed_or_moved_and_come_back_heal_by_themselves() {
    let server = Server::start(&[]).await;
    let data = server.data().to_owned();
    heals(&server, "Before").await;
    fs::remove_dir_all(data.join("tmp")).unwrap();
    let id = server.accepted(book("Without scratch folder", 1), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    for run in fs::read_dir(data.join("tmp")).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        fs::remove_dir_all(run.path()).unwrap();
    }
    heals(&server, "Without its own one").await;
    let away = data.with_extension("away");
    fs::rename(&data, &away).unwrap();
    let (status, code, comes_back) = asked(&server, "GET", "/readyz", "*/*").await;
    assert_eq!((status, code, comes_back), (503, "storage_failed".into(), true));
    assert_eq!(server.submit(book("Away", 1), "").await.0, 503);
    assert!(!data.exists(), "nothing was made in its place");
    fs::rename(&away, &data).unwrap();
    heals(&server, "Back").await;
}

#[tokio::test]
async fn a_full_disk_is_not_ready_and_heals_with_room() {
    for (blob_only, size) in [(true, "4m"), (false, "8m")] {
        let Some(disk) = SmallDisk::mount(size) else {
            eprintln!("skipped: mounting a small tmpfs needs root");
            return;
        };
        let place = disk.path().to_str().unwrap();
        let server = Server::start(&[if blob_only { "--blob" } else { "--data-dir" }, place]).await;
        server.get("/readyz").await;
        let filler = disk.fill();
        let (status, code, comes_back) = asked(&server, "GET", "/readyz", "*/*").await;
        assert_eq!((status, code, comes_back), (503, "disk_full".into(), true), "before any submit was refused");
        for number in 0..5 {
            let (status, problem) = server.submit(book(&format!("Full {number}"), 1), "").await;
            assert_eq!((status, &problem["code"]), (503, &"disk_full".into()), "{problem}");
            assert_eq!(server.ask("GET", "/readyz").await.0, 503);
        }
        assert_eq!(server.ask("GET", "/healthz").await.0, 200);
        drop(filler);
        heals(&server, "Room").await;
    }
}
