//! The names under which the ledger may have the pages of a task.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::ledger::RecipeHash;
use crate::processor::{Processor, Steps};
use crate::task::{TaskOptions, TaskRecord};

/// The names under which the ledger may have the pages of a task.
///
/// A page that goes to a model together with others may come out otherwise because of them. Such pages are kept for the
/// tenant alone: what one caller puts beside a page must not decide what another one gets for it.
pub(in crate::supervisor) fn recipe_hashes(
    processor: &dyn Processor,
    options: &TaskOptions,
    tenant: Option<&str>,
) -> Vec<RecipeHash> {
    Names::of(processor, options, tenant).map_or_else(Vec::new, |names| names.hashes())
}

/// The same with the names that versions before the ledger's scopes gave to pages that were paid.
fn with_older_hashes(processor: &dyn Processor, options: &TaskOptions, tenant: Option<&str>) -> Vec<RecipeHash> {
    let Some(names) = Names::of(processor, options, tenant) else { return Vec::new() };
    let mut hashes = names.hashes();
    for mut recipe in names.steps.recipes().into_iter().cloned() {
        hashes.push(names.hash(&recipe).with_number(false).before_scopes());
        // Recipes did not say then which text a model was given beside the picture.
        if let Some(fields) = recipe.as_object_mut() {
            fields.retain(|name, _| !["by_number", "text", "ocr"].contains(&name.as_str()));
        }
        hashes.push(names.hash(&recipe).before_scopes());
    }
    let mut seen = HashSet::new();
    hashes.retain(|hash| seen.insert(*hash));
    hashes
}

/// Versions of the text processor before the ledger's scopes; that of `auto` was the first.
const OLDER_TEXTS: std::ops::RangeInclusive<u32> = 1..=4;

/// All names under which the ledger may have what was ever read of the pages of a task.
pub(in crate::supervisor) fn every_recipe_hash(
    processor: &dyn Processor,
    options: &TaskOptions,
    tenant: Option<&str>,
) -> Vec<RecipeHash> {
    let Some(names) = Names::of(processor, options, tenant) else { return Vec::new() };
    let older = OLDER_TEXTS.flat_map(|version| {
        let text = json!({ "processor": "text", "version": version });
        [json!({ "processor": "auto", "version": 1, "text": text }), text]
    });
    let older = older.map(|recipe| names.hash(&recipe).before_scopes());
    with_older_hashes(processor, options, tenant).into_iter().chain(older).collect()
}

/// What recipes of one task are called.
struct Names<'a> {
    steps: Steps,
    /// Whether pages go to a model together.
    several: bool,
    tenant: Option<&'a str>,
}

impl<'a> Names<'a> {
    fn of(processor: &dyn Processor, options: &TaskOptions, tenant: Option<&'a str>) -> Option<Self> {
        let steps = Steps::new(processor.steps(options, None))?;
        let several = steps.are_paid() && options.shard_pages.unwrap_or(1) > 1;
        Some(Self { steps, several, tenant })
    }

    fn hashes(&self) -> Vec<RecipeHash> {
        self.steps.recipes().into_iter().map(|recipe| self.hash(recipe)).collect()
    }

    fn hash(&self, recipe: &Value) -> RecipeHash {
        let by_number = recipe["by_number"] == true;
        let own = self.several.then(|| json!({ "recipe": recipe, "beside_others_of": self.tenant }));
        RecipeHash::of(own.as_ref().unwrap_or(recipe)).with_number(by_number)
    }
}

