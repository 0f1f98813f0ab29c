//! Opening the file: a new one is made, ours is brought up to date, and anything else is refused and left as it is.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gathering_core::VERSION;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::format::{self, Format};

/// Only its owner reads it: the configurations of plugins hold keys.
const MODE: u32 = 0o600;
/// How long a change of another process, such as a backup, is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the file was not opened. It was left as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The operating system refused.
    #[error("the state file `{}` cannot be opened: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// It is there, but it is no database, or one of another program.
    #[error(
        "`{}` is not a state file of GatheRing ({reason}); it was left as it is: \
         move it away, or choose another data directory",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        reason: String,
    },
    /// It was ours and is damaged.
    #[error(
        "the state file `{}` is damaged ({reason}); it was left as it is: put a backup in its place, \
         or move it away (with its `-wal` and `-shm` files) to start anew",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first damage that was found.
        reason: String,
    },
    /// A newer GatheRing wrote it.
    #[error(
        "the state file `{}` was written by GatheRing {writer} in format {found}, and this is GatheRing {VERSION}, \
         which knows formats up to {known}: run GatheRing {writer} or newer, or choose another data directory",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version that wrote it, as far as the file tells.
        writer: String,
        /// Its format.
        found: i64,
        /// The newest format that is known.
        known: i64,
    },
    /// There is no room on the disk.
    #[error("there is no room left on the disk for the state file `{}`", path.display())]
    StorageFull {
        /// The file.
        path: PathBuf,
    },
    /// SQLite failed in another way.
    #[error("the state file `{}` cannot be opened: {reason}", path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// What it said.
        reason: String,
    },
}

/// Opens the file of `format` at `path`, which is made if it is not there.
pub(crate) fn open(path: &Path, format: &Format) -> Result<Connection, OpenError> {
    let io_error = |source| OpenError::Io { path: path.to_owned(), source };
    // Absolute, because SQLite has a meaning of its own for names such as `:memory:`.
    let path = &std::path::absolute(path).map_err(io_error)?;
    create(path).map_err(io_error)?;
    if let Some(reason) = foreign(path, format).map_err(io_error)? {
        return Err(OpenError::Foreign { path: path.clone(), reason: reason.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|error| sqlite_error(path, &error))?;
    prepare(&mut connection, path, format)?;
    fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(io_error)?;
    Ok(connection)
}

/// Makes an empty file that outlives a power cut, unless there is one.
fn create(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).create_new(true).mode(MODE).open(path) {
        Ok(_) => path.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Says what the file is if it is not ours. SQLite is not asked: it would work off the log of another program's file.
fn foreign(path: &Path, format: &Format) -> io::Result<Option<&'static str>> {
    if !fs::metadata(path)?.is_file() {
        return Ok(Some("it is not a regular file"));
    }
    // <https://www.sqlite.org/fileformat.html#the_database_header>
    let mut header = Vec::with_capacity(100);
    File::open(path)?.take(100).read_to_end(&mut header)?;
    Ok(match header.get(..16) {
        _ if header.is_empty() => None,
        Some(b"SQLite format 3\0") if header.get(68..72) == Some(&format.application_id.to_be_bytes()) => {
            None
        }
        Some(b"SQLite format 3\0") => Some("it is a database of another program"),
        _ => Some("it is no SQLite database"),
    })
}

/// Looks at the file before the first write, then sets it up.
fn prepare(connection: &mut Connection, path: &Path, format: &Format) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| sqlite_error(path, &error);
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    let found = format::of(connection).map_err(failed)?;
    let known = format.number();
    if found > known {
        let writer = connection
            .query_row("SELECT version FROM writer", (), |row| row.get(0))
            .unwrap_or_else(|_| "of a newer version".to_owned());
        return Err(OpenError::Newer { path: path.to_owned(), writer, found, known });
    }
    if format.is_checked {
        let damage: String =
            connection.query_row("PRAGMA quick_check(1)", (), |row| row.get(0)).map_err(failed)?;
        if damage != "ok" {
            return Err(OpenError::Damaged { path: path.to_owned(), reason: damage });
        }
    }
    // Nothing is written to a file that is as it should be: it opens on a full disk as well.
    let application: i32 =
        connection.query_row("PRAGMA application_id", (), |row| row.get(0)).map_err(failed)?;
    if application != format.application_id {
        // Before the log is on, so that it stands in the file itself, where `foreign` looks.
        connection.pragma_update(None, "application_id", format.application_id).map_err(failed)?;
    }
    // With a write-ahead log, `FULL` syncs the log at each commit: what is acknowledged survives a power cut.
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    // A conversation is removed with its messages.
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    format.migrate(connection).map_err(failed)
}

fn sqlite_error(path: &Path, error: &rusqlite::Error) -> OpenError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign { path, reason },
        Some(ErrorCode::DatabaseCorrupt) => OpenError::Damaged { path, reason },
        Some(ErrorCode::DiskFull) => OpenError::StorageFull { path },
        _ => OpenError::Sqlite { path, reason },
    }
}
