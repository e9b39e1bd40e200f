//! The PDF as input: opening it, its pages, its text, and parts of it as PDFs.
//!
//! One parser (hayro) owns page numbers, counts and text. lopdf only writes page-range PDFs. Nothing outside this
//! module touches either.

mod content;
mod facts;
mod image;
mod outline;
mod pdf;
mod plan;
mod reader;
mod source;
mod split;
mod text;

pub use content::ContentHash;
pub use facts::PageFacts;
pub use image::{ImageOptions, PageImage};
pub use pdf::{DocumentLimits, looks_like_pdf};
pub(crate) use pdf::{not_a_pdf, too_large};
pub use plan::{Shard, plan};
pub use reader::{ReaderLimits, Readers, read_for_owner};
pub use source::{Document, PageReader};
pub use split::Splitter;
