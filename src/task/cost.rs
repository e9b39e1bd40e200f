//! Money.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
#[cfg(feature = "http")]
use utoipa::ToSchema;

use super::{ParseError, ServiceTier, Usage};

/// An amount in the currency that the prices are configured in, to a billionth: a single token may cost less than a
/// millionth. Written as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[cfg_attr(feature = "http", schema(value_type = f64))]
pub struct Cost(u64);

const UNIT: f64 = 1e9;

impl Cost {
    /// The nearest amount to `amount`; nothing for what is negative or no number.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, and that is meant")]
    pub fn of(amount: f64) -> Self {
        Self((amount * UNIT).round() as u64)
    }

    /// The amount.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "sums of money below nine million are exact")]
    pub fn amount(self) -> f64 {
        self.0 as f64 / UNIT
    }

    /// The amount in millionths, rounded up.
    #[must_use]
    pub const fn millionths(self) -> u64 {
        self.0.div_ceil(1_000)
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of this without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times this.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// Both together, where one or both may be unknown.
    #[must_use]
    pub fn sum(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.and(other)),
            (one, other) => one.or(other),
        }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = self.amount();
        // Cents, and of less than a unit what is left of it.
        if amount >= 1.0 || amount == 0.0 { write!(f, "{amount:.2}") } else { write!(f, "{amount:.5}") }
    }
}

impl FromStr for Cost {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let amount: Option<f64> = text.trim().parse().ok();
        let amount = amount.filter(|amount| amount.is_finite() && (0.0..=1e9).contains(amount));
        amount.map(Self::of).ok_or_else(|| ParseError::new("must be an amount of money, such as 2.50"))
    }
}

impl Serialize for Cost {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.amount())
    }
}

impl<'de> Deserialize<'de> for Cost {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::of)
    }
}

/// What a model costs, per million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Price {
    /// Tokens sent.
    pub prompt: f64,
    /// Tokens received.
    pub completion: f64,
    /// Tokens sent that the endpoint had read before, when they are cheaper.
    pub cached: Option<f64>,
    /// What calls of the tier flex cost, as a share of others: half, where nothing else is known.
    pub flex: f64,
    /// The same of the tier priority: twice as much.
    pub priority: f64,
}

/// The tokens of a call, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Those sent.
    pub prompt: u64,
    /// Those of them that the endpoint had read before.
    pub cached: u64,
    /// Those received.
    pub completion: u64,
}

impl Price {
    /// A price without exceptions.
    #[must_use]
    pub const fn new(prompt: f64, completion: f64) -> Self {
        Self { prompt, completion, cached: None, flex: 0.5, priority: 2.0 }
    }

    /// What calls cost that were served by a tier.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "counts of tokens")]
    pub fn of_call(self, tokens: Tokens, tier: ServiceTier) -> Cost {
        let cached = tokens.cached.min(tokens.prompt);
        let sent = (tokens.prompt - cached) as f64 * self.prompt + cached as f64 * self.cached.unwrap_or(self.prompt);
        let factor = match tier {
            // What it may come to.
            ServiceTier::Auto | ServiceTier::FlexElseAuto => 1.0,
            ServiceTier::Flex => self.flex,
            ServiceTier::Priority => self.priority,
        };
        Cost::of((sent + self.completion * tokens.completion as f64) * factor / 1e6)
    }

    /// What so many tokens cost.
    #[must_use]
    pub fn of(self, prompt_tokens: u64, completion_tokens: u64) -> Cost {
        let tokens = Tokens { prompt: prompt_tokens, completion: completion_tokens, cached: 0 };
        self.of_call(tokens, ServiceTier::Auto)
    }
}

impl FromStr for Price {
    type Err = ParseError;

    /// Reads `0.15/0.60`, or `0.15/0.60/0.075` with what tokens cost that the endpoint had read before.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let amount = |text: &str| text.trim().parse::<f64>().ok().filter(|n| n.is_finite() && (0.0..=1e6).contains(n));
        let parts: Option<Vec<f64>> = text.split('/').map(amount).collect();
        match parts.as_deref() {
            Some([prompt, completion]) => Ok(Self::new(*prompt, *completion)),
            Some([prompt, completion, cached]) => Ok(Self { cached: Some(*cached), ..Self::new(*prompt, *completion) }),
            _ => Err(ParseError::new("a price is PROMPT/COMPLETION per million tokens, such as 0.15/0.60")),
        }
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.prompt, self.completion)?;
        self.cached.map_or(Ok(()), |cached| write!(f, "/{cached}"))
    }
}

/// What some pages would take. Tokens and money are what calls of this kind usually take, not a promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct Amount {
    /// Pages.
    pub pages: u32,
    /// What they would take; those of them that are in the ledger already cost nothing.
    #[serde(flatten)]
    pub usage: Usage,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.pages += other.pages;
        self.usage += other.usage;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact_where_it_matters_and_reads_back() {
        let price: Price = "0.15/0.60".parse().unwrap();
        let page = price.of(1_500, 800);
        assert_eq!(page, Cost::of(0.000_705));
        let thousand = (0..1_000).fold(Cost::default(), |sum, _| sum.and(page));
        assert_eq!((thousand, thousand), (page.times(1_000), Cost::of(0.705)));
        assert_eq!(serde_json::to_string(&thousand).unwrap(), "0.705");
        assert_eq!(serde_json::from_str::<Cost>("0.705").unwrap(), thousand);
        assert_eq!((thousand.to_string(), page.to_string()), ("0.70500".into(), "0.00071".into()));
        assert_eq!("2.5".parse::<Cost>().unwrap().to_string(), "2.50");
        for bad in ["-1", "NaN", "inf", "1e12", "two", ""] {
            assert!(bad.parse::<Cost>().is_err(), "{bad}");
        }
        for bad in ["1", "1/", "/1", "-1/1", "a/b", "1/2/3/4"] {
            assert!(bad.parse::<Price>().is_err(), "{bad}");
        }
        assert_eq!(Cost::sum(None, Some(page)), Some(page));
        assert_eq!(Cost::of(-1.0), Cost::default());
        let price: Price = "1/10/0.5".parse().unwrap();
        let tokens = Tokens { prompt: 1_000_000, cached: 400_000, completion: 100_000 };
        for (tier, cost) in [(ServiceTier::Auto, 1.8), (ServiceTier::Flex, 0.9), (ServiceTier::Priority, 3.6)] {
            assert_eq!(price.of_call(tokens, tier), Cost::of(cost), "{tier:?}");
        }
        assert_eq!((price.to_string(), Price::new(1.0, 2.0).to_string()), ("1/10/0.5".into(), "1/2".into()));
    }
}
