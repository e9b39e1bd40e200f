//! Lines in their order → the page's content.

use hayro_interpret::kurbo::Rect;

use super::block::{self, Block, Placed};
use super::body_style::BodyStyle;
use super::caption::{self, Captioned};
use super::code;
use super::inline::{join, skip};
use super::line::{Line, Style};
use super::link::Link;
use super::marker::Marker;
use super::order::Order;
use super::table::Table;
use crate::content::{self, BlockKind, BoundingBox, Edge, Figure, Inline, ListItem, PageContent};

pub(super) fn content(
    lines: &[Line],
    (tables, figures): (&[Table<'_>], &[Captioned]),
    targets: &[Link],
    height: f64,
    body_style: BodyStyle,
) -> PageContent {
    let mut table_of = vec![None; lines.len()];
    for (at, table) in tables.iter().enumerate() {
        table.lines.iter().for_each(|line| table_of[*line] = Some(at));
    }
    let order = Order::of(lines, &table_of, figures, height, body_style);
    let composer = Composer { lines, body_style, targets };
    let blocks = |of: &[usize]| {
        let (lines, their): (Vec<&Line>, Vec<Option<usize>>) = of.iter().map(|at| (&lines[*at], table_of[*at])).unzip();
        block::blocks(&lines, tables, &their, body_style)
    };
    let margin =
        |of: &[usize], edge| blocks(of).into_iter().filter_map(move |placed| composer.margin(&placed.block, edge));
    let mut page: Vec<content::Block> = margin(&order.top, Edge::Top).collect();
    let body = caption::place(blocks(&order.body), figures, lines);
    page.extend(composer.nested(&mut body.iter().peekable(), 0));
    let notes = blocks(&order.notes);
    let notes = composer.nested(&mut notes.iter().peekable(), 0).into_iter();
    page.extend(notes.map(|block| match block.kind {
        BlockKind::Paragraph { text } => content::Block::new(BlockKind::Footnote { text }, block.bbox),
        _ => block,
    }));
    page.extend(margin(&order.bottom, Edge::Bottom));
    PageContent::new(page)
}

#[derive(Clone, Copy)]
struct Composer<'a> {
    lines: &'a [Line],
    body_style: BodyStyle,
    targets: &'a [Link],
}

type Rest<'p, 'a> = std::iter::Peekable<std::slice::Iter<'p, Placed<'a>>>;

impl Composer<'_> {
    fn inline(&self, lines: &[&Line]) -> Inline {
        join(lines, &[], self.body_style.style, self.targets)
    }

    /// What stands in a margin: running text, above the text perhaps a heading. Below it, nothing comes that a heading
    /// could be one of.
    fn margin(&self, block: &Block<'_>, edge: Edge) -> Option<content::Block> {
        let (level, lines, breaks) = match block {
            Block::Heading(level, lines) => (Some(*level).filter(|_| edge == Edge::Top), lines, &[][..]),
            Block::Paragraph(lines, breaks) => (None, lines, &breaks[..]),
            Block::Item(_, lines) | Block::Code(lines) => (None, lines, &[][..]),
            Block::Table(_) | Block::Figure(..) => return None,
        };
        let text = join(lines, breaks, self.body_style.style, self.targets);
        Some(content::Block::new(BlockKind::Margin { edge, level, text, repeated: false }, around(lines)))
    }

    /// The next blocks that belong to `depth` items, those of deeper ones within these.
    fn nested(&self, rest: &mut Rest<'_, '_>, depth: usize) -> Vec<content::Block> {
        let mut blocks: Vec<content::Block> = Vec::new();
        while let Some(placed) = rest.next_if(|placed| placed.depth >= depth) {
            let Block::Item(marker, lines) = &placed.block else {
                blocks.push(self.block(&placed.block));
                continue;
            };
            let item = self.item(marker, lines, rest, depth);
            match blocks.last_mut().map(|block| &mut block.kind) {
                Some(BlockKind::List { items }) if items[0].number.is_some() == item.number.is_some() => {
                    items.push(item);
                }
                _ => blocks.push(content::Block::new(BlockKind::List { items: vec![item] }, None)),
            }
        }
        for block in &mut blocks {
            if let BlockKind::List { items } = &block.kind {
                block.bbox = items.iter().filter_map(|item| item.bbox).reduce(BoundingBox::union);
            }
        }
        blocks
    }

    fn item(&self, marker: &Marker, lines: &[&Line], rest: &mut Rest<'_, '_>, depth: usize) -> ListItem {
        let mut text = self.inline(lines);
        let number = match marker {
            Marker::Bullet(bytes) => {
                skip(&mut text, *bytes);
                None
            }
            Marker::Number(number) => {
                skip(&mut text, number.len());
                Some(number.clone())
            }
        };
        ListItem { number, text, bbox: around(lines), blocks: self.nested(rest, depth + 1) }
    }

    fn block(&self, block: &Block<'_>) -> content::Block {
        let (kind, bbox) = match block {
            Block::Heading(level, lines) => {
                (BlockKind::Heading { level: *level, text: self.inline(lines) }, around(lines))
            }
            Block::Paragraph(lines, breaks) => {
                let mono = self.body_style.style.mono || self.body_style.are_typed(lines);
                let usual = Style { mono, ..self.body_style.style };
                (BlockKind::Paragraph { text: join(lines, breaks, usual, self.targets) }, around(lines))
            }
            Block::Item(_, lines) => (BlockKind::Paragraph { text: self.inline(lines) }, around(lines)),
            Block::Code(lines) => (BlockKind::Code { text: code::text(lines) }, around(lines)),
            Block::Figure(area, lines) => {
                (BlockKind::Figure(Figure { image: None, caption: self.inline(lines) }), Some(bounding_box(*area)))
            }
            Block::Table(table) => {
                let lines: Vec<&Line> = table.lines.iter().map(|at| &self.lines[*at]).collect();
                (BlockKind::Table(table.to_content(self.body_style.style, self.targets)), around(&lines))
            }
        };
        content::Block::new(kind, bbox)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "a tenth of a point is fine enough")]
