//! Results, pages and figures, asked for through the façade.

use futures::TryStreamExt;

use super::super::test_world::{World, in_system, waiting_record};
use super::super::{ResultFile, TenantLimits};
use super::*;
use crate::blob::Durability;
use crate::store::altered::AlteredStore;
use crate::supervisor::PageParts;
use crate::supervisor::SupervisorOptions;
use crate::task::{ImageKind, ImageName, PageStatus, TaskStatus};

#[test]
fn a_result_is_served_as_long_as_it_is_what_was_written() {
    in_system(async {
        let record = waiting_record("ann");
        let id = record.id;
        let mut world = World::with(AlteredStore::default(), &[&record]).await;
        world.begun(id).await;
        let handle = world.handle();
        assert_eq!(handle.processor_names(), ["text", "scripted"]);
        for partial in [false, true] {
            let stored = handle.stored_result(id, ResultFile::Json, partial).await;
            assert!(matches!(stored, Err(RequestError::ResultNotReady(_))), "{stored:?}");
        }
        world.first.open();
        let shown = async |window: PageWindow| {
            let (_, views) = handle.pages(id, window).await.unwrap();
            views.iter().map(|view| (view.page, view.status)).collect::<Vec<_>>()
        };
        let done = || PageWindow { status: Some(PageStatus::Done), ..PageWindow::default() };
        while shown(done()).await.len() < 3 {}
        let so_far = handle.page_batches(id, 2, PageParts::All).try_concat().await.unwrap();
        assert_eq!(so_far.len(), 11, "of a task without a result, too");
        assert!(so_far[..2].iter().all(|view| view.blocks.is_some()) && so_far[2].blocks.is_none());
        let (is_done, reads) = (PageStatus::Done, PageStatus::Processing);
        let of = |from, limit| PageWindow { from, limit, ..PageWindow::default() };
        assert_eq!(shown(of(3, 3)).await, [(3, is_done), (4, reads), (5, reads)]);
        world.rest.open();
        assert_eq!(handle.wait(id).await.unwrap().counts.done, 12);
        assert!(handle.result(id).await.unwrap().ends_with("Page 12.\n"));
        assert_eq!(shown(PageWindow::default()).await.len(), 12);
        assert_eq!(shown(of(3, 2)).await, [(3, is_done), (4, is_done)]);
        assert_eq!(shown(PageWindow { status: Some(PageStatus::Failed), ..of(1, 9) }).await, []);
        for which in [ResultFile::Markdown, ResultFile::Json] {
            let (_, path) = handle.stored_result(id, which, false).await.unwrap();
            let whole = std::fs::read(&path).unwrap();
            std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
            let cut_off = handle.stored_result(id, which, false).await;
            assert!(matches!(cut_off, Err(RequestError::ResultDamaged(_))), "{cut_off:?}");
            let pages = handle.pages(id, PageWindow::default()).await;
            assert_eq!(pages.is_ok(), which == ResultFile::Markdown, "{pages:?}");
            let pages = handle.page_batches(id, 1, PageParts::All).try_concat().await;
            assert_eq!(pages.is_ok(), which == ResultFile::Markdown, "{pages:?}");
            std::fs::write(&path, whole).unwrap();
        }
        assert!(handle.result(id).await.is_ok());
        let whole = shown_by_page(&handle, id).await;
        for from in [1, 7, 12, 13] {
            let expected: Vec<_> = whole.iter().filter(|view| view.page >= from).cloned().collect();
            let all = handle.page_batches(id, from, PageParts::All).try_concat().await.unwrap();
            assert_eq!(all, expected);
            let lean = handle.page_batches(id, from, PageParts::WithoutBlocks).try_concat().await.unwrap();
            assert_eq!(lean, expected.into_iter().map(|view| PageView { blocks: None, ..view }).collect::<Vec<_>>());
        }
        handle.delete(id).await.unwrap();
        assert!(matches!(handle.get(id).await, Err(RequestError::NotFound)));
    });
}

async fn shown_by_page(handle: &Handle, id: TaskId) -> Vec<PageView> {
    let mut views = Vec::new();
    for page in 1..=12 {
        let window = PageWindow { from: page, limit: 1, ..PageWindow::default() };
        views.extend(handle.pages(id, window).await.unwrap().1);
    }
    views
}

