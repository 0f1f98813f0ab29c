//! What `gathering plugins` shows without changing anything.

use serde_json::Value;

use crate::client::{Client, query, segment};
use crate::error::CliError;
use crate::output::{items, members, plain, show, table, text};

pub(super) async fn list(client: &Client, status: Option<&str>, as_json: bool) -> Result<(), CliError> {
    let answer = client.get(&format!("/plugins{}", query(&[("status", status)]))).await?;
    show(as_json, &answer, |out| {
        let rows: Vec<_> = items(&answer, "plugins")
            .iter()
            .map(|plugin| {
                let column = |name| text(plugin, name);
                let note = match column("error") {
                    empty if empty.is_empty() => column("description"),
                    error => error,
                };
                [
                    column("id"),
                    column("status"),
                    column("version"),
                    column("runtime"),
                    column("tools_count"),
                    note,
                ]
            })
            .collect();
        table(out, ["PLUGIN", "STATUS", "VERSION", "RUNTIME", "TOOLS", ""], &rows)
    })
}

pub(super) async fn available(client: &Client, as_json: bool) -> Result<(), CliError> {
    let answer = client.get("/plugins/available").await?;
    show(as_json, &answer, |out| {
        for id in items(&answer, "plugins") {
            writeln!(out, "{}", plain(id.as_str().unwrap_or_default()))?;
        }
        Ok(())
    })
}

pub(super) async fn info(client: &Client, id: &str, as_json: bool) -> Result<(), CliError> {
    let answer = client.get(&format!("/plugins/{}", segment(id))).await?;
    let names = [
        "id",
        "name",
        "version",
        "description",
        "status",
        "error",
        "runtime",
        "source",
        "tier",
        "started",
        "tools_count",
        "competencies_count",
        "file_handlers_count",
        "dependencies",
        "python_dependencies",
        "author",
        "license",
        "homepage",
        "tags",
    ];
    show(as_json, &answer, |out| members(out, &answer, &names))
}

/// One plugin's answer, or every one's.
pub(super) async fn health(client: &Client, id: Option<&str>, as_json: bool) -> Result<(), CliError> {
    let answer = match id {
        Some(id) => client.get(&format!("/plugins/{}/health", segment(id))).await?,
        None => client.get("/plugins/health/all").await?,
    };
    let each: Vec<&Value> = match (id, answer.get("plugins").and_then(Value::as_object)) {
        (None, Some(all)) => all.values().collect(),
        _ => vec![&answer],
    };
    show(as_json, &answer, |out| {
        let rows: Vec<_> = each
            .iter()
            .map(|health| ["plugin_id", "status", "plugin_status", "error"].map(|name| text(health, name)))
            .collect();
        table(out, ["PLUGIN", "HEALTH", "STATUS", ""], &rows)
    })?;
    let ill: Vec<_> = each
        .iter()
        .filter(|health| text(health, "status") == "unhealthy")
        .map(|health| format!("`{}`", text(health, "plugin_id")))
        .collect();
    match (ill.is_empty(), as_json) {
        (true, _) => Ok(()),
        (false, true) => Err(CliError::told()),
        (false, false) => Err(super::unhealthy(&ill.join(", "))),
    }
}

pub(super) async fn logs(client: &Client, id: &str, bytes: u64, as_json: bool) -> Result<(), CliError> {
    let query = query(&[("bytes", Some(&bytes.to_string()))]);
    let answer = client.get(&format!("/plugins/{}/log{query}", segment(id))).await?;
    show(as_json, &answer, |out| {
        write!(out, "{}", plain(answer.get("log").and_then(Value::as_str).unwrap_or_default()))
    })
}

pub(super) async fn stats(client: &Client, as_json: bool) -> Result<(), CliError> {
    let answer = client.get("/plugins/stats").await?;
    let names = [
        "available_plugins",
        "loaded_plugins",
        "enabled_plugins",
        "total_tools_from_plugins",
        "total_competencies_from_plugins",
    ];
    show(as_json, &answer, |out| members(out, &answer, &names))
}
