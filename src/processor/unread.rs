//! What the text layer does not tell of a page.

use crate::content::{Block, PageContent};
use crate::document::{ImageOptions, MOST_ATTACHED, PageReader, Shell, Shown, TextLayer};
use crate::task::{Failure, Finding, FindingCode, OcrLayer};

/// Why a page needs to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// It has no text that can be seen.
    NoText,
    /// Too many of its letters cannot be read.
    Undecodable,
    /// Its text was recognised by another program, and is hidden behind its picture.
    Recognised,
    /// Letters are drawn as shapes, and there is little text beside.
    Outlined,
    /// A picture shows more text than the page has, or takes most of it.
    Picture,
}

/// Fewer letters in pictures or of shapes are part of a sign or a drawing.
const FEWEST: u32 = 40;
/// So many letters in one picture are text, whatever stands beside it.
const FEWEST_UNREAD: u32 = 200;
/// So few shapes of letters count on a page that has hardly other text.
const FEWEST_OUTLINED: u32 = 16;
/// Of a page whose pictures were not looked at: how much of it they take, and below how many letters that is what it is
/// about.
const PICTURES: [(f32, u32); 2] = [(0.8, 400), (0.5, 100)];
/// The same where they were: a picture that is not plain.
const DETAILED: (f32, u32, f32) = (0.5, 60, 0.08);

impl Need {
    /// Why this page needs it; `None` when its text layer will do.
    ///
    /// Text that another program has recognised is as good or bad as that program was: it will do when it is trusted, or
    /// reads like text and lies on the ink.
    pub(super) fn of(shown: &Shown, layer: OcrLayer) -> Option<Self> {
        let visible = shown.visible_glyphs();
        let outlined = shown.outlined_letters;
        if shown.is_recognised() {
            let trusted = layer == OcrLayer::Trust || layer == OcrLayer::Auto && shown.recognised_is_sound;
            (!trusted).then_some(Self::Recognised)
        } else if visible == 0 {
            Some(Self::NoText)
        } else if shown.is_unreadable() {
            Some(Self::Undecodable)
        } else if outlined >= FEWEST && outlined >= visible / 3 || outlined >= FEWEST_OUTLINED && outlined >= visible {
            Some(Self::Outlined)
        } else {
            Self::is_picture(shown, visible).then_some(Self::Picture)
        }
    }

    fn is_picture(shown: &Shown, visible: u32) -> bool {
        let covered = shown.image_coverage;
        let (Some(letters), Some(detail)) = (shown.pictured_letters, shown.picture_detail) else {
            return PICTURES.iter().any(|(coverage, few)| covered >= *coverage && visible < *few);
        };
        let (coverage, few, least) = DETAILED;
        // A picture of a page's own text, such as a figure or a box, says what nothing beside it says.
        shown.unread_letters.is_some_and(|unread| unread >= FEWEST_UNREAD)
            || letters >= FEWEST && letters >= visible / 3
            || covered >= coverage && visible < few && detail >= least
    }

    /// As the page's `checks.route` says it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoText => "no text layer",
            Self::Undecodable => "text that cannot be decoded",
            Self::Recognised => "a scan with recognised text",
            Self::Outlined => "text that is drawn as shapes",
            Self::Picture => "mostly a picture",
        }
    }
}

/// Fewer hidden letters are not worth a word.
const FEWEST_HIDDEN: u32 = 3;

/// What is known against a page of which only the text layer was read, which may say nothing.
///
/// # Errors
/// One that may pass, of looking at the page.
pub(super) fn findings(
    reader: &mut PageReader<'_>,
    page: u32,
    layer: &TextLayer,
    ocr_layer: OcrLayer,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = of_document(&layer.shown, &layer.attached);
    if layer.content.is_empty() {
        let is_unread = shows_something(reader, page, layer.shown.image_coverage)?;
        findings.extend(is_unread.then(Finding::no_text_layer));
    } else {
        findings.extend(unread(&layer.shown).or_else(|| unknown(&layer.content)));
    }
    findings.extend(hidden(layer, ocr_layer));
    Ok(findings)
}

/// What is known of a page because of its document, with any processor: what is attached, and what its pages stand for.
pub(super) fn of_document(shown: &Shown, attached: &[String]) -> Vec<Finding> {
    let files = || (shown.shell != Some(Shell::Portfolio)).then(|| files(attached)).flatten();
    shell(shown).into_iter().chain(files()).collect()
}

/// So many files are named.
const NAMED: usize = 5;

fn files(attached: &[String]) -> Option<Finding> {
    let named = attached.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if attached.len() > NAMED { ", …" } else { "" };
    let detail = match attached.len() {
        0 => return None,
        1 => format!("1 file is attached and was not read: {named}"),
        MOST_ATTACHED.. => format!("{MOST_ATTACHED} files or more are attached and were not read: {named}{more}"),
        count => format!("{count} files are attached and were not read: {named}{more}"),
    };
    Some(Finding::fact(FindingCode::Attachments, detail))
}