fn bounding_box(area: Rect) -> BoundingBox {
    let [left, top, right, bottom] =
        [area.x0, area.y0, area.x1, area.y1].map(|length| ((length * 10.0).round() / 10.0) as f32);
    BoundingBox { left, top, right, bottom }
}

/// The box around lines.
fn around(lines: &[&Line]) -> Option<BoundingBox> {
    lines.iter().map(|line| line.bounding_box()).reduce(BoundingBox::union)
}

#[cfg(test)]
mod tests {
    use super::super::line::{Style, Word};
    use super::*;
    use crate::output::markdown::page as markdown;

    const BOLD: Style = Style { bold: true, italic: false, mono: false, script: None };
    const MONO: Style = Style { bold: false, italic: false, mono: true, script: None };

    fn line(text: &str, start: f64, baseline: f64, size: f64) -> Line {
        styled(text, start, baseline, size, Style::default())
    }

    fn styled(text: &str, start: f64, baseline: f64, size: f64, style: Style) -> Line {
        let mut pen = start;
        let word = |text: &str| {
            let width = size * 0.5 * f64::from(u32::try_from(text.chars().count()).unwrap());
            let word = Word { style, ..Word::at(text, pen, pen + width) };
            pen = word.end + size * if style.mono { 0.5 } else { 0.3 };
            word
        };
        Line::of(text.split(' ').map(word).collect(), baseline, size)
    }

    fn page(lines: &[Line]) -> PageContent {
        let body_style = BodyStyle::of(lines);
        content(
            lines,
            (&super::super::table::find(lines, &[], (600.0, 800.0), body_style), &[]),
            &[],
            800.0,
            body_style,
        )
    }

    fn write(lines: &[Line]) -> String {
        markdown(&page(lines))
    }

