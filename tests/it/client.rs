//! The commands that talk to a server, as a script would use them.

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::book;
use crate::support::server::{Server, bindery, told};
use crate::support::{file, soon};

/// Runs a command against a server; its exit code, stdout and stderr.
async fn ask(server: &Server, arguments: &[&str]) -> (i32, String, String) {
    let dir = tempfile::tempdir().unwrap();
    let mut command = bindery(dir.path());
    command.env("BINDERY_SERVER", &server.url).args(arguments);
    told(soon("the command to end", command.output()).await.unwrap())
}

#[tokio::test]
async fn an_estimate_without_prices_says_where_they_go() {
    let llm = FakeLlm::start(Script::default());
    let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    let server = Server::start(&endpoint).await;
    let dir = tempfile::tempdir().unwrap();
    let pdf = file(dir.path(), "a.pdf", book("Priceless", 3));
    let common = ["estimate", &pdf, "--processor", "llm"];
    for (more, place) in [
        (&endpoint[..], "name prices by --llm-prices, as MODEL=SENT/RECEIVED per million tokens"),
        (&["--server", &server.url, "--json"], "name prices on the server by BINDERY_LLM_PRICES"),
    ] {
        let (code, out, err) = ask(&server, &[&common[..], more].concat()).await;
        assert!(code == 0 && err.contains(place) && err.lines().count() == 1, "{more:?}: {code} {out} {err}");
    }
    let (code, out, err) = ask(&server, &[&common[..], &endpoint, &["--llm-prices", "*=1000/1000"]].concat()).await;
    assert!(code == 0 && err.is_empty() && !out.contains('?'), "{out} {err}");
    assert_eq!(llm.books().calls.len(), 0, "an estimate spends nothing");
}

