//! Writing the results of a job: its pages, as they are in their document, joined in their order.
//!
//! **Write order.** The JSON result is in place before the Markdown, whose presence means "complete".

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::time::Instant;

use tokio_util::sync::CancellationToken;

use super::execute::{Executor, MOST_IMAGE_BYTES, storage_failed};
use super::recent_pages::{MOST_PARTS, parts};
use super::spec::JobContext;
use super::work::{Aggregate, AggregateOutcome};
use crate::aggregate::{
    Forms, Headings, JsonWriter, MarkdownWriter, RepeatedMargins, SeenMargins, join_seam, page_view,
};
use crate::blob::{LocalBlob, Staging, names};
use crate::content::FigureFile;
use crate::document::Document;
use crate::failpoint;
use crate::task::{
    DocumentInfo, Failure, Finding, FindingCode, ImageName, PageOutput, PageStatus, PageView, ResultDigests,
};

impl Executor {
    /// Writes both results; or, when pages are missing that must not be, says which and writes nothing.
    pub(super) fn aggregate(&self, spec: &JobContext, asked: &Aggregate) -> Result<AggregateOutcome, Failure> {
        let (repeated, read) = self.repeated(spec, asked).map_err(|e| storage_failed(&e))?;
        let (headings, document) = self.document(spec, asked.document.as_deref())?;
        let front_matter = (spec.options.front_matter == Some(true)).then(|| {
            document.front_matter(spec.file_name.as_deref(), u32::try_from(asked.pages.len()).unwrap_or(u32::MAX))
        });
        let bound = self.try_aggregate(spec, asked, (&repeated, read), &headings, front_matter.as_deref());
        let ([markdown, json], images) = match bound.map_err(|e| storage_failed(&e))? {
            Aggregated::Missing(pages) => return Ok(AggregateOutcome::Missing(pages)),
            Aggregated::Staged(files, images) => (*files, images),
        };
        let (markdown, json) = (markdown.finish(), json.finish());
        let digests = ResultDigests { markdown: markdown.digest().clone(), json: json.digest().clone(), document };
        let files = [(json, &*spec.json_key), (markdown, &*spec.markdown_key)];
        failpoint::pass("bind.staged").map_err(|e| storage_failed(&e))?;
        self.blob.commit_all(files).map_err(|e| storage_failed(&e))?;
        failpoint::pass("bind.done").map_err(|e| storage_failed(&e))?;
        images.remove_others(&self.blob, spec).map_err(|e| storage_failed(&e))?;
        Ok(AggregateOutcome::Written(Box::new(digests)))
    }

    /// The titles of the document's outline, and what it says of itself. Without an outline, or with one that cannot be read,
    /// the pages say what is a title.
    fn document(&self, spec: &JobContext, opened: Option<&Document>) -> Result<(Headings, DocumentInfo), Failure> {
        // A job that gave up has its attempts cancelled, and binds what is there.
        let unstopped = CancellationToken::new();
        let deadline = Instant::now() + spec.attempt_timeout;
        let outline = |document: &Document| document.reader().until(deadline, &unstopped).outline();
        let read = if let Some(document) = opened {
            outline(document)
        } else {
            self.ensure_source(spec)?;
            let document = self.readers.open(&spec.source_path, spec.options.password.as_deref(), &spec.limits);
            document.and_then(|document| outline(&document))
        };
        match read {
            Ok((entries, info)) => Ok((Headings::of(entries), info)),
            Err(why) if why.is_resource_exhausted() => Err(why),
            Err(why) => {
                log::debug!(task:% = spec.task, code:% = why.code; "the outline cannot be read");
                Ok((Headings::default(), DocumentInfo::default()))
            }
        }
    }

    /// What the margins of the pages have in common; and some of these pages, which need not be read again.
    fn repeated(
        &self,
        spec: &JobContext,
        asked: &Aggregate,
    ) -> io::Result<(RepeatedMargins, HashMap<u32, PageOutput>)> {
        let (mut seen, mut read, mut room) = (SeenMargins::default(), HashMap::new(), MOST_PARTS);
        let mut recent = spec.recent.take_all();
        for &page in asked.pages.iter().filter(|page| !asked.failed.contains_key(page)) {
            let output = match recent.remove(&page) {
                Some(held) => Some(held.into_output()),
                None => self.known(spec, page, spec.steps.are_paid())?,
            };
            if let Some(output) = output {
                seen.look_at(page, &output.content);
                if let Some(left) = room.checked_sub(parts(&output.content)) {
                    room = left;
                    read.insert(page, output);
                }
            }
        }
        Ok((seen.repeated(), read))
    }

