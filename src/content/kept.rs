//! The JSON of a page's content.

use serde::{Deserialize, Serialize, Serializer};

use super::{Block, CONTENT_VERSION, FigureFile, PageContent, from_markdown};

/// [`PageContent`] as it was kept.
#[derive(Deserialize)]
pub(super) struct Kept {
    version: u8,
    #[serde(default)]
    blocks: Vec<Block>,
    #[serde(default)]
    images: Vec<FigureFile>,
    #[serde(default)]
    markdown: Option<String>,
    #[serde(default)]
    size: Option<[f32; 2]>,
}

/// The same while it is written.
#[derive(Serialize)]
struct Written<'a> {
    version: u8,
    #[serde(skip_serializing_if = "<[Block]>::is_empty")]
    blocks: &'a [Block],
    #[serde(skip_serializing_if = "<[FigureFile]>::is_empty")]
    images: &'a [FigureFile],
    #[serde(skip_serializing_if = "Option::is_none")]
    markdown: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<[f32; 2]>,
}

impl Serialize for PageContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { version, blocks, images, markdown, size } = self;
        let blocks: &[Block] = if markdown.is_some() { &[] } else { blocks };
        Written { version: *version, blocks, images, markdown: markdown.as_deref(), size: *size }.serialize(serializer)
    }
}

impl TryFrom<Kept> for PageContent {
    type Error = &'static str;

    /// Content of a later version is not guessed at: its page is read again.
    fn try_from(kept: Kept) -> Result<Self, &'static str> {
        let Kept { version, blocks, images, markdown, size } = kept;
        match markdown {
            _ if version > CONTENT_VERSION => Err("content of a later version"),
            Some(markdown) => Ok(Self { size, ..from_markdown(markdown) }),
            None => Ok(Self { version, blocks, images, markdown: None, size }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_comes_back_and_that_of_a_later_version_is_refused() {
        for content in [PageContent::default(), PageContent { size: Some([595.0, 842.0]), ..from_markdown("# T\n\nx") }]
        {
            let json = serde_json::to_string(&content).unwrap();
            assert_eq!(serde_json::from_str::<PageContent>(&json).unwrap(), content, "{json}");
            let later = json.replacen("\"version\":1", "\"version\":2", 1);
            assert!(serde_json::from_str::<PageContent>(&later).is_err(), "{later}");
        }
    }
}
