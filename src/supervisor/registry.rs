//! The processors that tasks can choose.

use std::sync::Arc;

use crate::processor::Processor;
use crate::task::{Failure, TaskOptions, code};

/// Processors by name. The first one added is the default.
#[derive(Clone, Default)]
pub struct Processors(Vec<Arc<dyn Processor>>);

impl Processors {
    /// Adds one; a later one of the same name takes the place of an earlier one.
    pub fn add(&mut self, processor: Arc<dyn Processor>) {
        match self.0.iter_mut().find(|known| known.name() == processor.name()) {
            Some(known) => *known = processor,
            None => self.0.push(processor),
        }
    }

    /// Adds one as the default.
    pub fn add_first(&mut self, processor: Arc<dyn Processor>) {
        self.0.retain(|known| known.name() != processor.name());
        self.0.insert(0, processor);
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The processor of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<dyn Processor>> {
        self.0.iter().find(|processor| processor.name() == name)
    }

    /// The processor that `options` choose, or the default one, if it can carry them out.
    ///
    /// # Errors
    /// `bad_option` when there is none of that name, or it refuses the options.
    pub fn choose(&self, options: &TaskOptions) -> Result<&Arc<dyn Processor>, Failure> {
        let default = || {
            // A task that names a model wants it where the text layer does not do.
            let first = self.0.first();
            let only_text = options.model.is_some() && first.is_some_and(|first| first.name() == "text");
            only_text.then(|| self.get("auto")).flatten().or(first)
        };
        let chosen = options.processor.as_ref().map_or_else(default, |name| self.get(name));
        let processor = chosen.ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|processor| processor.name()).collect();
            let asked = options.processor.as_deref().unwrap_or_default();
            let hint = if ["llm", "auto"].contains(&asked) { " (set BINDERY_LLM_BASE_URL to have it)" } else { "" };
            let message = format!("option processor: there is no {asked:?}; there is {}{hint}", names.join(", "));
            Failure::permanent(code::BAD_OPTION, message)
        })?;
        processor.check(options).map(|()| processor)
    }
}
