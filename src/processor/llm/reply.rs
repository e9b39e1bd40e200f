//! What the model answered, and whether that is a page. A bad answer is a failure, never a result.
//!
//! Servers that call themselves compatible differ; what is read here without being in the OpenAI reference:
//!
//! | difference | seen with |
//! |---|---|
//! | content as a list of parts | several gateways |
//! | an event stream though none was asked for; `usage` only in its last event, or in none | proxies |
//! | a body `{"error": …}` under status 200 | OpenRouter, some gateways |
//! | no `usage`, no `model`, no `finish_reason` | small servers |
//! | `finish_reason` of `max_tokens` or `MAX_TOKENS` for `length` | Gemini- and Anthropic-style gateways |
//! | thoughts in a field `reasoning_content` of their own, which is not read | vLLM's reasoning outputs |
//! | thoughts between `<think>` and `</think>` before the answer | open reasoning models |

use serde::Deserialize;

use super::prompt::{EMPTY, marker};
use crate::task::{Failure, code};

/// The parts of an answer that matter.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) finish_reason: Option<String>,
    pub(super) model: Option<String>,
    pub(super) refused: bool,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    choices: Vec<Choice>,
    model: Option<String>,
    usage: Option<UsageBody>,
    error: Option<ErrorBody>,
}

#[derive(Deserialize)]
struct ErrorBody {
    message: Option<String>,
}

#[derive(Deserialize)]
struct Choice {
    /// In events it is called delta.
    #[serde(alias = "delta")]
    message: Option<Message>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<Content>,
    refusal: Option<String>,
}

/// Most servers answer with text, some with a list of parts.
#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    text: Option<String>,
}

#[derive(Deserialize)]
struct UsageBody {
    #[serde(default)]
    prompt_tokens: Option<u64>,
    #[serde(default)]
    completion_tokens: Option<u64>,
}

/// Reads the body of a successful answer: one completion, or a stream of events that make one.
pub(super) fn parse(body: &[u8]) -> Result<Reply, Failure> {
    let text = String::from_utf8_lossy(body);
    let mut reply = Reply::default();
    let is_stream = text.trim_start().starts_with("data:") || text.trim_start().starts_with(':');
    if !is_stream {
        let whole = serde_json::from_str(&text).map_err(|_| bad("the answer is not a chat completion"))?;
        let choices = reply.take(whole)?;
        return if choices == 0 { Err(bad("the answer holds no choice")) } else { Ok(reply) };
    }
    let (mut choices, mut ended) = (0, false);
    for data in text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim) {
        if data == "[DONE]" {
            ended = true;
            break;
        }
        let event = serde_json::from_str(data).map_err(|_| bad("an event of the answer is not JSON"))?;
        choices += reply.take(event)?;
    }
    // A stream that breaks off has no end of its own; what is there of it is no page.
    if choices == 0 || !(ended || reply.finish_reason.is_some()) {
        return Err(bad("the stream of the answer broke off"));
    }
    Ok(reply)
}

impl Reply {
    /// Adds a completion, or a piece of one; answers how many choices it had.
    fn take(&mut self, body: Body) -> Result<usize, Failure> {
        if let Some(error) = body.error {
            let message = error.message.unwrap_or_default();
            return Err(bad(&format!("the endpoint answered with an error: {}", quoted(&message))));
        }
        let count = body.choices.len();
        if let Some(choice) = body.choices.into_iter().next() {
            let message = choice.message.unwrap_or(Message { content: None, refusal: None });
            match message.content {
                Some(Content::Text(text)) => self.text.push_str(&text),
                Some(Content::Parts(parts)) => self.text.extend(parts.into_iter().filter_map(|part| part.text)),
                None => {}
            }
            self.refused |= message.refusal.is_some_and(|refusal| !refusal.is_empty());
            self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        }
        self.model = body.model.filter(|model| !model.is_empty()).or(self.model.take());
        if let Some(usage) = body.usage {
            // Each count is of all so far.
            self.prompt_tokens = usage.prompt_tokens.unwrap_or(self.prompt_tokens);
            self.completion_tokens = usage.completion_tokens.unwrap_or(self.completion_tokens);
        }
        Ok(count)
    }
}

