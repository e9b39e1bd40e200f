//! What is known against a page.

use serde::{Deserialize, Serialize};
#[cfg(feature = "http")]
use utoipa::ToSchema;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingCode {
    /// The page shows something and was not read: it has no text of its own, and nothing else was there to read it, or what
    /// was there says that it is empty.
    NoTextLayer,
    /// Too many of its letters have no known meaning.
    UnreadableText,
    /// Most of it is a picture that was not read.
    UnreadPicture,
    /// The answer was taken although it differs too much from the page's text.
    Unfaithful,
    /// What other pages repeat was left out. A fact: it makes no page doubtful.
    MarginRemoved,
    /// Its text was recognised by another program, and not compared with its picture.
    TextUnsure,
    /// It has text that cannot be seen.
    HiddenText,
    /// Files are attached to it or to the PDF, and were not read. A fact, but on the cover of a portfolio, whose documents
    /// are these files.
    Attachments,
    /// It stands in for a form that viewers generate themselves (XFA), and was not read.
    XfaShell,
    /// Some of its figures have no file, or not in this task. A fact.
    FiguresLeftOut,
    /// Its text was recognised on its picture, on this machine. A fact where that is sure.
    Ocr,
    /// What a model answered may not be the page, and nothing vouches for it.
    Unsure,
}

impl FindingCode {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::NoTextLayer,
        Self::UnreadableText,
        Self::UnreadPicture,
        Self::Unfaithful,
        Self::MarginRemoved,
        Self::TextUnsure,
        Self::HiddenText,
        Self::Attachments,
        Self::XfaShell,
        Self::FiguresLeftOut,
        Self::Ocr,
        Self::Unsure,
    ];

    /// The name in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoTextLayer => "no_text_layer",
            Self::UnreadableText => "unreadable_text",
            Self::UnreadPicture => "unread_picture",
            Self::Unfaithful => "unfaithful",
            Self::MarginRemoved => "margin_removed",
            Self::TextUnsure => "text_unsure",
            Self::HiddenText => "hidden_text",
            Self::Attachments => "attachments",
            Self::XfaShell => "xfa_shell",
            Self::FiguresLeftOut => "figures_left_out",
            Self::Ocr => "ocr",
            Self::Unsure => "unsure",
        }
    }

    /// Whether it makes its page doubtful; the others are facts.
    #[must_use]
    pub const fn is_doubt(self) -> bool {
        !matches!(self, Self::MarginRemoved | Self::FiguresLeftOut)
    }
}

/// What is known against a page, or a fact about how it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub code: FindingCode,
    /// A sentence for people.
    pub detail: String,
    /// Whether it is a fact alone, and makes no page doubtful although others of its code do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fact: bool,
}

impl Finding {
    /// A finding.
    #[must_use]
    pub fn new(code: FindingCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fact: false }
    }

    /// A fact about a page.
    #[must_use]
    pub fn fact(code: FindingCode, detail: impl Into<String>) -> Self {
        Self { fact: true, ..Self::new(code, detail) }
    }

    /// A page that was not read for want of something that can see it.
    #[must_use]
    pub fn no_text_layer() -> Self {
        Self::new(FindingCode::NoTextLayer, "no text layer; needs OCR or a model")
    }

    /// A page that shows something, of which a model says that it is empty.
    #[must_use]
    pub fn said_empty() -> Self {
        Self::new(FindingCode::NoTextLayer, "the model says that it is empty, but it shows something")
    }

    /// A page that shows something on which no text was found.
    #[must_use]
    pub fn nothing_recognised() -> Self {
        Self::new(FindingCode::NoTextLayer, "OCR finds no text on it, but it shows something")
    }

    /// An answer that was taken although it differs from its page.
    #[must_use]
    pub fn unfaithful() -> Self {
        let detail = "the answer has too little of the page's text, or numbers that are not on the page";
        Self::new(FindingCode::Unfaithful, detail)
    }
}

/// Which findings a page has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FindingSet(u16);

impl FindingSet {
    /// Those of a page, but for what is said as a fact alone.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        findings.iter().filter(|finding| !finding.fact).map(|finding| finding.code).collect()
    }

    /// Whether it has this one.
    #[must_use]
    pub const fn has(self, code: FindingCode) -> bool {
        self.0 & (1 << code as u8) != 0
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of them makes the page doubtful.
    #[must_use]
    pub fn is_doubtful(self) -> bool {
        FindingCode::ALL.into_iter().any(|code| code.is_doubt() && self.has(code))
    }
}

