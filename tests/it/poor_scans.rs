//! Scans that hardly show what they say: faint, strewn with specks, nearly blank.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::ocr::{PAGE, expected, installed, picture, png, run, words};

/// What some pictures of pages say, without markup, and what is known against each.
async fn read_pictures(home: &Path, pictures: &[(&str, Vec<u8>, u32)]) -> Vec<(Vec<String>, Vec<Value>)> {
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    let path = |name: &str| dir.path().join(name).with_extension("png").to_str().unwrap().to_owned();
    for (name, gray, width) in pictures {
        fs::write(path(name), png((gray.clone(), *width))).unwrap();
    }
    let paths: Vec<String> = pictures.iter().map(|(name, ..)| path(name)).collect();
    let options = ["--processor", "ocr", "--out-dir", out.to_str().unwrap(), "--json"];
    let arguments: Vec<&str> = ["convert"].into_iter().chain(paths.iter().map(String::as_str)).chain(options).collect();
    let (code, _, err) = run(home, &data, &arguments).await;
    assert_eq!(code, 0, "{err}");
    let page = |(name, ..): &(&str, Vec<u8>, u32)| {
        let pages: Value = serde_json::from_slice(&fs::read(out.join(name).with_extension("json")).unwrap()).unwrap();
        let said = pages[0]["markdown"].as_str().unwrap_or_default();
        (words(said).into_iter().map(str::to_owned).collect(), pages[0]["findings"].as_array().unwrap().clone())
    };
    pictures.iter().map(page).collect()
}

/// A number that looks like chance, of each pixel.
const fn chance(at: usize) -> usize {
    let mixed = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
}

/// Specks between lines hid these from the detector, all the more where ink is faint, and nothing was said.
#[tokio::test]
async fn faint_scans_that_are_strewn_with_specks_are_read_line_for_line() {
    let Some(home) = installed() else { return };
    let (gray, width) = picture(&PAGE);
    let strewn = |faint: fn(u8) -> u8, one_of: usize, side: usize| {
        let row = width as usize;
        let speck = |x: usize, y: usize| chance(y / side * row + x / side).is_multiple_of(one_of);
        let pixels = gray.iter().enumerate().map(|(at, of)| if speck(at % row, at / row) { 0 } else { faint(*of) });
        pixels.collect::<Vec<u8>>()
    };
    let pictures = [
        ("faint", strewn(|of| 185 + of / 5, 250, 1), width),
        ("fainter", strewn(|of| 200 + of / 6, 80, 1), width),
        ("large", strewn(|of| 150 + of / 3, 700, 2), width),
        ("dark", strewn(|of| of, 250, 1), width),
    ];
    for ((said, findings), (name, ..)) in read_pictures(home, &pictures).await.into_iter().zip(&pictures) {
        assert_eq!(said, expected(), "{name} {findings:?}");
        assert!(findings.iter().all(|finding| finding["fact"] == true), "{name} {findings:?}");
    }
}

/// Light gray between black is found at a second look.
#[tokio::test]
async fn faint_lines_between_black_ones_are_read() {
    let Some(home) = installed() else { return };
    let (gray, width) = picture(&PAGE);
    // The third line and those below.
    let light = |at: usize, of: u8| if at / width as usize > 460 { 225 + of / 9 } else { of.min(250) };
    let light = gray.iter().enumerate().map(|(at, of)| light(at, *of)).collect();
    let (said, findings) = read_pictures(home, &[("light", light, width)]).await.remove(0);
    assert_eq!(said, expected(), "{findings:?}");
}

/// One word takes hardly any of a page, and faint ones differ little from paper: neither is a blank page. Paper is, also where
/// the other side shines through.
#[tokio::test]
async fn a_scan_with_one_word_or_with_faint_ones_is_no_blank_page() {
    let Some(home) = installed() else { return };
    let (word, width) = picture(&[(11, ""), (11, "Appendix B")]);
    let (page, _) = picture(&PAGE);
    let paper = |of: u8, at: usize| 236 + of / 51 + u8::try_from(chance(at) % 5).unwrap();
    let mut back = page.clone();
    back.chunks_exact_mut(width as usize).for_each(<[u8]>::reverse);
    let on_paper = |pixels: &[u8], ink: fn(u8) -> u8| {
        pixels.iter().enumerate().map(|(at, of)| paper(*of, at).min(ink(*of))).collect::<Vec<u8>>()
    };
    let pictures = [
        ("word", on_paper(&word, |of| of), width),
        ("white", word, width),
        ("faint", on_paper(&page, |of| 205 + of / 6), width),
        ("blank", on_paper(&vec![255; page.len()], |of| of), width),
        ("thin", on_paper(&back, |of| 222 + of / 8), width),
    ];
    let read = read_pictures(home, &pictures).await;
    for (said, findings) in &read[..2] {
        assert_eq!(said, &["Appendix", "B"], "{findings:?}");
    }
    assert_eq!(read[2].0, expected(), "{:?}", read[2].1);
    for (said, findings) in &read[3..] {
        assert!(said.is_empty() && findings.is_empty(), "{said:?} {findings:?}");
    }
}

/// A picture of one line is a strip: parts of it as long as a page's are wide would end in every word.
#[tokio::test]
async fn a_picture_of_one_line_is_read_as_one() {
    let Some(home) = installed() else { return };
    let (gray, width) = picture(&[PAGE[3]]);
    let rows: Vec<&[u8]> = gray.chunks_exact(width as usize).collect();
    let first = rows.iter().position(|row| row.iter().any(|of| *of < 100)).unwrap();
    let strip = rows[first - 12..first + 40].concat();
    let (said, findings) = read_pictures(home, &[("strip", strip, width)]).await.remove(0);
    assert_eq!(said.join(" "), PAGE[3].1, "{findings:?}");
}
