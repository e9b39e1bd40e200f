//! Joins page outputs, in page order, into the result. Pure: it is handed pages and writes text.
//!
//! Pages are joined by their number and never by the order or count of answers, so the result of any run is
//! byte-equal to that of a sequential one (invariant I3). What a page cannot know of its document is added here: which
//! headers it repeats (`margins`), and which titles the outline has (`headings`); and what it says that looks like
//! a mark of the result is kept from being one (`marks`).

mod headings;
mod margins;
mod marks;
mod page_numbers;
mod seams;

use std::borrow::Cow;
use std::io::{self, Write};

use memchr::memmem;

pub use self::headings::Headings;
pub use self::margins::{RepeatedMargins, SeenMargins};
use self::marks::without_marks;
pub use self::seams::join_seam;
use crate::output::markdown;
pub use crate::output::markdown::Forms;
use crate::task::{PageImageView, PageOutput, PageView, TaskOptions};

/// A page that is read, with what it says as Markdown, tables and figures in these forms, as blocks, and with the files of
/// its figures.
#[must_use]
pub fn page_view(page: u32, mut output: PageOutput, forms: Forms) -> PageView {
    let markdown = markdown::page_with(&output.content, forms);
    let mut blocks = output.content.take_blocks_by_fractions();
    let images = PageImageView::of_page(page, &mut blocks, &output.content.images);
    PageView { markdown: Some(markdown), blocks: Some(blocks), images, ..PageView::done(page, output) }
}

/// Writes the Markdown of pages that are handed over in ascending order.
pub struct MarkdownWriter<'a, W> {
    out: W,
    options: &'a TaskOptions,
    begun: bool,
}

impl<'a, W: Write> MarkdownWriter<'a, W> {
    /// Writes to `out` with the separators of `options`.
    pub const fn new(out: W, options: &'a TaskOptions) -> Self {
        Self { out, options, begun: false }
    }

    /// Goes on behind pages that another writer wrote, so that the first page here is set off from them.
    #[must_use]
    pub fn continued(self) -> Self {
        Self { begun: true, ..self }
    }

    /// Writes what stands before all pages.
    ///
    /// # Errors
    /// When the write fails.
    pub fn front_matter(&mut self, front_matter: &str) -> io::Result<()> {
        self.begun = true;
        writeln!(self.out, "{front_matter}")
    }

