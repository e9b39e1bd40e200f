//! `bindery split`.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};

use anyhow::Context;
use bindery::document::{Document, DocumentLimits};
use bindery::internal::{Splitter, plan};
use bindery::task::PageSelection;
use clap::Args;

use super::files::Input;
use super::place::{self, Inputs};
use super::say;
use super::secret;

#[derive(Args)]
pub struct Split {
    /// The PDF
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which pages, such as 1-5,8,r3-r1 (r1 is the last) [default: all]
    #[arg(long)]
    pages: Option<PageSelection>,
    /// The most pages of a part
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    shard_pages: u32,
    /// The folder for the parts; it is made when it is not there
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// The PDF's password; the parts have none. `ps` shows it to all users of the machine: rather use `BINDERY_PASSWORD` or --password-file
    #[arg(long, env = "BINDERY_PASSWORD", hide_env_values = true, conflicts_with = "password_file")]
    password: Option<String>,
    /// A file with the PDF's password
    #[arg(long, env = "BINDERY_PASSWORD_FILE", value_name = "FILE", value_parser = secret::read, hide_env_values = true)]
    password_file: Option<String>,
}

pub fn run(command: &Split) -> anyhow::Result<ExitCode> {
    let input = Input::named(&command.file, u64::MAX)?;
    let named = || input.shown().display().to_string();
    let limits = DocumentLimits::unlimited();
    let password = command.password.as_deref().or(command.password_file.as_deref());
    let document = Document::open(&input.path, password, &limits).with_context(named)?;
    let pages = match &command.pages {
        Some(selection) => selection.resolve(document.page_count()).with_context(named)?,
        None => (1..=document.page_count()).collect(),
    };
    let splitter = Splitter::open(&input.path, password, &document).with_context(named)?;
    // Names sort as their pages do.
    let digits = document.page_count().to_string().len();
    let (stem, inputs) = (input.place.to_string_lossy(), Inputs::of([input.path.as_path()]));
    let parts = std::thread::scope(|scope| {
        // The disk takes one part while the next one is made.
        let (made, parts) = sync_channel(1);
        let writer = scope.spawn(move || write(&parts, &inputs));
        for shard in plan(pages, command.shard_pages) {
            let part = splitter.part(shard.pages()).with_context(named)?;
            let (first, last) = (shard.first, shard.last);
            let place = command.output.join(format!("{stem}-{first:0digits$}-{last:0digits$}.pdf"));
            if made.send((place, part)).is_err() {
                break;
            }
        }
        drop(made);
        writer.join().unwrap_or_else(|_| Err(anyhow::anyhow!("writing the parts failed")))
    })?;
    let folder = std::path::absolute(&command.output).unwrap_or_else(|_| command.output.clone());
    say(format_args!("bindery: {parts} parts in {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}

fn write(parts: &Receiver<(PathBuf, Vec<u8>)>, inputs: &Inputs) -> anyhow::Result<usize> {
    let mut count = 0;
    for (place, part) in parts {
        let written = place::write(&place, inputs, |file| file.write_all(&part));
        written.with_context(|| format!("cannot write {}", place.display()))?;
        // All parts are written, also when their names are not read any more.
        let _ = writeln!(std::io::stdout(), "{}", place.display());
        count += 1;
    }
    Ok(count)
}
