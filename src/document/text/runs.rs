//! Runs of lines of one size, one close under the other: their column, how they are aligned, how far they are apart.

use super::line::Line;

/// How lines of a run stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alignment {
    /// They begin at one place, as in text that is ragged or justified.
    Left,
    /// They end at one place, and begin anywhere.
    Right,
    /// They have their middle at one place.
    Centre,
}

/// What is known of a line from the lines of its run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// From where to where its column reaches.
    pub(super) left: f64,
    pub(super) right: f64,
    /// Where it ends, when those next to it end there, too.
    pub(super) justified: Option<f64>,
    pub(super) alignment: Alignment,
    /// Whether each of its lines stands by itself, as in verse, addresses and receipts.
    pub(super) is_list: bool,
}

/// A line is short when this much of its column is free behind it.
const SHORT: f64 = 0.12;
/// Lines of one run are at most so far apart, in sizes.
const MOST_DROP: f64 = 3.4;
/// Lines of a list have so many words on average at most.
const LIST_WORDS: usize = 6;
/// Numbers of pages are not longer: `153–55`, `324n`.
const PAGE_NUMBERS: usize = 9;
/// Fewer lines are no verse, and fewer of these are none by their ends; a line of it has so many words on average at most.
const FEWEST_VERSE: usize = 4;
const FEWEST_ENDS: usize = 3;
const VERSE_LINES: usize = 6;
const VERSE_WORDS: usize = 9;
/// Stanzas are so many sizes apart.
const STANZA_GAP: f64 = 1.8;
/// A stanza has so many lines.
const FEWEST_STANZA: usize = 3;
/// It is less than so many sizes wide, and short when it is less than this much of the widest line.
const WIDEST_VERSE: f64 = 24.0;
const SHORT_VERSE: f64 = 0.5;
/// Lines next to each other that end as near as this to one place, in sizes, are justified, when they are so many, and so wide.
const FLUSH: f64 = 0.5;
const FEWEST_FLUSH: usize = 3;
const FLUSH_SIZES: f64 = 12.0;
/// Lines of a paragraph are at most so far apart, in sizes; if most lines are farther, they are double-spaced.
const SINGLE: f64 = 2.2;

impl Run {
    pub(super) fn is_short(&self, line: &Line) -> bool {
        let room = if line.right_to_left { line.start - self.left } else { self.right - line.end };
        room > (self.right - self.left) * SHORT + line.size
    }
}

/// The runs of a page's lines.
pub(super) struct Runs {
    /// By line.
    of: Vec<Run>,
    /// How far lines of a size are apart, in sizes, and how many tell so.
    leadings: Vec<(f64, f64, usize)>,
    /// Size, start and end of each line.
    places: Vec<(f64, f64, f64)>,
}

