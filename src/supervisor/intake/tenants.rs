//! What each tenant has: how much of it is accepted, and whose waiting task is next. Pure.
//!
//! Callers without keys are one tenant without a name, to whom only the limits of the server apply.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::task::{TaskId, TaskRecord};

/// What one tenant may have: on all servers of a store together, but for its jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TenantLimits {
    /// Jobs at once in one process. Less than there are places in all, so that no tenant can take them all.
    pub running: usize,
    /// Unfinished tasks, with uploads and estimates under way.
    pub tasks: usize,
    /// Pages of unfinished tasks together.
    pub pages: u64,
    /// Bytes of the PDFs of unfinished tasks, and of uploads and estimates under way, together.
    pub bytes: u64,
    /// Requests a minute, whatever they ask for, evened out over ten seconds.
    pub requests_per_minute: Option<u32>,
}

impl TenantLimits {
    /// Whether anything but the jobs at once is limited.
    pub(super) const fn has_quota(&self) -> bool {
        self.tasks < usize::MAX || self.pages < u64::MAX || self.bytes < u64::MAX
    }
}

impl Default for TenantLimits {
    fn default() -> Self {
        Self { running: 64, tasks: usize::MAX, pages: u64::MAX, bytes: u64::MAX, requests_per_minute: None }
    }
}

/// A PDF on its way in, from before its first byte until its task is counted or its estimate made: it counts for its
/// tenant until it is dropped.
#[derive(Debug)]
pub struct UploadSlot {
    tenant: Option<String>,
    bytes: Arc<AtomicU64>,
    on_trial: bool,
}

impl UploadSlot {
    /// Whether its tenant has too much for a task more, so that it may only turn out to be equal to one that is there.
    #[must_use]
    pub const fn is_on_trial(&self) -> bool {
        self.on_trial
    }

    /// Bytes that are counted for it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The same slot, for a message about it.
    pub(in crate::supervisor) fn share(&self) -> Self {
        Self { tenant: self.tenant.clone(), bytes: Arc::clone(&self.bytes), on_trial: self.on_trial }
    }
}

/// An amount of what is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::supervisor) struct Amount {
    pub(in crate::supervisor) tasks: usize,
    pub(in crate::supervisor) pages: u64,
    pub(in crate::supervisor) bytes: u64,
}

impl Amount {
    pub(in crate::supervisor) fn of(record: &TaskRecord) -> Self {
        Self { tasks: 1, pages: u64::from(record.total_pages.unwrap_or(0)), bytes: record.source.bytes }
    }

    fn and(self, other: Self) -> Self {
        let Self { tasks, pages, bytes } = other;
        Self {
            tasks: self.tasks.saturating_add(tasks),
            pages: self.pages.saturating_add(pages),
            bytes: self.bytes.saturating_add(bytes),
        }
    }

    const fn without(self, other: Self) -> Self {
        Self { tasks: self.tasks - other.tasks, pages: self.pages - other.pages, bytes: self.bytes - other.bytes }
    }
}

/// So many PDFs of a tenant that has too much already are taken in at once, to see whether they are equal to tasks that are
/// there.
const MOST_ON_TRIAL: usize = 4;

/// An upload that lives as long as its slot.
struct Upload {
    tenant: Option<String>,
    bytes: Weak<AtomicU64>,
    on_trial: bool,
}

/// The unfinished tasks that this process knows of, and the uploads under way, by tenant.
#[derive(Default)]
pub(in crate::supervisor) struct Accounts {
    held: HashMap<TaskId, (String, Amount)>,
    sums: HashMap<String, Amount>,
    uploads: Vec<Upload>,
}

impl Accounts {
    pub(in crate::supervisor) fn add(&mut self, record: &TaskRecord) {
        self.remove(record.id);
        let Some(tenant) = &record.tenant else { return };
        let amount = Amount::of(record);
        let sum = self.sums.entry(tenant.clone()).or_default();
        *sum = sum.and(amount);
        self.held.insert(record.id, (tenant.clone(), amount));
    }

    pub(in crate::supervisor) fn remove(&mut self, id: TaskId) {
        let Some((tenant, amount)) = self.held.remove(&id) else { return };
        if let Some(sum) = self.sums.get_mut(&tenant) {
            *sum = sum.without(amount);
            if sum.tasks == 0 {
                self.sums.remove(&tenant);
            }
        }
    }

