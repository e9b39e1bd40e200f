//! The steps by which a page may be read, what became of attempts, and what follows from them. Pure.
//!
//! A processor is an ordered list of [`Step`]s. The job keeps the [`FailedAttempt`]s of each shard; which step is next,
//! and what it has to go by, follows from these alone.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::WorkKind;
use crate::task::{Failure, FailureKind, Usage, code};

/// How many pages a shard has that keeps a core busy for milliseconds a page.
const LOCAL_PAGES: u32 = 16;

/// One way to read a page.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Step {
    /// What reads, for example `text` or `llm`; estimates name it.
    pub reader: Cow<'static, str>,
    /// The model that is asked, if one is.
    pub model: Option<String>,
    /// What the limits of its calls belong to: the endpoint and the model. Calls of the same name share them, also those
    /// of other processors. `None` for a step that makes no calls and keeps a core busy instead.
    pub endpoint: Option<String>,
    /// Everything besides the page that decides what its content will be: a version, a model, a prompt. Pages that show
    /// the same are reused from the ledger, also in another PDF, as long as this stays the same. So raise a version
    /// whenever outputs would differ, and let no output depend on other pages. Where outputs depend on the page's number,
    /// as they do when a prompt names it, the recipe has `"by_number": true`; such a page is reused at its number only.
    pub recipe: Value,
    /// The recipe of pages that came out as less than the step should make of them
    /// ([`PageOutput::degraded`](crate::task::PageOutput::degraded)), which a task with other steps must not be given.
    /// Without it they are kept like all others.
    pub degraded_recipe: Option<Value>,
    /// Whether outputs that took calls cost money or minutes. Those are synced to the device before they count; others are
    /// left to the page cache and would be made again after a power cut.
    pub is_paid: bool,
    /// How many pages a shard has when the task does not say.
    pub shard_pages: u32,
    /// Why a page takes this step, where that follows from its facts.
    pub reason: Option<&'static str>,
    /// What it would take for a page of which the facts are known; nothing for one that is read locally.
    pub expected: Usage,
}

impl Step {
    /// A step that makes no calls: shards of 16 pages, free.
    #[must_use]
    pub fn local(reader: impl Into<Cow<'static, str>>, recipe: Value) -> Self {
        Self {
            reader: reader.into(),
            model: None,
            endpoint: None,
            recipe,
            degraded_recipe: None,
            is_paid: false,
            shard_pages: LOCAL_PAGES,
            reason: None,
            expected: Usage::default(),
        }
    }

    /// A step that calls `endpoint`: one page a shard, paid.
    #[must_use]
    pub fn call(reader: impl Into<Cow<'static, str>>, endpoint: impl Into<String>, recipe: Value) -> Self {
        Self { endpoint: Some(endpoint.into()), is_paid: true, shard_pages: 1, ..Self::local(reader, recipe) }
    }

    /// Which workers do it.
    #[must_use]
    pub const fn kind(&self) -> WorkKind {
        if self.endpoint.is_some() { WorkKind::Call } else { WorkKind::Cpu }
    }

    /// The name under which estimates count the page.
    #[must_use]
    pub fn route(&self) -> String {
        self.reason.map_or_else(|| self.reader.to_string(), |reason| format!("{}: {reason}", self.reader))
    }
}

/// An attempt that went wrong by what it read, or by waiting for too long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FailedAttempt {
    /// By which step, from 0.
    pub step: usize,
    /// What went wrong.
    pub kind: FailureKind,
    /// The same as people see it.
    pub code: Cow<'static, str>,
    /// Whether the step would come to the same whenever it is tried again.
    pub is_permanent: bool,
}

impl FailedAttempt {
    /// An attempt of `step` that failed with `why`.
    #[must_use]
    pub fn new(step: usize, why: &Failure) -> Self {
        Self { step, kind: why.kind(), code: why.code.clone(), is_permanent: !why.retryable }
    }

    /// One whose endpoint was unavailable, or asked too often, for longer than a page waits.
    #[must_use]
    pub const fn wait_expired(step: usize) -> Self {
        let code = Cow::Borrowed(code::ENDPOINT_UNAVAILABLE);
        Self { step, kind: FailureKind::WaitExpired, code, is_permanent: false }
    }
}

