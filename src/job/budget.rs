//! What may still be begun without a task costing more than its caller said. Pure.

use std::collections::VecDeque;

use crate::task::Cost;

/// Holds subtasks back that the rest of the money may not be enough for.
///
/// What is in flight is counted as if each of it cost as much as the dearest so far. No more may be in flight than one
/// beside as many as have told their cost, so that a cheap first page does not let a whole book begin.
#[derive(Debug)]
pub(super) struct Budget {
    most: Cost,
    spent: Cost,
    dearest: Option<Cost>,
    in_flight: u64,
    /// Calls whose costs are known.
    known: u64,
    held: VecDeque<u32>,
}

impl Budget {
    /// A budget of `most`, of which `spent` is gone already, for so many `calls`.
    pub(super) fn new(most: Cost, spent: Cost, calls: u64) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a mean")]
        let usual = Cost::of(spent.amount() / calls.max(1) as f64);
        let dearest = Some(usual).filter(|usual| *usual > Cost::default());
        Self { most, spent, dearest, in_flight: 0, known: 0, held: VecDeque::new() }
    }

    /// Takes subtasks that wait to be begun.
    pub(super) fn hold(&mut self, subtasks: impl IntoIterator<Item = u32>) {
        self.held.extend(subtasks);
    }

    /// One that was begun has ended, and cost so much.
    pub(super) fn ended(&mut self, cost: Cost) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.spent = self.spent.and(cost);
        if cost > Cost::default() {
            self.known += 1;
            self.dearest = self.dearest.max(Some(cost));
        }
    }

    /// Those that may begin now.
    pub(super) fn release(&mut self) -> Vec<u32> {
        let mut released = Vec::new();
        while !self.held.is_empty() {
            let most_after = self.dearest.map(|dearest| self.spent.and(dearest.times(self.in_flight + 1)));
            let enough = match most_after {
                Some(after) => after <= self.most && self.in_flight <= self.known,
                None => self.in_flight == 0 && self.spent < self.most,
            };
            if !enough {
                break;
            }
            self.in_flight += 1;
            released.extend(self.held.pop_front());
        }
        released
    }

    /// What was spent, when the rest is not enough for anything that waits.
    pub(super) fn exhausted(&self) -> Option<Cost> {
        (self.in_flight == 0 && !self.held.is_empty()).then_some(self.spent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Calls of at most the first one's cost never exceed the budget, and it is used up to less than one of them.
        #[test]
        fn is_kept_and_used(most in 0_u32..5_000, spent in 0_u32..2_000, costs in prop::collection::vec(1_u32..100, 1..200),
            order in prop::collection::vec(any::<usize>(), 200)) {
            let cost = |n: u32| Cost::of(f64::from(n));
            let dearest = 100;
            let mut budget = Budget::new(cost(most), cost(spent), u64::from(spent));
            budget.hold(0..u32::try_from(costs.len()).unwrap());
            let (mut flying, mut total, mut first) = (Vec::new(), spent, true);
            // What was spent before was for calls of 1, so the first of this job may be a surprise.
            let surprise = if spent > 0 { u32::try_from(costs.len()).unwrap() * dearest } else { dearest };
            let mut order = order.into_iter();
            loop {
                flying.extend(budget.release());
                if flying.is_empty() {
                    break;
                }
                prop_assert!(!first || spent > 0 || flying.len() == 1);
                let next = flying.swap_remove(order.next().unwrap_or(0) % flying.len());
                let paid = if std::mem::take(&mut first) { dearest } else { costs[next as usize] };
                total += paid;
                budget.ended(cost(paid));
            }
            prop_assert!(total <= most.max(spent) || total <= spent + surprise, "{total} of {most}");
            match budget.exhausted() {
                Some(spent) => prop_assert!(spent == cost(total) && total + dearest > most),
                None => prop_assert!(budget.held.is_empty()),
            }
        }
    }
}
