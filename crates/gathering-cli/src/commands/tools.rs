//! `gathering tools`: the tools that can be called.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::on_client;
use crate::cli::{Global, Show};
use crate::client::{query, segment};
use crate::error::CliError;
use crate::output::{HEAD, HINT, items, members, plain, show, table, text};

/// See the tools that can be called.
#[derive(Debug, Subcommand)]
pub(crate) enum Tools {
    /// List tools.
    #[command(visible_alias = "ls", after_help = "Example: gathering tools list --plugin core --json")]
    List(List),
    /// Find tools by what they are for, the best first.
    #[command(after_help = "Example: gathering tools search what has changed in the repository")]
    Search {
        /// What you want to do, in plain words, or a tool's name.
        #[arg(required = true)]
        query: Vec<String>,
        /// How many tools to show at most.
        #[arg(long, default_value_t = 10)]
        limit: u16,
        #[command(flatten)]
        show: Show,
    },
    /// Show a tool: what it does, takes and gives back.
    Show {
        /// The tool.
        name: String,
        #[command(flatten)]
        show: Show,
    },
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only tools of this category, such as filesystem.
    #[arg(long)]
    category: Option<String>,
    /// Only tools of this plugin.
    #[arg(long)]
    plugin: Option<String>,
    /// Only tools that require this competency.
    #[arg(long)]
    competency: Option<String>,
    /// As a model provider takes it, and as JSON: openai, anthropic or mcp.
    #[arg(long, value_parser = ["openai", "anthropic", "mcp"])]
    format: Option<String>,
    #[command(flatten)]
    show: Show,
}

impl Tools {
    pub(crate) fn show(&self) -> Show {
        match self {
            Self::List(List { show, .. }) | Self::Search { show, .. } | Self::Show { show, .. } => *show,
        }
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        on_client(global, async |client| match self {
            Self::List(list) => {
                let query = query(&[
                    ("category", list.category.as_deref()),
                    ("plugin", list.plugin.as_deref()),
                    ("competency", list.competency.as_deref()),
                    ("format", list.format.as_deref()),
                    ("limit", Some("10000")),
                ]);
                let answer = client.get(&format!("/tools{query}")).await?;
                show(list.show.json || list.format.is_some(), &answer, |out| write_list(out, &answer))
            }
            Self::Search { query: words, limit, show: as_json } => {
                let (words, limit) = (words.join(" "), limit.to_string());
                let query = query(&[("q", Some(&words)), ("limit", Some(&limit))]);
                let answer = client.get(&format!("/tools{query}")).await?;
                show(as_json.json, &answer, |out| match items(&answer, "tools") {
                    [] => writeln!(out, "no tool is about that; `gathering tools list` shows all"),
                    _ => write_list(out, &answer),
                })
            }
            Self::Show { name, show: as_json } => {
                let answer = client.get(&format!("/tools/{}", segment(name))).await?;
                show(as_json.json, &answer, |out| write_tool(out, &answer))
            }
        })
        .await
    }
}

pub(super) fn write_list(out: &mut dyn Write, answer: &Value) -> io::Result<()> {
    let rows: Vec<_> = items(answer, "tools")
        .iter()
        .map(|tool| ["name", "plugin_id", "status", "category", "description"].map(|name| text(tool, name)))
        .collect();
    if rows.is_empty() {
        return writeln!(out, "no tools; `gathering plugins list` shows what can be loaded");
    }
    table(out, ["TOOL", "PLUGIN", "STATUS", "CATEGORY", "DESCRIPTION"], &rows)?;
    let (listed, total) =
        (rows.len() as u64, answer.get("total").and_then(Value::as_u64).unwrap_or_default());
    if total > listed {
        writeln!(out, "{HINT}and {} more{HINT:#}", total - listed)?;
    }
    Ok(())
}

fn write_tool(out: &mut dyn Write, tool: &Value) -> io::Result<()> {
    members(out, tool, &["name", "plugin_id", "status", "category", "tier", "required_competencies"])?;
    let description = tool.get("description").and_then(Value::as_str).unwrap_or_default();
    writeln!(out, "\n{}", plain(description))?;
    for (heading, name) in [("Takes", "parameters"), ("Gives back", "returns"), ("Examples", "examples")] {
        let value = tool.get(name).unwrap_or(&Value::Null);
        let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty)
            || value.as_array().is_some_and(Vec::is_empty)
            || value.is_null()
            || value.is_boolean();
        if !is_empty {
            writeln!(out, "\n{HEAD}{heading}{HEAD:#}\n{}", plain(&format!("{value:#}")))?;
        }
    }
    Ok(())
}
