//! Tesseract, the program: found on `PATH`, given a picture, understood by the table that it writes.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::lines::{ScannedLine, ScannedWord, size_and_baseline};
use super::{OcrQuality, Recognised};
use crate::document::image::PageImage;
use crate::document::text;
use crate::task::{Failure, code};

/// The program `tesseract`, of version 4 or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tesseract {
    program: PathBuf,
}

/// How often cancellation is checked.
const GLANCE: Duration = Duration::from_millis(100);
/// What it may allocate, bytes.
#[cfg(target_os = "linux")]
const MEMORY: u64 = 1 << 30;
/// What it may write, bytes: more is no page.
const MOST_OUTPUT: u64 = 16 << 20;
/// Less sure lines are left out, as of the other reader.
const LEAST: f32 = 0.3;

impl Tesseract {
    /// How long it may usually take to say what it is.
    pub const ANSWER: Duration = Duration::from_secs(10);

    /// The program in the first of these folders (as `PATH` has them) that has it.
    #[must_use]
    pub fn find(path: &OsStr) -> Option<Self> {
        let programs = std::env::split_paths(path).filter(|folder| folder.is_absolute());
        let program = programs.map(|folder| folder.join("tesseract")).find(|program| program.is_file())?;
        Some(Self { program })
    }

    /// What it says of itself, such as `tesseract 5.3.0`, within so long.
    ///
    /// # Errors
    /// When it cannot be run, takes longer, or says nothing.
    pub fn version(&self, limit: Duration) -> std::io::Result<String> {
        let said = self.ask("--version", limit)?;
        let version = said.lines().next().unwrap_or_default().trim();
        if version.is_empty() { Err(std::io::Error::other("it says no version")) } else { Ok(version.to_owned()) }
    }

    /// The languages that it has, said within so long.
    ///
    /// # Errors
    /// When it cannot be run, or takes longer.
    pub fn languages(&self, limit: Duration) -> std::io::Result<Vec<String>> {
        let names = self.ask("--list-langs", limit)?;
        Ok(names.lines().skip(1).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect())
    }

    /// Everything that it says when it is started with this argument. It is ended in any case.
    fn ask(&self, argument: &str, limit: Duration) -> std::io::Result<String> {
        let mut command = self.command();
        command.arg(argument).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let (put, take) = crossbeam_channel::bounded(1);
        let stdout = child.stdout.take();
        // Not waited for: what it started may hold its end of the pipe for longer than it lives.
        std::thread::spawn(move || {
            let mut said = Vec::new();
            let _ = stdout.map(|stdout| stdout.take(MOST_OUTPUT).read_to_end(&mut said));
            let _ = put.send(said);
        });
        let said = take.recv_timeout(limit);
        let _ = child.kill();
        let _ = child.wait();
        let said = said.map_err(|_| std::io::Error::new(std::io::ErrorKind::TimedOut, "it does not answer"))?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }

