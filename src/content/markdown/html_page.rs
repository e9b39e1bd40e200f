//! A page that was written as a document in HTML (the living standard, chapter 4), as blocks.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

use super::html_table::{self, is_markup};
use super::html_text::{Text, attribute, name};
use super::{figure, safe_link};
use crate::content::{Block, BlockKind, Inline, ListItem};

/// Lists in one another are read as such down to this many levels.
const DEEPEST: usize = 12;
/// What a document begins with.
const BEGINS: [&str; 4] = ["<!doctype html", "<html", "<head", "<body"];
/// Elements whose content nothing shows.
const UNSEEN: [&str; 6] = ["head", "script", "style", "template", "title", "noscript"];
/// Elements, beside those for looks, that end the text before them.
const BLOCKS: [&str; 32] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "html",
    "legend",
    "main",
    "nav",
    "option",
    "p",
    "section",
    "select",
    "summary",
    "table",
    "td",
    "th",
    "tr",
];
/// Elements within text, beside those for looks.
const INLINE: [&str; 22] = [
    "abbr", "b", "bdi", "bdo", "button", "data", "dfn", "input", "kbd", "label", "link", "math", "meta", "picture",
    "samp", "source", "svg", "textarea", "time", "var", "wbr", "object",
];

/// The blocks of a document in HTML, without its head, styles and scripts; `None` of any other text, and of a document that
/// shows nothing.
pub(crate) fn from_html_page(text: &str) -> Option<Vec<Block>> {
    let begin = text.trim_start().get(..16).unwrap_or(text.trim_start()).to_ascii_lowercase();
    let is_document = BEGINS.iter().any(|tag| {
        begin.strip_prefix(tag).is_some_and(|rest| rest.is_empty() || rest.starts_with(['>', ' ', '\n', '\r', '\t']))
    });
    if !is_document {
        return None;
    }
    let mut reader = Reader::default();
    for part in html_table::tables(text) {
        match part {
            html_table::Part::Text(html) => reader.read(html),
            html_table::Part::Table(html) if reader.unseen.is_none() => {
                reader.end_block();
                html_table::blocks(html).into_iter().for_each(|block| reader.open.add(block));
            }
            html_table::Part::Table(_) => {}
        }
    }
    let blocks = reader.finish();
    (!blocks.is_empty()).then_some(blocks)
}

/// The blocks that are made, with the lists that are open.
#[derive(Default)]
struct Open {
    blocks: Vec<Block>,
    lists: Vec<List>,
}

#[derive(Default)]
struct List {
    /// The number of its next item, where it has numbers.
    next: Option<u32>,
    items: Vec<ListItem>,
}

impl Open {
    /// Adds a block to what is open.
    fn add(&mut self, block: Block) {
        let Some(item) = self.lists.last_mut().and_then(|list| list.items.last_mut()) else {
            return self.blocks.push(block);
        };
        match block.kind {
            BlockKind::Paragraph { text } if item.text.is_empty() && item.blocks.is_empty() => item.text = text,
            kind => item.blocks.push(Block::new(kind, None)),
        }
    }

    fn begin_item(&mut self) {
        if self.lists.is_empty() {
            self.lists.push(List::default());
        }
        let Some(list) = self.lists.last_mut() else { return };
        let number = list.next.map(|next| format!("{next}."));
        list.next = list.next.map(|next| next.saturating_add(1));
        list.items.push(ListItem { number, text: Inline::default(), bbox: None, blocks: Vec::new() });
    }

    fn end_list(&mut self) {
        let Some(List { mut items, .. }) = self.lists.pop() else { return };
        items.retain(|item| !item.text.is_empty() || !item.blocks.is_empty());
        if !items.is_empty() {
            self.add(Block::new(BlockKind::List { items }, None));
        }
    }
}

#[derive(Default)]
struct Reader {
    open: Open,
    text: Text,
    /// The level of the heading that is open.
    heading: Option<u8>,
    /// What stands in an element for text as it is typed, where one is open.
    typed: Option<String>,
    /// The element that is open whose content nothing shows.
    unseen: Option<String>,
    /// How many lists beyond the deepest one are open.
    deeper: usize,
}

