//! Mends what the parser stumbles over, in a copy of the file.

/// Larger files are not copied.
const MOST_BYTES: usize = 64 << 20;

/// `file` with an `endstream` wherever an object ends in the midst of a stream (PDF 32000-1, 7.3.8.1), or `None` when it
/// has none such. Its cross-reference table, whose offsets would be wrong, is hidden, so that the parser makes its own.
pub(super) fn with_ends_of_streams(file: &[u8]) -> Option<Vec<u8>> {
    if file.len() > MOST_BYTES {
        return None;
    }
    let find =
        |what: &[u8], from: usize| file[from..].windows(what.len()).position(|bytes| bytes == what).map(|at| from + at);
    let mut ends = Vec::new();
    let mut at = 0;
    // The nearest of each that is known, so that the file is gone through once.
    let (mut end_stream, mut end_object) = (find(b"endstream", 0), find(b"endobj", 0));
    while let Some(begin) = find(b"stream", at) {
        at = begin + b"stream".len();
        let opens = file[..begin].trim_ascii_end().ends_with(b">>");
        if !opens {
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
    if ends.is_empty() {
        return None;
    }
    let mut mended = Vec::with_capacity(file.len() + ends.len() * 11);
    let mut from = 0;
    for end in ends {
        mended.extend(&file[from..end]);
        mended.extend(b"\nendstream\n");
        from = end;
    }
    mended.extend(&file[from..]);
    for at in 0..mended.len().saturating_sub(8) {
        if mended[at..].starts_with(b"startxref") {
            mended[at..at + 9].copy_from_slice(b"% no xref");
        }
    }
    Some(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_ended_where_their_objects_end() {
        let text = |bytes: Option<Vec<u8>>| bytes.map(|bytes| String::from_utf8(bytes).unwrap());
        let good = "1 0 obj << >> stream\nabc\nendstream endobj 2 0 obj (stream) endobj startxref 5";
        assert_eq!(with_ends_of_streams(good.as_bytes()), None);
        let bad = "1 0 obj << >> stream\nabc endobj 2 0 obj << >>\nstream\nx\nendstream endobj startxref 5";
        let mended =
            "1 0 obj << >> stream\nabc \nendstream\nendobj 2 0 obj << >>\nstream\nx\nendstream endobj % no xref 5";
        assert_eq!(text(with_ends_of_streams(bad.as_bytes())).as_deref(), Some(mended));
        assert_eq!(with_ends_of_streams(b">> stream endobj").map(|bytes| bytes.len()), Some(27));
        assert_eq!(with_ends_of_streams(b">> stream"), None);
    }
}
