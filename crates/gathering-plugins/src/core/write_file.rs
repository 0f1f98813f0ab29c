//! `write_file`: puts a text into a file, whole or not at all.

use std::path::{Component, Path, PathBuf};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, MetadataExt, OpenOptions};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Core;
use super::atomic;
use super::base::{io_failure, regular, shown};
use super::encoding::encode;
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
    let given = &arguments.path;
    let failed = |error: std::io::Error| io_failure(given, &error);
    let path = core.base.relative(given)?;
    let Some(Component::Normal(name)) = path.components().next_back() else {
        return Err(format!("`{}` is a folder, not the name of a file", shown(given)).into());
    };
    if given.ends_with('/') {
        return Err(format!("`{}` names a folder: leave out the `/` at the end", shown(given)).into());
    }
    refuse_protected(core, given, &path)?;
    let bytes = encode(&arguments.content, &arguments.encoding)?;
    let most = core.config.max_write_bytes;
    if bytes.len() > most {
        return Err(format!(
            "the content has {} bytes, more than the {most} that one call writes",
            bytes.len()
        )
        .into());
    }
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if arguments.create_parents {
        core.base.dir.create_dir_all(parent).map_err(failed)?;
    }
    // Symbolic links on the way may lead to what is protected.
    let parent = core.base.dir.canonicalize(parent).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let hint = "make it with `create_parents`, or check the path";
            Failure::new(format!("the folder of `{}` is not there: {hint}", shown(given)))
        }
        _ => failed(error),
    })?;
    let parent: PathBuf = parent.components().filter(|part| *part != Component::CurDir).collect();
    refuse_protected(core, given, &parent.join(name))?;
    let folder = match parent.as_os_str().is_empty() {
        true => core.base.dir.try_clone(),
        false => core.base.dir.open_dir(&parent),
    }
    .map_err(failed)?;
    let mode = existing(&folder, given, Path::new(name))?;
    if mode.is_some() && !arguments.overwrite {
        return Err(exists(given));
    }
    cancel.check()?;
    atomic::write(&folder, name, &bytes, mode, arguments.overwrite).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(given),
        _ => failed(error),
    })?;
    Ok(json!({"path": given, "bytes": bytes.len(), "created": mode.is_none()}))
}

fn exists(given: &str) -> Failure {
    format!("`{}` is there already, and `overwrite` is false", shown(given)).into()
}

/// The mode of the file that is to be replaced, if there is one. What may not be written to is not replaced either, and
/// a symbolic link is never written through.
fn existing(folder: &Dir, given: &str, name: &Path) -> Result<Option<u32>, Failure> {
    let failed = |error: std::io::Error| io_failure(given, &error);
    let seen = match folder.symlink_metadata(name) {
        Ok(seen) => seen,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if seen.file_type().is_symlink() {
        return Err(
            format!("`{}` is a symbolic link: write to the file that it leads to", shown(given)).into()
        );
    }
    regular(given, seen.file_type())?;
    let mut options = OpenOptions::new();
    options.write(true).nonblock(true).follow(FollowSymlinks::No);
    let opened = folder.open_with(name, &options).map_err(failed)?.metadata().map_err(failed)?;
    regular(given, opened.file_type())?;
    Ok(Some(opened.mode() & 0o777))
}

fn refuse_protected(core: &Core, given: &str, path: &Path) -> Result<(), Failure> {
    if core.base.is_private(path) {
        return Err(format!("`{}` is private to the server", shown(given)).into());
    }
    match core.protected.covering(&core.base.path, path) {
        None => Ok(()),
        Some(name) => Err(format!(
            "`{}` is not written: other programs run what `{}` says (the operator may take it off the setting \
             `protected` of the plugin `core`)",
            shown(given),
            shown(name)
        )
        .into()),
    }
}
