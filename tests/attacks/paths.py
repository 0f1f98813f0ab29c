"""P: paths that lead out of the folder that the file tools work in."""

import ctypes
import os
import pathlib
import random
import shutil
import socket
import subprocess
import threading
import time

from attacks.cases import NotRun, case, equal, expect
from attacks.doors import each
from server import Gone

OUTSIDE = "lies outside of the folder that this tool works in"


def refused(arena, tool, says, /, within=None, **arguments):
    """The tool says no, for this reason; and soon enough."""
    begun = time.monotonic()
    answer = arena.call(tool, **arguments)
    took = time.monotonic() - begun
    expect(answer.code == "tool_error" and says in answer.detail, f"{tool} {str(arguments)[:200]}: {answer}, expected {says!r}")
    expect(str(arena.root) not in answer.detail or str(arena.root) in str(arguments), f"a path of the host: {answer}")
    expect(within is None or took <= within, f"{tool} took {took:.2f} s")


def make(arena, *script):
    """Runs shell commands in the base, as the server's user."""
    who = {} if arena.user is None else {"user": arena.user, "group": arena.user, "extra_groups": []}
    subprocess.run(["/bin/sh", "-ec", "\n".join(script)], cwd=arena.base, check=True, capture_output=True, **who)


def resident(arena):
    text = pathlib.Path(f"/proc/{arena.main.process.pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


@case("P01", "dot-dot")
def dot_dot(arena):
    for path in ("../OUT/secret", "a/../../OUT/secret", "./././../OUT/secret", "..", "ok.txt/../../OUT/secret"):
        answer = arena.call("read_file", path=path)
        expect(answer.code == "tool_error" and arena.canary not in str(answer), str(answer))
        expect(str(arena.root) not in answer.detail, f"a path of the host: {answer}")
    refused(arena, "read_file", OUTSIDE, path="../OUT/secret")
    refused(arena, "list_directory", OUTSIDE, path="../OUT")
    refused(arena, "write_file", OUTSIDE, path="../OUT/new", content="x")
    refused(arena, "git_status", OUTSIDE, path="../OUT")


@case("P02", "absolute paths and a sibling whose name begins alike")
def absolute(arena):
    for path in ("/etc/passwd", str(arena.outside / "secret"), f"{arena.base}-evil/secret", "//etc/passwd"):
        refused(arena, "read_file", OUTSIDE, path=path)
        refused(arena, "write_file", OUTSIDE, path=path, content="x")
    equal(arena.call("read_file", path=str(arena.base / "ok.txt")).result, "inside\n", "an absolute path inside")


@case("P03", "percent and double encoding")
def encoded(arena):
    for path in ("..%2f..%2fetc/passwd", "%2e%2e/OUT/secret", "..%252fOUT%252fsecret", "%2e%2e%2fOUT%2fsecret"):
        refused(arena, "read_file", "there is no", path=path)
    for path in ("/tools/read_file%2f..%2f..%2fhealth", "/tools/..%2f..%2fetc%2fpasswd", "/plugins/%2e%2e%2fcore"):
        status, body = arena.main.ask("GET", path)
        equal(status, 404, path)
        expect(body["code"] in ("unknown_tool", "unknown_plugin", "not_found"), str(body))


@case("P04", "NUL in a path")
def nul(arena):
    for tool, more in (("read_file", {}), ("write_file", {"content": "x"}), ("list_directory", {}), ("git_status", {})):
        refused(arena, tool, "NUL", path="ok.txt\0.png", **more)
    status, body = arena.main.ask("POST", "/plugins/attacker/save", {"output_path": "x\0.py"})
    equal((status, body["code"]), (400, "invalid_path"))


@case("P05", "symbolic links to a file and a folder outside")
def symbolic_links(arena):
    make(arena, "ln -s ../OUT/secret ln; ln -s ../OUT d; ln -s / root; ln -s ln ln2")
    for path in ("ln", "ln2", "d/secret", "root/etc/passwd", "d/inner/../secret"):
        refused(arena, "read_file", OUTSIDE, path=path)
    refused(arena, "list_directory", OUTSIDE, path="d")
    for path in ("d/new", "root/tmp/new", "d/inner/new"):
        refused(arena, "write_file", OUTSIDE, path=path, content="x")
    listed = arena.call("list_directory", recursive=True).result["entries"]
    expect(not any("secret" in entry["path"] for entry in listed), f"a link was followed: {listed}")


@case("P06", "a folder exchanged for a link while it is used", slow=True)
def exchanged(arena):
    rounds = 20_000 if arena.long else 400
    make(arena, "mkdir race; echo inside > race/f; echo inside > race/secret; ln -s ../OUT evil")
    libc, ended = ctypes.CDLL(None, use_errno=True), threading.Event()
    paths = [str(arena.base / name).encode() for name in ("race", "evil")]

    def exchange():
        while not ended.is_set():
            libc.syscall(316, -100, paths[0], -100, paths[1], 2)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        said = set()
        for _ in range(rounds):
            answer = arena.call("read_file", path="race/secret")
            expect(arena.canary not in str(answer), str(answer))
            said.add(answer.code)
        for _ in range(rounds // 4):
            said.add(arena.call("write_file", path="race/new", content="x").code)
    finally:
        ended.set()
        thread.join()
    # Otherwise nothing was exchanged, or nothing read.
    equal(said, {None, "tool_error"}, "what was said meanwhile")
    expect(not (arena.outside / "new").exists(), "a file was written outside")


@case("P08", "a hard link to outside", in_tiers=True)
def hard_link(arena):
    secret = arena.outside / "secret"
    for outcome in each(arena, f"found = attempt(os.link, {str(secret)!r}, 'hl')"):
        expect(outcome.found in ("EXDEV", "ENOENT", "EACCES", "EPERM"), f"through {outcome.door}: {outcome.found}")
    refused(arena, "read_file", "there is no", path="hl")


@case("P09", "a named pipe")
def pipe(arena):
    make(arena, "mkfifo ff; mkdir -p repo; cd repo; git init -q . 2>/dev/null || mkdir .git; rm -f .git/index; mkfifo .git/index")
    refused(arena, "read_file", "not a regular file", path="ff", within=2)
    refused(arena, "write_file", "not a regular file", path="ff", content="x", within=2)
    begun = time.monotonic()
    arena.call("git_status", path="repo")
    expect(time.monotonic() - begun < 2, "git_status waits for a pipe")


@case("P10", "devices and endless files", alone=True)
def devices(arena):
    make(arena, "ln -s /dev/zero z")
    refused(arena, "read_file", OUTSIDE, path="z")
    # Served are the devices themselves.
    server = arena.server()
    config = pathlib.Path(server.environment["GATHERING_CONFIG"])
    config.write_text(config.read_text().replace(str(arena.base), "/dev"))
    server.start()
    try:
        before = pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
        for name in ("zero", "random", "tty", "full", "urandom", "null"):
            begun = time.monotonic()
            answer = arena.call("read_file", server=server, path=name)
            expect(answer.code == "tool_error" and "not a regular file" in answer.detail, str(answer))
            expect(time.monotonic() - begun < 1, f"/dev/{name} took too long")
        after = pathlib.Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
        grown = (int(after) - int(before)) * os.sysconf("SC_PAGE_SIZE")
        expect(grown < 10 << 20, f"the server grew by {grown >> 20} MiB")
    finally:
        server.kill()


@case("P12", "a file that grows while it is read")
def growing(arena):
    ended, path = threading.Event(), arena.base / "growing.log"
    path.write_text("x" * 99 + "\n")
    arena.own(path)

    def grow():
        with path.open("a") as file:
            while not ended.is_set() and path.stat().st_size < 200 << 20:
                file.write(("x" * 99 + "\n") * 10_000)
                file.flush()

    thread = threading.Thread(target=grow)
    thread.start()
    try:
        deadline = time.monotonic() + 10
        while path.stat().st_size < 4 << 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        refused(arena, "read_file", "read it in parts", path="growing.log", within=5)
        lines = arena.call("read_file", path="growing.log", limit=100).result
        equal(len(lines), 10_000, "the size of a hundred lines")
    finally:
        ended.set()
        thread.join()
        path.unlink()


@case("P13", "a socket, a folder, a trailing slash, nothing")
def no_files(arena):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(arena.base / "s.sock"))
        for path, says in (
            ("s.sock", "not a regular file"), (".", "not a regular file"), ("", "the path is empty"),
            ("ok.txt/", "names a folder"), ("ok.txt/.", "names a folder"), ("ok.txt/x", "is not a folder"),
        ):
            refused(arena, "read_file", says, path=path)
        refused(arena, "list_directory", "is not a folder", path="ok.txt")
    for arguments in ({}, {"path": 5}, {"path": None}, {"path": ["ok.txt"]}, {"path": "ok.txt", "extra": 1}):
        equal(arena.call("read_file", **arguments).code, "invalid_arguments", str(arguments))


@case("P14", "long and deep names, a large folder", slow=True)
def long_names(arena):
    refused(arena, "read_file", "too long", path="x" * 256)
    refused(arena, "read_file", "bytes, more than", path="x/" * 2500)
    refused(arena, "list_directory", "bytes, more than", path="a/" * 3000)
    refused(arena, "write_file", "too long", path="y" * 300, content="x")
    many, count = arena.base / "many", 200_000 if arena.long else 5_000
    many.mkdir()
    for number in range(count):
        os.close(os.open(many / str(number), os.O_CREAT, 0o600))
    arena.own(arena.base / "many")
    begun, before = time.monotonic(), resident(arena)
    listing = arena.call("list_directory", path="many").result
    took, grown = time.monotonic() - begun, resident(arena) - before
    shutil.rmtree(many)
    equal((len(listing["entries"]), listing["total"], listing["next_offset"]), (200, count, 200))
    expect(grown < 100 << 20, f"the server grew by {grown >> 20} MiB")
    expect(took < (10 if arena.long else 2), f"listing {count} entries took {took:.2f} s")


@case("P16", "writing through a dangling link")
def dangling(arena):
    make(arena, "ln -s ../OUT/created new; ln -s inside-later soon")
    answer = arena.call("write_file", path="new", content="x")
    equal(answer.code, "tool_error")
    expect(not (arena.outside / "created").exists(), "a file was made outside")
    equal(arena.call("write_file", path="soon", content="x").code, "tool_error", "a dangling link inside")


@case("P18", "kill -9 in the middle of a write", slow=True)
def killed_while_writing(arena):
    chance = random.Random(18)
    server = arena.server()
    path, folder = arena.base / "whole.txt", arena.base
    texts = {letter * (4 << 20) for letter in "ab"}
    server.start()
    arena.call("write_file", server=server, path="whole.txt", content="a" * (4 << 20))
    for _ in range(30 if arena.long else 3):
        killer = threading.Timer(chance.uniform(0.0, 0.3), server.kill)
        killer.start()
        try:
            while True:
                for text in texts:
                    arena.call("write_file", server=server, path="whole.txt", content=text)
        except Gone:
            killer.join()
        expect(path.read_text() in texts, "the file is neither the old nor the new one")
        server.start()
    server.kill()
    litter = [name for name in os.listdir(folder) if "whole" in name and name != "whole.txt" or ".tmp" in name]
    equal(litter, [], "left behind")


@case("P19", "a repository that names programs and files outside")
def hostile_repository(arena):
    if shutil.which("git") is None:
        raise NotRun("there is no git")
    marker, secret = arena.outside / "p", arena.outside / "secret"
    program = arena.base / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    program.chmod(0o755)
    arena.own(program)
    script = f"""
        export HOME=$PWD GIT_CONFIG_NOSYSTEM=1; git init -q hostile; cd hostile
        git config user.name x; git config user.email x@example.org
        echo one > a.txt; echo '* filter=f diff=f' > .gitattributes; git add .; git commit -qm one; echo two > a.txt
        for key in core.fsmonitor core.pager diff.external diff.f.textconv diff.f.command filter.f.clean filter.f.smudge \
            filter.f.process core.editor core.sshCommand core.gitProxy gpg.program; do git config $key {program}; done
        mkdir -p .git/hooks; for hook in post-index-change pre-commit fsmonitor-watchman; do cp {program} .git/hooks/$hook; done
    """
    make(arena, script)
    changed = arena.call("git_status", path="hostile")
    expect("a.txt" in str(changed.body), str(changed))
    for tool in ("git_status", "git_diff"):
        arena.call(tool, path="hostile")
        expect(not marker.exists(), f"{tool} ran a program of the repository")
    config = arena.base / "hostile/.git/config"
    plain = config.read_text()
    for text in (f"[include]\n\tpath = {secret}\n", f"[core]\n\tworktree = {arena.outside}\n", "[core]\n\tworktree = ../../../OUT\n"):
        config.write_text(plain + text)
        for tool in ("git_status", "git_diff"):
            answer = arena.call(tool, path="hostile")
            expect(arena.canary not in str(answer), f"{text!r}: {answer}")
    config.write_text(plain)
    make(arena, f"mkdir linked; echo 'gitdir: {arena.outside}' > linked/.git", "cd hostile; rm .git/HEAD; ln -s ../../../OUT/secret .git/HEAD")
    for path in ("linked", "hostile"):
        answer = arena.call("git_status", path=path)
        expect(answer.code == "tool_error" and arena.canary not in str(answer), f"{path}: {answer}")
    expect(not marker.exists(), "a program of the repository was run")


@case("P20", "files that other programs run")
def trusted_files(arena):
    for path in (
        ".git/hooks/pre-commit", ".git/config", "sub/.git/hooks/x", ".mcp.json", ".vscode/tasks.json", ".bashrc", ".profile",
        ".zshrc", ".ssh/authorized_keys", ".envrc", ".gathering/plugins/x.py", ".idea/workspace.xml", ".GIT/hooks/x",
        "./.git/hooks/x", "a/../.git/hooks/x",
    ):
        answer = arena.call("write_file", path=path, content="x")
        equal(answer.code, "tool_error", path)
        expect("is not written" in answer.detail or "private" in answer.detail or "there is no" in answer.detail
               or "not a folder" in answer.detail, str(answer))
        expect(not (arena.base / path).exists(), f"{path} was written")


@case("P21", "arguments that look like options")
def options(arena):
    target = arena.outside / "x"
    for arguments in (
        {"path": f"--output={target}"}, {"path": "-O/tmp/x"}, {"path": f"--git-dir={arena.outside}"},
        {"path": "--no-index /etc/passwd /dev/null"},
    ):
        answer = arena.call("git_diff", **arguments)
        equal(answer.code, "tool_error", str(arguments))
        expect("root:" not in str(answer), str(answer))
    answer = arena.call("git_diff", path=".", ref="--no-index /etc/passwd /dev/null")
    expect(answer.code in ("tool_error", "invalid_arguments"), str(answer))
    expect(not target.exists(), "a file was written outside")
