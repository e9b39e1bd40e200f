//! A thin typed client for `POST {base}/chat/completions`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use tokio::sync::watch;

use super::address::{CALLS, calls_url, proxy_of, same_place, without_secrets};
use super::endpoint_error::EndpointError;
use super::refused::{CallError, Concerns, error_within, refused, web_page};
use super::reply::{NoAnswer, Reply, decode, quoted};
use crate::clock::Timestamp;
use crate::processor::CallOutcome;
use crate::task::{Failure, code};

/// An answer longer than this is no page.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// So many redirections are followed.
const MOST_MOVES: usize = 3;

pub(super) struct Client {
    http: reqwest::Client,
    /// Where calls go: as configured, or where that leads at the same host.
    url: watch::Sender<Url>,
    /// May change while calls are in flight.
    auth: watch::Sender<Arc<Auth>>,
    /// The proxy that calls go through, and the variable that names it.
    proxy: Option<String>,
}

/// The key of calls.
#[derive(Default)]
struct Auth {
    headers: HeaderMap,
    /// Endpoints like to repeat what they do not accept.
    secret: Option<String>,
}

impl Auth {
    fn new(key: Option<&str>, url: &Url) -> Result<Self, EndpointError> {
        let Some(key) = key else { return Ok(Self::default()) };
        let sensitive = |text: &str| {
            let mut value = HeaderValue::from_str(text).map_err(|_| EndpointError::ApiKey)?;
            value.set_sensitive(true);
            Ok::<_, EndpointError>(value)
        };
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {key}"))?);
        // Azure looks for it under its own name; no other server minds.
        if url.host_str().is_some_and(|host| host.ends_with(".azure.com")) {
            headers.insert("api-key", sensitive(key)?);
        }
        Ok(Self { headers, secret: Some(key.to_owned()) })
    }

    /// The text without the key.
    fn redacted(&self, text: &str) -> String {
        self.secret.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(the key)"))
    }

    fn redacted_error(&self, error: CallError) -> CallError {
        let why = Failure { message: self.redacted(&error.why.message), ..error.why };
        CallError { why, ..error }
    }
}

impl Client {
    pub(super) fn new(base_url: &str, api_key: Option<&str>, ca_file: Option<&Path>) -> Result<Self, EndpointError> {
        let url = calls_url(base_url).map_err(EndpointError::BaseUrl)?;
        let auth = Auth::new(api_key, &url)?;
        // Installing it twice is refused, which is fine: another provider serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            // A redirected POST becomes a GET, or would take pages and key to another host.
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("bindery/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).map_err(EndpointError::CaFile)?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|roots| !roots.is_empty());
            http = http.tls_certs_merge(roots.ok_or(EndpointError::NoCertificate)?);
        }
        let http = http.build().map_err(|error| EndpointError::Client(error.to_string()))?;
        let proxy = proxy_of(&url, |name| std::env::var(name).ok());
        Ok(Self { http, url: watch::Sender::new(url), auth: watch::Sender::new(Arc::new(auth)), proxy })
    }

    /// Uses another key from the next call on.
    pub(super) fn set_api_key(&self, key: Option<&str>) -> Result<(), EndpointError> {
        let auth = Auth::new(key, &self.url.borrow())?;
        self.auth.send_replace(Arc::new(auth));
        Ok(())
    }

    /// Its base URL, without what may be secret.
    pub(super) fn base_url(&self) -> String {
        let url = without_secrets(self.url.borrow().clone());
        url.as_str().strip_suffix(CALLS).unwrap_or(url.as_str()).to_owned()
    }

    /// Where it is, without what may be secret.
    pub(super) fn host(&self) -> String {
        let url = self.url.borrow();
        let host = url.host_str().unwrap_or_default();
        url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// One call. The caller bounds its time.
    pub(super) async fn complete(&self, request: Bytes) -> Result<Reply, CallError> {
        let auth = Arc::clone(&self.auth.borrow());
        let mut url = self.url.borrow().clone();
        for _ in 0..=MOST_MOVES {
            let (status, headers, body) = self.post(&url, &auth, request.clone()).await?;
            if let Some(moved) = Self::moved(&url, status, &headers) {
                // Learnt for all calls that follow.
                url = moved;
                self.url.send_replace(url.clone());
                continue;
            }
            return answered(&url, status, &headers, &unpacked(body)).map_err(|error| auth.redacted_error(error));
        }
        let why = Failure::permanent(
            code::MODEL_NOT_FOUND,
            "the endpoint redirects in a circle: set the base URL to where it leads",
        );
        Err(CallError { concerns: Concerns::Model, ..CallError::unpaid(why, CallOutcome::Success) })
    }

    /// Where a redirection leads at the same host: pages and key go where the operator sends them, and not where an
    /// answer does. The method is kept also where RFC 9110 (15.4.2) lets it change.
    fn moved(url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Url> {
        if !matches!(status.as_u16(), 301 | 302 | 307 | 308) {
            return None;
        }
        let place = headers.get(LOCATION).and_then(|place| url.join(place.to_str().ok()?).ok())?;
        (same_place(url, &place) && place != *url).then_some(place)
    }

    async fn post(
        &self,
        url: &Url,
        auth: &Auth,
        request: Bytes,
    ) -> Result<(StatusCode, HeaderMap, Vec<u8>), CallError> {
        let call = self.http.post(url.clone()).headers(auth.headers.clone());
        let call = call.header(CONTENT_TYPE, "application/json");
        // As a stream the body is let go of as soon as it is sent. Any other one is kept until the answer is there; with
        // a thousand calls in flight that is most of the memory.
        let length = request.len();
        let once = futures::stream::once(std::future::ready(Ok::<_, std::convert::Infallible>(request)));
        let call = call.header(CONTENT_LENGTH, length).body(reqwest::Body::wrap_stream(once));
        let unreachable = |error: &reqwest::Error| unreachable(error, self.proxy.as_deref());
        let response = call.send().await.map_err(|e| unreachable(&e))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|e| unreachable(&e))?);
            if body.len() > MAX_ANSWER {
                let why = Failure::transient(code::BAD_ANSWER, format!("the answer is longer than {MAX_ANSWER} bytes"));
                return Err(CallError { paid: true, ..CallError::unpaid(why, CallOutcome::Success) });
            }
        }
        Ok((status, headers, body))
    }
}

