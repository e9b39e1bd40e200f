//! One page's picture → its lines: upright, level, with their words where they stand.

use super::columns;
use super::engine::{Engine, Reading};
use super::faint::brought_out;
use super::gray::Gray;
use super::islands::{Island, islands};
use super::lines::{ScannedLine, ScannedRule, ScannedWord, size_and_baseline};
use super::region::Region;
use super::rules;
use super::specks::without_specks;

/// What a picture of a page says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Scan {
    /// Its lines, in no order.
    pub(super) lines: Vec<ScannedLine>,
    /// Its rules.
    pub(super) rules: Vec<ScannedRule>,
    /// How many more were found and left out: what they say is not sure enough.
    pub(super) left_out: u32,
    /// How many of them are of the other side of the paper.
    pub(super) shone_through: u32,
    /// How many look like lines of the page, and say nothing, or less than they have ink for.
    pub(super) unread: u32,
    /// By how many quarters the picture was turned to the right so that its lines lie.
    pub(super) quarters: u8,
    /// Whether that was for columns that are read from top to bottom, so that the page stood upright.
    pub(super) columns: bool,
}

/// How fine the picture is that the detector sees, pixels an inch, and at least and at most along its longer side.
const FINENESS: f64 = 110.0;
const LONGEST: (f64, f64) = (960.0, 1_920.0);
/// Longer pictures are looked at in parts, so many times as long as wide, that overlap by this much of their length. Those of a
/// strip, such as one line, so many times as long as wide, are longer, up to so many pixels: between short ones the seams would be
/// in every word.
const PART: f64 = 1.6;
const OVERLAP: f64 = 0.0625;
const STRIP: f64 = 6.0;
const MOST_PIXELS: f64 = 1_200_000.0;
/// What a line says is left out when its signs are not so sure on average.
pub(super) const LEAST: f32 = 0.5;
/// By so many lines it is found out whether a picture is upside down: it is not, where they are so sure; it is, where they
/// are so sure the other way round, and surer by so much.
const SAMPLES: usize = 5;
const UPRIGHT: f32 = 0.85;
const SURER: f32 = 0.15;
/// Two sure lines are enough.
const ENOUGH: u32 = 2;
/// What shines through from the other side of the paper has less than this much of the contrast of the page's sure lines, and
/// does not read as well as in a mirror: a heading was 92 % sure, and 100 % in a mirror.
const SHINES_THROUGH: (f32, f32) = (0.5, 0.97);
/// What has less of its ink read than this, and is as dark as lines of the page usually are, at least in this part, about as high,
/// longer than so many times its height, and so surely a line by the detector, is text in letters that the models lack.
const UNREAD: f32 = 0.75;
const AS_DARK: f32 = 0.5;
const AS_HIGH: std::ops::Range<f64> = 0.5..2.0;
const AS_LONG: f64 = 1.5;
const A_LINE: f32 = 0.8;
/// With fewer lines, a page is looked at piece by piece.
const FEW: usize = 3;
/// What is found at a second look has so many letters or digits at least: textures have some that look like one.
const FEWEST_FAINT: usize = 3;
/// How large letters are, and how large they and how low their baseline usually is, of the thickness of their line.
const SIZES: std::ops::Range<f64> = 0.3..1.4;
const USUAL: (f64, f64) = (0.72, 0.72);
/// A line that is less turned than this (radians) is level.
const LEVEL: f64 = 0.17;

/// Reads a picture with so many pixels a point.
///
/// # Errors
/// What the models stumbled over.
pub(super) fn read(engine: &Engine, picture: Gray, scale: f64) -> Result<Scan, String> {
    let mut picture = without_specks(picture, scale).without_fading();
    let mut regions = find(engine, &picture, scale)?;
    if regions.len() < FEW {
        let found = find_on_islands(engine, &picture, scale)?;
        regions = if found.is_empty() { regions } else { found };
    }
    if regions.is_empty()
        && let Some(faint) = brought_out(&picture, &regions, scale)
    {
        regions = find(engine, &faint, scale)?;
        picture = faint;
    }
    let mut quarters = 0;
    let length = |upright: bool| -> f64 {
        regions.iter().filter(|region| region.is_upright() == upright).map(|region| region.length).sum()
    };
    if length(true) > length(false) * 1.5 {
        turn(&mut picture, &mut regions, 1);
        quarters = 1;
    }
    let mut readings = vec![None; regions.len()];
    if is_upside_down(engine, &picture, &regions, &mut readings)? {
        turn(&mut picture, &mut regions, 2);
        quarters += 2;
        readings.fill(None);
    }
    let level = usual_angle(&regions);
    let mut scan = Scan { quarters, rules: rules::find(&picture, scale, level), ..Scan::default() };
    let middle = middle(&picture);
    let mut read = Vec::with_capacity(regions.len());
    for (region, reading) in regions.iter().zip(readings) {
        read.push(match reading {
            Some(read) => read,
            None => read_line(engine, &picture, region)?,
        });
    }
    for (region, reading) in faint_lines(engine, &picture, &regions, scale)? {
        scan.lines.extend(line(&region, &reading, level, middle, scale));
    }
    scan.columns = quarters == 3 && columns::are_columns(engine, &picture, &read)?;
    let typical = TypicalLine::of(&read);
    for (region, reading) in read {
        if shines_through(engine, &picture, &region, &reading, typical.contrast)? {
            scan.shone_through += 1;
            continue;
        }
        let unread = typical.is_unread(&region, &reading);
        scan.unread += u32::from(unread);
        match line(&region, &reading, level, middle, scale) {
            Some(line) if line.likely >= LEAST => scan.lines.push(line),
            Some(_) if !unread => scan.left_out += 1,
            _ => {}
        }
    }
    Ok(scan)
}

