//! Whose turn it is. Pure: no clock, no actor.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

/// How much virtual time one item costs a queue of weight 1.
const STRIDE: u64 = 1 << 20;
/// So many tasks are looked at for one that may be taken out of its turn.
const MOST_LOOKED_AT: usize = 64;

/// A queue that is fair between tenants, and within a tenant between tasks by priority.
///
/// It is stride scheduling on two levels: every tenant, and within it every task, has a pass that grows by
/// `STRIDE / weight` with each item it gets, and the smallest pass is next. A new one starts at the pass that is being
/// served now, so a task that arrives behind a long one waits about one item, and being idle saves up no
/// turns (invariant I9). Each operation costs O(log tenants + log tasks).
#[derive(Debug)]
pub struct FairQueue<K, T> {
    tenants: HashMap<String, Tenant<K, T>>,
    turns: BTreeSet<(u64, u64, String)>,
    /// Which tenant a task is of.
    owners: HashMap<K, String>,
    now: u64,
    arrivals: u64,
    len: usize,
}

#[derive(Debug)]
struct Tenant<K, T> {
    turn: (u64, u64),
    tasks: HashMap<K, Lane<T>>,
    turns: BTreeSet<(u64, u64, K)>,
    now: u64,
}

#[derive(Debug)]
struct Lane<T> {
    turn: (u64, u64),
    stride: u64,
    items: VecDeque<T>,
}

impl<K: Copy + Eq + Hash + Ord, T> Default for FairQueue<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Eq + Hash + Ord, T> FairQueue<K, T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self { tenants: HashMap::new(), turns: BTreeSet::new(), owners: HashMap::new(), now: 0, arrivals: 0, len: 0 }
    }

    /// Items that wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// How many items of each tenant wait.
    pub fn lengths(&self) -> impl Iterator<Item = (&str, usize)> {
        let length = |tenant: &Tenant<K, T>| tenant.tasks.values().map(|lane| lane.items.len()).sum();
        self.tenants.iter().map(move |(name, tenant)| (name.as_str(), length(tenant)))
    }

    /// Whether nothing waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an item at the end of its task. `priority` runs from −10 to 10; each step of 2 halves or doubles the
    /// task's share among the tasks of its tenant.
    pub fn push(&mut self, tenant: &str, task: K, priority: i8, item: T) {
        self.lane(tenant, task, priority, |items| items.push_back(item));
    }

    /// The same before all others of its task.
    pub fn push_first(&mut self, tenant: &str, task: K, priority: i8, item: T) {
        self.lane(tenant, task, priority, |items| items.push_front(item));
    }

    fn lane(&mut self, tenant: &str, task: K, priority: i8, add: impl FnOnce(&mut VecDeque<T>)) {
        self.arrivals += 1;
        let arrival = self.arrivals;
        if !self.tenants.contains_key(tenant) {
            let turn = (self.now, arrival);
            self.turns.insert((turn.0, turn.1, tenant.to_owned()));
            let new = Tenant { turn, tasks: HashMap::new(), turns: BTreeSet::new(), now: 0 };
            self.tenants.insert(tenant.to_owned(), new);
        }
        let Some(of) = self.tenants.get_mut(tenant) else { return };
        let lane = of.tasks.entry(task).or_insert_with(|| {
            let turn = (of.now, arrival);
            of.turns.insert((turn.0, turn.1, task));
            Lane { turn, stride: stride(priority), items: VecDeque::new() }
        });
        add(&mut lane.items);
        self.owners.entry(task).or_insert_with(|| tenant.to_owned());
        self.len += 1;
    }

    /// Takes the item whose turn it is, and its task.
    pub fn pop(&mut self) -> Option<(K, T)> {
        let of = self.turns.pop_first()?;
        self.now = of.0;
        self.take(of, |tenant| {
            let turn = tenant.turns.pop_first()?;
            tenant.now = turn.0;
            Some(turn)
        })
    }

    /// Takes the item whose turn it is of those that `may` be taken, and its task. Who is passed over keeps its turn, and the
    /// others have had theirs. Looks at no more than `MOST_LOOKED_AT` tasks.
    pub fn pop_if(&mut self, may: impl Fn(&T) -> bool) -> Option<(K, T)> {
        let tenants = self.turns.iter().filter_map(|turn| Some((turn, self.tenants.get(&turn.2)?)));
        let tasks = tenants.flat_map(|(of, tenant)| tenant.turns.iter().map(move |turn| (of, tenant, turn)));
        let mut looked_at = tasks.take(MOST_LOOKED_AT);
        let is_next = |(_, tenant, turn): &(_, &Tenant<K, T>, &(u64, u64, K))| {
            tenant.tasks.get(&turn.2).and_then(|lane| lane.items.front()).is_some_and(&may)
        };
        let (of, _, turn) = looked_at.find(is_next)?;
        let (of, turn) = (of.clone(), *turn);
        self.turns.remove(&of);
        self.take(of, |tenant| tenant.turns.take(&turn))
    }

    /// Takes an item of the tenant whose turn was taken out: of the task whose turn `choose` takes out.
    fn take(
        &mut self,
        of: (u64, u64, String),
        choose: impl FnOnce(&mut Tenant<K, T>) -> Option<(u64, u64, K)>,
    ) -> Option<(K, T)> {
        let tenant = self.tenants.get_mut(&of.2)?;
        let turn = choose(tenant)?;
        let lane = tenant.tasks.get_mut(&turn.2)?;
        let item = lane.items.pop_front()?;
        let ((pass, arrival, name), (task_pass, task_arrival, task)) = (of, turn);
        self.len -= 1;
        if lane.items.is_empty() {
            tenant.tasks.remove(&task);
            self.owners.remove(&task);
        } else {
            lane.turn = (task_pass + lane.stride, task_arrival);
            tenant.turns.insert((lane.turn.0, lane.turn.1, task));
        }
        if tenant.tasks.is_empty() {
            self.tenants.remove(&name);
        } else {
            tenant.turn = (pass + STRIDE, arrival);
            self.turns.insert((tenant.turn.0, tenant.turn.1, name));
        }
        debug_assert_eq!(self.len == 0, self.turns.is_empty(), "items without a turn, or a turn without items");
        debug_assert_eq!(self.turns.len(), self.tenants.len(), "a tenant without a turn");
        Some((task, item))
    }

    /// Takes back all items of a task, in their order.
    pub fn remove(&mut self, task: K) -> Vec<T> {
        let Some(name) = self.owners.remove(&task) else { return Vec::new() };
        let Some(tenant) = self.tenants.get_mut(&name) else { return Vec::new() };
        let Some(lane) = tenant.tasks.remove(&task) else { return Vec::new() };
        tenant.turns.remove(&(lane.turn.0, lane.turn.1, task));
        if tenant.tasks.is_empty() {
            self.turns.remove(&(tenant.turn.0, tenant.turn.1, name.clone()));
            self.tenants.remove(&name);
        }
        self.len -= lane.items.len();
        lane.items.into()
    }
}

