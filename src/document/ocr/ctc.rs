//! The recogniser's probabilities → signs, each with its place and how sure it is. Pure.
//!
//! At each step along a line the recogniser says how likely each sign is, or none (connectionist temporal classification:
//! Graves et al., 2006). The likeliest at each step; the same in a row is one sign.

/// A sign that was recognised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sign {
    /// Which of the dictionary.
    pub(super) class: usize,
    /// The first step at which it was seen, and the one after the last.
    pub(super) from: usize,
    pub(super) to: usize,
    /// How likely it was at its best, 0 to 1.
    pub(super) likely: f32,
}

/// No sign.
const BLANK: usize = 0;

/// The signs of a line, from left to right: `scores` has the probabilities of `classes` at each step.
pub(super) fn decode(scores: &[f32], classes: usize) -> Vec<Sign> {
    let mut signs: Vec<Sign> = Vec::new();
    let mut before = BLANK;
    for (step, scores) in scores.chunks_exact(classes.max(1)).enumerate() {
        let (class, likely) = likeliest(scores);
        if class != BLANK {
            match signs.last_mut().filter(|_| class == before) {
                Some(sign) => (sign.to, sign.likely) = (step + 1, sign.likely.max(likely)),
                None => signs.push(Sign { class, from: step, to: step + 1, likely }),
            }
        }
        before = class;
    }
    signs
}

/// The place of the largest, and how large it is.
fn likeliest(scores: &[f32]) -> (usize, f32) {
    let best = scores.iter().copied().fold(f32::MIN, f32::max);
    (scores.iter().position(|score| *score >= best).unwrap_or(BLANK), best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Probabilities of three classes: at each step this one is so likely, and the others share the rest.
    fn scores(steps: &[(usize, f32)]) -> Vec<f32> {
        let of = |(class, likely): &(usize, f32)| {
            let (class, likely) = (*class, *likely);
            (0..3).map(move |at| if at == class { likely } else { (1.0 - likely) / 2.0 })
        };
        steps.iter().flat_map(of).collect()
    }

    #[test]
    fn the_same_in_a_row_is_one_sign_and_apart_two() {
        for (steps, expected) in [
            (&[][..], &[][..]),
            (&[(0, 0.9), (0, 0.9)], &[]),
            (&[(1, 0.6), (1, 0.9), (2, 0.8)], &[(1, 0, 2, 0.9), (2, 2, 3, 0.8)]),
            (&[(1, 0.9), (0, 0.9), (1, 0.7)], &[(1, 0, 1, 0.9), (1, 2, 3, 0.7)]),
        ] {
            let signs = decode(&scores(steps), 3);
            assert_eq!(signs.len(), expected.len(), "{steps:?}");
            for (sign, (class, from, to, likely)) in signs.iter().zip(expected) {
                assert_eq!((sign.class, sign.from, sign.to), (*class, *from, *to), "{steps:?}");
                assert!((sign.likely - likely).abs() < 1e-3, "{sign:?}");
            }
        }
    }
}
