//! What glyphs and shapes are painted with: their colour, how transparent they are, and where they may be painted at all.

use std::rc::Rc;

use hayro_interpret::Function;
use hayro_interpret::kurbo::{Affine, Rect};
use hayro_syntax::content::Instruction;
use hayro_syntax::object::{Array, Dict, Name, Number, Object, ObjectIdentifier, Stream};
use hayro_syntax::page::Resources;

use super::path::Shape;

/// Red, green and blue, 0 to 1.
pub(super) type Rgb = [f32; 3];

pub(super) const WHITE: Rgb = [1.0; 3];
const BLACK: Rgb = [0.0; 3];
/// What is more transparent than this is not seen.
const LEAST_ALPHA: f32 = 0.03;
/// What is less transparent than this hides what is below it.
const OPAQUE: f32 = 0.97;
/// Colour spaces may be built upon one another so deep.
const MAX_DEPTH: u32 = 4;
/// Colours nearer to each other than this in each part cannot be told apart.
const SAME: f32 = 0.025;

/// What parts of a colour are, with what rounding adds.
const PARTS: std::ops::RangeInclusive<f32> = -0.01..=1.01;

/// Whether one cannot see the one colour on the other.
pub(super) fn is_same(a: Rgb, b: Rgb) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < SAME)
}

/// A colour space, as far as its colours can be told without its profile.
#[derive(Clone)]
enum Space {
    Gray,
    Rgb,
    /// Three parts that a profile explains: red, green and blue, unless they go beyond these, as those of Lab do.
    Profiled,
    Cmyk,
    /// Inks of other names, and what they look like in another space.
    Tints(Rc<(Function, Space)>),
    /// Patterns, and whatever else.
    Other,
}

impl Space {
    fn of(object: &Object<'_>, depth: u32) -> Self {
        match object {
            Object::Name(name) => Self::named(name.as_ref()),
            Object::Array(parts) if depth < MAX_DEPTH => Self::built(parts, depth).unwrap_or(Self::Other),
            _ => Self::Other,
        }
    }

    fn named(name: &[u8]) -> Self {
        match name {
            b"DeviceGray" | b"G" | b"CalGray" => Self::Gray,
            b"DeviceRGB" | b"RGB" | b"CalRGB" => Self::Rgb,
            b"DeviceCMYK" | b"CMYK" => Self::Cmyk,
            _ => Self::Other,
        }
    }

    fn built(parts: &Array<'_>, depth: u32) -> Option<Self> {
        let parts: Vec<Object<'_>> = parts.iter::<Object<'_>>().take(5).collect();
        let Object::Name(family) = parts.first()? else { return None };
        match family.as_ref() {
            b"ICCBased" => {
                let Object::Stream(profile) = parts.get(1)? else { return None };
                match profile.dict().get::<u32>("N")? {
                    1 => Some(Self::Gray),
                    3 => Some(Self::Profiled),
                    4 => Some(Self::Cmyk),
                    _ => None,
                }
            }
            b"Separation" | b"DeviceN" => {
                let (base, tint) = (Self::of(parts.get(2)?, depth + 1), Function::new(parts.get(3)?)?);
                Some(Self::Tints(Rc::new((tint, base))))
            }
            family => Some(Self::named(family)),
        }
    }

    fn first(&self) -> Option<Rgb> {
        match self {
            Self::Gray | Self::Rgb | Self::Profiled | Self::Cmyk => Some(BLACK),
            Self::Tints(tints) => self.colour(&vec![1.0; tints.0.num_inputs()]),
            Self::Other => None,
        }
    }

    fn colour(&self, parts: &[f32]) -> Option<Rgb> {
        match (self, parts) {
            (Self::Gray, [gray]) => Some([gray.clamp(0.0, 1.0); 3]),
            (Self::Rgb, [red, green, blue]) => Some([*red, *green, *blue].map(|part| part.clamp(0.0, 1.0))),
            (Self::Profiled, [_, _, _]) if parts.iter().any(|part| !PARTS.contains(part)) => None,
            (Self::Profiled, parts) => Self::Rgb.colour(parts),
            (Self::Cmyk, [cyan, magenta, yellow, black]) => {
                Some([cyan, magenta, yellow].map(|ink| ((1.0 - ink) * (1.0 - black)).clamp(0.0, 1.0)))
            }
            (Self::Tints(tints), parts) => {
                let (tint, base) = &**tints;
                let mut mixed = vec![0.0; tint.num_outputs()];
                (parts.len() == tint.num_inputs()).then(|| tint.eval(parts, &mut mixed))??;
                base.colour(&mixed)
            }
            _ => None,
        }
    }
}

/// What is painted with: a colour, `None` where it cannot be told.
#[derive(Clone)]
pub(super) struct Paint {
    space: Space,
    pub(super) colour: Option<Rgb>,
    alpha: f32,
}

