"""The tool registry of this process: the Rust core, and around it what is not asked for in each call."""

import gathering._core as _core
from gathering._enums import ToolCategory, known


class ToolRegistry(_core.ToolRegistry):
    """Tools by name, called with checked arguments.

    It may be read, changed and called from any number of threads. What a list method returns is a list of its own, in the
    order of registration, and nothing changes under whoever goes through it. A definition is read when it is registered:
    one that is changed afterwards has to be registered again.

    >>> from gathering.core.tool_registry import ToolCategory, ToolDefinition, ToolRegistry
    >>> registry = ToolRegistry()
    >>> registry.register(ToolDefinition(
    ...     name="add", description="Adds two numbers.", category=ToolCategory.UTILITY, function=lambda x, y: x + y,
    ...     parameters={"x": {"type": "integer"}, "y": {"type": "integer", "default": 1}},
    ... ))
    >>> registry.execute("add", x=5, y=3)
    8
    >>> registry.execute("add", x=5)
    6
    >>> registry.execute("add", x="5")
    Traceback (most recent call last):
    ValueError: Invalid parameters for tool 'add': `x` must be an integer, not the string "5" (at x)
    """

    call_timeout = 60.0
    """How long an asynchronous tool may take, in seconds; None for as long as it likes."""

    async def execute_async(self, tool_name, /, **arguments):
        """Calls a tool, asynchronous or not, and returns what it returns. Calls overlap.

        An asynchronous tool that takes longer than `call_timeout` is cancelled. Any other runs in a thread, and a thread
        cannot be stopped: what may hang belongs in a plugin that is loaded with `isolation="worker"`. Raises what `execute`
        raises.

        >>> import asyncio
        >>> from gathering.core.tool_registry import ToolDefinition, ToolRegistry
        >>> async def double(x): return 2 * x
        >>> registry = ToolRegistry()
        >>> registry.register(ToolDefinition("double", "Doubles a number.", "utility", double))
        >>> asyncio.run(registry.execute_async("double", x=21))
        42
        """
        # Whoever awaits has imported asyncio; whoever only imports this package need not wait for it.
        from gathering._process import context

        return await context.execute_async(self, tool_name, arguments, self.call_timeout)

    def get_categories(self):
        """The categories that some tool has.

        >>> from gathering.core.tool_registry import ToolRegistry
        >>> ToolRegistry().get_categories()
        []
        """
        return [known(ToolCategory, category) for category, _ in self._categories()]

    def get_competencies(self):
        """The ids of the competencies that some tool requires."""
        return [competency for competency, _ in self._competencies()]

    def get_stats(self):
        """Counts of what is registered.

        >>> from gathering.core.tool_registry import ToolRegistry
        >>> ToolRegistry().get_stats()
        {'total_tools': 0, 'categories': 0, 'competencies': 0, 'tools_by_category': {}, 'plugins': 0}
        """
        categories = self._categories()
        return {
            "total_tools": len(self),
            "categories": len(categories),
            "competencies": len(self._competencies()),
            "tools_by_category": dict(categories),
            "plugins": len(self._plugins()),
        }

    def to_openai(self):
        """The tools as OpenAI's Chat Completions API takes them in `tools`.

        >>> from gathering.core.tool_registry import ToolDefinition, ToolRegistry
        >>> registry = ToolRegistry()
        >>> registry.register(ToolDefinition("now", "Tells the time.", "utility", lambda: 0))
        >>> registry.to_openai()
        [{'type': 'function', 'function': {'name': 'now', 'description': 'Tells the time.', 'parameters': {'type': 'object', 'properties': {}}}}]
        """
        return [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": _schema(tool)},
            }
            for tool in self
        ]

    def to_anthropic(self):
        """The tools as Anthropic's Messages API takes them in `tools`."""
        return [
            {"name": tool.name, "description": tool.description, "input_schema": _schema(tool)} for tool in self
        ]

    def to_langchain(self):
        """The tools as LangChain's `StructuredTool`s, whose calls come back here. Needs the package `langchain-core`."""
        try:
            from langchain_core.tools import StructuredTool
        except ModuleNotFoundError as error:
            raise ImportError("to_langchain() needs LangChain: pip install langchain-core") from error
        return [
            StructuredTool.from_function(
                func=lambda _name=tool.name, **arguments: self.execute(_name, **arguments),
                coroutine=_coroutine(self, tool.name),
                name=tool.name,
                description=tool.description,
                args_schema=_schema(tool),
                infer_schema=False,
            )
            for tool in self
        ]

    def __repr__(self):
        tools = len(self)
        return f"<ToolRegistry of {tools} tool{'' if tools == 1 else 's'}>"

    def _repr_html_(self):
        import html

        rows = "".join(
            f"<tr><td><code>{html.escape(tool.name)}</code></td><td>{html.escape(str(getattr(tool.category, 'value', tool.category)))}</td>"
            f"<td>{html.escape(tool.description)}</td></tr>"
            for tool in self.list_all()[:200]
        )
        return f"<table><tr><th>tool</th><th>category</th><th>description</th></tr>{rows}</table>"


def _schema(tool):
    """The schema of a tool's arguments, an object as every provider wants it."""
    schema = _core.parameters_schema(tool.parameters)
    return schema if schema.get("type") == "object" else {"type": "object", "properties": {}, **schema}


def _coroutine(registry, name):
    async def call(**arguments):
        return await registry.execute_async(name, **arguments)

    return call
