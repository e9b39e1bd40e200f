//! Figures: pictures that stand by themselves on a page, and their files.

use serde::{Deserialize, Serialize};

use super::Inline;
use crate::task::ImageName;

/// A picture that is part of what a page says.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Figure {
    /// Its file, one of [`PageContent::images`](super::PageContent::images), where figures are extracted and it has one.
    pub image: Option<ImageName>,
    /// What stands below it, or above: `Figure 3: …`; empty where nothing does.
    pub caption: Inline,
}

/// The file of a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FigureFile {
    /// What it is called.
    pub name: ImageName,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// How long it is.
    pub bytes: u64,
}

impl FigureFile {
    /// The file of that name, of so many pixels and bytes.
    #[must_use]
    pub const fn new(name: ImageName, (width, height): (u32, u32), bytes: u64) -> Self {
        Self { name, width, height, bytes }
    }
}

/// What models write for want of anything to say about a picture.
const GENERIC: [&str; 8] = ["image", "img", "figure", "picture", "photo", "graphic", "alt text", "alt"];
const ENDINGS: [&str; 7] = [".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".bmp"];

/// Whether a picture's alternative text says nothing of it: a bare word for a picture, or the name of a file.
pub(crate) fn is_generic(alt: &str) -> bool {
    let alt = alt.trim().to_lowercase();
    let stem = alt.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_' | ' '));
    let is_file = !alt.contains(' ') && ENDINGS.iter().any(|ending| alt.ends_with(ending));
    alt.is_empty() || is_file || GENERIC.contains(&alt.as_str()) || stem != alt && ["image", "img"].contains(&stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_say_nothing_of_a_picture_are_told_from_captions() {
        for generic in ["", " Image ", "img-0", "image 3", "img-0.jpeg", "page_1_figure.PNG", "alt text"] {
            assert!(is_generic(generic), "{generic}");
        }
        for said in ["Figure 3", "A lock gate", "Map of the port.png and more", "figure of a horse"] {
            assert!(!is_generic(said), "{said}");
        }
    }
}
