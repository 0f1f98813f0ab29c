"""HTTP by hand, for what no client would send."""

import socket
import threading
import time


def request(address, method, path, headers=(), body=None, host=None):
    """Sends a request as it is given; status, headers in small letters and body."""
    lines = [f"{method} {path} HTTP/1.1"]
    pairs = list(headers.items() if isinstance(headers, dict) else headers)
    if host is not False:
        lines.append(f"Host: {host or address}")
    lines += [f"{name}: {value}" for name, value in pairs]
    if body is not None and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in pairs):
        lines.append(f"Content-Length: {len(body)}")
    lines.append("Connection: close")
    return parse(send(address, "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")))


def connect(address, timeout=15):
    host, port = address.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=timeout)


def send(address, said, timeout=15, close=False):
    """Sends bytes, says with `close` that no more will come, and reads to the end of the connection."""
    with connect(address, timeout) as connection:
        # The answer may come, and the end, before all is sent.
        sender = threading.Thread(target=push, args=(connection, said, close))
        sender.start()
        heard = []
        try:
            while chunk := connection.recv(1 << 16):
                heard.append(chunk)
        except OSError:
            pass
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sender.join()
    return b"".join(heard)


def push(connection, said, close=False):
    try:
        for piece in said if not isinstance(said, bytes) else (said,):
            connection.sendall(piece)
        if close:
            connection.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def parse(heard):
    head, _, body = heard.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) < 2:
        return None, {}, heard
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(words[1]), headers, body


def settles(measure, at_most, within=5):
    """Waits until `measure()` is at most so much; the last value."""
    end = time.monotonic() + within
    while (value := measure()) > at_most and time.monotonic() < end:
        time.sleep(0.05)
    return value
