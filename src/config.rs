//! One configuration: flags over `BINDERY_*` variables over a file over defaults.
//!
//! [`Settings`] is what someone gave, in any of the three places; every field has a flag, a variable and a key in the
//! file of the same name. [`Config`] is what holds in the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::document::{DocumentLimits, ReaderLimits};
use crate::job::RetryPolicy;
use crate::keys::Keys;
use crate::ledger::LedgerLimits;
use crate::pool::{PoolOptions, Rates};
use crate::processor::LlmOptions;
use crate::supervisor::{SupervisorOptions, TenantLimits};
use crate::task::{PageInputKind, Price, TaskOptions, names, seconds};

/// What was given on the command line, in the environment, or in a file. Nothing given means the default.
#[derive(Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Configuration")]
pub struct Settings {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, env = "BINDERY_LISTEN", value_name = "ADDR")]
    pub listen: Option<String>,
    /// A key that lets a caller in, and its name, by which tasks are kept apart; may be given several times
    #[arg(long, env = "BINDERY_API_KEYS", value_name = "NAME=KEY", value_delimiter = ',', hide_env_values = true)]
    pub api_key: Option<Vec<String>>,
    /// A file with more keys, one NAME=KEY a line
    #[arg(long, env = "BINDERY_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// The most tasks that one key's caller has running [default: 64]
    #[arg(long, env = "BINDERY_TENANT_RUNNING", value_name = "N")]
    pub tenant_running: Option<usize>,
    /// The most unfinished tasks of one key's caller; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_TENANT_TASKS", value_name = "N")]
    pub tenant_tasks: Option<usize>,
    /// The most pages of one key's unfinished tasks; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_TENANT_PAGES", value_name = "N")]
    pub tenant_pages: Option<u64>,
    /// Serve beyond loopback although there are no keys: anyone who reaches the port can use it
    #[arg(long, env = "BINDERY_INSECURE", num_args = 0..=1, default_missing_value = "true")]
    pub insecure: Option<bool>,
    /// Where everything durable lives [default: `$XDG_DATA_HOME/bindery`]
    #[arg(long, env = "BINDERY_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where task records live: embedded, redis://HOST:PORT/DB or memory [default: embedded]
    #[arg(long, env = "BINDERY_STORE", value_name = "STORE", hide_env_values = true)]
    pub store: Option<String>,
    /// Where sources, results and the ledger live [default: the data directory]
    #[arg(long, env = "BINDERY_BLOB", value_name = "DIR")]
    pub blob: Option<PathBuf>,
    /// The name of this process among those on the same data; taken ones get a number [default: bindery]
    #[arg(long, env = "BINDERY_NODE", value_name = "NAME")]
    pub node: Option<String>,
    /// Threads that read and write PDFs and results [default: one a core]
    #[arg(long, env = "BINDERY_WORKERS", value_name = "N")]
    pub workers: Option<usize>,
    /// How long finished tasks and their files stay [default: 7d]
    #[arg(long, env = "BINDERY_TASK_TTL", value_name = "TIME")]
    pub task_ttl: Option<String>,
    /// How long a task stays with a process that does not renew its lease, on a shared store [default: 15s]
    #[arg(long, env = "BINDERY_LEASE", value_name = "TIME")]
    pub lease: Option<String>,
    /// How often expired tasks and leftovers are looked for; longer than a submit takes [default: 60s]
    #[arg(long, env = "BINDERY_JANITOR_TICK", value_name = "TIME")]
    pub janitor_tick: Option<String>,
    /// What the ledger may keep, such as 20G; 0 for no limit [default: 20G]
    #[arg(long, env = "BINDERY_LEDGER_SIZE", value_name = "SIZE")]
    pub ledger_size: Option<String>,
    /// How long the ledger keeps a page that nobody uses; 0 for ever [default: 365d]
    #[arg(long, env = "BINDERY_LEDGER_AGE", value_name = "TIME")]
    pub ledger_age: Option<String>,
    /// The largest PDF, such as 200M [default: 512M]
    #[arg(long, env = "BINDERY_MAX_UPLOAD", value_name = "SIZE")]
    pub max_upload: Option<String>,
    /// The longest that opening a PDF or reading one page of it may take [default: 20s]
    #[arg(long, env = "BINDERY_READER_TIMEOUT", value_name = "TIME")]
    pub reader_timeout: Option<String>,
    /// The most memory of a process that reads PDFs; there are as many as workers [default: 1G]
    #[arg(long, env = "BINDERY_READER_MEMORY", value_name = "SIZE")]
    pub reader_memory: Option<String>,
    /// The most pages of a PDF [default: 20000]
    #[arg(long, env = "BINDERY_MAX_PAGES", value_name = "N")]
    pub max_pages: Option<u32>,
    /// Unfinished tasks before submits are refused [default: 10000]
    #[arg(long, env = "BINDERY_MAX_QUEUED", value_name = "N")]
    pub max_queued: Option<usize>,
    /// How long calls in flight may go on after SIGTERM [default: 30s]
    #[arg(long, env = "BINDERY_DRAIN", value_name = "TIME")]
    pub drain: Option<String>,
    /// An OpenAI-compatible endpoint, up to and without /chat/completions; gives the processor llm
    #[arg(long, env = "BINDERY_LLM_BASE_URL", value_name = "URL")]
    pub llm_base_url: Option<String>,
    /// The endpoint's key; better given as a variable, where other users do not see it
    #[arg(long, env = "BINDERY_LLM_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub llm_api_key: Option<String>,
    /// The model of tasks that name none
    #[arg(long, env = "BINDERY_LLM_MODEL", value_name = "MODEL")]
    pub llm_model: Option<String>,
    /// Instructions instead of the built-in prompt
    #[arg(long, env = "BINDERY_LLM_PROMPT", value_name = "TEXT")]
    pub llm_prompt: Option<String>,
    /// What the model is given of a page: image, text or image+text [default: image]
    #[arg(long, env = "BINDERY_LLM_INPUT", value_name = "KIND")]
    pub llm_input: Option<String>,
    /// The most pixels of the longer side of a page's picture [default: 1600]
    #[arg(long, env = "BINDERY_LLM_IMAGE_SIDE", value_name = "PIXELS")]
    pub llm_image_side: Option<u32>,
    /// Models that read a page when the first has failed, in their order; text stands for the text layer
    #[arg(long, env = "BINDERY_LLM_FALLBACK", value_name = "MODEL,…")]
    pub llm_fallback: Option<String>,
    /// What models cost per million tokens, sent and received, such as m=0.15/0.60,n=1/4; * stands for all others
    #[arg(long, env = "BINDERY_LLM_PRICES", value_name = "MODEL=PRICE,…")]
    pub llm_prices: Option<String>,
    /// Ask a second time when a call takes longer than 95 of 100; the first good answer counts, both are paid
    #[arg(long, env = "BINDERY_LLM_HEDGE", num_args = 0..=1, default_missing_value = "true", value_name = "BOOL")]
    pub llm_hedge: Option<bool>,
    /// Certificates (PEM) that the endpoint's may be signed by, besides the usual ones
    #[arg(long, env = "BINDERY_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// The most calls in flight [default: 16]
    #[arg(long, env = "BINDERY_LLM_CONCURRENCY", value_name = "N")]
    pub llm_concurrency: Option<usize>,
    /// The most calls a minute, of each model; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_LLM_RPM", value_name = "N")]
    pub llm_rpm: Option<u32>,
    /// The most tokens a minute, both ways, of each model; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_LLM_TPM", value_name = "N")]
    pub llm_tpm: Option<u64>,
    /// The longest one attempt may take when the task does not say [default: 5m]
    #[arg(long, env = "BINDERY_LLM_TIMEOUT", value_name = "TIME")]
    pub llm_timeout: Option<String>,
    /// Attempts at one shard, the first included [default: 5]
    #[arg(long, env = "BINDERY_LLM_MAX_ATTEMPTS", value_name = "N")]
    pub llm_max_attempts: Option<u32>,
    /// How long a page waits for an endpoint that is down [default: 6h; convert: 1m]
    #[arg(long, env = "BINDERY_LLM_PATIENCE", value_name = "TIME")]
    pub llm_patience: Option<String>,
}

