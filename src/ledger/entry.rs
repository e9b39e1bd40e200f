//! A page as it is kept: JSON with the number of its format.

use serde::{Deserialize, Serialize};

use crate::task::PageOutput;

/// The format that this version writes. A later version that changes what fields mean counts up. The second one has a page's
/// content as blocks where the first had Markdown.
const FORMAT: u32 = 2;
/// What its entries begin with.
const BEGINNING: &[u8] = b"{\"format\":2,";

#[derive(Serialize)]
struct Written<'a> {
    format: u32,
    #[serde(flatten)]
    page: &'a PageOutput,
}

/// Entries of earlier versions have no number and are of the first format.
#[derive(Deserialize)]
struct Format {
    #[serde(default)]
    format: u32,
}

/// The entry of `page`.
pub(super) fn encode(page: &PageOutput) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Written { format: FORMAT, page })
}

/// The page of an entry; `None` when it is torn or of a format that this version does not know: it is read again.
pub(super) fn decode(entry: &[u8]) -> Option<PageOutput> {
    // Nearly all are of today's format and begin with it, so that it need not be looked for.
    let is_known =
        entry.starts_with(BEGINNING) || serde_json::from_slice(entry).is_ok_and(|Format { format }| format <= FORMAT);
    is_known.then(|| serde_json::from_slice(entry).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;

    #[test]
    fn an_entry_says_its_format_and_one_of_a_later_format_is_none() {
        let page = PageOutput { content: from_markdown("# ü"), attempts: 1, ..PageOutput::default() };
        let entry = encode(&page).unwrap();
        assert_eq!(decode(&entry), Some(page.clone()));
        let text = String::from_utf8(entry).unwrap();
        assert!(text.as_bytes().starts_with(BEGINNING), "{text}");
        assert!(text.starts_with(&format!("{{\"format\":{FORMAT},")), "{text}");
        assert_eq!(decode(text.replacen("\"format\":2", "\"format\":3", 1).as_bytes()), None);
        for earlier in [
            r##"{"markdown":"# ü","processor":"","attempts":1}"##,
            r##"{"format":1,"markdown":"# ü","processor":"","attempts":1,"margins":{"top":1,"bottom":0}}"##,
        ] {
            assert_eq!(decode(earlier.as_bytes()), Some(page.clone()), "{earlier}");
        }
    }
}
