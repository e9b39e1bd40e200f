//! `bindery convert`: the same actors as the server's, on an in-memory store over the shared ledger.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bindery::blob::LocalBlob;
use bindery::config::{BlobChoice, Config, Settings};
use bindery::internal::{DataDir, Scratch};
use bindery::processor::EndpointError;
use bindery::store::EmbeddedStore;
use bindery::task::{TaskOptions, TaskRecord, TaskStatus};
use bindery::{Bindery, Builder, LedgerLimits, NewTask};
use clap::Args;
use futures::StreamExt;
use tempfile::TempDir;
use tokio::time::MissedTickBehavior;

use super::files::{Input, Twins, inputs};
use super::format_args::FormatArgs;
use super::output::{Form, Output, Target};
use super::progress::{Progress, Share};
use super::say;
use super::task_args::TaskArgs;
use super::verdict::{PageTroubles, Worst};
use super::watch::{self, Watched};
use super::{advice, exit, models, words};

#[derive(Args)]
pub struct Convert {
    /// PDFs or pictures (PNG, JPEG, TIFF, WebP), or folders with such files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the result here instead of to stdout
    #[arg(short, long, value_name = "OUT", conflicts_with = "out_dir")]
    output: Option<PathBuf>,
    /// Write one result for each file into this folder, under the file's name; of those in a folder, under their names there
    #[arg(long, value_name = "DIR")]
    out_dir: Option<PathBuf>,
    /// Also convert files of a folder whose results are there and newer
    #[arg(long)]
    again: bool,
    /// Go on converting what comes into the folders, until ^C; needs --out-dir. A file that is still being written is
    /// not taken
    #[arg(long, requires = "out_dir", conflicts_with = "again")]
    watch: bool,
    /// End with exit code 3 also when pages are there and doubtful
    #[arg(long, env = "BINDERY_STRICT")]
    strict: bool,
    #[command(flatten)]
    format: FormatArgs,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    pub settings: Settings,
}

/// Files that run at once; each has a copy of its PDF while it does.
const AT_ONCE: usize = 64;
/// The longest that a command waits for an endpoint that is down, for all of its files together.
const OUTAGE_TIMEOUT: Duration = Duration::from_secs(60);
/// The longest wait between two tries at a page; else one could outlast the timeout by as much.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

pub fn run(command: &Convert, config: &Config) -> anyhow::Result<ExitCode> {
    let checked = command.task.options().map_err(anyhow::Error::from).and_then(|options| {
        let lines = advice::check(config, &options).map_err(anyhow::Error::msg)?;
        let planned = plan(command, config)?;
        planned.1.check_images(&options.clone().over(&config.supervisor.task_defaults))?;
        lines.iter().for_each(|line| say(format_args!("bindery: {line}")));
        Ok((options, planned))
    });
    match checked {
        Ok((options, (files, output))) => {
            let can_recognise = config.ocr_models().is_some();
            let mode = match (command.again, command.watch) {
                (true, _) => Mode::Again,
                (_, true) => Mode::Watch,
                _ => Mode::New,
            };
            let work = Work { files, options, output, mode, strict: command.strict, can_recognise };
            let temporary = temporary_data(command, config)?;
            let config = temporary.as_ref().map_or(config, |(config, _)| config);
            let system = actix_web::rt::System::new();
            if command.watch {
                system.block_on(watch(command, work, config))
            } else {
                system.block_on(convert(&work, config))
            }
        }
        Err(error) => {
            say(format_args!("{}", words::complaint(None, &error)));
            Ok(ExitCode::from(exit::USAGE))
        }
    }
}

/// Where the data directory is the default and cannot be used, such as that of a user without a home: a temporary one,
/// of which pages are not kept.
fn temporary_data(command: &Convert, config: &Config) -> anyhow::Result<Option<(Config, TempDir)>> {
    let own_blob = config.blob == BlobChoice::Directory(config.data_dir.clone());
    let usual = config.data_dir.ends_with("bindery") && command.settings.data_dir.is_none() && own_blob;
    let Err(why) = DataDir::open(&config.data_dir) else { return Ok(None) };
    let no_place =
        [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    if !usual || !no_place.contains(&why.kind()) {
        return Ok(None);
    }
    say(format_args!("bindery: {}: {why}; pages are kept for this run only", config.data_dir.display()));
    let folder = tempfile::Builder::new().prefix("bindery-").tempdir()?;
    let place = folder.path().join("data");
    let mut config = config.clone();
    config.blob = BlobChoice::Directory(place.clone());
    config.data_dir = place;
    Ok(Some((config, folder)))
}

fn plan(command: &Convert, config: &Config) -> anyhow::Result<(Vec<Input>, Output)> {
    if let Some(file) = command.files.iter().find(|file| command.watch && !file.is_dir()) {
        bail!("--watch is for folders: {} is none", file.display());
    }
    let mut files = inputs(&command.files, config.supervisor.limits.max_bytes, command.watch)?;
    let target = match Target::named(command.output.as_deref(), command.out_dir.as_deref(), &mut files)? {
        Some(target) => target,
        None if files.iter().any(|file| file.found) => bail!("a folder needs --out-dir DIR"),
        None => Target::Stdout,
    };
    let form = Form::of(&command.format, command.output.as_deref());
    let output = Output::new(target, form, &files)?;
    Ok((files, output))
}

/// What a command is to do.
struct Work {
    files: Vec<Input>,
    options: TaskOptions,
    output: Output,
    mode: Mode,
    strict: bool,
    /// Whether the OCR models are there.
    can_recognise: bool,
}

/// Which files of a folder are converted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Those that have no result yet.
    New,
    /// All.
    Again,
    /// Those that have no result yet, as they come; also a single one is counted at the end.
    Watch,
}

