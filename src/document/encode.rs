//! Pixels as files: PNG for drawings and text, JPEG for photographs.

use hayro::vello_cpu::Pixmap;
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder};

use super::draw::luma;
use super::image::PageImage;
use super::raster::{Raster, WHITISH};
use crate::task::ImageKind;

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
/// The smallest of the usual encodings that keeps what one can see: PNG for drawings and text, JPEG for photographs and
/// for many shades, gray where there is no colour.
pub(super) fn encode(pixmap: &Pixmap, scale: f64) -> Option<PageImage> {
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
