//! Answers that are no longer than they may be, and say where they go on.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::{MOST_TOKENS, tokens};

/// Tokens that are left for what stands around the text.
const SPARE: usize = 200;

/// Where an answer goes on: at a page, or a line of a map, and behind so many bytes of what it says. As text `PAGE:BYTES`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Cursor {
    pub(super) page: u32,
    pub(super) bytes: usize,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.page, self.bytes)
    }
}

impl FromStr for Cursor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once(':')
            .and_then(|(page, bytes)| Some(Self { page: page.parse().ok()?, bytes: bytes.parse().ok()? }));
        parsed.ok_or_else(|| "a cursor is what an earlier answer ended with".to_owned())
    }
}

impl TryFrom<String> for Cursor {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Collects what an answer says, until it is long enough.
pub(super) struct Text {
    from: Cursor,
    said: String,
    left: usize,
    next: Option<Cursor>,
}

impl From<Cursor> for Text {
    fn from(from: Cursor) -> Self {
        Self { from, said: String::new(), left: MOST_TOKENS - SPARE, next: None }
    }
}

impl Text {
    /// Adds what `page` says; `false` when the answer is long enough. A page that is longer than an answer is divided.
    pub(super) fn add(&mut self, page: u32, more: &str) -> bool {
        let begin = if page == self.from.page { self.from.bytes.min(more.len()) } else { 0 };
        let begin = (begin..=more.len()).find(|at| more.is_char_boundary(*at)).unwrap_or(more.len());
        let rest = &more[begin..];
        let long = tokens(rest);
        if long <= self.left {
            self.left -= long;
            self.said.push_str(rest);
            return true;
        }
        // Whole pages are easier to read; only one that fits nowhere is divided.
        let fits = if self.said.is_empty() { fitting(rest, self.left) } else { 0 };
        self.said.push_str(&rest[..fits]);
        self.next = Some(Cursor { page, bytes: begin + fits });
        false
    }

    /// The answer of `tool`.
    pub(super) fn finish(mut self, tool: &str) -> String {
        if let Some(next) = self.next {
            let more = format!("\n[There is more: call {tool} with the same arguments and the cursor \"{next}\".]\n");
            self.said.push_str(&more);
        }
        self.said
    }
}

/// How many bytes of a text have so many tokens at most: up to the end of a line where one is near.
fn fitting(text: &str, most: usize) -> usize {
    let mut end = 0;
    let (mut narrow, mut wide) = (0_usize, 0_usize);
    for (at, c) in text.char_indices() {
        if c.is_ascii() {
            narrow += 1;
        } else {
            wide += 1;
        }
        if narrow.div_ceil(4) + wide > most {
            break;
        }
        end = at + c.len_utf8();
    }
    let line = text[..end].rfind('\n').map(|at| at + 1).filter(|line| *line * 2 > end);
    line.unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything, answer by answer; none is too long.
    fn whole(pages: &[(u32, String)]) -> (String, usize) {
        let (mut cursor, mut all, mut answers) = (Cursor::default(), String::new(), 0);
        loop {
            let mut text = Text::from(cursor);
            let _ = pages.iter().filter(|(page, _)| *page >= cursor.page).all(|(page, said)| text.add(*page, said));
            let next = text.next;
            let said = text.finish("read");
            assert!(tokens(&said) <= MOST_TOKENS);
            answers += 1;
            let Some(next) = next else {
                all.push_str(&said);
                return (all, answers);
            };
            let (said, more) = said.split_at(said.rfind("\n[There is more").unwrap());
            assert!(more.contains(&format!("\"{next}\"")) && next.to_string().parse() == Ok(next));
            assert_ne!(next, cursor, "it gets on");
            all.push_str(said);
            cursor = next;
        }
    }

    #[test]
    fn answers_together_say_all_and_none_is_too_long() {
        for said in ["a line of a page\n", "言葉と文字\n", "no line end at all ", "é"] {
            for times in [1, 900, 9_000] {
                let pages: Vec<(u32, String)> = (1..=7).map(|page| (page, said.repeat(times))).collect();
                let (all, answers) = whole(&pages);
                assert_eq!(all, said.repeat(times * 7), "{said:?} {times}");
                assert!(answers <= tokens(&all) / 9_000 + 1, "{answers} answers");
            }
        }
    }

    #[test]
    fn a_cursor_that_was_made_up_is_refused_or_harmless() {
        for bad in ["", "x", "1", "1:x", "-1:0"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
        let mut text = Text::from(Cursor { page: 1, bytes: 1 });
        assert!(text.add(1, "éa"), "amid a character");
        assert_eq!(text.finish("read"), "a");
    }
}
