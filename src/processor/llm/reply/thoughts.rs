//! Thoughts that stand before an answer, in the forms that models and the servers in front of them leave there. Pure.

/// What models call their thoughts.
const NAMES: [&str; 10] = [
    "think",
    "thinking",
    "thought",
    "thoughts",
    "reasoning",
    "reflection",
    "analysis",
    "scratchpad",
    "seed:think",
    "inner_monologue",
];
/// How the marks of their beginning and of their end are written around the name.
const MARKS: [[&str; 3]; 4] = [["<", "</", ">"], ["[", "[/", "]"], ["◁", "◁/", "▷"], ["<|", "<|/", "|>"]];
/// Marks that are written otherwise.
const PAIRS: [(&str, &str); 3] = [
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|start_thinking|>", "<|end_thinking|>"),
    ("<|thinking_start|>", "<|thinking_end|>"),
];

/// Where a gateway shows thoughts as a part of a web page that folds (Open WebUI),
const FOLDED: &str = "<details type=\"reasoning\"";
/// that ends like this.
const FOLDED_END: &str = "</details>";

/// Parts the thoughts that an answer begins with from the rest of it; `None` where it begins with none. Thoughts that do
/// not end leave nothing; those that only end have begun with the answer.
pub(super) fn thoughts(text: &str) -> Option<(&str, &str)> {
    if let Some(parts) = channels(text) {
        return Some(parts);
    }
    // Of the same length, so that places agree.
    let lower = text.to_ascii_lowercase();
    if lower.starts_with(FOLDED) {
        let end = lower.find(FOLDED_END).map_or(text.len(), |at| at + FOLDED_END.len());
        return Some(text.split_at(end));
    }
    let mut first_end: Option<(usize, usize)> = None;
    for (open, close) in marks() {
        if let Some(after) = opened(&lower, &open) {
            let Some(end) = lower[after..].find(&close).map(|at| after + at) else { return Some((text, "")) };
            let rest = end + close.len();
            return Some((&text[..rest], &text[rest..]));
        }
        if let Some(end) = lower.find(&close).filter(|end| !is_in_code(text, *end)) {
            let is_first = first_end.is_none_or(|(first, _)| end < first);
            first_end = if is_first { Some((end, end + close.len())) } else { first_end };
        }
    }
    let (end, rest) = first_end?;
    // One that begins later is of the page: it speaks of such marks.
    let begins = marks().any(|(open, _)| lower[..end].contains(&open));
    (!begins).then(|| (&text[..rest], &text[rest..]))
}

/// Where thoughts begin that come behind an answer and do not end, by the marks that models write most.
pub(super) fn open_thoughts(text: &str) -> Option<usize> {
    const LATE: [&str; 4] = ["think", "thinking", "thought", "reasoning"];
    let lower = text.to_ascii_lowercase();
    let open = |name: &str| {
        let begin = lower.rfind(&format!("<{name}>")).filter(|at| *at > 0 && !is_in_code(text, *at))?;
        (!lower[begin..].contains(&format!("</{name}>"))).then_some(begin)
    };
    LATE.iter().filter_map(|name| open(name)).min()
}

/// The same where they begin a line: what stands before them, and they.
pub(super) fn before_open_thoughts(text: &str) -> Option<(&str, &str)> {
    let begin = open_thoughts(text)?;
    let line = text[..begin].rsplit('\n').next().unwrap_or_default();
    (line.trim().is_empty() && !text[..begin].trim().is_empty()).then(|| text.split_at(begin))
}

fn marks() -> impl Iterator<Item = (String, String)> {
    let named = NAMES.iter().flat_map(|name| {
        MARKS.iter().map(move |[open, close, end]| (format!("{open}{name}{end}"), format!("{close}{name}{end}")))
    });
    named.chain(PAIRS.iter().map(|(open, close)| ((*open).to_owned(), (*close).to_owned())))
}

/// Where the text after the mark that it begins with begins; a mark may have attributes.
fn opened(lower: &str, open: &str) -> Option<usize> {
    if lower.starts_with(open) {
        return Some(open.len());
    }
    let name = open.strip_prefix('<')?.strip_suffix('>')?;
    let rest = lower.strip_prefix('<')?.strip_prefix(name).filter(|rest| rest.starts_with(' '))?;
    Some(lower.len() - rest.len() + rest.find('>')? + 1)
}

