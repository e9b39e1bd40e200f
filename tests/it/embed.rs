//! The Rust API, with a processor that does what it is told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bindery::blob::LocalBlob;
use bindery::pool::PoolOptions;
use bindery::processor::{Gate, ScriptedProcessor, Step, TextProcessor, WorkKind};
use bindery::store::{EmbeddedStore, ListQuery};
use bindery::supervisor::{PageWindow, RequestError, SupervisorOptions, TenantLimits};
use bindery::task::{Cost, PageStatus, TaskStatus};
use bindery::{Bindery, NewTask};
use tempfile::TempDir;

use crate::support::pdf::book;
use crate::support::server::files;
use crate::support::soon;

struct TestBindery {
    bindery: Bindery,
    dir: TempDir,
}

fn quick() -> SupervisorOptions {
    let mut options = SupervisorOptions::default();
    options.retry.base = Duration::from_millis(1);
    options.retry.cap = Duration::from_millis(5);
    options
}

fn start(processor: ScriptedProcessor, workers: usize, options: SupervisorOptions) -> TestBindery {
    let dir = tempfile::tempdir().unwrap();
    let bindery = Bindery::builder()
        .store(EmbeddedStore::in_memory().unwrap())
        .blob(LocalBlob::open(dir.path()).unwrap())
        .processor(processor)
        .pool(PoolOptions { cpu_workers: 2, call_workers: workers, ..PoolOptions::default() })
        .options(options)
        .start();
    TestBindery { bindery, dir }
}

