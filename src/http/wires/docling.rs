//! docling-serve v1: conversion at once or as a task that is asked after, with its errors in FastAPI's form.
//!
//! A task's id is that of ours. What is asked for of the result stands with the task, since the result is fetched by its
//! id alone. One request has one document.

mod asked;
mod response;
mod socket;

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use self::asked::{Asked, Target};
use super::super::ApiState;
use super::super::caller::{AuthorizedTask, Caller};
use super::super::error::ApiError;
use super::super::upload::{Intake, admitted, clean_file_name, decoded, paced, receive, whole};
use super::{Arrived, ErrorForm, Operation, completed, each_page, form, images, submit, unprocessable};
use crate::supervisor::PageParts;
use crate::task::{TaskRecord, TaskStatus};

/// The longest that a poll waits.
const LONGEST_POLL: f64 = 300.0;

/// Its operations.
pub(super) const OPERATIONS: &[Operation] = &[
    ("post", "/v1/convert/file", "multipart/form-data", "Converts a document of a form"),
    ("post", "/v1/convert/file/async", "multipart/form-data", "Begins to convert a document of a form"),
    ("post", "/v1/convert/source", "application/json", "Converts a document in Base64, or at an address"),
    (
        "post",
        "/v1/convert/source/async",
        "application/json",
        "Begins to convert a document in Base64, or at an address",
    ),
    ("post", "/v1/chunk/{chunker}/file", "multipart/form-data", "Cuts a document of a form into pieces"),
    ("post", "/v1/chunk/{chunker}/file/async", "multipart/form-data", "Begins to cut a document of a form into pieces"),
    (
        "post",
        "/v1/chunk/{chunker}/source",
        "application/json",
        "Cuts a document in Base64, or at an address, into pieces",
    ),
    (
        "post",
        "/v1/chunk/{chunker}/source/async",
        "application/json",
        "Begins to cut a document in Base64, or at an address, into pieces",
    ),
    ("get", "/v1/status/poll/{id}", "", "How a task stands"),
    ("get", "/v1/status/ws/{id}", "", "How a task stands whenever that changes, as a WebSocket"),
    ("get", "/v1/result/{id}", "", "What came of a task"),
    ("get", "/v1/clear/results", "", "Nothing: results go when their time is over"),
    ("get", "/v1/clear/converters", "", "Nothing"),
    ("get", "/health", "", "Whether the process lives"),
    ("get", "/ready", "", "Whether tasks can be accepted"),
    ("get", "/version", "", "The version; as text for Tika's clients"),
];

/// Adds its routes.
pub(super) fn configure(app: &mut web::ServiceConfig) {
    for (path, route) in [
        ("/v1/convert/file", web::post().to(convert_file)),
        ("/v1/convert/file/async", web::post().to(begin_file)),
        ("/v1/convert/source", web::post().to(convert_source)),
        ("/v1/convert/source/async", web::post().to(begin_source)),
        ("/v1/chunk/{chunker}/file", web::post().to(chunk_file)),
        ("/v1/chunk/{chunker}/file/async", web::post().to(begin_chunk_file)),
        ("/v1/chunk/{chunker}/source", web::post().to(chunk_source)),
        ("/v1/chunk/{chunker}/source/async", web::post().to(begin_chunk_source)),
        ("/v1/status/poll/{id}", web::get().to(poll)),
        ("/v1/status/ws/{id}", web::get().to(socket::socket)),
        ("/v1/result/{id}", web::get().to(result)),
        ("/v1/clear/results", web::get().to(clear)),
        ("/v1/clear/converters", web::get().to(clear)),
        ("/health", web::get().to(health)),
        ("/ready", web::get().to(ready)),
        ("/version", web::get().to(version)),
    ] {
        app.service(super::super::at(path, |resource: Resource| {
            resource
                .app_data(
                    web::PathConfig::default().error_handler(|_, _| Refusal::from(ApiError::task_not_found()).into()),
                )
                .app_data(
                    web::QueryConfig::default()
                        .error_handler(|e, _| Refusal::from(super::super::error::bad_query(&e)).into()),
                )
                .route(route)
        }));
    }
}

