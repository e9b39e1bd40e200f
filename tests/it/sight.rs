//! What a page says is what one can see of it: hidden text stays out of the result, and what the picture alone shows is said.

use std::path::Path;

use bindery::document::{Document, DocumentLimits, PageFacts, Shell, TextLayer, TextOptions};
use bindery::output::markdown;
use bindery::task::{HiddenText, OcrLayer};
use lopdf::{Object, Stream, dictionary};
use serde_json::Value;

use crate::support::fake_llm::{FakeLlm, Script};
use crate::support::server::{bindery, run};
use crate::support::{mix, soon, with};

/// A page of this content, with what it may use: the font F1; the states Clear, Multiply and Masked; the pictures Print, of
/// letters, Plain, of one gray, and Dark.
fn page(content: &str) -> Vec<u8> {
    document(content, |_| {})
}

fn document(content: &str, change: impl FnOnce(&mut lopdf::Document)) -> Vec<u8> {
    let mut pdf = lopdf::Document::with_version("1.7");
    let picture = |gray: &dyn Fn(u32, u32) -> u8| {
        let data: Vec<u8> = (0..160 * 200).map(|at| gray(at % 160, at / 160)).collect();
        let entries = dictionary! {
            "Type" => "XObject", "Subtype" => "Image", "Width" => 160, "Height" => 200,
            "BitsPerComponent" => 8, "ColorSpace" => "DeviceGray",
        };
        Stream::new(entries, data)
    };
    let print = pdf.add_object(picture(&|x, y| {
        let inked = y % 5 < 3 && mix(u64::from(x / 2 * 977 + y)) % 10 < 4;
        if inked { 30 } else { 250 }
    }));
    let plain = pdf.add_object(picture(&|_, _| 235));
    let dark = pdf.add_object(picture(&|_, y| u8::try_from(y / 4).unwrap()));
    let font = pdf.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => "WinAnsiEncoding",
    });
    let profile = pdf.add_object(Stream::new(dictionary! { "N" => 3 }, lab_profile()));
    let content = pdf.add_object(Stream::new(dictionary! {}, content.as_bytes().to_vec()));
    let pages = pdf.new_object_id();
    let page = pdf.add_object(dictionary! {
        "Type" => "Page", "Parent" => pages, "Contents" => content,
        "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()],
        "Resources" => dictionary! {
            "Font" => dictionary! { "F1" => font },
            "XObject" => dictionary! { "Print" => print, "Plain" => plain, "Dark" => dark },
            "ExtGState" => dictionary! {
                "Clear" => dictionary! { "ca" => 0, "CA" => 0 },
                "Multiply" => dictionary! { "BM" => "Multiply" },
                "Half" => dictionary! { "ca" => Object::Real(0.5) },
            },
            "ColorSpace" => dictionary! {
                "Lab" => vec!["ICCBased".into(), profile.into()],
                "Spot" => vec![
                    "Separation".into(), "Blue".into(), "DeviceRGB".into(),
                    dictionary! {
                        "FunctionType" => 2, "N" => 1, "Domain" => vec![0.into(), 1.into()],
                        "C0" => vec![1.into(), 1.into(), 1.into()], "C1" => vec![0.into(), 0.into(), 1.into()],
                    }.into(),
                ],
            },
        },
    });
    pdf.set_object(pages, dictionary! { "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1 });
    let catalog = pdf.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
    pdf.trailer.set("Root", catalog);
    change(&mut pdf);
    let mut bytes = Vec::new();
    pdf.save_to(&mut bytes).unwrap();
    bytes
}

/// The head of an ICC profile of Lab colours (ICC.1:2010, 7.2).
fn lab_profile() -> Vec<u8> {
    let mut profile = vec![0; 132];
    for (at, bytes) in [(3, &b"\x84"[..]), (8, b"\x02"), (12, b"abstLab Lab "), (36, b"acsp")] {
        profile[at..at + bytes.len()].copy_from_slice(bytes);
    }
    profile
}

/// Reads the page, as text and by its facts.
fn read(pdf: &[u8], options: TextOptions) -> (String, TextLayer, PageFacts) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pdf");
    std::fs::write(&path, pdf).unwrap();
    let document = Document::open(&path, None, &DocumentLimits::default()).unwrap();
    let mut reader = document.reader();
    let layer = reader.text_layer(1, options).unwrap();
    (markdown::page(&layer.content), layer, reader.facts(1).unwrap())
}

