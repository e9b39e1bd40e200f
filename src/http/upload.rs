//! Documents as they come over the wire: to disk, never into memory, counted while they come.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header::{Charset, ContentDisposition};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream::LocalBoxStream;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use super::ApiState;
use super::error::ApiError;
use super::form_heads;
use super::pace::unstalled;
use crate::blob::Staged;
use crate::document::{looks_like_document, too_large};
use crate::supervisor::{Handle, RequestError, UploadSlot};
use crate::task::{ParseError, ResultFormat, TaskOptions};

/// The media types of documents.
const DOCUMENT_TYPES: [&str; 5] = ["application/pdf", "image/png", "image/jpeg", "image/tiff", "image/webp"];
/// The most bytes of a request in JSON: its document is held in memory, as what the wire is like.
const MAX_JSON: usize = 128 << 20;
/// A request in JSON with more bytes waits for its turn: so many may be in memory at once.
const LARGE_JSON: usize = 1 << 20;
pub(super) const LARGE_AT_ONCE: usize = 4;
/// The most bytes of a form beside its document, names of fields included.
const MAX_FORM: usize = 1 << 20;
/// The longest file name that is kept.
const MAX_FILE_NAME: usize = 255;

/// Counts an upload before its body, where it cannot be equal to a task: half a gigabyte should not be sent to hear that there
/// is no room.
pub(super) async fn admitted_within_quota(
    handle: &Handle,
    request: &HttpRequest,
    tenant: Option<String>,
) -> Result<UploadSlot, ApiError> {
    let bytes = declared_length(request).unwrap_or(0).min(handle.limits().max_bytes);
    Ok(handle.begin_upload(tenant, bytes).await?)
}

/// Counts the upload of a submit before its body. Where there is no room, a few are taken in to see whether they are equal to
/// tasks that are there.
pub(super) async fn admitted(
    handle: &Handle,
    request: &HttpRequest,
    tenant: Option<String>,
) -> Result<UploadSlot, ApiError> {
    let bytes = declared_length(request).unwrap_or(0).min(handle.limits().max_bytes);
    Ok(handle.begin_submit(tenant, bytes).await?)
}

/// Takes in a document and what came with it.
pub(super) async fn upload(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    slot: &UploadSlot,
    form: Form,
) -> Result<(Staged, Form), ApiError> {
    let intake = Intake { handle: &state.handle, slot };
    paced(state, payload, |body| take_in(intake, request, form, body)).await
}

/// Has a body read that may not stand still, nor trickle.
pub(super) async fn paced<T, F: Future<Output = Result<T, ApiError>>>(
    state: &ApiState,
    payload: web::Payload,
    read: impl FnOnce(Body) -> F,
) -> Result<T, ApiError> {
    let timeout = state.upload_timeout;
    let stalled = Rc::new(Cell::new(false));
    let body = unstalled(payload, timeout, Rc::clone(&stalled)).boxed_local();
    read(body).await.map_err(|error| if stalled.get() { ApiError::upload_stalled(timeout) } else { error })
}

/// The bytes of a request.
pub(super) type Body = LocalBoxStream<'static, Result<Bytes, PayloadError>>;

/// Where an upload goes, and what counts it.
#[derive(Clone, Copy)]
pub(super) struct Intake<'a> {
    pub(super) handle: &'a Handle,
    pub(super) slot: &'a UploadSlot,
}

impl Intake<'_> {
    /// Fetches a document from an address, and says how it is called there.
    pub(super) async fn fetch(
        self,
        url: &str,
        headers: &[(String, String)],
    ) -> Result<(Staged, Option<String>), ApiError> {
        Ok(self.handle.fetch(url, headers, self.slot).await?)
    }
}

/// What takes the fields of a form.
pub(super) trait Fields {
    /// The field with the document.
    const FILE: &'static str;

    /// Takes the name that the document has in the form.
    fn file_named(&mut self, name: Option<String>);

