"""The core plugin: essential tools, in Rust."""

from gathering._face import builtin_plugin

__all__ = ["CorePlugin"]


class CorePlugin(builtin_plugin("core")):
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
