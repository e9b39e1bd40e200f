//! The composition root: the only place where stores, blobs and processors become one running Bindery.

#[cfg(feature = "cli")]
mod configured;

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Arbiter};
use tokio::sync::watch;
use uuid::Uuid;

use crate::blob::{LocalBlob, NodeName};
use crate::document::Readers;
use crate::ledger::Ledger;
use crate::pool::{CrashJournal, Dispatcher, Drain, FeedProcessors, GetLoad, Peers, PoolOptions};
#[cfg(feature = "cli")]
use crate::processor::LlmProcessor;
use crate::processor::{Processor, TextProcessor};
use crate::store::{MeasuredStore, TaskStore};
use crate::supervisor::{
    self, DrainTasks, Handle, Outside, PairingError, Processors, Rebuilt, Role, Supervisor, SupervisorOptions,
    SupervisorParts, crash_journal_key,
};

/// How long a stop waits for things that normally take no time: cancelled attempts to end, last writes to land.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// A running Bindery. All of [`Handle`]'s methods can be called on it.
///
/// It lives in the actix [`System`](actix::System) it was started in. Dropping it stops nothing; see [`Self::stop`].
pub struct Bindery {
    handle: Handle,
    supervisor: Addr<Supervisor>,
    dispatcher: Addr<Dispatcher>,
    arbiters: [Arbiter; 3],
    store: Arc<dyn TaskStore>,
    blob: LocalBlob,
    owner: String,
    #[cfg(feature = "cli")]
    llm: Option<Arc<LlmProcessor>>,
    /// Keeps others from taking it.
    _name: Option<NodeName>,
    /// Closed when the actor is gone.
    alive: [watch::Receiver<usize>; 2],
}

/// What a Bindery is made of. `S` and `B` hold the store and the blob store once they are given; without both there is
/// no `start`.
pub struct Builder<S = (), B = ()> {
    store: S,
    blob: B,
    parts: Parts,
}

/// All of it but the store and the blob store.
struct Parts {
    ledger: Option<Ledger>,
    processors: Processors,
    pool: PoolOptions,
    readers: Readers,
    options: SupervisorOptions,
    #[cfg(feature = "cli")]
    llm: Option<Arc<LlmProcessor>>,
}

impl Bindery {
    /// Begins to put one together.
    #[must_use]
    pub fn builder() -> Builder {
        let parts = Parts {
            ledger: None,
            processors: Processors::default(),
            pool: PoolOptions::default(),
            readers: Readers::in_process(),
            options: SupervisorOptions::default(),
            #[cfg(feature = "cli")]
            llm: None,
        };
        Builder { store: (), blob: (), parts }
    }

    /// The processor that calls the endpoint of the configuration that it was made of; `None` without an endpoint.
    #[cfg(feature = "cli")]
    #[must_use]
    pub const fn llm(&self) -> Option<&Arc<LlmProcessor>> {
        self.llm.as_ref()
    }

    /// A handle for other threads and tasks.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Returns when one of its actors has crashed. Nothing durable is lost by that, but nothing goes on either: the
    /// process should end and be started again.
    pub async fn crashed(&self) {
        let gone = |alive: &watch::Receiver<usize>| {
            let mut alive = alive.clone();
            async move { while alive.changed().await.is_ok() {} }
        };
        let [supervisor, dispatcher] = &self.alive;
        futures::future::select(Box::pin(gone(supervisor)), Box::pin(gone(dispatcher))).await;
    }

