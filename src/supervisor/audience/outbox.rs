//! Messages about ended tasks: sent when they are due, however often it takes.
//!
//! A message stands in the record from the very write that ends the task, so none is lost. Before it is sent, the record
//! says so (a conditional write, so that of several processes one sends it), and when it would be sent again if nothing
//! were heard of this time: a process that dies in between leaves a message that is sent twice, never one that is not.
//! The receiver tells doubles by `webhook-id`.
//!
//! A retry does not take back that the task had ended: the message of that end goes on standing in the record, with what it
//! tells, beside the job that runs by then.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, Handler, ResponseFuture, WrapFuture};
use futures::future::LocalBoxFuture;
use serde_json::json;
use uuid::Uuid;

use crate::blob::LocalBlob;
use crate::clock::{TaskClock, Timestamp};
use crate::metrics;
use crate::notify::{self, Message, Notifier};
use crate::store::{LeaseChange, StoreError, TaskStore, Update};
use crate::supervisor::actor::Supervisor;
use crate::supervisor::commands::RACES;
use crate::supervisor::messages::{RequestError, SendWebhook};
use crate::supervisor::records::write_once;
use crate::supervisor::rounds::Round;
use crate::task::{Cost, EndNotice, TaskId, TaskRecord, Webhook, WebhookState};

/// How often it is looked for messages that are due.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Messages on their way at once.
const MOST: usize = 32;
/// Messages on their way to one target's host at once: one that does not answer must not hold up the others.
const MOST_A_HOST: usize = 4;
/// How long a message waits whose host has so many.
const HOST_PAUSE: Duration = Duration::from_secs(30);
/// When a message is sent again of whose sending nothing was heard.
const UNHEARD: Duration = Duration::from_secs(60);
const _: () = assert!(UNHEARD.as_secs() > 2 * notify::DELIVERY_TIMEOUT.as_secs());

/// What sending a message needs.
#[derive(Clone)]
struct Outbox {
    store: Arc<dyn TaskStore>,
    blob: LocalBlob,
    clock: TaskClock,
    notifier: Notifier,
}

/// The messages on their way.
pub(in crate::supervisor) struct Outgoing {
    /// Who tells others that tasks have ended.
    notifier: Notifier,
    /// Their tasks, and the host that each goes to, once that is known.
    sending: HashMap<TaskId, Option<String>>,
}

impl Outgoing {
    /// Nothing is on its way.
    pub(in crate::supervisor) fn new(notifier: Notifier) -> Self {
        Self { notifier, sending: HashMap::new() }
    }

    /// Refuses addresses that no message may go to.
    ///
    /// # Errors
    /// A sentence saying why.
    pub(in crate::supervisor) fn check(&self, url: &str) -> Result<(), String> {
        self.notifier.check(url).map(drop)
    }

    fn has_room(&self) -> bool {
        self.sending.len() < MOST
    }

    /// Counts a message; `false` when it, or too many others, are on their way.
    fn begin(&mut self, id: TaskId) -> bool {
        let begins = self.has_room() && !self.sending.contains_key(&id);
        if begins {
            self.sending.insert(id, None);
        }
        begins
    }

    /// It is known where a message goes. Returns whether it may go: its host has few of the others.
    fn address(&mut self, id: TaskId, host: Option<String>) -> bool {
        let others = self.sending.values().filter(|other| host.is_some() && **other == host).count();
        self.sending.insert(id, host);
        debug_assert!(self.sending.len() <= MOST, "at most {MOST} messages are on their way");
        others < MOST_A_HOST
    }

    fn end(&mut self, id: TaskId) {
        self.sending.remove(&id);
    }
}

/// Sends what is due, now and then.
pub(in crate::supervisor) struct SendMessages;

impl Round for SendMessages {
    type Outcome = Result<Vec<TaskId>, StoreError>;

    const PAUSE: Duration = LOOK_EVERY;

    fn decide(
        supervisor: &mut Supervisor,
        _: &mut Context<Supervisor>,
    ) -> Option<LocalBoxFuture<'static, Self::Outcome>> {
        if !supervisor.outgoing.has_room() || supervisor.intake.is_closed() {
            return None;
        }
        let (store, now) = (Arc::clone(&supervisor.store), supervisor.clock.now());
        Some(Box::pin(async move { store.due(now, MOST).await }))
    }

    fn report(supervisor: &mut Supervisor, due: Self::Outcome, ctx: &mut Context<Supervisor>) -> Duration {
        match due {
            Ok(ids) => ids.into_iter().for_each(|id| supervisor.send_message(id, ctx)),
            Err(why) => log::debug!("messages about ended tasks wait, their store is not available: {why}"),
        }
        LOOK_EVERY
    }
}

impl Supervisor {
    /// Sends what is due, besides the rounds.
    pub(in crate::supervisor) fn send_due(&mut self, ctx: &mut Context<Self>) {
        if let Some(due) = SendMessages::decide(self, ctx) {
            ctx.spawn(due.into_actor(self).map(|due, this, ctx| {
                let _ = SendMessages::report(this, due, ctx);
            }));
        }
    }

