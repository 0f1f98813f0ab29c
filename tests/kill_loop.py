"""Kills a server in the middle of its work, again and again: what it acknowledged is there after each restart.

Usage: kill_loop.py PATH-OF-GATHERING [ROUNDS]
"""

import random
import sys
import tempfile
import threading

from server import Gone, Server

PLUGINS = ["one", "two", "three"]
#: What can be done in a state, and where it leads.
ACTS = {
    "unloaded": [("load", "loaded")],
    "loaded": [("enable", "enabled"), ("unload", "unloaded")],
    "enabled": [("disable", "disabled"), ("unload", "unloaded")],
    "disabled": [("enable", "enabled"), ("unload", "unloaded")],
}


def act(server, plugin, verb):
    if verb == "load":
        return server.ask("POST", "/plugins/load", {"plugin_id": plugin})
    return server.ask("POST", f"/plugins/{plugin}/{verb}")


def work(server, states, open_acts, chance):
    """Acts until the server is gone. `states` holds what was acknowledged, `open_acts` what was not."""
    while True:
        plugin = chance.choice(PLUGINS)
        verb, leads_to = chance.choice(ACTS[states[plugin]])
        open_acts[plugin] = leads_to
        try:
            status, answer = act(server, plugin, verb)
        except Gone:
            return
        assert status == 200, (plugin, states[plugin], verb, answer)
        states[plugin] = leads_to
        del open_acts[plugin]


def main(program, rounds):
    seed = random.randrange(1 << 32)
    print(f"kill_loop: {rounds} rounds, seed {seed}")
    chance = random.Random(seed)
    acknowledged = 0
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, f"{folder}/data", PLUGINS)
        states, open_acts = dict.fromkeys(PLUGINS, "unloaded"), {}
        for number in range(rounds):
            server.start()
            _, answer = server.ask("GET", "/plugins")
            found = {plugin["id"]: plugin["status"] for plugin in answer["plugins"]}
            for plugin in PLUGINS:
                allowed = {states[plugin], open_acts.get(plugin, states[plugin])}
                assert found[plugin] in allowed, f"round {number}: {plugin} is {found[plugin]}, expected {allowed}"
                states[plugin] = found[plugin]
                if found[plugin] in ("loaded", "enabled"):
                    code, answer = server.call(f"{plugin}_add", {"x": number, "y": 1})
                    assert code is None and answer["result"] == number + 1, answer
            open_acts.clear()
            killer = threading.Timer(chance.uniform(0, 1), server.kill)
            killer.start()
            work(server, states, open_acts, chance)
            killer.join()
            acknowledged += 1
    print(f"kill_loop: after each of {acknowledged} kills everything that was acknowledged was there")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 100)
