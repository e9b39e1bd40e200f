//! Where results go: whole or not at all.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail};
use bindery::internal::page_of_line;
use bindery::output::PagesWriter;
use bindery::task::{FigureForm, ImageName, ResultFormat, TaskOptions};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;

use super::files::{Input, tell_apart};
use super::format_args::FormatArgs;
use super::images::{self, ImageFolder, Relinked};
use super::place::{self, Inputs};
use super::words;

/// Where to.
#[derive(Clone)]
pub enum Target {
    Stdout,
    File(PathBuf),
    Folder(PathBuf),
}

impl Target {
    /// What `-o` and `--out-dir` say; `None` when neither is given.
    ///
    /// # Errors
    /// When one place is for several results.
    pub fn named(file: Option<&Path>, folder: Option<&Path>, inputs: &mut Vec<Input>) -> anyhow::Result<Option<Self>> {
        Ok(match (file, folder) {
            (Some(_), _) if inputs.len() > 1 => bail!("-o takes one PDF: use --out-dir for several"),
            (Some(file), _) if file == Path::new("-") => Some(Self::Stdout),
            (Some(file), _) => Some(Self::File(file.to_owned())),
            (None, Some(folder)) => {
                tell_apart(inputs)?;
                Some(Self::Folder(folder.to_owned()))
            }
            (None, None) => None,
        })
    }
}

/// In which form.
#[derive(Clone, Copy)]
pub struct Form {
    pub format: ResultFormat,
    /// About how large a chunk may be.
    pub chunk_tokens: u32,
}

impl Form {
    /// What the command says of a result that goes to `file`, if it goes to one.
    pub fn of(args: &FormatArgs, file: Option<&Path>) -> Self {
        Self { format: args.of(file), chunk_tokens: args.chunk_tokens }
    }
}

/// Where to, and in which form.
#[derive(Clone)]
pub struct Output {
    target: Target,
    form: Form,
    inputs: Inputs,
    /// Where several results go to stdout as one JSON document.
    array: Option<JsonArray>,
}

impl Output {
    /// Checks that no result would take the place of an input, or of another result.
    ///
    /// # Errors
    /// Names the place.
    pub fn new(target: Target, form: Form, inputs: &[Input]) -> anyhow::Result<Self> {
        let in_one = matches!(target, Target::Stdout) && form.format == ResultFormat::Json && inputs.len() > 1;
        let array = in_one.then(JsonArray::default);
        let output = Self { target, form, inputs: Inputs::of(inputs.iter().map(|input| input.path.as_path())), array };
        match &output.target {
            Target::Stdout => {}
            Target::File(file) => {
                let hint = if file.is_dir() { "; for results in it use --out-dir" } else { "" };
                output.inputs.check(file).map_err(|why| anyhow::anyhow!("-o {}: {why}{hint}", file.display()))?;
                // A folder that is misspelt would else be made.
                let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
                if folder.is_some_and(|folder| !folder.exists()) {
                    bail!("-o {}: there is no such folder", file.display());
                }
            }
            Target::Folder(folder) => {
                if folder.exists() && !folder.is_dir() {
                    bail!("--out-dir {}: this is no folder", folder.display());
                }
                let mut taken = BTreeSet::new();
                for file in inputs.iter().map(|input| output.file(folder, &input.place)) {
                    let there = output.inputs.check(&file).with_context(|| file.display().to_string())?;
                    if there.is_some_and(|there| !taken.insert(there)) {
                        bail!("{}: links give two results one place", file.display());
                    }
                }
            }
        }
        Ok(output)
    }

    pub const fn form(&self) -> Form {
        self.form
    }

