//! Where calls go, and what stands in between. Pure.

use reqwest::Url;

/// What calls are made to, below the base URL.
pub(super) const CALLS: &str = "/chat/completions";
/// What a URL may end in that names another call of the same API.
const OTHER_CALLS: [&str; 4] = ["/completions", "/responses", "/models", "/embeddings"];
/// Where the API lies at hosts that are named without a path; everywhere else at `/v1`.
const PLACES: [(&str, &str); 4] = [
    ("openrouter.ai", "/api/v1"),
    ("generativelanguage.googleapis.com", "/v1beta/openai"),
    (".openai.azure.com", "/openai/v1"),
    (".services.ai.azure.com", "/openai/v1"),
];
/// Paths that stop short of the API.
const SHORT: [(&str, &str, &str); 7] = [
    ("openrouter.ai", "/api", "/api/v1"),
    ("generativelanguage.googleapis.com", "/v1beta", "/v1beta/openai"),
    ("generativelanguage.googleapis.com", "/v1", "/v1beta/openai"),
    (".openai.azure.com", "/openai", "/openai/v1"),
    // Ollama's own API.
    ("", "/api", "/v1"),
    ("", "/api/chat", "/v1"),
    ("", "/api/generate", "/v1"),
];

/// The URL of calls below a base URL. What stands in its query, such as the api-version of Azure, stays there.
pub(super) fn calls_url(base_url: &str) -> Result<Url, String> {
    let mut url: Url = base_url.trim().parse().map_err(|why| format!("the LLM base URL is not a URL: {why}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the LLM base URL must begin with http:// or https://".to_owned());
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let is_at = |place: &str| host == place || place.starts_with('.') && host.ends_with(place);
    let base = url.path().trim_end_matches('/');
    if let Some(whole) = base.strip_suffix(CALLS) {
        let path = format!("{whole}{CALLS}");
        url.set_path(&path);
        return Ok(url);
    }
    let other = OTHER_CALLS.iter().find_map(|call| base.strip_suffix(call)).filter(|base| !base.is_empty());
    let whole = match other.unwrap_or(base) {
        "" => PLACES.iter().find(|(place, _)| is_at(place)).map_or("/v1", |(_, path)| path),
        base => SHORT
            .iter()
            .find(|(place, short, _)| (place.is_empty() || is_at(place)) && *short == base)
            .map_or(base, |(_, _, path)| path),
    };
    let path = format!("{whole}{CALLS}");
    url.set_path(&path);
    Ok(url)
}

/// Whether one URL is at the host of the other: by the same scheme and port, or by TLS at the usual one.
pub(super) fn same_place(one: &Url, other: &Url) -> bool {
    let same = one.scheme() == other.scheme() && one.port_or_known_default() == other.port_or_known_default();
    let safer = one.scheme() == "http" && other.scheme() == "https" && one.port().is_none() && other.port().is_none();
    one.host_str() == other.host_str() && (same || safer)
}

/// The proxy of calls to `url`, as the usual variables name it; for words alone, since the HTTP client reads them itself.
pub(super) fn proxy_of(url: &Url, env: impl Fn(&str) -> Option<String>) -> Option<String> {
    let env = |name: &str| env(name).filter(|value| !value.is_empty());
    let host = url.host_str()?;
    let exempt = |entry: &str| {
        let entry = entry.trim().trim_start_matches('.');
        entry == "*" || host == entry || host.strip_suffix(entry).is_some_and(|rest| rest.ends_with('.'))
    };
    if env("no_proxy").or_else(|| env("NO_PROXY")).is_some_and(|list| list.split(',').any(exempt)) {
        return None;
    }
    let own = format!("{}_proxy", url.scheme());
    let names = [own.to_uppercase(), own, "ALL_PROXY".to_owned(), "all_proxy".to_owned()];
    let (name, proxy) =
        names.into_iter().find_map(|name| Some((env(&name)?, name))).map(|(proxy, name)| (name, proxy))?;
    let proxy = proxy.rsplit_once('@').map_or(proxy.as_str(), |(_, host)| host);
    Some(format!("the proxy {proxy} of {name}"))
}

pub(super) fn without_secrets(mut url: Url) -> Url {
    // What cannot be taken off was not there.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_where_there_is_one() {
        let of = |url: &str, variables: &[(&str, &str)]| {
            let env =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
            proxy_of(&url.parse().unwrap(), env).unwrap_or_default()
        };
        let own = [("http_proxy", "http://ann:geheim@p:9")];
        assert_eq!(of("http://h/v1", &own), "the proxy p:9 of http_proxy");
        assert_eq!(of("https://h/v1", &own), "");
        assert_eq!(of("https://h/v1", &[("ALL_PROXY", "p:1")]), "the proxy p:1 of ALL_PROXY");
        for exempt in ["h.org", ".org", "x, h.org", "*"] {
            assert_eq!(of("http://h.org/v1", &[own[0], ("NO_PROXY", exempt)]), "", "{exempt}");
        }
        assert_ne!(of("http://h.org/v1", &[own[0], ("NO_PROXY", "rg,h")]), "");
    }

    /// What their documentation names as base URLs, and what people write instead.
    #[test]
    fn base_urls() {
        for (base, expected) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1"),
            ("https://api.openai.com", "https://api.openai.com/v1"),
            ("https://api.openai.com/v1/responses", "https://api.openai.com/v1"),
            ("https://x.openai.azure.com/openai/v1/", "https://x.openai.azure.com/openai/v1"),
            ("https://x.openai.azure.com", "https://x.openai.azure.com/openai/v1"),
            (
                "https://x.openai.azure.com/openai/deployments/d?api-version=1",
                "https://x.openai.azure.com/openai/deployments/d",
            ),
            ("https://x.services.ai.azure.com/models?api-version=1", "https://x.services.ai.azure.com/models"),
            ("http://localhost:8000/v1", "http://localhost:8000/v1"),
            ("http://localhost:8000", "http://localhost:8000/v1"),
            ("http://localhost:8000/v1/models", "http://localhost:8000/v1"),
            ("http://localhost:11434", "http://localhost:11434/v1"),
            ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
            ("http://localhost:11434/api", "http://localhost:11434/v1"),
            ("http://localhost:11434/api/chat", "http://localhost:11434/v1"),
            ("http://localhost:4000", "http://localhost:4000/v1"),
            ("http://localhost:4000/v1/chat/completions", "http://localhost:4000/v1"),
            ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
            ("https://openrouter.ai/api", "https://openrouter.ai/api/v1"),
            ("https://openrouter.ai", "https://openrouter.ai/api/v1"),
            (
                "https://generativelanguage.googleapis.com/v1beta/openai/",
                "https://generativelanguage.googleapis.com/v1beta/openai",
            ),
            (
                "https://generativelanguage.googleapis.com/v1beta",
                "https://generativelanguage.googleapis.com/v1beta/openai",
            ),
            ("https://generativelanguage.googleapis.com", "https://generativelanguage.googleapis.com/v1beta/openai"),
            ("https://api.mistral.ai/v1", "https://api.mistral.ai/v1"),
            ("https://api.mistral.ai", "https://api.mistral.ai/v1"),
            (" http://h/v1/chat/completions/ ", "http://h/v1"),
            ("http://h/chat/completions", "http://h"),
            ("http://h/proxy/llm", "http://h/proxy/llm"),
        ] {
            let url = calls_url(base).unwrap();
            let mut shown = url.clone();
            shown.set_query(None);
            assert_eq!(shown.as_str(), format!("{expected}/chat/completions"), "{base}");
            assert_eq!(url.query().is_some(), base.contains('?'), "{base}");
        }
        for bad in ["h/v1", "ftp://u:geheim@h", "http://u:geheim@h:99999/v1", "//u:geheim@h"] {
            let why = calls_url(bad).unwrap_err();
            assert!(!why.contains("geheim"), "{why}");
        }
        assert_eq!(without_secrets("http://ann:geheim@h:7/v1?key=geheim".parse().unwrap()).as_str(), "http://h:7/v1");
    }
}
