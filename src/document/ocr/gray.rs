//! A page in grays, as the models look at it: sampled, made smaller, turned. Pure.

/// A gray picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::document) struct Gray {
    width: usize,
    height: usize,
    /// From black to white, row by row.
    luma: Vec<u8>,
}

/// Less than this between ink and paper is faint, and is made full; what has less than that is not told from noise.
const FULL: u8 = 100;
const FAINTEST: u8 = 64;
/// Ink and paper are told by means over so many pixels each way, in which dust drowns: ink is as dark as the darkest of so many
/// are, about a line's; paper as bright as a fifth of all at least.
const GRAIN: f64 = 3.0;
const INKED: usize = 300;
/// Darker than this it is no paper: letters may be light.
const PAPER: u8 = 128;

impl Gray {
    /// `luma` has `width` pixels a row.
    pub(in crate::document) fn new(width: usize, luma: Vec<u8>) -> Self {
        let height = luma.len().checked_div(width).unwrap_or(0);
        Self { width, height, luma }
    }

    pub(super) const fn width(&self) -> usize {
        self.width
    }

    pub(super) const fn height(&self) -> usize {
        self.height
    }

    /// The pixel at these places; white outside.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    fn at(&self, x: f64, y: f64) -> f32 {
        let (x, y) = (x.floor(), y.floor());
        #[allow(clippy::cast_precision_loss, reason = "sides of pictures are small")]
        let inside = x >= 0.0 && y >= 0.0 && x < self.width as f64 && y < self.height as f64;
        let pixel = inside.then(|| self.luma.get(y as usize * self.width + x as usize)).flatten();
        f32::from(pixel.copied().unwrap_or(u8::MAX))
    }

    /// How bright it is at a place between pixels, 0 to 255; a pixel's middle is at a half.
    pub(super) fn sample(&self, x: f64, y: f64) -> f32 {
        let (x, y) = (x - 0.5, y - 0.5);
        let part = |at: f64| {
            #[allow(clippy::cast_possible_truncation, reason = "between 0 and 1")]
            let part = (at - at.floor()) as f32;
            part
        };
        let (right, down) = (part(x), part(y));
        let row = |y: f64| self.at(x, y) * (1.0 - right) + self.at(x + 1.0, y) * right;
        row(y) * (1.0 - down) + row(y + 1.0) * down
    }

    /// How bright the pixel at a place is; white outside.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    pub(super) fn nearest(&self, x: f64, y: f64) -> u8 {
        let inside = x >= 0.0 && y >= 0.0 && (x as usize) < self.width && (y as usize) < self.height;
        if inside { self.luma[y as usize * self.width + x as usize] } else { u8::MAX }
    }

    /// Its mean over boxes of `by` pixels (at least 1), so that nothing thin is lost; as large as that makes it.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "sides of pictures are small"
    )]
    pub(super) fn shrunk(&self, by: f64) -> Self {
        let by = by.max(1.0);
        let side = |length: usize| ((length as f64 / by).round() as usize).max(1);
        let (width, height) = (side(self.width), side(self.height));
        let spans = |all: usize, parts: usize| -> Vec<(usize, usize)> {
            let edge = |part: usize| part * all / parts;
            (0..parts).map(|part| (edge(part), edge(part + 1).max(edge(part) + 1).min(all))).collect()
        };
        let (columns, rows) = (spans(self.width, width), spans(self.height, height));
        let mut luma = Vec::with_capacity(width * height);
        for (top, bottom) in rows {
            for (left, right) in &columns {
                let lines = (top..bottom).map(|y| &self.luma[y * self.width + left..y * self.width + right]);
                let sum: u32 = lines.flatten().map(|value| u32::from(*value)).sum();
                let count = (bottom - top) * (right - left);
                luma.push((sum as usize / count.max(1)) as u8);
            }
        }
        Self { width, height, luma }
    }

    /// The same with ink as black and paper as white as the models have seen most of it, where it is faint: of what is gray on
    /// gray they miss lines, and take digits for others.
    pub(super) fn without_fading(mut self) -> Self {
        let grains = self.grains();
        let (Some(ink), Some(paper)) = (grains.get(INKED).copied(), paper_of(&grains)) else { return self };
        let contrast = paper.saturating_sub(ink);
        if contrast >= FULL {
            return self;
        }
        let (contrast, white) = (u32::from(contrast.max(FAINTEST)), u32::from(paper));
        let stretched = |value: u8| {
            let above = (u32::from(value) + contrast).saturating_sub(white).min(contrast);
            u8::try_from(above * 255 / contrast).unwrap_or(u8::MAX)
        };
        self.luma.iter_mut().for_each(|value| *value = stretched(*value));
        self
    }

    /// How bright its paper is; `None` where it is so dark that it is none.
    pub(super) fn paper(&self) -> Option<u8> {
        paper_of(&self.grains())
    }

    /// Its grains, the darkest first.
    fn grains(&self) -> Vec<u8> {
        let mut grains = self.shrunk(GRAIN).luma;
        grains.sort_unstable();
        grains
    }

    /// The same with these pixels of one brightness.
    pub(super) fn painted(mut self, pixels: &[usize], brightness: u8) -> Self {
        pixels.iter().for_each(|at| self.luma[*at] = brightness);
        self
    }

    /// The rows from one to another, or the columns.
    pub(super) fn part(&self, rows: bool, from: usize, to: usize) -> Self {
        if rows {
            let luma = self.luma[from.min(self.height) * self.width..to.min(self.height) * self.width].to_vec();
            return Self::new(self.width, luma);
        }
        let columns = from.min(self.width)..to.min(self.width);
        let luma = self.luma.chunks_exact(self.width).flat_map(|row| row[columns.clone()].iter().copied()).collect();
        Self::new(columns.len(), luma)
    }

    /// Turned to the right by so many quarters of a turn.
    pub(super) fn turned(&self, quarters: u8) -> Self {
        let (width, height) = (self.width, self.height);
        match quarters % 4 {
            0 => self.clone(),
            2 => Self { luma: self.luma.iter().rev().copied().collect(), ..*self },
            odd => {
                let mut luma = Vec::with_capacity(width * height);
                for row in 0..width {
                    let column = |up: usize| {
                        let (x, y) = if odd == 1 { (row, height - 1 - up) } else { (width - 1 - row, up) };
                        self.luma[y * width + x]
                    };
                    luma.extend((0..height).map(column));
                }
                Self { width: height, height: width, luma }
            }
        }
    }

    /// Its pixels, row by row.
    pub(super) fn luma(&self) -> &[u8] {
        &self.luma
    }
}