/// Whether a place is within code.
fn is_in_code(text: &str, at: usize) -> bool {
    let fences = text[..at].lines().filter(|line| line.trim_start().starts_with("```")).count();
    let line = text[..at].rsplit('\n').next().unwrap_or_default();
    fences % 2 == 1 || line.matches('`').count() % 2 == 1
}

/// The same of answers by channels (OpenAI's harmony format), of which the last one is the answer.
fn channels(text: &str) -> Option<(&str, &str)> {
    const CHANNEL: &str = "<|channel|>";
    const MESSAGE: &str = "<|message|>";
    const FINAL: &str = "<|channel|>final";
    // Where a server has taken the marks out, only the names are left.
    if let Some(at) = text.strip_prefix("analysis").and_then(|rest| rest.find("assistantfinal")) {
        let rest = "analysis".len() + at + "assistantfinal".len();
        return Some(text.split_at(rest));
    }
    let begins = text.starts_with(CHANNEL) || text.starts_with("<|start|>") && text.contains(CHANNEL);
    if !begins {
        return None;
    }
    let Some(at) = text.rfind(FINAL) else { return Some((text, "")) };
    let Some(rest) = text[at..].find(MESSAGE).map(|message| at + message + MESSAGE.len()) else {
        return Some((text, ""));
    };
    Some(text.split_at(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thoughts_are_parted_from_the_answer() {
        for (text, rest) in [
            ("<think>\nA page, hm.\n```\n</think>\n\n# x", Some("\n\n# x")),
            ("<think></think># x", Some("# x")),
            ("<Think>hm</THINK># x", Some("# x")),
            ("<think time=\"3\">hm</think># x", Some("# x")),
            ("<thinking>\nhm\n</thinking># x", Some("# x")),
            ("<thought>hm</thought># x", Some("# x")),
            ("<reasoning>hm</reasoning># x", Some("# x")),
            ("◁think▷hm◁/think▷# x", Some("# x")),
            ("[THINK]hm[/THINK]# x", Some("# x")),
            ("<|think|>hm<|/think|># x", Some("# x")),
            ("<|begin_of_thought|>hm<|end_of_thought|># x", Some("# x")),
            ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|># x", Some("# x")),
            (
                "<|start|>assistant<|channel|>analysis<|message|>hm<|end|><|channel|>final json<|message|># x",
                Some("# x"),
            ),
            ("<|channel|>analysis<|message|>hm", Some("")),
            (
                "<details type=\"reasoning\" done=\"true\">\n<summary>Thought</summary>\n> hm\n</details>\n# x",
                Some("\n# x"),
            ),
            ("<details><summary>Terms</summary># x</details>", None),
            ("analysisThe page is a lease.assistantfinal# x", Some("# x")),
            // Only the end is there, or only the beginning.
            ("Okay, let me see.\n</think>\n# x", Some("\n# x")),
            ("Gut. Ich lese.\n\nDas Bild ist scharf.\n</thinking>\n# x", Some("\n# x")),
            ("<think>\nOkay, let me see", Some("")),
            // Pages.
            ("# x", None),
            ("Analysis of the harbour", None),
            ("# Tags\n\nThe model writes `</think>` at the end.", None),
            ("# Tags\n\n```\n</think>\n```", None),
            ("# Tags\n\nIt begins with <think> and ends with </think>.", None),
            ("analysis of variance", None),
        ] {
            let found = thoughts(text);
            assert_eq!(found.map(|(_, rest)| rest), rest, "{text}");
            assert!(found.is_none_or(|(before, rest)| format!("{before}{rest}") == text));
        }
    }

    #[test]
    fn thoughts_behind_an_answer_that_do_not_end_are_found() {
        for (text, open, before) in [
            ("# x\n\n<think>\nIs this all", true, Some("# x\n\n")),
            ("# x <Thinking>Is this all", true, None),
            ("# x\n\n<think>hm</think>\nand so on", false, None),
            ("<think>hm", false, None),
            ("# Tags\n\nIt begins with `<think>`.", false, None),
            ("# Tags\n\n```\n<think>\n```", false, None),
            ("# x", false, None),
        ] {
            assert_eq!(open_thoughts(text).is_some(), open, "{text}");
            assert_eq!(before_open_thoughts(text).map(|(before, _)| before), before, "{text}");
        }
    }
}
