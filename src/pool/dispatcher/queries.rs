//! Questions about files, which workers answer in their turn, and about the pool itself.

use std::collections::HashMap;
use std::time::Instant;

use actix::{Context, Handler, MessageResult, ResponseFuture};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{Dispatcher, Item};
use crate::document::PageImage;
use crate::pool::estimate::Estimate;
use crate::pool::execute::Executor;
use crate::pool::messages::{CheckSource, DrawPage, GetEndpoints, GetEstimate, GetLoad, GetQueues, Load};
use crate::pool::work::SourcePages;
use crate::pool::worker::{catch_panic, worker_lost};
use crate::task::{Failure, TaskId};

impl Dispatcher {
    /// Has a worker answer a question in its turn, unless it is cancelled by then. The questions of a tenant
    /// with the same `turn` come one after the other, as if they were one task.
    pub(super) fn ask<T: Send + 'static>(
        &mut self,
        tenant: &str,
        turn: TaskId,
        cancel: CancellationToken,
        answered_by: impl FnOnce(&Executor) -> Result<T, Failure> + Send + 'static,
        ctx: &mut Context<Self>,
    ) -> ResponseFuture<Result<T, Failure>> {
        let (answer, answered) = oneshot::channel();
        let question = Box::new(move |executor: &Executor| {
            if !cancel.is_cancelled() {
                drop(answer.send(catch_panic(|| answered_by(executor))));
            }
        });
        if !self.draining {
            self.cpu.queue.push(tenant, turn, 0, Item::Query(question));
            self.pump(false, ctx);
        }
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(worker_lost())) })
    }
}

/// The name under which all questions of one kind and tenant take their turns.
pub(super) fn queue_key(kind: &str, tenant: &str) -> TaskId {
    let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(tenant).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    TaskId::from_bytes(bytes)
}

impl Handler<CheckSource> for Dispatcher {
    type Result = ResponseFuture<Result<SourcePages, Failure>>;

    fn handle(&mut self, CheckSource { tenant, check }: CheckSource, ctx: &mut Context<Self>) -> Self::Result {
        self.ask(&tenant, TaskId::generate(), CancellationToken::new(), move |executor| executor.check(&check), ctx)
    }
}

impl Handler<GetEstimate> for Dispatcher {
    type Result = ResponseFuture<Result<Estimate, Failure>>;

    fn handle(&mut self, asked: GetEstimate, ctx: &mut Context<Self>) -> Self::Result {
        let GetEstimate { tenant, question, cancel } = asked;
        let turn = queue_key("estimates", &tenant);
        self.ask(&tenant, turn, cancel, move |executor| executor.estimate(&question), ctx)
    }
}

impl Handler<DrawPage> for Dispatcher {
    type Result = ResponseFuture<Result<PageImage, Failure>>;

    fn handle(&mut self, asked: DrawPage, ctx: &mut Context<Self>) -> Self::Result {
        let DrawPage { tenant, check, page, options, cancel } = asked;
        let turn = queue_key("pictures", &tenant);
        let cut_off = cancel.clone();
        self.ask(&tenant, turn, cancel, move |executor| executor.draw(&check, page, &options, &cut_off), ctx)
    }
}

impl Handler<GetLoad> for Dispatcher {
    type Result = MessageResult<GetLoad>;

    fn handle(&mut self, _: GetLoad, _: &mut Context<Self>) -> Self::Result {
        let in_lanes = self.cpu.queue.len() + self.quarantine.queue.len() + self.calls.endpoints.len();
        let held_back: usize = self.suspended.lengths().map(|(_, pieces)| pieces).sum();
        let queued = in_lanes + self.claims.parked().map(<[_]>::len).sum::<usize>() + held_back;
        let (exported, imported) = self.feed.as_ref().map_or((0, 0), |feed| (feed.out.len(), feed.taken()));
        let (in_flight, free) = (*self.in_flight.borrow(), self.cpu.free);
        MessageResult(Load { queued, in_flight, free, exported, imported })
    }
}

impl Handler<GetEndpoints> for Dispatcher {
    type Result = MessageResult<GetEndpoints>;

    fn handle(&mut self, _: GetEndpoints, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.calls.endpoints.loads(Instant::now()))
    }
}

impl Handler<GetQueues> for Dispatcher {
    type Result = MessageResult<GetQueues>;

    fn handle(&mut self, _: GetQueues, _: &mut Context<Self>) -> Self::Result {
        let mut sums = HashMap::<&str, usize>::new();
        let queues =
            self.cpu.queue.lengths().chain(self.quarantine.queue.lengths()).chain(self.calls.endpoints.lengths());
        let parked = self.claims.parked().flatten().map(|work| (work, 1));
        let held = self.suspended.lengths().chain(parked).map(|(work, pieces)| (work.spec.tenant.as_str(), pieces));
        queues.chain(held).for_each(|(tenant, pieces)| *sums.entry(tenant).or_default() += pieces);
        MessageResult(sums.into_iter().map(|(tenant, pieces)| (tenant.to_owned(), pieces)).collect())
    }
}
