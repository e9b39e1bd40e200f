//! Lines → blocks: what is a paragraph, a heading, an item of a list, code.
//!
//! A paragraph ends at a gap, at a jump up (the next column), where the size changes or a line is set in. It goes on at
//! the top of the next column when its sentence does.

use super::line::{Line, Style, Word};
use super::marker::{Marker, Siblings};
use super::table::Table;
use crate::content::is_ideographic;

/// A part of a page that stands by itself.
#[derive(Debug)]
pub(super) enum Block<'a> {
    /// Running text.
    Paragraph(Vec<&'a Line>),
    /// A heading of a level, from 1.
    Heading(u8, Vec<&'a Line>),
    /// An item of a list, with its sign.
    Item(Marker, Vec<&'a Line>),
    /// Lines of code.
    Code(Vec<&'a Line>),
    Table(&'a Table),
}

/// A block and how it stands to those before.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) block: Block<'a>,
    /// How many items of lists it belongs to, one in the other.
    pub(super) depth: usize,
}

/// What is usual on a page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usual {
    /// The size in which most of its characters are set, points.
    pub(super) size: f64,
    /// How far lines are apart, as a share of their size.
    drop: f64,
    /// How most of them look.
    pub(super) style: Style,
}

impl Usual {
    pub(super) fn of(lines: &[Line]) -> Self {
        let chars = |line: &Line| line.words.iter().map(|word| word.text.len() + 1).sum::<usize>();
        let mut sizes: Vec<(f64, usize)> = lines.iter().map(|line| (line.size, chars(line))).collect();
        sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all = sizes.iter().map(|(_, chars)| chars).sum::<usize>();
        let mut seen = 0;
        let middle = sizes.iter().find(|(_, chars)| {
            seen += chars;
            seen > all / 2
        });
        let is_drop = |drop: &f64| (0.8..MOST_DROP).contains(drop);
        let mut drops: Vec<f64> =
            lines.windows(2).map(|pair| (pair[1].baseline - pair[0].baseline) / pair[0].size).filter(is_drop).collect();
        drops.sort_by(f64::total_cmp);
        // Lines of a paragraph are nearer to each other than others.
        let drop = drops.get(drops.len() / 3).copied().unwrap_or(0.0);
        let words = || lines.iter().flat_map(|line| &line.words);
        let share = |is: fn(&Style) -> bool| {
            let such: usize = words().filter(|word| is(&word.style)).map(|word| word.text.len()).sum();
            let all: usize = words().map(|word| word.text.len()).sum();
            such * 2 > all
        };
        let code = words().filter(|word| !word.style.mono).count() >= FEWEST_WORDS;
        let style = Style { bold: share(|style| style.bold), italic: share(|style| style.italic), mono: !code };
        Self { size: middle.map_or(1.0, |(size, _)| *size), drop, style }
    }

    /// Whether a line is code: in even letters, which not all of the page is in.
    pub(super) fn is_code(&self, line: &Line) -> bool {
        let even = !line.right_to_left && line.words.iter().all(|word| word.style.mono);
        !self.style.mono && even && line.size < self.size * 1.15
    }
}

/// With fewer words in other letters a page of even ones is typewritten.
const FEWEST_WORDS: usize = 8;
/// A heading is at most this long; longer large text is an introduction, not a title.
const HEADING_CHARS: usize = 160;
/// A heading that is only bold is shorter.
const BOLD_CHARS: usize = 90;
/// Lines farther apart than this much of their size are of two paragraphs, or than this much of what is usual.
const LINE_GAP: f64 = 1.55;
const USUAL_GAP: f64 = 1.2;
/// Nobody sets the lines of a paragraph so far apart.
const MOST_DROP: f64 = 2.2;
/// Lists are at most so deep in each other.
const MOST_NESTED: usize = 8;
/// A line is set in when it begins by this much of its size further in.
const INDENT: f64 = 0.8;

/// The blocks of a page, in the order of its lines.
pub(super) fn blocks<'a>(
    lines: &[&'a Line],
    tables: &'a [Table],
    table_of: &[Option<usize>],
    usual: Usual,
) -> Vec<Placed<'a>> {
    let siblings = Siblings::of(lines);
    let mut making = Making { usual, lists: Vec::new(), open: None, made: Vec::new(), last: None };
    let mut written = vec![false; tables.len()];
    for (at, &line) in lines.iter().enumerate() {
        if let Some(table) = table_of[at] {
            making.close();
            if !std::mem::replace(&mut written[table], true) {
                making.lists.clear();
                making.made.push(Placed { block: Block::Table(&tables[table]), depth: 0 });
            }
            making.last = None;
            continue;
        }
        making.add(line, &siblings);
    }
    making.close();
    making.made
}

/// A block in the making.
struct Open<'a> {
    lines: Vec<&'a Line>,
    kind: Kind,
    /// Where the text behind its sign or number begins; right of it, where it is read from right to left.
    text_start: f64,
    /// From where to where its lines reach.
    left: f64,
    right: f64,
    /// Whether all of it is bold.
    bold: bool,
}

