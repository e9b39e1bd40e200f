//! An OpenAI-compatible endpoint that does what it is told and keeps the books: the oracle for what was paid.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;

#[path = "moods.rs"]
mod moods;

use self::moods::Mood;

/// What the endpoint does with one call.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Answers with [`markdown`].
    Ok,
    /// Answers with [`markdown`] once [`FakeLlm::open`] was called.
    Hold,
    /// Answers with these events, as a stream would.
    Stream(&'static str),
    /// Refuses with a status, and perhaps a `Retry-After`.
    Status(u16, Option<&'static str>),
    /// Answers 200 with this body.
    Body(&'static str),
    /// Answers with a completion of this text and `finish_reason`.
    Text(&'static str, &'static str),
    /// Refuses with a status and a message.
    Refuse(u16, &'static str),
    /// Says with a status that it is elsewhere.
    Redirect(u16, &'static str),
    /// Refuses a call that names a temperature, as some models do, and reads the page otherwise.
    NoTemperature,
    /// Refuses a call that names a tier of service.
    NoTier,
    /// Refuses a call with a message that is not the user's.
    NoSystemRole,
    /// Refuses pictures of more bytes than these.
    SmallPictures(usize),
    /// Cuts off an answer for which no limit of tokens is named, and refuses a limit above this one.
    MostTokens(u64),
    /// Never answers.
    Hang,
    /// Breaks the connection off.
    Reset,
    /// Answers with [`markdown`] in eight pieces, each so long after the one before.
    Dribble(Duration),
    /// Answers with [`markdown`], several pages in the wrong order.
    Shuffled,
    /// Answers with [`markdown`] as far as so many tokens go, where the caller does not allow more.
    Capped(u64),
}

/// What it does: by page and call, else by default, after a delay.
#[derive(Clone, Debug)]
pub struct Script {
    pub pages: HashMap<u32, Vec<Answer>>,
    /// What some models answer to whatever is asked.
    pub models: HashMap<&'static str, Answer>,
    pub otherwise: Answer,
    pub delay: Duration,
    /// More calls in flight than this are refused with 429.
    pub cap: Option<usize>,
    /// When set, calls take this many times as long or short as a lognormal spread of such a sigma says, by the seed.
    pub spread: Option<(u64, f64)>,
    /// When set, of a hundred calls five are refused with 429, three with 500, two never end and one is cut off.
    pub mishaps: Option<u64>,
    /// When set, every second answer or so is one of [`moods`](super::moods), which by this seed, the page and its call.
    pub moods: Option<u64>,
    /// When set, every twelfth call or so goes wrong, which and how by this seed, and some are slow.
    pub trouble: Option<u64>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            pages: HashMap::new(),
            models: HashMap::new(),
            otherwise: Answer::Ok,
            delay: Duration::ZERO,
            cap: None,
            spread: None,
            mishaps: None,
            trouble: None,
            moods: None,
        }
    }
}

impl Script {
    /// The answers to the calls for one page, in turn; the last one repeats.
    pub fn page(mut self, page: u32, answers: impl Into<Vec<Answer>>) -> Self {
        self.pages.insert(page, answers.into());
        self
    }

    #[allow(dead_code, reason = "used by the integration tests alone")]
    pub fn model(mut self, model: &'static str, answer: Answer) -> Self {
        self.models.insert(model, answer);
        self
    }

    pub fn otherwise(mut self, answer: Answer) -> Self {
        self.otherwise = answer;
        self
    }
}

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The pages of every call, in the order in which they came.
    pub calls: Vec<u32>,
    pub calls_by_page: HashMap<u32, usize>,
    /// What was asked for, call by call.
    pub asked: Vec<Asked>,
    /// What calls by HTTP/1 brought as their key.
    pub keys: Vec<String>,
    /// Calls answered with a page.
    pub paid: Vec<u32>,
    /// Calls that came and are not answered yet, and the most there ever were.
    pub in_flight: usize,
    pub most_in_flight: usize,
    /// Calls that came by HTTP/2.
    pub by_two: usize,
    /// Calls in flight that wait for the gate.
    pub held: usize,
    /// Calls that were too many at once.
    pub refused: usize,
    /// Calls that went wrong by the endpoint's own doing.
    pub troubled: usize,
}

/// So much of a text is kept.
const MOST_KEPT: usize = 2_000;

/// What one call asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub page: u32,
    pub model: String,
    pub system: String,
    /// The text of the page that came along.
    pub text: String,
    /// Bytes of the pictures.
    pub pictures: Vec<usize>,
    pub temperature: Option<f64>,
    pub max_tokens: Option<u64>,
    pub service_tier: Option<String>,
    /// When it came.
    pub at: Option<std::time::Instant>,
}

