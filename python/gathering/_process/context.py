"""What a tool with `requires_context=True` is given in this process: the call, made by whoever runs the process."""

import contextvars
import functools
import inspect
import math
import uuid

from gathering._worker.context import ToolContext

_trace = contextvars.ContextVar("gathering_trace", default=None)


def with_context(definition, registry):
    """The function of a tool, called with `context` beside its arguments."""
    function, name, plugin_id = definition.function, definition.name, definition.plugin_id
    parameters = inspect.signature(function).parameters.values()
    if not any(p.name == "context" or p.kind is p.VAR_KEYWORD for p in parameters):
        raise ValueError(f"Tool '{name}' has requires_context=True, but its function takes no 'context'")

    def arguments_of(arguments):
        if "context" in arguments:
            raise ValueError("'context' is given by the registry and cannot be passed")
        call_id = uuid.uuid4().hex
        trace_id = _trace.get() or call_id
        limit = registry.call_timeout if definition.async_function else None
        left = math.inf if limit is None else limit
        return {**arguments, "context": ToolContext(registry, call_id, trace_id, None, plugin_id, name, left)}, trace_id

    if definition.async_function:

        @functools.wraps(function)
        async def call(**arguments):
            arguments, trace_id = arguments_of(arguments)
            token = _trace.set(trace_id)
            try:
                return await function(**arguments)
            finally:
                _trace.reset(token)
    else:

        @functools.wraps(function)
        def call(**arguments):
            arguments, trace_id = arguments_of(arguments)
            token = _trace.set(trace_id)
            try:
                return function(**arguments)
            finally:
                _trace.reset(token)

    return call
