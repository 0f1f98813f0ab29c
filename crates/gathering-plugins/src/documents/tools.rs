//! The tools: they open the file, have a worker look at it, and say what it found.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use base64::Engine;
use gathering_core::{CallContext, Content as Part, ToolError, ToolOutput};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Documents;
use super::convert::{Target as Kind, extensions};
use super::format::{Content, FormatErrorCode, MOST_TEXT, Previewing, Reading};
use super::look::{Found, Look, Looked, NotLooked, Wanted};
use crate::Failure;
use crate::base::shown;
use crate::save::{Place, Target};

/// What each tool takes.
fn path() -> Value {
    json!({"type": "string", "description": "The file, relative to the working folder"})
}

/// What `read_document` and `convert_document` take beside their paths.
fn reading() -> Map<String, Value> {
    let Value::Object(reading) = json!({
        "page": {"type": "integer", "minimum": 1, "description": "Only this page or slide, counted from 1"},
        "sheet": {
            "type": "string",
            "description": "Of a workbook, the sheet by its name or its number, counted from 1; the first by default",
        },
        "range": {"type": "string", "description": "Of a sheet, only these cells, such as `B2:D10`"},
        "entry": {"type": "string", "description": "Of an archive, the member that is read, by its path in there"},
        "offset": {
            "type": "integer", "minimum": 0,
            "description": "How many lines, rows, pages, slides, cells or members are left out at the beginning",
        },
        "limit": {"type": "integer", "minimum": 1, "description": "The most of them that are returned"},
        "position": {
            "type": "integer", "minimum": 0,
            "description": "Only together with `offset`, and as `more` says it: where to go on in the file",
        },
        "encoding": {
            "type": "string",
            "description": "Of a text, such as `windows-1252`; found out by default",
        },
        "delimiter": {
            "type": "string", "minLength": 1, "maxLength": 1,
            "description": "What separates the fields of a CSV file, such as `;`; found out by default",
        },
        "header": {
            "type": "boolean",
            "description": "Whether the first row of a table names its columns; found out by default",
        },
    }) else {
        unreachable!("it is an object");
    };
    reading
}

