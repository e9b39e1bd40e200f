//! Seams: what goes on over the break between two pages.
//!
//! A pure function over two neighbours, when a result is written: pages stay independent of each other, and what is kept of
//! them stays as it is. Joined is only what cannot be whole: a paragraph that ends amid a sentence before one that begins in
//! lower case, and a table whose columns, and head where it has one, come again. What is joined stands on the first page.

use crate::content::{Block, BlockKind, Edge, Inline, PageContent, Table};

/// Joins what goes on from one page on the next. Returns whether anything did; Markdown of a model's own is then written from
/// its blocks.
pub fn join_seam(before: &mut PageContent, after: &mut PageContent) -> bool {
    let last = before.blocks.iter().rposition(is_body);
    let first = after.blocks.iter().position(is_body);
    let (Some(last), Some(first)) = (last, first) else { return false };
    // A note, or something in the margin that stays, would stand between the two.
    if after.blocks[..first].iter().any(is_shown) {
        return false;
    }
    let joined = match (&mut before.blocks[last].kind, &after.blocks[first].kind) {
        (BlockKind::Paragraph { text }, BlockKind::Paragraph { text: rest }) if goes_on(text, rest) => {
            join(text, rest);
            true
        }
        (BlockKind::Table(table), BlockKind::Table(rest)) if continues(table, rest) => {
            let heads = if rest.header_rows == 0 { 0 } else { table.header_rows };
            table.rows.extend(rest.rows.iter().skip(heads as usize).cloned());
            true
        }
        _ => false,
    };
    if joined {
        after.blocks.remove(first);
        (before.markdown, after.markdown) = (None, None);
    }
    joined
}

/// Whether a block is part of the running text.
const fn is_body(block: &Block) -> bool {
    !matches!(block.kind, BlockKind::Margin { .. } | BlockKind::Footnote { .. } | BlockKind::Figure(_))
}

fn is_shown(block: &Block) -> bool {
    match block.kind {
        BlockKind::Margin { edge, repeated, .. } => edge != Edge::Side && !repeated,
        // Text goes on around figures.
        BlockKind::Figure(_) => false,
        _ => true,
    }
}

/// Whether a text ends amid a sentence that the next one goes on with.
fn goes_on(text: &Inline, rest: &Inline) -> bool {
    let text = text.text();
    let amid =
        text.trim_end().ends_with(|c: char| c.is_alphanumeric() || matches!(c, ',' | '-' | '\u{2010}' | '\u{ad}'));
    amid && rest.text().starts_with(char::is_lowercase)
}

fn join(text: &mut Inline, rest: &Inline) {
    let said = text.text();
    let mut end = said.trim_end().chars().rev();
    let hyphen = matches!(end.next(), Some('-' | '\u{2010}' | '\u{ad}')) && end.next().is_some_and(char::is_alphabetic);
    if let Some(run) = text.runs.last_mut() {
        run.text.truncate(run.text.trim_end().len());
        if hyphen {
            // As at the end of a line within a page.
            run.text.pop();
        }
    }
    if !hyphen {
        text.push(" ", crate::content::RunStyle::default(), None);
    }
    rest.runs.iter().for_each(|run| text.push(run.text.as_str(), run.style, run.link.as_deref()));
    text.runs.retain(|run| !run.text.is_empty());
}

/// Whether `rest` is more of `table`: as wide, and under the same head or under none.
fn continues(table: &Table, rest: &Table) -> bool {
    let width = |table: &Table| {
        table.rows.iter().map(|row| row.iter().map(|cell| cell.colspan).sum::<u32>()).max().unwrap_or(0)
    };
    let head = |table: &Table| -> Vec<Vec<String>> {
        let head = table.rows.iter().take(table.header_rows as usize);
        head.map(|row| row.iter().map(|cell| cell.text.text()).collect()).collect()
    };
    width(table) == width(rest) && width(table) > 1 && (rest.header_rows == 0 || head(table) == head(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;
    use crate::output::markdown;

    fn joined(before: &str, after: &str) -> Option<(String, String)> {
        let [mut before, mut after] = [before, after].map(from_markdown);
        let whole = [before.clone(), after.clone()];
        if !join_seam(&mut before, &mut after) {
            assert_eq!([before, after], whole, "nothing changes");
            return None;
        }
        Some((markdown::page(&before), markdown::page(&after)))
    }

    #[test]
    fn what_is_cut_by_the_break_is_joined() {
        for (before, after, expected) in [
            ("# T\n\nIt goes on", "over the page.\n\nNext.", ("# T\n\nIt goes on over the page.", "Next.")),
            ("a hyphen-", "ated word", ("a hyphenated word", "")),
            ("one, **two**,", "*three and* more", ("one, **two**, *three and* more", "")),
            (
                "| a | b |\n|---|---|\n| 1 | 2 |",
                "| a | b |\n|---|---|\n| 3 | 4 |",
                ("| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |", ""),
            ),
        ] {
            let expected = (expected.0.to_owned(), expected.1.to_owned());
            assert_eq!(joined(before, after), Some(expected), "{before:?} {after:?}");
        }
    }

    #[test]
    fn what_may_be_whole_is_not() {
        for (before, after) in [
            ("It ends.", "and not on"),
            ("It ends", "With a capital"),
            ("It ends:", "so"),
            ("# a heading", "goes on"),
            ("text", "- item"),
            ("text", "# b"),
            ("", "text"),
            ("text", ""),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "| c | d |\n|---|---|\n| 3 | 4 |"),
            ("| a | b |\n|---|---|\n| 1 | 2 |", "| a |\n|---|\n| 3 |"),
        ] {
            assert_eq!(joined(before, after), None, "{before:?} {after:?}");
        }
    }

    #[test]
    fn margins_and_notes_do_not_stand_in_the_way_of_text() {
        let block = |kind| Block::new(kind, None);
        let margin =
            |edge, repeated| block(BlockKind::Margin { edge, level: None, text: Inline::plain("The book"), repeated });
        let text = |said: &str| block(BlockKind::Paragraph { text: Inline::plain(said) });
        let note = block(BlockKind::Footnote { text: Inline::plain("1 A note.") });
        let before = PageContent::new(vec![text("It goes"), note, margin(Edge::Bottom, false)]);
        for (repeated, expected) in [(true, true), (false, false)] {
            let mut after = PageContent::new(vec![margin(Edge::Top, repeated), text("on.")]);
            assert_eq!(join_seam(&mut before.clone(), &mut after), expected, "{repeated}");
        }
    }
}
