"""A worker as a subprocess, driven over its pipes as the host drives it."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import threading
import unittest

PROGRAM = os.path.join(os.path.dirname(__file__), "..", "gathering", "_worker", "__main__.py")
HEAD = """
    import asyncio, os, sys, threading, time
    from gathering.core.tool_registry import ToolDefinition, tool_registry
    from gathering.plugins import Plugin, PluginMetadata

    def tool(function, **more):
        return ToolDefinition(function.__name__, "A tool", "utility", function, **more)
"""
#: A worker that has said nothing for so long is stuck; the test then fails instead of waiting for ever.
PATIENCE = 20


class Worker:
    """One process. `request` gives the answer; what it asks of the host meanwhile is answered by `answer`."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ.get("PATH", "")},
        )
        self._guard = threading.Timer(PATIENCE, self.process.kill)
        self._guard.start()
        self._last = 0

    def send(self, frame):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n")
        self.process.stdin.flush()

    def receive(self):
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the worker ended: {self.process.stderr.read().decode()}")
        return json.loads(line)

    def begin(self, method, **params):
        self._last += 1
        if method in ("describe", "load"):
            params.setdefault("environment", {})
        self.send({"id": self._last, "method": method, "params": params})
        return self._last

    def request(self, method, **params):
        id = self.begin(method, **params)
        frame = self.receive()
        assert frame["id"] == id and "method" not in frame, frame
        return frame

    def call(self, tool, arguments=None, **params):
        return self.request("call", tool=tool, arguments=arguments or {}, **params)

    def end(self):
        """Goes away as a host does and waits for the worker's end; what it printed."""
        self.process.stdin.close()
        printed = self.process.stderr.read().decode()
        self.process.wait()
        return printed


class WorkerTest(unittest.TestCase):
    """A folder for plugin files and workers that do not outlive the test."""

    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, source, name="mine.py", head=HEAD):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(textwrap.dedent(head) + textwrap.dedent(source))
        return path

    def plugin(self, tools, extra="", name="mine.py"):
        """A plugin file with these methods as its tools."""
        names = re.findall(r"^(?:async )?def (\w+)", textwrap.dedent(tools), re.MULTILINE)
        listed = ", ".join(f"tool(self.{name})" for name in names)
        body = f"""
class Mine(Plugin):
    metadata = property(lambda self: PluginMetadata("mine", "Mine", "1.0", "A plugin"))
    def register_tools(self):
        return [{listed}]
{textwrap.indent(textwrap.dedent(extra), "    ")}
{textwrap.indent(textwrap.dedent(tools), "    ")}
"""
        return self.file(body, name)

    def worker(self):
        worker = Worker()
        self.addCleanup(worker._guard.cancel)
        self.addCleanup(_leave_nothing, worker.process)
        return worker

    def loaded(self, path, config=None, max_output=1 << 20):
        worker = self.worker()
        answer = worker.request("load", path=path, site_packages=[], config=config or {}, max_output=max_output)
        self.assertIn("result", answer, answer)
        return worker

    def refusal(self, answer):
        error = answer["error"]
        return error["data"]["code"], error["message"]


def _leave_nothing(process):
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        try:
            stream.close()
        except BrokenPipeError:
            pass