impl Runs {
    /// Those of lines in reading order.
    pub(super) fn of(lines: &[&Line]) -> Self {
        let mut of = Vec::with_capacity(lines.len());
        let goes_on = |a: &Line, b: &Line| {
            let drop = b.baseline - a.baseline;
            let overlap = a.end.min(b.end) > a.start.max(b.start);
            let level = drop.abs() < a.size * 0.3;
            a.has_same_direction(b) && (level || drop > 0.0 && drop < a.size * 12.0 && overlap)
        };
        for column in lines.chunk_by(|a, b| goes_on(a, b)) {
            let near = |a: &Line, b: &Line| {
                same_size(a.size, b.size) && (0.0..a.size * MOST_DROP).contains(&(b.baseline - a.baseline))
            };
            let ends = Ends::of(column);
            // By size, as that of most lines is one.
            let mut reaches: Vec<(f64, (f64, f64))> = Vec::new();
            for run in column.chunk_by(|a, b| near(a, b)) {
                let (alignment, is_list) = (alignment(run), is_list(run) || is_verse(run, lines));
                let mut own: Option<(f64, Option<f64>)> = None;
                let close = |a: &Line, b: &Line| b.baseline - a.baseline < a.size * STANZA_GAP;
                let stanzas = run.chunk_by(|a, b| close(a, b));
                let verse = stanzas.flat_map(|of| std::iter::repeat_n(is_list || is_verse(of, lines), of.len()));
                for (at, (line, is_list)) in run.iter().zip(verse).enumerate() {
                    let known =
                        reaches.iter().find(|(size, _)| size.to_bits() == line.size.to_bits()).map(|(_, reach)| *reach);
                    let (left, far) = known.unwrap_or_else(|| {
                        let reach = ends.reach(column, line.size);
                        reaches.push((line.size, reach));
                        reach
                    });
                    let right = match own {
                        Some((size, right)) if size.to_bits() == line.size.to_bits() => right,
                        _ => own_right(run, line.size),
                    };
                    own = Some((line.size, right));
                    let justified = justified_right(run, at);
                    let right = justified.or(right).unwrap_or(far.max(line.end));
                    of.push(Run { left, right, justified, alignment, is_list });
                }
            }
        }
        let places = lines.iter().map(|line| (line.size, line.start, line.end)).collect();
        Self { of, leadings: leadings(lines), places }
    }

    pub(super) fn of_line(&self, at: usize) -> Run {
        self.of[at]
    }

    /// How far lines of the size of `line` are apart from baseline to baseline, in sizes.
    pub(super) fn leading(&self, line: &Line) -> f64 {
        self.known(line).map_or(0.0, |of| of.1)
    }

    /// How far right lines of this size reach on the page that begin near this place.
    pub(super) fn right(&self, start: f64, size: f64) -> f64 {
        let beside = |of: &&(f64, f64, f64)| same_size(of.0, size) && (of.1 - start).abs() < size * 3.0;
        self.places.iter().filter(beside).map(|of| of.2).fold(f64::MIN, f64::max)
    }

    /// Whether the next line begins where a line does.
    pub(super) fn begins_with_next(&self, at: usize) -> bool {
        let (line, next) = (self.places[at], self.places.get(at + 1));
        next.is_some_and(|next| same_size(next.0, line.0) && (next.1 - line.1).abs() < line.0 * FLUSH)
    }

    /// How many lines tell that.
    pub(super) fn samples(&self, line: &Line) -> usize {
        self.known(line).map_or(0, |of| of.2)
    }

    fn known(&self, line: &Line) -> Option<&(f64, f64, usize)> {
        self.leadings.iter().find(|(size, ..)| (size - line.size).abs() < line.size * 0.05)
    }
}

/// Where the lines of a column end, ascending.
struct Ends(Vec<f64>);

impl Ends {
    fn of(lines: &[&Line]) -> Self {
        let mut ends: Vec<f64> = lines.iter().map(|line| line.end).collect();
        ends.sort_by(f64::total_cmp);
        Self(ends)
    }

    /// How many lines end farther right than this.
    fn farther(&self, right: f64) -> usize {
        self.0.len() - self.0.partition_point(|end| *end <= right)
    }

    /// From where to where lines of a size reach.
    fn reach(&self, column: &[&Line], size: f64) -> (f64, f64) {
        let same = || column.iter().filter(|other| same_size(other.size, size));
        let left = same().map(|of| of.start).fold(f64::MAX, f64::min);
        // A line that begins further in, and that no other one reaches as far as, spans more than its column.
        let spans = |of: &Line| of.start > left + size && self.farther(of.end - size * 2.0) < 2;
        (left, same().filter(|of| !spans(of)).map(|of| of.end).fold(f64::MIN, f64::max))
    }
}

/// Where lines of a size in one run end, when several do there, or when they are broken there.
fn own_right(run: &[&Line], size: f64) -> Option<f64> {
    let own = run.iter().map(|of| of.end).fold(f64::MIN, f64::max);
    let full = run.iter().filter(|of| of.end > own - size * 2.0).count();
    (full >= 3 || wraps(run, own)).then_some(own)
}

