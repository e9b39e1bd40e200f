//! What tables are found in lines and rules made by hand.

use super::super::rows::text_of;
use super::*;

/// What the cells of a table say; the spans of those that have some stand behind it.
fn texts(table: &Table<'_>) -> Vec<Vec<String>> {
    let text = |cell: &Cell<'_>| {
        let lines: Vec<String> = cell.lines.iter().map(|words| text_of(words)).collect();
        let span = if cell.across * cell.down > 1 { format!(" {}x{}", cell.across, cell.down) } else { String::new() };
        lines.join(" ") + &span
    };
    table.rows.iter().map(|row| row.iter().map(text).collect()).collect()
}

fn line(text: &str, start: f64, baseline: f64) -> Line {
    Line::of(vec![Word::at(text, start, start + 40.0)], baseline, 10.0)
}

#[test]
fn cells_that_no_rule_parts_are_one_and_text_in_the_frame_is_none() {
    let level = |at: f64| RulingLine { upright: false, at, from: 0.0, to: 200.0, soft: false };
    let upright = |at: f64, from: f64, to: f64| RulingLine { upright: true, at, from, to, soft: false };
    // A frame; its first row is not parted, its third one is parted once.
    let rules = [
        [0.0, 20.0, 40.0, 60.0, 80.0].map(level).to_vec(),
        vec![upright(0.0, 0.0, 80.0), upright(200.0, 0.0, 80.0)],
        vec![upright(100.0, 20.0, 80.0), upright(150.0, 20.0, 40.0), upright(150.0, 60.0, 80.0)],
    ]
    .concat();
    let lines = [
        line("above", 10.0, 14.0),
        line("a", 10.0, 34.0),
        line("b", 105.0, 34.0),
        line("c", 155.0, 34.0),
        line("d", 10.0, 54.0),
        line("e", 155.0, 54.0),
        line("f", 10.0, 74.0),
        line("g", 155.0, 74.0),
    ];
    let tables = find(&lines, &rules, (600.0, 800.0), BodyStyle::of(&lines));
    let rows = texts(&tables[0]);
    assert_eq!(rows, [vec!["a", "b", "c"], vec!["d", "e 2x1"], vec!["f", "", "g"]]);
    assert_eq!((tables.len(), &tables[0].lines[..]), (1, &[1, 2, 3, 4, 5, 6, 7][..]));
}

#[test]
fn a_page_number_below_a_table_is_in_none_of_its_cells() {
    let row = |baseline: f64, [a, b, c]: [&str; 3]| {
        [line(a, 10.0, baseline), line(b, 100.0, baseline), line(c, 200.0, baseline)]
    };
    let table = |below: (&str, f64)| {
        let rows = [row(100.0, ["a", "b", "c"]), row(114.0, ["d", "e", "80"]), row(128.0, ["f", "g", "90"])];
        let mut lines: Vec<Line> = rows.into_iter().flatten().collect();
        lines.push(line(below.0, 105.0, below.1));
        let tables = find(&lines, &[], (600.0, 800.0), BodyStyle::of(&lines));
        texts(&tables[0]).last().unwrap()[1].clone()
    };
    assert_eq!(table(("3", 150.0)), "g");
    // What stands as near as a row is one; the rest of a cell is a word.
    assert_eq!(table(("3", 140.0)), "3");
    assert_eq!(table(("more", 140.0)), "g more");
}

/// Lines of cells at the places `at`, one row below the other; an empty text is no cell.
fn rows_at(at: &[f64], top: f64, rows: &[&[&str]]) -> Vec<Line> {
    let row = |(number, cells): (u32, &&[&str])| {
        let baseline = top + 14.0 * f64::from(number);
        let cells = cells.iter().zip(at).filter(|(text, _)| !text.is_empty());
        let words = |text: &str, start: f64| -> Vec<Word> {
            let word = |(of, text): (u32, &str)| {
                let start = start + 32.0 * f64::from(of);
                Word { spaced: of > 0, ..Word::at(text, start, start + 30.0) }
            };
            (0..).zip(text.split(' ')).map(word).collect()
        };
        cells.map(|(text, start)| Line::of(words(text, *start), baseline, 10.0)).collect::<Vec<_>>()
    };
    (0..).zip(rows).flat_map(row).collect()
}

