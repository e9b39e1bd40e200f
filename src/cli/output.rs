//! Where results go: whole or not at all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use bindery::task::TaskOptions;
use sha2::{Digest, Sha256};

/// Where to.
pub enum Target {
    Stdout,
    File(PathBuf),
    Folder(PathBuf),
}

/// Where to, and in which form.
pub struct Output {
    target: Target,
    json: bool,
}

impl Output {
    pub const fn new(target: Target, json: bool) -> Self {
        Self { target, json }
    }

    pub const fn is_json(&self) -> bool {
        self.json
    }

    /// What is known of results that are there already; nothing where they do not go to a folder.
    pub fn done_before(&self, options: &TaskOptions) -> DoneBefore {
        let wanted = serde_json::to_vec(&(options, self.json)).unwrap_or_default();
        let hash: String = Sha256::digest(wanted).iter().take(8).fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        let file = match &self.target {
            Target::Folder(folder) => Some(folder.join(DONE)),
            Target::Stdout | Target::File(_) => None,
        };
        let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok()).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once(' ')).filter(|(of, _)| *of == hash);
        DoneBefore { places: lines.map(|(_, place)| place.into()).collect(), hash, file }
    }

    /// Whether the result that goes to `place` in a folder is there, and newer than `pdf`.
    fn has(&self, pdf: &Path, place: &Path) -> bool {
        let modified = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified());
        match &self.target {
            Target::Folder(folder) => {
                let result = modified(&self.file(folder, place));
                result.is_ok_and(|result| modified(pdf).is_ok_and(|source| source <= result))
            }
            Target::Stdout | Target::File(_) => false,
        }
    }

    /// Copies the result of a task, given by its Markdown, to its place; `place` is where in a folder, without an ending.
    pub fn copy(&self, place: &Path, markdown: &Path) -> anyhow::Result<()> {
        let result = if self.json { markdown.with_extension("json") } else { markdown.to_owned() };
        self.write(place, &mut File::open(result).context("the result cannot be read")?)
    }

    /// Writes a result to its place.
    pub fn write(&self, place: &Path, result: &mut impl io::Read) -> anyhow::Result<()> {
        let file = match &self.target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                return match io::copy(result, &mut stdout).and_then(|_| stdout.flush()) {
                    // A reader that has seen enough, such as head, is not an error.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    done => done.context("cannot write to stdout"),
                };
            }
            Target::File(file) => file.clone(),
            Target::Folder(folder) => self.file(folder, place),
        };
        replace(&file, |out| io::copy(result, out).map(drop))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// A name may have dots of its own.
    fn file(&self, folder: &Path, place: &Path) -> PathBuf {
        let mut file = folder.join(place).into_os_string();
        file.push(if self.json { ".json" } else { ".md" });
        file.into()
    }
}

/// The file in a folder of results that says which of them are whole, and of which options they are.
const DONE: &str = ".bindery-done";

/// Results that an earlier command has written.
pub struct DoneBefore {
    places: BTreeSet<PathBuf>,
    hash: String,
    file: Option<PathBuf>,
}

impl DoneBefore {
    /// Whether the result of `pdf` is there, with every page, newer than it, and of the same options.
    pub fn has(&self, output: &Output, pdf: &Path, place: &Path) -> bool {
        self.places.contains(place) && output.has(pdf, place)
    }

    /// Takes note of one that has every page. What cannot be noted is done again the next time, from the ledger.
    pub fn add(&self, place: &Path) {
        let Some(file) = &self.file else { return };
        let opened = File::options().append(true).create(true).open(file);
        let _ = opened.and_then(|mut file| writeln!(file, "{} {}", self.hash, place.display()));
    }
}

/// Writes a file beside its place and renames it there, so that it is never seen half-written.
pub fn replace(place: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = place.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".bindery-").tempfile_in(folder)?;
    write(file.as_file_mut())?;
    file.as_file().sync_data()?;
    readable(file.as_file())?;
    file.persist(place)?;
    Ok(())
}

/// Temporary files are for their owner alone; a result has the permissions of any new file.
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}
