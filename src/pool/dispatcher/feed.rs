//! Offering shards to other servers and reading theirs; see [the feed](crate::pool::feed).

mod taken;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};

use self::taken::{Stage, Taken};
use super::{Dispatcher, Item};
use crate::document::Document;
use crate::metrics;
use crate::pool::execute::Executor;
use crate::pool::feed::FeedProcessors;
use crate::pool::feed::decide::{Fate, Here, Out, offered, pause};
use crate::pool::feed::entry;
use crate::pool::work::{JobWork, PoolEvent, ShardResult, Work};
use crate::store::{FeedNews, FeedReply, FeedRound, FeedShard, StoreError, TaskStore};
use crate::task::{FigureForm, TaskId};

/// Rounds are at least so far apart.
const GAP: Duration = Duration::from_millis(5);
/// What was heard longer ago says nothing of workers elsewhere.
const NEWS: Duration = Duration::from_secs(2);
/// An opened document of which no shard comes for so long is closed.
const DOCUMENT_STAYS: Duration = Duration::from_secs(5);

/// The feed, as this server sees it.
pub(super) struct Feed {
    store: Arc<dyn TaskStore>,
    server: String,
    lease: Duration,
    processors: FeedProcessors,
    executor: Executor,
    /// Shards that others are to read.
    pub(super) out: Out<JobWork>,
    /// Entries of others that are here.
    taken: HashMap<String, Taken>,
    /// Documents that they are of, and when each was used last.
    documents: HashMap<TaskId, (Arc<Document>, Instant)>,
    /// What is said in the next round.
    withdrawn: Vec<String>,
    given_back: Vec<String>,
    /// Workers of others, and entries that wait, as was heard last.
    elsewhere: Option<(u32, Instant)>,
    waiting: u32,
    /// When the store answered last.
    heard: Instant,
    /// How long the last shard took that went through the feed.
    took: Option<Duration>,
    /// When it was last asked which entries are still there.
    asked: Instant,
    is_asking: bool,
    timer: Option<(Instant, SpawnHandle)>,
    last: Instant,
}

impl Feed {
    pub(super) fn new(
        store: Arc<dyn TaskStore>,
        server: String,
        lease: Duration,
        processors: FeedProcessors,
        executor: Executor,
    ) -> Self {
        let now = Instant::now();
        Self {
            store,
            server,
            lease,
            processors,
            executor,
            out: Out::new(),
            taken: HashMap::new(),
            documents: HashMap::new(),
            withdrawn: Vec::new(),
            given_back: Vec::new(),
            elsewhere: None,
            waiting: 0,
            heard: now,
            took: None,
            asked: now,
            is_asking: false,
            timer: None,
            last: now,
        }
    }

    /// Entries of others that are here.
    pub(super) fn taken(&self) -> usize {
        self.taken.len()
    }

    fn at(&self, stage: Stage) -> usize {
        self.taken.values().filter(|taken| taken.stage == stage).count()
    }

    /// Workers of others, unless it was too long ago that they were heard of.
    fn elsewhere(&self) -> Option<u32> {
        self.elsewhere.filter(|(_, at)| at.elapsed() < NEWS).map(|(workers, _)| workers)
    }

    /// Whether a piece of work may be read elsewhere.
    fn may_go(&self, item: &Item) -> bool {
        let Item::Job(work) = item else { return false };
        let (Work::Shard(shard), spec) = (&work.work, &work.spec) else { return false };
        // Looking a page up is less work than reading it. Of a job that has not begun the others are what there is to go by.
        let is_new = spec.lookups.are_misses().or_else(|| self.executor.lookups.are_misses()).unwrap_or(true);
        // The files of figures would have to travel, too.
        let has_files = spec.options.images == Some(FigureForm::Extract);
        !work.stays
            && !shard.quarantined
            && spec.step(shard).endpoint.is_none()
            && !has_files
            && spec.processor.is_isolated()
            && self.processors.get(&spec.processor_name).is_some()
            && is_new
            && spec.lease.holds()
            && !spec.cancel.is_cancelled()
    }

