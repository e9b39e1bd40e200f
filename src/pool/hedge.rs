//! A place for a second call of an attempt that has one in flight already.

use actix::{Message, MessageResponse, Recipient};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::processor::HedgePermit;

/// Where an attempt can ask for one more place.
#[derive(Clone)]
pub(super) struct Hedge {
    /// The endpoint and model that it calls.
    pub(super) name: String,
    pub(super) dispatcher: Recipient<AcquireHedge>,
}

/// Asks for a place among the calls of this endpoint, and waits for it; `None` when there will be none.
#[derive(Message)]
#[rtype(result = "Option<GrantedHedge>")]
pub(super) struct AcquireHedge(pub(super) String);

/// A place that is given back when this is dropped.
#[derive(MessageResponse)]
pub(super) struct GrantedHedge(pub(super) oneshot::Sender<()>);

impl Hedge {
    pub(super) fn acquire(&self) -> BoxFuture<'static, Option<HedgePermit>> {
        let asked = self.dispatcher.send(AcquireHedge(self.name.clone()));
        let permit = asked.map(|granted| granted.ok().flatten().map(|permit| Box::new(permit.0) as HedgePermit));
        permit.boxed()
    }
}
