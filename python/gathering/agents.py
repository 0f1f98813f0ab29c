"""Agents of this process: what each may call follows from the competencies that it holds."""

import re

try:
    import gathering._core as _core
except ModuleNotFoundError as error:
    if error.name != "gathering._core":
        raise
    raise ImportError("agents are made by the host: a worker calls tools with tool_registry.execute()") from error

from gathering.core.tool_registry import tool_registry

__all__ = ["Agent", "create_agent"]

_taken = set()


class Agent(_core.Agent):
    """Somebody who calls tools with the competencies that it holds, and no others.

    An agent may call a tool of an enabled plugin, or one that was registered by hand, if it holds all that the tool requires,
    by itself or through a competency that builds on it. What its tools call with their `context` is called as the same agent.

    >>> from gathering.agents import Agent
    >>> from gathering.core.tool_registry import ToolDefinition, ToolRegistry
    >>> tools = ToolRegistry()
    >>> tools.register(ToolDefinition("price", "Tells a price.", "finance", lambda: 5, required_competencies=["trading"]))
    >>> agent = Agent("Ada", registry=tools)
    >>> agent.tools()
    []
    >>> agent.grant("trading")
    >>> agent.execute("price")
    5
    """

    call_timeout = 60.0
    """How long an asynchronous tool may take, in seconds; None for as long as it likes."""

    def __new__(cls, name, competencies=(), registry=None):
        return super().__new__(cls, tool_registry if registry is None else registry, _id_of(name), list(competencies))

    def __init__(self, name, competencies=(), registry=None):
        #: Its name for people.
        self.name = name

    async def execute_async(self, tool_name, /, **arguments):
        """Calls a tool, asynchronous or not, as `ToolRegistry.execute_async` does, if the agent may call it."""
        from gathering._process import context

        return await context.execute_async(self, tool_name, arguments, self.call_timeout)

    def __repr__(self):
        held = self.competencies
        return f"<Agent {self.id} with {', '.join(held) if held else 'no competencies'}>"


async def create_agent(name, competencies=(), registry=None):
    """Makes an agent that holds `competencies`, each written `id` or `id:level`.

    A competency need not be registered yet: it opens what it is required for as soon as there is something. `registry` has the
    tools that it calls, the global ones if it is left out. ValueError if a name or an id cannot be one.

    >>> import asyncio
    >>> from gathering.agents import create_agent
    >>> asyncio.run(create_agent(name="DesignBot", competencies=["image_editing"]))
    <Agent designbot with image_editing>
    """
    return Agent(name, competencies, registry)


def _id_of(name):
    """An id made of the name, which no other agent of this process has had."""
    if not isinstance(name, str) or not name.strip():
        raise ValueError("Agent name cannot be empty")
    word = re.sub(r"[^a-z0-9_]+", "-", name.lower()).strip("-_")[:48]
    if not word[:1].isalpha():
        word = f"agent-{word}".rstrip("-")
    id, number = word, 1
    while id in _taken:
        number += 1
        id = f"{word}-{number}"
    _taken.add(id)
    return id
