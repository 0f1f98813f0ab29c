"""The Python of the earlier document that a user writes, run as it is written there."""

import shutil
import unittest
import unittest.mock
from pathlib import Path

from documents import block
from faces import Confined, Face, run

from gathering.agents import create_agent
from gathering.core.competency_registry import competency_registry
from gathering.core.file_handler_registry import FileHandlerDefinition, file_handler_registry
from gathering.core.tool_registry import ToolCategory, tool_registry
from gathering.plugins import Plugin

#: The block of the design plugin uses these and does not import them.
DESIGN_IMPORTS = "import base64\nimport uuid\n"


class EarlierDocument(Face):
    def setUp(self):
        super().setUp()
        self.enterContext(self.with_packages("requests", "pillow"))
        self.module("gathering.plugins.design", DESIGN_IMPORTS + block("earlier", "Design Plugin"))

    def test_plugins_are_loaded_by_class_and_their_tools_used(self):
        _, printed = run(block("earlier", "Charger les plugins"))
        self.assertIn("Plugin: Core GatheRing Tools v", printed)
        self.assertIn("Plugin: Design Tools v1.0.0\n", printed)

        _, printed = run(block("earlier", "Utiliser les tools"), {"ToolCategory": ToolCategory})

        self.assertIn("- generate_image: Generate image using Stable Diffusion\n", printed)
        self.assertRegex(printed, r"- generate_image\n- edit_image\nGenerated: generated_[-0-9a-f]{36}\.png\n$")
        # A worker's folder is its own.
        self.assertEqual(len(list(Path().glob("generated_*.png"))), 0 if self.is_confined else 1)

    def test_competencies_of_a_category_that_no_list_has_are_found_by_it_and_make_an_agent(self):
        run(block("earlier", "Charger les plugins"))
        code = block("earlier", "Créer un agent avec nouvelles compétences")

        namespace, _ = run(code, {"create_agent": create_agent})

        self.assertEqual([c.id for c in namespace["design_comps"]], ["ai_image_generation", "image_editing"])
        self.assertEqual(namespace["design_comps"][0].related_tools, ["generate_image"])
        agent = namespace["agent"]
        self.assertEqual((agent.name, agent.tools()), ("DesignBot", []))
        from gathering.plugins import plugin_manager

        for plugin in plugin_manager.list_plugins():
            plugin_manager.enable_plugin(plugin.metadata.id)
        self.assertLessEqual({"generate_image", "edit_image"}, {tool.name for tool in agent.tools()})
        self.assertRegex(agent.execute("generate_image", prompt="A sunset over mountains"), r"^generated_.*\.png$")
        agent.revoke("ai_image_generation")
        with self.assertRaisesRegex(PermissionError, "`generate_image` requires `ai_image_generation`"):
            agent.execute("generate_image", prompt="A sunset over mountains")

    def test_a_core_plugin_of_the_documents_own_loads_as_well(self):
        from gathering.plugins.manager import get_plugin_manager

        core = self.module("core_of_the_document", block("earlier", "5. Core Plugin (Existing Tools)"))
        # What lies beside a plugin's file it may read, wherever it runs.
        text = shutil.copy(Path(__file__).parent / "documents/earlier.md", self.folder)
        manager = get_plugin_manager()
        manager.load_plugin("core", core.CorePlugin)

        self.assertEqual([tool.name for tool in tool_registry.list_all()], ["fs_read", "git_status", "llm_chat"])
        self.assertIn("word for word", tool_registry.execute("fs_read", path=str(text)))
        self.assertEqual([c.id for c in competency_registry.list_by_category("programming")], ["python", "git"])
        manager.unload_plugin("core")
        self.assertEqual(len(tool_registry), 0)


class EarlierDocumentInWorkers(Confined, EarlierDocument):
    """The same, confined."""


class EarlierStyle(Face):
    """What of that style shows only where hooks run in the thread that calls."""

    def test_hooks_packages_and_file_handlers_of_the_earlier_style(self):
        seen = []
        namespace, _ = run(block("earlier", "5. Core Plugin (Existing Tools)"))

        class Mine(namespace["CorePlugin"]):
            def register_file_handlers(self, handler_registry):
                handler_registry.register(FileHandlerDefinition("text", ["txt"], {"read": "fs_read"}))

            def on_load(self):
                seen.append("load")

            def on_unload(self):
                seen.append("unload")

        class Lacking(Mine):
            def validate_dependencies(self):
                return ["nothing>=1"]

        from gathering.plugins import plugin_manager

        with self.assertRaisesRegex(ImportError, "^Plugin 'core' missing dependencies: nothing>=1$"):
            plugin_manager.load_plugin("core", Lacking)
        plugin_manager.unregister_plugin_class("core")
        plugin_manager.load_plugin("core", Mine)

        self.assertEqual([h.name for h in file_handler_registry.list_by_extension(".txt")], ["text"])
        plugin_manager.unload_plugin("core")
        self.assertEqual((seen, file_handler_registry.list_all()), (["load", "unload"], []))
        self.assertTrue(issubclass(Mine, Plugin))


if __name__ == "__main__":
    unittest.main()
