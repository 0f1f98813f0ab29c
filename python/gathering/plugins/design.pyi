from gathering.plugins.base import Plugin, PluginMetadata

__all__ = ["DesignPlugin"]

class DesignPlugin(Plugin):
    plugin_id: str
    @property
    def metadata(self) -> PluginMetadata: ...
