//! Where results go, and where they must not.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::pdf::book;
use crate::support::server::{Server, bindery, files, fresh_data, run, signal};
use crate::support::{soon, until};

/// A folder with a small PDF in it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::write(folder.at("s.pdf"), book("Words", 2)).unwrap();
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).unwrap()
    }

    async fn convert(&self, arguments: &[&str]) -> Output {
        let command = bindery(&self.at("data")).arg("convert").args(arguments).current_dir(self.0.path()).output();
        soon("the command to end", command).await.unwrap()
    }
}

fn said(done: &Output) -> String {
    String::from_utf8_lossy(&done.stderr).into_owned()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o7777
}

fn make_pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[tokio::test]
async fn a_result_goes_to_what_a_link_leads_to() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.at("o")).unwrap();
    std::fs::write(folder.at("t.md"), "old").unwrap();
    for (link, target) in [("l.md", "t.md"), ("two.md", "l.md"), ("new.md", "o/new.md"), ("o/s.md", "../t.md")] {
        symlink(target, folder.at(link)).unwrap();
    }
    for (arguments, link, target) in [
        (["s.pdf", "-o", "l.md"], "l.md", "t.md"),
        (["s.pdf", "-o", "two.md"], "two.md", "t.md"),
        (["s.pdf", "-o", "new.md"], "new.md", "o/new.md"),
        (["s.pdf", "--out-dir", "o"], "o/s.md", "t.md"),
    ] {
        if folder.at(target).exists() {
            std::fs::write(folder.at(target), "old").unwrap();
        }
        let done = folder.convert(&arguments).await;
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        assert!(folder.at(link).is_symlink(), "{link} stays a link");
        assert!(folder.text(target).contains("Words page 2"), "{link}");
    }
    let left = files(folder.0.path()).into_iter().filter(|file| file.contains(".bindery-") && !file.ends_with("-done"));
    assert_eq!(left.count(), 0);
}

#[tokio::test]
async fn a_result_goes_into_a_pipe_that_waits_for_a_reader() {
    let folder = Folder::new();
    make_pipe(&folder.at("pipe"));
    symlink("pipe", folder.at("to-pipe")).unwrap();
    for place in ["pipe", "to-pipe"] {
        let arguments = ["convert", "s.pdf", "-o", place];
        let mut process = bindery(&folder.at("data")).args(arguments).current_dir(folder.0.path()).spawn().unwrap();
        let mut text = String::new();
        let read = async {
            let mut pipe = tokio::fs::File::open(folder.at("pipe")).await.unwrap();
            pipe.read_to_string(&mut text).await.unwrap();
        };
        soon("the result", read).await;
        assert!(text.contains("Words page 2"), "{place}: {text}");
        assert!(soon("the command to end", process.wait()).await.unwrap().success());
        assert_eq!(folder.at("pipe").symlink_metadata().unwrap().mode() & 0o170_000, 0o010_000, "still a pipe");
    }
}

#[tokio::test]
async fn a_command_that_waits_for_the_reader_of_a_pipe_can_be_interrupted() {
    let folder = Folder::new();
    make_pipe(&folder.at("pipe"));
    let data = folder.at("data");
    let arguments = ["convert", "s.pdf", "-o", "pipe"];
    let mut command = bindery(&data);
    let mut process = command.args(arguments).current_dir(folder.0.path()).stderr(Stdio::null()).spawn().unwrap();
    until("both pages", async || files(&data.join("ledger")).len() >= 2).await;
    signal(process.id().unwrap(), "INT");
    assert_eq!(soon("the command to end", process.wait()).await.unwrap().code(), Some(130));
}

#[tokio::test]
async fn standard_output_by_another_name_is_added_to() {
    let folder = Folder::new();
    // What /dev/stdout is, but a link that may be lost.
    symlink("/proc/self/fd/1", folder.at("stdout")).unwrap();
    let script = r#"echo before > o.txt; { "$0" convert s.pdf -o stdout && echo after; } >> o.txt"#;
    let mut shell = tokio::process::Command::new("sh");
    shell.args(["-c", script, env!("CARGO_BIN_EXE_bindery")]).current_dir(folder.0.path());
    shell.env("BINDERY_DATA_DIR", folder.at("data")).env("RUST_LOG", "error");
    assert!(soon("the shell", shell.status()).await.unwrap().success());
    let text = folder.text("o.txt");
    assert!(text.starts_with("before\n") && text.contains("Words page 2") && text.ends_with("after\n"), "{text}");
}

