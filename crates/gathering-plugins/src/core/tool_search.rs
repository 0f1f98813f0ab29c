//! `search_tools`, `get_tool`: finding a tool among many and reading how it is called, instead of being told all at once.

use gathering_core::CallContext;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failure;

/// How many tools are found at most.
const MOST: usize = 100;

pub(super) fn definitions() -> [Value; 2] {
    let annotations =
        json!({"read_only": true, "destructive": false, "idempotent": true, "open_world": false});
    [
        json!({
            "name": "search_tools",
            "description": "Finds tools by what they are for, best first: say in a few plain words what you want to do, or a \
                tool's name. Only tools that you may call are found. `get_tool` tells how one is called.",
            "category": "utility",
            "parameters": {
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 1000,
                        "description": "What you want to do, such as `resize a picture`",
                    },
                    "limit": {
                        "type": "integer",
                        "minimum": 1,
                        "maximum": MOST,
                        "default": 10,
                        "description": "How many tools to find at most",
                    },
                },
                "required": ["query"],
                "additionalProperties": false,
            },
            "returns": {
                "type": "object",
                "properties": {
                    "tools": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "properties": {
                                "name": {"type": "string"},
                                "description": {"type": "string"},
                                "category": {"type": "string"},
                                "plugin_id": {"type": "string"},
                            },
                        },
                    },
                },
                "required": ["tools"],
            },
            "examples": ["search_tools(query='what changed in the repository', limit=3)"],
            "annotations": annotations,
        }),
        json!({
            "name": "get_tool",
            "description": "Tells everything about one tool: what it does, the schema of its arguments, what it returns, and \
                examples of its use.",
            "category": "utility",
            "parameters": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "The tool's name, as `search_tools` tells it"},
                },
                "required": ["name"],
                "additionalProperties": false,
            },
            "returns": {"type": "object", "required": ["name", "description", "parameters"]},
            "examples": ["get_tool(name='calculate')"],
            "annotations": annotations,
        }),
    ]
}

#[derive(Deserialize)]
pub(super) struct Search {
    query: String,
    limit: usize,
}

pub(super) fn search_tools(wanted: &Search, cx: &CallContext) -> Value {
    let found = cx.services().search_tools(cx, &wanted.query, wanted.limit.min(MOST));
    let tools = found.iter().map(|tool| {
        json!({
            "name": tool.name,
            "description": tool.description,
            "category": tool.category,
            "plugin_id": tool.plugin_id,
        })
    });
    json!({"tools": tools.collect::<Vec<_>>()})
}

#[derive(Deserialize)]
pub(super) struct Name {
    name: String,
}

pub(super) fn get_tool(Name { name }: Name, cx: &CallContext) -> Result<Value, Failure> {
    let found = cx.services().find_tool(cx, &name);
    let tool = found.ok_or_else(|| {
        let shown: String = name.chars().take(64).flat_map(char::escape_debug).collect();
        format!(
            "there is no tool called `{shown}` that you may call: `search_tools` finds those that there are"
        )
    })?;
    serde_json::to_value(&*tool)
        .map_err(|error| Failure::new(format!("its definition cannot be shown: {error}")))
}
