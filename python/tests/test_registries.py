"""The registries of the package in its own process: what they take, refuse, list and call."""

import asyncio
import datetime
import functools
import gc
import sys
import threading
import unittest
import weakref
from pathlib import Path

from process import InProcess

from gathering.core.competency_registry import CompetencyCategory, CompetencyDefinition, CompetencyLevel, CompetencyRegistry
from gathering.core.tool_registry import ToolCategory, ToolDefinition, ToolRegistry


def given(**arguments):
    return arguments


def tool(name="echo", function=given, parameters=None, category="utility", **more):
    return ToolDefinition(name, "Does it.", category, function, parameters=parameters or {}, **more)


def registry_with(*tools):
    registry = ToolRegistry()
    for one in tools:
        registry.register(one)
    return registry


class Calls(InProcess):
    def refusal(self, parameters, **arguments):
        with self.assertRaises(ValueError) as refused:
            registry_with(tool(parameters=parameters)).execute("echo", **arguments)
        return str(refused.exception)

    def test_the_messages_are_those_of_the_documents(self):
        async def later():
            pass

        def fails():
            raise KeyError("x")

        registry = registry_with(tool("later", later), tool("fails", fails))

        with self.assertRaisesRegex(ValueError, "^Tool 'nothing' not found in registry$"):
            registry.execute("nothing")
        with self.assertRaisesRegex(RuntimeError, r"^Async tool 'later' must be called via execute_async\(\)$"):
            registry.execute("later")
        with self.assertRaisesRegex(ValueError, r"^Tool 'fails' already registered. Use unregister\(\) first to replace it.$"):
            registry.register(tool("fails"))
        with self.assertRaisesRegex(Exception, "^Error executing tool 'fails': 'x'$") as failed:
            registry.execute("fails")
        self.assertIsInstance(failed.exception.__cause__, KeyError)
        self.assertIs(type(failed.exception), Exception)

    def test_what_is_no_exception_passes_as_it_is(self):
        def interrupted():
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            registry_with(tool(function=interrupted)).execute("echo")

    def test_arguments_are_checked_and_the_message_names_the_field(self):
        self.assertEqual(
            self.refusal({"x": {"type": "integer"}}, x="5"),
            "Invalid parameters for tool 'echo': `x` must be an integer, not the string \"5\" (at x)",
        )
        self.assertEqual(
            self.refusal({"x": {"type": "integer"}}), "Invalid parameters for tool 'echo': `x` is required (at (root))"
        )
        nested = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "string", "enum": ["b"]}}}}
        self.assertIn('must be "b"', self.refusal(nested, a=["b", "c"]))
        self.assertIn("(at a.1)", self.refusal(nested, a=["b", "c"]))
        self.assertIn("(at x)", self.refusal({"x": {"type": "number", "minimum": 0}}, x=-1))
        self.assertIn("(at x)", self.refusal({"x": {"type": "integer", "maximum": 10}}, x=2**80))
        self.assertIn("(at x)", self.refusal({"x": {"type": "boolean"}}, x=1))
        self.assertIn("(at x)", self.refusal({"x": {"type": "integer"}}, x=True))

    def test_arguments_reach_the_function_as_the_objects_that_they_are(self):
        when, path, items = datetime.date(2026, 1, 2), Path("a"), (1, 2)
        parameters = {"type": "object", "properties": {"when": {}, "items": {"type": "array", "items": {"type": "integer"}}}}
        registry = registry_with(tool(parameters=parameters))

        result = registry.execute("echo", when=when, items=items, path=path, big=2**200, nan=float("nan"), keys={1: 2})

        self.assertIs(result["when"], when)
        self.assertIs(result["items"], items)
        self.assertIs(result["path"], path)
        self.assertEqual((result["big"], result["keys"]), (2**200, {1: 2}))

    def test_what_json_has_no_word_for_is_refused_where_a_schema_says_what_it_wants(self):
        self.assertEqual(
            self.refusal({"x": {"type": "string"}}, x=b"5"),
            "Invalid parameters for tool 'echo': `x` is or holds a value of type bytes, which has no form in JSON (at x)",
        )
        endless = []
        endless.append(endless)
        pattern = {"x": {"type": "array", "uniqueItems": True}}
        self.assertIn("is nested deeper than 128, or holds itself", self.refusal(pattern, x=endless))

    def test_defaults_are_filled_in_afresh_for_each_call_nested_ones_too(self):
        parameters = {
            "a": {"type": "array", "default": []},
            "b": {"type": "object", "properties": {"c": {"type": "integer", "default": 1}}, "default": {}},
        }
        registry = registry_with(tool(parameters=parameters))
        options = {}

        first, second = registry.execute("echo"), registry.execute("echo", b=options)
        first["a"].append(1)

        self.assertEqual((second, registry.execute("echo")["a"]), ({"a": [], "b": {"c": 1}}, []))
        self.assertEqual(options, {})

    def test_a_tool_may_take_arguments_that_are_called_like_ours(self):
        registry = registry_with(tool())

        self.assertEqual(
            registry.execute("echo", tool_name=1, name=2, self=3), {"tool_name": 1, "name": 2, "self": 3}
        )

    def test_whatever_can_be_called_is_called_with_its_arguments_by_name(self):
        class Callable:
            def __init__(self, **arguments):
                self.arguments = arguments

            def __call__(self, **arguments):
                return arguments

            def method(self, **arguments):
                return arguments

            @classmethod
            def of_class(cls, **arguments):
                return arguments

        checked = {"a": {"type": "integer"}, "b": {"type": "array", "items": {"type": "string"}}}
        for function in (given, Callable(), Callable().method, Callable.of_class, functools.partial(given), dict):
            for parameters in (None, checked):
                registry = registry_with(tool(function=function, parameters=parameters))
                self.assertEqual(registry.execute("echo", a=1, b=["x"]), {"a": 1, "b": ["x"]})
                self.assertEqual(registry.execute("echo", **{"b": [], "a": 2}), {"b": [], "a": 2})
        self.assertEqual(registry_with(tool(function=Callable)).execute("echo", a=1).arguments, {"a": 1})
        self.assertEqual(registry_with(tool(function=dict)).execute("echo"), {})

    def test_a_name_is_needed_and_nothing_else_comes_without_one(self):
        registry = registry_with(tool())
        for arguments in ((), ("echo", 1)):
            with self.assertRaisesRegex(TypeError, f"{len(arguments)} were given without a name"):
                registry.execute(*arguments)
        with self.assertRaises(TypeError):
            registry.execute(5)
        with self.assertRaises(TypeError):
            ToolRegistry.execute(5, "echo")
        self.assertEqual(ToolRegistry.execute(registry, "echo", a=1), {"a": 1})

    def test_a_call_keeps_no_argument_and_no_result(self):
        registry = registry_with(tool(parameters={"x": {}, "y": {"type": "array", "default": []}}), tool("fails", int))
        argument = object()
        before = sys.getrefcount(argument)

        for _ in range(1000):
            registry.execute("echo", x=argument)
            registry.execute("echo", x=argument, y=[])
            for wrong in (lambda: registry.execute("echo", x=argument, y=argument), lambda: registry.execute("fails", x=argument)):
                try:
                    wrong()
                except Exception:
                    pass

        self.assertEqual(sys.getrefcount(argument), before)

    def test_keywords_that_the_program_does_not_know_are_checked_by_the_full_validator(self):
        self.assertIn("(at x)", self.refusal({"x": {"type": "string", "pattern": "^a"}}, x="b"))
        registry = registry_with(tool(parameters={"x": {"type": "string", "pattern": "^a"}, "y": {"default": 2}}))
        self.assertEqual(registry.execute("echo", x="ab"), {"x": "ab", "y": 2})

    def test_a_malformed_schema_and_a_bad_name_are_refused_when_the_tool_is_registered(self):
        for parameters in ({"x": {"type": "int"}}, {"x": 5}, {"type": "object", "properties": []}, {"x": {"default": object()}}):
            with self.assertRaisesRegex(ValueError, "^invalid parameters of the tool `echo`: "):
                registry_with(tool(parameters=parameters))
        with self.assertRaisesRegex(ValueError, "`no good` is not a tool name"):
            registry_with(tool("no good"))
        with self.assertRaisesRegex(TypeError, "expected a ToolDefinition"):
            ToolRegistry().register("echo")