#[tokio::test]
async fn nothing_is_written_over_a_file_that_is_read() {
    let folder = Folder::new();
    let pdf = std::fs::read(folder.at("s.pdf")).unwrap();
    std::fs::create_dir_all(folder.at("o")).unwrap();
    std::fs::copy(folder.at("s.pdf"), folder.at("a.md")).unwrap();
    symlink("s.pdf", folder.at("link.md")).unwrap();
    symlink("../s.pdf", folder.at("o/s.md")).unwrap();
    std::fs::hard_link(folder.at("s.pdf"), folder.at("hard.md")).unwrap();
    let server = Server::start(&[]).await;
    for (arguments, error) in [
        (&["convert", "s.pdf", "-o", "s.pdf"][..], "a file that is read"),
        (&["convert", "s.pdf", "-o", "o/../s.pdf"], "a file that is read"),
        (&["convert", "s.pdf", "-o", "link.md"], "a file that is read"),
        (&["convert", "link.md", "-o", "s.pdf"], "a file that is read"),
        (&["convert", "s.pdf", "-o", "hard.md"], "a file that is read"),
        (&["convert", "s.pdf", "a.md", "--out-dir", "o"], "a file that is read"),
        (&["convert", "a.md", "--out-dir", "."], "a file that is read"),
        (&["submit", "s.pdf", "--server", &server.url, "-o", "hard.md"], "a file that is read"),
        (&["convert", "s.pdf", "-o", "o"], "--out-dir"),
        (&["convert", "s.pdf", "-o", "new/"], "folder"),
        (&["convert", "s.pdf", "--out-dir", "a.md"], "no folder"),
    ] {
        let done = bindery(&folder.at("data")).args(arguments).current_dir(folder.0.path()).output();
        let done = soon("the command to end", done).await.unwrap();
        assert_eq!(done.status.code(), Some(2), "{arguments:?}: {}", said(&done));
        assert!(said(&done).contains(error) && said(&done).trim().lines().count() == 1, "{}", said(&done));
        for name in ["s.pdf", "a.md", "hard.md", "link.md"] {
            assert!(std::fs::read(folder.at(name)).unwrap() == pdf, "{arguments:?}: {name} is as it was");
        }
    }
    // The parts of a file whose names lead back to it.
    symlink("../s.pdf", folder.at("o/s-1-1.pdf")).unwrap();
    let mut split = bindery(&folder.at("data"));
    split.args(["split", "s.pdf", "--shard-pages", "1", "-o", "o"]).current_dir(folder.0.path());
    let done = soon("the command to end", split.output()).await.unwrap();
    assert_eq!(done.status.code(), Some(1), "{}", said(&done));
    assert!(std::fs::read(folder.at("s.pdf")).unwrap() == pdf);
}

#[tokio::test]
async fn two_results_never_go_to_one_file() {
    let folder = Folder::new();
    std::fs::copy(folder.at("s.pdf"), folder.at("a.pdf")).unwrap();
    std::fs::create_dir_all(folder.at("o")).unwrap();
    std::fs::write(folder.at("t.md"), "old").unwrap();
    symlink("../t.md", folder.at("o/s.md")).unwrap();
    symlink("../t.md", folder.at("o/a.md")).unwrap();
    let done = folder.convert(&["s.pdf", "a.pdf", "--out-dir", "o"]).await;
    assert_eq!((done.status.code(), folder.text("t.md").as_str()), (Some(2), "old"), "{}", said(&done));
}

#[tokio::test]
async fn a_new_file_gets_the_umask_and_an_old_one_keeps_its_mode() {
    let folder = Folder::new();
    for (umask, old, expected) in
        [("077", None, 0o600), ("002", None, 0o664), ("022", Some(0o600), 0o600), ("022", Some(0o664), 0o664)]
    {
        let place = folder.at("o.md");
        match old {
            Some(mode) => {
                std::fs::write(&place, "old").unwrap();
                std::fs::set_permissions(&place, PermissionsExt::from_mode(mode)).unwrap();
            }
            None => drop(std::fs::remove_file(&place)),
        }
        let script = r#"umask "$0"; exec "$@""#;
        let mut shell = tokio::process::Command::new("sh");
        shell.args(["-c", script, umask, env!("CARGO_BIN_EXE_bindery"), "convert", "s.pdf", "-o", "o.md"]);
        shell.env("BINDERY_DATA_DIR", folder.at("data")).env("RUST_LOG", "error").current_dir(folder.0.path());
        assert!(soon("the shell", shell.status()).await.unwrap().success());
        assert_eq!(mode(&place), expected, "umask {umask}, {old:?}");
        assert!(folder.text("o.md").contains("Words page 2"));
    }
}

#[tokio::test]
async fn what_is_written_otherwise_goes_to_links_and_modes_too() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.at("o")).unwrap();
    std::fs::create_dir_all(folder.at("man")).unwrap();
    let server = Server::start(&[]).await;
    let id = server.accepted(book("Words", 2), "").await;
    server.finished(&id).await;
    for (arguments, link) in [
        (&["result", &id, "--server", &server.url, "-o", "l.md"][..], "l.md"),
        (&["submit", "s.pdf", "--server", &server.url, "-o", "l.md"], "l.md"),
        (&["split", "s.pdf", "--shard-pages", "1", "-o", "o"], "o/s-1-1.pdf"),
        (&["man", "man"], "man/bindery-convert.1"),
    ] {
        let target = folder.at("target");
        std::fs::write(&target, "old").unwrap();
        std::fs::set_permissions(&target, PermissionsExt::from_mode(0o600)).unwrap();
        let _ = std::fs::remove_file(folder.at(link));
        symlink(&target, folder.at(link)).unwrap();
        let done = bindery(&folder.at("data")).args(arguments).current_dir(folder.0.path()).output();
        let done = soon("the command to end", done).await.unwrap();
        assert!(done.status.success(), "{arguments:?}: {}", said(&done));
        assert!(folder.at(link).is_symlink() && mode(&target) == 0o600, "{arguments:?}");
        assert!(std::fs::read(&target).unwrap().len() > 20, "{arguments:?}");
    }
}

