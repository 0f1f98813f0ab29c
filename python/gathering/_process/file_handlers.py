"""The file handler registry of this process."""

from gathering._definitions import FileHandlerDefinition
from gathering._process.registry import HostRegistry


class FileHandlerRegistry(HostRegistry):
    """File handlers by name, in the order of registration. May be used from any number of threads.

    >>> from gathering.core.file_handler_registry import FileHandlerDefinition, FileHandlerRegistry
    >>> registry = FileHandlerRegistry()
    >>> registry.register(FileHandlerDefinition("csv", ["csv", "tsv"], {"read": "read_csv"}, ["text/csv"]))
    >>> [handler.name for handler in registry.list_by_extension(".CSV")]
    ['csv']
    """

    def _names(self, by=None, key=""):
        return self._host.file_handlers(by, key)

    def _data(self, name):
        return self._host.file_handler(name)

    def _made(self, data):
        return FileHandlerDefinition(**{name: data[name] for name in FileHandlerDefinition.__dataclass_fields__ if name in data})

    def _add(self, definitions):
        self._host.register_file_handlers(definitions)

    def unregister(self, name):
        """Removes a file handler; False if there is none."""
        with self._lock:
            self._objects.pop(name, None)
            return self._host.unregister_file_handler(name)

    def clear(self):
        """Removes every file handler."""
        with self._lock:
            self._host.clear_file_handlers()
            self._objects = {}

    def list_by_extension(self, extension):
        """Those that know files with this ending, with or without its dot."""
        return self._list("extension", extension.lstrip(".").lower())

    def list_by_media_type(self, media_type):
        """Those that know this media type."""
        return self._list("media_type", media_type.lower())

    def __repr__(self):
        return f"<FileHandlerRegistry of {len(self)} file handler{'' if len(self) == 1 else 's'}>"