/// Where task records live.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// A file in the data directory.
    Embedded,
    /// This process's memory.
    Memory,
    /// A Redis server at this URL, which may hold a password.
    Redis(String),
}

/// The effective configuration.
#[derive(Clone)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Who is let in.
    pub keys: Keys,
    /// Whether listening beyond loopback without keys is wanted.
    pub insecure: bool,
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Where task records live.
    pub store: StoreChoice,
    /// Where sources, results and the ledger live.
    pub blob: PathBuf,
    /// How long calls in flight may go on after SIGTERM.
    pub drain: Duration,
    /// How long a task stays with a process that does not renew its lease.
    pub lease: Duration,
    /// How many workers there are.
    pub pool: PoolOptions,
    /// What a process that reads PDFs may take.
    pub reader: ReaderLimits,
    /// Limits and times of tasks.
    pub supervisor: SupervisorOptions,
    /// The endpoint, when there is one.
    pub llm: Option<LlmOptions>,
}

/// A configuration that cannot be used: which option, and what it takes.
#[derive(Debug, thiserror::Error)]
#[error("{option}: {reason}")]
pub struct ConfigError {
    option: &'static str,
    reason: String,
}

impl ConfigError {
    fn new(option: &'static str, reason: impl Into<String>) -> Self {
        Self { option, reason: reason.into() }
    }
}

