//! `/v1/processors`: who can read pages here.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::caller::Caller;

/// The endpoint's models, as callers may know them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Models {
    /// The model of tasks that name none.
    pub model: Option<String>,
    /// The models that read a page after that one has failed, in their order.
    pub fallback: Vec<String>,
    /// The currency of prices, as ISO 4217 names it.
    pub currency: Option<String>,
}

/// Who can read pages here.
#[derive(Serialize, ToSchema)]
pub(super) struct ProcessorsView {
    /// The version of the server.
    version: &'static str,
    /// What `processor` can be.
    processors: Vec<String>,
    /// What it is where a task does not say, unless the server's own defaults for tasks do.
    default: Option<String>,
    /// The model of tasks that name none; `null` without an endpoint, or where each task has to name one.
    model: Option<String>,
    /// The models that read a page after that one has failed.
    fallback: Vec<String>,
    /// The currency of all costs, as ISO 4217 names it.
    currency: Option<String>,
}

/// The processors that tasks can choose
#[utoipa::path(
    get,
    path = "/v1/processors",
    tag = "tasks",
    responses((status = 200, body = ProcessorsView, description = "Their names, and the models behind them"))
)]
pub(super) async fn processors(state: web::Data<ApiState>, _: Caller) -> HttpResponse {
    let processors = state.handle.processor_names();
    let Models { model, fallback, currency } = (*state.models).clone();
    HttpResponse::Ok().json(ProcessorsView {
        version: env!("CARGO_PKG_VERSION"),
        default: processors.first().cloned(),
        processors,
        model,
        fallback,
        currency,
    })
}
