//! Pictures as documents: each is read as a page of a PDF is, upright, in its size, and under its own key.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use bindery::document::{Document, DocumentLimits, ImageOptions, PageImage, ReaderLimits, Readers};
use bindery::task::Failure;
use jpeg_encoder::{ColorType as JpegColor, Encoder as JpegEncoder, PixelDensity};
use serde_json::Value;
use tiff::encoder::colortype::{CMYK8, ColorType, Gray8, Gray16, RGB8};
use tiff::encoder::{Rational, TiffEncoder};
use tiff::tags::{ResolutionUnit, Tag};

use crate::support::fake_llm::{Answer, FakeLlm, Script};
use crate::support::server::{Server, run};
use crate::support::with;

/// Black on white, with a red square in the first corner: 60 by 40 pixels.
fn pixel(x: u32, y: u32) -> [u8; 3] {
    match (x, y) {
        (0..20, 0..20) => [255, 0, 0],
        _ if (x / 4 + y / 4).is_multiple_of(3) => [0, 0, 0],
        _ => [255, 255, 255],
    }
}

const SIZE: (u32, u32) = (60, 40);

fn rgb() -> Vec<u8> {
    (0..SIZE.1).flat_map(|y| (0..SIZE.0).flat_map(move |x| pixel(x, y))).collect()
}

fn gray() -> Vec<u8> {
    rgb().chunks_exact(3).map(|pixel| pixel[1]).collect()
}

fn encoded_png(colour: png::ColorType, depth: png::BitDepth, (width, height): (u32, u32), data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    // 7,874 pixels a metre are 200 an inch.
    let dimensions = png::PixelDimensions { xppu: 7_874, yppu: 7_874, unit: png::Unit::Meter };
    encoder.set_pixel_dims(Some(dimensions));
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

fn plain_png() -> Vec<u8> {
    encoded_png(png::ColorType::Rgb, png::BitDepth::Eight, SIZE, &rgb())
}

/// An EXIF block that says nothing but which way up the picture is.
fn exif(orientation: u8) -> Vec<u8> {
    let head = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0";
    [&head[..], &[orientation, 0, 0, 0, 0, 0, 0, 0]].concat()
}

fn jpeg(data: &[u8], colour: JpegColor, orientation: Option<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new(&mut bytes, 95);
    encoder.set_density(PixelDensity::dpi(100));
    if let Some(orientation) = orientation {
        encoder.add_exif_metadata(&exif(orientation)).unwrap();
    }
    let (width, height) = (u16::try_from(SIZE.0).unwrap(), u16::try_from(SIZE.1).unwrap());
    encoder.encode(data, width, height, colour).unwrap();
    bytes
}

fn webp() -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image_webp::WebPEncoder::new(&mut bytes);
    encoder.encode(&rgb(), SIZE.0, SIZE.1, image_webp::ColorType::Rgb8).unwrap();
    bytes
}

/// A TIFF in the making.
struct Tiff(Cursor<Vec<u8>>);

fn frame<C: ColorType>(encoder: &mut TiffEncoder<&mut Cursor<Vec<u8>>>, data: &[C::Inner], copy: bool)
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut image = encoder.new_image::<C>(SIZE.0, SIZE.1).unwrap();
    // A fax: finer across than down.
    image.x_resolution(Rational { n: 200, d: 1 });
    image.y_resolution(Rational { n: 100, d: 1 });
    image.resolution_unit(ResolutionUnit::Inch);
    if copy {
        image.encoder().write_tag(Tag::NewSubfileType, 1_u32).unwrap();
    }
    image.write_data(data).unwrap();
}

