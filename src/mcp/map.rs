//! What is in a document, without its text: how its pages were read, what is known against them, and its headings.

use std::fmt::Write;

use super::answer::{Cursor, Text};
use crate::content::BlockKind;
use crate::task::{Cost, PageStatus, PageView, TaskRecord};

/// What is to be told of the pages.
#[derive(Default)]
pub(super) struct Pages {
    /// First and last page, and how those between were read.
    runs: Vec<(u32, u32, String)>,
    /// Page, level and text of each heading.
    headings: Vec<(u32, u8, String)>,
}

impl Pages {
    /// Adds the next page.
    pub(super) fn add(&mut self, page: &PageView) {
        let state = state(page);
        match self.runs.last_mut() {
            Some((_, last, same)) if *same == state && *last + 1 == page.page => *last = page.page,
            _ => self.runs.push((page.page, page.page, state)),
        }
        for block in page.blocks.iter().flatten() {
            if let BlockKind::Heading { level, text } = &block.kind {
                self.headings.push((page.page, *level, text.text().split_whitespace().collect::<Vec<_>>().join(" ")));
            }
        }
    }
}

fn state(page: &PageView) -> String {
    if page.status != PageStatus::Done {
        return page.absence().unwrap_or_default();
    }
    let mut state = page.processor.clone().unwrap_or_default();
    if let Some(model) = &page.model {
        let _ = write!(state, " ({model})");
    }
    let doubts: Vec<&str> =
        page.findings.iter().filter(|finding| finding.code.is_doubt()).map(|finding| finding.code.as_str()).collect();
    if !doubts.is_empty() {
        let _ = write!(state, "; doubtful: {}", doubts.join(", "));
    }
    state
}

/// The map, or what is left of it behind `cursor`.
pub(super) fn text(record: &TaskRecord, pages: &Pages, cursor: Cursor) -> String {
    let mut text = Text::from(cursor);
    // Each line is a page to the cursor.
    let mut number = 0;
    let mut add = |line: &str| {
        number += 1;
        number < cursor.page || text.add(number, line)
    };
    let run = |(first, last, state): &(u32, u32, String)| {
        if first == last { format!("- {first}: {state}\n") } else { format!("- {first}-{last}: {state}\n") }
    };
    let indent = |level: u8| "  ".repeat(level.saturating_sub(1).into());
    let heading = |(page, level, text): &(u32, u8, String)| format!("{}- {text} (page {page})\n", indent(*level));
    let _ = add(&summary(record))
        && add("\nHow pages were read:\n")
        && pages.runs.iter().all(|pages| add(&run(pages)))
        && (pages.headings.is_empty() || add("\nHeadings:\n") && pages.headings.iter().all(|one| add(&heading(one))));
    text.finish("map")
}

fn summary(record: &TaskRecord) -> String {
    let counts = &record.counts;
    let mut text = format!("task {}: {}", record.id, record.status.as_str());
    if let Some(name) = &record.file_name {
        let _ = write!(text, ", {name}");
    }
    if let Some(total) = record.total_pages {
        let _ = write!(
            text,
            ", {total} pages: {} read, {} failed, {} doubtful",
            counts.done, counts.failed, counts.doubtful
        );
    }
    if let Some(cost) = record.usage.cost {
        let _ = write!(text, "; cost {}", Cost::amount(cost));
    }
    if let Some(failure) = &record.error {
        let _ = write!(text, "; {}", failure.message);
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;
    use crate::task::{Failure, Finding, PageFailure};

    #[test]
    fn pages_that_were_read_alike_stand_together() {
        let read = |page, markdown: &str| PageView {
            processor: Some("text".into()),
            blocks: Some(from_markdown(markdown).blocks),
            ..PageView::unfinished(page, PageStatus::Done)
        };
        let mut pages = Pages::default();
        for page in [
            read(1, "# One"),
            read(2, "x"),
            PageView { findings: vec![Finding::unfaithful()], model: Some("m".into()), ..read(3, "## Two\n\nx") },
            PageView::failed(4, PageFailure { failure: Failure::permanent("timeout", "x"), attempts: 1 }),
            read(6, "x"),
        ] {
            pages.add(&page);
        }
        let expected = [
            (1, 2, "text".to_owned()),
            (3, 3, "text (m); doubtful: unfaithful".to_owned()),
            (4, 4, "failed: timeout".to_owned()),
            (6, 6, "text".to_owned()),
        ];
        assert_eq!(pages.runs, expected);
        assert_eq!(pages.headings, [(1, 1, "One".to_owned()), (3, 2, "Two".to_owned())]);
    }
}
