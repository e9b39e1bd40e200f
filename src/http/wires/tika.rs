//! Apache Tika's server, 3 and 4: a document is put, its text comes back.
//!
//! | route | answer |
//! |---|---|
//! | `/tika` | Markdown, or what `Accept` asks for: `text/plain`, `text/html`, `application/json` |
//! | `/tika/{md,html,xml}`, `/tika/text` for `text/plain` | that |
//! | `/tika/text`, `/tika/json[/{form}]` | JSON with what the document says of itself and `X-TIKA:content` (3), `tk:content` (4) |
//! | `/rmeta[/{form}]` | the same as an array of one |
//! | `/meta` | what the document says of itself; costs no call |
//! | `/detect/stream` | the media type |

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, web};
use futures::StreamExt;
use serde_json::{Map, Value, json};

use super::super::ApiState;
use super::super::caller::Caller;
use super::super::error::ApiError;
use super::super::upload::{broken_upload, clean_file_name, paced};
use super::{ErrorForm, Operation, body, completed, each_page, remarks, submit, text_of};
use crate::aggregate::MarkdownWriter;
use crate::document::media_type;
use crate::output::PagesWriter;
use crate::supervisor::PageParts;
use crate::task::{ResultFormat, TaskOptions, TaskRecord};

/// The names of what a document says of itself, and what it says.
type Metadata = Map<String, Value>;

/// Its operations.
pub(super) const OPERATIONS: &[Operation] = &[
    ("put", "/tika", "application/octet-stream", "A document as Markdown, text, HTML or JSON"),
    ("put", "/tika/{form}", "application/octet-stream", "The same in the form that is named"),
    ("put", "/tika/json", "application/octet-stream", "The same with what the document says of itself"),
    ("put", "/tika/json/{form}", "application/octet-stream", "The same with its text in the form that is named"),
    ("put", "/rmeta", "application/octet-stream", "What the document says of itself, and its text"),
    ("put", "/rmeta/{form}", "application/octet-stream", "The same with its text in the form that is named"),
    ("put", "/meta", "application/octet-stream", "What the document says of itself"),
    ("put", "/detect/stream", "application/octet-stream", "The media type"),
];

/// Adds its routes.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    for (path, route) in [
        ("/tika", web::put().to(tika)),
        ("/tika/json", web::put().to(json_text)),
        ("/tika/json/{form}", web::put().to(json_text)),
        ("/tika/{form}", web::put().to(tika)),
        ("/rmeta", web::put().to(rmeta)),
        ("/rmeta/{form}", web::put().to(rmeta)),
        ("/meta", web::put().to(meta)),
        ("/detect/stream", web::put().to(detect)),
    ] {
        app.service(super::super::at(path, |resource: Resource| resource.route(route)));
    }
}

/// Errors as Tika 4 has them.
struct Errors;

impl ErrorForm for Errors {
    fn body(error: &ApiError) -> Value {
        let status = match error.status_code() {
            StatusCode::GATEWAY_TIMEOUT => "TIMEOUT",
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => "PARSE_ERROR",
            _ => "ERROR",
        };
        json!({ "status": status, "message": error.detail() })
    }
}

type Refusal = super::Refusal<Errors>;
type Answer = Result<HttpResponse, Refusal>;

/// How the text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Markdown,
    Text,
    Html,
    /// No text at all.
    Nothing,
}

impl Form {
    fn named(name: &str) -> Option<Self> {
        match name {
            "md" | "markdown" => Some(Self::Markdown),
            "text" | "txt" | "body" | "main" => Some(Self::Text),
            "html" | "xml" => Some(Self::Html),
            "ignore" => Some(Self::Nothing),
            _ => None,
        }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Text | Self::Nothing => "text/plain; charset=utf-8",
        }
    }
}

/// What the path names, or `otherwise`.
fn form(request: &HttpRequest, otherwise: Form) -> Result<Form, Refusal> {
    match request.match_info().get("form") {
        None => Ok(otherwise),
        Some(name) => Form::named(name).ok_or_else(|| {
            let detail = format!("there is no form {name:?}: use md, text, html or json");
            ApiError::new(StatusCode::NOT_FOUND, "no_such_route", detail).into()
        }),
    }
}

fn accepts(request: &HttpRequest, media_type: &str) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.split(',').any(|part| part.split(';').next().map(str::trim) == Some(media_type)))
}

async fn tika(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    caller: Result<Caller, ApiError>,
) -> Answer {
    let named = request.match_info().get("form").is_some();
    let form = match form(&request, Form::Markdown)? {
        Form::Markdown if !named && accepts(&request, "text/plain") => Form::Text,
        Form::Markdown if !named && accepts(&request, "text/html") => Form::Html,
        form => form,
    };
    // Tika 3 answers `/tika/text` with JSON, and its clients count on that.
    let is_json =
        accepts(&request, "application/json") || (form == Form::Text && named && !accepts(&request, "text/plain"));
    let document = read(&state, &request, payload, caller?, TaskOptions::default()).await?;
    let (text, remarks) = said(&state, &document.record, form).await?;
    if is_json {
        return Ok(HttpResponse::Ok().json(with_text(metadata(&document), "X-TIKA:content", text, remarks)));
    }
    Ok(HttpResponse::Ok().content_type(form.media_type()).body(text))
}

async fn json_text(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    caller: Result<Caller, ApiError>,
) -> Answer {
    let form = form(&request, Form::Markdown)?;
    Ok(HttpResponse::Ok().json(described(&state, &request, payload, caller?, (form, "tk:content")).await?))
}