/// Where lines are on the pieces of a page that have ink.
#[allow(clippy::cast_precision_loss, reason = "pixels")]
fn find_on_islands(engine: &Engine, picture: &Gray, scale: f64) -> Result<Vec<Region>, String> {
    let mut regions = Vec::new();
    for Island { left, top, right, bottom } in islands(picture, scale) {
        let piece = picture.part(true, top, bottom).part(false, left, right);
        let found = find(engine, &piece, scale)?;
        regions.extend(found.into_iter().map(|region| region.moved((left as f64, top as f64))));
    }
    Ok(regions)
}

/// Lines that are too faint to be found among others, where they are sure and are not of the other side of the paper.
fn faint_lines(engine: &Engine, picture: &Gray, seen: &[Region], scale: f64) -> Result<Vec<(Region, Reading)>, String> {
    let Some(faint) = brought_out(picture, seen, scale) else { return Ok(Vec::new()) };
    let mut lines = Vec::new();
    for region in find(engine, &faint, scale)? {
        let (region, reading) = read_line(engine, &faint, &region)?;
        let letters = reading.signs.iter().filter(|sign| sign.text.chars().all(char::is_alphanumeric)).count();
        let is_sure = reading.likely() >= UPRIGHT && letters >= FEWEST_FAINT;
        if is_sure && !shines_through(engine, &faint, &region, &reading, 0.0)? {
            lines.push((region, reading));
        }
    }
    Ok(lines)
}

/// Where the lines of a picture are.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels")]
fn find(engine: &Engine, picture: &Gray, scale: f64) -> Result<Vec<Region>, String> {
    let (width, height) = (picture.width() as f64, picture.height() as f64);
    let (short, long) = (width.min(height), width.max(height).min(width.min(height) * PART));
    let wanted = (long / scale / 72.0 * FINENESS).clamp(LONGEST.0, LONGEST.1);
    let by = (long / wanted).max(1.0);
    let (down, all) = (height >= width, width.max(height));
    let most = (LONGEST.1 * by).min(MOST_PIXELS * by * by / short);
    let reach = if all > short * STRIP { most.max(short * PART) } else { short * PART };
    let overlap = reach * OVERLAP;
    let mut regions: Vec<Region> = Vec::new();
    let (mut from, mut before) = (0.0, 0);
    loop {
        let to = if from + reach >= all { all } else { from + reach };
        let part = picture.part(down, from as usize, to as usize);
        let shift = if down { (0.0, from.floor()) } else { (from.floor(), 0.0) };
        let small = part.shrunk(by);
        let by = (part.width() as f64 / small.width() as f64, part.height() as f64 / small.height() as f64);
        let own = regions.len();
        for region in engine.find(&small)? {
            let region = region.scaled(by.0.midpoint(by.1)).moved(shift);
            // What two parts see belongs to the one in which it is farther from the edge.
            let at = if down { region.centre.1 } else { region.centre.0 };
            let half = overlap / 2.0;
            let begins = if from > 0.0 { from + half } else { f64::MIN };
            let ends = if to < all { to - half } else { f64::MAX };
            if at < begins || at >= ends {
                continue;
            }
            // A line that goes on from the part before was seen there as far as its edge.
            match regions[before..own].iter_mut().find_map(|seen| Some((seen.joined(&region)?, seen))) {
                Some((whole, seen)) => *seen = whole,
                None => regions.push(region),
            }
        }
        before = own;
        if to >= all {
            return Ok(regions);
        }
        from += reach - overlap;
    }
}

