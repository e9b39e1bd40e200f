//! What becomes of a task, as tables.

use super::*;
use crate::clock::{ClockReading, Timestamp, Uptime};
use crate::task::test_record;
use TaskStatus::{Cancelled, Completed, Failed, Pending, Processing};

const HOUR: Duration = Duration::from_hours(1);

fn told_clock() -> TaskClock {
    let (clock, uptime) = (TaskClock::default(), Uptime::now());
    clock.set(ClockReading {
        said: Timestamp::now(),
        ahead: Duration::ZERO,
        certain: None,
        asked: uptime,
        answered: uptime,
    });
    clock
}

fn record(epoch: u64, version: u64, status: TaskStatus) -> TaskRecord {
    TaskRecord { status, version, epoch, owner: Some("dead#1".into()), ..test_record(1_000) }
}

fn ended(epoch: u64, version: u64, at: Timestamp) -> TaskRecord {
    let mut ended = TaskRecord { version, epoch, ..test_record(at.as_millis()) };
    ended.take(TaskStep::Complete, at, HOUR).unwrap();
    ended
}

/// Stored epoch, whether it is to be cancelled, whether there is a processor; the epoch of a backup and whether it is
/// final, the greatest epoch by name; and what comes of it: the status, epoch and owner of the next record.
#[test]
fn who_runs_a_task_and_in_which_epoch() {
    let clock = told_clock();
    let now = Timestamp::now();
    let (runs, ends, cancels) = (Some((Pending, Some("me#1"))), Some((Completed, None)), Some((Cancelled, None)));
    for (stored, is_cancelled, has_processor, backup, newest, expected) in [
        // The store and its backups agree.
        (3, false, true, None, 0, runs.map(|runs| (runs, 4))),
        (3, false, true, Some((3, false)), 3, runs.map(|runs| (runs, 4))),
        (3, true, true, Some((3, false)), 3, cancels.map(|ends| (ends, 4))),
        // The end was decided, and its owner died before it was stored; that needs no processor.
        (3, false, true, Some((3, true)), 3, ends.map(|ends| (ends, 3))),
        (3, false, false, Some((3, true)), 3, ends.map(|ends| (ends, 3))),
        (3, true, false, None, 0, cancels.map(|ends| (ends, 4))),
        // It was the end of an epoch before a retry.
        (3, false, true, Some((2, true)), 2, runs.map(|runs| (runs, 4))),
        (3, false, false, Some((2, true)), 3, None),
        (3, false, false, None, 0, None),
        // The store went back: the process that ran the later epoch is fenced off.
        (3, false, true, Some((7, false)), 7, runs.map(|runs| (runs, 8))),
        (3, true, true, Some((4, false)), 4, cancels.map(|ends| (ends, 5))),
        (3, false, true, Some((7, true)), 7, ends.map(|ends| (ends, 7))),
        // A later backup cannot be read.
        (3, false, true, Some((3, false)), 9, runs.map(|runs| (runs, 10))),
        (3, false, true, Some((7, true)), 9, ends.map(|ends| (ends, 10))),
        // The names could not be read, the backup could.
        (3, false, true, Some((7, false)), 0, runs.map(|runs| (runs, 8))),
        (3, false, true, Some((7, true)), 0, ends.map(|ends| (ends, 7))),
    ] {
        let stored = TaskRecord { cancel_requested: is_cancelled, ..record(stored, 20, Processing) };
        for version in [5, 40] {
            let backup =
                backup.map(
                    |(epoch, is_final)| {
                        if is_final { ended(epoch, version, now) } else { record(epoch, version, Pending) }
                    },
                );
            let case = format!("{} {is_cancelled} {has_processor} {backup:?} {newest}", stored.epoch);
            let claimed = claim(&stored, backup.as_ref(), newest, "me#1", has_processor, (&clock, HOUR)).unwrap();
            let next = match &claimed {
                Claim::Over => panic!("{case}"),
                Claim::NoProcessor => None,
                Claim::End(next) | Claim::Run(next) => Some(next),
            };
            let seen = next.map(|next| ((next.status, next.owner.as_deref()), next.epoch));
            assert_eq!(seen, expected, "{case}");
            assert_eq!(matches!(claimed, Claim::Run(_)), expected.is_some_and(|((status, _), _)| status == Pending));
            let Some(next) = next else { continue };
            // One that lost its last writes is behind the backup, also in the same epoch.
            assert_eq!(next.version, if next.status == Completed { version.max(20) } else { 20 } + 1, "{case}");
            assert_eq!(next.expires_at.is_some(), next.status.is_final(), "{case}");
        }
    }
}

