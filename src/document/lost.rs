//! Which pages a document should have, and which of them are there.
//!
//! A file that was cut off still opens: the parser finds what is left and counts that. What its page tree says was there
//! keeps its number, so that the beginning of a document is not taken for all of it.

use std::collections::HashSet;

use hayro_syntax::Pdf;
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, MaybeRef, Name, ObjectIdentifier};
use hayro_syntax::page::Page;
use hayro_syntax::xref::XRef;

/// A count that is greater than this is not believed.
const MOST_PAGES: usize = 100_000;
/// Page trees are at most so deep.
const MAX_DEPTH: u32 = 256;
/// Where the parameters of a linearized file stand (PDF 32000-1, annex F.2).
const LINEARIZED_WINDOW: usize = 1024;

/// The pages of a document in their order.
pub(super) enum PageList {
    /// The parser found all.
    Whole(usize),
    /// For each page, its place among those that were found, or `None` for one that is lost.
    Gaps(Vec<Option<usize>>),
}

impl PageList {
    pub(super) fn of(pdf: &Pdf) -> Self {
        let found = pdf.pages().len();
        let xref = pdf.xref();
        let root = xref.get::<Dict<'_>>(xref.root_id()).and_then(|catalog| catalog.get::<Dict<'_>>(keys::PAGES));
        let said = match &root {
            Some(root) => root.get::<usize>(keys::COUNT),
            None => linearized_pages(pdf.data().as_ref()),
        };
        let Some(said) = said.filter(|said| found > 0 && *said > found && *said <= MOST_PAGES) else {
            return Self::Whole(found);
        };
        let mut walk = Walk { xref, found: pdf.pages(), next: 0, pages: Vec::new(), seen: HashSet::new() };
        if let Some(root) = &root {
            walk.seen.extend(root.obj_id());
            walk.node(root, 0);
        }
        if walk.next < found {
            // The parser found them in some other way than this.
            walk.pages = (0..found).map(Some).collect();
            walk.pages.resize(if root.is_some() { found } else { said }, None);
        }
        if walk.pages.iter().all(Option::is_some) { Self::Whole(found) } else { Self::Gaps(walk.pages) }
    }

    /// How many pages there should be.
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Whole(count) => *count,
            Self::Gaps(pages) => pages.len(),
        }
    }

    /// Where page `number` (from 1) stands among those that were found.
    pub(super) fn place(&self, number: u32) -> Option<usize> {
        let at = number.checked_sub(1)? as usize;
        match self {
            Self::Whole(count) => (at < *count).then_some(at),
            Self::Gaps(pages) => *pages.get(at)?,
        }
    }
}

struct Walk<'w, 'a> {
    xref: &'a XRef,
    found: &'w [Page<'a>],
    next: usize,
    pages: Vec<Option<usize>>,
    seen: HashSet<ObjectIdentifier>,
}

impl Walk<'_, '_> {
    fn node(&mut self, node: &Dict<'_>, depth: u32) {
        let begin = self.pages.len();
        let mut lost = None;
        let kids = node.get::<Array<'_>>(keys::KIDS);
        if kids.is_none() {
            lost = Some(begin);
        }
        for kid in kids.iter().flat_map(Array::raw_iter) {
            if self.pages.len() >= MOST_PAGES {
                return;
            }
            let MaybeRef::Ref(id) = kid else { continue };
            let id = ObjectIdentifier::from(id);
            if !self.seen.insert(id) {
                continue;
            }
            match self.xref.get::<Dict<'_>>(id) {
                None => {
                    self.pages.push(None);
                    lost = Some(self.pages.len());
                }
                Some(kid) if kid.get::<Name<'_>>(keys::TYPE).as_deref() == Some(keys::PAGES) => {
                    if depth < MAX_DEPTH {
                        self.node(&kid, depth + 1);
                    }
                }
                Some(_) => {
                    if self.found.get(self.next).is_some_and(|page| page.raw().obj_id() == Some(id)) {
                        self.pages.push(Some(self.next));
                        self.next += 1;
                    } else {
                        self.pages.push(None);
                    }
                }
            }
        }
        // What this node counts and no other does was in the nodes that are lost.
        let said = node.get::<usize>(keys::COUNT).unwrap_or(0).min(MOST_PAGES);
        let missing = said.saturating_sub(self.pages.len() - begin);
        if let Some(at) = lost.filter(|_| missing > 0) {
            self.pages.splice(at..at, std::iter::repeat_n(None, missing));
        }
    }
}

