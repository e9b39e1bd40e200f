//! Fetching a document from an address that a caller names.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{CONTENT_DISPOSITION, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Response, StatusCode, Url};

use super::client::{CheckedClient, HostRules, Others, cause};
use super::{FetchOptions, refused};
use crate::task::{Failure, code};

/// The setting that names hosts.
const SETTING: &str = "source-hosts";
/// Redirections that are followed.
const MOST_REDIRECTS: usize = 5;
/// How long a server may take until it is connected to, and between two pieces of what it sends.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a document may take in all.
const LONGEST: Duration = Duration::from_mins(15);
/// What went wrong before there was an answer, as its caller sees it.
const UNREACHABLE: &str = "source_url: the document cannot be fetched: the name must lead to allowed addresses only, and \
                           something must answer there within 30 s";
const _: () = assert!(IDLE_TIMEOUT.as_secs() == 30);

/// Fetches documents. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fetcher {
    /// `None` when nothing is to be fetched.
    client: Option<CheckedClient>,
    rules: Arc<HostRules>,
}

/// A document that begins to come.
pub(crate) struct Fetched {
    file_name: Option<String>,
    response: Response,
}

impl Fetcher {
    pub(crate) fn new(options: &FetchOptions) -> Self {
        let named: Vec<String> = options.hosts.iter().filter(|host| *host != "*").cloned().collect();
        let others = if named.len() < options.hosts.len() { Others::Public } else { Others::No };
        let rules = Arc::new(HostRules { named, others, setting: SETTING });
        let client = || {
            CheckedClient::new(&rules, |client| {
                client.connect_timeout(IDLE_TIMEOUT).read_timeout(IDLE_TIMEOUT).timeout(LONGEST)
            })
        };
        Self { client: (!options.hosts.is_empty()).then(client), rules }
    }

    /// Whether anything may be fetched at all.
    pub(crate) const fn is_on(&self) -> bool {
        self.client.is_some()
    }

    /// Asks for a document. `headers` go to the host of `url` alone.
    ///
    /// # Errors
    /// `source_url_refused` when it may not be fetched, `source_unavailable` when it cannot be.
    pub(crate) async fn fetch(&self, url: &str, headers: &[(String, String)]) -> Result<Fetched, Failure> {
        let Some(client) = &self.client else {
            let why = format!("no documents are fetched here; the operator can allow hosts with {SETTING}");
            return Err(refused(&why));
        };
        let client = client.get().map_err(|why| unavailable(true, why))?;
        let headers = headers_of(headers)?;
        let first = self.checked(url)?;
        let mut at = first.clone();
        for _ in 0..=MOST_REDIRECTS {
            let mut request = client.get(at.clone());
            if at.origin() == first.origin() {
                request = request.headers(headers.clone());
            }
            let response = request.send().await.map_err(|error| {
                log::info!(host = at.host_str(); "a document cannot be fetched: {}", cause(&error));
                unavailable(true, UNREACHABLE)
            })?;
            if !response.status().is_redirection() {
                return fetched(response, &first);
            }
            at = self.redirected(&at, &response)?;
        }
        Err(unavailable(false, format!("source_url: more than {MOST_REDIRECTS} redirections")))
    }

    /// Plain HTTP is for hosts that the operator names: on the way to others, anyone could put another document in its place.
    fn checked(&self, url: &str) -> Result<Url, Failure> {
        let url = self.rules.check(url).map_err(|why| refused(&why))?;
        if url.scheme() == "http" && !self.rules.names(url.host_str().unwrap_or_default()) {
            return Err(refused("must begin with https://"));
        }
        Ok(url)
    }

    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, Failure> {
        let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let to = to.and_then(|to| from.join(to).ok());
        let to = to.ok_or_else(|| {
            unavailable(
                false,
                format!("source_url: the server answered {} without a place", response.status().as_u16()),
            )
        })?;
        self.checked(to.as_str())
    }
}

impl Fetched {
    /// How the server, or else the address, calls it.
    pub(crate) fn file_name(&self) -> Option<String> {
        self.file_name.clone()
    }

    /// How long it is, where the server says so.
    pub(crate) fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The next piece.
    ///
    /// # Errors
    /// `source_unavailable` when it breaks off.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.response.chunk().await.map_err(|error| {
            log::info!("a document that was fetched broke off: {}", cause(&error));
            unavailable(true, "source_url: the document broke off while it was fetched")
        })
    }
}

