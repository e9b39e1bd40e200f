//! Walks a page's content and hands what matters for its text to a collector: glyphs, straight strokes, pictures.
//!
//! The renderer has an interpreter, too, but one that carries colours, clips and masks from glyph to glyph, and does not
//! tell which font a glyph is of. This one keeps what the text-showing operators need (PDF 32000-1, clause 9) and knows
//! the font, which says what is bold, slanted or of one width; and what it costs does not depend on what a page draws.

use std::collections::HashMap;
use std::rc::Rc;

use hayro_interpret::kurbo::{Affine, Point, Rect};
use hayro_syntax::content::{Instruction, UntypedIter};
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream, String as PdfString};
use hayro_syntax::page::{Page, Resources};

use super::collect::{Collector, Look};
use super::fonts::{Fonts, PageFont, plain_text};
use super::ink::{Ink, Picture};
use super::layers::Layers;
use super::path::Path;
use crate::document::outline::text_string;

/// A page whose content is deeper, or longer, than anyone would make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::document) struct LimitExceeded;

/// Forms are nested at most so deep.
pub(super) const MAX_DEPTH: u32 = 50;
/// So many instructions are followed on a page.
const MAX_INSTRUCTIONS: u64 = 50_000_000;
/// So many saved states are kept.
const MAX_SAVED: usize = 50_000;
/// What a font is set in when its size is missing or zero, points.
pub(super) const USUAL_SIZE: f64 = 12.0;

/// Collects `page`, whose user space `upright` leads to the upright page.
pub(super) fn collect<'a>(
    page: &Page<'a>,
    upright: Affine,
    fonts: &Fonts<'a>,
    layers: &Layers,
    collector: &mut Collector,
) -> Result<(), LimitExceeded> {
    let mut walk = Walk { fonts, layers, collector, left: MAX_INSTRUCTIONS, hidden: 0, depth: 0 };
    let state = State::new(upright);
    walk.content(page.page_stream().unwrap_or_default(), page.resources(), state.clone())?;
    let annotations = page.raw().get::<Array<'a>>(keys::ANNOTS);
    for annotation in annotations.iter().flat_map(Array::iter::<Dict<'a>>) {
        walk.annotation(&annotation, page.resources(), &state)?;
    }
    Ok(())
}

/// The graphics state, as far as it concerns text (PDF 32000-1, tables 52 and 104).
#[derive(Clone)]
pub(super) struct State<'a> {
    pub(super) to_page: Affine,
    font: Option<Rc<PageFont<'a>>>,
    size: f64,
    char_space: f64,
    word_space: f64,
    stretch: f64,
    leading: f64,
    rise: f64,
    /// How letters are painted (PDF 32000-1, table 106).
    mode: u8,
    pub(super) ink: Ink,
}

impl State<'_> {
    const fn new(to_page: Affine) -> Self {
        Self {
            to_page,
            font: None,
            size: 1.0,
            char_space: 0.0,
            word_space: 0.0,
            stretch: 1.0,
            leading: 0.0,
            rise: 0.0,
            mode: 0,
            ink: Ink::new(),
        }
    }
}

/// Marked content that is open.
enum Marked {
    Plain,
    Hidden,
    Actual,
    Artifact,
}

pub(super) struct Walk<'w, 'a> {
    fonts: &'w Fonts<'a>,
    pub(super) layers: &'w Layers,
    pub(super) collector: &'w mut Collector,
    left: u64,
    /// How many hidden layers are open.
    hidden: u32,
    depth: u32,
}

/// The numbers among an instruction's operands, zero where one is missing.
fn numbers<const N: usize>(instruction: &Instruction<'_, '_>) -> [f64; N] {
    let mut numbers = [0.0; N];
    let given = instruction.operands().filter_map(|operand| match operand {
        Object::Number(number) => Some(number.as_f64()),
        _ => None,
    });
    numbers.iter_mut().zip(given).for_each(|(number, given)| *number = given);
    numbers
}

/// From this mode on letters cut off what is painted later outside of them (PDF 32000-1, table 106).
const CLIPS: u8 = 4;

/// How letters are painted.
fn mode([number]: [f64; 1]) -> u8 {
    (0..8).find(|mode| (f64::from(*mode) - number).abs() < 1e-6).unwrap_or(0)
}

fn point(instruction: &Instruction<'_, '_>) -> Point {
    let [x, y] = numbers(instruction);
    Point::new(x, y)
}

