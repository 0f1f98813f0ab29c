from gathering.plugins.base import Plugin, PluginMetadata

__all__ = ["CorePlugin"]

class CorePlugin(Plugin):
    plugin_id: str
    @property
    def metadata(self) -> PluginMetadata: ...
