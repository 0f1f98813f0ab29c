"""The doors through which code of a stranger runs; the same payload goes through each."""

import json
import secrets
import time

from attacks.cases import TIERS, equal, expect

#: What every payload finds. `attempt` gives what an act gave, or the name of its error.
PRELUDE = '''
import ctypes, errno, json, os, signal, socket, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
found = None
def attempt(act, *arguments):
    try:
        return act(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, type(error).__name__)
def syscall(number, *arguments):
    ctypes.set_errno(0)
    returned = libc.syscall(number, *arguments)
    return errno.errorcode[ctypes.get_errno()] if returned == -1 else returned
def shell(script):
    ran = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ran.stdout
'''


class Outcome:
    """What came of a payload: what it found, or what stopped it."""

    def __init__(self, door, answer, found, took):
        self.door, self.answer, self.found, self.took = door, answer, found, took
        self.code = answer.code

    @property
    def stopped(self):
        """Whether it was stopped because its time was up: the call's, or that of the command."""
        return self.code in ("timed_out", "time_limit")

    def __str__(self):
        return f"through {self.door}: {self.answer}"


class Door:
    """A tool that runs Python."""

    def __init__(self, name, tool, plugin=None):
        #: `plugin` is the one whose worker lives on after a call, with what it started.
        self.name, self.tool, self.plugin = name, tool, plugin

    def arguments(self, code):
        return {"code": code}

    def found(self, answer):
        return answer.result

    def run(self, arena, code, timeout=20, nonce=None):
        """Runs a payload, which leaves what it found in `found`. Nothing of it is left afterwards."""
        nonce = nonce or fresh_nonce()
        code = PRELUDE + code.replace("NONCE", nonce)
        begun = time.monotonic()
        answer = arena.call(self.tool, timeout, **self.arguments(code))
        took = time.monotonic() - begun
        if self.plugin and not answer.code:
            # What a worker started may stay as long as the worker does.
            if arena.survivors(nonce, within=0):
                equal(arena.main.ask("POST", f"/plugins/{self.plugin}/reload")[0], 200, "reloading")
        left = arena.survivors(nonce)
        expect(not left, f"O4: through {self.name}, left 500 ms after the call or the worker: {left}")
        if answer.status == 200:
            equal(answer.tier, arena.tier, f"the tier through {self.name}")
        found = None if answer.code else self.found(answer)
        return Outcome(self.name, answer, found, took)


class Interpreter(Door):
    """`python_eval`, whose value is that of the last expression."""

    def arguments(self, code):
        return {"code": code + "\nfound"}

    def found(self, answer):
        if "MemoryError" in (answer.result["error"] or ""):
            return None
        if answer.result["error"]:
            raise AssertionError(f"the payload failed in python_eval: {answer.result['error']}")
        return answer.result["result"]


class Shell(Door):
    """`run_command`, with an interpreter of the payload's own."""

    def arguments(self, code):
        ending = "\nprint(json.dumps(found))"
        return {"command": f"/usr/bin/python3 -I - <<'END-OF-PAYLOAD'\n{code}{ending}\nEND-OF-PAYLOAD\n"}

    def found(self, answer):
        lines = answer.result["stdout"].splitlines()
        said = answer.result["stderr"]
        if "Traceback" in said and "MemoryError" not in said:
            raise AssertionError(f"the payload failed in run_command: {said[-600:]}")
        try:
            return json.loads(lines[-1])
        except (IndexError, ValueError):
            # It was killed before it could say what it found, or what it said is cut off.
            return None


DOORS = [
    DYNAMIC := Door("a dynamic plugin", "attack", "attacker"),
    FILE := Door("a plugin file", "intruder_attack", "intruder"),
    Interpreter("python_eval", "python_eval"),
    Shell("run_command", "run_command"),
]


def doors(arena):
    """Those that are there."""
    return [door for door in DOORS if arena.main.ask("GET", f"/tools/{door.tool}")[0] == 200]


def doors_in_turn(arena, number):
    """Two of them for the payload of this number, and the other two for the next one or in the other tier. All in a long run."""
    there = doors(arena)
    return there if arena.long else there[(number + TIERS.index(arena.tier)) % 2 :: 2]


def each(arena, code, timeout=20):
    """Runs a payload through every door, and gives what each came to."""
    return [door.run(arena, code, timeout) for door in doors(arena)]


def finds(arena, code, expected, timeout=20):
    """Runs a payload through every door, where it finds the same."""
    for outcome in each(arena, code, timeout):
        expect(outcome.code is None, str(outcome))
        equal(outcome.found, expected, f"through {outcome.door}")


def fresh_nonce():
    return f"nonce-{secrets.token_hex(8)}"
