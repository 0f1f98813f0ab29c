//! The configuration of the core plugin.

use serde::Deserialize;
use serde_json::{Value, json};

/// What the operator may set; the schema fills in what is left out.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Config {
    pub(super) base_path: String,
    pub(super) max_read_bytes: usize,
    pub(super) max_write_bytes: usize,
    pub(super) max_list_entries: usize,
    pub(super) max_diff_bytes: usize,
    pub(super) protected: Vec<String>,
    pub(super) private: Vec<String>,
}

pub(super) fn schema() -> Value {
    json!({
        "base_path": {
            "type": "string",
            "default": ".",
            "description": "The folder inside which the tools for files and Git work; they cannot leave it",
        },
        "max_read_bytes": {
            "type": "integer", "default": 1_048_576, "minimum": 1, "maximum": 3_145_728,
            "description": "The most text that one `read_file` returns, in bytes of UTF-8",
        },
        "max_write_bytes": {
            "type": "integer", "default": 8_388_608, "minimum": 1,
            "description": "The most that one `write_file` writes, in bytes",
        },
        "max_list_entries": {
            "type": "integer", "default": 1_000, "minimum": 1, "maximum": 20_000,
            "description": "The most entries that one `list_directory` returns",
        },
        "max_diff_bytes": {
            "type": "integer", "default": 262_144, "minimum": 1_024, "maximum": 3_145_728,
            "description": "The most text that one `git_diff` returns, in bytes",
        },
        "protected": {
            "type": "array",
            "items": {"type": "string"},
            "default": [
                ".git", ".gathering", ".mcp.json", ".vscode", ".idea", ".envrc", ".bashrc", ".bash_profile",
                ".profile", ".zshrc", ".ssh",
            ],
            "description": "Files and folders that `write_file` does not touch, because other programs run what they \
                say: each by its name, wherever it lies, or by its absolute path",
        },
        "private": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Files and folders that the tools neither read, list nor write, beside `.gathering`: each by \
                its name, wherever it lies, or by its absolute path",
        },
    })
}
