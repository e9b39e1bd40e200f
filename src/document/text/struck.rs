//! Words that a line strikes through: the page shows them, and says that they no longer hold.

use super::collect::RulingLine;
use super::line::{Line, Word};

/// How far above the baseline the line runs, in sizes: through the small letters.
const HEIGHT: std::ops::Range<f64> = 0.12..0.5;
/// It ends in the line, but for so much, and at words, but for parts of these, in sizes.
const OVERHANG: f64 = 0.6;
const PART: f64 = 1.5;
/// More lines of one length close to each other fill an area.
const MOST_ALIKE: usize = 2;
/// So much of a word is struck.
const COVERED: f64 = 0.8;
/// Letters and figures of formulas stand beside the bars of fractions: a word has so many letters in a row, or figures.
const FEWEST_LETTERS: usize = 3;
/// A page with more lines is a drawing.
const MOST_RULES: usize = 1_000;

/// Marks the words of `lines` that level rules strike through. Rules that meet upright ones are those of tables.
pub(super) fn mark(lines: &mut [Line], rules: &[RulingLine]) {
    if rules.len() > MOST_RULES {
        return;
    }
    let (uprights, levels): (Vec<&RulingLine>, Vec<&RulingLine>) =
        rules.iter().filter(|rule| !rule.soft).partition(|of| of.upright);
    let meets = |rule: &RulingLine| {
        let near = |at: f64, from: f64, to: f64| at > from - 1.0 && at < to + 1.0;
        uprights.iter().any(|of| near(of.at, rule.from, rule.to) && near(rule.at, of.from, of.to))
    };
    let fills = |rule: &RulingLine, size: f64| {
        let alike = |of: &&&RulingLine| (of.from - rule.from).abs().max((of.to - rule.to).abs()) < 1.0;
        levels.iter().filter(alike).filter(|of| (of.at - rule.at).abs() < size).count() > MOST_ALIKE
    };
    for rule in levels.iter().copied().filter(|rule| !meets(rule)) {
        let through =
            |line: &&mut Line| HEIGHT.contains(&((line.baseline - rule.at) / line.size)) && line.direction.0 > 0.99;
        for line in lines.iter_mut().filter(through) {
            if !fills(rule, line.size) {
                strike(line, rule);
            }
        }
    }
}

fn strike(line: &mut Line, rule: &RulingLine) {
    // What is raised or lowered has other heights: parts of fractions, notes that are underlined.
    let covers = |word: &Word| {
        let shared = word.end.min(rule.to) - word.start.max(rule.from);
        word.style.script.is_none() && shared > 0.0 && shared >= (word.end - word.start) * COVERED
    };
    let struck = || line.words.iter().filter(|word| covers(word));
    let (start, end) = struck().fold((f64::MAX, f64::MIN), |(a, b), word| (a.min(word.start), b.max(word.end)));
    let inside = rule.from > line.start - line.size * OVERHANG && rule.to < line.end + line.size * OVERHANG;
    let near = (start - rule.from).abs().max((rule.to - end).abs()) < line.size * PART;
    if struck().any(says) && inside && near {
        line.words.iter_mut().filter(|word| covers(word)).for_each(|word| word.struck = true);
    }
}

/// Whether a word is one of a language, or a number of several figures.
fn says(word: &Word) -> bool {
    let chars: Vec<char> = word.text.chars().collect();
    let letters = chars.chunk_by(|a, b| a.is_alphabetic() && b.is_alphabetic()).filter(|run| run[0].is_alphabetic());
    let figures = chars.iter().filter(|c| c.is_ascii_digit()).count();
    letters.map(<[char]>::len).max() >= Some(FEWEST_LETTERS)
        || figures >= FEWEST_LETTERS && !chars.iter().any(|c| c.is_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(at: f64, from: f64, to: f64) -> RulingLine {
        RulingLine { upright: false, at, from, to, soft: false }
    }

    #[test]
    fn a_line_through_words_strikes_them_and_no_others() {
        let words =
            || vec![Word::at("within", 0.0, 30.0), Word::at("thirty", 33.0, 60.0), Word::at("days", 63.0, 85.0)];
        let struck = |rules: &[RulingLine]| -> Vec<String> {
            let mut lines = [Line::of(words(), 100.0, 10.0)];
            mark(&mut lines, rules);
            lines[0].words.iter().filter(|word| word.struck).map(|word| word.text.clone()).collect()
        };
        assert_eq!(struck(&[level(97.0, 33.0, 60.0)]), ["thirty"]);
        assert_eq!(struck(&[level(96.5, 0.0, 61.0)]), ["within", "thirty"]);
        // Below the words, above them, part of a word, and far beyond them.
        for rule in
            [level(101.5, 33.0, 60.0), level(92.0, 33.0, 60.0), level(97.0, 33.0, 45.0), level(97.0, 33.0, 200.0)]
        {
            assert_eq!(struck(&[rule]), Vec::<String>::new(), "{rule:?}");
        }
        let area: Vec<RulingLine> = [94.0, 96.0, 98.0].map(|at| level(at, 33.0, 60.0)).to_vec();
        assert_eq!(struck(&area), Vec::<String>::new());
        // One of a table's, however near it comes.
        let upright = RulingLine { upright: true, at: 33.0, from: 80.0, to: 120.0, soft: false };
        assert_eq!(struck(&[level(97.0, 33.0, 60.0), upright]), Vec::<String>::new());
    }
}
