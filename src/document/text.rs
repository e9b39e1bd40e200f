//! One page's glyphs → lines → blocks.
//!
//! ```text
//! interpret ──glyphs, strokes──▶ collect ──lines, rules──▶ table ──▶ order ──▶ block ──▶ compose ──▶ PageContent
//!   fonts: what glyphs mean        open_line: words, looks (glyphs: accents, exponents; spacing; initials)     region: rules     inline: lines joined,
//!   letters, symbol: what they do not say, actual_text: what is said of glyphs, looks: how they look, trust, shifted: what cannot be so
//!   layers: what is hidden         bidi: order of letters     columns: white      emphasis, links
//!   path: strokes, annotation: forms and notes
//!   ink, ground, sight: what of it is seen
//!                                  link: where words lead       space; marker: items of lists
//!                                  across: letters of vertical fonts, set side by side
//!   scanned: lines that were recognised on a picture take the same way from here
//! ```
//!
//! Tables: `region` finds grids of rules, `shading` those of filled cells, `chart` what stands along axes. `rows` are words
//! on one baseline, parted into cells; `lattice` gives them the columns that rules make, `stream` those that white space
//! makes (`columns`), unless `guard` knows them for text; `widen` looks for the rest of those that rules frame in part; `head`
//! tells the head, `assemble` joins the lines of a row and finds what spans others; `empty_columns` go. `leader`: dots that
//! lead to a number; `struck`: words that a line strikes through.
//!
//! Figures: `picture_fragments` are the pictures that a page draws, `figure` finds which of them, alone or together, are figures, `caption`
//! what is said of them, and where among the blocks they stand.

mod abutting;
mod across;
mod actual_text;
mod algorithm;
mod annotation;
mod assemble;
mod bidi;
mod block;
mod body_style;
mod caption;
mod chart;
mod code;
mod collect;
mod columns;
mod compose;
mod empty_columns;
mod figure;
mod flow;
mod fonts;
mod glyphs;
mod ground;
mod guard;
mod gutters;
mod head;
mod heading;
mod hyphens;
mod initials;
mod ink;
mod inline;
mod interpret;
mod lattice;
mod layers;
mod leader;
mod letters;
mod line;
mod line_numbers;
mod link;
mod looks;
mod marker;
mod open_line;
mod order;
mod outlines;
mod path;
mod picture_fragments;
mod raised;
mod reading;
mod recognised;
mod region;
mod rows;
mod runs;
mod scanned;
mod scene;
mod shading;
mod shifted;
mod sight;
mod skew;
mod spacing;
mod stamp;
mod stream;
mod struck;
mod symbol;
mod table;
mod trust;
mod typewritten;
mod vertical;
mod widen;

use hayro_interpret::TransformExt;
use hayro_syntax::page::Page;
use serde::{Deserialize, Serialize};

pub(super) use self::annotation::Field;
use self::body_style::BodyStyle;
use self::collect::RulingLine;
use self::figure::Figure;
pub(super) use self::fonts::Fonts;
pub(super) use self::interpret::LimitExceeded;
pub(super) use self::layers::Layers;
use self::line::Line;
use self::link::Link;
pub(super) use self::picture_fragments::PictureFragment;
use self::scene::Scene;
use super::facts::Shown;
use super::image::Look;
use super::ocr::{ScannedLine, ScannedRule};
use super::raster::Raster;
use crate::content::{Block, BlockKind, Edge, Inline, PageContent};
use crate::task::{HiddenText, OcrLayer, TaskOptions};

/// What the text layer of a page says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TextLayer {
    /// Its blocks; none when the page shows no text.
    pub content: PageContent,
    /// What the page shows, its text included.
    pub shown: Shown,
    /// What became of text that cannot be seen.
    pub hidden: Hidden,
    /// The names of files that are attached to it; see [`PageFacts::attached`](super::PageFacts::attached).
    pub attached: Vec<String>,
}

