//! A thin typed client for `POST {base}/chat/completions`.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use super::quirks::Dislike;
use super::reply::{self, Reply, quoted};
use crate::clock::Timestamp;
use crate::processor::CallVerdict;
use crate::task::{Failure, code};

/// An answer longer than this is no page.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
    /// The variable that names a proxy for calls there.
    proxy: Option<&'static str>,
    /// Endpoints like to repeat what they do not accept.
    secret: Option<String>,
}

/// A call without a usable answer.
#[derive(Debug)]
pub(super) struct CallError {
    pub(super) why: Failure,
    pub(super) verdict: CallVerdict,
    /// Whether it may have been paid: an answer was on its way.
    pub(super) paid: bool,
    /// What of the request the endpoint does not take.
    pub(super) dislikes: Option<Dislike>,
}

impl CallError {
    pub(super) fn timeout() -> Self {
        let why = Failure::passing(code::TIMEOUT, "the endpoint did not answer in time");
        Self { why, verdict: CallVerdict::Strained, paid: true, dislikes: None }
    }

    const fn unpaid(why: Failure, verdict: CallVerdict) -> Self {
        Self { why, verdict, paid: false, dislikes: None }
    }
}

impl Client {
    pub(super) fn new(base_url: &str, api_key: Option<&str>, ca_file: Option<&Path>) -> Result<Self, String> {
        let mut url: Url = base_url.parse().map_err(|why| format!("the LLM base URL is not a URL: {why}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the LLM base URL must begin with http:// or https://".to_owned());
        }
        // What stands in its query, such as the api-version of Azure, stays there. Many copy the whole URL.
        let path = url.path().trim_end_matches('/');
        let path = format!("{}/chat/completions", path.strip_suffix("/chat/completions").unwrap_or(path));
        url.set_path(&path);
        let mut headers = HeaderMap::new();
        if let Some(key) = api_key {
            let sensitive = |text: &str| {
                let mut value = HeaderValue::from_str(text)
                    .map_err(|_| "the LLM API key has characters that a header cannot carry".to_owned())?;
                value.set_sensitive(true);
                Ok::<_, String>(value)
            };
            headers.insert(AUTHORIZATION, sensitive(&format!("Bearer {key}"))?);
            // Azure looks for it under its own name; nobody else minds.
            if url.host_str().is_some_and(|host| host.ends_with(".azure.com")) {
                headers.insert("api-key", sensitive(key)?);
            }
        }
        // Installing it twice is refused, which is fine: somebody else's provider serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            // Wherever an answer points to, neither the key nor a page goes there: another host is another one's, and a
            // POST that becomes a GET reads nothing.
            .redirect(reqwest::redirect::Policy::none())
            .default_headers(headers)
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("bindery/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).map_err(|error| format!("the CA file cannot be read: {}", error.kind()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|roots| !roots.is_empty());
            http = http.tls_certs_merge(roots.ok_or("the CA file holds no certificate in PEM form")?);
        }
        let http = http.build().map_err(|error| format!("no HTTP client: {error}"))?;
        let proxy = proxy_variable(url.scheme(), |name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        Ok(Self { http, url, proxy, secret: api_key.map(str::to_owned) })
    }

    /// The text without the key.
    fn redacted(&self, text: &str) -> String {
        self.secret.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "(the key)"))
    }

    /// Where it is, without what may be secret.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// One call. The caller bounds its time.
    pub(super) async fn complete(&self, request: Bytes) -> Result<Reply, CallError> {
        let call = self.http.post(self.url.clone()).header(CONTENT_TYPE, "application/json");
        // As a stream the body is let go of as soon as it is sent. Any other one is kept until the answer is there; with
        // a thousand calls in flight that is most of the memory.
        let length = request.len();
        let once = futures::stream::once(std::future::ready(Ok::<_, std::convert::Infallible>(request)));
        let call = call.header(CONTENT_LENGTH, length).body(reqwest::Body::wrap_stream(once));
        let response = call.send().await.map_err(|e| unreachable(&e, self.proxy))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|e| unreachable(&e, self.proxy))?);
            if body.len() > MAX_ANSWER {
                let why = Failure::passing(code::BAD_ANSWER, format!("the answer is longer than {MAX_ANSWER} bytes"));
                return Err(CallError { paid: true, ..CallError::unpaid(why, CallVerdict::Answered) });
            }
        }
        if status.is_success() {
            let redact = |why: Failure| Failure { message: self.redacted(&why.message), ..why };
            return reply::parse(&body)
                .map_err(redact)
                .map_err(|why| CallError { paid: true, ..CallError::unpaid(why, CallVerdict::Answered) });
        }
        if status.is_redirection() {
            return Err(redirected(&self.url, status, &headers));
        }
        let mut error = refused(status, retry_after(&headers, Timestamp::now()), &body);
        error.why.message = self.redacted(&error.why.message);
        Err(error)
    }
}

