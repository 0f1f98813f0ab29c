"""GatheRing: tools, competencies and file handlers for AI agents."""

__version__ = "0.5.0"
