//! Text within a block of HTML, as its tags come.

use html5gum::StartTag;

use crate::content::{Inline, RunStyle, Script};

/// The name of an element, in lower case.
pub(super) fn name(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// What an element says of itself under a name.
pub(super) fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Text with its looks, and one blank for all blanks.
#[derive(Default)]
pub(super) struct Text {
    read: Inline,
    bold: u32,
    italic: u32,
    strike: u32,
    is_code: bool,
    script: Option<Script>,
    link: Option<String>,
    /// Whether a blank is due before the next letter.
    blank: bool,
    /// How what was read before it looked, and where it led.
    before: (RunStyle, Option<String>),
}

impl Text {
    pub(super) fn push(&mut self, said: &str) {
        let mut style = RunStyle {
            bold: self.bold > 0,
            italic: self.italic > 0,
            strike: self.strike > 0,
            script: self.script,
            ..RunStyle::default()
        };
        if self.is_code {
            style = RunStyle { code: true, ..RunStyle::default() };
        }
        for c in said.chars() {
            if c.is_whitespace() && c != '\u{a0}' {
                self.blank = true;
                continue;
            }
            if std::mem::take(&mut self.blank) && !self.read.is_empty() && !self.read.ends_with('\n') {
                // Between what looks otherwise it looks as usual.
                let is_within = self.before.0 == style && self.before.1 == self.link;
                let (style, link) = if is_within { (style, self.link.as_deref()) } else { Default::default() };
                self.read.push(" ", style, link);
            }
            self.read.push(c.encode_utf8(&mut [0; 4]) as &str, style, self.link.as_deref());
            if self.before.0 != style || self.before.1 != self.link {
                self.before = (style, self.link.clone());
            }
        }
    }

    pub(super) fn begin(&mut self, name: &str) {
        match name {
            "b" | "strong" => self.bold += 1,
            "i" | "em" => self.italic += 1,
            "s" | "strike" | "del" => self.strike += 1,
            "sup" => self.script = Some(Script::Super),
            "sub" => self.script = Some(Script::Sub),
            "br" => {
                self.blank = false;
                if !self.read.is_empty() {
                    self.read.push("\n", RunStyle::default(), None);
                }
            }
            "p" | "div" | "li" | "tr" | "td" | "th" | "table" => self.blank = true,
            _ => {}
        }
    }

    pub(super) fn end(&mut self, name: &str) {
        match name {
            "b" | "strong" => self.bold = self.bold.saturating_sub(1),
            "i" | "em" => self.italic = self.italic.saturating_sub(1),
            "s" | "strike" | "del" => self.strike = self.strike.saturating_sub(1),
            "sup" | "sub" => self.script = None,
            "p" | "div" | "li" | "tr" | "td" | "th" | "table" => self.blank = true,
            _ => {}
        }
    }

    /// What follows leads there; `None` ends that.
    pub(super) fn set_link(&mut self, link: Option<String>) {
        self.link = link;
    }

    /// What follows is code, or is no longer.
    pub(super) fn set_code(&mut self, is_code: bool) {
        self.is_code = is_code;
    }

    /// What was said up to now; what follows looks as it would have.
    pub(super) fn take(&mut self) -> Inline {
        self.blank = false;
        let mut read = std::mem::take(&mut self.read);
        while let Some(run) = read.runs.last_mut().filter(|run| run.text.ends_with('\n')) {
            run.text.truncate(run.text.trim_end_matches('\n').len());
            if run.text.is_empty() {
                read.runs.pop();
            }
        }
        read
    }

    pub(super) fn finish(self) -> Inline {
        self.read
    }
}
