//! The configuration of the core plugin.

use gathering_core::ResourceLimits;
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
    pub(super) allow_shell: bool,
    pub(super) max_output_bytes: usize,
    pub(super) max_timeout_seconds: u64,
    pub(super) limits: ResourceLimits,
    pub(super) protected: Vec<String>,
    pub(super) private: Vec<String>,
}

pub(super) fn schema() -> Value {
    json!({
        "base_path": {
            "type": "string",
            "default": ".",
            "description": "The folder inside which the tools for files and Git work, and commands run; they cannot leave it",
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
        "allow_shell": {
            "type": "boolean", "default": true,
            "description": "Whether `run_command` and `python_eval` run anything, confined as `gathering doctor` says",
        },
        "max_output_bytes": {
            "type": "integer", "default": 65_536, "minimum": 1_024, "maximum": 524_288,
            "description": "The most of what a command or Python code prints that is kept, in bytes of each stream",
        },
        "max_timeout_seconds": {
            "type": "integer", "default": 600, "minimum": 1, "maximum": 86_400,
            "description": "The longest that a command or Python code may run, whatever `timeout` says",
        },
        "limits": {
            "type": "object",
            "default": {},
            "description": "What one command, or one piece of Python code, may use with all that it starts: `memory` \
                (1GiB), `processes` (64), `cpu_seconds` of one process (no limit), `file_size` (256MiB), `tmp_size` \
                (256MiB), `disk` of all files that it writes (1GiB)",
        },
        "protected": protected_schema(),
        "private": private_schema(),
    })
}

/// The setting of every plugin that writes files: what other programs run.
pub(crate) fn protected_schema() -> Value {
    json!({
        "type": "array",
        "items": {"type": "string"},
        "default": [
            ".git", ".gathering", ".mcp.json", ".vscode", ".idea", ".cursor", ".claude", ".envrc", ".bashrc",
            ".bash_profile", ".bash_login", ".profile", ".zshrc", ".zshenv", ".zprofile", ".gitconfig", ".ssh",
        ],
        "description": "Files and folders that `write_file` and commands do not touch, because other programs run \
            what they say: each by its name, wherever it lies, or by its absolute path. Of `.git` commands may \
            write all but what holds programs, so that they can commit",
    })
}

/// The setting of every plugin that opens files: what is kept from its tools.
pub(crate) fn private_schema() -> Value {
    json!({
        "type": "array",
        "items": {"type": "string"},
        "default": [],
        "description": "Files and folders that the tools and commands neither read, list nor write, beside `.gathering`: each by \
            its name, wherever it lies, or by its absolute path",
    })
}