impl Settings {
    /// Reads settings from a TOML file.
    ///
    /// # Errors
    /// When the file cannot be read or holds what is not an option.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|e| ConfigError::new("config", format!("{}: {e}", path.display())))?;
        toml::from_str(&text).map_err(|e| ConfigError::new("config", format!("{}: {}", path.display(), e.message())))
    }

    /// These settings where they say something, else `under`.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        Self {
            listen: self.listen.or(under.listen),
            api_key: self.api_key.or(under.api_key),
            api_key_file: self.api_key_file.or(under.api_key_file),
            tenant_running: self.tenant_running.or(under.tenant_running),
            tenant_tasks: self.tenant_tasks.or(under.tenant_tasks),
            tenant_pages: self.tenant_pages.or(under.tenant_pages),
            insecure: self.insecure.or(under.insecure),
            data_dir: self.data_dir.or(under.data_dir),
            store: self.store.or(under.store),
            blob: self.blob.or(under.blob),
            node: self.node.or(under.node),
            workers: self.workers.or(under.workers),
            task_ttl: self.task_ttl.or(under.task_ttl),
            lease: self.lease.or(under.lease),
            janitor_tick: self.janitor_tick.or(under.janitor_tick),
            ledger_size: self.ledger_size.or(under.ledger_size),
            ledger_age: self.ledger_age.or(under.ledger_age),
            max_upload: self.max_upload.or(under.max_upload),
            reader_timeout: self.reader_timeout.or(under.reader_timeout),
            reader_memory: self.reader_memory.or(under.reader_memory),
            max_pages: self.max_pages.or(under.max_pages),
            max_queued: self.max_queued.or(under.max_queued),
            drain: self.drain.or(under.drain),
            llm_base_url: self.llm_base_url.or(under.llm_base_url),
            llm_api_key: self.llm_api_key.or(under.llm_api_key),
            llm_model: self.llm_model.or(under.llm_model),
            llm_prompt: self.llm_prompt.or(under.llm_prompt),
            llm_input: self.llm_input.or(under.llm_input),
            llm_image_side: self.llm_image_side.or(under.llm_image_side),
            llm_fallback: self.llm_fallback.or(under.llm_fallback),
            llm_hedge: self.llm_hedge.or(under.llm_hedge),
            llm_prices: self.llm_prices.or(under.llm_prices),
            ca_file: self.ca_file.or(under.ca_file),
            llm_concurrency: self.llm_concurrency.or(under.llm_concurrency),
            llm_rpm: self.llm_rpm.or(under.llm_rpm),
            llm_tpm: self.llm_tpm.or(under.llm_tpm),
            llm_timeout: self.llm_timeout.or(under.llm_timeout),
            llm_max_attempts: self.llm_max_attempts.or(under.llm_max_attempts),
            llm_patience: self.llm_patience.or(under.llm_patience),
        }
    }

    /// Checks everything and fills in the defaults. `env` looks up the variables that other programs share
    /// (`OPENAI_BASE_URL`, `OPENAI_API_KEY`, `XDG_DATA_HOME`, `HOME`).
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that cannot be used.
    pub fn resolve(self, env: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let listen = self.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let listen: SocketAddr =
            listen.parse().map_err(|_| ConfigError::new("listen", "write ADDRESS:PORT, such as 127.0.0.1:8080"))?;
        let insecure = self.insecure.unwrap_or(false);
        let keys = keys(self.api_key.as_deref().unwrap_or_default(), self.api_key_file.as_deref())?;
        let data_dir = match self.data_dir {
            Some(dir) => dir,
            None => {
                default_data_dir(&env).ok_or_else(|| ConfigError::new("data-dir", "no home directory: name one"))?
            }
        };
        let store = match self.store.as_deref() {
            None | Some("embedded") => StoreChoice::Embedded,
            Some("memory") => StoreChoice::Memory,
            Some(url) if url.starts_with("redis://") => StoreChoice::Redis(url.to_owned()),
            Some(_) => return Err(ConfigError::new("store", "use embedded, memory or redis://HOST:PORT/DB")),
        };
        let time = |option, value: Option<&str>, default: u32| match value {
            Some(text) => seconds(text, 0, 10 * 365 * 86_400).map_err(|reason| ConfigError::new(option, reason)),
            None => Ok(default),
        };
        let secs = |value: u32| Duration::from_secs(u64::from(value));
        let supervisor = SupervisorOptions {
            node: self.node.unwrap_or_else(|| "bindery".into()),
            max_queued: at_least_one("max-queued", self.max_queued, 10_000)?,
            tenant: TenantLimits {
                running: at_least_one("tenant-running", self.tenant_running, TenantLimits::default().running)?,
                tasks: self.tenant_tasks.filter(|n| *n > 0).unwrap_or(usize::MAX),
                pages: self.tenant_pages.filter(|n| *n > 0).unwrap_or(u64::MAX),
            },
            ttl: secs(time("task-ttl", self.task_ttl.as_deref(), 7 * 86_400)?),
            limits: DocumentLimits {
                max_bytes: match self.max_upload.as_deref() {
                    Some(text) => bytes("max-upload", text, 1)?,
                    None => DocumentLimits::default().max_bytes,
                },
                max_pages: self.max_pages.unwrap_or(20_000),
            },
            attempt_timeout: secs(time("llm-timeout", self.llm_timeout.as_deref(), 300)?.max(1)),
            retry: RetryPolicy {
                max_attempts: self.llm_max_attempts.unwrap_or(5).max(1),
                patience: secs(time("llm-patience", self.llm_patience.as_deref(), 6 * 3_600)?),
                ..RetryPolicy::default()
            },
            janitor_tick: secs(time("janitor-tick", self.janitor_tick.as_deref(), 60)?.max(1)),
            ledger: LedgerLimits {
                bytes: Some(bytes("ledger-size", self.ledger_size.as_deref().unwrap_or("20G"), 0)?).filter(|n| *n > 0),
                age: Some(secs(time("ledger-age", self.ledger_age.as_deref(), 365 * 86_400)?)).filter(|a| !a.is_zero()),
            },
            ..SupervisorOptions::default()
        };
        let pool = PoolOptions {
            cpu_workers: at_least_one("workers", self.workers, PoolOptions::default().cpu_workers)?,
            call_workers: at_least_one("llm-concurrency", self.llm_concurrency, 16)?,
            rates: Rates { calls: self.llm_rpm.filter(|n| *n > 0), tokens: self.llm_tpm.filter(|n| *n > 0) },
        };
        let reader = ReaderLimits {
            page_time: secs(time("reader-timeout", self.reader_timeout.as_deref(), 20)?.max(1)),
            memory: bytes("reader-memory", self.reader_memory.as_deref().unwrap_or("1G"), 64 << 20)?,
        };
        let input = self.llm_input.as_deref().unwrap_or("image").parse();
        let input = input.map_err(|reason: String| ConfigError::new("llm-input", reason))?;
        let image_side = self.llm_image_side.unwrap_or_else(|| LlmOptions::default().image_side);
        if !TaskOptions::IMAGE_SIDES.contains(&image_side) {
            return Err(ConfigError::new("llm-image-side", "must be 256 to 8192"));
        }
        let prices = prices(self.llm_prices.as_deref().unwrap_or_default())?;
        let base_url = self.llm_base_url.or_else(|| env("OPENAI_BASE_URL"));
        let api_key = self.llm_api_key.or_else(|| env("OPENAI_API_KEY"));
        let llm = base_url.filter(|url| !url.is_empty()).map(|base_url| LlmOptions {
            base_url,
            api_key: api_key.filter(|key| !key.is_empty()),
            model: self.llm_model,
            prompt: self.llm_prompt,
            fallback: self.llm_fallback.as_deref().map(names).unwrap_or_default(),
            input,
            image_side,
            prices,
            hedge: self.llm_hedge.unwrap_or(false),
            ca_file: self.ca_file,
        });
        Ok(Config {
            listen,
            keys,
            insecure,
            blob: self.blob.unwrap_or_else(|| data_dir.clone()),
            data_dir,
            store,
            drain: secs(time("drain", self.drain.as_deref(), 30)?),
            lease: secs(time("lease", self.lease.as_deref(), 15)?.max(1)),
            pool,
            reader,
            supervisor,
            llm,
        })
    }
}

