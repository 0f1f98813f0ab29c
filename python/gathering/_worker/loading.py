"""Finds the plugin in a file or package, imports it afresh, and writes down what it says of itself."""

import importlib.machinery
import importlib.util
import os
import sys

from gathering._definitions import CompetencyDefinition, FileHandlerDefinition, ToolDefinition
from gathering.plugins.base import Plugin, PluginMetadata


class NotAPlugin(Exception):
    """The file or package holds no plugin that could be told."""


class _SourceLoader(importlib.machinery.SourceFileLoader):
    """Compiles from source each time. Byte code is found by size and second of change: an edit could be missed."""

    def get_code(self, fullname):
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


def import_plugin(path, site_packages):
    """Imports the plugin at `path` (a file, or a folder with `__init__.py`) and returns its module."""
    is_package = os.path.isdir(path)
    source = os.path.join(path, "__init__.py") if is_package else path
    parent = os.path.dirname(path)
    _compile_afresh(path if is_package else None, parent)
    # After everything else, so that no file of the plugin's folder hides a package or a part of Python.
    sys.path.extend([*site_packages, parent])
    name = _module_name(os.path.basename(path) if is_package else os.path.basename(path)[: -len(".py")])
    spec = importlib.util.spec_from_file_location(
        name,
        source,
        loader=_SourceLoader(name, source),
        submodule_search_locations=[path] if is_package else None,
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _compile_afresh(package, parent):
    loaders = (
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES),
        (_SourceLoader, importlib.machinery.SOURCE_SUFFIXES),
    )
    find = importlib.machinery.FileFinder.path_hook(*loaders)

    def hook(entry):
        if entry == parent or package and (entry == package or entry.startswith(package + "/")):
            return find(entry)
        raise ImportError(entry)

    sys.path_hooks.insert(0, hook)
    sys.path_importer_cache.pop(parent, None)


def _module_name(stem):
    name = "".join(c if c.isalnum() or c == "_" else "_" for c in stem)
    taken = name in sys.stdlib_module_names or name in sys.modules or not name.isidentifier()
    return f"gathering_plugin_{name}" if taken else name


def plugin_class(module):
    """`plugin_class` of the module, else the one `Plugin` subclass that is defined in it."""
    exported = getattr(module, "plugin_class", None)
    if exported is not None:
        if not (isinstance(exported, type) and issubclass(exported, Plugin)):
            raise NotAPlugin(f"`plugin_class` is {_kind(exported)}: it must be a subclass of gathering.plugins.Plugin")
        return exported
    prefix = module.__name__ + "."
    found = []
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Plugin) and value is not Plugin and value not in found:
            if value.__module__ == module.__name__ or value.__module__.startswith(prefix):
                found.append(value)
    complete = [cls for cls in found if not getattr(cls, "__abstractmethods__", None)]
    if len(complete) == 1:
        return complete[0]
    if len(complete) > 1:
        names = ", ".join(f"`{cls.__name__}`" for cls in complete)
        raise NotAPlugin(f"it defines several Plugin subclasses ({names}): say which with `plugin_class = ...`")
    if found:
        missing = ", ".join(sorted(found[0].__abstractmethods__))
        raise NotAPlugin(f"`{found[0].__name__}` is not complete: it must define {missing}")
    raise NotAPlugin("it defines no subclass of gathering.plugins.Plugin, and no `plugin_class`")


def metadata_of(cls):
    """What the plugin says of itself, without running its constructor if that can be helped."""
    try:
        bare = cls.__new__(cls)
        Plugin.__init__(bare, {})
        metadata = bare.metadata
    except Exception:
        metadata = instantiate(cls, {}).metadata
    if not isinstance(metadata, PluginMetadata):
        raise NotAPlugin(f"`{cls.__name__}.metadata` is {_kind(metadata)}: it must be a PluginMetadata (is @property missing?)")
    return metadata


def instantiate(cls, config):
    """The plugin, with its configuration if its constructor takes one."""
    import inspect

    constructor = cls.__init__
    if constructor is Plugin.__init__:
        return cls(config)
    takes = [
        p
        for p in list(inspect.signature(constructor).parameters.values())[1:]
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
    ]
    if takes:
        return cls(config)
    keywords = [p for p in inspect.signature(constructor).parameters.values() if p.kind == p.VAR_KEYWORD or p.name == "config"]
    if keywords:
        return cls(config=config)
    plugin = cls()
    plugin._config = config
    return plugin


