//! The pictures that a page draws, one by one, and what is drawn over them: what figures are made of.

use hayro_interpret::kurbo::{Affine, Rect};
use hayro_syntax::object::ObjectIdentifier;

use super::ink::{Ink, Picture, is_upright};

/// A picture as it was drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct PictureFragment {
    /// What is seen of it, points on the upright page.
    pub(in super::super) area: Rect,
    /// Pixels a point, along the finer of its sides.
    pub(in super::super) density: f64,
    /// So few bytes for so many pixels that it may show nothing.
    pub(in super::super) may_be_plain: bool,
    /// The JPEG that it is, where that drawn by itself looks just so: all of it, upright, in its own colours.
    pub(in super::super) jpeg: Option<ObjectIdentifier>,
    /// Whether something else was drawn on it.
    pub(in super::super) overdrawn: bool,
}

/// A page with more is a drawing made of pictures, and what is beyond is not looked at.
const MOST: usize = 2_000;
/// What is drawn over more of them is not followed: each counts as drawn over.
const MOST_FOLLOWED: usize = 300;
/// Cut off by less than this, points, is all of it.
const UNCUT: f64 = 0.75;
/// A picture in fewer bytes may be of one colour.
const FEW_BYTES: usize = 4_096;

/// The pictures of a page, in the order in which they are drawn.
#[derive(Default)]
pub(super) struct PictureFragments(Vec<PictureFragment>);

impl PictureFragments {
    /// A picture in the unit square of a space that `to_page` leads out of, of which `shown` is seen.
    pub(super) fn draw(&mut self, to_page: Affine, shown: Rect, ink: &Ink, picture: Picture) {
        let full = to_page.transform_rect_bbox(Rect::new(0.0, 0.0, 1.0, 1.0));
        if !(full.is_finite() && shown.width() > 0.0 && shown.height() > 0.0) {
            return;
        }
        let hides = picture.whole && ink.is_opaque() && is_upright(to_page) && ink.clip_is_exact;
        self.over(shown, hides);
        let [a, b, c, d, ..] = to_page.as_coeffs();
        let (width, height) = (f64::from(picture.pixels.0), f64::from(picture.pixels.1));
        let density = (width / a.hypot(b).max(1e-3)).max(height / c.hypot(d).max(1e-3));
        let stands = a > 0.0 && d < 0.0 && b.abs() < a * 1e-3 && c.abs() < -d * 1e-3;
        let cut = [full.x0 - shown.x0, full.y0 - shown.y0, full.x1 - shown.x1, full.y1 - shown.y1];
        let is_all = ink.clip_is_exact && cut.iter().all(|cut| cut.abs() < UNCUT);
        if self.0.len() < MOST {
            self.0.push(PictureFragment {
                area: shown,
                density,
                may_be_plain: picture.bytes < FEW_BYTES,
                jpeg: picture.jpeg.filter(|_| stands && is_all && ink.is_opaque()),
                overdrawn: false,
            });
        }
    }

    /// Something else was drawn within `area`, which `hides` what is below it or not.
    pub(super) fn over(&mut self, area: Rect, hides: bool) {
        if self.0.len() > MOST_FOLLOWED {
            return;
        }
        let contains =
            |inner: Rect| area.x0 <= inner.x0 && area.y0 <= inner.y0 && area.x1 >= inner.x1 && area.y1 >= inner.y1;
        self.0.retain(|piece| !(hides && contains(piece.area)));
        for piece in &mut self.0 {
            let inner = piece.area.inflate(-1.0, -1.0);
            piece.overdrawn |= inner.x0 < area.x1 && area.x0 < inner.x1 && inner.y0 < area.y1 && area.y0 < inner.y1;
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A line was drawn: around a whole picture it is its frame.
    pub(super) fn stroke(&mut self, area: Rect, rectangle: bool) {
        let frames = |piece: &PictureFragment| {
            let inner = piece.area.inflate(-1.0, -1.0);
            rectangle && area.x0 <= inner.x0 && area.y0 <= inner.y0 && area.x1 >= inner.x1 && area.y1 >= inner.y1
        };
        if !self.0.is_empty() && !self.0.iter().all(frames) {
            self.over(area, false);
        }
    }

    pub(super) fn into_vec(self) -> Vec<PictureFragment> {
        let many = self.0.len() > MOST_FOLLOWED;
        self.0.into_iter().map(|piece| PictureFragment { overdrawn: piece.overdrawn || many, ..piece }).collect()
    }
}
