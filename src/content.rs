//! What a page says, as blocks: the form between every reader and every output.
//!
//! A reader of pages (the text layer, a model's Markdown) makes a [`PageContent`]; filters change its blocks; writers in
//! [`output`](crate::output) turn it into Markdown and other formats. No code parses Bindery's own Markdown.
//!
//! ```text
//! PageContent ─▶ Block = BlockKind + box
//!                heading · paragraph · list(items of blocks) · table(rows of cells) · code · footnote · margin
//!                                          each text an Inline = runs with their emphasis and links
//! ```

mod block;
mod inline;
mod kept;
mod markdown;

use serde::Deserialize;

pub use self::block::{Block, BlockKind, BoundingBox, Cell, Edge, ListItem, Table};
pub use self::inline::{Inline, Run, RunStyle, Script, is_ideographic};
pub use self::markdown::from_markdown;

/// The version of the blocks' JSON that this program writes. It reads all versions up to it.
pub const CONTENT_VERSION: u8 = 1;

/// What one page says, in reading order: margins at the top first, those at the bottom last.
///
/// As JSON, a page that was written as Markdown is its Markdown, and the blocks are parsed when it is read: so pages that
/// are kept for long, and were paid, are read by the parser of the day.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "kept::Kept")]
pub struct PageContent {
    /// The version of this form, [`CONTENT_VERSION`] when it was made by this program.
    pub version: u8,
    /// Its blocks, in reading order.
    pub blocks: Vec<Block>,
    /// The page as its reader wrote it, where it wrote Markdown. The blocks were parsed from it; Markdown is written from it.
    pub markdown: Option<String>,
    /// How wide and high the page is as it is shown, in points, where that is known.
    pub size: Option<[f32; 2]>,
}

impl Default for PageContent {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl PageContent {
    /// Blocks in reading order, in today's version.
    #[must_use]
    pub const fn new(blocks: Vec<Block>) -> Self {
        Self { version: CONTENT_VERSION, blocks, markdown: None, size: None }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_beside = |block: &Block| matches!(block.kind, BlockKind::Margin { edge: Edge::Side, .. });
        self.blocks.iter().all(is_beside)
    }

    /// The blocks with their boxes as fractions of the page's width and height, so that they fit a picture of the page of
    /// any size. Where the page's size is not known they have none.
    #[must_use]
    pub fn blocks_by_fractions(&self) -> Vec<Block> {
        let mut blocks = self.blocks.clone();
        let scale = |bbox: BoundingBox| self.size.map(|[width, height]| bbox.divided_by(width, height));
        blocks.iter_mut().for_each(|block| block.map_boxes(&scale));
        blocks
    }
}