fn found(lines: &[Line], rules: &[RulingLine]) -> Vec<Vec<Vec<String>>> {
    find(lines, rules, (600.0, 800.0), BodyStyle::of(lines)).iter().map(texts).collect()
}

const fn level(at: f64, from: f64, to: f64) -> RulingLine {
    RulingLine { upright: false, at, from, to, soft: false }
}

const fn upright(at: f64, from: f64, to: f64) -> RulingLine {
    RulingLine { upright: true, at, from, to, soft: false }
}

#[test]
fn rows_between_two_rules_are_parted_by_their_numbers_and_text_goes_on() {
    let lines = rows_at(
        &[10.0, 110.0, 310.0],
        100.0,
        &[&["Qty", "Item", "Sum"], &["2", "Oak board", "18.50"], &["", "planed", ""], &["4", "Nails", "3.10"]],
    );
    let mut rules: Vec<RulingLine> = [88.0, 104.0, 160.0].map(|at| level(at, 5.0, 400.0)).to_vec();
    rules.extend([5.0, 100.0, 300.0, 400.0].map(|at| upright(at, 88.0, 160.0)));
    assert_eq!(
        found(&lines, &rules),
        [[["Qty", "Item", "Sum"], ["2", "Oak board planed", "18.50"], ["4", "Nails", "3.10"]]]
    );
    // Wrapped text without numbers is one row between rules.
    let lines = rows_at(
        &[10.0, 110.0],
        100.0,
        &[&["Term", "Means"], &["Gate", "a board that is lifted up"], &["", "and let down"]],
    );
    let mut rules: Vec<RulingLine> = [88.0, 104.0, 136.0].map(|at| level(at, 5.0, 320.0)).to_vec();
    rules.extend([5.0, 100.0, 320.0].map(|at| upright(at, 88.0, 136.0)));
    assert_eq!(found(&lines, &rules), [[["Term", "Means"], ["Gate", "a board that is lifted up and let down"]]]);
}

#[test]
fn upright_rules_part_groups_and_white_space_the_columns_within_them() {
    let at = [10.0, 110.0, 160.0, 220.0, 270.0];
    let head = rows_at(&[10.0, 135.0, 245.0], 100.0, &[&["", "Oak", "Elm"]]);
    let body = rows_at(
        &at,
        114.0,
        &[&["", "2009", "2010", "2009", "2010"], &["Oslo", "60", "61", "10", "11"], &["Bodo", "7", "8", "9", "5"]],
    );
    let lines = [head, body].concat();
    let mut rules: Vec<RulingLine> = [88.0, 118.0, 150.0].map(|at| level(at, 5.0, 310.0)).to_vec();
    rules.extend([5.0, 100.0, 210.0, 310.0].map(|at| upright(at, 88.0, 150.0)));
    assert_eq!(
        found(&lines, &rules)[0],
        [
            vec!["", "Oak 2x1", "Elm 2x1"],
            vec!["", "2009", "2010", "2009", "2010"],
            vec!["Oslo", "60", "61", "10", "11"],
            vec!["Bodo", "7", "8", "9", "5"]
        ]
    );
}

#[test]
fn a_rule_below_a_head_says_which_columns_it_spans() {
    let at = [10.0, 110.0, 160.0, 210.0];
    let head = rows_at(&[10.0, 180.0], 100.0, &[&["", "Borrowed"]]);
    let body = rows_at(
        &at,
        114.0,
        &[
            &["Place", "Sum", "Low", "High"],
            &["Oslo", "60", "61", "10"],
            &["Bodo", "7", "8", "9"],
            &["Moss", "3", "2", "1"],
        ],
    );
    let lines = [head, body].concat();
    let rules =
        [level(88.0, 5.0, 250.0), level(104.0, 155.0, 245.0), level(118.0, 5.0, 250.0), level(162.0, 5.0, 250.0)];
    assert_eq!(
        found(&lines, &rules)[0][..3],
        [vec!["Place 1x2", "Sum 1x2", "Borrowed 2x1"], vec!["Low", "High"], vec!["Oslo", "60", "61", "10"]]
    );
}

