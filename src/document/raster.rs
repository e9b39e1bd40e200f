//! A page as a small gray picture, and what can be told from that: where there is ink, and whether it looks like letters.
//! Pure.

use std::ops::Range;

use hayro_interpret::kurbo::Rect;

/// A gray picture of a page.
pub(super) struct Raster {
    width: usize,
    height: usize,
    /// Pixels a point.
    scale: f64,
    /// From black to white, row by row.
    luma: Vec<u8>,
}

/// How bright a colour is.
pub(super) fn gray([red, green, blue]: [u8; 3]) -> u8 {
    let bright = u32::from(red) * 77 + u32::from(green) * 151 + u32::from(blue) * 28;
    u8::try_from(bright >> 8).unwrap_or(u8::MAX)
}

/// A tile is looked at as a whole, pixels.
const TILE: usize = 12;
/// How much lighter the ground of letters is than these, or darker.
const CONTRAST: u8 = 80;
/// How much of a tile with letters is ink, of 100.
const INK: std::ops::RangeInclusive<usize> = 4..=55;
/// How much of it is neither ink nor ground, of 100: edges are, photographs are.
const MOST_BETWEEN: usize = 45;
/// How often ink and ground alternate in such a tile, over all of its rows, and over all of its columns.
const FEWEST_EDGES: usize = 7;
/// A tile whose pixels differ by more than this shows something.
const DETAIL: u8 = 40;

/// A picture has letters when one of so many tiles that show something looks like these,
const LETTERED: usize = 5;
/// and of 100 of those so many stand in rows; or, where it is turned, in columns, as strokes of drawings may.
const IN_ROWS: usize = 20;
const IN_COLUMNS: usize = 45;
/// A row has so many tiles at least, and around it, up to so many pixels away, so many lines of pixels at least with hardly any
/// ink, and others with plenty, of 100.
const ROW: usize = 3;
const AROUND: usize = TILE / 2;
const EMPTY_LINES: usize = 2;
const EMPTY: usize = 3;
const FULL: usize = 15;
/// A page is plain when not more than one of so many tiles shows something, and one of so many shows ink: specks do.
const PLAIN: (usize, usize) = (100, 400);
/// A faint speck takes not more tiles than these.
const SPECK: usize = 3;
/// Not to be told from white.
pub(super) const WHITISH: u8 = 250;
/// Ink differs at least so much from paper.
const INKED: u8 = 100;

/// What parts of a page show.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Detail {
    /// How many of their tiles look like letters,
    pub(super) letters: usize,
    /// stand in rows then, or in columns,
    in_rows: usize,
    in_columns: usize,
    /// show anything, or something dark on light,
    pub(super) anything: usize,
    pub(super) inked: usize,
    /// and how many there are.
    pub(super) tiles: usize,
}

impl Detail {
    /// How much of them shows anything, 0 to 1.
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    pub(super) fn share(self) -> f32 {
        if self.tiles == 0 { 0.0 } else { self.anything as f32 / self.tiles as f32 }
    }

    /// Whether hardly any part of them shows anything.
    pub(super) const fn is_plain(self) -> bool {
        self.anything * PLAIN.0 <= self.tiles && self.inked * PLAIN.1 <= self.tiles
    }

    /// Whether more than this share, of 100, of what it shows looks like letters.
    pub(super) const fn is_of_letters(self, share: usize) -> bool {
        self.letters * 100 > self.anything * share
    }

    /// How many letters of a usual size would stand there; none where nearly all of it is something else, as in photographs,
    /// or where they stand in no rows, as strokes of drawings do.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a guess")]
    pub(super) fn letter_count(self, raster: &Raster) -> u32 {
        let are_lines =
            self.in_rows * 100 >= self.letters * IN_ROWS || self.in_columns * 100 >= self.letters * IN_COLUMNS;
        if self.letters * LETTERED < self.anything || !are_lines {
            return 0;
        }
        // One letter takes about 60 square points, with the space around it.
        let area = (TILE as f64 / raster.scale).powi(2);
        (self.letters as f64 * area / 60.0) as u32
    }
}

impl Raster {
    /// `luma` has `width` pixels a row, `scale` of them a point.
    pub(super) fn new(width: usize, scale: f64, luma: Vec<u8>) -> Self {
        let height = luma.len().checked_div(width).unwrap_or(0);
        Self { width, height, scale, luma }
    }