/// Turns the picture to the right, and its regions with it.
#[allow(clippy::cast_precision_loss, reason = "pixels")]
fn turn(picture: &mut Gray, regions: &mut [Region], quarters: u8) {
    let (width, height) = (picture.width() as f64, picture.height() as f64);
    for region in regions {
        let (x, y) = region.centre;
        let centre = if quarters == 1 { (height - y, x) } else { (width - x, height - y) };
        *region = Region { centre, ..*region }.turned(quarters);
    }
    *picture = picture.turned(quarters);
}

/// Whether a picture whose lines lie stands on its head: some of them read better the other way round. What was read is
/// kept.
fn is_upside_down(
    engine: &Engine,
    picture: &Gray,
    regions: &[Region],
    readings: &mut [Option<(Region, Reading)>],
) -> Result<bool, String> {
    let mut telling: Vec<usize> = (0..regions.len()).filter(|at| !regions[*at].is_upright()).collect();
    // Some words are enough, and cost less than a whole line.
    let far = |at: &usize| ((regions[*at].length / regions[*at].thickness) - 10.0).abs();
    telling.sort_by(|a, b| far(a).total_cmp(&far(b)));
    telling.truncate(SAMPLES);
    let (mut upright, mut turned) = (0, 0);
    for at in telling {
        let reading = engine.read(picture, &regions[at])?;
        if reading.likely() >= UPRIGHT {
            upright += 1;
        } else {
            let other = engine.read(picture, &regions[at].reversed())?.likely();
            turned += u32::from(other >= UPRIGHT && other > reading.likely() + SURER);
        }
        readings[at] = Some((regions[at], reading));
        if upright >= ENOUGH || turned > ENOUGH {
            break;
        }
    }
    Ok(turned > upright)
}

/// What a line says; one that stands on end is read both ways.
fn read_line(engine: &Engine, picture: &Gray, region: &Region) -> Result<(Region, Reading), String> {
    let reading = engine.read(picture, region)?;
    if !region.is_upright() || reading.likely() > UPRIGHT {
        return Ok((*region, reading));
    }
    let other = region.reversed();
    let turned = engine.read(picture, &other)?;
    Ok(if turned.weight() > reading.weight() { (other, turned) } else { (*region, reading) })
}

/// How most lines that are sure look; nothing is known where there are none.
#[derive(Clone, Copy, Debug, Default)]
struct TypicalLine {
    contrast: f32,
    thickness: f64,
}

impl TypicalLine {
    fn of(read: &[(Region, Reading)]) -> Self {
        let sure = || read.iter().filter(|(_, reading)| !reading.signs.is_empty() && reading.likely() >= UPRIGHT);
        let mut contrasts: Vec<f32> = sure().map(|(_, reading)| reading.contrast).collect();
        let mut heights: Vec<f64> = sure().map(|(region, _)| region.thickness).collect();
        contrasts.sort_by(f32::total_cmp);
        heights.sort_by(f64::total_cmp);
        Self {
            contrast: contrasts.get(contrasts.len() / 2).copied().unwrap_or_default(),
            thickness: heights.get(heights.len() / 2).copied().unwrap_or_default(),
        }
    }

    /// Whether a region is a line of the page that says nothing, or in part.
    fn is_unread(self, region: &Region, reading: &Reading) -> bool {
        let as_high = self.thickness <= 0.0 || AS_HIGH.contains(&(region.thickness / self.thickness));
        reading.covered < UNREAD
            && reading.contrast >= self.contrast * AS_DARK
            && as_high
            && !region.is_upright()
            && region.length >= region.thickness * AS_LONG
            && region.score >= A_LINE
    }
}

/// Whether a line is of the other side of the paper: it is faint, and reads better in a mirror.
fn shines_through(
    engine: &Engine,
    picture: &Gray,
    region: &Region,
    reading: &Reading,
    typical_contrast: f32,
) -> Result<bool, String> {
    let likely = reading.likely();
    // Where no line is sure, all of the page may be of the other side.
    let is_faint = typical_contrast <= 0.0 || reading.contrast < typical_contrast * SHINES_THROUGH.0;
    if reading.signs.is_empty() || !is_faint || likely >= SHINES_THROUGH.1 {
        return Ok(false);
    }
    Ok(engine.read_in_mirror(picture, region)?.likely() > likely)
}

/// By how much most lines are turned, radians: the median by length of those that lie.
fn usual_angle(regions: &[Region]) -> f64 {
    let mut lying: Vec<(f64, f64)> =
        regions.iter().filter(|region| !region.is_upright()).map(|region| (region.angle, region.length)).collect();
    lying.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = lying.iter().map(|(_, length)| length).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let median = lying.iter().find(|(_, length)| {
        sum += length;
        sum >= half
    });
    median.map_or(0.0, |(angle, _)| *angle)
}

#[allow(clippy::cast_precision_loss, reason = "pixels")]
fn middle(picture: &Gray) -> (f64, f64) {
    (picture.width() as f64 / 2.0, picture.height() as f64 / 2.0)
}

