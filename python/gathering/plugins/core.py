"""The core plugin: essential tools, in Rust."""

try:
    from gathering._process.hosted import BuiltinPlugin
except ModuleNotFoundError as error:
    if error.name not in ("gathering._process", "gathering._core"):
        raise
    raise ImportError("the core plugin is part of the host: a worker calls its tools with tool_registry.execute()") from error

__all__ = ["CorePlugin"]


class CorePlugin(BuiltinPlugin):
    """`calculate`, and inside the folder `base_path` of its configuration the tools for files, Git and commands.

    >>> from gathering.core.tool_registry import ToolRegistry
    >>> from gathering.plugins import PluginManager
    >>> from gathering.plugins.core import CorePlugin
    >>> tools = ToolRegistry()
    >>> PluginManager(tools).load_plugin("core", CorePlugin)
    >>> tools.execute("calculate", expression="2 + 2")
    4
    """

    plugin_id = "core"
