//! What the command line says of an endpoint that is half configured or not there.

use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::redis_server::free_port;
use crate::support::server::{Server, bindery, fresh_data, run};
use crate::support::soon;

#[tokio::test]
async fn an_endpoint_that_is_not_there_is_said_at_once_and_given_up_for_the_whole_run() {
    const PATIENCE: Duration = Duration::from_secs(4);
    let dir = tempfile::tempdir().unwrap();
    let url = format!("http://127.0.0.1:{}/v1", free_port());
    let names: Vec<String> = (0..6).map(|file| format!("{file}.pdf")).collect();
    for name in &names {
        std::fs::write(dir.path().join(name), book(name, 5)).unwrap();
    }
    let begun = Instant::now();
    let mut process = bindery(&dir.path().join("data"))
        .arg("convert")
        .args(&names)
        .args(["--out-dir", "o", "--processor", "llm", "--llm-base-url", &url, "--llm-model", "m"])
        .args(["--llm-fallback", "other", "--llm-unavailable-timeout", &format!("{}s", PATIENCE.as_secs())])
        .current_dir(dir.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let first = soon("a word", lines.next_line()).await.unwrap().unwrap();
    assert!(first.contains(&url) && first.contains("refused") && first.ends_with("trying again for 4 s"), "{first}");
    assert!(process.try_wait().unwrap().is_none(), "it is said at once, and not when all is over");
    let mut rest = String::new();
    soon("the command to end", lines.into_inner().read_to_string(&mut rest)).await.unwrap();
    assert_eq!(process.wait().await.unwrap().code(), Some(1), "{rest}");
    assert!(rest.ends_with("bindery: 6 files: 6 failed\n"), "{rest}");
    let waits = begun.elapsed().as_secs_f64() / PATIENCE.as_secs_f64();
    assert!(waits < 6.0, "once for 30 pages and two models, not for each: {waits} times");
}

#[tokio::test]
async fn why_an_endpoint_cannot_be_reached_is_said_and_when_it_can_again() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("a.pdf");
    std::fs::write(&pdf, book("Away", 1)).unwrap();
    let pdf = pdf.to_str().unwrap();
    let (tls, _) = FakeLlm::start_tls(Script::default());
    let back = FakeLlm::start(Script::default().page(1, [Answer::Status(503, None), Answer::Ok]));
    let gone = format!("http://127.0.0.1:{}/v1", free_port());
    let proxy = format!("http://ann:geheim@127.0.0.1:{}", free_port());
    for (url, proxy, code, said) in [
        (&tls.url, "", 1, "certificate"),
        (&back.url, "", 0, "the endpoint is there again"),
        (&gone, proxy.as_str(), 1, "through the proxy 127.0.0.1:"),
    ] {
        let data = tempfile::tempdir().unwrap();
        let mut command = bindery(data.path());
        command.args(["convert", pdf, "--processor", "llm", "--llm-base-url", url, "--llm-model", "m"]);
        command.args(["--llm-unavailable-timeout", "2s"]).env("http_proxy", proxy);
        let done = soon("the command to end", command.output()).await.unwrap();
        let text = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(code), "{text}");
        assert!(text.contains(&format!("bindery: {url}: the endpoint ")) && text.contains(said), "{text}");
        assert!(!text.contains("geheim"), "{text}");
    }
}

#[tokio::test]
async fn half_a_configuration_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = dir.path().join("a.pdf");
    std::fs::write(&pdf, book("Half", 1)).unwrap();
    let pdf = pdf.to_str().unwrap();
    let llm = FakeLlm::start(Script::default());
    let convert = |more: &[&'static str], variables: &[(&'static str, &str)]| {
        let mut command = bindery(&dir.path().join("data"));
        command.args(["convert", pdf]).args(more).envs(variables.iter().copied());
        async move {
            let done = soon("the command to end", command.output()).await.unwrap();
            let said = String::from_utf8(done.stderr).unwrap();
            assert!(said.lines().count() <= 1, "{said}");
            (done.status.code().unwrap(), said)
        }
    };
    let url = ("BINDERY_LLM_BASE_URL", llm.url.as_str());
    for (more, variables, code, said) in [
        (&[][..], &[][..], 0, ""),
        (&[], &[("OPENAI_API_KEY", "sk-geheim")], 0, "https://api.openai.com/v1, and no model: set BINDERY_LLM_MODEL"),
        (&[], &[("BINDERY_LLM_MODEL", "q")], 0, "the model q has no endpoint: set BINDERY_LLM_BASE_URL"),
        (&[], &[url], 0, "has no model: set BINDERY_LLM_MODEL"),
        (&["--processor", "text"], &[url], 0, ""),
        (&["--model", "q"], &[], 2, "--model needs an endpoint"),
        (&["--model", "q", "--processor", "text"], &[url], 2, "--processor text"),
        (&["--processor", "auto"], &[url], 2, "--processor auto needs a model"),
        (&["--model", "q"], &[url], 0, ""),
    ] {
        let (was, text) = convert(more, variables).await;
        assert_eq!(was, code, "{more:?} {variables:?}: {text}");
        assert!(text.contains(said) && text.is_empty() == said.is_empty(), "{more:?} {variables:?}: {text}");
    }
    assert_eq!(llm.books().calls.len(), 0, "a model is named for pages that need one, and this one does not");
    let server = run(dir.path(), ["submit", pdf, "--model", "q", "--processor", "text"]).await;
    assert_eq!(server.status.code(), Some(2));
}

#[tokio::test]
async fn a_server_logs_what_is_missing_and_when_its_endpoint_goes() {
    let (data, dir) = (fresh_data(), tempfile::tempdir().unwrap());
    let log = dir.path().join("log");
    let url = format!("http://127.0.0.1:{}/v1", free_port());
    let arguments = ["--llm-base-url", &url, "--llm-unavailable-timeout", "1s"];
    let server = Server::start_logging(data, &arguments, &[("RUST_LOG", "warn")], &log).await;
    let id = server.accepted(book("Dead", 1), "model=m&processor=llm").await;
    server.finished(&id).await;
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.contains("has no model: set BINDERY_LLM_MODEL"), "{text}");
    assert!(text.contains(&format!("{url}: the endpoint cannot be reached: ")), "{text}");
}
