//! The endpoint of the configuration, and what half of one lacks.

use std::collections::BTreeMap;
use std::path::Path;

use super::secret::one_secret;
use super::{ConfigError, Settings, print};
use crate::processor::LlmOptions;
use crate::task::{ParseError, Price, TaskOptions, names};

/// The endpoint when a key is given and no URL.
const OPENAI: &str = "https://api.openai.com/v1";

impl Settings {
    /// The endpoint, if one is named, and what it lacks.
    pub(super) fn llm(
        &self,
        env: impl Fn(&str) -> Option<String>,
        warnings: &mut Vec<String>,
    ) -> Result<(Option<LlmOptions>, Option<String>), ConfigError> {
        let input = self.llm_input.as_deref().unwrap_or("image").parse();
        let input = input.map_err(|error: ParseError| ConfigError::new("llm-input", error.to_string()))?;
        let image_side = self.llm_image_side.unwrap_or_else(|| LlmOptions::default().image_side);
        if !TaskOptions::IMAGE_SIDES.contains(&image_side) {
            return Err(ConfigError::new("llm-image-side", "must be 256 to 8192"));
        }
        let prices = prices(self.llm_prices.as_deref().unwrap_or_default())?;
        let base_url = self.llm_base_url.clone().or_else(|| env("OPENAI_BASE_URL")).filter(|url| !url.is_empty());
        let api_key = one_secret(
            ("llm-api-key", self.llm_api_key.clone()),
            ("llm-api-key-file", self.llm_api_key_file.as_deref()),
            warnings,
        )?;
        let api_key = api_key.or_else(|| env("OPENAI_API_KEY"));
        let model = self.llm_model.clone().filter(|model| !model.is_empty());
        let gap = llm_gap(base_url.as_deref(), api_key.is_some(), model.as_deref());
        let base_url = base_url.or_else(|| api_key.is_some().then(|| OPENAI.to_owned()));
        let llm = base_url.map(|base_url| LlmOptions {
            base_url,
            api_key,
            model,
            prompt: self.llm_prompt.clone(),
            fallback: self.llm_fallback.as_deref().map(names).unwrap_or_default(),
            input,
            image_side,
            prices,
            hedge: self.llm_hedge.unwrap_or(false),
            ca_file: self.ca_file.clone(),
        });
        Ok((llm, gap))
    }
}

/// What half an endpoint lacks.
fn llm_gap(base_url: Option<&str>, has_key: bool, model: Option<&str>) -> Option<String> {
    match (base_url, has_key, model) {
        (None, false, Some(model)) => Some(format!(
            "the model {model} has no endpoint: set BINDERY_LLM_BASE_URL, or BINDERY_LLM_API_KEY for OpenAI's; until then \
             pages are read as text"
        )),
        (Some(url), _, None) => Some(format!(
            "the endpoint {} has no model: set BINDERY_LLM_MODEL; until then pages are read as text",
            print::redacted_url(url)
        )),
        (None, true, None) => Some(format!(
            "a key is set for the endpoint {OPENAI}, and no model: set BINDERY_LLM_MODEL; until then pages are read as text"
        )),
        _ => None,
    }
}

fn prices(text: &str) -> Result<BTreeMap<String, Price>, ConfigError> {
    let bad = |reason: String| ConfigError::new("llm-prices", reason);
    let mut prices = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        // Names of models may hold what stands between a name and its price.
        match entry.rsplit_once('=') {
            Some((model, price)) => {
                prices.insert(model.trim().to_owned(), price.parse().map_err(|error: ParseError| bad(error.into()))?);
            }
            None if Path::new(entry).is_file() => prices.extend(file(Path::new(entry)).map_err(bad)?),
            None => {
                return Err(bad(format!("{entry:?}: write MODEL=PROMPT/COMPLETION, or name a price file of LiteLLM")));
            }
        }
    }
    Ok(prices)
}

/// A code of ISO 4217.
pub(super) fn currency(code: Option<&str>) -> Result<String, ConfigError> {
    let code = code.map(str::trim).filter(|code| !code.is_empty()).unwrap_or("USD").to_ascii_uppercase();
    let is_code = code.len() == 3 && code.chars().all(|c| c.is_ascii_uppercase());
    if is_code { Ok(code) } else { Err(ConfigError::new("llm-currency", "must be three letters, such as EUR")) }
}

