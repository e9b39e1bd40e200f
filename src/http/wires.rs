//! Interfaces of other services, so that programs written for those work by changing their URL. Each is a thin layer over
//! the same tasks: a client's retry joins the running task and pays for nothing twice, a restart loses nothing, and what
//! was not read is said in the interface's own terms. None has a life cycle of its own.
//!
//! | interface | routes |
//! |---|---|
//! | [docling-serve](docling) v1 | `/v1/{convert,chunk/…}/{file,source}[/async]`, `/v1/status/poll/{id}`, `/v1/result/{id}`, `/v1/clear/*`, `/health`, `/ready`, `/version` |
//! | [Mistral OCR](mistral) | `/v1/ocr`, `/v1/files`, `/v1/files/{id}[/url]` |
//! | [Tika](tika) | `PUT /tika`, `/tika/{form}`, `/rmeta[/{form}]`, `/meta`, `/detect/stream` |
//! | [LlamaCloud parse](llama_cloud) v2 | `/api/v2/parse[/upload]`, `/api/v2/parse/{job}[/cancel]` |
//! | [Open WebUI's external loader](open_webui) | `PUT /process` |

mod docling;
mod llama_cloud;
mod mistral;
mod open_webui;
mod tika;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::ApiState;
use super::caller::Caller;
use super::error::ApiError;
use super::form_heads;
use super::submit::ended_within;
use super::upload::{
    Body, Fields, Form, Intake, admitted, no_document, paced, read_form, receive, refuse_known_excess,
};
use crate::blob::Staged;
use crate::document::media_type;
use crate::supervisor::{PageParts, SubmitTask, UploadSlot};
use crate::task::{ImageName, PageView, ParseError, TaskOptions, TaskRecord, TaskStatus};

/// So many of its first bytes say what a file is.
const HEAD: usize = 1_024;

/// An operation: its method, its path, the media type of what it takes, what it does.
type Operation = (&'static str, &'static str, &'static str, &'static str);

/// An interface of another service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wire {
    /// docling-serve, version 1.
    Docling,
    /// Mistral OCR.
    Mistral,
    /// Apache Tika's server, 3 and 4.
    Tika,
    /// Open WebUI's external document loader.
    OpenWebUi,
    /// LlamaCloud parse, version 2.
    LlamaCloud,
}

impl Wire {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Docling, Self::Mistral, Self::Tika, Self::OpenWebUi, Self::LlamaCloud];

    /// Its name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Docling => "docling",
            Self::Mistral => "mistral",
            Self::Tika => "tika",
            Self::OpenWebUi => "open-webui",
            Self::LlamaCloud => "llama-cloud",
        }
    }

    pub(super) fn configure(self, app: &mut web::ServiceConfig) {
        match self {
            Self::Docling => docling::configure(app),
            Self::Mistral => mistral::configure(app),
            Self::Tika => tika::configure(app),
            Self::OpenWebUi => open_webui::configure(app),
            Self::LlamaCloud => llama_cloud::configure(app),
        }
    }

    /// Programs that speak it, and what is set in them.
    pub(super) const fn clients(self) -> (&'static str, &'static str) {
        match self {
            Self::Docling => (
                "docling-serve: `DoclingServiceClient`, LangChain's `DoclingLoader` with it, Haystack's `DoclingServeConverter`, \
                 Open WebUI (Docling)",
                "this server's URL; the key as the API key",
            ),
            Self::Mistral => (
                "Mistral OCR: `mistralai`, Open WebUI (Mistral OCR)",
                "`server_url`; in Open WebUI the URL with `/v1`; the key as the API key",
            ),
            Self::Tika => (
                "Apache Tika 3 and 4: `tika`, Open WebUI (Tika)",
                "`TIKA_SERVER_ENDPOINT`, with `TIKA_CLIENT_ONLY=1`; Open WebUI sends no key",
            ),
            Self::OpenWebUi => ("Open WebUI (external document loader)", "this server's URL; the key as the API key"),
            Self::LlamaCloud => ("LlamaCloud parse: `llama_cloud`", "`base_url`; the key as the API key"),
        }
    }

    pub(super) const fn operations(self) -> &'static [Operation] {
        match self {
            Self::Docling => docling::OPERATIONS,
            Self::Mistral => mistral::OPERATIONS,
            Self::Tika => tika::OPERATIONS,
            Self::OpenWebUi => open_webui::OPERATIONS,
            Self::LlamaCloud => llama_cloud::OPERATIONS,
        }
    }
}

impl FromStr for Wire {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::ALL.into_iter().find(|wire| wire.as_str() == text.trim());
        found.ok_or_else(|| {
            let all = Self::ALL.map(Self::as_str).join(", ");
            ParseError::new(format!("unknown interface {text:?}: use {all} or none"))
        })
    }
}

/// An error in the form that an interface has for errors.
struct Refusal<F> {
    error: ApiError,
    form: PhantomData<F>,
}

/// The form that an interface has for errors.
trait ErrorForm: 'static {
    /// The body of an answer.
    fn body(error: &ApiError) -> Value;
}

impl<F, E: Into<ApiError>> From<E> for Refusal<F> {
    fn from(error: E) -> Self {
        Self { error: error.into(), form: PhantomData }
    }
}

impl<F> fmt::Debug for Refusal<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<F> fmt::Display for Refusal<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl<F: ErrorForm> ResponseError for Refusal<F> {
    fn status_code(&self) -> StatusCode {
        self.error.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        self.error.head().json(F::body(&self.error))
    }
}

