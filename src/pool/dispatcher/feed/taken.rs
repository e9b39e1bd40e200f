//! Reading the shards of other servers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::pool::dispatcher::{Dispatcher, Item};
use crate::pool::execute::Executor;
use crate::pool::feed::entry::Entry;
use crate::pool::feed::read::ReadForOwner;
use crate::store::{FeedAnswer, FeedEntry, FeedReply, HeldEntry};

/// An entry of another server.
pub(super) struct Taken {
    pub(super) held: HeldEntry,
    pub(super) cancel: CancellationToken,
    pub(super) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It waits for a worker.
    Ahead,
    /// A worker reads it.
    Reading,
    /// Its owner is being told.
    Answering,
}

impl Dispatcher {
    /// Puts a shard of another server into the queue, as if it were of a task of this one.
    pub(super) fn take_entry(&mut self, FeedEntry { id, shard }: FeedEntry, ctx: &mut Context<Self>) {
        let Some(feed) = &mut self.feed else { return };
        // One that is here already was paused for longer than a lease, together with this server.
        if feed.taken.contains_key(&id) {
            return;
        }
        let Some(entry) = Entry::decode(&shard.body) else {
            log::warn!(task:% = shard.task; "a shard of another server cannot be read as one, and is left alone");
            return;
        };
        let cancel = CancellationToken::new();
        let held = HeldEntry::new(id.clone(), shard.task, shard.epoch);
        let taken = Taken { held, cancel: cancel.clone(), stage: Stage::Ahead };
        feed.taken.insert(id.clone(), taken);
        let document = feed.documents.get_mut(&shard.task).map(|(document, used)| {
            *used = Instant::now();
            Arc::clone(document)
        });
        let (tenant, priority, processors) =
            (entry.job.tenant.clone(), entry.job.options.priority, feed.processors.clone());
        let (done, read) = oneshot::channel();
        let query = Box::new(move |executor: &Executor| {
            drop(done.send(executor.read_for_owner(&entry, &processors, document, cancel)));
        });
        self.cpu.queue.push(&tenant, shard.task, priority, Item::Import(id.clone(), query));
        ctx.spawn(read.into_actor(self).map(move |read, this, ctx| match read {
            Ok(read) => this.answer(id, read, ctx),
            // It was dropped with what waited here.
            Err(_) => this.give_back(id, ctx),
        }));
    }

    /// A worker has a shard of another server now.
    pub(in crate::pool::dispatcher) fn begin_entry(&mut self, id: &str) {
        if let Some(taken) = self.feed.as_mut().and_then(|feed| feed.taken.get_mut(id)) {
            taken.stage = Stage::Reading;
        }
    }

    /// Tells the owner what was read; until then it counts as being in flight.
    fn answer(&mut self, id: String, read: ReadForOwner, ctx: &mut Context<Self>) {
        let Some(feed) = &mut self.feed else { return };
        let ReadForOwner { answer, document, took } = read;
        let Some(taken) = feed.taken.get_mut(&id) else { return };
        taken.stage = Stage::Answering;
        if let Some(document) = document {
            feed.documents.insert(taken.held.task, (document, Instant::now()));
        }
        let is_over = taken.cancel.is_cancelled();
        let reply = answer.map_or(FeedReply::Refused, FeedReply::Answer);
        let held = taken.held.clone();
        if matches!(reply, FeedReply::Answer(_)) {
            feed.took = Some(took);
        }
        let (store, group, server) = (Arc::clone(&feed.store), feed.processors.group().to_owned(), feed.server.clone());
        let answered = async move {
            if is_over {
                return Ok(false);
            }
            store.feed_answer(&FeedAnswer::new(group, server, held, reply)).await
        };
        ctx.spawn(answered.into_actor(self).map(move |answered, this, ctx| {
            match answered {
                Ok(true) => metrics::feed_shard("imported"),
                Ok(false) => log::debug!("a shard was read that is not wanted any more"),
                Err(why) => log::info!("a shard was read for another server, which cannot be told: {why}"),
            }
            if let Some(feed) = &mut this.feed {
                feed.taken.remove(&id);
            }
            this.in_flight.send_modify(|count| *count -= 1);
            this.feed_at(Duration::ZERO, ctx);
        }));
    }

    fn give_back(&mut self, id: String, ctx: &mut Context<Self>) {
        let taken = self.feed.as_mut().and_then(|feed| feed.taken.remove(&id));
        if taken.is_some_and(|taken| taken.stage == Stage::Reading) {
            self.in_flight.send_modify(|count| *count -= 1);
        }
        if let Some(feed) = &mut self.feed {
            feed.given_back.push(id);
        }
        self.feed_at(Duration::ZERO, ctx);
    }
}
