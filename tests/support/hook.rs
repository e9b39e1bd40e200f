//! A server that is told of things.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::soon;

/// A message that came.
#[derive(Clone, Debug)]
pub struct Told {
    pub id: String,
    pub timestamp: u64,
    pub signature: Option<String>,
    pub raw: String,
    pub body: Value,
}

pub struct Hook {
    pub port: u16,
    told: watch::Receiver<Vec<Told>>,
    gate: Arc<watch::Sender<bool>>,
    _serving: tokio::task::JoinHandle<()>,
}

impl Hook {
    /// Answers the messages with these heads in turn, the last of them again and again. One that begins with `hold ` waits
    /// until [`Self::open`] was called.
    pub async fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, told) = watch::channel(Vec::<Told>::new());
        let sender = Arc::new(sender);
        let gate = Arc::new(watch::Sender::new(false));
        let doors = Arc::clone(&gate);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (sender, mut doors) = (Arc::clone(&sender), doors.subscribe());
                tokio::spawn(async move {
                    let mut stream = BufReader::new(stream);
                    while let Some(message) = read(&mut stream).await {
                        let nth = sender.borrow().len();
                        let head = answers.get(nth).or(answers.last()).unwrap();
                        sender.send_modify(|told| told.push(message));
                        let head = if let Some(head) = head.strip_prefix("hold ") {
                            let _ = doors.wait_for(|open| *open).await;
                            head
                        } else {
                            head
                        };
                        let answer = format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
                        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { port, told, gate, _serving: serving }
    }

    pub fn url(&self) -> String {
        format!("http%3A%2F%2F127.0.0.1%3A{}%2Fhook", self.port)
    }

    /// Waits for so many messages in all.
    pub async fn messages(&self, count: usize) -> Vec<Told> {
        let mut told = self.told.clone();
        soon("messages", told.wait_for(|told| told.len() >= count)).await.unwrap().clone()
    }

    pub fn open(&self) {
        self.gate.send_replace(true);
    }

    pub fn count(&self) -> usize {
        self.told.borrow().len()
    }
}

async fn read(stream: &mut BufReader<tokio::net::TcpStream>) -> Option<Told> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    assert_eq!(line, "POST /hook HTTP/1.1\r\n");
    let (mut length, mut told) = (0, (String::new(), 0, None));
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "webhook-id" => told.0 = value.to_owned(),
            "webhook-timestamp" => told.1 = value.parse().unwrap(),
            "webhook-signature" => told.2 = Some(value.to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let raw = String::from_utf8(body).unwrap();
    Some(Told { id: told.0, timestamp: told.1, signature: told.2, body: serde_json::from_str(&raw).unwrap(), raw })
}
