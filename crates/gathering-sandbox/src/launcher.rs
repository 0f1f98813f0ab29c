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
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::{PidfdFlags, pidfd_open};

use crate::error::During;
use crate::wire::{self, Launch, Order, Reply, Role};
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
    if serve(&socket) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Does what it is told until there is nobody to tell it. Whether all went well.
fn serve(socket: &UnixStream) -> bool {
    match run(socket) {
        Ok(()) => true,
        Err(failure) => {
            // If nobody listens any longer, nobody needs to know.
            let _ = wire::send(socket, &Reply::Failed(failure), &[]);
            false
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
    while let Some((order, descriptors)) = wire::receive(socket).during(Step::Start, "reading an order")? {
        match order {
            Order::Fork => fork(socket, descriptors)?,
            Order::Launch(launch) => return start(socket, *launch, descriptors),
        }
    }
    Ok(())
}

/// Forks a launcher. That is quicker than to start one: it need not be loaded and linked.
fn fork(ours: &UnixStream, descriptors: Vec<OwnedFd>) -> Result<(), Failure> {
    let step = Step::Start;
    let Ok([place, output, errors]) = <[OwnedFd; 3]>::try_from(descriptors) else {
        return Err(Failure::new(step, "three descriptors were to be handed over", "update both programs"));
    };
    // Nobody waits for its children here, no process of the same user is to look into it, and a terminal's signals are
    // not for it. The last fails only for who leads a session already.
    parent::heed_children(false).during(step, "ignoring children")?;
    user::readable_to_itself(false)?;
    let _ = rustix::process::setsid();
    let socket = UnixStream::from(place);
    let told = socket.try_clone().during(step, "copying a socket")?;
    let ours = ours.as_raw_fd();
    let forked = parent::fork_plain(move || {
        if be_forked(ours, &socket, output, errors).is_ok() {
            serve(&socket);
        }
    });
    if let Err(error) = forked {
        let failure = Failure::new(step, format!("forking a launcher: {error}"), "");
        // If nobody listens any longer, nobody needs to know.
        let _ = wire::send(&told, &Reply::Failed(failure), &[]);
    }
    Ok(())
}

/// The first steps of a launcher that was forked.
fn be_forked(parents: RawFd, socket: &UnixStream, output: OwnedFd, errors: OwnedFd) -> Result<(), Failure> {
    let step = Step::Start;
    parent::heed_children(true).during(step, "heeding children")?;
    user::readable_to_itself(true)?;
    // SAFETY: it belongs to what this process ran before it was forked, and never comes back to.
    unsafe { rustix::io::close(parents) };
    rustix::stdio::dup2_stdout(&output).during(step, "taking its output")?;
    rustix::stdio::dup2_stderr(&errors).during(step, "taking its errors")?;
    let me = rustix::process::getpid();
    let pidfd = pidfd_open(me, PidfdFlags::empty()).during(step, "opening itself")?;
    let here = Reply::Here(me.as_raw_nonzero().get());
    wire::send(socket, &here, &[pidfd.as_fd()]).during(step, "saying that it is here")
}

fn start(socket: &UnixStream, launch: Launch, mut descriptors: Vec<OwnedFd>) -> Result<(), Failure> {
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
