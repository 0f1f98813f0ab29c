//! The one way out of a network namespace: a socket that listens in there, for a proxy that runs outside.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::error::During;
use crate::{Failure, Network, Step};

/// Makes the socket, if the policy grants a proxy.
///
/// A socket belongs to the namespace that it was made in, whoever holds it. So the server can accept from outside what
/// programs connect to inside, and nothing else leads from one to the other.
pub(super) fn listen(network: Network) -> Result<Option<OwnedFd>, Failure> {
    if network == Network::None {
        return Ok(None);
    }
    raise_loopback().during(Step::Namespaces, "raising the loopback interface")?;
    let listener = TcpListener::bind(Network::PROXY)
        .during(Step::Namespaces, format_args!("listening at {}", Network::PROXY))?;
    Ok(Some(listener.into()))
}

/// A new namespace has this one interface, and it is down. Needs `CAP_NET_ADMIN` in the namespace.
fn raise_loopback() -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: an `ifreq` is plain numbers, for which zero will do.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads the name and the flags, both of which were written just now.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
