//! Writes what pages say: one writer a format.

mod chunks;
mod docling;
pub mod html;
pub mod markdown;
mod pages;
mod plain;
pub mod text;

pub use self::docling::DoclingWriter;
pub use self::pages::PagesWriter;
