"""A plugin by itself, without a server: its life, what it tells, and both styles of registering."""

import asyncio
import unittest

from gathering._collect import collect
from gathering.core.competency_registry import CompetencyDefinition, CompetencyLevel, CompetencyRegistry
from gathering.core.file_handler_registry import FileHandlerDefinition, FileHandlerRegistry
from gathering.core.tool_registry import ToolDefinition, ToolRegistry
from gathering.plugins import Plugin, PluginMetadata, PluginStatus


def add(x, y):
    return x + y


def tool(name="add", function=add, **more):
    return ToolDefinition(name, "Adds", "utility", function, **more)


class Returning(Plugin):
    def __init__(self, config=None):
        super().__init__(config)
        self.seen = []

    @property
    def metadata(self):
        return PluginMetadata("mine", "Mine", "1.2.0", "A plugin", author="Ada", tags=["t"])

    def register_tools(self):
        return [tool()]

    def register_competencies(self):
        return [CompetencyDefinition("sums", "Sums", "Adds", "mathematics")]

    def on_load(self):
        self.seen.append("load")

    def on_disable(self):
        self.seen.append("disable")

    def on_unload(self):
        self.seen.append("unload")


class Registering(Returning):
    def register_tools(self, tool_registry):
        tool_registry.register(tool())

    def register_competencies(self, competency_registry):
        competency_registry.register(CompetencyDefinition("sums", "Sums", "Adds", "mathematics"))

    def register_file_handlers(self, handler_registry):
        handler_registry.register(FileHandlerDefinition("sheet", ["csv"], {"read": "add"}))


class Life(unittest.TestCase):
    def test_metadata_has_to_be_defined(self):
        with self.assertRaises(TypeError):
            Plugin()

    def test_it_is_loaded_and_unloaded_and_its_hooks_are_called(self):
        plugin = Returning()
        self.assertEqual((plugin.status, plugin.error, plugin.config), (PluginStatus.UNLOADED, None, {}))

        plugin.load()
        self.assertEqual(plugin.status, PluginStatus.LOADED)
        plugin.unload()

        self.assertEqual(plugin.status, PluginStatus.UNLOADED)
        self.assertEqual(plugin.seen, ["load", "disable", "unload"])

    def test_the_configuration_is_the_one_given(self):
        config = {"a": 1}

        self.assertIs(Returning(config).config, config)

    def test_a_missing_package_is_named_with_how_to_install_it(self):
        class Needy(Returning):
            @property
            def metadata(self):
                return PluginMetadata("needy", "N", "1", "d", python_dependencies=["no-such-package-here>=1"])

        plugin = Needy()
        with self.assertRaises(ImportError) as caught:
            plugin.load()

        message = (
            "Plugin 'needy' requires Python package 'no-such-package-here>=1'. "
            "Install with: pip install no-such-package-here>=1"
        )
        self.assertEqual(str(caught.exception), message)
        self.assertEqual((plugin.status, plugin.error), (PluginStatus.ERROR, message))

    def test_what_goes_wrong_while_it_is_loaded_is_kept_and_raised(self):
        class Broken(Returning):
            def on_load(self):
                raise RuntimeError("no disk")

        plugin = Broken()
        with self.assertRaisesRegex(RuntimeError, "no disk"):
            plugin.load()

        self.assertEqual((plugin.status, plugin.error), (PluginStatus.ERROR, "no disk"))

    def test_it_tells_how_it_is(self):
        plugin = Returning()
        plugin.load()

        self.assertEqual(plugin.health_check(), {"plugin_id": "mine", "status": "loaded", "error": None})
        self.assertEqual(repr(plugin), "<Plugin mine v1.2.0 status=loaded>")
        for plugin in (plugin, Registering()):
            self.assertEqual(
                plugin.get_info(),
                {
                    "id": "mine", "name": "Mine", "version": "1.2.0", "description": "A plugin", "author": "Ada",
                    "license": "MIT", "homepage": "", "tags": ["t"], "status": plugin.status.value, "error": None,
                    "tools_count": 1, "competencies_count": 1,
                },
            )


