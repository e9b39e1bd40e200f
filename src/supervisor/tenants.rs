//! What each tenant has: how much of it is borne, and whose waiting task is next. Pure.
//!
//! Callers without keys are one tenant without a name, to whom only the limits of the server apply.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::task::{TaskId, TaskRecord};

/// What one tenant may have in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantLimits {
    /// Jobs at once. Less than there are places in all, so that nobody can take them all.
    pub running: usize,
    /// Unfinished tasks.
    pub tasks: usize,
    /// Pages of unfinished tasks together.
    pub pages: u64,
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self { running: 64, tasks: usize::MAX, pages: u64::MAX }
    }
}

/// The unfinished tasks that this process knows of, by tenant.
#[derive(Default)]
pub(super) struct Accounts {
    held: HashMap<TaskId, (String, u64)>,
    sums: HashMap<String, (usize, u64)>,
}

impl Accounts {
    pub(super) fn add(&mut self, record: &TaskRecord) {
        self.remove(record.id);
        let Some(tenant) = &record.tenant else { return };
        let pages = u64::from(record.total_pages.unwrap_or(0));
        let sum = self.sums.entry(tenant.clone()).or_default();
        *sum = (sum.0 + 1, sum.1 + pages);
        self.held.insert(record.id, (tenant.clone(), pages));
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        let Some((tenant, pages)) = self.held.remove(&id) else { return };
        if let Some(sum) = self.sums.get_mut(&tenant) {
            *sum = (sum.0 - 1, sum.1 - pages);
            if sum.0 == 0 {
                self.sums.remove(&tenant);
            }
        }
    }

    /// Whose a task is, as far as that is known; empty for nobody's.
    pub(super) fn tenant_of(&self, id: TaskId) -> &str {
        self.held.get(&id).map_or("", |(tenant, _)| tenant)
    }

    /// Whether a tenant may bring one more task of so many pages, or what it has too much of. A task of more pages
    /// than are borne comes in when there is no other.
    pub(super) fn admit(&self, tenant: Option<&str>, pages: u64, limits: TenantLimits) -> Result<(), String> {
        let (tasks, held) = tenant.and_then(|tenant| self.sums.get(tenant)).copied().unwrap_or_default();
        if tasks >= limits.tasks {
            return Err(format!("this key has {tasks} unfinished tasks, and {} are borne", limits.tasks));
        }
        if tasks > 0 && held.saturating_add(pages) > limits.pages {
            return Err(format!("this key has {held} pages in unfinished tasks, and {} are borne", limits.pages));
        }
        Ok(())
    }
}

/// Known tasks without a job. Tenants take turns, and the tasks of each come in their order.
#[derive(Default)]
pub(super) struct Waiting {
    /// Found in the store, where nobody runs them; whose they are is not known yet. They are the oldest.
    found: VecDeque<TaskId>,
    by_tenant: BTreeMap<String, VecDeque<TaskId>>,
    known: HashSet<TaskId>,
    /// Who had the last turn.
    last: String,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn contains(&self, id: TaskId) -> bool {
        self.known.contains(&id)
    }

    /// Adds a task behind the others of its tenant.
    pub(super) fn push(&mut self, id: TaskId, tenant: &str) {
        if self.known.insert(id) {
            self.by_tenant.entry(tenant.to_owned()).or_default().push_back(id);
        }
    }

    /// Puts one back that had its turn.
    pub(super) fn put_back(&mut self, id: TaskId, tenant: &str) {
        if self.known.insert(id) {
            self.by_tenant.entry(tenant.to_owned()).or_default().push_front(id);
        }
    }

    /// Adds tasks that were found, before all others.
    pub(super) fn add_found(&mut self, ids: impl DoubleEndedIterator<Item = TaskId>) {
        for id in ids.rev() {
            if self.known.insert(id) {
                self.found.push_front(id);
            }
        }
    }

