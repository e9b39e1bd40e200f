//! What models answer in place of a page, and what endpoints refuse: who pays for what, and what is said.

use serde_json::Value;

use crate::support::fake_llm::moods::{self, Mood};
use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::RedisServer;
use crate::support::server::{Server, fresh_data};
use crate::support::until;

async fn read(script: Script, pdf: Vec<u8>, query: &str) -> (FakeLlm, Server, Value, Value) {
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(pdf, &format!("processor=llm&{query}")).await;
    let task = server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages?limit=1000")).await;
    (llm, server, task, pages)
}

const BLIND: &str = "I don't see any image attached. Please upload the page.";

/// A book whose pages say what an endpoint of many moods reads on them.
fn moody_book(pages: u32) -> Vec<u8> {
    written(pages, moods::lines)
}

/// A book whose pages have these lines.
fn written<L: std::fmt::Display>(pages: u32, lines: impl Fn(u32) -> Vec<L>) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book("Moods", pages)).unwrap();
    for (number, page) in document.get_pages() {
        let lines = lines(number).iter().map(|line| format!("({line}) Tj T*")).collect::<Vec<_>>().join(" ");
        document.change_page_content(page, format!("BT /F1 12 Tf 14 TL 72 720 Td {lines} ET").into_bytes()).unwrap();
    }
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// Every page is right, or says that it is not; a page is asked for again only where that may help, and none fails of which
/// one of the attempts had brought the page. `BINDERY_MOODS_SEED` and `BINDERY_MOODS_PAGES` replay another book.
#[tokio::test]
async fn a_book_from_an_endpoint_of_many_moods_is_right_page_for_page() {
    let variable = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u32>().unwrap());
    let all = variable("BINDERY_MOODS_PAGES").unwrap_or(500);
    let seed = variable("BINDERY_MOODS_SEED").unwrap_or(2).into();
    let script = Script { moods: Some(seed), ..Script::default() };
    let begun = std::time::Instant::now();
    let (llm, _server, task, pages) = read(script, moody_book(all), "").await;
    let had = |page: u32| (0..llm.calls_for(page)).any(|nth| Mood::of_call(seed, (page, nth), "").is_good());
    let (mut failed, mut doubtful) = (0, 0);
    let pages = pages["pages"].as_array().unwrap();
    assert_eq!(pages.len(), all as usize, "{task}");
    for page in pages {
        let number = u32::try_from(page["page"].as_u64().unwrap()).unwrap();
        if page["status"] == "failed" {
            failed += 1;
            assert!(!had(number), "{page}");
            continue;
        }
        let doubts = |finding: &Value| finding["fact"] != true;
        let is_doubtful = page["findings"].as_array().unwrap().iter().any(doubts);
        doubtful += u32::from(is_doubtful);
        assert!(is_doubtful || page["markdown"].as_str().unwrap().trim() == moods::text(number), "{page}");
    }
    let (calls, paid) = (llm.books().calls.len(), task["usage"]["calls"].as_u64().unwrap());
    println!(
        "seed {seed}: {all} pages, {calls} calls, {paid} paid, {failed} failed, {doubtful} doubtful, {:?}",
        begun.elapsed()
    );
    assert_eq!(task["status"], "completed", "{task}");
    // Of a hundred pages less than one has a seed by which every call goes wrong that a page may have.
    assert!(failed <= all / 100 && doubtful <= all / 25, "{failed} failed, {doubtful} doubtful");
    assert!(calls <= all as usize * 16 / 10 && paid <= u64::from(all) * 15 / 10, "{calls} calls, {paid} paid");
}

#[tokio::test]
async fn what_is_taken_off_an_answer_is_told() {
    let answer = "<think>A lease, so it seems.</think>\n\nHere is the transcription:\n\n```markdown\n# Lease\n```";
    let (llm, _server, _, pages) =
        read(Script::default().otherwise(Answer::Text(answer, "stop")), book("Off", 1), "").await;
    let page = &pages["pages"][0];
    assert_eq!((page["markdown"].as_str(), llm.books().calls.len()), (Some("# Lease"), 1), "{page}");
    let removed: Vec<_> =
        page["checks"]["removed"].as_array().unwrap().iter().map(|what| what.as_str().unwrap()).collect();
    assert_eq!(removed.len(), 3, "{removed:?}");
    assert!(removed[0].starts_with("thoughts of ") && removed[2].contains("Here is the transcription"), "{removed:?}");
}

