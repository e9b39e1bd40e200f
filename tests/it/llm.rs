//! The LLM processor against an endpoint that misbehaves.

use serde_json::Value;

use crate::support::eventually;
use crate::support::fake_llm::{Answer, FakeLlm, Script, markdown};
use crate::support::pdf::{Trap, book, book_with_text, mixed, trapped};
use crate::support::server::{Server, answer, files};

async fn read(script: Script, pages: u32, query: &str) -> (FakeLlm, Server, Value, String) {
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-max-attempts", "3"]).await;
    let id = server.accepted(book("Llm", pages), &format!("processor=llm&{query}")).await;
    let task = server.finished(&id).await;
    let partial = format!("/v1/tasks/{id}/result?partial=true");
    let text = server.request("GET", &partial).send().await.unwrap().text().await.unwrap();
    (llm, server, task, text)
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_paid_once() {
    let script = Script::default()
        .page(1, [Answer::Status(429, Some("0")), Answer::Ok])
        .page(2, [Answer::Status(500, None), Answer::Status(503, Some("0")), Answer::Ok])
        .page(3, [Answer::Body("<html>gateway</html>"), Answer::Ok])
        .page(4, [Answer::Text("", "stop"), Answer::Text("# Half a pa", "length"), Answer::Ok]);
    let (llm, _server, task, text) = read(script, 5, "page_separator=").await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &5.into()));
    assert_eq!(task["usage"]["calls"], 8, "answers that came to nothing are paid, refusals are not");
    assert_eq!([1, 2, 3, 4, 5].map(|page| llm.calls_for(page)), [2, 3, 2, 3, 1]);
    let pages: Vec<String> = (1..=5).map(markdown).collect();
    assert_eq!(text, pages.join("\n\n") + "\n");
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_left_alone_for_as_long_as_it_says() {
    let away = Answer::Status(503, Some("3"));
    // Three times in a row there is nobody; then one call probes, when it was told to and not before.
    let script = Script::default().page(1, [away.clone(), away.clone(), away, Answer::Ok]);
    let (llm, _server, task, _) = read(script, 1, "").await;
    assert_eq!(task["status"], "completed", "{task}");
    let asked: Vec<_> = llm.books().asked.iter().filter_map(|asked| asked.at).collect();
    let pauses: Vec<_> = asked.windows(2).map(|two| two[1].duration_since(two[0])).collect();
    assert!(pauses.len() == 3 && pauses.iter().all(|pause| pause.as_secs() >= 3), "{pauses:?}");
}

#[tokio::test]
async fn what_cannot_pass_is_not_tried_again_and_the_last_attempt_is_the_last() {
    let script = Script::default()
        .page(1, [Answer::Status(400, None)])
        .page(2, [Answer::Status(500, None)])
        .page(3, [Answer::Text("", "stop")]);
    let (llm, server, task, text) = read(script, 4, "").await;
    assert_eq!((&task["status"], &task["pages"]["failed"]), (&"completed".into(), &3.into()));
    assert_eq!([1, 2, 3, 4].map(|page| llm.calls_for(page)), [1, 3, 3, 1]);
    for (page, code) in [(1, "endpoint_refused"), (2, "endpoint_unavailable"), (3, "bad_answer")] {
        assert!(text.contains(&format!("<!-- page {page}: failed: {code} -->")), "{text}");
    }
    let id = task["id"].as_str().unwrap();
    let failed = server.get(&format!("/v1/tasks/{id}/pages?status=failed&limit=1")).await;
    let message = failed["pages"][0]["error"]["message"].as_str().unwrap();
    assert!(message.contains("400") && message.contains("scripted refusal"), "{message}");
}

#[tokio::test]
async fn several_pages_go_in_one_call_and_one_by_one_when_that_fails() {
    let half = "<<<page 5>>>\nonly one of four";
    let script = Script::default().page(5, [Answer::Text(half, "stop"), Answer::Ok]);
    let (llm, _server, task, text) = read(script, 8, "shard_pages=4&page_separator=").await;
    assert_eq!(task["pages"]["done"], 8);
    // One call for pages 1 to 4; one for 5 to 8 that is no answer, then four of one page.
    let mut calls = llm.books().calls;
    calls.sort_unstable();
    assert_eq!(calls, [1, 5, 5, 6, 7, 8]);
    assert_eq!(task["usage"]["calls"], 6);
    assert_eq!(text.matches("Read by the fake.").count(), 8);
}