impl Tiff {
    fn of(write: impl FnOnce(&mut TiffEncoder<&mut Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut file = Self(Cursor::new(Vec::new()));
        let mut encoder = TiffEncoder::new(&mut file.0).unwrap();
        write(&mut encoder);
        file.0.into_inner()
    }
}

/// A frame of one bit a pixel as facsimile machines code it (ITU-T T.6): 8 white rows of 16 pixels.
fn fax() -> Vec<u8> {
    let strip = [0xff, 0x00, 0x10, 0x01];
    let mut bytes = b"II*\0\x08\0\0\0".to_vec();
    let entries: [(u16, u16, u32); 9] = [
        (256, 3, 16),
        (257, 3, 8),
        (258, 3, 1),
        (259, 3, 4),
        (262, 3, 0),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1),
        (278, 3, 8),
        (279, 4, 4),
    ];
    bytes.extend(9_u16.to_le_bytes());
    for (tag, kind, value) in entries {
        bytes.extend([tag.to_le_bytes(), kind.to_le_bytes()].concat());
        bytes.extend(1_u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([0; 4]);
    bytes.extend(strip);
    bytes
}

fn opened(dir: &Path, bytes: &[u8]) -> Result<Document, Failure> {
    let path = dir.join("picture");
    std::fs::write(&path, bytes).unwrap();
    Document::open(&path, None, &DocumentLimits::default())
}

/// Width, height, and the colours of a rendering, red, green and blue.
fn pixels(image: &PageImage) -> (u32, u32, Vec<[u8; 3]>) {
    assert_eq!(image.media_type, "image/png", "{} x {}", image.width, image.height);
    let mut decoder = png::Decoder::new(Cursor::new(&image.bytes));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    data.truncate(info.buffer_size());
    let channels = info.color_type.samples();
    let colours = data.chunks_exact(channels).map(|of| if channels < 3 { [of[0]; 3] } else { [of[0], of[1], of[2]] });
    (image.width, image.height, colours.collect())
}

/// A page at one pixel a pixel of the picture, at `dpi`.
fn drawn(document: &Document, page: u32, dpi: f32) -> (u32, u32, Vec<[u8; 3]>) {
    let options =
        with(ImageOptions::default(), |image| (image.dpi, image.longest_side, image.max_bytes) = (dpi, 4_096, 4 << 20));
    pixels(&document.reader().image(page, &options).unwrap())
}

/// Whether two colours look alike.
fn near(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 48)
}

#[test]
fn each_kind_is_a_document_of_one_page_in_its_size() {
    let dir = tempfile::tempdir().unwrap();
    let tiff = Tiff::of(|encoder| frame::<RGB8>(encoder, &rgb(), false));
    for (name, bytes, size, dpi) in [
        ("png", plain_png(), (21.6, 14.4), 200.0),
        ("webp", webp(), (45.0, 30.0), 96.0),
        ("tiff", tiff, (21.6, 28.8), 200.0),
    ] {
        let document = opened(dir.path(), &bytes).unwrap();
        assert_eq!(document.page_count(), 1, "{name}");
        let facts = document.reader().facts(1).unwrap();
        let near_size = (facts.width - size.0).abs() < 0.1 && (facts.height - size.1).abs() < 0.1;
        assert!(near_size && facts.is_image_only() && facts.rotation == 0, "{name}: {facts:?}");
        assert!(document.reader().text(1).unwrap().is_empty(), "{name}");
        let (width, height, colours) = drawn(&document, 1, dpi);
        let at = |x: u32, y: u32| colours[(y * height / SIZE.1 * width + x * width / SIZE.0) as usize];
        assert!(near(at(10, 10), [255, 0, 0]) && !near(at(50, 10), [255, 0, 0]), "{name}: {:?}", at(10, 10));
        assert_eq!((width, name == "tiff"), (60, height == 80), "{name}: its pixels are not square");
        assert!(document.reader().facts(2).is_err(), "{name}");
    }
}

#[test]
fn every_orientation_of_a_camera_is_shown_upright() {
    let dir = tempfile::tempdir().unwrap();
    // Where the first corner of the picture is seen.
    for (orientation, right, below) in [
        (1, false, false),
        (2, true, false),
        (3, true, true),
        (4, false, true),
        (5, false, false),
        (6, true, false),
        (7, true, true),
        (8, false, true),
        // Of phones and scanners that do not say it, or say what is not allowed.
        (0, false, false),
        (9, false, false),
    ] {
        let document = opened(dir.path(), &jpeg(&rgb(), JpegColor::Rgb, Some(orientation))).unwrap();
        let facts = document.reader().facts(1).unwrap();
        let turned = (5..=8).contains(&orientation);
        assert_eq!(facts.width < facts.height, turned, "{orientation}: {facts:?}");
        let options = with(ImageOptions::default(), |image| image.longest_side = 59);
        let image = document.reader().image(1, &options).unwrap();
        let (width, height, colours) = pixels(&image);
        let at = |right: bool, below: bool| {
            let (x, y) = (if right { width - 8 } else { 7 }, if below { height - 8 } else { 7 });
            colours[(y * width + x) as usize]
        };
        for corner in [(false, false), (true, false), (false, true), (true, true)] {
            assert_eq!(near(at(corner.0, corner.1), [255, 0, 0]), corner == (right, below), "{orientation} {corner:?}");
        }
    }
}

#[test]
fn a_resolution_that_cannot_be_makes_no_tiny_page() {
    let dir = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    let mut encoder = png::Encoder::new(&mut wrong, SIZE.0, SIZE.1);
    encoder.set_color(png::ColorType::Rgb);
    let dimensions = png::PixelDimensions { xppu: 40_000_000, yppu: 40_000_000, unit: png::Unit::Meter };
    encoder.set_pixel_dims(Some(dimensions));
    encoder.write_header().unwrap().write_image_data(&rgb()).unwrap();
    // What JFIF says of its pixels' shape alone is no resolution.
    let mut shape = jpeg(&rgb(), JpegColor::Rgb, None);
    let jfif = shape.windows(5).position(|bytes| bytes == b"JFIF\0").unwrap();
    shape[jfif + 7] = 0;
    for bytes in [wrong, shape] {
        let facts = opened(dir.path(), &bytes).unwrap().reader().facts(1).unwrap();
        assert!((facts.width - 45.0).abs() < 0.1 && (facts.height - 30.0).abs() < 0.1, "{facts:?}");
    }
}

#[test]
fn a_jpeg_that_is_small_enough_goes_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let small = jpeg(&rgb(), JpegColor::Rgb, None);
    let read = |bytes: &[u8], longest_side| {
        let options = with(ImageOptions::default(), |image| image.longest_side = longest_side);
        opened(dir.path(), bytes).unwrap().reader().image(1, &options).unwrap()
    };
    let as_it_is = read(&small, 60);
    assert_eq!((as_it_is.bytes == small, as_it_is.width, as_it_is.blank, as_it_is.plain), (true, 60, false, false));
    assert!(read(&small, 59).bytes != small, "too large");
    assert!(read(&jpeg(&rgb(), JpegColor::Rgb, Some(3)), 60).bytes != small, "upside down");
    let white = read(&jpeg(&vec![255; rgb().len()], JpegColor::Rgb, None), 60);
    assert!(white.blank && white.plain);
}

