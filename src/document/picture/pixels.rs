//! PNG and WebP as plain pixels, on white; and what is done to pixels of any kind.

use std::io::Cursor;

use image_webp::WebPDecoder;
use png::{ColorType, Transformations, Unit};

use super::exif::Exif;
use super::{Colour, Frame, MOST_PIXELS, Pixels, Refusal, check_size};

/// The most bytes that a decoder may take.
#[allow(clippy::cast_possible_truncation, reason = "far below")]
pub(super) const MOST_BYTES: usize = MOST_PIXELS as usize * 4 + (16 << 20);
/// Metres an inch.
const INCH: f32 = 0.0254;

/// The picture of a PNG; of an animated one, what it shows at rest.
///
/// # Errors
/// When it has too many pixels, or is damaged.
pub(super) fn png(file: &[u8]) -> Result<Frame, Refusal> {
    let damaged = |error: png::DecodingError| Refusal::Damaged(error.to_string());
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), png::Limits { bytes: MOST_BYTES });
    // Of 16 bits the upper ones, of indexes and of few bits whole bytes.
    decoder.set_transformations(Transformations::normalize_to_color8());
    let header = decoder.read_header_info().map_err(damaged)?;
    let (width, height) = (header.width, header.height);
    check_size(width, height)?;
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().ok_or(Refusal::TooLarge(width, height))?;
    let mut data = vec![0; size];
    let shown = reader.next_frame(&mut data).map_err(damaged)?;
    data.truncate(shown.buffer_size());
    let info = reader.info();
    let exif = info.exif_metadata.as_deref().map(Exif::of).unwrap_or_default();
    #[allow(clippy::cast_precision_loss, reason = "a resolution")]
    let density =
        info.pixel_dims.filter(|of| of.unit == Unit::Meter).map(|of| (of.xppu as f32 * INCH, of.yppu as f32 * INCH));
    let pixels = match shown.color_type {
        ColorType::Grayscale => plain(Colour::Gray, data),
        ColorType::GrayscaleAlpha => plain(Colour::Gray, on_white(&data, 2)),
        ColorType::Rgba => plain(Colour::Rgb, on_white(&data, 4)),
        ColorType::Rgb | ColorType::Indexed => plain(Colour::Rgb, data),
    };
    let orientation = exif.orientation.unwrap_or(1);
    Ok(Frame { width, height, resolution: density.or(exif.resolution), orientation, pixels })
}

/// The picture of a WebP; of an animated one, the first.
///
/// # Errors
/// When it has too many pixels, or is damaged.
pub(super) fn webp(file: &[u8]) -> Result<Frame, Refusal> {
    let damaged = |error: image_webp::DecodingError| Refusal::Damaged(error.to_string());
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(damaged)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height)?;
    decoder.set_memory_limit(MOST_BYTES);
    let exif = decoder.exif_metadata().ok().flatten().map(|block| Exif::of(&block)).unwrap_or_default();
    let size = decoder.output_buffer_size().ok_or(Refusal::TooLarge(width, height))?;
    let mut data = vec![0; size];
    decoder.read_image(&mut data).map_err(damaged)?;
    let pixels = plain(Colour::Rgb, if decoder.has_alpha() { on_white(&data, 4) } else { data });
    let orientation = exif.orientation.unwrap_or(1);
    Ok(Frame { width, height, resolution: exif.resolution, orientation, pixels })
}

pub(super) const fn plain(colour: Colour, data: Vec<u8>) -> Pixels {
    Pixels::Plain { colour, bits: 8, data }
}

/// Pixels whose last channel says how opaque they are, as they look on white paper.
pub(super) fn on_white(data: &[u8], channels: usize) -> Vec<u8> {
    let mut white = Vec::with_capacity(data.len() / channels * (channels - 1));
    for pixel in data.chunks_exact(channels) {
        let (colours, alpha) = pixel.split_at(channels - 1);
        white.extend(colours.iter().map(|value| blend(*value, alpha[0])));
    }
    white
}

fn blend(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    u8::try_from((value * alpha + 255 * (255 - alpha) + 127) / 255).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_transparent_lets_white_through() {
        for (value, alpha, expected) in [(0, 255, 0), (0, 0, 255), (0, 128, 127), (200, 255, 200), (255, 9, 255)] {
            assert_eq!(blend(value, alpha), expected);
        }
        assert_eq!(on_white(&[9, 9, 9, 0, 1, 2, 3, 255], 4), [255, 255, 255, 1, 2, 3]);
    }
}
