//! Sentences to the user, before and after a page. Pure.

/// A paragraph that speaks of the page is not longer than this.
const MOST: usize = 400;
/// So many paragraphs are taken off at either end.
const ROUNDS: usize = 3;

/// Whole paragraphs that only begin to speak.
const INTERJECTIONS: [&str; 16] = [
    "sure",
    "certainly",
    "of course",
    "absolutely",
    "okay",
    "gerne",
    "natürlich",
    "selbstverständlich",
    "bien sûr",
    "claro",
    "por supuesto",
    "certo",
    "certamente",
    "好的",
    "当然",
    "はい",
];
/// How words before a page begin,
const OPENERS: [&str; 34] = [
    "the text in the image",
    "sure",
    "certainly",
    "of course",
    "absolutely",
    "okay",
    "here is",
    "here's",
    "here are",
    "below is",
    "following is",
    "the following is",
    "this is the transcri",
    "i have transcribed",
    "i've transcribed",
    "i have converted",
    "i've converted",
    "i will transcribe",
    "i'll transcribe",
    "gerne",
    "natürlich",
    "hier ist",
    "nachfolgend",
    "voici",
    "bien sûr",
    "aquí",
    "claro",
    "por supuesto",
    "ecco",
    "certo",
    "aqui está",
    "以下是",
    "好的",
    "以下は",
];
/// and what they are about.
const SUBJECTS: [&str; 30] = [
    "transcri",
    "markdown",
    "convert",
    "extracted",
    "ocr",
    "this page",
    "the page",
    "this image",
    "the image",
    "scanned",
    "you provided",
    "you uploaded",
    "you requested",
    "requested",
    "provided document",
    "transkri",
    "abschrift",
    "der seite",
    "des bildes",
    "de la page",
    "de l'image",
    "de la página",
    "de la imagen",
    "della pagina",
    "dell'immagine",
    "da página",
    "da imagem",
    "转录",
    "图片",
    "画像",
];
/// How words after a page begin,
const CLOSERS: [&str; 32] = [
    "let me know",
    "please let me know",
    "note:",
    "note that",
    "please note",
    "notes:",
    "(note",
    "is there anything else",
    "would you like",
    "do you want",
    "if you need",
    "if you'd like",
    "if you would like",
    "if you have",
    "feel free",
    "i hope this",
    "hope this helps",
    "i have ",
    "i've ",
    "this transcription",
    "the transcription",
    "this is the transcri",
    "the text above",
    "the above",
    "this markdown",
    "the markdown",
    "end of transcri",
    "hinweis:",
    "falls sie",
    "wenn sie",
    "n'hésitez pas",
    "si necesitas",
];
/// and what only words to someone who asked are about.
const ASIDES: [&str; 15] = [
    "transcri",
    "transkri",
    "markdown",
    "the image",
    "this image",
    "das bild",
    "another format",
    "different format",
    "anything else i can",
    "else you need help",
    "help you with",
    "further assistance",
    "as requested",
    "original formatting",
    "original layout",
];

/// What only words to the user say, or words about the transcribing itself: of a scan, of which nothing else is known,
/// a page may say all the rest.
const SURE: [&str; 51] = [
    "the text in the image",
    "let me know",
    "you provided",
    "you uploaded",
    "you requested",
    "as requested",
    "as you requested",
    "i have transcribed",
    "i've transcribed",
    "i have converted",
    "i've converted",
    "i will transcribe",
    "i'll transcribe",
    "i hope this",
    "hope this helps",
    "anything else i can",
    "else you need help",
    "help you with",
    "further assistance",
    "another format",
    "different format",
    "was transcribed from",
    "end of transcri",
    "markdown",
    "transcription:",
    "transcription of the page",
    "transcription of this page",
    "transcription of the image",
    "transcription of this image",
    "transcription of the document",
    "transcription of the scan",
    "transcription of the text",
    "transcribed text",
    "transcribed content",
    "extracted text",
    "extracted from the",
    "content of the page",
    "content of the image",
    "text of the page",
    "text from the page",
    "text from the image",
    "transkri",
    "abschrift der seite",
    "transcription de la page",
    "transcription de l'image",
    "transcripción de la",
    "trascrizione della",
    "trascrizione dell'",
    "转录",
    "图片",
    "画像",
];

