//! One page's glyphs → lines → simple Markdown.
//!
//! Glyphs come in the order in which the page draws them, which for text made by typesetting is reading order, columns
//! included. A line ends where the baseline moves or the pen jumps back; a paragraph ends at a gap, a jump up (the next
//! column) or a change of size; a short paragraph in letters clearly larger than the page's body text is a heading.

use hayro_interpret::font::{Glyph, GlyphRun};
use hayro_interpret::hayro_cmap::BfString;
use hayro_interpret::kurbo::{Affine, BezPath, Point, Rect};
use hayro_interpret::{
    BlendMode, ClipPath, Context, Device, DrawMode, DrawProps, Image, ImageDrawProps, InterpreterCache,
    InterpreterSettings, SoftMask, TransformExt, interpret_page,
};
use hayro_syntax::page::Page;
use hayro_syntax::xref::XRef;

/// The Markdown of one page; empty when it shows no text.
pub(super) fn markdown<'a>(
    page: &Page<'a>,
    xref: &'a XRef,
    settings: &InterpreterSettings,
    fonts: &InterpreterCache<'a>,
) -> String {
    let (width, height) = page.render_dimensions();
    let view = Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
    let upright = page.initial_transform(true).to_kurbo();
    let mut context = Context::new(upright, view, fonts, xref, settings.clone());
    let mut collector = LineCollector::default();
    interpret_page(page, &mut context, &mut collector);
    write_markdown(&collector.finish())
}

/// One line of text; lengths in points, y grows downwards on the upright page.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    text: String,
    /// Where it starts, along the direction of writing.
    start: f64,
    /// Where its last glyph ends.
    end: f64,
    /// Its baseline, across the direction of writing.
    baseline: f64,
    /// Font size on the page.
    size: f64,
    /// Unit vector of writing.
    direction: (f64, f64),
}

#[derive(Default)]
struct LineCollector {
    lines: Vec<Line>,
}

impl LineCollector {
    fn add(&mut self, glyph: &Glyph<'_>, to_page: Affine) {
        let text = match glyph.as_unicode() {
            Some(BfString::Char(c)) => c.to_string(),
            Some(BfString::String(text)) => text,
            None => char::REPLACEMENT_CHARACTER.to_string(),
        };
        let text: String = text.chars().filter(|c| !c.is_control()).collect();
        // Glyph space is a thousandth of text space (PDF 32000-1, 9.2.4).
        let origin = to_page * Point::ZERO;
        let along = to_page * Point::new(1000.0, 0.0) - origin;
        let up = to_page * Point::new(0.0, 1000.0) - origin;
        let (reach, size) = (along.hypot(), up.hypot());
        if text.is_empty() || !(reach > 0.0 && size > 0.0 && reach.is_finite() && size.is_finite()) {
            return;
        }
        let direction = (along.x / reach, along.y / reach);
        let start = origin.x * direction.0 + origin.y * direction.1;
        let baseline = origin.y * direction.0 - origin.x * direction.1;
        let advance = match glyph {
            Glyph::Outline(outline) => outline.advance_width(),
            Glyph::Type3(type3) => type3.advance_width(),
        };
        let end = start + f64::from(advance.unwrap_or(500.0)) / 1000.0 * reach;
        match self.lines.last_mut() {
            Some(line) if line.goes_on(start, baseline, size, direction) => {
                let gap = start - line.end;
                if gap > size * 0.18 && !line.text.ends_with(' ') && !text.starts_with(' ') {
                    line.text.push(' ');
                }
                line.text.push_str(&text);
                line.end = end;
            }
            _ if text.trim().is_empty() => {}
            _ => self.lines.push(Line { text, start, end, baseline, size, direction }),
        }
    }

    fn finish(self) -> Vec<Line> {
        let tidy = |mut line: Line| {
            line.text = line.text.split_whitespace().collect::<Vec<_>>().join(" ");
            line
        };
        self.lines.into_iter().map(tidy).filter(|line| !line.text.is_empty()).collect()
    }
}

impl Line {
    /// Whether a glyph that starts here belongs to this line. A smaller or raised glyph (an index, a mark) does.
    fn goes_on(&self, start: f64, baseline: f64, size: f64, direction: (f64, f64)) -> bool {
        let larger = self.size.max(size);
        let same_way = self.direction.0 * direction.0 + self.direction.1 * direction.1 > 0.99;
        let same_line = (baseline - self.baseline).abs() < larger * 0.45;
        let gap = start - self.end;
        same_way && same_line && gap > -larger * 1.5 && gap < larger * 3.0 && start > self.start - larger * 0.5
    }
}

impl<'a> Device<'a> for LineCollector {
    fn draw_glyph_run(&mut self, run: &GlyphRun<'_, 'a>, props: DrawProps<'a>, _: &DrawMode) {
        for glyph in run.glyphs() {
            self.add(glyph, props.transform * glyph.transform());
        }
    }

