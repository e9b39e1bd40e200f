//! The set of `tests/data/witness.json`: scans of pages that are known, what OCR reads on them, and answers as models give
//! them, made by seed.

use std::collections::HashSet;

use serde::Deserialize;

use super::*;
use crate::content::from_markdown;
use crate::output::text;
use crate::task::TaskOptions;

#[derive(Clone, Deserialize)]
struct Scan {
    page: String,
    /// How it was spoilt.
    #[serde(rename = "scan")]
    how: String,
    sure: String,
    text: String,
    ocr: String,
}

fn scans() -> Vec<Scan> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/witness.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A number below `most`, by seed.
fn pick(seed: &str, most: usize) -> usize {
    let hash = seed
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    usize::try_from((hash ^ hash >> 29) % most.max(1) as u64).unwrap()
}

fn blocks(markdown: &str) -> Vec<&str> {
    markdown.split("\n\n").collect()
}

/// The words of a line, and what stands between them; of a script without spaces, pieces between its marks.
fn words_of(line: &str) -> (Vec<&str>, &'static str) {
    let is_spaceless = line.chars().any(|c| matches!(c, '\u{3040}'..='\u{9fff}'));
    if is_spaceless && !line.starts_with('|') {
        return (line.split_inclusive(['，', '。', '、', '；', '・', ' ']).collect(), "");
    }
    (line.split(' ').collect(), " ")
}