#[test]
fn rows_with_an_empty_first_cell_stay_rows_however_far_the_head_is() {
    let at = [10.0, 110.0, 210.0];
    let mut lines = rows_at(&at, 90.0, &[&["Region", "Town", "Sum"]]);
    lines.extend(rows_at(
        &at,
        114.0,
        &[&["North", "", ""], &["", "Oslo", "12.00"], &["", "Bergen", "8.50"], &["South", "Bodo", "4.10"]],
    ));
    assert_eq!(
        found(&lines, &[]),
        [[
            ["Region", "Town", "Sum"],
            ["North", "", ""],
            ["", "Oslo", "12.00"],
            ["", "Bergen", "8.50"],
            ["South", "Bodo", "4.10"]
        ]]
    );
}

#[test]
fn rows_that_say_the_same_are_rows_and_a_head_may_be_underlined_cell_by_cell() {
    let lines = rows_at(
        &[10.0, 160.0, 310.0],
        100.0,
        &[
            &["Placed in", "And sold in", "Then allowed"],
            &["the year", "the year", "in all"],
            &["first half of it", "first half of it", "none"],
            &["first half of it", "second half of it", "half of a"],
            &["", "", "full year"],
            &["second half of it", "second half of it", "all"],
        ],
    );
    let rules = [level(116.0, 10.0, 70.0), level(116.0, 160.0, 220.0), level(116.0, 310.0, 400.0)];
    assert_eq!(
        found(&lines, &rules),
        [[
            ["Placed in the year", "And sold in the year", "Then allowed in all"],
            ["first half of it", "first half of it", "none"],
            ["first half of it", "second half of it", "half of a full year"],
            ["second half of it", "second half of it", "all"]
        ]]
    );
}

#[test]
fn a_table_set_sideways_is_read_as_an_upright_one() {
    let rows: &[&[&str]] =
        &[&["Port", "Depth", "Cranes"], &["Oslo", "11", "4"], &["Bodo", "8", "2"], &["Moss", "6", "1"]];
    let upright = rows_at(&[10.0, 110.0, 210.0], 100.0, rows);
    for direction in [(0.0, 1.0), (0.0, -1.0)] {
        let turned: Vec<Line> = upright.iter().map(|line| Line { direction, ..line.clone() }).collect();
        assert_eq!(found(&turned, &[]), found(&upright, &[]), "{direction:?}");
    }
}

#[test]
fn a_chart_and_words_that_are_set_apart_are_no_tables() {
    // Numbers along an upright axis, with bars that are labelled.
    let mut chart = rows_at(
        &[10.0, 80.0, 140.0, 200.0],
        100.0,
        &[
            &["80", "", "", "41"],
            &["60", "22", "28", ""],
            &["40", "11", "", "38"],
            &["20", "32", "23", "12"],
            &["0", "", "", "3"],
        ],
    );
    chart.extend(rows_at(&[80.0, 140.0, 200.0], 170.0, &[&["Oak", "Elm", "Ash"]]));
    let axes = [upright(30.0, 90.0, 160.0), level(160.0, 30.0, 240.0), level(130.0, 30.0, 240.0)];
    assert!(found(&chart, &axes).is_empty(), "{:?}", found(&chart, &axes));
    let words = "railways are built to carry people and goods over land at speed and in safety that has no like";
    let words: Vec<&str> = words.split(' ').collect();
    // Justified by placing each word.
    let line = |number: u32, of: &[&str]| {
        let place = |at: u32| 10.0 + (92.0 + f64::from(number * 7 % 5)) * f64::from(at);
        let word = |(at, text): (u32, &&str)| {
            Line::of(vec![Word::at(text, place(at), place(at) + 78.0)], 100.0 + 12.0 * f64::from(number), 10.0)
        };
        (0..).zip(of).map(word).collect::<Vec<_>>()
    };
    let prose: Vec<Line> = (0..).zip(words.chunks(6)).flat_map(|(number, of)| line(number, of)).collect();
    assert!(found(&prose, &[]).is_empty(), "{:?}", found(&prose, &[]));
}

