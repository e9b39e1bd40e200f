//! Words of lines → the text of a block, in one piece.

use super::line::{Line, Style, Word};
use super::link::Link;
use super::open_line::SOFT_HYPHEN;
use crate::content::{Inline, RunStyle, is_ideographic};

/// Joins lines: a hyphen between letters at a line's end is undone before a lower-case letter, unless it is that of a
/// compound. `usual` is how most of the page looks, which needs no emphasis; `targets` are the links of the page.
///
/// A line end is kept before the lines at `breaks`.
pub(super) fn join(lines: &[&Line], breaks: &[usize], usual: Style, targets: &[Link]) -> Inline {
    joined(lines.iter().map(|line| line.words.iter()), breaks, usual, targets)
}

/// Joins the lines of a cell of a table.
pub(super) fn join_cell(lines: &[Vec<&Word>], usual: Style, targets: &[Link]) -> Inline {
    joined(lines.iter().map(|words| words.iter().copied()), &[], usual, targets)
}

fn joined<'w>(
    lines: impl Iterator<Item = impl Iterator<Item = &'w Word>>,
    breaks: &[usize],
    usual: Style,
    targets: &[Link],
) -> Inline {
    let mut joining = Joining { inline: Inline::default(), compound: false, usual, targets };
    for (number, words) in lines.enumerate() {
        if breaks.contains(&number) {
            joining.inline.push("\n", RunStyle::default(), None);
        }
        for (at, word) in words.enumerate() {
            let glued = if at == 0 { joining.joins(word) } else { word.glued };
            joining.push(word, glued);
        }
    }
    // One that is shown, and parts nothing here.
    for run in joining.inline.runs.iter_mut().filter(|run| run.text.contains(SOFT_HYPHEN)) {
        run.text = run.text.replace(SOFT_HYPHEN, "-");
    }
    joining.inline
}

/// Takes away the first `bytes` of a text, and the space behind them.
pub(super) fn skip(inline: &mut Inline, bytes: usize) {
    let text = inline.text();
    let mut cut = text.len() - text[bytes..].trim_start().len();
    inline.runs.retain_mut(|run| {
        let here = cut.min(run.text.len());
        cut -= here;
        run.text.drain(..here);
        !run.text.is_empty()
    });
}

struct Joining<'a> {
    inline: Inline,
    /// Whether the hyphen that the last word ends with is its own.
    compound: bool,
    usual: Style,
    targets: &'a [Link],
}

impl<'a> Joining<'a> {
    /// Whether the first word of the next line follows without a space. Takes away a hyphen that only the line's end
    /// called for.
    fn joins(&mut self, next: &Word) -> bool {
        let Some(first) = next.text.chars().next() else { return true };
        if self.inline.runs.last().is_some_and(|run| run.text.ends_with('\n')) {
            return true;
        }
        let mut ending = self.inline.runs.iter().rev().flat_map(|run| run.text.chars().rev());
        let last = ending.next();
        let is_hyphen =
            matches!(last, Some('-' | '\u{2010}' | SOFT_HYPHEN)) && ending.next().is_some_and(char::is_alphabetic);
        let is_code = self.style(next).code && self.inline.runs.last().is_some_and(|run| run.style.code);
        if is_hyphen && (first.is_lowercase() || last == Some(SOFT_HYPHEN)) && !is_code {
            if last != Some(SOFT_HYPHEN) && (self.compound || self.is_compound(next)) {
                return true;
            }
            if let Some(run) = self.inline.runs.last_mut() {
                run.text.pop();
            }
            self.inline.runs.pop_if(|run| run.text.is_empty());
            return true;
        }
        // Before a capital it is that of a compound, such as of two names.
        if is_hyphen && first.is_uppercase() && !is_code && ending.next().is_some_and(char::is_alphabetic) {
            return true;
        }
        // Chinese and Japanese have no spaces between words, so the end of a line is none either.
        last.is_some_and(is_ideographic) && is_ideographic(first)
    }

    /// Whether a word that a line's end parts at a hyphen has others, so that this one is its own, too: `father-in-` and `law`,
    /// `state-` and `of-the-art`.
    fn is_compound(&self, next: &Word) -> bool {
        let hyphens = |text: &str| {
            let inner = text.trim_matches(|c: char| !c.is_alphabetic());
            let parts: Vec<&str> = inner.split(['-', '\u{2010}']).collect();
            let are_words = parts.iter().all(|part| !part.is_empty() && part.chars().all(char::is_alphabetic));
            if are_words { parts.len() - 1 } else { 0 }
        };
        let run = self.inline.runs.last().map_or("", |run| &run.text);
        let begun = run.rsplit(char::is_whitespace).next().unwrap_or(run);
        hyphens(begun) > 0 || hyphens(&next.text) > 1
    }

