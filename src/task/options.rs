//! What a caller may choose for one task.
//!
//! Every front door (form fields, query parameters, flags, the builder of [`NewTask`](crate::NewTask)) comes through
//! [`TaskOptions::set`], so a name and a value mean the same everywhere. What there is stands in one table,
//! [`TaskOptions::ALL`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::option_table::OptionValue;
use super::{
    Cost, FigureForm, HiddenText, OcrEngine, OcrLayer, PageInputKind, PageSelection, ParseError, ResultFormat,
    ServiceTier, TableForm,
};

/// The options of one task, as accepted. `None` means "the server's default".
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct TaskOptions {
    /// Which pages; all when absent.
    pub pages: Option<PageSelection>,
    /// The PDF's user or owner password. Kept with the record, because a resumed task must open the file again; never
    /// shown in an answer or a log.
    pub password: Option<String>,
    /// The processor's name, for example `text` or `llm`.
    pub processor: Option<String>,
    /// The model that the endpoint shall use.
    pub model: Option<String>,
    /// Instructions that replace the default prompt.
    pub prompt: Option<String>,
    /// What a model is given of a page; the picture when absent.
    pub input: Option<PageInputKind>,
    /// The most pixels of the longer side of a picture.
    pub image_side: Option<u32>,
    /// The models that read a page after the first has failed, in their order; `text` stands for the text layer.
    pub fallback: Option<Vec<String>>,
    /// How fast and how dear the endpoint shall answer, where it has a choice; as it does by itself when absent.
    pub service_tier: Option<ServiceTier>,
    /// The most that the task may cost, over all its jobs.
    pub max_cost: Option<Cost>,
    /// Pages a shard, 1 to [`Self::MAX_SHARD_PAGES`].
    pub shard_pages: Option<u32>,
    /// −10 (last) to 10 (first); each step of 2 halves or doubles the task's share.
    pub priority: i8,
    /// How many failed pages the task allows; without a limit it fails only when no page at all was read.
    pub max_failed_pages: Option<FailedPagesLimit>,
    /// The longest one attempt at one shard may take, seconds.
    pub timeout: Option<u32>,
    /// The line before each page; `{page}` stands for the page number; empty for none.
    pub page_separator: Option<String>,
    /// Whether headers, footers and page numbers that the pages repeat stay in the result; they do not when absent.
    pub keep_headers: Option<bool>,
    /// How tables stand in the Markdown; as Markdown, or HTML where cells span others, when absent.
    pub tables: Option<TableForm>,
    /// What stands for figures in the result; a placeholder when absent.
    pub images: Option<FigureForm>,
    /// Whether paragraphs and tables that go on over a page break are joined; they are not when absent.
    pub seams: Option<bool>,
    /// Whether the Markdown begins with what the document says of itself, as YAML; it does not when absent.
    pub front_matter: Option<bool>,
    /// What becomes of text that cannot be seen; it is left out when absent.
    pub hidden_text: Option<HiddenText>,
    /// What becomes of text that another program has recognised on a scan; see [`OcrLayer::Auto`] when absent.
    pub ocr_layer: Option<OcrLayer>,
    /// What recognises text on pictures of pages; see [`OcrEngine::Auto`] when absent.
    pub ocr: Option<OcrEngine>,
    /// The languages of such pages, as ISO 639 or Tesseract name them: `ru`, `deu`, `chi_sim`; none when absent.
    pub ocr_languages: Option<Vec<String>>,
    /// The result's format for requests that name none; Markdown when absent.
    pub format: Option<ResultFormat>,
    /// Who is told when the task has ended, by a POST.
    pub webhook_url: Option<String>,
    /// What that message is signed with; the server's secret when absent. Kept with the record, never shown.
    pub webhook_secret: Option<String>,
    /// Any JSON of the caller's; comes back with the task, and means nothing to Bindery.
    pub metadata: Option<serde_json::Value>,
    /// How long the task and its files stay after its end, seconds.
    pub ttl: Option<u64>,
    /// Whether a task that was submitted equal to this one, and is unfinished or completed, will do instead; it does
    /// when absent.
    pub reuse: Option<bool>,
    /// Options of a processor that Bindery does not bring, by their names: a caller sets `extra.NAME`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
    /// What an adapter for another interface has to know of its request when it answers; no option that a caller sets, and
    /// nothing that a page depends on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wire: Option<serde_json::Value>,
}

