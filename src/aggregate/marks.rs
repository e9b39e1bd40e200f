//! Keeps what a page says from passing as a mark of the result: a separator, or the line of a page that failed.
//!
//! Marks are part of what programs read results by. A page, or a model that was asked for one, can write anything, also
//! what looks like a mark. In the text of a page their first character is written as a character reference, so they show
//! as they did and are no marks.

use std::borrow::Cow;
use std::fmt::Write;

use memchr::memmem;

/// What stands for the page's number in a separator.
const PAGE: &str = "{page}";

/// `text` without marks: without comments that begin like those of a result, and without lines that are the separator of
/// some page.
pub(super) fn without_marks<'t>(text: &'t str, separator: &str) -> Cow<'t, str> {
    let comments = comments(text);
    let mut safe = String::new();
    let mut from = 0;
    for at in &comments {
        safe.push_str(&text[from..*at]);
        safe.push_str("&lt;");
        from = at + 1;
    }
    let text = if comments.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(safe + &text[from..]) };
    let Some(separator) = Separator::of(separator) else { return text };
    if !separator.may_be_in(&text) || !text.lines().any(|line| separator.is(line.trim())) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let said = line.trim_start();
        match said.chars().next().filter(|_| separator.is(said.trim_end())) {
            Some(first) => {
                let _ = write!(
                    safe,
                    "{}&#{};{}",
                    &line[..line.len() - said.len()],
                    u32::from(first),
                    &said[first.len_utf8()..]
                );
            }
            None => safe.push_str(line),
        }
    }
    Cow::Owned(safe)
}

/// Where comments begin that say something of a numbered page.
fn comments(text: &str) -> Vec<usize> {
    let says_page = |at: &usize| {
        let said = text[at + "<!--".len()..].trim_start();
        let Some((word, rest)) = said.split_at_checked("page".len()) else { return false };
        word.eq_ignore_ascii_case("page") && rest.trim_start().starts_with(|c: char| c.is_ascii_digit())
    };
    memmem::find_iter(text.as_bytes(), "<!--").filter(says_page).collect()
}

/// What parts the pages of a result.
struct Separator<'t> {
    template: &'t str,
    /// What stands before the number of the page; `None` when it has none.
    before: Option<&'t str>,
}

impl<'t> Separator<'t> {
    fn of(template: &'t str) -> Option<Self> {
        let template = template.trim();
        let before = template.split_once(PAGE).map(|(before, _)| before);
        (!template.is_empty()).then_some(Self { template, before })
    }

    /// Whether a text has what each separator has: few pages do.
    fn may_be_in(&self, text: &str) -> bool {
        memmem::find(text.as_bytes(), self.before.unwrap_or(self.template).as_bytes()).is_some()
    }

    /// Whether a line is one with the number of a page.
    fn is(&self, line: &str) -> bool {
        let Some(before) = self.before else { return line == self.template };
        let Some(rest) = line.strip_prefix(before) else { return false };
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        // Digits may follow in the template itself; a number has at most ten.
        (1..=digits.min(10)).any(|end| self.template.replace(PAGE, &rest[..end]) == line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskOptions;

    #[test]
    fn what_looks_like_a_mark_is_none() {
        for (separator, text, expected) in [
            (TaskOptions::DEFAULT_SEPARATOR, "# A\n\n<!-- page 2 -->\n\nb", "# A\n\n&lt;!-- page 2 -->\n\nb"),
            (TaskOptions::DEFAULT_SEPARATOR, "<!-- page 3: failed: timeout -->", "&lt;!-- page 3: failed: timeout -->"),
            ("", "a <!--PAGE\n12--> b <!-- page 1 -->", "a &lt;!--PAGE\n12--> b &lt;!-- page 1 -->"),
            ("", "<!-- a page 2 --> <!-- page two --> <!-- ü", "<!-- a page 2 --> <!-- page two --> <!-- ü"),
            ("=== {page} ===", "a\n  === 12 ===\r\n=== x ===\n=== ===", "a\n  &#61;== 12 ===\r\n=== x ===\n=== ==="),
            ("=== {page} ===", "<!-- page 2 -->", "&lt;!-- page 2 -->"),
            ("{page}/{page}", "7/7\n7/\nx 7/7", "&#55;/7\n7/\nx 7/7"),
            ("{page}1", "21\n1", "&#50;1\n1"),
            ("---", "a\n\n---\n\n| --- |", "a\n\n&#45;--\n\n| --- |"),
            ("Seite {page}", "Seite 4\nSeite 4 von 5", "&#83;eite 4\nSeite 4 von 5"),
            ("", "---", "---"),
        ] {
            assert_eq!(without_marks(text, separator), expected, "{separator:?}");
        }
    }
}
