//! Pages → a whole document, page by page, in one of the formats that are made from blocks.

use super::chunks::Chunker;
use super::markdown::IMAGES;
use super::{html, text};
use crate::task::{PageView, ResultFormat};

/// Writes pages that are handed over in ascending order: what stands before them, each, and what stands behind them.
///
/// A page that was not read leaves its place in each format.
pub struct PagesWriter {
    form: Form,
    /// Where the files of figures are, as the beginning of a URL.
    images: String,
}

enum Form {
    Html { title: String },
    Text { begun: bool },
    Chunks(Chunker),
}

impl PagesWriter {
    /// A writer for `format`; `None` for Markdown and JSON, which are the results themselves. `title` is that of the
    /// document, `chunk_tokens` about how large a chunk may be.
    #[must_use]
    pub fn new(format: ResultFormat, title: &str, chunk_tokens: u32) -> Option<Self> {
        let form = match format {
            ResultFormat::Markdown | ResultFormat::Json => return None,
            ResultFormat::Html => Form::Html { title: title.to_owned() },
            ResultFormat::Text => Form::Text { begun: false },
            ResultFormat::Chunks => Form::Chunks(Chunker::new(chunk_tokens)),
        };
        Some(Self { form, images: IMAGES.to_owned() })
    }

    /// The same with the files of figures in another folder, named by the beginning of a URL.
    #[must_use]
    pub fn images_in(self, images: impl Into<String>) -> Self {
        Self { images: images.into(), ..self }
    }

    /// What stands before all pages.
    #[must_use]
    pub fn begin(&self) -> String {
        match &self.form {
            Form::Html { title } => format!(
                "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n<title>{}</title>\n</head>\n<body>\n",
                html::escaped(title)
            ),
            Form::Text { .. } | Form::Chunks(_) => String::new(),
        }
    }

    /// One page.
    #[must_use]
    pub fn page(&mut self, view: &PageView) -> String {
        let blocks = view.blocks.as_deref().unwrap_or_default();
        match &mut self.form {
            Form::Html { .. } => {
                let absence = view
                    .absence()
                    .map(|why| format!("<p class=\"missing\">Page {}: {}</p>\n", view.page, html::escaped(&why)));
                // Of a page that was not read its pictures may be there.
                let said = if absence.is_none() || !view.images.is_empty() {
                    html::readable_blocks(blocks, &self.images)
                } else {
                    String::new()
                };
                let said = absence.unwrap_or_default() + &said;
                format!("<section data-page=\"{}\">\n{said}</section>\n", view.page)
            }
            Form::Text { begun } => {
                let said =
                    view.absence().map_or_else(|| text::blocks(blocks), |why| format!("[Page {}: {why}]", view.page));
                match said.as_str() {
                    "" => String::new(),
                    _ if std::mem::replace(begun, true) => format!("\n{said}\n"),
                    _ => format!("{said}\n"),
                }
            }
            Form::Chunks(chunker) => chunker.page(view),
        }
    }

    /// What stands behind all pages.
    #[must_use]
    pub fn end(&mut self) -> String {
        match &mut self.form {
            Form::Html { .. } => "</body>\n</html>\n".to_owned(),
            Form::Text { .. } => String::new(),
            Form::Chunks(chunker) => chunker.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::from_markdown;
    use crate::task::{Failure, Finding, PageFailure, PageStatus};

    fn written(format: ResultFormat) -> String {
        let done = |page, markdown: &str| PageView {
            blocks: Some(from_markdown(markdown).blocks),
            ..PageView::unfinished(page, PageStatus::Done)
        };
        let failure = PageFailure { failure: Failure::permanent("timeout", "x"), attempts: 2 };
        let pages = [
            done(1, "# One\n\ntwo"),
            done(2, ""),
            PageView::failed(3, failure),
            PageView { findings: vec![Finding::no_text_layer()], ..done(4, "") },
            PageView::unfinished(5, PageStatus::Pending),
        ];
        let mut writer = PagesWriter::new(format, "A <b>", 512).unwrap();
        let mut out = writer.begin();
        pages.iter().for_each(|page| out.push_str(&writer.page(page)));
        out + &writer.end()
    }

    #[test]
    fn every_page_leaves_its_place() {
        let expected = "One\n\ntwo\n\n[Page 3: failed: timeout]\n\n[Page 4: not read: no text layer; needs OCR or a model]\n\n[Page 5: pending]\n";
        assert_eq!(written(ResultFormat::Text), expected);
        let html = written(ResultFormat::Html);
        assert!(html.starts_with("<!DOCTYPE html>") && html.contains("<title>A &lt;b&gt;</title>"), "{html}");
        for part in [
            "<section data-page=\"1\">\n<h1>One</h1>\n<p>two</p>\n</section>",
            "<section data-page=\"2\">\n</section>",
            "<p class=\"missing\">Page 3: failed: timeout</p>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(written(ResultFormat::Chunks).lines().count(), 4);
        for format in [ResultFormat::Markdown, ResultFormat::Json] {
            assert!(PagesWriter::new(format, "", 512).is_none());
        }
    }
}
