//! Bindery turns PDFs into Markdown, page by page and in parallel, and finishes the job even if the process dies.
//!
//! This page is the map: the house, the life of a PDF in it, and what always holds. It reads in five minutes.
//!
//! # The house
//! ```text
//!  HTTP / command line / a larger actix app
//!      │ SubmitTask · GetTask · ListTasks · CancelTask · RetryTask · DeleteTask · WatchTask
//!      ▼
//!  Supervisor ──spawn──▶ JobActor ──Enqueue──▶ Dispatcher ──Execute──▶ WorkerActor × N ──▶ Processor
//!   owns the store        owns JobRuntime       owns queues, limiters    SyncArbiter threads
//!      ▲                   ▲                     │      ▲                   │
//!      │ JobReport         │ ShardDone           │   └── ShardDone (reply) ──┘
//!      └───────────────────┴─────────────────────┘
//! ```
//! Commands go down and belong to the receiver; events come up and belong to the emitter, so imports only point down
//! (`tests/it/architecture.rs` holds the code to that). Actors are thin: decisions are plain structs without actor,
//! clock or I/O, tested as tables and by chance. There are no mutexes: state belongs to one actor. Whatever takes
//! time happens on worker threads; the one thing that actors wait for in place is a short read of the embedded store.
//! The supervisor, the dispatcher and all jobs together have a thread each, so that no load of jobs keeps the supervisor
//! from renewing its leases.
//!
//! | room | its one job |
//! |---|---|
//! | [`task`] | what a task is: record, status machine, options, failures |
//! | [`content`] | what a page says, as blocks: the form between readers and outputs |
//! | [`document`] | the PDF as input: facts, hash, text, picture, parts, in processes that may die, and what is recognised there on its picture; the only user of hayro, lopdf and rten |
//! | [`blob`], `ledger` | bytes that appear whole or not at all, in a directory that is provably Bindery's, and in storage that several machines share ([`BlobStore`](blob::BlobStore): S3, a mounted directory); page results by content |
//! | `private_fs` | files and folders that only their owner may read |
//! | [`store`] | [`TaskStore`](store::TaskStore) and its contract; embedded, in memory, Redis; each with a name that its files know |
//! | [`output`] | blocks → Markdown, HTML, plain text, chunks for retrieval |
//! | [`processor`] | [`Processor`](processor::Processor): text, LLM, OCR, auto (each page the cheapest way that will do), and a scripted one for tests |
//! | `aggregate` | joins pages in page order, without the page numbers and headers that they repeat |
//! | `pool` | whose turn it is, what endpoints allow, which jobs are suspended, the workers, and the feed: shards that other servers read |
//! | `job` | the running of one task: `JobRuntime` decides, `JobActor` acts |
//! | [`supervisor`] | owns the tasks; [`Handle`] is its façade |
//! | [`outbound`] | connections to addresses that callers name, and only to where these may lead; fetches documents |
//! | [`notify`] | tells other servers that tasks have ended |
//! | `mcp` | the Model Context Protocol: submit, map, read, search |
//! | [`http`] | the API; the only user of actix-web |
//! | `failpoint` | places where tests make things go wrong; nothing without its feature |
//! | [`keys`] | API keys: who a caller is |
//! | [`metrics`] | every metric |
//! | [`config`], `app` | one configuration; [`Bindery`], where everything is put together |
//!
//! # Life of a PDF
//! 1. **Submit.** The bytes go to a temporary file as they come. A worker has a reader process open the PDF and count its
//!    pages; what is not acceptable is refused now and leaves nothing. The file is synced and renamed to
//!    `tasks/<id>/source.pdf`, beside a copy of the record that does not count yet; then the record is written as `pending`,
//!    then the copy counts, then the caller gets its answer. From here on the task survives, and no failure takes its id
//!    back. The same submit again finds the same task.
//! 2. **Plan.** The supervisor starts a `JobActor`. A worker opens the PDF again; pages that are known
//!    to be in the ledger are done at once, and the rest is cut into shards of consecutive pages.
//! 3. **Dispatch.** The shards wait in the `FairQueue`, beside those of all other jobs. Whenever a
//!    worker is free, the dispatcher gives it the shard whose turn it is; calls wait until their endpoint allows one more,
//!    and until the task has the money. Shards of a job whose lease has ended, or for whose pages there is no room, wait
//!    in the dispatcher as one suspended job, not with workers and not each with a timer. With the first one the task is
//!    `processing`. Where servers share a store and storage, shards that keep a core busy and find no worker here are offered
//!    to those that have one free; their pages come back, and go the way of all others.
//! 4. **Read.** The worker finds out what the pages show, as a hash, and looks them up in the ledger by that; while another
//!    attempt is paying for an equal page, the shard waits for that one. The rest it
//!    has the [`Processor`](processor::Processor) read, and puts each page into the ledger *before* it tells the job, the files of its
//!    figures, where these are wanted, before that. An answer that takes seconds to judge is there before its verdict.
//!    Pages that turn out to need a call come back as shards for calls, and those that need OCR as shards of their own.
//!    A failure that may pass is tried again after
//!    a while, and the processor knows what went wrong before; a shard of several pages that fails goes on page by page;
//!    a page that stays bad is declared failed.
//! 5. **Aggregate.** When every page has its outcome, a worker joins them into `result-<epoch>.json` and `….md`, temporary
//!    file, sync, rename, beside the files of the figures that it links to. Then the record says `completed`, and the supervisor drops the job.
//! 6. **Afterwards** the record answers for itself until its time to live is over. The ledger stays: the same page is
//!    never paid for again, in this task or in another one of its tenant. A purge takes the pages with the task.
//!
//! If the process dies anywhere in between, the next start, or another process on the same store when the lease has
//! ended, finds the record unfinished, takes it up in a new epoch and begins at step 2. Nothing but the ledger is needed
//! to go on. Where PDFs are read in processes of their own, no page is to blame for the death. In a program that reads them
//! in its own process, what was being read at the death goes on one piece at a time, and a page that was being read at
//! three deaths is declared failed.
//!
//! # What always holds
//! Tests and comments refer to these by number; behind each stand the files of the tests that have it in their names.
//! - I1 No page is lost: each ends as output or as a declared failure. `src/job/runtime_play.rs`
//! - I2 Every accepted task reaches exactly one final status, whatever dies. `src/supervisor/ownership/model.rs`,
//!   `src/job/runtime_play.rs`, `tests/it/chaos.rs`, `tests/it/chaos_apart.rs`, `tests/it/feed.rs`, `tests/it/roles.rs`
//! - I3 Output is byte-equal to that of a sequential run, whatever the order of completion, and which servers read it.
//!   `tests/it/chaos.rs`, `tests/it/chaos_apart.rs`, `tests/it/feed.rs`
//! - I4 The result appears once, whole. `src/job/runtime_play.rs`, `tests/failpoints/main.rs`
//! - I5 Calls paid ≤ pages + calls in flight at each crash + retries that the endpoint itself forced. A call that was
//!   in flight when the process was killed is made again: at least once, not exactly once; one that was answered is not,
//!   also while its answer is judged. `tests/it/recovery.rs`, `tests/it/chaos_apart.rs`
//! - I6 A final status changes only by an explicit retry, which begins a new epoch; epoch and version only grow.
//!   `src/store/contract.rs`, `src/supervisor/ownership/model.rs`
//! - I7 No index entry without record, no record without index entry, no work folder without record, after a janitor's
//!   round. `src/store/contract.rs`, `tests/it/chaos.rs`
//! - I8 After a cancel is acknowledged no new call begins. `src/supervisor/ownership/model.rs`, `tests/it/ocr.rs`,
//!   `tests/it/feed.rs`
//! - I9 A one-page task behind a long one waits about one slot, not the book. `src/pool/fair_queue.rs`, `tests/it/embed.rs`
//! - I10 When faults stop, everything finishes within lease and retries, by itself. `src/supervisor/ownership/model.rs`,
//!   `tests/it/chaos.rs`, `tests/it/chaos_apart.rs`, `tests/it/feed.rs`
//! - I11 When work ends, memory, queues and temporary files are back where they were. `src/pool/claims.rs`,
//!   `src/supervisor/audience.rs`, `tests/it/chaos.rs`
//! - I12 Only the job runtime changes the state of subtasks, only the supervisor the status of tasks; a message
//!   of an older epoch changes nothing, but its paid page is in the ledger. `src/job/subtask.rs`, `tests/it/feed.rs`
//! - I13 What a page shows and nothing reads is a finding. `tests/it/findings.rs`
//! - I14 A limit that an operator sets for an endpoint or a tenant holds for all servers together, not for each.
//!   `tests/it/cluster_limits.rs`
//!
//! # Glossary
//! | term | meaning |
//! |---|---|
//! | task | one submitted PDF with its options; durable |
//! | job | the running of one task on one node, in memory |
//! | shard, subtask | a range of consecutive pages; its state and attempts in a job |
//! | step | one way to read a page: what reads, its model and prompt, hence a recipe; a processor is a list of steps |
//! | attempt | one try of one step at one shard |
//! | `ShardDone`, `ShardResult` | the one message about a shard that leaves the pool, and what became of the attempt |
//! | `JobSpec`, `JobContext` | what the work of a job has in common, as data; the same with the handles of this process |
//! | [`Usage`](task::Usage) | calls, tokens and money: of a call, a page, a job, a task |
//! | epoch, lease | the number of a job of its task, by which older jobs' writes fail; until when its owner may begin work |
//! | suspended | a job of which no attempt begins until its lease is held again, or there is room |
//! | role | whether a server accepts tasks, runs them, or does both |
//! | feed, entry | how servers read each other's shards; one shard on offer there, with one server at a time |
//! | share | the part that one server has, for a moment, of what an endpoint allows to all servers of a store |
//! | permit, hedge | the right to one call in flight at an endpoint; a second call beside one that takes long |
//! | quarantine | the one worker for pages that were being read when the process died |
//! | crash journal | the file that says what was being read, for the next process |
//! | recipe, ledger | everything besides the page that decides how it comes out; page results by content and recipe |
//! | finding | what is known against a page; with one that counts it is doubtful |
//! | aggregate | to join the pages of a task in page order |
//!
//! # Embedding
//! ```no_run
//! use bindery::blob::LocalBlob;
//! use bindery::processor::TextProcessor;
//! use bindery::store::EmbeddedStore;
//! use bindery::{Bindery, NewTask};
//!
//! #[actix::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let dir = "bindery-data";
//!     let bindery = Bindery::builder()
//!         .store(EmbeddedStore::open(dir)?)
//!         .blob(LocalBlob::open(dir)?)
//!         .processor(TextProcessor::default())
//!         .start();
//!     let task = bindery.submit(NewTask::from_path("paper.pdf")).await?;
//!     let done = bindery.wait(task.id).await?;
//!     println!("{} pages\n{}", done.counts.done, bindery.result(task.id).await?);
//!     bindery.stop(std::time::Duration::from_secs(30)).await;
//!     Ok(())
//! }
//! ```
//! Features: `http` (API), `llm`, `redis`, `s3`, `webhooks`, `ocr`, `cli` (program and configuration) are on by default, and
//! each can be had alone; `testing` has `ScriptedProcessor` and the suites that check a store of your own.
//!
//! `bindery.supervisor()` gives the actor's address, to send it the messages yourself. `tests/examples/embed.rs` runs
//! Bindery in an actix-web app with a processor of its own.

