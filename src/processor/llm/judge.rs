//! From answers to pages: which are taken, which are asked for once more, and what is said against them.

use std::time::{Duration, Instant};

use super::call::CallAnswer;
use super::fidelity::{self, Fidelity};
use super::look::Page;
use super::prompt::{self, PageInput, PartNumber};
use super::repetition::{Repeated, Shown};
use super::reply::{self, Answered, Asked, Fault};
use super::witness::{Testimony, Verdict, passage};
use super::{LlmProcessor, parts};
use crate::content::{PageContent, from_markdown};
use crate::document::Recognised;
use crate::processor::{PageRead, ShardInput, ShardOutcome, StepState};
use crate::task::{Failure, Finding, FindingCode, PageChecks, PageOutput, Usage, Witness, code};

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
    pub(super) fn read_whole(&self, input: &ShardInput<'_>, model: &str, pages: Vec<Page>) -> ShardOutcome {
        let known: Vec<Known> = pages.iter().map(Known::of).collect();
        let inputs = pages.into_iter().map(|page| page.input).collect();
        let keeps = known.iter().any(|known| self.has_witness(input, known));
        let asked: Vec<Asked<'_>> = known.iter().map(Known::asked).collect();
        let alone = known.first().filter(|_| keeps && known.len() == 1).map(|known| known.page);
        let (read, recognised) = self.while_ocr_looks(input, alone, || {
            let answer = self.call(input, model, inputs, keeps)?;
            let answered = self.pages_of(input, model, &answer, &asked)?;
            Ok((answer, answered))
        });
        match read {
            Ok((answer, answered)) => self.judged(input, model, answered, &known, (&answer, recognised)),
            Err(outcome) => outcome,
        }
    }

    /// Has a model read a long page part by part, and joins what it says of these. Each part has the time `limit`, and a
    /// second try: the parts before it are paid.
    pub(super) fn read_parts(&self, input: &ShardInput<'_>, model: &str, page: Page, limit: Duration) -> ShardOutcome {
        let known = Known::of(&page);
        let (number, all, across) = (page.input.page, page.parts.len(), page.across);
        let mut whole = Answered { page: number, ..Answered::default() };
        let mut sum: Option<CallAnswer> = None;
        for (at, image) in page.parts.into_iter().enumerate().filter(|(_, image)| !image.blank) {
            let letters = Some(image.letters);
            // What the whole page says is known of each of its parts.
            let asked = Asked { plain: image.plain, letters, ..known.asked() };
            let place = PartNumber { number: at + 1, all, across };
            let part = PageInput { page: number, text: None, image: Some(image), part: Some(place) };
            let first = self.read_part(input, model, part.clone(), asked, limit);
            let read = match first {
                Err(outcome) => match self.again(input, outcome) {
                    Ok(state) => self.read_part(&ShardInput { state, ..*input }, model, part, asked, limit),
                    Err(outcome) => Err(outcome),
                },
                read => read,
            };
            let (answer, Answered { markdown, removed, unsure, reads_like, .. }) = match read {
                Ok(read) => read,
                Err(outcome) => return outcome,
            };
            let (joined, meets) = parts::join(&whole.markdown, &markdown);
            let long = if across { "wide" } else { "long" };
            let guess = || format!("part {} of {all} of a {long} page does not meet the one before", at + 1);
            whole.unsure = whole.unsure.take().or(unsure).or_else(|| (!meets).then(guess));
            whole.reads_like = whole.reads_like.take().or(reads_like);
            whole.markdown = joined;
            whole.removed.extend(removed);
            sum = Some(match sum {
                Some(sum) => CallAnswer { usage: sum.usage + answer.usage, took: sum.took + answer.took, ..answer },
                None => answer,
            });
        }
        let Some(answer) = sum else { return ShardOutcome::Failed(Fault::NoPage("the answer is empty").failure()) };
        if across {
            // Text in columns wider than the parts overlap is in none of them.
            let cut = || format!("a wide page, read in {all} parts: what the edges of all of them cut may be missing");
            whole.reads_like.get_or_insert_with(cut);
        }
        self.judged(input, model, vec![whole], &[known], (&answer, None))
    }

    fn read_part(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        part: PageInput,
        asked: Asked<'_>,
        limit: Duration,
    ) -> Result<(CallAnswer, Answered), ShardOutcome> {
        let input = &ShardInput { deadline: Instant::now() + limit, ..*input };
        let answer = self.call(input, model, vec![part], true)?;
        let mut answered = self.pages_of(input, model, &answer, &[asked])?;
        match answered.pop() {
            Some(part) if part.cut_off => Err(ShardOutcome::Failed(Fault::CutOff.failure())),
            part => Ok((answer, part.unwrap_or_default())),
        }
    }

    /// How a part is asked for once more, where that may help; else what becomes of the shard.
    fn again(&self, input: &ShardInput<'_>, outcome: ShardOutcome) -> Result<StepState, ShardOutcome> {
        match outcome {
            ShardOutcome::Failed(why) if why.retryable && !why.kind().ends_step() => Ok(input.state.after(why.kind())),
            ShardOutcome::Retry { after, .. } if after.is_none_or(|after| after <= LONGEST_WAIT) => {
                self.pause(input, after.unwrap_or(USUAL_WAIT)).then_some(input.state).ok_or(ShardOutcome::Cancelled)
            }
            outcome => Err(outcome),
        }
    }

    /// The pages of an answer; else what becomes of the shard.
    fn pages_of(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        answer: &CallAnswer,
        asked: &[Asked<'_>],
    ) -> Result<Vec<Answered>, ShardOutcome> {
        let prompt = self.prompt(input.options);
        reply::pages(&answer.reply, asked, prompt, prompt == prompt::DEFAULT).map_err(|fault| {
            answer.question.iter().for_each(|question| question.forget(input));
            let mut why = fault.failure();
            // A refusal may be a whim; the second one is none, and a fallback is asked at once.
            why.retryable |= matches!(fault, Fault::Refused(_)) && input.state.refused == 0 && !input.state.has_next;
            // What comes of page after page comes of all; the same page again proves nothing more.
            let kind = fault.of_model().filter(|_| input.state.failed == 0);
            let all = kind.is_some_and(|kind| self.capabilities.of(model).strike(kind));
            if all { self.for_all(input, why) } else { ShardOutcome::Failed(why) }
        })
    }

    /// Whether OCR is asked about an answer for a page that has no sound text of its own.
    fn has_witness(&self, input: &ShardInput<'_>, known: &Known) -> bool {
        let is_wanted = self.ocr.as_ref().is_some_and(|ocr| ocr.is_wanted(input.options));
        is_wanted && known.text.is_none() && self.prompt(input.options) == prompt::DEFAULT
    }

    /// Of an answer that has a page several times over, keeps as many copies as the page holds. Returns whether they are the
    /// page: of an answer that was cut off, the rest of the page may be missing.
    fn keep_copies(
        &self,
        input: &ShardInput<'_>,
        known: &Known,
        answered: &mut Answered,
        recognised: &mut Option<Result<Recognised, Failure>>,
    ) -> bool {
        let Some(repeated) = Repeated::of(&answered.markdown) else { return !answered.cut_off };
        let seen = match &known.text {
            Some(text) => Some(text.clone()),
            None => self.seen_on(input, known.page, &answered.markdown, recognised),
        };
        let by_text = seen.and_then(|seen| repeated.on_page(Shown::Text(&seen)));
        let by_ink = || repeated.on_page(known.letters.map_or(Shown::Nothing, Shown::Letters));
        let (shown, all) = (by_text.or_else(by_ink), repeated.copies());
        let kept = shown.unwrap_or(1);
        // Where nothing tells how much the page holds, a second answer with more room has to go round, too. Where its picture
        // has more than one copy, these may lack the rest of the page.
        let lacks = by_text.is_none() && (kept > 1 || shown.is_none() && input.state.truncated == 0);
        if kept >= all || answered.cut_off && lacks {
            return !answered.cut_off;
        }
        let times = format!("the answer has the page {all} times over");
        answered.removed.push(format!("{} of its {all} equal copies", all - kept));
        if by_text.is_none() {
            // How many letters a picture shows is a guess.
            answered.unsure.get_or_insert(times);
        }
        answered.markdown = repeated.first(kept).to_owned();
        true
    }

    /// Takes the answers that are true to their pages. Those of a prompt that is not ours may be meant to differ. Of several
    /// pages, those that are not are asked for once more by themselves. `recognised` is what OCR has on a page that was asked for
    /// alone.
    fn judged(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        answered: Vec<Answered>,
        known: &[Known],
        (answer, mut recognised): (&CallAnswer, Option<Result<Recognised, Failure>>),
    ) -> ShardOutcome {
        let faithful = self.prompt(input.options) == prompt::DEFAULT;
        // A second answer that strays settles it, as far as this model goes.
        let last = input.state.diverged && !input.state.has_next;
        let mut output = PageOutput {
            model: Some(answer.reply.model.as_deref().unwrap_or(model).to_owned()),
            ms: u64::try_from(answer.took.as_millis()).unwrap_or(u64::MAX),
            usage: answer.usage,
            ..self.output(input, PageContent::default())
        };
        let (mut read, mut bad, mut why) = (Vec::with_capacity(answered.len()), Vec::new(), None);
        for (mut answered, known) in answered.into_iter().zip(known) {
            if faithful && !self.keep_copies(input, known, &mut answered, &mut recognised) {
                answer.question.iter().for_each(|question| question.forget(input));
                return ShardOutcome::Failed(Fault::CutOff.failure());
            }
            let text = known.text.as_deref().unwrap_or_default();
            let measured = fidelity::fidelity(text, &answered.markdown);
            // Where a page has no sound text of its own, OCR is its witness; an empty answer is denied by the ink.
            let seen = (faithful && known.text.is_none() && !answered.markdown.is_empty() && !loops(&answered, text))
                .then(|| self.witness(input, known.page, &answered.markdown, recognised.take()))
                .flatten();
            let doubt = measured.filter(|_| faithful).and_then(|_| passage(text, &answered.markdown));
            let judgement = Judgement { faithful, measured, doubt, seen };
            if let Some(fault) = judgement.stray(&answered, text, last) {
                bad.push(answered.page);
                why = Some(fault);
                continue;
            }
            let short = too_short(&answered.markdown, known).filter(|_| judgement.is_unmeasured());
            let long = too_long(&answered.markdown, known).filter(|_| judgement.is_unmeasured());
            match &short {
                Some(short) if self.capabilities.of(model).strike(&answered.markdown) => {
                    let said = reply::quoted(&answered.markdown);
                    let message = format!("the model answers page after page with {said:?}: {short}");
                    return self.for_all(input, Failure::permanent(code::ANSWER_REFUSED, message));
                }
                None if !answered.markdown.is_empty() => self.capabilities.of(model).has_answered(),
                _ => {}
            }
            let reads_like = answered.reads_like.take().filter(|_| !judgement.is_vouched());
            answered.unsure = answered.unsure.or(reads_like).or(short).or(long);
            let page = answered.page;
            let (checks, findings) = judgement.said_of(&answered, known);
            // A task with other fallbacks must not be given a page that strays, nor one that was shown smaller.
            let strays = checks.as_ref().is_some_and(|checks| checks.unfaithful);
            let degraded = strays || known.smaller;
            let rest = PageOutput { usage: Usage::default(), ..output.clone() };
            // The first page carries the call, so that sums come out right.
            let content = from_markdown(answered.markdown);
            let page_output =
                PageOutput { content, checks, findings, degraded, ..std::mem::replace(&mut output, rest) };
            read.push(PageRead { page, result: Ok(page_output) });
        }
        match why {
            Some(why) if read.is_empty() => ShardOutcome::Failed(why),
            _ if bad.is_empty() => ShardOutcome::Done(read),
            _ => ShardOutcome::Partial { done: read, rest: bad, step: input.state.index },
        }
    }
}

