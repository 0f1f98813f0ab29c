"""The competency registry of this process: competencies, what they build on, and what builds on them."""

from gathering._definitions import CompetencyDefinition
from gathering._enums import CompetencyCategory, CompetencyLevel, known
from gathering._process.registry import HostRegistry


class CompetencyRegistry(HostRegistry):
    """Competencies by id, in the order of registration. May be used from any number of threads.

    >>> from gathering.core.competency_registry import CompetencyDefinition, CompetencyRegistry
    >>> registry = CompetencyRegistry()
    >>> for id, prerequisites in [("python", []), ("pandas", ["python"]), ("forecasting", ["pandas"])]:
    ...     registry.register(CompetencyDefinition(id, id.title(), f"Knows {id}.", "programming", prerequisites=prerequisites))
    >>> registry.get_learning_path("forecasting")
    ['python', 'pandas', 'forecasting']
    >>> registry.validate_agent_competencies(["forecasting"], ["python"])
    True
    """

    _name_field = "id"

    def _names(self, by=None, key=""):
        return self._host.competencies(by, key)

    def _data(self, id):
        return self._host.competency(id)

    def _made(self, data):
        fields = (name for name in CompetencyDefinition.__dataclass_fields__ if data.get(name) is not None)
        return CompetencyDefinition(**{name: data[name] for name in fields})

    def _add(self, competencies):
        self._host.register_competencies(competencies)

    @property
    def _prerequisite_graph(self):
        """The prerequisites of each competency that has some."""
        prerequisites = {id: set(self._host.prerequisites(id)) for id in self._names()}
        return {id: ids for id, ids in prerequisites.items() if ids}

    def unregister(self, id):
        """Removes a competency; False if there is none. ValueError if another one builds on it."""
        with self._lock:
            removed = self._host.unregister_competency(id)
            self._objects.pop(id, None)
            return removed

    def clear(self):
        """Removes every competency."""
        with self._lock:
            self._host.clear_competencies()
            self._objects = {}

    def list_by_category(self, category):
        """Those of a category, in the order of registration."""
        return self._list("category", category)

    def list_by_level(self, level):
        """Those of a level, in the order of registration."""
        return self._list("level", known(CompetencyLevel, level))

    def get_prerequisites(self, id):
        """What the competency builds on directly; [] if it is unknown."""
        return self._host.prerequisites(id)

    def get_all_prerequisites(self, id):
        """Everything that it builds on, directly or through others, without itself; empty if it is unknown."""
        return set(self._host.all_prerequisites(id))

    def get_dependents(self, id):
        """The ids of those that build on it directly, in the order of registration."""
        return self._host.dependents(id)

    def validate_agent_competencies(self, agent_competencies, required):
        """Whether whoever holds `agent_competencies` holds all of `required`, by themselves or through one that builds on
        them. A required competency that nobody registered is not held. Either may name a level, as `id:level`."""
        return self._host.holds(list(agent_competencies), list(required))

    def get_learning_path(self, id):
        """What to learn, prerequisites first, ending with the competency itself; [] if it is unknown."""
        return self._host.learning_path(id)

    def get_categories(self):
        """The categories that some competency has, in the order in which they came."""
        return [known(CompetencyCategory, category) for category in self._counts("category")]

    def get_levels(self):
        """The levels that some competency has, in the order in which they came."""
        return [known(CompetencyLevel, level) for level in self._counts("level")]

    def get_stats(self):
        """Counts of what is registered.

        >>> from gathering.core.competency_registry import CompetencyRegistry
        >>> CompetencyRegistry().get_stats()["total_competencies"]
        0
        """
        categories, levels = self._counts("category"), self._counts("level")
        return {
            "total_competencies": len(self),
            "categories": len(categories),
            "levels": len(levels),
            "competencies_by_category": categories,
            "competencies_by_level": levels,
            "plugins": len({c.plugin_id for c in self.list_all() if c.plugin_id}),
        }

    def _counts(self, field):
        counts = {}
        for competency in self.list_all():
            word = getattr(competency, field)
            word = getattr(word, "value", word)
            counts[word] = counts.get(word, 0) + 1
        return counts

    def __repr__(self):
        return f"<CompetencyRegistry of {len(self)} competenc{'y' if len(self) == 1 else 'ies'}>"
