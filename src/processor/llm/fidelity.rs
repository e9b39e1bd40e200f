//! Whether an answer is true to the page: measured against the page's own text, where it has one that can be trusted.
//! Pure.

use std::collections::HashMap;

/// A text of fewer words says too little about an answer.
const FEWEST_WORDS: usize = 20;
/// Less of the page's words, and the answer is not the page: layouts, hyphens and headers that are left out cost a few
/// hundredths on good answers.
const LEAST_RECALL: f32 = 0.75;
/// More invented numbers than this many, and than this share of all, and the answer is not to be trusted.
const MOST_INVENTED: (usize, f32) = (5, 0.1);
/// So many that are more than half of all are those of another page, for example of a form of the same words.
const OTHER_NUMBERS: usize = 3;
/// The longest piece of text that is looked for as a loop, in characters.
const LONGEST_PERIOD: usize = 400;
/// How long a loop is at least: so many characters, and so many rounds.
const LOOP: (usize, usize) = (1_000, 12);
/// The same in characters, of signs alone at which an answer was cut off.
const SPEECHLESS: usize = 4_000;

/// How an answer compares with the page's own text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fidelity {
    /// The share of the words of the page that the answer has, 0 to 1.
    pub(super) recall: f32,
    /// Numbers of the answer that the page does not have.
    pub(super) invented: usize,
    numbers: usize,
}

impl Fidelity {
    /// Whether the answer can be the page.
    pub(super) fn holds(&self) -> bool {
        let (count, share) = MOST_INVENTED;
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        let many = self.invented > count && self.invented as f32 > share * self.numbers as f32;
        let others = self.invented >= OTHER_NUMBERS && self.invented * 2 > self.numbers;
        self.recall >= LEAST_RECALL && !many && !others
    }
}

/// Compares an answer with the text of its page; `None` when that is too short to say anything.
pub(super) fn fidelity(text: &str, answer: &str) -> Option<Fidelity> {
    let expected = words(text);
    if expected.len() < FEWEST_WORDS {
        return None;
    }
    let found = words(answer);
    let mut left: HashMap<&str, usize> = HashMap::new();
    found.iter().for_each(|word| *left.entry(word).or_default() += 1);
    let kept = expected.iter().filter(|word| left.get_mut(word.as_str()).is_some_and(take_one)).count();
    // A number that is grouped or broken otherwise is still there.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let numbers: Vec<String> = found.iter().filter_map(|word| number(word)).collect();
    let invented = numbers.iter().filter(|number| !digits.contains(number.as_str())).count();
    #[allow(clippy::cast_precision_loss, reason = "a share")]
    let recall = kept as f32 / expected.len() as f32;
    Some(Fidelity { recall, invented, numbers: numbers.len() })
}

fn take_one(left: &mut usize) -> bool {
    let some = *left > 0;
    *left = left.saturating_sub(1);
    some
}

/// The digits of a word that is a number of at least two: single ones stand before list items.
fn number(word: &str) -> Option<String> {
    let digits: String = word.chars().filter(char::is_ascii_digit).collect();
    let is_number = digits.len() >= 2 && word.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    is_number.then_some(digits)
}

/// Words in lower case without marks; scripts that write no spaces count by the character.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let between = matches!(c, '.' | ',') && !word.is_empty() && ends_in_digit(&word);
        if is_spaceless(c) {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            words.push(c.to_string());
        } else if c.is_alphanumeric() || between && chars.peek().is_some_and(char::is_ascii_digit) {
            word.extend(c.to_lowercase());
        } else if c != '\u{ad}' && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

fn ends_in_digit(word: &str) -> bool {
    word.ends_with(|c: char| c.is_ascii_digit())
}

/// Han, kana and Thai.
fn is_spaceless(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Whether a text ends in the same piece again and again, as models do that have lost their place.
pub(super) fn loops(answer: &str) -> bool {
    // Rows of an empty form are no loop.
    goes_round(answer, usize::MAX)
}

/// The same of a text that was cut off, which may end in dots or bars alone: no form has so many without a word.
pub(super) fn loops_until_cut(answer: &str) -> bool {
    goes_round(answer, SPEECHLESS)
}

/// Whether a text ends in one piece again and again. One without a letter or digit has to go on for `speechless` characters.
fn goes_round(answer: &str, speechless: usize) -> bool {
    let (least, rounds) = LOOP;
    let tail: Vec<char> = {
        let mut tail: Vec<char> = answer.trim_end().chars().rev().take(least + LONGEST_PERIOD * (rounds + 1)).collect();
        tail.reverse();
        tail
    };
    (1..=LONGEST_PERIOD.min(tail.len() / 2)).any(|period| {
        let same = tail.iter().rev().zip(tail.iter().rev().skip(period)).take_while(|(a, b)| a == b).count();
        let says = tail[tail.len() - period..].iter().any(|c| c.is_alphanumeric());
        same + period >= least.max(period * rounds).max(if says { 0 } else { speechless })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "In 2024 the committee met 14 times and spent 1,250.50 euros on paper, ink and glue; \
        the minutes were kept by hand and later typed, as the rules of 1987 ask for.";

    #[test]
    fn what_is_the_page_and_what_is_not() {
        let words = TEXT.split(' ').collect::<Vec<_>>();
        let half = words[..words.len() / 2].join(" ");
        let other_numbers =
            format!("{TEXT}\n\n{}", (31..40).map(|n| (n * 1_111).to_string()).collect::<Vec<_>>().join(" "));
        let emphasised =
            format!("# In 2024\n\n**{}**", TEXT.trim_start_matches("In 2024 ").replace("1,250.50", "1 250.50"));
        for (answer, holds, invented) in [
            (TEXT, true, 0),
            (&emphasised, true, 0),
            (&half, false, 0),
            (&TEXT.replace("1,250.50", "1,350.50"), true, 1),
            (&other_numbers, false, 9),
            (&TEXT.replace("2024", "2031").replace("14 times", "33 times").replace("1987", "1966"), false, 3),
            ("", false, 0),
        ] {
            let fidelity = fidelity(TEXT, answer).unwrap();
            assert_eq!((fidelity.holds(), fidelity.invented), (holds, invented), "{answer} {fidelity:?}");
        }
        assert_eq!(fidelity("Chapter One", "Chapter One"), None, "too little to say");
        let chinese = "人人生而自由在尊严和权利上一律平等他们赋有理性和良心";
        assert!(fidelity(chinese, chinese).unwrap().holds());
        assert!(!fidelity(chinese, &chinese[..27]).unwrap().holds());
    }

    #[test]
    fn loops_are_found_and_tables_are_none() {
        let rows: String = (0..60).map(|row| format!("| {row} | 0.00 | 0.00 |")).collect::<Vec<_>>().join("\n");
        for (answer, expected) in [
            (format!("# A page\n\n{}", "and so on ".repeat(200)), true),
            (format!("text {}", "x".repeat(2_000)), true),
            ("| a | b |\n".repeat(150), true),
            ("|      |      |\n".repeat(150), false),
            (rows, false),
            (TEXT.repeat(3), false),
            (String::new(), false),
            ("a".repeat(300), false),
        ] {
            assert_eq!(loops(&answer), expected, "{}", &answer[..answer.len().min(40)]);
        }
    }
}
