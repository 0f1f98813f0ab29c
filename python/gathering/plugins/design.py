"""The design plugin: palettes, pictures and what they are made of, in Rust."""

from gathering._face import builtin_plugin

__all__ = ["DesignPlugin"]


class DesignPlugin(builtin_plugin("design")):
    """Tools for designers, such as `generate_palette`.

    >>> from gathering.core.tool_registry import ToolRegistry
    >>> from gathering.plugins import PluginManager
    >>> from gathering.plugins.design import DesignPlugin
    >>> tools = ToolRegistry()
    >>> manager = PluginManager(tools)
    >>> manager.load_plugin("design", DesignPlugin)
    >>> "generate_palette" in tools
    True
    >>> manager.unload_plugin("design")
    """

    plugin_id = "design"