/// Small models repeat what they have read; receipts stand twice on their page.
#[tokio::test]
async fn a_page_that_comes_several_times_over_is_kept_as_often_as_it_stands_there() {
    let said = moods::text(1);
    let answer: &str = [said.as_str(); 3].join("\n\n---\n\n").leak();
    for (copies, removed) in [(1, "2 of its 3 equal copies"), (2, "1 of its 3 equal copies")] {
        let script = Script::default().otherwise(Answer::Text(answer, "stop"));
        let (llm, _server, _, pages) =
            read(script, written(1, |number| vec![moods::lines(number); copies].concat()), "").await;
        let page = &pages["pages"][0];
        assert_eq!(page["markdown"].as_str().unwrap().matches(&said).count(), copies, "{page}");
        assert_eq!((&page["checks"]["removed"], llm.books().calls.len()), (&serde_json::json!([removed]), 1), "{page}");
        assert_eq!(page["findings"], Value::Array(vec![]), "{page}");
    }
}

/// A model that goes round until its limit (zai-org/GLM-OCR#220) has read the page all the same.
#[tokio::test]
async fn a_page_that_is_repeated_until_the_limit_is_taken_once() {
    let said = moods::text(1);
    let answer: &str = format!("{}\n\n{}", [said.as_str(); 3].join("\n\n"), &said[..said.len() / 2]).leak();
    let whole: &str = [said.as_str(); 4].join("\n\n").leak();
    for (copies, calls) in [(1, 1), (2, 1), (4, 2)] {
        let script = Script::default().page(1, [Answer::Text(answer, "length"), Answer::Text(whole, "stop")]);
        let (llm, _server, _, pages) =
            read(script, written(1, |number| vec![moods::lines(number); copies].concat()), "").await;
        let page = &pages["pages"][0];
        assert_eq!(llm.books().calls.len(), calls, "a page that holds more than the answer is asked for again: {page}");
        assert_eq!(page["markdown"].as_str().unwrap().matches(&said).count(), copies, "{page}");
        assert_eq!(page["findings"], Value::Array(vec![]), "{page}");
    }
}

#[tokio::test]
async fn a_model_that_cannot_see_fails_the_task_and_says_so() {
    let script = Script::default().otherwise(Answer::Text(BLIND, "stop"));
    let (llm, server, task, _) = read(script.clone(), book("Blind", 60), "").await;
    assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &"model_cannot_see".into()), "{task}");
    let message = task["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("I don't see any image") && message.contains("choose a model that takes pictures"),
        "{message}"
    );
    assert!(llm.books().calls.len() <= 16 + 3, "{}", llm.books().calls.len());
    // One page among others is its own misfortune, and asked for once.
    let (llm, _server, task, _) =
        read(Script::default().page(3, [Answer::Text(BLIND, "stop")]), book("Blind", 5), "").await;
    assert_eq!(
        (&task["status"], &task["pages"]["failed"], llm.calls_for(3)),
        (&"completed".into(), &1.into(), 1),
        "{task}"
    );
    drop(server);
}

