//! How an answer ended. Pure.

use super::decode::Reply;
use super::{Fault, quoted};

/// How an answer ended.
#[derive(Debug, PartialEq)]
pub(super) enum End {
    Whole,
    /// By a reason that is not known.
    Unclear(String),
    Fault(Fault),
}

/// Reasons that say that the model was done (those that OpenAI, Anthropic, Gemini, Mistral, Ollama and vLLM document, and
/// what small servers write).
const DONE: [&str; 16] = [
    "stop",
    "eos",
    "eos_token",
    "end_turn",
    "stop_sequence",
    "end",
    "done",
    "complete",
    "completed",
    "finish",
    "finished",
    "normal",
    "success",
    "none",
    "null",
    "",
];
/// Parts of reasons that say that a limit of tokens was reached,
const CUT_OFF: [&str; 5] = ["length", "max_tokens", "max_output_tokens", "max_new_tokens", "token_limit"];
/// that it was withheld,
const WITHHELD: [&str; 9] =
    ["content_filter", "safety", "recitation", "blocklist", "prohibited", "spii", "guardrail", "moderation", "refusal"];
/// and that something else went wrong.
const BROKEN: [&str; 23] = [
    "error",
    "abort",
    "cancel",
    "incomplete",
    "interrupt",
    "timeout",
    "time_out",
    "fail",
    "insufficient",
    "network",
    "overload",
    "malformed",
    "unexpected",
    "exceeded",
    "tool",
    "function",
    "other",
    "unknown",
    "unspecified",
    "disconnect",
    "killed",
    "preempt",
    "load",
];

/// How an answer ended.
pub(super) fn end(reply: &Reply) -> End {
    if let Some(said) = &reply.broken {
        return End::Fault(Fault::Broken(said.clone()));
    }
    let reason = reply.finish_reason.as_deref().unwrap_or_default().trim();
    let lower = reason.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if DONE.contains(&lower.as_str()) {
        return match &reply.refusal {
            Some(said) => End::Fault(Fault::Refused(said.clone())),
            None => End::Whole,
        };
    }
    if has(&WITHHELD) {
        return End::Fault(Fault::Withheld(quoted(reason)));
    }
    if has(&CUT_OFF) {
        return End::Fault(Fault::CutOff);
    }
    if has(&BROKEN) {
        return End::Fault(Fault::Broken(format!("it ended with {}", quoted(reason))));
    }
    End::Unclear(quoted(reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_answers_end() {
        for (reason, expected) in [
            (None, "whole"),
            (Some("stop"), "whole"),
            (Some("STOP"), "whole"),
            (Some("eos_token"), "whole"),
            (Some("end_turn"), "whole"),
            (Some("length"), "cut off"),
            (Some("MAX_TOKENS"), "cut off"),
            (Some("model_length"), "cut off"),
            (Some("content_filter"), "withheld"),
            (Some("PROHIBITED_CONTENT"), "withheld"),
            (Some("RECITATION"), "withheld"),
            (Some("content_filter: RECITATION"), "withheld"),
            (Some("error"), "broken"),
            (Some("abort"), "broken"),
            (Some("incomplete"), "broken"),
            (Some("insufficient_system_resource"), "broken"),
            (Some("MALFORMED_FUNCTION_CALL"), "broken"),
            (Some("xyz"), "unclear"),
        ] {
            let reply = Reply { text: "# x".into(), finish_reason: reason.map(str::to_owned), ..Reply::default() };
            let seen = match end(&reply) {
                End::Whole => "whole",
                End::Unclear(_) => "unclear",
                End::Fault(Fault::CutOff) => "cut off",
                End::Fault(Fault::Withheld(_)) => "withheld",
                End::Fault(_) => "broken",
            };
            assert_eq!(seen, expected, "{reason:?}");
        }
        let broken = Reply { broken: Some("died".into()), finish_reason: Some("stop".into()), ..Reply::default() };
        assert_eq!(end(&broken), End::Fault(Fault::Broken("died".into())));
        let refused = Reply { refusal: Some("no".into()), ..Reply::default() };
        assert_eq!(end(&refused), End::Fault(Fault::Refused("no".into())));
    }
}