    fn margins(content: &PageContent, edge: Edge) -> usize {
        let in_margin =
            |block: &&content::Block| matches!(&block.kind, BlockKind::Margin { edge: of, .. } if *of == edge);
        content.blocks.iter().filter(in_margin).count()
    }

    #[test]
    fn lines_become_headings_and_paragraphs() {
        let lines = [
            line("A title", 72.0, 180.0, 20.0),
            line("The first para-", 72.0, 210.0, 10.0),
            line("graph goes on", 72.0, 222.0, 10.0),
            line("and ends well-", 72.0, 234.0, 10.0),
            line("Known.", 72.0, 246.0, 10.0),
            styled("2.3.1 A bold line", 72.0, 276.0, 10.0, BOLD),
            line("with text.", 72.0, 290.0, 10.0),
            line("Next column.", 300.0, 210.0, 10.0),
        ];
        assert_eq!(
            write(&lines),
            "# A title\n\nThe first paragraph goes on and ends well-Known.\n\n#### 2.3.1 A bold line\n\nwith text.\n\nNext column."
        );
    }

    #[test]
    fn signs_and_numbers_become_lists_and_what_is_set_in_belongs_to_them() {
        let lines = [
            line("Some things:", 72.0, 180.0, 10.0),
            line("• the first", 72.0, 192.0, 10.0),
            line("goes on", 82.0, 204.0, 10.0),
            line("with a paragraph", 82.0, 224.0, 10.0),
            line("– within", 92.0, 236.0, 10.0),
            line("– and again", 92.0, 248.0, 10.0),
            line("• the second", 72.0, 260.0, 10.0),
            line("9. nine", 72.0, 280.0, 10.0),
            line("10. ten", 67.0, 292.0, 10.0),
            line("11. ends a sentence", 172.0, 304.0, 10.0),
        ];
        assert_eq!(
            write(&lines),
            "Some things:\n\n- the first goes on\n\n  with a paragraph\n\n  - within\n  - and again\n- the second\n\n\
            9. nine\n10. ten\n\n    11\\. ends a sentence"
        );
    }

    #[test]
    fn code_keeps_its_lines_and_their_indentation() {
        let mono = |text: &str, start: f64, baseline: f64| styled(text, start, baseline, 10.0, MONO);
        let lines = [
            line("A loop is written in this way, with words of other letters:", 72.0, 180.0, 10.0),
            mono("loop {", 82.0, 200.0),
            mono("step(a, `b`)", 92.0, 212.0),
            mono("}", 82.0, 236.0),
            line("and ends here.", 72.0, 256.0, 10.0),
        ];
        assert_eq!(
            write(&lines),
            "A loop is written in this way, with words of other letters:\n\n```\nloop {\n  step(a, `b`)\n\n}\n```\n\nand ends here."
        );
        // A page in such letters only is typewritten.
        assert_eq!(write(&lines[1..3]), "```\nloop {\n  step(a, `b`)\n```");
    }

    #[test]
    fn typed_text_below_a_printed_head_is_text() {
        let (head, typed) =
            ("A head in other letters that are printed on it", "who quotes on such a request is asked for");
        let typed_at = |text: &str, at: i32| styled(text, 72.0, 100.0 + 14.0 * f64::from(at), 10.0, MONO);
        let mut lines = vec![line(head, 72.0, 60.0, 10.0)];
        lines.extend((0..12).map(|at| typed_at(typed, at)));
        // Quotes are of another font.
        lines[3].words[2].style.mono = false;
        lines.extend([typed_at("- - - - - x", 14), typed_at("JOHN DOE,", 15), typed_at("Petitioner", 16)]);
        let text = [typed; 12].join(" ");
        assert_eq!(write(&lines), format!("{head}\n\n{text}\n\n```\n- - - - - x\nJOHN DOE,\nPetitioner\n```"));
    }

