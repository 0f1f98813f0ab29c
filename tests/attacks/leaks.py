"""S: secrets, and what answers and logs tell."""

import json
import pathlib
import stat
import statistics
import time

from attacks.cases import case, equal, expect
from attacks.doors import each
from attacks.wire import request


@case("S01", "the environment", in_tiers=True)
def environment(arena):
    for outcome in each(arena, "found = [sorted(os.environ), shell('env'), os.getenv('CANARY_KEY')]"):
        expect(outcome.code is None, str(outcome))
        names, printed, key = outcome.found
        expect(key is None and "CANARY" not in printed, str(outcome))
        allowed = {"PATH", "HOME", "LANG", "TMPDIR", "LC_CTYPE", "LC_ALL", "PWD", "SHLVL", "_", "TZ", "TERM", "USER", "LOGNAME",
                   "SHELL"}
        expect(set(names) <= allowed, f"through {outcome.door}: {set(names) - allowed}")


@case("S02", "what errors tell", in_tiers=True)
def errors(arena):
    answer = arena.call("attack", code=f"password = 'hidden-local'\ndef inner(key='hidden-local'):\n    raise ValueError('wrong')\ninner()")
    equal(answer.code, "tool_error")
    expect("hidden-local" not in str(answer) and "ValueError: wrong" in answer.detail, str(answer))
    expect("attack.py" in str(answer), f"the line of the plugin is missing: {answer}")
    for path, body in (
        ("/tools/attack/execute", {"arguments": {"code": 5, "api_key": "hidden-argument"}}),
        ("/plugins/load", {"plugin_id": "nobody", "config": {"api_key": "hidden-config"}}),
        ("/plugins/dynamic", {"plugin_id": "x", "config": {"api_key": "hidden-config"}, "code": "def x(: pass"}),
    ):
        status, body = arena.main.ask("POST", path, body)
        expect(400 <= status < 500, str(body))
        expect("hidden-" not in json.dumps(body), f"{path} repeats a value: {body}")
    for path in ("/plugins/discover",):
        status, body = arena.main.ask("POST", path, {"directory": str(arena.outside / "secret")})
        expect(400 <= status < 500 and arena.canary not in json.dumps(body), str(body))


@case("S03", "what is sent stays out of logs", in_tiers=True)
def logs(arena):
    marker = "sk-sent-5521"
    headers = {"Authorization": f"Bearer {marker}"}
    status, _, body = request(arena.main.address, "GET", "/health", headers)
    equal(status, 401, body)
    status, _, body = request(arena.main.address, "POST", f"/tools/x?token={marker}", {"Content-Type": "application/json"}, b"{}")
    arena.call("attack", code=f"password = '{marker}'; found = None")
    arena.call("attack", password=marker, code="found = None")
    arena.main.ask("POST", "/plugins/load", {"plugin_id": "bystander", "config": {"api_key": marker}})
    for path in ("/plugins", "/plugins/stats", "/plugins/bystander", "/plugins/attacker/log", "/health", "/plugins/health/all"):
        expect(marker not in json.dumps(arena.main.ask("GET", path)[1]), f"{path} tells it")
    data = arena.main.data_dir
    # The journal keeps the arguments of calls, for the operator alone.
    equal(oct((data / "journal").stat().st_mode & 0o777), "0o700", "the journal")
    for path in data.rglob("*"):
        if stat.S_ISREG(path.lstat().st_mode) and "journal" not in path.relative_to(data).parts:
            expect(marker.encode() not in path.read_bytes(), f"{path} holds what was sent")
    # Who dumps no core, and is read by nobody of its own user, has files in /proc that belong to root.
    equal(pathlib.Path(f"/proc/{arena.main.process.pid}/environ").stat().st_uid, 0, "the owner of the server's memory")


