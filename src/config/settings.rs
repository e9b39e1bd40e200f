//! What was given: each setting once, as a flag, a variable and a key of the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConfigError;

/// What was given on the command line, in the environment, or in a file. Nothing given means the default.
#[derive(Clone, Default, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Configuration")]
#[non_exhaustive]
pub struct Settings {
    /// Where to listen [default: 127.0.0.1:8080]
    #[arg(long, env = "BINDERY_LISTEN", value_name = "ADDR")]
    pub listen: Option<String>,
    /// What tasks have that do not say otherwise, by the names of their options; in the file alone, as `[task]`.
    #[arg(skip)]
    pub(crate) task: BTreeMap<String, toml::Value>,
    /// Interfaces of other services that are served, too: docling, mistral, tika, open-webui, llama-cloud; none for none [default: all]
    #[arg(long, env = "BINDERY_WIRES", value_name = "NAME,…")]
    pub wires: Option<String>,
    /// Origins whose web pages may use the API from a browser, such as `https://app.example.org`; * for all; may be given
    /// several times
    #[arg(long, env = "BINDERY_CORS_ORIGINS", value_name = "ORIGIN", value_delimiter = ',')]
    pub cors_origin: Option<Vec<String>>,
    /// A key that lets a caller in, and its name, by which tasks are kept apart; may be given several times. `ps` shows
    /// it to all users of the machine: rather use `BINDERY_API_KEYS` or --api-key-file
    #[arg(long, env = "BINDERY_API_KEYS", value_name = "NAME=KEY", value_delimiter = ',', hide_env_values = true)]
    pub api_key: Option<Vec<String>>,
    /// A file with more keys, one NAME=KEY a line; read again on SIGHUP
    #[arg(long, env = "BINDERY_API_KEY_FILE", value_name = "FILE")]
    pub api_key_file: Option<PathBuf>,
    /// Names of keys whose callers may read /metrics and /readyz?verbose, which tell of all others
    #[arg(long, env = "BINDERY_OPERATOR", value_name = "NAME,…")]
    pub operator: Option<String>,
    /// The most tasks that one key's caller has running [default: 64]
    #[arg(long, env = "BINDERY_TENANT_RUNNING", value_name = "N")]
    pub tenant_running: Option<usize>,
    /// The most unfinished tasks of one key's caller, with uploads and estimates; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_TENANT_TASKS", value_name = "N")]
    pub tenant_tasks: Option<usize>,
    /// The most pages of one key's unfinished tasks; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_TENANT_PAGES", value_name = "N")]
    pub tenant_pages: Option<u64>,
    /// The most bytes of one key's unfinished tasks and uploads, such as 2G; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_TENANT_BYTES", value_name = "SIZE")]
    pub tenant_bytes: Option<String>,
    /// The most requests a minute of one key's caller, evened out over ten seconds; 0 for no limit [default: 0]
    #[arg(long, env = "BINDERY_TENANT_RATE", value_name = "N")]
    pub tenant_rate: Option<u32>,
    /// Serve beyond loopback although there are no keys: anyone who reaches the port can use it
    #[arg(long, env = "BINDERY_INSECURE", num_args = 0..=1, default_missing_value = "true")]
    pub insecure: Option<bool>,
    /// Where everything durable lives [default: `$XDG_DATA_HOME/bindery`]
    #[arg(long, env = "BINDERY_DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where task records live: embedded, memory, redis://HOST:PORT/DB, `rediss://` for TLS, or
    /// redis+sentinel://HOST:PORT,…/MASTER/DB [default: embedded]. `ps` shows a password in the
    /// URL to all users of the machine: rather use `BINDERY_STORE`, `BINDERY_STORE_PASSWORD` or --store-password-file
    #[arg(long, env = "BINDERY_STORE", value_name = "STORE", hide_env_values = true)]
    pub store: Option<String>,
    /// The password of the Redis server, instead of one in its URL. `ps` shows it to all users of the machine: rather use
    /// `BINDERY_STORE_PASSWORD` or --store-password-file
    #[arg(long, env = "BINDERY_STORE_PASSWORD", value_name = "SECRET", hide_env_values = true)]
    pub store_password: Option<String>,
    /// A file with the password of the Redis server
    #[arg(long, env = "BINDERY_STORE_PASSWORD_FILE", value_name = "FILE")]
    pub store_password_file: Option<PathBuf>,
    /// Certificates (PEM) that those of Redis servers with TLS may be signed by, instead of the system's
    #[arg(long, env = "BINDERY_STORE_CA_FILE", value_name = "FILE")]
    pub store_ca_file: Option<PathBuf>,
    /// Where sources, results and the ledger live: a directory, `s3://BUCKET/PREFIX`, or `file:///DIR` that servers on several
    /// machines share [default: the data directory]. Keys of S3 come from `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or
    /// the machine's role
    #[arg(long, env = "BINDERY_BLOB", value_name = "DIR|URL")]
    pub blob: Option<String>,
    /// The URL of an S3 server that is not Amazon's [default: `AWS_ENDPOINT_URL`]
    #[arg(long, env = "BINDERY_S3_ENDPOINT", value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// The region of the bucket [default: `AWS_REGION`, else us-east-1]
    #[arg(long, env = "BINDERY_S3_REGION", value_name = "REGION")]
    pub s3_region: Option<String>,
    /// Whether the bucket stands in the path of URLs, not in the host's name [default: true where there is an endpoint]
    #[arg(long, env = "BINDERY_S3_PATH_STYLE", value_name = "BOOL")]
    pub s3_path_style: Option<bool>,
    /// The most that a server keeps on its own disk of sources and results that are in shared storage [default: 10G]
    #[arg(long, env = "BINDERY_BLOB_CACHE", value_name = "SIZE")]
    pub blob_cache: Option<String>,
    /// The name of this process among those on the same data; taken ones get a number [default: bindery]
    #[arg(long, env = "BINDERY_NODE", value_name = "NAME")]
    pub node: Option<String>,
    /// What this server does of the work of all on its Redis: all; api (accepts tasks and answers for them, runs none); worker
    /// (runs tasks, accepts none) [default: all]
    #[arg(long, env = "BINDERY_ROLE", value_name = "ROLE")]
    pub role: Option<String>,
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
    /// How long the ledger keeps an unused page; 0 for ever [default: 365d]
    #[arg(long, env = "BINDERY_LEDGER_AGE", value_name = "TIME")]
    pub ledger_age: Option<String>,
    /// Whether keys share pages that were read: tenant (each has its own) or shared [default: tenant]
    #[arg(long, env = "BINDERY_LEDGER_SCOPE", value_name = "SCOPE")]
    pub ledger_scope: Option<String>,
    /// The largest PDF, such as 200M [default: 512M]
    #[arg(long, env = "BINDERY_MAX_UPLOAD", value_name = "SIZE")]
    pub max_upload: Option<String>,
    /// How long an upload may stand still, or bring less than 1 KiB a second on average [default: 60s]
    #[arg(long, env = "BINDERY_UPLOAD_TIMEOUT", value_name = "TIME")]
    pub upload_timeout: Option<String>,
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
    /// Hosts that webhooks may reach although their addresses are not public; * for all
    #[arg(long, env = "BINDERY_WEBHOOK_ALLOW", value_name = "HOST,…")]
    pub webhook_allow: Option<String>,
    /// Hosts that documents may be fetched from, whatever their addresses; * for all others over https with public addresses
    #[arg(long, env = "BINDERY_SOURCE_HOSTS", value_name = "HOST,…")]
    pub source_hosts: Option<String>,
    /// Signs the webhooks of tasks that bring no secret of their own. `ps` shows it to all users of the machine: rather
    /// use `BINDERY_WEBHOOK_SIGNING_SECRET` or --webhook-signing-secret-file
    #[arg(long, env = "BINDERY_WEBHOOK_SIGNING_SECRET", value_name = "SECRET", hide_env_values = true)]
    pub webhook_signing_secret: Option<String>,
    /// A file with the secret that signs webhooks
    #[arg(long, env = "BINDERY_WEBHOOK_SIGNING_SECRET_FILE", value_name = "FILE")]
    pub webhook_signing_secret_file: Option<PathBuf>,
    /// How others reach this server, for links; a path in it is one below which it is served, too
    #[arg(long, env = "BINDERY_PUBLIC_URL", value_name = "URL")]
    pub public_url: Option<String>,
    /// How long calls in flight may go on after SIGTERM [default: 30s]
    #[arg(long, env = "BINDERY_DRAIN", value_name = "TIME")]
    pub drain: Option<String>,
    /// Base URL of an OpenAI-compatible API, such as <http://localhost:11434/v1>; enables the processors llm and auto
    /// [default with a key: <https://api.openai.com/v1>]
    #[arg(long, env = "BINDERY_LLM_BASE_URL", value_name = "URL")]
    pub llm_base_url: Option<String>,
    /// The endpoint's key. `ps` shows it to all users of the machine: rather use `BINDERY_LLM_API_KEY` or
    /// --llm-api-key-file
    #[arg(long, env = "BINDERY_LLM_API_KEY", value_name = "KEY", hide_env_values = true)]
    pub llm_api_key: Option<String>,
    /// A file with the endpoint's key; read again on SIGHUP
    #[arg(long, env = "BINDERY_LLM_API_KEY_FILE", value_name = "FILE")]
    pub llm_api_key_file: Option<PathBuf>,
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
    /// What models cost per million tokens, sent and received, and perhaps those that the endpoint had read before, such
    /// as m=0.15/0.60/0.075,n=1/4; * stands for all others; or a price file of `LiteLLM`
    #[arg(long, env = "BINDERY_LLM_PRICES", value_name = "MODEL=PRICE,…|FILE")]
    pub llm_prices: Option<String>,
    /// The currency of prices and costs, as ISO 4217 names it [default: USD]
    #[arg(long, env = "BINDERY_LLM_CURRENCY", value_name = "CODE")]
    pub llm_currency: Option<String>,
    /// Hedge slow calls: send a duplicate when a call exceeds the 95th percentile of the latency; the first valid answer wins,
    /// both are billed
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
    /// How long a page waits for an endpoint that is down [default: 6h; convert: 1m, for all pages together]
    #[arg(long, alias = "llm-patience", env = "BINDERY_LLM_UNAVAILABLE_TIMEOUT", value_name = "TIME")]
    #[serde(alias = "llm_patience")]
    pub llm_unavailable_timeout: Option<String>,
}

