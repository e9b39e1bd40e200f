//! What is faint on a page where other ink is not, or lies in a shadow: brought out, for a second look. Pure.
//!
//! The detector passes over letters that differ little from their paper, such as light gray print between black; what ink is on
//! average says nothing of them.

use super::gray::Gray;
use super::region::Region;

/// How bright paper is may change from one place to another, so far away in points: four fifths of what is there are not
/// brighter.
const BLOCK: f64 = 24.0;
const PAPER: u32 = 80;
/// Paper that is darker than this is none: letters may be light.
const DARKEST: u32 = 70;
/// Ink is told from noise by means over so many pixels each way,
const GRAIN: f64 = 3.0;
/// when it is darker than white by so much, and than most of the paper by so many times as much,
const FAINTEST: u8 = 12;
const NOISE: u8 = 5;
/// and it is faint up to this. Fewer grains of it are dirt.
const FULL: u8 = 110;
const FEWEST: usize = 250;
/// Ink of most letters is darker than its grains, which have paper, too, by so much of 100.
const DARKER: usize = 130;
/// Edges of pictures and of black letters are as faint as anything: what is brought out is not darker than this.
const BLACK: usize = 60;
/// What was seen reaches so much of its thickness farther on each side than it was found.
const MARGIN: f64 = 0.15;

/// The picture with what is faint as black as ink usually is, and without what was seen already; `None` where there is nothing
/// faint.
pub(super) fn brought_out(picture: &Gray, seen: &[Region], scale: f64) -> Option<Gray> {
    let mut flat = on_white(picture, scale)?;
    seen.iter().for_each(|region| hide(&mut flat, picture.width(), region));
    let flat = Gray::new(picture.width(), flat);
    let depth = depth(&flat)?;
    let stretched =
        |value: &u8| u8::MAX - u8::try_from((u32::from(u8::MAX - value) * 255 / depth).min(255)).unwrap_or(u8::MAX);
    Some(Gray::new(picture.width(), flat.luma().iter().map(stretched).collect()))
}

/// How much darker than white what is faint is, where there is some.
fn depth(flat: &Gray) -> Option<u32> {
    let mut grains = flat.shrunk(GRAIN).luma().to_vec();
    grains.sort_unstable();
    let noise = u8::MAX - grains.get(grains.len() / 2)?;
    let least = FAINTEST.max(noise.saturating_mul(NOISE));
    let of = |depth: u8| grains.partition_point(|grain| *grain < u8::MAX - depth);
    let (darkest, lightest) = (of(FULL), of(least));
    if least >= FULL || lightest < darkest + FEWEST {
        return None;
    }
    let usual = usize::from(u8::MAX - grains[darkest + (lightest - darkest) / 10]);
    u32::try_from((usual * DARKER / 100).min(BLACK)).ok()
}

/// The picture as if its paper were white everywhere.
fn on_white(picture: &Gray, scale: f64) -> Option<Vec<u8>> {
    let (width, luma) = (picture.width(), picture.luma());
    let papers = Papers::of(picture, scale)?;
    let mut flat = Vec::with_capacity(luma.len());
    for (y, row) in luma.chunks_exact(width.max(1)).enumerate() {
        for (x, value) in row.iter().enumerate() {
            let paper = papers.at(x, y);
            let share = if paper < DARKEST { 255 } else { (u32::from(*value) * 255 / paper).min(255) };
            flat.push(u8::try_from(share).unwrap_or(u8::MAX));
        }
    }
    Some(flat)
}

/// How bright paper is, block by block.
struct Papers {
    side: usize,
    columns: usize,
    rows: usize,
    blocks: Vec<u32>,
}

impl Papers {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "some pixels")]
    fn of(picture: &Gray, scale: f64) -> Option<Self> {
        let side = ((BLOCK * scale) as usize).max(8);
        let (width, height) = (picture.width(), picture.height());
        if width < side || height < side {
            return None;
        }
        let (columns, rows) = (width / side, height / side);
        let block = |at: usize| {
            let (left, top) = (at % columns * side, at / columns * side);
            let mut counts = [0_u32; 256];
            for y in top..top + side {
                picture.luma()[y * width + left..][..side].iter().for_each(|value| counts[usize::from(*value)] += 1);
            }
            let (mut below, all) = (0, counts.iter().sum::<u32>());
            let paper = (0..256_u32).zip(counts).find(|(_, count)| {
                below += count;
                below * 100 >= all * PAPER
            });
            paper.map_or(255, |(value, _)| value)
        };
        Some(Self { side, columns, rows, blocks: (0..columns * rows).map(block).collect() })
    }

    /// Between the middles of blocks it is between what they have.
    fn at(&self, x: usize, y: usize) -> u32 {
        let place = |at: usize, count: usize| {
            let at = at.saturating_sub(self.side / 2);
            let (first, part) = (at / self.side, at % self.side);
            if first + 1 < count { (first, first + 1, part) } else { (count - 1, count - 1, 0) }
        };
        let ((left, right, along), (above, below, down)) = (place(x, self.columns), place(y, self.rows));
        let block = |column: usize, row: usize| self.blocks[row * self.columns + column] as usize;
        let row = |row: usize| block(left, row) * (self.side - along) + block(right, row) * along;
        let paper = (row(above) * (self.side - down) + row(below) * down) / (self.side * self.side);
        u32::try_from(paper).unwrap_or(255)
    }
}

