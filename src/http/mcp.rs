//! `POST /mcp`: the Model Context Protocol over HTTP, a message a request. The answer is JSON, or a stream of events when the
//! caller asks for news of its progress.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use super::ApiState;
use super::caller::Caller;
use super::error::ApiError;
use super::upload::{Body, Intake, admitted, paced, whole};
use crate::mcp::Server;

/// Answers a message of the Model Context Protocol
#[utoipa::path(
    post,
    path = "/mcp",
    tag = "mcp",
    request_body(content = Value, content_type = "application/json", description = "A message of JSON-RPC 2.0"),
    responses(
        (status = 200, description = "The answer", content((Value = "application/json"), (String = "text/event-stream"))),
        (status = 202, description = "The message wants no answer"),
        (status = 400, description = "No message"),
        (status = 408, description = "The request stood still for too long, or was too slow"),
        (status = 413, description = "The document is too large"),
        (status = 429, description = "The caller has as much as it may have"),
    )
)]
pub(super) async fn mcp(
    state: web::Data<ApiState>,
    request: HttpRequest,
    payload: web::Payload,
    Caller(tenant): Caller,
) -> Result<HttpResponse, ApiError> {
    let slot = admitted(&state.handle, &request, tenant.clone()).await?;
    let intake = Intake { handle: &state.handle, slot: &slot };
    let body = paced(&state, payload, |body: Body| whole(&state, intake, body)).await?;
    let (message, turn) = body.parsed::<Value>().await?;
    let message = message.map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "bad_request", error.detail()))?;
    let server = Server::remote(state.handle.clone(), tenant);
    let wants_news = message["params"]["_meta"].get("progressToken").is_some() && accepts_events(&request);
    let (progress, news) = mpsc::channel(16);
    if !wants_news {
        drop(news);
        // The slot counts, and the turn is held, as long as the document is in memory.
        let _held = (slot, turn);
        return Ok(match server.answer(message, progress).await {
            Some(answer) => HttpResponse::Ok().json(answer),
            None => HttpResponse::Accepted().finish(),
        });
    }
    let last = progress.clone();
    actix_web::rt::spawn(async move {
        let _held = (slot, turn);
        if let Some(answer) = server.answer(message, progress).await {
            // The caller may have gone; the task goes on.
            let _ = last.send(answer).await;
        }
    });
    let events = futures::stream::unfold(news, |mut news| async move {
        let message = news.recv().await?;
        let event = Bytes::from(format!("event: message\ndata: {message}\n\n"));
        Some((Ok::<_, std::convert::Infallible>(event), news))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(events))
}

fn accepts_events(request: &HttpRequest) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}
