//! Writing the results of a job: its pages, as they are in their document, joined in their order.
//!
//! **Write order.** The JSON result is in place before the Markdown, whose presence means "complete".

use std::collections::HashMap;
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::perform::{Workshop, storage_failed};
use super::work::{Bind, BindOutcome, JobSpec};
use crate::aggregate::{Headings, JsonWriter, MarkdownWriter, RepeatedMargins, SeenMargins, join_seam, page_view};
use crate::blob::{LocalBlob, Staging};
use crate::content::{Block, BlockKind, PageContent};
use crate::failpoint;
use crate::task::{DocumentInfo, Failure, Finding, FindingCode, PageOutput, PageStatus, PageView, ResultDigests};

/// So many parts of pages are held at once, of some hundred bytes each: memory must not grow with a document's pages.
const MOST_PARTS: usize = 20_000;

/// How many parts a page has that take memory.
fn parts(content: &PageContent) -> usize {
    let of_block = |block: &Block| match &block.kind {
        BlockKind::Table(table) => table.rows.iter().map(Vec::len).sum(),
        BlockKind::List { items } => items.len(),
        _ => 0,
    };
    // A model's Markdown is held twice.
    let markdown = content.markdown.as_ref().map_or(0, |markdown| markdown.len() / 100);
    markdown + content.blocks.iter().map(|block| 1 + of_block(block)).sum::<usize>()
}

impl Workshop {
    /// Writes both results; or, when pages are missing that must not be, says which and writes nothing.
    pub(super) fn bind(&self, spec: &JobSpec, bind: &Bind) -> Result<BindOutcome, Failure> {
        let (repeated, read) = self.repeated(spec, bind).map_err(|e| storage_failed(&e))?;
        let (headings, document) = self.document(spec)?;
        let front_matter = (spec.options.front_matter == Some(true)).then(|| {
            document.front_matter(spec.file_name.as_deref(), u32::try_from(bind.pages.len()).unwrap_or(u32::MAX))
        });
        let bound = self.try_bind(spec, bind, (&repeated, read), &headings, front_matter.as_deref());
        let [markdown, json] = match bound.map_err(|e| storage_failed(&e))? {
            Bound::Missing(pages) => return Ok(BindOutcome::Missing(pages)),
            Bound::Staged(files) => *files,
        };
        let (markdown, json) = (markdown.finish(), json.finish());
        let digests = ResultDigests { markdown: markdown.digest(), json: json.digest(), document };
        let files = [(json, &*spec.json_key), (markdown, &*spec.markdown_key)];
        failpoint::pass("bind.staged").map_err(|e| storage_failed(&e))?;
        self.blob.commit_all(files).map_err(|e| storage_failed(&e))?;
        failpoint::pass("bind.done").map_err(|e| storage_failed(&e))?;
        Ok(BindOutcome::Written(Box::new(digests)))
    }

    /// The titles of the document's outline, and what it says of itself. Without an outline, or with one that cannot be read,
    /// the pages say what is a title.
    fn document(&self, spec: &JobSpec) -> Result<(Headings, DocumentInfo), Failure> {
        let document = self.readers.open(&spec.source_path, spec.options.password.as_deref(), &spec.limits);
        // A job that gave up has its attempts cancelled, and binds what is there.
        let unstopped = CancellationToken::new();
        let deadline = Instant::now() + spec.attempt_timeout;
        match document.and_then(|document| document.reader().until(deadline, &unstopped).outline()) {
            Ok((entries, info)) => Ok((Headings::of(entries), info)),
            Err(why) if why.is_lack() => Err(why),
            Err(why) => {
                log::debug!(task:% = spec.task, code:% = why.code; "the outline cannot be read");
                Ok((Headings::default(), DocumentInfo::default()))
            }
        }
    }

    /// What the margins of the pages have in common; and some of these pages, which need not be read again.
    fn repeated(&self, spec: &JobSpec, bind: &Bind) -> io::Result<(RepeatedMargins, HashMap<u32, PageOutput>)> {
        let (mut seen, mut read, mut room) = (SeenMargins::default(), HashMap::new(), MOST_PARTS);
        for &page in bind.pages.iter().filter(|page| !bind.failed.contains_key(page)) {
            if let Some(output) = self.known(spec, page)? {
                seen.look_at(page, &output.content);
                if let Some(left) = room.checked_sub(parts(&output.content)) {
                    room = left;
                    read.insert(page, output);
                }
            }
        }
        Ok((seen.repeated(), read))
    }

