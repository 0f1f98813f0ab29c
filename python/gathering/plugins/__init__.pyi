from gathering.plugins.base import Plugin as Plugin, PluginMetadata as PluginMetadata, PluginStatus as PluginStatus
from gathering.plugins.manager import (
    PluginManager as PluginManager,
    get_plugin as get_plugin,
    get_plugin_manager as get_plugin_manager,
    load_plugin as load_plugin,
    plugin_manager as plugin_manager,
    unload_plugin as unload_plugin,
)

__all__ = [
    "Plugin",
    "PluginMetadata",
    "PluginStatus",
    "PluginManager",
    "get_plugin",
    "get_plugin_manager",
    "load_plugin",
    "plugin_manager",
    "unload_plugin",
]
