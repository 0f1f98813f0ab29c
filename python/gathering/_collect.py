"""Asks a plugin for what it contributes, in either document's style."""

import inspect

from gathering._definitions import CompetencyDefinition, FileHandlerDefinition, ToolDefinition
from gathering._registries import CompetencyRegistry, FileHandlerRegistry, ToolRegistry


class Collected:
    """What a plugin contributes, in the order in which it came."""

    def __init__(self, tools=None, competencies=None, file_handlers=None):
        self.tool_registry = tools or ToolRegistry()
        self.competency_registry = competencies or CompetencyRegistry()
        self.file_handler_registry = file_handlers or FileHandlerRegistry()

    @property
    def tools(self):
        return self.tool_registry.list_all()

    @property
    def competencies(self):
        return self.competency_registry.list_all()

    @property
    def file_handlers(self):
        return self.file_handler_registry.list_all()


def collect(plugin, into=None):
    """Runs the three `register_` methods of `plugin`, whether they return definitions or register them."""
    into = into or Collected()
    _ask(plugin, "register_tools", into.tool_registry, ToolDefinition)
    _ask(plugin, "register_competencies", into.competency_registry, CompetencyDefinition)
    _ask(plugin, "register_file_handlers", into.file_handler_registry, FileHandlerDefinition)
    return into


def _ask(plugin, method_name, registry, definition_class):
    method = getattr(plugin, method_name, None)
    if method is None:
        return
    returned = method(registry) if _takes_a_registry(method) else method()
    if returned is None:
        return
    if isinstance(returned, (str, bytes, dict)) or not hasattr(returned, "__iter__"):
        raise TypeError(
            f"{method_name}() returned {type(returned).__name__}: "
            f"return a list of {definition_class.__name__}, or take a registry and register them"
        )
    for definition in returned:
        if not isinstance(definition, definition_class):
            raise TypeError(
                f"{method_name}() returned a list with {type(definition).__name__} in it: "
                f"expected {definition_class.__name__}"
            )
        # A method that registers and returns the same definitions is taken at its word once.
        if registry.get(getattr(definition, registry.name_field)) is not definition:
            registry.register(definition)


def _takes_a_registry(method):
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            return parameter.default is parameter.empty or "registry" in parameter.name
        if parameter.kind is parameter.VAR_POSITIONAL:
            return True
    return False
