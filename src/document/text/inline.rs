//! Words of lines → Markdown within a block: emphasis, code, links, and no markup that the page did not mean.

use super::line::{Line, Style, Word};
use super::link::Link;

/// Text in one piece, and how its parts look.
#[derive(Debug, Default)]
pub(super) struct Inline {
    text: String,
    /// One after the other; they cover the text.
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Span {
    end: usize,
    style: Style,
    link: Option<u16>,
}

impl Inline {
    /// Joins lines: a hyphen between letters at a line's end is undone before a lower-case letter. `usual` is how most of
    /// the page looks, which needs no emphasis.
    pub(super) fn of(lines: &[&Line], usual: Style) -> Self {
        let mut inline = Self::default();
        for line in lines {
            for (at, word) in line.words.iter().enumerate() {
                let glued = if at == 0 { inline.joins(word) } else { word.glued };
                inline.push(word, usual, glued);
            }
        }
        inline
    }

    /// Without the first `bytes` of its text and the space behind them.
    pub(super) fn skip(&mut self, bytes: usize) {
        let rest = self.text[bytes..].trim_start();
        let cut = self.text.len() - rest.len();
        self.text.drain(..cut);
        self.spans.retain(|span| span.end > cut);
        self.spans.iter_mut().for_each(|span| span.end -= cut);
    }

    /// Whether the first word of the next line follows without a space. Takes away a hyphen that only the line's end
    /// called for.
    fn joins(&mut self, next: &Word) -> bool {
        let Some(first) = next.text.chars().next() else { return true };
        let mut ending = self.text.chars().rev();
        let last = ending.next();
        let is_hyphen = matches!(last, Some('-' | '\u{2010}')) && ending.next().is_some_and(char::is_alphabetic);
        let is_code = next.style.mono && self.spans.last().is_some_and(|span| span.style.mono);
        if is_hyphen && first.is_lowercase() && !is_code {
            self.text.pop();
            if let Some(span) = self.spans.last_mut() {
                span.end = self.text.len();
            }
            return true;
        }
        // Chinese and Japanese have no spaces between words, so the end of a line is none either.
        last.is_some_and(is_ideographic) && is_ideographic(first)
    }

    fn push(&mut self, word: &Word, usual: Style, glued: bool) {
        let style = Style {
            bold: word.style.bold && !usual.bold,
            italic: word.style.italic && !usual.italic,
            mono: word.style.mono && !usual.mono,
        };
        let link = word.link;
        if !glued && !self.text.is_empty() {
            self.text.push(' ');
            // A space looks like its neighbours when they look alike.
            let last = self.spans.last().filter(|last| last.style == style && last.link == link);
            let (style, link) = last.map_or((Style::default(), None), |last| (last.style, last.link));
            self.extend(style, link);
        }
        self.text.push_str(&word.text);
        self.extend(style, link);
    }

    fn extend(&mut self, style: Style, link: Option<u16>) {
        let span = Span { end: self.text.len(), style, link };
        match self.spans.last_mut() {
            Some(last) if last.style == style && last.link == link => *last = span,
            _ => self.spans.push(span),
        }
    }

    /// As Markdown. `emphasis` is for running text; headings and cells of tables need none.
    pub(super) fn markdown(&self, targets: &[Link], emphasis: bool) -> String {
        let mut written = Writer::new(&self.text);
        let (mut from, mut open) = (0, None);
        for span in &self.spans {
            if span.link != open {
                written.end_link(open.take(), targets);
                open = span.link;
                written.begin_link(open, targets);
            }
            match span.style {
                Style { mono: true, .. } if span.link.is_none() && emphasis => written.code(from, span.end),
                Style { mono: false, bold, italic } if span.link.is_none() && emphasis && (bold || italic) => {
                    written.emphasis(from, span.end, bold, italic);
                }
                _ => written.plain(from, span.end),
            }
            from = span.end;
        }
        written.end_link(open, targets);
        written.out
    }
}

/// Text in cells and other places without looks, as Markdown.
pub(super) fn escape(text: &str) -> String {
    let mut written = Writer::new(text);
    written.plain(0, text.len());
    written.out
}

struct Writer<'t> {
    text: &'t str,
    /// Whether the text has what looks like a link.
    links: bool,
    in_link: bool,
    /// Whether what was written last ends emphasis; stars that meet would be read otherwise.
    star: bool,
    out: String,
}

