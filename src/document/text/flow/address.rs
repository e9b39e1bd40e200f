//! Addresses on the web and for mail, each in a line below the name of whose it is.

use super::super::block::{Kind, Open};
use super::super::line::Line;
use super::{INDENT, LINE_GAP, PROSE_WORDS, ends_sentence};

/// A name has at most so many lines.
const NAME_LINES: usize = 3;

/// Whether a line is nothing but the address of who or what stands close above it.
pub(super) fn is_of(open: &Open<'_>, above: &Line, line: &Line) -> bool {
    let [word] = &line.words[..] else { return false };
    let near = line.baseline - above.baseline < above.size * LINE_GAP;
    let (starts, middles) = (line.start - above.start, line.start + line.end - above.start - above.end);
    let aligned = starts.abs().min(middles.abs()) < line.size * INDENT;
    let is_name = open.lines.len() <= NAME_LINES && above.words.len() <= PROSE_WORDS && !ends_sentence(above);
    open.kind == Kind::Text && near && aligned && is_name && is_address(&word.text)
}

/// Whether a word is the name of a host, with or without what stands before and behind it: `www.example.org`,
/// `https://example.org/a`, `mail@example.org`.
fn is_address(word: &str) -> bool {
    let bare = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://")).unwrap_or(word);
    let host = bare.split('/').next().and_then(|host| host.rsplit('@').next()).unwrap_or(bare);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    let is_top = |top: &str| top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_lowercase());
    host.split('.').count() > 1 && host.split('.').all(is_label) && host.rsplit('.').next().is_some_and(is_top)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_are_addresses_and_ends_of_sentences_are_none() {
        for word in ["actcancer.org", "www.example.org/a?b=1", "https://example.org", "a.b@cs.example.edu", "x-1.co.uk"]
        {
            assert!(is_address(word), "{word}");
        }
        for word in ["example", "end.", ".org", "e.g.", "1.5", "report.PDF", "a@b", "https://", ""] {
            assert!(!is_address(word), "{word}");
        }
    }
}
