//! One configuration: flags over `BINDERY_*` variables over a file over defaults.
//!
//! [`Settings`] is what someone gave, in any of the three places; every field has a flag, a variable and a key in the
//! file of the same name. [`Config`] is what holds in the end.

mod blob;
mod callers;
mod endpoint;
mod print;
mod role;
mod secret;
mod settings;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use self::callers::{origins, wires};
use self::endpoint::currency;
pub use self::secret::SecretFile;
use self::secret::{SecretSources, given_keys, one_secret};
pub use self::settings::Settings;
use crate::blob::ObjectOptions;
use crate::document::{DocumentLimits, OcrModels, ReaderLimits};
use crate::http::{Origins, Wire};
use crate::job::RetryPolicy;
use crate::keys::Keys;
use crate::ledger::{LedgerLimits, LedgerSharing};
use crate::notify::{NotifyOptions, Secret};
use crate::outbound::FetchOptions;
use crate::pool::{PoolOptions, Rates};
use crate::processor::LlmOptions;
use crate::supervisor::{SupervisorOptions, TenantLimits};
use crate::task::{ParseError, TaskOptions, names, seconds};

/// Where task records live.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// A file in the data directory.
    Embedded,
    /// This process's memory.
    Memory,
    /// A Redis server at this URL, or the one that Sentinels name; it may hold a password.
    Redis(String),
}

/// Where sources, results and the ledger live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlobChoice {
    /// In this directory, which servers of one machine may share.
    Directory(PathBuf),
    /// In a directory that servers of several machines share; each has a cache in its data directory.
    SharedDirectory(PathBuf),
    /// In object storage, with a cache in the data directory.
    Objects(ObjectOptions),
}

