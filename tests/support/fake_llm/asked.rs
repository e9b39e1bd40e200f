//! What one call asked for, as its body says.

use serde_json::{Value, json};

/// So much of a text is kept.
const MOST_KEPT: usize = 2_000;

/// What one call asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub page: u32,
    pub model: String,
    pub system: String,
    /// The text of the page that came along.
    pub text: String,
    /// Bytes of the pictures.
    pub pictures: Vec<usize>,
    pub temperature: Option<f64>,
    pub max_tokens: Option<u64>,
    pub service_tier: Option<String>,
    /// When it came.
    pub at: Option<std::time::Instant>,
}

/// The last one; some models take no other.
fn user_message(body: &Value) -> &Value {
    body["messages"].as_array().and_then(|messages| messages.last()).unwrap_or(&Value::Null)
}

pub(super) fn asked(page: u32, body: &Value) -> Asked {
    let content = &user_message(body)["content"];
    let first = &body["messages"][0];
    let system = if first["role"] == "system" { &first["content"] } else { &Value::Null };
    let parts = content.as_array().cloned().unwrap_or_else(|| vec![json!({ "text": content })]);
    let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
    let pictures = parts.iter().filter_map(|part| part["image_url"]["url"].as_str());
    Asked {
        page,
        model: body["model"].as_str().unwrap_or_default().to_owned(),
        system: system.as_str().unwrap_or_default().chars().take(MOST_KEPT).collect(),
        text: texts.join("\n").chars().take(MOST_KEPT).collect(),
        pictures: pictures.map(|url| url.len() / 4 * 3).collect(),
        temperature: body["temperature"].as_f64(),
        max_tokens: body["max_tokens"].as_u64(),
        service_tier: body["service_tier"].as_str().map(str::to_owned),
        at: Some(std::time::Instant::now()),
    }
}

/// The pages that a call is about, from its first line "Page 3, 4 of x.pdf:".
pub(super) fn pages(body: &Value) -> Vec<u32> {
    let content = &user_message(body)["content"];
    // Plain text, or parts; where there is no other message the instructions stand first.
    let texts = content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    let mut lines = content.as_str().into_iter().chain(texts).flat_map(str::lines);
    let line = lines.find_map(|line| line.strip_prefix("Page ")).unwrap_or_default();
    let end = line.find([':', 'o']).unwrap_or(line.len());
    line[..end].split(',').filter_map(|number| number.trim().parse().ok()).collect()
}
