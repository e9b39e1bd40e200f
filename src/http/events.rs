//! `/v1/tasks/{id}/events`: server-sent events (WHATWG HTML, 9.2).
//!
//! A stream tells the state, not a history: the task whenever it changes, at most four times a second, and each page once
//! it has its outcome. What a client has been told stands in the id of every event, as the epoch and the ranges of pages
//! told as done and as failed (`3:1-40,42:41`). So a client that comes back with `Last-Event-ID` gets exactly what it
//! missed, also after a restart, and from another server; nothing is kept for it meanwhile.
//!
//! News comes from the supervisor over a bounded channel. A client that does not keep up with it misses some; it is told
//! so by an event `catch-up`, and gets the pages from the ledger. Its slowness holds up no other.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use utoipa::IntoParams;

use super::ApiState;
use super::caller::AuthorizedTask;
use super::error::ApiError;
use super::view::TaskView;
use crate::metrics::{self, EventStream};
use crate::supervisor::{Follow, Handle, PageWindow, RequestError};
use crate::task::{PageRanges, PageStatus, PageView, TaskId, TaskRecord};

/// The least time between two events about the task as a whole.
const MIN_EVENT_INTERVAL: Duration = Duration::from_millis(250);
/// The least time between two looks for pages that the channel did not tell of: those that were known when the job
/// began, and those that are read elsewhere.
const LOOK: Duration = Duration::from_secs(1);
/// How often a client hears something, so that it and everyone in between knows that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events on their way to one client.
const BUFFER: usize = 2;
/// Pages that are read at once for a client that catches up, without and with their text.
const WINDOW: usize = 256;
const TEXTS: usize = 16;
/// The longest that a client may leave an event unread.
const UNREAD: Duration = Duration::from_secs(120);
/// The most ranges of an id; a client with more gaps is told some pages twice when it comes back.
const MOST_RANGES: usize = 64;
/// How soon a store that does not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsQuery {
    /// Also the Markdown of each page.
    #[serde(default)]
    text: bool,
}

/// A task as it goes on
///
/// Server-sent events: `task` when it changes, `page` when a page has its outcome, `catch-up` when some were missed and
/// follow, `error` with a problem when it cannot be told of any more, `end` at its end.
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/events",
    tag = "results",
    params(("id" = TaskId, Path, description = "The task"), EventsQuery, ("Last-Event-ID" = Option<String>, Header, description = "Where to go on")),
    responses(
        (status = 200, description = "Events", body = String, content_type = "text/event-stream"),
        (status = 404, description = "No such task"),
        (status = 409, description = "Its record cannot be read"),
    )
)]
pub(super) async fn events(
    state: web::Data<ApiState>,
    request: HttpRequest,
    AuthorizedTask(id): AuthorizedTask,
    query: web::Query<EventsQuery>,
) -> Result<HttpResponse, ApiError> {
    let follow = state.handle.follow(id).await.map_err(|error| ApiError::from(error).of_task(id))?;
    let last = request.headers().get("last-event-id").and_then(|id| id.to_str().ok());
    let told = last.and_then(EventCursor::read).unwrap_or_default();
    let (events, stream) = mpsc::channel(BUFFER);
    let teller = TaskEvents {
        handle: state.handle.clone(),
        base: Arc::clone(&state.base_path),
        id,
        text: query.text,
        told,
        events,
    };
    actix_web::rt::spawn(teller.tell(follow, state.stopping.clone()));
    let body = futures::stream::unfold(stream, |mut stream| async move {
        let event: Bytes = stream.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(event), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Some proxies collect answers unless they are asked not to.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(body))
}

/// What a client knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct EventCursor {
    epoch: u64,
    done: PageRanges,
    failed: PageRanges,
}

