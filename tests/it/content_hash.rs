//! What a page shows has one hash, however its file is written; and another one when it shows something else.

use std::path::{Path, PathBuf};
use std::process::Command;

use bindery::document::{ContentHash, Document, DocumentLimits};
use lopdf::{Dictionary, Object, Stream};

use crate::support::corpus::{corpus, manifest};
use crate::support::fake_llm::{FakeLlm, Script};
use crate::support::server::Server;

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf")
}

fn hashes(path: &Path, password: Option<&str>) -> Vec<ContentHash> {
    let document = Document::open(path, password, &DocumentLimits::default()).unwrap();
    let mut reader = document.reader();
    (1..=document.page_count()).map(|page| reader.content_hash(page).unwrap()).collect()
}

/// Rewrites a file with qpdf (tests/run installs it where apt is); `false` when qpdf finds it damaged.
fn qpdf(arguments: &[&str], from: &Path, to: &Path) -> bool {
    let done = Command::new("qpdf").args(arguments).arg(from).arg(to).output().expect("qpdf is installed");
    done.status.success()
}

/// Ways of writing the same pages.
const WAYS: [&[&str]; 5] = [
    &["--linearize"],
    &["--object-streams=generate", "--recompress-flate", "--compression-level=1"],
    &["--object-streams=disable", "--stream-data=uncompress"],
    &["--newline-before-endstream", "--min-version=1.7"],
    &["--decrypt", "--preserve-unreferenced"],
];

/// How many rewritten copies were looked at; those that differ go to `wrong`.
fn check_ways(path: &Path, password: &str, dir: &Path, wrong: &mut Vec<String>) -> usize {
    let given = (!password.is_empty()).then_some(password);
    let original = hashes(path, given);
    let again = dir.join("again.pdf");
    let unlock = format!("--password={password}");
    let mut checked = 0;
    for way in WAYS {
        if qpdf(&[way, &[unlock.as_str()]].concat(), path, &again) {
            if hashes(&again, given) != original {
                wrong.push(format!("{} {way:?}", path.display()));
            }
            checked += 1;
        }
    }
    let mut backwards = original.clone();
    backwards.reverse();
    let pages = dir.join("pages.pdf");
    let reorder = ["--empty", "--pages", path.to_str().unwrap(), &unlock, "z-1", "--", pages.to_str().unwrap()];
    let done = Command::new("qpdf").args(reorder).output().unwrap();
    // Fields and layers belong to the whole file, and are not moved with its pages as they are.
    if done.status.success() && !has_more_than_pages(path, given) {
        if hashes(&pages, None) != backwards {
            wrong.push(format!("{} backwards", path.display()));
        }
        checked += 1;
    }
    checked
}

fn has_more_than_pages(path: &Path, password: Option<&str>) -> bool {
    let options = password.map_or_else(lopdf::LoadOptions::default, lopdf::LoadOptions::with_password);
    lopdf::Document::load_with_options(path, options)
        .is_ok_and(|pdf| pdf.catalog().is_ok_and(|catalog| catalog.has(b"AcroForm") || catalog.has(b"OCProperties")))
}

#[test]
fn the_same_page_has_the_same_hash_however_its_file_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let checked = check_ways(&sample(), "", dir.path(), &mut wrong);
    assert_eq!(checked, WAYS.len() + 1);
    let Some(corpus) = corpus() else {
        println!("the corpus is skipped: BINDERY_CORPUS names its folder");
        return;
    };
    let (mut files, mut checked) = (0, 0);
    for (name, listed) in manifest(&corpus) {
        // Damaged files are mended by everyone in their own way; in this one qpdf writes another name than it reads.
        if name.ends_with("pdfcpu__italian.pdf") {
            continue;
        }
        if listed.pages.is_some_and(|pages| pages < 100) && !listed.flags.contains("qpdf_") {
            files += 1;
            checked += check_ways(&corpus.join(name), &listed.password, dir.path(), &mut wrong);
        }
    }
    println!("{checked} rewritten copies of {files} files");
    assert!(wrong.is_empty(), "another hash:\n{}", wrong.join("\n"));
    assert!(checked > 300, "{checked}");
}

/// Writes the sample with one change.
fn changed(dir: &Path, change: impl FnOnce(&mut lopdf::Document)) -> PathBuf {
    let mut pdf = lopdf::Document::load(sample()).unwrap();
    change(&mut pdf);
    let path = dir.join("changed.pdf");
    pdf.save(&path).unwrap();
    path
}

fn differing(a: &[ContentHash], b: &[ContentHash]) -> Vec<usize> {
    assert_eq!(a.len(), b.len());
    (0..a.len()).filter(|at| a[*at] != b[*at]).map(|at| at + 1).collect()
}

