//! `/v1/tasks/{id}/result` and `/v1/tasks/{id}/pages`.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use actix_files::NamedFile;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    self, Charset, ContentDisposition, DispositionParam, DispositionType, ExtendedValue, HeaderValue,
};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::caller::AuthorizedTask;
use super::error::ApiError;
use super::view::TaskView;
use crate::aggregate::MarkdownWriter;
use crate::document::pdf::is_document_ending;
use crate::output::PagesWriter;
use crate::supervisor::{PageParts, PageWindow, RequestError, ResultFile, not_readable};
use crate::task::{PageView, ParseError, ResultFormat, TaskId, TaskRecord, code};

/// Bytes of a file that are read at once.
const CHUNK: usize = 64 * 1024;
const DEFAULT_PAGES: usize = 100;
const MAX_PAGES: usize = 1_000;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultQuery {
    /// Also when it is not complete: what is there so far.
    #[serde(default)]
    partial: bool,
    /// `markdown`, `json`, `html`, `text` or `chunks`; what `Accept` says when absent, else the task's own `format`, else
    /// Markdown.
    format: Option<String>,
    /// About how many tokens a chunk has at most.
    #[param(minimum = 32, maximum = 32_768)]
    chunk_tokens: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PagesQuery {
    /// Only those that are pending, processing, done or failed.
    status: Option<String>,
    /// No page before this one.
    from: Option<u32>,
    /// The most that are shown.
    #[param(minimum = 1, maximum = 1_000)]
    limit: Option<usize>,
}

/// A task and all its pages.
#[derive(ToSchema)]
#[allow(dead_code, reason = "described; written piece by piece")]
pub(super) struct WholeView {
    task: TaskView,
    pages: Vec<PageView>,
}

#[derive(Serialize, ToSchema)]
struct PagesView {
    pages: Vec<PageView>,
}

/// The result of a task
///
/// Markdown (with an ETag, and in ranges), or what `format` or `Accept` asks for: the task and its pages as JSON, HTML, plain
/// text, or chunks for retrieval, one a line.
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/result",
    tag = "results",
    params(("id" = TaskId, Path, description = "The task"), ResultQuery),
    responses(
        (status = 200, description = "All of it, or with `partial` what is there", headers(("Bindery-Pages" = String)),
            content((String = "text/markdown"), (WholeView = "application/json"), (String = "text/html"),
                (String = "text/plain"), (String = "application/jsonl"))),
        (status = 206, description = "A range of it", body = String, content_type = "text/markdown"),
        (status = 304, description = "It is what the caller has"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It is not complete; or its file is damaged, and a retry writes it again"),
        (status = 416, description = "It is not that long", body = String, content_type = "text/markdown"),
    )
)]
pub(super) async fn result(
    state: web::Data<ApiState>,
    request: HttpRequest,
    AuthorizedTask(id): AuthorizedTask,
    query: web::Query<ResultQuery>,
) -> Result<HttpResponse, ApiError> {
    let mut response = stored(&state, &request, id, &query).await?;
    // What a cache keeps for one is another format for the next.
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}

async fn stored(
    state: &ApiState,
    request: &HttpRequest,
    id: TaskId,
    query: &ResultQuery,
) -> Result<HttpResponse, ApiError> {
    let handle = &state.handle;
    let format = match query.format(request)? {
        Some(format) => format,
        None => {
            handle.get(id).await.map_err(|error| ApiError::from(error).of_task(id))?.options.format.unwrap_or_default()
        }
    };
    let which = if format == ResultFormat::Markdown { ResultFile::Markdown } else { ResultFile::Json };
    match handle.stored_result(id, which, query.partial).await {
        Ok((record, path)) if format == ResultFormat::Markdown => {
            let file = NamedFile::open(path).map_err(|error| unreadable(id, &error))?;
            let mut response = file
                .set_content_type(actix_web::mime::TEXT_PLAIN_UTF_8)
                .set_content_disposition(disposition(&record, format))
                .use_etag(true)
                .into_response(request);
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(ResultFormat::Markdown.media_type()));
            headers.insert(PAGES_HEADER, page_counts(&record));
            Ok(response)
        }
        Ok((record, path)) if format == ResultFormat::Json => {
            Ok(json_answer(state, record, chunks(open(id, path).await?)))
        }
        Ok((record, _)) => Ok(whole(state, record, format, query.chunk_tokens())),
        Err(RequestError::ResultNotReady(record)) if query.partial => {
            Ok(whole(state, *record, format, query.chunk_tokens()))
        }
        Err(error) => Err(ApiError::from(error).of_task(id)),
    }
}