#[tokio::test]
async fn pages_in_the_wrong_order_are_asked_for_one_by_one() {
    let script = Script::default().page(1, [Answer::Shuffled, Answer::Ok]);
    let (llm, _server, task, text) = read(script, 3, "shard_pages=3&page_separator=").await;
    assert_eq!(llm.books().calls.len(), 4);
    assert_eq!(task["pages"]["done"], 3);
    assert_eq!(text, (1..=3).map(markdown).collect::<Vec<_>>().join("\n\n") + "\n");
}

#[tokio::test]
async fn of_a_call_for_several_pages_only_those_that_stray_are_asked_for_again() {
    // What the fake answers is not what stands on the third page; the others have too little text to tell.
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let pdf = book_with_text("Stray", 4, 3);
    let id = server.accepted(pdf, "processor=llm&shard_pages=4").await;
    let task = server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    assert_eq!(page(&task, &pages, 3)["checks"]["unfaithful"], true, "{pages}");
    assert_eq!(page(&task, &pages, 2)["checks"]["unfaithful"], Value::Null, "{pages}");
    let mut calls = llm.books().calls;
    calls.sort_unstable();
    assert_eq!(calls, [1, 3, 3], "all four, then the third alone until it is settled");
    assert_eq!(task["usage"]["calls"], 3);
}

#[tokio::test]
async fn a_limit_of_tokens_is_raised_as_far_as_needed() {
    let script = Script::default().page(1, [Answer::Capped(10_000)]);
    let (llm, _server, task, text) = read(script, 1, "page_separator=").await;
    assert_eq!(text, markdown(1) + "\n");
    let budgets: Vec<_> = llm.books().asked.iter().map(|asked| asked.max_tokens).collect();
    assert_eq!(budgets, [None, Some(8_192), Some(16_384)]);
    assert_eq!(task["usage"]["calls"], 3);
}

#[tokio::test]
async fn when_nobody_comes_for_a_model_its_fallback_reads_and_has_its_own_limits() {
    let llm = FakeLlm::start(Script::default().model("m", Answer::Status(503, None)));
    let arguments =
        ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-fallback", "other", "--llm-unavailable-timeout", "1s"];
    let server = Server::start(&arguments).await;
    let id = server.accepted(book("Away", 6), "processor=llm").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &6.into()), "{task}");
    let ready = server.get("/readyz?verbose").await;
    let endpoints = ready["endpoints"].as_array().unwrap();
    let window = |model: &str| endpoints.iter().find(|e| e["name"].as_str().unwrap().ends_with(model)).unwrap();
    assert_eq!((&window(" m")["window"], &window(" other")["window"]), (&1.into(), &16.into()), "{ready}");

    let alone = server.accepted(book("Away too", 2), "processor=llm&fallback=text").await;
    let task = server.finished(&alone).await;
    assert_eq!(task["status"], "completed", "{task}");
    let pages = server.get(&format!("/v1/tasks/{alone}/pages")).await;
    assert_eq!(pages["pages"][1]["checks"]["route"], "fallback: endpoint_unavailable");
    let without = server.accepted(book("Away alone", 1), "processor=llm&fallback=none").await;
    assert_eq!(server.finished(&without).await["status"], "failed");
}

#[tokio::test]
async fn a_page_that_cannot_be_drawn_is_read_as_text_where_that_is_allowed() {
    let llm = FakeLlm::start(Script::default());
    let arguments =
        ["--llm-base-url", &llm.url, "--llm-model", "m", "--reader-timeout", "2s", "--reader-memory", "128M"];
    let server = Server::start(&arguments).await;
    let pdf = trapped("Paint", 2, 2, Trap::Paint);
    let id = server.accepted(pdf.clone(), "processor=llm&input=image&image_side=1200&fallback=text").await;
    let task = server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    let second = page(&task, &pages, 2);
    assert_eq!((&second["processor"], &second["markdown"]), (&"text".into(), &"Paint page 2".into()), "{second}");
    // It takes too long or too much memory, whichever comes first.
    assert!(second["checks"]["route"].as_str().unwrap().starts_with("fallback: page_"), "{second}");
    let id = server.accepted(pdf, "processor=llm&input=image&image_side=1200").await;
    server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages?status=failed")).await;
    assert!(pages["pages"][0]["error"]["code"].as_str().unwrap().starts_with("page_"), "{pages}");
    assert_eq!(llm.books().calls_by_page.get(&2), None);
}