#[tokio::test]
async fn a_refusal_is_asked_for_once_more_and_a_letter_that_begins_alike_is_none() {
    let refusal = Answer::Text("I'm sorry, but I can't read this image.", "stop");
    let letter = Answer::Text(
        "I'm sorry to say that we cannot accept the image of the harbour. Please send two hundred new ones before 3 May.",
        "stop",
    );
    let script = Script::default()
        .page(1, [refusal.clone(), Answer::Ok])
        .page(2, [refusal.clone()])
        .page(3, [letter])
        .page(4, [Answer::Text("# x", "content_filter")]);
    let (llm, _server, task, pages) = read(script, book("Whim", 4), "").await;
    assert_eq!((&task["pages"]["done"], &task["pages"]["failed"]), (&2.into(), &2.into()), "{task}");
    assert_eq!([1, 2, 3, 4].map(|page| llm.calls_for(page)), [2, 2, 1, 1]);
    assert!(pages["pages"][2]["markdown"].as_str().unwrap().contains("two hundred"));
    assert!(pages["pages"][1]["error"]["message"].as_str().unwrap().contains("I can't read this image"), "{pages}");
    let freer: Vec<_> = llm
        .books()
        .asked
        .iter()
        .filter(|asked| asked.page == 1)
        .map(|asked| asked.temperature.unwrap() > 0.0)
        .collect();
    assert_eq!(freer, [false, true]);
}

#[tokio::test]
async fn what_all_pages_get_fails_the_task_in_the_endpoints_words() {
    const WORDS: &str = "region not served";
    for (answer, code) in [
        (Answer::Refuse(403, WORDS), "endpoint_refused"),
        (Answer::Refuse(402, WORDS), "endpoint_unauthorized"),
        (Answer::Refuse(400, WORDS), "endpoint_refused"),
        (Answer::Refuse(400, "region not served: this model does not support image input"), "model_cannot_see"),
        (
            Answer::Body(r#"{"error":{"message":"region not served","code":"insufficient_quota"}}"#),
            "endpoint_unauthorized",
        ),
        (Answer::Body("<html><title>region not served</title></html>"), "bad_answer"),
    ] {
        let (llm, _server, task, _) = read(Script::default().otherwise(answer.clone()), book("All", 60), "").await;
        assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &code.into()), "{answer:?} {task}");
        assert!(task["error"]["message"].as_str().unwrap().contains(WORDS), "{task}");
        assert!(llm.books().calls.len() <= 2 * 16 + 3, "{answer:?}: {}", llm.books().calls.len());
    }
}

#[tokio::test]
async fn what_a_model_takes_is_learnt_once_for_all_pages() {
    const PAGES: u32 = 24;
    for (refusal, input, refusals, refuses) in [
        (Answer::NoSystemRole, "text", 16, &["system role"][..]),
        (Answer::NoTemperature, "text", 16, &["temperature"]),
        (Answer::SmallPictures(4_000), "image", 2 * 16, &[]),
    ] {
        let script = Script { delay: std::time::Duration::from_millis(20), ..Script::default() };
        let query = format!("input={input}");
        let (llm, server, task, _) = read(script.otherwise(refusal.clone()), book("Learnt", PAGES), &query).await;
        let ready = server.get("/readyz?verbose").await;
        let learnt = &ready["models"][0];
        assert_eq!((&learnt["model"], &learnt["endpoint"]), (&"m".into(), &llm.url.as_str().into()), "{ready}");
        assert_eq!(learnt["refuses"], serde_json::json!(refuses), "{refusal:?} {ready}");
        let most = learnt["max_image_bytes"].as_u64();
        assert_eq!(most.is_some_and(|most| most < 8_000), refuses.is_empty(), "{refusal:?} {ready}");
        assert_eq!(
            (&task["status"], &task["pages"]["done"]),
            (&"completed".into(), &PAGES.into()),
            "{refusal:?} {task}"
        );
        let books = llm.books();
        assert!(books.calls.len() <= PAGES as usize + refusals, "{refusal:?}: {}", books.calls.len());
        assert_eq!(task["usage"]["calls"], PAGES, "a refusal is not paid: {task}");
        let last = books.asked.last().unwrap();
        match refusal {
            Answer::NoSystemRole => assert!(last.system.is_empty() && last.text.contains("You transcribe"), "{last:?}"),
            Answer::SmallPictures(bytes) => assert!(last.pictures[0] <= bytes, "{last:?}"),
            _ => assert_eq!(last.temperature, None),
        }
    }
}

