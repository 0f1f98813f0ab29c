"""How hard a text is to read, by the Flesch formula, with syllables from the PyPI package `pyphen`."""

import re

from gathering.core.competency_registry import CompetencyDefinition, CompetencyLevel
from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins import Plugin, PluginMetadata

SENTENCE_END = re.compile(r"[.!?]+(?:\s|$)")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class TextMetricsPlugin(Plugin):
    """Keeps its dictionaries, so that only the first call in a language reads one."""

    def __init__(self, config=None):
        super().__init__(config)
        self._dictionaries = {}

    @property
    def metadata(self):
        return PluginMetadata(
            id="text_metrics",
            name="Text metrics",
            version="1.0.0",
            description="Counts words and syllables and tells how hard a text is to read",
            tags=["text", "readability"],
            python_dependencies=["pyphen>=0.14"],
            config_schema={
                "type": "object",
                "properties": {
                    "language": {"type": "string", "default": "en_US", "description": "When a call names none"},
                },
                "additionalProperties": False,
            },
        )

    def register_tools(self):
        return [
            ToolDefinition(
                name="reading_ease",
                description="Flesch reading ease of a text: 100 is very easy, 0 very hard",
                category=ToolCategory.DATA_ANALYSIS,
                function=self.reading_ease,
                parameters={
                    "type": "object",
                    "properties": {
                        "text": {"type": "string", "minLength": 1, "maxLength": 1_000_000},
                        "language": {"type": "string", "description": "Such as en_US or de_DE"},
                    },
                    "required": ["text"],
                    "additionalProperties": False,
                },
                returns={
                    "type": "object",
                    "properties": {
                        "words": {"type": "integer"},
                        "sentences": {"type": "integer"},
                        "syllables": {"type": "integer"},
                        "reading_ease": {"type": "number"},
                    },
                    "required": ["words", "sentences", "syllables", "reading_ease"],
                },
                examples=[{"text": "The cat sat on the mat."}],
            )
        ]

    def register_competencies(self):
        return [
            CompetencyDefinition(
                id="readability",
                name="Readability",
                description="Judges and improves how easily a text is read",
                category="writing",
                level=CompetencyLevel.NOVICE,
                tools_enabled=["reading_ease"],
            )
        ]

    def health_check(self):
        return {"plugin_id": "text_metrics", "status": "healthy", "details": {"languages": sorted(self._dictionaries)}}

    def reading_ease(self, text, language=None):
        """R. Flesch, "A new readability yardstick", 1948."""
        words = WORD.findall(text)
        if not words:
            raise ValueError("the text has no word in it")
        sentences = max(1, len(SENTENCE_END.findall(text)))
        dictionary = self._dictionary(language or self.config.get("language", "en_US"))
        syllables = sum(len(dictionary.positions(word.lower())) + 1 for word in words)
        ease = 206.835 - 1.015 * len(words) / sentences - 84.6 * syllables / len(words)
        return {
            "words": len(words),
            "sentences": sentences,
            "syllables": syllables,
            "reading_ease": round(ease, 1),
        }

    def _dictionary(self, language):
        if language not in self._dictionaries:
            import pyphen

            if language not in pyphen.LANGUAGES:
                raise ValueError(f"there is no dictionary for `{language}`, but for {', '.join(sorted(pyphen.LANGUAGES))}")
            self._dictionaries[language] = pyphen.Pyphen(lang=language)
        return self._dictionaries[language]
