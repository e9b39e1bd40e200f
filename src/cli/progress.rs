//! The progress bar of `convert` and `submit`, on a terminal's stderr; elsewhere nothing is drawn.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, Instant};

use bindery::http::TaskView;
use bindery::task::TaskRecord;
use console::{Term, measure_text_width, truncate_str};
use indicatif::style::ProgressTracker;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use tokio::sync::watch;

use super::say;

/// The widest bar, cells.
const WIDEST: usize = 32;
/// The narrowest bar that says something, cells.
const NARROWEST: usize = 6;
/// The width that a file name gets at least, where there is room for one.
const SHORTEST_NAME: usize = 8;

pub struct Progress {
    bar: ProgressBar,
    sums: watch::Sender<Sums>,
    /// Of every task that was heard of, its file and share.
    tasks: RefCell<BTreeMap<String, (String, Share)>>,
    files: usize,
}

/// What one task adds to the bar.
#[derive(Clone, Copy, Default)]
pub struct Share {
    pages: u64,
    settled: u64,
    reused: u64,
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
            reused: record.usage.reused,
            failed: u64::from(counts.failed),
            calls: record.usage.calls,
        }
    }

    /// Of a task as a server shows it.
    pub fn of_view(task: &TaskView) -> Self {
        Self {
            pages: u64::from(task.total_pages.unwrap_or(0)),
            settled: u64::from(task.pages.done + task.pages.failed),
            reused: task.usage.reused,
            failed: u64::from(task.pages.failed),
            calls: task.usage.calls,
        }
    }
}

impl Progress {
    /// For a command with so many files.
    pub fn new(files: usize) -> Self {
        let sums = watch::Sender::new(Sums::default());
        let bar = ProgressBar::new(0);
        let line = Line { sums: sums.subscribe(), begun: Instant::now(), text: String::new() };
        if let Ok(style) = ProgressStyle::with_template("{line}") {
            bar.set_style(style.with_key("line", line));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, sums, tasks: RefCell::default(), files }
    }

    /// Takes note of how a task of `file` stands.
    pub fn update(&self, task: &str, file: &str, share: Share) {
        let mut tasks = self.tasks.borrow_mut();
        tasks.insert(task.to_owned(), (file.to_owned(), share));
        let ended = tasks.values().filter(|(_, share)| share.pages > 0 && share.settled >= share.pages).count();
        let about = if self.files == 1 { file.to_owned() } else { format!("{ended}/{} files", self.files) };
        let mut sums = Sums { about, ..Sums::default() };
        for (_, share) in tasks.values() {
            sums.pages += share.pages;
            sums.settled += share.settled;
            sums.fresh += share.settled.saturating_sub(share.reused);
            sums.failed += share.failed;
            sums.calls += share.calls;
        }
        self.sums.send_replace(sums);
    }

    /// Prints a line without tearing the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| say(format_args!("{line}")));
    }

    pub fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// What the bar shows.
#[derive(Clone, Debug, Default)]
struct Sums {
    /// The file, or how many of them are done.
    about: String,
    pages: u64,
    settled: u64,
    /// Those of `settled` that this run has read: pages from the cache say nothing about its speed.
    fresh: u64,
    failed: u64,
    calls: u64,
}

impl Sums {
    /// How long the rest takes at the speed of this run; `None` before it has one.
    fn eta(&self, elapsed: Duration) -> Option<Duration> {
        let left = self.pages.saturating_sub(self.settled);
        #[allow(clippy::cast_precision_loss, reason = "an estimate")]
        let share = left as f64 / self.fresh as f64;
        (self.fresh > 0 && left > 0).then(|| Duration::try_from_secs_f64(elapsed.as_secs_f64() * share).ok())?
    }

