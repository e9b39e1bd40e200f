//! What it means when an endpoint refuses a call: whether it passes, whom it concerns, and what can be learnt. Pure.
//!
//! | answer | whom it concerns | what becomes of it |
//! |---|---|---|
//! | 429 | everyone who calls | waited for |
//! | 429 that says that a tier has no room | who asks for the tier | waited for, and no limit of the endpoint |
//! | 429, 402 and others that say that an account is used up | the task | it fails |
//! | 502, 503 | everyone | waited for |
//! | 408, 409, 425, 500, 504 and others above | the call | tried again |
//! | 401, 407 | the task | it fails |
//! | 404, 405, 410; a model that takes no pictures | the model | its fallback, or the task fails |
//! | a parameter or role that is not taken; a limit of tokens or a picture that is too large (also 413) | the model | learnt, and asked again |
//! | 403, 400, 422 and others | the page | it fails; when all get the same, the task |

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::capabilities::Lesson;
use super::reply::{SEES_NOTHING, quoted, title};
use crate::processor::CallVerdict;
use crate::task::{Failure, code};

/// A call without a usable answer.
#[derive(Debug)]
pub(super) struct CallError {
    pub(super) why: Failure,
    pub(super) verdict: CallVerdict,
    /// Whether it may have been paid: an answer was on its way.
    pub(super) paid: bool,
    pub(super) concerns: Concerns,
    /// What of the request the model does not take.
    pub(super) lesson: Option<Lesson>,
}

/// Whom a refusal concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Concerns {
    /// These pages.
    Page,
    /// Perhaps these pages; when it comes again and again, and nothing else, all.
    PerhapsAll,
    /// Whoever asks for this tier of service, and says nothing about the endpoint otherwise.
    Tier,
    /// All pages that this model is asked for.
    Model,
    /// All pages.
    Task,
}

impl CallError {
    pub(super) fn timeout() -> Self {
        let why = Failure::passing(code::TIMEOUT, "the endpoint did not answer in time");
        Self { paid: true, ..Self::unpaid(why, CallVerdict::Strained) }
    }

    pub(super) const fn unpaid(why: Failure, verdict: CallVerdict) -> Self {
        Self { why, verdict, paid: false, concerns: Concerns::Page, lesson: None }
    }

    fn answered(why: Failure, concerns: Concerns) -> Self {
        Self { concerns, ..Self::unpaid(why, CallVerdict::Answered) }
    }
}

/// A web page where a completion should be: a login, or the wrong place.
pub(super) fn web_page(title: &str) -> CallError {
    let message = format!(
        "the endpoint answered with a web page ({title:?}) and not with a completion: check the base URL, and what stands in \
         between, such as a login or a proxy"
    );
    let why = Failure::passing(code::BAD_ANSWER, message);
    CallError { paid: true, ..CallError::answered(why, Concerns::PerhapsAll) }
}

/// An error under a good status, which perhaps names the one that it stands for.
pub(super) fn error_within(status: Option<u16>, body: &str) -> CallError {
    let lower = body.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let status = status.unwrap_or_else(|| match () {
        () if is_used_up(429, false, body) => 402,
        () if says(&["rate limit", "rate_limit", "too many requests", "resource_exhausted"]) => 429,
        () if says(&["invalid_request", "invalid request", "badrequest"]) => 400,
        () if says(&["authentication_error", "invalid api key", "invalid_api_key", "unauthenticated"]) => 401,
        () if says(&["model_not_found", "not_found_error"]) => 404,
        () => 500,
    });
    let error =
        refused(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), None, body.as_bytes());
    CallError { paid: error.verdict == CallVerdict::Strained, ..error }
}

