//! The formats of our files: their tables, and how a file of an older format becomes one of this.

use gathering_core::VERSION;
use rusqlite::{Connection, Result, TransactionBehavior};

/// What a file of ours looks like.
pub(crate) struct Format {
    /// Tells it from the files of other programs (`PRAGMA application_id`).
    pub(crate) application_id: i32,
    /// Each turns the format before it into the next; the first begins with an empty file. What is released here is never
    /// changed, only added to.
    ///
    /// The table `writer` stays as it is in every later format: an older GatheRing reads from it whose file it has met.
    pub(crate) migrations: &'static [&'static str],
    /// Whether the whole file is looked through when it is opened: it takes a second for each gigabyte.
    pub(crate) is_checked: bool,
}

/// The file of the state: `Gath` in ASCII.
pub(crate) const STATE: Format =
    Format { application_id: 0x4761_7468, migrations: STATE_MIGRATIONS, is_checked: true };

const STATE_MIGRATIONS: &[&str] = &["
    CREATE TABLE writer (version TEXT NOT NULL) STRICT;
    CREATE TABLE plugins (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        record TEXT NOT NULL
    ) STRICT;
    CREATE TABLE directories (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        path BLOB NOT NULL UNIQUE
    ) STRICT;
    -- `ANY` keeps whatever was found, a text that is no UTF-8 as well.
    CREATE TABLE set_aside (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id ANY NOT NULL,
        record ANY NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;
", "
    -- Until then permissions could be anything and meant nothing; a plugin says them again when it is described next.
    UPDATE plugins SET record = json_remove(record, '$.manifest.metadata.permissions') WHERE json_valid(record);
", "
    CREATE TABLE agents (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        record TEXT NOT NULL
    ) STRICT;
", "
    CREATE TABLE conversations (
        id TEXT NOT NULL PRIMARY KEY,
        agent TEXT NOT NULL,
        updated_ms INTEGER NOT NULL,
        record TEXT NOT NULL
    ) STRICT;
    CREATE INDEX conversations_of_agents ON conversations (agent, updated_ms);
    CREATE TABLE messages (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        conversation TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
        message TEXT NOT NULL
    ) STRICT;
    CREATE INDEX messages_of_conversations ON messages (conversation, position);
"];

impl Format {
    /// The number of the format that this version writes (`PRAGMA user_version`).
    pub(crate) fn number(&self) -> i64 {
        self.migrations.len() as i64
    }

    /// Brings the file up to date, each step in one transaction of its own.
    pub(crate) fn migrate(&self, connection: &mut Connection) -> Result<()> {
        while of(connection)? < self.number() {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Read again inside the transaction: another process may have been faster.
            let format = of(&transaction)?;
            let Some(migration) = usize::try_from(format).ok().and_then(|at| self.migrations.get(at)) else {
                break;
            };
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", format + 1)?;
            transaction.execute("DELETE FROM writer", ())?;
            transaction.execute("INSERT INTO writer VALUES (?1)", [VERSION])?;
            transaction.commit()?;
        }
        Ok(())
    }
}

/// The format of the file; 0 of an empty one.
pub(crate) fn of(connection: &Connection) -> Result<i64> {
    connection.query_row("PRAGMA user_version", (), |row| row.get(0))
}
