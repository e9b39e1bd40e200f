//! Dots that lead from a title to its page, or from a label to its value.

use super::line::Word;

/// So many dots or more lead somewhere,
const LEADER: usize = 4;
/// to so many words at most.
const MOST_LED_TO: usize = 4;

/// Puts one sign in place of the dots that lead to a number; whether there are such.
pub(super) fn shorten(words: &mut Vec<Word>) -> bool {
    let is_dots = |word: &Word| !word.style.mono && word.text.bytes().all(|byte| byte == b'.');
    let leads = |word: &Word| !word.style.mono && word.text.as_bytes().windows(LEADER).any(|part| part == b"....");
    if !words.iter().any(leads) && words.iter().filter(|word| is_dots(word)).count() < LEADER {
        return false;
    }
    let mut parts: Vec<Word> = Vec::with_capacity(words.len());
    for word in words.drain(..) {
        let Some(begin) = word.text.find("....").filter(|_| !word.style.mono) else {
            parts.push(word);
            continue;
        };
        let rest = word.text[begin..].trim_start_matches('.');
        let end = word.text.len() - rest.len();
        for text in [&word.text[..begin], &word.text[begin..end], rest].into_iter().filter(|text| !text.is_empty()) {
            parts.push(Word { text: text.to_owned(), glued: word.glued && text.len() == begin, ..word });
        }
    }
    for run in parts.chunk_by(|a, b| is_dots(a) && is_dots(b)) {
        let dots: usize = run.iter().filter(|word| is_dots(word)).map(|word| word.text.len()).sum();
        if dots >= LEADER {
            words.push(Word { text: "…".into(), glued: false, ..run[0].clone() });
        } else {
            words.extend_from_slice(run);
        }
    }
    let to = words.iter().rposition(|word| word.text == "…").map_or(&[][..], |at| &words[at + 1..]);
    leads_to_value(to)
}

/// Whether words behind dots are where these lead: the number of a page, a price. Dots may also leave something out.
fn leads_to_value(words: &[Word]) -> bool {
    let is_roman = |text: &str| text.bytes().all(|byte| b"ivxlcIVXLC".contains(&byte));
    match words {
        [only] => only.text.contains(|c: char| c.is_ascii_digit()) || is_roman(&only.text),
        [first, ..] => words.len() <= MOST_LED_TO && first.text.contains(|c: char| c.is_ascii_digit()),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_lead_to_a_number_or_leave_something_out() {
        for (texts, expected, leads) in [
            (&["Gates", ".......", "12"][..], "Gates … 12", true),
            (&["Gates", ".", ".", ".", ".", "xiv"], "Gates … xiv", true),
            (&["Soup", ".....", "4.50", "EUR"], "Soup … 4.50 EUR", true),
            (&["v", "(1)", "....", "v", "(n)"], "v (1) … v (n)", false),
            (&["We", "do....", "not", "know"], "We do … not know", false),
            (&["so", "...", "on"], "so ... on", false),
        ] {
            let mut words: Vec<Word> = texts.iter().map(|text| Word::at(text, 0.0, 1.0)).collect();
            assert_eq!(shorten(&mut words), leads, "{texts:?}");
            let read: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
            assert_eq!(read.join(" "), expected);
        }
    }
}