/// Makes white what a region has.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "pixels")]
fn hide(luma: &mut [u8], width: usize, region: &Region) {
    let margin = region.thickness * MARGIN;
    let (along, across) = (region.length / 2.0 + margin, region.thickness / 2.0 + margin);
    let (sin, cos) = region.angle.sin_cos();
    let reach = (along * cos.abs() + across * sin.abs(), along * sin.abs() + across * cos.abs());
    let range = |middle: f64, reach: f64, most: usize| {
        ((middle - reach).max(0.0) as usize).min(most)..((middle + reach).max(0.0).ceil() as usize).min(most)
    };
    let (columns, height) = (range(region.centre.0, reach.0, width), luma.len() / width.max(1));
    for y in range(region.centre.1, reach.1, height) {
        for x in columns.clone() {
            let (dx, dy) = (x as f64 + 0.5 - region.centre.0, y as f64 + 0.5 - region.centre.1);
            if (dx * cos + dy * sin).abs() <= along && (dy * cos - dx * sin).abs() <= across {
                luma[y * width + x] = u8::MAX;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIDE: usize = 400;
    const SCALE: f64 = 2.0;

    /// A page whose paper is so bright at each column, with strokes in rows, each darker than that by some of 100.
    fn page(paper: impl Fn(usize) -> usize, darker: impl Fn(usize) -> usize) -> Gray {
        let pixel = |at: usize| {
            let (x, y) = (at % SIDE, at / SIDE);
            let stroke = y % 40 < 14 && x % 8 < 3;
            let of = paper(x) * if stroke { 100 - darker(y) } else { 100 } / 100;
            u8::try_from(of).unwrap()
        };
        Gray::new(SIDE, (0..SIDE * SIDE).map(pixel).collect())
    }

    /// How dark it is in the middle of a stroke in the rows from `y` on, and beside it.
    fn ink(picture: &Gray, x: usize, y: usize) -> (u8, u8) {
        (picture.luma()[(y + 6) * SIDE + x + 1], picture.luma()[(y + 6) * SIDE + x + 5])
    }

    #[test]
    fn faint_strokes_are_brought_out_in_shadows_too() {
        let (white, shaded) = (|_| 240, |x: usize| 240 - x / 4);
        for (what, picture, expected) in [
            ("between black ones", page(white, |y| if y < 200 { 90 } else { 10 }), true),
            ("in a shadow", page(shaded, |_| 12), true),
            ("paper", page(white, |_| 0), false),
            ("a shadow alone", page(shaded, |_| 0), false),
            ("a dark page", page(|_| 50, |_| 30), false),
        ] {
            let found = brought_out(&picture, &[], SCALE);
            assert_eq!(found.is_some(), expected, "{what}");
            for x in [80, 320] {
                let Some((stroke, beside)) = found.as_ref().map(|found| ink(found, x, 280)) else { continue };
                assert!(stroke < 180 && beside > 220, "{what} {x}: {stroke} {beside}");
            }
        }
        assert_eq!(brought_out(&Gray::new(3, vec![200; 9]), &[], SCALE), None);
    }

    #[test]
    fn what_was_seen_is_hidden() {
        let faint = page(|_| 240, |_| 10);
        let seen = |row: f64| Region {
            centre: (200.0, row * 40.0 + 7.0),
            angle: 0.0,
            length: 400.0,
            thickness: 16.0,
            score: 1.0,
        };
        let found = brought_out(&faint, &[seen(5.0)], SCALE).unwrap();
        assert!(ink(&found, 80, 200).0 > 200 && ink(&found, 80, 240).0 < 100);
        let all: Vec<Region> = (0..10_u8).map(|row| seen(row.into())).collect();
        assert_eq!(brought_out(&faint, &all, SCALE), None);
    }
}
