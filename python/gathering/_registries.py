"""Registries in memory: what a plugin registers into, by itself in a test or while a worker collects it."""

from typing import Any, Dict, Generic, List, Optional, TypeVar

from gathering._definitions import CompetencyDefinition, FileHandlerDefinition, ToolDefinition
from gathering._enums import CompetencyLevel, known

D = TypeVar("D")


class _Registry(Generic[D]):
    """Definitions by name, in the order in which they came."""

    kind = ""
    name_field = "name"

    def __init__(self) -> None:
        self._definitions: Dict[str, D] = {}

    def register(self, definition: D) -> None:
        name = getattr(definition, self.name_field)
        if name in self._definitions:
            raise ValueError(
                f"{self.kind} '{name}' already registered. Use unregister() first to replace it."
            )
        self._definitions[name] = definition

    def unregister(self, name: str) -> bool:
        return self._definitions.pop(name, None) is not None

    def get(self, name: str) -> Optional[D]:
        return self._definitions.get(name)

    def has(self, name: str) -> bool:
        return name in self._definitions

    def list_all(self) -> List[D]:
        return list(self._definitions.values())

    def list_by_plugin(self, plugin_id: str) -> List[D]:
        return [d for d in self.list_all() if d.plugin_id == plugin_id]

    def clear(self) -> None:
        self._definitions.clear()


class ToolRegistry(_Registry[ToolDefinition]):
    """Tools by name. `execute` calls the function as it is, so that a plugin can be tried without a server."""

    kind = "Tool"

    def list_by_category(self, category: str) -> List[ToolDefinition]:
        return [tool for tool in self.list_all() if tool.category == category]

    def list_by_competency(self, competency: str) -> List[ToolDefinition]:
        return [tool for tool in self.list_all() if competency in tool.required_competencies]

    def execute(self, tool_name: str, /, **arguments: Any) -> Any:
        tool = self._find(tool_name)
        if tool.async_function:
            raise RuntimeError(f"Async tool '{tool_name}' must be called via execute_async()")
        try:
            return tool.function(**arguments)
        except Exception as error:
            raise Exception(f"Error executing tool '{tool_name}': {error}") from error

    async def execute_async(self, tool_name: str, /, **arguments: Any) -> Any:
        tool = self._find(tool_name)
        try:
            if tool.async_function:
                return await tool.function(**arguments)
            import asyncio

            return await asyncio.to_thread(tool.function, **arguments)
        except Exception as error:
            raise Exception(f"Error executing tool '{tool_name}': {error}") from error

    def _find(self, tool_name: str) -> ToolDefinition:
        tool = self.get(tool_name)
        if tool is None:
            raise ValueError(f"Tool '{tool_name}' not found in registry")
        return tool


class CompetencyRegistry(_Registry[CompetencyDefinition]):
    """Competencies by id."""

    kind = "Competency"
    name_field = "id"

    def list_by_category(self, category: str) -> List[CompetencyDefinition]:
        return [competency for competency in self.list_all() if competency.category == category]

    def list_by_level(self, level: str) -> List[CompetencyDefinition]:
        level = known(CompetencyLevel, level)
        return [competency for competency in self.list_all() if competency.level == level]


class FileHandlerRegistry(_Registry[FileHandlerDefinition]):
    """File handlers by name."""

    kind = "File handler"

    def list_by_extension(self, extension: str) -> List[FileHandlerDefinition]:
        wanted = extension.lstrip(".").lower()
        return [h for h in self.list_all() if wanted in (e.lower() for e in h.extensions)]

    def list_by_media_type(self, media_type: str) -> List[FileHandlerDefinition]:
        return [handler for handler in self.list_all() if media_type in handler.media_types]
