//! Formulas in LaTeX's own delimiters.

use std::borrow::Cow;

/// `text` with `\(…\)` and `\[…\]` as `$…$` and `$$…$$`. In Markdown `\[` is a bracket, so what stands between must look
/// like a formula: `\[citation\]` stays.
pub(super) fn dollars(text: &str) -> Cow<'_, str> {
    if !text.contains("\\(") && !text.contains("\\[") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut code) = (text, None);
    while let Some(at) = rest.find(['\\', '`']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('`') {
            let ticks = rest.bytes().take_while(|byte| *byte == b'`').count();
            code = match code {
                None => Some(ticks),
                Some(open) if open == ticks => None,
                open => open,
            };
            out.push_str(&rest[..ticks]);
            rest = &rest[ticks..];
            continue;
        }
        let found = if code.is_some() { None } else { formula(rest) };
        if let Some((latex, sign, length)) = found {
            out.extend([sign, latex, sign]);
            rest = &rest[length..];
        } else {
            // The character behind it is escaped, whatever it is.
            let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
            out.push_str(&rest[..length]);
            rest = &rest[length..];
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The formula that `text` begins with, the sign that it gets, and how long it is with its delimiters.
fn formula(text: &str) -> Option<(&str, &'static str, usize)> {
    let (close, sign) = match text.as_bytes().get(1)? {
        b'(' => ("\\)", "$"),
        b'[' => ("\\]", "$$"),
        _ => return None,
    };
    let end = text[2..].find(close)? + 2;
    let latex = text[2..end].trim();
    let looks = latex.contains(['\\', '^', '_', '=', '+', '<', '>'])
        || latex.chars().filter(|c| c.is_alphabetic()).count() == 1;
    (looks && !latex.contains("\n\n") && !latex.contains('$')).then_some((latex, sign, end + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_get_dollars_and_brackets_stay() {
        for (text, expected) in [
            ("so \\( x^2 \\) is", "so $x^2$ is"),
            ("\\[\na = b\n\\]", "$$a = b$$"),
            ("\\(n\\)", "$n$"),
            ("\\[citation\\] and \\(see below\\)", "\\[citation\\] and \\(see below\\)"),
            ("`\\(x^2\\)` \\\\(x)", "`\\(x^2\\)` \\\\(x)"),
            ("\\(a = b", "\\(a = b"),
            ("\\(a =\n\nb\\)", "\\(a =\n\nb\\)"),
            ("ends in \\", "ends in \\"),
            ("plain", "plain"),
        ] {
            assert_eq!(dollars(text), expected);
        }
    }
}
