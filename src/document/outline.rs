//! What a document says about its pages as a whole: their labels, and the titles of its outline.

use std::collections::{BTreeMap, HashMap, HashSet};

use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, MaybeRef, Name, Object, ObjectIdentifier, String as PdfString};

use super::facts::OutlineEntry;
use super::lost::PageList;

/// Larger trees are broken or hostile ones.
const MAX_NODES: usize = 100_000;
/// A longer title or label is cut.
const MAX_CHARS: usize = 500;

/// Labels and titles by page number.
#[derive(Default)]
pub(super) struct Outline {
    labels: BTreeMap<u32, LabelRange>,
    titles: BTreeMap<u32, Vec<OutlineEntry>>,
}

/// From one page on, how pages are labelled (PDF 32000-1, 12.4.2).
struct LabelRange {
    style: u8,
    prefix: String,
    first: u32,
}

impl Outline {
    pub(super) fn of(pdf: &Pdf, pages: &PageList) -> Self {
        let Some(catalog) = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id()) else { return Self::default() };
        let mut walk = Walk { pdf, pages, budget: MAX_NODES };
        let mut labels = BTreeMap::new();
        if let Some(tree) = catalog.get::<Dict<'_>>("PageLabels") {
            walk.number_tree(&tree, &mut |index, dict| {
                let style = dict.get::<Name<'_>>("S").and_then(|style| style.as_ref().first().copied()).unwrap_or(0);
                let prefix = dict.get::<PdfString<'_>>("P").map(|prefix| text(prefix.as_bytes())).unwrap_or_default();
                let first = dict.get::<u32>("St").unwrap_or(1);
                labels.insert(index.saturating_add(1), LabelRange { style, prefix, first });
            });
        }
        let mut titles = BTreeMap::new();
        if let Some(outline) = catalog.get::<Dict<'_>>("Outlines") {
            let targets = Targets::new(&mut walk, &catalog);
            walk.titles(&outline, &targets, &mut titles);
        }
        Self { labels, titles }
    }

    /// What viewers call page `number`; `None` when the document does not label its pages.
    pub(super) fn label(&self, number: u32) -> Option<String> {
        let (from, range) = self.labels.range(..=number).next_back()?;
        let value = range.first.saturating_add(number - from);
        let counted = match range.style {
            b'D' => value.to_string(),
            b'R' => roman(value),
            b'r' => roman(value).to_lowercase(),
            b'A' => letters(value),
            b'a' => letters(value).to_lowercase(),
            _ => String::new(),
        };
        Some(format!("{}{counted}", range.prefix))
    }

    /// The titles that lead to page `number`, in the outline's order.
    pub(super) fn titles(&self, number: u32) -> Vec<String> {
        self.titles.get(&number).into_iter().flatten().map(|entry| entry.title.clone()).collect()
    }

    /// All titles that lead to a page, by page.
    pub(super) fn entries(&self) -> Vec<OutlineEntry> {
        self.titles.values().flatten().cloned().collect()
    }
}

/// Where destinations lead.
struct Targets {
    pages: HashMap<ObjectIdentifier, u32>,
    names: HashMap<Vec<u8>, u32>,
}

