"""Where the attacks take place: a server in one tier and of one user, what lies around it, and the oracles."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import stat
import tempfile
import threading
import time

from server import Ended, Server

from attacks.cases import NotRun, expect

#: Who runs the server that is not root.
STRANGER = 12345
#: The documented codes; anything else is no stable code.
DOCS = pathlib.Path(__file__).parents[2] / "docs"
CODES = {
    code
    for page in ("rest.md", "plugins.md")
    for line in (DOCS / page).read_text().splitlines()
    if line.startswith("|")
    for code in re.findall(r"`([a-z_]+)`", line)
}
#: A tool through which code runs, in a plugin file and in a plugin made of code.
ATTACKER = '''
def attack(code: str):
    """Runs what it is given."""
    scope = {}
    exec(compile(code, "payload", "exec"), scope)
    return scope.get("found")
'''
PLUGIN = '''"""Runs what it is given."""

from gathering.core.tool_registry import ToolDefinition
from gathering.plugins import Plugin, PluginMetadata


class Installed(Plugin):
    metadata = property(lambda self: PluginMetadata("{id}", "{id}", "1.0.0", "Runs what it is given"))

    def register_tools(self):
        return [
            ToolDefinition("{id}_attack", "Attacks", "custom", self.attack, parameters={"code": {"type": "string"}}),
            ToolDefinition("{id}_echo", "Echoes", "custom", self.echo, parameters={"text": {"type": "string"}}),
        ]

    def attack(self, code):
        scope = {}
        exec(compile(code, "payload", "exec"), scope)
        return scope.get("found")

    def echo(self, text):
        return text
'''


class Answer:
    """What the server said to a call, looked at from each side."""

    def __init__(self, status, body):
        self.status, self.body = status, body
        error = body.get("error") or {}
        self.code = body.get("code") or error.get("code")
        self.detail = body.get("detail") or error.get("message")
        self.result, self.tier = body.get("result"), body.get("tier")

    def __str__(self):
        return f"{self.status} {json.dumps(self.body)[:600]}"


class Arena:
    """A server under attack. `user` is its user, None for who runs the suite."""

    def __init__(self, program, tier, user, long):
        self.program, self.tier, self.user, self.long = program, tier, user, long
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="gathering-attacks-"))
        self.root.chmod(0o755)
        self.base, self.outside = self.root / "base", self.root / "OUT"
        self.canary = f"CANARY-7f3a-{secrets.token_hex(6)}"
        self.key = f"sk-canary-91c2-{secrets.token_hex(6)}"
        self.secret = f"secret-canary-{secrets.token_hex(6)}"
        self.leaks, self.main = [], None
        self.count = 0
        for folder in (self.base, self.outside, self.outside / "inner", self.root / "base-evil"):
            folder.mkdir()
            # Whoever is kept out is kept out by the server or the sandbox, not by the mode.
            folder.chmod(0o777)
        for path in (self.outside / "secret", self.outside / "inner/deep", self.root / "base-evil/secret"):
            path.write_text(self.canary)
            path.chmod(0o666)
        (self.base / "ok.txt").write_text("inside\n")
        self.own(self.base)

    @property
    def who(self):
        return "root" if (os.geteuid() if self.user is None else self.user) == 0 else "unprivileged"

    def own(self, *paths):
        """Gives what a test made to the server's user."""
        if self.user is not None:
            for top in paths:
                for path in [top, *(top.rglob("*") if top.is_dir() and not top.is_symlink() else ())]:
                    os.chown(path, self.user, self.user, follow_symlinks=False)

    def settings(self, text, tier, launcher):
        """The configuration file that a server of this arena is started with."""
        python = next((path for path in ("/usr/bin/python3", shutil.which("python3")) if os.access(path, os.X_OK)), None)
        if python is None:
            raise NotRun("there is no python3")
        sandbox = [f"tier = {json.dumps(tier)}\n"] if tier else []
        sandbox += [f"launcher = {json.dumps(str(launcher))}\n"] if launcher else []
        settings = f"""
[plugins.config.core]
base_path = {json.dumps(str(self.base))}
[python]
interpreter = {json.dumps(os.path.realpath(python))}
[sandbox]
{"".join(sandbox)}
{text}
"""
        self.count += 1
        path = self.root / f"gathering-{self.count}.toml"
        path.write_text(settings)
        return str(path)

    def server(
        self, text="", plugins=("bystander", "intruder"), environment=None, preexec=None, strongest=False, launcher=None
    ):
        """Another server, with its own data directory; not started. `text` is added to its configuration."""
        self.count += 1
        settings = self.settings(text, None if strongest else self.tier, launcher)
        keys = {"CANARY_KEY": self.key, "GATHERING_SECRET_CANARY": self.secret, "GATHERING_CONFIG": settings}
        data = self.root / f"data-{self.count}"
        data.mkdir(mode=0o700)
        server = Server(self.program, data, (), self.user, {**keys, **(environment or {})}, preexec)
        for plugin in plugins:
            (data / "plugins" / f"{plugin}.py").write_text(PLUGIN.replace("{id}", plugin))
        server.heard = self.listen
        self.own(data)
        return server

    @contextlib.contextmanager
    def started(self, *arguments, **settings):
        """Another server while it is needed."""
        server = self.server(**settings)
        server.start(*arguments)
        try:
            yield server
        finally:
            server.kill()
            self.search(server)

    def open(self):
        self.main = self.server()
        self.main.start("--enable", "bystander", "--enable", "intruder")
        body = {"plugin_id": "attacker", "description": "Attacks", "tools": [{"name": "attack", "code": ATTACKER}]}
        status, answer = self.main.ask("POST", "/plugins/dynamic", body)
        confinement = self.main.ask("GET", "/health")[1].get("confinement", {})
        if confinement.get("tier") != self.tier:
            raise NotRun(f"the tier `{self.tier}` does not hold here: {answer.get('detail')} {json.dumps(confinement)}")
        expect(status == 201, f"the attacker cannot be made: {answer}")

    def close(self):
        if self.main and self.main.process and self.main.process.poll() is None:
            self.main.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def call(self, tool, /, timeout=None, server=None, **arguments):
        """Calls a tool, and asserts of the answer what holds of every answer."""
        server = server or self.main
        status, body = server.ask("POST", f"/tools/{tool}/execute", {"arguments": arguments, "timeout": timeout})
        answer = Answer(status, body)
        self.plain_error(answer)
        return answer

    def plain_error(self, answer):
        """O5: a stable code, one line that says why, and nothing of the server's inside."""
        if answer.status == 200 and not answer.body.get("is_error"):
            return
        expect(answer.code in CODES, f"the code is not documented: {answer}")
        expect(answer.code != "internal", f"a bug of the server: {answer}")
        expect(answer.detail, f"the error says nothing: {answer}")
        if answer.code != "tool_error":
            expect("\n" not in answer.detail, f"the reason has more than one line: {answer}")
        for inside in ("panicked at", "stack backtrace", ".cargo", "/src/", str(self.main.data_dir)):
            expect(inside not in json.dumps(answer.body), f"the error shows `{inside}`: {answer}")

    @staticmethod
    def memory():
        """How much the machine has to give, in bytes."""
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))

    # O1: what must stay where it belongs.

    def hidden(self, server):
        token = server.data_dir / "operator.token"
        tokens = [token.read_text().strip()] if token.exists() else []
        return [text.encode() for text in (self.canary, self.key, self.secret, *tokens)]

    def listen(self, said):
        for text in (self.canary, self.key, self.secret):
            if text.encode() in said:
                self.leaks.append(f"an answer holds {text}: {said[:300]}")

    def search(self, server):
        """Looks for canaries in every file of the data directory."""
        hidden = self.hidden(server)
        for folder, _, names in os.walk(server.data_dir):
            for path in (pathlib.Path(folder, name) for name in names):
                with contextlib.suppress(OSError):
                    if path.name == "operator.token" or not stat.S_ISREG(path.lstat().st_mode):
                        continue
                    held = path.read_bytes()
                    self.leaks += [f"{path} holds {text.decode()}" for text in hidden if text in held]

    # O2

    def outside_state(self):
        """Everything about what lies outside."""
        state = {}
        for top in (self.outside, self.root / "base-evil"):
            for path in [top, *sorted(top.rglob("*"))]:
                seen = path.lstat()
                held = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(seen.st_mode) else None
                state[str(path)] = (held, seen.st_mode, seen.st_mtime_ns, seen.st_uid)
        return state

    # O4

    def survivors(self, nonce, within=0.5):
        """The processes that have `nonce` in their arguments or environment when the time is up, or sooner none."""
        end = time.monotonic() + within
        while True:
            left = processes_with(nonce)
            if not left or time.monotonic() > end:
                return left
            time.sleep(0.05)

    # O6

    def registry_state(self):
        plugins = self.main.ask("GET", "/plugins")[1]["plugins"]
        tools = self.main.ask("GET", "/tools?limit=10000")[1]["tools"]
        competencies = self.main.ask("GET", "/competencies")[1]["competencies"]
        return (
            [(plugin["id"], plugin["version"], plugin["status"]) for plugin in plugins],
            [(tool["name"], tool["description"], tool["plugin_id"]) for tool in tools],
            [competency["id"] for competency in competencies],
        )

    def listener(self, kind=socket.SOCK_STREAM, family=socket.AF_INET, address=("127.0.0.1", 0)):
        listener = socket.socket(family, kind)
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        listener.setblocking(False)
        return listener


