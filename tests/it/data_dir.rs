//! The data directory: whose files are in it, and who may read them.

use bindery::internal::MARKER;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::pdf::{book, locked};
use crate::support::server::{Server, bindery, files, fresh_data};
use crate::support::{soon, until};

/// Every file and folder below `root`, with its permissions and, of a file, its bytes.
fn all(root: &Path) -> BTreeMap<String, (u32, Option<Vec<u8>>)> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(about) = fs::symlink_metadata(&path) else { continue };
            let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let bytes = about.is_file().then(|| fs::read(&path).unwrap());
            found.insert(name, (about.permissions().mode() & 0o777, bytes));
            if about.is_dir() {
                folders.push(path);
            }
        }
    }
    found
}

fn put(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
}

async fn command(data: &Path, arguments: &[&str]) -> Output {
    soon("the command to end", bindery(data).args(arguments).output()).await.unwrap()
}

#[tokio::test]
async fn a_folder_of_others_is_refused_and_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("project");
    let old = "0190f3a2-7b1c-7def-8abc-0123456789ab";
    let task = format!("tasks/{old}/notes.txt");
    put(
        &project,
        &["src/main.rs", "tmp/cache/x", "tmp/run-dead01/x", "tasks/today.md", &task, "ledger/2024/book.json"],
    );
    fs::write(project.join("b.pdf"), book("Mine", 1)).unwrap();
    let before = all(&project);
    let pdf = project.join("b.pdf");
    let pdf = pdf.to_str().unwrap();
    let other = dir.path().join("other");
    for (data, arguments) in [
        (&project, &["convert", pdf][..]),
        (&project, &["estimate", pdf]),
        (&project, &["serve", "--listen", "127.0.0.1:0"]),
        (&other, &["convert", pdf, "--blob", project.to_str().unwrap()]),
        (&other, &["serve", "--listen", "127.0.0.1:0", "--blob", project.to_str().unwrap()]),
    ] {
        let refused = command(data, arguments).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("holds what is not Bindery's") && said.trim().lines().count() == 1, "{said}");
        assert!(said.contains(project.to_str().unwrap()), "{said}");
        assert_eq!(all(&project), before, "{arguments:?}");
    }
}

#[tokio::test]
async fn what_others_put_beside_ours_outlives_tasks_pages_and_processes() {
    let llm = FakeLlm::start(Script::default());
    let data = fresh_data();
    let arguments = ["--llm-base-url", &llm.url, "--llm-model", "m", "--janitor-tick", "1s"];
    let mut server = Server::start_on(data.clone(), &arguments, &[]).await;
    let id = server.accepted(book("Beside", 2), "processor=llm").await;
    server.finished(&id).await;
    let stranger = bindery::task::TaskId::generate().to_string();
    let flights = format!("nodes/dead#{}.flights", "0".repeat(32));
    let theirs = [
        "notes.txt",
        "tmp/cache/x",
        "tmp/run-dead01/x",
        "convert/mine/x",
        "ledger/2024/book.json",
        "ledger/aa/notes.txt",
        "nodes/readme.flights",
        "nodes/mine.txt",
        &format!("tasks/{stranger}/notes.txt"),
        &format!("tasks/{stranger}/source.pdf"),
        &format!("tasks/{id}/notes.txt"),
        "tasks/today/source.pdf",
    ];
    put(data.path(), &theirs);
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    for name in theirs {
        fs::File::options().write(true).open(data.path().join(name)).unwrap().set_modified(long_ago).unwrap();
    }
    put(data.path(), &[&flights, "tmp/run-dead02/half"]);
    fs::write(data.path().join("tmp/run-dead02/lock"), b"scratch folder of bindery\n").unwrap();
    server.kill().await;
    // A ledger that keeps nothing; what is ours and left over goes.
    let server =
        Server::start_on(data.clone(), &[&arguments[..], &["--ledger-size", "1", "--ledger-age", "1s"]].concat(), &[])
            .await;
    assert_eq!(server.ask("DELETE", &format!("/v1/tasks/{id}")).await.0, 204);
    let ours = || [flights.as_str(), "tmp/run-dead02"].iter().any(|name| data.path().join(name).exists());
    until("what is ours to go", async || !ours()).await;
    // Another round has begun when a task that came later is gone.
    let orphan = data.path().join("tasks").join(bindery::task::TaskId::generate().to_string());
    fs::create_dir(&orphan).unwrap();
    fs::write(orphan.join("source.pdf"), b"%PDF").unwrap();
    until("a leftover of ours to go", async || !orphan.exists()).await;
    for name in theirs {
        assert_eq!(fs::read(data.path().join(name)).ok().as_deref(), Some(name.as_bytes()), "{name}");
    }
    assert_eq!(fs::read_dir(data.path().join("tasks").join(&id)).unwrap().count(), 1, "ours went");
}

