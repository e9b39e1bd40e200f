//! Talking to a server: what all commands about its tasks share.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use clap::Args;
use futures::{Stream, StreamExt, TryStreamExt};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use super::secret;
use super::words::Problem;

/// The key of a caller.
#[derive(Args, Clone)]
pub struct KeyArgs {
    /// One of the server's keys, where it has some. `ps` shows it to all users of the machine: rather use `BINDERY_KEY` or
    /// --key-file
    #[arg(long, env = "BINDERY_KEY", value_name = "KEY", hide_env_values = true, conflicts_with = "key_file")]
    key: Option<String>,
    /// A file with one of the server's keys
    #[arg(long, env = "BINDERY_KEY_FILE", value_name = "FILE", value_parser = secret::read, hide_env_values = true)]
    key_file: Option<String>,
}

/// Where `bindery serve` listens when nothing else is said.
pub const DEFAULT_SERVER: &str = "http://127.0.0.1:8080";

/// Which server, and with which key.
#[derive(Args, Clone)]
#[command(next_help_heading = "Server")]
pub struct ServerArgs {
    /// The server
    #[arg(long, env = "BINDERY_SERVER", value_name = "URL", default_value = DEFAULT_SERVER)]
    pub server: String,
    #[command(flatten)]
    pub key: KeyArgs,
}

/// How soon a server is asked again that is unavailable while a task is followed.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The longest wait between two tries at a submit that the server has no room for, and how often it is tried.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const TRIES: u32 = 1_000;