    fn outbox(&self) -> Outbox {
        Outbox {
            store: Arc::clone(&self.store),
            blob: self.blob.clone(),
            clock: self.clock.clone(),
            notifier: self.outgoing.notifier.clone(),
        }
    }

    fn send_message(&mut self, id: TaskId, ctx: &mut Context<Self>) {
        if self.intake.is_closed() || !self.outgoing.begin(id) {
            return;
        }
        let outbox = self.outbox();
        let read = {
            let store = Arc::clone(&self.store);
            async move { store.get(id).await }
        };
        let sent = read.into_actor(self).then(move |record, this, _| {
            let goes = this.outgoing.address(id, record.as_ref().ok().and_then(host));
            async move {
                match record {
                    Ok(record) if goes => outbox.send(record).await,
                    Ok(record) => outbox.postpone(record).await,
                    Err(why) => Err(why),
                }
            }
            .into_actor(this)
        });
        ctx.spawn(sent.map(move |sent, this, ctx| {
            this.outgoing.end(id);
            match sent {
                // There may be more than could be sent together.
                Ok(()) => this.send_due(ctx),
                Err(why) => log::debug!(task:% = id; "a message about its end waits: {why}"),
            }
        }));
    }
}

impl Outbox {
    /// Lets others go first.
    async fn postpone(self, record: TaskRecord) -> Result<(), StoreError> {
        let Some(EndNotice { mut webhook, .. }) = record.next_notice() else { return Ok(()) };
        webhook.next_attempt_at = Some(self.clock.now().after(HOST_PAUSE));
        self.keep(record, webhook).await.map(drop)
    }

    async fn send(self, record: TaskRecord) -> Result<(), StoreError> {
        let (id, now) = (record.id, self.clock.now());
        let due = |webhook: &Webhook| webhook.due_at().is_some_and(|at| at <= now);
        let Some(mut notice) = record.next_notice().filter(|notice| due(&notice.webhook)) else { return Ok(()) };
        let url = record.options.webhook_url.clone().unwrap_or_default();
        notice.webhook.begin(now.after(UNHEARD));
        let record = self.keep(record, notice.webhook.clone()).await?;
        let body = body(&record, &notice, self.notifier.options().public_url.as_deref());
        let secret = record.options.webhook_secret.clone();
        let mut webhook = notice.webhook;
        let message = Message { url: &url, id: &webhook.id, secret: secret.as_deref(), body };
        let delivered = self.notifier.deliver(message, Timestamp::now()).await;
        let now = self.clock.now();
        let mut detail = None;
        match delivered {
            Ok(()) => webhook.delivered(now),
            Err(not) => {
                detail = not.detail;
                webhook.failed(not.why, not.after, not.for_good, now);
            }
        }
        let (attempts, state) = (webhook.attempts, webhook.state);
        metrics::webhook(match state {
            WebhookState::Delivered => "delivered",
            WebhookState::Pending => "failed",
            WebhookState::GivenUp => "given_up",
        });
        match &webhook.last_error {
            Some(why) => {
                let why = detail.map_or_else(|| why.clone(), |detail| format!("{why}: {detail}"));
                log::warn!(task:% = id, attempts; "the message about its end was not delivered: {why}");
            }
            None => log::info!(task:% = id, attempts; "its caller's server was told of its end"),
        }
        self.keep_outcome(record, webhook).await
    }

    /// Writes how a message stands. What changes the task meanwhile is right.
    async fn keep(&self, record: TaskRecord, webhook: Webhook) -> Result<TaskRecord, StoreError> {
        let expected = record.revision();
        let mut next = TaskRecord { version: record.version + 1, ..record };
        next.set_message(webhook);
        let update = Update { expected, next, operation: Uuid::now_v7(), lease: LeaseChange::Keep };
        if update.next.status.is_final() {
            write_once(self.store.as_ref(), self.blob.clone(), &update).await?;
        } else {
            // The copy is its owner's to write, who may be ending the task at this moment.
            self.store.update(&update).await?;
        }
        Ok(update.next)
    }

