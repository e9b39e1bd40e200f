//! What processors learn of the endpoints and models that they ask, for the other servers of a store and the next start: so it
//! is paid for once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::Context;
use futures::future::LocalBoxFuture;
use serde_json::Value;

use super::actor::Supervisor;
use super::registry::Processors;
use super::rounds::Round;
use crate::store::{StoreError, TaskStore};

/// How soon a lesson is with the others.
const EVERY: Duration = Duration::from_secs(2);
/// What the names of lessons begin with, among other notes.
const LESSON: &str = "model ";

/// Lessons by their names.
type Lessons = BTreeMap<String, Value>;

/// Keeps what processors learn, and has them learn what others did.
pub(super) struct ShareLessons;

impl Round for ShareLessons {
    /// What the store has; nothing when it does not answer.
    type Outcome = Result<Lessons, StoreError>;

    const PAUSE: Duration = EVERY;

    fn decide(
        supervisor: &mut Supervisor,
        _: &mut Context<Supervisor>,
    ) -> Option<LocalBoxFuture<'static, Self::Outcome>> {
        let (store, own) = (Arc::clone(&supervisor.store), learnt(&supervisor.processors));
        Some(Box::pin(async move {
            let known = read(store.as_ref()).await?;
            for (name, lesson) in own.iter().filter(|(name, lesson)| known.get(*name) != Some(*lesson)) {
                store.keep_note(name, Some(&lesson.to_string())).await?;
            }
            Ok(known)
        }))
    }

    fn report(supervisor: &mut Supervisor, outcome: Self::Outcome, _: &mut Context<Supervisor>) -> Duration {
        match outcome {
            Ok(known) => take(&supervisor.processors, &known),
            // The next round comes soon, and what is not shared is learnt by each.
            Err(why) => log::debug!("what models take is not shared now: {why}"),
        }
        EVERY
    }
}

/// Has processors learn what the store has, before they ask anything.
pub(crate) async fn recall(store: &dyn TaskStore, processors: &Processors) -> Result<(), StoreError> {
    take(processors, &read(store).await?);
    Ok(())
}

fn take(processors: &Processors, known: &Lessons) {
    let lessons: Vec<Value> = known.values().cloned().collect();
    processors.each().for_each(|processor| processor.take_learnt(&lessons));
}

fn learnt(processors: &Processors) -> Lessons {
    let said = |value: &Value, field: &str| value[field].as_str().unwrap_or_default().to_owned();
    let name = |lesson: &Value| format!("{LESSON}{} {}", said(lesson, "endpoint"), said(lesson, "model"));
    processors.each().flat_map(|processor| processor.learnt()).map(|lesson| (name(&lesson), lesson)).collect()
}

async fn read(store: &dyn TaskStore) -> Result<Lessons, StoreError> {
    let notes = store.notes().await?.into_iter().filter(|(name, _)| name.starts_with(LESSON));
    Ok(notes.filter_map(|(name, note)| Some((name, serde_json::from_str(&note).ok()?))).collect())
}
