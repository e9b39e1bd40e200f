//! Errors as RFC 9457 problem details, with a stable machine code. Never a server path, never a stack.

use std::fmt;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};

use super::view::Problem;
use crate::supervisor::RequestError;
use crate::task::{Failure, TaskId, code};

/// How long a client should wait when the service cannot say better.
const COME_BACK: Duration = Duration::from_secs(2);
/// How long a client should wait that has too much already.
const QUOTA_COME_BACK: Duration = Duration::from_secs(10);

/// An error on its way to a client.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    code: String,
    detail: String,
    task: Option<TaskId>,
    retry_after: Option<Duration>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { status, code: code.into(), detail: detail.into(), task: None, retry_after: None }
    }

    pub(super) fn bad_option(error: &impl fmt::Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code::BAD_OPTION, error.to_string())
    }

    pub(super) fn task_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "task_not_found", "there is no such task, or it has expired")
    }

    pub(super) fn unauthorized() -> Self {
        let detail = "send one of the server's keys as Authorization: Bearer KEY, or as X-Api-Key";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    pub(super) fn cross_site(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "cross_site", detail)
    }

    pub(super) fn operators_only() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "operators_only",
            "this tells of all callers: it needs a key that --operator names",
        )
    }

    pub(super) fn upload_stalled(timeout: Duration) -> Self {
        let detail = format!("the upload stood still or was too slow for {} s", timeout.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "upload_stalled", detail)
    }

    /// The app was put together without [`configure`](super::configure).
    pub(super) fn no_state() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the routes have no state")
    }

    /// Refuses what was submitted.
    pub(super) fn rejected(failure: &Failure) -> Self {
        let status = match &*failure.code {
            code::PDF_TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, failure.code.to_string(), failure.message.clone())
    }

    /// Says of a task that was waited for why it has failed: what may pass can be asked for again.
    pub(super) fn failed(failure: &Failure) -> Self {
        if failure.retryable {
            return Self::unavailable(&failure.code, failure.message.clone());
        }
        Self::rejected(failure)
    }

    /// The task goes on, and the same request again joins it.
    pub(super) fn takes_longer() -> Self {
        let detail = "it takes longer: the same request again waits for the rest, and pays for nothing twice";
        let error = Self::new(StatusCode::GATEWAY_TIMEOUT, "takes_longer", detail);
        Self { retry_after: Some(COME_BACK), ..error }
    }

    pub(super) fn cancelled() -> Self {
        Self::new(StatusCode::CONFLICT, "task_cancelled", "the task was cancelled before it had ended")
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn of_task(mut self, id: TaskId) -> Self {
        self.task = Some(id);
        self
    }

    fn unavailable(code: &str, detail: impl Into<String>) -> Self {
        let error = Self::new(StatusCode::SERVICE_UNAVAILABLE, code, detail);
        Self { retry_after: Some(COME_BACK), ..error }
    }
}

impl From<RequestError> for ApiError {
    fn from(error: RequestError) -> Self {
        let (code, detail) = (error.code().to_owned(), error.to_string());
        match error {
            RequestError::Rejected(failure) => Self::rejected(&failure),
            RequestError::AddressUnavailable(failure) => Self::failed(&failure),
            RequestError::NotFound => Self::task_not_found(),
            RequestError::NotFinal => Self::new(StatusCode::CONFLICT, code, detail),
            RequestError::AlreadyFinal(_) => Self::new(StatusCode::CONFLICT, code, detail),
            RequestError::NoWebhook => Self::new(StatusCode::CONFLICT, code, detail),
            RequestError::ResultNotReady(_) => Self::new(StatusCode::CONFLICT, code, detail),
            RequestError::RecordUnreadable(record) => {
                log::warn!("request refused, the record of its task cannot be read: {}", record.why);
                Self::new(StatusCode::CONFLICT, code, detail)
            }
            RequestError::ResultDamaged(task) => {
                log::error!(task:% = task.id; "a file of its result is not what was written");
                Self::new(StatusCode::CONFLICT, code, detail)
            }
            RequestError::KeyTaken => Self::new(StatusCode::CONFLICT, code, detail),
            RequestError::OverQuota(_) => {
                let error = Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail);
                Self { retry_after: Some(QUOTA_COME_BACK), ..error }
            }
            RequestError::OverRate(early) => {
                let error = Self::new(StatusCode::TOO_MANY_REQUESTS, code, detail);
                Self { retry_after: Some(early + Duration::from_secs(1)), ..error }
            }
            RequestError::QueueFull => Self::unavailable(&code, detail),
            RequestError::StoreUnavailable(why) => {
                // The address and the cause are for the operator.
                log::warn!("request refused, the store is unavailable: {why}");
                Self::unavailable(&code, "the task store does not answer: try again shortly")
            }
            RequestError::StorageFailed(failure) => Self::unavailable(&code, failure.message),
            // Another server would take it, this one never (RFC 9110, 15.5.20).
            RequestError::WrongRole(_) => Self::new(StatusCode::MISDIRECTED_REQUEST, code, detail),
            RequestError::Stopping => Self::unavailable(&code, detail),
            RequestError::Internal(why) => {
                log::error!("request failed: {why}");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, "something stored cannot be read")
            }
        }
    }
}

/// Routes of an app of one's own answer like those of Bindery: `bindery.submit(…).await?`.
impl ResponseError for RequestError {
    fn status_code(&self) -> StatusCode {
        ApiError::from(self.clone()).status
    }

    fn error_response(&self) -> HttpResponse {
        ApiError::from(self.clone()).response(None)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}

impl ApiError {
    pub(super) fn problem(&self, request_id: Option<&str>) -> Problem {
        Problem {
            // A URN is a stable name that need not lead anywhere (RFC 9457, 3.1.1).
            r#type: format!("urn:bindery:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.clone(),
            task_id: self.task,
            request_id: request_id.map(str::to_owned),
        }
    }

    /// The answer, for the request of this name.
    pub(super) fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let problem = self.problem(request_id);
        let body = serde_json::to_string(&problem).unwrap_or_default();
        self.head().content_type("application/problem+json").body(body)
    }

    /// The answer's status and headers, whatever its body is like.
    pub(super) fn head(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status);
        if let Some(after) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, after.as_secs().max(1).to_string()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if matches!(self.status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT | StatusCode::UNAUTHORIZED)
            || self.retry_after.is_some()
        {
            // The rest of the body may not be read, so the connection cannot be used again.
            response.force_close();
        }
        response
    }
}

pub(super) fn bad_query(error: &actix_web::error::QueryPayloadError) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code::BAD_OPTION, format!("the query cannot be read: {error}"))
}

pub(super) async fn no_such_route() -> Result<HttpResponse, ApiError> {
    Err(ApiError::new(StatusCode::NOT_FOUND, "no_such_route", "there is nothing at this path"))
}

pub(super) async fn method_not_allowed(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let detail = format!("this path does not take {}", request.method());
    Err(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail))
}
