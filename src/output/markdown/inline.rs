//! Text within a block → Markdown: emphasis, code, links, and no markup that the page did not mean.

use crate::content::{Inline, Run, RunStyle, Script, is_ideographic};

/// Whether emphasis is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Emphasis {
    /// As in running text.
    Shown,
    /// Left out, as in headings.
    Left,
}

/// `inline` as Markdown.
pub(super) fn markdown(inline: &Inline, emphasis: Emphasis) -> String {
    let text = inline.text();
    let shown = emphasis == Emphasis::Shown;
    let mut written = Writer::new(&text);
    let (mut from, mut open, mut struck) = (0, None, false);
    for Run { text, style, link } in &inline.runs {
        let to = from + text.len();
        if style.strike != struck {
            written.strike();
            struck = style.strike;
        }
        if link.as_deref() != open {
            written.end_link(open.take());
            open = link.as_deref();
            written.begin_link(open);
        }
        match style {
            RunStyle { math: true, .. } => written.math(from, to),
            RunStyle { script: Some(script), .. } => written.script(from, to, *script),
            RunStyle { code: true, .. } if open.is_none() && shown => written.code(from, to),
            RunStyle { code: false, bold, italic, .. } if open.is_none() && shown && (*bold || *italic) => {
                written.emphasis(from, to, *bold, *italic);
            }
            _ => written.plain(from, to),
        }
        from = to;
    }
    written.end_link(open);
    if struck {
        written.strike();
    }
    written.out
}

