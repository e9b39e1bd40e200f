//! One page's glyphs → lines → blocks.
//!
//! ```text
//! interpret ──glyphs, strokes──▶ collect ──lines, rules──▶ table ──▶ order ──▶ block ──▶ compose ──▶ PageContent
//!   fonts: what glyphs mean        open_line: words, looks (glyphs: accents, exponents; spacing; initials)     region: rules     inline: lines joined,
//!   layers: what is hidden         bidi: order of letters     columns: white      emphasis, links
//!   path: strokes, annotation: forms and notes
//!                                  link: where words lead       space; marker: items of lists
//! ```
//!
//! Tables: `region` finds grids of rules, `shading` those of filled cells, `chart` what stands along axes. `rows` are words
//! on one baseline, parted into cells; `lattice` gives them the columns that rules make, `stream` those that white space
//! makes (`columns`), unless `guard` knows them for text; `assemble` joins the lines of a row and finds what spans others.

mod annotation;
mod assemble;
mod bidi;
mod block;
mod chart;
mod collect;
mod columns;
mod compose;
mod flow;
mod fonts;
mod glyphs;
mod guard;
mod heading;
mod initials;
mod inline;
mod interpret;
mod lattice;
mod layers;
mod line;
mod line_numbers;
mod link;
mod marker;
mod open_line;
mod order;
mod path;
mod reading;
mod region;
mod rows;
mod runs;
mod shading;
mod spacing;
mod stamp;
mod stream;
mod table;
mod typewritten;
mod usual;

use hayro_interpret::TransformExt;
use hayro_interpret::kurbo::Rect;
use hayro_syntax::page::Page;

pub(super) use self::annotation::Field;
use self::collect::Collector;
pub(super) use self::collect::Counts;
pub(super) use self::fonts::Fonts;
pub(super) use self::interpret::TooMuch;
pub(super) use self::layers::Layers;
use self::usual::Usual;
use super::facts::Shown;
use crate::content::{Block, BlockKind, Edge, Inline, PageContent};

/// What the text layer of a page says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextLayer {
    /// Its blocks; none when the page shows no text.
    pub content: PageContent,
    /// What the page shows, its text included.
    pub shown: Shown,
}

pub(super) fn read<'a>(page: &Page<'a>, fonts: &Fonts<'a>, layers: &Layers) -> Result<TextLayer, TooMuch> {
    let collector = collected(page, fonts, layers)?;
    let shown = collector.counts().shown(page.render_dimensions());
    let (mut lines, rules) = collector.finish();
    let targets = link::of_page(page, page.initial_transform(true).to_kurbo());
    link::mark(&mut lines, &targets);
    let (width, height) = page.render_dimensions();
    let usual = Usual::of(&lines);
    stamp::mark(&mut lines, usual);
    let line_numbers = line_numbers::take(&mut lines);
    let tables = table::find(&lines, &rules, (f64::from(width), f64::from(height)), usual);
    let mut content = compose::content(&lines, &tables, &targets, f64::from(height), usual);
    if let Some(numbers) = line_numbers {
        let margin = BlockKind::Margin { edge: Edge::Side, level: None, text: Inline::plain(numbers), repeated: false };
        content.blocks.push(Block::new(margin, None));
    }
    content.size = Some([width, height]);
    Ok(TextLayer { content, shown })
}

/// What one page shows, counted.
pub(super) fn counts<'a>(page: &Page<'a>, fonts: &Fonts<'a>, layers: &Layers) -> Result<Counts, TooMuch> {
    collected(page, fonts, layers).map(|collector| collector.counts())
}

fn collected<'a>(page: &Page<'a>, fonts: &Fonts<'a>, layers: &Layers) -> Result<Collector, TooMuch> {
    let (width, height) = page.render_dimensions();
    let mut collector = Collector::new(Rect::new(0.0, 0.0, f64::from(width), f64::from(height)));
    let upright = page.initial_transform(true).to_kurbo();
    interpret::collect(page, upright, fonts, layers, &mut collector)?;
    Ok(collector)
}
