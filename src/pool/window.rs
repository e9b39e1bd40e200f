//! How many calls may be in flight at an endpoint at present: additive increase, multiplicative decrease, with a memory of the
//! last ceiling (`ssthresh`). Pure. A server on its own has one for itself; servers that share a store have one together.

use serde::{Deserialize, Serialize};

/// The most rounds of answers before the window grows by one near its ceiling; and what is near, as a share.
const CAREFUL: (f64, f64) = (16.0, 0.9);
/// A refusal so near to the last ceiling confirms it.
const SAME: f64 = 2.0;
/// What is left of a window after a second refusal in a row, and after calls that overloaded the endpoint.
const SHRINK: f64 = 0.75;

/// The window. Its limit is at least 1. Servers that share it read each other's under the names that it was first written
/// with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Window {
    /// The most calls in flight.
    pub(super) limit: f64,
    /// The limit at the last refusal.
    #[serde(rename = "ceiling")]
    pub(super) ssthresh: f64,
    /// By how much it grows next.
    #[serde(rename = "growth")]
    pub(super) increase_step: f64,
    /// Rounds of answers before the next try near the ceiling.
    #[serde(rename = "care")]
    pub(super) probe_interval: f64,
    /// Answers since the last try.
    #[serde(rename = "credit")]
    pub(super) increase_credit: f64,
    /// Refusals without an answer in between.
    pub(super) refused_in_a_row: u32,
}

impl Window {
    pub(super) const fn new(most: f64) -> Self {
        Self {
            limit: most,
            ssthresh: most,
            increase_step: 1.0,
            probe_interval: 1.0,
            increase_credit: 0.0,
            refused_in_a_row: 0,
        }
    }

    /// Grows when there is credit for it; returns whether it has.
    pub(super) fn grow(&mut self, most: f64) -> bool {
        let (_, near) = CAREFUL;
        let careful = self.limit >= near * self.ssthresh && self.limit <= self.ssthresh;
        if self.limit >= most || self.increase_credit < self.limit * if careful { self.probe_interval } else { 1.0 } {
            return false;
        }
        self.increase_credit = 0.0;
        self.limit = (self.limit + self.increase_step).min(most);
        let far = self.limit > self.ssthresh + 1.0 || self.limit < near * self.ssthresh;
        self.increase_step = if far { self.increase_step * 2.0 } else { 1.0 };
        true
    }

    /// Goes below `fewest`, the fewest calls in flight with which one was refused.
    pub(super) fn refused(&mut self, fewest: f64) {
        self.refused_in_a_row += 1;
        let below = (fewest - 1.0).max(1.0);
        let (most, _) = CAREFUL;
        let confirmed = self.refused_in_a_row == 1 && (below - self.ssthresh).abs() <= SAME;
        self.probe_interval = if confirmed { (self.probe_interval * 2.0).min(most) } else { 1.0 };
        self.shrink(if self.refused_in_a_row == 1 { below } else { (self.limit * SHRINK).floor().min(below) });
        self.ssthresh = self.limit;
    }

    /// Shrinks for calls that took too long or broke off.
    pub(super) fn overloaded(&mut self) {
        self.shrink((self.limit * SHRINK).floor());
    }

    /// Starts over with one call: an endpoint that comes back is not to be overrun.
    pub(super) const fn reopen(&mut self) {
        (self.limit, self.increase_step, self.increase_credit) = (1.0, 1.0, 0.0);
        self.ssthresh = 1.0;
    }

    fn shrink(&mut self, to: f64) {
        self.limit = self.limit.min(to).max(1.0);
        (self.increase_step, self.increase_credit) = (1.0, 0.0);
    }
}
