//! Small PDFs that use everything which a page's text, facts or picture may come from.

use std::fmt::Write;

/// An object: what it is called, its dictionary or value, and its data where it is a stream.
type Described = (u32, &'static str, Option<&'static str>);

/// The document about `fonts`, `forms`, `layers`, `fields` or what pages inherit.
pub fn featured(about: &str) -> Vec<u8> {
    match about {
        "fonts" => file(&[DOCUMENT, FONTS].concat()),
        "forms" => file(&[DOCUMENT, FORMS].concat()),
        "layers" => file(LAYERS),
        "fields" => file(FIELDS),
        _ => file(INHERITED),
    }
}

fn file(objects: &[Described]) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n".to_vec();
    let mut table = "xref\n0 1\n0000000000 65535 f \n".to_owned();
    for (id, value, data) in objects {
        let _ = write!(table, "{id} 1\n{:010} 00000 n \n", pdf.len());
        let object = match data {
            Some(data) => {
                let dict = value.trim_end_matches(">>");
                format!("{dict} /Length {} >>\nstream\n{data}\nendstream", data.len())
            }
            None => (*value).to_owned(),
        };
        pdf.extend(format!("{id} 0 obj\n{object}\nendobj\n").bytes());
    }
    let start = pdf.len();
    pdf.extend(format!("{table}trailer\n<< /Size 100 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n").bytes());
    pdf
}

/// What belongs to a document as a whole.
const DOCUMENT: &[Described] = &[
    (
        1,
        "<< /Type /Catalog /Pages 2 0 R /Lang (en) /PageLabels << /Nums [0 << /S /r /P (p) /St 3 >>] >> /Outlines 90 0 R \
         /Metadata 92 0 R /StructTreeRoot 93 0 R /MarkInfo << /Marked true >> /ViewerPreferences << /Direction /R2L >> >>",
        None,
    ),
    (2, "<< /Type /Pages /Count 1 /Kids [3 0 R] >>", None),
    (90, "<< /First 91 0 R /Last 91 0 R /Count 1 >>", None),
    (91, "<< /Title (A title) /Parent 90 0 R /Dest [3 0 R /Fit] >>", None),
    (92, "<< /Type /Metadata /Subtype /XML >>", Some("<x/>")),
    (93, "<< /Type /StructTreeRoot /K 94 0 R /ParentTree << /Nums [0 [94 0 R]] >> >>", None),
    (94, "<< /Type /StructElem /S /P /P 93 0 R /Pg 3 0 R /K 0 /ActualText (structure) /Alt (other) >>", None),
];

