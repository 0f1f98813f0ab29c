"""Registries whose definitions are data to the Rust core: it knows what there is, and here are the objects that people hold."""

import threading

import gathering._core as _core


class HostRegistry:
    """Definitions by name, in the order of registration. May be used from any number of threads."""

    _name_field = "name"

    def __init__(self, host=None):
        self._host = _core.Host() if host is None else host
        self._objects = {}
        self._lock = threading.RLock()

    def _names(self, by=None, key=""):
        raise NotImplementedError

    def _data(self, name):
        raise NotImplementedError

    def _made(self, data):
        raise NotImplementedError

    def _add(self, definitions):
        raise NotImplementedError

    def register(self, definition):
        """Registers a definition. ValueError if its name is taken or it says something that cannot be."""
        with self._lock:
            self._add([definition])
            self._adopt([definition])

    def _adopt(self, definitions):
        """These are the objects of what the core has just registered; the caller holds the lock."""
        self._objects.update((getattr(definition, self._name_field), definition) for definition in definitions)

    def _prune(self):
        """Lets go of the objects of what is not registered any more."""
        with self._lock:
            names = set(self._names())
            self._objects = {name: held for name, held in self._objects.items() if name in names}

    def get(self, name):
        """The definition of this name, or None."""
        return self._object(name) if self.has(name) else None

    def has(self, name):
        """Whether there is a definition of this name."""
        return self._data(name) is not None

    def list_all(self):
        """All of them, in the order of registration."""
        return self._list()

    def list_by_plugin(self, plugin_id):
        """Those of a plugin, in the order of registration."""
        return self._list("plugin", plugin_id)

    def _list(self, by=None, key=""):
        found = (self._object(name) for name in self._names(by, getattr(key, "value", key)))
        return [definition for definition in found if definition is not None]

    def _object(self, name):
        found = self._objects.get(name)
        if found is None:
            with self._lock:
                found = self._objects.get(name)
                data = self._data(name) if found is None else None
                if data is not None:
                    found = self._objects[name] = self._made(data)
        return found

    def __len__(self):
        return len(self._names())

    def __iter__(self):
        return iter(self.list_all())

    def __contains__(self, name):
        return self.has(name)
