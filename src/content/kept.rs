//! The JSON of a page's content.

use serde::{Deserialize, Serialize};

use super::{Block, CONTENT_VERSION, PageContent, from_markdown};

/// [`PageContent`] as it is kept.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    version: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    blocks: Vec<Block>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    markdown: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<[f32; 2]>,
}

impl From<PageContent> for Kept {
    fn from(content: PageContent) -> Self {
        let PageContent { version, blocks, markdown, size } = content;
        let blocks = if markdown.is_some() { Vec::new() } else { blocks };
        Self { version, blocks, markdown, size }
    }
}

impl From<Kept> for PageContent {
    fn from(kept: Kept) -> Self {
        let Kept { version, blocks, markdown, size } = kept;
        match markdown {
            Some(markdown) => Self { size, ..from_markdown(markdown) },
            None => Self { version: version.min(CONTENT_VERSION), blocks, markdown: None, size },
        }
    }
}
