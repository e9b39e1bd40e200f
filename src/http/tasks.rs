//! `/v1/tasks` and `/v1/tasks/{id}` but for the submit.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use utoipa::IntoParams;

use super::ApiState;
use super::caller::{AuthorizedTask, Caller};
use super::error::ApiError;
use super::view::{TaskListView, TaskView};
use crate::store::ListQuery;
use crate::task::{Cost, ParseError, TaskId, TaskRecord, code};

/// The longest that a request waits for a task.
const LONGEST_WAIT: f64 = 300.0;
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct GetQuery {
    /// Wait so many seconds for it to end, 300 at most.
    wait: Option<f64>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    /// Only those that are pending, processing, completed, failed or cancelled.
    status: Option<String>,
    /// `true`: only those with doubtful pages.
    doubtful: Option<bool>,
    /// `true`: only those with failed pages.
    failed_pages: Option<bool>,
    /// The most that are shown.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// `next_cursor` of the window before.
    cursor: Option<String>,
}

/// How a task stands
#[utoipa::path(
    get,
    path = "/v1/tasks/{id}",
    tag = "tasks",
    params(("id" = TaskId, Path, description = "The task"), GetQuery),
    responses(
        (status = 200, body = TaskView, description = "The task"),
        (status = 404, description = "No such task"),
        (status = 409, description = "Its record cannot be read"),
    )
)]
pub(super) async fn get(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
    query: web::Query<GetQuery>,
) -> Result<HttpResponse, ApiError> {
    let record = match query.wait.filter(|wait| *wait > 0.0) {
        None => state.handle.get(id).await?,
        Some(wait) => {
            let wait = Duration::from_secs_f64(wait.min(LONGEST_WAIT));
            tokio::select! {
                waited = state.handle.wait_at_most(id, wait) => waited?,
                () = state.stopping.cancelled() => state.handle.get(id).await?,
            }
        }
    };
    Ok(HttpResponse::Ok().json(TaskView::new(record, &state.base_path)))
}

/// Tasks, newest first
#[utoipa::path(
    get,
    path = "/v1/tasks",
    tag = "tasks",
    params(ListParameters),
    responses((status = 200, body = TaskListView, description = "A window of them"))
)]
pub(super) async fn list(
    state: web::Data<ApiState>,
    query: web::Query<ListParameters>,
    Caller(tenant): Caller,
) -> Result<HttpResponse, ApiError> {
    let bad = |detail: String| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code::BAD_OPTION, detail);
    let parameters = query.into_inner();
    let limit = parameters.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(bad(format!("limit must be a number from 1 to {MAX_LIMIT}")));
    }
    let unknown = |error: ParseError| bad(error.into());
    let status = parameters.status.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    let status = status.map_err(unknown)?;
    let after = parameters.cursor.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose();
    let after = after.map_err(unknown)?;
    let (doubtful, failed_pages) = (parameters.doubtful == Some(true), parameters.failed_pages == Some(true));
    let page = state.handle.list(ListQuery { tenant, status, doubtful, failed_pages, after, limit }).await?;
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    let tasks = page.tasks.into_iter().map(|record| TaskView::new(record, &state.base_path)).collect();
    Ok(HttpResponse::Ok().json(TaskListView { tasks, next_cursor }))
}

/// Gives a task up
///
/// No new call begins after the answer. Finished pages stay readable.
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/cancel",
    tag = "tasks",
    params(("id" = TaskId, Path, description = "The task")),
    responses(
        (status = 200, body = TaskView, description = "It is cancelled"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It has ended already"),
    )
)]
pub(super) async fn cancel(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
) -> Result<HttpResponse, ApiError> {
    answer(&state, StatusCode::OK, id, within(state.handle.cancel(id)).await)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryQuery {
    /// What it may cost from now on, what it has cost included.
    max_cost: Option<String>,
}

/// Runs the pages of an ended task again that have no Markdown or are marked unfaithful
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/retry",
    tag = "tasks",
    params(("id" = TaskId, Path, description = "The task"), RetryQuery),
    responses(
        (status = 202, body = TaskView, description = "It goes on"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It has not ended"),
        (status = 421, description = "This server has the role `worker`: another one accepts tasks"),
    )
)]
pub(super) async fn retry(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
    query: web::Query<RetryQuery>,
) -> Result<HttpResponse, ApiError> {
    let max_cost = query.into_inner().max_cost.map(|text| text.parse::<Cost>()).transpose();
    let max_cost = max_cost.map_err(|reason| ApiError::bad_option(&format!("option max_cost: {reason}")))?;
    let retried = match max_cost {
        Some(max_cost) => within(state.handle.retry_for(id, max_cost)).await,
        None => within(state.handle.retry(id)).await,
    };
    answer(&state, StatusCode::ACCEPTED, id, retried)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteQuery {
    /// Also what was read of it, but for pages that other callers' tasks count on.
    #[serde(default)]
    purge: bool,
}

/// Removes a task and its files
///
/// Cancels it if needed. Pages that were read stay in the ledger, unless it is purged: then no text of the PDF is left
/// after the answer. A purge that was begun is finished, also when the server dies in between.
#[utoipa::path(
    delete,
    path = "/v1/tasks/{id}",
    tag = "tasks",
    params(("id" = TaskId, Path, description = "The task"), DeleteQuery),
    responses((status = 204, description = "It is gone"), (status = 404, description = "No such task"))
)]
pub(super) async fn delete(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
    query: web::Query<DeleteQuery>,
) -> Result<HttpResponse, ApiError> {
    let deleted =
        if query.purge { within(state.handle.purge(id)).await } else { within(state.handle.delete(id)).await };
    deleted.map_err(|error| error.of_task(id))?;
    Ok(HttpResponse::NoContent().finish())
}

fn answer(
    state: &ApiState,
    status: StatusCode,
    id: TaskId,
    done: Result<TaskRecord, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let record = done.map_err(|error| error.of_task(id))?;
    Ok(HttpResponse::build(status).json(TaskView::new(record, &state.base_path)))
}

/// A change waits until it is stored; a client should not have to wait as long as an outage lasts.
async fn within<T, E: Into<ApiError>>(change: impl Future<Output = Result<T, E>>) -> Result<T, ApiError> {
    match tokio::time::timeout(Duration::from_secs(15), change).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(crate::supervisor::RequestError::StoreUnavailable("a change is not stored yet".into()).into()),
    }
}

/// Sends the message about a task's end again
#[utoipa::path(
    post,
    path = "/v1/tasks/{id}/webhook",
    tag = "tasks",
    params(("id" = TaskId, Path, description = "The task")),
    responses(
        (status = 202, body = TaskView, description = "It is being sent"),
        (status = 404, description = "No such task"),
        (status = 409, description = "It has not ended, or has no webhook"),
    )
)]
pub(super) async fn webhook(
    state: web::Data<ApiState>,
    AuthorizedTask(id): AuthorizedTask,
) -> Result<HttpResponse, ApiError> {
    answer(&state, StatusCode::ACCEPTED, id, within(state.handle.send_webhook(id)).await)
}