impl EventCursor {
    fn read(id: &str) -> Option<Self> {
        let mut parts = id.split(':');
        let told = Self {
            epoch: parts.next()?.parse().ok()?,
            done: parts.next()?.parse().ok()?,
            failed: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(told)
    }

    fn id(&self) -> String {
        format!("{}:{}:{}", self.epoch, self.done.first(MOST_RANGES), self.failed.first(MOST_RANGES))
    }

    /// In a new epoch pages that failed may be tried again; what is done stays so.
    fn enter(&mut self, epoch: u64) {
        if self.epoch != epoch {
            (self.epoch, self.failed) = (epoch, PageRanges::default());
        }
    }

    /// Takes note of a page; answers whether it is news.
    fn add(&mut self, page: u32, status: PageStatus) -> bool {
        match status {
            PageStatus::Done => self.done.insert(page),
            PageStatus::Failed => self.failed.insert(page),
            PageStatus::Pending | PageStatus::Processing => false,
        }
    }

    /// Whether the task has pages with outcomes that the client has not heard of.
    fn is_behind(&self, record: &TaskRecord) -> bool {
        let counts = record.counts;
        u64::from(counts.done) > self.done.len() || u64::from(counts.failed) > self.failed.len()
    }
}

/// Why a stream ends.
enum Over {
    /// The listener has gone, or the server stops.
    Left,
    /// The task cannot be told of any more.
    Failed(RequestError),
}

impl From<RequestError> for Over {
    fn from(error: RequestError) -> Self {
        Self::Failed(error)
    }
}

/// Tells one client of one task.
struct TaskEvents {
    handle: Handle,
    /// What links begin with.
    base: Arc<str>,
    id: TaskId,
    text: bool,
    told: EventCursor,
    events: mpsc::Sender<Bytes>,
}

impl TaskEvents {
    async fn tell(mut self, follow: Follow, stopping: CancellationToken) {
        let _counted = EventStream::begin();
        let told = tokio::select! {
            told = self.follow(follow) => told,
            () = stopping.cancelled() => Err(Over::Left),
        };
        if let Err(Over::Failed(error)) = told {
            let _ = self.send("error", &ApiError::from(error).of_task(self.id).problem(None)).await;
        }
    }