/// The effective configuration.
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Who is let in.
    pub keys: Keys,
    /// Interfaces of other services that are served, too.
    pub wires: Vec<Wire>,
    /// Origins whose web pages may use the API.
    pub cors: Origins,
    /// Whether listening beyond loopback without keys is wanted.
    pub insecure: bool,
    /// Where everything durable lives.
    pub data_dir: PathBuf,
    /// Where task records live.
    pub store: StoreChoice,
    /// Where sources, results and the ledger live.
    pub blob: BlobChoice,
    /// Certificates that those of Redis servers with TLS may be signed by.
    pub store_ca_file: Option<PathBuf>,
    /// How long an upload may stand still.
    pub upload_timeout: Duration,
    /// How long calls in flight may go on after SIGTERM.
    pub drain: Duration,
    /// How long a task stays with a process that does not renew its lease.
    pub lease: Duration,
    /// How many workers there are.
    pub pool: PoolOptions,
    /// What a process that reads PDFs may take.
    pub reader: ReaderLimits,
    /// What tasks have that do not say otherwise, as it was given.
    pub(crate) task: BTreeMap<String, toml::Value>,
    /// Limits and times of tasks.
    pub supervisor: SupervisorOptions,
    /// The endpoint, when there is one.
    pub llm: Option<LlmOptions>,
    /// The currency of its prices, as ISO 4217 names it.
    pub currency: String,
    /// What an endpoint lacks that is half configured: one line.
    pub llm_gap: Option<String>,
    /// What its user should know of settings that hold all the same, a line each.
    pub warnings: Vec<String>,
    /// Folders in which the OCR models are looked for, in their order.
    pub model_folders: Vec<PathBuf>,
    /// Where secrets are read from again.
    sources: SecretSources,
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
    /// Checks everything and fills in the defaults. `env` looks up the variables that other programs share
    /// (`OPENAI_BASE_URL`, `OPENAI_API_KEY`, `XDG_DATA_HOME`, `HOME`).
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that cannot be used.
    pub fn resolve(self, env: impl Fn(&str) -> Option<String>) -> Result<Config, ConfigError> {
        let env = |name: &str| env(name).filter(|value| !value.is_empty());
        let mut warnings = Vec::new();
        let (llm, llm_gap) = self.llm(env, &mut warnings)?;
        let (supervisor, pool, reader) =
            (self.supervisor_options(&mut warnings)?, self.pool_options()?, self.reader_limits()?);
        let currency = currency(self.llm_currency.as_deref())?;
        let listen = self.listen.as_deref().unwrap_or("127.0.0.1:8080");
        let listen: SocketAddr =
            listen.parse().map_err(|_| ConfigError::new("listen", "write ADDRESS:PORT, such as 127.0.0.1:8080"))?;
        let insecure = self.insecure.unwrap_or(false);
        let sources = SecretSources {
            keys: given_keys(self.api_key.as_deref().unwrap_or_default())?,
            api_key_file: self.api_key_file.clone(),
            operators: self.operator.as_deref().map(names).unwrap_or_default(),
            llm_api_key_file: self.llm_api_key_file.clone(),
        };
        let keys = sources.keys()?;
        warnings.extend(self.api_key_file.as_deref().and_then(secret::open_to_others));
        let data_dir = match self.data_dir {
            Some(dir) => dir,
            None => {
                default_data_dir(&env).ok_or_else(|| ConfigError::new("data-dir", "no home directory: name one"))?
            }
        };
        let own = [Some(data_dir.clone()), default_data_dir(&env)].into_iter().flatten();
        let mut model_folders: Vec<PathBuf> = own.chain(beside_program()).map(|folder| folder.join("models")).collect();
        model_folders.dedup();
        let password = one_secret(
            ("store-password", self.store_password),
            ("store-password-file", self.store_password_file.as_deref()),
            &mut warnings,
        )?;
        let store = store(self.store.as_deref(), password.as_deref())?;
        Ok(Config {
            listen,
            keys,
            task: self.task,
            wires: wires(self.wires.as_deref())?,
            cors: origins(self.cors_origin.as_deref())?,
            insecure,
            blob: blob::choose(
                self.blob.as_deref(),
                (self.s3_endpoint, self.s3_region, self.s3_path_style),
                &data_dir,
            )?,
            data_dir,
            store,
            store_ca_file: self.store_ca_file,
            upload_timeout: secs(time("upload-timeout", self.upload_timeout.as_deref(), 60)?.max(1)),
            drain: secs(time("drain", self.drain.as_deref(), 30)?),
            lease: secs(time("lease", self.lease.as_deref(), 15)?.max(1)),
            pool,
            reader,
            supervisor,
            llm,
            currency,
            llm_gap,
            warnings,
            model_folders,
            sources,
        })
    }

    fn supervisor_options(&self, warnings: &mut Vec<String>) -> Result<SupervisorOptions, ConfigError> {
        let signing_secret = one_secret(
            ("webhook-signing-secret", self.webhook_signing_secret.clone()),
            ("webhook-signing-secret-file", self.webhook_signing_secret_file.as_deref()),
            warnings,
        )?;
        Ok(SupervisorOptions {
            node: self.node.clone().unwrap_or_else(|| "bindery".into()),
            role: role::role(self.role.as_deref())?,
            max_queued: at_least_one("max-queued", self.max_queued, 10_000)?,
            tenant: self.tenant_limits()?,
            notify: NotifyOptions {
                allow: self.webhook_allow.as_deref().map(names).unwrap_or_default(),
                secret: signing_secret.map(Secret),
                public_url: self.public_url.clone(),
            },
            fetch: FetchOptions { hosts: self.source_hosts.as_deref().map(names).unwrap_or_default() },
            ttl: secs(time("task-ttl", self.task_ttl.as_deref(), 7 * 86_400)?),
            limits: self.document_limits()?,
            attempt_timeout: secs(time("llm-timeout", self.llm_timeout.as_deref(), 300)?.max(1)),
            retry: RetryPolicy {
                max_attempts: self.llm_max_attempts.unwrap_or(5).max(1),
                unavailable_timeout: secs(time(
                    "llm-unavailable-timeout",
                    self.llm_unavailable_timeout.as_deref(),
                    6 * 3_600,
                )?),
                ..RetryPolicy::default()
            },
            janitor_tick: secs(time("janitor-tick", self.janitor_tick.as_deref(), 60)?.max(1)),
            ledger: self.ledger_limits()?,
            cache_bytes: bytes("blob-cache", self.blob_cache.as_deref().unwrap_or("10G"), 0)?,
            task_defaults: task_defaults(&self.task)?,
            ledger_sharing: match self.ledger_scope.as_deref() {
                Some(text) => {
                    text.parse().map_err(|error: ParseError| ConfigError::new("ledger-scope", error.to_string()))?
                }
                None => LedgerSharing::default(),
            },
            ..SupervisorOptions::default()
        })
    }

    fn pool_options(&self) -> Result<PoolOptions, ConfigError> {
        Ok(PoolOptions {
            cpu_workers: at_least_one("workers", self.workers, PoolOptions::default().cpu_workers)?,
            call_workers: at_least_one("llm-concurrency", self.llm_concurrency, 16)?,
            rates: Rates { calls: self.llm_rpm.filter(|n| *n > 0), tokens: self.llm_tpm.filter(|n| *n > 0) },
        })
    }

    fn reader_limits(&self) -> Result<ReaderLimits, ConfigError> {
        Ok(ReaderLimits {
            page_time: secs(time("reader-timeout", self.reader_timeout.as_deref(), 20)?.max(1)),
            memory: bytes("reader-memory", self.reader_memory.as_deref().unwrap_or("1G"), 64 << 20)?,
        })
    }

    fn tenant_limits(&self) -> Result<TenantLimits, ConfigError> {
        Ok(TenantLimits {
            running: at_least_one("tenant-running", self.tenant_running, TenantLimits::default().running)?,
            tasks: self.tenant_tasks.filter(|n| *n > 0).unwrap_or(usize::MAX),
            pages: self.tenant_pages.filter(|n| *n > 0).unwrap_or(u64::MAX),
            bytes: match self.tenant_bytes.as_deref() {
                Some(text) => Some(bytes("tenant-bytes", text, 0)?).filter(|n| *n > 0).unwrap_or(u64::MAX),
                None => u64::MAX,
            },
            requests_per_minute: self.tenant_rate.filter(|n| *n > 0),
        })
    }

    fn document_limits(&self) -> Result<DocumentLimits, ConfigError> {
        Ok(DocumentLimits {
            max_bytes: match self.max_upload.as_deref() {
                Some(text) => bytes("max-upload", text, 1)?,
                None => DocumentLimits::default().max_bytes,
            },
            max_pages: self.max_pages.unwrap_or(20_000),
        })
    }

    fn ledger_limits(&self) -> Result<LedgerLimits, ConfigError> {
        Ok(LedgerLimits {
            bytes: Some(bytes("ledger-size", self.ledger_size.as_deref().unwrap_or("20G"), 0)?).filter(|n| *n > 0),
            age: Some(secs(time("ledger-age", self.ledger_age.as_deref(), 365 * 86_400)?)).filter(|a| !a.is_zero()),
        })
    }
}

