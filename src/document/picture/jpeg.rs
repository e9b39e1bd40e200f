//! What a JPEG says of itself: its frame header (ITU-T T.81, B.2.2), JFIF density, EXIF, and Adobe's marker.

use super::exif::{self, Exif};
use super::{Frame, Pixels, Refusal, check_size};

/// The frame of a file.
///
/// # Errors
/// When its header is not there, or is of a form that only few programs know.
pub(super) fn frame(file: &[u8]) -> Result<Frame, Refusal> {
    let damaged = || Refusal::Damaged("its header is not whole".to_owned());
    let (mut density, mut exif, mut adobe) = (None, Exif::default(), false);
    let mut rest = file.get(2..).unwrap_or_default();
    loop {
        // Any number of fill bytes may stand before a marker (B.1.1.2).
        let at = rest.iter().position(|byte| *byte != 0xff).ok_or_else(damaged)?;
        let marker = rest[at];
        if at == 0 {
            return Err(damaged());
        }
        rest = &rest[at + 1..];
        if matches!(marker, 0x01 | 0xd0..=0xd7) {
            continue;
        }
        let length = rest.get(..2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
        let segment = length.and_then(|length| rest.get(2..length)).ok_or_else(damaged)?;
        match (marker, segment) {
            (0xc0..=0xc2, _) => return of_header(segment, density, exif, adobe),
            (0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf, _) => {
                return Err(Refusal::Unknown("lossless, hierarchical or arithmetic coding".to_owned()));
            }
            (0xd9 | 0xda, _) => return Err(damaged()),
            (0xe0, [b'J', b'F', b'I', b'F', 0, _, _, unit, x1, x2, y1, y2, ..]) => {
                let [x, y] = [[*x1, *x2], [*y1, *y2]].map(|side| f32::from(u16::from_be_bytes(side)));
                density = exif::resolution(x, y, u16::from(*unit) + 1);
            }
            (0xe1, block) if block.starts_with(b"Exif\0\0") && exif == Exif::default() => exif = Exif::of(block),
            (0xee, block) => adobe |= block.starts_with(b"Adobe"),
            _ => {}
        }
        rest = &rest[segment.len() + 2..];
    }
}

fn of_header(header: &[u8], density: Option<(f32, f32)>, exif: Exif, adobe: bool) -> Result<Frame, Refusal> {
    let [precision, h1, h2, w1, w2, components, ..] = header else {
        return Err(Refusal::Damaged("its header is not whole".to_owned()));
    };
    let [height, width] = [[*h1, *h2], [*w1, *w2]].map(|side| u32::from(u16::from_be_bytes(side)));
    if *precision != 8 {
        return Err(Refusal::Unknown(format!("{precision} bits a channel")));
    }
    if !matches!(components, 1 | 3 | 4) {
        return Err(Refusal::Unknown(format!("{components} channels")));
    }
    check_size(width, height)?;
    Ok(Frame {
        width,
        height,
        // What the camera says of its sensor is no better than what the file says; but where that says nothing it will do.
        resolution: density.or(exif.resolution),
        orientation: exif.orientation.unwrap_or(1),
        pixels: Pixels::Jpeg { components: *components, inverted: adobe && *components == 4 },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(segments: &[(u8, &[u8])]) -> Vec<u8> {
        let mut file = b"\xff\xd8".to_vec();
        for (marker, content) in segments {
            file.extend([0xff, 0xff, *marker]);
            file.extend(u16::try_from(content.len() + 2).unwrap().to_be_bytes());
            file.extend(*content);
        }
        file
    }

    const JFIF: (u8, &[u8]) = (0xe0, b"JFIF\0\x01\x02\x01\x00\xc8\x00\xc8\0\0");
    const HEADER: (u8, &[u8]) = (0xc2, &[8, 0, 20, 0, 30, 3]);

    #[test]
    fn headers_are_read() {
        let read = frame(&file(&[JFIF, HEADER])).unwrap();
        assert_eq!((read.width, read.height, read.resolution, read.orientation), (30, 20, Some((200.0, 200.0)), 1));
        let inks = frame(&file(&[(0xee, b"Adobe\0d\0\0\0\0\x02"), (0xc0, &[8, 0, 20, 0, 30, 4])])).unwrap();
        assert!(matches!(inks.pixels, Pixels::Jpeg { components: 4, inverted: true }));
        for refused in [
            file(&[JFIF]),
            file(&[(0xc9, HEADER.1)]),
            file(&[(0xc0, &[12, 0, 20, 0, 30, 3])]),
            file(&[(0xc0, &[8, 0, 0, 0, 30, 3])]),
            file(&[(0xc0, &[8, 0xff, 0xff, 0xff, 0xff, 3])]),
            file(&[(0xda, &[0; 4])]),
            b"\xff\xd8\xff".to_vec(),
        ] {
            assert!(frame(&refused).is_err(), "{refused:?}");
        }
    }
}
