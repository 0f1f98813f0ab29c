//! The store: reads records, makes changes, and sets aside what it cannot read.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

use gathering_core::{AgentRecord, Change, PluginRecord, StateError, StateStore};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, Row, Transaction, TransactionBehavior, ffi};
use serde::de::DeserializeOwned;

use crate::format::STATE;
use crate::open::{OpenError, open};

/// Keeps the state in a SQLite file that only its owner may read.
pub struct SqliteStore {
    connection: Mutex<Connection>,
}

/// A record that could not be read. It is kept as it was found, in the table `set_aside`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The plugin or agent that it was kept for.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A row that is no record.
struct Unreadable {
    position: i64,
    id: String,
    reason: String,
}

/// What a row can be read as.
trait Kept: DeserializeOwned {
    fn id(&self) -> &str;
}
impl Kept for PluginRecord {
    fn id(&self) -> &str {
        self.id.as_str()
    }
}
impl Kept for AgentRecord {
    fn id(&self) -> &str {
        self.id.as_str()
    }
}

impl SqliteStore {
    /// Opens the file at `path`; makes it if it is not there, readable for its owner alone.
    ///
    /// A file that is damaged, is not ours, or comes from a newer version is refused and left as it is.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Ok(Self { connection: Mutex::new(open(path.as_ref(), &STATE)?) })
    }

    /// The records that could not be read, oldest first.
    pub fn set_aside(&self) -> Result<Vec<SetAside>, StateError> {
        let connection = self.connection();
        let read = || -> rusqlite::Result<Vec<SetAside>> {
            let mut statement = connection.prepare("SELECT id, reason FROM set_aside ORDER BY position")?;
            let rows =
                statement.query_map((), |row| Ok(SetAside { id: text(row, 0)?, reason: row.get(1)? }))?;
            rows.collect()
        };
        read().map_err(|error| state_error(&error))
    }

    pub(crate) fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().expect("nothing panics while it holds this lock")
    }
}

impl StateStore for SqliteStore {
    /// Records that cannot be read are set aside with an error in the log; the others are returned.
    fn plugins(&self) -> Result<Vec<PluginRecord>, StateError> {
        let mut connection = self.connection();
        let (records, unreadable) =
            read::<PluginRecord>(&connection, "plugins").map_err(|error| state_error(&error))?;
        if !unreadable.is_empty() {
            set_aside(&mut connection, &unreadable, "DELETE FROM plugins WHERE position = ?1", "plugins")
                .map_err(|error| state_error(&error))?;
        }
        for Unreadable { id, reason, .. } in unreadable {
            tracing::error!(
                plugin = %id, reason,
                "what was kept of this plugin cannot be read; it was moved to the table `set_aside`, \
                 and the plugin has to be loaded and configured again"
            );
        }
        Ok(records)
    }

    fn directories(&self) -> Result<Vec<PathBuf>, StateError> {
        let connection = self.connection();
        let read = || -> rusqlite::Result<Vec<PathBuf>> {
            let mut statement =
                connection.prepare_cached("SELECT path FROM directories ORDER BY position")?;
            let rows = statement.query_map((), |row| Ok(PathBuf::from(OsString::from_vec(row.get(0)?))))?;
            rows.collect()
        };
        read().map_err(|error| state_error(&error))
    }

    /// An agent whose record cannot be read comes back as one that was deleted, with an error in the log, and the record is
    /// set aside: it calls nothing any more, nobody gets its id, and the others are returned.
    fn agents(&self) -> Result<Vec<AgentRecord>, StateError> {
        let mut connection = self.connection();
        let (records, unreadable) =
            read::<AgentRecord>(&connection, "agents").map_err(|error| state_error(&error))?;
        if unreadable.is_empty() {
            return Ok(records);
        }
        for Unreadable { id, reason, .. } in &unreadable {
            tracing::error!(
                agent = %id, reason,
                "what was kept of this agent cannot be read; it was moved to the table `set_aside`, \
                 and the agent counts as deleted"
            );
        }
        let bury = "UPDATE agents SET record = json_object('id', id, 'name', id, 'token_sha256', '', \
                    'created_ms', 0, 'deleted', json('true')) WHERE position = ?1";
        set_aside(&mut connection, &unreadable, bury, "agents").map_err(|error| state_error(&error))?;
        let (records, still) = read(&connection, "agents").map_err(|error| state_error(&error))?;
        match still.first() {
            None => Ok(records),
            Some(row) => Err(StateError::Failed(format!(
                "the row of the agent `{}` is damaged: {}",
                row.id, row.reason
            ))),
        }
    }

