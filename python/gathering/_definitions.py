"""What a plugin contributes, as data: tools, competencies and file handlers."""

import inspect
from dataclasses import InitVar, dataclass, field
from typing import Any, Callable, Dict, List, Optional, Union

from gathering._enums import CompetencyCategory, CompetencyLevel, ToolCategory, known


@dataclass
class ToolDefinition:
    """A named, described, schema-checked function that agents can call."""

    name: str
    description: str
    category: Union[ToolCategory, str]
    function: Callable[..., Any]
    required_competencies: List[str] = field(default_factory=list)
    parameters: Dict[str, Any] = field(default_factory=dict)
    returns: Dict[str, Any] = field(default_factory=dict)
    examples: List[Any] = field(default_factory=list)
    plugin_id: Optional[str] = None
    async_function: bool = False
    requires_context: bool = False

    def __post_init__(self):
        if not self.name:
            raise ValueError("Tool name cannot be empty")
        if not self.description:
            raise ValueError("Tool description cannot be empty")
        if not callable(self.function):
            raise ValueError("Tool function must be callable")
        self.category = known(ToolCategory, self.category)
        self.async_function = bool(self.async_function) or is_async(self.function)


def is_async(function):
    """Whether calling `function` gives something to await. `async_function=True` need not be said."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(type(function), "__call__", None)
    )


@dataclass
class CompetencyDefinition:
    """A skill that an agent can hold and that tools can require.

    `related_tools`, `skill_level_required` and `parent_competency` are the design document's spellings of
    `tools_enabled`, `level` and one of the `prerequisites`.
    """

    id: str
    name: str
    description: str
    category: Union[CompetencyCategory, str]
    level: Union[CompetencyLevel, str] = CompetencyLevel.INTERMEDIATE
    prerequisites: List[str] = field(default_factory=list)
    capabilities: List[str] = field(default_factory=list)
    tools_enabled: List[str] = field(default_factory=list)
    plugin_id: Optional[str] = None
    metadata: Dict[str, Any] = field(default_factory=dict)
    related_tools: InitVar[Optional[List[str]]] = field(default=None, kw_only=True)
    skill_level_required: InitVar[Optional[str]] = field(default=None, kw_only=True)
    parent_competency: InitVar[Optional[str]] = field(default=None, kw_only=True)

    def __post_init__(self, related_tools, skill_level_required, parent_competency):
        if not self.id:
            raise ValueError("Competency ID cannot be empty")
        if not self.name:
            raise ValueError("Competency name cannot be empty")
        if not self.description:
            raise ValueError("Competency description cannot be empty")
        if related_tools:
            self.tools_enabled = [*self.tools_enabled, *related_tools]
        if skill_level_required:
            self.level = skill_level_required
        if parent_competency and parent_competency not in self.prerequisites:
            self.prerequisites = [parent_competency, *self.prerequisites]
        self.category = known(CompetencyCategory, self.category)
        self.level = known(CompetencyLevel, self.level)


# Set after the decorator has read the defaults, so that the design document's names can be read as well as given.
CompetencyDefinition.related_tools = property(lambda self: self.tools_enabled)
CompetencyDefinition.skill_level_required = property(lambda self: self.level)
CompetencyDefinition.parent_competency = property(
    lambda self: self.prerequisites[0] if self.prerequisites else None
)


@dataclass
class FileHandlerDefinition:
    """What knows a file format: its extensions and media types, and which tool does what to such a file.

    `tools` maps an operation (`read`, `info`, `preview`, `write`, `convert`) to the name of a tool.
    """

    name: str
    extensions: List[str]
    tools: Dict[str, str]
    media_types: List[str] = field(default_factory=list)
    description: str = ""
    plugin_id: Optional[str] = None

    OPERATIONS = ("read", "info", "preview", "write", "convert")

    def __post_init__(self):
        if not self.name:
            raise ValueError("File handler name cannot be empty")
        if not self.extensions and not self.media_types:
            raise ValueError(f"File handler '{self.name}' needs an extension or a media type")
        if not self.tools:
            raise ValueError(f"File handler '{self.name}' needs a tool, such as tools={{'read': 'read_csv'}}")
        for operation in self.tools:
            if operation not in self.OPERATIONS:
                raise ValueError(
                    f"File handler '{self.name}' has the unknown operation '{operation}': "
                    f"expected one of {', '.join(self.OPERATIONS)}"
                )
        self.extensions = [extension.lstrip(".") for extension in self.extensions]
