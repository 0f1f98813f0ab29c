"""The plugin of the runtime conformance suite, in Python."""

import asyncio
import socket

from gathering.core.competency_registry import CompetencyCategory, CompetencyDefinition
from gathering.core.tool_registry import ToolCategory, ToolDefinition, tool_registry
from gathering.plugins import Plugin, PluginMetadata

VERSION = "1.0.0"


class ConformancePlugin(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="conformance", name="Conformance", version=VERSION, description="keeps promises")

    def load(self):
        super().load()
        self.calls = 0

    def register_tools(self):
        def tool(function, parameters):
            return ToolDefinition(
                name=function.__name__,
                description=f"The tool {function.__name__}",
                category=ToolCategory.TESTING,
                function=function,
                parameters=parameters,
            )

        anything, text, integer = {}, {"type": "string"}, {"type": "integer"}
        return [
            tool(self.echo, {"value": anything}),
            tool(self.fail, {"message": text}),
            tool(self.count, {}),
            tool(self.hold, {"port": integer}),
            tool(self.relay, {"tool": text, "arguments": {"type": "object"}}),
            tool(self.typed, {"n": integer, "label": {"type": "string", "default": "x"}}),
        ]

    def register_competencies(self):
        return [
            CompetencyDefinition(
                id="conforming",
                name="Conforming",
                description="Keeping promises",
                category=CompetencyCategory.UTILITY,
            )
        ]

    def echo(self, value):
        return value

    def fail(self, message):
        raise ValueError(message)

    def count(self):
        self.calls += 1
        return self.calls

    def hold(self, port):
        with socket.create_connection(("127.0.0.1", port)) as held:
            held.sendall(b"x")
            while True:
                held.recv(1)

    async def relay(self, tool, arguments):
        await asyncio.sleep(0)
        return await tool_registry.execute_async(tool, **arguments)

    def typed(self, n, label):
        return [n, label]
