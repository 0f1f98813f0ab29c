//! A runtime of plugins with as many tools as a measurement wants.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use gathering_core::{
    BoxFuture, CallContext, LoadError, LoadErrorKind, LoadRequest, Plugin, PluginId, PluginManifest,
    PluginSource, Runtime, ToolCall, ToolDefinition, ToolError, ToolOutput,
};
use serde_json::{Map, Value, json};

/// How many tools a plugin brings.
pub(crate) const TOOLS: usize = 50;

/// How many competencies `gated` brings: `skill0` and so on.
pub(crate) const HELD: usize = 20;

/// A fifth of the tools is in each.
const CATEGORIES: [&str; 5] = ["utility", "finance", "web", "image", "custom"];

/// Runs the plugins `many0`, `many1` and so on, each with [`TOOLS`] tools of two integers, `one` with the tool `add`,
/// and `gated` with `gated_tool`, which requires five of its competencies.
pub(crate) struct ManyRuntime;

/// What the tools do, as a plain function.
pub(crate) fn add(arguments: &Map<String, Value>) -> i64 {
    let number = |name| arguments.get(name).and_then(Value::as_i64).unwrap_or_default();
    number("x") + number("y")
}

fn manifest(id: &PluginId) -> PluginManifest {
    let metadata = json!({"id": id, "name": id, "version": "1.0.0", "description": "brings tools"});
    let mut manifest = PluginManifest::new(serde_json::from_value(metadata).expect("good metadata"));
    let names = match id.as_str() {
        "one" => vec!["add".to_owned()],
        "gated" => vec!["gated_tool".to_owned()],
        id => (0..TOOLS).map(|n| format!("{id}_tool{n}")).collect(),
    };
    let is_gated = id.as_str() == "gated";
    let required: Vec<_> = (HELD - 5..HELD).map(|n| format!("skill{n}:intermediate")).collect();
    for n in (0..HELD).filter(|_| is_gated) {
        let competency =
            json!({"id": format!("skill{n}"), "name": "x", "description": "x", "category": "custom"});
        manifest.competencies.push(Arc::new(serde_json::from_value(competency).expect("a good competency")));
    }
    for (n, name) in names.into_iter().enumerate() {
        let tool: ToolDefinition = serde_json::from_value(json!({
            "name": name,
            "description": "Adds two integers and returns their sum",
            "category": CATEGORIES[n % CATEGORIES.len()],
            "parameters": {
                "type": "object",
                "properties": {
                    "x": {"type": "integer", "description": "The first number"},
                    "y": {"type": "integer", "description": "The second number", "default": 0},
                },
                "required": ["x"],
                "additionalProperties": false,
            },
            "returns": {"type": "integer"},
            "required_competencies": if is_gated { &required[..] } else { &[] },
        }))
        .expect("a good tool");
        manifest.tools.push(Arc::new(tool));
    }
    manifest.checked().expect("a good manifest")
}

fn id(source: &PluginSource) -> Result<&PluginId, LoadError> {
    match source {
        PluginSource::Builtin(id) => Ok(id),
        PluginSource::Path(_) => Err(LoadError::new(LoadErrorKind::NotFound, "not of this runtime")),
    }
}

impl Runtime for ManyRuntime {
    fn kind(&self) -> &'static str {
        "native"
    }

    fn recognises(&self, _path: &Path) -> bool {
        false
    }

    fn fingerprint(&self, source: &PluginSource) -> Result<String, LoadError> {
        id(source).map(ToString::to_string)
    }

    fn describe<'a>(
        &'a self,
        source: &'a PluginSource,
        _deadline: Instant,
    ) -> BoxFuture<'a, Result<PluginManifest, LoadError>> {
        Box::pin(async move {
            let whole = manifest(id(source)?);
            Ok(PluginManifest::new(whole.metadata))
        })
    }

    fn load<'a>(&'a self, request: LoadRequest<'a>) -> BoxFuture<'a, Result<Box<dyn Plugin>, LoadError>> {
        Box::pin(async move { Ok(Box::new(Many(manifest(id(request.source)?))) as Box<dyn Plugin>) })
    }
}

struct Many(PluginManifest);

impl Plugin for Many {
    fn manifest(&self) -> &PluginManifest {
        &self.0
    }

    fn call<'a>(
        &'a self,
        call: ToolCall,
        _cx: &'a CallContext,
    ) -> BoxFuture<'a, Result<ToolOutput, ToolError>> {
        Box::pin(async move { Ok(add(&call.arguments).into()) })
    }

    fn concurrency(&self) -> usize {
        1024
    }
}
