//! What is known of a page without reading it for good, and of the document.

use serde::{Deserialize, Serialize};

/// One page as the file describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
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
    /// What it shows.
    #[serde(flatten)]
    pub shown: Shown,
    /// The names of files that are attached to it, and on the first page of those that are attached to the document.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached: Vec<String>,
    /// What it shows, as a hash, in hexadecimal; absent when its parts are too tangled for one.
    pub content_hash: Option<String>,
}

/// A title of a document's outline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
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
#[non_exhaustive]
pub struct Shown {
    /// How many glyphs, hidden ones included.
    pub glyphs: u32,
    /// How many of them cannot be seen: they have no colour, or that of what they stand on, are covered, cut off, too small,
    /// or outside of the page.
    pub hidden_glyphs: u32,
    /// How many of these do not stand on the page at all.
    #[serde(default)]
    pub outside_glyphs: u32,
    /// How many glyphs were drawn again at their place, to look bold or to cast a shadow, and are read once; they do not
    /// count as glyphs.
    #[serde(default)]
    pub repeated_glyphs: u32,
    /// How many of them have no known meaning.
    pub unmapped_glyphs: u32,
    /// How much of the page is covered by images, 0 to 1.
    pub image_coverage: f32,
    /// How many of the glyphs that are seen are of words that cannot be read: their fonts do not say what they mean, or say
    /// what cannot be so.
    #[serde(default)]
    pub unreadable_glyphs: u32,
    /// How many of the glyphs without a known meaning stand beside letters, so that words lack them.
    #[serde(default)]
    pub lost_letters: u32,
    /// How many of the hidden ones lie on a picture, as recognised text does on a scan.
    #[serde(default)]
    pub recognised_glyphs: u32,
    /// Whether these read like text and lie where the picture has ink; only facts tell.
    #[serde(default)]
    pub recognised_is_sound: bool,
    /// About how many letters are drawn as shapes.
    #[serde(default)]
    pub outlined_letters: u32,
    /// About how many letters its pictures show, but for those that stand under its text; absent where that was not looked at.
    #[serde(default)]
    pub pictured_letters: Option<u32>,
    /// About how many letters stand in pictures that show hardly anything else; likewise.
    #[serde(default)]
    pub unread_letters: Option<u32>,
    /// How much of its pictures, but for what stands under its text, is not plain, 0 to 1; likewise.
    #[serde(default)]
    pub picture_detail: Option<f32>,
    /// What the document has besides its pages, on the first one, when these are only its cover.
    #[serde(default)]
    pub shell: Option<Shell>,
}

/// What the pages of a document stand for, when they are not what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Shell {
    /// They are the cover of a portfolio: the documents are attached.
    Portfolio,
    /// They stand in for an XFA form, which viewers generate themselves.
    XfaForm,
}

/// A page with so many letters that cannot be read, and so large a share of them, is not to be trusted.
const UNREADABLE: (u32, f32) = (8, 0.005);
/// The same of letters that are lost within words.
const LOST: (u32, f32) = (5, 0.003);
/// More of its glyphs without a meaning, and neither is it.
const MOST_UNMAPPED: f32 = 0.3;
/// A page that is covered to this much by images is a picture.
const PICTURE: f32 = 0.5;

impl PageFacts {
    /// Whether it is a picture without text: a scan.
    #[must_use]
    pub fn is_image_only(&self) -> bool {
        self.shown.glyphs == 0 && self.shown.image_coverage >= PICTURE
    }
}

#[allow(clippy::cast_precision_loss, reason = "a share")]
fn share(part: u32, of: u32) -> f32 {
    if of == 0 { 0.0 } else { part as f32 / of as f32 }
}

impl Shown {
    /// How many glyphs are seen.
    #[must_use]
    pub const fn visible_glyphs(&self) -> u32 {
        self.glyphs.saturating_sub(self.hidden_glyphs)
    }

    /// Whether the page has text that can be seen and be read.
    #[must_use]
    pub fn has_sound_text(&self) -> bool {
        self.visible_glyphs() > 0 && !self.is_unreadable()
    }

    /// Whether too much of its text cannot be read.
    #[must_use]
    pub fn is_unreadable(&self) -> bool {
        let visible = self.visible_glyphs();
        let is_much = |part: u32, (fewest, least): (u32, f32)| part >= fewest && share(part, visible) >= least;
        is_much(self.unreadable_glyphs, UNREADABLE)
            || is_much(self.lost_letters, LOST)
            || self.visible_glyphs() > 0 && self.unmapped_share() > MOST_UNMAPPED
    }

    /// Whether it is a picture of a page, with text behind or upon it that was recognised by another program.
    #[must_use]
    pub fn is_recognised(&self) -> bool {
        self.image_coverage >= PICTURE
            && self.hidden_glyphs > self.visible_glyphs()
            && share(self.recognised_glyphs, self.hidden_glyphs) > 0.5
    }

    /// The share of the glyphs that are seen that cannot be read, 0 to 1.
    #[must_use]
    pub fn unreadable_share(&self) -> f32 {
        share(self.unreadable_glyphs, self.visible_glyphs())
    }

    /// The share of its glyphs that have no known meaning, 0 to 1.
    #[must_use]
    pub fn unmapped_share(&self) -> f32 {
        share(self.unmapped_glyphs, self.glyphs)
    }

    /// Whether its pictures may hold more text than it has itself, so that they are worth a look.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a rule of thumb")]
    pub(super) fn may_be_pictured(&self) -> bool {
        // A page of small print has some 3,000 letters.
        let visible = self.visible_glyphs();
        self.image_coverage >= 0.05 && visible > 0 && (visible as f32) < 3_000.0 * self.image_coverage
    }
}