impl Settings {
    /// Reads settings from a TOML file.
    ///
    /// # Errors
    /// When the file cannot be read or holds what is not an option.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|e| ConfigError::new("config", format!("{}: {e}", path.display())))?;
        toml::from_str(&text).map_err(|e| {
            let line = e.span().map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            ConfigError::new("config", format!("{}, line {line}: {}", path.display(), e.message()))
        })
    }

    /// The file of the folder that a command runs in.
    pub const HERE: &str = "bindery.toml";

    /// Refuses to send a key that was given elsewhere to an endpoint from a file that the user has not named.
    ///
    /// # Errors
    /// When the file names an endpoint without a key, and there is one.
    pub fn keep_key_from(&self, file: &Self, env: impl Fn(&str) -> Option<String>) -> Result<(), ConfigError> {
        let names_endpoint = self.llm_base_url.is_none() && file.llm_base_url.is_some();
        let has_key = file.llm_api_key.is_some() || file.llm_api_key_file.is_some();
        let elsewhere = self.llm_api_key.is_some()
            || self.llm_api_key_file.is_some()
            || env("OPENAI_API_KEY").is_some_and(|key| !key.is_empty());
        if names_endpoint && !has_key && elsewhere {
            let reason = "it names an endpoint, and the key comes from elsewhere: name the file with --config to agree";
            return Err(ConfigError::new(Self::HERE, reason));
        }
        Ok(())
    }

    /// The file that is read when none is named: the first that is there of `./bindery.toml`,
    /// `$XDG_CONFIG_HOME/bindery/bindery.toml` (`~/.config`, XDG Base Directory Specification) and
    /// `/etc/bindery/bindery.toml`.
    #[must_use]
    pub fn found_file(env: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
        let env = |name: &str| env(name).filter(|value| Path::new(value).is_absolute()).map(PathBuf::from);
        let own = env("XDG_CONFIG_HOME").or_else(|| Some(env("HOME")?.join(".config")));
        let folders = [Some(PathBuf::new()), own.map(|own| own.join("bindery")), Some("/etc/bindery".into())];
        folders.into_iter().flatten().map(|folder| folder.join("bindery.toml")).find(|file| file.is_file())
    }

    /// A secret and its file are one setting: either of them here takes the place of both in `under`.
    fn displace_secrets_of(&self, under: &mut Self) {
        let files = [
            (self.store_password.is_some(), &mut under.store_password_file),
            (self.webhook_signing_secret.is_some(), &mut under.webhook_signing_secret_file),
            (self.llm_api_key.is_some(), &mut under.llm_api_key_file),
        ];
        files.into_iter().filter(|(given, _)| *given).for_each(|(_, file)| *file = None);
        let secrets = [
            (self.store_password_file.is_some(), &mut under.store_password),
            (self.webhook_signing_secret_file.is_some(), &mut under.webhook_signing_secret),
            (self.llm_api_key_file.is_some(), &mut under.llm_api_key),
        ];
        secrets.into_iter().filter(|(given, _)| *given).for_each(|(_, secret)| *secret = None);
    }

    /// These settings where they say something, else `under`.
    #[must_use]
    pub fn over(self, mut under: Self) -> Self {
        self.displace_secrets_of(&mut under);
        Self {
            listen: self.listen.or(under.listen),
            api_key: self.api_key.or(under.api_key),
            api_key_file: self.api_key_file.or(under.api_key_file),
            operator: self.operator.or(under.operator),
            cors_origin: self.cors_origin.or(under.cors_origin),
            tenant_running: self.tenant_running.or(under.tenant_running),
            tenant_tasks: self.tenant_tasks.or(under.tenant_tasks),
            tenant_pages: self.tenant_pages.or(under.tenant_pages),
            tenant_bytes: self.tenant_bytes.or(under.tenant_bytes),
            tenant_rate: self.tenant_rate.or(under.tenant_rate),
            insecure: self.insecure.or(under.insecure),
            data_dir: self.data_dir.or(under.data_dir),
            store: self.store.or(under.store),
            store_password: self.store_password.or(under.store_password),
            store_password_file: self.store_password_file.or(under.store_password_file),
            store_ca_file: self.store_ca_file.or(under.store_ca_file),
            blob: self.blob.or(under.blob),
            s3_endpoint: self.s3_endpoint.or(under.s3_endpoint),
            s3_region: self.s3_region.or(under.s3_region),
            s3_path_style: self.s3_path_style.or(under.s3_path_style),
            blob_cache: self.blob_cache.or(under.blob_cache),
            node: self.node.or(under.node),
            role: self.role.or(under.role),
            workers: self.workers.or(under.workers),
            task_ttl: self.task_ttl.or(under.task_ttl),
            lease: self.lease.or(under.lease),
            janitor_tick: self.janitor_tick.or(under.janitor_tick),
            ledger_size: self.ledger_size.or(under.ledger_size),
            ledger_age: self.ledger_age.or(under.ledger_age),
            ledger_scope: self.ledger_scope.or(under.ledger_scope),
            max_upload: self.max_upload.or(under.max_upload),
            task: if self.task.is_empty() { under.task } else { self.task },
            wires: self.wires.or(under.wires),
            upload_timeout: self.upload_timeout.or(under.upload_timeout),
            reader_timeout: self.reader_timeout.or(under.reader_timeout),
            reader_memory: self.reader_memory.or(under.reader_memory),
            max_pages: self.max_pages.or(under.max_pages),
            max_queued: self.max_queued.or(under.max_queued),
            webhook_allow: self.webhook_allow.or(under.webhook_allow),
            source_hosts: self.source_hosts.or(under.source_hosts),
            webhook_signing_secret: self.webhook_signing_secret.or(under.webhook_signing_secret),
            webhook_signing_secret_file: self.webhook_signing_secret_file.or(under.webhook_signing_secret_file),
            public_url: self.public_url.or(under.public_url),
            drain: self.drain.or(under.drain),
            llm_base_url: self.llm_base_url.or(under.llm_base_url),
            llm_api_key: self.llm_api_key.or(under.llm_api_key),
            llm_api_key_file: self.llm_api_key_file.or(under.llm_api_key_file),
            llm_model: self.llm_model.or(under.llm_model),
            llm_prompt: self.llm_prompt.or(under.llm_prompt),
            llm_input: self.llm_input.or(under.llm_input),
            llm_image_side: self.llm_image_side.or(under.llm_image_side),
            llm_fallback: self.llm_fallback.or(under.llm_fallback),
            llm_hedge: self.llm_hedge.or(under.llm_hedge),
            llm_prices: self.llm_prices.or(under.llm_prices),
            llm_currency: self.llm_currency.or(under.llm_currency),
            ca_file: self.ca_file.or(under.ca_file),
            llm_concurrency: self.llm_concurrency.or(under.llm_concurrency),
            llm_rpm: self.llm_rpm.or(under.llm_rpm),
            llm_tpm: self.llm_tpm.or(under.llm_tpm),
            llm_timeout: self.llm_timeout.or(under.llm_timeout),
            llm_max_attempts: self.llm_max_attempts.or(under.llm_max_attempts),
            llm_unavailable_timeout: self.llm_unavailable_timeout.or(under.llm_unavailable_timeout),
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
