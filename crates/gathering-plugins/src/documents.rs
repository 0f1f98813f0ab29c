//! The plugin `documents`: files of many formats, as content that an agent can use.

mod archive;
mod bitmap;
mod convert;
mod data;
mod decode;
mod drawing;
mod format;
mod html;
mod look;
mod markdown;
mod mesh;
mod notebook;
mod package;
mod pdf;
mod picture;
mod slides;
mod spreadsheet;
mod table;
mod text;
mod time;
mod tools;
mod word;
mod xml;

use std::sync::Arc;

use gathering_core::{LoadError, Plugin, PluginManifest};
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) use self::decode::may_be_text;
pub(crate) use self::look::Look;
use crate::base::{Base, Names};
use crate::worker::Workers;
use crate::{Builtin, NativePlugin, OwnPlaces};

/// The plugin. Whatever is in a file, `workers` see it first.
pub(crate) fn builtin(own: OwnPlaces, workers: Workers) -> Builtin {
    Builtin::new(manifest(), move |manifest, config| start(manifest, config, &own, &workers))
}

fn manifest() -> PluginManifest {
    let manifest = json!({
        "metadata": {
            "id": "documents",
            "name": "Documents",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reads, describes, shows and converts files of many formats: text and data, tables, office \
                documents, notebooks, archives, pictures, CAD",
            "author": "GatheRing Team",
            "license": "MIT OR Apache-2.0",
            "tags": ["files", "documents", "tables", "data"],
            "config_schema": {
                "base_path": {
                    "type": "string",
                    "default": ".",
                    "description": "The folder inside which the tools work; they cannot leave it",
                },
                "protected": crate::core::protected_schema(),
                "private": crate::core::private_schema(),
            },
        },
        "tools": tools::definitions(),
        "competencies": [{
            "id": "document_processing",
            "name": "Document Processing",
            "description": "Reading, describing, showing and converting documents, tables, archives and other files",
            "category": "document_processing",
            "level": "novice",
            "capabilities": [
                "Read documents, spreadsheets, notebooks, archives and data files",
                "Look at a page or a table as a picture",
                "Take statistics of large tables",
                "Convert between formats",
            ],
            "tools_enabled": ["read_document", "document_info", "document_preview", "convert_document"],
        }],
        "file_handlers": format::all().iter().map(|format| json!({
            "name": format.name(),
            "description": format.description(),
            "extensions": extensions(*format),
            "media_types": format.media_types(),
            "tools": {
                "read": "read_document",
                "info": "document_info",
                "preview": "document_preview",
                "convert": "convert_document",
            },
        })).collect::<Vec<_>>(),
    });
    serde_json::from_value(manifest).expect("the manifest is part of the program, and a test reads it")
}

/// The endings of a format; plain text also takes what no other handler knows, since its tools go by content as well.
fn extensions(format: &dyn format::Format) -> Vec<&'static str> {
    let any = (format.name() == "text").then_some("*");
    format.extensions().iter().copied().chain(any).collect()
}

/// What the operator may set; the schema fills in what is left out.
#[derive(Deserialize)]
struct Config {
    base_path: String,
    protected: Vec<String>,
    private: Vec<String>,
}

/// What the tools share.
struct Documents {
    base: Base,
    protected: Names,
    workers: Workers,
}

fn start(
    manifest: PluginManifest,
    config: &Value,
    own: &OwnPlaces,
    workers: &Workers,
) -> Result<Box<dyn Plugin>, LoadError> {
    let config: Config = own.configure(config)?;
    let base = Base::open("documents", &config.base_path, &config.private)?;
    let documents =
        Arc::new(Documents { base, protected: Names::new(&config.protected), workers: workers.clone() });
    let [reads, informs, previews, converts] = std::array::from_fn(|_| documents.clone());
    let mut plugin = NativePlugin::new(manifest)
        .async_tool("read_document", move |arguments, cx| tools::read_document(reads.clone(), arguments, cx))
        .async_tool("document_info", move |arguments, cx| {
            tools::document_info(informs.clone(), arguments, cx)
        })
        .async_tool("document_preview", move |arguments, cx| {
            tools::document_preview(previews.clone(), arguments, cx)
        })
        .async_tool("convert_document", move |arguments, cx| {
            tools::convert_document(converts.clone(), arguments, cx)
        });
    for tool in ["read_document", "document_info", "document_preview", "convert_document"] {
        let workers = workers.clone();
        plugin = plugin.tier_of(tool, move || workers.tier());
    }
    plugin.finish()
}
