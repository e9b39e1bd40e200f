//! From answers to pages: which are taken, which are asked for once more, and what is said against them.

use std::time::{Duration, Instant};

use super::call::{CallAnswer, for_all};
use super::chain::{Turn, refuses};
use super::fidelity::{self, Fidelity};
use super::look::Page;
use super::prompt::{self, PageInput};
use super::reply::{self, Answered, Asked, Fault};
use super::{BY_FALLBACK, LlmProcessor, OWN, failed, parts};
use crate::content::{PageContent, from_markdown};
use crate::processor::{PageRead, ShardInput, ShardOutcome};
use crate::task::{Failure, Finding, FindingCode, PageChecks, PageOutput, PageUsage, code};

/// A picture with fewer letters than these proves nothing against a short answer,
const FEWEST_LETTERS: u32 = 250;
/// and one with less than this many times those of the answer neither.
const MANY: u32 = 8;
/// How long a part of a page waits for an endpoint that is asked too often, where that does not say,
const USUAL_WAIT: Duration = Duration::from_secs(1);
/// and at most: its worker waits with it.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What is known of a page once its picture is gone.
struct Known {
    page: u32,
    /// Its text layer, where that can be trusted.
    text: Option<String>,
    /// Whether its picture shows hardly anything; absent where there is none.
    plain: Option<bool>,
    letters: Option<u32>,
    /// Whether its picture is smaller than it was asked for.
    smaller: bool,
}

impl Known {
    fn of(page: &Page) -> Self {
        let pictures = || page.input.image.iter().chain(&page.parts);
        let any = pictures().next().is_some();
        Self {
            page: page.input.page,
            text: page.text.clone(),
            plain: any.then(|| pictures().all(|image| image.plain)),
            letters: any.then(|| pictures().map(|image| image.letters).sum()),
            smaller: page.smaller,
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            page: self.page,
            known: self.text.as_deref().unwrap_or_default(),
            plain: self.plain == Some(true),
            letters: self.letters,
        }
    }
}

impl LlmProcessor {
    /// Has a model read pages whose pictures can be read as a whole, in one call.
    pub(super) fn read_whole(&self, input: &ShardInput<'_>, model: &str, turn: Turn, pages: Vec<Page>) -> ShardOutcome {
        let known: Vec<Known> = pages.iter().map(Known::of).collect();
        let inputs = pages.into_iter().map(|page| page.input).collect();
        let answer = match self.call(input, model, turn, inputs) {
            Ok(answer) => answer,
            Err(outcome) => return outcome,
        };
        let asked: Vec<Asked<'_>> = known.iter().map(Known::asked).collect();
        match self.pages_of(input, model, turn, &answer, &asked) {
            Ok(answered) => self.judged(input, model, turn, answered, &known, &answer),
            Err(outcome) => outcome,
        }
    }

    /// Has a model read a long page part by part, and joins what it says of these. Each part has the time `limit`, and a
    /// second try: the parts before it are paid.
    pub(super) fn read_parts(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        turn: Turn,
        page: Page,
        limit: Duration,
    ) -> ShardOutcome {
        let known = Known::of(&page);
        let (number, all) = (page.input.page, page.parts.len());
        let mut whole = Answered { page: number, ..Answered::default() };
        let mut sum: Option<CallAnswer> = None;
        for (at, image) in page.parts.into_iter().enumerate().filter(|(_, image)| !image.blank) {
            let letters = Some(image.letters);
            // What the whole page says is known of each of its parts.
            let asked = Asked { plain: image.plain, letters, ..known.asked() };
            let part = PageInput { page: number, text: None, image: Some(image), part: Some((at + 1, all)) };
            let first = self.read_part(input, model, turn, part.clone(), asked, limit);
            let read = match first {
                Err(outcome) => match self.again(input, turn, outcome) {
                    Ok(turn) => self.read_part(input, model, turn, part, asked, limit),
                    Err(outcome) => Err(outcome),
                },
                read => read,
            };
            let (answer, Answered { markdown, removed, unsure, .. }) = match read {
                Ok(read) => read,
                Err(outcome) => return outcome,
            };
            let (joined, meets) = parts::join(&whole.markdown, &markdown);
            let guess = || format!("part {} of {all} of a long page does not meet the one before", at + 1);
            whole.unsure = whole.unsure.take().or(unsure).or_else(|| (!meets).then(guess));
            whole.markdown = joined;
            whole.removed.extend(removed);
            sum = Some(match sum {
                Some(sum) => CallAnswer { usage: sum.usage.and(answer.usage), took: sum.took + answer.took, ..answer },
                None => answer,
            });
        }
        let Some(answer) = sum else { return failed(Fault::NoPage("the answer is empty").failure(), turn) };
        self.judged(input, model, turn, vec![whole], &[known], &answer)
    }

