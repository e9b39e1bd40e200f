//! Readers: the processes in which PDFs that nobody vouches for are opened and read.
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
mod process;
mod wire;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};

use self::process::{Death, Frame, GLANCE, Reader, Trouble};
use self::wire::{Answer, Request, unpacked};
use super::content::ContentHash;
use super::facts::{OutlineEntry, PageFacts};
use super::figures::FigureImage;
use super::image::{ImageOptions, PageImage};
use super::ocr::{OcrModels, Recognised};
use super::pdf::{DocumentLimits, OpenPdf};
use super::source::Document;
use super::text::{TextLayer, TextOptions};
use crate::content::BoundingBox;
use crate::metrics;
use crate::task::{DocumentInfo, Failure, code};

pub use child::read_for_owner;
pub(super) use process::Patience;

/// What a reader process may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let pages = remote.open(&mut pool.seat(&Patience::default())?)?;
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
        let mut seat = pool.seat(&Patience::default())?;
        let (reader, unconfined) =
            pool.start().map_err(|error| pool.failure(Death::Unborn(error), "reading", pool.limits.page_time))?;
        seat.reader = Some(reader);
        Ok(unconfined)
    }
}

struct Pool {
    program: PathBuf,
    limits: ReaderLimits,
    /// The free seats; a seat may have a process.
    seats: (Sender<Option<Reader>>, Receiver<Option<Reader>>),
    /// How many documents were opened; the number of the last one is its name.
    opened: AtomicU64,
    warned: AtomicBool,
}

/// A file that reader processes open.
pub(super) struct RemotePdf {
    id: u64,
    file: File,
    password: Option<String>,
    pool: Arc<Pool>,
    models: Option<OcrModels>,
}

/// The right to use one process. No thread may want a second one while it has one.
pub(super) struct Seat<'a> {
    pool: &'a Pool,
    reader: Option<Reader>,
}

/// Recognising the text of a page takes so many times as long as reading one: some seconds, more on a busy machine.
const RECOGNISING: u32 = 6;
/// How often a page is tried, each time in a fresh process.
const TRIES: u32 = 2;
/// The same of one whose processes are killed from outside: it is not to blame.
const KILLS: u32 = 3;

impl Pool {
    /// Waits for a seat.
    ///
    /// # Errors
    /// `reader_unavailable` when `patience` ends first: nothing was done, and no page is to blame.
    fn seat(&self, patience: &Patience) -> Result<Seat<'_>, Failure> {
        loop {
            match self.seats.1.recv_timeout(GLANCE) {
                Ok(reader) => return Ok(Seat { pool: self, reader }),
                // It cannot be disconnected: the pool has the other end.
                Err(_) if patience.has_ended() => {
                    return Err(Failure::passing(code::READER_UNAVAILABLE, "all readers of PDFs are busy"));
                }
                Err(_) => {}
            }
        }
    }

    fn start(&self) -> io::Result<(Reader, Option<String>)> {
        Reader::start(&self.program, self.limits.memory)
    }

    /// `time` is how long it could take.
    fn failure(&self, death: Death, what: &str, time: Duration) -> Failure {
        let memory = self.limits.memory;
        match death {
            Death::TooSlow | Death::OutOfTime => metrics::reader_died("timeout"),
            Death::TooMuchMemory => metrics::reader_died("memory"),
            Death::Crash => metrics::reader_died("crash"),
            Death::Killed(_) => metrics::reader_died("killed"),
            Death::Unborn(_) | Death::Unwanted => {}
        }
        match death {
            Death::Unborn(error) => {
                log::warn!("no reader process can be started: {error}");
                let message = format!("no process can be started for {what}: {}", error.kind());
                Failure::passing(code::READER_UNAVAILABLE, message)
            }
            Death::TooSlow => {
                let message = format!("{what} takes longer than {} s", time.as_secs_f32());
                Failure::permanent(code::PAGE_TIMEOUT, message)
            }
            Death::OutOfTime => Failure::passing(code::TIMEOUT, format!("{what} took too long")),
            Death::Unwanted => Failure::passing(code::TIMEOUT, format!("{what} was given up")),
            Death::TooMuchMemory => {
                let message = format!("{what} takes more than {} MB of memory", memory >> 20);
                Failure::permanent(code::PAGE_MEMORY, message)
            }
            Death::Crash => Failure::permanent(code::PAGE_CRASH, format!("{what} crashes the reader")),
            Death::Killed(signal) => {
                let message = format!(
                    "the process for {what} was killed from outside ({signal}) {KILLS} times: is the machine out of memory?"
                );
                Failure::passing(code::READER_KILLED, message)
            }
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        // There is room: this seat came from there.
        let _ = self.pool.seats.0.try_send(self.reader.take());
    }
}

