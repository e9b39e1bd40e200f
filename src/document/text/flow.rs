//! Which line goes on with the block before it.
//!
//! A paragraph ends at a gap, at a jump up (the next column), where the size changes, a line is set in, or one ends well
//! before its column does. It goes on at the top of the next column when its sentence does. Entries of a list of references
//! hang: their first line stands out. Short lines one under the other, as of an address or of verse, keep their ends.

mod address;

use super::block::{Kind, Open};
use super::body_style::BodyStyle;
use super::heading::{by_size, is_bold};
use super::line::{Line, Word};
use super::marker::Siblings;
use super::runs::{Alignment, Runs};
use crate::content::is_ideographic;

/// Lines farther apart than this much of their size are of two paragraphs, or than this much of what is usual.
const LINE_GAP: f64 = 1.55;
const USUAL_GAP: f64 = 1.2;
/// Lines of one title are nearer to each other, in sizes.
const TITLE_GAP: f64 = 1.9;
/// A line is set in when it begins by this much of its size further in.
const INDENT: f64 = 0.8;
/// Lines that begin, end or have their middle as near as this to each other are aligned there, in sizes.
const ALIGNED: f64 = 0.3;
/// The text of a number that is drawn apart is at most so many sizes away, the label of a box at most so many.
const NUMBER_GAP: f64 = 6.0;
const BOX_GAP: f64 = 2.5;
/// Boxes of one list stand at most so far below each other, in sizes.
const BOX_DROP: f64 = 1.8;
/// Text behind a number or a date stands apart from it by so many sizes, and behind so many words at most.
const STOP_GAP: f64 = 0.6;
const STOP_WORDS: usize = 3;
/// A long line has so many words, and takes this much of its column.
const LONG_WORDS: usize = 6;
const LONG: f64 = 0.6;
/// With fewer of them it is not known how far lines of a size are apart.
const FEWEST_SAMPLES: usize = 3;
/// A line of running text has so many words, and one that was broken early so many.
const PROSE_WORDS: usize = 8;
const FEW_WORDS: usize = 3;
/// Lines of text are wider than so many sizes.
const SHORT_SIZES: f64 = 20.0;
/// A full line has so many words, is at least so many sizes wide, and the next one of its sentence comes within so many sizes,
const FULL_WORDS: usize = 4;
const FULL_SIZES: f64 = 12.0;
const MOST_DROP: f64 = 2.9;
/// and begins at most so many sizes further in or out.
const MOST_INDENT: f64 = 5.0;
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
    body_style: BodyStyle,
    runs: Runs,
    /// Whether entries hang: their first lines stand out.
    hanging: bool,
    /// Of each line whether the value of a form field stands beside it.
    has_value: Vec<bool>,
}

impl Flow {
    pub(super) fn of(lines: &[&Line], body_style: BodyStyle) -> Self {
        let runs = Runs::of(lines);
        let hanging = is_hanging(lines, &runs);
        let beside = |pair: &[&Line]| pair[1].field.is_some() && pair[0].field.is_none() && is_level(pair[0], pair[1]);
        let has_value = lines.windows(2).map(beside).chain([false]).collect();
        Self { body_style, runs, hanging, has_value }
    }

