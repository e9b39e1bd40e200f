//! Pages as pictures, for models that look at them.

use hayro::vello_cpu::Pixmap;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use hayro_interpret::InterpreterSettings;
use hayro_syntax::page::Page;
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder};
use serde::{Deserialize, Serialize};

/// How large a picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImageOptions {
    /// Pixels an inch, 1 to 600, where the other limits leave room for it.
    pub dpi: f32,
    /// The most pixels of the longer side, 16 to 8192.
    pub longest_side: u32,
    /// The most bytes, at least 4096: a picture that takes more is made smaller.
    pub max_bytes: usize,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self { dpi: 150.0, longest_side: 2_048, max_bytes: 4 << 20 }
    }
}

/// A page as it looks, without transparency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageImage {
    /// `image/png` or `image/jpeg`.
    pub media_type: String,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Whether there is nothing to see: all of it is white.
    pub blank: bool,
    /// The file.
    pub bytes: Vec<u8>,
}

/// Of 100: no artefacts at the edges of letters that one would see.
const JPEG_QUALITY: u8 = 85;
/// Channels this near to each other are gray: rounding makes such differences.
const GRAY: u8 = 4;
/// Not to be told from white.
const WHITISH: u8 = 250;
/// A page on which so many of 100 pixels are neither nearly white nor nearly black, in as many colours, has a photograph:
/// the edges of letters are gray, too, but few, and areas of drawings have few colours.
const PHOTOGRAPH: (usize, usize) = (15, 100);
/// Every so many-th pixel is looked at for that; no divisor of usual widths.
const SAMPLE: usize = 37;
/// How often a picture is made smaller before it is given as it is.
const SHRINKS: usize = 4;

/// Renders the page in its crop box, upright. `None` when it has no area.
pub(super) fn image<'a>(
    page: &'a Page<'a>,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
    options: &ImageOptions,
) -> Option<PageImage> {
    let (width, height) = page.render_dimensions();
    let longer = width.max(height);
    if !(width.is_finite() && height.is_finite() && longer > 0.0) {
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
        let pixels = PixmapSettings { x_scale, y_scale, bg_color: WHITE };
        let encoded = encode(&render(page, cache, settings, &RenderSettings::default(), &pixels))?;
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

/// The smallest of the usual encodings that keeps what one can see: PNG for drawings and text, JPEG for photographs,
/// gray where there is no colour.
fn encode(pixmap: &Pixmap) -> Option<PageImage> {
    let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
    let rgba = pixmap.data_as_u8_slice();
    let is_gray = |pixel: &[u8]| pixel[0].abs_diff(pixel[1]) <= GRAY && pixel[1].abs_diff(pixel[2]) <= GRAY;
    let gray = rgba.chunks_exact(4).all(is_gray);
    let channels = if gray { 1 } else { 3 };
    let mut pixels = Vec::with_capacity(rgba.len() / 4 * channels);
    for pixel in rgba.chunks_exact(4) {
        // Gray is green: the channel that the eye goes by.
        pixels.extend_from_slice(if gray { &pixel[1..2] } else { &pixel[..3] });
    }
    let blank = pixels.iter().all(|value| *value >= WHITISH);
    let photograph = is_photograph(&pixels, channels);
    let mut bytes = Vec::new();
    let media_type = if photograph {
        let (side_x, side_y) = (u16::try_from(width).ok()?, u16::try_from(height).ok()?);
        let color = if gray { JpegColor::Luma } else { JpegColor::Rgb };
        JpegEncoder::new(&mut bytes, JPEG_QUALITY).encode(&pixels, side_x, side_y, color).ok()?;
        "image/jpeg"
    } else {
        let mut png = png::Encoder::new(&mut bytes, width, height);
        if gray {
            png.set_color(png::ColorType::Grayscale);
            png.set_depth(png::BitDepth::Four);
            let levels = pixels.iter().map(|value| level(*value));
            pixels = packed(&levels.collect::<Vec<u8>>(), width);
        } else if let Some((palette, indexes)) = palette(&pixels) {
            png.set_color(png::ColorType::Indexed);
            png.set_palette(palette);
            pixels = indexes;
        } else {
            png.set_color(png::ColorType::Rgb);
        }
        png.set_compression(png::Compression::Balanced);
        // Filters help photographs; even white and the same letters again and again are best left as they are.
        png.set_filter(png::Filter::NoFilter);
        png.write_header().ok()?.write_image_data(&pixels).ok()?;
        "image/png"
    };
    Some(PageImage { media_type: media_type.to_owned(), width, height, blank, bytes })
}

/// The nearest of sixteen levels: enough for the edges of letters.
fn level(value: u8) -> u8 {
    u8::try_from((u16::from(value) + 8) / 17).unwrap_or(15)
}

/// Two levels a byte; each row begins with a byte of its own.
fn packed(levels: &[u8], width: u32) -> Vec<u8> {
    let pair = |two: &[u8]| two[0] << 4 | two.get(1).copied().unwrap_or(0);
    levels.chunks(width.max(1) as usize).flat_map(|row| row.chunks(2).map(pair)).collect()
}

/// The colours, at sixteen levels a channel, and which of them each pixel has; `None` when there are more than 256.
fn palette(pixels: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let mut known = vec![None; 1 << 12];
    let mut colours = Vec::new();
    let mut indexes = Vec::with_capacity(pixels.len() / 3);
    for pixel in pixels.chunks_exact(3) {
        let levels = [level(pixel[0]), level(pixel[1]), level(pixel[2])];
        let place = levels.iter().fold(0, |place, level| place << 4 | usize::from(*level));
        if known[place].is_none() {
            known[place] = Some(u8::try_from(colours.len() / 3).ok()?);
            colours.extend(levels.map(|level| level * 17));
        }
        indexes.extend(known[place]);
    }
    Some((colours, indexes))
}

fn is_photograph(pixels: &[u8], channels: usize) -> bool {
    let (share, colours) = PHOTOGRAPH;
    let looked_at = pixels.chunks_exact(channels).step_by(SAMPLE);
    let all = looked_at.len();
    let between = |pixel: &&[u8]| pixel.iter().any(|value| (24..232).contains(value));
    let mut between: Vec<&[u8]> = looked_at.filter(between).collect();
    if between.len() * 100 < all * share {
        return false;
    }
    between.sort_unstable();
    between.dedup();
    between.len() >= colours
}
