"""The one seam between the SDK and what runs it: which registries are behind the global names.

By itself the SDK keeps registries in memory. A worker calls `use` before any plugin code is imported, so that the
global `tool_registry` reaches the tools of the host. A native core takes their place in the same way.
"""

import sys

from gathering._registries import CompetencyRegistry, FileHandlerRegistry, ToolRegistry

tool_registry = ToolRegistry()
competency_registry = CompetencyRegistry()
file_handler_registry = FileHandlerRegistry()


def use(tools, competencies, file_handlers):
    """Puts these registries behind the global names. Called before `gathering.core` is imported, which takes them."""
    if "gathering.core.tool_registry" in sys.modules:
        raise RuntimeError("`gathering.core` was imported before its registries were known")
    global tool_registry, competency_registry, file_handler_registry
    tool_registry, competency_registry, file_handler_registry = tools, competencies, file_handlers
