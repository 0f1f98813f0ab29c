//! A confined program that runs, and how it ended.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::cgroup::{self, Group};
use crate::disk::Disk;
use crate::protect::Shields;
use crate::wire::{self, Applied, Outcome, Reply};
use crate::{Limits, Policy};

/// A confined program that runs. Dropping it ends its whole tree.
///
/// Its descriptor ([`AsFd`]) becomes readable when the program and everything that it ever started are gone.
#[derive(Debug)]
pub struct Child {
    /// Its standard input, if that was to be a pipe.
    pub stdin: Option<File>,
    /// Its standard output, if that was to be a pipe.
    pub stdout: Option<File>,
    /// Its standard error, if that was to be a pipe.
    pub stderr: Option<File>,
    /// Where it looks for a proxy, if the policy grants it one: whoever accepts here is the proxy.
    pub proxy: Option<TcpListener>,
    pid: Pid,
    pidfd: OwnedFd,
    socket: UnixStream,
    applied: Option<Applied>,
    limits: Limits,
    state: Mutex<State>,
    disk: Mutex<Disk>,
    /// What the kernel holds the tree with, where it can. The launcher is in it too.
    group: Option<Group>,
    /// Lowered, when nothing of the tree is left, by dropping them.
    _shields: Shields,
}

#[derive(Debug)]
struct State {
    /// Why we ended it. The first reason holds.
    reason: Option<Ended>,
    exit: Option<Exit>,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Why.
    pub ended: Ended,
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// Processor time of the program and of all children that were waited for.
    pub cpu: Duration,
    /// What could not be put in order afterwards, such as a temporary folder that could not be removed.
    pub leftover: Option<String>,
}

/// Why a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// By itself, well or badly: see the code.
    Exited,
    /// By a signal that it sent itself or that the kernel sent it for a fault.
    Signalled,
    /// It was killed at our demand.
    Killed,
    /// One of its processes used up its processor time.
    CpuLimit,
    /// A file would have become too large.
    FileSizeLimit,
    /// Its tree used too much memory.
    MemoryLimit,
    /// Its tree had too many processes.
    ProcessLimit,
    /// Its tree put too much on disk.
    DiskLimit,
    /// The launcher that watched over it was lost.
    LauncherLost,
}

/// How long the launcher may take to end a tree. Ending takes milliseconds; a launcher that takes longer is killed,
/// and what is in its namespaces with it.
const PATIENCE: Duration = Duration::from_secs(5);

impl Child {
    pub(crate) fn new(
        pid: Pid,
        pidfd: OwnedFd,
        socket: UnixStream,
        (stdin, stdout, stderr): (Option<OwnedFd>, Option<OwnedFd>, Option<OwnedFd>),
        policy: &Policy,
        shields: Shields,
    ) -> Self {
        Self {
            stdin: stdin.map(File::from),
            stdout: stdout.map(File::from),
            stderr: stderr.map(File::from),
            proxy: None,
            pid,
            pidfd,
            socket,
            applied: None,
            limits: policy.limits.clone(),
            state: Mutex::new(State { reason: None, exit: None }),
            disk: Mutex::new(Disk::watch(policy)),
            group: None,
            _shields: shields,
        }
    }

    /// Puts it into a cgroup of its own, if there can be one. Else `watch` alone holds it, as [`Applied`] will say.
    pub(crate) fn group_up(&mut self, policy: &Policy) {
        let group = cgroup::base().and_then(|base| base.group(policy).ok());
        self.group = group.filter(|group| group.adopt(self.pid).is_ok());
    }