impl<'a> Open<'a> {
    fn new(line: &'a Line, kind: Kind) -> Self {
        let begin = |word: &Word| if line.right_to_left { word.end } else { word.start };
        let marked = matches!(kind, Kind::Item(_) | Kind::Counted);
        let text_start = begin(line.words.get(usize::from(marked)).unwrap_or(&line.words[0]));
        Self { lines: vec![line], kind, text_start, left: line.start, right: line.end, bold: is_bold(line) }
    }

    fn push(&mut self, line: &'a Line) {
        (self.left, self.right) = (self.left.min(line.start), self.right.max(line.end));
        self.bold &= is_bold(line);
        self.lines.push(line);
    }
}

#[derive(Clone, PartialEq)]
enum Kind {
    Text,
    /// Text with a number or letter of its own.
    Counted,
    Item(Marker),
    Code,
}

/// An item that what follows may belong to.
struct List {
    start: f64,
    text_start: f64,
}

struct Making<'a> {
    usual: Usual,
    lists: Vec<List>,
    open: Option<Open<'a>>,
    made: Vec<Placed<'a>>,
    /// The last line, unless something else came after it.
    last: Option<&'a Line>,
}

impl<'a> Making<'a> {
    fn add(&mut self, line: &'a Line, siblings: &Siblings) {
        let kind = self.kind(line, siblings);
        if let Some(open) = &mut self.open
            && goes_on(open, line, &kind, self.usual)
        {
            open.push(line);
        } else {
            self.close();
            self.open = Some(Open::new(line, kind));
        }
    }

    fn kind(&self, line: &Line, siblings: &Siblings) -> Kind {
        if self.usual.is_code(line) {
            return Kind::Code;
        }
        if line.leader {
            // Lists of contents and indexes have signs of their own.
            return Kind::Item(Marker::Bullet(0));
        }
        // A number before large or heavy letters is that of a heading.
        let is_title = heading_by_size(line, self.usual).is_some() || is_bold(line) && !self.usual.style.bold;
        match siblings.marker(line) {
            Some(marker) if !is_title || matches!(marker, Marker::Bullet(_)) => Kind::Item(marker),
            _ if siblings.counts(line) => Kind::Counted,
            _ => Kind::Text,
        }
    }

    /// Ends the open block.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let first = open.lines[0];
        let last = self.last.replace(open.lines[open.lines.len() - 1]);
        self.leave_lists(&open, first, last);
        let depth = self.lists.len();
        let block = match open.kind {
            Kind::Item(marker) => {
                if self.lists.len() < MOST_NESTED {
                    self.lists.push(List { start: first.start, text_start: open.text_start });
                }
                Block::Item(marker, open.lines)
            }
            // A line of code in the midst of text, and not set in, is a term that is explained.
            Kind::Code if open.lines.len() == 1 && last.is_some_and(|last| first.start < last.start + first.size) => {
                Block::Paragraph(open.lines)
            }
            Kind::Code => Block::Code(open.lines),
            Kind::Text | Kind::Counted => match heading(&open.lines, self.usual) {
                Some(level) => {
                    self.lists.clear();
                    self.made.push(Placed { block: Block::Heading(level, open.lines), depth: 0 });
                    return;
                }
                None => Block::Paragraph(open.lines),
            },
        };
        self.made.push(Placed { block, depth });
    }

    /// Forgets the items that a block does not belong to.
    fn leave_lists(&mut self, open: &Open<'_>, first: &Line, last: Option<&Line>) {
        let follows = last.is_some_and(|last| {
            last.goes_like(first) && first.baseline > last.baseline && first.baseline - last.baseline < first.size * 4.0
        });
        if !follows || first.right_to_left {
            self.lists.clear();
        }
        let tolerance = first.size * 0.5;
        let is_item = matches!(open.kind, Kind::Item(_));
        while let Some(list) = self.lists.last() {
            let within =
                if is_item { first.start > list.start + tolerance } else { first.start > list.text_start - tolerance };
            if within {
                break;
            }
            self.lists.pop();
        }
    }
}

