//! The four tools.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::answer::{Cursor, Text};
use super::protocol::{Progress, Server};
use super::{map, search};
use crate::supervisor::{NewTask, PageParts, RequestError};
use crate::task::{Finding, PageSelection, PageView, TaskId, TaskOptions, TaskRecord};

/// How long a submit waits for the end when nothing is said, and at most.
const WAIT: Duration = Duration::from_secs(30);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// What a tool says: its text, or what kept it from that.
type Said = Result<String, String>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    #[serde(default)]
    path: Option<PathBuf>,
    #[serde(default)]
    base64: Option<String>,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    file_name: Option<String>,
    #[serde(default)]
    options: Map<String, Value>,
    #[serde(default)]
    wait: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShowMap {
    task: TaskId,
    #[serde(default)]
    cursor: Cursor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    task: TaskId,
    #[serde(default)]
    pages: Option<PageSelection>,
    #[serde(default)]
    cursor: Cursor,
    #[serde(default)]
    write_to: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Search {
    task: TaskId,
    query: String,
    #[serde(default)]
    cursor: Cursor,
}

/// What the tools take.
pub(super) fn list(local: bool, fetches: bool) -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let task = text("The id of the task");
    let cursor = text("Where an earlier answer ended");
    let mut submit = json!({
        "base64": text("The document's bytes in Base64"),
        "file_name": text("Its name"),
        "options": { "type": "object", "description": format!("Options of the task: {}", TaskOptions::NAMES.join(", ")) },
        "wait": { "type": "number", "description": "Seconds to wait for the end, 600 at most; 30 when absent" },
    });
    let mut read =
        json!({ "task": task, "pages": text("Which pages, such as 1-5,8; all when absent"), "cursor": cursor });
    if fetches {
        submit["url"] = text("The document's address");
    }
    if local {
        submit["path"] = text("The document's file");
        read["write_to"] = text("A new file that the Markdown is written to instead, whole");
    }
    let tool = |name: &str, about: &str, properties: Value, required: &[&str], reads: bool| {
        json!({
            "name": name, "description": about,
            "inputSchema": { "type": "object", "properties": properties, "required": required, "additionalProperties": false },
            "annotations": { "readOnlyHint": reads, "destructiveHint": false, "idempotentHint": true, "openWorldHint": false },
        })
    };
    json!([
        tool(
            "submit",
            "Has a PDF or a picture (PNG, JPEG, TIFF, WebP) read, and answers with a map of it: pages, how each \
            was read, findings, headings. The same document again is the same task, and costs nothing more.",
            submit,
            &[],
            false
        ),
        tool(
            "map",
            "What is in a document: pages, how each was read and what is known against it, headings with their \
            pages. Also tells how far a task is.",
            json!({ "task": task, "cursor": cursor }),
            &["task"],
            true
        ),
        tool("read", "The Markdown of pages.", read, &["task"], !local),
        tool(
            "search",
            "Where words stand in a document: pages, with what stands around.",
            json!({ "task": task, "query": text("The words, as they stand there; case does not matter"), "cursor": cursor }),
            &["task", "query"],
            true
        ),
    ])
}

/// The arguments of a tool, in its own words when they do not fit.
fn read<T: serde::de::DeserializeOwned>(arguments: Value) -> Result<T, String> {
    serde_json::from_value(arguments).map_err(|error| format!("the arguments do not fit: {error}"))
}

#[allow(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
fn told(error: RequestError) -> String {
    error.to_string()
}

impl Server {
    /// Calls a tool; `None` when there is none of this name.
    pub(super) async fn tool(&self, name: &str, arguments: Value, progress: Option<(Value, Progress)>) -> Option<Said> {
        Some(match name {
            "submit" => match read(arguments) {
                Ok(asked) => self.submit(asked, progress).await,
                Err(why) => Err(why),
            },
            "map" => match read(arguments) {
                Ok(ShowMap { task, cursor }) => self.map(task, cursor).await,
                Err(why) => Err(why),
            },
            "read" => match read(arguments) {
                Ok(asked) => self.read(asked).await,
                Err(why) => Err(why),
            },
            "search" => match read(arguments) {
                Ok(asked) => self.search(asked).await,
                Err(why) => Err(why),
            },
            _ => return None,
        })
    }

    async fn submit(&self, asked: Submit, progress: Option<(Value, Progress)>) -> Said {
        let Submit { path, base64, url, file_name, options, wait } = asked;
        let task = match (path.filter(|_| self.local), base64, url) {
            (Some(path), None, None) => NewTask::from_path(path),
            (None, Some(text), None) => {
                NewTask::from_bytes(STANDARD.decode(text.trim()).map_err(|_| "base64: not Base64")?)
            }
            (None, None, Some(url)) => NewTask::from_url(url),
            _ if self.local => return Err("name the document by one of path, base64 and url".to_owned()),
            _ => return Err("send the document as base64, or name its url".to_owned()),
        };
        let mut chosen = TaskOptions::default();
        for (name, value) in &options {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            chosen.set(name, &text).map_err(|error| error.to_string())?;
        }
        let mut task = task.options(chosen);
        if let Some(name) = file_name {
            task = task.file_name(name);
        }
        if let Some(tenant) = &self.tenant {
            task = task.tenant(tenant);
        }
        let record = self.handle.submit(task).await.map_err(told)?;
        let wait = wait
            .filter(|seconds| *seconds >= 0.0)
            .map_or(WAIT, |seconds| Duration::from_secs_f64(seconds.min(LONGEST_WAIT.as_secs_f64())));
        self.follow(record.id, wait, progress).await?;
        self.map(record.id, Cursor::default()).await
    }

