//! How a font looks: bold, italic, of letters of one width; by its name, its flags and its widths.

use hayro_syntax::object::dict::keys;
use hayro_syntax::object::{Array, Dict, Name, Object};

use skrifa::attribute::Weight;
use skrifa::{FontRef, MetadataProvider};

use super::line::Style;

/// Widths within this of each other are one, in thousandths of the size.
const SAME_WIDTH: f64 = 12.0;
/// Fewer letters do not tell whether a font has them all of one width.
const FEWEST_LETTERS: usize = 6;

/// How a font looks, by its name, its flags and its weight (PDF 32000-1, tables 122 and 123).
pub(super) fn style(font: &Dict<'_>) -> Style {
    let descriptor =
        descendant(font).unwrap_or_else(|| font.clone()).get::<Dict<'_>>("FontDescriptor").unwrap_or_default();
    let mut style = named_style(&name(font));
    let flags = descriptor.get::<u32>("Flags").unwrap_or(0);
    // Some programs set the flag for fonts that are nothing of the kind.
    style.mono |= flags & 1 != 0 && !are_uneven(&widths(font));
    style.italic |= flags & 1 << 6 != 0;
    style.bold |= flags & 1 << 18 != 0 || descriptor.get::<f32>("FontWeight").unwrap_or(0.0) >= 600.0;
    style
}

/// Whether the letters of a simple font are as wide as each other, as is seen when it has narrow and wide ones.
pub(super) fn is_even(font: &Dict<'_>, letter: impl Fn(u32) -> Option<char>) -> bool {
    let widths = simple_widths(font);
    if are_uneven(&widths.iter().map(|(_, width)| *width).collect::<Vec<_>>()) {
        return false;
    }
    let letters: Vec<char> =
        widths.iter().filter_map(|(code, _)| letter(*code)).filter(|c| c.is_alphabetic()).collect();
    let has = |of: &[char]| letters.iter().any(|letter| of.contains(letter));
    letters.len() >= FEWEST_LETTERS && has(&['i', 'j', 'l', 'f', 't', 'r', 'I']) && has(&['m', 'w', 'M', 'W'])
}

/// Whether widths differ by more than those of a font with letters of one width do, among which some may be twice as wide.
fn are_uneven(widths: &[f64]) -> bool {
    let mut sorted = widths.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(&usual) = sorted.get(sorted.len() / 2) else { return false };
    let is_usual = |width: f64| (width - usual).abs() < SAME_WIDTH;
    sorted.iter().any(|width| !is_usual(*width) && !is_usual(width / 2.0) && !is_usual(width * 2.0))
}

/// The widths that a font gives its codes, in thousandths of its size; none of those that have no width.
fn widths(font: &Dict<'_>) -> Vec<f64> {
    let Some(descendant) = descendant(font) else {
        return simple_widths(font).into_iter().map(|(_, width)| width).collect();
    };
    // `c [w1 w2 …]` or `first last w` (PDF 32000-1, 9.7.4.3).
    let mut widths = Vec::new();
    let mut numbers = 0;
    for part in descendant.get::<Array<'_>>(keys::W).iter().flat_map(Array::iter::<Object<'_>>) {
        match part {
            Object::Array(of) => {
                widths.extend(of.iter::<f64>());
                numbers = 0;
            }
            Object::Number(width) if numbers == 2 => {
                widths.push(width.as_f64());
                numbers = 0;
            }
            _ => numbers += 1,
        }
    }
    widths.retain(|width| *width > 0.0);
    widths
}

fn simple_widths(font: &Dict<'_>) -> Vec<(u32, f64)> {
    let first = font.get::<u32>("FirstChar").unwrap_or(0).min(255);
    let widths = font.get::<Array<'_>>("Widths");
    (first..256).zip(widths.iter().flat_map(Array::iter::<f64>)).filter(|(_, width)| *width > 0.0).collect()
}

