//! What glyphs stand on, and what is painted over them.

use hayro_interpret::kurbo::{Point, Rect};

use super::ink::{Rgb, WHITE, is_same};

/// Something that was painted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Painted {
    pub(super) area: Rect,
    /// Whether all of the area was.
    pub(super) exact: bool,
    /// Whether what is below it is not seen any more.
    pub(super) opaque: bool,
    /// `None` of pictures, and where it cannot be told.
    pub(super) colour: Option<Rgb>,
    pub(super) picture: bool,
    /// How many operators had shown text before.
    pub(super) strings: u32,
}

/// How a glyph stands out against what it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contrast {
    Some,
    None,
    /// It stands on a picture.
    Unknown,
}

/// What has been painted on a page so far, but for text.
#[derive(Default)]
pub(super) struct Ground {
    painted: Vec<Painted>,
    /// The last painted thing that can cover text.
    last_cover: u32,
}

/// A page on which more is painted is a drawing, of which this is not asked.
const MOST: usize = 5_000;
/// Smaller things neither carry a letter nor cover one, points.
const SMALLEST: f64 = 2.0;

impl Ground {
    /// Remembers what is painted.
    pub(super) fn paint(&mut self, painted: Painted) {
        let Painted { area, exact, opaque, strings, .. } = painted;
        let large = area.width() > SMALLEST && area.height() > SMALLEST && area.is_finite();
        if large && self.painted.len() <= MOST {
            self.painted.push(painted);
            if exact && opaque {
                self.last_cover = strings;
            }
        }
    }

    fn is_drawing(&self) -> bool {
        self.painted.len() > MOST
    }

    /// Whether text of this colour may be hidden by it somewhere.
    pub(super) fn may_hide(&self, colour: Rgb) -> bool {
        let same = |painted: &Painted| painted.colour.is_some_and(|of| is_same(of, colour));
        !self.is_drawing() && (is_same(colour, WHITE) || self.painted.iter().any(same))
    }

    /// Whether a glyph of this colour, of which these are points, can be told from what it stands on.
    pub(super) fn look(&self, colour: Rgb, points: &[Point]) -> Contrast {
        for below in self.painted.iter().rev() {
            let inside = points.iter().filter(|point| below.area.contains(**point)).count();
            if inside == 0 {
                continue;
            }
            if below.picture {
                return Contrast::Unknown;
            }
            if !below.colour.is_some_and(|of| is_same(of, colour)) {
                return Contrast::Some;
            }
            if inside == points.len() && below.exact && below.opaque {
                return Contrast::None;
            }
        }
        if is_same(colour, WHITE) { Contrast::None } else { Contrast::Some }
    }

    /// Whether something was painted over a glyph of string `string`, of which these are points.
    pub(super) fn covers(&self, string: u32, points: &[Point]) -> bool {
        let over = || self.painted.iter().rev().take_while(|painted| painted.strings >= string);
        let is_covered =
            |point: &Point| over().any(|painted| painted.exact && painted.opaque && painted.area.contains(*point));
        self.covers_after(string) && points.iter().all(is_covered)
    }

    /// Whether anything was painted after string `string` that can cover it.
    pub(super) fn covers_after(&self, string: u32) -> bool {
        !self.is_drawing() && self.last_cover >= string && !self.painted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DARK: Rgb = [0.1, 0.1, 0.4];
    const POINTS: [Point; 2] = [Point::new(20.0, 20.0), Point::new(20.0, 24.0)];

    fn ground(painted: &[(Rect, bool, bool, Option<Rgb>)]) -> Ground {
        let mut ground = Ground::default();
        for (area, exact, opaque, colour) in painted.iter().copied() {
            ground.paint(Painted { area, exact, opaque, colour, picture: false, strings: 1 });
        }
        ground
    }

    #[test]
    fn a_glyph_is_hidden_where_it_has_the_colour_of_its_ground() {
        let (around, beside) = (Rect::new(10.0, 10.0, 90.0, 40.0), Rect::new(10.0, 22.0, 90.0, 40.0));
        for (painted, colour, hidden) in [
            (&[][..], WHITE, true),
            (&[], DARK, false),
            (&[], [0.85; 3], false),
            (&[(around, true, true, Some(DARK))], WHITE, false),
            (&[(around, true, true, Some(DARK))], DARK, true),
            // The topmost counts.
            (&[(around, true, true, Some(DARK)), (around, true, true, Some(WHITE))], WHITE, true),
            (&[(around, true, true, Some(DARK)), (around, true, true, Some(WHITE))], DARK, false),
            // Only one half of it.
            (&[(beside, true, true, Some(DARK))], WHITE, false),
            (&[(beside, true, true, Some(DARK))], DARK, false),
            // What cannot be told is believed to be seen: a shape, a shade, a picture.
            (&[(around, false, true, Some(DARK))], WHITE, false),
            (&[(around, true, false, Some(DARK))], WHITE, false),
            (&[(around, true, true, None)], WHITE, false),
        ] {
            let ground = ground(painted);
            let found = ground.may_hide(colour) && ground.look(colour, &POINTS) == Contrast::None;
            assert_eq!(found, hidden, "{painted:?} {colour:?}");
        }
        let mut picture = Ground::default();
        picture.paint(Painted { area: around, exact: true, opaque: true, colour: None, picture: true, strings: 0 });
        assert_eq!(picture.look(WHITE, &POINTS), Contrast::Unknown);
    }

    #[test]
    fn a_glyph_is_covered_by_what_comes_after_it_and_lies_over_all_of_it() {
        let (all, half) = (Rect::new(0.0, 0.0, 90.0, 40.0), Rect::new(0.0, 0.0, 90.0, 22.0));
        for (painted, covered) in [
            (&[(all, true, true, None)][..], true),
            (&[(half, true, true, None), (Rect::new(0.0, 22.0, 90.0, 40.0), true, true, None)], true),
            (&[(half, true, true, Some(DARK))], false),
            (&[(all, false, true, Some(DARK))], false),
            (&[(all, true, false, Some(DARK))], false),
        ] {
            assert_eq!(ground(painted).covers(1, &POINTS), covered, "{painted:?}");
            assert!(!ground(painted).covers(2, &POINTS), "drawn later");
        }
    }
}
