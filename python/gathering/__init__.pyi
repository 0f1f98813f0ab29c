from collections.abc import Callable, Iterable
from typing import Any, Generic, ParamSpec, TypeVar, overload

from gathering._process.client import AsyncClient as AsyncClient, Client as Client, ClientError as ClientError
from gathering.core.tool_registry import ToolDefinition, ToolRegistry

__version__: str
__all__ = ["AsyncClient", "Client", "ClientError", "tool"]

P = ParamSpec("P")
R = TypeVar("R")

class _FunctionTool(ToolDefinition, Generic[P, R]):
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
    def __get__(self, instance: object, owner: type | None = None) -> _FunctionTool[..., R]: ...

@overload
def tool(function: Callable[P, R], /) -> _FunctionTool[P, R]: ...
@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    category: str = "custom",
    required_competencies: Iterable[str] = (),
    parameters: dict[str, Any] | None = None,
    returns: dict[str, Any] | None = None,
    examples: Iterable[Any] = (),
    registry: ToolRegistry | None = None,
) -> Callable[[Callable[P, R]], _FunctionTool[P, R]]: ...
