"""Y: Python code that does not keep to what a worker and its host agreed on."""

import time

from attacks.cases import case, equal, expect
from attacks.doors import DYNAMIC, FILE, PRELUDE, doors, each, finds, fresh_nonce


def workers():
    """The doors behind which a worker lives on from call to call."""
    return (DYNAMIC, FILE)


def works_again(arena, door):
    begun = time.monotonic()
    equal(door.run(arena, "found = 'again'").found, "again", f"the next call through {door.name}")
    expect(time.monotonic() - begun < 2, f"the next call took {time.monotonic() - begun:.1f} s")


@case("Y01", "leaving in every way there is", in_tiers=True, slow=True)
def leaving(arena):
    for door in workers():
        for act in ("os._exit(0)", "os.abort()", "ctypes.string_at(0)", "os.kill(os.getpid(), 9)", "os._exit(7)"):
            outcome = door.run(arena, act)
            equal((outcome.answer.status, outcome.code), (502, "worker_exited"), f"{act} {outcome}")
            works_again(arena, door)
        for act in ("sys.exit(0)", "raise SystemExit", "exit()", "raise SystemExit('x' * 100)"):
            outcome = door.run(arena, act)
            expect(outcome.code in ("tool_error", "worker_exited"), f"{act} {outcome}")
            works_again(arena, door)
    status, body = arena.main.ask("POST", "/plugins/dynamic", {"plugin_id": "leaver", "tools": [
        {"name": "leaver", "description": "x", "code": "import os\nos._exit(0)\ndef leaver(): pass"}]})
    expect(400 <= status < 504 and body["code"] != "internal", str(body))


@case("Y02", "forged answers on the channel and everywhere else", in_tiers=True)
def forged(arena):
    code = """
frames = [b'{"id":1,"result":"forged"}\\n', b'{"jsonrpc":"2.0","id":%d,"result":"forged"}\\n' % 1, b'\\0\\0\\0\\x1a{"id":1,"result":"forged"}']
print(frames[0].decode())
for number in [*range(0, 256)]:
    for frame in frames:
        try:
            os.set_blocking(number, False)
            os.write(number, frame)
        except OSError: pass
found = "mine"
"""
    for door in doors(arena):
        outcome = door.run(arena, code)
        expect(outcome.found == "mine" or outcome.code == "protocol_error", str(outcome))
        equal(arena.call("bystander_echo", text="here").result, "here")
        works_again(arena, door)


@case("Y04", "blocking for ever", in_tiers=True, slow=True)
def blocking(arena):
    for door in workers():
        for act in ("time.sleep(1e9)", "signal.pause()", "lock = threading.Lock(); lock.acquire(); lock.acquire()",
                    "import re; re.match('(a+)+$', 'a' * 64 + '!')", "10 ** 10 ** 8"):
            outcome = door.run(arena, act, timeout=0.3)
            equal((outcome.answer.status, outcome.code), (504, "timed_out"), f"{act} {outcome}")
            expect(outcome.took < 1.5, f"{act} took {outcome.took:.1f} s")
        works_again(arena, door)
    for outcome in each(arena, "try: found = repr(input())\nexcept EOFError: found = 'EOF'", timeout=5):
        expect(outcome.found == "EOF", f"input() waits or reads: {outcome}")


@case("Y05", "signals ignored, and timers", in_tiers=True, slow=True)
def signals(arena):
    code = """
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGPIPE): signal.signal(number, signal.SIG_IGN)
libc.prctl(1, 0, 0, 0, 0)
subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; sleep 300; echo NONCE"])
while True: pass
"""
    for door in doors(arena):
        outcome = door.run(arena, code, timeout=0.5)
        expect(outcome.stopped, str(outcome))
        expect(outcome.took < 2, f"it took {outcome.took:.1f} s")


