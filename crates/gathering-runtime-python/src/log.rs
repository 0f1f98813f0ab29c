//! What a plugin prints: a file for each plugin, with a limit on its size and on each line.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use gathering_core::PluginSecrets;

/// The longest line that is kept, in bytes.
const MAX_LINE: usize = 8 << 10;

/// The log of one plugin, written to by all of its workers.
pub(crate) struct PluginLog {
    path: PathBuf,
    limit: u64,
    file: Mutex<Option<Open>>,
}

struct Open {
    file: File,
    size: u64,
}

impl PluginLog {
    /// Appends `bytes`. When the file is full it becomes `NAME.log.1`, in the place of the one before.
    ///
    /// A log that cannot be written is reported and otherwise does not matter: the plugin works on.
    pub(crate) fn append(&self, bytes: &[u8]) {
        let mut open = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = self.write(&mut open, bytes) {
            tracing::warn!(log = %self.path.display(), "a plugin's log could not be written: {error}");
            *open = None;
        }
    }

    fn write(&self, open: &mut Option<Open>, bytes: &[u8]) -> io::Result<()> {
        if open.as_ref().is_some_and(|open| open.size + bytes.len() as u64 > self.limit) {
            *open = None;
            fs::rename(&self.path, self.path.with_extension("log.1"))?;
        }
        if open.is_none() {
            if let Some(folder) = self.path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
            let size = file.metadata()?.len();
            *open = Some(Open { file, size });
        }
        let open = open.as_mut().expect("it was opened just now");
        open.file.write_all(bytes)?;
        open.size += bytes.len() as u64;
        Ok(())
    }
}

/// A log in which no secret of its plugin stands.
#[derive(Clone)]
pub(crate) struct Redacted {
    pub(crate) log: Arc<PluginLog>,
    pub(crate) secrets: Arc<PluginSecrets>,
}

impl Redacted {
    /// Appends whole lines.
    pub(crate) async fn append(&self, lines: Vec<u8>) {
        if lines.is_empty() {
            return;
        }
        let to = self.clone();
        let written = tokio::task::spawn_blocking(move || to.log.append(&to.secrets.redact_log(lines))).await;
        if let Err(panic) = written {
            tracing::warn!("a plugin's log was not written: {panic}");
        }
    }
}

/// The logs of all plugins, each open once.
pub(crate) struct Logs {
    folder: PathBuf,
    limit: u64,
    open: Mutex<HashMap<String, Weak<PluginLog>>>,
}

impl Logs {
    /// Logs in `folder`, of at most `limit` bytes each.
    pub(crate) fn new(folder: PathBuf, limit: u64) -> Self {
        Self { folder, limit, open: Mutex::default() }
    }

    /// Removes the log called `name` and the one before it, if they are there.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        for kind in ["log", "log.1"] {
            match fs::remove_file(self.folder.join(format!("{name}.{kind}"))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The log called `name`, which is a plugin's id.
    pub(crate) fn of(&self, name: &str) -> Arc<PluginLog> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, log| log.strong_count() > 0);
        if let Some(log) = open.get(name).and_then(Weak::upgrade) {
            return log;
        }
        let log = Arc::new(PluginLog { path: self.path(name), limit: self.limit, file: Mutex::default() });
        open.insert(name.to_owned(), Arc::downgrade(&log));
        log
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    /// The last lines of the log called `name`, at most `bytes` of them; empty if nothing was ever printed.
    pub(crate) fn tail(&self, name: &str, bytes: u64) -> io::Result<String> {
        let path = self.path(name);
        let mut text = read_tail(&path, bytes)?;
        let missing = bytes.saturating_sub(text.len() as u64);
        if missing > 0 {
            let mut older = read_tail(&path.with_extension("log.1"), missing)?;
            older.append(&mut text);
            text = older;
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The last whole lines of a file, at most `bytes` of them.
fn read_tail(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let start = file.metadata()?.len().saturating_sub(bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut text = Vec::new();
    file.take(bytes).read_to_end(&mut text)?;
    if start > 0 {
        let first_whole = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |end| end + 1);
        text.drain(..first_whole);
    }
    Ok(text)
}

/// Cuts what a process prints into lines of a limited length, each with its end.
#[derive(Default)]
pub(crate) struct Lines {
    line: Vec<u8>,
    cut: bool,
}

impl Lines {
    /// Takes the next bytes and gives the lines that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut complete = Vec::with_capacity(bytes.len());
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let room = MAX_LINE - self.line.len();
            self.cut |= text.len() > room;
            self.line.extend_from_slice(&text[..text.len().min(room)]);
            if ends {
                complete.append(&mut self.end());
            }
        }
        complete
    }

    /// The line that was begun, as a whole one; empty if none was.
    pub(crate) fn end(&mut self) -> Vec<u8> {
        let mut line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.cut) {
            line.extend_from_slice(b"... (cut)");
        }
        line.push(b'\n');
        line
    }

    /// Whether a line was begun.
    pub(crate) fn is_open(&self) -> bool {
        !self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_log_is_begun_anew_and_the_one_before_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = Logs::new(folder.path().to_owned(), 100);
        let log = logs.of("p");

        for number in 0..30 {
            log.append(format!("line {number:02}\n").as_bytes());
        }

        assert!(fs::metadata(folder.path().join("p.log")).expect("a log").len() <= 100);
        assert!(fs::metadata(folder.path().join("p.log.1")).expect("the log before").len() <= 100);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
        assert_eq!(logs.tail("p", 20).expect("a tail"), "line 28\nline 29\n");
        assert!(logs.tail("p", 120).expect("a tail").len() > 100);
        assert_eq!(logs.tail("unknown", 20).expect("nothing"), "");
    }

    #[test]
    fn a_line_without_end_is_cut_and_takes_no_more_memory() {
        let mut lines = Lines::default();

        for _ in 0..100 {
            assert!(lines.push(&[b'x'; 1000]).is_empty());
        }
        let line = lines.push(b"\nnext\n");

        assert_eq!(line.len(), MAX_LINE + "... (cut)\nnext\n".len());
        assert!(line.ends_with(b"x... (cut)\nnext\n"));
    }
}