    /// Stops in order: takes no new task, begins no new attempt, lets attempts in flight finish for at most `drain`,
    /// tells the rest to stop, writes what is known, ends its threads. Unfinished tasks go on at the next start on the
    /// same store.
    pub async fn stop(self, drain: Duration) {
        let supervisor = self.supervisor.clone();
        let settle = |stop_jobs| {
            let settled = supervisor.send(DrainTasks { stop_jobs });
            async { tokio::time::timeout(LAST_WORDS, settled).await.is_ok() }
        };
        let draining = tokio::time::timeout(drain, self.dispatcher.send(Drain));
        let (drained, _) = futures::join!(draining, settle(false));
        if let (Err(_), Ok(load)) = (drained, self.dispatcher.send(GetLoad).await)
            && load.in_flight > 0
        {
            let attempts = load.in_flight;
            log::warn!(attempts; "attempts outlast the drain time: they are stopped and will be made again");
        }
        settle(true).await;
        let _ = tokio::time::timeout(LAST_WORDS, self.dispatcher.send(Drain)).await;
        if !settle(true).await {
            log::warn!("the store did not take the last writes: the tasks go on from the ledger at the next start");
        }
        if tokio::time::timeout(LAST_WORDS, self.store.leave(&self.owner)).await.is_err() {
            log::info!("the store does not answer: others will notice by themselves that this process is gone");
        }
        for arbiter in self.arbiters {
            arbiter.stop();
            let _ = tokio::task::spawn_blocking(move || arbiter.join()).await;
        }
        // Nothing is in flight any more, so what was needs no record.
        let (blob, key) = (self.blob, crash_journal_key(&self.owner));
        let _ = tokio::task::spawn_blocking(move || blob.remove(&key)).await;
    }
}

impl Deref for Bindery {
    type Target = Handle;

    fn deref(&self) -> &Handle {
        &self.handle
    }
}

impl<S, B> Builder<S, B> {
    /// Where task records live.
    #[must_use]
    pub fn store(self, store: impl TaskStore) -> Builder<Arc<dyn TaskStore>, B> {
        Builder { store: Arc::new(store), blob: self.blob, parts: self.parts }
    }

    /// Where sources and results live, and the ledger unless it is given its own place.
    #[must_use]
    pub fn blob(self, blob: LocalBlob) -> Builder<S, LocalBlob> {
        Builder { store: self.store, blob, parts: self.parts }
    }

    /// Where the pages that were read are kept for other tasks, if not with sources and results: for example a place that
    /// several processes share.
    #[must_use]
    pub fn ledger(mut self, blob: LocalBlob) -> Self {
        self.parts.ledger = Some(Ledger::new(blob));
        self
    }

    /// Adds a processor. The first one is the default of tasks that name none; without any there is
    /// [`TextProcessor`].
    #[must_use]
    pub fn processor(mut self, processor: impl Processor) -> Self {
        self.parts.processors.add(Arc::new(processor));
        self
    }

    /// How many workers there are.
    #[must_use]
    pub const fn pool(mut self, pool: PoolOptions) -> Self {
        self.parts.pool = pool;
        self
    }

    /// Where PDFs are read: in this process unless something else is said. The `bindery` command reads them in
    /// processes of their own, so that no file can hang a worker or end the server; a program that embeds Bindery can do
    /// the same with the `bindery` program beside it.
    #[must_use]
    pub fn readers(mut self, readers: Readers) -> Self {
        self.parts.readers = readers;
        self
    }

    /// Limits and times.
    #[must_use]
    pub fn options(mut self, options: SupervisorOptions) -> Self {
        self.parts.options = options;
        self
    }
}

impl Builder<Arc<dyn TaskStore>, LocalBlob> {
    /// Makes sure that the files belong to this store and to no other one, whose records would not fit them. A server
    /// does so before it starts. With `rebuild`, an empty store may take the place of another one, and one of this
    /// process alone gets its records from the tasks' folders now; a shared one gets them from the janitor, by and by.
    /// Processors are told what the store has of their models.
    ///
    /// # Errors
    /// A sentence that says what belongs together, or that the store does not answer.
    pub async fn paired(self, rebuild: bool) -> Result<Self, PairingError> {
        supervisor::pair(self.store.as_ref(), &self.blob, rebuild).await?;
        if rebuild && self.store.lease().is_none() {
            let Rebuilt { restored, known, unreadable } = supervisor::rebuild(self.store.as_ref(), &self.blob).await?;
            log::warn!(restored, known, unreadable; "made the records of tasks again from their folders");
        }
        // Before anything is asked of a model: what it refuses is known.
        supervisor::recall(self.store.as_ref(), &self.parts.processors).await?;
        Ok(self)
    }

