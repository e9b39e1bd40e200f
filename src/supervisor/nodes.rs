//! The servers that use one store, as each says of itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::actor::Supervisor;
use super::role::Role;
use crate::clock::Timestamp;
use crate::pool::{GetLoad, Load};
use crate::store::{StoreError, TaskStore};

/// What a server says of itself. A field that an earlier version does not know is left out there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Node {
    /// Its name among those that share the store.
    pub name: String,
    /// The version of Bindery that it runs.
    pub version: String,
    /// What it does of their work.
    pub role: Role,
    /// When it said so, by the store's clock.
    pub at: Timestamp,
    /// Whether it takes no new work.
    pub draining: bool,
    /// Tasks that it runs.
    pub running: usize,
    /// Tasks that wait for a place there.
    pub waiting: usize,
    /// Pieces of work that wait for a worker.
    pub queued: usize,
    /// Pieces of work that are with workers.
    pub in_flight: usize,
    /// Workers for what keeps a core busy that have nothing to do.
    pub free_workers: usize,
    /// Shards of its tasks that other servers have, or are offered.
    pub exported: usize,
    /// Shards of other servers' tasks that it has.
    pub imported: usize,
}

impl Supervisor {
    /// What is to be said of this process; its load comes from the dispatcher.
    pub(super) fn node(&self) -> impl Future<Output = Node> + use<> {
        let node = Node {
            name: self.owner.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            role: self.options.role,
            at: self.clock.now(),
            draining: self.intake.is_closed(),
            running: self.active.len(),
            waiting: self.ownership.waiting(),
            ..Node::default()
        };
        let load = self.dispatcher.send(GetLoad);
        async move {
            let Load { queued, in_flight, free, exported, imported } = load.await.unwrap_or_default();
            Node { queued, in_flight, free_workers: free, exported, imported, ..node }
        }
    }
}

/// What a server says of where its files are, beside what it says of itself.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    storage: String,
}

/// Tells the others of a server and of where its files are.
pub(super) async fn announce(store: &Arc<dyn TaskStore>, node: &Node, storage: &str) -> Result<(), StoreError> {
    #[derive(Serialize)]
    struct Said<'a> {
        #[serde(flatten)]
        node: &'a Node,
        #[serde(flatten)]
        place: Place,
    }
    let place = Place { storage: storage.to_owned() };
    let about = serde_json::to_string(&Said { node, place }).unwrap_or_default();
    store.announce(&node.name, &about).await
}

/// The servers that live and have their files elsewhere than `storage`: each would miss those of the others' tasks.
pub(super) fn apart<'a>(said: &'a [(String, String)], storage: &str) -> Vec<&'a str> {
    let is_apart = |about: &str| {
        let place: Place = serde_json::from_str(about).unwrap_or_default();
        // An earlier version does not say it.
        !place.storage.is_empty() && place.storage != storage
    };
    said.iter().filter(|(_, about)| is_apart(about)).map(|(name, _)| name.as_str()).collect()
}

/// All servers that live, by name, from what they said; this one as it is now.
pub(super) fn nodes(said: &[(String, String)], own: Node) -> Vec<Node> {
    let read = |(name, about): &(String, String)| {
        // What a later version says in another way is at least there.
        let node: Node = serde_json::from_str(about).unwrap_or_default();
        Node { name: name.clone(), ..node }
    };
    let mut nodes: Vec<Node> = said.iter().map(read).filter(|node| node.name != own.name).collect();
    nodes.push(own);
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    nodes
}
