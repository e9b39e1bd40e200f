//! Refusals, row by row.

use super::*;

fn of(status: u16, text: &str) -> CallError {
    refused(StatusCode::from_u16(status).unwrap(), None, text.as_bytes())
}

#[test]
fn what_is_tried_again_and_whom_it_concerns() {
    use CallOutcome::{Overloaded, RateLimited, Success, Unavailable};
    use Concerns::{Model, Page, PerhapsAll, Task};
    for (status, text, outcome, retryable, code, concerns) in [
        (429, "no\nway", RateLimited(None), true, code::RATE_LIMITED, Page),
        (500, "no\nway", Overloaded, true, code::ENDPOINT_UNAVAILABLE, Page),
        (503, "no\nway", Unavailable(None), true, code::ENDPOINT_UNAVAILABLE, Page),
        (504, "no\nway", Overloaded, true, code::ENDPOINT_UNAVAILABLE, Page),
        (529, "no\nway", Overloaded, true, code::ENDPOINT_UNAVAILABLE, Page),
        (400, "no\nway", Success, false, code::ENDPOINT_REFUSED, PerhapsAll),
        (401, "no\nway", Success, false, code::ENDPOINT_UNAUTHORIZED, Task),
        (402, "no\nway", Success, false, code::ENDPOINT_UNAUTHORIZED, Task),
        (403, "no\nway", Success, false, code::ENDPOINT_REFUSED, PerhapsAll),
        (403, "<html><title>no  way</title>", Success, false, code::ENDPOINT_REFUSED, PerhapsAll),
        (403, "no way: your input was flagged", Success, false, code::ENDPOINT_REFUSED, Page),
        (400, "API key not valid: no way", Success, false, code::ENDPOINT_UNAUTHORIZED, Task),
        (403, "no way: API key expired", Success, false, code::ENDPOINT_UNAUTHORIZED, Task),
        (404, "no\nway", Success, false, code::MODEL_NOT_FOUND, Model),
        (405, "no\nway", Success, false, code::MODEL_NOT_FOUND, Model),
        (413, "no\nway", Success, false, code::ENDPOINT_REFUSED, Page),
        (400, "This model does not support image input: no way", Success, false, code::MODEL_CANNOT_SEE, Model),
        (400, "content policy: no way", Success, false, code::ENDPOINT_REFUSED, Page),
    ] {
        let error = of(status, text);
        let seen = (error.outcome, error.why.retryable, &*error.why.code, error.concerns);
        assert_eq!(seen, (outcome, retryable, code, concerns), "{status} {text}");
        assert!(error.why.message.contains("no way"), "the words are shown: {}", error.why.message);
    }
}

