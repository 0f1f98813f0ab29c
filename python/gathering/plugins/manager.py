"""The plugin manager of this process."""

try:
    from gathering._process.manager import PluginManager, plugin_manager
except ModuleNotFoundError as error:
    if error.name not in ("gathering._process", "gathering._core"):
        raise
    raise ImportError(
        "there is no plugin manager here: a worker runs one plugin and makes others with the tool `create_plugin`"
    ) from error

__all__ = ["PluginManager", "get_plugin", "get_plugin_manager", "load_plugin", "plugin_manager", "unload_plugin"]


def get_plugin_manager():
    """The manager of the global registries, `plugin_manager`."""
    return plugin_manager


def load_plugin(plugin_id, config=None, **options):
    """Loads a plugin with the global manager: see `PluginManager.load_plugin`."""
    plugin_manager.load_plugin(plugin_id, config, **options)


def unload_plugin(plugin_id):
    """Unloads a plugin with the global manager."""
    plugin_manager.unload_plugin(plugin_id)


def get_plugin(plugin_id):
    """The loaded plugin of this id of the global manager, or None."""
    return plugin_manager.get_plugin(plugin_id)
