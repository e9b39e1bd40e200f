//! Writes what pages say: one writer a format.

mod chunks;
pub mod html;
pub mod markdown;
mod pages;
pub mod text;

pub use self::pages::PagesWriter;
