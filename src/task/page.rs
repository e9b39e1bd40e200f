//! What becomes of one page.

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

use super::{Failure, Finding, FindingCode, FindingSet, ImageName, ParseError, Usage};
use crate::content::{Block, BoundingBox, FigureFile, PageContent, each_figure};

/// One page as a processor read it: what the ledger keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PageOutput {
    /// What the page says. Outputs of older versions have its Markdown instead, which is parsed.
    #[serde(alias = "markdown", deserialize_with = "older::content")]
    pub content: PageContent,
    /// The processor that wrote it.
    pub processor: String,
    /// The model that wrote it, if a model did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How many attempts it took, the good one included.
    #[serde(default)]
    pub attempts: u32,
    /// How long the good attempt took, milliseconds, shared by the pages of its shard.
    #[serde(default)]
    pub ms: u64,
    /// What it cost, attempts that came to nothing included.
    #[serde(default)]
    pub usage: Usage,
    /// What was found when the answer was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<PageChecks>,
    /// What is known against it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Whether it is less than its step should make of the page, so that it is kept for tasks with the same steps alone;
    /// see [`Step::degraded_recipe`](crate::processor::Step::degraded_recipe).
    #[serde(skip)]
    pub degraded: bool,
    /// The files of its figures, while it is on its way into the ledger.
    #[serde(skip)]
    pub image_files: Vec<ImageBytes>,
}

/// The file of a figure.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageBytes {
    /// The name of these bytes.
    pub name: ImageName,
    /// The bytes.
    pub bytes: std::sync::Arc<[u8]>,
}

impl ImageBytes {
    /// A file of that name.
    #[must_use]
    pub const fn new(name: ImageName, bytes: std::sync::Arc<[u8]>) -> Self {
        Self { name, bytes }
    }
}

impl std::fmt::Debug for ImageBytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.name, self.bytes.len())
    }
}

impl PageOutput {
    /// What `processor` read, at its first attempt and for nothing.
    #[must_use]
    pub fn new(processor: impl Into<String>, content: PageContent) -> Self {
        Self { processor: processor.into(), content, ..Self::default() }
    }

    /// Which findings it has; of one that was kept before there were any, those that its checks tell of.
    #[must_use]
    pub fn finding_set(&self) -> FindingSet {
        FindingSet::of(&told(self.findings.clone(), self.checks.as_ref()))
    }

    /// Whether it was taken although it strays from what its PDF says.
    #[must_use]
    pub fn is_unfaithful(&self) -> bool {
        self.checks.as_ref().is_some_and(|checks| checks.unfaithful)
    }
}

mod older {
    //! Outputs of older versions.

    use std::fmt;

    use serde::Deserialize;
    use serde::de::value::MapAccessDeserializer;
    use serde::de::{Deserializer, Error, MapAccess, Visitor};

    use crate::content::{PageContent, from_markdown};

    /// Content, or the Markdown that older versions kept in its place.
    pub(super) fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PageContent, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = PageContent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the content of a page, or its Markdown")
            }

            fn visit_str<E: Error>(self, markdown: &str) -> Result<PageContent, E> {
                Ok(from_markdown(markdown))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PageContent, A::Error> {
                PageContent::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Findings with what older outputs say in their checks alone.
fn told(mut findings: Vec<Finding>, checks: Option<&PageChecks>) -> Vec<Finding> {
    let has = findings.iter().any(|finding| finding.code == FindingCode::Unfaithful);
    if !has && checks.is_some_and(|checks| checks.unfaithful) {
        findings.push(Finding::unfaithful());
    }
    findings
}

/// How far a page can be trusted, and why it was read the way it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct PageChecks {
    /// What its Markdown was measured by; absent where there is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witness: Option<Witness>,
    /// The share of the words and numbers of the page's own text that its Markdown has, or of the letters that OCR reads
    /// on a page without sound text of its own; 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recall: Option<f32>,
    /// How many numbers its Markdown has that its witness has not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invented_numbers: Option<u32>,
    /// Whether the answer was taken although it differs too much from its witness: there was no better one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfaithful: bool,
    /// What was taken off the answer because it is not of the page: thoughts, a code fence, words to the user.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<String>,
    /// Why it was read by this processor and not by another, where there was a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

/// By what an answer is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Witness {
    /// The text of the page itself.
    TextLayer,
    /// What OCR reads on its picture.
    Ocr,
}

/// A page that is declared failed, after so many attempts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PageFailure {
    /// Why.
    pub failure: Failure,
    /// Attempts made.
    pub attempts: u32,
}

/// Where one page stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PageStatus {
    /// Waiting for its (next) attempt.
    Pending,
    /// An attempt is running.
    Processing,
    /// Its Markdown is there.
    Done,
    /// Declared failed.
    Failed,
}

impl std::str::FromStr for PageStatus {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "pending" => Ok(Self::Pending),
            "processing" => Ok(Self::Processing),
            "done" => Ok(Self::Done),
            "failed" => Ok(Self::Failed),
            _ => Err(ParseError::new(format!("unknown page status {text:?}: use pending, processing, done or failed"))),
        }
    }
}

