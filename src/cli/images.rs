//! The figures of a result, in a folder beside it: `OUT_images/` beside `OUT.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bindery::task::{ImageName, PageImageView, ResultFormat};
use serde::Deserialize;

use super::client::{Client, copy};
use super::place::{self, Inputs};

/// What the name of a folder with figures ends with.
const ENDING: &str = "_images";

/// How links to figures begin in stored results, in Markdown and in HTML.
const LINKS: [&str; 2] = ["](images/", "src=\"images/"];

/// A folder with the figures of one result.
#[derive(Clone)]
pub struct ImageFolder {
    path: PathBuf,
    /// Its name as part of a URL.
    url: String,
}

impl ImageFolder {
    /// The one beside `result`, whose ending of a format does not count.
    pub fn beside(result: &Path) -> Self {
        let is_ending = |ending: &str| ResultFormat::of_ending(ending).is_some();
        let has_ending = result.extension().and_then(|ending| ending.to_str()).is_some_and(is_ending);
        let mut path = if has_ending { result.with_extension("") } else { result.to_owned() }.into_os_string();
        path.push(ENDING);
        let path = PathBuf::from(path);
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let url = name.iter().fold(String::new(), |mut url, byte| {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => url.push(char::from(*byte)),
                _ => {
                    let _ = write!(url, "%{byte:02X}");
                }
            }
            url
        });
        Self { path, url }
    }

    /// Its name as the beginning of a URL, relative to the result.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Writes a figure into it, whole or not at all. What is there is left as it is: its name is that of its bytes.
    ///
    /// # Errors
    /// When it cannot be written, or the folder cannot be made.
    pub fn write(&self, name: &ImageName, bytes: &[u8], inputs: &Inputs) -> anyhow::Result<()> {
        let file = self.path.join(name.as_str());
        let write = || {
            if std::fs::read(&file).is_ok_and(|there| there == bytes) {
                return Ok(());
            }
            if file.symlink_metadata().is_ok_and(|there| !there.is_file()) {
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else is there"));
            }
            place::write(&file, inputs, |out| out.write_all(bytes))
        };
        write().with_context(|| format!("cannot write {}", file.display()))
    }
}

/// Whether a file is a figure that an earlier command has put beside a result, and no document.
pub fn is_figure(path: &Path) -> bool {
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let in_folder = path.parent().and_then(name).is_some_and(|folder| folder.ends_with(ENDING));
    in_folder && name(path).is_some_and(|name| name.parse::<ImageName>().is_ok())
}

/// Refuses a result with figures that has no folder they could go beside.
///
/// # Errors
/// Says what would do.
pub fn check_place(file: Option<&Path>) -> anyhow::Result<()> {
    match file {
        None => bail!("--images extract needs -o or --out-dir: the figures go into a folder beside the result"),
        Some(file) if file.metadata().is_ok_and(|there| !there.is_file()) => {
            bail!("--images extract: {} is no file that figures could go beside", file.display())
        }
        Some(_) => Ok(()),
    }
}

/// A stored result in Markdown, with the links to its figures leading into a folder beside it.
pub struct Relinked<R> {
    stored: BufReader<R>,
    names: BTreeSet<ImageName>,
    url: String,
    line: io::Cursor<Vec<u8>>,
}

impl<R: Read> Relinked<R> {
    pub fn new(stored: R, names: BTreeSet<ImageName>, folder: &ImageFolder) -> Self {
        Self { stored: BufReader::new(stored), names, url: folder.url.clone(), line: io::Cursor::default() }
    }
}

impl<R: Read> Read for Relinked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.line.read(buffer)?;
        if read > 0 || buffer.is_empty() {
            return Ok(read);
        }
        let mut line = Vec::new();
        self.stored.read_until(b'\n', &mut line)?;
        self.line = io::Cursor::new(match String::from_utf8(line) {
            Ok(line) => relinked(&line, &self.names, &self.url).into_bytes(),
            Err(error) => error.into_bytes(),
        });
        self.line.read(buffer)
    }
}

