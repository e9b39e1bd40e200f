//! What models were found to take, and to refuse.
//!
//! The token limit is `max_tokens` in what Ollama and vLLM document, and `max_completion_tokens` alone for newer models of
//! OpenAI; these also take no temperature but their own. Others know no system role, or take smaller pictures only. So a
//! request begins with what most take, and what a model refuses is left out, renamed or made smaller from then on.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Models that are remembered one by one; callers may name any, and those beyond share one memory.
const MODELS: usize = 16;
/// A limit of fewer tokens than these is no page: then none is named.
const FEWEST_TOKENS: u32 = 256;
/// A picture whose longer side has fewer pixels cannot be read.
const SMALLEST_SIDE: u32 = 384;
/// The share of its size, in per cent, that a picture keeps when it was too large by an unknown amount.
const SMALLER: (u32, u32) = (60, 70);
/// How often a model answers all pages alike before that is put down to it: as long as it has answered none otherwise, and
/// later.
const STRIKES: (u32, u32) = (3, 8);

/// What a refusal teaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Takes no temperature but its own.
    NoTemperature,
    /// Knows the token limit by its newer name only.
    NewerLimitName,
    /// Takes instructions with the user's message only.
    NoSystemRole,
    /// Has no choice of tiers, or not the one that was asked for.
    NoServiceTier,
    /// Answers with fewer tokens than were asked for; the numbers of the refusal.
    MostTokens(Vec<u32>),
    /// Takes smaller pictures only, by their longer side in pixels or else by their bytes; at most so many, if it said so.
    SmallerPicture { side: bool, most: Option<u32> },
}

/// What of a request may teach something.
#[allow(clippy::struct_excessive_bools, reason = "each is something that a model may refuse")]
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) temperature: bool,
    pub(super) max_tokens: Option<u32>,
    /// Whether that was named as newer models know it.
    pub(super) newer_name: bool,
    pub(super) system_role: bool,
    pub(super) service_tier: bool,
    /// The bytes of the largest picture, and the pixels of the longest side.
    pub(super) picture: Option<(u32, u32)>,
    /// How many pages it is for.
    pub(super) pages: usize,
}

/// What each model was found to take. A model that refused something once is not asked so again.
#[derive(Default)]
pub(super) struct Capabilities {
    models: [ModelCapabilities; MODELS],
    others: ModelCapabilities,
}

/// What one model takes.
pub(super) struct ModelCapabilities {
    model: OnceLock<String>,
    no_temperature: AtomicBool,
    newer_limit_name: AtomicBool,
    no_system_role: AtomicBool,
    no_service_tier: AtomicBool,
    most_tokens: AtomicU32,
    picture_bytes: AtomicU32,
    picture_side: AtomicU32,
    has_answered: AtomicBool,
    strikes: AtomicU32,
    struck_by: AtomicU64,
    under_way: AtomicU32,
}

/// An attempt that asks a model, until its answer is judged.
pub(super) struct UnderWay<'a>(&'a AtomicU32);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for ModelCapabilities {
    fn default() -> Self {
        Self {
            model: OnceLock::new(),
            no_temperature: AtomicBool::new(false),
            newer_limit_name: AtomicBool::new(false),
            no_system_role: AtomicBool::new(false),
            no_service_tier: AtomicBool::new(false),
            most_tokens: AtomicU32::new(u32::MAX),
            picture_bytes: AtomicU32::new(u32::MAX),
            picture_side: AtomicU32::new(u32::MAX),
            has_answered: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            struck_by: AtomicU64::new(0),
            under_way: AtomicU32::new(0),
        }
    }
}

impl Capabilities {
    /// What is known of a model.
    pub(super) fn of(&self, model: &str) -> &ModelCapabilities {
        let own = self.models.iter().find(|known| known.model.get_or_init(|| model.to_owned()) == model);
        own.unwrap_or(&self.others)
    }
}

impl ModelCapabilities {
    pub(super) fn takes_temperature(&self) -> bool {
        !self.no_temperature.load(Ordering::Relaxed)
    }

