//! Lines → rows of a table: what stands on one baseline, parted into cells by wide gaps and by upright rules.

use std::ops::Range;

use super::collect::RulingLine;
use super::line::{Line, Word};

/// A gap of more than this much of the size parts cells; where letters are as wide as each other, spaces are wide, too.
const CELL_GAP: [f64; 2] = [0.5, 0.9];
/// A value has no more letters, as those of a unit.
const MOST_LETTERS: usize = 3;
/// Where words are parted by spaces, and cells are not.
pub(super) const UNSPACED_GAP: f64 = 0.2;

/// Words on one baseline, parted into cells.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) words: Vec<&'a Word>,
    pub(super) cells: Vec<Span>,
    pub(super) baseline: f64,
    pub(super) size: f64,
    /// Indexes of its lines.
    pub(super) lines: Vec<usize>,
    /// Whether spaces part words, and not cells.
    pub(super) spaces: bool,
}

/// Some words of a row that stand close to each other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Span {
    /// Which words of the row.
    pub(super) words: Range<usize>,
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Row<'_> {
    /// What a cell says.
    pub(super) fn text(&self, cell: &Span) -> String {
        text_of(&self.words[cell.words.clone()])
    }

    /// Whether a cell is a value.
    pub(super) fn has_value(&self, cell: &Span) -> bool {
        // As most cells of words, which need not be put together for that.
        let letters = |word: &&Word| word.text.bytes().filter(u8::is_ascii_alphabetic).count();
        let is_word = self.words[cell.words.clone()].iter().any(|word| letters(word) > MOST_LETTERS);
        !is_word && is_value(&self.text(cell))
    }

    pub(super) fn start(&self) -> f64 {
        self.cells.first().map_or(0.0, |cell| cell.start)
    }

    pub(super) fn end(&self) -> f64 {
        self.cells.last().map_or(0.0, |cell| cell.end)
    }

    /// About where its letters are in the middle.
    pub(super) fn middle(&self) -> f64 {
        self.baseline - self.size * 0.3
    }
}

/// Some words with their spaces.
pub(super) fn text_of(words: &[&Word]) -> String {
    let mut text = String::new();
    words.iter().for_each(|word| word.append_to(&mut text));
    text
}

/// The rows that some lines make. `spaces` says whether the page parts words by spaces; `uprights` part cells, too.
pub(super) fn rows_of<'a>(lines: &'a [Line], of: &[usize], spaces: bool, uprights: &[RulingLine]) -> Vec<Row<'a>> {
    let mut rows: Vec<(f64, f64, Vec<&Word>, Vec<usize>)> = Vec::new();
    for at in in_order(lines, of) {
        let line = &lines[at];
        match rows.last_mut() {
            Some((baseline, size, words, used))
                if (line.baseline - *baseline).abs() < size.max(line.size) * 0.4
                    && words.last().is_none_or(|word| line.start > word.end - line.size * 0.3) =>
            {
                // Numbers of notes are smaller, and say nothing of where the row is.
                if line.size > *size * 1.2 {
                    (*baseline, *size) = (line.baseline, line.size);
                }
                words.extend(&line.words);
                used.push(at);
            }
            _ => rows.push((line.baseline, line.size, line.words.iter().collect(), vec![at])),
        }
    }
    let parted = rows.into_iter().map(|(baseline, size, mut words, lines)| {
        words.sort_by(|a, b| a.start.total_cmp(&b.start));
        let middle = baseline - size * 0.3;
        let crossing: Vec<f64> =
            uprights.iter().filter(|rule| rule.from < middle && rule.to > middle).map(|rule| rule.at).collect();
        let ruled = |from: f64, to: f64| crossing.iter().any(|at| *at > from - size * 0.2 && *at < to + size * 0.2);
        let mut cells: Vec<Span> = Vec::new();
        for (at, word) in words.iter().enumerate() {
            match cells.last_mut() {
                Some(cell)
                    if word.glued
                        || word.start - cell.end < size * cell_gap(word, spaces) && !ruled(cell.end, word.start) =>
                {
                    cell.end = cell.end.max(word.end);
                    cell.words.end = at + 1;
                }
                _ => cells.push(Span { words: at..at + 1, start: word.start, end: word.end }),
            }
        }
        join_justified(&words, &mut cells, size);
        Row { words, cells, baseline, size, lines, spaces }
    });
    parted.collect()
}

/// So many words, the same spaces apart, are a line that is justified,
const FEWEST_JUSTIFIED: usize = 4;
/// the spaces to this much, and the words some longer than others by this much: columns begin or end at places of their own.
const SAME_SPACE: f64 = 1.05;
const OTHER_WORDS: f64 = 1.5;

/// Joins the words of a line that is justified in a narrow cell, so that spaces in it are as wide as those between cells.
fn join_justified(words: &[&Word], cells: &mut Vec<Span>, size: f64) {
    let mut from = 0;
    while from + FEWEST_JUSTIFIED <= cells.len() {
        let run = justified(words, &cells[from..], size);
        if run >= FEWEST_JUSTIFIED {
            let last = &cells[from + run - 1];
            let (end, last_word) = (last.end, last.words.end);
            cells[from].end = end;
            cells[from].words.end = last_word;
            cells.drain(from + 1..from + run);
        }
        from += 1;
    }
}

