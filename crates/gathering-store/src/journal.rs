//! The journal of calls: rows are appended to a file, and drained from there into a SQLite table that can be queried.
//!
//! A row is one `write(2)` to the file, so it outlives this process however that ends. A thread drains the file in batches;
//! how far it has come is kept in the same transaction as the rows, so each row gets into the table once.

mod file;
mod query;
mod table;

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use gathering_core::{BoxFuture, CallFilter, CallPage, CallRow, Journal, JournalError};

use crate::open::OpenError;
use file::Writer;
use table::Table;

/// How long rows are gathered before they are drained together.
const GATHER: Duration = Duration::from_millis(100);
/// How often old rows are looked for while no calls are made, and what failed is tried again.
const IDLE: Duration = Duration::from_secs(60);
/// The most bytes that wait to be drained. Beyond that the table cannot be written, and rows would fill the disk.
const MAX_WAITING: u64 = 1 << 30;

/// How the journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalSettings {
    /// The most rows that are kept; older ones go. Default: 1,000,000.
    pub keep_rows: u64,
    /// How long rows are kept. Default: 30 days.
    pub keep_for: Duration,
    /// How many bytes of a call's arguments, as JSON, a row keeps. Default: 8 KiB.
    pub max_arguments: usize,
    /// What becomes of calls while no rows can be kept. Default: they are refused.
    pub on_failure: OnFailure,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            keep_rows: 1_000_000,
            keep_for: Duration::from_secs(30 * 24 * 3600),
            max_arguments: 8 << 10,
            on_failure: OnFailure::Refuse,
        }
    }
}

/// What becomes of calls while no rows can be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Nothing is run.
    Refuse,
    /// They run, and leave no rows.
    Continue,
}

/// Keeps the rows of calls in a folder. Dropping it drains what waits.
pub struct CallJournal {
    shared: Arc<Shared>,
    drainer: Option<JoinHandle<()>>,
}

struct Shared {
    settings: JournalSettings,
    writer: Mutex<Writer>,
    table: Mutex<Table>,
    /// Whether rows were kept that the thread has not seen.
    is_due: AtomicBool,
    /// Whether the thread is to end.
    end: Mutex<bool>,
    wake: Condvar,
    /// Whether the log has told that rows are missing.
    is_told: AtomicBool,
    /// Why the last attempt to drain failed.
    stuck: Mutex<Option<String>>,
    kept: tokio::sync::Notify,
}

impl CallJournal {
    /// Opens the journal in `folder`, which is made if it is not there, and drains what an earlier process left. One process
    /// at a time may have it open.
    pub fn open(folder: &Path, settings: JournalSettings) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Io { path: folder.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        let mut table = Table::open(folder)?;
        let writer = Writer::open(folder, table.position().segment).map_err(failed)?;
        // All before the file that was begun now.
        let left = table.drain(&writer.progress());
        let stuck = left.err().map(|error| error.to_string());
        if let Some(reason) = &stuck {
            tracing::error!(reason, "the rows that an earlier process left cannot be drained yet");
        }
        let shared = Arc::new(Shared {
            settings,
            writer: Mutex::new(writer),
            table: Mutex::new(table),
            is_due: AtomicBool::new(false),
            end: Mutex::new(false),
            wake: Condvar::new(),
            is_told: AtomicBool::new(false),
            stuck: Mutex::new(stuck),
            kept: tokio::sync::Notify::new(),
        });
        let of_thread = shared.clone();
        let drainer = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || of_thread.keep_draining())
            .map_err(failed)?;
        Ok(Self { shared, drainer: Some(drainer) })
    }

    /// The table, with all rows that were kept until now.
    fn up_to_date(&self) -> Result<MutexGuard<'_, Table>, JournalError> {
        let mut table = lock(&self.shared.table);
        let progress = lock(&self.shared.writer).progress();
        table.drain(&progress).map_err(failed)?;
        Ok(table)
    }
}

impl Journal for CallJournal {
    fn max_arguments(&self) -> usize {
        self.shared.settings.max_arguments
    }

    fn ready(&self) -> Result<(), JournalError> {
        let tried = lock(&self.shared.writer).mend();
        self.shared.judge(tried)
    }

