//! One page's glyphs → lines → Markdown.
//!
//! ```text
//! interpreter ──glyphs, paths──▶ collect ──lines, rules──▶ table ──tables──▶ write ──▶ Markdown
//!                 fonts (what glyphs mean)   bidi (order of letters)   link (words that lead somewhere)
//! ```
//! Glyphs come in the order in which the page draws them, which for text made by typesetting is reading order, columns
//! included; so that order is kept, and only what stands in a table is brought into another one.

mod bidi;
mod collect;
mod fonts;
mod line;
mod link;
mod table;
mod write;

use hayro_interpret::kurbo::Rect;
use hayro_interpret::{Context, InterpreterCache, InterpreterSettings, TransformExt, interpret_page};
use hayro_syntax::page::Page;
use hayro_syntax::xref::XRef;

use self::collect::{Collector, Counts};
use self::fonts::PageFonts;

/// The Markdown of one page; empty when it shows no text.
pub(super) fn markdown<'a>(
    page: &Page<'a>,
    xref: &'a XRef,
    settings: &InterpreterSettings,
    cache: &InterpreterCache<'a>,
) -> String {
    let (mut lines, rules) = collected(page, xref, settings, cache).finish();
    let targets = link::of_page(page, page.initial_transform(true).to_kurbo());
    link::mark(&mut lines, &targets);
    let tables = table::find(&lines, &rules, f64::from(page.render_dimensions().0));
    write::markdown(&lines, &tables, &targets)
}

/// What one page shows, counted.
pub(super) fn counts<'a>(
    page: &Page<'a>,
    xref: &'a XRef,
    settings: &InterpreterSettings,
    cache: &InterpreterCache<'a>,
) -> Counts {
    collected(page, xref, settings, cache).counts()
}

fn collected<'a>(
    page: &Page<'a>,
    xref: &'a XRef,
    settings: &InterpreterSettings,
    cache: &InterpreterCache<'a>,
) -> Collector {
    let (width, height) = page.render_dimensions();
    let view = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let upright = page.initial_transform(true).to_kurbo();
    let mut context = Context::new(upright, view, cache, xref, settings.clone());
    let mut collector = Collector::new(PageFonts::of(page, settings), view);
    interpret_page(page, &mut context, &mut collector);
    collector
}