@case("S05", "the state, the token and the secrets", in_tiers=True)
def store(arena):
    data = arena.main.data_dir
    for name in ("state.db", "operator.token", "lock", "secrets.json", "state.db-wal"):
        path = data / name
        if path.exists():
            equal(oct(path.stat().st_mode & 0o777), "0o600", name)
    equal(data.stat().st_mode & 0o067, 0, "the mode of the data directory")
    code = f"""
found = [name for name in ("state.db", "operator.token", "server.json", "server.out", "lock", "plugins/bystander.py") for path in
         [os.path.join({str(data)!r}, name)] if attempt(lambda: open(path, "rb").read(1) and "worked") == "worked"]
try: found += os.listdir({str(data)!r})
except OSError: pass
"""
    for outcome in each(arena, code):
        expect(outcome.code is None, str(outcome))
        # What it may read lies in there, and the folders above that may be seen; a plugin file reads its own folder.
        seen = set(outcome.found) - {"sdk", "scratch", "dynamic"}
        if outcome.door == "a plugin file":
            seen -= {"plugins", "plugins/bystander.py"}
        equal(seen, set(), f"seen through {outcome.door}")


@case("S06", "guessing the token", slow=True)
def guesses(arena):
    with arena.started("--enable", "bystander", text="[server]\nrequire_token = true") as server:
        token = (server.data_dir / "operator.token").read_text().strip()
        equal(request(server.address, "GET", "/tools", {"Authorization": f"Bearer {token}"})[0], 200)
        near, far = token[:-1] + ("a" if token[-1] != "a" else "b"), "x" * len(token)
        times, statuses = {near: [], far: []}, []
        for number in range(1000 if arena.long else 200):
            for guess, taken in times.items():
                begun = time.perf_counter()
                status, headers, _ = request(server.address, "GET", "/tools", {"Authorization": f"Bearer {guess}"})
                taken.append(time.perf_counter() - begun)
                statuses.append(status)
        equal(set(statuses), {401, 429}, "what guesses were answered")
        equal(request(server.address, "GET", "/tools", {"Authorization": f"Bearer {token}"})[0], 200, "the right token")
        # A comparison that stops at the first difference is some nanoseconds quicker: no measure over HTTP sees it. This sees
        # a comparison of hashes in a database, or a token that is looked up.
        differ = abs(statistics.median(times[near]) - statistics.median(times[far]))
        expect(differ < 0.001, f"guesses that are nearly right take {differ * 1000:.2f} ms longer")


@case("S07", "arguments of processes")
def arguments(arena):
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = path.read_bytes()
        except OSError:
            continue
        for text in (arena.key, arena.secret):
            expect(text.encode() not in said, f"{path} tells a secret")


@case("S08", "a secret in a listing of secrets, and in its plugin's answers", slow=True)
def told_secrets(arena):
    with arena.started("--enable", "intruder") as server:
        plugin = (server.data_dir / "plugins/intruder.py").read_text()
        asks = '# /// script\n# [tool.gathering.permissions]\n# secrets = ["CANARY"]\n# ///\n'
        (server.data_dir / "plugins/intruder.py").write_text(asks + plugin)
        equal(server.ask("POST", "/plugins/intruder/reload")[0], 200, "reloading")
        status, body = server.ask("POST", "/plugins/intruder/grant", {"permissions": {"secrets": ["CANARY"]}})
        equal(status, 200, str(body))
        code = "import os\nprint(os.environ.get('CANARY'))\nfound = [os.environ.get('CANARY'), len(os.environ.get('CANARY', ''))]"
        answer = arena.call("intruder_attack", server=server, code=code)
        equal(answer.result, ["***", len(arena.secret)], str(answer))
        raised = arena.call("intruder_attack", server=server, code="import os\nraise ValueError(os.environ['CANARY'])")
        equal(raised.detail, "ValueError: ***", str(raised))
        log = server.ask("GET", "/plugins/intruder/log")[1]
        expect("***" in json.dumps(log), f"the log has nothing: {log}")