@case("Y06", "threads and children that stay", in_tiers=True)
def staying(arena):
    nonce = fresh_nonce()
    code = PRELUDE + f"""
import atexit
atexit.register(time.sleep, 60)
class Clinging:
    def __del__(self):
        while True: time.sleep(1)
keep = [Clinging()]
for _ in range(10): threading.Thread(target=time.sleep, args=(300,)).start()
subprocess.Popen(["sh", "-c", "sleep 300; echo {nonce}"], start_new_session=True)
found = "started"
"""
    for door in workers():
        equal(arena.call(door.tool, **door.arguments(code)).result, "started")
        begun = time.monotonic()
        equal(arena.main.ask("POST", f"/plugins/{door.plugin}/reload")[0], 200, "reloading")
        left = arena.survivors(nonce, within=1)
        expect(not left, f"left after the worker through {door.name}: {left}")
        expect(time.monotonic() - begun < 5, "reloading took too long")
        works_again(arena, door)


@case("Y08", "state that others could see", in_tiers=True)
def state(arena):
    changes = """
import builtins, decimal, locale
builtins.mine = 1; os.chdir("/"); decimal.getcontext().prec = 3; sys.setrecursionlimit(5000); os.umask(0)
sys.modules["json"].dumps = None; os.environ["MINE"] = "1"; sys.path.insert(0, "/mine")
found = None
"""
    reads = """
import builtins, decimal
found = [hasattr(builtins, "mine"), os.getcwd() == "/", decimal.getcontext().prec, sys.getrecursionlimit(), os.umask(0o22),
    json.dumps is None, "MINE" in os.environ, "/mine" in sys.path]
"""
    before = FILE.run(arena, reads).found
    DYNAMIC.run(arena, changes)
    equal(FILE.run(arena, reads).found[:4], before[:4], "another plugin's state")
    equal(FILE.run(arena, reads).found[5:], [False] * 3, "another plugin's state")
    equal(arena.main.ask("POST", "/plugins/attacker/reload")[0], 200, "reloading")
    equal(DYNAMIC.run(arena, reads).found[0], False, "state after a reload")


@case("Y09", "values that have no form in JSON", in_tiers=True)
def values(arena):
    for made in (
        "float('nan')", "float('inf')", "10 ** 5000", "(lambda l: l.append(l) or l)([])", "(n for n in range(3))", "lambda: 1", "object()",
        "'\\ud800'", "type('R', (), {'__repr__': lambda s: 1 / 0, '__str__': lambda s: 1 / 0})()", "{(1, 2): 3}", "[[object()]]",
        "type('D', (dict,), {'items': lambda s: [1, 2]})(a=1)", "__import__('asyncio').sleep(0)", "NotImplemented", "print",
    ):
        for door in workers():
            outcome = door.run(arena, f"found = {made}")
            expect(outcome.answer.status != 500 and outcome.code != "internal", f"{made} {outcome}")
            expect(outcome.code in (None, "invalid_result", "tool_error"), f"{made} {outcome}")
    deep = "found = []\nfor _ in range(100_000): found = [found]"
    for door in workers():
        outcome = door.run(arena, deep)
        expect(outcome.code in ("invalid_result", "tool_error", "protocol_error", "output_limit"), str(outcome))
        outcome = door.run(arena, "found = 'x' * (64 << 20)")
        equal(outcome.code, "output_limit", str(outcome)[:300])
        works_again(arena, door)


