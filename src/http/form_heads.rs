//! Heads of a form's parts in other encodings than UTF-8, as older programs send the names of files: made UTF-8 before the form
//! is read, as else it could not be read at all (RFC 7578, 5.1.1: names outside of UTF-8 occur).

use actix_multipart::Multipart;
use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::mime::{self, Mime};
use actix_web::web::Bytes;
use futures::StreamExt;
use memchr::memmem;

use super::upload::Body;

/// Longer heads stay as they are, and are refused when the form is read.
const LONGEST_HEAD: usize = 16 << 10;

/// A form whose parts have heads in UTF-8.
pub(super) fn form(request: &HttpRequest, body: Body) -> Multipart {
    let Some(boundary) = boundary(request) else { return Multipart::new(request.headers(), body) };
    let mut heads = Heads::new(&boundary);
    let body = body.map(move |chunk| chunk.map(|chunk| heads.recoded(chunk)));
    Multipart::new(request.headers(), body)
}

fn boundary(request: &HttpRequest) -> Option<String> {
    let form: Mime = request.headers().get(header::CONTENT_TYPE)?.to_str().ok()?.parse().ok()?;
    Some(form.get_param(mime::BOUNDARY)?.as_str().to_owned())
}

/// Where in a form the last chunk ended.
struct Heads {
    /// What begins a part, or ends the last one.
    delimiter: Vec<u8>,
    /// The head that is being read, from behind its delimiter on; `None` within a part.
    head: Option<Vec<u8>>,
    /// The end of what was passed on of a part, in which a delimiter may have begun.
    tail: Vec<u8>,
}

impl Heads {
    fn new(boundary: &str) -> Self {
        // The first one may stand at the very beginning, as if behind the end of a line.
        Self { delimiter: format!("\r\n--{boundary}").into_bytes(), head: None, tail: b"\r\n".to_vec() }
    }

    /// The next chunk. What there is of a head is held back until it is whole.
    fn recoded(&mut self, chunk: Bytes) -> Bytes {
        let mut out = Vec::new();
        let mut rest = &chunk[..];
        loop {
            if let Some(head) = &mut self.head {
                let before = head.len();
                head.extend_from_slice(rest);
                let from = before.saturating_sub(3);
                let end = memmem::find(&head[from..], b"\r\n\r\n").map(|at| from + at + 4);
                if begins_part(head) && end.is_none() && head.len() <= LONGEST_HEAD {
                    return Bytes::from(out);
                }
                self.tail.clear();
                match end.filter(|_| begins_part(head)) {
                    Some(end) => {
                        out.extend(utf8(&head[..end]));
                        rest = &rest[end - before..];
                        // Behind the head of an empty part a delimiter may come at once.
                        self.tail.extend_from_slice(b"\r\n");
                    }
                    // The end of the form, or no delimiter at all.
                    None => out.extend_from_slice(&head[..before]),
                }
                self.head = None;
            }
            // A delimiter may have begun in the chunk before.
            let known = self.tail.len();
            let begun = [&self.tail[..], &rest[..rest.len().min(self.delimiter.len())]].concat();
            let found = memmem::find(&begun, &self.delimiter)
                .map(|at| at + self.delimiter.len() - known)
                .or_else(|| memmem::find(rest, &self.delimiter).map(|at| at + self.delimiter.len()));
            let Some(end) = found else {
                // Nearly always all of a chunk is of one part.
                self.tail.extend_from_slice(&rest[rest.len() - rest.len().min(self.delimiter.len())..]);
                let spare = (self.tail.len() + 1).saturating_sub(self.delimiter.len());
                self.tail.drain(..spare);
                if out.is_empty() && rest.len() == chunk.len() {
                    return chunk;
                }
                out.extend_from_slice(rest);
                return Bytes::from(out);
            };
            out.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
            self.head = Some(Vec::new());
        }
    }
}

/// Whether a part begins so, behind its delimiter: with the end of the line, perhaps after white space (RFC 2046, 5.1.1).
fn begins_part(head: &[u8]) -> bool {
    let padding = head.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let rest = &head[padding..];
    rest.is_empty() || rest == b"\r" || rest.starts_with(b"\r\n")
}

/// A head as UTF-8: what is none is taken for Latin-1, in which every byte is a letter.
fn utf8(head: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(head) {
        Ok(_) => head.to_vec(),
        Err(_) => head.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recoded(form: &[u8], chunk: usize) -> Vec<u8> {
        let mut heads = Heads::new("B");
        form.chunks(chunk).flat_map(|chunk| heads.recoded(Bytes::copy_from_slice(chunk))).collect()
    }

    #[test]
    fn heads_are_made_utf8_and_nothing_else_however_the_form_is_cut() {
        let form = b"--B\r\nname=\"file\"; filename=\"Gr\xf6\xdfe.pdf\"\r\n\r\n%PDF \xf6\xff--B\r\n-\r\n--\r\n--Bx\xf6\r\n\r\n--B\r\n\
            name=\"\xd0\xb0\"\r\n\r\nplain\r\n--B--\r\n\xf6";
        let wanted = [
            "--B\r\nname=\"file\"; filename=\"Größe.pdf\"\r\n\r\n%PDF ".as_bytes(),
            b"\xf6\xff--B\r\n-\r\n--\r\n--Bx\xf6\r\n\r\n--B\r\n",
            "name=\"а\"\r\n\r\nplain\r\n--B--\r\n".as_bytes(),
        ]
        .concat();
        for chunk in 1..=form.len() {
            let made = recoded(form, chunk);
            assert!(made.starts_with(&wanted), "{chunk}: {}", String::from_utf8_lossy(&made));
        }
        assert_eq!(recoded(b"no form at all \xf6", 4), b"no form at all \xf6");
    }

    #[test]
    fn a_head_without_an_end_is_not_held_for_ever() {
        let form = [b"--B\r\n".as_slice(), &vec![b'x'; LONGEST_HEAD * 2]].concat();
        assert_eq!(recoded(&form, 1_000).len(), form.len());
    }
}
