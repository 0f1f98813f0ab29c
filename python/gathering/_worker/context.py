"""What a tool with `requires_context=True` is given as `context`."""

import time


class ToolContext:
    """The call that a tool is running in."""

    def __init__(self, registry, call_id, trace_id, caller, plugin_id, tool, seconds_left):
        #: Names this call, and everything that one request caused.
        self.call_id, self.trace_id = call_id, trace_id
        #: The agent's id, or None when the operator calls.
        self.agent_id = caller["id"] if caller else None
        #: The competencies that the agent holds, as `id` -> level; empty for the operator, who may do everything.
        self.competencies = {held["id"]: held["level"] for held in caller["competencies"]} if caller else {}
        self.plugin_id, self.tool = plugin_id, tool
        #: When the call is stopped, on the clock of `time.monotonic()`.
        self.deadline = time.monotonic() + seconds_left
        self._registry = registry

    @property
    def caller(self):
        """`operator`, or the agent's id."""
        return self.agent_id or "operator"

    def time_left(self):
        """Seconds until the call is stopped."""
        return max(0.0, self.deadline - time.monotonic())

    def call_tool(self, tool_name, /, **arguments):
        """Calls another tool as this call's caller, inside its time."""
        return self._registry.execute(tool_name, **arguments)

    async def call_tool_async(self, tool_name, /, **arguments):
        """The same without holding up the event loop."""
        return await self._registry.execute_async(tool_name, **arguments)