    /// Writes one page: its separator, a blank line, and its text or a marker that says why there is none.
    ///
    /// # Errors
    /// When the write fails.
    pub fn page(&mut self, page: &PageView) -> io::Result<()> {
        let absence = page.absence().map(|why| format!("<!-- page {}: {why} -->", page.page));
        // Of a page that was not read its pictures may be there.
        let body = if absence.is_none() || !page.images.is_empty() {
            let template = self.options.page_separator.as_deref().unwrap_or(TaskOptions::DEFAULT_SEPARATOR);
            without_marks(page.markdown.as_deref().unwrap_or_default().trim(), template)
        } else {
            Cow::default()
        };
        let separator = self.options.separator(page.page).unwrap_or_default();
        for part in [separator.as_str(), absence.as_deref().unwrap_or_default(), &body] {
            if !part.is_empty() {
                let gap = if std::mem::replace(&mut self.begun, true) { "\n" } else { "" };
                writeln!(self.out, "{gap}{part}")?;
            }
        }
        Ok(())
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

/// Writes pages as a JSON array with one page a line, so that a reader can take single pages from it.
pub struct JsonWriter<W> {
    out: W,
    begun: bool,
    /// The line of a page: many small parts are put together faster here than in what they are written to.
    line: Vec<u8>,
}

impl<W: Write> JsonWriter<W> {
    /// Begins the array.
    pub const fn new(out: W) -> Self {
        Self { out, begun: false, line: Vec::new() }
    }

    /// Writes one page.
    ///
    /// # Errors
    /// When the write fails.
    pub fn page(&mut self, page: &PageView) -> io::Result<()> {
        let before: &[u8] = if std::mem::replace(&mut self.begun, true) { b",\n" } else { b"[\n" };
        self.line.clear();
        self.line.extend_from_slice(before);
        serde_json::to_writer(&mut self.line, page)?;
        self.out.write_all(&self.line)
    }

    /// Ends the array.
    ///
    /// # Errors
    /// When the write fails.
    pub fn finish(mut self) -> io::Result<W> {
        let end: &[u8] = if self.begun { b"\n]\n" } else { b"[]\n" };
        self.out.write_all(end)?;
        Ok(self.out)
    }
}

/// Reads one line of what `JsonWriter` wrote, if it is a page and not before page `from`. Lines that only open or
/// close the array are none.
#[must_use]
pub fn page_of_line(line: &str, from: u32) -> Option<PageView> {
    // The page number comes first, so pages before the window cost no parsing.
    let number = line.strip_prefix("{\"page\":")?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    if number[..digits].parse::<u32>().ok()? < from {
        return None;
    }
    serde_json::from_str(line.trim_end().trim_end_matches(',')).ok()
}

/// The same without the page's blocks, which are most of the line: they are not decoded.
#[must_use]
pub fn page_of_line_without_blocks(line: &str, from: u32) -> Option<PageView> {
    let lean = without_blocks(line).map_or(Cow::Borrowed(line), Cow::Owned);
    page_of_line(&lean, from).map(|page| PageView { blocks: None, ..page })
}

/// A page's JSON without its member `blocks`; `None` when it is not found where it is usually. What stands in strings is never
/// taken for a member: a quote in them is escaped. In blocks and in what stands behind them no member has one of these names.
fn without_blocks(line: &str) -> Option<String> {
    let begin = memmem::find(line.as_bytes(), b",\"blocks\":[")?;
    // What follows is short, but for the files of figures.
    let end = memmem::rfind(line.as_bytes(), b",\"processor\":")?;
    let near = |end: usize| line.as_bytes().get(end.saturating_sub(LONGEST_SIZE)..end);
    let end = match near(end).and_then(|near| Some(near.len() - memmem::rfind(near, b",\"size\":[")?)) {
        Some(length) => end - length,
        None => end,
    };
    let before = line.get(begin..end)?;
    let end = if before.ends_with(IMAGES_END[0]) || before.ends_with(IMAGES_END[1]) {
        begin + memmem::find(before.as_bytes(), b"],\"images\":[")? + 1
    } else {
        end
    };
    // An error stands there, too, but pages with one have no blocks.
    line[..end].ends_with(']').then(|| [&line[..begin], &line[end..]].concat())
}

/// The most bytes of the member `size`.
const LONGEST_SIZE: usize = 48;
/// How the member `images` ends: with the last member of its last element.
const IMAGES_END: [&str; 2] = ["\"mime\":\"image/png\"}]", "\"mime\":\"image/jpeg\"}]"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{Block, BlockKind, BoundingBox, Edge, Figure, FigureFile, Inline, PageContent, from_markdown};
    use crate::task::{Failure, Finding, FindingCode, ImageKind, ImageName, PageChecks, PageFailure, PageStatus};

    fn views() -> Vec<PageView> {
        let done = |markdown: &str| PageOutput { content: from_markdown(markdown), ..PageOutput::default() };
        let failed = |code| PageFailure { failure: Failure::permanent(code, "x"), attempts: 2 };
        vec![
            page_view(1, done("\n# One \n"), Forms::default()),
            page_view(2, done(""), Forms::default()),
            PageView::failed(3, failed("timeout")),
            page_view(
                4,
                PageOutput { findings: vec![Finding::no_text_layer()], ..PageOutput::default() },
                Forms::default(),
            ),
            PageView::failed(5, failed("my-->code")),
            PageView::unfinished(6, PageStatus::Processing),
        ]
    }

    fn markdown(options: &TaskOptions) -> String {
        let mut writer = MarkdownWriter::new(Vec::new(), options);
        views().iter().for_each(|view| writer.page(view).unwrap());
        String::from_utf8(writer.into_inner()).unwrap()
    }

    #[test]
    fn every_page_leaves_its_place() {
        let expected = "<!-- page 1 -->\n\n# One\n\n<!-- page 2 -->\n\n<!-- page 3 -->\n\n<!-- page 3: failed: timeout -->\n\n\
            <!-- page 4 -->\n\n<!-- page 4: not read: no text layer; needs OCR or a model -->\n\n<!-- page 5 -->\n\n<!-- page 5: failed: mycode -->\n\n<!-- page 6 -->\n\n<!-- page 6: pending -->\n";
        assert_eq!(markdown(&TaskOptions::default()), expected);
    }

    #[test]
    fn without_separators_pages_are_paragraphs() {
        let options = TaskOptions { page_separator: Some(String::new()), ..TaskOptions::default() };
        let expected = "# One\n\n<!-- page 3: failed: timeout -->\n\n\
            <!-- page 4: not read: no text layer; needs OCR or a model -->\n\n<!-- page 5: failed: mycode -->\n\n\
            <!-- page 6: pending -->\n";
        assert_eq!(markdown(&options), expected);
    }

    #[test]
    fn json_is_one_array_and_one_page_a_line() {
        let mut writer = JsonWriter::new(Vec::new());
        views().iter().for_each(|view| writer.page(view).unwrap());
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert_eq!(serde_json::from_str::<Vec<PageView>>(&text).unwrap(), views());
        assert_eq!(text.lines().filter_map(|line| page_of_line(line, 1)).collect::<Vec<_>>(), views());
        assert_eq!(text.lines().filter_map(|line| page_of_line(line, 3)).count(), 4);
        assert_eq!(JsonWriter::new(Vec::new()).finish().unwrap(), b"[]\n");
    }

    /// Pages of every kind of block whose texts look like the members that are looked for.
    fn confusing_views() -> Vec<PageView> {
        let said = r#"],"images":[{"mime":"image/png"}] ,"blocks":[ ],"size":[1.0,2.0],"processor":"x",\","error":{"#;
        let table = format!("<table><tr><td rowspan=\"2\">{said}</td><td>b</td></tr><tr><td>c</td></tr></table>");
        let markdown =
            format!("# {said}\n\n{said}\n\n- {said}\n  1. {said}\n\n```\n{said}\n```\n\n$$\n{said}\n$$\n\n{table}");
        let mut views = Vec::new();
        for (size, files) in [(None, 0), (Some([595.3, 841.0]), 0), (None, 1), (Some([1e9, 0.1]), 2)] {
            let mut content = PageContent { markdown: None, size, ..from_markdown(markdown.as_str()) };
            let name = |number: usize| {
                let kind = if number == 0 { ImageKind::Png } else { ImageKind::Jpeg };
                ImageName::of(&[u8::try_from(number).unwrap()], kind)
            };
            content.images =
                (0..files).map(|number| FigureFile { name: name(number), width: 1, height: 2, bytes: 3 }).collect();
            let image = content.images.last().map(|file| file.name.clone());
            let figure = BlockKind::Figure(Figure { image, caption: Inline::plain(said) });
            content.blocks.push(Block::new(figure, Some(BoundingBox::from([1.0, 2.0, 3.0, 4.0]))));
            let margin =
                BlockKind::Margin { repeated: true, edge: Edge::Top, level: Some(2), text: Inline::plain(said) };
            content.blocks.push(Block::new(margin, None));
            let findings = vec![Finding::new(FindingCode::MarginRemoved, said)];
            let checks = PageChecks { removed: vec![said.to_owned()], ..PageChecks::default() };
            let output = PageOutput { findings, checks: Some(checks), ..PageOutput::new(said, content) };
            let view = page_view(7, output, Forms::default());
            assert_eq!(view.images.is_empty(), files == 0, "{view:?}");
            views.push(PageView { error: Some(Failure::permanent("x", said)), ..view.clone() });
            views.push(PageView { blocks: Some(Vec::new()), ..view.clone() });
            views.push(view);
        }
        views
    }

    #[test]
    fn a_page_without_its_blocks_is_the_same_but_for_them() {
        let (confusing, plain) = (confusing_views(), views());
        for view in confusing.into_iter().chain(plain) {
            let line = serde_json::to_string(&view).unwrap();
            // Boxes are rounded there.
            let expected = page_of_line(&line, 1).map(|page| PageView { blocks: None, ..page });
            assert_eq!(expected.as_ref().map(|page| page.images.len()), Some(view.images.len()), "{line}");
            for line in [line.clone(), format!("{line},"), format!("{line}\n")] {
                assert_eq!(page_of_line_without_blocks(&line, 1), expected, "{line}");
            }
            let is_cut = view.blocks.is_some() && view.error.is_none();
            let lean = without_blocks(&line);
            assert_eq!(lean.is_some_and(|lean| !lean.contains("\"blocks\":")), is_cut, "{line}");
        }
    }
}
