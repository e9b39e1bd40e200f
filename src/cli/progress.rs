//! The progress bar of `convert`, on a terminal's stderr; elsewhere nothing is drawn.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bindery::task::{TaskId, TaskRecord};
use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    bar: ProgressBar,
    tasks: RefCell<BTreeMap<TaskId, Share>>,
}

/// What one task adds to the bar.
#[derive(Clone, Copy, Default)]
struct Share {
    pages: u64,
    settled: u64,
    failed: u64,
    calls: u64,
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

    pub fn update(&self, record: &TaskRecord) {
        let counts = record.counts;
        let share = Share {
            pages: u64::from(record.total_pages.unwrap_or(0)),
            settled: u64::from(counts.done + counts.failed),
            failed: u64::from(counts.failed),
            calls: record.usage.calls,
        };
        let mut tasks = self.tasks.borrow_mut();
        tasks.insert(record.id, share);
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
