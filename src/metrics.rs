//! Every metric: its name, what it says, its labels, and the one function that records it.
//!
//! They go through the `metrics` facade: `bindery serve` shows them on `/metrics`; a program that embeds Bindery installs
//! the recorder of its choice, or none. The values of labels are bounded: statuses, codes, names of processors, of
//! configured models, of keys.

#![cfg_attr(
    not(all(feature = "http", feature = "llm")),
    allow(dead_code, reason = "what the API shows, and calls count")
)]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use ::metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::task::Cost;

/// How a metric behaves.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Stands somewhere; looked at when it is asked for.
    Gauge,
    /// Durations in seconds, by size.
    Histogram,
}

/// All of them: name, kind, what it says, labels.
#[doc(hidden)]
pub const TABLE: [(&str, Kind, &str, &str); 35] = [
    (TASKS, Kind::Gauge, "Unfinished tasks in this process", "state: running, waiting"),
    (TASKS_ACCEPTED, Kind::Counter, "Submits that were accepted", "reused: true when an equal task was there"),
    (TASKS_ENDED, Kind::Counter, "Tasks that became final here", "status"),
    (TASKS_RECOVERED, Kind::Counter, "Unfinished tasks found and resumed", "from: restart, other, none"),
    (TASKS_LOST, Kind::Counter, "Running tasks that another process has taken over", ""),
    (PAGES_READ, Kind::Counter, "Pages read", "processor, tenant"),
    (PAGES_REUSED, Kind::Counter, "Pages from the page cache", "tenant"),
    (PAGES_FAILED, Kind::Counter, "Pages declared failed", "code"),
    (ATTEMPTS_FAILED, Kind::Counter, "Failed attempts, most of which are retried", "code"),
    (LEDGER_LOOKUPS, Kind::Counter, "Lookups in the page cache before a page is read", "result: hit, miss"),
    (
        CALLS,
        Kind::Counter,
        "Calls of the endpoint",
        "model, outcome: success, rate_limited, overloaded, unavailable, cancelled",
    ),
    (CALL_SECONDS, Kind::Histogram, "How long calls take", "model"),
    (TOKENS, Kind::Counter, "Tokens paid", "tenant, direction: sent, received"),
    (COST, Kind::Counter, "Money spent, in millionths of the currency of the prices", "tenant"),
    (ENDPOINT_CONCURRENCY_LIMIT, Kind::Gauge, "The limit of concurrent calls at present", "endpoint"),
    (
        ENDPOINT_CLUSTER_LIMIT,
        Kind::Gauge,
        "The limit of concurrent calls of all servers of a Redis together at present",
        "endpoint",
    ),
    (
        ENDPOINT_SHARE_KEPT,
        Kind::Gauge,
        "1 while Redis is unavailable and the server keeps its last share of the endpoint's limits",
        "endpoint",
    ),
    (ENDPOINT_IN_FLIGHT, Kind::Gauge, "Calls in flight", "endpoint"),
    (ENDPOINT_QUEUED, Kind::Gauge, "Shards that wait for a call", "endpoint"),
    (ENDPOINT_UNAVAILABLE, Kind::Gauge, "How long the endpoint has been unreachable, seconds", "endpoint"),
    (QUEUED, Kind::Gauge, "Pieces of work that wait for a worker", "tenant"),
    (IN_FLIGHT, Kind::Gauge, "Pieces of work that are with workers", ""),
    (QUEUE_SECONDS, Kind::Histogram, "How long work waits for its worker", "tenant, lane: cpu, calls, quarantine"),
    (
        FEED_SHARDS,
        Kind::Counter,
        "Shards that servers read for each other",
        "event: exported, answered, taken_back, imported",
    ),
    (STORE_SECONDS, Kind::Histogram, "How long the task store takes", "operation"),
    (STORE_ERRORS, Kind::Counter, "Failed operations of the task store", "operation"),
    (
        BLOB_SECONDS,
        Kind::Histogram,
        "How long files take, and requests with all their tries",
        "operation: read, write, sync; of shared storage upload, download, head, list, delete, probe",
    ),
    (
        BLOB_ERRORS,
        Kind::Counter,
        "Files that could not be read or written, and requests that failed for good",
        "operation",
    ),
    (
        READER_DEATHS,
        Kind::Counter,
        "Reader processes that died or were killed",
        "cause: crash, timeout, memory, killed",
    ),
    (MAILBOX_SECONDS, Kind::Gauge, "How long a message waits for its actor at present", "actor"),
    (
        HTTP_SECONDS,
        Kind::Histogram,
        "How long requests take, without those that wait on purpose",
        "route, method, status",
    ),
    (WEBHOOKS, Kind::Counter, "Messages about ended tasks that were sent", "outcome: delivered, failed, given_up"),
    (EVENT_STREAMS, Kind::Gauge, "Clients that follow a task's events", ""),
    (EVENT_GAPS, Kind::Counter, "Times that a client was too slow for events and had to catch up", ""),
    (BUILD_INFO, Kind::Gauge, "1; its labels say what runs", "version, role"),
];