/// The Markdown of each page in `asked`, of which nothing is to be seen on those in `plain`.
pub(super) fn pages(reply: &Reply, asked: &[u32], plain: &[u32]) -> Result<Vec<(u32, String)>, Failure> {
    let refused = |message| Failure::permanent(code::ANSWER_REFUSED, message);
    match reply.finish_reason.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("length" | "max_tokens") => {
            let message = "the answer was cut off at the token limit";
            return Err(Failure::passing(code::ANSWER_TRUNCATED, message));
        }
        Some("content_filter" | "safety") => return Err(refused("the answer was withheld by a content filter")),
        _ if reply.refused => return Err(refused("the model refused")),
        _ => {}
    }
    let text = without_fence(without_thoughts(reply.text.trim()));
    let parts = match asked[..] {
        [page] => vec![(page, text.to_owned())],
        _ => split(text, asked)?,
    };
    let is_plain = |page: &u32| plain.contains(page);
    if parts.iter().any(|(page, markdown)| markdown.is_empty() && !is_plain(page)) {
        return Err(bad("the answer is empty"));
    }
    let is_none = |page: &u32, markdown: &str| markdown == EMPTY || is_plain(page) && says_nothing(markdown);
    let content = |page, markdown: String| if is_none(&page, &markdown) { String::new() } else { markdown };
    Ok(parts.into_iter().map(|(page, markdown)| (page, content(page, markdown))).collect())
}

/// Whether an answer says of a page that there is nothing on it, as models do in words of their own.
fn says_nothing(answer: &str) -> bool {
    const MOST: usize = 160;
    const WORDS: [&str; 12] = [
        "blank",
        "empty",
        "no text",
        "no content",
        "no visible",
        "no readable",
        "no discernible",
        "nothing",
        "leere seite",
        "leer",
        "vide",
        "vací",
    ];
    let said = answer.to_lowercase();
    answer.len() <= MOST && (WORDS.iter().any(|word| said.contains(word)) || !said.contains(char::is_alphanumeric))
}