fn words_changed(text: &str, change: impl Fn(usize, &str) -> String) -> String {
    let lines = text.lines().map(|line| {
        let (words, between) = words_of(line);
        words.into_iter().enumerate().map(|(at, word)| change(at, word)).collect::<Vec<_>>().join(between)
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn has_digits(word: &str, least: usize) -> bool {
    word.chars().filter(char::is_ascii_digit).count() >= least
}

/// Changes a digit in as many numbers.
fn digits_changed(text: &str, seed: &str, count: usize) -> Option<String> {
    let places: Vec<usize> = text
        .split_inclusive([' ', '\n', '|'])
        .scan(0, |at, word| {
            let begin = *at;
            *at += word.len();
            Some((begin, word))
        })
        .filter(|(_, word)| has_digits(word, 2))
        .map(|(begin, word)| begin + word.find(|c: char| c.is_ascii_digit()).unwrap())
        .collect();
    if places.len() < count {
        return None;
    }
    let mut changed = text.to_owned().into_bytes();
    for number in 0..count {
        let at = places[(pick(seed, places.len()) + number * (places.len() / count)) % places.len()];
        changed[at] = b'0' + (changed[at] - b'0' + 3 + u8::try_from(pick(seed, 5)).unwrap()) % 10;
    }
    Some(String::from_utf8(changed).unwrap())
}

const RIGHT: [&str; 6] =
    ["as it is", "without markup", "tables in HTML", "in LaTeX", "in another order", "a few slips"];

/// The answer of a kind that is right; `None` where the page has not what it takes.
fn right(kind: &str, scan: &Scan) -> Option<String> {
    let page = scan.text.as_str();
    let parts = blocks(page);
    Some(match kind {
        "as it is" => page.to_owned(),
        "without markup" => text::blocks(&from_markdown(page).blocks),
        "tables in HTML" => {
            let row = |line: &str| format!("<tr><td>{}</td></tr>", line.trim_matches('|').replace('|', "</td><td>"));
            let part = |part: &&str| {
                let rows: Vec<_> =
                    part.lines().filter(|line| !line.starts_with("|-") && !line.starts_with("| -")).map(row).collect();
                if part.starts_with('|') { format!("<table>{}</table>", rows.concat()) } else { (*part).to_owned() }
            };
            page.contains("\n|").then(|| parts.iter().map(part).collect::<Vec<_>>().join("\n\n"))?
        }
        "in LaTeX" => words_changed(page, |at, word| match () {
            () if has_digits(word, 4) && !word.contains(['|', '[', '(', '<']) => {
                format!("${}$", word.replace(',', "{,}"))
            }
            () if at % 9 == 4 && word.len() > 3 && word.chars().all(char::is_alphabetic) => format!("**{word}**"),
            () => word.to_owned(),
        }),
        "in another order" => {
            let middle = parts.len() / 2;
            (parts.len() > 2).then(|| [&parts[middle..], &parts[..middle]].concat().join("\n\n"))?
        }
        "a few slips" => words_changed(page, |at, word| match () {
            () if at % 40 == 17 && word.len() > 5 && word.is_ascii() && !has_digits(word, 1) => {
                format!("{}{}", &word[..2], &word[3..])
            }
            () => word.to_owned(),
        }),
        _ => unreachable!("{kind}"),
    })
}

/// The answer of a kind that is wrong; `None` where the page has not what it takes.
fn wrong(kind: &str, scan: &Scan, other: &Scan) -> Option<String> {
    let page = scan.text.as_str();
    let seed = format!("{} {} {kind}", scan.page, scan.how);
    let parts = blocks(page);
    let is_word = |word: &&str| !word.trim().is_empty() && !has_digits(word, 1);
    let lines = other.text.lines().flat_map(|line| words_of(line).0.into_iter().flat_map(str::split_whitespace));
    let other_words: Vec<&str> = lines.filter(is_word).collect();
    let borrowed = |at: usize| {
        other_words.get((at * 7 + pick(&seed, 50)) % other_words.len().max(1)).copied().unwrap_or("x").to_owned()
    };
    Some(match kind {
        "paraphrase" => words_changed(page, |at, word| match () {
            () if at % 2 == 0 && word.len() > 2 && !has_digits(word, 1) => borrowed(at),
            () => word.to_owned(),
        }),
        "summary" => {
            let first = |part: &&str| {
                part.split_inclusive(". ").next().unwrap_or_default().chars().take(60).collect::<String>()
            };
            let said = parts.iter().map(first).collect::<Vec<_>>().join("\n\n");
            (said.len() * 10 < page.len() * 7).then_some(said)?
        }
        "a paragraph omitted" => {
            let letters = |part: &str| part.chars().filter(|c| c.is_alphanumeric()).count();
            let long: Vec<usize> = (0..parts.len()).filter(|at| letters(parts[*at]) >= 80).collect();
            let gone = (parts.len() > 2 && !long.is_empty()).then(|| long[pick(&seed, long.len())])?;
            let kept: Vec<_> = parts.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, part)| *part).collect();
            kept.join("\n\n")
        }
        "the end missing" => {
            let cut = page.char_indices().map(|(at, _)| at).nth(page.chars().count() * 6 / 10)?;
            page[..cut].to_owned()
        }
        "an invented total" => {
            format!("{page}\n\n**Total: {}.{}**", 12_000 + pick(&seed, 80_000), 10 + pick(&seed, 90))
        }
        "an invented sentence" => {
            let sentence: Vec<_> = (0..14).map(borrowed).collect();
            format!("{page}\n\n{}.", sentence.join(" "))
        }
        "a digit changed" => digits_changed(page, &seed, 1)?,
        "three digits changed" => digits_changed(page, &seed, 3)?,
        "another page" => other.text.clone(),
        "a loop" => {
            let half = page.char_indices().map(|(at, _)| at).nth(page.chars().count() / 2)?;
            let line = page[..half].lines().rev().find(|line| line.len() > 15)?;
            format!("{}{}", &page[..half], format!("\n{line}").repeat(9))
        }
        "translated" => {
            words_changed(
                page,
                |at, word| if word.len() > 2 && !has_digits(word, 1) { borrowed(at) } else { word.to_owned() },
            )
        }
        "empty" => String::new(),
        _ => unreachable!("{kind}"),
    })
}

/// The answer of a kind for a page; `None` where the page has not what it takes.
fn answer(kind: &str, scan: &Scan, other: &Scan) -> Option<String> {
    if RIGHT.contains(&kind) { right(kind, scan) } else { wrong(kind, scan, other) }
}

const WRONG: [&str; 12] = [
    "paraphrase",
    "summary",
    "a paragraph omitted",
    "the end missing",
    "an invented total",
    "an invented sentence",
    "a digit changed",
    "three digits changed",
    "another page",
    "a loop",
    "translated",
    "empty",
];

/// Another page, of which hardly a word stands on this one, in a language that OCR reads.
fn another(scans: &[Scan], at: usize) -> &Scan {
    let own = vocabulary(&scans[at]);
    let differs = |other: &&Scan| {
        let theirs = vocabulary(other);
        !lacks_letters(other) && theirs.intersection(&own).count() * 4 < theirs.len().min(own.len())
    };
    scans[at + 1..].iter().chain(&scans[..at]).find(differs).unwrap()
}

fn vocabulary(scan: &Scan) -> HashSet<&str> {
    scan.text.split_whitespace().collect()
}

fn quality(scan: &Scan) -> OcrQuality {
    let words: Vec<&str> = scan.sure.split(' ').collect();
    let number_before = |units: &[&str]| {
        let named = words.windows(2).find(|pair| units.contains(&pair[1]));
        named.and_then(|pair| pair[0].parse::<u32>().ok()).unwrap_or(0)
    };
    let [confidence, left_out] = [number_before(&["%"]), number_before(&["line", "lines"])];
    let lines = u32::try_from(scan.ocr.lines().count()).unwrap();
    #[allow(clippy::cast_precision_loss, reason = "per cent")]
    OcrQuality { confidence: confidence as f32 / 100.0, lines, left_out, ..OcrQuality::default() }
}

/// Whether it is of a page in Chinese or Japanese; the limits were set without these.
fn is_of_another_script(scan: &Scan) -> bool {
    ["chinese-", "japanese-"].iter().any(|script| scan.page.starts_with(script))
}

/// Whether it is of a page in a language of which the models lack many letters.
fn lacks_letters(scan: &Scan) -> bool {
    ["greek-", "vietnamese-"].iter().any(|language| scan.page.starts_with(language))
}

/// How often an answer of each kind is vouched for, unsure, unfaithful and neither, on some scans.
fn rates(wanted: impl Fn(&Scan) -> bool) -> Vec<(&'static str, [usize; 4])> {
    let (scans, ocr) = (scans(), crate::processor::ocr::tests::processor(true, false));
    let mut rates: Vec<_> = RIGHT.iter().chain(&WRONG).map(|kind| (*kind, [0; 4])).collect();
    for (at, scan) in scans.iter().enumerate().filter(|(_, scan)| wanted(scan)) {
        let (other, seen) = (another(&scans, at), from_markdown(scan.ocr.as_str()).blocks);
        for (kind, counts) in &mut rates {
            let Some(answer) = answer(kind, scan, other) else { continue };
            let answer = from_markdown(answer).blocks;
            if !ocr.reads_script_of(&said(&answer), &TaskOptions::default()) {
                counts[3] += 1;
                continue;
            }
            counts[match testify(&seen, quality(scan), &answer).verdict {
                Verdict::Vouched => 0,
                Verdict::Unsure(_) => 1,
                Verdict::Unfaithful(_) => 2,
                Verdict::Silent(_) => 3,
            }] += 1;
        }
    }
    rates
}

/// The table of the module's docs, within bounds: the half that the limits were not chosen by.
#[test]
fn right_answers_are_vouched_for_and_others_are_not() {
    assert!(scans().len() >= 210);
    let (mut cases, mut missed) = (0, 0);
    let set_by = |scan: &Scan| !is_of_another_script(scan) && !lacks_letters(scan);
    let second_half = |scan: &Scan| set_by(scan) && !pick(&scan.page, 1_000).is_multiple_of(2);
    for (kind, counts) in rates(second_half) {
        let [vouched, unsure, unfaithful, silent] = counts;
        let all: usize = counts.iter().sum();
        println!("| {kind} | {vouched} | {unsure} | {unfaithful} |");
        cases += all;
        assert_eq!(silent, 0, "{kind}");
        if RIGHT.contains(&kind) {
            assert!(unfaithful == 0 && vouched * 100 >= all * 97, "{kind}: {counts:?}");
        } else {
            missed += vouched;
            assert!(vouched * 100 <= all * 6, "{kind}: {counts:?}");
        }
        if ["another page", "translated", "empty"].contains(&kind) {
            assert!(unfaithful * 100 >= all * 98, "{kind}: {counts:?}");
        }
    }
    assert!(cases >= 1_700 && missed <= 10, "{cases} cases, {missed} wrong ones are vouched for");
}

/// The second table of the module's docs: pages that the limits were set without.
#[test]
fn answers_in_chinese_and_japanese_are_judged_alike() {
    let (mut right, mut wrong) = ([0; 4], [0; 4]);
    for (kind, counts) in rates(is_of_another_script) {
        println!("| {kind} | {} | {} | {} |", counts[0], counts[1], counts[2]);
        let sum = if RIGHT.contains(&kind) { &mut right } else { &mut wrong };
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        if ["another page", "translated", "empty"].contains(&kind) {
            assert_eq!(counts[0], 0, "{kind}: {counts:?}");
        }
    }
    let [all_right, all_wrong] = [right, wrong].map(|counts| counts.iter().sum::<usize>());
    assert!(right[2..] == [0, 0] && right[0] * 100 >= all_right * 97, "right ones: {right:?}");
    assert!(all_wrong >= 100 && wrong[0] * 100 <= all_wrong, "wrong ones: {wrong:?}");
}

#[test]
fn of_languages_that_the_models_read_in_part_ocr_says_nothing() {
    let mut cases = 0;
    for (kind, counts) in rates(lacks_letters) {
        let [vouched, unsure, unfaithful, silent] = counts;
        cases += silent;
        // What is no answer in such a language may be judged, but not taken for the page.
        let is_other = ["empty", "another page", "translated", "paraphrase"].contains(&kind);
        assert!(vouched == 0 && (is_other || unsure + unfaithful == 0), "{kind}: {counts:?}");
    }
    assert!(cases >= 100, "{cases}");
}

#[test]
fn passages_that_the_text_of_a_page_does_not_have_are_told() {
    let line = |at: u32| format!("Line {at} of the register names {} and {}.\n\n", at * 37 + 11, at * 91 + 7);
    let page = (0..20).map(line).collect::<Vec<_>>().concat();
    let cut = page.find("Line 12").unwrap();
    let more = "A second passage that is not written on this sheet of paper goes on about barley, ropes, candles and \
                the price of wool in the year after the flood, and ends with a greeting to all who read it.";
    for (answer, expected) in [
        (page.clone(), None),
        (format!("{}\n\n{}", &page[cut..], &page[..cut]), None),
        (page[..cut].to_owned(), Some("the answer leaves out what the page's text says: \"")),
        (format!("{}\n\n![a plan]()", &page[..cut]), None),
        (format!("{page}\n\n{more}"), Some("the page's text does not say: \"A second passage")),
        (format!("{page}\n\n{}", &page[cut..]), Some("the page's text does not say: \"")),
    ] {
        let said = passage(&page, &answer);
        assert!(said.as_deref().unwrap_or_default().starts_with(expected.unwrap_or_default()), "{said:?}");
        assert_eq!(said.is_some(), expected.is_some(), "{said:?}\n{answer}");
    }
}

#[test]
fn what_is_compared_is_told_in_its_words() {
    let quality = OcrQuality { confidence: 0.98, lines: 4, ..OcrQuality::default() };
    let page = "The committee met on 14 March 2026 and approved a budget of 1,284,500 for the new library.\n\n\
                Work begins in autumn; the old building stays open until the shelves have been moved to their new \
                places, which the architect expects in spring.";
    let poor = OcrQuality { confidence: 0.6, ..quality };
    let half = &page[..page.find("\n\n").unwrap()];
    let many = (20..32).map(|number| format!("\n\n{}", number * 317)).collect::<Vec<_>>().concat();
    let (more, twice) = (format!("{page}{many}"), [page, page].join("\n\n"));
    let pictured = format!("{half}\n\n![the old building]()");
    for (seen, answer, quality, expected) in [
        (page, page, quality, "Vouched"),
        (page, &page.replace("1,284,500", "$1{,}284{,}500$"), quality, "Vouched"),
        (page, &page.replace("1,284,500", "1 284 500").replace("committee", "**committee**"), quality, "Vouched"),
        (page, &page.replace("14 March", "14\\textsuperscript{th} March"), quality, "Vouched"),
        (&page.replace("met on", "rnet 0n"), page, quality, "Vouched"),
        (
            page,
            &page.replace("1,284,500", "1,294,500"),
            quality,
            "Unsure(\"the answer has numbers that OCR does not read: 1294500; OCR reads 1284500",
        ),
        (page, half, quality, "Unfaithful(\"the answer has 3"),
        (page, &twice, quality, "Unsure(\"OCR does not read on the page: "),
        (page, &more, quality, "Unsure(\"OCR does not read on the page: "),
        (page, half, poor, "Silent(\"OCR cannot vouch for it: it is only 60 % sure"),
        (page, page, poor, "Vouched"),
        (page, "The committee met on 14 March 2026.\n\n![a chart]()", quality, "Unsure(\"the answer leaves out"),
        (page, "![a chart]()", quality, "Unsure(\"the answer leaves out"),
        (page, "Quite another page, of a register\n\n![a chart]()", quality, "Unfaithful(\"the answer has "),
        ("12 May", page, quality, "Unsure(\"the answer has 1"),
        ("Exit", "Exit", quality, "Silent(\"OCR reads too little"),
        (
            &[page, page, page].join("\n\n"),
            &[page, page, &pictured].join("\n\n"),
            quality,
            "Unsure(\"the answer leaves out what OCR reads: ",
        ),
        (
            &[page, page, page].join("\n\n"),
            &[page, page, half].join("\n\n"),
            quality,
            "Unfaithful(\"the answer leaves out what OCR reads: ",
        ),
    ] {
        let [seen_blocks, answer_blocks] = [seen, answer].map(|markdown| from_markdown(markdown).blocks);
        let testimony = testify(&seen_blocks, quality, &answer_blocks);
        let verdict = format!("{:?}", testimony.verdict);
        assert!(verdict.starts_with(expected), "{answer}\n{verdict} {:?}", testimony.found);
    }
}
