//! What tests start and ask.

pub mod fake_llm;
pub mod pdf;
pub mod redis_server;
pub mod server;

use std::time::Duration;

/// The longest that any single wait may last. Generous: machines are slow at times; a wait that never ends is a bug.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for `future`, but not without end.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, future).await;
    waited.unwrap_or_else(|_| panic!("waited too long for {what}"))
}
