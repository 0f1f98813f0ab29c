//! `figma_inspect` and `figma_export`: what is in a Figma file, and pictures of its parts, by Figma's REST API.
//!
//! The API: <https://developers.figma.com/docs/rest-api/>.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gathering_core::CallContext;
use reqwest::header::HeaderName;
use reqwest::{RequestBuilder, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::color::Color;
use super::{Design, on_a_thread};
use crate::Failure;
use crate::http::{Answer, Http, HttpError, below, secret_header, service_address};

/// The secret with the token.
pub(super) const SECRET: &str = "FIGMA_TOKEN";
/// The most bytes of an answer that describes a file.
const MAX_ANSWER: usize = 32 << 20;
/// The most nodes that are told.
const MAX_NODES: usize = 2_000;

/// Figma's service.
pub(super) struct Figma {
    http: Http,
    address: Url,
}

impl Figma {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let address = service_address(url).map_err(|error| format!("figma_url: {error}"))?;
        Ok(Self { http: Http::new(Duration::from_secs(60))?, address })
    }

    async fn get(&self, path: &[&str], query: &[(&str, String)], design: &Design) -> Result<Answer, Failure> {
        let token = design.secret(SECRET).await?.ok_or_else(|| {
            format!(
                "there is no token for Figma: the operator sets it with `gathering secrets set {SECRET}` and allows it with \
                 `gathering plugins grant design secret={SECRET}`"
            )
        })?;
        let mut address = below(&self.address, path);
        address.query_pairs_mut().extend_pairs(query);
        let request = secret_header(self.http.get(address), HeaderName::from_static("x-figma-token"), &token);
        self.send(request.map_err(told)?, MAX_ANSWER).await
    }

    async fn send(&self, request: RequestBuilder, most: usize) -> Result<Answer, Failure> {
        self.http.send(request, most).await.map_err(told)
    }
}

fn told(error: HttpError) -> Failure {
    let hint = match error {
        HttpError::Status { status: 403, .. } => ": the token may not read this file",
        HttpError::Status { status: 404, .. } => {
            ": check `file_key`, the part of the file's address after `/design/`"
        }
        _ => "",
    };
    Failure::new(format!("{error}{hint}"))
}

pub(super) fn definitions() -> [Value; 2] {
    let file_key = json!({"type": "string", "pattern": "^[A-Za-z0-9]{1,128}$", "description": "The file: the part of its address \
        after `/design/` or `/file/`"});
    [
        json!({
            "name": "figma_inspect",
            "description": "Reads the structure of a Figma file, or of one node in it: names, kinds, places, sizes, colours and \
                texts. The operator gives a token as the secret FIGMA_TOKEN.",
            "category": "image",
            "required_competencies": ["graphic_design"],
            "parameters": {
                "type": "object",
                "properties": {
                    "file_key": file_key,
                    "node": {"type": "string", "pattern": "^[0-9A-Za-z:;-]{1,200}$", "description": "Only this node, such as \
                        `1:5`"},
                    "depth": {"type": "integer", "default": 3, "minimum": 1, "maximum": 10, "description": "How many levels"},
                },
                "required": ["file_key"],
                "additionalProperties": false,
            },
            "returns": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "Of the file"},
                    "last_modified": {"type": "string", "description": "ISO 8601"},
                    "version": {"type": "string"},
                    "nodes": {"type": "array", "items": {"type": "object"}, "description": "Each with id, name, type, and where \
                        there are x, y, width, height, fill, text, children"},
                    "truncated": {"type": "boolean", "description": "Whether there are more nodes than are told"},
                },
                "required": ["name", "nodes", "truncated"],
            },
            "examples": [{"needs": "a token", "arguments": {"file_key": "AbC123", "node": "1:5"}}],
            "annotations": {"read_only": true, "destructive": false, "idempotent": true, "open_world": true},
        }),
        json!({
            "name": "figma_export",
            "description": "Exports nodes of a Figma file as pictures into the working folder, one file each.",
            "category": "image",
            "required_competencies": ["graphic_design"],
            "parameters": {
                "type": "object",
                "properties": {
                    "file_key": file_key,
                    "nodes": {
                        "type": "array", "minItems": 1, "maxItems": 50,
                        "items": {"type": "string", "pattern": "^[0-9A-Za-z:;-]{1,200}$"},
                        "description": "The ids of nodes, as `figma_inspect` tells them",
                    },
                    "format": {"type": "string", "enum": ["png", "jpg", "svg", "pdf"], "default": "png", "description": "Of the \
                        pictures"},
                    "scale": {"type": "number", "default": 1, "minimum": 0.01, "maximum": 4, "description": "Pixels for each of \
                        the design; for png and jpg"},
                    "folder": {"type": "string", "default": "figma", "minLength": 1, "description": "Where to save"},
                    "overwrite": {"type": "boolean", "default": false, "description": "Whether files that are there are \
                        replaced"},
                },
                "required": ["file_key", "nodes"],
                "additionalProperties": false,
            },
            "returns": {
                "type": "object",
                "properties": {
                    "files": {"type": "array", "items": {"type": "object"}, "description": "Each with node, path and bytes"},
                },
                "required": ["files"],
            },
            "examples": [{"needs": "a token", "arguments": {"file_key": "AbC123", "nodes": ["1:5"], "scale": 2}}],
            "annotations": {"read_only": false, "destructive": true, "idempotent": true, "open_world": true},
        }),
    ]
}

