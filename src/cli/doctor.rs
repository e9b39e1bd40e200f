//! `bindery doctor`: whether everything is there that a conversion or a server needs, and what to do where it is not.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bindery::NewTask;
use bindery::config::{BlobChoice, Config, Settings, StoreChoice};
use bindery::document::Tesseract;
use bindery::processor::LlmOptions;
use bindery::store::{RedisOptions, RedisStore, TaskStore};
use bindery::task::{TaskOptions, TaskRecord, TaskStatus};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::convert::Local;
use super::{exit, line, models, words};

/// A picture that says [`WORDS`].
const PICTURE: &[u8] = include_bytes!("doctor.png");
const WORDS: [&str; 2] = ["PLATYPUS", "4711"];
/// The longest that is waited for an endpoint that cannot be reached, and for Redis.
const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// Less free space than this is little, bytes.
const LITTLE: u64 = 1 << 30;

#[derive(Args)]
pub struct Doctor {
    /// Do not have the model read a test image, which is one small call that may cost money
    #[arg(long)]
    no_call: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub settings: Settings,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// It works, or is not needed, and there is something to know.
    Warning,
    Failed,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
}

impl Check {
    fn new(name: &'static str, state: State, detail: impl Into<String>) -> Self {
        Self { name, state, detail: detail.into() }
    }

    fn of(name: &'static str, found: Result<String, String>) -> Self {
        match found {
            Ok(detail) => Self::new(name, State::Ok, detail),
            Err(detail) => Self::new(name, State::Failed, detail),
        }
    }
}

pub fn run(command: &Doctor, config: &Config) -> anyhow::Result<ExitCode> {
    let mut checks: Vec<Check> =
        config.warnings.iter().map(|line| Check::new("configuration", State::Warning, line)).collect();
    checks.extend([data_directory(&config.data_dir), disk(&config.data_dir)]);
    checks.extend(shared_storage(config));
    checks.extend([sandbox(config), ocr(config), tesseract()]);
    actix_web::rt::System::new().block_on(async {
        checks.extend(store(config).await);
        checks.push(endpoint(command, config).await);
    });
    let failed = checks.iter().any(|check| check.state == State::Failed);
    if command.json {
        line(json!({ "ok": !failed, "checks": checks }))?;
    } else {
        checks.iter().try_for_each(show)?;
    }
    Ok(ExitCode::from(if failed { exit::FAILED } else { 0 }))
}

fn show(check: &Check) -> io::Result<()> {
    let state = match check.state {
        State::Ok => "ok",
        State::Warning => "note",
        State::Failed => "FAILED",
    };
    writeln!(io::stdout(), "{state:<7} {:<15} {}", check.name, check.detail)
}

/// The nearest folder that is there.
fn existing(path: &Path) -> &Path {
    path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."))
}

fn data_directory(path: &Path) -> Check {
    let (there, shown) = (existing(path), path.display());
    let written = tempfile::Builder::new().prefix(".bindery-").tempfile_in(there);
    Check::of(
        "data directory",
        match written {
            Ok(_) if there == path => Ok(format!("{shown} can be written")),
            Ok(_) => Ok(format!("{shown} will be made when it is needed")),
            Err(why) => {
                Err(format!("{shown} cannot be written ({why}): name another by --data-dir or BINDERY_DATA_DIR"))
            }
        },
    )
}

/// Opens shared storage as a server does, which also tries to write there, with a cache that goes at once.
fn shared_storage(config: &Config) -> Option<Check> {
    if matches!(config.blob, BlobChoice::Directory(_)) {
        return None;
    }
    let opened = tempfile::Builder::new().prefix("bindery-doctor-").tempdir().map_err(|why| why.to_string());
    let opened = opened.and_then(|folder| {
        let mut config = config.clone();
        config.data_dir = folder.path().join("data");
        config.open_blob().map(|_| format!("{} can be used", config.blob)).map_err(|why| why.to_string())
    });
    Some(Check::of("shared storage", opened))
}

fn disk(path: &Path) -> Check {
    match rustix::fs::statvfs(existing(path)) {
        Ok(found) => {
            let free = found.f_bavail * found.f_frsize;
            let state = if free < LITTLE { State::Warning } else { State::Ok };
            Check::new("disk", state, format!("{} MB free", free >> 20))
        }
        Err(why) => Check::new("disk", State::Warning, format!("the free space cannot be read: {why}")),
    }
}

fn sandbox(config: &Config) -> Check {
    match super::readers(config).map(|readers| readers.check()) {
        Ok(Ok(None)) => Check::new("sandbox", State::Ok, "PDFs are read in confined processes"),
        Ok(Ok(Some(missing))) => {
            let detail = format!("PDFs are read without {missing}: a hostile one has more room here");
            Check::new("sandbox", State::Warning, detail)
        }
        Ok(Err(failure)) => Check::new("sandbox", State::Failed, failure.message),
        Err(why) => Check::new("sandbox", State::Failed, words::of(&why)),
    }
}

fn ocr(config: &Config) -> Check {
    match config.ocr_models() {
        Some(models) => Check::new("ocr models", State::Ok, format!("PP-OCRv6 small in {}", models.folder().display())),
        None => Check::new("ocr models", State::Warning, models::HINT),
    }
}

