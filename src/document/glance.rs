//! The pictures of a page, drawn small and in grays: all that is needed to see whether they show text.
//!
//! The renderer draws letters, paths and shades, too, and scales pictures by a good filter, which for large ones takes many
//! times as long as to read the page. Here each pixel is the mean of a few pixels of a picture; level areas of one colour
//! are filled, as they may cover pictures; whatever else is drawn is left out.

use std::ops::Range;

use hayro_interpret::font::GlyphRun;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect, Shape};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageData, ImageDrawProps, InterpreterCache,
    InterpreterSettings, LumaData, Paint, RectExt, SoftMask, TransformExt, interpret_page,
};
use hayro_syntax::page::Page;

use super::raster::{Raster, gray};

/// For a pixel at most so many pixels of a picture are looked at in each direction.
const MOST_SAMPLES: usize = 4;

/// The pictures of `page` on white, at `scale` pixels a point. `width` and `height` are those of the whole, pixels.
pub(super) fn raster<'a>(
    page: &Page<'a>,
    cache: &InterpreterCache<'a>,
    settings: &InterpreterSettings,
    (width, height): (u16, u16),
    scale: f64,
) -> Raster {
    let area = Rect::new(0.0, 0.0, width.into(), height.into());
    let to_pixels = Affine::scale(scale) * page.initial_transform(true).to_kurbo();
    let mut context = Context::new(to_pixels, area, cache, page.xref(), settings.clone());
    let crop = to_pixels.transform_rect_bbox(page.intersected_crop_box().to_kurbo());
    let mut sheet = Sheet {
        width: width.into(),
        luma: vec![u8::MAX; usize::from(width) * usize::from(height)],
        clips: vec![area.intersect(crop)],
        alphas: vec![1.0],
    };
    interpret_page(page, &mut context, &mut sheet);
    Raster::new(sheet.width, scale, sheet.luma)
}

/// What is drawn on.
struct Sheet {
    width: usize,
    luma: Vec<u8>,
    /// What is outside of the last of these is cut off; one whose shape is no rectangle counts as the box around it.
    clips: Vec<Rect>,
    /// How opaque the open groups are, each with those around it.
    alphas: Vec<f32>,
}

/// The pixels of a picture: gray, or red, green and blue.
#[derive(Clone, Copy)]
enum Pixels<'p> {
    Plain(u8),
    Gray(&'p [u8]),
    Rgb(&'p [u8]),
}

impl Pixels<'_> {
    fn at(self, at: usize) -> u32 {
        match self {
            Self::Plain(gray) => gray.into(),
            Self::Gray(of) => of.get(at).copied().unwrap_or(u8::MAX).into(),
            Self::Rgb(of) => of.get(at * 3..at * 3 + 3).map_or(u8::MAX, |of| gray([of[0], of[1], of[2]])).into(),
        }
    }
}

/// A picture of so many pixels, and where it is put.
struct Drawn<'p> {
    pixels: Pixels<'p>,
    alpha: Option<&'p LumaData>,
    width: u32,
    height: u32,
    to_sheet: Affine,
}

impl Sheet {
    fn clip(&self) -> Rect {
        self.clips.last().copied().unwrap_or_default()
    }

    fn alpha(&self) -> f32 {
        self.alphas.last().copied().unwrap_or(1.0)
    }

    /// The columns and rows whose pixels have their middle in an area.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the sheet")]
    fn within(&self, area: Rect) -> (Range<usize>, Range<usize>) {
        let shown = area.intersect(self.clip());
        let height = self.luma.len().checked_div(self.width).unwrap_or(0);
        let range = |from: f64, to: f64, most: usize| {
            let at = |at: f64| (at.round().max(0.0) as usize).min(most);
            at(from)..at(to).max(at(from))
        };
        (range(shown.x0, shown.x1, self.width), range(shown.y0, shown.y1, height))
    }

    fn fill(&mut self, area: Rect, colour: u8, alpha: f32) {
        let (columns, rows) = self.within(area);
        for row in rows {
            let from = row * self.width;
            self.luma[from + columns.start..from + columns.end]
                .iter_mut()
                .for_each(|pixel| blend(pixel, colour, alpha));
        }
    }

