use std::time::Duration;

use super::intake::tenants::TenantLimits;
use super::role::Role;
use crate::document::DocumentLimits;
use crate::job::RetryPolicy;
use crate::ledger::{LedgerLimits, LedgerSharing};
use crate::notify::NotifyOptions;
use crate::outbound::FetchOptions;
use crate::task::TaskOptions;

/// What the supervisor is told at its start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SupervisorOptions {
    /// The name that this process would like to have among those that share its blob store. When it is taken, the
    /// process gets it with a number. A process that comes after a dead one of the same name goes on with its tasks at
    /// once, and need not wait for its leases to end.
    pub node: String,
    /// What it does of the work of all that share its store. Without a store that others can use it does all, whatever this says.
    pub role: Role,
    /// Jobs that run at once; each holds an opened PDF. Further tasks wait in the store and cost only their id.
    pub max_active: usize,
    /// Unfinished tasks that are accepted before submits are refused with `queue_full`.
    pub max_queued: usize,
    /// What one tenant may have.
    pub tenant: TenantLimits,
    /// What an operator decides about webhooks.
    pub notify: NotifyOptions,
    /// What an operator decides about fetching documents.
    pub fetch: FetchOptions,
    /// How long final tasks and their files stay.
    pub ttl: Duration,
    /// What a document may be.
    pub limits: DocumentLimits,
    /// The longest one attempt may take when the task does not say.
    pub attempt_timeout: Duration,
    /// How attempts are repeated.
    pub retry: RetryPolicy,
    /// How often expired tasks and leftovers are looked for, and how old a folder is that counts as left over from a
    /// submit: longer than a submit can take.
    pub janitor_tick: Duration,
    /// How much the ledger may keep.
    pub ledger: LedgerLimits,
    /// The most bytes of sources and results that a server keeps copies of, where they are in shared storage.
    pub cache_bytes: u64,
    /// What tasks have that do not say otherwise.
    pub task_defaults: TaskOptions,
    /// Whether tenants share what the ledger has.
    pub ledger_sharing: LedgerSharing,
}

impl Default for SupervisorOptions {
    fn default() -> Self {
        Self {
            node: "bindery".into(),
            role: Role::default(),
            max_active: 256,
            max_queued: 10_000,
            tenant: TenantLimits::default(),
            notify: NotifyOptions::default(),
            fetch: FetchOptions::default(),
            ttl: Duration::from_secs(7 * 86_400),
            limits: DocumentLimits::default(),
            attempt_timeout: Duration::from_secs(300),
            retry: RetryPolicy::default(),
            janitor_tick: Duration::from_secs(60),
            ledger: LedgerLimits::default(),
            cache_bytes: 10 << 30,
            task_defaults: TaskOptions::default(),
            ledger_sharing: LedgerSharing::default(),
        }
    }
}