fn tesseract() -> Check {
    let found = std::env::var_os("PATH").and_then(|path| Tesseract::find(&path));
    let Some(program) = found else {
        return Check::new("tesseract", State::Ok, "not on PATH; only scripts that PP-OCR does not know need it");
    };
    let asked = program
        .version(Tesseract::ANSWER)
        .and_then(|version| Ok(format!("{version}: {}", program.languages(Tesseract::ANSWER)?.join(", "))));
    Check::of("tesseract", asked.map_err(|why| why.to_string()))
}

async fn store(config: &Config) -> Vec<Check> {
    let url = match &config.store {
        StoreChoice::Embedded => return vec![Check::new("store", State::Ok, "embedded")],
        StoreChoice::Memory => {
            return vec![Check::new("store", State::Warning, "memory: tasks are lost when the process ends")];
        }
        StoreChoice::Redis(url) => url,
    };
    let mut options = RedisOptions::default();
    options.ca_file.clone_from(&config.store_ca_file);
    let asked = async {
        let store = RedisStore::connect(url, options).await?;
        store.warnings().await
    };
    match tokio::time::timeout(CHECK_TIMEOUT, asked).await {
        Err(_) => {
            vec![Check::new(
                "store",
                State::Failed,
                format!("Redis has not answered for {} s", CHECK_TIMEOUT.as_secs()),
            )]
        }
        Ok(Err(why)) => vec![Check::new("store", State::Failed, why.to_string())],
        Ok(Ok(warnings)) => {
            let reached = Check::new("store", State::Ok, "Redis answers");
            let noted = warnings.into_iter().map(|line| Check::new("store", State::Warning, line));
            std::iter::once(reached).chain(noted).collect()
        }
    }
}

async fn endpoint(command: &Doctor, config: &Config) -> Check {
    const NAME: &str = "endpoint";
    let Some(llm) = &config.llm else {
        let without = || "none: pages are read as text, scans by OCR where its models are".to_owned();
        let state = if config.llm_gap.is_some() { State::Warning } else { State::Ok };
        return Check::new(NAME, state, config.llm_gap.clone().unwrap_or_else(without));
    };
    let Some(model) = &llm.model else {
        return Check::new(NAME, State::Failed, config.llm_gap.clone().unwrap_or_else(|| "no model is named".into()));
    };
    let about = format!("{model} at {}", shown(&llm.base_url));
    if command.no_call {
        return Check::new(NAME, State::Warning, format!("{about}: not asked, because of --no-call"));
    }
    let begun = Instant::now();
    Check::of(
        NAME,
        match read_picture(config).await {
            Ok((record, text)) => check_answer(&about, llm, &record, &text, begun.elapsed()),
            Err(why) => Err(format!("{about}: {}", words::of(&why))),
        },
    )
}

/// Without what may be a secret: the query, and a user before the host.
fn shown(url: &str) -> String {
    match url.parse::<reqwest::Url>() {
        Ok(mut url) => {
            url.set_query(None);
            let _ = url.set_password(None).and_then(|()| url.set_username(""));
            url.to_string()
        }
        Err(_) => "an address that cannot be read".to_owned(),
    }
}

/// Has the model read the test image as any page, beside all pages that are kept.
async fn read_picture(config: &Config) -> anyhow::Result<(TaskRecord, String)> {
    let folder = tempfile::Builder::new().prefix("bindery-doctor-").tempdir()?;
    let picture = folder.path().join("doctor.png");
    std::fs::write(&picture, PICTURE)?;
    let mut config = config.clone();
    config.data_dir = folder.path().join("data");
    config.blob = BlobChoice::Directory(config.data_dir.clone());
    config.supervisor.retry.unavailable_timeout = CHECK_TIMEOUT;
    config.supervisor.retry.max_attempts = 1;
    let mut options = TaskOptions::default();
    for (name, value) in [("processor", "llm"), ("input", "image"), ("fallback", "none")] {
        options.set(name, value)?;
    }
    let local = Local::start(&config)?;
    let read = async {
        let task = local.bindery.submit(NewTask::from_path(&picture).options(options)).await?;
        let record = local.bindery.wait(task.id).await?;
        match (record.status, &record.error) {
            (TaskStatus::Completed, _) => {}
            (_, Some(failure)) => anyhow::bail!(failure.clone()),
            (status, None) => anyhow::bail!("the task is {status}"),
        }
        let text = local.bindery.result(record.id).await?;
        Ok((record, text))
    };
    let read = read.await;
    local.bindery.stop(Duration::ZERO).await;
    read
}

/// Whether the answer has the words of the image, and what it has cost.
fn check_answer(
    about: &str,
    llm: &LlmOptions,
    record: &TaskRecord,
    text: &str,
    took: Duration,
) -> Result<String, String> {
    let usage = &record.usage;
    let tokens = usage.prompt_tokens + usage.completion_tokens;
    let cost = match usage.cost {
        Some(cost) => format!("cost {cost}"),
        None if llm.prices.is_empty() => "cost unknown without --llm-prices".to_owned(),
        None => "cost unknown: no price for this model".to_owned(),
    };
    let paid = format!("{} calls, {tokens} tokens, {cost}", usage.calls);
    let read = text.to_uppercase();
    if WORDS.iter().all(|word| read.contains(word)) {
        return Ok(format!("{about} read the test image in {:.1} s: {paid}", took.as_secs_f64()));
    }
    let said: String = text.lines().filter(|line| !line.starts_with("<!--")).collect::<Vec<_>>().join(" ");
    let said: String = said.trim().chars().take(80).collect();
    Err(format!(
        "{about} does not see images, or reads them wrongly: for {:?} it answered {said:?} ({paid}); name a vision model by \
         --llm-model",
        WORDS.join(" ")
    ))
}
