//! The table of the journal: filled from the segments, pruned, queried.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, Transaction, params};
use serde::Deserialize;

use super::file::Progress;
use super::segment;
use crate::format::Format;
use crate::open::{OpenError, open};

/// How much of a segment is drained in one transaction.
const BATCH: usize = 4 << 20;
/// How many old rows are removed at once.
const PRUNED: u64 = 20_000;

/// The file of the journal: `GJrn` in ASCII.
const JOURNAL: Format = Format { application_id: 0x474a_726e, migrations: MIGRATIONS, is_checked: false };

const MIGRATIONS: &[&str] = &["
    CREATE TABLE writer (version TEXT NOT NULL) STRICT;
    CREATE TABLE calls (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        call_id TEXT NOT NULL,
        trace_id TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        caller TEXT NOT NULL,
        tool TEXT NOT NULL,
        plugin_id TEXT,
        decision TEXT NOT NULL,
        code TEXT,
        row TEXT NOT NULL
    ) STRICT;
    CREATE INDEX calls_by_id ON calls (call_id);
    CREATE INDEX calls_by_trace ON calls (trace_id);
    CREATE INDEX calls_by_caller ON calls (caller);
    CREATE INDEX calls_by_tool ON calls (tool);
    -- Up to where the segments were drained.
    CREATE TABLE position (segment INTEGER NOT NULL, offset INTEGER NOT NULL) STRICT;
    INSERT INTO position VALUES (0, 0);
"];

/// Why rows cannot be drained or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum TableError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Io(#[from] io::Error),
}

pub(super) struct Table {
    pub(super) connection: Connection,
    folder: PathBuf,
    position: Position,
    batch: Vec<u8>,
}

/// Up to where the segments were drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) segment: u64,
    offset: u64,
}

/// What of a row has a column of its own.
#[derive(Deserialize)]
struct Columns<'a> {
    #[serde(borrow)]
    call_id: Cow<'a, str>,
    #[serde(borrow)]
    trace_id: Cow<'a, str>,
    at_ms: i64,
    #[serde(borrow)]
    caller: Cow<'a, str>,
    #[serde(borrow)]
    tool: Cow<'a, str>,
    #[serde(borrow, default)]
    plugin_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    decision: Cow<'a, str>,
    #[serde(borrow, default)]
    code: Option<Cow<'a, str>>,
}