class Contexts(InProcess):
    def test_a_tool_that_asks_for_the_context_is_given_it_and_nobody_forges_it(self):
        def outer(x, context):
            return context, context.call_tool("inner", x=x)

        async def inner(x, context):
            return context

        registry = registry_with(tool("outer", outer, {"x": {"type": "integer"}}, requires_context=True, plugin_id="mine"))
        registry.register(tool("inner", lambda x, context: (x, context), requires_context=True))
        registry.register(tool("later", inner, requires_context=True))

        context, (x, nested) = registry.execute("outer", x=1)

        self.assertEqual((x, context.caller, context.tool, context.plugin_id), (1, "operator", "outer", "mine"))
        self.assertEqual(context.trace_id, nested.trace_id)
        self.assertNotEqual(context.call_id, nested.call_id)
        self.assertLessEqual(asyncio.run(registry.execute_async("later", x=1)).time_left(), registry.call_timeout)
        with self.assertRaisesRegex(Exception, "'context' is given by the registry and cannot be passed"):
            registry.execute("inner", x=1, context=None)
        with self.assertRaisesRegex(ValueError, "^Tool 'echo' has requires_context=True, but its function takes no 'context'$"):
            registry.register(tool(function=lambda x: x, requires_context=True))


class AsyncCalls(InProcess):
    def test_calls_overlap_whether_their_functions_are_asynchronous_or_not(self):
        both = threading.Barrier(2, timeout=30)
        begun = []

        async def later():
            begun.append(1)
            while len(begun) < 2:
                await asyncio.sleep(0)
            return "later"

        registry = registry_with(tool("later", later), tool("blocks", lambda: both.wait() >= 0))

        async def main():
            return await asyncio.gather(*(registry.execute_async(name) for name in ("later", "later", "blocks", "blocks")))

        self.assertEqual(asyncio.run(main()), ["later", "later", True, True])

    def test_an_asynchronous_tool_that_takes_too_long_is_cancelled(self):
        cancelled = []

        async def hangs():
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise

        registry = registry_with(tool("hangs", hangs))
        registry.call_timeout = 0.01

        with self.assertRaisesRegex(
            Exception, "^Error executing tool 'hangs': it did not answer within 0.01 s and was cancelled$"
        ):
            asyncio.run(registry.execute_async("hangs"))
        self.assertEqual(cancelled, [True])

    def test_arguments_are_checked_before_anything_is_awaited(self):
        async def later(x):
            return x

        registry = registry_with(tool("later", later, {"x": {"type": "integer"}}))

        self.assertEqual(asyncio.run(registry.execute_async("later", x=1)), 1)
        with self.assertRaisesRegex(ValueError, "^Invalid parameters for tool 'later': "):
            asyncio.run(registry.execute_async("later", x="1"))


