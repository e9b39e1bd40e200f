//! Where results go: whole or not at all.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

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

    /// Copies the result of `pdf`, given by its Markdown, to its place.
    pub fn write(&self, pdf: &Path, markdown: &Path) -> anyhow::Result<()> {
        let result = if self.json { markdown.with_extension("json") } else { markdown.to_owned() };
        let mut source = File::open(result).context("the result cannot be read")?;
        let place = match &self.target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                return match io::copy(&mut source, &mut stdout).and_then(|_| stdout.flush()) {
                    // A reader that has seen enough, such as head, is not an error.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    done => done.context("cannot write to stdout"),
                };
            }
            Target::File(file) => file.clone(),
            Target::Folder(folder) => {
                let name = pdf.file_name().unwrap_or_default();
                folder.join(name).with_extension(if self.json { "json" } else { "md" })
            }
        };
        replace(&place, |file| io::copy(&mut source, file).map(drop))
            .with_context(|| format!("cannot write {}", place.display()))
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
