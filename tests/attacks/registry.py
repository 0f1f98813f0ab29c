"""G: names, schemas, saving and the life of plugins."""

import os
import re
import threading
import time

from attacks.cases import case, equal, expect

LIAR = '''"""Lies about itself."""
import time
from gathering.core.tool_registry import ToolDefinition
from gathering.plugins import Plugin, PluginMetadata


class Liar(Plugin):
    reads = 0

    @property
    def metadata(self):
        Liar.reads += 1
        return PluginMetadata("liar", f"Liar {Liar.reads}", "1.0.0", "Lies")

    def register_tools(self):
        return [ToolDefinition("lie", "Lies", "custom", lambda: 1, parameters={})]

    def health_check(self):
        {health}
'''


def make(arena, plugin, tools, server=None, **more):
    """Asks for a plugin made of code; status and answer."""
    tools = [{"description": "x", "code": "def one(): return 1", **tool} for tool in tools]
    return (server or arena.main).ask("POST", "/plugins/dynamic", {"plugin_id": plugin, "description": "x", "tools": tools, **more})


def remove(arena, plugin):
    equal(arena.main.ask("DELETE", f"/plugins/{plugin}")[0], 200, f"removing {plugin}")


@case("G01", "names of tools that are taken, or look like it")
def tool_names(arena):
    for name in ("read_file", "Read_File", "READ_FILE", "read_file ", "read\u200bfile", "re\u0430d_file", "read file", "", "x" * 65,
                 "../read_file", "read_file\n", "1file"):
        code = "def first(): return 1"
        status, body = make(arena, "collider", [{"name": "collider_ok", "code": "def collider_ok(): return 1"}, {"name": name, "code": code}])
        expect(400 <= status < 500, f"{name!r}: {body}")
        expect(body["detail"], str(body))
        if name.lower() == "read_file":
            expect("core" in body["detail"] and body["code"] == "already_registered", f"the holder is not named: {body}")
        equal(arena.main.ask("GET", "/tools/collider_ok")[0], 404, "half a plugin")
    equal(arena.call("read_file", path="ok.txt").result, "inside\n", "the tool of core")


@case("G02", "ids of plugins that are taken, reserved or no names")
def plugin_ids(arena):
    for name in ("core", "CORE", "../x", "_x", "", "x" * 10_000, "attacker", "Attacker", "a/b", "a b", "\u0430", "x\0", "health", "-x", "a.b"):
        status, body = make(arena, name, [{"name": "one"}])
        expect(400 <= status < 500, f"{name[:20]!r}: {status} {body}")
        expect(len(body["detail"]) < 1000, "the error repeats everything")


@case("G03", "saving elsewhere")
def save(arena):
    plugins = arena.main.data_dir / "plugins"
    os.symlink(arena.outside, plugins / "linked")
    try:
        for path in ("../../OUT/x.py", str(arena.outside / "x.py"), "linked/x.py", "../x.py", "x.txt", "__init__.py", "_x.py", ".x.py", "",
                     "a/../../x.py", "bystander.py", str(plugins / "intruder.py"), "~/x.py", "../operator.token"):
            status, body = arena.main.ask("POST", "/plugins/attacker/save", {"output_path": path})
            expect(400 <= status < 500 and body["code"] in ("invalid_path", "file_exists"), f"{path}: {status} {body}")
        status, body = arena.main.ask("POST", "/plugins/attacker/save", {"output_path": "linked/x.py", "overwrite": True})
        expect(400 <= status < 500, str(body))
    finally:
        os.unlink(plugins / "linked")


@case("G04", "texts that try to become code of the saved file")
def injection(arena):
    marker = arena.outside / "ran"
    nasty = f'"""\nimport os\nopen({str(marker)!r}, "w")\n""" }}}} {{{{ \\ \\N \' # type: ignore \u2028 \r\n x'
    code = f'def quoted(text: str = {nasty!r}):\n    return text'
    status, body = make(arena, "quoted", [{"name": "quoted", "description": nasty, "code": code}], name="q" + nasty, description=nasty,
                        author=nasty)
    if status != 201:
        # Refused is well too, if the reason is told.
        expect(400 <= status < 500 and body["detail"], str(body))
        return
    equal(arena.call("quoted").result, nasty, "the text")
    equal(arena.main.ask("GET", "/plugins/quoted")[1]["description"], nasty, "the description")
    status, body = arena.main.ask("POST", "/plugins/quoted/save", {"output_path": "quoted_saved.py"})
    equal(status, 200, str(body))
    remove(arena, "quoted")
    equal(arena.main.ask("POST", "/plugins/discover")[0], 200)
    equal(arena.main.ask("POST", "/plugins/load", {"plugin_id": "quoted"})[0], 200, "loading what was saved")
    equal(arena.call("quoted").result, nasty, "the text of the saved one")
    equal(arena.main.ask("POST", "/plugins/quoted/unload")[0], 200)
    os.unlink(arena.main.data_dir / "plugins/quoted_saved.py")
    equal(arena.main.ask("POST", "/plugins/discover")[0], 200)
    expect(not marker.exists(), "a text was run")