    /// Without what is in this process's environment, but for where the languages are.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        let kept = std::env::var_os("TESSDATA_PREFIX");
        command.env_clear().env("LC_ALL", "C").env("OMP_THREAD_LIMIT", "1");
        command.envs(kept.map(|folder| ("TESSDATA_PREFIX", folder)));
        command
    }

    /// Reads the picture of a page that is so wide and high (points) in these of its languages.
    ///
    /// # Errors
    /// `ocr_failed` with what it says, which may pass where it could not be started or was killed; `timeout` when
    /// `deadline` passes or `cancel` fires.
    pub fn read(
        &self,
        picture: &PageImage,
        size: (f32, f32),
        languages: &[String],
        deadline: Instant,
        cancel: &CancellationToken,
    ) -> Result<Recognised, Failure> {
        let table = self.run(&picture.bytes, languages, deadline, cancel)?;
        let scale = f64::from(picture.width) / f64::from(size.0.max(1.0));
        let (lines, left_out) = lines(&table, scale);
        let quality = OcrQuality::of(&lines, left_out, 0);
        Ok(Recognised { content: text::of_scan(lines, &[], size), quality })
    }

    fn run(
        &self,
        picture: &[u8],
        languages: &[String],
        deadline: Instant,
        cancel: &CancellationToken,
    ) -> Result<String, Failure> {
        let failed = |why: String| Failure::permanent(code::OCR_FAILED, format!("tesseract: {why}"));
        let passing = |why: String| Failure::transient(code::OCR_FAILED, format!("tesseract: {why}"));
        let mut command = self.command();
        command.args(["stdin", "stdout", "-l", &languages.join("+"), "--psm", "3", "tsv"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| passing(error.to_string()))?;
        limit(&child);
        let (put, take) = crossbeam_channel::bounded(1);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // One that does not read has said why.
                let _ = stdin.map(|mut stdin| stdin.write_all(picture));
            });
            scope.spawn(move || {
                let (mut said, mut complaints) = (Vec::new(), Vec::new());
                let _ = stdout.map(|stdout| stdout.take(MOST_OUTPUT).read_to_end(&mut said));
                let _ = stderr.map(|stderr| stderr.take(4_096).read_to_end(&mut complaints));
                let _ = put.send((said, complaints));
            });
            let said = loop {
                match take.recv_timeout(GLANCE) {
                    Ok(said) => break Some(said),
                    Err(_) if cancel.is_cancelled() || Instant::now() > deadline => break None,
                    Err(_) => {}
                }
            };
            if said.is_none() {
                let _ = child.kill();
            }
            let status = child.wait();
            let Some((said, complaints)) = said else {
                return Err(Failure::transient(code::TIMEOUT, "tesseract took too long, or was given up"));
            };
            let ended = status.map_err(|error| passing(error.to_string()))?.code();
            if ended == Some(0) {
                return Ok(String::from_utf8_lossy(&said).into_owned());
            }
            let complaints = String::from_utf8_lossy(&complaints);
            let why = complaints.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it failed");
            let why = why.chars().take(200).collect();
            // One without a code was killed, by itself where it got no memory.
            Err(if ended.is_some() { failed(why) } else { passing(why) })
        })
    }
}

/// Keeps it from taking all memory.
#[cfg(target_os = "linux")]
fn limit(child: &Child) {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let most = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    // Without a limit it reads all the same.
    let _ = i32::try_from(child.id()).ok().and_then(Pid::from_raw).map(|id| prlimit(Some(id), Resource::Data, most));
}

#[cfg(not(target_os = "linux"))]
fn limit(_: &Child) {}

/// A row of the table: level, page, block, paragraph, line, word, left, top, width, height, confidence, text.
struct Row<'a> {
    level: u32,
    line: [u32; 3],
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    sure: f32,
    text: &'a str,
}

impl<'a> Row<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let fields: Vec<&str> = line.splitn(12, '\t').collect();
        let whole = |at: usize| fields.get(at)?.parse::<u32>().ok();
        let length = |at: usize| whole(at).map(f64::from);
        Some(Self {
            level: whole(0)?,
            line: [whole(2)?, whole(3)?, whole(4)?],
            left: length(6)?,
            top: length(7)?,
            width: length(8)?,
            height: length(9)?,
            sure: fields.get(10)?.parse().ok()?,
            text: fields.get(11).copied().unwrap_or_default().trim(),
        })
    }
}

/// Its words.
const WORD: u32 = 5;

/// The lines of a table of a picture with so many pixels a point, and how many more are too unsure.
fn lines(table: &str, scale: f64) -> (Vec<ScannedLine>, u32) {
    let rows: Vec<Row<'_>> = table.lines().filter_map(Row::of).collect();
    let words: Vec<&Row<'_>> = rows.iter().filter(|row| row.level == WORD && !row.text.is_empty()).collect();
    let (mut lines, mut left_out) = (Vec::new(), 0);
    for words in words.chunk_by(|a, b| a.line == b.line) {
        let line = line(words, scale);
        if line.likely >= LEAST {
            lines.push(line);
        } else {
            left_out += 1;
        }
    }
    (lines, left_out)
}