#[tokio::test]
async fn calls_that_are_cut_off_are_paid_and_count_for_the_budget() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1000/1000"];
    let server = Server::start(&arguments).await;
    let id = server.accepted(book("Cut off", 3), "processor=llm").await;
    llm.until(|books| books.held == 3).await;
    let (_, cancelled) = server.ask("POST", &format!("/v1/tasks/{id}/cancel")).await;
    assert_eq!(cancelled["usage"]["calls"], 3, "{cancelled}");
    let cost = cancelled["usage"]["cost"].as_f64().unwrap();
    assert!(cost > 0.1, "{cancelled}");
    let (status, _) = server.ask("POST", &format!("/v1/tasks/{id}/retry?max_cost={}", cost / 2.0)).await;
    assert_eq!(status, 202);
    let task = server.finished(&id).await;
    assert_eq!((&task["error"]["code"], &task["usage"]["calls"]), (&"budget_exhausted".into(), &3.into()));
}

#[tokio::test]
async fn the_name_of_a_file_is_told_to_no_model_unless_the_prompt_asks_for_it() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let pdf = book("Named", 1);
    for (query, reused) in [
        ("file_name=one.pdf", 0),
        ("file_name=two.pdf", 1),
        ("file_name=one.pdf&prompt=Read+{file_name}", 0),
        ("file_name=two.pdf&prompt=Read+{file_name}", 0),
        ("file_name=two.pdf&prompt=Read+{file_name}&metadata=1", 1),
        ("shard_pages=2", 0),
    ] {
        let id = server.accepted(pdf.clone(), &format!("processor=llm&reuse=false&{query}")).await;
        assert_eq!(server.finished(&id).await["usage"]["reused"], reused, "{query}");
    }
    let asked = llm.books().asked;
    assert!(asked.iter().all(|asked| !asked.text.contains(".pdf")), "{asked:?}");
    let prompts: Vec<&str> = asked[1..3].iter().map(|asked| asked.system.as_str()).collect();
    assert_eq!(prompts, ["Read one.pdf", "Read two.pdf"]);
}

#[tokio::test]
async fn what_one_model_does_not_take_another_may() {
    let script = Script::default().model("m", Answer::NoTemperature).model("n", Answer::Ok);
    let (llm, server, ..) = read(script, 1, "").await;
    let id = server.accepted(book("Other", 1), "processor=llm&model=n").await;
    server.finished(&id).await;
    let asked = llm.books().asked;
    let asked: Vec<_> = asked.iter().map(|asked| (asked.model.as_str(), asked.temperature.is_some())).collect();
    assert_eq!(asked, [("m", true), ("m", false), ("n", true)]);
}

fn page(task: &Value, pages: &Value, number: usize) -> Value {
    assert_eq!(task["status"], "completed", "{task}");
    pages["pages"][number - 1].clone()
}

/// A page of the sample with plenty of text.
const LONG: u32 = 3;

#[tokio::test]
async fn a_model_is_shown_the_page_its_text_or_both() {
    for (input, pictures, text) in [("image", 1, false), ("text", 0, true), ("image%2Btext", 1, true)] {
        let llm = FakeLlm::start(Script::default());
        let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
        let query = format!("processor=llm&input={input}&prompt=Page+%7Bpage%7D");
        let id = server.accepted(book("Seen", 1), &query).await;
        assert_eq!(server.finished(&id).await["status"], "completed");
        let asked = llm.books().asked.remove(0);
        assert_eq!((asked.pictures.len(), asked.text.contains("Seen")), (pictures, text), "{input}: {asked:?}");
        assert!(asked.pictures.iter().all(|bytes| (1_000..200_000).contains(bytes)), "{asked:?}");
        assert_eq!(asked.system, "Page 1");
    }
}

