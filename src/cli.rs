//! The command line: one file per command.

mod advice;
mod client;
mod convert;
mod doctor;
mod estimate;
mod files;
mod format_args;
mod images;
mod inspect;
mod log_format;
mod manual;
mod mcp;
mod models;
mod output;
mod place;
mod progress;
mod secret;
mod serve;
mod split;
mod submit;
mod systemd;
mod task_args;
mod tasks;
mod variables;
mod verdict;
mod watch;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bindery::config::{Config, Settings};
use bindery::document::Readers;
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use self::log_format::LogFormat;

/// Writes a line to people on standard error. A reader that is gone, as behind `2>&1 | head`, ends nothing.
pub fn say(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The exit codes, as in `.github/docs/cli.md`.
pub mod exit {
    /// Failed.
    pub const FAILED: u8 = 1;
    /// Wrong usage.
    pub const USAGE: u8 = 2;
    /// Done, with failed or unread pages.
    pub const FAILED_PAGES: u8 = 3;
    /// Ended by ^C: 128 + SIGINT.
    pub const INTERRUPTED: u8 = 130;
}

/// Turns PDFs into Markdown, page by page and in parallel, and finishes the job even if the process dies
#[derive(Parser)]
#[command(name = "bindery", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Read settings from this file; flags and BINDERY_* variables win over it [default: the first that is there of
    /// ./bindery.toml, ~/.config/bindery/bindery.toml and /etc/bindery/bindery.toml]
    #[arg(long, global = true, env = "BINDERY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// How the log is written to stderr
    #[arg(long, global = true, env = "BINDERY_LOG_FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

#[derive(Subcommand)]
enum Command {
    /// Convert PDFs here and now; needs no server. The same command again resumes after an interruption
    Convert(Box<convert::Convert>),
    /// Estimate pages, calls, tokens and cost of a conversion; spends nothing
    Estimate(Box<estimate::EstimateFiles>),
    /// Serve the HTTP API and the web page
    Serve(Box<serve::Serve>),
    /// Serve the tools of the Model Context Protocol on standard input and output, for the program that starts it
    Mcp(Box<mcp::Mcp>),
    /// Submit PDFs to a server
    Submit(Box<submit::Submit>),
    /// Show the state of a task
    Status(tasks::Status),
    /// List the tasks of a server
    List(tasks::List),
    /// Check whether a server is ready: exit code 0 if it is
    Health(tasks::Health),
    /// Print the result of a task
    Result(tasks::ShowResult),
    /// Follow a task: one JSON object an event and line
    Events(tasks::Events),
    /// Cancel tasks; finished pages stay readable
    Cancel(tasks::Tasks),
    /// Retry the failed, unread and unfaithful pages of finished tasks
    Retry(tasks::Retry),
    /// Remove tasks and their files
    Delete(tasks::Delete),
    /// Show what is known about the pages of a PDF
    Inspect(inspect::Inspect),
    /// Write page ranges of a PDF as PDFs of their own
    Split(split::Split),
    /// Install the OCR models for scans, or list them
    Models(models::Models),
    /// Check what a conversion or a server needs: data directory, sandbox, OCR, store, endpoint; exit code 1 when something
    /// has failed
    Doctor(Box<doctor::Doctor>),
    /// Print the effective configuration, secrets redacted
    Config(Box<PrintConfig>),
    /// Read PDFs for the process at the other end of standard input
    #[command(hide = true)]
    Reader {
        /// How many bytes it may allocate
        #[arg(long)]
        memory: u64,
    },
    /// Write the manual pages into a folder
    Man {
        /// The folder
        folder: PathBuf,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

/// Settings that mean nothing to a conversion. As flags they are refused there; variables and files are shared.
const SERVER_ONLY: [&str; 30] = [
    "listen",
    "wires",
    "cors_origin",
    "operator",
    "upload_timeout",
    "webhook_allow",
    "source_hosts",
    "webhook_signing_secret",
    "webhook_signing_secret_file",
    "public_url",
    "api_key",
    "api_key_file",
    "tenant_running",
    "tenant_tasks",
    "tenant_pages",
    "tenant_bytes",
    "tenant_rate",
    "insecure",
    "store",
    "store_password",
    "store_password_file",
    "node",
    "task_ttl",
    "lease",
    "janitor_tick",
    "ledger_size",
    "ledger_age",
    "ledger_scope",
    "max_queued",
    "drain",
];

impl Command {
    /// Whether it does what settings say, rather than ask a server.
    const fn has_settings(&self) -> bool {
        matches!(
            self,
            Self::Convert(_)
                | Self::Estimate(_)
                | Self::Serve(_)
                | Self::Mcp(_)
                | Self::Inspect(_)
                | Self::Doctor(_)
                | Self::Config(_)
        )
    }
}

impl Cli {
    /// Reads the command line, or says what is wrong with it and ends with exit code 2.
    pub fn read() -> Self {
        let mut command = manual::with_examples(Self::shown());
        let matches = command.get_matches_mut();
        let local = ["convert", "estimate", "mcp"].iter().find_map(|name| matches.subcommand_matches(name));
        let given = |id: &&str| local.and_then(|found| found.value_source(id)) == Some(ValueSource::CommandLine);
        if let Some(id) = SERVER_ONLY.iter().find(|id| given(id)) {
            let message = format!("--{} is an option of serve", id.replace('_', "-"));
            command.error(ErrorKind::UnknownArgument, message).exit();
        }
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Commands without a server of their own hide its settings, and refuse them.
    fn shown() -> clap::Command {
        let hide = |command: clap::Command| {
            SERVER_ONLY.iter().fold(command, |command, id| command.mut_arg(id, |argument| argument.hide(true)))
        };
        ["convert", "estimate", "mcp"].into_iter().fold(Self::command(), |all, name| all.mut_subcommand(name, hide))
    }
}

#[derive(Args)]
struct PrintConfig {
    /// Print a file to begin with instead: every setting, what it is for, and its default
    #[arg(long)]
    example: bool,
    #[command(flatten)]
    settings: Settings,
}

/// Runs the command.
///
/// # Errors
/// What kept it from running; one line that says what to do.
pub fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let variable = |name: &str| std::env::var(name).ok();
    if !matches!(cli.command, Command::Reader { .. }) {
        let names = std::env::vars_os().map(|(name, _)| name);
        variables::unread(&Cli::command(), names).iter().for_each(|line| say(format_args!("bindery: {line}")));
    }
    let file = if cli.command.has_settings() {
        cli.config.clone().or_else(|| Settings::found_file(variable))
    } else {
        cli.config.clone()
    };
    let here = cli.config.is_none() && file.as_deref() == Some(Path::new(Settings::HERE));
    let file = file.as_deref().map(Settings::from_file).transpose()?.unwrap_or_default();
    let config = |settings: Settings| -> anyhow::Result<Config> {
        if here {
            // The folder may belong to another person: its settings are announced, and no key goes where they say.
            say(format_args!("bindery: settings from {}", Settings::HERE));
            settings.keep_key_from(&file, variable)?;
        }
        Ok(settings.over(file).resolve(variable)?)
    };
    match cli.command {
        Command::Convert(command) => {
            let config = config(command.settings.clone())?;
            convert::run(&command, &config)
        }
        Command::Estimate(command) => {
            let config = config(command.settings.clone())?;
            estimate::run(&command, &config)
        }
        Command::Serve(command) => {
            let (settings, rebuild) = command.parts();
            serve::run(config(settings)?, rebuild)
        }
        Command::Mcp(command) => mcp::run(&config(command.settings)?),
        Command::Submit(command) => submit::run(&command),
        Command::Status(command) => tasks::status(&command),
        Command::List(command) => tasks::list(&command),
        Command::Health(command) => tasks::health(&command),
        Command::Result(command) => tasks::result(&command),
        Command::Events(command) => tasks::events(&command),
        Command::Cancel(command) => tasks::cancel(&command),
        Command::Retry(command) => tasks::retry(&command),
        Command::Delete(command) => tasks::delete(&command),
        Command::Inspect(command) => {
            let config = config(command.settings())?;
            inspect::run(&command, &config)
        }
        Command::Split(command) => split::run(&command),
        Command::Models(command) => {
            let config = config(command.settings())?;
            models::run(&command, &config)
        }
        Command::Doctor(command) => {
            let config = config(command.settings.clone())?;
            doctor::run(&command, &config)
        }
        Command::Config(command) => {
            let text = if command.example {
                Config::example(&Settings::default().resolve(|name| std::env::var(name).ok())?)
            } else {
                config(command.settings)?.to_toml()
            };
            line(text.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Reader { memory } => {
            bindery::internal::read_for_owner(memory)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { folder } => {
            manual::write(&Cli::shown(), &folder)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut manual::visible(&Cli::shown()), "bindery", &mut script);
            line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The line that says why the command did not run.
pub fn complaint(error: &anyhow::Error) -> String {
    words::complaint(None, error)
}

/// Whether the reader of the output has gone.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let of_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    };
    error.chain().any(of_pipe)
}

/// Says a line on stdout.
fn line(text: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{text}")
}

/// PDFs are read in processes of this very program.
fn readers(config: &Config) -> anyhow::Result<Readers> {
    let readers = Readers::processes(Readers::this_program()?, config.pool.cpu_workers, config.reader);
    Ok(readers.with_models(config.ocr_models()))
}

/// Begins to log, unless it is a reader child.
pub fn start_log(cli: &Cli) {
    // What a reader says is not read before it is dead, and a full pipe would stop it.
    if !matches!(cli.command, Command::Reader { .. }) {
        log_format::start(matches!(cli.command, Command::Serve(_)), cli.log_format);
    }
}
