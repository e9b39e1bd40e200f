//! The pages of a task as they are now, read from its result or from the ledger.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use futures::future::Either;
use futures::{Stream, TryStreamExt, stream};

use super::handle::Handle;
use super::messages::RequestError;
use super::results::{ResultFile, unreadable, whole_file};
use crate::aggregate::{Forms, page_of_line, page_of_line_without_blocks, page_view};
use crate::blob::LocalBlob;
use crate::job::JobPages;
use crate::ledger::{Ledger, PageHashes, RecipeHash};
use crate::task::{PageRanges, PageStatus, PageView, TaskId, TaskRecord};

/// Bytes of a result that are read and decoded at once: fewer, where all of them are, so that two cores share the work.
const BATCH: usize = 1024 * 1024;
const SMALL_BATCH: usize = 128 * 1024;
/// So many batches are decoded beside each other, where there are cores for them: bounds what an answer holds in memory.
const MOST_DECODERS: usize = 4;
/// Pages of a task without a result that are read at once.
const WINDOW: usize = 64;

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
        let (mut batches, mut views) = (Batches::of(File::open(path)?, SMALL_BATCH), Vec::new());
        while let Some(batch) = batches.next()? {
            let pages = batch.lines().filter_map(|line| page_of_line(line, window.from)).filter(wanted);
            views.extend(pages.take(window.limit - views.len()));
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

/// What of a page is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageParts {
    /// All of it.
    All,
    /// What it says as Markdown, and what is known of it.
    WithoutBlocks,
}

impl Handle {
    /// The pages of a task from page `from` on, in order, some at a time. A result is read through once, however many pages it
    /// has, and some batches of it are decoded beside each other.
    ///
    /// # Errors
    /// As [`Self::pages`].
    pub(crate) fn page_batches(
        &self,
        id: TaskId,
        from: u32,
        parts: PageParts,
    ) -> impl Stream<Item = Result<Vec<PageView>, RequestError>> + use<> {
        let handle = self.clone();
        let begun = async move {
            match handle.stored_result(id, ResultFile::Json, true).await {
                Ok((_, path)) => Ok(Either::Left(of_result(path, from, parts))),
                Err(RequestError::ResultNotReady(_)) => Ok(Either::Right(windows(handle, id, from))),
                Err(error) => Err(error),
            }
        };
        stream::once(begun).try_flatten()
    }
}

fn of_result(path: PathBuf, from: u32, parts: PageParts) -> impl Stream<Item = Result<Vec<PageView>, RequestError>> {
    let (size, page): (_, fn(&str, u32) -> Option<PageView>) = match parts {
        PageParts::All => (SMALL_BATCH, page_of_line),
        PageParts::WithoutBlocks => (BATCH, page_of_line_without_blocks),
    };
    let decoded = move |batch: &str| batch.lines().filter_map(|line| page(line, from)).collect::<Vec<_>>();
    let batches = stream::try_unfold(Source::Closed(path), move |source| {
        blocking(move || {
            let mut batches = source.opened(size)?;
            let batch = batches.next()?.map(|batch| match parts {
                PageParts::All => Batch::Read(batch),
                // Little is decoded then: to hand it on would take longer.
                PageParts::WithoutBlocks => Batch::Decoded(decoded(&batch)),
            });
            Ok(batch.map(|batch| (batch, Source::Open(batches))))
        })
    });
    let decoders = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(MOST_DECODERS));
    let decode = move |batch| async move {
        match batch {
            Batch::Decoded(pages) => Ok(pages),
            Batch::Read(batch) => blocking(move || Ok(decoded(&batch))).await,
        }
    };
    batches.map_ok(decode).try_buffered(decoders)
}

/// A result, before and after it is opened.
enum Source {
    Closed(PathBuf),
    Open(Batches),
}

impl Source {
    fn opened(self, size: usize) -> io::Result<Batches> {
        match self {
            Self::Closed(path) => File::open(path).map(|file| Batches::of(file, size)),
            Self::Open(batches) => Ok(batches),
        }
    }
}

enum Batch {
    Read(String),
    Decoded(Vec<PageView>),
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, RequestError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| RequestError::Stopping)?.map_err(|error| unreadable(&error))
}

/// Those of a task that has no result.
fn windows(handle: Handle, id: TaskId, from: u32) -> impl Stream<Item = Result<Vec<PageView>, RequestError>> {
    stream::try_unfold((handle, Some(from)), move |(handle, from)| async move {
        let Some(from) = from else { return Ok(None) };
        let window = PageWindow { from, limit: WINDOW, ..PageWindow::default() };
        let (_, views) = handle.pages(id, window).await?;
        let next = views.last().filter(|_| views.len() == WINDOW).map(|view| view.page + 1);
        Ok(Some((views, (handle, next))))
    })
}

/// The text of a file in batches of whole lines.
struct Batches {
    file: File,
    /// About how many bytes are read at once.
    size: usize,
    /// What was read behind the last whole line.
    rest: Vec<u8>,
}

impl Batches {
    const fn of(file: File, size: usize) -> Self {
        Self { file, size, rest: Vec::new() }
    }

    /// The next lines; `None` at the end.
    fn next(&mut self) -> io::Result<Option<String>> {
        let mut batch = std::mem::take(&mut self.rest);
        loop {
            let searched = batch.len();
            batch.reserve(self.size);
            let read = (&self.file).take(self.size as u64).read_to_end(&mut batch)?;
            let end = match memchr::memrchr(b'\n', &batch[searched..]) {
                _ if read < self.size => batch.len(),
                Some(at) => searched + at + 1,
                None => continue,
            };
            self.rest = batch.split_off(end);
            let text = String::from_utf8(batch).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
            return Ok((!text.is_empty()).then_some(text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_whole_lines_of_any_length() {
        const SIZE: usize = 1_000;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lines");
        for (length, lines) in [(10, 10_000), (SIZE - 1, 3), (SIZE, 2), (3 * SIZE + 7, 3), (0, 5), (0, 0)] {
            for end in ["", "the end"] {
                let text = format!("{}\n", "é".repeat(length / 2)).repeat(lines) + end;
                std::fs::write(&path, &text).unwrap();
                let (mut batches, mut read) = (Batches::of(File::open(&path).unwrap(), SIZE), String::new());
                while let Some(batch) = batches.next().unwrap() {
                    assert!(batch.ends_with('\n') || read.len() + batch.len() == text.len(), "{length}");
                    read.push_str(&batch);
                }
                assert!(read == text, "{length} {lines}");
            }
        }
    }
}
