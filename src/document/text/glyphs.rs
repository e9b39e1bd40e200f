//! Glyphs of one line that mean something else together than apart: accents over letters, raised and lowered signs.

use unicode_normalization::char::compose;

use super::open_line::{REPLACEMENT, Text, TextRun};
use crate::content::Script;

/// The combining mark (Unicode, block 0300) of an accent that is drawn by itself, as TeX does.
const fn mark_of(c: char) -> Option<char> {
    Some(match c {
        '`' => '\u{300}',
        '´' => '\u{301}',
        '^' | 'ˆ' => '\u{302}',
        '~' | '˜' => '\u{303}',
        '¯' | 'ˉ' => '\u{304}',
        '˘' => '\u{306}',
        '˙' => '\u{307}',
        '¨' => '\u{308}',
        '˚' => '\u{30a}',
        '˝' => '\u{30b}',
        'ˇ' => '\u{30c}',
        '¸' => '\u{327}',
        '˛' => '\u{328}',
        '\u{300}'..='\u{36f}' => c,
        _ => return None,
    })
}

/// An accent covers its letter by at least this much of its own width.
const COVERED: f64 = 0.5;

/// Puts accents that are drawn over letters, before or after them, into these.
pub(super) fn compose_accents(pieces: &mut Vec<TextRun>) {
    let may_be = |c: char| c >= '\u{a8}' || matches!(c, '`' | '^' | '~');
    let is_accent = |piece: &TextRun| matches!(piece.text, Text::One(c) if may_be(c) && mark_of(c).is_some());
    if !pieces.iter().any(is_accent) {
        return;
    }
    let mut at = 0;
    while at < pieces.len() {
        let mark = match pieces[at].text {
            Text::One(c) => mark_of(c),
            Text::More(_) => None,
        };
        let letter = mark.and_then(|mark| {
            let beside = [Some(at + 1).filter(|next| *next < pieces.len()), at.checked_sub(1)];
            let carries = |of: &usize| {
                let (accent, letter) = (&pieces[at], &pieces[*of]);
                let shared = accent.end.min(letter.end) - accent.start.max(letter.start);
                let combines = matches!(accent.text, Text::One('\u{300}'..='\u{36f}')) && *of < at;
                combines || shared > 0.0 && shared >= (accent.end - accent.start) * COVERED
            };
            beside.into_iter().flatten().filter(carries).find_map(|of| Some((of, accented(&pieces[of].text, mark)?)))
        });
        match letter {
            Some((of, text)) => {
                pieces[of].text = text;
                pieces.remove(at);
            }
            None => at += 1,
        }
    }
}

/// A letter with a mark; `None` when it is none.
fn accented(letter: &Text, mark: char) -> Option<Text> {
    let Text::One(letter) = letter else { return None };
    // An i loses its dot under an accent.
    let letter = match letter {
        'ı' => 'i',
        'ȷ' => 'j',
        letter if letter.is_alphabetic() => *letter,
        _ => return None,
    };
    Some(compose(letter, mark).map_or_else(|| Text::More([letter, mark].into_iter().collect()), Text::One))
}

/// Letters at most this much of the size of their line are an index or an exponent, when they stand off its baseline by
/// more than [`RAISED`] of that size.
const INDEX_SIZE: f64 = 0.9;
const RAISED: f64 = 0.12;
/// Longer text off the line is a text of its own,
const MOST_LETTERS: usize = 12;
/// and so is what stands farther from its line's letters, in sizes.
const ATTACHED: f64 = 0.2;

/// Marks what is raised or lowered: numbers become the characters for that, so that `10⁻⁶` does not read 10-6 and the mark
/// of a footnote is none of the word's letters; other signs get their style. `size` and `baseline` are those of most of
/// the line.
pub(super) fn mark_scripts(pieces: &mut [TextRun], size: f64, baseline: f64) {
    let place = |piece: &TextRun| {
        let off = piece.baseline - baseline;
        let is_off = piece.size < size * INDEX_SIZE && off.abs() > size * RAISED;
        is_off.then_some(if off < 0.0 { Script::Super } else { Script::Sub })
    };
    if pieces.iter().all(|piece| place(piece).is_none()) {
        return;
    }
    let mut from = 0;
    while from < pieces.len() {
        let script = place(&pieces[from]);
        let run = pieces[from..].iter().take_while(|piece| place(piece) == script).count();
        if let Some(script) = script {
            let before = from.checked_sub(1).map(|at| pieces[at].end);
            let after = pieces.get(from + run).map(|piece| piece.start);
            let reach = size * ATTACHED;
            let (start, end) = (pieces[from].start, pieces[from + run - 1].end);
            let attached =
                before.is_some_and(|end| start - end < reach) || after.is_some_and(|start| start - end < reach);
            mark_run(&mut pieces[from..from + run], script, attached);
        }
        from += run;
    }
}

