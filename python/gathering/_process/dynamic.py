"""Plugins that are made at run time, of functions or of code."""

import inspect
import io
import linecache
import sys
import types

from gathering._definitions import CompetencyDefinition, ToolDefinition
from gathering._worker import docstrings, inference
from gathering.plugins.base import Plugin, PluginMetadata

_FIELDS = (
    "name", "function", "code", "description", "category", "required_competencies", "parameters", "returns", "examples",
)


class DynamicPlugin(Plugin):
    """A plugin that `create_dynamic_plugin` made. `tool_specs` and `competency_specs` are what it was made of."""

    about = {}
    tool_specs = []
    competency_specs = []

    def __init__(self, config=None):
        super().__init__(config)
        modules = {}
        self._functions = [_function_of(spec, self._config, modules, self.about["id"]) for spec in self.tool_specs]

    @property
    def metadata(self):
        return PluginMetadata(**self.about)

    def register_tools(self):
        return [_definition(spec, function) for spec, function in zip(self.tool_specs, self._functions)]

    def register_competencies(self):
        return [
            spec if isinstance(spec, CompetencyDefinition) else CompetencyDefinition(**spec)
            for spec in self.competency_specs
        ]


def dynamic_class(plugin_id, name, description, version, author, tools, competencies, config):
    """A class of its own for a plugin, so that it can be registered like any other. ValueError if a tool is not complete."""
    about = {"id": plugin_id, "name": name, "version": version, "description": description, "author": author}
    PluginMetadata(**about)
    specs = [_checked(tool) for tool in tools]
    body = {
        "__doc__": description, "__module__": __name__, "about": about, "tool_specs": specs,
        "competency_specs": competencies, "given_config": config,
    }
    return type("DynamicPlugin", (DynamicPlugin,), body)


def _checked(tool):
    if isinstance(tool, ToolDefinition):
        tool = {field: getattr(tool, field) for field in _FIELDS if hasattr(tool, field)}
    unknown = [field for field in tool if field not in _FIELDS]
    if unknown:
        raise ValueError(f"a tool has no '{unknown[0]}': it takes {', '.join(_FIELDS)}")
    if not tool.get("name"):
        raise ValueError("Tool name cannot be empty")
    if (tool.get("function") is None) == (tool.get("code") is None):
        raise ValueError(f"Tool '{tool['name']}' needs either a 'function' or its 'code'")
    return dict(tool)


def _function_of(spec, config, modules, plugin_id):
    if spec.get("code") is None:
        return spec["function"]
    module = _module_of(spec, config, modules, plugin_id)
    return vars(module)[function_name(spec["name"], module)]


def _module_of(spec, config, modules, plugin_id):
    """The module that a tool's code makes. Tools with the same code share one."""
    code = spec["code"]
    if code not in modules:
        module = modules[code] = types.ModuleType(f"gathering_tool_{plugin_id}_{spec['name']}")
        filename = f"<{plugin_id}/{spec['name']}.py>"
        # Tracebacks and `inspect` read the source here.
        linecache.cache[filename] = (len(code), None, io.StringIO(code).readlines(), filename)
        module.config = config
        sys.modules[module.__name__] = module
        exec(compile(code, filename, "exec", dont_inherit=True), vars(module))
    return modules[code]


def function_name(tool_name, module):
    """The name of the tool's function: called like the tool, else the only public one."""
    from gathering._worker.authoring import Problem, find_function

    try:
        return find_function(tool_name, module)
    except Problem as problem:
        raise ValueError(f"Tool '{tool_name}': {problem}") from None


def _definition(spec, function):
    said = docstrings.parse(inspect.getdoc(function) or "")
    parameters, returns = spec.get("parameters"), spec.get("returns")
    if parameters is None:
        parameters = inferred_parameters(function, said)
    return ToolDefinition(
        name=spec["name"],
        description=spec.get("description") or said.summary or spec["name"],
        category=spec.get("category") or "custom",
        function=function,
        required_competencies=list(spec.get("required_competencies") or ()),
        parameters=parameters,
        returns=returns or {},
        examples=list(spec.get("examples") or ()),
    )


def inferred_parameters(function, said):
    """The schema of the arguments as signature and type hints say; `{}` where there is no signature to read."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return {}
    hints = inference.hints_of(function, sys.modules.get(function.__module__) or types)
    return inference.parameters(signature, hints, said.parameters)