    fn try_aggregate(
        &self,
        spec: &JobContext,
        asked: &Aggregate,
        (repeated, mut read): (&RepeatedMargins, HashMap<u32, PageOutput>),
        headings: &Headings,
        front_matter: Option<&str>,
    ) -> io::Result<Aggregated> {
        let repeated = Some(repeated).filter(|_| spec.options.keep_headers != Some(true));
        let forms = Forms::from(&spec.options);
        let mut writers = Writers::new(&self.blob, spec)?;
        if let Some(front_matter) = front_matter {
            writers.markdown.front_matter(front_matter)?;
        }
        let (mut missing, mut before) = (Vec::new(), None::<(u32, PageOutput)>);
        let mut images = KeptImages::default();
        for &page in asked.pages.iter() {
            let output = if asked.failed.contains_key(&page) {
                None
            } else {
                let output = read
                    .remove(&page)
                    .map_or_else(|| self.known(spec, page, spec.steps.are_paid()), |output| Ok(Some(output)))?;
                let output = output.map(|output| set_in_document(page, output, repeated, headings));
                output.map_or(Ok(None), |output| images.keep(self, spec, (page, output), asked.complete))?
            };
            match (asked.failed.get(&page), &output) {
                (None, None) => missing.push(page),
                _ if !missing.is_empty() && asked.complete => continue,
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
                writers.page(&page_view(last, output, forms))?;
            }
            match (output, asked.failed.get(&page)) {
                // What follows may go on with it.
                (Some(output), _) => before = Some((page, output)),
                (None, Some(failed)) => writers.page(&PageView::failed(page, failed.clone()))?,
                (None, None) => writers.page(&PageView::unfinished(page, PageStatus::Pending))?,
            }
        }
        if asked.complete && !missing.is_empty() {
            return Ok(Aggregated::Missing(missing));
        }
        if let Some((last, output)) = before {
            writers.page(&page_view(last, output, forms))?;
        }
        writers.finish(images)
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

/// The files of figures that a result has, by the order of its pages: the first ones, as long as they are not too many.
#[derive(Default)]
struct KeptImages {
    names: BTreeSet<ImageName>,
    bytes: u64,
    is_full: bool,
}

impl KeptImages {
    /// A page with those of its figures' files that the result has; `None` when one is lost, and the page is to be read again
    /// because the result must be `complete`.
    fn keep(
        &mut self,
        executor: &Executor,
        spec: &JobContext,
        (page, mut output): (u32, PageOutput),
        complete: bool,
    ) -> io::Result<Option<PageOutput>> {
        if output.content.images.is_empty() {
            return Ok(Some(output));
        }
        if let Some(bytes) = self.with(&output.content.images) {
            if executor.place_images(spec, page, &output, true)? {
                self.bytes = bytes;
                self.names.extend(output.content.images.iter().map(|file| file.name.clone()));
                return Ok(Some(output));
            }
            if complete {
                return Ok(None);
            }
        }
        let why = if self.is_full { "those of the pages before it are too large together" } else { "they are lost" };
        let detail = format!("{} figures have no file: {why}", output.content.images.len());
        output.content.each_figure(|figure, _| figure.image = None);
        output.content.images.clear();
        output.findings.push(Finding::new(FindingCode::FiguresLeftOut, detail));
        Ok(Some(output))
    }

    /// How many bytes there are with these; `None` where that is too many, as it is from then on.
    fn with(&mut self, files: &[FigureFile]) -> Option<u64> {
        let new = files.iter().filter(|file| !self.names.contains(&file.name));
        let bytes = self.bytes.saturating_add(new.map(|file| file.bytes).sum());
        self.is_full |= bytes > MOST_IMAGE_BYTES;
        (!self.is_full).then_some(bytes)
    }

    /// Removes those that an earlier result had, or that were there before it was known which are too many.
    fn remove_others(&self, blob: &LocalBlob, spec: &JobContext) -> io::Result<()> {
        let folder = spec.folder();
        for name in blob.names(&folder)? {
            if names::image_of(&name).is_some_and(|image| !self.names.contains(&image)) {
                blob.remove(&format!("{folder}/{name}"))?;
            }
        }
        Ok(())
    }
}

enum Aggregated {
    Missing(Vec<u32>),
    Staged(Box<[Staging; 2]>, KeptImages),
}

/// Both results, as they grow.
struct Writers<'a> {
    markdown: MarkdownWriter<'a, BufWriter<StagingWriter>>,
    json: JsonWriter<BufWriter<StagingWriter>>,
}

impl<'a> Writers<'a> {
    fn new(blob: &LocalBlob, spec: &'a JobContext) -> io::Result<Self> {
        let markdown = MarkdownWriter::new(buffered(blob.stage()?), &spec.options);
        Ok(Self { markdown, json: JsonWriter::new(buffered(blob.stage()?)) })
    }

    fn page(&mut self, view: &PageView) -> io::Result<()> {
        self.markdown.page(view)?;
        self.json.page(view)
    }

    fn finish(self, images: KeptImages) -> io::Result<Aggregated> {
        let inner =
            |out: BufWriter<StagingWriter>| out.into_inner().map(|writer| writer.0).map_err(IntoInnerError::into_error);
        Ok(Aggregated::Staged(Box::new([inner(self.markdown.into_inner())?, inner(self.json.finish()?)?]), images))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::ImageKind;

    /// By the order of pages alone, so that every run comes to the same; one that is there again takes no more room.
    #[test]
    fn the_first_figures_have_files_as_long_as_they_are_not_too_many() {
        let file =
            |name: &[u8], bytes| FigureFile { name: ImageName::of(name, ImageKind::Png), width: 1, height: 1, bytes };
        let mut kept = KeptImages::default();
        let half = file(b"a", MOST_IMAGE_BYTES / 2);
        let steps = [
            (vec![half.clone()], Some(MOST_IMAGE_BYTES / 2)),
            (vec![half.clone(), file(b"b", 7)], Some(MOST_IMAGE_BYTES / 2 + 7)),
            (vec![file(b"c", MOST_IMAGE_BYTES / 2)], None),
            (vec![file(b"d", 1)], None),
        ];
        for (files, expected) in steps {
            let bytes = kept.with(&files);
            assert_eq!(bytes, expected, "{files:?}");
            if let Some(bytes) = bytes {
                kept.bytes = bytes;
                kept.names.extend(files.into_iter().map(|file| file.name));
            }
        }
    }
}
