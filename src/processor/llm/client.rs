//! A thin typed client for `POST {base}/chat/completions`.

use std::time::Duration;

use futures::StreamExt;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use serde_json::Value;

use super::super::ShardOutcome;
use super::reply::{self, Reply};
use crate::clock::Timestamp;
use crate::task::{Failure, code};

/// An answer longer than this is no page.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// How much of a refusal is passed on.
const MAX_QUOTE: usize = 300;

pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
}

/// A call without a usable answer.
#[derive(Debug)]
pub(super) struct CallError {
    why: Failure,
    /// Whether nobody was there to do what was asked: nothing is to be said against the page.
    away: bool,
    after: Option<Duration>,
}

impl CallError {
    pub(super) fn timeout() -> Self {
        let why = Failure::passing(code::TIMEOUT, "the endpoint did not answer in time");
        Self { why, away: false, after: None }
    }

    pub(super) fn into_outcome(self) -> ShardOutcome {
        if self.away {
            ShardOutcome::Retry { after: self.after, why: self.why }
        } else {
            ShardOutcome::Failed(self.why)
        }
    }
}

impl Client {
    pub(super) fn new(base_url: &str, api_key: Option<&str>) -> Result<Self, String> {
        let url = format!("{}/chat/completions", base_url.trim_end_matches('/'));
        let url: Url = url.parse().map_err(|_| format!("the LLM base URL {base_url:?} is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("the LLM base URL {base_url:?} must begin with http:// or https://"));
        }
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))
                .map_err(|_| "the LLM API key has characters that a header cannot carry".to_owned())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // Installing it twice is refused, which is fine: somebody else's provider serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("bindery/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self { http, url })
    }

    /// One call. The caller bounds its time.
    pub(super) async fn complete(&self, request: &Value) -> Result<Reply, CallError> {
        let response = self.http.post(self.url.clone()).json(request).send().await.map_err(|e| unreachable(&e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|e| unreachable(&e))?);
            if body.len() > MAX_ANSWER {
                let why = Failure::passing(code::BAD_ANSWER, format!("the answer is longer than {MAX_ANSWER} bytes"));
                return Err(CallError { why, away: false, after: None });
            }
        }
        if status.is_success() {
            let bad = |why| CallError { why, away: false, after: None };
            return reply::parse(&body).map_err(bad);
        }
        Err(refused(status, retry_after(&headers, Timestamp::now()), &body))
    }
}

/// A call that broke off may have been paid, so it counts as an attempt; one that found nobody does not.
fn unreachable(error: &reqwest::Error) -> CallError {
    let away = error.is_connect();
    let what = if away { "cannot be reached" } else { "broke off its answer" };
    CallError { why: Failure::passing(code::ENDPOINT_UNAVAILABLE, format!("the endpoint {what}")), away, after: None }
}

fn refused(status: StatusCode, after: Option<Duration>, body: &[u8]) -> CallError {
    let number = status.as_u16();
    match number {
        429 => CallError {
            why: Failure::passing(code::RATE_LIMITED, "the endpoint is asked too often (429)"),
            away: true,
            after,
        },
        // A gateway says these when there is nobody behind it; any other trouble may lie in what was asked.
        408 | 409 | 425 | 500..=599 => CallError {
            why: Failure::passing(code::ENDPOINT_UNAVAILABLE, format!("the endpoint answered {number}")),
            away: matches!(number, 502..=504),
            after,
        },
        _ => {
            let quote: String = String::from_utf8_lossy(body)
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .take(MAX_QUOTE)
                .collect();
            let message = format!("the endpoint refused the call with {number}: {}", quote.trim());
            CallError { why: Failure::permanent(code::ENDPOINT_REFUSED, message), away: false, after: None }
        }
    }
}

/// `Retry-After` as seconds or as a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_millisecond();
    let wait = u64::try_from(date).ok()?.saturating_sub(now.as_millis());
    Some(Duration::from_millis(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = Timestamp::from_millis(784_111_777_000 - 30_000);
        for (text, expected) in [
            ("7", Some(Duration::from_secs(7))),
            ("0.5", Some(Duration::from_millis(500))),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(Duration::from_secs(30))),
            ("Sat, 05 Nov 1994 08:49:37 GMT", Some(Duration::ZERO)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
    }

    #[test]
    fn what_is_tried_again_and_what_counts_as_an_attempt() {
        for (status, away, retryable) in
            [(429, true, true), (500, false, true), (503, true, true), (400, false, false), (401, false, false)]
        {
            let error = refused(StatusCode::from_u16(status).unwrap(), None, b"no\nway");
            assert_eq!((error.away, error.why.retryable), (away, retryable), "{status}");
        }
    }

    #[test]
    fn base_urls() {
        assert_eq!(Client::new("http://h/v1/", None).unwrap().url.as_str(), "http://h/v1/chat/completions");
        assert!(Client::new("h/v1", None).is_err());
        assert!(Client::new("ftp://h", None).is_err());
        assert!(Client::new("http://h", Some("a\nb")).is_err());
    }
}
