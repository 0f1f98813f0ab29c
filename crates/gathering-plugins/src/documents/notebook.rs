//! Jupyter notebooks (nbformat 3 and 4), as Markdown with their pictures.

use base64::Engine;
use serde_json::{Map, Value, json};

use super::data::Data;
use super::decode::{may_be_text, whole};
use super::format::{Content, Format, FormatError, Png, Previewing, Reading, Source};
use super::picture;

/// The largest file, in bytes; pictures are in it.
const LARGEST: usize = 64 << 20;
/// The most pictures in one answer, and the most bytes of them.
const MOST_PICTURES: usize = 8;
const MOST_PICTURE_BYTES: usize = 2 << 20;

/// The format.
pub(super) struct Notebook;

impl Format for Notebook {
    fn name(&self) -> &'static str {
        "notebook"
    }

    fn description(&self) -> &'static str {
        "Jupyter notebooks as Markdown: text, code, what it printed, and its pictures"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["ipynb"]
    }

    fn media_types(&self) -> &'static [&'static str] {
        &["application/x-ipynb+json"]
    }

    fn recognises(&self, head: &[u8]) -> bool {
        let has = |word: &str| head.windows(word.len()).any(|window| window == word.as_bytes());
        may_be_text(head) && head.trim_ascii_start().starts_with(b"{") && has("\"cell_type\"")
    }

    fn has_marks(&self) -> bool {
        false
    }

    fn read(&self, source: &mut Source, options: &Reading) -> Result<Content, FormatError> {
        let notebook = parse(source)?;
        let (cells, language) = (cells(&notebook), language(&notebook));
        let offset = options.offset.unwrap_or(0);
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        if begin > 0 && begin >= cells.len() {
            let count = cells.len();
            return Err(FormatError::not_there(format!(
                "it has only {count} cells, and `offset` is {offset}"
            )));
        }
        let limit = options.limit.unwrap_or(u64::MAX);
        let (mut text, mut images, mut taken) = (String::new(), Vec::new(), 0u64);
        let (mut left_out, mut image_bytes) = (0, 0);
        for cell in cells.iter().skip(begin) {
            let (written, pictures) = write(cell, &language);
            if taken == limit || text.len() + written.len() > options.most() && taken > 0 {
                break;
            }
            text.push_str(&written);
            taken += 1;
            for picture in pictures {
                image_bytes += picture.len();
                if images.len() < MOST_PICTURES && image_bytes <= MOST_PICTURE_BYTES {
                    images.push(Png(picture));
                } else {
                    left_out += 1;
                }
            }
        }
        text.truncate(text.floor_char_boundary(options.most()));
        let end = offset + taken;
        let more = (end < cells.len() as u64).then(|| json!({"offset": end}));
        let mut notes = Vec::new();
        if left_out > 0 {
            notes.push(format!("{left_out} pictures were left out: read fewer cells at a time"));
        }
        Ok(Content { text: Some(text), images, more, notes, ..Content::default() })
    }

    fn info(&self, source: &mut Source) -> Result<Map<String, Value>, FormatError> {
        let notebook = parse(source)?;
        let cells = cells(&notebook);
        let of = |kind: &str| cells.iter().filter(|cell| cell["cell_type"] == kind).count();
        let errors = cells.iter().flat_map(outputs).filter(|output| output["output_type"] == "error").count();
        let Value::Object(facts) = json!({
            "language": language(&notebook),
            "kernel": notebook["metadata"]["kernelspec"]["display_name"],
            "nbformat": format!("{}.{}", notebook["nbformat"], notebook["nbformat_minor"]),
            "cells": cells.len(),
            "code_cells": of("code"),
            "markdown_cells": of("markdown"),
            "outputs": cells.iter().map(|cell| outputs(cell).count()).sum::<usize>(),
            "errors": errors,
        }) else {
            unreachable!("it is an object");
        };
        Ok(facts)
    }

    fn preview(&self, source: &mut Source, options: &Previewing) -> Result<Vec<u8>, FormatError> {
        let reading = Reading { max_bytes: Some(64 << 10), ..Reading::default() };
        picture::markdown(&self.read(source, &reading)?.text.unwrap_or_default(), options)
    }
}

fn parse(source: &mut Source) -> Result<Value, FormatError> {
    let notebook = Data::Json.value(&whole(source, Some("utf-8"), LARGEST)?)?;
    match notebook["nbformat"].as_u64() {
        Some(3 | 4) => Ok(notebook),
        Some(other) => Err(FormatError::unsupported(format!("it has nbformat {other}; 3 and 4 are read"))),
        None => Err(FormatError::not_this_format("it is JSON without `nbformat`, and so no notebook")),
    }
}

/// Its cells; those of nbformat 3 lie in worksheets.
fn cells(notebook: &Value) -> Vec<&Value> {
    let sheets = notebook["worksheets"].as_array().into_iter().flatten();
    let own = notebook["cells"].as_array().into_iter().flatten();
    own.chain(sheets.flat_map(|sheet| sheet["cells"].as_array().into_iter().flatten())).collect()
}

fn language(notebook: &Value) -> String {
    let metadata = &notebook["metadata"];
    let said = [&metadata["language_info"]["name"], &metadata["kernelspec"]["language"]];
    said.iter().find_map(|name| name.as_str()).unwrap_or("python").to_owned()
}

fn outputs<'a>(cell: &&'a Value) -> impl Iterator<Item = &'a Value> + use<'a> {
    cell["outputs"].as_array().into_iter().flatten()
}

/// A text that is one string or a list of lines.
fn joined(value: &Value) -> String {
    match value {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        value => value.as_str().unwrap_or_default().to_owned(),
    }
}

/// A cell as Markdown, and the pictures that it made.
fn write(cell: &&Value, language: &str) -> (String, Vec<Vec<u8>>) {
    let source = if cell["source"].is_null() { joined(&cell["input"]) } else { joined(&cell["source"]) };
    let mut pictures = Vec::new();
    if cell["cell_type"] != "code" {
        let fence =
            if cell["cell_type"] == "markdown" || cell["cell_type"] == "heading" { "" } else { "```\n" };
        return (format!("{fence}{}\n{fence}\n", source.trim_end()), pictures);
    }
    let mut text = format!("```{language}\n{}\n```\n", source.trim_end());
    for output in outputs(cell) {
        let data = &output["data"];
        let said = match output["output_type"].as_str() {
            Some("error" | "pyerr") => {
                format!("{}: {}", joined(&output["ename"]), joined(&output["evalue"]))
            }
            Some("stream") => joined(&output["text"]),
            _ if !data["text/markdown"].is_null() => joined(&data["text/markdown"]),
            _ if !data["text/plain"].is_null() => joined(&data["text/plain"]),
            _ => joined(&output["text"]),
        };
        if !said.trim().is_empty() {
            text.push_str(&format!("\n```output\n{}\n```\n", said.trim_end()));
        }
        for encoded in [&data["image/png"], &output["png"]] {
            let encoded: String = joined(encoded).split_whitespace().collect();
            match base64::engine::general_purpose::STANDARD.decode(encoded) {
                Ok(png) if png.starts_with(b"\x89PNG") => pictures.push(png),
                _ => {}
            }
        }
    }
    text.push('\n');
    (text, pictures)
}