/// How many pages a linearized file says it has; it says so at its beginning, and has its page tree elsewhere.
fn linearized_pages(file: &[u8]) -> Option<usize> {
    let head = &file[..file.len().min(LINEARIZED_WINDOW)];
    let begin = head.windows(11).position(|bytes| bytes == b"/Linearized")?;
    let dict = &head[begin..];
    let dict = &dict[..dict.windows(2).position(|bytes| bytes == b">>")?];
    let at = dict.windows(2).position(|bytes| bytes[0] == b'/' && bytes[1] == b'N')?;
    let digits = dict[at + 2..].trim_ascii_start();
    let digits = &digits[..digits.iter().take_while(|byte| byte.is_ascii_digit()).count()];
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document whose page tree has two nodes of two pages; what `leave_out` names is lost.
    fn pages(leave_out: &[u32]) -> Vec<Option<usize>> {
        let objects = [
            (1, "<< /Type /Catalog /Pages 2 0 R >>"),
            (2, "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 4 >>"),
            (3, "<< /Type /Pages /Kids [5 0 R 6 0 R] /Count 2 /Parent 2 0 R >>"),
            (4, "<< /Type /Pages /Kids [7 0 R 8 0 R] /Count 2 /Parent 2 0 R >>"),
            (5, "<< /Type /Page /Parent 3 0 R >>"),
            (6, "<< /Type /Page /Parent 3 0 R >>"),
            (7, "<< /Type /Page /Parent 4 0 R >>"),
            (8, "<< /Type /Page /Parent 4 0 R >>"),
        ];
        let kept = objects.iter().filter(|(id, _)| !leave_out.contains(id));
        let body: Vec<String> = kept.map(|(id, object)| format!("{id} 0 obj {object} endobj\n")).collect();
        let body = body.concat();
        let pdf = Pdf::new(format!("%PDF-1.4\n{body}trailer << /Root 1 0 R >>\n").into_bytes()).unwrap();
        let list = PageList::of(&pdf);
        (1..=u32::try_from(list.len()).unwrap()).map(|number| list.place(number)).collect()
    }

    #[test]
    fn lost_pages_keep_their_numbers() {
        for (leave_out, expected) in [
            (&[][..], vec![Some(0), Some(1), Some(2), Some(3)]),
            (&[6], vec![Some(0), None, Some(1), Some(2)]),
            (&[4, 7, 8], vec![Some(0), Some(1), None, None]),
            (&[3, 5, 6], vec![None, None, Some(0), Some(1)]),
            (&[5, 8], vec![None, Some(0), Some(1), None]),
        ] {
            assert_eq!(pages(leave_out), expected, "without {leave_out:?}");
        }
    }

    #[test]
    fn a_linearized_file_says_how_many_pages_it_has() {
        for (head, expected) in [
            (&b"%PDF-1.4\n1 0 obj << /Linearized 1 /L 9000 /H [ 1 2 ] /O 5 /E 3 /N 12 /T 6 >> endobj"[..], Some(12)),
            (b"<< /Linearized 1 /N12>>", Some(12)),
            (b"<< /Linearized 1 /N x >>", None),
            (b"<< /N 3 >>", None),
            (b"", None),
        ] {
            assert_eq!(linearized_pages(head), expected);
        }
    }
}
