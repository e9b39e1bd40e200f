//! Pages as pictures, for models that look at them.

use std::cell::OnceCell;

use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::vello_cpu::kurbo::Affine;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{PixmapSettings, RenderCache, RenderSettings, render, render_into};
use hayro_interpret::TransformExt;
use hayro_interpret::{InterpreterCache, InterpreterSettings};
use hayro_syntax::page::Page;
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder};
use serde::{Deserialize, Serialize};

use super::glance;
use super::ocr::Gray;
use super::raster::{Raster, WHITISH, gray};
use crate::task::ImageKind;

/// A part of a page: from one height to another, or from one place across to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PagePart {
    /// Whether it goes from left to right, and not from the top down.
    pub across: bool,
    /// Where it begins, as a fraction of the page's width or height.
    pub from: f32,
    /// Where it ends.
    pub to: f32,
}

/// How large a picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageOptions {
    /// Pixels an inch, 1 to 600, where the other limits leave room for it.
    pub dpi: f32,
    /// The most pixels of the longer side, 16 to 8192.
    pub longest_side: u32,
    /// The most bytes, at least 4096: a picture that takes more is made smaller.
    pub max_bytes: usize,
    /// The part of the page that is shown; all of it when absent.
    #[serde(default)]
    pub part: Option<PagePart>,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self { dpi: 150.0, longest_side: 2_048, max_bytes: 4 << 20, part: None }
    }
}

/// A page as it looks, without transparency.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageImage {
    /// `image/png` or `image/jpeg`.
    pub media_type: String,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Whether there is nothing to see: all of it is white.
    pub blank: bool,
    /// Whether there is hardly anything to see: it is of one colour, but for some specks.
    pub plain: bool,
    /// Whether it is paper alone: not all of it is white, and nothing stands on it but faint specks.
    pub bare: bool,
    /// About how many letters it shows; none in photographs and drawings.
    pub letters: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Of 100: no artefacts at the edges of letters that one would see.
const JPEG_QUALITY: u8 = 85;
/// Channels this near to each other are gray: rounding makes such differences.
const GRAY: u8 = 4;
/// Of the bytes of a pixel, the channel that the eye goes by.
const GREEN: usize = 1;
/// A page on which so many of 100 pixels are neither nearly white nor nearly black, in so many colours, has a photograph:
/// the edges of letters are gray, too, but few.
const PHOTOGRAPH: (usize, usize) = (15, 100);
/// So many of the most frequent colours do not count for that: they fill a background or the rows of a table. Paper that
/// was scanned has more.
const FILLS: usize = 4;
/// Every so many-th pixel is looked at for that; no divisor of usual widths.
const SAMPLE: usize = 97;
/// Bytes of 16 pixels, which are looked at together.
const BLOCK: usize = 64;
/// White among the colours at sixteen levels a channel.
const WHITE_PLACE: usize = 0xfff;
/// Of 9: what is smaller by a twentieth takes twice the time.
const DEFLATE_LEVEL: u8 = 2;
/// The same of figures, which are kept for long.
const FIGURE_LEVEL: u8 = 6;
/// How often a picture is made smaller before it is given as it is.
const SHRINKS: usize = 4;

/// Renders the page in its crop box, upright. `None` when it has no area.
pub(super) fn image<'a>(
    page: &'a Page<'a>,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
    options: &ImageOptions,
) -> Option<PageImage> {
    let whole = page.render_dimensions();
    let shown = |length: f32, across: bool| {
        let part = options.part.filter(|part| part.across == across).map_or((0.0, 1.0), |part| (part.from, part.to));
        (length * part.0.clamp(0.0, 1.0), length * (part.1.min(1.0) - part.0.max(0.0)))
    };
    let ((left, width), (top, height)) = (shown(whole.0, true), shown(whole.1, false));
    let longer = width.max(height);
    if !(longer.is_finite() && width > 0.0 && height > 0.0) {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "at most 8192")]
    let most = options.longest_side.clamp(16, 8_192) as f32 / longer;
    let mut scale = (options.dpi.clamp(1.0, 600.0) / 72.0).min(most);
    let most_bytes = options.max_bytes.max(4_096);
    let mut made = None;
    for _ in 0..=SHRINKS {
        // A side of less than one pixel would be none.
        let (x_scale, y_scale) = (scale.max(1.01 / width), scale.max(1.01 / height));
        let pixmap = match options.part {
            None => {
                let pixels = PixmapSettings { x_scale, y_scale, bg_color: WHITE };
                render(page, cache, settings, &RenderSettings::default(), &pixels)
            }
            Some(_) => part(page, cache, settings, (x_scale, y_scale), (left, top), (width, height)),
        };
        let encoded = encode(&pixmap, scale.into())?;
        let size = encoded.bytes.len();
        made = Some(encoded);
        if size <= most_bytes {
            break;
        }
        #[allow(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = (most_bytes as f32 / size as f32).sqrt();
        scale *= ratio.min(0.9) * 0.95;
    }
    made
}

