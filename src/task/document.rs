//! What a document says of itself.

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

/// Entries of a PDF's information dictionary (PDF 32000-1, 14.3.3) that are there and say something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct DocumentInfo {
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keywords: Option<String>,
    /// When it was made, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<String>,
    /// When it was last changed, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

impl DocumentInfo {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Front matter as YAML between lines of `---`, with the file's name and the number of its pages. Values are quoted as
    /// in JSON, which YAML reads (1.2, 1.3), so that no text of a document can add an entry.
    #[must_use]
    pub fn front_matter(&self, file_name: Option<&str>, pages: u32) -> String {
        let Self { title, author, subject, keywords, created, modified } = self;
        let entries = [
            ("title", title.as_deref()),
            ("author", author.as_deref()),
            ("subject", subject.as_deref()),
            ("keywords", keywords.as_deref()),
            ("created", created.as_deref()),
            ("modified", modified.as_deref()),
            ("file_name", file_name),
        ];
        let mut yaml = "---\n".to_owned();
        for (name, value) in entries {
            if let Some(value) = value {
                yaml.extend([name, ": ", &serde_json::Value::from(value).to_string(), "\n"]);
            }
        }
        yaml.extend(["pages: ", &pages.to_string(), "\n---"]);
        yaml
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_matter_holds_what_is_known_and_nothing_else() {
        let info = DocumentInfo {
            title: Some("A \"title\"\n---\npages: 9".into()),
            created: Some("2024-05-03T10:00:00+02:00".into()),
            ..DocumentInfo::default()
        };
        let expected = "---\ntitle: \"A \\\"title\\\"\\n---\\npages: 9\"\ncreated: \"2024-05-03T10:00:00+02:00\"\n\
            file_name: \"a.pdf\"\npages: 3\n---";
        assert_eq!(info.front_matter(Some("a.pdf"), 3), expected);
        assert_eq!(DocumentInfo::default().front_matter(None, 1), "---\npages: 1\n---");
        assert!(DocumentInfo::default().is_empty() && !info.is_empty());
    }
}
