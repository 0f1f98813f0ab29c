from collections.abc import Iterable
from typing import Any

from gathering import _core
from gathering.core.tool_registry import ToolRegistry

__all__ = ["Agent", "create_agent"]

class Agent(_core.Agent):
    name: str
    call_timeout: float | None
    def __new__(cls, name: str, competencies: Iterable[str] = (), registry: ToolRegistry | None = None) -> Agent: ...
    def __init__(self, name: str, competencies: Iterable[str] = (), registry: ToolRegistry | None = None) -> None: ...
    async def execute_async(self, tool_name: str, /, **arguments: Any) -> Any: ...

async def create_agent(
    name: str, competencies: Iterable[str] = (), registry: ToolRegistry | None = None
) -> Agent: ...
