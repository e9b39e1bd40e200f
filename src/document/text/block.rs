//! Lines → blocks: what is a paragraph, a heading, an item of a list, code.
//!
//! Which lines belong together is decided in `flow`, what is a title in `heading`.

use hayro_interpret::kurbo::Rect;

use super::body_style::BodyStyle;
use super::flow::{Flow, Follows};
use super::heading::{self, is_bold};
use super::line::{Line, Word};
use super::marker::{Marker, Siblings};
use super::table::Table;
use super::typewritten;

/// A part of a page that stands by itself.
#[derive(Debug)]
pub(super) enum Block<'a> {
    /// Running text; and which of its lines keep their start, as in addresses and verse.
    Paragraph(Vec<&'a Line>, Vec<usize>),
    /// A heading of a level, from 1.
    Heading(u8, Vec<&'a Line>),
    /// An item of a list, with its sign.
    Item(Marker, Vec<&'a Line>),
    /// Lines of code.
    Code(Vec<&'a Line>),
    Table(&'a Table<'a>),
    /// A figure at its place, and the lines of its caption.
    Figure(Rect, Vec<&'a Line>),
}

impl<'a> Block<'a> {
    /// Its lines; `all` are those of the page.
    pub(super) fn lines(&self, all: &'a [Line]) -> Vec<&'a Line> {
        match self {
            Self::Paragraph(lines, _)
            | Self::Heading(_, lines)
            | Self::Item(_, lines)
            | Self::Code(lines)
            | Self::Figure(_, lines) => lines.clone(),
            Self::Table(table) => table.lines.iter().map(|at| &all[*at]).collect(),
        }
    }

    /// How many words it has.
    pub(super) fn words(&self) -> usize {
        match self {
            Self::Paragraph(lines, _)
            | Self::Heading(_, lines)
            | Self::Item(_, lines)
            | Self::Code(lines)
            | Self::Figure(_, lines) => lines.iter().map(|line| line.words.len()).sum(),
            Self::Table(table) => table.rows.iter().flatten().flat_map(|cell| &cell.lines).map(Vec::len).sum(),
        }
    }
}

/// A block and how it stands to those before.
#[derive(Debug)]
pub(super) struct Placed<'a> {
    pub(super) block: Block<'a>,
    /// How many items of lists it belongs to, one in the other.
    pub(super) depth: usize,
}

/// Lists are at most so deep in each other.
const MOST_NESTED: usize = 8;

/// The blocks of a page, in the order of its lines.
pub(super) fn blocks<'a>(
    lines: &[&'a Line],
    tables: &'a [Table<'a>],
    table_of: &[Option<usize>],
    body_style: BodyStyle,
) -> Vec<Placed<'a>> {
    if body_style.style.mono && table_of.iter().all(Option::is_none) {
        return typewritten::blocks(lines);
    }
    let siblings = Siblings::of(lines);
    let flow = Flow::of(lines, body_style);
    let mut making = Making { body_style, flow, lists: Vec::new(), open: None, made: Vec::new(), last: None };
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
        making.add(at, line, &siblings);
    }
    making.close();
    heading::keep_few(&mut making.made);
    making.made
}

/// A block in the making.
pub(super) struct Open<'a> {
    pub(super) lines: Vec<&'a Line>,
    /// Which of them keep their start.
    pub(super) breaks: Vec<usize>,
    pub(super) kind: Kind,
    /// Where the text behind its sign or number begins; right of it, where it is read from right to left.
    pub(super) text_start: f64,
    /// From where to where its lines reach.
    pub(super) left: f64,
    pub(super) right: f64,
    /// Whether all of it is bold.
    pub(super) bold: bool,
    /// Whether a label and its value make its last line.
    pub(super) labelled: bool,
    /// Whether it begins with a large letter, beside which its first lines stand.
    pub(super) initial: bool,
}

impl<'a> Open<'a> {
    fn new(line: &'a Line, kind: Kind) -> Self {
        let begin = |word: &Word| if line.right_to_left { word.end } else { word.start };
        let marked = matches!(kind, Kind::Item(_) | Kind::Counted);
        let text_start = begin(line.words.get(usize::from(marked)).unwrap_or(&line.words[0]));
        Self {
            lines: vec![line],
            breaks: Vec::new(),
            kind,
            text_start,
            left: line.start,
            right: line.end,
            bold: is_bold(line),
            labelled: false,
            initial: line.initial,
        }
    }

    fn push(&mut self, line: &'a Line) {
        (self.left, self.right) = (self.left.min(line.start), self.right.max(line.end));
        self.bold &= is_bold(line);
        self.lines.push(line);
    }
}

#[derive(Clone, PartialEq)]
pub(super) enum Kind {
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
    body_style: BodyStyle,
    flow: Flow,
    lists: Vec<List>,
    open: Option<Open<'a>>,
    made: Vec<Placed<'a>>,
    /// The last line, unless something else came after it.
    last: Option<&'a Line>,
}

impl<'a> Making<'a> {
    fn add(&mut self, at: usize, line: &'a Line, siblings: &Siblings) {
        let kind = self.kind(line, siblings);
        let follows = self.open.as_ref().map_or(Follows::No, |open| self.flow.follows(open, at, line, &kind));
        match &mut self.open {
            Some(open) if follows != Follows::No => {
                if follows == Follows::NewLine {
                    open.breaks.push(open.lines.len());
                }
                open.labelled = follows == Follows::Beside;
                open.push(line);
            }
            _ => {
                self.close();
                self.open = Some(Open::new(line, kind));
            }
        }
    }

    fn kind(&self, line: &Line, siblings: &Siblings) -> Kind {
        if self.body_style.is_code(line) {
            return Kind::Code;
        }
        if line.leader {
            // Lists of contents and indexes have signs of their own.
            return Kind::Item(Marker::Bullet(0));
        }
        // A number before large or heavy letters is that of a heading.
        let is_title =
            heading::by_size(line, self.body_style).is_some() || is_bold(line) && !self.body_style.style.bold;
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
            Kind::Code
                if open.lines.len() == 1
                    && !first.listing
                    && last.is_some_and(|last| first.start < last.start + first.size) =>
            {
                Block::Paragraph(open.lines, open.breaks)
            }
            Kind::Code if !first.listing && self.body_style.are_typed(&open.lines) => {
                self.made.extend(typewritten::blocks(&open.lines).into_iter().map(|placed| Placed { depth, ..placed }));
                return;
            }
            Kind::Code => Block::Code(open.lines),
            Kind::Text | Kind::Counted => match heading::level(&open.lines, self.body_style) {
                Some(level) => {
                    self.lists.clear();
                    self.made.push(Placed { block: Block::Heading(level, open.lines), depth: 0 });
                    return;
                }
                None => Block::Paragraph(open.lines, open.breaks),
            },
        };
        self.made.push(Placed { block, depth });
    }

    /// Forgets the items that a block does not belong to.
    fn leave_lists(&mut self, open: &Open<'_>, first: &Line, last: Option<&Line>) {
        let follows = last.is_some_and(|last| {
            last.has_same_direction(first)
                && first.baseline > last.baseline
                && first.baseline - last.baseline < first.size * 4.0
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