/// Signs that stand high by themselves and mean the same on the line: `®`, `′`, `*`.
fn is_sign(text: &Text) -> bool {
    match text {
        Text::One(c) => !c.is_alphanumeric() && !matches!(c, '+' | '-' | '−' | '±'),
        Text::More(text) => !text.contains(char::is_alphanumeric),
    }
}

fn mark_run(run: &mut [TextRun], script: Script, attached: bool) {
    let mut digits = false;
    let changed: Option<Vec<char>> = run
        .iter()
        .map(|piece| match &piece.text {
            Text::One(c) => {
                let changed = sign(*c, script, digits);
                digits |= c.is_ascii_digit();
                changed
            }
            Text::More(_) => None,
        })
        .collect();
    if let Some(changed) = changed.filter(|_| digits) {
        run.iter_mut().zip(changed).for_each(|(piece, c)| piece.text = Text::One(c));
    } else if attached
        && run.len() <= MOST_LETTERS
        && run.iter().any(|piece| !is_sign(&piece.text))
        && !run[..run.len() - 1].iter().any(|piece| piece.text.is_blank())
    {
        run.iter_mut().filter(|piece| !piece.text.is_blank()).for_each(|piece| piece.style.script = Some(script));
    }
}

/// The raised or lowered form of a character of a number. A line behind digits is that of a range, before them a sign.
fn sign(c: char, script: Script, after_digits: bool) -> Option<char> {
    let (digits, signs) = match script {
        Script::Super => ("⁰¹²³⁴⁵⁶⁷⁸⁹", "⁺⁻⁼⁽⁾"),
        Script::Sub => ("₀₁₂₃₄₅₆₇₈₉", "₊₋₌₍₎"),
    };
    match c {
        '0'..='9' => digits.chars().nth(c.to_digit(10)? as usize),
        '-' | '–' if after_digits => Some(c),
        '+' => signs.chars().next(),
        '-' | '−' | '–' => signs.chars().nth(1),
        '=' => signs.chars().nth(2),
        '(' => signs.chars().nth(3),
        ')' => signs.chars().nth(4),
        ',' => Some(c),
        c if c.is_whitespace() => Some(c),
        _ => None,
    }
}

/// A sign without a meaning that comes so many times in a row, between text, leads from one part to the other.
const FEWEST_LEADING: usize = 8;

/// Puts dots in place of rows of one sign that has no meaning: leaders of lists and tables.
pub(super) fn name_leaders(pieces: &mut [TextRun]) {
    let unknown = |piece: &TextRun| piece.text == Text::One(REPLACEMENT);
    let all = pieces.len();
    for run in pieces.chunk_by_mut(|a, b| unknown(a) && unknown(b) && a.glyph == b.glyph) {
        if (FEWEST_LEADING..all).contains(&run.len()) {
            run.iter_mut().for_each(|piece| piece.text = Text::One('.'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Style;
    use super::*;

    fn piece(text: char, start: f64, end: f64) -> TextRun {
        let (style, glyph) = (Style::default(), (0, 0));
        TextRun { text: Text::One(text), start, end, baseline: 0.0, size: 10.0, style, string: 0, glyph }
    }

    #[test]
    fn accents_go_into_the_letters_that_they_stand_over() {
        for (pieces, expected) in [
            // Drawn before its letter, as TeX does, and after it.
            (vec![piece('´', 0.0, 3.3), piece('e', -0.5, 4.0)], "é"),
            (vec![piece('c', 0.0, 4.5), piece('¸', 0.5, 4.0)], "ç"),
            (vec![piece('ˆ', 0.0, 3.3), piece('ı', 0.3, 3.0)], "î"),
            (vec![piece('e', 0.0, 4.5), piece('\u{301}', 4.5, 4.5)], "é"),
            // Beside a letter it is itself.
            (vec![piece('`', 0.0, 3.3), piece('a', 3.3, 8.0)], "`a"),
            (vec![piece('x', 0.0, 5.0), piece('^', 5.0, 10.0), piece('2', 10.0, 15.0)], "x^2"),
            // Which no letter has; and over what is no letter.
            (vec![piece('¨', 0.0, 3.3), piece('b', 0.0, 5.0)], "b\u{308}"),
            (vec![piece('¨', 0.0, 3.3), piece('1', 0.0, 5.0)], "¨1"),
        ] {
            let mut pieces = pieces;
            compose_accents(&mut pieces);
            assert_eq!(pieces.iter().map(|piece| piece.text.to_text()).collect::<String>(), expected);
        }
    }

    #[test]
    fn rows_of_one_unknown_sign_between_text_are_leaders() {
        let row = |texts: &str| {
            let piece = |c: char| TextRun { glyph: (0, u32::from(c != REPLACEMENT)), ..piece(c, 0.0, 5.0) };
            let mut pieces: Vec<TextRun> = texts.chars().map(piece).collect();
            name_leaders(&mut pieces);
            pieces.iter().map(|piece| piece.text.to_text()).collect::<String>()
        };
        assert_eq!(row("sum��������12"), "sum........12");
        assert_eq!(row("sum���12"), "sum���12");
        assert_eq!(row("��������"), "��������", "alone they may be anything");
    }
}
