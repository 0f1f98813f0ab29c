"""Definitions and enums: field order, defaults, both documents' spellings, and what is refused."""

import dataclasses
import unittest

from gathering.core.competency_registry import CompetencyCategory, CompetencyDefinition, CompetencyLevel
from gathering.core.file_handler_registry import FileHandlerDefinition
from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins.base import PluginMetadata, PluginStatus


def nothing():
    return None


def fields(cls):
    return {f.name: _default(f) for f in dataclasses.fields(cls)}


def _default(field):
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return "required" if field.default is dataclasses.MISSING else field.default


class Dataclasses(unittest.TestCase):
    def test_plugin_metadata_has_the_documents_fields_in_their_order(self):
        expected = {
            "id": "required", "name": "required", "version": "required", "description": "required",
            "author": "", "author_email": "", "license": "MIT", "homepage": "", "tags": [], "dependencies": [],
            "python_dependencies": [], "min_gathering_version": "0.1.0", "config_schema": {}, "permissions": {},
        }

        self.assertEqual(list(fields(PluginMetadata).items()), list(expected.items()))

    def test_tool_definition_has_the_documents_fields_in_their_order(self):
        expected = {
            "name": "required", "description": "required", "category": "required", "function": "required",
            "required_competencies": [], "parameters": {}, "returns": {}, "examples": [], "plugin_id": None,
            "async_function": False, "requires_context": False,
        }

        self.assertEqual(list(fields(ToolDefinition).items()), list(expected.items()))

    def test_competency_definition_has_the_documents_fields_in_their_order(self):
        expected = {
            "id": "required", "name": "required", "description": "required", "category": "required",
            "level": CompetencyLevel.INTERMEDIATE, "prerequisites": [], "capabilities": [], "tools_enabled": [],
            "plugin_id": None, "metadata": {},
        }

        self.assertEqual(list(fields(CompetencyDefinition).items()), list(expected.items()))

    def test_definitions_take_their_fields_by_position(self):
        tool = ToolDefinition("t", "d", "custom", nothing, ["c"], {"x": {}}, {"type": "null"}, ["e"], "p", False, True)

        self.assertEqual((tool.required_competencies, tool.plugin_id, tool.requires_context), (["c"], "p", True))

    def test_mutable_defaults_are_not_shared(self):
        PluginMetadata("a", "A", "1", "d").tags.append("x")

        self.assertEqual(PluginMetadata("a", "A", "1", "d").tags, [])

    def test_definitions_are_equal_by_value_and_can_be_changed(self):
        one, other = (CompetencyDefinition("c", "C", "d", "writing") for _ in range(2))

        self.assertEqual(one, other)
        other.level = CompetencyLevel.EXPERT
        self.assertNotEqual(one, other)

    def test_an_async_function_is_recognised_by_itself(self):
        async def wait():
            return None

        class Callable:
            async def __call__(self):
                return None

        self.assertTrue(ToolDefinition("t", "d", "custom", wait).async_function)
        self.assertTrue(ToolDefinition("t", "d", "custom", Callable()).async_function)
        self.assertTrue(ToolDefinition("t", "d", "custom", nothing, async_function=True).async_function)
        self.assertFalse(ToolDefinition("t", "d", "custom", nothing).async_function)

    def test_what_is_empty_is_refused_in_the_documents_words(self):
        cases = [
            (lambda: PluginMetadata("", "n", "1", "d"), "Plugin ID cannot be empty"),
            (lambda: PluginMetadata("i", "", "1", "d"), "Plugin name cannot be empty"),
            (lambda: PluginMetadata("i", "n", "", "d"), "Plugin version cannot be empty"),
            (lambda: ToolDefinition("", "d", "custom", nothing), "Tool name cannot be empty"),
            (lambda: ToolDefinition("t", "", "custom", nothing), "Tool description cannot be empty"),
            (lambda: ToolDefinition("t", "d", "custom", "no"), "Tool function must be callable"),
            (lambda: CompetencyDefinition("", "n", "d", "custom"), "Competency ID cannot be empty"),
            (lambda: CompetencyDefinition("c", "", "d", "custom"), "Competency name cannot be empty"),
            (lambda: CompetencyDefinition("c", "n", "", "custom"), "Competency description cannot be empty"),
            (lambda: FileHandlerDefinition("", ["a"], {"read": "r"}), "File handler name cannot be empty"),
            (lambda: FileHandlerDefinition("f", [], {"read": "r"}), "File handler 'f' needs an extension or a media type"),
            (
                lambda: FileHandlerDefinition("f", ["a"], {"open": "r"}),
                "File handler 'f' has the unknown operation 'open': "
                "expected one of read, info, preview, write, convert",
            ),
        ]
        for make, message in cases:
            with self.subTest(message), self.assertRaises(ValueError) as caught:
                make()
            self.assertEqual(str(caught.exception), message)


