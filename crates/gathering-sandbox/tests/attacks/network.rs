//! Nothing of a network is there, but for the proxy that was granted.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use gathering_sandbox::{Child, Job, Network, Policy, SetupError, Tier, spawn};

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

/// A policy that grants a proxy, which the program finds at port 3128.
fn proxied() -> Policy {
    Policy { network: Network::Proxy, ..policy() }
}

/// Starts Python code in the isolated tier with a proxy; what it prints comes on its standard output.
fn start_proxied(code: &str) -> Option<Child> {
    let program = python()?;
    if !has(Tier::Isolated) {
        return None;
    }
    let job = Job { program, args: vec!["-I".into(), "-c".into(), code.into()], ..shell("") };
    Some(start(Tier::Isolated, &proxied(), job))
}

fn said(child: &mut Child) -> String {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn what_a_program_says_to_its_proxy_arrives_and_is_answered() {
    let code = "
import socket
s = socket.create_connection(('127.0.0.1', 3128), 20)
s.sendall(b'hello'); print(s.recv(100).decode())
";
    let Some(mut child) = start_proxied(code) else { return };

    let (mut connection, _) = child.proxy.as_ref().unwrap().accept().unwrap();
    let mut heard = [0; 5];
    connection.read_exact(&mut heard).unwrap();
    connection.write_all(b"world").unwrap();

    assert_eq!(&heard, b"hello");
    assert_eq!(said(&mut child), "world\n");
}

#[test]
fn the_proxy_is_the_one_way_out() {
    use std::os::linux::net::SocketAddrExt;
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let everywhere = TcpListener::bind("0.0.0.0:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let name = nonce();
    let hidden = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    tcp.set_nonblocking(true).unwrap();
    everywhere.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    hidden.set_nonblocking(true).unwrap();
    let code = format!(
        "
import socket, fcntl, struct
def attempt(name, do):
    try: do(); print('worked:', name)
    except OSError: pass
T, E, U = {}, {}, {}
def connect(host, port, family=socket.AF_INET, protocol=0):
    s = socket.socket(family, socket.SOCK_STREAM, protocol); s.settimeout(2); s.connect((host, port))
attempt('tcp', lambda: connect('127.0.0.1', T))
attempt('tcp6', lambda: connect('::1', T, socket.AF_INET6))
attempt('mapped', lambda: connect('::ffff:127.0.0.1', T, socket.AF_INET6))
for host in ('0.0.0.0', '127.0.0.2', '10.0.0.1', '169.254.169.254', '1.1.1.1'):
    attempt('every ' + host, lambda: connect(host, E))
attempt('mptcp', lambda: connect('127.0.0.1', 3128, protocol=262))
attempt('sctp', lambda: connect('127.0.0.1', 3128, protocol=132))
attempt('udp', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', U)))
attempt('udp6', lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt('ping', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1))
attempt('fast open', lambda: socket.socket().sendto(b'x', socket.MSG_FASTOPEN, ('127.0.0.1', T)))
attempt('bind', lambda: socket.socket().bind(('127.0.0.1', 0)))
attempt('bind the port', lambda: socket.socket().bind(('127.0.0.1', 3128)))
attempt('abstract', lambda: socket.socket(socket.AF_UNIX).connect('\\0{name}'))
for family, kind in ((16, 3), (17, 3), (38, 5), (40, 1), (40, 2), (2, 3), (31, 3), (29, 3), (43, 1)):
    attempt(f'family {{family}}', lambda: socket.socket(family, kind))
# Neither raise nor change an interface.
s = socket.socket()
attempt('flags', lambda: fcntl.ioctl(s, 0x8914, struct.pack('16sh22x', b'lo', 0)))
attempt('address', lambda: fcntl.ioctl(s, 0x8916, struct.pack('16sHHI16x', b'lo', 2, 0, 0x0a000001)))
print('tried all')
",
        tcp.local_addr().unwrap().port(),
        everywhere.local_addr().unwrap().port(),
        udp.local_addr().unwrap().port(),
    );
    let Some(mut child) = start_proxied(&code) else { return };

    let said = said(&mut child);

    // Without rules of Landlock for TCP it can listen too, in a network of its own that nobody else is in.
    let listens = if child.applied().landlock < 4 { "worked: bind\n" } else { "" };
    assert_eq!(said, format!("{listens}tried all\n"));
    assert!(tcp.accept().is_err() && everywhere.accept().is_err() && hidden.accept().is_err());
    assert!(udp.recv(&mut [0]).is_err());
    let proxy = child.proxy.take().unwrap();
    proxy.set_nonblocking(true).unwrap();
    assert!(proxy.accept().is_err(), "nothing but TCP arrives");
}

#[test]
fn two_programs_do_not_see_each_others_proxies() {
    let code = "
import socket
s = socket.create_connection(('127.0.0.1', 3128), 20); s.sendall(b'x'); s.recv(1)
";
    let (Some(one), Some(other)) = (start_proxied(code), start_proxied("input()")) else { return };
    let silent = other.proxy.as_ref().unwrap();
    silent.set_nonblocking(true).unwrap();

    let (mut connection, _) = one.proxy.as_ref().unwrap().accept().unwrap();

    connection.read_exact(&mut [0]).unwrap();
    assert!(silent.accept().is_err());
}

#[test]
fn a_connection_to_the_proxy_ends_with_the_program() {
    let code = "
import socket
s = socket.create_connection(('127.0.0.1', 3128), 20); s.sendall(b'x'); s.recv(1)
";
    let Some(child) = start_proxied(code) else { return };
    let (mut connection, _) = child.proxy.as_ref().unwrap().accept().unwrap();
    connection.read_exact(&mut [0]).unwrap();

    child.kill().unwrap();

    assert!(readable_within(&connection, Duration::from_secs(5)));
    assert!(matches!(connection.read(&mut [0]), Ok(0) | Err(_)));
}

#[test]
fn without_a_grant_there_is_no_socket_for_a_proxy() {
    if !has(Tier::Isolated) {
        return;
    }

    let child = start(Tier::Isolated, &policy(), shell("true"));

    assert!(child.proxy.is_none());
}

#[test]
fn a_confined_program_is_not_started_with_a_grant_that_would_open_everything() {
    let error = spawn(launcher(), Tier::Confined, &proxied(), shell("true")).unwrap_err();

    assert!(matches!(error, SetupError::Step(_)), "{error}");
    assert!(error.to_string().contains("may reach all else"), "{error}");
}
