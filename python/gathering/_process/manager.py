"""The plugin manager of this process: which plugins there are, and where each stands."""

import contextlib
import itertools
import logging
import re
import threading
from pathlib import Path

import gathering._core as _core
from gathering._collect import collect
from gathering._enums import PluginStatus
from gathering._process import discovery
from gathering._worker.loading import instantiate, metadata_of
from gathering.core.competency_registry import competency_registry as global_competencies
from gathering.core.file_handler_registry import file_handler_registry as global_file_handlers
from gathering.core.tool_registry import tool_registry as global_tools
from gathering.plugins.base import Plugin

log = logging.getLogger("gathering.plugins")
_DEPENDENCY = re.compile(r"\s*([A-Za-z][A-Za-z0-9_-]*)\s*(.*)", re.DOTALL)


class PluginManager:
    """Loads plugins into the registries of this process, enables, disables and unloads them.

    Everything of a plugin is registered at once, or nothing is. Its hooks run in the thread that calls, one operation on a
    plugin at a time. May be used from any number of threads.

    >>> from gathering.core.tool_registry import ToolRegistry
    >>> from gathering.plugins import PluginManager
    >>> tools = ToolRegistry()
    >>> manager = PluginManager(tool_registry=tools)
    >>> plugin = manager.create_dynamic_plugin(
    ...     "greeter", "Greeter", "Greets people.",
    ...     tools=[{"name": "greet", "description": "Greets.", "code": "def greet(name: str): return f'Hello, {name}!'"}],
    ... )
    >>> tools.execute("greet", name="Ada")
    'Hello, Ada!'
    >>> manager.disable_plugin("greeter")
    >>> tools.execute("greet", name="Ada")
    Traceback (most recent call last):
    RuntimeError: `greet` belongs to the plugin `greeter`, which is disabled: enable it first
    """

    def __init__(self, tool_registry=None, competency_registry=None, file_handler_registry=None):
        self.tool_registry = global_tools if tool_registry is None else tool_registry
        self.competency_registry = global_competencies if competency_registry is None else competency_registry
        self.file_handler_registry = global_file_handlers if file_handler_registry is None else file_handler_registry
        self._classes = {}
        self._loaded = {}
        self._directories = []
        self._discovered = {}
        self._lock = threading.RLock()
        self._operations = {}

    # Classes

    def register_plugin_class(self, plugin_id, plugin_class):
        """Makes a plugin known, without loading it. ValueError if the id is taken, TypeError if it is no plugin."""
        if not (isinstance(plugin_class, type) and issubclass(plugin_class, Plugin)):
            raise TypeError("plugin_class must be a subclass of Plugin")
        _core.check_plugin_id(plugin_id)
        with self._lock:
            if plugin_id in self._classes:
                raise ValueError(
                    f"Plugin class '{plugin_id}' already registered. Unregister first to replace it."
                )
            self._classes[plugin_id] = plugin_class

    def unregister_plugin_class(self, plugin_id):
        """Forgets a plugin; False if it is not known. ValueError while it is loaded."""
        with self._lock:
            if plugin_id in self._loaded:
                raise ValueError(
                    f"Cannot unregister plugin class '{plugin_id}': plugin is currently loaded. Unload it first."
                )
            self._discovered.pop(plugin_id, None)
            return self._classes.pop(plugin_id, None) is not None

    # Life

    def load_plugin(self, plugin_id, config=None, *, plugin_class=None, isolation=None, permissions=None):
        """Makes the plugin, prepares it, and registers what it contributes.

        A class in the place of `config` is registered under `plugin_id` first. With `isolation="worker"` the plugin's file
        is run in confined processes, as the server would run it: it may touch what it asks for in its metadata and
        `permissions` allow, such as `{"network": ["*.example.com:443"]}`, and its tools are stopped at their deadline.

        ValueError if it is not known, is loaded already, needs a plugin that is not loaded or does not take the configuration,
        which is checked and completed by the `config_schema` of its metadata; ImportError if a package is
        missing; else what the plugin itself raised. Nothing of it stays registered then.
        """
        if isinstance(config, type):
            config, plugin_class = None, config
        if isolation not in (None, "worker"):
            raise ValueError(f"isolation is None or 'worker', not {isolation!r}")
        if permissions is not None and isolation is None:
            raise ValueError("permissions are for plugins that are confined: add isolation='worker'")
        with self._operation(plugin_id):
            if plugin_id in self._loaded:
                raise ValueError(f"Plugin '{plugin_id}' already loaded")
            if plugin_class is not None and self._classes.get(plugin_id) is not plugin_class:
                self.register_plugin_class(plugin_id, plugin_class)
            plugin_class = self._classes.get(plugin_id)
            if plugin_class is None:
                raise ValueError(
                    f"Plugin '{plugin_id}' not registered. Register plugin class first with register_plugin_class()."
                )
            config = {} if config is None else config
            if isolation == "worker":
                from gathering._process.hosted import WorkerPlugin

                plugin = WorkerPlugin(plugin_class, config, permissions or {}, self.tool_registry._host)
            else:
                schema = metadata_of(plugin_class).config_schema
                if schema:
                    config = _core.complete_config(plugin_id, schema, config)
                plugin = instantiate(plugin_class, config)
            try:
                self._load(plugin_id, plugin)
            except BaseException:
                if isolation == "worker":
                    plugin.on_unload()
                raise

    def _load(self, plugin_id, plugin):
        metadata = plugin.metadata
        if metadata.id != plugin_id:
            raise ValueError(f"Plugin metadata ID '{metadata.id}' doesn't match registered ID '{plugin_id}'")
        for dependency in metadata.dependencies:
            self._check_dependency(plugin_id, dependency)
        # What lives in the host of the tools is registered there when it is loaded.
        lives_in = getattr(plugin, "lives_in", None)
        home = self.tool_registry._host if lives_in and lives_in(self.tool_registry._host) else None
        plugin.load()
        try:
            attached = self._register(plugin_id, plugin, metadata, home)
        except BaseException as error:
            plugin._status, plugin._error = PluginStatus.ERROR, str(error)
            try:
                plugin.unload()
            except Exception:
                log.warning("plugin '%s' could not be unloaded after it failed to load", plugin_id, exc_info=True)
            plugin._status = PluginStatus.ERROR
            raise
        plugin._status, plugin._error = PluginStatus.LOADED, None
        with self._lock:
            self._loaded[plugin_id] = _Loaded(plugin, attached, [_name(d) for d in metadata.dependencies])

    def _register(self, plugin_id, plugin, metadata, home):
        """Registers what the plugin contributes, all of it or nothing; what the host `home` has of it already is there."""
        registries = (self.tool_registry, self.competency_registry, self.file_handler_registry)
        hosts = {id(registry._host): registry._host for registry in registries}
        hosts.pop(id(home), None)
        if not hosts:
            return []
        collected = collect(plugin)
        contributions = (collected.tools, collected.competencies, collected.file_handlers)
        for definition in itertools.chain(*contributions):
            definition.plugin_id = plugin_id
        attached = []
        # Nobody is shown what the core knows before it is known which objects that is.
        with self.competency_registry._lock, self.file_handler_registry._lock:
            try:
                for host in hosts.values():
                    its = (list(c) if r._host is host else [] for c, r in zip(contributions, registries))
                    attached.append(host.attach(host is self.tool_registry._host, metadata, *its))
            except BaseException:
                for one in attached:
                    one.detach()
                raise
            for registry, definitions in list(zip(registries, contributions))[1:]:
                if registry._host is not home:
                    registry._adopt(definitions)
        return attached

    def _check_dependency(self, plugin_id, dependency):
        from gathering._requirements import matches

        name, constraint = _DEPENDENCY.match(dependency).groups() if _DEPENDENCY.match(dependency) else (dependency, "")
        loaded = self._loaded.get(name)
        if loaded is None:
            raise ValueError(
                f"Plugin '{plugin_id}' requires plugin '{name}' which is not loaded. Load '{name}' first."
            )
        version = loaded.plugin.metadata.version
        if constraint and not all(matches(version, part) for part in constraint.split(",")):
            raise ValueError(f"Plugin '{plugin_id}' requires plugin '{dependency}', and version {version} is loaded")

    def unload_plugin(self, plugin_id):
        """Removes what the plugin contributed, then lets it clean up. Calls in flight go on to their end.

        ValueError if it is not loaded, or if other plugins need it. What its own `unload` raises is raised; it is unloaded
        all the same.
        """
        with self._operation(plugin_id):
            loaded = self._get(plugin_id)
            with self._lock:
                dependents = self._dependents(plugin_id)
                if dependents:
                    raise ValueError(f"Cannot unload plugin '{plugin_id}': plugins {dependents} depend on it")
                for one in loaded.attached:
                    one.detach()
                del self._loaded[plugin_id]
            try:
                loaded.plugin.unload()
            finally:
                loaded.plugin._status = PluginStatus.UNLOADED
                self.competency_registry._prune()
                self.file_handler_registry._prune()

    def enable_plugin(self, plugin_id):
        """Offers the plugin's tools to agents, after its `on_enable`. ValueError if it is not loaded."""
        with self._operation(plugin_id):
            loaded = self._get(plugin_id)
            if loaded.plugin.status is PluginStatus.ENABLED:
                return
            with _noted(loaded.plugin):
                loaded.plugin.on_enable()
            loaded.plugin._status = PluginStatus.ENABLED
            for one in loaded.attached:
                one.enabled()

    def disable_plugin(self, plugin_id):
        """Refuses calls of the plugin's tools from now on, then runs its `on_disable`.

        ValueError if it is not loaded, or if other plugins that are enabled need it.
        """
        with self._operation(plugin_id):
            loaded = self._get(plugin_id)
            if loaded.plugin.status is PluginStatus.DISABLED:
                return
            enabled = [id for id in self._dependents(plugin_id) if self._loaded[id].plugin.status is PluginStatus.ENABLED]
            if enabled:
                raise ValueError(f"Cannot disable plugin '{plugin_id}': plugins {enabled} depend on it")
            for one in loaded.attached:
                one.disabled()
            with _noted(loaded.plugin):
                loaded.plugin.on_disable()
            loaded.plugin._status = PluginStatus.DISABLED

    # What is there

    def get_plugin(self, plugin_id):
        """The loaded plugin of this id, or None."""
        loaded = self._loaded.get(plugin_id)
        return loaded and loaded.plugin

    def has_plugin(self, plugin_id):
        """Whether a plugin of this id is loaded."""
        return plugin_id in self._loaded

    def list_plugins(self, status=None):
        """The loaded plugins, in the order in which they were loaded; with `status` only those that stand there."""
        plugins = [loaded.plugin for loaded in self._all_loaded()]
        return plugins if status is None else [plugin for plugin in plugins if plugin.status == status]

    def list_available_plugins(self):
        """The ids of all known plugins, loaded or not."""
        with self._lock:
            return list(self._classes)

    def get_plugin_info(self, plugin_id):
        """What `Plugin.get_info` says of a loaded plugin. ValueError if it is not loaded."""
        return self._get(plugin_id).plugin.get_info()

    def health_check(self, plugin_id):
        """What `Plugin.health_check` says of a loaded plugin. ValueError if it is not loaded."""
        return self._get(plugin_id).plugin.health_check()

    def health_check_all(self):
        """The health of every loaded plugin by its id. One whose check raises is `unhealthy` and spoils no other's answer."""
        healths = {}
        for plugin in self.list_plugins():
            plugin_id = plugin.metadata.id
            try:
                healths[plugin_id] = plugin.health_check()
            except Exception as error:
                healths[plugin_id] = {
                    "plugin_id": plugin_id, "status": "unhealthy", "error": f"{type(error).__name__}: {error}",
                }
        return healths

    def get_stats(self):
        """Counts of plugins and of what they contribute.

        >>> from gathering.plugins import PluginManager
        >>> PluginManager().get_stats()["plugins_by_status"]
        {'unloaded': 0, 'loaded': 0, 'enabled': 0, 'disabled': 0, 'error': 0}
        """
        with self._lock:
            plugins, available = self.list_plugins(), len(self._classes)
            ids = list(self._loaded)
        by_status = {status.value: 0 for status in PluginStatus}
        for plugin in plugins:
            by_status[PluginStatus(plugin.status).value] += 1
        by_status["unloaded"] += available - len(plugins)
        return {
            "available_plugins": available,
            "loaded_plugins": len(plugins),
            "enabled_plugins": by_status["enabled"],
            "plugins_by_status": by_status,
            "total_tools_from_plugins": sum(len(self.tool_registry.list_by_plugin(id)) for id in ids),
            "total_competencies_from_plugins": sum(len(self.competency_registry.list_by_plugin(id)) for id in ids),
        }

    # Discovery

    def add_plugin_directory(self, path):
        """Adds a folder to look for plugins in. ValueError if there is none."""
        path = discovery.checked_directory(path)
        with self._lock:
            if path not in self._directories:
                self._directories.append(path)

    def remove_plugin_directory(self, path):
        """Forgets a folder; False if it was not known. Plugins found there stay known."""
        with self._lock:
            path = Path(path).absolute()
            if path not in self._directories:
                return False
            self._directories.remove(path)
            return True

    def list_plugin_directories(self):
        """The folders that are looked through, each absolute."""
        with self._lock:
            return list(self._directories)

    def discover_plugins(self, directory=None):
        """Looks for plugins in `directory`, or in all known folders, and makes them known. Returns the paths of the new ones
        by their ids.

        Files are imported into this process to look at them. A file that is no plugin or cannot be imported is logged and
        hides no other.
        """
        found = {}
        directories = self.list_plugin_directories() if directory is None else [discovery.checked_directory(directory)]
        for path in discovery.candidates(directories):
            with self._lock:
                if path in self._discovered.values():
                    continue
            try:
                plugin_id, plugin_class = discovery.look_at(path)
                self.register_plugin_class(plugin_id, plugin_class)
            except Exception as error:
                log.warning("%s is no plugin that can be taken: %s: %s", path, type(error).__name__, error)
                continue
            with self._lock:
                self._discovered[plugin_id] = path
            found[plugin_id] = path
        return found

    def get_discovered_plugins(self):
        """The paths of all plugins that were found in folders, by their ids."""
        with self._lock:
            return dict(self._discovered)

    # Plugins that are made at run time

    def create_dynamic_plugin(
        self, plugin_id, name, description, version="1.0.0", author="GatheRing Agent", tools=None, competencies=None,
        config=None,
    ):
        """Makes a plugin of functions or of code, loads and enables it, and returns it. A failed one leaves nothing behind.

        A tool is a dictionary with `name`, and `function` or `code`; `description`, `parameters` and `returns` are taken
        from its docstring and type hints where they are left out; `category`, `required_competencies` and `examples` may be
        given. Code runs in this process with all its rights: what a model wrote belongs in the server, which confines it.
        """
        from gathering._process.dynamic import DynamicPlugin, dynamic_class

        plugin_class = dynamic_class(
            plugin_id, name, description, version, author, list(tools or ()), list(competencies or ()), config or {}
        )
        self.register_plugin_class(plugin_id, plugin_class)
        try:
            self.load_plugin(plugin_id, config)
            self.enable_plugin(plugin_id)
        except BaseException:
            if self.has_plugin(plugin_id):
                self.unload_plugin(plugin_id)
            self.unregister_plugin_class(plugin_id)
            raise
        plugin = self.get_plugin(plugin_id)
        assert isinstance(plugin, DynamicPlugin)
        return plugin

    def save_dynamic_plugin(self, plugin_id, output_path):
        """Writes a plugin that `create_dynamic_plugin` made as a plugin file, and returns its path.

        The file holds the source of the tools' functions with what they use of the modules around them. ValueError if there
        is no such plugin, or if something that a function uses cannot be written down.
        """
        from gathering._process.dynamic import DynamicPlugin
        from gathering._process.saving import save

        plugin = self.get_plugin(plugin_id)
        if plugin is None:
            raise ValueError(f"Plugin '{plugin_id}' not found")
        if not isinstance(plugin, DynamicPlugin):
            raise ValueError(f"Plugin '{plugin_id}' was not made by create_dynamic_plugin(): it has a file of its own")
        return save(plugin, Path(output_path))

    # Within

    @contextlib.contextmanager
    def _operation(self, plugin_id):
        """One operation on a plugin at a time. Within its hooks, the same thread may begin another."""
        with self._lock:
            operation = self._operations.setdefault(plugin_id, _Operation())
            operation.waiting += 1
        try:
            with operation.lock:
                yield
        finally:
            with self._lock:
                operation.waiting -= 1
                if not operation.waiting:
                    self._operations.pop(plugin_id, None)

    def _get(self, plugin_id):
        loaded = self._loaded.get(plugin_id)
        if loaded is None:
            raise ValueError(f"Plugin '{plugin_id}' is not loaded")
        return loaded

    def _all_loaded(self):
        with self._lock:
            return list(self._loaded.values())

    def _dependents(self, plugin_id):
        """The ids of the loaded plugins that need this one, or whose competencies build on one of its own."""
        own = {competency.id for competency in self.competency_registry.list_by_plugin(plugin_id)}
        builders = {
            self.competency_registry.get(dependent).plugin_id
            for id in own
            for dependent in self.competency_registry.get_dependents(id)
        }
        with self._lock:
            return [
                id for id, loaded in self._loaded.items()
                if id != plugin_id and (plugin_id in loaded.dependencies or id in builders)
            ]

    def __repr__(self):
        return f"<PluginManager: {len(self._loaded)} of {len(self._classes)} plugins loaded>"


class _Operation:
    def __init__(self):
        self.lock, self.waiting = threading.RLock(), 0


class _Loaded:
    """A loaded plugin, where it is registered, and the ids of the plugins that it needs."""

    def __init__(self, plugin, attached, dependencies):
        self.plugin, self.attached, self.dependencies = plugin, attached, dependencies


@contextlib.contextmanager
def _noted(plugin):
    """A hook that raises leaves the plugin in error, with the reason."""
    try:
        yield
    except Exception as error:
        plugin._status, plugin._error = PluginStatus.ERROR, str(error)
        raise


def _name(dependency):
    found = _DEPENDENCY.match(dependency)
    return found.group(1) if found else dependency


#: The manager of the global registries.
plugin_manager = PluginManager()