/// Where a line and those next to it end, when they do so at one place, as lines do beside a picture that a column makes room
/// for.
fn justified_right(run: &[&Line], at: usize) -> Option<f64> {
    let is_flush = |line: &&&Line| {
        (line.end - run[at].end).abs() < run[at].size * FLUSH && line.end - line.start > line.size * FLUSH_SIZES
    };
    let above = run[..at].iter().rev().take_while(is_flush).count();
    let below = run[at..].iter().take_while(is_flush).count();
    let flush = &run[at - above..at + below];
    (flush.len() >= FEWEST_FLUSH).then(|| flush.iter().map(|line| line.end).fold(f64::MIN, f64::max))
}

/// Whether lines are broken where the next word has no room, so that they end at `right` and not before.
fn wraps(run: &[&Line], right: f64) -> bool {
    let has_room = |pair: &&[&Line]| {
        let first = &pair[1].words[0];
        right - pair[0].end > first.end - first.start + pair[0].size * 0.3
    };
    run.len() >= 3 && run.windows(2).filter(has_room).count() * 5 < run.len()
}

fn same_size(a: f64, b: f64) -> bool {
    (a - b).abs() < a * 0.1
}

/// How far a list of places is spread: the mean distance from their median.
fn spread(mut places: Vec<f64>) -> f64 {
    places.sort_by(f64::total_cmp);
    let middle = places[places.len() / 2];
    let off: f64 = places.iter().map(|place| (place - middle).abs()).sum();
    off / f64::from(u32::try_from(places.len()).unwrap_or(u32::MAX))
}

fn alignment(run: &[&Line]) -> Alignment {
    if run.len() < 3 {
        return Alignment::Left;
    }
    let size = run[0].size;
    let mut sorted: Vec<f64> = run.iter().map(|line| line.start).collect();
    sorted.sort_by(f64::total_cmp);
    let together = most_within(&sorted, size * 0.3);
    // First lines that are set in, and lists, begin at two or three places.
    if together * 5 >= run.len() * 2 {
        return Alignment::Left;
    }
    let of = |place: fn(&Line) -> f64| spread(run.iter().map(|line| place(line)).collect());
    let (starts, ends) = (of(|line| line.start), of(|line| line.end));
    let middles = of(|line| f64::midpoint(line.start, line.end));
    match () {
        () if starts < size * 0.5 => Alignment::Left,
        () if ends < starts * 0.5 && ends < middles => Alignment::Right,
        () if middles < starts * 0.5 => Alignment::Centre,
        () => Alignment::Left,
    }
}

/// The most of ascending places that lie within `width` of each other.
fn most_within(sorted: &[f64], width: f64) -> usize {
    let mut from = 0;
    let counts = (0..sorted.len()).map(|to| {
        while sorted[to] - sorted[from] > width {
            from += 1;
        }
        to + 1 - from
    });
    counts.max().unwrap_or(0)
}

/// Whether each line of a run stands by itself: all begin with a capital or a number, or most end in one, and are short.
fn is_list(run: &[&Line]) -> bool {
    let begins = |line: &&&Line| line.words[0].text.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
    // Entries of an index.
    let counted = |line: &&&Line| {
        let last = line.words.last().map_or("", |word| word.text.trim_start_matches(['.', '…']));
        line.words.len() > 1 && last.len() <= PAGE_NUMBERS && last.starts_with(|c: char| c.is_ascii_digit())
    };
    let words: usize = run.iter().map(|line| line.words.len()).sum();
    let lettered = |line: &&&Line| line.words.iter().any(|word| word.text.contains(char::is_alphabetic));
    run.len() >= 3
        && run.iter().filter(lettered).count() * 2 > run.len()
        && words <= run.len() * LIST_WORDS
        && (run.iter().filter(begins).count() == run.len() || run.iter().filter(counted).count() * 10 >= run.len() * 7)
}

