//! What tests start and ask.

#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod axe;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod browser;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod canary;
pub mod corpus;
pub mod disk;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod events;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod fake_clock;
pub mod fake_llm;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod fake_s3;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod featured;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod files;
pub mod hook;
pub mod pdf;
pub mod redis_proxy;
pub mod redis_server;
#[allow(dead_code, reason = "used by the integration tests alone")]
pub mod s3_server;
pub mod server;
pub mod slow_tesseract;
pub mod tied;

use std::time::Duration;

/// The longest that any single wait may last. Generous: machines are slow at times; a wait that never ends is a bug.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// Bits that depend on all bits of `z` (the finaliser of splitmix64): chance that a seed replays.
pub const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Asks until it is so, where there is no event for it; with a breath in between, for a question that is asked as fast as it is
/// answered takes a core from whom it waits for, and from the tests beside it. Not without end.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let mut breath = tokio::time::interval(Duration::from_millis(10));
    breath.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let asked = async {
        while !is_so().await {
            breath.tick().await;
        }
    };
    soon(what, asked).await;
}

/// Waits for `future`, but not without end.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A value with something changed: fields that may become more have no literals outside of their crate.
pub fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}
