//! `bindery convert`: the same actors as the server's, on an in-memory store over the shared ledger.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bindery::blob::{LocalBlob, Scratch};
use bindery::config::{Config, Settings};
use bindery::ledger::{Ledger, LedgerLimits};
use bindery::store::EmbeddedStore;
use bindery::task::{TaskOptions, TaskRecord, TaskStatus};
use bindery::{Bindery, Builder, NewTask};
use clap::Args;

use super::exit;
use super::output::{Output, Target};
use super::progress::Progress;

#[derive(Args)]
pub struct Convert {
    /// The PDFs
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the result here instead of to stdout
    #[arg(short, long, value_name = "OUT", conflicts_with = "out_dir")]
    output: Option<PathBuf>,
    /// Write one result for each PDF into this folder, under the PDF's name
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Write the pages as JSON instead of Markdown
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    pub settings: Settings,
}

/// The options of a task, under the names that the API has for them. They are read by [`TaskOptions::set`].
#[derive(Args)]
#[command(next_help_heading = "Task")]
pub struct TaskArgs {
    /// Which pages, such as 1-5,8,r3-r1 (r1 is the last) [default: all]
    #[arg(long, env = "BINDERY_PAGES")]
    pages: Option<String>,
    /// The PDF's password
    #[arg(long, env = "BINDERY_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Who reads the pages: text, llm, or auto, which has the model read those that have no sound text [default: auto
    /// when an endpoint and a model are configured, else text]
    #[arg(long, env = "BINDERY_PROCESSOR")]
    processor: Option<String>,
    /// The model, for llm
    #[arg(long, env = "BINDERY_MODEL")]
    model: Option<String>,
    /// Instructions for the model
    #[arg(long, env = "BINDERY_PROMPT")]
    prompt: Option<String>,
    /// What the model is given of a page: image, text or image+text [default: image]
    #[arg(long, env = "BINDERY_INPUT")]
    input: Option<String>,
    /// The most pixels of the longer side of a page's picture [default: 1600]
    #[arg(long, env = "BINDERY_IMAGE_SIDE")]
    image_side: Option<String>,
    /// Models that read a page when the first has failed, such as other-model,text; text is the text layer
    #[arg(long, env = "BINDERY_FALLBACK")]
    fallback: Option<String>,
    /// The most that one file may cost; needs a price for each of its models, see --llm-prices
    #[arg(long, env = "BINDERY_MAX_COST")]
    max_cost: Option<String>,
    /// Pages read in one attempt [default: 16 for text, 1 for llm]
    #[arg(long, env = "BINDERY_SHARD_PAGES")]
    shard_pages: Option<String>,
    /// -10 (last) to 10 (first) among the files of this command
    #[arg(long, env = "BINDERY_PRIORITY", allow_hyphen_values = true)]
    priority: Option<String>,
    /// Failed pages that are borne, such as 3 or 5% [default: all but every one]
    #[arg(long, env = "BINDERY_MAX_FAILED_PAGES")]
    max_failed_pages: Option<String>,
    /// The longest one attempt may take, such as 90s
    #[arg(long, env = "BINDERY_TIMEOUT")]
    timeout: Option<String>,
    /// The line before each page; empty for none [default: <!-- page {page} -->]
    #[arg(long, env = "BINDERY_PAGE_SEPARATOR")]
    page_separator: Option<String>,
}

impl TaskArgs {
    pub fn options(&self) -> anyhow::Result<TaskOptions> {
        let mut options = TaskOptions::default();
        for (name, value) in [
            ("pages", &self.pages),
            ("password", &self.password),
            ("processor", &self.processor),
            ("model", &self.model),
            ("prompt", &self.prompt),
            ("input", &self.input),
            ("image_side", &self.image_side),
            ("fallback", &self.fallback),
            ("max_cost", &self.max_cost),
            ("shard_pages", &self.shard_pages),
            ("priority", &self.priority),
            ("max_failed_pages", &self.max_failed_pages),
            ("timeout", &self.timeout),
            ("page_separator", &self.page_separator),
        ] {
            if let Some(value) = value {
                options.set(name, value)?;
            }
        }
        Ok(options)
    }
}

/// The longest that a command waits for an endpoint that is down.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn run(command: &Convert, config: &Config) -> anyhow::Result<ExitCode> {
    let usage = |error: anyhow::Error| {
        eprintln!("bindery: {error:#}");
        Ok(ExitCode::from(exit::USAGE))
    };
    let options = match command.task.options() {
        Ok(options) => options,
        Err(error) => return usage(error),
    };
    let output = match target(command) {
        Ok(target) => Output::new(target, command.json),
        Err(error) => return usage(error),
    };
    actix_web::rt::System::new().block_on(convert(&command.files, &options, &output, config))
}

