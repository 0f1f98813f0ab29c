"""Runs a piece of Python as a session would: its definitions, what it prints, and the value of its last expression."""

import ast
import builtins
import os
import sys

from gathering._worker import failures, values

#: What the code is called in tracebacks.
NAME = "<python_eval>"


def evaluate(code, output_limit, result_limit):
    """The outcome of `code` as a dictionary.

    `result` is the value of the last expression, as JSON where it has a form there and else as its `repr`; `output` is
    what was printed, by child processes too, at most `output_limit` bytes of it; `truncated` tells whether that is not
    all; `error` is None or what was raised, and `traceback` where.
    """
    outcome = {"result": None, "output": "", "truncated": False, "error": None, "traceback": ""}
    with _Prints(output_limit) as prints:
        try:
            outcome["result"] = _as_json(_run(code), result_limit)
        except SystemExit as error:
            if error.code not in (None, 0):
                outcome["error"] = failures.message_of(error)
        except BaseException as error:
            outcome["error"] = failures.message_of(error)
            outcome["traceback"] = _traceback(error)
    outcome["output"], outcome["truncated"] = prints.text, prints.truncated
    return outcome


def _run(code):
    import linecache

    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    tree = ast.parse(code, NAME)
    namespace = {"__name__": "__main__", "__builtins__": builtins, "__doc__": None}
    last = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    _execute(tree, "exec", namespace)
    return None if last is None else _execute(last, "eval", namespace)


def _execute(tree, mode, namespace):
    import inspect

    compiled = compile(tree, NAME, mode, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    if not compiled.co_flags & inspect.CO_COROUTINE:
        return eval(compiled, namespace)
    import asyncio

    async def wait():
        return await eval(compiled, namespace)

    return asyncio.run(wait())


def _as_json(value, limit):
    try:
        import json

        return json.loads(values.encode(value, limit))
    except (values.NoJson, values.TooLarge):
        text = repr(value)
        return text if len(text) <= limit else text[:limit] + f"... ({len(text)} characters)"


def _traceback(error):
    """The lines that lie in the code, innermost last."""
    import linecache
    import traceback

    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == NAME:
            lines.append(f"line {frame.lineno}, in {frame.name}")
            source = linecache.getline(NAME, frame.lineno).strip()
            if source:
                lines.append("    " + source[:200])
    if isinstance(error, SyntaxError) and error.filename == NAME:
        lines.append(f"line {error.lineno}, column {error.offset}")
        if error.text:
            lines.append("    " + error.text.strip()[:200])
    return "\n".join(lines[-80:])


class _Prints:
    """Keeps what is written to descriptors 1 and 2, so that child processes and C libraries are heard too."""

    def __init__(self, limit):
        self._limit = limit
        self.text, self.truncated = "", False

    def __enter__(self):
        import tempfile

        self._file = tempfile.TemporaryFile()
        _flush()
        self._before = [(fd, os.dup(fd)) for fd in (1, 2)]
        for fd, _ in self._before:
            os.dup2(self._file.fileno(), fd)
        return self

    def __exit__(self, *_):
        _flush()
        for fd, before in self._before:
            os.dup2(before, fd)
            os.close(before)
        size = os.lseek(self._file.fileno(), 0, os.SEEK_END)
        os.lseek(self._file.fileno(), 0, os.SEEK_SET)
        self.text = self._file.read(self._limit).decode("utf-8", "replace")
        self.truncated = size > self._limit
        self._file.close()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
