//! Messages on their way to servers that take long.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::notify::NotifyOptions;
use crate::store::altered::AlteredStore;
use crate::supervisor::SupervisorOptions;
use crate::supervisor::messages::{RequestError, SendWebhook};
use crate::supervisor::test_world::{World, in_system, waiting_record};
use crate::task::{TaskRecord, TaskStep, Webhook, WebhookState};

/// Servers, each with an address of its own, that answer what they are told once they may.
struct Hooks {
    urls: Vec<String>,
    told: watch::Sender<usize>,
    may_answer: watch::Sender<bool>,
}

impl Hooks {
    async fn start(count: u8) -> Self {
        let (told, may_answer) = (watch::Sender::new(0), watch::Sender::new(false));
        let mut urls = Vec::new();
        for host in 1..=count {
            let listener = TcpListener::bind((Ipv4Addr::new(127, 0, 0, host), 0)).await.unwrap();
            urls.push(format!("http://{}/hook", listener.local_addr().unwrap()));
            let (told, may_answer) = (told.clone(), may_answer.subscribe());
            actix::spawn(async move {
                while let Ok((caller, _)) = listener.accept().await {
                    actix::spawn(answer(caller, told.clone(), may_answer.clone()));
                }
            });
        }
        Self { urls, told, may_answer }
    }
}

async fn answer(mut caller: TcpStream, told: watch::Sender<usize>, mut may_answer: watch::Receiver<bool>) {
    let mut message = Vec::new();
    while !message.ends_with(b"\"}") {
        assert_ne!(caller.read_buf(&mut message).await.unwrap(), 0);
    }
    told.send_modify(|count| *count += 1);
    may_answer.wait_for(|may| *may).await.unwrap();
    caller.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
}

/// A task that has ended, which `url` is to be told of.
fn ended(url: &str) -> TaskRecord {
    let mut record = waiting_record("ann");
    record.options.webhook_url = Some(url.into());
    record.take(TaskStep::Complete, Timestamp::now(), Duration::from_hours(1)).unwrap();
    record
}

async fn world(records: &[TaskRecord]) -> World {
    let notify = NotifyOptions { allow: vec!["*".into()], ..NotifyOptions::default() };
    let options = SupervisorOptions { notify, ..SupervisorOptions::default() };
    World::with_options(AlteredStore::default(), options, &records.iter().collect::<Vec<_>>()).await
}

/// Waits until so many of the messages stand as they are wanted to.
async fn stand(world: &World, records: &[TaskRecord], count: usize, wanted: impl Fn(&Webhook) -> bool) {
    loop {
        let mut found = 0;
        for record in records {
            found += usize::from(world.stored(record.id).await.webhook.is_some_and(|webhook| wanted(&webhook)));
        }
        if found >= count {
            assert_eq!(found, count);
            return;
        }
        world.settle(records[0].id).await;
    }
}

fn is_delivered(webhook: &Webhook) -> bool {
    webhook.state == WebhookState::Delivered && webhook.attempts == 1
}

#[test]
fn a_host_that_does_not_answer_holds_up_no_messages_to_others() {
    in_system(async {
        let (silent, quick) = (Hooks::start(1).await, Hooks::start(1).await);
        quick.may_answer.send_replace(true);
        let waiting: Vec<TaskRecord> = (0..6).map(|_| ended(&silent.urls[0])).collect();
        let last = [ended(&quick.urls[0])];
        let world = world(&[&waiting[..], &last].concat()).await;
        stand(&world, &last, 1, is_delivered).await;
        let soon = Timestamp::now().after(Duration::from_secs(20));
        let is_put_off = |webhook: &Webhook| webhook.attempts == 0 && webhook.due_at().is_some_and(|at| at > soon);
        stand(&world, &waiting, 2, is_put_off).await;
        silent.told.subscribe().wait_for(|told| *told >= 4).await.unwrap();
        world.settle(last[0].id).await;
        assert_eq!(*silent.told.borrow(), 4);
        silent.may_answer.send_replace(true);
        stand(&world, &waiting, 4, is_delivered).await;
    });
}

#[test]
fn no_more_messages_are_on_their_way_than_may_be_and_each_comes_once() {
    in_system(async {
        let hooks = Hooks::start(40).await;
        let records: Vec<TaskRecord> = hooks.urls.iter().map(|url| ended(url)).collect();
        let world = world(&records).await;
        hooks.told.subscribe().wait_for(|told| *told >= 32).await.unwrap();
        world.settle(records[0].id).await;
        assert_eq!(*hooks.told.borrow(), 32);
        hooks.may_answer.send_replace(true);
        stand(&world, &records, 40, is_delivered).await;
        assert_eq!(*hooks.told.borrow(), 40);
    });
}

#[test]
fn a_message_is_sent_again_when_there_is_one() {
    in_system(async {
        let hooks = Hooks::start(1).await;
        hooks.may_answer.send_replace(true);
        let told = [ended(&hooks.urls[0])];
        let mut silent = waiting_record("ann");
        silent.take(TaskStep::Cancel, Timestamp::now(), Duration::from_hours(1)).unwrap();
        let runs = waiting_record("ben");
        let world = world(&[told[0].clone(), silent.clone(), runs.clone()]).await;
        stand(&world, &told, 1, is_delivered).await;
        let again = async |record: &TaskRecord| world.supervisor.send(SendWebhook(record.id)).await.unwrap();
        assert!(matches!(again(&silent).await, Err(RequestError::NoWebhook)));
        assert!(matches!(again(&runs).await, Err(RequestError::NotFinal)));
        assert_eq!(again(&told[0]).await.unwrap().webhook.unwrap().state, WebhookState::Pending);
        stand(&world, &told, 1, |webhook| webhook.state == WebhookState::Delivered).await;
        assert_eq!(*hooks.told.borrow(), 2);
    });
}
