//! The shapes of plugins that are made of code.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::shapes;

shapes! {
    /// A plugin that is to be made of code. Either `tools` or `code` is needed.
    struct DynamicPlugin {
        /// What it is to be called by. Where the path names the plugin, it may be left out.
        #[schema(example = "greeter")]
        plugin_id: String,
        /// Its name for people. Default: made of the id.
        #[schema(required = false)]
        name: String,
        /// What it does. Default: what its code's docstring says.
        #[schema(required = false)]
        description: String,
        /// Its version.
        #[schema(required = false, default = "1.0.0")]
        version: String,
        /// Who wrote it.
        #[schema(required = false, default = "GatheRing Agent")]
        author: String,
        /// Its tools.
        #[schema(required = false)]
        tools: Vec<DynamicTool>,
        /// In place of `tools`: a Python module whose public functions are the tools.
        #[schema(required = false)]
        code: String,
        /// The competencies it brings: `id`, `name`, `description`, and what else a competency has.
        #[schema(required = false, value_type = Vec<Object>)]
        competencies: Vec<Value>,
        /// Its configuration, which its code finds as the global `config`.
        #[schema(required = false, value_type = Object)]
        config: Value,
        /// The schema of its configuration, or a map of its settings.
        #[schema(required = false, value_type = Object)]
        config_schema: Value,
        /// The Python packages that its code needs (PEP 508).
        #[schema(required = false)]
        python_dependencies: Vec<String>,
        /// What it asks to touch, as in the permissions of a plugin file. It may once the operator allows it.
        #[schema(required = false, value_type = Object)]
        permissions: Value,
    }

    /// A tool that is to be made of code.
    struct DynamicTool {
        /// What it is called by; unique among all tools.
        #[schema(example = "greet")]
        name: String,
        /// What it does. Default: what the docstring of its function says.
        #[schema(required = false)]
        description: String,
        /// What it is about.
        #[schema(required = false, default = "custom")]
        category: String,
        /// A Python module: the function called like the tool, else the only public one, is the tool.
        #[schema(example = "def greet(name): return f'Hello, {name}!'")]
        code: String,
        /// The schema of its arguments, or a map of them. Default: as its signature and docstring say.
        #[schema(required = false, value_type = Object)]
        parameters: Value,
        /// The schema of its result. Default: as its signature says.
        #[schema(required = false, value_type = Object)]
        returns: Value,
        /// Calls such as `greet(name='Ada') == 'Hello, Ada!'`, or `{"arguments": {..}, "result": ..}`; those that are calls
        /// are tried. Anything else is kept as it is.
        #[schema(required = false)]
        examples: Vec<Value>,
        /// The competencies its caller needs.
        #[schema(required = false)]
        required_competencies: Vec<String>,
    }

    /// The versions of a plugin that was made of code.
    struct PluginVersions {
        /// The plugin.
        plugin_id: String,
        /// The versions, oldest first.
        versions: Vec<PluginVersion>,
        /// How many there are.
        total: usize,
    }

    /// A version of a plugin that was made of code.
    struct PluginVersion {
        /// Counts the versions of the plugin from 1.
        number: u64,
        /// What the plugin said its version is.
        version: String,
        /// When it was made, in milliseconds since 1970-01-01 UTC.
        created_ms: u64,
        /// Who made it: `operator`, or the agent's id.
        caller: String,
        /// The version that this one is a copy of, if it was rolled back.
        #[schema(required)]
        rolled_back_to: Option<u64>,
        /// Whether it is the one that runs.
        current: bool,
    }
}
