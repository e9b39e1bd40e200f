//! Fonts that are embedded without a map to Unicode: what their programs call their glyphs says what these mean, and letters
//! that nothing gives a meaning are missed.

use bindery::document::{Document, DocumentLimits, Shown, TextOptions};
use bindery::output::markdown;
use lopdf::{Object, Stream, dictionary};

use crate::support::pdf::only_page;

/// Names of functions, such as make a language's reference, and no prose.
const NAMES: &str = "RgX_to_FqM(x,N)=F2v[3]+Z_ZV; ZM_det{K4}<nf_get_C>: x^2*gp->L1_all? bnr#R%X_q/t";

/// How Type 1 fonts hide their inner part (Adobe Type 1 Font Format, 7.3).
fn hidden(plain: &[u8], mut key: u16) -> Vec<u8> {
    let mut cipher = |byte: &u8| {
        let hidden = byte ^ key.to_be_bytes()[0];
        key = u16::from(hidden).wrapping_add(key).wrapping_mul(52_845).wrapping_add(22_719);
        hidden
    };
    [&[0; 4], plain].concat().iter().map(&mut cipher).collect()
}

/// A Type 1 program whose own encoding has glyphs of these names from code `first` on, and where its inner part begins and ends.
fn program(names: &[String], first: usize) -> (Vec<u8>, usize, usize) {
    let put = |(name, code): (&String, usize)| format!("dup {code} /{name} put\n");
    let encoding: String = names.iter().zip(first..).map(put).collect();
    let head = format!(
        "%!PS-AdobeFont-1.0: Own\n11 dict begin\n/FontName /Own def\n/FontType 1 def\n/PaintType 0 def\n\
        /FontMatrix [0.001 0 0 0.001 0 0] readonly def\n/FontBBox {{0 0 500 700}} readonly def\n\
        /Encoding 256 array\n0 1 255 {{1 index exch /.notdef put}} for\n{encoding}readonly def\n\
        currentdict end\ncurrentfile eexec\n"
    );
    // A box: 0 500 hsbw 50 0 rmoveto 400 hlineto 600 vlineto -400 hlineto closepath endchar (the same, 6).
    let glyph = hidden(&[139, 248, 136, 13, 189, 139, 21, 248, 36, 6, 248, 236, 7, 252, 36, 6, 9, 14], 4_330);
    let mut inner = b"dup /Private 8 dict dup begin\n/RD {string currentfile exch readstring pop} executeonly def\n\
        /ND {noaccess def} executeonly def\n/NP {noaccess put} executeonly def\n/lenIV 4 def\n/BlueValues [] def\n"
        .to_vec();
    inner.extend(format!("2 index /CharStrings {} dict dup begin\n", names.len() + 1).bytes());
    for name in std::iter::once(".notdef").chain(names.iter().map(String::as_str)) {
        inner.extend(format!("/{name} {} RD ", glyph.len()).bytes());
        inner.extend(&glyph);
        inner.extend(b" ND\n");
    }
    inner.extend(
        b"end\nend\nreadonly put\nnoaccess put\ndup /FontName get exch definefont pop\nmark currentfile closefile\n",
    );
    let inner = hidden(&inner, 55_665);
    let tail = format!("{}cleartomark\n", format!("{}\n", "0".repeat(64)).repeat(8));
    (([head.as_bytes(), &inner, tail.as_bytes()].concat()), head.len(), inner.len())
}

fn integer(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

/// What a page shows that has `text` in such a font, whose codes begin with `from` and whose glyphs are named by `name`; and
/// its Markdown.
fn page(text: &str, from: usize, name: impl Fn(u8, usize) -> String) -> (Shown, String) {
    let mut letters: Vec<u8> = text.bytes().filter(|c| *c != b' ').collect();
    letters.sort_unstable();
    letters.dedup();
    let names: Vec<String> = letters.iter().enumerate().map(|(at, letter)| name(*letter, at)).collect();
    let (data, first, second) = program(&names, from);
    let mut pdf = lopdf::Document::with_version("1.4");
    let lengths = dictionary! { "Length1" => integer(first), "Length2" => integer(second), "Length3" => 532 };
    let file = pdf.add_object(Stream::new(lengths, data));
    let font = pdf.add_object(dictionary! {
        "Type" => "Font", "Subtype" => "Type1", "BaseFont" => "ABCDEF+Own", "FirstChar" => integer(from),
        "LastChar" => integer(from + letters.len() - 1), "Widths" => vec![Object::Integer(500); letters.len()],
        "FontDescriptor" => dictionary! {
            "Type" => "FontDescriptor", "FontName" => "ABCDEF+Own", "Flags" => 4, "FontFile" => file, "ItalicAngle" => 0,
            "FontBBox" => vec![0.into(), 0.into(), 500.into(), 700.into()], "Ascent" => 700, "Descent" => 0, "StemV" => 80,
        },
    });
    let code = |c: u8| letters.iter().position(|letter| *letter == c).map_or(32, |at| at + from);
    let hex = |c: u8| format!("{:02x}", code(c));
    let words = text.split(' ').map(|word| word.bytes().map(hex).collect::<String>());
    let shown: Vec<String> = words.map(|word| format!("<{word}>")).collect();
    let line = format!("BT /F1 10 Tf 50 700 Td [{}] TJ ET", shown.join("-600"));
    only_page(&mut pdf, line.into_bytes(), dictionary! { "Font" => dictionary! { "F1" => font } });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.pdf");
    pdf.save(&path).unwrap();
    let document = Document::open(&path, None, &DocumentLimits::default()).unwrap();
    let mut reader = document.reader();
    let text = markdown::page(&reader.text_layer(1, TextOptions::default()).unwrap().content);
    (reader.facts(1).unwrap().shown, text)
}

/// The name of a letter in the Adobe Glyph List.
fn listed(letter: u8) -> String {
    match letter {
        b'0'..=b'9' => ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
            [usize::from(letter - b'0')]
        .to_owned(),
        letter if letter.is_ascii_alphabetic() => char::from(letter).to_string(),
        letter => format!("uni{letter:04X}"),
    }
}

#[test]
fn a_font_that_names_its_glyphs_needs_no_guess() {
    let (shown, text) = page(NAMES, 33, |letter, _| listed(letter));
    assert!(text.contains("RgX") && text.replace('\\', "").contains("bnr#R%X_q/t"), "{text}");
    assert_eq!((shown.unreadable_glyphs, shown.is_unreadable()), (0, false), "{shown:?}");
    // Names that are numbers say nothing: the codes are those of other signs.
    let (shown, text) = page(NAMES, 33, |_, at| format!("G{at:02}"));
    assert!(shown.is_unreadable(), "{shown:?} {text}");
}

#[test]
fn letters_that_are_lost_within_words_make_a_page_unreadable() {
    let prose = "The first effect of a specific office was a sufficient and efficient flow of off-the-shelf waffles";
    let name = |lost: u8| move |letter: u8, at| if letter == lost { format!("zz{at}.alt") } else { listed(letter) };
    let (shown, text) = page(prose, 161, name(b'f'));
    assert_eq!((shown.lost_letters, shown.is_unreadable()), (17, true), "{shown:?} {text}");
    let (shown, _) = page(prose, 161, name(b'k'));
    assert_eq!((shown.lost_letters, shown.is_unreadable()), (0, false), "{shown:?}");
    // One or two are but a finding.
    let (shown, _) = page(prose, 161, name(b'l'));
    assert!(shown.lost_letters < 5 && !shown.is_unreadable(), "{shown:?}");
}
