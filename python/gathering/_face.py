"""The one seam between the SDK and what runs it: which registries are behind the global names.

In the user's own process they are those of the Rust core. In a worker, and where the SDK stands alone, they are kept in
memory; a worker calls `use` before any plugin code is imported, so that the global `tool_registry` reaches the tools of the
host.
"""

import sys

try:
    from gathering._core import Host
    from gathering._process.competencies import CompetencyRegistry
    from gathering._process.file_handlers import FileHandlerRegistry
    from gathering._process.tools import ToolRegistry
except ModuleNotFoundError as error:
    if error.name not in ("gathering._process", "gathering._core"):
        raise
    from gathering._registries import CompetencyRegistry, FileHandlerRegistry, ToolRegistry

    tool_registry = ToolRegistry()
    competency_registry = CompetencyRegistry()
    file_handler_registry = FileHandlerRegistry()
else:
    # Whatever is registered under a global name is registered in one host.
    tool_registry = ToolRegistry(Host())
    competency_registry = CompetencyRegistry(tool_registry._host)
    file_handler_registry = FileHandlerRegistry(tool_registry._host)


def use(tools, competencies, file_handlers):
    """Puts these registries behind the global names. Called before `gathering.core` is imported, which takes them."""
    if "gathering.core.tool_registry" in sys.modules:
        raise RuntimeError("`gathering.core` was imported before its registries were known")
    global tool_registry, competency_registry, file_handler_registry
    tool_registry, competency_registry, file_handler_registry = tools, competencies, file_handlers


def builtin_plugin(name):
    """The base class of a plugin that is part of GatheRing. ImportError in a worker, where there is no host."""
    try:
        from gathering._process.hosted import BuiltinPlugin
    except ModuleNotFoundError as error:
        if error.name not in ("gathering._process", "gathering._core"):
            raise
        raise ImportError(
            f"the {name} plugin is part of the host: a worker calls its tools with tool_registry.execute()"
        ) from error
    return BuiltinPlugin
