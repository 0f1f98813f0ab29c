"""What a user writes, for `mypy --strict`. Nothing of it is run."""

from pathlib import Path
from typing import Any


from gathering import AsyncClient, Client, ClientError, tool
from gathering.agents import Agent, create_agent
from gathering.core.competency_registry import CompetencyCategory, CompetencyDefinition, CompetencyLevel, competency_registry
from gathering.core.file_handler_registry import FileHandlerDefinition, FileHandlerRegistry, file_handler_registry
from gathering.core.tool_registry import ToolCategory, ToolDefinition, ToolRegistry, register_tool, tool_registry
from gathering.plugins import Plugin, PluginManager, PluginMetadata, PluginStatus, plugin_manager
from gathering.plugins.core import CorePlugin


class MyPlugin(Plugin):
    def __init__(self, config: dict[str, Any] | None = None) -> None:
        super().__init__(config)
        self.calls = 0

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(id="my_plugin", name="My Plugin", version="1.0.0", description="Mine", requires=["requests"])

    def register_tools(self) -> list[ToolDefinition]:
        return [ToolDefinition("my_tool", "Does it.", ToolCategory.CUSTOM, self.my_tool), self.shout]

    def register_competencies(self) -> list[CompetencyDefinition]:
        category, level = CompetencyCategory.CUSTOM, CompetencyLevel.EXPERT
        return [CompetencyDefinition("my_skill", "My Skill", "Mine", category, level, related_tools=["my_tool"])]

    def register_file_handlers(self, handler_registry: FileHandlerRegistry) -> None:
        handler_registry.register(FileHandlerDefinition("text", ["txt"], {"read": "my_tool"}))

    def my_tool(self, input: str) -> str:
        return input

    @tool
    def shout(self, text: str) -> str:
        """Shouts."""
        return text.upper()


@tool(category="utility")
def add(x: int, y: int = 1) -> int:
    """Adds."""
    return x + y


def use() -> int:
    tools = ToolRegistry()
    tools.register(add)
    register_tool(add)
    manager = PluginManager(tool_registry=tools)
    manager.load_plugin("core", CorePlugin)
    manager.load_plugin("my_plugin", {"a": 1}, plugin_class=MyPlugin)
    found: dict[str, Path] = plugin_manager.discover_plugins("plugins")
    plugin = manager.get_plugin("core")
    if plugin is not None and plugin.status == PluginStatus.ENABLED:
        print(plugin.metadata.name, found, competency_registry.get_learning_path("x"), file_handler_registry.list_all())
    result: object = tool_registry.execute("add", x=1)
    print(result, tools.to_openai(), [one.name for one in tools])
    return add(1, 2)


async def away() -> None:
    try:
        print(await AsyncClient().execute("add", x=1), Client("http://127.0.0.1:8000").tools(q="add"))
        print(await tool_registry.execute_async("add", x=1))
        agent: Agent = await create_agent(name="Ada", competencies=["git:advanced"])
        agent.grant("python")
        print(agent.name, agent.id, [one.name for one in agent.tools()], await agent.execute_async("add", x=1))
    except ClientError as error:
        print(error.code, error.status)
