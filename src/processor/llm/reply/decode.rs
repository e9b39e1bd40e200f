//! The body of an answer as a [`Reply`]. Only the text of a page and what ended it must be as the reference says; no side
//! field costs an answer.
//!
//! | difference to the OpenAI reference | seen with |
//! |---|---|
//! | content as a list of parts, or of strings; parts of thoughts among them | gateways, Mistral, Magistral |
//! | an event stream though none was asked for, with `event:`, `id:` or `retry:` lines; `usage` in its last event, or in none | proxies |
//! | `{"error": …}` under status 200, as an object or as text; `{"object": "error"}` | OpenRouter, vLLM, gateways |
//! | an error inside a choice | OpenRouter |
//! | no `usage`, `model` or `finish_reason`; `usage` as text, as fractions, or as nonsense | small servers |
//! | a byte order mark, or blank lines, before the JSON | Windows servers |
//! | `message` beside no `choices`; `text` in place of `message` | Ollama's own API, older completions |
//! | thoughts in a field of their own (`reasoning_content`), which is not read | vLLM's reasoning outputs |

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::quoted;

/// The parts of an answer that matter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in super::super) struct Reply {
    pub(in super::super) text: String,
    pub(in super::super) finish_reason: Option<String>,
    /// An error inside the choice, in the endpoint's words.
    pub(in super::super) broken: Option<String>,
    /// Whether it has thoughts in a field of their own.
    pub(in super::super) has_thoughts: bool,
    pub(in super::super) model: Option<String>,
    /// What the model says when it refuses by the field for that.
    pub(in super::super) refusal: Option<String>,
    /// Absent where the endpoint does not say, or says what cannot be.
    pub(in super::super) prompt_tokens: Option<u64>,
    pub(in super::super) completion_tokens: Option<u64>,
    /// Of the tokens sent, those that the endpoint had read before.
    pub(in super::super) cached_tokens: u64,
    /// The tier that the call was served by.
    pub(in super::super) service_tier: Option<String>,
}

/// Why a body with a good status is no answer.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum NoAnswer {
    /// It is a web page, with this title.
    WebPage(String),
    /// It is an error, which perhaps names the status that it stands for.
    Error {
        status: Option<u16>,
        /// The whole of it, as JSON.
        body: String,
    },
    /// It is something else, or broke off.
    Other(&'static str),
}

/// A count above this is nonsense: no model reads so much.
const MOST_TOKENS: f64 = 1e9;
/// So much of a title is told.
const TITLE: usize = 100;

/// Reads the body of a successful answer: one completion, or a stream of events that make one.
pub(in super::super) fn decode(body: &[u8]) -> Result<Reply, NoAnswer> {
    let text = String::from_utf8_lossy(body);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').trim_end();
    if text.starts_with('<') {
        return Err(NoAnswer::WebPage(title(text)));
    }
    let mut reply = Reply::default();
    if ["data:", "event:", "id:", "retry:", ":"].iter().any(|field| text.starts_with(field)) {
        stream(text, &mut reply)?;
        return Ok(reply);
    }
    let whole = serde_json::from_str(text).map_err(|_| NoAnswer::Other("the answer is not a chat completion"))?;
    match reply.take(&whole)? {
        0 => Err(NoAnswer::Other("the answer holds no choice")),
        _ => Ok(reply),
    }
}

/// Reads events (WHATWG HTML, 9.2.6). Data of several lines is one event; an event need not be parted from the next.
fn stream(text: &str, reply: &mut Reply) -> Result<(), NoAnswer> {
    let (mut choices, mut ended, mut open) = (0, false, String::new());
    for line in text.lines() {
        let Some(data) = line.trim_start_matches('\u{feff}').strip_prefix("data:").map(str::trim) else { continue };
        if data == "[DONE]" {
            ended = true;
            break;
        }
        open.push_str(data);
        let Ok(event) = serde_json::from_str::<Value>(&open) else { continue };
        open.clear();
        choices += reply.take(&event)?;
    }
    if !open.is_empty() {
        return Err(NoAnswer::Other("an event of the answer is not JSON"));
    }
    // A stream that breaks off has no end of its own; what is there of it is no page.
    if choices == 0 || !(ended || reply.finish_reason.is_some()) {
        return Err(NoAnswer::Other("the stream of the answer broke off"));
    }
    Ok(())
}

