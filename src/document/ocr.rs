//! Text from pictures of pages, on this machine: the models, and what becomes of what they see.
//!
//! ```text
//! page ─▶ gray ─▶ scan: which way up, how level ──▶ lines ─▶ the layout of the text layer
//!                   │ specks: removed first; faint: what is faint among other ink, for a second look
//!                   │ islands: of pages with hardly any ink
//!                   │ rules: of tables and forms
//!                   │ columns: read from top to bottom
//!                   │ engine: detector ─▶ region (lines at any angle)
//!                   └ engine: recogniser ─▶ ctc (signs), profile (size, baseline)
//! ```
//!
//! The models are PP-OCRv6 small (Apache-2.0): a detector and a recogniser with a dictionary of 18,708 signs, Latin with
//! accents, Chinese and Japanese. They run in the confined processes that read PDFs, which get their files as
//! descriptors. `tesseract` is the program of that name, for other scripts: it gets a picture that such a process drew.

#[cfg(feature = "ocr")]
mod columns;
#[cfg(feature = "ocr")]
mod ctc;
#[cfg(feature = "ocr")]
mod engine;
#[cfg(feature = "ocr")]
mod faint;
#[cfg_attr(not(feature = "ocr"), allow(dead_code, reason = "not read without models"))]
mod gray;
#[cfg(feature = "ocr")]
mod islands;
mod lines;
mod models;
#[cfg(feature = "ocr")]
mod profile;
#[cfg(feature = "ocr")]
mod region;
#[cfg(feature = "ocr")]
mod rules;
#[cfg(feature = "ocr")]
mod scan;
#[cfg(feature = "ocr")]
mod specks;
mod tesseract;

use std::fs::File;

pub(super) use self::gray::Gray;
pub(super) use self::lines::{ScannedLine, ScannedRule, ScannedWord};
pub use self::models::{LICENCE, MODEL_FILES, ModelFile, OcrModels};
pub use self::tesseract::Tesseract;
#[cfg(feature = "ocr")]
use super::text;
use crate::content::PageContent;

/// What was recognised on the picture of a page.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Recognised {
    /// Its blocks; none where no text was found.
    pub content: PageContent,
    /// How it went.
    pub quality: OcrQuality,
}

/// How well a page was recognised.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct OcrQuality {
    /// How sure the recogniser is of a letter, on average, 0 to 1; 0 of none.
    pub confidence: f32,
    /// How many letters there are.
    pub letters: u32,
    /// How many lines there are.
    pub lines: u32,
    /// How many more were found and left out: what they say is too unsure.
    pub left_out: u32,
    /// How many were left out as they are of the other side of the paper.
    #[serde(default)]
    pub shone_through: u32,
    /// How many have ink of which nothing was read, or not all: perhaps in letters that are not known.
    #[serde(default)]
    pub unread: u32,
    /// By how many degrees the page had to be turned to the right to stand upright: 0, 90, 180 or 270.
    pub turned: u16,
}

impl OcrQuality {
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    fn of(lines: &[ScannedLine], left_out: u32, turned: u16) -> Self {
        let letters = |line: &ScannedLine| line.words.iter().map(|word| word.text.chars().count()).sum::<usize>();
        let all: usize = lines.iter().map(letters).sum();
        let sure: f32 = lines.iter().map(|line| line.likely * letters(line) as f32).sum();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let confidence = if all == 0 { 0.0 } else { sure / all as f32 };
        Self { confidence, letters: count(all), lines: count(lines.len()), left_out, turned, ..Self::default() }
    }
}

/// The models of a process, loaded.
pub(super) struct Recogniser {
    #[cfg(feature = "ocr")]
    engine: engine::Engine,
}

impl Recogniser {
    /// Loads the models whose files these are.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    #[cfg(feature = "ocr")]
    pub(super) fn load(files: [File; 2]) -> Result<Self, String> {
        let [detector, recogniser] = models::verified(files)?;
        Ok(Self { engine: engine::Engine::load(detector, recogniser)? })
    }

    /// The same in a process that can start no threads.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn load_confined(files: [File; 2]) -> Result<Self, String> {
        #[cfg(feature = "ocr")]
        engine::stay_on_this_thread();
        Self::load(files)
    }

    /// This program was built without.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "ocr"))]
    pub(super) fn load(_files: [File; 2]) -> Result<Self, String> {
        Err("this program was built without OCR".to_owned())
    }

    /// Reads the picture of a page that is so wide and high (points), with so many pixels a point.
    ///
    /// # Errors
    /// What the models stumbled over.
    #[cfg(feature = "ocr")]
    pub(super) fn read(&self, picture: Gray, scale: f64, (width, height): (f32, f32)) -> Result<Recognised, String> {
        let scan = scan::read(&self.engine, picture, scale)?;
        let turned = if scan.columns { 0 } else { u16::from(scan.quarters) * 90 };
        let quality = OcrQuality {
            shone_through: scan.shone_through,
            unread: scan.unread,
            ..OcrQuality::of(&scan.lines, scan.left_out, turned)
        };
        // Boxes of a page that had to be turned would not fit its picture.
        let size = if scan.quarters % 2 == 1 { (height, width) } else { (width, height) };
        let mut content = text::of_scan(scan.lines, &scan.rules, size);
        if scan.quarters > 0 {
            content.blocks.iter_mut().for_each(|block| block.map_boxes(&|bbox| Some(back(bbox, scan.quarters, size))));
            content.size = Some([width, height]);
        }
        Ok(Recognised { content, quality })
    }

    /// There is nothing that could.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "ocr"))]
    #[allow(clippy::unused_self, reason = "it is called as the one that reads")]
    pub(super) fn read(&self, _: Gray, _: f64, _: (f32, f32)) -> Result<Recognised, String> {
        Err("this program was built without OCR".to_owned())
    }
}

/// A box on a page of this size that was turned to the right by quarters, where it is on the page as it is shown.
#[cfg(feature = "ocr")]
fn back(bbox: crate::content::BoundingBox, quarters: u8, (width, height): (f32, f32)) -> crate::content::BoundingBox {
    let crate::content::BoundingBox { left, top, right, bottom } = bbox;
    match quarters {
        1 => [top, width - right, bottom, width - left].into(),
        2 => [width - right, height - bottom, width - left, height - top].into(),
        3 => [height - bottom, left, height - top, right].into(),
        _ => bbox,
    }
}

#[cfg(all(test, feature = "ocr"))]
mod tests {
    use super::*;

    #[test]
    fn boxes_of_a_turned_page_lie_where_they_are_shown() {
        // On an upright page of 100 × 200, a line at its top.
        for (quarters, expected) in [
            (0, [10.0, 20.0, 90.0, 30.0]),
            (1, [20.0, 10.0, 30.0, 90.0]),
            (2, [10.0, 170.0, 90.0, 180.0]),
            (3, [170.0, 10.0, 180.0, 90.0]),
        ] {
            assert_eq!(back([10.0, 20.0, 90.0, 30.0].into(), quarters, (100.0, 200.0)), expected.into());
        }
    }
}
