//! What the launcher does while the tool runs: it passes on how things went, and ends everything when it is time.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::report;
use crate::error::During;
use crate::wire::{self, Outcome, Reply};
use crate::{Failure, Step};

/// A tree of processes that the launcher is the parent of.
pub(super) trait Tree {
    /// Collects children that have ended; whether the tool is among them, or what stands for it.
    fn collect(&mut self) -> io::Result<bool>;
    /// Ends all that is left, and says how the tool ended.
    fn end(self) -> io::Result<Outcome>;
}

/// Watches over `tree` until it has ended, or the server wants it to or is gone, and sees to it that nothing is left.
/// `proxy` goes to the server as soon as the tool runs.
pub(super) fn supervise(
    socket: &UnixStream,
    signals: File,
    report: OwnedFd,
    proxy: Option<OwnedFd>,
    mut tree: impl Tree,
) -> Result<(), Failure> {
    let mut hearing = Hearing { report: report.into(), heard: Vec::new(), started: None, proxy };
    let watched = watch(socket, signals, &mut hearing, &mut tree);
    let ended = tree.end();
    watched.during(Step::Start, "watching over the tool")?;
    let outcome = ended.during(Step::Start, "ending the tool")?;
    // All who could report are dead now, so what is left to hear ends.
    while hearing.started.is_none() {
        hearing.listen(socket).during(Step::Start, "hearing how it went")?;
    }
    if hearing.started == Some(true) {
        // A server that is gone needs no answer.
        let _ = wire::send(socket, &Reply::Ended(outcome), &[]);
    }
    Ok(())
}

fn watch(
    socket: &UnixStream,
    mut signals: File,
    hearing: &mut Hearing,
    tree: &mut impl Tree,
) -> io::Result<()> {
    loop {
        let mut descriptors = vec![PollFd::new(socket, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
        if hearing.started.is_none() {
            descriptors.push(PollFd::new(&hearing.report, PollFlags::IN));
        }
        match poll(&mut descriptors, None) {
            Err(Errno::INTR) => continue,
            done => done?,
        };
        let ready = |index: usize| descriptors.get(index).is_some_and(|one| !one.revents().is_empty());
        let (word_of_server, child_ended, word_of_child) = (ready(0), ready(1), ready(2));
        if word_of_child {
            hearing.listen(socket)?;
        }
        // The server never speaks a second time: this is the end of what it says, or of it.
        if word_of_server {
            return Ok(());
        }
        if child_ended {
            // One read takes what has come; the loop does not depend on how much that was.
            let _ = signals.read(&mut [0; 512])?;
            if tree.collect()? {
                return Ok(());
            }
        }
    }
}

/// What the process that sets up the confinement says, passed on to the server when it has said all.
struct Hearing {
    report: File,
    heard: Vec<u8>,
    /// Whether the program was started, once that is known.
    started: Option<bool>,
    /// What the server gets with the news that it was.
    proxy: Option<OwnedFd>,
}

impl Hearing {
    fn listen(&mut self, socket: &UnixStream) -> io::Result<()> {
        let mut part = [0; 4096];
        let length = self.report.read(&mut part)?;
        self.heard.extend_from_slice(&part[..length]);
        if length == 0 {
            let reply = report::understand(&self.heard);
            self.started = Some(matches!(reply, Reply::Started(_)));
            let proxy = self.proxy.take().filter(|_| self.started == Some(true));
            let with: Vec<_> = proxy.iter().map(AsFd::as_fd).collect();
            // If the server is gone, the end of its socket says so next.
            let _ = wire::send(socket, &reply, &with);
        }
        Ok(())
    }
}
