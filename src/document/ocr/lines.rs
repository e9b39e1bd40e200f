//! Lines of text as a reader of pictures found them, whichever it was.

use unicode_normalization::UnicodeNormalization;

use crate::content::is_ideographic;

/// A line, in points on the upright and level page.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::document) struct ScannedLine {
    /// Its words, from its start to its end; at least one.
    pub(in crate::document) words: Vec<ScannedWord>,
    /// Its baseline, across the direction of writing.
    pub(in crate::document) baseline: f64,
    /// About the size of its letters.
    pub(in crate::document) size: f64,
    /// The unit vector of writing.
    pub(in crate::document) direction: (f64, f64),
    /// How sure its signs are on average, 0 to 1.
    pub(in crate::document) likely: f32,
}

/// A straight level or upright rule, in points on the upright and level page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::document) struct ScannedRule {
    /// Whether it is upright.
    pub(in crate::document) upright: bool,
    /// Its y when it is level, its x when it is upright.
    pub(in crate::document) at: f64,
    /// Where it begins and ends along itself.
    pub(in crate::document) from: f64,
    pub(in crate::document) to: f64,
}

/// A word, and where it stands along the direction of writing.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::document) struct ScannedWord {
    pub(in crate::document) text: String,
    pub(in crate::document) start: f64,
    pub(in crate::document) end: f64,
    /// How sure the least sure of its signs is, 0 to 1.
    pub(in crate::document) likely: f32,
}

/// Letters of one shape, and how far they reach.
type Reach = (fn(char) -> bool, f64);

/// How far letters of these shapes reach above the baseline, of the font size, the tallest first; others as far as an x.
const ABOVE: [Reach; 3] = [(is_accented_capital, 0.88), (is_tall, 0.7), (is_t, 0.59)];
const SMALL: f64 = 0.48;
/// And below it; others do not.
const BELOW: [Reach; 2] = [(is_deep, 0.21), (is_comma, 0.14)];
/// Ideographs fill their square but for a little.
const SQUARE: (f64, f64) = (0.82, 0.1);

fn is_accented_capital(c: char) -> bool {
    c.is_uppercase() && c.nfd().nth(1).is_some_and(|mark| ('\u{300}'..='\u{314}').contains(&mark))
}

fn is_tall(c: char) -> bool {
    let accented = || c.nfd().nth(1).is_some_and(|mark| ('\u{300}'..='\u{314}').contains(&mark));
    c.is_uppercase() || c.is_numeric() || "bdfhijklßþ|/()[]{}\"'!?“”‘’".contains(c) || accented()
}

fn is_t(c: char) -> bool {
    c == 't'
}

fn is_deep(c: char) -> bool {
    "gjpqyçþµ()[]{}|Q„".contains(c)
}

fn is_comma(c: char) -> bool {
    ",;".contains(c)
}

/// The size of the letters of a line and where their baseline is, by where its ink begins and ends, and what it says.
pub(super) fn size_and_baseline((top, bottom): (f64, f64), text: &str) -> (f64, f64) {
    let reach = |kinds: &[Reach]| kinds.iter().find(|(is_one, _)| text.contains(*is_one)).map(|(_, reach)| *reach);
    let (above, below) = if text.chars().any(is_ideographic) {
        SQUARE
    } else {
        (reach(&ABOVE).unwrap_or(SMALL), reach(&BELOW).unwrap_or(0.0))
    };
    let size = (bottom - top) / (above + below);
    (size, bottom - below * size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_letters_reach_tells_their_size() {
        for (text, top, bottom, size, baseline) in [
            ("Hxd", 0.2, 0.9, 1.0, 0.9),
            ("nose", 0.2, 0.68, 1.0, 0.68),
            ("Hg", 0.0, 0.91, 1.0, 0.7),
            ("ÜBER, É", 0.0, 1.02, 1.0, 0.88),
            ("漢字", 0.0, 0.92, 1.0, 0.82),
        ] {
            let found = size_and_baseline((top, bottom), text);
            assert!((found.0 - size).abs() < 1e-6 && (found.1 - baseline).abs() < 1e-6, "{text}: {found:?}");
        }
    }
}
