//! A page that an answer has several times over, as small models repeat what they have read. Pure.
//!
//! Copies are alike but for blanks and for rules between them. How many of them the page holds its witness says: a payslip in
//! duplicate has each word twice.

use super::comparison::compare;

/// A copy with fewer letters and digits may be a form's, or a table's.
const FEWEST: usize = 24;
/// More copies than these are a loop, for which no witness is asked.
const MOST: usize = 40;
/// A witness that has a smaller share of one copy says nothing of how many there are.
const SAYS: f32 = 0.5;

/// An answer that is one text several times over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Repeated<'a> {
    answer: &'a str,
    /// Where each copy begins.
    begins: Vec<usize>,
}

/// What tells how many copies a page holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown<'a> {
    /// What stands on it: its own text, or what OCR reads.
    Text(&'a str),
    /// About how many letters its picture has.
    Letters(u32),
    Nothing,
}

impl<'a> Repeated<'a> {
    /// The copies of an answer; `None` where it is no more than one.
    pub(super) fn of(answer: &'a str) -> Option<Self> {
        let signs: Vec<(usize, char)> = signs(answer);
        let letters = signs.iter().filter(|(_, c)| c.is_alphanumeric()).count();
        // A text that goes round in less than a copy is a loop, and no page several times over.
        let period = smallest_period(&signs).max(1);
        let copies = signs.len() / period;
        if !(2..=MOST.min(letters / FEWEST)).contains(&copies) || !signs.len().is_multiple_of(period) {
            return None;
        }
        let begins = signs.iter().step_by(period).map(|(at, _)| *at).collect();
        Some(Self { answer, begins })
    }

    /// The whole copies, two or more, that an answer begins with which was cut off in a further one.
    pub(super) fn before_cut(answer: &'a str) -> Option<&'a str> {
        let signs = signs(answer);
        let whole = signs.len() - signs.len() % smallest_period(&signs).max(1);
        let whole = answer[..signs.get(whole).map_or(answer.len(), |(at, _)| *at)].trim_end();
        Self::of(whole).map(|repeated| repeated.first(repeated.copies()))
    }

    pub(super) fn copies(&self) -> usize {
        self.begins.len()
    }

    /// The first so many copies.
    pub(super) fn first(&self, copies: usize) -> &'a str {
        let end = self.begins.get(copies).copied().unwrap_or(self.answer.len());
        let mut kept = self.answer[..end].trim_end();
        // The rule before the next copy.
        while copies < self.copies() {
            let Some((before, _)) = kept.rsplit_once('\n').filter(|(_, last)| is_rule(last)) else { break };
            kept = before.trim_end();
        }
        kept
    }

    /// How many copies a page holds by what it shows, at least one; `None` where that does not tell.
    pub(super) fn on_page(&self, shown: Shown<'_>) -> Option<usize> {
        let most = self.copies();
        match shown {
            Shown::Text(text) => {
                let fits = |copies: usize| {
                    let found = compare(text, self.first(copies));
                    (found.recall + found.precision, found.precision)
                };
                let (_, says) = fits(1);
                let best = (1..=most).rev().max_by(|a, b| fits(*a).0.total_cmp(&fits(*b).0));
                best.filter(|_| says >= SAYS)
            }
            Shown::Letters(letters) if letters > 0 => {
                let one = self.first(1).chars().filter(|c| c.is_alphanumeric()).count().max(1);
                let shown = usize::try_from(letters).unwrap_or(usize::MAX);
                Some(((shown + one / 2) / one).clamp(1, most))
            }
            Shown::Letters(_) | Shown::Nothing => None,
        }
    }
}

/// After how many signs they first come again, to the end: by the borders of all beginnings (Knuth, Morris and Pratt, 1977).
fn smallest_period(signs: &[(usize, char)]) -> usize {
    let mut borders = vec![0; signs.len()];
    for at in 1..signs.len() {
        let mut border = borders[at - 1];
        while border > 0 && signs[at].1 != signs[border].1 {
            border = borders[border - 1];
        }
        borders[at] = border + usize::from(signs[at].1 == signs[border].1);
    }
    signs.len() - borders.last().copied().unwrap_or(0)
}

