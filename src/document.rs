//! The PDF as input: opening it, its pages, its text, and parts of it as PDFs.
//!
//! One parser (hayro) owns page numbers, counts and text. lopdf only writes page-range PDFs. Nothing outside this
//! module touches either.

mod plan;
mod source;
mod split;
mod text;

pub use plan::{Shard, plan};
pub use source::{Document, DocumentLimits, PageReader, looks_like_pdf};
pub(crate) use source::{not_a_pdf, too_large};
pub use split::Splitter;