impl Reply {
    /// Adds a completion, or a piece of one; returns how many choices it had.
    fn take(&mut self, body: &Value) -> Result<usize, NoAnswer> {
        let is_error = |error: &&Value| !matches!(error, Value::Null | Value::Bool(false));
        if body.get("error").as_ref().is_some_and(is_error) || body["object"] == "error" {
            let error = body.get("error").filter(is_error).unwrap_or(body);
            return Err(NoAnswer::Error { status: status_of(error), body: body.to_string() });
        }
        self.take_side_fields(body);
        let choices = body["choices"].as_array();
        let first = choices.and_then(|choices| choices.first());
        // Without any choice the body may be one itself.
        let alone = || (choices.is_none() && body.get("message").is_some()).then_some(body);
        let Some(choice) = first.or_else(alone) else { return Ok(0) };
        if let Some(error) = choice.get("error").filter(is_error) {
            self.broken = Some(words_of(error));
        }
        // In events it is called delta.
        let message = ["message", "delta"].into_iter().filter_map(|name| choice.get(name)).find(|m| m.is_object());
        match message {
            Some(message) => {
                push_text(&message["content"], &mut self.text);
                let refusal = message["refusal"].as_str().filter(|said| !said.is_empty());
                self.refusal = refusal.map(quoted).or(self.refusal.take());
                let thoughts = ["reasoning_content", "reasoning", "thinking"];
                self.has_thoughts |= thoughts.iter().any(|name| message[name].as_str().is_some_and(|t| !t.is_empty()));
            }
            None => push_text(&choice["text"], &mut self.text),
        }
        let reason = choice["finish_reason"].as_str().or_else(|| choice["done_reason"].as_str());
        self.finish_reason = reason.map(str::to_owned).or(self.finish_reason.take());
        Ok(1)
    }

    fn take_side_fields(&mut self, body: &Value) {
        let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        self.model = text("model").or(self.model.take());
        self.service_tier = text("service_tier").or(self.service_tier.take());
        // Each count is of all so far.
        let usage = &body["usage"];
        let count = |names: &[&str]| names.iter().find_map(|name| tokens(usage.pointer(name)?));
        self.prompt_tokens = count(&["/prompt_tokens", "/input_tokens"]).or(self.prompt_tokens);
        self.completion_tokens = count(&["/completion_tokens", "/output_tokens"]).or(self.completion_tokens);
        let cached =
            count(&["/prompt_tokens_details/cached_tokens", "/prompt_cache_hit_tokens", "/cache_read_input_tokens"]);
        self.cached_tokens = cached.unwrap_or(self.cached_tokens);
    }
}

/// A count of tokens, in whatever form.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within limits")]
fn tokens(count: &Value) -> Option<u64> {
    let count = count.as_f64().or_else(|| count.as_str()?.trim().parse().ok())?;
    (0.0..=MOST_TOKENS).contains(&count).then_some(count as u64)
}

/// Adds the text of a content: text, or a list of parts, of which those of thoughts are left out.
fn push_text(content: &Value, text: &mut String) {
    match content {
        Value::String(said) => text.push_str(said),
        Value::Array(parts) => parts.iter().for_each(|part| push_text(part, text)),
        Value::Object(part) => {
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            if !["think", "reason", "refusal"].iter().any(|thought| kind.contains(thought)) {
                ["text", "value"].iter().filter_map(|name| part.get(*name)).for_each(|part| push_text(part, text));
            }
        }
        _ => {}
    }
}

/// The status that an error names, under whatever name.
fn status_of(error: &Value) -> Option<u16> {
    let named = ["code", "status", "status_code", "http_code"].iter().filter_map(|name| error.get(*name));
    let number = |code: &Value| code.as_u64().or_else(|| code.as_str()?.parse().ok());
    named.filter_map(number).find_map(|code| u16::try_from(code).ok().filter(|code| (400..600).contains(code)))
}

fn words_of(error: &Value) -> String {
    let said = error.as_str().or_else(|| error["message"].as_str()).map(str::to_owned);
    quoted(&said.unwrap_or_else(|| error.to_string()))
}