/// The result of a completed task in full, for a request that asks for nothing but that.
pub(super) async fn answer(
    state: &ApiState,
    record: TaskRecord,
    format: ResultFormat,
    chunk_tokens: u32,
) -> Result<HttpResponse, ApiError> {
    let id = record.id;
    let which = if format == ResultFormat::Markdown { ResultFile::Markdown } else { ResultFile::Json };
    let stored = state.handle.stored_result(id, which, false).await;
    let (record, path) = stored.map_err(|error| ApiError::from(error).of_task(id))?;
    let location = (header::LOCATION, format!("{}/v1/tasks/{id}", state.base_path));
    let mut response = match format {
        ResultFormat::Markdown => HttpResponse::Ok()
            .content_type(format.media_type())
            .insert_header((PAGES_HEADER, page_counts(&record)))
            .insert_header(disposition(&record, format))
            .streaming(chunks(open(id, path).await?)),
        ResultFormat::Json => json_answer(state, record, chunks(open(id, path).await?)),
        _ => whole(state, record, format, chunk_tokens),
    };
    response.headers_mut().insert(location.0, HeaderValue::from_str(&location.1).map_err(|_| RequestError::NotFound)?);
    Ok(response)
}

/// Single pages
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}/pages",
    tag = "results",
    params(("id" = TaskId, Path, description = "The task"), PagesQuery),
    responses(
        (status = 200, body = PagesView, description = "A window of them"),
        (status = 404, description = "No such task"),
        (status = 409, description = "Its record cannot be read, or its result is damaged: a retry of the task writes that again"),
    )
)]
pub(super) async fn pages(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
    query: web::Query<PagesQuery>,
) -> Result<HttpResponse, ApiError> {
    let bad = |detail: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code::BAD_OPTION, detail);
    let query = query.into_inner();
    let limit = query.limit.unwrap_or(DEFAULT_PAGES);
    if !(1..=MAX_PAGES).contains(&limit) {
        return Err(bad(format!("limit must be a number from 1 to {MAX_PAGES}")));
    }
    let status = query.status.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    let status = status.map_err(|error: ParseError| bad(error.into()))?;
    let window = PageWindow { from: query.from.unwrap_or(1), limit, status, ..PageWindow::default() };
    let pages = state.handle.pages(id, window).await;
    let (_, views) = pages.map_err(|error| ApiError::from(error).of_task(id))?;
    Ok(HttpResponse::Ok().json(PagesView { pages: views }))
}

const PAGES_HEADER: header::HeaderName = header::HeaderName::from_static("bindery-pages");

impl ResultQuery {
    /// The format that is asked for; `None` where any will do.
    fn format(&self, request: &HttpRequest) -> Result<Option<ResultFormat>, ApiError> {
        let bad = |detail: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code::BAD_OPTION, detail);
        let sizes = ResultFormat::CHUNK_SIZES;
        if self.chunk_tokens.is_some_and(|tokens| !sizes.contains(&tokens)) {
            return Err(bad(format!("chunk_tokens must be a number from {} to {}", sizes.start(), sizes.end())));
        }
        match self.format.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => name.parse().map(Some).map_err(|why| bad(format!("format: {why}"))),
            None => Ok(accepted(request)),
        }
    }

    fn chunk_tokens(&self) -> u32 {
        self.chunk_tokens.unwrap_or(ResultFormat::CHUNK_TOKENS)
    }
}

/// All pages as they stand, streamed batch by batch.
fn whole(state: &ApiState, record: TaskRecord, format: ResultFormat, chunk_tokens: u32) -> HttpResponse {
    let batches = state.handle.page_batches(record.id, 1, PageParts::All).map_err(StreamError::from);
    let name = record.file_name.as_deref().unwrap_or_default();
    if let Some(writer) = PagesWriter::new(format, name, chunk_tokens) {
        return derived(&record, format, writer, batches);
    }
    if format == ResultFormat::Markdown {
        let options = record.options.clone();
        let mut begun = false;
        let markdown = batches.map(move |views| {
            let views = views?;
            let mut writer = MarkdownWriter::new(Vec::new(), &options);
            if std::mem::replace(&mut begun, true) {
                writer = writer.continued();
            }
            for view in &views {
                writer.page(view)?;
            }
            Ok::<_, StreamError>(Bytes::from(writer.into_inner()))
        });
        let counts = (PAGES_HEADER, page_counts(&record));
        return HttpResponse::Ok().insert_header(counts).content_type(format.media_type()).streaming(markdown);
    }
    let mut begun = false;
    let pages = batches.map_ok(move |views| {
        let mut text = String::new();
        for view in views {
            text.push_str(if std::mem::replace(&mut begun, true) { ",\n" } else { "" });
            text.push_str(&serde_json::to_string(&view).unwrap_or_default());
        }
        Bytes::from(text)
    });
    json_answer(state, record, text("[\n").chain(pages).chain(text("\n]")))
}

