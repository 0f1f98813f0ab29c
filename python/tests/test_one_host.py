"""One host behind all registries: agents and workers see what this process registers, through the same gate."""

import asyncio
import dataclasses
import gc
import os
import shutil
import sys
import tempfile
import threading
import unittest
import weakref
from pathlib import Path

from process import InProcess
from test_manager import plugin_class
from test_registries import competency, tool

from gathering.core.competency_registry import CompetencyRegistry, competency_registry
from gathering.core.file_handler_registry import FileHandlerDefinition, FileHandlerRegistry, file_handler_registry
from gathering.core.tool_registry import ToolDefinition, ToolRegistry, tool_registry


class Results(InProcess):
    def returned(self, returns, result):
        registry = ToolRegistry()
        registry.register(ToolDefinition("say", "Says.", "utility", lambda: result, returns=returns))
        return registry.execute("say")

    def test_a_result_is_what_the_tool_promises_and_stays_the_object_that_it_is(self):
        result = [(1, 2), {"a": None}]
        self.assertIs(self.returned({"type": "array", "maxItems": 2}, result), result)
        self.assertIs(self.returned({}, self), self)

        with self.assertRaises(RuntimeError) as refused:
            self.returned({"type": "string"}, 5)

        self.assertEqual(refused.exception.code, "invalid_result")
        self.assertEqual(
            str(refused.exception),
            "the result of `say` does not hold what the tool promises: the value must be a string, not the number 5 (at (root))",
        )

    def test_what_a_worker_would_convert_is_looked_at_as_converted(self):
        @dataclasses.dataclass
        class Point:
            x: int

        point, promised = Point(1), {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}

        self.assertIs(self.returned(promised, point), point)
        with self.assertRaisesRegex(RuntimeError, "has no form in JSON"):
            self.returned(promised, object())

    def test_a_malformed_promise_is_refused_when_the_tool_is_registered(self):
        with self.assertRaisesRegex(ValueError, '^invalid returns of the tool `say`: "int" is not a type of JSON Schema'):
            self.returned({"type": "int"}, 5)

    def test_an_asynchronous_tool_keeps_its_promise_too(self):
        async def later():
            return "five"

        registry = ToolRegistry()
        registry.register(ToolDefinition("later", "Says.", "utility", later, returns={"type": "integer"}))

        with self.assertRaisesRegex(RuntimeError, "does not hold what the tool promises"):
            asyncio.run(registry.execute_async("later"))


