//! Telling other servers that tasks have ended (webhooks).
//!
//! A message is signed by the Standard Webhooks convention: `webhook-id`, `webhook-timestamp`, and `webhook-signature`
//! with an HMAC-SHA256 over all three parts. What becomes of a message, and when it is sent again, is decided by
//! [`Webhook`](crate::task::Webhook); who sends it when, by the supervisor. Here it is sent once.
//!
//! The target is named by a caller, so it is not trusted: all its addresses, as they are resolved at that moment, must be
//! public ones unless the operator allows the host, and redirections are not followed. Nor is the caller to learn from
//! an error which names and ports there are around this server: whatever keeps a message from reaching its target
//! reads the same (`UNREACHABLE`), and what it was stands in the log alone.

mod address;
mod signature;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use self::address::is_public;
use self::signature::sign;
use crate::clock::Timestamp;

/// The longest that one delivery may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Why a message did not reach its target, as its caller sees it.
const UNREACHABLE: &str = "the target cannot be reached: its name must lead to public addresses only, and something must \
                           answer there within 20 s";
const _: () = assert!(PATIENCE.as_secs() == 20);

/// What an operator decides about webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotifyOptions {
    /// Hosts that may be told although their addresses are not public; `*` for all.
    pub allow: Vec<String>,
    /// Signs the messages of tasks that bring no secret of their own.
    pub secret: Option<Secret>,
    /// How others reach this server, for links in messages; without it they begin with a slash.
    pub public_url: Option<String>,
}

/// What messages are signed with. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(redacted)")
    }
}

/// One message on its way.
pub(crate) struct Message<'a> {
    pub(crate) url: &'a str,
    pub(crate) id: &'a str,
    pub(crate) secret: Option<&'a str>,
    pub(crate) body: String,
}

/// Why a message was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotDelivered {
    /// As its caller sees it.
    pub(crate) why: String,
    /// What the operator may know besides.
    pub(crate) detail: Option<String>,
    /// When the other side wants to be asked again.
    pub(crate) after: Option<Duration>,
    /// Whether it never will be.
    pub(crate) for_good: bool,
}

impl NotDelivered {
    fn now(why: impl Into<String>) -> Self {
        Self { why: why.into(), detail: None, after: None, for_good: false }
    }

    fn unreachable(error: &reqwest::Error) -> Self {
        Self { detail: Some(words(error)), ..Self::now(UNREACHABLE) }
    }
}

/// Sends messages. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Notifier {
    /// Or why there is none.
    client: Result<reqwest::Client, String>,
    options: Arc<NotifyOptions>,
}

impl Notifier {
    pub(crate) fn new(options: NotifyOptions) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let options = Arc::new(options);
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            // Through a proxy nobody could tell where a message goes.
            .no_proxy()
            .dns_resolver(PublicOnly(Arc::clone(&options)))
            .timeout(PATIENCE)
            .user_agent(concat!("bindery/", env!("CARGO_PKG_VERSION")));
        let client = client.build().map_err(|error| format!("there is no HTTP client here: {error}"));
        Self { client, options }
    }

    pub(crate) fn options(&self) -> &NotifyOptions {
        &self.options
    }

    /// Looks at a target before anything is sent there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, url: &str) -> Result<Url, String> {
        let parsed: Url = url.parse().map_err(|_| "is not a URL".to_owned())?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err("must begin with http:// or https://".into());
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("must not hold a user name or password".into());
        }
        let host = parsed.host_str().unwrap_or_default();
        // A name is looked at when it is resolved; an address as it stands is never resolved.
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| !self.options.may_reach(host, address)) {
            return Err("leads to an address that is not public; the operator can allow it with webhook-allow".into());
        }
        Ok(parsed)
    }

    /// Sends a message once.
    pub(crate) async fn deliver(&self, message: Message<'_>, now: Timestamp) -> Result<(), NotDelivered> {
        let url = self.check(message.url);
        let url = url.map_err(|why| NotDelivered { for_good: true, ..NotDelivered::now(why) })?;
        let seconds = now.as_millis() / 1_000;
        let client = self.client.as_ref().map_err(NotDelivered::now)?;
        let mut request = client
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", seconds);
        let secret = message.secret.or(self.options.secret.as_ref().map(|secret| secret.0.as_str()));
        if let Some(secret) = secret {
            request = request.header("webhook-signature", sign(secret, message.id, seconds, &message.body));
        }
        let response = request.body(message.body).send().await.map_err(|error| NotDelivered::unreachable(&error))?;
        judge(response.status(), response.headers())
    }
}

