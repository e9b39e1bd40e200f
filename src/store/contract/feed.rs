//! How servers read each other's shards.

use uuid::Uuid;

use super::{apply, create};
use crate::store::{FeedAnswer, FeedEntry, FeedNews, FeedReply, FeedRound, FeedShard, HeldEntry, TaskStore};
use crate::task::{TaskRecord, TaskStep};

/// A feed that no other check knows.
struct Feed<'a, S> {
    store: &'a S,
    group: String,
}

impl<'a, S: TaskStore> Feed<'a, S> {
    fn new(store: &'a S) -> Self {
        Self { store, group: format!("contract {}", Uuid::now_v7()) }
    }

    async fn export(&self, record: &TaskRecord, bodies: &[&[u8]]) -> Vec<String> {
        let shard = |body: &&[u8]| FeedShard::new("owner#1".to_owned(), record.id, record.epoch, body.to_vec());
        let shards: Vec<FeedShard> = bodies.iter().map(shard).collect();
        self.store.feed_export(&self.group, &shards).await.unwrap()
    }

    async fn round(&self, server: &str, round: FeedRound) -> FeedNews {
        let round = FeedRound { group: self.group.clone(), server: server.to_owned(), ..round };
        self.store.feed_round(&round).await.unwrap().expect("a store has a feed or none")
    }

    async fn take(&self, server: &str, wanted: u32) -> Vec<FeedEntry> {
        self.round(server, FeedRound { wanted, ..FeedRound::default() }).await.entries
    }

    async fn answer(&self, server: &str, held: &HeldEntry, body: &[u8]) -> bool {
        let reply = FeedReply::Answer(body.to_vec());
        let answer = FeedAnswer::new(self.group.clone(), server.to_owned(), held.clone(), reply);
        self.store.feed_answer(&answer).await.unwrap()
    }

    /// What the owner hears.
    async fn replies(&self) -> Vec<(String, FeedReply)> {
        self.round("owner#1", FeedRound::default()).await.replies
    }

    /// Nothing waits and nothing is being read.
    async fn is_empty(&self) {
        let news = self.round("owner#1", FeedRound { wanted: 9, ..FeedRound::default() }).await;
        assert_eq!((news.waiting, &news.entries[..], &news.replies[..]), (0, &[][..], &[][..]));
    }
}

fn held(entry: &FeedEntry) -> HeldEntry {
    HeldEntry::new(entry.id.clone(), entry.shard.task, entry.shard.epoch)
}

pub(super) async fn a_shard_is_with_one_server_and_its_answer_with_its_owner(store: &impl TaskStore) {
    let (feed, record) = (Feed::new(store), create(store, 1_000).await);
    assert_eq!(feed.take("one#1", 9).await, []);
    let ids = feed.export(&record, &[b"a", b"\xff\0b", b"c"]).await;
    let first = feed.round("one#1", FeedRound { wanted: 2, capacity: 2, ..FeedRound::default() }).await;
    let taken: Vec<_> = first.entries.iter().map(|entry| (&entry.id, &entry.shard.body[..])).collect();
    assert_eq!((taken, first.waiting), (vec![(&ids[0], &b"a"[..]), (&ids[1], b"\xff\0b")], 1));
    assert_eq!(first.entries[0].shard.owner, "owner#1");
    assert_eq!((first.entries[0].shard.task, first.entries[0].shard.epoch), (record.id, record.epoch));
    let second = feed.round("two#1", FeedRound { wanted: 9, looks: true, ..FeedRound::default() }).await;
    assert_eq!((second.entries.len(), second.waiting, second.capacity_elsewhere), (1, 0, Some(2)));
    assert_eq!((&second.entries[0].id, feed.take("one#1", 9).await.len()), (&ids[2], 0));

    let asked = FeedRound { asked: ids.clone(), overdue: ids.clone(), ..FeedRound::default() };
    assert_eq!(feed.round("owner#1", asked.clone()).await.gone, [""; 0], "all are being read");
    assert!(!feed.answer("two#1", &held(&first.entries[0]), b"x").await, "it is not its");
    assert!(feed.answer("one#1", &held(&first.entries[0]), b"\xff\0x").await);
    assert!(!feed.answer("one#1", &held(&first.entries[0]), b"y").await, "once");
    let news = feed.round("owner#1", asked.clone()).await;
    assert_eq!(news.replies, [(ids[0].clone(), FeedReply::Answer(b"\xff\0x".to_vec()))]);
    assert!(feed.round("owner#1", asked).await.gone.contains(&ids[0]), "it was told, and is asked for again");
    assert!(feed.answer("two#1", &held(&second.entries[0]), b"z").await);
    assert!(feed.answer("one#1", &held(&first.entries[1]), b"w").await);
    assert_eq!(feed.replies().await.len(), 2);
    feed.is_empty().await;
    store.delete(record.id, None).await.unwrap();
}

