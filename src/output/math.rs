//! LaTeX → `MathML`, for people who read a page in a browser.

use std::panic::catch_unwind;
use std::sync::LazyLock;
use std::thread;

use math_core::{LatexToMathML, MathCoreConfig, MathDisplay};

/// The longest formula that is converted, bytes.
const LONGEST: usize = 2_048;
/// A formula with no more signs that a level may begin with needs no more stack than there is.
const SHALLOW: usize = 32;
/// The stack of others: the converter goes as deep as a formula does, which may be a level a byte.
const STACK: usize = 128 << 20;

/// Converts a formula to a `<math>` element without `style` attributes and links, which policies of pages refuse; its
/// LaTeX stands in an annotation (`MathML` Core, 2.2.1). Columns that are not centred have the class `left` or `right`.
/// Returns `None` where it is no LaTeX that the converter knows.
pub(super) fn mathml(latex: &str, display: MathDisplay) -> Option<String> {
    static CONVERTER: LazyLock<Option<LatexToMathML>> = LazyLock::new(|| {
        let config = MathCoreConfig { annotation: true, ..MathCoreConfig::default() };
        LatexToMathML::new(config).ok()
    });
    let latex = latex.trim();
    if latex.is_empty() || latex.len() > LONGEST {
        return None;
    }
    let converter = CONVERTER.as_ref()?;
    let convert = || converter.convert_with_local_state(latex, display).ok().map(|made| made.mathml);
    // Formulas come from models and PDFs: one that the converter panics on is shown as it is.
    let made = if latex.matches(['\\', '{', '^', '_']).count() <= SHALLOW {
        catch_unwind(convert).ok().flatten()
    } else {
        thread::scope(|scope| {
            let converting = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, convert).ok()?;
            converting.join().ok().flatten()
        })
    }?;
    (!made.contains("<a ")).then(|| without_styles(&made))
}

/// The same elements with classes for what their `style` attributes align.
fn without_styles(mathml: &str) -> String {
    const STYLE: &str = " style=\"";
    let mut plain = String::with_capacity(mathml.len());
    for (at, piece) in mathml.split('<').enumerate() {
        plain.push_str(if at > 0 { "<" } else { "" });
        let end = piece.find('>').unwrap_or(0);
        let (tag, text) = piece.split_at(end);
        let styled = tag.find(STYLE).and_then(|begin| {
            let value = &tag[begin + STYLE.len()..];
            Some((&tag[..begin], value.split_once('"')?))
        });
        match styled {
            Some((before, (style, after))) => {
                plain.push_str(before);
                let side = ["left", "right"].into_iter().find(|side| style.contains(&format!("text-align: {side}")));
                side.iter().for_each(|side| plain.extend([" class=\"", side, "\""]));
                plain.push_str(after);
            }
            None => plain.push_str(tag),
        }
        plain.push_str(text);
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn formulas_become_mathml() {
        let html = mathml(r"\frac{a}{b} < c", MathDisplay::Block).unwrap();
        assert!(html.starts_with("<math display=\"block\"><semantics>"), "{html}");
        assert!(html.contains("<mfrac><mi>a</mi><mi>b</mi></mfrac>") && html.contains("application/x-tex"), "{html}");
        let aligned = mathml(r"\begin{aligned} a &= b \\ c &= d \end{aligned}", MathDisplay::Inline).unwrap();
        assert!(aligned.contains("<mtd class=\"right\">") && !aligned.contains(" style="), "{aligned}");
    }

    #[test]
    fn what_is_no_latex_or_could_lead_away_stays_as_it_is() {
        let long = "x".repeat(LONGEST + 1);
        for latex in ["", " ", r"\frac{1", r"\nosuchcommand", r"\href{javascript:alert(1)}{x}", &long] {
            assert_eq!(mathml(latex, MathDisplay::Inline), None, "{latex}");
        }
    }

    #[test]
    fn deep_formulas_fit_on_the_stack() {
        let half = LONGEST / 2 - 1;
        assert!(mathml(&("{".repeat(half) + "x" + &"}".repeat(half)), MathDisplay::Inline).is_some());
        for part in
            [r"\sqrt", "{", "[", "(", r"\frac1", "x^", "x^{", r"\left(", r"\text{", r"\mathrm", r"\begin{matrix}"]
        {
            let deep = part.repeat(LONGEST / part.len() - 1);
            let _ = mathml(&deep, MathDisplay::Block);
            let _ = mathml(&(deep + "x"), MathDisplay::Inline);
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_escaped(latex in r#"([a-z<>"&' ]|\\(text|frac|sqrt|mathbb|left|href|label|tag|color|unicode)|[{}^_()&]|\\\\|\$){0,60}"#) {
            if let Some(html) = mathml(&latex, MathDisplay::Inline) {
                for piece in html.split('<').skip(1) {
                    let (tag, text) = piece.split_once('>').unwrap();
                    let name = tag.trim_start_matches('/').split(' ').next().unwrap();
                    prop_assert!(name.starts_with('m') || ["semantics", "annotation", "span"].contains(&name), "{} in {}", name, html);
                    let bare: String = tag.split('"').step_by(2).collect();
                    prop_assert!(!bare.contains(" on") && !bare.contains(" style"), "{}", html);
                    prop_assert!(!text.contains('>'), "{}", html);
                }
            }
        }
    }
}
