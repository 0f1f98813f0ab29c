"""Tools: their definition, their categories, and the registry."""

from gathering._definitions import ToolDefinition
from gathering._enums import ToolCategory
from gathering._face import ToolRegistry, tool_registry

__all__ = [
    "ToolCategory",
    "ToolDefinition",
    "ToolRegistry",
    "execute_tool",
    "get_tool",
    "register_tool",
    "tool_registry",
]


def register_tool(tool):
    """Registers `tool` in the global registry."""
    tool_registry.register(tool)


def get_tool(name):
    """The tool called `name` in the global registry, or None."""
    return tool_registry.get(name)


def execute_tool(tool_name, /, **arguments):
    """Calls a tool of the global registry."""
    return tool_registry.execute(tool_name, **arguments)