#[tokio::test]
async fn a_directory_of_an_earlier_version_is_taken_and_closed() {
    let mut server = Server::start_on(fresh_data(), &[], &[]).await;
    let id = server.accepted(book("Earlier", 2), "").await;
    let task = server.finished(&id).await;
    server.kill().await;
    // What an earlier version leaves: no marker, open to all.
    fs::remove_file(server.data().join(MARKER)).unwrap();
    put(server.data(), &["convert/lock"]);
    for (name, (_, bytes)) in all(server.data()) {
        let mode = if bytes.is_some() { 0o644 } else { 0o755 };
        fs::set_permissions(server.data().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(server.data(), fs::Permissions::from_mode(0o755)).unwrap();
    server.restart().await;
    assert_eq!(server.get(&format!("/v1/tasks/{id}")).await, task);
    assert!(server.data().join(MARKER).exists());
    only_its_owner_may_read(server.data());
}

fn only_its_owner_may_read(data: &Path) {
    let root = fs::metadata(data).unwrap().permissions().mode() & 0o777;
    assert_eq!(root, 0o700);
    let everything = all(data);
    for (name, (mode, bytes)) in &everything {
        let expected = if bytes.is_some() { 0o600 } else { 0o700 };
        assert_eq!(*mode, expected, "{name} has {mode:o} of {:?}", everything.keys());
    }
}

/// The command under a umask.
fn under(umask: &str, data: &Path, arguments: &[&str]) -> tokio::process::Command {
    let command = bindery(data);
    let mut shell = tokio::process::Command::new("sh");
    for (name, value) in command.as_std().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let program = command.as_std().get_program().to_owned();
    shell.args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")]).arg(program).args(arguments);
    shell.kill_on_drop(true);
    shell
}

#[tokio::test]
async fn every_file_is_for_its_owner_alone_whatever_the_umask() {
    for umask in ["000", "022", "277"] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("new");
        let llm = FakeLlm::start(Script::default().page(2, [Answer::Hold]));
        let pdf = dir.path().join("locked.pdf");
        fs::write(&pdf, locked("Secret", 2, "geheim")).unwrap();
        let endpoint = ["--llm-base-url", &llm.url, "--llm-model", "m"];
        let convert = ["convert", pdf.to_str().unwrap(), "--password", "geheim", "--processor", "llm"];
        let mut converting = under(umask, &data, &[&convert[..], &endpoint].concat()).spawn().unwrap();
        llm.until(|books| books.held == 1 && books.paid.len() == 1).await;
        until("the page to be kept", async || !files(&data.join("ledger")).is_empty()).await;
        only_its_owner_may_read(&data);
        converting.kill().await.unwrap();

        let listening = [&["serve", "--listen", "127.0.0.1:0"][..], &endpoint].concat();
        let mut serving = under(umask, &data, &listening).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let line = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(serving.stdout.take().unwrap()))
            .next_line()
            .await
            .unwrap()
            .unwrap();
        let url = line.rsplit(' ').next().unwrap().to_owned();
        let client = reqwest::Client::new();
        let submit = async |query: &str| {
            let request = client.post(format!("{url}/v1/tasks?password=geheim&{query}"));
            let request = request.header("content-type", "application/pdf").body(fs::read(&pdf).unwrap());
            let answer = soon("an answer", request.send()).await.unwrap();
            assert_eq!(answer.status(), 202, "umask {umask}");
            answer.json::<serde_json::Value>().await.unwrap()["id"].as_str().unwrap().to_owned()
        };
        let done = submit("").await;
        let path = format!("{url}/v1/tasks/{done}?wait=55");
        let done: serde_json::Value = soon("the end", client.get(path).send()).await.unwrap().json().await.unwrap();
        assert_eq!(done["status"], "completed", "umask {umask}: {done}");
        submit("processor=llm").await;
        llm.until(|books| books.held >= 1).await;
        only_its_owner_may_read(&data);
        serving.kill().await.unwrap();
    }
}

#[tokio::test]
async fn many_commands_at_once_begin_a_directory_together() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("not/there/yet");
    let run = |number: usize| {
        let pdf = dir.path().join(format!("{number}.pdf"));
        fs::write(&pdf, book(&format!("Many {number}"), 1)).unwrap();
        let mut command = bindery(&data);
        command.arg("convert").arg(pdf);
        async move { soon("the command to end", command.output()).await.unwrap() }
    };
    let done = futures::future::join_all((0..16).map(run)).await;
    for done in done {
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!((done.status.code(), said.as_str()), (Some(0), ""));
    }
    let left: Vec<String> = files(&data).into_iter().filter(|file| !file.starts_with("ledger/")).collect();
    assert!(left.is_empty(), "{left:?}");
}