/// The request does not fit the interface.
fn unprocessable(detail: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_request", detail)
}

/// A document that came over another interface, and whose it is.
struct Arrived {
    source: Staged,
    /// By how it begins, where that was looked at.
    media_type: Option<&'static str>,
    file_name: Option<String>,
    tenant: Option<String>,
    slot: UploadSlot,
}

/// Takes in a form with a document, whose other fields go to `fields`.
async fn form<F: Fields>(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    fields: &mut F,
) -> Result<Arrived, ApiError> {
    let Caller(tenant) = Caller::of(request)?;
    let slot = admitted(&state.handle, request, tenant.clone()).await?;
    let intake = Intake { handle: &state.handle, slot: &slot };
    let source = paced(state, payload, |body| read_form(intake, form_heads::form(request, body), fields)).await?;
    let source = source.ok_or_else(no_document::<F>)?;
    Ok(Arrived { source, media_type: None, file_name: None, tenant, slot })
}

/// Takes in a document that is the whole body of a request, whatever its type is said to be.
async fn body(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    Caller(tenant): Caller,
    file_name: Option<String>,
) -> Result<Arrived, ApiError> {
    let slot = admitted(&state.handle, request, tenant.clone()).await?;
    let intake = Intake { handle: &state.handle, slot: &slot };
    refuse_known_excess(&state.handle, request)?;
    let read = paced(state, payload, async |body: Body| {
        let mut head = Vec::new();
        let seen =
            body.inspect_ok(|part| head.extend_from_slice(&part[..part.len().min(HEAD.saturating_sub(head.len()))]));
        let source = receive(intake, seen).await?;
        Ok((source, media_type(&head)))
    });
    let (source, media_type) = read.await?;
    Ok(Arrived { source, media_type, file_name, tenant, slot })
}

/// Waits for the result of a task, or says why there is none. A task that takes longer goes on, and the same request again
/// waits for it further.
async fn completed(state: &ApiState, record: TaskRecord) -> Result<TaskRecord, ApiError> {
    let record = ended_within(state, record, Form::LONGEST_WAIT).await?;
    match (record.status, &record.error) {
        (TaskStatus::Completed, _) => Ok(record),
        (TaskStatus::Pending | TaskStatus::Processing, _) => Err(ApiError::takes_longer().of_task(record.id)),
        (_, Some(failure)) => Err(ApiError::failed(failure).of_task(record.id)),
        (..) => Err(ApiError::cancelled().of_task(record.id)),
    }
}

/// A page's Markdown behind what is known against it; of one that was not read, why.
fn marked(page: &PageView) -> String {
    let number = page.page;
    if let Some(why) = page.absence() {
        return format!("<!-- page {number}: {why} -->");
    }
    let doubts = page.findings.iter().filter(|finding| finding.code.is_doubt());
    let mut marks: Vec<String> =
        doubts.map(|finding| format!("<!-- page {number}: doubtful: {} -->\n\n", finding.code.as_str())).collect();
    marks.extend(page.markdown.clone());
    marks.concat()
}

/// What was written into memory, which is text.
fn text_of(written: Vec<u8>) -> String {
    String::from_utf8(written).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// What is known against a page, a line each.
fn remarks(page: &PageView) -> Vec<String> {
    let failed = page.error.as_ref().map(|failure| format!("{}: {}", failure.code, failure.message));
    let doubts = page.findings.iter().filter(|finding| finding.code.is_doubt());
    let found = doubts.map(|finding| format!("{}: {}", finding.code.as_str(), finding.detail));
    failed.into_iter().chain(found).map(|why| format!("page {}: {why}", page.page)).collect()
}

/// Has a task made of a document, or finds the equal one that is there.
async fn submit(state: &ApiState, arrived: Arrived, options: TaskOptions) -> Result<TaskRecord, ApiError> {
    let Arrived { source, file_name, tenant, slot, .. } = arrived;
    let submit = SubmitTask { source, file_name, options, idempotency_key: None, tenant, upload: Some(slot) };
    Ok(state.handle.submit_staged(submit).await?.record)
}

/// Hands every page of a task to `take`, in order.
async fn each_page(
    state: &ApiState,
    record: &TaskRecord,
    parts: PageParts,
    mut take: impl FnMut(PageView),
) -> Result<(), ApiError> {
    let mut batches = std::pin::pin!(state.handle.page_batches(record.id, 1, parts));
    while let Some(batch) = batches.next().await {
        batch.map_err(|error| ApiError::from(error).of_task(record.id))?.into_iter().for_each(&mut take);
    }
    Ok(())
}

/// The files of figures by their names; of one that is not there, none.
async fn images(
    state: &ApiState,
    record: &TaskRecord,
    names: impl Iterator<Item = &ImageName>,
) -> Result<BTreeMap<ImageName, Vec<u8>>, ApiError> {
    let mut images = BTreeMap::new();
    for name in names.cloned().collect::<BTreeSet<_>>() {
        let bytes = state.handle.image(record.id, name.clone()).await;
        if let Some(bytes) = bytes.map_err(|error| ApiError::from(error).of_task(record.id))? {
            images.insert(name, bytes);
        }
    }
    Ok(images)
}

/// A file as an address that holds it (RFC 2397).
fn data_url(name: &ImageName, bytes: &[u8]) -> String {
    format!("data:{};base64,{}", name.kind().media_type(), STANDARD.encode(bytes))
}
