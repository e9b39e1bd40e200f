//! What may begin within a stretch of time: by a rate of the server's own, or as the servers of a store grant it. Pure.

use std::time::{Duration, Instant};

use super::bucket::Bucket;

/// How long calls that were granted may be made: more than that, and a minute would see more than its limit.
const GRANTED_FOR: Duration = Duration::from_secs(1);

/// A limit of calls or tokens a minute.
#[derive(Debug)]
pub(super) enum Rate {
    /// All of it is this server's.
    Own(Bucket),
    /// Drawn from what all servers may have.
    Granted(Granted),
}

/// When there will be enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    Now,
    At(Instant),
    /// When more is granted.
    Granted,
}

/// What was granted and is not used yet.
#[derive(Debug)]
pub(super) struct Granted {
    a_minute: f64,
    content: f64,
    /// When it goes, if it does.
    ends: Option<Instant>,
    lasts: bool,
    /// The rate that is kept to while the others cannot be asked.
    meanwhile: Option<Bucket>,
}

impl Granted {
    /// `lasts` says whether what is granted stays until it is used.
    pub(super) const fn new(a_minute: f64, lasts: bool) -> Self {
        Self { a_minute, content: 0.0, ends: None, lasts, meanwhile: None }
    }

    pub(super) fn grant(&mut self, amount: f64, now: Instant) {
        self.expire(now);
        self.content += amount;
        if amount > 0.0 && !self.lasts {
            self.ends = Some(now + GRANTED_FOR);
        }
        self.meanwhile = None;
    }

    /// How much of `wanted` has to be asked for. What was used beyond what was granted is asked for, too.
    pub(super) fn lacks(&mut self, wanted: f64, now: Instant) -> f64 {
        self.expire(now);
        (wanted - self.content).max(0.0)
    }

    /// Goes on with a part of the rate until something is granted again.
    pub(super) fn go_on_with(&mut self, part: f64, now: Instant) {
        let a_minute = self.a_minute * part;
        self.meanwhile.get_or_insert_with(|| Bucket::empty(a_minute, now));
    }

    fn expire(&mut self, now: Instant) {
        if self.ends.is_some_and(|ends| ends <= now) {
            self.content = self.content.min(0.0);
            self.ends = None;
        }
    }
}

impl Rate {
    pub(super) fn ready(&mut self, amount: f64, now: Instant) -> Ready {
        let bucket = match self {
            Self::Own(bucket) | Self::Granted(Granted { meanwhile: Some(bucket), .. }) => bucket,
            Self::Granted(granted) => {
                return if granted.lacks(amount, now) > 0.0 { Ready::Granted } else { Ready::Now };
            }
        };
        bucket.ready_at(amount, now).map_or(Ready::Now, Ready::At)
    }

    pub(super) fn take(&mut self, amount: f64) {
        match self {
            Self::Own(bucket) | Self::Granted(Granted { meanwhile: Some(bucket), .. }) => bucket.take(amount),
            Self::Granted(granted) => granted.content -= amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Rate {
        pub(in crate::pool) fn content(&self) -> f64 {
            match self {
                Self::Own(bucket) => bucket.content(),
                Self::Granted(granted) => granted.content,
            }
        }
    }

    #[track_caller]
    fn assert_lacks(granted: &mut Granted, wanted: f64, now: Instant, expected: f64) {
        let lacks = granted.lacks(wanted, now);
        assert!((lacks - expected).abs() < 1e-9, "{lacks} is not {expected}");
    }

    #[test]
    fn what_is_granted_may_be_used_for_a_while_and_what_was_used_beyond_it_is_owed() {
        let begun = Instant::now();
        let at = |ms: u64| begun + Duration::from_millis(ms);
        let mut granted = Granted::new(600.0, false);
        assert_lacks(&mut granted, 3.0, begun, 3.0);
        granted.grant(2.0, begun);
        assert_lacks(&mut granted, 3.0, at(900), 1.0);
        let mut rate = Rate::Granted(granted);
        assert_eq!((rate.ready(2.0, at(900)), rate.ready(3.0, at(900))), (Ready::Now, Ready::Granted));
        rate.take(1.0);
        assert_eq!(rate.ready(1.0, at(999)), Ready::Now);
        assert_eq!(rate.ready(1.0, at(1_000)), Ready::Granted, "it is too late");
        rate.take(4.0);
        let Rate::Granted(granted) = &mut rate else { panic!() };
        // A debt does not go.
        assert_lacks(granted, 1.0, at(5_000), 5.0);
        granted.grant(5.0, at(5_000));
        assert_lacks(granted, 1.0, at(5_000), 0.0);

        let mut tokens = Granted::new(600.0, true);
        tokens.grant(300.0, begun);
        // Parts of the tokens of a call add up.
        assert_lacks(&mut tokens, 1_000.0, at(60_000), 700.0);
    }

    #[test]
    fn while_nothing_can_be_granted_a_part_of_the_rate_goes_on() {
        let begun = Instant::now();
        let mut granted = Granted::new(600.0, false);
        granted.grant(9.0, begun);
        granted.go_on_with(0.25, begun);
        let mut rate = Rate::Granted(granted);
        // 150 a minute, from nothing on.
        let Ready::At(at) = rate.ready(1.0, begun) else { panic!() };
        assert_eq!(at, begun + Duration::from_millis(400));
        let mut calls = 0;
        for ms in 0..60_000 {
            let now = begun + Duration::from_millis(ms);
            if rate.ready(1.0, now) == Ready::Now {
                rate.take(1.0);
                calls += 1;
            }
            let Rate::Granted(granted) = &mut rate else { panic!() };
            granted.go_on_with(0.25, now);
        }
        assert!((148..=150).contains(&calls), "{calls}: that it goes on still gives nothing");
        let Rate::Granted(granted) = &mut rate else { panic!() };
        granted.grant(0.0, begun + Duration::from_mins(1));
        assert_eq!(rate.ready(1.0, begun + Duration::from_mins(1)), Ready::Granted);
    }
}