impl FromIterator<FindingCode> for FindingSet {
    fn from_iter<I: IntoIterator<Item = FindingCode>>(codes: I) -> Self {
        Self(codes.into_iter().fold(0, |set, code| set | 1 << code as u8))
    }
}

/// On how many pages of a task each finding that makes a page doubtful stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(ToSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct FindingCounts {
    #[serde(skip_serializing_if = "is_zero")]
    no_text_layer: u32,
    #[serde(skip_serializing_if = "is_zero")]
    unreadable_text: u32,
    #[serde(skip_serializing_if = "is_zero")]
    unread_picture: u32,
    #[serde(skip_serializing_if = "is_zero")]
    unfaithful: u32,
    #[serde(skip_serializing_if = "is_zero")]
    text_unsure: u32,
    #[serde(skip_serializing_if = "is_zero")]
    hidden_text: u32,
    #[serde(skip_serializing_if = "is_zero")]
    attachments: u32,
    #[serde(skip_serializing_if = "is_zero")]
    xfa_shell: u32,
    #[serde(skip_serializing_if = "is_zero")]
    ocr: u32,
    #[serde(skip_serializing_if = "is_zero")]
    unsure: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl FindingCounts {
    /// Counts a page.
    pub fn add(&mut self, findings: FindingSet) {
        for code in FindingCode::ALL.into_iter().filter(|code| findings.has(*code)) {
            match code {
                FindingCode::NoTextLayer => self.no_text_layer += 1,
                FindingCode::UnreadableText => self.unreadable_text += 1,
                FindingCode::UnreadPicture => self.unread_picture += 1,
                FindingCode::Unfaithful => self.unfaithful += 1,
                FindingCode::TextUnsure => self.text_unsure += 1,
                FindingCode::HiddenText => self.hidden_text += 1,
                FindingCode::Attachments => self.attachments += 1,
                FindingCode::XfaShell => self.xfa_shell += 1,
                FindingCode::Ocr => self.ocr += 1,
                FindingCode::MarginRemoved | FindingCode::FiguresLeftOut => {}
                FindingCode::Unsure => self.unsure += 1,
            }
        }
    }

    /// On how many pages it stands.
    #[must_use]
    pub const fn of(self, code: FindingCode) -> u32 {
        match code {
            FindingCode::NoTextLayer => self.no_text_layer,
            FindingCode::UnreadableText => self.unreadable_text,
            FindingCode::UnreadPicture => self.unread_picture,
            FindingCode::Unfaithful => self.unfaithful,
            FindingCode::TextUnsure => self.text_unsure,
            FindingCode::HiddenText => self.hidden_text,
            FindingCode::Attachments => self.attachments,
            FindingCode::XfaShell => self.xfa_shell,
            FindingCode::Ocr => self.ocr,
            FindingCode::MarginRemoved | FindingCode::FiguresLeftOut => 0,
            FindingCode::Unsure => self.unsure,
        }
    }
}

impl std::fmt::Display for FindingCounts {
    /// `2 no_text_layer, 1 unfaithful`; nothing where there are none.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = FindingCode::ALL.into_iter().map(|code| (code, self.of(code))).filter(|(_, count)| *count > 0);
        for (at, (code, count)) in counts.enumerate() {
            write!(f, "{}{count} {}", if at > 0 { ", " } else { "" }, code.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sets_and_counts_agree() {
        let mut counts = FindingCounts::default();
        for code in FindingCode::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            let set = FindingSet::of(&[Finding::new(code, "x")]);
            assert!(FindingCode::ALL.into_iter().all(|other| set.has(other) == (other == code)));
            assert_eq!(set.is_doubtful(), code.is_doubt());
            counts.add(set);
            assert_eq!(counts.of(code), u32::from(code.is_doubt()), "{code:?}");
        }
        counts.add(FindingSet::default());
        let all = "1 no_text_layer, 1 unreadable_text, 1 unread_picture, 1 unfaithful, 1 text_unsure, 1 hidden_text, \
            1 attachments, 1 xfa_shell, 1 ocr, 1 unsure";
        assert_eq!(counts.to_string(), all);
        let json = serde_json::to_string(&counts).unwrap();
        assert_eq!(serde_json::from_str::<FindingCounts>(&json).unwrap(), counts);
        // Of a newer version, and of an older one.
        assert_eq!(serde_json::from_str::<FindingCounts>("{\"later\":2}").unwrap(), FindingCounts::default());
        assert_eq!(serde_json::to_string(&FindingCounts::default()).unwrap(), "{}");
    }
}
