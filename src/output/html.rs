//! Blocks → HTML that can do no harm.
//!
//! Pages come from strangers' PDFs by way of models, so all text is escaped, links lead only to the web and to mail, and no
//! element or attribute comes from a page. Formulas are LaTeX in `<span class="math">` for programs, and `MathML` for people.

use std::fmt::Write;

use math_core::MathDisplay;

use super::math::mathml;
use crate::content::{Block, BlockKind, Cell, Edge, Figure, Inline, ListItem, Run, RunStyle, Script, Table};

/// Blocks as elements, one after the other. Those in margins that other pages repeat are left out. Of figures their captions
/// alone are shown.
#[must_use]
pub fn blocks(blocks: &[Block]) -> String {
    all(blocks, Shown::Data)
}

/// The same for people: formulas as `MathML`, or as code where they are no LaTeX that is known, and pictures of figures
/// that have a file. `folder` is where these are, as the beginning of a URL.
#[must_use]
pub fn readable_blocks(blocks: &[Block], folder: &str) -> String {
    all(blocks, Shown::Page { folder })
}

/// Who the elements are for.
#[derive(Clone, Copy)]
enum Shown<'a> {
    /// Programs.
    Data,
    /// People.
    Page { folder: &'a str },
}

fn all(blocks: &[Block], shown: Shown<'_>) -> String {
    let mut html = String::new();
    blocks.iter().for_each(|one| block(&mut html, one, shown));
    html
}

/// `text` as the text of an element, or the value of an attribute.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    escape(&mut html, text);
    html
}

fn block(html: &mut String, block: &Block, shown: Shown<'_>) {
    match &block.kind {
        BlockKind::Margin { edge: Edge::Side, .. } | BlockKind::Margin { repeated: true, .. } => {}
        BlockKind::Heading { level, text } | BlockKind::Margin { level: Some(level), text, .. } => {
            let level = (*level).clamp(1, 6);
            element(html, &format!("h{level}"), "", |html| inline(html, text, (false, shown)));
        }
        BlockKind::Paragraph { text } => element(html, "p", "", |html| inline(html, text, (true, shown))),
        BlockKind::Margin { text, .. } => {
            element(html, "p", " class=\"margin\"", |html| inline(html, text, (true, shown)));
        }
        BlockKind::Footnote { text } => {
            element(html, "p", " class=\"footnote\"", |html| inline(html, text, (true, shown)));
        }
        BlockKind::Formula { latex } => {
            element(html, "p", "", |html| formula(html, latex, MathDisplay::Block, shown));
        }
        BlockKind::Code { text } => {
            element(html, "pre", "", |html| html.extend(["<code>", &escaped(text), "</code>"]));
        }
        BlockKind::List { items } => list(html, items, shown),
        BlockKind::Figure(of) => figure(html, of, shown),
        BlockKind::Table(table) => rows(html, table, shown),
    }
}

/// A table as an element, a row a line; there is no empty line in it.
#[must_use]
pub fn table(table: &Table) -> String {
    let mut html = String::new();
    rows(&mut html, table, Shown::Data);
    html
}

fn element(html: &mut String, name: &str, attributes: &str, inner: impl FnOnce(&mut String)) {
    html.extend(["<", name, attributes, ">"]);
    inner(html);
    html.extend(["</", name, ">\n"]);
}

/// A figure; a comment where there is nothing of it to be shown.
fn figure(html: &mut String, Figure { image, caption }: &Figure, shown: Shown<'_>) {
    let file = match shown {
        Shown::Page { folder } => image.as_ref().map(|name| (folder, name)),
        Shown::Data => None,
    };
    if file.is_none() && caption.is_empty() {
        html.push_str("<!-- image -->\n");
        return;
    }
    element(html, "figure", "", |html| {
        if let Some((folder, name)) = file {
            let (folder, alt) = (escaped(folder), escaped(&caption.text().replace('\n', " ")));
            html.extend(["<img src=\"", &folder, "/", name.as_str(), "\" alt=\"", &alt, "\">"]);
        }
        if !caption.is_empty() {
            html.push_str("<figcaption>");
            inline(html, caption, (true, shown));
            html.push_str("</figcaption>");
        }
    });
}

/// A list of whole numbers in order is one of HTML; numbers of other forms stand before their text.
fn list(html: &mut String, items: &[ListItem], shown: Shown<'_>) {
    let number =
        |item: &ListItem| item.number.as_deref().and_then(|n| n.trim_end_matches(['.', ')']).parse::<u32>().ok());
    let first = items.first().and_then(number);
    let counts = first.is_some_and(|first| (first..).zip(items).all(|(due, item)| number(item) == Some(due)));
    let (name, start) = match first {
        Some(1) | None if counts => ("ol", String::new()),
        Some(first) if counts => ("ol", format!(" start=\"{first}\"")),
        _ => ("ul", String::new()),
    };
    html.extend(["<", name, &start, ">\n"]);
    for item in items {
        html.push_str("<li>");
        if let Some(number) = item.number.as_deref().filter(|_| !counts) {
            html.extend([&escaped(number), " "]);
        }
        inline(html, &item.text, (true, shown));
        if !item.blocks.is_empty() {
            html.push('\n');
            item.blocks.iter().for_each(|inner| block(html, inner, shown));
        }
        html.push_str("</li>\n");
    }
    html.extend(["</", name, ">\n"]);
}

