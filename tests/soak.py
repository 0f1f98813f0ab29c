"""Polite and rude callers at once, for a while: polite ones always get their answer, and nothing piles up.

Usage: soak.py PATH-OF-GATHERING [SECONDS]
"""

import collections
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

from server import Server

#: What each rude tool may end with.
RUDE = {
    "loop": {"timed_out"},
    "leave": {"worker_exited"},
    "flood": {"output_limit"},
    "garbage": {None, "protocol_error"},
    "chatter": {None},
}
#: A rude call may find the queue full, or the plugin reloading.
ALWAYS_ALLOWED = {"busy"}


def resources(pid):
    """Resident bytes, open descriptors, children."""
    with open(f"/proc/{pid}/statm") as file:
        resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    # A thread lists the children that it started.
    children = sum(len(tasks.read_text().split()) for tasks in pathlib.Path(f"/proc/{pid}/task").glob("*/children"))
    try:
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except PermissionError:
        # Nobody but root sees those of a server.
        descriptors = 0
    return resident, descriptors, children


class Soak:
    def __init__(self, server, until):
        self.server, self.until = server, until
        self.counts = collections.Counter()
        self.failures = []

    def repeat(self, step):
        """Runs `step` until the end or the first failure of anybody."""
        try:
            while time.monotonic() < self.until and not self.failures:
                step()
        except Exception as error:
            self.failures.append(f"{step.__name__}: {type(error).__name__}: {error}")

    def polite(self):
        x = random.randrange(1000)
        code, answer = self.server.call("polite_add", {"x": x, "y": 1})
        assert code is None and answer["result"] == x + 1, answer
        self.counts["polite"] += 1

    def rude(self):
        tool, expected = random.choice(list(RUDE.items()))
        code, answer = self.server.call(f"rude_{tool}", {}, timeout=0.5 if tool == "loop" else 20)
        assert code in expected | ALWAYS_ALLOWED, (tool, answer)
        self.counts[f"{tool}: {code or 'answered'}"] += 1

    def reload(self):
        status, answer = self.server.ask("POST", "/plugins/polite/reload")
        assert status == 200, answer
        self.counts["reloads"] += 1
        time.sleep(0.5)


def main(program, seconds):
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, f"{folder}/data", ["polite", "rude"])
        server.start()
        for plugin in ("polite", "rude"):
            status, answer = server.ask("POST", "/plugins/load", {"plugin_id": plugin})
            assert status == 200, answer
        warm = Soak(server, time.monotonic() + min(10, seconds / 3))
        run(warm)
        before = resources(server.process.pid)
        soak = Soak(server, time.monotonic() + seconds)
        run(soak)
        after = resources(server.process.pid)
        failures = warm.failures + soak.failures
        assert not failures, failures
        for name, count in sorted(soak.counts.items()):
            print(f"soak: {name}: {count}")
        print(f"soak: resident {before[0] >> 20} MB, then {after[0] >> 20} MB; "
              f"descriptors {before[1]}, then {after[1]}; workers {before[2]}, then {after[2]}")
        assert after[0] < before[0] + (64 << 20), "memory piles up"
        assert after[1] <= before[1] + 16, "descriptors pile up"
        assert after[2] <= 4, "workers pile up"
        assert server.stop() == 0, "the server did not stop well"


def run(soak):
    steps = [soak.polite, soak.polite, soak.rude, soak.rude, soak.reload]
    threads = [threading.Thread(target=soak.repeat, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 600)
