"""The registries that plugin code sees in a worker: it registers while it loads, and calls the host's tools after."""

from gathering._definitions import ToolDefinition
from gathering._registries import CompetencyRegistry, FileHandlerRegistry, ToolRegistry
from gathering._worker import values


class ToolCallError(Exception):
    """A tool of the host gave no result. `code` is the host's stable word for why, such as `busy`."""

    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


class _Closing:
    """Takes definitions until the plugin is loaded."""

    closed = False

    def register(self, definition):
        if self.closed:
            raise RuntimeError(f"{self.kind}s are registered while the plugin loads, not later")
        super().register(definition)


class HostToolRegistry(_Closing, ToolRegistry):
    """While the plugin loads, a collector; then the tools of the host, as far as the caller may call them."""

    def __init__(self, host):
        super().__init__()
        self._host = host

    def execute(self, tool_name, /, **arguments):
        answer = self._host.ask("execute", _call(tool_name, arguments))
        return _result(tool_name, answer)

    async def execute_async(self, tool_name, /, **arguments):
        answer = await self._host.ask_async("execute", _call(tool_name, arguments))
        return _result(tool_name, answer)

    def get(self, name):
        if not self.closed:
            return super().get(name)
        found = _value(self._host.ask("find_tool", b'"tool":' + values.encode(str(name), 4096)))
        return found and self._definition(found)

    def has(self, name):
        return self.get(name) is not None

    def list_all(self):
        if not self.closed:
            return super().list_all()
        return [self._definition(found) for found in _value(self._host.ask("list_tools", b""))]

    def unregister(self, name):
        if self.closed:
            raise RuntimeError("a plugin's tools are unregistered when it is unloaded")
        return super().unregister(name)

    def _definition(self, found):
        name = found["name"]

        def call(**arguments):
            return self.execute(name, **arguments)

        return ToolDefinition(
            name=name,
            description=found["description"],
            category=found["category"],
            function=call,
            required_competencies=found["required_competencies"],
            parameters=found["parameters"],
            returns=found["returns"],
            examples=found["examples"],
            plugin_id=found["plugin_id"],
        )


class HostCompetencyRegistry(_Closing, CompetencyRegistry):
    """Collects competencies while the plugin loads."""


class HostFileHandlerRegistry(_Closing, FileHandlerRegistry):
    """Collects file handlers while the plugin loads."""


MAX_ARGUMENTS = 64 << 20


def _call(tool_name, arguments):
    try:
        data = values.encode(arguments, MAX_ARGUMENTS)
    except values.NoJson as error:
        path = error.pointer.strip("/").replace("/", ".") or "(root)"
        raise ValueError(f"Invalid parameters for tool '{tool_name}': it {error.message} (at {path})") from None
    except values.TooLarge:
        raise ValueError(f"Invalid parameters for tool '{tool_name}': larger than {MAX_ARGUMENTS} bytes") from None
    return b'"tool":%s,"arguments":%s' % (values.encode(str(tool_name), 4096), data)


def _value(answer):
    if "error" in answer:
        raise ToolCallError(answer["error"]["message"], answer["error"]["data"]["code"])
    return answer["result"]


def _result(tool_name, answer):
    """What the tool returned, or the exception that the registry of the documents raises."""
    error = answer.get("error")
    if error is None:
        return answer["result"]
    data = error["data"]
    code = data["code"]
    if code == "unknown_tool":
        raise ValueError(f"Tool '{tool_name}' not found in registry")
    if code == "invalid_arguments":
        first = data["errors"][0]
        path = first["pointer"].strip("/").replace("/", ".") or "(root)"
        raise ValueError(f"Invalid parameters for tool '{tool_name}': {first['message']} (at {path})")
    raise ToolCallError(f"Error executing tool '{tool_name}': {error['message']}", code)