    fn keep(&self, row: &CallRow<'_>) -> Result<(), JournalError> {
        thread_local! {
            static LINE: std::cell::RefCell<Vec<u8>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        let kept = LINE.with_borrow_mut(|line| {
            line.clear();
            serde_json::to_writer(&mut *line, row)?;
            line.push(b'\n');
            let kept = lock(&self.shared.writer).append(line);
            // What one large row took is not held for ever.
            line.shrink_to(64 << 10);
            kept
        });
        self.shared.wake();
        self.shared.judge(kept)
    }

    fn calls(&self, filter: &CallFilter) -> Result<CallPage, JournalError> {
        self.up_to_date()?.calls(filter).map_err(failed)
    }

    fn call(&self, call_id: &str) -> Result<Option<String>, JournalError> {
        self.up_to_date()?.call(call_id).map_err(failed)
    }

    fn next_kept(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.shared.kept.notified())
    }

    fn trouble(&self) -> Option<String> {
        let writing = lock(&self.shared.writer).trouble().map(str::to_owned);
        writing.or_else(|| lock(&self.shared.stuck).clone())
    }
}

impl Shared {
    /// What a failure means for the call.
    fn judge(&self, tried: io::Result<()>) -> Result<(), JournalError> {
        let Err(error) = tried else {
            // Written to only after a failure, so that calls on several processors do not wait for each other.
            if self.is_told.load(Ordering::Relaxed) {
                self.is_told.store(false, Ordering::Relaxed);
            }
            return Ok(());
        };
        if self.settings.on_failure == OnFailure::Refuse {
            return Err(JournalError(format!(
                "{error}; make room, or let calls run without rows: `journal.on_failure = \"continue\"`"
            )));
        }
        if !self.is_told.swap(true, Ordering::Relaxed) {
            tracing::error!(%error, "calls leave no rows in the journal");
        }
        Ok(())
    }

    /// Tells those who wait that there is a row.
    fn wake(&self) {
        if !self.is_due.load(Ordering::Relaxed) && !self.is_due.swap(true, Ordering::AcqRel) {
            let _end = lock(&self.end);
            self.wake.notify_one();
        }
        self.kept.notify_waiters();
    }

    fn keep_draining(&self) {
        loop {
            let mut end = lock(&self.end);
            if !*end && !self.is_due.load(Ordering::Acquire) {
                end = self.wake.wait_timeout(end, IDLE).unwrap_or_else(PoisonError::into_inner).0;
            }
            if !*end {
                end = self.wake.wait_timeout(end, GATHER).unwrap_or_else(PoisonError::into_inner).0;
            }
            let is_last = *end;
            drop(end);
            self.is_due.store(false, Ordering::Release);
            self.drain();
            if is_last {
                return;
            }
        }
    }

    fn drain(&self) {
        let mut table = lock(&self.table);
        let progress = lock(&self.writer).progress();
        let drained = table
            .drain(&progress)
            .and_then(|()| table.prune(self.settings.keep_rows, self.settings.keep_for));
        let waiting = table.waiting(&progress);
        drop(table);
        let mut stuck = lock(&self.stuck);
        let now = drained.err().map(|error| format!("the rows cannot be drained: {error}"));
        if let Some(reason) = now.as_deref().filter(|_| *stuck != now) {
            tracing::error!(reason, "rows of the journal wait in its file");
        }
        let is_too_much = now.is_some() && waiting > MAX_WAITING;
        lock(&self.writer).close(now.clone().filter(|_| is_too_much));
        *stuck = now;
    }
}

impl Drop for CallJournal {
    fn drop(&mut self) {
        *lock(&self.shared.end) = true;
        self.shared.wake.notify_all();
        if let Some(drainer) = self.drainer.take()
            && drainer.join().is_err()
        {
            tracing::error!("the thread that drains the journal had panicked");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: impl std::fmt::Display) -> JournalError {
    JournalError(format!("the journal cannot be read: {error}"))
}

/// The file of the segment numbered `number`.
fn segment(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("calls-{number:010}.jsonl"))
}
