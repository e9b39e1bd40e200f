//! Who reads a page next: the first model, its fallbacks, at last the text layer. Pure.
//!
//! Nothing is remembered between attempts but the codes of those that went wrong; they are enough to decide.

use crate::task::code;

/// The name that stands for the text layer in a chain.
pub(super) const TEXT: &str = "text";

/// One attempt in a chain of readers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Which reader of the chain.
    pub(super) reader: usize,
    /// How often this reader has failed before.
    pub(super) failed: u32,
    /// How often its answer was cut off at its token limit.
    pub(super) truncated: u32,
    /// How often it has refused to read the page.
    pub(super) refused: u32,
    /// Whether its last answer strayed from the page.
    pub(super) strayed: bool,
    /// Whether it was not a page that the same question would bring: it should be asked otherwise.
    pub(super) otherwise: bool,
    /// Whether another reader comes after this one.
    pub(super) more_readers: bool,
}

impl Turn {
    /// The same reader once more, after an attempt with this code.
    pub(super) fn after(self, code: &str) -> Self {
        let strayed = strays(code);
        Self {
            failed: self.failed + 1,
            truncated: self.truncated + u32::from(code == code::ANSWER_TRUNCATED),
            refused: self.refused + u32::from(code == code::ANSWER_REFUSED),
            strayed,
            otherwise: strayed || code == code::ANSWER_REFUSED || code == code::BAD_ANSWER,
            ..self
        }
    }
}

/// Whose turn it is after attempts with the codes `earlier`, each reader having `each` of them.
pub(super) fn turn(readers: usize, each: u32, earlier: &[impl AsRef<str>]) -> Turn {
    let first = |reader: usize| Turn {
        reader,
        failed: 0,
        truncated: 0,
        refused: 0,
        strayed: false,
        otherwise: false,
        more_readers: reader + 1 < readers,
    };
    let mut turn = first(0);
    let mut strayings = 0;
    for code in earlier.iter().map(AsRef::as_ref) {
        turn = turn.after(code);
        strayings += u32::from(turn.strayed);
        let over = turn.failed >= each || refuses(code) || strayings >= 2;
        if over && turn.more_readers {
            turn = first(turn.reader + 1);
            strayings = 0;
        }
    }
    turn
}

/// Codes after which the same reader would answer the same again, or not at all.
pub(super) fn refuses(code: &str) -> bool {
    [code::ENDPOINT_REFUSED, code::ANSWER_REFUSED, code::MODEL_CANNOT_SEE, code::MODEL_NOT_FOUND, code::ENDPOINT_AWAY]
        .contains(&code)
}

/// Codes of answers that were not true to the page. A second one of the same model settles it.
fn strays(code: &str) -> bool {
    [code::ANSWER_UNFAITHFUL, code::ANSWER_REPETITIVE].contains(&code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_turn_it_is() {
        use code::{
            ANSWER_REFUSED as REFUSED, ANSWER_TRUNCATED as CUT, ANSWER_UNFAITHFUL as STRAY, BAD_ANSWER as BAD,
            ENDPOINT_AWAY as AWAY, ENDPOINT_REFUSED as DENIED, TIMEOUT,
        };
        // Readers, attempts each, what went wrong; which reader, its failures, cuts, whether it strayed, whether last.
        for (readers, each, earlier, expected) in [
            (1, 3, &[][..], (0, 0, 0, false, false)),
            (1, 3, &[BAD, TIMEOUT], (0, 2, 0, false, false)),
            (1, 3, &[BAD, BAD, BAD, BAD], (0, 4, 0, false, false)),
            (2, 3, &[BAD, BAD], (0, 2, 0, false, true)),
            (2, 3, &[BAD, BAD, BAD], (1, 0, 0, false, false)),
            (2, 3, &[DENIED], (1, 0, 0, false, false)),
            (3, 3, &[REFUSED, DENIED], (2, 0, 0, false, false)),
            (3, 3, &[BAD, AWAY], (1, 0, 0, false, true)),
            (3, 3, &[BAD, REFUSED, CUT], (1, 1, 1, false, true)),
            (2, 5, &[CUT, CUT], (0, 2, 2, false, true)),
            (2, 5, &[STRAY], (0, 1, 0, true, true)),
            (2, 5, &[STRAY, BAD, STRAY], (1, 0, 0, false, false)),
            (1, 5, &[STRAY, STRAY], (0, 2, 0, true, false)),
        ] {
            let turn = turn(readers, each, earlier);
            let seen = (turn.reader, turn.failed, turn.truncated, turn.strayed, turn.more_readers);
            assert_eq!(seen, expected, "{readers} {each} {earlier:?}");
        }
    }
}
