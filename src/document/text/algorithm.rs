//! Algorithms: listings in letters of any width that stand between rules, below their caption. They keep their lines, and how
//! far these are set in, as code does; read as text their lines would run together, and their comments would be columns.

use super::collect::RulingLine;
use super::line::Line;

/// What a caption begins with, before a number.
const NAMES: [&str; 6] = ["algorithm", "algorithmus", "algorithme", "algoritmo", "procedure", "pseudocode"];
/// What lines of an algorithm begin with.
const KEYWORDS: [&str; 29] = [
    "for",
    "foreach",
    "forall",
    "while",
    "repeat",
    "until",
    "loop",
    "if",
    "else",
    "elseif",
    "elif",
    "end",
    "endif",
    "endfor",
    "endwhile",
    "return",
    "do",
    "then",
    "break",
    "continue",
    "input",
    "output",
    "inputs",
    "outputs",
    "require",
    "ensure",
    "procedure",
    "function",
    "begin",
];
/// Signs of assignment.
const ASSIGNS: [&str; 3] = ["←", ":=", "⟵"];
/// It has so many lines at least, so many of which say that it is one.
const FEWEST_LINES: usize = 3;
const FEWEST_SIGNS: usize = 2;
/// Rules of one listing begin and end so near each other, points.
const SAME_EDGE: f64 = 3.0;
/// The rule above a caption is so near it, and that below so near, in its sizes: it may have three lines.
const ABOVE: f64 = 1.8;
const BELOW: f64 = 4.5;
/// A line reaches so near the end of its column, in sizes, where text goes on below it.
const FULL: f64 = 1.0;

/// Marks the lines of algorithms, and makes one line of what is drawn apart on one baseline of them.
pub(super) fn mark(lines: &mut Vec<Line>, rules: &[RulingLine]) {
    for caption in (0..lines.len()).filter(|at| is_caption(&lines[*at])).collect::<Vec<_>>() {
        if let Some(frame) = Frame::below(&lines[caption], rules) {
            let mut of: Vec<usize> = (0..lines.len()).filter(|at| frame.holds(&lines[*at])).collect();
            of.sort_by(|a, b| lines[*a].baseline.total_cmp(&lines[*b].baseline));
            let rows: Vec<Vec<usize>> = of
                .chunk_by(|a, b| lines[*b].baseline - lines[*a].baseline < lines[*a].size * 0.3)
                .map(|row| {
                    let mut row = row.to_vec();
                    row.sort_by(|a, b| lines[*a].start.total_cmp(&lines[*b].start));
                    row
                })
                .collect();
            if is_algorithm(lines, &rows, &frame) {
                rows.iter().for_each(|row| join(lines, row));
            }
        }
    }
    lines.retain(|line| !line.words.is_empty());
}

fn is_caption(line: &Line) -> bool {
    let [name, number, ..] = &line.words[..] else { return false };
    let name_said = NAMES.contains(&name.text.to_lowercase().as_str());
    line.is_level()
        && !line.listing
        && name_said
        && name.style.bold
        && number.text.starts_with(|c: char| c.is_ascii_digit())
}

/// The rules above and below a listing.
struct Frame {
    top: f64,
    bottom: f64,
    left: f64,
    right: f64,
}

impl Frame {
    /// That of the listing whose caption this is: between the second and the third of three equal rules, the first of which
    /// stands above the caption.
    fn below(caption: &Line, rules: &[RulingLine]) -> Option<Self> {
        let level = || rules.iter().filter(|rule| !rule.upright && rule.from <= caption.start + SAME_EDGE);
        let above = |rule: &&RulingLine| {
            rule.at < caption.baseline
                && rule.at > caption.baseline - caption.size * ABOVE
                && rule.to > caption.end - SAME_EDGE
        };
        let first = level().filter(above).max_by(|a, b| a.at.total_cmp(&b.at))?;
        let same = |rule: &&RulingLine| {
            (rule.from - first.from).abs() < SAME_EDGE
                && (rule.to - first.to).abs() < SAME_EDGE
                && rule.at > caption.baseline
        };
        let mut below: Vec<f64> = level().filter(same).map(|rule| rule.at).collect();
        below.sort_by(f64::total_cmp);
        below.dedup_by(|b, a| *b - *a < SAME_EDGE);
        let [top, bottom, ..] = below[..] else { return None };
        let near = top < caption.baseline + caption.size * BELOW;
        near.then_some(Self { top, bottom, left: first.from, right: first.to })
    }

