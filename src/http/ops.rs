//! For those who run the service.

use std::collections::HashMap;

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::ApiState;
use super::caller::Caller;
use super::error::ApiError;
use crate::pool::EndpointLoad;

/// Whether the process lives.
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether tasks can be accepted and worked on: the store answers, the dispatcher lives. With `?verbose`, also what puts
/// tasks at risk without keeping them from being worked on.
pub(super) async fn readyz(
    state: web::Data<ApiState>,
    query: web::Query<HashMap<String, String>>,
    caller: Result<Caller, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let load = state.handle.ready().await?;
    let mut answer = json!({ "status": "ready", "queued": load.queued, "in_flight": load.in_flight });
    if query.contains_key("verbose") {
        // What a load balancer may know everyone may; names and numbers are for those with a key.
        caller?;
        let condition = state.handle.condition().await?;
        answer["node"] = json!(condition.owner);
        answer["other_nodes"] = json!(condition.others);
        answer["tasks"] = json!({ "running": condition.running, "waiting": condition.waiting });
        let endpoint = |load: &EndpointLoad| {
            json!({
                "name": load.name,
                "queued": load.queued,
                "in_flight": load.in_flight,
                "window": load.window,
                "away_seconds": load.away_for.map(|away| away.as_secs()),
            })
        };
        answer["endpoints"] = condition.endpoints.iter().map(endpoint).collect();
        answer["warnings"] = json!(condition.warnings);
    }
    Ok(HttpResponse::Ok().json(answer))
}