    /// Whether `line`, at `at` in the page's order, goes on with a block.
    pub(super) fn follows(&self, open: &Open<'_>, at: usize, line: &Line, kind: &Kind) -> Follows {
        let above = open.lines[open.lines.len() - 1];
        let drop = line.baseline - above.baseline;
        if line.field.is_some() && is_level(above, line) {
            return Follows::On;
        }
        if drop.abs() < line.size * 0.3 && line.start > above.end {
            return self.beside(open, above, line, kind);
        }
        if open.kind == Kind::Code {
            let near = above.has_same_direction(line) && drop > 0.0 && drop < above.size * 3.2;
            return if *kind == Kind::Code && near { Follows::On } else { Follows::No };
        }
        // A line may begin with a reference that stands amid a sentence; behind a number of its own kind it is the next one.
        let begins = line.words.get(1).is_some_and(|word| word.text.starts_with(char::is_uppercase));
        let is_next = open.kind == Kind::Counted && begins;
        let amid =
            *kind == Kind::Counted && Siblings::is_reference(line) && !is_next && self.is_full(open, at, above, line);
        if *kind != Kind::Text && !amid || !is_like(above, line) {
            return Follows::No;
        }
        if begins_with_box(line) && begins_with_box(open.lines[0]) {
            let near = drop > 0.0 && drop < above.size * BOX_DROP && (line.start - open.left).abs() < line.size;
            return if near { Follows::NewLine } else { Follows::No };
        }
        if self.continues(open, at, above, line) {
            return Follows::On;
        }
        if (above.size / line.size).max(line.size / above.size) >= 1.1 {
            return Follows::No;
        }
        if drop <= 0.0 {
            return if flows_on(open, above, line) { Follows::On } else { Follows::No };
        }
        // Each field of a form stands by itself, with its label.
        if above.field != line.field || self.has_value[at] && !goes_on_low(line) {
            return Follows::No;
        }
        if drop >= above.size * LINE_GAP.max(self.runs.leading(line) * USUAL_GAP) || above.leader || is_note(line) {
            return Follows::No;
        }
        // Where few lines tell how far they are apart, a short line that ends a sentence ends its paragraph.
        let far = drop >= above.size * LINE_GAP && ends_sentence(above);
        let short = above.end - above.start < above.size * SHORT_SIZES;
        if far && short && (self.runs.samples(line) < FEWEST_SAMPLES || open.kind != Kind::Text) {
            return Follows::No;
        }
        let titles = by_size(above, self.body_style).is_some() && by_size(line, self.body_style).is_some();
        if titles && drop >= above.size * TITLE_GAP {
            return Follows::No;
        }
        // Two titles that look differently, such as a running one and that of a table, are not one for want of others.
        let few = self.runs.samples(line) < FEWEST_SAMPLES && drop >= above.size * LINE_GAP;
        if few && is_italic(above) != is_italic(line) {
            return Follows::No;
        }
        // Where it would have had no room above, a sentence may go on with it.
        let begins = open.bold != is_bold(line) || is_last_of((open.left, self.runs.of_line(at).right), above, line);
        if begins && address::is_of(open, above, line) {
            return Follows::NewLine;
        }
        if self.is_parted(open, at, above, line) { Follows::No } else { self.below(open, at, above, line) }
    }

    /// Whether a line close below another one looks as something else: the number of the page, a title, text below a title.
    fn is_parted(&self, open: &Open<'_>, at: usize, above: &Line, line: &Line) -> bool {
        let begins_bold = !open.bold && is_bold(line);
        // A number that stands apart is that of the page.
        let is_number =
            matches!(&line.words[..], [word] if word.text.len() <= 4 && word.text.bytes().all(|b| b.is_ascii_digit()));
        let is_apart = begins_bold || line.start - open.left > line.size * MOST_INDENT;
        is_number && !matches!(open.kind, Kind::Item(_)) && is_apart
            || open.bold && !line.words[0].style.bold
            || begins_bold && (ends_sentence(above) || begins_title(line) && self.is_short(at, above))
    }