#[test]
fn an_account_that_is_used_up_is_not_waited_for_and_a_minute_is() {
    let day = r#"{"error":{"status":"RESOURCE_EXHAUSTED","message":"You exceeded your current quota","details":[{"quotaId":"RequestsPerDayPerProject"}]}}"#;
    let minute = day.replace("PerDay", "PerMinute").replace("}]", "},{\"retryDelay\":\"37s\"}]");
    for (status, body, used_up) in [
        (429, r#"{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}"#, true),
        (429, r#"{"error":{"message":"run out of balance","type":"insufficient_balance"}}"#, true),
        (400, r#"{"error":{"message":"Your credit balance is too low to go on"}}"#, true),
        (402, r#"{"error":{"message":"Insufficient credits"}}"#, true),
        (400, r#"{"error":{"message":"Budget has been exceeded! Current cost: 2.1","type":"budget_exceeded"}}"#, true),
        (429, r#"{"error":{"message":"ExceededBudget: End User=a over budget","type":"budget_exceeded"}}"#, true),
        (429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add credits"}}"#, true),
        (429, r#"{"error":{"message":"Rate limit exceeded: free-models-per-min."}}"#, false),
        (429, day, true),
        (429, &minute, false),
        (429, r#"{"error":{"message":"Rate limit reached; try again in 1.5s","code":"rate_limit_exceeded"}}"#, false),
        (429, "{}", false),
    ] {
        let error = of(status, body);
        assert_eq!(error.concerns == Concerns::Task, used_up, "{body}");
        assert_eq!(error.why.retryable, !used_up);
    }
    assert_eq!(of(429, &minute).outcome, CallOutcome::RateLimited(Some(Duration::from_secs(37))));
    assert_eq!(of(429, r#"{"error":{"code":"resource_unavailable"}}"#).concerns, Concerns::Tier);
    for (text, seconds) in [
        ("try again in 1.5s", Some(1.5)),
        ("try again in 20ms", Some(0.02)),
        ("try again in 2m", Some(120.0)),
        ("try again", None),
    ] {
        assert_eq!(hinted(text).map(|wait| wait.as_secs_f64()), seconds, "{text}");
    }
}

#[test]
fn an_error_under_a_good_status_is_what_it_stands_for() {
    for (status, body, outcome) in [
        (Some(429), r#"{"error":{"message":"rate limit exceeded","code":429}}"#, CallOutcome::RateLimited(None)),
        (Some(503), r#"{"error":{"message":"No instances","code":503}}"#, CallOutcome::Unavailable(None)),
        (None, r#"{"error":{"message":"Rate limit reached"}}"#, CallOutcome::RateLimited(None)),
        (None, r#"{"error":"model is loading, try again"}"#, CallOutcome::Overloaded),
        (None, r#"{"error":{"type":"invalid_request_error","message":"x"}}"#, CallOutcome::Success),
    ] {
        assert_eq!(error_within(status, body).outcome, outcome, "{body}");
    }
    assert!(error_within(None, r#"{"error":"model is loading"}"#).why.message.contains("model is loading"));
    let quota = r#"{"error":{"code":"insufficient_quota","message":"x"}}"#;
    assert_eq!([Some(429), None].map(|status| error_within(status, quota).concerns), [Concerns::Task; 2]);
}

#[test]
fn what_a_refusal_teaches() {
    use Lesson::{NewerLimitName, NoSystemRole, NoTemperature};
    let bytes = |most| Some(Lesson::SmallerPicture { side: false, most });
    let side = |most| Some(Lesson::SmallerPicture { side: true, most });
    let tokens = |numbers: &[u32]| Some(Lesson::MostTokens(numbers.to_vec()));
    for (status, text, expected) in [
        (400, "Unsupported value: 'temperature' does not support 0.2", Some(NoTemperature)),
        (400, "`temperature` is deprecated for this model.", Some(NoTemperature)),
        (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", Some(NewerLimitName)),
        (
            400,
            "max_tokens is too large: 8192. This model supports at most 4096 completion tokens, whereas you provided 8192.",
            tokens(&[8192, 4096, 8192]),
        ),
        (
            400,
            "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 8192",
            tokens(&[8192, 8192]),
        ),
        (400, "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens", tokens(&[8192, 4096])),
        (400, "System role not supported", Some(NoSystemRole)),
        (400, "Conversation roles must alternate user/assistant/user/assistant/...", Some(NoSystemRole)),
        (500, "Conversation roles must alternate user/assistant", Some(NoSystemRole)),
        (400, "Developer instruction is not enabled for models/gemma-3-27b-it", Some(NoSystemRole)),
        (422, "messages[0].role: Input should be 'user' or 'assistant'; got 'system'", Some(NoSystemRole)),
        (413, "<html><title>413 Request Entity Too Large</title>", bytes(None)),
        (400, "image exceeds 5 MB maximum: 6291456 bytes > 5242880 bytes", bytes(Some(5_242_880))),
        (400, "At least one of the image dimensions exceed max allowed size: 1024 pixels", side(Some(1_024))),
        (400, "Unknown parameter: 'service_tier'", Some(Lesson::NoServiceTier)),
        (400, "the temperature of the sea", None),
        (400, "no", None),
    ] {
        assert_eq!(of(status, text).lesson, expected, "{text}");
    }
}
