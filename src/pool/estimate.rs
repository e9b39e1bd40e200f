//! What a task would take, before anything is spent on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

use super::execute::Executor;
use super::work::SourceCheck;
use crate::ledger::{LedgerScope, PageKey, RecipeHash};
use crate::processor::Processor;
use crate::task::{Amount, Failure, TaskOptions, Usage};

/// A question about a file: what would it take?
pub struct EstimateSource {
    /// The file and its pages.
    pub check: SourceCheck,
    /// Who would read it.
    pub processor: Arc<dyn Processor>,
    /// What the caller chose.
    pub options: TaskOptions,
    /// The names under which the ledger may have its pages.
    pub recipes: Vec<RecipeHash>,
    /// Whose pages count as known.
    pub scope: LedgerScope,
}

/// What a task would take.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct Estimate {
    /// All pages.
    #[serde(flatten)]
    pub total: Amount,
    /// Pages that cannot be read.
    pub failed: u32,
    /// By who would read them and why.
    pub routes: BTreeMap<String, Amount>,
}

impl Executor {
    /// Looks at every page and reads none.
    pub(super) fn estimate(&self, question: &EstimateSource) -> Result<Estimate, Failure> {
        let EstimateSource { check, processor, options, recipes, scope } = question;
        let (document, pages) = self.open(check)?;
        let mut reader = document.reader();
        let mut estimate = Estimate::default();
        for page in pages {
            let Ok(facts) = reader.facts(page) else {
                estimate.failed += 1;
                estimate.total.pages += 1;
                continue;
            };
            let content = reader.content_hash(page).ok();
            let key = |recipe: &RecipeHash| {
                content.map(|content| PageKey::of_content(scope, &content, recipe.for_page(page)))
            };
            let known = recipes.iter().filter_map(key).any(|key| self.ledger.has(key));
            let Some(step) = processor.steps(options, Some(&facts)).into_iter().next() else { continue };
            let usage = if known { Usage::REUSED } else { step.expected };
            let amount = Amount { pages: 1, usage };
            estimate.total += amount;
            *estimate.routes.entry(step.route()).or_default() += amount;
        }
        Ok(estimate)
    }
}
