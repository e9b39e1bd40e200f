//! What becomes of a task that no job of this process runs, by what the store has of it, what its folder keeps, and what is
//! asked. Pure.
//!
//! | asked | the store has | the newest backup | so |
//! |---|---|---|---|
//! | run it | its end | – | it is left alone |
//! | run it | it, unfinished | its end, of no earlier epoch | that end is stored |
//! | run it | a wish to cancel it | – | it ends as cancelled, in a new epoch |
//! | run it | it, unfinished | – | it begins a new epoch here, if there is a processor for it |
//! | cancel it | it, without an owner | – | it ends as cancelled |
//! | cancel it | it, with an owner | – | it ends as cancelled in a new epoch, if its lease is over |
//! | nothing | it, of an earlier epoch | it, of a later one | the backup replaces it |
//! | nothing | nothing | expired | its folder goes |
//! | nothing | nothing | its end | the record is made again |
//! | nothing | nothing | it, unfinished | the record is made again, when its owner had the time to do so |
//! | nothing | nothing | none | its folder goes, when it was seen for longer than a submit can take |

use std::time::Duration;

use crate::clock::TaskClock;
use crate::supervisor::records::expiry::{has_expired, set_expiry};
use crate::task::{IllegalTransition, TaskRecord, TaskStatus, TaskStep};

/// What a process makes of a task that it is to run.
#[derive(Debug, PartialEq)]
pub(in crate::supervisor) enum Claim {
    /// Its end is stored.
    Over,
    /// There is no processor for it here.
    NoProcessor,
    /// Its end was decided and only the record does not say so yet: this one does.
    End(TaskRecord),
    /// This record makes it a task of this process.
    Run(TaskRecord),
}

/// Judges a task that `owner` is to run: by its record, the newest backup that can be read, and the greatest epoch that a
/// backup was ever written of. Whatever an older owner still writes bounces off the new epoch, also where the store was
/// restored to older data than the backups are of.
///
/// # Errors
/// When the record's status allows no such step.
pub(in crate::supervisor) fn claim(
    stored: &TaskRecord,
    backup: Option<&TaskRecord>,
    newest_epoch: u64,
    owner: &str,
    has_processor: bool,
    (clock, ttl): (&TaskClock, Duration),
) -> Result<Claim, IllegalTransition> {
    if stored.status.is_final() {
        return Ok(Claim::Over);
    }
    let newest = newest_epoch.max(backup.map_or(0, |backup| backup.epoch));
    if let Some(ended) = backup.filter(|backup| backup.status.is_final() && backup.epoch >= stored.epoch) {
        let mut next = ended.clone();
        if next.epoch < newest {
            next.epoch = newest + 1;
        }
        next.version = stored.version.max(next.version) + 1;
        return Ok(Claim::End(next));
    }
    let mut next = stored.clone();
    if stored.cancel_requested {
        next = cancelled(stored, true, (clock, ttl))?;
    } else if has_processor {
        next.take(TaskStep::Requeue, clock.now(), ttl)?;
        next.owner = Some(owner.to_owned());
        next.version += 1;
    } else {
        return Ok(Claim::NoProcessor);
    }
    next.epoch = next.epoch.max(newest + 1);
    Ok(if next.status.is_final() { Claim::End(next) } else { Claim::Run(next) })
}

/// The record of a task that has no job in this process, ended as cancelled; in a new epoch when it has an owner, so that
/// the process that ran it is fenced off.
///
/// # Errors
/// When it has ended.
pub(in crate::supervisor) fn cancel(
    stored: &TaskRecord,
    clock: (&TaskClock, Duration),
) -> Result<TaskRecord, IllegalTransition> {
    cancelled(stored, stored.owner.is_some(), clock)
}

fn cancelled(
    stored: &TaskRecord,
    new_epoch: bool,
    (clock, ttl): (&TaskClock, Duration),
) -> Result<TaskRecord, IllegalTransition> {
    let (mut next, now) = (stored.clone(), clock.now());
    if new_epoch {
        next.take(TaskStep::Requeue, now, ttl)?;
    }
    next.take(TaskStep::Cancel, now, ttl)?;
    set_expiry(&mut next, clock, ttl);
    next.version += 1;
    Ok(next)
}

/// How a cancel stands that another process was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Asked {
    /// As cancelled, or otherwise before.
    Ended,
    /// Another process took the task up, and is to be asked in turn.
    Moved,
    NotYet,
}

/// Judges the record of a task whose owner was asked to cancel it in `epoch`.
pub(in crate::supervisor) const fn asked(stored: &TaskRecord, epoch: u64) -> Asked {
    if stored.status.is_final() {
        Asked::Ended
    } else if stored.epoch == epoch {
        Asked::NotYet
    } else {
        Asked::Moved
    }
}

/// The record as it can be taken up by any process, unless it is final.
pub(in crate::supervisor) fn as_waiting(backup: TaskRecord) -> TaskRecord {
    if backup.status.is_final() { backup } else { TaskRecord { owner: None, status: TaskStatus::Pending, ..backup } }
}

/// What replaces a stored record that is older than its backup: the backup is written after the record, so the store went
/// back in time.
pub(in crate::supervisor) fn replacement(stored: &TaskRecord, backup: TaskRecord) -> Option<TaskRecord> {
    if backup.epoch <= stored.epoch {
        return None;
    }
    Some(as_waiting(TaskRecord { version: stored.version.max(backup.version) + 1, ..backup }))
}

/// What becomes of a folder without a record.
#[derive(Debug, PartialEq)]
pub(in crate::supervisor) enum Orphan {
    /// Its record is made again.
    Restore(Box<TaskRecord>),
    Remove,
    /// It is looked at again after this time.
    Wait(Duration),
}

/// Judges a folder without a record, seen so for `seen` now. The owner of an unfinished task makes the record again within
/// `lease`, and knows the task's progress better; a submit under way takes less than `submit`.
pub(in crate::supervisor) fn orphan(
    backup: Option<TaskRecord>,
    seen: Duration,
    (lease, submit): (Duration, Duration),
    (clock, ttl): (&TaskClock, Duration),
) -> Orphan {
    let grace = match &backup {
        Some(backup) if has_expired(backup, clock, ttl) => return Orphan::Remove,
        Some(backup) if backup.status.is_final() => Duration::ZERO,
        Some(_) => lease,
        None => submit,
    };
    match backup {
        _ if seen < grace => Orphan::Wait(grace.saturating_sub(seen)),
        Some(backup) => Orphan::Restore(Box::new(as_waiting(backup))),
        None => Orphan::Remove,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