/// What an older version wrote is taken as it is.
#[test]
fn what_a_failed_task_has_is_served_to_who_asks_for_a_part() {
    in_system(async {
        let mut record = TaskRecord { status: TaskStatus::Failed, ..waiting_record("ann") };
        record.result_path = Some(record.markdown_key());
        let world = World::with(AlteredStore::default(), &[&record]).await;
        let (handle, id) = (world.handle(), record.id);
        let stored = async |partial| handle.stored_result(id, ResultFile::Markdown, partial).await;
        assert!(matches!(stored(true).await, Err(RequestError::ResultDamaged(_))), "it is gone");
        world.blob.put(&record.markdown_key(), b"half", Durability::Cached).unwrap();
        assert_eq!(std::fs::read(stored(true).await.unwrap().1).unwrap(), b"half");
        assert!(matches!(stored(false).await, Err(RequestError::ResultNotReady(_))));
        assert!(matches!(handle.result(id).await, Err(RequestError::ResultNotReady(_))));
    });
}

#[test]
fn a_figure_is_served_as_long_as_it_is_what_its_name_says() {
    in_system(async {
        let record = TaskRecord { status: TaskStatus::Completed, ..waiting_record("ann") };
        let world = World::with(AlteredStore::default(), &[&record]).await;
        let (handle, id) = (world.handle(), record.id);
        let (name, other) = (ImageName::of(b"figure", ImageKind::Png), ImageName::of(b"other", ImageKind::Png));
        let key = format!("{}/image-{name}", record.work_dir);
        world.blob.put(&key, b"figure", Durability::Cached).unwrap();
        assert_eq!(handle.image(id, name.clone()).await.unwrap().as_deref(), Some(&b"figure"[..]));
        assert_eq!(handle.image(id, other).await.unwrap(), None);
        let path = world.blob.path(&key).unwrap();
        assert_eq!(handle.image_paths(id).await.unwrap(), [(name.clone(), path)]);
        world.blob.put(&key, b"figurE", Durability::Cached).unwrap();
        assert!(matches!(handle.image(id, name).await, Err(RequestError::ResultDamaged(_))));
    });
}

#[test]
fn an_upload_counts_with_the_bytes_that_it_has_so_far() {
    in_system(async {
        let tenant = TenantLimits { bytes: 100, ..TenantLimits::default() };
        let options = SupervisorOptions { tenant, ..SupervisorOptions::default() };
        let world = World::with_options(AlteredStore::default(), options, &[]).await;
        let handle = world.handle();
        let slot = handle.begin_upload(Some("ann".into()), 10).await.unwrap();
        handle.grow_upload(&slot, 5).await.unwrap();
        assert_eq!(slot.bytes(), 10);
        handle.grow_upload(&slot, 100).await.unwrap();
        assert_eq!(slot.bytes(), 100);
        assert!(matches!(handle.grow_upload(&slot, 101).await, Err(RequestError::OverQuota(_))));
    });
}

#[test]
fn an_estimate_looks_at_every_page_and_pays_for_none() {
    in_system(async {
        let world = World::with(AlteredStore::default(), &[]).await;
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf");
        let mut options = TaskOptions::default();
        options.set("processor", "scripted").unwrap();
        let estimate = world.handle().estimate_file(path, options).await.unwrap();
        assert_eq!((estimate.total.pages, estimate.failed), (12, 0));
    });
}

#[test]
fn a_pdf_may_be_as_large_as_is_allowed_and_no_larger() {
    const MOST: usize = 600_000;
    let dir = tempfile::tempdir().unwrap();
    let blob = LocalBlob::open(dir.path().join("data")).unwrap();
    for length in [0, 1, MOST - 1, MOST, MOST + 1] {
        let path = dir.path().join("file");
        std::fs::write(&path, vec![7; length]).unwrap();
        for source in [NewSource::Path(path.clone()), NewSource::Bytes(vec![7; length])] {
            assert_eq!(source.len(), length as u64);
            match copy(blob.stage().unwrap(), &source, MOST as u64) {
                Ok(staged) => assert!(length <= MOST && staged.digest().bytes == length as u64, "{length}"),
                Err(why) => assert!(length > MOST && matches!(why, RequestError::Rejected(_)), "{length}: {why}"),
            }
        }
    }
}