class Agents(InProcess):
    def setUp(self):
        super().setUp()
        from gathering.agents import create_agent
        from gathering.plugins import plugin_manager

        self.manager, self.create_agent = plugin_manager, create_agent

    def agent(self, *competencies):
        return asyncio.run(self.create_agent(name="Ada", competencies=list(competencies)))

    def test_an_agent_calls_what_its_competencies_open_and_is_told_what_is_missing(self):
        tool_registry.register(tool("open"))
        tool_registry.register(tool("guarded", required_competencies=["git:advanced"]))
        competency_registry.register(competency("git"))
        competency_registry.register(competency("git_flow", "git"))
        agent = self.agent()

        self.assertEqual([one.name for one in agent.tools()], ["open"])
        self.assertIs(agent.tools()[0], tool_registry.get("open"))
        argument = object()
        self.assertIs(agent.execute("open", x=argument)["x"], argument)
        with self.assertRaises(PermissionError) as refused:
            agent.execute("guarded")
        self.assertEqual(refused.exception.code, "missing_competency")
        self.assertEqual(
            str(refused.exception),
            f"`guarded` requires `git:advanced`, which the agent `{agent.id}` does not hold: its grant('git:advanced') grants it",
        )
        for granted, may in [("git", False), ("git:expert", True), ("git_flow:advanced", True)]:
            agent.grant(granted)
            self.assertEqual((len(agent.tools()) == 2, agent.competencies), (may, [granted]), granted)
            agent.revoke(granted.partition(":")[0])
        with self.assertRaisesRegex(ValueError, "^agent 'ada[-0-9]*' does not hold 'git': it holds nothing$"):
            agent.revoke("git")
        with self.assertRaisesRegex(ValueError, "Tool 'nothing' not found in registry"):
            agent.execute("nothing")
        self.assertEqual(tool_registry.execute("guarded"), {})

    def test_an_agent_is_offered_what_is_enabled(self):
        self.manager.load_plugin("mine", plugin_class())
        agent = self.agent()

        self.assertEqual(agent.tools(), [])
        with self.assertRaisesRegex(RuntimeError, "it has to be enabled before agents are offered its tools"):
            agent.execute("add")
        self.manager.enable_plugin("mine")
        self.assertEqual((agent.execute("add"), [one.name for one in agent.tools()]), (2, ["add"]))
        self.manager.disable_plugin("mine")
        with self.assertRaisesRegex(RuntimeError, "disabled: enable it first"):
            agent.execute("add")

    def test_what_a_tool_calls_for_an_agent_the_agent_calls(self):
        def through(context, of="context"):
            if of == "context":
                return context.caller, context.call_tool("guarded")
            if of == "thread":
                results = []
                thread = threading.Thread(target=lambda: results.append(context.call_tool("guarded")))
                thread.start()
                thread.join(30)
                return results
            return tool_registry.execute("guarded")

        async def through_async(context):
            return await context.call_tool_async("guarded"), await tool_registry.execute_async("guarded")

        tool_registry.register(tool("guarded", lambda: "secret", required_competencies=["spying"]))
        tool_registry.register(tool("through", through, requires_context=True))
        tool_registry.register(tool("through_async", through_async, requires_context=True))
        agent = self.agent()

        for of in ("context", "registry"):
            with self.assertRaises(Exception) as refused:
                agent.execute("through", of=of)
            self.assertEqual(refused.exception.__cause__.code, "missing_competency", of)
        with self.assertRaises(Exception) as refused:
            asyncio.run(agent.execute_async("through_async"))
        self.assertIsInstance(refused.exception.__cause__, PermissionError)
        self.assertEqual(tool_registry.execute("through"), ("operator", "secret"))
        agent.grant("spying")
        self.assertEqual(agent.execute("through")[1], "secret")
        self.assertEqual(agent.execute("through", of="thread"), ["secret"])
        self.assertEqual(asyncio.run(agent.execute_async("through_async")), ("secret", "secret"))

    def test_what_is_taken_from_an_agent_is_taken_from_its_calls_in_flight(self):
        tool_registry.register(tool("guarded", required_competencies=["spying"]))
        agent = self.agent("spying")
        tool_registry.register(
            tool("through", lambda context: (agent.revoke("spying"), context.call_tool("guarded")), requires_context=True)
        )

        with self.assertRaisesRegex(Exception, "something was taken from it after this call began"):
            agent.execute("through")

    def test_calls_within_calls_have_an_end(self):
        tool_registry.register(tool("deeper", lambda context: context.call_tool("deeper"), requires_context=True))

        with self.assertRaisesRegex(Exception, "tools may call each other 16 deep, and this call is deeper"):
            tool_registry.execute("deeper")

    def test_names_of_agents_become_ids_that_are_theirs(self):
        first, second = self.agent(), self.agent()

        self.assertEqual((first.name, second.name), ("Ada", "Ada"))
        self.assertNotEqual(first.id, second.id)
        for name in ("", " ", None):
            with self.assertRaisesRegex(ValueError, "^Agent name cannot be empty$"):
                asyncio.run(self.create_agent(name))
        with self.assertRaisesRegex(ValueError, "^competency 'no good': "):
            self.agent("no good")