    /// Counts an upload that begins.
    pub(in crate::supervisor) fn begin(&mut self, tenant: Option<&str>, bytes: u64) -> UploadSlot {
        self.begin_upload(tenant, bytes, false)
    }

    /// Begins an upload of a tenant that has too much, which counts for nothing; `None` where it could not be equal to any task,
    /// or enough are on their way.
    pub(in crate::supervisor) fn begin_trial(
        &mut self,
        tenant: Option<&str>,
        bytes: u64,
        limits: TenantLimits,
    ) -> Option<UploadSlot> {
        let is_one = |upload: &&Upload| upload.on_trial && upload.tenant.as_deref() == tenant;
        let under_way = self.uploads.iter().filter(is_one).filter(|upload| upload.bytes.strong_count() > 0).count();
        let may_come = under_way < MOST_ON_TRIAL && bytes <= limits.bytes;
        may_come.then(|| self.begin_upload(tenant, bytes, true))
    }

    fn begin_upload(&mut self, tenant: Option<&str>, bytes: u64, on_trial: bool) -> UploadSlot {
        self.uploads.retain(|upload| upload.bytes.strong_count() > 0);
        let (tenant, bytes) = (tenant.map(ToOwned::to_owned), Arc::new(AtomicU64::new(bytes)));
        self.uploads.push(Upload { tenant: tenant.clone(), bytes: Arc::downgrade(&bytes), on_trial });
        UploadSlot { tenant, bytes, on_trial }
    }