impl TestBindery {
    /// Stops, and looks that nothing but pages and tasks is left.
    async fn end(self) {
        soon("the pool to be idle", async {
            while self.bindery.ready().await.unwrap().in_flight > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        soon("the stop", self.bindery.stop(Duration::ZERO)).await;
        let left = files(self.dir.path());
        assert!(left.iter().all(|file| file.starts_with("ledger/") || file.starts_with("tasks/")), "{left:?}");
    }
}

fn paper(title: &str, pages: u32) -> NewTask {
    NewTask::from_bytes(book(title, pages))
}

#[actix::test]
async fn submit_wait_result() {
    let test = start(ScriptedProcessor::new(WorkKind::Call), 4, quick());
    let task = test.bindery.submit(paper("Simple", 3)).await.unwrap();
    let done = soon("the task", test.bindery.wait(task.id)).await.unwrap();
    assert_eq!((done.status, done.counts.done, done.usage.calls), (TaskStatus::Completed, 3, 3));
    let text = test.bindery.result(task.id).await.unwrap();
    assert_eq!(text, "<!-- page 1 -->\n\nPage 1.\n\n<!-- page 2 -->\n\nPage 2.\n\n<!-- page 3 -->\n\nPage 3.\n");
    assert_eq!(test.bindery.list(ListQuery { limit: 9, ..ListQuery::default() }).await.unwrap().tasks.len(), 1);
    test.end().await;
}

#[actix::test]
async fn the_same_pages_are_not_read_again() {
    let processor = ScriptedProcessor::new(WorkKind::Call);
    let calls = processor.calls();
    let test = start(processor, 4, quick());
    for round in 0..2 {
        let task = test.bindery.submit(paper("Twice", 5).option("reuse", "false").unwrap()).await.unwrap();
        let done = soon("the task", test.bindery.wait(task.id)).await.unwrap();
        assert_eq!((done.usage.calls, done.usage.reused), if round == 0 { (5, 0) } else { (0, 5) });
    }
    let changed = paper("Twice", 5).option("model", "other").unwrap();
    let task = test.bindery.submit(changed).await.unwrap();
    soon("the task", test.bindery.wait(task.id)).await.unwrap();
    assert_eq!(calls.load(Ordering::SeqCst), 10, "another recipe is another page");
    test.end().await;
}

#[actix::test]
async fn everything_that_can_go_wrong_with_a_page() {
    let processor = ScriptedProcessor::new(WorkKind::Call)
        .page(1, [Step::RateLimited(Duration::from_millis(2)), Step::Ok])
        .page(2, [Step::Panic, Step::Ok])
        .page(3, [Step::FailPassing, Step::Panic, Step::Ok])
        .page(4, [Step::FailForGood])
        .page(5, [Step::Panic])
        .page(6, [Step::Hang, Step::Ok]);
    let calls = processor.calls();
    let test = start(processor, 2, SupervisorOptions { attempt_timeout: Duration::from_millis(50), ..quick() });
    let task = test.bindery.submit(paper("Wrong", 8)).await.unwrap();
    let done = soon("the task", test.bindery.wait(task.id)).await.unwrap();
    assert_eq!((done.status, done.counts.done, done.counts.failed), (TaskStatus::Completed, 6, 2));
    let failed = PageWindow { status: Some(PageStatus::Failed), ..PageWindow::default() };
    let (_, pages) = test.bindery.pages(task.id, failed).await.unwrap();
    let codes: Vec<_> = pages.iter().map(|page| (page.page, page.error.clone().unwrap().code, page.attempts)).collect();
    assert_eq!(codes, [(4, "page_damaged".into(), 1), (5, "processor_crashed".into(), 5)]);
    // 1:2, 2:2, 3:3, 4:1, 5:5, 6:2, 7:1, 8:1; and the workers are all still there.
    assert_eq!(calls.load(Ordering::SeqCst), 17);
    let task = test.bindery.submit(paper("After", 4)).await.unwrap();
    soon("the workers to live on", test.bindery.wait(task.id)).await.unwrap();
    test.end().await;
}

#[actix::test]
async fn a_poison_page_costs_only_itself() {
    let processor = ScriptedProcessor::new(WorkKind::Cpu).shard_pages(8).page(5, [Step::Panic]);
    let test = start(processor, 1, quick());
    let task = test.bindery.submit(paper("Poison", 16)).await.unwrap();
    let done = soon("the task", test.bindery.wait(task.id)).await.unwrap();
    assert_eq!((done.counts.done, done.counts.failed), (15, 1));
    assert!(test.bindery.result(task.id).await.unwrap().contains("<!-- page 5: failed: processor_crashed -->"));
    test.end().await;
}

#[actix::test]
async fn a_short_task_does_not_wait_for_a_book() {
    let (first, rest) = (Gate::default(), Gate::default());
    let processor = (2..=3_000)
        .fold(ScriptedProcessor::new(WorkKind::Call).page(1, [Step::Slow(first.clone())]), |processor, page| {
            processor.page(page, [Step::Slow(rest.clone())])
        });
    let calls = processor.calls();
    let test = start(processor, 1, quick());
    let long = test.bindery.submit(paper("Book", 3_000)).await.unwrap();
    let mut watch = test.bindery.watch(long.id).await.unwrap();
    while watch.record().status == TaskStatus::Pending {
        soon("the book to begin", watch.next()).await;
    }
    // One worker is at the book's first page, 2,999 wait. Then comes a leaflet, whose page is page 1, too.
    let leaflet = test.bindery.submit(paper("Leaflet", 1)).await.unwrap();
    soon("the leaflet to be queued", async {
        while test.bindery.ready().await.unwrap().queued < 3_000 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    first.open();
    let done = soon("the leaflet", test.bindery.wait_at_most(leaflet.id, Duration::from_secs(50))).await.unwrap();
    assert_eq!(done.status, TaskStatus::Completed, "it waits for no more than one page of the book");
    assert!(calls.load(Ordering::SeqCst) <= 4);
    test.bindery.cancel(long.id).await.unwrap();
    rest.open();
    test.end().await;
}

#[actix::test]
async fn cancel_retry_delete() {
    let gate = Gate::default();
    let processor = ScriptedProcessor::new(WorkKind::Call).page(2, [Step::Slow(gate.clone())]);
    let test = start(processor, 2, quick());
    let handle = &test.bindery;
    let id = handle.submit(paper("Life", 2)).await.unwrap().id;
    assert!(matches!(handle.retry(id).await, Err(RequestError::NotFinal)));
    assert!(matches!(handle.result(id).await, Err(RequestError::ResultNotReady(_))));
    let cancelled = soon("the cancel", handle.cancel(id)).await.unwrap();
    assert_eq!((cancelled.status, cancelled.epoch), (TaskStatus::Cancelled, 1));
    assert!(matches!(handle.cancel(id).await, Err(RequestError::AlreadyFinal(_))));
    gate.open();
    assert_eq!(handle.retry(id).await.unwrap().epoch, 2);
    let done = soon("the task", handle.wait(id)).await.unwrap();
    assert_eq!((done.status, done.epoch), (TaskStatus::Completed, 2));
    handle.delete(id).await.unwrap();
    assert!(matches!(handle.get(id).await, Err(RequestError::NotFound)));
    test.end().await;
}

#[actix::test]
async fn tasks_beyond_the_active_ones_wait_and_can_be_cancelled() {
    let gate = Gate::default();
    let processor = ScriptedProcessor::new(WorkKind::Call).page(1, [Step::Slow(gate.clone())]);
    let test = start(processor, 2, SupervisorOptions { max_active: 2, ..quick() });
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(test.bindery.submit(paper(&format!("Wait {number}"), 1)).await.unwrap().id);
    }
    let waiting = ids.pop().unwrap();
    let mut watch = test.bindery.watch(waiting).await.unwrap();
    test.bindery.cancel(waiting).await.unwrap();
    assert_eq!(soon("the news", watch.next()).await.unwrap().status, TaskStatus::Cancelled);
    gate.open();
    for id in ids {
        assert_eq!(soon("a task", test.bindery.wait(id)).await.unwrap().status, TaskStatus::Completed);
    }
    test.end().await;
}

/// What is cancelled before it began takes no more room, and what cannot be retried loses none.
#[actix::test]
async fn a_waiting_task_that_is_cancelled_makes_room() {
    let quota = |tasks| TenantLimits { tasks, ..TenantLimits::default() };
    for (max_queued, tenant) in [(2, quota(9)), (9, quota(2))] {
        let gate = Gate::default();
        let processor = ScriptedProcessor::new(WorkKind::Call).page(1, [Step::Slow(gate.clone())]);
        let test = start(processor, 2, SupervisorOptions { max_active: 1, max_queued, tenant, ..quick() });
        let submit = async |title: &str| test.bindery.submit(paper(title, 1).tenant("ann")).await;
        let running = submit("Running").await.unwrap().id;
        for title in ["First", "Second"] {
            let waiting = submit(title).await.unwrap().id;
            assert!(matches!(test.bindery.retry(running).await, Err(RequestError::NotFinal)));
            let refused = submit("Too much").await;
            assert!(matches!(refused, Err(RequestError::QueueFull | RequestError::OverQuota(_))), "{refused:?}");
            test.bindery.cancel(waiting).await.unwrap();
        }
        gate.open();
        soon("the task", test.bindery.wait(running)).await.unwrap();
        test.end().await;
    }
}

#[actix::test]
async fn a_retry_that_is_refused_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = TenantLimits { tasks: 1, ..TenantLimits::default() };
    let bindery = Bindery::builder()
        .store(EmbeddedStore::in_memory().unwrap())
        .blob(LocalBlob::open(dir.path()).unwrap())
        .processor(TextProcessor)
        .options(SupervisorOptions { max_active: 1, tenant, ..quick() })
        .start();
    let id = bindery.submit(paper("Again", 1).tenant("ann")).await.unwrap().id;
    let done = soon("the task", bindery.wait(id)).await.unwrap();
    for _ in 0..2 {
        let refused = bindery.retry_for(id, Cost::of(1.0)).await;
        assert!(matches!(refused, Err(RequestError::Rejected(_))), "text costs nothing: {refused:?}");
        assert_eq!(bindery.get(id).await.unwrap(), done);
    }
    assert_eq!(bindery.retry(id).await.unwrap().epoch, done.epoch + 1, "it has its place and its quota");
    assert_eq!(soon("the task", bindery.wait(id)).await.unwrap().status, TaskStatus::Completed);
    bindery.submit(paper("Next", 1).tenant("ann")).await.unwrap();
    soon("the stop", bindery.stop(Duration::ZERO)).await;
}

#[actix::test]
async fn expired_tasks_go_with_their_files() {
    let options = SupervisorOptions { janitor_tick: Duration::from_millis(500), ..quick() };
    let test = start(ScriptedProcessor::new(WorkKind::Call), 1, options);
    let task = test.bindery.submit(paper("Short-lived", 1).option("ttl", "1s").unwrap()).await.unwrap();
    soon("the task", test.bindery.wait(task.id)).await.unwrap();
    soon("its end", async {
        while files(test.dir.path()).iter().any(|file| file.starts_with("tasks/")) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(matches!(test.bindery.get(task.id).await, Err(RequestError::NotFound)));
    test.end().await;
}
