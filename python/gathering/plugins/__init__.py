"""Plugins: packages that contribute tools, competencies and file handlers."""

from gathering.plugins.base import Plugin, PluginMetadata, PluginStatus

_OF_THE_MANAGER = ("PluginManager", "get_plugin", "get_plugin_manager", "load_plugin", "plugin_manager", "unload_plugin")

__all__ = ["Plugin", "PluginMetadata", "PluginStatus", *_OF_THE_MANAGER]


def __getattr__(name):
    # The manager is there when it is asked for: plugins themselves, and workers, do without it.
    if name in _OF_THE_MANAGER:
        from gathering.plugins import manager

        value = globals()[name] = getattr(manager, name)
        return value
    raise AttributeError(f"module 'gathering.plugins' has no attribute '{name}'")