/// A call that broke off may have been paid, so it counts as an attempt; one that found nobody does not.
fn unreachable(error: &reqwest::Error, proxy: Option<&str>) -> CallError {
    let away = error.is_connect();
    let what = if away { "cannot be reached" } else { "broke off its answer" };
    // The last cause says most: connection refused, no such name, a certificate that nobody vouches for.
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let cause = causes.last().map(|cause| format!(": {}", quoted(&cause.to_string()))).unwrap_or_default();
    let proxy = proxy.filter(|_| away).map(|name| format!(" ({name} names a proxy)")).unwrap_or_default();
    let why = Failure::passing(code::ENDPOINT_UNAVAILABLE, format!("the endpoint {what}{cause}{proxy}"));
    let verdict = if away { CallVerdict::Away(None) } else { CallVerdict::Strained };
    CallError { why, verdict, paid: !away, dislikes: None }
}

/// The variable that has calls to URLs of this scheme go through a proxy, unless `NO_PROXY` excepts their host.
fn proxy_variable(scheme: &str, is_set: impl Fn(&str) -> bool) -> Option<&'static str> {
    let own = if scheme == "https" { ["HTTPS_PROXY", "https_proxy"] } else { ["HTTP_PROXY", "http_proxy"] };
    own.into_iter().chain(["ALL_PROXY", "all_proxy"]).find(|name| is_set(name))
}

/// Says where a redirection leads, which is for the operator to follow: in the base URL.
fn redirected(url: &Url, status: StatusCode, headers: &HeaderMap) -> CallError {
    let target = headers.get(LOCATION).and_then(|value| url.join(value.to_str().ok()?).ok());
    let place = target.map(|mut target| {
        // What may be secret in it does not belong into a message.
        target.set_query(None);
        target.set_fragment(None);
        let _ = (target.set_username(""), target.set_password(None));
        format!(" to {}", quoted(target.as_str()))
    });
    let place = place.unwrap_or_default();
    let message = format!(
        "the endpoint redirects{place} ({}): redirections are not followed, set the base URL to where it leads",
        status.as_u16()
    );
    CallError::unpaid(Failure::permanent(code::ENDPOINT_REFUSED, message), CallVerdict::Answered)
}

fn refused(status: StatusCode, after: Option<Duration>, body: &[u8]) -> CallError {
    let number = status.as_u16();
    let text = String::from_utf8_lossy(body);
    let said = quoted(&words(body).unwrap_or_else(|| text.to_string()));
    let permanent = |code, what: &str| Failure::permanent(code, format!("{what} ({number}): {said}"));
    let unavailable = || Failure::passing(code::ENDPOINT_UNAVAILABLE, format!("the endpoint answered {number}"));
    match number {
        429 => {
            let why = Failure::passing(code::RATE_LIMITED, "the endpoint is asked too often (429)");
            CallError::unpaid(why, CallVerdict::Limited(after))
        }
        // A gateway says these when there is nobody behind it; any other trouble may lie in what was asked.
        502 | 503 => CallError::unpaid(unavailable(), CallVerdict::Away(after)),
        // Somebody was there and took too long for the gateway; that is paid, and may be the page's fault.
        504 => CallError { paid: true, ..CallError::unpaid(unavailable(), CallVerdict::Strained) },
        408 | 409 | 425 | 500..=599 => CallError::unpaid(unavailable(), CallVerdict::Strained),
        401 | 402 => {
            let why = permanent(code::ENDPOINT_UNAUTHORIZED, "the endpoint does not accept the key");
            CallError::unpaid(why, CallVerdict::Answered)
        }
        404 => {
            let why = permanent(code::MODEL_NOT_FOUND, "the endpoint does not have the model, or is not at this URL");
            CallError::unpaid(why, CallVerdict::Answered)
        }
        _ => {
            let dislikes = if number == 400 { dislike(&text) } else { None };
            let why = permanent(code::ENDPOINT_REFUSED, "the endpoint refused the call");
            CallError { dislikes, ..CallError::unpaid(why, CallVerdict::Answered) }
        }
    }
}

