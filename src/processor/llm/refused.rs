//! What it means when an endpoint refuses a call: whether it passes, whom it concerns, and what can be learnt. Pure.
//!
//! | answer | whom it concerns | what becomes of it |
//! |---|---|---|
//! | 429 | everyone who calls | waited for |
//! | 429 that says that a tier has no room | who asks for the tier | waited for, and no limit of the endpoint |
//! | 429, 402 and others that say that an account is used up | the task | it fails |
//! | 502, 503 | everyone | waited for |
//! | 408, 409, 425, 500, 504 and others above; 400 of a gateway whose server failed | the call | tried again |
//! | 401, 407; 400 and 403 that name the key | the task | it fails |
//! | 404, 405, 410; a model that takes no pictures (also 500) | the model | its fallback, or the task fails |
//! | a parameter or role that is not taken; a limit of tokens or a picture that is too large (also 413) | the model | learnt, and asked again |
//! | 403, 400, 422 and others | the page | it fails; when all get the same, the task |

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;

use super::capabilities::Lesson;
use super::reply::{SEES_NOTHING, quoted, title};
use crate::processor::CallOutcome;
use crate::task::{Failure, code};

/// An account that pays for fewer tokens is used up: many pages are longer.
const FEWEST_AFFORDED: u32 = 2_048;

/// A call without a usable answer.
#[derive(Debug)]
pub(super) struct CallError {
    pub(super) why: Failure,
    pub(super) outcome: CallOutcome,
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
    /// Calls for this tier of service; it says nothing about the endpoint otherwise.
    Tier,
    /// All pages that this model is asked for.
    Model,
    /// All pages.
    Task,
}

impl CallError {
    pub(super) fn timeout() -> Self {
        let why = Failure::transient(code::TIMEOUT, "the endpoint did not answer in time");
        Self { paid: true, ..Self::unpaid(why, CallOutcome::Overloaded) }
    }

    pub(super) const fn unpaid(why: Failure, outcome: CallOutcome) -> Self {
        Self { why, outcome, paid: false, concerns: Concerns::Page, lesson: None }
    }

    fn answered(why: Failure, concerns: Concerns) -> Self {
        Self { concerns, ..Self::unpaid(why, CallOutcome::Success) }
    }
}

/// A web page where a completion should be: a login, or the wrong place.
pub(super) fn web_page(title: &str) -> CallError {
    let message = format!(
        "the endpoint answered with a web page ({title:?}) and not with a completion: check the base URL, and what stands in \
         between, such as a login or a proxy"
    );
    let why = Failure::transient(code::BAD_ANSWER, message);
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
    CallError { paid: error.outcome == CallOutcome::Overloaded, ..error }
}