fn rows(html: &mut String, table: &Table, shown: Shown<'_>) {
    // A cell does not reach from one part of a table into another (HTML 4.9.12), so the head has all rows of its cells.
    let heads = table.rows.iter().enumerate().fold(table.header_rows as usize, |heads, (at, row)| {
        let lowest = row.iter().map(|cell| at + cell.rowspan.max(1) as usize).max().unwrap_or(heads);
        if at < heads { heads.max(lowest) } else { heads }
    });
    let (head, body) = table.rows.split_at(heads.min(table.rows.len()));
    html.push_str("<table>\n");
    for (part, name, rows) in [("thead", "th", head), ("tbody", "td", body)] {
        if !rows.is_empty() {
            html.extend(["<", part, ">\n"]);
            rows.iter().for_each(|row| cells(html, name, row, shown));
            html.extend(["</", part, ">\n"]);
        }
    }
    html.push_str("</table>\n");
}

fn cells(html: &mut String, name: &str, row: &[Cell], shown: Shown<'_>) {
    html.push_str("<tr>");
    for Cell { text, colspan, rowspan } in row {
        html.extend(["<", name]);
        for (attribute, span) in [("colspan", *colspan), ("rowspan", *rowspan)] {
            if span > 1 {
                let _ = write!(html, " {attribute}=\"{span}\"");
            }
        }
        html.push('>');
        inline(html, text, (name == "td", shown));
        html.extend(["</", name, ">"]);
    }
    html.push_str("</tr>\n");
}

/// `emphasis` is left out where everything is heavy: in heads.
fn inline(html: &mut String, text: &Inline, (emphasis, shown): (bool, Shown<'_>)) {
    for Run { text, style, link } in &text.runs {
        let RunStyle { bold, italic, code, math, script, strike } = style;
        let script = script.map(|script| match script {
            Script::Super => "sup",
            Script::Sub => "sub",
        });
        let looks_so = |is_set: &bool, tag| (*is_set && emphasis).then_some(tag);
        let looks = [looks_so(bold, "strong"), looks_so(italic, "em"), code.then_some("code"), script];
        let tags = [&[strike.then_some("s")], &looks[..]].concat();
        // Targets come from pages, so each is checked again where it is written.
        let link = link.as_deref().filter(|target| leads_out(target));
        if let Some(target) = link {
            html.extend(["<a href=\"", &escaped(target), "\">"]);
        }
        if *math {
            formula(html, text, MathDisplay::Inline, shown);
        } else {
            tags.iter().flatten().for_each(|tag| html.extend(["<", tag, ">"]));
            for (at, line) in text.split('\n').enumerate() {
                html.push_str(if at > 0 { "<br>\n" } else { "" });
                escape(html, line);
            }
            tags.iter().rev().flatten().for_each(|tag| html.extend(["</", tag, ">"]));
        }
        if link.is_some() {
            html.push_str("</a>");
        }
    }
}

/// A formula; between dollar signs where it is shown as it is written.
fn formula(html: &mut String, latex: &str, display: MathDisplay, shown: Shown<'_>) {
    match shown {
        Shown::Page { .. } => match mathml(latex, display) {
            Some(made) => html.push_str(&made),
            None => html.extend(["<code class=\"math\">$", &escaped(latex), "$</code>"]),
        },
        Shown::Data => html.extend(["<span class=\"math\">", &escaped(latex), "</span>"]),
    }
}

/// Whether a link leads to the web or to mail, and does nothing else.
fn leads_out(target: &str) -> bool {
    let lower = target.to_ascii_lowercase();
    ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme))
}

fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            // HTML has no other controls (13.2.3.5).
            c if c.is_control() && !matches!(c, '\n' | '\t') => {}
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;
    use crate::task::{ImageKind, ImageName};

    fn render(markdown: &str) -> String {
        blocks(&from_markdown(markdown).blocks)
    }

    #[test]
    fn what_pages_hold_is_shown() {
        let html = render(
            "# T\n\n| a | b |\n|---|---|\n| 1 | *2* |\n\nsee [x](https://e.org/?a=1&b=2), $x^2$  \nH<sub>2</sub>O\n\n- [x] done\n\n\
             3. c\n4. d\n\n```\na\n < b\n```\n\n<table><tr><td rowspan=2>s</td></tr></table>",
        );
        for part in [
            "<h1>T</h1>",
            "<thead>\n<tr><th>a</th><th>b</th></tr>\n</thead>",
            "<tr><td>1</td><td><em>2</em></td></tr>",
            "<a href=\"https://e.org/?a=1&amp;b=2\">x</a>",
            "<span class=\"math\">x^2</span>",
            "<br>\nH<sub>2</sub>O",
            "<ul>\n<li>☑ done</li>",
            "<ol start=\"3\">\n<li>c</li>\n<li>d</li>\n</ol>",
            "<pre><code>a\n &lt; b</code></pre>",
            "<td rowspan=\"2\">s</td>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn numbers_that_do_not_count_are_text_and_repeated_margins_are_left_out() {
        assert!(render("1. a\n1. b").contains("<ul>\n<li>1. a</li>\n<li>1. b</li>\n</ul>"));
        let margin = |edge, repeated| {
            Block::new(BlockKind::Margin { edge, level: None, text: Inline::plain("head"), repeated }, None)
        };
        assert_eq!(blocks(&[margin(Edge::Top, true), margin(Edge::Side, false)]), "");
        assert_eq!(blocks(&[margin(Edge::Bottom, false)]), "<p class=\"margin\">head</p>\n");
    }

    #[test]
    fn figures_are_shown_where_their_files_are() {
        let image = Some(ImageName::of(b"x", ImageKind::Png));
        let name = image.as_ref().map(ImageName::as_str).unwrap_or_default().to_owned();
        let of = |image, caption: &str| {
            Block::new(BlockKind::Figure(Figure { image, caption: Inline::plain(caption) }), None)
        };
        let both = [of(image, "A \"gate\" <b>"), of(None, "b"), of(None, "")];
        let caption = "<figcaption>A &quot;gate&quot; &lt;b&gt;</figcaption></figure>\n";
        let rest = "<figure><figcaption>b</figcaption></figure>\n<!-- image -->\n";
        assert_eq!(blocks(&both), format!("<figure>{caption}{rest}"));
        let picture = format!("<img src=\"a&quot;b/{name}\" alt=\"A &quot;gate&quot; &lt;b&gt;\">");
        assert_eq!(readable_blocks(&both, "a\"b"), format!("<figure>{picture}{caption}{rest}"));
    }

    #[test]
    fn a_head_has_all_rows_that_its_cells_reach() {
        let shown = render(
            "<table><tr><th rowspan=2>r</th><th colspan=2>y</th></tr><tr><td>a</td><td>b</td></tr>\
             <tr><td>1</td><td>2</td><td>3</td></tr></table>",
        );
        let (head, body) = shown.split_once("</thead>").unwrap();
        assert!(head.contains("<tr><th>a</th><th>b</th></tr>"), "{shown}");
        assert!(body.contains("<tr><td>1</td><td>2</td><td>3</td></tr>"), "{shown}");
    }

    #[test]
    fn formulas_are_shown_to_people() {
        let shown = readable_blocks(&from_markdown("$x^2$ and $\\nosuch{x}$\n\n$$\\frac12$$").blocks, "");
        assert!(shown.contains("<p><math><semantics><msup><mi>x</mi><mn>2</mn></msup>"), "{shown}");
        assert!(shown.contains("<code class=\"math\">$\\nosuch{x}$</code>"), "{shown}");
        assert!(shown.contains("<math display=\"block\">"), "{shown}");
    }

    #[test]
    fn nothing_in_a_page_can_act() {
        for attack in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "a <b onmouseover=alert(1)>b</b>",
            "[x](javascript:alert(1))",
            "[x]( JaVaScRiPt:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "![x](https://evil.example/pixel.png)",
            "![<script>](x)",
            "<javascript:alert(1)>",
            "[a]: javascript:alert(1)\n\n[a]",
            "```<script>\n</code></pre><script>alert(1)</script>\n```",
            "| <script> |\n|---|\n| <iframe src=x> |",
            "$</span><script>alert(1)</script>$",
            "[^1]\n\n[^1]: <svg onload=alert(1)>",
            "<!-- --><style>*{display:none}</style>",
            "[x](https://e.org \"\\\" onclick=alert(1) \\\"\")",
            "<https://e.org/\"onclick=alert(1)>",
        ] {
            let html = render(attack);
            let lower = html.to_ascii_lowercase();
            for tag in [
                "<script",
                "<img",
                "<iframe",
                "<svg",
                "<style",
                "<b ",
                "javascript:\"",
                "href=\"javascript",
                "href=\"data",
            ] {
                assert!(!lower.contains(tag), "{attack:?} became {html}");
            }
            // Every attribute is one that the renderer writes.
            for piece in lower.split('<').skip(1).filter_map(|piece| piece.split_once('>')) {
                let outside: String = piece.0.split('"').step_by(2).collect();
                let attributes = outside.split_once(' ').map_or("", |(_, attributes)| attributes);
                assert!(!attributes.contains("on"), "{attack:?} became {html}");
            }
        }
    }
}
