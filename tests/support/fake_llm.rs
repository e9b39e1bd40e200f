//! An OpenAI-compatible endpoint that does what it is told and keeps the books: the oracle for what was paid.

mod asked;
mod http;
pub mod moods;
mod script;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;

pub use self::asked::Asked;
use self::asked::asked;
use self::http::{Wire, response, serve, serve_two};
use self::moods::Mood;
pub use self::script::{Answer, Script, duration};
use self::script::{mishap, picky, trouble};

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Books {
    /// The pages of every call, in the order in which they came.
    pub calls: Vec<u32>,
    /// When each came.
    pub times: Vec<Instant>,
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
    let (pages, most_tokens) = (asked::pages(&body), body["max_tokens"].as_u64().unwrap_or(0));
    let first = pages.first().copied().unwrap_or(0);
    let call = asked(first, &body);
    drop(body);
    let (mut nth, mut total) = (0, 0);
    state.books.send_modify(|books| {
        total = books.calls.len();
        nth = *books.calls_by_page.entry(first).and_modify(|calls| *calls += 1).or_insert(1) - 1;
        books.calls.push(first);
        books.times.push(Instant::now());
        books.asked.push(call.clone());
        books.in_flight += 1;
        books.most_in_flight = books.most_in_flight.max(books.in_flight);
    });
    let mood = state.script.moods.map(|seed| Mood::of_call(seed, (first, nth), &call.system));
    let _in_flight = InFlight(Arc::clone(&state.books));
    let cap = state.cap.load(Ordering::Relaxed);
    if state.books.borrow().in_flight > cap {
        state.books.send_modify(|books| books.refused += 1);
        return Some(response(429, "", "{}").into());
    }
    if let Some(Mood { status, headers, body, .. }) = mood {
        return (status > 0).then(|| response(status, headers, &body).into());
    }
    let takes = duration(&state.script, total);
    if !takes.is_zero() {
        tokio::time::sleep(takes).await;
    }
    let step = picky(&scripted(state, &call, (nth, total)), &call, most_tokens);
    if let Answer::Hold = step {
        let _held = Held::new(&state.books);
        let _ = state.gate.subscribe().wait_for(|open| *open).await;
    }
    answer(state, &step, &pages, most_tokens).await
}

/// What the script has for this call, which is the nth one for its page and the `total`th of all.
fn scripted(state: &State, call: &Asked, (nth, total): (usize, usize)) -> Answer {
    let script = &state.script;
    let wrong = script.trouble.and_then(|seed| trouble(seed, total));
    if wrong.is_some() {
        state.books.send_modify(|books| books.troubled += 1);
    }
    let wrong = wrong.or_else(|| script.mishaps.and_then(|seed| mishap(seed, total)));
    let of_page = script.pages.get(&call.page).and_then(|steps| steps.get(nth).or(steps.last()));
    let step = script.models.get(call.model.as_str()).or(of_page).unwrap_or(&script.otherwise);
    wrong.unwrap_or_else(|| step.clone())
}

async fn answer(state: &State, step: &Answer, pages: &[u32], most_tokens: u64) -> Option<Wire> {
    let part = |page: &u32| format!("<<<page {page}>>>\n{}\n", markdown(*page));
    let text = match (pages, step) {
        ([page], _) => markdown(*page),
        (pages, Answer::Shuffled) => pages.iter().rev().map(part).collect(),
        (pages, _) => pages.iter().map(part).collect(),
    };
    let first = pages.first().copied().unwrap_or(0);
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

fn show_books(state: &State) -> String {
    let books = state.books.borrow();
    let (calls, paid, most) = (books.calls.len(), books.paid.len(), books.most_in_flight);
    response(
        200,
        "",
        &json!({ "calls": calls, "paid": paid, "most_in_flight": most, "refused": books.refused }).to_string(),
    )
}