/// Cuts a text at its markers: each page once, in the order asked.
fn split(text: &str, asked: &[u32]) -> Result<Vec<(u32, String)>, Failure> {
    let mut found: Vec<(u32, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        let page = asked.iter().find(|page| line.trim() == marker(**page));
        match (page, found.last_mut()) {
            (Some(page), _) => found.push((*page, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) if line.trim().is_empty() => {}
            (None, None) => return Err(bad("the answer does not begin with a page marker")),
        }
    }
    if found.iter().map(|(page, _)| *page).ne(asked.iter().copied()) {
        return Err(bad("the answer does not hold each page once, in order"));
    }
    Ok(found.into_iter().map(|(page, lines)| (page, lines.join("\n").trim().to_owned())).collect())
}

/// Models like to wrap a whole answer in a code fence; a fence that covers all of it is taken off.
fn without_fence(text: &str) -> &str {
    let inner = text
        .strip_prefix("```markdown\n")
        .or_else(|| text.strip_prefix("```md\n"))
        .or_else(|| text.strip_prefix("```\n"))
        .and_then(|rest| rest.strip_suffix("```"));
    match inner {
        Some(inner) if !inner.lines().any(|line| line.starts_with("```")) => inner.trim(),
        _ => text,
    }
}

fn without_thoughts(text: &str) -> &str {
    let rest = text.strip_prefix("<think>").and_then(|thoughts| thoughts.split_once("</think>"));
    rest.map_or(text, |(_, answer)| answer.trim_start())
}

fn bad(message: &str) -> Failure {
    Failure::passing(code::BAD_ANSWER, message)
}

/// Words of the endpoint, fit for a line and short.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 300;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { text: text.into(), ..Reply::default() }
    }

    #[test]
    fn reads_what_servers_send() {
        let stream = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n\
            : keep-alive\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";
        for (body, text, tokens) in [
            (r#"{"choices":[{"message":{"content":"x"}}]}"#, "x", 0),
            (
                r#"{"choices":[{"message":{"content":[{"type":"text","text":"x"},{"type":"z"}]},"index":0}],"usage":null}"#,
                "x",
                0,
            ),
            (r#"{"choices":[{"message":{"content":null,"refusal":null}}],"usage":{"prompt_tokens":7}}"#, "", 7),
            (stream, "x", 7),
        ] {
            let reply = parse(body.as_bytes()).unwrap();
            assert_eq!((reply.text.as_str(), reply.prompt_tokens), (text, tokens));
        }
        let cut = "data: {\"choices\":[{\"delta\":{\"content\":\"half\"}}]}\n\n";
        for body in ["", "<html>", "{}", r#"{"choices":[]}"#, r#"{"error":{"message":"overloaded"}}"#, cut, "data: x"] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().code, code::BAD_ANSWER, "{body}");
        }
        let refused = parse(br#"{"choices":[{"message":{"refusal":"no"}}]}"#).unwrap();
        assert_eq!(pages(&refused, &[1], &[]).unwrap_err().code, code::ANSWER_REFUSED);
    }

    #[test]
    fn one_page_is_the_whole_answer() {
        for (text, expected) in [
            (" # x \n", "# x"),
            ("```markdown\n# x\n```", "# x"),
            ("<think>A page, hm.\n```\n</think>\n\n```md\n# x\n```", "# x"),
            (EMPTY, ""),
            ("```\ncode\n```\ntext\n```\ncode\n```", "```\ncode\n```\ntext\n```\ncode\n```"),
        ] {
            assert_eq!(pages(&reply(text), &[4], &[]).unwrap(), [(4, expected.to_owned())]);
        }
    }

    #[test]
    fn an_answer_that_is_not_a_page_fails() {
        assert!(pages(&reply("  \n"), &[1], &[]).is_err());
        for (reason, expected) in [
            ("length", code::ANSWER_TRUNCATED),
            ("MAX_TOKENS", code::ANSWER_TRUNCATED),
            ("content_filter", code::ANSWER_REFUSED),
        ] {
            let cut = Reply { finish_reason: Some(reason.into()), ..reply("# x") };
            assert_eq!(pages(&cut, &[1], &[]).unwrap_err().code, expected);
        }
    }

    #[test]
    fn several_pages_must_all_be_there_once_in_order() {
        let good = "<<<page 1>>>\na\n\n<<<page 2>>>\nb\n";
        assert_eq!(pages(&reply(good), &[1, 2], &[]).unwrap(), [(1, "a".to_owned()), (2, "b".to_owned())]);
        for bad in [
            "<<<page 1>>>\na",
            "<<<page 2>>>\nb\n<<<page 1>>>\na",
            "<<<page 1>>>\na\n<<<page 1>>>\na\n<<<page 2>>>\nb",
            "Sure!\n<<<page 1>>>\na\n<<<page 2>>>\nb",
            "<<<page 1>>>\n\n<<<page 2>>>\nb",
        ] {
            assert!(pages(&reply(bad), &[1, 2], &[]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sheet_without_anything_is_empty_in_whatever_words() {
        for said in ["", "[Empty page]", "[empty page].", "The page is blank.", "---", "*(No text is visible.)*"] {
            assert_eq!(pages(&reply(said), &[3], &[3]).unwrap(), [(3, String::new())], "{said}");
        }
        assert_eq!(pages(&reply("7"), &[3], &[3]).unwrap(), [(3, "7".to_owned())]);
        // Of one with writing that is no answer, or what it says.
        assert!(pages(&reply(""), &[3], &[4]).is_err());
        assert_eq!(pages(&reply("The page is blank."), &[3], &[]).unwrap()[0].1, "The page is blank.");
    }
}
