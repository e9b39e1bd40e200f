//! What a request to docling-serve asks for.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::super::error::ApiError;
use super::super::super::upload::{Fields, bad_form};
use super::super::unprocessable;
use crate::task::{FigureForm, OcrEngine, OcrLayer, ResultFormat, TaskOptions};

/// What stands between pages stands with the task, and as often as it has pages.
const LONGEST_BREAK: usize = 1_000;
const MOST_FORMATS: usize = 16;

/// A form of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Md,
    Json,
    Html,
    Text,
}

/// Where the result goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Target {
    /// Into the answer.
    #[default]
    Inbody,
    /// The same, as files of an archive.
    Zip,
    /// To this address, as an archive.
    Put(String),
}

impl Target {
    const fn is_answer(&self) -> bool {
        matches!(self, Self::Inbody)
    }

    /// Whether the result is an archive.
    pub(super) const fn is_archive(&self) -> bool {
        !self.is_answer()
    }
}

/// What a request asks for, as far as it means something here.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) formats: Vec<Format>,
    /// Asked for, and not written here.
    pub(super) unknown_formats: Vec<String>,
    /// Whether formats were asked for: the first one replaces the default.
    names_formats: bool,
    /// Stands between two pages of the Markdown, where it is not empty.
    pub(super) page_break: String,
    /// Pieces for retrieval instead of the document: about how many tokens each has at most.
    pub(super) chunk_tokens: Option<u32>,
    /// Where the result goes.
    pub(super) target: Target,
    /// The files of figures, too.
    pub(super) images: bool,
    pub(super) file_name: Option<String>,
    pages: Vec<u64>,
    reread: bool,
    /// Off where nothing is to be recognised.
    ocr: Option<OcrEngine>,
    password: Option<String>,
}

/// What of that the task keeps for its answer.
#[derive(Serialize, Deserialize)]
struct Kept {
    to_formats: Vec<Format>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    unknown_formats: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    page_break: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chunk_tokens: Option<u32>,
    #[serde(default, skip_serializing_if = "Target::is_answer")]
    target: Target,
    /// An archive, as tasks said that were made before there were other targets.
    #[serde(default, skip_serializing)]
    zip: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    images: bool,
}

/// Options of docling-serve that mean nothing to another reader of pages. Each is named in the log once.
const MEANINGLESS: [&str; 22] = [
    "from_formats",
    "images_scale",
    "include_images",
    "ocr_engine",
    "ocr_lang",
    "ocr_preset",
    "pdf_backend",
    "pipeline",
    "table_mode",
    "table_cell_matching",
    "do_table_structure",
    "document_timeout",
    "abort_on_error",
    "do_code_enrichment",
    "do_formula_enrichment",
    "do_picture_classification",
    "do_picture_description",
    "picture_description_area_threshold",
    "picture_description_local",
    "picture_description_api",
    "vlm_pipeline_model",
    "callbacks",
];
static SAID: [AtomicBool; MEANINGLESS.len()] = [const { AtomicBool::new(false) }; MEANINGLESS.len()];

impl Default for Asked {
    fn default() -> Self {
        Self {
            formats: vec![Format::Md],
            unknown_formats: Vec::new(),
            names_formats: false,
            page_break: String::new(),
            chunk_tokens: None,
            target: Target::Inbody,
            images: false,
            file_name: None,
            pages: Vec::new(),
            reread: false,
            ocr: None,
            password: None,
        }
    }
}

impl Asked {
    /// Asks for pieces.
    pub(super) fn chunks() -> Self {
        Self { chunk_tokens: Some(ResultFormat::CHUNK_TOKENS), ..Self::default() }
    }

    /// The same with the options and the target of a request in JSON.
    pub(super) fn with(self, options: &Map<String, Value>, target: Option<&Value>) -> Result<Self, ApiError> {
        let mut asked = self;
        for (name, value) in options {
            for text in texts(value) {
                asked.take(name, &text)?;
            }
        }
        if let Some(target) = target {
            asked.target = self::target(target["kind"].as_str().unwrap_or_default(), target["url"].as_str())?;
        }
        Ok(asked)
    }

    /// As a task keeps it.
    pub(super) fn kept(options: &TaskOptions) -> Self {
        let kept = options.wire.clone().and_then(|kept| serde_json::from_value::<Kept>(kept["docling"].clone()).ok());
        let Some(Kept { to_formats, unknown_formats, page_break, chunk_tokens, target, zip, images }) = kept else {
            return Self::default();
        };
        let target = if zip { Target::Zip } else { target };
        Self { formats: to_formats, unknown_formats, page_break, chunk_tokens, target, images, ..Self::default() }
    }

