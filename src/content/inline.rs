//! Text within a block, and how its parts look.

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text of one block, as runs that look alike. As JSON, a text without any looks is one string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inline {
    /// One after the other, with their spaces; none is empty.
    pub runs: Vec<Run>,
}

/// A piece of text that looks alike from end to end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "FlatRun")]
#[non_exhaustive]
pub struct Run {
    /// What it says: characters as they are, without any markup.
    pub text: String,
    /// How it looks.
    pub style: RunStyle,
    /// Where it leads: a target that is safe to follow (`http`, `https`, `mailto`).
    pub link: Option<String>,
}

/// How a run looks, beside what is usual on its page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "looks are there or not, in any combination")]
#[non_exhaustive]
pub struct RunStyle {
    /// Heavier.
    pub bold: bool,
    /// Slanted.
    pub italic: bool,
    /// In letters of one width.
    pub code: bool,
    /// A formula in LaTeX, without delimiters.
    pub math: bool,
    /// Raised or lowered.
    pub script: Option<Script>,
    /// Struck through: what no longer holds.
    pub strike: bool,
}

/// A run off its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// Raised, as an exponent or the mark of a note.
    Super,
    /// Lowered, as an index.
    Sub,
}

impl Inline {
    /// Text that looks as usual.
    #[must_use]
    pub fn plain(text: impl Into<String>) -> Self {
        let mut inline = Self::default();
        inline.push(text.into(), RunStyle::default(), None);
        inline
    }

    /// Adds text, to the last run where that looks alike.
    pub fn push(&mut self, text: impl AsRef<str> + Into<String>, style: RunStyle, link: Option<&str>) {
        if text.as_ref().is_empty() {
            return;
        }
        match self.runs.last_mut() {
            Some(last) if last.style == style && last.link.as_deref() == link => last.text.push_str(text.as_ref()),
            _ => self.runs.push(Run { text: text.into(), style, link: link.map(str::to_owned) }),
        }
    }

    /// What it says, without looks.
    #[must_use]
    pub fn text(&self) -> String {
        self.runs.iter().map(|run| run.text.as_str()).collect()
    }

    /// Whether it ends with this character.
    #[must_use]
    pub fn ends_with(&self, c: char) -> bool {
        self.runs.last().is_some_and(|run| run.text.ends_with(c))
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.iter().all(|run| run.text.trim().is_empty())
    }
}

/// Whether a character is of a script that parts words by no spaces: Chinese, Japanese and their signs.
#[must_use]
pub const fn is_ideographic(c: char) -> bool {
    matches!(c, '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
}

impl Run {
    fn is_plain(&self) -> bool {
        self.style == RunStyle::default() && self.link.is_none()
    }
}

/// A run as its JSON has it: flat, as what serde flattens by itself is buffered first.
#[derive(Deserialize)]
#[allow(clippy::struct_excessive_bools, reason = "as `RunStyle`")]
struct FlatRun {
    text: String,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    italic: bool,
    #[serde(default)]
    code: bool,
    #[serde(default)]
    math: bool,
    #[serde(default)]
    script: Option<Script>,
    #[serde(default)]
    strike: bool,
    #[serde(default)]
    link: Option<String>,
}

impl From<FlatRun> for Run {
    fn from(FlatRun { text, bold, italic, code, math, script, strike, link }: FlatRun) -> Self {
        Self { text, style: RunStyle { bold, italic, code, math, script, strike }, link }
    }
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("text", &self.text)?;
        let RunStyle { bold, italic, code, math, script, strike } = self.style;
        for (name, is_set) in [("bold", bold), ("italic", italic), ("code", code), ("math", math), ("strike", strike)] {
            if is_set {
                map.serialize_entry(name, &true)?;
            }
        }
        if let Some(script) = script {
            map.serialize_entry("script", &script)?;
        }
        if let Some(link) = &self.link {
            map.serialize_entry("link", link)?;
        }
        map.end()
    }
}

impl Serialize for Inline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.runs[..] {
            [] => serializer.serialize_str(""),
            [run] if run.is_plain() => serializer.serialize_str(&run.text),
            runs => serializer.collect_seq(runs),
        }
    }
}

impl<'de> Deserialize<'de> for Inline {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InlineVisitor)
    }
}

struct InlineVisitor;

impl<'de> Visitor<'de> for InlineVisitor {
    type Value = Inline;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or runs of text")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Inline, E> {
        Ok(Inline::plain(text))
    }

    fn visit_string<E: de::Error>(self, text: String) -> Result<Inline, E> {
        Ok(Inline::plain(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut runs: A) -> Result<Inline, A::Error> {
        let mut inline = Inline::default();
        while let Some(run) = runs.next_element::<Run>()? {
            inline.runs.push(run);
        }
        Ok(inline)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_a_string_and_other_text_is_runs() {
        let bold = RunStyle { bold: true, ..RunStyle::default() };
        let mut inline = Inline::plain("see ");
        assert_eq!(serde_json::to_string(&inline).unwrap(), "\"see \"");
        inline.push("this", bold, Some("https://example.org"));
        inline.push(" page", bold, Some("https://example.org"));
        let json = r#"[{"text":"see "},{"text":"this page","bold":true,"link":"https://example.org"}]"#;
        assert_eq!(serde_json::to_string(&inline).unwrap(), json);
        for inline in [inline, Inline::plain("a"), Inline::default()] {
            let json = serde_json::to_string(&inline).unwrap();
            assert_eq!(serde_json::from_str::<Inline>(&json).unwrap(), inline, "{json}");
        }
        assert!(Inline::plain("").runs.is_empty() && Inline::plain(" ").is_empty());
    }
}
