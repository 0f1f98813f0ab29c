//! What a process on its way to become the tool tells its launcher: that all is ready, or what failed.
//!
//! It is a pipe that the kernel closes when the program runs. So its end means success, if the last that was heard is
//! that all is ready.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use crate::wire::{Applied, Reply};
use crate::{Failure, Step};

/// The end of a process that sets up the confinement.
pub(super) struct Reporter(File);

#[derive(Serialize, Deserialize)]
enum Word {
    /// The next step is the program.
    Ready(Applied),
    Failed(Failure),
}

/// The launcher's end, and the reporter.
pub(super) fn pipe() -> io::Result<(OwnedFd, Reporter)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok((reader, Reporter(writer.into())))
}

impl Reporter {
    pub(super) fn ready(&mut self, applied: Applied) -> io::Result<()> {
        self.say(&Word::Ready(applied))
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        // Who cannot even say so is dead to the launcher, which will tell that nothing was heard.
        let _ = self.say(&Word::Failed(failure));
    }

    /// Keeps clear of the numbers below `lowest`, which the program's descriptors will take.
    pub(super) fn move_above(&mut self, lowest: i32) -> io::Result<()> {
        self.0 = rustix::io::fcntl_dupfd_cloexec(&self.0, lowest)?.into();
        Ok(())
    }

    /// Another end, for the child that will report in our stead; this one is closed.
    pub(super) fn take(&mut self) -> io::Result<Self> {
        let null = File::options().write(true).open("/dev/null")?;
        Ok(Self(std::mem::replace(&mut self.0, null)))
    }

    fn say(&mut self, word: &Word) -> io::Result<()> {
        let mut line = serde_json::to_vec(word)?;
        line.push(b'\n');
        self.0.write_all(&line)
    }
}

/// What all that was heard means.
pub(super) fn understand(heard: &[u8]) -> Reply {
    let last = heard.split(|byte| *byte == b'\n').rfind(|line| !line.is_empty());
    match last.map(serde_json::from_slice) {
        Some(Ok(Word::Ready(applied))) => Reply::Started(applied),
        Some(Ok(Word::Failed(failure))) => Reply::Failed(failure),
        Some(Err(error)) => {
            Reply::Failed(Failure::new(Step::Start, format!("unreadable report: {error}"), ""))
        }
        None => Reply::Failed(Failure::new(
            Step::Start,
            "the process that sets it up was killed",
            "look into the system's log whether memory ran out",
        )),
    }
}