const TASKS: &str = "bindery_tasks";
const TASKS_ACCEPTED: &str = "bindery_tasks_accepted_total";
const TASKS_ENDED: &str = "bindery_tasks_ended_total";
const TASKS_RECOVERED: &str = "bindery_tasks_recovered_total";
const TASKS_LOST: &str = "bindery_tasks_lost_total";
const PAGES_READ: &str = "bindery_pages_read_total";
const PAGES_REUSED: &str = "bindery_pages_reused_total";
const PAGES_FAILED: &str = "bindery_pages_failed_total";
const ATTEMPTS_FAILED: &str = "bindery_attempts_failed_total";
const LEDGER_LOOKUPS: &str = "bindery_ledger_lookups_total";
const CALLS: &str = "bindery_calls_total";
const CALL_SECONDS: &str = "bindery_call_seconds";
const TOKENS: &str = "bindery_tokens_total";
const COST: &str = "bindery_cost_millionths_total";
const ENDPOINT_CONCURRENCY_LIMIT: &str = "bindery_endpoint_concurrency_limit";
const ENDPOINT_CLUSTER_LIMIT: &str = "bindery_endpoint_cluster_limit";
const ENDPOINT_SHARE_KEPT: &str = "bindery_endpoint_share_kept";
const ENDPOINT_IN_FLIGHT: &str = "bindery_endpoint_in_flight";
const ENDPOINT_QUEUED: &str = "bindery_endpoint_queued";
const ENDPOINT_UNAVAILABLE: &str = "bindery_endpoint_unavailable_seconds";
const QUEUED: &str = "bindery_queued";
const IN_FLIGHT: &str = "bindery_in_flight";
const QUEUE_SECONDS: &str = "bindery_queue_seconds";
const FEED_SHARDS: &str = "bindery_feed_shards_total";
const STORE_SECONDS: &str = "bindery_store_seconds";
const STORE_ERRORS: &str = "bindery_store_errors_total";
const BLOB_SECONDS: &str = "bindery_blob_seconds";
const BLOB_ERRORS: &str = "bindery_blob_errors_total";
const READER_DEATHS: &str = "bindery_reader_deaths_total";
const MAILBOX_SECONDS: &str = "bindery_mailbox_seconds";
const HTTP_SECONDS: &str = "bindery_http_seconds";
const WEBHOOKS: &str = "bindery_webhooks_total";
const EVENT_STREAMS: &str = "bindery_event_streams";
const EVENT_GAPS: &str = "bindery_event_gaps_total";
const BUILD_INFO: &str = "bindery_build_info";

/// The sizes that durations are sorted by, seconds.
pub const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0];

/// Names that `metrics-process` gives: CPU, memory and files of this process, without its readers.
#[doc(hidden)]
pub const OF_PROCESS: [&str; 8] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
    "process_threads",
    "process_virtual_memory_bytes",
    "process_virtual_memory_max_bytes",
];

/// Tells the recorder what each metric says.
pub fn describe() {
    #[cfg(feature = "http")]
    metrics_process::Collector::default().describe();
    for (name, kind, help, _) in TABLE {
        match kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, help),
        }
    }
}

pub(crate) fn tasks(running: usize, waiting: usize) {
    gauge!(TASKS, "state" => "running").set(float(running));
    gauge!(TASKS, "state" => "waiting").set(float(waiting));
}

pub(crate) fn task_accepted(reused: bool) {
    counter!(TASKS_ACCEPTED, "reused" => if reused { "true" } else { "false" }).increment(1);
}

pub(crate) fn task_ended(status: &'static str) {
    counter!(TASKS_ENDED, "status" => status).increment(1);
}

/// `from` is `restart` (the predecessor of this process ran it), `other` (another process did) or `none`.
pub(crate) fn task_recovered(from: &'static str) {
    counter!(TASKS_RECOVERED, "from" => from).increment(1);
}

pub(crate) fn task_lost() {
    counter!(TASKS_LOST).increment(1);
}

pub(crate) fn page_read(processor: &str, tenant: &str) {
    counter!(PAGES_READ, "processor" => processor.to_owned(), "tenant" => tenant.to_owned()).increment(1);
}

pub(crate) fn pages_reused(tenant: &str, pages: usize) {
    if pages > 0 {
        counter!(PAGES_REUSED, "tenant" => tenant.to_owned()).increment(pages as u64);
    }
}

pub(crate) fn page_failed(code: &str) {
    counter!(PAGES_FAILED, "code" => code.to_owned()).increment(1);
}

pub(crate) fn attempt_failed(code: &str) {
    counter!(ATTEMPTS_FAILED, "code" => code.to_owned()).increment(1);
}

pub(crate) fn looked_up(hit: bool) {
    counter!(LEDGER_LOOKUPS, "result" => if hit { "hit" } else { "miss" }).increment(1);
}

/// `model` must be one of few, such as those that are configured.
pub(crate) fn call(model: &str, outcome: &'static str, took: Duration) {
    counter!(CALLS, "model" => model.to_owned(), "outcome" => outcome).increment(1);
    histogram!(CALL_SECONDS, "model" => model.to_owned()).record(took);
}

