"""File handlers: tools bound to file formats."""

from gathering._definitions import FileHandlerDefinition
from gathering._face import file_handler_registry
from gathering._registries import FileHandlerRegistry

__all__ = ["FileHandlerDefinition", "FileHandlerRegistry", "file_handler_registry"]
