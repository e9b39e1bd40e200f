//! What counts for the hash of a page and what does not, on files of a few objects.

use std::fmt::Write as _;

use hayro_syntax::Pdf;

use super::*;

#[test]
fn names_are_found_wherever_they_may_stand() {
    let found = names_in(b"/F1 12 Tf (a/b) Tj /A#20B gs[/x]/ q/#4g /Im%c\n");
    let expected: [&[u8]; 7] = [b"F1", b"b", b"A B", b"x", b"", b"#4g", b"Im"];
    assert_eq!(found, expected.into_iter().map(<[u8]>::to_vec).collect());
}

/// A file of these pages, given by their own entries, and of these objects, numbered from 11.
fn file(pages: &[&str], objects: &[&str]) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|at| format!("{} 0 R", 3 + at)).collect();
    let kids = kids.join(" ");
    let page = |own: &&str| format!("<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]{own}>>");
    let mut numbered = vec![
        (1, "<</Type/Catalog/Pages 2 0 R>>".to_owned()),
        (2, format!("<</Type/Pages/Kids[{kids}]/Count {}>>", pages.len())),
    ];
    numbered.extend((3..).zip(pages.iter().map(page)));
    numbered.extend((11..).zip(objects.iter().map(ToString::to_string)));
    let mut text = "%PDF-1.7\n".to_owned();
    let mut index = "xref\n0 1\n0000000000 65535 f \n".to_owned();
    for (number, object) in numbered {
        write!(index, "{number} 1\n{:010} 00000 n \n", text.len()).unwrap();
        write!(text, "{number} 0 obj\n{object}\nendobj\n").unwrap();
    }
    let start = text.len();
    write!(text, "{index}trailer\n<</Root 1 0 R/Size 99>>\nstartxref\n{start}\n%%EOF\n").unwrap();
    text.into_bytes()
}

/// A stream with these entries.
fn stream(entries: &str, data: &str) -> String {
    format!("<</Length {}{entries}>>\nstream\n{data}\nendstream", data.len())
}

/// The hashes of the pages of a file in this order, with what they share known from one to the next.
fn hashes(file: Vec<u8>, order: &[usize]) -> Vec<ContentHash> {
    let pdf = Pdf::new(file).unwrap();
    let mut shared = SharedHashes::default();
    order.iter().map(|at| content_hash(&pdf.pages()[*at], pdf.xref(), None, &[], &mut shared).unwrap()).collect()
}

fn hash(page: &str, objects: &[&str]) -> ContentHash {
    hashes(file(&[page], objects), &[0])[0]
}

/// A page that draws `/X` and has these resources beside; the object 12 may be the font `/F1`, which it does not name.
fn draws(object: &str, resources: &str, more: &[&str]) -> ContentHash {
    let content = stream("", "/X Do");
    let page = format!("/Contents 11 0 R/Resources<</XObject<</X 12 0 R>>{resources}>>");
    hash(&page, &[&[content.as_str(), object], more].concat())
}

const HELVETICA: &str = "/Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>";
const COURIER: &str = "/Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Courier>>>>";

#[test]
fn resources_that_are_borrowed_count_and_others_do_not() {
    let form = |entries: &str| stream(entries, "/F1 9 Tf");
    let image = |space: &str| stream(&format!("/Subtype/Image/Width 1/Height 1/ColorSpace{space}"), "x");
    // What the page draws; whether it may use resources that the page does not name.
    let cases = [
        ("a form", form("/Subtype/Form/BBox[0 0 9 9]"), true),
        ("a form without a box", form("/Subtype/Form"), true),
        ("a form that does not say so", form("/BBox[0 0 9 9]"), true),
        ("what is no image", form(""), true),
        ("a form with its own", form("/Subtype/Form/BBox[0 0 9 9]/Resources<<>>"), false),
        ("an image", image("/DeviceGray"), false),
        ("an image in a named colour space", image("/CS0"), true),
        ("an image in a colour space of its own", image("[/Indexed/DeviceGray 0 <00>]"), false),
    ];
    for (what, drawn, borrows) in cases {
        let differ = draws(&drawn, HELVETICA, &[]) != draws(&drawn, COURIER, &[]);
        assert_eq!(differ, borrows, "{what}");
    }
}

