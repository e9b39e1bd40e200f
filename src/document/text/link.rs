//! Links of a page, and words that belong to them.

use std::fmt::Write;

use hayro_interpret::RectExt;
use hayro_interpret::kurbo::{Affine, Point, Rect};
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Name, Rect as PdfRect, String as PdfString};
use hayro_syntax::page::Page;

use super::line::Line;

/// A place on the page that leads somewhere outside the document.
pub(super) struct Link {
    area: Rect,
    pub(super) target: String,
}

#[cfg(test)]
impl Link {
    pub(super) fn to(target: &str) -> Self {
        Self { area: Rect::ZERO, target: target.to_owned() }
    }
}

/// More links on one page are left out.
const MOST: usize = 500;
/// A longer target is none that a person made.
const MAX_TARGET: usize = 2_000;

/// The links of a page with a target that is safe to write: `upright` leads from its space to that of its lines.
pub(super) fn of_page(page: &Page<'_>, upright: Affine) -> Vec<Link> {
    let Some(annotations) = page.raw().get::<Array<'_>>(keys::ANNOTS) else { return Vec::new() };
    let link = |annotation: Dict<'_>| {
        let action = annotation.get::<Dict<'_>>(keys::A)?;
        let is_link = annotation.get::<Name<'_>>(keys::SUBTYPE).as_deref() == Some(b"Link")
            && action.get::<Name<'_>>("S").as_deref() == Some(b"URI");
        let target = action.get::<PdfString<'_>>("URI").filter(|_| is_link)?;
        let area = annotation.get::<PdfRect>(keys::RECT)?.to_kurbo();
        Some(Link { area: upright.transform_rect_bbox(area), target: safe(target.as_bytes())? })
    };
    annotations.iter::<Dict<'_>>().filter_map(link).take(MOST).collect()
}

/// A target that Markdown can hold and a reader can follow without harm: the web and mail, nothing that runs.
fn safe(target: &[u8]) -> Option<String> {
    let text = str::from_utf8(target).ok()?.trim();
    let lower = text.to_ascii_lowercase();
    let known = ["http://", "https://", "mailto:"].iter().any(|scheme| lower.starts_with(scheme));
    if !known || text.len() > MAX_TARGET {
        return None;
    }
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' ' | '(' | ')' | '<' | '>' | '\\' | '"' | '`' => {
                let _ = write!(safe, "%{:02X}", u32::from(c));
            }
            c if c.is_control() => return None,
            c => safe.push(c),
        }
    }
    Some(safe)
}

/// Says of each word which link it belongs to.
pub(super) fn mark(lines: &mut [Line], targets: &[Link]) {
    if targets.is_empty() {
        return;
    }
    for line in lines.iter_mut().filter(|line| line.is_level()) {
        let middle = line.baseline - line.size * 0.3;
        for word in &mut line.words {
            let at = Point::new(f64::midpoint(word.start, word.end), middle);
            word.link = targets.iter().position(|link| link.area.contains(at)).and_then(|at| u16::try_from(at).ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_followed_without_harm_is_a_target() {
        for (target, expected) in [
            (&b"https://example.org/a(b) c"[..], Some("https://example.org/a%28b%29%20c")),
            (b"MAILTO:a@example.org", Some("MAILTO:a@example.org")),
            (b"javascript:alert(1)", None),
            (b"file:///etc/passwd", None),
            (b"http://x/\ny", None),
            (b"\xff", None),
        ] {
            assert_eq!(safe(target).as_deref(), expected);
        }
    }
}
