//! The processor that recognises text on the pictures of pages, on this machine: without a network, for free.
//!
//! The installed models read Latin, Chinese and Japanese; Tesseract, where it is found, the languages that a task
//! names in other scripts, and whatever a task wants it for.

mod languages;

use std::time::Instant;

use serde_json::{Value, json};

use self::languages::{has_script_of_models, tesseract_names};
use super::unread::{self, Glance};
use super::{PageRead, Processor, ShardInput, ShardOutcome, Step, TextProcessor};
use crate::document::{ImageOptions, OcrModels, OcrQuality, PageFacts, PageReader, Recognised, Tesseract};
use crate::output::text;
use crate::task::{Failure, Finding, FindingCode, OcrEngine, PageOutput, TaskOptions, code};

/// Recognises text on pictures of pages.
#[derive(Debug)]
pub struct OcrProcessor {
    has_models: bool,
    tesseract: Option<Asked>,
}

/// Tesseract, and what it said when it was found: code that looks at tasks must not wait for a program.
#[derive(Debug)]
struct Asked {
    program: Tesseract,
    version: String,
    languages: Vec<String>,
}

impl Asked {
    fn of(program: Tesseract) -> Option<Self> {
        // Both at once: a server that starts waits for them.
        let said = std::thread::scope(|scope| -> std::io::Result<_> {
            let languages = scope.spawn(|| program.languages(Tesseract::ANSWER));
            let version = program.version(Tesseract::ANSWER)?;
            Ok((version, languages.join().unwrap_or_else(|_| Err(std::io::Error::other("it does not answer")))?))
        });
        match said {
            Ok((version, languages)) => Some(Self { program, version, languages }),
            Err(why) => {
                log::warn!("tesseract is not used: it cannot be asked for its version and languages: {why}");
                None
            }
        }
    }
}

/// The name that tasks choose it by, also among fallbacks.
pub(crate) const OCR: &str = "ocr";
/// Part of the ledger's key: raise it whenever the same page would come out differently.
const VERSION: u32 = 6;
/// A page whose letters are less sure on average is doubtful,
const SURE: f32 = 0.9;
/// and so is one on which more than one of so many lines is left out as unsure.
const LEFT_OUT: u32 = 5;
/// What Tesseract is given of a page.
const PICTURE: ImageOptions = ImageOptions { dpi: 300.0, longest_side: 8_192, max_bytes: 32 << 20, part: None };

/// With what a task is read.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Means {
    Models,
    /// In these languages, as it names them.
    Tesseract(Vec<String>),
}

impl OcrProcessor {
    /// What is there to recognise text with; `None` when nothing is. Asks Tesseract what it is, which takes it a moment;
    /// one that does not say so within ten seconds is not used, and the log says so.
    #[must_use]
    pub fn new(models: Option<&OcrModels>, tesseract: Option<Tesseract>) -> Option<Self> {
        let has_models = models.is_some();
        let tesseract = tesseract.and_then(Asked::of);
        let some = has_models || tesseract.is_some();
        some.then_some(Self { has_models, tesseract })
    }

    /// Whether the models are there, so that scans can be read without anything being said.
    #[must_use]
    pub const fn has_models(&self) -> bool {
        self.has_models
    }

    /// Whether a task that names nothing else has its scans read.
    pub(super) fn is_wanted(&self, options: &TaskOptions) -> bool {
        self.means(options).is_ok()
    }

