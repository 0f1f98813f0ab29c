"""F: kills, full disks, stops and clocks."""

import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

from attacks.arena import processes_with
from attacks.cases import NotRun, case, equal, expect
from attacks.doors import fresh_nonce
from server import Gone


def workers_of(server):
    """The interpreters below a server."""
    parents = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            said = path.read_text()
        except OSError:
            continue
        parents[int(path.parent.name)] = (int(said.rpartition(")")[2].split()[1]), said.partition("(")[2].rpartition(")")[0])
    below = set()
    for pid in parents:
        up = pid
        while up in parents and up != server.process.pid:
            up = parents[up][0]
        if up == server.process.pid and pid != server.process.pid and parents[pid][1].startswith("python"):
            below.add(pid)
    return below


@case("F01", "workers killed under load", in_tiers=True, slow=True)
def killed_workers(arena):
    with arena.started("--enable", "intruder") as server:
        said, ended = [], threading.Event()

        def call():
            while not ended.is_set():
                begun = time.monotonic()
                answer = arena.call("intruder_echo", server=server, text="here", timeout=10)
                said.append((answer.code, time.monotonic() - begun))

        threads = [threading.Thread(target=call) for _ in range(2)]
        [thread.start() for thread in threads]
        end, kills = time.monotonic() + (60 if arena.long else 2), 0
        while time.monotonic() < end:
            for pid in workers_of(server):
                try:
                    os.kill(pid, signal.SIGKILL)
                    kills += 1
                except (ProcessLookupError, PermissionError):
                    pass
            time.sleep(0.2)
        ended.set()
        [thread.join() for thread in threads]
        codes = {code for code, _ in said}
        expect(kills >= 3, f"only {kills} workers were found")
        expect(codes <= {None, "worker_exited", "sandbox_setup_failed"}, f"said meanwhile: {codes}")
        well = sum(code is None for code, _ in said)
        failed = len(said) - well
        expect(well and failed <= kills, f"{failed} of {len(said)} calls failed, and {kills} workers were killed")
        expect(max(took for _, took in said) < 5, "a call hung")


@case("F02", "kill -9 in the middle of making, saving and removing", in_tiers=True, slow=True)
def killed_server(arena):
    chance = random.Random(2)
    server = arena.server(plugins=("bystander",))
    known, nonce = {}, fresh_nonce()
    for _ in range(50 if arena.long else 3):
        server.start()
        there = {plugin["id"] for plugin in server.ask("GET", "/plugins")[1]["plugins"]}
        for name, state in known.items():
            expect(state == "unsure" or (name in there) == (state == "made"), f"{name} was {state}, there are {there}")
            if name in there:
                answer = arena.call(name, server=server)
                equal(answer.result, name, f"what it does, {answer}")
                known[name] = "made"
            else:
                known[name] = "removed"
        killer = threading.Timer(chance.uniform(0.05, 0.8), server.kill)
        killer.start()
        try:
            while True:
                name = f"made_{chance.randrange(5)}"
                before, known[name] = known.get(name), "unsure"
                if before == "made":
                    equal(server.ask("DELETE", f"/plugins/{name}")[0], 200)
                    known[name] = "removed"
                else:
                    body = {"plugin_id": name, "tools": [{"name": name, "description": "x", "code": f"def {name}(): return '{name}' # {nonce}"}]}
                    status, answer = server.ask("POST", "/plugins/dynamic", body)
                    equal(status, 201, str(answer)[:300])
                    known[name] = "made"
        except Gone:
            killer.join()
        deadline = time.monotonic() + 1
        while (left := processes_with(f"GATHERING_DATA_DIR={server.data_dir}")) and time.monotonic() < deadline:
            time.sleep(0.05)
        expect(not left, f"left behind: {left}")


