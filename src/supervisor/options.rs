use std::time::Duration;

use crate::document::DocumentLimits;
use crate::job::RetryPolicy;

/// What the supervisor is told at its start.
#[derive(Clone, Debug)]
pub struct SupervisorOptions {
    /// The name that stands as owner in the records of this process.
    pub node: String,
    /// Jobs that run at once; each holds an opened PDF. Further tasks wait in the store and cost only their id.
    pub max_active: usize,
    /// Unfinished tasks that are borne before submits are refused with `queue_full`.
    pub max_queued: usize,
    /// How long final tasks and their files stay.
    pub ttl: Duration,
    /// What a document may be.
    pub limits: DocumentLimits,
    /// The longest one attempt may take when the task does not say.
    pub attempt_timeout: Duration,
    /// How attempts are repeated.
    pub retry: RetryPolicy,
    /// How often expired tasks are looked for.
    pub retention_tick: Duration,
}

impl Default for SupervisorOptions {
    fn default() -> Self {
        Self {
            node: "bindery".into(),
            max_active: 256,
            max_queued: 10_000,
            ttl: Duration::from_secs(7 * 86_400),
            limits: DocumentLimits::default(),
            attempt_timeout: Duration::from_secs(300),
            retry: RetryPolicy::default(),
            retention_tick: Duration::from_secs(60),
        }
    }
}