#[tokio::test]
async fn an_answer_that_is_not_true_to_the_page_is_asked_for_anew_and_then_marked() {
    let sample = std::fs::read("tests/data/sample.pdf").unwrap();
    let other = Answer::Text("# Something else\n\nNothing that stands on this page.", "stop");
    let llm = FakeLlm::start(Script::default().otherwise(other));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let id = server.accepted(sample.clone(), &format!("processor=llm&pages={LONG}")).await;
    let task = server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    let page = page(&task, &pages, 1);
    assert_eq!((&page["checks"]["unfaithful"], &page["usage"]["calls"]), (&true.into(), &2.into()), "{page}");
    assert!(page["checks"]["recall"].as_f64().unwrap() < 0.5);
    let temperatures: Vec<_> = llm.books().asked.iter().map(|asked| asked.temperature.unwrap() > 0.0).collect();
    assert_eq!(temperatures, [false, true], "asked otherwise the second time");

    let id = server.accepted(sample, &format!("processor=llm&pages={LONG}&fallback=text")).await;
    let pages = {
        server.finished(&id).await;
        server.get(&format!("/v1/tasks/{id}/pages")).await
    };
    let page = &pages["pages"][0];
    // Who has a fallback is not served with what was taken for want of one.
    assert_eq!((&page["processor"], &page["checks"]["route"]), (&"text".into(), &"fallback: answer_unfaithful".into()));
}

#[tokio::test]
async fn a_model_that_will_not_hands_the_page_on() {
    let sample = std::fs::read("tests/data/sample.pdf").unwrap();
    let script = Script::default()
        .model("m", Answer::Refuse(400, "content policy"))
        .model("liar", Answer::Text("# Something else\n\nNothing that stands on this page.", "stop"));
    let llm = FakeLlm::start(script);
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-fallback", "liar, text"]).await;
    let id = server.accepted(sample.clone(), &format!("processor=llm&pages={LONG}")).await;
    let task = server.finished(&id).await;
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    let page = page(&task, &pages, 1);
    assert_eq!((&page["processor"], &page["attempts"]), (&"text".into(), &4.into()), "{page}");
    assert_eq!(page["checks"]["route"], "fallback: answer_unfaithful");
    assert_eq!(page["usage"]["calls"], 2, "what the liar was paid for: {page}");
    let models: Vec<_> = llm.books().asked.into_iter().map(|asked| asked.model).collect();
    assert_eq!(models, ["m", "liar", "liar"]);

    let again = server.accepted(sample.clone(), &format!("processor=llm&pages={LONG}&reuse=false")).await;
    assert_eq!(server.finished(&again).await["usage"]["reused"], 1, "who has the same fallbacks takes it over");
    let alone = server.accepted(sample, &format!("processor=llm&pages={LONG}&fallback=none")).await;
    assert_eq!(server.finished(&alone).await["status"], "failed", "who has none does not");
}

#[tokio::test]
async fn a_key_or_a_model_that_is_not_there_fails_the_task_at_once() {
    for (status, code, words) in
        [(401, "endpoint_unauthorized", "no such key"), (404, "model_not_found", "model \"m\" is unknown")]
    {
        let refusal = Answer::Refuse(status, words);
        let llm = FakeLlm::start(Script::default().otherwise(refusal));
        let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "2"]).await;
        let id = server.accepted(book("Key", 40), "processor=llm").await;
        let task = server.finished(&id).await;
        assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &code.into()), "{task}");
        assert!(task["error"]["message"].as_str().unwrap().contains(&words[..7]), "{task}");
        assert!(llm.books().calls.len() <= 4, "{:?}", llm.books().calls);
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_gets_a_larger_budget_and_refused_parameters_are_left_out() {
    let script = Script::default()
        .page(1, [Answer::Text("# Half a", "length"), Answer::Text("# Half a", "length"), Answer::Ok])
        .page(2, [Answer::Refuse(400, "Unsupported value: 'temperature' does not support 0"), Answer::Ok]);
    let (llm, _server, task, _) = read(script, 2, "").await;
    assert_eq!(task["pages"]["done"], 2, "{task}");
    let books = llm.books();
    let budgets: Vec<_> = books.asked.iter().filter(|asked| asked.page == 1).map(|asked| asked.max_tokens).collect();
    assert_eq!(budgets, [None, Some(8_192), Some(16_384)]);
    let of_two: Vec<_> = books.asked.iter().filter(|asked| asked.page == 2).map(|asked| asked.temperature).collect();
    assert_eq!(of_two, [Some(0.0), None]);
}

#[tokio::test]
async fn a_parameter_that_a_model_does_not_take_costs_no_page_however_many_ask_at_once() {
    let script = Script { delay: std::time::Duration::from_millis(50), ..Script::default() };
    let llm = FakeLlm::start(script.otherwise(Answer::NoTemperature));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "16"]).await;
    let id = server.accepted(book("Temperature", 32), "processor=llm").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &32.into()), "{task}");
    assert!(llm.books().calls.len() <= 32 + 16, "{:?}", llm.books().calls);
}

