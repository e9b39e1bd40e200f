//! What is wrong with what was asked for and configured, before anything is begun.

use bindery::config::Config;
use bindery::task::{OcrEngine, TaskOptions};

use super::models::HINT;

const ENDPOINT: &str = "set BINDERY_LLM_BASE_URL, or BINDERY_LLM_API_KEY for OpenAI's";

/// Options that a task has for a model alone.
fn for_a_model(options: &TaskOptions) -> Option<&'static str> {
    let given = [
        ("--model", options.model.is_some()),
        ("--prompt", options.prompt.is_some()),
        ("--input", options.input.is_some()),
        ("--image-side", options.image_side.is_some()),
        ("--fallback", options.fallback.is_some()),
        ("--service-tier", options.service_tier.is_some()),
        ("--max-cost", options.max_cost.is_some()),
    ];
    given.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
}

/// Refuses options that say two things at once.
///
/// # Errors
/// One line.
pub fn refuse_contradictions(options: &TaskOptions) -> Result<(), String> {
    match for_a_model(options) {
        Some(name) if options.processor.as_deref() == Some("text") => {
            Err(format!("{name} is for a model, and --processor text reads without one: leave one of them out"))
        }
        _ => Ok(()),
    }
}

/// Says what half a configuration lacks: an error when what was asked for cannot be done, else lines to be said before
/// it is.
///
/// # Errors
/// One line that says what to set.
pub fn check(config: &Config, options: &TaskOptions) -> Result<Vec<String>, String> {
    let recognises = config.ocr_models().is_some() || options.ocr == Some(OcrEngine::Tesseract);
    checked(config, options, recognises)
}

/// `recognises`: whether text on pictures can be recognised here.
fn checked(config: &Config, options: &TaskOptions, recognises: bool) -> Result<Vec<String>, String> {
    refuse_contradictions(options)?;
    let mut lines = config.warnings.clone();
    let processor = options.processor.as_deref();
    if processor == Some("text") {
        return Ok(lines);
    }
    // Languages may be read by Tesseract, which is asked when it is wanted.
    let recognises = recognises || options.ocr_languages.is_some();
    if processor == Some("ocr") && !recognises {
        return Err(format!("--processor ocr needs the OCR models: {HINT}"));
    }
    if processor == Some("auto") && config.llm.is_none() && for_a_model(options).is_none() {
        return if recognises {
            Ok(lines)
        } else {
            Err(format!("--processor auto needs an endpoint: {ENDPOINT}; or {HINT}"))
        };
    }
    let named = processor.filter(|name| matches!(*name, "llm" | "auto")).map(|name| format!("--processor {name}"));
    let asked = named.or_else(|| for_a_model(options).map(str::to_owned));
    let has_model = options.model.is_some() || config.llm.as_ref().is_some_and(|llm| llm.model.is_some());
    match (asked, config.llm.is_some()) {
        (Some(asked), false) => {
            return Err(format!("{asked} needs an endpoint: {ENDPOINT}"));
        }
        (Some(asked), true) if !has_model => {
            return Err(format!("{asked} needs a model: give --model, or set BINDERY_LLM_MODEL"));
        }
        (Some(_), true) => {}
        (None, _) => lines.extend(config.llm_gap.clone()),
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use bindery::config::Settings;

    use super::*;

    /// Names and values.
    type Pairs<'a> = &'a [(&'a str, &'a str)];

    #[test]
    fn half_a_configuration_speaks() {
        let (url, key, model) = (("BASE_URL", "http://h/v1"), ("API_KEY", "sk"), ("MODEL", "m"));
        let (all, none): (&[_], &[_]) = (&[url, model], &[]);
        let cases: [(Pairs, Pairs, Result<&str, &str>); 19] = [
            (none, &[], Ok("")),
            (all, &[], Ok("")),
            (&[key, model], &[], Ok("")),
            (&[key], &[], Ok("BINDERY_LLM_MODEL")),
            (&[url], &[], Ok("BINDERY_LLM_MODEL")),
            (&[model], &[], Ok("BINDERY_LLM_BASE_URL")),
            (&[model], &[("processor", "text")], Ok("")),
            (&[url], &[("model", "q")], Ok("")),
            (&[url], &[("processor", "auto")], Err("needs a model")),
            (&[url], &[("prompt", "x")], Err("--prompt needs a model")),
            (none, &[("model", "q")], Err("--model needs an endpoint")),
            (none, &[("processor", "llm")], Err("BINDERY_LLM_BASE_URL")),
            (none, &[("processor", "own")], Ok("")),
            (none, &[("processor", "auto")], Err("bindery models install")),
            (none, &[("processor", "ocr")], Err("bindery models install")),
            (none, &[("processor", "ocr"), ("ocr", "tesseract")], Ok("")),
            (none, &[("processor", "auto"), ("model", "q")], Err("BINDERY_LLM_BASE_URL")),
            (all, &[("processor", "text"), ("model", "q")], Err("--model is for a model, and --processor text")),
            (none, &[("processor", "text"), ("max_cost", "1")], Err("--max-cost is for a model")),
        ];
        for (configured, given, expected) in cases {
            let value =
                |name: &str| configured.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).into());
            let mut settings = Settings::default();
            settings.llm_base_url = value("BASE_URL");
            settings.llm_api_key = value("API_KEY");
            settings.llm_model = value("MODEL");
            let config = settings.resolve(|name| (name == "HOME").then(|| "/home/x".to_owned())).unwrap();
            let mut options = TaskOptions::default();
            given.iter().for_each(|(name, value)| options.set(name, value).unwrap());
            let checked = checked(&config, &options, options.ocr.is_some()).map(|lines| lines.join("\n"));
            let (right, said) = match (&checked, expected) {
                (Ok(said), Ok(word)) => (said.contains(word) && said.is_empty() == word.is_empty(), said),
                (Err(said), Err(word)) => (said.contains(word), said),
                (Ok(said) | Err(said), _) => (false, said),
            };
            assert!(right, "{configured:?} {given:?}: {said}");
        }
    }
}
