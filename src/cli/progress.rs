//! The progress bar of `convert` and `submit`, on a terminal's stderr; elsewhere nothing is drawn.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bindery::task::TaskRecord;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

pub struct Progress {
    bar: ProgressBar,
    tasks: RefCell<BTreeMap<String, Share>>,
}

/// What one task adds to the bar.
#[derive(Clone, Copy, Default)]
pub struct Share {
    pages: u64,
    settled: u64,
    failed: u64,
    calls: u64,
}

impl Share {
    /// Of a task that runs here.
    pub fn of(record: &TaskRecord) -> Self {
        let counts = record.counts;
        Self {
            pages: u64::from(record.total_pages.unwrap_or(0)),
            settled: u64::from(counts.done + counts.failed),
            failed: u64::from(counts.failed),
            calls: record.usage.calls,
        }
    }

    /// Of a task as a server shows it.
    pub fn of_view(task: &Value) -> Self {
        let number = |place: &str| task.pointer(place).and_then(Value::as_u64).unwrap_or(0);
        Self {
            pages: number("/total_pages"),
            settled: number("/pages/done") + number("/pages/failed"),
            failed: number("/pages/failed"),
            calls: number("/usage/calls"),
        }
    }
}

impl Progress {
    pub fn new() -> Self {
        let style = "{spinner} [{elapsed}] {bar:32} {pos}/{len} pages{msg} eta {eta}";
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, tasks: RefCell::default() }
    }

    pub fn update(&self, task: &str, share: Share) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.insert(task.to_owned(), share);
        let sum = |part: fn(&Share) -> u64| tasks.values().map(part).sum::<u64>();
        self.bar.set_length(sum(|share| share.pages));
        self.bar.set_position(sum(|share| share.settled));
        let mut message = String::new();
        for (count, what) in [(sum(|share| share.calls), "calls"), (sum(|share| share.failed), "failed")] {
            if count > 0 {
                let _ = write!(message, ", {count} {what}");
            }
        }
        self.bar.set_message(message);
    }

    /// Prints a line without tearing the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
