"""What the tests of the package in its own process share: skipping where there is no Rust core, and a fresh start."""

import unittest

try:
    from gathering import _core
except ModuleNotFoundError:
    _core = None

from gathering.core.competency_registry import competency_registry
from gathering.core.file_handler_registry import file_handler_registry
from gathering.core.tool_registry import tool_registry


@unittest.skipIf(_core is None, "NOT RUN: the Rust core is not built, which `make test-python` does")
class InProcess(unittest.TestCase):
    """Each test begins with empty global registries and a manager that knows no plugin."""

    def setUp(self):
        self._forget()
        self.addCleanup(self._forget)

    def _forget(self):
        from gathering.plugins import plugin_manager

        for plugin in reversed(plugin_manager.list_plugins()):
            plugin_manager.unload_plugin(plugin.metadata.id)
        for plugin_id in plugin_manager.list_available_plugins():
            plugin_manager.unregister_plugin_class(plugin_id)
        for directory in plugin_manager.list_plugin_directories():
            plugin_manager.remove_plugin_directory(directory)
        for registry in (tool_registry, competency_registry, file_handler_registry):
            registry.clear()