/// Whether lines are verse: most of them end in a sign, as lines of prose seldom do, and they end where more would have had
/// room, or are short beside other text of the page.
fn is_verse(run: &[&Line], page: &[&Line]) -> bool {
    let last = |line: &Line| line.words.last().and_then(|word| word.text.chars().next_back()).unwrap_or(' ');
    let signs = run.iter().filter(|line| ".,;:!?—–…".contains(last(line))).count();
    let parted = run.iter().filter(|line| matches!(last(line), '-' | '\u{ad}')).count();
    let words: usize = run.iter().map(|line| line.words.len()).sum();
    let fewest = run.iter().map(|line| line.words.len()).min().unwrap_or(0);
    if run.len() < FEWEST_VERSE || signs * 2 < run.len() || parted > 0 || fewest < 2 || words > run.len() * VERSE_WORDS
    {
        return false;
    }
    let right = run.iter().map(|line| line.end).fold(f64::MIN, f64::max);
    let left = run.iter().map(|line| line.start).fold(f64::MAX, f64::min);
    // Amid a sentence a line of prose has no room left.
    let amid = || run.windows(2).filter(|pair| !matches!(last(pair[0]), '.' | ':' | '!' | '?'));
    let has_room = |pair: &&[&Line]| {
        let first = &pair[1].words[0];
        right - pair[0].end > first.end - first.start + pair[0].size
    };
    let early = amid().count() >= FEWEST_ENDS && amid().filter(has_room).count() * 2 > amid().count();
    // Stanzas of one form need not end so early: prose has no room for the next word anywhere.
    let fits = |pair: &&[&Line]| {
        let first = &pair[1].words[0];
        right - pair[0].end > first.end - first.start + pair[0].size * 0.3
    };
    let formed = || are_stanzas(run) && amid().filter(fits).count() * 3 > amid().count();
    let short = || signs * 4 >= run.len() * 3 && right - left < widest(page, run[0]) * SHORT_VERSE;
    right - left < run[0].size * WIDEST_VERSE && (early && run.len() >= VERSE_LINES || short() || formed())
}

/// Whether lines are stanzas of one number of lines.
fn are_stanzas(run: &[&Line]) -> bool {
    let close = |a: &&Line, b: &&Line| b.baseline - a.baseline < a.size * STANZA_GAP;
    let lines: Vec<usize> = run.chunk_by(close).map(<[&Line]>::len).collect();
    lines.len() > 1 && lines[0] >= FEWEST_STANZA && lines.iter().all(|count| *count == lines[0])
}

/// The widest line of the size of `line`.
fn widest(lines: &[&Line], line: &Line) -> f64 {
    let same = lines.iter().filter(|other| same_size(other.size, line.size));
    same.map(|other| other.end - other.start).fold(0.0, f64::max)
}

/// Lines of a paragraph are nearer to each other than others, so the lower third tells.
fn leadings(lines: &[&Line]) -> Vec<(f64, f64, usize)> {
    let mut drops: Vec<(f64, f64)> = lines
        .windows(2)
        .filter(|pair| same_size(pair[0].size, pair[1].size) && pair[0].has_same_direction(pair[1]))
        .map(|pair| (pair[0].size, (pair[1].baseline - pair[0].baseline) / pair[0].size))
        .filter(|(_, drop)| (0.8..MOST_DROP).contains(drop))
        .collect();
    drops.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut leadings = Vec::new();
    for of_size in drops.chunk_by(|a, b| b.0 < a.0 * 1.05) {
        let mut near: Vec<f64> = of_size.iter().map(|(_, drop)| *drop).collect();
        near.sort_by(f64::total_cmp);
        let single = near.partition_point(|drop| *drop < SINGLE);
        let of = if single * 2 < near.len() { &near[single..] } else { &near[..single] };
        if let Some(drop) = of.get(of.len() / 3) {
            leadings.push((of_size[0].0, *drop, of.len()));
        }
    }
    leadings
}