impl NotifyOptions {
    fn may_reach(&self, host: &str, address: IpAddr) -> bool {
        is_public(address) || self.allow.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(host))
    }

    /// The addresses of a name, or nothing when one of them must not be reached: a name that leads to public and to other
    /// ones is no name of a public server.
    fn reachable(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, &'static str> {
        if found.iter().all(|address| self.may_reach(host, address.ip())) {
            Ok(found)
        } else {
            Err("it has an address that is not public; webhook-allow can allow it")
        }
    }
}

/// Only what is 2xx was taken; 410 says that there should be no more of them (Standard Webhooks).
fn judge(status: StatusCode, headers: &HeaderMap) -> Result<(), NotDelivered> {
    if status.is_success() {
        return Ok(());
    }
    let why = if status.is_redirection() {
        format!("the target answered {}: redirections are not followed, name where it leads", status.as_u16())
    } else {
        format!("the target answered {}", status.as_u16())
    };
    let seconds = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let for_good = status == StatusCode::GONE;
    Err(NotDelivered { after: seconds.map(Duration::from_secs), for_good, ..NotDelivered::now(why) })
}

/// The last cause says most; none of them holds a secret.
fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", PATIENCE.as_secs());
    }
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    let cause = causes.last().map(ToString::to_string).unwrap_or_default();
    cause.chars().take(200).collect()
}

/// Resolves names to public addresses only, at the moment of the connection: what a name led to before proves nothing.
struct PublicOnly(Arc<NotifyOptions>);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let options = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found = options.reachable(name.as_str(), found.collect())?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_looked_at_before_they_are_kept() {
        let notifier = |allow: &[&str]| {
            let allow = allow.iter().map(ToString::to_string).collect();
            Notifier::new(NotifyOptions { allow, ..NotifyOptions::default() })
        };
        let closed = notifier(&[]);
        for good in [
            "https://example.org/hook",
            "http://example.org:8080/?a=1",
            "https://93.184.216.34/",
            "https://[2606:4700::1]/",
        ] {
            assert!(closed.check(good).is_ok(), "{good}");
        }
        for bad in [
            "example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://user:pass@example.org",
            "http://127.0.0.1:6379/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest/meta-data",
            "http://0.0.0.0/",
            "http://0/",
            "http://127.1/",
            "http://0177.0.0.1/",
            "http://%31%32%37.0.0.1/",
            "http://\u{ff11}27.0.0.1/",
            "http://127.0.0.1./",
            "http://[::]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "https://example.org@127.0.0.1/",
            "https://@127.0.0.1/",
            "https://:secret@example.org/",
        ] {
            assert!(closed.check(bad).is_err(), "{bad}");
        }
        assert!(notifier(&["127.0.0.1"]).check("http://127.0.0.1:80/").is_ok());
        assert!(notifier(&["127.0.0.1"]).check("http://127.0.0.2:80/").is_err());
        assert!(notifier(&["*"]).check("http://10.1.2.3/").is_ok());
    }

    /// Who controls a name can have it lead to a public address and to one of this network at once.
    #[test]
    fn a_name_is_reached_only_when_all_its_addresses_may_be() {
        let addresses = |all: &[&str]| all.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect::<Vec<_>>();
        let closed = NotifyOptions::default();
        let open = NotifyOptions { allow: vec!["Inside.example".into()], ..NotifyOptions::default() };
        for (found, public) in [
            (&["93.184.216.34"][..], true),
            (&["93.184.216.34", "2606:4700::1"], true),
            (&["10.0.0.1"], false),
            (&["93.184.216.34", "10.0.0.1"], false),
            (&["10.0.0.1", "93.184.216.34"], false),
            (&["93.184.216.34", "::1"], false),
            (&["2606:4700::1", "::ffff:169.254.169.254", "93.184.216.34"], false),
            (&["93.184.216.34", "64:ff9b::a9fe:a9fe"], false),
            (&["93.184.216.34", "0.0.0.0"], false),
        ] {
            let reached = closed.reachable("inside.example", addresses(found));
            assert_eq!(reached.ok(), public.then(|| addresses(found)), "{found:?}");
            assert_eq!(open.reachable("inside.example", addresses(found)), Ok(addresses(found)));
            assert_eq!(open.reachable("a.inside.example", addresses(found)).is_ok(), public, "{found:?}");
        }
    }

    #[test]
    fn what_counts_as_taken() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "30".parse().unwrap())]);
        for (status, taken, after, for_good) in [
            (200, true, None, false),
            (204, true, None, false),
            (302, false, Some(30), false),
            (410, false, Some(30), true),
            (429, false, Some(30), false),
            (500, false, Some(30), false),
        ] {
            let judged = judge(StatusCode::from_u16(status).unwrap(), &headers);
            assert_eq!(judged.is_ok(), taken, "{status}");
            if let Err(not) = judged {
                assert_eq!((not.after, not.for_good), (after.map(Duration::from_secs), for_good), "{status}");
            }
        }
    }
}
