//! Titles: by their size, by their weight, by their numbering.

use super::line::Line;
use super::usual::Usual;

/// A heading is at most this long; longer large text is an introduction, not a title.
const HEADING_CHARS: usize = 160;
/// A heading that is only bold is shorter.
const BOLD_CHARS: usize = 90;

pub(super) fn is_bold(line: &Line) -> bool {
    line.words.iter().all(|word| word.style.bold)
}

/// The level that a line's size tells.
pub(super) fn by_size(line: &Line, usual: Usual) -> Option<u8> {
    if line.stamp {
        return None;
    }
    match line.size / usual.size {
        ratio if ratio < 1.15 => None,
        ratio if ratio >= 1.7 => Some(1),
        ratio if ratio >= 1.35 => Some(2),
        _ => Some(3),
    }
}

/// The level of the heading that lines are, if they are one.
pub(super) fn level(lines: &[&Line], usual: Usual) -> Option<u8> {
    let chars: usize = lines.iter().flat_map(|line| &line.words).map(|word| word.text.chars().count() + 1).sum();
    let letters = || lines.iter().flat_map(|line| &line.words).flat_map(|word| word.text.chars());
    if chars > HEADING_CHARS || !letters().any(char::is_alphanumeric) {
        return None;
    }
    let level = by_size(lines[0], usual).or_else(|| {
        let heavy = !usual.style.bold
            && lines.iter().all(|line| is_bold(line) && !line.words[0].style.mono && !line.stamp)
            && chars <= BOLD_CHARS
            && lines.len() <= 2
            && lines[0].size > usual.size * 0.95
            && letters().filter(|c| c.is_alphabetic()).count() >= 3;
        let last = lines[lines.len() - 1].words.last().map_or("", |word| &word.text);
        (heavy && !last.ends_with(['.', ',', ';', ':'])).then_some(4)
    })?;
    // The number may tell of a deeper level than the look.
    Some(numbered(&lines[0].words[0].text).map_or(level, |numbered| numbered.max(level)))
}

/// The level that a number of several parts tells: 2 for `3.1`.
fn numbered(word: &str) -> Option<u8> {
    let parts: Vec<&str> = word.trim_end_matches('.').split('.').collect();
    let is_part = |at: usize, part: &str| {
        let number = !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit());
        number || at == 0 && part.len() == 1 && part.bytes().all(|b| b.is_ascii_uppercase())
    };
    let all = parts.iter().enumerate().all(|(at, part)| is_part(at, part));
    (all && parts.len() > 1).then(|| u8::try_from(parts.len().min(6)).unwrap_or(6))
}