/// The line in points on the page when that is level; `None` when it says nothing.
fn line(region: &Region, reading: &Reading, level: f64, middle: (f64, f64), scale: f64) -> Option<ScannedLine> {
    let text: String = reading.signs.iter().map(|sign| sign.text.as_str()).collect();
    if text.trim().is_empty() {
        return None;
    }
    let (sin, cos) = (-level).sin_cos();
    let (x, y) = (region.centre.0 - middle.0, region.centre.1 - middle.1);
    let centre = (middle.0 + x * cos - y * sin, middle.1 + x * sin + y * cos);
    let turned = region.angle - level;
    let quarter = std::f64::consts::FRAC_PI_2;
    let near = (turned / quarter).round() * quarter;
    let angle = if (turned - near).abs() < LEVEL { near } else { turned };
    let (dy, dx) = angle.sin_cos();
    // Exactly level, or exactly on end.
    let direction = (if dx.abs() < 1e-9 { 0.0 } else { dx }, if dy.abs() < 1e-9 { 0.0 } else { dy });
    let (along, across) = (centre.0 * dx + centre.1 * dy, centre.1 * dx - centre.0 * dy);
    let (start, top) = (along - region.length / 2.0, across - region.thickness / 2.0);
    let (size, baseline) = size_and_baseline((reading.band.top, reading.band.bottom), &text);
    // What is not of the size of letters was not measured rightly.
    let (size, baseline) = if SIZES.contains(&size) { (size, baseline) } else { USUAL };
    let words = words(reading, start, region.length, scale);
    let likely = reading.likely();
    let (size, baseline) = (size * region.thickness / scale, (top + baseline * region.thickness) / scale);
    Some(ScannedLine { words, baseline, size, direction, likely })
}

/// The words of a line, parted at its spaces, in points along it.
fn words(reading: &Reading, start: f64, length: f64, scale: f64) -> Vec<ScannedWord> {
    let place = |part: f64| (start + part * length) / scale;
    let parts = reading.signs.split(|sign| sign.text.trim().is_empty()).filter(|signs| !signs.is_empty());
    parts
        .map(|signs| ScannedWord {
            text: signs.iter().map(|sign| sign.text.as_str()).collect(),
            start: place(signs[0].from),
            end: place(signs[signs.len() - 1].to),
            likely: signs.iter().map(|sign| sign.likely).fold(1.0, f32::min),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::ocr::engine::Read;
    use crate::document::ocr::profile::Band;

    fn region(length: f64, thickness: f64, score: f32) -> Region {
        Region { centre: (500.0, 300.0), angle: 0.0, length, thickness, score }
    }

    /// What is read with so much of its ink and so dark.
    fn reading(text: &str, covered: f32, contrast: f32) -> Reading {
        let sign = |c: char| Read { text: c.into(), from: 0.0, to: 1.0, likely: 1.0 };
        Reading { signs: text.chars().map(sign).collect(), band: Band { top: 0.0, bottom: 1.0 }, covered, contrast }
    }

    #[test]
    fn a_line_of_unknown_letters_is_told_from_stains_and_from_the_other_side() {
        let line = |text, covered| (region(600.0, 40.0, 0.95), reading(text, covered, 0.8));
        let typical = TypicalLine::of(&[line("one", 1.0), line("two", 0.97), line("three", 1.0)]);
        for (what, region, reading, unread) in [
            ("nothing of a line", region(600.0, 40.0, 0.95), reading("", 0.0, 0.7), true),
            ("blanks alone", region(600.0, 40.0, 0.95), reading("   ", 0.3, 0.7), true),
            ("a word of it", region(600.0, 40.0, 0.95), reading("Harbour", 0.4, 0.7), true),
            ("all of it", region(600.0, 40.0, 0.95), reading("Harbour", 0.9, 0.7), false),
            ("a stain", region(600.0, 40.0, 0.6), reading("", 0.0, 0.7), false),
            ("a dot", region(45.0, 40.0, 0.95), reading("", 0.0, 0.7), false),
            ("a picture", region(600.0, 200.0, 0.95), reading("", 0.0, 0.7), false),
            ("the other side", region(600.0, 40.0, 0.95), reading("", 0.0, 0.2), false),
            ("what stands on end", region(600.0, 40.0, 0.95).turned(1), reading("", 0.0, 0.7), false),
        ] {
            assert_eq!(typical.is_unread(&region, &reading), unread, "{what}");
        }
        // Where nothing is sure there is nothing to compare with.
        assert!(TypicalLine::of(&[]).is_unread(&region(600.0, 90.0, 0.95), &reading("", 0.0, 0.4)));
    }
}
