"""The two faces in which the documents' examples run: in this process, and with every plugin that has a file in workers."""

import ast
import asyncio
import contextlib
import importlib.util
import io
import linecache
import os
import shutil
import sys
import tempfile
import unittest.mock
from pathlib import Path

import standins
from process import InProcess


def run(code, namespace=None):
    """Runs a block as a reader would type it, and returns what it defined and printed."""
    namespace = {"__name__": "__main__"} if namespace is None else namespace
    printed, filename = io.StringIO(), f"document_{len(linecache.cache)}.py"
    linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
    with contextlib.redirect_stdout(printed):
        # `await` may stand where it stands in the document, as in `python -m asyncio`.
        made = eval(compile(code, filename, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), namespace)
        if made is not None:
            asyncio.run(made)
    return namespace, printed.getvalue()


class Face(InProcess):
    """In this process."""

    is_confined = False

    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def with_packages(self, *names):
        """What a plugin imports can be had while this is open."""
        place = Path("packages")
        place.mkdir(exist_ok=True)
        return standins.imported(place.absolute(), *names)

    def without_packages(self):
        """No package can be had while this is open."""
        return unittest.mock.patch("gathering._requirements.is_satisfied", lambda requirement: False)

    def module(self, name, text):
        """A module of a file that holds `text`, under `name`, which may be that of a package of ours."""
        path = self.folder / f"{name.rpartition('.')[2]}.py"
        path.write_text(text)
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        self.enterContext(unittest.mock.patch.dict(sys.modules, {name: module}))
        spec.loader.exec_module(module)
        return module


class Confined(Face):
    """With every plugin that has a file in confined workers. A base for a class that has the examples beside it."""

    is_confined = True

    def setUp(self):
        if shutil.which("gathering") is None:
            self.skipTest("NOT RUN: the program `gathering`, which confines, is not on the path")
        super().setUp()
        from gathering._process.hosted import BuiltinPlugin
        from gathering.plugins import PluginManager

        load = PluginManager.load_plugin

        def load_confined(manager, plugin_id, config=None, **options):
            plugin_class = config if isinstance(config, type) else manager._classes.get(plugin_id)
            if not issubclass(plugin_class, BuiltinPlugin) and hasattr(sys.modules[plugin_class.__module__], "__file__"):
                if self.folder in Path(sys.modules[plugin_class.__module__].__file__).parents:
                    options["isolation"] = "worker"
            return load(manager, plugin_id, config, **options)

        self.enterContext(unittest.mock.patch.object(PluginManager, "load_plugin", load_confined))
        # Only what stands for packages is installed: the tests need no network.
        self.enterContext(self.with_packages())

    def with_packages(self, *names):
        place = Path("wheels")
        place.mkdir(exist_ok=True)
        return unittest.mock.patch.dict(os.environ, standins.installable(place.absolute(), *names))

    def without_packages(self):
        return contextlib.nullcontext()
