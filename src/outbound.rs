//! Connections to addresses that callers name: messages about ended tasks, and documents that are fetched.
//!
//! A caller is not trusted with what this server can reach. A name is resolved when the connection is made, and every
//! address that it has at that moment must be one that the operator allows; redirections are followed only where each
//! step is checked like the first one; no proxy stands between, for behind one the address could not be known. Nor is the
//! caller to learn from an error which names and ports there are around this server, so whatever goes wrong before an
//! answer reads the same, and what it was stands in the log.

#[cfg(not(feature = "fetch"))]
mod absent;
#[cfg(any(feature = "fetch", feature = "webhooks"))]
mod address;
#[cfg(any(feature = "fetch", feature = "webhooks"))]
mod client;
#[cfg(feature = "fetch")]
mod fetch;

#[cfg(not(feature = "fetch"))]
pub(crate) use self::absent::Fetcher;
#[cfg(feature = "webhooks")]
pub(crate) use self::client::{CheckedClient, HostRules, Others, cause};
#[cfg(feature = "fetch")]
pub(crate) use self::fetch::Fetcher;
use crate::task::{Failure, code};

/// What an operator decides about fetching documents.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchOptions {
    /// Hosts that documents may be fetched from, whatever their addresses; `*` for all others over `https` that have public
    /// addresses alone. Nothing is fetched while it is empty.
    pub hosts: Vec<String>,
}

fn refused(why: &str) -> Failure {
    Failure::permanent(code::SOURCE_URL_REFUSED, format!("source_url: {why}"))
}
