//! What a model is given of each page, and the pages that need no call.

use super::LlmProcessor;
use super::parts;
use super::prompt::PageInput;
use crate::content::PageContent;
use crate::document::{ImageOptions, PageFacts, PageImage, PageReader, TextOptions};
use crate::output::markdown::{self, Forms};
use crate::processor::figures;
use crate::processor::ocr::OCR;
use crate::processor::text::TEXT;
use crate::processor::unread::{self, Need};
use crate::processor::{PageRead, ShardInput};
use crate::task::{
    Failure, Finding, FindingCode, HiddenText, OcrLayer, PageChecks, PageInputKind, PageOutput, TaskOptions, code,
};

/// The most bytes of a picture: larger ones are made smaller.
const MOST_BYTES: usize = 2 << 20;

/// A page of a shard on its way.
pub(super) struct Page {
    pub(super) input: PageInput,
    /// Where its picture would be too narrow to be read: pictures of its parts, from its top to its foot, in its place;
    pub(super) parts: Vec<PageImage>,
    /// or from left to right.
    pub(super) across: bool,
    /// What is known of it whatever the model says.
    pub(super) about: Vec<Finding>,
    /// Its text layer, where that can be trusted.
    pub(super) text: Option<String>,
    /// Whether its picture is smaller than it was asked for, because the model takes no larger one.
    pub(super) smaller: bool,
}

/// What was seen of a page.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact about the page")]
struct Seen {
    sound: bool,
    text: String,
    image: Option<PageImage>,
    parts: Vec<PageImage>,
    across: bool,
    /// Whether there is nothing on it that a model could be asked for.
    nothing: bool,
    /// Whether it shows something that a model without its picture does not see.
    unread: bool,
    about: Vec<Finding>,
    /// The pixels of its longer side, where the model takes no picture as large as was asked for.
    shrunk: Option<u32>,
}

impl LlmProcessor {
    /// What the model is given of each page, and the pages that need no call: empty ones, and those that cannot be read.
    pub(super) fn look(&self, input: &ShardInput<'_>, model: &str) -> Result<(Vec<Page>, Vec<PageRead>), Failure> {
        let mut reader = input.reader();
        let (mut pages, mut read) = (Vec::new(), Vec::new());
        for page in input.shard.pages() {
            match self.see(input, model, &mut reader, page) {
                // What a model would have to look at, and may not.
                Ok(seen) if seen.unread && self.falls_back_on(OCR, input.options) => {
                    match self.recognised(input, &mut reader, page, "no picture is sent") {
                        Err(why) if why.retryable => return Err(why),
                        Ok(output) => read.push(PageRead { page, result: Ok(output) }),
                        Err(_) => read.push(self.unasked(input, page, seen)),
                    }
                }
                Ok(seen) if seen.nothing => read.push(self.unasked(input, page, seen)),
                Ok(Seen { sound, text, image, parts, across, about, shrunk, .. }) => {
                    let unseen = image.as_ref().is_none_or(|image| image.blank) && parts.is_empty();
                    let shown = self.input_kind(input.options) == PageInputKind::Image;
                    let given = ((!shown || unseen) && !text.is_empty()).then(|| text.clone());
                    let text = Some(text).filter(|_| sound);
                    let input = PageInput { page, text: given, image, part: None };
                    pages.push(Page { input, parts, across, about, text, smaller: shrunk.is_some() });
                }
                Err(why) if why.retryable => return Err(why),
                // No model will see it, but its text may be read all the same.
                Err(why) if self.falls_back_on(TEXT, input.options) => {
                    let result = self.text_of(input, &mut reader, page, &why.code);
                    read.push(PageRead { page, result: result.map_err(|_| why) });
                }
                Err(why) => read.push(PageRead { page, result: Err(why) }),
            }
        }
        Ok((pages, read))
    }

