//! What all work of one job has in common: data, and this process's handles for it.

use std::io;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::lease::Lease;
use super::recent_pages::RecentPages;
use super::work::{ShardDone, ShardResult, ShardWork};
use crate::blob::LocalBlob;
use crate::document::DocumentLimits;
use crate::ledger::{LedgerScope, PageHashes, PageKey, RecipeHash};
use crate::processor::{CallReport, Processor, Step, Steps};
use crate::task::{Failure, FileDigest, PageOutput, TaskId, TaskOptions, Usage, code};

/// What every piece of work of one job has in common, as data that means the same on every machine. Never changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Whose job.
    pub task: TaskId,
    /// The epoch it runs in; tells its messages from an older job's.
    pub epoch: u64,
    /// Who pays; the fair queue shares between tenants.
    pub tenant: String,
    /// Blob key of the source file.
    pub source_key: String,
    /// What the source file must be.
    pub source: FileDigest,
    /// Blob folder of the task.
    pub work_dir: String,
    /// The file's name as its caller gave it.
    pub file_name: Option<String>,
    /// What the caller chose.
    pub options: TaskOptions,
    /// The name of the processor that reads the pages.
    pub processor_name: String,
    /// The hashes of its recipes, for the ledger; behind them, of a task that is retried, the one under which it keeps
    /// pages that the others do not take.
    pub recipes: Vec<RecipeHash>,
    /// Whose pages of the ledger it finds.
    pub scope: LedgerScope,
    /// What a document may be.
    pub limits: DocumentLimits,
    /// The longest that one attempt may take.
    pub attempt_timeout: Duration,
    /// The longest that something the machine lacks is waited for, such as room on the disk.
    pub unavailable_timeout: Duration,
    /// Whether all work is given up together that waits for an endpoint which has been unavailable for so long, and not
    /// each piece after its own wait.
    pub shared_unavailable_timeout: bool,
    /// Blob key of the Markdown.
    pub markdown_key: String,
    /// Blob key of the pages as JSON.
    pub json_key: String,
    /// How often the process died while it opened the document.
    pub crashes: u32,
}

/// A job on this machine: its data, and what it is worked on with.
pub struct JobContext {
    /// The data.
    pub spec: JobSpec,
    /// Who reads the pages.
    pub processor: Arc<dyn Processor>,
    /// By which steps.
    pub steps: Steps,
    /// The source file; with shared storage it may have to be fetched.
    pub source_path: PathBuf,
    /// What its pages show, which is what the ledger knows them by.
    pub hashes: PageHashes,
    /// How many bytes of figures were put beside the result.
    pub image_bytes: AtomicU64,
    /// How its pages were found in the ledger.
    pub lookups: Lookups,
    /// Pages that were read and not joined yet.
    pub recent: RecentPages,
    /// Until when attempts may begin.
    pub lease: Lease,
    /// Fires when the job is over.
    pub cancel: CancellationToken,
}

/// Lookups in the ledger when the turn of a page had come: whether it is likely to have the next one, too.
#[derive(Debug, Default)]
pub struct Lookups {
    found: AtomicU32,
    missed: AtomicU32,
}

impl Lookups {
    /// Older ones count half, and half again, whenever there are so many.
    const MOST: u32 = 1_024;

    pub(super) fn count(&self, is_found: bool) {
        let [counter, other] = if is_found { [&self.found, &self.missed] } else { [&self.missed, &self.found] };
        if counter.fetch_add(1, Ordering::Relaxed) >= Self::MOST {
            [counter, other].iter().for_each(|count| count.store(count.load(Ordering::Relaxed) / 2, Ordering::Relaxed));
        }
    }

    /// Whether most pages were not there; `None` when none was looked up.
    pub(super) fn are_misses(&self) -> Option<bool> {
        let [found, missed] = [&self.found, &self.missed].map(|count| count.load(Ordering::Relaxed));
        (found + missed > 0).then_some(missed > found)
    }
}

impl Deref for JobContext {
    type Target = JobSpec;

    fn deref(&self) -> &JobSpec {
        &self.spec
    }
}