    fn means(&self, options: &TaskOptions) -> Result<Means, Failure> {
        let refuse = |why: String| Failure::permanent(code::BAD_OPTION, why);
        let languages = options.ocr_languages.as_deref().unwrap_or_default();
        let other = languages.iter().find(|language| !has_script_of_models(language));
        match options.ocr.unwrap_or_default() {
            OcrEngine::Off => Err(refuse("option ocr: it is off".to_owned())),
            OcrEngine::Auto if other.is_some() && self.tesseract.is_none() => Err(refuse(format!(
                "option ocr_languages: the models do not read {}; install Tesseract with that language on the server",
                other.map_or("", String::as_str)
            ))),
            OcrEngine::Auto if other.is_none() && self.has_models => Ok(Means::Models),
            OcrEngine::Pp if other.is_some() => Err(refuse(format!(
                "option ocr_languages: the models do not read {}; leave ocr out, or say tesseract",
                other.map_or("", String::as_str)
            ))),
            OcrEngine::Pp if self.has_models => Ok(Means::Models),
            OcrEngine::Tesseract if self.tesseract.is_none() => {
                Err(refuse("option ocr: there is no tesseract on the server's PATH".to_owned()))
            }
            OcrEngine::Tesseract => Ok(Means::Tesseract(tesseract_names(languages))),
            OcrEngine::Auto if other.is_some() => Ok(Means::Tesseract(tesseract_names(languages))),
            OcrEngine::Auto | OcrEngine::Pp => Err(refuse(format!("option ocr: {NO_MODELS}"))),
        }
    }

    /// Whether text can be recognised as a task wants it.
    ///
    /// # Errors
    /// `bad_option`.
    pub(super) fn check_means(&self, options: &TaskOptions) -> Result<(), Failure> {
        let Means::Tesseract(wanted) = self.means(options)? else { return Ok(()) };
        let known = self.tesseract.as_ref().map_or(&[][..], |tesseract| &tesseract.languages);
        match wanted.into_iter().find(|language| !known.contains(language)) {
            Some(language) => {
                let known = known.join(", ");
                let message = format!("option ocr_languages: Tesseract has no {language} on the server, but {known}");
                Err(Failure::permanent(code::BAD_OPTION, message))
            }
            None => Ok(()),
        }
    }

    /// A step that recognises text. Each page takes seconds.
    pub(super) fn step(recipe: Value) -> Step {
        Step { shard_pages: 1, ..Step::local(OCR, recipe) }
    }

    /// The recipe of its pages.
    pub(super) fn recipe(&self, options: &TaskOptions) -> Value {
        let means = match self.means(options) {
            Ok(Means::Tesseract(languages)) => {
                let version = self.tesseract.as_ref().map(|tesseract| &tesseract.version);
                json!({ "tesseract": version, "languages": languages })
            }
            Ok(Means::Models) => json!({ "models": OcrModels::checksum() }),
            Err(_) => json!(null),
        };
        json!({ "processor": OCR, "version": VERSION, "by": means })
    }

    /// What the picture of a page says; nothing of one that is blank.
    ///
    /// # Errors
    /// Of the page, or one that may pass.
    pub(super) fn read_page(
        &self,
        input: &ShardInput<'_>,
        reader: &mut PageReader<'_>,
        page: u32,
    ) -> Result<PageOutput, Failure> {
        let begun = Instant::now();
        let facts = reader.facts(page)?;
        let mut findings = unread::of_document(&facts.shown, &facts.attached);
        let output = |recognised: Recognised, findings: Vec<Finding>| PageOutput {
            content: recognised.content,
            findings,
            processor: OCR.to_owned(),
            attempts: input.attempt,
            ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            ..PageOutput::default()
        };
        let glance = unread::glance(reader, page, &facts.shown)?;
        if glance == Glance::White {
            return Ok(output(Recognised::default(), findings));
        }
        let recognised = self.recognise(input, reader, page, &facts)?;
        let OcrQuality { unread, left_out, .. } = recognised.quality;
        // One word, or a whole page of faint ones, looks like paper: only where nothing is found on it either it is that.
        if glance == Glance::Plain && recognised.content.is_empty() && unread + left_out == 0 {
            return Ok(output(recognised, findings));
        }
        let unread = self.unread(unread);
        findings.push(match unread {
            None if recognised.content.is_empty() => Finding::nothing_recognised(),
            Some(unread) if recognised.content.is_empty() => {
                Finding::new(FindingCode::NoTextLayer, format!("OCR reads nothing of it; {unread}"))
            }
            unread => {
                finding(recognised.quality, unread.as_deref(), lacks_letters(&text::blocks(&recognised.content.blocks)))
            }
        });
        Ok(output(recognised, findings))
    }