    /// Of a line that stands right of the last one.
    fn beside(&self, open: &Open<'_>, above: &Line, line: &Line, kind: &Kind) -> Follows {
        if above.has_same_direction(line) && belongs_beside(open, above, line, kind) {
            return Follows::On;
        }
        if open.kind == Kind::Code && *kind == Kind::Code && above.has_same_direction(line) {
            let below = line.baseline > above.baseline;
            return if below { Follows::On } else { Follows::No };
        }
        let same_size = (above.size / line.size).max(line.size / above.size) < 1.1;
        if *kind != Kind::Text || open.kind != Kind::Text || open.labelled || !is_like(above, line) {
            return Follows::No;
        }
        if open.lines.len() == 1 && is_formula_number(line) {
            return Follows::Beside;
        }
        let is_label = above.words.iter().any(has_letters) && above.words.len() <= LABEL_WORDS;
        let near = line.start - above.end < line.size * LABEL_GAP && !above.right_to_left;
        let is_amount = !line.words.iter().any(has_letters) && line.words[0].text.contains(['.', ',']);
        let is_value = by_size(line, self.body_style).is_none() || is_amount;
        if same_size && is_label && near && is_value { Follows::Beside } else { Follows::No }
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
        let is_title = by_size(line, self.body_style).is_some();
        let run = self.runs.of_line(at);
        let near_enough = line.baseline - above.baseline < above.size * LINE_GAP;
        let reach = (run.left.min(open.left), run.right.max(open.right));
        if near_enough && begins_at_a_stop(above, line) && !is_last_of(reach, above, line) {
            return Follows::On;
        }
        if run.is_list && !is_title && open.kind == Kind::Text {
            return if near_enough { Follows::NewLine } else { Follows::No };
        }
        // The last line of an entry and the first one of the next may be centred on each other by chance.
        let begins_entry = begins_entry(open, line) && !short(line);
        if self.hanging && (begins_entry || is_next_entry(open, at, line)) {
            return Follows::No;
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
        let out = open.kind != Kind::Text && line.start < open.text_start - line.size * INDENT;
        let right = self.runs.of_line(at - 1).justified.unwrap_or(run.right);
        let column = if open.kind == Kind::Text || out { (run.left.min(own.0), right.max(own.1)) } else { own };
        let is_last = !parted_word && !is_title && is_last_of(column, above, line);
        let begins_low = line.words[0].text.starts_with(char::is_lowercase);
        let marked = open.kind != Kind::Text;
        if set_in(open, above, line) > above.size * INDENT {
            let hangs = self.hanging && !marked && open.lines.len() == 1 && !is_last;
            let on = hangs || near_enough && self.goes_on_set_in(open, at, above, line);
            return if on { Follows::On } else { Follows::No };
        }
        if self.hanging && stands_out(open, line) {
            return Follows::No;
        }
        match () {
            () if !is_last => Follows::On,
            () if ends_sentence(above) => Follows::No,
            // It is broken where its own lines end, which is before its column does.
            () if begins_low && near_enough && !is_last_of(own, above, line) => Follows::On,
            // Beside a large letter, or before a long word, a line may end early.
            () if begins_low && (open.initial || is_long(column, above)) => Follows::On,
            () if all_short() && near_enough => Follows::NewLine,
            // Beside a picture, or where someone broke it, any of its lines may.
            () if !self.hanging && goes_on_low(line) && !explains(line) && self.is_prose(open, at, above) => {
                Follows::On
            }
            () => Follows::No,
        }
    }

    /// Whether a line goes on with the sentence of a full line above it, whatever their distance and their looks.
    fn continues(&self, open: &Open<'_>, at: usize, above: &Line, line: &Line) -> bool {
        let (drop, larger) = (line.baseline - above.baseline, above.size.max(line.size));
        let near = drop > above.size.min(line.size) * 0.5 && drop < larger * MOST_DROP;
        let alike = larger < above.size.min(line.size) * 1.25 && above.field == line.field && !above.leader;
        if !near || !alike || line.right_to_left || open.labelled || !goes_on_low(line) || self.runs.of_line(at).is_list
        {
            return false;
        }
        let text_start = if open.kind == Kind::Text { open.left } else { open.text_start };
        let aligned = (line.start - text_start).abs() < line.size * INDENT;
        // The first line of a paragraph is set in, or stands out.
        let from_first = open.lines.len() == 1 && (line.start - above.start).abs() < line.size * MOST_INDENT;
        if !(aligned || from_first) || !ends_in_hyphen(above) && !self.is_full(open, at, above, line) {
            return false;
        }
        // Over a gap, or with another look, only what fills its column on this page goes on.
        let apart = drop >= above.size * LINE_GAP.max(self.runs.leading(line) * USUAL_GAP);
        let looks = is_bold(above) == is_bold(line) && larger < above.size.min(line.size) * 1.03;
        let right = self.runs.right(open.left, above.size).max(open.right);
        let full = !is_last_of((open.left, right), above, line);
        (!apart || looks && full) && (looks || full)
    }

    /// Whether a line above ends amid a sentence, as far right as it can.
    fn is_full(&self, open: &Open<'_>, at: usize, above: &Line, line: &Line) -> bool {
        let wide = above.words.len() >= FULL_WORDS && above.end - above.start > above.size * FULL_SIZES;
        let column = self.runs.of_line(at - 1);
        let column = (column.left.min(open.left), column.right.max(open.right));
        wide && !ends_sentence(above) && !is_last_of(column, above, line)
    }

    /// Whether a line set in goes on with the sentence above it: as its end, or as one of several beside a picture.
    fn goes_on_set_in(&self, open: &Open<'_>, at: usize, above: &Line, line: &Line) -> bool {
        let makes_room = || goes_on_low(line) && self.runs.begins_with_next(at) && self.is_full(open, at, above, line);
        self.ends_below(open, at, above, line) || makes_room()
    }

    /// Whether a line set in is the end of a sentence that fills the line above it, as below what a form has to be ticked, or
    /// closes its bracket.
    fn ends_below(&self, open: &Open<'_>, at: usize, above: &Line, line: &Line) -> bool {
        let within = line.start > above.start && line.end < above.end && goes_on_low(line) && !explains(line);
        let ends = || ends_sentence(line) && self.is_full(open, at, above, line);
        within && !ends_sentence(above) && (ends() || closes_bracket(open, line))
    }

    /// Whether a block is running text up to its last line, and that ends in the midst of a sentence: it has a line of many
    /// words, or a full one whose sentence goes on below it.
    fn is_prose(&self, open: &Open<'_>, at: usize, above: &Line) -> bool {
        let least = if open.lines.len() > 1 { FEW_WORDS } else { PROSE_WORDS };
        let amid = above.words.last().is_some_and(|word| word.text.ends_with(|c: char| c.is_alphabetic() || c == ','));
        let wraps = |pair: &[&Line]| !self.is_short(at, pair[0]) && !ends_sentence(pair[0]) && goes_on_low(pair[1]);
        let is_text =
            || open.lines.iter().any(|line| line.words.len() >= PROSE_WORDS) || open.lines.windows(2).any(wraps);
        amid && above.words.len() >= least && is_text()
    }

    fn is_short(&self, at: usize, line: &Line) -> bool {
        self.runs.of_line(at).is_short(line)
    }
}

fn is_italic(line: &Line) -> bool {
    line.words.iter().all(|word| word.style.italic)
}

/// Whether a line stands right of another one, in letters that may be of another size.
fn is_level(left: &Line, right: &Line) -> bool {
    (right.baseline - left.baseline).abs() < right.size.max(left.size) * 0.6 && right.start > left.end - right.size
}

/// Whether both lines run the same way, and are of the same text.
fn is_like(above: &Line, line: &Line) -> bool {
    above.has_same_direction(line) && above.right_to_left == line.right_to_left && above.stamp == line.stamp
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

/// How much further in a line begins than the one above it, or than the text of its item.
fn set_in(open: &Open<'_>, above: &Line, line: &Line) -> f64 {
    let own = (open.kind != Kind::Text).then_some(open.text_start);
    if above.right_to_left {
        above.end.min(own.unwrap_or(f64::MAX)) - line.end
    } else {
        line.start - above.start.max(own.unwrap_or(f64::MIN))
    }
}

/// Whether a line takes most of its column.
fn is_long((left, right): (f64, f64), line: &Line) -> bool {
    line.words.len() >= LONG_WORDS && line.end - left > (right - left) * LONG
}

/// Whether a line says what a sign of a formula means, or has a number of its own: `dL = length`, `ii) the gate`.
fn explains(line: &Line) -> bool {
    let is_counted = line.words.len() > 1 && line.words[0].text.ends_with([')', '.', ':']);
    is_counted || line.words.get(1).is_some_and(|word| word.text.starts_with(['=', '–', '—', ':']))
}

/// Whether a line stands out to the left of an entry that hangs.
fn stands_out(open: &Open<'_>, line: &Line) -> bool {
    let [first, second, ..] = &open.lines[..] else { return false };
    let indent = line.size * INDENT;
    open.kind == Kind::Text && second.start - first.start > indent && second.start - line.start > indent
}

/// Whether a line stands out of an entry that hangs, as far as its first line does; that may be in the column before.
fn begins_entry(open: &Open<'_>, line: &Line) -> bool {
    let first = open.lines[0];
    let level = (line.start - first.start).abs() < line.size * ALIGNED || line.baseline < first.baseline;
    level && stands_out(open, line)
}

/// Whether a line begins an entry that hangs, below what goes on with one that began on the page before: at the top of the page,
/// but for a header of one line. Elsewhere a line set in that begins in lower case is the rest of a row, or a paragraph.
fn is_next_entry(open: &Open<'_>, at: usize, line: &Line) -> bool {
    let indent = line.size * INDENT;
    open.kind == Kind::Text
        && at <= open.lines.len() + 1
        && goes_on_low(open.lines[0])
        && !line.words[0].text.starts_with(char::is_lowercase)
        && open.lines.iter().all(|of| of.start - line.start > indent)
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
            // An abbreviation may end a line, too.
            let begins = line.words[0].text.starts_with(|c: char| c.is_uppercase() || !c.is_alphanumeric());
            if ends_sentence(above) && begins { first_lines += 1 } else { hanging += 1 }
        }
    }
    hanging > first_lines
}

