//! What answers look like, for the OpenAPI document: the JSON of types whose own crates know nothing of it.
//!
//! `tests/openapi.rs` holds real answers against these shapes, which take no member that they don't name.

#![expect(dead_code, reason = "these are only described, never made")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

macro_rules! shapes {
    ($($(#[$meta:meta])* struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* })*) => { $(
        #[derive(Serialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$meta])*
        pub(crate) struct $name { $($(#[$field_meta])* $field: $type,)* }
    )* };
}

/// Where a plugin stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PluginStatus {
    /// Known, but nothing of it is registered.
    Unloaded,
    /// Registered; its operator can try it, agents are not offered it.
    Loaded,
    /// Registered and offered to agents.
    Enabled,
    /// Registered; every call is refused.
    Disabled,
    /// Failed, with the reason in `error`.
    Error,
}

/// How a plugin feels.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum HealthStatus {
    /// All is well.
    Healthy,
    /// It works in part.
    Degraded,
    /// It does not work.
    Unhealthy,
}

/// How what runs a plugin is confined.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Tier {
    /// Code of this program, in its own process.
    Native,
    /// A process of its own with namespaces, Landlock, seccomp and limits.
    Isolated,
    /// A process of its own with Landlock, seccomp and limits.
    Confined,
    /// A process of its own with all the rights of the user who started the server.
    Unconfined,
}

/// One part of a result.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Content {
    /// Text for the reader.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// The bytes, base64.
        data: String,
        /// Such as `image/png`.
        media_type: String,
    },
    /// Sound.
    Audio {
        /// The bytes, base64.
        data: String,
        /// Such as `audio/wav`.
        media_type: String,
    },
    /// Where something bigger is kept.
    ResourceLink {
        /// Its address.
        uri: String,
        /// What to call it.
        name: String,
        /// What it is, if known.
        #[schema(nullable = false)]
        media_type: Option<String>,
    },
    /// A structured value.
    Json {
        /// The value.
        value: Value,
    },
}