    /// What is known of results that are there already; nothing where they do not go to a folder.
    pub fn done_before(&self, options: &TaskOptions) -> DoneBefore {
        let Form { format, chunk_tokens } = self.form;
        let wanted = serde_json::to_vec(&(options, format, chunk_tokens)).unwrap_or_default();
        let hash: String = Sha256::digest(wanted).iter().take(8).fold(String::new(), |mut hash, byte| {
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        let file = match &self.target {
            Target::Folder(folder) => Some(folder.join(DONE)),
            Target::Stdout | Target::File(_) => None,
        };
        // Only a file of our own is added to.
        let file = file.filter(|file| !file.exists() || self.inputs.check(file).is_ok_and(|there| there.is_some()));
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

    /// Refuses figures where there is no place for their files.
    ///
    /// # Errors
    /// Says what would do.
    pub fn check_images(&self, options: &TaskOptions) -> anyhow::Result<()> {
        match &self.target {
            _ if options.images != Some(FigureForm::Extract) => Ok(()),
            Target::Stdout => images::check_place(None),
            Target::File(file) => images::check_place(Some(file)),
            Target::Folder(_) => Ok(()),
        }
    }

    /// Writes the figures of the result that goes to `place` into a folder beside it.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn write_images<'b>(
        &self,
        place: &Path,
        images: impl IntoIterator<Item = (&'b ImageName, &'b [u8])>,
    ) -> anyhow::Result<()> {
        let Some(folder) = self.image_folder(place) else { return Ok(()) };
        images.into_iter().try_for_each(|(name, bytes)| folder.write(name, bytes, &self.inputs))
    }

    fn image_folder(&self, place: &Path) -> Option<ImageFolder> {
        match &self.target {
            Target::Stdout => None,
            Target::File(file) => Some(ImageFolder::beside(file)),
            Target::Folder(folder) => Some(ImageFolder::beside(&self.file(folder, place))),
        }
    }

    /// What is written of a stored result with these figures.
    pub fn linked(
        &self,
        place: &Path,
        names: BTreeSet<ImageName>,
        stored: impl Read + Send + 'static,
    ) -> Box<dyn Read + Send> {
        match self.image_folder(place).filter(|_| !names.is_empty()) {
            Some(folder) if matches!(self.form.format, ResultFormat::Markdown | ResultFormat::Html) => {
                Box::new(Relinked::new(stored, names, &folder))
            }
            _ => Box::new(stored),
        }
    }

    /// Copies the result of a task, given by its Markdown and its figures, to the place of its file, the figures first.
    pub async fn copy(
        &self,
        file: &Input,
        (markdown, images): (&Path, Vec<(ImageName, PathBuf)>),
        name: Option<&str>,
    ) -> anyhow::Result<()> {
        let (Form { format, chunk_tokens }, place) = (self.form, &file.place);
        for (image, path) in &images {
            let bytes = std::fs::read(path).with_context(|| format!("the figure {image} cannot be read"))?;
            self.write_images(place, [(image, bytes.as_slice())])?;
        }
        let stored =
            if format == ResultFormat::Markdown { markdown.to_owned() } else { markdown.with_extension("json") };
        let stored = File::open(stored).context("the result cannot be read")?;
        match PagesWriter::new(format, name.unwrap_or_default(), chunk_tokens) {
            None => {
                let names = images.into_iter().map(|(name, _)| name).collect();
                self.write(file, self.linked(place, names, stored)).await
            }
            Some(writer) => {
                let url = self.image_folder(place).map(|folder| folder.url().to_owned());
                let writer = match url {
                    Some(url) => writer.images_in(url),
                    None => writer,
                };
                self.write(file, Derived::new(stored, writer)).await
            }
        }
    }

    /// Writes a result to its place, on a thread of its own: a pipe may have no reader for long, and meanwhile the
    /// command can be interrupted.
    pub async fn write(&self, file: &Input, result: impl Read + Send + 'static) -> anyhow::Result<()> {
        let (output, place) = (self.clone(), file.place.clone());
        let (done, written) = oneshot::channel();
        let framed: Box<dyn Read + Send> = match &self.array {
            Some(array) => array.element(&file.shown(), result),
            None => Box::new(result),
        };
        let work = move || drop(done.send(output.write_now(&place, framed)));
        std::thread::Builder::new().name("bindery-output".into()).spawn(work)?;
        written.await.context("the thread that writes results has ended")?
    }

    /// Takes note of a file without a result, where that stands among the results.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn failed(&self, file: &Input, error: &anyhow::Error) -> io::Result<()> {
        let Some(array) = &self.array else { return Ok(()) };
        let error = serde_json::json!({ "code": words::code(error), "message": words::of(error) });
        write!(io::stdout(), "{},\"error\":{error}}}", array.opening(&file.shown()))
    }

    /// Ends what several results go into.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn finish(&self) -> io::Result<()> {
        match &self.array {
            Some(array) if array.begun.load(Ordering::Relaxed) => writeln!(io::stdout(), "\n]"),
            Some(_) => writeln!(io::stdout(), "[]"),
            None => Ok(()),
        }
    }

    fn write_now(&self, place: &Path, mut result: impl Read) -> anyhow::Result<()> {
        let file = match &self.target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                return match io::copy(&mut result, &mut stdout).and_then(|_| stdout.flush()) {
                    // A reader that has seen enough, such as head, is not an error.
                    Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                    done => done.context("cannot write to stdout"),
                };
            }
            Target::File(file) => file.clone(),
            Target::Folder(folder) => self.file(folder, place),
        };
        place::write(&file, &self.inputs, |out| io::copy(&mut result, out).map(drop))
            .with_context(|| format!("cannot write {}", file.display()))
    }

    /// A name may have dots of its own.
    fn file(&self, folder: &Path, place: &Path) -> PathBuf {
        let mut file = folder.join(place).into_os_string();
        file.push(".");
        file.push(self.form.format.ending());
        file.into()
    }
}

/// `[{"file":…,"pages":[…]},{"file":…,"error":{…}},…]`, written element by element.
#[derive(Clone, Default)]
struct JsonArray {
    begun: Arc<AtomicBool>,
}

impl JsonArray {
    /// What goes before an element: elements are written one after the other.
    fn opening(&self, file: &Path) -> String {
        let before = if self.begun.swap(true, Ordering::Relaxed) { ",\n" } else { "[\n" };
        format!("{before}{{\"file\":{}", serde_json::json!(file.to_string_lossy()))
    }

    fn element(&self, file: &Path, pages: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        let pages = io::Cursor::new(format!("{},\"pages\":", self.opening(file))).chain(pages);
        Box::new(pages.chain(io::Cursor::new("}")))
    }
}

/// A result that is made of the stored pages, a page at a time.
struct Derived {
    pages: BufReader<File>,
    /// Gone behind the last page.
    writer: Option<PagesWriter>,
    part: io::Cursor<String>,
}

impl Derived {
    fn new(pages: File, writer: PagesWriter) -> Self {
        let part = io::Cursor::new(writer.begin());
        Self { pages: BufReader::new(pages), writer: Some(writer), part }
    }
}

impl Read for Derived {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.part.read(buffer)?;
            let Some(writer) = self.writer.as_mut().filter(|_| read == 0 && !buffer.is_empty()) else {
                return Ok(read);
            };
            let mut line = String::new();
            let part = if self.pages.read_line(&mut line)? == 0 {
                let end = writer.end();
                self.writer = None;
                end
            } else {
                page_of_line(&line, 1).map(|view| writer.page(&view)).unwrap_or_default()
            };
            self.part = io::Cursor::new(part);
        }
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
        let Some(file) = self.file.as_ref().filter(|_| !self.places.contains(place)) else { return };
        let opened = File::options().append(true).create(true).open(file);
        let _ = opened.and_then(|mut file| writeln!(file, "{} {}", self.hash, place.display()));
    }
}
