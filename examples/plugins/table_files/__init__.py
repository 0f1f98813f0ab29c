"""A plugin as a package: tables in CSV text, with tools bound to the format by a file handler.

It is written in the style in which a plugin registers its definitions instead of returning them.
"""

from gathering.core.competency_registry import CompetencyDefinition
from gathering.core.file_handler_registry import FileHandlerDefinition
from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins.base import Plugin, PluginMetadata

from .tables import describe, parse

TEXT = {"type": "string", "description": "The text of a CSV file", "maxLength": 1_000_000}


class TableFilesPlugin(Plugin):
    """Reads and describes CSV tables."""

    @property
    def metadata(self):
        return PluginMetadata(
            id="table_files",
            name="Table files",
            version="1.0.0",
            description="Reads tables in CSV text",
            author="GatheRing",
            requires=[],
            gathering_version=">=0.5.0",
        )

    def register_tools(self, tool_registry):
        tool_registry.register(
            ToolDefinition(
                name="read_csv",
                description="The rows of a CSV text as objects, named by its first line",
                category=ToolCategory.DATA_ANALYSIS,
                function=self.read_csv,
                required_competencies=["tables"],
                parameters={
                    "text": TEXT,
                    "limit": {"type": "integer", "minimum": 1, "maximum": 10_000, "default": 100},
                },
                returns={"type": "object"},
                examples=[{"text": "name,age\nAda,36"}],
            )
        )
        tool_registry.register(
            ToolDefinition(
                name="describe_csv",
                description="Columns, row count and the smallest and largest value of each column of numbers",
                category=ToolCategory.DATA_ANALYSIS,
                function=self.describe_csv,
                required_competencies=["tables"],
                parameters={"text": TEXT},
                returns={"type": "object"},
            )
        )

    def register_competencies(self, competency_registry):
        competency_registry.register(
            CompetencyDefinition(
                id="tables",
                name="Tables",
                description="Works with tables in text files",
                category="data_science",
                skill_level_required="beginner",
                related_tools=["read_csv", "describe_csv"],
            )
        )

    def register_file_handlers(self, handler_registry):
        handler_registry.register(
            FileHandlerDefinition(
                name="csv",
                description="Comma-separated values",
                extensions=[".csv", ".tsv"],
                media_types=["text/csv", "text/tab-separated-values"],
                tools={"read": "read_csv", "info": "describe_csv"},
            )
        )

    def read_csv(self, text, limit):
        rows = parse(text)
        return {"rows": rows[:limit], "total": len(rows)}

    def describe_csv(self, text):
        return describe(parse(text))
