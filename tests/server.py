"""A server to put under strain: started, asked, killed, with a data directory of its own."""

import http.client
import json
import os
import pathlib
import subprocess
import time

PLUGIN = '''"""A plugin for tests."""

import os
import time

from gathering.core.tool_registry import ToolDefinition
from gathering.plugins import Plugin, PluginMetadata


class Tested(Plugin):
    metadata = property(lambda self: PluginMetadata("{id}", "{id}", "1.0.0", "A plugin for tests"))

    def register_tools(self):
        return [
            ToolDefinition("{id}_" + tool.__name__, "A tool", "custom", tool)
            for tool in (self.add, self.loop, self.leave, self.flood, self.garbage, self.chatter)
        ]

    def add(self, x, y):
        return x + y

    def loop(self):
        while True:
            pass

    def leave(self):
        os._exit(3)

    def flood(self):
        return "x" * (20 << 20)

    def garbage(self):
        for descriptor in range(3, 1024):
            try:
                os.write(descriptor, b"garbage\\n")
            except OSError:
                pass
        return "written"

    def chatter(self):
        print("chatter " * 10_000)
        return "printed"
'''


class Gone(Exception):
    """The server went away before it answered."""


class Ended(Exception):
    """The server ended instead of starting."""


class Server:
    """One data directory, and the server that holds it at the moment."""

    def __init__(self, program, data_dir, plugins=(), user=None, environment=None, preexec=None):
        """`user` is who runs it, by number, if not who runs this; `preexec` is called in the process before the program."""
        self.program = program
        self.data_dir = pathlib.Path(data_dir)
        (self.data_dir / "plugins").mkdir(parents=True)
        for plugin in plugins:
            (self.data_dir / "plugins" / f"{plugin}.py").write_text(PLUGIN.replace("{id}", plugin))
        self.user = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        for path in [self.data_dir, *self.data_dir.rglob("*")] if user is not None else []:
            os.chown(path, user, user)
        self.environment = {**os.environ, **(environment or {}), "GATHERING_DATA_DIR": str(self.data_dir)}
        self.preexec = preexec
        self.process = None

    def start(self, *arguments):
        """Returns when it answers, which is when it has told where."""
        told = self.data_dir / "server.json"
        told.unlink(missing_ok=True)
        with open(self.data_dir / "server.out", "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "up", "--port", "0", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
                preexec_fn=self.preexec,
                **self.user,
            )
        while not told.exists():
            if self.process.poll() is not None:
                raise Ended(f"the server ended: {self.log()[-2000:]}")
            time.sleep(0.01)
        self.address = json.loads(told.read_text())["url"].removeprefix("http://")

    def log(self):
        return (self.data_dir / "server.out").read_text(errors="replace")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=30)

    def ask(self, method, path, body=None, token=None):
        """Status and answer; Gone if there is none."""
        connection = http.client.HTTPConnection(self.address, timeout=60)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            said = response.read()
            self.heard(said)
            return response.status, json.loads(said)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Gone(str(error)) from error
        finally:
            connection.close()

    def heard(self, said):
        """Is told the bytes of every answer; whoever wants to know sets it."""

    def call(self, tool, arguments, timeout=None):
        """The code of what went wrong, or None, and the answer."""
        body = {"arguments": arguments, "timeout": timeout}
        _, answer = self.ask("POST", f"/tools/{tool}/execute", body)
        return answer.get("code") or (answer.get("error") or {}).get("code"), answer
