"""Attacks a real server, in each tier, as root and not, and prints a table of what came of it.

Usage: attack_suite.py PATH-OF-GATHERING [--tier TIER]... [--user root|unprivileged]... [--long] [--only CASE]...
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import shutil
import sys
import tempfile
import time
import traceback

import attacks  # noqa: F401, which registers the cases
from attacks.arena import STRANGER, Arena, Bystander, percentile
from attacks.cases import CASES, TIERS, NotRun, expect

#: O3, in seconds: what the slowest of a hundred answers may take on a machine that does nothing else, for /health and for
#: another plugin's tool.
HEALTH, ECHO = 0.2, 0.25
#: How much longer it may take here, where the build is not optimised, and servers, attackers and the suite share the machine.
PATIENCE = 4


@dataclasses.dataclass
class Result:
    name: str
    attack: str
    tier: str
    who: str
    verdict: str
    reason: str = ""
    seconds: float = 0
    health: float = 0
    echo: float = 0


def run(case, arena):
    """One case with its oracles."""
    begun = time.monotonic()
    result = Result(case.name, case.attack, arena.tier if case.in_tiers else "any", arena.who, "passed")
    arena.leaks.clear()
    bystander = Bystander(arena.main)
    try:
        outside, registry = arena.outside_state(), arena.registry_state()
        with bystander:
            case.run(arena)
        arena.search(arena.main)
        expect(not arena.leaks, "O1: " + "; ".join(arena.leaks)[:1000])
        expect(arena.main.process.poll() is None, "the server is gone")
        if "outside" in case.oracles:
            expect(arena.outside_state() == outside, f"O2: what lies outside is changed: {changed(outside, arena.outside_state())}")
        if "bystander" in case.oracles:
            expect(not bystander.failures, f"O3: the bystander failed: {bystander.failures[:3]}")
            result.health, result.echo = percentile(bystander.health, 0.99), percentile(bystander.echo, 0.99)
            for what, took, bound in (("/health", result.health, HEALTH), ("echo", result.echo, ECHO)):
                expect(took <= bound * PATIENCE, f"O3: {what} took {took:.2f} s, more than {bound * PATIENCE:.2f} s")
        if "registry" in case.oracles:
            expect(arena.registry_state() == registry, f"O6: the registry is changed: {arena.registry_state()}, it was {registry}")
    except NotRun as reason:
        result.verdict, result.reason = "NOT RUN", str(reason)
    except Exception as error:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "attacks" in frame.filename]
        place = f"{pathlib.Path(frames[-1].filename).name}:{frames[-1].lineno}: " if frames else ""
        result.verdict, result.reason = "FAILED", f"{place}{type(error).__name__}: {error}"
    result.seconds = time.monotonic() - begun
    return result


def changed(before, after):
    return sorted(path for path in {*before, *after} if before.get(path) != after.get(path))


def arenas(chosen, program):
    """Each tier with each user."""
    users = [None, STRANGER] if os.geteuid() == 0 else [None]
    for tier in chosen.tier or TIERS:
        for user in users:
            arena = Arena(program, tier, user, chosen.long)
            if not chosen.user or arena.who in chosen.user:
                yield arena


def select(chosen):
    cases = [case for case in CASES if chosen.long or not case.long]
    names = tuple(chosen.only or [""])
    return [case for case in cases if case.name.startswith(names)]


def attack(arenas, cases, report):
    """All cases in all arenas: the arenas side by side, then each case that needs the machine for itself."""
    plan, tried = [], set()
    both = len({arena.who for arena in arenas}) > 1

    def open_it(arena):
        try:
            arena.open()
        except NotRun as reason:
            return str(reason)

    def share(pair):
        for case in pair[1]:
            if not case.alone:
                report(run(case, pair[0]))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        for arena, reason in zip(arenas, list(pool.map(open_it, arenas))):
            if reason:
                for case in cases:
                    if case.in_tiers:
                        report(Result(case.name, case.attack, arena.tier, arena.who, "NOT RUN", reason))
            else:
                plan.append((arena, in_arena(arena, cases, arena.who in tried, both and not arena.long)))
                tried.add(arena.who)
        list(pool.map(share, plan))
    for arena, chosen in plan:
        for case in chosen:
            if case.alone:
                report(run(case, arena))


def in_arena(arena, cases, is_tried, is_short):
    """The cases that are run in an arena.

    What makes no difference between the tiers is not tried again with a user. In a short run, what is slow is run with one of the
    users: of those in tiers every other one with the one and the rest with the other, and the other way round in the other tier.
    """
    slow = [case for case in cases if case.slow and case.in_tiers]
    turn = (arena.who == "root") ^ (arena.tier == "confined")

    def is_in(case):
        if not case.in_tiers:
            return not is_tried and not (is_short and case.slow and arena.who == "root")
        return not (is_short and case.slow) or slow.index(case) % 2 == turn

    return [case for case in cases if is_in(case)]


def table(results, took):
    """Prints what came of each case; the exit code."""
    results.sort(key=lambda result: (result.name, result.tier, result.who))
    print(f"{'CASE':5} {'ATTACK':52} {'TIER':9} {'SERVER':13} {'SECONDS':>7} {'HEALTH':>7} {'ECHO':>7}  VERDICT")
    for result in results:
        times = f"{result.seconds:7.1f} {result.health * 1000:5.0f}ms {result.echo * 1000:5.0f}ms"
        reason = f": {result.reason.splitlines()[0][:200]}" if result.reason else ""
        print(f"{result.name:5} {result.attack:52.52} {result.tier:9} {result.who:13} {times}  {result.verdict}{reason}")
    counts = {verdict: sum(result.verdict == verdict for result in results) for verdict in ("passed", "FAILED", "NOT RUN")}
    print(f"attacks: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}, in {took:.0f} s")
    return 1 if counts["FAILED"] or not counts["passed"] else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="the binary `gathering`")
    parser.add_argument("--tier", action="append", choices=TIERS, help="only in this tier")
    parser.add_argument("--user", action="append", choices=("root", "unprivileged"), help="only a server of this user")
    parser.add_argument("--only", action="append", metavar="CASE", help="only this case, or those that begin so")
    parser.add_argument("--long", action="store_true", help="more rounds, and the cases that take minutes")
    chosen = parser.parse_args()
    results, begun = [], time.monotonic()

    def report(result):
        results.append(result)
        if result.verdict == "FAILED":
            print(f"{result.name} {result.attack} ({result.tier}, {result.who}): {result.reason}", flush=True)

    if os.geteuid() != 0:
        print("NOT RUN: all of this with a server of root, because this is not root")
    with tempfile.TemporaryDirectory(prefix="gathering-attacks-") as folder:
        # Where every user can reach it.
        os.chmod(folder, 0o755)
        everywhere = list(arenas(chosen, shutil.copy(chosen.program, folder)))
        try:
            attack(everywhere, select(chosen), report)
        finally:
            for arena in everywhere:
                arena.close()
    return table(results, time.monotonic() - begun)


if __name__ == "__main__":
    sys.exit(main())