/// One page as callers see it. `result.json` holds an array of these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct PageView {
    /// Page number in the PDF, from 1.
    pub page: u32,
    /// Where it stands.
    pub status: PageStatus,
    /// Its Markdown, when it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub markdown: Option<String>,
    /// The same as blocks, in reading order, with their boxes (`[left, top, right, bottom]` as fractions of the page, from
    /// its left upper corner) where they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<Vec<Object>>))]
    pub blocks: Option<Vec<Block>>,
    /// The files of its figures, where these are extracted (`images`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<PageImageView>,
    /// How wide and high the page is, in points, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<[f32; 2]>,
    /// Why it failed, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// The processor that read it.
    pub processor: Option<String>,
    /// The model that read it.
    pub model: Option<String>,
    /// Attempts made.
    pub attempts: u32,
    /// Duration of the good attempt, milliseconds.
    pub ms: u64,
    /// What it cost.
    pub usage: Usage,
    /// What was found when the answer was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checks: Option<PageChecks>,
    /// What is known against it, and facts about how it was read.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// The file of a figure, as callers see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct PageImageView {
    /// Its name below `images/` of its task: the hash of its bytes.
    #[cfg_attr(feature = "http", schema(value_type = String))]
    pub name: ImageName,
    /// The page that it stands on, from 1.
    pub page: u32,
    /// Where it stands there: `[left, top, right, bottom]` as fractions of the page, from its left upper corner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "http", schema(value_type = Option<Vec<f32>>))]
    pub bbox: Option<BoundingBox>,
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// What stands below it, or above.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caption: String,
    /// Its media type: `image/png` or `image/jpeg`.
    pub mime: String,
}

impl PageImageView {
    /// Those of a page, each as often as it stands there. The boxes of `blocks` are fractions.
    #[must_use]
    pub fn of_page(page: u32, blocks: &mut [Block], files: &[FigureFile]) -> Vec<Self> {
        let mut images = Vec::new();
        each_figure(blocks, |figure, bbox| {
            let file = files.iter().find(|file| figure.image.as_ref() == Some(&file.name));
            images.extend(file.map(|FigureFile { name, width, height, .. }| Self {
                name: name.clone(),
                page,
                bbox,
                width: *width,
                height: *height,
                caption: figure.caption.text(),
                mime: name.kind().media_type().to_owned(),
            }));
        });
        images
    }
}

impl PageView {
    /// A page that is read, without its text.
    #[must_use]
    pub fn done(page: u32, output: PageOutput) -> Self {
        Self {
            page,
            status: PageStatus::Done,
            markdown: None,
            blocks: None,
            images: Vec::new(),
            size: output.content.size,
            error: None,
            processor: Some(output.processor),
            model: output.model,
            attempts: output.attempts,
            ms: output.ms,
            usage: output.usage,
            findings: told(output.findings, output.checks.as_ref()),
            checks: output.checks,
        }
    }

    /// The same without its text.
    #[must_use]
    pub fn without_text(self) -> Self {
        Self { markdown: None, blocks: None, images: Vec::new(), ..self }
    }

    /// A page that is declared failed.
    #[must_use]
    pub fn failed(page: u32, failed: PageFailure) -> Self {
        Self { error: Some(failed.failure), attempts: failed.attempts, ..Self::unfinished(page, PageStatus::Failed) }
    }

    /// A page that has no outcome yet.
    #[must_use]
    pub fn unfinished(page: u32, status: PageStatus) -> Self {
        Self {
            page,
            status,
            markdown: None,
            blocks: None,
            images: Vec::new(),
            size: None,
            error: None,
            processor: None,
            model: None,
            attempts: 0,
            ms: 0,
            usage: Usage::default(),
            checks: None,
            findings: Vec::new(),
        }
    }

    /// Why it has no text, where it is not simply empty: what stands in its place in every format.
    #[must_use]
    pub fn absence(&self) -> Option<String> {
        match self.status {
            PageStatus::Done => {
                let unread = self.findings.iter().find(|finding| finding.code == FindingCode::NoTextLayer);
                // What someone's own processor says must not be able to end a comment.
                unread.map(|finding| format!("not read: {}", finding.detail.replace("--", "").replace('>', "")))
            }
            PageStatus::Failed => {
                let code = self.error.as_ref().map_or("unknown", |failure| &failure.code);
                // A code of someone's own processor must not be able to end a comment.
                let code: String = code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                Some(format!("failed: {code}"))
            }
            PageStatus::Pending | PageStatus::Processing => Some("pending".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_an_older_version_says_what_its_checks_say() {
        let old = r#"{"markdown":"x","processor":"llm","checks":{"recall":0.2,"unfaithful":true}}"#;
        let output: PageOutput = serde_json::from_str(old).unwrap();
        assert!(output.finding_set().has(FindingCode::Unfaithful));
        assert_eq!((output.content.blocks.len(), output.content.markdown.as_deref()), (1, Some("x")));
        let kept = serde_json::to_string(&output).unwrap();
        assert_eq!(serde_json::from_str::<PageOutput>(&kept).unwrap(), output, "{kept}");
        assert_eq!(PageView::done(1, output.clone()).findings, [Finding::unfaithful()]);
        let again = PageOutput { findings: vec![Finding::unfaithful()], ..output };
        assert_eq!(PageView::done(1, again).findings.len(), 1, "once");
        let view = r#"{"page":1,"status":"done","markdown":"x","attempts":1,"ms":2,
            "usage":{"calls":0,"prompt_tokens":0,"completion_tokens":0},"processor":null,"model":null}"#;
        assert!(serde_json::from_str::<PageView>(view).unwrap().findings.is_empty());
    }
}
