//! Text whose alphabet is shifted, or has whatever other letters, by the pairs of letters that it has: those of every language
//! that is written in Latin letters are much the same. Pure.

use std::collections::HashSet;

/// Pairs of letters that are frequent in languages of Latin letters; no other has so few of them as garbage.
const PAIRS: &str = "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi \
    ri ro ic ne ea ra ce li ch ll be ma si om ur ei ie ge un au ss et la ai el os ad do da ta na ni no ca pe po qu sa \
    so ol am em im ir il ec ct ac ul us ut tr pr ia id is ki ka ja je ij aa ee oo sz rz ow cz sk st ov va vi lo mi mo ";
/// Fewer letters say nothing.
pub(super) const FEWEST: usize = 40;
/// Of text at least so many of 100 pairs of letters are frequent ones; of garbage at most so many.
const TEXT: usize = 42;
const GARBAGE: usize = 24;
/// More frequent ones than this has no text that is shifted.
const SUSPECT: usize = 28;
/// What is garbage beyond doubt, without another proof, and how many letters prove it.
const CERTAIN: (usize, usize) = (12, 200);
/// So many pairs of letters read by chance by one of all those shifts: the letters of formulas do.
const PROOF: usize = 100;
/// With fewer, so many more of 100 must be frequent ones.
const FEW_MORE: usize = 15;
/// How far alphabets are shifted.
const SHIFTS: std::ops::RangeInclusive<i32> = -64..=64;

/// Whether it is text with every letter so many places on in the alphabet, or whatever other letter.
pub(super) fn is_shifted(text: &str, guessed: bool, of_marks: bool) -> bool {
    if text.len() < FEWEST {
        return false;
    }
    // Names of a program that come again and again prove nothing more.
    let words: Vec<&str> = text.split(' ').collect();
    let text = if is_repetitive(&words) { &different(&words).join(" ") } else { text };
    let (own, all) = (Pairs::of(text.chars()), text.chars().filter(|c| *c != ' ').count());
    // Numbers and dots are shifted by nothing.
    let letters = text.chars().filter(char::is_ascii_alphabetic).count();
    let is_suspect = of_marks || letters * 2 >= all && own.all >= FEWEST / 2 && own.share() <= SUSPECT;
    if all < FEWEST || !is_suspect {
        return false;
    }
    // Codes of letters may be those of any signs.
    let neighbours = neighbours(text);
    let shifted = |by: i32| {
        let moved = |c: char| u32::from(c).checked_add_signed(by).and_then(char::from_u32).filter(|_| c != ' ');
        let mut pairs = Pairs { all: 0, frequent: 0, lower: 0 };
        for ((last, c), times) in &neighbours {
            pairs.add(moved(*last).unwrap_or(' '), moved(*c).unwrap_or(' '), *times);
        }
        pairs
    };
    let reads = |pairs: &Pairs| {
        let least = TEXT + if guessed || pairs.all >= PROOF { 0 } else { FEW_MORE };
        pairs.all * 2 >= all && pairs.share() >= least && pairs.share() >= own.share() * 2
    };
    own.is_garbage(guessed) || SHIFTS.filter(|by| *by != 0).map(shifted).any(|pairs| reads(&pairs))
}

/// The different pairs of signs side by side, and how often each comes.
fn neighbours(text: &str) -> Vec<((char, char), usize)> {
    let mut pairs: Vec<(char, char)> = text.chars().zip(text.chars().skip(1)).collect();
    pairs.sort_unstable();
    pairs.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len())).collect()
}

/// Whether there are twice as many words as different ones.
fn is_repetitive(words: &[&str]) -> bool {
    let mut known = HashSet::with_capacity(words.len() / 2 + 1);
    !words.iter().any(|word| known.insert(*word) && known.len() * 2 >= words.len())
}

/// Each word where it comes first.
fn different<'t>(words: &[&'t str]) -> Vec<&'t str> {
    let mut known = HashSet::new();
    words.iter().copied().filter(|word| known.insert(*word)).collect()
}

/// Pairs of letters side by side.
struct Pairs {
    all: usize,
    frequent: usize,
    lower: usize,
}

impl Pairs {
    fn of(text: impl Iterator<Item = char>) -> Self {
        let mut pairs = Self { all: 0, frequent: 0, lower: 0 };
        let mut last = ' ';
        for c in text {
            pairs.lower += usize::from(c.is_ascii_lowercase());
            pairs.add(last, c, 1);
            last = c;
        }
        pairs
    }

    /// A pair of signs that comes so many times.
    fn add(&mut self, last: char, c: char, times: usize) {
        let (last, c) = (last.to_ascii_lowercase(), c.to_ascii_lowercase());
        // Dots that lead to a number are none, whatever they are shifted to.
        if c.is_ascii_lowercase() && last.is_ascii_lowercase() && last != c {
            self.all += times;
            self.frequent += if is_frequent(last, c) { times } else { 0 };
        }
    }

    /// Of 100.
    const fn share(&self) -> usize {
        match (self.frequent * 100).checked_div(self.all) {
            Some(share) => share,
            None => 0,
        }
    }

    /// Whether no language is like that.
    const fn is_garbage(&self, guessed: bool) -> bool {
        let (share, fewest) = CERTAIN;
        let is_prose = self.lower * 10 >= self.all * 7;
        self.all >= fewest && is_prose && self.share() <= share
            || guessed && self.all >= FEWEST && self.share() <= GARBAGE
    }
}

/// The second letters of frequent pairs, as bits, by the first ones.
const FREQUENT: [u32; 26] = {
    let (pairs, mut table, mut at) = (PAIRS.as_bytes(), [0; 26], 0);
    while at + 2 < pairs.len() {
        table[(pairs[at] - b'a') as usize] |= 1 << (pairs[at + 1] - b'a');
        at += 3;
    }
    table
};

/// Of two small letters.
const fn is_frequent(a: char, b: char) -> bool {
    FREQUENT[(a as u8 - b'a') as usize] & 1 << (b as u8 - b'a') != 0
}
