//! What stands for the renderer, and for pictures as documents, in programs built without the feature `render`: nothing is
//! drawn, and no file is a picture. What is said of a page by its looks is left out then, as where a page has no area.

use std::marker::PhantomData;
use std::sync::Arc;

use hayro_interpret::InterpreterSettings;
use hayro_syntax::Pdf;
use hayro_syntax::page::Page;

use super::image::{FigureImage, ImageOptions, PageImage};
use super::ocr::Gray;
use super::raster::Raster;
use super::text::PictureFragment;
use crate::content::BoundingBox;
use crate::task::Failure;

/// Draws nothing.
#[derive(Default)]
pub(super) struct Renderer<'a>(PhantomData<&'a ()>);

#[allow(clippy::unused_self, reason = "as the one that draws")]
impl<'a> Renderer<'a> {
    pub(super) const fn image(&self, _: &'a Page<'a>, _: &InterpreterSettings, _: &ImageOptions) -> Option<PageImage> {
        None
    }

    pub(super) const fn grays(&self, _: &'a Page<'a>, _: &InterpreterSettings, _: (f32, f32)) -> Option<Raster> {
        None
    }

    pub(super) fn figures(
        &self,
        _: &'a Page<'a>,
        _: &[PictureFragment],
        areas: &[BoundingBox],
        _: &InterpreterSettings,
    ) -> Vec<Option<FigureImage>> {
        vec![None; areas.len()]
    }
}

pub(super) const fn scan<'a>(_: &'a Page<'a>, _: &InterpreterSettings) -> Option<(Gray, f64)> {
    None
}

/// There is no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PictureKind {}

impl PictureKind {
    pub(super) const fn of(_: &[u8]) -> Option<Self> {
        None
    }

    pub(super) const fn media_type(self) -> &'static str {
        match self {}
    }
}

/// There is no such file.
pub(super) enum Picture {}

impl Picture {
    pub(super) fn open(kind: PictureKind, _: Arc<dyn AsRef<[u8]> + Send + Sync>) -> Result<Self, Failure> {
        match kind {}
    }

    pub(super) fn skeleton(&self) -> Vec<u8> {
        match *self {}
    }

    pub(super) fn page(&self, _: u32) -> Result<(&Page<'_>, &Pdf), Failure> {
        match *self {}
    }

    pub(super) fn dpi(&self, _: u32) -> f32 {
        match *self {}
    }

    pub(super) fn as_it_is(&self, _: u32, _: &ImageOptions) -> Option<PageImage> {
        match *self {}
    }
}
