//! Which way up a picture is, and at what resolution: the first directory of an EXIF block (EXIF 2.32, 4.6; TIFF 6.0).

/// What an EXIF block says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Exif {
    /// 1 to 8.
    pub(super) orientation: Option<u8>,
    /// Pixels an inch, across and down.
    pub(super) resolution: Option<(f32, f32)>,
}

const ORIENTATION: u16 = 274;
const X_RESOLUTION: u16 = 282;
const Y_RESOLUTION: u16 = 283;
const RESOLUTION_UNIT: u16 = 296;
/// Types of values: two bytes, and two numbers of four bytes.
const SHORT: u16 = 3;
const RATIONAL: u16 = 5;
/// More entries than this has no directory of a camera.
const MOST_ENTRIES: u16 = 512;
const CENTIMETRES_AN_INCH: f32 = 2.54;

impl Exif {
    /// Of a block that begins with a TIFF header, or with `Exif\0\0` and one. What it does not say, or says wrong, is absent.
    pub(super) fn of(block: &[u8]) -> Self {
        let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
        Reader::of(block).and_then(|reader| reader.read()).unwrap_or_default()
    }
}

/// Pixels an inch, of a number a `unit` (2: inch, 3: centimetre).
pub(super) fn resolution(x: f32, y: f32, unit: u16) -> Option<(f32, f32)> {
    match unit {
        2 => Some((x, y)),
        3 => Some((x * CENTIMETRES_AN_INCH, y * CENTIMETRES_AN_INCH)),
        _ => None,
    }
}

struct Reader<'a> {
    block: &'a [u8],
    big: bool,
}

impl<'a> Reader<'a> {
    fn of(block: &'a [u8]) -> Option<Self> {
        let big = match block.get(..4)? {
            b"II*\0" => false,
            b"MM\0*" => true,
            _ => return None,
        };
        Some(Self { block, big })
    }

    fn short(&self, at: usize) -> Option<u16> {
        let bytes: [u8; 2] = self.block.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn long(&self, at: usize) -> Option<u32> {
        let bytes: [u8; 4] = self.block.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    #[allow(clippy::cast_precision_loss, reason = "a resolution")]
    fn rational(&self, at: usize) -> Option<f32> {
        let at = self.long(at)? as usize;
        let (over, under) = (self.long(at)?, self.long(at.checked_add(4)?)?);
        (under > 0).then(|| over as f32 / under as f32)
    }

    fn read(&self) -> Option<Exif> {
        let start = self.long(4)? as usize;
        let count = self.short(start)?.min(MOST_ENTRIES);
        let (mut orientation, mut x, mut y, mut unit) = (None, None, None, 2);
        for entry in 0..usize::from(count) {
            let at = start.checked_add(2 + entry * 12)?;
            let (Some(tag), Some(kind)) = (self.short(at), self.short(at + 2)) else { break };
            match (tag, kind) {
                (ORIENTATION, SHORT) => orientation = self.short(at + 8),
                (X_RESOLUTION, RATIONAL) => x = self.rational(at + 8),
                (Y_RESOLUTION, RATIONAL) => y = self.rational(at + 8),
                (RESOLUTION_UNIT, SHORT) => unit = self.short(at + 8)?,
                _ => {}
            }
        }
        let orientation = orientation.and_then(|of| u8::try_from(of).ok()).filter(|of| (1..=8).contains(of));
        Some(Exif { orientation, resolution: x.zip(y).and_then(|(x, y)| resolution(x, y, unit)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(big: bool, unit: u16) -> Vec<u8> {
        let short = |value: u16| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut bytes = if big { b"Exif\0\0MM\0*".to_vec() } else { b"II*\0".to_vec() };
        bytes.extend(long(8));
        bytes.extend(short(4));
        let mut entry = |tag, kind, value: [u8; 4]| {
            bytes.extend([short(tag), short(kind)].concat());
            bytes.extend(long(1));
            bytes.extend(value);
        };
        let padded = |value: u16| [short(value), [0; 2]].concat().try_into().unwrap();
        entry(274, 3, padded(6));
        entry(282, 5, long(62));
        entry(283, 5, long(62));
        entry(296, 3, padded(unit));
        bytes.extend(long(0));
        bytes.extend([long(300), long(2)].concat());
        bytes
    }

    #[test]
    fn a_block_says_which_way_up_and_how_fine() {
        for big in [false, true] {
            let read = Exif::of(&block(big, 2));
            assert_eq!(read, Exif { orientation: Some(6), resolution: Some((150.0, 150.0)) });
            assert_eq!(Exif::of(&block(big, 3)).resolution, Some((381.0, 381.0)));
            assert_eq!(Exif::of(&block(big, 1)).resolution, None);
        }
        let whole = block(false, 2);
        for length in 0..whole.len() {
            // However it is cut off.
            let _ = Exif::of(&whole[..length]);
        }
        assert_eq!(Exif::of(b"nothing"), Exif::default());
    }
}