/// Whether a line begins in the midst of a sentence of words.
fn goes_on_low(line: &Line) -> bool {
    let first = &line.words[0];
    let glued = line.words.iter().skip(1).take_while(|word| word.glued);
    let letters: usize =
        std::iter::once(first).chain(glued).map(|word| word.text.chars().filter(|c| c.is_alphabetic()).count()).sum();
    let next = line.words.iter().skip(1).find(|word| !word.glued);
    let followed = next.is_some_and(|word| word.text.starts_with(char::is_alphabetic));
    first.text.starts_with(char::is_lowercase) && !first.style.mono && (letters > 1 || followed)
}

/// Whether a line goes on with what stands left of it: the text of a sign or a number that is drawn apart, the label of a box.
fn belongs_beside(open: &Open<'_>, above: &Line, line: &Line, kind: &Kind) -> bool {
    let [first] = &above.words[..] else { return false };
    let gap = (line.start - above.end) / line.size;
    let is_number = first.text.len() <= 8
        && first.text.starts_with(|c: char| c.is_ascii_digit())
        && first.text.contains('.')
        && first.text.chars().all(|c| c.is_ascii_digit() || c == '.');
    let is_sign = matches!(open.kind, Kind::Item(_) | Kind::Counted) || is_number && gap < NUMBER_GAP;
    is_sign && open.lines.len() == 1 || begins_with_box(above) && gap < BOX_GAP && !matches!(kind, Kind::Item(_))
}

