//! `gathering files`: files of many formats, through the handlers of their formats.

use std::path::PathBuf;

use base64::Engine;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::on_client;
use crate::cli::{Global, Show};
use crate::client::{Client, query};
use crate::error::{CliError, Exit};
use crate::output::{items, members, plain, show, table, text};

const EXAMPLES: &str = "\
Examples:
  gathering files read report.docx
  gathering files read sales.csv --limit 20
  gathering files read sales.csv --statistics
  gathering files info photo.jpg
  gathering files preview slides.pptx --page 3 --output slide3.png
  gathering files convert budget.xlsx budget.csv

Paths are those of the server: relative to the folder that the plugin `documents` works in (its setting `base_path`). If no
handler is there, load that plugin: gathering plugins load documents";

/// Read, describe, show and convert files of many formats.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum Files {
    /// List the formats that are known, and the tools that handle them.
    #[command(visible_alias = "ls")]
    List {
        /// Only those for files with this ending, such as csv.
        #[arg(long)]
        extension: Option<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Print what is in a file: text, a table, data.
    Read {
        /// The file.
        path: String,
        #[command(flatten)]
        part: Part,
        /// Of a table, print facts about each column in place of its rows.
        #[arg(long)]
        statistics: bool,
        #[command(flatten)]
        show: Show,
    },
    /// Tell what a file is, without reading all of it.
    Info {
        /// The file.
        path: String,
        #[command(flatten)]
        show: Show,
    },
    /// Save a picture of what is in a file.
    Preview {
        /// The file.
        path: String,
        /// The page, slide or sheet, counted from 1.
        #[arg(long)]
        page: Option<u32>,
        /// The most pixels from left to right.
        #[arg(long)]
        width: Option<u32>,
        /// The most pixels from top to bottom.
        #[arg(long)]
        height: Option<u32>,
        /// Where to save the picture; by default beside where this runs, under the name of the file and `.preview.png`.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        show: Show,
    },
    /// Write the content of a file as a file of another format, which the ending of OUTPUT names.
    Convert {
        /// The file.
        path: String,
        /// The file to write.
        output: String,
        /// Replace a file that is there.
        #[arg(long)]
        overwrite: bool,
        #[command(flatten)]
        part: Part,
        #[command(flatten)]
        show: Show,
    },
}

/// What of a file is meant.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Part {
    /// Only this page or slide, counted from 1.
    #[arg(long)]
    page: Option<u32>,
    /// The sheet, by its name or number.
    #[arg(long)]
    sheet: Option<String>,
    /// Only these cells, such as B2:D10.
    #[arg(long)]
    range: Option<String>,
    /// Of an archive, the member.
    #[arg(long)]
    entry: Option<String>,
    /// How many lines, rows, pages or members to leave out at the beginning.
    #[arg(long)]
    offset: Option<u64>,
    /// The most of them.
    #[arg(long)]
    limit: Option<u64>,
    /// Of a text, its encoding.
    #[arg(long)]
    encoding: Option<String>,
}

impl Part {
    fn body(&self, path: &str) -> Value {
        let Self { page, sheet, range, entry, offset, limit, encoding } = self;
        given(
            path,
            [
                ("page", json!(page)),
                ("sheet", json!(sheet)),
                ("range", json!(range)),
                ("entry", json!(entry)),
                ("offset", json!(offset)),
                ("limit", json!(limit)),
                ("encoding", json!(encoding)),
            ],
        )
    }
}

