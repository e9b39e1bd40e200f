//! The PDFs of a command: files as they are named, and those below folders.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A PDF, and where its result goes below the folder for results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub path: PathBuf,
    /// Without its ending.
    pub place: PathBuf,
    /// Whether it was found in a folder.
    pub found: bool,
}

/// Files as they are named, and of folders all PDFs below them, sorted; the names of folders are kept for the results.
///
/// # Errors
/// When a folder cannot be read, holds no PDF, or two results would have one place.
pub fn inputs(named: &[PathBuf]) -> anyhow::Result<Vec<Input>> {
    let mut inputs = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = inputs.len();
            below(path, path, &mut inputs)?;
            if inputs.len() == before {
                bail!("{}: there is no PDF in this folder", path.display());
            }
        } else {
            let place = path.file_stem().unwrap_or_default().into();
            inputs.push(Input { path: path.clone(), place, found: false });
        }
    }
    Ok(inputs)
}

/// Refuses inputs of which two would have one place.
///
/// # Errors
/// Names the second one.
pub fn refuse_doubles(inputs: &[Input]) -> anyhow::Result<()> {
    let mut places = BTreeSet::new();
    match inputs.iter().find(|input| !places.insert(&input.place)) {
        Some(twice) => {
            bail!("{}: another file has the same name, and both results would have one place", twice.path.display())
        }
        None => Ok(()),
    }
}

fn below(root: &Path, folder: &Path, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> =
        entries.with_context(|| format!("{}", folder.display()))?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        // A link to a folder may lead in circles.
        if path.is_dir() && !path.is_symlink() {
            below(root, &path, inputs)?;
        } else if path.is_file() && path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("pdf")) {
            let place = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            inputs.push(Input { path, place, found: true });
        }
    }
    Ok(())
}