    fn draw_path(&mut self, _: &BezPath, _: DrawProps<'a>, _: &DrawMode) {}
    fn push_clip_path(&mut self, _: &ClipPath) {}
    fn push_transparency_group(&mut self, _: f32, _: Option<SoftMask<'a>>, _: BlendMode) {}
    fn draw_image(&mut self, _: Image<'a, '_>, _: ImageDrawProps<'a>) {}
    fn pop_clip(&mut self) {}
    fn pop_transparency_group(&mut self) {}
}

/// A heading is at most this long; longer large text is an introduction, not a title.
const HEADING_CHARS: usize = 160;

fn write_markdown(lines: &[Line]) -> String {
    let body = body_size(lines);
    let mut blocks: Vec<String> = Vec::new();
    for paragraph in lines.chunk_by(continues_paragraph) {
        let text = join_lines(paragraph);
        let heading = match paragraph[0].size / body {
            ratio if text.chars().count() > HEADING_CHARS || ratio < 1.15 => "",
            ratio if ratio >= 1.7 => "# ",
            ratio if ratio >= 1.35 => "## ",
            _ => "### ",
        };
        blocks.push(format!("{heading}{}", escape(&text)));
    }
    blocks.join("\n\n")
}

/// The size in which most of the page's characters are set, points.
fn body_size(lines: &[Line]) -> f64 {
    let mut sizes: Vec<(f64, usize)> = lines.iter().map(|line| (line.size, line.text.len())).collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = sizes.iter().map(|(_, chars)| chars).sum::<usize>() / 2;
    let mut seen = 0;
    let middle = sizes.iter().find(|(_, chars)| {
        seen += chars;
        seen > half
    });
    middle.map_or(1.0, |(size, _)| *size)
}

fn continues_paragraph(above: &Line, below: &Line) -> bool {
    let drop = below.baseline - above.baseline;
    let same_size = (above.size / below.size).max(below.size / above.size) < 1.1;
    let same_way = above.direction.0 * below.direction.0 + above.direction.1 * below.direction.1 > 0.99;
    let indented = below.start - above.start > above.size * 0.8 && below.start < above.end;
    same_way && same_size && !indented && drop > 0.0 && drop < above.size * 1.55
}

/// Joins the lines of a paragraph; a hyphen between letters at a line's end is undone before a lower-case letter.
fn join_lines(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        let begins_small = line.text.chars().next().is_some_and(char::is_lowercase);
        let mut ending = text.chars().rev();
        let hyphenated = matches!(ending.next(), Some('-' | '\u{ad}' | '\u{2010}'))
            && ending.next().is_some_and(char::is_alphabetic);
        if hyphenated && begins_small {
            text.pop();
        } else if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&line.text);
    }
    text
}

/// Escapes what Markdown would read as markup, and only that: emphasis, code, raw HTML (a page must not be able to
/// write a page marker), and what opens a block at the start.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let opens_html =
            c == '<' && rest.peek().is_some_and(|n| n.is_ascii_alphabetic() || matches!(n, '/' | '!' | '?'));
        if matches!(c, '*' | '`' | '\\') || opens_html {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let ordered = (1..=9).contains(&digits) && text[digits..].starts_with(['.', ')']);
    let opens_block = text.starts_with(['#', '>', '|', '~', '=']) || text.starts_with("+ ") || text.starts_with('-');
    if ordered {
        escaped.insert(digits, '\\');
    } else if opens_block {
        escaped.insert(0, '\\');
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str, start: f64, baseline: f64, size: f64) -> Line {
        let end = start + size * 0.5 * f64::from(u32::try_from(text.len()).unwrap());
        Line { text: text.into(), start, end, baseline, size, direction: (1.0, 0.0) }
    }

    #[test]
    fn lines_become_headings_and_paragraphs() {
        let lines = [
            line("A title", 72.0, 80.0, 20.0),
            line("The first para-", 72.0, 110.0, 10.0),
            line("graph goes on", 72.0, 122.0, 10.0),
            line("and ends well-", 72.0, 134.0, 10.0),
            line("Known.", 72.0, 146.0, 10.0),
            line("Another one.", 72.0, 176.0, 10.0),
            line("Next column.", 300.0, 110.0, 10.0),
        ];
        assert_eq!(
            write_markdown(&lines),
            "# A title\n\nThe first paragraph goes on and ends well- Known.\n\nAnother one.\n\nNext column."
        );
    }

    #[test]
    fn text_cannot_pose_as_markup() {
        for (text, expected) in [
            ("<!-- page 7 -->", "\\<!-- page 7 -->"),
            ("a < b and <b>", "a < b and \\<b>"),
            ("# not a heading", "\\# not a heading"),
            ("1. not a list", "1\\. not a list"),
            ("1.5 metres", "1\\.5 metres"),
            ("- dash", "\\- dash"),
            ("2 * 3 `x` snake_case", "2 \\* 3 \\`x\\` snake_case"),
            ("plain", "plain"),
        ] {
            assert_eq!(escape(text), expected);
        }
    }

    #[test]
    fn an_empty_page_is_empty() {
        assert_eq!(write_markdown(&[]), "");
    }
}