def processes_with(nonce):
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with contextlib.suppress(OSError):
                if int(process.name) != os.getpid() and nonce.encode() in (process / name).read_bytes():
                    found.append(f"{process.name}: {(process / 'cmdline').read_bytes()[:200]!r}")
                    break
    return found


class Bystander:
    """O3: somebody else's calls go on while a case runs. Asks ten times a second, and keeps how long each answer took."""

    def __init__(self, server):
        self.server, self.ended = server, threading.Event()
        self.health, self.echo, self.failures = [], [], []
        self.thread = threading.Thread(target=self.ask)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def ask(self):
        while True:
            for times, ask in ((self.health, self.ask_health), (self.echo, self.ask_echo)):
                begun = time.monotonic()
                try:
                    ask()
                except Exception as error:
                    self.failures.append(f"{type(error).__name__}: {error}")
                times.append(time.monotonic() - begun)
            if self.ended.wait(0.1):
                return

    def ask_health(self):
        status, body = self.server.ask("GET", "/health")
        expect(status == 200, f"/health answered {status}: {body}")

    def ask_echo(self):
        code, answer = self.server.call("bystander_echo", {"text": "here"})
        expect(code is None and answer["result"] == "here", f"the echo answered {answer}")


def percentile(times, share):
    times = sorted(times)
    return times[min(len(times) - 1, int(len(times) * share))]


__all__ = ["Answer", "Arena", "Bystander", "Ended", "STRANGER", "percentile", "processes_with"]