impl Config {
    /// Refuses to serve beyond loopback, where there are no keys, unless that is meant.
    ///
    /// # Errors
    /// [`ConfigError`] that names the word it takes.
    pub fn refuse_open_door(&self) -> Result<(), ConfigError> {
        if self.listen.ip().is_loopback() || self.insecure || !self.keys.is_empty() {
            return Ok(());
        }
        let reason = format!(
            "{} is not loopback and there are no keys: give --api-key NAME=KEY, or --insecure if that is meant",
            self.listen
        );
        Err(ConfigError::new("listen", reason))
    }

    /// The configuration as a file that would give it, secrets redacted.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let text = |text: &str| toml::Value::String(text.to_owned()).to_string();
        let time = |time: Duration| text(&format!("{}s", time.as_secs()));
        let path = |path: &Path| text(&path.to_string_lossy());
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
            ("tenant_running", tenant.running.to_string()),
            ("tenant_tasks", if tenant.tasks == usize::MAX { 0 } else { tenant.tasks }.to_string()),
            ("tenant_pages", if tenant.pages == u64::MAX { 0 } else { tenant.pages }.to_string()),
            ("insecure", self.insecure.to_string()),
            ("data_dir", path(&self.data_dir)),
            ("store", text(&store)),
            ("blob", path(&self.blob)),
            ("node", text(&self.supervisor.node)),
            ("workers", self.pool.cpu_workers.to_string()),
            ("task_ttl", time(self.supervisor.ttl)),
            ("lease", time(self.lease)),
            ("janitor_tick", time(self.supervisor.janitor_tick)),
            ("ledger_size", text(&self.supervisor.ledger.bytes.unwrap_or(0).to_string())),
            ("ledger_age", time(self.supervisor.ledger.age.unwrap_or_default())),
            ("max_upload", text(&limits.max_bytes.to_string())),
            ("max_pages", limits.max_pages.to_string()),
            ("reader_timeout", time(self.reader.page_time)),
            ("reader_memory", text(&self.reader.memory.to_string())),
            ("max_queued", self.supervisor.max_queued.to_string()),
            ("drain", time(self.drain)),
            ("llm_concurrency", self.pool.call_workers.to_string()),
            ("llm_rpm", self.pool.rates.calls.unwrap_or(0).to_string()),
            ("llm_tpm", self.pool.rates.tokens.unwrap_or(0).to_string()),
            ("llm_timeout", time(self.supervisor.attempt_timeout)),
            ("llm_max_attempts", self.supervisor.retry.max_attempts.to_string()),
            ("llm_patience", time(self.supervisor.retry.patience)),
        ];
        if let Some(llm) = &self.llm {
            lines.push(("llm_base_url", text(&redacted_url(&llm.base_url))));
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
            let prices: Vec<String> = llm.prices.iter().map(|(model, price)| format!("{model}={price}")).collect();
            lines.push(("llm_hedge", llm.hedge.to_string()));
            lines.push(("llm_prices", text(&prices.join(","))));
            lines.extend(llm.ca_file.as_ref().map(|file| ("ca_file", path(file))));
            lines.extend(llm.prompt.as_ref().map(|prompt| ("llm_prompt", text(prompt))));
        }
        lines.iter().fold(String::new(), |mut toml, (name, value)| {
            let _ = writeln!(toml, "{name} = {value}");
            toml
        })
    }
}

