//! The attacker of a probe: it runs inside, tries everything, and prints what it met with.

use std::io::{self, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs};

use rustix::process::Pid;

use super::target::Seen;
use super::{Attack, Check};
use crate::launcher;

/// The argument, after the launcher's, that makes the binary the attacker.
pub(super) const ARGUMENT: &str = "attempt";

/// The longest that a process which is to outlive its call lives, should it succeed.
const OUTLIVES: Duration = Duration::from_secs(5);

/// The targets, if this program was started to be the attacker.
pub(crate) fn asked_for() -> Option<String> {
    let mut args = env::args().skip(1);
    let asked = args.next()? == launcher::ARGUMENT && args.next()? == ARGUMENT;
    args.next().filter(|_| asked)
}

/// Tries everything.
pub(crate) fn attempt(targets: String) -> ExitCode {
    let Ok(targets) = serde_json::from_str::<Seen>(&targets) else { return ExitCode::FAILURE };
    let checks = [
        check(Attack::ReadOutside, fs::read(&targets.file).map(drop)),
        check(Attack::WriteOutside, overwrite(&targets.file)),
        check(Attack::ConnectTcp, TcpStream::connect((Ipv4Addr::LOCALHOST, targets.tcp)).map(drop)),
        check(Attack::SendUdp, send(targets.udp)),
        check(Attack::ConnectUnix, UnixStream::connect(&targets.socket).map(drop)),
        check(Attack::Vsock, socket(libc::AF_VSOCK)),
        check(Attack::SignalServer, signal(targets.server)),
        check(Attack::UserNamespace, user_namespace()),
    ];
    // If it cannot even fork, nothing will be found to outlive the call.
    let _ = leave_behind();
    let Ok(checks) = serde_json::to_vec(&checks) else { return ExitCode::FAILURE };
    match io::stdout().write_all(&checks).and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn check(attack: Attack, done: io::Result<()>) -> Check {
    let detail = done.as_ref().map_or_else(ToString::to_string, |()| "it worked".to_owned());
    Check { attack, stopped: done.is_err(), detail }
}

/// It is not made: where nothing is, nothing was reached.
fn overwrite(file: &Path) -> io::Result<()> {
    fs::File::options().write(true).open(file)?.write_all(b"attacked")
}

fn send(port: u16) -> io::Result<()> {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?.send_to(b"x", (Ipv4Addr::LOCALHOST, port)).map(drop)
}

fn socket(family: i32) -> io::Result<()> {
    // SAFETY: it takes numbers; the descriptor that comes back is nobody else's.
    match unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) } {
        -1 => Err(io::Error::last_os_error()),
        descriptor => {
            // SAFETY: as above.
            drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
            Ok(())
        }
    }
}

/// In a process namespace the server's number may be that of somebody else: ourselves, or our init.
fn signal(server: u32) -> io::Result<()> {
    let server = i32::try_from(server).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    if server == rustix::process::getpid() || Some(server) == rustix::process::getppid() {
        return Err(io::Error::other("that number is somebody else here"));
    }
    Ok(rustix::process::test_kill_process(server)?)
}

fn user_namespace() -> io::Result<()> {
    // SAFETY: descriptors are not unshared.
    Ok(unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWUSER) }?)
}

/// Leaves a process behind, in a session of its own and with a parent that has ended, that holds standard output.
fn leave_behind() -> io::Result<()> {
    let outlives = OUTLIVES.try_into().map_err(io::Error::other)?;
    launcher::fork_plain(|| {
        let _ = rustix::process::setsid();
        let _ = launcher::fork_plain(|| {
            let _ = rustix::event::poll(&mut [], Some(&outlives));
        });
    })?;
    Ok(())
}