#[test]
fn appearances_and_glyphs_borrow_too() {
    let annotated = |form: &str, resources: &str| {
        let page = format!("/Resources<<{resources}>>/Annots[<</Subtype/Stamp/AP<</N 11 0 R>>>><</Subtype/Stamp>>]");
        hash(&page, &[&stream(form, "/F1 9 Tf")])
    };
    for (form, borrows) in [
        ("/BBox[0 0 9 9]", true),
        ("/Subtype/Form", true),
        ("/BBox[0 0 9 9]/Resources<<>>", false),
        ("/Subtype/Form/Resources<<>>", false),
    ] {
        assert_eq!(annotated(form, HELVETICA) != annotated(form, COURIER), borrows, "{form}");
    }
    let glyphs = |own: &str, colour: &str| {
        let font = format!("<</Type/Font/Subtype/Type3/CharProcs<</a 12 0 R>>{own}>>");
        let page = format!("/Contents 11 0 R/Resources<</Font<</T3 {font}>>/ColorSpace<</C {colour}>>>>");
        hash(&page, &[&stream("", "/T3 9 Tf(a)Tj"), &stream("", "/C cs")])
    };
    assert_ne!(glyphs("", "/DeviceGray"), glyphs("", "/DeviceRGB"));
    assert_eq!(glyphs("/Resources<<>>", "/DeviceGray"), glyphs("/Resources<<>>", "/DeviceRGB"));
}

#[test]
fn of_a_form_with_resources_those_count_that_it_names() {
    for kind in ["/Subtype/Form/BBox[0 0 9 9]", "/Subtype/Form", "/BBox[0 0 9 9]"] {
        let with = |resources: &str| draws(&stream(&format!("{kind}/Resources<<{resources}>>"), "/A gs"), "", &[]);
        let (one, other) = ("/ExtGState<</A<</CA 1>>>>", "/ExtGState<</A<</CA 0>>>>");
        assert_ne!(with(one), with(other), "{kind}");
        assert_eq!(with("/ExtGState<</B<</CA 1>>>>"), with("/ExtGState<</B<</CA 0>>>>"), "{kind}");
        // Everything else that it says counts.
        let turned = |matrix: &str| draws(&stream(&format!("{kind}/Resources<<>>/Matrix{matrix}"), "q"), "", &[]);
        assert_ne!(turned("[1 0 0 1 0 0]"), turned("[2 0 0 1 0 0]"), "{kind}");
    }
    // What is no form has no resources, only an entry of that name.
    let image = |entry: &str| {
        draws(&stream(&format!("/Subtype/Image/ColorSpace/DeviceGray/Resources<</ExtGState {entry}>>"), "x"), "", &[])
    };
    assert_ne!(image("<</B 1>>"), image("<</B 2>>"));
}

#[test]
fn how_a_stream_is_stored_does_not_count_unless_it_cannot_be_decoded() {
    let form = |entries: &str, data: &str| draws(&stream(&format!("/Subtype/Form{entries}"), data), "", &[]);
    assert_eq!(form("", "AB"), form("/Filter/ASCIIHexDecode", "4142>"));
    assert_eq!(form("", "AB"), form("/Metadata 7/LastModified(D:2020)/PieceInfo<<>>", "AB"));
    assert_ne!(form("", "AB"), form("", "AC"));
    let undecodable = |filter: &str| draws(&stream(&format!("/Subtype/Image/Filter{filter}"), "x"), "", &[]);
    assert_ne!(undecodable("/DCTDecode"), undecodable("/JPXDecode"));
    // Elsewhere such an entry is one like others.
    let state = |entry: &str| draws("null", &format!("/Font<</X<</{entry}>>>>"), &[]);
    assert_ne!(state("DL 1"), state("DL 2"));
}

#[test]
fn an_entry_without_a_value_is_none_unless_it_counts_by_being_there() {
    let lost = "98 0 R";
    let with = |entry: &str| draws(&stream(&format!("/Subtype/Image{entry}"), "x"), "", &["null", "[0]"]);
    for nothing in ["null", lost, "13 0 R"] {
        assert_eq!(with(""), with(&format!("/Zz {nothing}")), "{nothing}");
        assert_ne!(with(""), with(&format!("/SMask {nothing}")), "{nothing}");
    }
    for something in ["0", "14 0 R"] {
        assert_ne!(with(""), with(&format!("/Zz {something}")), "{something}");
    }
}