class Collecting(unittest.TestCase):
    def test_both_styles_give_the_same(self):
        for plugin in (Returning(), Registering()):
            found = collect(plugin)

            self.assertEqual([t.name for t in found.tools], ["add"])
            self.assertEqual([c.id for c in found.competencies], ["sums"])
        self.assertEqual([h.name for h in found.file_handlers], ["sheet"])

    def test_an_optional_registry_is_given_and_another_optional_argument_is_not(self):
        class Optional(Returning):
            def register_tools(self, registry=None):
                registry.register(tool("a"))

            def register_competencies(self, verbose=False):
                return [CompetencyDefinition(str(verbose), "n", "d", "custom")]

        found = collect(Optional())

        self.assertEqual(([t.name for t in found.tools], [c.id for c in found.competencies]), (["a"], ["False"]))

    def test_what_is_registered_and_returned_counts_once(self):
        class Both(Returning):
            def register_tools(self, tool_registry):
                tool_registry.register(tool())
                return tool_registry.list_all()

        self.assertEqual(len(collect(Both()).tools), 1)

    def test_two_tools_of_one_name_are_refused(self):
        class Twice(Returning):
            def register_tools(self):
                return [tool(), tool()]

        with self.assertRaises(ValueError) as caught:
            collect(Twice())
        self.assertEqual(
            str(caught.exception), "Tool 'add' already registered. Use unregister() first to replace it."
        )

    def test_something_else_than_definitions_is_refused_with_what_was_expected(self):
        for returned, message in [
            ({}, "register_tools() returned dict: return a list of ToolDefinition, or take a registry and register them"),
            (7, "register_tools() returned int: return a list of ToolDefinition, or take a registry and register them"),
            (["add"], "register_tools() returned a list with str in it: expected ToolDefinition"),
        ]:
            plugin = Returning()
            plugin.register_tools = lambda returned=returned: returned
            with self.subTest(message), self.assertRaises(TypeError) as caught:
                collect(plugin)
            self.assertEqual(str(caught.exception), message)


class Registries(unittest.TestCase):
    def test_tools_are_listed_in_the_order_in_which_they_came(self):
        registry = ToolRegistry()
        for name in ("b", "a"):
            registry.register(tool(name, required_competencies=["sums"], plugin_id="p"))

        self.assertEqual([t.name for t in registry.list_all()], ["b", "a"])
        self.assertEqual(registry.list_by_category("utility"), registry.list_all())
        self.assertEqual(registry.list_by_competency("sums"), registry.list_all())
        self.assertEqual(registry.list_by_plugin("p"), registry.list_all())
        self.assertEqual((registry.list_by_category("x"), registry.get("c"), registry.has("a")), ([], None, True))
        self.assertEqual((registry.unregister("a"), registry.unregister("a")), (True, False))

    def test_a_tool_can_be_tried_without_a_server(self):
        async def later(x):
            return x

        registry = ToolRegistry()
        registry.register(tool())
        registry.register(tool("later", later))
        registry.register(tool("echo", lambda tool_name: tool_name))

        self.assertEqual(registry.execute("add", x=1, y=2), 3)
        self.assertEqual(registry.execute("echo", tool_name="me"), "me")
        self.assertEqual(asyncio.run(registry.execute_async("later", x=4)), 4)
        self.assertEqual(asyncio.run(registry.execute_async("add", x=1, y=2)), 3)
        for name, kind, message in [
            ("nope", ValueError, "Tool 'nope' not found in registry"),
            ("later", RuntimeError, "Async tool 'later' must be called via execute_async()"),
            ("add", Exception, "Error executing tool 'add': unsupported operand type(s) for +: 'int' and 'str'"),
        ]:
            with self.subTest(name), self.assertRaises(kind) as caught:
                registry.execute(name, x=1, y="2")
            self.assertEqual(str(caught.exception), message)

    def test_competencies_and_file_handlers_are_found_by_what_they_are(self):
        competencies, handlers = CompetencyRegistry(), FileHandlerRegistry()
        competencies.register(CompetencyDefinition("c", "C", "d", "writing", CompetencyLevel.NOVICE))
        handlers.register(FileHandlerDefinition("sheet", [".CSV"], {"read": "r"}, ["text/csv"]))

        self.assertEqual([c.id for c in competencies.list_by_level("beginner")], ["c"])
        self.assertEqual([c.id for c in competencies.list_by_category("writing")], ["c"])
        self.assertEqual([h.name for h in handlers.list_by_extension(".csv")], ["sheet"])
        self.assertEqual([h.name for h in handlers.list_by_media_type("text/csv")], ["sheet"])


if __name__ == "__main__":
    unittest.main()