    fn push(&mut self, word: &Word, glued: bool) {
        let (style, link) = (self.style(word), self.link(word));
        self.compound = word.compound;
        if let Some(last) = self.inline.runs.last_mut() {
            // A space looks like its neighbours when they look alike.
            if last.style == style && last.link.as_deref() == link {
                if !glued {
                    last.text.push(' ');
                }
                return last.text.push_str(&word.text);
            }
            if !glued {
                self.inline.push(" ", RunStyle::default(), None);
            }
        }
        self.inline.push(word.text.as_str(), style, link);
    }

    fn style(&self, word: &Word) -> RunStyle {
        RunStyle {
            math: false,
            bold: word.style.bold && !self.usual.bold,
            italic: word.style.italic && !self.usual.italic,
            code: word.style.mono && !self.usual.mono,
            script: word.style.script,
            strike: word.struck,
        }
    }

    fn link(&self, word: &Word) -> Option<&'a str> {
        word.link.and_then(|at| self.targets.get(usize::from(at))).map(|link| link.target.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style { bold: false, italic: false, mono: false, script: None };
    const BOLD: Style = Style { bold: true, ..PLAIN };
    const MONO: Style = Style { mono: true, ..PLAIN };

    fn line(words: &[(&str, Style)]) -> Line {
        let word = |(text, style): &(&str, Style)| Word {
            style: *style,
            glued: text.len() > 1 && text.starts_with('+'),
            ..Word::at(text.trim_start_matches('+'), 0.0, 0.0)
        };
        Line::of(words.iter().map(word).collect(), 0.0, 10.0)
    }

    /// The text of lines, heavy runs in `*`, those of one width in `` ` ``.
    fn joined(lines: &[&[(&str, Style)]], usual: Style) -> String {
        let lines: Vec<Line> = lines.iter().map(|words| line(words)).collect();
        let inline = join(&lines.iter().collect::<Vec<_>>(), &[], usual, &[]);
        let sign = |style: RunStyle| {
            if style.bold {
                "*"
            } else if style.code {
                "`"
            } else {
                ""
            }
        };
        inline.runs.iter().flat_map(|run| [sign(run.style), &run.text, sign(run.style)]).collect()
    }

    #[test]
    fn words_that_look_alike_are_one_run() {
        for (words, expected) in [
            (&[("a", PLAIN), ("bold", BOLD), ("word", BOLD), ("+.", PLAIN)][..], "a *bold word*."),
            (&[("un", PLAIN), ("+known", BOLD), ("+s", PLAIN)], "un*known*s"),
            (&[("x", BOLD), ("+y", MONO)], "*x*`y`"),
            (&[("x", BOLD), ("y", MONO)], "*x* `y`"),
        ] {
            assert_eq!(joined(&[words], PLAIN), expected);
        }
        assert_eq!(joined(&[&[("all", BOLD), ("heavy", BOLD)]], BOLD), "all heavy");
    }

    #[test]
    fn lines_are_joined_and_hyphens_undone() {
        for (lines, expected) in [
            ([&[("para-", PLAIN)][..], &[("graph", PLAIN)]], "paragraph"),
            ([&[("anti-", PLAIN)], &[("American", PLAIN)]], "anti-American"),
            ([&[("grade", PLAIN), ("A-", PLAIN)], &[("Next", PLAIN)]], "grade A- Next"),
            ([&[("father-in-", PLAIN)], &[("law", PLAIN)]], "father-in-law"),
            ([&[("a", PLAIN), ("state-", PLAIN)], &[("of-the-art", PLAIN)]], "a state-of-the-art"),
            ([&[("(step-by-", PLAIN)], &[("step)", PLAIN)]], "(step-by-step)"),
            ([&[("inter-", PLAIN)], &[("national-level", PLAIN)]], "international-level"),
            ([&[("3-manu-", PLAIN)], &[("facture", PLAIN)]], "3-manufacture"),
            ([&[("a", PLAIN), ("heavy", BOLD)], &[("word", BOLD)]], "a *heavy word*"),
            ([&[("hea-", BOLD)], &[("vy", BOLD)]], "*heavy*"),
            ([&[("--my-", MONO)], &[("flag", MONO)]], "`--my- flag`"),
            ([&[("这是", PLAIN)], &[("第二行", PLAIN)]], "这是第二行"),
        ] {
            assert_eq!(joined(&lines, PLAIN), expected);
        }
    }

    #[test]
    fn what_stands_first_can_be_left_out() {
        let line = line(&[("•", PLAIN), ("the", BOLD), ("rest", PLAIN)]);
        let mut inline = join(&[&line], &[], PLAIN, &[]);
        skip(&mut inline, "•".len());
        assert_eq!(inline.runs.iter().map(|run| run.text.as_str()).collect::<Vec<_>>(), ["the", " rest"]);
        let all = inline.text().len();
        skip(&mut inline, all);
        assert!(inline.runs.is_empty());
    }
}
