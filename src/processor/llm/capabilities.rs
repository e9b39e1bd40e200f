//! What models were found to take, and to refuse.
//!
//! The token limit is `max_tokens` in what Ollama and vLLM document, and `max_completion_tokens` alone for newer models of
//! OpenAI; these also take no temperature but their own. Others know no system role, or take smaller pictures only. So a
//! request begins with what most take, and what a model refuses is left out, renamed or made smaller from then on.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use super::learnt::{COUNTS_FOR, Learnt};
use super::picture_limit::PictureLimit;
use crate::clock::Timestamp;

/// Models that are remembered one by one; callers may name any, and those beyond share one memory.
const MODELS: usize = 16;
/// A limit of fewer tokens than these is no page: then none is named.
const FEWEST_TOKENS: u32 = 256;
/// How often a model answers all pages alike before that is put down to it: as long as it has answered none otherwise, and
/// later.
const STRIKES: (u32, u32) = (3, 8);

/// For how long it counts that an account pays for no longer answers, milliseconds: it may be topped up.
const AFFORDS_FOR: u64 = 600_000;
/// For how long a tier without room is not asked for, milliseconds, where there is another.
const TIER_FULL: u64 = 60_000;

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
    /// Its account pays for answers of so many tokens at most, and for no call that leaves the limit open.
    Affords(u32),
    /// Takes one picture a call.
    OnePicture,
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
    one_picture: AtomicBool,
    most_tokens: AtomicU32,
    affords: AtomicU32,
    /// Until when that counts, milliseconds since the first one of this process.
    affords_until: AtomicU64,
    picture: PictureLimit,
    /// Until when its cheaper tier is not asked for, milliseconds since the first one of this process.
    tier_full_until: AtomicU64,
    /// When the first of what is kept was learnt, milliseconds of the wall clock; 0 before.
    learnt_at: AtomicU64,
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
            one_picture: AtomicBool::new(false),
            most_tokens: AtomicU32::new(u32::MAX),
            affords: AtomicU32::new(u32::MAX),
            affords_until: AtomicU64::new(0),
            learnt_at: AtomicU64::new(0),
            picture: PictureLimit::default(),
            tier_full_until: AtomicU64::new(0),
            has_answered: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            struck_by: AtomicU64::new(0),
            under_way: AtomicU32::new(0),
        }
    }
}

