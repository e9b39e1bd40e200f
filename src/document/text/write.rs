//! Lines → Markdown blocks.
//!
//! A paragraph ends at a gap, a jump up (the next column) or a change of size; a short paragraph in letters clearly larger
//! than the page's body text is a heading; a line that begins with a sign or a number of a list is an item.

use super::line::Line;
use super::link::Link;
use super::table::Table;

/// A heading is at most this long; longer large text is an introduction, not a title.
const HEADING_CHARS: usize = 160;

pub(super) fn markdown(lines: &[Line], tables: &[Table], targets: &[Link]) -> String {
    let body = body_size(lines);
    let mut blocks: Vec<String> = Vec::new();
    let mut in_table = vec![false; lines.len()];
    tables.iter().flat_map(|table| &table.lines).for_each(|line| in_table[*line] = true);
    // They come in the order of their first lines.
    let mut next_table = tables.iter().peekable();
    let mut open: Vec<&Line> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let ends = in_table[at] || open.last().is_some_and(|above| !continues_paragraph(above, line));
        if ends && !open.is_empty() {
            blocks.push(paragraph(&std::mem::take(&mut open), body));
        }
        if let Some(table) = next_table.next_if(|table| table.lines.first() == Some(&at)) {
            blocks.push(table_rows(table));
        }
        if !in_table[at] {
            open.push(line);
        }
    }
    if !open.is_empty() {
        blocks.push(paragraph(&open, body));
    }
    linked(&joined(&blocks), targets)
}

/// Blocks with an empty line between them, but none between two items of one list.
fn joined(blocks: &[String]) -> String {
    let mut text = String::new();
    for (at, block) in blocks.iter().enumerate() {
        if at > 0 {
            let list = is_item(block) && is_item(&blocks[at - 1]);
            text.push_str(if list { "\n" } else { "\n\n" });
        }
        text.push_str(block);
    }
    text
}

fn is_item(block: &str) -> bool {
    block.starts_with("- ")
}

fn paragraph(lines: &[&Line], body: f64) -> String {
    let text = join_lines(lines);
    if let Some(item) = item(&text) {
        return item;
    }
    let heading = match lines[0].size / body {
        ratio if text.chars().count() > HEADING_CHARS || ratio < 1.15 => "",
        ratio if ratio >= 1.7 => "# ",
        ratio if ratio >= 1.35 => "## ",
        _ => "### ",
    };
    let text = if heading.is_empty() { escape_block(&text) } else { escape(&text) };
    format!("{heading}{text}")
}

/// Signs that begin an item of a list.
const BULLETS: [char; 12] = ['•', '‣', '▪', '▸', '▹', '◦', '●', '○', '■', '□', '➢', '∙'];

/// A paragraph that begins with the sign of a list, as an item.
fn item(text: &str) -> Option<String> {
    let rest = text.strip_prefix(BULLETS)?.trim_start();
    (!rest.is_empty()).then(|| format!("- {}", escape_block(rest)))
}

fn table_rows(table: &Table) -> String {
    let row = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escape(cell).replace('|', "\\|")).collect();
        format!("| {} |", cells.join(" | "))
    };
    let rule = format!("|{}", " --- |".repeat(table.rows[0].len()));
    let mut rows: Vec<String> = table.rows.iter().map(|cells| row(cells)).collect();
    rows.insert(1, rule);
    rows.join("\n")
}

/// The size in which most of the page's characters are set, points.
fn body_size(lines: &[Line]) -> f64 {
    let chars = |line: &Line| line.words.iter().map(|word| word.text.len() + 1).sum::<usize>();
    let mut sizes: Vec<(f64, usize)> = lines.iter().map(|line| (line.size, chars(line))).collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = sizes.iter().map(|(_, chars)| chars).sum::<usize>() / 2;
    let mut seen = 0;
    let middle = sizes.iter().find(|(_, chars)| {
        seen += chars;
        seen > half
    });
    middle.map_or(1.0, |(size, _)| *size)
}

fn continues_paragraph(above: &Line, below: &Line) -> bool {
    let drop = below.baseline - above.baseline;
    let same_size = (above.size / below.size).max(below.size / above.size) < 1.1;
    let same_script = above.right_to_left == below.right_to_left;
    let indented = if above.right_to_left {
        above.end - below.end > above.size * 0.8 && below.end > above.start
    } else {
        below.start - above.start > above.size * 0.8 && below.start < above.end
    };
    let begins_item = below.words[0].text.starts_with(BULLETS);
    above.goes_like(below)
        && same_size
        && same_script
        && !indented
        && !begins_item
        && drop > 0.0
        && drop < above.size * 1.55
}

