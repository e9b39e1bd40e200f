//! Lines of code → its text, with the white space that stands there.

use super::line::{Line, Word};
use crate::content::Script;

/// Lines of code as they stand: how far they are set in, and empty lines between them.
pub(super) fn text(lines: &[&Line]) -> String {
    let mut out = String::new();
    let left = lines.iter().map(|line| line.start).fold(f64::MAX, f64::min);
    let rows: Vec<&[&Line]> = lines.chunk_by(|a, b| (b.baseline - a.baseline).abs() < a.size * 0.3).collect();
    let mut drops: Vec<f64> = rows.windows(2).map(|pair| pair[1][0].baseline - pair[0][0].baseline).collect();
    drops.sort_by(f64::total_cmp);
    let drop = drops.get(drops.len().saturating_sub(1) / 2).copied().unwrap_or(f64::MAX);
    for (at, row) in rows.iter().enumerate() {
        let gap = if at > 0 { (row[0].baseline - rows[at - 1][0].baseline) / drop } else { 1.0 };
        out.push_str(match at {
            0 => "",
            _ if gap > 1.7 => "\n\n",
            _ => "\n",
        });
        let (mut written, mut last) = (0, None);
        for word in row.iter().flat_map(|line| &line.words) {
            let column = whole((word.start - left) / letter_width(row[0]));
            // Words that are drawn apart stand as far apart.
            let spaces = column.saturating_sub(written);
            let apart = usize::from(written > 0 && !word.glued);
            // Letters of any width say only how far a line is set in, and where a comment begins.
            let spaces = match last.replace(word) {
                Some(last) if row[0].listing && !is_counted(last, row) => {
                    apart + usize::from(word.start - last.end > row[0].size)
                }
                _ => spaces,
            };
            let spaces = if word.glued { 0 } else { spaces.clamp(apart, MOST_SPACES) };
            out.extend(std::iter::repeat_n(' ', spaces));
            let sign = word.style.script.filter(|_| row[0].listing).map(|script| match script {
                Script::Super => '^',
                Script::Sub => '_',
            });
            out.extend(sign);
            out.push_str(&word.text);
            written += spaces + usize::from(sign.is_some()) + word.text.chars().count();
        }
    }
    out
}

/// More space than this is the distance of two columns.
const MOST_SPACES: usize = 120;

/// Whether a word is the number of its row: what is behind it is set in on its own.
fn is_counted(word: &Word, row: &[&Line]) -> bool {
    let number = word.text.strip_suffix([':', '.']).unwrap_or(&word.text);
    std::ptr::eq(word, &raw const row[0].words[0]) && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// How wide a letter of a listing counts, in sizes: a step is mostly set in by one size, or by a little more.
const LISTING_LETTER: f64 = 0.5;

/// Of one letter of a line whose letters are equal.
fn letter_width(line: &Line) -> f64 {
    if line.listing {
        return line.size * LISTING_LETTER;
    }
    let (mut width, mut letters) = (0.0, 0_u32);
    for word in &line.words {
        width += word.end - word.start;
        letters = letters.saturating_add(u32::try_from(word.text.chars().count()).unwrap_or(u32::MAX));
    }
    let width = width / f64::from(letters.max(1));
    if width > 0.0 { width } else { line.size * 0.6 }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small, or cut off by the caller")]
fn whole(number: f64) -> usize {
    number.round().clamp(0.0, 1e6) as usize
}
