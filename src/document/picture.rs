//! Pictures as documents: PNG, JPEG and WebP of one page, TIFF of a page for each of its frames.
//!
//! A picture is read by way of a PDF that is made of it when its file is opened, a page at a time: the picture alone, in its
//! size, upright. So whatever reads, draws, hashes and counts pages of PDFs does the same for pictures, in the same confined
//! process, and nothing after this module knows of them. The wrapping loses nothing that a page shows: a JPEG goes in as it
//! is, other pixels are compressed without loss, at 8 bits a channel (1 where the picture has but black and white). What a
//! page shows, and so the key of the ledger, depends on its frame alone and not on the file around it.
//!
//! | file | its one job |
//! |---|---|
//! | `exif` | which way up a picture is, and at what resolution |
//! | `jpeg` | what a JPEG says of itself |
//! | `pixels` | PNG and WebP as plain pixels |
//! | `tiff` | frames of a TIFF as plain pixels |
//! | `wrap` | a frame as a PDF |
//!
//! **Limits.** A picture of more than [`MOST_PIXELS`] is refused by its header, before memory is taken for it.

mod exif;
mod jpeg;
mod pixels;
mod tiff;
mod wrap;

use std::sync::{Arc, OnceLock};

use hayro_syntax::Pdf;
use hayro_syntax::page::Page;

use self::wrap::skeleton;
use super::image::{ImageOptions, PageImage};
use crate::task::{Failure, code};

/// The most pixels that a picture may have: an A0 plan at 240 dpi, a sheet of A4 at 1,000 dpi.
pub const MOST_PIXELS: u64 = 100_000_000;

/// What kind of picture a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PictureKind {
    Png,
    Jpeg,
    Tiff,
    WebP,
}

impl PictureKind {
    /// The kind of a file that begins like this, by its signature.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            // The second pair is BigTIFF.
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            _ => None,
        }
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Tiff => "image/tiff",
            Self::WebP => "image/webp",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
        }
    }
}