impl Targets {
    fn new(walk: &mut Walk<'_>, catalog: &Dict<'_>) -> Self {
        let pages = walk.pdf.pages();
        let id_of = |number: u32| pages.get(walk.pages.place(number)?)?.raw().obj_id();
        let last = u32::try_from(walk.pages.len()).unwrap_or(u32::MAX);
        let pages = (1..=last).filter_map(|number| Some((id_of(number)?, number))).collect();
        let mut targets = Self { pages, names: HashMap::new() };
        let mut names = HashMap::new();
        if let Some(dests) = catalog.get::<Dict<'_>>("Dests") {
            for name in dests.keys().take(MAX_NODES) {
                if let Some(page) = dests.get::<Object<'_>>(name.as_ref()).and_then(|target| targets.page(&target)) {
                    names.insert(name.as_ref().to_vec(), page);
                }
            }
        }
        let tree = catalog.get::<Dict<'_>>("Names").and_then(|names| names.get::<Dict<'_>>("Dests"));
        if let Some(tree) = tree {
            walk.name_tree(&tree, &mut |name, target| {
                if let Some(page) = targets.page(target) {
                    names.insert(name.to_vec(), page);
                }
            });
        }
        targets.names = names;
        targets
    }

    /// The page that a destination leads to: a list that begins with the page, a dictionary with such a list, or a
    /// name for one.
    fn page(&self, target: &Object<'_>) -> Option<u32> {
        match target {
            Object::Array(list) => match list.raw_iter().next()? {
                MaybeRef::Ref(page) => self.pages.get(&page.into()).copied(),
                MaybeRef::NotRef(Object::Number(index)) => u32::try_from(index.as_i64()).ok()?.checked_add(1),
                MaybeRef::NotRef(_) => None,
            },
            Object::Dict(dict) => self.page(&Object::Array(dict.get::<Array<'_>>("D")?)),
            Object::Name(name) => self.names.get(name.as_ref()).copied(),
            Object::String(name) => self.names.get(name.as_bytes()).copied(),
            _ => None,
        }
    }
}

struct Walk<'a> {
    pdf: &'a Pdf,
    pages: &'a PageList,
    budget: usize,
}

impl Walk<'_> {
    /// Whether one more node may be looked at.
    fn spend(&mut self) -> bool {
        self.budget = self.budget.saturating_sub(1);
        self.budget > 0
    }

    /// The nodes of a tree without its circles.
    fn tree<'b>(&mut self, root: &Dict<'b>, visit: &mut impl FnMut(&Dict<'b>)) {
        let (mut stack, mut seen) = (vec![root.clone()], HashSet::new());
        while let Some(node) = stack.pop().filter(|_| self.spend()) {
            visit(&node);
            let kids = node.get::<Array<'b>>("Kids").into_iter().flat_map(|kids| kids.iter::<Dict<'b>>());
            let kids: Vec<_> = kids.filter(|kid| kid.obj_id().is_none_or(|id| seen.insert(id))).collect();
            stack.extend(kids.into_iter().rev());
        }
    }

    fn number_tree<'b>(&mut self, root: &Dict<'b>, each: &mut impl FnMut(u32, &Dict<'b>)) {
        self.tree(root, &mut |node| {
            let Some(pairs) = node.get::<Array<'b>>("Nums") else { return };
            let pairs: Vec<Object<'b>> = pairs.iter::<Object<'b>>().collect();
            for pair in pairs.chunks_exact(2) {
                if let [Object::Number(index), Object::Dict(value)] = pair
                    && let Ok(index) = u32::try_from(index.as_i64())
                {
                    each(index, value);
                }
            }
        });
    }

    fn name_tree<'b>(&mut self, root: &Dict<'b>, each: &mut impl FnMut(&[u8], &Object<'b>)) {
        self.tree(root, &mut |node| {
            let Some(pairs) = node.get::<Array<'b>>("Names") else { return };
            let pairs: Vec<Object<'b>> = pairs.iter::<Object<'b>>().collect();
            for pair in pairs.chunks_exact(2) {
                if let [Object::String(name), target] = pair {
                    each(name.as_bytes(), target);
                }
            }
        });
    }

    /// Items in their order, those below an item after it.
    fn titles(&mut self, outline: &Dict<'_>, targets: &Targets, titles: &mut BTreeMap<u32, Vec<OutlineEntry>>) {
        let mut seen = HashSet::new();
        let mut stack: Vec<(u8, Dict<'_>)> =
            outline.get::<Dict<'_>>("First").map(|first| (1, first)).into_iter().collect();
        while let Some((level, item)) = stack.pop().filter(|_| self.spend()) {
            if item.obj_id().is_some_and(|id| !seen.insert(id)) {
                continue;
            }
            let target = item.get::<Object<'_>>("Dest").or_else(|| {
                let action = item.get::<Dict<'_>>("A")?;
                action.get::<Object<'_>>("D")
            });
            let title = item.get::<PdfString<'_>>("Title").map(|title| text(title.as_bytes()));
            if let (Some(title), Some(page)) = (title, target.and_then(|target| targets.page(&target))) {
                titles.entry(page).or_default().push(OutlineEntry { title, level, page });
            }
            stack.extend(item.get::<Dict<'_>>("Next").map(|next| (level, next)));
            stack.extend(item.get::<Dict<'_>>("First").map(|first| (level.saturating_add(1), first)));
        }
    }
}