pub(super) fn definitions() -> Value {
    let mut read = reading();
    read.insert(
        "statistics".into(),
        json!({
            "type": "boolean", "default": false,
            "description": "Of a table, facts about each column over all rows (type, count, nulls, minimum, maximum, \
                mean, standard deviation, most frequent values) in place of the rows",
        }),
    );
    read.insert(
        "max_bytes".into(),
        json!({
            "type": "integer", "minimum": 1, "maximum": MOST_TEXT, "default": 262_144,
            "description": "The most text that is returned, in bytes; `more` says how to get what follows",
        }),
    );
    let with_path = |first: Value, others: Map<String, Value>| {
        let Value::Object(mut all) = first else { unreachable!("it is an object") };
        all.extend(others);
        all
    };
    let read_only = json!({"read_only": true, "destructive": false, "idempotent": true, "open_world": false});
    json!([
        {
            "name": "read_document",
            "description": "Reads a file of any known format as content one can work with: documents as Markdown, tables \
                as columns and rows, data as data, archives as a list of what is in them. The format is found out by \
                content, then by name. A large file is read in parts: `more` in the result holds the arguments that \
                give what follows. Use `read_file` for source code that is to be edited.",
            "category": "document_processing",
            "required_competencies": ["document_processing"],
            "parameters": {
                "type": "object",
                "properties": with_path(json!({"path": path()}), read),
                "required": ["path"],
                "additionalProperties": false,
            },
            "returns": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "format": {"type": "string", "description": "The format of the file"},
                    "named_like": {"type": "string", "description": "The format that its name speaks of, if another"},
                    "text": {"type": "string", "description": "Its text, as Markdown where the format has structure"},
                    "table": {
                        "type": "object",
                        "description": "`columns`, `rows`, and `total`, the number of rows if that is known",
                    },
                    "value": {"description": "Its data"},
                    "more": {"type": "object", "description": "The arguments that give what follows; absent at the end"},
                    "notes": {"type": "array", "items": {"type": "string"}, "description": "What was left out, and why"},
                },
                "required": ["path", "format"],
            },
            "examples": [
                "read_document(path='report.docx')",
                "read_document(path='sales.csv', offset=1000, limit=100)",
                "read_document(path='sales.csv', statistics=True)",
                "read_document(path='budget.xlsx', sheet='2026', range='A1:D20')",
            ],
            "annotations": read_only,
        },
        {
            "name": "document_info",
            "description": "Tells what a file is without reading all of it: its format, size, and what the format knows \
                of itself, such as pages, sheets, columns, author, dimensions, encoding or members.",
            "category": "document_processing",
            "required_competencies": ["document_processing"],
            "parameters": {
                "type": "object",
                "properties": {"path": path()},
                "required": ["path"],
                "additionalProperties": false,
            },
            "returns": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "format": {"type": "string", "description": "The format of the file"},
                    "named_like": {"type": "string", "description": "The format that its name speaks of, if another"},
                    "size": {"type": "integer", "description": "In bytes"},
                    "info": {"type": "object", "description": "What the format knows of itself"},
                },
                "required": ["path", "format", "size", "info"],
            },
            "examples": ["document_info(path='report.pdf')"],
            "annotations": read_only,
        },
        {
            "name": "document_preview",
            "description": "Draws a picture (PNG) of what is in a file, as a person would see it: a page, a sheet, a \
                table, a text, a model.",
            "category": "document_processing",
            "required_competencies": ["document_processing"],
            "parameters": {
                "type": "object",
                "properties": {
                    "path": path(),
                    "page": {
                        "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 1,
                        "description": "The page, slide or sheet, counted from 1",
                    },
                    "width": {
                        "type": "integer", "minimum": 16, "maximum": 4096, "default": 1024,
                        "description": "The most pixels from left to right",
                    },
                    "height": {
                        "type": "integer", "minimum": 16, "maximum": 4096, "default": 1024,
                        "description": "The most pixels from top to bottom",
                    },
                },
                "required": ["path"],
                "additionalProperties": false,
            },
            "returns": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "format": {"type": "string", "description": "The format of the file"},
                    "named_like": {"type": "string", "description": "The format that its name speaks of, if another"},
                    "media_type": {"type": "string"},
                    "width": {"type": "integer", "description": "In pixels"},
                    "height": {"type": "integer", "description": "In pixels"},
                },
                "required": ["path", "format", "media_type", "width", "height"],
            },
            "examples": ["document_preview(path='slides.pptx', page=3)"],
            "annotations": read_only,
        },
        {
            "name": "convert_document",
            "description": "Writes the content of a file as a file of another format, which the ending of `output` \
                names: text and documents become `md` or `txt`, tables `csv`, `tsv`, `json`, `yaml` or `md`, data \
                `json`, `yaml` or `toml`, and everything that can be shown `png`.",
            "category": "document_processing",
            "required_competencies": ["document_processing"],
            "parameters": {
                "type": "object",
                "properties": with_path(
                    json!({
                        "path": path(),
                        "output": {
                            "type": "string",
                            "description": format!(
                                "The file to write, relative to the working folder. Its ending is one of {}",
                                extensions(),
                            ),
                        },
                        "overwrite": {
                            "type": "boolean", "default": false,
                            "description": "Whether a file that is there is replaced; otherwise it is left alone, with \
                                an error",
                        },
                    }),
                    reading(),
                ),
                "required": ["path", "output"],
                "additionalProperties": false,
            },
            "returns": {
                "type": "object",
                "properties": {
                    "path": {"type": "string", "description": "The file that was written"},
                    "format": {"type": "string", "description": "The format of the file that was read"},
                    "bytes": {"type": "integer", "description": "The size of the file that was written"},
                    "created": {"type": "boolean", "description": "Whether it was not there before"},
                    "notes": {"type": "array", "items": {"type": "string"}, "description": "What was left out, and why"},
                },
                "required": ["path", "format", "bytes", "created"],
            },
            "examples": ["convert_document(path='sales.xlsx', output='sales.csv')"],
            "annotations": {"read_only": false, "destructive": true, "idempotent": true, "open_world": false},
        },
    ])
}

