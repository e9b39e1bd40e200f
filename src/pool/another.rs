//! A place for a second call of an attempt that has one in flight already.

use actix::{Message, MessageResponse, Recipient};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::oneshot;

use crate::processor::CallPlace;

/// Where an attempt can ask for one more place.
#[derive(Clone)]
pub(super) struct Another {
    /// The endpoint and model that it calls.
    pub(super) name: String,
    pub(super) dispatcher: Recipient<TakePlace>,
}

/// Asks for a place among the calls of this endpoint, and waits for it; `None` when there will be none.
#[derive(Message)]
#[rtype(result = "Option<GivenPlace>")]
pub(super) struct TakePlace(pub(super) String);

/// A place that is given back when this is dropped.
#[derive(MessageResponse)]
pub(super) struct GivenPlace(pub(super) oneshot::Sender<()>);

impl Another {
    pub(super) fn take(&self) -> BoxFuture<'static, Option<CallPlace>> {
        let asked = self.dispatcher.send(TakePlace(self.name.clone()));
        let place = asked.map(|place| place.ok().flatten().map(|place| Box::new(place.0) as CallPlace));
        place.boxed()
    }
}