class Lists(InProcess):
    def test_lists_are_fresh_in_order_and_hold_the_registered_objects(self):
        a, b, c = tool("a", category=ToolCategory.FINANCE), tool("b", category="physics"), tool("c", category="finance", required_competencies=["x", "y:expert"])
        registry = registry_with(c, a, b)

        self.assertEqual([id(t) for t in registry.list_all()], [id(c), id(a), id(b)])
        self.assertIs(registry.list_by_category("finance")[0], c)
        self.assertEqual(registry.list_by_category(ToolCategory.FINANCE), [c, a])
        self.assertEqual(registry.list_by_competency("y"), [c])
        self.assertEqual(registry.list_by_plugin("nobody"), [])
        registry.list_all().clear()
        self.assertEqual((len(registry), "a" in registry, list(registry)), (3, True, [c, a, b]))
        self.assertIs(registry.get("b"), b)
        self.assertIsNone(registry.get("B"))

    def test_what_is_not_in_use_any_more_is_not_listed(self):
        registry = registry_with(tool("a", category="physics", required_competencies=["x"], plugin_id="p"))
        self.assertEqual((registry.get_categories(), registry.get_competencies()), (["physics"], ["x"]))
        self.assertEqual(
            registry.get_stats(),
            {"total_tools": 1, "categories": 1, "competencies": 1, "tools_by_category": {"physics": 1}, "plugins": 1},
        )

        self.assertEqual((registry.unregister("a"), registry.unregister("a")), (True, False))

        self.assertEqual((registry.get_categories(), registry.get_competencies()), ([], []))
        registry.register(tool("a"))
        registry.clear()
        self.assertFalse(registry.has("a"))

    def test_nothing_changes_under_whoever_goes_through_the_tools(self):
        registry = registry_with(*(tool(f"t{n}") for n in range(10)))

        seen = []
        for one in registry:
            registry.unregister(one.name)
            seen.append(one.name)

        self.assertEqual((len(seen), len(registry)), (10, 0))

    def test_a_registry_in_a_circle_with_its_tools_is_collected(self):
        class Owner:
            def __init__(self):
                self.registry = registry_with(tool(function=self.run))

            def run(self):
                return self.registry

        owner = Owner()
        gone = weakref.ref(owner)
        del owner
        gc.collect()

        self.assertIsNone(gone())

    def test_a_finalizer_may_come_back_to_the_registry_that_let_its_tool_go(self):
        registry = ToolRegistry()

        class Function:
            def __call__(self):
                return 1

            def __del__(self):
                registry.register(tool("last_words"))

        registry.register(tool("mortal", Function()))
        registry.unregister("mortal")
        gc.collect()

        self.assertTrue(registry.has("last_words"))


