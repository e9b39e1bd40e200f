//! The PDFs and pictures of a command: files as they are named, those below folders, and standard input.

use bindery::internal::is_document_ending;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
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
        let named = path.to_string_lossy();
        if (named.starts_with("http://") || named.starts_with("https://")) && !path.exists() {
            bail!("{named}: documents are not fetched: download it first, or pipe it: curl -L … | bindery convert -");
        }
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

    /// Its name without folders.
    pub fn name(&self) -> String {
        self.shown().file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// Files as they are named, and of folders all PDFs and pictures below them that are not hidden, sorted; the names of
/// folders are kept for the results. `may_be_empty`: whether folders without any will do.
///
/// # Errors
/// When a folder or standard input cannot be read, or a folder holds neither.
pub fn inputs(named: &[PathBuf], limit: u64, may_be_empty: bool) -> anyhow::Result<Vec<Input>> {
    if named.iter().filter(|path| *path == Path::new("-")).count() > 1 {
        bail!("standard input can be read only once");
    }
    let mut inputs = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = inputs.len();
            below(path, path, &mut inputs)?;
            if inputs.len() == before && !may_be_empty {
                bail!("{}: there is no PDF and no picture in this folder", path.display());
            }
        } else {
            inputs.push(Input::named(path, limit)?);
        }
    }
    Ok(inputs)
}

/// Gives each input a place of its own. The same file under the same name is one input. Files that would share a place
/// keep as many of the folders above them as tell them apart, or else their endings.
///
/// # Errors
/// Names one that shares its place with another all the same.
pub fn tell_apart(inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    let identity = |input: &Input| input.path.metadata().ok().map(|file| (file.dev(), file.ino()));
    let mut seen = BTreeSet::new();
    inputs.retain(|input| identity(input).is_none_or(|file| seen.insert((input.place.clone(), file))));
    let mut sharing = BTreeMap::<PathBuf, Vec<usize>>::new();
    for (at, input) in inputs.iter().enumerate() {
        sharing.entry(input.place.clone()).or_default().push(at);
    }
    for (place, group) in sharing.into_iter().filter(|(_, group)| group.len() > 1) {
        let ways: Vec<Vec<PathBuf>> = group.iter().map(|at| longer_places(&inputs[*at])).collect();
        let longest = ways.iter().map(Vec::len).max().unwrap_or(0);
        let with = |folders: usize| ways.iter().map(|ways| ways[folders.min(ways.len() - 1)].clone()).collect();
        let endings = group.iter().map(|at| place.with_file_name(inputs[*at].name())).collect();
        let mut tries = (1..longest).map(with).chain([endings]);
        let apart = tries.find(|places: &Vec<PathBuf>| places.iter().collect::<BTreeSet<_>>().len() == group.len());
        let Some(places) = apart else { bail!(one_place(&inputs[group[1]])) };
        group.iter().zip(places).for_each(|(at, place)| inputs[*at].place = place);
    }
    let mut taken = BTreeSet::new();
    inputs.iter().find(|input| !taken.insert(&input.place)).map_or(Ok(()), |double| bail!(one_place(double)))
}

fn one_place(input: &Input) -> String {
    format!("{}: another file has the same name, and both results would have one place", input.shown().display())
}

/// The places that a result could have: its own, and then with more and more of the folders above its file.
fn longer_places(input: &Input) -> Vec<PathBuf> {
    let path = std::path::absolute(&input.path).unwrap_or_else(|_| input.path.clone());
    let above = path.parent().into_iter().flat_map(Path::components);
    let mut folders: Vec<_> = above.filter(|part| matches!(part, Component::Normal(_))).collect();
    // Those that its place has already.
    folders.truncate(folders.len().saturating_sub(input.place.components().count() - 1));
    let with = |count: usize| folders[folders.len() - count..].iter().collect::<PathBuf>().join(&input.place);
    (0..=folders.len()).map(with).collect()
}

fn below(root: &Path, folder: &Path, inputs: &mut Vec<Input>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut paths: Vec<PathBuf> =
        entries.with_context(|| format!("{}", folder.display()))?.into_iter().map(|entry| entry.path()).collect();
    // Such as what programs keep for themselves, or have half downloaded.
    paths.retain(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
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
    fn files_that_would_share_a_place_are_told_apart() {
        let cases: [(&[&str], &[&str]); 6] = [
            (&["/a/x.pdf", "/b/y.pdf"], &["x", "y"]),
            (&["/a/x.pdf", "/b/x.pdf", "/a/y.pdf"], &["a/x", "b/x", "y"]),
            (&["/p/a/x.pdf", "/q/a/x.pdf"], &["p/a/x", "q/a/x"]),
            (&["/a/c.pdf", "/a/c.jpg"], &["c.pdf", "c.jpg"]),
            (&["/x.pdf", "/b/x.pdf"], &["x", "b/x"]),
            (&["/a/x.pdf", "/b/x.pdf", "/c/a/x.pdf"], &["a/x", "b/x", "c/a/x"]),
        ];
        for (files, places) in cases {
            let mut inputs: Vec<Input> = files.iter().map(|file| Input::named(Path::new(file), 0).unwrap()).collect();
            let told = tell_apart(&mut inputs).map(|()| inputs.iter().map(|one| one.place.clone()).collect::<Vec<_>>());
            assert_eq!(told.unwrap(), places.iter().map(PathBuf::from).collect::<Vec<_>>(), "{files:?}");
        }
    }

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