const SEEN: &str = "BT /F1 11 Tf 72 760 Td (Plain words that are seen by all) Tj ET\n";

#[test]
fn text_that_cannot_be_seen_is_left_out_however_it_is_hidden() {
    let words = "(Hidden words) Tj ET";
    let at = "BT /F1 11 Tf 72 600 Td";
    let bar = "60 590 300 30 re f";
    for (how, content) in [
        ("no paint", format!("{at} 3 Tr {words} 0 Tr")),
        ("a clip alone", format!("q {at} 7 Tr {words} Q")),
        ("a clip that is painted white", format!("q {at} 7 Tr {words} 1 g {bar} Q")),
        ("a clip that is painted elsewhere", format!("q {at} 7 Tr {words} 60 100 300 30 re f Q")),
        ("a clip that is painted after its end", format!("q {at} 7 Tr {words} Q 60 100 300 30 re f")),
        ("white", format!("1 g {at} {words} 0 g")),
        ("white in three colours", format!("1 1 1 rg {at} {words} 0 g")),
        ("no ink at all", format!("0 0 0 0 k {at} {words} 0 g")),
        ("no tint of a spot colour", format!("/Spot cs 0 scn {at} {words} 0 g")),
        ("a white outline", format!("q 1 G {at} 1 Tr {words} Q")),
        ("the colour of its ground", format!("0.2 0.3 0.6 rg {bar} {at} {words} 0 g")),
        ("the colour of its ground, as a tint", format!("/Spot cs 1 scn {bar} 0 0 1 rg {at} {words} 0 g")),
        ("tiny", format!("BT /F1 0.5 Tf 72 600 Td {words}")),
        ("tiny by its matrix", format!("BT /F1 11 Tf 0.05 0 0 0.05 72 600 Tm {words}")),
        ("transparent", format!("q /Clear gs {at} {words} Q")),
        ("cut off", format!("q 0 0 10 10 re W n {at} {words} Q")),
        ("cut off by nothing", format!("q 72 600 0 0 re W n {at} {words} Q")),
        ("under a bar", format!("{at} {words} 0 g {bar}")),
        ("under a white bar", format!("{at} {words} 1 g {bar} 0 g")),
        ("under a picture", format!("{at} {words} q 300 0 0 40 60 590 cm /Plain Do Q")),
        ("under two halves", format!("{at} {words} 60 590 60 30 re f 120 590 240 30 re f")),
        ("outside of the page", format!("BT /F1 11 Tf 72 -40 Td {words}")),
    ] {
        let pdf = page(&format!("{SEEN}{content}"));
        let (text, layer, facts) = read(&pdf, TextOptions::default());
        assert_eq!(text, "Plain words that are seen by all", "{how}");
        assert_eq!(facts.shown.hidden_glyphs, 12, "{how}");
        let outside = how == "outside of the page";
        assert_eq!((layer.hidden.dropped, layer.hidden.kept), (11, 0), "{how}");
        let keep = with(TextOptions::default(), |text| text.hidden_text = HiddenText::Keep);
        let (text, layer, _) = read(&pdf, keep);
        assert_eq!((text.contains("Hidden words"), layer.hidden.kept == 11), (!outside, !outside), "{how}");
    }
}

