//! Files of the figures that a text layer has.

use crate::content::{BoundingBox, FigureFile, PageContent};
use crate::document::PageReader;
use crate::task::{Failure, FigureForm, Finding, FindingCode, ImageBytes, ImageName, TaskOptions};

/// Gives the figures of a page their files, where the task wants these; and says of which there are none.
///
/// # Errors
/// One that may pass. What keeps a figure from being drawn for good leaves it without a file.
pub(super) fn extract(
    reader: &mut PageReader<'_>,
    page: u32,
    content: &mut PageContent,
    options: &TaskOptions,
) -> Result<(Vec<ImageBytes>, Option<Finding>), Failure> {
    let mut areas: Vec<BoundingBox> = Vec::new();
    content.each_figure(|_, bbox| areas.extend(bbox));
    if options.images != Some(FigureForm::Extract) || areas.is_empty() {
        return Ok((Vec::new(), None));
    }
    let drawn = match reader.figures(page, &areas) {
        Err(why) if why.retryable => return Err(why),
        drawn => drawn,
    };
    let missing = |count: usize, why: &str| {
        let detail = format!("{count} of {} figures have no file: {why}", areas.len());
        (count > 0).then(|| Finding::new(FindingCode::FiguresLeftOut, detail))
    };
    let drawn = match drawn {
        Ok(drawn) => drawn,
        Err(why) => return Ok((Vec::new(), missing(areas.len(), &why.message))),
    };
    let finding =
        missing(drawn.iter().filter(|image| image.is_none()).count(), "they cannot be drawn, or are too large");
    let (mut drawn, mut files) = (drawn.into_iter(), Vec::<ImageBytes>::new());
    let images = &mut Vec::<FigureFile>::new();
    content.each_figure(|figure, bbox| {
        let Some(image) = bbox.and_then(|_| drawn.next()).flatten() else { return };
        let name = ImageName::of(&image.bytes, image.kind);
        figure.image = Some(name.clone());
        if files.iter().all(|file| file.name != name) {
            let (width, height, bytes) = (image.width, image.height, image.bytes.len() as u64);
            images.push(FigureFile { name: name.clone(), width, height, bytes });
            files.push(ImageBytes { name, bytes: image.bytes.into() });
        }
    });
    content.images = std::mem::take(images);
    Ok((files, finding))
}