/// What a composite font is made of; `None` for a simple one.
fn descendant<'a>(font: &Dict<'a>) -> Option<Dict<'a>> {
    font.get::<Array<'_>>(keys::DESCENDANT_FONTS)?.iter::<Dict<'_>>().next()
}

/// What a TrueType or OpenType font says of its own looks, which some programs tell nowhere else.
pub(super) fn add_own(style: &mut Style, font: &[u8]) {
    let Ok(font) = FontRef::from_index(font, 0) else { return };
    let own = font.attributes();
    style.bold |= own.weight >= Weight::SEMI_BOLD;
    style.italic |= own.style != skrifa::attribute::Style::Normal;
}

/// The name of a font; empty when it has none.
pub(super) fn name(font: &Dict<'_>) -> String {
    let descriptor = || font.get::<Dict<'_>>("FontDescriptor")?.get::<Name<'_>>("FontName");
    let name = font.get::<Name<'_>>("BaseFont").or_else(descriptor);
    name.map(|name| String::from_utf8_lossy(name.as_ref()).into_owned()).unwrap_or_default()
}

pub(super) fn named_style(name: &str) -> Style {
    // What stands before a plus is the tag of a subset.
    let name = name.split_once('+').map_or(name, |(_, name)| name).to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    // Computer Modern and its kin name their cuts by two letters behind that of the family.
    let cut = ["cm", "sf", "ec", "lm", "tc", "pl"].iter().find_map(|family| name.strip_prefix(family)).unwrap_or("");
    let cut_is = |cuts: &[&str]| {
        cuts.iter().any(|of| {
            cut.strip_prefix(of).is_some_and(|size| size.trim_end_matches("-ot1").bytes().all(|b| b.is_ascii_digit()))
        })
    };
    Style {
        bold: has(&["bold", "black", "heavy", "demi", "-medi"])
            || name.ends_with("-bd")
            || cut_is(&["bx", "b", "bxti", "bxsl", "ssbx", "bsy", "mib", "roman10-bold", "xb", "bi", "bl"]),
        italic: has(&["italic", "oblique", "slanted", "-ital", "kursiv"])
            || name.ends_with("-it")
            || name.ends_with("ital")
            || cut_is(&["ti", "sl", "bxti", "bxsl", "ssi", "itt", "bi", "bl", "si"]),
        mono: has(&["courier", "mono", "typewriter", "consol", "menlo", "inconsolata", "fixed", "sourcecode"])
            || cut_is(&["tt", "sltt", "itt", "tcsc", "vtt"])
            || cut.starts_with("tt"),
        script: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_fonts_say_how_they_look() {
        for (name, bold, italic, mono) in [
            ("ABCDEF+CMR10", false, false, false),
            ("ABCDEF+CMBX12", true, false, false),
            ("CMTI10", false, true, false),
            ("CMTT9", false, false, true),
            ("SFRM1000", false, false, false),
            ("SFTT1000", false, false, true),
            ("SFBX1200", true, false, false),
            ("NimbusRomNo9L-Medi", true, false, false),
            ("NimbusRomNo9L-ReguItal", false, true, false),
            ("LMMono10-Regular", false, false, true),
            ("Helvetica-BoldOblique", true, true, false),
            ("TimesNewRomanPS-BoldItalicMT", true, true, false),
            ("DejaVuSansMono", false, false, true),
            ("Arial", false, false, false),
        ] {
            assert_eq!(named_style(name), Style { bold, italic, mono, script: None }, "{name}");
        }
    }

    #[test]
    fn widths_of_one_font_may_be_double() {
        for (widths, uneven) in [
            (&[600.0, 600.0, 601.0][..], false),
            (&[500.0, 500.0, 1000.0, 500.0], false),
            (&[278.0, 556.0, 556.0, 667.0], true),
            (&[], false),
        ] {
            assert_eq!(are_uneven(widths), uneven, "{widths:?}");
        }
    }
}
