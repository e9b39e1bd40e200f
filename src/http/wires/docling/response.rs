//! Answers of docling-serve: how a task stands, and what a document says.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::{data_url, remarks, text_of};
use super::asked::{Asked, Format};
use crate::aggregate::MarkdownWriter;
use crate::output::{DoclingDocument, DoclingWriter, PagesWriter};
use crate::task::{FindingCode, ImageName, PageView, ResultFormat, TaskOptions, TaskRecord, TaskStatus};

/// How a task stands.
pub(super) fn status(record: &TaskRecord) -> Value {
    let (status, succeeded, failed) = match record.status {
        TaskStatus::Pending => ("pending", 0, 0),
        TaskStatus::Processing => ("started", 0, 0),
        TaskStatus::Completed => ("success", 1, 0),
        TaskStatus::Failed | TaskStatus::Cancelled => ("failure", 0, 1),
    };
    let is_partial = u8::from(succeeded == 1 && is_partial(record));
    let failure = (failed == 1).then(|| failure(record));
    json!({
        "task_id": record.id,
        "task_type": "convert",
        "task_status": status,
        "task_position": Value::Null,
        "task_meta": {
            "num_docs": 1,
            "num_processed": succeeded + failed,
            "num_succeeded": succeeded - is_partial,
            "num_partially_succeeded": is_partial,
            "num_failed": failed,
        },
        "error_message": failure.as_ref().map(|failure| failure["message"].clone()),
        "failure": failure,
    })
}

/// Why a task has no result.
pub(super) fn failure(record: &TaskRecord) -> Value {
    let (message, retryable, code) = record.error.as_ref().map_or_else(
        || ("the task was cancelled".to_owned(), false, "task_cancelled".to_owned()),
        |failure| (failure.message.clone(), failure.retryable, failure.code.to_string()),
    );
    json!({ "category": "conversion", "message": message, "retryable": retryable, "phase": "convert",
            "details": { "code": code } })
}

/// Whether pages have no text although they say something.
fn is_partial(record: &TaskRecord) -> bool {
    record.counts.failed > 0 || record.counts.findings.of(FindingCode::NoTextLayer) > 0
}

/// Writes the document of a task that is completed, page by page, in the formats that were asked for.
pub(super) struct DocumentWriter<'a> {
    record: &'a TaskRecord,
    asked: &'a Asked,
    markdown: Option<Vec<u8>>,
    /// Always: loaders that did not ask for it take a document without it for an empty one.
    json: DoclingWriter,
    begun: bool,
    html: Option<(PagesWriter, String)>,
    text: Option<(PagesWriter, String)>,
    errors: Vec<Value>,
    options: TaskOptions,
}

impl<'a> DocumentWriter<'a> {
    pub(super) fn new(record: &'a TaskRecord, asked: &'a Asked) -> Self {
        let wants = |format| asked.formats.contains(&format);
        let writer = |format, wanted: bool| {
            let writer = PagesWriter::new(format, name(record), ResultFormat::CHUNK_TOKENS).filter(|_| wanted)?;
            let begin = writer.begin();
            Some((writer, begin))
        };
        let errors = asked.unknown_formats.iter().map(|format| error(&format!("{format}: no such format here"), None));
        Self {
            markdown: wants(Format::Md).then(Vec::new),
            json: DoclingWriter::default(),
            begun: false,
            html: writer(ResultFormat::Html, wants(Format::Html)),
            text: writer(ResultFormat::Text, wants(Format::Text)),
            errors: errors.collect(),
            options: TaskOptions { page_separator: Some(String::new()), ..record.options.clone() },
            record,
            asked,
        }
    }

    pub(super) fn page(&mut self, view: &PageView) {
        let is_first = !std::mem::replace(&mut self.begun, true);
        if let Some(markdown) = &mut self.markdown {
            if !is_first && !self.asked.page_break.is_empty() {
                markdown.extend_from_slice(format!("\n{}\n", self.asked.page_break).as_bytes());
            }
            let begun = !markdown.is_empty();
            let writer = MarkdownWriter::new(&mut *markdown, &self.options);
            let mut writer = if begun { writer.continued() } else { writer };
            // Nothing can go wrong in memory.
            let _ = writer.page(view);
        }
        self.json.page(view);
        for (writer, out) in [&mut self.html, &mut self.text].into_iter().flatten() {
            out.push_str(&writer.page(view));
        }
        self.errors.extend(remarks(view).into_iter().map(|why| error(&why, Some(view.page))));
    }

    pub(super) fn finish(self) -> Converted {
        let ended = |written: Option<(PagesWriter, String)>| {
            written.map(|(mut writer, mut out)| {
                out.push_str(&writer.end());
                out
            })
        };
        let name = name(self.record);
        Converted {
            document: Document {
                filename: name.to_owned(),
                md_content: self.markdown.map(text_of),
                json_content: self.json.finish(name),
                html_content: ended(self.html),
                text_content: ended(self.text),
                doctags_content: None,
            },
            status: if is_partial(self.record) { "partial_success" } else { "success" },
            errors: self.errors,
            processing_time: took(self.record).as_secs_f64(),
            timings: Map::new(),
        }
    }
}

