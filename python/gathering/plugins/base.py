"""The base class of plugins and what a plugin says of itself."""

from abc import ABC, abstractmethod
from dataclasses import InitVar, dataclass, field
from typing import Any, Dict, List, Optional

from gathering._definitions import CompetencyDefinition, ToolDefinition
from gathering._enums import PluginStatus

__all__ = ["Plugin", "PluginMetadata", "PluginStatus"]


@dataclass
class PluginMetadata:
    """What a plugin says of itself.

    `requires` and `gathering_version` are the design document's spellings of `python_dependencies` and
    `min_gathering_version`.
    """

    id: str
    name: str
    version: str
    description: str
    author: str = ""
    author_email: str = ""
    license: str = "MIT"
    homepage: str = ""
    tags: List[str] = field(default_factory=list)
    dependencies: List[str] = field(default_factory=list)
    python_dependencies: List[str] = field(default_factory=list)
    min_gathering_version: str = "0.1.0"
    config_schema: Dict[str, Any] = field(default_factory=dict)
    permissions: Dict[str, Any] = field(default_factory=dict)
    requires: InitVar[Optional[List[str]]] = field(default=None, kw_only=True)
    gathering_version: InitVar[Optional[str]] = field(default=None, kw_only=True)

    def __post_init__(self, requires, gathering_version):
        if not self.id:
            raise ValueError("Plugin ID cannot be empty")
        if not self.name:
            raise ValueError("Plugin name cannot be empty")
        if not self.version:
            raise ValueError("Plugin version cannot be empty")
        if requires:
            self.python_dependencies = [*self.python_dependencies, *requires]
        if gathering_version:
            self.min_gathering_version = gathering_version


# Set after the decorator has read the defaults, so that the design document's names can be read as well as given.
PluginMetadata.requires = property(lambda self: self.python_dependencies)
PluginMetadata.gathering_version = property(lambda self: self.min_gathering_version)


class Plugin(ABC):
    """What every plugin inherits from. Only `metadata` has to be defined."""

    def __init__(self, config: Optional[Dict[str, Any]] = None):
        self._config = config if config is not None else {}
        self._status = PluginStatus.UNLOADED
        self._error: Optional[str] = None

    @property
    @abstractmethod
    def metadata(self) -> PluginMetadata:
        """What the plugin says of itself."""

    @property
    def status(self) -> PluginStatus:
        return self._status

    @property
    def error(self) -> Optional[str]:
        return self._error

    @property
    def config(self) -> Dict[str, Any]:
        return self._config

    def load(self) -> None:
        """Prepares the plugin, after its packages were found to be there."""
        try:
            missing = self.validate_dependencies()
            if missing:
                raise ImportError(f"Plugin '{self.metadata.id}' missing dependencies: {', '.join(missing)}")
            self.on_load()
        except Exception as error:
            self._status = PluginStatus.ERROR
            self._error = str(error)
            raise
        self._status = PluginStatus.LOADED

    def unload(self) -> None:
        """Cleans up."""
        self.on_disable()
        self.on_unload()
        self._status = PluginStatus.UNLOADED

    def on_load(self) -> None:
        """Called while the plugin is loaded."""

    def on_unload(self) -> None:
        """Called while the plugin is unloaded."""

    def validate_dependencies(self) -> Any:
        """Checks that the packages of `python_dependencies` are installed in the versions asked for."""
        metadata = self.metadata
        if not metadata.python_dependencies:
            return
        from gathering._requirements import is_satisfied

        for requirement in metadata.python_dependencies:
            if not is_satisfied(requirement):
                raise ImportError(
                    f"Plugin '{metadata.id}' requires Python package '{requirement}'. "
                    f"Install with: pip install {requirement}"
                )

    def register_tools(self) -> List[ToolDefinition]:
        """The plugin's tools."""
        return []

    def register_competencies(self) -> List[CompetencyDefinition]:
        """The plugin's competencies."""
        return []

    def register_file_handlers(self, handler_registry) -> None:
        """Registers the plugin's file handlers in `handler_registry`."""

    def on_enable(self) -> None:
        """Called before the plugin is offered to agents."""

    def on_disable(self) -> None:
        """Called when it is no longer offered."""

    def health_check(self) -> Dict[str, Any]:
        """How the plugin feels: `status` is `healthy`, `degraded`, `unhealthy` or the plugin's own status."""
        return {"plugin_id": self.metadata.id, "status": self._status.value, "error": self._error}

    def get_info(self) -> Dict[str, Any]:
        """What people are shown of the plugin."""
        from gathering._collect import collect

        metadata = self.metadata
        collected = collect(self)
        return {
            "id": metadata.id,
            "name": metadata.name,
            "version": metadata.version,
            "description": metadata.description,
            "author": metadata.author,
            "license": metadata.license,
            "homepage": metadata.homepage,
            "tags": metadata.tags,
            "status": self._status.value,
            "error": self._error,
            "tools_count": len(collected.tools),
            "competencies_count": len(collected.competencies),
        }

    def __repr__(self) -> str:
        metadata = self.metadata
        return f"<Plugin {metadata.id} v{metadata.version} status={self._status.value}>"