pub(crate) fn spent(tenant: &str, sent: u64, received: u64, cost: Cost) {
    for (direction, tokens) in [("sent", sent), ("received", received)] {
        counter!(TOKENS, "tenant" => tenant.to_owned(), "direction" => direction).increment(tokens);
    }
    counter!(COST, "tenant" => tenant.to_owned()).increment(cost.millionths());
}

/// Names of endpoints that have rows of their own: the first ones that were seen. Callers may name any model, and a
/// label must not grow with what callers make up.
static ENDPOINTS: [OnceLock<String>; 16] = [const { OnceLock::new() }; 16];

/// The row of an endpoint; all that come late share one.
pub(crate) fn endpoint_row(name: &str) -> &'static str {
    ENDPOINTS.iter().map(|row| row.get_or_init(|| name.to_owned())).find(|row| *row == name).map_or("other", |row| row)
}

/// `row` is what [`endpoint_row`] answers.
pub(crate) fn endpoint(
    row: &'static str,
    window: usize,
    in_flight: usize,
    queued: usize,
    unavailable: Option<Duration>,
) {
    gauge!(ENDPOINT_CONCURRENCY_LIMIT, "endpoint" => row).set(float(window));
    gauge!(ENDPOINT_IN_FLIGHT, "endpoint" => row).set(float(in_flight));
    gauge!(ENDPOINT_QUEUED, "endpoint" => row).set(float(queued));
    gauge!(ENDPOINT_UNAVAILABLE, "endpoint" => row).set(unavailable.unwrap_or_default());
}

/// Likewise. The limit is that of all servers.
pub(crate) fn endpoint_share(row: &'static str, limit: usize, is_kept: bool) {
    gauge!(ENDPOINT_CLUSTER_LIMIT, "endpoint" => row).set(float(limit));
    gauge!(ENDPOINT_SHARE_KEPT, "endpoint" => row).set(float(usize::from(is_kept)));
}

pub(crate) fn queued(tenant: &str, pieces: usize) {
    gauge!(QUEUED, "tenant" => tenant.to_owned()).set(float(pieces));
}

pub(crate) fn in_flight(pieces: usize) {
    gauge!(IN_FLIGHT).set(float(pieces));
}

pub(crate) fn waited_for_worker(tenant: &str, lane: &'static str, waited: Duration) {
    histogram!(QUEUE_SECONDS, "tenant" => tenant.to_owned(), "lane" => lane).record(waited);
}

/// Of its own shards a server has `exported` some, of which others `answered` and the rest were `taken_back`; it has
/// `imported` what it read for others.
pub(crate) fn feed_shard(event: &'static str) {
    counter!(FEED_SHARDS, "event" => event).increment(1);
}

pub(crate) fn store(operation: &'static str, begun: Instant, answered: bool) {
    histogram!(STORE_SECONDS, "operation" => operation).record(begun.elapsed());
    if !answered {
        counter!(STORE_ERRORS, "operation" => operation).increment(1);
    }
}

/// Measures what a file operation takes.
pub(crate) fn blob<T>(operation: &'static str, work: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    let begun = Instant::now();
    let done = work();
    histogram!(BLOB_SECONDS, "operation" => operation).record(begun.elapsed());
    if done.is_err() {
        counter!(BLOB_ERRORS, "operation" => operation).increment(1);
    }
    done
}

pub(crate) fn reader_died(cause: &'static str) {
    counter!(READER_DEATHS, "cause" => cause).increment(1);
}

pub(crate) fn mailbox(actor: &'static str, waited: Duration) {
    gauge!(MAILBOX_SECONDS, "actor" => actor).set(waited);
}

pub(crate) fn answered(route: &str, method: &str, status: u16, took: Duration) {
    // A caller may name any.
    let method = ["GET", "HEAD", "POST", "DELETE", "OPTIONS"].into_iter().find(|known| *known == method);
    let (route, method, status) = (route.to_owned(), method.unwrap_or("other"), status.to_string());
    histogram!(HTTP_SECONDS, "route" => route, "method" => method, "status" => status).record(took);
}

pub(crate) fn webhook(outcome: &'static str) {
    counter!(WEBHOOKS, "outcome" => outcome).increment(1);
}

/// Counts a client that follows events, as long as it lives.
pub(crate) struct EventStream(());

impl EventStream {
    pub(crate) fn begin() -> Self {
        gauge!(EVENT_STREAMS).increment(1);
        Self(())
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        gauge!(EVENT_STREAMS).decrement(1);
    }
}

pub(crate) fn event_gap() {
    counter!(EVENT_GAPS).increment(1);
}

/// What this process is and takes, at present.
pub(crate) fn process(role: &'static str) {
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION"), "role" => role).set(1);
    #[cfg(feature = "http")]
    metrics_process::Collector::default().collect();
}

#[allow(clippy::cast_precision_loss, reason = "counts of what fits into memory")]
const fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_this_table() {
        let page = include_str!("../.github/docs/operations.md");
        for (name, _, help, labels) in TABLE {
            let row = format!("| `{name}` | {labels} | {help} |").replace("|  |", "| |");
            assert!(page.contains(&row), "missing in .github/docs/operations.md:\n{row}");
        }
    }
}
