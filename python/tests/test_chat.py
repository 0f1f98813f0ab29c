"""Talking with agents of a server: the clients, against a mock of a model's provider that others wrote."""

import asyncio
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.request

from gathering import AsyncClient, Client, ClientError

ANSWERS = {"fixtures": [
    {"match": {"userMessage": "sum", "hasToolResult": False},
     "response": {"content": "Let me see. ", "toolCalls": [{"name": "calculate", "arguments": {"expression": "6 * 7"}}]}},
    {"match": {"userMessage": "sum"}, "response": {"content": "It is 42."}},
    {"match": {"userMessage": "wait", "hasToolResult": False},
     "response": {"toolCalls": [{"name": "run_command", "arguments": {"command": "touch begun; sleep 25; touch ended"}}]}},
    {"match": {"userMessage": "wait"}, "response": {"content": "It was stopped."}},
    {"match": {}, "response": {"error": {"message": "no such key", "type": "authentication_error"}, "status": 401}},
]}


def llmock():
    """The mock, where `make mock` puts it."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target")).resolve()
    return shutil.which("llmock", path=target / "npm/node_modules/.bin")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@unittest.skipUnless(shutil.which("gathering"), "NOT RUN: the program `gathering` is not on the path")
@unittest.skipUnless(llmock(), "NOT RUN: the mock provider is not installed: `make mock` installs it, and needs npm")
class Chats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        port, mock_port = free_port(), free_port()
        (cls.folder / "answers.json").write_text(json.dumps(ANSWERS))
        cls.start([llmock(), "--port", str(mock_port), "--fixtures", "answers.json"], mock_port)
        (cls.folder / "gathering.toml").write_text(
            f'[models.main]\nprovider = "anthropic"\nurl = "http://127.0.0.1:{mock_port}"\nmodel = "mock"\n'
        )
        environment = {**os.environ, "GATHERING_DATA_DIR": str(cls.folder / "data")}
        cls.start(["gathering", "up", "--port", str(port)], port, env=environment)
        cls.url = f"http://127.0.0.1:{port}"
        cls.token = (cls.folder / "data/operator.token").read_text().strip()
        made = Client(cls.url, cls.token)._send("POST", "/agents", {"name": "A", "competencies": ["mathematics", "shell"]})
        cls.agent = Client(cls.url, made["token"])

    @classmethod
    def start(cls, command, port, **more):
        started = subprocess.Popen(command, cwd=cls.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
        cls.addClassCleanup(started.wait)
        cls.addClassCleanup(started.terminate)
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                return
            if time.monotonic() > until or started.poll() is not None:
                raise AssertionError(f"{command[0]} did not start")
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(0.05)

    def test_what_happens_is_told_as_it_happens_and_kept(self):
        events = list(self.agent.chat("a", "What is the sum?"))

        names = list(dict.fromkeys(event["event"] for event in events))
        self.assertEqual(names, ["conversation", "text", "usage", "tool_call", "tool_result", "done"])
        done = events[-1]
        self.assertEqual((done["text"], done["steps"]), ("It is 42.", 2))
        self.assertIn(done["conversation_id"], [said["conversation_id"] for said in self.agent.conversations("a")])
        said = self.agent.conversation("a", done["conversation_id"])["said"]
        self.assertEqual([message["role"] for message in said], ["user", "assistant", "tool", "assistant"])

    def test_what_goes_wrong_at_once_or_later_has_a_code(self):
        for code, agent, message in [("model_unauthenticated", "a", "hello"), ("bad_request", "a", ""), ("forbidden", "b", "hello")]:
            with self.assertRaises(ClientError) as refused:
                list(self.agent.chat(agent, message))
            self.assertEqual(refused.exception.code, code)

    def test_events_are_read_asynchronously(self):
        async def main():
            client = AsyncClient(self.url, self.token)
            return [event["event"] async for event in client.chat("a", "What is the sum?")]

        self.assertEqual(asyncio.run(main())[-1], "done")

    def test_who_stops_reading_stops_the_tool_and_can_go_on(self):
        async def main():
            client = AsyncClient(self.url, self.token)
            identity, called = None, asyncio.Event()

            async def read():
                nonlocal identity
                async for event in client.chat("a", "wait"):
                    identity = event.get("conversation_id", identity)
                    if event["event"] == "tool_call":
                        called.set()

            reading = asyncio.ensure_future(read())
            await called.wait()
            while not (self.folder / "begun").exists():
                await asyncio.sleep(0.02)
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            until = time.monotonic() + 15
            while True:
                try:
                    return [event async for event in client.chat("a", "so, what is the sum?", identity)][-1]
                except ClientError as error:
                    # Until the server has noticed.
                    if error.code != "conversation_busy" or time.monotonic() > until:
                        raise
                    await asyncio.sleep(0.02)

        self.assertEqual(asyncio.run(main())["text"], "It is 42.")
        self.assertFalse((self.folder / "ended").exists())


if __name__ == "__main__":
    unittest.main()