    #[test]
    fn what_stands_apart_at_the_edges_is_counted() {
        let text = |at: i32| line("some words of running text", 72.0, 100.0 + 12.0 * f64::from(at), 10.0);
        let mut lines: Vec<Line> = (0..30).map(text).collect();
        lines.push(line("12", 300.0, 760.0, 10.0));
        lines.push(line("A running title", 72.0, 60.0, 10.0));
        let read = page(&lines);
        assert_eq!((margins(&read, Edge::Top), margins(&read, Edge::Bottom)), (1, 1));
        let text = markdown(&read);
        assert!(text.starts_with("A running title\n\nsome") && text.ends_with("text\n\n12"));
        let plain = page(&lines[..30]);
        assert_eq!((margins(&plain, Edge::Top), margins(&plain, Edge::Bottom)), (0, 0));
    }

    #[test]
    fn footnotes_come_behind_the_text_of_all_columns() {
        let text = |start: f64| {
            (0..6).map(move |at| line("words of running text here", start, 300.0 + 12.0 * f64::from(at), 10.0))
        };
        let mut lines: Vec<Line> = text(72.0).collect();
        lines.push(line("¹A note", 72.0, 390.0, 8.0));
        lines.push(line("goes on.", 72.0, 400.0, 8.0));
        lines.extend(text(320.0));
        let prose = ["words of running text here"; 6].join(" ");
        // The sentence goes on in the next column.
        assert_eq!(write(&lines), format!("{prose} {prose}\n\n¹A note goes on."));
    }

    #[test]
    fn columns_that_are_drawn_across_are_read_one_after_the_other() {
        let words = ["one", "two", "three", "four", "five", "six", "seven", "eight"];
        let text = |side: &str, word: &str| format!("{side} has {word} words");
        let row = |(at, word): (u32, &&str)| {
            let baseline = 100.0 + 12.0 * f64::from(at);
            [("left", 72.0), ("right", 320.0)].map(|(side, start)| line(&text(side, word), start, baseline, 10.0))
        };
        let lines: Vec<Line> = (0..).zip(&words).flat_map(row).collect();
        let column = |side: &str| words.map(|word| text(side, word)).join(" ");
        assert_eq!(write(&lines), column("left") + " " + &column("right"));
    }

    #[test]
    fn columns_of_white_space_become_a_table_and_prose_does_not() {
        let row = |cells: [&str; 3], baseline: f64| {
            let at = [72.0, 200.0, 320.0];
            cells.into_iter().zip(at).map(move |(text, start)| line(text, start, baseline, 10.0)).collect::<Vec<_>>()
        };
        let lines = [
            row(["Name", "Born in", "Age"], 100.0),
            row(["Ada", "London", "36"], 114.0),
            row(["Alan a|b", "Maida Vale", "41"], 128.0),
        ]
        .concat();
        assert_eq!(
            write(&lines),
            "| Name | Born in | Age |\n| --- | --- | --- |\n| Ada | London | 36 |\n| Alan a\\|b | Maida Vale | 41 |"
        );
        let prose = "seven words of prose in one column";
        let columns: Vec<Line> = (0..5).map(|at| line(prose, 72.0, 100.0 + 12.0 * f64::from(at), 10.0)).collect();
        let beside = (0..5).map(|at| line(prose, 320.0, 100.0 + 12.0 * f64::from(at), 10.0));
        let two: Vec<Line> = columns.into_iter().chain(beside).collect();
        assert!(!write(&two).contains('|'));
    }

    #[test]
    fn what_counts_lines_keeps_them_apart() {
        let lines =
            ["1 Sheets, page 3", "2 Sewing, page 4", "(a) the first", "(b) the second", "7 is a number", "8 is not"];
        let lines: Vec<Line> =
            lines.iter().zip(0_u32..).map(|(text, at)| line(text, 72.0, 280.0 + 12.0 * f64::from(at), 10.0)).collect();
        assert_eq!(
            write(&lines),
            "1 Sheets, page 3\n\n2 Sewing, page 4\n\n(a) the first\n\n(b) the second 7 is a number 8 is not"
        );
    }

