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

#[cfg(not(feature = "webhooks"))]
mod absent;
#[cfg(feature = "webhooks")]
mod client;
#[cfg(feature = "webhooks")]
mod signature;

use std::time::Duration;

#[cfg(not(feature = "webhooks"))]
pub(crate) use self::absent::Notifier;
#[cfg(feature = "webhooks")]
pub(crate) use self::client::Notifier;

/// The longest that one delivery may take.
pub(crate) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(20);

/// What an operator decides about webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
#[cfg_attr(not(feature = "webhooks"), allow(dead_code, reason = "nothing is sent"))]
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