const FONTS: &[Described] = &[
    (
        3,
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 300] /Contents 4 0 R /StructParents 0 /Resources << /Font << \
         /F1 5 0 R /F2 8 0 R /F3 11 0 R /F4 14 0 R /F5 18 0 R /A#2341 20 0 R /AA 21 0 R /Unused 21 0 R >> /ExtGState \
         << /G1 << /Font [22 0 R 9] /LW 2 >> >> /XObject << /Im 23 0 R >> >> >>",
        None,
    ),
    (
        4,
        "<< >>",
        Some(
            "BT /F1 12 Tf 20 270 Td (Plain ab words) Tj /F2 12 Tf 0 -30 Td <0022002300240025> Tj /F3 12 Tf 200 0 Td \
             <00010002> Tj -200 -30 Td /F4 12 Tf (abcde) Tj 0 -30 Td /F5 12 Tf (aab) Tj 0 -30 Td /A#2341 12 Tf \
             (escaped) Tj 0 -30 Td /G1 gs (by state) Tj ET",
        ),
    ),
    (
        5,
        "<< /Type /Font /Subtype /Type1 /BaseFont /ABCDEF+Helvetica /FirstChar 97 /LastChar 100 /Widths [500 600 700 300] \
         /Encoding << /Type /Encoding /BaseEncoding /WinAnsiEncoding /Differences [97 /alpha /beta] >> /ToUnicode 6 0 R \
         /FontDescriptor 7 0 R >>",
        None,
    ),
    (
        6,
        "<< >>",
        Some(
            "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange \
             1 beginbfchar <64> <0041> endbfchar endcmap",
        ),
    ),
    (
        7,
        "<< /Type /FontDescriptor /FontName /ABCDEF+Helvetica /Flags 32 /FontWeight 400 /ItalicAngle 0 /Ascent 700 \
         /Descent -200 /CapHeight 700 /StemV 80 /MissingWidth 250 /FontBBox [0 -200 1000 900] /CharSet (/a/b) >>",
        None,
    ),
    (8, "<< /Type /Font /Subtype /Type0 /BaseFont /Ryumin /Encoding /Identity-H /DescendantFonts [9 0 R] >>", None),
    (
        9,
        "<< /Type /Font /Subtype /CIDFontType0 /BaseFont /Ryumin /DW 900 /W [34 [600 700]] /FontDescriptor 10 0 R \
         /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 4 >> >>",
        None,
    ),
    (10, "<< /Type /FontDescriptor /FontName /Ryumin /Flags 4 /FontBBox [0 0 1000 900] >>", None),
    (
        11,
        "<< /Type /Font /Subtype /Type0 /BaseFont /Upright /Encoding /Identity-V /DescendantFonts [12 0 R] \
         /ToUnicode 13 0 R >>",
        None,
    ),
    (
        12,
        "<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Upright /DW2 [880 -1000] /W2 [1 [-900 500 800]] \
         /CIDToGIDMap /Identity /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> >>",
        None,
    ),
    (
        13,
        "<< >>",
        Some(
            "begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange 1 beginbfrange <0001> <0002> <0058> \
             endbfrange endcmap",
        ),
    ),
    (
        14,
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 10 12] /FontMatrix [0.1 0 0 0.1 0 0] /FirstChar 97 /LastChar 101 \
         /Widths [6 6 6 6 6] /Encoding << /Differences [97 /DL /Length /Metadata /Parent /StructParents] >> /Resources \
         << /ExtGState << /DL << /LW 3 >> >> >> /CharProcs << /DL 15 0 R /Length 16 0 R /Metadata 17 0 R /Parent 15 0 R \
         /StructParents 16 0 R >> >>",
        None,
    ),
    (15, "<< >>", Some("6 0 0 0 5 9 d1 /DL gs 0 0 5 9 re S")),
    (16, "<< >>", Some("6 0 0 0 5 9 d1 0 0 5 2 re f")),
    (17, "<< >>", Some("6 0 0 0 5 9 d1 0 0 m 5 9 l S")),
    (
        18,
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 10 12] /FontMatrix [0.1 0 0 0.1 0 0] /FirstChar 97 /LastChar 98 \
         /Widths [9 9] /Encoding << /Differences [97 /a /b] >> /CharProcs << /a 19 0 R /b 16 0 R >> >>",
        None,
    ),
    (19, "<< >>", Some("9 0 d0 q 8 0 0 8 0 0 cm /Im Do Q")),
    (20, "<< /Type /Font /Subtype /TrueType /BaseFont /Arial,Bold /Encoding /MacRomanEncoding >>", None),
    (21, "<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>", None),
    (22, "<< /Type /Font /Subtype /Type1 /BaseFont /Courier >>", None),
    (23, "<< /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray >>", Some("@")),
    (24, "<< /Unused (object) >>", None),
];

