"""Writes dynamic plugins as plugin files: the source of their functions, with what these use of the modules around them."""

import builtins
import inspect
import os
import tempfile
import textwrap
import types

import gathering._core as _core
from gathering._process.dynamic import function_name
from gathering._worker.loading import as_data


def save(plugin, path):
    """Writes the plugin's file at `path`, whole or not at all, and returns the path."""
    tools, functions = [], []
    for spec, definition in zip(plugin.tool_specs, plugin.register_tools()):
        code = spec.get("code")
        if code is None:
            code, name = source_of(definition.name, definition.function)
        else:
            name = function_name(definition.name, _module_of(definition.function))
        fields = as_data(definition)
        wanted = ("name", "description", "category", "parameters", "returns", "examples", "required_competencies")
        tools.append({**{field: fields[field] for field in wanted}, "code": code})
        functions.append(name)
    about = plugin.about
    data = {
        "plugin_id": about["id"], "name": about["name"], "description": about["description"],
        "version": about["version"], "author": about["author"], "tools": tools,
        "competencies": [as_data(competency) for competency in plugin.register_competencies()],
        "config": plugin.config or None,
    }
    text = _core.plugin_file(data, functions)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(beside, 0o644)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    return path


def _module_of(function):
    import sys

    return sys.modules[function.__module__]


def source_of(tool_name, function):
    """Code that makes `function` anew, and the name that it has there. ValueError if there is none."""
    pieces = _Pieces(tool_name)
    name = pieces.add_function(function)
    return pieces.text(), name


class _Pieces:
    """The parts of a module, in the order in which they have to run."""

    def __init__(self, tool_name):
        self._tool_name = tool_name
        self._imports, self._parts, self._held = [], [], {}

    def text(self):
        return "\n".join([*self._imports, *([""] if self._imports else []), "\n\n".join(self._parts)]) + "\n"

    def _refuse(self, reason):
        raise ValueError(f"Tool '{self._tool_name}' cannot be saved: {reason}")

    def add_function(self, function):
        """Adds a function after what it uses, and returns its name."""
        if not isinstance(function, types.FunctionType):
            self._refuse(f"its function is a {type(function).__name__}; only functions written with `def` have a source")
        name = function.__name__
        if name == "<lambda>":
            self._refuse("its function is a lambda: write it with `def`")
        if function.__closure__:
            self._refuse(
                f"`{name}` uses {_listed(function.__code__.co_freevars)} of the function around it: "
                "take what it needs as arguments, or from its module"
            )
        if self._held.get(name) is function:
            return name
        self._claim(name, function)
        try:
            source = textwrap.dedent(inspect.getsource(function))
        except (OSError, TypeError):
            self._refuse(f"the source of `{name}` is not to be found: make the tool of a file or of `code`")
        if not _makes(source, function):
            self._refuse(f"the source of `{name}` is not what runs: it was changed since, or its file is another one")
        for used in _globals_of(compile(source, "<tool>", "exec")):
            if used != name and used in function.__globals__:
                self._add_value(used, function.__globals__[used])
            elif used != name and not hasattr(builtins, used):
                self._refuse(f"`{name}` uses `{used}`, which is not defined")
        self._parts.append(source.rstrip())
        return name

    def _add_value(self, name, value):
        if self._held.get(name, _NOTHING) is value:
            return
        if isinstance(value, types.FunctionType) and value.__module__ not in _INSTALLED and value.__name__ == name:
            self.add_function(value)
            return
        self._claim(name, value)
        module = getattr(value, "__module__", None)
        if isinstance(value, types.ModuleType):
            self._imports.append(f"import {value.__name__}" if value.__name__ == name else f"import {value.__name__} as {name}")
        elif _is_literal(value):
            self._parts.append(f"{name} = {value!r}")
        elif isinstance(module, str) and module != "__main__" and hasattr(value, "__name__"):
            alias = "" if value.__name__ == name else f" as {name}"
            self._imports.append(f"from {module} import {value.__name__}{alias}")
        else:
            self._refuse(f"it uses `{name}`, a {type(value).__name__} that cannot be written down")

    def _claim(self, name, value):
        if name in self._held:
            self._refuse(f"two different things that it uses are called `{name}`")
        self._held[name] = value


_NOTHING = object()


class _Installed:
    """The modules that a saved plugin can import as well: parts of Python and installed packages."""

    def __contains__(self, module):
        import sys

        top = (module or "").partition(".")[0]
        file = getattr(sys.modules.get(top), "__file__", None) or ""
        return top in sys.stdlib_module_names or "site-packages" in file or "dist-packages" in file


_INSTALLED = _Installed()


def _makes(source, function):
    """Whether the source makes this function, however it is decorated."""
    wanted, left = inspect.unwrap(function).__code__, []
    try:
        left.append(compile(source, "<tool>", "exec"))
    except SyntaxError:
        return False
    while left:
        code = left.pop()
        if (code.co_name, code.co_code, code.co_names) == (wanted.co_name, wanted.co_code, wanted.co_names):
            return True
        left.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return False


def _globals_of(code):
    """The global names that some code uses, those of the functions and classes in it included."""
    import dis

    names, left = [], [code]
    while left:
        current = left.pop()
        for instruction in dis.get_instructions(current):
            if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and instruction.argval not in names:
                names.append(instruction.argval)
        left.extend(constant for constant in current.co_consts if isinstance(constant, types.CodeType))
    return names


def _is_literal(value):
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value) in (list, tuple, set, frozenset) and all(map(_is_literal, value))
    if isinstance(value, dict):
        return type(value) is dict and all(_is_literal(item) for pair in value.items() for item in pair)
    return value is None or type(value) in (bool, int, float, complex, str, bytes)


def _listed(names):
    return ", ".join(f"`{name}`" for name in names)
