//! Pages of different kinds and what is read of them: a paper in two columns, tables, a form, Arabic, Chinese.

use std::path::{Path, PathBuf};

use crate::support::browser::Browser;
use crate::support::server::{Server, run};

const LAYOUTS: [&str; 5] = ["paper", "tables", "form", "arabic", "chinese"];

fn layout(name: &str, ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/layouts").join(name).with_extension(ending)
}

/// To agree on a change: `bindery convert tests/data/layouts/X.pdf -o tests/data/layouts/X.md`, and look at it.
#[tokio::test]
async fn each_is_read_as_it_was_agreed_on() {
    let dir = tempfile::tempdir().unwrap();
    for name in LAYOUTS {
        let done = run(dir.path(), ["convert", layout(name, "pdf").to_str().unwrap()]).await;
        assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
        let agreed = std::fs::read_to_string(layout(name, "md")).unwrap();
        assert_eq!(String::from_utf8(done.stdout).unwrap(), agreed, "{name}");
    }
}

#[tokio::test]
async fn each_is_seen_beside_its_picture() {
    let server = Server::start(&[]).await;
    let browser = Browser::open(1_280, 900, false).await;
    for name in LAYOUTS {
        let id = server.accepted(std::fs::read(layout(name, "pdf")).unwrap(), &format!("file_name={name}.pdf")).await;
        server.finished(&id).await;
        browser.go(&format!("{}/#/tasks/{id}", server.url)).await;
        browser.until("document.querySelector('#picture img')?.complete").await;
        browser.until("document.querySelector('#content h1, #content h2')").await;
        browser.settle().await;
        browser.picture(&format!("layout-{name}")).await;
    }
    assert!(browser.complaints().await.is_empty());
    browser.close().await;
}
