//! The open database of a store. Only its writer closes it, after a failed write, and opens it again.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use redb::{Database, ReadTransaction, ReadableDatabase};
use tokio::sync::watch;

use super::{file, unavailable};
use crate::store::StoreError;

/// Bytes below which a file system counts as full.
const LEAST_ROOM: u64 = 64 << 10;
/// How long a reader may keep the old database from being closed. Reads take far less.
const LONGEST_READ: Duration = Duration::from_secs(10);

/// A database that is open as long as anyone has it.
pub(super) struct Open {
    database: Database,
    /// Goes after the database, which tells the writer.
    _in_use: Sender<()>,
}

impl Deref for Open {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

/// What a database held at one moment. As long as anyone has it the database counts as in use.
pub(super) struct Snapshot {
    transaction: ReadTransaction,
    /// Goes after the transaction, which a database that is opened again would know nothing of, and write over what it reads.
    _open: Arc<Open>,
}

impl Deref for Snapshot {
    type Target = ReadTransaction;

    fn deref(&self) -> &ReadTransaction {
        &self.transaction
    }
}

enum State {
    Open(Arc<Open>),
    /// It is being opened again.
    Opening,
    /// It could not be opened again; the next write tries.
    Closed,
}

/// The database as readers see it.
#[derive(Clone)]
pub(super) struct ReadHandle(watch::Receiver<State>);

impl ReadHandle {
    /// The database, as soon as it is open.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it could not be opened again.
    pub(super) async fn database(&self) -> Result<Arc<Open>, StoreError> {
        let mut states = self.0.clone();
        let state = states.wait_for(|state| !matches!(state, State::Opening)).await.map_err(unavailable)?;
        if let State::Open(open) = &*state {
            return Ok(Arc::clone(open));
        }
        Err(StoreError::Unavailable("its file could not be opened again after a failed write".into()))
    }

    /// What the database holds now, as soon as it is open.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it could not be opened again, or cannot be read.
    pub(super) async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let open = self.database().await?;
        Ok(Snapshot { transaction: open.begin_read().map_err(unavailable)?, _open: open })
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(*self.0.borrow(), State::Open(_))
    }
}

/// The database as the one writer sees it.
pub(super) struct WriteHandle {
    state: watch::Sender<State>,
    /// Ends when the open database is no longer in use.
    released: Receiver<()>,
    /// Its file; absent in memory.
    path: Option<PathBuf>,
}

/// The handles of a database that was just opened.
pub(super) fn handles(database: Database, path: Option<PathBuf>) -> (WriteHandle, ReadHandle) {
    let (open, released) = shared(database);
    let (state, states) = watch::channel(State::Open(open));
    (WriteHandle { state, released, path }, ReadHandle(states))
}

fn shared(database: Database) -> (Arc<Open>, Receiver<()>) {
    let (in_use, released) = channel();
    (Arc::new(Open { database, _in_use: in_use }), released)
}

impl WriteHandle {
    /// The database, opened again where that could not be done before.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it cannot be opened, or the disk is full: a write that fails would cost all
    /// readers the database for a moment.
    pub(super) fn database(&mut self) -> Result<Arc<Open>, StoreError> {
        let open = match &*self.state.borrow() {
            State::Open(open) => Some(Arc::clone(open)),
            State::Opening | State::Closed => None,
        };
        let open = match open {
            Some(open) => open,
            None => self.open()?,
        };
        self.path.as_deref().map_or(Ok(()), check_place)?;
        Ok(open)
    }

    /// Closes the database, which refuses everything after a failed write, and opens it again. Nothing of it may be held.
    pub(super) fn reopen(&mut self, why: &StoreError) {
        if self.path.is_none() {
            return;
        }
        log::warn!("the store is opened again after a failed write: {why}");
        self.state.send_replace(State::Opening);
        // Two that are open at once would overwrite each other, so the file is locked.
        let _ = self.released.recv_timeout(LONGEST_READ);
        if let Err(why) = self.open() {
            log::error!("the store cannot be opened again: {why}");
        }
    }

    fn open(&mut self) -> Result<Arc<Open>, StoreError> {
        let gone = || StoreError::Unavailable("its memory is gone".into());
        let opened = self.path.as_deref().ok_or_else(gone).and_then(file::open);
        match opened.map(shared) {
            Ok((open, released)) => {
                self.released = released;
                self.state.send_replace(State::Open(Arc::clone(&open)));
                Ok(open)
            }
            Err(why) => {
                self.state.send_replace(State::Closed);
                Err(unavailable(why))
            }
        }
    }
}

/// Whether the file is where it was opened, and has room to grow. What cannot be known counts as room.
pub(super) fn check_place(path: &std::path::Path) -> Result<(), StoreError> {
    std::fs::metadata(path).map_err(|why| StoreError::Unavailable(format!("its file is not in its place: {why}")))?;
    let full = rustix::fs::statvfs(path).is_ok_and(|space| space.f_bavail * space.f_frsize < LEAST_ROOM);
    if full { Err(StoreError::Unavailable("the disk is full".into())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::TryRecvError;

    use super::*;

    #[tokio::test]
    async fn a_database_is_in_use_until_its_last_snapshot_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = file::path_in(dir.path());
        let (mut writer, reader) = handles(file::open(&path).unwrap(), Some(path));
        let snapshot = reader.snapshot().await.unwrap();
        writer.state.send_replace(State::Opening);
        assert!(!reader.is_open());
        assert_eq!(writer.released.try_recv(), Err(TryRecvError::Empty));
        drop(snapshot);
        assert_eq!(writer.released.try_recv(), Err(TryRecvError::Disconnected));
        writer.reopen(&StoreError::Unavailable("a test".into()));
        assert!(reader.is_open() && reader.snapshot().await.is_ok() && writer.database().is_ok());
    }
}