fn keys(given: &[String], file: Option<&Path>) -> Result<Keys, ConfigError> {
    let mut keys = Keys::default();
    for key in given {
        let added = key.parse().and_then(|key| keys.add(key));
        added.map_err(|reason| ConfigError::new("api-key", reason))?;
    }
    if let Some(file) = file {
        let bad = |reason: String| ConfigError::new("api-key-file", format!("{}: {reason}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
        keys.add_lines(&text).map_err(bad)?;
        if keys.is_empty() {
            // An empty file must not open the door.
            return Err(bad("there is no key in it".into()));
        }
    }
    Ok(keys)
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

fn default_data_dir(env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    // A relative XDG path is to be ignored (XDG Base Directory Specification).
    let xdg = env("XDG_DATA_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = xdg.or_else(|| env("HOME").map(|home| PathBuf::from(home).join(".local/share")))?;
    Some(base.join("bindery"))
}

fn at_least_one(option: &'static str, value: Option<usize>, default: usize) -> Result<usize, ConfigError> {
    match value {
        Some(0) => Err(ConfigError::new(option, "must be at least 1")),
        Some(value) => Ok(value),
        None => Ok(default),
    }
}

fn bytes(option: &'static str, text: &str, least: u64) -> Result<u64, ConfigError> {
    let text = text.trim();
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let factor = match text[split..].trim() {
        "" | "B" => Some(1),
        "K" | "KB" | "KiB" => Some(1 << 10),
        "M" | "MB" | "MiB" => Some(1 << 20),
        "G" | "GB" | "GiB" => Some(1 << 30),
        _ => None,
    };
    let size = text[..split].parse::<u64>().ok().zip(factor).and_then(|(n, factor): (u64, u64)| n.checked_mul(factor));
    let size = size.filter(|size| *size >= least);
    size.ok_or_else(|| ConfigError::new(option, "write a size such as 500000, 200M or 2G"))
}

/// A URL without its user and password.
fn redacted_url(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find('/').unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://(redacted)@{}", &rest[at + 1..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/x".to_owned())
    }

    #[test]
    fn defaults_need_no_thought() {
        let config = Settings::default().resolve(home).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.data_dir, Path::new("/home/x/.local/share/bindery"));
        assert_eq!(config.blob, config.data_dir);
        assert!(config.store == StoreChoice::Embedded && config.llm.is_none());
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: Settings = toml::from_str("workers = 3\nmax_pages = 5\n").unwrap();
        let flags = Settings { workers: Some(7), ..Settings::default() };
        let config = flags.over(file).resolve(home).unwrap();
        assert_eq!((config.pool.cpu_workers, config.supervisor.limits.max_pages), (7, 5));
        assert!(toml::from_str::<Settings>("worker = 3").is_err(), "a misspelt key is told");
    }

    #[test]
    fn shared_variables_are_the_last_resort() {
        let env = |name: &str| match name {
            "OPENAI_BASE_URL" => Some("http://h/v1".to_owned()),
            "OPENAI_API_KEY" => Some("sk".to_owned()),
            other => home(other),
        };
        let llm = Settings::default().resolve(env).unwrap().llm.unwrap();
        assert_eq!((llm.base_url.as_str(), llm.api_key.as_deref()), ("http://h/v1", Some("sk")));
        let own = Settings { llm_base_url: Some("http://own/v1".into()), ..Settings::default() };
        assert_eq!(own.resolve(env).unwrap().llm.unwrap().base_url, "http://own/v1");
    }

    #[test]
    fn unusable_values_are_refused_by_name() {
        for (toml, option) in [
            ("listen = 'localhost'", "listen"),
            ("store = 'postgres://'", "store"),
            ("task_ttl = 'long'", "task-ttl"),
            ("max_upload = '12X'", "max-upload"),
            ("max_upload = '0'", "max-upload"),
            ("workers = 0", "workers"),
        ] {
            let error = toml::from_str::<Settings>(toml).unwrap().resolve(home).err().unwrap();
            assert!(error.to_string().starts_with(option), "{error}");
        }
        let meant: Settings = toml::from_str("listen = '0.0.0.0:80'\ninsecure = true").unwrap();
        assert!(meant.resolve(home).unwrap().refuse_open_door().is_ok());
        let open: Settings = toml::from_str("listen = '0.0.0.0:80'").unwrap();
        assert!(open.resolve(home).unwrap().refuse_open_door().is_err());
    }

    #[test]
    fn what_is_printed_reads_back_the_same_and_holds_no_secret() {
        let given: Settings = toml::from_str(
            "store = 'redis://u:geheim@h:1/2'\nllm_base_url = 'http://h/v1'\nllm_api_key = 'geheim'\n\
             api_key = ['ann=geheim-geheim', 'bob=geheim-geheimer']\n\
             llm_model = 'a\"b'\nmax_upload = '2G'\ntask_ttl = '1h'",
        )
        .unwrap();
        let printed = given.resolve(home).unwrap().to_toml();
        assert!(!printed.contains("geheim"), "{printed}");
        let again = toml::from_str::<Settings>(&printed).unwrap().resolve(home).unwrap();
        assert_eq!(again.to_toml(), printed);
        assert_eq!(again.supervisor.limits.max_bytes, 2 << 30);
    }
}