/// Errors as FastAPI has them: `{"detail": …}`.
struct Errors;

impl ErrorForm for Errors {
    fn body(error: &ApiError) -> Value {
        // The client compares this text.
        let detail = if error.code() == "task_not_found" { "Task not found." } else { error.detail() };
        json!({ "detail": detail })
    }
}

type Refusal = super::Refusal<Errors>;
type Answer = Result<HttpResponse, Refusal>;

async fn convert_file(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, asked) = from_form(&state, &request, payload, Asked::default()).await?;
    converted(&state, record, &asked).await
}

async fn begin_file(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, _) = from_form(&state, &request, payload, Asked::default()).await?;
    Ok(HttpResponse::Ok().json(response::status(&record)))
}

async fn convert_source(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, asked) = from_json(&state, &request, payload, Asked::default()).await?;
    converted(&state, record, &asked).await
}

async fn begin_source(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, _) = from_json(&state, &request, payload, Asked::default()).await?;
    Ok(HttpResponse::Ok().json(response::status(&record)))
}

async fn chunk_file(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, asked) = from_form(&state, &request, payload, Asked::chunks()).await?;
    converted(&state, record, &asked).await
}

async fn begin_chunk_file(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, _) = from_form(&state, &request, payload, Asked::chunks()).await?;
    Ok(HttpResponse::Ok().json(response::status(&record)))
}

async fn chunk_source(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, asked) = from_json(&state, &request, payload, Asked::chunks()).await?;
    converted(&state, record, &asked).await
}

async fn begin_chunk_source(state: web::Data<ApiState>, request: HttpRequest, payload: web::Payload) -> Answer {
    let (record, _) = from_json(&state, &request, payload, Asked::chunks()).await?;
    Ok(HttpResponse::Ok().json(response::status(&record)))
}

async fn from_form(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    mut asked: Asked,
) -> Result<(TaskRecord, Asked), Refusal> {
    let arrived = form(state, request, payload, &mut asked).await?;
    let arrived = Arrived { file_name: asked.file_name.take(), ..arrived };
    Ok((submit(state, arrived, asked.options()?).await?, asked))
}