    /// Writes what became of a message, also when the task was retried or went on while it was on its way; else it would
    /// be sent again.
    async fn keep_outcome(&self, mut record: TaskRecord, webhook: Webhook) -> Result<(), StoreError> {
        for _ in 0..RACES {
            let id = record.id;
            match self.keep(record, webhook.clone()).await {
                Err(StoreError::Conflict(_)) => record = self.store.get(id).await?,
                kept => return kept.map(drop),
            }
            // Sent again by its caller's wish in between: then that counts.
            let same = |now: &Webhook| now.attempts == webhook.attempts && now.due_at().is_some();
            if !record.message(&webhook.id).is_some_and(same) {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whom a message goes to.
fn host(record: &TaskRecord) -> Option<String> {
    let url = record.options.webhook_url.as_deref()?;
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    Some(rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())].to_ascii_lowercase())
}

/// Small: the receiver follows the links for more.
fn body(record: &TaskRecord, notice: &EndNotice, public_url: Option<&str>) -> String {
    let base = public_url.unwrap_or_default().trim_end_matches('/');
    let this = format!("{base}/v1/tasks/{}", record.id);
    json!({
        "type": notice.webhook.event,
        "timestamp": notice.finished_at,
        "data": {
            "id": record.id,
            "status": notice.status,
            "file_name": record.file_name,
            "total_pages": record.total_pages,
            "pages": { "done": notice.done, "failed": notice.failed, "doubtful": notice.doubtful },
            "error": notice.error,
            "cost": notice.cost.map(Cost::amount),
            "metadata": record.options.metadata,
            "format": record.options.format.unwrap_or_default(),
            "links": { "self": this, "result": format!("{this}/result") },
        },
    })
    .to_string()
}

impl Handler<SendWebhook> for Supervisor {
    type Result = ResponseFuture<Result<TaskRecord, RequestError>>;

    fn handle(&mut self, SendWebhook(id): SendWebhook, ctx: &mut Context<Self>) -> Self::Result {
        let (outbox, own) = (self.outbox(), ctx.address());
        Box::pin(async move {
            for _ in 0..RACES {
                let record = outbox.store.get(id).await?;
                if !record.status.is_final() {
                    return Err(RequestError::NotFinal);
                }
                let Some(mut webhook) = record.webhook.clone() else { return Err(RequestError::NoWebhook) };
                webhook.again(outbox.clock.now());
                match outbox.keep(record, webhook).await {
                    Ok(record) => {
                        let _ = own.try_send(SendDue);
                        return Ok(record);
                    }
                    // It is being sent at this very moment.
                    Err(StoreError::Conflict(_)) => {}
                    Err(other) => return Err(other.into()),
                }
            }
            Err(RequestError::StoreUnavailable("the task is being changed by someone else".into()))
        })
    }
}

/// Has the outbox looked through.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct SendDue;

impl Handler<SendDue> for Supervisor {
    type Result = ();

    fn handle(&mut self, _: SendDue, ctx: &mut Context<Self>) {
        self.send_due(ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::NotifyOptions;
    use crate::store::EmbeddedStore;
    use crate::supervisor::records::restore;
    use crate::task::{TaskStep, test_record};

    const HOUR: Duration = Duration::from_hours(1);

    /// While a message was on its way, its task was left alone, retried, or the message asked for again.
    #[tokio::test]
    async fn what_became_of_a_message_is_kept_whatever_became_of_its_task() {
        for (step, is_asked_again, left) in
            [(None, false, None), (Some(TaskStep::Retry), false, None), (None, true, Some(0))]
        {
            let dir = tempfile::tempdir().unwrap();
            let outbox = Outbox {
                store: Arc::new(EmbeddedStore::in_memory().unwrap()),
                blob: LocalBlob::open(dir.path()).unwrap(),
                clock: TaskClock::default(),
                notifier: Notifier::new(NotifyOptions::default()),
            };
            let now = Timestamp::now();
            let mut record = test_record(now.as_millis());
            record.options.webhook_url = Some("https://example.org/".into());
            record.take(TaskStep::Complete, now, HOUR).unwrap();
            let mut webhook = record.webhook.clone().unwrap();
            webhook.begin(now.after(UNHEARD));
            record.webhook = Some(webhook.clone());
            restore(outbox.store.as_ref(), &record).await.unwrap();

            let mut next = TaskRecord { version: record.version + 1, ..record.clone() };
            if let Some(step) = step {
                next.take(step, now, HOUR).unwrap();
            } else if is_asked_again {
                next.webhook.as_mut().unwrap().again(now);
            }
            let (expected, operation) = (record.revision(), Uuid::now_v7());
            let update = Update { expected, next, operation, lease: LeaseChange::Keep };
            outbox.store.update(&update).await.unwrap();
            webhook.delivered(now);
            outbox.keep_outcome(record.clone(), webhook.clone()).await.unwrap();

            let stored = outbox.store.get(record.id).await.unwrap();
            let due = stored.message(&webhook.id).and_then(Webhook::due_at);
            assert_eq!(due.is_some(), left.is_some(), "{step:?} {is_asked_again}: {stored:?}");
            let attempts = stored.message(&webhook.id).map(|webhook| webhook.attempts);
            assert_eq!(attempts, if step.is_some() { None } else { left.or(Some(1)) });
        }
    }

    #[test]
    fn of_many_messages_few_go_to_one_host_and_all_have_room_once() {
        let options = crate::notify::NotifyOptions::default();
        let mut outgoing = Outgoing::new(Notifier::new(options));
        let ids: Vec<TaskId> = (0..=MOST).map(|_| TaskId::generate()).collect();
        assert!(outgoing.begin(ids[0]) && !outgoing.begin(ids[0]), "one at a time of one task");
        let begun = ids.iter().filter(|id| outgoing.begin(**id)).count();
        assert_eq!((begun, outgoing.has_room()), (MOST - 1, false));
        let same = ids.iter().take(MOST).filter(|id| outgoing.address(**id, Some("a".into()))).count();
        assert_eq!(same, MOST_A_HOST);
        outgoing.end(ids[0]);
        assert!(outgoing.begin(ids[MOST]) && outgoing.address(ids[MOST], Some("b".into())));
    }
}
