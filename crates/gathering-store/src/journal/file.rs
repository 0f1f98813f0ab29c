//! The file that rows are appended to, in segments.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::segment;

/// How large a segment grows before the next is begun. A drained one is removed.
const MAX_SEGMENT: u64 = 16 << 20;

/// Appends rows.
pub(super) struct Writer {
    folder: PathBuf,
    file: File,
    number: u64,
    /// What of the segment holds whole rows.
    length: u64,
    trouble: Option<String>,
    /// Why nothing is to be written until it is opened again.
    closed: Option<String>,
}

/// How far rows were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) segment: u64,
    pub(super) length: u64,
}

impl Writer {
    /// Begins a segment of its own, after all that are there and after the one numbered `drained`: nothing is appended to
    /// what another process may have left half written.
    pub(super) fn open(folder: &Path, drained: u64) -> io::Result<Self> {
        let mut last = drained;
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let number = name
                .to_str()
                .and_then(|name| name.strip_prefix("calls-")?.strip_suffix(".jsonl")?.parse::<u64>().ok());
            last = last.max(number.unwrap_or(0));
        }
        let number = last + 1;
        let file = begin(folder, number)?;
        Ok(Self { folder: folder.to_owned(), file, number, length: 0, trouble: None, closed: None })
    }

    pub(super) fn progress(&self) -> Progress {
        Progress { segment: self.number, length: self.length }
    }

    /// Why the last row could not be written, if so.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.closed.as_deref().or(self.trouble.as_deref())
    }

    /// Takes no rows for this reason, or takes them again.
    pub(super) fn close(&mut self, reason: Option<String>) {
        self.closed = reason;
    }

    /// Appends a line, which ends with its newline.
    pub(super) fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let written = self.try_append(line);
        self.trouble = written.as_ref().err().map(|error| format!("a row cannot be written: {error}"));
        written.map_err(|error| self.named(&error))
    }

    /// After a failure, tries whether rows can be written again.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        match (&self.closed, &self.trouble) {
            (None, None) => Ok(()),
            (Some(reason), _) => Err(io::Error::other(reason.clone())),
            // Empty lines are no rows, and a row has a length that is not known yet.
            (None, Some(_)) => self.append(&[b'\n'; 16 << 10]),
        }
    }

    fn try_append(&mut self, line: &[u8]) -> io::Result<()> {
        if let Some(reason) = &self.closed {
            return Err(io::Error::other(reason.clone()));
        }
        if self.length >= MAX_SEGMENT {
            self.file = begin(&self.folder, self.number + 1)?;
            self.number += 1;
            self.length = 0;
        }
        match self.file.write_all(line) {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                // Part of it may be there; the next row begins where it did. If that fails too, a new segment is begun.
                if self.file.set_len(self.length).is_err() {
                    self.length = MAX_SEGMENT.max(self.length);
                }
                Err(error)
            }
        }
    }

    fn named(&self, error: &io::Error) -> io::Error {
        let place = segment(&self.folder, self.number);
        io::Error::new(error.kind(), format!("`{}` cannot be written: {error}", place.display()))
    }
}

fn begin(folder: &Path, number: u64) -> io::Result<File> {
    OpenOptions::new().append(true).create_new(true).mode(0o600).open(segment(folder, number))
}
