//! Live progress: each page is told once, whatever breaks in between.

use crate::support::events::{Events, pages};
use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, fresh_data};

fn path(id: &str) -> String {
    format!("/v1/tasks/{id}/events")
}

#[tokio::test]
async fn pages_are_told_as_they_are_read_and_the_end_at_the_end() {
    let script = Script::default().otherwise(Answer::Hold).page(2, [Answer::Ok]).page(3, [Answer::Status(400, None)]);
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Live", 5), "processor=llm").await;
    let mut events = Events::listen(&server, &path(&id), "").await;
    let mut seen = [events.next_of("page").await, events.next_of("page").await];
    seen.sort_by_key(|page| page["page"].as_u64());
    assert_eq!(
        (&seen[0]["page"], &seen[0]["status"], &seen[0]["model"]),
        (&2.into(), &"done".into(), &"fake-model".into())
    );
    assert_eq!((&seen[1]["page"], &seen[1]["error"]["code"]), (&3.into(), &"endpoint_refused".into()));
    assert!(seen.iter().all(|page| page.get("markdown").is_none()));
    loop {
        let task = events.next_of("task").await;
        if task["pages"]["done"] == 1 && task["pages"]["failed"] == 1 {
            assert_eq!(task["status"], "processing");
            break;
        }
    }
    llm.open();
    let (rest, task) = events.until_the_end().await;
    let mut told = pages(&rest);
    told.sort_unstable();
    assert_eq!(told, [1, 4, 5]);
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &4.into()));
    // Whoever comes late is told everything at once, with the text if it likes.
    let late = Events::listen(&server, &format!("{}?text=true", path(&id)), "").await;
    let (all, _) = late.until_the_end().await;
    assert_eq!(pages(&all), [1, 2, 3, 4, 5]);
    let first = all.iter().find(|event| event.name == "page").unwrap();
    assert_eq!(first.data["markdown"], markdown(1));
    assert_eq!(server.ask("GET", &path("01a21038-160b-7397-8202-643de52b8631")).await.0, 404);
}

#[tokio::test]
async fn a_stream_goes_on_where_it_broke_off_also_after_a_crash() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold).page(1, [Answer::Ok]).page(7, [Answer::Ok]));
    let mut server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Resume", 9), "processor=llm").await;
    let mut events = Events::listen(&server, &path(&id), "").await;
    let mut told = vec![events.next_of("page").await["page"].as_u64(), events.next_of("page").await["page"].as_u64()];
    told.sort_unstable();
    assert_eq!(told, [Some(1), Some(7)]);
    server.kill().await;
    while events.next().await.is_some() {}
    let last_id = events.last_id;
    assert_eq!(last_id.split(':').skip(1).collect::<Vec<_>>(), ["1,7", ""], "{last_id}");
    server.restart().await;
    let events = Events::listen(&server, &path(&id), &last_id).await;
    llm.open();
    let (rest, _) = events.until_the_end().await;
    let mut rest = pages(&rest);
    rest.sort_unstable();
    assert_eq!(rest, [2, 3, 4, 5, 6, 8, 9], "each page once");
    for nonsense in ["x", "1:2-1:", "999999999999999999999999::"] {
        let (all, _) = Events::listen(&server, &path(&id), nonsense).await.until_the_end().await;
        assert_eq!(pages(&all).len(), 9, "{nonsense}");
    }
}

#[tokio::test]
async fn pages_that_are_tried_again_are_told_again() {
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Status(400, None), Answer::Ok]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Again", 3), "processor=llm").await;
    server.finished(&id).await;
    let mut events = Events::listen(&server, &path(&id), "").await;
    while events.next().await.is_some() {}
    server.ask("POST", &format!("/v1/tasks/{id}/retry")).await;
    let (news, task) = Events::listen(&server, &path(&id), &events.last_id).await.until_the_end().await;
    assert_eq!((pages(&news), &task["pages"]["failed"]), (vec![2], &0.into()));
}

#[tokio::test]
async fn a_task_can_be_followed_from_a_server_that_does_not_run_it() {
    let redis = RedisServer::start().await;
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold).page(3, [Answer::Ok]));
    let url = redis.url();
    let arguments = ["--store", &url, "--llm-base-url", &llm.url, "--llm-model", "m"];
    let data = fresh_data();
    let one = Server::start_on(data.clone(), &arguments, &[]).await;
    let id = one.accepted(book("Elsewhere", 6), "processor=llm").await;
    let two = Server::start_on(data, &arguments, &[]).await;
    let mut events = Events::listen(&two, &path(&id), "").await;
    assert_eq!(events.next_of("page").await["page"], 3);
    llm.open();
    let (rest, task) = events.until_the_end().await;
    let mut rest = pages(&rest);
    rest.sort_unstable();
    assert_eq!((rest, &task["status"]), (vec![1, 2, 4, 5, 6], &"completed".into()));
}

#[tokio::test]
async fn a_stream_ends_with_its_task_and_with_its_server() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let mut server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--drain", "0s"]).await;
    let id = server.accepted(book("Deleted", 2), "processor=llm").await;
    let mut events = Events::listen(&server, &path(&id), "").await;
    events.next_of("task").await;
    server.ask("DELETE", &format!("/v1/tasks/{id}")).await;
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    let last = last.unwrap();
    assert!(last.name == "end" || last.data["code"] == "task_not_found", "{last:?}");

    let id = server.accepted(book("Stopped", 2), "processor=llm").await;
    let mut events = Events::listen(&server, &path(&id), "").await;
    events.next_of("task").await;
    server.terminate();
    while events.next().await.is_some() {}
    assert!(server.exit_status().await.success());
}

#[tokio::test]
async fn whoever_does_not_read_holds_nobody_up_and_misses_nothing() {
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Slow reader", 1_500), "").await;
    let mut idle = Vec::new();
    for _ in 0..8 {
        idle.push(Events::listen(&server, &format!("{}?text=true", path(&id)), "").await);
    }
    let task = server.finished(&id).await;
    assert_eq!(task["pages"]["done"], 1_500);
    for events in idle {
        let (told, _) = events.until_the_end().await;
        let mut told = pages(&told);
        told.sort_unstable();
        assert!(told.iter().copied().eq(1..=1_500), "{} pages", told.len());
    }
}
