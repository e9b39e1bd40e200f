//! A page's Markdown as HTML that can do no harm.
//!
//! Pages come from strangers' PDFs by way of models, so nothing of them is trusted: HTML in them is shown as text, links
//! lead only to the web and to mail, and pictures are named, not loaded.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// Schemes that a link may have.
const SCHEMES: [&str; 3] = ["http://", "https://", "mailto:"];

/// Renders Markdown (`CommonMark` with tables, footnotes, strikethrough, task lists and formulas).
pub(super) fn render(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_MATH;
    let mut rendered = String::with_capacity(markdown.len() * 5 / 4);
    html::push_html(&mut rendered, Parser::new_ext(markdown, options).map(harmless));
    rendered
}

fn harmless(event: Event<'_>) -> Event<'_> {
    match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        Event::Start(Tag::HtmlBlock) => Event::Start(Tag::Paragraph),
        Event::End(TagEnd::HtmlBlock) => Event::End(TagEnd::Paragraph),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = if is_harmless(&dest_url) { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        // What it shows stands between its start and its end.
        Event::Start(Tag::Image { .. }) => Event::Text(CowStr::Borrowed("[picture: ")),
        Event::End(TagEnd::Image) => Event::Text(CowStr::Borrowed("]")),
        other => other,
    }
}

fn is_harmless(url: &str) -> bool {
    let lower = url.trim_start().to_ascii_lowercase();
    url.starts_with('#') || SCHEMES.iter().any(|scheme| lower.starts_with(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pages_hold_is_shown() {
        let html =
            render("# T\n\n| a | b |\n|---|---|\n| 1 | *2* |\n\nsee [x](https://e.org/?a=1&b=2), $x^2$\n\n- [x] done");
        for part in ["<h1>T</h1>", "<td>1</td>", "<em>2</em>", "href=\"https://e.org/?a=1&amp;b=2\"", "x^2", "checkbox"]
        {
            assert!(html.contains(part), "{part} in {html}");
        }
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
                assert!(!outside.contains("on"), "{attack:?} became {html}");
            }
        }
    }
}