#[test]
fn a_changed_glyph_font_image_box_or_rotation_changes_the_hash_of_its_pages_and_of_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let original = hashes(&sample(), None);
    let page = |pdf: &lopdf::Document, number: u32| pdf.get_pages()[&number];
    let glyph = changed(dir.path(), |pdf| {
        let id = page(pdf, 3);
        let mut content = pdf.get_page_content(id);
        let at = content.windows(2).position(|two| two == b"(T" || two == b"(A").map_or(0, |at| at + 1);
        content[at] = b'Z';
        pdf.change_page_content(id, content).unwrap();
    });
    assert_eq!(differing(&original, &hashes(&glyph, None)), [3]);
    let turned = changed(dir.path(), |pdf| {
        let id = page(pdf, 4);
        pdf.get_dictionary_mut(id).unwrap().set("Rotate", 90);
    });
    assert_eq!(differing(&original, &hashes(&turned, None)), [4]);
    let cropped = changed(dir.path(), |pdf| {
        let id = page(pdf, 5);
        let crop = [10, 10, 300, 300].map(Object::from).to_vec();
        pdf.get_dictionary_mut(id).unwrap().set("CropBox", crop);
    });
    assert_eq!(differing(&original, &hashes(&cropped, None)), [5]);
    let font = changed(dir.path(), |pdf| {
        for object in pdf.objects.values_mut() {
            if let Object::Dictionary(dict) = object
                && dict.get(b"Type").and_then(Object::as_name).is_ok_and(|name| name == b"Font")
            {
                dict.set("BaseFont", Object::Name(b"Courier".to_vec()));
            }
        }
    });
    assert!(!differing(&original, &hashes(&font, None)).is_empty());

    // One image, drawn on the second of three pages; then one byte of it is another one.
    let illustrated = |pixel: u8| {
        changed(dir.path(), |pdf| {
            let mut dict = Dictionary::new();
            for (key, name) in [("Type", "XObject"), ("Subtype", "Image"), ("ColorSpace", "DeviceGray")] {
                dict.set(key, Object::Name(name.into()));
            }
            for (key, number) in [("Width", 2), ("Height", 1), ("BitsPerComponent", 8)] {
                dict.set(key, number);
            }
            let image = pdf.add_object(Stream::new(dict, vec![0, pixel]));
            let id = page(pdf, 2);
            let mut content = pdf.get_page_content(id);
            content.extend(b"\nq 9 0 0 9 9 9 cm /Seen Do Q");
            pdf.add_xobject(id, "Seen", image).unwrap();
            pdf.add_xobject(page(pdf, 1), "Unseen", image).unwrap();
            pdf.change_page_content(id, content).unwrap();
        })
    };
    let dark = hashes(&illustrated(0), None);
    assert_eq!(differing(&original, &dark), [2], "an image that a page does not draw is not its own");
    assert_eq!(differing(&dark, &hashes(&illustrated(1), None)), [2]);
}

/// A dictionary of these entries.
fn dict(entries: &[(&str, Object)]) -> Dictionary {
    let mut dict = Dictionary::new();
    entries.iter().for_each(|(key, value)| dict.set(*key, value.clone()));
    dict
}

fn name(name: &str) -> Object {
    Object::Name(name.into())
}

#[test]
fn what_a_layer_shows_and_what_a_form_borrows_counts() {
    let dir = tempfile::tempdir().unwrap();
    let bbox = Object::Array([0, 0, 300, 300].map(Object::from).to_vec());
    // The page draws a form that belongs to a layer, by the layer itself or by a condition on it.
    let layered = |hidden: bool, policy: Option<&str>| {
        changed(dir.path(), |pdf| {
            let layer = pdf.add_object(dict(&[("Type", name("OCG")), ("Name", Object::string_literal("L"))]));
            let list = Object::Array(vec![layer.into()]);
            let shown_by = policy.map_or(Object::from(layer), |policy| {
                let condition = [("Type", name("OCMD")), ("OCGs", list.clone()), ("P", name(policy))];
                pdf.add_object(dict(&condition)).into()
            });
            let default = dict(&[(if hidden { "OFF" } else { "ON" }, list.clone())]);
            let layers = dict(&[("OCGs", list), ("D", default.into())]);
            pdf.catalog_mut().unwrap().set("OCProperties", layers);
            let form = dict(&[("Subtype", name("Form")), ("BBox", bbox.clone()), ("OC", shown_by)]);
            let form = pdf.add_object(Stream::new(form, b"0 0 9 9 re f".to_vec()));
            let page = pdf.get_pages()[&2];
            pdf.add_xobject(page, "Fm", form).unwrap();
            pdf.change_page_content(page, b"/Fm Do".to_vec()).unwrap();
        })
    };
    let of = |path: PathBuf| hashes(&path, None)[1];
    assert_ne!(of(layered(false, None)), of(layered(true, None)));
    assert_ne!(of(layered(false, Some("AllOn"))), of(layered(false, Some("AllOff"))));
    assert_eq!(of(layered(false, None)), of(layered(false, None)));

    // A form without resources of its own takes those of the form that draws it.
    let nested = |font: &str| {
        changed(dir.path(), |pdf| {
            let font = [("Type", name("Font")), ("Subtype", name("Type1")), ("BaseFont", name(font))];
            let inner = dict(&[("Subtype", name("Form")), ("BBox", bbox.clone())]);
            let inner = pdf.add_object(Stream::new(inner, b"BT /F1 9 Tf (x) Tj ET".to_vec()));
            let fonts = dict(&[("F1", dict(&font).into())]);
            let resources = dict(&[("Font", fonts.into()), ("XObject", dict(&[("B", inner.into())]).into())]);
            let outer = dict(&[("Subtype", name("Form")), ("BBox", bbox.clone()), ("Resources", resources.into())]);
            let outer = pdf.add_object(Stream::new(outer, b"/B Do".to_vec()));
            let page = pdf.get_pages()[&2];
            pdf.add_xobject(page, "Fm", outer).unwrap();
            pdf.change_page_content(page, b"/Fm Do".to_vec()).unwrap();
        })
    };
    assert_ne!(of(nested("Helvetica")), of(nested("Courier")));
}

