//! The message that tells a server of the caller's that a task has ended, kept with the record until it is delivered.

use std::time::Duration;

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

use super::{Cost, Failure, TaskId, TaskStatus};
use crate::clock::Timestamp;

/// The waits after the first, second, … attempt that failed: over a day in all, as the Standard Webhooks convention
/// advises. After the last one the message is given up.
const WAITS: [u64; 10] = [5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800, 36_000];

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WebhookState {
    /// It is to be sent (again).
    Pending,
    /// The other side took it.
    Delivered,
    /// It was not delivered within a day, or its target refuses it.
    GivenUp,
}

/// The message of one end of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct Webhook {
    /// Its name, the same however often it is sent: by it the other side knows what it has had already.
    pub id: String,
    /// `task.completed`, `task.failed` or `task.cancelled`.
    pub event: String,
    /// Where it stands.
    pub state: WebhookState,
    /// How often it was sent.
    pub attempts: u32,
    /// When it is sent (again).
    pub next_attempt_at: Option<Timestamp>,
    /// Why the last attempt came to nothing.
    pub last_error: Option<String>,
    /// When the other side took it.
    pub delivered_at: Option<Timestamp>,
}

impl Webhook {
    /// The message of a task that ends with `status` in `epoch`, to be sent at once.
    #[must_use]
    pub fn new(task: TaskId, epoch: u64, status: TaskStatus, now: Timestamp) -> Self {
        Self {
            id: format!("msg_{task}_{epoch}"),
            event: format!("task.{status}"),
            state: WebhookState::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            last_error: None,
            delivered_at: None,
        }
    }

    /// Since when it is due, if it is to be sent.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.next_attempt_at.filter(|_| self.state == WebhookState::Pending)
    }

    /// Takes note that it is being sent now; if nothing is heard of that, it is sent again at `again_at`.
    pub fn begin(&mut self, again_at: Timestamp) {
        self.attempts += 1;
        self.next_attempt_at = Some(again_at);
    }

    /// The other side took it.
    pub fn delivered(&mut self, now: Timestamp) {
        (self.state, self.next_attempt_at, self.last_error) = (WebhookState::Delivered, None, None);
        self.delivered_at = Some(now);
    }

    /// It did not, and perhaps said when to come back. `for_good` when it will not.
    pub fn failed(&mut self, why: String, after: Option<Duration>, for_good: bool, now: Timestamp) {
        self.last_error = Some(why);
        let step = usize::try_from(self.attempts.max(1) - 1).unwrap_or(usize::MAX);
        let wait = WAITS.get(step).filter(|_| !for_good).map(|seconds| Duration::from_secs(*seconds));
        let most = Duration::from_secs(*WAITS.last().unwrap_or(&0));
        self.next_attempt_at = wait.map(|wait| now.after(wait.max(after.unwrap_or_default().min(most))));
        if self.next_attempt_at.is_none() {
            self.state = WebhookState::GivenUp;
        }
    }

    /// Has it sent now when no wait would make it so late: its time was told by a clock that was ahead. Returns whether
    /// that was so.
    pub(crate) fn not_too_late(&mut self, now: Timestamp) -> bool {
        let most = Duration::from_secs(WAITS.iter().sum());
        let late = self.due_at().is_some_and(|due| due > now.after(most));
        if late {
            self.next_attempt_at = Some(now);
        }
        late
    }

    /// Has it sent again, whatever became of it.
    pub fn again(&mut self, now: Timestamp) {
        (self.state, self.attempts, self.next_attempt_at) = (WebhookState::Pending, 0, Some(now));
    }
}

/// One end of a task and the message about it. A task that is retried before its message was delivered has another end
/// later; what this message tells stays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndNotice {
    /// How the message stands.
    pub webhook: Webhook,
    /// How the task ended.
    pub status: TaskStatus,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Pages whose Markdown was there.
    pub done: u32,
    /// Pages declared failed.
    pub failed: u32,
    /// Pages with findings that make them doubtful.
    #[serde(default)]
    pub doubtful: u32,
    /// Why it failed.
    pub error: Option<Failure>,
    /// What it had cost.
    pub cost: Option<Cost>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_tried_over_a_day_and_then_given_up() {
        let mut now = Timestamp::from_millis(0);
        let mut webhook = Webhook::new(TaskId::generate(), 2, TaskStatus::Failed, now);
        assert_eq!((webhook.event.as_str(), webhook.due_at()), ("task.failed", Some(now)));
        while let Some(due) = webhook.due_at() {
            now = now.max(due);
            webhook.begin(now.after(Duration::from_secs(60)));
            webhook.failed("no".into(), None, false, now);
        }
        assert_eq!((webhook.state, webhook.attempts), (WebhookState::GivenUp, 11));
        let hours = now.as_millis() / 3_600_000;
        assert!((24..=27).contains(&hours), "{hours}");
        webhook.again(now);
        webhook.begin(now);
        webhook.failed("later".into(), Some(Duration::from_secs(77)), false, now);
        assert_eq!(webhook.due_at(), Some(now.after(Duration::from_secs(77))));
        webhook.failed("gone".into(), None, true, now);
        assert_eq!((webhook.state, webhook.due_at()), (WebhookState::GivenUp, None));
        webhook.delivered(now);
        assert_eq!((webhook.state, webhook.last_error), (WebhookState::Delivered, None));
    }

    #[test]
    fn a_message_whose_time_was_told_by_a_clock_that_was_ahead_is_sent_now() {
        let now = Timestamp::from_millis(86_400_000 * 100);
        let day = Duration::from_hours(24);
        for (due, expected) in
            [(now.after(day * 400), now), (now.after(day), now.after(day)), (now.before(day), now.before(day))]
        {
            let mut webhook = Webhook::new(TaskId::generate(), 1, TaskStatus::Completed, due);
            assert_eq!((webhook.not_too_late(now), webhook.due_at()), (due != expected, Some(expected)));
        }
        let mut delivered = Webhook::new(TaskId::generate(), 1, TaskStatus::Completed, now.after(day * 400));
        delivered.delivered(now);
        assert!(!delivered.not_too_late(now));
    }
}
