//! Sending a message, and only to where it may go.

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::{StatusCode, Url};

use super::signature::sign;
use super::{DELIVERY_TIMEOUT, Message, NotDelivered, NotifyOptions};
use crate::clock::Timestamp;
use crate::outbound::{CheckedClient, HostRules, Others, cause};

/// Why a message did not reach its target, as its caller sees it.
const UNREACHABLE: &str = "the target cannot be reached: its name must lead to public addresses only, and something must \
                           answer there within 20 s";
const _: () = assert!(DELIVERY_TIMEOUT.as_secs() == 20);
/// The longest that sending a result may take.
const PUT_TIMEOUT: Duration = Duration::from_mins(5);

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
    client: CheckedClient,
    options: Arc<NotifyOptions>,
    rules: Arc<HostRules>,
}

impl Notifier {
    pub(crate) fn new(options: NotifyOptions) -> Self {
        let others = if options.allow.iter().any(|host| host == "*") { Others::All } else { Others::Public };
        let rules = Arc::new(HostRules { named: options.allow.clone(), others, setting: "webhook-allow" });
        let client = CheckedClient::new(&rules, |client| client.timeout(DELIVERY_TIMEOUT));
        Self { client, options: Arc::new(options), rules }
    }

    pub(crate) fn options(&self) -> &NotifyOptions {
        &self.options
    }

    /// Looks at a target before anything is sent there.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&self, url: &str) -> Result<Url, String> {
        self.rules.check(url)
    }

    /// Sends a message once.
    pub(crate) async fn deliver(&self, message: Message<'_>, now: Timestamp) -> Result<(), NotDelivered> {
        let url = self.check(message.url);
        let url = url.map_err(|why| NotDelivered { for_good: true, ..NotDelivered::now(why) })?;
        let seconds = now.as_millis() / 1_000;
        let client = self.client.get().map_err(NotDelivered::now)?;
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
        check_status(response.status(), response.headers())
    }
}

impl Notifier {
    /// Sends the bytes of a result to where its caller wants them.
    pub(crate) async fn put(&self, url: &str, media_type: &'static str, body: Vec<u8>) -> Result<(), NotDelivered> {
        let url = self.check(url).map_err(|why| NotDelivered { for_good: true, ..NotDelivered::now(why) })?;
        let client = self.client.get().map_err(NotDelivered::now)?;
        let request = client.put(url).header(CONTENT_TYPE, media_type).timeout(PUT_TIMEOUT).body(body);
        let response = request.send().await.map_err(|error| NotDelivered::unreachable(&error))?;
        let status = response.status();
        check_status(status, response.headers()).map_err(|not| {
            // What is refused once is refused again.
            NotDelivered { for_good: not.for_good || status.is_client_error() || status.is_redirection(), ..not }
        })
    }
}

/// Only what is 2xx was taken; 410 says that there should be no more of them (Standard Webhooks).
fn check_status(status: StatusCode, headers: &HeaderMap) -> Result<(), NotDelivered> {
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

/// Why a message did not reach its target, for the operator.
fn words(error: &reqwest::Error) -> String {
    if error.is_timeout() { format!("no answer within {} s", DELIVERY_TIMEOUT.as_secs()) } else { cause(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_looked_at_before_they_are_kept() {
        for (allow, url, good) in [
            (&[][..], "https://example.org/hook", true),
            (&[], "http://127.0.0.1:6379/", false),
            (&["127.0.0.1"], "http://127.0.0.1:80/", true),
            (&["127.0.0.1"], "http://127.0.0.2:80/", false),
            (&["*"], "http://10.1.2.3/", true),
        ] {
            let allow = allow.iter().map(ToString::to_string).collect();
            let notifier = Notifier::new(NotifyOptions { allow, ..NotifyOptions::default() });
            assert_eq!(notifier.check(url).is_ok(), good, "{url}");
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
            let judged = check_status(StatusCode::from_u16(status).unwrap(), &headers);
            assert_eq!(judged.is_ok(), taken, "{status}");
            if let Err(not) = judged {
                assert_eq!((not.after, not.for_good), (after.map(Duration::from_secs), for_good), "{status}");
            }
        }
    }
}
