"""The smallest plugin there is: adds two integers."""

from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins import Plugin, PluginMetadata


class Adder(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="adder", name="Adder", version="1.0.0", description="Adds")

    def register_tools(self):
        return [
            ToolDefinition(
                name="add",
                description="Adds two integers",
                category=ToolCategory.UTILITY,
                function=lambda x, y: x + y,
                parameters={"x": {"type": "integer"}, "y": {"type": "integer"}},
            )
        ]
