//! Writes what pages say: one writer a format.

mod chunks;
mod docling;
pub mod html;
pub mod markdown;
mod math;
mod pages;
mod plain;
pub mod text;

pub use self::docling::{DoclingDocument, DoclingWriter};
pub use self::pages::PagesWriter;