fn shell(shown: &Shown) -> Option<Finding> {
    shown.shell.map(|shell| match shell {
        Shell::Portfolio => {
            Finding::new(FindingCode::Attachments, "the documents are attached to this PDF: extract them")
        }
        Shell::XfaForm => {
            Finding::new(FindingCode::XfaShell, "an XFA form, which only some viewers can show: print it to a PDF")
        }
    })
}

/// What of a page with text was not read.
fn unread(shown: &Shown) -> Option<Finding> {
    let share = |part: f32| format!("{:.0} %", part * 100.0);
    let (code, detail) = match Need::of(shown, OcrLayer::Trust)? {
        Need::Undecodable => {
            let part = shown.unreadable_share().max(shown.unmapped_share());
            // Of words that lack letters their number says more.
            let what = match shown.lost_letters {
                lost @ 1.. if part < 0.01 => format!("{lost} letters within words"),
                _ => format!("{} of its letters", share(part)),
            };
            (FindingCode::UnreadableText, format!("{what} have no known meaning"))
        }
        Need::Outlined => {
            let detail = format!("about {} letters are drawn as shapes", shown.outlined_letters);
            (FindingCode::UnreadPicture, detail)
        }
        Need::Picture => (FindingCode::UnreadPicture, format!("pictures take {} of it", share(shown.image_coverage))),
        Need::NoText | Need::Recognised => return None,
    };
    Some(Finding::new(code, detail))
}

/// Letters that stand in the text as the sign for those that nothing gives a meaning, where they are not so many that the
/// text is unreadable.
fn unknown(content: &PageContent) -> Option<Finding> {
    let signs = |block: &Block| block.text().chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    let (letters, verb) = match content.blocks.iter().map(signs).sum::<usize>() {
        0 => return None,
        1 => ("1 letter".to_owned(), "has"),
        count => (format!("{count} letters"), "have"),
    };
    Some(Finding::new(FindingCode::TextUnsure, format!("{letters} {verb} no known meaning: �")))
}

/// What became of text that cannot be seen.
fn hidden(layer: &TextLayer, ocr_layer: OcrLayer) -> Option<Finding> {
    let hidden = layer.hidden;
    if hidden.recognised {
        let detail = "recognised by another program, and not compared with the picture";
        let unsure = hidden.kept > 0 && ocr_layer != OcrLayer::Trust;
        return unsure.then(|| Finding::new(FindingCode::TextUnsure, detail));
    }
    let detail = match (hidden.dropped, hidden.kept) {
        (FEWEST_HIDDEN.., _) => format!("{} letters that cannot be seen are left out", hidden.dropped),
        (_, FEWEST_HIDDEN..) => format!("{} letters of its text cannot be seen", hidden.kept),
        _ => return None,
    };
    Some(Finding::new(FindingCode::HiddenText, detail))
}

/// How closely a page is looked at that shows no text: enough for a thin line.
const GLANCE: ImageOptions = ImageOptions { dpi: 50.0, longest_side: 1_000, max_bytes: 4 << 20, part: None };

/// Whether there is anything on a page without text. An image is something, also one that cannot be drawn.
pub(super) fn shows_something(reader: &mut PageReader<'_>, page: u32, image_coverage: f32) -> Result<bool, Failure> {
    if image_coverage > 0.0 {
        return Ok(true);
    }
    match reader.image(page, &GLANCE) {
        Ok(image) => Ok(!image.blank),
        Err(why) if why.retryable => Err(why),
        Err(_) => Ok(true),
    }
}

/// What a page without text shows at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Glance {
    /// Nothing at all.
    White,
    /// Hardly anything: paper, specks, or one word.
    Plain,
    /// Something, or it cannot be told.
    Something,
}

/// What a page shows at a glance.
///
/// # Errors
/// One that may pass.
pub(super) fn glance(reader: &mut PageReader<'_>, page: u32, shown: &Shown) -> Result<Glance, Failure> {
    // What may be one word is no speck.
    if shown.visible_glyphs() > 0 || shown.outlined_letters > 0 {
        return Ok(Glance::Something);
    }
    match reader.image(page, &GLANCE) {
        Ok(image) if image.blank => Ok(Glance::White),
        Ok(image) if image.plain => Ok(Glance::Plain),
        Err(why) if why.retryable => Err(why),
        Ok(_) | Err(_) => Ok(Glance::Something),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{BlockKind, Inline};

    #[test]
    fn letters_without_a_meaning_are_counted() {
        for (text, expected) in [
            ("all is known", None),
            ("condi�ons", Some("1 letter has no known meaning: �")),
            ("le�ers of condi�ons", Some("2 letters have no known meaning: �")),
        ] {
            let block = Block::new(BlockKind::Paragraph { text: Inline::plain(text) }, None);
            let found = unknown(&PageContent { blocks: vec![block], ..PageContent::default() });
            assert_eq!(found.map(|finding| finding.detail), expected.map(str::to_owned), "{text}");
        }
    }
}