#[test]
fn inks_are_not_taken_for_light_and_what_is_clear_is_white() {
    let dir = tempfile::tempdir().unwrap();
    let white = |name: &str, bytes: &[u8]| {
        let document = opened(dir.path(), bytes).unwrap();
        let options = with(ImageOptions::default(), |image| image.longest_side = 50);
        let image = document.reader().image(1, &options).unwrap();
        assert!(image.blank, "{name} is not white");
    };
    let pixels = (SIZE.0 * SIZE.1) as usize;
    // No ink at all; the encoder stores what that leaves of the light, as Adobe's programs do.
    white("CMYK JPEG", &jpeg(&vec![0; pixels * 4], JpegColor::Cmyk, None));
    white("YCCK JPEG", &jpeg(&vec![0; pixels * 4], JpegColor::CmykAsYcck, None));
    white("CMYK TIFF", &Tiff::of(|encoder| frame::<CMYK8>(encoder, &vec![0; pixels * 4], false)));
    white("fax", &fax());
    white("RGBA PNG", &encoded_png(png::ColorType::Rgba, png::BitDepth::Eight, SIZE, &vec![0; pixels * 4]));
    white(
        "gray and alpha",
        &encoded_png(png::ColorType::GrayscaleAlpha, png::BitDepth::Sixteen, SIZE, &vec![0; pixels * 4]),
    );
    white("16 bits", &Tiff::of(|encoder| frame::<Gray16>(encoder, &vec![u16::MAX; pixels], false)));
    white("one bit", &encoded_png(png::ColorType::Grayscale, png::BitDepth::One, SIZE, &vec![255; 8 * 40]));
}