#[test]
fn text_that_can_be_seen_stays() {
    let words = "(Seen words) Tj ET";
    let at = "BT /F1 11 Tf 72 600 Td";
    let bar = "60 590 300 30 re f";
    for (how, content) in [
        ("white on a dark bar", format!("0.1 0.1 0.3 rg {bar} 1 g {at} {words} 0 g")),
        ("white on a dark bar of a spot colour", format!("/Spot cs 1 scn {bar} 1 g {at} {words} 0 g")),
        ("white on a dark picture", format!("q 300 0 0 40 60 590 cm /Dark Do Q 1 g {at} {words} 0 g")),
        (
            "white on a dark round shape",
            format!("0 g 60 590 m 200 500 300 500 400 590 c 300 650 200 650 60 590 c f 1 g {at} {words} 0 g"),
        ),
        ("light gray", format!("0.85 g {at} {words} 0 g")),
        ("yellow", format!("1 1 0 rg {at} {words} 0 g")),
        ("marked with a pen", format!("{at} {words} q /Multiply gs 1 1 0 rg {bar} Q")),
        ("behind a veil", format!("{at} {words} q /Half gs 1 g {bar} Q")),
        ("struck through", format!("{at} {words} 0 g 60 603 300 1 re f")),
        ("in a frame that comes later", format!("{at} {words} 60 590 300 30 re S")),
        ("in a hollow shape", format!("{at} {words} 50 580 320 50 re 60 590 300 30 re f*")),
        ("written again over a bar", format!("{at} {words} 1 g {bar} 0 g {at} {words}")),
        ("with a white edge", format!("q 1 G 2 w {at} 1 Tr {words} Q {at} {words}")),
        ("white with a dark edge", format!("q 1 g 0 G {at} 2 Tr {words} Q")),
        ("as a clip that is painted", format!("q {at} 7 Tr {words} 0 0 1 rg {bar} Q")),
        ("as a clip of a picture", format!("q {at} 7 Tr {words} q 300 0 0 40 60 590 cm /Dark Do Q Q")),
        ("below a clip that is painted", format!("{at} {words} q BT /F1 11 Tf 72 500 Td 7 Tr ( ) Tj ET {bar} Q")),
        ("as a clip, and by themselves", format!("{at} {words} q {at} 7 Tr {words} 0 0 1 rg {bar} Q")),
        ("white on a colour that a profile explains", format!("/Lab cs 40 55 33 scn {bar} 1 g {at} {words} 0 g")),
        ("in its clip", format!("q 60 590 300 30 re W n {at} {words} Q")),
        ("after a clip", format!("q 0 0 10 10 re W n Q {at} {words}")),
        ("after a state", format!("q /Clear gs 1 g 3 Tr Q {at} {words}")),
        ("small print", format!("BT /F1 4 Tf 72 600 Td {words}")),
    ] {
        let (text, layer, facts) = read(&page(&format!("{SEEN}{content}")), TextOptions::default());
        let text = text.replace("<!-- image -->\n\n", "");
        assert_eq!(text, "Plain words that are seen by all\n\nSeen words", "{how}");
        assert_eq!((layer.hidden.dropped, facts.shown.has_sound_text()), (0, true), "{how}");
    }
}

#[test]
fn what_is_painted_within_letters_shows_no_others() {
    let content = "q BT /F1 11 Tf 72 600 Td 7 Tr (Seen) Tj 3 Tr (Hidden) Tj 7 Tr (words) Tj ET 60 590 300 30 re f Q";
    let (text, layer, _) = read(&page(content), TextOptions::default());
    assert_eq!((text.contains("Seen"), text.contains("words"), layer.hidden.dropped), (true, true, 6), "{text}");
}

