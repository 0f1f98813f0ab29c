//! Watches over a command: keeps what it prints, and stops it when its time is over or nobody waits for it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use gathering_sandbox::{Ended, Exit};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use super::program::Program;
use crate::Cancel;

/// How often it is looked at what a command uses, and whether anybody waits for it.
const LOOK: Duration = Duration::from_millis(100);
/// The most that a pipe holds, unless the system was told otherwise (`/proc/sys/fs/pipe-max-size`).
const MAX_PIPE: usize = 1 << 20;

/// How it came to an end.
pub(super) enum Ending {
    /// By itself, or at one of its limits.
    Ended(Exit),
    /// At the end of its time.
    TimedOut,
    /// Because nobody waits for it.
    Cancelled,
}

/// The beginning of what a stream gave, and how much that was in all.
pub(super) struct Kept {
    pub(super) bytes: Vec<u8>,
    pub(super) total: u64,
    most: usize,
}

impl Kept {
    fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), total: 0, most }
    }

    fn add(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        let room = self.most - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.total > self.bytes.len() as u64
    }

    /// As text; what is no UTF-8 is replaced, and a character that was cut off at the end is left out.
    pub(super) fn text(&self) -> String {
        let cut = match std::str::from_utf8(&self.bytes) {
            Err(error) if error.error_len().is_none() && self.is_truncated() => error.valid_up_to(),
            _ => self.bytes.len(),
        };
        String::from_utf8_lossy(&self.bytes[..cut]).into_owned()
    }
}

/// What it printed: its output, and its errors.
pub(super) struct Printed {
    pub(super) out: Kept,
    pub(super) err: Kept,
}

/// Waits until nothing of the command is left. Keeps at most `most` bytes of each stream and counts the others, so that
/// neither stream ever stops it or the other one.
pub(super) fn attend(
    program: &mut Program,
    until: Instant,
    most: usize,
    cancel: &Cancel,
) -> io::Result<(Ending, Printed)> {
    let [mut out, mut err] = program.take_streams().map(Some);
    for stream in [&out, &err].into_iter().flatten() {
        fcntl_setfl(stream, fcntl_getfl(stream)? | OFlags::NONBLOCK)?;
    }
    let mut printed = Printed { out: Kept::new(most), err: Kept::new(most) };
    let mut buffer = vec![0; 64 << 10];
    let mut stopped = None;
    let mut next_look = Instant::now() + LOOK;
    loop {
        let now = Instant::now();
        if stopped.is_none() {
            if cancel.is_cancelled() {
                stopped = Some(Ending::Cancelled);
            } else if now >= until {
                stopped = Some(Ending::TimedOut);
            }
            if stopped.is_some() {
                program.end(Ended::Killed)?;
            } else if now >= next_look {
                program.hold_to_its_budget()?;
                next_look = Instant::now() + LOOK;
            }
        }
        let wait = next_look.min(until).saturating_duration_since(now);
        let wait = if stopped.is_some() { LOOK } else { wait };
        if wait_for(program, [&out, &err], wait)? {
            break;
        }
        read_some(&mut out, &mut printed.out, &mut buffer)?;
        read_some(&mut err, &mut printed.err, &mut buffer)?;
    }
    // It is gone, and what it printed last is in the pipes. Not until their end: whoever left an unconfined command's
    // group may hold them open and print for ever.
    let exit = program.wait()?;
    for (stream, kept) in [(&mut out, &mut printed.out), (&mut err, &mut printed.err)] {
        let enough = kept.total + MAX_PIPE as u64;
        while kept.total < enough && read_some(stream, kept, &mut buffer)? {}
    }
    Ok((stopped.unwrap_or(Ending::Ended(exit)), printed))
}

/// Waits until a stream has something, or `limit` is over. Whether the program is gone.
fn wait_for(program: &Program, streams: [&Option<File>; 2], limit: Duration) -> io::Result<bool> {
    let gone = program.as_fd();
    let mut polled = vec![PollFd::new(&gone, PollFlags::IN)];
    polled.extend(streams.into_iter().flatten().map(|stream| PollFd::new(stream, PollFlags::IN)));
    let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
    match poll(&mut polled, Some(&limit)) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        polled_some => {
            polled_some?;
            Ok(!polled[0].revents().is_empty())
        }
    }
}

/// Reads what is there, at most one buffer. Whether anything was; a stream that is at its end is closed.
fn read_some(stream: &mut Option<File>, kept: &mut Kept, buffer: &mut [u8]) -> io::Result<bool> {
    let Some(open) = stream else { return Ok(false) };
    match open.read(buffer) {
        Ok(0) => *stream = None,
        Ok(length) => {
            kept.add(&buffer[..length]);
            return Ok(true);
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error) => return Err(error),
    }
    Ok(false)
}