/// The pixels of a frame.
enum Pixels {
    /// A JPEG, whole. `inverted` when its four inks are stored as what they leave of the light, as Adobe's programs do.
    Jpeg { components: u8, inverted: bool },
    /// Rows from the top, each beginning with a byte of its own.
    Plain { colour: Colour, bits: u8, data: Vec<u8> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Colour {
    Gray,
    Rgb,
    Cmyk,
}

/// One picture of a file.
struct Frame {
    width: u32,
    height: u32,
    /// Pixels an inch, across and down; absent where the file does not say.
    resolution: Option<(f32, f32)>,
    /// Which way up it is: 1 to 8, as EXIF and TIFF count (TIFF 6.0, tag 274).
    orientation: u8,
    pixels: Pixels,
}

/// Where a file does not say at what resolution it is, or says what cannot be.
const USUAL_RESOLUTION: f32 = 96.0;
const RESOLUTIONS: std::ops::RangeInclusive<f32> = 10.0..=5_000.0;

impl Frame {
    fn dpi(&self) -> (f32, f32) {
        let sane = |(x, y): &(f32, f32)| RESOLUTIONS.contains(x) && RESOLUTIONS.contains(y);
        self.resolution.filter(sane).unwrap_or((USUAL_RESOLUTION, USUAL_RESOLUTION))
    }
}

/// A picture of a file, opened.
struct OpenFrame {
    pdf: Pdf,
    /// The size in pixels, where it is a JPEG that is shown as it is.
    plain_jpeg: Option<(u32, u32)>,
    /// Pixels an inch of its finer direction.
    dpi: f32,
}

type File = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A file with pictures.
pub(super) struct Picture {
    kind: PictureKind,
    file: File,
    /// Where each frame is in the file; of TIFF alone more than one.
    places: Vec<usize>,
    frames: Vec<OnceLock<Result<OpenFrame, Failure>>>,
}

impl Picture {
    /// Opens a file that begins like a picture, and decodes its first frame.
    ///
    /// # Errors
    /// `pdf_damaged`, of a picture that is damaged or of a form that is not known, and `pdf_too_large`, of one that has more
    /// pixels than it may.
    pub(super) fn open(kind: PictureKind, file: File) -> Result<Self, Failure> {
        let places = match kind {
            PictureKind::Tiff => tiff::frames((*file).as_ref()).map_err(|why| refusal(kind, &why))?,
            _ => vec![0],
        };
        let frames = places.iter().map(|_| OnceLock::new()).collect();
        let picture = Self { kind, file, places, frames };
        match picture.frame(1) {
            // One bad frame among others is a bad page.
            Some(Err(why)) if picture.places.len() == 1 => Err(why.clone()),
            _ => Ok(picture),
        }
    }

    /// A PDF with as many pages as it has frames, on which nothing stands: what a document says of itself.
    pub(super) fn skeleton(&self) -> Vec<u8> {
        skeleton(self.places.len())
    }

    /// The page with frame `number` (from 1), and the PDF that it is in.
    ///
    /// # Errors
    /// `page_damaged` when there is no such frame, or it cannot be decoded.
    pub(super) fn page(&self, number: u32) -> Result<(&Page<'_>, &Pdf), Failure> {
        let lost = || Failure::permanent(code::PAGE_DAMAGED, format!("the file has no picture {number}"));
        let frame = self.frame(number).ok_or_else(lost)?;
        let frame = frame.as_ref().map_err(|why| Failure::permanent(code::PAGE_DAMAGED, why.message.clone()))?;
        frame.pdf.pages().first().map(|page| (page, &frame.pdf)).ok_or_else(lost)
    }

    /// How fine a frame is, pixels an inch.
    pub(super) fn dpi(&self, number: u32) -> f32 {
        self.frame(number).and_then(|frame| frame.as_ref().ok()).map_or(USUAL_RESOLUTION, |frame| frame.dpi)
    }

    /// The file itself, where it is a JPEG that is upright and small enough; with what is to be seen of it left to say.
    pub(super) fn as_it_is(&self, number: u32, options: &ImageOptions) -> Option<PageImage> {
        let (width, height) = self.frame(number)?.as_ref().ok()?.plain_jpeg?;
        let bytes = (*self.file).as_ref();
        let fits = width.max(height) <= options.longest_side && bytes.len() <= options.max_bytes;
        (fits && options.part.is_none()).then(|| PageImage {
            media_type: "image/jpeg".to_owned(),
            width,
            height,
            blank: false,
            plain: false,
            bare: false,
            letters: 0,
            bytes: bytes.to_vec(),
        })
    }

    fn frame(&self, number: u32) -> Option<&Result<OpenFrame, Failure>> {
        let at = (number as usize).checked_sub(1)?;
        let place = *self.places.get(at)?;
        Some(self.frames.get(at)?.get_or_init(|| self.decode(at, place)))
    }

    fn decode(&self, at: usize, place: usize) -> Result<OpenFrame, Failure> {
        let file = (*self.file).as_ref();
        let frame = match self.kind {
            PictureKind::Jpeg => jpeg::frame(file),
            PictureKind::Png => pixels::png(file),
            PictureKind::WebP => pixels::webp(file),
            PictureKind::Tiff => tiff::frame(file, place),
        };
        let frame = frame.map_err(|why| refusal(self.kind, &why))?;
        let (x, y) = frame.dpi();
        let is_plain = frame.orientation == 1 && (x - y).abs() < 0.5;
        let plain_jpeg = match frame.pixels {
            Pixels::Jpeg { components: 1 | 3, .. } if is_plain => Some((frame.width, frame.height)),
            _ => None,
        };
        let wrapped = wrap::pdf(&frame, file, at);
        let pdf = Pdf::new(wrapped).map_err(|_| refusal(self.kind, &Refusal::Damaged(String::new())))?;
        Ok(OpenFrame { pdf, plain_jpeg, dpi: x.max(y) })
    }
}

/// Why a picture cannot be read.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    /// It is not whole, or not what it says it is; what a decoder says of it.
    Damaged(String),
    /// It is of a form that is not known.
    Unknown(String),
    /// It has so many pixels.
    TooLarge(u32, u32),
}

fn refusal(kind: PictureKind, why: &Refusal) -> Failure {
    let name = kind.name();
    match why {
        Refusal::Damaged(what) if what.is_empty() => {
            Failure::permanent(code::PDF_DAMAGED, format!("the {name} picture is damaged"))
        }
        Refusal::Damaged(what) => {
            Failure::permanent(code::PDF_DAMAGED, format!("the {name} picture is damaged: {what}"))
        }
        Refusal::Unknown(what) => Failure::permanent(
            code::PDF_DAMAGED,
            format!("this form of {name} cannot be read ({what}): save the picture as PNG or JPEG"),
        ),
        Refusal::TooLarge(width, height) => {
            let most = MOST_PIXELS / 1_000_000;
            let message = format!("the picture has {width} x {height} pixels, more than the limit of {most} million");
            Failure::permanent(code::PDF_TOO_LARGE, message)
        }
    }
}

/// The pixels across and down of a JPEG that every program shows as it is: upright, 8 bits a channel, gray or in colours of
/// three channels.
pub(super) fn plain_jpeg(file: &[u8]) -> Option<(u32, u32)> {
    let is_jpeg = PictureKind::of(file) == Some(PictureKind::Jpeg);
    let frame = is_jpeg.then(|| jpeg::frame(file).ok()).flatten()?;
    let is_plain = frame.orientation == 1 && matches!(frame.pixels, Pixels::Jpeg { components: 1 | 3, .. });
    is_plain.then_some((frame.width, frame.height))
}

/// # Errors
/// When there are no pixels or too many.
fn check_size(width: u32, height: u32) -> Result<(), Refusal> {
    match u64::from(width) * u64::from(height) {
        0 => Err(Refusal::Damaged("it has no pixels".to_owned())),
        pixels if pixels > MOST_PIXELS => Err(Refusal::TooLarge(width, height)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_known_by_their_signatures() {
        for (head, kind) in [
            (&b"\x89PNG\r\n\x1a\n\0"[..], Some(PictureKind::Png)),
            (b"\xff\xd8\xff\xe0", Some(PictureKind::Jpeg)),
            (b"II*\0", Some(PictureKind::Tiff)),
            (b"MM\0+", Some(PictureKind::Tiff)),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some(PictureKind::WebP)),
            (b"RIFF\x01\x02\x03\x04WAVE", None),
            (b"%PDF-1.4", None),
            (b"GIF89a", None),
            (b"", None),
        ] {
            assert_eq!(PictureKind::of(head), kind, "{head:?}");
        }
    }

    #[test]
    fn sizes_have_limits() {
        assert!(check_size(10_000, 10_000).is_ok() && check_size(1, 1).is_ok());
        assert_eq!(check_size(10_001, 10_000), Err(Refusal::TooLarge(10_001, 10_000)));
        assert!(check_size(u32::MAX, u32::MAX).is_err() && check_size(0, 9).is_err());
    }
}