#[test]
fn what_annotations_look_like_what_fields_say_and_where_links_lead_counts() {
    let dir = tempfile::tempdir().unwrap();
    let rect = Object::Array([10, 10, 90, 30].map(Object::from).to_vec());
    // The second page with one annotation, below a field.
    let annotated = |kind: &str, own: &[(&str, Object)], field: &[(&str, Object)], look: &[u8]| {
        let path = changed(dir.path(), |pdf| {
            let bbox = Object::Array([0, 0, 80, 20].map(Object::from).to_vec());
            let form = dict(&[("Subtype", name("Form")), ("BBox", bbox)]);
            let form = pdf.add_object(Stream::new(form, look.to_vec()));
            let field = pdf.add_object(dict(field));
            let mut annotation = dict(&[("Subtype", name(kind)), ("Rect", rect.clone()), ("Parent", field.into())]);
            own.iter().for_each(|(key, value)| annotation.set(*key, value.clone()));
            if !look.is_empty() {
                annotation.set("AP", dict(&[("N", form.into())]));
            }
            let page = pdf.get_pages()[&2];
            pdf.get_dictionary_mut(page).unwrap().set("Annots", vec![Object::from(annotation)]);
        });
        hashes(&path, None)[1]
    };
    let says = |value: &str| ("V", Object::string_literal(value));
    let text = ("FT", name("Tx"));
    let leads = |target: &str| {
        let action = [("S", name("URI")), ("URI", Object::string_literal(target))];
        ("A", Object::from(dict(&action)))
    };
    for (what, one, other) in [
        ("a look", annotated("Stamp", &[], &[], b"0 0 9 9 re f"), annotated("Stamp", &[], &[], b"0 0 9 8 re f")),
        (
            "a value",
            annotated("Widget", &[text.clone(), says("a")], &[], b""),
            annotated("Widget", &[text.clone(), says("b")], &[], b""),
        ),
        (
            "a value above",
            annotated("Widget", &[], &[text.clone(), says("a")], b""),
            annotated("Widget", &[], &[text.clone(), says("b")], b""),
        ),
        (
            "a kind above",
            annotated("Widget", &[says("a")], std::slice::from_ref(&text), b""),
            annotated("Widget", &[says("a")], &[("FT", name("Btn"))], b""),
        ),
        (
            "a target",
            annotated("Link", &[leads("https://a.org")], &[], b""),
            annotated("Link", &[leads("https://b.org")], &[], b""),
        ),
        (
            "a place",
            annotated("Stamp", &[("F", 0.into())], &[], b"0 0 9 9 re f"),
            annotated("Stamp", &[("F", 2.into())], &[], b"0 0 9 9 re f"),
        ),
    ] {
        assert_ne!(one, other, "{what}");
    }
    // What says nothing on the page does not.
    let signed = |contents: &str| {
        let signature = dict(&[("Contents", Object::string_literal(contents))]);
        annotated("Widget", &[("FT", name("Sig")), ("V", signature.into())], &[], b"")
    };
    assert_eq!(signed("one"), signed("other"));
    let made = |when: &str| annotated("Stamp", &[("M", Object::string_literal(when))], &[], b"0 0 9 9 re f");
    assert_eq!(made("D:2020"), made("D:2021"));
}

#[tokio::test]
async fn an_edited_pdf_pays_for_the_pages_that_changed() {
    let dir = tempfile::tempdir().unwrap();
    let llm = FakeLlm::start(Script::default());
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m"]).await;
    let original = std::fs::read(sample()).unwrap();
    // With a prompt of their own the answers are not measured against the page.
    let id = server.accepted(original, "processor=llm&prompt=Read").await;
    let first = server.finished(&id).await;
    let paid = llm.books().calls.len();
    let edited = changed(dir.path(), |pdf| {
        let id = pdf.get_pages()[&3];
        let mut content = pdf.get_page_content(id);
        content.extend(b"\nBT ET");
        pdf.change_page_content(id, content).unwrap();
    });
    let id = server.accepted(std::fs::read(edited).unwrap(), "processor=llm&prompt=Read").await;
    let task = server.finished(&id).await;
    assert_eq!((&task["status"], &task["pages"]), (&"completed".into(), &first["pages"]), "{task}");
    assert_eq!(llm.books().calls.len(), paid + 1, "one page was changed");
    assert_eq!(task["usage"]["calls"], 1);
}
