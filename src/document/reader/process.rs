//! One reader process, seen by its owner: started, asked, and killed when it does not answer.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::wire::{self, Answer, Request};
use crate::task::Failure;

/// A process at the other end of a socket. Killed when dropped.
pub(super) struct Reader {
    process: Child,
    stream: UnixStream,
    last_words: Option<ChildStderr>,
    /// How long a read of the socket waits.
    glance: Cell<Duration>,
    /// The document that it has open.
    pub(super) open: Option<u64>,
    /// Whether it has the models that recognise text.
    pub(super) has_models: bool,
}

/// How long an answer is waited for.
#[derive(Clone, Default)]
pub(in super::super) struct WaitLimits {
    /// When the attempt as a whole has taken too long.
    pub(in super::super) deadline: Option<Instant>,
    /// Fires when the answer is no longer wanted.
    pub(in super::super) cancel: Option<CancellationToken>,
}

/// An answer and its bytes.
pub(super) type Frame = (Answer, Vec<u8>);

/// Why there is no answer of use.
pub(super) enum Trouble {
    /// The process says so.
    Said(Failure),
    /// The process does not say anything any more.
    Died(Death),
}

/// What a process died of, or is killed for.
pub(super) enum Death {
    /// It could not be started.
    SpawnFailed(io::Error),
    /// The page took longer than it may.
    TooSlow,
    /// The attempt as a whole did.
    OutOfTime,
    /// The answer is no longer wanted.
    Cancelled,
    TooMuchMemory,
    Crash,
    /// A signal that nothing in the process sends came from outside: from the kernel for want of memory, or from a person.
    Killed(&'static str),
}

/// How soon it is noticed that an answer is no longer wanted.
pub(super) const GLANCE: Duration = Duration::from_millis(100);
/// How much of an answer is read at once, bytes: all of most.
const AHEAD: usize = 16 << 10;
/// How long a process that has hung up may take to end.
const DYING_TIME: Duration = Duration::from_secs(2);
/// How long a process may take to start.
const START_TIME: Duration = Duration::from_secs(10);
/// How much is read of what a process said at its end, bytes.
const LAST_WORDS: u64 = 4_096;
/// Signals that come from outside alone; what a process does wrong ends it by others (signal(7)).
const FROM_OUTSIDE: [(i32, &str); 5] = [(9, "SIGKILL"), (15, "SIGTERM"), (2, "SIGINT"), (1, "SIGHUP"), (3, "SIGQUIT")];

impl Reader {
    /// Starts a process of `program` that may allocate `memory` bytes; and what it could not lock itself out of.
    pub(super) fn start(program: &Path, memory: u64) -> io::Result<(Self, Option<String>)> {
        let (stream, theirs) = UnixStream::pair()?;
        let mut process = Command::new(program)
            .arg0("bindery-reader")
            .args(["reader", "--memory", &memory.to_string()])
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let last_words = process.stderr.take();
        let reader = Self { process, stream, last_words, glance: Cell::default(), open: None, has_models: false };
        match reader.receive(Instant::now() + START_TIME, &WaitLimits::default()) {
            Ok((Answer::Ready { unconfined }, _)) => Ok((reader, unconfined)),
            Ok(_) => Err(io::Error::other("the program is not a reader of this version")),
            Err(error) => Err(error),
        }
    }

    /// Has it close its file. If it is dead, the next request finds out.
    pub(super) fn close(&mut self) {
        self.open = None;
        let _ = wire::send(&self.stream, &Request::Close, b"");
    }

    /// One question, one answer; with the descriptors that belong to the question.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        files: &[&File],
        until: Instant,
        limits: &WaitLimits,
    ) -> Result<Frame, Trouble> {
        let asked = wire::send(&self.stream, request, b"");
        let asked = asked.and_then(|()| files.iter().try_for_each(|file| wire::send_file(&self.stream, file)));
        match asked.and_then(|()| self.receive(until, limits)) {
            Ok((Answer::Failed(failure), _)) => Err(Trouble::Said(failure)),
            Ok(answer) => Ok(answer),
            Err(error) => Err(Trouble::Died(self.why_dead(&error, until, limits))),
        }
    }

    fn receive(&self, until: Instant, limits: &WaitLimits) -> io::Result<Frame> {
        let until = limits.deadline.map_or(until, |deadline| until.min(deadline));
        let mut answer = BufReader::with_capacity(AHEAD, Waited { reader: self, until, limits });
        let frame = wire::receive(|buffer| answer.read_exact(buffer))?;
        // One question has one answer.
        if answer.buffer().is_empty() { Ok(frame) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// Makes sure that the process is dead, and says what of.
    fn why_dead(&mut self, error: &io::Error, until: Instant, limits: &WaitLimits) -> Death {
        if error.kind() == io::ErrorKind::TimedOut {
            return match limits {
                WaitLimits { cancel: Some(cancel), .. } if cancel.is_cancelled() => Death::Cancelled,
                WaitLimits { deadline: Some(deadline), .. } if *deadline < until => Death::OutOfTime,
                _ => Death::TooSlow,
            };
        }
        // Who has hung up is dying by itself, and says what of; who talks nonsense, or does not get done, must die.
        // One that ends before it has read its question resets the connection.
        let hung_up = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        );
        let limits = Instant::now() + DYING_TIME;
        while hung_up && matches!(self.process.try_wait(), Ok(None)) && Instant::now() < limits {
            let _ = crossbeam_channel::never::<()>().recv_timeout(GLANCE / 20);
        }
        let by_itself = matches!(self.process.try_wait(), Ok(Some(_)));
        let _ = self.process.kill();
        let status = self.process.wait().ok();
        let mut words = Vec::new();
        if let Some(stderr) = self.last_words.take() {
            let _ = stderr.take(LAST_WORDS).read_to_end(&mut words);
        }
        let words = String::from_utf8_lossy(&words);
        log::debug!(status:? = status; "a reader process died: {}", words.trim());
        if words.contains("memory allocation of") {
            return Death::TooMuchMemory;
        }
        let signal = status.as_ref().and_then(ExitStatusExt::signal).filter(|_| by_itself);
        let outside = FROM_OUTSIDE.iter().find(|(number, _)| Some(*number) == signal);
        outside.map_or(Death::Crash, |(_, name)| Death::Killed(name))
    }
}

/// What a process says, waited for.
struct Waited<'a> {
    reader: &'a Reader,
    until: Instant,
    limits: &'a WaitLimits,
}

impl Read for Waited<'_> {
    /// # Errors
    /// `TimedOut` when the time is over or the answer is no longer wanted.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let left = self.until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.limits.is_over() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let glance = left.min(GLANCE);
            if self.reader.glance.replace(glance) != glance {
                self.reader.stream.set_read_timeout(Some(glance))?;
            }
            match (&self.reader.stream).read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl WaitLimits {
    /// Whether the time is over, or the answer is no longer wanted.
    pub(super) fn has_ended(&self) -> bool {
        self.is_over() || self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    fn is_over(&self) -> bool {
        self.cancel.as_ref().is_some_and(CancellationToken::is_cancelled)
    }
}