/// The step that is next for a page, and what its attempts before came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StepState {
    /// Which step of the processor, from 0.
    pub index: usize,
    /// How often it has failed before.
    pub failed: u32,
    /// How often its answer was cut off at its token limit.
    pub truncated: u32,
    /// How often it has refused to read the page.
    pub refused: u32,
    /// Whether its last answer diverged from the page.
    pub diverged: bool,
    /// Whether its last answer was such that the same question would bring the same: it should be asked otherwise.
    pub vary: bool,
    /// Whether another step comes after this one.
    pub has_next: bool,
}

impl StepState {
    /// The same step once more, after an attempt that failed like this.
    #[must_use]
    pub fn after(self, kind: FailureKind) -> Self {
        let diverged = kind == FailureKind::Diverged;
        Self {
            failed: self.failed + 1,
            truncated: self.truncated + u32::from(kind == FailureKind::Truncated),
            refused: self.refused + u32::from(kind == FailureKind::Refused),
            diverged,
            vary: diverged || matches!(kind, FailureKind::Refused | FailureKind::BadAnswer),
            ..self
        }
    }
}

/// The steps of a task, in their order; at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Steps(Arc<[Step]>);

impl Steps {
    /// These steps; `None` when there are none.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Option<Self> {
        (!steps.is_empty()).then(|| Self(steps.into()))
    }

    /// The step of this number, from 0; the last one, when there are fewer.
    #[must_use]
    pub fn get(&self, index: usize) -> &Step {
        &self.0[index.min(self.0.len() - 1)]
    }

    /// The state of a step before its first attempt.
    #[must_use]
    pub fn begin(&self, index: usize) -> StepState {
        StepState {
            index,
            failed: 0,
            truncated: 0,
            refused: 0,
            diverged: false,
            vary: false,
            has_next: index + 1 < self.0.len(),
        }
    }

    /// The next step after these failed attempts, of which each step has `max_attempts`; `None` when no step is left.
    #[must_use]
    pub fn after(&self, history: &[FailedAttempt], max_attempts: u32) -> Option<StepState> {
        let Some(last) = history.last() else { return Some(self.begin(0)) };
        let of_step = || history.iter().filter(|attempt| attempt.step == last.step);
        let state = of_step().fold(self.begin(last.step), |state, attempt| state.after(attempt.kind));
        let used_up = last.is_permanent || state.failed >= max_attempts;
        // A second answer that diverges settles it, as far as this step goes.
        let diverged = of_step().filter(|attempt| attempt.kind == FailureKind::Diverged).count();
        let is_over = used_up || last.kind.ends_step() || diverged >= 2;
        match (is_over, state.has_next) {
            (true, true) => Some(self.begin(last.step + 1)),
            (true, false) if used_up => None,
            _ => Some(state),
        }
    }

    /// Whether pages have another way than the endpoint of this step, when that stays unavailable.
    #[must_use]
    pub fn has_fallback(&self, index: usize) -> bool {
        index + 1 < self.0.len() && self.get(index).endpoint != self.get(index + 1).endpoint
    }

    /// All recipes that a page may come out by, each once. A page is looked up under each, in this order.
    #[must_use]
    pub fn recipes(&self) -> Vec<&Value> {
        let mut recipes = Vec::new();
        for recipe in self.0.iter().flat_map(|step| [Some(&step.recipe), step.degraded_recipe.as_ref()]).flatten() {
            if !recipes.contains(&recipe) {
                recipes.push(recipe);
            }
        }
        recipes
    }

    /// Which of [`Self::recipes`] a page of this step is kept under.
    #[must_use]
    pub fn recipe_of(&self, index: usize, degraded: bool) -> usize {
        let step = self.get(index);
        let recipe = step.degraded_recipe.as_ref().filter(|_| degraded).unwrap_or(&step.recipe);
        self.recipes().iter().position(|known| *known == recipe).unwrap_or_default()
    }

    /// Whether one of them is paid.
    #[must_use]
    pub fn are_paid(&self) -> bool {
        self.0.iter().any(|step| step.is_paid)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn models(count: usize) -> Steps {
        let step = |n| Step::call("llm", format!("e {n}"), json!(n));
        Steps::new((0..count).map(step).collect()).unwrap()
    }

    /// Plays attempts with these codes, each of the step that was next.
    fn play(steps: &Steps, each: u32, codes: &[&'static str]) -> Option<StepState> {
        let mut history = Vec::new();
        let mut state = steps.begin(0);
        for code in codes {
            let failed = match *code {
                EXPIRED => FailedAttempt::wait_expired(state.index),
                code => FailedAttempt::new(state.index, &Failure::transient(code, "")),
            };
            history.push(failed);
            state = steps.after(&history, each)?;
        }
        Some(state)
    }

    const EXPIRED: &str = "wait expired";

    #[test]
    fn which_step_is_next() {
        use code::{
            ANSWER_REFUSED as REFUSED, ANSWER_TRUNCATED as CUT, ANSWER_UNFAITHFUL as STRAY, BAD_ANSWER as BAD,
            ENDPOINT_REFUSED as DENIED, TIMEOUT,
        };
        // Steps, attempts each, what went wrong; which step, its failures, cuts, whether it diverged, whether one follows.
        for (count, each, codes, expected) in [
            (1, 3, &[][..], Some((0, 0, 0, false, false))),
            (1, 3, &[BAD, TIMEOUT], Some((0, 2, 0, false, false))),
            (1, 3, &[BAD, BAD, BAD], None),
            (2, 3, &[BAD, BAD], Some((0, 2, 0, false, true))),
            (2, 3, &[BAD, BAD, BAD], Some((1, 0, 0, false, false))),
            (2, 3, &[BAD, BAD, BAD, BAD, BAD, BAD], None),
            (2, 3, &[DENIED], Some((1, 0, 0, false, false))),
            (3, 3, &[REFUSED, DENIED], Some((2, 0, 0, false, false))),
            (3, 3, &[BAD, EXPIRED], Some((1, 0, 0, false, true))),
            (3, 3, &[BAD, REFUSED, CUT], Some((1, 1, 1, false, true))),
            (2, 5, &[CUT, CUT], Some((0, 2, 2, false, true))),
            (2, 5, &[STRAY], Some((0, 1, 0, true, true))),
            (2, 5, &[STRAY, BAD, STRAY], Some((1, 0, 0, false, false))),
            (1, 5, &[STRAY, STRAY], Some((0, 2, 0, true, false))),
            (1, 5, &[REFUSED], Some((0, 1, 0, false, false))),
        ] {
            let seen = play(&models(count), each, codes)
                .map(|state| (state.index, state.failed, state.truncated, state.diverged, state.has_next));
            assert_eq!(seen, expected, "{count} {each} {codes:?}");
        }
    }

    #[test]
    fn what_is_permanent_for_one_step_is_not_for_the_next() {
        let gone = |step| FailedAttempt::new(step, &Failure::permanent(code::BAD_ANSWER, ""));
        let steps = models(2);
        assert_eq!(steps.after(&[gone(0)], 5), Some(steps.begin(1)));
        assert_eq!(steps.after(&[gone(0), gone(1)], 5), None);
    }

    #[test]
    fn each_page_is_kept_under_the_recipe_that_it_came_out_by() {
        let first = Step { degraded_recipe: Some(json!("either")), ..Step::call("llm", "e", json!("own")) };
        let steps = vec![Step::local("text", json!("text")), first, Step::local("text", json!("either"))];
        let steps = Steps::new(steps).unwrap();
        assert_eq!(steps.recipes(), [&json!("text"), &json!("own"), &json!("either")]);
        let kept =
            [(0, false), (0, true), (1, false), (1, true), (2, false)].map(|(at, less)| steps.recipe_of(at, less));
        assert_eq!(kept, [0, 0, 1, 2, 2]);
        assert!(steps.are_paid() && steps.has_fallback(1) && !steps.has_fallback(2));
    }
}