impl<'a> Walk<'_, 'a> {
    #[allow(clippy::too_many_lines, reason = "one line an operator")]
    fn content(&mut self, bytes: &[u8], resources: &Resources<'a>, state: State<'a>) -> Result<(), LimitExceeded> {
        let mut instructions = UntypedIter::new(bytes);
        let mut names: HashMap<Vec<u8>, Option<Rc<PageFont<'a>>>> = HashMap::new();
        let (mut state, mut saved) = (state, Vec::new());
        let (mut matrix, mut line) = (Affine::IDENTITY, Affine::IDENTITY);
        let mut path = Path::default();
        let mut marked: Vec<Marked> = Vec::new();
        while let Some(instruction) = instructions.next() {
            self.left = self.left.checked_sub(1).ok_or(LimitExceeded)?;
            let mut next_line = |line: &mut Affine, x: f64, y: f64| {
                *line *= Affine::translate((x, y));
                matrix = *line;
            };
            match &**instruction.operator {
                b"q" if saved.len() < MAX_SAVED => saved.push(state.clone()),
                b"q" => return Err(LimitExceeded),
                b"Q" => state = saved.pop().unwrap_or(state),
                b"cm" => state.to_page *= Affine::new(numbers(&instruction)),
                b"gs" => {
                    let state_name = instruction.operands().find_map(name);
                    let Some(entries) = state_name.and_then(|name| resources.get_ext_g_state(name)) else { continue };
                    state.ink.follow_state(&entries);
                    if let Some(font) = entries.get::<Array<'a>>("Font") {
                        let mut parts = font.flex_iter();
                        if let (Some(dict), Some(size)) = (parts.next::<Dict<'a>>(), parts.next::<f32>()) {
                            (state.font, state.size) = (self.fonts.of(&dict), f64::from(size));
                        }
                    }
                }
                b"Tf" => {
                    let name = instruction.operands().find_map(name);
                    let size = instruction.operands().find_map(|operand| match operand {
                        Object::Number(size) => Some(size.as_f64()),
                        _ => None,
                    });
                    // Letters of no size are never written on purpose.
                    state.size = size.filter(|size| *size != 0.0).unwrap_or(USUAL_SIZE);
                    state.font = name.and_then(|name| {
                        let known = names.get(name.as_ref()).cloned();
                        known.unwrap_or_else(|| {
                            let font = self.fonts.named(resources, name);
                            names.insert(name.as_ref().to_vec(), font.clone());
                            font
                        })
                    });
                }
                b"Tc" => [state.char_space] = numbers(&instruction),
                b"Tw" => [state.word_space] = numbers(&instruction),
                b"Tz" => state.stretch = numbers::<1>(&instruction)[0] / 100.0,
                b"TL" => [state.leading] = numbers(&instruction),
                b"Ts" => [state.rise] = numbers(&instruction),
                b"Tr" => state.mode = mode(numbers(&instruction)),
                b"BT" => (matrix, line) = (Affine::IDENTITY, Affine::IDENTITY),
                b"Tm" => {
                    matrix = Affine::new(numbers(&instruction));
                    line = matrix;
                }
                b"Td" => {
                    let [x, y] = numbers(&instruction);
                    next_line(&mut line, x, y);
                }
                b"TD" => {
                    let [x, y] = numbers(&instruction);
                    state.leading = -y;
                    next_line(&mut line, x, y);
                }
                b"T*" => next_line(&mut line, 0.0, -state.leading),
                b"Tj" | b"TJ" => self.show(&instruction, &mut state, &mut matrix),
                b"'" => {
                    next_line(&mut line, 0.0, -state.leading);
                    self.show(&instruction, &mut state, &mut matrix);
                }
                b"\"" => {
                    [state.word_space, state.char_space] = numbers(&instruction);
                    next_line(&mut line, 0.0, -state.leading);
                    self.show(&instruction, &mut state, &mut matrix);
                }
                b"m" => path.move_to(point(&instruction)),
                b"l" => path.line_to(point(&instruction)),
                b"c" => {
                    let [x1, y1, x2, y2, x3, y3] = numbers(&instruction);
                    [(x1, y1), (x2, y2), (x3, y3)].into_iter().for_each(|to| path.curve_to(to.into()));
                }
                b"v" | b"y" => {
                    let [x1, y1, x2, y2] = numbers(&instruction);
                    [(x1, y1), (x2, y2)].into_iter().for_each(|to| path.curve_to(to.into()));
                }
                b"h" => path.close(),
                b"re" => {
                    let [x, y, width, height] = numbers(&instruction);
                    path.rectangle(Rect::new(x, y, x + width, y + height).abs());
                }
                b"S" => self.paint(&mut path, &mut state, true, false),
                b"s" => {
                    path.close();
                    self.paint(&mut path, &mut state, true, false);
                }
                b"f" | b"F" | b"f*" => self.paint(&mut path, &mut state, false, true),
                b"B" | b"B*" => self.paint(&mut path, &mut state, true, true),
                b"b" | b"b*" => {
                    path.close();
                    self.paint(&mut path, &mut state, true, true);
                }
                b"n" => self.paint(&mut path, &mut state, false, false),
                b"W" | b"W*" => path.clips = true,
                b"sh" if self.hidden == 0 => self.collector.shade(&state.ink),
                b"Do" => {
                    let name = instruction.operands().find_map(name);
                    if let Some(object) = name.and_then(|name| resources.get_x_object(name)) {
                        self.object(&object, resources, &state)?;
                    }
                }
                b"BI" if self.hidden == 0 => {
                    let image = instruction.operands().find_map(|operand| match operand {
                        Object::Stream(image) => Some(Picture::of(image)),
                        _ => None,
                    });
                    self.collector.image(state.to_page, &state.ink, image.unwrap_or_default());
                }
                b"BMC" => marked.push(Marked::Plain),
                b"BDC" => {
                    let begun = self.begin_marked(&instruction, resources);
                    marked.push(begun);
                }
                b"EMC" => {
                    if let Some(ended) = marked.pop() {
                        self.end_marked(&ended);
                    }
                }
                _ => state.ink.follow(&instruction, resources),
            }
        }
        while let Some(open) = marked.pop() {
            self.end_marked(&open);
        }
        Ok(())
    }

    fn begin_marked(&mut self, instruction: &Instruction<'_, '_>, resources: &Resources<'a>) -> Marked {
        let mut operands = instruction.operands();
        let tag = operands.next().and_then(name);
        let properties = operands.next();
        let is = |wanted: &[u8]| tag.is_some_and(|tag| tag.as_ref() == wanted);
        let (mut actual, mut pagination) = (None, false);
        let mut look = |dict: &Dict<'_>| {
            actual = dict.get::<PdfString<'_>>("ActualText").map(|text| plain_text(&text_string(text.as_bytes())));
            pagination = dict.get::<Name<'_>>(keys::TYPE).as_deref() == Some(b"Pagination");
        };
        match properties {
            Some(Object::Name(name)) => {
                if is(b"OC") && self.layers.hide(&resources.properties, name.as_ref()) {
                    self.hidden += 1;
                    return Marked::Hidden;
                }
                if let Some(dict) = resources.properties.get::<Dict<'a>>(name.as_ref()) {
                    look(&dict);
                }
            }
            Some(Object::Dict(dict)) => look(dict),
            _ => {}
        }
        if let Some(text) = actual {
            self.collector.begin_actual(text);
            return Marked::Actual;
        }
        if is(b"Artifact") && pagination {
            self.collector.artifacts += 1;
            return Marked::Artifact;
        }
        Marked::Plain
    }

    fn end_marked(&mut self, ended: &Marked) {
        match ended {
            Marked::Hidden => self.hidden -= 1,
            Marked::Actual => self.collector.end_actual(),
            Marked::Artifact => self.collector.artifacts -= 1,
            Marked::Plain => {}
        }
    }

    /// Shows the strings among the operands; numbers between them move the pen.
    fn show(&mut self, instruction: &Instruction<'_, '_>, state: &mut State<'a>, matrix: &mut Affine) {
        let font = match &state.font {
            Some(font) => Rc::clone(font),
            // Viewers take Helvetica when no font was chosen.
            None => match self.fonts.usual() {
                Some(font) => Rc::clone(state.font.insert(font)),
                None => return,
            },
        };
        self.collector.strings = self.collector.strings.wrapping_add(1);
        if state.mode >= CLIPS {
            state.ink.cut_to_string(self.collector.strings);
            self.collector.stencils.insert(self.collector.strings);
        }
        for operand in instruction.operands() {
            match operand {
                Object::String(text) => self.show_text(text.as_bytes(), &font, state, matrix),
                Object::Array(parts) => {
                    for part in parts.iter::<Object<'_>>() {
                        match part {
                            Object::String(text) => self.show_text(text.as_bytes(), &font, state, matrix),
                            Object::Number(back) => {
                                let back = -back.as_f64() / 1000.0 * state.size;
                                let by = if font.is_horizontal() { (back * state.stretch, 0.0) } else { (0.0, back) };
                                *matrix *= Affine::translate(by);
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn show_text(&mut self, bytes: &[u8], font: &PageFont<'a>, state: &State<'a>, matrix: &mut Affine) {
        let horizontal = font.is_horizontal();
        let to_page = state.to_page * *matrix;
        let origin = to_page * Point::new(0.0, state.rise);
        let x = to_page * Point::new(1.0, state.rise) - origin;
        let y = to_page * Point::new(0.0, 1.0 + state.rise) - origin;
        let (along, across) = if horizontal { (x, y) } else { (-y, x) };
        let size = state.size * font.scale();
        // A stretch that is negative mirrors letters along the line, and the way of the pen with them.
        let turned = state.size.signum() * if horizontal { state.stretch.signum() } else { 1.0 };
        let run = Collector::run(origin, along * turned, along, across.hypot() * size.abs());
        let look = Look { style: font.style(), ..Look::default() };
        let brush = run.as_ref().map(|_| self.collector.sight(&state.ink, state.mode, font.is_drawn()));
        let number = self.collector.fonts.number(font.traits());
        let (mut pen, mut at) = (0.0, 0);
        while at < bytes.len() {
            let (code, length) = font.read_code(bytes, at);
            let space = state.char_space + if length == 1 && code == 32 { state.word_space } else { 0.0 };
            pen += font.glyph(code, |known| {
                let width = known.advance / 1000.0 * state.size;
                let (width, space) =
                    if horizontal { (width * state.stretch, space * state.stretch) } else { (-width, -space) };
                if self.hidden == 0
                    && let (Some(run), Some(brush)) = (&run, &brush)
                {
                    let place = (pen, pen + width);
                    let look = Look { sight: self.collector.look(brush, run, place), glyph: (number, code), ..look };
                    self.collector.glyph(run, look, known.text.as_ref(), place);
                }
                width + space
            });
            at += length.max(1);
        }
        *matrix *= Affine::translate(if horizontal { (pen, 0.0) } else { (0.0, -pen) });
    }

    fn paint(&mut self, path: &mut Path, state: &mut State<'a>, stroked: bool, filled: bool) {
        path.end();
        let to_page = state.to_page;
        if self.hidden == 0 {
            if stroked && !state.ink.is_unseen(true) {
                for shape in &path.shapes {
                    let area = to_page.transform_rect_bbox(shape.area).intersect(state.ink.clip);
                    self.collector.pieces.stroke(area, shape.rectangle);
                }
            }
            if stroked {
                path.lines.iter().for_each(|(from, to)| self.collector.stroke(to_page * *from, to_page * *to));
            }
            if filled {
                self.collector.fill(&path.shapes, to_page, &state.ink);
            }
            if stroked || filled {
                path.shapes.iter().for_each(|shape| self.collector.dot(to_page.transform_rect_bbox(shape.area)));
            }
        }
        if path.clips {
            state.ink.cut(&path.shapes, to_page);
        }
        *path = Path::default();
    }

    fn object(
        &mut self,
        object: &Stream<'a>,
        resources: &Resources<'a>,
        state: &State<'a>,
    ) -> Result<(), LimitExceeded> {
        if self.hidden > 0 || self.layers.hide(object.dict(), b"OC") {
            return Ok(());
        }
        match object.dict().get::<Name<'_>>(keys::SUBTYPE).as_deref() {
            Some(b"Image") => {
                self.collector.image(state.to_page, &state.ink, Picture::of(object));
                Ok(())
            }
            _ => self.form(object, resources, state.clone()),
        }
    }

    pub(super) fn form(
        &mut self,
        form: &Stream<'a>,
        resources: &Resources<'a>,
        mut state: State<'a>,
    ) -> Result<(), LimitExceeded> {
        if self.depth >= MAX_DEPTH {
            return Ok(());
        }
        let Ok(bytes) = form.decoded_data() else { return Ok(()) };
        if let Some(matrix) = form.dict().get::<[f64; 6]>("Matrix") {
            state.to_page *= Affine::new(matrix);
        }
        if let Some([x0, y0, x1, y1]) = form.dict().get::<[f64; 4]>("BBox") {
            state.ink.cut_to(Rect::new(x0, y0, x1, y1).abs(), state.to_page, true);
        }
        let own = form.dict().get::<Dict<'a>>(keys::RESOURCES).map(Resources::new);
        self.depth += 1;
        let walked = self.content(&bytes, own.as_ref().unwrap_or(resources), state);
        self.depth -= 1;
        walked
    }
}

fn name<'b, 'c>(object: &'b Object<'c>) -> Option<&'b Name<'c>> {
    match object {
        Object::Name(name) => Some(name),
        _ => None,
    }
}
