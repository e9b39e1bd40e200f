//! Specks of dirt: told from letters by their size, and removed where a page is strewn with them. Pure.
//!
//! The detector misses lines between specks, all the more where ink is faint; and specks that are darker than faint ink hide
//! that it is faint.

use super::gray::Gray;

/// A speck is at most so large each way on average, in points: the period of a text of 11 points is about 1.2. In pixels it has
/// at least one,
const LARGEST: f64 = 0.75;
/// and is darker than paper by this much.
const DEEP: u8 = 48;
/// But what is half as large at least, and so near to a letter, in points, may be the period of small print, or the dot of an i.
const NEAR: f64 = 1.3;
/// A page is strewn with specks when so many of 100 of its parts without letters have some; so large, in points.
const STREWN: usize = 30;
const PART: f64 = 18.0;
/// And when it has so many such parts.
const FEWEST_PARTS: usize = 20;

/// The same without specks, where there are many: what stands in their place is paper. Light specks are no more than paper, or
/// holes in letters, which do no harm.
pub(super) fn without_specks(picture: Gray, scale: f64) -> Gray {
    let Some(paper) = picture.paper() else { return picture };
    let specks = Specks::of(&picture, paper.saturating_sub(DEEP), scale);
    if !specks.are_strewn(scale) {
        return picture;
    }
    let lone = specks.lone(scale);
    picture.painted(&lone, paper)
}

/// What the dark pixels of a picture belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Of {
    Paper,
    Speck,
    Letter,
}

struct Specks {
    width: usize,
    of: Vec<Of>,
    /// The pixels of each speck.
    each: Vec<Vec<usize>>,
    /// How many pixels one has at most.
    largest: usize,
}

impl Specks {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pixels")]
    fn of(picture: &Gray, limit: u8, scale: f64) -> Self {
        let largest = ((LARGEST * scale).powi(2) as usize).max(1);
        let (width, luma) = (picture.width(), picture.luma());
        let mut specks = Self { width, of: vec![Of::Paper; luma.len()], each: Vec::new(), largest };
        let mut group = Vec::with_capacity(largest + 8);
        for at in 0..luma.len() {
            if luma[at] >= limit || specks.of[at] != Of::Paper {
                continue;
            }
            let is_speck = specks.gather(at, largest, &mut group, |to| luma[to] < limit);
            let kind = if is_speck { Of::Speck } else { Of::Letter };
            group.iter().for_each(|at| specks.of[*at] = kind);
            specks.each.extend(is_speck.then(|| group.clone()));
        }
        specks
    }

    /// The dark pixels that touch one, by sides and corners, until they are too many; whether they are not.
    fn gather(&self, from: usize, largest: usize, group: &mut Vec<usize>, is_dark: impl Fn(usize) -> bool) -> bool {
        group.clear();
        group.push(from);
        let mut next = 0;
        while let Some(&at) = group.get(next) {
            next += 1;
            for to in self.around(at).filter(|to| is_dark(*to)) {
                if self.of[to] == Of::Letter {
                    return false;
                }
                if !group.contains(&to) {
                    group.push(to);
                }
            }
            if group.len() > largest {
                return false;
            }
        }
        true
    }

    fn around(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let (width, all) = (self.width, self.of.len());
        let (x, y) = (at % width, at / width);
        (y.saturating_sub(1)..=y + 1)
            .flat_map(move |row| (x.saturating_sub(1)..=(x + 1).min(width - 1)).map(move |column| row * width + column))
            .filter(move |to| *to < all)
    }