    #[test]
    fn a_line_that_ends_early_ends_its_paragraph() {
        let lines = [
            line("A line that goes all the way to the edge", 72.0, 280.0, 10.0),
            line("ends early here.", 72.0, 292.0, 10.0),
            line("Another one goes on to the edge of the page", 72.0, 304.0, 10.0),
            line("and ends, too.", 72.0, 316.0, 10.0),
        ];
        let first = "A line that goes all the way to the edge ends early here.";
        let second = "Another one goes on to the edge of the page and ends, too.";
        assert_eq!(write(&lines), format!("{first}\n\n{second}"));
    }

    #[test]
    fn where_spaces_part_words_narrow_gaps_part_cells() {
        let row = |at: u32, spaced: bool| {
            let mut row = line("some thing", 72.0, 100.0 + 12.0 * f64::from(at), 10.0);
            row.words[1].spaced = true;
            let mut cell = row.words[1].clone();
            (cell.start, cell.end, cell.spaced) = (cell.end + 3.0, cell.end + 33.0, spaced);
            row.words.push(cell);
            row
        };
        let table: Vec<Line> = (0..5).map(|at| row(at, false)).collect();
        assert!(write(&table).starts_with("| some thing | thing |\n"), "{}", write(&table));
        let prose: Vec<Line> = (0..5).map(|at| row(at, true)).collect();
        assert!(write(&prose).starts_with("some thing thing some"), "{}", write(&prose));
    }

    #[test]
    fn links_go_around_their_words_also_over_the_end_of_a_line() {
        let mut lines = [line("see the long", 72.0, 280.0, 10.0), line("page [1], of it", 72.0, 292.0, 10.0)];
        for (at, word) in [(0, 2), (1, 0), (1, 1)] {
            lines[at].words[word].link = Some(0);
        }
        let target = [Link::to("https://example.org/x")];
        let read = content(&lines, (&[], &[]), &target, 800.0, BodyStyle::of(&lines));
        assert_eq!(markdown(&read), "see the [long page \\[1\\]](https://example.org/x), of it");
    }

    #[test]
    fn an_empty_page_is_empty() {
        assert_eq!(page(&[]), PageContent::default());
    }

    #[test]
    fn a_sentence_goes_on_below_a_full_line_over_a_gap_and_other_looks() {
        let full = "a line of as many words as there is room";
        let more = "for and a few";
        let short = |text: &str, at: i32| line(text, 72.0, 300.0 + 12.0 * f64::from(at), 10.0);
        // Most of the page is set closer.
        let close = || (10..20).map(|at| short("Notes end here, each in a line of its own.", at));
        let two = |start: f64, drop: f64, style: Style, size: f64| {
            let lines = [short(full, 0), styled(more, start, 300.0 + drop, size, style)];
            write(&lines.into_iter().chain(close()).collect::<Vec<_>>())
        };
        let joined = format!("{full} {more}");
        let plain = Style::default();
        for (start, drop, style, size) in
            [(72.0, 22.0, plain, 10.0), (72.0, 28.0, plain, 10.0), (92.0, 12.0, plain, 10.0), (72.0, 12.0, plain, 11.5)]
        {
            assert!(two(start, drop, style, size).starts_with(&joined), "{start} {drop} {size}");
        }
        // But not far below, in a column of its own, or as the heading of something else.
        for (start, drop, style, size) in
            [(72.0, 40.0, plain, 10.0), (172.0, 22.0, plain, 10.0), (72.0, 22.0, BOLD, 10.0)]
        {
            assert!(!two(start, drop, style, size).contains(&joined), "{start} {drop} {size}");
        }
        // Nor below one that had room, and not where a sentence ends.
        let labels = [short("equals", 0), line("minus the rest", 72.0, 322.0, 10.0)];
        assert!(write(&labels.into_iter().chain(close()).collect::<Vec<_>>()).starts_with("equals\n\nminus"));
    }