    pub(super) fn takes_system_role(&self) -> bool {
        !self.no_system_role.load(Ordering::Relaxed)
    }

    pub(super) fn takes_service_tier(&self) -> bool {
        !self.no_service_tier.load(Ordering::Relaxed)
    }

    /// Whether it knows the token limit by its newer name only.
    pub(super) fn wants_newer_name(&self) -> bool {
        self.newer_limit_name.load(Ordering::Relaxed)
    }

    /// As many tokens of `wanted` as it takes; `None` when it takes no limit that would be of use.
    pub(super) fn tokens(&self, wanted: u32) -> Option<u32> {
        let most = self.most_tokens.load(Ordering::Relaxed);
        (most >= FEWEST_TOKENS).then(|| wanted.min(most))
    }

    /// The most bytes of a picture and the most pixels of its longer side.
    pub(super) fn picture(&self, bytes: usize, side: u32) -> (usize, u32) {
        let most = usize::try_from(self.picture_bytes.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        (bytes.min(most), side.min(self.picture_side.load(Ordering::Relaxed)))
    }

    /// Takes in what a refusal teaches; returns whether the request would be made otherwise now than it was `sent`.
    pub(super) fn learn(&self, lesson: &Lesson, sent: Sent) -> bool {
        let found = |flag: &AtomicBool| flag.store(true, Ordering::Relaxed);
        match lesson {
            Lesson::NoTemperature => {
                found(&self.no_temperature);
                sent.temperature
            }
            Lesson::NewerLimitName => {
                found(&self.newer_limit_name);
                sent.max_tokens.is_some() && !sent.newer_name
            }
            Lesson::NoSystemRole => {
                found(&self.no_system_role);
                sent.system_role
            }
            Lesson::NoServiceTier => {
                found(&self.no_service_tier);
                sent.service_tier
            }
            Lesson::MostTokens(named) => sent.max_tokens.is_some_and(|asked| {
                let named = named.iter().copied().filter(|most| (FEWEST_TOKENS..asked).contains(most)).max();
                self.most_tokens.fetch_min(named.unwrap_or(asked / 2), Ordering::Relaxed);
                true
            }),
            Lesson::SmallerPicture { side: true, most } => sent.picture.is_some_and(|(_, side)| {
                let smaller = most.filter(|most| *most < side).unwrap_or(side / 100 * SMALLER.1);
                self.picture_side.fetch_min(smaller.max(SMALLEST_SIDE), Ordering::Relaxed);
                side > SMALLEST_SIDE
            }),
            Lesson::SmallerPicture { side: false, most } => sent.picture.is_some_and(|(bytes, side)| {
                // It travels as text, which takes a third more.
                let smaller = most.map_or(u32::MAX, |most| most / 4 * 3).min(bytes / 100 * SMALLER.0);
                self.picture_bytes.fetch_min(smaller.max(1), Ordering::Relaxed);
                side > SMALLEST_SIDE
            }),
        }
    }

    /// A page has come of an answer.
    pub(super) fn has_answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        self.strikes.store(0, Ordering::Relaxed);
    }

