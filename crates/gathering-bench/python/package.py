"""Measures the Python package beside what Python offers for the same; prints the figures as one JSON object.

Each figure is the median of several runs. What is compared is measured in turns, in this one process.
"""

import asyncio
import json
import statistics
import subprocess
import sys
import time

from gathering.core.tool_registry import ToolDefinition, ToolRegistry
from gathering.plugins import Plugin, PluginManager, PluginMetadata

SCHEMA = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}},
    "required": ["x", "y"],
    "additionalProperties": False,
}


def add(x: int, y: int) -> int:
    """Adds."""
    return x + y


def tool(name, parameters=None, **more):
    return ToolDefinition(name, "Adds.", "utility", add, parameters=parameters or {}, **more)


def seconds(work, calls):
    begun = time.perf_counter()
    for _ in range(calls):
        work()
    return (time.perf_counter() - begun) / calls


def in_turns(rounds, **works):
    """The median seconds of each work, which is a function and how often it is called in one run."""
    measured = {name: [] for name in works}
    for _ in range(rounds):
        for name, (work, calls) in works.items():
            measured[name].append(seconds(work, calls))
    return {name: statistics.median(times) for name, times in measured.items()}


def calls():
    import jsonschema
    import pydantic

    registry = ToolRegistry()
    registry.register(tool("add", SCHEMA))
    registry.register(tool("unchecked"))
    execute, checked = registry.execute, pydantic.validate_call(add)
    validator = jsonschema.Draft202012Validator(SCHEMA)

    def validated(**arguments):
        validator.validate(arguments)
        return add(**arguments)

    return in_turns(
        15,
        plain=(lambda: add(x=1, y=2), 20000),
        execute=(lambda: execute("add", x=1, y=2), 20000),
        unchecked=(lambda: execute("unchecked", x=1, y=2), 20000),
        pydantic=(lambda: checked(x=1, y=2), 20000),
        jsonschema=(lambda: validated(x=1, y=2), 2000),
    )


def frameworks():
    import fastmcp
    from langchain_core.tools import StructuredTool

    structured = StructuredTool.from_function(add)
    server = fastmcp.FastMCP("bench")
    server.tool(add)
    registry = ToolRegistry()
    registry.register(tool("add", SCHEMA))
    execute = registry.execute

    async def measure():
        async with fastmcp.Client(server) as client:
            measured = {"execute": [], "langchain": [], "fastmcp": []}
            for _ in range(9):
                measured["execute"].append(seconds(lambda: execute("add", x=1, y=2), 20000))
                measured["langchain"].append(seconds(lambda: structured.invoke({"x": 1, "y": 2}), 100))
                begun = time.perf_counter()
                for _ in range(50):
                    await client.call_tool("add", {"x": 1, "y": 2})
                measured["fastmcp"].append((time.perf_counter() - begun) / 50)
            return {name: statistics.median(times) for name, times in measured.items()}

    return asyncio.run(measure())


def importing():
    def started(code):
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    measured = in_turns(15, nothing=(started("pass"), 1), package=(started("import gathering.plugins"), 1),
                        manager=(started("from gathering.plugins import plugin_manager"), 1))
    return {"import": measured["package"] - measured["nothing"], "import_manager": measured["manager"] - measured["nothing"]}


def registering():
    def took(count):
        registry, tools = ToolRegistry(), [tool(f"tool_{n}", SCHEMA) for n in range(count)]
        begun = time.perf_counter()
        for one in tools:
            registry.register(one)
        for one in tools:
            registry.unregister(one.name)
        return time.perf_counter() - begun

    few, many = (statistics.median(took(count) for _ in range(3)) for count in (10000, 100000))
    return {"register": many, "register_growth": many / few / 10}


def listing():
    registry = ToolRegistry()
    for n in range(10000):
        registry.register(tool(f"tool_{n}"))
    return {"list": in_turns(15, list=(lambda: registry.list_by_category("utility"), 20))["list"]}


def life():
    class Ten(Plugin):
        metadata = property(lambda self: PluginMetadata("ten", "Ten", "1.0.0", "Ten tools."))

        def register_tools(self):
            return [tool(f"ten_{n}", SCHEMA) for n in range(10)]

    registry = ToolRegistry()
    for n in range(10000):
        registry.register(tool(f"tool_{n}"))
    manager = PluginManager(tool_registry=registry)
    manager.register_plugin_class("ten", Ten)

    def once():
        manager.load_plugin("ten")
        manager.enable_plugin("ten")
        manager.disable_plugin("ten")
        manager.unload_plugin("ten")

    return {"life": in_turns(15, life=(once, 50))["life"]}


def memory():
    """Bytes that a registered tool takes beside the objects that its user made."""
    def resident():
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * 4096

    tools = [tool(f"tool_{n}", SCHEMA) for n in range(100000)]
    registry = ToolRegistry()
    before = resident()
    for one in tools:
        registry.register(one)
    return {"memory": (resident() - before) / len(tools)}


PARTS = {"calls": calls, "frameworks": frameworks, "importing": importing, "registering": registering, "listing": listing,
         "life": life, "memory": memory}

if __name__ == "__main__":
    print(json.dumps(PARTS[sys.argv[1]]()))