/// The actors on a store in memory, over the pages of the data directory.
pub struct Local {
    pub bindery: Bindery,
    /// Goes with it.
    _scratch: Scratch,
}

impl Local {
    /// For tasks with any options.
    pub fn start(config: &Config) -> anyhow::Result<Self> {
        Self::with(config, Builder::configured)
    }

    /// For tasks with these options.
    fn start_for(config: &Config, options: &TaskOptions) -> anyhow::Result<Self> {
        Self::with(config, |config| Builder::configured_for(config, options))
    }

    fn with(config: &Config, builder: impl FnOnce(&Config) -> Result<Builder, EndpointError>) -> anyhow::Result<Self> {
        let data = DataDir::open(&config.data_dir)?;
        let scratch = Scratch::create(&data.path().join("convert"))
            .with_context(|| format!("cannot write to the data directory {}", config.data_dir.display()))?;
        let shared = config.open_blob()?;
        // Limits of a server mean nothing to one command: its tasks neither expire nor are too many.
        let mut config = config.clone();
        config.supervisor.ttl = Duration::from_secs(10 * 365 * 86_400);
        config.supervisor.max_queued = usize::MAX;
        // A command cannot know which pages a server's tasks need.
        config.supervisor.ledger = LedgerLimits::unlimited();
        // A person waits in front of it: an endpoint that is down is said so soon, and the same command goes on later.
        let retry = &mut config.supervisor.retry;
        retry.unavailable_timeout = retry.unavailable_timeout.min(OUTAGE_TIMEOUT);
        retry.shared_unavailable_timeout = true;
        retry.cap = retry.cap.min(LONGEST_WAIT);
        let bindery = builder(&config)?
            .store(EmbeddedStore::in_memory()?)
            .blob(LocalBlob::open(scratch.path())?)
            .ledger(shared)
            .readers(super::readers(&config)?)
            .start();
        Ok(Self { bindery, _scratch: scratch })
    }
}

async fn convert(work: &Work, config: &Config) -> anyhow::Result<ExitCode> {
    let Local { bindery, _scratch: scratch } = Local::start_for(config, &work.options)?;
    let progress = Progress::new(work.files.len());
    let outcome = tokio::select! {
        worst = convert_all(work, &bindery, &progress) => Some(worst),
        never = say_outages(&bindery, config.supervisor.retry.unavailable_timeout.min(OUTAGE_TIMEOUT), &progress) => match never {},
        _ = tokio::signal::ctrl_c() => None,
    };
    progress.clear();
    // Pages that are paid for are kept; what is in flight is cut off.
    bindery.stop(Duration::ZERO).await;
    drop(scratch);
    if let Some(worst) = outcome {
        return Ok(worst.exit_code(work.strict));
    }
    say(format_args!("bindery: interrupted: the same command again goes on where this one ended"));
    Ok(ExitCode::from(exit::INTERRUPTED))
}

/// Converts what comes into folders, until it is interrupted.
async fn watch(command: &Convert, mut work: Work, config: &Config) -> anyhow::Result<ExitCode> {
    let Local { bindery, _scratch: scratch } = Local::start_for(config, &work.options)?;
    let (mut watched, mut worst, mut said) = (Watched::default(), Worst::Done, None);
    let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
    let mut ticks = tokio::time::interval(watch::EVERY);
    // Two looks right after each other, made up for, would see no file change.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    say(format_args!("bindery: watching for PDFs and pictures until ^C"));
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = &mut interrupted => break,
        }
        // A folder may be unavailable for a moment; what stays wrong is said once.
        let (files, output) = match plan(command, config) {
            Ok(planned) => planned,
            Err(error) => {
                let complaint = words::complaint(None, &error);
                if said.as_ref() != Some(&complaint) {
                    say(format_args!("{complaint}; looking again"));
                }
                said = Some(complaint);
                continue;
            }
        };
        said = None;
        let found = files.iter().filter_map(|file| Some((file.path.clone(), watch::stamp(&file.path)?))).collect();
        let due = watched.due(found);
        work.files = files.into_iter().filter(|file| due.contains(&file.path)).collect();
        work.output = output;
        if work.files.is_empty() {
            continue;
        }
        let progress = Progress::new(work.files.len());
        let timeout = config.supervisor.retry.unavailable_timeout.min(OUTAGE_TIMEOUT);
        tokio::select! {
            went = convert_all(&work, &bindery, &progress) => worst = worst.max(went),
            never = say_outages(&bindery, timeout, &progress) => match never {},
            _ = &mut interrupted => { progress.clear(); break }
        }
        progress.clear();
    }
    bindery.stop(Duration::ZERO).await;
    drop(scratch);
    Ok(worst.exit_code(work.strict))
}

