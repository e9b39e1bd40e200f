//! The PDF or picture as input: opening it, what its pages show, say and look like, and parts of it as PDFs.
//!
//! One parser (hayro) owns page numbers, counts, text and pictures. lopdf writes page-range PDFs, and opens what is locked
//! in a way that the other one does not know. Nothing outside this module touches either.
//!
//! | file | its one job |
//! |---|---|
//! | `source` | [`Document`] and [`PageReader`], wherever a PDF is read |
//! | `reader` | the processes in which it is read, and the limits that they have |
//! | `pdf` | a PDF opened in this process |
//! | `picture` | pictures as documents: each frame as a PDF of one page |
//! | `lock` | what a password locks |
//! | `lost`, `repair` | pages that should be there; what is mended in a damaged file |
//! | `content` | what a page shows, as a hash |
//! | `facts`, `outline`, `info` | what is known of a page, and what the document says of it and of itself |
//! | `shell` | documents whose pages only stand for something else |
//! | `attached` | files that are attached to it, by name |
//! | `text` | glyphs → lines, tables → Markdown |
//! | `ocr` | text on pictures of pages, recognised on this machine |
//! | `image` | how large a page's picture may be, and how pages are looked at |
//! | `draw`, `encode` | a page drawn; its pixels as a file |
//! | `undrawn` | what stands for these where the feature `render` is left out |
//! | `glance`, `raster` | a page's pictures small and in grays; what these show |
//! | `figures` | the pictures of figures, as files |
//! | `plan`, `split` | pages → shards; parts as PDFs |

mod attached;
mod content;
#[cfg(feature = "render")]
mod draw;
#[cfg(feature = "render")]
mod encode;
mod facts;
#[cfg(feature = "render")]
mod figures;
mod glance;
mod image;
mod info;
mod lock;
mod lost;
pub(crate) mod ocr;
mod outline;
pub(crate) mod pdf;
#[cfg(feature = "render")]
mod picture;

pub(crate) mod plan;
mod raster;
pub(crate) mod reader;
mod repair;
mod shell;
mod source;
pub(crate) mod split;
mod text;
#[cfg(not(feature = "render"))]
mod undrawn;

pub(crate) use attached::MOST_FILES as MOST_ATTACHED;
pub use content::ContentHash;
pub use facts::{OutlineEntry, PageFacts, Shell, Shown};
pub use image::{FigureImage, ImageOptions, PageImage, PagePart};
pub use ocr::{OcrModels, OcrQuality, Recognised, Tesseract};
pub use pdf::DocumentLimits;
pub(crate) use pdf::{looks_like_document, media_type, not_a_pdf, too_large};
pub use plan::Shard;
pub(crate) use plan::plan;
pub use reader::{ReaderLimits, Readers};
pub use source::{Document, PageReader};
pub use text::{Hidden, TextLayer, TextOptions};
