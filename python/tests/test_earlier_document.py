"""The Python of the earlier document that a user writes, run as it is written there."""

import base64
import io
import sys
import types
import unittest.mock
import uuid

from documents import block
from process import InProcess
from test_later_document import run

from gathering.core.competency_registry import competency_registry
from gathering.core.file_handler_registry import FileHandlerDefinition, file_handler_registry
from gathering.core.tool_registry import ToolCategory, tool_registry
from gathering.plugins import Plugin

#: The agents of the last lines come with `gathering.agents`.
WITHOUT_AGENTS = "# Create agent with design skills"


class Picture:
    """Stands for Pillow's `Image`: the document's plugin is run, not the library."""

    saved = []

    @staticmethod
    def open(source):
        assert isinstance(source, (str, io.BytesIO))
        return Picture()

    def resize(self, size):
        return self

    def save(self, path):
        self.saved.append(path)


class EarlierDocument(InProcess):
    def setUp(self):
        super().setUp()
        self.enterContext(unittest.mock.patch("gathering._requirements.is_satisfied", lambda requirement: True))
        # The block uses `base64` and `uuid` and does not import them.
        design = types.ModuleType("gathering.plugins.design")
        vars(design).update(base64=base64, uuid=uuid)
        exec(compile(block("earlier", "Design Plugin"), "<document>", "exec"), vars(design))
        requests, pil = types.ModuleType("requests"), types.ModuleType("PIL")
        answer = {"artifacts": [{"base64": base64.b64encode(b"png").decode()}]}
        requests.post = lambda url, headers, json: types.SimpleNamespace(json=lambda: answer)
        pil.Image = Picture
        modules = {"gathering.plugins.design": design, "requests": requests, "PIL": pil}
        self.enterContext(unittest.mock.patch.dict(sys.modules, modules))

    def test_plugins_are_loaded_by_class_and_their_tools_used(self):
        _, printed = run(block("earlier", "Charger les plugins"))
        self.assertIn("Plugin: Core GatheRing Tools v", printed)
        self.assertIn("Plugin: Design Tools v1.0.0\n", printed)

        _, printed = run(block("earlier", "Utiliser les tools"), {"ToolCategory": ToolCategory})

        self.assertIn("- generate_image: Generate image using Stable Diffusion\n", printed)
        self.assertIn("- generate_image\n- edit_image\nGenerated: generated_", printed)
        self.assertEqual(len(Picture.saved), 1)

    def test_competencies_of_a_category_that_no_list_has_are_found_by_it(self):
        run(block("earlier", "Charger les plugins"))
        code = block("earlier", "Créer un agent avec nouvelles compétences").partition(WITHOUT_AGENTS)[0]

        namespace, _ = run(code)

        self.assertEqual([c.id for c in namespace["design_comps"]], ["ai_image_generation", "image_editing"])
        self.assertEqual(namespace["design_comps"][0].related_tools, ["generate_image"])

    def test_a_core_plugin_of_the_documents_own_loads_as_well(self):
        from gathering.plugins.manager import get_plugin_manager

        namespace, _ = run(block("earlier", "5. Core Plugin (Existing Tools)"))
        manager = get_plugin_manager()
        manager.load_plugin("core", namespace["CorePlugin"])

        self.assertEqual([tool.name for tool in tool_registry.list_all()], ["fs_read", "git_status", "llm_chat"])
        self.assertIn("word for word", tool_registry.execute("fs_read", path=__file__.replace("test_earlier_document.py", "documents/earlier.md")))
        self.assertEqual([c.id for c in competency_registry.list_by_category("programming")], ["python", "git"])
        manager.unload_plugin("core")
        self.assertEqual(len(tool_registry), 0)

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
