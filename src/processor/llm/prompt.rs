//! What the model is asked.

use serde_json::{Value, json};

/// Part of the ledger's key: raise it whenever a request would be made differently.
pub(super) const VERSION: u32 = 1;

pub(super) const DEFAULT: &str = "You turn the raw text of a PDF page into clean Markdown. Keep every word and number; \
change only layout: join broken lines, restore headings, lists, tables and formulas. Do not translate, summarise, \
comment or add anything. Answer with the Markdown alone.";

const SEVERAL: &str = "There are several pages. Begin each page of your answer with its own marker line exactly as \
given, and keep the order.";

/// The line that stands before each page when a call has several.
pub(super) fn marker(page: u32) -> String {
    format!("<<<page {page}>>>")
}

/// The body of a chat/completions request for `pages`.
pub(super) fn request(model: &str, prompt: &str, file_name: Option<&str>, pages: &[(u32, String)]) -> Value {
    let mut system = prompt.to_owned();
    let user = match pages {
        [(_, text)] => text.clone(),
        several => {
            system = format!("{system}\n\n{SEVERAL}");
            let parts: Vec<String> = several.iter().map(|(page, text)| format!("{}\n{text}", marker(*page))).collect();
            parts.join("\n\n")
        }
    };
    let numbers: Vec<String> = pages.iter().map(|(page, _)| page.to_string()).collect();
    let about = match file_name {
        Some(name) => format!("Page {} of {name}:\n\n", numbers.join(", ")),
        None => format!("Page {}:\n\n", numbers.join(", ")),
    };
    json!({
        "model": model,
        "temperature": 0,
        "messages": [
            { "role": "system", "content": system },
            { "role": "user", "content": format!("{about}{user}") },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_pages_are_told_apart_by_markers() {
        let pages = [(3, "drei".to_owned()), (4, "vier".to_owned())];
        let request = request("m", "P", Some("a.pdf"), &pages);
        let user = request["messages"][1]["content"].as_str().unwrap();
        assert_eq!(user, "Page 3, 4 of a.pdf:\n\n<<<page 3>>>\ndrei\n\n<<<page 4>>>\nvier");
        assert!(request["messages"][0]["content"].as_str().unwrap().contains("marker line"));
    }

    #[test]
    fn one_page_needs_no_marker() {
        let request = request("m", "P", None, &[(3, "drei".to_owned())]);
        assert_eq!(request["messages"][0]["content"], "P");
        assert_eq!(request["messages"][1]["content"], "Page 3:\n\ndrei");
    }
}
