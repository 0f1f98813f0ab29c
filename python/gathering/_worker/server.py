"""Serves the host's requests: describe, scan, examine, load, call, enable, disable, health, unload, evaluate."""

import gc
import os
import sys
from _thread import start_new_thread
from contextvars import ContextVar

from gathering import _face
from gathering._enums import PluginStatus
from gathering._worker import failures, values
from gathering._worker.channel import Channel, HostGone
from gathering._worker.loops import Loops
from gathering._worker.registries import HostCompetencyRegistry, HostFileHandlerRegistry, HostToolRegistry

#: The host's number for the call that the code at hand runs in.
_current = ContextVar("current_call", default=0)

_MAX_MANIFEST = 64 << 20


class _Refusal(Exception):
    """A request is answered with an error."""

    def __init__(self, code, message, traceback="", errors=None, denied=None):
        super().__init__(message)
        self.data = {"code": code, "message": message, "traceback": traceback}
        if errors is not None:
            self.data["errors"] = errors
        if denied is not None:
            self.data["denied"] = denied


class _Tool:
    """A tool as it is called."""

    __slots__ = ("name", "function", "is_async", "wants_context")

    def __init__(self, definition):
        self.name = definition.name
        self.function = definition.function
        self.is_async = definition.async_function
        self.wants_context = definition.requires_context


