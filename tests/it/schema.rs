//! The running server against its own description, by requests made up from it (schemathesis).

use std::path::Path;

use tokio::process::Command;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::Server;
use crate::support::soon;
use crate::support::tied::Tied;
use crate::support::venv::Venv;

/// The version that these checks were written for.
static SCHEMATHESIS: Venv = Venv::new("schemathesis", &["schemathesis==4.32.5"]);
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";

/// Makes requests up; the number of cases.
async fn run(program: &Path, server: &Server, folder: &Path, settings: &str, arguments: &[&str]) -> usize {
    let config = folder.join("schemathesis.toml");
    std::fs::write(&config, settings).unwrap();
    let url = format!("{}/openapi.json", server.url);
    // Streams of unfinished tasks do not end by themselves.
    let common =
        ["--checks", CHECKS, "--seed", "1", "--no-color", "--request-timeout", "10", "--exclude-path-regex", "events"];
    let mut command = Command::new(program);
    command
        .tied()
        .arg("--config-file")
        .arg(&config)
        .args(["run", &url])
        .args(common)
        .args(arguments)
        .current_dir(folder);
    let done = soon("schemathesis", command.output()).await.unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}\n{}", String::from_utf8_lossy(&done.stderr));
    let line = said.lines().find(|line| line.contains(" generated, ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains(" passed") && !line.contains("failed"), "{line}");
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn nothing_that_is_made_up_is_answered_otherwise_than_described() {
    let Some(program) = SCHEMATHESIS.program("schemathesis").await else { return };
    let llm = FakeLlm::start(Script::default().page(2, [Answer::Status(400, None)]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let completed = server.accepted(book("Schema", 3), "processor=text").await;
    let with_failures =
        server.accepted(book("Schema", 3), "processor=llm&webhook_url=https%3A%2F%2Fwebhook.invalid").await;
    server.finished(&completed).await;
    server.finished(&with_failures).await;
    let folder = tempfile::tempdir().unwrap();
    let mut cases = 0;
    for id in [&completed, &with_failures] {
        let settings = format!("[parameters]\n\"path.id\" = \"{id}\"\n\"path.page\" = 2\n");
        cases +=
            run(&program, &server, folder.path(), &settings, &["--max-examples", "15", "--exclude-method", "DELETE"])
                .await;
    }
    cases += run(&program, &server, folder.path(), "", &["--max-examples", "25"]).await;
    assert!(cases > 1_500, "{cases}");
    println!("{cases} cases");
    server.get("/readyz").await;
}

#[tokio::test]
async fn a_server_with_keys_keeps_to_the_same_description() {
    let Some(program) = SCHEMATHESIS.program("schemathesis").await else { return };
    let server = Server::start(&["--api-key", "ann=ann-has-this-key"]).await;
    let folder = tempfile::tempdir().unwrap();
    run(&program, &server, folder.path(), "", &["--max-examples", "5"]).await;
    let header = ["--max-examples", "10", "--header", "X-Api-Key: ann-has-this-key"];
    run(&program, &server, folder.path(), "", &header).await;
}