#[tokio::test]
async fn a_task_from_its_submit_to_its_end() {
    let llm =
        FakeLlm::start(Script::default().otherwise(Answer::Hold).page(2, [Answer::Status(400, None), Answer::Ok]));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let dir = tempfile::tempdir().unwrap();
    let pdf = file(dir.path(), "a \"b\".pdf", book("Client", 3));
    let (code, id, _) = ask(&server, &["submit", &pdf, "--processor", "llm", "--metadata", "{\"n\":1}"]).await;
    let id = id.trim();
    assert_eq!(code, 0, "{id}");
    let (code, again, _) =
        ask(&server, &["submit", &pdf, "--processor", "llm", "--metadata", "{\"n\":1}", "--json"]).await;
    let again: Value = serde_json::from_str(&again).unwrap();
    assert_eq!((code, &again["id"], &again["reused"]), (0, &id.into(), &true.into()));
    assert_eq!((&again["file_name"], &again["metadata"]["n"]), (&"a _b_.pdf".into(), &1.into()));
    llm.until(|books| books.held == 2).await;
    let (code, _, err) = ask(&server, &["result", id]).await;
    assert_eq!((code, err.contains("--partial prints what is there")), (1, true), "{err}");
    let (code, text, _) = ask(&server, &["result", id, "--partial"]).await;
    assert!(code == 0 && text.contains("<!-- page 1: pending -->"), "{text}");
    llm.open();
    let (code, shown, _) = ask(&server, &["status", id, "--wait"]).await;
    assert_eq!(code, 3, "a page failed: {shown}");
    assert!(shown.contains("pages      2 done, 1 failed, 0 open"), "{shown}");
    let (code, events, _) = ask(&server, &["events", id]).await;
    assert_eq!(code, 3);
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.iter().filter(|event| event["event"] == "page").count(), 3);
    assert_eq!(events.last().unwrap()["event"], "end");
    assert_eq!(ask(&server, &["retry", id]).await, (0, format!("{id} pending\n"), String::new()));
    assert_eq!(ask(&server, &["status", id, "--wait", "--json"]).await.0, 0);
    let (code, estimate, _) =
        ask(&server, &["estimate", &pdf, "--json", "--processor", "llm", "--server", &server.url]).await;
    let estimate: Value = serde_json::from_str(&estimate).unwrap();
    assert_eq!((code, &estimate["pages"], &estimate["reused"]), (0, &3.into(), &3.into()), "{estimate}");
    let out = dir.path().join("out.md");
    ask(&server, &["result", id, "-o", out.to_str().unwrap()]).await;
    assert!(std::fs::read_to_string(&out).unwrap().contains("# Page 2"));
    let (code, _, err) = ask(&server, &["cancel", id]).await;
    assert_eq!((code, err.contains("the task is completed already")), (1, true), "{err}");
    assert_eq!(ask(&server, &["delete", id]).await, (0, format!("{id} deleted\n"), String::new()));
    for arguments in [&["status", id][..], &["delete", id], &["status", "../tasks"], &["result", "x"]] {
        let (code, out, err) = ask(&server, arguments).await;
        assert!(code == 1 && out.is_empty() && err.lines().count() == 1, "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn whoever_waits_gets_the_results_in_the_order_of_the_files() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Hold));
    let mut server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let port = server.url.rsplit(':').next().unwrap().to_owned();
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("in");
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    file(&folder, "a.pdf", book("One", 2));
    file(&folder.join("sub"), "b.pdf", book("Two", 3));
    file(&folder, "bad.pdf", b"no".repeat(999));
    let out = dir.path().join("out");
    let mut command = bindery(dir.path());
    command.env("BINDERY_SERVER", &server.url).args(["submit", folder.to_str().unwrap(), "--processor", "llm"]);
    let waiting = command.args(["--out-dir", out.to_str().unwrap()]).output();
    let waiting = tokio::spawn(waiting);
    llm.until(|books| books.held == 5).await;
    // It does not mind that the server dies and comes back.
    server.kill().await;
    server.restart_at(&port).await;
    llm.open();
    let (code, stdout, err) = told(soon("the results", waiting).await.unwrap().unwrap());
    assert_eq!((code, stdout.as_str()), (1, ""), "{err}");
    assert!(err.contains("bad.pdf: ") && err.contains("PDF"), "{err}");
    let mut names = crate::support::server::files(&out);
    names.sort();
    assert_eq!(names, ["a.md", "sub/b.md"], "{err}");

    let pdf = folder.join("a.pdf");
    let (code, text, _) = ask(&server, &["submit", pdf.to_str().unwrap(), "--wait", "--page-separator", ""]).await;
    assert_eq!((code, text.as_str()), (0, "# Page 1\n\nRead by the fake.\n\n# Page 2\n\nRead by the fake.\n"));
    let (_, json, _) = ask(&server, &["submit", pdf.to_str().unwrap(), "--wait", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()[1]["page"], 2);
}

/// Passes requests on to a server, and breaks off before the answer to the first one, the third and so on. Answers its address.
async fn breaking_off(server: &Server) -> String {
    let behind = server.url.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let requests = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        while let Ok((mut client, _)) = listener.accept().await {
            let (behind, requests) = (behind.clone(), requests.clone());
            tokio::spawn(async move {
                let mut server = TcpStream::connect(behind).await.unwrap();
                let (mut asked, mut told) = (vec![0; 65_536], vec![0; 65_536]);
                let mut breaks_off = false;
                loop {
                    tokio::select! {
                        read = client.read(&mut asked) => {
                            let Ok(read @ 1..) = read else { return };
                            if asked.starts_with(b"GET ") || asked.starts_with(b"POST ") {
                                let before = requests.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                                breaks_off = before % 2 == 0;
                            }
                            server.write_all(&asked[..read]).await.unwrap();
                        }
                        read = server.read(&mut told) => {
                            let Ok(read @ 1..) = read else { return };
                            if breaks_off || client.write_all(&told[..read]).await.is_err() {
                                return;
                            }
                        }
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn whoever_waits_minds_no_answer_that_is_broken_off() {
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let url = breaking_off(&server).await;
    let dir = tempfile::tempdir().unwrap();
    let (pdf, out) = (file(dir.path(), "a.pdf", book("Broken off", 2)), dir.path().join("a.md"));
    // Equal submits are different tasks here: that it is one comes of the key under which it is sent again.
    let submit = ["submit", &pdf, "--processor", "llm", "--reuse", "false", "--server", &url];
    let (code, _, err) = ask(&server, &[&submit[..], &["-o", out.to_str().unwrap()]].concat()).await;
    assert_eq!((code, err.matches("trying again").count()), (0, 3), "the task, its events, its result: {err}");
    assert!(std::fs::read_to_string(&out).unwrap().contains("# Page 2"));
    let (_, tasks, _) = ask(&server, &["list", "--json"]).await;
    assert_eq!((tasks.lines().count(), llm.books().calls.len()), (1, 2), "{tasks}");
    // Where nothing ever answered nothing is waited for.
    let nowhere = format!("http://127.0.0.1:{}", crate::support::redis_server::free_port());
    let (code, _, err) = ask(&server, &["submit", &pdf, "--wait", "--server", &nowhere]).await;
    assert!(code == 1 && err.contains("start one with bindery serve") && !err.contains("again"), "{err}");
}

#[tokio::test]
async fn lists_are_tables_or_lines_and_keys_are_used() {
    let server = Server::start(&["--api-key", "ann=ann-has-this-key"]).await;
    let dir = tempfile::tempdir().unwrap();
    let pdf = file(dir.path(), "k.pdf", book("Keyed", 1));
    let (code, _, err) = ask(&server, &["submit", &pdf]).await;
    assert_eq!((code, err.contains("BINDERY_KEY")), (1, true), "{err}");
    assert_eq!(ask(&server, &["health"]).await, (0, String::new(), String::new()), "needs no key");
    let key = ["--key", "ann-has-this-key"];
    for number in 0..3 {
        let metadata = number.to_string();
        let (code, ..) =
            ask(&server, &[&["submit", &pdf, "--metadata", &metadata, "--wait", "-o", "-"][..], &key].concat()).await;
        assert_eq!(code, 0);
    }
    let (_, table, _) = ask(&server, &[&["list"][..], &key].concat()).await;
    assert_eq!(table.lines().count(), 4);
    assert!(table.lines().nth(1).unwrap().ends_with("k.pdf") && table.contains("completed"), "{table}");
    let (_, lines, _) =
        ask(&server, &[&["list", "--json", "--limit", "2", "--status", "completed"][..], &key].concat()).await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    let (code, _, err) = ask(&server, &[&["list", "--status", "odd"][..], &key].concat()).await;
    assert_eq!((code, err.contains("unknown status")), (1, true), "{err}");
}

#[tokio::test]
async fn what_is_wrong_is_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let pdf = file(dir.path(), "a.pdf", book("Nobody", 1));
    let port = crate::support::redis_server::free_port();
    let nobody = format!("http://127.0.0.1:{port}");
    let result = dir.path().join("x");
    let result = result.to_str().unwrap();
    for (arguments, code, words) in [
        (&["health", "--server", &nobody][..], 1, "no server at http://127.0.0.1:"),
        (&["list", "--server", &nobody], 1, "no server at http://127.0.0.1:"),
        (&["submit", &pdf, "--server", &nobody], 1, "start one with bindery serve"),
        (&["list", "--server", "ftp://x"], 1, "write http://HOST:PORT"),
        (&["submit", &pdf, "--priority", "99"], 2, "-10 to 10"),
        (&["submit", &pdf, &pdf, "-o", result], 2, "--out-dir"),
        (&["submit", "/no/such.pdf", "--server", &nobody], 1, "/no/such.pdf"),
    ] {
        let output = soon("an end", bindery(dir.path()).args(arguments).output()).await.unwrap();
        let (seen, out, err) = told(output);
        assert_eq!((seen, out.as_str(), err.lines().count()), (code, "", 1), "{arguments:?}: {err}");
        assert!(err.contains(words), "{arguments:?}: {err}");
    }
    let pages = dir.path().join("man");
    let man = bindery(dir.path()).args(["man", pages.to_str().unwrap()]).output().await.unwrap();
    assert!(man.status.success());
    assert!(std::fs::read_to_string(pages.join("bindery-submit.1")).unwrap().contains("webhook"));
}