/// Renders the part of a page that is so wide and high and begins so far from its left and upper edges, points.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 8192 pixels a side")]
fn part<'a>(
    page: &'a Page<'a>,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
    (x_scale, y_scale): (f32, f32),
    (left, top): (f32, f32),
    (width, height): (f32, f32),
) -> Pixmap {
    let mut context = RenderContext::new((width * x_scale) as u16, (height * y_scale) as u16);
    let transform = Affine::translate((f64::from(-left * x_scale), f64::from(-top * y_scale)))
        * Affine::scale_non_uniform(x_scale.into(), y_scale.into())
        * page.initial_transform(true).to_kurbo();
    render_into(page, cache, settings, &RenderSettings::default(), &mut context, transform);
    context.flush();
    let mut pixmap = Pixmap::new(context.width(), context.height());
    let white = RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..RasterizerSettings::default() };
    context.render_with(&mut pixmap, &mut Resources::default(), white);
    pixmap
}

/// How many pixels an inch, and how many at most along the longer side, a picture has that is looked at here.
const LOOK: (f32, f32) = (96.0, 1_600.0);

/// What of a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// All of it.
    Whole,
    /// Its pictures, and the areas that cover them: that takes much less time.
    Pictures,
}

/// What draws pages that are looked at here.
#[derive(Default)]
pub(super) struct Eye<'a> {
    whole: OnceCell<RenderCache<'a>>,
    pictures: OnceCell<InterpreterCache<'a>>,
}

impl<'a> Eye<'a> {
    /// What pictures for others are made with.
    pub(super) fn renderer(&self) -> &RenderCache<'a> {
        self.whole.get_or_init(RenderCache::new)
    }

    /// The page in grays. `None` when it has no area.
    pub(super) fn look(&self, page: &'a Page<'a>, settings: &InterpreterSettings, look: Look) -> Option<Raster> {
        let (width, height) = page.render_dimensions();
        let longer = width.max(height);
        if !(longer.is_finite() && width > 0.0 && height > 0.0) {
            return None;
        }
        let scale = (LOOK.0 / 72.0).min(LOOK.1 / longer);
        let (x_scale, y_scale) = (scale.max(1.01 / width), scale.max(1.01 / height));
        if look == Look::Pictures {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited by LOOK")]
            let size = ((width * x_scale) as u16, (height * y_scale) as u16);
            let cache = self.pictures.get_or_init(InterpreterCache::new);
            return Some(glance::raster(page, cache, settings, size, scale.into()));
        }
        let pixels = PixmapSettings { x_scale, y_scale, bg_color: WHITE };
        let pixmap = render(page, self.renderer(), settings, &RenderSettings::default(), &pixels);
        Some(Raster::new(pixmap.width().into(), f64::from(scale), luma(&pixmap)))
    }
}

/// How fine a picture is that text is recognised on, pixels an inch, and how many it has at most.
const SCAN: (f32, f32) = (300.0, 24e6);

/// The page in grays, as text is recognised on it, and how many pixels a point takes. `None` when it has no area.
pub(super) fn scan<'a>(page: &'a Page<'a>, settings: &InterpreterSettings) -> Option<(Gray, f64)> {
    let (width, height) = page.render_dimensions();
    if !(width.is_finite() && height.is_finite() && width > 0.0 && height > 0.0) {
        return None;
    }
    let most = (SCAN.1 / (width * height)).sqrt().min(f32::from(u16::MAX) / width.max(height));
    let scale = (SCAN.0 / 72.0).min(most);
    let (x_scale, y_scale) = (scale.max(1.01 / width), scale.max(1.01 / height));
    let pixels = PixmapSettings { x_scale, y_scale, bg_color: WHITE };
    // A cache would keep the scan, which is looked at once.
    let pixmap = render(page, &RenderCache::new(), settings, &RenderSettings::default(), &pixels);
    Some((Gray::new(pixmap.width().into(), luma(&pixmap)), f64::from(scale)))
}

