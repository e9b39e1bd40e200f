//! A PDF opened in this process.

use std::borrow::Cow;
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use hayro_interpret::InterpreterSettings;
use hayro_syntax::Pdf;
use hayro_syntax::object::dict::keys;
use hayro_syntax::page::{Page, Rotation};
use serde::{Deserialize, Serialize};

use super::attached;
use super::content::{ContentHash, SharedHashes, TooComplex, content_hash};
#[cfg(feature = "render")]
use super::draw::scan;
use super::facts::{PageFacts, Shell, Shown};
use super::image::{Eye, FigureImage, ImageOptions, Look, PageImage};
use super::info;
use super::lost::PageList;
use super::ocr::{Recognised, Recogniser};
use super::outline::Outline;
#[cfg(feature = "render")]
use super::picture::{Picture, PictureKind};
use super::raster::Raster;
use super::reader::no_models;
use super::text::{self, Fonts, Layers, LimitExceeded, TextLayer, TextOptions};
#[cfg(not(feature = "render"))]
use super::undrawn::{Picture, PictureKind, scan};
use super::{lock, repair, shell};
use crate::content::BoundingBox;
use crate::task::{DocumentInfo, Failure, code};

/// How much of a document Bindery takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DocumentLimits {
    /// The greatest file, bytes.
    pub max_bytes: u64,
    /// The most pages.
    pub max_pages: u32,
}

impl Default for DocumentLimits {
    fn default() -> Self {
        Self { max_bytes: 512 * 1024 * 1024, max_pages: 20_000 }
    }
}

impl DocumentLimits {
    /// Whatever fits on the disk.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self { max_bytes: u64::MAX, max_pages: u32::MAX }
    }

    /// Opens a file that may be a PDF, going by its size and first bytes.
    ///
    /// # Errors
    /// `not_a_pdf` or `pdf_too_large`; `storage_failed` when the file cannot be read.
    pub(super) fn open(&self, path: &Path) -> Result<File, Failure> {
        let file = File::open(path).map_err(|error| unreadable(&error))?;
        if file.metadata().map_err(|error| unreadable(&error))?.len() > self.max_bytes {
            return Err(too_large(self.max_bytes));
        }
        let mut head = Vec::with_capacity(HEADER_WINDOW);
        (&file).take(HEADER_WINDOW as u64).read_to_end(&mut head).map_err(|error| unreadable(&error))?;
        if looks_like_document(&head) { Ok(file) } else { Err(not_a_pdf()) }
    }

    /// # Errors
    /// `pdf_damaged` without pages, `too_many_pages` with too many.
    pub(super) fn check_pages(&self, count: usize) -> Result<u32, Failure> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if count == 0 {
            return Err(Failure::permanent(code::PDF_DAMAGED, "the PDF has no pages"));
        }
        if count > self.max_pages {
            let message = format!("the PDF has {count} pages, more than the limit of {}", self.max_pages);
            return Err(Failure::permanent(code::TOO_MANY_PAGES, message));
        }
        Ok(count)
    }
}

/// A PDF, or a file of pictures, mapped into memory and parsed only as far as it is asked. It may be read from many threads at once.
pub(super) struct OpenPdf {
    pdf: Pdf,
    /// Where its pages come from, when the file is no PDF.
    picture: Option<Picture>,
    pages: PageList,
    settings: InterpreterSettings,
    /// What of it can be mended, made when a page cannot be read.
    mended: OnceLock<Option<Pdf>>,
    /// Read when they are first asked for.
    outline: OnceLock<Outline>,
    layers: OnceLock<Layers>,
    shell: OnceLock<Option<Shell>>,
}

impl OpenPdf {
    /// Opens `file`, which must not be changed while this lives.
    ///
    /// # Errors
    /// `pdf_encrypted`, `pdf_damaged`, `pdf_too_large`; `storage_failed` when the file cannot be mapped.
    pub(super) fn open(file: &File, password: Option<&str>) -> Result<Self, Failure> {
        // SAFETY: a mapping is undefined behaviour when the file is truncated or changed under it. Sources are private
        // copies in the blob store, written once and only ever unlinked, which leaves a mapping valid.
        #[allow(unsafe_code, reason = "mapping keeps a 400 MB scan out of memory")]
        let map = unsafe { memmap2::Mmap::map(file) }.map_err(|error| unreadable(&error))?;
        let map = Arc::new(map);
        if let Some(kind) = PictureKind::of(&map) {
            let picture = Picture::open(kind, map)?;
            let pdf = Pdf::new(picture.skeleton()).map_err(|error| lock::refusal(error, false))?;
            return Ok(Self::of(pdf, Some(picture)));
        }
        let pdf = lock::open(&map, password)?;
        Ok(Self::of(pdf, None))
    }

