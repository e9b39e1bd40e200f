//! A page's text beside its picture: what of it is seen, and what the picture shows besides.

use std::cell::OnceCell;
use std::collections::HashSet;

use hayro_interpret::TransformExt;
use hayro_interpret::kurbo::Rect;
use hayro_syntax::page::Page;

use super::collect::Collector;
use super::figure::{self, Figure};
use super::fonts::Fonts;
use super::interpret::{self, LimitExceeded};
use super::layers::Layers;
use super::open_line::OpenLine;
use super::picture_fragments::PictureFragment;
use super::{Eye, Hidden, TextOptions, recognised, trust};
use crate::document::facts::Shown;
use crate::document::image::Look;
use crate::document::raster::Raster;
use crate::task::{HiddenText, OcrLayer};

/// Light letters on a picture are hidden where most of that is as light as this, 0 to 1,
const LIGHT: f32 = 0.86;
/// and so are all when so many of ten are.
const MOST_PALE: usize = 7;
/// Of recognised words so many of ten lie on ink, and of what looks like letters so much lies below them.
const ON_INK: usize = 8;
const BELOW_WORDS: usize = 7;

/// A picture that takes this much of the page is looked at though there is plenty of text beside, unless it is a photograph;
/// not more than so many.
const LARGE: f64 = 0.04;
const MOST_LARGE: usize = 16;
/// It is one of text when so many of 100 places that show something look like letters.
const OF_LETTERS: usize = 40;

/// A page as it was collected.
pub(super) struct Scene<'l> {
    pub(super) collector: Collector,
    size: (f32, f32),
    eye: Eye<'l>,
    /// The page as it looks, once that was made; it may not be there.
    whole: OnceCell<Option<Raster>>,
    /// The same of its pictures.
    pictures: OnceCell<Option<Raster>>,
}