    /// What is to be said now. What does not arrive is said again.
    fn round(&mut self, here: Here, draining: bool) -> FeedRound {
        let now = Instant::now();
        let is_due = now.duration_since(self.asked) >= self.lease / 3;
        if is_due {
            self.asked = now;
        }
        self.documents.retain(|task, (_, used)| {
            used.elapsed() < DOCUMENT_STAYS || self.taken.values().any(|taken| taken.held.task == *task)
        });
        let [capacity, wanted] = if draining { [0; 2] } else { [here.capacity(), here.wanted(self.took)] };
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        FeedRound {
            group: self.processors.group().to_owned(),
            server: self.server.clone(),
            capacity: count(capacity),
            looks: here.offers() && !draining,
            wanted: count(wanted),
            held: self
                .taken
                .values()
                .filter(|taken| !taken.cancel.is_cancelled())
                .map(|taken| taken.held.clone())
                .collect(),
            given_back: std::mem::take(&mut self.given_back),
            withdrawn: std::mem::take(&mut self.withdrawn),
            asked: if is_due { self.out.ids() } else { Vec::new() },
            overdue: if is_due { self.out.overdue(now, self.lease) } else { Vec::new() },
        }
    }
}

impl Dispatcher {
    fn here(&self) -> Here {
        let [reading, ahead] =
            [Stage::Reading, Stage::Ahead].map(|stage| self.feed.as_ref().map_or(0, |f| f.at(stage)));
        Here { free: self.cpu.free, queued: self.cpu.queue.len().saturating_sub(ahead), reading, ahead }
    }

    /// Offers what its workers leave, and has the next round come in time. For after every change of the queue.
    pub(super) fn feed(&mut self, ctx: &mut Context<Self>) {
        self.offer(ctx);
        let here = if self.draining { Here { queued: 0, ..self.here() } } else { self.here() };
        let Some(feed) = &self.feed else { return };
        self.feed_at(pause(here, feed.elsewhere(), feed.out.len(), feed.took), ctx);
    }

    fn feed_at(&mut self, after: Duration, ctx: &mut Context<Self>) {
        let Some(feed) = self.feed.as_mut().filter(|feed| !feed.is_asking) else { return };
        let at = (Instant::now() + after).max(feed.last + GAP);
        if let Some((earlier, timer)) = feed.timer.take() {
            if earlier <= at {
                feed.timer = Some((earlier, timer));
                return;
            }
            ctx.cancel_future(timer);
        }
        let timer = ctx.run_later(at.saturating_duration_since(Instant::now()), |this, ctx| {
            if let Some(feed) = &mut this.feed {
                feed.timer = None;
            }
            this.feed_round(ctx);
        });
        feed.timer = Some((at, timer));
    }

    fn offer(&mut self, ctx: &mut Context<Self>) {
        let here = self.here();
        let Some(feed) = self.feed.as_mut().filter(|_| !self.draining) else { return };
        let Some(elsewhere) = feed.elsewhere() else { return };
        let (mut works, mut shards) = (Vec::new(), Vec::new());
        for _ in 0..offered(here, elsewhere, feed.waiting, feed.took) {
            let Some((task, Item::Job(mut work))) = self.cpu.queue.pop_if(|item| feed.may_go(item)) else { break };
            let Work::Shard(shard) = &work.work else { continue };
            if let Some(body) = entry::encode(&work.spec, shard) {
                shards.push(FeedShard::new(feed.server.clone(), task, work.spec.epoch, body));
                works.push(work);
            } else {
                work.stays = true;
                let (tenant, priority) = (work.spec.tenant.clone(), work.spec.options.priority);
                self.cpu.queue.push_first(&tenant, task, priority, Item::Job(work));
            }
        }
        if works.is_empty() {
            return;
        }
        feed.waiting = feed.waiting.saturating_add(u32::try_from(works.len()).unwrap_or(u32::MAX));
        let (store, group) = (Arc::clone(&feed.store), feed.processors.group().to_owned());
        let exported = async move { store.feed_export(&group, &shards).await };
        ctx.spawn(exported.into_actor(self).map(move |ids, this, ctx| this.exported(ids, works, ctx)));
    }

