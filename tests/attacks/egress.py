"""N: the network, from code that was granted none; all listeners are on this machine."""

import os
import socket

from attacks.cases import case, equal, expect
from attacks.doors import each

CLOSED = {"EPERM", "EACCES", "ENETUNREACH", "ECONNREFUSED", "EAFNOSUPPORT", "ENOENT", "EADDRNOTAVAIL", "ESOCKTNOSUPPORT",
          "EPROTONOSUPPORT", "EINVAL", "ETIMEDOUT"}


def unreached(arena, code, *listeners):
    """The payload finds a map from what it tried to the error it met with, and no listener heard of it."""
    for outcome in each(arena, code):
        expect(outcome.code is None, str(outcome))
        worked = {what: met for what, met in outcome.found.items() if met not in CLOSED}
        expect(outcome.found and not worked, f"through {outcome.door}: {worked}")
        for listener in listeners:
            expect(not heard(listener), f"through {outcome.door}: a listener heard of it")
    for listener in listeners:
        listener.close()


def heard(listener):
    try:
        if listener.type == socket.SOCK_STREAM:
            listener.accept()[0].close()
        else:
            listener.recv(10)
        return True
    except BlockingIOError:
        return False


@case("N01", "TCP", in_tiers=True)
def tcp(arena):
    listener = arena.listener()
    port = listener.getsockname()[1]
    unreached(arena, f"""
def program(script):
    return "worked" if "worked" in shell(script + " && echo worked") else "EPERM"
found = {{
    "python": attempt(lambda: socket.create_connection(("127.0.0.1", {port}), 2) and "worked"),
    "mapped": attempt(lambda: socket.create_connection(("::ffff:127.0.0.1", {port}), 2) and "worked"),
    "unspecified": attempt(lambda: socket.create_connection(("0.0.0.0", {port}), 2) and "worked"),
    "bash": program("bash -c 'echo x > /dev/tcp/127.0.0.1/{port}'"),
    "curl": program("curl -sm 2 http://127.0.0.1:{port}/"),
    "fastopen": attempt(lambda: socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", {port}))),
}}
""", listener)


@case("N02", "UDP", in_tiers=True)
def udp(arena):
    listener = arena.listener(socket.SOCK_DGRAM)
    port = listener.getsockname()[1]
    unreached(arena, f"""
def send(family, address):
    return socket.socket(family, socket.SOCK_DGRAM).sendto(b"x", address)
found = {{"v4": attempt(send, socket.AF_INET, ("127.0.0.1", {port})),
         "v6": attempt(send, socket.AF_INET6, ("::ffff:127.0.0.1", {port}))}}
""", listener)


@case("N03", "the server's own port", in_tiers=True)
def own_port(arena):
    host, port = arena.main.address.split(":")
    token = arena.main.data_dir / "operator.token"
    unreached(arena, f"""
import urllib.request
def ask(address):
    try: return urllib.request.urlopen(address, timeout=2).status
    except urllib.error.URLError as error: return errno.errorcode[error.reason.errno]
found = {{"health": ask("http://{host}:{port}/health"), "plugins": ask("http://{host}:{port}/plugins"),
         "token": attempt(open, {str(token)!r})}}
""")


@case("N04", "a unix socket outside", in_tiers=True)
def unix(arena):
    path = arena.outside / "s.sock"
    stands = arena.outside.stat()
    listener = arena.listener(family=socket.AF_UNIX, address=str(path))
    path.chmod(0o666)
    unreached(arena, f"""
found = {{"stream": attempt(lambda: socket.socket(socket.AF_UNIX).connect({str(path)!r}) or "worked"),
         "datagram": attempt(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"x", {str(path)!r}))}}
""", listener)
    path.unlink()
    os.utime(arena.outside, ns=(stands.st_atime_ns, stands.st_mtime_ns))


@case("N05", "an abstract unix socket", in_tiers=True)
def abstract(arena):
    name = f"gather-test-{arena.root.name}-{arena.count}"
    listener = arena.listener(family=socket.AF_UNIX, address="\0" + name)
    unreached(arena, f"""
found = {{"abstract": attempt(lambda: socket.socket(socket.AF_UNIX).connect("\\0{name}") or "worked")}}
""", listener)


@case("N06", "sockets to the host, the kernel and the wire", in_tiers=True)
def families(arena):
    unreached(arena, """
wanted = {"vsock": (40, 1, 0), "vsock datagram": (40, 2, 0), "netlink": (16, 3, 0), "packet": (17, 3, 0), "alg": (38, 5, 0),
    "raw": (2, 3, 1), "raw 6": (10, 3, 58), "bluetooth": (31, 3, 0), "can": (29, 3, 1), "xdp": (44, 3, 0), "qipcrtr": (42, 2, 0)}
found = {name: attempt(lambda: socket.socket(*kind) and "worked") for name, kind in wanted.items()}
""")


@case("N07", "listening for others", in_tiers=True)
def listening(arena):
    for outcome in each(arena, """
def listen():
    global listener
    listener = socket.socket()
    listener.bind(("0.0.0.0", 0))
    listener.listen()
    return listener.getsockname()[1]
found = attempt(listen)
"""):
        expect(outcome.code is None, str(outcome))
        if isinstance(outcome.found, int):
            # It has a network of its own, in which nobody is.
            with socket.socket() as client:
                client.settimeout(1)
                equal(client.connect_ex(("127.0.0.1", outcome.found)) != 0, True, f"{outcome.door} is not reached")
        else:
            expect(outcome.found in CLOSED, f"through {outcome.door}: {outcome.found}")


@case("N09", "descriptors that come over a socket", in_tiers=True)
def passed(arena):
    listener = arena.listener()
    unreached(arena, """
import array
found = {}
for number in range(3, 256):
    try: channel = socket.socket(fileno=os.dup(number))
    except OSError: continue
    channel.setblocking(False)
    # Neither is a network, nor hands one over.
    found[f"{number} is"] = "EPERM" if channel.family == socket.AF_UNIX else "worked"
    found[f"{number} hands"] = attempt(lambda: channel.sendmsg([b""], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))]) and "worked")
    if found[f"{number} hands"] in (0, "EAGAIN", "EPIPE", "ENOTCONN"): found[f"{number} hands"] = "EPERM"
found = found or {"none": "EPERM"}
""", listener)