#[tokio::test]
async fn a_model_that_repeats_itself_is_not_believed() {
    let round = Box::leak("and so on and ".repeat(400).into_boxed_str());
    let script = Script::default().page(1, [Answer::Text(round, "stop"), Answer::Ok]);
    let (llm, _server, task, text) = read(script, 1, "").await;
    assert_eq!((&task["pages"]["done"], llm.calls_for(1)), (&1.into(), 2), "{task}");
    assert!(text.contains("Read by the fake."));
}

#[tokio::test]
async fn an_endpoint_is_not_asked_for_more_than_it_bears() {
    const PAGES: u32 = 200;
    const CAP: usize = 8;
    // What it takes it keeps, so how fast this machine is says nothing about how many it has at once.
    let script = Script { cap: Some(CAP), ..Script::default() };
    let llm = FakeLlm::start(script.otherwise(Answer::Hold));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-concurrency", "32"]).await;
    let id = server.accepted(book("Cap", PAGES), "processor=llm&input=text").await;
    llm.until(|books| books.held == CAP).await;
    let endpoint = async || server.get("/readyz?verbose").await["endpoints"][0].clone();
    let found = async || {
        let found = endpoint().await;
        (found["window"].as_u64().unwrap() <= CAP as u64 && found["in_flight"] == CAP).then_some(found)
    };
    let found = eventually("the window to be found", found).await;
    assert!(found["name"].as_str().unwrap().ends_with(" m"), "{found}");
    let calls = llm.books().calls.len();
    for _ in 0..100 {
        endpoint().await;
    }
    let books = llm.books();
    assert_eq!(books.calls.len(), calls, "no more than it has");
    // Of the first burst all but eight, then a few now and then; who takes no notice is refused hundreds of times.
    assert!(books.refused <= 24 + PAGES as usize / 4, "{} refused", books.refused);
    llm.open();
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]["done"]), (&"completed".into(), &PAGES.into()), "{task}");
    assert_eq!(llm.books().paid.len(), PAGES as usize);
}

#[tokio::test]
async fn a_task_costs_no_more_than_it_may_and_goes_on_with_more() {
    let llm = FakeLlm::start(Script::default());
    // Each page takes 100 and 20 tokens: 0.12.
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "m=1000/1000"];
    let server = Server::start(&arguments).await;
    let id = server.accepted(book("Money", 10), "processor=llm&max_cost=0.5").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &"budget_exhausted".into()), "{task}");
    assert_eq!((&task["usage"]["cost"], &task["pages"]["done"], llm.books().calls.len()), (&0.48.into(), &4.into(), 4));
    let partial = server.request("GET", &format!("/v1/tasks/{id}/result?partial=true")).send().await.unwrap();
    assert_eq!(partial.text().await.unwrap().matches("Read by the fake.").count(), 4);

    let retry = async |query: &str| server.ask("POST", &format!("/v1/tasks/{id}/retry{query}")).await;
    assert_eq!(retry("?max_cost=lots").await.1["code"], "bad_option");
    assert_eq!(retry("").await.0, 202);
    assert_eq!(server.finished(&id).await["error"]["code"], "budget_exhausted", "what it may cost is for all its jobs");
    assert_eq!(llm.books().calls.len(), 4);
    assert_eq!(retry("?max_cost=1.2").await.0, 202);
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["usage"]["cost"]), (&"completed".into(), &1.2.into()), "{task}");
    assert_eq!(llm.books().calls.len(), 10, "nothing was paid twice");

    let (status, problem) = server.submit(book("Unknown", 1), "processor=llm&model=n&max_cost=1").await;
    assert_eq!((status, &problem["code"]), (422, &"bad_option".into()));
    assert!(problem["detail"].as_str().unwrap().contains("the price of n is not known"), "{problem}");
}