/// The body of an answer that came packed, although that was not asked for (RFC 1952, 2.3.1 for how such begin).
fn unpacked(body: Vec<u8>) -> Vec<u8> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return body;
    }
    let mut plain = Vec::new();
    let most = MAX_ANSWER as u64;
    let read = flate2::read::GzDecoder::new(body.as_slice()).take(most).read_to_end(&mut plain);
    read.map_or(body, |_| plain)
}

/// What an answer comes to.
fn answered(url: &Url, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<Reply, CallError> {
    if status.is_redirection() {
        return Err(redirected(url, status, headers));
    }
    if !status.is_success() {
        return Err(refused(status, retry_after(headers, Timestamp::now()), body));
    }
    decode(body).map_err(|no_answer| match no_answer {
        NoAnswer::WebPage(title) => web_page(&title),
        NoAnswer::Error { status, body } => error_within(status, &body),
        NoAnswer::Other(why) => {
            let why = Failure::transient(code::BAD_ANSWER, why);
            CallError { paid: true, ..CallError::unpaid(why, CallOutcome::Success) }
        }
    })
}

/// A call that broke off may have been paid, so it counts as an attempt; one that reached no server does not.
fn unreachable(error: &reqwest::Error, proxy: Option<&str>) -> CallError {
    let unreachable = error.is_connect();
    let what = match proxy {
        Some(proxy) if unreachable => format!("cannot be reached through {proxy}"),
        _ if unreachable => "cannot be reached".to_owned(),
        _ => "broke off its answer".to_owned(),
    };
    // The last cause says most: connection refused, no such name, an untrusted certificate.
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let cause = causes.last().map(|cause| format!(": {}", quoted(&cause.to_string()))).unwrap_or_default();
    let proxy = proxy.filter(|_| unreachable).map(|name| format!(" ({name} names a proxy)")).unwrap_or_default();
    let why = Failure::transient(code::ENDPOINT_UNAVAILABLE, format!("the endpoint {what}{cause}{proxy}"));
    let outcome = if unreachable { CallOutcome::Unavailable(None) } else { CallOutcome::Overloaded };
    CallError { paid: !unreachable, ..CallError::unpaid(why, outcome) }
}

/// A redirection that is not followed.
fn redirected(url: &Url, status: StatusCode, headers: &HeaderMap) -> CallError {
    let place = headers.get(LOCATION).and_then(|place| url.join(place.to_str().ok()?).ok());
    let place = place.map(|place| format!(" to {}", quoted(without_secrets(place).as_str()))).unwrap_or_default();
    let message = format!(
        "the endpoint redirects{place} ({}): redirections to other places are not followed, set the base URL to where it leads",
        status.as_u16()
    );
    let why = Failure::permanent(code::MODEL_NOT_FOUND, message);
    CallError { concerns: Concerns::Model, ..CallError::unpaid(why, CallOutcome::Success) }
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
    fn a_redirection_is_named_without_what_may_be_secret_in_it() {
        let url = "http://h:1/v1/chat/completions".parse().unwrap();
        for (location, expected) in [
            (Some("/v2/chat/completions"), "redirects to http://h:1/v2/chat/completions (308)"),
            (Some("https://u:geheim@other/x?key=geheim#geheim"), "redirects to https://other/x (308)"),
            (Some("http://["), "redirects (308)"),
            (None, "redirects (308)"),
        ] {
            let headers = location.map(|text| (LOCATION, HeaderValue::from_static(text))).into_iter().collect();
            let error = redirected(&url, StatusCode::PERMANENT_REDIRECT, &headers);
            assert!(error.why.message.contains(expected), "{}", error.why.message);
            assert!(!error.why.message.contains("geheim") && !error.why.retryable && !error.paid);
        }
    }

    #[test]
    fn a_key_and_a_file_that_cannot_be() {
        assert!(Client::new("http://h", Some("a\nb"), None).is_err());
        assert!(Client::new("http://h", None, Some(Path::new("/nowhere.pem"))).is_err());
    }

    #[test]
    fn a_redirection_is_followed_at_the_same_host_only() {
        let url: Url = "http://h:1/v1/chat/completions".parse().unwrap();
        for (status, location, expected) in [
            (307, "/v1/chat/completions/", Some("http://h:1/v1/chat/completions/")),
            (308, "http://h:1/v2/chat/completions", Some("http://h:1/v2/chat/completions")),
            (301, "/v2", Some("http://h:1/v2")),
            (303, "/v2", None),
            (307, "http://h:2/v1/chat/completions", None),
            (307, "https://other/v1/chat/completions", None),
            (307, "/v1/chat/completions", None),
        ] {
            let headers = [(LOCATION, HeaderValue::from_static(location))].into_iter().collect();
            let moved = Client::moved(&url, StatusCode::from_u16(status).unwrap(), &headers);
            assert_eq!(moved.as_ref().map(Url::as_str), expected, "{status} {location}");
        }
    }
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod providers;