    fn holds(&self, line: &Line) -> bool {
        line.is_level()
            && line.field.is_none()
            && line.start > self.left - SAME_EDGE
            && line.end < self.right + SAME_EDGE
            && line.baseline > self.top
            && line.baseline < self.bottom + line.size * 0.3
    }
}

/// Whether rows say that they are steps, and are no text that is set in full lines.
fn is_algorithm(lines: &[Line], rows: &[Vec<usize>], frame: &Frame) -> bool {
    let said = |row: &&Vec<usize>| {
        let mut words = row.iter().flat_map(|at| &lines[*at].words);
        let plain = |text: &str| text.trim_matches(|c: char| !c.is_alphabetic()).to_lowercase();
        let begin = words.clone().find(|word| word.text.chars().any(char::is_alphabetic));
        begin.is_some_and(|word| KEYWORDS.contains(&plain(&word.text).as_str()))
            || words.any(|word| ASSIGNS.contains(&word.text.as_str()))
    };
    let is_full = |row: &&Vec<usize>| row.iter().any(|at| lines[*at].end > frame.right - lines[*at].size * FULL);
    let full = rows.windows(2).filter(|pair| is_full(&&pair[0]) && is_full(&&pair[1])).count();
    rows.len() >= FEWEST_LINES && rows.iter().filter(said).count() >= FEWEST_SIGNS && full * 2 < rows.len()
}

/// Makes the first line of a row all of it; the others are left without words.
fn join(lines: &mut [Line], row: &[usize]) {
    let rest: Vec<_> = row[1..].iter().flat_map(|at| std::mem::take(&mut lines[*at].words)).collect();
    let first = &mut lines[row[0]];
    first.end = rest.last().map_or(first.end, |word| word.end.max(first.end));
    first.words.extend(rest);
    first.listing = true;
}

#[cfg(test)]
mod tests {
    use super::super::line::{Style, Word};
    use super::*;

    fn line(text: &str, start: f64, baseline: f64, bold: bool) -> Line {
        let mut pen = start;
        let word = |text: &str| {
            let end = pen + 5.0 * f64::from(u32::try_from(text.chars().count()).unwrap());
            let word = Word { style: Style { bold, ..Style::default() }, ..Word::at(text, pen, end) };
            pen = end + 3.0;
            word
        };
        Line::of(text.split(' ').map(word).collect(), baseline, 10.0)
    }

    fn rule(at: f64) -> RulingLine {
        RulingLine { upright: false, at, from: 50.0, to: 290.0, soft: false }
    }

    fn listing() -> Vec<Line> {
        vec![
            line("Algorithm 1 Counts", 52.0, 100.0, true),
            line("i ← 0", 58.0, 114.0, false),
            line("// how many", 230.0, 114.0, false),
            line("for each p do", 58.0, 126.0, true),
            line("i ← i + 1", 68.0, 138.0, false),
            line("end for", 58.0, 150.0, true),
            line("The text goes on below.", 50.0, 180.0, false),
            line("The next column", 310.0, 126.0, false),
        ]
    }

    fn marked(mut lines: Vec<Line>, rules: &[RulingLine]) -> Vec<String> {
        mark(&mut lines, rules);
        let text = |line: &Line| line.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        lines.iter().filter(|line| line.listing).map(text).collect()
    }

    #[test]
    fn what_stands_between_the_rules_below_a_caption_is_a_listing() {
        let rules = [rule(89.0), rule(103.0), rule(154.0)];
        assert_eq!(marked(listing(), &rules), ["i ← 0 // how many", "for each p do", "i ← i + 1", "end for"]);
        // Without the last rule, or without a caption, nothing says where it ends or that it is one.
        assert!(marked(listing(), &rules[..2]).is_empty());
        let mut table = listing();
        table[0] = line("Table 1 Counts", 52.0, 100.0, true);
        assert!(marked(table, &rules).is_empty());
    }

    #[test]
    fn text_in_full_lines_is_no_listing() {
        let full =
            |baseline: f64| line("if the words of a paragraph reach the end of a line of the", 50.0, baseline, false);
        let mut lines: Vec<Line> = (0..4).map(|at| full(114.0 + 12.0 * f64::from(at))).collect();
        lines.iter_mut().for_each(|line| line.end = 288.0);
        lines.insert(0, line("Algorithm 1 Counts", 52.0, 100.0, true));
        assert!(marked(lines, &[rule(89.0), rule(103.0), rule(154.0)]).is_empty());
    }
}
