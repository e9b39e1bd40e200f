//! The pictures of figures, as files: the JPEG that the file has, where that shows just the figure; else the figure as it looks
//! on its page, with all that is drawn on it, in the resolution of its picture.

use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{RenderCache, RenderSettings, render_into};
use hayro_interpret::kurbo::{Affine, Rect};
use hayro_interpret::{InterpreterSettings, TransformExt};
use hayro_syntax::object::Stream;
use hayro_syntax::page::Page;

use super::encode::encode_figure;
use super::image::FigureImage;
use super::picture::plain_jpeg;
use super::text::PictureFragment;
use crate::content::BoundingBox;
use crate::task::ImageKind;

/// The most bytes of all figures of a page; what is beyond has no file. A figure for whose JPEG there is no room is drawn.
pub const MOST_FIGURE_BYTES: usize = 16 << 20;
/// How fine figures are drawn at least, where something is drawn on their picture, and at most, pixels a point.
const COARSEST: f64 = 1.0;
const LABELLED: f64 = 150.0 / 72.0;
const FINEST: f64 = 300.0 / 72.0;
/// The most pixels of the longer side of one that is drawn.
const LONGEST: f64 = 4_096.0;
/// So few are drawn each by itself; of more those together whose scales are rounded up to one of these, at most so many pixels.
const FEW: usize = 3;
const SCALES: [f64; 4] = [COARSEST, 100.0 / 72.0, LABELLED, 200.0 / 72.0];
const MOST_PIXELS: f64 = 25e6;
/// A picture is a whole figure when no edge is farther from the figure's than this, points.
const NEAR: f64 = 1.0;

/// The pictures of what `areas` of a page show, in their order; `None` for those that cannot be had. `pieces` are the pictures
/// that it draws.
pub(super) fn figures<'a>(
    page: &'a Page<'a>,
    pieces: &[PictureFragment],
    areas: &[BoundingBox],
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
) -> Vec<Option<FigureImage>> {
    let mut made: Vec<Option<FigureImage>> = vec![None; areas.len()];
    let mut drawings = Vec::new();
    for (at, area) in areas.iter().enumerate() {
        let [x0, y0, x1, y1] = <[f32; 4]>::from(*area).map(f64::from);
        let area = Rect::new(x0, y0, x1, y1);
        let within: Vec<&PictureFragment> = pieces.iter().filter(|piece| area.contains(piece.area.center())).collect();
        made[at] = jpeg(page, &within, area).filter(|image| image.bytes.len() <= MOST_FIGURE_BYTES / 2);
        if made[at].is_none() && area.is_finite() && area.width() > 0.0 && area.height() > 0.0 {
            drawings.push(Drawing { at, area, scale: scale(&within, area) });
        }
    }
    for sheet in sheets(drawings) {
        let (around, scale) = (sheet.around(), sheet.drawings[0].scale);
        let pixmap = draw(page, around, scale, cache, settings);
        for Drawing { at, area, .. } in sheet.drawings {
            made[at] = cut(&pixmap, area - around.origin().to_vec2(), scale);
        }
    }
    let mut room = MOST_FIGURE_BYTES;
    for image in &mut made {
        let bytes = image.as_ref().map_or(0, |image| image.bytes.len());
        match room.checked_sub(bytes) {
            Some(left) => room = left,
            None => *image = None,
        }
    }
    made
}

/// A figure that is to be drawn.
struct Drawing {
    /// Which one.
    at: usize,
    area: Rect,
    /// Pixels a point.
    scale: f64,
}

/// Drawings that are made in one go, in one scale.
struct Sheet {
    drawings: Vec<Drawing>,
}

impl Sheet {
    fn around(&self) -> Rect {
        self.drawings.iter().map(|drawing| drawing.area).reduce(|all, area| all.union(area)).unwrap_or_default()
    }

    fn pixels(&self) -> f64 {
        let around = self.around();
        self.drawings.first().map_or(0.0, |drawing| around.area() * drawing.scale * drawing.scale)
    }
}

/// To draw a page takes long whatever part of it is wanted. So few figures are drawn each by itself, in its own scale; of more
/// those of about one scale together.
fn sheets(mut drawings: Vec<Drawing>) -> Vec<Sheet> {
    if drawings.len() <= FEW {
        return drawings.into_iter().map(|drawing| Sheet { drawings: vec![drawing] }).collect();
    }
    for drawing in &mut drawings {
        let coarse = SCALES.into_iter().find(|scale| *scale >= drawing.scale).unwrap_or(FINEST);
        drawing.scale = coarse.min(limit(drawing.area));
    }
    drawings.sort_by(|a, b| a.scale.total_cmp(&b.scale));
    let mut sheets: Vec<Sheet> = Vec::new();
    for drawing in drawings {
        match sheets.last_mut() {
            Some(sheet) if (sheet.drawings[0].scale - drawing.scale).abs() < 1e-6 => {
                sheet.drawings.push(drawing);
                let longer = sheet.around().width().max(sheet.around().height());
                if sheet.pixels() > MOST_PIXELS || longer * sheet.drawings[0].scale > f64::from(u16::MAX) {
                    let last = sheet.drawings.pop();
                    sheets.extend(last.map(|last| Sheet { drawings: vec![last] }));
                }
            }
            _ => sheets.push(Sheet { drawings: vec![drawing] }),
        }
    }
    sheets
}

