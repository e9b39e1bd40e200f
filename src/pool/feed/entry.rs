//! What servers write to each other: a shard, and its pages.

use std::io::{Read, Write};
use std::sync::Arc;

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use serde::{Deserialize, Serialize};

use crate::document::{ContentHash, Document, Shard};
use crate::ledger::RecipeHash;
use crate::pool::spec::{JobContext, JobSpec};
use crate::pool::work::ShardWork;
use crate::processor::{FailedAttempt, PageRead, StepState};
use crate::task::{PageOutput, Usage};

/// The number of the form of all below. A later version that changes it counts up, and is in another group by that.
pub(super) const FORMAT: u32 = 1;
/// More than any answer unpacks to.
const MOST_BYTES: u64 = 256 << 20;

/// A shard on its way to another server.
#[derive(Serialize, Deserialize)]
pub(in crate::pool) struct Entry {
    format: u32,
    /// The job.
    pub(in crate::pool) job: JobSpec,
    shard: ShardData,
    /// By what its pages are read: a server that would read something else out of them leaves them.
    recipe: RecipeHash,
}

/// What of a [`ShardWork`] means the same everywhere.
#[derive(Serialize, Deserialize)]
struct ShardData {
    index: u32,
    attempt: u32,
    first: u32,
    last: u32,
    state: StepState,
    history: Vec<FailedAttempt>,
}

/// The bytes of an entry.
pub(in crate::pool) fn encode(spec: &JobContext, work: &ShardWork) -> Option<Vec<u8>> {
    let shard = ShardData {
        index: work.index,
        attempt: work.attempt,
        first: work.shard.first,
        last: work.shard.last,
        state: work.state,
        history: work.history.clone(),
    };
    let recipe = RecipeHash::of(&spec.step(work).recipe);
    serde_json::to_vec(&Entry { format: FORMAT, job: spec.spec.clone(), shard, recipe }).ok()
}

impl Entry {
    /// An entry; `None` when it is none, or of a form that this version does not know.
    pub(in crate::pool) fn decode(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Self>(bytes).ok().filter(|entry| entry.format == FORMAT)
    }

    /// Whether `spec`, which was made of it on this server, reads the same out of its pages.
    pub(super) fn fits(&self, spec: &JobContext) -> bool {
        let step = spec.steps.get(self.shard.state.index);
        step.endpoint.is_none() && RecipeHash::of(&step.recipe) == self.recipe
    }

    /// Its pages.
    pub(super) const fn pages(&self) -> Shard {
        Shard { first: self.shard.first, last: self.shard.last }
    }

    /// The attempt, at the document as it was opened here.
    pub(super) fn work(&self, document: Arc<Document>) -> ShardWork {
        ShardWork {
            document,
            index: self.shard.index,
            attempt: self.shard.attempt,
            shard: self.pages(),
            quarantined: false,
            state: self.shard.state,
            history: self.shard.history.clone(),
            spent: Usage::default(),
        }
    }
}

/// What was read of a shard.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Pages {
    pub(super) done: Vec<Page>,
    /// Pages that another step is to read, and which.
    pub(super) rest: Vec<(u32, usize)>,
}

/// A page on its way back.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Page {
    number: u32,
    /// [`PageOutput::degraded`], which stands in no JSON of it.
    degraded: bool,
    output: PageOutput,
}

impl Page {
    /// A page that was read; `None` for one that was not.
    pub(super) fn of(PageRead { page, result }: PageRead) -> Option<Self> {
        let output = result.ok()?;
        Some(Self { number: page, degraded: output.degraded, output })
    }
}

impl From<Page> for PageRead {
    fn from(Page { number, degraded, output }: Page) -> Self {
        Self::new(number, Ok(PageOutput { degraded, ..output }))
    }
}

/// An answer: what was read, and what each page of the shard shows, or that it cannot be told.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) pages: Pages,
    pub(super) hashes: Vec<(u32, Option<ContentHash>)>,
    /// How long it took.
    pub(super) millis: u64,
}

impl Answer {
    /// Its bytes, packed: blocks with their boxes say much the same again and again.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&serde_json::to_vec(self).ok()?).ok()?;
        packed.finish().ok()
    }

    /// An answer; `None` when it is none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut json = Vec::new();
        DeflateDecoder::new(bytes).take(MOST_BYTES).read_to_end(&mut json).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;
    use crate::pool::test_context;
    use crate::task::Failure;

    #[test]
    fn an_answer_is_the_same_after_a_journey_and_what_is_none_is_none() {
        let degraded = PageOutput { degraded: true, ..PageOutput::new("text", from_markdown("# ü")) };
        let pages = [PageRead::new(3, Ok(degraded)), PageRead::new(4, Ok(PageOutput::default()))];
        let done = pages.iter().cloned().filter_map(Page::of).collect();
        let hashes = vec![(3, Some([7; 32])), (4, None)];
        let bytes =
            Answer { pages: Pages { done, rest: vec![(5, 1)] }, hashes: hashes.clone(), millis: 7 }.encode().unwrap();
        let read = Answer::decode(&bytes).unwrap();
        assert_eq!((&read.pages.rest[..], &read.hashes, read.millis), (&[(5, 1)][..], &hashes, 7));
        assert_eq!(read.pages.done.into_iter().map(PageRead::from).collect::<Vec<_>>(), pages);
        assert_eq!(Page::of(PageRead::new(5, Err(Failure::permanent("pdf_damaged", "no")))), None);
        assert!(Answer::decode(b"nothing").is_none() && Answer::decode(&bytes[..bytes.len() / 2]).is_none());
    }

    #[test]
    fn an_entry_of_another_form_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let spec = test_context(dir.path());
        let state = spec.steps.begin(0);
        let shard = ShardData { index: 7, attempt: 2, first: 3, last: 9, state, history: Vec::new() };
        let recipe = RecipeHash::of(&spec.steps.get(0).recipe);
        let entry = Entry { format: FORMAT, job: spec.spec.clone(), shard, recipe };
        let bytes = serde_json::to_vec(&entry).unwrap();
        let read = Entry::decode(&bytes).unwrap();
        assert!(read.fits(&spec) && read.pages() == Shard { first: 3, last: 9 } && read.job == spec.spec);
        let other = Entry { recipe: RecipeHash::of(&"another"), ..read };
        assert!(!other.fits(&spec));
        let later = serde_json::to_vec(&Entry { format: FORMAT + 1, ..other }).unwrap();
        assert!(Entry::decode(&later).is_none() && Entry::decode(b"{}").is_none());
    }
}
