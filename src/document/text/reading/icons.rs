//! Icons beside paragraphs: a sign, often with a word such as "Caution", for which some lines leave room.

use super::Unit;

/// Letters of an icon are so many times smaller or larger than those beside it, which have so many words a line,
const ICON: f64 = 1.25;
const PROSE_WORDS: usize = 4;
/// and stand at most so many sizes away from its own, so many at most.
const MOST_ICON_GAP: f64 = 2.0;
const MOST_ICON_WORDS: usize = 2;

/// Whether all on the left are in letters of another size than the paragraphs beside them.
pub(super) fn are_all(units: &[Unit], left: &[usize], right: &[usize]) -> bool {
    let differs = |icon: &usize| {
        let size = units[*icon].size;
        let ratio = |at: &usize| units[*at].size.max(size) / units[*at].size.min(size);
        !units[*icon].check_box && right.iter().all(|at| ratio(at) > ICON)
    };
    let words: usize = right.iter().map(|at| units[*at].words).sum();
    left.iter().all(differs) && words >= right.len() * PROSE_WORDS
}

/// An icon, of a sign and a word, in the room that lines of a paragraph leave for it is read before those, and not amid them.
pub(super) fn before_their_paragraphs(units: &[Unit], read: &mut [usize]) {
    for at in 1..read.len() {
        let icon = &units[read[at]];
        if icon.words > MOST_ICON_WORDS || icon.block || icon.item || icon.check_box {
            continue;
        }
        let is_beside = |of: &Unit| {
            let ratio = of.size.max(icon.size) / of.size.min(icon.size);
            let gap = of.start - icon.end;
            ratio > ICON && (0.0..of.size * MOST_ICON_GAP).contains(&gap) && !of.block && of.words >= PROSE_WORDS
        };
        // Those before it, from the last one up, begin at one place, close one below the other.
        let mut first = at;
        while let Some(above) = first.checked_sub(1).map(|before| &units[read[before]]).filter(|of| is_beside(of)) {
            let below = if first < at { &units[read[first]] } else { above };
            let close = (above.start - below.start).abs() < below.size * 0.3
                && below.baseline - above.baseline < below.size * 1.5
                && icon.top < above.bottom + above.size * 1.5;
            if !close {
                break;
            }
            first -= 1;
        }
        // What goes on below it in the same room shows that it stands amid them.
        let goes_on = |of: &usize| is_beside(&units[*of]) && (units[*of].start - units[read[at - 1]].start).abs() < 1.0;
        if first < at && read[at + 1..].iter().take(2).any(goes_on) {
            read[first..=at].rotate_right(1);
        }
    }
}
