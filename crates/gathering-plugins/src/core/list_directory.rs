//! `list_directory`: what a folder holds, in a stable order, page by page.

use std::ffi::OsStr;
use std::path::{Component, Path};

use cap_fs_ext::DirExt;
use cap_std::fs::{Dir, FileType};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Core;
use super::base::io_failure;
use super::pattern::matches;
use crate::{Cancel, Failure};

/// How deep a recursive listing goes.
const MAX_DEPTH: usize = 64;
/// The most entries that are looked at for one listing.
const MAX_SEEN: usize = 500_000;

pub(super) fn definition() -> Value {
    json!({
        "name": "list_directory",
        "description": "Lists the files and folders in a folder, sorted by path. A long listing comes in pages: while \
            `next_offset` is there, call again with it as `offset`. Symbolic links are listed, not followed.",
        "category": "filesystem",
        "required_competencies": ["file_management"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "default": ".", "description": "The folder, relative to the working folder"},
                "pattern": {
                    "type": "string",
                    "description": "Lists only names that match, such as *.py: `*` is any text, `?` one character, \
                        `[a-z]` one of these",
                },
                "recursive": {
                    "type": "boolean", "default": false,
                    "description": "Whether to list what lies in the folders inside as well",
                },
                "offset": {"type": "integer", "default": 0, "minimum": 0, "description": "How many entries to leave out"},
                "limit": {"type": "integer", "default": 200, "minimum": 1, "description": "The most entries to return"},
            },
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "entries": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "path": {"type": "string", "description": "Relative to the working folder"},
                            "type": {"enum": ["file", "directory", "symlink", "other"]},
                            "size": {"type": "integer", "description": "Of a file, in bytes"},
                            "escaped": {
                                "type": "boolean",
                                "description": "True if the name is not UTF-8; `path` then shows its bytes as \\xNN and \
                                    cannot be opened",
                            },
                        },
                        "required": ["path", "type"],
                    },
                },
                "total": {"type": "integer", "description": "How many entries there are on all pages"},
                "next_offset": {"type": "integer", "description": "The offset of the next page, if there is one"},
                "incomplete": {"type": "string", "description": "What was left out and why, if anything was"},
            },
            "required": ["entries", "total"],
        },
        "examples": ["list_directory()", "list_directory(path='src', pattern='*.py', recursive=True)"],
        "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    pattern: Option<String>,
    recursive: bool,
    offset: usize,
    limit: usize,
}

pub(super) fn list_directory(core: &Core, arguments: &Arguments, cancel: &Cancel) -> Result<Value, Failure> {
    let folder = core.base.open_folder(&arguments.path)?;
    let start = core.base.relative(&arguments.path)?;
    let start = core.base.dir.canonicalize(start).map_err(|error| io_failure(&arguments.path, &error))?;
    let prefix: String = start
        .components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| format!("{}/", part.as_os_str().display()))
        .collect();
    if arguments.pattern.as_ref().is_some_and(|pattern| pattern.contains('/') || pattern.len() > 256) {
        return Err(
            "`pattern` is matched against names: leave out the `/`, and give the folder as `path`".into()
        );
    }
    let mut walk = Walk { core, arguments, cancel, found: Vec::new(), seen: 0, incomplete: None };
    walk.folder(&folder, &prefix, 1).map_err(|error| match error {
        Stop::Cancelled(failure) => failure,
        Stop::Unreadable(error) => io_failure(&arguments.path, &error),
    })?;
    let Walk { mut found, incomplete, .. } = walk;
    found.sort_unstable_by(|left, right| left.path.cmp(&right.path));
    let total = found.len();
    let limit = arguments.limit.min(core.config.max_list_entries);
    let page = found.into_iter().skip(arguments.offset).take(limit);
    let mut entries = Vec::new();
    for entry in page {
        cancel.check()?;
        entries.push(entry.into_json(core));
    }
    let mut listing = json!({"entries": entries, "total": total});
    let end = arguments.offset.saturating_add(entries.len());
    if end < total {
        listing["next_offset"] = end.into();
    }
    if let Some(reason) = incomplete {
        listing["incomplete"] = reason.into();
    }
    Ok(listing)
}

struct Entry {
    path: String,
    kind: FileType,
    is_escaped: bool,
}

impl Entry {
    fn into_json(self, core: &Core) -> Value {
        let kind = match self.kind {
            kind if kind.is_file() => "file",
            kind if kind.is_dir() => "directory",
            kind if kind.is_symlink() => "symlink",
            _ => "other",
        };
        let mut entry = json!({"path": self.path, "type": kind});
        if self.is_escaped {
            entry["escaped"] = true.into();
        } else if kind == "file"
            // It may be gone by now.
            && let Ok(metadata) = core.base.dir.symlink_metadata(&self.path)
        {
            entry["size"] = metadata.len().into();
        }
        entry
    }
}

enum Stop {
    Cancelled(Failure),
    Unreadable(std::io::Error),
}

struct Walk<'a> {
    core: &'a Core,
    arguments: &'a Arguments,
    cancel: &'a Cancel,
    found: Vec<Entry>,
    seen: usize,
    incomplete: Option<String>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Dir, prefix: &str, depth: usize) -> Result<(), Stop> {
        let mut inner = Vec::new();
        for entry in folder.entries().map_err(Stop::Unreadable)? {
            self.cancel.check().map_err(Stop::Cancelled)?;
            let entry = entry.map_err(Stop::Unreadable)?;
            self.seen += 1;
            if self.seen > MAX_SEEN {
                self.incomplete =
                    Some(format!("there are more than {MAX_SEEN} entries; list a folder inside"));
                return Ok(());
            }
            // Gone since it was read.
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let (shown, is_escaped) = readable(&name);
            let path = format!("{prefix}{shown}");
            if self.arguments.pattern.as_ref().is_none_or(|pattern| matches(pattern, &shown)) {
                self.found.push(Entry { path: path.clone(), kind, is_escaped });
            }
            if self.arguments.recursive && kind.is_dir() && !self.core.base.is_private(Path::new(&path)) {
                inner.push((name, path));
            }
        }
        if depth == MAX_DEPTH && !inner.is_empty() {
            self.incomplete = Some(format!("folders deeper than {MAX_DEPTH} were not looked into"));
            return Ok(());
        }
        for (name, path) in inner {
            let listed = match folder.open_dir_nofollow(&name) {
                Ok(inside) => self.folder(&inside, &format!("{path}/"), depth + 1),
                Err(error) => Err(Stop::Unreadable(error)),
            };
            match listed {
                Ok(()) => {}
                Err(Stop::Unreadable(_)) => {
                    self.incomplete = Some("some folders could not be read".into());
                }
                Err(cancelled) => return Err(cancelled),
            }
        }
        Ok(())
    }
}

/// The name as text, and whether bytes had to be escaped because it is not UTF-8.
fn readable(name: &OsStr) -> (String, bool) {
    match name.to_str() {
        Some(name) => (name.to_owned(), false),
        None => (name.as_encoded_bytes().escape_ascii().to_string(), true),
    }
}
