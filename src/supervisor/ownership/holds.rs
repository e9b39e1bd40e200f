//! What an owner makes of its leases, decided without the actor. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Uptime;
use crate::store::Renewal;

/// Tasks that are taken note of at once when there is room.
const LOOK_AHEAD: usize = 5_000;

/// How long this process may count on its leases. As long as no other process is there, its tasks cannot be taken over, so
/// they have no end.
#[derive(Debug)]
pub(in crate::supervisor) struct Tenure {
    /// That of a lease in the store; `None` where there are none.
    length: Option<Duration>,
    /// Other processes on the same store, when it was last heard of.
    others: usize,
    /// When the last renewing that succeeded was asked for, if no other process was there then or has shown itself since.
    alone_since: Option<Uptime>,
}

impl Tenure {
    /// Before the store was heard of: there may be others.
    pub(in crate::supervisor) const fn new(length: Option<Duration>) -> Self {
        Self { length, others: 0, alone_since: None }
    }

    pub(in crate::supervisor) const fn others(&self) -> usize {
        self.others
    }

    /// Takes in a renewing that was asked for at `asked` and found `others`. Returns the end of what was renewed.
    pub(in crate::supervisor) fn renewed(&mut self, others: usize, asked: Uptime) -> Option<Uptime> {
        self.others = others;
        self.alone_since = (others == 0).then_some(asked);
        self.end(asked)
    }

    /// The end of a lease that was asked for at `asked`, `None` for none.
    pub(in crate::supervisor) fn end(&self, asked: Uptime) -> Option<Uptime> {
        self.length.filter(|_| self.alone_since.is_none()).map(|length| lease_end(asked, length))
    }

    /// Another process has shown itself while the store is unavailable. Returns the end that leases have from now on which had none.
    pub(in crate::supervisor) fn joined(&mut self) -> Option<Uptime> {
        let asked = self.alone_since.take()?;
        self.end(asked)
    }
}

/// When a lease that was asked for at `asked` ends for its owner: a fifth of its length early.
fn lease_end(asked: Uptime, length: Duration) -> Uptime {
    asked.after(length * 4 / 5)
}

/// What a renewing means for a task that runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Hold {
    /// Its lease has the new end; its record says whether it is to be cancelled.
    Renewed { cancel: bool },
    /// Nothing more begins until it is known whose it is.
    Lost,
    /// The store has lost its record. Perhaps not that of this task alone.
    Missing,
}

impl Hold {
    /// Whether the stored record is to be looked at now. A write that is under way finds out by itself whose the task is.
    pub(in crate::supervisor) const fn must_look(self, is_writing: bool) -> bool {
        match self {
            Self::Renewed { cancel } => cancel,
            Self::Lost | Self::Missing => !is_writing,
        }
    }
}

/// Judges what a renewing says of one task; `cancel_requested` is whether its cancel is known here.
pub(in crate::supervisor) const fn hold(renewal: Renewal, cancel_requested: bool) -> Hold {
    match renewal {
        Renewal::Held { cancel_requested: asked, .. } => Hold::Renewed { cancel: asked && !cancel_requested },
        Renewal::Lost => Hold::Lost,
        Renewal::Missing => Hold::Missing,
    }
}

/// How many tasks without an owner are looked for, when `running` run here and some may be waiting; `passed_over` are
/// known and cannot be run here. Those that run here are among what is found, and what cannot be run is found again and
/// again: neither must hide what does not run anywhere.
pub(in crate::supervisor) const fn look_ahead(
    some_wait: bool,
    max_active: usize,
    running: usize,
    passed_over: usize,
) -> usize {
    let most = if some_wait { max_active + running } else { LOOK_AHEAD };
    most + passed_over
}

