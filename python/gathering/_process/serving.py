"""Functions of this process, called for somebody who is not Python: arguments come as JSON, and so does the result."""

import asyncio
import inspect

from gathering._process import context
from gathering._worker import failures, values


def serve(function, is_async, wants_context, arguments, call, limit):
    """What came of a call, as a word, what it stands for, and more of it: `ok` and the JSON text, or why there is none."""
    try:
        if is_async:
            result = asyncio.run(_in_time(function, wants_context, arguments, call))
        else:
            result = context.run(function, wants_context, arguments, call)
            if inspect.isawaitable(result):
                result = asyncio.run(_awaiting(result))
    except BaseException as error:
        code = getattr(function, "__code__", None)
        return "tool_error", failures.message_of(error), failures.traceback_of(error, code.co_filename) if code else ""
    try:
        return "ok", values.encode(result, limit), ""
    except values.NoJson as error:
        place = f"`{error.pointer}`" if error.pointer else "the result"
        return "invalid_result", f"{place} {error.message}", error.pointer
    except values.TooLarge:
        return "output_limit", "", ""


async def _in_time(function, wants_context, arguments, call):
    """Cancelled at the deadline, when nobody waits for the result any more."""
    async with asyncio.timeout(call.time_left):
        if wants_context:
            arguments = context._with_context(arguments, call)
        with context._within(call):
            return await function(**arguments)


async def _awaiting(result):
    return await result
