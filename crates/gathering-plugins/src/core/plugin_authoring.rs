//! `create_plugin`, `update_plugin`, `remove_plugin`: agents make tools.

use gathering_core::{Authoring, CallContext, DynamicPlugin, PluginId, ToolError, ToolName};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Failure;

pub(super) fn definitions() -> [Value; 3] {
    let made = json!({
        "type": "object",
        "properties": {
            "plugin_id": {"type": "string"},
            "version": {"type": "string"},
            "status": {"type": "string", "description": "`enabled`: its tools can be called now"},
            "tools": {
                "type": "array",
                "description": "The tools with their schemas, as they were given or inferred",
                "items": {"type": "object"},
            },
        },
        "required": ["plugin_id", "version", "status", "tools"],
    });
    let tool = |name: &str, description: &str, parameters: Value, returns: &Value, destructive: bool| {
        json!({
            "name": name,
            "description": description,
            "category": "code_execution",
            "required_competencies": ["plugin_authoring"],
            "parameters": parameters,
            "returns": returns,
            "annotations": {
                "read_only": false, "destructive": destructive, "idempotent": false, "open_world": false,
            },
        })
    };
    let removed = json!({
        "type": "object",
        "properties": {
            "plugin_id": {"type": "string"},
            "removed": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["plugin_id", "removed"],
    });
    let one = json!({
        "type": "object",
        "properties": {"plugin_id": {"type": "string", "description": "The plugin"}},
        "required": ["plugin_id"],
        "additionalProperties": false,
    });
    [
        tool(
            "create_plugin",
            "Makes tools out of Python code and enables them at once. The code is examined, what was not said of a tool \
             is inferred from its signature, type hints and docstring, and the examples that are calls are tried first. \
             If anything fails, nothing is made: correct it and try again.",
            plugin(),
            &made,
            false,
        ),
        tool(
            "update_plugin",
            "Puts new code in the place of a plugin that you made. It is examined and tried like a new one; until it \
             passed, the old one goes on, and no call is lost.",
            plugin(),
            &made,
            true,
        ),
        tool(
            "remove_plugin",
            "Removes a plugin that you made, with its tools and versions.",
            one,
            &removed,
            true,
        ),
    ]
}

/// What is taken is checked where it is read, with better words than a schema has.
fn plugin() -> Value {
    json!({
        "type": "object",
        "properties": {
            "plugin_id": {"type": "string", "description": "A letter, then letters, digits, _ or -"},
            "name": {"type": "string", "description": "For people; default: made of the id"},
            "description": {"type": "string", "description": "Default: the docstring of the code"},
            "version": {"type": "string", "default": "1.0.0"},
            "author": {"type": "string", "default": "GatheRing Agent"},
            "tools": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string", "description": "Unique among all tools"},
                        "description": {
                            "type": "string",
                            "description": "What it does, for a model that has to choose; default: its docstring",
                        },
                        "category": {"type": "string", "default": "custom"},
                        "code": {
                            "type": "string",
                            "description": "A Python module: imports, constants, helper functions, and the function that \
                                is called like the tool, or the only public one. It may be async",
                        },
                        "parameters": {
                            "type": "object",
                            "description": "A JSON Schema, or a map of properties; default: inferred",
                        },
                        "returns": {"type": "object", "description": "A JSON Schema; default: inferred"},
                        "examples": {
                            "type": "array",
                            "description": "Such as \"greet(name='Ada') == 'Hello, Ada!'\", or {\"arguments\": {..}, \
                                \"result\": ..}; those that are calls are tried",
                        },
                        "required_competencies": {"type": "array", "items": {"type": "string"}},
                    },
                    "required": ["name", "code"],
                },
            },
            "code": {
                "type": "string",
                "description": "In place of `tools`: a Python module whose public functions are the tools",
            },
            "competencies": {"type": "array", "items": {"type": "object"}},
            "config": {"type": "object", "description": "The code finds it as the global `config`"},
            "config_schema": {"type": "object"},
            "python_dependencies": {
                "type": "array", "items": {"type": "string"}, "description": "Packages from PyPI, such as numpy>=2",
            },
            "permissions": {
                "type": "object",
                "description": "What it asks to touch beside its scratch folder: `read` and `write` (absolute paths), `network` (hosts), \
                                `environment`, `secrets`, `limits`. The operator has to allow it too",
            },
        },
        "required": ["plugin_id"],
    })
}

#[derive(Deserialize)]
pub(super) struct One {
    plugin_id: PluginId,
}

pub(super) async fn create_plugin(arguments: Map<String, Value>, cx: CallContext) -> Result<Value, Failure> {
    let plugin = read("create_plugin", arguments)?;
    ask(&cx, Authoring::Create(Box::new(plugin))).await
}

pub(super) async fn update_plugin(arguments: Map<String, Value>, cx: CallContext) -> Result<Value, Failure> {
    let plugin = read("update_plugin", arguments)?;
    ask(&cx, Authoring::Update(Box::new(plugin))).await
}

pub(super) async fn remove_plugin(one: One, cx: CallContext) -> Result<Value, Failure> {
    ask(&cx, Authoring::Remove(one.plugin_id)).await
}

fn read(tool: &str, arguments: Map<String, Value>) -> Result<DynamicPlugin, Failure> {
    DynamicPlugin::parse(Value::Object(arguments)).map_err(|errors| {
        let tool = ToolName::new(tool).expect("it is the name of one of the tools here");
        ToolError::InvalidArguments { tool, errors }.into()
    })
}

async fn ask(cx: &CallContext, wanted: Authoring) -> Result<Value, Failure> {
    cx.services().author(cx, wanted).await.map_err(|refused| match refused.code {
        "forbidden" => ToolError::Forbidden { reason: refused.message }.into(),
        "shutting_down" => ToolError::ShuttingDown.into(),
        // Where in its code it failed is what the author has to see.
        _ if refused.traceback.is_empty() => Failure::Message(refused.message),
        _ => Failure::Message(format!("{}\n{}", refused.message, refused.traceback)),
    })
}
