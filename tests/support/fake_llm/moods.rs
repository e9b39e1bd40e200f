//! What models and the servers in front of them make of a right answer, or answer in its place.

use serde_json::{Value, json};

/// One answer: its status, headers and body.
pub struct Mood {
    /// Which one it is.
    pub kind: u64,
    /// Without one the connection is broken off.
    pub status: u16,
    pub headers: &'static str,
    pub body: String,
}

/// In how many ways answers go wrong, the right one included.
const MOODS: u64 = 39;
/// The kinds by which a page is there.
const GOOD: std::ops::Range<u64> = 0..15;

impl Mood {
    /// The answer to the nth call for a page: every second one is right and nothing else.
    pub fn of_call(seed: u64, (page, nth): (u32, usize), prompt: &str) -> Self {
        let mix = super::super::mix;
        let kind = mix(mix(mix(seed) ^ u64::from(page)) ^ nth as u64) % (2 * MOODS);
        mood(if kind < MOODS { kind } else { 0 }, page, prompt)
    }

    /// Whether the page is in it.
    pub fn is_good(&self) -> bool {
        GOOD.contains(&self.kind)
    }
}

/// What a page of the book says that an endpoint of many moods reads: lines of it.
pub fn lines(page: u32) -> Vec<String> {
    let word = |at: u64| {
        const WORDS: [&str; 16] = [
            "weir", "meadow", "ledger", "harbour", "lantern", "copper", "orchard", "velvet", "granite", "sparrow",
            "ribbon", "timber", "candle", "anchor", "barley", "willow",
        ];
        WORDS[usize::try_from(super::super::mix(u64::from(page) * 1_000 + at) % 16).unwrap()]
    };
    let line = |line: u64| (0..7).map(|at| word(line * 7 + at)).collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = (0..6).map(line).collect();
    lines.insert(0, format!("Sheet {page} of the book"));
    lines.push(format!("counted {} and {} of them", 1_000 + page * 7, 20_000 + page * 13));
    lines
}

/// The same as Markdown.
pub fn text(page: u32) -> String {
    let lines = lines(page);
    format!("# {}\n\n{}", lines[0], lines[1..].join("\n"))
}

fn completion(content: &Value, finish_reason: &str) -> Value {
    json!({
        "model": "fake-model",
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": finish_reason }],
        "usage": { "prompt_tokens": 100, "completion_tokens": 20 },
    })
}

/// The answer number `kind` (below `MOODS`) to a call for a page, with these instructions.
#[allow(clippy::too_many_lines, reason = "a table")]
fn mood(kind: u64, page: u32, prompt: &str) -> Mood {
    let text = &text(page);
    let good = |status, body: String| Mood { kind, status, headers: "", body };
    let said = |content: &str| good(200, completion(&json!(content), "stop").to_string());
    let ended = |content: &str, reason: &str| good(200, completion(&json!(content), reason).to_string());
    let with = |field: &str, value: Value| {
        let mut body = completion(&json!(text), "stop");
        body[field] = value;
        good(200, body.to_string())
    };
    match kind {
        // The page, in whatever dress.
        0 => said(text),
        1 => said(&format!("<think>\nOkay, let me see.\n</think>\n\n{text}")),
        2 => said(&format!("Okay, let me see.\n</think>\n{text}")),
        3 => said(&format!(
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{text}"
        )),
        4 => said(&format!("```markdown\n{text}\n```")),
        5 => said(&format!("Sure! Here is the transcription of the page:\n\n```md\n{text}\n```\n\nAnything else?")),
        6 => said(&format!("{text}\n\nNote: this was transcribed from the image.")),
        7 => said(&format!("<|begin_of_box|>{text}<|end_of_box|><|im_end|>")),
        8 => said(&json!({ "markdown": text }).to_string()),
        9 => good(
            200,
            completion(&json!([{ "type": "thinking", "text": "hm" }, { "type": "text", "text": text }]), "stop")
                .to_string(),
        ),
        10 => with("usage", json!({ "prompt_tokens": "100", "completion_tokens": 20.0 })),
        11 => with("model", json!(7)),
        12 => good(200, format!("\u{feff}{}", completion(&json!(text), "stop"))),
        13 => {
            let event = json!({ "choices": [{ "delta": { "content": text }, "finish_reason": "stop" }] });
            good(200, format!("event: message\ndata: {event}\n\ndata: [DONE]\n\n"))
        }
        14 => ended(text, "xyz"),
        // What may pass.
        15 => good(429, r#"{"error":{"message":"slow down"}}"#.into()),
        16 => good(200, r#"{"error":{"message":"rate limit exceeded","code":429}}"#.into()),
        17 => good(500, r#"{"error":{"message":"boom"}}"#.into()),
        18 => Mood { headers: "retry-after: 0\r\n", ..good(503, String::new()) },
        19 => good(200, "<html><title>Bad gateway</title></html>".into()),
        20 => good(200, r#"{"error":"model is loading"}"#.into()),
        21 => ended(&text[..text.len() / 2], "length"),
        22 => ended(&text[..text.len() / 2], "error"),
        23 => ended(&text[..text.len() / 2], "abort"),
        24 => good(200, r#"data: {"choices":[{"delta":{"content":"half"}}]}"#.into()),
        // No page.
        25 => said(""),
        26 => said("<think>\nOkay, let me see."),
        27 => said("I'm sorry, but I can't read this image."),
        28 => said("Es tut mir leid, aber ich kann dieses Bild nicht transkribieren."),
        29 => said(prompt),
        30 => said(&"and so on and ".repeat(300)),
        31 => ended("", "stop"),
        32 => good(200, String::new()),
        // Another page, half of it without a word, and numbers that are not on it.
        33 => said(&self::text(page + 1_000)),
        34 => said(&text[..text.len() / 2]),
        35 => said(&format!("{text}\n\n{}", (11..19).map(|n| (n * 4_321).to_string()).collect::<Vec<_>>().join(" "))),
        36 => said(&text.lines().next().unwrap_or_default().repeat(200)),
        37 => Mood { status: 0, ..good(0, String::new()) },
        _ => good(200, r#"{"choices":[]}"#.into()),
    }
}