    fn try_bind(
        &self,
        spec: &JobSpec,
        bind: &Bind,
        (repeated, mut read): (&RepeatedMargins, HashMap<u32, PageOutput>),
        headings: &Headings,
        front_matter: Option<&str>,
    ) -> io::Result<Bound> {
        let repeated = Some(repeated).filter(|_| spec.options.keep_headers != Some(true));
        let tables = spec.options.tables.unwrap_or_default();
        let mut writers = Writers::new(&self.blob, spec)?;
        if let Some(front_matter) = front_matter {
            writers.markdown.front_matter(front_matter)?;
        }
        let (mut missing, mut before) = (Vec::new(), None::<(u32, PageOutput)>);
        for &page in bind.pages.iter() {
            let output = if bind.failed.contains_key(&page) {
                None
            } else {
                let output = read.remove(&page).map_or_else(|| self.known(spec, page), |output| Ok(Some(output)))?;
                output.map(|output| set_in_document(page, output, repeated, headings))
            };
            match (bind.failed.get(&page), &output) {
                (None, None) => missing.push(page),
                _ if !missing.is_empty() && bind.complete => continue,
                _ => {}
            }
            let mut output = output;
            if let (Some((last, before)), Some(output)) = (&mut before, &mut output)
                && spec.options.seams == Some(true)
                && *last + 1 == page
            {
                join_seam(&mut before.content, &mut output.content);
            }
            if let Some((last, output)) = before.take() {
                writers.page(&page_view(last, output, tables))?;
            }
            match (output, bind.failed.get(&page)) {
                // What follows may go on with it.
                (Some(output), _) => before = Some((page, output)),
                (None, Some(failed)) => writers.page(&PageView::failed(page, failed.clone()))?,
                (None, None) => writers.page(&PageView::unfinished(page, PageStatus::Pending))?,
            }
        }
        if bind.complete && !missing.is_empty() {
            return Ok(Bound::Missing(missing));
        }
        if let Some((last, output)) = before {
            writers.page(&page_view(last, output, tables))?;
        }
        writers.finish()
    }
}

/// A page as it is in its document: without what other pages repeat, unless that is kept, and with the outline's titles.
fn set_in_document(
    page: u32,
    mut output: PageOutput,
    repeated: Option<&RepeatedMargins>,
    headings: &Headings,
) -> PageOutput {
    // What a model wrote stays as it is.
    if output.content.markdown.is_none() {
        let removed = repeated.map(|repeated| repeated.mark(page, &mut output.content)).unwrap_or_default();
        headings.set(page, &mut output.content);
        let finding = (!removed.is_empty()).then(|| Finding::new(FindingCode::MarginRemoved, removed.join("\n")));
        output.findings.extend(finding);
    }
    output
}

enum Bound {
    Missing(Vec<u32>),
    Staged(Box<[Staging; 2]>),
}

/// Both results, as they grow.
struct Writers<'a> {
    markdown: MarkdownWriter<'a, BufWriter<StagingWriter>>,
    json: JsonWriter<BufWriter<StagingWriter>>,
}

impl<'a> Writers<'a> {
    fn new(blob: &LocalBlob, spec: &'a JobSpec) -> io::Result<Self> {
        let markdown = MarkdownWriter::new(buffered(blob.stage()?), &spec.options);
        Ok(Self { markdown, json: JsonWriter::new(buffered(blob.stage()?)) })
    }

    fn page(&mut self, view: &PageView) -> io::Result<()> {
        self.markdown.page(view)?;
        self.json.page(view)
    }

    fn finish(self) -> io::Result<Bound> {
        let inner =
            |out: BufWriter<StagingWriter>| out.into_inner().map(|writer| writer.0).map_err(IntoInnerError::into_error);
        Ok(Bound::Staged(Box::new([inner(self.markdown.into_inner())?, inner(self.json.finish()?)?])))
    }
}

struct StagingWriter(Staging);

impl Write for StagingWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map(|()| bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn buffered(staging: Staging) -> BufWriter<StagingWriter> {
    BufWriter::with_capacity(64 * 1024, StagingWriter(staging))
}