/// A refusal by `status`; `after` is when the endpoint says to come back.
pub(super) fn refused(status: StatusCode, after: Option<Duration>, body: &[u8]) -> CallError {
    let number = status.as_u16();
    let text = String::from_utf8_lossy(body);
    let said = words(&text);
    let permanent = |code, what: &str| Failure::permanent(code, format!("{what} ({number}): {said}"));
    let unavailable =
        || Failure::passing(code::ENDPOINT_UNAVAILABLE, format!("the endpoint answered {number}{}", tail(&said)));
    if is_used_up(number, after.is_some(), &text) {
        let what = "the endpoint's quota is used up, see to its account or name another key";
        return CallError::answered(permanent(code::ENDPOINT_UNAUTHORIZED, what), Concerns::Task);
    }
    match number {
        429 => {
            // OpenAI's words for flex processing.
            let full = text.to_lowercase().replace('_', " ").contains("resource unavailable");
            let what = if full { "the endpoint has no room for this tier" } else { "the endpoint is asked too often" };
            let why = Failure::passing(code::RATE_LIMITED, format!("{what} (429){}", tail(&said)));
            let verdict = CallVerdict::Limited(after.or_else(|| hinted(&text)));
            let concerns = if full { Concerns::Tier } else { Concerns::Page };
            CallError { concerns, ..CallError::unpaid(why, verdict) }
        }
        // A gateway answers these when there is no server behind it; any other trouble may lie in what was asked.
        502 | 503 => CallError::unpaid(unavailable(), CallVerdict::Away(after)),
        // A server was there and took too long for the gateway; that is paid, and may be the page's fault.
        504 => CallError { paid: true, ..CallError::unpaid(unavailable(), CallVerdict::Strained) },
        408 | 409 | 425 | 500..=599 => {
            // Some servers fail at what others refuse.
            let lesson = lesson(&text).filter(|lesson| *lesson == Lesson::NoSystemRole);
            CallError { lesson, ..CallError::unpaid(unavailable(), CallVerdict::Strained) }
        }
        401 | 407 => {
            let what = "the endpoint does not accept the key";
            CallError::answered(permanent(code::ENDPOINT_UNAUTHORIZED, what), Concerns::Task)
        }
        404 | 405 | 410 => {
            let what = "the endpoint does not have the model, or is not at this URL";
            CallError::answered(permanent(code::MODEL_NOT_FOUND, what), Concerns::Model)
        }
        413 => too_large(permanent(code::ENDPOINT_REFUSED, "the picture is too large for the endpoint"), &text),
        _ => of_request(number, &text, permanent),
    }
}

/// A refusal of what was asked.
fn of_request(number: u16, text: &str, permanent: impl Fn(&'static str, &str) -> Failure) -> CallError {
    if takes_no_pictures(text) {
        let why = permanent(code::MODEL_CANNOT_SEE, "the model takes no pictures");
        let why = Failure { message: format!("{}; {SEES_NOTHING}", why.message), ..why };
        return CallError::answered(why, Concerns::Model);
    }
    if is_about_content(text) {
        let why = permanent(code::ENDPOINT_REFUSED, "the endpoint refused the page");
        return CallError::answered(why, Concerns::Page);
    }
    match lesson(text) {
        Some(Lesson::SmallerPicture { .. }) => {
            too_large(permanent(code::ENDPOINT_REFUSED, "the picture is too large for the model"), text)
        }
        lesson => {
            let what = if number == 403 {
                "the endpoint refuses access: see what the key, the region and a firewall allow"
            } else {
                "the endpoint refused the call"
            };
            let why = permanent(code::ENDPOINT_REFUSED, what);
            CallError { lesson, ..CallError::answered(why, Concerns::PerhapsAll) }
        }
    }
}

fn too_large(why: Failure, text: &str) -> CallError {
    let message = format!("{}; name a smaller image_side", why.message);
    let lesson = picture_lesson(&text.to_lowercase());
    CallError { lesson: Some(lesson), ..CallError::answered(Failure { message, ..why }, Concerns::Page) }
}

fn tail(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(": {said}") }
}

/// What a refusal says: the message of JSON of one of the usual forms, the title of a web page, or all of it.
fn words(text: &str) -> String {
    let Ok(json) = serde_json::from_str::<Value>(text) else {
        let text = text.trim();
        return if text.starts_with('<') { title(text) } else { quoted(text) };
    };
    // Gateways put what the provider said beside what they make of it.
    let raw = json.pointer("/error/metadata/raw").and_then(Value::as_str);
    let places =
        ["/error/message", "/message", "/detail", "/detail/0/msg", "/error", "/0/error/message", "/errors/0/message"];
    let said = places.iter().find_map(|place| json.pointer(place)?.as_str());
    match (said, raw) {
        (Some(said), Some(raw)) if !said.contains(raw) => quoted(&format!("{said}: {raw}")),
        (Some(said), _) => quoted(said),
        (None, _) => quoted(&if json.as_object().is_some_and(serde_json::Map::is_empty) {
            String::new()
        } else {
            json.to_string()
        }),
    }
}

