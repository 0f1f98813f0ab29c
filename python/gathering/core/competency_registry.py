"""Competencies: their definition, their categories and levels, and the registry."""

from gathering._definitions import CompetencyDefinition
from gathering._enums import CompetencyCategory, CompetencyLevel
from gathering._face import CompetencyRegistry, competency_registry

__all__ = [
    "CompetencyCategory",
    "CompetencyDefinition",
    "CompetencyLevel",
    "CompetencyRegistry",
    "competency_registry",
    "get_competency",
    "register_competency",
    "validate_competencies",
]


def register_competency(competency):
    """Registers `competency` in the global registry."""
    competency_registry.register(competency)


def get_competency(id):
    """The competency called `id` in the global registry, or None."""
    return competency_registry.get(id)


def validate_competencies(agent_competencies, required):
    """Whether whoever holds `agent_competencies` holds all of `required`, as the global registry knows them."""
    return competency_registry.validate_agent_competencies(agent_competencies, required)
