//! The Rust API, with a processor that does what it is told.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::test::{TestRequest, call_and_read_body_json, call_service, init_service, read_body_json};
use actix_web::{App, web};
use bindery::PoolOptions;
use bindery::blob::LocalBlob;
use bindery::content::from_markdown;
use bindery::document::PageFacts;
use bindery::http::{ApiState, configure_api};
use bindery::processor::{
    Gate, PageRead, Processor, Scripted, ScriptedProcessor, ShardInput, ShardOutcome, Step, TextProcessor, WorkKind,
};
use bindery::store::{EmbeddedStore, ListQuery};
use bindery::supervisor::{PageWindow, RequestError, SupervisorOptions, TenantLimits};
use bindery::task::{Cost, PageOutput, PageStatus, TaskOptions, TaskStatus};
use bindery::{Bindery, NewTask};
use futures::StreamExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::pdf::book;
use crate::support::server::files;
use crate::support::{soon, until, with};

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
        .pool(PoolOptions::workers(2, workers))
        .options(options)
        .start();
    TestBindery { bindery, dir }
}

impl TestBindery {
    /// Stops, and looks that nothing but pages and tasks is left.
    async fn end(self) {
        until("the pool to be idle", async || self.bindery.ready().await.unwrap().in_flight == 0).await;
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
    assert_eq!(test.bindery.list(with(ListQuery::default(), |query| query.limit = 9)).await.unwrap().tasks.len(), 1);
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
        .page(1, [Scripted::RateLimited(Duration::from_millis(2)), Scripted::Ok])
        .page(2, [Scripted::Panic, Scripted::Ok])
        .page(3, [Scripted::FailTransient, Scripted::Panic, Scripted::Ok])
        .page(4, [Scripted::FailForGood])
        .page(5, [Scripted::Panic])
        .page(6, [Scripted::Hang, Scripted::Ok]);
    let calls = processor.calls();
    let test = start(processor, 2, with(quick(), |options| options.attempt_timeout = Duration::from_millis(50)));
    let task = test.bindery.submit(paper("Wrong", 8)).await.unwrap();
    let done = soon("the task", test.bindery.wait(task.id)).await.unwrap();
    assert_eq!((done.status, done.counts.done, done.counts.failed), (TaskStatus::Completed, 6, 2));
    let failed = with(PageWindow::default(), |window| window.status = Some(PageStatus::Failed));
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
    let processor = ScriptedProcessor::new(WorkKind::Cpu).shard_pages(8).page(5, [Scripted::Panic]);
    let test = start(processor, 1, quick());
    let task = test.bindery.submit(paper("Poison", 16)).await.unwrap();
    let done = soon("the task", test.bindery.wait(task.id)).await.unwrap();
    assert_eq!((done.counts.done, done.counts.failed), (15, 1));
    assert!(test.bindery.result(task.id).await.unwrap().contains("<!-- page 5: failed: processor_crashed -->"));
    test.end().await;
}

#[actix::test]
async fn i9_a_short_task_does_not_wait_for_a_book() {
    let (first, rest) = (Gate::default(), Gate::default());
    let processor = (2..=3_000)
        .fold(ScriptedProcessor::new(WorkKind::Call).page(1, [Scripted::Slow(first.clone())]), |processor, page| {
            processor.page(page, [Scripted::Slow(rest.clone())])
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
    until("the leaflet to be queued", async || test.bindery.ready().await.unwrap().queued >= 3_000).await;
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
    let processor = ScriptedProcessor::new(WorkKind::Call).page(2, [Scripted::Slow(gate.clone())]);
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
    let processor = ScriptedProcessor::new(WorkKind::Call).page(1, [Scripted::Slow(gate.clone())]);
    let test = start(processor, 2, with(quick(), |options| options.max_active = 2));
    let mut ids = Vec::new();
    for number in 0..8 {
        ids.push(test.bindery.submit(paper(&format!("Wait {number}"), 1)).await.unwrap().id);
    }
    let condition = test.bindery.condition().await.unwrap();
    assert_eq!((condition.running, condition.waiting), (2, 6));
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
    let quota = |tasks| with(TenantLimits::default(), |limits| limits.tasks = tasks);
    for (max_queued, tenant) in [(2, quota(9)), (9, quota(2))] {
        let gate = Gate::default();
        let processor = ScriptedProcessor::new(WorkKind::Call).page(1, [Scripted::Slow(gate.clone())]);
        let options = with(quick(), |options| {
            (options.max_active, options.max_queued, options.tenant) = (1, max_queued, tenant);
        });
        let test = start(processor, 2, options);
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
    let options = with(quick(), |options| (options.max_active, options.tenant.tasks) = (1, 1));
    let bindery = Bindery::builder()
        .store(EmbeddedStore::in_memory().unwrap())
        .blob(LocalBlob::open(dir.path()).unwrap())
        .processor(TextProcessor)
        .options(options)
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
    let options = with(quick(), |options| options.janitor_tick = Duration::from_millis(500));
    let test = start(ScriptedProcessor::new(WorkKind::Call), 1, options);
    let task = test.bindery.submit(paper("Short-lived", 1).option("ttl", "1s").unwrap()).await.unwrap();
    soon("the task", test.bindery.wait(task.id)).await.unwrap();
    until("its end", async || !files(test.dir.path()).iter().any(|file| file.starts_with("tasks/"))).await;
    assert!(matches!(test.bindery.get(task.id).await, Err(RequestError::NotFound)));
    test.end().await;
}

/// A processor of an embedder, with an option of its own.
struct Stamp;

impl Stamp {
    fn mark(options: &TaskOptions) -> &str {
        options.extra.get("mark").map_or("stamp", String::as_str)
    }
}

impl Processor for Stamp {
    fn name(&self) -> &'static str {
        "stamp"
    }

    fn own_options(&self) -> &[&str] {
        &["mark"]
    }

    fn steps(&self, options: &TaskOptions, _: Option<&PageFacts>) -> Vec<Step> {
        vec![Step::local("stamp", serde_json::json!({ "processor": "stamp", "mark": Self::mark(options) }))]
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let content = from_markdown(Self::mark(input.options));
        let output = PageOutput::new("stamp", content);
        ShardOutcome::Done(input.shard.pages().map(|page| PageRead::new(page, Ok(output.clone()))).collect())
    }
}

#[actix::test]
async fn a_processor_has_options_of_its_own_and_others_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bindery = Bindery::builder()
        .store(EmbeddedStore::in_memory().unwrap())
        .blob(LocalBlob::open(dir.path()).unwrap())
        .processor(Stamp)
        .start();
    let mut results = Vec::new();
    for (name, value) in [("extra.mark", "seen"), ("extra.mark", "paid"), ("priority", "0")] {
        let task = bindery.submit(paper("Stamped", 1).option(name, value).unwrap()).await.unwrap();
        soon("the task", bindery.wait(task.id)).await.unwrap();
        results.push(bindery.result(task.id).await.unwrap().lines().last().unwrap().to_owned());
    }
    assert_eq!(results, ["seen", "paid", "stamp"], "another option is another page");
    let refused = bindery.submit(paper("Stamped", 1).option("extra.colour", "red").unwrap()).await;
    let Err(RequestError::Rejected(why)) = refused else { panic!("nothing reads that option") };
    assert_eq!(why.message, "option extra.colour: unknown to the processor stamp; it takes mark");
    bindery.stop(Duration::ZERO).await;
}

/// In an app of one's own the API stands below a scope, without the web page, and what Bindery refuses an own route answers
/// as the API does.
#[actix::test]
async fn the_api_stands_below_any_scope_and_own_routes_answer_alike() {
    let test = start(ScriptedProcessor::new(WorkKind::Call), 1, quick());
    let state = ApiState::new(test.bindery.handle(), CancellationToken::new()).base_path("/pdf");
    let full = web::get().to(async || Err::<String, _>(RequestError::QueueFull));
    let scope = web::scope("/pdf").configure(|app| configure_api(app, state)).route("/own", full);
    let app = init_service(App::new().service(scope)).await;

    let submit = TestRequest::post().uri("/pdf/v1/tasks").insert_header(("content-type", "application/pdf"));
    let task: Value = call_and_read_body_json(&app, submit.set_payload(book("Scope", 1)).to_request()).await;
    let own = task["links"]["self"].as_str().unwrap_or_else(|| panic!("{task}"));
    assert!(own.starts_with("/pdf/v1/tasks/"), "{own}");
    let ended = TestRequest::get().uri(&format!("{own}?wait=50")).to_request();
    let ended: Value = call_and_read_body_json(&app, ended).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(call_service(&app, TestRequest::get().uri("/pdf/").to_request()).await.status(), 404, "no page");

    let refused = call_service(&app, TestRequest::get().uri("/pdf/own").to_request()).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    let problem: Value = read_body_json(refused).await;
    assert_eq!(problem["code"], RequestError::QueueFull.code());
    drop(app);
    test.end().await;
}

#[actix::test]
async fn the_changes_of_a_task_are_a_stream_that_ends_with_it() {
    let gate = Gate::default();
    let processor = ScriptedProcessor::new(WorkKind::Call).page(2, [Scripted::Slow(gate.clone())]);
    let test = start(processor, 1, quick());
    let task = test.bindery.submit(paper("Watched", 2)).await.unwrap();
    let changes = test.bindery.watch(task.id).await.unwrap();
    gate.open();
    let seen: Vec<TaskStatus> = soon("the end", changes.map(|record| record.status).collect()).await;
    assert_eq!(seen.last(), Some(&TaskStatus::Completed), "{seen:?}");
    test.end().await;
}