    fn read_part(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        turn: Turn,
        part: PageInput,
        asked: Asked<'_>,
        limit: Duration,
    ) -> Result<(CallAnswer, Answered), ShardOutcome> {
        let input = &ShardInput { deadline: Instant::now() + limit, ..*input };
        let answer = self.call(input, model, turn, vec![part])?;
        let mut answered = self.pages_of(input, model, turn, &answer, &[asked])?;
        Ok((answer, answered.pop().unwrap_or_default()))
    }

    /// How a part is asked for once more, where that may help; else what becomes of the shard.
    fn again(&self, input: &ShardInput<'_>, turn: Turn, outcome: ShardOutcome) -> Result<Turn, ShardOutcome> {
        match outcome {
            ShardOutcome::Failed(why) if why.retryable && !refuses(&why.code) => Ok(turn.after(&why.code)),
            ShardOutcome::Retry { after, .. } if after.is_none_or(|after| after <= LONGEST_WAIT) => {
                self.pause(input, after.unwrap_or(USUAL_WAIT)).then_some(turn).ok_or(ShardOutcome::Cancelled)
            }
            outcome => Err(outcome),
        }
    }

    /// The pages of an answer; else what becomes of the shard.
    fn pages_of(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        turn: Turn,
        answer: &CallAnswer,
        asked: &[Asked<'_>],
    ) -> Result<Vec<Answered>, ShardOutcome> {
        let prompt = self.prompt(input.options);
        reply::pages(&answer.reply, asked, prompt, prompt == prompt::DEFAULT).map_err(|fault| {
            let mut why = fault.failure();
            // A refusal may be a whim; the second one is none, and a fallback is asked at once.
            why.retryable |= matches!(fault, Fault::Refused(_)) && turn.refused == 0 && !turn.more_readers;
            // What comes of page after page comes of all; the same page again proves nothing more.
            let kind = fault.of_model().filter(|_| turn.failed == 0);
            let all = kind.is_some_and(|kind| self.capabilities.of(model).strike(kind));
            if all { for_all(why, turn) } else { failed(why, turn) }
        })
    }

    /// Takes the answers that are true to their pages. Those of a prompt that is not ours may be meant to differ. Of several
    /// pages, those that are not are asked for once more by themselves.
    fn judged(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        turn: Turn,
        answered: Vec<Answered>,
        known: &[Known],
        answer: &CallAnswer,
    ) -> ShardOutcome {
        let faithful = self.prompt(input.options) == prompt::DEFAULT;
        // A second answer that strays settles it, as far as this model goes.
        let last = turn.strayed && !turn.more_readers;
        let mut output = PageOutput {
            model: Some(answer.reply.model.as_deref().unwrap_or(model).to_owned()),
            ms: u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
            usage: answer.usage,
            recipe: if turn.reader == 0 { OWN } else { BY_FALLBACK },
            ..self.output(input, PageContent::default())
        };
        let (mut read, mut bad, mut why) = (Vec::with_capacity(answered.len()), Vec::new(), None);
        for (mut answered, known) in answered.into_iter().zip(known) {
            let text = known.text.as_deref().unwrap_or_default();
            let measured = fidelity::fidelity(text, &answered.markdown);
            if let Some(fault) = stray(&answered.markdown, text, faithful, measured.as_ref(), last) {
                bad.push(answered.page);
                why = Some(fault);
                continue;
            }
            let short = too_short(&answered.markdown, known).filter(|_| faithful && measured.is_none());
            match &short {
                Some(short) if self.capabilities.of(model).strike(&answered.markdown) => {
                    let said = reply::quoted(&answered.markdown);
                    let message = format!("the model answers page after page with {said:?}: {short}");
                    return for_all(Failure::permanent(code::ANSWER_REFUSED, message), turn);
                }
                None if !answered.markdown.is_empty() => self.capabilities.of(model).has_answered(),
                _ => {}
            }
            answered.unsure = answered.unsure.or(short);
            let page = answered.page;
            let (checks, findings) = said_of(&answered, known, faithful, measured.as_ref());
            // A task with other fallbacks must not be given a page that strays, nor one that was shown smaller.
            let strays = checks.as_ref().is_some_and(|checks| checks.unfaithful);
            let recipe = if strays || known.smaller { BY_FALLBACK } else { output.recipe };
            let rest = PageOutput { usage: PageUsage::default(), ..output.clone() };
            // The first page carries the call, so that sums come out right.
            let content = from_markdown(answered.markdown);
            let page_output = PageOutput { content, checks, findings, recipe, ..std::mem::replace(&mut output, rest) };
            read.push(PageRead { page, result: Ok(page_output) });
        }
        match why {
            Some(why) if read.is_empty() => failed(why, turn),
            _ if bad.is_empty() => ShardOutcome::Done(read),
            _ => ShardOutcome::Divided { done: read, calls: bad },
        }
    }
}

/// What is said of a page that is taken.
fn said_of(
    answered: &Answered,
    known: &Known,
    faithful: bool,
    measured: Option<&Fidelity>,
) -> (Option<PageChecks>, Vec<Finding>) {
    let strays = faithful && measured.is_some_and(|measured| !measured.holds());
    let is_checked = measured.is_some() || !answered.removed.is_empty();
    let checks = is_checked.then(|| PageChecks {
        recall: measured.map(|measured| measured.recall),
        invented_numbers: measured.map(|measured| u32::try_from(measured.invented).unwrap_or(u32::MAX)),
        unfaithful: strays,
        removed: answered.removed.clone(),
        route: None,
    });
    let denied = answered.markdown.is_empty() && known.plain == Some(false);
    let unsure = answered.unsure.as_deref().map(|why| Finding::new(FindingCode::Unsure, why));
    let findings = strays.then(Finding::unfaithful).into_iter().chain(denied.then(Finding::said_empty)).chain(unsure);
    (checks, findings.collect())
}

/// What keeps an answer from being taken as its page, whose own text is `known` where it can be trusted.
fn stray(markdown: &str, known: &str, faithful: bool, measured: Option<&Fidelity>, last: bool) -> Option<Failure> {
    if fidelity::loops(markdown) && !fidelity::loops(known) {
        return Some(Failure::passing(code::ANSWER_REPETITIVE, "the answer repeats itself without end"));
    }
    let strays = faithful && measured.is_some_and(|measured| !measured.holds());
    (strays && !last).then(|| {
        let message = "the answer has too little of the page's text, or numbers that are not on the page";
        Failure::passing(code::ANSWER_UNFAITHFUL, message)
    })
}

/// Whether an answer has far fewer letters than its picture, and what to say of that. One that says that it is empty is
/// told otherwise.
fn too_short(markdown: &str, known: &Known) -> Option<String> {
    let has = u32::try_from(markdown.chars().filter(|c| c.is_alphanumeric()).count()).unwrap_or(u32::MAX);
    let shown = known.letters.filter(|shown| *shown >= FEWEST_LETTERS && has.saturating_mul(MANY) < *shown)?;
    (has > 0).then(|| format!("the answer has {has} letters, and the picture about {shown}"))
}