    /// What there is to see within `areas` (in points), where it is not in one of `but`.
    pub(super) fn detail(&self, areas: &[Rect], but: &[Rect]) -> Detail {
        let (columns, rows) = (self.width / TILE, self.height / TILE);
        let mut wanted = vec![false; columns * rows];
        let mut mark = |area: &Rect, value: bool, inner: bool| {
            let tile = |at: f64, up: bool| {
                let at = at * self.scale / TILE_SIDE;
                if up { at.ceil() } else { at.floor() }
            };
            let (x0, x1) = (limited(tile(area.x0, inner), columns), limited(tile(area.x1, !inner), columns));
            let (y0, y1) = (limited(tile(area.y0, inner), rows), limited(tile(area.y1, !inner), rows));
            for row in y0..y1 {
                wanted[row * columns + x0..row * columns + x1.max(x0)].fill(value);
            }
        };
        areas.iter().for_each(|area| mark(area, true, true));
        but.iter().for_each(|area| mark(area, false, false));
        let mut detail = Detail::default();
        let mut letters = vec![false; columns * rows];
        for (at, _) in wanted.iter().enumerate().filter(|(_, wanted)| **wanted) {
            let tile = self.tile(at % columns * TILE, at / columns * TILE);
            detail.tiles += 1;
            letters[at] = looks_like_letters(&tile);
            let differs = spread(&tile).map_or(0, |(low, high)| high - low);
            detail.anything += usize::from(differs > DETAIL);
            detail.inked += usize::from(differs > INKED);
        }
        detail.letters = letters.iter().filter(|is| **is).count();
        detail.in_rows = self.in_lines(rows, columns, false, |row, column| letters[row * columns + column]);
        detail.in_columns = self.in_lines(columns, rows, true, |column, row| letters[row * columns + column]);
        detail
    }

    /// How many tiles with letters stand side by side in so many `lanes` of so many `places`: rows, or columns when `turned`.
    fn in_lines(&self, lanes: usize, places: usize, turned: bool, is: impl Fn(usize, usize) -> bool) -> usize {
        let mut count = 0;
        for lane in 0..lanes {
            let mut place = 0;
            while place < places {
                let run = (place..places).take_while(|place| is(lane, *place)).count();
                if run >= ROW && self.is_line(lane, place..place + run, turned) {
                    count += run;
                }
                place += run.max(1);
            }
        }
        count
    }

    /// Whether the ink of tiles side by side stands in a line: with nothing above it, or below.
    fn is_line(&self, lane: usize, places: Range<usize>, turned: bool) -> bool {
        let most = if turned { self.width } else { self.height };
        let across = (lane * TILE).saturating_sub(AROUND)..((lane + 1) * TILE + AROUND).min(most);
        let along = places.start * TILE..places.end * TILE;
        let pixel = |across: usize, along: usize| {
            self.luma[if turned { along * self.width + across } else { across * self.width + along }]
        };
        let pixels = || across.clone().flat_map(|at| along.clone().map(move |place| pixel(at, place)));
        let (low, high) = pixels().fold((u8::MAX, u8::MIN), |(low, high), of| (low.min(of), high.max(of)));
        let middle = low.midpoint(high);
        // Whichever is less is the ink.
        let dark_is_ink = pixels().filter(|pixel| *pixel < middle).count() * 2 <= pixels().count();
        let ink = |at: usize| along.clone().filter(|place| (pixel(at, *place) < middle) == dark_is_ink).count() * 100;
        let empty = across.clone().filter(|at| ink(*at) <= along.len() * EMPTY).count();
        empty >= EMPTY_LINES && across.clone().any(|at| ink(at) >= along.len() * FULL)
    }

    fn tile(&self, x: usize, y: usize) -> [[u8; TILE]; TILE] {
        let mut tile = [[u8::MAX; TILE]; TILE];
        for (row, to) in tile.iter_mut().enumerate() {
            let from = (y + row) * self.width + x;
            to.copy_from_slice(&self.luma[from..from + TILE]);
        }
        tile
    }

    /// What there is to see on all of it.
    #[allow(clippy::cast_precision_loss, reason = "pixels")]
    pub(super) fn whole(&self) -> Detail {
        let (width, height) = (self.width as f64 / self.scale, self.height as f64 / self.scale);
        self.detail(&[Rect::new(0.0, 0.0, width, height)], &[])
    }