#[derive(Deserialize)]
pub(super) struct Read {
    path: String,
    #[serde(flatten)]
    reading: Reading,
}

pub(super) async fn read_document(
    documents: Arc<Documents>,
    arguments: Read,
    cx: CallContext,
) -> Result<ToolOutput, Failure> {
    let Read { path, reading } = arguments;
    let looked = documents.look("read_document", &path, Wanted::Content(reading), None, &cx).await?;
    let mut value = head(&path, &looked);
    let Found::Content(content) = looked.found else { return Err(mixed_up(&cx)) };
    let parts = parts(&content);
    let Ok(Value::Object(mut members)) = serde_json::to_value(content) else { return Err(mixed_up(&cx)) };
    // They are parts of the result, and said once.
    members.remove("images");
    value.extend(members);
    Ok(ToolOutput { value: Value::Object(value), parts })
}

/// What a model is shown: text as it is, pictures as pictures, anything else as the value.
fn parts(content: &Content) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(text) = &content.text {
        parts.push(Part::Text { text: text.clone() });
    }
    if content.text.is_none() && content.images.is_empty() {
        return parts;
    }
    for rest in
        [content.table.as_ref().map(|table| json!(table)), content.value.clone()].into_iter().flatten()
    {
        parts.push(Part::Json { value: rest });
    }
    parts.extend(content.images.iter().map(|png| image(&png.0)));
    if let Some(more) = &content.more {
        parts.push(Part::Text { text: format!("(there is more: read on with {more})") });
    }
    parts.extend(content.notes.iter().map(|note| Part::Text { text: format!("({note})") }));
    parts
}

fn image(png: &[u8]) -> Part {
    let data = base64::engine::general_purpose::STANDARD.encode(png);
    Part::Image { data, media_type: "image/png".to_owned() }
}

#[derive(Deserialize)]
pub(super) struct Info {
    path: String,
}

pub(super) async fn document_info(
    documents: Arc<Documents>,
    arguments: Info,
    cx: CallContext,
) -> Result<Value, Failure> {
    let path = arguments.path;
    let (file, size) = documents.open(&path).await?;
    let looked = documents.look("document_info", &path, Wanted::Facts, Some((file, size)), &cx).await?;
    let mut value = head(&path, &looked);
    let Found::Facts(facts) = looked.found else { return Err(mixed_up(&cx)) };
    value.insert("size".into(), size.into());
    value.insert("info".into(), facts.into());
    Ok(Value::Object(value))
}

#[derive(Deserialize)]
pub(super) struct Preview {
    path: String,
    #[serde(flatten)]
    wanted: Previewing,
}

pub(super) async fn document_preview(
    documents: Arc<Documents>,
    arguments: Preview,
    cx: CallContext,
) -> Result<ToolOutput, Failure> {
    let Preview { path, wanted } = arguments;
    let looked = documents.look("document_preview", &path, Wanted::Picture(wanted), None, &cx).await?;
    let mut value = head(&path, &looked);
    let Found::Picture(png) = looked.found else { return Err(mixed_up(&cx)) };
    // PNG (RFC 2083): the signature, then the chunk IHDR, which begins with width and height.
    let side = |at: usize| {
        png.0.get(at..at + 4).map(|bytes| bytes.iter().fold(0, |all, byte| all << 8 | u32::from(*byte)))
    };
    let (Some(width), Some(height)) = (side(16), side(20)) else { return Err(mixed_up(&cx)) };
    value.insert("media_type".into(), "image/png".into());
    value.insert("width".into(), width.into());
    value.insert("height".into(), height.into());
    let said = Part::Json { value: Value::Object(value.clone()) };
    Ok(ToolOutput { value: Value::Object(value), parts: vec![image(&png.0), said] })
}