/// What is known of how true an answer is.
struct Judgement {
    /// Whether it is meant to be what stands on the page.
    faithful: bool,
    /// By the page's own text.
    measured: Option<Fidelity>,
    /// Why it is not to be relied on by that, although it has most of its words.
    doubt: Option<String>,
    /// By what OCR reads on its picture.
    seen: Option<Testimony>,
}

impl Judgement {
    fn strays_from_text(&self) -> bool {
        self.faithful && self.measured.is_some_and(|measured| !measured.holds())
    }

    /// Whether the page's own text or OCR says that the answer is the page.
    fn is_vouched(&self) -> bool {
        let by_text = self.measured.is_some_and(|measured| measured.holds());
        by_text || self.seen.as_ref().is_some_and(|seen| seen.verdict == Verdict::Vouched)
    }

    /// Whether nothing has measured an answer that could be.
    fn is_unmeasured(&self) -> bool {
        let has_found = self.seen.as_ref().is_some_and(|seen| seen.found.is_some());
        self.faithful && self.measured.is_none() && !has_found
    }

    /// What keeps an answer from being taken as its page, whose own text is `known` where it can be trusted.
    fn stray(&self, answered: &Answered, known: &str, last: bool) -> Option<Failure> {
        if loops(answered, known) {
            return Some(Failure::transient(code::ANSWER_REPETITIVE, "the answer repeats itself without end"));
        }
        let unfaithful = |message: String| Failure::transient(code::ANSWER_UNFAITHFUL, message);
        match &self.seen {
            _ if last => None,
            _ if self.strays_from_text() => Some(unfaithful(Finding::unfaithful().detail)),
            Some(Testimony { verdict: Verdict::Unfaithful(why), .. }) => Some(unfaithful(why.clone())),
            _ => None,
        }
    }