#[tokio::test]
async fn a_limit_of_tokens_that_is_too_large_is_learnt_and_one_that_cannot_grow_is_not_paid_again() {
    let (llm, server, task, _) =
        read(Script::default().otherwise(Answer::MostTokens(4_096)), book("Limit", 1), "").await;
    assert_eq!(task["pages"]["done"], 1, "{task}");
    let ready = server.get("/readyz?verbose").await;
    assert_eq!(
        (&ready["models"][0]["max_tokens"], &ready["models"][0]["learnt_at"].is_string()),
        (&4_096.into(), &true),
        "{ready}"
    );
    let budgets: Vec<_> = llm.books().asked.iter().map(|asked| asked.max_tokens).collect();
    assert_eq!(budgets, [None, Some(8_192), Some(4_096)]);

    let script = Script::default().page(
        1,
        [
            Answer::Text("# x", "length"),
            Answer::Refuse(400, "max_tokens is too large: at most 4096"),
            Answer::Text("# x", "length"),
        ],
    );
    let (llm, _server, task, pages) = read(script, book("Limit", 1), "").await;
    assert_eq!((&task["status"], llm.books().calls.len()), (&"failed".into(), 3), "{task}");
    assert!(pages["pages"][0]["error"]["message"].as_str().unwrap().contains("limit of 4096 tokens"), "{pages}");
}

/// A page of 200 x 2,150 points with a few words: it is shown in three parts.
fn long() -> Vec<u8> {
    long_of(1)
}

/// The same, before other pages.
fn long_of(pages: u32) -> Vec<u8> {
    shaped(pages, (200, 2_150), [(20, 100), (20, 1_050), (20, 2_000)])
}

/// A page that is so wide and high, with a few words at these places, before other pages.
fn shaped(pages: u32, (width, height): (i64, i64), places: [(i64, i64); 3]) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book("Long", pages)).unwrap();
    let page = document.get_pages()[&1];
    let words = places.map(|(x, y)| format!("BT /F1 12 Tf {x} {y} Td (some words) Tj ET")).join(" ");
    document.change_page_content(page, words.into_bytes()).unwrap();
    let sides = [0, 0, width, height].map(lopdf::Object::Integer).to_vec();
    document.get_dictionary_mut(page).unwrap().set("MediaBox", sides);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn a_long_page_is_read_in_parts_that_are_joined_or_said_not_to_meet() {
    let part = |text| Answer::Text(text, "stop");
    let (first, second) = ("# Receipt\n\nbread 1.20\nbutter 2.40", "butter 2.40\ncheese 3.60\nmilk 0.90");
    let script =
        Script::default().page(1, [part(first), part(second), part("cheese 3.60\nmilk 0.90\n\n**Total** 8.10")]);
    let (llm, _server, task, pages) = read(script, long(), "input=image").await;
    let page = &pages["pages"][0];
    let expected = "# Receipt\n\nbread 1.20\nbutter 2.40\ncheese 3.60\nmilk 0.90\n\n**Total** 8.10";
    assert_eq!(page["markdown"].as_str().map(str::trim), Some(expected), "{page}");
    assert_eq!((&page["findings"], &task["usage"]["calls"]), (&Value::Array(vec![]), &3.into()), "{page}");
    let asked = llm.books().asked;
    assert!(
        asked.iter().enumerate().all(|(at, asked)| asked.text.contains(&format!("part {} of 3", at + 1))),
        "{asked:?}"
    );
    let script = Script::default().page(1, [part(first), part(second), part("**Total** 8.10 and more")]);
    let (_, _server, _, pages) = read(script, long(), "input=image").await;
    assert_eq!(pages["pages"][0]["findings"][0]["code"], "unsure", "{pages}");
}

