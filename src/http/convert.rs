//! `POST /v1/convert`: one request from a document to its result.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::ApiState;
use super::caller::Caller;
use super::error::ApiError;
use super::openapi::{Binary, ChunkOption, ConvertForm, SourceOption, SubmitOptions, WaitOption};
use super::result::{self, WholeView};
use super::submit::{accept, ended_within, told};
use super::upload::{Form, Wanted};
use super::view::TaskView;
use crate::task::TaskStatus;

/// How long a caller that does not say so waits.
const DEFAULT_WAIT: Duration = Duration::from_secs(120);

/// Converts a document while the caller waits
///
/// Takes what a submit takes. The answer is the result, in the format that `format` or `Accept` asks for, when the task has
/// ended within `wait` seconds; else it says where the task is, which goes on. The same request again joins it and pays for
/// nothing twice. A caller that hangs up loses nothing.
#[utoipa::path(
    post,
    path = "/v1/convert",
    tag = "tasks",
    params(SubmitOptions, SourceOption, WaitOption, ChunkOption,
        ("Idempotency-Key" = Option<String>, Header, description = "The caller's own name for this submit")),
    request_body(content((ConvertForm = "multipart/form-data"), (inline(Binary) = "application/pdf"), (inline(Binary) = "image/png"),
        (inline(Binary) = "image/jpeg"), (inline(Binary) = "image/tiff"), (inline(Binary) = "image/webp"))),
    responses(
        (status = 200, description = "The result", headers(("Location" = String), ("Bindery-Pages" = String)),
            content((String = "text/markdown"), (WholeView = "application/json"), (String = "text/html"),
                (String = "text/plain"), (String = "application/jsonl"))),
        (status = 202, description = "It takes longer: the task goes on", body = TaskView, headers(("Location" = String))),
        (status = 400, description = "The upload broke off or cannot be read"),
        (status = 408, description = "The upload stood still for too long, or was too slow"),
        (status = 409, description = "The task was cancelled, its result is damaged, or the idempotency key was used for something else"),
        (status = 413, description = "The file is too large"),
        (status = 415, description = "Neither a form nor a document"),
        (status = 421, description = "This server has the role `worker`: another one accepts tasks"),
        (status = 429, description = "The caller has as much as it may have"),
    )
)]
pub(super) async fn convert(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    Caller(tenant): Caller,
) -> Result<HttpResponse, ApiError> {
    let form = Form { wait: Some(DEFAULT_WAIT), wanted: Some(Wanted::default()), ..Form::default() };
    let (accepted, form) = accept(&state, &request, payload, tenant, form).await?;
    let record = ended_within(&state, accepted.record, form.wait.unwrap_or_default()).await?;
    match (record.status, &record.error) {
        (TaskStatus::Completed, _) => {
            let Wanted { format, chunk_tokens } = form.wanted.unwrap_or_default();
            let format = format.or_else(|| result::accepted(&request)).unwrap_or_default();
            result::answer(&state, record, format, chunk_tokens).await
        }
        (TaskStatus::Failed, Some(failure)) => Err(ApiError::failed(failure).of_task(record.id)),
        (TaskStatus::Failed | TaskStatus::Cancelled, _) => Err(ApiError::cancelled().of_task(record.id)),
        (TaskStatus::Pending | TaskStatus::Processing, _) => {
            Ok(told(&state, StatusCode::ACCEPTED, record, accepted.reused))
        }
    }
}
