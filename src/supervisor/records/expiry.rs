//! When ended tasks expire, also when the clock that their ends were stamped by is put right later.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::blob::{Durability, LocalBlob};
use crate::clock::{TaskClock, Timestamp};
use crate::store::{LeaseChange, ListQuery, StoreError, TaskStore, Update};
use crate::supervisor::records::backup;
use crate::task::{TaskRecord, TaskStatus};

/// Records looked at in one go.
const BATCH: usize = 200;
/// An expiry that is wrong by less is right enough to cost no write.
const GRAIN: Duration = Duration::from_mins(1);

/// When an ended task expires, where its record is wrong about that.
fn right_expiry(record: &TaskRecord, clock: &TaskClock, ttl: Duration) -> Option<Timestamp> {
    let (finished, stamped) = (record.finished_at?, record.expires_at?);
    let right = clock.expiry(finished, time_to_live(record, ttl))?;
    (right.since(stamped) > GRAIN || stamped.since(right) > GRAIN).then_some(right)
}

fn time_to_live(record: &TaskRecord, ttl: Duration) -> Duration {
    record.options.ttl.map_or(ttl, Duration::from_secs)
}

/// Puts the expiry of an ended task right; `ttl` is that of tasks that name none. Returns whether it was wrong.
pub(in crate::supervisor) fn set_expiry(record: &mut TaskRecord, clock: &TaskClock, ttl: Duration) -> bool {
    let right = right_expiry(record, clock, ttl);
    record.expires_at = right.or(record.expires_at);
    right.is_some()
}

/// Whether a task has expired by a time that is believed; an unfinished one never has.
pub(in crate::supervisor) fn has_expired(record: &TaskRecord, clock: &TaskClock, ttl: Duration) -> bool {
    match (record.finished_at, record.expires_at) {
        (Some(finished), Some(expires)) => clock.has_expired(finished, time_to_live(record, ttl), expires),
        _ => false,
    }
}

/// Puts the expiry of every ended task right, in its record and the copy of that, and has the message about its end sent
/// where that would wait for years. Returns of how many something was wrong.
///
/// # Errors
/// [`StoreError::Unavailable`]; what was put right by then stays so.
pub(in crate::supervisor) async fn set_all_expiries(
    store: &Arc<dyn TaskStore>,
    blob: &LocalBlob,
    clock: &TaskClock,
    ttl: Duration,
) -> Result<usize, StoreError> {
    let mut wrong = 0;
    for status in [TaskStatus::Completed, TaskStatus::Failed, TaskStatus::Cancelled] {
        let mut query = ListQuery { status: Some(status), limit: BATCH, ..ListQuery::default() };
        loop {
            let page = store.list(&query).await?;
            for record in page.tasks {
                let mut next = record.clone();
                let late = next.webhook.as_mut().is_some_and(|webhook| webhook.not_too_late(clock.now()));
                if !set_expiry(&mut next, clock, ttl) && !late {
                    continue;
                }
                next.version += 1;
                let (expected, operation) = (record.revision(), Uuid::now_v7());
                let update = Update { expected, next, operation, lease: LeaseChange::Release };
                match store.update(&update).await {
                    Ok(()) => {
                        wrong += 1;
                        backup::keep_copy(blob.clone(), update.next, Durability::Cached).await;
                    }
                    Err(StoreError::Unavailable(why)) => return Err(StoreError::Unavailable(why)),
                    // It was retried or deleted meanwhile, or ends again: then its new end is right.
                    Err(_) => {}
                }
            }
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{ClockReading, Uptime};
    use crate::task::test_record;

    #[test]
    fn an_expiry_is_put_right_where_it_is_wrong_by_more_than_a_minute() {
        let (day, ttl) = (Duration::from_hours(24), Duration::from_hours(1));
        let (clock, uptime) = (TaskClock::default(), Uptime::now());
        let now = Timestamp::now();
        for (said, uptime) in [(now.before(10 * day), uptime), (now.after(ttl), uptime.after(ttl))] {
            clock.set(ClockReading { said, ahead: Duration::ZERO, certain: None, asked: uptime, answered: uptime });
        }
        // It ended while the clock was ten days behind.
        let finished = now.before(10 * day).after(Duration::from_secs(60));
        let (late, soon) = (Duration::from_secs(61), Duration::from_secs(60));
        for own_ttl in [None, Some(7_200)] {
            let right = finished.after(10 * day + own_ttl.map_or(ttl, Duration::from_secs));
            for (stamped, is_wrong) in [
                (right.before(10 * day), true),
                (right.before(late), true),
                (right.before(soon), false),
                (right, false),
                (right.after(soon), false),
                (right.after(late), true),
            ] {
                let mut record =
                    TaskRecord { finished_at: Some(finished), expires_at: Some(stamped), ..test_record(1) };
                record.options.ttl = own_ttl;
                assert_eq!(set_expiry(&mut record, &clock, ttl), is_wrong, "{stamped:?} for {right:?}");
                assert_eq!(record.expires_at, Some(if is_wrong { right } else { stamped }));
            }
        }
        // What has not ended does not expire.
        let mut running = test_record(1);
        assert!(!set_expiry(&mut running, &clock, ttl) && running.expires_at.is_none());
        assert!(!has_expired(&running, &clock, ttl));
    }
}
