//! What the model answered, and whether that is a page. A bad answer is a failure, never a result.

use serde::Deserialize;

use super::prompt::marker;
use crate::task::{Failure, code};

/// The parts of an answer that matter.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) finish_reason: Option<String>,
    pub(super) model: Option<String>,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

#[derive(Deserialize)]
struct Body {
    choices: Vec<Choice>,
    model: Option<String>,
    usage: Option<UsageBody>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
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

/// Reads the body of a successful answer.
pub(super) fn parse(body: &[u8]) -> Result<Reply, Failure> {
    let body: Body = serde_json::from_slice(body).map_err(|_| bad("the answer is not a chat completion"))?;
    let choice = body.choices.into_iter().next().ok_or_else(|| bad("the answer holds no choice"))?;
    if choice.message.refusal.is_some_and(|refusal| !refusal.is_empty()) {
        return Err(bad("the model refused"));
    }
    let text = match choice.message.content {
        Some(Content::Text(text)) => text,
        Some(Content::Parts(parts)) => parts.into_iter().filter_map(|part| part.text).collect(),
        None => String::new(),
    };
    let usage = body.usage.map(|usage| (usage.prompt_tokens, usage.completion_tokens)).unwrap_or_default();
    Ok(Reply {
        text,
        finish_reason: choice.finish_reason,
        model: body.model.filter(|model| !model.is_empty()),
        prompt_tokens: usage.0.unwrap_or(0),
        completion_tokens: usage.1.unwrap_or(0),
    })
}

/// The Markdown of each asked page.
pub(super) fn pages(reply: &Reply, asked: &[(u32, String)]) -> Result<Vec<(u32, String)>, Failure> {
    match reply.finish_reason.as_deref() {
        Some("length") => return Err(bad("the answer was cut off at the token limit")),
        Some("content_filter") => return Err(bad("the answer was withheld by a content filter")),
        _ => {}
    }
    let text = without_fence(reply.text.trim());
    let numbers: Vec<u32> = asked.iter().map(|(page, _)| *page).collect();
    let parts = match numbers[..] {
        [page] => vec![(page, text.to_owned())],
        _ => split(text, &numbers)?,
    };
    if parts.iter().any(|(_, markdown)| markdown.is_empty()) {
        return Err(bad("the answer is empty"));
    }
    Ok(parts)
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

fn bad(message: &str) -> Failure {
    Failure::passing(code::BAD_ANSWER, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { text: text.into(), ..Reply::default() }
    }

    fn asked(pages: &[u32]) -> Vec<(u32, String)> {
        pages.iter().map(|page| (*page, String::new())).collect()
    }

    #[test]
    fn reads_what_servers_send() {
        for (body, text, tokens) in [
            (r#"{"choices":[{"message":{"content":"x"}}]}"#, "x", 0),
            (
                r#"{"choices":[{"message":{"content":[{"type":"text","text":"x"},{"type":"z"}]},"index":0}],"usage":null}"#,
                "x",
                0,
            ),
            (r#"{"choices":[{"message":{"content":null,"refusal":null}}],"usage":{"prompt_tokens":7}}"#, "", 7),
        ] {
            let reply = parse(body.as_bytes()).unwrap();
            assert_eq!((reply.text.as_str(), reply.prompt_tokens), (text, tokens));
        }
        for body in ["", "<html>", "{}", r#"{"choices":[]}"#, r#"{"choices":[{"message":{"refusal":"no"}}]}"#] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().code, code::BAD_ANSWER, "{body}");
        }
    }

    #[test]
    fn one_page_is_the_whole_answer() {
        for (text, expected) in [
            (" # x \n", "# x"),
            ("```markdown\n# x\n```", "# x"),
            ("```\ncode\n```\ntext\n```\ncode\n```", "```\ncode\n```\ntext\n```\ncode\n```"),
        ] {
            assert_eq!(pages(&reply(text), &asked(&[4])).unwrap(), [(4, expected.to_owned())]);
        }
    }

    #[test]
    fn an_answer_that_is_not_a_page_fails() {
        assert!(pages(&reply("  \n"), &asked(&[1])).is_err());
        for reason in ["length", "content_filter"] {
            let cut = Reply { finish_reason: Some(reason.into()), ..reply("# x") };
            assert!(pages(&cut, &asked(&[1])).is_err());
        }
    }

    #[test]
    fn several_pages_must_all_be_there_once_in_order() {
        let good = "<<<page 1>>>\na\n\n<<<page 2>>>\nb\n";
        assert_eq!(pages(&reply(good), &asked(&[1, 2])).unwrap(), [(1, "a".to_owned()), (2, "b".to_owned())]);
        for bad in [
            "<<<page 1>>>\na",
            "<<<page 2>>>\nb\n<<<page 1>>>\na",
            "<<<page 1>>>\na\n<<<page 1>>>\na\n<<<page 2>>>\nb",
            "Sure!\n<<<page 1>>>\na\n<<<page 2>>>\nb",
            "<<<page 1>>>\n\n<<<page 2>>>\nb",
        ] {
            assert!(pages(&reply(bad), &asked(&[1, 2])).is_err(), "{bad}");
        }
    }
}