/// A timeline of 1,700 x 200 points: each part has what stands in it alone, and in its overlap with the next one.
#[tokio::test]
async fn a_wide_page_is_read_in_parts_from_left_to_right() {
    let part = |text| Answer::Text(text, "stop");
    let wide = shaped(1, (1_700, 200), [(100, 100), (800, 100), (1_500, 100)]);
    let (first, second) = ("## 1901\n\nThe house is built", "The house is built\n\n## 1950\n\nIt is sold");
    let third = "It is sold\n\n## 2001\n\nIt burns down";
    let script = Script::default().page(1, [part(first), part(second), part(third)]);
    let (llm, _server, task, pages) = read(script, wide.clone(), "input=image").await;
    let page = &pages["pages"][0];
    let expected = "## 1901\n\nThe house is built\n\n## 1950\n\nIt is sold\n\n## 2001\n\nIt burns down";
    assert_eq!(page["markdown"].as_str().map(str::trim), Some(expected), "{page}");
    // Nothing vouches for it, and a column that all parts cut would be missing.
    let finding = &page["findings"][0];
    assert_eq!((&finding["code"], &task["usage"]["calls"]), (&"unsure".into(), &3.into()), "{page}");
    assert!(finding["detail"].as_str().unwrap().contains("read in 3 parts"), "{page}");
    for (at, asked) in llm.books().asked.iter().enumerate() {
        assert!(asked.text.contains(&format!("part {} of 3", at + 1)), "{asked:?}");
        assert!(asked.system.contains("one part of a wide page"), "{asked:?}");
    }
    let script = Script::default().page(1, [part(first), part(second), part("## 2001\n\nIt burns down")]);
    let (_, _server, _, pages) = read(script, wide, "input=image").await;
    let finding = &pages["pages"][0]["findings"][0];
    assert_eq!((&finding["code"], &finding["fact"]), (&"unsure".into(), &Value::Null), "{pages}");
    assert!(finding["detail"].as_str().unwrap().contains("part 3 of 3 of a wide page"), "{pages}");
}

/// What a model takes at once is found out once: with one picture a call, a page costs one call.
#[tokio::test]
async fn pages_go_one_by_one_to_a_model_that_takes_one_picture() {
    let refused = Answer::Refuse(400, "At most 1 image(s) may be provided in one request.");
    let llm = FakeLlm::start(Script::default().page(1, [refused, Answer::Ok]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "1"]).await;
    let id = server.accepted(book("Pictures", 6), "processor=llm&input=image&shard_pages=2").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &6.into()), "{task}");
    let books = llm.books();
    assert_eq!(books.calls.len(), 6 + 1, "{books:?}");
    assert!(books.asked[1..].iter().all(|asked| asked.pictures.len() == 1), "{books:?}");
    let ready = server.get("/readyz?verbose").await;
    assert_eq!(ready["models"][0]["refuses"], serde_json::json!(["several pictures a call"]), "{ready}");
}

/// What a model refuses is learnt once by all servers of a store, also by those that start later.
#[tokio::test]
async fn what_a_model_takes_is_learnt_once_for_all_servers_of_a_store() {
    let redis = RedisServer::start().await;
    let llm = FakeLlm::start(Script::default().otherwise(Answer::NoSystemRole));
    let arguments = ["--store", &redis.url(), "--llm-base-url", &llm.url, "--llm-model", "m"];
    let data = fresh_data();
    let start = async || Server::start_on(data.clone(), &arguments, &[]).await;
    let (mut first, second) = (start().await, start().await);
    let read = async |server: &Server, title: &str| {
        let id = server.accepted(book(title, 1), "processor=llm").await;
        assert_eq!(server.finished(&id).await["status"], "completed", "{title}");
        llm.books().calls.len()
    };
    assert_eq!(read(&first, "One").await, 2, "refused once");
    let knows = async |server: &Server| {
        let models = server.get("/readyz?verbose").await["models"].clone();
        let learnt = &models[0];
        assert!(models == serde_json::json!([]) || learnt["refuses"] == serde_json::json!(["system role"]), "{models}");
        learnt["model"] == "m" && learnt["endpoint"] == llm.url && learnt["learnt_at"].is_string()
    };
    until("the other server to know", async || knows(&second).await).await;
    first.kill().await;
    assert_eq!(read(&second, "Two").await, 3, "refused again");
    let third = start().await;
    assert!(knows(&third).await, "a new server begins with what is known");
    assert_eq!(read(&third, "Three").await, 4, "refused again");
}

