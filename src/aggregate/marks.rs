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
    let template = separator.trim();
    if template.is_empty() || !text.lines().any(|line| is_separator(line.trim(), template)) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let said = line.trim_start();
        match said.chars().next().filter(|_| is_separator(said.trim_end(), template)) {
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

/// Whether a line is `template` with the number of a page.
fn is_separator(line: &str, template: &str) -> bool {
    let Some((before, _)) = template.split_once(PAGE) else { return line == template };
    let Some(rest) = line.strip_prefix(before) else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    // Digits may follow in the template itself; a number has at most ten.
    (1..=digits.min(10)).any(|end| template.replace(PAGE, &rest[..end]) == line)
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