    fn see(
        &self,
        input: &ShardInput<'_>,
        model: &str,
        reader: &mut PageReader<'_>,
        page: u32,
    ) -> Result<Seen, Failure> {
        let kind = self.input_kind(input.options);
        let facts = reader.facts(page)?;
        let shown = &facts.shown;
        // Of what is only in its picture, its text is no measure.
        let sound = Need::of(shown, OcrLayer::Reread).is_none();
        let text = if sound || kind != PageInputKind::Image {
            let mut content = reader.text_layer(page, visible(input.options, &facts))?.content;
            leave_out_targets(&mut content);
            markdown::page_with(&content, Forms::SAID)
        } else {
            String::new()
        };
        let asked = (MOST_BYTES, self.image_side(input.options));
        let (max_bytes, longest_side) = self.capabilities.of(model).picture(asked.0, asked.1);
        let options = ImageOptions { longest_side, max_bytes, ..ImageOptions::default() };
        let mut parts = Vec::new();
        if kind != PageInputKind::Text {
            for part in parts::of(facts.width, facts.height, longest_side) {
                parts.push(reader.image(page, &ImageOptions { part: Some(part), ..options })?);
            }
        }
        // White parts prove nothing unless others are drawn.
        if parts.iter().all(|part| part.blank) {
            parts.clear();
        }
        let whole = kind != PageInputKind::Text && parts.is_empty();
        let image = whole.then(|| reader.image(page, &options)).transpose()?;
        let empty = shown.visible_glyphs() == 0 && shown.image_coverage == 0.0;
        let unseen = image.as_ref().is_none_or(|image| image.blank) && parts.is_empty();
        // Nothing to transcribe: no call, and no invented text. But a picture that is white although something should be on
        // it proves nothing; paper without anything on it does.
        let bare = shown.glyphs == 0 && image.as_ref().is_some_and(|image| image.bare);
        let nothing = if kind == PageInputKind::Text { text.is_empty() } else { unseen && empty || bare };
        // Of a page without text a model that is given only text would see nothing.
        let unread = kind == PageInputKind::Text
            && text.is_empty()
            && unread::shows_something(reader, page, shown.image_coverage)?;
        let mut about = unread::of_document(shown, &facts.attached);
        let shrunk = ((max_bytes, longest_side) != asked)
            .then(|| shrunk(image.iter().chain(&parts), asked.1, facts.width.max(facts.height), options.dpi))
            .flatten();
        about.extend(shrunk.map(|side| {
            let detail =
                format!("the model takes no larger picture of it than one of {side} pixels on its longer side");
            Finding::fact(FindingCode::Unsure, detail)
        }));
        let across = facts.width > facts.height;
        Ok(Seen { sound, text, image, parts, across, nothing, unread, about, shrunk })
    }

    /// A page that no model is asked for.
    fn unasked(&self, input: &ShardInput<'_>, page: u32, seen: Seen) -> PageRead {
        let findings = seen.about.into_iter().chain(seen.unread.then(Finding::no_text_layer)).collect();
        PageRead { page, result: Ok(PageOutput { findings, ..self.output(input, PageContent::default()) }) }
    }

    fn falls_back_on(&self, reader: &str, options: &TaskOptions) -> bool {
        self.fallback(options).contains(&reader)
    }

    pub(super) fn output(&self, input: &ShardInput<'_>, content: PageContent) -> PageOutput {
        let processor = crate::processor::Processor::name(self).to_owned();
        PageOutput { content, processor, attempts: input.attempt, ..PageOutput::default() }
    }

    /// The text layer of a page that no model could read.
    pub(super) fn text_of(
        &self,
        input: &ShardInput<'_>,
        reader: &mut PageReader<'_>,
        page: u32,
        why: &str,
    ) -> Result<PageOutput, Failure> {
        let facts = reader.facts(page)?;
        let options = visible(input.options, &facts);
        let mut layer = reader.text_layer(page, options)?;
        if layer.content.is_empty() {
            let message = if facts.shown.glyphs > 0 {
                "no model could read the page, and its text layer cannot be seen or does not lie on its ink"
            } else {
                "no model could read the page, and it has no text layer"
            };
            return Err(Failure::permanent(code::BAD_ANSWER, message));
        }
        let mut findings = unread::findings(reader, page, &layer, options.ocr_layer)?;
        let (image_files, left_out) = figures::extract(reader, page, &mut layer.content, input.options)?;
        findings.extend(left_out);
        let checks = PageChecks { route: Some(format!("fallback: {why}")), ..PageChecks::default() };
        let output = PageOutput { checks: Some(checks), degraded: true, findings, ..self.output(input, layer.content) };
        Ok(PageOutput { processor: TEXT.to_owned(), image_files, ..output })
    }
}

/// The pixels of the longer side of pictures that have fewer of them than were asked for, of a page of so many points.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 8192")]
fn shrunk<'a>(pictures: impl Iterator<Item = &'a PageImage>, asked: u32, points: f32, dpi: f32) -> Option<u32> {
    let full = asked.min((points / 72.0 * dpi) as u32);
    // Pictures are rounded to whole pixels.
    pictures.map(|image| image.width.max(image.height)).max().filter(|side| side + 2 < full)
}

/// Leaves out where links lead that the page does not show: who reads the page does not see it, and so no model does.
fn leave_out_targets(content: &mut PageContent) {
    let bare =
        |link: &str| link.trim_start_matches("https://").trim_start_matches("http://").trim_matches('/').to_owned();
    for block in &mut content.blocks {
        block.each_text(&mut |text| {
            let shown = text.text();
            let is_shown = |link: &String| shown.contains(&bare(link));
            text.runs.iter_mut().for_each(|run| run.link = run.link.take().filter(is_shown));
        });
    }
}

/// Of its text layer what can be seen, and what another program has recognised where that lies on the ink: nothing hidden
/// gets into a prompt, or into a result in place of a model's.
fn visible(options: &TaskOptions, facts: &PageFacts) -> TextOptions {
    let ocr_layer = match options.ocr_layer.unwrap_or_default() {
        OcrLayer::Auto if facts.shown.recognised_is_sound => OcrLayer::Trust,
        OcrLayer::Auto => OcrLayer::Reread,
        chosen => chosen,
    };
    TextOptions { hidden_text: HiddenText::Drop, ocr_layer }
}
