"""Every Python block of the later document, run as it is written there."""

import ast
import textwrap
import unittest
from pathlib import Path

from documents import block
from faces import Confined, Face, run

from gathering.core.competency_registry import CompetencyCategory, competency_registry
from gathering.core.tool_registry import ToolCategory, tool_registry
from gathering.plugins.base import Plugin, PluginMetadata, PluginStatus

#: `parameters={...}` and the method that goes with it, which the document leaves to the reader.
FINANCE = [
    (
        "parameters={...},",
        'parameters={"holdings": {"type": "array", "items": {"type": "object"}}},',
    ),
    (
        "    def get_stock_price(self",
        "    def calculate_portfolio(self, holdings):\n"
        "        return sum(holding['shares'] * holding['price'] for holding in holdings)\n\n"
        "    def get_stock_price(self",
    ),
]
#: Names that every plugin needs and that the block on dependencies leaves out.
DEPENDENCIES = [
    ('id="advanced_ml",', 'id="advanced_ml", name="Advanced ML", version="1.0.0", description="Models",'),
]
PLUGIN_IMPORTS = (
    "from gathering.plugins.base import Plugin, PluginMetadata\n"
    "from gathering.core.tool_registry import ToolDefinition, ToolCategory\n"
)


class LaterDocument(Face):
    def test_the_quick_start_calculates(self):
        namespace, _ = run(block("later", "Using the Plugin Manager"))

        self.assertEqual(namespace["result"], 4)
        self.assertIs(namespace["plugin_manager"].get_plugin("core").status, PluginStatus.ENABLED)

    def test_the_plugin_of_the_document_is_discovered_loaded_and_called(self):
        Path("my_plugins").mkdir()
        Path("my_plugins/my_plugin.py").write_text(block("later", "Basic Plugin Structure"))

        with self.with_packages("requests"):
            namespace, printed = run(block("later", "Discovering Plugins"))

        self.assertEqual(printed, "Found plugins: ['my_plugin']\n")
        self.assertEqual(tool_registry.execute("my_tool", input="x"), "Processed: x")
        with self.assertRaisesRegex(ValueError, r"^Invalid parameters for tool 'my_tool': `input` is required \(at \(root\)\)$"):
            tool_registry.execute("my_tool")
        self.assertTrue(competency_registry.has("my_skill"))
        namespace["plugin_manager"].unload_plugin("my_plugin")
        self.assertEqual((tool_registry.list_all(), competency_registry.list_all()), ([], []))

    def test_the_fields_of_a_plugin_are_those_of_the_document_in_its_order(self):
        import dataclasses

        written = ast.parse(block("later", "Plugin Metadata")).body[0]
        fields = dataclasses.fields(PluginMetadata)
        plugin = PluginMetadata("a", "A", "1.0.0", "")

        for line, field in zip(written.body, fields):
            self.assertEqual(line.target.id, field.name)
            if line.value is not None:
                self.assertEqual(ast.literal_eval(line.value), getattr(plugin, field.name))

    def test_a_dynamic_plugin_is_usable_at_once_and_the_same_when_it_is_saved(self):
        namespace, _ = run(block("later", "Dynamic Plugin Creation"), {"__name__": __name__})
        self.assertEqual(namespace["result"], 8)
        manager = namespace["plugin_manager"]

        run(block("later", "Saving Dynamic Plugins"), namespace)
        manager.unload_plugin("math_helper")
        manager.unregister_plugin_class("math_helper")
        found = manager.discover_plugins(Path("plugins"))
        manager.load_plugin("math_helper")

        self.assertEqual(found, {"math_helper": Path("plugins/math_helper.py").absolute()})
        self.assertEqual(tool_registry.execute("add", x=5, y=3), 8)
        with self.assertRaises(ValueError):
            tool_registry.execute("add", x=5, y="3")

    def test_the_enums_hold_what_the_document_lists(self):
        for heading, enum in [("Tool Categories", ToolCategory), ("Competency Categories", CompetencyCategory)]:
            for line in ast.parse(block("later", heading)).body[0].body:
                self.assertEqual(enum[line.targets[0].id].value, ast.literal_eval(line.value))

    def test_best_practices_are_what_the_package_takes(self):
        namespace, _ = run(block("later", "1. Use Clear IDs"))
        self.assertEqual(PluginMetadata(namespace["id"], "A", "1.0.0", "").id, "my_tool")

        code = block("later", "2. Define Dependencies", DEPENDENCIES)
        metadata = eval(compile(code.strip(), "<document>", "eval"), {"PluginMetadata": PluginMetadata})
        self.assertEqual(metadata.dependencies, ["core", "data_science"])

        body = block("later", "3. Implement Health Checks") + "\n" + block("later", "4. Handle Configuration")
        rest = (
            "    _check_api, _cache = (lambda self: True), {}\n"
            "    metadata = property(lambda self: PluginMetadata('a', 'A', '1.0.0', ''))\n"
        )
        namespace, _ = run(f"{PLUGIN_IMPORTS}class A(Plugin):\n{textwrap.indent(body.replace('super()', 'super(A, self)'), '    ')}\n{rest}")
        with self.assertRaises(AttributeError):
            # `config.get` of the document is not guarded in its last line.
            namespace["A"]()
        plugin = namespace["A"]({"api_key": "k"})
        self.assertEqual((plugin.api_key, plugin.max_size), ("k", 1024))
        self.assertEqual(plugin.health_check()["details"], {"api_connected": True, "cache_size": 0})

    def test_the_finance_plugin_says_what_is_missing_and_works_where_it_is_there(self):
        from gathering.plugins import plugin_manager

        finance = self.module("finance", PLUGIN_IMPORTS + block("later", "Example: Finance Plugin", FINANCE))
        plugin_manager.register_plugin_class("finance", finance.FinancePlugin)
        with self.without_packages(), self.assertRaises(ImportError) as missing:
            plugin_manager.load_plugin("finance")
        self.assertRegex(
            str(missing.exception),
            r"its packages could not be installed \(pandas, yfinance\)" if self.is_confined
            else "^Plugin 'finance' requires Python package 'yfinance'. Install with: pip install yfinance$",
        )
        self.assertEqual(tool_registry.list_all(), [])

        with self.with_packages("yfinance", "pandas"):
            plugin_manager.load_plugin("finance")
            self.assertEqual(tool_registry.execute("stock_price", symbol="A"), {"symbol": "A", "price": 12.5})
        self.assertEqual(tool_registry.execute("portfolio_value", holdings=[{"shares": 2, "price": 3}]), 6)
        self.assertEqual([tool.name for tool in tool_registry.list_by_category("finance")], ["stock_price", "portfolio_value"])
        self.assertIsInstance(plugin_manager.get_plugin("finance"), Plugin)


class LaterDocumentInWorkers(Confined, LaterDocument):
    """The same, confined."""


if __name__ == "__main__":
    unittest.main()