/// Parts words before a page and words after it from the page. `sure`: only those that no page says.
pub(super) fn around(text: &str, sure: bool) -> (Vec<&str>, &str, Vec<&str>) {
    let (mut page, mut before, mut after) = (text.trim(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let Some((said, rest)) = opening(page, sure) else { break };
        before.push(said);
        page = without_rule(rest.trim());
    }
    for _ in 0..ROUNDS {
        let (rest, last) = page.rsplit_once("\n\n").unwrap_or((page, ""));
        if !is_closing(last.trim(), sure) {
            break;
        }
        after.push(last.trim());
        page = rest.trim().strip_suffix("\n---").unwrap_or(rest).trim();
    }
    (before, page, after)
}

/// Takes off the rule that parts words from the page.
fn without_rule(page: &str) -> &str {
    page.strip_prefix("---").filter(|rest| rest.starts_with('\n')).unwrap_or(page).trim()
}

/// The first paragraph or line, and the rest, where it speaks of the page.
fn opening(page: &str, sure: bool) -> Option<(&str, &str)> {
    let paragraph = page.split_once("\n\n");
    let line = page.split_once('\n').filter(|(line, _)| line.trim_end().ends_with([':', '：']));
    paragraph.into_iter().chain(line).find(|(said, rest)| !rest.trim().is_empty() && is_opening(said.trim(), sure))
}

fn is_opening(said: &str, sure: bool) -> bool {
    let Some(said) = plain(said) else { return false };
    let bare = said.trim_end_matches(['!', '.', ',', ':', ' ', '！', '。']);
    // Without a mark it is a name: Claro sells telephones.
    if bare != said && INTERJECTIONS.contains(&bare) {
        return true;
    }
    let ends = said.ends_with([':', '：', '.', '!', '。', '！']);
    ends && OPENERS.iter().any(|opener| said.starts_with(opener))
        && SUBJECTS.iter().any(|about| said.contains(about))
        && (!sure || is_sure(&said))
        || said == "transcription:"
}

fn is_closing(said: &str, sure: bool) -> bool {
    let Some(said) = plain(said) else { return false };
    CLOSERS.iter().any(|closer| said.starts_with(closer))
        && ASIDES.iter().any(|about| said.contains(about))
        && (!sure || is_sure(&said))
}

fn is_sure(said: &str) -> bool {
    SURE.iter().any(|words| said.contains(words))
}

/// A short paragraph in lower case and without marks; `None` of what is no sentence.
fn plain(said: &str) -> Option<String> {
    let is_marked = said.starts_with(['#', '|', '>', '-', '`']) || said.starts_with("* ");
    let short = said.len() <= MOST && !is_marked && !said.is_empty();
    short.then(|| said.to_lowercase().replace('’', "'").replace(['*', '_'], "").trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_to_the_user_are_told_from_the_page() {
        for (text, page) in [
            ("Sure! Here is the Markdown transcription of the page:\n\n# x\n\ny", "# x\n\ny"),
            ("Here is the transcription:\n\n# x", "# x"),
            ("Here is the transcription:\n# x", "# x"),
            ("**Transcription:**\n\n# x", "# x"),
            ("Certainly!\n\nHere's the content of the page you provided:\n\n---\n\n# x", "# x"),
            ("Hier ist die Transkription der Seite:\n\n# x", "# x"),
            ("Voici la transcription de l’image :\n\n# x", "# x"),
            ("好的。\n\n以下是图片中的内容：\n\n# x", "# x"),
            (
                "# x\n\nNote: the text above was transcribed from the image. Let me know if you'd like it in another format.",
                "# x",
            ),
            ("The text in the image reads:\n\n# x", "# x"),
            ("# x\n\nIs there anything else I can help you with?", "# x"),
            ("# x\n\n---\n\n**Note:** This Markdown keeps the original layout.", "# x"),
            ("# x\n\nI have transcribed the page as it stands.\n\nLet me know if you need another format!", "# x"),
            // Pages.
            ("Here is the harbour:\n\n# x", "Here is the harbour:\n\n# x"),
            ("# x\n\nLet me know if you have any questions.", "# x\n\nLet me know if you have any questions."),
            ("# x\n\nNote: prices are without tax.", "# x\n\nNote: prices are without tax."),
            ("Claro\n\nFactura", "Claro\n\nFactura"),
            ("Sure Start Centre\n\nOpen daily", "Sure Start Centre\n\nOpen daily"),
            ("# Here is the page\n\nx", "# Here is the page\n\nx"),
            ("Here is the transcription:", "Here is the transcription:"),
        ] {
            assert_eq!((around(text, false).1, around(text, true).1), (page, page), "{text}");
        }
        let (before, _, after) = around("Sure!\n\n# x\n\nI hope this transcription helps.", true);
        assert_eq!((before, after), (vec!["Sure!"], vec!["I hope this transcription helps."]));
    }

    #[test]
    fn of_a_scan_only_what_no_page_says_is_taken_off() {
        for page in [
            "# Vase\n\nNote: The image above is reproduced with permission of the museum.",
            "Here is the transcript of the hearing:\n\nMR DAHL: Yes.",
            "Here is the image of the harbour:\n\n# x",
            "# x\n\nNote: this transcription was made in 1911 by Mr Dahl.",
        ] {
            assert_eq!(around(page, true).1, page);
            assert_ne!(around(page, false).1, page, "where its own text is known, that guards it");
        }
    }
}
