//! For those who run the service.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::ApiState;
use super::error::ApiError;

/// Whether the process lives.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether tasks can be accepted and worked on: the store answers, the dispatcher lives.
pub(super) async fn readyz(state: web::Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let load = state.handle.ready().await?;
    Ok(HttpResponse::Ok().json(json!({
        "status": "ready",
        "queued": load.queued,
        "in_flight": load.in_flight,
    })))
}