/// A body of the options that were given.
fn given<const N: usize>(path: &str, options: [(&str, Value); N]) -> Value {
    let mut body = Map::new();
    body.insert("path".into(), path.into());
    let options = options.into_iter().filter(|(_, value)| !value.is_null());
    body.extend(options.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(body)
}

impl Files {
    pub(crate) fn show(&self) -> Show {
        match self {
            Self::List { show, .. }
            | Self::Read { show, .. }
            | Self::Info { show, .. }
            | Self::Preview { show, .. }
            | Self::Convert { show, .. } => *show,
        }
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        on_client(global, async |client| self.act(client).await).await
    }

    async fn act(&self, client: &Client) -> Result<(), CliError> {
        let as_json = self.show().json;
        match self {
            Self::List { extension, .. } => {
                let query = query(&[("extension", extension.as_deref())]);
                let answer = client.get(&format!("/file-handlers{query}")).await?;
                show(as_json, &answer, |out| {
                    let row = |found: &Value| {
                        let does: Vec<&str> = found["tools"]
                            .as_object()
                            .into_iter()
                            .flatten()
                            .map(|(does, _)| does.as_str())
                            .collect();
                        [
                            text(found, "name"),
                            text(found, "plugin_id"),
                            does.join(" "),
                            text(found, "extensions"),
                        ]
                    };
                    let rows: Vec<_> = items(&answer, "file_handlers").iter().map(row).collect();
                    table(out, ["FORMAT", "PLUGIN", "CAN", "FILES"], &rows)
                })
            }
            Self::Read { path, part, statistics, .. } => {
                let mut body = part.body(path);
                if *statistics {
                    body["statistics"] = true.into();
                }
                let answer = done(client.post("/files/read", &body).await?)?;
                show(as_json, &answer, |out| {
                    let result = &answer["result"];
                    match (&result["text"], &result["table"], result) {
                        (_, _, Value::String(text)) | (Value::String(text), _, _) => {
                            writeln!(out, "{}", plain(text))?
                        }
                        (_, found @ Value::Object(_), _) => write_table(out, found)?,
                        _ if !result["value"].is_null() => writeln!(out, "{:#}", result["value"])?,
                        _ => writeln!(out, "{result:#}")?,
                    }
                    for note in items(result, "notes") {
                        writeln!(out, "({})", plain(note.as_str().unwrap_or_default()))?;
                    }
                    if let Some(Value::Object(more)) = result.get("more") {
                        let flags = more.iter().filter(|(name, _)| *name != "position");
                        let flags: Vec<_> = flags.map(|(name, value)| format!("--{name} {value}")).collect();
                        writeln!(out, "(there is more: {})", flags.join(" "))?;
                    }
                    Ok(())
                })
            }
            Self::Info { path, .. } => {
                let answer = done(client.post("/files/info", &given(path, [])).await?)?;
                show(as_json, &answer, |out| {
                    let result = &answer["result"];
                    members(out, result, &["path", "format", "named_like", "size"])?;
                    let facts = result["info"].as_object().cloned().unwrap_or_default();
                    let names: Vec<&str> = facts.keys().map(String::as_str).collect();
                    members(out, &result["info"], &names)
                })
            }
            Self::Preview { path, page, width, height, output, .. } => {
                let body =
                    given(path, [("page", json!(page)), ("width", json!(width)), ("height", json!(height))]);
                let answer = done(client.post("/files/preview", &body).await?)?;
                let image = items(&answer, "content").iter().find(|part| part["type"] == "image");
                let data = image.and_then(|part| part["data"].as_str()).unwrap_or_default();
                let png =
                    base64::engine::general_purpose::STANDARD.decode(data).ok().filter(|png| !png.is_empty());
                let png = png.ok_or_else(|| {
                    CliError::new(Exit::Failed, "no_picture", format!("the tool gave no picture of `{path}`"))
                })?;
                let name = path.rsplit('/').next().unwrap_or(path);
                let file = output.clone().unwrap_or_else(|| format!("{name}.preview.png").into());
                std::fs::write(&file, png).map_err(|error| {
                    let what = format!("`{}` could not be written: {error}", file.display());
                    CliError::new(Exit::Failed, "not_written", what)
                })?;
                let saved = json!({"saved": file, "preview": answer["result"]});
                show(as_json, &saved, |out| writeln!(out, "{}", file.display()))
            }
            Self::Convert { path, output, overwrite, part, .. } => {
                let mut body = part.body(path);
                body["output"] = output.as_str().into();
                if *overwrite {
                    body["overwrite"] = true.into();
                }
                let answer = done(client.post("/files/convert", &body).await?)?;
                show(as_json, &answer, |out| {
                    members(out, &answer["result"], &["path", "format", "bytes", "notes"])
                })
            }
        }
    }
}

/// The answer, unless the tool failed.
fn done(answer: Value) -> Result<Value, CliError> {
    if answer["is_error"] == true { Err(CliError::from_tool(answer)) } else { Ok(answer) }
}

/// A table with tabs, which other programs can take on.
fn write_table(out: &mut dyn std::io::Write, found: &Value) -> std::io::Result<()> {
    let line = |cells: &Value| {
        let cell = |cell: &Value| match cell {
            Value::Null => String::new(),
            Value::String(text) => plain(text).replace(['\t', '\n', '\r'], " "),
            other => other.to_string(),
        };
        cells.as_array().into_iter().flatten().map(cell).collect::<Vec<_>>().join("\t")
    };
    writeln!(out, "{}", line(&found["columns"]))?;
    items(found, "rows").iter().try_for_each(|row| writeln!(out, "{}", line(row)))
}