class OtherSpellings(unittest.TestCase):
    def test_metadata_takes_the_design_documents_names(self):
        metadata = PluginMetadata(
            id="a", name="A", version="1", description="d", author="x", requires=["Pillow>=10"], gathering_version=">=0.4"
        )

        self.assertEqual((metadata.python_dependencies, metadata.min_gathering_version), (["Pillow>=10"], ">=0.4"))
        self.assertEqual((metadata.requires, metadata.gathering_version), (["Pillow>=10"], ">=0.4"))

    def test_a_competency_takes_the_design_documents_names(self):
        competency = CompetencyDefinition(
            id="b", name="B", description="d", category="design",
            related_tools=["t"], skill_level_required="beginner", parent_competency="a",
        )

        self.assertEqual(
            (competency.tools_enabled, competency.level, competency.prerequisites), (["t"], CompetencyLevel.NOVICE, ["a"])
        )
        self.assertEqual(
            (competency.related_tools, competency.skill_level_required, competency.parent_competency),
            (["t"], CompetencyLevel.NOVICE, "a"),
        )

    def test_extensions_are_kept_without_their_dot(self):
        self.assertEqual(FileHandlerDefinition("f", [".csv", "tsv"], {"read": "r"}).extensions, ["csv", "tsv"])


class Enums(unittest.TestCase):
    def test_members_equal_and_hash_like_their_value(self):
        for member, value in [
            (ToolCategory.FILE_SYSTEM, "filesystem"),
            (CompetencyCategory.THREE_D_MODELING, "three_d_modeling"),
            (CompetencyLevel.EXPERT, "expert"),
            (PluginStatus.ERROR, "error"),
        ]:
            self.assertEqual(member, value)
            self.assertEqual({member: 1}[value], 1)

    def test_values_are_the_lower_case_names_but_for_the_file_system(self):
        for enum in (ToolCategory, CompetencyCategory, CompetencyLevel, PluginStatus):
            for member in enum:
                expected = "filesystem" if member.name == "FILE_SYSTEM" else member.name.lower()
                self.assertEqual(member.value, expected)
        self.assertEqual((len(ToolCategory), len(CompetencyCategory), len(PluginStatus)), (20, 39, 5))

    def test_levels_are_ordered(self):
        levels = [CompetencyLevel.EXPERT, CompetencyLevel.NOVICE, CompetencyLevel.ADVANCED, CompetencyLevel.INTERMEDIATE]

        self.assertEqual([level.value for level in sorted(levels)], ["novice", "intermediate", "advanced", "expert"])
        self.assertTrue(CompetencyLevel.NOVICE < CompetencyLevel.EXPERT <= CompetencyLevel.EXPERT)
        self.assertIs(CompetencyLevel("beginner"), CompetencyLevel.NOVICE)

    def test_a_known_word_becomes_its_member_and_another_is_kept(self):
        self.assertIs(ToolDefinition("t", "d", "filesystem", nothing).category, ToolCategory.FILE_SYSTEM)
        self.assertEqual(ToolDefinition("t", "d", "robotics", nothing).category, "robotics")
        self.assertEqual(CompetencyDefinition("c", "n", "d", "engineering").category, "engineering")


if __name__ == "__main__":
    unittest.main()
