//! What the text layer does not tell of a page.

use crate::document::{ImageOptions, PageReader, Shown};
use crate::task::{Failure, Finding, FindingCode};

/// Why a page needs to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It has no text.
    NoText,
    /// Too many of its glyphs have no known meaning.
    Undecodable,
    /// Its text was recognised by another program, and is hidden behind its picture.
    Recognised,
    /// A picture takes most of it, and there is little text beside.
    Picture,
}

impl Need {
    /// Why this page needs it; `None` when its text layer will do.
    ///
    /// A scan whose text another program has recognised has that text hidden behind its picture: as good or bad as that
    /// program was, so it is looked at. A picture that fills the page behind plenty of text is decoration.
    pub(super) fn of(shown: &Shown) -> Option<Self> {
        let visible = shown.glyphs.saturating_sub(shown.hidden_glyphs);
        if shown.glyphs == 0 {
            Some(Self::NoText)
        } else if !shown.has_sound_text() {
            Some(Self::Undecodable)
        } else if shown.hidden_glyphs > visible {
            Some(Self::Recognised)
        } else if shown.image_coverage >= 0.8 && visible < 400 || shown.image_coverage >= 0.5 && visible < 100 {
            Some(Self::Picture)
        } else {
            None
        }
    }

    /// As the page's `checks.route` says it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoText => "no text layer",
            Self::Undecodable => "text that cannot be decoded",
            Self::Recognised => "a scan with recognised text",
            Self::Picture => "mostly a picture",
        }
    }
}

/// What is known against a page of which only the text layer was read, which may say nothing.
///
/// # Errors
/// One that may pass, of looking at the page.
pub(super) fn findings(
    reader: &mut PageReader<'_>,
    page: u32,
    shown: &Shown,
    is_empty: bool,
) -> Result<Vec<Finding>, Failure> {
    if is_empty {
        let is_unread = shows_something(reader, page, shown.image_coverage)?;
        return Ok(if is_unread { vec![Finding::no_text_layer()] } else { Vec::new() });
    }
    let share = |part: f32| format!("{:.0} %", part * 100.0);
    let finding = match Need::of(shown) {
        Some(Need::Undecodable) => {
            let detail = format!("{} of its letters have no known meaning", share(shown.unmapped_share()));
            Some(Finding::new(FindingCode::UnreadableText, detail))
        }
        Some(Need::Picture) => {
            let detail = format!("a picture takes {} of it", share(shown.image_coverage));
            Some(Finding::new(FindingCode::UnreadPicture, detail))
        }
        Some(Need::NoText | Need::Recognised) | None => None,
    };
    Ok(finding.into_iter().collect())
}

/// How closely a page is looked at that shows no text: enough for a thin line.
const GLANCE: ImageOptions = ImageOptions { dpi: 50.0, longest_side: 1_000, max_bytes: 4 << 20 };

/// Whether there is anything on a page without text. An image is something, also one that cannot be drawn.
pub(super) fn shows_something(reader: &mut PageReader<'_>, page: u32, image_coverage: f32) -> Result<bool, Failure> {
    if image_coverage > 0.0 {
        return Ok(true);
    }
    match reader.image(page, &GLANCE) {
        Ok(image) => Ok(!image.blank),
        Err(why) if why.retryable => Err(why),
        Err(_) => Ok(true),
    }
}