#[test]
fn frames_are_pages_and_smaller_copies_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = Tiff::of(|encoder| {
        frame::<Gray8>(encoder, &gray(), false);
        frame::<Gray8>(encoder, &vec![200; gray().len()], true);
        frame::<RGB8>(encoder, &rgb(), false);
    });
    let document = opened(dir.path(), &bytes).unwrap();
    assert_eq!(document.page_count(), 2);
    let mut reader = document.reader();
    let own = [1, 2].map(|page| reader.content_hash(page).unwrap());
    assert_ne!(own[0], own[1]);
    assert!(near(drawn(&document, 2, 200.0).2[60 * 10 + 10], [255, 0, 0]), "the second page is the third frame");
    // The same frame in another file, at another place, is the same page.
    let alone = Tiff::of(|encoder| frame::<RGB8>(encoder, &rgb(), false));
    assert_eq!(opened(dir.path(), &alone).unwrap().reader().content_hash(1).unwrap(), own[1]);
    let process = Readers::processes(env!("CARGO_BIN_EXE_bindery").into(), 1, ReaderLimits::default());
    let path = dir.path().join("frames.tiff");
    std::fs::write(&path, &bytes).unwrap();
    let document = process.open(&path, None, &DocumentLimits::default()).unwrap();
    assert_eq!([1, 2].map(|page| document.reader().content_hash(page).unwrap()), own, "in a process of its own");
    let limits = with(DocumentLimits::default(), |limits| limits.max_pages = 1);
    assert_eq!(Document::open(&path, None, &limits).err().unwrap().code, "too_many_pages");
}

#[test]
fn what_is_too_large_damaged_or_unknown_is_refused_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let huge = {
        let mut encoder_bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut encoder_bytes, 60_000, 60_000);
        encoder.set_color(png::ColorType::Grayscale);
        drop(encoder.write_header().unwrap());
        encoder_bytes
    };
    let mut wide = jpeg(&rgb(), JpegColor::Rgb, None);
    let header = wide.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    wide[header + 5..header + 9].copy_from_slice(&[0xff; 4]);
    let mut arithmetic = jpeg(&rgb(), JpegColor::Rgb, None);
    arithmetic[header + 1] = 0xc9;
    let palette = {
        let mut bytes = fax();
        // Indexed colours, of which there is no list.
        bytes[8 + 2 + 4 * 12 + 8] = 3;
        bytes
    };
    for (bytes, code, says) in [
        (huge, "pdf_too_large", "60000 x 60000"),
        (wide, "pdf_too_large", "65535 x 65535"),
        (arithmetic, "pdf_damaged", "save the picture as PNG or JPEG"),
        (palette, "pdf_damaged", "save the picture as PNG or JPEG"),
        (plain_png()[..100].to_vec(), "pdf_damaged", "the PNG picture is damaged"),
        (webp()[..40].to_vec(), "pdf_damaged", "the WebP picture is damaged"),
        (b"II*\0\0\0\0\0".to_vec(), "pdf_damaged", "the TIFF picture is damaged"),
        (b"\xff\xd8\xff".to_vec(), "pdf_damaged", "the JPEG picture is damaged"),
        (b"GIF89a".to_vec(), "not_a_pdf", "PNG, JPEG, TIFF or WebP"),
    ] {
        let failure = opened(dir.path(), &bytes).err().unwrap_or_else(|| panic!("taken: {says}"));
        assert!(failure.code == code && failure.message.contains(says), "{failure:?} and not {code}, {says}");
    }
}