/// One server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Client {
    pub fn new(arguments: &ServerArgs) -> anyhow::Result<Self> {
        let base = arguments.server.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("--server {base}: write http://HOST:PORT");
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build()?;
        Ok(Self { http, base, key: arguments.key.key.clone().or_else(|| arguments.key.key_file.clone()) })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.key.iter().fold(request, reqwest::RequestBuilder::bearer_auth)
    }

    /// Sends a request. An answer that is a problem comes back as an error with its words.
    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await.map_err(|error| Unreachable(self.base.clone(), root_cause(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let after = Duration::from_secs(after.unwrap_or(2)).min(LONGEST_WAIT);
        let problem: Value = response.json().await.unwrap_or_default();
        let Some((code, detail)) = problem["code"].as_str().zip(problem["detail"].as_str()) else {
            let why = format!("{} answered {status}: is it a Bindery server?", self.base);
            // A proxy says these while the server behind it is unavailable.
            let passes = matches!(status.as_u16(), 502..=504);
            return Err(if passes { anyhow!(why).context(Busy(after)) } else { anyhow!(why) });
        };
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            return Err(anyhow!(Problem::new(code, detail)).context(Busy(after)));
        }
        bail!(Problem::new(code, detail))
    }

    pub async fn get(&self, path: &str, accept: &str) -> anyhow::Result<Response> {
        self.send(self.request(Method::GET, path).header("accept", accept)).await
    }

    pub async fn json(&self, method: Method, path: &str) -> anyhow::Result<Value> {
        let response = self.send(self.request(method, path)).await?;
        if response.status() == StatusCode::NO_CONTENT { Ok(Value::Null) } else { Ok(response.json().await?) }
    }

    /// Sends a PDF as a form, so that no option, such as a password, stands in a URL. The file is never in memory.
    pub async fn upload<'a>(
        &self,
        path: &str,
        file: &Path,
        options: impl Iterator<Item = (&'static str, &'a str)>,
    ) -> anyhow::Result<Value> {
        const BOUNDARY: &str = "bindery-7c1f0f3e5a2b4d68";
        let opened = tokio::fs::File::open(file).await.with_context(|| file.display().to_string())?;
        let length = opened.metadata().await?.len();
        let mut head = String::new();
        for (name, value) in options {
            let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            head.push_str(&part);
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy().replace(['"', '\r', '\n'], "_");
        let part = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/pdf\r\n\r\n"
        );
        head.push_str(&part);
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let whole = head.len() as u64 + length + tail.len() as u64;
        let body = once(head).chain(ReaderStream::with_capacity(opened, 256 * 1024)).chain(once(tail));
        let request = self
            .request(Method::POST, path)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .header("content-length", whole)
            .body(reqwest::Body::wrap_stream(body));
        Ok(self.send(request).await?.json().await?)
    }

    /// The same until the server has room for it.
    pub async fn upload_when_there_is_room(
        &self,
        path: &str,
        file: &Path,
        options: &[(&'static str, &str)],
    ) -> anyhow::Result<Value> {
        for _ in 0..TRIES {
            match self.upload(path, file, options.iter().copied()).await {
                Err(error) => match error.downcast_ref::<Busy>() {
                    Some(Busy(after)) => tokio::time::sleep(*after).await,
                    None => return Err(error),
                },
                answered => return answered,
            }
        }
        bail!("the server has no room")
    }

    /// Follows a task to its end, over interruptions: `tell` hears every event by its name, `unreachable` when the server cannot be
    /// reached for the moment. Answers the task as it ended.
    pub async fn follow(
        &self,
        id: &str,
        query: &str,
        mut tell: impl FnMut(&str, &Value) -> io::Result<()>,
        mut unreachable: impl FnMut(&str),
    ) -> anyhow::Result<Value> {
        let (mut last, mut was_there, mut said) = (String::new(), false, false);
        loop {
            let why = match self.follow_once(id, query, &mut last, &mut tell, &mut was_there).await {
                Ok(Some(task)) => return Ok(task),
                Ok(None) => "the server broke off".to_owned(),
                // A server that never answered is not likely to start.
                Err(error) if was_there && (error.is::<Unreachable>() || error.is::<Busy>()) => format!("{error:#}"),
                Err(error) => return Err(error),
            };
            // Once for each outage.
            if !std::mem::replace(&mut said, true) {
                unreachable(&why);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    async fn follow_once(
        &self,
        id: &str,
        query: &str,
        last: &mut String,
        tell: &mut impl FnMut(&str, &Value) -> io::Result<()>,
        was_there: &mut bool,
    ) -> anyhow::Result<Option<Value>> {
        let request = self.request(Method::GET, &format!("/v1/tasks/{id}/events{query}"));
        let request = if last.is_empty() { request } else { request.header("last-event-id", last.as_str()) };
        let mut chunks = self.send(request).await?.bytes_stream();
        *was_there = true;
        let mut text = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let Ok(chunk) = chunk else { return Ok(None) };
            text.extend_from_slice(&chunk);
            while let Some(end) = text.windows(2).position(|two| two == b"\n\n") {
                let block = String::from_utf8_lossy(&text[..end]).into_owned();
                text.drain(..end + 2);
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                if let Some(id) = field("id: ") {
                    id.clone_into(last);
                }
                let Some((name, data)) = field("event: ").zip(field("data: ")) else { continue };
                let data: Value = serde_json::from_str(data)?;
                if name == "error" {
                    bail!("{}", data["detail"].as_str().unwrap_or("the task cannot be followed any more"));
                }
                tell(name, &data)?;
                if name == "end" {
                    return Ok(Some(data));
                }
            }
        }
        Ok(None)
    }
}

/// A text as a stream.
fn once(text: String) -> impl Stream<Item = io::Result<Bytes>> + use<> {
    futures::stream::once(std::future::ready(Ok(Bytes::from(text))))
}

/// Copies an answer as it comes.
pub async fn copy(answer: impl Stream<Item = reqwest::Result<Bytes>>, out: &mut impl Write) -> anyhow::Result<()> {
    let mut answer = std::pin::pin!(answer);
    while let Some(chunk) = answer.try_next().await.context("the server broke off its answer")? {
        out.write_all(&chunk)?;
    }
    Ok(out.flush()?)
}

/// There is no server.
#[derive(Debug, thiserror::Error)]
#[error("no server at {0} ({1}): start one with bindery serve, or name another with --server")]
struct Unreachable(String, String);

/// What is behind an error: the layers between say the same in longer words.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// The server has no time.
#[derive(Debug, thiserror::Error)]
#[error("the server is busy")]
struct Busy(Duration);