@case("G05", "dependencies in a circle, on itself, missing, deep", slow=True)
def dependencies(arena):
    text = """
from gathering.plugins import Plugin, PluginMetadata
class P(Plugin):
    metadata = property(lambda self: PluginMetadata("{id}", "x", "1.0.0", "x", dependencies={needs}))
"""
    with arena.started() as server:
        chain = 60
        plugins = {"ring_a": ["ring_b"], "ring_b": ["ring_a"], "itself": ["itself"], "lonely": ["nowhere"], "picky": ["bystander>=9"],
                   **{f"chain_{n}": [f"chain_{n + 1}"] for n in range(chain)}, f"chain_{chain}": []}
        for name, needs in plugins.items():
            (server.data_dir / f"plugins/{name}.py").write_text(text.replace("{id}", name).replace("{needs}", repr(needs)))
        arena.own(server.data_dir / "plugins")
        equal(server.ask("POST", "/plugins/discover")[0], 200)
        for name, code, says in (("ring_a", "dependency_cycle", "ring_b"), ("itself", "dependency_cycle", "itself"),
                                 ("lonely", "missing_dependency", "nowhere"), ("picky", "missing_dependency", "bystander")):
            begun = time.monotonic()
            status, body = server.ask("POST", "/plugins/load", {"plugin_id": name, "dependencies": True})
            equal((status, body["code"]), (409, code), str(body))
            expect(says in body["detail"], str(body))
            expect(time.monotonic() - begun < 2, f"{name} took too long")
        equal(server.ask("POST", "/plugins/load", {"plugin_id": "chain_50", "dependencies": True})[0], 200, "a chain")
        status, body = server.ask("POST", f"/plugins/chain_{chain}/unload")
        equal((status, body["code"]), (409, "has_dependents"), str(body)[:300])


@case("G09", "unloading and reloading while calls run", in_tiers=True, slow=True)
def races(arena):
    with arena.started("--enable", "intruder") as server:
        said, ended = set(), threading.Event()

        def call():
            while not ended.is_set():
                answer = arena.call("intruder_echo", server=server, text="here")
                expect(answer.code is not None or answer.result == "here", str(answer))
                said.add(answer.code)

        threads = [threading.Thread(target=call) for _ in range(4)]
        [thread.start() for thread in threads]
        for _ in range(200 if arena.long else 3):
            for path, body in (("/plugins/intruder/disable", None), ("/plugins/intruder/unload", None),
                               ("/plugins/load", {"plugin_id": "intruder"}), ("/plugins/intruder/enable", None), ("/plugins/intruder/reload", None)):
                status, answer = server.ask("POST", path, body)
                equal(status, 200, f"{path}: {answer}")
        ended.set()
        [thread.join() for thread in threads]
        expect(said <= {None, "plugin_disabled", "unknown_tool", "worker_exited", "wrong_state", "busy"}, f"said meanwhile: {said}")
        equal(arena.call("intruder_echo", server=server, text="here").result, "here", "afterwards")
        expect("panicked" not in server.log(), "something panicked")


@case("G10", "a health that hangs, raises, is huge or nothing", in_tiers=True, slow=True)
def lying_health(arena):
    with arena.started("--enable", "bystander", text="[limits]\nhealth_timeout = 1") as server:
        path = server.data_dir / "plugins/liar.py"
        for health in ("time.sleep(100)", "raise ValueError('ill')", "return {'status': 'healthy', 'x': 'y' * (100 << 20)}", "return 5",
                       "return {'status': 'splendid'}", "import os; os._exit(1)"):
            path.write_text(LIAR.replace("{health}", health))
            arena.own(path)
            server.ask("POST", "/plugins/discover")
            status, body = server.ask("POST", "/plugins/load", {"plugin_id": "liar"})
            equal(status, 200, str(body))
            begun = time.monotonic()
            status, body = server.ask("GET", "/plugins/health/all")
            took = time.monotonic() - begun
            equal(status, 200, str(body)[:300])
            expect(took < 4, f"{health}: it took {took:.1f} s")
            expect(body["plugins"]["bystander"]["status"] == "healthy", str(body)[:500])
            expect(body["plugins"]["liar"]["status"] in ("unhealthy", "unknown", "degraded"), f"{health}: {body}"[:500])
            names = {server.ask("GET", "/plugins/liar")[1]["name"] for _ in range(3)}
            equal(len(names), 1, "names over time")
            equal(server.ask("POST", "/plugins/liar/unload")[0], 200)


@case("G11", "schemas that lie")
def schemas(arena):
    status, body = make(arena, "short", [{"name": "short", "code": "def short(x): return x", "parameters": {"x": {"type": "integer"}}}])
    equal(status, 201, str(body))
    equal(arena.call("short", x=1).result, 1)
    for arguments in ({"x": "1"}, {}, {"x": 1, "y": 2}, {"x": 1.5}):
        answer = arena.call("short", **arguments)
        equal((answer.status, answer.code), (422, "invalid_arguments"), str(answer))
    expect("y" in arena.call("short", x=1, y=2).detail, "the extra argument is not named")
    remove(arena, "short")
    for parameters in ({"type": "object", "properties": {"x": {"type": "nonsense"}}}, {"type": "object", "required": "x"}, {"x": {"type": 5}},
                       {"type": "object", "properties": []}, {"x": {"type": "integer", "minimum": "a"}}, {"x": {"enum": 5}}, "text", 5):
        status, body = make(arena, "liar", [{"name": "liar", "code": "def liar(x): return x", "parameters": parameters}])
        expect(400 <= status < 500, f"{parameters}: {status} {body}")
        expect(re.search("schema|parameters|object", body["detail"]), str(body))