pub(super) async fn a_shard_that_no_server_answers_goes_back_to_its_owner(store: &impl TaskStore) {
    let (feed, record) = (Feed::new(store), create(store, 1_000).await);
    let ids = feed.export(&record, &[b"a"]).await;
    let mut before = None;
    for delivery in 1..=FeedRound::MAX_DELIVERIES {
        let server = format!("server {delivery}");
        let entries = feed.take(&server, 1).await;
        assert_eq!(entries.len(), 1, "delivery {delivery}");
        let entry = held(&entries[0]);
        if let Some(before) = before.replace(server.clone()) {
            assert!(!feed.answer(&before, &entry, b"late").await, "it does not hold it any more");
            let renewed = FeedRound { held: vec![entry.clone()], ..FeedRound::default() };
            assert_eq!(feed.round(&before, renewed).await.lost, ids);
            let stolen = FeedRound { given_back: ids.clone(), ..FeedRound::default() };
            feed.round(&before, stolen).await;
            assert_eq!(feed.take("third#1", 1).await, [], "what another one holds cannot be given back");
        }
        let renewed = FeedRound { held: vec![entry], ..FeedRound::default() };
        assert_eq!(feed.round(&server, renewed).await.lost, [""; 0]);
        assert_eq!(feed.take("third#1", 1).await, []);
        feed.round(&server, FeedRound { given_back: ids.clone(), ..FeedRound::default() }).await;
    }
    assert_eq!(feed.replies().await, []);
    assert_eq!(feed.take("fourth#1", 1).await, []);
    assert_eq!(feed.replies().await, [(ids[0].clone(), FeedReply::Unanswered)]);
    feed.is_empty().await;
    store.delete(record.id, None).await.unwrap();
}

pub(super) async fn shards_of_what_is_over_are_dropped(store: &impl TaskStore) {
    let feed = Feed::new(store);
    let [one, two, three] = [create(store, 1).await, create(store, 2).await, create(store, 3).await];
    for record in [&one, &two, &three] {
        feed.export(record, &[b"read", b"waits"]).await;
    }
    let mut entries = feed.take("one#1", 1).await;
    while entries.len() < 5 {
        entries.extend(feed.take("one#1", 1).await);
    }
    // One ends, one begins another epoch, one stays as it is.
    let ended = apply(store, &apply(store, &one, TaskStep::Dispatch).await, TaskStep::Complete).await;
    let again = apply(store, &two, TaskStep::Requeue).await;
    let of = |record: &TaskRecord| entries.iter().find(|entry| entry.shard.task == record.id).map(held).unwrap();
    assert!(!feed.answer("one#1", &of(&one), b"x").await);
    let renewed = FeedRound { held: entries.iter().map(held).collect(), ..FeedRound::default() };
    let lost = feed.round("one#1", renewed).await.lost;
    let stays = |id: &String| entries.iter().any(|entry| entry.id == *id && entry.shard.task == three.id);
    assert_eq!((lost.len(), lost.iter().any(stays)), (4, false), "{lost:?}");
    assert_eq!(feed.replies().await, [], "no job waits for them");

    // The owner withdraws what is read and what waits, or takes back what waits alone.
    let third = of(&three).id;
    let waiting = feed.round("owner#1", FeedRound { overdue: vec![third.clone()], ..FeedRound::default() }).await;
    assert_eq!((waiting.gone.len(), waiting.waiting), (0, 1));
    let new = feed.export(&three, &[b"waits, too"]).await;
    let overdue = FeedRound { overdue: new.clone(), ..FeedRound::default() };
    assert_eq!(feed.round("owner#1", overdue).await.gone, new);
    let rest = feed.take("two#1", 9).await;
    assert_eq!(rest.len(), 1, "{rest:?}");
    let withdrawn = FeedRound { withdrawn: vec![third, rest[0].id.clone()], ..FeedRound::default() };
    feed.round("owner#1", withdrawn).await;
    assert!(!feed.answer("two#1", &held(&rest[0]), b"late").await);
    feed.is_empty().await;
    for record in [ended, again, three] {
        store.delete(record.id, None).await.unwrap();
    }
}
