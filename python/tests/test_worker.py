"""The worker's protocol over real pipes: describe, load, call, hooks, and what a plugin does wrong."""

import os
import unittest

from worker_process import WorkerTest

ADDER = """
def add(self, x, y=1):
    return x + y
async def later(self, x):
    await asyncio.sleep(0)
    return x
def shout(self):
    print("to the log")
    sys.stderr.write("this too\\n")
    os.write(1, b"and this\\n")
    return sys.stdin.read()
def fail(self):
    raise ValueError("no such day")
def leave(self):
    sys.exit(7)
def odd(self):
    return {"a": [1, object()]}
def large(self, n):
    return "x" * n
"""


class Describing(WorkerTest):
    def test_metadata_is_told_without_running_the_constructor(self):
        path = self.plugin(ADDER, extra="def __init__(self, config):\n    raise RuntimeError('not yet')\n")

        said = self.worker().request("describe", path=path, site_packages=[])["result"]

        self.assertEqual((said["metadata"]["id"], said["metadata"]["license"], said["workers"]), ("mine", "MIT", 1))

    def test_a_scan_reads_the_metadata_without_running_the_file(self):
        path = self.file(
            """
            raise RuntimeError("the file was run")
            class Mine(Plugin):
                @property
                def metadata(self):
                    return PluginMetadata(id="mine", name="M", version="1", description="d", requires=["Pillow>=10"])
            """
        )

        said = self.worker().request("scan", path=path)["result"]

        self.assertEqual((said["metadata"]["id"], said["metadata"]["python_dependencies"]), ("mine", ["Pillow>=10"]))

    def test_a_scan_of_metadata_that_is_computed_still_tells_the_packages(self):
        path = self.file('make = lambda id: PluginMetadata(id=id, name="M", version="1", description="d", requires=["a"])')

        said = self.worker().request("scan", path=path)["result"]

        self.assertEqual(said, {"metadata": None, "python_dependencies": ["a"]})

    def test_a_package_is_a_plugin_and_its_modules_are_imported_from_it(self):
        self.file("NUMBER = 42\n", "pack/numbers.py", head="")
        self.file("from .numbers import NUMBER\nimport pack.numbers\n", "pack/inner/__init__.py", head="")
        init = self.file(
            """
            from .numbers import NUMBER
            from pack import numbers
            class Pack(Plugin):
                metadata = property(lambda self: PluginMetadata("pack", "P", "1", "d"))
                def register_tools(self, registry):
                    registry.register(tool(self.number))
                def number(self):
                    return NUMBER + numbers.NUMBER
            """,
            "pack/__init__.py",
        )

        self.assertEqual(self.loaded(os.path.dirname(init)).call("number")["result"], 84)

    def test_a_file_that_is_no_plugin_is_refused_with_the_reason(self):
        two = "class A(Plugin):\n    metadata = None\nclass B(Plugin):\n    metadata = None\n"
        for source, code, message in [
            ("x = 1\n", "invalid_plugin", "it defines no subclass of gathering.plugins.Plugin, and no `plugin_class`"),
            (two, "invalid_plugin", "it defines several Plugin subclasses (`A`, `B`): say which with `plugin_class = ...`"),
            ("class A(Plugin): pass\n", "invalid_plugin", "`A` is not complete: it must define metadata"),
            ("plugin_class = 7\n", "invalid_plugin", "`plugin_class` is a int: it must be a subclass of gathering.plugins.Plugin"),
            ("import nothing_like_it\n", "missing_dependency", "ModuleNotFoundError: No module named 'nothing_like_it'"),
            ("def broken(:\n", "invalid_plugin", "mine.py, line 1: SyntaxError: invalid syntax"),
            ("raise SystemExit(3)\n", "invalid_plugin", "it called sys.exit(3) while it was loaded"),
            ("1 / 0\n", "invalid_plugin", "ZeroDivisionError: division by zero"),
        ]:
            path = self.file(source, head="" if "broken" in source else "from gathering.plugins import Plugin\n")
            with self.subTest(message):
                answer = self.worker().request("describe", path=path, site_packages=[])
                self.assertEqual(self.refusal(answer), (code, message))

    def test_a_field_of_the_wrong_kind_is_named(self):
        path = self.file(
            """
            class Mine(Plugin):
                metadata = property(lambda self: PluginMetadata("mine", "Mine", 1.0, "A plugin"))
            """
        )

        answer = self.worker().request("describe", path=path, site_packages=[])

        self.assertEqual(
            self.refusal(answer), ("invalid_plugin", "`version` of PluginMetadata `Mine` is a float: it must be text")
        )


