//! Text that another program has recognised on a scan: whether it reads like text. Pure.

use hayro_interpret::kurbo::Rect;

use super::bidi::is_right_to_left;
use super::open_line::{OpenLine, TextRun};

/// A word and where it lies.
pub(super) struct Word {
    pub(super) text: String,
    pub(super) area: Rect,
}

/// Fewer words prove nothing.
const FEWEST: usize = 40;
/// More words of 100 that are none, and the text is not to be trusted.
const MOST_ODD: usize = 2;
/// Pieces farther apart than this are of two words, in sizes.
const GAP: f64 = 0.2;

/// The words of lines, as they were drawn.
pub(super) fn words(lines: &[OpenLine]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    for line in lines {
        let mut last: Option<&TextRun> = None;
        for piece in line.pieces() {
            let parts = last.is_none_or(|last| piece.start - last.end > piece.size * GAP || last.text.is_blank());
            last = Some(piece);
            if piece.text.is_blank() {
                continue;
            }
            let area = piece.area(line.direction());
            match words.last_mut() {
                Some(word) if !parts => {
                    word.text.push_str(&piece.text.to_text());
                    word.area = word.area.union(area);
                }
                _ => words.push(Word { text: piece.text.to_text(), area }),
            }
        }
    }
    words
}

/// Whether nearly all words are such as people write: letters or numbers, and not both in one; no capitals amid small
/// letters, no marks amid letters.
pub(super) fn is_plausible(words: &[Word]) -> bool {
    let odd = words.iter().filter(|word| is_odd(&word.text)).count();
    let letters: usize = words.iter().map(|word| word.text.chars().filter(|c| c.is_alphabetic()).count()).sum();
    words.len() >= FEWEST && odd * 100 <= words.len() * MOST_ODD && letters >= words.len()
}

fn is_odd(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let chars: Vec<char> = word.chars().collect();
    let small_then_large = chars.windows(2).any(|pair| pair[0].is_lowercase() && pair[1].is_uppercase());
    let digit_in_letters = chars.windows(2).any(|pair| {
        pair[0].is_lowercase() && pair[1].is_ascii_digit() || pair[0].is_ascii_digit() && pair[1].is_alphabetic()
    });
    let is_mark =
        |c: char| !c.is_alphanumeric() && !matches!(c, '-' | '–' | '\'' | '’' | '.' | ',' | '/' | ':' | '&' | '·');
    // Hebrew abbreviations have a double quote before their last letter, or two.
    let in_abbreviation = |at: usize| {
        let is_letter = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| is_right_to_left(*c));
        chars[at] == '"' && is_letter(at.checked_sub(1)) && is_letter(at.checked_add(1))
    };
    let is_ordinal =
        ["1st", "2nd", "3rd"].contains(&word) || word.trim_start_matches(|c: char| c.is_ascii_digit()) == "th";
    word.contains('\u{fffd}')
        || !is_ordinal && (small_then_large || digit_in_letters)
        || chars.iter().enumerate().any(|(at, c)| is_mark(*c) && !in_abbreviation(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_sound(text: &str) -> bool {
        let words: Vec<Word> = text.split(' ').map(|word| Word { text: word.to_owned(), area: Rect::ZERO }).collect();
        is_plausible(&words)
    }

    #[test]
    fn text_reads_like_text() {
        let good = "The shed is let from 1 May 2023 for a term of five years at a rent of 2,400 a year, and the tenant's \
            well-kept roof is sound. In the 2nd year he may let half of it (with leave); the 14th of June is the last day. ";
        let bad =
            "T1e shcd ls 1et fr0m 1 Nay 2O23 f0r a tcrm 0f f1ve ycars at a rcnt 0f 2,4OO a ycar, amd thc tcnant kccps ";
        assert!(is_sound(&good.repeat(3)));
        assert!(!is_sound(&bad.repeat(3)));
        assert!(!is_sound(&good[..120]), "too few words");
        let hebrew = "אישור עו\"ד האגודה ביחס למורשי החתימה לפי תיק ברמ\"י או בדוא\"ל ";
        assert!(is_sound(&hebrew.repeat(5)));
        assert!(!is_sound(&hebrew.replace('"', "|").repeat(5)));
        assert!(!is_sound(&good.replace("rent", "re\"nt").repeat(3)), "not within Latin letters");
        assert!(!is_sound(&"~ | . — » ".repeat(30)));
    }
}
