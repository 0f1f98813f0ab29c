//! `read_file`: the text of a file, whole or by lines.

use std::fs::File;
use std::io::{self, Read, Seek};

use gathering_core::{CallContext, Content, FileOperation, ToolOutput};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Core;
use super::encoding::decode;
use crate::base::{io_failure, shown};
use crate::documents::may_be_text;
use crate::{Cancel, Failure};

/// How much of a file is looked at to tell whether it is text, in bytes.
const HEAD: u64 = 8 << 10;

pub(super) fn definition() -> Value {
    json!({
        "name": "read_file",
        "description": "Reads a text file and returns its text exactly as it is. A file that is too large for one call \
            is read in parts: `offset` and `limit` count lines. A file that is no text, such as a PDF or a workbook, is read \
            by the tool that handles its format, if there is one, and its content returned as Markdown or JSON.",
        "category": "filesystem",
        "required_competencies": ["file_management"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "The file, relative to the working folder"},
                "encoding": {
                    "type": "string",
                    "default": "auto",
                    "description": "Such as utf-8, utf-16le or windows-1252; `auto` goes by the byte order mark and is \
                        UTF-8 without one",
                },
                "offset": {
                    "type": "integer", "default": 0, "minimum": 0,
                    "description": "How many lines to leave out at the beginning",
                },
                "limit": {"type": "integer", "minimum": 1, "description": "The most lines to return; all by default"},
            },
            "required": ["path"],
            "additionalProperties": false,
        },
        "returns": {"type": "string", "description": "The text"},
        "examples": ["read_file(path='README.md')", "read_file(path='log.txt', offset=1000, limit=200)"],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    encoding: String,
    offset: u64,
    limit: Option<u64>,
}

pub(super) fn read_file(
    core: &Core,
    arguments: &Arguments,
    cx: &CallContext,
    cancel: &Cancel,
) -> Result<ToolOutput, Failure> {
    let Arguments { path, encoding, offset, limit } = arguments;
    let mut file = core.base.open_file(path)?;
    if encoding.eq_ignore_ascii_case("auto")
        && !is_text(path, &mut file)?
        && let Some(tool) = cx.services().file_tool(path, FileOperation::Read)
    {
        return by_handler(core, arguments, cx, tool.as_str());
    }
    let most = core.config.max_read_bytes;
    let end = limit.map_or(u64::MAX, |limit| offset.saturating_add(limit));
    let (mut text, mut line, mut begun, mut goes_on) = (String::new(), 0, false, false);
    decode(path, encoding, &mut file, cancel, |decoded| {
        for piece in decoded.split_inclusive('\n') {
            if line == end {
                goes_on = true;
                return Ok(false);
            }
            if line >= *offset {
                if text.len() + piece.len() > most {
                    return Err(too_long(path, most, limit.is_some(), line - offset));
                }
                text.push_str(piece);
            }
            begun = !piece.ends_with('\n');
            line += u64::from(!begun);
        }
        Ok(true)
    })?;
    let lines = line + u64::from(begun);
    if *offset > 0 && *offset >= lines {
        return Err(format!("`{}` has only {lines} lines, and `offset` is {offset}", shown(path)).into());
    }
    let mut output = ToolOutput::from(text);
    if goes_on {
        let note = format!("(lines {} to {end}; the file goes on: read on with offset={end})", offset + 1);
        let text = output.value.as_str().unwrap_or_default().to_owned();
        output.parts = vec![Content::Text { text }, Content::Text { text: note }];
    }
    Ok(output)
}

/// Whether a file begins like a text.
fn is_text(path: &str, file: &mut File) -> Result<bool, Failure> {
    let failed = |error: io::Error| io_failure(path, &error);
    let mut head = Vec::new();
    file.take(HEAD).read_to_end(&mut head).map_err(failed)?;
    file.rewind().map_err(failed)?;
    Ok(may_be_text(&head))
}

/// The content of a file that is no text, as the tool of its file handler reads it. That is a call of its own, by the same
/// caller and inside of the same time.
fn by_handler(
    core: &Core,
    arguments: &Arguments,
    cx: &CallContext,
    tool: &str,
) -> Result<ToolOutput, Failure> {
    let mut given = Map::new();
    let path = core.base.path.join(core.base.relative(&arguments.path)?);
    given.insert("path".into(), path.display().to_string().into());
    if arguments.offset > 0 {
        given.insert("offset".into(), arguments.offset.into());
    }
    if let Some(limit) = arguments.limit {
        given.insert("limit".into(), limit.into());
    }
    let ToolOutput { value, mut parts } =
        tokio::runtime::Handle::current().block_on(cx.services().call_tool(cx, tool, given))?;
    // This tool returns text.
    let text = match value {
        Value::String(text) => text,
        value => match value.get("text").and_then(Value::as_str) {
            Some(text) => text.to_owned(),
            None => format!("{value:#}"),
        },
    };
    if parts.is_empty() {
        parts = vec![Content::Text { text: text.clone() }];
    }
    Ok(ToolOutput { value: text.into(), parts })
}

fn too_long(path: &str, most: usize, is_part: bool, lines: u64) -> Failure {
    let path = shown(path);
    match (lines, is_part) {
        (0, _) => format!("a line of `{path}` is longer than the {most} bytes that one call returns"),
        (_, false) => format!(
            "`{path}` has more text than the {most} bytes that one call returns: read it in parts with `offset` \
             and `limit`; the first {lines} lines fit"
        ),
        (_, true) => format!(
            "these lines of `{path}` have more than the {most} bytes that one call returns: {lines} of them fit"
        ),
    }
    .into()
}