shapes! {
    /// A plugin.
    struct Plugin {
        /// What it is called by.
        id: String,
        /// Its name for people.
        name: String,
        /// Its version.
        version: String,
        /// What it does.
        description: String,
        /// Who wrote it.
        author: String,
        /// Where to reach them.
        author_email: String,
        /// Its licence.
        license: String,
        /// Where to read more.
        homepage: String,
        /// Words to find it by.
        tags: Vec<String>,
        /// The plugins it needs, with version constraints.
        dependencies: Vec<String>,
        /// The Python packages it needs (PEP 508).
        python_dependencies: Vec<String>,
        /// The oldest GatheRing it works with.
        min_gathering_version: String,
        /// The JSON Schema of its configuration.
        #[schema(value_type = Object)]
        config_schema: Value,
        /// What it asks to touch.
        #[schema(value_type = Object)]
        permissions: Value,
        /// Where it stands.
        status: PluginStatus,
        /// Why it failed, if it did.
        #[schema(required)]
        error: Option<String>,
        /// What runs it: `native`, `python` and so on.
        runtime: String,
        /// Where it comes from.
        source: String,
        /// How many tools of it are registered.
        tools_count: usize,
        /// How many competencies of it are registered.
        competencies_count: usize,
        /// How many file handlers of it are registered.
        file_handlers_count: usize,
        /// How it is confined; null while it does not run.
        #[schema(required)]
        tier: Option<Tier>,
        /// Whether it runs. A restored plugin is started by its first call.
        started: bool,
        /// Counts its loads and reloads since the server started.
        generation: u64,
    }

    /// Plugins.
    struct Plugins {
        /// The plugins.
        plugins: Vec<Plugin>,
        /// How many there are.
        total: usize,
    }

    /// Ids of plugins.
    struct PluginIds {
        /// The ids.
        plugins: Vec<String>,
        /// How many there are.
        total: usize,
    }

    /// Counts of plugins and of what they contribute.
    struct PluginStats {
        /// Known plugins, loaded or not.
        available_plugins: usize,
        /// Those whose contributions are registered.
        loaded_plugins: usize,
        /// Those that are offered to agents.
        enabled_plugins: usize,
        /// How many are in each state.
        plugins_by_status: BTreeMap<String, usize>,
        /// Registered tools.
        total_tools_from_plugins: usize,
        /// Registered competencies.
        total_competencies_from_plugins: usize,
    }

    /// How a loaded plugin feels.
    struct PluginHealth {
        /// The plugin.
        plugin_id: String,
        /// In one word.
        status: HealthStatus,
        /// Where it stands.
        plugin_status: PluginStatus,
        /// Why it is not healthy, if it said so.
        #[schema(required)]
        error: Option<String>,
        /// What its own check said.
        #[schema(value_type = Object)]
        details: Value,
    }

    /// How the loaded plugins feel.
    struct PluginsHealth {
        /// By plugin.
        plugins: BTreeMap<String, PluginHealth>,
        /// How many there are.
        total: usize,
    }

    /// The end of what a plugin printed.
    struct PluginLog {
        /// The plugin.
        plugin_id: String,
        /// What it printed.
        log: String,
    }

    /// What was found in folders of plugins.
    struct Discovery {
        /// The plugins, known before or not.
        discovered: Vec<Discovered>,
        /// What looked like a plugin and is not one.
        errors: Vec<DiscoveryError>,
        /// How many plugins were found.
        total: usize,
    }

    /// A plugin that was found.
    struct Discovered {
        /// What it is called by.
        plugin_id: String,
        /// Where it lies.
        path: String,
        /// Its name for people.
        name: String,
        /// Its version.
        version: String,
        /// Whether it was not known before.
        new: bool,
    }

    /// Something that looked like a plugin and is not one.
    struct DiscoveryError {
        /// Where it lies.
        path: String,
        /// What is wrong with it.
        message: String,
        /// Where in its own code; may be empty.
        traceback: String,
    }

    /// A tool.
    struct Tool {
        /// What it is called by.
        name: String,
        /// What it does.
        description: String,
        /// What it is about, such as `filesystem`.
        category: String,
        /// The competencies its caller needs, each `id` or `id:level`; empty: open to every agent.
        required_competencies: Vec<String>,
        /// The JSON Schema of its arguments.
        parameters: Value,
        /// The JSON Schema of its result.
        returns: Value,
        /// Calls that show its use.
        examples: Vec<Value>,
        /// The plugin that brought it.
        #[schema(required)]
        plugin_id: Option<String>,
        /// Whether the function behind it is asynchronous; callers need not care.
        async_function: bool,
        /// Whether the function asks for the context of the call.
        requires_context: bool,
        /// What its author says of its effects.
        annotations: Annotations,
        /// Where its plugin stands.
        status: PluginStatus,
        /// How its plugin is confined; null until it runs.
        #[schema(required)]
        tier: Option<Tier>,
    }

    /// Hints on what calling a tool does.
    struct Annotations {
        /// It changes nothing.
        read_only: bool,
        /// It may delete or overwrite.
        destructive: bool,
        /// Calling it twice is as good as once.
        idempotent: bool,
        /// It reaches beyond this machine's own data.
        open_world: bool,
    }

    /// A page of tools.
    struct Tools {
        /// The tools, or what `format` makes of them.
        tools: Vec<ListedTool>,
        /// How many tools match.
        total: usize,
        /// How many of them were left out at the beginning.
        offset: usize,
        /// How many were listed at most.
        limit: usize,
    }

    /// A tool for OpenAI's chat completions.
    struct OpenAiTool {
        /// `function`.
        r#type: String,
        /// The function.
        function: OpenAiFunction,
    }

    /// A function for OpenAI's chat completions.
    struct OpenAiFunction {
        /// What it is called by.
        name: String,
        /// What it does.
        description: String,
        /// The JSON Schema of its arguments.
        #[schema(value_type = Object)]
        parameters: Value,
    }

    /// A tool for Anthropic's messages.
    struct AnthropicTool {
        /// What it is called by.
        name: String,
        /// What it does.
        description: String,
        /// The JSON Schema of its arguments.
        #[schema(value_type = Object)]
        input_schema: Value,
    }

    /// A tool for the Model Context Protocol.
    #[serde(rename_all = "camelCase")]
    struct McpTool {
        /// What it is called by.
        name: String,
        /// What it does.
        description: String,
        /// The JSON Schema of its arguments.
        #[schema(value_type = Object)]
        input_schema: Value,
        /// The JSON Schema of its result, if it promises one.
        #[schema(nullable = false)]
        output_schema: Option<Value>,
        /// What its author says of its effects.
        annotations: McpAnnotations,
    }

    /// Hints on what calling a tool does, for the Model Context Protocol.
    #[serde(rename_all = "camelCase")]
    struct McpAnnotations {
        /// It changes nothing.
        read_only_hint: bool,
        /// It may delete or overwrite.
        destructive_hint: bool,
        /// Calling it twice is as good as once.
        idempotent_hint: bool,
        /// It reaches beyond this machine's own data.
        open_world_hint: bool,
    }

    /// The tools of a plugin.
    struct PluginTools {
        /// The plugin.
        plugin_id: String,
        /// Its tools.
        tools: Vec<Tool>,
        /// How many there are.
        total: usize,
    }

    /// Competencies.
    struct Competencies {
        /// The competencies.
        competencies: Vec<Competency>,
        /// How many there are.
        total: usize,
    }

    /// What to learn to hold a competency.
    struct LearningPath {
        /// The competency.
        competency_id: String,
        /// Prerequisites first, the competency last.
        learning_path: Vec<String>,
    }

    /// A file handler.
    struct FileHandler {
        /// What it is called by.
        name: String,
        /// What the format is.
        description: String,
        /// File name endings without the dot.
        extensions: Vec<String>,
        /// Media types.
        media_types: Vec<String>,
        /// Which tool does what: `read`, `info`, `preview`, `write`, `convert`.
        tools: BTreeMap<String, String>,
        /// The plugin that brought it.
        #[schema(required)]
        plugin_id: Option<String>,
    }

    /// File handlers.
    struct FileHandlers {
        /// The file handlers.
        file_handlers: Vec<FileHandler>,
        /// How many there are.
        total: usize,
    }
}

