//! Pages as pictures: how large they may be, what they come as, and how pages are looked at here.

use std::cell::OnceCell;

use hayro_interpret::{InterpreterCache, InterpreterSettings};
use hayro_syntax::page::Page;
use serde::{Deserialize, Serialize};

#[cfg(feature = "render")]
use super::draw::Renderer;
use super::glance;
use super::raster::Raster;
#[cfg(not(feature = "render"))]
use super::undrawn::Renderer;
use crate::task::ImageKind;

/// A part of a page: from one height to another, or from one place across to another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PagePart {
    /// Whether it goes from left to right, and not from the top down.
    pub across: bool,
    /// Where it begins, as a fraction of the page's width or height.
    pub from: f32,
    /// Where it ends.
    pub to: f32,
}

/// How large a picture may be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ImageOptions {
    /// Pixels an inch, 1 to 600, where the other limits leave room for it.
    pub dpi: f32,
    /// The most pixels of the longer side, 16 to 8192.
    pub longest_side: u32,
    /// The most bytes, at least 4096: a picture that takes more is made smaller.
    pub max_bytes: usize,
    /// The part of the page that is shown; all of it when absent.
    #[serde(default)]
    pub part: Option<PagePart>,
}

impl Default for ImageOptions {
    fn default() -> Self {
        Self { dpi: 150.0, longest_side: 2_048, max_bytes: 4 << 20, part: None }
    }
}

/// A page as it looks, without transparency.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageImage {
    /// `image/png` or `image/jpeg`.
    pub media_type: String,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Whether there is nothing to see: all of it is white.
    pub blank: bool,
    /// Whether there is hardly anything to see: it is of one colour, but for some specks.
    pub plain: bool,
    /// Whether it is paper alone: not all of it is white, and nothing stands on it but faint specks.
    pub bare: bool,
    /// About how many letters it shows; none in photographs and drawings.
    pub letters: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// The picture of a figure.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FigureImage {
    /// How it is stored.
    pub kind: ImageKind,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// The file.
    pub bytes: Vec<u8>,
}

/// How many pixels an inch, and how many at most along the longer side, a picture has that is looked at here.
const LOOK: (f32, f32) = (96.0, 1_600.0);

/// What of a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// All of it.
    Whole,
    /// Its pictures, and the areas that cover them: that takes much less time.
    Pictures,
}

/// What draws pages that are looked at here.
#[derive(Default)]
pub(super) struct Eye<'a> {
    whole: OnceCell<Renderer<'a>>,
    pictures: OnceCell<InterpreterCache<'a>>,
}

impl<'a> Eye<'a> {
    /// What pictures for others are made with.
    pub(super) fn renderer(&self) -> &Renderer<'a> {
        self.whole.get_or_init(Renderer::default)
    }

    /// The page in grays. `None` when it has no area, and where nothing is drawn.
    pub(super) fn look(&self, page: &'a Page<'a>, settings: &InterpreterSettings, look: Look) -> Option<Raster> {
        let (width, height) = page.render_dimensions();
        let longer = width.max(height);
        if !(longer.is_finite() && width > 0.0 && height > 0.0) {
            return None;
        }
        let scale = (LOOK.0 / 72.0).min(LOOK.1 / longer);
        let (x_scale, y_scale) = (scale.max(1.01 / width), scale.max(1.01 / height));
        if look == Look::Pictures {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited by LOOK")]
            let size = ((width * x_scale) as u16, (height * y_scale) as u16);
            let cache = self.pictures.get_or_init(InterpreterCache::new);
            return Some(glance::raster(page, cache, settings, size, scale.into()));
        }
        self.renderer().grays(page, settings, (x_scale, y_scale))
    }
}
