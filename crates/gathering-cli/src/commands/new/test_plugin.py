"""The tests of the plugin PLUGIN_ID. They take the package `gathering`: `gathering new plugin` said how to run them."""

import importlib.util
import pathlib
import unittest

FILE = pathlib.Path(__file__).resolve().parent.parent / "PLUGIN_STEM.py"
spec = importlib.util.spec_from_file_location("PLUGIN_STEM", FILE)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)


class PLUGIN_CLASSTest(unittest.TestCase):
    def setUp(self):
        self.plugin = module.PLUGIN_CLASS({"greeting": "Welcome"})
        self.plugin.load()
        self.tools = {tool.name: tool.function for tool in self.plugin.register_tools()}

    def test_it_greets_with_the_configured_word(self):
        answer = self.tools["PLUGIN_STEM_greet"](name="Ada", times=2)

        self.assertEqual(answer["text"], "Welcome, Ada! Welcome, Ada!")

    def test_it_counts_its_greetings(self):
        greet = self.tools["PLUGIN_STEM_greet"]
        greet(name="Ada")

        self.assertEqual(greet(name="Bob")["greeted"], 2)


if __name__ == "__main__":
    unittest.main()