/// A refusal by `status`; `after` is when the endpoint says to come back.
pub(super) fn refused(status: StatusCode, after: Option<Duration>, body: &[u8]) -> CallError {
    let number = status.as_u16();
    let text = String::from_utf8_lossy(body);
    let said = words(&text);
    let permanent = |code, what: &str| Failure::permanent(code, format!("{what} ({number}): {said}"));
    let unavailable =
        || Failure::transient(code::ENDPOINT_UNAVAILABLE, format!("the endpoint answered {number}{}", tail(&said)));
    if let Some(tokens) = affordable(number, &text) {
        let why = permanent(code::ENDPOINT_UNAUTHORIZED, "the endpoint's account does not pay for so long an answer");
        return CallError { lesson: Some(Lesson::Affords(tokens)), ..CallError::answered(why, Concerns::Task) };
    }
    if is_used_up(number, after.is_some(), &text) {
        let what = "the endpoint's quota is used up, see to its account or name another key";
        return CallError::answered(permanent(code::ENDPOINT_UNAUTHORIZED, what), Concerns::Task);
    }
    match number {
        429 => {
            // OpenAI's words for flex processing.
            let full = text.to_lowercase().replace('_', " ").contains("resource unavailable");
            let what = if full { "the endpoint has no room for this tier" } else { "the endpoint is asked too often" };
            let why = Failure::transient(code::RATE_LIMITED, format!("{what} (429){}", tail(&said)));
            let outcome = CallOutcome::RateLimited(after.or_else(|| hinted(&text)));
            let concerns = if full { Concerns::Tier } else { Concerns::Page };
            CallError { concerns, ..CallError::unpaid(why, outcome) }
        }
        // A gateway answers these when there is no server behind it; any other trouble may lie in what was asked.
        502 | 503 => CallError::unpaid(unavailable(), CallOutcome::Unavailable(after)),
        // A server was there and took too long for the gateway; that is paid, and may be the page's fault.
        504 => CallError { paid: true, ..CallError::unpaid(unavailable(), CallOutcome::Overloaded) },
        // A gateway's words for a server behind it that failed, or that it did not reach.
        400 if is_about_upstream(&text) => CallError::unpaid(unavailable(), CallOutcome::Overloaded),
        500 if is_about_loop(&text) => {
            let why =
                Failure::transient(code::ANSWER_REPETITIVE, format!("the endpoint gave the answer up (500): {said}"));
            CallError { paid: true, ..CallError::answered(why, Concerns::Page) }
        }
        // Xinference answers so where vLLM, of which it is made, refuses.
        500 if text.contains("longer than the maximum model length") => of_request(number, &text, permanent),
        // So does Ollama.
        500 if text.to_lowercase().contains("model does not support image") => of_request(number, &text, permanent),
        408 | 409 | 425 | 500..=599 => {
            // Some servers fail at what others refuse.
            let lesson = lesson(&text).filter(|lesson| *lesson == Lesson::NoSystemRole);
            CallError { lesson, ..CallError::unpaid(unavailable(), CallOutcome::Overloaded) }
        }
        401 | 407 | 400 | 403 if is_about_key(number, &text) => {
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
        // It says nothing about the pages: each by itself is one picture.
        Some(Lesson::OnePicture) => {
            let why = permanent(code::ENDPOINT_REFUSED, "the model takes one picture a call");
            CallError { lesson: Some(Lesson::OnePicture), ..CallError::answered(why, Concerns::Page) }
        }
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
    // Of its words alone: a status beside them is no size.
    let lesson = picture_lesson(&words(text).to_lowercase());
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
    const CODES: [&str; 13] = [
        "insufficient_quota",
        "insufficient_balance",
        "insufficient_credits",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit balance is too low",
        "insufficient credits",
        "out of balance",
        // LiteLLM's budgets of keys, users and teams.
        "budget_exceeded",
        "budget has been exceeded",
        "exceededbudget",
        "exceeded budget",
        "crossed budget",
    ];
    let lower = text.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let minute = says(&["perminute", "per minute", "per-min"]);
    match number {
        402 => true,
        400 | 403 | 429 => {
            let day = says(&["perday", "per-day"]) && !minute;
            says(&CODES) && !has_after && !minute || day && number == 429
        }
        _ => false,
    }
}

/// Whether a gateway says that the server behind it failed, and nothing of what was asked.
fn is_about_upstream(text: &str) -> bool {
    const WORDS: [&str; 5] = [
        "upstream request failed",
        "upstream request timeout",
        "upstream connect error",
        "upstream error",
        "upstream service",
    ];
    let lower = text.to_lowercase();
    WORDS.iter().any(|word| lower.contains(word))
        && lesson(text).is_none()
        && !takes_no_pictures(text)
        && !is_about_content(text)
}

/// Whether a server says that it ended an answer which repeated itself (Ollama).
fn is_about_loop(text: &str) -> bool {
    text.contains("token repeat limit")
}

/// The longest answer that an account pays for, where a gateway says so that asks for the longest one first (`OpenRouter`).
fn affordable(number: u16, text: &str) -> Option<u32> {
    let rest = text.split_once("can only afford ").filter(|_| number == 402)?.1;
    numbers(rest).first().copied().filter(|tokens| *tokens >= FEWEST_AFFORDED)
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

/// Whether a refusal is of the key: Gemini answers 400, others 403.
fn is_about_key(number: u16, text: &str) -> bool {
    const WORDS: [&str; 6] = [
        "api key not valid",
        "api_key_invalid",
        "invalid api key",
        "invalid_api_key",
        "incorrect api key",
        "api key expired",
    ];
    let lower = text.to_lowercase();
    matches!(number, 401 | 407) || WORDS.iter().any(|word| lower.contains(word))
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
    // vLLM says "at most 1 image(s)", of which none is taken by a model that takes no pictures at all.
    if says(&["at most 1 image", "only one image", "only support one image", "multiple images are not supported"]) {
        return Some(Lesson::OnePicture);
    }
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
        says(&["image", "picture", "payload", "request body", "request entity", "base64", "pixel", "context length"])
            || says(&["model length"]);
    (size && picture).then(|| picture_lesson(&lower))
}

/// How small a picture must be: by its bytes, or by its sides.
fn picture_lesson(lower: &str) -> Lesson {
    let sides = ["dimension", "pixel", "resolution", "width", "height"];
    if sides.iter().any(|word| lower.contains(word)) {
        let side = numbers(lower).into_iter().filter(|side| (256..10_000).contains(side)).min();
        return Lesson::SmallerPicture { side: true, most: side };
    }
    // How many pixels a token has is not said.
    if ["context length", "model length", "tokens"].iter().any(|word| lower.contains(word)) {
        return Lesson::SmallerPicture { side: true, most: None };
    }
    Lesson::SmallerPicture { side: false, most: numbers(lower).into_iter().filter(|bytes| *bytes >= 65_536).min() }
}

/// The whole numbers of a text.
fn numbers(text: &str) -> Vec<u32> {
    let digits = text.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    digits.filter_map(|digits| digits.parse().ok()).collect()
}

#[cfg(test)]
#[path = "refused_tests.rs"]
mod tests;
