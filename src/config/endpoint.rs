//! The endpoint of the configuration, and what half of one lacks.

use std::collections::BTreeMap;

use super::secret::one_secret;
use super::{ConfigError, Settings, print};
use crate::processor::LlmOptions;
use crate::task::{Price, TaskOptions, names};

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
        let input = input.map_err(|reason: String| ConfigError::new("llm-input", reason))?;
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
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let entry = |entry: &str| {
        // Names of models may hold what stands between a name and its price.
        let (model, price) =
            entry.rsplit_once('=').ok_or_else(|| bad(format!("{entry:?}: write MODEL=PROMPT/COMPLETION")))?;
        Ok((model.trim().to_owned(), price.parse().map_err(bad)?))
    };
    entries.map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