impl RemotePdf {
    /// See [`Pool::seat`].
    pub(super) fn seat(&self, patience: &Patience) -> Result<Seat<'_>, Failure> {
        self.pool.seat(patience)
    }

    /// Opens the file; how many pages it has.
    ///
    /// # Errors
    /// See [`Readers::open`].
    fn open(&self, seat: &mut Seat<'_>) -> Result<usize, Failure> {
        match self.ask(seat, None, &Patience::default()) {
            Ok((Answer::Opened { pages }, _)) => Ok(pages),
            Ok(_) => Err(Failure::permanent(code::PDF_DAMAGED, "opening the PDF crashes the reader")),
            Err(Trouble::Said(failure)) => Err(failure),
            Err(Trouble::Died(death)) => {
                let failure = self.pool.failure(death, "opening the PDF", self.pool.limits.page_time);
                Err(if failure.retryable { failure } else { Failure::permanent(code::PDF_DAMAGED, failure.message) })
            }
        }
    }

    /// The text of `page` (from 1).
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) fn text(
        &self,
        seat: &mut Seat<'_>,
        page: u32,
        options: TextOptions,
        patience: &Patience,
    ) -> Result<TextLayer, Failure> {
        self.page(seat, page, &Request::Text { page, options }, patience, |answer| match answer {
            (Answer::Text { shown, hidden, attached }, content) => {
                serde_json::from_slice(&content).ok().map(|content| TextLayer { content, shown, hidden, attached })
            }
            _ => None,
        })
    }

    /// What `page` (from 1) shows, as a hash.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) fn content_hash(
        &self,
        seat: &mut Seat<'_>,
        page: u32,
        patience: &Patience,
    ) -> Result<ContentHash, Failure> {
        self.page(seat, page, &Request::ContentHash { page }, patience, |answer| match answer {
            (Answer::ContentHash, hash) => hash.try_into().ok(),
            _ => None,
        })
    }

    /// What is known of `page` (from 1).
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) fn facts(&self, seat: &mut Seat<'_>, page: u32, patience: &Patience) -> Result<PageFacts, Failure> {
        self.page(seat, page, &Request::Facts { page }, patience, |answer| match answer {
            (Answer::Facts(facts), _) => Some(facts),
            _ => None,
        })
    }

    /// The document's outline, and what it says of itself.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) fn outline(
        &self,
        seat: &mut Seat<'_>,
        patience: &Patience,
    ) -> Result<(Vec<OutlineEntry>, DocumentInfo), Failure> {
        self.about("the outline", seat, &Request::Outline, patience, |answer| match answer {
            (Answer::Outline(entries, info), _) => Some((entries, info)),
            _ => None,
        })
    }

    /// How `page` (from 1) looks.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) fn image(
        &self,
        seat: &mut Seat<'_>,
        page: u32,
        options: ImageOptions,
        patience: &Patience,
    ) -> Result<PageImage, Failure> {
        self.page(seat, page, &Request::Image { page, options }, patience, |answer| match answer {
            (Answer::Image { media_type, width, height, blank, plain, bare, letters }, bytes) => {
                Some(PageImage { media_type, width, height, blank, plain, bare, letters, bytes })
            }
            _ => None,
        })
    }

    /// What some areas of `page` (from 1) show.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(super) fn figures(
        &self,
        seat: &mut Seat<'_>,
        page: u32,
        areas: &[BoundingBox],
        patience: &Patience,
    ) -> Result<Vec<Option<FigureImage>>, Failure> {
        let request = Request::Figures { page, areas: areas.to_vec() };
        self.page(seat, page, &request, patience, |answer| match answer {
            (Answer::Figures(heads), files) if heads.len() == areas.len() => unpacked(heads, &files),
            _ => None,
        })
    }

    /// What the picture of `page` (from 1) says.
    ///
    /// # Errors
    /// As [`Self::page`]; `ocr_failed` without models.
    pub(super) fn recognise(&self, seat: &mut Seat<'_>, page: u32, patience: &Patience) -> Result<Recognised, Failure> {
        self.page(seat, page, &Request::Recognise { page }, patience, |answer| match answer {
            (Answer::Recognised(quality), content) => {
                serde_json::from_slice(&content).ok().map(|content| Recognised { content, quality })
            }
            _ => None,
        })
    }

    /// Asks about a page; `understand` is `None` for an answer to something else, which only a broken process gives.
    ///
    /// # Errors
    /// `page_damaged`, or how the page kept its reader from answering: `page_timeout`, `page_memory`, `page_crash`;
    /// `timeout` when `patience` ended first, `reader_killed` when its readers were killed from outside.
    fn page<T>(
        &self,
        seat: &mut Seat<'_>,
        page: u32,
        request: &Request,
        patience: &Patience,
        understand: impl FnOnce(Frame) -> Option<T>,
    ) -> Result<T, Failure> {
        self.about(&format!("page {page}"), seat, request, patience, understand)
    }

    fn about<T>(
        &self,
        what: &str,
        seat: &mut Seat<'_>,
        request: &Request,
        patience: &Patience,
        understand: impl FnOnce(Frame) -> Option<T>,
    ) -> Result<T, Failure> {
        let death = match self.ask(seat, Some(request), patience) {
            Ok(answer) => match understand(answer) {
                Some(understood) => return Ok(understood),
                None => Death::Crash,
            },
            Err(Trouble::Said(failure)) => return Err(failure),
            Err(Trouble::Died(death)) => death,
        };
        Err(self.pool.failure(death, &format!("reading {what}"), request.time(self.pool.limits.page_time)))
    }

    /// Asks a process that has the file open; without a request the answer is that of the opening.
    fn ask(&self, seat: &mut Seat<'_>, request: Option<&Request>, patience: &Patience) -> Result<Frame, Trouble> {
        let (mut tried, mut killed) = (0, 0);
        loop {
            let answer = self.ask_once(seat, request, patience);
            let Err(Trouble::Died(death)) = &answer else { return answer };
            seat.reader = None;
            match death {
                Death::TooSlow | Death::TooMuchMemory | Death::Crash => tried += 1,
                Death::Killed(_) => killed += 1,
                Death::Unborn(_) | Death::OutOfTime | Death::Unwanted => return answer,
            }
            if tried == TRIES || killed == KILLS {
                return answer;
            }
        }
    }

    fn ask_once(&self, seat: &mut Seat<'_>, request: Option<&Request>, patience: &Patience) -> Result<Frame, Trouble> {
        let page_time = self.pool.limits.page_time;
        let reader = match &mut seat.reader {
            Some(reader) => reader,
            vacant => {
                let started = self.pool.start().map_err(|error| Trouble::Died(Death::Unborn(error)));
                let (reader, unconfined) = started?;
                if let Some(missing) = unconfined.filter(|_| !self.pool.warned.swap(true, Ordering::Relaxed)) {
                    log::warn!("PDFs are read without {missing}");
                }
                vacant.insert(reader)
            }
        };
        if request.is_none() || reader.open != Some(self.id) {
            reader.open = None;
            let open = Request::Open { password: self.password.clone() };
            let opened = reader.ask(&open, &[&self.file], Instant::now() + page_time, patience)?;
            reader.open = Some(self.id);
            if request.is_none() {
                return Ok(opened);
            }
        }
        if matches!(request, Some(Request::Recognise { .. })) && !reader.has_models {
            let files =
                self.models.as_ref().ok_or_else(no_models).and_then(|models| models.open().map_err(|_| models_gone()));
            let [detector, recogniser] = files.map_err(Trouble::Said)?;
            reader.ask(&Request::Models, &[&detector, &recogniser], Instant::now() + page_time, patience)?;
            reader.has_models = true;
        }
        match request {
            Some(request) => reader.ask(request, &[], Instant::now() + request.time(page_time), patience),
            None => Err(Trouble::Died(Death::Crash)),
        }
    }
}

impl Request {
    /// How long it may take, where reading a page may take `page_time`.
    fn time(&self, page_time: Duration) -> Duration {
        match self {
            Self::Recognise { .. } => page_time * RECOGNISING,
            _ => page_time,
        }
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
    Failure::passing(code::OCR_FAILED, NOT_THERE)
}

impl Drop for RemotePdf {
    /// A process that still has the file open would keep its bytes on the disk after it was deleted.
    fn drop(&mut self) {
        let (put, take) = &self.pool.seats;
        for _ in 0..take.len() {
            let Ok(mut seat) = take.try_recv() else { return };
            if let Some(reader) = seat.as_mut().filter(|reader| reader.open == Some(self.id)) {
                reader.let_go();
            }
            let _ = put.try_send(seat);
        }
    }
}

#[cfg(test)]
#[path = "reader/reader_tests.rs"]
mod tests;