    fn apply(&self, changes: &[Change]) -> Result<(), StateError> {
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|error| state_error(&error))?;
        for change in changes {
            apply_one(&transaction, change)?;
        }
        transaction.commit().map_err(|error| state_error(&error))
    }
}

fn apply_one(transaction: &Transaction<'_>, change: &Change) -> Result<(), StateError> {
    let execute = |sql, parameters: &[&dyn rusqlite::ToSql]| {
        transaction
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(parameters))
            .map(|_| ())
            .map_err(|error| state_error(&error))
    };
    match change {
        Change::SavePlugin(record) => {
            let text = serde_json::to_string(record).map_err(|error| {
                StateError::Failed(format!("the plugin `{}` cannot be saved: {error}", record.id))
            })?;
            execute(
                "INSERT INTO plugins (id, record) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                &[&record.id.as_str(), &text],
            )
        }
        Change::SaveAgent(record) => {
            let text = serde_json::to_string(record).map_err(|error| {
                StateError::Failed(format!("the agent `{}` cannot be saved: {error}", record.id))
            })?;
            execute(
                "INSERT INTO agents (id, record) VALUES (?1, ?2)
                 ON CONFLICT (id) DO UPDATE SET record = excluded.record",
                &[&record.id.as_str(), &text],
            )?;
            if record.deleted {
                // Nobody can ask for what it said any more.
                execute("DELETE FROM conversations WHERE agent = ?1", &[&record.id.as_str()])?;
            }
            Ok(())
        }
        Change::RemovePlugin(id) => execute("DELETE FROM plugins WHERE id = ?1", &[&id.as_str()]),
        Change::AddDirectory(path) => execute(
            "INSERT INTO directories (path) VALUES (?1) ON CONFLICT (path) DO NOTHING",
            &[&path.as_os_str().as_bytes()],
        ),
        Change::RemoveDirectory(path) => {
            execute("DELETE FROM directories WHERE path = ?1", &[&path.as_os_str().as_bytes()])
        }
    }
}

/// The records of `table`, which is a name of ours, and the rows that are none.
fn read<T: Kept>(connection: &Connection, table: &str) -> rusqlite::Result<(Vec<T>, Vec<Unreadable>)> {
    let (mut records, mut unreadable) = (Vec::new(), Vec::new());
    let sql = format!("SELECT position, id, record FROM {table} ORDER BY position");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let id = text(row, 1)?;
        match record(&id, row.get_ref(2)?) {
            Ok(record) => records.push(record),
            Err(reason) => unreadable.push(Unreadable { position: row.get(0)?, id, reason }),
        }
    }
    Ok((records, unreadable))
}

fn record<T: Kept>(id: &str, kept: ValueRef<'_>) -> Result<T, String> {
    let text = kept.as_bytes().map_err(|error| error.to_string())?;
    let record: T = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if record.id() == id { Ok(record) } else { Err(format!("it is a record of `{}`", record.id())) }
}

/// The text in a column, whatever its bytes.
fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    Ok(String::from_utf8_lossy(row.get_ref(column)?.as_bytes().unwrap_or_default()).into_owned())
}

/// Copies rows of `table`, which is a name of ours, and does `then` with each position.
fn set_aside(
    connection: &mut Connection,
    unreadable: &[Unreadable],
    then: &str,
    table: &str,
) -> rusqlite::Result<()> {
    let copy = format!(
        "INSERT INTO set_aside (id, record, reason) SELECT id, record, ?2 FROM {table} WHERE position = ?1"
    );
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for Unreadable { position, reason, .. } in unreadable {
        transaction.execute(&copy, (position, reason))?;
        transaction.execute(then, [position])?;
    }
    transaction.commit()
}

pub(crate) fn state_error(error: &rusqlite::Error) -> StateError {
    // The shared index of the log cannot grow on a full disk, and SQLite calls that an I/O error.
    let no_index = error.sqlite_error().is_some_and(|e| e.extended_code == ffi::SQLITE_IOERR_SHMSIZE);
    if no_index || error.sqlite_error_code() == Some(ErrorCode::DiskFull) {
        return StateError::StorageFull(error.to_string());
    }
    StateError::Failed(format!("the state file failed: {error}"))
}

#[cfg(test)]
mod tests;