/// A format that is made of the pages' blocks.
fn derived(
    record: &TaskRecord,
    format: ResultFormat,
    writer: PagesWriter,
    batches: impl Stream<Item = Result<Vec<PageView>, StreamError>> + 'static,
) -> HttpResponse {
    let begin = writer.begin();
    let mut writer = Some(writer);
    // The end of the batches is the end of the document.
    let batches = batches.map_ok(Some).chain(futures::stream::once(async { Ok(None) }));
    let pages = batches.map_ok(move |views| match (views, &mut writer) {
        (Some(views), Some(writer)) => Bytes::from(views.iter().map(|view| writer.page(view)).collect::<String>()),
        (_, writer) => Bytes::from(writer.take().map(|mut writer| writer.end()).unwrap_or_default()),
    });
    // An empty part of a body would be its end.
    let body = text(begin).chain(pages).filter(|part| {
        let is_there = part.as_ref().map_or(true, |bytes| !bytes.is_empty());
        async move { is_there }
    });
    HttpResponse::Ok()
        .insert_header((PAGES_HEADER, page_counts(record)))
        .insert_header((
            "content-security-policy",
            "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox",
        ))
        .insert_header(disposition(record, format))
        .content_type(format.media_type())
        .streaming(body)
}

/// The task and its pages, which come as the text of a JSON array.
fn json_answer(
    state: &ApiState,
    record: TaskRecord,
    pages: impl Stream<Item = Result<Bytes, StreamError>> + 'static,
) -> HttpResponse {
    let counts = page_counts(&record);
    let task = serde_json::to_string(&TaskView::new(record, &state.base_path)).unwrap_or_default();
    let body = text(format!("{{\"task\":{task},\"pages\":")).chain(pages).chain(text("}\n"));
    HttpResponse::Ok().insert_header((PAGES_HEADER, counts)).content_type("application/json").streaming(body)
}

/// What breaks an answer off that has begun: the client sees it end early, the log says why.
type StreamError = Box<dyn std::error::Error>;

fn text(text: impl Into<String>) -> impl Stream<Item = Result<Bytes, StreamError>> {
    let text = text.into();
    futures::stream::once(async { Ok(Bytes::from(text)) })
}

async fn open(id: TaskId, path: PathBuf) -> Result<File, ApiError> {
    let file = tokio::task::spawn_blocking(move || File::open(path)).await;
    file.map_err(|_| RequestError::Stopping)?.map_err(|error| unreadable(id, &error))
}

fn chunks(file: File) -> impl Stream<Item = Result<Bytes, StreamError>> {
    futures::stream::try_unfold(file, |mut file| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let length = file.read(&mut chunk)?;
            chunk.truncate(length);
            std::io::Result::Ok((file, chunk))
        });
        let (file, chunk) = read.await??;
        Ok((!chunk.is_empty()).then(|| (Bytes::from(chunk), file)))
    })
}

/// The first format that the caller accepts and that is known.
pub(super) fn accepted(request: &HttpRequest) -> Option<ResultFormat> {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut types = accept.split(',').map(|part| part.split(';').next().unwrap_or_default());
    types.find_map(ResultFormat::of_media_type)
}

fn page_counts(record: &TaskRecord) -> HeaderValue {
    let text = format!("{}/{}", record.counts.done, record.total_pages.unwrap_or(0));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("0/0"))
}

/// Shown in a browser, saved under the PDF's name. A name outside ASCII comes twice (RFC 6266, 5): as `filename*` for
/// clients that know that, and before it with `_` in place of what does not fit, because headers are ASCII.
fn disposition(record: &TaskRecord, format: ResultFormat) -> ContentDisposition {
    let name = record.file_name.as_deref().unwrap_or("result.pdf");
    let stem = without_ending(name);
    let name = format!("{stem}.{}", format.ending());
    let plain: String = name.chars().map(|c| if c.is_ascii() { c } else { '_' }).collect();
    let is_whole = plain == name;
    let mut parameters = vec![DispositionParam::Filename(plain)];
    if !is_whole {
        let (charset, value) = (Charset::Ext("UTF-8".into()), name.into_bytes());
        parameters.push(DispositionParam::FilenameExt(ExtendedValue { charset, language_tag: None, value }));
    }
    ContentDisposition { disposition: DispositionType::Inline, parameters }
}

/// The name of a document without the ending of its kind.
fn without_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if is_document_ending(ending) => stem,
        _ => name,
    }
}

/// It was whole a moment ago.
fn unreadable(id: TaskId, error: &std::io::Error) -> ApiError {
    ApiError::from(not_readable(error)).of_task(id)
}
