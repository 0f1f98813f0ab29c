//! `gathering competencies`: the skills that agents can hold.

use std::io::{self, Write};

use clap::Subcommand;
use serde_json::Value;

use super::on_client;
use crate::cli::{Global, Show};
use crate::client::{query, segment};
use crate::error::CliError;
use crate::output::{HEAD, items, members, plain, show, table, text};

/// See the competencies that agents can hold.
#[derive(Debug, Subcommand)]
pub(crate) enum Competencies {
    /// List competencies.
    #[command(visible_alias = "ls")]
    List {
        /// Only those of this category, such as programming.
        #[arg(long)]
        category: Option<String>,
        /// Only those of this level: novice, intermediate, advanced or expert.
        #[arg(long)]
        level: Option<String>,
        /// Only those that this plugin brought.
        #[arg(long)]
        plugin: Option<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Show a competency, what it builds on and what builds on it, and its instructions.
    Show {
        /// The competency.
        id: String,
        #[command(flatten)]
        show: Show,
    },
    /// Show what to learn to hold a competency, in order.
    Path {
        /// The competency.
        id: String,
        #[command(flatten)]
        show: Show,
    },
}

impl Competencies {
    pub(crate) fn show(&self) -> Show {
        match self {
            Self::List { show, .. } | Self::Show { show, .. } | Self::Path { show, .. } => *show,
        }
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        let as_json = self.show().json;
        on_client(global, async |client| match self {
            Self::List { category, level, plugin, .. } => {
                let query = query(&[
                    ("category", category.as_deref()),
                    ("level", level.as_deref()),
                    ("plugin", plugin.as_deref()),
                ]);
                let answer = client.get(&format!("/competencies{query}")).await?;
                show(as_json, &answer, |out| {
                    let rows: Vec<_> = items(&answer, "competencies")
                        .iter()
                        .map(|found| {
                            ["id", "level", "category", "plugin_id", "prerequisites"]
                                .map(|name| text(found, name))
                        })
                        .collect();
                    table(out, ["COMPETENCY", "LEVEL", "CATEGORY", "PLUGIN", "BUILDS ON"], &rows)
                })
            }
            Self::Show { id, .. } => {
                let mut answer = client.get(&format!("/competencies/{}", segment(id))).await?;
                let path = format!("/competencies/{}/instructions", segment(id));
                let instructions = match answer.get("instructions") {
                    Some(_) => Some(client.get(&path).await?),
                    None => None,
                };
                if let Some(read) = &instructions {
                    answer["instructions"] = read.clone();
                }
                show(as_json, &answer, |out| {
                    members(
                        out,
                        &answer,
                        &[
                            "id",
                            "name",
                            "description",
                            "level",
                            "category",
                            "plugin_id",
                            "all_prerequisites",
                            "dependents",
                            "capabilities",
                            "tools_enabled",
                        ],
                    )?;
                    match &instructions {
                        Some(read) => write_instructions(out, read),
                        None => Ok(()),
                    }
                })
            }
            Self::Path { id, .. } => {
                let answer = client.get(&format!("/competencies/{}/learning-path", segment(id))).await?;
                show(as_json, &answer, |out| {
                    for (number, step) in (1..).zip(items(&answer, "learning_path")) {
                        writeln!(out, "{number}. {}", plain(step.as_str().unwrap_or_default()))?;
                    }
                    Ok(())
                })
            }
        })
        .await
    }
}

fn write_instructions(out: &mut dyn Write, read: &Value) -> io::Result<()> {
    writeln!(out, "\n{HEAD}Instructions{HEAD:#}\n{}", plain(&text(read, "text")))?;
    let files: Vec<_> = items(read, "files").iter().filter_map(Value::as_str).map(plain).collect();
    if files.is_empty() { Ok(()) } else { writeln!(out, "\n{HEAD}Files{HEAD:#}\n{}", files.join("\n")) }
}
