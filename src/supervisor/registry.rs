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

    /// Their names; the first is the default.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|processor| processor.name())
    }

    /// All of them.
    pub(crate) fn each(&self) -> impl Iterator<Item = &Arc<dyn Processor>> {
        self.0.iter()
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
        let takes = |name: &String| processor.own_options().contains(&name.as_str());
        if let Some(name) = options.extra.keys().find(|name| !takes(name)) {
            let known = processor.own_options().join(", ");
            let known =
                if known.is_empty() { "it has no options of its own".to_owned() } else { format!("it takes {known}") };
            let message = format!("option extra.{name}: unknown to the processor {}; {known}", processor.name());
            return Err(Failure::permanent(code::BAD_OPTION, message));
        }
        processor.check(options).map(|()| processor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::{ScriptedProcessor, TextProcessor, WorkKind};

    #[test]
    fn the_first_processor_is_the_default_and_a_later_one_of_its_name_replaces_it() {
        let scripted = || Arc::new(ScriptedProcessor::new(WorkKind::Cpu));
        let (first, mut processors) = (scripted(), Processors::default());
        let name = first.name();
        assert!(processors.is_empty());
        processors.add(first.clone());
        assert!(!processors.is_empty());
        processors.add_first(Arc::new(TextProcessor));
        assert_eq!(processors.names().collect::<Vec<_>>(), ["text", name]);
        let latest: Arc<dyn Processor> = scripted();
        processors.add(Arc::clone(&latest));
        assert!(Arc::ptr_eq(processors.get(name).unwrap(), &latest));
        processors.add_first(Arc::clone(&latest));
        assert_eq!(processors.names().collect::<Vec<_>>(), [name, "text"]);
        assert_eq!(processors.choose(&TaskOptions::default()).unwrap().name(), name);
    }
}