@case("F03", "a full disk", slow=True)
def full_disk(arena):
    if os.geteuid() != 0:
        raise NotRun("only root can mount a small disk")
    folder = arena.root / "small"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m,mode=755", "tmpfs", folder], capture_output=True).returncode:
        raise NotRun("a small disk cannot be mounted here")
    try:
        server = arena.server(plugins=())
        data = folder / "data"
        (data / "plugins").mkdir(parents=True)
        data.chmod(0o700)
        arena.own(data)
        server.data_dir, server.environment["GATHERING_DATA_DIR"] = data, str(data)
        server.start()
        code = {"plugin_id": "first", "tools": [{"name": "first", "description": "x", "code": "def first(): return 1"}]}
        equal(server.ask("POST", "/plugins/dynamic", code)[0], 201)
        (folder / "filler").write_bytes(b"x" * (os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize))
        text = "#" * 100_000 + "\ndef second(): return 2"
        code = {"plugin_id": "second", "tools": [{"name": "second", "description": "x", "code": text}]}
        status, body = server.ask("POST", "/plugins/dynamic", code)
        equal((status, body["code"]), (507, "storage_full"), str(body))
        equal(server.ask("GET", "/tools/second")[0], 404, "half a plugin")
        equal(server.ask("GET", "/plugins")[0], 200)
        # No row of it could be kept, so it is not run.
        refused = arena.call("first", server=server)
        equal((refused.status, refused.code), (503, "journal_failed"), str(refused))
        (folder / "filler").unlink()
        equal(arena.call("first", server=server).result, 1)
        equal(server.ask("POST", "/plugins/dynamic", code)[0], 201, "with room again")
        equal(arena.call("second", server=server).result, 2)
        server.kill()
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@case("F04", "reloading under load", in_tiers=True, slow=True)
def reloads(arena):
    with arena.started("--enable", "intruder") as server:
        failed, ended = [], threading.Event()

        def call():
            while not ended.is_set():
                answer = arena.call("intruder_echo", server=server, text="here")
                if answer.result != "here":
                    failed.append(str(answer))

        threads = [threading.Thread(target=call) for _ in range(2)]
        [thread.start() for thread in threads]
        for _ in range(200 if arena.long else 8):
            equal(server.ask("POST", "/plugins/intruder/reload")[0], 200)
        ended.set()
        [thread.join() for thread in threads]
        equal(failed, [], "failed calls")


@case("F05", "SIGTERM with calls in flight", in_tiers=True, slow=True)
def drain(arena):
    server = arena.server(text="[limits]\nshutdown_grace = 2", plugins=("intruder", "second"))
    server.start("--enable", "intruder", "--enable", "second")
    said = {}

    def call(name, tool, seconds):
        try:
            said[name] = arena.call(tool, server=server, code=f"import time\ntime.sleep({seconds})\nfound = 1")
        except Gone as gone:
            said[name] = gone

    threads = [threading.Thread(target=call, args=("short", "intruder_attack", 1)), threading.Thread(target=call, args=("long", "second_attack", 60))]
    [thread.start() for thread in threads]
    time.sleep(0.5)
    begun = time.monotonic()
    equal(server.stop(), 0, "the exit code")
    took = time.monotonic() - begun
    [thread.join() for thread in threads]
    expect(took < 4, f"it took {took:.1f} s")
    equal(said["short"].result, 1, "the short call")
    equal((said["long"].status, said["long"].code), (503, "shutting_down"), str(said["long"]))


@case("F06", "a server that is stopped for a while", slow=True, without=["bystander"])
def suspended(arena):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(arena.call("intruder_attack", 30, code="import time; time.sleep(0.5); found = 1")))
    thread.start()
    os.kill(arena.main.process.pid, signal.SIGSTOP)
    time.sleep(10 if arena.long else 1)
    os.kill(arena.main.process.pid, signal.SIGCONT)
    thread.join()
    equal(answers[0].result, 1, "the call that was in flight")
    equal(arena.call("bystander_echo", text="here").result, "here")


@case("F08", "an hour of mixed traffic", alone=True, long=True)
def soak(arena):
    # `tests/soak.py` is that; here it runs for a minute, so that each case of the suite has its place in the table.
    program = pathlib.Path(__file__).parent.parent / "soak.py"
    ran = subprocess.run([sys.executable, program, arena.program, "60"], capture_output=True, text=True)
    equal(ran.returncode, 0, ran.stdout[-1000:] + ran.stderr[-1000:])
