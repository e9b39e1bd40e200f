//! What the model answered, and whether that is a page. A bad answer is a failure, never a result. Pure.
//!
//! ```text
//! body ──decode──▶ Reply ──end──▶ clean ──▶ classify ──▶ parse (pages) ──▶ judge (beside, in `llm::judge`)
//! ```
//!
//! | stage | job |
//! |---|---|
//! | `decode` | the body, whatever the server makes of it |
//! | `end` | how the answer ended: whole, cut off, withheld, broken |
//! | `clean` | what is not of the page is taken off, and told: `thoughts`, `layout`, `fence`, `talk` |
//! | `classify` | a page, blank, a refusal (`unable`), thoughts alone, the prompt again; what may be no page (`doubts`) |
//! | `parse` | several pages are parted at their markers |

mod clean;
mod decode;
mod doubts;
mod end;
mod fence;
mod layout;
mod talk;
mod thoughts;
mod unable;

use self::clean::{Cleaned, clean, is_marks_alone};
use self::end::{End, end};
use self::unable::{Unable, unable};
use super::fidelity;
use super::prompt::{EMPTY, marker};
use super::repetition::Repeated;
use crate::task::{Failure, code};

pub(super) use self::decode::{NoAnswer, Reply, decode, title};

/// A page that was asked for, and what is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'a> {
    pub(super) page: u32,
    /// What its own text says, where that can be trusted; else nothing.
    pub(super) known: &'a str,
    /// Whether its picture shows hardly anything.
    pub(super) plain: bool,
    /// About how many letters its picture shows, where that is known.
    pub(super) letters: Option<u32>,
}

/// A page as it was answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answered {
    pub(super) page: u32,
    /// Empty when there is nothing on the page.
    pub(super) markdown: String,
    /// What was taken off the answer.
    pub(super) removed: Vec<String>,
    /// Why it is not to be relied on.
    pub(super) unsure: Option<String>,
    /// What it reads like, and may be no page then, unless a witness vouches for it.
    pub(super) reads_like: Option<String>,
    /// Whether it came several times over until a limit of tokens. It holds the copies before that.
    pub(super) cut_off: bool,
}

/// Why an answer is no page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It was cut off at a limit of tokens.
    CutOff,
    /// It goes round until a limit of tokens, which a larger one would not change.
    Loops,
    /// The model will not. In its words.
    Refused(String),
    /// A filter will not, by the name of what it says.
    Withheld(String),
    /// The model sees no picture. In its words.
    SeesNothing(String),
    /// It is only what the model thought.
    OnlyThoughts,
    /// It repeats the instructions.
    Echo,
    /// It ended by an error. In the endpoint's words.
    Broken(String),
    /// It is no page for another reason.
    NoPage(&'static str),
}

impl Fault {
    /// Its kind, where it may be the model's way with all pages.
    pub(super) const fn of_model(&self) -> Option<&'static str> {
        match self {
            Self::SeesNothing(_) => Some("sees nothing"),
            Self::Refused(_) => Some("refuses"),
            Self::OnlyThoughts => Some("thinks"),
            Self::Echo => Some("echoes"),
            Self::CutOff | Self::Loops | Self::Withheld(_) | Self::Broken(_) | Self::NoPage(_) => None,
        }
    }

    /// As the job sees it: what the same question may mend is passing.
    pub(super) fn failure(&self) -> Failure {
        let passing = |message: &str| Failure::transient(code::BAD_ANSWER, message);
        match self {
            Self::CutOff => Failure::transient(code::ANSWER_TRUNCATED, "the answer was cut off at the token limit"),
            Self::Loops => {
                Failure::transient(code::ANSWER_REPETITIVE, "the answer repeats itself until the token limit")
            }
            Self::Refused(said) => Failure::permanent(code::ANSWER_REFUSED, format!("the model refused: {said}")),
            Self::Withheld(by) => {
                Failure::permanent(code::ANSWER_REFUSED, format!("a filter withheld the answer ({by})"))
            }
            Self::SeesNothing(said) => {
                let message = format!("the model says that it sees no picture: {said}; {SEES_NOTHING}");
                Failure::permanent(code::MODEL_CANNOT_SEE, message)
            }
            Self::OnlyThoughts => passing("the answer has thoughts and no page"),
            Self::Echo => passing("the answer repeats the instructions"),
            Self::Broken(said) => passing(&format!("the endpoint broke the answer off: {said}")),
            Self::NoPage(why) => passing(why),
        }
    }
}