/// What became of the text of a page that cannot be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hidden {
    /// How many letters of it are left out.
    pub dropped: u32,
    /// How many stand in the content.
    pub kept: u32,
    /// Whether these were recognised on a scan.
    pub recognised: bool,
}

/// What of a page's text is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TextOptions {
    /// What becomes of text that cannot be seen.
    pub hidden_text: HiddenText,
    /// What becomes of such text on a scan.
    pub ocr_layer: OcrLayer,
}

impl From<&TaskOptions> for TextOptions {
    fn from(options: &TaskOptions) -> Self {
        Self { hidden_text: options.hidden_text.unwrap_or_default(), ocr_layer: options.ocr_layer.unwrap_or_default() }
    }
}

/// Makes a small picture of the page at hand.
type Eye<'l> = &'l dyn Fn(Look) -> Option<Raster>;

pub(super) fn read<'a>(
    page: &Page<'a>,
    fonts: &Fonts<'a>,
    layers: &Layers,
    options: TextOptions,
    eye: Eye<'_>,
) -> Result<TextLayer, LimitExceeded> {
    let mut scene = Scene::of(page, fonts, layers, eye)?;
    let shown = scene.shown();
    let hidden = scene.choose(&shown, options);
    let pieces = scene.take_pieces();
    let figures = scene.figures(&shown, &pieces);
    let (mut lines, rules) = scene.collector.finish();
    let down = vertical::part(&mut lines);
    let targets = link::of_page(page, page.initial_transform(true).to_kurbo());
    link::mark(&mut lines, &targets);
    let content = arranged(lines, (&rules, &figures), &targets, down, page.render_dimensions());
    Ok(TextLayer { content, shown, hidden, attached: Vec::new() })
}

/// Lines in their order, as what they are, on a page of this width and height (points).
fn arranged(
    mut lines: Vec<Line>,
    (rules, figures): (&[RulingLine], &[Figure]),
    targets: &[Link],
    down: bool,
    (width, height): (f32, f32),
) -> PageContent {
    let body_style = BodyStyle::of(&lines);
    stamp::mark(&mut lines, body_style);
    algorithm::mark(&mut lines, rules);
    let line_numbers = line_numbers::take(&mut lines);
    let size = (f64::from(width), f64::from(height));
    struck::mark(&mut lines, rules);
    hyphens::mark(&mut lines);
    let tables = if down { Vec::new() } else { table::find(&lines, rules, size, body_style) };
    let captions = caption::find(figures, &lines);
    let mut content = compose::content(&lines, (&tables, &captions), targets, f64::from(height), body_style);
    if let Some(numbers) = line_numbers {
        let margin = BlockKind::Margin { edge: Edge::Side, level: None, text: Inline::plain(numbers), repeated: false };
        content.blocks.push(Block::new(margin, None));
    }
    content.size = Some([width, height]);
    content
}

/// What lines say that were recognised on the picture of a page of this width and height (points).
pub(super) fn of_scan(lines: Vec<ScannedLine>, rules: &[ScannedRule], size: (f32, f32)) -> PageContent {
    let rules: Vec<RulingLine> = rules.iter().map(scanned::rule).collect();
    arranged(scanned::lines(lines), (&rules, &[]), &[], false, size)
}

/// The pictures that a page draws.
pub(super) fn pieces<'a>(
    page: &Page<'a>,
    fonts: &Fonts<'a>,
    layers: &Layers,
    eye: Eye<'_>,
) -> Result<Vec<PictureFragment>, LimitExceeded> {
    Ok(Scene::of(page, fonts, layers, eye)?.take_pieces())
}

/// What one page shows, counted.
pub(super) fn shown<'a>(
    page: &Page<'a>,
    fonts: &Fonts<'a>,
    layers: &Layers,
    eye: Eye<'_>,
) -> Result<Shown, LimitExceeded> {
    let scene = Scene::of(page, fonts, layers, eye)?;
    let mut shown = scene.shown();
    shown.recognised_is_sound = shown.is_recognised() && scene.recognised_is_sound();
    Ok(shown)
}