    /// Takes another field.
    fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError>;
}

async fn take_in(
    intake: Intake<'_>,
    request: &HttpRequest,
    mut form: Form,
    body: Body,
) -> Result<(Staged, Form), ApiError> {
    refuse_known_excess(intake.handle, request)?;
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    for (name, value) in query.map_err(|error| super::error::bad_query(&error))?.into_inner() {
        form.set(&name, &value)?;
    }
    let content_type = content_type(request);
    let source = match content_type.as_str() {
        "multipart/form-data" => read_form(intake, form_heads::form(request, body), &mut form).await?,
        _ if form.source_url.is_some() => empty(body).await?,
        "application/octet-stream" | "" => Some(receive(intake, body).await?),
        known if DOCUMENT_TYPES.contains(&known) => Some(receive(intake, body).await?),
        other => {
            let known = DOCUMENT_TYPES.join(", ");
            let detail =
                format!("cannot take {other:?}: send multipart/form-data with a field file, or one of {known}");
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail));
        }
    };
    let source = match (source, form.source_url.take()) {
        (Some(source), None) => source,
        (None, Some(url)) => {
            let (source, called) = intake.fetch(&url, &[]).await?;
            form.file_named(called.as_deref().and_then(clean_file_name));
            source
        }
        (Some(_), Some(_)) => return Err(bad_form("send the document, or its source_url: not both")),
        (None, None) => return Err(no_document::<Form>()),
    };
    Ok((source, form))
}

/// A request that names a document has none of its own.
async fn empty(mut body: Body) -> Result<Option<Staged>, ApiError> {
    while let Some(chunk) = body.next().await {
        if !chunk.map_err(|error| broken_upload(&error))?.is_empty() {
            return Err(bad_form("send the document, or its source_url: not both"));
        }
    }
    Ok(None)
}

/// What came beside the file.
#[derive(Default)]
pub(super) struct Form {
    pub(super) options: TaskOptions,
    pub(super) file_name: Option<String>,
    /// Where the document is to be fetched from, when it does not come with the request.
    pub(super) source_url: Option<String>,
    /// How long the answer may take; `None` where the route answers at once.
    pub(super) wait: Option<Duration>,
    /// What result the route answers with; `None` where it answers with none.
    pub(super) wanted: Option<Wanted>,
}

/// The form of a result. It is the request's own: requests that differ in nothing else are one task.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) format: Option<ResultFormat>,
    /// About how many tokens a chunk may have.
    pub(super) chunk_tokens: u32,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { format: None, chunk_tokens: ResultFormat::CHUNK_TOKENS }
    }
}

impl Form {
    /// The longest that a submit waits for the end of its task.
    pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(600);
}

impl Fields for Form {
    const FILE: &'static str = "file";

    fn file_named(&mut self, name: Option<String>) {
        self.file_name = self.file_name.take().or(name);
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        match (name, &mut self.wait, &mut self.wanted) {
            ("file_name", ..) => self.file_name = clean_file_name(value),
            ("source_url", ..) => self.source_url = Some(value.trim().to_owned()).filter(|url| !url.is_empty()),
            // Empty means not given, as for options.
            ("wait", Some(_), _) | ("chunk_tokens" | "format", _, Some(_)) if value.is_empty() => {}
            ("wait", Some(wait), _) => *wait = waiting_time(value)?,
            ("chunk_tokens", _, Some(wanted)) => wanted.chunk_tokens = chunk_size(value)?,
            ("format", _, Some(wanted)) => wanted.format = Some(format(value)?),
            _ => self.options.set(name, value).map_err(|error| ApiError::bad_option(&error))?,
        }
        Ok(())
    }
}