class Loading(WorkerTest):
    def test_the_manifest_tells_what_is_contributed(self):
        worker = self.worker()

        said = worker.request("load", path=self.plugin(ADDER), site_packages=[], config={}, max_output=100)["result"]

        tools = said["manifest"]["tools"]
        self.assertEqual([t["name"] for t in tools], ["add", "later", "shout", "fail", "leave", "odd", "large"])
        self.assertEqual([t["async_function"] for t in tools[:2]], [False, True])
        self.assertNotIn("function", tools[0])

    def test_the_configuration_reaches_the_plugin_whatever_its_constructor_takes(self):
        for constructor in [
            "",
            "def __init__(self, config=None):\n    super().__init__(config)\n",
            "def __init__(self, *, config):\n    super().__init__(config)\n",
            "def __init__(self):\n    super().__init__()\n",
        ]:
            path = self.plugin("def key(self):\n    return self.config['key']\n", extra=constructor)
            with self.subTest(constructor):
                self.assertEqual(self.loaded(path, config={"key": "k"}).call("key")["result"], "k")

    def test_packages_that_validate_dependencies_returns_are_missing(self):
        path = self.plugin(ADDER, extra="def validate_dependencies(self):\n    return ['Pillow', 'numpy']\n")

        answer = self.worker().request("load", path=path, site_packages=[], config={}, max_output=100)

        self.assertEqual(
            self.refusal(answer), ("missing_dependency", "ImportError: Plugin 'mine' missing dependencies: Pillow, numpy")
        )

    def test_hooks_run_in_their_order(self):
        hooks = "\n".join(
            f"def {name}(self):\n    self.seen = [*getattr(self, 'seen', []), '{name}']\n"
            for name in ("on_load", "on_enable", "on_disable", "on_unload")
        )
        worker = self.loaded(self.plugin("def log(self):\n    return self.seen\n", extra=hooks))

        for method in ("enable", "disable", "enable", "unload"):
            self.assertIsNone(worker.request(method)["result"])

        self.assertEqual(
            worker.call("log")["result"],
            ["on_load", "on_enable", "on_disable", "on_enable", "on_disable", "on_unload"],
        )

    def test_health_is_what_the_plugin_says(self):
        said = self.loaded(self.plugin(ADDER)).request("health")["result"]
        self.assertEqual(said, {"plugin_id": "mine", "status": "loaded", "error": None})

        odd = self.loaded(self.plugin(ADDER, extra="async def health_check(self):\n    return 'fine'\n")).request("health")
        self.assertEqual(self.refusal(odd), ("tool_error", "health_check() returned str instead of a dictionary"))

    def test_a_tool_is_registered_while_the_plugin_loads_and_not_later(self):
        worker = self.loaded(self.plugin("def more(self):\n    tool_registry.register(tool(self.more))\n"))

        self.assertEqual(
            self.refusal(worker.call("more")),
            ("tool_error", "RuntimeError: Tools are registered while the plugin loads, not later"),
        )