/// An option that is unknown or cannot have the value it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OptionError {
    /// No option has this name.
    #[error("unknown option {name:?}: the options are {}", TaskOptions::NAMES.join(", "))]
    Unknown {
        /// The name as given.
        name: String,
    },
    /// The option exists, the value does not fit.
    #[error("option {name}: {reason}")]
    Value {
        /// The option's name.
        name: &'static str,
        /// What it takes.
        reason: String,
    },
}

impl TaskOptions {
    /// The deepest metadata. A record holds it a few levels further down, and must be readable within the 128 levels
    /// of a JSON parser.
    pub const MAX_METADATA_DEPTH: usize = 32;
    /// The separator line when a task names none.
    pub const DEFAULT_SEPARATOR: &'static str = "<!-- page {page} -->";
    /// The most pages a shard can have.
    pub const MAX_SHARD_PAGES: u32 = 256;
    /// The pixels that the longer side of a picture can have.
    pub const IMAGE_SIDES: std::ops::RangeInclusive<u32> = 256..=8_192;
    /// The most bytes a text option can have.
    pub const MAX_TEXT: usize = 64 * 1024;
    /// The most bytes a URL can have.
    pub const MAX_URL: usize = 2_048;
    /// What the names of a processor's own options begin with.
    pub const EXTRA: &'static str = "extra.";
    /// The most options of its own that a processor can be given.
    pub const MAX_EXTRA: usize = 64;
    /// Sets one option from text. An empty value means "not given", except for `page_separator`, where it turns the
    /// separator off.
    ///
    /// # Errors
    /// [`OptionError`] when the name is unknown or the value does not fit.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        if let Some(own) = name.strip_prefix(Self::EXTRA) {
            return self.set_extra(own, value).map_err(|reason| OptionError::Value { name: "extra", reason });
        }
        let Some(option) = Self::ALL.into_iter().find(|known| known.name == name) else {
            return Err(OptionError::Unknown { name: name.chars().take(60).collect() });
        };
        let refuse = |reason: String| OptionError::Value { name: option.name, reason };
        if value.len() > Self::MAX_TEXT {
            return Err(refuse(format!("longer than {} bytes", Self::MAX_TEXT)));
        }
        if value.is_empty() && option.takes != OptionValue::Line {
            return Ok(());
        }
        (option.set)(self, value).map_err(refuse)
    }

    /// Sets an option that only a processor knows; whether it does is looked at when the task is accepted.
    fn set_extra(&mut self, name: &str, value: &str) -> Result<(), String> {
        let is_name = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_';
        if !(1..=64).contains(&name.len()) || !name.bytes().all(is_name) {
            return Err("its name must have 1 to 64 lower-case letters, digits and _".to_owned());
        }
        if value.len() > Self::MAX_TEXT {
            return Err(format!("{name} is longer than {} bytes", Self::MAX_TEXT));
        }
        if value.is_empty() {
            return Ok(());
        }
        if self.extra.len() >= Self::MAX_EXTRA && !self.extra.contains_key(name) {
            return Err(format!("more than {} of them", Self::MAX_EXTRA));
        }
        self.extra.insert(name.to_owned(), value.to_owned());
        Ok(())
    }

    /// The same without what only some processors take, as defaults for tasks of the others.
    #[must_use]
    pub fn without_reader(&self) -> Self {
        let (model, prompt, input, image_side, fallback, service_tier) = Default::default();
        let (max_cost, ocr, ocr_languages) = Default::default();
        let extra = BTreeMap::new();
        let named = Self { model, prompt, input, image_side, fallback, service_tier, extra, ..self.clone() };
        Self { max_cost, ocr, ocr_languages, ..named }
    }

    /// These where they say something, else `under`.
    #[must_use]
    pub fn over(self, under: &Self) -> Self {
        Self {
            pages: self.pages.or_else(|| under.pages.clone()),
            password: self.password.or_else(|| under.password.clone()),
            processor: self.processor.or_else(|| under.processor.clone()),
            model: self.model.or_else(|| under.model.clone()),
            prompt: self.prompt.or_else(|| under.prompt.clone()),
            input: self.input.or(under.input),
            image_side: self.image_side.or(under.image_side),
            fallback: self.fallback.or_else(|| under.fallback.clone()),
            service_tier: self.service_tier.or(under.service_tier),
            max_cost: self.max_cost.or(under.max_cost),
            shard_pages: self.shard_pages.or(under.shard_pages),
            priority: if self.priority == 0 { under.priority } else { self.priority },
            max_failed_pages: self.max_failed_pages.or(under.max_failed_pages),
            timeout: self.timeout.or(under.timeout),
            page_separator: self.page_separator.or_else(|| under.page_separator.clone()),
            keep_headers: self.keep_headers.or(under.keep_headers),
            tables: self.tables.or(under.tables),
            images: self.images.or(under.images),
            seams: self.seams.or(under.seams),
            front_matter: self.front_matter.or(under.front_matter),
            hidden_text: self.hidden_text.or(under.hidden_text),
            ocr_layer: self.ocr_layer.or(under.ocr_layer),
            ocr: self.ocr.or(under.ocr),
            ocr_languages: self.ocr_languages.or_else(|| under.ocr_languages.clone()),
            format: self.format.or(under.format),
            webhook_url: self.webhook_url.or_else(|| under.webhook_url.clone()),
            webhook_secret: self.webhook_secret.or_else(|| under.webhook_secret.clone()),
            metadata: self.metadata.or_else(|| under.metadata.clone()),
            ttl: self.ttl.or(under.ttl),
            reuse: self.reuse.or(under.reuse),
            extra: under.extra.clone().into_iter().chain(self.extra).collect(),
            wire: self.wire,
        }
    }

    /// The separator line of `page`, or `None` when separators are off.
    #[must_use]
    pub fn separator(&self, page: u32) -> Option<String> {
        let template = self.page_separator.as_deref().unwrap_or(Self::DEFAULT_SEPARATOR);
        (!template.is_empty()).then(|| template.replace("{page}", &page.to_string()))
    }

    /// The limit of one attempt, or `default` when the task names none.
    #[must_use]
    pub fn timeout_or(&self, default: Duration) -> Duration {
        self.timeout.map_or(default, |seconds| Duration::from_secs(u64::from(seconds)))
    }
}

