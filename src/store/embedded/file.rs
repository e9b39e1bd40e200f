//! The database's file: making it, opening it, and what to do when it cannot be opened.

use std::fs::{self, File};
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};
use uuid::Uuid;

use super::{TABLES, unavailable};
use crate::clock::Timestamp;
use crate::private_fs;
use crate::store::StoreError;

/// `format` → the layout of the tables, `id` → the name that no other store has, `time` → how late it was, at the least, when
/// something was last written, in milliseconds.
pub(super) const ABOUT: TableDefinition<&str, &[u8]> = TableDefinition::new("about");
/// The layout that this version writes.
const FORMAT: u32 = 1;
/// How exactly the time is kept: it costs a page of the file each time.
const TIME_GRAIN: Duration = Duration::from_mins(10);
/// How a file of the database begins.
const MAGIC: &[u8] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// The file in `directory`.
pub(super) fn path_in(directory: &Path) -> PathBuf {
    directory.join("tasks.redb")
}

/// Opens the file, making it when it is missing.
///
/// # Errors
/// [`StoreError::Damaged`] when what is there cannot be read, [`StoreError::Unavailable`] when it cannot be opened now or
/// by this version.
pub(super) fn open(path: &Path) -> Result<Database, StoreError> {
    // The database leaves a file that is there as it is; so it is one that only its owner may read.
    let file = private_fs::open(path, File::options().read(true).write(true).create(true).truncate(false));
    refuse_others(file.map_err(unavailable)?)?;
    // Some damage is found by assertions.
    let opened = catch_unwind(AssertUnwindSafe(|| with_tables(Database::create(path).map_err(failed)?)));
    opened.unwrap_or_else(|_| Err(StoreError::Damaged("its structure does not hold together".into())))
}

fn refuse_others(file: File) -> Result<(), StoreError> {
    let mut beginning = Vec::new();
    file.take(MAGIC.len() as u64).read_to_end(&mut beginning).map_err(unavailable)?;
    if beginning.is_empty() || beginning == MAGIC {
        return Ok(());
    }
    Err(StoreError::Damaged("it does not begin as a database".into()))
}

/// Makes the tables that are missing. Where there are all of them nothing is written, so that a full disk can be read.
pub(super) fn with_tables(database: Database) -> Result<Database, StoreError> {
    if is_complete(&database)? {
        return Ok(database);
    }
    let transaction = database.begin_write().map_err(failed)?;
    for table in TABLES {
        transaction.open_table(table).map_err(failed)?;
    }
    check_format(&transaction)?;
    transaction.commit().map_err(failed)?;
    Ok(database)
}

/// Whether all tables are there, in the layout that this version writes.
fn is_complete(database: &Database) -> Result<bool, StoreError> {
    let snapshot = database.begin_read().map_err(failed)?;
    for table in TABLES {
        match snapshot.open_table(table) {
            Ok(_) => {}
            Err(TableError::TableDoesNotExist(_)) => return Ok(false),
            Err(why) => return Err(failed(why)),
        }
    }
    let about = match snapshot.open_table(ABOUT) {
        Ok(about) => about,
        Err(TableError::TableDoesNotExist(_)) => return Ok(false),
        Err(why) => return Err(failed(why)),
    };
    let format = about.get("format").map_err(failed)?;
    Ok(format.is_some_and(|bytes| bytes.value() == FORMAT.to_le_bytes()))
}

fn check_format(transaction: &WriteTransaction) -> Result<(), StoreError> {
    let mut about = transaction.open_table(ABOUT).map_err(failed)?;
    let number = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).map_or(u32::MAX, u32::from_le_bytes);
    let format = about.get("format").map_err(failed)?.map(|bytes| number(bytes.value()));
    match format {
        Some(later) if later > FORMAT => Err(StoreError::Unavailable(format!(
            "tasks.redb was written by a later version of Bindery (its format is {later}, this version knows {FORMAT}): \
             use that version"
        ))),
        Some(_) => Ok(()),
        None => about.insert("format", &FORMAT.to_le_bytes()[..]).map(drop).map_err(failed),
    }
}

/// The store's own name, once it has one.
pub(super) fn id(snapshot: &ReadTransaction) -> Result<Option<Uuid>, StoreError> {
    id_in(&snapshot.open_table(ABOUT).map_err(unavailable)?)
}

fn id_in(about: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Option<Uuid>, StoreError> {
    let id = about.get("id").map_err(unavailable)?;
    Ok(id.and_then(|bytes| Uuid::from_slice(bytes.value()).ok()))
}

/// Gives the store `wanted` as its name, unless it has one.
pub(super) fn name(transaction: &WriteTransaction, wanted: Uuid) -> Result<Uuid, StoreError> {
    let mut about = transaction.open_table(ABOUT).map_err(unavailable)?;
    if let Some(id) = id_in(&about)? {
        return Ok(id);
    }
    about.insert("id", &wanted.as_bytes()[..]).map_err(unavailable)?;
    Ok(wanted)
}

/// How late it was, at the least, when something was last written.
pub(super) fn last_time(database: &Database) -> Result<Option<Timestamp>, StoreError> {
    let snapshot = database.begin_read().map_err(unavailable)?;
    time_in(&snapshot.open_table(ABOUT).map_err(unavailable)?)
}

fn time_in(about: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<Option<Timestamp>, StoreError> {
    let time = about.get("time").map_err(unavailable)?;
    let millis = time.and_then(|bytes| <[u8; 8]>::try_from(bytes.value()).ok()).map(u64::from_le_bytes);
    Ok(millis.map(Timestamp::from_millis))
}

/// Notes how late it is, by a clock that is believed.
pub(super) fn note_time(transaction: &WriteTransaction, now: Timestamp) -> Result<(), StoreError> {
    let mut about = transaction.open_table(ABOUT).map_err(unavailable)?;
    if time_in(&about)?.is_none_or(|known| known > now || now.since(known) >= TIME_GRAIN) {
        about.insert("time", &now.as_millis().to_le_bytes()[..]).map_err(unavailable)?;
    }
    Ok(())
}

/// Moves a file that cannot be read out of the way, under a name that says when; answers where it is. A sound one stays.
pub(super) fn move_damaged_aside(path: &Path) -> Result<Option<PathBuf>, StoreError> {
    if !path.exists() {
        return Ok(None);
    }
    let whole = open(path).and_then(|mut database| {
        let checked = catch_unwind(AssertUnwindSafe(|| database.check_integrity().map_err(failed)));
        checked.unwrap_or_else(|_| Err(StoreError::Damaged("its structure does not hold together".into())))
    });
    match whole {
        Ok(_) => return Ok(None),
        Err(StoreError::Damaged(_)) => {}
        Err(other) => return Err(other),
    }
    let name = format!("tasks.redb.damaged-{}", Timestamp::now().as_millis());
    let aside = path.with_file_name(name);
    fs::rename(path, &aside).map_err(unavailable)?;
    Ok(Some(aside))
}

/// What an error while opening says about the file.
fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(why) => StoreError::Damaged(why),
        redb::Error::Io(error) if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) => {
            StoreError::Damaged(error.to_string())
        }
        error @ (redb::Error::TableTypeMismatch { .. } | redb::Error::TypeDefinitionChanged { .. }) => {
            StoreError::Damaged(error.to_string())
        }
        redb::Error::UpgradeRequired(format) => StoreError::Unavailable(format!(
            "tasks.redb is of a file format ({format}) that this version of Bindery does not read"
        )),
        other => unavailable(other),
    }
}
