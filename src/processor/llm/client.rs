//! A thin typed client for `POST {base}/chat/completions`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use tokio::sync::watch;

use super::quirks::Dislike;
use super::reply::{self, Reply, quoted};
use crate::clock::Timestamp;
use crate::processor::CallVerdict;
use crate::task::{Failure, code};

/// What calls are made to, below the base URL.
const CALLS: &str = "/chat/completions";
/// An answer longer than this is no page.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

pub(super) struct Client {
    http: reqwest::Client,
    url: Url,
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
    fn new(key: Option<&str>, url: &Url) -> Result<Self, String> {
        let Some(key) = key else { return Ok(Self::default()) };
        let sensitive = |text: &str| {
            let mut value = HeaderValue::from_str(text)
                .map_err(|_| "the LLM API key has characters that a header cannot carry".to_owned())?;
            value.set_sensitive(true);
            Ok::<_, String>(value)
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
        // What stands in its query, such as the api-version of Azure, stays there.
        let base = url.path().trim_end_matches('/');
        let path = format!("{}{CALLS}", base.strip_suffix(CALLS).unwrap_or(base));
        url.set_path(&path);
        let auth = Auth::new(api_key, &url)?;
        // Installing it twice is refused, which is fine: somebody else's provider serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut http = reqwest::Client::builder()
            // A redirected POST becomes a GET, or would take pages and key to another host.
            .redirect(Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("bindery/", env!("CARGO_PKG_VERSION")));
        if let Some(path) = ca_file {
            let pem = std::fs::read(path).map_err(|error| format!("the CA file cannot be read: {}", error.kind()))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).ok().filter(|roots| !roots.is_empty());
            http = http.tls_certs_merge(roots.ok_or("the CA file holds no certificate in PEM form")?);
        }
        let http = http.build().map_err(|error| format!("no HTTP client: {error}"))?;
        let proxy = proxy_of(&url, |name| std::env::var(name).ok());
        Ok(Self { http, url, auth: watch::Sender::new(Arc::new(auth)), proxy })
    }

    /// Uses another key from the next call on.
    pub(super) fn set_api_key(&self, key: Option<&str>) -> Result<(), String> {
        self.auth.send_replace(Arc::new(Auth::new(key, &self.url)?));
        Ok(())
    }

    /// Its base URL, without what may be secret.
    pub(super) fn base_url(&self) -> String {
        let url = without_secrets(self.url.clone());
        url.as_str().strip_suffix(CALLS).unwrap_or(url.as_str()).to_owned()
    }

    /// Where it is, without what may be secret.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// One call. The caller bounds its time.
    pub(super) async fn complete(&self, request: Bytes) -> Result<Reply, CallError> {
        let auth = Arc::clone(&self.auth.borrow());
        let call = self.http.post(self.url.clone()).headers(auth.headers.clone());
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
                let why = Failure::passing(code::BAD_ANSWER, format!("the answer is longer than {MAX_ANSWER} bytes"));
                return Err(CallError { paid: true, ..CallError::unpaid(why, CallVerdict::Answered) });
            }
        }
        if status.is_success() {
            let redact = |why: Failure| Failure { message: auth.redacted(&why.message), ..why };
            return reply::parse(&body)
                .map_err(redact)
                .map_err(|why| CallError { paid: true, ..CallError::unpaid(why, CallVerdict::Answered) });
        }
        let mut error = if status.is_redirection() {
            redirected(&self.url, status, &headers)
        } else {
            refused(status, retry_after(&headers, Timestamp::now()), &body)
        };
        error.why.message = auth.redacted(&error.why.message);
        Err(error)
    }
}

/// A call that broke off may have been paid, so it counts as an attempt; one that found nobody does not.
fn unreachable(error: &reqwest::Error, proxy: Option<&str>) -> CallError {
    let away = error.is_connect();
    let what = match proxy {
        Some(proxy) if away => format!("cannot be reached through {proxy}"),
        _ if away => "cannot be reached".to_owned(),
        _ => "broke off its answer".to_owned(),
    };
    // The last cause says most: connection refused, no such name, a certificate that nobody vouches for.
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let cause = causes.last().map(|cause| format!(": {}", quoted(&cause.to_string()))).unwrap_or_default();
    let proxy = proxy.filter(|_| away).map(|name| format!(" ({name} names a proxy)")).unwrap_or_default();
    let why = Failure::passing(code::ENDPOINT_UNAVAILABLE, format!("the endpoint {what}{cause}{proxy}"));
    let verdict = if away { CallVerdict::Away(None) } else { CallVerdict::Strained };
    CallError { why, verdict, paid: !away, dislikes: None }
}