/// Written by hand so that a password or a prompt cannot reach a log.
impl fmt::Debug for TaskOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskOptions")
            .field("pages", &self.pages)
            .field("processor", &self.processor)
            .field("model", &self.model)
            .field("input", &self.input)
            .field("image_side", &self.image_side)
            .field("fallback", &self.fallback)
            .field("service_tier", &self.service_tier)
            .field("max_cost", &self.max_cost)
            .field("shard_pages", &self.shard_pages)
            .field("priority", &self.priority)
            .field("max_failed_pages", &self.max_failed_pages)
            .field("timeout", &self.timeout)
            .field("keep_headers", &self.keep_headers)
            .field("tables", &self.tables)
            .field("images", &self.images)
            .field("seams", &self.seams)
            .field("front_matter", &self.front_matter)
            .field("hidden_text", &self.hidden_text)
            .field("ocr_layer", &self.ocr_layer)
            .field("ocr", &self.ocr)
            .field("ocr_languages", &self.ocr_languages)
            .field("format", &self.format)
            .field("ttl", &self.ttl)
            .field("reuse", &self.reuse)
            .field("has_webhook", &self.webhook_url.is_some())
            .finish_non_exhaustive()
    }
}

/// Names between commas; `none` is none.
pub(crate) fn names(text: &str) -> Vec<String> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "none");
    names.map(str::to_owned).collect()
}

/// How many failed pages a task allows before it fails as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum FailedPagesLimit {
    /// At most so many pages.
    Pages(u32),
    /// At most so many hundredths of the task's pages, rounded down.
    Percent(u8),
}

impl FailedPagesLimit {
    /// The greatest number of failed pages allowed in a task of `pages` pages.
    #[must_use]
    pub fn allowed(self, pages: u32) -> u32 {
        match self {
            Self::Pages(count) => count,
            Self::Percent(percent) => u32::try_from(u64::from(pages) * u64::from(percent) / 100).unwrap_or(u32::MAX),
        }
    }
}

impl FromStr for FailedPagesLimit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let limit = match text.trim().strip_suffix('%') {
            Some(percent) => percent.parse().ok().filter(|p| *p <= 100).map(Self::Percent),
            None => text.trim().parse().ok().map(Self::Pages),
        };
        limit.ok_or_else(|| ParseError::new("must be a number of pages, or a percentage such as 5%"))
    }
}

impl TryFrom<String> for FailedPagesLimit {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<FailedPagesLimit> for String {
    fn from(limit: FailedPagesLimit) -> Self {
        match limit {
            FailedPagesLimit::Pages(count) => count.to_string(),
            FailedPagesLimit::Percent(percent) => format!("{percent}%"),
        }
    }
}

#[cfg(test)]
#[path = "options_tests.rs"]
mod tests;
