//! Hyphens at the ends of lines that are those of the word itself, as the page shows by writing it whole elsewhere:
//! `re-` above `allocation` where another line has `re-allocation`.

use std::collections::HashSet;

use super::line::{Line, Word};

/// The next line of a text is at most so far below, in sizes.
const NEAR: f64 = 3.0;
const HYPHENS: [char; 2] = ['-', '\u{2010}'];

/// Says of the last words of lines whether their hyphens are their own.
pub(super) fn mark(lines: &mut [Line]) {
    let ends = |line: &Line| line.words.last().is_some_and(|word| word.text.ends_with(HYPHENS));
    if !lines.iter().any(ends) {
        return;
    }
    let whole: HashSet<String> = lines.iter().flat_map(|line| &line.words).filter_map(compound).collect();
    if whole.is_empty() {
        return;
    }
    for at in 0..lines.len() {
        let begun = lines[at].words.last().filter(|word| word.text.ends_with(HYPHENS)).map(|word| bare(&word.text));
        let Some(begun) = begun.filter(|begun| !begun.is_empty()) else { continue };
        let goes_on = |next: &Line| whole.contains(&format!("{begun}-{}", bare(&next.words[0].text)));
        let is_below = |next: &&Line| {
            let drop = next.baseline - lines[at].baseline;
            drop > 0.0 && drop < lines[at].size * NEAR && next.start < lines[at].end && next.end > lines[at].start
        };
        // Drawn next, as at the top of another column, or the nearest below it.
        let below = lines.iter().filter(is_below).min_by(|a, b| a.baseline.total_cmp(&b.baseline));
        let compound = lines.get(at + 1).is_some_and(goes_on) || below.is_some_and(goes_on);
        if let Some(word) = lines[at].words.last_mut() {
            word.compound = compound;
        }
    }
}

/// A word of two parts, in small letters.
fn compound(word: &Word) -> Option<String> {
    // As most words have none.
    let (first, _) = word.text.split_once(HYPHENS).filter(|(_, rest)| !rest.is_empty())?;
    let (first, rest) = (bare(first), bare(&word.text[first.len()..]));
    let is_word = |part: &str| !part.is_empty() && part.chars().all(char::is_alphabetic);
    (is_word(&first) && is_word(&rest)).then(|| format!("{first}-{rest}"))
}

/// A word without what stands around it, in small letters.
fn bare(text: &str) -> String {
    text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line((row, text): (u32, &str)) -> Line {
        let words = text.split(' ').map(|word| Word::at(word, 0.0, 10.0)).collect();
        Line::of(words, 100.0 + 12.0 * f64::from(row), 10.0)
    }

    #[test]
    fn a_hyphen_stays_where_the_page_has_the_word_whole() {
        let texts = [
            "will apply up to the date of re-",
            "allocation; and so it",
            "will from the date of re-allocation. The re-",
            "port says the same",
            "of a well-known manu-",
            "facture",
        ];
        let mut lines: Vec<Line> = (0..).zip(texts).map(line).collect();
        mark(&mut lines);
        let own = lines.iter().map(|line| line.words.last().unwrap().compound).collect::<Vec<_>>();
        assert_eq!(own, [true, false, false, false, false, false]);
    }
}