    /// The next one whose tenant may run one more.
    pub(super) fn pop(&mut self, may_run: impl Fn(&str) -> bool) -> Option<TaskId> {
        let id = self.found.pop_front().or_else(|| self.next_in_turn(may_run))?;
        self.known.remove(&id);
        Some(id)
    }

    fn next_in_turn(&mut self, may_run: impl Fn(&str) -> bool) -> Option<TaskId> {
        let (before, after): (Vec<&String>, Vec<&String>) =
            self.by_tenant.keys().partition(|tenant| **tenant <= self.last);
        let next = after.into_iter().chain(before).find(|tenant| may_run(tenant))?.clone();
        let queue = self.by_tenant.get_mut(&next)?;
        let id = queue.pop_front()?;
        if queue.is_empty() {
            self.by_tenant.remove(&next);
        }
        self.last = next;
        Some(id)
    }

    pub(super) fn remove(&mut self, id: TaskId) {
        if self.known.remove(&id) {
            self.found.retain(|found| *found != id);
            self.by_tenant.retain(|_, queue| {
                queue.retain(|waiting| *waiting != id);
                !queue.is_empty()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::test_record;

    fn of(tenant: &str, pages: u32) -> TaskRecord {
        TaskRecord { tenant: Some(tenant.into()), total_pages: Some(pages), ..test_record(1) }
    }

    #[test]
    fn a_tenant_is_held_to_its_quota_and_nobody_else_is() {
        let limits = TenantLimits { running: 1, tasks: 2, pages: 100 };
        let mut accounts = Accounts::default();
        assert!(accounts.admit(Some("ann"), 1_000, limits).is_ok(), "a long one alone");
        let first = of("ann", 90);
        accounts.add(&first);
        accounts.add(&first);
        assert!(accounts.admit(Some("ann"), 10, limits).is_ok());
        let why = accounts.admit(Some("ann"), 11, limits).unwrap_err();
        assert!(why.contains("90 pages") && why.contains("100 are borne"), "{why}");
        accounts.add(&of("ann", 1));
        assert!(accounts.admit(Some("ann"), 0, limits).unwrap_err().contains("2 unfinished tasks"));
        for other in [Some("bob"), None] {
            assert!(accounts.admit(other, 1_000, limits).is_ok());
        }
        accounts.remove(first.id);
        assert!(accounts.admit(Some("ann"), 99, limits).is_ok());
        assert_eq!((accounts.tenant_of(first.id), accounts.held.len(), accounts.sums["ann"]), ("", 1, (1, 1)));
    }

    #[test]
    fn tenants_take_turns_for_places() {
        let mut waiting = Waiting::default();
        let ids: Vec<TaskId> = (0..8).map(|_| TaskId::generate()).collect();
        ids[..4].iter().for_each(|id| waiting.push(*id, "many"));
        waiting.push(ids[4], "one");
        waiting.push(ids[5], "");
        waiting.add_found([ids[6], ids[7], ids[0]].into_iter());
        waiting.remove(ids[1]);
        assert_eq!(waiting.len(), 7);
        let mut next = || waiting.pop(|_| true);
        let order = [6, 7, 0, 4, 5, 2, 3].map(|at| Some(ids[at]));
        assert_eq!(order.map(|_| next()), order);
        assert!(next().is_none() && waiting.is_empty());
    }

    #[test]
    fn who_has_enough_places_is_passed_over() {
        let mut waiting = Waiting::default();
        let (full, free, back) = (TaskId::generate(), TaskId::generate(), TaskId::generate());
        waiting.push(full, "full");
        waiting.push(free, "free");
        waiting.put_back(back, "full");
        assert_eq!(waiting.pop(|tenant| tenant != "full"), Some(free));
        assert_eq!(waiting.pop(|tenant| tenant != "full"), None);
        assert_eq!(waiting.pop(|_| true), Some(back), "it had its turn before");
        assert!(waiting.contains(full) && !waiting.contains(back));
    }
}
