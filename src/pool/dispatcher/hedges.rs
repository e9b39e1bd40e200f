//! Second calls of attempts that have one in flight already.

use std::time::Instant;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use tokio::sync::oneshot;

use super::Dispatcher;
use crate::pool::hedge::{AcquireHedge, GrantedHedge};

impl Handler<AcquireHedge> for Dispatcher {
    type Result = ResponseFuture<Option<GrantedHedge>>;

    fn handle(&mut self, AcquireHedge(name): AcquireHedge, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, place) = oneshot::channel();
        if !self.draining {
            self.calls.hedges.push_back((name, answer));
            self.pump_calls(ctx);
        }
        Box::pin(async move { place.await.ok() })
    }
}

impl Dispatcher {
    /// Gives second calls the places that are free.
    pub(super) fn grant_hedges(&mut self, ctx: &mut Context<Self>) {
        for (name, answer) in std::mem::take(&mut self.calls.hedges) {
            if answer.is_closed() || self.draining {
                continue;
            }
            let Some(permit) = self.calls.endpoints.acquire(&name, Instant::now()) else {
                self.calls.hedges.push_back((name, answer));
                continue;
            };
            let (place, given_back) = oneshot::channel::<()>();
            let _ = answer.send(GrantedHedge(place));
            let until = async move { drop(given_back.await) };
            ctx.spawn(until.into_actor(self).map(move |(), this, ctx| {
                // What it came to stands in the report of the first call.
                this.calls.endpoints.ended(&name, permit, &[], Instant::now());
                this.pump_calls(ctx);
            }));
        }
    }
}