impl Table {
    pub(super) fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join("calls.db");
        let connection = open(&path, &JOURNAL)?;
        let failed =
            |error: rusqlite::Error| OpenError::Sqlite { path: path.clone(), reason: error.to_string() };
        // The rows are in the segments until they are here for good: a segment is removed only after a checkpoint.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(&failed)?;
        let position = connection
            .query_row("SELECT segment, offset FROM position", (), |row| {
                Ok(Position { segment: unsigned(row.get(0)?), offset: unsigned(row.get(1)?) })
            })
            .map_err(&failed)?;
        Ok(Self { connection, folder: folder.to_owned(), position, batch: Vec::new() })
    }

    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// How many bytes wait to be drained, about.
    pub(super) fn waiting(&self, progress: &Progress) -> u64 {
        (self.position.segment..=progress.segment)
            .filter_map(|number| fs::metadata(segment(&self.folder, number)).ok())
            .map(|metadata| metadata.len())
            .sum::<u64>()
            .saturating_sub(self.position.offset)
    }

    /// Takes every row into the table that was written until `progress`.
    pub(super) fn drain(&mut self, progress: &Progress) -> Result<(), TableError> {
        while self.position.segment < progress.segment {
            self.drain_segment(None)?;
            let done = self.position.segment;
            self.advance(Position { segment: done + 1, offset: 0 })?;
            let place = segment(&self.folder, done);
            if place.exists() {
                // The rows are on the disk before the file that had them goes.
                self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()))?;
                fs::remove_file(place)?;
            }
        }
        self.drain_segment(Some(progress.length))
    }

    /// Takes the rows of the segment where it stands, up to `end`; without one the segment has ended, and what comes after
    /// its last newline was never acknowledged.
    fn drain_segment(&mut self, end: Option<u64>) -> Result<(), TableError> {
        if end.is_some_and(|end| end <= self.position.offset) {
            return Ok(());
        }
        let place = segment(&self.folder, self.position.segment);
        let mut file = match File::open(&place) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && end.is_none() => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let end = match end {
            Some(end) => end,
            None => file.metadata()?.len(),
        };
        let mut most = BATCH;
        while self.position.offset < end {
            file.seek(SeekFrom::Start(self.position.offset))?;
            let mut batch = std::mem::take(&mut self.batch);
            batch.clear();
            (&mut file).take((end - self.position.offset).min(most as u64)).read_to_end(&mut batch)?;
            let whole = batch.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let at_end = self.position.offset + batch.len() as u64 >= end;
            let taken = self.take(&batch[..whole]);
            self.batch = batch;
            taken?;
            if whole == 0 && at_end {
                let bytes = end - self.position.offset;
                tracing::warn!(file = %place.display(), bytes, "the last row was not written to its end, and is dropped");
                return Ok(());
            }
            // A row that is larger than a batch.
            most = if whole == 0 { most * 2 } else { BATCH };
        }
        Ok(())
    }

    /// Takes whole lines, and moves on behind them, both or neither.
    fn take(&mut self, lines: &[u8]) -> Result<(), TableError> {
        if lines.is_empty() {
            return Ok(());
        }
        let next = Position { offset: self.position.offset + lines.len() as u64, ..self.position };
        let transaction = self.connection.transaction()?;
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            insert(&transaction, line)?;
        }
        save(&transaction, next)?;
        transaction.commit()?;
        self.position = next;
        Ok(())
    }

    fn advance(&mut self, to: Position) -> Result<(), TableError> {
        let transaction = self.connection.transaction()?;
        save(&transaction, to)?;
        transaction.commit()?;
        self.position = to;
        Ok(())
    }

    /// Removes rows beyond the newest `rows`, and those that are older than `age`; some of them at a time.
    pub(super) fn prune(&self, rows: u64, age: Duration) -> Result<(), TableError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let since = i64::try_from(now.saturating_sub(age).as_millis()).unwrap_or(0);
        let ends = "SELECT min(sequence), max(sequence), (SELECT at_ms FROM calls ORDER BY sequence LIMIT 1) FROM calls";
        let (oldest, newest, at_ms): (Option<i64>, Option<i64>, Option<i64>) = self
            .connection
            .prepare_cached(ends)?
            .query_row((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let (Some(oldest), Some(newest), Some(at_ms)) = (oldest, newest, at_ms) else { return Ok(()) };
        let first = newest.saturating_sub_unsigned(rows) + 1;
        if oldest >= first && at_ms >= since {
            return Ok(());
        }
        // Rows are in the order of their ends, which is nearly that of their times: the oldest tells.
        self.connection
            .prepare_cached(
                "DELETE FROM calls WHERE sequence IN (SELECT sequence FROM (
                     SELECT sequence, at_ms FROM calls ORDER BY sequence LIMIT ?1
                 ) WHERE sequence < ?2 OR at_ms < ?3)",
            )?
            .execute(params![PRUNED as i64, first, since])?;
        Ok(())
    }
}

fn insert(transaction: &Transaction<'_>, line: &[u8]) -> Result<(), TableError> {
    let parsed = std::str::from_utf8(line).map_err(|error| error.to_string()).and_then(|row| {
        Ok((row, serde_json::from_str::<Columns<'_>>(row).map_err(|error| error.to_string())?))
    });
    let (row, columns) = match parsed {
        Ok(parsed) => parsed,
        Err(reason) => {
            tracing::warn!(reason, bytes = line.len(), "a line of the journal is no row, and is dropped");
            return Ok(());
        }
    };
    transaction
        .prepare_cached(
            "INSERT INTO calls (call_id, trace_id, at_ms, caller, tool, plugin_id, decision, code, row)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            columns.call_id,
            columns.trace_id,
            columns.at_ms,
            columns.caller,
            columns.tool,
            columns.plugin_id,
            columns.decision,
            columns.code,
            row
        ])?;
    Ok(())
}

fn save(transaction: &Transaction<'_>, position: Position) -> Result<(), TableError> {
    transaction
        .prepare_cached("UPDATE position SET segment = ?1, offset = ?2")?
        .execute(params![position.segment as i64, position.offset as i64])?;
    Ok(())
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