    /// What is said of a page that is taken.
    fn said_of(&self, answered: &Answered, known: &Known) -> (Option<PageChecks>, Vec<Finding>) {
        let unfaithful = self.strays_from_text().then(Finding::unfaithful);
        let doubt = self.doubt.as_deref().map(|why| Finding::new(FindingCode::Unsure, why));
        let by_text = unfaithful.or(doubt);
        let by_ocr = self.seen.as_ref().and_then(|seen| match &seen.verdict {
            Verdict::Vouched => None,
            Verdict::Silent(why) => Some(Finding::fact(FindingCode::Unsure, why)),
            Verdict::Unsure(why) => Some(Finding::new(FindingCode::Unsure, why)),
            Verdict::Unfaithful(why) => Some(Finding::new(FindingCode::Unfaithful, why)),
        });
        let denied = (answered.markdown.is_empty() && known.plain == Some(false)).then(Finding::said_empty);
        let unsure = answered.unsure.as_deref().map(|why| Finding::new(FindingCode::Unsure, why));
        let findings: Vec<Finding> = [by_text, by_ocr, denied, unsure].into_iter().flatten().collect();
        let unfaithful = findings.iter().any(|finding| finding.code == FindingCode::Unfaithful);
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let found = self.seen.as_ref().and_then(|seen| seen.found.as_ref());
        let by_text = self.measured.map(|measured| (Witness::TextLayer, measured.recall, measured.invented));
        let by_ocr = found.map(|found| (Witness::Ocr, found.recall, found.odd_numbers.0.len()));
        let measured = by_text.or(by_ocr);
        let is_checked = measured.is_some() || !answered.removed.is_empty();
        let checks = is_checked.then(|| PageChecks {
            witness: measured.map(|(by, ..)| by),
            recall: measured.map(|(_, recall, _)| recall),
            invented_numbers: measured.map(|(.., invented)| count(invented)),
            unfaithful,
            removed: answered.removed.clone(),
            route: None,
        });
        (checks, findings)
    }
}