/// What came of a document. As a struct: as values of JSON it costs more than all else of an answer.
#[derive(Serialize)]
pub(super) struct Converted {
    pub(super) document: Document,
    status: &'static str,
    errors: Vec<Value>,
    processing_time: f64,
    timings: Map<String, Value>,
}

/// A document in the formats that were asked for.
#[derive(Serialize)]
pub(super) struct Document {
    filename: String,
    md_content: Option<String>,
    json_content: DoclingDocument,
    html_content: Option<String>,
    text_content: Option<String>,
    doctags_content: Option<String>,
}

impl Document {
    /// The files of its figures.
    pub(super) fn image_names(&self) -> impl Iterator<Item = &ImageName> {
        self.json_content.image_names()
    }

    /// Has its figures be files of an archive.
    pub(super) fn refer(&mut self, images: &BTreeMap<ImageName, Vec<u8>>) {
        self.json_content.place_images(|name| images.contains_key(name).then(|| format!("images/{}", name.as_str())));
    }

    /// Puts the files of figures where links lead to them: an answer has no files beside it.
    pub(super) fn embed(&mut self, images: &BTreeMap<ImageName, Vec<u8>>) {
        for text in [&mut self.md_content, &mut self.html_content].into_iter().flatten() {
            for (name, bytes) in images {
                let (file, url) = (format!("images/{}", name.as_str()), data_url(name, bytes));
                for before in ["](", "src=\""] {
                    *text = text.replace(&format!("{before}{file}"), &format!("{before}{url}"));
                }
            }
        }
        self.json_content.place_images(|name| Some(data_url(name, images.get(name)?)));
    }
}

/// What is said of a result that went elsewhere.
pub(super) fn sent(record: &TaskRecord) -> Value {
    let is_partial = u8::from(is_partial(record));
    json!({
        "processing_time": took(record).as_secs_f64(),
        "num_converted": 1,
        "num_succeeded": 1 - is_partial,
        "num_partially_succeeded": is_partial,
        "num_failed": 0,
    })
}

/// Writes the pieces of a task that is completed.
pub(super) struct ChunksWriter<'a> {
    record: &'a TaskRecord,
    /// One that writes pieces, a line of JSON each.
    writer: Option<PagesWriter>,
    lines: String,
}

impl<'a> ChunksWriter<'a> {
    pub(super) fn new(record: &'a TaskRecord, tokens: u32) -> Self {
        Self { record, writer: PagesWriter::new(ResultFormat::Chunks, name(record), tokens), lines: String::new() }
    }

    pub(super) fn page(&mut self, view: &PageView) {
        self.lines.extend(self.writer.as_mut().map(|writer| writer.page(view)));
    }

    pub(super) fn finish(mut self) -> Value {
        self.lines.extend(self.writer.as_mut().map(PagesWriter::end));
        let name = name(self.record);
        let lines = self.lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let chunk = |(index, piece): (usize, Value)| {
            json!({
                "filename": name,
                "chunk_index": index,
                "text": piece["embed"],
                "raw_text": piece["text"],
                "num_tokens": piece["tokens"],
                "headings": piece["headings"],
                "captions": Value::Null,
                "doc_items": [],
                "page_numbers": piece["pages"],
                "metadata": { "id": piece["id"], "findings": piece["findings"] },
            })
        };
        let chunks: Vec<Value> = lines.enumerate().map(chunk).collect();
        json!({ "chunks": chunks, "documents": [], "processing_time": took(self.record).as_secs_f64() })
    }
}

/// A document's formats as files of an archive, under the name of the document, and the files of its figures below `images/`.
pub(super) fn zipped(
    Converted { document, .. }: &Converted,
    images: &BTreeMap<ImageName, Vec<u8>>,
) -> zip::result::ZipResult<Vec<u8>> {
    let Document { filename, md_content, json_content, html_content, text_content, .. } = document;
    let stem = filename.rsplit_once('.').map_or(filename.as_str(), |(stem, _)| stem);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, bytes: &[u8]| {
        archive.start_file(name, SimpleFileOptions::default())?;
        archive.write_all(bytes)?;
        zip::result::ZipResult::Ok(())
    };
    let json = serde_json::to_string(json_content).map_err(std::io::Error::from)?;
    for (text, ending) in [(md_content, "md"), (&Some(json), "json"), (html_content, "html"), (text_content, "txt")] {
        if let Some(text) = text {
            add(&format!("{stem}.{ending}"), text.as_bytes())?;
        }
    }
    for (name, bytes) in images {
        add(&format!("images/{}", name.as_str()), bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn name(record: &TaskRecord) -> &str {
    record.file_name.as_deref().unwrap_or("document.pdf")
}

fn error(message: &str, page: Option<u32>) -> Value {
    json!({ "component_type": "document_backend", "module_name": "bindery", "error_message": message, "page_no": page })
}

fn took(record: &TaskRecord) -> Duration {
    record.started_at.zip(record.finished_at).map_or(Duration::ZERO, |(from, to)| to.since(from))
}