    fn of(pdf: Pdf, picture: Option<Picture>) -> Self {
        let (pages, settings) = (PageList::of(&pdf), InterpreterSettings::default());
        let (mended, outline, layers, shell) = (OnceLock::new(), OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self { pdf, picture, pages, settings, mended, outline, layers, shell }
    }

    /// How many pages it has, those included that are lost.
    pub(super) const fn page_count(&self) -> usize {
        self.pages.len()
    }

    /// Page `number` (from 1) and the file that it is in: the mended one when it has no content otherwise.
    fn page(&self, number: u32) -> Option<(&Page<'_>, &Pdf)> {
        let at = self.pages.place(number)?;
        let page = self.pdf.pages().get(at)?;
        let is_readable = |page: &Page<'_>| page.page_stream().is_some_and(|content| !content.is_empty());
        if !page.raw().contains_key(keys::CONTENTS) || is_readable(page) {
            return Some((page, &self.pdf));
        }
        let mend = || Pdf::new(repair::mended(self.pdf.data().as_ref())?).ok();
        let mended = self.mended.get_or_init(mend).as_ref().filter(|pdf| pdf.pages().len() == self.pdf.pages().len());
        let mended = mended.and_then(|pdf| Some((pdf.pages().get(at)?, pdf))).filter(|(page, _)| is_readable(page));
        Some(mended.unwrap_or((page, &self.pdf)))
    }

    fn shell(&self) -> Option<Shell> {
        *self.shell.get_or_init(|| shell::of(&self.pdf))
    }

    /// A reader for some of its pages: what they share, such as fonts, is parsed once a reader.
    pub(super) fn reader(&self) -> PdfReader<'_> {
        PdfReader { open: self, fonts: Fonts::new(&self.settings), eye: Eye::default() }
    }
}

/// Reads pages of one PDF on one thread. Its caches only grow, so it lives for some pages and not for a whole document.
pub(super) struct PdfReader<'a> {
    open: &'a OpenPdf,
    fonts: Fonts<'a>,
    eye: Eye<'a>,
}

impl<'a> PdfReader<'a> {
    /// What `page` (from 1) shows, as a hash. `shared` is that of this file.
    ///
    /// # Errors
    /// `page_damaged` when there is no such page, or its parts are too tangled to be followed.
    pub(super) fn content_hash(&self, page: u32, shared: &mut SharedHashes) -> Result<ContentHash, Failure> {
        let (found, pdf) = self.found(page)?;
        // Objects of the mended file may be others than those of the same number.
        let mut own = SharedHashes::default();
        let shared = if std::ptr::eq(pdf, &raw const self.open.pdf) { shared } else { &mut own };
        content_hash(found, pdf.xref(), self.shell(page), &self.attached(page, found), shared).map_err(|TooComplex| {
            Failure::permanent(code::PAGE_DAMAGED, format!("the parts of page {page} are too many or too deep"))
        })
    }

    /// The text of `page` (from 1).
    ///
    /// # Errors
    /// `page_damaged` when there is no such page, or its content goes on and on.
    pub(super) fn text(&self, page: u32, options: TextOptions) -> Result<TextLayer, Failure> {
        let (found, pdf) = self.found(page)?;
        let read = text::read(found, &self.fonts, &self.layers(pdf), options, &self.look(found));
        let mut layer = read.map_err(|LimitExceeded| endless(page))?;
        layer.shown.shell = self.shell(page);
        layer.attached = self.attached(page, found);
        Ok(layer)
    }