    /// What is said of so many lines whose letters the models seem to lack, and what to do.
    fn unread(&self, lines: u32) -> Option<String> {
        let what = match lines {
            0 => return None,
            1 => "1 line has letters that were not read".to_owned(),
            count => format!("{count} lines have letters that were not read"),
        };
        Some(match &self.tesseract {
            Some(tesseract) => {
                let known = tesseract.languages.join(", ");
                format!("{what}: name their language by ocr_languages, and Tesseract reads them (it has {known})")
            }
            None => {
                format!("{what}: install Tesseract with their language on the server, and name it by ocr_languages")
            }
        })
    }

    /// What is recognised on the picture of a page.
    ///
    /// # Errors
    /// Of the page, or one that may pass.
    pub(super) fn recognise(
        &self,
        input: &ShardInput<'_>,
        reader: &mut PageReader<'_>,
        page: u32,
        facts: &PageFacts,
    ) -> Result<Recognised, Failure> {
        match (self.means(input.options)?, &self.tesseract) {
            (Means::Tesseract(languages), Some(tesseract)) => {
                let picture = reader.image(page, &PICTURE)?;
                let size = (facts.width, facts.height);
                tesseract.program.read(&picture, size, &languages, input.deadline, input.cancel)
            }
            _ => reader.recognise(page),
        }
    }

    /// Whether it reads the script of these letters for a task: the models do not know all.
    #[cfg(feature = "llm")]
    pub(super) fn reads_script_of(&self, text: &str, options: &TaskOptions) -> bool {
        if self.means(options) != Ok(Means::Models) {
            return true;
        }
        let letters = || text.chars().filter(|c| c.is_alphabetic());
        let all = letters().count();
        letters().filter(|c| !is_of_models(*c)).count() * 4 <= all
            && letters().filter(|c| is_vietnamese(*c)).count() * VIETNAMESE <= all
    }
}

/// Whether the dictionary of the models has the script of a letter: Latin, Chinese or Japanese. It has Greek letters as they
/// stand in formulas, none with an accent and no final sigma: a third of what running text says would be missing.
#[cfg(feature = "llm")]
const fn is_of_models(c: char) -> bool {
    matches!(c, '\0'..='\u{36f}' | '\u{1d00}'..='\u{1eff}' | '\u{2000}'..='\u{218f}' | '\u{2c60}'..='\u{2c7f}' | '\u{2e80}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{a720}'..='\u{a7ff}' | '\u{f900}'..='\u{fb06}' | '\u{ff00}'..='\u{ff9f}'
        | '\u{1d400}'..='\u{1d7ff}' | '\u{20000}'..='\u{3ffff}')
}

/// Of Vietnamese letters the models know those alone that have one accent: a seventh of a text would be missing. More than one
/// of so many letters of it are such as no other language has.
#[cfg(feature = "llm")]
const VIETNAMESE: usize = 20;

const fn is_vietnamese(c: char) -> bool {
    matches!(c, '\u{1ea0}'..='\u{1ef9}')
}

/// Whether a recognised text is Vietnamese without most of its accented letters: it has those with a horn alone, which the models
/// know, and no other language has.
fn lacks_letters(text: &str) -> bool {
    const HORNED: [char; 4] = ['ơ', 'ư', 'Ơ', 'Ư'];
    const ONE_OF: usize = 200;
    let horned = text.chars().filter(|c| HORNED.contains(c)).count();
    let all = text.chars().filter(|c| c.is_alphabetic()).count();
    horned > 1 && horned * ONE_OF >= all && !text.chars().any(is_vietnamese)
}

/// What is said where nothing can read scans.
pub(super) const NO_MODELS: &str = "the OCR models are not installed; see bindery models install --help";

/// Why most lines of a page may be unsure.
const OTHER_SCRIPT: &str = ", perhaps of a script that only Tesseract reads: see ocr_languages";

/// Why letters are missing that no confidence tells of.
const LACKS_LETTERS: &str =
    "; it seems to be Vietnamese, many letters of which only Tesseract reads: see ocr_languages";

