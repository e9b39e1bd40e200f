//! For those who run the service.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::ApiState;
use super::caller::Operator;
use super::error::ApiError;
use crate::metrics;
use crate::pool::EndpointLoad;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadyQuery {
    /// Also what puts tasks at risk without keeping them from being worked on; `false` turns it off again.
    verbose: Option<String>,
}

/// Whether the process lives
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "operation",
    responses((status = 200, description = "It does", body = Value))
)]
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Whether tasks can be accepted and worked on: the store answers, files can be written, the dispatcher lives. With
/// `?verbose`, also what puts tasks at risk without keeping them from being worked on.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    params(ReadyQuery),
    responses((status = 200, description = "They can", body = Value), (status = 401, description = "`verbose` needs a key"),
        (status = 403, description = "`verbose` is for operators"))
)]
pub(super) async fn readyz(
    state: web::Data<ApiState>,
    query: web::Query<ReadyQuery>,
    operator: Result<Operator, ApiError>,
) -> Result<HttpResponse, ApiError> {
    let load = state.handle.ready().await?;
    let mut answer = json!({ "status": "ready", "queued": load.queued, "in_flight": load.in_flight });
    if query.verbose.as_deref().is_some_and(|verbose| verbose != "false") {
        // What a load balancer may know everyone may; names and numbers are for those with a key.
        operator?;
        let condition = state.handle.condition().await?;
        answer["node"] = json!(condition.owner);
        answer["role"] = json!(state.handle.role());
        answer["other_nodes"] = json!(condition.others);
        answer["nodes"] = json!(condition.nodes);
        answer["tasks"] = json!({ "running": condition.running, "waiting": condition.waiting });
        let endpoint = |load: &EndpointLoad| {
            json!({
                "name": load.name,
                "queued": load.queued,
                "in_flight": load.in_flight,
                "window": load.window,
                "unavailable_seconds": load.unavailable_for.map(|unavailable| unavailable.as_secs()),
                "share": load.share.map(|share| json!({
                    "in_flight": share.in_flight,
                    "limit": share.limit,
                    "elsewhere": share.elsewhere,
                    "servers": share.servers,
                    "kept": share.is_kept,
                })),
            })
        };
        answer["endpoints"] = condition.endpoints.iter().map(endpoint).collect();
        answer["models"] = json!(state.handle.learnt());
        answer["warnings"] = json!(condition.warnings);
    }
    Ok(HttpResponse::Ok().json(answer))
}

/// What is counted and measured, in the text format of Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses(
        (status = 200, description = "Metrics", body = String, content_type = "text/plain"),
        (status = 404, description = "They are not collected"),
    )
)]
pub(super) async fn metrics(state: web::Data<ApiState>, _: Operator) -> Result<HttpResponse, ApiError> {
    let Some(recorder) = &state.metrics else {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_such_route", "metrics are not collected here"));
    };
    look_around(&state).await;
    recorder.run_upkeep();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(recorder.render()))
}

/// Sets what is looked at only when it is asked for. What cannot be known now stays as it was.
async fn look_around(state: &ApiState) {
    let handle = &state.handle;
    let asked = Instant::now();
    let _ = handle.begin_upload(None, 0).await;
    metrics::mailbox("supervisor", asked.elapsed());
    if let Ok(condition) = handle.condition().await {
        metrics::tasks(condition.running, condition.waiting);
        metrics::in_flight(condition.load.in_flight);
        // All rows that there can be: one that is not set would stay as it was.
        for tenant in state.keys.borrow().names().chain([""]) {
            let queued = condition.queues.iter().find(|(name, _)| name == tenant);
            metrics::queued(tenant, queued.map_or(0, |(_, pieces)| *pieces));
        }
        let mut rows = BTreeMap::<&str, (usize, usize, usize, Option<Duration>)>::new();
        let mut shares = BTreeMap::<&str, (usize, bool)>::new();
        for load in &condition.endpoints {
            let (window, in_flight, queued, unavailable) = rows.entry(metrics::endpoint_row(&load.name)).or_default();
            *window += load.window;
            *in_flight += load.in_flight;
            *queued += load.queued;
            *unavailable = (*unavailable).max(load.unavailable_for);
            if let Some(share) = load.share {
                let (limit, is_kept) = shares.entry(metrics::endpoint_row(&load.name)).or_default();
                *limit += share.limit;
                *is_kept |= share.is_kept;
            }
        }
        for (row, (window, in_flight, queued, unavailable)) in rows {
            metrics::endpoint(row, window, in_flight, queued, unavailable);
        }
        shares.into_iter().for_each(|(row, (limit, is_kept))| metrics::endpoint_share(row, limit, is_kept));
    }
    metrics::process(state.handle.role().as_str());
}
