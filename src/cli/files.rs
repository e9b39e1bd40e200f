//! The PDFs and pictures of a command: files as they are named, those below folders, and standard input.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use bindery::document::is_document_ending;
use tempfile::TempDir;

use super::images::is_figure;

/// A PDF, and where its result goes below the folder for results.
#[derive(Clone, Debug)]
pub struct Input {
    pub path: PathBuf,
    /// Without its ending.
    pub place: PathBuf,
    /// Whether it was found in a folder.
    pub found: bool,
    /// Holds what came from standard input.
    spooled: Option<Arc<TempDir>>,
}

impl Input {
    /// One that is named. `-` is standard input, which is read to its end, but not beyond `limit` bytes and one.
    ///
    /// # Errors
    /// When standard input cannot be read or kept.
    pub fn named(path: &Path, limit: u64) -> anyhow::Result<Self> {
        if path != Path::new("-") {
            let place = path.file_stem().unwrap_or_default().into();
            return Ok(Self { path: path.to_owned(), place, found: false, spooled: None });
        }
        let spool = || {
            let folder = tempfile::Builder::new().prefix("bindery-").tempdir()?;
            let path = folder.path().join("stdin.pdf");
            let mut input = io::Read::take(io::stdin().lock(), limit.saturating_add(1));
            io::copy(&mut input, &mut std::fs::File::create(&path)?)?;
            Ok::<_, io::Error>((path, folder))
        };
        let (path, folder) = spool().context("standard input")?;
        Ok(Self { path, place: "stdin".into(), found: false, spooled: Some(Arc::new(folder)) })
    }

    /// How its user knows it.
    pub fn shown(&self) -> Cow<'_, Path> {
        if self.spooled.is_some() { Path::new("standard input").into() } else { self.path.as_path().into() }
    }
}

/// Files as they are named, and of folders all PDFs and pictures below them, sorted; the names of folders are kept for the results.
///
/// # Errors
/// When a folder or standard input cannot be read, or a folder holds neither.
pub fn inputs(named: &[PathBuf], limit: u64) -> anyhow::Result<Vec<Input>> {
    if named.iter().filter(|path| *path == Path::new("-")).count() > 1 {
        bail!("standard input can be read only once");
    }
    let mut inputs = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = inputs.len();
            below(path, path, &mut inputs)?;
            if inputs.len() == before {
                bail!("{}: there is no PDF and no picture in this folder", path.display());
            }
        } else {
            inputs.push(Input::named(path, limit)?);
        }
    }
    Ok(inputs)
}

/// Refuses inputs of which two would have one place. The same file under the same name is one input.
///
/// # Errors
/// Names the second one.
pub fn refuse_doubles(inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    let identity = |input: &Input| input.path.metadata().ok().map(|file| (file.dev(), file.ino()));
    let mut places = BTreeMap::new();
    let mut once = Vec::with_capacity(inputs.len());
    for input in inputs.drain(..) {
        let file = identity(&input);
        match places.insert(input.place.clone(), file) {
            None => once.push(input),
            Some(first) if first.is_some() && first == file => {}
            Some(_) => {
                let name = input.shown().display().to_string();
                bail!("{name}: another file has the same name, and both results would have one place")
            }
        }
    }
    *inputs = once;
    Ok(())
}

fn below(root: &Path, folder: &Path, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> =
        entries.with_context(|| format!("{}", folder.display()))?.into_iter().map(|entry| entry.path()).collect();
    paths.sort();
    let mut same: BTreeMap<PathBuf, usize> = BTreeMap::new();
    paths
        .iter()
        .filter(|path| has_ending(path))
        .for_each(|path| *same.entry(path.with_extension("")).or_default() += 1);
    for path in paths {
        // A link to a folder may lead in circles.
        if path.is_dir() && !path.is_symlink() {
            below(root, &path, inputs)?;
        } else if path.is_file() && has_ending(&path) && !is_figure(&path) {
            let place = path.strip_prefix(root).unwrap_or(&path).with_extension("");
            // Beside a document of the same name a picture keeps its ending: it may be a preview of that.
            let is_alone = is_pdf(&path) || same.get(&path.with_extension("")).is_none_or(|count| *count == 1);
            let place = if is_alone { place } else { path.strip_prefix(root).unwrap_or(&path).into() };
            inputs.push(Input { path, place, found: true, spooled: None });
        }
    }
    Ok(())
}

fn is_pdf(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("pdf"))
}

fn has_ending(path: &Path) -> bool {
    path.extension().and_then(|ending| ending.to_str()).is_some_and(is_document_ending)
}

/// Files that may be equal: those of one size. Equal files are one task, which is needed until the last of them has its
/// result.
pub struct Twins<T> {
    groups: BTreeMap<u64, (usize, Vec<T>)>,
    /// Whether each has a size that is known.
    known: bool,
}

impl<T: PartialEq> Twins<T> {
    /// Groups files by their sizes. What has none, such as a pipe, may be equal to any.
    pub fn of(sizes: &[Option<u64>]) -> Self {
        let known = sizes.iter().all(Option::is_some);
        let mut twins = Self { groups: BTreeMap::new(), known };
        for size in sizes {
            let group = twins.group(*size);
            twins.groups.entry(group).or_insert_with(|| (0, Vec::new())).0 += 1;
        }
        twins
    }

    fn group(&self, size: Option<u64>) -> u64 {
        size.filter(|_| self.known).unwrap_or(0)
    }

    /// Takes note that one of this size is done, and of its task; returns the tasks that no other file needs any more.
    pub fn ended(&mut self, size: Option<u64>, task: Option<T>) -> Vec<T> {
        let group = self.group(size);
        let Some((left, tasks)) = self.groups.get_mut(&group) else { return Vec::new() };
        *left = left.saturating_sub(1);
        tasks.extend(task.filter(|task| !tasks.contains(task)));
        if *left == 0 { std::mem::take(tasks) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_goes_when_the_last_file_of_its_size_has_its_result() {
        let mut twins = Twins::of(&[Some(7), Some(9), Some(7), Some(7)]);
        let steps = [(7, 'a', ""), (9, 'b', "b"), (7, 'a', ""), (7, 'c', "ac")];
        for (size, task, gone) in steps {
            assert_eq!(twins.ended(Some(size), Some(task)).into_iter().collect::<String>(), gone);
        }
        let mut with_a_pipe = Twins::of(&[Some(7), None, Some(9)]);
        for (size, task, gone) in [(Some(7), Some('a'), ""), (Some(9), None, ""), (None, Some('p'), "ap")] {
            assert_eq!(with_a_pipe.ended(size, task).into_iter().collect::<String>(), gone);
        }
    }
}
