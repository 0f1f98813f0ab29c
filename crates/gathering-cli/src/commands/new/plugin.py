"""PLUGIN_NAME: a plugin for GatheRing. Change it, then: gathering plugins reload PLUGIN_ID"""

from gathering.core.competency_registry import CompetencyCategory, CompetencyDefinition, CompetencyLevel
from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins.base import Plugin, PluginMetadata


class PLUGIN_CLASS(Plugin):
    """Greets people, and counts how often it did."""

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            id="PLUGIN_ID",
            name="PLUGIN_NAME",
            version="0.1.0",
            description="Greets people",
            # Packages from PyPI, installed when the plugin is loaded: python_dependencies=["requests>=2.28"],
            config_schema={
                "type": "object",
                "properties": {"greeting": {"type": "string", "default": "Hello"}},
            },
        )

    def load(self) -> None:
        super().load()
        self.greeted = 0

    def register_tools(self) -> list[ToolDefinition]:
        return [
            ToolDefinition(
                name="PLUGIN_STEM_greet",
                description="Greets somebody by name and counts the greetings",
                category=ToolCategory.CUSTOM,
                function=self.greet,
                # An agent needs this to call the tool; remove the line to open it to every agent.
                required_competencies=["PLUGIN_STEM_greeting"],
                parameters={
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "minLength": 1, "description": "Whom to greet"},
                        "times": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
                    },
                    "required": ["name"],
                },
                returns={
                    "type": "object",
                    "properties": {"text": {"type": "string"}, "greeted": {"type": "integer"}},
                    "required": ["text", "greeted"],
                },
                examples=["PLUGIN_STEM_greet(name='Ada')"],
            )
        ]

    def register_competencies(self) -> list[CompetencyDefinition]:
        return [
            CompetencyDefinition(
                id="PLUGIN_STEM_greeting",
                name="Greeting",
                description="Knows whom to greet, and when",
                category=CompetencyCategory.CUSTOM,
                level=CompetencyLevel.NOVICE,
                tools_enabled=["PLUGIN_STEM_greet"],
            )
        ]

    def greet(self, name: str, times: int = 1) -> dict:
        self.greeted += times
        greeting = self.config.get("greeting", "Hello")
        return {"text": " ".join([f"{greeting}, {name}!"] * times), "greeted": self.greeted}


plugin_class = PLUGIN_CLASS
