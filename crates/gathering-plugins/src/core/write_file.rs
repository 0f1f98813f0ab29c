//! `write_file`: puts a text into a file, whole or not at all.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Core;
use crate::encoding::encode;
use crate::save::{Place, save};
use crate::{Cancel, Failure};

pub(super) fn definition() -> Value {
    json!({
        "name": "write_file",
        "description": "Writes a text to a file, in the place of what was there. The file has the old content or the \
            new one, never a part, whatever happens meanwhile. An existing file keeps its permissions.",
        "category": "filesystem",
        "required_competencies": ["file_management"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "The file, relative to the working folder"},
                "content": {"type": "string", "description": "The whole text of the file"},
                "encoding": {
                    "type": "string",
                    "default": "utf-8",
                    "description": "Such as utf-8, utf-8-sig (with byte order mark), utf-16 or windows-1252",
                },
                "create_parents": {
                    "type": "boolean", "default": false,
                    "description": "Whether to make the folders on the way that are missing",
                },
                "overwrite": {
                    "type": "boolean", "default": true,
                    "description": "Whether a file that is there is replaced; otherwise it is left alone, with an error",
                },
            },
            "required": ["path", "content"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "The file"},
                "bytes": {"type": "integer", "description": "Its size now"},
                "created": {"type": "boolean", "description": "Whether it was not there before"},
            },
            "required": ["path", "bytes", "created"],
        },
        "examples": ["write_file(path='notes/today.md', content='# Today', create_parents=True)"],
        "annotations": {"read_only": false, "destructive": true, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    content: String,
    encoding: String,
    create_parents: bool,
    overwrite: bool,
}

pub(super) fn write_file(core: &Core, arguments: &Arguments, cancel: &Cancel) -> Result<Value, Failure> {
    let bytes = encode(&arguments.content, &arguments.encoding)?;
    let most = core.config.max_write_bytes;
    if bytes.len() > most {
        return Err(format!(
            "the content has {} bytes, more than the {most} that one call writes",
            bytes.len()
        )
        .into());
    }
    let Arguments { path, create_parents, overwrite, .. } = arguments;
    let place = Place { given: path, create_parents: *create_parents, overwrite: *overwrite };
    let created = save(&core.base, &core.protected, place, &bytes, cancel)?;
    Ok(json!({"path": path, "bytes": bytes.len(), "created": created}))
}