// A build of some parts leaves unused what only the others need; the full one finds what none does.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod aggregate;
mod app;
pub mod blob;
pub mod clock;
#[cfg(feature = "cli")]
pub mod config;
pub mod content;
pub mod document;
#[cfg(feature = "failpoints")]
pub mod failpoint;
#[cfg(not(feature = "failpoints"))]
mod failpoint;
#[cfg(feature = "http")]
pub mod http;
mod job;
#[cfg(feature = "http")]
pub mod keys;
mod ledger;
#[cfg(feature = "http")]
mod mcp;
pub mod metrics;
pub mod notify;
pub mod outbound;
pub mod output;
mod pool;
mod private_fs;
pub mod processor;
pub mod store;
pub mod supervisor;
pub mod task;

pub use app::{Bindery, Builder};
pub use job::RetryPolicy;
pub use ledger::{LedgerLimits, LedgerSharing};
pub use pool::{EndpointLoad, Estimate, Load, PoolOptions, Rates, ShareLoad};
pub use supervisor::{Handle, NewTask};

// The crates whose types stand in public signatures, in the versions that these have them in.
pub use {actix, bytes, futures, serde_json, tokio, tokio_util, uuid};
#[cfg(feature = "http")]
pub use {actix_cors, actix_web, metrics_exporter_prometheus};

/// What the program, the tests and the benches of this package have of its inside. It may change in any release.
#[doc(hidden)]
pub mod internal {
    pub use crate::aggregate::{Forms, MarkdownWriter, page_of_line, page_view};
    pub use crate::blob::directory::{DataDir, MARKER};
    pub use crate::blob::scratch::Scratch;
    pub use crate::document::ocr::{LICENCE as MODEL_LICENCE, MODEL_FILES, ModelFile};
    pub use crate::document::pdf::is_document_ending;
    pub use crate::document::plan::plan;
    pub use crate::document::reader::read_for_owner;
    pub use crate::document::split::Splitter;
    pub use crate::job::{JobEvent, JobRuntime, Route};
    pub use crate::ledger::{LedgerScope, PageKey, RecipeHash};
    #[cfg(feature = "http")]
    pub use crate::mcp::{Progress, Server};
    pub use crate::pool::{FairQueue, PageResult, ShardDone, ShardResult};
    pub use crate::processor::steps::Steps;
    #[cfg(any(test, feature = "testing"))]
    pub use crate::store::altered::AlteredStore;
}