/// How sure a page is, what is said of lines that were not read, and by its text whether the models know its letters.
fn finding(quality: OcrQuality, unread: Option<&str>, lacks_letters: bool) -> Finding {
    let OcrQuality { confidence, lines, left_out, shone_through, turned, .. } = quality;
    let doubtful = lacks_letters || unread.is_some() || confidence < SURE || left_out * LEFT_OUT > lines;
    let sure = format!("recognised on its picture, {:.0} % sure", (confidence * 100.0).floor());
    let turned = if turned > 0 { format!("; it was turned by {turned} degrees") } else { String::new() };
    let missing = match left_out {
        0 => String::new(),
        1 => "; 1 line that is too unsure is left out".to_owned(),
        count => format!("; {count} lines that are too unsure are left out"),
    };
    let shining = match shone_through {
        0 => String::new(),
        1 => "; 1 line that shines through from the other side of the paper is left out".to_owned(),
        count => format!("; {count} lines that shine through from the other side of the paper are left out"),
    };
    let script = if left_out * LEFT_OUT > lines && unread.is_none() { OTHER_SCRIPT } else { "" };
    let letters = if lacks_letters { LACKS_LETTERS } else { "" };
    let unread = unread.map(|unread| format!("; {unread}")).unwrap_or_default();
    let detail = [&sure, &turned, &missing, &shining, script, &unread, letters].concat();
    Finding { fact: !doubtful, ..Finding::new(FindingCode::Ocr, detail) }
}

impl Processor for OcrProcessor {
    fn name(&self) -> &'static str {
        OCR
    }

    fn steps(&self, options: &TaskOptions, _: Option<&PageFacts>) -> Vec<Step> {
        vec![Self::step(self.recipe(options))]
    }

    fn check(&self, options: &TaskOptions) -> Result<(), Failure> {
        match TextProcessor::for_a_model(options) {
            Some(name) => {
                let message = format!("option {name}: the ocr processor uses no model; choose processor=auto or llm");
                Err(Failure::permanent(code::BAD_OPTION, message))
            }
            None => self.check_means(options),
        }
    }

    fn is_isolated(&self) -> bool {
        true
    }

    fn process(&self, input: &ShardInput<'_>) -> ShardOutcome {
        let mut reader = input.reader();
        let mut pages = Vec::new();
        for page in input.shard.pages() {
            if input.cancel.is_cancelled() {
                return ShardOutcome::Cancelled;
            }
            match self.read_page(input, &mut reader, page) {
                Err(why) if why.retryable => return ShardOutcome::Failed(why),
                result => pages.push(PageRead { page, result }),
            }
        }
        ShardOutcome::Done(pages)
    }
}

#[cfg(test)]
pub(in crate::processor) mod tests {
    use super::*;