    /// Counts an attempt for as long as it lives.
    pub(super) fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }

    /// An answer that may be the same for all pages; returns whether it is, as far as one can tell: it came a few times in a
    /// row, and as often as attempts are under way, for a refusal comes sooner than a page. Numbers in it do not count: they
    /// may be of the page.
    pub(super) fn strike(&self, answer: &str) -> bool {
        self.strike_of(answer, 0)
    }

    /// The same of a refusal that tells nothing of its cause: a few in a row may well be of their pages.
    pub(super) fn strike_untold(&self, answer: &str) -> bool {
        self.strike_of(answer, STRIKES.1)
    }

    fn strike_of(&self, answer: &str, least: u32) -> bool {
        let mut hasher = DefaultHasher::new();
        answer.chars().filter(|c| !c.is_ascii_digit()).for_each(|c| c.hash(&mut hasher));
        let same = self.struck_by.swap(hasher.finish(), Ordering::Relaxed) == hasher.finish();
        if !same {
            self.strikes.store(0, Ordering::Relaxed);
        }
        let most = if self.has_answered.load(Ordering::Relaxed) { STRIKES.1 } else { STRIKES.0 };
        let most = most.max(least).max(self.under_way.load(Ordering::Relaxed));
        self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Sent = Sent {
        temperature: true,
        max_tokens: Some(8_192),
        newer_name: false,
        system_role: true,
        service_tier: true,
        picture: Some((1_000_000, 1_600)),
        pages: 1,
    };

    #[test]
    fn what_one_model_refuses_another_may_take() {
        let known = Capabilities::default();
        assert!(known.of("a").learn(&Lesson::NoTemperature, SENT));
        assert!(!known.of("a").takes_temperature() && known.of("a").takes_system_role());
        assert!(known.of("b").takes_temperature());
        for number in 0..100 {
            known.of(&number.to_string());
        }
        known.of("98").learn(&Lesson::NewerLimitName, SENT);
        assert!(known.of("99").wants_newer_name(), "late ones share");
        assert!(!known.of("0").wants_newer_name());
    }

    #[test]
    fn what_is_learnt_is_asked_otherwise_and_once() {
        let model = ModelCapabilities::default();
        let bare = Sent::default();
        for lesson in [Lesson::NoTemperature, Lesson::NewerLimitName, Lesson::NoSystemRole, Lesson::NoServiceTier] {
            assert!(model.learn(&lesson, SENT), "{lesson:?}");
            assert!(!model.learn(&lesson, bare), "asked without it already: {lesson:?}");
        }
        for (named, asked, expected) in [
            (vec![8_192, 4_096, 8_192], 8_192, Some(4_096)),
            (vec![8_192, 100], 4_096, Some(2_048)),
            (vec![], 500, None),
        ] {
            let sent = Sent { max_tokens: Some(asked), ..SENT };
            assert!(model.learn(&Lesson::MostTokens(named), sent));
            assert_eq!(model.tokens(8_192), expected);
        }
        assert!(!model.learn(&Lesson::MostTokens(vec![]), bare));
    }

    #[test]
    fn pictures_get_smaller_until_they_cannot_be_read() {
        let model = ModelCapabilities::default();
        let smaller = |side, most| Lesson::SmallerPicture { side, most };
        assert_eq!(model.picture(2_000_000, 1_600), (2_000_000, 1_600));
        assert!(model.learn(&smaller(false, Some(5_000_000)), SENT));
        assert_eq!(model.picture(2_000_000, 1_600), (600_000, 1_600), "what was sent was too large already");
        assert!(model.learn(&smaller(false, Some(400_000)), SENT));
        assert_eq!(model.picture(2_000_000, 1_600).0, 300_000);
        assert!(model.learn(&smaller(true, Some(1_024)), SENT));
        assert_eq!(model.picture(2_000_000, 1_600).1, 1_024);
        assert!(model.learn(&smaller(true, None), Sent { picture: Some((1, 500)), ..SENT }));
        assert_eq!(model.picture(2_000_000, 1_600).1, SMALLEST_SIDE);
        assert!(!model.learn(&smaller(true, None), Sent { picture: Some((1, SMALLEST_SIDE)), ..SENT }));
        assert!(!model.learn(&smaller(false, None), Sent::default()));
    }

    #[test]
    fn the_same_for_all_pages_is_put_down_to_the_model() {
        let model = ModelCapabilities::default();
        assert_eq!(
            ["a 1", "a 2", "b", "a 3", "a 4", "a 5"].map(|said| model.strike(said)),
            [false, false, false, false, false, true]
        );
        model.has_answered();
        assert_eq!([0; 8].map(|_| model.strike("a")), [false, false, false, false, false, false, false, true]);
        // Pages that are still being read may prove it wrong.
        let model = ModelCapabilities::default();
        let others = [(); 4].map(|()| model.begin());
        assert_eq!([0; 4].map(|_| model.strike("a")), [false, false, false, true]);
        drop(others);
        assert!(model.strike("a"));
    }
}