    /// The pictures of what some areas of `page` (from 1) show.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub(super) fn figures(&self, page: u32, areas: &[BoundingBox]) -> Result<Vec<Option<FigureImage>>, Failure> {
        let (found, pdf) = self.found(page)?;
        let pieces = text::pieces(found, &self.fonts, &self.layers(pdf), &self.look(found));
        let pieces = pieces.map_err(|LimitExceeded| endless(page))?;
        Ok(self.eye.renderer().figures(found, &pieces, areas, &self.open.settings))
    }

    /// Makes a small picture of a page, where one is needed.
    fn look(&self, page: &'a Page<'a>) -> impl Fn(Look) -> Option<Raster> {
        move |look| self.eye.look(page, &self.open.settings, look)
    }

    /// What the document is besides its pages; the first one says it.
    fn shell(&self, page: u32) -> Option<Shell> {
        if page == 1 { self.open.shell() } else { None }
    }

    /// The names of the files that are attached to a page; the first one has those of the document.
    fn attached(&self, number: u32, page: &Page<'_>) -> Vec<String> {
        let mut names = if number == 1 { attached::to_document(&self.open.pdf) } else { Vec::new() };
        for name in attached::to_page(page) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// What is known of `page` (from 1). `shared` is that of this file.
    ///
    /// # Errors
    /// `page_damaged` when there is no such page.
    pub(super) fn facts(&self, number: u32, shared: &mut SharedHashes) -> Result<PageFacts, Failure> {
        let (page, pdf) = self.found(number)?;
        let shown = text::shown(page, &self.fonts, &self.layers(pdf), &self.look(page));
        let shown = Shown { shell: self.shell(number), ..shown.map_err(|LimitExceeded| endless(number))? };
        let outline = self.outline();
        let (width, height) = page.render_dimensions();
        Ok(PageFacts {
            page: number,
            label: outline.label(number),
            titles: outline.titles(number),
            width,
            height,
            rotation: match page.rotation() {
                Rotation::None => 0,
                Rotation::Horizontal => 90,
                Rotation::Flipped => 180,
                Rotation::FlippedHorizontal => 270,
            },
            shown,
            attached: self.attached(number, page),
            content_hash: self.content_hash(number, shared).ok().map(|hash| hex(&hash)),
        })
    }

    /// How `page` (from 1) looks.
    ///
    /// # Errors
    /// `page_damaged` when there is no such page, or it has no area.
    pub(super) fn image(&self, number: u32, options: &ImageOptions) -> Result<PageImage, Failure> {
        let page = self.page(number)?;
        if let Some(picture) = &self.open.picture {
            return self.picture(picture, number, page, options);
        }
        self.eye.renderer().image(page, &self.open.settings, options).ok_or_else(|| undrawn(number))
    }

    /// A page of a file of pictures: the file itself where that will do, and never coarser than it is where there is room.
    fn picture(
        &self,
        picture: &Picture,
        number: u32,
        page: &'a Page<'a>,
        options: &ImageOptions,
    ) -> Result<PageImage, Failure> {
        if let Some(as_it_is) = picture.as_it_is(number, options) {
            let Some(raster) = self.eye.look(page, &self.open.settings, Look::Pictures) else { return Ok(as_it_is) };
            let (detail, blank) = (raster.whole(), raster.is_white());
            let (plain, bare) = (blank || detail.is_plain(), !blank && raster.is_bare());
            return Ok(PageImage { blank, plain, bare, letters: detail.letter_count(&raster), ..as_it_is });
        }
        let options = ImageOptions { dpi: options.dpi.max(picture.dpi(number)), ..*options };
        self.eye.renderer().image(page, &self.open.settings, &options).ok_or_else(|| undrawn(number))
    }

    /// What the picture of `page` (from 1) says.
    ///
    /// # Errors
    /// `page_damaged` when there is no such page, or it has no area; `ocr_failed` without models.
    pub(super) fn recognise(&self, number: u32, recogniser: Option<&Recogniser>) -> Result<Recognised, Failure> {
        let page = self.page(number)?;
        let reads = recogniser.ok_or_else(no_models)?;
        let (picture, scale) = scan(page, &self.open.settings).ok_or_else(|| undrawn(number))?;
        reads
            .read(picture, scale, page.render_dimensions())
            .map_err(|why| Failure::permanent(code::OCR_FAILED, format!("recognising page {number}: {why}")))
    }

    /// The titles of the document's outline, by the pages that they lead to.
    pub(super) fn outline(&self) -> &'a Outline {
        self.open.outline.get_or_init(|| Outline::of(&self.open.pdf, &self.open.pages))
    }

    /// What the document says of itself.
    pub(super) fn info(&self) -> DocumentInfo {
        info::of(&self.open.pdf)
    }

    /// The layers of the file that a page is in. Objects of the mended file may be others than those of the same number.
    fn layers(&self, pdf: &Pdf) -> Cow<'a, Layers> {
        if std::ptr::eq(pdf, &raw const self.open.pdf) {
            Cow::Borrowed(self.open.layers.get_or_init(|| Layers::of(pdf.xref())))
        } else {
            Cow::Owned(Layers::of(pdf.xref()))
        }
    }

    fn page(&self, number: u32) -> Result<&'a Page<'a>, Failure> {
        self.found(number).map(|(page, _)| page)
    }

    fn found(&self, number: u32) -> Result<(&'a Page<'a>, &'a Pdf), Failure> {
        if let Some(picture) = &self.open.picture {
            return picture.page(number);
        }
        self.open.page(number).ok_or_else(|| {
            let message = match (number as usize).checked_sub(1) {
                Some(at) if at < self.open.page_count() => {
                    format!("page {number} is lost: the file is cut off or damaged")
                }
                _ => format!("the PDF has no page {number}"),
            };
            Failure::permanent(code::PAGE_DAMAGED, message)
        })
    }
}

