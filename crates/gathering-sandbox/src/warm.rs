//! A warm parent: a program that waits, ready to run, and of which each new worker is a child.

use std::ffi::OsString;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::wire::{self, Launch, Order, Reply, Role};
use crate::{Policy, SetupError, Tier, parents};

/// How long it may take to become warm: it starts an interpreter and imports some modules.
const START: Duration = Duration::from_secs(20);
/// What is told of a program's last words.
const MAX_WORDS: u64 = 2048;

/// A program that has run nothing of a plugin's and that forks a child at each [`WarmParent::newborn`]. The child joins
/// the namespaces of a [`Job`](crate::Job) and is confined by it before it does anything else, so that it starts as
/// fast as a fork.
///
/// The program speaks the messages of this crate: it says `"Warm"` on its standard input, a socket, when it is ready,
/// and forks for each message that comes, of which the one descriptor is the child's own socket.
#[derive(Debug)]
pub struct WarmParent {
    socket: Mutex<UnixStream>,
    process: Mutex<Child>,
}

/// A child of a [`WarmParent`] that waits for the confinement that it is to join.
#[derive(Debug)]
pub struct Newborn(pub(crate) OwnedFd);

impl WarmParent {
    /// Starts `program` with `args`; returns when it is warm.
    ///
    /// `read` is what it has to see of the files, beside the system's programs and libraries; `user` who it runs as if
    /// the server is root.
    pub fn start(
        launcher: &Path,
        program: PathBuf,
        args: Vec<OsString>,
        read: Vec<PathBuf>,
        user: crate::ToolUser,
    ) -> Result<Self, SetupError> {
        let policy = Policy { read, user, ..Policy::default() };
        policy.check()?;
        let started = |source| SetupError::Launcher { path: launcher.to_owned(), source };
        // What a program finds out about its streams when it starts, such as that they are pipes, has to hold for its
        // children, whose streams are others.
        let (socket, mut process) = parents::start(launcher, Stdio::piped).map_err(started)?;
        let errors = process.stderr.take();
        let parent = Self { socket: Mutex::new(socket), process: Mutex::new(process) };
        let launch = Launch {
            role: Role::WarmParent,
            tier: Tier::Isolated,
            policy,
            shields: Vec::new(),
            program,
            args,
        };
        match parent.begin(launch) {
            Ok(Some(Reply::Warm)) => Ok(parent),
            Ok(Some(Reply::Failed(failure))) => Err(SetupError::Step(failure)),
            Ok(_) => {
                drop(parent);
                let mut words = String::new();
                let read = errors.map(|errors| errors.take(MAX_WORDS).read_to_string(&mut words));
                read.transpose().map_err(|error| SetupError::Lost(error.to_string()))?;
                let last =
                    words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason given");
                Err(SetupError::Lost(format!("the warm parent ended before it was warm ({})", last.trim())))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(SetupError::Lost(format!("the warm parent was not ready within {START:?}")))
            }
            Err(error) => Err(SetupError::Lost(error.to_string())),
        }
    }

    fn begin(&self, launch: Launch) -> io::Result<Option<Reply>> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        socket.set_read_timeout(Some(START))?;
        // Why it does not take what is sent, its own answer says better.
        let sent = wire::send(&socket, &Order::Launch(Box::new(launch)), &[]);
        match wire::receive(&socket)? {
            Some((reply, _)) => Ok(Some(reply)),
            None => sent.map(|()| None),
        }
    }

    /// Has a child forked. An error if the parent has ended.
    pub fn newborn(&self) -> io::Result<Newborn> {
        let (ours, theirs) = UnixStream::pair()?;
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&socket, &(), &[theirs.as_fd()])?;
        Ok(Newborn(ours.into()))
    }
}

impl Drop for WarmParent {
    fn drop(&mut self) {
        let process = self.process.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended by itself; it is collected in any case.
        let _ = process.kill();
        let _ = process.wait();
    }
}