pub struct FakeLlm {
    pub url: String,
    books: Arc<watch::Sender<Books>>,
    gate: Arc<watch::Sender<bool>>,
    /// Ends the server when it is dropped.
    _stop: oneshot::Sender<()>,
}

/// What the endpoint reads on a page.
pub fn markdown(page: u32) -> String {
    format!("# Page {page}\n\nRead by the fake.")
}

impl FakeLlm {
    /// Serves on a free loopback port, on a thread of its own.
    pub fn start(script: Script) -> Self {
        Self::start_with(script, None)
    }

    /// The same behind TLS; answers the certificate, too, which signs itself.
    #[allow(dead_code, reason = "used by the integration tests alone")]
    pub fn start_tls(script: Script) -> (Self, String) {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut config = tokio_rustls::rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .expect("a key that fits");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tls = TlsAcceptor::from(Arc::new(config));
        (Self::start_with(script, Some(tls)), made.cert.pem())
    }

    fn start_with(script: Script, tls: Option<TlsAcceptor>) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let books = Arc::new(watch::Sender::new(Books::default()));
        let gate = Arc::new(watch::Sender::new(false));
        let cap = AtomicUsize::new(script.cap.unwrap_or(usize::MAX));
        let state = Arc::new(State { cap, script, books: Arc::clone(&books), gate: Arc::clone(&gate) });
        let (stop, stopped) = oneshot::channel();
        let (started, url) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let socket = TcpSocket::new_v4().expect("a socket");
                socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
                let listener = socket.listen(4_096).expect("a listener");
                started.send(listener.local_addr().expect("an address")).expect("someone waits");
                let serving = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        let (state, tls) = (Arc::clone(&state), tls.clone());
                        tokio::spawn(async move {
                            match tls {
                                None => serve(stream, state).await,
                                Some(tls) => {
                                    if let Ok(stream) = tls.accept(stream).await {
                                        let two = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                                        if two { serve_two(stream, state).await } else { serve(stream, state).await }
                                    }
                                }
                            }
                        });
                    }
                };
                tokio::select! { () = serving => {}, _ = stopped => {} }
            });
        });
        let url = format!("{scheme}://{}/v1", url.recv().expect("the fake starts"));
        Self { url, books, gate, _stop: stop }
    }

    pub fn books(&self) -> Books {
        self.books.borrow().clone()
    }

    /// Calls for one page so far.
    pub fn calls_for(&self, page: u32) -> usize {
        self.books.borrow().calls_by_page.get(&page).copied().unwrap_or(0)
    }

    /// Waits until the books say so.
    pub async fn until(&self, wanted: impl FnMut(&Books) -> bool) -> Books {
        let mut books = self.books.subscribe();
        let found = tokio::time::timeout(Duration::from_secs(60), books.wait_for(wanted)).await;
        let Ok(books) = found else { panic!("waited too long; the books say {:?}", self.books()) };
        books.expect("the fake lives").clone()
    }

    /// Lets held calls go, and all later ones.
    pub fn open(&self) {
        self.gate.send_replace(true);
    }

    /// Holds calls again.
    #[allow(dead_code, reason = "used by the integration tests alone")]
    pub fn close(&self) {
        self.gate.send_replace(false);
    }
}

struct State {
    cap: AtomicUsize,
    script: Script,
    books: Arc<watch::Sender<Books>>,
    gate: Arc<watch::Sender<bool>>,
}

/// Counts a call as in flight for as long as it lives, also when the caller hangs up.
struct InFlight(Arc<watch::Sender<Books>>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.send_modify(|books| books.in_flight -= 1);
    }
}

