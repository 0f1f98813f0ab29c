//! The launchers that others are forked from: one for each program, started when it is first needed.
//!
//! It is the kernel's state of this process, as its children are, and so there is one table of them for the process: a
//! handle that had to be passed to everybody who starts a program would say nothing that the program's path does not.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::wire::{self, Order};
use crate::{cgroup, launcher};

static PARENTS: Mutex<BTreeMap<PathBuf, Parent>> = Mutex::new(BTreeMap::new());

/// A launcher that forks others. It ends with the socket, and so at the latest with this process.
struct Parent {
    socket: UnixStream,
    process: Child,
}

/// Has a launcher forked that is given these descriptors: its socket, and the standard output and error of what it will
/// start.
///
/// If the parent ended just now, nobody may take them: the end of the socket says so, and whoever finds that asks again.
pub(crate) fn fork(program: &Path, descriptors: [BorrowedFd<'_>; 3]) -> io::Result<()> {
    let mut parents = PARENTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(parent) = parents.get_mut(program) {
        let lives = parent.process.try_wait()?.is_none();
        if lives && wire::send(&parent.socket, &Order::Fork, &descriptors).is_ok() {
            return Ok(());
        }
        parents.remove(program);
    }
    let parent = Parent::start(program)?;
    match wire::send(&parent.socket, &Order::Fork, &descriptors) {
        // It ended at once, as a program does that is no launcher.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        sent => sent?,
    }
    parents.insert(program.to_owned(), parent);
    Ok(())
}

impl Parent {
    fn start(program: &Path) -> io::Result<Self> {
        let (socket, process) = start(program, Stdio::null)?;
        Ok(Self { socket, process })
    }
}

/// Starts a launcher, whose standard output and error `output` makes, and gives our end of its socket. The launcher has the
/// only other one, so that our end tells when it ends.
pub(crate) fn start(program: &Path, output: fn() -> Stdio) -> io::Result<(UnixStream, Child)> {
    // Whether this process is alone in its cgroup is to be known before it is not.
    let _ = cgroup::base();
    let (socket, theirs) = UnixStream::pair()?;
    // A command keeps what it gives its child for as long as it lives itself: it goes when this returns.
    let process = Command::new(program)
        .arg(launcher::ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(output())
        .stderr(output())
        .spawn()?;
    Ok((socket, process))
}

impl Drop for Parent {
    fn drop(&mut self) {
        // It may have ended by itself; it is collected in any case.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