impl<'l> Scene<'l> {
    pub(super) fn of<'a>(
        page: &Page<'a>,
        fonts: &Fonts<'a>,
        layers: &Layers,
        eye: Eye<'l>,
    ) -> Result<Self, LimitExceeded> {
        let size = page.render_dimensions();
        let mut collector = Collector::new(Rect::new(0.0, 0.0, f64::from(size.0), f64::from(size.1)));
        let upright = page.initial_transform(true).to_kurbo();
        interpret::collect(page, upright, fonts, layers, &mut collector)?;
        collector.set_hidden_apart();
        let mut scene = Self { collector, size, eye, whole: OnceCell::new(), pictures: OnceCell::new() };
        scene.set_pale_apart();
        Ok(scene)
    }

    fn whole(&self) -> Option<&Raster> {
        self.whole.get_or_init(|| (self.eye)(Look::Whole)).as_ref()
    }

    /// What its pictures show; the whole page where that was made before.
    fn pictures(&self) -> Option<&Raster> {
        let whole = self.whole.get().and_then(Option::as_ref);
        whole.or_else(|| self.pictures.get_or_init(|| (self.eye)(Look::Pictures)).as_ref())
    }

    /// Light letters on a picture are hidden where that is light, too.
    fn set_pale_apart(&mut self) {
        let pale = std::mem::take(&mut self.collector.pale);
        if pale.is_empty() {
            return;
        }
        let Some(raster) = self.whole() else { return };
        let on_light = |area: Rect| raster.ground(area).is_some_and(|ground| ground > LIGHT);
        let light = pale.iter().filter(|(_, area)| on_light(*area)).count();
        if light * 10 >= pale.len() * MOST_PALE {
            let strings: HashSet<u32> = pale.into_iter().map(|(string, _)| string).collect();
            self.collector.set_strings_apart(&strings);
        }
    }

    /// What the page shows.
    pub(super) fn shown(&self) -> Shown {
        let collector = &self.collector;
        let unreadable = trust::unreadable(&collector.lines, &collector.fonts);
        let mut shown = Shown {
            unreadable_glyphs: unreadable.glyphs,
            lost_letters: unreadable.lost,
            recognised_glyphs: collector.on_pictures(),
            outlined_letters: collector.outlines.letters(),
            ..collector.counts.shown(self.size)
        };
        let (width, height) = self.size;
        let large = collector.prints.iter().filter(|area| area.area() > f64::from(width * height) * LARGE);
        let large: Vec<Rect> = large.copied().take(MOST_LARGE).collect();
        if (shown.may_be_pictured() || shown.visible_glyphs() > 0 && !large.is_empty()) && !shown.is_recognised() {
            let text: Vec<Rect> = collector.lines.iter().map(OpenLine::area).collect();
            if let Some(raster) = self.pictures() {
                let detail = raster.detail(&collector.pictures, &text);
                shown.pictured_letters = Some(detail.letter_count(raster));
                shown.picture_detail = Some(detail.share());
                let alone = large.iter().map(|area| raster.detail(&[*area], &text));
                let alone = alone.filter(|detail| detail.is_of_letters(OF_LETTERS));
                shown.unread_letters = Some(alone.map(|detail| detail.letter_count(raster)).max().unwrap_or(0));
            }
        }
        shown
    }

    /// Whether text that was recognised on a scan reads like text and lies on the ink.
    pub(super) fn recognised_is_sound(&self) -> bool {
        let words = recognised::words(&self.collector.hidden);
        if !recognised::is_plausible(&words) {
            return false;
        }
        let pictures = &self.collector.pictures;
        let Some(raster) = self.pictures() else { return false };
        let areas: Vec<Rect> = words.iter().map(|word| word.area).collect();
        let on_ink = areas.iter().filter(|area| raster.has_ink(**area)).count();
        let all = raster.detail(pictures, &[]);
        let beside = raster.detail(pictures, &areas);
        on_ink * 10 >= areas.len() * ON_INK && beside.letters * 10 <= all.letters * (10 - BELOW_WORDS)
    }

    /// The pictures that it draws, in their order; those that text stands on are drawn over.
    pub(super) fn take_pieces(&mut self) -> Vec<PictureFragment> {
        // Where lines stand takes long to find out, and most pages have no pictures.
        if self.collector.pieces.is_empty() {
            return Vec::new();
        }
        for line in &self.collector.lines {
            self.collector.pieces.over(line.area(), false);
        }
        std::mem::take(&mut self.collector.pieces).into_vec()
    }

    /// The figures that these make. On a scan with recognised text they are parts of the scan.
    pub(super) fn figures(&self, shown: &Shown, pieces: &[PictureFragment]) -> Vec<Figure> {
        if pieces.is_empty() || shown.is_recognised() {
            return Vec::new();
        }
        let text: Vec<Rect> = self.collector.lines.iter().map(OpenLine::area).collect();
        // What cannot be looked at counts as something.
        let has_detail = |area: Rect| self.pictures().is_none_or(|raster| raster.detail(&[area], &[]).anything > 0);
        figure::find(pieces, &text, (self.size.0.into(), self.size.1.into()), has_detail)
    }

    /// Takes hidden text in, or leaves it out.
    pub(super) fn choose(&mut self, shown: &Shown, options: TextOptions) -> Hidden {
        let scan = shown.is_recognised();
        let takes = match (options.hidden_text, options.ocr_layer) {
            (HiddenText::Keep, _) => true,
            (HiddenText::Drop, OcrLayer::Trust | OcrLayer::Auto) => scan,
            (HiddenText::Drop, OcrLayer::Reread) => false,
        };
        let letters = self.collector.drop_drawn_again();
        // What stands off the page is never taken in.
        let outside = self.collector.counts.outside;
        if takes {
            let hidden = std::mem::take(&mut self.collector.hidden);
            self.collector.lines.extend(hidden);
            Hidden { dropped: outside, kept: letters, recognised: scan }
        } else {
            self.collector.hidden.clear();
            Hidden { dropped: letters.saturating_add(outside), kept: 0, recognised: scan }
        }
    }
}