#[derive(Deserialize)]
pub(super) struct Convert {
    path: String,
    output: String,
    overwrite: bool,
    #[serde(flatten)]
    reading: Reading,
}

pub(super) async fn convert_document(
    documents: Arc<Documents>,
    arguments: Convert,
    cx: CallContext,
) -> Result<Value, Failure> {
    let Convert { path, output, overwrite, reading } = arguments;
    let kind = Kind::of(&output).ok_or_else(|| {
        format!("`{}` does not end like a format that can be written: {}", shown(&output), extensions())
    })?;
    let (file, size) = documents.open(&path).await?;
    let sharing = documents.clone();
    let given = output.clone();
    let (target, draft) = on_thread(move || {
        let Documents { base, protected, .. } = &*sharing;
        let target =
            Target::find(base, protected, Place { given: &given, create_parents: false, overwrite })?;
        let draft = target.draft()?;
        Ok((target, draft))
    })
    .await?;
    let copy = draft.file.try_clone().map_err(|error| format!("`{}`: {error}", shown(&output)))?;
    let look = Look { name: last(&path), size, wanted: Wanted::Conversion(kind, reading) };
    let files = vec![OwnedFd::from(file), copy.into()];
    let looked = documents.workers.run("convert_document", &cx, look, files).await?;
    let looked = looked.map_err(|failed| failure(&path, failed))?;
    let Found::Conversion(notes) = looked.found else { return Err(mixed_up(&cx)) };
    let mut value = json!({"path": output, "format": looked.format, "created": target.is_new()});
    value["bytes"] = on_thread(move || {
        let bytes = draft.file.metadata().map_err(|error| format!("the result is lost: {error}"))?.len();
        target.put(draft)?;
        Ok(bytes)
    })
    .await?
    .into();
    if !notes.is_empty() {
        value["notes"] = notes.into();
    }
    Ok(value)
}

impl Documents {
    /// Opens a file of the folder.
    async fn open(self: &Arc<Self>, path: &str) -> Result<(std::fs::File, u64), Failure> {
        let (sharing, path) = (self.clone(), path.to_owned());
        on_thread(move || {
            let file = sharing.base.open_file(&path)?;
            let size = file.metadata().map_err(|error| crate::base::io_failure(&path, &error))?.len();
            Ok((file, size))
        })
        .await
    }

    /// Has a worker look at a file.
    async fn look(
        self: &Arc<Self>,
        tool: &str,
        path: &str,
        wanted: Wanted,
        opened: Option<(std::fs::File, u64)>,
        cx: &CallContext,
    ) -> Result<Looked, Failure> {
        let (file, size) = match opened {
            Some(opened) => opened,
            None => self.open(path).await?,
        };
        let look = Look { name: last(path), size, wanted };
        let looked = self.workers.run(tool, cx, look, vec![file.into()]).await?;
        looked.map_err(|failed| failure(path, failed))
    }
}

/// Where blocking does not hold up others.
async fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure::new(format!("the tool was stopped: {error}")))?
}

fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

fn head(path: &str, looked: &Looked) -> Map<String, Value> {
    let mut head = Map::new();
    head.insert("path".into(), path.into());
    head.insert("format".into(), looked.format.as_str().into());
    if let Some(named) = &looked.named_like {
        head.insert("named_like".into(), named.as_str().into());
    }
    head
}

/// What is said of a file that could not be looked at.
fn failure(path: &str, failed: NotLooked) -> Failure {
    let NotLooked { format, error } = failed;
    let (path, code) = (shown(path), error.code.as_str());
    // What a parser says may quote the file.
    let message = shown(&error.message);
    match (format, error.code) {
        (_, FormatErrorCode::NotThere) | (None, _) => format!("`{path}`: {message} ({code})"),
        (Some(format), _) => format!("`{path}` (as {format}): {message} ({code})"),
    }
    .into()
}

/// The worker answered something else than it was asked.
fn mixed_up(cx: &CallContext) -> Failure {
    let reason = "it answered what nobody asked".to_owned();
    ToolError::ProtocolError { plugin: cx.plugin().clone(), reason }.into()
}