fn time(option: &'static str, value: Option<&str>, default: u32) -> Result<u32, ConfigError> {
    match value {
        Some(text) => seconds(text, 0, 10 * 365 * 86_400).map_err(|reason| ConfigError::new(option, reason)),
        None => Ok(default),
    }
}

/// Options of tasks, as the file has them.
fn task_defaults(given: &BTreeMap<String, toml::Value>) -> Result<TaskOptions, ConfigError> {
    let mut defaults = TaskOptions::default();
    for (name, value) in given {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => value.to_string(),
            other => {
                let reason = format!("{name}: must be a text, a number or a truth value, not {}", other.type_str());
                return Err(ConfigError::new("[task]", reason));
            }
        };
        defaults.set(name, &text).map_err(|error| ConfigError::new("[task]", error.to_string()))?;
    }
    Ok(defaults)
}

fn secs(value: u32) -> Duration {
    Duration::from_secs(u64::from(value))
}

/// How URLs of Redis servers begin.
const REDIS: [&str; 4] = ["redis://", "rediss://", "redis+sentinel://", "rediss+sentinel://"];

fn store(named: Option<&str>, password: Option<&str>) -> Result<StoreChoice, ConfigError> {
    let store = match named {
        None | Some("embedded") => StoreChoice::Embedded,
        Some("memory") => StoreChoice::Memory,
        Some(url) if REDIS.iter().any(|scheme| url.starts_with(scheme)) => StoreChoice::Redis(url.to_owned()),
        Some(_) => {
            let reason = "use embedded, memory, redis://HOST:PORT/DB, rediss://… for TLS, or \
                          redis+sentinel://HOST:PORT,…/MASTER/DB";
            return Err(ConfigError::new("store", reason));
        }
    };
    match (store, password) {
        (StoreChoice::Redis(url), Some(password)) => {
            let url = secret::with_password(&url, password);
            url.map(StoreChoice::Redis).map_err(|reason| ConfigError::new("store-password", reason))
        }
        (_, Some(_)) => Err(ConfigError::new("store-password", "only a Redis store has one: give --store redis://…")),
        (store, None) => Ok(store),
    }
}