/// How bright each pixel is.
fn luma(pixmap: &Pixmap) -> Vec<u8> {
    pixmap
        .data_as_u8_slice()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|[red, green, blue, _]| gray([*red, *green, *blue]))
        .collect()
}

/// The smallest of the usual encodings that keeps what one can see: PNG for drawings and text, JPEG for photographs and
/// for many shades, gray where there is no colour.
fn encode(pixmap: &Pixmap, scale: f64) -> Option<PageImage> {
    let (width, height) = (pixmap.width(), pixmap.height());
    let rgba = pixmap.data_as_u8_slice();
    let blank = rgba.iter().all(|value| *value >= WHITISH);
    let raster = Raster::new(width.into(), scale, luma(pixmap));
    let detail = raster.whole();
    let (plain, bare) = (blank || detail.is_plain(), !blank && raster.is_bare());
    let letters = detail.letter_count(&raster);
    let drawing = if is_photograph(rgba) { None } else { png(rgba, width, height) };
    let (media_type, bytes) = match drawing {
        Some(bytes) => ("image/png", bytes),
        None => ("image/jpeg", jpeg(rgba, width, height)?),
    };
    let media_type = media_type.to_owned();
    Some(PageImage { media_type, width: width.into(), height: height.into(), blank, plain, bare, letters, bytes })
}

/// A figure: photographs as JPEG, all else without loss.
pub(super) fn encode_figure(rgba: &[u8], width: u16, height: u16) -> Option<(ImageKind, Vec<u8>)> {
    if is_photograph(rgba) {
        return Some((ImageKind::Jpeg, jpeg(rgba, width, height)?));
    }
    let mut bytes = Vec::new();
    let mut png = png::Encoder::new(&mut bytes, width.into(), height.into());
    png.set_depth(png::BitDepth::Eight);
    png.set_deflate_compression(png::DeflateCompression::Level(FIGURE_LEVEL));
    let pixels = rgba.chunks_exact(4);
    let pixels: Vec<u8> = if pixels.clone().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]) {
        png.set_color(png::ColorType::Grayscale);
        pixels.map(|pixel| pixel[GREEN]).collect()
    } else {
        png.set_color(png::ColorType::Rgb);
        pixels.flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
    };
    png.set_filter(png::Filter::Adaptive);
    png.write_header().ok()?.write_image_data(&pixels).ok()?;
    Some((ImageKind::Png, bytes))
}

/// `None` when there are too many colours.
fn png(rgba: &[u8], width: u16, height: u16) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut png = png::Encoder::new(&mut bytes, width.into(), height.into());
    let pixels = if let Some(levels) = levels(rgba, width.into()) {
        png.set_color(png::ColorType::Grayscale);
        png.set_depth(png::BitDepth::Four);
        levels
    } else {
        let (palette, indexes) = palette(rgba)?;
        png.set_color(png::ColorType::Indexed);
        png.set_palette(palette);
        indexes
    };
    png.set_deflate_compression(png::DeflateCompression::Level(DEFLATE_LEVEL));
    // Filters help photographs; even white and the same letters again and again are best left as they are.
    png.set_filter(png::Filter::NoFilter);
    png.write_header().ok()?.write_image_data(&pixels).ok()?;
    Some(bytes)
}

fn jpeg(rgba: &[u8], width: u16, height: u16) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut jpeg = JpegEncoder::new(&mut bytes, JPEG_QUALITY);
    jpeg.set_optimized_huffman_tables(true);
    if rgba.chunks_exact(4).all(is_gray) {
        let gray: Vec<u8> = rgba.iter().skip(GREEN).step_by(4).copied().collect();
        jpeg.encode(&gray, width, height, JpegColor::Luma).ok()?;
    } else {
        jpeg.encode(rgba, width, height, JpegColor::Rgba).ok()?;
    }
    Some(bytes)
}

fn is_gray(pixel: &[u8]) -> bool {
    pixel[0].abs_diff(pixel[1]) <= GRAY && pixel[1].abs_diff(pixel[2]) <= GRAY
}

/// Most of a page is white: what is made of that need not be found out again and again.
fn is_white(pixels: &[u8]) -> bool {
    pixels.iter().fold(u8::MAX, |all, value| all & value) == u8::MAX
}

