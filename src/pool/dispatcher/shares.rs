//! Asking the store for this server's share of what endpoints allow to all servers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use super::Dispatcher;
use crate::pool::feed::FeedProcessors;
use crate::store::{ShareRequest, StoreError, TaskStore};

/// A store that takes longer than this to answer is unavailable: a share counts for no longer.
const SHARE_TIMEOUT: Duration = Duration::from_secs(2);

/// What is needed to work together with other servers.
#[derive(Clone)]
pub struct Peers {
    /// The store of all of them.
    pub store: Arc<dyn TaskStore>,
    /// The name of this process in it.
    pub server: String,
    /// The process that had its place before, and is dead.
    pub predecessor: Option<String>,
    /// What reads the shards of others, where servers read each other's.
    pub feed: Option<FeedProcessors>,
}

impl Dispatcher {
    /// Asks for the shares that are due, and comes back when the next one is.
    pub(super) fn ask_shares(&mut self, ctx: &mut Context<Self>) {
        let Some(shared) = &self.shared else { return };
        let hedges = &self.calls.hedges;
        let second = |name: &str| hedges.iter().filter(|(of, answer)| of == name && !answer.is_closed()).count();
        let (asked, next) = self.calls.endpoints.ask(self.calls.free, second, Instant::now());
        for request in asked {
            let (server, predecessor) = (shared.server.clone(), shared.predecessor.clone());
            let request = ShareRequest { server, predecessor, ..request };
            let (store, name) = (Arc::clone(&shared.store), request.endpoint.clone());
            let share = async move {
                let late = |_| Err(StoreError::Unavailable("no answer in time".to_owned()));
                tokio::time::timeout(SHARE_TIMEOUT, store.share(&request)).await.unwrap_or_else(late)
            };
            ctx.spawn(share.into_actor(self).map(move |share, this, ctx| {
                if let Err(why) = &share {
                    log::warn!(endpoint = name.as_str(); "there is no new share of the endpoint's limits: {why}");
                }
                this.calls.endpoints.granted(&name, &share, Instant::now());
                this.pump_calls(ctx);
            }));
        }
        self.ask_shares_at(next, ctx);
    }

    fn ask_shares_at(&mut self, at: Option<Instant>, ctx: &mut Context<Self>) {
        let Some(at) = at else { return };
        if let Some((earlier, timer)) = self.shares_timer.take() {
            if earlier <= at && earlier > Instant::now() {
                self.shares_timer = Some((earlier, timer));
                return;
            }
            ctx.cancel_future(timer);
        }
        let timer = ctx.run_later(at.saturating_duration_since(Instant::now()), |this, ctx| {
            this.shares_timer = None;
            this.pump_calls(ctx);
        });
        self.shares_timer = Some((at, timer));
    }
}
