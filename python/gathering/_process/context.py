"""Calls that others are made within: what a tool with `requires_context=True` is given, and who calls from inside of it."""

import asyncio
import contextvars
import inspect

from gathering._worker.context import ToolContext

#: The call that this code runs in, if it is one that others have to know of. The Rust core looks here.
current = contextvars.ContextVar("gathering_call", default=None)


def check(definition):
    """Refuses a tool that wants the context and has no argument for it."""
    parameters = inspect.signature(definition.function).parameters.values()
    if not any(p.name == "context" or p.kind is p.VAR_KEYWORD for p in parameters):
        raise ValueError(f"Tool '{definition.name}' has requires_context=True, but its function takes no 'context'")


def run(function, wants_context, arguments, call):
    """What `function` returns, called within `call`."""
    if wants_context:
        arguments = _with_context(arguments, call)
    with _within(call):
        return function(**arguments)


async def execute_async(caller, tool_name, arguments, timeout):
    """What `execute_async` of `caller` returns, which is a registry, an agent or a call."""
    running = caller._admit(tool_name, arguments, timeout)
    if running is None:
        return await asyncio.to_thread(caller.execute, tool_name, **arguments)
    try:
        result = await _awaited(running, timeout)
    except Exception as error:
        running.fail(error)
        reason = error
        if isinstance(error, _TooLate):
            error = error.__cause__
            reason = f"it did not answer within {timeout:g} s and was cancelled"
        raise Exception(f"Error executing tool '{tool_name}': {reason}") from error
    return running.finish(result)


class _TooLate(Exception):
    pass


async def _awaited(running, timeout):
    function, arguments, call = running.function, running.arguments, running.call
    if running.wants_context:
        arguments = _with_context(arguments, call)
    with _within(call):
        if not running.is_async:
            result = await asyncio.to_thread(function, **arguments)
            return await result if inspect.isawaitable(result) else result
        try:
            async with asyncio.timeout(timeout) as limit:
                return await function(**arguments)
        except TimeoutError as error:
            if limit.expired():
                raise _TooLate from error
            raise


class _within:
    """Whoever calls in here does so from within `call`."""

    def __init__(self, call):
        self._call = call

    def __enter__(self):
        if self._call is not None:
            self._call.enter()
            self._token = current.set(self._call)

    def __exit__(self, *_raised):
        if self._call is not None:
            current.reset(self._token)
            self._call.leave()


class _Inside:
    """The registry as a call sees it: what is called here is called by whoever made that call, from whatever thread."""

    def __init__(self, call):
        self.execute, self._call = call.execute, call

    async def execute_async(self, tool_name, /, **arguments):
        return await execute_async(self._call, tool_name, arguments, self._call.time_left)


def _with_context(arguments, call):
    if "context" in arguments:
        raise ValueError("'context' is given by the registry and cannot be passed")
    context = ToolContext(
        _Inside(call), call.call_id, call.trace_id, call.caller, call.plugin_id, call.tool, call.time_left
    )
    return {**arguments, "context": context}
