//! Forking, and collecting children.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::process::{Pid, Signal};

use crate::Failure;
use crate::wire::Outcome;

use super::report::Reporter;

/// Forks a child that runs `child`, which at best never returns because it has become another program.
///
/// Whatever it does, the child never comes back to the caller's code.
pub(super) fn fork(
    reporter: Reporter,
    child: impl FnOnce(&mut Reporter) -> Result<Infallible, Failure>,
) -> io::Result<Pid> {
    let mut reporter = reporter;
    fork_plain(move || {
        let Err(failure) = child(&mut reporter);
        reporter.failed(failure);
    })
}

/// Forks a child that runs `child` and exits.
pub(crate) fn fork_plain(child: impl FnOnce()) -> io::Result<Pid> {
    /// Ends the process without unwinding further, on a panic as well.
    struct Exit;
    impl Drop for Exit {
        fn drop(&mut self) {
            exit()
        }
    }
    // SAFETY: the launcher has one thread (`launcher::run` checks it), so no lock is held by a thread that the child
    // does not have, and the child may do whatever the parent could.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            let _exit = Exit;
            child();
            exit()
        }
        pid => Pid::from_raw(pid).ok_or_else(|| io::Error::other("fork gave no process id")),
    }
}

/// Ends this process at once. What it had to say it has said elsewhere.
pub(super) fn exit() -> ! {
    // SAFETY: it runs no code of this process any more.
    unsafe { libc::_exit(1) }
}

/// Collects a child that has ended: one certain one, or any; waits for it if `wait`.
///
/// `Ok(None)` if none has ended yet. An error with `ECHILD` if there is none at all.
pub(super) fn collect(which: Option<Pid>, wait: bool) -> io::Result<Option<(Pid, Outcome)>> {
    let which = which.map_or(-1, |pid| pid.as_raw_nonzero().get());
    let flags = if wait { 0 } else { libc::WNOHANG } | libc::__WALL;
    let mut status = 0;
    loop {
        // SAFETY: a `rusage` is plain numbers, for which zero will do; both are ours to be written to.
        let (pid, used) = unsafe {
            let mut used: libc::rusage = std::mem::zeroed();
            (libc::wait4(which, &mut status, flags, &mut used), used)
        };
        match pid {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            -1 => return Err(io::Error::last_os_error()),
            pid => return Ok(Pid::from_raw(pid).map(|pid| (pid, outcome(status, &used)))),
        }
    }
}

fn outcome(status: i32, used: &libc::rusage) -> Outcome {
    let exited = libc::WIFEXITED(status);
    let milliseconds = |time: libc::timeval| time.tv_sec * 1000 + time.tv_usec / 1000;
    Outcome {
        code: exited.then(|| libc::WEXITSTATUS(status)),
        signal: (!exited).then(|| libc::WTERMSIG(status)),
        cpu_ms: u64::try_from(milliseconds(used.ru_utime) + milliseconds(used.ru_stime)).unwrap_or(0),
        leftover: None,
    }
}

/// Whether children that have ended are kept until somebody collects them.
pub(super) fn heed_children(heeded: bool) -> io::Result<()> {
    let action = if heeded { libc::SIG_DFL } else { libc::SIG_IGN };
    // SAFETY: neither action needs code of ours.
    if unsafe { libc::signal(libc::SIGCHLD, action) } == libc::SIG_ERR {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Blocks the signal that a child has ended, and makes a descriptor that tells of it.
pub(super) fn child_signals() -> io::Result<File> {
    // SAFETY: the set is initialised by `sigemptyset` before it is read; the descriptor that comes back is nobody
    // else's.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_BLOCK, &set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        match libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) {
            -1 => Err(io::Error::last_os_error()),
            descriptor => Ok(File::from(OwnedFd::from_raw_fd(descriptor))),
        }
    }
}

/// Puts signals back to what a program expects: none blocked, none ignored.
pub(super) fn restore_signals() -> io::Result<()> {
    // SAFETY: as above; the default action needs no code of ours.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        if libc::sigprocmask(libc::SIG_SETMASK, &set, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Has this process killed when its parent dies.
pub(super) fn die_with_parent() -> io::Result<()> {
    Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?)
}