    fn draw(&mut self, drawn: &Drawn<'_>) {
        let Drawn { width, height, to_sheet, .. } = *drawn;
        let (columns, rows) =
            self.within(to_sheet.transform_rect_bbox(Rect::new(0.0, 0.0, width.into(), height.into())));
        let from_sheet = to_sheet.inverse();
        if columns.is_empty() || rows.is_empty() || !from_sheet.is_finite() {
            return;
        }
        let samples = samples(from_sheet);
        let [x_by_x, y_by_x, x_by_y, y_by_y, left, top] = from_sheet.as_coeffs();
        if y_by_x.abs() + x_by_y.abs() < 1e-9 {
            // As nearly all are: a column of the sheet is one of the picture, and a row is a row.
            let along = places(columns.clone(), samples, (x_by_x, left), width);
            let down = places(rows.clone(), samples, (y_by_y, top), height);
            self.average(drawn, (columns, rows), samples, |x, y| Some((along[x], down[y])));
        } else {
            let (left, top) = (columns.start, rows.start);
            let turned = |x: usize, y: usize| {
                let Point { x, y } = from_sheet * Point::new(middle(left, x, samples), middle(top, y, samples));
                within(x, width).zip(within(y, height))
            };
            self.average(drawn, (columns, rows), samples, turned);
        }
    }

    /// Puts the mean of `samples` by `samples` pixels of a picture into each pixel of an area. `place` tells which pixel of
    /// the picture lies below so many samples from the left, and from the top, of the area.
    fn average(
        &mut self,
        drawn: &Drawn<'_>,
        (columns, rows): (Range<usize>, Range<usize>),
        samples: usize,
        place: impl Fn(usize, usize) -> Option<(usize, usize)>,
    ) {
        let group = self.alpha();
        for (down, row) in rows.enumerate() {
            let from = row * self.width;
            let pixels = &mut self.luma[from + columns.start..from + columns.end];
            for (along, pixel) in pixels.iter_mut().enumerate() {
                let (mut colour, mut opaque) = (0, 0);
                for y in down * samples..(down + 1) * samples {
                    for x in along * samples..(along + 1) * samples {
                        let Some((x, y)) = place(x, y) else { continue };
                        let alpha = drawn.alpha_at(x, y);
                        colour += drawn.pixels.at(y * drawn.width as usize + x) * alpha;
                        opaque += alpha;
                    }
                }
                if let Some(colour) = colour.checked_div(opaque) {
                    blend(pixel, u8::try_from(colour).unwrap_or(u8::MAX), share(opaque, samples) * group);
                }
            }
        }
    }
}

/// How many pixels of a picture are looked at for one of the sheet, in each direction.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited")]
fn samples(from_sheet: Affine) -> usize {
    let [a, b, c, d, ..] = from_sheet.as_coeffs();
    (a.hypot(b).max(c.hypot(d)).round() as usize).clamp(1, MOST_SAMPLES)
}

/// Where on the sheet the middle of a sample is.
#[allow(clippy::cast_precision_loss, reason = "pixels")]
fn middle(first: usize, sample: usize, samples: usize) -> f64 {
    first as f64 + (sample as f64 + 0.5) / samples as f64
}

/// The pixel of a picture of `side` pixels at a place.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the picture")]
fn within(at: f64, side: u32) -> Option<usize> {
    (0.0..f64::from(side)).contains(&at).then_some(at as usize)
}

/// The pixels of a picture below each sample of a row, or column, of the sheet.
fn places(of: Range<usize>, samples: usize, (step, begin): (f64, f64), side: u32) -> Vec<usize> {
    let place = |sample: usize| {
        let at = middle(of.start, sample, samples) * step + begin;
        within(at.clamp(0.0, f64::from(side) - 0.5), side).unwrap_or(0)
    };
    (0..of.len() * samples).map(place).collect()
}

/// How opaque a pixel is, 0 to 1, by the sum of its samples.
#[allow(clippy::cast_precision_loss, reason = "a share")]
fn share(opaque: u32, samples: usize) -> f32 {
    opaque as f32 / (samples * samples * 255) as f32
}