    async fn follow(&mut self, mut follow: Follow) -> Result<(), Over> {
        loop {
            match self.until_the_end(follow).await {
                // It is unavailable for a while; so are the others that could say.
                Err(Over::Failed(RequestError::StoreUnavailable(_))) => {}
                settled => return settled,
            }
            follow = loop {
                self.heartbeat().await?;
                tokio::time::sleep(ASK_AGAIN).await;
                match self.handle.follow(self.id).await {
                    Ok(follow) => break follow,
                    Err(RequestError::StoreUnavailable(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            };
        }
    }

    async fn until_the_end(&mut self, Follow { mut watch, mut pages }: Follow) -> Result<(), Over> {
        self.catch_up(watch.record()).await?;
        self.task(watch.record()).await?;
        let (mut next_task, mut changed, mut open) = (Instant::now() + MIN_EVENT_INTERVAL, false, true);
        let mut next_look = Instant::now();
        let mut heartbeat = Instant::now() + HEARTBEAT;
        while !watch.record().status.is_final() {
            tokio::select! {
                // Pages that were read are told before the task says that they were.
                biased;
                news = pages.recv(), if open => match news {
                    Ok(views) => self.pages(&views).await?,
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        metrics::event_gap();
                        self.send("catch-up", &serde_json::json!({})).await?;
                        self.catch_up(&watch.record().clone()).await?;
                    }
                    Err(broadcast::error::RecvError::Closed) => open = false,
                },
                next = watch.next(), if !changed => {
                    let goes_on = next.is_some() || watch.record().status.is_final();
                    if !goes_on {
                        // The service ends, or the task is gone: asking tells which.
                        Follow { watch, pages } = self.handle.follow(self.id).await?;
                        open = true;
                    }
                    changed = true;
                },
                () = sleep_until(next_task), if changed => {
                    (next_task, changed) = (Instant::now() + MIN_EVENT_INTERVAL, false);
                    let record = watch.record().clone();
                    let missed = pages.is_empty() && self.told.is_behind(&record);
                    if missed && next_look <= Instant::now() {
                        self.catch_up(&record).await?;
                        next_look = Instant::now() + LOOK;
                    }
                    self.task(&record).await?;
                    heartbeat = Instant::now() + HEARTBEAT;
                },
                () = sleep_until(heartbeat) => {
                    self.heartbeat().await?;
                    heartbeat = Instant::now() + HEARTBEAT;
                },
            }
        }
        let record = watch.record().clone();
        self.catch_up(&record).await?;
        self.task(&record).await?;
        self.send("end", &TaskView::new(record, &self.base)).await
    }

    /// Tells what the client has not heard of, from the result or the ledger.
    async fn catch_up(&mut self, record: &TaskRecord) -> Result<(), Over> {
        self.told.enter(record.epoch);
        let mut from = Some(1);
        while let Some(first) = from.filter(|_| self.told.is_behind(record)) {
            let limit = if self.text { TEXTS } else { WINDOW };
            let mut window = PageWindow { from: first, limit, ..PageWindow::default() };
            window.except = self.told.done.clone();
            let (_, views) = self.handle.pages(self.id, window).await?;
            from = views.last().filter(|_| views.len() == limit).map(|view| view.page + 1);
            self.pages(&views).await?;
        }
        Ok(())
    }

    async fn pages(&mut self, views: &[PageView]) -> Result<(), Over> {
        if self.text && views.len() > TEXTS {
            for few in views.chunks(TEXTS) {
                Box::pin(self.pages(few)).await?;
            }
            return Ok(());
        }
        let texts = if self.text { self.texts(views).await? } else { HashMap::new() };
        let mut events = String::new();
        for view in views {
            if self.told.add(view.page, view.status) {
                let markdown = texts.get(&view.page).cloned();
                push(&mut events, "page", None, &PageView { markdown, ..view.clone().without_text() });
            }
        }
        if !events.is_empty() {
            // One id for all: a client that loses half of them is told all of them again.
            let id = format!("id: {}\n\n", self.told.id());
            events.truncate(events.len() - 1);
            events.push_str(&id);
            self.put(events).await?;
        }
        Ok(())
    }

    /// The Markdown of these pages. What comes together usually lies together.
    async fn texts(&self, views: &[PageView]) -> Result<HashMap<u32, String>, Over> {
        let text = |view: &PageView| Some((view.page, view.markdown.clone()?));
        let mut texts: HashMap<u32, String> = views.iter().filter_map(text).collect();
        let done = views.iter().filter(|view| view.status == PageStatus::Done).map(|view| view.page);
        let mut missing: BTreeSet<u32> = done.filter(|page| !texts.contains_key(page)).collect();
        while let Some(from) = missing.pop_first() {
            let window = PageWindow { from, limit: missing.len().clamp(1, TEXTS), ..PageWindow::default() };
            let (_, views) = self.handle.pages(self.id, window).await?;
            missing.retain(|page| views.iter().all(|view| view.page != *page));
            texts.extend(views.iter().filter_map(text));
        }
        Ok(texts)
    }

    async fn task(&mut self, record: &TaskRecord) -> Result<(), Over> {
        self.told.enter(record.epoch);
        self.send("task", &TaskView::new(record.clone(), &self.base)).await
    }

    async fn send(&self, name: &str, data: &impl Serialize) -> Result<(), Over> {
        let mut event = String::new();
        push(&mut event, name, Some(&self.told.id()), data);
        self.put(event).await
    }

    async fn heartbeat(&self) -> Result<(), Over> {
        self.put(": still there\n\n".to_owned()).await
    }

    async fn put(&self, event: String) -> Result<(), Over> {
        // A listener that does not read for so long comes back with the id of what it has read.
        let sent = tokio::time::timeout(UNREAD, self.events.send(event.into())).await;
        sent.is_ok_and(|sent| sent.is_ok()).then_some(()).ok_or(Over::Left)
    }
}

/// Writes one event. JSON has no line breaks, so the data is one line.
fn push(events: &mut String, name: &str, id: Option<&str>, data: &impl Serialize) {
    let data = serde_json::to_string(data).unwrap_or_default();
    events.push_str("event: ");
    events.push_str(name);
    if let Some(id) = id {
        events.push_str("\nid: ");
        events.push_str(id);
    }
    events.push_str("\ndata: ");
    events.push_str(&data);
    events.push_str("\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_anything_else_starts_over() {
        let mut told = EventCursor { epoch: 3, ..EventCursor::default() };
        assert!(told.add(1, PageStatus::Done) && told.add(2, PageStatus::Done) && told.add(9, PageStatus::Failed));
        assert!(!told.add(1, PageStatus::Done) && !told.add(4, PageStatus::Processing));
        assert_eq!(told.id(), "3:1-2:9");
        assert_eq!(EventCursor::read(&told.id()), Some(told.clone()));
        for bad in ["", "x", "1", "1:1", "1:1:1:1", "-1::", "1:2,1:", "1::é"] {
            assert_eq!(EventCursor::read(bad), None, "{bad}");
        }
        told.enter(4);
        assert_eq!(told.id(), "4:1-2:");
        for page in 1..1_000 {
            told.add(page * 2, PageStatus::Done);
        }
        assert!(told.id().len() < 1_000, "an id is short");
    }
}
