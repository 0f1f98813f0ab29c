from gathering.plugins.base import Plugin, PluginMetadata

__all__ = ["DocumentsPlugin"]

class DocumentsPlugin(Plugin):
    plugin_id: str
    @property
    def metadata(self) -> PluginMetadata: ...
