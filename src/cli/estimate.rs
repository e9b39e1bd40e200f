//! `bindery estimate`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use bindery::config::{Config, Settings};
use bindery::pool::Estimate;
use bindery::task::{Amount, TaskOptions};
use clap::Args;
use serde_json::json;

use super::convert::{Local, complaint};
use super::exit;
use super::task_args::TaskArgs;

#[derive(Args)]
pub struct EstimateFiles {
    /// The PDFs
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// One JSON object a file and line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    task: TaskArgs,
    #[command(flatten)]
    pub settings: Settings,
}

pub fn run(command: &EstimateFiles, config: &Config) -> anyhow::Result<ExitCode> {
    match command.task.options() {
        Ok(options) => actix_web::rt::System::new().block_on(estimate(command, &options, config)),
        Err(error) => {
            eprintln!("bindery: {error:#}");
            Ok(ExitCode::from(exit::USAGE))
        }
    }
}

async fn estimate(command: &EstimateFiles, options: &TaskOptions, config: &Config) -> anyhow::Result<ExitCode> {
    let local = Local::start(config)?;
    let mut code = ExitCode::SUCCESS;
    let mut sum = Amount::default();
    if !command.json {
        println!("    pages   known   calls  tokens sent  received       cost  ");
    }
    for file in &command.files {
        match local.bindery.estimate_file(file.clone(), options.clone()).await {
            Ok(estimate) => {
                sum.add(&estimate.total);
                show(file, &estimate, command.json)?;
            }
            Err(error) => {
                eprintln!("{}", complaint(file, &error.into()));
                code = ExitCode::from(exit::FAILED);
            }
        }
    }
    if !command.json && command.files.len() > 1 {
        row(&sum, "all files")?;
    }
    local.bindery.stop(Duration::ZERO).await;
    Ok(code)
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
    let Amount { pages, reused, calls, prompt_tokens, completion_tokens, cost } = amount;
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