/// Pixels a point: those of its pictures, within limits.
fn scale(within: &[&PictureFragment], area: Rect) -> f64 {
    let coarsest = if within.iter().any(|piece| piece.overdrawn) { LABELLED } else { COARSEST };
    let density = within.iter().map(|piece| piece.density).fold(coarsest, f64::max);
    density.min(FINEST).min(limit(area))
}

fn limit(area: Rect) -> f64 {
    LONGEST / area.width().max(area.height())
}

/// The JPEG that is the figure.
fn jpeg(page: &Page<'_>, within: &[&PictureFragment], area: Rect) -> Option<FigureImage> {
    let [piece] = within else { return None };
    let sides = |area: Rect| [area.x0, area.y0, area.x1, area.y1];
    let is_all = sides(piece.area).iter().zip(sides(area)).all(|(a, b)| (a - b).abs() <= NEAR);
    let id = piece.jpeg.filter(|_| is_all && !piece.overdrawn)?;
    let stream = page.xref().get::<Stream<'_>>(id)?;
    let bytes = stream.raw_data();
    let (width, height) = plain_jpeg(&bytes)?;
    Some(FigureImage { kind: ImageKind::Jpeg, width, height, bytes: bytes.into_owned() })
}

/// A part of the page in some scale, on white.
fn draw<'a>(
    page: &'a Page<'a>,
    area: Rect,
    scale: f64,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
) -> Pixmap {
    let (width, height) = (pixels(area.width() * scale), pixels(area.height() * scale));
    let transform =
        Affine::scale(scale) * Affine::translate((-area.x0, -area.y0)) * page.initial_transform(true).to_kurbo();
    let mut context = RenderContext::new(width, height);
    render_into(page, cache, settings, &RenderSettings::default(), &mut context, transform);
    context.flush();
    let mut pixmap = Pixmap::new(width, height);
    let rasterizer = RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..RasterizerSettings::default() };
    context.render_with(&mut pixmap, &mut Resources::default(), rasterizer);
    pixmap
}

/// A part of what was drawn, as a file.
fn cut(pixmap: &Pixmap, area: Rect, scale: f64) -> Option<FigureImage> {
    let across = |at: f64, most: u16| pixels_from(at * scale).min(most);
    let (left, top) = (across(area.x0, pixmap.width()), across(area.y0, pixmap.height()));
    let width = pixels(area.width() * scale).min(pixmap.width() - left);
    let height = pixels(area.height() * scale).min(pixmap.height() - top);
    let row = usize::from(pixmap.width()) * 4;
    let rows = pixmap.data_as_u8_slice().chunks_exact(row).skip(top.into()).take(height.into());
    let rgba: Vec<u8> = rows.flat_map(|row| &row[usize::from(left) * 4..][..usize::from(width) * 4]).copied().collect();
    let (kind, bytes) = encode_figure(&rgba, width, height)?;
    Some(FigureImage { kind, width: width.into(), height: height.into(), bytes })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "limited")]
fn pixels_from(at: f64) -> u16 {
    at.round().clamp(0.0, f64::from(u16::MAX)) as u16
}

fn pixels(side: f64) -> u16 {
    pixels_from(side).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_figures_are_drawn_by_themselves_and_many_of_a_scale_together() {
        let drawing = |at: u32, scale: f64| {
            let y = f64::from(at) * 60.0;
            Drawing { at: at as usize, area: Rect::new(50.0, y, 150.0, y + 50.0), scale }
        };
        let of = |scales: &[f64]| -> Vec<(Vec<usize>, f64)> {
            let drawings = (0..).zip(scales).map(|(at, scale)| drawing(at, *scale)).collect();
            let sheets = sheets(drawings).into_iter();
            sheets.map(|sheet| (sheet.drawings.iter().map(|one| one.at).collect(), sheet.drawings[0].scale)).collect()
        };
        assert_eq!(of(&[1.3, 2.0, 1.3]), [(vec![0], 1.3), (vec![1], 2.0), (vec![2], 1.3)]);
        let (fine, finest) = (150.0 / 72.0, FINEST);
        assert_eq!(of(&[1.9, 4.0, 2.0, 1.0, 3.9]), [(vec![3], 1.0), (vec![0, 2], fine), (vec![1, 4], finest)]);
        // Far from each other on a very large page not all of them.
        let apart: Vec<Drawing> = (0..4)
            .map(|at| Drawing { area: drawing(at, 4.0).area.scale_from_origin(20.0), ..drawing(at, 2.0) })
            .collect();
        assert_eq!(sheets(apart).len(), 2);
    }
}
