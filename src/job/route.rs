//! By which steps the pages of a job are read, and in shards of how many. Pure.

use super::subtask::SubTask;
use crate::processor::{Steps, WorkKind};

/// The steps of a job, and what its caller wants of them.
#[derive(Clone, Debug)]
pub struct Route {
    /// The steps, in their order.
    pub steps: Steps,
    /// How many pages a shard is to have, where the caller says; at least 1.
    pub shard_pages: Option<u32>,
}

impl Route {
    /// How many pages a shard has at first.
    pub(super) fn first_pages(&self) -> u32 {
        self.shard_pages.unwrap_or(self.steps.get(0).shard_pages)
    }

    /// How many pages a shard has that goes on with this step. Where calls are the exception, what the caller wants is
    /// meant for them.
    pub(super) fn later_pages(&self, step: usize) -> u32 {
        let step = self.steps.get(step);
        self.shard_pages.filter(|_| step.kind() == WorkKind::Call).unwrap_or(step.shard_pages)
    }

    /// Which workers read a subtask.
    pub(super) fn kind(&self, subtask: &SubTask) -> WorkKind {
        self.steps.get(subtask.step.index).kind()
    }
}
