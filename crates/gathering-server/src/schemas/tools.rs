//! The shapes of tools, in our own form and in those of model providers, and of what they return.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{PluginStatus, Tier, shapes};

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

shapes! {
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
}