/// What a refusal says, where it is JSON of one of the usual forms.
fn words(body: &[u8]) -> Option<String> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let places = ["/error/message", "/message", "/detail", "/error"];
    places.iter().find_map(|place| json.pointer(place)?.as_str()).map(str::to_owned)
}

/// Which parameter a refusal is about.
fn dislike(text: &str) -> Option<Dislike> {
    let about = |name: &str| text.contains(&format!("'{name}'")) || text.contains(&format!("\"{name}\""));
    if about("max_completion_tokens") && about("max_tokens") {
        return Some(Dislike::MaxTokens);
    }
    about("temperature").then_some(Dislike::Temperature)
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
        use CallVerdict::{Answered, Away, Limited, Strained};
        for (status, verdict, retryable, code) in [
            (429, Limited(None), true, code::RATE_LIMITED),
            (500, Strained, true, code::ENDPOINT_UNAVAILABLE),
            (503, Away(None), true, code::ENDPOINT_UNAVAILABLE),
            (400, Answered, false, code::ENDPOINT_REFUSED),
            (401, Answered, false, code::ENDPOINT_UNAUTHORIZED),
            (403, Answered, false, code::ENDPOINT_REFUSED),
            (504, Strained, true, code::ENDPOINT_UNAVAILABLE),
            (404, Answered, false, code::MODEL_NOT_FOUND),
        ] {
            let error = refused(StatusCode::from_u16(status).unwrap(), None, b"no\nway");
            assert_eq!((error.verdict, error.why.retryable, &*error.why.code), (verdict, retryable, code), "{status}");
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
    fn parameters_that_are_not_taken_are_known_by_the_refusal() {
        for (text, expected) in [
            ("Unsupported value: 'temperature' does not support 0.2", Some(Dislike::Temperature)),
            ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", Some(Dislike::MaxTokens)),
            ("the temperature of the sea", None),
        ] {
            let error = refused(StatusCode::BAD_REQUEST, None, text.as_bytes());
            assert_eq!(error.dislikes, expected, "{text}");
        }
    }

    #[test]
    fn a_proxy_is_named_by_its_variable() {
        for (scheme, set, expected) in [
            ("http", &["http_proxy", "HTTPS_PROXY"][..], Some("http_proxy")),
            ("https", &["HTTP_PROXY", "https_proxy"], Some("https_proxy")),
            ("https", &["http_proxy", "ALL_PROXY"], Some("ALL_PROXY")),
            ("http", &["HTTPS_PROXY"], None),
        ] {
            assert_eq!(proxy_variable(scheme, |name| set.contains(&name)), expected, "{scheme} {set:?}");
        }
    }

    #[test]
    fn base_urls() {
        let url = |base| Client::new(base, None, None).map(|client| client.url.to_string());
        for base in ["http://h/v1", "http://h/v1/", "http://h/v1/chat/completions", "http://h/v1/chat/completions/"] {
            assert_eq!(url(base).unwrap(), "http://h/v1/chat/completions");
        }
        let azure = "https://x.openai.azure.com/openai/deployments/d?api-version=1";
        let expected = "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=1";
        assert_eq!(url(azure).unwrap(), expected);
        for bad in ["h/v1", "ftp://u:geheim@h", "http://u:geheim@h:99999/v1", "//u:geheim@h"] {
            let why = url(bad).unwrap_err();
            assert!(!why.contains("geheim"), "{why}");
        }
        assert!(Client::new("http://h", Some("a\nb"), None).is_err());
        assert!(Client::new("http://h", None, Some(Path::new("/nowhere.pem"))).is_err());
    }
}