/// HTTP/1.1 as far as a client of one endpoint needs it. It is written out because a server library would hide that a
/// caller has hung up, which is what tells that a call was cut off.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
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
async fn serve_two(stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
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
struct Wire {
    text: String,
    pause: Duration,
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

/// `None` breaks the connection off.
async fn respond(state: &State, path: &str, body: Vec<u8>) -> Option<Wire> {
    // To a proxy the whole URL is said.
    let path = path.strip_prefix("http://").map_or(path, |rest| &rest[rest.find('/').unwrap_or(0)..]);
    match path {
        "/v1/chat/completions" => complete(state, body).await,
        cap if cap.starts_with("/cap/") => {
            state.cap.store(cap[5..].parse().unwrap_or(usize::MAX), Ordering::Relaxed);
            Some(response(200, "", "{}").into())
        }
        "/books" => Some(show_books(state).into()),
        _ => Some(response(404, "", "{}").into()),
    }
}

/// What goes wrong with the nth call, if anything does.
fn trouble(seed: u64, nth: usize) -> Option<Answer> {
    let mixed = super::mix(seed ^ super::mix(nth as u64));
    if !mixed.is_multiple_of(12) {
        return None;
    }
    Some(match (mixed >> 32) % 8 {
        0 => Answer::Status(429, Some("0")),
        1 => Answer::Status(500, None),
        2 => Answer::Status(503, None),
        3 => Answer::Body("<html>gateway</html>"),
        4 => Answer::Reset,
        5 => Answer::Dribble(Duration::from_millis(40)),
        6 => Answer::Capped(10),
        _ => Answer::Hang,
    })
}

fn mishap(seed: u64, nth: usize) -> Option<Answer> {
    match super::mix(seed ^ super::mix(nth as u64)) >> 32 {
        roll if roll % 100 < 5 => Some(Answer::Status(429, None)),
        roll if roll % 100 < 8 => Some(Answer::Status(500, None)),
        roll if roll % 100 < 10 => Some(Answer::Hang),
        roll if roll % 100 < 11 => Some(Answer::Text("# Half a pa", "length")),
        _ => None,
    }
}

/// How long the nth call takes.
#[allow(clippy::cast_precision_loss, reason = "numbers by chance")]
pub fn duration(script: &Script, nth: usize) -> Duration {
    let Some((seed, sigma)) = script.spread else { return script.delay };
    // Two even numbers make a normal one (Box and Muller).
    let even = |salt: u64| (super::mix(super::mix(seed ^ salt) ^ nth as u64) >> 11) as f64 / (1_u64 << 53) as f64;
    let normal = (-2.0 * (1.0 - even(1)).ln()).sqrt() * (std::f64::consts::TAU * even(2)).cos();
    script.delay.mul_f64((sigma * normal).exp())
}

/// Counts a call as held for as long as it lives.
struct Held(Arc<watch::Sender<Books>>);

impl Held {
    fn new(books: &Arc<watch::Sender<Books>>) -> Self {
        books.send_modify(|books| books.held += 1);
        Self(Arc::clone(books))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.send_modify(|books| books.held -= 1);
    }
}

async fn complete(state: &State, bytes: Vec<u8>) -> Option<Wire> {
    let body: Value = serde_json::from_slice(&bytes).expect("a request is JSON");
    // Bodies of a thousand calls that wait would be most of what the fake has in memory.
    drop(bytes);
    let content = &user_message(&body)["content"];
    // Plain text, or parts; where there is no other message the instructions stand first.
    let texts = content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    let mut about =
        content.as_str().into_iter().chain(texts).flat_map(str::lines).filter(|line| line.starts_with("Page "));
    let about = about.next().unwrap_or_default();
    let pages = asked_pages(about);
    let first = pages.first().copied().unwrap_or(0);
    let (mut nth, mut total) = (0, 0);
    state.books.send_modify(|books| {
        total = books.calls.len();
        nth = *books.calls_by_page.entry(first).and_modify(|calls| *calls += 1).or_insert(1) - 1;
        books.calls.push(first);
        books.asked.push(asked(first, &body));
        books.in_flight += 1;
        books.most_in_flight = books.most_in_flight.max(books.in_flight);
    });
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let call = asked(first, &body);
    let mood = state.script.moods.map(|seed| Mood::of_call(seed, (first, nth), &markdown(first), &call.system));
    let most_tokens = body["max_tokens"].as_u64().unwrap_or(0);
    drop(body);
    let _in_flight = InFlight(Arc::clone(&state.books));
    let cap = state.cap.load(Ordering::Relaxed);
    if state.books.borrow().in_flight > cap {
        state.books.send_modify(|books| books.refused += 1);
        return Some(response(429, "", "{}").into());
    }
    if let Some(Mood { status, headers, body }) = mood {
        return Some(response(status, headers, &body).into());
    }
    let takes = duration(&state.script, total);
    if !takes.is_zero() {
        tokio::time::sleep(takes).await;
    }
    let steps = state.script.pages.get(&first);
    let of_model = state.script.models.get(model.as_str());
    let of_page = steps.and_then(|steps| steps.get(nth).or(steps.last()));
    let step = of_model.or(of_page).unwrap_or(&state.script.otherwise);
    let wrong = state.script.trouble.and_then(|seed| trouble(seed, total));
    if wrong.is_some() {
        state.books.send_modify(|books| books.troubled += 1);
    }
    let wrong = wrong.or_else(|| state.script.mishaps.and_then(|seed| mishap(seed, total)));
    let step = wrong.as_ref().unwrap_or(step);
    let step = &picky(step, &call, most_tokens);
    if let Answer::Hold = step {
        let _held = Held::new(&state.books);
        let _ = state.gate.subscribe().wait_for(|open| *open).await;
    }
    let part = |page: &u32| format!("<<<page {page}>>>\n{}\n", markdown(*page));
    let text = match (&pages[..], step) {
        ([page], _) => markdown(*page),
        (pages, Answer::Shuffled) => pages.iter().rev().map(part).collect(),
        (pages, _) => pages.iter().map(part).collect(),
    };
    let paid = || state.books.send_modify(|books| books.paid.push(first));
    let pause = if let Answer::Dribble(pause) = step { *pause } else { Duration::ZERO };
    let text = match step {
        Answer::Hang => std::future::pending().await,
        Answer::Reset => return None,
        Answer::Ok | Answer::Hold | Answer::Dribble(_) | Answer::Shuffled => {
            paid();
            completion(&text, "stop")
        }
        Answer::Capped(tokens) if most_tokens <= *tokens => completion(&text[..text.len() / 2], "length"),
        Answer::Capped(_) => {
            paid();
            completion(&text, "stop")
        }
        Answer::Status(status, after) => {
            let header = after.map(|after| format!("retry-after: {after}\r\n")).unwrap_or_default();
            response(*status, &header, r#"{"error":{"message":"scripted refusal"}}"#)
        }
        Answer::Refuse(status, message) => {
            response(*status, "", &json!({ "error": { "message": message } }).to_string())
        }
        Answer::Redirect(status, place) => response(*status, &format!("location: {place}\r\n"), ""),
        Answer::Body(body) => response(200, "", body),
        // Told apart above.
        Answer::NoTemperature
        | Answer::NoTier
        | Answer::NoSystemRole
        | Answer::SmallPictures(_)
        | Answer::MostTokens(_) => return None,
        Answer::Stream(events) => response(200, "", events),
        Answer::Text(text, reason) => completion(text, reason),
    };
    Some(Wire { text, pause })
}

/// What an endpoint that does not take everything does with a call.
fn picky(step: &Answer, call: &Asked, most_tokens: u64) -> Answer {
    match step {
        Answer::NoTemperature if call.temperature.is_some() => {
            Answer::Refuse(400, "Unsupported value: 'temperature' does not support 0")
        }
        Answer::NoTier if call.service_tier.is_some() => Answer::Refuse(400, "Unknown parameter: 'service_tier'."),
        Answer::NoSystemRole if !call.system.is_empty() => Answer::Refuse(400, "System role not supported"),
        Answer::SmallPictures(most) if call.pictures.iter().any(|bytes| bytes > most) => {
            Answer::Refuse(413, "Request Entity Too Large")
        }
        Answer::MostTokens(_) if most_tokens == 0 => Answer::Text("# Half a pa", "length"),
        Answer::MostTokens(most) if most_tokens > *most => {
            Answer::Refuse(400, "max_tokens is too large: this model supports at most 4096 completion tokens")
        }
        Answer::NoTemperature
        | Answer::NoTier
        | Answer::NoSystemRole
        | Answer::SmallPictures(_)
        | Answer::MostTokens(_) => Answer::Ok,
        step => step.clone(),
    }
}

/// The last one; some models take no other.
fn user_message(body: &Value) -> &Value {
    body["messages"].as_array().and_then(|messages| messages.last()).unwrap_or(&Value::Null)
}

fn asked(page: u32, body: &Value) -> Asked {
    let content = &user_message(body)["content"];
    let first = &body["messages"][0];
    let system = if first["role"] == "system" { &first["content"] } else { &Value::Null };
    let parts = content.as_array().cloned().unwrap_or_else(|| vec![json!({ "text": content })]);
    let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    let pictures = parts.iter().filter_map(|part| part["image_url"]["url"].as_str());
    Asked {
        page,
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        system: system.as_str().unwrap_or_default().chars().take(MOST_KEPT).collect(),
        text: texts.join("\n").chars().take(MOST_KEPT).collect(),
        pictures: pictures.map(|url| url.len() / 4 * 3).collect(),
        temperature: body["temperature"].as_f64(),
        max_tokens: body["max_tokens"].as_u64(),
        service_tier: body["service_tier"].as_str().map(str::to_owned),
        at: Some(std::time::Instant::now()),
    }
}

fn completion(text: &str, finish_reason: &str) -> String {
    let body = json!({
        "id": "fake",
        "object": "chat.completion",
        "model": "fake-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "finish_reason": finish_reason }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 },
    });
    response(200, "", &body.to_string())
}

fn response(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} Scripted\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

fn show_books(state: &State) -> String {
    let books = state.books.borrow();
    let (calls, paid, most) = (books.calls.len(), books.paid.len(), books.most_in_flight);
    response(
        200,
        "",
        &json!({ "calls": calls, "paid": paid, "most_in_flight": most, "refused": books.refused }).to_string(),
    )
}

/// Reads the numbers of "Page 3, 4 of x.pdf:".
fn asked_pages(user: &str) -> Vec<u32> {
    let line = user.strip_prefix("Page ").unwrap_or_default();
    let end = line.find([':', 'o']).unwrap_or(line.len());
    line[..end].split(',').filter_map(|number| number.trim().parse().ok()).collect()
}
