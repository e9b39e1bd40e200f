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

use serde::{Deserialize, Serialize};

pub use self::block::{Block, BlockKind, BoundingBox, Cell, Edge, ListItem, Table};
pub use self::inline::{Inline, Run, RunStyle, Script, is_ideographic};

/// The version of the blocks' JSON that this program writes. It reads all versions up to it.
pub const CONTENT_VERSION: u8 = 1;

/// What one page says, in reading order: margins at the top first, those at the bottom last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageContent {
    /// The version of this form, [`CONTENT_VERSION`] when it was made by this program.
    pub version: u8,
    /// Its blocks, in reading order.
    pub blocks: Vec<Block>,
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
        Self { version: CONTENT_VERSION, blocks }
    }

    /// How many blocks stand in a margin.
    #[must_use]
    pub fn margins(&self, edge: Edge) -> usize {
        let in_margin = |block: &&Block| matches!(&block.kind, BlockKind::Margin { edge: of, .. } if *of == edge);
        self.blocks.iter().filter(in_margin).count()
    }
}
