//! The Model Context Protocol: tools by which a language model submits a document, sees what is in it, reads it piece by
//! piece and searches it.
//!
//! The first answer on a document is its map and never its text; no answer is longer than [`MOST_TOKENS`] tokens, and one
//! that had more to say ends with a cursor. A server keeps nothing between requests but the tasks, so the same code answers
//! clients that begin with `initialize` (revisions to 2025-11-25) and those that do not (2026-07-28).
//!
//! The protocol is written out here rather than taken from a library, because there is so little of it without state, and
//! because the library for Rust, `rmcp`, brings an HTTP stack of its own, beside the one that serves everything else.

mod answer;
mod map;
mod protocol;
mod search;
mod tools;

pub use self::protocol::{Progress, Server};

/// The most tokens of an answer, by [`tokens`].
pub const MOST_TOKENS: usize = 20_000;

/// About how many tokens a text has, rather too many than too few.
#[must_use]
pub fn tokens(text: &str) -> usize {
    let wide = text.chars().filter(|c| !c.is_ascii()).count();
    (text.chars().count() - wide).div_ceil(4) + wide
}
