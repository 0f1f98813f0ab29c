"""The documents plugin: files of many formats, read and shown by confined workers, in Rust."""

from gathering._face import builtin_plugin

__all__ = ["DocumentsPlugin"]


class DocumentsPlugin(builtin_plugin("documents")):
    """`read_document` and its like, and the file handlers that say which formats they know.

    >>> from gathering.core.file_handler_registry import FileHandlerRegistry
    >>> from gathering.plugins import PluginManager
    >>> from gathering.plugins.documents import DocumentsPlugin
    >>> handlers = FileHandlerRegistry()
    >>> manager = PluginManager(file_handler_registry=handlers)
    >>> manager.load_plugin("documents", DocumentsPlugin)
    >>> handlers.list_by_extension("pdf")[0].tools["read"]
    'read_document'
    >>> manager.unload_plugin("documents")
    """

    plugin_id = "documents"