#[test]
fn numbers_that_are_equal_count_as_equal() {
    let boxed = |zero: &str| draws(&stream(&format!("/Subtype/Form/BBox[{zero} 0 9 9]"), "q"), "", &[]);
    assert_eq!(boxed("0"), boxed("-0.0"));
    assert_eq!(boxed("0"), boxed("0.0"));
    assert_ne!(boxed("0"), boxed("0.5"));
}

/// Pages that hash alike in whatever order their file is read.
#[track_caller]
fn assert_order_does_not_count(file: &[u8]) {
    let alone = |at: usize| hashes(file.to_vec(), &[at])[0];
    assert_eq!(hashes(file.to_vec(), &[0, 1]), [alone(0), alone(1)]);
    assert_eq!(hashes(file.to_vec(), &[1, 0]), [alone(1), alone(0)]);
    assert_eq!(hashes(file.to_vec(), &[0, 0, 1, 1]), [alone(0), alone(0), alone(1), alone(1)]);
}

#[test]
fn a_page_has_the_same_hash_whatever_was_read_before_it() {
    let state = |entry: &str| format!("/Contents 11 0 R/Resources<</ExtGState<</G {entry}>>>>");
    let content = stream("", "/G gs");
    // Circles of one, two and three, entered in different places and at different depths.
    let one = ["<</Self 12 0 R>>"];
    let two = ["<</To 13 0 R>>", "<</To 12 0 R/N 1>>"];
    let three = ["<</To 13 0 R/A[12 0 R]>>", "<</To 14 0 R/N 1>>", "<</To 12 0 R/N 2/B[13 0 R]>>"];
    for circle in [one.as_slice(), &two, &three] {
        let objects: Vec<&str> = [content.as_str()].into_iter().chain(circle.iter().copied()).collect();
        let last = 11 + circle.len();
        for (first, second) in [
            ("12 0 R".to_owned(), format!("{last} 0 R")),
            ("12 0 R".to_owned(), "<</In 12 0 R>>".to_owned()),
            ("<</In 12 0 R>>".to_owned(), format!("<</In<</In {last} 0 R>>>>")),
        ] {
            assert_order_does_not_count(&file(&[&state(&first), &state(&second)], &objects));
        }
    }
    // An appearance that borrows from each page what that page has.
    let stamped = |fonts: &str| format!("/Resources<<{fonts}>>/Annots[<</Subtype/Stamp/AP<</N 11 0 R>>>>]");
    let form = stream("/BBox[0 0 9 9]", "/F1 9 Tf");
    let pages = file(&[&stamped(HELVETICA), &stamped(COURIER)], &[&form]);
    let both = hashes(pages.clone(), &[0, 1]);
    assert_ne!(both[0], both[1]);
    assert_order_does_not_count(&pages);
}

#[test]
fn what_is_too_deep_is_refused() {
    let content = stream("", "/G gs");
    let nested = |depth: usize| {
        let state = format!("{}0{}", "[".repeat(depth), "]".repeat(depth));
        let page = format!("/Contents 11 0 R/Resources<</ExtGState<</G {state}>>>>");
        let pdf = Pdf::new(file(&[&page], &[&content])).unwrap();
        content_hash(&pdf.pages()[0], pdf.xref(), None, &[], &mut SharedHashes::default())
    };
    assert!(nested(20).is_ok());
    assert_eq!(nested(MAX_DEPTH + 1), Err(TooComplex));
}

/// The first page says whether it stands for something else, and for what; and every page what is attached to it.
#[test]
fn what_a_page_tells_of_its_document_counts() {
    let pdf = Pdf::new(file(&[""], &[])).unwrap();
    let hash = |shell, attached: &[&str]| {
        let attached: Vec<String> = attached.iter().map(ToString::to_string).collect();
        content_hash(&pdf.pages()[0], pdf.xref(), shell, &attached, &mut SharedHashes::default()).unwrap()
    };
    let all = [
        hash(None, &[]),
        hash(Some(Shell::Portfolio), &[]),
        hash(Some(Shell::XfaForm), &[]),
        hash(None, &["a.csv"]),
        hash(None, &["b.csv"]),
        hash(None, &["a.csv", "b.csv"]),
        hash(None, &["a.csvb.csv"]),
        hash(Some(Shell::Portfolio), &["a.csv"]),
    ];
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "{at}");
    }
}