/// Of the deaths of the process by page, those that the page can have been the cause of. Page 0 stands for opening the
/// PDF. Where PDFs are opened in processes of their own (`apart`), it is not; nor is any page, if the processor `is_isolated`.
pub(in crate::supervisor) fn attributable(
    mut deaths: BTreeMap<u32, u32>,
    apart: bool,
    is_isolated: bool,
) -> BTreeMap<u32, u32> {
    deaths.retain(|page, _| !apart || *page != 0 && !is_isolated);
    deaths
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_record;

    /// An owner that believes in its lease longer than the store does makes calls that another one makes, too.
    #[test]
    fn a_lease_ends_for_its_owner_before_it_ends_in_the_store() {
        let asked = Uptime::now();
        for seconds in [1, 2, 15, 3_600] {
            let length = Duration::from_secs(seconds);
            // The store counts from when it was asked, or later.
            let left = asked.after(length).since(lease_end(asked, length));
            assert!(left >= length / 10, "{length:?}: {left:?} before it ends in the store");
            // Renewed every third of it, it does not end in between.
            assert!(lease_end(asked, length).since(asked) > length / 3 * 2, "{length:?}");
        }
    }

    #[test]
    fn a_lease_ends_where_there_are_others_to_take_the_task_over() {
        let (asked, length) = (Uptime::now(), Duration::from_secs(15));
        let (later, end) = (asked.after(length), lease_end(asked, length));
        let mut tenure = Tenure::new(Some(length));
        assert_eq!((tenure.end(asked), tenure.others()), (Some(end), 0), "nothing is known yet");
        assert_eq!(tenure.joined(), None, "there is no lease without an end");
        assert_eq!(tenure.renewed(2, asked), Some(end));
        assert_eq!((tenure.others(), tenure.joined()), (2, None));
        assert_eq!(tenure.renewed(0, later), None);
        assert_eq!((tenure.end(later), tenure.others()), (None, 0), "what begins now has no end, either");
        // The end counts from the last renewing, not from when the other one was seen.
        assert_eq!(tenure.joined(), Some(lease_end(later, length)));
        assert_eq!((tenure.joined(), tenure.end(later)), (None, Some(lease_end(later, length))));
        let mut unshared = Tenure::new(None);
        for others in [0, 1] {
            assert_eq!((unshared.renewed(others, asked), unshared.joined(), unshared.end(asked)), (None, None, None));
        }
    }

    #[test]
    fn a_cancel_is_heard_once_and_a_lost_record_is_told_from_a_lost_hold() {
        let held = |cancel_requested| Renewal::Held { revision: test_record(1).revision(), cancel_requested };
        for (renewal, is_known, expected) in [
            (held(false), false, Hold::Renewed { cancel: false }),
            (held(true), false, Hold::Renewed { cancel: true }),
            (held(true), true, Hold::Renewed { cancel: false }),
            (held(false), true, Hold::Renewed { cancel: false }),
            (Renewal::Lost, false, Hold::Lost),
            (Renewal::Missing, false, Hold::Missing),
        ] {
            assert_eq!(hold(renewal, is_known), expected, "{renewal:?} {is_known}");
        }
    }

    #[test]
    fn a_record_is_looked_at_where_no_write_does() {
        for (hold, while_writing, otherwise) in [
            (Hold::Renewed { cancel: false }, false, false),
            (Hold::Renewed { cancel: true }, true, true),
            (Hold::Lost, false, true),
            (Hold::Missing, false, true),
        ] {
            assert_eq!((hold.must_look(true), hold.must_look(false)), (while_writing, otherwise), "{hold:?}");
        }
    }

    #[test]
    fn what_runs_or_cannot_run_here_hides_no_task() {
        for (some_wait, running, passed_over, most) in [
            (false, 0, 0, LOOK_AHEAD),
            (false, 8, 3, LOOK_AHEAD + 3),
            (true, 0, 0, 8),
            (true, 8, 0, 16),
            (true, 8, 3, 19),
        ] {
            assert_eq!(look_ahead(some_wait, 8, running, passed_over), most, "{some_wait} {running} {passed_over}");
        }
    }

    #[test]
    fn a_death_counts_where_the_page_can_have_been_its_cause() {
        let deaths = || BTreeMap::from([(0, 1), (7, 2)]);
        for (apart, is_isolated, expected) in [
            (false, false, deaths()),
            (false, true, deaths()),
            (true, false, BTreeMap::from([(7, 2)])),
            (true, true, BTreeMap::new()),
        ] {
            assert_eq!(attributable(deaths(), apart, is_isolated), expected, "{apart} {is_isolated}");
        }
    }
}
