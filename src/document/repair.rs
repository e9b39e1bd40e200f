//! Mends what the parsers stumble over, in a copy of the file.

use memchr::memmem;

use super::pdf::HEADER_WINDOW;

/// Larger files are not copied.
const MOST_BYTES: usize = 64 << 20;

/// `file` with a header, and with an `endstream` wherever an object ends in the midst of a stream (PDF 32000-1, 7.3.8.1);
/// `None` when it lacks neither. Its cross-reference table, whose offsets would be wrong, is hidden, so that a parser makes
/// its own.
pub(super) fn mended(file: &[u8]) -> Option<Vec<u8>> {
    if file.len() > MOST_BYTES {
        return None;
    }
    let (header, ends) = (lacks_header(file), missing_ends(file));
    if !header && ends.is_empty() {
        return None;
    }
    let mut mended = Vec::with_capacity(file.len() + ends.len() * END.len() + HEADER.len());
    if header {
        mended.extend(HEADER);
    }
    let mut from = 0;
    for end in ends {
        mended.extend(&file[from..end]);
        mended.extend(END);
        from = end;
    }
    mended.extend(&file[from..]);
    let tables: Vec<usize> = memmem::find_iter(&mended, b"startxref").collect();
    for at in tables {
        mended[at..at + 9].copy_from_slice(b"% no xref");
    }
    Some(mended)
}

const HEADER: &[u8] = b"%PDF-1.4\n";
const END: &[u8] = b"\nendstream\n";

/// Whether no `%PDF-` with a version stands where it may.
fn lacks_header(file: &[u8]) -> bool {
    let window = &file[..file.len().min(HEADER_WINDOW)];
    !memmem::find_iter(window, b"%PDF-").any(|at| window.get(at + 5).is_some_and(u8::is_ascii_digit))
}

/// Where streams should end that do not.
fn missing_ends(file: &[u8]) -> Vec<usize> {
    let find = |what: &[u8], from: usize| memmem::find(&file[from..], what).map(|at| from + at);
    let mut ends = Vec::new();
    let mut at = 0;
    // The nearest of each that is known, so that the file is gone through once.
    let (mut end_stream, mut end_object) = (find(b"endstream", 0), find(b"endobj", 0));
    while let Some(begin) = find(b"stream", at) {
        at = begin + b"stream".len();
        if !file[..begin].trim_ascii_end().ends_with(b">>") {
            continue;
        }
        if end_stream.is_some_and(|end| end < at) {
            end_stream = find(b"endstream", at);
        }
        if end_object.is_some_and(|end| end < at) {
            end_object = find(b"endobj", at);
        }
        match (end_stream, end_object) {
            (Some(stream), Some(object)) if object < stream => ends.push(object),
            (None, Some(object)) => ends.push(object),
            (Some(stream), _) => at = stream + b"endstream".len(),
            (None, None) => break,
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_added() {
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        for (file, expected) in [
            ("%PDF-1.4 1 0 obj << >> stream\nabc\nendstream endobj 2 0 obj (stream) endobj startxref 5", None),
            (
                "%PDF-1.4 1 0 obj << >> stream\nabc endobj 2 0 obj << >>\nstream\nx\nendstream endobj startxref 5",
                Some(
                    "%PDF-1.4 1 0 obj << >> stream\nabc \nendstream\nendobj 2 0 obj << >>\nstream\nx\nendstream endobj \
                    % no xref 5",
                ),
            ),
            ("%PDF-1.4 >> stream endobj", Some("%PDF-1.4 >> stream \nendstream\nendobj")),
            ("%PDF-1.4 >> stream", None),
            ("%1.4\n1 0 obj", Some("%PDF-1.4\n%1.4\n1 0 obj")),
            ("%PDF-\n1 0 obj", Some("%PDF-1.4\n%PDF-\n1 0 obj")),
        ] {
            assert_eq!(text(mended(file.as_bytes())).as_deref(), expected, "{file}");
        }
    }
}