async fn rmeta(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    caller: Result<Caller, ApiError>,
) -> Answer {
    let form = form(&request, Form::Html)?;
    Ok(HttpResponse::Ok().json([described(&state, &request, payload, caller?, (form, "X-TIKA:content")).await?]))
}

/// What a document says of itself, with its text in a form and under a name.
async fn described(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    caller: Caller,
    (form, name): (Form, &str),
) -> Result<Metadata, ApiError> {
    let document = read(state, request, payload, caller, TaskOptions::default()).await?;
    let (text, remarks) = said(state, &document.record, form).await?;
    Ok(with_text(metadata(&document), name, text, remarks))
}

/// As JSON, or as Tika has it by default: names and values between quotes, a line each.
async fn meta(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    caller: Result<Caller, ApiError>,
) -> Answer {
    let options = TaskOptions { processor: Some("text".to_owned()), ..TaskOptions::default() };
    let metadata = metadata(&read(&state, &request, payload, caller?, options).await?);
    if accepts(&request, "application/json") {
        return Ok(HttpResponse::Ok().json(metadata));
    }
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let line = |(name, value): (&String, &Value)| {
        format!("{},{}\n", quoted(name), quoted(value.as_str().unwrap_or(&value.to_string())))
    };
    Ok(HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(metadata.iter().map(line).collect::<String>()))
}

/// What the first bytes say.
async fn detect(state: web::Data<ApiState>, payload: web::Payload, caller: Result<Caller, ApiError>) -> Answer {
    caller?;
    let read = paced(&state, payload, async |mut body| {
        let mut begin = Vec::new();
        while begin.len() < 1024 {
            let Some(part) = body.next().await else { break };
            begin.extend_from_slice(&part.map_err(|error| broken_upload(&error))?);
        }
        Ok(begin)
    });
    let found = media_type(&read.await?).unwrap_or("application/octet-stream");
    Ok(HttpResponse::Ok().content_type("text/plain").body(found))
}

/// A document that was read.
struct Document {
    record: TaskRecord,
    media_type: Option<&'static str>,
}

async fn read(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    caller: Caller,
    options: TaskOptions,
) -> Result<Document, ApiError> {
    let arrived = body(state, request, payload, caller, file_name(request)).await?;
    let media_type = arrived.media_type;
    let record = completed(state, submit(state, arrived, options).await?).await?;
    Ok(Document { record, media_type })
}

/// The name in `Content-Disposition`. One of Tika's clients writes it as a literal of its language: `b'a.pdf'`.
fn file_name(request: &HttpRequest) -> Option<String> {
    let value = request.headers().get(header::CONTENT_DISPOSITION)?.to_str().ok()?;
    let name = value.split(';').find_map(|part| part.trim().strip_prefix("filename="))?.trim_matches('"');
    let name = name.strip_prefix("b'").and_then(|name| name.strip_suffix('\'')).unwrap_or(name);
    clean_file_name(name)
}

/// The text of a task that is completed, and what is known against its pages.
async fn said(state: &ApiState, record: &TaskRecord, form: Form) -> Result<(String, Vec<String>), ApiError> {
    let name = record.file_name.as_deref().unwrap_or_default();
    let format = if form == Form::Html { ResultFormat::Html } else { ResultFormat::Text };
    let mut pages = PagesWriter::new(format, name, ResultFormat::CHUNK_TOKENS).filter(|_| form != Form::Markdown);
    let options = TaskOptions { page_separator: Some(String::new()), ..TaskOptions::default() };
    let mut markdown = MarkdownWriter::new(Vec::new(), &options);
    let mut text = pages.as_ref().map(PagesWriter::begin).unwrap_or_default();
    let mut against = Vec::new();
    let parts = match form {
        Form::Markdown | Form::Nothing => PageParts::WithoutBlocks,
        Form::Text | Form::Html => PageParts::All,
    };
    each_page(state, record, parts, |page| {
        against.extend(remarks(&page));
        match &mut pages {
            Some(writer) => text.push_str(&writer.page(&page)),
            // Nothing can go wrong in memory.
            None => drop(markdown.page(&page)),
        }
    })
    .await?;
    text.push_str(&pages.as_mut().map(PagesWriter::end).unwrap_or_default());
    if pages.is_none() {
        text = text_of(markdown.into_inner());
    }
    if form == Form::Nothing {
        text.clear();
    }
    Ok((text, against))
}

fn metadata(Document { record, media_type }: &Document) -> Metadata {
    let mut metadata = Metadata::new();
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            metadata.insert(name.to_owned(), value.into());
        }
    };
    say("Content-Type", media_type.map(str::to_owned));
    say("resourceName", record.file_name.clone());
    say("xmpTPg:NPages", record.total_pages.map(|pages| pages.to_string()));
    if let Some(digests) = &record.result_digests {
        let document = &digests.document;
        say("dc:title", document.title.clone());
        say("dc:creator", document.author.clone());
        say("dcterms:created", document.created.clone());
        say("dcterms:modified", document.modified.clone());
    }
    say("X-TIKA:Parsed-By", Some(format!("bindery {}", env!("CARGO_PKG_VERSION"))));
    metadata
}

/// Adds the text under the name that it has in this version, and what is known against pages.
fn with_text(mut metadata: Metadata, name: &str, text: String, remarks: Vec<String>) -> Metadata {
    if !remarks.is_empty() {
        metadata.insert("X-TIKA:EXCEPTION:warn".to_owned(), remarks.into());
    }
    metadata.insert(name.to_owned(), text.into());
    metadata
}
