//! Columns that are read from top to bottom, as in Japanese and Chinese: told from lines of a page that lies on its side.
//!
//! The recogniser reads both lying, as it has learnt it. But in a column each sign stands upright, and on a page that lies it lies.

use super::engine::{Engine, Read, Reading};
use super::gray::Gray;
use super::region::Region;
use crate::content::is_ideographic;

/// By so many lines it is told, and by so many signs of each.
const LINES: usize = 3;
const SIGNS: usize = 4;
/// A line of fewer signs tells nothing.
const FEWEST: usize = 4;
/// Signs are so sure that it is told by.
const SURE: f32 = 0.9;

/// Whether lines that lie on a picture which was turned to the left are columns: their signs read the same, each turned back.
///
/// # Errors
/// What the models stumbled over.
pub(super) fn are_columns(engine: &Engine, picture: &Gray, read: &[(Region, Reading)]) -> Result<bool, String> {
    let is_telling = |reading: &Reading| {
        let ideographs = reading.signs.iter().filter(|sign| is_sure_ideograph(sign)).count();
        ideographs >= FEWEST && ideographs * 2 > reading.signs.len()
    };
    let mut telling: Vec<&(Region, Reading)> = read.iter().filter(|(_, reading)| is_telling(reading)).collect();
    telling.sort_by_key(|(_, reading)| std::cmp::Reverse(reading.signs.len()));
    let (mut same, mut asked) = (0, 0);
    for (region, reading) in telling.into_iter().take(LINES) {
        let signs: Vec<&Read> = reading.signs.iter().filter(|sign| is_sure_ideograph(sign)).collect();
        let step = usual_step(&signs) * region.length;
        for sign in signs.iter().step_by(signs.len().div_ceil(SIGNS)) {
            let back = engine.read(picture, &square(region, middle(sign) * region.length, step))?;
            asked += 1;
            same += usize::from(back.signs.first().is_some_and(|seen| seen.text == sign.text));
        }
    }
    Ok(asked >= FEWEST && same * 2 > asked)
}

fn is_sure_ideograph(sign: &Read) -> bool {
    sign.likely >= SURE && sign.text.chars().all(|c| is_ideographic(c) && c.is_alphabetic())
}

fn middle(sign: &Read) -> f64 {
    f64::midpoint(sign.from, sign.to)
}

/// From one sign to the next, of the length of their line: the median.
fn usual_step(signs: &[&Read]) -> f64 {
    let mut steps: Vec<f64> = signs.windows(2).map(|pair| middle(pair[1]) - middle(pair[0])).collect();
    steps.sort_by(f64::total_cmp);
    steps.get(steps.len() / 2).copied().unwrap_or_default()
}

/// So high a piece of a line that lies, about a place of it, turned back.
fn square(region: &Region, at: f64, height: f64) -> Region {
    let centre = region.place(at, region.thickness / 2.0);
    let angle = region.angle - std::f64::consts::FRAC_PI_2;
    Region { centre, angle, length: region.thickness, thickness: height.max(1.0), ..*region }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_a_line_is_turned_back() {
        let region = Region { centre: (100.0, 50.0), angle: 0.0, length: 200.0, thickness: 30.0, score: 1.0 };
        let square = square(&region, 60.0, 20.0);
        assert_eq!((square.centre, square.length, square.thickness), ((60.0, 50.0), 30.0, 20.0));
        // Its left upper corner is the lower left one of where it lies.
        let (x, y) = square.place(0.0, 0.0);
        assert!((x - 50.0).abs() < 1e-9 && (y - 65.0).abs() < 1e-9, "{x} {y}");
    }

    #[test]
    fn the_usual_step_is_that_of_most_signs() {
        let sign = |at: f64| Read { text: "本".to_owned(), from: at - 0.01, to: at + 0.01, likely: 1.0 };
        let signs = [0.1, 0.2, 0.3, 0.5, 0.6].map(sign);
        let step = usual_step(&signs.iter().collect::<Vec<_>>());
        assert!((step - 0.1).abs() < 1e-9, "{step}");
        assert!(is_sure_ideograph(&signs[0]) && !is_sure_ideograph(&Read { text: "、".to_owned(), ..sign(0.1) }));
    }
}
