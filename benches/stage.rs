//! What the benchmarks that start servers share.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// The same fakes as in the tests.
#[path = "../tests/support/mod.rs"]
pub mod support;

use self::support::tied::Tied;

/// Folders for data. They go together at the end: ext4 makes files slowly for some seconds after many were removed.
pub struct Room {
    pub folder: tempfile::TempDir,
    used: std::cell::Cell<u32>,
}

impl Room {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), used: std::cell::Cell::new(0) }
    }

    pub fn next(&self) -> std::path::PathBuf {
        self.used.set(self.used.get() + 1);
        let folder = self.folder.path().join(self.used.get().to_string());
        std::fs::create_dir(&folder).unwrap();
        folder
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub fn percentile(values: &mut [Duration], percent: usize) -> Duration {
    values.sort();
    values[(values.len() * percent / 100).min(values.len() - 1)]
}

/// Another process, ended when it is dropped. Its first line says where it listens.
pub struct Process {
    pub child: Child,
    pub url: String,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.tied().stdout(Stdio::piped()).stdin(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().rsplit(' ').next().unwrap().to_owned();
        Self { child, url }
    }

    /// This very benchmark in another role.
    pub fn role(arguments: &[&str]) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).args(arguments))
    }

    pub fn server(data: &std::path::Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bindery"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data).args(arguments);
        // Pages that are made for a benchmark have nothing to see.
        Self::start(command.env("RUST_LOG", "error").env("BINDERY_LLM_INPUT", "text"))
    }

    /// Peak resident memory, MB.
    pub fn peak_mb(&self) -> f64 {
        self.memory("VmHWM")
    }

    pub fn memory(&self, field: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(field)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    pub fn client(&self) -> Client {
        let address = self.url.trim_start_matches("http://").trim_end_matches("/v1").to_owned();
        let stream = TcpStream::connect(&address).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream: BufReader::new(stream) }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection kept alive. Written out, because on few cores the client's work counts as much as the server's.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let length = body.len();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/pdf\r\ncontent-length: {length}\r\n\r\n"
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.stream.get_mut().write_all(&request).unwrap();
        let (mut status, mut length, mut line) = (0, 0, String::new());
        loop {
            line.clear();
            self.stream.read_line(&mut line).unwrap();
            let text = line.trim();
            if let Some(rest) = text.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(value) = text.to_ascii_lowercase().strip_prefix("content-length: ") {
                length = value.parse().unwrap();
            } else if text.is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer).unwrap();
        (status, answer)
    }

    pub fn json(&mut self, method: &str, path: &str, body: &[u8]) -> Value {
        let (status, answer) = self.ask(method, path, body);
        assert!(status < 300, "{status}: {}", String::from_utf8_lossy(&answer));
        serde_json::from_slice(&answer).unwrap()
    }

    pub fn submit(&mut self, pdf: &[u8], query: &str) -> String {
        self.json("POST", &format!("/v1/tasks?{query}"), pdf)["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the task is final.
    pub fn finished(&mut self, id: &str) -> Value {
        loop {
            let task = self.json("GET", &format!("/v1/tasks/{id}?wait=300"), b"");
            if task["finished_at"].is_string() {
                assert_eq!(task["status"], "completed", "{task}");
                return task;
            }
        }
    }
}
