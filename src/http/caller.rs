//! Who asks, and whether a task is theirs.

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, web};
use futures::future::{LocalBoxFuture, Ready, ready};

use super::ApiState;
use super::error::ApiError;
use crate::task::TaskId;

/// Whoever asks: the name of its key, or nobody where no keys are needed. Refuses a request without a good key.
pub(super) struct Caller(pub(super) Option<String>);

/// The task that the path names, which is the caller's own. Another's is not found, as one that is not there.
pub(super) struct OwnTask(pub(super) TaskId);

impl Caller {
    fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        let state = state(request)?;
        if state.keys.is_empty() {
            return Ok(Self(None));
        }
        let name = given_key(request).and_then(|key| state.keys.name_of(key));
        name.map(|name| Self(Some(name.to_owned()))).ok_or_else(ApiError::unauthorized)
    }
}

fn state(request: &HttpRequest) -> Result<&web::Data<ApiState>, ApiError> {
    request.app_data::<web::Data<ApiState>>().ok_or_else(ApiError::no_state)
}

/// `Authorization: Bearer` (RFC 6750, 2.1), or `X-Api-Key`.
fn given_key(request: &HttpRequest) -> Option<&str> {
    let text = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let bearer = text("authorization").and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    bearer.or_else(|| text("x-api-key").map(str::trim))
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request))
    }
}

impl FromRequest for OwnTask {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let found = Caller::of(request).and_then(|caller| {
            let id = request.match_info().get("id").and_then(|id| id.parse::<TaskId>().ok());
            Ok((caller, id.ok_or_else(ApiError::task_not_found)?, state(request)?.handle.clone()))
        });
        Box::pin(async move {
            let (Caller(caller), id, handle) = found?;
            // A task never changes hands, so what holds now holds for the whole request.
            if caller.is_some() && handle.get(id).await?.tenant != caller {
                return Err(ApiError::task_not_found());
            }
            Ok(Self(id))
        })
    }
}
