//! Tools as the model providers take them in a request.

use gathering_core::ToolDefinition;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Whose tool list to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    /// OpenAI, chat completions: `{"type": "function", "function": {..}}`.
    OpenAi,
    /// Anthropic, messages: `{"name", "description", "input_schema"}`.
    Anthropic,
    /// Model Context Protocol, `tools/list`: `{"name", "description", "inputSchema", ..}`.
    Mcp,
}

impl Format {
    /// `tool` in this format.
    pub(super) fn write(self, tool: &ToolDefinition) -> Value {
        match self {
            Self::OpenAi => gathering_models::openai_tool(tool),
            Self::Anthropic => gathering_models::anthropic_tool(tool),
            Self::Mcp => {
                let hints = &tool.annotations;
                let mut written = json!({
                    "name": tool.name,
                    "description": tool.description,
                    "inputSchema": tool.parameters.to_object_schema(),
                    "annotations": {
                        "readOnlyHint": hints.read_only,
                        "destructiveHint": hints.destructive,
                        "idempotentHint": hints.idempotent,
                        "openWorldHint": hints.open_world,
                    },
                });
                if !tool.returns.is_any() {
                    written["outputSchema"] = tool.returns.to_value();
                }
                written
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(parameters: Value) -> ToolDefinition {
        serde_json::from_value(json!({
            "name": "add", "description": "adds", "category": "utility", "parameters": parameters,
        }))
        .expect("a good tool")
    }

    #[test]
    fn each_provider_gets_its_own_shape() {
        let schema = json!({"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]});
        let add = tool(schema.clone());

        assert_eq!(
            Format::OpenAi.write(&add),
            json!({"type": "function", "function": {"name": "add", "description": "adds", "parameters": schema}})
        );
        assert_eq!(
            Format::Anthropic.write(&add),
            json!({"name": "add", "description": "adds", "input_schema": schema})
        );
        assert_eq!(
            Format::Mcp.write(&add),
            json!({
                "name": "add", "description": "adds", "inputSchema": schema,
                "annotations": {
                    "readOnlyHint": false, "destructiveHint": true, "idempotentHint": false, "openWorldHint": true,
                },
            })
        );
    }

    #[test]
    fn a_tool_without_a_schema_takes_an_object_of_anything() {
        let schema = &Format::Anthropic.write(&tool(json!({})))["input_schema"];

        assert_eq!(*schema, json!({"type": "object", "properties": {}}));
    }
}
