//! `llm_chat`: asks a language model something, once.

use std::time::{Duration, Instant};

use gathering_core::{Asking, CallContext};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failure;

/// How long before the end of the call a model is given up, so that the reason can still be told.
const BEFORE: Duration = Duration::from_millis(500);

pub(super) fn definition() -> Value {
    json!({
        "name": "llm_chat",
        "description": "Asks a language model something and returns its answer. The model knows only what it is told here: \
            neither this conversation nor any tool.",
        "category": "llm",
        "required_competencies": ["language_models"],
        "parameters": {
            "type": "object",
            "properties": {
                "message": {
                    "type": "string", "minLength": 1, "maxLength": 1_000_000,
                    "description": "What to ask, with all that is needed to answer it",
                },
                "system": {
                    "type": "string", "default": "", "maxLength": 1_000_000,
                    "description": "What the model is told before: who it is, and how it is to answer",
                },
                "model": {
                    "type": "string", "minLength": 1, "maxLength": 200,
                    "description": "A model that the operator configured, by its name or by what its provider calls it; \
                        without it the default",
                },
            },
            "required": ["message"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "text": {"type": "string", "description": "The answer"},
                "model": {"type": "string", "description": "The operator's name of the model that answered"},
                "complete": {"type": "boolean", "description": "Whether the answer is whole"},
                "input_tokens": {"type": "integer"},
                "output_tokens": {"type": "integer"},
                "cost": {"type": "number", "description": "By the prices that the operator configured; 0 without them"},
            },
            "required": ["text", "model", "complete", "input_tokens", "output_tokens", "cost"],
        },
        "examples": ["llm_chat(message='Translate to French: good morning', system='Answer with the translation only.')"],
        "annotations": {"read_only": true, "destructive": false, "idempotent": false, "open_world": true},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    message: String,
    system: String,
    #[serde(default)]
    model: Option<String>,
}

pub(super) async fn llm_chat(arguments: Arguments, cx: CallContext) -> Result<Value, Failure> {
    let Arguments { message, system, model } = arguments;
    let deadline = cx.deadline().checked_sub(BEFORE).unwrap_or_else(Instant::now);
    let asked = cx.services().ask_model(&cx, Asking { message, system, model, deadline }).await;
    let asked = asked.map_err(|refused| Failure::new(format!("{refused} [{}]", refused.code)))?;
    serde_json::to_value(asked).map_err(|error| Failure::new(error.to_string()))
}
