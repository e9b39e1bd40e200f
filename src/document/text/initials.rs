//! Drop caps: a large letter at the beginning of a paragraph, beside its first lines.

use super::line::Line;

/// It is at least so many times as large as the text beside it.
const LARGER: f64 = 1.8;
/// Text begins at most so far behind it, in sizes of that text.
const REACH: f64 = 1.2;
/// A word of one letter is set off from the next one by more than this.
const APART: f64 = 0.3;

/// Puts drop caps before the words that they begin.
pub(super) fn join(lines: &mut Vec<Line>) {
    let mut at = 0;
    while at < lines.len() {
        match first_beside(lines, at) {
            Some(first) => {
                let cap = lines.remove(at);
                let line = &mut lines[first - usize::from(first > at)];
                let is_word = matches!(cap.words[0].text.as_str(), "A" | "I" | "O");
                let apart = is_word && line.start - cap.end > line.size * APART;
                let mut word = cap.words[0].clone();
                word.style = line.words[0].style;
                line.words[0].glued = !apart;
                line.words.insert(0, word);
                line.initial = true;
            }
            None => at += 1,
        }
    }
}

/// The line that goes on with the large letter at `at`, if that is one.
fn first_beside(lines: &[Line], at: usize) -> Option<usize> {
    let cap = &lines[at];
    let is_cap =
        matches!(&cap.words[..], [word] if word.text.chars().count() == 1 && word.text.chars().all(char::is_uppercase));
    if !is_cap || !cap.is_level() {
        return None;
    }
    let beside = |line: &Line| {
        let rise = cap.baseline - line.baseline;
        line.is_level()
            && line.size * LARGER <= cap.size
            && (-line.size * 0.3..cap.size).contains(&rise)
            && (-line.size * 0.3..line.size * REACH).contains(&(line.start - cap.end))
    };
    let beside: Vec<usize> = (0..lines.len()).filter(|of| *of != at && beside(&lines[*of])).collect();
    let first = beside.iter().copied().min_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline))?;
    // It stands beside several lines, of which the first goes on with its word.
    let begins =
        lines[first].words[0].text.chars().next().is_some_and(|c| c.is_lowercase() || c.is_uppercase() || c == '’');
    (beside.len() >= 2 && begins).then_some(first)
}
