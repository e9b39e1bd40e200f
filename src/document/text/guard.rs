//! What stands in columns and is no table: text in columns, lists, words that are set apart by chance.

use std::collections::HashSet;

use super::collect::RulingLine;
use super::columns::{Column, fullest, is_full};
use super::gutters::{self, Gap};
use super::line::Line;
use super::marker::BULLETS;
use super::rows::{Row, Span, is_value};
use super::stream::{Evidence, Surroundings, values};

/// Fewer cells say the same as those above them by chance.
const FEWEST_REPEATED: usize = 2;

/// Whether rows that share columns are something else than a table.
pub(super) fn is_no_table(rows: &[Row<'_>], columns: &[Column], around: Surroundings<'_>) -> bool {
    let several: Vec<&Row<'_>> = rows.iter().filter(|row| row.cells.len() > 1).collect();
    let in_column = |at: usize| -> Vec<String> {
        let here = |row: &&Row<'_>| -> Option<String> {
            row.cells.iter().find(|cell| of_column(cell, columns) == at).map(|cell| row.text(cell))
        };
        several.iter().filter_map(here).collect()
    };
    let first = in_column(0);
    if columns.len() == 2 && is_signs(&first) || is_list(&several, columns) {
        return true;
    }
    if are_words(&several, columns) {
        return true;
    }
    if around.evidence == Evidence::Ruled {
        return columns.len() == 2 && are_side_by_side(rows, &several, around.levels);
    }
    let list = columns.len() == 2 && first.iter().all(|text| is_list_mark(text));
    list || columns.len() == 2 && explains(&first, &in_column(1))
        || several.len() < 3
        || is_prose(rows, &several, columns, around.page_width)
        || is_out_of_turn(&several)
        || are_parted(&several, columns)
        || !is_aligned(rows, columns)
        || are_text_columns(rows, columns, around.lines)
}