#[test]
fn labels_above_the_first_group_are_rows_and_no_head() {
    let at = [10.0, 160.0];
    let rows: &[&[&str]] = &[
        &["First code", "PON.L"],
        &["Second code", "PON"],
        &["Third code", "PON LN"],
        &["Key data", ""],
        &["Shares", "414"],
        &["Value", "254"],
        &["Assets", "50"],
    ];
    let mut lines = rows_at(&at, 100.0, rows);
    lines.iter_mut().filter(|line| line.words[0].text == "Key").for_each(|line| {
        line.words.iter_mut().for_each(|word| word.style.bold = true);
    });
    let rules = [88.0, 132.0, 146.0, 190.0].map(|at| level(at, 5.0, 260.0));
    let found = found(&lines, &rules);
    assert_eq!(found, [rows.iter().map(|row| row.to_vec()).collect::<Vec<_>>()]);
}

#[test]
fn labels_of_a_drawing_are_no_table() {
    let at = [20.0, 120.0, 220.0, 320.0];
    let labels: &[&str] = &["Input", "Buffer", "Mixer", "Output"];
    let lines = rows_at(&at, 104.0, &[labels; 6]);
    // Wires hang from a line, each crosses another one, and most of their ends lead nowhere.
    let wires = (0..7_u8).flat_map(|at| {
        let (x, y) = (40.0 + 50.0 * f64::from(at), 97.0 + 12.0 * f64::from(at));
        [upright(x, 90.0, y + 3.0), level(y, x - 20.0, x + 30.0)]
    });
    let drawing: Vec<RulingLine> = wires.chain([level(90.0, 5.0, 400.0)]).collect();
    assert!(found(&lines, &drawing).is_empty(), "{:?}", found(&lines, &drawing));
    // The same labels between rules that meet are one.
    let levels = (0..7).map(|row| level(92.0 + 14.0 * f64::from(row), 5.0, 400.0));
    let grid: Vec<RulingLine> =
        levels.chain([5.0, 110.0, 210.0, 310.0, 400.0].map(|x| upright(x, 92.0, 176.0))).collect();
    assert_eq!(found(&lines, &grid), [vec![labels.to_vec(); 6]]);
}

#[test]
fn notes_on_staves_are_no_table() {
    let rows: &[&[&str]] = &[&["9", "9", "7"], &["9", "7", "9"], &["7", "7", "5"]];
    let at = [20.0, 120.0, 220.0];
    let lines = rows_at(&at, 104.0, rows);
    let sides = [5.0, 100.0, 200.0, 300.0].map(|x| upright(x, 92.0, 140.0));
    // Six strings, nearer to each other than numbers are high; and rules between the rows.
    let staves = (0..7).map(|string| level(92.0 + 8.0 * f64::from(string), 5.0, 300.0)).chain(sides);
    assert!(found(&lines, &staves.collect::<Vec<_>>()).is_empty());
    let table = [92.0, 108.0, 122.0, 140.0].map(|y| level(y, 5.0, 300.0)).into_iter().chain(sides);
    assert_eq!(found(&lines, &table.collect::<Vec<_>>()), [rows]);
}

#[test]
fn details_below_a_row_of_an_invoice_are_of_that_row() {
    let item = |number, name, sum| -> [Vec<&str>; 3] {
        [vec![number, name, sum], vec!["", "by the yard", ""], vec!["", "01.05.14-31.05.14", ""]]
    };
    let items = [item("1", "Oak board", "3.89"), item("2", "Elm board", "5.39"), item("3", "Ash board", "5.39")];
    let rows: Vec<&[&str]> = items.iter().flatten().map(Vec::as_slice).collect();
    let mut lines = rows_at(&[10.0, 110.0, 310.0], 100.0, &rows);
    // All lines are as far apart as rows, and farther than those of a cell.
    lines.iter_mut().for_each(|line| line.baseline *= 1.5);
    let details = |name: &str| format!("{name} by the yard 01.05.14-31.05.14");
    assert_eq!(
        found(&lines, &[]),
        [[
            ["1", &details("Oak board"), "3.89"],
            ["2", &details("Elm board"), "5.39"],
            ["3", &details("Ash board"), "5.39"]
        ]]
    );
}