/// A text string (PDF 32000-1, 7.9.2.2): UTF-16 or UTF-8 with a mark, else a byte a character.
pub(super) fn text_string(bytes: &[u8]) -> String {
    match bytes {
        [0xfe, 0xff, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        // PDFDocEncoding is Latin-1 but for a few signs of punctuation.
        plain => plain.iter().map(|byte| doc_encoding(*byte)).collect(),
    }
}

/// A title or label: one line of text, not longer than anyone reads.
fn text(bytes: &[u8]) -> String {
    let decoded = text_string(bytes);
    let tidy: String = decoded.chars().filter(|c| !c.is_control()).take(MAX_CHARS).collect();
    tidy.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// PDF 32000-1, D.3, as far as it differs from Latin-1.
fn doc_encoding(byte: u8) -> char {
    const FROM_80: [char; 31] = [
        '•', '†', '‡', '…', '—', '–', 'ƒ', '⁄', '‹', '›', '−', '‰', '„', '“', '”', '‘', '’', '‚', '™', 'ﬁ', 'ﬂ', 'Ł',
        'Œ', 'Š', 'Ÿ', 'Ž', 'ı', 'ł', 'œ', 'š', 'ž',
    ];
    match byte {
        0x80..=0x9e => FROM_80[usize::from(byte - 0x80)],
        0xa0 => '€',
        other => char::from(other),
    }
}

fn roman(mut value: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1_000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if value >= 10_000 {
        return value.to_string();
    }
    let mut text = String::new();
    for (worth, sign) in SIGNS {
        while value >= worth {
            text.push_str(sign);
            value -= worth;
        }
    }
    text
}

/// A to Z, then AA to ZZ, and so on.
fn letters(value: u32) -> String {
    let Some(index) = value.checked_sub(1).filter(|index| *index < 26 * 100) else { return value.to_string() };
    let letter = char::from(b'A' + u8::try_from(index % 26).unwrap_or(0));
    std::iter::repeat_n(letter, index as usize / 26 + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_labelled_as_viewers_do() {
        let range = |style, prefix: &str, first| LabelRange { style, prefix: prefix.into(), first };
        let labels = BTreeMap::from([(1, range(b'r', "", 1)), (5, range(b'D', "", 1)), (8, range(b'A', "X-", 26))]);
        let outline = Outline { labels, titles: BTreeMap::new() };
        let all: Vec<String> = (1..=9).filter_map(|page| outline.label(page)).collect();
        assert_eq!(all, ["i", "ii", "iii", "iv", "1", "2", "3", "X-Z", "X-AA"]);
        assert_eq!(Outline::default().label(1), None);
        assert_eq!((roman(1994), roman(99_999)), ("MCMXCIV".into(), "99999".into()));
    }

    #[test]
    fn titles_are_decoded() {
        assert_eq!(text(b"\xfe\xff\x00B\x00\xfc\x00 \x00 \x00d"), "Bü d");
        assert_eq!(text(b"\xef\xbb\xbfB\xc3\xbc"), "Bü");
        assert_eq!(text(b"It\x90s \x84 \xe9"), "It’s — é");
    }
}
