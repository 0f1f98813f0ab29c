"""Examines the code of tools: finds the function of each, and infers what was not said of it."""

import inspect
import io
import linecache
import sys
import types

from gathering._definitions import is_async
from gathering._worker import failures

#: The folder that the code of a tool is in as far as tracebacks know.
FOLDER = "/tools"


class Problem(Exception):
    """The code cannot be taken. `line` and `column` count from one; None where there is none."""

    def __init__(self, message, line=None, column=None, traceback="", code="invalid_code"):
        super().__init__(message)
        self.line, self.column, self.traceback, self.code = line, column, traceback, code


def examine(tools, code, config):
    """What is to be known of each of `tools` (dictionaries with `name`, `code` and what else was said), or the problem.

    Without tools, each public function of `code` is one.
    """
    modules = {}
    examined = []
    try:
        if not tools:
            module = _run("code", code, config, modules)
            tools = [{"name": name, "code": code} for name in _public_functions(module)]
            if not tools:
                raise Problem("the code defines no public function, and each public function would be a tool")
    except Problem as problem:
        return {"problem": _as_data(problem, None)}
    documentation = ""
    for place, tool in enumerate(tools):
        try:
            module = _run(tool["name"], tool["code"], config, modules)
            examined.append(_examine_tool(tool, module))
            documentation = documentation or inspect.getdoc(module) or ""
        except Problem as problem:
            return {"problem": _as_data(problem, place, tool["name"])}
    return {"problem": None, "tools": examined, "documentation": documentation[:16384]}


def _as_data(problem, place, tool=None):
    return {
        "place": place,
        "tool": tool,
        "code": problem.code,
        "message": str(problem),
        "line": problem.line,
        "column": problem.column,
        "traceback": problem.traceback,
    }


def _run(name, code, config, modules):
    """The module that running `code` makes. Tools with the same code share one."""
    if code in modules:
        return modules[code]
    filename = f"{FOLDER}/{name}.py"
    linecache.cache[filename] = (len(code), None, io.StringIO(code).readlines(), filename)
    module = modules[code] = types.ModuleType("gathering_tool_" + name)
    if config is not None:
        module.config = config
    sys.modules[module.__name__] = module
    try:
        exec(compile(code, filename, "exec", dont_inherit=True), vars(module))
    except SyntaxError as error:
        if error.filename != filename:
            raise _failed(error) from error
        raise Problem(f"{type(error).__name__}: {error.msg}", error.lineno, error.offset) from None
    except (RecursionError, MemoryError, ValueError) as error:
        if error.__traceback__.tb_next is None:
            raise Problem(f"it cannot be compiled: {failures.message_of(error)}") from None
        raise _failed(error) from error
    except BaseException as error:
        raise _failed(error) from error
    return module


def _failed(error):
    """The code raised something while it was run as a module."""
    message = f"it failed while it was imported: {failures.message_of(error)}"
    line = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.startswith(FOLDER + "/"):
            line = step.tb_lineno
            break
        step = step.tb_next
    code = "missing_dependency" if isinstance(error, ImportError) else "invalid_code"
    return Problem(message, line, None, failures.traceback_of(error, FOLDER), code)


def _public_functions(module):
    """The names of the functions that the module itself defines, in their order."""
    return [name for name, value in vars(module).items() if not name.startswith("_") and _is_own_function(module, value)]


def _is_own_function(module, value):
    is_function = callable(value) and not isinstance(value, type)
    return is_function and getattr(value, "__module__", None) == module.__name__


def find_function(name, module):
    """The name of the tool's function: called like the tool, else the only public one."""
    for wanted in (name, name.replace("-", "_")):
        value = vars(module).get(wanted)
        if callable(value) and not isinstance(value, type):
            return wanted
    public = _public_functions(module)
    if len(public) == 1:
        return public[0]
    if not public:
        raise Problem(f"it defines no function: define one called `{name.replace('-', '_')}`")
    names = ", ".join(f"`{name}`" for name in public)
    raise Problem(
        f"it defines several public functions ({names}) and none is called `{name}`: "
        "rename the one that is the tool, or begin the names of the others with `_`"
    )


def _examine_tool(tool, module):
    from gathering._worker import docstrings, examples, inference

    name = find_function(tool["name"], module)
    function = vars(module)[name]
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:
        raise Problem(f"the signature of `{name}` cannot be read: {failures.message_of(error)}") from None
    line = _line_of(function)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise Problem(
                f"`{name}` takes `{parameter.name}` by position only, and arguments of tools are given by name: "
                "take the `/` out of its signature",
                line,
            )
    said = docstrings.parse(inspect.getdoc(function) or "")
    hints = inference.hints_of(function, module)
    parameters = tool.get("parameters")
    if not parameters:
        parameters = inference.parameters(signature, hints, said.parameters)
    else:
        _check_parameters(name, line, signature, parameters)
    returns = tool.get("returns")
    if not returns:
        returns = inference.returns(hints, said.returns)
    return {
        "name": tool["name"],
        "function": name,
        "description": tool.get("description") or said.summary,
        "parameters": parameters,
        "returns": returns,
        "async_function": is_async(function),
        "calls": examples.calls(tool.get("examples") or [], tool["name"], name, signature),
    }


def _line_of(function):
    code = getattr(inspect.unwrap(function), "__code__", None)
    return code.co_firstlineno if code else None


def _check_parameters(name, line, signature, schema):
    """Refuses a schema that promises what the function cannot take, or leaves out what it needs."""
    properties, required = _named(schema)
    if properties is None:
        return
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    takes_all = inspect.Parameter.VAR_KEYWORD in kinds
    named = {p.name: p for p in signature.parameters.values() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    unknown = [wanted for wanted in properties if wanted not in named]
    if unknown and not takes_all:
        takes = ", ".join(f"`{name}`" for name in named) or "nothing"
        raise Problem(f"`parameters` names `{unknown[0]}`, which `{name}` does not take: it takes {takes}", line)
    for parameter in named.values():
        if parameter.default is parameter.empty and parameter.name not in properties and parameter.name not in required:
            raise Problem(f"`{name}` needs `{parameter.name}`, which `parameters` does not name", line)


def _named(schema):
    """The properties that a schema names, or a bare map of properties does; None if that cannot be told."""
    if any(word in schema for word in ("$ref", "allOf", "anyOf", "oneOf")):
        return None, None
    if isinstance(schema.get("type"), (str, list)):
        properties = schema.get("properties")
        if not isinstance(properties, dict) or "patternProperties" in schema:
            return None, None
        return properties, schema.get("required") or []
    return schema, []
