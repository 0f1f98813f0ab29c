"""R: processor, memory, disk, processes and connections, used up on purpose."""

import json
import os
import pathlib
import threading
import time

from attacks.arena import percentile
from attacks.cases import NotRun, case, equal, expect
from attacks.doors import DYNAMIC, FILE, doors, doors_in_turn, each
from attacks.wire import connect, request, settles

MIB = 1 << 20
#: What a call that used up something may end with.
ENDED = {"worker_exited", "timed_out", "time_limit", "memory_limit", "process_limit", "cpu_limit", "disk_limit", "file_size_limit", "tool_error",
         "output_limit"}


def resident(arena):
    text = pathlib.Path(f"/proc/{arena.main.process.pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def used_up(arena, code, timeout=5, within=2, codes=ENDED, through=None):
    """The payload ends in time, in an error or with what it was let do; and the server has not grown."""
    before, outcomes = resident(arena), []
    for chosen in through or doors(arena):
        outcome = chosen.run(arena, code, timeout)
        expect(outcome.code in {None, *codes}, str(outcome)[:600])
        expect(outcome.took <= timeout + within, f"it took {outcome.took:.1f} s: {str(outcome)[:300]}")
        outcomes.append(outcome)
    grown = settles(lambda: resident(arena) - before, 20 * MIB)
    expect(grown < 20 * MIB, f"the server grew by {grown // MIB} MiB")
    return outcomes


@case("R01", "fork bombs", in_tiers=True, alone=True)
def forks(arena):
    for number, code in enumerate((
        "while True:\n    try: os.fork()\n    except OSError: pass", "found = shell('b() { b | b & }; b; sleep 30; : NONCE')"
    )):
        used_up(arena, code, timeout=0.5, through=doors_in_turn(arena, number))


@case("R02", "memory, in one process", in_tiers=True, alone=True)
def memory(arena):
    code = "held = []\nfor _ in range(999): held.append(bytearray(64 << 20))\nfound = 'all of it'"
    for outcome in used_up(arena, code, through=doors_in_turn(arena, 0)):
        expect(outcome.found != "all of it", f"64 GB were had {outcome}")


@case("R03", "memory, in many processes and in shared memory", in_tiers=True, alone=True)
def memory_of_many(arena):
    if arena.memory() < 6 << 30:
        raise NotRun("the machine has less than 6 GiB to lose")
    children = "children = [subprocess.Popen([sys.executable, '-ISc', 'x = bytearray(400 << 20)\\nwhile True: pass']) for _ in range(24)]\ntime.sleep(60)"
    for outcome in used_up(arena, children, timeout=10, through=[DYNAMIC]):
        equal(outcome.code, "worker_exited", str(outcome)[:300])
        expect("memory" in outcome.answer.detail, str(outcome)[:400])
    files = """
held, written = [], 0
try:
    for number in range(200):
        descriptor = os.memfd_create("x")
        os.write(descriptor, bytes(64 << 20)); held.append(descriptor); written += 64
except (OSError, AttributeError) as error: pass
for descriptor in held: os.close(descriptor)
for folder in ("/dev/shm", "/tmp", os.environ.get("TMPDIR", "/tmp")):
    try:
        for number in range(200):
            open(f"{folder}/fill{number}", "wb").write(bytes(32 << 20)); written += 32
    except OSError: pass
    for number in range(200):
        try: os.unlink(f"{folder}/fill{number}")
        except OSError: pass
found = written
"""
    for outcome in used_up(arena, files, timeout=20, through=[DYNAMIC]):
        expect(outcome.found is None or outcome.found < 5000, f"{outcome.found} MiB were written")


@case("R04", "processor time", in_tiers=True, alone=True)
def processor(arena):
    threads = "for _ in range(8): threading.Thread(target=lambda: sum(iter(int, 1)), daemon=True).start()\nwhile True: pass"
    children = "for _ in range(6): subprocess.Popen(['sh', '-c', 'while :; do :; done # NONCE'])\nwhile True: pass"
    for number, code in enumerate((threads, children)):
        for outcome in used_up(arena, code, timeout=0.5, within=1, through=doors_in_turn(arena, number)):
            expect(outcome.stopped, str(outcome)[:300])


@case("R05", "sleeping past the end, deaf to signals", in_tiers=True, slow=True)
def deaf(arena):
    for outcome in used_up(arena, "found = shell(\"trap '' TERM INT HUP; sleep 300; : NONCE\")", timeout=0.5, within=1):
        expect(outcome.stopped, str(outcome)[:300])


@case("R06", "one file that fills the disk", in_tiers=True, slow=True)
def one_file(arena):
    before = os.statvfs(arena.root).f_bavail
    code = """
written = 0
try:
    with open("huge", "wb", buffering=0) as file:
        for _ in range(100 << 10): written += file.write(bytes(16 << 20))
except OSError as error: found = [errno.errorcode[error.errno], written >> 20]
finally:
    os.unlink("huge")
"""
    for outcome in used_up(arena, code, timeout=30, through=[DYNAMIC]):
        expect(outcome.code is not None or outcome.found[1] < 5000, str(outcome)[:300])
    left = settles(lambda: before - os.statvfs(arena.root).f_bavail, 64 * MIB // 4096, within=10)
    expect(left * 4096 < 6 << 30, "the disk is filled")
    clear(arena)


@case("R07", "many files that fill the disk", in_tiers=True, slow=True)
def many_files(arena):
    code = """
written, found = 0, None
try:
    for number in range(100_000):
        with open(f"part{number}", "wb") as file: written += file.write(bytes(16 << 20))
except OSError as error: found = [errno.errorcode[error.errno], written >> 20]
"""
    for outcome in used_up(arena, code, timeout=60, within=5, through=[DYNAMIC]):
        equal(outcome.code, "worker_exited", str(outcome)[:400])
        expect("disk" in outcome.answer.detail, str(outcome)[:400])
    clear(arena)


def clear(arena):
    """Takes away what an attack wrote."""
    for name in ("attacker", "intruder"):
        for path in (arena.main.data_dir / "scratch" / name).glob("*"):
            if path.is_file():
                path.unlink()


@case("R08", "descriptors, and idle connections", in_tiers=True, slow=True, without=["bystander"])
def descriptors(arena):
    code = """
held = []
try:
    while True: held.append(os.dup(0))
except OSError as error: met = errno.errorcode[error.errno]
for number in held: os.close(number)
found = [met, len(held) < 5000]
"""
    for outcome in each(arena, code):
        equal(outcome.found, ["EMFILE", True], outcome.door)
    idle = []
    try:
        for _ in range(5000 if arena.long else 900):
            idle.append(connect(arena.main.address))
    except OSError:
        pass
    begun = time.monotonic()
    equal(arena.call("bystander_echo", text="here").result, "here")
    expect(time.monotonic() - begun < 2, "a polite client waited")
    for connection in idle:
        connection.close()


@case("R09", "floods of output", in_tiers=True, alone=True)
def floods(arena):
    times = 50 if arena.long else 3
    for number, code in enumerate((
        f"for _ in range({times}): print('x' * (4 << 20))\nfound = 1",
        f"for _ in range({times}): print('y\\n' * (1 << 20), file=sys.stderr)\nfound = 1",
        f"subprocess.run(['sh', '-c', 'head -c {times << 22} /dev/zero; head -c {times << 22} /dev/zero >&2'])\nfound = 1",
    )):
        for outcome in used_up(arena, code, timeout=30, within=3, through=doors_in_turn(arena, number)):
            expect(outcome.code in (None, "output_limit"), str(outcome)[:300])
    for outcome in used_up(arena, f"import gc; gc.collect()\nfound = 'x' * ({500 if arena.long else 64} << 20)", timeout=30, through=[FILE]):
        equal(outcome.code, "output_limit", str(outcome)[:300])
    size = sum(path.stat().st_size for path in arena.main.data_dir.rglob("*.log*"))
    expect(size < 64 * MIB, f"the logs have {size // MIB} MiB")


@case("R13", "deep JSON")
def deep_json(arena):
    for body in (b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 300_000, b'{"arguments":' + b'{"a":' * 200 + b"1" + b"}" * 201):
        status, _, answer = request(arena.main.address, "POST", "/tools/bystander_echo/execute", {"Content-Type": "application/json"}, body)
        equal((status, json.loads(answer)["code"]), (400, "bad_request"), str(answer[:300]))
    for outcome in each(arena, "found = eval('[' * 150 + ']' * 150)"):
        expect(outcome.code in (None, "invalid_result", "protocol_error"), str(outcome)[:300])


def schema_refused(arena, schema, within=2):
    """The plugin is refused, or its tool answers in time."""
    body = {"plugin_id": "huge", "description": "x", "tools": [{"name": "huge", "description": "x", "code": "def huge(**a): return 1",
            "parameters": schema}]}
    begun = time.monotonic()
    sent = json.dumps(body).encode()
    status, _, answer = request(arena.main.address, "POST", "/plugins/dynamic", {"Content-Type": "application/json"}, sent)
    answer = json.loads(answer)
    took = time.monotonic() - begun
    expect(took < within, f"it took {took:.1f} s")
    if status == 201:
        return answer
    expect(400 <= status < 500 and len(answer["detail"]) < 4000, f"{status} {str(answer)[:500]}")
    return None


@case("R14", "huge schemas, and those that go in circles", alone=True)
def huge_schemas(arena):
    listener = arena.listener()
    port = listener.getsockname()[1]
    blowup = {"$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(24)} | {"d24": {}}, "$ref": "#/$defs/d0"}
    for schema in (
        {"type": "object", "properties": {"x": {"description": "y" * (9 << 20)}}},
        {"type": "object", "properties": {f"p{n}": {"type": "integer"} for n in range(200_000)}},
        {"$ref": "#"}, {"type": "object", "properties": {"x": {"$ref": "#/properties/x"}}}, {"$ref": f"http://127.0.0.1:{port}/schema"},
        {"$schema": f"http://127.0.0.1:{port}/meta", "type": "object"}, {"$ref": "file:///etc/passwd"}, blowup,
    ):
        if schema_refused(arena, schema, within=10):
            begun = time.monotonic()
            answer = arena.call("huge", x=1)
            took = time.monotonic() - begun
            expect(answer.code in (None, "invalid_arguments", "tool_error"), str(answer)[:300])
            expect(took < 2, f"{str(schema)[:100]}: a call took {took:.1f} s")
            equal(arena.main.ask("DELETE", "/plugins/huge")[0], 200)
    try:
        listener.accept()
        raise AssertionError("a schema was fetched")
    except BlockingIOError:
        listener.close()


@case("R15", "patterns that take for ever to match")
def slow_patterns(arena):
    for pattern in (r"^(a+)+$", r"^(a|aa)+(?!b)$", r"(\w+\s?)*(?<=x)$", r"^(a*)*\1$", r"(a|a)*$", r"^(([a-z])+.)+[A-Z]([a-z])+$"):
        if schema_refused(arena, {"type": "object", "properties": {"x": {"type": "array", "items": {"type": "string", "pattern": pattern}}}}):
            begun = time.monotonic()
            arena.call("huge", x=["a" * 28 + "!"] * 1000)
            took = time.monotonic() - begun
            expect(took < 1, f"`{pattern}` took {took:.1f} s")
            equal(arena.main.ask("DELETE", "/plugins/huge")[0], 200)


@case("R16", "patterns that are huge when compiled")
def huge_patterns(arena):
    for pattern in (r"\w{2000}", r"(?:a{1000}){1000}", r"[\s\S]{0,1000}x{0,1000}", r"((a{0,100}){0,100}){0,100}"):
        for schema in ({"properties": {"x": {"type": "string", "pattern": pattern}}, "type": "object"}, {"type": "object", "patternProperties": {pattern: {}}}):
            if schema_refused(arena, schema, within=2):
                begun = time.monotonic()
                arena.call("huge", x="a" * 1000)
                expect(time.monotonic() - begun < 1, f"`{pattern}` took {time.monotonic() - begun:.1f} s")
                equal(arena.main.ask("DELETE", "/plugins/huge")[0], 200)


@case("R17", "numbers that are too large to calculate")
def calculations(arena):
    before = resident(arena)
    for expression in ("9**9**9**9", "10**1000000000", "factorial(10**7)", '"a"*10**10', "(" * 50_000 + ")" * 50_000, "1e400", "0/0", "__import__('os')",
                       "().__class__", "2**10**6", "factorial(factorial(20))", "1" * 100_000, "-" * 100_000 + "1", "comb(10**9, 10**8)"):
        begun = time.monotonic()
        answer = arena.call("calculate", expression=expression)
        took = time.monotonic() - begun
        expect(answer.code in ("tool_error", "invalid_arguments"), f"{expression[:40]}: {str(answer)[:300]}")
        expect(took < 1, f"{expression[:40]} took {took:.2f} s")
    expect(resident(arena) - before < 20 * MIB, "the server grew")


@case("R18", "a flood of calls", alone=True)
def call_flood(arena):
    answers, times = [], []

    def one():
        begun = time.monotonic()
        answer = arena.call("intruder_attack", 30, code="import time; time.sleep(0.02); found = 1")
        answers.append(answer)
        if answer.code:
            times.append(time.monotonic() - begun)

    threads = [threading.Thread(target=one) for _ in range(500 if arena.long else 200)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    codes = {(answer.status, answer.code) for answer in answers}
    expect(codes == {(200, None), (429, "busy")}, f"what was answered: {codes}")
    expect(len(times) >= 50, f"only {len(times)} were refused")
    expect(percentile(times, 0.9) < 2, f"being refused took {percentile(times, 0.9):.2f} s")
    begun = time.monotonic()
    equal(arena.call("intruder_echo", text="here").result, "here")
    expect(time.monotonic() - begun < 1, "it takes time to recover")


@case("R20", "plugins made and removed without end", slow=True)
def registrations(arena):
    rounds = 300 if arena.long else 15
    with arena.started() as server:
        def cycle():
            status, body = server.ask("POST", "/plugins/dynamic", {"plugin_id": "flood", "description": "x", "tools": [
                {"name": f"flood_{n}", "description": "x", "code": f"def flood_{n}(): return {n}"} for n in range(50)]})
            equal(status, 201, str(body)[:300])
            equal(server.ask("DELETE", "/plugins/flood")[0], 200)

        cycle()
        pid = server.process.pid
        threads, files = len(os.listdir(f"/proc/{pid}/task")), sum(1 for _ in server.data_dir.rglob("*"))
        for _ in range(rounds):
            cycle()
        expect(len(os.listdir(f"/proc/{pid}/task")) <= threads + 8, "threads are left")
        equal(sum(1 for _ in server.data_dir.rglob("*")), files, "files in the data directory")
        equal(server.ask("GET", "/tools/flood_1")[0], 404)
