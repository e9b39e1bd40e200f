//! Charts: numbers along their axes stand in rows and columns, and are no tables.

use super::line::Line;
use super::region::Region;
use super::rows::{Row, Span};

/// An axis has so many numbers at least.
const FEWEST_MARKS: usize = 4;

/// Where charts are: boxes that hold an axis, as left, top, right, bottom.
pub(super) fn find(rows: &[Row<'_>], regions: &[Region]) -> Vec<[f64; 4]> {
    let mut charts: Vec<[f64; 4]> = Vec::new();
    for axis in level_axes(rows).into_iter().chain(upright_axes(rows)) {
        let [left, top, right, bottom] = axis.area;
        let around = regions.iter().map(Region::area).filter(|area| {
            area[0] < left + 1.0 && area[1] < top + 1.0 && area[2] > right - 1.0 && area[3] > bottom - 1.0
        });
        // The least frame around it; the numbers of an upright axis are enough without one.
        let size = |area: &[f64; 4]| (area[2] - area[0]) * (area[3] - area[1]);
        let frame = around.min_by(|a, b| size(a).total_cmp(&size(b)));
        match frame {
            Some(frame) => charts.push(frame),
            None if axis.upright => {
                let reach = (bottom - top) * 3.0;
                charts.push([left - 1.0, top - 2.0 * axis.size, right + reach, bottom + 3.0 * axis.size]);
            }
            None => {}
        }
    }
    charts
}

/// Whether a line stands in one of them.
pub(super) fn holds(charts: &[[f64; 4]], line: &Line) -> bool {
    let middle = line.baseline - line.size * 0.3;
    charts.iter().any(|[left, top, right, bottom]| {
        line.start > left - 3.0 && line.end < right + 3.0 && middle > *top && middle < *bottom
    })
}

struct Axis {
    upright: bool,
    area: [f64; 4],
    size: f64,
}

/// A number of an axis and where it stands.
#[derive(Clone, Copy)]
struct Mark {
    value: f64,
    at: f64,
}

fn number(text: &str) -> Option<f64> {
    let bare: String = text.chars().filter(|c| !matches!(c, '%' | '$' | '€' | '£' | ' ' | ',')).collect();
    bare.replace(['−', '–'], "-").parse().ok()
}

/// Whether numbers grow by equal steps over equal distances. Steps of one count columns, or years, also in tables.
fn is_scale(marks: &[Mark]) -> bool {
    let steps = |of: fn(&Mark) -> f64| marks.windows(2).map(move |pair| of(&pair[1]) - of(&pair[0]));
    let even = |of: fn(&Mark) -> f64, tolerance: f64| {
        let first = of(&marks[1]) - of(&marks[0]);
        steps(of).all(|step| (step - first).abs() <= first.abs() * tolerance + 1e-9)
    };
    let step = (marks[1].value - marks[0].value).abs();
    step > 0.0 && (step - 1.0).abs() > 1e-6 && even(|mark| mark.value, 1e-6) && even(|mark| mark.at, 0.12)
}

fn level_axes(rows: &[Row<'_>]) -> Vec<Axis> {
    let axis = |row: &Row<'_>| {
        let mark =
            |cell: &Span| Some(Mark { value: number(&row.text(cell))?, at: f64::midpoint(cell.start, cell.end) });
        let marks: Vec<Mark> = row.cells.iter().filter_map(mark).collect();
        let scale = marks.len() > FEWEST_MARKS && marks.len() == row.cells.len() && is_scale(&marks);
        let area = [row.start(), row.middle() - row.size * 0.3, row.end(), row.middle() + row.size * 0.3];
        scale.then_some(Axis { upright: false, area, size: row.size })
    };
    rows.iter().filter_map(axis).collect()
}

/// Numbers that stand one under the other, and get smaller downwards.
fn upright_axes(rows: &[Row<'_>]) -> Vec<Axis> {
    let mut marks: Vec<(Mark, &Span, f64)> = Vec::new();
    for row in rows {
        let first = row.cells.first().and_then(|cell| Some((number(&row.text(cell))?, cell)));
        marks.extend(first.map(|(value, cell)| (Mark { value, at: row.middle() }, cell, row.size)));
    }
    marks.sort_by(|a, b| a.1.end.total_cmp(&b.1.end));
    let mut axes = Vec::new();
    for column in marks.chunk_by_mut(|a, b| b.1.end - a.1.end < a.2 * 0.3) {
        column.sort_by(|a, b| a.0.at.total_cmp(&b.0.at));
        for run in column.chunk_by(|a, b| b.0.value < a.0.value) {
            let scale: Vec<Mark> = run.iter().map(|of| of.0).collect();
            if scale.len() >= FEWEST_MARKS && is_scale(&scale) {
                let size = run[0].2;
                let left = run.iter().map(|of| of.1.start).fold(f64::MAX, f64::min);
                let right = run.iter().map(|of| of.1.end).fold(f64::MIN, f64::max);
                let area = [left, scale[0].at - size * 0.3, right, scale[scale.len() - 1].at + size * 0.3];
                axes.push(Axis { upright: true, area, size });
            }
        }
    }
    axes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_steps_at_equal_distances_are_a_scale_and_years_are_none() {
        let marks = |values: &[f64], places: &[f64]| -> Vec<Mark> {
            values.iter().zip(places).map(|(value, at)| Mark { value: *value, at: *at }).collect()
        };
        assert!(is_scale(&marks(&[80.0, 60.0, 40.0, 20.0, 0.0], &[10.0, 20.0, 30.0, 40.0, 50.0])));
        assert!(is_scale(&marks(&[0.0, 0.5, 1.0, 1.5], &[10.0, 20.2, 30.0, 40.0])));
        for (values, places) in [
            ([2003.0, 2004.0, 2005.0, 2006.0], [10.0, 20.0, 30.0, 40.0]),
            ([80.0, 60.0, 41.0, 20.0], [10.0, 20.0, 30.0, 40.0]),
            ([80.0, 60.0, 40.0, 20.0], [10.0, 20.0, 40.0, 50.0]),
        ] {
            assert!(!is_scale(&marks(&values, &places)), "{values:?}");
        }
    }
}