def competency(id, *prerequisites, **more):
    return CompetencyDefinition(id, id.title(), "Knows it.", more.pop("category", "programming"), prerequisites=list(prerequisites), **more)


class Competencies(InProcess):
    def setUp(self):
        super().setUp()
        self.registry = CompetencyRegistry()
        for one in (competency("a"), competency("b", "a", level="expert"), competency("c", "b", "a", category="legal")):
            self.registry.register(one)

    def test_prerequisites_come_first_and_leave_last(self):
        with self.assertRaisesRegex(ValueError, "^Competency 'a' already registered. "):
            self.registry.register(competency("a"))
        for prerequisite, message in [
            ("x", "^Prerequisite 'x' for competency 'd' is not registered. Register prerequisites first.$"),
            ("d", "^the prerequisites of `d` lead back to themselves$"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                self.registry.register(competency("d", prerequisite))
        with self.assertRaisesRegex(ValueError, r"^Cannot unregister 'a': competencies \['b', 'c'\] depend on it$"):
            self.registry.unregister("a")
        self.assertEqual((self.registry.unregister("c"), self.registry.unregister("c")), (True, False))

    def test_what_builds_on_what(self):
        registry = self.registry
        self.assertEqual(registry.get_prerequisites("c"), ["b", "a"])
        self.assertEqual(registry.get_all_prerequisites("c"), {"a", "b"})
        self.assertEqual(registry.get_dependents("a"), ["b", "c"])
        self.assertEqual(registry.get_learning_path("c"), ["a", "b", "c"])
        self.assertEqual(registry._prerequisite_graph, {"b": {"a"}, "c": {"a", "b"}})
        for answer in (registry.get_prerequisites("x"), registry.get_learning_path("x"), registry.get_dependents("x")):
            self.assertEqual(answer, [])
        self.assertTrue(registry.validate_agent_competencies(["c"], ["a", "b"]))
        self.assertFalse(registry.validate_agent_competencies(["a"], ["b"]))
        self.assertFalse(registry.validate_agent_competencies(["x"], ["x"]))

    def test_a_long_chain_is_no_deep_recursion(self):
        registry = CompetencyRegistry()
        for n in range(3000):
            registry.register(competency(f"c{n}", *([f"c{n - 1}"] if n else [])))

        self.assertEqual(len(registry.get_learning_path("c2999")), 3000)

    def test_lists_and_counts(self):
        registry = self.registry
        self.assertEqual([c.id for c in registry.list_by_level("expert")], ["b"])
        self.assertEqual([c.id for c in registry.list_by_category(CompetencyCategory.LEGAL)], ["c"])
        self.assertEqual(registry.get_categories(), [CompetencyCategory.PROGRAMMING, CompetencyCategory.LEGAL])
        self.assertEqual(registry.get_levels(), [CompetencyLevel.INTERMEDIATE, CompetencyLevel.EXPERT])
        self.assertEqual(
            registry.get_stats(),
            {
                "total_competencies": 3, "categories": 2, "levels": 2, "plugins": 0,
                "competencies_by_category": {"programming": 2, "legal": 1},
                "competencies_by_level": {"intermediate": 2, "expert": 1},
            },
        )


if __name__ == "__main__":
    unittest.main()
