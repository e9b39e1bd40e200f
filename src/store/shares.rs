//! What servers that use one endpoint together tell each other by way of the store, so that its limits hold for all of
//! them and not for each.
//!
//! A share is leased: it counts for a moment and is asked for again, so that what a dead server had comes back by itself.
//! The store does the sums, in one step: it adds up what the others hold, gives the calls in flight to those that have
//! use for them (max-min fair), and draws calls and tokens a minute from what has come in since the last draw. How wide
//! the window of calls in flight is at present is decided by the servers; the store keeps their decisions apart by a
//! number, so that of two made from the same state one counts.

use std::time::Duration;

/// What one server asks of an endpoint's limits.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ShareRequest {
    /// The endpoint and model.
    pub endpoint: String,
    /// The server: the owner in records.
    pub server: String,
    /// One that is dead, and that this one stands in for: what it held is free at once.
    pub predecessor: Option<String>,
    /// How long the share counts.
    pub lease: Duration,
    /// The most calls in flight of all servers together, as configured; at least 1.
    pub max_in_flight: u32,
    /// Calls a minute of all servers together, as configured.
    pub calls_per_minute: Option<u32>,
    /// Tokens a minute of all servers together, as configured.
    pub tokens_per_minute: Option<u64>,
    /// Calls of this server in flight now.
    pub in_flight: u32,
    /// Calls that this server could have in flight now. With neither, its share is given back.
    pub wanted: u32,
    /// Calls that it would begin now.
    pub calls: u32,
    /// Tokens that these would take.
    pub tokens: u64,
    /// Calls that were answered while the window was full, since the last share.
    pub answered: u32,
    /// The number of the window that these were made in, and that `window` was decided from.
    pub epoch: u64,
    /// The next window, when this server decided on one.
    pub window: Option<SharedWindow>,
    /// How long the endpoint asked not to be called.
    pub pause: Duration,
    /// The share that it kept to while the store was unavailable.
    pub kept: Option<u32>,
}

/// The adaptive window of calls in flight at an endpoint, of all servers together.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SharedWindow {
    /// The most calls in flight at present.
    pub limit: f64,
    /// The rest of its state, for those who decide on the next one.
    pub state: String,
}

impl SharedWindow {
    /// A window of so many calls in flight.
    #[must_use]
    pub const fn new(limit: f64, state: String) -> Self {
        Self { limit, state }
    }
}

/// What a server gets.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Share {
    /// Calls that it may have in flight.
    pub in_flight: u32,
    /// Calls that it may begin; 0 where no rate is configured.
    pub calls: u32,
    /// Tokens that these may take; 0 where no rate is configured.
    pub tokens: u64,
    /// When there will be one more call, where there were fewer than were asked for.
    pub next_call: Option<Duration>,
    /// The window as it is now; `None` when no server ever decided on one.
    pub window: Option<SharedWindow>,
    /// The number of the window: it grows with each.
    pub epoch: u64,
    /// Calls that were answered in it, of all servers.
    pub answered: u32,
    /// Calls in flight of the other servers, as each said last.
    pub elsewhere: u32,
    /// Calls that the others may have in flight and have use for.
    pub held_elsewhere: u32,
    /// Servers that have use for the endpoint, with this one if it has.
    pub sharers: u32,
    /// How long the endpoint is not to be called.
    pub pause: Duration,
}