/// Whether no later call will be accepted either, until the account is paid or its day is over (the error codes of OpenAI,
/// `DeepSeek` and `OpenRouter`, the quotas of Gemini). A quota of a minute passes by itself.
fn is_used_up(number: u16, has_after: bool, text: &str) -> bool {
    const CODES: [&str; 8] = [
        "insufficient_quota",
        "insufficient_balance",
        "insufficient_credits",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit balance is too low",
        "insufficient credits",
        "out of balance",
    ];
    let lower = text.to_lowercase();
    let minute = lower.contains("perminute") || lower.contains("per minute");
    match number {
        402 => true,
        400 | 403 | 429 => {
            let day = lower.contains("perday") && !minute;
            CODES.iter().any(|name| lower.contains(name)) && !has_after && !minute || day && number == 429
        }
        _ => false,
    }
}

/// When to come back, where only the body says it, as Gemini (`"retryDelay": "37s"`) and OpenAI ("try again in 1.5s") do.
fn hinted(text: &str) -> Option<Duration> {
    let rest = ["\"retryDelay\":", "try again in "].iter().find_map(|hint| text.split_once(hint))?.1;
    let rest = rest.trim_start_matches([' ', '"']);
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let number: f64 = rest[..digits].parse().ok()?;
    let unit = &rest[digits..];
    let seconds = match () {
        () if unit.starts_with("ms") => number / 1_000.0,
        () if unit.starts_with('s') || unit.starts_with(" s") => number,
        () if unit.starts_with('m') => number * 60.0,
        () => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

fn takes_no_pictures(text: &str) -> bool {
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let pictures = says(&["image", "vision", "multimodal", "multi-modal", "visual"]);
    let denies = says(&[
        "does not support image",
        "doesn't support image",
        "not support image",
        "not support vision",
        "not support multi",
        "image input is not supported",
        "image inputs are not supported",
        "images are not supported",
        "no vision",
        "image_url is not supported",
        "is not a multimodal",
        "not a vision",
        "support image input",
        "only supports text",
        "only text",
        "unknown variant `image_url`",
        "no endpoints found that support image",
        "missing mmproj",
        "image_url' is not",
        "at most 0 image",
    ]);
    pictures && denies
}

/// Whether a refusal is about what is on the page.
fn is_about_content(text: &str) -> bool {
    const WORDS: [&str; 8] = [
        "content policy",
        "content_policy",
        "content management policy",
        "content_filter",
        "moderation",
        "flagged",
        "responsible ai",
        "safety system",
    ];
    let lower = text.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
}

/// What of a request a refusal is about.
fn lesson(text: &str) -> Option<Lesson> {
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let refuses = || {
        says(&[
            "not support",
            "unsupported",
            "not allowed",
            "deprecated",
            "invalid",
            "only the default",
            "unrecognized",
            "unknown",
            "not permitted",
            "not enabled",
            "does not take",
            "cannot both",
        ])
    };
    if says(&["service_tier", "service tier"]) {
        return Some(Lesson::NoServiceTier);
    }
    let limit =
        says(&["max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens", "completion tokens"]);
    let too_many = says(&[
        "too large",
        "at most",
        "maximum",
        "exceed",
        "less than",
        "greater than",
        "too many",
        "range is",
        "too high",
        "> ",
    ]);
    if limit && too_many && !says(&["use 'max_completion_tokens'", "use \"max_completion_tokens\""]) {
        return Some(Lesson::MostTokens(numbers(&lower)));
    }
    if says(&["max_completion_tokens"]) && says(&["max_tokens"]) {
        return Some(Lesson::NewerLimitName);
    }
    let role = says(&[
        "'user' or 'assistant'",
        "roles must alternate",
        "developer instruction",
        "role 'system'",
        "role: system",
    ]) || says(&["system"])
        && says(&["role", "system message", "system prompt", "system instruction"])
        && refuses()
        || says(&["only user and assistant roles"]);
    if role {
        return Some(Lesson::NoSystemRole);
    }
    if says(&["temperature"]) && (refuses() || says(&["'temperature'", "\"temperature\"", "`temperature`"])) {
        return Some(Lesson::NoTemperature);
    }
    let size =
        says(&["too large", "exceed", "too big", "maximum", "larger than", "too long", "over the limit", "limit of"]);
    let picture =
        says(&["image", "picture", "payload", "request body", "request entity", "base64", "pixel", "context length"]);
    (size && picture).then(|| picture_lesson(&lower))
}

/// How small a picture must be: by its bytes, or by its sides.
fn picture_lesson(lower: &str) -> Lesson {
    let sides = ["dimension", "pixel", "resolution", "width", "height", "context length", "tokens"];
    if sides.iter().any(|word| lower.contains(word)) {
        let side = numbers(lower).into_iter().filter(|side| (256..10_000).contains(side)).min();
        return Lesson::SmallerPicture { side: true, most: side };
    }
    Lesson::SmallerPicture { side: false, most: numbers(lower).into_iter().filter(|bytes| *bytes >= 65_536).min() }
}

/// The whole numbers of a text.
fn numbers(text: &str) -> Vec<u32> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, text: &str) -> CallError {
        refused(StatusCode::from_u16(status).unwrap(), None, text.as_bytes())
    }

    #[test]
    fn what_is_tried_again_and_whom_it_concerns() {
        use CallVerdict::{Answered, Away, Limited, Strained};
        use Concerns::{Model, Page, PerhapsAll, Task};
        for (status, text, verdict, retryable, code, concerns) in [
            (429, "no\nway", Limited(None), true, code::RATE_LIMITED, Page),
            (500, "no\nway", Strained, true, code::ENDPOINT_UNAVAILABLE, Page),
            (503, "no\nway", Away(None), true, code::ENDPOINT_UNAVAILABLE, Page),
            (504, "no\nway", Strained, true, code::ENDPOINT_UNAVAILABLE, Page),
            (529, "no\nway", Strained, true, code::ENDPOINT_UNAVAILABLE, Page),
            (400, "no\nway", Answered, false, code::ENDPOINT_REFUSED, PerhapsAll),
            (401, "no\nway", Answered, false, code::ENDPOINT_UNAUTHORIZED, Task),
            (402, "no\nway", Answered, false, code::ENDPOINT_UNAUTHORIZED, Task),
            (403, "no\nway", Answered, false, code::ENDPOINT_REFUSED, PerhapsAll),
            (403, "<html><title>no  way</title>", Answered, false, code::ENDPOINT_REFUSED, PerhapsAll),
            (403, "no way: your input was flagged", Answered, false, code::ENDPOINT_REFUSED, Page),
            (404, "no\nway", Answered, false, code::MODEL_NOT_FOUND, Model),
            (405, "no\nway", Answered, false, code::MODEL_NOT_FOUND, Model),
            (413, "no\nway", Answered, false, code::ENDPOINT_REFUSED, Page),
            (400, "This model does not support image input: no way", Answered, false, code::MODEL_CANNOT_SEE, Model),
            (400, "content policy: no way", Answered, false, code::ENDPOINT_REFUSED, Page),
        ] {
            let error = of(status, text);
            let seen = (error.verdict, error.why.retryable, &*error.why.code, error.concerns);
            assert_eq!(seen, (verdict, retryable, code, concerns), "{status} {text}");
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
            (429, day, true),
            (429, &minute, false),
            (
                429,
                r#"{"error":{"message":"Rate limit reached; try again in 1.5s","code":"rate_limit_exceeded"}}"#,
                false,
            ),
            (429, "{}", false),
        ] {
            let error = of(status, body);
            assert_eq!(error.concerns == Concerns::Task, used_up, "{body}");
            assert_eq!(error.why.retryable, !used_up);
        }
        assert_eq!(of(429, &minute).verdict, CallVerdict::Limited(Some(Duration::from_secs(37))));
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
        for (status, body, verdict) in [
            (Some(429), r#"{"error":{"message":"rate limit exceeded","code":429}}"#, CallVerdict::Limited(None)),
            (Some(503), r#"{"error":{"message":"No instances","code":503}}"#, CallVerdict::Away(None)),
            (None, r#"{"error":{"message":"Rate limit reached"}}"#, CallVerdict::Limited(None)),
            (None, r#"{"error":"model is loading, try again"}"#, CallVerdict::Strained),
            (None, r#"{"error":{"type":"invalid_request_error","message":"x"}}"#, CallVerdict::Answered),
        ] {
            assert_eq!(error_within(status, body).verdict, verdict, "{body}");
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
            (
                400,
                "max_tokens: 8192 > 4096, which is the maximum allowed number of output tokens",
                tokens(&[8192, 4096]),
            ),
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
}
