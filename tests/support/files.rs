//! A server of files.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::soon;

/// What is at a path.
#[derive(Clone)]
pub struct File {
    status: &'static str,
    headers: String,
    wanted: Option<String>,
    body: Vec<u8>,
    length: Option<usize>,
}

impl File {
    pub fn new(body: Vec<u8>) -> Self {
        Self { status: "200 OK", headers: String::new(), wanted: None, body, length: None }
    }

    pub fn status(status: &'static str) -> Self {
        Self { status, ..Self::new(Vec::new()) }
    }

    pub fn redirect(to: &str) -> Self {
        Self::status("302 Found").header("location", to)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.extend([name, ": ", value, "\r\n"]);
        self
    }

    /// Is there only for requests with this header.
    pub fn wants(self, name: &str, value: &str) -> Self {
        Self { wanted: Some(format!("{name}: {value}")), ..self }
    }

    /// Breaks off after so many bytes.
    pub fn cut(mut self, bytes: usize) -> Self {
        self.length = Some(self.body.len());
        self.body.truncate(bytes);
        self
    }

    /// Says that it is so long.
    pub fn claims(self, bytes: usize) -> Self {
        Self { length: Some(bytes), ..self }
    }
}

pub struct Files {
    port: u16,
    /// What was put where.
    put: watch::Receiver<HashMap<String, Vec<u8>>>,
    _serving: tokio::task::JoinHandle<()>,
}

impl Files {
    pub async fn start<const N: usize>(files: [(&str, File); N]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let files: HashMap<String, File> = files.into_iter().map(|(path, file)| (path.to_owned(), file)).collect();
        let (files, sender) = (Arc::new(files), Arc::new(watch::Sender::new(HashMap::new())));
        let put = sender.subscribe();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (files, sender) = (Arc::clone(&files), Arc::clone(&sender));
                tokio::spawn(async move { serve(stream, &files, &sender).await });
            }
        });
        Self { port, put, _serving: serving }
    }

    /// What was put at a path, as soon as something was.
    pub async fn received(&self, path: &str) -> Vec<u8> {
        let mut put = self.put.clone();
        let found = soon("something to be put", put.wait_for(|put| put.contains_key(path))).await.unwrap();
        found[path].clone()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

/// Answers one request; the connection ends with it.
async fn serve(stream: TcpStream, files: &HashMap<String, File>, received: &watch::Sender<HashMap<String, Vec<u8>>>) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.is_err() || line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default();
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
    if let Some(length) = length {
        let mut body = vec![0; length.parse().unwrap()];
        if stream.read_exact(&mut body).await.is_err() {
            return;
        }
        received.send_modify(|received| drop(received.insert(path.to_owned(), body)));
    }
    let found = files.get(path).filter(|file| file.wanted.as_ref().is_none_or(|wanted| head.contains(wanted)));
    let file = found.cloned().unwrap_or_else(|| File::status("404 Not Found"));
    let length = file.length.unwrap_or(file.body.len());
    let head =
        format!("HTTP/1.1 {}\r\n{}content-length: {length}\r\nconnection: close\r\n\r\n", file.status, file.headers);
    // The other side may have enough.
    let _ = stream.get_mut().write_all(head.as_bytes()).await;
    let _ = stream.get_mut().write_all(&file.body).await;
    let _ = stream.get_mut().shutdown().await;
}
