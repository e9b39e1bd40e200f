//! A name for every request: in the log, in the answer's header, and in the problem when there is one, so that what a
//! caller reports can be found.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use uuid::Uuid;

use super::ApiState;
use super::caller::{Caller, Tenant};
use super::error::ApiError;
use crate::metrics;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest name that a caller may give.
const LONGEST: usize = 100;

/// The middleware. A caller's own name is kept when it is short and plain.
pub(super) async fn name_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let begun = Instant::now();
    let id = given(&request).unwrap_or_else(|| Uuid::now_v7().simple().to_string());
    let (method, path) = (request.method().clone(), request.path().to_owned());
    let route = request.match_pattern().unwrap_or_default();
    let waits = request.query_string().split('&').any(|option| option.starts_with("wait="));
    let remote = request.peer_addr().map(|address| address.ip().to_string()).unwrap_or_default();
    let forwarded = forwarded(&request);
    // What leads nowhere is not counted.
    let over = if route.is_empty() { None } else { over_rate(&request).await };
    let response = match over {
        Some(refused) => request.error_response(refused),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    let problem = response.response().error().and_then(|error| error.as_error::<ApiError>());
    let problem = problem.map(|problem| problem.response(Some(&id)));
    let mut response = match problem {
        Some(named) => response.into_response(named),
        None => response,
    };
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, ms) = (response.status().as_u16(), u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    if !waits {
        metrics::answered(&route, method.as_str(), status, begun.elapsed());
    }
    let level = match status {
        // Guesses of keys are seen, too.
        401 | 403 | 500.. => log::Level::Warn,
        400.. => log::Level::Info,
        _ if method.is_safe() => log::Level::Debug,
        _ => log::Level::Info,
    };
    let tenant = response.request().extensions().get::<Tenant>().map(|Tenant(name)| name.clone());
    let (tenant, method) = (tenant.as_deref().unwrap_or_default(), method.as_str());
    let (remote, forwarded, path) = (remote.as_str(), forwarded.as_str(), path.as_str());
    log::log!(
        level, request:% = id, remote, forwarded, tenant, method, path, status, ms; "{method} {path}: {status}"
    );
    Ok(response)
}

/// Why the request comes too early, where its caller has a key and makes more than it may. Whether the key is good is for the
/// route to say.
async fn over_rate(request: &ServiceRequest) -> Option<ApiError> {
    let handle = request.app_data::<web::Data<ApiState>>()?.handle.clone();
    if !handle.counts_requests() {
        return None;
    }
    let Ok(Caller(Some(tenant))) = Caller::of(request.request()) else { return None };
    handle.count_request(&tenant).await.err().map(ApiError::from)
}

/// For whom a proxy asks, by its own words; empty where none says so.
fn forwarded(request: &ServiceRequest) -> String {
    let text = request.headers().get("x-forwarded-for").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let address = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | ',' | ' ' | '[' | ']');
    text.chars().filter(address).take(LONGEST).collect()
}

fn given(request: &ServiceRequest) -> Option<String> {
    let id = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!id.is_empty() && id.len() <= LONGEST && id.chars().all(plain)).then(|| id.to_owned())
}