    /// One line of at most `width` cells. What matters least is left out first: the bar, the time, the calls, the name.
    fn line(&self, width: usize, elapsed: Duration) -> String {
        if self.pages == 0 {
            return truncate_str(&format!("opening  {}", clock(elapsed)), width, "").into_owned();
        }
        let pages = format!("{}/{} pages", self.settled, self.pages);
        let counted = |count: u64, what: &str| if count > 0 { format!("{count} {what}") } else { String::new() };
        let (failed, calls) = (counted(self.failed, "failed"), counted(self.calls, "calls"));
        let eta = self.eta(elapsed).map(|left| format!("eta {}", clock(left))).unwrap_or_default();
        let elapsed = clock(elapsed);
        let mut left = width.saturating_sub(measure_text_width(&pages));
        let mut room_for = |part: &str, least: usize| {
            let needed = measure_text_width(part).min(least) + 2;
            let fits = needed > 2 && needed <= left;
            left -= if fits { needed } else { 0 };
            fits
        };
        let has_failed = room_for(&failed, usize::MAX - 2);
        let has_eta = room_for(&eta, usize::MAX - 2);
        let has_name = room_for(&self.about, SHORTEST_NAME);
        let has_calls = room_for(&calls, usize::MAX - 2);
        let has_elapsed = room_for(&elapsed, usize::MAX - 2);
        let mut name = String::new();
        if has_name {
            let room = left + measure_text_width(&self.about).min(SHORTEST_NAME);
            // A long name leaves room for the bar.
            let room = if room > 3 * NARROWEST + SHORTEST_NAME { room - NARROWEST - 4 } else { room };
            name = truncate_str(&self.about, room, "…").into_owned();
            left -= measure_text_width(&name).saturating_sub(SHORTEST_NAME.min(measure_text_width(&self.about)));
        }
        let bar = (left >= NARROWEST + 4).then(|| self.bar((left - 4).min(WIDEST)));
        let parts = [
            has_name.then_some(name),
            bar,
            Some(pages),
            has_failed.then_some(failed),
            has_calls.then_some(calls),
            has_elapsed.then_some(elapsed),
            has_eta.then_some(eta),
        ];
        let line = parts.into_iter().flatten().collect::<Vec<_>>().join("  ");
        truncate_str(&line, width, "").into_owned()
    }

    fn bar(&self, cells: usize) -> String {
        let full = usize::try_from(self.settled * cells as u64 / self.pages.max(1)).unwrap_or(cells).min(cells);
        format!("[{}{}]", "#".repeat(full), "-".repeat(cells - full))
    }
}

/// `0:07`, `12:30`, `1:02:03`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Draws the newest sums, as wide as the terminal is now.
#[derive(Clone)]
struct Line {
    sums: watch::Receiver<Sums>,
    begun: Instant,
    text: String,
}

impl ProgressTracker for Line {
    fn clone_box(&self) -> Box<dyn ProgressTracker> {
        Box::new(self.clone())
    }

    fn tick(&mut self, _: &ProgressState, now: Instant) {
        let width = usize::from(Term::stderr().size().1);
        self.text = self.sums.borrow().line(width.saturating_sub(1), now.saturating_duration_since(self.begun));
    }

    fn reset(&mut self, _: &ProgressState, _: Instant) {}

    fn write(&self, _: &ProgressState, out: &mut dyn Write) {
        let _ = out.write_str(&self.text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_fits_any_width_and_keeps_what_matters() {
        let about = "a report with a long name.pdf".to_owned();
        let sums = Sums { about, pages: 500, settled: 75, fresh: 15, failed: 2, calls: 17 };
        let elapsed = Duration::from_secs(30);
        for (width, expected) in [
            (8, "75/500 p"),
            (14, "75/500 pages"),
            (22, "75/500 pages  2 failed"),
            (36, "75/500 pages  2 failed  eta 14:10"),
            (46, "a report w…  75/500 pages  2 failed  eta 14:10"),
            (
                120,
                "a report with a long name.pdf  [####----------------------------]  75/500 pages  2 failed  17 calls  0:30  eta 14:10",
            ),
        ] {
            assert_eq!(sums.line(width, elapsed), expected, "{width}");
        }
        for width in 0..200 {
            assert!(measure_text_width(&sums.line(width, elapsed)) <= width, "{width}");
        }
    }

    #[test]
    fn pages_from_the_cache_are_no_speed() {
        let sums = |settled, fresh| Sums { pages: 500, settled, fresh, ..Sums::default() };
        let minute = Duration::from_secs(60);
        assert_eq!(sums(75, 0).eta(minute), None);
        assert_eq!(sums(500, 100).eta(minute), None);
        assert_eq!(sums(100, 50).eta(minute), Some(minute * 8));
    }
}
