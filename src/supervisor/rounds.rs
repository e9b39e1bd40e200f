//! What the supervisor does again and again: it renews leases, reads watched tasks, sends messages, tidies. Each is of one
//! shape: decide what is due, have it done outside the actor, report what came of it, and say when it is next.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, SpawnHandle, WrapFuture};
use futures::future::LocalBoxFuture;

use super::actor::Supervisor;

/// A part of the supervisor's work that comes round.
pub(super) trait Round: 'static {
    /// What came of the work.
    type Outcome: 'static;

    /// When it comes round again after nothing was due.
    const PAUSE: Duration;

    /// Decides what is due and returns the work; `None` when nothing is.
    fn decide(
        supervisor: &mut Supervisor,
        ctx: &mut Context<Supervisor>,
    ) -> Option<LocalBoxFuture<'static, Self::Outcome>>;

    /// Takes in what came of it. Returns how long it is until the next round.
    fn report(supervisor: &mut Supervisor, outcome: Self::Outcome, ctx: &mut Context<Supervisor>) -> Duration;

    /// Keeps the timer of the next round, where that may have to begin sooner.
    fn keep_timer(supervisor: &mut Supervisor, timer: SpawnHandle) {
        let _ = (supervisor, timer);
    }
}

impl Supervisor {
    /// Makes a round now, and goes on with the next ones.
    pub(super) fn go_round<R: Round>(&mut self, ctx: &mut Context<Self>) {
        let Some(work) = R::decide(self, ctx) else { return self.go_round_later::<R>(R::PAUSE, ctx) };
        ctx.spawn(work.into_actor(self).map(|outcome, this, ctx| {
            let pause = R::report(this, outcome, ctx);
            this.go_round_later::<R>(pause, ctx);
        }));
    }

    fn go_round_later<R: Round>(&mut self, pause: Duration, ctx: &mut Context<Self>) {
        let timer = ctx.run_later(pause, Self::go_round::<R>);
        R::keep_timer(self, timer);
    }
}