/// Weight is 2^(priority/2), so the stride is its inverse.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "2^15 to 2^25 fits"
)]
fn stride(priority: i8) -> u64 {
    let weight = (f64::from(priority.clamp(-10, 10)) / 2.0).exp2();
    (STRIDE as f64 / weight) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drain<T>(queue: &mut FairQueue<u32, T>, count: usize) -> Vec<u32> {
        (0..count).map_while(|_| queue.pop()).map(|(task, _)| task).collect()
    }

    #[test]
    fn i9_a_late_short_task_waits_one_turn_not_the_book() {
        let mut queue = FairQueue::new();
        (0..5_000).for_each(|page| queue.push("t", 1, 0, page));
        assert_eq!(drain(&mut queue, 1_000).len(), 1_000);
        queue.push("t", 2, 0, 0);
        let position = drain(&mut queue, 10).iter().position(|task| *task == 2).unwrap();
        assert!(position <= 1, "waited {position} turns");
    }

    #[test]
    fn tenants_share_alike_however_many_tasks_they_bring() {
        let mut queue = FairQueue::new();
        for task in 0..100 {
            (0..10).for_each(|item| queue.push("many", task, 10, item));
        }
        (0..100).for_each(|item| queue.push("one", 1_000, -10, item));
        let served = drain(&mut queue, 100);
        let ones = served.iter().filter(|task| **task == 1_000).count();
        assert!((49..=51).contains(&ones), "{ones} of 100");
    }

    #[test]
    fn priority_decides_the_share_and_starves_none() {
        let mut queue = FairQueue::new();
        for item in 0..1_000 {
            queue.push("t", 1, 4, item);
            queue.push("t", 2, 0, item);
            queue.push("t", 3, -4, item);
        }
        let served = drain(&mut queue, 210);
        let share = |task| served.iter().filter(|t| **t == task).count();
        // Weights 4 : 1 : 1/4.
        assert!((155..=165).contains(&share(1)), "{}", share(1));
        assert!((36..=44).contains(&share(2)), "{}", share(2));
        assert!((8..=12).contains(&share(3)), "{}", share(3));
    }

    #[test]
    fn what_comes_first_comes_before_the_rest_of_its_task_alone() {
        let mut queue = FairQueue::new();
        queue.push("t", 1, 0, "a");
        queue.push("t", 2, 0, "b");
        queue.push("t", 1, 0, "c");
        queue.push_first("t", 1, 0, "again");
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [(1, "again"), (2, "b"), (1, "a"), (1, "c")]);
        assert!(queue.is_empty());
    }

    #[test]
    fn what_may_not_be_taken_keeps_its_turn() {
        let mut queue = FairQueue::new();
        (0..3).for_each(|item| queue.push("a", 1, 0, item));
        (10..12).for_each(|item| queue.push("a", 2, 0, item));
        (20..22).for_each(|item| queue.push("b", 3, 0, item));
        // Task 1 may not: the others in their turns, then nothing.
        let taken: Vec<_> = std::iter::from_fn(|| queue.pop_if(|item| *item >= 10)).map(|(_, item)| item).collect();
        assert_eq!(taken, [10, 20, 11, 21]);
        queue.push("a", 2, 0, 12);
        // Two of its tenant's turns are gone, but it is the one that has waited.
        assert_eq!(drain(&mut queue, 9), [1, 2, 1, 1]);
        assert!(queue.tenants.is_empty() && queue.turns.is_empty() && queue.owners.is_empty());
    }

    #[test]
    fn a_removed_task_leaves_nothing() {
        let mut queue = FairQueue::new();
        (0..3).for_each(|item| queue.push("a", 1, 0, item));
        (0..2).for_each(|item| queue.push("b", 2, 0, item));
        assert_eq!(queue.remove(1), [0, 1, 2]);
        assert!(queue.remove(1).is_empty());
        assert_eq!(queue.len(), 2);
        assert_eq!(drain(&mut queue, 9), [2, 2]);
        assert!(queue.tenants.is_empty() && queue.turns.is_empty() && queue.owners.is_empty());
    }

    #[derive(Clone, Debug)]
    enum Op {
        Push(u32, i8),
        Pop,
        PopEven,
        Remove(u32),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0u32..6, -10i8..=10).prop_map(|(task, priority)| Op::Push(task, priority)),
            3 => Just(Op::Pop),
            1 => Just(Op::PopEven),
            1 => (0u32..6).prop_map(Op::Remove),
        ]
    }

    proptest! {
        #[test]
        fn every_item_comes_out_once_and_in_the_order_of_its_task(ops in proptest::collection::vec(op(), 0..300)) {
            let mut queue = FairQueue::new();
            let mut model: HashMap<u32, VecDeque<usize>> = HashMap::new();
            for (serial, op) in ops.into_iter().enumerate() {
                match op {
                    Op::Push(task, priority) => {
                        // A task is of one tenant.
                        let tenant = format!("tenant {}", task % 3);
                        queue.push(&tenant, task, priority, serial);
                        model.entry(task).or_default().push_back(serial);
                    }
                    Op::Pop => match queue.pop() {
                        Some((task, item)) => prop_assert_eq!(model.get_mut(&task).unwrap().pop_front(), Some(item)),
                        None => prop_assert!(model.values().all(VecDeque::is_empty)),
                    },
                    Op::PopEven => match queue.pop_if(|item| item % 2 == 0) {
                        Some((task, item)) => {
                            prop_assert_eq!((item % 2, model.get_mut(&task).unwrap().pop_front()), (0, Some(item)));
                        }
                        None => prop_assert!(model.values().all(|items| items.front().is_none_or(|item| item % 2 == 1))),
                    },
                    Op::Remove(task) => {
                        let expected: Vec<_> = model.remove(&task).unwrap_or_default().into();
                        prop_assert_eq!(queue.remove(task), expected);
                    }
                }
                prop_assert_eq!(queue.len(), model.values().map(VecDeque::len).sum::<usize>());
                prop_assert_eq!(queue.is_empty(), queue.turns.is_empty());
                prop_assert_eq!(queue.is_empty(), queue.tenants.is_empty() && queue.owners.is_empty());
            }
        }
    }
}
