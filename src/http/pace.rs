//! How slow an upload may be.
//!
//! An upload holds a connection, a file and a place in its caller's quota. One that stands still gives them up after a
//! while; one that trickles would hold them for as long as it likes, so each such while must bring its share of bytes, too.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::error::PayloadError;
use actix_web::web;
use bytes::Bytes;
use futures::{Stream, StreamExt};

/// Bytes a second that an upload must bring on average: a hundredth of what the slowest modems did.
const LEAST_SPEED: u64 = 1024;

/// What is known of an upload's speed. Pure. Only the time counts in which the client is waited for.
#[derive(Debug)]
struct Pace {
    timeout: Duration,
    /// Since the last byte.
    still: Duration,
    /// Since the present while began.
    waited: Duration,
    /// Bytes that it has brought.
    received: u64,
}

impl Pace {
    const fn new(timeout: Duration) -> Self {
        Self { timeout, still: Duration::ZERO, waited: Duration::ZERO, received: 0 }
    }

    /// How long it can be waited for more before there is something to judge.
    fn allowance(&self) -> Duration {
        self.timeout.saturating_sub(self.still.max(self.waited))
    }

    /// Counts a wait and the bytes that it brought; `false` when the upload is too slow.
    fn count(&mut self, wait: Duration, bytes: u64) -> bool {
        self.still = if bytes == 0 { self.still.saturating_add(wait) } else { Duration::ZERO };
        self.waited = self.waited.saturating_add(wait);
        self.received = self.received.saturating_add(bytes);
        if self.still >= self.timeout {
            return false;
        }
        if self.waited < self.timeout {
            return true;
        }
        let brought = u128::from(self.received) * 1_000 >= u128::from(LEAST_SPEED) * self.waited.as_millis();
        (self.waited, self.received) = (Duration::ZERO, 0);
        brought
    }
}

/// Ends a body that stands still for `timeout`, or brings too little in as long, and sets `stalled`.
pub(super) fn unstalled(
    payload: web::Payload,
    timeout: Duration,
    stalled: Rc<Cell<bool>>,
) -> impl Stream<Item = Result<Bytes, PayloadError>> {
    futures::stream::unfold(Some((payload, Pace::new(timeout))), move |state| {
        let stalled = Rc::clone(&stalled);
        async move {
            let (mut payload, mut pace) = state?;
            loop {
                let begun = Instant::now();
                let next = tokio::time::timeout(pace.allowance(), payload.next()).await;
                let bytes = match &next {
                    Ok(Some(Ok(chunk))) => chunk.len() as u64,
                    Ok(Some(Err(_)) | None) => return Some((next.ok()??, None)),
                    Err(_) => 0,
                };
                // A timer may be early by a little; the wait that it ended was as long as it was to be.
                let wait = if next.is_err() { begun.elapsed().max(pace.allowance()) } else { begun.elapsed() };
                if !pace.count(wait, bytes) {
                    stalled.set(true);
                    return Some((Err(PayloadError::Incomplete(None)), None));
                }
                if let Ok(Some(chunk)) = next {
                    return Some((chunk, Some((payload, pace))));
                }
            }
        }
    })
    // A form is asked for more after its end.
    .fuse()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Seconds until an upload is too slow that brings so many bytes in each wait of so many seconds.
    fn ends_after(timeout: u32, waits: impl Iterator<Item = (u32, u64)>) -> Option<u32> {
        let mut pace = Pace::new(SECOND * timeout);
        let mut passed = 0;
        for (wait, bytes) in waits {
            passed += wait;
            if !pace.count(SECOND * wait, bytes) {
                return Some(passed);
            }
        }
        None
    }

    #[test]
    fn too_slow_is_what_stands_still_or_trickles() {
        let always = |wait, bytes| std::iter::repeat_n((wait, bytes), 1_000);
        assert_eq!(ends_after(60, always(60, 0)), Some(60), "still");
        assert_eq!(ends_after(60, always(3, 1)), Some(60), "a trickle");
        assert_eq!(ends_after(60, always(1, 1_023)), Some(60));
        assert_eq!(ends_after(60, always(1, 1_024)), None);
        assert_eq!(ends_after(60, always(59, 60 * 1_024 * 2)), None, "in bursts");
        let burst = std::iter::once((1, 1 << 20)).chain(always(3, 1));
        assert_eq!(ends_after(60, burst), Some(121), "what came before does not count for later");
        let still = std::iter::once((30, 1 << 20)).chain(always(30, 0));
        assert_eq!(ends_after(60, still), Some(90));
        assert_eq!(ends_after(60, always(0, 1)), None, "time that the server needs is not the client's");
    }

    #[test]
    fn it_is_waited_for_until_there_is_something_to_judge() {
        let mut pace = Pace::new(SECOND * 60);
        assert_eq!(pace.allowance(), SECOND * 60);
        assert!(pace.count(SECOND * 50, 1 << 20));
        assert_eq!(pace.allowance(), SECOND * 10);
        assert!(pace.count(SECOND * 10, 0));
        assert_eq!(pace.allowance(), SECOND * 50, "it stands still for 10 s");
    }
}