#[test]
fn the_value_of_a_field_stands_on_what_was_painted_before() {
    let field = |pdf: &mut lopdf::Document| {
        let widget = pdf.add_object(dictionary! {
            "Type" => "Annot", "Subtype" => "Widget", "FT" => "Tx", "T" => Object::string_literal("name"),
            "V" => Object::string_literal("Ann Miller"), "Rect" => vec![72.into(), 600.into(), 300.into(), 620.into()],
        });
        let page = *pdf.get_pages().get(&1).unwrap();
        pdf.get_dictionary_mut(page).unwrap().set("Annots", vec![widget.into()]);
    };
    for before in ["1 g 0 0 595 842 re f", ""] {
        let (text, layer, _) = read(&document(before, field), TextOptions::default());
        assert_eq!((text.as_str(), layer.hidden.dropped), ("Ann Miller", 0), "{before}");
    }
}

/// Lines of recognised text, hidden on a scan.
fn scan(text: &str, lines: u32) -> Vec<u8> {
    let line = |at: u32| format!("BT /F1 10 Tf 3 Tr 60 {} Td ({text}) Tj ET ", 790 - 15 * at);
    page(&format!("q 595 0 0 842 0 0 cm /Print Do Q {}", (0..lines).map(line).collect::<String>()))
}

const RECOGNISED: &str = "The shed is let from May for a term of five years at a rent that both have named";

#[test]
fn recognised_text_is_taken_as_the_task_says() {
    let good = scan(RECOGNISED, 30);
    let options = |ocr_layer| with(TextOptions::default(), |text| text.ocr_layer = ocr_layer);
    for (layer, taken) in [(OcrLayer::Auto, true), (OcrLayer::Trust, true), (OcrLayer::Reread, false)] {
        let (text, layer, facts) = read(&good, options(layer));
        assert_eq!((text.contains("five years"), layer.hidden.kept > 0), (taken, taken));
        assert!(facts.shown.is_recognised() && layer.hidden.recognised && !facts.shown.has_sound_text());
    }
    let is_sound = |pdf: &[u8]| read(pdf, TextOptions::default()).2.shown.recognised_is_sound;
    assert!(!is_sound(&scan("T1e shcd ls 1et fr0m Nay f0r a tcrm 0f f1ve ycars at a rcnt tnat b0tn havc narned", 30)));
    assert!(!is_sound(&scan(RECOGNISED, 1)), "a line on a page full of print");
}

#[test]
fn what_only_a_picture_shows_is_looked_for() {
    let caption = "BT /F1 12 Tf 72 800 Td (Annex 3: the receipt) Tj ET";
    let shown = |content: &str| read(&page(content), TextOptions::default()).2.shown;
    let print = shown(&format!("q 300 0 0 380 72 300 cm /Print Do Q {caption}"));
    assert!(print.pictured_letters.unwrap() > 100, "{print:?}");
    let plain = shown(&format!("q 595 0 0 842 0 0 cm /Plain Do Q {caption}"));
    assert!(plain.pictured_letters == Some(0) && plain.picture_detail.unwrap() < 0.01, "{plain:?}");
    // A figure of letters is text, too, where there is plenty of it beside; a plain one is not.
    let line = |at: u32| format!("BT /F1 10 Tf 72 {} Td ({RECOGNISED}) Tj ET ", 790 - 12 * at);
    let text: String = (0..30).map(line).collect();
    let beside = |name: &str| shown(&format!("{text} q 300 0 0 200 72 100 cm /{name} Do Q"));
    let (print, plain) = (beside("Print"), beside("Plain"));
    assert!(print.unread_letters.unwrap() >= 200 && print.visible_glyphs() > 2_000, "{print:?}");
    assert_eq!((plain.unread_letters, plain.pictured_letters), (Some(0), Some(0)));
    assert_eq!(shown(&text).pictured_letters, None);

    // Letters as shapes, of which no map says anything: narrow and wide ones in rows.
    let letter = |at: u32, row: u32| {
        let (x, y, width) = (72 + 9 * at, 700 - 16 * row, 3 + (at * 7 + row) % 5);
        format!("{x} {y} m {} {y} l {} {} l {x} {} l h f ", x + width, x + width - 1, y + 8, y + 6 + at % 2 * 2)
    };
    let rows: String = (0..3).flat_map(|row| (0..20).map(move |at| letter(at, row))).collect();
    let footer = "BT /F1 9 Tf 280 40 Td (Page 1 of 1) Tj ET";
    assert!(shown(&format!("{rows} {footer}")).outlined_letters >= 40);
    assert_eq!(shown(&format!("{SEEN} 60 590 300 30 re f {footer}")).outlined_letters, 0);
}

