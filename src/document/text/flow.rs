//! Which line goes on with the block before it.
//!
//! A paragraph ends at a gap, at a jump up (the next column), where the size changes, a line is set in, or one ends well
//! before its column does. It goes on at the top of the next column when its sentence does. Entries of a list of references
//! hang: their first line stands out. Short lines one under the other, as of an address or of verse, keep their ends.

use super::block::{Kind, Open};
use super::heading::{by_size, is_bold};
use super::line::Line;
use super::runs::{Alignment, Runs};
use super::usual::Usual;
use crate::content::is_ideographic;

/// Lines farther apart than this much of their size are of two paragraphs, or than this much of what is usual.
const LINE_GAP: f64 = 1.55;
const USUAL_GAP: f64 = 1.2;
/// A line is set in when it begins by this much of its size further in.
const INDENT: f64 = 0.8;
/// Lines that begin, end or have their middle as near as this to each other are aligned there, in sizes.
const ALIGNED: f64 = 0.3;
/// A label is at most so many words long, and its value at most so many sizes away.
const LABEL_WORDS: usize = 4;
const LABEL_GAP: f64 = 14.0;

/// How a line stands to the block before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// It begins another one.
    No,
    /// It goes on.
    On,
    /// It goes on in a line of its own.
    NewLine,
    /// It stands beside the last line, as the value of a label does.
    Beside,
}

/// Lines of a page in their order, and what can be known of each from those around it.
pub(super) struct Flow {
    usual: Usual,
    runs: Runs,
    /// Whether entries hang: their first lines stand out.
    hanging: bool,
}

impl Flow {
    pub(super) fn of(lines: &[&Line], usual: Usual) -> Self {
        let runs = Runs::of(lines);
        let hanging = is_hanging(lines, &runs);
        Self { usual, runs, hanging }
    }

    /// Whether `line`, at `at` in the page's order, goes on with a block.
    pub(super) fn follows(&self, open: &Open<'_>, at: usize, line: &Line, kind: &Kind) -> Follows {
        let above = open.lines[open.lines.len() - 1];
        let drop = line.baseline - above.baseline;
        let beside = drop.abs() < line.size * 0.3 && line.start > above.end;
        if line.field && drop.abs() < line.size.max(above.size) * 0.6 && line.start > above.end - line.size {
            return Follows::On;
        }
        // A sign and its text are often drawn apart.
        let is_sign = above.words.len() == 1 && matches!(open.kind, Kind::Item(_) | Kind::Counted);
        if beside && is_sign && above.goes_like(line) && open.lines.len() == 1 {
            return Follows::On;
        }
        if open.kind == Kind::Code {
            let near = above.goes_like(line) && drop > 0.0 && drop < above.size * 3.2;
            return if *kind == Kind::Code && near { Follows::On } else { Follows::No };
        }
        let same_size = (above.size / line.size).max(line.size / above.size) < 1.1;
        let same_way = above.goes_like(line) && above.right_to_left == line.right_to_left;
        if *kind != Kind::Text || !same_way || !same_size || above.stamp != line.stamp {
            return Follows::No;
        }
        if beside {
            let has_letters = above.words.iter().any(|word| word.text.contains(char::is_alphabetic));
            let is_label = has_letters && !open.labelled && open.kind == Kind::Text && above.words.len() <= LABEL_WORDS;
            let near = line.start - above.end < line.size * LABEL_GAP && !above.right_to_left;
            return if is_label && near && by_size(line, self.usual).is_none() { Follows::Beside } else { Follows::No };
        }
        if drop <= 0.0 {
            return if flows_on(open, above, line) { Follows::On } else { Follows::No };
        }
        // Each field of a form stands by itself, with its label.
        if above.field || line.field {
            return Follows::No;
        }
        if drop >= above.size * LINE_GAP.max(self.runs.leading(line) * USUAL_GAP) || above.leader || is_note(line) {
            return Follows::No;
        }
        let parted = open.bold && !line.words[0].style.bold || !open.bold && is_bold(line) && ends_sentence(above);
        if parted { Follows::No } else { self.below(open, at, above, line) }
    }