    /// The pixels of those that are no part of a text.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pixels")]
    fn lone(&self, scale: f64) -> Vec<usize> {
        let (near, height) = ((NEAR * scale) as usize, self.of.len() / self.width.max(1));
        let is_near_letter = |at: usize| {
            let (x, y) = (at % self.width, at / self.width);
            (y.saturating_sub(near)..=(y + near).min(height - 1)).any(|row| {
                let (from, to) = (x.saturating_sub(near), (x + near).min(self.width - 1));
                self.of[row * self.width + from..=row * self.width + to].contains(&Of::Letter)
            })
        };
        let is_lone = |speck: &&Vec<usize>| speck.len() * 2 < self.largest || !is_near_letter(speck[0]);
        self.each.iter().filter(is_lone).flatten().copied().collect()
    }

    /// Whether most parts of the page that have no letters have specks.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some pixels")]
    fn are_strewn(&self, scale: f64) -> bool {
        let side = ((PART * scale) as usize).max(1);
        let (columns, rows) = (self.width / side, self.of.len() / self.width.max(1) / side);
        let mut parts = vec![(false, false); columns * rows];
        for (y, line) in self.of.chunks_exact(self.width.max(1)).take(rows * side).enumerate() {
            for (x, of) in line[..columns * side].iter().enumerate() {
                let (letters, specks) = &mut parts[y / side * columns + x / side];
                *letters |= *of == Of::Letter;
                *specks |= *of == Of::Speck;
            }
        }
        let empty = parts.iter().filter(|(letters, _)| !letters).count();
        let strewn = parts.iter().filter(|(letters, specks)| *specks && !letters).count();
        empty >= FEWEST_PARTS && strewn * 100 >= empty * STREWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 600;
    const SCALE: f64 = 200.0 / 72.0;

    /// A page of faint letters with a period behind each, and some of its other pixels black.
    fn page(is_black: impl Fn(usize, usize) -> bool) -> Gray {
        let pixel = |at: usize| match (at % SIDE, at / SIDE) {
            (x, y) if is_black(x, y) => 0,
            (x, y) if y > 200 && y < 400 && y % 40 < 20 && x % 30 < 3 => 150,
            (x, y) if y > 200 && y < 400 && (17..20).contains(&(y % 40)) && (8..11).contains(&(x % 30)) => 150,
            _ => 240,
        };
        Gray::new(SIDE, (0..SIDE * SIDE).map(pixel).collect())
    }

    #[test]
    fn specks_are_removed_where_the_page_is_strewn_with_them_and_periods_are_not() {
        let clean = page(|_, _| false);
        // None touches a letter: it would be a part of that.
        let free = |y: usize| !(190..410).contains(&y) || (24..36).contains(&(y % 40));
        for (what, picture, expected) in [
            ("no specks", clean.clone(), clean.clone()),
            ("specks all over", page(|x, y| free(y) && x % 23 == 15 && y % 29 == 5), clean.clone()),
            ("of two pixels each way", page(|x, y| free(y) && x % 23 / 2 == 7 && y % 28 / 2 == 13), clean),
        ] {
            let found = without_specks(picture.clone(), SCALE);
            assert!(found == expected, "{what}");
        }
        for (what, picture) in [
            ("specks in one place", page(|x, y| x < 200 && x % 23 == 15 && y < 100 && y % 29 == 5)),
            ("small letters all over", page(|x, y| x % 23 < 4 && y % 29 < 3)),
            ("a dark page", Gray::new(SIDE, (0..SIDE * SIDE).map(|at| if at % 23 == 0 { 0 } else { 90 }).collect())),
            ("nothing", Gray::new(0, Vec::new())),
        ] {
            assert!(without_specks(picture.clone(), SCALE) == picture, "{what}");
        }
    }

    #[test]
    fn the_periods_of_small_print_stay_among_specks() {
        let period = |x: usize, y: usize| (240..242).contains(&y) && (5..7).contains(&(x % 30));
        let speck = |x: usize, y: usize| !(190..410).contains(&y) && x % 23 / 2 == 7 && y % 29 / 2 == 3;
        let found = without_specks(page(|x, y| period(x, y) || speck(x, y)), SCALE);
        assert!(found == page(period));
    }
}
