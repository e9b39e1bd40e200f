//! A frame as a PDF of one page.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::{Colour, Frame, Pixels};

/// Points an inch.
const POINTS: f32 = 72.0;

/// A PDF of one page with the frame on it, in its size and upright. `file` is what the frame is of, `at` its place there: the
/// numbers of objects follow from it, so that no two frames of a file have the same, and what is remembered of one is not
/// taken for another's.
pub(super) fn pdf(frame: &Frame, file: &[u8], at: usize) -> Vec<u8> {
    let first = at * 5 + 1;
    let (x, y) = frame.dpi();
    #[allow(clippy::cast_precision_loss, reason = "a length")]
    let (width, height) = (frame.width as f32 / x * POINTS, frame.height as f32 / y * POINTS);
    let (matrix, (page_width, page_height)) = upright(frame.orientation, width, height);
    let [catalog, pages, page, content, image] = [0, 1, 2, 3, 4].map(|place| first + place);
    let matrix = matrix.map(|number| number.to_string()).join(" ");
    let drawing = format!("q {matrix} cm /Im Do Q");
    let (entries, data) = image_stream(frame, file);
    Writer::default()
        .object(catalog, &format!("<< /Type /Catalog /Pages {pages} 0 R >>"))
        .object(pages, &format!("<< /Type /Pages /Count 1 /Kids [{page} 0 R] >>"))
        .object(
            page,
            &format!(
                "<< /Type /Page /Parent {pages} 0 R /MediaBox [0 0 {page_width} {page_height}] /Contents {content} 0 R \
                 /Resources << /XObject << /Im {image} 0 R >> >> >>"
            ),
        )
        .stream(content, "", drawing.as_bytes())
        .stream(image, &entries, &data)
        .finish(catalog)
}

/// A PDF of so many pages on which nothing stands.
pub(super) fn skeleton(pages: usize) -> Vec<u8> {
    let kids = (0..pages).fold(String::new(), |mut kids, at| {
        let _ = write!(kids, "{} 0 R ", at + 3);
        kids
    });
    let writer = Writer::default()
        .object(1, "<< /Type /Catalog /Pages 2 0 R >>")
        .object(2, &format!("<< /Type /Pages /Count {pages} /Kids [{kids}] /MediaBox [0 0 9 9] >>"));
    let page = |writer: Writer, at: usize| writer.object(at + 3, "<< /Type /Page /Parent 2 0 R >>");
    (0..pages).fold(writer, page).finish(1)
}

/// What puts the unit square, in which a picture is drawn, on the page so that the picture is upright; and the page's size.
/// Each row says where the picture's first row and column are shown (TIFF 6.0, tag 274).
fn upright(orientation: u8, w: f32, h: f32) -> ([f32; 6], (f32, f32)) {
    match orientation {
        2 => ([-w, 0.0, 0.0, h, w, 0.0], (w, h)),
        3 => ([-w, 0.0, 0.0, -h, w, h], (w, h)),
        4 => ([w, 0.0, 0.0, -h, 0.0, h], (w, h)),
        5 => ([0.0, -w, -h, 0.0, h, w], (h, w)),
        6 => ([0.0, -w, h, 0.0, 0.0, w], (h, w)),
        7 => ([0.0, w, h, 0.0, 0.0, 0.0], (h, w)),
        8 => ([0.0, w, -h, 0.0, h, 0.0], (h, w)),
        _ => ([w, 0.0, 0.0, h, 0.0, 0.0], (w, h)),
    }
}

/// The entries of the picture's stream, and its bytes.
fn image_stream(frame: &Frame, file: &[u8]) -> (String, Vec<u8>) {
    let Frame { width, height, .. } = frame;
    let (colour, bits, filter, data) = match &frame.pixels {
        Pixels::Jpeg { components, .. } => {
            let colour = match components {
                1 => Colour::Gray,
                4 => Colour::Cmyk,
                _ => Colour::Rgb,
            };
            (colour, 8, "DCTDecode", file.to_vec())
        }
        Pixels::Plain { colour, bits, data } => (*colour, *bits, "FlateDecode", deflated(data)),
    };
    let space = match colour {
        Colour::Gray => "DeviceGray",
        Colour::Rgb => "DeviceRGB",
        Colour::Cmyk => "DeviceCMYK",
    };
    let decode = match frame.pixels {
        Pixels::Jpeg { inverted: true, .. } => "/Decode [1 0 1 0 1 0 1 0]",
        _ => "",
    };
    let entries = format!(
        "/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /{space} /BitsPerComponent {bits} \
         /Filter /{filter} {decode}"
    );
    (entries, data)
}

fn deflated(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    // Writing into memory does not fail.
    let _ = encoder.write_all(data);
    encoder.finish().unwrap_or_default()
}

/// Writes objects and where they are.
#[derive(Default)]
struct Writer {
    out: Vec<u8>,
    places: Vec<(usize, usize)>,
}

impl Writer {
    fn begin(&mut self, number: usize) {
        if self.out.is_empty() {
            self.out.extend(b"%PDF-1.7\n");
        }
        self.places.push((number, self.out.len()));
        self.out.extend(format!("{number} 0 obj\n").bytes());
    }

    fn object(mut self, number: usize, body: &str) -> Self {
        self.begin(number);
        self.out.extend(body.bytes());
        self.out.extend(b"\nendobj\n");
        self
    }

    fn stream(mut self, number: usize, entries: &str, data: &[u8]) -> Self {
        self.begin(number);
        self.out.extend(format!("<< /Length {} {entries} >>\nstream\n", data.len()).bytes());
        self.out.extend(data);
        self.out.extend(b"\nendstream\nendobj\n");
        self
    }

    fn finish(mut self, root: usize) -> Vec<u8> {
        let table = self.out.len();
        let first = self.places.first().map_or(1, |(number, _)| *number);
        let mut end = format!("xref\n0 1\n0000000000 65535 f \n{first} {}\n", self.places.len());
        for (_, place) in &self.places {
            let _ = writeln!(end, "{place:010} 00000 n ");
        }
        let size = first + self.places.len();
        let _ = writeln!(end, "trailer\n<< /Size {size} /Root {root} 0 R >>\nstartxref\n{table}\n%%EOF");
        self.out.extend(end.bytes());
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_orientation_puts_the_corners_where_they_are_seen() {
        // Where the stored first row and first column are shown: the corner of the unit square (0, 1) is the first pixel.
        for (orientation, expected) in [
            (1, (0.0, 20.0)),
            (2, (30.0, 20.0)),
            (3, (30.0, 0.0)),
            (4, (0.0, 0.0)),
            (5, (0.0, 30.0)),
            (6, (20.0, 30.0)),
            (7, (20.0, 0.0)),
            (8, (0.0, 0.0)),
        ] {
            let ([_, _, c, d, e, f], (width, height)) = upright(orientation, 30.0, 20.0);
            assert_eq!((c + e, d + f), expected, "{orientation}");
            assert_eq!((width, height), if orientation > 4 { (20.0, 30.0) } else { (30.0, 20.0) });
        }
    }
}
