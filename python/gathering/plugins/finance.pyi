from gathering.plugins.base import Plugin, PluginMetadata

__all__ = ["FinancePlugin"]

class FinancePlugin(Plugin):
    plugin_id: str
    @property
    def metadata(self) -> PluginMetadata: ...