class Registries(InProcess):
    def test_names_keep_one_rule_everywhere(self):
        for register in (
            lambda: competency_registry.register(competency("no good")),
            lambda: file_handler_registry.register(FileHandlerDefinition("no good", ["txt"], {"read": "read"})),
            lambda: tool_registry.register(tool("no good")),
            lambda: tool_registry.register(tool("good", required_competencies=["no good"])),
        ):
            with self.assertRaisesRegex(ValueError, "`no good` is not a .*: it takes a letter, then letters"):
                register()
        competency_registry.register(competency("Git"))
        with self.assertRaisesRegex(ValueError, "^Competency 'git' already registered"):
            competency_registry.register(competency("git"))
        with self.assertRaisesRegex(TypeError, "expected a CompetencyDefinition, not"):
            competency_registry.register(tool())

    def test_registered_objects_come_back_and_leave_with_their_plugin(self):
        skill, handler = competency("skill"), FileHandlerDefinition("text", ["TXT"], {"read": "read"}, ["text/plain"])
        mine = plugin_class(competencies=[skill], register_file_handlers=lambda self: [handler])
        from gathering.plugins import plugin_manager

        plugin_manager.load_plugin("mine", mine)

        self.assertIs(competency_registry.get("skill"), skill)
        self.assertIs(competency_registry.list_by_plugin("mine")[0], skill)
        self.assertIs(file_handler_registry.list_by_extension(".txt")[0], handler)
        self.assertIs(file_handler_registry.list_by_media_type("Text/Plain")[0], handler)
        plugin_manager.unload_plugin("mine")
        self.assertEqual((competency_registry.get("skill"), list(file_handler_registry)), (None, []))

    def test_registries_of_a_manager_may_be_of_different_hosts(self):
        from gathering.plugins import PluginManager

        tools, competencies, handlers = ToolRegistry(), CompetencyRegistry(), FileHandlerRegistry()
        manager = PluginManager(tools, competencies, handlers)
        handler = FileHandlerDefinition("text", ["txt"], {"read": "read"})
        hooks = {"register_file_handlers": lambda self: [handler]}

        manager.load_plugin("mine", plugin_class(competencies=[competency("skill")], **hooks))
        manager.unregister_plugin_class("other")
        with self.assertRaisesRegex(ValueError, "^the file name ending `txt` of the plugin `other` is already registered by the plugin `mine`"):
            manager.load_plugin("other", plugin_class("other", ["two"], [competency("two")], **hooks))

        self.assertEqual((len(tools), len(competencies), len(handlers)), (1, 1, 1))
        manager.unload_plugin("mine")
        self.assertEqual((len(tools), len(competencies), len(handlers), len(tool_registry)), (0, 0, 0, 0))

    def test_a_host_in_a_circle_with_an_agent_and_its_tools_is_collected(self):
        from gathering.agents import Agent

        class Owner:
            def __init__(self):
                self.registry = ToolRegistry()
                self.agent = Agent("Ada", registry=self.registry)
                self.registry.register(tool(function=self.run))

            def run(self):
                return self.agent

        owner = Owner()
        self.assertIs(owner.agent.execute("echo"), owner.agent)
        gone = weakref.ref(owner.registry)
        del owner
        gc.collect()

        self.assertIsNone(gone())


FILE = '''
import os
from gathering.core.tool_registry import ToolDefinition, tool_registry
from gathering.plugins import Plugin, PluginMetadata

class Apart(Plugin):
    metadata = property(lambda self: PluginMetadata("apart", "Apart", "1.0.0", "Runs apart.", dependencies=["mine"]))

    def register_tools(self):
        return [ToolDefinition(f.__name__, "Does it.", "utility", f) for f in (pid, through)]

def pid(): return os.getpid()
def through(tool, arguments): return tool_registry.execute(tool, **arguments)
'''


