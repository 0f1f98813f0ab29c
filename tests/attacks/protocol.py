"""X: HTTP that no polite client speaks. (JSON-RPC comes with the door for MCP.)"""

import json
import os
import pathlib
import subprocess
import threading
import time

from attacks.cases import NotRun, case, equal, expect
from attacks.doors import FILE, PRELUDE, fresh_nonce
from attacks.wire import connect, parse, push, request, send, settles
from server import Ended, Gone

JSON = {"Content-Type": "application/json"}
#: A call that everybody may make.
CALL = json.dumps({"arguments": {"text": "here"}}).encode()


def resident(server):
    text = pathlib.Path(f"/proc/{server.process.pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(server):
    try:
        return len(os.listdir(f"/proc/{server.process.pid}/fd"))
    except PermissionError:
        raise NotRun("only root sees the descriptors of a server") from None


def refused(arena, status, code, /, *arguments, **more):
    got, headers, body = request(arena.main.address, *arguments, **more)
    equal(got, status, f"{str(arguments)[:200]}: {body[:300]}")
    if code:
        equal(headers.get("content-type"), "application/problem+json", "the type of the error")
        equal(json.loads(body)["code"], code, str(body[:300]))
    return headers


@case("X02", "oversized bodies, heads and addresses", alone=True)
def oversized(arena):
    address, before = arena.main.address, resident(arena.main)
    echo = "/tools/bystander_echo/execute"
    refused(arena, 413, "too_large", "POST", echo, {**JSON, "Content-Length": str(5 << 30)}, b"{")

    def endless():
        yield f"POST {echo} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        for _ in range(5 << 10):
            yield b"100000\r\n" + b" " * (1 << 20) + b"\r\n"

    begun = time.monotonic()
    equal(parse(send(address, endless()))[0], 413, "5 GiB in chunks")
    expect(time.monotonic() - begun < 5, "it was read on")
    for what, path, headers in (
        ("a header of 1 MB", "/tools", {"X-Long": "x" * (1 << 20)}),
        ("10,000 headers", "/tools", [(f"X-{number}", "x") for number in range(10_000)]),
        ("an address of 64 KB", "/tools?q=" + "x" * (64 << 10), {}),
    ):
        status = request(address, "GET", path, headers)[0]
        expect(status in (414, 431), f"{what}: {status}")
    grown = settles(lambda: resident(arena.main) - before, 20 << 20)
    expect(grown < 20 << 20, f"the server grew by {grown >> 20} MiB")


@case("X03", "clients that are slow on purpose", alone=True, without=["bystander"])
def slow(arena):
    # More than are served at once: those who say nothing must not keep others out.
    idle = [connect(arena.main.address) for _ in range(1000 if arena.long else 600)]
    try:
        for connection in idle:
            connection.sendall(b"G")
        for _ in range(5):
            begun = time.monotonic()
            equal(arena.call("bystander_echo", text="here").result, "here")
            expect(time.monotonic() - begun < 2, f"a polite client waited for {time.monotonic() - begun:.1f} s")
        # A head that comes letter by letter, and a body.
        head = b"POST /tools/bystander_echo/execute HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\nHost: x"
        slow = [connect(arena.main.address, 60) for _ in range(2)]
        slow[0].sendall(head[:40])
        slow[1].sendall(head.replace(b"Host: x", b"Host: " + arena.main.address.encode()) + b"\r\n\r\n{")
        if arena.long:
            begun = time.monotonic()
            for connection in slow:
                while connection.recv(1000):
                    pass
            expect(time.monotonic() - begun < 45, "the slow ones are still served")
    finally:
        for connection in idle:
            connection.close()


@case("X04", "lengths that do not fit, and a second request behind them")
def smuggling(arena):
    address = arena.main.address
    second = f"GET /plugins/smuggled HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode()
    start = f"POST /tools/bystander_echo/execute HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n".encode()
    length = str(len(CALL)).encode()
    for what, said in {
        "a negative length": start + b"Content-Length: -1\r\n\r\n" + second,
        "two lengths": start + b"Content-Length: 5\r\nContent-Length: 50\r\n\r\n" + second,
        "a list of lengths": start + b"Content-Length: 5, 50\r\n\r\n" + second,
        "a length and chunks": start + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second,
        "an unknown coding": start + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + second,
        "a huge chunk": start + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n" + CALL + b"\r\n0\r\n\r\n" + second,
        "a chunk that is no number": start + b"Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n" + second,
        "a folded header": start + b"X-Folded: a\r\n b\r\nContent-Length: " + length + b"\r\n\r\n" + CALL + b"",
        "a space before the colon": start + b"Content-Length : " + length + b"\r\n\r\n" + CALL + second,
        "a header without a name": start + b": x\r\nContent-Length: " + length + b"\r\n\r\n" + CALL + second,
        "a NUL in a header": start + b"X-A: a\0b\r\nContent-Length: " + length + b"\r\n\r\n" + CALL + second,
    }.items():
        heard = send(address, said, close=what == "a huge chunk")
        status = parse(heard)[0]
        # Chunks go before a length (RFC 9112, section 6.3); of a chunk that never ends the server waits for the rest.
        allowed = {"a length and chunks": (400, 404, 422), "a huge chunk": (None, 400, 413)}.get(what, (400,))
        expect(status in allowed, f"{what}: {heard[:300]}")
        expect(b"smuggled" not in heard, f"{what}: the second request was answered: {heard[:600]}")
    # Five bytes are the body; what follows is no request, and nothing of it is run.
    heard = send(address, start + b"Content-Length: 5\r\n\r\n" + b'{"argXXXX' * 5)
    expect(heard.count(b"HTTP/1.1 200") == 0, f"{heard[:600]}")


@case("X05", "names that a stranger points at this machine")
def rebinding(arena):
    for host in ("evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example:1", "127.0.0.2", "localhost@evil.example", "a" * 300):
        for method, path in (("GET", "/tools"), ("GET", "/health"), ("GET", "/docs/"), ("POST", "/plugins/dynamic")):
            refused(arena, 403, "host_refused", method, path, JSON, b"{}" if method == "POST" else None, host=host)
    equal(refused(arena, 200, None, "GET", "/health", host="localhost:1").get("content-type"), "application/json")
    status, _, body = request(arena.main.address, "GET", "/health", host=False)
    expect(status in (400, 403), f"no host: {status} {body[:200]}")
    status, _, body = request(arena.main.address, "GET", "/health", {"Host": "evil.example"})
    expect(status in (400, 403), f"two hosts: {status} {body[:200]}")
    status, _, body = request(arena.main.address, "GET", "http://evil.example/health")
    equal(status, 403, "another host in the first line")


@case("X06", "pages of other sites")
def cross_origin(arena):
    for origin in ("http://evil.example", "null", "http://localhost.evil.example", f"http://{arena.main.address}.evil.example", "file://"):
        headers = refused(arena, 403, "host_refused", "POST", "/tools/bystander_echo/execute", {**JSON, "Origin": origin}, CALL)
        expect("access-control-allow-origin" not in headers, str(headers))
        headers = refused(arena, 403, "host_refused", "OPTIONS", "/tools", {"Origin": origin, "Access-Control-Request-Method": "POST"})
        expect("access-control-allow-origin" not in headers, str(headers))
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        refused(arena, 415, "unsupported_media_type", "POST", "/tools/bystander_echo/execute", {"Content-Type": kind}, CALL)
    refused(arena, 403, "host_refused", "GET", "/tools", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"})
    equal(refused(arena, 200, None, "GET", "/health", {"Origin": f"http://{arena.main.address}"}).get("x-content-type-options"), "nosniff")


@case("X07", "tokens that are missing, forged or in the address", alone=True)
def tokens(arena):
    with arena.started(text="[server]\nrequire_token = true") as server:
        token = (server.data_dir / "operator.token").read_text().strip()
        none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvcGVyYXRvciJ9."
        for value in (None, "Bearer", "Bearer ", f"Bearer {none}", f"Basic {token}", token, f"Bearer {token}x", f"Bearer {token[:-1]}",
                      f"Bearer {token} {token}", f"Bearer {'x' * 50_000}"):
            for method, path in (("GET", "/tools"), ("GET", "/health"), ("POST", "/tools/calculate/execute"), ("GET", f"/tools?token={token}")):
                headers = {} if value is None else {"Authorization": value}
                status, headers, body = request(server.address, method, path, headers | JSON, b"{}" if method == "POST" else None)
                equal(status, 401, f"{str(value)[:60]} {path[:30]}")
                expect("bearer" in headers.get("www-authenticate", "").lower(), str(headers))
                expect(token.encode() not in body, "the answer tells the token")
        equal(request(server.address, "GET", "/tools", {"Authorization": f"Bearer {token}"})[0], 200)
        equal(request(server.address, "GET", "/tools", [("Authorization", f"Bearer {token}x"), ("Authorization", f"Bearer {token}")])[0], 401)


@case("X08", "an address that others reach, without a token")
def open_address(arena):
    server = arena.server()
    try:
        server.start("--host", "0.0.0.0")
        server.kill()
        raise AssertionError("the server starts")
    except Ended as ended:
        expect("require_token" in str(ended) and "127.0.0.1" in str(ended), f"the message does not name what to do: {ended}")


@case("X10", "methods and paths that are mixed up")
def confusion(arena):
    refused(arena, 405, "method_not_allowed", "POST", "/tools")
    for method, path in (("GET", "/plugins//load"), ("GET", "/plugins/..%2f..%2fetc/health"), ("GET", "/plugins/%00"), ("GET", "/plugins/%ff"),
                         ("GET", "/TOOLS"), ("POST", "/tools/../plugins/dynamic"), ("GET", "/plugins/dynamic/../../health/x"), ("GET", "/tools/")):
        status, _, body = request(arena.main.address, method, path, JSON, b"{}" if method == "POST" else None)
        expect(status in (400, 404, 405), f"{method} {path}: {status} {body[:200]}")
        expect(json.loads(body)["code"] in ("not_found", "unknown_plugin", "method_not_allowed", "bad_request"), str(body))
    for name in ("health", "stats", "available", "load", "discover", "dynamic", "all"):
        status, body = arena.main.ask("POST", "/plugins/dynamic", {"plugin_id": name, "code": "def one_x():\n    'One.'"})
        expect(400 <= status < 500 and name in body["detail"], f"{name}: {body}")


@case("X11", "a client that goes away in the middle of a call", in_tiers=True)
def cancelled(arena):
    nonce = fresh_nonce()
    code = PRELUDE + f"subprocess.Popen(['sh', '-c', 'sleep 300; echo {nonce}'])\ntime.sleep(300)"
    body = json.dumps({"arguments": FILE.arguments(code), "timeout": 300}).encode()
    connection = connect(arena.main.address)
    head = f"POST /tools/{FILE.tool}/execute HTTP/1.1\r\nHost: {arena.main.address}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    push(connection, head.encode() + body)
    deadline = time.monotonic() + 10
    while not arena.survivors(nonce, within=0):
        expect(time.monotonic() < deadline, "the call did not start")
        time.sleep(0.02)
    connection.close()
    left = arena.survivors(nonce)
    expect(not left, f"left 500 ms after the client: {left}")
    equal(FILE.run(arena, "found = 1").found, 1, "the next call")


@case("X13", "a listener of events that never reads", alone=True)
def slow_consumer(arena):
    before = resident(arena.main)
    with connect(arena.main.address) as connection:
        connection.sendall(f"GET /events HTTP/1.1\r\nHost: {arena.main.address}\r\n\r\n".encode())
        for _ in range(10_000 if arena.long else 1500):
            arena.main.call("calculate", {"expression": "1"})
        grown = resident(arena.main) - before
    expect(grown < 10 << 20, f"the server grew by {grown >> 20} MiB")


@case("X14", "control characters and markup in what tools say", in_tiers=True)
def markup(arena):
    text = "\x1b]52;c;aGk=\x07\x1b[2J\r\b\0\u202e<script>alert(1)</script>\u2028"
    said = []
    arena.main.heard, heard = said.append, arena.main.heard
    try:
        outcome = FILE.run(arena, f"found = {text!r}")
    finally:
        arena.main.heard = heard
    equal(outcome.found, text, "the text, unharmed")
    expect(not any(byte in said[-1] for byte in (b"\x1b", b"\0", b"\r", b"\b")), f"raw control characters: {said[-1][:300]}")
    environment = {**os.environ, "GATHERING_DATA_DIR": str(arena.main.data_dir), "GATHERING_CONFIG": arena.main.environment["GATHERING_CONFIG"]}
    code = f"found = {text!r}"
    for more in ([], ["--json"]):
        ran = subprocess.run([arena.program, "execute", FILE.tool, f"code={code}", *more], env=environment, capture_output=True)
        expect(ran.returncode == 0 and b"script" in ran.stdout, f"{ran}")
        for what in (b"\x1b", b"\0", b"\r", b"\b", *([] if more else ["\u202e".encode()])):
            expect(what not in ran.stdout, f"the terminal is told {ran.stdout!r}")


@case("X15", "a storm of clients that connect and break off", alone=True)
def storm(arena):
    before = descriptors(arena.main)

    def storm_one():
        for number in range(500 if arena.long else 150):
            connection = connect(arena.main.address)
            # Closing discards what was not sent: the other end gets a reset.
            connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")
            connection.sendall(b"POST /tools/bystander_echo/execute HTTP/1.1\r\nHost: x\r\nContent-Le"[: number % 70 + 1])
            connection.close()

    threads = [threading.Thread(target=storm_one) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    left = settles(lambda: descriptors(arena.main), before + 4)
    expect(left <= before + 4, f"{left} descriptors are open, {before} were")
    equal(arena.call("bystander_echo", text="here").result, "here")