/// The proxy of calls to `url`, as the usual variables name it; for words alone, since the HTTP client reads them itself.
fn proxy_of(url: &Url, env: impl Fn(&str) -> Option<String>) -> Option<String> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let host = url.host_str()?;
    let exempt = |entry: &str| {
        let entry = entry.trim().trim_start_matches('.');
        entry == "*" || host == entry || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'))
    };
    if env("no_proxy").or_else(|| env("NO_PROXY")).is_some_and(|list| list.split(',').any(exempt)) {
        return None;
    }
    let own = format!("{}_proxy", url.scheme());
    let names = [own.to_uppercase(), own, "ALL_PROXY".to_owned(), "all_proxy".to_owned()];
    let (name, proxy) =
        names.into_iter().find_map(|name| Some((env(&name)?, name))).map(|(proxy, name)| (name, proxy))?;
    let proxy = proxy.rsplit_once('@').map_or(proxy.as_str(), |(_, host)| host);
    Some(format!("the proxy {proxy} of {name}"))
}

fn without_secrets(mut url: Url) -> Url {
    // What cannot be taken off was not there.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// Pages and key go where the operator sends them, and not where an answer does.
fn redirected(url: &Url, status: StatusCode, headers: &HeaderMap) -> CallError {
    let place = headers.get(LOCATION).and_then(|place| url.join(place.to_str().ok()?).ok());
    let place = place.map(|place| format!(" to {}", quoted(without_secrets(place).as_str()))).unwrap_or_default();
    let message = format!(
        "the endpoint redirects{place} ({}): redirections are not followed, set the base URL to where it leads",
        status.as_u16()
    );
    CallError::unpaid(Failure::permanent(code::MODEL_NOT_FOUND, message), CallVerdict::Answered)
}

fn refused(status: StatusCode, after: Option<Duration>, body: &[u8]) -> CallError {
    let number = status.as_u16();
    let text = String::from_utf8_lossy(body);
    let said = quoted(&words(body).unwrap_or_else(|| text.to_string()));
    let permanent = |code, what: &str| Failure::permanent(code, format!("{what} ({number}): {said}"));
    let unavailable = || Failure::passing(code::ENDPOINT_UNAVAILABLE, format!("the endpoint answered {number}"));
    match number {
        429 if is_out_of_quota(body) => {
            let why = permanent(code::ENDPOINT_UNAUTHORIZED, "the endpoint's quota is used up");
            CallError::unpaid(why, CallVerdict::Answered)
        }
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

/// Whether no later call will be accepted either, until the account is paid (OpenAI's error codes; gateways repeat them).
fn is_out_of_quota(body: &[u8]) -> bool {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else { return false };
    let names = ["/error/code", "/error/type"].into_iter().filter_map(|place| json.pointer(place)?.as_str());
    names.into_iter().any(|name| matches!(name, "insufficient_quota" | "insufficient_balance"))
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
    fn a_proxy_is_named_where_there_is_one() {
        let of = |url: &str, variables: &[(&str, &str)]| {
            let env =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
            proxy_of(&url.parse().unwrap(), env).unwrap_or_default()
        };
        let own = [("http_proxy", "http://ann:geheim@p:9")];
        assert_eq!(of("http://h/v1", &own), "the proxy p:9 of http_proxy");
        assert_eq!(of("https://h/v1", &own), "");
        assert_eq!(of("https://h/v1", &[("ALL_PROXY", "p:1")]), "the proxy p:1 of ALL_PROXY");
        for exempt in ["h.org", ".org", "x, h.org", "*"] {
            assert_eq!(of("http://h.org/v1", &[own[0], ("NO_PROXY", exempt)]), "", "{exempt}");
        }
        assert_ne!(of("http://h.org/v1", &[own[0], ("NO_PROXY", "rg,h")]), "");
    }

    #[test]
    fn a_quota_that_is_used_up_is_not_waited_for() {
        let body = br#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#;
        let error = refused(StatusCode::TOO_MANY_REQUESTS, None, body);
        assert_eq!((error.why.retryable, &*error.why.code), (false, code::ENDPOINT_UNAUTHORIZED));
        assert!(error.why.message.contains("You exceeded your current quota"));
    }

    #[test]
    fn base_urls() {
        let url = |base| Client::new(base, None, None).map(|client| client.url.to_string());
        for base in ["http://h/v1", "http://h/v1/", "http://h/v1/chat/completions", "http://h/v1/chat/completions/"] {
            assert_eq!(url(base).unwrap(), "http://h/v1/chat/completions");
        }
        let shown = Client::new("http://ann:geheim@h:7/v1?key=geheim", None, None).unwrap().base_url();
        assert_eq!(shown, "http://h:7/v1");
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