#[allow(clippy::cast_precision_loss, reason = "a mean")]
fn line(words: &[&Row<'_>], scale: f64) -> ScannedLine {
    let top = words.iter().map(|word| word.top).fold(f64::MAX, f64::min);
    let bottom = words.iter().map(|word| word.top + word.height).fold(f64::MIN, f64::max);
    let text: String = words.iter().map(|word| word.text).collect();
    let (size, baseline) = size_and_baseline((top, bottom), &text);
    let letters = |word: &Row<'_>| word.text.chars().count() as f32;
    let all: f32 = words.iter().map(|word| letters(word)).sum();
    let sure: f32 = words.iter().map(|word| word.sure.max(0.0) / 100.0 * letters(word)).sum();
    let scanned = words.iter().map(|word| ScannedWord {
        text: word.text.to_owned(),
        start: word.left / scale,
        end: (word.left + word.width) / scale,
        likely: word.sure.max(0.0) / 100.0,
    });
    ScannedLine {
        words: scanned.collect(),
        baseline: baseline / scale,
        size: size / scale,
        direction: (1.0, 0.0),
        likely: if all > 0.0 { sure / all } else { 0.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_table_is_read_line_by_line() {
        let table = "level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n\
            1\t1\t0\t0\t0\t0\t0\t0\t1000\t2000\t-1\t\n\
            4\t1\t1\t1\t1\t0\t100\t200\t300\t70\t-1\t\n\
            5\t1\t1\t1\t1\t1\t100\t200\t100\t70\t96.5\tHello\n\
            5\t1\t1\t1\t1\t2\t250\t200\t150\t70\t93.5\tworld\n\
            5\t1\t1\t1\t2\t1\t100\t300\t100\t70\t12.0\t~|\n\
            5\t1\t1\t1\t2\t2\t210\t300\t100\t70\t95.0\t \n\
            nonsense\n";
        let (lines, left_out) = lines(table, 2.0);
        assert_eq!(left_out, 1);
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(line.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["Hello", "world"]);
        assert!((line.likely - 0.95).abs() < 1e-3 && (line.words[1].start - 125.0).abs() < 1e-9, "{line:?}");
        assert!((line.size - 50.0).abs() < 1e-9 && (line.baseline - 135.0).abs() < 1e-9, "{line:?}");
        assert_eq!(super::lines("", 1.0), (Vec::new(), 0));
    }

    /// A program of that name which does this.
    #[cfg(unix)]
    fn program(dir: &std::path::Path, does: &str) -> Tesseract {
        // Written by another process: a file that this one has open for writing could not be started.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > tesseract && chmod +x tesseract";
        let written = Command::new("sh").current_dir(dir).args(["-c", write, "sh", does]).status().unwrap();
        assert!(written.success());
        Tesseract::find(dir.as_os_str()).unwrap()
    }

    #[cfg(unix)]
    #[test]
    fn what_it_has_is_asked_for_so_long() {
        let dir = tempfile::tempdir().unwrap();
        let long = Duration::from_secs(60);
        let answers =
            program(dir.path(), "[ $1 = --version ] && echo tesseract 5.3.0 || printf 'List of\\neng\\nrus\\n'");
        assert_eq!(answers.version(long).unwrap(), "tesseract 5.3.0");
        assert_eq!(answers.languages(long).unwrap(), ["eng", "rus"]);
        assert!(program(dir.path(), "exit 1").version(long).is_err());
        let begun = Instant::now();
        let hangs = program(dir.path(), "sleep 60; echo tesseract 5.3.0");
        let why = hangs.version(Duration::from_millis(50)).unwrap_err();
        assert!(why.kind() == std::io::ErrorKind::TimedOut && begun.elapsed() < Duration::from_secs(30), "{why}");
    }

    #[cfg(unix)]
    #[test]
    fn what_the_machine_is_to_blame_for_may_pass() {
        let dir = tempfile::tempdir().unwrap();
        for (does, passes, says) in [
            ("echo no such file >&2; exit 1", false, "tesseract: no such file"),
            ("echo bad_alloc >&2; kill -9 $$", true, "tesseract: bad_alloc"),
        ] {
            let tesseract = program(dir.path(), does);
            let later = Instant::now() + Duration::from_secs(60);
            let why = tesseract.run(&[], &["eng".to_owned()], later, &CancellationToken::new()).unwrap_err();
            assert_eq!((&*why.code, why.retryable, &*why.message), (code::OCR_FAILED, passes, says));
        }
        let gone = Tesseract { program: dir.path().join("gone") };
        let why = gone.run(&[], &["eng".to_owned()], Instant::now(), &CancellationToken::new()).unwrap_err();
        assert!(why.retryable, "{why}");
    }

    #[test]
    fn only_absolute_folders_of_the_path_count() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Tesseract::find(dir.path().as_os_str()), None);
        std::fs::write(dir.path().join("tesseract"), "").unwrap();
        assert_eq!(Tesseract::find(dir.path().as_os_str()).unwrap().program, dir.path().join("tesseract"));
        assert_eq!(Tesseract::find(OsStr::new(".:bin")), None);
    }
}