    /// The same as options of a task.
    pub(super) fn options(&self) -> Result<TaskOptions, ApiError> {
        let kept = Kept {
            to_formats: self.formats.clone(),
            unknown_formats: self.unknown_formats.clone(),
            page_break: self.page_break.clone(),
            chunk_tokens: self.chunk_tokens,
            target: self.target.clone(),
            zip: false,
            images: self.images,
        };
        let mut options = TaskOptions {
            wire: Some(serde_json::json!({ "docling": kept })),
            password: self.password.clone(),
            ocr_layer: self.reread.then_some(OcrLayer::Reread),
            ocr: self.ocr,
            images: self.images.then_some(FigureForm::Extract),
            ..TaskOptions::default()
        };
        if let Some(pages) = page_range(&self.pages)? {
            options.set("pages", &pages).map_err(|error| unprocessable(format!("page_range: {error}")))?;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        // Forms for pieces say which options are about the document.
        let name = name.strip_prefix("convert_").filter(|_| self.chunk_tokens.is_some()).unwrap_or(name);
        match name {
            "chunking_max_tokens" | "max_tokens" if self.chunk_tokens.is_some() => {
                let sizes = ResultFormat::CHUNK_SIZES;
                let tokens = value.trim().parse::<u32>().map_err(|_| unprocessable("max_tokens: must be a number"))?;
                self.chunk_tokens = Some(tokens.clamp(*sizes.start(), *sizes.end()));
            }
            "to_formats" if self.formats.len() + self.unknown_formats.len() >= MOST_FORMATS => {
                return Err(unprocessable("to_formats: too many"));
            }
            "to_formats" => {
                if !std::mem::replace(&mut self.names_formats, true) {
                    self.formats.clear();
                }
                match serde_json::from_value(value.into()) {
                    Ok(format) => self.formats.push(format),
                    Err(_) => self.unknown_formats.push(value.chars().take(40).collect()),
                }
            }
            "md_page_break_placeholder" if value.len() > LONGEST_BREAK => {
                return Err(unprocessable(format!("md_page_break_placeholder: longer than {LONGEST_BREAK} bytes")));
            }
            "md_page_break_placeholder" => value.clone_into(&mut self.page_break),
            "page_range" if self.pages.len() >= 2 => {
                return Err(unprocessable("page_range: must be two numbers of pages"));
            }
            "page_range" => {
                let page =
                    value.trim().parse().map_err(|_| unprocessable("page_range: must be two numbers of pages"))?;
                self.pages.push(page);
            }
            "force_ocr" => self.reread = value.eq_ignore_ascii_case("true") || value == "1",
            "pdf_password" | "password" if value.len() > TaskOptions::MAX_TEXT => {
                return Err(unprocessable("password: too long"));
            }
            "do_ocr" => {
                let off = value.eq_ignore_ascii_case("false") || value == "0";
                self.ocr = off.then_some(OcrEngine::Off);
            }
            "pdf_password" | "password" => self.password = (!value.is_empty()).then(|| value.to_owned()),
            "target_type" => self.target = target(value, None)?,
            "image_export_mode" => self.images = ["embedded", "referenced"].contains(&value),
            _ => unheeded(name),
        }
        Ok(())
    }
}

impl Fields for Asked {
    const FILE: &'static str = "files";

