//! Bindery turns PDFs into Markdown, page by page and in parallel, and finishes the job even if the process dies.
//!
//! This page is the map: the house, the life of a PDF in it, and what always holds. It reads in five minutes.
//!
//! # The house
//! ```text
//!  HTTP / command line / a larger actix app
//!      │ SubmitTask · GetTask · ListTasks · CancelTask · RetryTask · DeleteTask · WatchTask
//!      ▼
//!  Supervisor ──spawn──▶ JobActor ──Enqueue──▶ Dispatcher ──Perform──▶ WorkerActor × N ──▶ Processor
//!   owns the store        owns JobRuntime       owns queues, limiters    SyncArbiter threads
//!      ▲                   ▲                     │      ▲                   │
//!      │ JobReport         │ PoolEvent           │      └── Ended (reply) ──┘
//!      └───────────────────┴─────────────────────┘
//! ```
//! Commands go down and belong to the receiver; events come up and belong to the emitter, so imports only point down
//! (`tests/it/architecture.rs` holds the code to that). Actors are thin: decisions are plain structs without actor,
//! clock or I/O, tested as tables and by chance. There are no mutexes: state belongs to one actor. Whatever takes
//! time happens on worker threads; the one thing that actors wait for in place is a short read of the embedded store.
//!
//! | room | its one job |
//! |---|---|
//! | [`task`] | what a task is: record, status machine, options, failures |
//! | [`content`] | what a page says, as blocks: the form between readers and outputs |
//! | [`document`] | the PDF as input: facts, hash, text, picture, parts, in processes that may die, and what is recognised there on its picture; the only user of hayro, lopdf and rten |
//! | [`blob`], [`ledger`] | bytes that appear whole or not at all, in a directory that is provably Bindery's; page results by content |
//! | `private_fs` | files and folders that only their owner may read |
//! | [`store`] | [`TaskStore`](store::TaskStore) and its contract; embedded, in memory, Redis; each with a name that its files know |
//! | [`output`] | blocks → Markdown, HTML, plain text, chunks for retrieval |
//! | [`processor`] | [`Processor`](processor::Processor): text, LLM, OCR, auto (each page the cheapest way that will do), and a scripted one for tests |
//! | [`aggregate`] | joins pages in page order, without the page numbers and headers that they repeat |
//! | [`pool`] | whose turn it is, what endpoints bear, and the workers |
//! | [`job`] | the running of one task: [`JobRuntime`](job::JobRuntime) decides, [`JobActor`](job::JobActor) acts |
//! | [`supervisor`] | owns the tasks; [`Handle`] is its façade |
//! | [`notify`] | tells other servers that tasks have ended |
//! | [`mcp`] | the Model Context Protocol: submit, map, read, search |
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
//! 2. **Plan.** The supervisor starts a [`JobActor`](job::JobActor). A worker opens the PDF again; pages that are known
//!    to be in the ledger are done at once, and the rest is cut into shards of consecutive pages.
//! 3. **Dispatch.** The shards wait in the [`FairQueue`](pool::FairQueue), beside those of all other jobs. Whenever a
//!    worker is free, the dispatcher gives it the shard whose turn it is; calls wait until their endpoint bears one more,
//!    and until the task has the money. With the first one the task is `processing`.
//! 4. **Read.** The worker finds out what the pages show, as a hash, and looks them up in the ledger by that; while another
//!    attempt is paying for an equal page, the shard waits for that one. The rest it
//!    has the [`Processor`](processor::Processor) read, and puts each page into the ledger *before* it tells the job, the files of its
//!    figures, where these are wanted, before that.
//!    Pages that turn out to need a call come back as shards for calls, and those that need OCR as shards of their own.
//!    A failure that may pass is tried again after
//!    a while, and the processor knows what went wrong before; a shard of several pages that fails goes on page by page;
//!    a page that stays bad is declared failed.
//! 5. **Bind.** When every page has its outcome, a worker joins them into `result-<epoch>.json` and `….md`, temporary
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
//! Tests and comments refer to these by number.
//! - I1 No page is lost: each ends as output or as a declared failure.
//! - I2 Every accepted task reaches exactly one final status, whatever dies.
//! - I3 Output is byte-equal to that of a sequential run, whatever the order of completion.
//! - I4 The result appears once, whole.
//! - I5 Calls paid ≤ pages + calls in flight at each crash + retries that the endpoint itself forced. A call that was
//!   in flight when the process was killed is made again: at least once, not exactly once.
//! - I6 A final status changes only by an explicit retry, which begins a new epoch; epoch and version only grow.
//! - I7 No index entry without record, no record without index entry, no work folder without record, after a janitor's
//!   round.
//! - I8 After a cancel is acknowledged no new call begins.
//! - I9 A one-page task behind a long one waits about one slot, not the book.
//! - I10 When faults stop, everything finishes within lease and retries, with nobody's help.
//! - I11 When work ends, memory, queues and temporary files are back where they were.
//! - I12 Only the job runtime changes the state of subtasks, only the supervisor the status of tasks; news from an
//!   older epoch changes nothing, but its paid page is in the ledger.
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
//! `bindery.supervisor()` gives the actor's address, to send it the messages yourself. `tests/examples/embed.rs` runs
//! Bindery in an actix-web app with a processor of its own.

pub mod aggregate;
mod app;
pub mod blob;
pub mod clock;
pub mod config;
pub mod content;
pub mod document;
#[cfg(feature = "failpoints")]
pub mod failpoint;
#[cfg(not(feature = "failpoints"))]
mod failpoint;
pub mod http;
pub mod job;
pub mod keys;
pub mod ledger;
pub mod mcp;
pub mod metrics;
pub mod notify;
pub mod output;
pub mod pool;
mod private_fs;
pub mod processor;
pub mod store;
pub mod supervisor;
pub mod task;

pub use app::{Bindery, Builder};
pub use supervisor::{Handle, NewTask};
