//! What tests and benchmarks start and ask, one module for all of them.

pub mod axe;
pub mod browser;
pub mod canary;
pub mod chance;
pub mod corpus;
pub mod disk;
pub mod events;
pub mod fake_clock;
pub mod fake_llm;
pub mod fake_s3;
pub mod featured;
pub mod files;
pub mod hook;
pub mod pdf;
pub mod redis_proxy;
pub mod redis_server;
pub mod s3_proxy;
pub mod s3_server;
pub mod server;
pub mod slow_tesseract;
pub mod tied;
pub mod venv;

use std::path::Path;
use std::time::Duration;

/// The longest that any single wait may last. Generous: machines are slow at times; a wait that never ends is a bug.
pub const TEST_TIMEOUT: Duration = Duration::from_mins(3);

/// Bits that depend on all bits of `z` (the finaliser of splitmix64): chance that a seed replays.
pub const fn mix(z: u64) -> u64 {
    let z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Looks until there is something, where there is no event for it; with a breath in between, for a question that is asked as
/// fast as it is answered takes a core from what it waits for, and from the tests beside it. Not without end.
pub async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let mut breath = tokio::time::interval(Duration::from_millis(10));
    breath.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let found = async {
        loop {
            breath.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    soon(what, found).await
}

/// Asks until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    eventually(what, async || is_so().await.then_some(())).await;
}

/// Waits for `future`, but not without end.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(TEST_TIMEOUT, future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// Writes a file; its path, as commands take it.
pub fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A value with something changed: fields that may become more have no literals outside of their crate.
pub fn with<T>(mut value: T, change: impl FnOnce(&mut T)) -> T {
    change(&mut value);
    value
}