    fn exported(&mut self, ids: Result<Vec<String>, StoreError>, works: Vec<JobWork>, ctx: &mut Context<Self>) {
        let ids = match ids {
            Ok(ids) if ids.len() == works.len() => ids,
            Ok(_) => Vec::new(),
            Err(why) => {
                log::info!("shards are not offered to other servers: {why}");
                if let Some(feed) = &mut self.feed {
                    feed.elsewhere = Some((0, Instant::now()));
                }
                Vec::new()
            }
        };
        let mut ids = ids.into_iter();
        for work in works {
            let is_over = self.draining || work.spec.cancel.is_cancelled();
            match (&mut self.feed, ids.next()) {
                (Some(feed), Some(id)) if is_over => feed.withdrawn.push(id),
                (Some(feed), Some(id)) => {
                    metrics::feed_shard("exported");
                    tell(&work, |index, attempt| PoolEvent::Started { index, attempt });
                    feed.out.add(id, work.spec.task, work, Instant::now());
                }
                _ if is_over => {}
                _ => self.push(work, true),
            }
        }
        self.pump(false, ctx);
    }

    pub(super) fn feed_round(&mut self, ctx: &mut Context<Self>) {
        let (here, draining) = (self.here(), self.draining);
        let Some(feed) = self.feed.as_mut().filter(|feed| !feed.is_asking) else { return };
        (feed.is_asking, feed.last) = (true, Instant::now());
        let (store, round) = (Arc::clone(&feed.store), feed.round(here, draining));
        let heard = async move {
            let news = store.feed_round(&round).await;
            (news, round)
        };
        ctx.spawn(heard.into_actor(self).map(|(news, round), this, ctx| {
            match (news, &mut this.feed) {
                (_, None) => return,
                (Ok(None), feed) => {
                    *feed = None;
                    return;
                }
                (Ok(Some(news)), Some(feed)) => {
                    (feed.is_asking, feed.heard) = (false, Instant::now());
                    this.take_in(news, ctx);
                }
                (Err(why), Some(feed)) => {
                    log::debug!("no round of the feed: {why}");
                    feed.is_asking = false;
                    feed.elsewhere = Some((0, Instant::now()));
                    feed.withdrawn.extend(round.withdrawn);
                    feed.given_back.extend(round.given_back);
                    this.take_back_after_lease();
                }
            }
            this.pump(true, ctx);
            this.pump(false, ctx);
        }));
    }

    /// Without a word from the store for a lease, what is out may be lost.
    fn take_back_after_lease(&mut self) {
        let Some(feed) = self.feed.as_mut().filter(|feed| feed.heard.elapsed() > feed.lease) else { return };
        for (id, work) in feed.out.take_all() {
            if let Some(feed) = &mut self.feed {
                feed.withdrawn.push(id);
            }
            self.put_back(work, Fate::Again);
        }
    }

    fn take_in(&mut self, news: FeedNews, ctx: &mut Context<Self>) {
        let Some(feed) = &mut self.feed else { return };
        feed.waiting = news.waiting;
        if let Some(workers) = news.capacity_elsewhere {
            feed.elsewhere = Some((workers, Instant::now()));
        }
        news.lost.iter().filter_map(|id| feed.taken.get(id)).for_each(|taken| taken.cancel.cancel());
        let gone = news.gone.into_iter().map(|id| (id, None));
        let ended: Vec<_> = news.replies.into_iter().map(|(id, reply)| (id, Some(reply))).chain(gone).collect();
        for (id, reply) in ended {
            // What is not out any more was taken back, or belongs to a job that is over.
            let Some(work) = self.feed.as_mut().and_then(|feed| feed.out.take(&id)) else { continue };
            match (Fate::of(reply.as_ref()), reply) {
                (Fate::Keep, Some(FeedReply::Answer(body))) => self.keep_answer(work, body, ctx),
                (fate, _) => self.put_back(work, fate),
            }
        }
        news.entries.into_iter().for_each(|entry| self.take_entry(entry, ctx));
    }