/// The nearest of sixteen levels: enough for the edges of letters. It is (value + 8) / 17, without dividing.
#[allow(clippy::cast_possible_truncation, reason = "at most 15")]
fn level(value: u8) -> u8 {
    ((u16::from(value) * 15 + 135) >> 8) as u8
}

/// The levels of a page without colour, two a byte; each row begins with a byte of its own. `None` when it has colour.
fn levels(rgba: &[u8], width: usize) -> Option<Vec<u8>> {
    let row_bytes = width.div_ceil(2);
    let mut packed = vec![u8::MAX; rgba.len() / 4 / width * row_bytes];
    for (row, packed) in rgba.chunks_exact(width * 4).zip(packed.chunks_exact_mut(row_bytes)) {
        for (block, packed) in row.chunks(BLOCK).zip(packed.chunks_mut(BLOCK / 8)) {
            if is_white(block) {
                continue;
            }
            if !block.chunks_exact(4).all(is_gray) {
                return None;
            }
            for (two, byte) in block.chunks(8).zip(packed) {
                *byte = level(two[GREEN]) << 4 | two.get(4 + GREEN).map_or(0, |value| level(*value));
            }
        }
    }
    Some(packed)
}

/// The colours, at sixteen levels a channel, and which of them each pixel has; `None` when there are more than 256.
fn palette(rgba: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut colours = vec![u8::MAX; 3];
    let mut known = [None; 1 << 12];
    known[WHITE_PLACE] = Some(0);
    let mut indexes = vec![0; rgba.len() / 4];
    for (block, indexes) in rgba.chunks(BLOCK).zip(indexes.chunks_mut(BLOCK / 4)) {
        if is_white(block) {
            continue;
        }
        for (pixel, index) in block.chunks_exact(4).zip(indexes) {
            let levels = [level(pixel[0]), level(pixel[1]), level(pixel[2])];
            let place = levels.iter().fold(0, |place, level| place << 4 | usize::from(*level));
            if known[place].is_none() {
                known[place] = Some(u8::try_from(colours.len() / 3).ok()?);
                colours.extend(levels.map(|level| level * 17));
            }
            *index = known[place]?;
        }
    }
    Some((colours, indexes))
}

fn is_photograph(rgba: &[u8]) -> bool {
    let (share, colours) = PHOTOGRAPH;
    let looked_at = rgba.chunks_exact(4).step_by(SAMPLE);
    let least = looked_at.len() * share / 100;
    let between = |pixel: &&[u8]| pixel.iter().any(|value| (24..232).contains(value));
    let mut between: Vec<&[u8]> = looked_at.filter(between).collect();
    if between.len() < least {
        return false;
    }
    between.sort_unstable();
    let mut counts: Vec<usize> = between.chunk_by(PartialEq::eq).map(<[_]>::len).collect();
    counts.sort_unstable();
    let many = counts.len().saturating_sub(FILLS);
    many >= colours && counts[..many].iter().sum::<usize>() >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_the_nearest() {
        assert!((0..=u8::MAX).all(|value| u16::from(level(value)) == (u16::from(value) + 8) / 17));
    }

    #[test]
    fn gray_rows_begin_with_a_byte_of_their_own() {
        let row = |values: &[u8]| values.iter().flat_map(|value| [*value, *value, *value, 255]).collect::<Vec<u8>>();
        let rows = [row(&[0, 255, 17]), row(&[255; 3]), row(&[34, 0, 255])].concat();
        assert_eq!(levels(&rows, 3).unwrap(), [0x0f, 0x10, 0xff, 0xff, 0x20, 0xf0]);
        assert_eq!(levels(&[row(&[0; 20]), vec![9, 0, 0, 255]].concat(), 21), None);
    }

    #[test]
    fn a_palette_has_white_and_at_most_256_colours() {
        let shades = |count: u8| (0..count).flat_map(|n| [(n % 16) * 17, (n / 16) * 17, 0, 255]).collect::<Vec<u8>>();
        let (colours, indexes) = palette(&[255, 255, 255, 255, 9, 0, 200, 255]).unwrap();
        assert_eq!((&colours[..], &indexes[..]), (&[255, 255, 255, 17, 0, 204][..], &[0, 1][..]));
        assert_eq!(palette(&shades(255)).unwrap().0.len(), 256 * 3);
        assert!(palette(&[shades(255), vec![0, 0, 99, 255]].concat()).is_none());
    }
}