    /// Whether it is paper alone, with faint specks here and there: nothing dark, and nothing that hangs together.
    pub(super) fn is_bare(&self) -> bool {
        let (columns, rows) = (self.width / TILE, self.height / TILE);
        let spread_of = |at: usize| {
            let tile = self.tile(at % columns * TILE, at / columns * TILE);
            spread(&tile).map_or(0, |(low, high)| high - low)
        };
        let spreads: Vec<u8> = (0..columns * rows).map(spread_of).collect();
        let mut marked: Vec<bool> = spreads.iter().map(|spread| *spread > DETAIL).collect();
        let count = marked.iter().filter(|is| **is).count();
        if count * PLAIN.0 > marked.len() || spreads.iter().any(|spread| *spread > INKED) {
            return false;
        }
        for first in 0..marked.len() {
            let (mut open, mut size) = (vec![first], 0);
            while let Some(at) = open.pop() {
                if !std::mem::replace(&mut marked[at], false) {
                    continue;
                }
                size += 1;
                let (column, row) = (at % columns, at / columns);
                for row in row.saturating_sub(1)..(row + 2).min(rows) {
                    let beside = column.saturating_sub(1)..(column + 2).min(columns);
                    open.extend(beside.map(|column| row * columns + column));
                }
            }
            if size > SPECK {
                return false;
            }
        }
        true
    }

    /// Whether there is nothing to see.
    pub(super) fn is_white(&self) -> bool {
        self.luma.iter().all(|luma| *luma >= WHITISH)
    }

    /// The brightness of most of an area, 0 to 1; `None` of one without a pixel.
    pub(super) fn ground(&self, area: Rect) -> Option<f32> {
        let mut pixels: Vec<u8> = self.pixels(area).collect();
        pixels.sort_unstable();
        pixels.get(pixels.len() / 2).map(|middle| f32::from(*middle) / 255.0)
    }

    /// Whether an area shows anything at all: its pixels differ.
    pub(super) fn has_ink(&self, area: Rect) -> bool {
        let (low, high) = self.pixels(area).fold((u8::MAX, u8::MIN), |(low, high), of| (low.min(of), high.max(of)));
        high.saturating_sub(low) > DETAIL
    }

    fn pixels(&self, area: Rect) -> impl Iterator<Item = u8> {
        let at = |at: f64, most: usize| limited((at * self.scale).round(), most);
        let (x0, x1) = (at(area.x0, self.width), at(area.x1, self.width));
        let (y0, y1) = (at(area.y0, self.height), at(area.y1, self.height));
        (y0..y1).flat_map(move |y| self.luma[y * self.width + x0..y * self.width + x1.max(x0)].iter().copied())
    }
}

#[allow(clippy::cast_precision_loss, reason = "small")]
const TILE_SIDE: f64 = TILE as f64;

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "limited")]
fn limited(at: f64, most: usize) -> usize {
    at.clamp(0.0, most as f64) as usize
}

fn spread(tile: &[[u8; TILE]; TILE]) -> Option<(u8, u8)> {
    let pixels = || tile.iter().flatten().copied();
    Some((pixels().min()?, pixels().max()?))
}

