"""E: code that leaves its process: other processes, the kernel, what it inherits, and what it leaves behind."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import signal
import termios
import threading
import time

from attacks import filter as kernel
from attacks.arena import ATTACKER, processes_with
from attacks.cases import NotRun, case, equal, expect
from attacks.doors import DYNAMIC, FILE, doors, each, finds, fresh_nonce
from server import Gone

DENIED = {"EPERM", "EACCES", "ENOENT", "ESRCH", "ENOSYS", "ENXIO", "ENOTTY", "EROFS", "ENODEV"}


def all_denied(arena, code):
    """The payload finds a map from what it tried to what it met with: an error each time."""
    for outcome in each(arena, code):
        expect(outcome.code is None, str(outcome))
        got = {what: met for what, met in outcome.found.items() if met not in DENIED}
        expect(outcome.found and not got, f"through {outcome.door}: {got}")
    return outcome.found


@case("E01", "reading the server's environment", in_tiers=True)
def environment_of_others(arena):
    # What holds a canary is found in the answers.
    code = f"""
texts = []
server = {arena.main.process.pid}
for name in ["self", os.getppid(), *range(1, 100), *range(server - 300, server + 300)]:
    for file in ("environ", "cmdline"):
        try: texts.append(open(f"/proc/{{name}}/{{file}}", "rb").read().decode("latin-1"))
        except OSError: pass
found = texts
"""
    for outcome in each(arena, code):
        expect(outcome.code is None, str(outcome))


@case("E02", "tracing and reading the server", in_tiers=True)
def trace(arena):
    all_denied(arena, f"""
S = {arena.main.process.pid}
found = {{
    "seize": syscall(101, 0x4206, S, 0, 0), "attach": syscall(101, 16, S, 0, 0), "read": syscall(310, S, 0, 0, 0, 0, 0),
    "write": syscall(311, S, 0, 0, 0, 0, 0), "mem": attempt(open, f"/proc/{{S}}/mem", "rb"),
    "maps": attempt(open, f"/proc/{{S}}/maps"), "fds": attempt(os.listdir, f"/proc/{{S}}/fd"),
    "root": attempt(os.listdir, f"/proc/{{S}}/root/"), "cwd": attempt(os.listdir, f"/proc/{{S}}/cwd/"),
    "getfd": syscall(438, 3, 3, 0),
}}
found = {{what: met if isinstance(met, str) else "worked" for what, met in found.items()}}
""")


@case("E03", "killing the server and the others", in_tiers=True, slow=True)
def kill(arena):
    server = arena.main.process.pid
    for door in doors(arena):
        # Whatever it kills of itself, the others live: the oracles ask the server and the bystander.
        for act in (
            f"found = attempt(os.kill, {server}, 9)",
            "attempt(os.kill, os.getppid(), 9); time.sleep(0.1); found = 'alive'",
            "found = attempt(os.kill, -1, 9)",
            "found = attempt(os.killpg, os.getpgid(0), 9)",
            f"found = shell('kill -9 {server}; kill -9 -1; killall gathering; pkill gathering; echo done')",
        ):
            outcome = door.run(arena, act)
            expect(outcome.code in {None, "worker_exited", "tool_error"}, str(outcome))
            expect(arena.main.process.poll() is None, f"the server was killed {outcome}")


@case("E04", "a daemon of a double fork", in_tiers=True)
def daemon(arena):
    for outcome in each(arena, "found = shell(\"(setsid sh -c 'exec >/dev/null 2>&1; sleep 300; echo NONCE' &) ; exit 0\")"):
        expect(outcome.code is None, str(outcome))


@case("E05", "a tree that respawns itself in new sessions", in_tiers=True, slow=True)
def respawner(arena):
    code = """