/// The signs of an answer that are no blanks, nor of rules, and where they stand.
fn signs(answer: &str) -> Vec<(usize, char)> {
    let mut at = 0;
    let mut signs = Vec::with_capacity(answer.len());
    for line in answer.split_inclusive('\n') {
        if !is_rule(line) {
            signs.extend(line.char_indices().filter(|(_, c)| !c.is_whitespace()).map(|(within, c)| (at + within, c)));
        }
        at += line.len();
    }
    signs
}

/// Whether a line is a rule in Markdown (`CommonMark` 0.31, 4.1).
fn is_rule(line: &str) -> bool {
    let signs: String = line.split_whitespace().collect();
    let of_one = |sign: char| signs.len() >= 3 && signs.chars().all(|c| c == sign);
    of_one('-') || of_one('*') || of_one('_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# Receipt\n\nPaid for oil and rope: 42.50 euros.\n\n| a | b |\n|---|---|\n| 1 | 2 |";

    #[test]
    fn copies_are_found_whatever_blanks_and_rules_part_them() {
        let spaced = PAGE.replace("rope: ", "rope:  ").replace('\n', "\n\n");
        for (answer, copies) in [
            ([PAGE; 3].join("\n\n"), 3),
            ([PAGE; 2].join("\n\n---\n\n"), 2),
            ([PAGE; 2].concat(), 2),
            ([PAGE, &spaced, PAGE].join(" "), 3),
            ([PAGE; 12].join("\n"), 12),
        ] {
            let repeated = Repeated::of(&answer).unwrap();
            assert_eq!((repeated.copies(), repeated.first(1)), (copies, PAGE), "{answer}");
            assert_eq!(repeated.first(copies), answer);
            let two = Repeated::of(repeated.first(2)).map(|two| two.copies());
            assert_eq!(two, Some(2), "{answer}");
        }
        for answer in [
            PAGE.to_owned(),
            [PAGE, &PAGE.replace("42.50", "42.51")].join("\n\n"),
            [PAGE, "Copy", PAGE].join("\n\n"),
            "No. ".repeat(12),
            "and so on and ".repeat(400),
            "a line that is read again and again\n".repeat(41),
            "---\n".repeat(9),
            String::new(),
        ] {
            assert_eq!(Repeated::of(&answer), None, "{answer}");
        }
    }

    #[test]
    fn an_answer_that_is_cut_off_has_the_copies_before() {
        let three = [PAGE; 3].join("\n\n");
        for end in 0..PAGE.len() {
            assert_eq!(Repeated::before_cut(&[&three, "\n\n", &PAGE[..end]].concat()), Some(&*three), "{end}");
        }
        let cells = "| a cell | ".repeat(30);
        for answer in [PAGE, &[PAGE, &PAGE[..30]].concat(), &[&*three, "and a word"].concat(), &cells, ""] {
            assert_eq!(Repeated::before_cut(answer), None, "{answer}");
        }
    }

    #[test]
    fn a_page_in_duplicate_stays_whole_where_its_witness_has_both() {
        let answer = [PAGE; 4].join("\n\n");
        let repeated = Repeated::of(&answer).unwrap();
        let read = PAGE.replace("Receipt", "Rece1pt").replace("oil", "oii");
        let twice = [&*read, &read].join("\n");
        let beside = "Printed by the harbour office on paper of the old stock, in the year of the flood";
        let headed = format!("{beside}\n{read}");
        for (shown, copies) in [
            (Shown::Text(PAGE), Some(1)),
            (Shown::Text(&read), Some(1)),
            (Shown::Text(&twice), Some(2)),
            (Shown::Text(&headed), Some(1)),
            (Shown::Text(&[PAGE; 4].concat()), Some(4)),
            (Shown::Text("quite another text that has been read there"), None),
            (Shown::Text(""), None),
            (Shown::Letters(40), Some(1)),
            (Shown::Letters(90), Some(2)),
            (Shown::Letters(9_000), Some(4)),
            (Shown::Letters(0), None),
            (Shown::Nothing, None),
        ] {
            assert_eq!(repeated.on_page(shown), copies, "{shown:?}");
        }
        // A sheet of ten cards has ten.
        let (cards, read) = ([PAGE; 12].join("\n\n"), [&*read; 10].join("\n"));
        assert_eq!(Repeated::of(&cards).unwrap().on_page(Shown::Text(&read)), Some(10));
    }
}
