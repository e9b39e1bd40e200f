//! What reading pages took from endpoints.

use std::ops::{Add, AddAssign};

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

use super::Cost;

/// What calls, a page, a job, or all jobs of a task took from endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct Usage {
    /// Calls that were answered, also those whose answers came to nothing. Of a call for several pages the first page
    /// carries the call.
    pub calls: u64,
    /// Pages that came from the ledger and cost nothing. What one page took says nothing of that.
    #[serde(default)]
    #[cfg_attr(feature = "http", schema(required = true))]
    pub reused: u64,
    /// Tokens sent.
    pub prompt_tokens: u64,
    /// Tokens received.
    pub completion_tokens: u64,
    /// What that cost, as far as prices are known.
    #[serde(default)]
    pub cost: Option<Cost>,
}

impl Usage {
    /// A page that came from the ledger.
    pub const REUSED: Self = Self { calls: 0, reused: 1, prompt_tokens: 0, completion_tokens: 0, cost: None };

    /// What is left of this without `other`; never less than nothing.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            reused: self.reused.saturating_sub(other.reused),
            prompt_tokens: self.prompt_tokens.saturating_sub(other.prompt_tokens),
            completion_tokens: self.completion_tokens.saturating_sub(other.completion_tokens),
            cost: self.cost.map(|cost| cost.without(other.cost.unwrap_or_default())),
        }
    }
}

impl Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            calls: self.calls + other.calls,
            reused: self.reused + other.reused,
            prompt_tokens: self.prompt_tokens + other.prompt_tokens,
            completion_tokens: self.completion_tokens + other.completion_tokens,
            cost: Cost::sum(self.cost, other.cost),
        }
    }
}

impl AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl std::iter::Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(usages: I) -> Self {
        usages.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_add_every_part_and_know_a_cost_when_one_of_them_does() {
        let one = Usage { calls: 1, reused: 2, prompt_tokens: 3, completion_tokens: 4, cost: None };
        let two = Usage { cost: Some(Cost::of(0.5)), ..one };
        let sum = Usage { calls: 2, reused: 4, prompt_tokens: 6, completion_tokens: 8, cost: two.cost };
        assert_eq!(([one, two].into_iter().sum::<Usage>(), one + two), (sum, sum));
        assert_eq!(sum.without(two), Usage { cost: Some(Cost::default()), ..one });
        assert_eq!(one.without(sum), Usage::default());
    }

    /// Ledgers and records of older builds say less.
    #[test]
    fn what_older_builds_wrote_is_read() {
        let page: Usage = serde_json::from_str(r#"{"calls":1,"prompt_tokens":5,"completion_tokens":3}"#).unwrap();
        assert_eq!(page, Usage { calls: 1, prompt_tokens: 5, completion_tokens: 3, ..Usage::default() });
    }
}