const FORMS: &[Described] = &[
    (
        3,
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents [4 0 R 5 0 R] /Group << /S /Transparency /CS \
         /DeviceRGB >> /Resources << /Font << /F1 6 0 R /DL 7 0 R /Length 8 0 R >> /XObject << /Own 9 0 R /Bare 10 0 R \
         /Odd 11 0 R /Outer 12 0 R /Im 14 0 R /Named 15 0 R /Indexed 16 0 R /Spot 17 0 R /Soft 18 0 R /Keyed 26 0 R >> \
         /ColorSpace << /Mine [/Indexed /DeviceRGB 1 <ff000000ff00>] /Sep [/Separation /Ink /DeviceRGB 20 0 R] /Tiles \
         /Pattern >> /Pattern << /P1 21 0 R /P2 22 0 R >> /Shading << /S1 23 0 R >> /ExtGState << /Half << /ca 0.5 /CA \
         0.5 /BM /Multiply >> /Masked << /SMask << /S /Luminosity /G 24 0 R /BC [0] >> >> /Plain << /SMask /None /TR \
         25 0 R >> >> >> >>",
        None,
    ),
    (4, "<< >>", Some("/Own Do q /Bare Do Q /Odd Do /Outer Do q 20 0 0 20 10 10 cm /Im Do Q")),
    (
        5,
        "<< >>",
        Some(
            "q 20 0 0 20 40 10 cm /Named Do Q q 20 0 0 20 70 10 cm /Indexed Do Q q 20 0 0 20 100 10 cm /Spot Do Q q 20 0 \
             0 20 130 10 cm /Soft Do Q q 20 0 0 20 160 10 cm /Keyed Do Q /Tiles cs /P1 scn 10 40 30 30 re f /P2 scn 50 \
             40 30 30 re f q 90 40 30 30 re W n /S1 sh Q /Sep cs 0.7 scn 130 40 30 30 re f /Half gs 0 0 1 rg 20 50 40 \
             10 re f /Masked gs 10 80 90 20 re f /Plain gs 110 80 20 20 re f q 9 0 0 9 150 80 cm BI /W 2 /H 1 /BPC 1 /CS \
             /Mine ID @ EI Q",
        ),
    ),
    (6, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", None),
    (7, "<< /Type /Font /Subtype /Type1 /BaseFont /Courier-Bold >>", None),
    (8, "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Italic >>", None),
    (
        9,
        "<< /Type /XObject /Subtype /Form /BBox [0 0 200 200] /Matrix [1 0 0 1 2 2] /Resources << /Font << /F1 7 0 R >> \
         >> /Metadata 92 0 R /PieceInfo << /X 1 >> /StructParent 1 /LastModified (D:2020) /Group << /S /Transparency /I \
         true >> >>",
        Some("BT /F1 10 Tf 10 180 Td (own words here) Tj ET"),
    ),
    (
        10,
        "<< /Subtype /Form /BBox [0 0 200 200] >>",
        Some("BT /DL 10 Tf 10 165 Td (bare words) Tj /Length 10 Tf ( more of them) Tj ET"),
    ),
    (11, "<< >>", Some("BT /Length 10 Tf 10 150 Td (odd words) Tj ET")),
    (
        12,
        "<< /Subtype /Form /BBox [0 0 200 200] /Resources << /Font << /DL 6 0 R /Length 8 0 R >> /XObject << /Inner 13 0 \
         R >> >> >>",
        Some("/Inner Do"),
    ),
    (13, "<< /Subtype /Form /BBox [0 0 200 200] >>", Some("BT /DL 10 Tf 10 130 Td (inner words) Tj ET")),
    (14, "<< /Subtype /Image /Width 2 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray >>", Some("\u{1}p")),
    (15, "<< /Subtype /Image /Width 2 /Height 1 /BitsPerComponent 1 /ColorSpace /Mine >>", Some("@")),
    (
        16,
        "<< /Subtype /Image /Width 2 /Height 1 /BitsPerComponent 8 /ColorSpace [/Indexed /DeviceRGB 1 19 0 R] /Decode [1 \
         0] /Interpolate true >>",
        Some("\u{0}\u{1}"),
    ),
    (
        17,
        "<< /Subtype /Image /Width 2 /Height 1 /BitsPerComponent 8 /ColorSpace [/Separation /Ink /DeviceRGB 20 0 R] \
         /Intent /Perceptual >>",
        Some("0p"),
    ),
    (
        18,
        "<< /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray /SMask 14 0 R >>",
        Some("0"),
    ),
    (19, "<< >>", Some("abcdef")),
    (20, "<< /FunctionType 2 /Domain [0 1] /C0 [1 1 1] /C1 [0.2 0.4 0.9] /N 1 >>", None),
    (
        21,
        "<< /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 5 5] /XStep 6 /YStep 6 /Matrix [1 0 0 1 0 0] /Resources \
         << /ExtGState << /Half << /ca 0.3 >> >> >> >>",
        Some("/Half gs 1 0 0 rg 0 0 4 4 re f"),
    ),
    (22, "<< /PatternType 2 /Matrix [1 0 0 1 0 0] /Shading 23 0 R >>", None),
    (
        23,
        "<< /ShadingType 2 /ColorSpace /DeviceRGB /Coords [50 40 120 70] /Function 20 0 R /Extend [true true] >>",
        None,
    ),
    (
        24,
        "<< /Subtype /Form /BBox [0 0 200 200] /Group << /S /Transparency /CS /DeviceGray >> >>",
        Some("0.5 g 0 0 100 200 re f /Half gs 1 g 40 0 60 200 re f"),
    ),
    (25, "<< /FunctionType 2 /Domain [0 1] /C0 [1] /C1 [0] /N 1 >>", None),
    (
        26,
        "<< /Subtype /Image /Width 2 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray /Mask [112 112] >>",
        Some("0p"),
    ),
];

const LAYERS: &[Described] = &[
    (
        1,
        "<< /Type /Catalog /Pages 2 0 R /OCProperties << /OCGs [5 0 R 6 0 R 7 0 R 99 0 R] /D << /BaseState /ON /Order [5 0 \
         R] /ON [7 0 R] /OFF [6 0 R 99 0 R] /AS [<< /Event /View /OCGs [5 0 R] /Category [/View] >>] >> >> >>",
        None,
    ),
    (2, "<< /Type /Pages /Count 1 /Kids [3 0 R] >>", None),
    (
        3,
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Annots [15 0 R] /Resources << /Font << /F1 \
         8 0 R >> /Properties << /Shown 5 0 R /Untyped 6 0 R /Either 9 0 R /Gone 99 0 R /Says 14 0 R >> /XObject << /Fm \
         10 0 R /Im 11 0 R /Both 12 0 R >> >> >>",
        None,
    ),
    (
        4,
        "<< >>",
        Some(
            "BT /F1 10 Tf 10 180 Td /OC /Shown BDC (shown words) Tj EMC 0 -15 Td /OC /Untyped BDC (untyped words) Tj EMC 0 \
             -15 Td /OC /Either BDC (either words) Tj EMC 0 -15 Td /OC /Gone BDC (gone words) Tj EMC 0 -15 Td /Span \
             /Says BDC (xx) Tj EMC ET /Fm Do q 20 0 0 20 100 20 cm /Im Do Q /Both Do",
        ),
    ),
    (
        5,
        "<< /Type /OCG /Name (one) /Intent /View /ActualText (layer says) /Usage << /View << /ViewState /OFF >> >> >>",
        None,
    ),
    (6, "<< /Name (two) >>", None),
    (7, "<< /Type /OCG /Name (three) >>", None),
    (8, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", None),
    (9, "<< /Type /OCMD /OCGs [5 0 R 6 0 R] /P /AnyOn /VE [/Not 5 0 R] >>", None),
    (
        10,
        "<< /Subtype /Form /BBox [0 0 200 200] /OC 7 0 R /Resources << /Font << /F1 8 0 R >> >> >>",
        Some("BT /F1 10 Tf 10 90 Td (form words) Tj ET"),
    ),
    (11, "<< /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace /DeviceGray /OC 5 0 R >>", Some("0")),
    (
        12,
        "<< /Subtype /Form /BBox [0 0 200 200] /OC << /Type /OCMD /OCGs 5 0 R /P /AllOn >> /Resources << /Font << /F1 8 0 \
         R >> >> >>",
        Some("BT /F1 10 Tf 10 70 Td (both words) Tj ET"),
    ),
    (14, "<< /ActualText (said) /Type /Pagination /Lang (en) >>", None),
    (15, "<< /Type /Annot /Subtype /FreeText /Rect [10 30 90 50] /OC 16 0 R /AP << /N 17 0 R >> >>", None),
    (16, "<< /Type /OCG /Name (four) >>", None),
    (
        17,
        "<< /Subtype /Form /BBox [0 0 80 20] /Resources << /Font << /F1 8 0 R >> >> >>",
        Some("BT /F1 10 Tf 2 5 Td (note words) Tj ET"),
    ),
    (18, "<< /Type /OCG /Name (five) >>", None),
];

const FIELDS: &[Described] = &[
    (
        1,
        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R 9 0 R 11 0 R] /NeedAppearances true /DA (/Helv 9 Tf) \
         /DR << /Font << /Helv 5 0 R >> >> >> >>",
        None,
    ),
    (2, "<< /Type /Pages /Count 1 /Kids [3 0 R] >>", None),
    (
        3,
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Tabs /S /Resources << /Font << /F1 5 0 R >> \
         >> /Annots [7 0 R 8 0 R 10 0 R 11 0 R 12 0 R 13 0 R 14 0 R 16 0 R 18 0 R] >>",
        None,
    ),
    (
        4,
        "<< >>",
        Some(
            "BT /F1 10 Tf 10 180 Td (Name) Tj 0 -20 Td (City) Tj 0 -20 Td (Yes) Tj 0 -20 Td (Press) Tj 0 -20 Td (a link \
             to follow) Tj ET",
        ),
    ),
    (5, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", None),
    (6, "<< /FT /Tx /T (name) /V (Ada) /DV (nobody) /Ff 0 /Kids [7 0 R] >>", None),
    (
        7,
        "<< /Type /Annot /Subtype /Widget /Parent 6 0 R /Rect [60 175 150 190] /F 4 /P 3 0 R /MK << /BC [1 0 0] >> /DA \
         (/Helv 9 Tf) >>",
        None,
    ),
    (
        8,
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (city) /V (Rome) /Rect [60 155 150 170] /MaxLen 20 /Q 1 /AA << /K << /S \
         /JavaScript /JS (x) >> >> >>",
        None,
    ),
    (9, "<< /FT /Btn /T (yes) /V /Length /Kids [10 0 R] >>", None),
    (
        10,
        "<< /Type /Annot /Subtype /Widget /Parent 9 0 R /Rect [60 135 70 150] /AS /Length /AP << /N << /Length 15 0 R /Off \
         17 0 R >> /D << /Length 17 0 R >> >> >>",
        None,
    ),
    (
        11,
        "<< /Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (press) /Rect [60 115 120 130] /AS /DL /AP << /N << /DL 15 \
         0 R /Off 17 0 R >> >> /A << /S /ResetForm /Fields [6 0 R] >> >>",
        None,
    ),
    (
        12,
        "<< /Type /Annot /Subtype /Link /Rect [8 95 90 110] /Border [0 0 0] /A << /S /URI /URI (https://example.org/a) \
         /Next << /S /GoTo /D [3 0 R /Fit] >> >> >>",
        None,
    ),
    (
        13,
        "<< /Type /Annot /Subtype /Link /Rect [8 60 90 70] /Dest [3 0 R /XYZ 0 0 0] /QuadPoints [8 70 90 70 8 60 90 60] >>",
        None,
    ),
    (
        14,
        "<< /Type /Annot /Subtype /Stamp /Rect [100 20 190 60] /F 4 /Contents (a note) /C [1 0 0] /Popup 18 0 R /AP << /N 15 \
         0 R >> /M (D:2020) >>",
        None,
    ),
    (
        15,
        "<< /Subtype /Form /BBox [0 0 60 20] /Matrix [1 0 0 1 0 0] >>",
        Some("0 0 1 RG 0 0 50 10 re S BT /F1 10 Tf 2 5 Td (stamp) Tj ET"),
    ),
    (16, "<< /Type /Annot /Subtype /Widget /FT /Sig /Rect [10 10 60 20] /V << /Type /Sig /Contents (00) >> >>", None),
    (17, "<< /Subtype /Form /BBox [0 0 60 20] >>", Some("1 0 0 rg 0 0 9 9 re f")),
    (18, "<< /Type /Annot /Subtype /Popup /Parent 14 0 R /Rect [0 0 20 20] /Open false >>", None),
];

const INHERITED: &[Described] = &[
    (1, "<< /Type /Catalog /Pages 2 0 R >>", None),
    (
        2,
        "<< /Type /Pages /Count 2 /Kids [3 0 R 4 0 R] /MediaBox [0 0 200 300] /CropBox [10 10 190 290] /Rotate 90 /Resources \
         << /Font << /F1 8 0 R >> >> >>",
        None,
    ),
    (3, "<< /Type /Page /Parent 2 0 R /Contents 5 0 R /UserUnit 2 /Dur 3 /Trans << /S /Box >> /Thumb 10 0 R >>", None),
    (4, "<< /Type /Pages /Parent 2 0 R /Count 1 /Kids [6 0 R] /Rotate 0 >>", None),
    (5, "<< >>", Some("BT /F1 12 Tf 20 200 Td (turned words) Tj 0 85 Td (cropped words) Tj ET")),
    (
        6,
        "<< /Type /Page /Parent 4 0 R /Contents [7 0 R 5 0 R] /MediaBox [0 0 250 300] /CropBox [0 0 150 310] /TrimBox [0 0 \
         9 9] /ArtBox [0 0 9 9] /BleedBox [0 0 9 9] /PieceInfo << /X << /Private 1 >> >> /LastModified (D:2020) \
         /Metadata 10 0 R /Resources << /Font << /F1 9 0 R >> /ProcSet [/PDF /Text] >> >>",
        None,
    ),
    (7, "<< /Filter /ASCIIHexDecode >>", Some("42 54 2F 46 31 20 39 20 54 66 28 68 65 78 29 54 6A 20 45 54 20>")),
    (8, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", None),
    (9, "<< /Type /Font /Subtype /Type1 /BaseFont /Times-Bold >>", None),
    (10, "<< /Type /Metadata >>", Some("<y/>")),
];