/// Some text as that of a picture: within a line, without markup, its brackets escaped (`CommonMark` 0.31, 6.4).
pub(super) fn alt(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let written = markdown(&Inline::plain(words), Emphasis::Left);
    let (mut alt, mut escaped) = (String::with_capacity(written.len()), false);
    for c in written.chars() {
        if matches!(c, '[' | ']') && !escaped {
            alt.push('\\');
        }
        escaped = c == '\\' && !escaped;
        alt.push(c);
    }
    alt
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
        let links = text.contains(']') && ["](", "][", "]:"].iter().any(|sign| text.contains(sign));
        Self { text, links, in_link: false, star: false, out: String::with_capacity(text.len() + text.len() / 8) }
    }

    /// Escapes what Markdown would read as markup within a line, and only that: emphasis, code, links and pictures,
    /// entities, raw HTML (a page must not be able to write a page marker).
    fn plain(&mut self, from: usize, to: usize) {
        let may_be_markup = ['*', '`', '\\', '<', '[', ']', '_', '~', '&'];
        let mut written = from;
        for (at, c) in self.text[from..to].match_indices(may_be_markup) {
            let at = from + at;
            self.out.push_str(&self.text[written..at]);
            written = at;
            let before = self.text[..at].chars().next_back().unwrap_or(' ');
            let rest = &self.text[at + c.len()..];
            let next = rest.chars().next();
            let markup = match c.chars().next().unwrap_or(' ') {
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
        }
        self.out.push_str(&self.text[written..to]);
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

    /// Emphasis around the letters; signs at its ends stay outside, as markup beside them would not be read as such, but
    /// for brackets whose other half is within.
    fn emphasis(&mut self, from: usize, to: usize, bold: bool, italic: bool) {
        let text = &self.text[from..to];
        let letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        let begin = from + text.find(char::is_alphanumeric).unwrap_or(text.len());
        let end = from
            + text
                .rfind(char::is_alphanumeric)
                .map_or(0, |at| at + text[at..].chars().next().map_or(0, char::len_utf8));
        let end = self.with_unit(end, to);
        let (begin, end) = self.with_brackets((from, begin), (end, to));
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

    /// The end of what is emphasised with the sign of a number that it ends in, where no letter comes next.
    fn with_unit(&self, end: usize, to: usize) -> usize {
        let is_number = self.text[..end].ends_with(|c: char| c.is_ascii_digit());
        let unit =
            self.text[end.min(to)..to].chars().next().filter(|c| is_number && matches!(c, '%' | '‰' | '°' | '€' | '£'));
        let wide = end + unit.map_or(0, char::len_utf8);
        if self.text[wide..].starts_with(char::is_alphanumeric) { end } else { wide }
    }

    /// Of what is emphasised, and the signs before and behind it: from where to where, with the brackets of those that it
    /// needs. Marks beside brackets are read as such where no letter comes next (`CommonMark` 0.31, 6.2).
    fn with_brackets(&self, (from, begin): (usize, usize), (end, to): (usize, usize)) -> (usize, usize) {
        let (mut open, mut closed) = (0_usize, 0_usize);
        for c in self.text[begin..end.max(begin)].chars() {
            match c {
                '(' | '[' => open += 1,
                ')' | ']' if open > 0 => open -= 1,
                ')' | ']' => closed += 1,
                _ => {}
            }
        }
        let before = self.text[from..begin].chars().rev().take(closed).take_while(|c| matches!(c, '(' | '[')).count();
        let behind = self.text[end.max(from)..to].chars().take(open).take_while(|c| matches!(c, ')' | ']')).count();
        let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let wide_begin = begin - before;
        let wide_end = end + behind;
        (
            if apart(self.text[..wide_begin].chars().next_back()) { wide_begin } else { begin },
            if apart(self.text[wide_end..].chars().next()) { wide_end } else { end },
        )
    }

    /// Where struck text begins or ends (GitHub Flavored Markdown 0.29, 6.5).
    fn strike(&mut self) {
        self.out.push_str("~~");
        self.star = false;
    }

    fn math(&mut self, from: usize, to: usize) {
        self.out.extend(["$", &self.text[from..to], "$"]);
        self.star = false;
    }

    /// Markdown has no signs for these; HTML has.
    fn script(&mut self, from: usize, to: usize, script: Script) {
        let tag = match script {
            Script::Super => "sup",
            Script::Sub => "sub",
        };
        self.out.extend(["<", tag, ">"]);
        self.plain(from, to);
        self.out.extend(["</", tag, ">"]);
    }

    fn begin_link(&mut self, link: Option<&str>) {
        if link.is_some() {
            self.out.push('[');
            self.in_link = true;
        }
    }

    fn end_link(&mut self, link: Option<&str>) {
        if let Some(target) = link {
            // What ends the sentence is not part of it, though it stands in its box.
            let after = if self.out.ends_with(['.', ',', ';', ':']) { self.out.pop() } else { None };
            self.out.extend(["](", target, ")"]);
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

    const PLAIN: RunStyle =
        RunStyle { bold: false, italic: false, code: false, math: false, script: None, strike: false };
    const STRUCK: RunStyle = RunStyle { strike: true, ..PLAIN };
    const BOLD: RunStyle = RunStyle { bold: true, ..PLAIN };
    const ITALIC: RunStyle = RunStyle { italic: true, ..PLAIN };
    const CODE: RunStyle = RunStyle { code: true, ..PLAIN };

    fn inline(runs: &[(&str, RunStyle)]) -> Inline {
        let mut inline = Inline::default();
        runs.iter().for_each(|(text, style)| inline.push(*text, *style, None));
        inline
    }

    #[test]
    fn looks_become_emphasis_and_code() {
        for (runs, expected) in [
            (&[("a ", PLAIN), ("bold word", BOLD), (".", PLAIN)][..], "a **bold word**."),
            (&[("(so called)", ITALIC)], "(*so called*)"),
            (&[("Item(s):", BOLD), (" all", PLAIN)], "**Item(s)**: all"),
            (&[("(a) the gate,", ITALIC), (" or", PLAIN)], "*(a) the gate*, or"),
            (&[("due in ", PLAIN), ("thirty", STRUCK), (" ", PLAIN), ("ten", BOLD)], "due in ~~thirty~~ **ten**"),
            (&[("all", STRUCK), ("struck", RunStyle { bold: true, ..STRUCK })], "~~all**struck**~~"),
            (&[("75%", BOLD), (" of all", PLAIN)], "**75%** of all"),
            (&[("gate(s)", BOLD), ("man", PLAIN)], "**gate(s**)man"),
            (&[("call ", PLAIN), ("f(*p)", CODE), (", then", PLAIN)], "call `f(*p)`, then"),
            (&[("a`b", CODE)], "``a`b``"),
            (&[("`x", CODE)], "`` `x ``"),
            (&[("x", ITALIC), ("= ", PLAIN), ("y", ITALIC)], "x= y"),
            (&[("bold", BOLD), ("meets here", ITALIC)], "**bold**meets here"),
            (&[("un", PLAIN), ("known", BOLD), ("s", PLAIN)], "un**known**s"),
            (&[("—", BOLD)], "—"),
            (&[("both", RunStyle { italic: true, ..BOLD })], "***both***"),
            (&[("x", ITALIC), ("n+1", RunStyle { script: Some(Script::Super), ..PLAIN })], "x<sup>n+1</sup>"),
        ] {
            assert_eq!(markdown(&inline(runs), Emphasis::Shown), expected);
        }
        assert_eq!(markdown(&inline(&[("all heavy", BOLD)]), Emphasis::Left), "all heavy");
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
            assert_eq!(escape_block(markdown(&Inline::plain(text), Emphasis::Shown)), expected);
        }
    }
}
