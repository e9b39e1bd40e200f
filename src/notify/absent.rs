//! In a build without webhooks: none is promised, and none that an earlier build promised is forgotten.

use super::{Message, NotDelivered, NotifyOptions};
use crate::clock::Timestamp;

const ABSENT: &str = "this program is built without webhooks";

/// Sends nothing.
#[derive(Clone)]
pub(crate) struct Notifier {
    options: NotifyOptions,
}

impl Notifier {
    pub(crate) const fn new(options: NotifyOptions) -> Self {
        Self { options }
    }

    pub(crate) const fn options(&self) -> &NotifyOptions {
        &self.options
    }

    /// Refuses every target.
    ///
    /// # Errors
    /// Always.
    #[allow(clippy::unused_self, reason = "as with webhooks")]
    pub(crate) fn check(&self, _: &str) -> Result<(), String> {
        Err(ABSENT.into())
    }

    /// Leaves the message to be sent later, by a build that can.
    ///
    /// # Errors
    /// Always.
    #[allow(clippy::unused_async, clippy::unused_self, reason = "as with webhooks")]
    pub(crate) async fn deliver(&self, _: Message<'_>, _: Timestamp) -> Result<(), NotDelivered> {
        Err(NotDelivered { why: ABSENT.into(), detail: None, after: None, for_good: false })
    }

    /// Sends nothing.
    ///
    /// # Errors
    /// Always.
    #[allow(clippy::unused_async, clippy::unused_self, reason = "as with webhooks")]
    pub(crate) async fn put(&self, _: &str, _: &'static str, _: Vec<u8>) -> Result<(), NotDelivered> {
        Err(NotDelivered { why: ABSENT.into(), detail: None, after: None, for_good: true })
    }
}
