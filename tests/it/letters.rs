//! What codes of fonts stand for, and how these look, where what a file says of it is wrong, cut or missing.

use bindery::document::{Document, DocumentLimits, TextOptions};
use bindery::output::markdown;
use lopdf::content::{Content, Operation};
use lopdf::{Dictionary, Object, Stream, StringFormat, dictionary};

use crate::support::pdf::only_page;

/// What is read of a page that shows `codes` in a font, twelve points high.
fn read(codes: &[u8], font: impl FnOnce(&mut lopdf::Document) -> Dictionary) -> String {
    let operations = vec![
        Operation::new("BT", vec![]),
        Operation::new("Tf", vec!["F1".into(), 12.into()]),
        Operation::new("Td", vec![72.into(), 700.into()]),
        Operation::new("Tj", vec![Object::String(codes.to_vec(), StringFormat::Hexadecimal)]),
        Operation::new("ET", vec![]),
    ];
    drawn(Content { operations }.encode().unwrap(), font)
}

/// What is read of a page with this content, which has one font.
fn drawn(content: Vec<u8>, font: impl FnOnce(&mut lopdf::Document) -> Dictionary) -> String {
    let mut pdf = lopdf::Document::with_version("1.7");
    let font = font(&mut pdf);
    let font = pdf.add_object(font);
    only_page(&mut pdf, content, dictionary! { "Font" => dictionary! { "F1" => font } });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pdf");
    pdf.save(&path).unwrap();
    let document = Document::open(&path, None, &DocumentLimits::default()).unwrap();
    markdown::page(&document.reader().text_layer(1, TextOptions::default()).unwrap().content)
}

/// A font that maps codes to Unicode by lines such as `<1c> <0069>`.
fn mapped(pdf: &mut lopdf::Document, map: &str, mut font: Dictionary) -> Dictionary {
    let count = map.lines().count();
    let map = format!(
        "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange {count} \
         beginbfchar\n{map}\nendbfchar endcmap end"
    );
    font.set("ToUnicode", pdf.add_object(Stream::new(dictionary! {}, map.into_bytes())));
    font
}

fn named(code: u8, names: &[&str]) -> Object {
    let mut differences: Vec<Object> = vec![i64::from(code).into()];
    differences.extend(names.iter().map(|name| Object::Name(name.as_bytes().to_vec())));
    dictionary! { "Type" => "Encoding", "BaseEncoding" => "WinAnsiEncoding", "Differences" => differences }.into()
}

#[test]
fn letters_that_are_mirrored_twice_run_as_they_are_seen() {
    for (content, why) in [
        ("BT /F1 12 Tf 72 700 Td (Bound in calf) Tj ET", "plain"),
        // PDFBOX-3067: the size turns both axes, the stretch turns one back, and the matrix the other.
        ("BT -100 Tz /F1 -12 Tf 1 0 0 -1 72 700 Tm (Bound in calf) Tj ET", "size, stretch and matrix"),
        ("BT /F1 -12 Tf -1 0 0 -1 72 700 Tm (Bound in calf) Tj ET", "size and matrix"),
        ("BT -100 Tz /F1 12 Tf -1 0 0 1 72 700 Tm (Bound in calf) Tj ET", "stretch and matrix"),
    ] {
        let helvetica = |_: &mut lopdf::Document| {
            dictionary! { "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica" }
        };
        assert_eq!(drawn(content.into(), helvetica), "Bound in calf", "{why}");
    }
}

#[test]
fn ligatures_of_which_a_map_says_one_letter_or_nothing_are_read_by_their_names() {
    for (said, why) in [
        ("<1c> <0066>", "the first one"),
        ("<1c> <0000>", "a control"),
        ("<1c> <e000>", "private use"),
        ("<1c> <fffd>", "the sign for what is not known"),
        ("<41> <0041>", "nothing"),
    ] {
        let text = read(b"Of\x1cce", |pdf| {
            let font = dictionary! {
                "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => named(0x1c, &["f_i"]),
            };
            mapped(pdf, said, font)
        });
        assert_eq!(text, "Office", "{why}");
    }
    let text = read(b"\x1es \x1c\x1ds of \x1fe", |pdf| {
        let font = dictionary! {
            "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica",
            "Encoding" => named(0x1c, &["fi", "t_t", "ff", "T_h"]),
        };
        mapped(pdf, "<1c> <0069>\n<1d> <0074>\n<1e> <0066>\n<1f> <0068>", font)
    });
    assert_eq!(text, "ffs fitts of The");
    // A map that says something else is believed.
    let text = read(b"\x1cn", |pdf| {
        let font = dictionary! {
            "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Helvetica", "Encoding" => named(0x1c, &["fi"]),
        };
        mapped(pdf, "<1c> <006f>", font)
    });
    assert_eq!(text, "on");
}

