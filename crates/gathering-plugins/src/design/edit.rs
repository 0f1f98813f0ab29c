//! `edit_image`: changes a picture by a list of operations, all of them or none.

mod apply;
mod filter;
mod job;
mod layer;
mod operation;
mod rotate;
mod write;

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use gathering_core::{CallContext, ToolOutput};
use rustix::fs::MemfdFlags;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::job::{Edit, Edited};
use self::operation::Operation;
use self::write::Format;
use super::{Design, on_a_thread, picture, with_picture};
use crate::Failure;

/// The most operations of one call.
const MAX_OPERATIONS: usize = 64;

pub(super) fn definition() -> Value {
    json!({
        "name": "edit_image",
        "description": "Changes a picture (PNG, JPEG, WebP, GIF, BMP, TIFF) by operations, one after the other: resize, crop, \
            rotate, flip, blur, sharpen, brightness, contrast, saturation, grayscale, overlay, text, border, convert. All are \
            done or none: a bad one is named with its place, and nothing is written. The orientation that a camera noted is \
            applied first. Of several frames the first is taken.",
        "category": "image",
        "required_competencies": ["image_editing"],
        "parameters": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "The picture, relative to the working folder"},
                "operations": {
                    "type": "array", "minItems": 1, "maxItems": MAX_OPERATIONS,
                    "items": operation::schema(),
                    "description": "What to do, in this order; each has `op` and the fields of that",
                },
                "output": {
                    "type": "string", "minLength": 1,
                    "description": "Where to write the result; its ending says the format. Without it the picture itself is \
                        replaced",
                },
                "overwrite": {
                    "type": "boolean", "default": false,
                    "description": "Whether a file that is at `output` already is replaced",
                },
            },
            "required": ["path", "operations"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "path": {"type": "string", "description": "What was written"},
                "width": {"type": "integer", "description": "In pixels"},
                "height": {"type": "integer", "description": "In pixels"},
                "format": {"type": "string", "description": "Such as `jpeg`"},
                "bytes": {"type": "integer", "description": "The size of the file"},
            },
            "required": ["path", "width", "height", "format", "bytes"],
        },
        "examples": [
            {
                "description": "A photo for the web: inside 1600 x 1600 pixels, as JPEG",
                "needs": "photo.png",
                "arguments": {
                    "path": "photo.png",
                    "operations": [
                        {"op": "resize", "width": 1600, "height": 1600},
                        {"op": "convert", "format": "jpeg", "quality": 82},
                    ],
                    "output": "web/photo.jpg",
                },
            },
            {
                "description": "A square portrait in grey, with a name on it",
                "needs": "photo.png",
                "arguments": {
                    "path": "photo.png",
                    "operations": [
                        {"op": "resize", "width": 400, "height": 400, "mode": "fill"},
                        {"op": "grayscale"},
                        {"op": "text", "text": "Ada", "position": "bottom", "size": 40, "color": "white", "bold": true},
                        {"op": "border", "size": 8, "color": "#264653"},
                    ],
                    "output": "portrait.png",
                },
            },
        ],
        "annotations": {"read_only": false, "destructive": true, "idempotent": false, "open_world": false},
    })
}

#[derive(Deserialize)]
pub(super) struct Arguments {
    path: String,
    operations: Vec<Value>,
    output: Option<String>,
    overwrite: bool,
}

/// What goes to the worker.
struct Prepared {
    edit: Edit,
    files: Vec<OwnedFd>,
    /// Where the worker writes.
    result: File,
    target: String,
}

pub(super) async fn edit_image(
    design: Arc<Design>,
    arguments: Arguments,
    cx: CallContext,
) -> Result<ToolOutput, Failure> {
    let path = arguments.path.clone();
    let is_new = arguments.output.is_some();
    let overwrite = arguments.overwrite || !is_new;
    let (shared, most) = (design.clone(), design.config.max_file_bytes);
    let Prepared { edit, files, result, target } = on_a_thread(move || prepare(&shared, &arguments)).await?;
    let done = design.workers.run("edit_image", &cx, edit, files).await?;
    let edited = done.map_err(|problem| problem.told(&path))?;
    let shown = edited.preview.clone();
    let value = json!({
        "path": target,
        "width": edited.width,
        "height": edited.height,
        "format": edited.format.word(),
        "bytes": edited.bytes,
    });
    on_a_thread(move || {
        let bytes = written(result, most)?;
        design.save(&target, &bytes, overwrite)
    })
    .await?;
    let preview = base64_bytes(&shown)?;
    Ok(with_picture(value, &preview, "image/png"))
}