impl Config {
    /// The models that recognise text on pictures of pages, where they are installed.
    #[must_use]
    pub fn ocr_models(&self) -> Option<OcrModels> {
        OcrModels::find(&self.model_folders)
    }
}

/// Where a package puts what belongs to the program.
fn beside_program() -> Vec<PathBuf> {
    let folder = std::env::current_exe().ok().and_then(|program| program.parent().map(PathBuf::from));
    folder.map(|folder| vec![folder.join("../share/bindery"), folder]).unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn home(name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/x".to_owned())
    }

    #[test]
    fn defaults_need_no_thought() {
        let config = Settings::default().resolve(home).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.data_dir, Path::new("/home/x/.local/share/bindery"));
        assert_eq!(config.blob, BlobChoice::Directory(config.data_dir.clone()));
        assert!(config.store == StoreChoice::Embedded && config.llm.is_none());
    }

    #[test]
    fn the_example_says_what_holds_without_it() {
        let defaults = Settings::default().resolve(home).unwrap();
        let example = Config::example(&defaults);
        let is_setting = |line: &&str| line.split(' ').nth(1) == Some("=") || *line == "[task]";
        let lines = example.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_setting);
        let uncommented = lines.collect::<Vec<_>>().join("\n");
        toml::from_str::<Settings>(&uncommented).unwrap();
        let words = ["DIR", "DIR|URL", "REGION", "FILE", "URL", "KEY", "MODEL", "TEXT", "SECRET"];
        let held = toml::from_str::<toml::Table>(&defaults.to_toml()).unwrap();
        let example = toml::from_str::<toml::Table>(&uncommented).unwrap();
        assert!(example["task"].is_table());
        for (name, value) in example.iter().filter(|(name, _)| *name != "task") {
            let is_word = value.as_str().is_some_and(|word| words.contains(&word));
            assert!(
                is_word || held.get(name) == Some(value) || ["llm_", "s3_"].iter().any(|part| name.starts_with(part)),
                "{name} = {value}"
            );
        }
        assert!(example.len() > 40);
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: Settings = toml::from_str("workers = 3\nmax_pages = 5\n").unwrap();
        let flags = Settings { workers: Some(7), ..Settings::default() };
        let config = flags.over(file).resolve(home).unwrap();
        assert_eq!((config.pool.cpu_workers, config.supervisor.limits.max_pages), (7, 5));
        assert!(toml::from_str::<Settings>("worker = 3").is_err(), "a misspelt key is told");
        // A name of earlier versions.
        let file: Settings = toml::from_str("llm_patience = '7s'").unwrap();
        assert_eq!(file.llm_unavailable_timeout.as_deref(), Some("7s"));
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
            ("ledger_scope = 'all'", "ledger-scope"),
            ("role = 'accept'", "role"),
            ("cors_origin = ['https://h/']", "cors-origin"),
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
             webhook_signing_secret = 'geheim'\n\
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
