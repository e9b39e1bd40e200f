//! The code fence that models like to put around a whole page (`CommonMark` 0.31, 4.5). Pure.

/// An answer that is a fenced page, perhaps with words around it.
#[derive(Debug, PartialEq)]
pub(super) struct Fenced<'a> {
    /// What stands before the fence.
    pub(super) before: String,
    /// What it holds.
    pub(super) inner: Vec<&'a str>,
    /// What stands after it.
    pub(super) after: String,
}

/// One line that opens or closes a fence.
#[derive(Clone, Copy)]
struct Fence<'a> {
    sign: char,
    length: usize,
    /// The language of the code.
    info: &'a str,
}

/// Words around a fenced page are not longer than this, and are no page themselves.
const MOST_AROUND: usize = 400;
/// Fences of these are around Markdown,
const MARKDOWN: [&str; 5] = ["markdown", "md", "mdx", "gfm", "commonmark"];
/// and of these around anything.
const PLAIN: [&str; 5] = ["", "text", "txt", "plaintext", "plain"];

impl<'a> Fence<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let sign = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let length = line.chars().take_while(|c| *c == sign).count();
        let info = line[length..].trim();
        // Ticks may be of a span of code.
        (length >= 3 && !(sign == '`' && info.contains('`'))).then_some(Self { sign, length, info })
    }

    fn closes(self, open: Self) -> bool {
        self.sign == open.sign && self.length >= open.length && self.info.is_empty()
    }
}

/// Whether each fence of some lines is closed, and the first of them opens a block of a language of its own.
fn stand_alone(lines: &[&str]) -> (bool, bool) {
    let mut open: Option<Fence<'_>> = None;
    let mut first_is_named = true;
    for (at, fence) in lines.iter().filter_map(|line| Fence::of(line)).enumerate() {
        first_is_named &= at > 0 || !fence.info.is_empty();
        match open {
            None => open = Some(fence),
            Some(outer) if fence.closes(outer) => open = None,
            Some(_) => {}
        }
    }
    (open.is_none(), first_is_named)
}

/// Finds the fence around a whole answer. Code on a page stays fenced: a fence that ends before the page does, one of
/// another language, and one of several.
pub(super) fn fenced(text: &str) -> Option<Fenced<'_>> {
    let lines: Vec<&str> = text.lines().collect();
    let (first, open) = lines.iter().enumerate().find_map(|(at, line)| Some((at, Fence::of(line)?)))?;
    let language = open.info.to_ascii_lowercase();
    let is_markdown = MARKDOWN.contains(&language.as_str());
    if !is_markdown && !PLAIN.contains(&language.as_str()) {
        return None;
    }
    let before = lines[..first].join("\n").trim().to_owned();
    let is_around = |said: &str| said.is_empty() || is_markdown && is_talk(said);
    if !is_around(&before) {
        return None;
    }
    let close = (first + 1..lines.len()).rev().find(|at| Fence::of(lines[*at]).is_some_and(|f| f.closes(open)));
    let fits = |end: usize| {
        let (closed, named) = stand_alone(&lines[first + 1..end]);
        closed && (is_markdown || named)
    };
    if let Some(close) = close.filter(|close| fits(*close)) {
        let after = lines[close + 1..].join("\n").trim().to_owned();
        return is_around(&after).then(|| Fenced { before, inner: lines[first + 1..close].to_vec(), after });
    }
    // One that is never closed.
    let (closed, named) = stand_alone(&lines[first + 1..]);
    let unclosed = is_markdown && closed && named;
    unclosed.then(|| Fenced { before, inner: lines[first + 1..].to_vec(), after: String::new() })
}

/// Whether something is words about a page, and no page.
fn is_talk(said: &str) -> bool {
    let marked = |line: &str| line.trim_start().starts_with(['#', '|', '-', '*', '>']) && !line.starts_with("**");
    said.len() <= MOST_AROUND && !said.lines().any(marked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_around_a_page_is_told_from_code_on_it() {
        for (text, inner) in [
            ("```markdown\n# x\n```", Some("# x")),
            ("```\n# x\n```", Some("# x")),
            ("```text\n# x\n```", Some("# x")),
            ("````markdown\n# x\n````", Some("# x")),
            ("`````md\n# x\n```\na\n```\n`````\n", Some("# x\n```\na\n```")),
            ("```Markdown\n# x\n```", Some("# x")),
            ("``` markdown\n# x\n```", Some("# x")),
            ("```markdown  \n# x\n```  ", Some("# x")),
            ("  ```markdown\n# x\n  ```", Some("# x")),
            ("~~~markdown\n# x\n~~~", Some("# x")),
            ("```markdown\n# x", Some("# x")),
            ("Here:\n\n```markdown\n# x\n```", Some("# x")),
            ("Certainly.\n\n```md\n# x\n```\n\nI have kept it.", Some("# x")),
            // Inner ones stay.
            ("```markdown\n# x\n\n```python\na\n```\n\nEnd.\n```", Some("# x\n\n```python\na\n```\n\nEnd.")),
            ("```markdown\n```sh\na\n```\nThen:\n```\nb\n```\n```", Some("```sh\na\n```\nThen:\n```\nb\n```")),
            ("```\n# x\n\n```python\na\n```\n\nEnd.\n```", Some("# x\n\n```python\na\n```\n\nEnd.")),
            ("```markdown\n# x\n\n```python\na\n```", Some("# x\n\n```python\na\n```")),
            // Code on a page.
            ("```\na\n```\ntext\n```\nb\n```", None),
            ("```markdown\n# x\n```\n\ntext\n\n```sh\nls\n```", None),
            ("```python\na\n```\n\nCalled once.", None),
            ("```python\na\n```", None),
            ("# Listing\n\n```markdown\n# x\n```", None),
            ("Said before.\n\n```\na\n```", None),
            ("```\na", None),
            ("text ```a``` text", None),
            ("no fence", None),
        ] {
            assert_eq!(fenced(text).map(|fenced| fenced.inner.join("\n")).as_deref(), inner, "{text}");
        }
        let both = fenced("Sure.\n```md\n# x\n```\nDone.").unwrap();
        assert_eq!((both.before.as_str(), both.after.as_str()), ("Sure.", "Done."));
    }
}