impl<'t> Writer<'t> {
    fn new(text: &'t str) -> Self {
        let links = text.contains("](") || text.contains("][") || text.contains("]:");
        Self { text, links, in_link: false, star: false, out: String::with_capacity(text.len() + text.len() / 8) }
    }

    /// Escapes what Markdown would read as markup within a line, and only that: emphasis, code, links and pictures,
    /// entities, raw HTML (a page must not be able to write a page marker).
    fn plain(&mut self, from: usize, to: usize) {
        let mut before = self.text[..from].chars().next_back().unwrap_or(' ');
        for (at, c) in self.text[from..to].char_indices() {
            let rest = &self.text[from + at + c.len_utf8()..];
            let next = rest.chars().next();
            let markup = match c {
                '*' | '`' | '\\' => true,
                '<' => next.is_some_and(|n| n.is_ascii_alphabetic() || matches!(n, '/' | '!' | '?')),
                '[' | ']' if self.in_link => true,
                '[' => self.links,
                '_' => !before.is_alphanumeric() && before != '_' && before != '\\',
                '~' => next == Some('~') && before != '~',
                '&' => is_entity(rest),
                _ => false,
            };
            if markup {
                self.out.push('\\');
            }
            self.out.push(c);
            before = c;
        }
        self.star &= from == to;
    }

    fn code(&mut self, from: usize, to: usize) {
        let text = &self.text[from..to];
        let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
        let fence = "`".repeat(longest + 1);
        let gap = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
        // Two spans of code that meet would be read as one.
        let apart = if self.out.ends_with('`') && !self.out.ends_with("\\`") { " " } else { "" };
        self.out.extend([apart, &fence, gap, text, gap, &fence]);
        self.star = false;
    }

    /// Emphasis around the letters; signs at its ends stay outside, as markup beside them would not be read as such.
    fn emphasis(&mut self, from: usize, to: usize, bold: bool, italic: bool) {
        let text = &self.text[from..to];
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        let begin = from + text.find(char::is_alphanumeric).unwrap_or(text.len());
        let end = from
            + text
                .rfind(char::is_alphanumeric)
                .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
        let ideographs = text.chars().any(is_ideographic);
        // Single slanted letters are mathematics.
        let least = if bold || ideographs { 2 } else { 3 };
        if letters < least || self.star && begin == from {
            return self.plain(from, to);
        }
        let marks = match (bold, italic) {
            (true, true) => "***",
            (true, false) => "**",
            _ => "*",
        };
        self.plain(from, begin);
        self.out.push_str(marks);
        self.plain(begin, end);
        self.out.push_str(marks);
        self.star = true;
        self.plain(end, to);
    }

    fn begin_link(&mut self, link: Option<u16>, targets: &[Link]) {
        if link.is_some_and(|at| usize::from(at) < targets.len()) {
            self.out.push('[');
            self.in_link = true;
        }
    }

    fn end_link(&mut self, link: Option<u16>, targets: &[Link]) {
        if let Some(link) = link.and_then(|at| targets.get(usize::from(at))) {
            // What ends the sentence is not part of it, though it stands in its box.
            let after = if self.out.ends_with(['.', ',', ';', ':']) { self.out.pop() } else { None };
            self.out.extend(["](", &link.target, ")"]);
            self.out.extend(after);
            self.in_link = false;
        }
    }
}

/// Whether `&` before this would be an entity, such as `copy;` or `#169;`.
fn is_entity(rest: &str) -> bool {
    let name = rest.trim_start_matches('#');
    let length = name.bytes().take_while(u8::is_ascii_alphanumeric).count();
    (1..=32).contains(&length) && name[length..].starts_with(';')
}