    /// Waits for the end of a task, and tells how far it is meanwhile.
    async fn follow(&self, id: TaskId, wait: Duration, progress: Option<(Value, Progress)>) -> Result<(), String> {
        let mut watch = self.handle.watch(id).await.map_err(told)?;
        let until = Instant::now() + wait;
        while let Ok(Some(record)) = tokio::time::timeout_at(until, watch.next()).await {
            if record.status.is_final() {
                break;
            }
            if let Some((token, news)) = &progress {
                let (done, total) = (record.counts.done + record.counts.failed, record.total_pages);
                let params = json!({ "progressToken": token, "progress": done, "total": total });
                let message = json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params });
                // Progress that is not taken in time is out of date.
                let _ = news.try_send(message);
            }
        }
        Ok(())
    }

    async fn map(&self, id: TaskId, cursor: Cursor) -> Said {
        let record = self.own(id).await?;
        let mut pages = map::Pages::default();
        self.each_page(&record, 1, PageParts::All, |page| {
            pages.add(page);
            true
        })
        .await?;
        Ok(map::text(&record, &pages, cursor))
    }

    async fn read(&self, asked: Read) -> Said {
        let record = self.own(asked.task).await?;
        let total = record.total_pages.unwrap_or(0);
        let wanted = match &asked.pages {
            Some(pages) => Some(pages.resolve(total).map_err(|error| error.to_string())?),
            None => None,
        };
        let is_wanted = |page: u32| wanted.as_ref().is_none_or(|wanted| wanted.binary_search(&page).is_ok());
        if let Some(path) = asked.write_to {
            if !self.local {
                return Err("write_to: there is no place for files here".to_owned());
            }
            let mut whole = String::new();
            self.each_page(&record, 1, PageParts::WithoutBlocks, |page| {
                if is_wanted(page.page) {
                    whole.push_str(&page_text(page));
                }
                true
            })
            .await?;
            return written(&path, &whole);
        }
        let mut text = Text::from(asked.cursor);
        self.each_page(&record, asked.cursor.page.max(1), PageParts::WithoutBlocks, |page| {
            !is_wanted(page.page) || text.add(page.page, &page_text(page))
        })
        .await?;
        Ok(text.finish("read"))
    }

    async fn search(&self, asked: Search) -> Said {
        let record = self.own(asked.task).await?;
        let query = search::Query::new(&asked.query).ok_or("query: some words, of 1000 bytes at most")?;
        let query = Arc::new(query);
        let mut text = Text::from(asked.cursor);
        let mut found = 0;
        let mut batches = pin!(self.handle.page_batches(record.id, asked.cursor.page.max(1), PageParts::All));
        'pages: while let Some(pages) = batches.next().await {
            let pages = pages.map_err(told)?;
            // A long document takes long to look through, and this thread answers others, too.
            let query = Arc::clone(&query);
            let searched = tokio::task::spawn_blocking(move || {
                pages.iter().map(|page| (page.page, query.places(page))).collect::<Vec<_>>()
            });
            for (page, places) in searched.await.map_err(|_| RequestError::Stopping.to_string())? {
                found += places.len();
                if !places.is_empty() && !text.add(page, &places.concat()) {
                    break 'pages;
                }
            }
        }
        if found == 0 {
            let unread = record.counts.failed + record.pending_pages().unwrap_or(0);
            let but = if unread > 0 { format!("; {unread} of its pages have not been read") } else { String::new() };
            return Ok(format!("{:?} stands nowhere in the document{but}.\n", asked.query));
        }
        Ok(text.finish("search"))
    }

    /// The task, when it is the caller's own.
    async fn own(&self, id: TaskId) -> Result<TaskRecord, String> {
        let record = self.handle.get(id).await.map_err(told)?;
        let is_own = self.tenant.is_none() || record.tenant == self.tenant;
        is_own.then_some(record).ok_or_else(|| RequestError::NotFound.to_string())
    }

    /// Hands pages from `from` on to `take`, in order, until it has enough.
    async fn each_page(
        &self,
        record: &TaskRecord,
        from: u32,
        parts: PageParts,
        mut take: impl FnMut(&PageView) -> bool,
    ) -> Result<(), String> {
        let mut batches = pin!(self.handle.page_batches(record.id, from, parts));
        while let Some(pages) = batches.next().await {
            if !pages.map_err(told)?.iter().all(&mut take) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A page with its number, and what is known against it.
fn page_text(page: &PageView) -> String {
    let number = page.page;
    let doubts = page.findings.iter().filter(|finding| finding.code.is_doubt());
    let mark = |finding: &Finding| {
        format!("<!-- page {number}: doubtful: {}: {} -->\n\n", finding.code.as_str(), finding.detail)
    };
    let doubts = doubts.map(mark).collect::<Vec<_>>().concat();
    let text = match page.absence() {
        Some(why) => format!("<!-- page {number}: {why} -->"),
        None => page.markdown.as_deref().unwrap_or_default().trim().to_owned(),
    };
    format!("<!-- page {number} -->\n\n{doubts}{text}\n\n")
}

fn written(path: &Path, text: &str) -> Said {
    // What is there already may be the document itself.
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let whole = file.and_then(|mut file| file.write_all(text.as_bytes()));
    match whole {
        Ok(()) => Ok(format!("Written to {}: {} bytes.\n", path.display(), text.len())),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(format!("{}: is there already; name a new file", path.display()))
        }
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}
