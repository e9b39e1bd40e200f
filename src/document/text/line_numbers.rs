//! Numbers that count the lines of a page, in its margin, as court papers and manuscripts have them.

use super::line::{Line, Word};

/// So many lines in a row are counted at least.
const FEWEST: usize = 5;
/// A counted line of text has so many words on average; rows of a table have fewer.
const TEXT_WORDS: usize = 5;

/// Takes the numbers out of the lines; what they say, when there are such.
pub(super) fn take(lines: &mut Vec<Line>) -> Option<String> {
    take_apart(lines).or_else(|| take_first_words(lines))
}

fn number(word: &Word) -> Option<u32> {
    let text = &word.text;
    (text.len() <= 3 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Whether numbers, from top to bottom, count lines: one by one.
fn counts(numbers: &[u32]) -> bool {
    numbers.len() >= FEWEST && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

/// Whether text goes on from line to line, as items of a list do not.
fn is_running<'a>(begins: impl Iterator<Item = &'a Word>, lines: usize) -> bool {
    begins.filter(|word| word.text.starts_with(char::is_lowercase)).count() * 10 >= lines * 3
}

/// Numbers that are drawn by themselves.
fn take_apart(lines: &mut Vec<Line>) -> Option<String> {
    let is_number = |line: &Line| line.words.len() == 1 && line.is_level() && number(&line.words[0]).is_some();
    let mut of: Vec<usize> = (0..lines.len()).filter(|at| is_number(&lines[*at])).collect();
    of.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
    let first = &lines[*of.first()?];
    let aligned = |at: &usize| {
        let line = &lines[*at];
        (line.end - first.end).abs() < line.size || (line.start - first.start).abs() < line.size
    };
    let of: Vec<usize> = of.iter().copied().filter(aligned).collect();
    let numbers: Vec<u32> = of.iter().filter_map(|at| number(&lines[*at].words[0])).collect();
    if !counts(&numbers) {
        return None;
    }
    let (top, bottom) = (lines[of[0]].baseline, lines[of[of.len() - 1]].baseline);
    let is_text = |line: &&Line| {
        line.is_level() && !is_number(line) && (top - line.size..bottom + line.size * 0.5).contains(&line.baseline)
    };
    let text: Vec<&Line> = lines.iter().filter(is_text).collect();
    let beside = text.iter().all(|line| of.iter().all(|at| line.start > lines[*at].end));
    let words: usize = text.iter().map(|line| line.words.len()).sum();
    let each = text.len() <= of.len() + 1 && text.len() * 2 > of.len() && words >= text.len() * TEXT_WORDS;
    if !beside || !each || !is_running(text.iter().map(|line| &line.words[0]), text.len()) {
        return None;
    }
    let mut at = 0;
    lines.retain(|_| {
        at += 1;
        !of.contains(&(at - 1))
    });
    Some(said(&numbers))
}

/// Numbers that lines begin with.
fn take_first_words(lines: &mut [Line]) -> Option<String> {
    let begins = |line: &Line| {
        let [first, second, ..] = &line.words[..] else { return None };
        number(first).filter(|_| line.is_level() && !second.glued)
    };
    let mut of: Vec<usize> = (0..lines.len()).filter(|at| begins(&lines[*at]).is_some()).collect();
    of.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
    let numbers: Vec<u32> = of.iter().filter_map(|at| begins(&lines[*at])).collect();
    let words: usize = of.iter().map(|at| lines[*at].words.len() - 1).sum();
    let others = lines.iter().filter(|line| line.is_level() && line.words.len() > TEXT_WORDS).count();
    let each = words >= of.len() * TEXT_WORDS && of.len() * 5 >= others * 4;
    if !counts(&numbers) || !each || !is_running(of.iter().map(|at| &lines[*at].words[1]), of.len()) {
        return None;
    }
    for at in of {
        let line = &mut lines[at];
        line.words.remove(0);
        line.start = line.words[0].start;
    }
    Some(said(&numbers))
}

fn said(numbers: &[u32]) -> String {
    numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(" ")
}
