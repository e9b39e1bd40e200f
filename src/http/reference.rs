//! The description of the API as a page for people: no script, and nothing from elsewhere.

use std::fmt::Write;

use serde_json::Value;

use super::wires::Wire;

/// Renders an OpenAPI description.
pub(super) fn page(description: &str) -> String {
    let api: Value = serde_json::from_str(description).unwrap_or_default();
    let mut html = String::from(HEAD);
    use_with(&mut html);
    for (path, item) in api["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            operation_section(&mut html, method, path, operation);
        }
    }
    html.push_str("<h2>Schemas</h2>\n");
    for (name, schema) in api["components"]["schemas"].as_object().into_iter().flatten() {
        let _ = writeln!(html, "<section id=\"{0}\"><h3>{0}</h3>", text(name));
        description_of(&mut html, schema);
        fields(&mut html, schema);
        html.push_str("</section>\n");
    }
    html.push_str("</main></body></html>\n");
    html
}

const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>Bindery: the API</title>\
    <link rel=\"icon\" href=\"ui/icon.svg\" type=\"image/svg+xml\"><link rel=\"stylesheet\" href=\"ui/base.css\"></head>\n\
    <body><header class=\"top\"><a class=\"brand\" href=\"./\"><img src=\"ui/icon.svg\" alt=\"\" width=\"26\" height=\"26\">Bindery</a>\
    <nav><a href=\"openapi.json\">openapi.json</a></nav></header>\n<main class=\"reference\"><h1>The API</h1>\n";

/// What is set in programs that were written for another service.
fn use_with(html: &mut String) {
    html.push_str("<section><h2>Use with</h2><p>Programs that were written for another service work with this one behind its URL.</p>\n");
    html.push_str("<table><tr><th>Program</th><th>What to set</th></tr>\n");
    for (programs, setting) in Wire::ALL.map(Wire::clients) {
        let _ = writeln!(html, "<tr><td>{}</td><td>{}</td></tr>", prose(programs), prose(setting));
    }
    html.push_str("</table></section>\n");
}

fn operation_section(html: &mut String, method: &str, path: &str, operation: &Value) {
    let _ = writeln!(html, "<section><h2><code>{} {}</code></h2>", method.to_uppercase(), text(path));
    for key in ["summary", "description"] {
        if let Some(words) = operation[key].as_str() {
            let _ = writeln!(html, "<p>{}</p>", prose(words));
        }
    }
    let parameters = operation["parameters"].as_array();
    if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
        html.push_str("<table><tr><th>Parameter</th><th>In</th><th>Description</th></tr>\n");
        for parameter in parameters {
            let [name, place] = ["name", "in"].map(|key| text(parameter[key].as_str().unwrap_or_default()));
            let words = prose(parameter["description"].as_str().unwrap_or_default());
            let _ = writeln!(html, "<tr><td><code>{name}</code></td><td>{place}</td><td>{words}</td></tr>");
        }
        html.push_str("</table>\n");
    }
    if let Some(body) = operation["requestBody"]["content"].as_object() {
        let kinds: Vec<String> = body.iter().map(|(kind, content)| named(kind, &content["schema"])).collect();
        let _ = writeln!(html, "<p>Body: {}</p>", kinds.join(", or "));
    }
    html.push_str("<table><tr><th>Answer</th><th>Description</th><th>Body</th></tr>\n");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let contents = response["content"].as_object().into_iter().flatten();
        let bodies: Vec<String> = contents.map(|(kind, content)| named(kind, &content["schema"])).collect();
        let words = prose(response["description"].as_str().unwrap_or_default());
        let _ = writeln!(html, "<tr><td>{}</td><td>{words}</td><td>{}</td></tr>", text(status), bodies.join("<br>"));
    }
    html.push_str("</table></section>\n");
}

/// A media type, with a link to what is in it.
fn named(kind: &str, schema: &Value) -> String {
    format!("<code>{}</code> {}", text(kind), type_of(schema))
}

fn type_of(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = text(reference.rsplit('/').next().unwrap_or_default());
        return format!("<a href=\"#{name}\">{name}</a>");
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        return choices.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    let word = match &schema["type"] {
        Value::String(word) => word.clone(),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "any".to_owned(),
    };
    match (word.as_str(), &schema["items"]) {
        ("array", items) if !items.is_null() => format!("array of {}", type_of(items)),
        _ => text(&word),
    }
}

fn description_of(html: &mut String, schema: &Value) {
    if let Some(words) = schema["description"].as_str() {
        let _ = writeln!(html, "<p>{}</p>", prose(words));
    }
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> =
            values.iter().filter_map(Value::as_str).map(|value| format!("<code>{}</code>", text(value))).collect();
        let _ = writeln!(html, "<p>{}</p>", values.join(", "));
    }
}

fn fields(html: &mut String, schema: &Value) {
    let parts = schema["allOf"].as_array().map_or_else(|| vec![schema], |parts| parts.iter().collect());
    let properties = parts.into_iter().filter_map(|part| part["properties"].as_object()).flatten();
    let rows: Vec<String> = properties
        .map(|(name, field)| {
            let words = prose(field["description"].as_str().unwrap_or_default());
            format!("<tr><td><code>{}</code></td><td>{}</td><td>{words}</td></tr>", text(name), type_of(field))
        })
        .collect();
    if !rows.is_empty() {
        let _ = writeln!(
            html,
            "<table><tr><th>Field</th><th>Type</th><th>Description</th></tr>\n{}</table>",
            rows.join("\n")
        );
    }
}

/// Words with names between backquotes.
fn prose(words: &str) -> String {
    let parts = words.split('`').enumerate();
    parts.map(|(at, part)| if at % 2 == 1 { format!("<code>{}</code>", text(part)) } else { text(part) }).collect()
}

fn text(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_interface_says_what_to_set() {
        let html = page("{}");
        for (programs, setting) in Wire::ALL.map(Wire::clients) {
            let row = format!("<tr><td>{}</td><td>{}</td></tr>", prose(programs), prose(setting));
            assert!(html.contains(&row) && !row.contains('`'), "{programs}");
        }
    }
}