/// The names under which the ledger may have the pages of a task that is there. One that is retried does not take pages
/// that stray from what their PDF says, but those that it has read itself since.
pub(in crate::supervisor) fn task_recipes(processor: &dyn Processor, record: &TaskRecord) -> Vec<RecipeHash> {
    let names = if record.scoped_pages { recipe_hashes } else { with_older_hashes };
    let recipes = names(processor, &record.options, record.tenant.as_deref());
    if record.retries == 0 {
        return recipes;
    }
    let first = processor.steps(&record.options, None).into_iter().next().map(|step| step.recipe);
    let since = json!({ "task": record.id, "retries": record.retries, "processor": first });
    let own = RecipeHash::of(&since).with_number(true);
    recipes.into_iter().map(RecipeHash::faithful_only).chain(std::iter::once(own)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::{ShardInput, ShardOutcome, Step};

    /// Asks a model with a prompt that names the page's number, or without.
    struct Asks {
        by_number: bool,
    }

    impl Processor for Asks {
        fn name(&self) -> &'static str {
            "asks"
        }

        fn steps(&self, _: &TaskOptions, _: Option<&crate::document::PageFacts>) -> Vec<Step> {
            vec![Step::call("asks", "there", recipe(self.by_number))]
        }

        fn process(&self, _: &ShardInput<'_>) -> ShardOutcome {
            ShardOutcome::Done(Vec::new())
        }
    }

    fn recipe(by_number: bool) -> Value {
        json!({ "model": "m", "by_number": by_number, "text": "visible", "ocr": "off" })
    }

    fn together() -> TaskOptions {
        TaskOptions { shard_pages: Some(4), ..TaskOptions::default() }
    }

    #[test]
    fn pages_that_go_to_a_model_together_are_kept_for_their_tenant() {
        let one = TaskOptions { shard_pages: Some(1), ..TaskOptions::default() };
        let of = |options: &TaskOptions, tenant| recipe_hashes(&Asks { by_number: false }, options, tenant);
        assert_eq!(of(&one, Some("ann")), [RecipeHash::of(&recipe(false))]);
        assert_eq!(of(&one, Some("ann")), of(&TaskOptions::default(), None));
        assert_ne!(of(&together(), Some("ann")), of(&one, Some("ann")));
        assert_ne!(of(&together(), Some("ann")), of(&together(), Some("bob")));
        assert_ne!(of(&together(), Some("ann")), of(&together(), None));
    }

    #[test]
    fn a_prompt_that_names_the_page_is_kept_by_its_number() {
        let hash = |by_number| recipe_hashes(&Asks { by_number }, &TaskOptions::default(), None)[0];
        assert_eq!(hash(true), RecipeHash::of(&recipe(true)).with_number(true));
        assert_ne!(hash(true).for_page(1), hash(true).for_page(2));
        assert_eq!(hash(false).for_page(1), hash(false).for_page(2));
    }

    #[test]
    fn names_of_earlier_versions_are_those_that_they_gave() {
        let options = TaskOptions::default();
        let older = with_older_hashes(&Asks { by_number: true }, &options, None);
        let bare = RecipeHash::of(&json!({ "model": "m" })).before_scopes();
        let unnumbered = RecipeHash::of(&recipe(true)).before_scopes();
        assert_eq!(older, [RecipeHash::of(&recipe(true)).with_number(true), unnumbered, bare]);
        let every = every_recipe_hash(&Asks { by_number: true }, &options, None);
        assert_eq!((&every[..3], every.len()), (&older[..], 3 + 2 * 4));
        for version in 1..=4 {
            let text = json!({ "processor": "text", "version": version });
            let auto = json!({ "processor": "auto", "version": 1, "text": text });
            for recipe in [text, auto] {
                assert!(every.contains(&RecipeHash::of(&recipe).before_scopes()), "{recipe}");
            }
        }
    }

    #[test]
    fn a_task_that_is_retried_takes_faithful_pages_and_those_of_its_own() {
        let asks = Asks { by_number: false };
        let mut record = crate::task::test_record(1);
        (record.scoped_pages, record.retries) = (true, 0);
        let all = recipe_hashes(&asks, &record.options, record.tenant.as_deref());
        assert_eq!(task_recipes(&asks, &record), all);
        record.scoped_pages = false;
        assert_eq!(task_recipes(&asks, &record), with_older_hashes(&asks, &record.options, record.tenant.as_deref()));
        (record.scoped_pages, record.retries) = (true, 1);
        let first = task_recipes(&asks, &record);
        assert_eq!(first[..1], [all[0].faithful_only()]);
        record.retries = 2;
        let second = task_recipes(&asks, &record);
        assert_eq!((first.len(), second.len(), first[1] == second[1]), (2, 2, false), "each retry has its own");
    }
}
