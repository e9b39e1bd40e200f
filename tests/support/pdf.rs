//! PDFs made to measure.

use std::fmt::Write;

use lopdf::{Dictionary, Document, Stream, dictionary};

/// A sound PDF of `pages` pages; page N says "`title` page N". Different titles give different hashes.
pub fn book(title: &str, pages: u32) -> Vec<u8> {
    bound(title, pages, |_| None)
}

/// A sound PDF whose pages all show the same.
pub fn equal_pages(title: &str, pages: u32) -> Vec<u8> {
    written(pages, |_| format!("{title}, the same everywhere"), |_| None)
}

/// What a page can do to its reader.
#[derive(Clone, Copy, Debug)]
pub enum Trap {
    /// Forms that draw the next one twice, thirty levels deep.
    Hang,
    /// Content that unpacks to 400 MB.
    Memory,
    /// The whole page painted over and over again: read in no time, drawn in a long one.
    Paint,
}

/// A book one page of which is a trap.
pub fn trapped(title: &str, pages: u32, at: u32, trap: Trap) -> Vec<u8> {
    bound(title, pages, |page| (page == at).then_some(trap))
}

const FORMS: usize = 30;

fn bound(title: &str, pages: u32, trap: impl Fn(u32) -> Option<Trap>) -> Vec<u8> {
    written(pages, |page| format!("{title} page {page}"), trap)
}

fn written(pages: u32, text: impl Fn(u32) -> String, trap: impl Fn(u32) -> Option<Trap>) -> Vec<u8> {
    let mut objects: Vec<Vec<u8>> = vec![Vec::new(); 3];
    let mut kids = String::new();
    for page in 1..=pages {
        let trap = trap(page);
        let text = format!("BT /F1 12 Tf 72 720 Td ({}) Tj ET", text(page));
        let (filter, content) = match trap {
            None => ("", text.into_bytes()),
            Some(Trap::Hang) => ("", format!("{text} /X Do").into_bytes()),
            Some(Trap::Paint) => ("", format!("{}{text}", "0.9 g 0 0 595 842 re f\n".repeat(60_000)).into_bytes()),
            // Each pair stands for 128 spaces (PDF 32000-1, 7.4.5).
            Some(Trap::Memory) => ("/Filter /RunLengthDecode", [129, b' '].repeat(400 << 13)),
        };
        objects.push(stream(filter, &content));
        let contents = objects.len();
        let resources = match trap {
            Some(Trap::Hang) => {
                format!("/Resources << /Font << /F1 3 0 R >> /XObject << /X {} 0 R >> >>", contents + 2)
            }
            _ => String::new(),
        };
        objects.push(format!("<< /Type /Page /Parent 2 0 R /Contents {contents} 0 R {resources} >>").into_bytes());
        let _ = write!(kids, "{} 0 R ", objects.len());
        if let Some(Trap::Hang) = trap {
            for _ in 0..FORMS {
                let next = objects.len() + 2;
                let form = format!(
                    "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X {next} 0 R >> >>"
                );
                objects.push(stream(&form, b"/X Do /X Do"));
            }
            objects.push(stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9]", b"0 0 1 1 re f"));
        }
    }
    objects[0] = "<< /Type /Catalog /Pages 2 0 R >>".into();
    objects[1] = format!(
        "<< /Type /Pages /Count {pages} /Kids [{kids}] /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> >>"
    )
    .into_bytes();
    objects[2] = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".into();
    file(&objects)
}

fn stream(dict: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< /Length {} {dict} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

/// A file of these objects, numbered from 1; the first is the catalog.
fn file(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut pdf = b"%PDF-1.4\n".to_vec();
    let mut offsets = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        offsets.push(pdf.len());
        pdf.extend(format!("{} 0 obj\n", index + 1).bytes());
        pdf.extend(object);
        pdf.extend(b"\nendobj\n");
    }
    let start = pdf.len();
    pdf.extend(format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).bytes());
    for offset in offsets {
        pdf.extend(format!("{offset:010} 00000 n \n").bytes());
    }
    let size = objects.len() + 1;
    pdf.extend(format!("trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").bytes());
    pdf
}

