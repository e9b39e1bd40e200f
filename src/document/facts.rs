//! What is known of a page without reading it for good, and of the document.

use serde::{Deserialize, Serialize};

/// One page as the file describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PageFacts {
    /// Page number, from 1.
    pub page: u32,
    /// What viewers call it, when the document labels its pages.
    pub label: Option<String>,
    /// The titles of the outline that lead to it.
    pub titles: Vec<String>,
    /// Its size as it is shown, upright, in points (1/72 inch).
    pub width: f32,
    /// Its height, likewise.
    pub height: f32,
    /// By how much it is turned clockwise to be shown: 0, 90, 180 or 270 degrees.
    pub rotation: u16,
    /// How many glyphs it shows, hidden ones included.
    pub glyphs: u32,
    /// How many of them are hidden, as recognised text is behind the picture of a scan.
    pub hidden_glyphs: u32,
    /// How many of them have no known meaning.
    pub unmapped_glyphs: u32,
    /// How much of it is covered by images, 0 to 1.
    pub image_coverage: f32,
    /// What it shows, as a hash, in hexadecimal; absent when its parts are too tangled for one.
    pub content_hash: Option<String>,
}

/// A title of a document's outline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutlineEntry {
    /// What it says.
    pub title: String,
    /// How deep it stands, from 1.
    pub level: u8,
    /// The page that it leads to, from 1.
    pub page: u32,
}

/// What a page shows, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// How many glyphs, hidden ones included.
    pub glyphs: u32,
    /// How many of them are hidden.
    pub hidden_glyphs: u32,
    /// How many of them have no known meaning.
    pub unmapped_glyphs: u32,
    /// How much of the page is covered by images, 0 to 1.
    pub image_coverage: f32,
}

/// More of its glyphs without a meaning, and a page's text is not to be trusted.
const MOST_UNMAPPED: f32 = 0.1;
/// A page that is covered to this much by images is a picture.
const PICTURE: f32 = 0.5;

impl PageFacts {
    /// Whether it is a picture without text: a scan.
    #[must_use]
    pub fn is_image_only(&self) -> bool {
        self.glyphs == 0 && self.image_coverage >= PICTURE
    }

    /// What it shows.
    #[must_use]
    pub const fn shown(&self) -> Shown {
        Shown {
            glyphs: self.glyphs,
            hidden_glyphs: self.hidden_glyphs,
            unmapped_glyphs: self.unmapped_glyphs,
            image_coverage: self.image_coverage,
        }
    }

    /// See [`Shown::has_sound_text`].
    #[must_use]
    pub fn has_sound_text(&self) -> bool {
        self.shown().has_sound_text()
    }

    /// See [`Shown::unmapped_share`].
    #[must_use]
    pub fn unmapped_share(&self) -> f32 {
        self.shown().unmapped_share()
    }
}

impl Shown {
    /// Whether the page has text that can be read as such.
    #[must_use]
    pub fn has_sound_text(&self) -> bool {
        self.glyphs > 0 && self.unmapped_share() <= MOST_UNMAPPED
    }

    /// The share of its glyphs that have no known meaning, 0 to 1.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub fn unmapped_share(&self) -> f32 {
        if self.glyphs == 0 { 0.0 } else { self.unmapped_glyphs as f32 / self.glyphs as f32 }
    }
}
