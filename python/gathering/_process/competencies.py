"""The competency registry of this process: competencies, what they build on, and what builds on them."""

import threading

from gathering import _registries
from gathering._enums import CompetencyCategory, CompetencyLevel, known


class CompetencyRegistry(_registries.CompetencyRegistry):
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

    def __init__(self):
        super().__init__()
        #: The prerequisites of each competency that has some.
        self._prerequisite_graph = {}
        self._lock = threading.RLock()

    def register(self, competency):
        """Registers a competency. ValueError if its id is taken or a prerequisite is not registered."""
        self._register_all([competency])

    def _register_all(self, competencies):
        """Registers all of them, which may build on each other in any order, or none."""
        with self._lock:
            added = {}
            for competency in competencies:
                if competency.id in self._definitions or competency.id in added:
                    raise ValueError(
                        f"Competency '{competency.id}' already registered. Use unregister() first to replace it."
                    )
                added[competency.id] = competency
            for competency in competencies:
                for prerequisite in competency.prerequisites:
                    if prerequisite not in self._definitions and (prerequisite not in added or len(added) == 1):
                        raise ValueError(
                            f"Prerequisite '{prerequisite}' for competency '{competency.id}' is not registered. "
                            "Register prerequisites first."
                        )
            _refuse_circles(added)
            graph = {id: set(c.prerequisites) for id, c in added.items() if c.prerequisites}
            # Readers hold no lock: what they look into is replaced, not changed.
            self._prerequisite_graph = {**self._prerequisite_graph, **graph}
            self._definitions = {**self._definitions, **added}

    def unregister(self, id):
        """Removes a competency; False if there is none. ValueError if another one builds on it."""
        with self._lock:
            if id not in self._definitions:
                return False
            dependents = self.get_dependents(id)
            if dependents:
                raise ValueError(f"Cannot unregister '{id}': competencies {dependents} depend on it")
            self._remove({id})
            return True

    def _unregister_plugin(self, plugin_id):
        with self._lock:
            self._remove({competency.id for competency in self.list_by_plugin(plugin_id)})

    def _remove(self, ids):
        self._prerequisite_graph = {id: p for id, p in self._prerequisite_graph.items() if id not in ids}
        self._definitions = {id: c for id, c in self._definitions.items() if id not in ids}

    def clear(self):
        """Removes every competency."""
        with self._lock:
            self._prerequisite_graph, self._definitions = {}, {}

    def get_prerequisites(self, id):
        """What the competency builds on directly; [] if it is unknown."""
        competency = self._definitions.get(id)
        return list(competency.prerequisites) if competency else []

    def get_all_prerequisites(self, id):
        """Everything that it builds on, directly or through others, without itself; empty if it is unknown."""
        graph, found, left = self._prerequisite_graph, set(), [id]
        while left:
            for prerequisite in graph.get(left.pop(), ()):
                if prerequisite not in found:
                    found.add(prerequisite)
                    left.append(prerequisite)
        found.discard(id)
        return found

    def get_dependents(self, id):
        """The ids of those that build on it directly, in the order of registration."""
        graph = self._prerequisite_graph
        return [dependent for dependent in self._definitions if id in graph.get(dependent, ())]

    def validate_agent_competencies(self, agent_competencies, required):
        """Whether whoever holds `agent_competencies` holds all of `required`, by themselves or through one that builds on
        them. A required competency that nobody registered is not held."""
        held = set(agent_competencies)
        reached = held.union(*(self.get_all_prerequisites(id) for id in held))
        return all(id in self._definitions and id in reached for id in required)

    def get_learning_path(self, id):
        """What to learn, prerequisites first, ending with the competency itself; [] if it is unknown."""
        definitions = self._definitions
        if id not in definitions:
            return []
        path, seen, left = [], {id}, [(id, iter(definitions[id].prerequisites))]
        while left:
            current, rest = left[-1]
            for prerequisite in rest:
                if prerequisite not in seen and prerequisite in definitions:
                    seen.add(prerequisite)
                    left.append((prerequisite, iter(definitions[prerequisite].prerequisites)))
                    break
            else:
                path.append(current)
                left.pop()
        return path

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
            "total_competencies": len(self._definitions),
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

    def __len__(self):
        return len(self._definitions)

    def __iter__(self):
        return iter(self.list_all())

    def __contains__(self, id):
        return id in self._definitions

    def __repr__(self):
        return f"<CompetencyRegistry of {len(self)} competenc{'y' if len(self) == 1 else 'ies'}>"


def _refuse_circles(added):
    """No competency may build on itself. Those registered before cannot build on new ones, so only these are looked at."""
    ready, left = set(), dict(added)
    while left:
        free = [id for id, c in left.items() if all(p not in added or p in ready for p in c.prerequisites)]
        if not free:
            names = ", ".join(f"'{id}'" for id in left)
            raise ValueError(f"The prerequisites of {names} lead back to themselves")
        ready.update(free)
        for id in free:
            del left[id]
