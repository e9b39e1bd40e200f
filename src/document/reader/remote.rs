//! A PDF that reader processes have open: what is asked of them, and what becomes of one that does not answer.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::pool::{KILLS, Pool, PooledReader};
use super::process::{Death, Frame, Trouble, WaitLimits};
use super::wire::{Answer, Request, unpacked};
use super::{models_gone, no_models};
use crate::content::BoundingBox;
use crate::document::content::ContentHash;
use crate::document::facts::{OutlineEntry, PageFacts};
use crate::document::image::{FigureImage, ImageOptions, PageImage};
use crate::document::ocr::{OcrModels, Recognised};
use crate::document::text::{TextLayer, TextOptions};
use crate::task::{DocumentInfo, Failure, code};

/// Recognising the text of a page takes so many times as long as reading one: some seconds, more on a busy machine.
const RECOGNISING: u32 = 6;
/// How often a page is tried, each time in a fresh process.
const TRIES: u32 = 2;

/// A file that reader processes open.
pub(in crate::document) struct RemotePdf {
    pub(super) id: u64,
    pub(super) file: File,
    pub(super) password: Option<String>,
    pub(super) pool: Arc<Pool>,
    pub(super) models: Option<OcrModels>,
}

impl RemotePdf {
    /// See [`Pool::seat`].
    pub(in crate::document) fn seat(&self, limits: &WaitLimits) -> Result<PooledReader<'_>, Failure> {
        self.pool.seat(limits)
    }

    /// See [`Pool::idle_seat`].
    #[cfg(feature = "llm")]
    pub(in crate::document) fn idle_seat(&self) -> Option<PooledReader<'_>> {
        self.pool.idle_seat()
    }

    /// Whether there may be one.
    #[cfg(feature = "llm")]
    pub(in crate::document) fn has_idle_seat(&self) -> bool {
        self.pool.has_idle_seat()
    }

    /// Opens the file; how many pages it has.
    ///
    /// # Errors
    /// See [`Readers::open`](super::Readers::open).
    pub(super) fn open(&self, seat: &mut PooledReader<'_>) -> Result<usize, Failure> {
        match self.ask(seat, None, &WaitLimits::default()) {
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
    pub(in crate::document) fn text(
        &self,
        seat: &mut PooledReader<'_>,
        page: u32,
        options: TextOptions,
        limits: &WaitLimits,
    ) -> Result<TextLayer, Failure> {
        self.page(seat, page, &Request::Text { page, options }, limits, |answer| match answer {
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
    pub(in crate::document) fn content_hash(
        &self,
        seat: &mut PooledReader<'_>,
        page: u32,
        limits: &WaitLimits,
    ) -> Result<ContentHash, Failure> {
        self.page(seat, page, &Request::ContentHash { page }, limits, |answer| match answer {
            (Answer::ContentHash, hash) => hash.try_into().ok(),
            _ => None,
        })
    }

    /// What is known of `page` (from 1).
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(in crate::document) fn facts(
        &self,
        seat: &mut PooledReader<'_>,
        page: u32,
        limits: &WaitLimits,
    ) -> Result<PageFacts, Failure> {
        self.page(seat, page, &Request::Facts { page }, limits, |answer| match answer {
            (Answer::Facts(facts), _) => Some(facts),
            _ => None,
        })
    }

    /// The document's outline, and what it says of itself.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(in crate::document) fn outline(
        &self,
        seat: &mut PooledReader<'_>,
        limits: &WaitLimits,
    ) -> Result<(Vec<OutlineEntry>, DocumentInfo), Failure> {
        self.about("the outline", seat, &Request::Outline, limits, |answer| match answer {
            (Answer::Outline(entries, info), _) => Some((entries, info)),
            _ => None,
        })
    }

    /// How `page` (from 1) looks.
    ///
    /// # Errors
    /// As [`Self::page`].
    pub(in crate::document) fn image(
        &self,
        seat: &mut PooledReader<'_>,
        page: u32,
        options: ImageOptions,
        limits: &WaitLimits,
    ) -> Result<PageImage, Failure> {
        self.page(seat, page, &Request::Image { page, options }, limits, |answer| match answer {
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
    pub(in crate::document) fn figures(
        &self,
        seat: &mut PooledReader<'_>,
        page: u32,
        areas: &[BoundingBox],
        limits: &WaitLimits,
    ) -> Result<Vec<Option<FigureImage>>, Failure> {
        let request = Request::Figures { page, areas: areas.to_vec() };
        self.page(seat, page, &request, limits, |answer| match answer {
            (Answer::Figures(heads), files) if heads.len() == areas.len() => unpacked(heads, &files),
            _ => None,
        })
    }

    /// What the picture of `page` (from 1) says.
    ///
    /// # Errors
    /// As [`Self::page`]; `ocr_failed` without models.
    pub(in crate::document) fn recognise(
        &self,
        seat: &mut PooledReader<'_>,
        page: u32,
        limits: &WaitLimits,
    ) -> Result<Recognised, Failure> {
        self.page(seat, page, &Request::Recognise { page }, limits, |answer| match answer {
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
    /// `timeout` when `limits` ended first, `reader_killed` when its readers were killed from outside.
    fn page<T>(
        &self,
        seat: &mut PooledReader<'_>,
        page: u32,
        request: &Request,
        limits: &WaitLimits,
        understand: impl FnOnce(Frame) -> Option<T>,
    ) -> Result<T, Failure> {
        self.about(&format!("page {page}"), seat, request, limits, understand)
    }

    fn about<T>(
        &self,
        what: &str,
        seat: &mut PooledReader<'_>,
        request: &Request,
        limits: &WaitLimits,
        understand: impl FnOnce(Frame) -> Option<T>,
    ) -> Result<T, Failure> {
        let death = match self.ask(seat, Some(request), limits) {
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
    fn ask(
        &self,
        seat: &mut PooledReader<'_>,
        request: Option<&Request>,
        limits: &WaitLimits,
    ) -> Result<Frame, Trouble> {
        let (mut tried, mut killed) = (0, 0);
        loop {
            let answer = self.ask_once(seat, request, limits);
            let Err(Trouble::Died(death)) = &answer else { return answer };
            seat.reader = None;
            match death {
                Death::TooSlow | Death::TooMuchMemory | Death::Crash => tried += 1,
                Death::Killed(_) => killed += 1,
                Death::SpawnFailed(_) | Death::OutOfTime | Death::Cancelled => return answer,
            }
            if tried == TRIES || killed == KILLS {
                return answer;
            }
        }
    }

    fn ask_once(
        &self,
        seat: &mut PooledReader<'_>,
        request: Option<&Request>,
        limits: &WaitLimits,
    ) -> Result<Frame, Trouble> {
        let page_time = self.pool.limits.page_time;
        let reader = match &mut seat.reader {
            Some(reader) => reader,
            vacant => {
                let started = self.pool.start().map_err(|error| Trouble::Died(Death::SpawnFailed(error)));
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
            let opened = reader.ask(&open, &[&self.file], Instant::now() + page_time, limits)?;
            reader.open = Some(self.id);
            if request.is_none() {
                return Ok(opened);
            }
        }
        if matches!(request, Some(Request::Recognise { .. })) && !reader.has_models {
            let files =
                self.models.as_ref().ok_or_else(no_models).and_then(|models| models.open().map_err(|_| models_gone()));
            let [detector, recogniser] = files.map_err(Trouble::Said)?;
            reader.ask(&Request::Models, &[&detector, &recogniser], Instant::now() + page_time, limits)?;
            reader.has_models = true;
        }
        match request {
            Some(request) => reader.ask(request, &[], Instant::now() + request.time(page_time), limits),
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

impl Drop for RemotePdf {
    /// A process that still has the file open would keep its bytes on the disk after it was deleted.
    fn drop(&mut self) {
        let (put, take) = &self.pool.seats;
        for _ in 0..take.len() {
            let Ok(mut seat) = take.try_recv() else { return };
            if let Some(reader) = seat.as_mut().filter(|reader| reader.open == Some(self.id)) {
                reader.close();
            }
            let _ = put.try_send(seat);
        }
    }
}
