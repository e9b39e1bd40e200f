//! Page-range PDFs: the parts hold the same pages as the whole.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use bindery::document::{Document, DocumentLimits};
use bindery::internal::{Splitter, plan};
use bindery::output::markdown;
use proptest::prelude::*;

use crate::support::corpus::{corpus, manifest};
use crate::support::pdf::{book, locked};
use crate::support::server::{files, run};

fn texts(path: &Path, password: Option<&str>) -> Vec<String> {
    let document = Document::open(path, password, &DocumentLimits::default()).unwrap();
    let mut reader = document.reader();
    (1..=document.page_count()).map(|page| markdown::page(&reader.text(page).unwrap())).collect()
}

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf")
}

#[tokio::test]
async fn parts_hold_the_pages_of_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample();
    let parts = dir.path().join("parts");
    let out = parts.to_str().unwrap();
    let done = run(dir.path(), ["split", sample.to_str().unwrap(), "--shard-pages", "5", "-o", out]).await;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!((done.status.code(), said), (Some(0), format!("bindery: 3 parts in {out}\n")));
    assert_eq!(files(&parts), ["sample-01-05.pdf", "sample-06-10.pdf", "sample-11-12.pdf"]);
    let joined: Vec<String> = ["sample-01-05.pdf", "sample-06-10.pdf", "sample-11-12.pdf"]
        .iter()
        .flat_map(|part| texts(&parts.join(part), None))
        .collect();
    assert_eq!(joined, texts(&sample, None));
}

#[test]
fn locked_sources_come_out_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("locked.pdf");
    std::fs::write(&path, locked("Locked", 3, "geheim")).unwrap();
    let document = Document::open(&path, Some("geheim"), &DocumentLimits::default()).unwrap();
    let splitter = Splitter::open(&path, Some("geheim"), &document).unwrap();
    for shard in plan(1..=3, 2) {
        let part = dir.path().join("part.pdf");
        std::fs::write(&part, splitter.part(shard.pages()).unwrap()).unwrap();
        let expected: Vec<String> = shard.pages().map(|page| format!("Locked page {page}")).collect();
        assert_eq!(texts(&part, None), expected);
    }
    assert!(splitter.part([4]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn a_part_says_what_its_pages_say(pages in proptest::collection::vec(1_u32..=12, 1..12)) {
        static WHOLE: LazyLock<Vec<String>> = LazyLock::new(|| texts(&sample(), None));
        let document = Document::open(&sample(), None, &DocumentLimits::default()).unwrap();
        let splitter = Splitter::open(&sample(), None, &document).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let part = dir.path().join("part.pdf");
        std::fs::write(&part, splitter.part(pages.iter().copied()).unwrap()).unwrap();
        let expected: Vec<String> = pages.iter().map(|page| WHOLE[*page as usize - 1].clone()).collect();
        prop_assert_eq!(texts(&part, None), expected);
    }
}

/// The same of every file of the corpus that can be split, layouts, forms, layers and locks among them.
#[test]
fn parts_of_the_corpus_say_what_their_pages_say() {
    let Some(corpus) = corpus() else { return };
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("part.pdf");
    let (mut parts, mut refused) = (0, Vec::new());
    for (name, listed) in manifest(&corpus) {
        let path = corpus.join(&name);
        let limits = DocumentLimits::default();
        let password = Some(listed.password.as_str()).filter(|password| !password.is_empty());
        let Ok(document) = Document::open(&path, password, &limits) else { continue };
        if name.starts_with("evil_") || document.page_count() > 40 {
            continue;
        }
        let Ok(splitter) = Splitter::open(&path, password, &document) else {
            refused.push(name);
            continue;
        };
        let mut reader = document.reader();
        for shard in plan(1..=document.page_count(), 3) {
            std::fs::write(&part, splitter.part(shard.pages()).unwrap()).unwrap();
            let expected: Vec<String> = shard.pages().map(|page| markdown::page(&reader.text(page).unwrap())).collect();
            assert_eq!(texts(&part, None), expected, "{name} {shard:?}");
            parts += 1;
        }
    }
    assert!(parts > 100, "only {parts} parts");
    assert!(refused.len() <= 6, "{refused:?}");
}

/// A field with a part on each page: the part of a PDF has the field with what is on its own page.
#[test]
fn a_field_on_several_pages_leaves_those_behind_that_are_elsewhere() {
    let mut pdf = lopdf::Document::load_mem(&book("Fields", 2)).unwrap();
    let field = pdf.new_object_id();
    let mut kids = Vec::new();
    for (number, page) in pdf.get_pages() {
        let mut widget =
            lopdf::dictionary! { "Type" => "Annot", "Subtype" => "Widget", "Parent" => field, "P" => page };
        widget.set("Rect", vec![72.into(), 600.into(), 200.into(), (600 + i64::from(number)).into()]);
        let widget = pdf.add_object(widget);
        pdf.get_dictionary_mut(page).unwrap().set("Annots", vec![widget.into()]);
        kids.push(lopdf::Object::Reference(widget));
    }
    let dict = lopdf::dictionary! { "FT" => "Tx", "T" => lopdf::Object::string_literal("name"), "Kids" => kids };
    pdf.objects.insert(field, lopdf::Object::Dictionary(dict));
    let catalog = pdf.trailer.get(b"Root").unwrap().as_reference().unwrap();
    let form = lopdf::dictionary! { "Fields" => vec![field.into()] };
    pdf.get_dictionary_mut(catalog).unwrap().set("AcroForm", form);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fields.pdf");
    pdf.save(&path).unwrap();

    let document = Document::open(&path, None, &DocumentLimits::default()).unwrap();
    let part = Splitter::open(&path, None, &document).unwrap().part([2]).unwrap();
    let part = lopdf::Document::load_mem(&part).unwrap();
    let dict = |object: &lopdf::Object| part.dereference(object).unwrap().1.as_dict().unwrap().clone();
    let form = dict(part.catalog().unwrap().get(b"AcroForm").unwrap());
    let fields = form.get(b"Fields").unwrap().as_array().unwrap();
    assert_eq!(fields.len(), 1);
    let field = dict(&fields[0]);
    assert_eq!(field.get(b"T").unwrap().as_str().unwrap(), b"name");
    let kids = field.get(b"Kids").unwrap().as_array().unwrap();
    assert_eq!(kids.len(), 1);
    assert_eq!(dict(&kids[0]).get(b"Rect").unwrap().as_array().unwrap()[3].as_i64().unwrap(), 602);
}
