//! Which languages the models read, and what Tesseract calls them. Pure.

/// What Tesseract reads where a task names no language.
const USUAL: &str = "eng";

/// Languages by ISO 639-1 and as Tesseract names them (mostly ISO 639-2/T), and whether the models have their script.
const LANGUAGES: [(&str, &str, bool); 52] = [
    ("en", "eng", true),
    ("de", "deu", true),
    ("fr", "fra", true),
    ("es", "spa", true),
    ("it", "ita", true),
    ("pt", "por", true),
    ("nl", "nld", true),
    ("pl", "pol", true),
    ("cs", "ces", true),
    ("sk", "slk", true),
    ("hu", "hun", true),
    ("ro", "ron", true),
    ("sv", "swe", true),
    ("da", "dan", true),
    ("nb", "nor", true),
    ("no", "nor", true),
    ("fi", "fin", true),
    ("tr", "tur", true),
    ("vi", "vie", false),
    ("el", "ell", false),
    ("ja", "jpn", true),
    ("zh", "chi_sim", true),
    ("zh_tw", "chi_tra", true),
    ("ru", "rus", false),
    ("uk", "ukr", false),
    ("be", "bel", false),
    ("bg", "bul", false),
    ("sr", "srp", false),
    ("mk", "mkd", false),
    ("kk", "kaz", false),
    ("ky", "kir", false),
    ("ko", "kor", false),
    ("ar", "ara", false),
    ("fa", "fas", false),
    ("ur", "urd", false),
    ("he", "heb", false),
    ("yi", "yid", false),
    ("hi", "hin", false),
    ("mr", "mar", false),
    ("ne", "nep", false),
    ("sa", "san", false),
    ("bn", "ben", false),
    ("ta", "tam", false),
    ("te", "tel", false),
    ("kn", "kan", false),
    ("ml", "mal", false),
    ("gu", "guj", false),
    ("th", "tha", false),
    ("km", "khm", false),
    ("my", "mya", false),
    ("ka", "kat", false),
    ("hy", "hye", false),
];

/// Whether the models can read a language. Of one that is not in the table nothing is known: they try.
pub(super) fn has_script_of_models(language: &str) -> bool {
    let named = |of: &&(&str, &str, bool)| of.0.eq_ignore_ascii_case(language) || of.1.eq_ignore_ascii_case(language);
    LANGUAGES.iter().find(named).is_none_or(|(_, _, has)| *has)
}

pub(super) fn tesseract_names(languages: &[String]) -> Vec<String> {
    let name = |language: &String| {
        let named = LANGUAGES.iter().find(|of| of.0.eq_ignore_ascii_case(language));
        named.map_or_else(|| language.clone(), |of| of.1.to_owned())
    };
    if languages.is_empty() { vec![USUAL.to_owned()] } else { languages.iter().map(name).collect() }
}
