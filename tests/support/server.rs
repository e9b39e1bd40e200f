//! The real binary, as a server and as a command.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::soon;
use super::tied::Tied;

/// The command without what the machine's environment would tell it.
pub fn bindery(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bindery"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("BINDERY_") || name.starts_with("OPENAI_") || name.ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    if std::env::var_os("RUST_LOG").is_none() {
        command.env("RUST_LOG", "error");
    }
    command.env("RUST_BACKTRACE", "0");
    command.env("SSL_CERT_FILE", trusted()).env_remove("SSL_CERT_DIR");
    // Drawing takes long without optimisation; what is about pictures asks for them.
    command.env("BINDERY_LLM_INPUT", "text");
    // Nor what its user has installed.
    command.env("XDG_DATA_HOME", data);
    command.env("BINDERY_DATA_DIR", data).kill_on_drop(true).stdin(Stdio::null()).tied();
    command
}

/// A file with one certificate. Without it each process reads all that the machine trusts, which takes it longer, unoptimised,
/// than to start.
fn trusted() -> &'static Path {
    static FILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let certificate = rcgen::generate_simple_self_signed(["trusted.invalid".to_owned()]).unwrap().cert.pem();
        let (file, begun) = (folder.join("trusted.pem"), folder.join(format!("trusted.{}", std::process::id())));
        // Whole at once: other test programs may be reading it.
        std::fs::write(&begun, certificate).unwrap();
        std::fs::rename(begun, &file).unwrap();
        file
    });
    &FILE
}

/// Runs the command to its end, with its data directory in `dir`, which may hold other files.
pub async fn run(dir: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Output {
    soon("the command to end", bindery(&dir.join("data")).args(arguments).output()).await.unwrap()
}

/// The exit code of a command, its stdout and its stderr.
pub fn told(output: Output) -> (i32, String, String) {
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.code().unwrap_or(-1), out, err)
}

/// The variable that tells [`spawn`] where the log goes.
const LOG: &str = "TEST_LOG";

pub struct Server {
    pub url: String,
    process: Child,
    data: Data,
    arguments: Vec<String>,
    client: reqwest::Client,
}

/// A data directory, of one server or shared between several.
pub type Data = std::sync::Arc<TempDir>;

/// A fresh one.
pub fn fresh_data() -> Data {
    std::sync::Arc::new(tempfile::tempdir().unwrap())
}

/// One in a certain folder.
pub fn data_on(folder: &Path) -> Data {
    std::sync::Arc::new(tempfile::tempdir_in(folder).unwrap())
}