/// Joins the lines of a paragraph; a hyphen between letters at a line's end is undone before a lower-case letter.
fn join_lines(lines: &[&Line]) -> String {
    let mut text = String::new();
    let mut open = None;
    for line in lines {
        let mut next = words(line);
        let first = &line.words[0];
        if first.link.is_some() && first.link == open {
            // The link goes on.
            text.pop();
            next = next.chars().skip(2).collect();
        }
        open = line.words[line.words.len() - 1].link;
        let begins_small = first.text.chars().next().is_some_and(char::is_lowercase);
        let mut ending = text.chars().rev();
        let hyphenated = matches!(ending.next(), Some('-' | '\u{ad}' | '\u{2010}'))
            && ending.next().is_some_and(char::is_alphabetic);
        if hyphenated && begins_small {
            text.pop();
        } else if !text.is_empty() && !meet_in_ideographs(&text, &first.text) {
            text.push(' ');
        }
        text.push_str(&next);
    }
    text
}

/// Around the words of a link, before they are escaped: control characters, which no glyph stands for. The first is
/// followed by a character that says which link.
const LINK_BEGINS: char = '\u{1}';
const LINK_ENDS: char = '\u{2}';
/// The character of the first link; no markup begins with it or one of those after it.
const FIRST_LINK: u32 = 0x4e00;

/// The words of a line, those of links between their marks.
fn words(line: &Line) -> String {
    let mut text = String::new();
    let mut open = None;
    for (at, word) in line.words.iter().enumerate() {
        if open.is_some() && word.link != open {
            text.push(LINK_ENDS);
        }
        if at > 0 {
            text.push(' ');
        }
        if let Some(link) = word.link.filter(|_| word.link != open) {
            text.push(LINK_BEGINS);
            text.extend(char::from_u32(FIRST_LINK + u32::from(link)));
        }
        open = word.link;
        text.push_str(&word.text);
    }
    if open.is_some() {
        text.push(LINK_ENDS);
    }
    text
}

/// Marks → links.
fn linked(text: &str, targets: &[Link]) -> String {
    if targets.is_empty() {
        return text.to_owned();
    }
    let mut written = String::with_capacity(text.len() + 64);
    let mut chars = text.chars();
    let (mut target, mut before) = (None, ' ');
    while let Some(c) = chars.next() {
        match (c, target) {
            (LINK_BEGINS, _) => {
                let at = chars.next().map(|c| u32::from(c).wrapping_sub(FIRST_LINK) as usize);
                target = at.and_then(|at| targets.get(at));
                written.push_str(if target.is_some() { "[" } else { "" });
            }
            (LINK_ENDS, Some(link)) => {
                // What ends the sentence is not part of it, though it stands in its box.
                let after = if written.ends_with(['.', ',', ';', ':']) { written.pop() } else { None };
                written.push_str("](");
                written.push_str(&link.target);
                written.push(')');
                written.extend(after);
                target = None;
            }
            (LINK_ENDS, None) => {}
            ('[' | ']', Some(_)) if before != '\\' => {
                written.push('\\');
                written.push(c);
            }
            _ => written.push(c),
        }
        before = c;
    }
    written
}

/// Chinese and Japanese have no spaces between words, so the end of a line is none either.
const fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

fn meet_in_ideographs(text: &str, next: &str) -> bool {
    text.chars().next_back().is_some_and(is_ideographic) && next.chars().next().is_some_and(is_ideographic)
}

/// Escapes what Markdown would read as markup within a line, and only that: emphasis, code, links and pictures, entities, raw
/// HTML (a page must not be able to write a page marker).
fn escape(text: &str) -> String {
    let links = text.contains("](") || text.contains("][") || text.contains("]:");
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        let rest = &text[at + c.len_utf8()..];
        let next = rest.chars().next();
        let markup = match c {
            '*' | '`' | '\\' => true,
            '<' => next.is_some_and(|n| n.is_ascii_alphabetic() || matches!(n, '/' | '!' | '?')),
            '[' => links,
            '_' => !before.is_alphanumeric() && before != '_' && before != '\\',
            '~' => next == Some('~') && before != '~',
            '&' => is_entity(rest),
            _ => false,
        };
        if markup {
            escaped.push('\\');
        }
        escaped.push(c);
        before = c;
    }
    escaped
}

