//! What a page says, as blocks: the form between every reader and every output.
//!
//! A reader of pages (the text layer, a model's Markdown) makes a [`PageContent`]; filters change its blocks; writers in
//! [`output`](crate::output) turn it into Markdown and other formats. No code parses Bindery's own Markdown.
//!
//! ```text
//! PageContent ─▶ Block = BlockKind + box
//!                heading · paragraph · list(items of blocks) · table(rows of cells) · code · figure(file, caption) ·
//!                footnote · margin
//!                                          each text an Inline = runs with their emphasis and links
//! ```

mod block;
mod figure;
mod inline;
mod kept;
mod markdown;

use serde::Deserialize;

pub use self::block::{Block, BlockKind, BoundingBox, Cell, Edge, ListItem, Table};
pub(crate) use self::figure::is_generic;
pub use self::figure::{Figure, FigureFile};
pub use self::inline::{Inline, Run, RunStyle, Script, is_ideographic};
pub use self::markdown::from_markdown;
pub(crate) use self::markdown::{from_html_page, image_alt};

/// The version of the blocks' JSON that this program writes. It reads all versions up to it.
pub const CONTENT_VERSION: u8 = 1;

/// What one page says, in reading order: margins at the top first, those at the bottom last.
///
/// As JSON, a page that was written as Markdown is its Markdown, and the blocks are parsed when it is read: so pages that
/// are kept for long, and were paid, are read by the parser of the day.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "kept::Kept")]
#[non_exhaustive]
pub struct PageContent {
    /// The version of this form, [`CONTENT_VERSION`] when it was made by this program.
    pub version: u8,
    /// Its blocks, in reading order.
    pub blocks: Vec<Block>,
    /// The files of its figures, where these are extracted.
    pub images: Vec<FigureFile>,
    /// The page as its reader wrote it, where it wrote Markdown. The blocks were parsed from it; Markdown is written from it.
    pub markdown: Option<String>,
    /// How wide and high the page is as it is shown, in points, where that is known.
    pub size: Option<[f32; 2]>,
}

/// Shows `see` each figure among blocks and in them, with its box.
pub fn each_figure(blocks: &mut [Block], mut see: impl FnMut(&mut Figure, Option<BoundingBox>)) {
    blocks.iter_mut().for_each(|block| block.each_figure(&mut see));
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
        Self { version: CONTENT_VERSION, blocks, images: Vec::new(), markdown: None, size: None }
    }

    /// Whether it says nothing: what its figures show is not said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let is_beside = |block: &Block| match &block.kind {
            BlockKind::Margin { edge: Edge::Side, .. } => true,
            BlockKind::Figure(figure) => figure.caption.is_empty(),
            _ => false,
        };
        self.blocks.iter().all(is_beside)
    }

    /// Its figures with their boxes, in reading order, those within items of lists included.
    pub fn each_figure(&mut self, mut see: impl FnMut(&mut Figure, Option<BoundingBox>)) {
        each_figure(&mut self.blocks, &mut see);
    }

    /// The blocks with their boxes as fractions of the page's width and height, so that they fit a picture of the page of
    /// any size. Where the page's size is not known they have none.
    #[must_use]
    pub fn blocks_by_fractions(&self) -> Vec<Block> {
        by_fractions(self.blocks.clone(), self.size)
    }

    /// The same as it is when it was kept as JSON and is read again: boxes are rounded there.
    #[must_use]
    pub(crate) fn into_kept(mut self) -> Self {
        let rounded = |bbox: BoundingBox| Some(BoundingBox::from(<[f32; 4]>::from(bbox)));
        self.blocks.iter_mut().for_each(|block| block.map_boxes(&rounded));
        self
    }

    /// The same, which are no longer in it then.
    #[must_use]
    pub(crate) fn take_blocks_by_fractions(&mut self) -> Vec<Block> {
        by_fractions(std::mem::take(&mut self.blocks), self.size)
    }
}

fn by_fractions(mut blocks: Vec<Block>, size: Option<[f32; 2]>) -> Vec<Block> {
    let scale = |bbox: BoundingBox| size.map(|[width, height]| bbox.divided_by(width, height));
    blocks.iter_mut().for_each(|block| block.map_boxes(&scale));
    blocks
}