/// Milliseconds since this was first asked.
fn elapsed() -> u64 {
    static BEGUN: OnceLock<Instant> = OnceLock::new();
    u64::try_from(BEGUN.get_or_init(Instant::now).elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl Capabilities {
    /// What was learnt of models that have a memory of their own.
    pub(super) fn learnt(&self, endpoint: &str) -> Vec<Learnt> {
        self.models.iter().filter_map(|model| model.learnt(endpoint)).collect()
    }

    /// Takes in what was learnt elsewhere of a model, where it has a memory of its own.
    pub(super) fn take(&self, learnt: &Learnt) {
        if let Some(own) = self.own(&learnt.model) {
            own.take(learnt);
        }
    }

    fn own(&self, model: &str) -> Option<&ModelCapabilities> {
        self.models.iter().find(|known| known.model.get_or_init(|| model.to_owned()) == model)
    }

    /// What is known of a model.
    pub(super) fn of(&self, model: &str) -> &ModelCapabilities {
        self.own(model).unwrap_or(&self.others)
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

    pub(super) fn takes_several_pictures(&self) -> bool {
        !self.one_picture.load(Ordering::Relaxed)
    }

    /// Its cheaper tier has no room: it is not asked for, for a while.
    pub(super) fn tier_is_full(&self) {
        self.tier_full_until.store(elapsed().saturating_add(TIER_FULL), Ordering::Relaxed);
    }

    /// Whether that was found a short while ago.
    pub(super) fn is_tier_full(&self) -> bool {
        elapsed() < self.tier_full_until.load(Ordering::Relaxed)
    }

    /// What it may refuse of a request, by name.
    const fn refusals(&self) -> [(&'static str, &AtomicBool); 5] {
        [
            ("temperature", &self.no_temperature),
            ("max_tokens under its older name", &self.newer_limit_name),
            ("system role", &self.no_system_role),
            ("service_tier", &self.no_service_tier),
            ("several pictures a call", &self.one_picture),
        ]
    }

    /// How much it takes: tokens, bytes of a picture, pixels of its longer side.
    const fn limits(&self) -> [&AtomicU32; 3] {
        let [bytes, side] = self.picture.known();
        [&self.most_tokens, bytes, side]
    }

    /// What was learnt of it; `None` where nothing was.
    fn learnt(&self, endpoint: &str) -> Option<Learnt> {
        let model = self.model.get()?.clone();
        let is_refused =
            |(name, refused): (&str, &AtomicBool)| refused.load(Ordering::Relaxed).then(|| name.to_owned());
        let refuses: Vec<String> = self.refusals().into_iter().filter_map(is_refused).collect();
        let limit = |limit: &AtomicU32| Some(limit.load(Ordering::Relaxed)).filter(|most| *most < u32::MAX);
        let [max_tokens, max_image_bytes, max_image_side] = self.limits().map(limit);
        let is_known = !refuses.is_empty() || max_tokens.or(max_image_bytes).or(max_image_side).is_some();
        let learnt_at = Timestamp::from_millis(self.learnt_at.load(Ordering::Relaxed));
        let endpoint = endpoint.to_owned();
        is_known.then_some(Learnt { endpoint, model, refuses, max_tokens, max_image_bytes, max_image_side, learnt_at })
    }

    /// Takes in what was learnt elsewhere.
    fn take(&self, learnt: &Learnt) {
        for (name, refused) in self.refusals() {
            refused.fetch_or(learnt.refuses.iter().any(|known| known == name), Ordering::Relaxed);
        }
        self.most_tokens.fetch_min(learnt.max_tokens.unwrap_or(u32::MAX), Ordering::Relaxed);
        self.picture.take(learnt.max_image_bytes, learnt.max_image_side);
        self.note_time(learnt.learnt_at);
    }

    /// The earliest time counts, so that each lesson is learnt again in time.
    fn note_time(&self, at: Timestamp) {
        let earliest = |known: u64| Some(if known == 0 { at.as_millis() } else { known.min(at.as_millis()) });
        let _ = self.learnt_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, earliest);
    }

    /// Forgets what was learnt long ago.
    pub(super) fn forget_old(&self, now: Timestamp) {
        let learnt_at = self.learnt_at.load(Ordering::Relaxed);
        if learnt_at == 0 || now.since(Timestamp::from_millis(learnt_at)) < COUNTS_FOR {
            return;
        }
        self.refusals().into_iter().for_each(|(_, refused)| refused.store(false, Ordering::Relaxed));
        self.most_tokens.store(u32::MAX, Ordering::Relaxed);
        self.picture.forget();
        self.learnt_at.store(0, Ordering::Relaxed);
    }

    /// Whether it knows the token limit by its newer name only.
    pub(super) fn wants_newer_name(&self) -> bool {
        self.newer_limit_name.load(Ordering::Relaxed)
    }

    /// As many tokens of `wanted` as it takes; `None` when it takes no limit that would be of use.
    pub(super) fn tokens(&self, wanted: u32) -> Option<u32> {
        let most = self.most_tokens.load(Ordering::Relaxed).min(self.affordable().unwrap_or(u32::MAX));
        (most >= FEWEST_TOKENS).then(|| wanted.min(most))
    }

    /// The most tokens that its account pays for, where that was found to be a limit.
    pub(super) fn affordable(&self) -> Option<u32> {
        let counts = elapsed() < self.affords_until.load(Ordering::Relaxed);
        counts.then(|| self.affords.load(Ordering::Relaxed))
    }

    /// The most bytes of a picture and the most pixels of its longer side.
    pub(super) fn picture(&self, bytes: usize, side: u32) -> (usize, u32) {
        self.picture.of(bytes, side)
    }

    /// Takes in what a refusal teaches; returns whether the request would be made otherwise now than it was `sent`.
    pub(super) fn learn(&self, lesson: &Lesson, sent: Sent) -> bool {
        let found = |flag: &AtomicBool| flag.store(true, Ordering::Relaxed);
        if !matches!(lesson, Lesson::Affords(_)) {
            self.note_time(Timestamp::now());
        }
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
            Lesson::Affords(most) => {
                self.affords.store(*most, Ordering::Relaxed);
                self.affords_until.store(elapsed().saturating_add(AFFORDS_FOR), Ordering::Relaxed);
                sent.max_tokens.is_none_or(|asked| asked > *most)
            }
            Lesson::OnePicture => {
                found(&self.one_picture);
                sent.pages > 1
            }
            Lesson::MostTokens(named) => sent.max_tokens.is_some_and(|asked| {
                let named = named.iter().copied().filter(|most| (FEWEST_TOKENS..asked).contains(most)).max();
                self.most_tokens.fetch_min(named.unwrap_or(asked / 2), Ordering::Relaxed);
                true
            }),
            Lesson::SmallerPicture { side, most } => {
                sent.picture.is_some_and(|picture| self.picture.shrink(*side, *most, picture))
            }
        }
    }

    /// A page has come of an answer.
    pub(super) fn has_answered(&self) {
        self.has_answered.store(true, Ordering::Relaxed);
        self.picture.keep();
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
    fn what_was_learnt_is_said_and_nothing_of_models_that_take_everything() {
        let known = Capabilities::default();
        known.of("a").learn(&Lesson::NoSystemRole, SENT);
        known.of("a").learn(&Lesson::MostTokens(vec![4_096]), SENT);
        known.of("a").learn(&Lesson::Affords(3_000), SENT);
        known.of("b").tier_is_full();
        assert!(known.of("b").is_tier_full() && !known.of("a").is_tier_full());
        assert_eq!((known.of("a").affordable(), known.of("a").tokens(8_192)), (Some(3_000), Some(3_000)));
        let [said] = &known.learnt("e")[..] else { panic!("{:?}", known.learnt("e")) };
        assert!(said.counts(Timestamp::now()) && !said.counts(Timestamp::now().after(COUNTS_FOR)));
        let expected = Learnt {
            endpoint: "e".into(),
            model: "a".into(),
            refuses: vec!["system role".into()],
            max_tokens: Some(4_096),
            max_image_bytes: None,
            max_image_side: None,
            learnt_at: said.learnt_at,
        };
        assert_eq!(*said, expected);
    }

    #[test]
    fn what_others_learnt_is_known_here_and_forgotten_in_time() {
        let (one, other) = (Capabilities::default(), Capabilities::default());
        for lesson in
            [Lesson::NoTemperature, Lesson::OnePicture, Lesson::SmallerPicture { side: true, most: Some(900) }]
        {
            one.of("a").learn(&lesson, SENT);
        }
        one.of("a").has_answered();
        let learnt = one.learnt("e").remove(0);
        other.of("a").learn(&Lesson::MostTokens(vec![1_000]), SENT);
        let earlier = Timestamp::from_millis(learnt.learnt_at.as_millis() - 5_000);
        other.take(&Learnt {
            learnt_at: earlier,
            refuses: [&learnt.refuses[..], &["tea".into()]].concat(),
            ..learnt.clone()
        });
        let both = other.learnt("e").remove(0);
        assert_eq!(both, Learnt { max_tokens: Some(1_000), learnt_at: earlier, ..learnt });
        assert!(!other.of("a").takes_temperature() && !other.of("a").takes_several_pictures());
        assert_eq!(other.of("a").picture(1, 1_600), (1, 900));
        other.of("a").forget_old(earlier.after(COUNTS_FOR / 2));
        assert!(!other.learnt("e").is_empty());
        other.of("a").forget_old(earlier.after(COUNTS_FOR));
        assert!(other.learnt("e").is_empty() && other.of("a").takes_temperature());
        // Those that share one memory teach the others nothing.
        for number in 0..MODELS {
            other.of(&number.to_string());
        }
        other.take(&both);
        other.take(&Learnt { model: "one more".into(), ..both });
        assert!(other.of("yet another").takes_temperature());
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