fn target(command: &Convert) -> anyhow::Result<Target> {
    match (&command.output, &command.out_dir) {
        (Some(_), _) if command.files.len() > 1 => bail!("-o takes one PDF: use --out-dir for several"),
        (Some(file), _) if file == Path::new("-") => Ok(Target::Stdout),
        (Some(file), _) => Ok(Target::File(file.clone())),
        (None, Some(folder)) => {
            let mut names = BTreeSet::new();
            let stem = |file: &PathBuf| file.file_stem().unwrap_or_default().to_owned();
            if let Some(twice) = command.files.iter().find(|file| !names.insert(stem(file))) {
                bail!("{}: another file has the same name, and both results would have one place", twice.display());
            }
            Ok(Target::Folder(folder.clone()))
        }
        (None, None) => Ok(Target::Stdout),
    }
}

/// How the files went, the worst last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worst {
    Done,
    FailedPages,
    Failed,
}

/// The actors on a store in memory, over the pages of the data directory.
pub struct Local {
    pub bindery: Bindery,
    /// Goes with it.
    _scratch: Scratch,
}

impl Local {
    pub fn start(config: &Config) -> anyhow::Result<Self> {
        let scratch = Scratch::create(&config.data_dir.join("convert"))
            .with_context(|| format!("cannot write to the data directory {}", config.data_dir.display()))?;
        let shared = LocalBlob::open(&config.blob)
            .with_context(|| format!("cannot write to the blob directory {}", config.blob.display()))?;
        // Limits of a server mean nothing to one command: its tasks neither expire nor are too many.
        let mut config = config.clone();
        config.supervisor.ttl = Duration::from_secs(10 * 365 * 86_400);
        config.supervisor.max_queued = usize::MAX;
        // A command cannot know which pages a server's tasks need.
        config.supervisor.ledger = LedgerLimits { bytes: None, age: None };
        // Somebody waits in front of it: an endpoint that is down is said so soon, and the same command goes on later.
        config.supervisor.retry.patience = config.supervisor.retry.patience.min(PATIENCE);
        let bindery = Builder::configured(&config)
            .map_err(anyhow::Error::msg)?
            .store(EmbeddedStore::in_memory()?)
            .blob(LocalBlob::open(scratch.path())?)
            .ledger(Ledger::new(shared))
            .readers(super::readers(&config)?)
            .start();
        Ok(Self { bindery, _scratch: scratch })
    }
}

async fn convert(
    files: &[PathBuf],
    options: &TaskOptions,
    output: &Output,
    config: &Config,
) -> anyhow::Result<ExitCode> {
    let Local { bindery, _scratch: scratch } = Local::start(config)?;
    let progress = Progress::new();
    let outcome = tokio::select! {
        worst = convert_all(files, options, output, &bindery, &progress) => Some(worst),
        _ = tokio::signal::ctrl_c() => None,
    };
    progress.clear();
    // Pages that are paid for are kept; what is in flight is cut off.
    bindery.stop(Duration::ZERO).await;
    drop(scratch);
    Ok(match outcome {
        Some(Worst::Done) => ExitCode::SUCCESS,
        Some(Worst::FailedPages) => ExitCode::from(exit::FAILED_PAGES),
        Some(Worst::Failed) => ExitCode::from(exit::FAILED),
        None => {
            eprintln!("bindery: interrupted: the same command again goes on where this one ended");
            ExitCode::from(exit::INTERRUPTED)
        }
    })
}

/// Every file is submitted before the first is waited for, so that all run at once; results come in the files' order.
async fn convert_all(
    files: &[PathBuf],
    options: &TaskOptions,
    output: &Output,
    bindery: &Bindery,
    progress: &Progress,
) -> Worst {
    let mut tasks = Vec::new();
    for file in files {
        let task = bindery.submit(NewTask::from_path(file).options(options.clone())).await;
        if let Ok(record) = &task {
            progress.update(record);
        }
        tasks.push((file, task));
    }
    let mut worst = Worst::Done;
    for (file, task) in tasks {
        let went = match task {
            Ok(record) => finish(file, &record, output, bindery, progress).await,
            Err(error) => Err(error.into()),
        };
        worst = worst.max(went.unwrap_or_else(|error| {
            progress.say(&complaint(file, &error));
            Worst::Failed
        }));
    }
    worst
}

/// One line about a file that names it once.
pub fn complaint(file: &Path, error: &anyhow::Error) -> String {
    let name = file.display().to_string();
    let text = format!("{error:#}");
    let place = if text.starts_with(&name) { String::new() } else { format!("{name}: ") };
    format!("bindery: {place}{text}")
}

async fn finish(
    file: &Path,
    record: &TaskRecord,
    output: &Output,
    bindery: &Bindery,
    progress: &Progress,
) -> anyhow::Result<Worst> {
    let mut watch = bindery.watch(record.id).await?;
    progress.update(watch.record());
    while let Some(record) = watch.next().await {
        progress.update(record);
    }
    let record = watch.record();
    match (record.status, &record.error) {
        (TaskStatus::Completed, _) => {}
        (_, Some(failure)) => bail!("{failure}"),
        (status, None) => bail!("the task is {status}"),
    }
    let (_, markdown) = bindery.result_path(record.id).await?;
    output.write(file, &markdown)?;
    if record.counts.failed == 0 {
        return Ok(Worst::Done);
    }
    let failed = record.counts.failed;
    progress.say(&format!("bindery: {}: {failed} pages failed; the result marks them", file.display()));
    Ok(Worst::FailedPages)
}
