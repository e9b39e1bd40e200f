//! Runs → text without markup that still says what raised and lowered runs say.

use std::borrow::Cow;

use crate::content::{Inline, Run, Script};

/// Characters with a raised form in Unicode, beside it.
const RAISED: [(char, char); 20] = [
    ('0', '⁰'),
    ('1', '¹'),
    ('2', '²'),
    ('3', '³'),
    ('4', '⁴'),
    ('5', '⁵'),
    ('6', '⁶'),
    ('7', '⁷'),
    ('8', '⁸'),
    ('9', '⁹'),
    ('+', '⁺'),
    ('-', '⁻'),
    ('−', '⁻'),
    ('=', '⁼'),
    ('(', '⁽'),
    (')', '⁾'),
    ('n', 'ⁿ'),
    ('i', 'ⁱ'),
    ('a', 'ᵃ'),
    ('b', 'ᵇ'),
];
/// The same for lowered ones.
const LOWERED: [(char, char); 16] = [
    ('0', '₀'),
    ('1', '₁'),
    ('2', '₂'),
    ('3', '₃'),
    ('4', '₄'),
    ('5', '₅'),
    ('6', '₆'),
    ('7', '₇'),
    ('8', '₈'),
    ('9', '₉'),
    ('+', '₊'),
    ('-', '₋'),
    ('−', '₋'),
    ('=', '₌'),
    ('(', '₍'),
    (')', '₎'),
];

/// What a text says. A raised or lowered run is another number without its place, so it has raised or lowered characters
/// where Unicode has them all, else stands behind `^` or `_`.
#[must_use]
pub fn inline(text: &Inline) -> String {
    match &*text.runs {
        [only] => run(only).into_owned(),
        runs => runs.iter().map(run).collect(),
    }
}

fn run(run: &Run) -> Cow<'_, str> {
    let (table, sign): (&[_], _) = match run.style.script {
        None => return Cow::Borrowed(&run.text),
        Some(Script::Super) => (&RAISED, '^'),
        Some(Script::Sub) => (&LOWERED, '_'),
    };
    let shifted =
        |c: char| if c == ' ' { Some(c) } else { table.iter().find(|(plain, _)| *plain == c).map(|(_, c)| *c) };
    let whole: Option<String> = run.text.chars().map(shifted).collect();
    Cow::Owned(whole.unwrap_or_else(|| match run.text.trim().chars().count() {
        1 => format!("{sign}{}", run.text),
        _ => format!("{sign}{{{}}}", run.text),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::RunStyle;

    #[test]
    fn what_is_raised_or_lowered_stays_apart() {
        for (said, script, expected) in [
            ("-19", Script::Super, "10⁻¹⁹"),
            ("2", Script::Sub, "10₂"),
            ("n+1", Script::Super, "10ⁿ⁺¹"),
            ("x", Script::Super, "10^x"),
            ("ij", Script::Sub, "10_{ij}"),
            ("1,2", Script::Super, "10^{1,2}"),
        ] {
            let mut text = Inline::plain("10");
            text.push(said, RunStyle { script: Some(script), ..RunStyle::default() }, None);
            assert_eq!(inline(&text), expected);
        }
    }
}