/// Whether a line is the number of a formula: `(4)`, `(2.1a)`.
fn is_formula_number(line: &Line) -> bool {
    let [word] = &line.words[..] else { return false };
    let inner = word.text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
    inner.is_some_and(|inner| {
        inner.len() <= 6
            && inner.starts_with(|c: char| c.is_ascii_digit())
            && inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
    })
}

/// Whether a line begins with a box to be ticked.
fn begins_with_box(line: &Line) -> bool {
    line.words[0].text.starts_with(['☐', '☑', '☒'])
}

/// Whether a line begins where the text of the line above does, behind a number, a date or a term.
fn begins_at_a_stop(above: &Line, line: &Line) -> bool {
    let is_stop = |pair: &[Word]| {
        pair[1].start - pair[0].end > above.size * STOP_GAP && (pair[1].start - line.start).abs() < line.size * ALIGNED
    };
    above.words.windows(2).take(STOP_WORDS).any(is_stop)
}

/// Whether a line is short and begins as a title does.
fn begins_title(line: &Line) -> bool {
    line.words.len() <= LABEL_WORDS && !line.words[0].text.starts_with(char::is_lowercase)
}

fn has_letters(word: &Word) -> bool {
    word.text.contains(char::is_alphabetic)
}

/// Whether a line begins a footnote.
fn is_note(line: &Line) -> bool {
    line.words[0].text.starts_with(['¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'])
}

/// Whether the text goes on at the top of the next column.
fn flows_on(open: &Open<'_>, above: &Line, line: &Line) -> bool {
    let first = line.words[0].text.chars().next().unwrap_or(' ');
    let next_column = line.start > above.end && above.baseline - line.baseline > above.size * 5.0;
    let text = (open.lines.len() > 1 || ends_in_hyphen(above)) && line.end - line.start > above.size * 8.0;
    next_column && text && !above.right_to_left && !ends_sentence(above) && first.is_lowercase() && !is_bold(line)
}

/// Whether the last bracket of a block is open, and a line closes it.
fn closes_bracket(open: &Open<'_>, line: &Line) -> bool {
    let is_bracket = |c: &char| matches!(c, '(' | ')');
    let words = open.lines.iter().rev().flat_map(|line| line.words.iter().rev());
    let last = words.flat_map(|word| word.text.chars().rev()).find(is_bracket);
    let first = line.words.iter().flat_map(|word| word.text.chars()).find(is_bracket);
    last == Some('(') && first == Some(')')
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