impl Drawn<'_> {
    /// How opaque a pixel of it is. A mask may have another number of pixels.
    fn alpha_at(&self, x: usize, y: usize) -> u32 {
        let Some(mask) = self.alpha else { return 255 };
        let (column, row) = if (mask.width, mask.height) == (self.width, self.height) {
            (x, y)
        } else {
            let scaled = |at: usize, side: u32, of: u32| at * side as usize / of.max(1) as usize;
            (scaled(x, mask.width, self.width), scaled(y, mask.height, self.height))
        };
        mask.data.get(row * mask.width as usize + column).copied().unwrap_or(u8::MAX).into()
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
fn blend(pixel: &mut u8, colour: u8, alpha: f32) {
    if alpha >= 1.0 {
        *pixel = colour;
    } else {
        let below = f32::from(*pixel);
        *pixel = (below + (f32::from(colour) - below) * alpha + 0.5) as u8;
    }
}

/// The gray of a paint, and how opaque it is. Patterns are taken for something dark.
fn paint_of(paint: &Paint<'_>) -> (u8, f32) {
    match paint {
        Paint::Color(colour) => {
            let [red, green, blue, alpha] = colour.to_rgba().to_rgba8();
            (gray([red, green, blue]), f32::from(alpha) / 255.0)
        }
        Paint::Pattern(_) => (0, 1.0),
    }
}

/// Whether a rectangle stays one with level and upright sides.
fn is_upright(transform: Affine) -> bool {
    let [a, b, c, d, ..] = transform.as_coeffs();
    b.abs() + c.abs() < 1e-6 || a.abs() + d.abs() < 1e-6
}

impl<'a> Device<'a> for Sheet {
    fn draw_image(&mut self, image: Image<'a, '_>, props: ImageDrawProps<'a>) {
        let place = Rect::new(0.0, 0.0, image.width().into(), image.height().into());
        let to_sheet = props.transform;
        let shown = to_sheet.transform_rect_bbox(place);
        let (columns, rows) = self.within(shown);
        if columns.is_empty() || rows.is_empty() {
            return;
        }
        // Of some kinds fewer pixels can be decoded.
        let [a, b, c, d, ..] = to_sheet.as_coeffs();
        let pixels = |of: f64, side: u32| pixel_count(of * f64::from(side));
        let target = Some((pixels(a.hypot(b), image.width()), pixels(c.hypot(d), image.height())));
        let scaled = |(x, y): (f32, f32)| to_sheet * Affine::scale_non_uniform(x.into(), y.into());
        match image {
            Image::Stencil(stencil) => stencil.with_stencil(
                |mask, paint| {
                    let (colour, alpha) = paint_of(paint);
                    let LumaData { width, height, scale_factors, .. } = mask;
                    let (pixels, to_sheet) = (Pixels::Plain(colour), scaled(scale_factors));
                    self.alphas.push(self.alpha() * alpha);
                    self.draw(&Drawn { pixels, alpha: Some(&mask), width, height, to_sheet });
                    self.alphas.pop();
                },
                target,
            ),
            Image::Raster(raster) => raster.with_rgba(
                |image, alpha| {
                    let (pixels, width, height, factors) = match &image {
                        ImageData::Luma(of) => (Pixels::Gray(&of.data), of.width, of.height, of.scale_factors),
                        ImageData::Rgb(of) => (Pixels::Rgb(&of.data), of.width, of.height, of.scale_factors),
                    };
                    self.draw(&Drawn { pixels, alpha: alpha.as_ref(), width, height, to_sheet: scaled(factors) });
                },
                target,
            ),
        }
    }

    fn draw_rect(&mut self, rect: &Rect, props: DrawProps<'a>, mode: &DrawMode) {
        let is_filled = matches!(mode, DrawMode::Fill(_) | DrawMode::FillAndStroke(..));
        if is_filled && is_upright(props.transform) && matches!(props.paint, Paint::Color(_)) {
            let (colour, alpha) = paint_of(&props.paint);
            self.fill(props.transform.transform_rect_bbox(*rect), colour, alpha * self.alpha());
        }
    }

    fn push_clip_path(&mut self, clip: &ClipPath) {
        let shown = self.clip().intersect(clip.path.bounding_box());
        self.clips.push(shown);
    }

    fn push_clip_rect(&mut self, rect: &Rect) {
        let shown = self.clip().intersect(*rect);
        self.clips.push(shown);
    }

    fn pop_clip(&mut self) {
        self.clips.pop();
    }

    fn push_transparency_group(&mut self, opacity: f32, _: Option<SoftMask<'a>>, _: BlendMode) {
        self.alphas.push(self.alpha() * opacity);
    }

    fn pop_transparency_group(&mut self) {
        self.alphas.pop();
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}

    fn draw_glyph_run(&mut self, _: &GlyphRun<'_, 'a>, _: DrawProps<'a>, _: &DrawMode) {}
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a side of a picture")]
fn pixel_count(side: f64) -> u32 {
    side.ceil().clamp(1.0, f64::from(u16::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(side: usize) -> Sheet {
        let area = Rect::new(0.0, 0.0, pixels(side), pixels(side));
        Sheet { width: side, luma: vec![255; side * side], clips: vec![area], alphas: vec![1.0] }
    }

    fn pixels(side: usize) -> f64 {
        f64::from(u32::try_from(side).unwrap())
    }

    #[test]
    fn a_picture_stands_where_it_is_put_whichever_way_it_is_turned() {
        let gray = [0, 50, 100, 150];
        for (to_sheet, expected) in [
            (Affine::IDENTITY, [0, 50, 100, 150]),
            (Affine::new([1.0, 0.0, 0.0, -1.0, 0.0, 2.0]), [100, 150, 0, 50]),
            (Affine::new([0.0, 1.0, -1.0, 0.0, 2.0, 0.0]), [100, 0, 150, 50]),
            // Of a picture that is too large only a part is seen, of one that is too small each pixel is several.
            (Affine::scale(2.0), [0; 4]),
            (Affine::translate((1.0, 1.0)), [255, 255, 255, 0]),
        ] {
            let mut sheet = sheet(2);
            sheet.draw(&Drawn { pixels: Pixels::Gray(&gray), alpha: None, width: 2, height: 2, to_sheet });
            assert_eq!(sheet.luma, expected, "{to_sheet:?}");
        }
    }

    #[test]
    fn a_pixel_is_the_mean_of_those_below_it() {
        let side = 64;
        // Every second column is black.
        let striped: Vec<u8> = (0..side * side).flat_map(|at| if at % 2 == 0 { [0; 3] } else { [200; 3] }).collect();
        let (width, height) = (u32::try_from(side).unwrap(), u32::try_from(side).unwrap());
        let drawn = |to_sheet| Drawn { pixels: Pixels::Rgb(&striped), alpha: None, width, height, to_sheet };
        for turned in [Affine::IDENTITY, Affine::new([0.0, 1.0, -1.0, 0.0, 32.0, 0.0])] {
            let mut sheet = sheet(32);
            sheet.draw(&drawn(turned * Affine::scale(0.5)));
            assert!(sheet.luma.iter().all(|pixel| *pixel == 100), "{turned:?}");
        }
    }

    #[test]
    fn masks_groups_and_clips_count() {
        let mask =
            |data: Vec<u8>| LumaData { data, width: 2, height: 1, interpolate: false, scale_factors: (1.0, 1.0) };
        let mut sheet = sheet(2);
        let half = mask(vec![255, 0]);
        let of = |alpha| Drawn { pixels: Pixels::Plain(0), alpha, width: 2, height: 2, to_sheet: Affine::IDENTITY };
        sheet.draw(&of(Some(&half)));
        assert_eq!(sheet.luma, [0, 255, 0, 255]);
        sheet.push_transparency_group(0.5, None, BlendMode::default());
        sheet.push_clip_rect(&Rect::new(0.0, 1.0, 2.0, 2.0));
        sheet.draw(&of(None));
        assert_eq!(sheet.luma, [0, 255, 0, 128], "half black, below the clip alone");
        sheet.pop_clip();
        sheet.pop_transparency_group();
        sheet.fill(Rect::new(0.0, 0.0, 2.0, 1.0), 9, 1.0);
        assert_eq!(sheet.luma, [9, 9, 0, 128]);
    }
}
