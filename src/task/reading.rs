//! How a page is to be read: choices among the options of a task.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::ParseError;

/// What a model is given of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PageInputKind {
    /// Its picture.
    #[default]
    #[serde(rename = "image")]
    Image,
    /// The text of its text layer.
    #[serde(rename = "text")]
    Text,
    /// Both.
    #[serde(rename = "image+text")]
    Both,
}

impl FromStr for PageInputKind {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "image" => Ok(Self::Image),
            "text" => Ok(Self::Text),
            // In a query a plus stands for a space.
            "image+text" | "image text" => Ok(Self::Both),
            _ => Err(ParseError::new("must be image, text or image+text")),
        }
    }
}

/// What becomes of text that cannot be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum HiddenText {
    /// It is left out, and the page says how much.
    #[default]
    Drop,
    /// It stands in the result like other text.
    Keep,
}

impl FromStr for HiddenText {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "drop" => Ok(Self::Drop),
            "keep" => Ok(Self::Keep),
            _ => Err(ParseError::new("must be drop or keep")),
        }
    }
}

/// What recognises text on the picture of a page: where no model is asked, and as the witness of what one answers about a
/// page without sound text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OcrEngine {
    /// The models that are installed; Tesseract for languages in whose script they do not read.
    #[default]
    Auto,
    /// The models: PP-OCR.
    Pp,
    /// The program of that name.
    Tesseract,
    /// Nothing.
    Off,
}

impl OcrEngine {
    /// The name of the value.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Pp => "pp",
            Self::Tesseract => "tesseract",
            Self::Off => "off",
        }
    }
}

impl FromStr for OcrEngine {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let all = [Self::Auto, Self::Pp, Self::Tesseract, Self::Off];
        let named = all.into_iter().find(|engine| engine.as_str() == text);
        named.ok_or_else(|| ParseError::new("must be auto, pp, tesseract or off"))
    }
}

/// What becomes of text that another program has recognised on a scan, and put behind or upon its picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OcrLayer {
    /// It is taken where it reads like text and lies on the ink, and where nothing else can read the page.
    #[default]
    Auto,
    /// It is taken.
    Trust,
    /// It is not: the page is a scan without text.
    Reread,
}

impl FromStr for OcrLayer {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "auto" => Ok(Self::Auto),
            "trust" => Ok(Self::Trust),
            "reread" => Ok(Self::Reread),
            _ => Err(ParseError::new("must be auto, trust or reread")),
        }
    }
}

/// How fast, and how dear, an endpoint shall answer, where it has a choice of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ServiceTier {
    /// As the endpoint does by itself.
    #[default]
    Auto,
    /// Slower, at half the price or so; waited for when the endpoint has no room for it.
    Flex,
    /// The same, and as the endpoint does by itself while it has no room for it.
    #[serde(rename = "flex,auto")]
    FlexElseAuto,
    /// Faster, and dearer.
    Priority,
}

impl ServiceTier {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Flex => "flex",
            Self::FlexElseAuto => "flex,auto",
            Self::Priority => "priority",
        }
    }

    /// What an endpoint is asked for; `None` where it is left to it.
    #[must_use]
    pub const fn asked_for(self) -> Option<&'static str> {
        match self {
            Self::Auto => None,
            Self::Flex | Self::FlexElseAuto => Some("flex"),
            Self::Priority => Some("priority"),
        }
    }
}

impl FromStr for ServiceTier {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "auto" => Ok(Self::Auto),
            "flex" => Ok(Self::Flex),
            "flex,auto" => Ok(Self::FlexElseAuto),
            "priority" => Ok(Self::Priority),
            _ => Err(ParseError::new("must be auto, flex, priority or flex,auto")),
        }
    }
}
