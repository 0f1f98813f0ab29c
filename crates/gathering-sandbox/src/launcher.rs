//! The launcher stage: a single-threaded program that applies a policy and becomes, or watches over, the tool.
//!
//! It stays as long as the tree lives: outside of it, where nothing in it can reach, it holds the other end of the
//! server's socket. Of the tree, it is the parent; the death signal that holds the tree to it is therefore never that
//! of a mere thread of the server, which may end long before the server does.

mod around;
mod confined;
mod idmap;
mod isolated;
mod landlock;
mod limits;
mod mounts;
mod namespaces;
mod network;
mod newborn;
mod parent;
mod program;
mod report;
mod root;
mod scratch;
mod seccomp;
mod sources;
mod supervise;
mod user;
mod warm;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use crate::error::During;
use crate::wire::{self, Launch, Reply, Role};
use crate::{Failure, Step, Tier, probe};

pub(crate) use parent::fork_plain;
pub(crate) use scratch::STANDS_FOR;
pub(crate) use sources::{CONFIGURATION, DEVICES, SYSTEM};

/// The argument that makes the `gathering` binary a launcher.
pub(crate) const ARGUMENT: &str = "__sandbox";

/// Is the launcher: to be called, before any thread is started, by a program whose first argument is `__sandbox`.
///
/// Its standard input is the server's socket; it prints nothing.
pub fn launcher_main() -> ExitCode {
    if let Some(attempts) = probe::asked_for() {
        return probe::attempt(attempts);
    }
    let Ok(socket) = take_socket() else { return ExitCode::FAILURE };
    match run(&socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // If nobody listens any longer, nobody needs to know.
            let _ = wire::send(&socket, &Reply::Failed(failure), &[]);
            ExitCode::FAILURE
        }
    }
}

/// Moves the server's socket away from standard input, and closes whatever else was inherited.
fn take_socket() -> io::Result<UnixStream> {
    close_from(3, 0)?;
    let socket = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3)?;
    let null: OwnedFd = fs::File::open("/dev/null")?.into();
    rustix::stdio::dup2_stdin(&null)?;
    Ok(UnixStream::from(socket))
}

fn run(socket: &UnixStream) -> Result<(), Failure> {
    let received = wire::receive::<Launch>(socket).during(Step::Start, "reading the policy")?;
    let Some((launch, mut descriptors)) = received else { return Ok(()) };
    launch.policy.check().map_err(|error| Failure::new(Step::Start, error.to_string(), ""))?;
    if launch.role == Role::WarmParent {
        return warm::become_parent(socket, launch);
    }
    if descriptors.is_empty() {
        return Err(Failure::new(Step::Start, "no standard input was handed over", "update both programs"));
    }
    let threads = fs::read_dir("/proc/self/task").during(Step::Start, "reading `/proc/self/task`")?.count();
    if threads != 1 {
        let cause = format!("the launcher has {threads} threads");
        return Err(Failure::new(Step::Start, cause, "call `launcher_main` first of all"));
    }
    // Away from the server's terminal and from signals to its process group. It fails only for who leads a session.
    let _ = rustix::process::setsid();
    let stdin = descriptors.remove(0);
    let inherits = program::Inherits { stdin, channels: descriptors };
    match launch.tier {
        Tier::Isolated => isolated::run(socket, launch, inherits),
        Tier::Confined => confined::run(socket, launch, inherits),
    }
}

/// Closes all descriptors from `first` on, or marks them to be closed on exec.
fn close_from(first: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: with no flags, it is called first of all in `main`, when nothing owns a descriptor above 2 yet; with
    // CLOEXEC, it closes nothing.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Connects the standard streams to `/dev/null`, so that who reads from the tool sees its end.
fn let_go_of_streams(null: BorrowedFd<'_>) -> io::Result<()> {
    rustix::stdio::dup2_stdout(null)?;
    rustix::stdio::dup2_stderr(null.as_fd())?;
    Ok(())
}