impl Paint {
    const fn black() -> Self {
        Self { space: Space::Gray, colour: Some(BLACK), alpha: 1.0 }
    }

    fn set(&mut self, space: Space, parts: &[f32]) {
        self.colour = space.colour(parts);
        self.space = space;
    }
}

/// The part of the graphics state that says what is seen of what is painted (PDF 32000-1, tables 52 and 53).
#[derive(Clone)]
pub(super) struct Ink {
    pub(super) fill: Paint,
    pub(super) stroke: Paint,
    /// Whether there is a soft mask, a blend mode or overprinting, so that the colours below count, too.
    pub(super) mixes: bool,
    /// Nothing is seen outside of this part of the page,
    pub(super) clip: Rect,
    /// and all within it, if this is true.
    pub(super) clip_is_exact: bool,
    /// The first and the last string whose glyphs cut off what is outside of them.
    pub(super) stencil: Option<(u32, u32)>,
}

impl Ink {
    pub(super) const fn new() -> Self {
        Self {
            fill: Paint::black(),
            stroke: Paint::black(),
            mixes: false,
            clip: Rect::new(-1e9, -1e9, 1e9, 1e9),
            clip_is_exact: true,
            stencil: None,
        }
    }

    /// Cuts off what is outside of the glyphs of a string.
    pub(super) fn cut_to_string(&mut self, string: u32) {
        self.clip_is_exact = false;
        self.stencil = Some((self.stencil.map_or(string, |(first, _)| first), string));
    }

    /// Whether nothing of what is filled, or stroked, is seen.
    pub(super) fn is_unseen(&self, stroked: bool) -> bool {
        (if stroked { self.stroke.alpha } else { self.fill.alpha }) < LEAST_ALPHA
    }

    /// Whether what is filled hides all that is below it.
    pub(super) fn is_opaque(&self) -> bool {
        self.fill.alpha > OPAQUE && !self.mixes
    }

    /// Follows an operator, if it is one that changes this.
    pub(super) fn follow(&mut self, instruction: &Instruction<'_, '_>, resources: &Resources<'_>) {
        let mut parts: Vec<f32> = Vec::new();
        let given = || {
            let numbers = instruction.operands().filter_map(|operand| match operand {
                Object::Number(number) => Some(number.as_f32()),
                _ => None,
            });
            numbers.collect::<Vec<f32>>()
        };
        let operator: &[u8] = instruction.operator;
        if matches!(operator, b"g" | b"G" | b"rg" | b"RG" | b"k" | b"K" | b"sc" | b"SC" | b"scn" | b"SCN") {
            parts = given();
        }
        match operator {
            b"g" => self.fill.set(Space::Gray, &parts),
            b"G" => self.stroke.set(Space::Gray, &parts),
            b"rg" => self.fill.set(Space::Rgb, &parts),
            b"RG" => self.stroke.set(Space::Rgb, &parts),
            b"k" => self.fill.set(Space::Cmyk, &parts),
            b"K" => self.stroke.set(Space::Cmyk, &parts),
            b"sc" | b"scn" => self.fill.colour = self.fill.space.colour(&parts),
            b"SC" | b"SCN" => self.stroke.colour = self.stroke.space.colour(&parts),
            b"cs" | b"CS" => {
                let name = instruction.operands().find_map(|operand| match operand {
                    Object::Name(name) => Some(name),
                    _ => None,
                });
                let Some(name) = name else { return };
                let space = match Space::named(name.as_ref()) {
                    Space::Other => {
                        resources.get_color_space(name).map_or(Space::Other, |object| Space::of(&object, 0))
                    }
                    device => device,
                };
                let paint = if operator == b"cs" { &mut self.fill } else { &mut self.stroke };
                paint.colour = space.first();
                paint.space = space;
            }
            _ => {}
        }
    }