/// The same book, locked with a user password.
pub fn locked(title: &str, pages: u32, password: &str) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book(title, pages)).unwrap();
    let id = lopdf::Object::string_literal("0123456789abcdef");
    document.trailer.set("ID", lopdf::Object::Array(vec![id.clone(), id]));
    let state = lopdf::EncryptionState::try_from(lopdf::EncryptionVersion::V2 {
        document: &document,
        owner_password: "owner",
        user_password: password,
        key_length: 128,
        permissions: lopdf::Permissions::all(),
    });
    document.encrypt(&state.unwrap()).unwrap();
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// Two pages of text, between them one that is a picture, at the end one without anything.
pub fn mixed() -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book("Mixed", 4)).unwrap();
    let pages = document.get_pages();
    let scan = b"q 595 0 0 842 0 0 cm BI /W 2 /H 2 /BPC 8 /CS /G ID \x10\x80\x90\x20 EI Q";
    document.change_page_content(pages[&2], scan.to_vec()).unwrap();
    document.change_page_content(pages[&4], Vec::new()).unwrap();
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// A book whose pages are pictures without text, each another one.
pub fn scans(pages: u8) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book("Scans", pages.into())).unwrap();
    for (number, page) in document.get_pages() {
        let scan =
            format!("q 595 0 0 842 0 0 cm BI /W 2 /H 2 /BPC 8 /CS /G /F /AHx ID 105070{:02x}> EI Q", 32 + number);
        document.change_page_content(page, scan.into_bytes()).unwrap();
    }
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// A book whose page `at` has enough words to tell whether an answer is that page.
pub fn book_with_text(title: &str, pages: u32, at: u32) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book(title, pages)).unwrap();
    let lines: Vec<String> =
        (0..20).map(|line| format!("(line {line} of words about nothing in particular) Tj T*")).collect();
    let content = format!("BT /F1 12 Tf 14 TL 72 720 Td {} ET", lines.join(" "));
    let page = document.get_pages()[&at];
    document.change_page_content(page, content.into_bytes()).unwrap();
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// A book with a header and a number on every page, whose outline leads to a title on each, three levels deep.
pub fn headed(title: &str, pages: u32) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book(title, pages)).unwrap();
    let mut above = None;
    for (number, page) in document.get_pages() {
        let content = format!(
            "BT /F1 12 Tf 72 800 Td (The running title) Tj 0 -80 Td (Part {number}) Tj 0 -20 Td ({title} page {number}) \
            Tj 0 -14 Td (goes on, with words.) Tj 200 -580 Td ({}) Tj ET",
            100 + number
        );
        document.change_page_content(page, content.into_bytes()).unwrap();
        let above_it = if number <= 3 { above } else { None };
        let bookmark = lopdf::Bookmark::new(format!("PART  {number}"), [0.0; 3], 0, page);
        let id = document.add_bookmark(bookmark, above_it);
        above = if number < 3 { Some(id) } else { above };
    }
    let outline = document.build_outline().unwrap();
    let catalog = document.trailer.get(b"Root").unwrap().as_reference().unwrap();
    document.get_dictionary_mut(catalog).unwrap().set("Outlines", lopdf::Object::Reference(outline));
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// One page of each kind of which a text layer tells little or nothing: text (1), a scan (2), letters as shapes (3),
/// nothing (4), white paper (5), letters without a meaning (6), a picture with a caption (7), blanks beside letters as shapes (8).
pub fn unread(title: &str) -> Vec<u8> {
    let mut document = lopdf::Document::load_mem(&book(title, 8)).unwrap();
    let pages = document.get_pages();
    let scan = |height: u32| format!("q 595 0 0 {height} 0 0 cm BI /W 2 /H 2 /BPC 8 /CS /G ID \x10\x50\x70\x20 EI Q");
    let names: Vec<lopdf::Object> = (0..26).map(|at| lopdf::Object::Name(format!("zz{at}").into_bytes())).collect();
    let differences = [vec![lopdf::Object::Integer(161)], names].concat();
    let code = |c: u8| if c == b' ' { c } else { c - b'a' + 161 };
    let hex = |c: u8| [c >> 4, c & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap());
    let nonsense: String = "these letters mean nothing at all".bytes().flat_map(|c| hex(code(c))).collect();
    let font = document.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type3", "FontBBox" => vec![0.into(); 4],
        "FontMatrix" => vec![0.001.into(), 0.into(), 0.into(), 0.001.into(), 0.into(), 0.into()],
        "CharProcs" => dictionary! {}, "FirstChar" => 161, "LastChar" => 186,
        "Widths" => vec![lopdf::Object::Integer(500); 26],
        "Encoding" => dictionary! { "Type" => "Encoding", "Differences" => differences },
    });
    let shapes = "0 g 72 700 m 90 730 108 730 126 700 c 126 690 l 72 690 l f";
    // Something like print, twenty dots a row.
    let row = |row: u64| (0..20).map(move |at| if row % 5 < 3 { super::mix(row * 20 + at) % 10 < 4 } else { false });
    let dots: String = (0..150)
        .flat_map(|at| row(at).collect::<Vec<_>>().repeat(6))
        .map(|ink| if ink { "10" } else { "f8" })
        .collect();
    let print = format!("q 595 0 0 600 0 0 cm BI /W 120 /H 150 /BPC 8 /CS /G /F /AHx ID {dots}> EI Q");
    let contents = [
        (2, scan(842)),
        (3, shapes.to_owned()),
        (4, String::new()),
        (5, "1 g 0 0 595 842 re f".to_owned()),
        (6, format!("BT /Z1 12 Tf 72 720 Td <{nonsense}> Tj ET")),
        (7, format!("{print} BT /F1 12 Tf 72 800 Td (Annex 3: the receipt) Tj ET")),
        (8, format!("{shapes} BT /F1 12 Tf 72 800 Td (   ) Tj ET")),
    ];
    for (page, content) in contents {
        document.change_page_content(pages[&page], content.into_bytes()).unwrap();
    }
    let resources = dictionary! { "Font" => dictionary! { "Z1" => font } };
    document.get_dictionary_mut(pages[&6]).unwrap().set("Resources", resources);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    bytes
}

/// Makes a page of this content the only one of a document.
pub fn only_page(pdf: &mut Document, content: Vec<u8>, resources: Dictionary) {
    let content = pdf.add_object(Stream::new(dictionary! {}, content));
    let pages = pdf.new_object_id();
    let page = pdf.add_object(dictionary! {
        "Type" => "Page", "Parent" => pages, "Contents" => content, "Resources" => resources,
        "MediaBox" => vec![0.into(), 0.into(), 842.into(), 842.into()],
    });
    pdf.set_object(pages, dictionary! { "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1 });
    let catalog = pdf.add_object(dictionary! { "Type" => "Catalog", "Pages" => pages });
    pdf.trailer.set("Root", catalog);
}
