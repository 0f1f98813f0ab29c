"""Plugins: packages that contribute tools, competencies and file handlers."""

from gathering.plugins.base import Plugin, PluginMetadata, PluginStatus

__all__ = ["Plugin", "PluginMetadata", "PluginStatus"]
