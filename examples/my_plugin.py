"""The smallest whole plugin: one tool, and the competency that an agent needs to call it."""

from gathering.plugins.base import Plugin, PluginMetadata
from gathering.core.tool_registry import ToolDefinition, ToolCategory
from gathering.core.competency_registry import (
    CompetencyDefinition,
    CompetencyCategory,
    CompetencyLevel,
)


class MyPlugin(Plugin):
    """My custom plugin."""

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            id="my_plugin",
            name="My Plugin",
            version="1.0.0",
            description="A custom plugin for GatheRing",
            author="Your Name",
            python_dependencies=["requests>=2.28.0"],  # Optional
        )

    def register_tools(self) -> list[ToolDefinition]:
        return [
            ToolDefinition(
                name="my_tool",
                description="Does something useful",
                category=ToolCategory.CUSTOM,
                function=self.my_tool_function,
                required_competencies=["my_skill"],
                parameters={
                    "type": "object",
                    "properties": {
                        "input": {"type": "string"},
                    },
                    "required": ["input"],
                },
                returns={"type": "string"},
                plugin_id="my_plugin",
            )
        ]

    def register_competencies(self) -> list[CompetencyDefinition]:
        return [
            CompetencyDefinition(
                id="my_skill",
                name="My Skill",
                description="Ability to use my plugin",
                category=CompetencyCategory.CUSTOM,
                level=CompetencyLevel.INTERMEDIATE,
                tools_enabled=["my_tool"],
                plugin_id="my_plugin",
            )
        ]

    def my_tool_function(self, input: str) -> str:
        """Tool implementation."""
        return f"Processed: {input}"


# Export for discovery
plugin_class = MyPlugin