@case("Y10", "exceptions of every kind", in_tiers=True)
def exceptions(arena):
    for act in (
        "raise BaseException('x')", "raise KeyboardInterrupt", "def f(): f()\nf()", "raise MemoryError", "raise ValueError('m' * (10 << 20))",
        "raise type('S', (Exception,), {'__str__': lambda s: 1 / 0, '__repr__': lambda s: 1 / 0})()", "raise StopIteration", "raise GeneratorExit",
        "raise ValueError('\\ud800\\x1b[2J')", "raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'why')",
        "raise ValueError(ValueError(ValueError('nested')))", "raise ExceptionGroup('g', [ValueError(n) for n in range(3)])",
    ):
        for door in workers():
            outcome = door.run(arena, act)
            equal((outcome.answer.status, outcome.code), (200, "tool_error"), f"{act} {outcome}"[:500])
            expect(len(str(outcome.answer.body)) < 100_000, f"{act}: the answer is huge")
    for door in workers():
        outcome = door.run(arena, "while True:\n    try: time.sleep(1)\n    except BaseException: pass", timeout=0.3)
        equal(outcome.code, "timed_out", str(outcome))
        works_again(arena, door)


@case("Y11", "code that is none", slow=True)
def code_field(arena):
    def make(code, expected, server=arena.main):
        body = {"plugin_id": "newcomer", "tools": [{"name": "newcomer", "description": "x", "code": code}]}
        begun = time.monotonic()
        status, answer = server.ask("POST", "/plugins/dynamic", body)
        took = time.monotonic() - begun
        if expected == 201:
            equal(status, 201, str(answer)[:500])
            equal(arena.main.ask("DELETE", "/plugins/newcomer")[0], 200)
        else:
            equal((status, answer.get("code")), expected, f"{code[:60]!r}: {answer}"[:700])
            expect(answer["detail"], str(answer))
        return answer, took

    answer, _ = make("def newcomer(:\n    pass", (400, "invalid_code"))
    expect("line 1, column" in answer["detail"], str(answer))
    make("x = 1", (400, "invalid_code"))
    answer, _ = make("def one(): pass\ndef two(): pass", (400, "invalid_code"))
    expect("one" in answer["detail"] and "two" in answer["detail"], str(answer))
    make("def newcomer():\n\treturn 1", 201)
    make("async def newcomer(): return 1", 201)
    make("\ufeffdef newcomer(): return 1", (400, "invalid_code"))
    make("def newcomer(): return 'a\0b'", (400, "bad_request"))
    make('def newcomer(): return """it\'s ""quoted"" \\\\ {braces} }}"""', 201)
    make("#" * (5 << 20) + "\ndef newcomer(): return 1", (400, "bad_request"))
    make("(" * 5000 + ")" * 5000 + "\ndef newcomer(): return 1", (400, "invalid_code"))
    make("import nothing_like_this\ndef newcomer(): return 1", (422, "missing_dependency"))
    with arena.started(text="[limits]\nload_timeout = 1") as server:
        _, took = make("while True: pass\ndef newcomer(): return 1", (504, "timed_out"), server)
        expect(took < 5, f"it took {took:.1f} s")


@case("Y12", "ways out of Python", in_tiers=True)
def python_itself(arena):
    secret = arena.outside / "secret"
    code = f"""
import gc, inspect
found = []
def reach(act):
    try: found.append(str(act())[:200])
    except BaseException as error: found.append(type(error).__name__)
subclasses = ().__class__.__base__.__subclasses__()
for opener in (open, os.open, *(c for c in subclasses if c.__name__ == "FileIO")):
    reach(lambda: opener({str(secret)!r}, os.O_RDONLY) if opener is os.open else opener({str(secret)!r}).read())
reach(lambda: "{{0.__class__.__base__}}".format(()))
reach(lambda: [o for o in gc.get_objects() if isinstance(o, str) and "canary" in o.lower() and "secret" in o])
reach(lambda: ctypes.CDLL(None).system(b"cat {secret}"))
reach(lambda: subprocess.check_output(["cat", {str(secret)!r}]))
frame, seen = sys._getframe(), []
while frame: seen.append(repr(sorted(frame.f_locals))); frame = frame.f_back
reach(lambda: seen)
reach(lambda: open("/proc/self/mem", "rb").read(1))
"""
    for outcome in each(arena, code):
        # What is reached in Python is no harm: the oracles look for canaries in every answer.
        expect(outcome.code in (None, "tool_error"), str(outcome))
