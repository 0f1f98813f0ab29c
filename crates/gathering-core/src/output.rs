//! What a call gives back: our own result type, which borders convert by hand.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The result of a tool: a value, and the parts that a model or a person is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolOutput {
    /// The value the tool returned.
    pub value: Value,
    /// The parts the tool made itself; where it made none, [`ToolOutput::content`] derives one from the value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Content>,
}

/// One part of a result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Text for the reader.
    Text {
        /// The text.
        text: String,
    },
    /// A picture.
    Image {
        /// The bytes, base64 (RFC 4648, section 4).
        data: String,
        /// Such as `image/png`.
        media_type: String,
    },
    /// Sound.
    Audio {
        /// The bytes, base64 (RFC 4648, section 4).
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
        #[serde(skip_serializing_if = "Option::is_none")]
        media_type: Option<String>,
    },
    /// A structured value.
    Json {
        /// The value.
        value: Value,
    },
}

impl ToolOutput {
    /// The parts of the result: the tool's own, else its value as text if it is a string, as JSON if not.
    pub fn content(&self) -> Vec<Content> {
        if !self.parts.is_empty() {
            return self.parts.clone();
        }
        match &self.value {
            Value::String(text) => vec![Content::Text { text: text.clone() }],
            value => vec![Content::Json { value: value.clone() }],
        }
    }
}

impl<T: Into<Value>> From<T> for ToolOutput {
    fn from(value: T) -> Self {
        Self { value: value.into(), parts: Vec::new() }
    }
}
