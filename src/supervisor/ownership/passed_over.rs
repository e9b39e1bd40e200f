//! Unfinished tasks that this process cannot run, although no other process does. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::task::TaskId;

/// They are found in the store again and again, and passed over as long as they are.
#[derive(Default)]
pub(in crate::supervisor) struct PassedOver {
    /// With the processor that each needs.
    missing_processor: HashMap<TaskId, String>,
    /// Those whose records cannot be read.
    unreadable: HashSet<TaskId>,
}

impl PassedOver {
    pub(in crate::supervisor) fn len(&self) -> usize {
        self.missing_processor.len() + self.unreadable.len()
    }

    pub(in crate::supervisor) fn add_missing_processor(&mut self, id: TaskId, processor: String) {
        self.missing_processor.insert(id, processor);
    }

    pub(in crate::supervisor) fn add_unreadable(&mut self, id: TaskId) {
        self.unreadable.insert(id);
    }

    /// Of all tasks that are `found` in the store without an owner, those that are new to this process: neither known to
    /// it nor passed over. What is not found any more runs elsewhere or has ended, and is forgotten.
    pub(in crate::supervisor) fn sift(&mut self, found: Vec<TaskId>, is_known: impl Fn(TaskId) -> bool) -> Vec<TaskId> {
        let listed: HashSet<TaskId> = found.iter().copied().collect();
        self.missing_processor.retain(|id, _| listed.contains(id));
        self.unreadable.retain(|id| listed.contains(id));
        let is_new =
            |id: &TaskId| !is_known(*id) && !self.missing_processor.contains_key(id) && !self.unreadable.contains(id);
        found.into_iter().filter(is_new).collect()
    }

    /// How many tasks need which processor.
    pub(in crate::supervisor) fn by_processor(&self) -> BTreeMap<String, usize> {
        let mut tasks = BTreeMap::new();
        for processor in self.missing_processor.values() {
            *tasks.entry(processor.clone()).or_default() += 1;
        }
        tasks
    }

    /// How many tasks have records that cannot be read.
    pub(in crate::supervisor) fn unreadable(&self) -> usize {
        self.unreadable.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_run_is_passed_over_for_as_long_as_it_is_found() {
        let [new, known, foreign, torn, other] = [(); 5].map(|()| TaskId::generate());
        let mut passed_over = PassedOver::default();
        passed_over.add_missing_processor(foreign, "llm".into());
        passed_over.add_missing_processor(other, "llm".into());
        passed_over.add_unreadable(torn);
        assert_eq!((passed_over.len(), passed_over.unreadable()), (3, 1));
        assert_eq!(passed_over.by_processor(), BTreeMap::from([("llm".into(), 2)]));
        let is_known = |id| id == known;
        assert_eq!(passed_over.sift(vec![foreign, new, known, torn, other], is_known), [new]);
        assert_eq!(passed_over.len(), 3);
        // Another process had the processor and ran it; later that one died. The torn one was deleted.
        assert_eq!(passed_over.sift(vec![other], is_known), []);
        assert_eq!((passed_over.len(), passed_over.unreadable()), (1, 0));
        assert_eq!(passed_over.sift(vec![foreign, other, torn], is_known), [foreign, torn]);
    }
}
