//! Nothing of a network is there.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{SocketAddr, UnixListener};

use gathering_sandbox::{Network, Policy, SetupError, Tier, spawn};

use crate::harness::*;

#[test]
fn nothing_reaches_the_sockets_of_this_machine() {
    use std::os::linux::net::SocketAddrExt;
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let outside = open_folder();
    let path = outside.path().join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    let name = nonce();
    let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    unix.set_nonblocking(true).unwrap();
    hidden.set_nonblocking(true).unwrap();
    for tier in tiers() {
        let Some(ran) = run_python(
            tier,
            &policy(),
            &format!(
                "
import socket
def attempt(name, do):
    try: do(); print('worked:', name)
    except OSError: pass
T, U = ('127.0.0.1', {}), ('127.0.0.1', {})
attempt('tcp', lambda: socket.create_connection(T, 2))
attempt('tcp6', lambda: socket.create_connection(('::1', T[1]), 2))
attempt('udp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', U))
attempt('unix', lambda: socket.socket(socket.AF_UNIX).connect('{}'))
attempt('abstract', lambda: socket.socket(socket.AF_UNIX).connect('\\0{name}'))
attempt('bind', lambda: socket.socket().bind(('0.0.0.0', 0)))
for family, kind in ((16, 3), (17, 3), (38, 5), (40, 1), (40, 2), (2, 3), (31, 3), (29, 3)):
    attempt(f'family {{family}}', lambda: socket.socket(family, kind))
a, b = socket.socketpair(); a.send(b'x'); print('pairs work', b.recv(1))
",
                tcp.local_addr().unwrap().port(),
                udp.local_addr().unwrap().port(),
                path.display(),
            ),
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "pairs work b'x'\n", "{tier}: {}", ran.said());
        assert!(tcp.accept().is_err() && unix.accept().is_err() && hidden.accept().is_err(), "{tier}");
        assert!(udp.recv(&mut [0]).is_err(), "{tier}");
    }
}

#[test]
fn a_proxys_socket_is_the_one_way_out_of_an_isolated_program() {
    let outside = open_folder();
    let path = outside.path().join("proxy");
    let other = outside.path().join("other");
    let proxy = UnixListener::bind(&path).unwrap();
    let _other = UnixListener::bind(&other).unwrap();
    for socket in [&path, &other] {
        std::fs::set_permissions(socket, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    }
    if !has(Tier::Isolated) {
        return;
    }
    let policy = Policy { network: Network::Proxy(path.clone()), ..policy() };

    let Some(ran) = run_python(
        Tier::Isolated,
        &policy,
        &format!(
            "
import socket
s = socket.socket(socket.AF_UNIX); s.connect('{}'); s.send(b'x'); print('proxy')
for where in ('{}',):
    try: socket.socket(socket.AF_UNIX).connect(where); print('worked:', where)
    except OSError: pass
try: socket.create_connection(('1.1.1.1', 80), 2); print('worked: internet')
except OSError: pass
",
            path.display(),
            other.display()
        ),
    ) else {
        return;
    };

    assert_eq!(ran.stdout, "proxy\n", "{}", ran.said());
    assert!(proxy.accept().is_ok());
}

#[test]
fn a_confined_program_is_not_started_with_a_grant_that_would_open_everything() {
    let policy = Policy { network: Network::Proxy("/run/proxy".into()), ..policy() };

    let error = spawn(launcher(), Tier::Confined, &policy, shell("true")).unwrap_err();

    assert!(matches!(error, SetupError::Step(_)), "{error}");
    assert!(error.to_string().contains("may reach all else"), "{error}");
}