/// The title of a web page, or its first words.
pub(in super::super) fn title(html: &str) -> String {
    let lower = html.to_ascii_lowercase();
    let between = |open: &str, close: &str| {
        let from = lower.find(open)? + open.len();
        let from = from + lower[from..].find('>')? + 1;
        let end = from + lower[from..].find(close)?;
        Some(html[from..end].to_owned())
    };
    let said = between("<title", "</title").or_else(|| between("<h1", "</h1")).unwrap_or_else(|| html.to_owned());
    let said: String = said.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    quoted(&said.split_whitespace().collect::<Vec<_>>().join(" ")).chars().take(TITLE).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_text_is_found_in_whatever_form() {
        let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
            : keep-alive\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
        let crlf = stream.replace('\n', "\r\n");
        let tight = stream.replace("\n\n", "\n").replace("data: ", "data:");
        let torn = "event: message\ndata: {\"choices\":[{\"delta\":\ndata: {\"content\":\"x\"},\"finish_reason\":\"stop\"}],\
            \ndata: \"usage\":{\"input_tokens\":7}}\n\n";
        let usage = |usage: &str| format!("{{\"choices\":[{{\"message\":{{\"content\":\"x\"}}}}],\"usage\":{usage}}}");
        let content = |content: &str| format!("{{\"choices\":[{{\"message\":{{\"content\":{content}}}}}]}}");
        for (body, text, tokens) in [
            (content("\"x\""), "x", None),
            (content("null"), "", None),
            (content(r#"["x", "y"]"#), "xy", None),
            (content(r#"[{"type":"text","text":"x"},{"type":"z"}]"#), "x", None),
            (
                content(r#"[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"x"}]"#),
                "x",
                None,
            ),
            (content(r#"{"type":"output_text","text":{"value":"x"}}"#), "x", None),
            (format!("\u{feff}{}", content("\"x\"")), "x", None),
            (format!("\n\n  \n{}", content("\"x\"")), "x", None),
            (r#"{"choices":[{"index":"0","text":"x"}],"model":7}"#.into(), "x", None),
            (r#"{"message":{"content":"x"},"done_reason":"stop"}"#.into(), "x", None),
            (r#"{"choices":[{"message":{"content":"x"}}],"error":null}"#.into(), "x", None),
            (usage(r#"{"prompt_tokens":7,"completion_tokens":1}"#), "x", Some(7)),
            (usage(r#"{"prompt_tokens":"7","completion_tokens":"1"}"#), "x", Some(7)),
            (usage(r#"{"prompt_tokens":7.0}"#), "x", Some(7)),
            (usage(r#"{"prompt_tokens":-1}"#), "x", None),
            (usage(r#"{"prompt_tokens":1e30}"#), "x", None),
            (usage(r#"{"prompt_tokens":{"text":3}}"#), "x", None),
            (usage("[]"), "x", None),
            (usage("\"none\""), "x", None),
            (stream.into(), "x", Some(7)),
            (crlf, "x", Some(7)),
            (tight, "x", Some(7)),
            (format!("\u{feff}{stream}"), "x", Some(7)),
            (format!("event: message\n{stream}"), "x", Some(7)),
            (format!("id: 1\nretry: 3000\n{stream}"), "x", Some(7)),
            (torn.into(), "x", Some(7)),
        ] {
            let reply = decode(body.as_bytes()).unwrap_or_else(|why| panic!("{body}: {why:?}"));
            assert_eq!((reply.text.as_str(), reply.prompt_tokens), (text, tokens), "{body}");
        }
    }

    #[test]
    fn what_is_no_answer_says_what_it_is() {
        let error = |status, body: Value| NoAnswer::Error { status, body: body.to_string() };
        let limit = json!({"error":{"message":"slow down","code":429}});
        let cut = "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n";
        for (body, expected) in [
            ("", NoAnswer::Other("the answer is not a chat completion")),
            ("{}", NoAnswer::Other("the answer holds no choice")),
            (r#"{"choices":[]}"#, NoAnswer::Other("the answer holds no choice")),
            (cut, NoAnswer::Other("the stream of the answer broke off")),
            ("data: x", NoAnswer::Other("an event of the answer is not JSON")),
            ("<!doctype html><html><title>Sign\n in</title></html>", NoAnswer::WebPage("Sign in".into())),
            (" <h1 class=a>Un<b>authorized</b></h1>", NoAnswer::WebPage("Unauthorized".into())),
            ("<html>gateway</html>", NoAnswer::WebPage("gateway".into())),
            (&limit.to_string(), error(Some(429), limit.clone())),
            (&format!("data: {limit}\n\n"), error(Some(429), limit.clone())),
            (r#"{"error":"loading"}"#, error(None, json!({"error":"loading"}))),
            (r#"{"object":"error","code":"404"}"#, error(Some(404), json!({"object":"error","code":"404"}))),
        ] {
            assert_eq!(decode(body.as_bytes()).unwrap_err(), expected, "{body}");
        }
    }

    #[test]
    fn what_stands_beside_the_text() {
        let body = r#"{"model":"m","service_tier":"flex","choices":[{"finish_reason":"error","error":{"code":502,"message":"died"},
            "message":{"content":"ha","refusal":"no","reasoning_content":"hm"}}],
            "usage":{"prompt_tokens":9,"completion_tokens":"2","prompt_tokens_details":{"cached_tokens":4}}}"#;
        let expected = Reply {
            text: "ha".into(),
            finish_reason: Some("error".into()),
            broken: Some("died".into()),
            has_thoughts: true,
            model: Some("m".into()),
            refusal: Some("no".into()),
            prompt_tokens: Some(9),
            completion_tokens: Some(2),
            cached_tokens: 4,
            service_tier: Some("flex".into()),
        };
        assert_eq!(decode(body.as_bytes()).unwrap(), expected);
    }
}