/// Whether a line goes on with a block.
fn goes_on(open: &Open<'_>, line: &Line, kind: &Kind, usual: Usual) -> bool {
    let above = open.lines[open.lines.len() - 1];
    let drop = line.baseline - above.baseline;
    // A sign and its text are often drawn apart.
    let beside = drop.abs() < line.size * 0.3 && line.start > above.end && above.words.len() == 1;
    if line.field && drop.abs() < line.size.max(above.size) * 0.6 && line.start > above.end - line.size {
        return true;
    }
    if beside && above.goes_like(line) && matches!(open.kind, Kind::Item(_)) && open.lines.len() == 1 {
        return true;
    }
    if open.kind == Kind::Code {
        return *kind == Kind::Code && above.goes_like(line) && drop > 0.0 && drop < above.size * 3.2;
    }
    if *kind != Kind::Text || !above.goes_like(line) || above.right_to_left != line.right_to_left {
        return false;
    }
    let same_size = (above.size / line.size).max(line.size / above.size) < 1.1;
    if !same_size {
        return false;
    }
    if drop <= 0.0 {
        return flows_on(open, above, line);
    }
    let marked = open.kind != Kind::Text;
    let set_in = if above.right_to_left {
        above.end.min(if marked { open.text_start } else { f64::MAX }) - line.end
    } else {
        line.start - above.start.max(if marked { open.text_start } else { f64::MIN })
    };
    let indented = set_in > above.size * INDENT;
    if above.leader || is_note(line) || is_last(open, above, line) && heading_by_size(line, usual).is_none() {
        return false;
    }
    let parted = open.bold && !line.words[0].style.bold || !open.bold && is_bold(line) && ends_sentence(above);
    !indented && !parted && drop < above.size * LINE_GAP.max(usual.drop * USUAL_GAP)
}

/// Whether a line begins a footnote.
fn is_note(line: &Line) -> bool {
    line.words[0].text.starts_with(['¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'])
}

/// Whether a line ends its paragraph: the next word would have had room in it.
fn is_last(open: &Open<'_>, above: &Line, line: &Line) -> bool {
    let first = &line.words[0];
    let glued = line.words.iter().skip(1).take_while(|word| word.glued);
    let (start, end) =
        glued.fold((first.start, first.end), |(start, end), word| (start.min(word.start), end.max(word.end)));
    // Between ideographs a line may end anywhere.
    let word = if first.text.starts_with(is_ideographic) { line.size } else { end - start };
    let room =
        if line.right_to_left { above.start - open.left.min(line.start) } else { open.right.max(line.end) - above.end };
    room > word + line.size
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

fn is_bold(line: &Line) -> bool {
    line.words.iter().all(|word| word.style.bold)
}

fn heading_by_size(line: &Line, usual: Usual) -> Option<u8> {
    match line.size / usual.size {
        ratio if ratio < 1.15 => None,
        ratio if ratio >= 1.7 => Some(1),
        ratio if ratio >= 1.35 => Some(2),
        _ => Some(3),
    }
}

/// The level of the heading that lines are, if they are one: by their size, by their weight, by their numbering.
fn heading(lines: &[&Line], usual: Usual) -> Option<u8> {
    let chars: usize = lines.iter().flat_map(|line| &line.words).map(|word| word.text.chars().count() + 1).sum();
    if chars > HEADING_CHARS {
        return None;
    }
    let by_size = heading_by_size(lines[0], usual);
    let level = by_size.or_else(|| {
        let letters = lines.iter().flat_map(|line| &line.words).flat_map(|word| word.text.chars());
        let heavy = !usual.style.bold
            && lines.iter().all(|line| is_bold(line) && !line.words[0].style.mono)
            && chars <= BOLD_CHARS
            && lines.len() <= 2
            && lines[0].size > usual.size * 0.95
            && letters.filter(|c| c.is_alphabetic()).count() >= 3;
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
