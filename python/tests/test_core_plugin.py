"""Plugins that do not run in this interpreter: the core plugin in Rust, and plugin files in confined workers."""

import os
import shutil
import signal
import tempfile
import threading
import time
import unittest
from pathlib import Path

from documents import block
from process import InProcess

from gathering.core.competency_registry import competency_registry
from gathering.core.tool_registry import tool_registry
from gathering.plugins import PluginStatus

FILE = '''
import os, time
from gathering.core.tool_registry import ToolDefinition, tool_registry
from gathering.plugins import Plugin, PluginMetadata

class Guarded(Plugin):
    metadata = property(lambda self: PluginMetadata("guarded", "Guarded", "1.0.0", "Runs apart.", python_dependencies=[]))

    def register_tools(self):
        return [ToolDefinition(f.__name__, "Does it.", "utility", f) for f in (pid, configured, raises, leaves, waits)]

    def on_load(self):
        configured.value = self.config.get("value")

def pid(): return os.getpid()
def configured(): return configured.value
def raises(): raise KeyError("x")
def leaves(): os._exit(3)
def waits(): time.sleep(600)
'''


class Core(InProcess):
    def setUp(self):
        super().setUp()
        from gathering.plugins import plugin_manager
        from gathering.plugins.core import CorePlugin

        self.manager, self.plugin_class = plugin_manager, CorePlugin

    def test_it_is_a_plugin_like_any_other(self):
        plugin = self.plugin_class()

        self.assertEqual((plugin.metadata.id, plugin.get_info()["status"]), ("core", "unloaded"))
        names = [tool.name for tool in plugin.register_tools()]
        self.assertLessEqual({"calculate", "read_file", "write_file", "list_directory", "git_status", "git_diff"}, set(names))
        self.assertNotIn("create_plugin", names)
        with self.assertRaisesRegex(RuntimeError, "^Plugin 'core' is not loaded: load it first$"):
            plugin.register_tools()[0].function(expression="1")
        plugin.load()
        self.assertEqual((plugin.register_tools()[0].function(expression="6 * 7"), plugin.status), (42, PluginStatus.LOADED))
        plugin.unload()

    def test_its_tools_have_the_categories_of_the_document(self):
        categories = {tool.name: tool.category for tool in self.plugin_class().register_tools()}

        for name, category in {
            "calculate": "utility", "read_file": "filesystem", "write_file": "filesystem", "list_directory": "filesystem",
            "git_status": "version_control", "git_diff": "version_control", "run_command": "code_execution",
            "python_eval": "code_execution",
        }.items():
            self.assertEqual(categories[name], category, name)

    def test_its_files_are_those_of_its_folder(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a.txt").write_text("hello")
            self.manager.load_plugin("core", self.plugin_class)
            self.manager.unload_plugin("core")
            self.manager.load_plugin("core", {"base_path": folder})

            self.assertIn("hello", str(tool_registry.execute("read_file", path="a.txt")))
            with self.assertRaisesRegex(Exception, "^Error executing tool 'read_file': "):
                tool_registry.execute("read_file", path="../../etc/passwd")
            with self.assertRaises(Exception) as failed:
                tool_registry.execute("calculate", expression="1 / 0")
            self.assertEqual(failed.exception.__cause__.code, "tool_error")
            self.assertTrue(competency_registry.has("mathematics"))

    def test_a_configuration_that_does_not_fit_is_refused(self):
        with self.assertRaisesRegex(ValueError, "^The configuration of plugin 'core' does not fit its schema"):
            self.manager.load_plugin("core", self.plugin_class) or self.manager.unload_plugin("core") or self.manager.load_plugin(
                "core", {"max_read_bytes": "many"}
            )
        self.assertEqual(tool_registry.list_all(), [])

    def test_other_threads_go_on_while_rust_works(self):
        self.manager.load_plugin("core", self.plugin_class)
        results = []
        threads = [
            threading.Thread(target=lambda n=n: results.append(tool_registry.execute("calculate", expression=f"{n} * 2")))
            for n in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        self.assertEqual(sorted(results), [2 * n for n in range(16)])

    @unittest.skipUnless(hasattr(os, "fork"), "NOT RUN: there is no fork here")
    def test_a_forked_child_can_call_it_too(self):
        self.manager.load_plugin("core", self.plugin_class)
        tool_registry.execute("calculate", expression="1")
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = 0 if tool_registry.execute("calculate", expression="20 + 22") == 42 else 2
            finally:
                os._exit(status)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)


@unittest.skipUnless(shutil.which("gathering"), "NOT RUN: the program `gathering`, which confines, is not on the path")
class Workers(InProcess):
    def setUp(self):
        super().setUp()
        from gathering.plugins import plugin_manager

        self.manager = plugin_manager
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def load(self, text, config=None):
        (self.folder / "guarded.py").write_text(text)
        (plugin_id,) = self.manager.discover_plugins(self.folder)
        self.manager.load_plugin(plugin_id, config, isolation="worker")
        self.manager.enable_plugin(plugin_id)
        return plugin_id

    def test_a_file_runs_in_a_process_of_its_own(self):
        self.load(FILE, {"value": 7})

        self.assertNotEqual(tool_registry.execute("pid"), os.getpid())
        self.assertEqual(tool_registry.execute("configured"), 7)
        with self.assertRaisesRegex(Exception, "^Error executing tool 'raises': KeyError: 'x'$"):
            tool_registry.execute("raises")
        with self.assertRaises(Exception) as failed:
            tool_registry.execute("leaves")
        self.assertEqual(failed.exception.__cause__.code, "worker_exited")
        self.assertEqual(tool_registry.execute("configured"), 7)
        self.assertEqual(self.manager.health_check("guarded")["plugin_id"], "guarded")
        self.manager.unload_plugin("guarded")
        self.assertEqual(tool_registry.list_all(), [])

    def test_an_interrupt_ends_the_wait_and_the_work(self):
        self.load(FILE)
        worker = tool_registry.execute("pid")
        signal.signal(signal.SIGUSR1, signal.default_int_handler)
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGUSR1)).start()

        begun = time.monotonic()
        with self.assertRaises(KeyboardInterrupt):
            tool_registry.execute("waits")

        self.assertLess(time.monotonic() - begun, 30)
        self.assertIsInstance(worker, int)
        self.assertNotEqual(tool_registry.execute("pid"), None)

    def test_the_plugin_of_the_document_works_the_same(self):
        text = block("later", "Basic Plugin Structure", [('            python_dependencies=["requests>=2.28.0"],  # Optional\n', "")])
        self.load(text)

        self.assertEqual(tool_registry.execute("my_tool", input="x"), "Processed: x")
        with self.assertRaisesRegex(ValueError, "^Invalid parameters for tool 'my_tool': `input` is required"):
            tool_registry.execute("my_tool")
        self.assertTrue(competency_registry.has("my_skill"))

    def test_a_class_without_a_file_cannot_be_confined(self):
        from test_manager import plugin_class

        mine = plugin_class()
        mine.__module__ = "__main__"
        with self.assertRaisesRegex(ValueError, "has no file of its own to run in a worker"):
            self.manager.load_plugin("mine", mine, isolation="worker")


if __name__ == "__main__":
    unittest.main()
