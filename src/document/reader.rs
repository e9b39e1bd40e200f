//! Readers: the processes in which untrusted PDFs are opened and read.
//!
//! ```text
//!  worker thread ──takes a seat──▶ Pool ──spawns──▶ reader process (`bindery reader`)
//!        │                                              ▲   confined: memory, system calls, no environment
//!        └── Open (descriptor) · Text · Close ──────┘
//! ```
//! A file can make its reader hang, take all memory or overflow its stack, and none of these can be caught in the
//! process that it happens to. So a worker that wants to read takes a seat, of which there are as many as CPU workers,
//! and with it a process that it alone talks to; it waits for an answer only so long, and kills what does not answer. A
//! page is tried in a second, fresh process before it is given up, so that it does not pay for what the pages before it
//! left behind, or for a moment in which the machine was busy.
//!
//! A process stays for many pages and files.

mod child;
mod confine;
mod pool;
mod process;
mod remote;
mod wire;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use self::pool::Pool;
use self::process::Death;
use super::ocr::OcrModels;
use super::pdf::{DocumentLimits, OpenPdf};
use super::source::Document;
use crate::task::{Failure, code};

pub use child::read_for_owner;
pub(super) use pool::PooledReader;
pub(super) use process::WaitLimits;
pub(super) use remote::RemotePdf;

/// What a reader process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReaderLimits {
    /// The longest that opening a file or reading a page may take.
    pub page_time: Duration,
    /// How many bytes a process may allocate; the mapped file does not count.
    pub memory: u64,
}

impl Default for ReaderLimits {
    fn default() -> Self {
        Self { page_time: Duration::from_secs(20), memory: 1 << 30 }
    }
}

impl ReaderLimits {
    /// The longest that opening a file or reading a page may take, and how many bytes a process may allocate.
    #[must_use]
    pub const fn new(page_time: Duration, memory: u64) -> Self {
        Self { page_time, memory }
    }
}

/// Where PDFs are opened and read: in this process, or in processes of their own. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    pool: Option<Arc<Pool>>,
    models: Option<OcrModels>,
}

impl Readers {
    /// Reads in this process. That is somewhat faster and needs no program, but a hostile or badly damaged PDF can
    /// hang a worker for good, or end the process.
    #[must_use]
    pub const fn in_process() -> Self {
        Self { pool: None, models: None }
    }

    /// Reads in at most `most` (at least 1) processes of `program`, a `bindery` of this version. They are started when
    /// they are needed, by worker threads, and end with the thread that started them.
    #[must_use]
    pub fn processes(program: PathBuf, most: usize, limits: ReaderLimits) -> Self {
        let seats = crossbeam_channel::bounded(most.max(1));
        (0..most.max(1)).for_each(|_| drop(seats.0.send(None)));
        let (opened, warned) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { pool: Some(Arc::new(Pool { program, limits, seats, opened, warned })), models: None }
    }

    /// The same, with the models that recognise text on pictures of pages. They are loaded when they are first needed, by
    /// each process for itself.
    #[must_use]
    pub fn with_models(self, models: Option<OcrModels>) -> Self {
        Self { models, ..self }
    }

    /// The program that this process runs, for [`Self::processes`] of the `bindery` command itself.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn this_program() -> io::Result<PathBuf> {
        // This name holds when the file is replaced by a newer version while the process runs.
        let itself = Path::new("/proc/self/exe");
        if itself.exists() { Ok(itself.to_owned()) } else { std::env::current_exe() }
    }

    /// Opens the file at `path`. It must not be changed while the document lives. Blocks.
    ///
    /// # Errors
    /// `not_a_pdf`, `pdf_encrypted`, `pdf_damaged`, `pdf_too_large` or `too_many_pages`; `storage_failed` when the file
    /// cannot be read, `reader_unavailable` when no process can be started, `reader_killed` when those that were started
    /// were killed from outside.
    pub fn open(&self, path: &Path, password: Option<&str>, limits: &DocumentLimits) -> Result<Document, Failure> {
        let file = limits.open(path)?;
        let Some(pool) = &self.pool else {
            let pdf = OpenPdf::open(&file, password)?;
            return Ok(Document::here(limits.check_pages(pdf.page_count())?, pdf, self.models.clone()));
        };
        let id = pool.opened.fetch_add(1, Ordering::Relaxed);
        let (password, models) = (password.map(str::to_owned), self.models.clone());
        let remote = RemotePdf { id, file, password, pool: Arc::clone(pool), models };
        let pages = remote.open(&mut pool.seat(&WaitLimits::default())?)?;
        Ok(Document::elsewhere(limits.check_pages(pages)?, remote))
    }

    /// Whether PDFs are read in processes of their own, so that what is in a file cannot end this one.
    #[must_use]
    pub const fn are_processes(&self) -> bool {
        self.pool.is_some()
    }

    /// Starts a process and says what it could not lock itself out of; nothing when all is well, or when PDFs are read
    /// in this process. For a server's start: later the same is only logged.
    ///
    /// # Errors
    /// `reader_unavailable` when no process can be started.
    pub fn check(&self) -> Result<Option<String>, Failure> {
        let Some(pool) = &self.pool else { return Ok(None) };
        pool.warned.store(true, Ordering::Relaxed);
        let mut seat = pool.seat(&WaitLimits::default())?;
        let (reader, unconfined) =
            pool.start().map_err(|error| pool.failure(Death::SpawnFailed(error), "reading", pool.limits.page_time))?;
        seat.reader = Some(reader);
        Ok(unconfined)
    }
}

/// What is said of models that are not there.
const NOT_THERE: &str = "the OCR models are not there: see bindery models install --help";

/// Why text on pictures cannot be recognised where there were never models.
pub(super) fn no_models() -> Failure {
    Failure::permanent(code::OCR_FAILED, NOT_THERE)
}

/// The same where they were, and may be again, such as while they are replaced.
pub(super) fn models_gone() -> Failure {
    Failure::transient(code::OCR_FAILED, NOT_THERE)
}

#[cfg(test)]
#[path = "reader/reader_tests.rs"]
mod tests;