impl Server {
    /// A server on a fresh data directory.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::start_on(fresh_data(), arguments, &[]).await
    }

    /// A server on a data directory that may have others, with variables in its environment.
    pub async fn start_on(data: Data, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let (process, url) = spawn(data.path(), &arguments, variables).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        // Sooner than the server gives an idle connection up: it may do so in the moment of the next request.
        let client = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(2)).build().unwrap();
        Self { url, process, data, arguments, client }
    }

    /// The same with what it says in a file.
    pub async fn start_logging(data: Data, arguments: &[&str], variables: &[(&str, &str)], log: &Path) -> Self {
        let log = log.to_str().unwrap();
        Self::start_on(data, arguments, &[variables, &[(LOG, log)]].concat()).await
    }

    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Its data directory, for another server.
    pub fn shared_data(&self) -> Data {
        self.data.clone()
    }

    /// SIGKILL, and wait until it is gone.
    pub async fn kill(&mut self) {
        self.process.kill().await.unwrap();
    }

    /// Starts it again on the same data.
    pub async fn restart(&mut self) {
        self.restart_with(&[]).await;
    }

    /// The same, with variables in its environment.
    pub async fn restart_with(&mut self, variables: &[(&str, &str)]) {
        (self.process, self.url) = spawn(self.data.path(), &self.arguments, variables).await;
    }

    /// Starts it again with other arguments; from then on it has these.
    pub async fn again_with(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(ToString::to_string).collect();
        self.restart().await;
        self
    }

    /// Starts it again at the port that it had.
    pub async fn restart_at(&mut self, port: &str) {
        let listen = ["--listen".to_owned(), format!("127.0.0.1:{port}")];
        (self.process, self.url) = spawn(self.data.path(), &[&listen[..], &self.arguments].concat(), &[]).await;
    }

    /// SIGTERM, and nothing more.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    pub fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Sends it a signal, if it still runs.
    pub fn signal(&self, name: &str) {
        if let Some(pid) = self.process.id() {
            signal(pid, name);
        }
    }

    /// Whether it has ended by itself.
    #[allow(dead_code, reason = "used by the failpoint tests, which share this file")]
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Its own processes, which read PDFs.
    pub fn children(&self) -> Vec<u32> {
        let pid = self.process.id().unwrap();
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
            let children = std::fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default();
            children.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>()
        };
        threads.flat_map(of_thread).collect()
    }

    /// The most memory that it has had, bytes; that of its children does not count.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id().unwrap())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
    }

    pub async fn exit_status(&mut self) -> ExitStatus {
        soon("the server to exit", self.process.wait()).await.unwrap()
    }

    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// Status, headers and JSON body (null when there is none).
    pub async fn ask(&self, method: &str, path: &str) -> (u16, Value) {
        answer(self.request(method, path)).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Submits a raw body.
    pub async fn submit(&self, pdf: Vec<u8>, query: &str) -> (u16, Value) {
        let request = self.request("POST", &format!("/v1/tasks?{query}"));
        answer(request.header("content-type", "application/pdf").body(pdf)).await
    }

    /// Submits what must be accepted; its id.
    pub async fn accepted(&self, pdf: Vec<u8>, query: &str) -> String {
        let (status, body) = self.submit(pdf, query).await;
        assert_eq!(status, 202, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// Waits until a task is final.
    pub async fn finished(&self, id: &str) -> Value {
        let task = soon("the task to be final", self.get(&format!("/v1/tasks/{id}?wait=55"))).await;
        assert!(task["finished_at"].is_string(), "not final: {task}");
        task
    }

    pub async fn markdown(&self, id: &str) -> String {
        let response = self.request("GET", &format!("/v1/tasks/{id}/result")).send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = soon("an answer", request.send()).await.unwrap();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or_default() };
    (status, json)
}

async fn spawn(data: &Path, arguments: &[String], variables: &[(&str, &str)]) -> (Child, String) {
    let log = variables.iter().find(|(name, _)| *name == LOG).map(|(_, path)| std::fs::File::create(path).unwrap());
    let mut process = bindery(data)
        .stderr(log.map_or_else(Stdio::inherit, Stdio::from))
        .arg("serve")
        .args(if arguments.iter().any(|argument| argument == "--listen") {
            &[][..]
        } else {
            &["--listen", "127.0.0.1:0"]
        })
        .args(arguments)
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let line = soon("the server to listen", lines.next_line()).await.unwrap();
    let line = line.expect("the server ended at its start");
    let url = line.rsplit(' ').next().unwrap().to_owned();
    (process, url)
}

/// Sends a signal to one process.
pub fn signal(pid: u32, name: &str) {
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(sent.unwrap().success());
}

/// All files below `dir`, relative, without the database, the marker, and what belongs to a living process: locks, and its
/// file in `nodes/`; nor notes of purges that are over.
pub fn files(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let is_over = path.parent().is_some_and(|folder| folder.ends_with("purges"))
                && path.metadata().is_ok_and(|metadata| metadata.len() == 0);
            if path.is_dir() {
                folders.push(path);
            } else if !is_over {
                found.push(path.strip_prefix(dir).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let own = ["tasks.redb", bindery::internal::MARKER];
    found.retain(|file| !file.ends_with("lock") && !file.starts_with("nodes/") && !own.contains(&file.as_str()));
    found.sort();
    found
}
