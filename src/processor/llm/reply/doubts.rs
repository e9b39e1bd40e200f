//! What an answer may be in place of the page: a description of it, a word that it is empty, thoughts, half a table. Pure.
//!
//! None of it is proof, since pages may read so themselves: it is said of the page unless a witness vouches for it.

use super::says;
use super::thoughts::open_thoughts;

/// Fewer letters in a picture prove nothing against an answer without any.
const FEWEST_LETTERS: u32 = 250;
/// An answer that says that a page is empty is not longer, in bytes.
const LONGEST_DENIAL: usize = 400;
/// So much of an answer, of 100 words, stands for what the model could not read.
const MOSTLY: usize = 50;

pub(super) const GOES_OVER: &str = "it goes over into thoughts that do not end";

/// Why an answer may be no page; `known` is what the page's own text says, where that can be trusted.
pub(super) fn of(answer: &str, known: &str) -> Option<String> {
    if let Some(said) = describes(answer, known) {
        return Some(format!("it reads like what is said of a picture: {said:?}"));
    }
    match () {
        () if denies(answer) && !says(known, answer) => Some("it says that there is nothing on the page".to_owned()),
        () if is_mostly_unread(answer) && !is_mostly_unread(known) => {
            Some("most of it stands for what the model could not read".to_owned())
        }
        () if open_thoughts(answer).is_some() && open_thoughts(known).is_none() => Some(GOES_OVER.to_owned()),
        () => ends_amid_table(answer).then(|| "it ends amid a table".to_owned()),
    }
}

/// How an answer begins that says what is seen on a page, in place of what stands there; the page's own text may begin so.
fn describes<'a>(answer: &'a str, known: &str) -> Option<&'a str> {
    const THINGS: [&str; 10] =
        ["image", "picture", "photo", "page", "document", "scan", "screenshot", "file", "text", "photograph"];
    const ACTS: [&str; 9] = [
        "shows",
        "depicts",
        "displays",
        "appears to be",
        "appears to show",
        "appears to contain",
        "is a scan of",
        "features",
        "contains a",
    ];
    let begin = answer.find(['.', '\n']).map_or(answer, |end| &answer[..end]);
    let lower = begin.trim_start_matches(['*', '_', '#', ' ']).to_lowercase();
    let rest = lower.strip_prefix("the ").or_else(|| lower.strip_prefix("this "))?;
    let rest = rest.strip_prefix("provided ").or_else(|| rest.strip_prefix("attached ")).unwrap_or(rest);
    let (thing, rest) = rest.split_once(' ')?;
    (THINGS.contains(&thing) && ACTS.iter().any(|act| rest.starts_with(act)) && !says(known, begin)).then_some(begin)
}

/// Words for a page that has nothing on it.
const NOTHING: [&str; 18] = [
    "blank",
    "empty",
    "no text",
    "no content",
    "no visible",
    "no readable",
    "no discernible",
    "nothing",
    "leere seite",
    "leer",
    "vide",
    "vací",
    "vuota",
    "em branco",
    "пуст",
    "空白",
    "blanc",
    "[illegible]",
];

/// Whether an answer about a page that shows hardly anything says that there is nothing on it, as models do in words of their
/// own.
pub(super) fn says_nothing(answer: &str) -> bool {
    const MOST: usize = 160;
    let said = answer.to_lowercase();
    let is_short = answer.len() <= MOST && NOTHING.iter().any(|word| said.contains(word));
    is_short || !said.contains(char::is_alphanumeric) && answer.len() <= MOST || denies(answer)
}

/// Whether it says so of any page: in its first sentence, and of the page or its picture.
fn denies(answer: &str) -> bool {
    const THINGS: [&str; 9] =
        ["image", "picture", "page", "document", "scan", "visible text", "readable text", "text visible", "text found"];
    const DENIALS: [&str; 11] = [
        "no visible text",
        "no readable text",
        "no discernible",
        "no text",
        "is blank",
        "be blank",
        "is empty",
        "be empty",
        "blank page",
        "empty page",
        "does not contain any text",
    ];
    let end = answer.find(['.', '\n']).unwrap_or(answer.len());
    let first = answer[..end].to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| first.contains(word));
    answer.len() <= LONGEST_DENIAL && has(&THINGS) && has(&DENIALS)
}