    /// Starts the actors on threads of their own, and the store's unfinished tasks.
    ///
    /// # Panics
    /// Outside an actix [`System`](actix::System): run it in `#[actix::main]` or `#[actix_web::main]`.
    #[must_use]
    pub fn start(self) -> Bindery {
        let mut parts = self.parts;
        if parts.processors.is_empty() {
            parts.processors.add(Arc::new(TextProcessor));
        }
        let ledger = parts.ledger.unwrap_or_else(|| Ledger::new(self.blob.clone()));
        let (owner, name) = own_name(&self.blob, &parts.options.node);
        let predecessor = name.as_ref().and_then(|name| name.predecessor().map(str::to_owned));
        let journal = self.blob.create(&crash_journal_key(&owner)).map(CrashJournal::in_file);
        let journal = journal.unwrap_or_else(|why| {
            log::warn!("a page that kills the process will not be found: {why}");
            CrashJournal::none()
        });
        // The hot actors have threads of their own: a mailbox has no time budget and would starve its neighbours.
        let arbiters = [Arbiter::new(), Arbiter::new(), Arbiter::new()];
        let (pool, readers, blob, pages) = (parts.pool, parts.readers, self.blob.clone(), ledger.clone());
        let in_flight = watch::Sender::new(0);
        let (dispatching, opened_by) = (in_flight.subscribe(), readers.clone());
        let store: Arc<dyn TaskStore> = Arc::new(MeasuredStore(self.store));
        // A file that ends a server that reads it itself would end the others, too.
        let role = if store.lease().is_some() { parts.options.role } else { Role::All };
        parts.options.role = role;
        let exchanges = self.blob.is_shared() && readers.are_processes() && role.runs_tasks();
        let feed = || exchanges.then(|| FeedProcessors::new(parts.processors.each().cloned().collect()));
        let shared = store.lease().map(|_| Peers {
            store: Arc::clone(&store),
            server: owner.clone(),
            predecessor,
            feed: feed(),
        });
        let dispatcher = Dispatcher::start_in_arbiter(&arbiters[0].handle(), move |_| {
            Dispatcher::new(pool, blob, pages, journal, readers, shared, in_flight)
        });
        let counts_requests = parts.options.tenant.requests_per_minute.is_some();
        let outside = (parts.options.limits, counts_requests, role, Outside::new(&parts.options));
        let sharing = parts.options.ledger_sharing;
        let state = Supervisor::new(SupervisorParts {
            store: Arc::clone(&store),
            blob: self.blob.clone(),
            ledger: ledger.clone(),
            processors: parts.processors.clone(),
            dispatcher: dispatcher.clone(),
            jobs: arbiters[2].handle(),
            readers: opened_by,
            owner: owner.clone(),
            options: parts.options,
        });
        let alive = [state.flushed(), dispatching];
        let supervisor = Supervisor::start_in_arbiter(&arbiters[1].handle(), move |_| state);
        let handle = Handle::new(supervisor.clone(), self.blob.clone(), (ledger, sharing), parts.processors, outside);
        let blob = self.blob;
        Bindery {
            handle,
            supervisor,
            dispatcher,
            arbiters,
            store,
            blob,
            owner,
            #[cfg(feature = "cli")]
            llm: parts.llm,
            _name: name,
            alive,
        }
    }
}

/// The name of this process. Without lock files it is still one that no other has; then it cannot be known that its
/// predecessor is dead, and leases have to end by themselves.
fn own_name(blob: &LocalBlob, wanted: &str) -> (String, Option<NodeName>) {
    match blob.take_name(wanted) {
        Ok(name) => (name.owner().to_owned(), Some(name)),
        Err(why) => {
            log::warn!("no name of its own for this process: {why}");
            let unique = Uuid::now_v7().simple();
            (format!("{unique}#{unique}"), None)
        }
    }
}