fn endless(page: u32) -> Failure {
    Failure::permanent(code::PAGE_DAMAGED, format!("the content of page {page} is too long or too deep"))
}

/// Why there is no picture of a page.
fn undrawn(page: u32) -> Failure {
    let why = if cfg!(feature = "render") { "has no area" } else { "is not drawn: the feature `render` is left out" };
    Failure::permanent(code::PAGE_DAMAGED, format!("page {page} {why}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unreadable(error: &std::io::Error) -> Failure {
    let message = format!("the PDF cannot be read: {}", error.kind());
    match error.kind() {
        std::io::ErrorKind::NotFound => Failure::permanent(code::STORAGE_FAILED, message),
        _ => Failure::transient(code::STORAGE_FAILED, message),
    }
}

/// A header may stand anywhere in the first 1,024 bytes (PDF 1.7, annex H, implementation note 13).
pub(super) const HEADER_WINDOW: usize = 1024;

/// Whether a file that begins with `head` (its first 1,024 bytes, or all of it) can be a PDF.
///
/// The version digits are not looked at: files with a misspelt version are common and readable. So are those whose
/// header is misspelt or lost, if their first object is there.
#[must_use]
pub fn looks_like_pdf(head: &[u8]) -> bool {
    let window = &head[..head.len().min(HEADER_WINDOW)];
    let begins_object = |at: usize| {
        let before = window[..at].trim_ascii_end();
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let number = before[..before.len() - digits].trim_ascii_end();
        digits > 0 && number.len() < before.len() - digits && number.last().is_some_and(u8::is_ascii_digit)
    };
    window.windows(5).any(|bytes| bytes == b"%PDF-")
        || window.windows(4).enumerate().any(|(at, bytes)| bytes == b" obj" && begins_object(at))
}

/// Whether a file that begins with `head` (its first 1,024 bytes, or all of it) can be a document: a PDF, or a picture in
/// PNG, JPEG, TIFF or WebP.
#[must_use]
pub fn looks_like_document(head: &[u8]) -> bool {
    PictureKind::of(head).is_some() || looks_like_pdf(head)
}

/// The media type of a document that begins so, `None` of what is none.
#[must_use]
pub fn media_type(head: &[u8]) -> Option<&'static str> {
    PictureKind::of(head).map(PictureKind::media_type).or_else(|| looks_like_pdf(head).then_some("application/pdf"))
}

/// Whether the names of documents end so, after the last point.
#[must_use]
pub fn is_document_ending(ending: &str) -> bool {
    ["pdf", "png", "jpg", "jpeg", "tif", "tiff", "webp"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

pub(crate) fn not_a_pdf() -> Failure {
    let nor = if cfg!(feature = "render") { ", nor a picture in PNG, JPEG, TIFF or WebP" } else { "" };
    Failure::permanent(code::NOT_A_PDF, format!("the file is not a PDF{nor}: it does not begin like one"))
}

pub(crate) fn too_large(limit: u64) -> Failure {
    Failure::permanent(code::PDF_TOO_LARGE, format!("the PDF is larger than the limit of {limit} bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_counts_only_near_the_start() {
        let mut late = vec![b' '; 1_100];
        late.extend(b"%PDF-1.4");
        for (head, expected) in [
            (&b"%PDF-1.7\n"[..], true),
            (b"junk\n%PDF-x", true),
            (b"%1.4\n%\xe2\n1 0 obj\n<<", true),
            (b"%\n12 0  obj<<", true),
            (b"", false),
            (b"%PD", false),
            (b"0 obj", false),
            (b"a1b obj", false),
            (b"an obj", false),
            (&late, false),
        ] {
            assert_eq!(looks_like_pdf(head), expected);
        }
    }

    #[test]
    fn refuses_with_a_code() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.pdf");
        let limits = DocumentLimits { max_bytes: 100, max_pages: 1 };
        for (bytes, code) in [
            (&b""[..], code::NOT_A_PDF),
            (b"hello", code::NOT_A_PDF),
            (b"%PDF-1.4\nnothing else", code::PDF_DAMAGED),
            (&[b' '; 101], code::PDF_TOO_LARGE),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(super::super::Document::open(&path, None, &limits).err().unwrap().code, code);
        }
        assert_eq!(
            super::super::Document::open(&dir.path().join("none"), None, &limits).err().unwrap().code,
            code::STORAGE_FAILED
        );
    }
}