impl JobSpec {
    /// The folder of the task's files, as a blob key.
    #[must_use]
    pub fn folder(&self) -> String {
        format!("tasks/{}", self.task)
    }
}

impl JobContext {
    /// The job of `spec` with the files of `blob`, as long as `lease` holds.
    ///
    /// # Errors
    /// `storage_failed` when the source has no path, `bad_option` when the processor has no step for these options.
    pub fn new(spec: JobSpec, processor: Arc<dyn Processor>, blob: &LocalBlob, lease: Lease) -> Result<Self, Failure> {
        let path = blob.path(&spec.source_key);
        let steps = Steps::new(processor.steps(&spec.options, None)).ok_or_else(|| {
            let message = format!("the processor {} has no way to read pages with these options", spec.processor_name);
            Failure::permanent(code::BAD_OPTION, message)
        })?;
        Ok(Self {
            steps,
            source_path: path.map_err(|e| Failure::permanent(code::STORAGE_FAILED, e.to_string()))?,
            hashes: PageHashes::new(blob.clone(), &spec.work_dir, &spec.source.sha256, spec.scope.clone()),
            processor,
            image_bytes: AtomicU64::new(0),
            lookups: Lookups::default(),
            recent: RecentPages::default(),
            lease,
            cancel: CancellationToken::new(),
            spec,
        })
    }

    /// The ledger key of one page that came out like this of this step.
    ///
    /// # Errors
    /// When it cannot be looked up what the page shows, or there is no such recipe.
    pub fn page_key(&self, page: u32, step: usize, output: &PageOutput) -> io::Result<PageKey> {
        let own = self.recipes.get(self.steps.recipe_of(step, output.degraded)).filter(|recipe| recipe.takes(output));
        let recipe = own.or_else(|| self.recipes.last().filter(|last| last.takes(output)));
        let recipe = recipe.ok_or(io::ErrorKind::InvalidInput)?;
        self.hashes.page_key(page, *recipe)
    }

    /// The step of an attempt.
    pub(super) fn step(&self, work: &ShardWork) -> &Step {
        self.steps.get(work.state.index)
    }

    /// The message about an attempt that is over, which made these calls.
    pub(super) fn shard_done(&self, work: &ShardWork, result: ShardResult, calls: &[CallReport]) -> ShardDone {
        let all: Usage = calls.iter().map(|call| call.usage).sum();
        ShardDone {
            job: self.task,
            shard: work.index,
            epoch: self.epoch,
            attempt: work.attempt,
            spent: all.without(result.usage()),
            result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_say_what_the_last_ones_came_to() {
        let lookups = Lookups::default();
        assert_eq!(lookups.are_misses(), None);
        lookups.count(true);
        assert_eq!(lookups.are_misses(), Some(false));
        (0..2).for_each(|_| lookups.count(false));
        assert_eq!(lookups.are_misses(), Some(true));
        (0..100_000).for_each(|_| lookups.count(false));
        (0..2 * Lookups::MOST).for_each(|_| lookups.count(true));
        assert_eq!(lookups.are_misses(), Some(false), "what was long ago counts little");
    }

    /// What other machines work on is written down.
    #[test]
    fn the_data_of_a_job_is_the_same_after_a_journey() {
        let task = TaskId::generate();
        let spec = JobSpec {
            task,
            epoch: 3,
            tenant: "ann".into(),
            source_key: format!("tasks/{task}/source.pdf"),
            source: FileDigest { bytes: 7, sha256: "ab".into() },
            work_dir: format!("tasks/{task}"),
            file_name: Some("paper.pdf".into()),
            options: TaskOptions { password: Some("geheim".into()), ..TaskOptions::default() },
            processor_name: "text".into(),
            recipes: vec![RecipeHash::of(&"text").with_number(true), RecipeHash::of(&1).faithful_only()],
            scope: LedgerScope::default(),
            limits: DocumentLimits::default(),
            attempt_timeout: Duration::from_millis(1_500),
            unavailable_timeout: Duration::from_secs(6),
            shared_unavailable_timeout: true,
            markdown_key: "a".into(),
            json_key: "b".into(),
            crashes: 1,
        };
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<JobSpec>(&json).unwrap(), spec);
    }
}
