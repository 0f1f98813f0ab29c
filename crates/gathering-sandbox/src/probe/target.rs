//! What the attacks of a probe aim at: files, sockets and this process.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, process};

use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};

use super::{Attack, Check};
use crate::temporary::{Kind, Temporary};

/// What the attacker is told.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) file: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) tcp: u16,
    pub(super) udp: u16,
    pub(super) server: u32,
}

/// Targets that everybody of this machine can reach; removed when dropped.
pub(super) struct Target {
    _folder: Temporary,
    pub(super) seen: Seen,
    /// The attacker's program.
    pub(super) program: PathBuf,
    tcp: TcpListener,
    udp: UdpSocket,
    unix: UnixListener,
}

const CONTENT: &str = "canary";

impl Target {
    pub(super) fn put_up(launcher: &Path) -> io::Result<Self> {
        let folder = Temporary::make(Kind::Probe, &env::temp_dir())?;
        let (file, socket) = (folder.path().join("file"), folder.path().join("socket"));
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        File::create_new(&file)?.write_all(CONTENT.as_bytes())?;
        let unix = UnixListener::bind(&socket)?;
        for path in [&file, &socket] {
            fs::set_permissions(path, fs::Permissions::from_mode(0o666))?;
        }
        let program = if rustix::process::geteuid().is_root() {
            reachable(launcher, folder.path())?
        } else {
            std::path::absolute(launcher)?
        };
        let tcp = TcpListener::bind("127.0.0.1:0")?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        tcp.set_nonblocking(true)?;
        udp.set_nonblocking(true)?;
        unix.set_nonblocking(true)?;
        let seen = Seen {
            file,
            socket,
            tcp: tcp.local_addr()?.port(),
            udp: udp.local_addr()?.port(),
            server: process::id(),
        };
        Ok(Self { _folder: folder, seen, program, tcp, udp, unix })
    }

    /// What arrived counts, whatever the attacker believes.
    pub(super) fn correct(&self, check: &mut Check) -> io::Result<()> {
        let arrived = match check.attack {
            Attack::WriteOutside => fs::read_to_string(&self.seen.file)? != CONTENT,
            Attack::ConnectTcp => self.tcp.accept().is_ok(),
            Attack::SendUdp => self.udp.recv_from(&mut [0; 8]).is_ok(),
            Attack::ConnectUnix => self.unix.accept().is_ok(),
            _ => false,
        };
        if arrived {
            check.stopped = false;
            "it arrived".clone_into(&mut check.detail);
        }
        Ok(())
    }
}

/// The binary may lie where the tool's user cannot go: it is given another name, or else copied.
fn reachable(launcher: &Path, folder: &Path) -> io::Result<PathBuf> {
    let launcher = &fs::canonicalize(launcher)?;
    let program = folder.join("program");
    let for_all = fs::metadata(launcher)?.permissions().mode() & 0o005 == 0o005;
    if !for_all || fs::hard_link(launcher, &program).is_err() {
        fs::copy(launcher, &program)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    Ok(program)
}

/// The most that a probe says, and how long its output may stay open after its end.
const MAX_OUTPUT: u64 = 64 << 10;
const OPEN: Duration = Duration::from_millis(500);

/// What was said, and whether somebody still holds the other end after the program was declared gone.
pub(super) fn read_to_end(mut from: File) -> io::Result<(Vec<u8>, bool)> {
    let until = Instant::now() + OPEN;
    let mut said = Vec::new();
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = left.try_into().map_err(io::Error::other)?;
        if poll(&mut [PollFd::new(&from, PollFlags::IN)], Some(&left))? == 0 {
            return Ok((said, true));
        }
        let before = said.len();
        let mut part = [0; 4096];
        let length = from.read(&mut part)?;
        said.extend_from_slice(&part[..length]);
        if said.len() == before || said.len() as u64 > MAX_OUTPUT {
            return Ok((said, false));
        }
    }
}