#[test]
fn drawn_fonts_that_number_their_glyphs_as_tex_does_have_its_ligatures() {
    let font = |codes: &'static [u8]| {
        move |pdf: &mut lopdf::Document| {
            let glyph = pdf.add_object(Stream::new(dictionary! {}, b"600 0 0 0 500 700 d1 0 0 500 700 re f".to_vec()));
            let (mut procs, mut differences) = (Dictionary::new(), Vec::<Object>::new());
            for code in codes {
                let name = format!("a{code}");
                procs.set(name.as_bytes(), glyph);
                differences.extend([i64::from(*code).into(), Object::Name(name.into_bytes())]);
            }
            dictionary! {
                "Type" => "Font", "Subtype" => "Type3", "FontBBox" => vec![0.into(), 0.into(), 600.into(), 700.into()],
                "FontMatrix" => vec![Object::Real(0.001), 0.into(), 0.into(), Object::Real(0.001), 0.into(), 0.into()],
                "FirstChar" => 0, "LastChar" => 127, "Widths" => (0..128).map(|code| Object::Integer(if code == 105 { 250 } else { 600 })).collect::<Vec<_>>(),
                "Encoding" => dictionary! { "Type" => "Encoding", "Differences" => differences }, "CharProcs" => procs,
            }
        }
    };
    assert_eq!(read(b"di\x0berent{o\x0ecer", font(b"\x0b\x0edirentoc{")), "different–officer");
    // Without one of them nothing tells that it is TeX's.
    assert_eq!(read(b"a{b}", font(b"ab{}")), "a{b}");
}

#[test]
fn signs_of_mathematical_pi_are_no_figures() {
    let pi = |name: &'static str| {
        move |_: &mut lopdf::Document| {
            dictionary! {
                "Type" => "Font", "Subtype" => "Type1", "BaseFont" => name, "FirstChar" => 32, "LastChar" => 126,
                "Widths" => (0..95).map(|at| Object::Integer(700 + at)).collect::<Vec<_>>(),
            }
        }
    };
    assert_eq!(read(b"683V", pi("ABCDEF+MathematicalPi-Four")), "±°×Ω");
    assert_eq!(read(b"7q", pi("ABCDEF+MathematicalPi-Four")), "∓�", "what is not known is said to be so");
    assert_eq!(read(b"683V", pi("Helvetica")), "683V");
}

#[test]
fn a_font_is_of_one_width_by_the_widths_that_it_gives() {
    let font = |widths: Vec<i64>, flags: i64| {
        move |pdf: &mut lopdf::Document| {
            let descriptor = pdf.add_object(dictionary! {
                "Type" => "FontDescriptor", "FontName" => "Own", "Flags" => flags, "MissingWidth" => 500,
            });
            dictionary! {
                "Type" => "Font", "Subtype" => "TrueType", "BaseFont" => "Own", "Encoding" => "WinAnsiEncoding",
                "FirstChar" => 97, "LastChar" => 96 + i64::try_from(widths.len()).unwrap(),
                "Widths" => widths.into_iter().map(Object::Integer).collect::<Vec<_>>(), "FontDescriptor" => descriptor,
            }
        }
    };
    let code = |text: &str| text.starts_with("```");
    let uneven = vec![500, 500, 450, 500, 450, 280, 500, 500, 230, 230, 450, 230, 780];
    assert!(!code(&read(b"film ham", font(uneven.clone(), 1 | 32))), "a flag that the widths contradict");
    assert!(!code(&read(b"ab", font(vec![500, 500], 32))), "widths that are only taken for granted");
    assert!(code(&read(b"film ham", font(vec![600; 13], 32))));
    assert!(code(&read(b"film ham", font(vec![600; 13], 1 | 32))));
}