/// A line whose links to these figures lead into another folder.
fn relinked(line: &str, names: &BTreeSet<ImageName>, url: &str) -> String {
    let mut line = line.to_owned();
    for begin in LINKS {
        let mut parts = line.split(begin);
        let mut written = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let name = part.split([')', '"']).next().and_then(|name| name.parse::<ImageName>().ok());
            written.push_str(begin);
            if name.is_some_and(|name| names.contains(&name)) {
                written.truncate(written.len() - "images/".len());
                written.extend([url, "/"]);
            }
            written.push_str(part);
        }
        line = written;
    }
    line
}

/// Pages that are asked about at once.
const WINDOW: usize = 1_000;

/// What pages say of their figures. The rest of them may be of a newer version.
#[derive(Deserialize)]
struct Pages {
    pages: Vec<Page>,
}

#[derive(Deserialize)]
struct Page {
    page: u32,
    #[serde(default)]
    images: Vec<PageImageView>,
}

/// Fetches the figures of a task from its server; nothing where its result names none.
///
/// # Errors
/// When the server does not have one that its pages name.
pub async fn fetch(client: &Client, task: &str, result: &[u8]) -> anyhow::Result<Vec<(ImageName, Vec<u8>)>> {
    let names_some = [LINKS[0], LINKS[1], "\"images\":["].iter().any(|sign| {
        let sign = sign.as_bytes();
        result.windows(sign.len()).any(|window| window == sign)
    });
    let (mut names, mut figures, mut from) = (BTreeSet::new(), Vec::new(), 1);
    if !names_some {
        return Ok(figures);
    }
    loop {
        let window = format!("/v1/tasks/{task}/pages?limit={WINDOW}&from={from}");
        let Pages { pages } = client.json(&window).await?;
        names.extend(pages.iter().flat_map(|page| &page.images).map(|image| image.name.clone()));
        match pages.last() {
            Some(last) if pages.len() == WINDOW => from = last.page + 1,
            _ => break,
        }
    }
    for name in names {
        let answer = client.get(&format!("/v1/tasks/{task}/images/{name}"), "*/*").await?;
        let mut bytes = Vec::new();
        copy(answer.bytes_stream(), &mut bytes).await?;
        if !name.names(&bytes) {
            bail!("the figure {name} came damaged");
        }
        figures.push((name, bytes));
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bindery::task::ImageKind;

    #[test]
    fn folders_stand_beside_their_results_and_their_urls_are_urls() {
        for (result, path, url) in [
            ("a/out.md", "a/out_images", "out_images"),
            ("out", "out_images", "out_images"),
            ("x/my paper (1).v2", "x/my paper (1).v2_images", "my%20paper%20%281%29.v2_images"),
            ("ü.html", "ü_images", "%C3%BC_images"),
        ] {
            let folder = ImageFolder::beside(Path::new(result));
            assert_eq!((folder.path.to_str().unwrap(), folder.url()), (path, url));
        }
        assert!(is_figure(Path::new("a_images/ba7816bf8f01cfea414140de5dae2223.png")));
        assert!(
            !is_figure(Path::new("a_images/scan.png")) && !is_figure(Path::new("ba7816bf8f01cfea414140de5dae2223.png"))
        );
    }

    #[test]
    fn links_to_figures_lead_into_the_folder_and_others_stay() {
        let name = ImageName::of(b"x", ImageKind::Png);
        let stored =
            format!("a\n![b](images/{name}) ![c](images/other.png)\n`](images/`<img src=\"images/{name}\" alt=\"\">");
        let folder = ImageFolder::beside(Path::new("o.md"));
        let mut text = String::new();
        Relinked::new(stored.as_bytes(), BTreeSet::from([name.clone()]), &folder).read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            format!(
                "a\n![b](o_images/{name}) ![c](images/other.png)\n`](images/`<img src=\"o_images/{name}\" alt=\"\">"
            )
        );
    }
}
