//! The forms in which a result can be had.

use serde::{Deserialize, Serialize};

use super::ParseError;

/// A form of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ResultFormat {
    /// Markdown, a page after the other.
    #[default]
    Markdown,
    /// The pages with their blocks and all that is known of them.
    Json,
    /// A document in HTML, a `section` a page.
    Html,
    /// Text without markup.
    Text,
    /// A piece of text a line, as JSON, for retrieval.
    Chunks,
}

/// How tables stand in Markdown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TableForm {
    /// As Markdown; as HTML where cells span others, which Markdown cannot say.
    #[default]
    Auto,
    /// As Markdown; what a cell spans beside its first place is empty.
    Markdown,
    /// As HTML.
    Html,
}

impl std::str::FromStr for TableForm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "auto" => Ok(Self::Auto),
            "markdown" => Ok(Self::Markdown),
            "html" => Ok(Self::Html),
            _ => Err(ParseError::new("must be auto, markdown or html")),
        }
    }
}

impl ResultFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Markdown, Self::Json, Self::Html, Self::Text, Self::Chunks];
    /// About how many tokens a chunk has at most, when nothing is said.
    pub const CHUNK_TOKENS: u32 = 512;
    /// How many tokens may be asked for.
    pub const CHUNK_SIZES: std::ops::RangeInclusive<u32> = 32..=32_768;

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Markdown => "markdown",
            Self::Json => "json",
            Self::Html => "html",
            Self::Text => "text",
            Self::Chunks => "chunks",
        }
    }

    /// How the name of a file with it ends.
    #[must_use]
    pub const fn ending(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Json => "json",
            Self::Html => "html",
            Self::Text => "txt",
            Self::Chunks => "jsonl",
        }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Json => "application/json",
            Self::Html => "text/html; charset=utf-8",
            Self::Text => "text/plain; charset=utf-8",
            Self::Chunks => "application/jsonl",
        }
    }

    /// The one that a file's name asks for by its ending.
    #[must_use]
    pub fn of_ending(ending: &str) -> Option<Self> {
        match ending.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "json" => Some(Self::Json),
            "html" | "htm" => Some(Self::Html),
            "txt" | "text" => Some(Self::Text),
            "jsonl" | "ndjson" => Some(Self::Chunks),
            _ => None,
        }
    }

    /// The one that a media type stands for, as in `Accept`.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        match media_type.trim().to_ascii_lowercase().as_str() {
            "text/markdown" => Some(Self::Markdown),
            "application/json" => Some(Self::Json),
            "text/html" => Some(Self::Html),
            "text/plain" => Some(Self::Text),
            "application/jsonl" | "application/x-ndjson" => Some(Self::Chunks),
            _ => None,
        }
    }
}

impl std::str::FromStr for ResultFormat {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let found = Self::ALL.into_iter().find(|format| format.as_str() == text);
        found.ok_or_else(|| {
            ParseError::new(format!("unknown format {text:?}: use markdown, json, html, text or chunks"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_endings_and_media_types_lead_back() {
        for format in ResultFormat::ALL {
            assert_eq!(format.as_str().parse(), Ok(format));
            assert_eq!(ResultFormat::of_ending(format.ending()), Some(format));
            let media_type = format.media_type().split(';').next().unwrap();
            assert_eq!(ResultFormat::of_media_type(media_type), Some(format));
        }
        assert!("md".parse::<ResultFormat>().is_err() && ResultFormat::of_ending("pdf").is_none());
    }
}