/// Whether ink of one brightness stands on ground of another, in strokes that are narrow in both directions.
fn looks_like_letters(tile: &[[u8; TILE]; TILE]) -> bool {
    let Some((low, high)) = spread(tile).filter(|(low, high)| high - low >= CONTRAST) else { return false };
    let (quarter, middle) = ((high - low) / 4, low + (high - low) / 2);
    let pixels = || tile.iter().flatten();
    let dark = pixels().filter(|pixel| **pixel < middle).count();
    let between = pixels().filter(|pixel| (low + quarter..high - quarter).contains(*pixel)).count();
    // Whichever is less is the ink.
    let (all, ink) = (TILE * TILE, dark.min(TILE * TILE - dark));
    let is_dark = |x: usize, y: usize| tile[y][x] < middle;
    let edges = |along: &dyn Fn(usize, usize) -> bool| {
        (0..TILE).map(|line| (1..TILE).filter(|at| along(*at, line) != along(at - 1, line)).count()).sum::<usize>()
    };
    let (across, down) = (edges(&|at, line| is_dark(at, line)), edges(&|at, line| is_dark(line, at)));
    INK.contains(&(ink * 100 / all))
        && between * 100 <= all * MOST_BETWEEN
        && across >= FEWEST_EDGES
        && down >= FEWEST_EDGES
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 120;

    /// A picture of one point a pixel.
    fn raster(pixel: impl Fn(usize, usize) -> u8) -> Raster {
        Raster::new(SIDE, 1.0, (0..SIDE * SIDE).map(|at| pixel(at % SIDE, at / SIDE)).collect())
    }

    /// Something like letters: short strokes in rows.
    fn letters(x: usize, y: usize) -> u8 {
        let inked = y % 12 < 8 && (x % 6 < 2 || y.is_multiple_of(12) && x % 6 < 5 || y % 12 == 4 && x % 12 < 5);
        if inked { 20 } else { 240 }
    }

    #[test]
    fn letters_are_told_from_lines_photographs_and_shades() {
        let all = [Rect::new(0.0, 0.0, 120.0, 120.0)];
        let share = |raster: &Raster| {
            let detail = raster.detail(&all, &[]);
            (detail.letters * 100 / detail.tiles, detail.anything * 100 / detail.tiles)
        };
        assert_eq!(share(&raster(letters)), (100, 100));
        assert_eq!(share(&raster(|x, y| u8::MAX - letters(x, y))), (100, 100), "light on dark");
        assert_eq!(share(&raster(|_, _| 250)), (0, 0));
        assert_eq!(share(&raster(|x, y| u8::try_from(usize::midpoint(x, y) + 100).unwrap())), (0, 0), "a shade");
        assert_eq!(share(&raster(|x, _| if x % 30 < 2 { 0 } else { 255 })).0, 0, "upright lines");
        // Of a photograph most is between its lightest and its darkest.
        let noise = |x: usize, y: usize| u8::try_from((x * 7_919 + y * 104_729 + x * y * 31) % 256).unwrap();
        assert!(share(&raster(noise)).0 < 20);
    }

    #[test]
    fn paper_with_specks_is_bare_and_a_faint_word_is_not() {
        let paper = |x: usize, y: usize| 235 + u8::try_from((x * 31 + y * 17) % 12).unwrap();
        let speck = |x: usize, y: usize| if (x, y) == (40, 40) { 170 } else { paper(x, y) };
        let word = |x: usize, y: usize| if (24..72).contains(&x) && y == 40 && x % 4 < 2 { 170 } else { paper(x, y) };
        let digit = |x: usize, y: usize| if x == 40 && (40..48).contains(&y) { 20 } else { paper(x, y) };
        for (what, pixel, expected) in [
            ("paper", &paper as &dyn Fn(usize, usize) -> u8, true),
            ("a speck", &speck, true),
            ("a faint word", &word, false),
            ("a digit", &digit, false),
        ] {
            // Larger than the others: one speck on a stamp is much.
            let luma = (0..16 * SIDE * SIDE).map(|at| pixel(at % (4 * SIDE), at / (4 * SIDE))).collect();
            assert_eq!(Raster::new(4 * SIDE, 1.0, luma).is_bare(), expected, "{what}");
        }
    }

    #[test]
    fn letters_stand_in_rows_and_strokes_of_drawings_do_not() {
        let all = [Rect::new(0.0, 0.0, 120.0, 120.0)];
        let count = |raster: &Raster| raster.detail(&all, &[]).letter_count(raster);
        assert!(count(&raster(letters)) > 200);
        assert!(count(&raster(|x, y| letters(y, x))) > 200, "turned");
        assert!(count(&raster(|x, y| u8::MAX - letters(x, y))) > 200, "light on dark");
        // A hatch, strokes across each other, and a portrait of dots.
        let hatch = |x: usize, y: usize| -> u8 { if (x + 2 * y) % 7 < 2 || (3 * x + y) % 11 < 2 { 20 } else { 240 } };
        let dots =
            |x: usize, y: usize| -> u8 { if (x / 3 + y / 3 + x * y / 900).is_multiple_of(2) { 20 } else { 240 } };
        for (what, pixel) in [("a hatch", &hatch as &dyn Fn(usize, usize) -> u8), ("dots", &dots)] {
            let raster = raster(pixel);
            let detail = raster.detail(&all, &[]);
            assert_eq!((detail.letters > 20, detail.letter_count(&raster)), (true, 0), "{what} {detail:?}");
        }
    }

    #[test]
    fn what_stands_elsewhere_does_not_count() {
        let raster = raster(letters);
        let (left, top) = (Rect::new(0.0, 0.0, 60.0, 120.0), Rect::new(0.0, 0.0, 120.0, 60.0));
        assert_eq!(raster.detail(&[left], &[]).tiles, 50);
        assert_eq!(raster.detail(&[left], &[top]).tiles, 25);
        assert_eq!(raster.detail(&[Rect::new(-50.0, -50.0, 900.0, 6.0)], &[]).tiles, 0);
        assert!(raster.has_ink(left) && !raster.has_ink(Rect::new(2.0, 9.0, 100.0, 11.0)));
        assert!(raster.ground(left).unwrap() > 0.9);
        assert_eq!(raster.ground(Rect::new(500.0, 0.0, 600.0, 10.0)), None);
        assert!(
            !raster.whole().is_plain() && self::raster(|x, _| 250 - u8::try_from(x / 4).unwrap()).whole().is_plain()
        );
    }
}