/// The same on the embedded store, over a death.
#[tokio::test]
async fn what_a_model_takes_is_known_after_a_restart() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::NoSystemRole));
    let mut server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("One", 1), "processor=llm").await;
    server.finished(&id).await;
    let store = server.data().join("tasks.redb");
    let is_kept = || std::fs::read(&store).unwrap().windows(11).any(|bytes| bytes == b"system role");
    until("it to be kept", async || is_kept()).await;
    server.kill().await;
    server.restart().await;
    let id = server.accepted(book("Two", 1), "processor=llm").await;
    server.finished(&id).await;
    assert_eq!(llm.books().calls.len(), 3, "{:?}", llm.books());
}

/// The parts before one that fails are paid; so are the pages beside.
#[tokio::test]
async fn a_part_that_fails_is_asked_for_again_and_no_other_one() {
    let part = |text| Answer::Text(text, "stop");
    let (first, second) = ("# Receipt\n\nbread 1.20\nbutter 2.40", "butter 2.40\ncheese 3.60\nmilk 0.90");
    for trouble in [Answer::Status(500, None), Answer::Status(429, Some("0")), part(""), Answer::Reset] {
        let last = part("cheese 3.60\nmilk 0.90\n\n**Total** 8.10");
        let script = Script::default().page(1, [part(first), part(second), trouble.clone(), last]);
        let (llm, _server, task, pages) = read(script, long(), "input=image").await;
        assert_eq!((&task["pages"]["done"], llm.books().calls.len()), (&1.into(), 4), "{trouble:?} {task}");
        assert!(pages["pages"][0]["markdown"].as_str().unwrap().contains("**Total** 8.10"), "{pages}");
    }
}

#[tokio::test]
async fn a_long_page_that_is_read_is_kept_when_the_page_beside_it_fails() {
    let part = |text| Answer::Text(text, "stop");
    let (first, second) = ("# Receipt\n\nbread 1.20\nbutter 2.40", "butter 2.40\ncheese 3.60\nmilk 0.90");
    let last = part("cheese 3.60\nmilk 0.90\n\n**Total** 8.10");
    let script =
        Script::default().page(1, [part(first), part(second), last]).page(2, [Answer::Status(500, None), Answer::Ok]);
    let (llm, _server, task, _) = read(script, long_of(2), "input=image&shard_pages=2").await;
    assert_eq!((&task["pages"]["done"], llm.calls_for(1), llm.calls_for(2)), (&2.into(), 3, 2), "{task}");
}

#[tokio::test]
async fn pages_that_are_too_large_together_are_sent_one_by_one_as_large_as_before() {
    let script = Script::default().page(1, [Answer::Refuse(413, "Request Entity Too Large"), Answer::Ok]);
    let (llm, _server, task, pages) = read(script, book("Large", 2), "input=image&shard_pages=2").await;
    assert_eq!((&task["pages"]["done"], llm.books().calls.len()), (&2.into(), 3), "{task}");
    let asked = llm.books().asked;
    let alone: usize = asked[1..].iter().map(|asked| asked.pictures[0]).sum();
    assert_eq!(asked[0].pictures.iter().sum::<usize>(), alone, "{asked:?}");
    assert_eq!(pages["pages"][0]["findings"], Value::Array(vec![]), "{pages}");
}

#[tokio::test]
async fn a_page_that_is_too_large_at_any_size_fails_and_leaves_the_others_theirs() {
    let script = Script::default().page(1, vec![Answer::Refuse(413, "Request Entity Too Large"); 40]);
    let (llm, _server, task, pages) = read(script, book("Refused", 2), "input=image&shard_pages=1").await;
    assert_eq!((&task["pages"]["done"], llm.calls_for(2)), (&1.into(), 1), "{task}");
    assert!(llm.calls_for(1) < 20, "{}", llm.calls_for(1));
    assert_eq!(pages["pages"][1]["findings"], Value::Array(vec![]), "{pages}");
}