/// Whether an answer has no letter, no digit and no picture, and the page's picture shows letters.
pub(super) fn is_without_text(answer: &str, shown: Option<u32>) -> bool {
    let has_picture = answer.contains("![") || answer.contains("<img");
    let is_bare = !answer.is_empty() && !has_picture && !answer.contains(char::is_alphanumeric);
    is_bare && shown.is_some_and(|letters| letters >= FEWEST_LETTERS)
}

/// Whether most words are placeholders, as prompts and habits have models write them.
fn is_mostly_unread(text: &str) -> bool {
    const NAMES: [&str; 7] =
        ["unclear", "illegible", "unreadable", "inaudible", "unleserlich", "illisible", "ilegible"];
    const FEWEST: usize = 3;
    let lower = text.to_lowercase();
    let is_name =
        |word: &&str| NAMES.contains(&word.trim_matches(|c: char| !c.is_alphanumeric())) && word.starts_with('[');
    let (all, unread) = (lower.split_whitespace().count(), lower.split_whitespace().filter(is_name).count());
    unread >= FEWEST && unread * 100 >= all * MOSTLY
}

/// Whether the last table of HTML has no end: its rows go on where the answer does not.
fn ends_amid_table(answer: &str) -> bool {
    let lower = answer.to_ascii_lowercase();
    let last = |tag: &str| lower.rfind(tag);
    let Some(begin) = last("<table") else { return false };
    last("</table").is_none_or(|end| end < begin) && lower[begin..].contains("<td")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "The shed is let from 1 May for a term of five years at a rent of 2,400.";

    #[test]
    fn what_may_be_no_page_is_said() {
        let denial = "The provided image appears to have no visible text. It seems to be an empty document.";
        let cut = format!("{PAGE}\n\n<table><tr><td>May</td><td>2,400</td></tr><tr><td>Ju");
        let thinks = format!("{PAGE}\n\nand so on <think>Is this all? The second paragraph");
        for (answer, known, expected) in [
            (PAGE, "", None),
            (
                "The image shows a deed. It has a seal.",
                "",
                Some("it reads like what is said of a picture: \"The image"),
            ),
            ("The image shows a deed. It has a seal.", "The image shows a deed.", None),
            (denial, "", Some("it says that there is nothing")),
            ("No visible text.", "", Some("it says that there is nothing")),
            ("The page is blank.", "This is the form: the page is blank. Leave it so.", None),
            ("A blank cheque was found in the drawer, and no text beside it.", "", None),
            ("[unclear] [unclear]\n\n[UNCLEAR] Deed", "", Some("most of it stands for")),
            ("One word of it is [unclear] and so is [unclear], but [unclear] the others are not", "", None),
            (&thinks, "", Some("it goes over into thoughts")),
            (&thinks, "The model writes <think> before it answers.", None),
            (&cut, "", Some("it ends amid a table")),
            (&format!("{cut}ne</td></tr></table>"), "", None),
            ("In HTML a table begins with `<table>`.", "", None),
        ] {
            let found = of(answer, known);
            assert!(
                found.as_deref().unwrap_or_default().starts_with(expected.unwrap_or_default()),
                "{answer}: {found:?}"
            );
            assert_eq!(found.is_some(), expected.is_some(), "{answer}: {found:?}");
        }
    }

    #[test]
    fn an_answer_without_a_letter_is_no_page_that_shows_many() {
        for (answer, shown, expected) in [
            ("};", Some(1_500), true),
            ("};", Some(40), false),
            ("};", None, false),
            ("![](plan.png)", Some(1_500), false),
            ("7", Some(1_500), false),
            ("", Some(1_500), false),
        ] {
            assert_eq!(is_without_text(answer, shown), expected, "{answer} {shown:?}");
        }
    }
}
