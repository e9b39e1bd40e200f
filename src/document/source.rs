//! An opened PDF, wherever it is read.

use std::path::Path;
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::content::{ContentHash, SharedHashes};
use super::facts::{OutlineEntry, PageFacts};
use super::image::{FigureImage, ImageOptions, PageImage};
use super::ocr::{OcrModels, Recognised, Recogniser};
use super::pdf::{DocumentLimits, OpenPdf, PdfReader};
use super::reader::{PooledReader, Readers, RemotePdf, WaitLimits, models_gone, no_models};
use super::text::{TextLayer, TextOptions};
use crate::content::{BoundingBox, PageContent};
use crate::task::{DocumentInfo, Failure, code};

/// A PDF, mapped into memory and parsed only as far as it is asked. It may be read from many threads at once.
pub struct Document {
    page_count: u32,
    place: Place,
}

enum Place {
    Here(Box<OpenPdf>, Option<OcrModels>),
    Elsewhere(RemotePdf),
}

impl Document {
    /// Opens the file at `path` in this process, which a hostile file can hang or end; see [`Readers::open`] for the
    /// other way. The file must not be changed while the document lives.
    ///
    /// # Errors
    /// `not_a_pdf`, `pdf_encrypted`, `pdf_damaged`, `pdf_too_large` or `too_many_pages`; `storage_failed` when the file
    /// cannot be read.
    pub fn open(path: &Path, password: Option<&str>, limits: &DocumentLimits) -> Result<Self, Failure> {
        Readers::in_process().open(path, password, limits)
    }

    pub(super) fn here(page_count: u32, pdf: OpenPdf, models: Option<OcrModels>) -> Self {
        Self { page_count, place: Place::Here(Box::new(pdf), models) }
    }

    pub(super) const fn elsewhere(page_count: u32, pdf: RemotePdf) -> Self {
        Self { page_count, place: Place::Elsewhere(pdf) }
    }

    /// How many pages it has, at least 1.
    #[must_use]
    pub const fn page_count(&self) -> u32 {
        self.page_count
    }

    /// A reader for some of its pages: what they share, such as fonts, is parsed once a reader. Where PDFs are read in
    /// processes of their own its first page waits until one is free, and it keeps that, so drop the reader before you
    /// wait for anything else, and have only one at a time on a thread.
    #[must_use]
    pub fn reader(&self) -> PageReader<'_> {
        let place = match &self.place {
            Place::Here(pdf, models) => ReaderPlace::Here {
                reader: Box::new(pdf.reader()),
                shared: Box::default(),
                models: models.as_ref(),
                recogniser: None,
            },
            Place::Elsewhere(pdf) => ReaderPlace::Elsewhere { pdf, seat: None },
        };
        PageReader { place, limits: WaitLimits::default() }
    }

    /// Whether there may be a process for [`PageReader::takes_idle_process`].
    #[cfg(feature = "llm")]
    pub(crate) fn has_idle_process(&self) -> bool {
        matches!(&self.place, Place::Elsewhere(pdf) if pdf.has_idle_seat())
    }
}

/// Reads pages of one document on one thread. Its caches only grow, so a reader lives for one shard.
pub struct PageReader<'a> {
    place: ReaderPlace<'a>,
    limits: WaitLimits,
}

enum ReaderPlace<'a> {
    Here {
        reader: Box<PdfReader<'a>>,
        shared: Box<SharedHashes>,
        models: Option<&'a OcrModels>,
        /// Loaded for the first page that needs it.
        recogniser: Option<Box<Recogniser>>,
    },
    /// The seat is taken for the first page.
    Elsewhere { pdf: &'a RemotePdf, seat: Option<PooledReader<'a>> },
}