class Server:
    """One worker, which runs one plugin."""

    def __init__(self, requests, replies):
        self._channel = Channel(requests, replies, self.serve, self._is_async)
        self._loops = Loops()
        self._tools = {}
        self._tool_registry = HostToolRegistry(self)
        self._competency_registry = HostCompetencyRegistry()
        self._file_handler_registry = HostFileHandlerRegistry()
        _face.use(self._tool_registry, self._competency_registry, self._file_handler_registry)
        self._plugin = None
        self._class = None
        self._metadata = None
        self._root = ""
        self._limit = 8 << 20
        self._methods = {
            "describe": self._describe,
            "scan": self._scan,
            "evaluate": self._evaluate,
            "examine": self._examine,
            "load": self._load,
            "enable": self._enable,
            "disable": self._disable,
            "health": self._health,
            "unload": self._unload,
        }

    def run(self):
        """Serves until the host goes away."""
        next_root, serve = self._channel.next_root, self.serve
        try:
            while True:
                serve(next_root())
        except HostGone:
            _leave(0)

    # What plugin code asks of the host.

    def ask(self, method, params):
        """Sends a nested request from any thread and waits for its answer."""
        return self._channel.ask(method, self._of_current_call(params))

    async def ask_async(self, method, params):
        """The same for a coroutine."""
        import asyncio

        loop = asyncio.get_running_loop()

        def serve_task(frame):
            task = loop.create_task(self._serve_async(frame))
            self._loops.keep(task)

        return await self._channel.ask_async(method, self._of_current_call(params), loop, serve_task)

    @staticmethod
    def _of_current_call(params):
        return b'{"call":%d%s%s}' % (_current.get(), b"," if params else b"", params)

    def _is_async(self, frame):
        tool = self._tools.get(frame["params"].get("tool"))
        return tool is not None and tool.is_async

    # What the host asks.

    def serve(self, frame):
        """Answers one request."""
        id = frame["id"]
        ran_out = False
        try:
            if frame["method"] == "call":
                result = self._call(id, frame["params"])
            else:
                result = values.encode(self._method(frame)(frame["params"]), _MAX_MANIFEST)
            reply = b'{"jsonrpc":"2.0","id":%d,"result":%s}\n' % (id, result)
        except HostGone:
            _leave(1)
        except BaseException as error:
            ran_out = _ran_out_of_memory(error)
            reply = self._refuse(id, error)
        try:
            self._channel.send(reply)
        except HostGone:
            _leave(1)
        if ran_out:
            gc.collect()

    async def _serve_async(self, frame):
        id = frame["id"]
        ran_out = False
        try:
            tool, arguments = self._prepare(frame["params"])
            _current.set(id)
            try:
                result = await tool.function(**arguments)
            except BaseException as error:
                raise self._failure(tool, arguments, error) from error
            reply = b'{"jsonrpc":"2.0","id":%d,"result":%s}\n' % (id, self._encode(tool, result))
        except BaseException as error:
            ran_out = _ran_out_of_memory(error)
            reply = self._refuse(id, error)
        self._channel.send(reply)
        if ran_out:
            gc.collect()

    def _refuse(self, id, error):
        if isinstance(error, SystemExit):
            _leave(_exit_code(error))
        data = (error if isinstance(error, _Refusal) else self._raised(error)).data
        message = data.pop("message")
        return b'{"jsonrpc":"2.0","id":%d,"error":%s}\n' % (
            id,
            values.encode({"code": -32000, "message": message, "data": data}, _MAX_MANIFEST),
        )

    def _method(self, frame):
        method = self._methods.get(frame["method"])
        if method is None:
            raise _Refusal("protocol_error", f"there is no method called {frame['method']!r:.80}")
        return method

    def _call(self, id, params):
        tool, arguments = self._prepare(params)
        token = _current.set(id)
        try:
            if tool.is_async:
                result = self._loops.run(tool.function, arguments)
            else:
                result = tool.function(**arguments)
                if hasattr(result, "__await__"):
                    result = self._loops.run(_awaiting, {"result": result})
        except HostGone:
            raise
        except BaseException as error:
            raise self._failure(tool, arguments, error) from error
        finally:
            _current.reset(token)
        return self._encode(tool, result)

    def _prepare(self, params):
        tool = self._tools.get(params["tool"])
        if tool is None:
            raise _Refusal("tool_error", f"the plugin has no tool called {params['tool']!r:.80}")
        arguments = params["arguments"]
        if tool.wants_context:
            from gathering._worker.context import ToolContext

            if "context" in arguments:
                message = "`context` is given by the host and cannot be passed"
                raise _Refusal("invalid_arguments", message, errors=[{"pointer": "/context", "message": message}])
            arguments["context"] = ToolContext(
                self._tool_registry, plugin_id=self._metadata.id, tool=tool.name, **params["context"]
            )
        return tool, arguments

    def _encode(self, tool, result):
        try:
            return values.encode(result, self._limit)
        except values.NoJson as error:
            place = f"`{error.pointer}`" if error.pointer else "the result"
            errors = [{"pointer": error.pointer, "message": f"{place} {error.message}"}]
            raise _Refusal("invalid_result", errors[0]["message"], errors=errors) from None
        except values.TooLarge:
            raise _Refusal("output_limit", f"the result is larger than {self._limit} bytes") from None

    def _failure(self, tool, arguments, error):
        """The refusal that stands for what the tool raised; SystemExit stays what it is."""
        if isinstance(error, (SystemExit, _Refusal)):
            return error
        if isinstance(error, TypeError) and (mismatch := self._mismatch(tool, arguments, error)):
            return _Refusal("invalid_arguments", mismatch, errors=[{"pointer": "", "message": mismatch}])
        return self._raised(error)

    def _raised(self, error):
        traceback = failures.traceback_of(error, self._root)
        return _Refusal("tool_error", failures.message_of(error), traceback, denied=failures.denied_of(error))

    def _mismatch(self, tool, arguments, error):
        """Why the function cannot take the arguments, if that is what the TypeError is about."""
        import inspect

        try:
            inspect.signature(tool.function).bind(**arguments)
        except TypeError as mismatch:
            return str(mismatch)
        except ValueError:
            return None
        return None

    # The life of the plugin.

    def _describe(self, params):
        from gathering._worker import loading

        self._root = params["path"]
        with self._loading():
            if self._class is None:
                os.environ.update(params["environment"])
                module = loading.import_plugin(params["path"], params["site_packages"])
                self._class = loading.plugin_class(module)
            self._metadata = loading.metadata_of(self._class)
            return {"metadata": loading.as_data(self._metadata), "workers": loading.workers_of(self._class)}

    def _scan(self, params):
        from gathering._worker import loading

        self._root = params["path"]
        with self._loading():
            return loading.scan(params["path"])

    def _evaluate(self, params):
        from gathering._worker.evaluate import evaluate

        return evaluate(params["code"], params["output_limit"], params["result_limit"])

    def _examine(self, params):
        from gathering._worker.authoring import examine

        sys.path.extend(params["site_packages"])
        return examine(params["tools"], params["code"], params["config"])

    def _load(self, params):
        from gathering._collect import Collected, collect
        from gathering._worker import loading
        from gathering.plugins.base import Plugin

        self._limit = params["max_output"]
        described = self._describe(params)
        with self._loading():
            plugin = self._plugin = loading.instantiate(self._class, params["config"])
            if type(plugin).validate_dependencies is not Plugin.validate_dependencies or (
                type(plugin).load is not Plugin.load
            ):
                # The design document's plugins return what is missing instead of raising.
                missing = plugin.validate_dependencies()
                if missing:
                    raise ImportError(
                        f"Plugin '{self._metadata.id}' missing dependencies: {', '.join(map(str, missing))}"
                    )
            plugin.load()
            into = Collected(self._tool_registry, self._competency_registry, self._file_handler_registry)
            collect(plugin, into)
            self._tools = {tool.name: _Tool(tool) for tool in into.tools}
            for tool in into.tools:
                _check_context(tool)
            manifest = {
                "metadata": described["metadata"],
                "tools": [loading.as_data(tool) for tool in into.tools],
                "competencies": [loading.as_data(competency) for competency in into.competencies],
                "file_handlers": [loading.as_data(handler) for handler in into.file_handlers],
            }
            for registry in (self._tool_registry, self._competency_registry, self._file_handler_registry):
                registry.closed = True
            plugin._status = PluginStatus.LOADED
            return {"manifest": manifest, "workers": described["workers"]}

    def _loading(self):
        return _Loading(self._root)

    def _enable(self, _params):
        self._hook(self._plugin.on_enable)
        self._plugin._status = PluginStatus.ENABLED

    def _disable(self, _params):
        self._plugin._status = PluginStatus.DISABLED
        self._hook(self._plugin.on_disable)

    def _unload(self, _params):
        self._hook(self._plugin.unload)

    def _health(self, _params):
        health = self._hook(self._plugin.health_check)
        if not isinstance(health, dict):
            raise _Refusal("tool_error", f"health_check() returned {type(health).__name__} instead of a dictionary")
        return health

    def _hook(self, hook):
        result = hook()
        return self._loops.run(_awaiting, {"result": result}) if hasattr(result, "__await__") else result