/// How many of the first cells are words of one justified line.
fn justified(words: &[&Word], cells: &[Span], size: f64) -> usize {
    let space = |at: usize| cells[at + 1].start - cells[at].end;
    let is_next = |at: &usize| {
        let (least, most) = (space(0).min(space(*at)), space(0).max(space(*at)));
        let next = &cells[*at + 1];
        next.words.len() == 1 && words[next.words.start].spaced && most < least * SAME_SPACE && most < size * 3.0
    };
    if cells[0].words.len() != 1 {
        return 0;
    }
    let run = &cells[..=(0..cells.len() - 1).take_while(is_next).count()];
    let width = |cell: &Span| cell.end - cell.start;
    let (least, most) = run.iter().map(width).fold((f64::MAX, 0.0), |(a, b): (f64, f64), of| (a.min(of), b.max(of)));
    let values = run.iter().filter(|cell| is_value(&words[cell.words.start].text)).count();
    if most > least * OTHER_WORDS && values * 2 < run.len() { run.len() } else { 0 }
}

fn cell_gap(word: &Word, spaces: bool) -> f64 {
    if spaces && !word.spaced { UNSPACED_GAP } else { CELL_GAP[usize::from(word.style.mono)] }
}

/// Lines from top to bottom and left to right.
fn in_order(lines: &[Line], of: &[usize]) -> Vec<usize> {
    let mut sorted = of.to_vec();
    sorted.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
    // Within one row what stands left comes first, whatever its baseline.
    let mut rows: Vec<Vec<usize>> = Vec::new();
    for at in sorted {
        match rows.last_mut() {
            Some(row) if lines[at].baseline - lines[row[0]].baseline < lines[at].size * 0.4 => row.push(at),
            _ => rows.push(vec![at]),
        }
    }
    rows.iter_mut().for_each(|row| row.sort_by(|a, b| lines[*a].start.total_cmp(&lines[*b].start)));
    rows.concat()
}

/// Whether text is a number, a sum, a share, a date or a sign that stands for one: what is never carried on from line to
/// line.
pub(super) fn is_value(text: &str) -> bool {
    let bare = text.trim_end_matches(|c: char| "*†‡§¶ᵃᵇᶜᵈᵉ¹²³⁴⁵⁶⁷⁸⁹⁰,".contains(c)).trim();
    if matches!(bare, "-" | "–" | "—" | "−" | "..." | "…" | "n/a" | "N/A" | "NA" | "n.a." | "–%" | "-%") {
        return true;
    }
    let digits = bare.bytes().filter(u8::is_ascii_digit).count();
    // Most text has none.
    if digits == 0 {
        return false;
    }
    let letters = bare.chars().filter(|c| c.is_alphabetic()).count();
    let is_sign = |c: char| " .,:;/%‰$€£¥()[]+-–—−±<>≤≥=×·'’\u{a0}°#".contains(c);
    let rest = || bare.chars().all(|c| c.is_ascii_digit() || c.is_alphabetic() || is_sign(c));
    letters <= MOST_LETTERS && letters <= digits && bare.split(' ').count() <= 4 && rest()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_all_their_forms_are_values_and_words_are_none() {
        for text in
            ["1,234.50", "12 %", "(2.3)", "–", "2024-03-01", "$1.2", "45.9*", "10.20%", "1,5 kg", "3.5a", "<0.01"]
        {
            assert!(is_value(text), "{text}");
        }
        for text in ["Oslo", "Widget A-100 of steel", "page 3 of the book", "", "(a)", "W"] {
            assert!(!is_value(text), "{text}");
        }
    }

    /// The cells of a row of words, each so wide, this far from the one before it.
    fn cells(words: &[(&str, f64)], space: f64) -> Vec<String> {
        let mut pen = 10.0;
        let word = |(text, width): &(&str, f64)| {
            let word = Word { spaced: true, ..Word::at(text, pen, pen + width) };
            pen = word.end + space;
            word
        };
        let lines = [Line::of(words.iter().map(word).collect(), 100.0, 10.0)];
        let rows = rows_of(&lines, &[0], true, &[]);
        rows[0].cells.iter().map(|cell| rows[0].text(cell)).collect()
    }

    #[test]
    fn words_of_a_justified_line_are_one_cell() {
        let justified = [("50%", 20.0), ("of", 9.0), ("a", 5.0), ("full", 16.0), ("year’s", 30.0)];
        assert_eq!(cells(&justified, 14.0), ["50% of a full year’s"]);
        // Columns are no such thing: three words, words of one width, numbers.
        assert_eq!(cells(&justified[..3], 14.0).len(), 3);
        assert_eq!(cells(&[("Oak", 20.0), ("Elm", 20.0), ("Ash", 20.0), ("Fir", 20.0)], 14.0).len(), 4);
        assert_eq!(cells(&[("1.50", 20.0), ("9", 5.0), ("104.25", 30.0), ("7", 5.0)], 14.0).len(), 4);
    }
}