    /// Has an attempt wait here again that was out.
    fn put_back(&mut self, mut work: JobWork, fate: Fate) {
        metrics::feed_shard("taken_back");
        if work.spec.cancel.is_cancelled() {
            return tell_cancelled(work);
        }
        tell(&work, |index, attempt| PoolEvent::Requeued { index, attempt });
        if self.draining {
            return;
        }
        work.stays |= fate != Fate::Again;
        if let Work::Shard(shard) = &mut work.work
            && fate == Fate::Quarantine
        {
            let (task, first, last) = (work.spec.task, shard.shard.first, shard.shard.last);
            log::warn!(task:%, first, last; "no server answers for these pages: they are read one by one");
            shard.quarantined = true;
        }
        work.queued = Instant::now();
        self.push(work, true);
    }

    /// Keeps what another server has read, then tells the job.
    fn keep_answer(&mut self, work: JobWork, body: Vec<u8>, ctx: &mut Context<Self>) {
        let Some(executor) = self.feed.as_ref().map(|feed| feed.executor.clone()) else { return };
        let kept = tokio::task::spawn_blocking(move || {
            let Work::Shard(shard) = &work.work else { return (work, None) };
            let keep = || executor.keep_answer(&work.spec, shard, &body);
            let kept = catch_unwind(AssertUnwindSafe(keep)).unwrap_or(None);
            (work, kept)
        });
        let told = async move {
            let (work, kept) = kept.await.ok()?;
            let (Work::Shard(shard), Some((result, took))) = (&work.work, kept) else { return Some(Err(work)) };
            let _ = work.events.send(PoolEvent::ShardDone(work.spec.shard_done(shard, result, &[]))).await;
            Some(Ok(took))
        };
        ctx.spawn(told.into_actor(self).map(|told, this, ctx| {
            match (told, &mut this.feed) {
                (Some(Ok(took)), Some(feed)) => {
                    metrics::feed_shard("answered");
                    feed.took = Some(took);
                }
                (Some(Err(work)), _) => this.put_back(work, Fate::Here),
                _ => {}
            }
            this.pump(false, ctx);
        }));
    }

    /// Withdraws the shards of a job that is over, or goes on without them.
    pub(super) fn withdraw(&mut self, task: TaskId) {
        let Some(feed) = &mut self.feed else { return };
        for (id, work) in feed.out.take_task(task) {
            feed.withdrawn.push(id);
            tell_cancelled(work);
        }
    }

    /// Withdraws all that is out, for jobs go on elsewhere or after the next start, and gives back what has not begun; the
    /// second time, also what has.
    pub(super) fn drain_feed(&mut self, again: bool, ctx: &mut Context<Self>) {
        let Some(feed) = &mut self.feed else { return };
        for (id, work) in feed.out.take_all() {
            feed.withdrawn.push(id);
            tell(&work, |index, attempt| PoolEvent::Requeued { index, attempt });
        }
        let ahead = feed.taken.extract_if(|_, taken| taken.stage == Stage::Ahead);
        feed.given_back.extend(ahead.map(|(id, _)| id));
        for (id, taken) in feed.taken.iter().filter(|_| again) {
            taken.cancel.cancel();
            feed.given_back.push(id.clone());
        }
        let (store, round) = (Arc::clone(&feed.store), feed.round(Here::default(), true));
        // The drain waits for it.
        self.in_flight.send_modify(|count| *count += 1);
        let told = async move { store.feed_round(&round).await };
        ctx.spawn(told.into_actor(self).map(|told, this, _| {
            if let Err(why) = told {
                log::info!("other servers find out by themselves that this one reads nothing more: {why}");
            }
            this.in_flight.send_modify(|count| *count -= 1);
        }));
    }
}

/// Tells a job where an attempt stands; one that is too busy to hear it hears the end.
fn tell(work: &JobWork, event: impl FnOnce(u32, u32) -> PoolEvent) {
    if let Work::Shard(shard) = &work.work {
        let _ = work.events.try_send(event(shard.index, shard.attempt));
    }
}

/// Tells a job that is over that an attempt is, too: it waits for those that run.
fn tell_cancelled(work: JobWork) {
    actix::spawn(async move {
        if let Work::Shard(shard) = &work.work {
            let done = work.spec.shard_done(shard, ShardResult::Cancelled, &[]);
            let _ = work.events.send(PoolEvent::ShardDone(done)).await;
        }
    });
}
