//! From the order in which letters stand to the order in which they are read.
//!
//! A page says where each glyph is, so text in Arabic or Hebrew comes as it looks, from left to right. Reading order is
//! the inverse of the reordering of the Unicode bidirectional algorithm (UAX 9, rule L2), with levels taken from what
//! stands there.

use unicode_bidi::{BidiClass, bidi_class};

/// A piece of text that is not taken apart, such as one glyph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Right,
    Left,
    Number,
    /// Between two numbers it belongs to them.
    Joiner,
    Neutral,
}

fn kind(text: &str) -> Kind {
    let classes = text.chars().map(bidi_class);
    let strong = |class| match class {
        BidiClass::R | BidiClass::AL => Some(Kind::Right),
        BidiClass::L => Some(Kind::Left),
        BidiClass::EN | BidiClass::AN => Some(Kind::Number),
        BidiClass::ES | BidiClass::CS | BidiClass::ET => Some(Kind::Joiner),
        _ => None,
    };
    classes.into_iter().find_map(strong).unwrap_or(Kind::Neutral)
}

/// Whether it is a letter that is written from right to left.
pub(super) fn is_right_to_left(c: char) -> bool {
    // Hebrew is the first such script; the table is not asked for the letters of most pages.
    c >= '\u{590}' && matches!(bidi_class(c), BidiClass::R | BidiClass::AL)
}

/// Whether it is a mark that stands over or under another letter.
pub(super) fn is_mark(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| bidi_class(c) == BidiClass::NSM)
}

/// How a line is read whose pieces are given from left to right.
pub(super) struct Reading {
    /// Indexes into the pieces.
    pub(super) order: Vec<usize>,
    /// Which of the pieces, as they are given, are read from right to left.
    pub(super) turned: Vec<bool>,
    /// Whether the line as a whole is.
    pub(super) right_to_left: bool,
}

/// The order in which `pieces`, given from left to right, are read.
pub(super) fn reading_order(pieces: &[&str]) -> Reading {
    let mut kinds: Vec<Kind> = pieces.iter().map(|text| kind(text)).collect();
    let count = |wanted| kinds.iter().filter(|kind| **kind == wanted).count();
    let right = count(Kind::Right) >= count(Kind::Left);
    for at in 0..kinds.len() {
        if kinds[at] == Kind::Joiner {
            let number = |at: Option<usize>| at.and_then(|at| kinds.get(at)) == Some(&Kind::Number);
            let inside = number(at.checked_sub(1)) && number(Some(at + 1));
            kinds[at] = if inside { Kind::Number } else { Kind::Neutral };
        }
    }
    let levels = levels(&kinds, right);
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    // The reverse of L2 is L2 from the lowest level up.
    for level in 1..=levels.iter().copied().max().unwrap_or(0) {
        let mut at = 0;
        while at < order.len() {
            let run = order[at..].iter().take_while(|index| levels[**index] >= level).count();
            order[at..at + run].reverse();
            at += run.max(1);
        }
    }
    let turned = levels.iter().map(|level| level % 2 == 1).collect();
    Reading { order, turned, right_to_left: right }
}

/// A bracket as it is written, where `shown` is how it looks in text from right to left (UAX 9, rule L4).
pub(super) const fn mirrored(shown: char) -> char {
    match shown {
        '(' => ')',
        ')' => '(',
        '[' => ']',
        ']' => '[',
        '{' => '}',
        '}' => '{',
        '<' => '>',
        '>' => '<',
        '«' => '»',
        '»' => '«',
        '‹' => '›',
        '›' => '‹',
        other => other,
    }
}

fn levels(kinds: &[Kind], right: bool) -> Vec<u8> {
    let base = u8::from(right);
    let strong = |at: usize| match kinds[at] {
        Kind::Right => Some(1),
        // Numbers run from left to right also among letters that do not.
        Kind::Left | Kind::Number if right => Some(2),
        Kind::Left => Some(0),
        _ => None,
    };
    let mut levels = vec![base; kinds.len()];
    let mut before: Option<usize> = None;
    for at in 0..kinds.len() {
        let Some(level) = strong(at) else { continue };
        levels[at] = level;
        // What stands between two of a kind is of that kind.
        if let Some(before) = before
            && levels[before] == level
        {
            levels[before..at].fill(level);
        }
        before = Some(at);
    }
    if !right {
        let number = |at: usize| kinds[at] == Kind::Number;
        for at in (0..kinds.len()).filter(|at| number(*at)) {
            levels[at] = if levels[at] == 1 { 2 } else { levels[at] };
        }
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(visual: &str) -> String {
        let pieces: Vec<String> = visual.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let Reading { order, turned, .. } = reading_order(&pieces);
        let shown = |index: usize| {
            let is_turned = turned[index];
            pieces[index].chars().map(move |c| if is_turned { mirrored(c) } else { c })
        };
        order.into_iter().flat_map(shown).collect()
    }

    #[test]
    fn letters_come_in_the_order_in_which_they_are_read() {
        for (visual, logical) in [
            ("plain text 12", "plain text 12"),
            // Hebrew, as it looks from left to right.
            ("םולש", "שלום"),
            ("םלוע םולש", "שלום עולם"),
            // A number and a Latin word in it keep their own order.
            ("םלוע 3.14 םולש", "שלום 3.14 עולם"),
            (".עולם PDF file םולש", "שלום PDF file םלוע."),
            // Brackets turn with the text around them.
            ("(םולש) םלוע", "עולם (שלום)"),
            ("the word (םולש)", "the word (שלום)"),
            // A Hebrew word in English.
            ("the word םולש means peace", "the word שלום means peace"),
        ] {
            assert_eq!(read(visual), logical);
        }
    }

    #[test]
    fn ordering_twice_gives_the_same_letters() {
        let text = ["a", "ب", "1", ".", "2", " ", "ج"];
        let mut order = reading_order(&text).order;
        order.sort_unstable();
        assert_eq!(order, (0..text.len()).collect::<Vec<_>>());
    }
}