#[tokio::test]
async fn an_estimate_spends_nothing_and_knows_what_is_paid() {
    let llm = FakeLlm::start(Script::default());
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-prices", "*=1/10"];
    let server = Server::start(&arguments).await;
    let estimate = async || {
        let request =
            server.request("POST", "/v1/estimate?pages=1-3&input=image").header("content-type", "application/pdf");
        answer(request.body(mixed())).await
    };
    let (status, before) = estimate().await;
    assert_eq!((status, &before["pages"], &before["calls"], &before["reused"]), (200, &3.into(), &1.into(), &0.into()));
    let tokens = ["prompt_tokens", "completion_tokens"].map(|name| before[name].as_f64().unwrap());
    assert!((before["cost"].as_f64().unwrap() - (tokens[0] + 10.0 * tokens[1]) / 1e6).abs() < 1e-8, "{before}");
    assert_eq!(before["routes"]["text: text layer"]["pages"], 2);
    assert_eq!((llm.books().calls.len(), server.get("/v1/tasks").await["tasks"].as_array().unwrap().len()), (0, 0));
    let id = server.accepted(mixed(), "input=image").await;
    server.finished(&id).await;
    let after = estimate().await.1;
    assert_eq!((&after["reused"], &after["calls"], &after["cost"]), (&3.into(), &0.into(), &Value::Null), "{after}");
    let left: Vec<_> = files(server.data()).into_iter().filter(|file| file.starts_with("tmp/")).collect();
    assert!(left.is_empty(), "the file that was looked at is gone: {left:?}");
}

#[tokio::test]
async fn auto_pays_only_for_pages_that_need_it() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    // Two pages of text, one scanned, one empty.
    let id = server.accepted(mixed(), "input=image").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["processor"], &task["pages"]["done"]), (&"auto".into(), &4.into()), "{task}");
    assert_eq!(llm.books().calls, [2]);
    let pages = server.get(&format!("/v1/tasks/{id}/pages")).await;
    let seen: Vec<_> = pages["pages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|page| (page["processor"].as_str().unwrap(), page["checks"]["route"].as_str().unwrap_or_default()))
        .collect();
    let expected = [("text", "text layer"), ("llm", "no text layer"), ("text", "text layer"), ("llm", "no text layer")];
    assert_eq!(seen, expected, "{pages}");
    // What auto has paid for is paid for llm, too; text pages are not.
    let id = server.accepted(mixed(), "processor=llm&input=image&pages=2").await;
    assert_eq!(server.finished(&id).await["usage"]["reused"], 1);
    assert_eq!(llm.books().calls, [2]);
    for id in [server.accepted(mixed(), "input=image&reuse=false").await] {
        assert_eq!(server.finished(&id).await["usage"]["reused"], 4);
    }
}

#[tokio::test]
async fn an_endpoint_that_is_not_there_and_one_that_is_too_slow() {
    let dead = format!("http://127.0.0.1:{}/v1", crate::support::redis_server::free_port());
    let server = Server::start(&["--llm-base-url", &dead, "--llm-model", "m", "--llm-unavailable-timeout", "1s"]).await;
    let id = server.accepted(book("Dead", 1), "processor=llm").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["error"]["code"]), (&"failed".into(), &"too_many_failed_pages".into()));
    assert_eq!(task["error"]["retryable"], true);

    let script = Script::default().page(2, [Answer::Hold]);
    let (llm, _server, task, text) = read(script, 2, "timeout=1").await;
    assert_eq!((&task["pages"]["failed"], llm.calls_for(2)), (&1.into(), 3));
    assert!(text.contains("<!-- page 2: failed: timeout -->"));
}

/// Neither the key nor a page goes where an answer points to.
#[tokio::test]
async fn an_endpoint_that_redirects_is_named_and_not_followed() {
    let elsewhere = FakeLlm::start(Script::default());
    let place: &str = format!("{}/chat/completions?key=geheim", elsewhere.url).leak();
    for (status, place) in [(301, place), (302, place), (307, place), (308, place), (307, "/v1/chat/completions")] {
        let script = Script::default().page(1, [Answer::Redirect(status, place), Answer::Ok]);
        let llm = FakeLlm::start(script);
        let server =
            Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-api-key", "sk-geheim"]).await;
        let id = server.accepted(book("Moved", 1), "processor=llm").await;
        let task = server.finished(&id).await;
        assert_eq!(task["status"], "failed", "{task}");
        let pages = server.get(&format!("/v1/tasks/{id}/pages")).await.to_string();
        let said = format!("{task}{pages}");
        assert!(said.contains("redirects to http://127.0.0.1:") && said.contains(&format!("({status})")), "{said}");
        assert!(!said.contains("geheim"), "{said}");
        assert_eq!((llm.books().calls.len(), elsewhere.books().calls.len()), (1, 0), "asked once, and nobody else");
    }
}
