//! Pictures in Markdown that a model wrote. It sees a page and has no files: where its links lead, nothing is, or something of
//! others. So none stays: what it says of a picture does, beside a placeholder.

use std::borrow::Cow;
use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::PLACEHOLDER;
use crate::content::{image_alt, is_generic};
use crate::task::FigureForm;

/// `markdown` without links to pictures.
pub(super) fn without_links(markdown: &str, form: FigureForm) -> Cow<'_, str> {
    let has_tags = || markdown.contains('<') && markdown.to_ascii_lowercase().contains("<img");
    if !(markdown.contains("![") || has_tags()) {
        return Cow::Borrowed(markdown);
    }
    let mut written = String::with_capacity(markdown.len());
    let mut from = 0;
    for (range, replacement) in replaced(markdown, form) {
        if range.start >= from {
            written.push_str(&markdown[from..range.start]);
            written.push_str(&replacement);
            from = range.end;
        }
    }
    written.push_str(&markdown[from..]);
    Cow::Owned(written)
}

/// What stands in place of which part, in their order.
fn replaced(markdown: &str, form: FigureForm) -> Vec<(Range<usize>, String)> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_FOOTNOTES | Options::ENABLE_STRIKETHROUGH;
    let mut replaced = Vec::new();
    // Pictures that are open, with where what is said of them begins and ends.
    let mut open: Vec<(Range<usize>, Option<Range<usize>>)> = Vec::new();
    let (mut depth, mut links, mut paragraph) = (0_u32, 0_u32, None);
    for (event, range) in Parser::new_ext(markdown, options).into_offset_iter() {
        let is_edge = matches!(event, Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image));
        if let Some((_, said)) = open.last_mut().filter(|_| !is_edge) {
            *said = Some(said.take().map_or_else(|| range.clone(), |said| said.start..range.end.max(said.end)));
        }
        match event {
            Event::Start(Tag::Image { .. }) => open.push((range, None)),
            Event::End(TagEnd::Image) => {
                let Some((place, said)) = open.pop() else { continue };
                let said = said.map_or("", |said| &markdown[said]);
                let alone = depth == 1 && paragraph.as_ref().is_some_and(|all| is_all(markdown, all, &place));
                if open.is_empty() {
                    replaced.push((place, stands_in(said, form, alone, links > 0)));
                }
            }
            Event::InlineHtml(_) | Event::Html(_) if open.is_empty() => {
                replaced.extend(tags(&markdown[range.clone()]).map(|tag| {
                    let said = image_alt(&markdown[range.clone()][tag.clone()]).unwrap_or_default();
                    let said = said.replace(['<', '>'], "");
                    (range.start + tag.start..range.start + tag.end, stands_in(&said, form, false, links > 0))
                }));
            }
            Event::Start(tag) => {
                depth += 1;
                links += u32::from(matches!(tag, Tag::Link { .. }));
                if matches!(tag, Tag::Paragraph) {
                    paragraph = Some(range);
                }
            }
            Event::End(tag) => {
                depth = depth.saturating_sub(1);
                links -= u32::from(matches!(tag, TagEnd::Link));
            }
            _ => {}
        }
    }
    replaced
}

fn is_all(markdown: &str, all: &Range<usize>, part: &Range<usize>) -> bool {
    markdown[all.clone()].trim() == &markdown[part.clone()]
}

/// What stands in place of a picture of which so much is said.
fn stands_in(said: &str, form: FigureForm, alone: bool, linked: bool) -> String {
    let said = if is_generic(said) { "" } else { said.trim() };
    let placeholder = if form == FigureForm::None || linked { "" } else { PLACEHOLDER };
    let gap = match (placeholder, said) {
        ("", _) | (_, "") => "",
        _ if alone => "\n\n",
        _ => " ",
    };
    let named = if linked && said.is_empty() { "image" } else { said };
    [placeholder, gap, named].concat()
}

/// Where tags of pictures are in some HTML.
fn tags(html: &str) -> impl Iterator<Item = Range<usize>> {
    let lower = html.to_ascii_lowercase();
    let starts: Vec<usize> = lower.match_indices("<img").map(|(at, _)| at).collect();
    starts.into_iter().filter_map(move |start| {
        let follows = lower[start + 4..].starts_with(|c: char| c.is_whitespace() || matches!(c, '>' | '/'));
        let end = lower[start..].find('>').filter(|_| follows)?;
        Some(start..start + end + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_link_to_a_picture_stays_and_what_it_says_does() {
        for (markdown, expected) in [
            ("no pictures", "no pictures"),
            ("![Figure 2: the lock](fig2.png)\n\ntext", "<!-- image -->\n\nFigure 2: the lock\n\ntext"),
            ("![](https://example.org/x.png)", "<!-- image -->"),
            ("![img-0.jpeg](img-0.jpeg)", "<!-- image -->"),
            ("press ![the **red** button](b.svg \"x\") twice", "press <!-- image --> the **red** button twice"),
            ("[![logo of a firm](l.png)](https://e.org)", "[logo of a firm](https://e.org)"),
            ("[![](l.png)](https://e.org)", "[image](https://e.org)"),
            ("- ![a plan](p.png)\n- b", "- <!-- image --> a plan\n- b"),
            ("| ![a](b) | c |\n|---|---|", "| <!-- image --> a | c |\n|---|---|"),
            ("`![a](b)` and\n\n```\n![a](b)\n<img src=x>\n```", "`![a](b)` and\n\n```\n![a](b)\n<img src=x>\n```"),
            ("\\![a](https://e.org)", "\\![a](https://e.org)"),
            ("<div>\n<IMG src=\"x.jpg\" alt=\"A gate\" />\n</div>\n\nb", "<div>\n<!-- image --> A gate\n</div>\n\nb"),
            ("a <img src='x'> b", "a <!-- image --> b"),
            ("![a][ref]\n\n[ref]: x.png", "<!-- image -->\n\na\n\n[ref]: x.png"),
        ] {
            assert_eq!(without_links(markdown, FigureForm::Placeholder), expected, "{markdown}");
            assert_eq!(without_links(markdown, FigureForm::Extract), expected, "{markdown}");
            let none = without_links(markdown, FigureForm::None);
            assert!(!none.contains("<!--"), "{none}");
        }
        assert_eq!(without_links("![a plan](x)", FigureForm::None), "a plan");
    }
}