    /// Puts all that is in its tree into its cgroup, if it has one.
    pub(crate) fn group_all(&self) -> io::Result<()> {
        let Some(group) = &self.group else { return Ok(()) };
        self.tree()?.iter().try_for_each(|process| group.adopt(process.pid))
    }

    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.group.as_ref().is_some_and(Group::ran_out_of_memory)
    }

    pub(crate) fn started(&mut self, applied: Applied, proxy: Option<OwnedFd>) {
        if let Some(folder) = &applied.private {
            self.disk().add_own(folder);
        }
        self.applied = Some(Applied { cgroup: self.group.is_some(), ..applied });
        self.proxy = proxy.map(TcpListener::from);
    }

    pub(crate) fn socket(&self) -> &UnixStream {
        &self.socket
    }

    /// How it is confined.
    pub fn applied(&self) -> &Applied {
        self.applied.as_ref().expect("`spawn` returns a child only after it was started")
    }

    /// The process id of its launcher, which is the parent of the tree.
    pub fn launcher(&self) -> Pid {
        self.pid
    }

    /// Waits until nothing of it is left.
    pub fn wait(&self) -> io::Result<Exit> {
        self.poll(None)?;
        self.collect()
    }

    /// Waits, at most `limit`, until nothing of it is left; `None` if it still runs.
    pub fn wait_timeout(&self, limit: Duration) -> io::Result<Option<Exit>> {
        if self.poll(Some(limit))? { self.collect().map(Some) } else { Ok(None) }
    }

    /// Ends it and everything that it started, and waits until nothing is left.
    pub fn kill(&self) -> io::Result<Exit> {
        self.end(Ended::Killed)?;
        if let Some(exit) = self.wait_timeout(PATIENCE)? {
            return Ok(exit);
        }
        pidfd_send_signal(&self.pidfd, Signal::KILL)?;
        self.wait()
    }

    /// Begins to end it and everything that it started, for a `reason` that its [`Exit`] will give; does not wait.
    pub fn end(&self, reason: Ended) -> io::Result<()> {
        let mut state = self.state();
        if state.exit.is_none() && state.reason.is_none() {
            state.reason = Some(reason);
            // The launcher takes the end of what we say as the word to end all.
            match self.socket.shutdown(std::net::Shutdown::Write) {
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                done => done?,
            }
        }
        Ok(())
    }

    fn poll(&self, limit: Option<Duration>) -> io::Result<bool> {
        let until = limit.map(|limit| Instant::now() + limit);
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let left = left.map(|left| left.try_into()).transpose().map_err(io::Error::other)?;
            match poll(&mut [PollFd::new(&self.pidfd, PollFlags::IN)], left.as_ref()) {
                Err(rustix::io::Errno::INTR) => {}
                done => return Ok(done? > 0),
            }
        }
    }

    /// The launcher has ended: says how the program did.
    fn collect(&self) -> io::Result<Exit> {
        let mut state = self.state();
        if let Some(exit) = &state.exit {
            return Ok(exit.clone());
        }
        // If the launcher was lost, it could not see to that.
        self.group.as_ref().map(Group::kill).transpose()?;
        // What the launcher said is in the socket's buffer; what is not there will never come.
        self.socket.set_nonblocking(true)?;
        let exit = match wire::receive(&self.socket) {
            Ok(Some((Reply::Ended(outcome), _))) => self.judge(state.reason, outcome),
            _ => Exit {
                ended: Ended::LauncherLost,
                code: None,
                signal: None,
                cpu: Duration::ZERO,
                leftover: None,
            },
        };
        state.exit = Some(exit.clone());
        Ok(exit)
    }

    fn judge(&self, reason: Option<Ended>, outcome: Outcome) -> Exit {
        let cpu = Duration::from_millis(outcome.cpu_ms);
        let Outcome { code, signal, leftover, .. } = outcome;
        // A shell reports a signal that ended its child as an exit code: 128 and the signal's number.
        let stopped_by = signal.or(code.filter(|code| *code > 128).map(|code| code - 128));
        let ended = match (reason, stopped_by) {
            (Some(reason), _) => reason,
            (None, _) if self.ran_out_of_memory() => Ended::MemoryLimit,
            (None, Some(libc::SIGXCPU)) => Ended::CpuLimit,
            (None, Some(libc::SIGXFSZ)) => Ended::FileSizeLimit,
            // Who blocks SIGXCPU is killed a second later.
            (None, Some(libc::SIGKILL)) if cpu.as_secs() >= self.limits.cpu_seconds => Ended::CpuLimit,
            _ if signal.is_some() => Ended::Signalled,
            _ => Ended::Exited,
        };
        Exit { ended, code, signal, cpu, leftover }
    }

    pub(crate) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The end of the socket, at the latest, ends the tree; there is nobody left to tell of an error.
        let _ = self.kill();
    }
}

impl Exit {
    /// Whether it exited by itself with code 0.
    pub fn success(&self) -> bool {
        self.ended == Ended::Exited && self.code == Some(0)
    }
}
