"""File handlers: tools bound to file formats."""

from gathering._definitions import FileHandlerDefinition
from gathering._face import FileHandlerRegistry, file_handler_registry

__all__ = ["FileHandlerDefinition", "FileHandlerRegistry", "file_handler_registry"]