#[tokio::test]
async fn a_page_says_what_was_hidden_and_what_it_stands_for() {
    let dir = tempfile::tempdir().unwrap();
    let white = format!("{SEEN} 1 g BT /F1 11 Tf 72 600 Td (Hidden words) Tj ET");
    let portfolio = |pdf: &mut lopdf::Document| {
        pdf.catalog_mut().unwrap().set("Collection", dictionary! { "View" => "D" });
    };
    let xfa = |pdf: &mut lopdf::Document| {
        let data = pdf.add_object(Stream::new(dictionary! {}, b"<xdp/>".to_vec()));
        let form = dictionary! { "Fields" => Vec::<Object>::new(), "XFA" => data };
        pdf.catalog_mut().unwrap().set("AcroForm", form);
        pdf.catalog_mut().unwrap().set("NeedsRendering", true);
    };
    for (name, pdf, code, detail) in [
        ("white", page(&white), "hidden_text", "11 letters"),
        ("scan", scan(RECOGNISED, 30), "text_unsure", "recognised by another program"),
        ("portfolio", document(SEEN, portfolio), "attachments", "attached"),
        ("xfa", document(SEEN, xfa), "xfa_shell", "XFA"),
    ] {
        let path = dir.path().join(format!("{name}.pdf"));
        std::fs::write(&path, pdf).unwrap();
        let path = path.to_str().unwrap();
        let done = run(dir.path(), ["convert", "--processor", "text", path, "--json"]).await;
        let pages: Value = serde_json::from_slice(&done.stdout).unwrap();
        let finding = &pages[0]["findings"][0];
        assert_eq!(finding["code"], code, "{pages}");
        assert!(finding["detail"].as_str().unwrap().contains(detail), "{pages}");
        assert_eq!(pages[0]["findings"].as_array().unwrap().len(), 1, "{pages}");
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.contains(&format!("1 page doubtful (1 {code})")), "{said}");
    }
    // What is kept is said, too; and pages are not served from the ledger to whoever wants them otherwise.
    let path = dir.path().join("white.pdf");
    let keep = run(dir.path(), ["convert", "--hidden-text", "keep", path.to_str().unwrap(), "--json"]).await;
    let pages: Value = serde_json::from_slice(&keep.stdout).unwrap();
    assert!(pages[0]["markdown"].as_str().unwrap().contains("Hidden words"), "{pages}");
    assert_eq!(pages[0]["findings"][0]["code"], "hidden_text");
    let path = dir.path().join("scan.pdf");
    let done = run(dir.path(), ["convert", "--ocr-layer", "reread", path.to_str().unwrap(), "--json"]).await;
    assert!(String::from_utf8_lossy(&done.stdout).contains("no_text_layer"));
}

#[test]
fn the_first_page_knows_what_the_document_is() {
    let collection = |pdf: &mut lopdf::Document| {
        pdf.catalog_mut().unwrap().set("Collection", dictionary! {});
    };
    let (plain, cover) = (page(SEEN), document(SEEN, collection));
    let facts = |pdf: &[u8]| read(pdf, TextOptions::default()).2;
    assert_eq!((facts(&plain).shown.shell, facts(&cover).shown.shell), (None, Some(Shell::Portfolio)));
    assert_ne!(facts(&plain).content_hash, facts(&cover).content_hash);
}