    /// Of a line close below another one.
    fn below(&self, open: &Open<'_>, at: usize, above: &Line, line: &Line) -> Follows {
        if open.labelled {
            let near = line.baseline - above.baseline < above.size * LINE_GAP;
            return if near { Follows::NewLine } else { Follows::No };
        }
        let short = |line: &Line| self.is_short(at, line);
        let all_short = || open.kind == Kind::Text && open.lines.iter().all(|line| short(line)) && short(line);
        let near = |a: f64, b: f64| (a - b).abs() < line.size * ALIGNED * 2.0;
        let is_title = by_size(line, self.usual).is_some();
        let run = self.runs.of_line(at);
        let near_enough = line.baseline - above.baseline < above.size * LINE_GAP;
        if run.is_list && !is_title && open.kind == Kind::Text {
            return if near_enough { Follows::NewLine } else { Follows::No };
        }
        let centred = near(above.start + above.end, line.start + line.end) && !near(above.start, line.start);
        let ragged = matches!(run.alignment, Alignment::Right | Alignment::Centre) || centred;
        if ragged && open.kind == Kind::Text && !line.right_to_left {
            let much_room = (run.right - above.end).max(above.start - run.left) > (run.right - run.left) * 0.25;
            return match () {
                () if is_title => Follows::On,
                () if ends_sentence(above) && much_room => Follows::No,
                () if all_short() && much_room => Follows::NewLine,
                () => Follows::On,
            };
        }
        let parted_word = ends_in_hyphen(above) && line.words[0].text.starts_with(char::is_lowercase);
        // What belongs to a sign or a number is often narrower than the column.
        let own = (open.left, open.right);
        let column = if open.kind == Kind::Text { (run.left.min(own.0), run.right.max(own.1)) } else { own };
        let is_last = !parted_word && !is_title && is_last_of(column, above, line);
        let begins_low = line.words[0].text.starts_with(char::is_lowercase);
        let marked = open.kind != Kind::Text;
        let set_in = if above.right_to_left {
            above.end.min(if marked { open.text_start } else { f64::MAX }) - line.end
        } else {
            line.start - above.start.max(if marked { open.text_start } else { f64::MIN })
        };
        if set_in > above.size * INDENT {
            let hangs = self.hanging && !marked && open.lines.len() == 1 && !is_last;
            return if hangs { Follows::On } else { Follows::No };
        }
        if self.hanging && stands_out(open, line) {
            return Follows::No;
        }
        match () {
            () if !is_last => Follows::On,
            // It is broken where its own lines end, which is before its column does.
            () if begins_low && near_enough && !ends_sentence(above) && !is_last_of(own, above, line) => Follows::On,
            () if all_short() && near_enough && !ends_sentence(above) => Follows::NewLine,
            () => Follows::No,
        }
    }

    fn is_short(&self, at: usize, line: &Line) -> bool {
        self.runs.of_line(at).is_short(line)
    }
}

/// Whether a line ends its paragraph: the next word would have had room in it, where lines reach from `left` to `right`.
fn is_last_of((left, right): (f64, f64), above: &Line, line: &Line) -> bool {
    let first = &line.words[0];
    let glued = line.words.iter().skip(1).take_while(|word| word.glued);
    let (start, end) =
        glued.fold((first.start, first.end), |(start, end), word| (start.min(word.start), end.max(word.end)));
    // Between ideographs a line may end anywhere.
    let word = if first.text.starts_with(is_ideographic) { line.size } else { end - start };
    let room = if line.right_to_left { above.start - line.start.min(left) } else { line.end.max(right) - above.end };
    room > word + line.size
}

/// Whether a line stands out to the left of an entry that hangs.
fn stands_out(open: &Open<'_>, line: &Line) -> bool {
    let [first, second, ..] = &open.lines[..] else { return false };
    let indent = line.size * INDENT;
    open.kind == Kind::Text && second.start - first.start > indent && second.start - line.start > indent
}

/// Whether the entries of a page hang. The first line of an entry that does is full, and its sentence goes on in a line that
/// is set in; the first line of a paragraph that is set in follows the end of a sentence.
fn is_hanging(lines: &[&Line], runs: &Runs) -> bool {
    let (mut hanging, mut first_lines) = (0, 0);
    for at in 0..lines.len().saturating_sub(1) {
        let (above, line) = (lines[at], lines[at + 1]);
        let drop = line.baseline - above.baseline;
        let near = drop > 0.0 && drop < above.size * 2.2 && (above.size - line.size).abs() < line.size * 0.1;
        let set_in = (above.size * INDENT..above.size * 8.0).contains(&(line.start - above.start));
        if near && set_in && !above.right_to_left && !runs.of_line(at).is_short(above) {
            if ends_sentence(above) { first_lines += 1 } else { hanging += 1 }
        }
    }
    hanging > first_lines
}

/// Whether a line begins a footnote.
fn is_note(line: &Line) -> bool {
    line.words[0].text.starts_with(['¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'])
}

/// Whether the text goes on at the top of the next column.
fn flows_on(open: &Open<'_>, above: &Line, line: &Line) -> bool {
    let first = line.words[0].text.chars().next().unwrap_or(' ');
    let next_column = line.start > above.end && above.baseline - line.baseline > above.size * 5.0;
    let text = open.lines.len() > 1 && line.end - line.start > above.size * 8.0;
    next_column && text && !above.right_to_left && !ends_sentence(above) && first.is_lowercase() && !is_bold(line)
}

fn ends_sentence(line: &Line) -> bool {
    let last = line.words.last().map_or("", |word| &word.text);
    last.trim_end_matches(['"', '”', '’', ')', ']']).ends_with(['.', ':', '!', '?', '。', '！', '？'])
}

/// Whether a line ends in the midst of a word.
fn ends_in_hyphen(line: &Line) -> bool {
    let mut ending = line.words.last().map_or("", |word| &word.text).chars().rev();
    matches!(ending.next(), Some('-' | '\u{2010}' | '\u{ad}')) && ending.next().is_some_and(char::is_alphabetic)
}