#[test]
fn sums_side_by_side_stay_with_their_labels() {
    let rows: [&[&str]; 4] = [
        &["Net", "593.36", "Subtotal", "717.97"],
        &["VAT 21%", "124.61", "", ""],
        &["", "", "Paid today", "717.97"],
        &["Total", "717.97", "Due", "0.00"],
    ];
    let lines = rows_at(&[10.0, 110.0, 210.0, 330.0], 100.0, &rows);
    assert_eq!(found(&lines, &[]), [rows]);
}

#[test]
fn two_texts_that_share_no_row_are_no_table() {
    let rows: [&[&str]; 3] = [&["", "", "BIC", "12345"], &["Date", "19 April", "", ""], &["Order", "12572", "", ""]];
    assert!(found(&rows_at(&[10.0, 110.0, 210.0, 330.0], 100.0, &rows), &[]).is_empty());
}

#[test]
fn two_addresses_between_rules_are_no_table() {
    let rows: [&[&str]; 3] = [&["Bill to", "Ship to"], &["Oak Mill", "Elm Mill"], &["Bergen", "Oslo"]];
    let by_rows = rows_at(&[10.0, 210.0], 100.0, &rows);
    let mut by_columns = by_rows.clone();
    by_columns.sort_by(|a, b| a.start.total_cmp(&b.start));
    let around = [level(85.0, 5.0, 400.0), level(140.0, 5.0, 400.0)];
    assert!(found(&by_columns, &around).is_empty());
    // Drawn row by row, or below a ruled head, they are cells.
    assert_eq!(found(&by_rows, &around), [rows]);
    assert_eq!(found(&by_columns, &[&around[..], &[level(103.0, 5.0, 400.0)]].concat()), [rows]);
}

#[test]
fn a_bold_head_far_below_values_begins_another_table() {
    let rows: [&[&str]; 6] = [
        &["Client", "Order", "Date"],
        &["Oak Mill", "12572", "8-9-2022"],
        &["Item", "Price", "Sum"],
        &["Board", "49.99", "49.99"],
        &["Nails", "0.10", "1.00"],
        &["Glue", "2.50", "5.00"],
    ];
    let mut lines = rows_at(&[10.0, 110.0, 210.0], 100.0, &rows);
    for (at, line) in lines.iter_mut().enumerate() {
        let is_head = at / 3 == 0 || at / 3 == 2;
        line.words.iter_mut().for_each(|word| word.style.bold = is_head);
        line.baseline += if at / 3 > 1 { 14.0 } else { 0.0 };
    }
    let rules = [level(85.0, 5.0, 400.0), level(200.0, 5.0, 400.0)];
    assert_eq!(found(&lines, &rules), [rows[..2].to_vec(), rows[2..].to_vec()]);
}

#[test]
fn labels_with_colons_between_two_rules_are_rows_of_their_own() {
    let rows: [&[&str]; 5] = [
        &["Invoice", "Details"],
        &["Number:", "forty two"],
        &["Dated:", "third of May"],
        &["Payable to:", "Oak Mill"],
        &["Through:", "Elm Bank"],
    ];
    let lines = rows_at(&[10.0, 210.0], 100.0, &rows);
    // Below the head they stand in two spaces between rules.
    let rules = [85.0, 104.0, 131.0, 160.0].map(|at| level(at, 5.0, 400.0));
    assert_eq!(found(&lines, &rules), [rows]);
}

#[test]
fn a_sum_may_stand_out_of_the_rules_and_other_text_may_not() {
    let rules = [88.0, 104.0, 150.0].map(|at| level(at, 5.0, 242.0));
    let holds = |start: f64, end: f64, rules: &[RulingLine]| {
        regions(rules)[0].holds(&Line::of(vec![Word::at("150.99", start, end)], 142.0, 10.0))
    };
    for (start, end, is_held) in
        [(210.0, 240.0, true), (210.0, 256.0, true), (210.0, 260.0, false), (20.0, 256.0, false)]
    {
        assert_eq!(holds(start, end, &rules), is_held, "{start} {end}");
    }
    let closed = [&rules[..], &[upright(5.0, 88.0, 150.0), upright(242.0, 88.0, 150.0)]].concat();
    assert!(!holds(210.0, 256.0, &closed), "a frame is where it ends");
}
