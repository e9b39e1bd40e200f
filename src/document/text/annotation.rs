//! Annotations of a page: what they look like, and the values of form fields.

use hayro_interpret::RectExt;
use hayro_interpret::kurbo::{Affine, Point, Rect};
use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Dict, Name, Object, Rect as PdfRect, Stream, String as PdfString};
use hayro_syntax::page::Resources;

use super::collect::{Collector, Look};
use super::fonts::plain_text;
use super::interpret::{LimitExceeded, MAX_DEPTH, State, USUAL_SIZE, Walk};
use super::open_line::Text;
use crate::document::outline::text_string;

impl<'a> Walk<'_, 'a> {
    /// What an annotation looks like (PDF 32000-1, 12.5.5).
    pub(super) fn annotation(
        &mut self,
        annotation: &Dict<'a>,
        resources: &Resources<'a>,
        state: &State<'a>,
    ) -> Result<(), LimitExceeded> {
        const UNSEEN: u32 = 1 << 1 | 1 << 5;
        let Some(area) = annotation.get::<PdfRect>(keys::RECT) else { return Ok(()) };
        if annotation.get::<u32>("F").unwrap_or(0) & UNSEEN != 0 || self.layers.hide(annotation, b"OC") {
            return Ok(());
        }
        let area = area.to_kurbo();
        if annotation.get::<Name<'_>>(keys::SUBTYPE).as_deref() == Some(b"Widget") {
            self.collector.begin_field();
            let walked = self.widget(annotation, area, resources, state);
            self.collector.end_field();
            return walked;
        }
        let subtype = annotation.get::<Name<'_>>(keys::SUBTYPE);
        let is_mark = matches!(
            subtype.as_deref(),
            Some(b"Highlight" | b"Underline" | b"Squiggly" | b"StrikeOut" | b"Ink" | b"Link" | b"Caret")
        );
        if is_mark {
            // Viewers show what is below, whatever the marks say of that.
            let mut state = state.clone();
            state.ink.mixes = true;
            return self.look(annotation, area, resources, &state);
        }
        self.look(annotation, area, resources, state)
    }

    /// A form field: a button as a sign for its state, another as it looks, or by its value when no one has drawn it.
    fn widget(
        &mut self,
        widget: &Dict<'a>,
        area: Rect,
        resources: &Resources<'a>,
        state: &State<'a>,
    ) -> Result<(), LimitExceeded> {
        let field = Field::of(widget);
        if field.is_button && !field.is_push_button {
            // Whatever sign the document has for it.
            let on = widget.get::<Name<'_>>("AS").is_some_and(|state| state.as_ref() != b"Off");
            self.write(if on { "☑" } else { "☐" }, area, state);
        } else if widget.get::<Dict<'_>>("AP").is_some() {
            return self.look(widget, area, resources, state);
        } else if let Some(value) = field.value.filter(|_| !field.is_button) {
            self.write(&value, area, state);
        }
        Ok(())
    }

    fn look(
        &mut self,
        annotation: &Dict<'a>,
        area: Rect,
        resources: &Resources<'a>,
        state: &State<'a>,
    ) -> Result<(), LimitExceeded> {
        let Some(look) = appearance(annotation) else { return Ok(()) };
        let Some([x0, y0, x1, y1]) = look.dict().get::<[f64; 4]>("BBox") else { return Ok(()) };
        let matrix = Affine::new(look.dict().get::<[f64; 6]>("Matrix").unwrap_or([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]));
        let shown = matrix.transform_rect_bbox(Rect::new(x0, y0, x1, y1).abs());
        let (sx, sy) = (area.width() / shown.width(), area.height() / shown.height());
        if !(sx.is_finite() && sy.is_finite()) {
            return Ok(());
        }
        let mut state = state.clone();
        state.to_page *= Affine::new([sx, 0.0, 0.0, sy, area.x0 - sx * shown.x0, area.y0 - sy * shown.y0]);
        self.form(&look, resources, state)
    }

    /// Text in the middle of `area`, in letters half as wide as high.
    fn write(&mut self, text: &str, area: Rect, state: &State<'a>) {
        let size = (area.height() * 0.7).min(USUAL_SIZE);
        let origin = state.to_page * Point::new(area.x0 + 2.0, area.center().y - size * 0.3);
        let along = state.to_page * Point::new(1.0, 0.0) - state.to_page * Point::ZERO;
        let Some(run) = Collector::run(origin, along, along, size * along.hypot()) else { return };
        // It comes after all that was painted so far.
        self.collector.strings = self.collector.strings.wrapping_add(1);
        let mut pen = 0.0;
        for c in plain_text(text).chars() {
            self.collector.glyph(&run, Look::default(), Some(&Text::One(c)), (pen, pen + size * 0.5));
            pen += size * 0.5;
        }
    }
}

/// What a widget and the fields above it say; the nearest holds (PDF 32000-1, 12.7.3.1).
///
/// The hash of a page takes it as it is, so it is all of what a page's text may depend on in a field.
pub(in crate::document) struct Field {
    pub(in crate::document) is_button: bool,
    pub(in crate::document) is_push_button: bool,
    pub(in crate::document) value: Option<String>,
}

impl Field {
    pub(in crate::document) fn of(widget: &Dict<'_>) -> Self {
        let (mut kind, mut flags, mut value) = (None, None, None);
        let mut node = Some(widget.clone());
        for _ in 0..MAX_DEPTH {
            let Some(dict) = node else { break };
            kind = kind.or_else(|| dict.get::<Name<'_>>("FT").map(|kind| kind.as_ref() == b"Btn"));
            flags = flags.or_else(|| dict.get::<u32>("Ff"));
            value = value.or_else(|| dict.get::<PdfString<'_>>("V").map(|value| text_string(value.as_bytes())));
            node = dict.get::<Dict<'_>>(keys::PARENT);
        }
        Self { is_button: kind.unwrap_or(false), is_push_button: flags.unwrap_or(0) & 1 << 16 != 0, value }
    }
}

fn appearance<'a>(annotation: &Dict<'a>) -> Option<Stream<'a>> {
    match annotation.get::<Dict<'a>>("AP")?.get::<Object<'a>>("N")? {
        Object::Stream(look) => Some(look),
        Object::Dict(states) => {
            let state = annotation.get::<Name<'a>>("AS");
            state.and_then(|state| states.get::<Stream<'a>>(state)).or_else(|| states.get::<Stream<'a>>("Off"))
        }
        _ => None,
    }
}