fn unavailable(may_pass: bool, why: impl Into<String>) -> Failure {
    if may_pass {
        Failure::transient(code::SOURCE_UNAVAILABLE, why)
    } else {
        Failure::permanent(code::SOURCE_UNAVAILABLE, why)
    }
}

/// What a caller wants to be sent with the request. What frames it is not the caller's.
fn headers_of(given: &[(String, String)]) -> Result<HeaderMap, Failure> {
    const FRAMING: [&str; 8] =
        ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer", "range"];
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let name: Option<HeaderName> = name.parse().ok().filter(|name: &HeaderName| !FRAMING.contains(&name.as_str()));
        let (Some(name), Ok(value)) = (name, HeaderValue::from_str(value)) else {
            return Err(refused("a header of it cannot be sent"));
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// What the answer of a server means.
fn fetched(response: Response, asked: &Url) -> Result<Fetched, Failure> {
    let status = response.status();
    if status != StatusCode::OK {
        let may_pass = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        return Err(unavailable(may_pass, format!("source_url: the server answered {}", status.as_u16())));
    }
    let said = response.headers().get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
    Ok(Fetched { file_name: said.and_then(named).or_else(|| last_segment(asked)), response })
}

/// The plain `filename` of a `Content-Disposition` (RFC 6266).
fn named(disposition: &str) -> Option<String> {
    let at = disposition.to_ascii_lowercase().find("filename=")? + "filename=".len();
    let rest = disposition.get(at..)?;
    let name = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => rest.split(';').next(),
    };
    name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}

fn last_segment(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let decoded = percent_decoded(last);
    (!decoded.is_empty()).then_some(decoded)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let pair = others.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        if let Some(byte) = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            bytes.push(byte);
            rest = &others[2..];
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetcher(hosts: &[&str]) -> Fetcher {
        Fetcher::new(&FetchOptions { hosts: hosts.iter().map(ToString::to_string).collect() })
    }

    #[test]
    fn plain_http_and_other_hosts_are_for_those_that_are_named() {
        for (hosts, url, allowed) in [
            (&["*"][..], "https://example.org/a.pdf", true),
            (&["*"], "http://example.org/a.pdf", false),
            (&["*"], "https://127.0.0.1/a.pdf", false),
            (&["*", "127.0.0.1"], "http://127.0.0.1:8000/a.pdf", true),
            (&["*", "127.0.0.1"], "https://example.org/a.pdf", true),
            (&["example.org"], "http://Example.org/a.pdf", true),
            (&["example.org"], "https://files.example.org/a.pdf", false),
            (&["example.org"], "s3://example.org/a.pdf", false),
        ] {
            let checked = fetcher(hosts).checked(url);
            assert_eq!(checked.is_ok(), allowed, "{hosts:?} {url}");
            if let Err(failure) = checked {
                assert_eq!((&*failure.code, failure.retryable), (code::SOURCE_URL_REFUSED, false));
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_fetched_that_is_not_allowed() {
        let none = fetcher(&[]);
        assert!(!none.is_on());
        let refused = none.fetch("https://example.org/a.pdf", &[]).await.err().unwrap();
        assert!(refused.message.contains(SETTING), "{refused}");
        for headers in [[("Host", "a")], [("a b", "c")], [("x", "a\nb")], [("Range", "bytes=0-1")]] {
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert!(fetcher(&["*"]).fetch("https://example.org/a.pdf", &headers).await.is_err(), "{headers:?}");
        }
    }

    #[test]
    fn a_document_is_called_what_the_server_calls_it() {
        for (disposition, name) in [
            ("attachment; filename=\"a b.pdf\"", Some("a b.pdf")),
            ("attachment; FILENAME=a.pdf; size=3", Some("a.pdf")),
            ("inline", None),
            ("attachment; filename=\"\"", None),
        ] {
            assert_eq!(named(disposition).as_deref(), name, "{disposition}");
        }
        for (url, name) in [
            ("https://example.org/x/a%20b.pdf?c=d", Some("a b.pdf")),
            ("https://example.org/%zz%4", Some("%zz%4")),
            ("https://example.org/", None),
            ("https://example.org", None),
        ] {
            assert_eq!(last_segment(&url.parse().unwrap()).as_deref(), name, "{url}");
        }
    }
}