/// Whether an answer repeats itself without end, and its page does not.
fn loops(answered: &Answered, known: &str) -> bool {
    fidelity::loops(&answered.markdown) && !fidelity::loops(known)
}

/// Whether an answer has far more letters than a picture that shows hardly anything: of blank paper models make pages up.
fn too_long(markdown: &str, known: &Known) -> Option<String> {
    let shown = known.letters.filter(|_| known.plain == Some(true))?;
    let has = u32::try_from(markdown.chars().filter(|c| c.is_alphanumeric()).count()).unwrap_or(u32::MAX);
    let more = has >= FEWEST_LETTERS && has > shown.saturating_mul(MANY);
    more.then(|| format!("the answer has {has} letters, and the picture about {shown}"))
}

/// Whether an answer has far fewer letters than its picture, and what to say of that. One that says that it is empty is
/// told otherwise.
fn too_short(markdown: &str, known: &Known) -> Option<String> {
    let has = u32::try_from(markdown.chars().filter(|c| c.is_alphanumeric()).count()).unwrap_or(u32::MAX);
    let shown = known.letters.filter(|shown| *shown >= FEWEST_LETTERS && has.saturating_mul(MANY) < *shown)?;
    (has > 0).then(|| format!("the answer has {has} letters, and the picture about {shown}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_another_length_than_their_picture_are_doubted() {
        let of = |plain, letters| Known { page: 1, text: None, plain, letters, smaller: false };
        let answer = |letters: usize| "word ".repeat(letters / 4);
        for (name, known, letters, long, short) in [
            ("a page made up of blank paper", of(Some(true), Some(0)), 252, true, false),
            ("little on a picture that shows hardly anything", of(Some(true), Some(0)), 248, false, false),
            ("a few lines", of(Some(true), Some(40)), 300, false, false),
            ("a picture that shows more than was counted", of(Some(false), Some(0)), 2_000, false, false),
            ("no picture", of(None, None), 2_000, false, false),
            ("three words of a full page", of(Some(false), Some(1_600)), 12, false, true),
            ("a full page", of(Some(false), Some(1_600)), 1_200, false, false),
        ] {
            let markdown = answer(letters);
            let found = (too_long(&markdown, &known).is_some(), too_short(&markdown, &known).is_some());
            assert_eq!(found, (long, short), "{name}");
        }
    }
}
