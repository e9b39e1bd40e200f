//! What the endpoint does: by script, and by chance that a seed replays.

use std::collections::HashMap;
use std::time::Duration;

use super::asked::Asked;

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

    pub fn model(mut self, model: &'static str, answer: Answer) -> Self {
        self.models.insert(model, answer);
        self
    }

    pub fn otherwise(mut self, answer: Answer) -> Self {
        self.otherwise = answer;
        self
    }
}

/// What goes wrong with the nth call, if anything does.
pub(super) fn trouble(seed: u64, nth: usize) -> Option<Answer> {
    let mixed = super::super::mix(seed ^ super::super::mix(nth as u64));
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

pub(super) fn mishap(seed: u64, nth: usize) -> Option<Answer> {
    match super::super::mix(seed ^ super::super::mix(nth as u64)) >> 32 {
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
    let even = |salt: u64| {
        (super::super::mix(super::super::mix(seed ^ salt) ^ nth as u64) >> 11) as f64 / (1_u64 << 53) as f64
    };
    let normal = (-2.0 * (1.0 - even(1)).ln()).sqrt() * (std::f64::consts::TAU * even(2)).cos();
    script.delay.mul_f64((sigma * normal).exp())
}

/// What an endpoint that does not take everything does with a call.
pub(super) fn picky(step: &Answer, call: &Asked, most_tokens: u64) -> Answer {
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