#[derive(Deserialize)]
pub(super) struct Inspect {
    file_key: String,
    node: Option<String>,
    depth: usize,
}

#[derive(Deserialize)]
struct File {
    name: String,
    #[serde(rename = "lastModified", default)]
    last_modified: String,
    #[serde(default)]
    version: String,
    document: Option<Value>,
    #[serde(default)]
    nodes: BTreeMap<String, Option<Holder>>,
}

#[derive(Deserialize)]
struct Holder {
    document: Value,
}

pub(super) async fn figma_inspect(
    design: Arc<Design>,
    wanted: Inspect,
    _: CallContext,
) -> Result<Value, Failure> {
    let figma = &design.figma;
    let answer = match &wanted.node {
        Some(node) => {
            let query = [("ids", node.clone()), ("depth", wanted.depth.to_string())];
            figma.get(&["v1", "files", &wanted.file_key, "nodes"], &query, &design).await?
        }
        None => {
            let query = [("depth", wanted.depth.to_string())];
            figma.get(&["v1", "files", &wanted.file_key], &query, &design).await?
        }
    };
    let file: File = answer.json().map_err(told)?;
    let root = match (file.document, &wanted.node) {
        (Some(document), _) => document,
        (None, Some(node)) => match file.nodes.into_values().flatten().next() {
            Some(holder) => holder.document,
            None => return Err(format!("the file has no node `{node}`").into()),
        },
        (None, None) => return Err(told(answer.unexpected("expected a `document`"))),
    };
    let mut left = MAX_NODES;
    let told = described(&root, wanted.depth, &mut left);
    Ok(json!({
        "name": file.name,
        "last_modified": file.last_modified,
        "version": file.version,
        "nodes": told.into_iter().collect::<Vec<_>>(),
        "truncated": left == 0,
    }))
}

/// A node with what a designer would ask of it; none where enough was told.
fn described(node: &Value, depth: usize, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    let mut told = json!({"id": node["id"], "name": node["name"], "type": node["type"]});
    if let Some(place) = node["absoluteBoundingBox"].as_object() {
        for side in ["x", "y", "width", "height"] {
            told[side] = place.get(side).cloned().unwrap_or_default();
        }
    }
    if let Some(fill) = node["fills"].as_array().and_then(|fills| fills.iter().find_map(solid)) {
        told["fill"] = fill.into();
    }
    if let Some(text) = node["characters"].as_str() {
        told["text"] = text.into();
    }
    if depth > 0
        && let Some(children) = node["children"].as_array().filter(|children| !children.is_empty())
    {
        told["children"] = children.iter().map_while(|child| described(child, depth - 1, left)).collect();
    }
    Some(told)
}

/// A fill of one colour that can be seen, as hex.
fn solid(fill: &Value) -> Option<String> {
    if fill["type"] != "SOLID" || fill["visible"] == false {
        return None;
    }
    let channel = |name| fill["color"][name].as_f64().map(|value: f64| value.clamp(0.0, 1.0));
    let color = palette::Srgb::new(channel("r")?, channel("g")?, channel("b")?);
    Some(Color(color.into_format()).hex())
}

#[derive(Deserialize)]
pub(super) struct Export {
    file_key: String,
    nodes: Vec<String>,
    format: String,
    scale: f64,
    folder: String,
    overwrite: bool,
}

#[derive(Deserialize)]
struct Images {
    err: Option<String>,
    #[serde(default)]
    images: BTreeMap<String, Option<String>>,
}

pub(super) async fn figma_export(
    design: Arc<Design>,
    wanted: Export,
    _: CallContext,
) -> Result<Value, Failure> {
    let figma = &design.figma;
    let query = [
        ("ids", wanted.nodes.join(",")),
        ("format", wanted.format.clone()),
        ("scale", wanted.scale.to_string()),
    ];
    let answer = figma.get(&["v1", "images", &wanted.file_key], &query, &design).await?;
    let made: Images = answer.json().map_err(told)?;
    if let Some(error) = made.err {
        return Err(format!("Figma could not draw them: {error}").into());
    }
    let mut pictures = Vec::new();
    for node in &wanted.nodes {
        let Some(url) = made.images.get(node).and_then(Option::as_ref) else {
            return Err(format!(
                "Figma draws no picture of the node `{node}`: it is not there, or shows nothing"
            )
            .into());
        };
        let address = service_address(url).map_err(told)?;
        // The pictures lie with another service, which is not told the token.
        if address.scheme() != "https" && address.origin() != figma.address.origin() {
            return Err(told(
                answer.unexpected("a picture is at an address that is neither https nor its own"),
            ));
        }
        let picture = figma.send(figma.http.get(address), design.config.max_file_bytes).await?;
        pictures.push((node.clone(), picture.body));
    }
    let Export { format, folder, overwrite, .. } = wanted;
    let saver = design.clone();
    on_a_thread(move || {
        let mut files = Vec::new();
        for (node, bytes) in pictures {
            let name: String =
                node.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
            let path = format!("{}/{name}.{format}", folder.trim_end_matches('/'));
            saver.save(&path, &bytes, overwrite)?;
            files.push(json!({"node": node, "path": path, "bytes": bytes.len()}));
        }
        Ok(json!({"files": files}))
    })
    .await
}