    /// With what is there, Tesseract with English.
    pub(in crate::processor) fn processor(has_models: bool, tesseract: bool) -> OcrProcessor {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("tesseract"), "").unwrap();
        let asked = |program| Asked { program, version: "tesseract 5".into(), languages: vec!["eng".into()] };
        let tesseract = Tesseract::find(dir.path().as_os_str()).filter(|_| tesseract).map(asked);
        OcrProcessor { has_models, tesseract }
    }

    #[test]
    fn options_that_mean_nothing_to_it_are_refused() {
        for (name, value, word) in [
            ("model", "m", "uses no model"),
            ("prompt", "p", "uses no model"),
            ("max_cost", "1", "uses no model"),
            ("ocr", "off", "it is off"),
            ("ocr_languages", "ru", "has no rus on the server, but eng"),
        ] {
            let mut options = TaskOptions::default();
            options.set(name, value).unwrap();
            let why = processor(true, true).check(&options).unwrap_err();
            assert!(why.message.contains(word), "{name}: {why}");
        }
        assert_eq!(processor(true, true).check(&TaskOptions::default()), Ok(()));
    }

    #[test]
    fn a_program_that_says_no_version_is_none() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("tesseract"), "").unwrap();
        assert!(OcrProcessor::new(None, Tesseract::find(dir.path().as_os_str())).is_none());
    }

    #[test]
    fn who_reads_what() {
        let tesseract = |languages: &[&str]| Ok(Means::Tesseract(languages.iter().map(ToString::to_string).collect()));
        // Models, Tesseract; what a task says; what reads it, or a word of why nothing does.
        for (models, program, ocr, languages, expected) in [
            (true, true, "", "", Ok(Means::Models)),
            (true, false, "", "de,zh,xx", Ok(Means::Models)),
            (true, true, "", "ru,en", tesseract(&["rus", "eng"])),
            (true, true, "", "ara", tesseract(&["ara"])),
            (true, false, "", "ko", Err("do not read ko")),
            (true, true, "", "el", tesseract(&["ell"])),
            (true, true, "", "vi", tesseract(&["vie"])),
            (true, true, "pp", "de", Ok(Means::Models)),
            (true, true, "pp", "de,ru", Err("do not read ru")),
            (true, true, "tesseract", "", tesseract(&["eng"])),
            (true, false, "tesseract", "", Err("no tesseract")),
            (true, true, "off", "", Err("it is off")),
            (false, true, "", "", Err("not installed")),
            (false, true, "", "uk", tesseract(&["ukr"])),
            (false, true, "tesseract", "zh_TW,lat", tesseract(&["chi_tra", "lat"])),
            (false, true, "pp", "", Err("not installed")),
        ] {
            let mut options = TaskOptions::default();
            options.set("ocr", ocr).unwrap();
            options.set("ocr_languages", languages).unwrap();
            let means = processor(models, program).means(&options);
            match (&means, expected) {
                (Ok(means), Ok(expected)) => assert_eq!(*means, expected, "{ocr} {languages}"),
                (Err(why), Err(word)) => assert!(why.message.contains(word), "{why}"),
                other => panic!("{ocr} {languages}: {other:?}"),
            }
        }
    }

    #[test]
    fn vietnamese_without_its_letters_is_doubtful_however_sure() {
        // As the models read it, as Tesseract does, and other languages with the letters of either.
        for (text, lacks) in [
            ("Sách mưn trong thi gian này đưc gia hn thêm 21 ngày và không phài trà tin pht.", true),
            ("Sách mượn trong thời gian này được gia hạn thêm 21 ngày và không phải trả tiền phạt.", false),
            ("Đorđe je došao u Đakovo, češće nego što smo očekivali.", false),
            ("A page about the letter ư, of which there is one.", false),
        ] {
            assert_eq!(lacks_letters(text), lacks, "{text}");
        }
        let sure = OcrQuality { confidence: 0.99, letters: 400, lines: 20, ..OcrQuality::default() };
        let found = finding(sure, None, true);
        assert!(!found.fact && found.detail.contains("Vietnamese"), "{found:?}");
        let processor = processor(true, true);
        let reads = |text: &str| processor.reads_script_of(text, &TaskOptions::default());
        assert!(!reads("Sách mượn trong thời gian này được gia hạn thêm 21 ngày và không phải trả tiền phạt."));
        assert!(reads("The poet Nguyễn Du was born in the north and wrote about a girl who was sold twice."));
    }

    #[test]
    fn what_is_unsure_is_doubtful() {
        for (confidence, lines, left_out, turned, fact, detail) in [
            (0.999, 40, 0, 0, true, "recognised on its picture, 99 % sure"),
            (0.71, 40, 0, 90, false, "recognised on its picture, 71 % sure; it was turned by 90 degrees"),
            (0.99, 40, 8, 0, true, "recognised on its picture, 99 % sure; 8 lines that are too unsure are left out"),
            (
                0.99,
                4,
                1,
                0,
                false,
                "recognised on its picture, 99 % sure; 1 line that is too unsure is left out, \
            perhaps of a script that only Tesseract reads: see ocr_languages",
            ),
        ] {
            let quality = OcrQuality { confidence, letters: 100, lines, left_out, turned, ..OcrQuality::default() };
            assert_eq!(finding(quality, None, false), Finding { code: FindingCode::Ocr, detail: detail.into(), fact });
            let thin = finding(OcrQuality { shone_through: 1, ..quality }, None, false);
            assert!(thin.fact == fact && thin.detail.contains("; 1 line that shines through"), "{thin:?}");
        }
    }
}
