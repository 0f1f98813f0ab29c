//! The configuration of the design plugin.

use serde::Deserialize;
use serde_json::{Value, json};

use super::generate::{SECRETS, Settings};

/// What the operator may set; the schema fills in what is left out.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) base_path: String,
    pub(super) max_file_bytes: usize,
    pub(super) image_provider: Option<Settings>,
    pub(super) figma_url: String,
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
        "image_provider": {
            "type": ["object", "null"],
            "default": null,
            "description": "Who makes the pictures of `generate_image`; nobody by default",
            "properties": {
                "kind": {
                    "type": "string", "enum": ["openai", "stability", "automatic1111"],
                    "description": "The provider, or one whose API is compatible",
                },
                "url": {
                    "type": "string",
                    "description": "Its address, if it is not the provider's own: up to and with `/v1` for `openai`, without a                         path for the others",
                },
                "model": {
                    "type": "string", "pattern": "^[A-Za-z0-9._:/-]{1,128}$",
                    "description": "Such as gpt-image-1 (default of `openai`), or core (default of `stability`), ultra, sd3",
                },
                "secret": {
                    "type": "string", "enum": SECRETS,
                    "description": "The secret that holds its key: OPENAI_API_KEY, STABILITY_API_KEY or AUTOMATIC1111_AUTH                         (`user:password`) by default",
                },
                "timeout_seconds": {
                    "type": "integer", "minimum": 1, "maximum": 600,
                    "description": "How long a picture may take; 120 by default",
                },
            },
            "required": ["kind"],
            "additionalProperties": false,
        },
        "figma_url": {
            "type": "string", "default": "https://api.figma.com",
            "description": "Where Figma's REST API is",
        },
        "protected": crate::core::protected_schema(),
        "private": crate::core::private_schema(),
    })
}