    #[test]
    fn entries_of_an_index_and_verse_keep_their_ends_and_prose_does_not() {
        let page = |lines: &[&str]| {
            let lines: Vec<Line> = lines
                .iter()
                .zip(0_u32..)
                .map(|(text, at)| line(text, 72.0, 280.0 + 12.0 * f64::from(at), 10.0))
                .collect();
            write(&lines).matches('\n').count()
        };
        assert_eq!(page(&["barley, 22", "bridge, 3, 14–16", "dye", "flood, 324n"]), 3);
        assert_eq!(
            page(&[
                "The sea was calm,",
                "the boats were all in the harbour,",
                "no wind,",
                "and no light on the hill,",
                "a night,",
                "and then it came.",
            ]),
            5
        );
        assert_eq!(
            page(&[
                "It rained, and all of us stayed,",
                "as one does. The others, who came",
                "by sea, had no roof. We, in turn,",
                "slept well. In the morning, then,",
                "the wind fell; the sun, though low,",
                "was warm, and so we went on.",
            ]),
            0
        );
    }

    #[test]
    fn a_short_stanza_beside_wider_text_keeps_its_ends() {
        let text = (0..3)
            .map(|at| line("some words of a text as wide as texts are", 72.0, 280.0 + 12.0 * f64::from(at), 10.0));
        let stanza = ["The sea was calm,", "the boats were in,", "no wind, no light,", "and then the storm."].iter();
        let stanza = stanza.zip(0_u32..).map(|(text, at)| line(text, 72.0, 340.0 + 12.0 * f64::from(at), 10.0));
        let read = write(&text.chain(stanza).collect::<Vec<_>>());
        assert!(
            read.ends_with("The sea was calm,  \nthe boats were in,  \nno wind, no light,  \nand then the storm."),
            "{read}"
        );
    }

    #[test]
    fn captions_amounts_and_numbers_are_no_headings() {
        let heading = |line: Line| {
            let text = |at: i32| self::line("some words of running text", 72.0, 300.0 + 12.0 * f64::from(at), 10.0);
            let lines: Vec<Line> = (0..9).map(text).chain([line]).collect();
            write(&lines).contains('#')
        };
        for text in ["Table 5: What moves it", "Figure 2 shows this", "Total 10,240.00", "174"] {
            assert!(!heading(styled(text, 72.0, 500.0, 10.0, BOLD)), "{text}");
        }
        assert!(!heading(line("Levels are read at noon.", 72.0, 500.0, 12.0)));
        for text in ["Tables and chairs", "Figures", "1975", "2.1 Totals", "What you need to know ..."] {
            assert!(heading(styled(text, 72.0, 500.0, 12.0, BOLD)), "{text}");
        }
    }

    #[test]
    fn what_stands_beside_a_line_belongs_to_it() {
        let at = |text: &str, start: f64, row: i32| line(text, start, 300.0 + 15.0 * f64::from(row), 10.0);
        // Boxes and their labels, the number of a formula, and text that goes on where it began behind a date.
        let boxes = [at("☑", 72.0, 0), at("Breakfast", 84.0, 0), at("☐", 72.0, 1), at("Parking", 84.0, 1)];
        assert_eq!(write(&boxes), "☑ Breakfast  \n☐ Parking");
        let formula = [at("Q = C b h m n o", 172.0, 0), at("(4)", 400.0, 0), at("where h is the height", 72.0, 2)];
        assert_eq!(write(&formula), "Q = C b h m n o (4)\n\nwhere h is the height");
        let dated = Line::of(
            vec![Word::at("2019–2024", 72.0, 117.0), Word::at("Head of conservation and the move of", 147.0, 400.0)],
            300.0,
            10.0,
        );
        let dated = [dated, line("14,000 objects", 147.0, 312.0, 10.0), at("2014–2019 Conservator", 72.0, 3)];
        let expected = "2019–2024 Head of conservation and the move of 14,000 objects\n\n2014–2019 Conservator";
        assert_eq!(write(&dated), expected);
    }
}
