//! The outcome of each page of a job.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::task::{FindingCounts, FindingSet, PageFailure};

/// The outcome of one page, written once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PageState {
    Open,
    Done,
    Failed,
}

/// The pages of a task and what became of each. A few bytes a page.
#[derive(Debug, Default)]
pub(super) struct Pages {
    numbers: Arc<Vec<u32>>,
    states: Vec<PageState>,
    failures: BTreeMap<u32, PageFailure>,
    /// What is known against pages that are done, where there is something.
    findings: BTreeMap<u32, FindingSet>,
    done: u32,
}

impl Pages {
    /// These pages, ascending, all open.
    pub(super) fn open(numbers: Vec<u32>) -> Self {
        Self { states: vec![PageState::Open; numbers.len()], numbers: Arc::new(numbers), ..Self::default() }
    }

    /// All pages, ascending.
    pub(super) const fn numbers(&self) -> &Arc<Vec<u32>> {
        &self.numbers
    }

    /// The pages declared failed.
    pub(super) const fn failures(&self) -> &BTreeMap<u32, PageFailure> {
        &self.failures
    }

    /// How many pages there are.
    pub(super) fn total(&self) -> u32 {
        u32::try_from(self.numbers.len()).unwrap_or(u32::MAX)
    }

    /// How many are done.
    pub(super) const fn done(&self) -> u32 {
        self.done
    }

    /// How many are declared failed.
    pub(super) fn failed(&self) -> u32 {
        u32::try_from(self.failures.len()).unwrap_or(u32::MAX)
    }

    /// How many are done and doubtful.
    pub(super) fn doubtful(&self) -> u32 {
        u32::try_from(self.findings.values().filter(|set| set.is_doubtful()).count()).unwrap_or(u32::MAX)
    }

    /// What is known against pages that are done.
    pub(super) fn finding_counts(&self) -> FindingCounts {
        let mut counts = FindingCounts::default();
        self.findings.values().for_each(|set| counts.add(*set));
        counts
    }

    /// Whether each page has its outcome.
    pub(super) fn are_finished(&self) -> bool {
        self.done + self.failed() >= self.total()
    }

    /// Pages without an outcome, ascending.
    pub(super) fn unfinished(&self) -> Vec<u32> {
        let pages = self.numbers.iter().zip(&self.states);
        pages.filter(|(_, state)| **state == PageState::Open).map(|(page, _)| *page).collect()
    }

    /// Whether the page is one of these and has no outcome.
    pub(super) fn is_open(&self, page: u32) -> bool {
        self.position(page).is_some_and(|position| self.states[position] == PageState::Open)
    }

    /// An open page was read. Returns whether it was open.
    pub(super) fn finish(&mut self, page: u32, findings: FindingSet) -> bool {
        let finished = self.set(page, PageState::Done);
        self.done += u32::from(finished);
        if finished && !findings.is_empty() {
            self.findings.insert(page, findings);
        }
        finished
    }

    /// An open page is declared failed. Returns whether it was open.
    pub(super) fn fail(&mut self, page: u32, failure: PageFailure) -> bool {
        let failed = self.set(page, PageState::Failed);
        if failed {
            self.failures.insert(page, failure);
        }
        failed
    }

    /// A page that was done is to be read again.
    pub(super) fn reopen(&mut self, page: u32) {
        if let Some(position) = self.position(page).filter(|at| self.states[*at] == PageState::Done) {
            self.states[position] = PageState::Open;
            self.done -= 1;
            self.findings.remove(&page);
        }
    }

    fn set(&mut self, page: u32, state: PageState) -> bool {
        let Some(position) = self.position(page).filter(|at| self.states[*at] == PageState::Open) else { return false };
        self.states[position] = state;
        debug_assert!(self.done as usize + self.failures.len() < self.states.len(), "I1: more outcomes than pages");
        true
    }

    fn position(&self, page: u32) -> Option<usize> {
        self.numbers.binary_search(&page).ok()
    }
}
