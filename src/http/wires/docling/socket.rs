//! How a task stands, told over a WebSocket whenever that changes, until it has ended.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;

use super::super::super::ApiState;
use super::super::super::caller::{AuthorizedTask, Caller};
use super::super::super::error::ApiError;
use super::{Refusal, response};

#[derive(Deserialize)]
pub(super) struct SocketQuery {
    /// Browsers cannot send headers with a WebSocket.
    api_key: Option<String>,
}

pub(super) async fn socket(
    state: web::Data<ApiState>,
    request: HttpRequest,
    query: web::Query<SocketQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    let caller = match &query.api_key {
        Some(key) => {
            let caller = Caller::with_key(&request, key)?;
            // Where the key was in no header, it is not counted yet.
            if let (Caller(Some(tenant)), Err(_)) = (&caller, Caller::of(&request)) {
                state.handle.count_request(tenant).await.map_err(ApiError::from)?;
            }
            caller
        }
        None => Caller::of(&request)?,
    };
    let id = request.match_info().get("id").and_then(|id| id.parse().ok()).ok_or_else(ApiError::task_not_found)?;
    let AuthorizedTask(id) = AuthorizedTask::of_caller(&request, caller, id).await?;
    let mut watch = state.handle.watch(id).await.map_err(ApiError::from)?;
    if !request.headers().contains_key(header::UPGRADE) {
        let detail = "this path is a WebSocket: the status is also at /v1/status/poll/{id}";
        return Err(ApiError::new(StatusCode::UPGRADE_REQUIRED, "no_websocket", detail).into());
    }
    let upgraded = actix_ws::handle(&request, payload);
    let (answer, mut session, mut heard) =
        upgraded.map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "no_websocket", error.to_string()))?;
    actix_web::rt::spawn(async move {
        let first = json!({ "message": "connection", "task": response::status(watch.record()) });
        let mut open = session.text(first.to_string()).await.is_ok();
        while open {
            tokio::select! {
                record = watch.next() => {
                    let Some(record) = record else { break };
                    let update = json!({ "message": "update", "task": response::status(&record) });
                    open = session.text(update.to_string()).await.is_ok() && !record.status.is_final();
                }
                // It asks for the next one; it gets that in any case. Pings are answered where they are read.
                frame = heard.next() => match frame {
                    Some(Ok(actix_ws::Message::Ping(bytes))) => open = session.pong(&bytes).await.is_ok(),
                    Some(Ok(actix_ws::Message::Close(_)) | Err(_)) | None => break,
                    Some(Ok(_)) => {}
                },
                () = state.stopping.cancelled() => break,
            }
        }
        let _ = session.close(None).await;
    });
    Ok(answer)
}