def workers_of(cls):
    """How many workers the plugin asks for."""
    workers = getattr(cls, "workers", 1)
    if isinstance(workers, bool) or not isinstance(workers, int) or not 1 <= workers <= 64:
        raise NotAPlugin(f"`{cls.__name__}.workers` is {workers!r:.80}: it must be a number from 1 to 64")
    return workers


_TEXT, _TEXTS, _MAP, _LIST, _FLAG = "text", "a list of texts", "a dictionary", "a list", "a boolean"
_FIELDS = {
    PluginMetadata: {
        "id": _TEXT, "name": _TEXT, "version": _TEXT, "description": _TEXT, "author": _TEXT, "author_email": _TEXT,
        "license": _TEXT, "homepage": _TEXT, "tags": _TEXTS, "dependencies": _TEXTS, "python_dependencies": _TEXTS,
        "min_gathering_version": _TEXT, "config_schema": _MAP, "permissions": _MAP,
    },
    ToolDefinition: {
        "name": _TEXT, "description": _TEXT, "category": _TEXT, "required_competencies": _TEXTS, "parameters": _MAP,
        "returns": _MAP, "examples": _LIST, "async_function": _FLAG, "requires_context": _FLAG,
    },
    CompetencyDefinition: {
        "id": _TEXT, "name": _TEXT, "description": _TEXT, "category": _TEXT, "level": _TEXT, "prerequisites": _TEXTS,
        "capabilities": _TEXTS, "tools_enabled": _TEXTS, "metadata": _MAP,
    },
    FileHandlerDefinition: {
        "name": _TEXT, "description": _TEXT, "extensions": _TEXTS, "media_types": _TEXTS, "tools": _MAP,
    },
}


def as_data(definition):
    """The definition as a dictionary; NotAPlugin names the field that holds something else than it should."""
    cls = next(cls for cls in _FIELDS if isinstance(definition, cls))
    label = getattr(definition, "name", "") or getattr(definition, "id", "")
    data = {}
    for name, expected in _FIELDS[cls].items():
        value = getattr(definition, name)
        if not _fits(value, expected):
            raise NotAPlugin(f"`{name}` of {cls.__name__} `{label!s:.64}` is {_kind(value)}: it must be {expected}")
        data[name] = list(value) if expected in (_TEXTS, _LIST) else value
    return data


def _fits(value, expected):
    if expected == _TEXT:
        return isinstance(value, str)
    if expected == _MAP:
        return isinstance(value, dict)
    if expected == _FLAG:
        return isinstance(value, bool)
    is_list = isinstance(value, (list, tuple, set, frozenset))
    return is_list and (expected == _LIST or all(isinstance(item, str) for item in value))


def _kind(value):
    return "None" if value is None else f"a {type(value).__name__}"


def scan(path):
    """What can be read of the metadata without running the file: the literal arguments of `PluginMetadata(...)`."""
    import ast
    import dataclasses

    source = os.path.join(path, "__init__.py") if os.path.isdir(path) else path
    files = [source]
    if os.path.isdir(path):
        files += sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".py") and name != "__init__.py")
    names = [field.name for field in dataclasses.fields(PluginMetadata)]
    for file in files:
        with open(file, "rb") as opened:
            tree = ast.parse(opened.read(), file)
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "PluginMetadata"]
        if len(calls) != 1:
            continue
        literals, complete = {}, True
        given = list(zip(names, calls[0].args)) + [(keyword.arg, keyword.value) for keyword in calls[0].keywords]
        for name, node in given:
            try:
                literals[name] = ast.literal_eval(node)
            except ValueError:
                complete = False
        for required in ("id", "name", "version", "description"):
            complete = complete and isinstance(literals.get(required), str)
        if complete:
            return {"metadata": as_data(PluginMetadata(**literals)), "python_dependencies": []}
        dependencies = [*(literals.get("python_dependencies") or []), *(literals.get("requires") or [])]
        return {"metadata": None, "python_dependencies": [text for text in dependencies if isinstance(text, str)]}
    return {"metadata": None, "python_dependencies": []}


def _called(node):
    return getattr(node.func, "id", None) or getattr(node.func, "attr", None)