/// Converts with the processor auto; the routes of the pages, the calls made, and the text.
async fn auto(dir: &Path, pdf: &[u8], options: &[&str]) -> (Value, usize) {
    let llm = FakeLlm::start(Script::default());
    let path = dir.join("x.pdf");
    std::fs::write(&path, pdf).unwrap();
    let data = tempfile::tempdir().unwrap();
    let mut command = bindery(data.path());
    command.args(["convert", "--json", path.to_str().unwrap(), "--llm-base-url", &llm.url, "--llm-model", "m"]);
    let done = soon("the command to end", command.args(options).output()).await.unwrap();
    (serde_json::from_slice(&done.stdout).unwrap(), llm.books().calls.len())
}

#[tokio::test]
async fn pages_are_paid_for_only_where_their_text_does_not_do() {
    let dir = tempfile::tempdir().unwrap();
    let slide = format!("q 595 0 0 842 0 0 cm /Plain Do Q {SEEN}");
    let (pages, calls) = auto(dir.path(), &page(&slide), &[]).await;
    assert_eq!((calls, &pages[0]["checks"]["route"]), (0, &Value::from("text layer")));
    let receipt = "q 300 0 0 380 72 300 cm /Print Do Q BT /F1 12 Tf 72 800 Td (Annex 3) Tj ET";
    let (pages, calls) = auto(dir.path(), &page(receipt), &[]).await;
    assert_eq!((calls, &pages[0]["checks"]["route"]), (1, &Value::from("mostly a picture")));
    let line = |at: u32| format!("BT /F1 10 Tf 72 {} Td ({RECOGNISED}) Tj ET ", 790 - 12 * at);
    let figure = format!("{} q 300 0 0 200 72 100 cm /Print Do Q", (0..30).map(line).collect::<String>());
    let (pages, calls) = auto(dir.path(), &page(&figure), &[]).await;
    assert_eq!((calls, &pages[0]["checks"]["route"]), (1, &Value::from("mostly a picture")));
    let (pages, calls) = auto(dir.path(), &scan(RECOGNISED, 1), &["--input", "image"]).await;
    assert_eq!((calls, &pages[0]["checks"]["route"]), (1, &Value::from("a scan with recognised text")));
    // A model without its picture is not told what lies behind it.
    let (pages, calls) = auto(dir.path(), &scan(RECOGNISED, 1), &["--input", "text"]).await;
    assert_eq!((calls, &pages[0]["findings"][0]["code"]), (0, &Value::from("no_text_layer")), "{pages}");
    let (pages, calls) = auto(dir.path(), &scan(RECOGNISED, 1), &["--ocr-layer", "trust"]).await;
    assert_eq!((calls, pages[0]["findings"].as_array().unwrap().len()), (0, 0), "{pages}");
}

/// A page with a file pinned to it, in a document with one of its own.
fn with_files(pdf: &mut lopdf::Document) {
    let mut file = |name: &str| {
        let stream = pdf.add_object(Stream::new(dictionary! { "Type" => "EmbeddedFile" }, b"<x/>".to_vec()));
        let name = Object::string_literal(name);
        pdf.add_object(dictionary! { "Type" => "Filespec", "F" => name, "EF" => dictionary! { "F" => stream } })
    };
    let (invoice, notes) = (file("factur-x.xml"), file("notes.txt"));
    let elsewhere =
        pdf.add_object(dictionary! { "Type" => "Filespec", "F" => Object::string_literal("elsewhere.pdf") });
    let tree = dictionary! { "Names" => vec![Object::string_literal("a"), invoice.into()] };
    let names = dictionary! { "EmbeddedFiles" => dictionary! { "Kids" => vec![Object::Dictionary(tree)] } };
    pdf.catalog_mut().unwrap().set("Names", names);
    pdf.catalog_mut().unwrap().set("AF", vec![invoice.into(), elsewhere.into()]);
    let pin = dictionary! {
        "Type" => "Annot", "Subtype" => "FileAttachment", "FS" => notes,
        "Rect" => vec![9.into(), 9.into(), 20.into(), 20.into()],
    };
    let page = pdf.get_pages()[&1];
    pdf.get_dictionary_mut(page).unwrap().set("Annots", vec![Object::Dictionary(pin)]);
}

