"""The plugin manager of the package in its own process: loading all or nothing, states, discovery, dynamic plugins."""

import os
import tempfile
import threading
import time
import unittest
from pathlib import Path

from process import InProcess

from gathering.core.competency_registry import CompetencyDefinition, competency_registry
from gathering.core.tool_registry import ToolDefinition, tool_registry
from gathering.plugins import Plugin, PluginMetadata, PluginStatus


def plugin_class(id="mine", tools=("add",), competencies=(), dependencies=(), version="1.0.0", **hooks):
    """A class of a plugin with these tools and hooks."""

    class Mine(Plugin):
        metadata = property(lambda self: PluginMetadata(id, id, version, "Mine.", dependencies=list(dependencies)))

        def register_tools(self):
            return [ToolDefinition(name, "Adds.", "utility", self.add) for name in tools]

        def register_competencies(self):
            return list(competencies)

        def add(self, x=1, y=1):
            return x + y

    for name, hook in hooks.items():
        setattr(Mine, name, hook)
    return Mine


def fails(self):
    raise OSError("no")


class Life(InProcess):
    def setUp(self):
        super().setUp()
        from gathering.plugins import plugin_manager

        self.manager = plugin_manager

    def test_the_manager_is_one_under_all_its_names(self):
        import gathering.plugins
        from gathering.plugins import manager

        self.assertIs(gathering.plugins.plugin_manager, manager.plugin_manager)
        self.assertIs(manager.get_plugin_manager(), manager.plugin_manager)
        gathering.plugins.load_plugin("mine", plugin_class())
        self.assertIs(gathering.plugins.get_plugin("mine"), self.manager.get_plugin("mine"))
        gathering.plugins.unload_plugin("mine")

    def test_a_plugin_goes_through_its_states_and_its_tools_with_it(self):
        seen = []
        hooks = {name: (lambda self, name=name: seen.append(name)) for name in ("on_load", "on_enable", "on_disable", "on_unload")}
        self.manager.register_plugin_class("mine", plugin_class(**hooks))

        self.manager.load_plugin("mine", {"a": 1})
        plugin = self.manager.get_plugin("mine")
        self.assertEqual((plugin.status, plugin.config), (PluginStatus.LOADED, {"a": 1}))
        self.assertEqual((tool_registry.get("add").plugin_id, tool_registry.execute("add")), ("mine", 2))
        self.manager.enable_plugin("mine")
        self.manager.disable_plugin("mine")
        with self.assertRaisesRegex(RuntimeError, "^`add` belongs to the plugin `mine`, which is disabled: enable it first$"):
            tool_registry.execute("add")
        self.manager.enable_plugin("mine")
        self.assertEqual(tool_registry.execute("add"), 2)
        self.manager.unload_plugin("mine")

        self.assertEqual(seen, ["on_load", "on_enable", "on_disable", "on_enable", "on_disable", "on_unload"])
        self.assertEqual((plugin.status, tool_registry.list_all()), (PluginStatus.UNLOADED, []))
        self.assertTrue(self.manager.unregister_plugin_class("mine"))
        self.assertFalse(self.manager.unregister_plugin_class("mine"))

    def test_the_messages_are_those_of_the_contract(self):
        manager = self.manager
        manager.register_plugin_class("mine", plugin_class())
        manager.register_plugin_class("other", plugin_class())
        manager.register_plugin_class("needy", plugin_class("needy", ["need"], dependencies=["mine"]))
        for message, act in [
            ("Plugin class 'mine' already registered. Unregister first to replace it.", lambda: manager.register_plugin_class("mine", plugin_class())),
            ("Plugin 'x' not registered. Register plugin class first with register_plugin_class().", lambda: manager.load_plugin("x")),
            ("Plugin metadata ID 'mine' doesn't match registered ID 'other'", lambda: manager.load_plugin("other")),
            ("Plugin 'needy' requires plugin 'mine' which is not loaded. Load 'mine' first.", lambda: manager.load_plugin("needy")),
            ("Plugin 'mine' is not loaded", lambda: manager.unload_plugin("mine")),
            ("Plugin 'mine' is not loaded", lambda: manager.enable_plugin("mine")),
            ("Plugin 'mine' is not loaded", lambda: manager.disable_plugin("mine")),
            ("Plugin 'mine' is not loaded", lambda: manager.get_plugin_info("mine")),
            ("Plugin 'mine' is not loaded", lambda: manager.health_check("mine")),
            ("Plugin 'x' not found", lambda: manager.save_dynamic_plugin("x", "x.py")),
            ("Plugin directory does not exist: /nowhere", lambda: manager.add_plugin_directory("/nowhere")),
            (f"Not a directory: {__file__}", lambda: manager.add_plugin_directory(__file__)),
        ]:
            with self.assertRaises(ValueError) as refused:
                act()
            self.assertEqual(str(refused.exception), message)
        with self.assertRaisesRegex(TypeError, "^plugin_class must be a subclass of Plugin$"):
            manager.register_plugin_class("x", str)
        manager.load_plugin("mine")
        manager.load_plugin("needy")
        for message, act in [
            ("Plugin 'mine' already loaded", lambda: manager.load_plugin("mine")),
            ("Cannot unregister plugin class 'mine': plugin is currently loaded. Unload it first.", lambda: manager.unregister_plugin_class("mine")),
            ("Cannot unload plugin 'mine': plugins ['needy'] depend on it", lambda: manager.unload_plugin("mine")),
        ]:
            with self.assertRaises(ValueError) as refused:
                act()
            self.assertEqual(str(refused.exception), message)

    def test_a_dependency_may_name_versions(self):
        self.manager.load_plugin("base", plugin_class("base", ["b"], version="1.4.0"))
        with self.assertRaisesRegex(ValueError, "^Plugin 'mine' requires plugin 'base>=2', and version 1.4.0 is loaded$"):
            self.manager.load_plugin("mine", plugin_class(dependencies=["base>=2"]))
        self.manager.unregister_plugin_class("mine")
        self.manager.load_plugin("mine", plugin_class(dependencies=["base>=1.2,<2"]))

    def test_a_configuration_is_checked_and_completed_by_its_schema(self):
        schema = {"unit": {"type": "string", "default": "m"}, "size": {"type": "integer"}}
        mine = plugin_class()
        mine.metadata = property(lambda self: PluginMetadata("mine", "Mine", "1.0.0", "Mine.", config_schema=schema))
        self.manager.register_plugin_class("mine", mine)
        given = {"size": 5}

        self.manager.load_plugin("mine", given)

        self.assertEqual((self.manager.get_plugin("mine").config, given), ({"size": 5, "unit": "m"}, {"size": 5}))
        self.manager.unload_plugin("mine")
        with self.assertRaisesRegex(
            ValueError, "^The configuration of plugin 'mine' does not fit its schema: `size` is required \\(at \\(root\\)\\)$"
        ):
            self.manager.load_plugin("mine")

    def test_a_plugin_that_fails_leaves_nothing_and_says_why(self):
        skill = CompetencyDefinition("skill", "Skill", "Knows.", "legal")
        tool_registry.register(ToolDefinition("taken", "Is there.", "utility", print))
        held = []
        for hooks in ({"on_load": fails}, {"tools": ("add", "taken")}, {"register_competencies": fails}):
            hooks = {"competencies": [skill], "__init__": lambda self, config: (Plugin.__init__(self, config), held.append(self))[0], **hooks}
            with self.assertRaises((OSError, ValueError)):
                self.manager.load_plugin("mine", plugin_class(**hooks))
            self.assertIs(held[-1].status, PluginStatus.ERROR)
            self.assertTrue(held[-1].error)
            self.assertEqual(([t.name for t in tool_registry], competency_registry.list_all()), (["taken"], []))
            self.assertFalse(self.manager.has_plugin("mine"))
            self.manager.unregister_plugin_class("mine")

    def test_hooks_that_fail_put_the_plugin_in_error(self):
        self.manager.load_plugin("mine", plugin_class(on_enable=fails))
        with self.assertRaises(OSError):
            self.manager.enable_plugin("mine")
        plugin = self.manager.get_plugin("mine")
        self.assertEqual((plugin.status, plugin.error), (PluginStatus.ERROR, "no"))
        self.assertEqual(self.manager.list_plugins(PluginStatus.ERROR), [plugin])
        self.manager.unload_plugin("mine")

        self.manager.unregister_plugin_class("mine")
        self.manager.load_plugin("mine", plugin_class(on_disable=fails))
        with self.assertRaises(OSError):
            self.manager.unload_plugin("mine")
        self.assertEqual((self.manager.list_plugins(), tool_registry.list_all()), ([], []))

    def test_competencies_of_a_plugin_may_come_in_any_order_and_hold_what_they_build_on(self):
        def knows(id, *prerequisites):
            return CompetencyDefinition(id, id, "Knows.", "legal", prerequisites=list(prerequisites))

        self.manager.load_plugin("mine", plugin_class(competencies=[knows("b", "a"), knows("a")]))
        self.manager.load_plugin("other", plugin_class("other", (), [knows("c", "b")]))
        with self.assertRaisesRegex(ValueError, r"^Cannot unload plugin 'mine': plugins \['other'\] depend on it$"):
            self.manager.unload_plugin("mine")
        self.manager.unload_plugin("other")
        self.manager.unload_plugin("mine")
        with self.assertRaisesRegex(ValueError, "lead back to themselves"):
            self.manager.load_plugin("mine", plugin_class(competencies=[knows("b", "a"), knows("a", "b")])) \
                if self.manager.unregister_plugin_class("mine") else None

    def test_a_hook_may_use_the_manager(self):
        manager = self.manager

        def load(self):
            manager.load_plugin("inner", plugin_class("inner", ["inner"]))
            assert manager.get_plugin("inner")

        manager.load_plugin("mine", plugin_class(on_load=load))

        self.assertEqual([p.metadata.id for p in manager.list_plugins()], ["inner", "mine"])

    def test_health_and_counts(self):
        self.manager.load_plugin("mine", plugin_class())
        self.manager.load_plugin("sick", plugin_class("sick", ["cough"], health_check=fails))
        self.manager.enable_plugin("mine")

        self.assertEqual(
            self.manager.health_check_all(),
            {
                "mine": {"plugin_id": "mine", "status": "enabled", "error": None},
                "sick": {"plugin_id": "sick", "status": "unhealthy", "error": "OSError: no"},
            },
        )
        self.assertEqual(self.manager.get_plugin_info("mine")["tools_count"], 1)
        self.assertEqual(
            self.manager.get_stats(),
            {
                "available_plugins": 2, "loaded_plugins": 2, "enabled_plugins": 1,
                "plugins_by_status": {"unloaded": 0, "loaded": 1, "enabled": 1, "disabled": 0, "error": 0},
                "total_tools_from_plugins": 2, "total_competencies_from_plugins": 0,
            },
        )


