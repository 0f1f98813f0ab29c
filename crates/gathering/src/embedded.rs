//! A host inside a program that keeps registries of its own, such as Python's: it runs plugins and remembers nothing.

use std::sync::Arc;
use std::time::Instant;

use gathering_core::{DynamicPlugin, LoadError, PluginId, PluginManifest, PluginSource, Runtime};
use gathering_host::Host;
use gathering_plugins::{NativeRuntime, OwnPlaces};
use gathering_runtime_python::{Examined, ExaminedTool};

use crate::assemble::{own_places, prober, python_runtime};
use crate::config::Config;
use crate::data_dir::DataDir;

/// Lets `host`, which was built without any runtime, run the built-in plugins and Python files; it knows none of them until
/// it is told by [`Host::add`]. A host that was equipped before stays as it is.
///
/// Nothing is kept of it, and no lock is taken: `data_dir` is where its workers' files lie, and may be a temporary folder.
pub fn equip(host: &Host, config: &Config, data_dir: &DataDir) {
    host.equip(|| {
        let prober = prober(config);
        let native = NativeRuntime::new(gathering_plugins::all(&own_places(config, data_dir), &prober));
        let python = Arc::new(python_runtime(config, data_dir, prober));
        (vec![Arc::new(native), python.clone()], python)
    });
}

/// What the built-in plugin `id` says of itself.
pub async fn builtin_manifest(id: &PluginId) -> Result<PluginManifest, LoadError> {
    let builtins = gathering_plugins::all(&OwnPlaces::default(), &prober(&Config::default()));
    NativeRuntime::new(builtins).describe(&PluginSource::Builtin(id.clone()), Instant::now()).await
}

/// The plugin file of `plugin`, whose tools say all that there is to say of them; `functions` are the names of their
/// functions in their code.
pub fn plugin_file(plugin: &DynamicPlugin, functions: &[String]) -> String {
    let tools = plugin.tools.iter().zip(functions).map(|(tool, function)| ExaminedTool {
        name: tool.name.clone(),
        function: function.clone(),
        description: tool.description.clone(),
        parameters: tool.parameters.clone().unwrap_or_default(),
        returns: tool.returns.clone().unwrap_or_default(),
        calls: Vec::new(),
    });
    let examined = Examined { tools: tools.collect(), documentation: String::new() };
    gathering_runtime_python::plugin_file(plugin, &examined)
}