fn waiting_time(value: &str) -> Result<Duration, ApiError> {
    let seconds = value.trim().parse::<f64>().ok().filter(|seconds| *seconds >= 0.0);
    let wait = seconds.map(|seconds| Duration::from_secs_f64(seconds.min(Form::LONGEST_WAIT.as_secs_f64())));
    wait.ok_or_else(|| ApiError::bad_option(&"wait must be a number of seconds"))
}

fn format(value: &str) -> Result<ResultFormat, ApiError> {
    value.trim().parse().map_err(|why: ParseError| ApiError::bad_option(&format!("format: {why}")))
}

fn chunk_size(value: &str) -> Result<u32, ApiError> {
    let sizes = ResultFormat::CHUNK_SIZES;
    let tokens = value.trim().parse().ok().filter(|tokens| sizes.contains(tokens));
    tokens.ok_or_else(|| {
        ApiError::bad_option(&format!("chunk_tokens must be a number from {} to {}", sizes.start(), sizes.end()))
    })
}

/// A body that says it is too large is not read at all.
pub(super) fn refuse_known_excess(handle: &Handle, request: &HttpRequest) -> Result<(), ApiError> {
    let limit = handle.limits().max_bytes;
    // A form is a little larger than its file.
    match declared_length(request) {
        Some(length) if length > limit.saturating_add(1 << 20) => Err(ApiError::rejected(&too_large(limit))),
        _ => Ok(()),
    }
}

fn declared_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(super) fn content_type(request: &HttpRequest) -> String {
    let value = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a form with one document at most.
pub(super) async fn read_form<F: Fields>(
    intake: Intake<'_>,
    mut multipart: Multipart,
    form: &mut F,
) -> Result<Option<Staged>, ApiError> {
    let (mut source, mut read) = (None, 0);
    while let Some(field) = multipart.try_next().await.map_err(|error| broken_upload(&error))? {
        let disposition = field.content_disposition();
        let name = disposition.and_then(|d| d.get_name()).unwrap_or_default().to_owned();
        if name != F::FILE {
            let value = read_value::<F>(field, &name).await?;
            read += name.len() + value.len() + 64;
            if read > MAX_FORM {
                return Err(bad_form(&format!("more than {MAX_FORM} bytes beside the document")));
            }
            let is_document = looks_like_document(value.as_bytes());
            form.set(&name, &value).map_err(|why| if is_document { no_text::<F>(&name, "is none") } else { why })?;
            continue;
        }
        if source.is_some() {
            return Err(bad_form("there is more than one file: submit each as a task of its own"));
        }
        form.file_named(disposition.and_then(given_name).as_deref().and_then(clean_file_name));
        source = Some(receive(intake, field).await?);
    }
    Ok(source)
}

/// A form came without what it is for.
pub(super) fn no_document<F: Fields>() -> ApiError {
    bad_form(&format!("the form has no field {} with the document", F::FILE))
}

/// The text of a field. What is none may be the document, under another name.
async fn read_value<F: Fields>(mut field: Field, name: &str) -> Result<String, ApiError> {
    let mut value = Vec::new();
    while let Some(chunk) = field.try_next().await.map_err(|error| broken_upload(&error))? {
        value.extend_from_slice(&chunk);
        if value.len() > TaskOptions::MAX_TEXT {
            return Err(no_text::<F>(name, "is too long"));
        }
    }
    String::from_utf8(value).map_err(|_| no_text::<F>(name, "is not UTF-8"))
}

fn no_text<F: Fields>(name: &str, why: &str) -> ApiError {
    bad_form(&format!("field {name:?} {why}: the document goes into the field `{}`", F::FILE))
}

/// The whole of a request in JSON, and its turn among the large ones, which are held in memory.
pub(super) struct Whole {
    bytes: Vec<u8>,
    turn: Option<OwnedSemaphorePermit>,
}

impl Whole {
    /// What it says, or the error of the caller; and the turn, to be kept as long as its parts are in memory. Large ones take
    /// long to read, so that happens on a thread of its own.
    pub(super) async fn parsed<T: DeserializeOwned + Send + 'static>(
        self,
    ) -> Result<(Result<T, ApiError>, Option<OwnedSemaphorePermit>), ApiError> {
        let Self { bytes, turn } = self;
        let parsed = tokio::task::spawn_blocking(move || serde_json::from_slice(&bytes)).await;
        let parsed = parsed.map_err(|_| RequestError::Stopping)?;
        let bad = |error: serde_json::Error| {
            let detail = format!("the request cannot be read: {error}");
            ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_request", detail)
        };
        Ok((parsed.map_err(bad), turn))
    }
}

