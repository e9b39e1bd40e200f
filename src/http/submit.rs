//! `POST /v1/tasks`: a PDF or picture as it comes over the wire goes to disk, never into memory.

use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::ApiState;
use super::caller::{AuthorizedTask, Caller};
use super::error::ApiError;
use super::openapi::{Binary, DocumentForm, SourceOption, SubmitForm, SubmitOptions, WaitOption};
use super::upload::{Fields, Form, admitted, admitted_within_quota, upload};
use super::view::TaskView;
use crate::pool::Estimate;
use crate::supervisor::{Accepted, SubmitTask};
use crate::task::{TaskId, TaskRecord};

/// The longest idempotency key.
const MAX_KEY: usize = 255;

/// Submits a PDF or a picture
///
/// As a form with the file and options, or as the bytes of a file with options in the query: a PDF, or a picture in PNG, JPEG,
/// TIFF (a page for each of its frames) or WebP. With `source_url` in their place the file is fetched. The same file with the same
/// options that is being worked on or was completed is the same task, unless `reuse` is `false`.
#[utoipa::path(
    post,
    path = "/v1/tasks",
    tag = "tasks",
    params(SubmitOptions, SourceOption, WaitOption, ("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this submit")),
    request_body(content((SubmitForm = "multipart/form-data"), (inline(Binary) = "application/pdf"), (inline(Binary) = "image/png"),
        (inline(Binary) = "image/jpeg"), (inline(Binary) = "image/tiff"), (inline(Binary) = "image/webp"))),
    responses(
        (status = 200, description = "An equal task was there, or it has ended within `wait`", body = TaskView, headers(("Location" = String))),
        (status = 202, description = "Accepted: from here on it survives", body = TaskView, headers(("Location" = String))),
        (status = 400, description = "The upload broke off or cannot be read"),
        (status = 408, description = "The upload stood still for too long, or was too slow"),
        (status = 409, description = "The idempotency key was used for something else"),
        (status = 413, description = "The file is too large"),
        (status = 415, description = "Neither a form nor a document"),
        (status = 421, description = "This server has the role `worker`: another one accepts tasks"),
        (status = 429, description = "The caller has as much as it may have"),
    )
)]
pub(super) async fn submit(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    Caller(tenant): Caller,
) -> Result<HttpResponse, ApiError> {
    let form = Form { wait: Some(Duration::ZERO), ..Form::default() };
    let (submitted, form) = accept(&state, &request, payload, tenant, form).await?;
    let Accepted { record, reused } = submitted;
    let record = ended_within(&state, record, form.wait.unwrap_or_default()).await?;
    let status = if reused || record.status.is_final() { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(told(&state, status, record, reused))
}

/// Takes in a document and has a task made of it.
pub(super) async fn accept(
    state: &ApiState,
    request: &HttpRequest,
    payload: web::Payload,
    tenant: Option<String>,
    form: Form,
) -> Result<(Accepted, Form), ApiError> {
    let slot = admitted(&state.handle, request, tenant.clone()).await?;
    let idempotency_key = idempotency_key(request)?;
    let (source, mut form) = upload(state, request, payload, &slot, form).await?;
    let (file_name, options) = (form.file_name.take(), form.options.clone());
    let submit = SubmitTask { source, file_name, options, idempotency_key, tenant, upload: Some(slot) };
    Ok((state.handle.submit_staged(submit).await?, form))
}

/// How a task stands when it has ended, when so much time has passed, or when the server is asked to stop.
pub(super) async fn ended_within(state: &ApiState, record: TaskRecord, wait: Duration) -> Result<TaskRecord, ApiError> {
    if wait.is_zero() || record.status.is_final() {
        return Ok(record);
    }
    let stands = tokio::select! {
        waited = state.handle.wait_at_most(record.id, wait) => waited,
        () = state.stopping.cancelled() => state.handle.get(record.id).await,
    };
    stands.map_err(|error| ApiError::from(error).of_task(record.id))
}

/// How a task stands, and where it is.
pub(super) fn told(state: &ApiState, status: StatusCode, record: TaskRecord, reused: bool) -> HttpResponse {
    let location = format!("{}/v1/tasks/{}", state.base_path, record.id);
    let view = TaskView::new(record, &state.base_path).reused(reused);
    HttpResponse::build(status).insert_header((header::LOCATION, location)).json(view)
}

/// Says what a submit would take
///
/// Looks at every page and spends nothing.
#[utoipa::path(
    post,
    path = "/v1/estimate",
    tag = "tasks",
    params(SubmitOptions, SourceOption),
    request_body(content((DocumentForm = "multipart/form-data"), (inline(Binary) = "application/pdf"), (inline(Binary) = "image/png"),
        (inline(Binary) = "image/jpeg"), (inline(Binary) = "image/tiff"), (inline(Binary) = "image/webp"))),
    responses(
        (status = 200, description = "Pages, calls, tokens and money, in all and by route", body = Estimate),
        (status = 400, description = "The upload broke off or cannot be read"),
        (status = 408, description = "The upload stood still for too long, or was too slow"),
        (status = 413, description = "The file is too large"),
        (status = 415, description = "Neither a form nor a document"),
        (status = 421, description = "This server has the role `worker`: another one accepts tasks"),
        (status = 429, description = "The caller has as much as it may have"),
    )
)]
pub(super) async fn estimate(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    Caller(tenant): Caller,
) -> Result<HttpResponse, ApiError> {
    let slot = admitted_within_quota(&state.handle, &request, tenant.clone()).await?;
    let (source, form) = upload(&state, &request, payload, &slot, Form::default()).await?;
    Ok(HttpResponse::Ok().json(state.handle.estimate(source, form.options, tenant, Some(slot)).await?))
}

/// Submits a task's document again, with other options
///
/// Options that are not given are those of the task; with another `processor` or `model` only those that every processor
/// takes. What comes is a task of its own, and an equal one that is there will do, as for any submit.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/resubmit",
    tag = "tasks",
    params(("id" = TaskId, Path, description = "The task"), SubmitOptions),
    responses(
        (status = 200, description = "An equal task was there", body = TaskView, headers(("Location" = String))),
        (status = 202, description = "Accepted: from here on it survives", body = TaskView, headers(("Location" = String))),
        (status = 404, description = "No such task"),
        (status = 409, description = "Its record cannot be read"),
        (status = 421, description = "This server has the role `worker`: another one accepts tasks"),
        (status = 429, description = "The caller has as much as it may have"),
    )
)]
pub(super) async fn resubmit(
    state: web::Data<ApiState>,
    request: HttpRequest,
    AuthorizedTask(id): AuthorizedTask,
) -> Result<HttpResponse, ApiError> {
    let mut form = Form::default();
    let query = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
    for (name, value) in query.map_err(|error| super::error::bad_query(&error))?.into_inner() {
        form.set(&name, &value)?;
    }
    if form.source_url.is_some() {
        return Err(ApiError::bad_option(&"source_url: a resubmit reads the document of its task"));
    }
    let Accepted { record, reused } = state.handle.resubmit(id, form.options).await?;
    let status = if reused { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(told(&state, status, record, reused))
}

/// The caller's key (draft-ietf-httpapi-idempotency-key-header, without the quotes that it may have).
fn idempotency_key(request: &HttpRequest) -> Result<Option<String>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim().trim_matches('"');
    if key.is_empty() || key.len() > MAX_KEY {
        let wanted = format!("header Idempotency-Key: must be 1 to {MAX_KEY} printable ASCII characters");
        return Err(ApiError::bad_option(&wanted));
    }
    Ok(Some(key.to_owned()))
}
