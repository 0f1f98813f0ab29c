"""What the package has on top of the documents: `@tool`, lists for providers, pickling, docstrings, and the clients."""

import asyncio
import contextlib
import doctest
import importlib
import os
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from typing import Annotated

from process import InProcess

from gathering import AsyncClient, Client, ClientError, tool
from gathering.core.competency_registry import CompetencyDefinition
from gathering.core.tool_registry import ToolDefinition, ToolRegistry, tool_registry
from gathering.plugins import Plugin, PluginMetadata

try:
    import pydantic
except ModuleNotFoundError:
    pydantic = None


@tool(category="finance")
def interest(amount: Annotated[float, "in euros"], years: int = 1) -> float:
    """Says what some money bears.

    Args:
        years: For how long.
    """
    return round(amount * 1.02**years - amount, 2)


def plain(x):
    return x


class Decorated(InProcess):
    def test_a_typed_function_is_a_tool_and_stays_a_function(self):
        tool_registry.register(interest)

        self.assertEqual((tool_registry.execute("interest", amount=100.0), interest(100, 2)), (2.0, 4.04))
        self.assertEqual((interest.name, interest.description, interest.category), ("interest", "Says what some money bears.", "finance"))
        self.assertEqual(
            interest.parameters,
            {
                "type": "object",
                "properties": {
                    "amount": {"type": "number", "description": "in euros"},
                    "years": {"type": "integer", "default": 1, "description": "For how long."},
                },
                "required": ["amount"],
                "additionalProperties": False,
            },
        )
        self.assertEqual(interest.returns, {"type": "number"})
        with self.assertRaises(ValueError):
            tool_registry.execute("interest", amount="100")

    def test_methods_are_tools_of_their_instance(self):
        class Shop(Plugin):
            metadata = property(lambda self: PluginMetadata("shop", "Shop", "1.0.0", "Sells."))

            @tool
            def price(self, item: str) -> int:
                """Says what an item costs."""
                return self.config[item]

            @tool
            async def later(self, item: str) -> int:
                """Says it later."""
                return self.price(item)

            def register_tools(self):
                return [self.price, self.later]

        from gathering.plugins import plugin_manager

        plugin_manager.load_plugin("shop", plugin_class=Shop, config={"pen": 3})

        self.assertEqual(tool_registry.execute("price", item="pen"), 3)
        self.assertEqual(asyncio.run(tool_registry.execute_async("later", item="pen")), 3)

    @unittest.skipIf(pydantic is None, "NOT RUN: pydantic is not installed")
    def test_pydantic_models_are_arguments(self):
        class Item(pydantic.BaseModel):
            name: str
            count: int = 1

        class Order(pydantic.BaseModel):
            items: list[Item]

        @tool(registry=tool_registry)
        def total(order: Order) -> int:
            """Counts."""
            return sum(item.count for item in order.items)

        self.assertEqual(tool_registry.execute("total", order={"items": [{"name": "a", "count": 2}, {"name": "b"}]}), 3)
        with self.assertRaisesRegex(ValueError, r"^Invalid parameters for tool 'total': .*\(at order.items.0"):
            tool_registry.execute("total", order={"items": [{"name": 5}]})


class Definitions(InProcess):
    def test_definitions_are_pickled(self):
        for value in (
            ToolDefinition("plain", "Gives it back.", "utility", plain, parameters={"x": {}}),
            CompetencyDefinition("a", "A", "Knows.", "legal", parent_competency="b"),
            PluginMetadata("a", "A", "1.0.0", "", requires=["x"]),
        ):
            self.assertEqual(pickle.loads(pickle.dumps(value)), value)
        self.assertIs(pickle.loads(pickle.dumps(interest)), interest)

    def test_providers_get_the_schema_that_a_bare_map_means(self):
        registry = ToolRegistry()
        registry.register(ToolDefinition("plain", "Gives it back.", "utility", plain, parameters={"x": {"type": "integer"}}))
        schema = {
            "type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False,
        }

        self.assertEqual(
            registry.to_openai(),
            [{"type": "function", "function": {"name": "plain", "description": "Gives it back.", "parameters": schema}}],
        )
        self.assertEqual(
            registry.to_anthropic(), [{"name": "plain", "description": "Gives it back.", "input_schema": schema}]
        )
        self.assertEqual(repr(registry), "<ToolRegistry of 1 tool>")
        self.assertIn("<td><code>plain</code></td><td>utility</td>", registry._repr_html_())
        try:
            import langchain_core  # noqa: F401
        except ModuleNotFoundError:
            with self.assertRaisesRegex(ImportError, "pip install langchain-core"):
                registry.to_langchain()
        else:
            self.assertEqual(registry.to_langchain()[0].invoke({"x": 5}), 5)


