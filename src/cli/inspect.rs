//! `bindery inspect`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use bindery::config::{Config, Settings};
use bindery::document::{DocumentLimits, PageFacts, Readers};
use bindery::task::{Failure, PageSelection};
use clap::Args;
use serde_json::json;

use super::exit;
use super::files::Input;
use super::models;
use super::say;
use super::secret;

#[derive(Args)]
pub struct Inspect {
    /// The PDF or picture
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which pages, such as 1-5,8,r3-r1 (r1 is the last) [default: all]
    #[arg(long)]
    pages: Option<PageSelection>,
    /// One JSON object a page and line
    #[arg(long)]
    json: bool,
    /// The longest that reading one page may take
    #[arg(long, env = "BINDERY_READER_TIMEOUT", value_name = "TIME")]
    reader_timeout: Option<String>,
    /// The most memory of the process that reads
    #[arg(long, env = "BINDERY_READER_MEMORY", value_name = "SIZE")]
    reader_memory: Option<String>,
    /// The PDF's password. `ps` shows it to all users of the machine: rather use `BINDERY_PASSWORD` or --password-file
    #[arg(long, env = "BINDERY_PASSWORD", hide_env_values = true, conflicts_with = "password_file")]
    password: Option<String>,
    /// A file with the PDF's password
    #[arg(long, env = "BINDERY_PASSWORD_FILE", value_name = "FILE", value_parser = secret::read, hide_env_values = true)]
    password_file: Option<String>,
}

impl Inspect {
    /// The settings that matter here.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::default();
        settings.reader_timeout.clone_from(&self.reader_timeout);
        settings.reader_memory.clone_from(&self.reader_memory);
        settings
    }
}

pub fn run(command: &Inspect, config: &Config) -> anyhow::Result<ExitCode> {
    let input = Input::named(&command.file, u64::MAX)?;
    let named = || input.shown().display().to_string();
    let limits = DocumentLimits::unlimited();
    let readers = Readers::processes(Readers::this_program()?, 1, config.reader);
    let document = readers
        .open(&input.path, command.password.as_deref().or(command.password_file.as_deref()), &limits)
        .with_context(named)?;
    let pages = match &command.pages {
        Some(selection) => selection.resolve(document.page_count()).with_context(named)?,
        None => (1..=document.page_count()).collect(),
    };
    let mut out = io::stdout().lock();
    if !command.json {
        writeln!(out, "{}: {} pages", named(), document.page_count())?;
        writeln!(out, "  page  label       size, pt turn  glyphs  unknown  images  kind, titles")?;
    }
    let mut reader = document.reader();
    let mut code = ExitCode::SUCCESS;
    let mut scans = false;
    for page in pages {
        let facts = reader.facts(page);
        scans |= facts.as_ref().is_ok_and(PageFacts::is_image_only);
        if facts.is_err() {
            code = ExitCode::from(exit::FAILED_PAGES);
        }
        let shown = if command.json { as_json(&mut out, page, &facts) } else { as_row(&mut out, page, &facts) };
        match shown {
            // The reader of the output has seen enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
            shown => shown?,
        }
    }
    if scans && config.ocr_models().is_none() {
        say(format_args!("bindery: {}", models::HINT));
    }
    Ok(code)
}

fn as_json(out: &mut impl Write, page: u32, facts: &Result<PageFacts, Failure>) -> io::Result<()> {
    match facts {
        Ok(facts) => writeln!(out, "{}", serde_json::to_string(facts)?),
        Err(error) => writeln!(out, "{}", json!({ "page": page, "error": error })),
    }
}

fn as_row(out: &mut impl Write, page: u32, facts: &Result<PageFacts, Failure>) -> io::Result<()> {
    let facts = match facts {
        Ok(facts) => facts,
        Err(error) => return writeln!(out, "{page:>6}  {error}"),
    };
    let kind = match facts {
        facts if facts.is_image_only() => "scan",
        facts if facts.shown.visible_glyphs() == 0 => "no text",
        facts if !facts.shown.has_sound_text() => "text without a meaning",
        _ => "text",
    };
    let size = format!("{:.0} x {:.0}", facts.width, facts.height);
    let unknown = format!("{:.1} %", facts.shown.unmapped_share() * 100.0);
    let images = format!("{:.0} %", facts.shown.image_coverage * 100.0);
    let about = std::iter::once(kind.to_owned()).chain(facts.titles.iter().map(|title| format!("“{title}”")));
    let about = about.collect::<Vec<_>>().join("; ");
    let label = facts.label.as_deref().unwrap_or("");
    let (turn, glyphs) = (facts.rotation, facts.shown.glyphs);
    writeln!(out, "{page:>6}  {label:<8} {size:>11} {turn:>4} {glyphs:>7} {unknown:>8} {images:>7}  {about}")
}
