//! Who asks, and whether a task is theirs.

use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures::future::{LocalBoxFuture, Ready, ready};

use super::error::ApiError;
use super::{ApiState, Origins};
use crate::supervisor::RequestError;
use crate::task::TaskId;

/// The caller: the name of its key, or none where no keys are needed. Refuses a request without a good key.
pub(super) struct Caller(pub(super) Option<String>);

/// The name of the key that a request brought, for the log.
pub(super) struct Tenant(pub(super) String);

/// A caller that may see the state of the whole server: an operator, or anyone where there are no keys.
pub(super) struct Operator;

/// The task that the path names, which is the caller's own. Another's is not found, as one that is not there.
pub(super) struct AuthorizedTask(pub(super) TaskId);

impl Caller {
    /// Who asks.
    pub(super) fn of(request: &HttpRequest) -> Result<Self, ApiError> {
        Self::by(request, given_key(request))
    }

    /// Who asks, by a key that comes with the address.
    pub(super) fn with_key(request: &HttpRequest, key: &str) -> Result<Self, ApiError> {
        Self::by(request, Some(key))
    }

    fn by(request: &HttpRequest, key: Option<&str>) -> Result<Self, ApiError> {
        let state = state(request)?;
        let keys = state.keys.borrow();
        if keys.is_empty() {
            if let Some(hosts) = &state.hosts {
                refuse_cross_site(request, hosts, &state.origins)?;
            }
            return Ok(Self(None));
        }
        let name = key.and_then(|key| keys.name_of(key));
        let name = name.ok_or_else(ApiError::unauthorized)?;
        request.extensions_mut().insert(Tenant(name.to_owned()));
        Ok(Self(Some(name.to_owned())))
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

/// Where there are no keys, a server on this machine is for this machine. A web page of another site in a browser here
/// must not use it: neither under a name that leads here for the moment (DNS rebinding; the `Host` is that name), nor by
/// sending forms across (`Origin`, `Sec-Fetch-Site`; Fetch Standard).
fn refuse_cross_site(request: &HttpRequest, hosts: &[String], origins: &Origins) -> Result<(), ApiError> {
    let text = |name| request.headers().get(name).and_then(|value: &header::HeaderValue| value.to_str().ok());
    let host = text("host").unwrap_or_default();
    let name = host_name(host);
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let known = name.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.is_loopback())
        || hosts.iter().any(|known| known.eq_ignore_ascii_case(name));
    // A program that names no host, or an older one, is no browser.
    if !known && !host.is_empty() {
        return Err(ApiError::cross_site(&format!("the server is not known as {name}: name it in --public-url")));
    }
    // What changes nothing a browser keeps from such a page, unless it is a WebSocket, which is any page's to read (RFC 6455, 10.2).
    if request.method().is_safe() && !request.headers().contains_key(header::UPGRADE) {
        return Ok(());
    }
    let origin = text("origin");
    if origin.is_some_and(|origin| origins.allow(origin)) {
        return Ok(());
    }
    // A page in a sandbox says "null".
    let origin = origin.map(|origin| origin.split_once("://").map_or("", |(_, host)| host));
    if origin.is_some_and(|origin| !origin.eq_ignore_ascii_case(host)) || text("sec-fetch-site") == Some("cross-site") {
        return Err(ApiError::cross_site("a page of another site must not use this server"));
    }
    Ok(())
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    }
}

impl FromRequest for Operator {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Caller::of(request).and_then(|Caller(caller)| {
            let state = state(request)?;
            let may = caller.is_none_or(|name| state.keys.borrow().is_operator(&name));
            may.then_some(Self).ok_or_else(ApiError::operators_only)
        }))
    }
}

impl FromRequest for AuthorizedTask {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let id = request.match_info().get("id").and_then(|id| id.parse::<TaskId>().ok());
        let request = request.clone();
        Box::pin(async move {
            // Who asks matters before what is asked for.
            Caller::of(&request)?;
            Self::of(&request, id.ok_or_else(ApiError::task_not_found)?).await
        })
    }
}

impl AuthorizedTask {
    /// The task of this id, which a request names in its body.
    pub(super) async fn of(request: &HttpRequest, id: TaskId) -> Result<Self, ApiError> {
        Self::of_caller(request, Caller::of(request)?, id).await
    }

    /// The same for one who is known already.
    pub(super) async fn of_caller(request: &HttpRequest, Caller(caller): Caller, id: TaskId) -> Result<Self, ApiError> {
        let Some(caller) = caller else { return Ok(Self(id)) };
        let state = state(request)?;
        // A task never changes hands, so what holds now holds for the whole request.
        let (tenant, operator) = match state.handle.get(id).await {
            Ok(record) => (record.tenant, false),
            // When its tenant cannot be read, an operator may remove it.
            Err(RequestError::RecordUnreadable(record)) => {
                let operator = record.tenant.is_none() && state.keys.borrow().is_operator(&caller);
                (record.tenant, operator)
            }
            Err(other) => return Err(other.into()),
        };
        if tenant.as_deref() == Some(&caller) || operator { Ok(Self(id)) } else { Err(ApiError::task_not_found()) }
    }
}