/// A request in JSON.
#[derive(Deserialize)]
struct SourceRequest {
    #[serde(default, alias = "convert_options")]
    options: Map<String, Value>,
    #[serde(default)]
    chunking_options: Map<String, Value>,
    sources: Vec<Source>,
    #[serde(default)]
    target: Option<Value>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Source {
    File {
        base64_string: String,
        filename: String,
    },
    Http {
        url: String,
        #[serde(default)]
        headers: BTreeMap<String, String>,
    },
    #[serde(untagged)]
    Other {},
}

async fn from_json(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    asked: Asked,
) -> Result<(TaskRecord, Asked), Refusal> {
    let Caller(tenant) = Caller::of(request)?;
    let slot = admitted(&state.handle, request, tenant.clone()).await?;
    let intake = Intake { handle: &state.handle, slot: &slot };
    let body = paced(state, payload, |body| whole(state, intake, body)).await?;
    let (asked_for, _turn) = body.parsed::<SourceRequest>().await?;
    let SourceRequest { options, chunking_options, mut sources, target } = asked_for?;
    let (Some(source), true) = (sources.pop(), sources.is_empty()) else {
        return Err(unprocessable("sources: send one document a request").into());
    };
    let asked = asked.with(&options, target.as_ref())?.with(&chunking_options, None)?;
    let (source, called) = match source {
        Source::File { base64_string, filename } => {
            let document = decoded(base64_string).await?.ok_or_else(|| unprocessable("base64_string: not Base64"))?;
            let once = futures::stream::once(async { Ok::<_, std::convert::Infallible>(Bytes::from(document)) });
            (receive(intake, once).await?, Some(filename))
        }
        Source::Http { url, headers } => intake.fetch(&url, &headers.into_iter().collect::<Vec<_>>()).await?,
        Source::Other {} => {
            return Err(unprocessable("sources: only documents of kind \"file\" and \"http\" are taken").into());
        }
    };
    let file_name = called.as_deref().and_then(clean_file_name);
    let arrived = Arrived { source, media_type: None, file_name, tenant, slot };
    Ok((submit(state, arrived, asked.options()?).await?, asked))
}

/// Waits for the end, and answers with the result.
async fn converted(state: &ApiState, record: TaskRecord, asked: &Asked) -> Answer {
    document(state, &completed(state, record).await?, asked).await
}

async fn document(state: &ApiState, record: &TaskRecord, asked: &Asked) -> Answer {
    if let Some(tokens) = asked.chunk_tokens {
        let mut writer = response::ChunksWriter::new(record, tokens);
        each_page(state, record, PageParts::All, |page| writer.page(&page)).await?;
        return Ok(HttpResponse::Ok().json(writer.finish()));
    }
    let mut writer = response::DocumentWriter::new(record, asked);
    each_page(state, record, PageParts::All, |page| writer.page(&page)).await?;
    let mut written = writer.finish();
    let document = &mut written.document;
    let names = document.image_names().filter(|_| asked.images);
    let images = images(state, record, names).await?;
    if !asked.target.is_archive() {
        document.embed(&images);
        return Ok(HttpResponse::Ok().json(written));
    }
    document.refer(&images);
    let zipped = response::zipped(&written, &images).map_err(|error| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", format!("the archive cannot be written: {error}"))
    })?;
    if let Target::Put(url) = &asked.target {
        state
            .handle
            .put(url, "application/zip", zipped)
            .await
            .map_err(|error| ApiError::from(error).of_task(record.id))?;
        return Ok(HttpResponse::Ok().json(response::sent(record)));
    }
    let attached = (header::CONTENT_DISPOSITION, "attachment; filename=\"converted_docs.zip\"");
    Ok(HttpResponse::Ok().content_type("application/zip").insert_header(attached).body(zipped))
}

#[derive(Deserialize)]
struct PollQuery {
    #[serde(default)]
    wait: f64,
}

async fn poll(
    state: web::Data<ApiState>,
    task: Result<AuthorizedTask, ApiError>,
    query: web::Query<PollQuery>,
) -> Answer {
    let AuthorizedTask(id) = task?;
    let record = state.handle.get(id).await.map_err(ApiError::from)?;
    // What is no number of seconds is no wait.
    let wait = Some(query.wait).filter(|seconds| seconds.is_finite()).unwrap_or_default();
    let wait = Duration::from_secs_f64(wait.clamp(0.0, LONGEST_POLL));
    let record = super::super::submit::ended_within(&state, record, wait).await?;
    Ok(HttpResponse::Ok().json(response::status(&record)))
}

async fn result(state: web::Data<ApiState>, task: Result<AuthorizedTask, ApiError>) -> Answer {
    let AuthorizedTask(id) = task?;
    let record = state.handle.get(id).await.map_err(ApiError::from)?;
    match record.status {
        TaskStatus::Completed => document(&state, &record, &Asked::kept(&record.options)).await,
        TaskStatus::Failed | TaskStatus::Cancelled => {
            let failure = response::failure(&record);
            Ok(HttpResponse::Ok().json(json!({ "kind": "TaskFailureResult", "failure": failure })))
        }
        TaskStatus::Pending | TaskStatus::Processing => {
            let detail = "Task result not found. Please wait for a completion status.";
            Err(ApiError::new(StatusCode::NOT_FOUND, "result_not_ready", detail).into())
        }
    }
}

/// Results expire by themselves; a caller must not clear those of others.
async fn clear(caller: Result<Caller, ApiError>) -> Answer {
    caller?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(state: web::Data<ApiState>) -> Answer {
    state.handle.ready().await.map_err(ApiError::from)?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ok" })))
}

/// Tika's clients ask for text under the same path.
async fn version(request: HttpRequest) -> HttpResponse {
    let version = env!("CARGO_PKG_VERSION");
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/plain") {
        return HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(format!("Bindery {version}"));
    }
    HttpResponse::Ok().json(json!({ "bindery": version }))
}
