//! How a page is to be read: choices among the options of a task.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "image" => Ok(Self::Image),
            "text" => Ok(Self::Text),
            // In a query a plus stands for a space.
            "image+text" | "image text" => Ok(Self::Both),
            _ => Err("must be image, text or image+text".to_owned()),
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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "drop" => Ok(Self::Drop),
            "keep" => Ok(Self::Keep),
            _ => Err("must be drop or keep".to_owned()),
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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [Self::Auto, Self::Pp, Self::Tesseract, Self::Off];
        let named = all.into_iter().find(|engine| engine.as_str() == text);
        named.ok_or_else(|| "must be auto, pp, tesseract or off".to_owned())
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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "trust" => Ok(Self::Trust),
            "reread" => Ok(Self::Reread),
            _ => Err("must be auto, trust or reread".to_owned()),
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
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "flex" => Ok(Self::Flex),
            "flex,auto" => Ok(Self::FlexElseAuto),
            "priority" => Ok(Self::Priority),
            _ => Err("must be auto, flex, priority or flex,auto".to_owned()),
        }
    }
}
