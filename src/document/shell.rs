//! Documents whose pages only stand for something else: portfolios, and forms that viewers generate themselves.

use hayro_syntax::Pdf;
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Object};

use super::facts::Shell;

/// What the pages of `pdf` stand for; `None` when they are what it is about.
pub(super) fn of(pdf: &Pdf) -> Option<Shell> {
    let xref = pdf.xref();
    let catalog = xref.get::<Dict<'_>>(xref.root_id())?;
    let has = |dict: &Dict<'_>, key: &str| dict.get::<Object<'_>>(key).is_some_and(|of| !matches!(of, Object::Null(_)));
    if catalog.get::<Dict<'_>>("Collection").is_some() {
        return Some(Shell::Portfolio);
    }
    let form = catalog.get::<Dict<'_>>("AcroForm").filter(|form| has(form, "XFA"))?;
    // A form whose fields are on the pages can be read there.
    let fields = form.get::<Array<'_>>("Fields").map_or(0, |fields| fields.raw_iter().count());
    let on_pages = || pdf.pages().iter().any(|page| page.raw().get::<Array<'_>>(keys::ANNOTS).is_some());
    let rendered = catalog.get::<bool>("NeedsRendering").unwrap_or(false);
    (rendered || fields == 0 && !on_pages()).then_some(Shell::XfaForm)
}