class _Loading:
    """Turns what a plugin raises while it loads into a refusal of the right kind."""

    def __init__(self, root):
        self._root = root

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _traceback):
        from gathering._worker.loading import NotAPlugin

        if error is None or isinstance(error, (_Refusal, HostGone)):
            return False
        traceback = failures.traceback_of(error, self._root)
        if isinstance(error, NotAPlugin):
            raise _Refusal("invalid_plugin", str(error)) from None
        if isinstance(error, values.NoJson):
            raise _Refusal("invalid_plugin", f"its definitions have no form in JSON: `{error.pointer}` {error.message}")
        if isinstance(error, SystemExit):
            message = f"it called sys.exit({error.code!r:.80}) while it was loaded"
            raise _Refusal("invalid_plugin", message, traceback) from None
        code = "missing_dependency" if isinstance(error, ImportError) else "invalid_plugin"
        if isinstance(error, SyntaxError) and error.lineno:
            name = os.path.basename(error.filename or self._root)
            message = f"{name}, line {error.lineno}: {type(error).__name__}: {error.msg}"
        else:
            message = failures.message_of(error)
        raise _Refusal(code, message, traceback, denied=failures.denied_of(error)) from None


def _check_context(tool):
    if not tool.requires_context:
        return
    import inspect

    from gathering._worker.loading import NotAPlugin

    try:
        parameters = inspect.signature(tool.function).parameters.values()
    except ValueError:
        return
    if not any(p.name == "context" or p.kind == p.VAR_KEYWORD for p in parameters):
        raise NotAPlugin(f"the tool `{tool.name}` has requires_context=True, but its function takes no `context`")


def _ran_out_of_memory(error):
    """Whether what the tool left behind, if parts of it refer to each other, is kept from the next call until it is collected."""
    return isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)


async def _awaiting(result):
    return await result


def _exit_code(error):
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def _leave(code):
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(code)
