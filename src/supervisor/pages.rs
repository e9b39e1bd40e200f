//! The pages of a task as they are now, read from its result or from the ledger.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use super::results::{ResultFile, whole_file};
use crate::aggregate::{Forms, page_of_line, page_view};
use crate::blob::LocalBlob;
use crate::job::JobPages;
use crate::ledger::{Ledger, PageHashes, RecipeHash};
use crate::task::{PageRanges, PageStatus, PageView, TaskRecord};

/// Which pages of a task to show.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PageWindow {
    /// Pages before this one are left out.
    pub from: u32,
    /// At most so many.
    pub limit: usize,
    /// Only pages that stand so.
    pub status: Option<PageStatus>,
    /// No page of these.
    pub except: PageRanges,
}

impl Default for PageWindow {
    fn default() -> Self {
        Self { from: 1, limit: usize::MAX, status: None, except: PageRanges::default() }
    }
}

/// Reads the window; `None` when the task's result is not what was written. Blocks; belongs on a blocking thread.
pub(super) fn read_pages(
    blob: &LocalBlob,
    ledger: &Ledger,
    record: &TaskRecord,
    live: &JobPages,
    (hashes, recipes): (&PageHashes, &[RecipeHash]),
    window: &PageWindow,
) -> io::Result<Option<Vec<PageView>>> {
    let wanted = |view: &PageView| {
        window.status.is_none_or(|status| status == view.status) && !window.except.contains(view.page)
    };
    if record.status.is_final() && record.result_path.is_some() {
        // Written by this very epoch: the result is a file beside the Markdown.
        let Some(path) = whole_file(blob, record, ResultFile::Json)? else { return Ok(None) };
        let file = File::open(path)?;
        let mut views = Vec::new();
        for line in BufReader::with_capacity(64 * 1024, file).lines() {
            let view = page_of_line(&line?, window.from).filter(wanted);
            views.extend(view);
            if views.len() >= window.limit {
                break;
            }
        }
        return Ok(Some(views));
    }
    let mut views = Vec::new();
    for page in record.page_numbers().into_iter().filter(|page| *page >= window.from && !window.except.contains(*page))
    {
        if views.len() >= window.limit {
            break;
        }
        let view = match live.failed.get(&page) {
            Some(failed) => PageView::failed(page, failed.clone()),
            // Of a task that goes on, what another server reads is its own news.
            None => match hashes.find(ledger, page, recipes, record.status.is_final())? {
                Some(output) => page_view(page, output, Forms::from(&record.options)),
                None if live.running.contains(&page) => PageView::unfinished(page, PageStatus::Processing),
                None => PageView::unfinished(page, PageStatus::Pending),
            },
        };
        views.extend(Some(view).filter(wanted));
    }
    Ok(Some(views))
}
