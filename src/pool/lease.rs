//! Until when a job may begin calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Uptime;

/// A job's hold on its task, shared between the supervisor, which renews it, and the workers, which look at it before
/// each attempt. When it has ended another process may be running the task, so nothing may begin that costs anything.
///
/// It is a moment of the machine's own clock, counted from before the renewing was asked for, so it ends here before it
/// ends in the store.
#[derive(Clone, Debug)]
pub struct Lease(Arc<AtomicU64>);

impl Lease {
    /// A hold that does not end by itself.
    #[must_use]
    pub fn without_end() -> Self {
        Self(Arc::new(AtomicU64::new(u64::MAX)))
    }

    /// A hold until `end`.
    #[must_use]
    pub fn until(end: Uptime) -> Self {
        Self(Arc::new(AtomicU64::new(end.as_millis())))
    }

    /// Moves the end; `None` for no end.
    pub fn set(&self, end: Option<Uptime>) {
        self.0.store(end.map_or(u64::MAX, Uptime::as_millis), Ordering::Release);
    }

    /// Whether it holds now.
    #[must_use]
    pub fn holds(&self) -> bool {
        let end = self.0.load(Ordering::Acquire);
        end == u64::MAX || Uptime::now().as_millis() < end
    }
}
