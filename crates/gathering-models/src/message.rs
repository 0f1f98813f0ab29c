//! What is said to a model: messages, the calls that it asked for, and what came of them.

use std::sync::Arc;

use gathering_core::{Content, ToolDefinition};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a model is asked.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What it is told before everything else; may be empty.
    pub system: &'a str,
    /// The conversation so far. Each call in it is followed by its result.
    pub messages: &'a [Message],
    /// The tools that it may ask for.
    pub tools: &'a [Arc<ToolDefinition>],
}

/// One message of a conversation. Plain data, the same for all providers, so that a conversation can be kept and go on with
/// another model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Message {
    /// What somebody said.
    User {
        /// The text.
        text: String,
    },
    /// What the model answered.
    Assistant {
        /// The text; may be empty when it calls tools.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        text: String,
        /// The tools that it wants called, in its order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calls: Vec<ToolUse>,
    },
    /// What came of the calls of the message before.
    Tool {
        /// One result for each call, in the order of the calls.
        results: Vec<ToolResult>,
    },
}

/// A call that a model asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolUse {
    /// What the provider calls it; the result bears the same.
    pub id: String,
    /// The tool. What no provider takes back as a name was replaced by `_`.
    pub name: String,
    /// Its arguments; empty if what came was no JSON object.
    pub arguments: Map<String, Value>,
    /// What came instead of a JSON object, and why it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub malformed: Option<String>,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The call's [`ToolUse::id`].
    pub id: String,
    /// The tool.
    pub name: String,
    /// The parts of the result; of a failure, what it says.
    pub content: Vec<Content>,
    /// Whether it is a failure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
}

impl ToolResult {
    /// Everything in the result that is text, pictures and sound named by their kind.
    pub fn text(&self) -> String {
        let parts = self.content.iter().map(|part| match part {
            Content::Text { text } => text.clone(),
            Content::Json { value } => value.to_string(),
            Content::Image { media_type, .. } => format!("[a picture, {media_type}]"),
            Content::Audio { media_type, .. } => format!("[sound, {media_type}]"),
            Content::ResourceLink { uri, name, .. } => format!("[{name}]({uri})"),
        });
        parts.collect::<Vec<_>>().join("\n")
    }

    /// The pictures in the result: their bytes in base64, and their media types.
    pub(crate) fn pictures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.content.iter().filter_map(|part| match part {
            Content::Image { data, media_type } => Some((data.as_str(), media_type.as_str())),
            _ => None,
        })
    }
}
