//! Pictures → figures: which of those that a page draws are part of what it says.
//!
//! Programs cut pictures into strips and tiles, and draw some upon others: what makes one rectangle, or overlaps, is one. Then
//! what is too small, a line, a ground that text stands on, a scan of the whole page, or plain is no figure; nor is what
//! stands at the very top or bottom of the page, as logos do, unless it has a caption.

use hayro_interpret::kurbo::Rect;

use super::picture_fragments::PictureFragment;

/// A picture that is part of what the page says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figure {
    /// Where it stands.
    pub(super) area: Rect,
    /// Whether it is one only if it has a caption.
    pub(super) needs_caption: bool,
}

/// Both sides of a figure are at least so long, points, and its area is at least so large: about 2 by 2 cm, and on large pages
/// so much of them. So no page has more than some hundred.
const SHORTEST: f64 = 24.0;
const SMALLEST: f64 = 3_000.0;
const LEAST_SHARE: f64 = 0.005;
/// What is so many times longer than wide is a rule or a border.
const LONGEST: f64 = 12.0;
/// What takes so much of the page is the page: a scan, or a ground.
const WHOLE: f64 = 0.8;
/// Text upon so much of a picture stands on it as on a ground; so do so many lines upon less, where it is no label.
const MOST_TEXT: f64 = 0.35;
const MOST_LINES: (usize, f64) = (12, 0.08);
/// What lies wholly within so much of the page at its top or its bottom is a letterhead or the like.
const EDGE: f64 = 0.125;
/// Edges nearer to each other than this are one, points.
const NEAR: f64 = 1.0;
/// Of two pictures that overlap so much of the smaller one they are one.
const OVERLAP: f64 = 0.25;
/// More parts are not compared with each other.
const MOST_COMPARED: usize = 400;

/// Figures of a page, from top to bottom. `text` is where its lines are, `shows` whether an area shows anything.
pub(super) fn find(
    pieces: &[PictureFragment],
    text: &[Rect],
    (width, height): (f64, f64),
    shows: impl Fn(Rect) -> bool,
) -> Vec<Figure> {
    let mut figures: Vec<Figure> = Vec::new();
    let is_ground = |area: &Rect| area.area() >= width * height * WHOLE || is_below_text(*area, text);
    // What lies upon a ground is no part of it.
    let mut areas = tiled(pieces.iter().map(|piece| piece.area).collect());
    areas.retain(|area| !is_ground(area));
    for area in joined(areas) {
        let (short, long) = (area.width().min(area.height()), area.width().max(area.height()));
        let smallest = SMALLEST.max(width * height * LEAST_SHARE);
        let is_picture = short >= SHORTEST && area.area() >= smallest && long <= short * LONGEST;
        if !is_picture || is_ground(&area) {
            continue;
        }
        let may_be_plain =
            || pieces.iter().filter(|piece| area.contains(piece.area.center())).all(|piece| piece.may_be_plain);
        if may_be_plain() && !shows(area) {
            continue;
        }
        let needs_caption = area.y1 < height * EDGE || area.y0 > height * (1.0 - EDGE);
        figures.push(Figure { area, needs_caption });
    }
    figures.sort_by(|a, b| a.area.y0.total_cmp(&b.area.y0).then(a.area.x0.total_cmp(&b.area.x0)));
    figures
}

/// Whether text stands on it as on a ground.
fn is_below_text(area: Rect, text: &[Rect]) -> bool {
    let upon = text.iter().map(|line| line.intersect(area).area()).filter(|both| *both > 0.0);
    let (lines, covered) = upon.fold((0, 0.0), |(lines, covered), both| (lines + 1, covered + both));
    let (most, least) = MOST_LINES;
    covered > area.area() * MOST_TEXT || lines >= most && covered > area.area() * least
}

/// Areas of which those that make one rectangle are one: tiles side by side, then rows of them, one upon the other.
fn tiled(areas: Vec<Rect>) -> Vec<Rect> {
    let rows = runs(areas, |area| [area.y0, area.y1, area.x0, area.x1]);
    runs(rows, |area| [area.x0, area.x1, area.y0, area.y1])
}

/// The same, where those that overlap are one, too.
fn joined(mut areas: Vec<Rect>) -> Vec<Rect> {
    loop {
        let before = areas.len();
        areas = tiled(areas);
        if areas.len() <= MOST_COMPARED {
            areas = overlapping(areas);
        }
        if areas.len() == before {
            return areas;
        }
    }
}

/// Joins areas that lie between the same two edges and follow each other. `sides` are these edges, then from where to where an
/// area reaches along them.
fn runs(mut areas: Vec<Rect>, sides: impl Fn(&Rect) -> [f64; 4]) -> Vec<Rect> {
    let near = |a: f64, b: f64| (a - b).abs() <= NEAR;
    let edge = |area: &Rect| {
        let [low, high, from, _] = sides(area);
        ((low / NEAR).round(), (high / NEAR).round(), from)
    };
    areas.sort_by(|a, b| {
        let (a, b) = (edge(a), edge(b));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(a.2.total_cmp(&b.2))
    });
    let mut joined: Vec<Rect> = Vec::with_capacity(areas.len());
    for area in areas {
        match joined.last_mut() {
            Some(last)
                if {
                    let ([low, high, _, end], [next_low, next_high, from, _]) = (sides(last), sides(&area));
                    near(low, next_low) && near(high, next_high) && from <= end + NEAR
                } =>
            {
                *last = last.union(area);
            }
            _ => joined.push(area),
        }
    }
    joined
}