os.environ["S"] = 'sleep 0.03; setsid sh -c "$S" NONCE &'
for _ in range(8):
    subprocess.Popen(["setsid", "sh", "-c", os.environ["S"], "NONCE"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
time.sleep(300)
"""
    for door in doors(arena):
        outcome = door.run(arena, code, timeout=0.5)
        expect(outcome.stopped and outcome.took <= 1.5, f"after {outcome.took:.2f} s {outcome}")


@case("E06", "the server dies hard during calls with daemons", in_tiers=True, slow=True)
def server_killed(arena):
    nonce = fresh_nonce()
    code = f"import subprocess, time\nfor _ in range(3): subprocess.Popen(['setsid', 'sh', '-c', 'sleep 300; echo {nonce}'])\ntime.sleep(300)"
    server = arena.server()
    server.start("--enable", "bystander", "--enable", "intruder")
    status, answer = server.ask("POST", "/plugins/dynamic", {"plugin_id": "attacker", "tools": [{"name": "attack", "description": "x", "code": ATTACKER}]})
    equal(status, 201, str(answer))
    threads = []
    for door in doors(arena):
        def call(door=door):
            try:
                arena.call(door.tool, server=server, **door.arguments(code))
            except Gone:
                pass
        threads.append(threading.Thread(target=call))
        threads[-1].start()
    deadline = time.monotonic() + 20
    # Each shell is there, and the `sleep` that it waits for in a session of its own.
    while len(arena.survivors(nonce, within=0)) < 3 * len(threads):
        expect(time.monotonic() < deadline, "the daemons did not start")
        time.sleep(0.05)
    server.kill()
    left = arena.survivors(nonce, within=1) or processes_with(f"GATHERING_DATA_DIR={server.data_dir}")
    for thread in threads:
        thread.join()
    expect(not left, f"left 1 s after the server: {left}")


@case("E07", "new namespaces, to gain capabilities", in_tiers=True)
def namespaces(arena):
    found = all_denied(arena, """
found = {"unshare user": syscall(272, 0x10000000), "unshare mount": syscall(272, 0x20000), "unshare pid": syscall(272, 0x20000000),
         "clone user": syscall(56, 0x10000000 | 17, 0, 0, 0, 0), "clone net": syscall(56, 0x40000000 | 17, 0, 0, 0, 0),
         "clone3": syscall(435, 0, 0), "setns": syscall(308, 0, 0), "program": shell("unshare -Urm echo worked") or "EPERM"}
""")
    equal(found["clone3"], "ENOSYS", "clone3, so that libc falls back")
    finds(arena, """
threads = [threading.Thread(target=lambda: None) for _ in range(4)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
found = shell("echo works")
""", "works\n")


@case("E08", "mounts, chroot, pivot_root, mknod", in_tiers=True)
def mounts(arena):
    all_denied(arena, """
import tempfile
os.chdir(tempfile.mkdtemp())
os.mkdir("m")
found = {"mount": syscall(165, b"x", b"m", b"tmpfs", 0, None), "bind": syscall(165, b"/", b"m", None, 4096, None),
         "umount": syscall(166, b"/proc", 2), "chroot": attempt(os.chroot, "."), "pivot_root": syscall(155, b".", b"."),
         "mknod": attempt(os.mknod, "d", 0o20666, os.makedev(1, 3)), "open_tree": syscall(428, -100, b"/", 1),
         "fsopen": syscall(430, b"tmpfs", 0), "mount_setattr": syscall(442, -100, b"/", 0, 0, 0)}
""")


@case("E09", "a setuid program", in_tiers=True)
def setuid(arena):
    if os.geteuid() != 0:
        raise NotRun("only root can make a setuid program to try")
    program = arena.main.data_dir / "plugins/become-root"
    shutil.copy("/usr/bin/id", program)
    program.chmod(0o4755)
    outcome = FILE.run(arena, f"found = [os.getuid() == os.geteuid() != 0, shell('{program} -u').strip() not in ('0', '')]")
    program.unlink()
    equal(outcome.found, [True, True], "not root before, a number after")


@case("E10", "inherited descriptors", in_tiers=True)
def descriptors(arena):
    code = """
found = []
for number in range(3, 4096):
    try: kind = os.fstat(number).st_mode >> 12
    except OSError: continue
    link = attempt(os.readlink, f"/proc/self/fd/{number}")
    copy = os.dup(number)
    try: listens = socket.socket(fileno=copy).getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError: listens = 0; os.close(copy)
    try: held = os.pread(number, 200, 0).decode("latin-1")
    except OSError: held = ""
    found.append([link.split(":")[0], listens, held])
"""
    for outcome in each(arena, code):
        expect(outcome.code is None, str(outcome))
        # What an interpreter prints is kept in a file of its own, which has no name.
        for link, listens, held in (found for found in outcome.found if not found[0].endswith("(deleted)")):
            expect(link in ("pipe", "socket") and not listens and not held, f"through {outcome.door}: {link}, {listens}, {held!r}")
        expect(len(outcome.found) <= 6, f"through {outcome.door}: {outcome.found}")


@case("E11", "wide doors into the kernel", in_tiers=True)
def kernel_surface(arena):
    all_denied(arena, """
calls = dict(io_uring_setup=425, io_uring_enter=426, io_uring_register=427, bpf=321, perf_event_open=298, userfaultfd=323,
    keyctl=250, add_key=248, request_key=249, name_to_handle_at=303, open_by_handle_at=304, fanotify_init=300, kexec_load=246,
    init_module=175, finit_module=313, reboot=169, swapon=167, syslog=103, modify_ldt=154, iopl=172, sethostname=170)
found = {name: syscall(number, 0, 0, 0, 0, 0, 0) for name, number in calls.items()}
""")


@case("E12", "settings of the kernel, opened for writing", in_tiers=True)
def kernel_settings(arena):
    all_denied(arena, """
paths = ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/sys/fs/cgroup/cgroup.procs",
    "/sys/kernel/uevent_helper", "/dev/mem", "/dev/kmsg", "/proc/1/mem", "/etc/passwd", "/etc/ld.so.preload")
found = {path: attempt(os.open, path, os.O_WRONLY) for path in paths}
""")


@case("E13", "typing into the terminal that the server was started from", in_tiers=True, slow=True)
def terminal(arena):
    ours, theirs = os.openpty()
    name = os.ttyname(theirs)
    if arena.user is not None:
        os.chown(name, arena.user, arena.user)

    def take_it():
        os.setsid()
        fcntl.ioctl(os.open(name, os.O_RDWR), termios.TIOCSCTTY, 0)

    with arena.started("--enable", "intruder", preexec=take_it) as server:
        code = """
import fcntl, os, errno
def attempt(act):
    try: act(); return "worked"
    except OSError as error: return errno.errorcode[error.errno]
found = [attempt(lambda: os.open("/dev/tty", os.O_RDWR)), attempt(lambda: os.open("%s", os.O_RDWR)),
    *(attempt(lambda: fcntl.ioctl(n, 0x5412, b"x")) for n in range(3)), attempt(lambda: fcntl.ioctl(0, 0x541C, b"x"))]
""" % name
        found = arena.call("intruder_attack", server=server, code=code).result
    os.set_blocking(ours, False)
    try:
        typed = os.read(ours, 100)
    except BlockingIOError:
        typed = b""
    os.close(ours), os.close(theirs)
    expect("worked" not in found, f"a terminal was opened: {found}")
    equal(typed, b"", "typed into the terminal")


@case("E15", "a kernel without namespaces, without Landlock, without both", slow=True)
def degraded(arena):
    tool = {"plugin_id": "one", "description": "x", "tools": [{"name": "one", "description": "x", "code": "def one(): return 1"}]}
    for lacks, expected in (
        (kernel.NO_NAMESPACES, "confined"), (kernel.NO_LANDLOCK, None), (kernel.NO_NAMESPACES + kernel.NO_LANDLOCK, "none"),
    ):
        with arena.started(preexec=kernel.without(*lacks), strongest=True) as server:
            status, answer = server.ask("POST", "/plugins/dynamic", tool)
            told = server.ask("GET", "/health")[1]["confinement"]
            expect(expected is None or told["tier"] == expected, f"the tier is {told}, expected {expected}")
            expect(told["missing"] and all(item["what"] and item["remedy"] for item in told["missing"]), f"what is missing: {told}")
            expect(all(item["what"] in server.log() for item in told["missing"]), f"the log does not say what is missing: {server.log()}")
            if told["tier"] == "none":
                equal((status, answer["code"]), (503, "sandbox_setup_failed"), str(answer))
                expect("doctor" in answer["detail"] and "allow_unconfined" in answer["detail"], str(answer))
            else:
                equal(status, 201, str(answer))
                answer = arena.call("one", server=server)
                equal((answer.result, answer.tier), (1, told["tier"]), str(answer))


def children_of(parent):
    found = []
    for task in pathlib.Path(f"/proc/{parent}/task").iterdir():
        with contextlib.suppress(OSError):
            found += [int(pid) for pid in (task / "children").read_text().split()]
    return found


@case("E16", "a sandbox that can no longer be set up", in_tiers=True, slow=True)
def setup_fails(arena):
    program = arena.root / "gathering"
    shutil.copy(arena.program, program)
    with arena.started("--enable", "intruder", launcher=program) as server:
        equal(arena.call("intruder_attack", server=server, code="found = 1").result, 1)
        os.replace(shutil.copy("/bin/false", arena.root / "false"), program)
        # Launchers are forked from one, which has to be started again now.
        for pid in children_of(server.process.pid):
            if b"__sandbox" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGKILL)
        for _ in range(2):
            answer = arena.call("intruder_attack", server=server, code="import os; os._exit(0)")
            expect(answer.code in ("worker_exited", "sandbox_setup_failed"), str(answer))
        equal((answer.status, answer.code), (503, "sandbox_setup_failed"), str(answer))
    # What cannot be mounted, or ruled, as the policy wants it. What a killed server left in its place goes with a command.
    equal(arena.call("run_command", command="echo ran").result["stdout"], "ran\n")
    link = arena.base / ".vscode"
    link.symlink_to(arena.outside)
    arena.own(link)
    try:
        answer = arena.call("run_command", command="echo ran")
        equal((answer.status, answer.code), (503, "sandbox_setup_failed"), str(answer))
        expect(".vscode" in answer.detail and answer.result is None, str(answer))
    finally:
        link.unlink()
    equal(arena.call("run_command", command="echo ran").result["stdout"], "ran\n")


@case("E17", "programs that are brought along or only in memory", in_tiers=True)
def brought_along(arena):
    secret = arena.outside / "secret"
    port = arena.listener()
    finds(arena, f"""
import shutil, tempfile
folder = tempfile.mkdtemp()
mine = os.path.join(folder, "mine")
shutil.copy("/bin/cat", mine)
os.chmod(mine, 0o755)
said = attempt(lambda: subprocess.run([mine, {str(secret)!r}], capture_output=True, text=True).stdout)
number = syscall(319, b"x", 0)
if not isinstance(number, str):
    os.write(number, open("/bin/cat", "rb").read())
    try: said += subprocess.run([f"/proc/self/fd/{{number}}", {str(secret)!r}], pass_fds=[number], capture_output=True, text=True).stdout
    except OSError: pass
shutil.rmtree(folder)
found = "" if said in ("", "EACCES") else said
""", "")
    try:
        port.accept()
        raise AssertionError("somebody connected")
    except BlockingIOError:
        port.close()


@case("E18", "another agent's files and processes", in_tiers=True)
def other_agents(arena):
    nonce = fresh_nonce()
    left = DYNAMIC.run(arena, f"""
paths = []
for folder in {{"/tmp", os.environ.get("TMPDIR", "/tmp"), os.getcwd(), "/dev/shm", os.environ["HOME"]}}:
    path = os.path.join(folder, "{nonce}")
    try: open(path, "w").write("mine"); paths.append(path)
    except OSError: pass
found = [os.getpid(), paths]
""")
    pid, paths = left.found
    expect(paths, "nothing could be written anywhere")
    seen = FILE.run(arena, f"""
pid, found = {pid}, []
for path in {paths!r}:
    try: open(path).read(); found.append(path)
    except OSError: pass
for folder in ("/tmp", "/dev/shm"):
    try: found += [name for name in os.listdir(folder) if "{nonce}" in name]
    except OSError: pass
found += [what for what, act in (("fd", lambda: os.listdir(f"/proc/{{pid}}/fd")), ("environ", lambda: open(f"/proc/{{pid}}/environ").read()))
          if pid != os.getpid() and attempt(act) not in ("EACCES", "ENOENT", "EPERM", "ESRCH")]
""")
    equal(seen.found, [], "seen of another")
    DYNAMIC.run(arena, f"[os.unlink(path) for path in {paths!r} if os.path.exists(path)]")