/// What to do about a model that cannot see.
pub(super) const SEES_NOTHING: &str = "choose a model that takes pictures, or input=text for pages that have text";

/// The pages of an answer. `prompt` is what was asked; `faithful`, whether it asks for what stands on the page.
pub(super) fn pages(reply: &Reply, asked: &[Asked<'_>], prompt: &str, faithful: bool) -> Result<Vec<Answered>, Fault> {
    let ended = end(reply);
    // What is not one page that was to be read has no copies.
    let may_repeat = faithful && asked.len() == 1;
    match &ended {
        End::Fault(Fault::CutOff) if may_repeat => {}
        End::Fault(fault) => return Err(fault.clone()),
        End::Whole | End::Unclear(_) => {}
    }
    let known: String = asked.iter().map(|asked| asked.known).collect::<Vec<_>>().join("\n");
    let mut cleaned = clean(&reply.text, &known);
    let cut_off = matches!(ended, End::Fault(_));
    if cut_off {
        let loops = || fidelity::loops_until_cut(&cleaned.text) && !fidelity::loops(&known);
        let end = match Repeated::before_cut(&cleaned.text) {
            Some(copies) => copies.len(),
            None => return Err(if loops() { Fault::Loops } else { Fault::CutOff }),
        };
        cleaned.text.truncate(end);
    }
    let thinks = cleaned.had_thoughts || reply.has_thoughts;
    if cleaned.text.is_empty() && thinks && asked.iter().any(|asked| !asked.plain) {
        return Err(Fault::OnlyThoughts);
    }
    if echoes(&cleaned.text, prompt) && !says(&known, &cleaned.text) {
        return Err(Fault::Echo);
    }
    let mut answered = parse(cleaned, asked)?;
    for (answered, asked) in answered.iter_mut().zip(asked) {
        classify(answered, asked, faithful)?;
        answered.cut_off = cut_off;
        if let End::Unclear(reason) = &ended {
            answered.unsure.get_or_insert_with(|| format!("the endpoint ended the answer with {reason:?}"));
        }
    }
    Ok(answered)
}

/// Tells a page from what is said in its place.
fn classify(answered: &mut Answered, asked: &Asked<'_>, faithful: bool) -> Result<(), Fault> {
    let markdown = &answered.markdown;
    if markdown.is_empty() && !asked.plain {
        return Err(Fault::NoPage("the answer is empty"));
    }
    if is_marks_alone(markdown) || doubts::is_without_text(markdown, asked.letters) {
        return Err(Fault::NoPage("the answer has marks and no text"));
    }
    if is_empty_page(markdown) || asked.plain && doubts::says_nothing(markdown) {
        answered.markdown.clear();
        return Ok(());
    }
    let Some(kind) = unable(markdown).filter(|_| !says(asked.known, markdown)) else {
        let doubt = || doubts::of(markdown, asked.known).filter(|_| faithful);
        answered.reads_like = answered.reads_like.take().or_else(doubt);
        return Ok(());
    };
    // What such a page should say only its own prompt knows.
    if !faithful && kind == Unable::Refuses {
        return Ok(());
    }
    if fits_ink(markdown, asked.letters) {
        answered.reads_like = Some("it reads like a refusal, but has as many letters as the picture".to_owned());
        return Ok(());
    }
    let said = quoted(markdown);
    Err(if kind == Unable::SeesNothing { Fault::SeesNothing(said) } else { Fault::Refused(said) })
}

/// Whether an answer has about as many letters as the picture shows.
fn fits_ink(markdown: &str, letters: Option<u32>) -> bool {
    let has = markdown.chars().filter(|c| c.is_alphanumeric()).count() as u64;
    letters.is_some_and(|shown| has * 10 >= u64::from(shown) * 8 && has * 10 <= u64::from(shown) * 13)
}

/// Whether an answer is the one that is asked for, of an empty page.
fn is_empty_page(answer: &str) -> bool {
    let bare = |text: &str| text.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    answer.starts_with(['[', '(', '*', '_']) && bare(answer) == bare(EMPTY)
}

/// Cuts an answer at its markers: each page once, in the order asked.
fn parse(cleaned: Cleaned, asked: &[Asked<'_>]) -> Result<Vec<Answered>, Fault> {
    let Cleaned { text, removed, goes_over, .. } = cleaned;
    let reads_like = goes_over.then(|| doubts::GOES_OVER.to_owned());
    if let [asked] = asked {
        return Ok(vec![Answered { page: asked.page, markdown: text, removed, reads_like, ..Answered::default() }]);
    }
    let mut found: Vec<(u32, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        let page = asked.iter().map(|asked| asked.page).find(|page| line.trim() == marker(*page));
        match (page, found.last_mut()) {
            (Some(page), _) => found.push((page, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) if line.trim().is_empty() => {}
            (None, None) => return Err(Fault::NoPage("the answer does not begin with a page marker")),
        }
    }
    if found.iter().map(|(page, _)| *page).ne(asked.iter().map(|asked| asked.page)) {
        return Err(Fault::NoPage("the answer does not hold each page once, in order"));
    }
    let each = found.into_iter().zip(asked).map(|((page, lines), asked)| {
        let own = clean(&lines.join("\n"), asked.known);
        let removed = [removed.clone(), own.removed].concat();
        Answered { page, markdown: own.text, removed, reads_like: reads_like.clone(), ..Answered::default() }
    });
    Ok(each.collect())
}

/// Whether an answer is for the most part the instructions themselves.
fn echoes(answer: &str, prompt: &str) -> bool {
    const RUN: usize = 5;
    const FEWEST: usize = 12;
    let (said, asked) = (plain_words(answer), plain_words(prompt));
    if said.len() < FEWEST || asked.len() < RUN {
        return false;
    }
    let runs: std::collections::HashSet<&[String]> = asked.windows(RUN).collect();
    let same = said.windows(RUN).filter(|run| runs.contains(run)).count();
    same * 10 >= (said.len() - RUN + 1) * 6
}

/// Whether a text has these words, of which there are some, one after the other.
pub(super) fn says(text: &str, words: &str) -> bool {
    const FEWEST: usize = 2;
    let words = plain_words(words);
    words.len() >= FEWEST && format!(" {} ", plain_words(text).join(" ")).contains(&format!(" {} ", words.join(" ")))
}

fn plain_words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// Words of the endpoint or the model, fit for a line and short.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 300;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    line.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::prompt::DEFAULT;
    use super::*;

    fn reply(text: &str) -> Reply {
        Reply { text: text.into(), ..Reply::default() }
    }

    fn ask(page: u32) -> Asked<'static> {
        Asked { page, ..Asked::default() }
    }

    fn one(text: &str, asked: Asked<'_>) -> Result<String, Fault> {
        pages(&reply(text), &[asked], DEFAULT, true).map(|pages| pages[0].markdown.clone())
    }

    #[test]
    fn one_page_is_the_whole_answer() {
        for (text, expected) in
            [(" # x \n", "# x"), ("```markdown\n# x\n```", "# x"), (EMPTY, ""), ("[Empty page].", "")]
        {
            assert_eq!(one(text, ask(4)).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn an_answer_that_is_not_a_page_fails() {
        let blind = "I don't see any image attached. Please upload the page.";
        let long = "I don't see any image attached in your letter of 3 May, Mr Dahl.";
        let refusal = "I'm sorry, but I can't read this image.";
        let ask = ask(1);
        for (text, asked, expected) in [
            ("  \n", ask, Err(Fault::NoPage("the answer is empty"))),
            ("<think>hm", ask, Err(Fault::OnlyThoughts)),
            (DEFAULT, ask, Err(Fault::Echo)),
            (&DEFAULT[..300], ask, Err(Fault::Echo)),
            (blind, ask, Err(Fault::SeesNothing(blind.to_owned()))),
            (refusal, ask, Err(Fault::Refused(refusal.to_owned()))),
            (refusal, Asked { letters: Some(900), ..ask }, Err(Fault::Refused(refusal.to_owned()))),
            // The page says so itself, or shows about as much.
            (long, Asked { known: long, ..ask }, Ok(long.to_owned())),
            (refusal, Asked { letters: Some(30), ..ask }, Ok(refusal.to_owned())),
        ] {
            assert_eq!(one(text, asked), expected, "{text}");
        }
        let other_prompt = pages(&reply(refusal), &[ask], "Say what you see", false);
        assert_eq!(other_prompt.unwrap()[0].markdown, refusal);
        let thinks = Reply { has_thoughts: true, ..reply("") };
        assert_eq!(pages(&thinks, &[ask], DEFAULT, true), Err(Fault::OnlyThoughts));
        assert!(!Fault::SeesNothing(String::new()).failure().retryable && Fault::OnlyThoughts.failure().retryable);
    }

    #[test]
    fn an_answer_that_goes_round_until_its_limit_is_asked_for_with_no_larger_one() {
        let text = "Paid for oil and rope: 42.50 euros.";
        let looping = format!("{text}\n\n{}", "and so on ".repeat(200));
        let dots = format!("{text}\n\n{}", ".".repeat(9_000));
        for (said, known, expected) in [
            (&*looping, "", Fault::Loops),
            (&looping, &looping, Fault::CutOff),
            (text, "", Fault::CutOff),
            (&dots, "", Fault::Loops),
        ] {
            let cut = Reply { finish_reason: Some("length".into()), ..reply(said) };
            assert_eq!(pages(&cut, &[Asked { known, ..ask(1) }], DEFAULT, true), Err(expected), "{said:.60}");
        }
    }

    #[test]
    fn several_pages_must_all_be_there_once_in_order() {
        let asked = [ask(1), ask(2)];
        let read = |text: &str| pages(&reply(text), &asked, DEFAULT, true);
        let both = |text: &str| read(text).map(|pages| pages.into_iter().map(|page| page.markdown).collect::<Vec<_>>());
        for good in [
            "<<<page 1>>>\na\n\n<<<page 2>>>\nb\n",
            "```markdown\n<<<page 1>>>\na\n<<<page 2>>>\nb\n```",
            "<<<page 1>>>\n```md\na\n```\n<<<page 2>>>\n```md\nb\n```",
            "Sure! Here is the transcription:\n<<<page 1>>>\na\n<<<page 2>>>\nb",
        ] {
            assert_eq!(both(good).unwrap(), ["a", "b"], "{good}");
        }
        for bad in [
            "<<<page 1>>>\na",
            "<<<page 2>>>\nb\n<<<page 1>>>\na",
            "<<<page 1>>>\na\n<<<page 1>>>\na\n<<<page 2>>>\nb",
            // A page that writes the marker of another one.
            "<<<page 1>>>\na\n<<<page 2>>>\nc\n<<<page 2>>>\nb",
            "So:\n<<<page 1>>>\na\n<<<page 2>>>\nb",
            "<<<page 1>>>\n\n<<<page 2>>>\nb",
        ] {
            assert!(both(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sheet_without_anything_is_empty_in_whatever_words() {
        let sheet = Asked { plain: true, ..ask(3) };
        for said in [
            "",
            "[Empty page]",
            "[empty page].",
            "(empty page)",
            "The page is blank.",
            "---",
            "*(No text is visible.)*",
        ] {
            assert_eq!(one(said, sheet).as_deref(), Ok(""), "{said}");
        }
        assert_eq!(one("7", sheet).as_deref(), Ok("7"));
        // Of one with writing that is no answer, or what it says.
        assert!(one("", ask(3)).is_err());
        assert_eq!(one("The page is blank.", ask(3)).as_deref(), Ok("The page is blank."));
    }
}