fn overlapping(areas: Vec<Rect>) -> Vec<Rect> {
    let mut joined: Vec<Rect> = Vec::with_capacity(areas.len());
    for mut area in areas {
        // What it is joined with may overlap others.
        while let Some(at) = joined.iter().position(|other| {
            let both = other.intersect(area).area();
            both > 0.0 && both >= other.area().min(area.area()) * OVERLAP
        }) {
            area = area.union(joined.swap_remove(at));
        }
        joined.push(area);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: (f64, f64) = (600.0, 800.0);

    fn piece(x0: f64, y0: f64, x1: f64, y1: f64) -> PictureFragment {
        PictureFragment {
            area: Rect::new(x0, y0, x1, y1),
            density: 2.0,
            may_be_plain: false,
            jpeg: None,
            overdrawn: false,
        }
    }

    fn areas(pieces: &[PictureFragment], text: &[Rect]) -> Vec<Rect> {
        find(pieces, text, PAGE, |_| true).into_iter().map(|figure| figure.area).collect()
    }

    #[test]
    fn strips_and_tiles_are_one_figure_and_neighbours_are_two() {
        let strips: Vec<PictureFragment> =
            (0..40).map(|at| f64::from(at) * 5.0).map(|y| piece(100.0, 200.0 + y, 400.0, 205.0 + y)).collect();
        assert_eq!(areas(&strips, &[]), [Rect::new(100.0, 200.0, 400.0, 400.0)]);
        let tiles: Vec<PictureFragment> = (0..20)
            .map(|at| (f64::from(at % 4) * 50.0, f64::from(at / 4) * 40.0))
            .map(|(x, y)| piece(100.0 + x, 200.0 + y, 150.3 + x, 240.2 + y))
            .collect();
        assert_eq!(areas(&tiles, &[]), [Rect::new(100.0, 200.0, 300.3, 400.2)]);
        let apart = [piece(100.0, 200.0, 200.0, 300.0), piece(210.0, 200.0, 310.0, 300.0)];
        assert_eq!(areas(&apart, &[]).len(), 2);
        let corner = [piece(100.0, 200.0, 200.0, 300.0), piece(195.0, 295.0, 310.0, 400.0)];
        assert_eq!(areas(&corner, &[]).len(), 2, "that only touch");
        let upon = [piece(100.0, 200.0, 300.0, 400.0), piece(250.0, 350.0, 310.0, 410.0)];
        assert_eq!(areas(&upon, &[]), [Rect::new(100.0, 200.0, 310.0, 410.0)]);
    }

    #[test]
    fn what_says_nothing_is_no_figure() {
        let plain = PictureFragment { may_be_plain: true, ..piece(100.0, 200.0, 300.0, 400.0) };
        assert_eq!(find(&[plain], &[], PAGE, |_| true).len(), 1);
        assert!(find(&[plain], &[], PAGE, |_| false).is_empty());
        for (why, piece) in [
            ("an icon", piece(100.0, 200.0, 140.0, 240.0)),
            ("a rule", piece(50.0, 200.0, 550.0, 226.0)),
            ("a scan", piece(0.0, 0.0, 600.0, 790.0)),
        ] {
            assert!(areas(&[piece], &[]).is_empty(), "{why}");
        }
        let ground = piece(100.0, 200.0, 400.0, 400.0);
        let lines: Vec<Rect> =
            (0..12).map(|at| 210.0 + f64::from(at) * 15.0).map(|y| Rect::new(110.0, y, 390.0, y + 9.0)).collect();
        assert!(areas(&[ground], &lines).is_empty());
        let inset = piece(300.0, 300.0, 390.0, 390.0);
        assert_eq!(areas(&[ground, inset], &lines[..6]), [ground.area], "a part of it");
        let few: Vec<Rect> = lines.iter().map(|line| Rect { x1: 290.0, ..*line }).collect();
        assert_eq!(areas(&[ground, inset], &few), [inset.area], "upon a ground");
        assert_eq!(areas(&[ground], &lines[..2]).len(), 1, "labels");
        let logo = find(&[piece(50.0, 20.0, 200.0, 90.0), ground], &[], PAGE, |_| true);
        assert_eq!(logo.iter().map(|figure| figure.needs_caption).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn what_is_small_goes_by_the_page() {
        let piece = piece(100.0, 200.0, 160.0, 260.0);
        assert_eq!(areas(&[piece], &[]).len(), 1);
        assert!(find(&[piece], &[], (1_200.0, 1_600.0), |_| true).is_empty(), "on a poster");
    }
}