    /// Counts more bytes for an upload, if they are within the limit.
    pub(in crate::supervisor) fn grow(
        &self,
        upload: &UploadSlot,
        bytes: u64,
        limits: TenantLimits,
    ) -> Result<(), String> {
        let tenant = upload.tenant.as_deref();
        // Of a tenant that has too much no task would be larger than all that it may have.
        let others = if upload.on_trial { 0 } else { self.held_by(tenant).bytes.saturating_sub(upload.bytes()) };
        if tenant.is_some() && others.saturating_add(bytes) > limits.bytes {
            return Err(too_many_bytes(others, bytes, limits.bytes));
        }
        upload.bytes.fetch_max(bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Uploads and estimates under way, of all tenants.
    pub(in crate::supervisor) fn uploads(&self) -> usize {
        self.uploads.iter().filter(|upload| upload.bytes.strong_count() > 0).count()
    }

    /// Whose a task is, as far as that is known; empty for a task without a tenant.
    pub(in crate::supervisor) fn tenant_of(&self, id: TaskId) -> &str {
        self.held.get(&id).map_or("", |(tenant, _)| tenant)
    }

    fn held_by(&self, tenant: Option<&str>) -> Amount {
        let tasks = tenant.and_then(|tenant| self.sums.get(tenant)).copied().unwrap_or_default();
        let own = self.uploads.iter().filter(|upload| !upload.on_trial && upload.tenant.as_deref() == tenant);
        let bytes = own.filter_map(|upload| Some(upload.bytes.upgrade()?.load(Ordering::Relaxed)));
        bytes.fold(tasks, |sum, bytes| sum.and(Amount { tasks: 1, pages: 0, bytes }))
    }

    /// Returns an error that says what a tenant has too much of, when it may not have so much more.
    pub(in crate::supervisor) fn admit(
        &self,
        tenant: Option<&str>,
        more: Amount,
        limits: TenantLimits,
    ) -> Result<(), String> {
        if tenant.is_none() {
            return Ok(());
        }
        refuse(self.held_by(tenant), more, limits)
    }
}

/// Returns an error that says what a tenant that has `held` has too much of, when it may not have so much more.
pub(super) fn refuse(held: Amount, more: Amount, limits: TenantLimits) -> Result<(), String> {
    let sum = held.and(more);
    if sum.tasks > limits.tasks {
        let (tasks, most) = (held.tasks, limits.tasks);
        return Err(format!(
            "this key has {tasks} unfinished tasks and uploads, of {most} allowed: wait for some to finish"
        ));
    }
    if more.pages > limits.pages {
        let (pages, most) = (more.pages, limits.pages);
        return Err(format!("the task has {pages} pages, and this key may have {most} at once: choose fewer pages"));
    }
    if sum.pages > limits.pages {
        let (pages, most) = (held.pages, limits.pages);
        return Err(format!(
            "this key has {pages} pages in unfinished tasks, of {most} allowed: wait for some to finish"
        ));
    }
    if sum.bytes > limits.bytes {
        return Err(too_many_bytes(held.bytes, more.bytes, limits.bytes));
    }
    Ok(())
}

fn too_many_bytes(held: u64, more: u64, most: u64) -> String {
    if more > most {
        return format!("the PDF has more bytes than this key may have at once, which is {most}");
    }
    format!("this key has {held} bytes in unfinished tasks and uploads, of {most} allowed: wait for some to finish")
}

/// Known tasks without a job. Tenants take turns, and the tasks of each come in their order.
#[derive(Default)]
pub(in crate::supervisor) struct Waiting {
    /// Found in the store without a process that runs them; their tenants are not known yet. They are the oldest.
    found: VecDeque<TaskId>,
    by_tenant: BTreeMap<String, VecDeque<TaskId>>,
    known: HashSet<TaskId>,
    /// Who had the last turn.
    last: String,
}

impl Waiting {
    pub(in crate::supervisor) fn len(&self) -> usize {
        self.known.len()
    }

    pub(in crate::supervisor) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(in crate::supervisor) fn contains(&self, id: TaskId) -> bool {
        self.known.contains(&id)
    }

    /// Adds a task behind the others of its tenant.
    pub(in crate::supervisor) fn push(&mut self, id: TaskId, tenant: &str) {
        if self.known.insert(id) {
            self.by_tenant.entry(tenant.to_owned()).or_default().push_back(id);
        }
    }

    /// Puts one back that had its turn.
    pub(in crate::supervisor) fn put_back(&mut self, id: TaskId, tenant: &str) {
        if self.known.insert(id) {
            self.by_tenant.entry(tenant.to_owned()).or_default().push_front(id);
        }
    }

    /// Adds tasks that were found, before all others.
    pub(in crate::supervisor) fn add_found(&mut self, ids: impl DoubleEndedIterator<Item = TaskId>) {
        for id in ids.rev() {
            if self.known.insert(id) {
                self.found.push_front(id);
            }
        }
    }

    /// The next one whose tenant may run one more.
    pub(in crate::supervisor) fn pop(&mut self, may_run: impl Fn(&str) -> bool) -> Option<TaskId> {
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

    pub(in crate::supervisor) fn remove(&mut self, id: TaskId) {
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

    const MANY: TenantLimits =
        TenantLimits { running: 1, tasks: usize::MAX, pages: u64::MAX, bytes: u64::MAX, requests_per_minute: None };

    fn pages(pages: u64) -> Amount {
        Amount { tasks: 1, pages, bytes: 0 }
    }

    fn upload(bytes: u64) -> Amount {
        Amount { tasks: 1, pages: 0, bytes }
    }

    #[test]
    fn a_tenant_is_held_to_its_quota_and_no_other_is() {
        let limits = TenantLimits { tasks: 2, pages: 100, ..MANY };
        let mut accounts = Accounts::default();
        let why = accounts.admit(Some("ann"), pages(101), limits).unwrap_err();
        assert!(why.contains("101 pages") && why.contains("100 at once"), "also alone: {why}");
        let first = of("ann", 90);
        accounts.add(&first);
        accounts.add(&first);
        assert!(accounts.admit(Some("ann"), pages(10), limits).is_ok());
        let why = accounts.admit(Some("ann"), pages(11), limits).unwrap_err();
        assert!(why.contains("90 pages") && why.contains("100 allowed"), "{why}");
        accounts.add(&of("ann", 1));
        assert!(accounts.admit(Some("ann"), pages(0), limits).unwrap_err().contains("2 unfinished tasks"));
        for other in [Some("bob"), None] {
            assert!(accounts.admit(other, pages(100), limits).is_ok());
        }
        accounts.remove(first.id);
        assert!(accounts.admit(Some("ann"), pages(99), limits).is_ok());
        let left = Amount { tasks: 1, pages: 1, bytes: 4 };
        assert_eq!((accounts.tenant_of(first.id), accounts.held.len(), accounts.sums["ann"]), ("", 1, left));
        let second = of("ann", 7);
        accounts.add(&second);
        accounts.add(&of("ann", 20));
        assert_eq!(accounts.tenant_of(second.id), "ann");
        accounts.remove(second.id);
        assert_eq!(accounts.sums["ann"], Amount { tasks: 2, pages: 21, bytes: 8 });
        accounts.held.keys().copied().collect::<Vec<_>>().into_iter().for_each(|id| accounts.remove(id));
        assert!(accounts.sums.is_empty(), "a tenant without tasks takes no room");
    }

    #[test]
    fn uploads_count_with_their_bytes_until_they_are_over() {
        let limits = TenantLimits { tasks: 3, bytes: 100, ..MANY };
        let mut accounts = Accounts::default();
        accounts.add(&of("ann", 1));
        let (one, two) = (accounts.begin(Some("ann"), 0), accounts.begin(Some("ann"), 10));
        let why = accounts.admit(Some("ann"), upload(0), limits).unwrap_err();
        assert!(why.contains("3 unfinished tasks and uploads"), "{why}");
        assert!(accounts.admit(Some("bob"), upload(100), limits).is_ok());
        // The task has 4 bytes.
        assert!(accounts.grow(&one, 86, limits).is_ok() && accounts.grow(&one, 50, limits).is_ok());
        assert_eq!(one.bytes(), 86, "what was counted stays");
        assert!(accounts.grow(&one, 87, limits).unwrap_err().contains("of 100 allowed"));
        assert!(accounts.grow(&two, 11, limits).is_err() && accounts.grow(&two, 10, limits).is_ok());
        assert!(accounts.grow(&one, 101, limits).unwrap_err().contains("more bytes than"), "it never fits");
        let exactly = accounts.grow(&one, 100, limits).unwrap_err();
        assert!(exactly.contains("14 bytes in unfinished"), "it fits once the others are over: {exactly}");
        assert_eq!(accounts.uploads(), 2);
        drop(one);
        assert_eq!(accounts.uploads(), 1);
        assert!(accounts.admit(Some("ann"), upload(86), limits).is_ok());
        assert!(accounts.admit(Some("ann"), upload(87), limits).is_err());
        let shared = two.share();
        drop(two);
        assert_eq!(accounts.uploads(), 1, "a message about it is under way");
        drop(shared);
        let unnamed = accounts.begin(None, 1 << 40);
        assert_eq!((accounts.uploads(), accounts.uploads.len()), (1, 1), "what is over is forgotten");
        assert!(accounts.grow(&unnamed, 1 << 41, limits).is_ok(), "without keys the server's limits apply");
        assert!(accounts.admit(None, upload(1 << 41), limits).is_ok());
    }

    #[test]
    fn an_upload_on_trial_counts_for_nothing_and_there_are_few_at_once() {
        let limits = TenantLimits { tasks: 1, bytes: 100, ..TenantLimits::default() };
        let (mut accounts, [ann, bob]) = (Accounts::default(), [Some("ann"), Some("bob")]);
        let begin = |accounts: &mut Accounts| accounts.begin_trial(ann, 60, limits);
        let trials: Vec<_> = std::iter::from_fn(|| begin(&mut accounts)).take(100).collect();
        assert!(trials.len() == MOST_ON_TRIAL && trials.iter().all(UploadSlot::is_on_trial));
        assert!(accounts.begin_trial(bob, 60, limits).is_some(), "another's are its own");
        assert!(accounts.begin_trial(bob, 101, limits).is_none(), "no task of hers is so large");
        let more = Amount { tasks: 1, pages: 0, bytes: 100 };
        assert_eq!(accounts.admit(ann, more, limits), Ok(()), "what may come when there is room");
        assert!(accounts.grow(&trials[0], 100, limits).is_ok() && accounts.grow(&trials[1], 101, limits).is_err());
        drop(trials);
        assert!(begin(&mut accounts).is_some());
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
        assert!(waiting.len() == 7 && !waiting.is_empty());
        let mut next = || waiting.pop(|_| true);
        let order = [6, 7, 0, 4, 5, 2, 3].map(|at| Some(ids[at]));
        assert_eq!(order.map(|_| next()), order);
        assert!(next().is_none() && waiting.is_empty());
        waiting.add_found([ids[0], ids[1]].into_iter());
        waiting.remove(ids[0]);
        assert_eq!((waiting.pop(|_| true), waiting.pop(|_| true)), (Some(ids[1]), None));
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
