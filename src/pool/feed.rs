//! The feed: shards of one job that other servers read.
//!
//! ```text
//!  owner                                store                        another server
//!  Dispatcher ──offers what its own ──▶ entries ──takes as many ──▶ Dispatcher ─▶ worker
//!      ▲        busy workers leave                as are free          │
//!      └── keeps the pages, tells the job ◀── answers ◀────────────────┘ in one step with the entry's end
//! ```
//! Only shards that keep a core busy are offered: a call waits and needs no core, and the limits of endpoints are those of all
//! servers anyway. Nothing of it is paid for, so what is read twice costs a moment of computing; that makes the rules simple.
//! - The owner takes what it offers out of its [queue](super::FairQueue) in turn, and no more than others have workers for,
//!   and remembers it. To the job these are attempts that run. The job alone decides what comes of them.
//! - Only pages travel back. They are in the owner's ledger before its job hears of them. Of whatever went wrong
//!   elsewhere nothing is believed: the owner reads that shard itself, as the same attempt, and judges what it sees.
//! - It offers nothing of a job whose pages it finds in its ledger, nor of new ones while it finds most pages there: looking
//!   them up is less work than reading them.
//! - A server takes no part where PDFs are read in its own process: a file that ends one server would end the others, too.
//!
//! | fault | what happens |
//! |---|---|
//! | the reading server dies, or is paused | its entries are idle for a lease, and go to another server with free workers |
//! | it comes back after that | its answer is refused: it does not hold the entry any more |
//! | an entry is given out three times without an answer | its owner reads it page by page, in quarantine |
//! | the owner dies, or another one begins an epoch | entries of an epoch that has passed are dropped when they are next touched |
//! | the task is cancelled, or ends | the owner withdraws its entries; who reads one finds it gone in its next round, and stops |
//! | an answer is lost on its way | the entry is gone without an answer: the owner reads the shard itself |
//! | the store loses entries | likewise |
//! | no server takes an entry for as long as a lease | the owner takes it back |
//! | the store is unavailable for as long as a lease | the owner takes all back; what is answered later is ignored |
//! | a server of another version or with other processors | is in another group of the feed, and sees nothing of it |
//! | an entry that cannot be read at all | is left alone, and its owner hears of it after three deliveries |

pub(super) mod decide;
pub(super) mod entry;
pub(super) mod read;

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::blob::hex;
use crate::processor::Processor;
use crate::task::TaskOptions;

/// The processors of the servers that read each other's shards.
#[derive(Clone)]
pub struct FeedProcessors {
    all: Vec<Arc<dyn Processor>>,
    group: String,
}

impl FeedProcessors {
    /// Those that read shards here. Servers that have the same ones, of the same version, and read the same out of pages,
    /// are of one group.
    #[must_use]
    pub fn new(all: Vec<Arc<dyn Processor>>) -> Self {
        let mut recipes: Vec<String> = Vec::new();
        for processor in &all {
            let mut options = TaskOptions::default();
            processor.pin_defaults(&mut options);
            let local = processor.steps(&options, None).into_iter().filter(|step| step.endpoint.is_none());
            recipes.extend(local.map(|step| format!("{} {}", processor.name(), step.recipe)));
        }
        recipes.sort();
        let mut hash = Sha256::new().chain_update(entry::FORMAT.to_be_bytes()).chain_update(env!("CARGO_PKG_VERSION"));
        recipes.iter().for_each(|recipe| hash.update(Sha256::digest(recipe)));
        let group = hex(&hash.finalize()[..8]);
        Self { all, group }
    }

    /// What servers of one group have in common.
    pub(super) fn group(&self) -> &str {
        &self.group
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<dyn Processor>> {
        self.all.iter().find(|processor| processor.name() == name)
    }
}