/// Whether no row reaches over some space between columns: what stands on either side of it is of its own.
fn are_parted(several: &[&Row<'_>], columns: &[Column]) -> bool {
    columns.windows(2).any(|pair| {
        let middle = f64::midpoint(pair[0].end, pair[1].start);
        several.iter().all(|row| row.end() < middle || row.start() > middle)
    })
}

/// Whether two texts stand side by side between rules, as addresses do: drawn one after the other, without numbers, and with
/// no rule among them.
fn are_side_by_side(rows: &[Row<'_>], several: &[&Row<'_>], levels: &[RulingLine]) -> bool {
    let (top, bottom) = (rows[0].middle(), rows[rows.len() - 1].middle());
    let is_among = |rule: &RulingLine| rule.at > top && rule.at < bottom && rule.from < rows[0].end();
    let cells: usize = several.iter().map(|row| row.cells.len()).sum();
    let values: usize = several.iter().map(|row| values(row)).sum();
    several.len() > 1 && values * 5 < cells && is_out_of_turn(several) && !levels.iter().any(is_among)
}

/// Whether the text above and below stands in the same columns: then these are parts of it, which happen to be level.
fn are_text_columns(rows: &[Row<'_>], columns: &[Column], lines: &[Line]) -> bool {
    let size = rows[0].size;
    let place = (rows[0].baseline, rows[rows.len() - 1].baseline);
    let theirs: HashSet<usize> = rows.iter().flat_map(|row| row.lines.iter().copied()).collect();
    let of_rows = |at: usize| theirs.contains(&at);
    let gaps = columns.windows(2).map(|pair| Gap { start: pair[0].start, from: pair[0].end, to: pair[1].start, size });
    gaps.filter(|gap| gap.to - gap.from >= size * 0.5).any(|gap| gutters::goes_on(lines, gap, place, of_rows))
}

/// Which column a cell is in for the most part.
fn of_column(cell: &Span, columns: &[Column]) -> usize {
    let overlap = |at: &usize| columns[*at].overlap(cell.start, cell.end);
    (0..columns.len()).max_by(|a, b| overlap(a).total_cmp(&overlap(b))).unwrap_or(0)
}

/// Signs of items, also such as no font has a letter for: one and the same before each text.
fn is_signs(first: &[String]) -> bool {
    let sign = |text: &String| text.chars().all(|c| BULLETS.contains(&c) || matches!(c, '-' | '–' | '—'));
    let same = first.windows(2).all(|pair| pair[0] == pair[1])
        && first.first().is_none_or(|text| {
            text.chars().count() == 1 && !text.chars().all(char::is_alphanumeric)
                || !text.is_ascii() && text.chars().count() == 1
        });
    first.iter().all(sign) || same
}

/// Items of a list, numbered or with signs: each a mark and one text, also between rules. Lines that go on with a text, and
/// such as run over both, may stand between them.
fn is_list(several: &[&Row<'_>], columns: &[Column]) -> bool {
    let mut marks = 0;
    for row in several {
        let cell = &row.cells[0];
        let text = row.text(cell);
        let begins = of_column(cell, columns) == 0;
        let is_bullet = text.chars().all(|c| BULLETS.contains(&c));
        if begins && (is_bullet || is_item_number(&text)) && (row.cells.len() == 2 || is_bullet) {
            marks += 1;
        } else if row.cells.len() > 2 || begins && columns[1].overlap(cell.start, cell.end) <= 0.0 {
            return false;
        }
    }
    marks > 1 && marks * 2 >= several.len()
}

/// A number, a letter or a Roman number, closed by a point or a bracket.
fn is_item_number(text: &str) -> bool {
    let Some(bare) = text.strip_suffix(['.', ')']) else { return false };
    let bare = bare.trim_start_matches('(');
    let digits = bare.len() <= 3 && bare.bytes().all(|byte| byte.is_ascii_digit());
    let letter = bare.len() == 1 && bare.bytes().all(|byte| byte.is_ascii_alphabetic());
    let roman = bare.len() <= 5 && bare.chars().all(|c| "IVXivx".contains(c));
    !bare.is_empty() && (digits || letter || roman)
}

/// Signs or labels with a colon and what they mean, as below tables: sentences, not cells.
fn explains(first: &[String], second: &[String]) -> bool {
    let mark = |text: &&String| text.ends_with(':') || !text.contains(char::is_alphabetic) || text.starts_with('(');
    let sentences = second.iter().filter(|text| text.ends_with('.') && text.split(' ').count() > 1).count();
    let words: usize = second.iter().map(|text| text.split(' ').count()).sum();
    first.iter().filter(mark).count() * 2 > first.len() && (sentences * 2 > second.len() || words > second.len() * 6)
}

/// Words of running text that are set apart: many columns, few numbers, and most of it in small letters.
fn are_words(several: &[&Row<'_>], columns: &[Column]) -> bool {
    let texts: Vec<String> = several.iter().flat_map(|row| row.cells.iter().map(|cell| row.text(cell))).collect();
    let values = texts.iter().filter(|text| is_value(text)).count();
    let low = texts.iter().filter(|text| text.starts_with(char::is_lowercase)).count();
    columns.len() > 3 && low * 2 > texts.len() && values * 10 < texts.len()
}

/// Whether one of the columns is running text, as beside side heads.
fn has_text_column(rows: &[Row<'_>], columns: &[Column], page_width: f64) -> bool {
    let is_text = |at: usize| {
        let column = &columns[at];
        let cells: Vec<(&Row<'_>, &Span)> = rows
            .iter()
            .flat_map(|row| row.cells.iter().map(move |cell| (row, cell)))
            .filter(|(_, cell)| of_column(cell, columns) == at)
            .collect();
        let width = column.end - column.start;
        let filled = cells.iter().filter(|(_, cell)| cell.end > column.end - width * 0.12).count();
        let words: usize = cells.iter().map(|(_, cell)| cell.words.len()).sum();
        width > page_width * 0.5 && cells.len() > 2 && filled * 2 > cells.len() && words > cells.len() * 5
    };
    (0..columns.len()).any(is_text)
}

fn is_prose(rows: &[Row<'_>], several: &[&Row<'_>], columns: &[Column], page_width: f64) -> bool {
    // Text set in columns: each of them is wordy.
    let least: usize = several.iter().map(|row| row.cells.iter().map(|cell| cell.words.len()).min().unwrap_or(0)).sum();
    let wordy = least >= several.len() * 3;
    let widest = columns.iter().map(|column| column.end - column.start).fold(0.0, f64::max);
    let wide = columns.len() == 2 && columns.iter().all(|column| column.end - column.start > page_width * 0.3);
    // Running text whose words are set apart goes on from row to row.
    let texts: Vec<String> = several.iter().flat_map(|row| row.cells.iter().map(|cell| row.text(cell))).collect();
    let values = texts.iter().filter(|text| is_value(text)).count();
    let low = rows.iter().skip(1).filter(|row| row.words[0].text.starts_with(char::is_lowercase)).count();
    let running = low * 2 >= rows.len() - 1 && values * 5 < texts.len();
    wide || has_text_column(rows, columns, page_width)
        || widest > page_width * 0.7
        || (wordy || running && !are_all_aligned(several, columns)) && !repeats(several, columns)
}

/// Whether cells say the same as those above them, in several words: no text does.
fn repeats(several: &[&Row<'_>], columns: &[Column]) -> bool {
    let cells = |row: &Row<'_>| -> Vec<(usize, String)> {
        row.cells.iter().map(|cell| (of_column(cell, columns), row.text(cell))).collect()
    };
    let said: Vec<Vec<(usize, String)>> = several.iter().map(|row| cells(row)).collect();
    let worded = |cells: &[(usize, String)]| cells.iter().filter(|(_, text)| text.contains(' ')).count();
    let same = |pair: &[Vec<(usize, String)>]| {
        pair[1].iter().filter(|cell| cell.1.contains(' ') && pair[0].contains(cell)).count()
    };
    let again: usize = said.windows(2).map(same).sum();
    again >= FEWEST_REPEATED && again * 8 >= said.iter().map(|cells| worded(cells)).sum::<usize>()
}

/// Lists side by side are drawn one after the other, a table row by row, in whatever order.
fn is_out_of_turn(several: &[&Row<'_>]) -> bool {
    let ends = |row: &Row<'_>| (row.lines.iter().min().copied(), row.lines.iter().max().copied());
    let in_turn = |above: &Row<'_>, below: &Row<'_>| {
        let (above, below) = (ends(above), ends(below));
        above.1 < below.0 || below.1 < above.0
    };
    let turns = several.windows(2).filter(|pair| in_turn(pair[0], pair[1])).count();
    turns * 10 < several.len().saturating_sub(1) * 8
}

/// A table whose labels may be set in has so many columns.
const FEWEST_LEVELLED: usize = 4;

fn is_dash(text: &str) -> bool {
    matches!(text, "-" | "–" | "—" | "−")
}

/// Where the cells of a column stand: their start, their end, their middle.
fn places(rows: &[&Row<'_>], column: &Column) -> [Vec<f64>; 3] {
    // A dash for what there is not may stand anywhere.
    let says = |row: &Row<'_>, cell: &Span| cell.words.len() > 1 || !is_dash(&row.words[cell.words.start].text);
    let here = |cell: &Span| cell.start < column.end && cell.end > column.start;
    let cells = || rows.iter().flat_map(|row| row.cells.iter().filter(move |cell| here(cell) && says(row, cell)));
    [
        cells().map(|cell| cell.start).collect(),
        cells().map(|cell| cell.end).collect(),
        cells().map(|cell| f64::midpoint(cell.start, cell.end)).collect(),
    ]
}

/// Whether most cells of most columns begin, end, or have their middle at one place.
fn is_aligned(rows: &[Row<'_>], columns: &[Column]) -> bool {
    let most = fullest(rows);
    let full: Vec<&Row<'_>> = rows.iter().filter(|row| is_full(row, most)).collect();
    let size = full.first().map_or(1.0, |row| row.size);
    let aligned = |column: &&Column| {
        let of = places(&full, column);
        let count = of[0].len();
        // Labels of a part are set in below that of the whole.
        let levels = if columns.len() >= FEWEST_LEVELLED && column.start <= columns[0].start { 2 } else { 1 };
        of.into_iter().enumerate().any(|(at, mut places)| {
            places.sort_by(f64::total_cmp);
            let mut here = 0;
            for _ in 0..if at == 0 { levels } else { 1 } {
                here += take_nearest(&mut places, size * 0.6);
            }
            here * 10 >= count * 7
        })
    };
    columns.iter().filter(aligned).count() * 10 >= columns.len() * 7
}

/// Takes the most places that lie within `width` of each other out of sorted ones; how many they are.
fn take_nearest(places: &mut Vec<f64>, width: f64) -> usize {
    let (mut best, mut from) = (0..0, 0);
    for to in 0..places.len() {
        while places[to] - places[from] > width {
            from += 1;
        }
        if to + 1 - from > best.len() {
            best = from..to + 1;
        }
    }
    places.drain(best).count()
}

/// Whether the cells of each column but the first begin, end, or have their middle at one place.
fn are_all_aligned(rows: &[&Row<'_>], columns: &[Column]) -> bool {
    let size = rows.first().map_or(1.0, |row| row.size);
    columns[1..].iter().all(|column| {
        places(rows, column).iter().any(|places| {
            let (least, most) = places.iter().fold((f64::MAX, f64::MIN), |(a, b), at| (a.min(*at), b.max(*at)));
            most - least < size * 0.8
        })
    })
}

fn is_list_mark(text: &str) -> bool {
    let bare = text.trim_matches(['(', ')', '[', ']', '.', ':']);
    let short = text.chars().count() <= 2 && !text.chars().any(char::is_alphanumeric);
    short || bare.len() <= 4 && bare.chars().all(|c| c.is_ascii_digit())
}
