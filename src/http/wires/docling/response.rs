//! Answers of docling-serve: how a task stands, and what a document says.

use std::io::{Cursor, Write};
use std::time::Duration;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::super::remarks;
use super::asked::{Asked, Format};
use crate::aggregate::MarkdownWriter;
use crate::output::{DoclingWriter, PagesWriter};
use crate::task::{FindingCode, PageView, ResultFormat, TaskOptions, TaskRecord, TaskStatus};

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

    pub(super) fn finish(self) -> Value {
        let ended = |written: Option<(PagesWriter, String)>| {
            written.map(|(mut writer, mut out)| {
                out.push_str(&writer.end());
                out
            })
        };
        let name = name(self.record);
        let status = if is_partial(self.record) { "partial_success" } else { "success" };
        json!({
            "document": {
                "filename": name,
                "md_content": self.markdown.map(|markdown| String::from_utf8_lossy(&markdown).into_owned()),
                "json_content": self.json.finish(name),
                "html_content": ended(self.html),
                "text_content": ended(self.text),
                "doctags_content": Value::Null,
            },
            "status": status,
            "errors": self.errors,
            "processing_time": took(self.record).as_secs_f64(),
            "timings": {},
        })
    }
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

/// A document's formats as files of an archive, under the name of the document.
pub(super) fn zipped(written: &Value) -> zip::result::ZipResult<Vec<u8>> {
    let document = &written["document"];
    let name = document["filename"].as_str().unwrap_or("document.pdf");
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (format, ending) in [("md", "md"), ("json", "json"), ("html", "html"), ("text", "txt")] {
        let text = match &document[format!("{format}_content")] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            json => json.to_string(),
        };
        archive.start_file(format!("{stem}.{ending}"), SimpleFileOptions::default())?;
        archive.write_all(text.as_bytes())?;
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
