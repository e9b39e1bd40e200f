//! Which layers of a document are hidden (optional content, PDF 32000-1, 8.11).

use std::collections::HashSet;

use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, MaybeRef, Name, ObjectIdentifier};
use hayro_syntax::xref::XRef;

/// The groups that the document's default configuration hides.
#[derive(Clone, Default)]
pub(in crate::document) struct Layers(HashSet<ObjectIdentifier>);

impl Layers {
    pub(in crate::document) fn of(xref: &XRef) -> Self {
        let mut hidden = HashSet::new();
        let properties =
            xref.get::<Dict<'_>>(xref.root_id()).and_then(|catalog| catalog.get::<Dict<'_>>("OCProperties"));
        let Some(properties) = properties else { return Self::default() };
        let Some(config) = properties.get::<Dict<'_>>("D") else { return Self::default() };
        if config.get::<Name<'_>>("BaseState").as_deref() == Some(b"OFF") {
            hidden.extend(groups(&properties, "OCGs"));
        }
        for group in groups(&config, "ON") {
            hidden.remove(&group);
        }
        hidden.extend(groups(&config, "OFF"));
        Self(hidden)
    }

    /// Whether the group is hidden.
    pub(in crate::document) fn hides(&self, group: ObjectIdentifier) -> bool {
        self.0.contains(&group)
    }

    /// Whether the group, or the membership of groups, that `dict` holds under `key` is hidden.
    pub(super) fn hide(&self, dict: &Dict<'_>, key: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let Some(group) = dict.get_ref(key) else { return false };
        let membership =
            dict.get::<Dict<'_>>(key).filter(|dict| dict.get::<Name<'_>>(keys::TYPE).as_deref() == Some(b"OCMD"));
        let Some(membership) = membership else { return self.0.contains(&group.into()) };
        let mut members: Vec<ObjectIdentifier> = groups(&membership, "OCGs").collect();
        members.extend(membership.get_ref("OCGs").filter(|_| members.is_empty()).map(ObjectIdentifier::from));
        if members.is_empty() {
            return false;
        }
        let is_off = |group: &ObjectIdentifier| self.0.contains(group);
        match membership.get::<Name<'_>>("P").as_deref() {
            Some(b"AllOn") => members.iter().any(is_off),
            Some(b"AnyOff") => !members.iter().any(is_off),
            Some(b"AllOff") => !members.iter().all(is_off),
            _ => members.iter().all(is_off),
        }
    }
}

fn groups<'a>(dict: &Dict<'a>, key: &str) -> impl Iterator<Item = ObjectIdentifier> + use<'a> {
    let list = dict.get::<Array<'a>>(key);
    list.into_iter().flat_map(|list| list.raw_iter()).filter_map(|item| match item {
        MaybeRef::Ref(group) => Some(group.into()),
        MaybeRef::NotRef(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use hayro_syntax::Pdf;

    use super::*;

    #[test]
    fn what_the_document_hides_is_hidden() {
        let hidden = |config: &str, membership: &str| {
            let objects = [
                format!("<< /Type /Catalog /Pages 2 0 R /OCProperties << /OCGs [4 0 R 5 0 R] /D << {config} >> >> >>"),
                "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".into(),
                "<< /Type /Page /Parent 2 0 R /One 4 0 R /Two 5 0 R /Both 6 0 R >>".into(),
                "<< /Type /OCG /Name (one) >>".into(),
                "<< /Type /OCG /Name (two) >>".into(),
                format!("<< /Type /OCMD /OCGs [4 0 R 5 0 R] {membership} >>"),
            ];
            let body: Vec<String> =
                objects.iter().zip(1..).map(|(object, id)| format!("{id} 0 obj {object} endobj\n")).collect();
            let pdf = Pdf::new(format!("%PDF-1.5\n{}trailer << /Root 1 0 R >>\n", body.concat()).into_bytes()).unwrap();
            let layers = Layers::of(pdf.xref());
            let page = pdf.pages()[0].raw();
            [b"One".as_slice(), b"Two", b"Both", b"None"].map(|key| layers.hide(page, key))
        };
        for (config, membership, expected) in [
            ("", "", [false; 4]),
            ("/OFF [4 0 R]", "", [true, false, false, false]),
            ("/OFF [4 0 R]", "/P /AllOn", [true, false, true, false]),
            ("/OFF [4 0 R]", "/P /AnyOff", [true, false, false, false]),
            ("/OFF [4 0 R]", "/P /AllOff", [true, false, true, false]),
            ("/OFF [4 0 R 5 0 R]", "", [true, true, true, false]),
            ("/BaseState /OFF /ON [5 0 R]", "", [true, false, false, false]),
        ] {
            assert_eq!(hidden(config, membership), expected, "{config} {membership}");
        }
    }
}