fn kept(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn a_server_takes_pictures_and_a_model_reads_them() {
    let llm = FakeLlm::start(Script::default().otherwise(Answer::Text("# Seen", "stop")));
    let server = Server::start(&["--llm-base-url", &llm.url, "--llm-model", "m", "--llm-input", "image"]).await;
    let photo = jpeg(&rgb(), JpegColor::Rgb, None);
    for (media_type, bytes) in
        [("image/jpeg", photo.clone()), ("image/png", plain_png()), ("application/octet-stream", webp())]
    {
        let sent = server.request("POST", "/v1/tasks?processor=auto&file_name=page.jpeg");
        let answer = sent.header("content-type", media_type).body(bytes).send().await.unwrap();
        assert_eq!(answer.status(), 202, "{media_type}");
        let task: Value = answer.json().await.unwrap();
        let id = task["id"].as_str().unwrap().to_owned();
        assert_eq!(server.finished(&id).await["status"], "completed");
        assert_eq!(server.markdown(&id).await, "<!-- page 1 -->\n\n# Seen\n");
        let image = server.request("GET", &format!("/v1/tasks/{id}/pages/1/image?side=64")).send().await.unwrap();
        assert_eq!(image.status(), 200);
        let html = server.request("GET", &format!("/v1/tasks/{id}/result?format=html")).send().await.unwrap();
        let named = html.headers()["content-disposition"].to_str().unwrap().to_owned();
        assert!(named.contains("filename=\"page.html\""), "{named}");
    }
    let first = llm.books().asked.into_iter().next().unwrap();
    assert!(first.pictures[0].abs_diff(photo.len()) < 32, "{:?} for {}", first.pictures, photo.len());

    let unread = server.accepted(plain_png(), "processor=text").await;
    assert_eq!(server.finished(&unread).await["findings"]["no_text_layer"], 1);
    let other = jpeg(&gray(), JpegColor::Luma, None);
    let estimate = server.request("POST", "/v1/estimate?processor=auto").body(other).send().await.unwrap();
    assert_eq!(estimate.json::<Value>().await.unwrap()["calls"], 1);
    for (media_type, body, code) in [
        ("image/gif", b"GIF89a".to_vec(), "unsupported_media_type"),
        ("image/png", vec![b'x'; 2_000], "not_a_pdf"),
        ("image/png", plain_png()[..60].to_vec(), "pdf_damaged"),
    ] {
        let refused = server.request("POST", "/v1/tasks").header("content-type", media_type).body(body);
        let problem: Value = refused.send().await.unwrap().json().await.unwrap();
        let names_kinds = problem["detail"].to_string().to_lowercase().contains("webp");
        assert!(problem["code"] == code && (code == "pdf_damaged" || names_kinds), "{problem}");
    }
}

#[tokio::test]
async fn commands_take_pictures_also_in_folders() {
    let dir = tempfile::tempdir().unwrap();
    let tiff = Tiff::of(|encoder| {
        frame::<Gray8>(encoder, &gray(), false);
        frame::<RGB8>(encoder, &rgb(), false);
    });
    let book = crate::support::pdf::book("Beside", 1);
    for (name, bytes) in [
        ("a.PNG", plain_png()),
        ("b.tif", tiff),
        ("c.pdf", book),
        ("c.jpg", jpeg(&rgb(), JpegColor::Rgb, None)),
        ("c.txt", b"x".to_vec()),
    ] {
        kept(dir.path(), &format!("in/{name}"), &bytes);
    }
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let done = run(dir.path(), ["convert", &at("in"), "--out-dir", &at("out")]).await;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("4 files: 1 done, 3 with unread pages"), "{said}");
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap_or_else(|_| panic!("{name} is not there: {said}"));
    let unread = |page: u32| format!("<!-- page {page}: not read: no text layer; needs OCR or a model -->");
    assert!(read("out/a.md").contains(&unread(1)) && read("out/b.md").contains(&unread(2)));
    assert!(read("out/c.md").contains("Beside page 1") && read("out/c.jpg.md").contains(&unread(1)));
    let shown = run(dir.path(), ["inspect", &at("in/b.tif")]).await;
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("2 pages") && shown.matches("scan").count() == 2, "{shown}");
    let refused = run(dir.path(), ["split", &at("in/b.tif"), "-o", &at("parts")]).await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("picture"), "{refused:?}");
}