/// Reads and checks all that can be before the picture is decoded.
fn prepare(design: &Design, arguments: &Arguments) -> Result<Prepared, Failure> {
    let operations = operation::read(&arguments.operations)?;
    let target = arguments.output.as_ref().unwrap_or(&arguments.path);
    let named = Format::of_path(target);
    if arguments.output.is_some() && named.is_none() {
        return Err(format!(
            "`{}` has no ending that names a format: expected .png, .jpg, .webp, .gif, .bmp or .tiff",
            crate::base::shown(target)
        )
        .into());
    }
    let mut files = vec![OwnedFd::from(design.base.open_file(&arguments.path)?)];
    for (index, operation) in operations.iter().enumerate() {
        let told = |failure: Failure| operation::at(index, operation.word(), failure);
        match operation {
            Operation::Overlay(overlay) => {
                files.push(OwnedFd::from(design.base.open_file(&overlay.path).map_err(told)?));
            }
            Operation::Text(text) => files.push(memory(&layer::text(text).map_err(told)?)?.into()),
            _ => {}
        }
    }
    let result = memory(&[])?;
    files.push(result.try_clone().map_err(|error| no_memory(&error))?.into());
    let most_bytes = design.config.max_file_bytes;
    let edit = Edit { operations, named, is_replaced: arguments.output.is_none(), most_bytes };
    Ok(Prepared { edit, files, result, target: target.clone() })
}

/// A file that lies in memory and has no name.
pub(super) fn memory(bytes: &[u8]) -> Result<File, Failure> {
    let made = rustix::fs::memfd_create("gathering-picture", MemfdFlags::CLOEXEC)
        .map(File::from)
        .map_err(std::io::Error::from)
        .and_then(|mut file| {
            std::io::Write::write_all(&mut file, bytes)?;
            file.rewind()?;
            Ok(file)
        });
    made.map_err(|error| no_memory(&error))
}

fn no_memory(error: &std::io::Error) -> Failure {
    format!("there is no memory for the picture: {error}").into()
}

/// Has `edit` done on a picture that is held already. Gives what came of it, and the bytes of the result.
pub(super) async fn result_of(
    design: &Design,
    tool: &str,
    cx: &CallContext,
    edit: Edit,
    picture: Vec<u8>,
) -> Result<(Edited, Vec<u8>), Failure> {
    let most = design.config.max_file_bytes;
    let (files, result) = on_a_thread(move || {
        let result = memory(&[])?;
        let shared = result.try_clone().map_err(|error| no_memory(&error))?;
        Ok((vec![memory(&picture)?.into(), shared.into()], result))
    })
    .await?;
    let done = design.workers.run(tool, cx, edit, files).await?;
    let edited = done.map_err(|problem| problem.told("the picture that came"))?;
    let bytes = on_a_thread(move || written(result, most)).await?;
    Ok((edited, bytes))
}

/// What the worker has written.
fn written(mut result: File, most: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = result.rewind().and_then(|()| result.take(most as u64 + 1).read_to_end(&mut bytes));
    read.map_err(|error| Failure::new(format!("what the worker wrote cannot be read: {error}")))?;
    Ok(bytes)
}

fn base64_bytes(text: &str) -> Result<Vec<u8>, Failure> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|error| format!("the worker's preview cannot be read: {error}").into())
}

/// Why a picture was not changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Problem {
    /// The picture cannot be decoded.
    Unreadable(String),
    /// An operation cannot be done: which, and why.
    Operation { index: usize, word: String, reason: String },
    /// The result cannot be written.
    Unwritable(String),
}

impl Problem {
    fn told(self, path: &str) -> Failure {
        match self {
            Self::Unreadable(reason) => picture::unreadable(path, &reason),
            Self::Operation { index, word, reason } => operation::at(index, &word, Failure::new(reason)),
            Self::Unwritable(reason) => Failure::new(reason),
        }
    }
}
