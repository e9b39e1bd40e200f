//! Pages as pictures.

use std::path::Path;

use bindery::document::{Document, DocumentLimits, ImageOptions, PageImage, ReaderLimits, Readers};
use lopdf::{Dictionary, Object, Stream};

use crate::support::pdf::book;
use crate::support::with;

fn sample() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sample.pdf")
}

fn image(path: &Path, page: u32, options: ImageOptions) -> PageImage {
    let document = Document::open(path, None, &DocumentLimits::default()).unwrap();
    document.reader().image(page, &options).unwrap()
}

/// Width, height and color type of a PNG (its first chunk).
fn png(image: &PageImage) -> (u32, u32, u8) {
    assert_eq!(image.media_type, "image/png");
    let number = |at: usize| u32::from_be_bytes(image.bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20), image.bytes[25])
}

fn options(change: impl FnOnce(&mut ImageOptions)) -> ImageOptions {
    with(ImageOptions::default(), change)
}

#[test]
fn a_page_of_text_is_a_gray_png_at_the_resolution_asked_for() {
    let page = image(&sample(), 3, ImageOptions::default());
    assert_eq!(png(&page), (page.width, page.height, 0), "gray");
    let small = image(&sample(), 3, options(|image| image.dpi = 75.0));
    assert!(page.width.abs_diff(small.width * 2) <= 1 && page.height.abs_diff(small.height * 2) <= 1);
    let side = image(&sample(), 3, options(|image| image.longest_side = 400));
    assert!(side.width.max(side.height) <= 400 && side.width.max(side.height) > 390, "{} {}", side.width, side.height);
    let capped = image(&sample(), 3, options(|image| image.max_bytes = page.bytes.len() / 2));
    assert!(capped.bytes.len() <= page.bytes.len() / 2 && capped.width < page.width);
}

#[test]
fn a_reader_process_makes_the_same_picture() {
    let limits = DocumentLimits::default();
    let readers = Readers::processes(env!("CARGO_BIN_EXE_bindery").into(), 1, ReaderLimits::default());
    let document = readers.open(&sample(), None, &limits).unwrap();
    let options = ImageOptions::default();
    assert_eq!(document.reader().image(2, &options).unwrap(), image(&sample(), 2, options));
}

/// A page whose whole area is one image of `side` × `side` pixels.
fn picture(dir: &Path, side: i64, pixel: impl Fn(i64, i64) -> [u8; 3]) -> std::path::PathBuf {
    let mut pdf = lopdf::Document::load_mem(&book("Picture", 1)).unwrap();
    let mut dict = Dictionary::new();
    for (key, name) in [("Type", "XObject"), ("Subtype", "Image"), ("ColorSpace", "DeviceRGB")] {
        dict.set(key, Object::Name(name.into()));
    }
    for (key, number) in [("Width", side), ("Height", side), ("BitsPerComponent", 8)] {
        dict.set(key, number);
    }
    let pixels = (0..side).flat_map(|y| (0..side).flat_map(|x| pixel(x, y)).collect::<Vec<u8>>()).collect();
    let image = pdf.add_object(Stream::new(dict, pixels));
    let page = pdf.get_pages()[&1];
    pdf.add_xobject(page, "Im", image).unwrap();
    pdf.change_page_content(page, b"q 595 0 0 842 0 0 cm /Im Do Q".to_vec()).unwrap();
    let path = dir.join("picture.pdf");
    pdf.save(&path).unwrap();
    path
}

#[test]
fn colour_stays_and_a_photograph_is_a_jpeg() {
    let dir = tempfile::tempdir().unwrap();
    let byte = |value: i64| u8::try_from(value & 255).unwrap();
    let flat = picture(dir.path(), 4, |x, _| if x < 2 { [200, 30, 30] } else { [30, 30, 200] });
    assert_eq!(png(&image(&flat, 1, ImageOptions::default())).2, 3, "colour, by a palette");
    let photo = picture(dir.path(), 200, |x, y| [byte(x * 7 + y), byte(y * 5), byte(x * y)]);
    let photo = image(&photo, 1, ImageOptions::default());
    assert_eq!((photo.media_type.as_str(), &photo.bytes[..3]), ("image/jpeg", &[0xff, 0xd8, 0xff][..]));
    let scan = picture(dir.path(), 200, |x, y| [byte((x * 31 + y * 17) ^ (x * y)); 3]);
    assert_eq!(image(&scan, 1, ImageOptions::default()).media_type, "image/jpeg");
}

#[test]
fn a_tinted_page_with_many_colours_here_and_there_is_no_photograph() {
    let dir = tempfile::tempdir().unwrap();
    let byte = |value: i64| u8::try_from(value & 255).unwrap();
    let tinted = picture(dir.path(), 200, |x, y| if x < 20 { [byte(y), 0, 0] } else { [255, 250, 225] });
    assert_eq!(png(&image(&tinted, 1, ImageOptions::default())).2, 3, "a palette");
}

#[test]
fn the_crop_box_and_the_rotation_are_respected() {
    let dir = tempfile::tempdir().unwrap();
    let mut pdf = lopdf::Document::load(sample()).unwrap();
    let page = pdf.get_pages()[&1];
    let crop = [0, 0, 200, 100].map(Object::from).to_vec();
    let dict = pdf.get_dictionary_mut(page).unwrap();
    dict.set("CropBox", crop);
    dict.set("Rotate", 90);
    let path = dir.path().join("cropped.pdf");
    pdf.save(&path).unwrap();
    let cropped = image(&path, 1, options(|image| image.dpi = 72.0));
    assert_eq!((cropped.width, cropped.height), (100, 200));
}
