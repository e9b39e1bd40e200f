//! `/v1/tasks` and `/v1/tasks/{id}` but for the submit.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::caller::{Caller, OwnTask};
use super::error::ApiError;
use super::view::TaskView;
use crate::store::ListQuery;
use crate::task::{Cost, TaskId, TaskRecord, code};

/// The longest that a request waits for a task.
const LONGEST_WAIT: f64 = 300.0;
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GetQuery {
    wait: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListParameters {
    status: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

#[derive(Serialize)]
struct ListView {
    tasks: Vec<TaskView>,
    next_cursor: Option<String>,
}

pub(super) async fn get(
    state: web::Data<ApiState>,
    OwnTask(id): OwnTask,
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
    Ok(HttpResponse::Ok().json(TaskView::from(record)))
}

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
    let status = parameters.status.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose().map_err(bad)?;
    let after = parameters.cursor.filter(|text| !text.is_empty()).map(|text| text.parse()).transpose().map_err(bad)?;
    let page = state.handle.list(ListQuery { tenant, status, after, limit }).await?;
    let next_cursor = page.next.map(|cursor| cursor.to_string());
    let tasks = page.tasks.into_iter().map(TaskView::from).collect();
    Ok(HttpResponse::Ok().json(ListView { tasks, next_cursor }))
}

pub(super) async fn cancel(state: web::Data<ApiState>, OwnTask(id): OwnTask) -> Result<HttpResponse, ApiError> {
    answer(StatusCode::OK, id, within(state.handle.cancel(id)).await)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryQuery {
    max_cost: Option<String>,
}

pub(super) async fn retry(
    state: web::Data<ApiState>,
    OwnTask(id): OwnTask,
    query: web::Query<RetryQuery>,
) -> Result<HttpResponse, ApiError> {
    let max_cost = query.into_inner().max_cost.map(|text| text.parse::<Cost>()).transpose();
    let max_cost = max_cost.map_err(|reason| ApiError::bad_option(&format!("option max_cost: {reason}")))?;
    let retried = match max_cost {
        Some(max_cost) => within(state.handle.retry_for(id, max_cost)).await,
        None => within(state.handle.retry(id)).await,
    };
    answer(StatusCode::ACCEPTED, id, retried)
}

pub(super) async fn delete(state: web::Data<ApiState>, OwnTask(id): OwnTask) -> Result<HttpResponse, ApiError> {
    within(state.handle.delete(id)).await.map_err(|error| error.of_task(id))?;
    Ok(HttpResponse::NoContent().finish())
}

fn answer(status: StatusCode, id: TaskId, done: Result<TaskRecord, ApiError>) -> Result<HttpResponse, ApiError> {
    let record = done.map_err(|error| error.of_task(id))?;
    Ok(HttpResponse::build(status).json(TaskView::from(record)))
}

/// A change waits until it is stored; a client should not have to wait as long as an outage lasts.
async fn within<T, E: Into<ApiError>>(change: impl Future<Output = Result<T, E>>) -> Result<T, ApiError> {
    match tokio::time::timeout(Duration::from_secs(15), change).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(crate::supervisor::RequestError::StoreUnavailable("a change is not stored yet".into()).into()),
    }
}

pub(super) async fn webhook(state: web::Data<ApiState>, OwnTask(id): OwnTask) -> Result<HttpResponse, ApiError> {
    answer(StatusCode::ACCEPTED, id, within(state.handle.send_webhook(id)).await)
}