#[tokio::test]
async fn files_that_are_attached_are_a_fact_of_the_page_and_no_doubt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("invoice.pdf");
    std::fs::write(&path, document(SEEN, with_files)).unwrap();
    let llm = FakeLlm::start(Script::default());
    let model = ["--llm-base-url", &llm.url, "--llm-model", "m"];
    for processor in ["text", "llm"] {
        let arguments = ["convert", "--processor", processor, "--strict", "--json", path.to_str().unwrap()];
        let done = run(dir.path(), [&arguments[..], &model].concat()).await;
        let pages: Value = serde_json::from_slice(&done.stdout).unwrap();
        let finding = pages[0]["findings"].as_array().unwrap().iter().find(|of| of["code"] == "attachments").unwrap();
        assert_eq!(finding["detail"], "2 files are attached and were not read: factur-x.xml, notes.txt");
        assert_eq!(finding["fact"], true);
        assert!(processor == "llm" || done.status.success(), "{done:?}");
    }
    let facts = |pdf: &[u8]| read(pdf, TextOptions::default()).2;
    let (with, without) = (facts(&document(SEEN, with_files)), facts(&page(SEEN)));
    assert_eq!((with.attached, without.attached.len()), (vec!["factur-x.xml".into(), "notes.txt".into()], 0));
    assert_ne!(with.content_hash, without.content_hash, "what is said of a page is in its key");
}

#[test]
fn what_is_drawn_again_and_what_stands_off_the_page_is_counted() {
    let bold = "BT /F1 12 Tf 72 700 Td (Bold words) Tj ET BT /F1 12 Tf 72.3 700 Td (Bold words) Tj ET";
    let (text, _, facts) = read(&page(bold), TextOptions::default());
    assert_eq!((text.as_str(), facts.shown.repeated_glyphs), ("Bold words", 9));
    let slug = format!("{SEEN} BT /F1 8 Tf 72 900 Td (Printer 4711) Tj ET");
    for hidden_text in [HiddenText::Drop, HiddenText::Keep] {
        let (text, layer, facts) =
            read(&page(&slug), with(TextOptions::default(), |text| text.hidden_text = hidden_text));
        assert!(!text.contains("4711"), "{text}");
        assert_eq!((layer.hidden.dropped, facts.shown.outside_glyphs), (11, 11));
    }
}

/// Printer drivers draw the rules of a table as a picture of one pixel that is stretched.
#[test]
fn rules_of_single_pixels_part_the_cells_of_a_table() {
    let pixel = |x: u32, y: u32, width: &str, height: &str| {
        format!("q {width} 0 0 {height} {x} {y} cm BI /IM true /W 1 /H 1 /BPC 1 ID \x00\nEI Q\n")
    };
    let text = |x: u32, y: u32, text: &str| format!("BT /F1 9 Tf {x} {y} Td ({text}) Tj ET\n");
    let mut content: String = [720, 680, 640].map(|y| pixel(72, y, "300", "0.5")).concat();
    content += &[72, 170, 372].map(|x| pixel(x, 640, "0.5", "80")).concat();
    for (y, left, right) in [
        (708, "Gate", "It is lifted by a rope, and"),
        (696, "", "let down by its own weight"),
        (668, "Sluice", "A board that keeps the water"),
        (656, "", "back until the wheel needs it"),
    ] {
        content += &text(78, y, left);
        content += &text(178, y, right);
    }
    let (markdown, ..) = read(&page(&content), TextOptions::default());
    assert_eq!(
        markdown,
        "| Gate | It is lifted by a rope, and let down by its own weight |\n\
         | --- | --- |\n\
         | Sluice | A board that keeps the water back until the wheel needs it |"
    );
}
