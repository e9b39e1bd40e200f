//! Pages drawn by hayro's renderer.

use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::vello_cpu::kurbo::Affine;
use hayro::vello_cpu::{Pixmap, RasterizerSettings, RenderContext, Resources, TargetInit};
use hayro::{PixmapSettings, RenderCache, RenderSettings, render, render_into};
use hayro_interpret::{InterpreterSettings, TransformExt};
use hayro_syntax::page::Page;

use super::encode::encode;
use super::figures;
use super::image::{FigureImage, ImageOptions, PageImage};
use super::ocr::Gray;
use super::raster::{Raster, gray};
use super::text::PictureFragment;
use crate::content::BoundingBox;

/// How often a picture is made smaller before it is given as it is.
const SHRINKS: usize = 4;

/// Draws pages of one file; what it has parsed of them, such as fonts, it keeps.
pub(super) struct Renderer<'a>(RenderCache<'a>);

impl Default for Renderer<'_> {
    fn default() -> Self {
        Self(RenderCache::new())
    }
}

impl<'a> Renderer<'a> {
    /// The page in its crop box, upright. `None` when it has no area.
    pub(super) fn image(
        &self,
        page: &'a Page<'a>,
        settings: &InterpreterSettings,
        options: &ImageOptions,
    ) -> Option<PageImage> {
        image(page, &self.0, settings, options)
    }

    /// The page in grays, at so many pixels a point across and down.
    #[allow(clippy::unnecessary_wraps, reason = "there is none where nothing is drawn")]
    pub(super) fn grays(
        &self,
        page: &'a Page<'a>,
        settings: &InterpreterSettings,
        (x_scale, y_scale): (f32, f32),
    ) -> Option<Raster> {
        let pixels = PixmapSettings { x_scale, y_scale, bg_color: WHITE };
        let pixmap = render(page, &self.0, settings, &RenderSettings::default(), &pixels);
        Some(Raster::new(pixmap.width().into(), f64::from(x_scale.min(y_scale)), luma(&pixmap)))
    }

    /// The pictures of what `areas` of a page show, in their order; `None` for those that cannot be had. `pieces` are the
    /// pictures that it draws.
    pub(super) fn figures(
        &self,
        page: &'a Page<'a>,
        pieces: &[PictureFragment],
        areas: &[BoundingBox],
        settings: &InterpreterSettings,
    ) -> Vec<Option<FigureImage>> {
        figures::figures(page, pieces, areas, &self.0, settings)
    }
}

fn image<'a>(
    page: &'a Page<'a>,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
    options: &ImageOptions,
) -> Option<PageImage> {
    let whole = page.render_dimensions();
    let shown = |length: f32, across: bool| {
        let part = options.part.filter(|part| part.across == across).map_or((0.0, 1.0), |part| (part.from, part.to));
        (length * part.0.clamp(0.0, 1.0), length * (part.1.min(1.0) - part.0.max(0.0)))
    };
    let ((left, width), (top, height)) = (shown(whole.0, true), shown(whole.1, false));
    let longer = width.max(height);
    if !(longer.is_finite() && width > 0.0 && height > 0.0) {
        return None;
    }
    #[allow(clippy::cast_precision_loss, reason = "at most 8192")]
    let most = options.longest_side.clamp(16, 8_192) as f32 / longer;
    let mut scale = (options.dpi.clamp(1.0, 600.0) / 72.0).min(most);
    let most_bytes = options.max_bytes.max(4_096);
    let mut made = None;
    for _ in 0..=SHRINKS {
        // A side of less than one pixel would be none.
        let (x_scale, y_scale) = (scale.max(1.01 / width), scale.max(1.01 / height));
        let pixmap = match options.part {
            None => {
                let pixels = PixmapSettings { x_scale, y_scale, bg_color: WHITE };
                render(page, cache, settings, &RenderSettings::default(), &pixels)
            }
            Some(_) => part(page, cache, settings, (x_scale, y_scale), (left, top), (width, height)),
        };
        let encoded = encode(&pixmap, scale.into())?;
        let size = encoded.bytes.len();
        made = Some(encoded);
        if size <= most_bytes {
            break;
        }
        #[allow(clippy::cast_precision_loss, reason = "a ratio")]
        let ratio = (most_bytes as f32 / size as f32).sqrt();
        scale *= ratio.min(0.9) * 0.95;
    }
    made
}

/// Renders the part of a page that is so wide and high and begins so far from its left and upper edges, points.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most 8192 pixels a side")]
fn part<'a>(
    page: &'a Page<'a>,
    cache: &RenderCache<'a>,
    settings: &InterpreterSettings,
    (x_scale, y_scale): (f32, f32),
    (left, top): (f32, f32),
    (width, height): (f32, f32),
) -> Pixmap {
    let mut context = RenderContext::new((width * x_scale) as u16, (height * y_scale) as u16);
    let transform = Affine::translate((f64::from(-left * x_scale), f64::from(-top * y_scale)))
        * Affine::scale_non_uniform(x_scale.into(), y_scale.into())
        * page.initial_transform(true).to_kurbo();
    render_into(page, cache, settings, &RenderSettings::default(), &mut context, transform);
    context.flush();
    let mut pixmap = Pixmap::new(context.width(), context.height());
    let white = RasterizerSettings { target_init: TargetInit::Clear(WHITE), ..RasterizerSettings::default() };
    context.render_with(&mut pixmap, &mut Resources::default(), white);
    pixmap
}

/// How fine a picture is that text is recognised on, pixels an inch, and how many it has at most.
const SCAN: (f32, f32) = (300.0, 24e6);

/// The page in grays, as text is recognised on it, and how many pixels a point takes. `None` when it has no area.
pub(super) fn scan<'a>(page: &'a Page<'a>, settings: &InterpreterSettings) -> Option<(Gray, f64)> {
    let (width, height) = page.render_dimensions();
    if !(width.is_finite() && height.is_finite() && width > 0.0 && height > 0.0) {
        return None;
    }
    let most = (SCAN.1 / (width * height)).sqrt().min(f32::from(u16::MAX) / width.max(height));
    let scale = (SCAN.0 / 72.0).min(most);
    let (x_scale, y_scale) = (scale.max(1.01 / width), scale.max(1.01 / height));
    let pixels = PixmapSettings { x_scale, y_scale, bg_color: WHITE };
    // A cache would keep the scan, which is looked at once.
    let pixmap = render(page, &RenderCache::new(), settings, &RenderSettings::default(), &pixels);
    Some((Gray::new(pixmap.width().into(), luma(&pixmap)), f64::from(scale)))
}

/// How bright each pixel is.
pub(super) fn luma(pixmap: &Pixmap) -> Vec<u8> {
    pixmap
        .data_as_u8_slice()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|[red, green, blue, _]| gray([*red, *green, *blue]))
        .collect()
}