#[tokio::test]
async fn a_page_that_was_shown_smaller_than_asked_for_says_so_and_is_not_reused_by_others() {
    let script = Script::default().otherwise(Answer::SmallPictures(4_000));
    let (_llm, _server, task, pages) = read(script, book("Small", 1), "input=image").await;
    let finding = &pages["pages"][0]["findings"][0];
    assert_eq!((&finding["code"], &finding["fact"]), (&"unsure".into(), &true.into()), "{pages}");
    assert!(finding["detail"].as_str().unwrap().contains("takes no larger picture"), "{pages}");
    assert_eq!(task["pages"]["doubtful"], 0, "a fact: {task}");
}

/// Refusals come sooner than pages.
#[tokio::test]
async fn a_few_pages_that_are_refused_are_not_all_pages_while_others_are_being_read() {
    let script = [1, 3, 5, 7].into_iter().fold(Script::default(), |script, page| script.page(page, [Answer::Hold]));
    let script = [2, 4, 6].into_iter().fold(script, |script, page| script.page(page, [Answer::Status(400, None)]));
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(book("Some", 7), "processor=llm").await;
    let path = format!("/v1/tasks/{id}");
    until("three pages to fail", async || {
        let task = server.get(&path).await;
        task["pages"]["failed"] == 3 || task["status"] == "failed"
    })
    .await;
    llm.open();
    let task = server.finished(&id).await;
    assert_eq!((&task["pages"]["done"], &task["pages"]["failed"]), (&4.into(), &3.into()), "{task}");
}

/// A million tokens sent, of which the endpoint had read 400,000 before, and 100,000 received.
const FLEX: &str = r##"{"service_tier":"flex","choices":[{"message":{"content":"# x"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":1000000,"completion_tokens":100000,"prompt_tokens_details":{"cached_tokens":400000}}}"##;

#[tokio::test]
async fn a_cheaper_tier_is_waited_for_and_costs_what_the_answer_says() {
    let full = Answer::Refuse(429, "Resource unavailable, try again in 10ms");
    let dear: &str = FLEX.replace("\"flex\"", "\"default\"").leak();
    let script = Script::default().page(1, [full, Answer::Body(FLEX)]).page(2, [Answer::Body(dear)]);
    let llm = FakeLlm::start(script);
    let prices = ["--llm-prices", "m=1/10/0.5"];
    let server = Server::start(&[&["--llm-base-url", &llm.url, "--llm-model", "m"][..], &prices].concat()).await;
    let id = server.accepted(book("Tier", 2), "processor=llm&service_tier=flex").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["pages"]["done"], llm.calls_for(1)), (&2.into(), 2), "{task}");
    assert!(llm.books().asked.iter().all(|asked| asked.service_tier.as_deref() == Some("flex")));
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    let costs = [0, 1].map(|page| pages["pages"][page]["usage"]["cost"].as_f64().unwrap());
    assert!(
        (costs[0] - 0.9).abs() < 1e-6 && (costs[1] - 1.8).abs() < 1e-6,
        "half the price, where it was served at that: {costs:?}"
    );
    let ready = server.get("/readyz?verbose").await;
    assert_eq!(ready["endpoints"][0]["window"], 16, "no limit of the endpoint: {ready}");

    // The standard tier where that is allowed, and for the pages after it, too.
    let full = Answer::Refuse(429, "Resource unavailable, try again in 10m");
    let script = Script::default().page(1, [full, Answer::Ok]);
    let (llm, _server, task, _) = read(script, book("Tier", 1), "service_tier=flex,auto").await;
    let tiers: Vec<_> = llm.books().asked.into_iter().map(|asked| asked.service_tier).collect();
    assert_eq!((&task["pages"]["done"], tiers), (&1.into(), vec![Some("flex".to_owned()), None]), "{task}");

    let script = Script::default().otherwise(Answer::NoTier);
    let (llm, _server, task, _) = read(script, book("Tier", 1), "service_tier=priority").await;
    let tiers: Vec<_> = llm.books().asked.into_iter().map(|asked| asked.service_tier).collect();
    assert_eq!((&task["pages"]["done"], tiers), (&1.into(), vec![Some("priority".to_owned()), None]), "{task}");
}