    /// Follows the entries of a graphics state dictionary.
    pub(super) fn follow_state(&mut self, state: &Dict<'_>) {
        if let Some(alpha) = state.get::<f32>("ca") {
            self.fill.alpha = alpha;
        }
        if let Some(alpha) = state.get::<f32>("CA") {
            self.stroke.alpha = alpha;
        }
        let is_normal = |name: &Name<'_>| matches!(name.as_ref(), b"Normal" | b"Compatible" | b"None");
        let mixes = |key: &str| match state.get::<Object<'_>>(key) {
            None | Some(Object::Null(_)) => None,
            Some(Object::Name(name)) => Some(!is_normal(&name)),
            Some(Object::Boolean(overprints)) => Some(overprints),
            Some(_) => Some(true),
        };
        let said: Vec<bool> = ["SMask", "BM", "op"].into_iter().filter_map(mixes).collect();
        if !said.is_empty() {
            self.mixes = said.contains(&true);
        }
    }

    /// Cuts off what is outside of a path. One without any part says nothing.
    pub(super) fn cut(&mut self, shapes: &[Shape], to_page: Affine) {
        let Some(area) = shapes.iter().map(|shape| shape.area).reduce(|all, area| all.union(area)) else { return };
        self.cut_to(area, to_page, shapes.len() == 1 && shapes[0].rectangle);
    }

    pub(super) fn cut_to(&mut self, area: Rect, to_page: Affine, exact: bool) {
        let shown = to_page.transform_rect_bbox(area);
        if shown.is_finite() {
            self.clip_is_exact &= exact && is_upright(to_page) || contains(shown, self.clip);
            let (x0, y0) = (self.clip.x0.max(shown.x0), self.clip.y0.max(shown.y0));
            // Nothing is left of what lies apart.
            let (x1, y1) = (self.clip.x1.min(shown.x1).max(x0), self.clip.y1.min(shown.y1).max(y0));
            self.clip = Rect::new(x0, y0, x1, y1);
        }
    }
}

fn contains(outer: Rect, inner: Rect) -> bool {
    outer.x0 <= inner.x0 && outer.y0 <= inner.y0 && outer.x1 >= inner.x1 && outer.y1 >= inner.y1
}

/// Whether a rectangle stays one with level and upright sides.
pub(super) fn is_upright(to_page: Affine) -> bool {
    let [a, b, c, d, ..] = to_page.as_coeffs();
    let small = |x: f64, of: f64| x.abs() <= of.abs() * 1e-3;
    small(b, a) && small(c, d) || small(a, b) && small(d, c)
}

/// What is known of a picture without looking at it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Picture {
    /// Whether all of it is seen: it has no mask.
    pub(super) whole: bool,
    /// Whether it is packed as photographs are.
    pub(super) photograph: bool,
    /// How many it has from left to right, and from top to bottom.
    pub(super) pixels: (u32, u32),
    /// How long it is, where it is packed as only pictures are. Of others the file may hold the same in any length.
    pub(super) bytes: usize,
    /// The JPEG that it is, where that shows the same by itself.
    pub(super) jpeg: Option<ObjectIdentifier>,
}

impl Picture {
    pub(super) fn of(image: &Stream<'_>) -> Self {
        let dict = image.dict();
        let has = |key: &str| dict.get::<Object<'_>>(key).is_some_and(|value| !matches!(value, Object::Null(_)));
        let in_data = dict.get::<Number>("SMaskInData").is_some_and(|number| number.as_f64() > 0.0);
        let masked = has("SMask") || has("Mask") || in_data || dict.get::<bool>("ImageMask").unwrap_or(false);
        let has_filter = |is_one: &dyn Fn(&[u8]) -> bool| {
            ["Filter", "F"].into_iter().any(|key| match dict.get::<Object<'_>>(key) {
                Some(Object::Name(name)) => is_one(&name),
                Some(Object::Array(names)) => names.iter::<Name<'_>>().any(|name| is_one(&name)),
                _ => false,
            })
        };
        let photograph = has_filter(&|name| matches!(name, b"DCTDecode" | b"DCT" | b"JPXDecode"));
        let is_packed = photograph || has_filter(&|name| matches!(name, b"CCITTFaxDecode" | b"CCF" | b"JBIG2Decode"));
        let side = |long: &str, short: &str| dict.get::<u32>(long).or_else(|| dict.get::<u32>(short)).unwrap_or(0);
        Self {
            whole: !masked,
            photograph,
            pixels: (side("Width", "W"), side("Height", "H")),
            bytes: if is_packed { image.raw_data().len() } else { 0 },
            jpeg: (!masked && photograph && is_plain_jpeg(dict)).then(|| dict.obj_id()).flatten(),
        }
    }
}

/// Whether a picture is a JPEG that any program shows as a PDF does: nothing else was done to it, and its colours are gray, or
/// red, green and blue.
fn is_plain_jpeg(dict: &Dict<'_>) -> bool {
    let is_absent = |key: &str| dict.get::<Object<'_>>(key).is_none_or(|value| matches!(value, Object::Null(_)));
    let is_dct = |name: &Name<'_>| matches!(name.as_ref(), b"DCTDecode" | b"DCT");
    let filter = match dict.get::<Object<'_>>("Filter") {
        Some(Object::Name(name)) => is_dct(&name),
        Some(Object::Array(names)) => {
            let names: Vec<Name<'_>> = names.iter().take(2).collect();
            matches!(&names[..], [name] if is_dct(name))
        }
        _ => false,
    };
    let space = dict.get::<Object<'_>>("ColorSpace").map(|space| Space::of(&space, 0));
    let colours = matches!(space, Some(Space::Gray | Space::Rgb | Space::Profiled));
    filter && colours && is_absent("Decode") && is_absent("DecodeParms")
}