/// Says when the endpoint cannot be reached, and when it is there again.
async fn say_outages(bindery: &Bindery, timeout: Duration, progress: &Progress) -> Infallible {
    if let Some(mut outage) = bindery.llm().map(|llm| llm.outage()) {
        while outage.changed().await.is_ok() {
            let line = match outage.borrow_and_update().as_deref() {
                Some(why) => format!("bindery: {why}; trying again for {} s", timeout.as_secs()),
                None => "bindery: the endpoint is there again".to_owned(),
            };
            progress.say(&line);
        }
    }
    std::future::pending().await
}

/// Many files run at once; their results come in the order of the files.
async fn convert_all(work: &Work, bindery: &Bindery, progress: &Progress) -> Worst {
    let noted = work.output.done_before(&work.options);
    let is_done =
        |file: &&Input| file.found && work.mode != Mode::Again && noted.has(&work.output, &file.path, &file.place);
    let (done_before, files): (Vec<&Input>, Vec<&Input>) = work.files.iter().partition(is_done);
    let size = |file: &Input| file.path.metadata().ok().filter(Metadata::is_file).map(|file| file.len());
    let sizes: Vec<Option<u64>> = files.iter().map(|file| size(file)).collect();
    let mut twins = Twins::of(&sizes);
    let ended = files.iter().map(|file| async { (*file, run_one(file, &work.options, bindery, progress).await) });
    let mut ended = futures::stream::iter(ended).buffered(AT_ONCE);
    let mut counts = BTreeMap::<Worst, usize>::new();
    let mut sizes = sizes.into_iter();
    while let Some((file, record)) = ended.next().await {
        let task = record.as_ref().ok().map(|record| record.id);
        let went = match record {
            Ok(record) => finish(file, &record, &work.output, bindery, progress).await,
            Err(error) => Err(error),
        };
        let went = went.unwrap_or_else(|error| {
            progress.say(&complaint(&file.shown(), &error));
            let _ = work.output.failed(file, &error);
            Worst::Failed
        });
        for task in twins.ended(sizes.next().flatten(), task) {
            // Its copy of the PDF would stay until the command ends.
            let _ = bindery.delete(task).await;
        }
        *counts.entry(went).or_default() += 1;
        if went == Worst::Done && file.found {
            noted.add(&file.place);
        }
    }
    let _ = work.output.finish();
    if work.files.len() > 1 || work.mode == Mode::Watch {
        let mut parts: Vec<_> = counts.iter().map(|(went, files)| (*files, went.as_str())).collect();
        parts.insert(usize::from(counts.contains_key(&Worst::Done)), (done_before.len(), "done before"));
        let parts: Vec<_> = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let files = if work.files.len() == 1 { "file" } else { "files" };
        progress.say(&format!("bindery: {} {files}: {}", work.files.len(), parts.join(", ")));
    }
    if counts.contains_key(&Worst::Unread) && !work.can_recognise {
        progress.say(&format!("bindery: {}", models::HINT));
    }
    counts.last_key_value().map_or(Worst::Done, |(worst, _)| *worst)
}

/// Runs one file to its end.
async fn run_one(
    file: &Input,
    options: &TaskOptions,
    bindery: &Bindery,
    progress: &Progress,
) -> anyhow::Result<TaskRecord> {
    let record = bindery.submit(NewTask::from_path(&file.path).options(options.clone())).await?;
    let (id, name) = (record.id.to_string(), file.name());
    let mut watch = bindery.watch(record.id).await?;
    progress.update(&id, &name, Share::of(watch.record()));
    while let Some(record) = watch.next().await {
        progress.update(&id, &name, Share::of(&record));
    }
    Ok(watch.record().clone())
}

/// One line about a file that names it once.
pub fn complaint(file: &Path, error: &anyhow::Error) -> String {
    words::complaint(Some(&file.display().to_string()), error)
}

async fn finish(
    file: &Input,
    record: &TaskRecord,
    output: &Output,
    bindery: &Bindery,
    progress: &Progress,
) -> anyhow::Result<Worst> {
    match (record.status, &record.error) {
        (TaskStatus::Completed, _) => {}
        (_, Some(failure)) => bail!(failure.clone()),
        (status, None) => bail!("the task is {status}"),
    }
    let (_, markdown) = bindery.result_path(record.id).await?;
    let images = bindery.image_paths(record.id).await?;
    output.copy(file, (&markdown, images), record.file_name.as_deref()).await?;
    let troubles = PageTroubles::of(record);
    if troubles.worst() != Worst::Done {
        progress.say(&format!("bindery: {}: {troubles}; {}", file.shown().display(), troubles.seen_in()));
    }
    Ok(troubles.worst())
}
