//! `gathering plugins`: finding, loading, trying and unloading plugins.

mod dynamic;
mod permissions;
mod read;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::on_client;
use crate::arguments;
use crate::cli::{Global, Show};
use crate::client::{Client, segment};
use crate::error::{CliError, Exit};
use crate::output::{BAD, HINT, items, plain, show, table, text};
use crate::progress;

/// Find, load, enable, disable, reload and unload plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum Plugins {
    /// List the known plugins and where they stand.
    #[command(visible_alias = "ls")]
    List {
        /// Only plugins in this state.
        #[arg(long, value_parser = ["unloaded", "loaded", "enabled", "disabled", "error"])]
        status: Option<String>,
        #[command(flatten)]
        show: Show,
    },
    /// List the ids of the known plugins, loaded or not.
    Available {
        #[command(flatten)]
        show: Show,
    },
    /// Look for plugins in the plugin folders, or in one folder. Loads nothing.
    Discover {
        /// The folder to look in.
        folder: Option<PathBuf>,
        #[command(flatten)]
        show: Show,
    },
    /// Load a plugin, and first those that it needs: start it and register its tools.
    #[command(
        after_help = "Example: gathering plugins load weather --enable --with '{\"units\": \"metric\"}'"
    )]
    Load(Load),
    /// Offer the tools of a loaded plugin to agents.
    Enable(One),
    /// Refuse every call of a plugin's tools. This is kept over restarts.
    Disable(Cascading),
    /// Remove all that a plugin contributed, and stop it.
    Unload(Cascading),
    /// Run a plugin's code as it is now; if that fails, the old one goes on.
    Reload {
        /// The plugin.
        id: String,
        /// A new configuration, as a JSON object; else the one it has.
        #[arg(long, value_name = "OBJECT")]
        with: Option<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Make a plugin of the public functions of a Python file, and enable it.
    Create(dynamic::Make),
    /// Put another version of a plugin that was made of code in its place. If it fails, the old one goes on.
    Update(dynamic::Make),
    /// Go back to a version of before of a plugin that was made of code.
    Rollback(dynamic::Rollback),
    /// List the versions of a plugin that was made of code.
    Versions(One),
    /// Remove a plugin that was made of code, with its versions.
    #[command(visible_alias = "rm")]
    Remove(Cascading),
    /// Write a plugin that was made of code into a plugin folder.
    Save(dynamic::Save),
    /// Make a plugin that an agent made yours: its tools are for every agent that holds what they require.
    Promote(One),
    /// Show a plugin.
    #[command(visible_alias = "show")]
    Info(One),
    /// Ask a plugin, or every loaded one, how it feels. Fails if one is unhealthy.
    Health {
        /// The plugin; all if absent.
        id: Option<String>,
        #[command(flatten)]
        show: Show,
    },
    /// Show what a plugin asks to touch, what it is allowed, and the command that allows the rest.
    Permissions(One),
    /// Allow a plugin to touch more. A loaded one is reloaded, and loses no call.
    Grant(permissions::Grant),
    /// Take back what was granted. A loaded plugin is reloaded, and loses no call.
    Revoke(permissions::Revoke),
    /// Show the end of what a plugin printed.
    #[command(visible_alias = "log")]
    Logs {
        /// The plugin.
        id: String,
        /// How much of its end, in bytes.
        #[arg(long, default_value_t = 65_536)]
        bytes: u64,
        #[command(flatten)]
        show: Show,
    },
    /// Count plugins and what they contribute.
    Stats {
        #[command(flatten)]
        show: Show,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Load {
    /// The plugin.
    id: String,
    /// Offer its tools to agents too.
    #[arg(long)]
    enable: bool,
    /// Its configuration, as a JSON object; else the one it had last.
    #[arg(long, value_name = "OBJECT")]
    with: Option<String>,
    /// Refuse if a plugin that it needs is not loaded, instead of loading it first.
    #[arg(long)]
    alone: bool,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// The plugin.
    id: String,
    #[command(flatten)]
    show: Show,
}

#[derive(Debug, Args)]
pub(crate) struct Cascading {
    /// The plugin.
    id: String,
    /// Do it first to the plugins that need this one, instead of refusing with their names.
    #[arg(long)]
    cascade: bool,
    #[command(flatten)]
    show: Show,
}

impl Plugins {
    pub(crate) fn show(&self) -> Show {
        match self {
            Self::List { show, .. }
            | Self::Available { show }
            | Self::Discover { show, .. }
            | Self::Load(Load { show, .. })
            | Self::Create(dynamic::Make { show, .. })
            | Self::Update(dynamic::Make { show, .. })
            | Self::Rollback(dynamic::Rollback { show, .. })
            | Self::Versions(One { show, .. })
            | Self::Remove(Cascading { show, .. })
            | Self::Save(dynamic::Save { show, .. })
            | Self::Promote(One { show, .. })
            | Self::Enable(One { show, .. })
            | Self::Info(One { show, .. })
            | Self::Permissions(One { show, .. })
            | Self::Grant(permissions::Grant { show, .. })
            | Self::Revoke(permissions::Revoke { show, .. })
            | Self::Disable(Cascading { show, .. })
            | Self::Unload(Cascading { show, .. })
            | Self::Reload { show, .. }
            | Self::Health { show, .. }
            | Self::Logs { show, .. }
            | Self::Stats { show } => *show,
        }
    }

    pub(crate) async fn run(&self, global: &Global) -> Result<(), CliError> {
        on_client(global, async |client| self.on(client).await).await
    }

    async fn on(&self, client: &Client) -> Result<(), CliError> {
        let as_json = self.show().json;
        match self {
            Self::List { status, .. } => read::list(client, status.as_deref(), as_json).await,
            Self::Available { .. } => read::available(client, as_json).await,
            Self::Info(One { id, .. }) => read::info(client, id, as_json).await,
            Self::Permissions(One { id, .. }) => permissions::permissions(client, id, as_json).await,
            Self::Grant(grant) => grant.on(client).await,
            Self::Revoke(revoke) => revoke.on(client).await,
            Self::Health { id, .. } => read::health(client, id.as_deref(), as_json).await,
            Self::Logs { id, bytes, .. } => read::logs(client, id, *bytes, as_json).await,
            Self::Stats { .. } => read::stats(client, as_json).await,
            Self::Discover { folder, .. } => discover(client, folder.clone(), as_json).await,
            Self::Load(load) => load.on(client).await,
            Self::Create(make) => make.create(client).await,
            Self::Update(make) => make.update(client).await,
            Self::Rollback(rollback) => rollback.on(client).await,
            Self::Versions(One { id, .. }) => dynamic::versions(client, id, as_json).await,
            Self::Remove(Cascading { id, cascade, .. }) => {
                dynamic::remove(client, id, *cascade, as_json).await
            }
            Self::Save(save) => save.on(client).await,
            Self::Promote(One { id, .. }) => dynamic::promote(client, id, as_json).await,
            Self::Enable(One { id, .. }) => act(client, id, "enable", json!({}), as_json).await,
            Self::Disable(Cascading { id, cascade, .. }) => {
                act(client, id, "disable", json!({"cascade": cascade}), as_json).await
            }
            Self::Unload(Cascading { id, cascade, .. }) => {
                act(client, id, "unload", json!({"cascade": cascade}), as_json).await
            }
            Self::Reload { id, with, .. } => {
                let body = match with {
                    Some(text) => json!({"config": arguments::object(text)?}),
                    None => json!({}),
                };
                act(client, id, "reload", body, as_json).await
            }
        }
    }
}

impl Load {
    async fn on(&self, client: &Client) -> Result<(), CliError> {
        let mut body = json!({"plugin_id": self.id, "dependencies": !self.alone});
        if let Some(text) = &self.with {
            body["config"] = arguments::object(text)?.into();
        }
        let loaded = progress::shown(client, client.post("/plugins/load", &body)).await?;
        if self.enable {
            return act(client, &self.id, "enable", json!({}), self.show.json).await;
        }
        write_action(&loaded, self.show.json)
    }
}

async fn act(client: &Client, id: &str, verb: &str, body: Value, as_json: bool) -> Result<(), CliError> {
    let path = format!("/plugins/{}/{verb}", segment(id));
    let answer = progress::shown(client, client.post(&path, &body)).await?;
    write_action(&answer, as_json)
}

fn write_action(answer: &Value, as_json: bool) -> Result<(), CliError> {
    show(as_json, answer, |out| {
        writeln!(out, "{}", plain(answer.get("message").and_then(Value::as_str).unwrap_or("done")))
    })
}

async fn discover(client: &Client, folder: Option<PathBuf>, as_json: bool) -> Result<(), CliError> {
    let body = match folder {
        // The server may run elsewhere.
        Some(folder) => {
            let folder = std::path::absolute(&folder).unwrap_or(folder);
            json!({"directory": folder})
        }
        None => json!({}),
    };
    let answer = progress::shown(client, client.post("/plugins/discover", &body)).await?;
    let errors = items(&answer, "errors");
    show(as_json, &answer, |out| {
        let rows: Vec<_> = items(&answer, "discovered")
            .iter()
            .map(|found| {
                let is_new = found.get("new") == Some(&Value::Bool(true));
                let new = if is_new { "new" } else { "known" }.to_owned();
                [text(found, "plugin_id"), text(found, "version"), new, text(found, "path")]
            })
            .collect();
        if rows.is_empty() {
            writeln!(out, "no plugins found; `gathering new plugin NAME` writes one to start from")?;
        } else {
            table(out, ["PLUGIN", "VERSION", "", "PATH"], &rows)?;
        }
        for error in errors {
            let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
            writeln!(out, "{BAD}broken{BAD:#}  {}: {}", text(error, "path"), plain(message))?;
        }
        if !errors.is_empty() {
            writeln!(out, "{HINT}--json shows where in their code{HINT:#}")?;
        }
        Ok(())
    })?;
    match errors {
        [] => Ok(()),
        _ => Err(CliError::told()),
    }
}

/// A plugin that does not feel well.
fn unhealthy(id: &str) -> CliError {
    CliError::new(Exit::Failed, "unhealthy", format!("{id} is unhealthy"))
}