class Importing(InProcess):
    def test_importing_starts_no_thread_opens_no_file_and_prints_nothing(self):
        code = (
            "import os, sys, threading\n"
            "before = set(os.listdir('/proc/self/fd'))\n"
            "import gathering.plugins.core, gathering.core.file_handler_registry, gathering.agents\n"
            "from gathering.plugins import plugin_manager\n"
            "assert set(os.listdir('/proc/self/fd')) == before\n"
            "assert len(os.listdir('/proc/self/task')) == 1\n"
            "assert 'asyncio' not in sys.modules, 'asyncio'\n"
        )
        ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)

        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "", ""))

    def test_the_examples_of_the_docstrings_run(self):
        ran = 0
        for name in (
            "gathering._decorator", "gathering._process.competencies", "gathering._process.file_handlers",
            "gathering._process.manager", "gathering._process.tools", "gathering.agents", "gathering.plugins.core", "gathering.plugins.design",
            "gathering.plugins.documents", "gathering.plugins.finance",
        ):
            results = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
            self.assertEqual(results.failed, 0, name)
            ran += results.attempted
        self.assertGreater(ran, 30)


@unittest.skipUnless(shutil.which("gathering"), "NOT RUN: the program `gathering` is not on the path")
class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = {**os.environ, "GATHERING_DATA_DIR": folder}
        server = subprocess.Popen(
            ["gathering", "up", "--port", str(port)], env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        cls.addClassCleanup(server.wait)
        cls.addClassCleanup(server.terminate)
        cls.url = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 30
        while True:
            try:
                Client(cls.url).health()
                return
            except ClientError as error:
                if time.monotonic() > until or server.poll() is not None:
                    raise AssertionError("the server did not start") from error
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(0.05)

    def test_tools_are_listed_and_called(self):
        client = Client(self.url)

        self.assertIn("calculate", [tool["name"] for tool in client.tools()])
        self.assertEqual(client.tool("calculate")["plugin_id"], "core")
        self.assertEqual(client.execute("calculate", expression="2 + 2"), 4)
        self.assertIn("core", [plugin["id"] for plugin in client.plugins()])
        client.disable_plugin("core")
        client.enable_plugin("core")
        self.assertEqual(client.plugin("core")["status"], "enabled")

    def test_what_goes_wrong_has_a_code(self):
        client = Client(self.url)
        for code, status, act in [
            ("tool_error", 200, lambda: client.execute("calculate", expression="1 / 0")),
            ("invalid_arguments", 422, lambda: client.execute("calculate", expr="1")),
            ("unknown_tool", 404, lambda: client.execute("no/such")),
            ("unknown_plugin", 404, lambda: client.load_plugin("nothing")),
            ("unreachable", None, lambda: Client("http://127.0.0.1:1").health()),
        ]:
            with self.assertRaises(ClientError) as refused:
                act()
            self.assertEqual((refused.exception.code, refused.exception.status), (code, status))
        with self.assertRaisesRegex(ValueError, "is no address such as"):
            Client("localhost:8000")

    def test_calls_of_the_asynchronous_client_overlap(self):
        async def main():
            client = AsyncClient(self.url)
            return await asyncio.gather(*(client.execute("calculate", expression=f"{n} * 2") for n in range(8)))

        self.assertEqual(asyncio.run(main()), [2 * n for n in range(8)])


if __name__ == "__main__":
    unittest.main()
