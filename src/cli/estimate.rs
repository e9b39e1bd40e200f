//! `bindery estimate`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bindery::Estimate;
use bindery::config::{Config, Settings};
use bindery::task::{Amount, TaskOptions, Usage};
use clap::Args;
use serde_json::json;

use super::client::{Client, KeyArgs, ServerArgs};
use super::convert::{Local, complaint};
use super::files::Input;
use super::say;
use super::task_args::TaskArgs;
use super::{advice, exit, line};

#[derive(Args)]
pub struct EstimateFiles {
    /// PDFs or pictures (PNG, JPEG, TIFF, WebP)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a file and line
    #[arg(long)]
    json: bool,
    /// Ask this server, with its endpoint, prices and ledger, instead of looking here
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    pub settings: Settings,
}

pub fn run(command: &EstimateFiles, config: &Config) -> anyhow::Result<ExitCode> {
    let checked = command.task.options().map_err(|error| error.to_string()).and_then(|options| {
        // Of a server's endpoint nothing is known here.
        let lines = if command.server.is_some() { Vec::new() } else { advice::check(config, &options)? };
        Ok((options, lines))
    });
    match checked {
        Ok((options, lines)) => {
            lines.iter().for_each(|line| say(format_args!("bindery: {line}")));
            actix_web::rt::System::new().block_on(estimate(command, &options, config))
        }
        Err(error) => {
            say(format_args!("bindery: {error}"));
            Ok(ExitCode::from(exit::USAGE))
        }
    }
}

async fn estimate(command: &EstimateFiles, options: &TaskOptions, config: &Config) -> anyhow::Result<ExitCode> {
    let who = match &command.server {
        Some(server) => Who::Server(Client::new(&ServerArgs { server: server.clone(), key: command.key.clone() })?),
        None => Who::Here(Box::new(Local::start(config)?)),
    };
    let mut code = ExitCode::SUCCESS;
    let mut sum = Amount::default();
    if !command.json {
        line("    pages   known   calls  tokens sent  received       cost  ")?;
    }
    for file in &command.files {
        let file = Input::named(file, config.supervisor.limits.max_bytes)?;
        match who.estimate(command, &file.path, options).await {
            Ok(estimate) => {
                sum += estimate.total;
                show(&file.shown(), &estimate, command.json)?;
            }
            Err(error) => {
                say(format_args!("{}", complaint(&file.shown(), &error)));
                code = ExitCode::from(exit::FAILED);
            }
        }
    }
    if !command.json && command.files.len() > 1 {
        row(&sum, "all files")?;
    }
    if sum.usage.calls > 0 && sum.usage.cost.is_none() {
        let place = if command.server.is_some() { "on the server by BINDERY_LLM_PRICES" } else { "by --llm-prices" };
        say(format_args!(
            "bindery: the cost is not known: name prices {place}, as MODEL=SENT/RECEIVED per million tokens (* for all others) \
             or as a price file of LiteLLM"
        ));
    }
    if let Who::Here(local) = who {
        local.bindery.stop(Duration::ZERO).await;
    }
    Ok(code)
}

/// Who looks at the files.
enum Who {
    Here(Box<Local>),
    Server(Client),
}

impl Who {
    async fn estimate(&self, command: &EstimateFiles, file: &Path, options: &TaskOptions) -> anyhow::Result<Estimate> {
        match self {
            Self::Here(local) => Ok(local.bindery.estimate_file(file.to_owned(), options.clone()).await?),
            Self::Server(client) => client.upload("/v1/estimate", file, command.task.given(), None).await,
        }
    }
}

fn show(file: &Path, estimate: &Estimate, as_json: bool) -> io::Result<()> {
    if as_json {
        let mut line = serde_json::to_value(estimate)?;
        line["file"] = json!(file);
        return writeln!(io::stdout(), "{line}");
    }
    row(&estimate.total, &file.display().to_string())?;
    if estimate.routes.len() > 1 {
        for (route, amount) in &estimate.routes {
            row(amount, &format!("  {route}"))?;
        }
    }
    if estimate.failed > 0 {
        writeln!(io::stdout(), "{:>9} of them cannot be read", estimate.failed)?;
    }
    Ok(())
}

fn row(amount: &Amount, about: &str) -> io::Result<()> {
    let Amount { pages, usage, .. } = amount;
    let Usage { calls, reused, prompt_tokens, completion_tokens, cost, .. } = usage;
    let cost = match cost {
        Some(cost) => cost.to_string(),
        None if *calls == 0 => "0.00".to_owned(),
        None => "?".to_owned(),
    };
    writeln!(
        io::stdout(),
        "{pages:>9} {reused:>7} {calls:>7} {prompt_tokens:>12} {completion_tokens:>9} {cost:>10}  {about}"
    )
}
