//! Frames of a TIFF as plain pixels (TIFF 6.0, and BigTIFF): uncompressed, LZW, Deflate, PackBits, JPEG, and CCITT group 4.

use std::io::Cursor;

use tiff::decoder::ifd::Value;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::pixels::{MOST_BYTES, on_white, plain};
use super::{Colour, Frame, Pixels, Refusal, check_size, exif};

/// Bits of NewSubfileType: a smaller copy of another frame, and its mask.
const COPY_OR_MASK: u32 = 0b101;

/// More frames than any limit of pages lets through.
const MOST_FRAMES: usize = 100_000;

fn open(file: &[u8]) -> Result<Decoder<Cursor<&[u8]>>, Refusal> {
    let mut limits = Limits::default();
    limits.decoding_buffer_size = MOST_BYTES * 2;
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    Decoder::new(Cursor::new(file)).map(|decoder| decoder.with_limits(limits)).map_err(|error| said(&error))
}

/// Which of the frames in a file are pages: all but copies in a smaller size and masks; at most [`MOST_FRAMES`].
///
/// # Errors
/// When not even the first one can be found.
pub(super) fn frames(file: &[u8]) -> Result<Vec<usize>, Refusal> {
    let mut decoder = open(file)?;
    let mut pages = Vec::new();
    for at in 0.. {
        let kind = decoder.find_tag_unsigned::<u32>(Tag::NewSubfileType).ok().flatten().unwrap_or(0);
        if kind & COPY_OR_MASK == 0 {
            pages.push(at);
        }
        // The rest of a chain that is broken is not there.
        let ends = !decoder.more_images() || pages.len() >= MOST_FRAMES;
        if ends || decoder.next_image().is_err() {
            break;
        }
    }
    if pages.is_empty() {
        pages.push(0);
    }
    Ok(pages)
}

/// One frame.
///
/// # Errors
/// When it has too many pixels, is damaged, or is of a form that is not known, such as indexed colours.
pub(super) fn frame(file: &[u8], at: usize) -> Result<Frame, Refusal> {
    let mut decoder = open(file)?;
    decoder.seek_to_image(at).map_err(|error| said(&error))?;
    let (width, height) = decoder.dimensions().map_err(|error| said(&error))?;
    check_size(width, height)?;
    let colour = decoder.colortype().map_err(|error| said(&error))?;
    let number = |decoder: &mut Decoder<_>, tag| decoder.find_tag_unsigned::<u32>(tag).ok().flatten();
    let orientation = number(&mut decoder, Tag::Orientation).and_then(|of| u8::try_from(of).ok());
    let unit = number(&mut decoder, Tag::ResolutionUnit).and_then(|of| u16::try_from(of).ok()).unwrap_or(2);
    let [x, y] = [Tag::XResolution, Tag::YResolution]
        .map(|tag| decoder.find_tag(tag).ok().flatten().and_then(|value| fraction(&value)));
    // Gray whose white is zero comes out as light.
    let mut result = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut result).map_err(|error| said(&error))?;
    let planes = layout.planes > 1;
    let size = (width as usize, height as usize);
    let pixels = match result {
        DecodingResult::U8(data) => of_bytes(colour, data, size, planes)?,
        DecodingResult::U16(data) => of_bytes(colour, narrowed(&data), size, planes)?,
        _ => return Err(Refusal::Unknown("numbers that are no colours".to_owned())),
    };
    Ok(Frame {
        width,
        height,
        resolution: x.zip(y).and_then(|(x, y)| exif::resolution(x, y, unit)),
        orientation: orientation.filter(|of| (1..=8).contains(of)).unwrap_or(1),
        pixels,
    })
}

#[allow(clippy::cast_precision_loss, reason = "a resolution")]
fn fraction(value: &Value) -> Option<f32> {
    match *value {
        Value::Rational(over, under) if under > 0 => Some(over as f32 / under as f32),
        Value::Float(value) => Some(value),
        _ => None,
    }
}

/// The upper halves.
fn narrowed(data: &[u16]) -> Vec<u8> {
    data.iter().map(|value| value.to_be_bytes()[0]).collect()
}

/// Pixels of one byte a channel, or of fewer bits that are gray.
fn of_bytes(
    colour: ColorType,
    data: Vec<u8>,
    (width, height): (usize, usize),
    planes: bool,
) -> Result<Pixels, Refusal> {
    let channels = usize::from(colour.num_samples());
    let unknown = || Refusal::Unknown(format!("colours as {colour:?}"));
    let bits = match colour.bit_depth() {
        16 => 8,
        bits => bits,
    };
    let needed = (width * channels * usize::from(bits)).div_ceil(8) * height;
    if data.len() < needed {
        return Err(Refusal::Damaged("it is cut off".to_owned()));
    }
    let data = if planes && channels > 1 { interleaved(&data, channels, width * height) } else { data };
    match colour {
        ColorType::Gray(bits @ (1 | 2 | 4)) => Ok(Pixels::Plain { colour: Colour::Gray, bits, data }),
        ColorType::Gray(8 | 16) => Ok(plain(Colour::Gray, data)),
        ColorType::GrayA(8 | 16) | ColorType::Multiband { bit_depth: 8 | 16, num_samples: 2 } => {
            Ok(plain(Colour::Gray, on_white(&data, 2)))
        }
        ColorType::RGB(8 | 16) => Ok(plain(Colour::Rgb, data)),
        ColorType::RGBA(8 | 16) => Ok(plain(Colour::Rgb, on_white(&data, 4))),
        ColorType::YCbCr(8) => Ok(plain(Colour::Rgb, data.chunks_exact(3).flat_map(rgb_of_ycbcr).collect())),
        ColorType::CMYK(8 | 16) => Ok(plain(Colour::Cmyk, data)),
        _ => Err(unknown()),
    }
}

/// Channels that are stored one after the other, pixel by pixel.
fn interleaved(data: &[u8], channels: usize, pixels: usize) -> Vec<u8> {
    let value = |at: usize| data.get(at % channels * pixels + at / channels).copied().unwrap_or(u8::MAX);
    (0..channels * pixels).map(value).collect()
}

/// As JFIF says (ITU-T T.871, 7).
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn rgb_of_ycbcr(pixel: &[u8]) -> [u8; 3] {
    let [y, cb, cr] = [0, 1, 2].map(|at| f32::from(pixel[at]));
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    [y + 1.402 * cr, y - 0.344_14 * cb - 0.714_14 * cr, y + 1.772 * cb]
        .map(|value| value.round().clamp(0.0, 255.0) as u8)
}

fn said(error: &TiffError) -> Refusal {
    match error {
        TiffError::UnsupportedError(what) => Refusal::Unknown(what.to_string()),
        TiffError::LimitsExceeded => Refusal::Damaged("it takes more memory than it may".to_owned()),
        other => Refusal::Damaged(other.to_string()),
    }
}
