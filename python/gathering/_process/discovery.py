"""Finds plugin files in folders and imports them into this process."""

import importlib.util
import sys
from pathlib import Path

from gathering._worker.loading import metadata_of, plugin_class


def checked_directory(path):
    """The folder, absolute. ValueError if it is none."""
    path = Path(path)
    if not path.exists():
        raise ValueError(f"Plugin directory does not exist: {path}")
    if not path.is_dir():
        raise ValueError(f"Not a directory: {path}")
    return path.absolute()


def candidates(directories):
    """The files and packages in the folders that may be plugins, by name."""
    for directory in directories:
        for entry in sorted(directory.iterdir()):
            if entry.name.startswith(("_", ".")):
                continue
            if entry.suffix == ".py" and entry.is_file() or (entry / "__init__.py").is_file():
                yield entry


def look_at(path):
    """The id and the class of the plugin in a file or package."""
    # Two folders may each hold a `tools.py`, and neither may hide a module of somebody else's.
    name = f"gathering_plugin_{abs(hash(str(path))):x}_{path.stem}"
    source = path / "__init__.py" if path.is_dir() else path
    locations = [str(path)] if path.is_dir() else None
    spec = importlib.util.spec_from_file_location(name, source, submodule_search_locations=locations)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
        found = plugin_class(module)
        return metadata_of(found).id, found
    except BaseException:
        for held in [held for held in sys.modules if held == name or held.startswith(f"{name}.")]:
            del sys.modules[held]
        raise