impl Reader {
    fn read(&mut self, html: &str) {
        let mut emitter = DefaultEmitter::default();
        // What a script says is no element.
        emitter.naively_switch_states(true);
        for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
            match token {
                Token::StartTag(tag) => self.begin(&tag),
                Token::EndTag(tag) => self.end(&name(&tag.name)),
                Token::String(said) if self.unseen.is_none() => {
                    let said = String::from_utf8_lossy(&said);
                    match &mut self.typed {
                        Some(typed) => typed.push_str(&said),
                        None => self.text.push(&said),
                    }
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, tag: &StartTag<()>) {
        let name = name(&tag.name);
        if let Some(unseen) = &self.unseen {
            // A head need not be ended.
            if unseen != "head" || name != "body" {
                return;
            }
            self.unseen = None;
        }
        match name.as_str() {
            unseen if UNSEEN.contains(&unseen) => self.unseen = (!tag.self_closing).then_some(name),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end_block();
                self.heading = name[1..].parse().ok();
            }
            "ul" | "ol" | "menu" => {
                self.end_block();
                if self.open.lists.len() == DEEPEST {
                    self.deeper += 1;
                } else {
                    let first = attribute(tag, "start").and_then(|start| start.parse().ok()).unwrap_or(1);
                    self.open.lists.push(List { next: (name == "ol").then_some(first), items: Vec::new() });
                }
            }
            "li" => {
                self.end_block();
                self.open.begin_item();
            }
            "pre" => {
                self.end_block();
                self.typed = Some(String::new());
            }
            "a" => self.text.set_link(attribute(tag, "href").as_deref().and_then(safe_link)),
            "code" | "kbd" | "samp" | "tt" => self.text.set_code(true),
            "img" => self.picture(&attribute(tag, "alt").unwrap_or_default()),
            "input" => self.field(tag),
            block if BLOCKS.contains(&block) => self.end_block(),
            other if is_markup(other) || INLINE.contains(&other) => self.text.begin(other),
            // `<file>` is what the page says.
            other => self.text.push(&format!("<{other}>")),
        }
    }

    fn end(&mut self, name: &str) {
        if let Some(unseen) = &self.unseen {
            if unseen == name {
                self.unseen = None;
            }
            return;
        }
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "li" => self.end_block(),
            "ul" | "ol" | "menu" => {
                self.end_block();
                match self.deeper.checked_sub(1) {
                    Some(deeper) => self.deeper = deeper,
                    None => self.open.end_list(),
                }
            }
            "pre" => {
                if let Some(code) = self.typed.take() {
                    let text = code.trim_matches(['\n', '\r']).trim_end().to_owned();
                    if !text.is_empty() {
                        self.open.add(Block::new(BlockKind::Code { text }, None));
                    }
                }
            }
            "a" => self.text.set_link(None),
            "code" | "kbd" | "samp" | "tt" => self.text.set_code(false),
            block if BLOCKS.contains(&block) => self.end_block(),
            other if is_markup(other) || INLINE.contains(&other) => self.text.end(other),
            other => self.text.push(&format!("</{other}>")),
        }
    }

    /// A picture is one by itself, with what is said of it.
    fn picture(&mut self, alt: &str) {
        self.end_block();
        self.open.add(Block::new(figure(Inline::plain(alt.trim())), None));
    }

    /// What a field of a form shows.
    fn field(&mut self, tag: &StartTag<()>) {
        let kind = attribute(tag, "type").unwrap_or_default().to_ascii_lowercase();
        match kind.as_str() {
            "checkbox" | "radio" => {
                self.text.push(if tag.attributes.contains_key(&b"checked"[..]) { " ☑ " } else { " ☐ " });
            }
            "hidden" | "password" => {}
            _ => self.text.push(&format!(" {} ", attribute(tag, "value").unwrap_or_default())),
        }
    }

    fn end_block(&mut self) {
        let (text, heading) = (self.text.take(), self.heading.take());
        if !text.is_empty() {
            let paragraph = |text| BlockKind::Paragraph { text };
            let kind = match heading {
                Some(level) => BlockKind::Heading { level, text },
                None => paragraph(text),
            };
            self.open.add(Block::new(kind, None));
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.end("pre");
        self.end_block();
        while !self.open.lists.is_empty() {
            self.open.end_list();
        }
        self.open.blocks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::PageContent;
    use crate::output::markdown::page;

    fn written(html: &str) -> Option<String> {
        from_html_page(html).map(|blocks| page(&PageContent::new(blocks)))
    }

    #[test]
    fn a_document_is_read_as_its_blocks() {
        let html = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=utf-8><title>Scan</title><style>p { color: red }</style>\
            </head>\n<body class=\"a\">\n<h1>Lease</h1>\n<p>The <b>shed</b> is\n let<br>from <em>1 May</em>, see <a href=\"https://e.org\">here</a> \
            &amp; <code>x_y</code>, H<sub>2</sub>O.</p>\n<ul><li>oil<ol start=3><li>thin</li><li>thick</ol></li><li><p>rope</p><p>new</p></ul>\
            <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>\n<pre>\n  a &lt; b\n c</pre>\
            <script>if (a<b && c) { document.write('<p>x</p>') }</script>\
            <img src=\"a.png\" alt=\"A gate\"><p><input type=checkbox checked> Paid</p></body></html>";
        let expected = "# Lease\n\nThe **shed** is let  \nfrom *1 May*, see [here](https://e.org) & `x_y`, H<sub>2</sub>O.\n\n\
            - oil\n\n  3. thin\n  4. thick\n- rope\n\n  new\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n\n```\n  a < b\n c\n```\n\n\
            <!-- image -->\n\nA gate\n\n☑ Paid";
        assert_eq!(written(html).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_document_stays_and_no_words_of_one_are_lost() {
        for text in [
            "# Lease",
            "<p>a</p>",
            "<header> of a file",
            "<htmlx>",
            "See <html>.",
            "",
            "<html><head><title>x</title></head></html>",
            "é<html>",
        ] {
            assert_eq!(written(text), None, "{text}");
        }
        for (html, expected) in [
            ("<html><body>bare words</html>", "bare words"),
            ("<BODY><P>a<P>b", "a\n\nb"),
            ("<html>cp <file> to</html>", "cp \\<file> to"),
            ("<html><head><title>x</title><body><li>a<li>b", "- a\n- b"),
            ("<html><body><dl><dt>Rent<dd>40</dl><blockquote>q</blockquote>", "Rent\n\n40\n\nq"),
            ("<html><body><a href=\"javascript:x()\">go</a> # 1", "go # 1"),
            ("<html><head><style><table>a</table></style></head><body>b", "b"),
            (
                "<html><body><table><tr><td colspan=2>a</table>c",
                "<table>\n<tbody>\n<tr><td colspan=\"2\">a</td></tr>\n</tbody>\n</table>\n\nc",
            ),
        ] {
            assert_eq!(written(html).as_deref(), Some(expected), "{html}");
        }
        let deep = format!("<html>{}x", "<ul><li>a".repeat(5_000));
        assert_eq!(written(&deep).unwrap().matches('a').count(), 5_000);
    }
}
