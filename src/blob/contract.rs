//! What every [`BlobStore`] must do, as checks that panic where one does not.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a check reports by panicking"
)]

use std::io::ErrorKind;
use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};

use super::{BlobStore, Body, PutMode};

/// Every check, one after the other, on one empty store; it is empty again afterwards.
pub async fn check_all(store: Arc<dyn BlobStore>) {
    assert_eq!(store.probe().await.unwrap(), Vec::<String>::new());
    assert_eq!(all(&*store, "").await, Vec::<String>::new(), "a probe leaves nothing");
    puts_and_reads(&*store).await;
    one_creator_wins(&store).await;
    lists_and_deletes(&*store).await;
    large_files_are_whole(&*store).await;
    refuses_what_is_no_key(&*store).await;
}

async fn read(store: &dyn BlobStore, key: &str) -> Option<Vec<u8>> {
    let found = store.get(key, None).await.unwrap()?;
    let bytes = found.bytes.try_collect::<Vec<_>>().await.unwrap().concat();
    assert_eq!(found.meta.bytes, bytes.len() as u64);
    Some(bytes)
}

async fn all(store: &dyn BlobStore, prefix: &str) -> Vec<String> {
    let mut keys: Vec<String> = store.list(prefix).map(|meta| meta.unwrap().key).collect().await;
    keys.sort();
    keys
}

async fn put(store: &dyn BlobStore, key: &str, bytes: &[u8]) {
    store.put(key, bytes.into(), PutMode::Overwrite).await.unwrap();
}

async fn puts_and_reads(store: &dyn BlobStore) {
    assert!(store.get("a/b", None).await.unwrap().is_none());
    assert!(store.head("a/b").await.unwrap().is_none());
    put(store, "a/b", b"one").await;
    put(store, "a/b", b"twelve").await;
    assert_eq!(read(store, "a/b").await.unwrap(), b"twelve");
    let meta = store.head("a/b").await.unwrap().unwrap();
    assert_eq!((meta.key.as_str(), meta.bytes), ("a/b", 6));
    for (range, expected) in [(1..3, &b"we"[..]), (4..6, b"ve"), (4..99, b"ve"), (0..6, b"twelve")] {
        let part = store.get("a/b", Some(range.clone())).await.unwrap().unwrap();
        assert_eq!(part.meta.bytes, 6, "of the whole");
        assert_eq!(part.bytes.try_collect::<Vec<_>>().await.unwrap().concat(), expected, "{range:?}");
    }
    let error = store.get("a/b", Some(6..8)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    put(store, "a/empty", b"").await;
    assert_eq!(read(store, "a/empty").await.unwrap(), b"");
    store.delete("a/b").await.unwrap();
    store.delete("a/b").await.unwrap();
    assert!(store.get("a/b", None).await.unwrap().is_none());
    store.delete("a/empty").await.unwrap();
}

async fn one_creator_wins(store: &Arc<dyn BlobStore>) {
    let tries = (0..16_u8).map(|writer| {
        let store = Arc::clone(store);
        async move { store.put("c/one", Body::from(&[writer][..]), PutMode::Create).await.map(|()| writer) }
    });
    let ended: Vec<_> = futures::future::join_all(tries).await;
    let won: Vec<u8> = ended.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    assert_eq!(won.len(), 1, "{ended:?}");
    assert!(ended.iter().filter_map(|result| result.as_ref().err()).all(|why| why.kind() == ErrorKind::AlreadyExists));
    assert_eq!(read(&**store, "c/one").await.unwrap(), won);
    put(&**store, "c/one", b"other").await;
    assert_eq!(read(&**store, "c/one").await.unwrap(), b"other", "who overwrites needs to win nothing");
    store.delete("c/one").await.unwrap();
}

async fn lists_and_deletes(store: &dyn BlobStore) {
    // More than one page of a listing.
    const MANY: usize = 1_100;
    let names = (0..MANY).map(|n| format!("l/{:02}/{n:04}", n % 3)).collect::<Vec<_>>();
    futures::stream::iter(&names).for_each_concurrent(32, |key| put(store, key, b"x")).await;
    put(store, "l/00-other", b"x").await;
    assert_eq!(all(store, "l/").await.len(), MANY + 1);
    assert_eq!(all(store, "l/01/000").await, ["l/01/0001", "l/01/0004", "l/01/0007"], "a prefix may end in a name");
    assert_eq!(all(store, "l/none").await, Vec::<String>::new());
    let mut folders = store.folders("l").await.unwrap();
    folders.sort();
    assert_eq!(folders, ["00", "01", "02"]);
    assert_eq!(store.folders("none").await.unwrap(), Vec::<String>::new());
    assert_eq!(store.delete_prefix("l/00/").await.unwrap(), MANY.div_ceil(3) as u64);
    assert_eq!(store.delete_prefix("l/00/").await.unwrap(), 0);
    assert_eq!(all(store, "l/00").await, ["l/00-other"]);
    store.delete_prefix("l/").await.unwrap();
    assert_eq!(all(store, "").await, Vec::<String>::new());
}

async fn large_files_are_whole(store: &dyn BlobStore) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("large");
    // Several parts, the last of them short.
    let bytes: Vec<u8> = (0..40_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    std::fs::write(&file, &bytes).unwrap();
    store.put("f/large", Body::File(file.clone()), PutMode::Create).await.unwrap();
    assert!(read(store, "f/large").await.unwrap() == bytes);
    let again = store.put("f/large", Body::File(file.clone()), PutMode::Create).await;
    assert_eq!(again.err().unwrap().kind(), ErrorKind::AlreadyExists);
    std::fs::write(&file, b"small").unwrap();
    store.put("f/large", Body::File(file.clone()), PutMode::Overwrite).await.unwrap();
    assert_eq!(read(store, "f/large").await.unwrap(), b"small");
    std::fs::remove_file(&file).unwrap();
    assert!(store.put("f/none", Body::File(file), PutMode::Overwrite).await.is_err());
    assert!(store.head("f/none").await.unwrap().is_none());
    store.delete_prefix("f/").await.unwrap();
}

async fn refuses_what_is_no_key(store: &dyn BlobStore) {
    for key in ["", "../x", "/etc/passwd", "a/../../x", "./x", "a//b", "a/"] {
        let error = store.put(key, Body::from(&b""[..]), PutMode::Overwrite).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{key:?}");
    }
}