class Calling(WorkerTest):
    def setUp(self):
        super().setUp()
        self.mine = self.loaded(self.plugin(ADDER), max_output=1000)

    def test_tools_are_called_async_or_not(self):
        self.assertEqual(self.mine.call("add", {"x": 1, "y": 2})["result"], 3)
        self.assertEqual(self.mine.call("add", {"x": 1})["result"], 2)
        self.assertEqual(self.mine.call("later", {"x": [1]})["result"], [1])

    def test_prints_go_to_the_log_and_leave_the_protocol_alone(self):
        self.assertEqual(self.mine.call("shout")["result"], "")
        self.assertEqual(self.mine.call("add", {"x": 1})["result"], 2)

        self.assertEqual(self.mine.end(), "to the log\nthis too\nand this\n")

    def test_an_exception_is_told_with_the_plugins_own_lines(self):
        answer = self.mine.call("fail")

        self.assertEqual(self.refusal(answer), ("tool_error", "ValueError: no such day"))
        where, code = answer["error"]["data"]["traceback"].split("\n")
        self.assertRegex(where, r"^mine\.py, line \d+, in fail$")
        self.assertEqual(code, '    raise ValueError("no such day")')

    def test_arguments_that_the_function_cannot_take_are_invalid(self):
        for arguments, message in [
            ({}, "missing a required argument: 'x'"),
            ({"x": 1, "z": 2}, "got an unexpected keyword argument 'z'"),
        ]:
            self.assertEqual(self.refusal(self.mine.call("add", arguments)), ("invalid_arguments", message))

    def test_a_type_error_inside_the_tool_is_the_tools(self):
        code, message = self.refusal(self.mine.call("add", {"x": 1, "y": "2"}))

        self.assertEqual(code, "tool_error")
        self.assertIn("TypeError: unsupported operand", message)

    def test_a_result_without_a_form_or_too_large_is_refused(self):
        odd = self.mine.call("odd")
        self.assertEqual(
            self.refusal(odd),
            ("invalid_result", "`/a/1` is of type `object`, which has no form in JSON: return a dictionary, a list or text"),
        )
        self.assertEqual(odd["error"]["data"]["errors"][0]["pointer"], "/a/1")
        self.assertEqual(
            self.refusal(self.mine.call("large", {"n": 5000})), ("output_limit", "the result is larger than 1000 bytes")
        )
        self.assertEqual(self.mine.call("large", {"n": 3})["result"], "xxx")

    def test_what_is_not_there_is_refused(self):
        self.assertEqual(self.refusal(self.mine.call("nope")), ("tool_error", "the plugin has no tool called 'nope'"))
        self.assertEqual(
            self.refusal(self.mine.request("dance")), ("protocol_error", "there is no method called 'dance'")
        )

    def test_sys_exit_ends_the_worker_with_its_code(self):
        self.mine.begin("call", tool="leave", arguments={})

        with self.assertRaises(EOFError):
            self.mine.receive()
        self.assertEqual(self.mine.process.wait(), 7)

    def test_the_worker_leaves_when_the_host_is_gone_even_in_the_middle_of_a_loop(self):
        worker = self.loaded(self.plugin("def loop(self):\n    print('looping')\n    while True: pass\n"))
        worker.begin("call", tool="loop", arguments={})
        self.assertEqual(worker.process.stderr.readline(), b"looping\n")

        self.assertEqual(worker.end(), "")
        self.assertEqual(worker.process.returncode, 1)

    def test_state_is_kept_between_calls(self):
        path = self.plugin("def count(self):\n    self.n = getattr(self, 'n', 0) + 1\n    return self.n\n")
        worker = self.loaded(path)

        self.assertEqual([worker.call("count")["result"] for _ in range(3)], [1, 2, 3])

    def test_what_a_call_that_ran_out_of_memory_left_behind_is_collected(self):
        path = self.plugin(
            """
def run_out(self):
    import gc, weakref
    gc.disable()
    cycle = type("Node", (), {})()
    cycle.itself, self.left = cycle, weakref.ref(cycle)
    raise MemoryError
async def run_out_later(self):
    self.run_out()
def is_left(self):
    return self.left() is not None
"""
        )
        for tool in ("run_out", "run_out_later"):
            with self.subTest(tool):
                worker = self.loaded(path)

                failed = worker.call(tool)
                left = worker.call("is_left")

                self.assertEqual((failed["error"]["message"], left["result"]), ("MemoryError", False))

    def test_the_context_tells_who_calls(self):
        worker = self.loaded(
            self.file(
                """
                class Mine(Plugin):
                    metadata = property(lambda self: PluginMetadata("mine", "M", "1", "d"))
                    def register_tools(self):
                        return [tool(self.who, requires_context=True)]
                    def who(self, context, x):
                        left = 0 < context.time_left() <= 5
                        return [x, context.caller, context.competencies, context.plugin_id, context.tool, left]
                """
            )
        )
        caller = {"id": "ada", "competencies": [{"id": "sums", "level": "expert"}]}
        for who, expected in [(caller, ["ada", {"sums": "expert"}]), (None, ["operator", {}])]:
            context = {"call_id": "c", "trace_id": "t", "caller": who, "seconds_left": 5}

            answer = worker.call("who", {"x": 1}, context=context)

            self.assertEqual(answer["result"], [1, *expected, "mine", "who", True])
        answer = worker.call("who", {"x": 1, "context": 2}, context=context)
        self.assertEqual(self.refusal(answer), ("invalid_arguments", "`context` is given by the host and cannot be passed"))


if __name__ == "__main__":
    unittest.main()