@unittest.skipUnless(shutil.which("gathering"), "NOT RUN: the program `gathering`, which confines, is not on the path")
class Workers(InProcess):
    def setUp(self):
        super().setUp()
        from gathering.plugins import plugin_manager

        self.manager = plugin_manager
        folder = self.enterContext(tempfile.TemporaryDirectory())
        Path(folder, "apart.py").write_text(FILE)
        self.manager.discover_plugins(folder)

        async def later(x):
            return {"later": x}

        def fails():
            raise KeyError("here")

        def calls_back(context):
            return context.caller, context.call_tool("pid")

        tools = [
            tool("add", lambda x, y=1: x + y, {"x": {"type": "integer"}, "y": {"type": "integer", "default": 1}}),
            tool("later", later), tool("fails", fails), tool("opaque", object), tool("here", os.getpid),
            tool("guarded", lambda: "secret", required_competencies=["spying"]),
            tool("calls_back", calls_back, requires_context=True),
        ]
        self.manager.load_plugin("mine", plugin_class(register_tools=lambda self: tools))
        self.manager.enable_plugin("mine")
        self.manager.load_plugin("apart", isolation="worker")
        self.manager.enable_plugin("apart")

    def through(self, name, **arguments):
        return tool_registry.execute("through", tool=name, arguments=arguments)

    def test_a_worker_calls_what_is_registered_here_and_the_other_way_round(self):
        apart = tool_registry.execute("pid")

        self.assertEqual((self.through("add", x=2), self.through("later", x=5)), (3, {"later": 5}))
        self.assertEqual(self.through("here"), os.getpid())
        self.assertNotEqual(apart, os.getpid())
        self.assertEqual(self.through("calls_back"), ["operator", apart])
        for name, arguments, message in [
            ("fails", {}, "KeyError: 'here'"),
            ("add", {"x": "2"}, "must be an integer"),
            ("opaque", {}, "has no form in JSON"),
        ]:
            with self.assertRaisesRegex(Exception, message):
                self.through(name, **arguments)

    def test_an_agent_is_itself_on_both_sides(self):
        from gathering.agents import Agent

        agent = Agent("Ada")

        self.assertLessEqual({"pid", "through", "add"}, {one.name for one in agent.tools()})
        self.assertEqual(agent.execute("through", tool="add", arguments={"x": 2}), 3)
        self.assertEqual(agent.execute("through", tool="calls_back", arguments={})[0], agent.id)
        with self.assertRaisesRegex(Exception, "requires `spying`"):
            agent.execute("through", tool="guarded", arguments={})
        agent.grant("spying")
        self.assertEqual(agent.execute("through", tool="guarded", arguments={}), "secret")
        self.assertEqual(asyncio.run(agent.execute_async("through", tool="add", arguments={"x": 1})), 2)

    def test_what_lives_apart_is_shown_like_everything_else(self):
        shown = tool_registry.get("pid")

        self.assertIs(tool_registry.list_by_plugin("apart")[0], shown)
        self.assertEqual((shown.plugin_id, shown.category, shown.function()), ("apart", "utility", tool_registry.execute("pid")))
        with self.assertRaisesRegex(ValueError, r"^Cannot unload plugin 'mine': plugins \['apart'\] depend on it$"):
            self.manager.unload_plugin("mine")
        self.manager.disable_plugin("apart")
        with self.assertRaisesRegex(RuntimeError, "which is disabled: enable it first"):
            tool_registry.execute("pid")
        self.manager.unload_plugin("apart")
        self.assertEqual(tool_registry.list_by_plugin("apart"), [])
        self.manager.load_plugin("apart", isolation="worker")
        self.assertIsInstance(tool_registry.execute("pid"), int)

    def test_a_worker_plugin_that_cannot_be_registered_leaves_nothing(self):
        self.manager.unload_plugin("apart")
        tool_registry.register(tool("pid"))

        with self.assertRaisesRegex(RuntimeError, "`pid`.*is already registered"):
            self.manager.load_plugin("apart", isolation="worker")

        self.assertFalse(tool_registry.has("through"))
        tool_registry.unregister("pid")
        self.manager.load_plugin("apart", isolation="worker")


if __name__ == "__main__":
    unittest.main()