#[tokio::test]
async fn a_dash_is_standard_input() {
    let folder = Folder::new();
    let server = Server::start(&[]).await;
    for arguments in [
        &["convert", "-"][..],
        &["convert", "-", "-o", "-"],
        &["submit", "-", "--wait", "--server", &server.url],
        &["inspect", "-"],
    ] {
        let mut command = bindery(&folder.at("data"));
        command.args(arguments).current_dir(folder.0.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut input = process.stdin.take().unwrap();
        input.write_all(&book("Words", 2)).await.unwrap();
        drop(input);
        let done = soon("the command to end", process.wait_with_output()).await.unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let expected = if arguments[0] == "inspect" { "standard input: 2 pages" } else { "Words page 2" };
        assert!(done.status.success() && text.contains(expected), "{arguments:?}: {text}");
    }
    let twice = folder.convert(&["-", "-"]).await;
    assert_eq!(twice.status.code(), Some(2));
}

#[tokio::test]
async fn equal_files_each_get_their_result() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.at("d/deep")).unwrap();
    for name in ["d/a.pdf", "d/b.pdf", "d/deep/a.pdf"] {
        std::fs::copy(folder.at("s.pdf"), folder.at(name)).unwrap();
    }
    symlink("a.pdf", folder.at("d/link.pdf")).unwrap();
    std::fs::write(folder.at("d/other.pdf"), book("Other", 2)).unwrap();
    let done = folder.convert(&["d", "--out-dir", "o"]).await;
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let all = [".bindery-done", "a.md", "b.md", "deep/a.md", "link.md", "other.md"];
    assert_eq!(files(&folder.at("o")), all);
    for name in ["o/a.md", "o/b.md", "o/deep/a.md", "o/link.md"] {
        assert!(folder.text(name).contains("Words page 2"), "{name}");
    }
    let twice = folder.convert(&["s.pdf", "./s.pdf", "d/a.pdf"]).await;
    assert_eq!(twice.status.code(), Some(0), "{}", said(&twice));
    assert_eq!(String::from_utf8(twice.stdout).unwrap().matches("Words page 2").count(), 3);
    let once = folder.convert(&["s.pdf", "./s.pdf", "--out-dir", "p"]).await;
    assert_eq!((once.status.code(), files(&folder.at("p")).len()), (Some(0), 1), "{}", said(&once));
}

#[tokio::test]
async fn many_conversions_at_once_on_one_data_directory_beside_a_server() {
    let (folder, data) = (Folder::new(), fresh_data());
    let server = Server::start_on(data.clone(), &["--janitor-tick", "1s"], &[]).await;
    let pdf = folder.at("s.pdf");
    let arguments = ["convert".as_ref(), pdf.as_os_str()];
    let lane = async || {
        for _ in 0..10 {
            let done = run(data.path(), arguments).await;
            assert_eq!(done.status.code(), Some(0), "{}", said(&done));
            assert!(String::from_utf8(done.stdout).unwrap().contains("Words page 2"));
        }
    };
    futures::future::join_all((0..16).map(|_| lane())).await;
    let id = server.accepted(book("Beside", 2), "").await;
    assert_eq!(server.finished(&id).await["status"], "completed");
    assert_eq!(files(&data.path().join("convert")), [""; 0]);
}

/// What a process writes to, whose reader is gone.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

#[tokio::test]
async fn who_reads_neither_results_nor_messages_changes_no_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.pdf"), book("Unread", 4)).unwrap();
    let data = folder.path().join("data");
    for (arguments, expected) in [
        (&["convert", "a.pdf", "-o", "a.md"][..], 0),
        (&["convert", "a.pdf", "missing.pdf", "--out-dir", "o"], 1),
        (&["split", "a.pdf", "--shard-pages", "1", "-o", "parts"], 0),
        (&["convert", "--no-such-flag"], 2),
    ] {
        let mut command = bindery(&data);
        command.args(arguments).current_dir(folder.path()).stdout(unread()).stderr(unread());
        let status = soon("the command", command.status()).await.unwrap();
        assert_eq!(status.code(), Some(expected), "{arguments:?}");
    }
    assert!(folder.path().join("a.md").is_file() && folder.path().join("o/a.md").is_file());
    assert_eq!(files(&folder.path().join("parts")).len(), 4, "all parts are written");
}
