//! The reader processes that there may be, and who has which.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender};

use super::ReaderLimits;
use super::process::{Death, GLANCE, Reader, WaitLimits};
use crate::metrics;
use crate::task::{Failure, code};

/// How often a page is tried whose processes are killed from outside: it is not to blame.
pub(super) const KILLS: u32 = 3;

pub(super) struct Pool {
    pub(super) program: PathBuf,
    pub(super) limits: ReaderLimits,
    /// The free seats; a seat may have a process.
    pub(super) seats: (Sender<Option<Reader>>, Receiver<Option<Reader>>),
    /// How many documents were opened; the number of the last one is its name.
    pub(super) opened: AtomicU64,
    pub(super) warned: AtomicBool,
}

/// The right to use one process. No thread may want a second one while it has one.
pub(in crate::document) struct PooledReader<'a> {
    pool: &'a Pool,
    pub(super) reader: Option<Reader>,
}

impl Pool {
    /// Waits for a seat.
    ///
    /// # Errors
    /// `reader_unavailable` when `limits` end first: nothing was done, and no page is to blame.
    pub(super) fn seat(&self, limits: &WaitLimits) -> Result<PooledReader<'_>, Failure> {
        loop {
            match self.seats.1.recv_timeout(GLANCE) {
                Ok(reader) => return Ok(PooledReader { pool: self, reader }),
                // It cannot be disconnected: the pool has the other end.
                Err(_) if limits.has_ended() => {
                    return Err(Failure::transient(code::READER_UNAVAILABLE, "all readers of PDFs are busy"));
                }
                Err(_) => {}
            }
        }
    }

    /// A seat that is free now, while another one stays free for those who cannot wait.
    #[cfg(feature = "llm")]
    pub(super) fn idle_seat(&self) -> Option<PooledReader<'_>> {
        let seat = self.has_idle_seat().then(|| self.seats.1.try_recv().ok()).flatten();
        let seat = seat.map(|reader| PooledReader { pool: self, reader });
        // Another thread may have taken the other one since.
        seat.filter(|_| !self.seats.1.is_empty())
    }

    #[cfg(feature = "llm")]
    pub(super) fn has_idle_seat(&self) -> bool {
        self.seats.1.len() > 1
    }

    pub(super) fn start(&self) -> io::Result<(Reader, Option<String>)> {
        Reader::start(&self.program, self.limits.memory)
    }

    /// `time` is how long it could take.
    pub(super) fn failure(&self, death: Death, what: &str, time: Duration) -> Failure {
        let memory = self.limits.memory;
        match death {
            Death::TooSlow | Death::OutOfTime => metrics::reader_died("timeout"),
            Death::TooMuchMemory => metrics::reader_died("memory"),
            Death::Crash => metrics::reader_died("crash"),
            Death::Killed(_) => metrics::reader_died("killed"),
            Death::SpawnFailed(_) | Death::Cancelled => {}
        }
        match death {
            Death::SpawnFailed(error) => {
                log::warn!("no reader process can be started: {error}");
                let message = format!("no process can be started for {what}: {}", error.kind());
                Failure::transient(code::READER_UNAVAILABLE, message)
            }
            Death::TooSlow => {
                let message = format!("{what} takes longer than {} s", time.as_secs_f32());
                Failure::permanent(code::PAGE_TIMEOUT, message)
            }
            Death::OutOfTime => Failure::transient(code::TIMEOUT, format!("{what} took too long")),
            Death::Cancelled => Failure::transient(code::TIMEOUT, format!("{what} was given up")),
            Death::TooMuchMemory => {
                let message = format!("{what} takes more than {} MB of memory", memory >> 20);
                Failure::permanent(code::PAGE_MEMORY, message)
            }
            Death::Crash => Failure::permanent(code::PAGE_CRASH, format!("{what} crashes the reader")),
            Death::Killed(signal) => {
                let message = format!(
                    "the process for {what} was killed from outside ({signal}) {KILLS} times: is the machine out of memory?"
                );
                Failure::transient(code::READER_KILLED, message)
            }
        }
    }
}

impl Drop for PooledReader<'_> {
    fn drop(&mut self) {
        // There is room: this seat came from there.
        let _ = self.pool.seats.0.try_send(self.reader.take());
    }
}