class Discovery(InProcess):
    def test_files_and_packages_are_found_once_and_a_broken_one_hides_no_other(self):
        from gathering.plugins import plugin_manager

        with tempfile.TemporaryDirectory() as folder:
            def write(name, id, more=""):
                path = Path(folder, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(
                    "from gathering.plugins import Plugin, PluginMetadata\n"
                    f"class P(Plugin):\n    metadata = property(lambda self: PluginMetadata('{id}', 'P', '1.0.0', 'P'))\n{more}"
                )

            write("one.py", "one")
            write("pack/__init__.py", "pack", "from .tools import helper\n")
            Path(folder, "pack/tools.py").write_text("helper = 1\n")
            Path(folder, "broken.py").write_text("raise SystemError('x')\n")
            write("_hidden.py", "hidden")
            write(".dot/__init__.py", "dot")
            Path(folder, "notes.txt").write_text("x")
            plugin_manager.add_plugin_directory(folder)

            with self.assertLogs("gathering.plugins", "WARNING") as logged:
                found = plugin_manager.discover_plugins()
                again = plugin_manager.discover_plugins()

            self.assertEqual(found, {"one": Path(folder, "one.py"), "pack": Path(folder, "pack")})
            self.assertEqual((again, plugin_manager.get_discovered_plugins()), ({}, found))
            self.assertIn("broken.py is no plugin that can be taken: SystemError: x", logged.output[0])
            plugin_manager.load_plugin("pack")
            self.assertEqual(plugin_manager.list_plugin_directories(), [Path(folder)])
            self.assertEqual((plugin_manager.remove_plugin_directory(folder), plugin_manager.remove_plugin_directory(folder)), (True, False))


FACTOR = 3


def scaled(value: int) -> str:
    """Scales a value.

    Args:
        value: What to scale.
    """
    return f"{os.path.basename('a/b')}{twice(value) * FACTOR}"


def twice(value):
    return 2 * value


class Dynamic(InProcess):
    def setUp(self):
        super().setUp()
        from gathering.plugins import plugin_manager

        self.manager = plugin_manager

    def test_code_and_functions_are_tools_and_what_is_not_said_is_inferred(self):
        plugin = self.manager.create_dynamic_plugin(
            "maker", "Maker", "Makes.", config={"unit": "m"},
            tools=[
                {"name": "scaled", "function": scaled, "required_competencies": ["sums"]},
                {"name": "unit", "code": "def unit() -> str:\n    return config['unit']\n", "category": "physics"},
            ],
            competencies=[{"id": "sums", "name": "Sums", "description": "Adds.", "category": "mathematics"}],
        )

        self.assertIs(plugin.status, PluginStatus.ENABLED)
        self.assertEqual((tool_registry.execute("scaled", value=2), tool_registry.execute("unit")), ("b12", "m"))
        tool = tool_registry.get("scaled")
        self.assertEqual(tool.description, "Scales a value.")
        self.assertEqual(tool.parameters["properties"], {"value": {"type": "integer", "description": "What to scale."}})

    def test_one_that_fails_leaves_nothing_behind(self):
        for tools in ([{"name": "a"}], [{"name": "a", "code": "def a(: 0"}], [{"name": "a", "code": "x = 1"}], [{"name": "a", "function": 5}], [{"nam": "a"}], [{"name": "a", "function": scaled, "parameters": {"x": 5}}]):
            with self.assertRaises((ValueError, SyntaxError)):
                self.manager.create_dynamic_plugin("maker", "Maker", "Makes.", tools=tools)
            self.assertEqual((self.manager.list_available_plugins(), tool_registry.list_all()), ([], []))

    def test_a_saved_plugin_brings_what_its_functions_use(self):
        with tempfile.TemporaryDirectory() as folder:
            self.manager.create_dynamic_plugin(
                "maker", "Maker", "Makes.", config={"unit": "m"},
                tools=[
                    {"name": "scaled", "function": scaled, "examples": ["scaled(value=1)"]},
                    {"name": "unit", "code": "def unit():\n    return config['unit']\n"},
                ],
                competencies=[{"id": "sums", "name": "Sums", "description": "Adds.", "category": "mathematics"}],
            )
            before = [(t.name, t.description, t.parameters, t.examples) for t in tool_registry]

            path = self.manager.save_dynamic_plugin("maker", Path(folder, "made", "maker.py"))
            self.manager.unload_plugin("maker")
            self.manager.unregister_plugin_class("maker")
            self.manager.discover_plugins(path.parent)
            self.manager.load_plugin("maker")

            self.assertIn("return f\"{os.path.basename('a/b')}{twice(value) * FACTOR}\"", path.read_text())
            self.assertEqual([(t.name, t.description, t.parameters, t.examples) for t in tool_registry], before)
            self.assertEqual((tool_registry.execute("scaled", value=2), tool_registry.execute("unit")), ("b12", "m"))
            self.assertTrue(competency_registry.has("sums"))

    def test_what_cannot_be_written_down_is_refused_by_name(self):
        kept = object()

        def closes():
            return kept

        for function, reason in [(closes, "`closes` uses `kept` of the function around it"), (lambda: 0, "is a lambda"), (print, "a builtin_function_or_method")]:
            self.manager.create_dynamic_plugin("maker", "Maker", "Makes.", tools=[{"name": "a", "function": function, "parameters": {}}])
            with tempfile.TemporaryDirectory() as folder, self.assertRaisesRegex(ValueError, f"^Tool 'a' cannot be saved: .*{reason}"):
                self.manager.save_dynamic_plugin("maker", Path(folder, "maker.py"))
            self.manager.unload_plugin("maker")
            self.manager.unregister_plugin_class("maker")


class Threads(InProcess):
    def test_eight_threads_that_register_load_and_call_never_corrupt_or_block(self):
        """Takes two seconds, or GATHERING_STRESS_SECONDS."""
        from gathering.plugins import PluginManager

        manager = PluginManager()
        until = time.monotonic() + float(os.environ.get("GATHERING_STRESS_SECONDS", "2"))
        parameters = {"x": {"type": "integer"}, "y": {"type": "integer", "default": 1}}
        tool_registry.register(ToolDefinition("base", "Adds.", "utility", lambda x, y: x + y, parameters=parameters))
        problems, rounds = [], []

        def work(number):
            turn = 0
            try:
                while time.monotonic() < until:
                    turn += 1
                    own = f"tool_{number}"
                    tool_registry.register(ToolDefinition(own, "Adds.", "shared", lambda x, y: x + y, parameters=parameters))
                    assert tool_registry.execute(own, x=turn) == turn + 1
                    assert tool_registry.execute("base", x=1, y=2) == 3
                    id = f"plugin_{number}"
                    manager.load_plugin(id, plugin_class(id, [f"{id}_{n}" for n in range(5)]))
                    manager.enable_plugin(id)
                    assert tool_registry.execute(f"{id}_4", x=1, y=turn) == turn + 1
                    names = {tool.name for tool in tool_registry.list_by_plugin(id)}
                    assert len(names) == 5, names
                    for tool in tool_registry.list_by_category("shared"):
                        assert tool.name.startswith("tool_")
                    if number % 2:
                        # Several want the same plugin: one of them gets it.
                        try:
                            manager.load_plugin("contended", plugin_class("contended", ["contended"]))
                        except ValueError:
                            pass
                        else:
                            manager.unload_plugin("contended")
                            manager.unregister_plugin_class("contended")
                    manager.unload_plugin(id)
                    manager.unregister_plugin_class(id)
                    tool_registry.unregister(own)
            except BaseException as error:
                problems.append(error)
                raise
            rounds.append(turn)

        threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        self.assertEqual((problems, [t.is_alive() for t in threads]), ([], [False] * 8))
        self.assertEqual([tool.name for tool in tool_registry], ["base"])
        self.assertGreater(min(rounds), 0)


if __name__ == "__main__":
    unittest.main()
