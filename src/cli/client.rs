//! Talking to a server: what all commands about its tasks share.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use bindery::http::{Problem, TaskView};
use bytes::Bytes;
use clap::Args;
use futures::{Stream, StreamExt, TryStreamExt};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde_json::Value;
use tokio_util::io::ReaderStream;
use uuid::Uuid;

use super::secret;
use super::words::Refusal;

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

/// How soon a server is asked again that has answered before and is unavailable now, and how long where a task may not be there.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const LONGEST_ABSENCE: Duration = Duration::from_secs(60);

/// The longest wait between two tries at a submit that the server has no room for, and how often it is tried.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
const TRIES: u32 = 1_000;

/// What a server says: what the commands read of it, and all of it, as `--json` shows it.
pub struct Reply<T> {
    pub view: T,
    pub json: Value,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Reply<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::deserialize(deserializer)?;
        let view = T::deserialize(&json).map_err(D::Error::custom)?;
        Ok(Self { view, json })
    }
}

/// One server.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
    /// Whether there was a server at all: one that never answered is not likely to start.
    has_answered: Arc<AtomicBool>,
}

impl Client {
    pub fn new(arguments: &ServerArgs) -> anyhow::Result<Self> {
        let base = arguments.server.trim_end_matches('/').to_owned();
        if !base.starts_with("http://") && !base.starts_with("https://") {
            bail!("--server {base}: write http://HOST:PORT");
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build()?;
        let key = arguments.key.key.clone().or_else(|| arguments.key.key_file.clone());
        Ok(Self { http, base, key, has_answered: Arc::default() })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.key.iter().fold(request, reqwest::RequestBuilder::bearer_auth)
    }

    /// Sends a request. An answer that is a problem comes back as an error with its words.
    async fn send(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Response> {
        let response = request.send().await;
        // What breaks after the connection was made had a server, too.
        if !matches!(&response, Err(error) if error.is_connect()) {
            self.has_answered.store(true, Ordering::Relaxed);
        }
        let response = response.map_err(|error| Unreachable(self.base.clone(), root_cause(&error)))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let after = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let after = Duration::from_secs(after.unwrap_or(2)).min(LONGEST_WAIT);
        let Ok(Problem { code, detail, .. }) = response.json().await else {
            let why = format!("{} answered {status}: is it a Bindery server?", self.base);
            // A proxy says these while the server behind it is unavailable.
            let passes = matches!(status.as_u16(), 502..=504);
            return Err(if passes { anyhow!(why).context(Busy(after)) } else { anyhow!(why) });
        };
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            return Err(anyhow!(Refusal::new(&code, &detail)).context(Busy(after)));
        }
        bail!(Refusal::new(&code, &detail))
    }

    pub async fn get(&self, path: &str, accept: &str) -> anyhow::Result<Response> {
        self.send(self.request(Method::GET, path).header("accept", accept)).await
    }

    pub async fn json<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.read(self.get(path, "application/json").await?).await
    }

    /// Has something done to a task. Returns how the task stands then; `None` where it is gone.
    pub async fn change(&self, method: Method, path: &str) -> anyhow::Result<Option<Reply<TaskView>>> {
        let response = self.send(self.request(method, path)).await?;
        if response.status() == StatusCode::NO_CONTENT { Ok(None) } else { self.read(response).await.map(Some) }
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> anyhow::Result<T> {
        let body = response.bytes().await.context(BrokenOff)?;
        serde_json::from_slice(&body).with_context(|| format!("{} answers otherwise than a Bindery server", self.base))
    }

    /// Asks again while a server that has answered before is unavailable, as while it starts again; for a minute at most.
    /// `unreachable` hears it, once.
    pub async fn outlast<T>(
        &self,
        unreachable: impl Fn(&str),
        mut ask: impl AsyncFnMut() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut since = None;
        loop {
            let error = match ask().await {
                Err(error) if self.has_answered.load(Ordering::Relaxed) && is_passing(&error) => error,
                answered => return answered,
            };
            match since {
                None => unreachable(&format!("{error:#}")),
                Some(since) if Instant::elapsed(&since) > LONGEST_ABSENCE => return Err(error),
                Some(_) => {}
            }
            since.get_or_insert_with(Instant::now);
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// Sends a PDF as a form, so that no option, such as a password, stands in a URL. The file is never in memory. What is sent
    /// again under the same idempotency key leads to one task.
    pub async fn upload<'a, T: DeserializeOwned>(
        &self,
        path: &str,
        file: &Path,
        options: impl Iterator<Item = (&'static str, &'a str)>,
        idempotency_key: Option<Uuid>,
    ) -> anyhow::Result<T> {
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
        let key = idempotency_key.map(|key| key.to_string());
        let request = key.iter().fold(request, |request, key| request.header("idempotency-key", key));
        self.read(self.send(request).await?).await
    }

    /// Submits a file, over interruptions, as soon as the server has room for it.
    pub async fn submit(
        &self,
        file: &Path,
        options: &[(&'static str, &str)],
        unreachable: impl Fn(&str),
    ) -> anyhow::Result<Reply<TaskView>> {
        // A server that dies may have accepted the task before its answer was there.
        let key = Some(Uuid::now_v7());
        for _ in 0..TRIES {
            let upload = async || match self.upload("/v1/tasks", file, options.iter().copied(), key).await {
                Err(error) => error.downcast_ref().map(|Busy(after)| Err(*after)).ok_or(error),
                Ok(task) => Ok(Ok(task)),
            };
            match self.outlast(&unreachable, upload).await? {
                Ok(task) => return Ok(task),
                Err(after) => tokio::time::sleep(after).await,
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
    ) -> anyhow::Result<Reply<TaskView>> {
        let (mut last, mut said) = (String::new(), false);
        loop {
            let why = match self.follow_once(id, query, &mut last, &mut tell).await {
                Ok(Some(task)) => return Ok(task),
                Ok(None) => "the server broke off".to_owned(),
                Err(error) if self.has_answered.load(Ordering::Relaxed) && is_passing(&error) => format!("{error:#}"),
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
    ) -> anyhow::Result<Option<Reply<TaskView>>> {
        let request = self.request(Method::GET, &format!("/v1/tasks/{id}/events{query}"));
        let request = if last.is_empty() { request } else { request.header("last-event-id", last.as_str()) };
        let mut chunks = self.send(request).await?.bytes_stream();
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
                    let Problem { code, detail, .. } = Problem::deserialize(data)?;
                    bail!(Refusal::new(&code, &detail));
                }
                tell(name, &data)?;
                if name == "end" {
                    return Ok(Some(Reply::deserialize(data)?));
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
    while let Some(chunk) = answer.try_next().await.context(BrokenOff)? {
        out.write_all(&chunk)?;
    }
    Ok(out.flush()?)
}

/// There is no server.
#[derive(Debug, thiserror::Error)]
#[error("no server at {0} ({1}): start one with bindery serve, or name another with --server")]
struct Unreachable(String, String);

/// There was one when it began to answer.
#[derive(Debug, thiserror::Error)]
#[error("the server broke off its answer")]
struct BrokenOff;

/// Whether the server may well answer when it is asked again.
fn is_passing(error: &anyhow::Error) -> bool {
    error.is::<Unreachable>() || error.is::<BrokenOff>() || error.is::<Busy>()
}

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