/// A competency. A competency shown alone has these members and more, so it is open to others.
#[derive(Serialize, ToSchema)]
pub(crate) struct Competency {
    /// What it is called by.
    id: String,
    /// Its name for people.
    name: String,
    /// What somebody who holds it can do.
    description: String,
    /// The field it belongs to.
    category: String,
    /// How far along a learning path it lies.
    level: String,
    /// What has to be held before it.
    prerequisites: Vec<String>,
    /// What it makes possible, in words.
    capabilities: Vec<String>,
    /// The tools it is about.
    tools_enabled: Vec<String>,
    /// The plugin that brought it.
    #[schema(required)]
    plugin_id: Option<String>,
    /// Anything else its author keeps beside it.
    #[schema(value_type = Object)]
    metadata: Value,
}

/// A tool, or what `format` makes of it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum ListedTool {
    /// Without `format`.
    Tool(Box<Tool>),
    /// With `format=openai`.
    OpenAi(OpenAiTool),
    /// With `format=anthropic`.
    Anthropic(AnthropicTool),
    /// With `format=mcp`.
    Mcp(Box<McpTool>),
}

/// A competency, what it builds on and what builds on it.
#[derive(Serialize, ToSchema)]
pub(crate) struct CompetencyDetails {
    #[serde(flatten)]
    competency: Competency,
    /// Everything that has to be held before it.
    all_prerequisites: Vec<String>,
    /// What builds on it directly.
    dependents: Vec<String>,
}

/// Something that happened. What else it holds depends on `event`.
#[derive(Serialize, ToSchema)]
pub(crate) struct Event {
    /// Counts up by one with each event.
    sequence: u64,
    /// The generation of the registries when it happened.
    generation: u64,
    /// When, in milliseconds since 1970-01-01 UTC.
    time_ms: u64,
    /// What, such as `plugin_loaded` or `tool_called`.
    event: String,
    /// The plugin it is about.
    plugin_id: String,
}