fn paper_of(grains: &[u8]) -> Option<u8> {
    grains.get(grains.len() * 4 / 5).copied().filter(|paper| *paper >= PAPER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of 300 pixels square: paper, with bars of ink four pixels thick, and single pixels of dust.
    fn page(paper: u8, ink: u8, dust: u8) -> Gray {
        let pixel = |at: usize| match (at / 300, at % 300) {
            (y, x) if y % 40 < 4 && x > 30 => ink,
            (y, x) if y % 17 == 0 && x % 19 == 0 => dust,
            _ => paper,
        };
        Gray::new(300, (0..300 * 300).map(pixel).collect())
    }

    #[test]
    fn faint_ink_is_made_black_and_nothing_else_is_touched() {
        for (name, paper, ink, expected) in [
            ("faint", 240, 150, Some((255, 0))),
            ("faint on gray", 190, 110, Some((255, 0))),
            ("hardly to be seen", 240, 224, Some((255, 191))),
            ("as it should be", 250, 20, None),
            ("light on dark", 40, 120, None),
            ("black on dark", 100, 10, None),
        ] {
            let picture = page(paper, ink, 0);
            let cleared = picture.clone().without_fading();
            let is = (cleared.nearest(100.5, 21.5), cleared.nearest(100.5, 1.5));
            assert_eq!(is, expected.unwrap_or((paper, ink)), "{name}");
            assert_eq!(cleared == picture, expected.is_none(), "{name}");
        }
        let small = Gray::new(2, vec![200; 4]);
        assert_eq!(small.clone().without_fading(), small);
    }

    fn picture() -> Gray {
        Gray::new(3, vec![0, 10, 20, 30, 40, 50])
    }

    #[test]
    fn quarters_turn_to_the_right() {
        for (quarters, width, luma) in [
            (0, 3, [0, 10, 20, 30, 40, 50]),
            (1, 2, [30, 0, 40, 10, 50, 20]),
            (2, 3, [50, 40, 30, 20, 10, 0]),
            (3, 2, [20, 50, 10, 40, 0, 30]),
        ] {
            assert_eq!(picture().turned(quarters), Gray::new(width, luma.to_vec()), "{quarters}");
        }
    }

    #[test]
    fn a_part_has_some_of_the_rows_or_columns() {
        assert_eq!(picture().part(true, 1, 2), Gray::new(3, vec![30, 40, 50]));
        assert_eq!(picture().part(false, 1, 9), Gray::new(2, vec![10, 20, 40, 50]));
    }

    #[test]
    fn between_pixels_it_is_between_them_and_white_outside() {
        let picture = picture();
        for (x, y, value) in [(0.5, 0.5, 0.0), (1.0, 0.5, 5.0), (1.5, 1.0, 25.0), (-5.0, 0.5, 255.0)] {
            assert!((picture.sample(x, y) - value).abs() < 1e-3, "{x} {y}");
        }
    }

    #[test]
    fn a_smaller_picture_has_the_mean_of_what_was_there() {
        let wide = Gray::new(4, vec![0, 20, 100, 200, 0, 20, 100, 200]);
        assert_eq!(wide.shrunk(2.0), Gray::new(2, vec![10, 150]));
        assert_eq!(wide.shrunk(0.5), wide);
    }
}