impl PageReader<'_> {
    /// Gives up when `deadline` passes or `cancel` fires, with the retryable failure `timeout`. In this process that
    /// cannot be done in the midst of a page.
    #[must_use]
    pub fn until(mut self, deadline: Instant, cancel: &CancellationToken) -> Self {
        self.limits = WaitLimits { deadline: Some(deadline), cancel: Some(cancel.clone()) };
        self
    }

    /// Takes a process that no page waits for; whether there was one. There is none where PDFs are read in this process.
    #[cfg(feature = "llm")]
    pub(crate) fn takes_idle_process(&mut self) -> bool {
        match &mut self.place {
            ReaderPlace::Here { .. } => false,
            ReaderPlace::Elsewhere { pdf, seat } => {
                *seat = seat.take().or_else(|| pdf.idle_seat());
                seat.is_some()
            }
        }
    }

    /// What `page` (from 1) shows, as a hash: of its content, resources, box and annotations, not of how or where the
    /// file holds them. The same page in a file that was saved again, or edited on other pages, has the same hash.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn content_hash(&mut self, page: u32) -> Result<ContentHash, Failure> {
        match &mut self.place {
            ReaderPlace::Here { reader, shared, .. } => reader.content_hash(page, shared),
            ReaderPlace::Elsewhere { pdf, seat } => {
                pdf.content_hash(taken(pdf, seat, &self.limits)?, page, &self.limits)
            }
        }
    }

    /// What is known of `page` (from 1) without reading it.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn facts(&mut self, page: u32) -> Result<PageFacts, Failure> {
        match &mut self.place {
            ReaderPlace::Here { reader, shared, .. } => reader.facts(page, shared),
            ReaderPlace::Elsewhere { pdf, seat } => pdf.facts(taken(pdf, seat, &self.limits)?, page, &self.limits),
        }
    }

    /// The titles of the document's outline that lead to a page, by page, none where it has no outline; and what the
    /// document says of itself.
    ///
    /// # Errors
    /// When it cannot be read within the limits of a reader process: `timeout`, `page_timeout`, `page_memory`,
    /// `page_crash`; `reader_killed`.
    pub fn outline(&mut self) -> Result<(Vec<OutlineEntry>, DocumentInfo), Failure> {
        match &mut self.place {
            ReaderPlace::Here { reader, .. } => Ok((reader.outline().entries(), reader.info())),
            ReaderPlace::Elsewhere { pdf, seat } => pdf.outline(taken(pdf, seat, &self.limits)?, &self.limits),
        }
    }

    /// How `page` (from 1) looks, in its crop box and upright, on white.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn image(&mut self, page: u32, options: &ImageOptions) -> Result<PageImage, Failure> {
        match &mut self.place {
            ReaderPlace::Here { reader, .. } => reader.image(page, options),
            ReaderPlace::Elsewhere { pdf, seat } => {
                pdf.image(taken(pdf, seat, &self.limits)?, page, *options, &self.limits)
            }
        }
    }

    /// The pictures of what some areas of `page` (from 1) show, such as its figures; boxes are points from the left upper corner
    /// of the upright page. `None` for one that cannot be had, or for which there was no room in
    /// `MOST_FIGURE_BYTES`.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn figures(&mut self, page: u32, areas: &[BoundingBox]) -> Result<Vec<Option<FigureImage>>, Failure> {
        match &mut self.place {
            ReaderPlace::Here { reader, .. } => reader.figures(page, areas),
            ReaderPlace::Elsewhere { pdf, seat } => {
                pdf.figures(taken(pdf, seat, &self.limits)?, page, areas, &self.limits)
            }
        }
    }

    /// What the picture of `page` (from 1) says, recognised by the models that the [`Readers`] have. Takes seconds.
    ///
    /// # Errors
    /// As [`Self::text`]; `ocr_failed` without models, or when they are not what they should be.
    pub fn recognise(&mut self, page: u32) -> Result<Recognised, Failure> {
        match &mut self.place {
            ReaderPlace::Here { reader, models, recogniser, .. } => {
                if recogniser.is_none() {
                    let files = models.ok_or_else(no_models)?.open().map_err(|_| models_gone())?;
                    let loaded = Recogniser::load(files);
                    *recogniser = Some(Box::new(
                        loaded.map_err(|why| Failure::transient(code::OCR_FAILED, format!("the OCR models: {why}")))?,
                    ));
                }
                reader.recognise(page, recogniser.as_deref())
            }
            ReaderPlace::Elsewhere { pdf, seat } => pdf.recognise(taken(pdf, seat, &self.limits)?, page, &self.limits),
        }
    }

    /// The text of `page` (from 1); no blocks when it shows none.
    ///
    /// # Errors
    /// `page_damaged` when there is no such page; `page_timeout`, `page_memory` or `page_crash` when it cannot be read
    /// within the limits of a reader process.
    pub fn text(&mut self, page: u32) -> Result<PageContent, Failure> {
        self.text_layer(page, TextOptions::default()).map(|layer| layer.content)
    }

    /// The same, as `options` say, with what the page shows.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn text_layer(&mut self, page: u32, options: TextOptions) -> Result<TextLayer, Failure> {
        match &mut self.place {
            ReaderPlace::Here { reader, .. } => reader.text(page, options),
            ReaderPlace::Elsewhere { pdf, seat } => {
                pdf.text(taken(pdf, seat, &self.limits)?, page, options, &self.limits)
            }
        }
    }
}

fn taken<'s, 'a>(
    pdf: &'a RemotePdf,
    seat: &'s mut Option<PooledReader<'a>>,
    limits: &WaitLimits,
) -> Result<&'s mut PooledReader<'a>, Failure> {
    match seat {
        Some(seat) => Ok(seat),
        vacant => Ok(vacant.insert(pdf.seat(limits)?)),
    }
}
