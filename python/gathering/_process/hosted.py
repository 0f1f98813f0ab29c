"""Plugins that do not run in this interpreter: built in, in Rust, or a file in confined workers."""

import functools
import os
import sys

import gathering._core as _core
from gathering._definitions import CompetencyDefinition, FileHandlerDefinition, ToolDefinition
from gathering.plugins.base import Plugin, PluginMetadata


class HostedPlugin(Plugin):
    """A plugin that the Rust core runs. Its tools can be called once it is loaded.

    A manager lets it live in the host of its registries, where what it contributes is registered by being loaded. Loaded by
    itself, or with registering methods of its own, it has a host of its own, and its tools are functions that call there.
    """

    def __init__(self, config=None):
        super().__init__(config)
        self._hosted = self._host = None

    def lives_in(self, host):
        """Lets it live in `host` from now on; False if that cannot be, since it says other things than the core knows."""
        raise NotImplementedError

    def _manifest(self):
        raise NotImplementedError

    def _start(self):
        raise NotImplementedError

    @property
    def metadata(self):
        return PluginMetadata(**_known(PluginMetadata, self._manifest()["metadata"]))

    def on_load(self):
        self._hosted = self._start()

    def on_unload(self):
        hosted, self._hosted = self._hosted, None
        if hosted is not None:
            hosted.close()

    def on_enable(self):
        self._running().enable()

    def on_disable(self):
        if self._hosted is not None:
            self._hosted.disable()

    def validate_dependencies(self):
        """What runs the plugin has its packages installed apart from those of this process."""

    def register_tools(self):
        # A handler of this process is asynchronous or not; what is called here waits for Rust, whatever the tool is.
        return [
            ToolDefinition(
                function=functools.partial(_call, self, tool["name"]),
                **{**_known(ToolDefinition, tool), "async_function": False, "requires_context": False},
            )
            for tool in self._manifest()["tools"]
        ]

    def register_competencies(self):
        return [
            CompetencyDefinition(**_known(CompetencyDefinition, competency))
            for competency in self._manifest()["competencies"]
        ]

    def register_file_handlers(self, handler_registry):
        for handler in self._manifest()["file_handlers"]:
            handler_registry.register(FileHandlerDefinition(**_known(FileHandlerDefinition, handler)))

    def health_check(self):
        if self._hosted is None:
            return super().health_check()
        return self._hosted.health()

    def _running(self):
        if self._hosted is None:
            raise RuntimeError(f"Plugin '{self.metadata.id}' is not loaded: load it first")
        return self._hosted


class BuiltinPlugin(HostedPlugin):
    """A plugin that is part of GatheRing. `plugin_id` says which."""

    plugin_id = ""
    #: Competencies whose tools belong to the server: they manage its plugins, and this process has a manager of its own.
    of_the_server = ("plugin_authoring",)

    def lives_in(self, host):
        says = ("metadata", "register_tools", "register_competencies", "register_file_handlers")
        if any(getattr(type(self), name) is not getattr(BuiltinPlugin, name) for name in says):
            return False
        self._host = host
        return True

    def _manifest(self):
        return _builtin_manifest(self.plugin_id)

    def _start(self):
        return _core.HostedPlugin.builtin(
            self._host, self.plugin_id, self.config, self.of_the_server, launcher(), sys.executable, data_dir()
        )

    def register_tools(self):
        return [
            tool for tool in super().register_tools() if not set(tool.required_competencies) & set(self.of_the_server)
        ]

    def register_competencies(self):
        return [
            competency for competency in super().register_competencies() if competency.id not in self.of_the_server
        ]


class WorkerPlugin(HostedPlugin):
    """The plugin of a file, in confined workers."""

    def __init__(self, plugin_class, config, permissions, host):
        super().__init__(config)
        self._host = host
        # What it says of itself is known when it runs.
        self._hosted = _core.HostedPlugin.file(
            host, _file_of(plugin_class), config, permissions, launcher(), sys.executable, data_dir()
        )
        self._said = self._hosted.manifest()

    def lives_in(self, host):
        return self._host is host

    def _manifest(self):
        return self._said

    def _start(self):
        return self._hosted


def definition(registry, data):
    """The definition of a tool that a host runs, made of what it says."""
    function = functools.partial(registry.execute, data["name"])
    return ToolDefinition(**{**_known(ToolDefinition, data), "async_function": False, "requires_context": False}, function=function)


@functools.lru_cache(maxsize=None)
def _builtin_manifest(plugin_id):
    return _core.builtin_manifest(plugin_id)


def _call(plugin, tool_name, /, **arguments):
    return plugin._running().call(tool_name, arguments)


def _known(cls, data):
    """What of `data` the dataclass takes; the rest is for others to read."""
    return {name: value for name, value in data.items() if name in cls.__dataclass_fields__ and value is not None}


def _file_of(plugin_class):
    """The plugin file or package that a class comes from."""
    module = sys.modules.get(plugin_class.__module__)
    file = getattr(module, "__file__", None)
    if file is None or plugin_class.__module__ == "__main__":
        raise ValueError(
            f"{plugin_class.__name__} has no file of its own to run in a worker: put it into one, and discover it"
        )
    return os.path.dirname(file) if os.path.basename(file) == "__init__.py" else os.path.abspath(file)


def launcher():
    """The program `gathering`, which applies the confinement; None if there is none, and then nothing is run confined."""
    import shutil
    import sysconfig

    given = os.environ.get("GATHERING_SANDBOX__LAUNCHER")
    beside = os.path.join(sysconfig.get_path("scripts"), "gathering")
    return given or (beside if os.path.isfile(beside) else shutil.which("gathering"))


@functools.lru_cache(maxsize=None)
def data_dir():
    """A folder of this process for what workers need; gone when the process ends."""
    import atexit
    import shutil
    import tempfile

    place = tempfile.mkdtemp(prefix="gathering-")
    this = os.getpid()
    atexit.register(lambda: os.getpid() == this and shutil.rmtree(place, ignore_errors=True))
    return place
