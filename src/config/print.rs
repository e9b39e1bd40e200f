//! The configuration as a file: what holds, and an example to begin with.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::{BlobChoice, Config, Settings, StoreChoice};
use crate::blob::ObjectOptions;
use crate::http::Wire;
use crate::processor::LlmOptions;
use crate::task::{PageInputKind, TaskOptions};

/// More prices than these are not printed.
const MOST_PRICES: usize = 32;

impl Config {
    /// The configuration as a file that would give it, secrets redacted.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut toml = String::new();
        for (name, value) in self.lines() {
            let _ = writeln!(toml, "{name} = {value}");
        }
        for (at, (name, value)) in self.task.iter().enumerate() {
            let is_secret = ["password", "webhook_secret"].contains(&name.as_str());
            let value = if is_secret { toml::Value::String("(redacted)".to_owned()) } else { value.clone() };
            let _ = writeln!(toml, "{}{name} = {value}", if at == 0 { "\n[task]\n" } else { "" });
        }
        toml
    }

    /// Names and values of all settings that have one.
    fn lines(&self) -> Vec<(&'static str, String)> {
        let time = |time: Duration| text(&in_units(time.as_secs(), &[("d", 86_400), ("h", 3_600), ("m", 60)], "s"));
        let size = |bytes: u64| text(&in_units(bytes, &[("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)], ""));
        let store = match &self.store {
            StoreChoice::Embedded => "embedded".to_owned(),
            StoreChoice::Memory => "memory".to_owned(),
            StoreChoice::Redis(url) => redacted_url(url),
        };
        let (limits, tenant) = (self.supervisor.limits, self.supervisor.tenant);
        let keys: Vec<String> = self.keys.names().map(|name| text(&format!("{name}=(redacted-{name})"))).collect();
        let mut lines = vec![
            ("listen", text(&self.listen.to_string())),
            ("api_key", format!("[{}]", keys.join(", "))),
            ("cors_origin", format!("[{}]", self.cors.iter().map(text).collect::<Vec<_>>().join(", "))),
            ("operator", text(&self.keys.operators().join(","))),
            ("tenant_running", tenant.running.to_string()),
            ("tenant_tasks", if tenant.tasks == usize::MAX { 0 } else { tenant.tasks }.to_string()),
            ("tenant_pages", if tenant.pages == u64::MAX { 0 } else { tenant.pages }.to_string()),
            ("tenant_bytes", size(if tenant.bytes == u64::MAX { 0 } else { tenant.bytes })),
            ("tenant_rate", tenant.requests_per_minute.unwrap_or(0).to_string()),
            ("insecure", self.insecure.to_string()),
            ("data_dir", path(&self.data_dir)),
            ("store", text(&store)),
            ("blob", text(&self.blob.to_string())),
            ("blob_cache", size(self.supervisor.cache_bytes)),
            ("node", text(&self.supervisor.node)),
            ("role", text(self.supervisor.role.as_str())),
            ("workers", self.pool.cpu_workers.to_string()),
            ("task_ttl", time(self.supervisor.ttl)),
            ("lease", time(self.lease)),
            ("janitor_tick", time(self.supervisor.janitor_tick)),
            ("ledger_size", size(self.supervisor.ledger.bytes.unwrap_or(0))),
            ("ledger_age", time(self.supervisor.ledger.age.unwrap_or_default())),
            ("ledger_scope", text(self.supervisor.ledger_sharing.as_str())),
            ("max_upload", size(limits.max_bytes)),
            ("max_pages", limits.max_pages.to_string()),
            ("reader_timeout", time(self.reader.page_time)),
            ("reader_memory", size(self.reader.memory)),
            ("max_queued", self.supervisor.max_queued.to_string()),
            ("webhook_allow", text(&self.supervisor.notify.allow.join(","))),
            ("source_hosts", text(&self.supervisor.fetch.hosts.join(","))),
            ("wires", text(&wire_names(&self.wires))),
            ("upload_timeout", time(self.upload_timeout)),
            ("drain", time(self.drain)),
            ("llm_concurrency", self.pool.call_workers.to_string()),
            ("llm_rpm", self.pool.rates.calls.unwrap_or(0).to_string()),
            ("llm_tpm", self.pool.rates.tokens.unwrap_or(0).to_string()),
            ("llm_timeout", time(self.supervisor.attempt_timeout)),
            ("llm_max_attempts", self.supervisor.retry.max_attempts.to_string()),
            ("llm_unavailable_timeout", time(self.supervisor.retry.unavailable_timeout)),
        ];
        lines.extend(self.store_ca_file.as_ref().map(|file| ("store_ca_file", path(file))));
        if let BlobChoice::Objects(s3) = &self.blob {
            lines.extend(s3.endpoint.as_ref().map(|url| ("s3_endpoint", text(url))));
            lines.extend(s3.region.as_ref().map(|region| ("s3_region", text(region))));
            lines.extend(s3.path_style.map(|path_style| ("s3_path_style", path_style.to_string())));
        }
        let notify = &self.supervisor.notify;
        lines.extend(notify.secret.as_ref().map(|_| ("webhook_signing_secret", text("(redacted)"))));
        lines.extend(notify.public_url.as_ref().map(|url| ("public_url", text(url))));
        if let Some(llm) = &self.llm {
            lines.extend(llm_lines(llm));
            lines.push(("llm_currency", text(&self.currency)));
        }
        lines
    }

    /// Names and values of all settings that have a default, those of an endpoint and of object storage, too.
    pub(super) fn shown(defaults: &Self) -> Vec<(&'static str, String)> {
        let endpoint = LlmOptions { base_url: "http://localhost:11434/v1".into(), ..LlmOptions::default() };
        let s3 = BlobChoice::Objects(ObjectOptions { path_style: Some(true), ..ObjectOptions::default() });
        Self { llm: Some(endpoint), blob: s3, ..defaults.clone() }.lines()
    }

    /// A file to begin with: every setting with what it is for and its default, commented out. `defaults` is the
    /// configuration without any setting.
    #[must_use]
    pub fn example(defaults: &Self) -> String {
        let lines = Self::shown(defaults);
        let mut example = "# Settings of Bindery. Flags and BINDERY_* variables win over this file.\n\
                           # Use it with --config FILE, or name it in BINDERY_CONFIG; else the first that is there is read of\n\
                           # ./bindery.toml, ~/.config/bindery/bindery.toml and /etc/bindery/bindery.toml.\n"
            .to_owned();
        let settings = Settings::augment_args(clap::Command::new("bindery"));
        for argument in settings.get_arguments() {
            let name = argument.get_id().as_str();
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let placeholder = || {
                let word =
                    argument.get_value_names().and_then(|names| names.first()).map_or("…", |name| name.as_str());
                toml::Value::String(word.to_owned()).to_string()
            };
            let known = lines.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            let value = known.filter(|_| name != "data_dir" && name != "blob").unwrap_or_else(placeholder);
            let _ = write!(example, "\n# {help}\n# {name} = {value}\n");
        }
        let options = TaskOptions::NAMES.join(", ");
        let _ = write!(
            example,
            "\n# What tasks have that do not say otherwise: {options}.\n# [task]\n# tables = \"auto\"\n"
        );
        example
    }
}

/// Names and values of the settings of an endpoint.
fn llm_lines(llm: &LlmOptions) -> Vec<(&'static str, String)> {
    let mut lines = vec![("llm_base_url", text(&redacted_url(&llm.base_url)))];
    lines.extend(llm.api_key.as_ref().map(|_| ("llm_api_key", text("(redacted)"))));
    lines.extend(llm.model.as_ref().map(|model| ("llm_model", text(model))));
    let input = match llm.input {
        PageInputKind::Image => "image",
        PageInputKind::Text => "text",
        PageInputKind::Both => "image+text",
    };
    lines.push(("llm_input", text(input)));
    lines.push(("llm_image_side", llm.image_side.to_string()));
    lines.push(("llm_fallback", text(&llm.fallback.join(","))));
    // Of a file of thousands those that are asked for.
    let is_named = |model: &String| llm.model.as_ref() == Some(model) || llm.fallback.contains(model);
    let shown = llm.prices.iter().filter(|(model, _)| llm.prices.len() <= MOST_PRICES || is_named(model));
    let prices: Vec<String> = shown.map(|(model, price)| format!("{model}={price}")).collect();
    lines.push(("llm_hedge", llm.hedge.to_string()));
    lines.push(("llm_prices", text(&prices.join(","))));
    lines.extend(llm.ca_file.as_ref().map(|file| ("ca_file", path(file))));
    lines.extend(llm.prompt.as_ref().map(|prompt| ("llm_prompt", text(prompt))));
    lines
}

fn text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn path(path: &Path) -> String {
    text(&path.to_string_lossy())
}

fn wire_names(wires: &[Wire]) -> String {
    match wires {
        [] => "none".to_owned(),
        _ => wires.iter().map(|wire| wire.as_str()).collect::<Vec<_>>().join(","),
    }
}

/// A number in the largest unit that it is a multiple of.
fn in_units(number: u64, units: &[(&str, u64)], smallest: &str) -> String {
    let fits = units.iter().find(|(_, unit)| number > 0 && number.is_multiple_of(*unit));
    fits.map_or_else(|| format!("{number}{smallest}"), |(name, unit)| format!("{}{name}", number / unit))
}

/// A URL without its user and password.
pub(super) fn redacted_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://(redacted)@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}
