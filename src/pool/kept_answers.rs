//! Answers that are paid and not judged yet, as side entries of the ledger: each stands with its page, so that it goes with
//! it in a purge, and by its age like the page.

use crossbeam_channel::{Receiver, Sender, unbounded};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::spec::JobContext;
use crate::blob::LocalBlob;
use crate::ledger::{Ledger, PageKey, PurgeList, RecipeHash};
use crate::processor::{KeptAnswer, KeptAnswers};
use crate::task::TaskId;

/// The answers of one attempt.
pub(super) struct AttemptAnswers<'a> {
    ledger: &'a Ledger,
    blob: &'a LocalBlob,
    spec: &'a JobContext,
    /// Those that were kept or found, and where they are collected.
    used: Sender<PageKey>,
    all_used: Receiver<PageKey>,
}

/// An entry: the answer, and who counted what it cost.
#[derive(Serialize, Deserialize)]
struct Entry<T> {
    answer: T,
    task: TaskId,
    epoch: u64,
}

impl<'a> AttemptAnswers<'a> {
    pub(super) fn new(ledger: &'a Ledger, blob: &'a LocalBlob, spec: &'a JobContext) -> Self {
        let (used, all_used) = unbounded();
        Self { ledger, blob, spec, used, all_used }
    }

    /// Lets go of all that was kept or found, when the attempt is over, and its pages are in the ledger, or are not what was
    /// answered; not when it `is_unanswered`: given up, or to be made once more.
    pub(super) fn let_go_unless(&self, is_unanswered: bool) {
        if !is_unanswered {
            self.all_used.try_iter().for_each(|key| self.remove(key));
        }
    }

    /// Where the answer to a question is; `None` when it cannot be looked up what the page shows.
    fn key(&self, page: u32, question: &Value) -> Option<PageKey> {
        let recipe = RecipeHash::of(&json!({ "kept answer": question }));
        self.spec.hashes.page_key(page, recipe).ok()
    }

    fn remove(&self, key: PageKey) {
        if let Err(error) = self.ledger.remove_answer(key) {
            log::warn!(task:% = self.spec.task; "an answer that is not needed any more stays in the ledger: {error}");
        }
    }
}

impl KeptAnswers for AttemptAnswers<'_> {
    fn find(&self, page: u32, question: &Value) -> Option<KeptAnswer> {
        let key = self.key(page, question)?;
        let found = self.ledger.answer(key).unwrap_or_else(|error| {
            log::warn!(task:% = self.spec.task, page; "an answer that was kept cannot be read: {error}");
            None
        })?;
        let Entry { answer, task, epoch } = serde_json::from_slice(&found).ok()?;
        let _ = self.used.send(key);
        Some(KeptAnswer { answer, is_uncounted: task == self.spec.task && epoch != self.spec.epoch })
    }

    fn keep(&self, page: u32, question: &Value, answer: &Value) {
        let Some(key) = self.key(page, question) else { return };
        let entry = Entry { answer, task: self.spec.task, epoch: self.spec.epoch };
        let kept = serde_json::to_vec(&entry).map_err(std::io::Error::other);
        let kept = kept.and_then(|entry| self.ledger.put_answer(key, &entry));
        let _ = self.used.send(key);
        if let Err(error) = kept {
            log::warn!(task:% = self.spec.task, page; "an answer is not safe before its page is: {error}");
        }
        // A purge is noted before it sweeps the ledger: either that finds this answer, or this finds the note.
        if PurgeList::is_begun(self.blob, self.spec.task) {
            self.remove(key);
        }
    }

    fn forget(&self, page: u32, question: &Value) {
        if let Some(key) = self.key(page, question) {
            self.remove(key);
        }
    }
}
