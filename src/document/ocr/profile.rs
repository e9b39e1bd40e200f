//! How a line of text stands in its picture: where its letters begin and end, from top to bottom. Pure.

/// Where the ink of a line is: the first row and the one after the last, of its height 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Band {
    pub(super) top: f64,
    pub(super) bottom: f64,
}

/// A line as it is brought before the recogniser: so many columns are its own, and others are filled up.
#[derive(Clone, Copy)]
pub(super) struct Strip<'a> {
    /// How bright it is, row by row, in any unit.
    pub(super) pixels: &'a [f32],
    pub(super) width: usize,
    pub(super) filled: usize,
}

/// Ink is darker than paper by more than this share of the darkest; of light letters on dark, the other way round.
const INK: f32 = 0.45;
/// A row with fewer pixels of ink is empty: one comma alone has more, dust has not.
const FEWEST: usize = 2;
/// A row or column of which more than so much of 100 is ink is a rule.
const RULE: usize = 85;
/// The ink of a sign lies within this much of the height beside the steps at which it was seen.
const REACH: f64 = 0.45;
/// So many empty rows, of the height, part a line from what is above or below; less parts an i from its dot.
const PARTING: f64 = 0.07;

impl Strip<'_> {
    fn rows(&self) -> impl Iterator<Item = &[f32]> + Clone {
        let filled = self.filled.min(self.width);
        self.pixels.chunks_exact(self.width.max(1)).map(move |row| &row[..filled])
    }

    /// Tells ink from paper, also where letters are light.
    fn is_ink(&self) -> impl Fn(f32) -> bool + use<> {
        let all = || self.rows().flat_map(|row| row.iter().copied());
        let (darkest, lightest) = (all().fold(f32::MAX, f32::min), all().fold(f32::MIN, f32::max));
        let limit = lightest - (lightest - darkest) * INK;
        let (dark, count) = all().fold((0, 0), |(dark, all), value| (dark + usize::from(value < limit), all + 1));
        let light = dark * 2 > count;
        move |value| (value < limit) != light
    }

    /// How much ink each row has, and each column, but for that of rules of tables and forms: rows and columns that are
    /// nearly full.
    fn ink(&self) -> (Vec<usize>, Vec<usize>) {
        let is_ink = self.is_ink();
        let filled = self.filled.min(self.width);
        let ink: Vec<Vec<bool>> = self.rows().map(|row| row.iter().map(|value| is_ink(*value)).collect()).collect();
        let is_rule = |ink: usize, of: usize| ink * 100 > of * RULE;
        let upright: Vec<bool> =
            (0..filled).map(|at| is_rule(ink.iter().filter(|row| row[at]).count(), ink.len())).collect();
        let level: Vec<bool> = ink.iter().map(|row| is_rule(row.iter().filter(|ink| **ink).count(), filled)).collect();
        let (mut rows, mut columns) = (vec![0; ink.len()], vec![0; filled]);
        for (row, line) in ink.iter().enumerate().filter(|(row, _)| !level[*row]) {
            for (column, _) in line.iter().enumerate().filter(|(column, ink)| **ink && !upright[*column]) {
                rows[row] += 1;
                columns[column] += 1;
            }
        }
        (rows, columns)
    }

    /// By how much ink and paper differ on average, in parts of what white and black would.
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    pub(super) fn contrast(&self) -> f32 {
        let is_ink = self.is_ink();
        let mut sums = [(0.0, 0_usize); 2];
        for value in self.rows().flatten() {
            let (sum, count) = &mut sums[usize::from(is_ink(*value))];
            *sum += value;
            *count += 1;
        }
        let [paper, ink] = sums.map(|(sum, count)| sum / count.max(1) as f32);
        if sums[1].1 == 0 { 0.0 } else { (paper - ink).abs() / 2.0 }
    }

    /// The rows that the letters of a line take; all of the height where it has no ink.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sides of lines"
    )]
    pub(super) fn band(&self) -> Band {
        let (ink, _) = self.ink();
        let height = ink.len();
        let Some(fullest) = (0..height).max_by_key(|row| ink[*row]).filter(|row| ink[*row] >= FEWEST) else {
            return Band { top: 0.0, bottom: 1.0 };
        };
        let parting = ((height as f64 * PARTING) as usize).max(1);
        // From the fullest row to where nothing comes for a while.
        let reach = |rows: &mut dyn Iterator<Item = usize>| {
            let (mut last, mut empty) = (fullest, 0);
            for row in rows {
                if ink[row] >= FEWEST {
                    (last, empty) = (row, 0);
                } else {
                    empty += 1;
                    if empty > parting {
                        break;
                    }
                }
            }
            last
        };
        let (top, bottom) = (reach(&mut (0..fullest).rev()), reach(&mut (fullest + 1..height)));
        Band { top: top as f64 / height as f64, bottom: (bottom + 1) as f64 / height as f64 }
    }

    /// How much of the ink of a line, by its columns, lies where `signs` stand (from where to where, of its length 0 to 1),
    /// 0 to 1: signs of a script that the recogniser does not know are passed over, however sure it is of the others.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sides of lines"
    )]
    pub(super) fn covered(&self, signs: impl Iterator<Item = (f64, f64)>) -> f32 {
        let (rows, inked) = self.ink();
        let filled = inked.len();
        let mut near = vec![false; filled];
        let reach = rows.len() as f64 * REACH;
        for (from, to) in signs {
            let from = (from * filled as f64 - reach).max(0.0) as usize;
            let to = ((to * filled as f64 + reach).max(0.0) as usize).min(filled);
            near.iter_mut().take(to).skip(from).for_each(|near| *near = true);
        }
        let ink = || inked.iter().zip(&near).filter(|(ink, _)| **ink >= FEWEST);
        let all = ink().count();
        if all == 0 { 1.0 } else { ink().filter(|(_, near)| **near).count() as f32 / all as f32 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of ten rows and ten columns; in each row so many are dark.
    fn line(rows: [usize; 10]) -> Vec<f32> {
        rows.into_iter().flat_map(|dark| (0..10).map(move |at| if at < dark { -1.0 } else { 1.0 })).collect()
    }

    #[test]
    fn the_band_ends_where_nothing_comes_for_a_while() {
        for (rows, top, bottom) in [
            ([0, 0, 3, 5, 5, 5, 3, 0, 0, 0], 0.2, 0.7),
            // The dot of an i belongs to it, the line below does not.
            ([0, 2, 0, 5, 5, 5, 3, 0, 0, 2], 0.1, 0.7),
            // Dust is no ink.
            ([0, 1, 0, 5, 5, 5, 3, 0, 1, 0], 0.3, 0.7),
            ([0; 10], 0.0, 1.0),
            // White on black.
            ([10, 10, 7, 5, 5, 7, 10, 10, 10, 10], 0.2, 0.6),
            // The rule below a cell.
            ([0, 0, 3, 5, 5, 5, 3, 0, 10, 10], 0.2, 0.7),
        ] {
            let found = Strip { pixels: &line(rows), width: 10, filled: 10 }.band();
            assert!((found.top - top).abs() < 1e-6 && (found.bottom - bottom).abs() < 1e-6, "{rows:?}: {found:?}");
        }
    }

    #[test]
    fn ink_is_told_from_paper_by_what_parts_them() {
        for (ink, paper, contrast) in [(-1.0, 1.0, 1.0), (0.5, 1.0, 0.25), (0.5, -0.5, 0.5), (1.0, 1.0, 0.0)] {
            let pixels: Vec<f32> = (0..100).map(|at| if at % 4 == 0 { ink } else { paper }).collect();
            let found = Strip { pixels: &pixels, width: 10, filled: 10 }.contrast();
            assert!((found - contrast).abs() < 1e-6, "{ink} on {paper}: {found}");
        }
    }

    #[test]
    fn ink_without_a_sign_is_noticed() {
        // Ink in the middle of twenty rows, everywhere in a hundred columns but for a gap.
        let row: Vec<f32> =
            (0..100).map(|at| if at % 3 == 0 && !(40..50).contains(&at) { -1.0 } else { 1.0 }).collect();
        let pixels = [vec![1.0; 400], row.repeat(12), vec![1.0; 400]].concat();
        let strip = Strip { pixels: &pixels, width: 100, filled: 100 };
        let covered = |signs: &[(f64, f64)]| strip.covered(signs.iter().copied());
        assert!((covered(&[(0.0, 1.0)]) - 1.0).abs() < 1e-6);
        assert!((covered(&[(0.0, 0.4), (0.5, 1.0)]) - 1.0).abs() < 1e-6);
        assert!((0.25..0.5).contains(&covered(&[(0.0, 0.3)])), "{}", covered(&[(0.0, 0.3)]));
        assert!(covered(&[]) < 1e-6);
    }
}
