//! `read_skill`: the instructions of a competency, read when they are needed.

use gathering_core::{CallContext, Instructions};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failure;

pub(super) fn definition() -> Value {
    json!({
        "name": "read_skill",
        "description": "Reads the instructions of a skill, which is a competency that you hold, before you do what it is about. \
            Its text may name other files of the skill: read them with `file` when you need them.",
        "category": "utility",
        "parameters": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "The competency's id"},
                "file": {
                    "type": "string",
                    "description": "Another file of the skill, as `files` names it; default: its instructions",
                },
            },
            "required": ["name"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "files": {"type": "array", "description": "The skill's other files", "items": {"type": "string"}},
            },
            "required": ["text", "files"],
        },
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    name: String,
    file: Option<String>,
}

pub(super) fn read_skill(wanted: &Wanted, cx: &CallContext) -> Result<Value, Failure> {
    let read = cx.services().instructions(cx, &wanted.name, wanted.file.as_deref());
    let Instructions { text, files, .. } = read.map_err(|error| Failure::new(error.to_string()))?;
    Ok(json!({"text": text, "files": files}))
}
