//! An S3 server that stumbles when it is told to: as much of the protocol as Bindery uses, signatures unseen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What it does wrong.
#[derive(Clone, Copy, Default)]
pub struct Mood {
    /// Answers 503 `SlowDown` to every so-manieth request; 0 for none.
    pub refuse_every: usize,
    /// Breaks off in the middle of every so-manieth body; 0 for none.
    pub cut_every: usize,
    /// Takes a write although it was to happen only if nothing is there.
    pub ignore_conditions: bool,
}

#[derive(Default)]
struct State {
    blobs: BTreeMap<String, Vec<u8>>,
    mood: Mood,
    requests: usize,
    bodies: usize,
}

pub struct FakeS3 {
    pub url: String,
    state: Arc<watch::Sender<State>>,
}

impl FakeS3 {
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (listener, state) =
            (TcpListener::from_std(listener).unwrap(), Arc::new(watch::Sender::new(State::default())));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move { serve(stream, &shared).await });
            }
        });
        Self { url, state }
    }

    pub fn set(&self, mood: Mood) {
        self.state.send_modify(|state| state.mood = mood);
    }
}

/// One request a connection.
async fn serve(stream: TcpStream, state: &watch::Sender<State>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let mut answered = None;
    state.send_modify(|state| {
        let answer = state.answer(&method, &target, &headers, body);
        let is_body = method == "GET" && answer.status == 200 && answer.body.len() > 1;
        state.bodies += usize::from(is_body);
        let every = state.mood.cut_every;
        answered = Some((answer, is_body && every > 0 && state.bodies.is_multiple_of(every)));
    });
    let (answer, cut) = answered?;
    let Answer { status, mut headers, mut body } = answer;
    if method == "HEAD" {
        headers.push_str("connection: close\r\n");
    } else {
        let _ = write!(headers, "content-length: {}\r\nconnection: close\r\n", body.len());
    }
    if cut {
        body.truncate(body.len() / 2);
    }
    let body = if method == "HEAD" { Vec::new() } else { body };
    let head = format!("HTTP/1.1 {status} X\r\n{headers}\r\n");
    stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
    stream.shutdown().await.ok()
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

fn plain(status: u16, body: impl Into<Vec<u8>>) -> Answer {
    Answer { status, headers: String::new(), body: body.into() }
}

const TIME: &str = "Thu, 26 Nov 2026 12:00:00 GMT";

impl State {
    fn answer(&mut self, method: &str, target: &str, headers: &BTreeMap<String, String>, body: Vec<u8>) -> Answer {
        self.requests += 1;
        let every = self.mood.refuse_every;
        if every > 0 && self.requests.is_multiple_of(every) {
            return plain(503, "<Error><Code>SlowDown</Code></Error>");
        }
        let url: reqwest::Url = format!("http://h{target}").parse().unwrap();
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let key = url.path().trim_start_matches('/').split_once('/').map_or("", |(_, key)| key).to_owned();
        let about = |bytes: &[u8]| format!("last-modified: {TIME}\r\netag: \"{}-{}\"\r\n", key.len(), bytes.len());
        match method {
            "PUT"
                if headers.contains_key("if-none-match")
                    && !self.mood.ignore_conditions
                    && self.blobs.contains_key(&key) =>
            {
                plain(412, "<Error><Code>PreconditionFailed</Code></Error>")
            }
            "PUT" => {
                let headers = about(&body);
                self.blobs.insert(key, body);
                Answer { headers, ..plain(200, "") }
            }
            "DELETE" => {
                self.blobs.remove(&key);
                plain(204, "")
            }
            "POST" => {
                let text = String::from_utf8(body).unwrap();
                let mut answer = "<DeleteResult>".to_owned();
                for key in text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()) {
                    self.blobs.remove(key);
                    let _ = write!(answer, "<Deleted><Key>{key}</Key></Deleted>");
                }
                plain(200, answer + "</DeleteResult>")
            }
            _ if query.contains_key("list-type") => plain(200, self.list(&query)),
            _ => match self.blobs.get(&key) {
                None => plain(404, "<Error><Code>NoSuchKey</Code></Error>"),
                Some(bytes) if method == "HEAD" => {
                    Answer { headers: format!("{}content-length: {}\r\n", about(bytes), bytes.len()), ..plain(200, "") }
                }
                Some(bytes) => match headers.get("range").and_then(|range| part(range, bytes.len())) {
                    Some((from, to)) => {
                        let range = format!("content-range: bytes {from}-{}/{}\r\n", to - 1, bytes.len());
                        Answer { headers: about(bytes) + &range, ..plain(206, &bytes[from..to]) }
                    }
                    None => Answer { headers: about(bytes), ..plain(200, bytes.clone()) },
                },
            },
        }
    }

    fn list(&self, query: &BTreeMap<String, String>) -> String {
        let prefix = query.get("prefix").map_or("", String::as_str);
        let mut folders = std::collections::BTreeSet::new();
        let mut answer = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        for (key, bytes) in self.blobs.iter().filter(|(key, _)| key.starts_with(prefix)) {
            match key[prefix.len()..].split_once('/') {
                Some((folder, _)) if query.contains_key("delimiter") => drop(folders.insert(folder)),
                _ => {
                    let _ = write!(
                        answer,
                        "<Contents><Key>{key}</Key><LastModified>2026-11-26T12:00:00.000Z</LastModified>\
                         <ETag>\"1\"</ETag><Size>{}</Size></Contents>",
                        bytes.len()
                    );
                }
            }
        }
        for folder in folders {
            let _ = write!(answer, "<CommonPrefixes><Prefix>{prefix}{folder}/</Prefix></CommonPrefixes>");
        }
        answer + "</ListBucketResult>"
    }
}

/// What `bytes=FROM-TO` or `bytes=FROM-` means in a body of this length.
fn part(range: &str, length: usize) -> Option<(usize, usize)> {
    let (from, to) = range.strip_prefix("bytes=")?.split_once('-')?;
    let to = to.parse::<usize>().map_or(length, |to| (to + 1).min(length));
    Some((from.parse().ok()?, to)).filter(|(from, to)| from < to)
}
