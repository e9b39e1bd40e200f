//! Where ink stands on a page that has hardly any: the detector passes over one word on an empty page, or over half of it, and
//! finds it on a piece of the page. Pure.

use super::gray::Gray;

/// Ink is darker than paper by this much, in means over so many pixels each way.
const DARKER: u8 = 48;
const GRAIN: f64 = 3.0;
/// A cell is so large, in points, and has ink when so many grains of it are dark: specks are fewer.
const CELL: f64 = 18.0;
const FEWEST: usize = 4;
/// Cells not farther than this from each other are of one piece, and around a piece so many are looked at, too.
const NEAR: usize = 2;
const AROUND: usize = 2;
/// More pieces are a page of text, or dirt.
const MOST: usize = 6;

/// A piece of a page: from where to where, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Island {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

/// The pieces of a page that have ink; none where these are many, or the page is dark.
pub(super) fn islands(picture: &Gray, scale: f64) -> Vec<Island> {
    let Some(paper) = picture.paper() else { return Vec::new() };
    let grains = picture.shrunk(GRAIN);
    let by = (ratio(picture.width(), grains.width()), ratio(picture.height(), grains.height()));
    let cells = Cells::of(&grains, paper.saturating_sub(DARKER), CELL * scale / GRAIN);
    let pieces = cells.pieces();
    if pieces.len() > MOST {
        return Vec::new();
    }
    let pixel = |cell: usize, by: f64, most: usize| scaled(cell, cells.side * by).min(most);
    let island = |(left, top, right, bottom): &(usize, usize, usize, usize)| Island {
        left: pixel(left.saturating_sub(AROUND), by.0, picture.width()),
        top: pixel(top.saturating_sub(AROUND), by.1, picture.height()),
        right: pixel(right + 1 + AROUND, by.0, picture.width()),
        bottom: pixel(bottom + 1 + AROUND, by.1, picture.height()),
    };
    pieces.iter().map(island).collect()
}

#[allow(clippy::cast_precision_loss, reason = "sides of pictures")]
fn ratio(of: usize, to: usize) -> f64 {
    of as f64 / to.max(1) as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "pixels")]
fn scaled(count: usize, by: f64) -> usize {
    (count as f64 * by) as usize
}

/// Which cells of a page have ink.
struct Cells {
    /// How many grains a cell has each way.
    side: f64,
    columns: usize,
    inked: Vec<bool>,
}

impl Cells {
    fn of(grains: &Gray, limit: u8, side: f64) -> Self {
        let side = side.max(1.0);
        let (columns, rows) = (scaled(grains.width(), 1.0 / side) + 1, scaled(grains.height(), 1.0 / side) + 1);
        let mut counts = vec![0; columns * rows];
        for (y, row) in grains.luma().chunks_exact(grains.width().max(1)).enumerate() {
            for (x, _) in row.iter().enumerate().filter(|(_, value)| **value < limit) {
                counts[scaled(y, 1.0 / side) * columns + scaled(x, 1.0 / side)] += 1;
            }
        }
        Self { side, columns, inked: counts.into_iter().map(|count: usize| count >= FEWEST).collect() }
    }

    /// From which column and row to which the cells of each piece reach.
    fn pieces(&self) -> Vec<(usize, usize, usize, usize)> {
        let mut open = self.inked.clone();
        let mut pieces = Vec::new();
        while let Some(first) = open.iter().position(|is| *is) {
            let (mut left, mut top, mut right, mut bottom) = (usize::MAX, usize::MAX, 0, 0);
            let mut next = vec![first];
            open[first] = false;
            while let Some(at) = next.pop() {
                let (x, y) = (at % self.columns, at / self.columns);
                (left, top, right, bottom) = (left.min(x), top.min(y), right.max(x), bottom.max(y));
                for row in y.saturating_sub(NEAR)..=(y + NEAR).min(self.inked.len() / self.columns - 1) {
                    for column in x.saturating_sub(NEAR)..=(x + NEAR).min(self.columns - 1) {
                        let to = row * self.columns + column;
                        if std::mem::take(&mut open[to]) {
                            next.push(to);
                        }
                    }
                }
            }
            pieces.push((left, top, right, bottom));
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of 600 × 800 pixels at 200 dpi with ink in these places, each 120 × 24.
    fn page(places: &[(usize, usize)]) -> Gray {
        let is_ink = |x: usize, y: usize| {
            places.iter().any(|(left, top)| (*left..left + 120).contains(&x) && (*top..top + 24).contains(&y))
        };
        Gray::new(600, (0..600 * 800).map(|at| if is_ink(at % 600, at / 600) { 20 } else { 250 }).collect())
    }

    #[test]
    fn words_far_from_each_other_are_pieces_and_a_page_of_text_is_none() {
        let scale = 200.0 / 72.0;
        let found = islands(&page(&[(200, 60), (330, 70), (240, 700)]), scale);
        let [above, below] = found[..] else { panic!("{found:?}") };
        assert!(above.left <= 150 && above.right >= 500 && above.top <= 10 && (120..300).contains(&above.bottom));
        assert!((500..660).contains(&below.top) && below.bottom >= 770 && below.right <= 600, "{below:?}");
        let lines: Vec<(usize, usize)> = (0..4).flat_map(|y| [(0, y * 210), (460, y * 210)]).collect();
        assert_eq!(islands(&page(&lines), scale), []);
        assert_eq!(islands(&page(&[]), scale), []);
    }
}