/// The prices of a file in the form of `LiteLLM`'s `model_prices_and_context_window.json`: by model, per token.
fn file(path: &Path) -> Result<BTreeMap<String, Price>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {}", path.display(), error.kind()))?;
    let models: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).map_err(|_| format!("{}: not a price file of LiteLLM", path.display()))?;
    let price = |entry: &serde_json::Value| {
        let each = |name: &str| entry[name].as_f64().filter(|price| price.is_finite() && *price >= 0.0);
        let (prompt, completion) = (each("input_cost_per_token")?, each("output_cost_per_token")?);
        let share = |name: &str| Some(each(name)? / prompt).filter(|share| share.is_finite());
        let plain = Price::new(prompt * 1e6, completion * 1e6);
        Some(Price {
            cached: each("cache_read_input_token_cost").map(|price| price * 1e6),
            flex: share("input_cost_per_token_flex").unwrap_or(plain.flex),
            priority: share("input_cost_per_token_priority").unwrap_or(plain.priority),
            ..plain
        })
    };
    let entries = models.iter().filter(|(name, _)| *name != "sample_spec");
    let prices: BTreeMap<_, _> = entries.filter_map(|(name, entry)| Some((name.clone(), price(entry)?))).collect();
    if prices.is_empty() { Err(format!("{}: no prices in it", path.display())) } else { Ok(prices) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_named_or_stand_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prices.json");
        let json = r#"{"sample_spec": {"input_cost_per_token": 1, "output_cost_per_token": 1},
            "embed": {"input_cost_per_token": 1},
            "m": {"input_cost_per_token": 2e-06, "output_cost_per_token": 8e-06, "cache_read_input_token_cost": 5e-07,
                  "input_cost_per_token_flex": 8e-07}}"#;
        std::fs::write(&path, json).unwrap();
        let path = path.to_str().unwrap();
        let read = prices(&format!("{path}, n=1/4,o=1/4/0.1")).unwrap();
        assert_eq!(read.keys().collect::<Vec<_>>(), ["m", "n", "o"]);
        let m = read["m"];
        assert!((m.prompt - 2.0).abs() < 1e-9 && (m.completion - 8.0).abs() < 1e-9, "{m:?}");
        assert!((m.flex - 0.4).abs() < 1e-9 && (m.priority - 2.0).abs() < 1e-9, "{m:?}");
        assert!((m.cached.unwrap() - 0.5).abs() < 1e-9, "{m:?}");
        std::fs::write(path, "{}").unwrap();
        for bad in [path, "m", "m=1", "/nowhere.json"] {
            assert!(prices(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_currency_is_three_letters() {
        for (given, is) in
            [(None, Some("USD")), (Some(""), Some("USD")), (Some(" eur"), Some("EUR")), (Some("€"), None)]
        {
            assert_eq!(currency(given).ok().as_deref(), is, "{given:?}");
        }
    }

    #[test]
    fn half_an_endpoint_says_what_it_lacks() {
        let own = "http://u:geheim@h/v1";
        for (url, key, model, reached, lacks) in [
            ("", "", "", None, ""),
            ("", "", "q", None, "BINDERY_LLM_BASE_URL"),
            ("", "sk", "", Some(OPENAI), "BINDERY_LLM_MODEL"),
            ("", "sk", "q", Some(OPENAI), ""),
            (own, "", "", Some(own), "the endpoint http://(redacted)@h/v1 has no model: set BINDERY_LLM_MODEL"),
            (own, "", "q", Some(own), ""),
        ] {
            let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            let settings = Settings { llm_base_url: given(url), llm_model: given(model), ..Settings::default() };
            let env = |name: &str| given(key).filter(|_| name == "OPENAI_API_KEY");
            let (llm, gap) = settings.llm(env, &mut Vec::new()).unwrap();
            assert_eq!(llm.map(|llm| llm.base_url).as_deref(), reached, "{url} {key} {model}");
            assert_eq!(gap.is_some(), !lacks.is_empty());
            assert!(gap.unwrap_or_default().contains(lacks));
        }
    }
}