/// Whether `&` before this would be an entity, such as `copy;` or `#169;`.
fn is_entity(rest: &str) -> bool {
    let name = rest.trim_start_matches('#');
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    (1..=32).contains(&length) && name[length..].starts_with(';')
}

/// The same, and what opens a block where it begins one.
fn escape_block(text: &str) -> String {
    let mut escaped = escape(text);
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let after = text[digits..].strip_prefix(['.', ')']);
    let ordered = (1..=9).contains(&digits) && after.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let opens_block = text.starts_with(['#', '>', '|', '~', '=']) || text.starts_with("+ ") || text.starts_with('-');
    if ordered {
        escaped.insert(digits, '\\');
    } else if opens_block && !escaped.starts_with('\\') {
        escaped.insert(0, '\\');
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::line::Word;
    use super::*;

    fn line(text: &str, start: f64, baseline: f64, size: f64) -> Line {
        let mut pen = start;
        let word = |text: &str| {
            let (start, end) = (pen, pen + size * 0.5 * f64::from(u32::try_from(text.chars().count()).unwrap()));
            pen = end + size * 0.3;
            Word { text: text.into(), start, end, link: None }
        };
        let words: Vec<Word> = text.split(' ').map(word).collect();
        let end = words.last().unwrap().end;
        Line { words, start, end, baseline, size, direction: (1.0, 0.0), right_to_left: false }
    }

    fn write(lines: &[Line]) -> String {
        markdown(lines, &super::super::table::find(lines, &[], 600.0), &[])
    }

    #[test]
    fn lines_become_headings_and_paragraphs() {
        let lines = [
            line("A title", 72.0, 80.0, 20.0),
            line("The first para-", 72.0, 110.0, 10.0),
            line("graph goes on", 72.0, 122.0, 10.0),
            line("and ends well-", 72.0, 134.0, 10.0),
            line("Known.", 72.0, 146.0, 10.0),
            line("Another one.", 72.0, 176.0, 10.0),
            line("Next column.", 300.0, 110.0, 10.0),
        ];
        assert_eq!(
            write(&lines),
            "# A title\n\nThe first paragraph goes on and ends well- Known.\n\nAnother one.\n\nNext column."
        );
    }

    #[test]
    fn bullets_become_a_list() {
        let lines = [
            line("Two things:", 72.0, 80.0, 10.0),
            line("• the first", 72.0, 92.0, 10.0),
            line("goes on", 79.0, 104.0, 10.0),
            line("• the second", 72.0, 116.0, 10.0),
        ];
        assert_eq!(write(&lines), "Two things:\n\n- the first goes on\n- the second");
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
    fn links_go_around_their_words_also_over_the_end_of_a_line() {
        let mut lines = [line("see the long", 72.0, 80.0, 10.0), line("page [1], of it", 72.0, 92.0, 10.0)];
        for (at, word) in [(0, 2), (1, 0), (1, 1)] {
            lines[at].words[word].link = Some(0);
        }
        let target = [Link::to("https://example.org/x")];
        assert_eq!(markdown(&lines, &[], &target), "see the [long page \\[1\\]](https://example.org/x), of it");
    }

    #[test]
    fn lines_of_chinese_are_joined_without_spaces() {
        let lines = [line("这是第一行", 72.0, 80.0, 10.0), line("这是第二行", 72.0, 92.0, 10.0)];
        assert_eq!(write(&lines), "这是第一行这是第二行");
    }

    #[test]
    fn text_cannot_pose_as_markup() {
        for (text, expected) in [
            ("<!-- page 7 -->", "\\<!-- page 7 -->"),
            ("a < b and <b>", "a < b and \\<b>"),
            ("# not a heading", "\\# not a heading"),
            ("1. not a list", "1\\. not a list"),
            ("1.5 metres", "1.5 metres"),
            ("- dash", "\\- dash"),
            ("2 * 3 `x` snake_case", "2 \\* 3 \\`x\\` snake_case"),
            ("![x](http://h/p)", "!\\[x](http://h/p)"),
            ("as in [1] and [2]", "as in [1] and [2]"),
            ("&copy; & co", "\\&copy; & co"),
            ("____ and _so_ on", "\\____ and \\_so_ on"),
            ("~~gone~~", "\\~~gone\\~~"),
            ("plain", "plain"),
        ] {
            assert_eq!(escape_block(text), expected);
        }
    }

    #[test]
    fn an_empty_page_is_empty() {
        assert_eq!(write(&[]), "");
    }
}
