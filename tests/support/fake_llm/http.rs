//! HTTP as far as a client of one endpoint needs it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::{State, respond};

/// HTTP/1.1 as far as a client of one endpoint needs it. It is written out because a server library would hide that a
/// caller has hung up, which is what tells that a call was cut off.
pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let mut stream = BufReader::new(stream);
    while let Some((path, body)) = read_request(&mut stream, &state).await {
        let response = tokio::select! {
            response = respond(&state, &path, body) => match response {
                Some(response) => response,
                None => return,
            },
            // Nothing is sent before an answer, so reading here means that the caller is gone.
            _ = stream.fill_buf() => return,
        };
        for (piece, pause) in response.pieces() {
            tokio::time::sleep(pause).await;
            if stream.get_mut().write_all(piece.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// HTTP/2, of which the client sees the same.
pub(super) async fn serve_two(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, mut reply))) = connection.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            state.books.send_modify(|books| books.by_two += 1);
            let (path, mut chunks) = (request.uri().path().to_owned(), request.into_body());
            let mut body = Vec::new();
            while let Some(Ok(chunk)) = chunks.data().await {
                body.extend_from_slice(&chunk);
                let _ = chunks.flow_control().release_capacity(chunk.len());
            }
            let Some(Wire { text, .. }) = respond(&state, &path, body).await else { return };
            let (head, body) = text.split_once("\r\n\r\n").expect("a response has a head");
            let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status");
            let response = http::Response::builder().status(status).body(()).expect("a response");
            if let Ok(mut stream) = reply.send_response(response, false) {
                let _ = stream.send_data(body.to_owned().into(), true);
            }
        });
    }
}

/// A response, and how long its pieces take.
pub(super) struct Wire {
    pub(super) text: String,
    pub(super) pause: Duration,
}

impl From<String> for Wire {
    fn from(text: String) -> Self {
        Self { text, pause: Duration::ZERO }
    }
}

impl Wire {
    fn pieces(&self) -> Vec<(&str, Duration)> {
        if self.pause.is_zero() {
            return vec![(&self.text, self.pause)];
        }
        let mut rest = self.text.as_str();
        let mut pieces = Vec::new();
        for left in (1..=8).rev() {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(rest.len() / left));
            pieces.push((piece, self.pause));
            rest = more;
        }
        pieces
    }
}

async fn read_request(stream: &mut BufReader<impl AsyncRead + Unpin>, state: &State) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        match line.trim().split_once(": ") {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().ok()?,
            Some((name, key)) if name.eq_ignore_ascii_case("authorization") => {
                state.books.send_modify(|books| books.keys.push(key.to_owned()));
            }
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((path, body))
}

pub(super) fn response(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}