    fn file_named(&mut self, name: Option<String>) {
        self.file_name = name;
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), ApiError> {
        // Fields come one by one; a list is its field repeated, or JSON.
        let list = serde_json::from_str::<Vec<Value>>(value).ok();
        let values = list.map_or_else(|| vec![value.to_owned()], |list| list.iter().flat_map(texts).collect());
        values.iter().try_for_each(|value| self.take(name, value).map_err(|error| bad_form(error.detail())))
    }
}

/// Where the result goes, by its kind and, for some, an address.
fn target(kind: &str, url: Option<&str>) -> Result<Target, ApiError> {
    match (kind, url) {
        ("" | "inbody", _) => Ok(Target::Inbody),
        ("zip", _) => Ok(Target::Zip),
        ("put", Some(url)) if url.len() <= TaskOptions::MAX_TEXT => Ok(Target::Put(url.to_owned())),
        ("put", _) => Err(unprocessable("target put: needs a url, in a request in JSON")),
        // The client understands this text, and asks for the result in the answer instead.
        ("presigned_url", _) => {
            Err(unprocessable("target presigned_url needs artifact storage to be configured: ask for inbody"))
        }
        (other, _) => Err(unprocessable(format!("target {other:?} is not there: ask for inbody, zip or put"))),
    }
}

/// A range of pages as ours. An end behind the last page is the last page.
fn page_range(pages: &[u64]) -> Result<Option<String>, ApiError> {
    match *pages {
        [] => Ok(None),
        [1, to] if to > u64::from(u32::MAX) => Ok(None),
        [from, to] if to > u64::from(u32::MAX) => Ok(Some(format!("{from}-"))),
        [from, to] => Ok(Some(format!("{from}-{to}?"))),
        _ => Err(unprocessable("page_range: must be two numbers of pages")),
    }
}

/// The values of an option: those of a list, one by one. What is null is not given.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}

fn unheeded(name: &str) {
    let at = MEANINGLESS.iter().position(|known| *known == name);
    if at.is_none_or(|at| !SAID[at].swap(true, Ordering::Relaxed)) {
        let level = if at.is_some() { log::Level::Info } else { log::Level::Debug };
        log::log!(level, "option {:?} of docling-serve means nothing here", name.chars().take(60).collect::<String>());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(fields: &[(&str, &str)]) -> Asked {
        let mut asked = Asked::default();
        fields.iter().for_each(|(name, value)| asked.set(name, value).unwrap());
        asked
    }

    #[test]
    fn a_form_and_json_ask_for_the_same() {
        let form = asked(&[
            ("to_formats", "json"),
            ("to_formats", "md"),
            ("to_formats", "doctags"),
            ("page_range", "2"),
            ("page_range", "9"),
            ("do_ocr", "True"),
            ("force_ocr", "true"),
            ("md_page_break_placeholder", "\u{c}"),
        ]);
        let json = json!({ "to_formats": ["json", "md", "doctags"], "page_range": [2, 9], "do_ocr": true,
            "force_ocr": true, "md_page_break_placeholder": "\u{c}", "ocr_lang": null });
        let target = json!({ "kind": "inbody" });
        assert_eq!(Asked::default().with(json.as_object().unwrap(), Some(&target)).unwrap(), form);
        assert_eq!((form.formats.as_slice(), &*form.unknown_formats[0]), (&[Format::Json, Format::Md][..], "doctags"));
        let options = form.options().unwrap();
        assert_eq!(options.pages.as_ref().unwrap().to_string(), "2-9?");
        assert_eq!((options.ocr_layer, options.ocr), (Some(OcrLayer::Reread), None));
        for (said, ocr) in [
            ("false", Some(OcrEngine::Off)),
            ("False", Some(OcrEngine::Off)),
            ("0", Some(OcrEngine::Off)),
            ("true", None),
        ] {
            assert_eq!(asked(&[("do_ocr", said)]).options().unwrap().ocr, ocr, "{said}");
        }
        let kept = Asked::kept(&options);
        assert_eq!(
            (kept.formats, kept.page_break, kept.unknown_formats),
            (form.formats, form.page_break, form.unknown_formats)
        );
    }

    #[test]
    fn formats_that_are_named_replace_the_default() {
        for (named, expected) in [
            (&["md"][..], &[Format::Md][..]),
            (&["md", "json"], &[Format::Md, Format::Json]),
            (&["[\"html\", \"text\"]"], &[Format::Html, Format::Text]),
            (&["doctags"], &[]),
        ] {
            let fields: Vec<_> = named.iter().map(|name| ("to_formats", *name)).collect();
            assert_eq!(asked(&fields).formats, expected, "{named:?}");
        }
    }

    #[test]
    fn a_form_for_pieces_says_how_large_they_are() {
        let mut pieces = Asked::chunks();
        for (name, value) in [("convert_page_range", "2"), ("convert_page_range", "3"), ("chunking_max_tokens", "8")] {
            pieces.set(name, value).unwrap();
        }
        assert_eq!((pieces.chunk_tokens, pieces.pages.as_slice()), (Some(32), &[2, 3][..]), "as small as there are");
        assert_eq!(Asked::kept(&pieces.options().unwrap()).chunk_tokens, Some(32));
    }

    #[test]
    fn ranges_end_with_the_document() {
        for (pages, expected) in [
            (&[][..], None),
            (&[1, i64::MAX as u64], None),
            (&[3, i64::MAX as u64], Some("3-")),
            (&[1, 5], Some("1-5?")),
        ] {
            assert_eq!(page_range(pages).unwrap().as_deref(), expected);
        }
        assert!(page_range(&[1]).is_err());
        assert!(Asked::default().set("page_range", "x").is_err());
        let none = Asked { pages: vec![0, 3], ..Asked::default() };
        assert!(none.options().is_err());
    }

    #[test]
    fn what_earlier_tasks_keep_is_understood() {
        let kept = |docling: Value| {
            let wire = Some(serde_json::json!({ "docling": docling }));
            Asked::kept(&TaskOptions { wire, ..TaskOptions::default() }).target
        };
        assert_eq!(kept(serde_json::json!({ "to_formats": ["md"], "zip": true })), Target::Zip);
        assert_eq!(kept(serde_json::json!({ "to_formats": ["md"] })), Target::Inbody);
        let asked = Asked { target: Target::Put("https://a/".into()), ..Asked::default() };
        assert_eq!(Asked::kept(&asked.options().unwrap()).target, asked.target);
    }

    #[test]
    fn a_target_that_is_not_there_is_refused_in_the_words_that_the_client_looks_for() {
        let error = target("presigned_url", None).unwrap_err();
        assert!(error.detail().contains("artifact storage to be configured"));
        for (kind, url, expected) in [
            ("inbody", None, Some(Target::Inbody)),
            ("", None, Some(Target::Inbody)),
            ("zip", None, Some(Target::Zip)),
            ("put", Some("https://a/b.zip"), Some(Target::Put("https://a/b.zip".into()))),
            ("put", None, None),
            ("s3", Some("https://a/b.zip"), None),
        ] {
            assert_eq!(target(kind, url).ok(), expected, "{kind}");
        }
    }
}