pub(super) const fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

/// Escapes what would open a block at the beginning of one that is written.
pub(super) fn escape_block(mut written: String) -> String {
    let digits = written.bytes().take_while(u8::is_ascii_digit).count();
    let after = written[digits..].strip_prefix(['.', ')']);
    let ordered = (1..=9).contains(&digits) && after.is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    let opens_block =
        written.starts_with(['#', '>', '|', '~', '=']) || written.starts_with("+ ") || written.starts_with('-');
    if ordered {
        written.insert(digits, '\\');
    } else if opens_block {
        written.insert(0, '\\');
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { bold: false, italic: false, mono: false };
    const BOLD: Style = Style { bold: true, ..PLAIN };
    const ITALIC: Style = Style { italic: true, ..PLAIN };
    const MONO: Style = Style { mono: true, ..PLAIN };

    fn line(words: &[(&str, Style)]) -> Line {
        let word = |(text, style): &(&str, Style)| Word {
            style: *style,
            glued: text.len() > 1 && text.starts_with('+'),
            ..Word::at(text.trim_start_matches('+'), 0.0, 0.0)
        };
        Line::of(words.iter().map(word).collect(), 0.0, 10.0)
    }

    fn written(lines: &[&[(&str, Style)]]) -> String {
        let lines: Vec<Line> = lines.iter().map(|words| line(words)).collect();
        Inline::of(&lines.iter().collect::<Vec<_>>(), PLAIN).markdown(&[], true)
    }

    #[test]
    fn looks_become_emphasis_and_code() {
        for (words, expected) in [
            (&[("a", PLAIN), ("bold", BOLD), ("word", BOLD), ("+.", PLAIN)][..], "a **bold word**."),
            (&[("(so", ITALIC), ("called)", ITALIC)], "(*so called*)"),
            (&[("call", PLAIN), ("f(*p)", MONO), ("+,", PLAIN), ("then", PLAIN)], "call `f(*p)`, then"),
            (&[("a`b", MONO)], "``a`b``"),
            (&[("`x", MONO)], "`` `x ``"),
            (&[("x", ITALIC), ("+=", PLAIN), ("y", ITALIC)], "x= y"),
            (&[("bold", BOLD), ("+meets", ITALIC), ("here", ITALIC)], "**bold**meets here"),
            (&[("un", PLAIN), ("+known", BOLD), ("+s", PLAIN)], "un**known**s"),
            (&[("—", BOLD)], "—"),
            (&[("both", Style { italic: true, ..BOLD })], "***both***"),
        ] {
            assert_eq!(written(&[words]), expected);
        }
        let heavy = line(&[("all", BOLD), ("heavy", BOLD)]);
        assert_eq!(Inline::of(&[&heavy], BOLD).markdown(&[], true), "all heavy");
    }

    #[test]
    fn lines_are_joined_and_hyphens_undone() {
        for (lines, expected) in [
            ([&[("para-", PLAIN)][..], &[("graph", PLAIN)]], "paragraph"),
            ([&[("well-", PLAIN)], &[("Known", PLAIN)]], "well- Known"),
            ([&[("a", PLAIN), ("heavy", BOLD)], &[("word", BOLD)]], "a **heavy word**"),
            ([&[("hea-", BOLD)], &[("vy", BOLD)]], "**heavy**"),
            ([&[("--my-", MONO)], &[("flag", MONO)]], "`--my- flag`"),
            ([&[("这是", PLAIN)], &[("第二行", PLAIN)]], "这是第二行"),
        ] {
            assert_eq!(written(&lines), expected);
        }
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
            assert_eq!(escape_block(escape(text)), expected);
        }
    }

    #[test]
    fn what_stands_first_can_be_left_out() {
        let line = line(&[("•", PLAIN), ("the", BOLD), ("rest", PLAIN)]);
        let mut inline = Inline::of(&[&line], PLAIN);
        inline.skip("•".len());
        assert_eq!(inline.markdown(&[], true), "**the** rest");
    }
}