#[test]
fn what_has_ended_is_left_alone() {
    let clock = told_clock();
    for status in [Completed, Failed, Cancelled] {
        let stored = record(3, 7, status);
        for backup in [None, Some(record(5, 9, Pending)), Some(ended(5, 9, Timestamp::now()))] {
            let claimed = claim(&stored, backup.as_ref(), 5, "me#1", true, (&clock, HOUR)).unwrap();
            assert_eq!(claimed, Claim::Over, "{status} {backup:?}");
        }
        assert!(cancel(&stored, (&clock, HOUR)).is_err(), "{status}");
    }
}

#[test]
fn a_cancel_fences_off_who_ran_the_task() {
    let clock = told_clock();
    for (owner, epoch) in [(None, 3), (Some("other#1"), 4)] {
        let stored = TaskRecord { owner: owner.map(str::to_owned), ..record(3, 7, Pending) };
        let next = cancel(&stored, (&clock, HOUR)).unwrap();
        assert_eq!((next.status, next.epoch, next.version, &next.owner), (Cancelled, epoch, 8, &None), "{owner:?}");
        assert_eq!(next.expires_at, next.finished_at.map(|at| at.after(HOUR)));
        assert!(next.finished_at.is_some());
    }
}

/// By the clock as it is now: a record may have been made, and so end, in what was the future once.
#[test]
fn a_cancelled_task_expires_by_a_clock_that_was_put_right() {
    let (clock, uptime, now, days) = (TaskClock::default(), Uptime::now(), Timestamp::now(), HOUR * 240);
    for (said, uptime) in [(now.after(days), uptime), (now.after(HOUR), uptime.after(HOUR))] {
        clock.set(ClockReading { said, ahead: Duration::ZERO, certain: None, asked: uptime, answered: uptime });
    }
    let stored = TaskRecord { owner: None, ..test_record(now.after(days).as_millis()) };
    let next = cancel(&stored, (&clock, HOUR)).unwrap();
    assert_eq!(next.finished_at, Some(stored.created_at));
    assert_eq!(next.expires_at, Some(Timestamp::from_millis(now.after(HOUR).as_millis())));
}

#[test]
fn an_asked_owner_is_waited_for_until_the_task_ends_or_is_anothers() {
    for (status, epoch, expected) in [
        (Cancelled, 3, Asked::Ended),
        (Cancelled, 4, Asked::Ended),
        (Completed, 3, Asked::Ended),
        (Failed, 4, Asked::Ended),
        (Processing, 4, Asked::Moved),
        (Pending, 4, Asked::Moved),
        (Processing, 3, Asked::NotYet),
        (Pending, 3, Asked::NotYet),
    ] {
        assert_eq!(asked(&record(epoch, 1, status), 3), expected, "{status} {epoch}");
    }
}

#[test]
fn a_record_gives_way_to_its_backup_of_a_later_epoch_alone() {
    let now = Timestamp::now();
    for (stored, backup, is_final, expected) in [
        (3, 3, false, None),
        (3, 2, true, None),
        (3, 4, false, Some((Pending, None))),
        (3, 4, true, Some((Completed, None))),
    ] {
        for version in [5, 40] {
            let stored = record(stored, 20, Processing);
            let backup = if is_final { ended(backup, version, now) } else { record(backup, version, Processing) };
            let next = replacement(&stored, backup);
            let seen = next.as_ref().map(|next| (next.status, next.owner.as_deref()));
            assert_eq!(seen, expected);
            assert!(next.is_none_or(|next| next.epoch == 4 && next.version == version.max(20) + 1));
        }
    }
}

#[test]
fn a_folder_without_a_record_comes_back_waits_or_goes() {
    let clock = told_clock();
    let now = Timestamp::now();
    let (lease, submit) = (Duration::from_secs(15), Duration::from_secs(60));
    let (running, done, expired) = (record(3, 7, Processing), ended(3, 7, now), ended(3, 7, now.before(HOUR * 2)));
    let waiting = TaskRecord { status: Pending, owner: None, ..running.clone() };
    let restore = |record: &TaskRecord| Orphan::Restore(Box::new(record.clone()));
    let wait = |seconds| Orphan::Wait(Duration::from_secs(seconds));
    for (backup, seen, expected) in [
        (Some(&expired), 0, Orphan::Remove),
        (Some(&done), 0, restore(&done)),
        (Some(&running), 0, wait(15)),
        (Some(&running), 14, wait(1)),
        (Some(&running), 15, restore(&waiting)),
        (None, 0, wait(60)),
        (None, 59, wait(1)),
        (None, 60, Orphan::Remove),
    ] {
        let judged = orphan(backup.cloned(), Duration::from_secs(seen), (lease, submit), (&clock, HOUR));
        assert_eq!(judged, expected, "{backup:?} {seen}");
    }
}
