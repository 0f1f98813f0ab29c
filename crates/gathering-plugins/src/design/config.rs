//! The configuration of the design plugin.

use serde::Deserialize;
use serde_json::{Value, json};

/// What the operator may set; the schema fills in what is left out.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) base_path: String,
    pub(super) max_file_bytes: usize,
    pub(super) protected: Vec<String>,
    pub(super) private: Vec<String>,
}

pub(super) fn schema() -> Value {
    json!({
        "base_path": {
            "type": "string",
            "default": ".",
            "description": "The folder in which pictures are read and written; the tools cannot leave it",
        },
        "max_file_bytes": {
            "type": "integer", "default": 67_108_864, "minimum": 1_024, "maximum": 1_073_741_824,
            "description": "The largest picture that is read or written, in bytes",
        },
        "protected": crate::core::protected_schema(),
        "private": crate::core::private_schema(),
    })
}
