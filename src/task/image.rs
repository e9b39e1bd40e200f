//! Figures of pages as files: what becomes of them, and what they are called.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ParseError;

/// What stands for figures in a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FigureForm {
    /// Their captions alone.
    None,
    /// A comment, `<!-- image -->`, and their captions.
    #[default]
    Placeholder,
    /// Links to files with their pictures; a comment where there is no file.
    Extract,
}

impl FromStr for FigureForm {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text {
            "none" => Ok(Self::None),
            "placeholder" => Ok(Self::Placeholder),
            "extract" => Ok(Self::Extract),
            _ => Err(ParseError::new("must be none, placeholder or extract")),
        }
    }
}

/// How a figure is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ImageKind {
    /// PNG, without loss.
    Png,
    /// JPEG, for photographs.
    Jpeg,
}

impl ImageKind {
    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
        }
    }

    const fn ending(self) -> &'static str {
        match self {
            Self::Png => ".png",
            Self::Jpeg => ".jpg",
        }
    }
}

/// The name of a figure's file, which is that of its bytes: the first 32 hexadecimal digits of their SHA-256, and `.png` or
/// `.jpg`. No other text is one, so it is safe in paths and links.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ImageName(String);

const DIGITS: usize = 32;

impl ImageName {
    /// The name of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8], kind: ImageKind) -> Self {
        let hash = Sha256::digest(bytes);
        let mut name = String::with_capacity(DIGITS + 4);
        for byte in &hash[..DIGITS / 2] {
            name.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
        }
        name.push_str(kind.ending());
        Self(name)
    }

    /// How the file is stored.
    #[must_use]
    pub fn kind(&self) -> ImageKind {
        if self.0.ends_with(ImageKind::Png.ending()) { ImageKind::Png } else { ImageKind::Jpeg }
    }

    /// The name itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether these are the bytes that have this name.
    #[must_use]
    pub fn names(&self, bytes: &[u8]) -> bool {
        Self::of(bytes, self.kind()) == *self
    }
}

impl FromStr for ImageName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let stem = [ImageKind::Png, ImageKind::Jpeg].into_iter().find_map(|kind| text.strip_suffix(kind.ending()));
        let is_name = stem.is_some_and(|stem| {
            stem.len() == DIGITS && stem.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        if is_name { Ok(Self(text.to_owned())) } else { Err(ParseError::new("is not the name of an image")) }
    }
}

impl TryFrom<String> for ImageName {
    type Error = ParseError;

    fn try_from(text: String) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl From<ImageName> for String {
    fn from(name: ImageName) -> Self {
        name.0
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_its_bytes_and_nothing_else_is_a_name() {
        let name = ImageName::of(b"abc", ImageKind::Png);
        assert_eq!(name.as_str(), "ba7816bf8f01cfea414140de5dae2223.png");
        assert_eq!(name.as_str().parse(), Ok(name.clone()));
        assert!(name.names(b"abc") && !name.names(b"abd"));
        assert_eq!(ImageName::of(b"abc", ImageKind::Jpeg).kind(), ImageKind::Jpeg);
        for text in [
            "",
            ".png",
            "../../etc/passwd",
            "ba7816bf8f01cfea414140de5dae2223",
            "ba7816bf8f01cfea414140de5dae2223.svg",
            "BA7816BF8F01CFEA414140DE5DAE2223.png",
            "a7816bf8f01cfea414140de5dae2223.png",
            "/ba7816bf8f01cfea414140de5dae222.png",
            "ba7816bf8f01cfea414140de5dae2223.png/..",
        ] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
            assert!(serde_json::from_value::<ImageName>(text.into()).is_err(), "{text}");
        }
    }
}