/// Takes in a request in JSON.
pub(super) async fn whole(
    state: &ApiState,
    Intake { handle, slot }: Intake<'_>,
    mut body: Body,
) -> Result<Whole, ApiError> {
    let (mut bytes, mut turn) = (Vec::new(), None);
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| broken_upload(&error))?);
        if bytes.len() > MAX_JSON {
            let detail = format!("more than {MAX_JSON} bytes of JSON: send large documents as a form");
            return Err(ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "pdf_too_large", detail));
        }
        handle.grow_upload(slot, bytes.len() as u64).await?;
        if turn.is_none() && bytes.len() > LARGE_JSON {
            let next = Arc::clone(&state.large_bodies).acquire_owned().await;
            turn = Some(next.map_err(|_| RequestError::Stopping)?);
        }
    }
    Ok(Whole { bytes, turn })
}

/// The bytes of a text in Base64; `None` when it is none.
pub(super) async fn decoded(text: String) -> Result<Option<Vec<u8>>, ApiError> {
    let decoded = tokio::task::spawn_blocking(move || STANDARD.decode(text.trim().as_bytes()).ok()).await;
    Ok(decoded.map_err(|_| RequestError::Stopping)?)
}

/// Writes a stream to disk. Whatever stops it, what was written goes with it.
pub(super) async fn receive<E: std::fmt::Display>(
    Intake { handle, slot }: Intake<'_>,
    stream: impl Stream<Item = Result<Bytes, E>>,
) -> Result<Staged, ApiError> {
    handle.receive(slot, stream.map_err(|error| broken_upload(&error))).await
}

pub(super) fn broken_upload(error: &impl std::fmt::Display) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "bad_upload", format!("the upload cannot be read: {error}"))
}

pub(super) fn bad_form(detail: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_form", detail)
}

/// The name of a file in a form: `filename*` (RFC 8187) says more than a `filename` beside it.
pub(super) fn given_name(disposition: &ContentDisposition) -> Option<String> {
    let extended = disposition.get_filename_ext().map(|name| match &name.charset {
        // Its bytes are the first 256 characters.
        Charset::Iso_8859_1 => name.value.iter().map(|byte| char::from(*byte)).collect(),
        _ => String::from_utf8_lossy(&name.value).into_owned(),
    });
    extended.or_else(|| disposition.get_filename().map(ToOwned::to_owned))
}

/// The last part of a path, without what could be more than a name in a header, a log or a prompt.
pub(super) fn clean_file_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last.chars().filter(|c| !c.is_control()).collect();
    let mut clean = clean.trim().to_owned();
    while clean.len() > MAX_FILE_NAME {
        clean.pop();
    }
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::clean_file_name;

    #[test]
    fn file_names_are_names_only() {
        for (given, kept) in [
            ("a.pdf", Some("a.pdf")),
            ("../../etc/passwd", Some("passwd")),
            ("C:\\docs\\a.pdf", Some("a.pdf")),
            ("a\r\nX-Evil: 1.pdf", Some("aX-Evil: 1.pdf")),
            (" ü.pdf ", Some("ü.pdf")),
            ("..", Some("..")),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(clean_file_name(given).as_deref(), kept, "{given:?}");
        }
        assert!(clean_file_name(&"é".repeat(400)).unwrap().len() <= 255);
    }
}
